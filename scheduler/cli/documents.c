/* See documents.h. Invariant: what is told is read from the tree alone; no rule of the
 * language is asked for again. */
#include "documents.h"
#include "spec/directives.h"
#include "spec/doc.h"
#include "spec/faults.h"

enum { MOST_DOCUMENTS = 4096 };

struct found {
    unsigned line; /* where it begins */
    bool canonical;
    const char *name; /* or NULL */
};

static const char *text_of(const struct doc_node *n)
{
    return n != NULL && n->kind == DOC_STRING ? n->as.text : NULL;
}

static const struct doc_node *get(const struct doc_node *map, const char *key)
{
    return map != NULL ? doc_get(map, key) : NULL;
}

static struct found look(struct arena *a, const struct doc_node *root)
{
    const struct doc_node *system = get(get(root, "attributes"), "system");
    bool canonical = get(root, "version") != NULL;
    const char *name =
        text_of(canonical ? get(get(system, "job"), "name") : get(root, "name"));
    return (struct found){
        .line = root->line, .canonical = canonical, .name = arena_strdup(a, name)};
}

/* How many there are; those that cannot be read as YAML are not among them. */
static unsigned find_all(struct arena *a, const struct job_file *f, struct found *ret)
{
    struct jobspec_faults told_already;
    unsigned n = 0;
    if (f->text == NULL)
        return 0;
    if (directives_is_script(f->text, f->source.len)) {
        ret[0] = (struct found){.line = 1};
        return 1;
    }
    faults_init(&told_already, "");
    struct doc_stream *s = doc_open(f->text, f->source.len, &told_already);
    for (; n < MOST_DOCUMENTS; n++) {
        AUTO(arena) own = arena_make();
        struct doc_node *root = NULL;
        if (doc_next(s, own, &root) != 1)
            break;
        ret[n] = look(a, root);
    }
    doc_close(s);
    jobspec_faults_free(&told_already);
    return n;
}

/* A fault of no place is one of all. */
static bool is_valid(const struct jobspec_faults *faults,
                     const struct found *all,
                     unsigned n,
                     unsigned i)
{
    for (size_t k = 0; k < faults->n; k++) {
        const struct jobspec_fault *fault = &faults->items[k];
        bool before = i > 0 && fault->line < all[i].line;
        bool after = i + 1 < n && fault->line >= all[i + 1].line;
        if (!fault->warning && (fault->line == 0 || (!before && !after)))
            return false;
    }
    return true;
}

void documents_json(struct json *j, const struct job_file *f)
{
    AUTO(arena) a = arena_make();
    struct found *all = arena_alloc(a, MOST_DOCUMENTS, sizeof(*all));
    unsigned n = find_all(a, f, all);
    for (unsigned i = 0; i < n; i++) {
        json_begin(j, '{');
        json_put_int(j, "document", i + 1);
        json_put_string(j, "form", all[i].canonical ? "canonical" : "short");
        json_put_string(j, "name", all[i].name);
        json_put_bool(j, "valid", is_valid(&f->faults, all, n, i));
        json_end(j, '}');
    }
}
