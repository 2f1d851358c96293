/* scheduler/spec/yaml11 and scalar11: what PyYAML's loader makes of a document. */
#include "base/file.h"
#include "base/str.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include "spec/scalar11.h"
#include <criterion/criterion.h>
#include <math.h>

struct read {
    struct arena *a;
    struct jobspec_faults faults;
    struct doc_node *root;
};

static struct read read_11(const char *text)
{
    struct read r = {.a = arena_make()};
    faults_init(&r.faults, "x.yaml");
    cr_assert(doc_parse(r.a, text, strlen(text), &r.faults, &r.root) == 0, "%s", text);
    doc_retype_11(r.a, r.root, &r.faults);
    return r;
}

static void read_free(struct read *r)
{
    arena_free(r->a);
    jobspec_faults_free(&r->faults);
}

/* The node is what the table's kind and value say. */
static bool is_value(const struct doc_node *n, const char *kind, const char *value)
{
    int64_t i;
    uint64_t u;
    if (strcmp(kind, "null") == 0)
        return n->kind == DOC_NULL;
    if (strcmp(kind, "bool") == 0)
        return n->kind == DOC_BOOL && doc_bool(n) == (value[0] == 't');
    if (strcmp(kind, "float") == 0) {
        double v = strtod(value, NULL);
        return n->kind == DOC_FLOAT &&
               (isnan(v) ? isnan(doc_float(n)) : doc_float(n) == v);
    }
    if (strcmp(kind, "int") != 0)
        return n->kind == DOC_STRING;
    errno = 0;
    bool small = value[0] == '-' ? strtoll(value, NULL, 10) < 0 && errno == 0
                                 : strtoull(value, NULL, 10) <= INT64_MAX && errno == 0;
    if (n->kind != DOC_INT)
        return false;
    if (small)
        return doc_int(n, &i) == 0 && i == strtoll(value, NULL, 10);
    errno = 0;
    unsigned long long v = strtoull(value, NULL, 10);
    if (value[0] != '-' && errno == 0)
        return doc_uint(n, &u) == 0 && u == v;
    return doc_int(n, &i) == -ERANGE && doc_uint(n, &u) == -ERANGE;
}

/* What was told about a scalar: nothing where both versions of YAML agree, one warning
 * where they do not, one error where the loader has no value for it. */
static bool
is_told(const struct read *r, const char *text, const char *kind, const char *value)
{
    bool refused = strcmp(kind, "refused") == 0;
    struct doc_node in_12 = {.kind = doc_resolve(text, strlen(text)), .as.text = text};
    if (!refused && is_value(&in_12, kind, value))
        return r->faults.n == 0;
    return r->faults.n == 1 && r->faults.items[0].warning == !refused &&
           strstr(r->faults.items[0].text, "Flux's loader (YAML 1.1)") != NULL &&
           r->faults.items[0].line == 1 && r->faults.items[0].col == 3;
}

Test(yaml11, thousands_of_scalars_are_what_pyyaml_makes_of_them)
{
    AUTO_FREE(char) table = NULL;
    size_t len = 0, rows = 0;
    struct gm_error err = {0};
    char name[4096];
    (void)snprintf(name,
                   sizeof(name),
                   "%s/tests/golden/yaml/pyyaml-scalars.tsv",
                   getenv("GRIDMILL_SOURCE"));
    cr_assert(file_read(name, 1u << 20, &table, &len, &err) == 0, "%s", err.text);
    for (char *row = table, *end; (end = strchr(row, '\n')) != NULL;
         row = end + 1, rows++) {
        *end = '\0';
        char *kind = strchr(row, '\t');
        *kind++ = '\0';
        char *value = strchr(kind, '\t');
        *value++ = '\0';
        AUTO_STR text = {0};
        str_printf(&text, "- %s\n", row);
        struct read r = read_11(text.text);
        const struct doc_node *n = &r.root->as.items[0];
        bool beyond =
            strcmp(kind, "int") == 0 && r.faults.n == 1 && !r.faults.items[0].warning;
        if (beyond) /* ours alone: PyYAML's integers have no end */
            cr_expect(strstr(r.faults.items[0].text, "beyond 64 bits") != NULL &&
                          strlen(value) > 18,
                      "%s",
                      row);
        else
            cr_expect(is_value(n, kind, value) && is_told(&r, row, kind, value),
                      "'%s' should be %s %s, is %s '%s'; %zu told",
                      row,
                      kind,
                      value,
                      doc_kind_name(n->kind),
                      n->as.text,
                      r.faults.n);
        read_free(&r);
    }
    cr_expect(rows > 2500, "%zu", rows);
}

Test(yaml11, a_warning_says_what_is_read_and_how_to_write_it)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"yes", "'yes' as true: write true, or put it in quotes"},
        {"010", "'010' as 8, not 10: write 8 or 10"},
        {"1:30", "'1:30' as 90: write 90, or put it in quotes"},
        {"1e5", "'1e5' as a string: write 100000.0, or put it in quotes"},
        {"1e22", "'1e22' as a string: write 1.0e+22, or put it in quotes"},
        {"-.5", "'-.5' as a string: write -0.5, or put it in quotes"},
        {"0o17", "'0o17' as a string: write 15, or put it in quotes"},
        {"08", "'08' as a string: write 8, or put it in quotes"},
        {"-0b11", "'-0b11' as -3: write -3, or put it in quotes"},
        {"1_0.5", "'1_0.5' as 10.5: write 10.5, or put it in quotes"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_STR text = {0}, told = {0};
        str_printf(&text, "a: %s\n", rows[i].text);
        str_printf(&told, "Flux's loader (YAML 1.1) reads %s", rows[i].told);
        struct read r = read_11(text.text);
        cr_assert(r.faults.n == 1 && r.faults.items[0].warning, "%s", rows[i].text);
        cr_expect_str_eq(r.faults.items[0].text, told.text);
        cr_expect_str_eq(r.faults.items[0].path, "a");
        read_free(&r);
    }
}

/* What is proposed must be read alike by both, or the warning would come again. */
Test(yaml11, what_a_warning_proposes_is_read_alike)
{
    static const char *const rows[] = {"1e5",
                                       "1e22",
                                       "-.5",
                                       "1.5e300",
                                       "1e-7",
                                       "1e999",
                                       "-1e999",
                                       ".1e5",
                                       "0o17",
                                       "+08",
                                       "1e16"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(arena) a = arena_make();
        enum doc_kind kind = doc_resolve(rows[i], strlen(rows[i]));
        const char *both = scalar11_both(a, kind, rows[i]);
        enum scalar11_refusal refusal;
        cr_expect(doc_resolve(both, strlen(both)) == kind &&
                      scalar11_resolve(both, strlen(both), &refusal) == kind,
                  "%s: %s",
                  rows[i],
                  both);
        struct doc_node was = {.kind = kind, .as.text = rows[i]},
                        is = {.kind = kind, .as.text = both};
        cr_expect(doc_float(&was) == doc_float(&is), "%s: %s", rows[i], both);
    }
}

Test(yaml11, quotes_tags_and_json_keep_their_types)
{
    struct read r = read_11("[\"yes\", '010', !!str on, !!int 010, !!float 1e5]");
    cr_expect(r.faults.n == 1, "the tagged 010 alone: %zu", r.faults.n);
    cr_expect(r.root->as.items[0].kind == DOC_STRING &&
              r.root->as.items[1].kind == DOC_STRING);
    cr_expect(r.root->as.items[2].kind == DOC_STRING);
    cr_expect_str_eq(r.root->as.items[3].as.text, "8");
    cr_expect(r.root->as.items[4].kind == DOC_FLOAT);
    read_free(&r);
    r = read_11("{\"a\": [1e5, 1E5, -0.5e-3, true, null, \"yes\", {}]}");
    cr_expect(r.faults.n == 0 && doc_get(r.root, "a")->as.items[0].kind == DOC_FLOAT);
    read_free(&r);
}

Test(yaml11, json_is_told_from_yaml)
{
    static const struct {
        const char *text;
        bool json;
    } rows[] = {
        {"{\"a\": [1, 2.5e+3, \"x\", false, {}]}", true},
        {"[]", true},
        {"{a: 1}", false},
        {"a: 1", false},
        {"- \"a\"", false},
        {"[yes]", false},
        {"[True]", false},
        {"[~]", false},
        {"[]", true},
        {"[010]", false},
        {"[+1]", false},
        {"[1.]", false},
        {"[.5]", false},
        {"[1e]", false},
        {"[!!int 1]", false},
        {"\"text\"", false},
        {"{\"a\": }", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct read r = {.a = arena_make()};
        faults_init(&r.faults, "x");
        cr_assert(
            doc_parse(r.a, rows[i].text, strlen(rows[i].text), &r.faults, &r.root) == 0);
        cr_expect(doc_is_json(r.root) == rows[i].json, "%s", rows[i].text);
        read_free(&r);
    }
}

/* The keys of a mapping with its integers: "b7 q5 c9". */
static void keys_of(const struct doc_node *map, struct str *out)
{
    for (unsigned i = 0; i < map->n; i++)
        str_printf(out,
                   "%s%s%s",
                   out->len > 0 ? " " : "",
                   map->as.items[i].key,
                   map->as.items[i].as.text);
}

/* The order is that of the dict which PyYAML builds. */
Test(yaml11, merge_keys_are_merged_as_pyyaml_does)
{
    static const struct {
        const char *text, *keys;
    } rows[] = {
        {"m: {<<: *x, c: 9, z: 1}", "b1 c9 z1"},
        {"m: {z: 1, <<: *x}", "b1 c2 z1"},
        {"m: {<<: [*x, {b: 4, q: 5}], b: 7}", "b7 q5 c2"},
        {"m: {<<: [{b: 4, q: 5}, *x]}", "b4 c2 q5"},
        {"m: {<<: {<<: *x, d: 3}, e: 4}", "b1 c2 d3 e4"},
        {"m: {<<: {}, e: 4}", "e4"},
        {"m: {<<: [], e: 4}", "e4"},
        {"m: {\"<<\": 1, e: 4}", "<<1 e4"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_STR text = {0}, keys = {0};
        str_printf(&text, "x: &x {b: 1, c: 2}\n%s\n", rows[i].text);
        struct read r = read_11(text.text);
        cr_expect(r.faults.n_errors == 0, "%s", rows[i].text);
        keys_of(doc_get(r.root, "m"), &keys);
        cr_expect_str_eq(str_text(&keys), rows[i].keys);
        read_free(&r);
    }
    struct read r = read_11("m: {<<: 5}\n");
    cr_assert(r.faults.n_errors == 1);
    read_free(&r);
    r = read_11("m: {<<: [{a: 1}, no]}\n");
    cr_assert(r.faults.n_errors == 1);
    read_free(&r);
}

Test(yaml11, a_scalar_is_told_once_however_often_it_is_named)
{
    struct read r = read_11("a: &a [yes, {k: 010}]\nb: *a\nc: [*a, *a, off]\n");
    cr_expect(r.faults.n == 3, "%zu", r.faults.n);
    cr_expect(doc_get(r.root, "b")->as.items[0].kind == DOC_BOOL);
    read_free(&r);
}

Test(yaml11, keys_that_are_no_text_to_flux_are_told)
{
    struct read r = read_11("on: 1\n010: 2\n1: 3\ntrue: 4\n=: 5\n\"no\": 6\n1:30: 7\n");
    cr_expect(r.faults.n == 3 && r.faults.n_errors == 0, "%zu", r.faults.n);
    cr_expect_str_eq(
        r.faults.items[0].text,
        "Flux's loader (YAML 1.1) reads the key 'on' as a boolean: put it in quotes");
    cr_expect(doc_get(r.root, "on") != NULL);
    read_free(&r);
    r = read_11("2001-12-14: 1\n");
    cr_expect(r.faults.n_errors == 1);
    read_free(&r);
}
