/* scheduler/spec/doc: text -> tree with places and YAML 1.2 types. */
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include <criterion/criterion.h>
#include <math.h>

struct read {
    struct arena *a;
    struct jobspec_faults faults;
    struct doc_node *root;
    int rc;
};

static struct read read_doc(const char *text, size_t len)
{
    struct read r = {.a = arena_make()};
    faults_init(&r.faults, "x.yaml");
    r.rc = doc_parse(r.a, text, len, &r.faults, &r.root);
    return r;
}

static void read_free(struct read *r)
{
    arena_free(r->a);
    jobspec_faults_free(&r->faults);
}

Test(doc, a_plain_scalar_has_the_type_of_the_core_schema)
{
    static const struct {
        const char *text;
        enum doc_kind kind;
    } rows[] = {
        {"null", DOC_NULL},    {"~", DOC_NULL},      {"Null", DOC_NULL},
        {"nULL", DOC_STRING},  {"true", DOC_BOOL},   {"FALSE", DOC_BOOL},
        {"no", DOC_STRING},    {"on", DOC_STRING},   {"0", DOC_INT},
        {"-12", DOC_INT},      {"+7", DOC_INT},      {"010", DOC_INT},
        {"0o17", DOC_INT},     {"0xfF", DOC_INT},    {"0x", DOC_STRING},
        {"0o8", DOC_STRING},   {"1.5", DOC_FLOAT},   {".5", DOC_FLOAT},
        {"1.", DOC_FLOAT},     {"1e3", DOC_FLOAT},   {"-1.5E-3", DOC_FLOAT},
        {".", DOC_STRING},     {"1e", DOC_STRING},   {"e5", DOC_STRING},
        {".inf", DOC_FLOAT},   {"-.Inf", DOC_FLOAT}, {".nan", DOC_FLOAT},
        {"inf", DOC_STRING},   {"nan", DOC_STRING},  {"1:30", DOC_STRING},
        {"1_000", DOC_STRING}, {"-", DOC_STRING},    {"2024-01-02", DOC_STRING},
        {"1-8", DOC_STRING},   {"--1", DOC_STRING},  {"+", DOC_STRING},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect(doc_resolve(rows[i].text, strlen(rows[i].text)) == rows[i].kind,
                  "%s",
                  rows[i].text);
}

Test(doc, a_quoted_scalar_is_a_string)
{
    static const char text[] = "a: ['1', \"true\", !!str 5, !!float 6]\nb: |\n  7\n";
    struct read r = read_doc(text, strlen(text));
    cr_assert(r.rc == 0);
    const struct doc_node *a = doc_get(r.root, "a");
    cr_assert(a != NULL && a->n == 4);
    for (unsigned i = 0; i < 3; i++)
        cr_expect(a->as.items[i].kind == DOC_STRING, "item %u", i);
    cr_expect(a->as.items[3].kind == DOC_FLOAT);
    cr_expect(doc_get(r.root, "b")->kind == DOC_STRING);
    cr_expect_str_eq(doc_get(r.root, "b")->as.text, "7\n");
    read_free(&r);
}

Test(doc, numbers_are_read_in_full_or_refused)
{
    static const char text[] =
        "[9223372036854775807, 9223372036854775808, -9223372036854775808, "
        "18446744073709551615, 18446744073709551616, 0x10, 0o17, 2.5, .inf]";
    struct read r = read_doc(text, strlen(text));
    cr_assert(r.rc == 0 && r.root->n == 9);
    const struct doc_node *n = r.root->as.items;
    int64_t i;
    uint64_t u;
    cr_expect(doc_int(&n[0], &i) == 0 && i == INT64_MAX);
    cr_expect(doc_int(&n[1], &i) == -ERANGE);
    cr_expect(doc_int(&n[2], &i) == 0 && i == INT64_MIN);
    cr_expect(doc_uint(&n[2], &u) == -ERANGE);
    cr_expect(doc_uint(&n[3], &u) == 0 && u == UINT64_MAX);
    cr_expect(doc_uint(&n[4], &u) == -ERANGE);
    cr_expect(doc_int(&n[5], &i) == 0 && i == 16);
    cr_expect(doc_int(&n[6], &i) == 0 && i == 15);
    cr_expect(doc_float(&n[7]) == 2.5);
    cr_expect(isinf(doc_float(&n[8])));
    read_free(&r);
}

Test(doc, keys_and_values_know_their_places)
{
    static const char text[] =
        "\xef\xbb\xbf# c\nranks: 4\ntasks:\n  - name: a\n    \"b c\": é x\n";
    struct read r = read_doc(text, strlen(text));
    cr_assert(r.rc == 0);
    const struct doc_node *ranks = doc_get(r.root, "ranks"),
                          *tasks = doc_get(r.root, "tasks");
    const struct doc_node *bc = doc_get(&tasks->as.items[0], "b c");
    cr_expect(ranks->key_line == 2 && ranks->key_col == 1);
    cr_expect(ranks->line == 2 && ranks->col == 8);
    cr_expect(tasks->as.items[0].line == 4 && tasks->as.items[0].col == 5);
    cr_expect(bc->key_line == 5 && bc->key_col == 5 && bc->col == 12);
    read_free(&r);
}

Test(doc, the_documents_of_a_stream_come_one_by_one)
{
    static const char text[] =
        "a: &x 1\n---\nb: 2\nb: 3\n...\n---\n- {c: 3}\n---\nd: *x\n";
    struct jobspec_faults faults;
    AUTO(arena) a = arena_make();
    faults_init(&faults, "x.yaml");
    struct doc_stream *s = doc_open(text, strlen(text), &faults);
    struct doc_node *root = NULL;
    cr_assert(doc_next(s, a, &root) == 1 && root->kind == DOC_MAP);
    cr_expect(doc_get(root, "a") != NULL && root->line == 1);
    cr_assert(doc_skip(s) == 1);
    cr_expect(faults.n == 0, "what is passed over is not looked at");
    cr_assert(doc_next(s, a, &root) == 1 && root->kind == DOC_LIST);
    cr_expect(root->line == 7 && root->as.items[0].flow);
    cr_expect(doc_next(s, a, &root) == -EINVAL, "an anchor is its document's own");
    cr_expect(doc_next(s, a, &root) == -EINVAL && doc_skip(s) == -EINVAL);
    cr_assert(faults.n == 1 && faults.items[0].line == 9);
    cr_expect_str_eq(faults.items[0].path, "d");
    doc_close(s);
    jobspec_faults_free(&faults);
}

Test(doc, a_stream_ends_and_stays_ended)
{
    struct jobspec_faults faults;
    AUTO(arena) a = arena_make();
    faults_init(&faults, "x.yaml");
    struct doc_node *root = NULL;
    static const char *const empty[] = {"", "# nothing\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        struct doc_stream *s = doc_open(empty[i], strlen(empty[i]), &faults);
        cr_expect(doc_next(s, a, &root) == 0 && doc_next(s, a, &root) == 0 &&
                  doc_skip(s) == 0);
        doc_close(s);
    }
    cr_expect(root == NULL && faults.n == 0);
    cr_expect(doc_parse(a, "", 0, &faults, &root) == -EINVAL && faults.n == 1);
    doc_close(NULL);
    jobspec_faults_free(&faults);
}

Test(doc, the_limit_on_aliases_is_the_streams)
{
    AUTO_STR text = {0};
    for (int d = 0; d < 3; d++) {
        str_add(&text, "---\n- &a [0");
        for (int i = 1; i < 99; i++)
            str_add(&text, ",0");
        str_add(&text, "]\n- [*a");
        for (int i = 1; i < 50; i++)
            str_add(&text, ",*a");
        str_add(&text, "]\n");
    }
    struct jobspec_faults faults;
    AUTO(arena) a = arena_make();
    faults_init(&faults, "x.yaml");
    struct doc_stream *s = doc_open(text.text, text.len, &faults);
    struct doc_node *root = NULL;
    cr_expect(doc_next(s, a, &root) == 1 && doc_next(s, a, &root) == 1);
    cr_expect(doc_next(s, a, &root) == -EINVAL && faults.n == 1);
    doc_close(s);
    jobspec_faults_free(&faults);
}

Test(doc, a_second_document_is_a_fault_at_its_place)
{
    static const char text[] = "a: 1\n---\nb: 2\n";
    struct read r = read_doc(text, strlen(text));
    cr_assert(r.rc == -EINVAL && r.faults.n == 1);
    cr_expect(r.faults.items[0].line == 3 && r.faults.items[0].col == 1);
    cr_expect_str_eq(r.faults.items[0].text,
                     "a second document: choose one with --document N");
    read_free(&r);
}

Test(doc, utf16_is_refused_and_a_byte_order_mark_passed_over)
{
    struct read r = read_doc("\xff\xfe"
                             "a\0:\0 \0",
                             8);
    cr_expect(r.rc == -EINVAL && r.faults.n == 1);
    cr_expect_str_eq(r.faults.items[0].text, "the file is UTF-16: save it as UTF-8");
    read_free(&r);
    r = read_doc("\xef\xbb\xbf"
                 "a: 1\nb: c",
                 12);
    cr_expect(r.rc == 0 && r.root->key_line == 0);
    cr_expect(doc_get(r.root, "a")->col == 4 && doc_get(r.root, "b")->line == 2);
    read_free(&r);
}

Test(doc, nodes_know_how_they_were_written)
{
    static const char text[] =
        "a: [1, 'x']\nb:\n - !!int 2\n\"c\": {}\n!!str d: &e\n  f: 1\n";
    struct read r = read_doc(text, strlen(text));
    cr_assert(r.rc == 0 && r.faults.n == 0);
    const struct doc_node *a = doc_get(r.root, "a"), *b = doc_get(r.root, "b"),
                          *c = doc_get(r.root, "c"), *d = doc_get(r.root, "d");
    cr_expect(!r.root->flow && a->flow && !b->flow && c->flow && !d->flow);
    cr_expect(!a->as.items[0].quoted && a->as.items[1].quoted);
    cr_expect(!a->as.items[0].tagged && b->as.items[0].tagged && !b->tagged);
    cr_expect(a->key_plain && b->key_plain && !c->key_plain && !d->key_plain);
    cr_expect(!a->as.items[0].key_plain);
    read_free(&r);
}

Test(doc, an_alias_is_a_copy_of_its_own)
{
    static const char text[] = "a: &x {k: [1, 2]}\nb: *x\nc: {*x : 1}\n";
    struct read r = read_doc(text, strlen(text));
    cr_assert(r.rc == 0);
    cr_expect(r.faults.n == 1, "a map as a key is a fault: %zu", r.faults.n);
    struct doc_node *a = doc_get(r.root, "a"), *b = doc_get(r.root, "b");
    cr_assert(a->kind == DOC_MAP && b->kind == DOC_MAP);
    cr_expect(a->as.items != b->as.items);
    cr_expect(doc_get(b, "k")->as.items[1].as.text[0] == '2');
    cr_expect_str_eq(b->key, "b");
    read_free(&r);
}

Test(doc, aliases_stop_at_ten_thousand_nodes)
{
    AUTO_STR text = {0};
    str_add(&text, "a: &a [0");
    for (int i = 1; i < 99; i++)
        str_add(&text, ",0");
    str_add(&text, "]\nb: [*a");
    for (int i = 1; i < 100; i++)
        str_add(&text, ",*a");
    str_add(&text, "]\n"); /* 100 copies of a list of 99: 10000 nodes */
    struct read r = read_doc(text.text, text.len);
    cr_expect(r.rc == 0 && r.faults.n == 0);
    read_free(&r);
    str_add(&text, "c: *a\n");
    r = read_doc(text.text, text.len);
    cr_expect(r.rc == -EINVAL && r.faults.n == 1 && r.faults.items[0].line == 3);
    read_free(&r);
}

Test(doc, sixty_four_levels_are_read_and_no_more)
{
    char text[140];
    for (unsigned depth = 64; depth <= 65; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct read r = read_doc(text, 2 * (size_t)depth);
        cr_expect((r.rc == 0) == (depth == 64), "depth %u", depth);
        read_free(&r);
    }
}

Test(doc, of_many_repeated_keys_each_is_told_with_the_first_ones_line)
{
    AUTO_STR text = {0};
    for (int i = 0; i < 40; i++)
        str_printf(&text, "k%d: %d\n", i % 30, i);
    struct read r = read_doc(text.text, text.len);
    cr_assert(r.rc == 0 && r.faults.n == 10 && r.root->n == 30);
    cr_expect(r.faults.items[0].line == 31);
    cr_expect_str_eq(r.faults.items[0].path, "k0");
    cr_expect_str_eq(r.faults.items[0].text, "the key stands twice; first in line 1");
    cr_expect_str_eq(doc_get(r.root, "k0")->as.text, "0", "the first is kept");
    read_free(&r);
}

Test(doc, what_json_writes_comes_back_byte_for_byte)
{
    static const char odd[] =
        "tab\t quote\" back\\ nl\n cr\r del\x7f nel\xc2\x85 ls\xe2\x80\xa8 "
        "bom\xef\xbb\xbf non\xef\xbf\xbf high\xf0\x9f\x98\x80 ctl\x01 end ";
    AUTO_JSON j = {0};
    json_begin(&j, '{');
    json_put_string(&j, odd, odd);
    json_put_double(&j, "f", 0.1);
    json_key(&j, "big");
    json_uint(&j, UINT64_MAX);
    json_end(&j, '}');
    struct read r = read_doc(j.out.text, j.out.len);
    cr_assert(r.rc == 0 && r.faults.n == 0 && r.root->n == 3);
    cr_expect_str_eq(r.root->as.items[0].key, odd);
    cr_expect_str_eq(r.root->as.items[0].as.text, odd);
    cr_expect(doc_float(&r.root->as.items[1]) == 0.1);
    read_free(&r);
}

/* 32 times the text may take 32 times as long, not 1024 times; 5 leaves room for noise.
 */
Test(doc, reading_time_grows_with_the_text_only)
{
    double took[2];
    for (int round = 0; round < 2; round++) {
        AUTO_STR text = {0};
        int n = round == 0 ? 10000 : 320000;
        for (int i = 0; i < n; i++)
            str_printf(&text, "key%07d: {a: [1]}\n", i);
        double start = clock_monotonic();
        struct read r = read_doc(text.text, text.len);
        took[round] = clock_monotonic() - start;
        cr_assert(r.rc == 0 && r.root->n == (unsigned)n);
        read_free(&r);
    }
    cr_expect(took[1] < 5 * 32 * took[0], "%.3f s, then %.3f s", took[0], took[1]);
}
