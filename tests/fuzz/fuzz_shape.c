/* spec/shape.h: a list that is written is read as the same list; what RFC 14 asks of each
 * vertex holds. */
#include "fuzz_spec.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include "spec/shape.h"

static void check_list(const struct resource *list, unsigned n, unsigned depth)
{
    FUZZ_CHECK(n > 0 && depth <= RESOURCE_MAX_DEPTH, "%u vertices, level %u", n, depth);
    for (unsigned i = 0; i < n; i++) {
        const struct resource *v = &list[i];
        bool slot = strcmp(v->type, "slot") == 0;
        FUZZ_CHECK(v->type[0] != '\0', "a vertex without a type");
        FUZZ_CHECK(count_min(&v->count) >= 1, "%s", v->type);
        FUZZ_CHECK(!slot || (v->label != NULL && v->n_with > 0), "a bare slot");
        if (v->n_with > 0)
            check_list(v->with, v->n_with, depth + 1);
    }
}

static void put_document(struct json *j, const struct resource *list, unsigned n)
{
    json_begin(j, '{');
    json_key(j, "resources");
    resource_json(j, list, n);
    json_end(j, '}');
}

static void check_document(struct arena *a, const struct str *text)
{
    struct jobspec_faults faults;
    struct doc_node *root = NULL;
    faults_init(&faults, "shape");
    int rc = doc_parse(a, text->text, text->len, &faults, &root);
    fuzz_check_faults(rc, &faults);
    FUZZ_CHECK(rc == 0 && faults.n == 0, "not read again: %s", text->text);
    jobspec_faults_free(&faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE(char) text = fuzz_text(data, size);
    AUTO(arena) a = arena_make();
    const struct resource *list = NULL, *again = NULL;
    unsigned n = 0, m = 0;
    struct gm_error err = {0};
    int rc = shape_parse(a, text, &list, &n, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, text);
        return 0;
    }
    check_list(list, n, 1);
    AUTO_STR back = {0};
    AUTO_STR twice = {0};
    AUTO_JSON one = {0};
    AUTO_JSON two = {0};
    shape_format(list, n, &back);
    FUZZ_CHECK(shape_parse(a, back.text, &again, &m, &err) == 0, "%s", err.text);
    put_document(&one, list, n);
    put_document(&two, again, m);
    check_document(a, &one.out);
    FUZZ_CHECK(
        strcmp(one.out.text, two.out.text) == 0, "%s\n%s", one.out.text, two.out.text);
    shape_format(again, m, &twice);
    FUZZ_CHECK(strcmp(back.text, twice.text) == 0, "%s\n%s", back.text, twice.text);
    struct resource_sum sum;
    rc = resource_total(list, n, &sum);
    FUZZ_CHECK(rc == 0 || rc == -ERANGE, "%d", rc);
    return 0;
}
