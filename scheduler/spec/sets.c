/* See load.h: --set PATH=VALUE edits the document before anything reads it, so a set is
 * checked exactly as the file is. Invariant: a node that a set made has line 0 and col =
 * the set's number from 1; every fault about it names the set. */
#include "load.h"
#include <assert.h>
#include <stdlib.h>

void sets_prefix(const struct load *l, const struct doc_node *node, struct str *out)
{
    if (node->line == 0 && node->col > 0 && node->col <= l->opt->n_sets)
        str_printf(out, "--set %.200s", l->opt->sets[node->col - 1]);
}

static void mark(struct doc_node *n, unsigned set)
{
    n->line = n->key_line = 0;
    n->col = n->key_col = set;
    for (unsigned i = 0; n->kind >= DOC_LIST && i < n->n; i++)
        mark(&n->as.items[i], set);
}

GM_PRINTF(3, 4)
static void set_fault(struct load *l, unsigned set, const char *fmt, ...)
{
    struct doc_node made = {.col = set};
    AUTO_STR where = {0};
    sets_prefix(l, &made, &where);
    va_list args;
    va_start(args, fmt);
    faults_vadd_at(l->faults, false, str_text(&where), 0, 0, fmt, args);
    va_end(args);
}

/* The item of a list by its index or by its `name`. */
static struct doc_node *list_item(struct doc_node *list, const char *word)
{
    if (word[strspn(word, "0123456789")] == '\0' && strlen(word) < 10) {
        unsigned long i = strtoul(word, NULL, 10);
        return i < list->n ? &list->as.items[i] : NULL;
    }
    for (unsigned i = 0; i < list->n; i++) {
        const struct doc_node *name = doc_get(&list->as.items[i], "name");
        if (name != NULL && name->kind < DOC_LIST && strcmp(name->as.text, word) == 0)
            return &list->as.items[i];
    }
    return NULL;
}

/* The index after the last item. */
static bool is_next(const struct doc_node *list, const char *word)
{
    return word[0] != '\0' && word[strspn(word, "0123456789")] == '\0' &&
           strlen(word) < 10 && strtoul(word, NULL, 10) == list->n;
}

/* Stages go by name, other items by number. */
static void
no_item(struct load *l, const struct doc_node *list, const char *word, unsigned set)
{
    const char **names = arena_alloc(l->arena, list->n, sizeof(*names));
    size_t n = 0;
    assert(list->n == 0 || list->as.items != NULL);
    for (unsigned i = 0; i < list->n; i++) {
        const struct doc_node *item = &list->as.items[i];
        const struct doc_node *name =
            item->kind == DOC_MAP ? doc_get(item, "name") : NULL;
        if (name != NULL && name->kind == DOC_STRING)
            names[n++] = name->as.text;
    }
    const char *near = str_nearest(word, names, n);
    if (near != NULL)
        set_fault(l, set, "no item is named '%.80s'; did you mean '%s'?", word, near);
    else
        set_fault(l, set, "the list has no item '%.80s' (it has %u)", word, list->n);
}

/* One step down the path; missing keys of a map are made, and a list's next item. NULL:
 * told. */
static struct doc_node *
step(struct load *l, struct doc_node *in, const char *word, unsigned set)
{
    if (in->kind == DOC_NULL) {
        struct doc_node made = {.kind = strcmp(word, "0") == 0 ? DOC_LIST : DOC_MAP,
                                .line = 0,
                                .col = set,
                                .key = in->key};
        made.key_line = in->key_line;
        made.key_col = in->key_col;
        *in = made;
    }
    if (in->kind == DOC_MAP) {
        struct doc_node *found = doc_get(in, word);
        if (found == NULL) {
            found = doc_append(l->arena, in, word);
            mark(found, set);
        }
        return found;
    }
    if (in->kind == DOC_LIST) {
        struct doc_node *found = list_item(in, word);
        if (found == NULL && is_next(in, word)) {
            found = doc_append(l->arena, in, NULL);
            mark(found, set);
        }
        if (found == NULL)
            no_item(l, in, word, set);
        return found;
    }
    set_fault(l,
              set,
              "'%.80s' stands below %s, which has no keys",
              word,
              doc_kind_name(in->kind));
    return NULL;
}

/* The value's tree; its texts are in the arena. */
static bool
parse_value(struct load *l, const char *text, unsigned set, struct doc_node *ret)
{
    if (text[0] == '\0') {
        *ret = (struct doc_node){.kind = DOC_NULL, .as.text = ""};
        mark(ret, set);
        return true;
    }
    struct jobspec_faults faults;
    faults_init(&faults, "");
    struct doc_node *value = NULL;
    int rc = doc_parse(l->arena, text, strlen(text), &faults, &value);
    for (size_t i = 0; i < faults.n; i++)
        set_fault(l, set, "%s", faults.items[i].text);
    bool fine = rc == 0 && faults.n == 0;
    jobspec_faults_free(&faults);
    if (fine) {
        *ret = *value;
        mark(ret, set);
    }
    return fine;
}

/* "tasks[0].args" and "tasks.0.args" are the same path: the next word of it, cut out.
 * *rest becomes NULL after the last one. */
static char *next_word(char **rest)
{
    char *word = *rest, *end = word + strcspn(word, ".[]");
    char cut = *end, *next = end + (cut != '\0');
    if (cut == ']' && (*next == '.' || *next == '['))
        next++;
    bool over = cut == '\0' || (cut == ']' && *next == '\0');
    *end = '\0';
    *rest = over ? NULL : next;
    return word;
}

/* `results: FILE` is short for a mapping with its `file`: a path that goes on below it
 * finds that, so that --results and the mapping's other keys go together. */
static void spread_results(struct load *l, struct doc_node *root, const char *word)
{
    struct doc_node *in = strcmp(word, "results") == 0 ? doc_get(root, word) : NULL;
    if (in == NULL || in->kind != DOC_STRING)
        return;
    struct doc_node file = *in;
    in->kind = DOC_MAP;
    in->n = 0;
    in->as.items = NULL;
    struct doc_node *made = doc_append(l->arena, in, "file");
    file.key = made->key;
    *made = file;
}

static void apply(struct load *l, struct doc_node *root, const char *text, unsigned set)
{
    const char *equals = strchr(text, '=');
    struct doc_node value;
    if (equals == NULL || equals == text) {
        set_fault(l, set, "must be PATH=VALUE, as in ranks=4");
        return;
    }
    if (!parse_value(l, equals + 1, set, &value))
        return;
    char *rest = arena_copy(l->arena, text, (size_t)(equals - text));
    struct doc_node *at = root;
    while (rest != NULL && at != NULL) {
        const char *word = next_word(&rest);
        if (word[0] == '\0') {
            set_fault(l, set, "an empty word in the path");
            return;
        }
        if (at == root && rest != NULL && root->kind == DOC_MAP)
            spread_results(l, root, word);
        at = step(l, at, word, set);
    }
    if (at == NULL)
        return;
    value.key = at->key;
    value.key_line = at->key_line;
    value.key_col = at->key_col;
    *at = value;
}

void sets_apply(struct load *l, struct doc_node *root)
{
    for (unsigned i = 0; i < l->opt->n_sets; i++)
        apply(l, root, l->opt->sets[i], i + 1);
}
