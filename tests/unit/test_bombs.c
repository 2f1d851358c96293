/* scheduler/spec/doc and events: files made to be slow or to fill the memory. Each ends
 * with the sentence that it should, in bounded memory. How long it takes is measured by
 * bench/run spec; a file that takes quadratic time would not end before the test's limit.
 */
#include "base/str.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>
#include <string.h>
#include <sys/resource.h>

#ifdef __SANITIZE_ADDRESS__
#define MOST_MIB   4096 /* shadow, red zones, quarantine */
#define LAUGHS_MIB 256
#else
#define MOST_MIB   640
#define LAUGHS_MIB 32
#endif

enum { WHOLE = DOC_MAX_BYTES };

static long peak_mib(void)
{
    struct rusage used;
    cr_assert(getrusage(RUSAGE_SELF, &used) == 0);
    return used.ru_maxrss / 1024;
}

/* `head`, then `unit` again and again, up to `bytes`. */
static struct str fill(const char *head, const char *unit, size_t bytes)
{
    struct str s = {0};
    size_t len = strlen(unit);
    str_add(&s, head);
    while (s.len + len <= bytes)
        str_add_n(&s, unit, len);
    return s;
}

/* All documents by doc_next; the first fault's text, or "fine". */
static const char *read_all(const struct str *text, struct jobspec_faults *faults)
{
    struct doc_stream *s = doc_open(text->text, text->len, faults);
    int rc = 1;
    while (rc == 1) {
        AUTO(arena) a = arena_make();
        struct doc_node *root = NULL;
        rc = doc_next(s, a, &root);
        if (rc == 1)
            doc_retype_11(a, root, faults);
    }
    doc_close(s);
    cr_expect((rc != 0) <= (faults->n_errors > 0));
    return faults->n > 0 ? faults->items[0].text : "fine";
}

static void expect_told(const char *name, struct str *text, const char *told)
{
    struct jobspec_faults faults;
    faults_init(&faults, name);
    const char *found = read_all(text, &faults);
    cr_expect(strstr(found, told) != NULL, "%s: %s", name, found);
    cr_expect(peak_mib() < MOST_MIB, "%s: %ld MiB", name, peak_mib());
    jobspec_faults_free(&faults);
    str_free(text);
}

struct bomb {
    const char *name, *head, *unit, *told;
    size_t bytes;
};

static void try_all(const struct bomb *bombs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str text = fill(bombs[i].head, bombs[i].unit, bombs[i].bytes);
        expect_told(bombs[i].name, &text, bombs[i].told);
    }
}

Test(bombs, nesting_stops_at_the_first_level_too_many)
{
    static const struct bomb bombs[] = {
        {"lists", "", "[", "nested deeper than 64 levels", WHOLE},
        {"maps", "", "{", "nested deeper than 64 levels", WHOLE},
        {"both", "", "[{a: ", "nested deeper than 64 levels", WHOLE},
        {"dashes", "", "- ", "nested deeper than 64 levels", WHOLE},
        {"keys", "", "? ", "nested deeper than 64 levels", WHOLE},
        {"pairs", "", "{? ", "nested deeper than 64 levels", WHOLE},
        {"words", "", "[word word word word word word word, ", "nested deeper", WHOLE},
    };
    try_all(bombs, sizeof(bombs) / sizeof(bombs[0]));
}

Test(bombs, aliases_stop_at_their_limit)
{
    static const struct bomb bombs[] = {
        {"many", "- &a 1\n", "- *a\n", "expand to more than 10000 nodes", WHOLE},
        {"as keys", "&a a: 1\n", "*a : 1\n", "expand to more than 10000 nodes", WHOLE},
        {"documents",
         "",
         "--- [&a [1, 2, 3, 4, 5], *a, *a, *a]\n",
         "expand to more than 10000 nodes",
         WHOLE},
        {"unknown", "", "- *a\n", "no anchor '&a' stands before this", WHOLE},
    };
    try_all(bombs, sizeof(bombs) / sizeof(bombs[0]));
    struct str wide = fill("- &a [", "0,", 2 * 9990);
    str_add(&wide, "]\n");
    for (int i = 0; i < 100000; i++)
        str_add(&wide, "- *a\n");
    expect_told("wide", &wide, "expand to more than 10000 nodes");
}

/* 9^9 strings; an alias of aliases as a key, too. */
Test(bombs, a_billion_laughs_stay_small)
{
    struct str text = {0};
    long before = peak_mib();
    str_add(&text, "lol0: &lol0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (int i = 1; i < 10; i++) {
        str_printf(&text, "lol%d: &lol%d [*lol%d", i, i, i - 1);
        for (int k = 1; k < 9; k++)
            str_printf(&text, ", *lol%d", i - 1);
        str_add(&text, "]\n");
    }
    expect_told("laughs", &text, "expand to more than 10000 nodes");
    cr_expect(peak_mib() - before < LAUGHS_MIB, "%ld MiB", peak_mib() - before);
    str_add(&text, "lol0: &lol0 {lol: lol}\n");
    for (int i = 1; i < 30; i++)
        str_printf(&text, "lol%d: &lol%d {? [*lol%d, *lol%d] : 1}\n", i, i, i - 1, i - 1);
    expect_told("laughing keys", &text, "a key must be a scalar, not a list");
    cr_expect(peak_mib() - before < LAUGHS_MIB, "%ld MiB", peak_mib() - before);
}

Test(bombs, a_great_file_of_one_thing_is_read_in_linear_time, .timeout = 300)
{
    static const struct bomb bombs[] = {
        {"one word", "", "x", "fine", WHOLE},
        {"one text", "\"", "x", "found unexpected end of stream", WHOLE},
        {"blank lines", "a", "\n\n b", "fine", WHOLE},
        {"blanks", "", " ", "fine", WHOLE},
        {"comments", "", "#\n", "fine", WHOLE},
        {"the same key",
         "",
         "a: 1\n",
         "the key stands twice; first in line 1",
         5 * 1000000},
        {"the same anchor", "", "- &a 1\n", "fine", 4u << 20},
        {"unknown tags", "", "- !a b\n", "is not of YAML's core schema", 4u << 20},
        {"merges", "m:\n", " <<: {a: 1}\n", "the key stands twice", 4u << 20},
        {"YAML 1.1", "", "- 0:0:1.5\n", "Flux's loader (YAML 1.1) reads", 4u << 20},
    };
    try_all(bombs, sizeof(bombs) / sizeof(bombs[0]));
}

Test(bombs, a_million_anchors_and_keys_are_read, .timeout = 300)
{
    struct str anchors = {0}, keys = {0};
    str_add(&anchors, "[");
    for (int i = 0; i < 1000000; i++)
        str_printf(&anchors, "&%x ,", i);
    str_add(&anchors, "]");
    expect_told("anchors", &anchors, "fine");
    for (int i = 0; i < 1000000; i++)
        str_printf(&keys, "%x:\n", i);
    cr_assert(keys.len <= WHOLE);
    struct jobspec_faults faults;
    faults_init(&faults, "keys");
    AUTO(arena) a = arena_make();
    struct doc_node *root = NULL;
    cr_expect(doc_parse(a, keys.text, keys.len, &faults, &root) == 0 && faults.n == 0);
    cr_expect(root->n == 1000000);
    cr_expect(peak_mib() < MOST_MIB, "%ld MiB", peak_mib());
    jobspec_faults_free(&faults);
    str_free(&keys);
}

/* libyaml alone compares each directive with all before it: 700,000 would take 20
 * minutes. */
/* Written as "..." or behind a '?', so that YAML itself sees no limit. */
Test(bombs, a_key_is_as_long_as_can_be_written_and_no_longer)
{
    static const struct {
        const char *unit;
        unsigned fits;
    } rows[] = {
        {"k", DOC_MAX_KEY}, {"\\\"", DOC_MAX_KEY / 2}, {"\\u0001", DOC_MAX_KEY / 6}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned more = 0; more < 2; more++) {
            struct str text = fill(
                "? \"", rows[i].unit, 3 + (rows[i].fits + more) * strlen(rows[i].unit));
            str_add(&text, "\"\n: 1\n");
            expect_told(rows[i].unit,
                        &text,
                        more ? "a key of more than 1000 characters" : "fine");
        }
    }
}

Test(bombs, sixty_four_directives_are_read_and_no_more)
{
    for (unsigned n = 64; n <= 65; n++) {
        struct str text = {0}, wide = {0};
        struct jobspec_faults faults;
        faults_init(&faults, "x");
        for (unsigned i = 0; i < n; i++)
            str_printf(&text, "%%TAG !%u! x\n", i);
        str_add(&text, "--- a\n");
        cr_expect((doc_check_yaml(text.text, text.len, &faults) == 0) == (n == 64));
        str_add_n(&wide, "\xff\xfe", 2);
        for (size_t i = 0; i < text.len; i++)
            str_add_n(&wide, (const char[]){text.text[i], '\0'}, 2);
        cr_expect((doc_check_yaml(wide.text, wide.len, &faults) == 0) == (n == 64));
        str_free(&wide);
        jobspec_faults_free(&faults);
        expect_told(
            "directives", &text, n == 64 ? "fine" : "more than 64 %TAG directives");
    }
    struct str many = fill("", "%TAG !a! x\n", WHOLE);
    expect_told("many", &many, "more than 64 %TAG directives");
    struct str inside = fill("a: |\n", "  %TAG is a word here %TAG\n", 1u << 16);
    expect_told("text", &inside, "fine");
}

/* doc_check_yaml has no limit of levels but one of time. */
Test(bombs, the_bare_pass_ends_too, .timeout = 300)
{
    static const char *const units[] = {"[", "{? "};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct jobspec_faults faults;
        faults_init(&faults, "x");
        struct str text = fill("", units[i], WHOLE);
        cr_expect(doc_check_yaml(text.text, text.len, &faults) == -EINVAL);
        cr_expect_str_eq(faults.items[0].text, "nested too deep to be read in a moment");
        jobspec_faults_free(&faults);
        str_free(&text);
    }
    struct jobspec_faults faults;
    faults_init(&faults, "x");
    struct str deep = fill("", "[", 10000), ends = fill("", "]", 10000);
    str_add(&deep, ends.text);
    cr_expect(doc_check_yaml(deep.text, deep.len, &faults) == 0, "libyaml's own verdict");
    cr_expect(faults.n == 1 && faults.items[0].warning, "which is not ours");
    jobspec_faults_free(&faults);
    str_free(&deep);
    str_free(&ends);
}

Test(bombs, a_jobspec_of_eight_mebibytes_is_read_and_no_more)
{
    struct str text = fill("kernel: sleep\nargs: {seconds: 0}\n", "#", WHOLE);
    struct jobspec_options opt = fake_options();
    for (size_t more = 0; more < 2; more++) {
        struct jobspec *spec = NULL;
        struct jobspec_faults faults = {0};
        struct gm_error err = {0};
        int rc =
            jobspec_parse("/job/x.yaml", text.text, text.len, &opt, &spec, &faults, &err);
        cr_expect((rc == 0) == (more == 0), "%zu bytes: %s", text.len, err.text);
        cr_expect(more == 0 || strstr(err.text, "at most 8 MiB") != NULL, "%s", err.text);
        jobspec_free(spec);
        jobspec_faults_free(&faults);
        str_add(&text, "#");
    }
    str_free(&text);
}

/* Reads a canonical document of `variables` in the job's environment and `tasks` that
 * each have one of their own; what was told first, or "". */
static char *read_tasks(unsigned variables, unsigned tasks)
{
    struct str text = {0};
    struct jobspec_options opt = fake_options();
    struct jobspec *spec = NULL;
    struct jobspec_faults faults = {0};
    struct gm_error err = {0};
    str_add(&text,
            "version: 999\nresources: [{type: slot, label: s, count: 1, with: "
            "[{type: core, count: 1}]}]\n"
            "attributes: {system: {duration: 1, environment: {");
    for (unsigned i = 0; i < variables; i++)
        str_printf(&text, "E%u: x,", i);
    str_add(&text, "}}}\ntasks:\n");
    for (unsigned i = 0; i < tasks; i++)
        str_add(&text,
                "- {command: [a], slot: s, count: {per_slot: 1}, attributes: "
                "{environment: {A: b}}}\n");
    (void)jobspec_parse("/job/x.yaml", text.text, text.len, &opt, &spec, &faults, &err);
    jobspec_free(spec);
    jobspec_faults_free(&faults);
    str_free(&text);
    return strdup(err.text);
}

Test(bombs, tasks_and_their_environments_have_limits)
{
    static const struct {
        unsigned variables, tasks;
        const char *told;
    } rows[] = {
        {1, 1000, ""},
        {1, 1001, "1001 tasks; a jobspec holds at most 1000"},
        {999, 1000, ""},
        {1000, 1000, "hold more than 1000000 variables"},
        {100000, 900, "hold more than 1000000 variables"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *told = read_tasks(rows[i].variables, rows[i].tasks);
        cr_expect(rows[i].told[0] == '\0' ? told[0] == '\0'
                                          : strstr(told, rows[i].told) != NULL,
                  "%u variables, %u tasks: %s",
                  rows[i].variables,
                  rows[i].tasks,
                  told);
        cr_expect(peak_mib() < MOST_MIB, "%ld MiB", peak_mib());
        free(told);
    }
}

/* Each task is sought among all slots, so both have a limit. */
Test(bombs, tasks_on_many_slots_take_a_moment, .timeout = 120)
{
    enum { SLOTS = 5000, TASKS = 1000 };
    struct jobspec_options opt = fake_options();
    for (unsigned more = 0; more < 2; more++) {
        struct str text = {0};
        struct jobspec *spec = NULL;
        struct jobspec_faults faults = {0};
        struct gm_error err = {0};
        str_add(&text, "version: 999\nattributes: {}\nresources:\n");
        for (unsigned i = 0; i < SLOTS + more; i++)
            str_printf(&text,
                       "- {type: slot, label: s%u, count: 1, with: "
                       "[{type: core, count: 1}]}\n",
                       i);
        str_add(&text, "tasks:\n");
        for (unsigned i = 0; i < TASKS; i++)
            str_printf(&text,
                       "- {command: [a], slot: s%u, count: {per_resource: "
                       "{type: core, count: 1}}}\n",
                       SLOTS - TASKS + i);
        int rc =
            jobspec_parse("/job/x.yaml", text.text, text.len, &opt, &spec, &faults, &err);
        cr_expect((rc == 0) == (more == 0), "%s", err.text);
        cr_expect(more == 0 || strstr(err.text, "more than 10000 vertices") != NULL);
        jobspec_free(spec);
        jobspec_faults_free(&faults);
        str_free(&text);
    }
}
