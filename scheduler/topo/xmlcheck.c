/* See xmlcheck.h. One pass over the tags, with a stack of those that are open.
 *
 * Invariant: what is let through is one balanced tree below <topology>, in which each
 * object's set of PUs lies within its parent's, no PU stands twice, and every count is
 * within the limits of the header. */
#include "xmlcheck.h"
#include "base/auto.h"
#include "base/idset.h"
#include "base/memory.h"

#include <hwloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct slice {
    const char *at;
    size_t n;
};

struct open_tag {
    struct slice name;
    unsigned line;
    hwloc_bitmap_t pus; /* of an object; NULL: none told */
};

struct check {
    const char *p; /* the next character */
    unsigned line;
    struct open_tag open[XMLCHECK_DEPTH];
    unsigned depth, n_pus, n_topologies;
    bool v1;
    unsigned bare_line;  /* where the first object without its sets ends; 0: none */
    hwloc_bitmap_t seen; /* PUs */
    struct gm_error *err;
};

/* The attributes of a tag that matter here; at NULL: not there. */
struct attributes {
    struct slice type, os_index, cpuset, nbobjs, version, length;
    struct slice complete_cpuset, nodeset, complete_nodeset;
};

static bool is(struct slice s, const char *word)
{
    return s.n == strlen(word) && strncmp(s.at, word, s.n) == 0;
}

static int bad(const struct check *c, const char *what, struct slice s)
{
    return gm_fail(c->err,
                   -EINVAL,
                   "line %u: %s '%.*s'",
                   c->line,
                   what,
                   (int)(s.n < 40 ? s.n : 40),
                   s.n > 0 ? s.at : "");
}

static void skip_to(struct check *c, const char *to)
{
    for (; c->p < to; c->p++)
        c->line += *c->p == '\n';
}

static void skip_blanks(struct check *c)
{
    skip_to(c, c->p + strspn(c->p, " \t\r\n"));
}

/* Past the next `end`; false: the text is over before it. */
static bool skip_past(struct check *c, const char *end)
{
    const char *at = strstr(c->p, end);
    skip_to(c, at != NULL ? at + strlen(end) : c->p + strlen(c->p));
    return at != NULL;
}

static struct slice read_name(struct check *c)
{
    struct slice s = {c->p, strcspn(c->p, " \t\r\n=/<>\"'")};
    c->p += s.n;
    return s;
}

static int cut_off(const struct check *c)
{
    if (c->depth == 0)
        return gm_fail(c->err, -EINVAL, "this is no hwloc XML: it has no <topology>");
    const struct open_tag *t = &c->open[c->depth - 1];
    return gm_fail(c->err,
                   -EINVAL,
                   "cut off at line %u: <%.*s> of line %u is never closed",
                   c->line,
                   (int)(t->name.n < 40 ? t->name.n : 40),
                   t->name.at,
                   t->line);
}

static void keep(struct attributes *a, struct slice name, struct slice value)
{
    const struct {
        const char *name;
        struct slice *to;
    } rows[] = {
        {"type", &a->type},
        {"os_index", &a->os_index},
        {"cpuset", &a->cpuset},
        {"nbobjs", &a->nbobjs},
        {"version", &a->version},
        {"length", &a->length},
        {"complete_cpuset", &a->complete_cpuset},
        {"nodeset", &a->nodeset},
        {"complete_nodeset", &a->complete_nodeset},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (is(name, rows[i].name))
            *rows[i].to = value;
    }
}

static bool ends(struct slice s, const char *with)
{
    size_t n = strlen(with);
    return s.n >= n && strncmp(s.at + s.n - n, with, n) == 0;
}

/* "0x3,,0xff": words of 32 bits, the highest first; no endless one ("0xf...f"). */
static bool is_set(struct slice s)
{
    return s.n > 0 && strspn(s.at, "0123456789abcdefABCDEFx,") >= s.n &&
           s.n / 9 <= IDSET_MAX / 32;
}

static int read_attribute(struct check *c, struct attributes *ret)
{
    struct slice name = read_name(c);
    if (*c->p == '\0')
        return cut_off(c);
    if (name.n == 0 || strncmp(c->p, "=\"", 2) != 0)
        return bad(c, "no attribute is", (struct slice){c->p, 1});
    const char *value = c->p + 2, *end = strchr(value, '"');
    if (end == NULL) {
        skip_to(c, c->p + strlen(c->p));
        return cut_off(c);
    }
    struct slice s = {value, (size_t)(end - value)};
    if ((ends(name, "cpuset") || ends(name, "nodeset")) && !is_set(s))
        return bad(c, "no set is", s);
    keep(ret, name, s);
    skip_to(c, end + 1);
    return 0;
}

/* From behind the tag's name to behind its ">". */
static int read_attributes(struct check *c, struct attributes *ret, bool *ret_empty)
{
    for (;;) {
        skip_blanks(c);
        if (*c->p == '\0')
            return cut_off(c);
        if (*c->p == '>' || strncmp(c->p, "/>", 2) == 0) {
            *ret_empty = *c->p == '/';
            c->p += *ret_empty ? 2 : 1;
            return 0;
        }
        int rc = read_attribute(c, ret);
        if (rc != 0)
            return rc;
    }
}

/* A number at most `most` that is all of s; false: something else. */
static bool number(struct slice s, unsigned long most, unsigned long *ret)
{
    char *end;
    if (s.n == 0 || s.n > 18 || s.at[0] < '0' || s.at[0] > '9')
        return false;
    *ret = strtoul(s.at, &end, 10);
    return end == s.at + s.n && *ret <= most;
}

static int check_version(struct check *c, struct slice version)
{
    unsigned long ours = hwloc_get_api_version() >> 16;
    unsigned long theirs = version.at != NULL ? strtoul(version.at, NULL, 10) : 1;
    c->v1 = theirs < 2;
    if (theirs > ours)
        return gm_fail(c->err,
                       -EINVAL,
                       "hwloc %lu wrote this XML, and hwloc %lu here reads versions 1 to "
                       "%lu: write it again, where hwloc %lu is, with `lstopo "
                       "--export-xml-flags v%lu FILE.xml`",
                       theirs,
                       ours,
                       ours,
                       theirs,
                       ours);
    return 0;
}

static int read_set(const struct check *c, struct slice s, hwloc_bitmap_t *ret)
{
    AUTO_FREE(char) text = xcalloc(s.n + 1, 1);
    memcpy(text, s.at, s.n);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (set == NULL || hwloc_bitmap_sscanf(set, text) != 0) {
        hwloc_bitmap_free(set);
        return bad(c, "no set of PUs is", s);
    }
    if (hwloc_bitmap_weight(set) < 0 || hwloc_bitmap_last(set) >= (int)IDSET_MAX) {
        hwloc_bitmap_free(set);
        return gm_fail(
            c->err, -EINVAL, "line %u: PUs are numbered below %u", c->line, IDSET_MAX);
    }
    *ret = set;
    return 0;
}

static int check_pu(struct check *c, const struct attributes *a, hwloc_bitmap_t pus)
{
    unsigned long index;
    c->n_pus++;
    if (!number(a->os_index, IDSET_MAX - 1, &index))
        return bad(c, "no number of a PU is", a->os_index);
    if (hwloc_bitmap_isset(c->seen, (unsigned)index))
        return bad(c, "a second PU", a->os_index);
    if (pus == NULL || hwloc_bitmap_weight(pus) > 1 ||
        hwloc_bitmap_first(pus) != (int)index)
        return bad(c, "the cpuset is not that of PU", a->os_index);
    return hwloc_bitmap_set(c->seen, (unsigned)index);
}

/* The set of the nearest open object, or NULL at the top. */
static hwloc_bitmap_t set_around(const struct check *c)
{
    for (unsigned i = c->depth; i-- > 0;) {
        if (c->open[i].pus != NULL)
            return c->open[i].pus;
    }
    return NULL;
}

/* As hwloc writes them; it would read "pu" and "NUMA" as well. Devices and notes have no
 * sets. */
static const struct {
    const char *name;
    bool has_sets;
} types[] = {
    {"Machine", true},  {"System", true},   {"Package", true},  {"Socket", true},
    {"Die", true},      {"Group", true},    {"Tile", true},     {"Module", true},
    {"NUMANode", true}, {"MemCache", true}, {"Core", true},     {"PU", true},
    {"Cache", true},    {"L1Cache", true},  {"L2Cache", true},  {"L3Cache", true},
    {"L4Cache", true},  {"L5Cache", true},  {"L1iCache", true}, {"L2iCache", true},
    {"L3iCache", true}, {"Bridge", false},  {"PCIDev", false},  {"OSDev", false},
    {"Misc", false},
};

enum { N_TYPES = sizeof(types) / sizeof(types[0]) };

static unsigned type_of(struct slice type)
{
    unsigned i = 0;
    while (i < N_TYPES && !is(type, types[i].name))
        i++;
    return i;
}

static int
check_object(struct check *c, const struct attributes *a, hwloc_bitmap_t *ret_pus)
{
    hwloc_bitmap_t around = set_around(c);
    unsigned type = type_of(a->type);
    unsigned long index;
    int rc = 0;
    if (type == N_TYPES)
        return bad(c, "no type of an object is", a->type);
    if (is(a->type, "NUMANode") && !number(a->os_index, XMLCHECK_NODES - 1, &index))
        return bad(c, "no number of a NUMA node is", a->os_index);
    if (c->bare_line == 0 && !c->v1 && types[type].has_sets &&
        (a->cpuset.n == 0 || a->complete_cpuset.n == 0 || a->nodeset.n == 0 ||
         a->complete_nodeset.n == 0))
        c->bare_line = c->line;
    if (a->cpuset.at != NULL)
        rc = read_set(c, a->cpuset, ret_pus);
    if (rc == 0 && *ret_pus != NULL && around != NULL &&
        !hwloc_bitmap_isincluded(*ret_pus, around))
        rc = bad(c, "PUs that the object around has not:", a->cpuset);
    if (rc == 0 && is(a->type, "PU"))
        rc = check_pu(c, a, *ret_pus);
    return rc;
}

static int check_tag(struct check *c,
                     struct slice name,
                     const struct attributes *a,
                     hwloc_bitmap_t *ret_pus)
{
    unsigned long n;
    if (is(name, "topology"))
        return ++c->n_topologies > 1 || c->depth > 0 ? bad(c, "a second", name)
                                                     : check_version(c, a->version);
    if (c->depth == 0)
        return gm_fail(c->err, -EINVAL, "this is no hwloc XML: it has no <topology>");
    if (a->nbobjs.at != NULL && !number(a->nbobjs, XMLCHECK_MATRIX, &n))
        return bad(c, "no number of objects in a matrix is", a->nbobjs);
    if (a->length.at != NULL && !number(a->length, XMLCHECK_BYTES, &n))
        return bad(c, "no length is", a->length);
    return is(name, "object") ? check_object(c, a, ret_pus) : 0;
}

static int open_tag(struct check *c)
{
    unsigned line = c->line;
    struct slice name = read_name(c);
    struct attributes a = {0};
    bool empty = false;
    hwloc_bitmap_t pus = NULL;
    if (name.n == 0)
        return *c->p == '\0' ? cut_off(c) : bad(c, "no tag is", (struct slice){c->p, 1});
    int rc = read_attributes(c, &a, &empty);
    if (rc == 0)
        rc = check_tag(c, name, &a, &pus);
    if (rc == 0 && !empty && c->depth == XMLCHECK_DEPTH)
        rc = gm_fail(c->err,
                     -EINVAL,
                     "line %u: elements are nested deeper than %u",
                     c->line,
                     (unsigned)XMLCHECK_DEPTH);
    if (rc != 0 || empty) {
        hwloc_bitmap_free(pus);
        return rc;
    }
    c->open[c->depth++] = (struct open_tag){name, line, pus};
    return 0;
}

static int close_tag(struct check *c)
{
    struct slice name = read_name(c);
    skip_blanks(c);
    if (*c->p == '\0')
        return cut_off(c);
    if (*c->p != '>')
        return bad(c, "no end of a tag is", (struct slice){c->p, 1});
    c->p++;
    const struct open_tag *t = c->depth > 0 ? &c->open[c->depth - 1] : NULL;
    if (t == NULL || t->name.n != name.n || strncmp(t->name.at, name.at, name.n) != 0)
        return bad(c, "nothing is closed by", name);
    hwloc_bitmap_free(c->open[--c->depth].pus);
    return 0;
}

/* From behind a "<". */
static int read_tag(struct check *c)
{
    if (strncmp(c->p, "!--", 3) == 0)
        return skip_past(c, "-->") ? 0 : cut_off(c);
    if (*c->p == '?' || *c->p == '!')
        return skip_past(c, ">") ? 0 : cut_off(c);
    if (*c->p != '/')
        return open_tag(c);
    c->p++;
    return close_tag(c);
}

static int check_whole(const struct check *c)
{
    if (c->depth > 0 || c->n_topologies == 0)
        return cut_off(c);
    if (c->n_pus == 0)
        return gm_fail(
            c->err, -EINVAL, "this machine has no PU (no <object type=\"PU\">)");
    if (c->bare_line > 0)
        return gm_fail(c->err,
                       -EINVAL,
                       "line %u: an object lacks cpuset, complete_cpuset, nodeset or "
                       "complete_nodeset",
                       c->bare_line);
    return 0;
}

static int check_text(struct check *c)
{
    int rc = 0;
    skip_blanks(c);
    if (*c->p != '<')
        return gm_fail(c->err, -EINVAL, "this is no XML");
    while (rc == 0) {
        skip_to(c, c->p + strcspn(c->p, "<"));
        if (*c->p == '\0')
            return check_whole(c);
        c->p++;
        rc = read_tag(c);
    }
    return rc;
}

/* Before anything else: so many take long to look at as well. */
static size_t count_pus(const char *text, size_t len)
{
    static const char word[] = "type=\"PU\"";
    size_t n = 0;
    for (size_t i = 0; i + sizeof(word) - 1 <= len; i++)
        n += text[i] == 't' && memcmp(text + i, word, sizeof(word) - 1) == 0;
    return n;
}

int xmlcheck(const char *text, size_t len, struct gm_error *err)
{
    if (len > XMLCHECK_BYTES)
        return gm_fail(err,
                       -EINVAL,
                       "%zu MiB of XML are more than the %u that are read here",
                       len >> 20,
                       (unsigned)XMLCHECK_BYTES >> 20);
    size_t pus = count_pus(text, len);
    if (pus > XMLCHECK_PUS)
        return gm_fail(err,
                       -EINVAL,
                       "%zu PUs in one host are more than the %u that are read here",
                       pus,
                       (unsigned)XMLCHECK_PUS);
    struct check c = {.p = text, .line = 1, .seen = hwloc_bitmap_alloc(), .err = err};
    if (c.seen == NULL)
        return gm_fail(err, -ENOMEM, "out of memory");
    int rc = check_text(&c);
    while (c.depth > 0)
        hwloc_bitmap_free(c.open[--c.depth].pus);
    hwloc_bitmap_free(c.seen);
    return rc;
}
