/* See load.h: what is kept and told of a job: results, telemetry, notify. Invariant: a
 * notify command refers to ${results} alone, as it belongs to no stage. */
#include "base/file.h"
#include "load.h"

static void
read_file(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    const char *text;
    if (!load_text(l, at, node, &text))
        return;
    AUTO_FREE(char) path = file_absolute(l->spec->dir, text);
    if (text[strlen(text) - 1] == '/')
        load_fault(l, at, node, "'%.200s' is a folder: name the file", text);
    else
        l->spec->results = arena_strdup(l->arena, path);
}

static void cannot_yet(struct load *l,
                       const struct fault_path *at,
                       const struct doc_node *node,
                       const char *instead)
{
    load_cannot(l,
                at,
                node,
                "'%.80s': this version can check it but not run it yet; write %s",
                node->as.text,
                instead);
}

void telling_results(struct load *l,
                     const struct fault_path *at,
                     const struct doc_node *node)
{
    const struct words *known = words_find(&words_job, "results")->keys;
    if (node->kind != DOC_MAP) {
        read_file(l, at, node);
        return;
    }
    (void)load_check_keys(l, at, node, known);
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        const struct word *word = words_find(known, item->key);
        struct fault_path here = {.up = at, .key = item->key};
        if (word != NULL && word->choices == NULL)
            read_file(l, &here, item);
        if (word == NULL || word->choices == NULL)
            continue;
        int choice = load_choice(l, &here, item, word);
        if (choice < 0)
            continue;
        if (strcmp(word->name, "compress") == 0)
            l->spec->compress = word->choices[choice];
        else if (strcmp(word->name, "pack") == 0)
            l->spec->pack = (enum jobspec_pack)choice;
        else
            l->spec->writers = (enum jobspec_writers)choice;
        if (choice > 0 && strcmp(word->name, "writers") == 0)
            cannot_yet(l, &here, item, word->choices[0]);
    }
}

void telling_telemetry(struct load *l,
                       const struct fault_path *at,
                       const struct doc_node *node)
{
    const struct word *known = words_find(&words_job, "telemetry");
    if (node->kind == DOC_NULL)
        return;
    if (node->kind < DOC_LIST) {
        if (strcmp(node->as.text, known->choices[0]) != 0)
            load_fault(
                l, at, node, "must be off or {every: 1s}, not '%.80s'", node->as.text);
        return;
    }
    if (!load_check_keys(l, at, node, known->keys))
        return;
    const struct doc_node *every = doc_get(node, "every");
    struct fault_path here = {.up = at, .key = "every"};
    if (every == NULL)
        load_fault(
            l, at, node, "needs every: the time between two samples, or write off");
    else if (load_duration(l, &here, every, &l->spec->telemetry) &&
             l->spec->telemetry <= 0)
        load_fault(l, &here, every, "must be more than 0 s; write telemetry: off");
    else
        load_warn(l, at, node, "this version takes no samples yet");
}

/* ${results} alone; anything else is told here, in words that fit. */
static bool
only_results(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    bool fine = true;
    for (const char *p = strstr(node->as.text, "${"); p != NULL;
         p = strstr(p + 2, "${")) {
        size_t len = strcspn(p, "}");
        bool literal = p > node->as.text && p[-1] == '$';
        if (literal || strncmp(p, "${results}", 10) == 0 || p[len] == '\0')
            continue;
        load_fault(l,
                   at,
                   node,
                   "%.*s}: a notify command can refer to ${results} alone",
                   len < 100 ? (int)len : 100,
                   p);
        fine = false;
    }
    return fine;
}

static void read_words(struct load *l,
                       const struct fault_path *at,
                       const struct doc_node *list,
                       struct jobspec_template *ret)
{
    struct jobspec_stage none = {0};
    struct load_stage nowhere = {.s = &none};
    for (unsigned i = 0; i < list->n; i++) {
        const struct doc_node *word = &list->as.items[i];
        struct fault_path here = {.up = at, .index = i};
        if (word->kind == DOC_NULL || word->kind >= DOC_LIST)
            load_fault(
                l, &here, word, "must be a string, not %s", doc_kind_name(word->kind));
        else if (only_results(l, &here, word))
            (void)refs_cut(l, &nowhere, &here, word, &ret[i]);
    }
}

void telling_notify(struct load *l,
                    const struct fault_path *at,
                    const struct doc_node *node)
{
    if (node->kind == DOC_NULL)
        return;
    if (node->kind != DOC_LIST) {
        load_fault(l,
                   at,
                   node,
                   "must be a list of commands such as [[mail, -s, over, me]], not %s",
                   doc_kind_name(node->kind));
        return;
    }
    unsigned n = 0, *lengths = arena_alloc(l->arena, node->n, sizeof(*lengths));
    for (unsigned i = 0; i < node->n; i++)
        n += node->as.items[i].kind == DOC_LIST ? node->as.items[i].n : 0;
    struct jobspec_template *words = arena_alloc(l->arena, n, sizeof(*words));
    struct jobspec_template *next = words;
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct fault_path here = {.up = at, .index = i};
        if (item->kind != DOC_LIST) {
            load_fault(l,
                       &here,
                       item,
                       "must be a list of words such as [mail, me], not %s (there is no "
                       "shell)",
                       doc_kind_name(item->kind));
            continue;
        }
        if (item->n == 0 ||
            (item->as.items[0].kind == DOC_STRING && item->as.items[0].n == 0))
            load_fault(l, &here, item, "names no program");
        read_words(l, &here, item, next);
        lengths[i] = item->n;
        next += item->n;
    }
    l->spec->notify = words;
    l->spec->notify_words = lengths;
    l->spec->n_notify = node->n;
}
