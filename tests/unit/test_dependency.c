/* scheduler/spec/dependency: the one-line form and the document's, there and back. */
#include "base/auto.h"
#include "spec/dependency.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include <criterion/criterion.h>

static const struct line {
    const char *text;
    enum dependency_kind kind;
    const char *json;
} lines[] = {
    {"after:f", DEPENDENCY_AFTER_START, "{\"scheme\":\"after\",\"value\":\"f\"}"},
    {"afterstart:f",
     DEPENDENCY_AFTER_START,
     "{\"scheme\":\"afterstart\",\"value\":\"f\"}"},
    {"afterany:f", DEPENDENCY_AFTER_ANY, "{\"scheme\":\"afterany\",\"value\":\"f\"}"},
    {"afterok:f", DEPENDENCY_AFTER_OK, "{\"scheme\":\"afterok\",\"value\":\"f\"}"},
    {"afternotok:f",
     DEPENDENCY_AFTER_NOT_OK,
     "{\"scheme\":\"afternotok\",\"value\":\"f\"}"},
    {"begin-time:1763730000.5",
     DEPENDENCY_BEGIN_TIME,
     "{\"scheme\":\"begin-time\",\"value\":\"1763730000.5\"}"},
    {"string:foo?type=out&scope=user",
     DEPENDENCY_SYMBOLIC,
     "{\"scheme\":\"string\",\"value\":\"foo\",\"type\":\"out\",\"scope\":\"user\"}"},
    {"plug:a:b?x=1=2&y=",
     DEPENDENCY_OTHER,
     "{\"scheme\":\"plug\",\"value\":\"a:b\",\"x\":\"1=2\",\"y\":\"\"}"},
};

/* A document's list of one mapping. */
static void check_document(const struct line *line)
{
    AUTO(arena) a = arena_make();
    AUTO_STR list = {0}, text = {0};
    struct jobspec_faults f;
    struct doc_node *root = NULL;
    const struct dependency *d = NULL;
    unsigned n = 0;
    faults_init(&f, "x");
    str_printf(&list, "[%s]", line->json);
    cr_assert(doc_parse(a, list.text, list.len, &f, &root) == 0);
    dependency_read_list(a, root, NULL, &f, &d, &n);
    cr_assert(f.n == 0 && n == 1 && d->kind == line->kind, "%s", line->json);
    dependency_text(d, &text);
    cr_expect_str_eq(str_text(&text), line->text);
    jobspec_faults_free(&f);
}

Test(dependency, a_line_and_a_mapping_say_the_same)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        AUTO(arena) a = arena_make();
        AUTO_JSON j = {0};
        AUTO_STR text = {0};
        struct dependency d;
        struct gm_error err = {0};
        cr_assert(dependency_parse(a, lines[i].text, &d, &err) == 0, "%s", err.text);
        cr_expect(d.kind == lines[i].kind, "%s", lines[i].text);
        dependency_text(&d, &text);
        cr_expect_str_eq(str_text(&text), lines[i].text);
        dependency_json(&j, &d);
        cr_expect_str_eq(str_text(&j.out), lines[i].json);
        check_document(&lines[i]);
    }
}

Test(dependency, a_time_is_seconds)
{
    AUTO(arena) a = arena_make();
    struct dependency d;
    cr_assert(dependency_parse(a, "begin-time:1e9", &d, NULL) == 0);
    cr_expect(d.when == 1e9);
}

Test(dependency, an_option_may_be_parted_by_a_semicolon)
{
    AUTO(arena) a = arena_make();
    struct dependency d;
    cr_assert(dependency_parse(a, "fluid:f?type=in;scope=global", &d, NULL) == 0);
    cr_expect(d.n_options == 2);
}

static const struct {
    const char *text, *why;
} wrong[] = {
    {"", "SCHEME:VALUE"},
    {"afterok", "SCHEME:VALUE"},
    {":f", "SCHEME:VALUE"},
    {"afterok:", "must not be empty"},
    {"afterok:?a=b", "must not be empty"},
    {"begin-time:tomorrow", "seconds since 1970"},
    {"begin-time:-5", "seconds since 1970"},
    {"begin-time:0x10", "seconds since 1970"},
    {"begin-time:1e999", "seconds since 1970"},
    {"begin-time: 5", "seconds since 1970"},
    {"string:a", "'type'"},
    {"string:a?type=up&scope=user", "'type', one of: in out inout; not up"},
    {"string:a?type=in", "'scope'"},
    {"string:a?type=in&scope=mine", "user global"},
    {"string:a?type=ou&scope=user", "'type'"},
    {"plug:a?", "KEY=VALUE"},
    {"plug:a?x", "KEY=VALUE"},
    {"plug:a?=y", "KEY=VALUE"},
    {"plug:a?x=1&", "KEY=VALUE"},
};

Test(dependency, what_is_no_dependency_is_told)
{
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        AUTO(arena) a = arena_make();
        struct dependency d;
        struct gm_error err = {0};
        cr_expect(dependency_parse(a, wrong[i].text, &d, &err) == -EINVAL,
                  "%s was taken",
                  wrong[i].text);
        cr_expect(
            strstr(err.text, wrong[i].why) != NULL, "%s: %s", wrong[i].text, err.text);
    }
}

Test(dependency, every_fault_of_a_list_is_told)
{
    AUTO(arena) a = arena_make();
    struct jobspec_faults f;
    struct doc_node *root = NULL;
    const struct dependency *d = NULL;
    unsigned n = 0;
    const char *text = "- {scheme: afterok, value: 5}\n"
                       "- {value: x}\n"
                       "- 7\n"
                       "- begin-time:now\n"
                       "- afterOK:x\n"
                       "- afterok:x\n";
    faults_init(&f, "x");
    cr_assert(doc_parse(a, text, strlen(text), &f, &root) == 0);
    dependency_read_list(a, root, NULL, &f, &d, &n);
    faults_sort(&f);
    cr_expect(f.n == 5 && f.n_errors == 4 && f.items[4].warning);
    for (unsigned i = 0; i < f.n; i++)
        cr_expect(f.items[i].line == i + 1, "%s", f.items[i].text);
    cr_expect(n == 6 && d[5].kind == DEPENDENCY_AFTER_OK && d[5].line == 6);
    jobspec_faults_free(&f);
}
