/* See synthetic.h. Words stand between blanks that are in no bracket: "numa:2(memory=4GB
 * indexes=1,0)" and "[numa]" are one each. What the words between ours mean is hwloc's
 * business. Their numbers are looked at here, since hwloc would build a machine of any
 * size, and ends the process over some lists of indexes.
 *
 * Invariant: hwloc reads the very counts that were multiplied: a word has one, in decimal
 * digits, and nothing that hwloc takes for a second word stands behind it. */
#include "synthetic.h"
#include "base/idset.h"
#include "gpu.h"
#include "xmlcheck.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HOSTS = 65536 };

/* Each object that hwloc adds is compared with those beside it and beside what is around
 * it, PU set by PU set: 2e9 words of 64 PUs take some 4 seconds. */
static const uint64_t most_compared = 2000000000;

struct word {
    const char *at;
    size_t n;
};

struct reader {
    const char *text;
    struct synthetic *s;
    struct gm_error *err;
    uint64_t pus;      /* so far */
    uint64_t beside;   /* the counts of the levels so far, summed up */
    uint64_t compared; /* sets, as most_compared has it */
    bool has_numa, has_package;
    struct word last; /* the level before; n 0: none */
};

static int bad(const struct reader *r, const struct word *w, const char *what)
{
    return gm_fail(r->err,
                   -EINVAL,
                   "'%.80s': character %zu: %s",
                   r->text,
                   (size_t)(w->at - r->text) + 1,
                   what);
}

static bool next_word(const char **p, struct word *ret)
{
    *p += strspn(*p, " \t\n");
    ret->at = *p;
    for (unsigned depth = 0; **p != '\0'; (*p)++) {
        if (strchr("([", **p) != NULL)
            depth++;
        else if (strchr(")]", **p) != NULL && depth > 0)
            depth--;
        else if (depth == 0 && strchr(" \t\n", **p) != NULL)
            break;
    }
    ret->n = (size_t)(*p - ret->at);
    return ret->n > 0;
}

static bool starts(const struct word *w, const char *with)
{
    return w->n > strlen(with) && strncmp(w->at, with, strlen(with)) == 0;
}

/* The number that ends at the word's end, 1 to `most`; 0: there is none. */
static unsigned long
count_of(const char *digits, const struct word *w, unsigned long most)
{
    char *end;
    if (*digits < '0' || *digits > '9')
        return 0;
    unsigned long n = strtoul(digits, &end, 10);
    return end == w->at + w->n && n <= most ? n : 0;
}

static bool is_level(const struct word *w, hwloc_obj_type_t *ret)
{
    char name[32] = "";
    size_t n = strcspn(w->at, ":( ");
    if (n >= sizeof(name) || n > w->n)
        return false;
    memcpy(name, w->at, n);
    return hwloc_type_sscanf(name, ret, NULL, 0) == 0;
}

/* Which level "gpu:N" right behind the word `r->last` means, more levels following. */
static int level_before(struct reader *r, const struct word *gpu, hwloc_obj_type_t *ret)
{
    *ret = HWLOC_OBJ_MACHINE;
    if (r->last.n == 0)
        return 0;
    if (!is_level(&r->last, ret) ||
        (*ret != HWLOC_OBJ_PACKAGE && *ret != HWLOC_OBJ_DIE &&
         *ret != HWLOC_OBJ_NUMANODE && *ret != HWLOC_OBJ_L3CACHE))
        return bad(r,
                   gpu,
                   "gpu:N stands behind host, pack, die, numa or l3, or at the end "
                   "(then: per NUMA node, else per package, else per host)");
    return 0;
}

static int read_gpus(struct reader *r, const struct word *w, bool last)
{
    unsigned long n = count_of(w->at + strlen("gpu:"), w, GPU_MOST);
    if (n == 0)
        return bad(r, w, "gpu:N wants a number from 1 to 256");
    if (r->s->gpus > 0)
        return bad(r, w, "gpu:N stands once");
    r->s->gpus = (unsigned)n;
    if (!last)
        return level_before(r, w, &r->s->gpu_level);
    r->s->gpu_level = r->has_numa      ? HWLOC_OBJ_NUMANODE
                      : r->has_package ? HWLOC_OBJ_PACKAGE
                                       : HWLOC_OBJ_MACHINE;
    return 0;
}

/* Is p the word's end, or does it open a bracket that closes there? */
static bool is_end(const struct word *w, const char *p)
{
    const char *end = w->at + w->n;
    return p == end || (*p == '(' && memchr(p, ')', (size_t)(end - p)) == end - 1);
}

/* Of "core:4", "4" and both with attributes behind; 0: there is none. (hwloc takes "+4",
 * "0x4" and "pack:2core:4" as well.) */
static uint64_t level_count(const struct word *w)
{
    size_t n = strcspn(w->at, ":(");
    const char *digits = n < w->n && w->at[n] == ':' ? w->at + n + 1 : w->at;
    char *end;
    if (*digits < '1' || *digits > '9')
        return 0;
    uint64_t count = strtoul(digits, &end, 10);
    return !is_end(w, end) ? 0 : count < UINT32_MAX ? count : UINT32_MAX;
}

/* "[numa(memory=1GB)]", or several without blanks between. */
static bool is_attached(const struct word *w)
{
    const char *p = w->at, *end = w->at + w->n;
    while (p < end && *p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        p = close != NULL ? close + 1 : end;
    }
    return p == end && end[-1] == ']';
}

/* Of "1,0" (a list), "2*2:1*2" (loops) or "core:numa". hwloc asserts that the counts of
 * loops, behind the stars, do not multiply to 2^64; it reads "-1" and "0x1" as well. */
static bool value_fits(const char *p, const char *end)
{
    static const char numbers[] = "0123456789+-";
    uint64_t product = 1;
    for (p += strcspn(p, numbers); p < end; p += strcspn(p, numbers)) {
        char *behind;
        uint64_t n = strtoul(p, &behind, 10);
        product *= p[-1] == '*' ? n : 1;
        if (behind == p || n >= IDSET_MAX || product > XMLCHECK_PUS || *behind == 'x' ||
            *behind == 'X')
            return false;
        p = behind;
    }
    return true;
}

static bool indexes_fit(const struct word *w)
{
    static const char key[] = "indexes=";
    const char *p = w->at, *end = w->at + w->n;
    while ((p = memmem(p, (size_t)(end - p), key, sizeof(key) - 1)) != NULL) {
        p += sizeof(key) - 1;
        if (!value_fits(p, p + strcspn(p, " )")))
            return false;
    }
    return true;
}

static void multiply(struct reader *r, uint64_t count)
{
    r->pus *= count;
    r->beside += count;
    r->compared += r->pus * (r->beside / 2);
}

/* Refuses what hwloc must not see. */
static int check_level(struct reader *r, const struct word *w)
{
    bool attached = *w->at == '[', root = *w->at == '(';
    uint64_t count = attached || root ? 1 : level_count(w);
    if (count == 0 || (attached && !is_attached(w)) || (root && !is_end(w, w->at)))
        return bad(r, w, "describes no machine (\"pack:2 core:4\" does)");
    if (!indexes_fit(w))
        return bad(r, w, "indexes are below 1048576, and loops of them within 16384 PUs");
    if (!attached && !root)
        multiply(r, count);
    if (r->pus > XMLCHECK_PUS)
        return bad(
            r, w, "this makes more than 16384 PUs a host, beyond what is read here");
    return 0;
}

static int read_level(struct reader *r, const struct word *w)
{
    hwloc_obj_type_t type = HWLOC_OBJ_TYPE_MAX;
    bool attached = *w->at == '['; /* memory beside the level */
    bool known = is_level(w, &type);
    int rc = check_level(r, w);
    r->has_numa = r->has_numa || attached || (known && type == HWLOC_OBJ_NUMANODE);
    r->has_package = r->has_package || (known && type == HWLOC_OBJ_PACKAGE);
    str_add_n(&r->s->text, w->at, w->n);
    str_add(&r->s->text, " ");
    r->last = attached ? r->last : *w;
    return rc;
}

static int read_words(struct reader *r)
{
    const char *p = r->text;
    struct word w;
    int rc = 0;
    for (bool first = true; rc == 0 && next_word(&p, &w); first = false) {
        if (starts(&w, "host:")) {
            r->s->hosts = (unsigned)count_of(w.at + strlen("host:"), &w, MOST_HOSTS);
            if (!first)
                rc = bad(r, &w, "host:N stands in front");
            else if (r->s->hosts == 0)
                rc = bad(r, &w, "host:N wants a number from 1 to 65536");
        } else if (starts(&w, "gpu:")) {
            rc = read_gpus(r, &w, p[strspn(p, " \t\n")] == '\0');
        } else {
            rc = read_level(r, &w);
        }
    }
    hwloc_obj_type_t type;
    if (rc == 0 && r->last.n > 0 && is_level(&r->last, &type) && type != HWLOC_OBJ_PU) {
        str_add(&r->s->text, "pu:1"); /* hwloc wants it said */
        multiply(r, 1);
    }
    if (rc == 0 && r->compared * (r->pus / 64 + 1) > most_compared)
        rc = gm_fail(r->err,
                     -EINVAL,
                     "'%.80s': so many objects side by side keep hwloc busy for minutes: "
                     "put levels between them (pack:64 core:256)",
                     r->text);
    return rc;
}

int synthetic_parse(const char *text, struct synthetic *ret, struct gm_error *err)
{
    struct synthetic s = {.hosts = 1, .gpu_level = HWLOC_OBJ_MACHINE};
    struct reader r = {.text = text, .s = &s, .err = err, .pus = 1};
    int rc =
        strlen(text) > 4096
            ? gm_fail(err, -EINVAL, "%zu characters describe no machine", strlen(text))
            : read_words(&r);
    if (rc == 0 && s.gpus > 0 && s.text.len == 0)
        rc = gm_fail(err, -EINVAL, "'%.80s': GPUs, and no core", text);
    if (rc == 0)
        *ret = s;
    else
        str_free(&s.text);
    return rc;
}

/* Where the GPUs of an object hang: what holds a NUMA node's cores. */
static hwloc_obj_t holder(hwloc_obj_t obj)
{
    while (hwloc_obj_type_is_memory(obj->type))
        obj = obj->parent;
    return obj;
}

int synthetic_add_gpus(hwloc_topology_t topology,
                       const struct synthetic *s,
                       struct gm_error *err)
{
    int depth = hwloc_get_type_depth(topology, s->gpu_level);
    int n = depth == HWLOC_TYPE_DEPTH_UNKNOWN
                ? 0
                : (int)hwloc_get_nbobjs_by_depth(topology, depth);
    hwloc_obj_t before = NULL;
    int rc = 0;
    unsigned total = 0;
    for (int i = 0; s->gpus > 0 && rc == 0 && i < n; i++) {
        hwloc_obj_t at = holder(hwloc_get_obj_by_depth(topology, depth, (unsigned)i));
        if (at == before) /* a second memory of the same cores */
            continue;
        before = at;
        total += s->gpus;
        if (total > GPU_MOST)
            return gm_fail(
                err, -EINVAL, "more than %u GPUs in one host", (unsigned)GPU_MOST);
        for (unsigned g = 0; rc == 0 && g < s->gpus; g++)
            rc = gpu_insert(topology, at, 0, "", "", err);
    }
    if (rc == 0 && s->gpus > 0 && total == 0)
        rc = gm_fail(err, -EINVAL, "no object to have the GPUs");
    return rc;
}
