/* scheduler/spec/constraint: truth tables, and what is written again. */
#include "base/auto.h"
#include "spec/constraint.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include <criterion/criterion.h>

static const char *const properties[] = {"fast", "ssd"};
static const struct constraint_host hosts[] = {
    {.name = "n0", .rank = 0, .properties = properties, .n_properties = 2},     /* both */
    {.name = "n1", .rank = 1, .properties = properties, .n_properties = 1},     /* fast */
    {.name = "n2", .rank = 2, .properties = properties + 1, .n_properties = 1}, /* ssd */
    {.name = "n3", .rank = 3},
};

static const struct constraint *
read_text(struct arena *a, const char *text, enum dialect d, struct jobspec_faults *f)
{
    struct doc_node *root = NULL;
    struct fault_path at = {.key = "c"};
    cr_assert(doc_parse(a, text, strlen(text), f, &root) == 0, "%s", text);
    return constraint_read(a, root, &at, d, f);
}

static const struct truth {
    const char *text, *allowed; /* y or n a host */
} truths[] = {
    {"{}", "yyyy"},
    {"properties: [fast]", "yynn"},
    {"properties: [fast, ssd]", "ynnn"},
    {"properties: [^fast]", "nnyy"},
    {"properties: [fast, ^ssd]", "nynn"},
    {"properties: []", "yyyy"},
    {"hostlist: [\"n[1-2]\"]", "nyyn"},
    {"hostlist: [n0, n3]", "ynny"},
    {"hostlist: [other]", "nnnn"},
    {"hostlist: []", "yyyy"},
    {"ranks: [\"0,2-3\"]", "ynyy"},
    {"ranks: [\"0\", \"1\"]", "yynn"},
    {"ranks: [\"9\"]", "nnnn"},
    {"and: []", "yyyy"},
    {"or: []", "yyyy"},
    {"not: []", "nnnn"},
    {"and: [{properties: [fast]}, {ranks: [\"1-3\"]}]", "nynn"},
    {"or: [{properties: [ssd]}, {ranks: [\"3\"]}]", "ynyy"},
    {"not: [{properties: [fast]}]", "nnyy"},
    {"not: [{properties: [fast]}, {properties: [ssd]}]", "nyyy"}, /* not both */
    {"not: [{not: [{ranks: [\"1\"]}]}]", "nynn"},
    {"{properties: [fast], ranks: [\"1-3\"]}", "nynn"},
    {"and: [{}, {or: [{not: [{properties: [ssd]}]}, {hostlist: [n0]}]}]", "yyny"},
    {"or: [{and: []}]", "yyyy"},
};

static void
check_truth(const struct truth *t, const struct constraint *c, const char *how)
{
    for (unsigned h = 0; h < 4; h++)
        cr_expect(constraint_allows(c, &hosts[h]) == (t->allowed[h] == 'y'),
                  "%s (%s): n%u",
                  t->text,
                  how,
                  h);
}

Test(constraint, hosts_are_allowed_by_the_truth_tables)
{
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
        AUTO(arena) a = arena_make();
        struct jobspec_faults f;
        AUTO_JSON j = {0};
        faults_init(&f, "x");
        const struct constraint *c = read_text(a, truths[i].text, DIALECT_RFC, &f);
        cr_assert(f.n == 0, "%s", truths[i].text);
        check_truth(&truths[i], c, "as read");
        constraint_json(&j, c);
        check_truth(&truths[i],
                    read_text(a, str_text(&j.out), DIALECT_FLUXION, &f),
                    "written and read");
        jobspec_faults_free(&f);
    }
}

static const struct refusal {
    const char *text;
    const char *rfc, *core, *fluxion; /* a part of the fault, or NULL: taken */
} refusals[] = {
    {"[]", "must be a mapping", "must be a mapping", "must be a mapping"},
    {"property: [a]", "unknown operator", "unknown operator", "unknown operator"},
    {"properties: a", "must be a list", "must be a list", "must be a list"},
    {"properties: [5]", "in quotes", "in quotes", "in quotes"},
    {"properties: [a&b]", "character &", "character &", "character &"},
    {"properties: [a!b]", "character !", NULL, "character !"},
    {"properties: [^a^b]", "character ^", NULL, "character ^"},
    {"properties: [^]", "empty", "empty", "empty"},
    {"ranks: [0]", "in quotes", "in quotes", NULL},
    {"ranks: [\"1,0\"]", "'1,0'", "'1,0'", "'1,0'"},
    {"hostlist: [\"n[1\"]", "n[1", "n[1", "n[1"},
    {"and: [5]", "must be a mapping", "must be a mapping", "must be a mapping"},
    {"{ranks: [\"0\"], properties: [a]}", NULL, NULL, "one operator"},
};

static void check_refusal(const char *text, enum dialect d, const char *want)
{
    AUTO(arena) a = arena_make();
    struct jobspec_faults f;
    faults_init(&f, "x");
    const struct constraint *c = read_text(a, text, d, &f);
    if (want == NULL)
        cr_expect(f.n == 0 && c != NULL, "%s in %d", text, d);
    else
        cr_expect(c == NULL && f.n == 1 && strstr(f.items[0].text, want) != NULL,
                  "%s in %d: %s",
                  text,
                  d,
                  f.n > 0 ? f.items[0].text : "taken");
    jobspec_faults_free(&f);
}

Test(constraint, what_is_wrong_is_told_by_the_dialect)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        check_refusal(refusals[i].text, DIALECT_RFC, refusals[i].rfc);
        check_refusal(refusals[i].text, DIALECT_FLUX_CORE, refusals[i].core);
        check_refusal(refusals[i].text, DIALECT_FLUXION, refusals[i].fluxion);
    }
}

Test(constraint, no_constraint_allows_all)
{
    AUTO_JSON j = {0};
    cr_expect(constraint_allows(NULL, &hosts[3]));
    constraint_json(&j, NULL);
    cr_expect_str_eq(str_text(&j.out), "{}");
}
