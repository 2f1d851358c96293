/* See load.h: where ranks stand: mapping, hosts, constraints. Invariant: a mapping that
 * is kept is one of the table's words or follows the grammar of Open MPI's map-by,
 *   [ppr:N:]OBJECT[:MODIFIER[,MODIFIER]...] */
#include "base/hostlist.h"
#include "load.h"
#include <strings.h>

/* What `mapping: auto` and the like may be placed by now. */
static const char *const runnable[] = {"auto", "pack", "spread"};

static const char *const objects[] = {"slot",
                                      "hwthread",
                                      "core",
                                      "l1cache",
                                      "l2cache",
                                      "l3cache",
                                      "numa",
                                      "socket",
                                      "package",
                                      "board",
                                      "node",
                                      "seq",
                                      "dist",
                                      "rankfile",
                                      "ppr",
                                      "pe-list"};

static const char *const modifiers[] = {"SPAN",
                                        "OVERSUBSCRIBE",
                                        "NOOVERSUBSCRIBE",
                                        "NOLOCAL",
                                        "HWTCPUS",
                                        "CORECPUS",
                                        "INHERIT",
                                        "NOINHERIT",
                                        "ORDERED",
                                        "PE",
                                        "FILE"};

enum { N_OBJECTS = sizeof(objects) / sizeof(objects[0]) };
enum { N_LEVELS = 11 }; /* of them are parts of a machine: what ppr takes */
enum { N_MODIFIERS = sizeof(modifiers) / sizeof(modifiers[0]) };

/* A text being read, and where its faults are told. */
struct reading {
    struct load *l;
    const struct fault_path *at;
    const struct doc_node *node;
    const char *text;
};

static bool is_number(const char *text, size_t len)
{
    return len > 0 && len < 7 && text[0] != '0' && strspn(text, "0123456789") >= len;
}

/* 1 or more, up to the end of the word or of the text. */
static bool read_modifier(const struct reading *r, const char *word, size_t len)
{
    size_t name = strcspn(word, "=,:");
    name = name < len ? name : len;
    bool valued = name < len && word[name] == '=';
    char *cut = arena_copy(r->l->arena, word, name), hint[128];
    for (size_t i = 0; i < N_MODIFIERS; i++) {
        if (strcasecmp(modifiers[i], cut) != 0)
            continue;
        bool number = strcmp(modifiers[i], "PE") == 0;
        bool value = number || strcmp(modifiers[i], "FILE") == 0;
        if (number && !(valued && is_number(word + name + 1, len - name - 1)))
            load_fault(r->l, r->at, r->node, "PE takes a number of cores, as in PE=2");
        else if (value != valued || (valued && name + 1 == len))
            load_fault(r->l,
                       r->at,
                       r->node,
                       value ? "%s takes a value: %s=..." : "%s takes no value",
                       modifiers[i],
                       modifiers[i]);
        else
            return true;
        return false;
    }
    load_fault(r->l,
               r->at,
               r->node,
               "unknown modifier '%.80s' in '%.80s'%s",
               cut,
               r->text,
               load_hint(cut, modifiers, N_MODIFIERS, hint));
    return false;
}

static bool read_modifiers(const struct reading *r, const char *p)
{
    bool fine = true;
    while (*p == ':' || *p == ',') {
        size_t len = strcspn(p + 1, ":,");
        if (len == 0) {
            load_fault(r->l, r->at, r->node, "a modifier is missing in '%.80s'", r->text);
            return false;
        }
        fine = read_modifier(r, p + 1, len) && fine;
        p += 1 + len;
    }
    return fine;
}

/* The part of "ppr:N:" before its object; NULL: told. */
static const char *skip_ppr(const struct reading *r)
{
    const char *number = r->text + 3, *p = number;
    if (*p == ':') {
        number++;
        p = number + strcspn(number, ":");
    }
    if (*p == ':' && is_number(number, (size_t)(p - number)))
        return p + 1;
    load_fault(r->l,
               r->at,
               r->node,
               "'%.80s': ppr takes a number and an object, as in ppr:2:node",
               r->text);
    return NULL;
}

/* "pe-list=0,2-3": the ids up to the next colon. */
static bool read_pe_list(const struct reading *r, const char *p)
{
    size_t len = *p == '=' ? strspn(p + 1, "0123456789,-") : 0;
    if (len == 0 || (p[1 + len] != '\0' && p[1 + len] != ':')) {
        load_fault(r->l,
                   r->at,
                   r->node,
                   "'%.80s': pe-list takes ids of cores, as in pe-list=0,2-3",
                   r->text);
        return false;
    }
    return read_modifiers(r, p + 1 + len);
}

static void unknown_object(const struct reading *r, const char *word, size_t n_objects)
{
    const struct word *mapping = words_find(&words_job, "mapping");
    const char *names[N_OBJECTS + 16];
    size_t n = 0;
    AUTO_STR all = {0};
    char hint[128];
    for (; mapping->choices[n] != NULL; n++) {
        str_printf(&all, "%s%s", n > 0 ? ", " : "", mapping->choices[n]);
        names[n] = mapping->choices[n];
    }
    for (size_t i = 0; i < n_objects; i++)
        names[n++] = objects[i];
    (void)load_hint(word, names, n, hint);
    if (strcmp(word, r->text) == 0)
        load_fault(r->l,
                   r->at,
                   r->node,
                   "must be one of %s, or a map-by word of Open MPI such as core, "
                   "ppr:2:node or slot:PE=2, not '%.80s'%s",
                   str_text(&all),
                   word,
                   hint);
    else
        load_fault(r->l,
                   r->at,
                   r->node,
                   "unknown object '%.80s' in '%.80s'%s",
                   word,
                   r->text,
                   hint);
}

static bool read_map_by(const struct reading *r)
{
    size_t first = strcspn(r->text, ":=");
    bool per = first == 3 && strncmp(r->text, "ppr", 3) == 0;
    const char *p = per ? skip_ppr(r) : r->text;
    if (p == NULL)
        return false;
    size_t len = strcspn(p, ":,=");
    const char *word = arena_copy(r->l->arena, p, len);
    size_t n = per ? N_LEVELS : N_OBJECTS;
    bool known = false;
    for (size_t i = 0; i < n; i++)
        known = known || strcmp(objects[i], word) == 0;
    if (!known) {
        unknown_object(r, word, n);
        return false;
    }
    if (strcmp(word, "pe-list") == 0)
        return read_pe_list(r, p + len);
    if (p[len] == '=') {
        load_fault(r->l, r->at, r->node, "'%.80s' takes no value", word);
        return false;
    }
    if (strcmp(word, "dist") == 0 && p[len] == ':') /* a device's name comes first */
        len += 1 + strcspn(p + len + 1, ":,");
    return read_modifiers(r, p + len);
}

void placing_mapping(struct load *l,
                     const struct fault_path *at,
                     const struct doc_node *node)
{
    const struct word *known = words_find(&words_job, "mapping");
    const char *text;
    bool word = false, now = false;
    if (!load_text(l, at, node, &text))
        return;
    for (size_t i = 0; known->choices[i] != NULL; i++)
        word = word || strcmp(known->choices[i], text) == 0;
    struct reading r = {.l = l, .at = at, .node = node, .text = text};
    if (!word && !read_map_by(&r))
        return;
    l->spec->mapping = arena_strdup(l->arena, text);
    for (size_t i = 0; i < sizeof(runnable) / sizeof(runnable[0]); i++)
        now = now || strcmp(runnable[i], text) == 0;
    if (!now)
        load_cannot(l,
                    at,
                    node,
                    "'%.80s': this version can check it but not run it yet; write "
                    "auto, pack or spread",
                    text);
}

/* The texts of a list, joined by commas; false: told. */
static bool join(struct load *l,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 struct str *out)
{
    bool fine = true;
    for (unsigned i = 0; i < node->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        const char *text;
        if (load_text(l, &here, &node->as.items[i], &text))
            str_printf(out, "%s%s", i > 0 ? "," : "", text);
        else
            fine = false;
    }
    return fine;
}

void placing_hosts(struct load *l,
                   const struct fault_path *at,
                   const struct doc_node *node)
{
    AUTO_STR joined = {0};
    AUTO(hostlist) hosts = NULL;
    struct gm_error err = {0};
    const char *text = NULL;
    if (node->kind == DOC_LIST ? !join(l, at, node, &joined)
                               : !load_text(l, at, node, &text))
        return;
    if (text == NULL)
        text = str_text(&joined);
    if (hostlist_parse(text, &hosts, &err) != 0) {
        load_fault(l, at, node, "%s", err.text);
        return;
    }
    if (hosts->n == 0) {
        load_fault(l, at, node, "names no host");
        return;
    }
    l->spec->hosts = arena_strdup(l->arena, text);
    load_cannot(l,
                at,
                node,
                "this version can check it but not run it yet; write constraints: "
                "{hostlist: [...]}, or give the launcher the hosts");
}

void placing_constraints(struct load *l,
                         const struct fault_path *at,
                         const struct doc_node *node)
{
    if (node->kind != DOC_NULL)
        l->spec->constraints =
            constraint_read(l->arena, node, at, DIALECT_SHORT, l->faults);
}
