/* spec/doc.h: what a document was read as, written as JSON, is read as the same. */
#include "base/json.h"
#include "fuzz_spec.h"
#include "spec/doc.h"
#include "spec/faults.h"

static void check_scalar(const struct doc_node *n)
{
    FUZZ_CHECK(n->as.text[n->n] == '\0', "not terminated: %s", n->as.text);
    if (n->kind == DOC_INT) {
        int64_t v = 0;
        int rc = doc_int(n, &v);
        FUZZ_CHECK(rc == 0 || rc == -ERANGE, "%s: %d", n->as.text, rc);
    }
    if (n->kind == DOC_BOOL)
        (void)doc_bool(n);
    if (n->kind == DOC_INT || n->kind == DOC_FLOAT)
        (void)doc_float(n);
    bool typed = n->tagged || n->quoted;
    FUZZ_CHECK(typed || doc_resolve(n->as.text, n->n) == n->kind, "%s", n->as.text);
}

static void put_string(struct str *out, const char *text, size_t len)
{
    AUTO_JSON j = {0};
    json_string_n(&j, text, len);
    str_add_n(out, str_text(&j.out), j.out.len);
}

/* As JSON, but for the numbers, which stand as they were written. */
static void put_node(struct str *out, const struct doc_node *n, unsigned depth)
{
    bool map = n->kind == DOC_MAP;
    FUZZ_CHECK(depth <= DOC_MAX_DEPTH, "%u levels", depth);
    FUZZ_CHECK(doc_kind_name(n->kind)[0] != '\0', "kind %d", (int)n->kind);
    if (n->kind != DOC_LIST && !map) {
        check_scalar(n);
        bool string = n->kind == DOC_STRING;
        if (string)
            put_string(out, n->as.text, n->n);
        else
            str_add(out, n->n == 0 ? "null" : n->as.text);
        return;
    }
    str_add(out, map ? "{" : "[");
    for (unsigned i = 0; i < n->n; i++) {
        const struct doc_node *item = &n->as.items[i];
        FUZZ_CHECK((item->key != NULL) == map, "item %u", i);
        str_add(out, i > 0 ? ", " : "");
        if (map) {
            put_string(out, item->key, strlen(item->key));
            str_add(out, ": ");
            FUZZ_CHECK(doc_get(n, item->key) == item, "a second '%s'", item->key);
        }
        put_node(out, item, depth + 1);
    }
    str_add(out, map ? "}" : "]");
}

static void check_same(const struct doc_node *a, const struct doc_node *b)
{
    bool none = a->kind == DOC_NULL;
    FUZZ_CHECK(a->kind == b->kind, "%d %d", (int)a->kind, (int)b->kind);
    FUZZ_CHECK(none || a->n == b->n, "%u %u", a->n, b->n);
    if (a->kind == DOC_LIST || a->kind == DOC_MAP) {
        for (unsigned i = 0; i < a->n; i++) {
            const struct doc_node *x = &a->as.items[i], *y = &b->as.items[i];
            FUZZ_CHECK(x->key == NULL || strcmp(x->key, y->key) == 0, "%s", x->key);
            check_same(x, y);
        }
    } else if (!none) {
        FUZZ_CHECK(
            memcmp(a->as.text, b->as.text, a->n) == 0, "%s %s", a->as.text, b->as.text);
    }
}

/* A tagged scalar (!!float 1) does not keep its type without its tag. */
static bool any_tagged(const struct doc_node *n)
{
    bool any = n->tagged;
    if (n->kind == DOC_LIST || n->kind == DOC_MAP) {
        for (unsigned i = 0; i < n->n && !any; i++)
            any = any_tagged(&n->as.items[i]);
    }
    return any;
}

static void check_round(const struct doc_node *root)
{
    AUTO_STR text = {0};
    put_node(&text, root, 1);
    if (any_tagged(root))
        return;
    struct jobspec_faults faults;
    AUTO(arena) a = arena_make();
    struct doc_node *again = NULL;
    faults_init(&faults, "again");
    int rc = doc_parse(a, str_text(&text), text.len, &faults, &again);
    FUZZ_CHECK(rc == 0 && faults.n_errors == 0, "not read again: %s", str_text(&text));
    check_same(root, again);
    jobspec_faults_free(&faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jobspec_faults faults;
    AUTO(arena) a = arena_make();
    struct doc_node *root = NULL;
    faults_init(&faults, "fuzz.yaml");
    int rc = doc_parse(a, (const char *)data, size, &faults, &root);
    fuzz_check_faults(rc, &faults);
    FUZZ_CHECK(rc != 0 || root != NULL, "no document and no fault");
    if (rc == 0 && faults.n_errors == 0)
        check_round(root);
    if (rc == 0) {
        doc_retype_11(a, root, &faults);
        fuzz_check_faults(rc, &faults);
        (void)doc_is_json(root);
    }
    jobspec_faults_free(&faults);
    return 0;
}
