/* See load.h: where ranks stand: mapping, hosts, constraints. Invariant: a mapping that
 * is kept is one of the table's words, or Open MPI's words that mapwords.h takes apart.
 */
#include "base/hostslots.h"
#include "load.h"
#include "mapwords.h"

static bool is_word(const char *text)
{
    const struct word *known = words_find(&words_job, "mapping");
    for (size_t i = 0; known->choices[i] != NULL; i++) {
        if (strcmp(known->choices[i], text) == 0)
            return true;
    }
    return false;
}

/* Neither one of our words nor anything that Open MPI maps by. */
static void unknown_word(struct load *l,
                         const struct fault_path *at,
                         const struct doc_node *node,
                         const char *text)
{
    const struct word *known = words_find(&words_job, "mapping");
    const char *names[40];
    size_t n = 0;
    AUTO_STR all = {0};
    char hint[128];
    for (; known->choices[n] != NULL; n++) {
        str_printf(&all, "%s%s", n > 0 ? ", " : "", known->choices[n]);
        names[n] = known->choices[n];
    }
    for (size_t i = 0; mapwords_object(i) != NULL; i++)
        names[n++] = mapwords_object(i);
    load_fault(l,
               at,
               node,
               "must be one of %s, or a map-by word of Open MPI such as core, "
               "ppr:2:node or slot:PE=2, not '%.80s'%s",
               str_text(&all),
               text,
               load_hint(text, names, n, hint));
}

/* Open MPI's words at their places: map-by, rank-by, bind-to; NULL: not said. */
struct said {
    const struct fault_path *at[3];
    const struct doc_node *node[3];
    const char *text[3];
};

static void keep_words(struct load *l, const struct said *s, const struct doc_node *whole)
{
    struct jobspec *spec = l->spec;
    struct mapwords w;
    struct gm_error err = {0};
    unsigned at = 0;
    if (mapwords_parse(s->text[0], s->text[1], s->text[2], &w, &at, &err) != 0) {
        load_fault(
            l, s->at[at], s->node[at] != NULL ? s->node[at] : whole, "%s", err.text);
        return;
    }
    spec->map_by = true;
    spec->mapping = s->text[0] != NULL ? arena_strdup(l->arena, s->text[0])
                                       : mapwords_default(s->text[2]);
    if (s->text[1] != NULL)
        spec->rank_by = arena_strdup(l->arena, s->text[1]);
    if (s->text[2] != NULL)
        spec->bind_to = arena_strdup(l->arena, s->text[2]);
    if (w.cannot[0] != '\0')
        load_cannot(l, s->at[0], s->node[0] != NULL ? s->node[0] : whole, "%s", w.cannot);
}

/* {map-by: ..., rank-by: ..., bind-to: ...} */
static void
read_words(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    const struct words *known = words_find(&words_job, "mapping")->keys;
    struct fault_path here[3];
    struct said s = {.at = {at, at, at}};
    bool fine = load_check_keys(l, at, node, known);
    for (unsigned i = 0; i < known->n; i++) {
        const char *key = known->items[i].name;
        here[i] = (struct fault_path){.up = at, .key = key};
        s.at[i] = &here[i];
        s.node[i] = doc_get(node, key);
        if (s.node[i] != NULL)
            fine = load_text(l, &here[i], s.node[i], &s.text[i]) && fine;
    }
    if (fine && node->n == 0)
        load_fault(l, at, node, "must name one of map-by, rank-by, bind-to");
    else if (fine)
        keep_words(l, &s, node);
}

void placing_mapping(struct load *l,
                     const struct fault_path *at,
                     const struct doc_node *node)
{
    struct said s = {.at = {at, at, at}, .node = {node, node, node}};
    if (node->kind == DOC_MAP) {
        read_words(l, at, node);
        return;
    }
    if (!load_text(l, at, node, &s.text[0]))
        return;
    if (is_word(s.text[0]))
        l->spec->mapping = arena_strdup(l->arena, s.text[0]);
    else if (s.text[0][strcspn(s.text[0], ":,=")] == '\0' &&
             !mapwords_is_object(s.text[0]))
        unknown_word(l, at, node, s.text[0]);
    else
        keep_words(l, &s, node);
}

void placing_settle(struct load *l, const struct doc_node *root)
{
    static const struct fault_path at = {.key = "mapping"};
    struct jobspec *s = l->spec;
    struct mapwords w;
    unsigned ignored;
    if (!s->map_by ||
        mapwords_parse(s->mapping, s->rank_by, s->bind_to, &w, &ignored, NULL) != 0 ||
        w.pe == 0 || w.hwtcpus)
        return;
    if (s->cores == 0)
        s->cores = w.pe;
    else if (s->cores != w.pe)
        load_fault(l,
                   &at,
                   doc_get(root, "mapping"),
                   "PE=%u, but per-rank.cores is %u",
                   w.pe,
                   s->cores);
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
    AUTO_FREE(unsigned) slots = NULL;
    struct gm_error err = {0};
    const char *text = NULL;
    if (node->kind == DOC_LIST ? !join(l, at, node, &joined)
                               : !load_text(l, at, node, &text))
        return;
    if (text == NULL)
        text = str_text(&joined);
    if (hostslots_parse(text, &hosts, &slots, &err) != 0)
        load_fault(l, at, node, "%s", err.text);
    else if (hosts->n == 0)
        load_fault(l, at, node, "names no host");
    else
        l->spec->hosts = arena_strdup(l->arena, text);
}

void placing_constraints(struct load *l,
                         const struct fault_path *at,
                         const struct doc_node *node)
{
    if (node->kind != DOC_NULL)
        l->spec->constraints =
            constraint_read(l->arena, node, at, DIALECT_SHORT, l->faults);
}
