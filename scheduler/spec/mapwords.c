/* See mapwords.h. Invariant: what is parsed without a sentence and without `cannot` is
 * placed by sched/mapby.c in every detail; nothing of it is left out. */
#include "mapwords.h"
#include "base/idset.h"
#include "base/memory.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_IDS 65536u /* of a pe-list */

/* What can be mapped by. */
static const struct object {
    const char *name;
    enum mapwords_how how;
    enum mapwords_level level;
} objects[] = {
    {"slot", MAPWORDS_BY_SLOT, MAPWORDS_HOST},
    {"hwthread", MAPWORDS_BY_OBJECT, MAPWORDS_HWTHREAD},
    {"core", MAPWORDS_BY_OBJECT, MAPWORDS_CORE},
    {"l1cache", MAPWORDS_BY_OBJECT, MAPWORDS_L1},
    {"l2cache", MAPWORDS_BY_OBJECT, MAPWORDS_L2},
    {"l3cache", MAPWORDS_BY_OBJECT, MAPWORDS_L3},
    {"numa", MAPWORDS_BY_OBJECT, MAPWORDS_NUMA},
    {"socket", MAPWORDS_BY_OBJECT, MAPWORDS_PACKAGE},
    {"package", MAPWORDS_BY_OBJECT, MAPWORDS_PACKAGE},
    {"board", MAPWORDS_BY_OTHER, MAPWORDS_HOST},
    {"node", MAPWORDS_BY_NODE, MAPWORDS_HOST},
    {"device", MAPWORDS_BY_DEVICE, MAPWORDS_HOST},
    /* those above are what ppr takes */
    {"seq", MAPWORDS_BY_OTHER, MAPWORDS_HOST},
    {"dist", MAPWORDS_BY_OTHER, MAPWORDS_HOST},
    {"rankfile", MAPWORDS_BY_OTHER, MAPWORDS_HOST},
    {"ppr", MAPWORDS_BY_PPR, MAPWORDS_HOST},
    {"pe-list", MAPWORDS_BY_LIST, MAPWORDS_HOST},
};
enum { N_OBJECTS = sizeof(objects) / sizeof(objects[0]) };
enum { N_LEVELS = 12 };

enum value { NO_VALUE, NUMBER, TEXT, OPTIONAL };

static const struct modifier {
    const char *name;
    enum value value;
} modifiers[] = {
    {"SPAN", NO_VALUE},
    {"OVERSUBSCRIBE", NO_VALUE},
    {"NOOVERSUBSCRIBE", NO_VALUE},
    {"NOLOCAL", NO_VALUE},
    {"HWTCPUS", NO_VALUE},
    {"CORECPUS", NO_VALUE},
    {"INHERIT", NO_VALUE},
    {"NOINHERIT", NO_VALUE},
    {"ORDERED", NO_VALUE},
    {"SHARED", NO_VALUE},
    {"PE", NUMBER},
    {"NDEV", NUMBER},
    {"INTERLEAVE", OPTIONAL},
    {"FILE", TEXT},
};
enum { N_MODIFIERS = sizeof(modifiers) / sizeof(modifiers[0]) };

static const char *const level_names[] = {
    "node", "package", "numa", "l3cache", "l2cache", "l1cache", "core", "hwthread"};
enum { N_LEVEL_NAMES = sizeof(level_names) / sizeof(level_names[0]) };

const char *mapwords_level_name(enum mapwords_level level)
{
    return level_names[level];
}

/* "; did you mean 'SPAN'?" or "". */
static const char *
hint(const char *word, const char *const *names, size_t n, char buf[128])
{
    const char *near = str_nearest(word, names, n);
    buf[0] = '\0';
    if (near != NULL)
        (void)snprintf(buf, 128, "; did you mean '%.80s'?", near);
    return buf;
}

static char *cut(const char *text, size_t len)
{
    struct str s = {0};
    str_add_n(&s, text, len);
    return s.text != NULL ? str_steal(&s) : xstrdup("");
}

/* 1 or more; 0: it is none. */
static unsigned number(const char *text, size_t len)
{
    unsigned n = 0;
    if (len == 0 || len > 6 || text[0] == '0' || strspn(text, "0123456789") < len)
        return 0;
    for (size_t i = 0; i < len; i++)
        n = 10 * n + (unsigned)(text[i] - '0');
    return n;
}

static int level_of(const char *text, size_t len, enum mapwords_level *ret)
{
    for (size_t i = 0; i < N_OBJECTS; i++) {
        if (objects[i].how != MAPWORDS_BY_OBJECT || strlen(objects[i].name) != len ||
            strncasecmp(objects[i].name, text, len) != 0)
            continue;
        *ret = objects[i].level;
        return 0;
    }
    return -ENOENT;
}

bool mapwords_is_object(const char *text)
{
    size_t len = strcspn(text, ":,=");
    for (size_t i = 0; i < N_OBJECTS; i++) {
        if (strlen(objects[i].name) == len && strncmp(objects[i].name, text, len) == 0)
            return true;
    }
    return false;
}

const char *mapwords_object(size_t i)
{
    return i < N_OBJECTS ? objects[i].name : NULL;
}

const char *mapwords_default(const char *bind_to)
{
    enum mapwords_level level;
    size_t len = bind_to != NULL ? strcspn(bind_to, ":") : 0;
    if (len == 4 && strncasecmp(bind_to, "none", 4) == 0)
        return "slot";
    if (len > 0 && level_of(bind_to, len, &level) == 0)
        return level_names[level];
    return "core";
}

/* ---- modifiers ---- */

static const char *const device_only[] = {"SHARED", "NDEV", "INTERLEAVE"};

static int
set_interleave(const char *value, size_t len, struct mapwords *w, struct gm_error *err)
{
    w->interleave = true;
    w->across = MAPWORDS_PACKAGE;
    if (value == NULL)
        return 0;
    if (level_of(value, len, &w->across) == 0 && w->across <= MAPWORDS_L1)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "INTERLEAVE=%.*s: must be package, numa, l3cache, l2cache or l1cache",
                   (int)(len < 80 ? len : 80),
                   value);
}

/* A modifier without a value. */
static void set_flag(const char *name, struct mapwords *w)
{
    const struct {
        const char *name;
        bool *to;
    } flags[] = {
        {"SPAN", &w->span},
        {"OVERSUBSCRIBE", &w->oversubscribe},
        {"NOOVERSUBSCRIBE", &w->no_oversubscribe},
        {"NOLOCAL", &w->no_local},
        {"HWTCPUS", &w->hwtcpus},
        {"CORECPUS", &w->corecpus},
        {"ORDERED", &w->ordered},
        {"SHARED", &w->shared},
    };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(flags[i].name, name) == 0)
            *flags[i].to = true;
    } /* INHERIT, NOINHERIT: of ranks that start ranks; ours start none */
}

static int set_modifier(const struct modifier *m,
                        const char *value,
                        size_t len,
                        struct mapwords *w,
                        struct gm_error *err)
{
    unsigned n = value != NULL ? number(value, len) : 0;
    if (m->value == NUMBER && n == 0)
        return gm_fail(err,
                       -EINVAL,
                       strcmp(m->name, "PE") == 0
                           ? "PE takes a number of cores, as in PE=2"
                           : "%s takes a number of devices, as in NDEV=2",
                       m->name);
    if (m->value == TEXT && (value == NULL || len == 0))
        return gm_fail(err, -EINVAL, "%s takes a value: %s=...", m->name, m->name);
    if (m->value == NO_VALUE && value != NULL)
        return gm_fail(err, -EINVAL, "%s takes no value", m->name);
    if (strcmp(m->name, "PE") == 0)
        w->pe = n;
    else if (strcmp(m->name, "NDEV") == 0)
        w->n_devices = n;
    else if (strcmp(m->name, "INTERLEAVE") == 0)
        return set_interleave(value, len, w, err);
    else if (m->value == NO_VALUE)
        set_flag(m->name, w);
    return 0;
}

static int read_modifier(const char *text,
                         const char *word,
                         size_t len,
                         struct mapwords *w,
                         struct gm_error *err)
{
    size_t name = strcspn(word, "=,:");
    name = name < len ? name : len;
    bool valued = name < len && word[name] == '=';
    AUTO_FREE(char) called = cut(word, name);
    const char *names[N_MODIFIERS];
    char buf[128];
    for (size_t i = 0; i < N_MODIFIERS; i++) {
        names[i] = modifiers[i].name;
        if (strcasecmp(modifiers[i].name, called) == 0)
            return set_modifier(&modifiers[i],
                                valued ? word + name + 1 : NULL,
                                valued ? len - name - 1 : 0,
                                w,
                                err);
    }
    return gm_fail(err,
                   -EINVAL,
                   "unknown modifier '%.80s' in '%.80s'%s",
                   called,
                   text,
                   hint(called, names, N_MODIFIERS, buf));
}

static int
read_modifiers(const char *text, const char *p, struct mapwords *w, struct gm_error *err)
{
    int rc = 0;
    while (rc == 0 && (*p == ':' || *p == ',')) {
        size_t len = strcspn(p + 1, ":,");
        if (len == 0)
            return gm_fail(err, -EINVAL, "a modifier is missing in '%.80s'", text);
        rc = read_modifier(text, p + 1, len, w, err);
        p += 1 + len;
    }
    return rc;
}

/* ---- map-by ---- */

static int
unknown_object(const char *text, const char *word, size_t n_objects, struct gm_error *err)
{
    const char *names[N_OBJECTS];
    char buf[128];
    for (size_t i = 0; i < n_objects; i++)
        names[i] = objects[i].name;
    (void)hint(word, names, n_objects, buf);
    if (strcmp(word, text) == 0)
        return gm_fail(err,
                       -EINVAL,
                       "must be a map-by word of Open MPI such as core, ppr:2:node or "
                       "slot:PE=2, not '%.80s'%s",
                       word,
                       buf);
    return gm_fail(err, -EINVAL, "unknown object '%.80s' in '%.80s'%s", word, text, buf);
}

/* The part of "ppr:N:" before its object; NULL: told. */
static const char *skip_ppr(const char *text, struct mapwords *w, struct gm_error *err)
{
    const char *from = text + 3, *p = from;
    if (*p == ':') {
        from++;
        p = from + strcspn(from, ":");
        w->ppr = number(from, (size_t)(p - from));
    }
    if (*p == ':' && w->ppr > 0)
        return p + 1;
    (void)gm_fail(err,
                  -EINVAL,
                  "'%.80s': ppr takes a number and an object, as in ppr:2:node",
                  text);
    return NULL;
}

/* The next run of "0,2-3": false where there is none, or a wrong one. */
static bool next_run(const char **p, const char *end, unsigned *first, unsigned *last)
{
    const char *q = *p;
    unsigned n[2] = {0, 0};
    unsigned k = 0;
    for (;; q++, k++) {
        size_t digits = strspn(q, "0123456789");
        if (digits == 0 || digits > 6 || k > 1)
            return false;
        n[k] = (unsigned)strtoul(q, NULL, 10);
        q += digits;
        if (q >= end || *q != '-')
            break;
    }
    *first = n[0];
    *last = k > 0 ? n[1] : n[0];
    if (*last < *first || *last - *first >= MOST_IDS)
        return false;
    *p = q < end && *q == ',' ? q + 1 : q;
    return q == end || (*q == ',' && q + 1 < end);
}

unsigned *mapwords_ids(const struct mapwords *w, unsigned *ret_n)
{
    unsigned *ids = NULL, n = 0, first, last;
    const char *p = w->list, *end = w->list + w->list_len;
    while (p < end && n < MOST_IDS && next_run(&p, end, &first, &last)) {
        ids = xrealloc(ids, n + last - first + 1, sizeof(*ids));
        for (unsigned id = first; id <= last; id++)
            ids[n++] = id;
    }
    *ret_n = n;
    return ids;
}

/* "pe-list=0,2-3": the ids up to the next colon. */
static int
read_list(const char *text, const char *p, struct mapwords *w, struct gm_error *err)
{
    unsigned first, last;
    w->list = p + 1;
    w->list_len = *p == '=' ? strcspn(w->list, ":") : 0;
    const char *q = w->list, *end = w->list + w->list_len;
    bool fine = w->list_len > 0;
    while (fine && q < end)
        fine = next_run(&q, end, &first, &last);
    if (!fine)
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s': pe-list takes ids of cores, as in pe-list=0,2-3",
                       text);
    return read_modifiers(text, end, w, err);
}

/* "device=gpu". */
static int
read_device(const char *text, const char *p, struct mapwords *w, struct gm_error *err)
{
    size_t len = *p == '=' ? strcspn(p + 1, ":,") : 0;
    if (len == 0)
        return gm_fail(
            err, -EINVAL, "'%.80s': device takes a class, as in device=gpu", text);
    w->device = true;
    if (len != 3 || strncasecmp(p + 1, "gpu", 3) != 0)
        (void)snprintf(w->cannot,
                       sizeof(w->cannot),
                       "ranks are placed by GPUs alone: write device=gpu");
    return read_modifiers(text, p + 1 + len, w, err);
}

static int read_map_by(const char *text, struct mapwords *w, struct gm_error *err)
{
    size_t first = strcspn(text, ":=");
    bool per = first == 3 && strncmp(text, "ppr", 3) == 0;
    const char *p = per ? skip_ppr(text, w, err) : text;
    if (p == NULL)
        return -EINVAL;
    size_t len = strcspn(p, ":,="), n = per ? N_LEVELS : N_OBJECTS, i = 0;
    AUTO_FREE(char) word = cut(p, len);
    while (i < n && strcmp(objects[i].name, word) != 0)
        i++;
    if (i == n)
        return unknown_object(text, word, n, err);
    w->how = objects[i].how;
    w->level = objects[i].level;
    if (w->how == MAPWORDS_BY_OTHER)
        (void)snprintf(w->cannot,
                       sizeof(w->cannot),
                       "'%.20s' cannot be placed: write an object such as core or numa, "
                       "or ppr:2:node",
                       word);
    if (per && w->how == MAPWORDS_BY_SLOT)
        (void)snprintf(w->cannot, sizeof(w->cannot), "a slot holds one rank: write slot");
    if (per && w->how != MAPWORDS_BY_OTHER)
        w->how = MAPWORDS_BY_PPR;
    if (w->how == MAPWORDS_BY_LIST)
        return read_list(text, p + len, w, err);
    if (strcmp(word, "device") == 0)
        return read_device(text, p + len, w, err);
    if (p[len] == '=')
        return gm_fail(err, -EINVAL, "'%.80s' takes no value", word);
    if (strcmp(word, "dist") == 0 && p[len] == ':') /* a device's name comes first */
        len += 1 + strcspn(p + len + 1, ":,");
    return read_modifiers(text, p + len, w, err);
}

/* ---- rank-by, bind-to ---- */

static int read_rank_by(const char *text, struct mapwords *w, struct gm_error *err)
{
    static const char *const names[] = {"slot", "node", "fill", "span"};
    char buf[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(names[i], text) != 0)
            continue;
        w->rank = (enum mapwords_rank)(MAPWORDS_RANK_SLOT + (int)i);
        return 0;
    }
    return gm_fail(err,
                   -EINVAL,
                   "must be one of slot, node, fill, span, not '%.80s'%s",
                   text,
                   hint(text, names, 4, buf));
}

static int read_bind_modifiers(const char *text,
                               const char *p,
                               struct mapwords *w,
                               struct gm_error *err)
{
    static const char *const names[] = {
        "overload-allowed", "no-overload", "if-supported"};
    char buf[128];
    while (*p == ':') {
        size_t len = strcspn(p + 1, ":");
        AUTO_FREE(char) word = cut(p + 1, len);
        if (strcasecmp(word, names[0]) == 0 || strcasecmp(word, names[1]) == 0)
            w->overload = strcasecmp(word, names[0]) == 0;
        else if (strcasecmp(word, names[2]) == 0)
            w->if_supported = true;
        else
            return gm_fail(err,
                           -EINVAL,
                           "unknown modifier '%.80s' in '%.80s'%s",
                           word,
                           text,
                           hint(word, names, 3, buf));
        p += 1 + len;
    }
    return 0;
}

static int read_bind_to(const char *text, struct mapwords *w, struct gm_error *err)
{
    static const char *const names[] = {"none",
                                        "hwthread",
                                        "core",
                                        "l1cache",
                                        "l2cache",
                                        "l3cache",
                                        "numa",
                                        "package",
                                        "socket"};
    size_t len = strcspn(text, ":");
    AUTO_FREE(char) word = cut(text, len);
    char buf[128];
    w->bind_said = len > 0;
    if (len > 0 && strcasecmp(word, "none") != 0 && level_of(word, len, &w->bind) != 0)
        return gm_fail(err,
                       -EINVAL,
                       "must be one of none, hwthread, core, l1cache, l2cache, l3cache, "
                       "numa, package, not '%.80s'%s",
                       word,
                       hint(word, names, sizeof(names) / sizeof(names[0]), buf));
    return read_bind_modifiers(text, text + len, w, err);
}

/* ---- what contradicts itself ---- */

static int check_pe(const struct mapwords *w, struct gm_error *err)
{
    bool by = w->how == MAPWORDS_BY_OBJECT || w->how == MAPWORDS_BY_PPR;
    if (w->pe > 0 && w->how == MAPWORDS_BY_LIST)
        return gm_fail(err, -EINVAL, "PE does not go with pe-list, which names the CPUs");
    if (w->pe > 1 && by &&
        (w->level == MAPWORDS_HWTHREAD || (w->level == MAPWORDS_CORE && !w->hwtcpus)))
        return gm_fail(err,
                       -EINVAL,
                       "PE=%u: a %s has one CPU: map by what holds more, such as "
                       "l3cache, numa or slot",
                       w->pe,
                       level_names[w->level]);
    return 0;
}

static int check_flags(const struct mapwords *w, struct gm_error *err)
{
    const bool device_flags[] = {w->shared, w->n_devices > 0, w->interleave};
    for (size_t i = 0; i < 3; i++) {
        if (device_flags[i] && !w->device)
            return gm_fail(err, -EINVAL, "%s goes with device=gpu alone", device_only[i]);
    }
    if (w->oversubscribe && w->no_oversubscribe)
        return gm_fail(err, -EINVAL, "OVERSUBSCRIBE and NOOVERSUBSCRIBE: one of them");
    if (w->hwtcpus && w->corecpus)
        return gm_fail(err, -EINVAL, "HWTCPUS and CORECPUS: one of them");
    if (w->ordered && w->how != MAPWORDS_BY_LIST && w->how != MAPWORDS_BY_OTHER)
        return gm_fail(err, -EINVAL, "ORDERED goes with pe-list alone");
    return check_pe(w, err);
}

static int check_rank(const struct mapwords *w, struct gm_error *err)
{
    bool object = w->how == MAPWORDS_BY_OBJECT ||
                  (w->how == MAPWORDS_BY_PPR && w->level != MAPWORDS_HOST);
    if (object || w->how == MAPWORDS_BY_OTHER || w->rank < MAPWORDS_RANK_FILL)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "%s ranks by objects: map by one, such as core or numa",
                   w->rank == MAPWORDS_RANK_FILL ? "fill" : "span");
}

static int check_bind(const struct mapwords *w, struct gm_error *err)
{
    bool one = w->bind == MAPWORDS_CORE || w->bind == MAPWORDS_HWTHREAD;
    if (!w->bind_said)
        return 0;
    if (w->bind != MAPWORDS_HOST && w->bind < w->level)
        return gm_fail(err,
                       -EINVAL,
                       "%s is above %s, which ranks are mapped by: bind to %s or to what "
                       "is in it",
                       level_names[w->bind],
                       level_names[w->level],
                       level_names[w->level]);
    if ((w->pe > 1 || w->ordered) && !one)
        return gm_fail(err,
                       -EINVAL,
                       "%s binds to CPUs: bind to core or hwthread, or leave bind-to out",
                       w->ordered ? "ORDERED" : "PE");
    return 0;
}

int mapwords_parse(const char *map_by,
                   const char *rank_by,
                   const char *bind_to,
                   struct mapwords *ret,
                   unsigned *ret_at,
                   struct gm_error *err)
{
    struct mapwords w = {0};
    const char *by = map_by != NULL ? map_by : mapwords_default(bind_to);
    unsigned at = 0;
    int rc = read_map_by(by, &w, err);
    if (rc == 0)
        rc = check_flags(&w, err);
    if (rc == 0 && rank_by != NULL) {
        at = 1;
        rc = read_rank_by(rank_by, &w, err);
        if (rc == 0)
            rc = check_rank(&w, err);
    }
    if (rc == 0 && bind_to != NULL) {
        at = 2;
        rc = read_bind_to(bind_to, &w, err);
        if (rc == 0)
            rc = check_bind(&w, err);
    }
    if (rc != 0) {
        *ret_at = at;
        return rc;
    }
    if (w.span && w.how != MAPWORDS_BY_OBJECT && w.how != MAPWORDS_BY_DEVICE &&
        w.cannot[0] == '\0')
        (void)snprintf(
            w.cannot, sizeof(w.cannot), "SPAN goes with an object such as core or numa");
    w.hwtcpus |= w.level == MAPWORDS_HWTHREAD;
    *ret = w;
    return 0;
}
