/* scheduler/spec/schema: what it says of words and of kernels. Whether it judges whole
 * files as the checker does is tests/cli/schema_jobspec.py's, against jsonschema. */
#include "spec/doc.h"
#include "spec/faults.h"
#include "spec/schema.h"
#include "spec/words.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct doc_node *load(struct arena *a)
{
    struct jobspec_faults faults;
    struct doc_node *root = NULL;
    AUTO_FREE(char) text = schema_format(fake_kernels, 3);
    faults_init(&faults, "schema");
    cr_assert(doc_parse(a, text, strlen(text), &faults, &root) == 0);
    cr_expect(faults.n == 0, "not JSON");
    jobspec_faults_free(&faults);
    return root;
}

/* A key below a key ... */
static const struct doc_node *at(const struct doc_node *n, const char *const *path)
{
    for (; *path != NULL; path++) {
        n = doc_get(n, *path);
        cr_assert(n != NULL, "no key %s", *path);
    }
    return n;
}
#define AT(root, ...) at(root, (const char *const[]){__VA_ARGS__, NULL})

static const char *text_at(const struct doc_node *n, const char *key)
{
    const struct doc_node *v = doc_get(n, key);
    return v == NULL ? "" : v->as.text;
}

Test(schema, has_every_word_with_its_help)
{
    AUTO(arena) a = arena_make();
    const struct doc_node *root = load(a);
    const struct doc_node *job = AT(root, "properties");
    const struct doc_node *stage = AT(root, "definitions", "stage", "properties");
    cr_expect_eq(job->n, words_job.n);
    cr_expect_eq(stage->n, words_stage.n);
    for (unsigned i = 0; i < words_job.n; i++)
        cr_expect_str_eq(text_at(doc_get(job, words_job.items[i].name), "description"),
                         words_job.items[i].help);
    for (unsigned i = 0; i < words_stage.n; i++)
        cr_expect_str_eq(
            text_at(doc_get(stage, words_stage.items[i].name), "description"),
            words_stage.items[i].help);
    cr_expect_str_eq(text_at(root, "additionalProperties"), "false");
}

Test(schema, offers_the_kernels_and_files_of_kernels)
{
    AUTO(arena) a = arena_make();
    const struct doc_node *any = AT(load(a), "properties", "kernel", "anyOf");
    cr_assert_eq(any->n, 4);
    cr_expect_str_eq(text_at(&any->as.items[0], "const"), "mlp.train");
    cr_expect_str_eq(text_at(&any->as.items[2], "const"), "sleep");
    cr_expect(doc_get(&any->as.items[3], "pattern") != NULL);
}

Test(schema, tells_a_parameter_as_the_kernels_table_does)
{
    AUTO(arena) a = arena_make();
    const struct doc_node *root = load(a);
    const struct doc_node *train = AT(root, "definitions", "args.mlp.train");
    cr_expect_eq(AT(train, "properties")->n, 10);
    cr_expect_eq(AT(train, "required")->n, 1);
    const struct doc_node *layers = AT(train, "properties", "layers");
    cr_expect_eq(AT(layers, "default")->n, 2);
    const struct doc_node *item = &AT(layers, "items", "anyOf")->as.items[0];
    cr_expect_str_eq(text_at(item, "type"), "integer");
    cr_expect_str_eq(text_at(item, "minimum"), "1");
    cr_expect_str_eq(text_at(item, "maximum"), "4096");
    const struct doc_node *momentum = AT(train, "properties", "momentum", "anyOf");
    cr_expect_str_eq(text_at(&momentum->as.items[0], "minimum"), "0");
    cr_expect(doc_get(&momentum->as.items[0], "maximum") == NULL, "DBL_MAX is no bound");
    const struct doc_node *seconds =
        AT(root, "definitions", "args.sleep", "properties", "seconds");
    cr_expect_str_eq(text_at(seconds, "description"), "how long (s)");
}
