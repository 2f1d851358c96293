/* The table of words and the readers say the same: each word is read, each near miss is
 * told, and nothing stands in one of them alone. */
#include "base/str.h"
#include "spec/words.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>

static struct jobspec_faults parse(const char *text)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    AUTO(jobspec) spec = NULL;
    (void)jobspec_parse("/job/x.yaml", text, strlen(text), &opt, &spec, &faults, NULL);
    return faults;
}

static bool told(const struct jobspec_faults *f, const char *path, const char *text)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strncmp(f->items[i].path, path, strlen(path)) == 0 &&
            strstr(f->items[i].text, text) != NULL)
            return true;
    }
    return false;
}

/* What the job runs beside the word that is looked at. */
static const char *program(const char *word)
{
    bool own = strcmp(word, "command") == 0 || strcmp(word, "kernel") == 0 ||
               strcmp(word, "tasks") == 0;
    return own ? "" : strcmp(word, "args") == 0 ? "kernel: sleep" : "command: [a]";
}

/* A value that is right for no word: whoever reads it complains. */
Test(words, of_the_job_are_all_read)
{
    for (unsigned i = 0; i < words_job.n; i++) {
        const char *name = words_job.items[i].name;
        AUTO_STR text = {0};
        str_printf(&text, "%s: [[[]]]\n%s\n", name, program(name));
        struct jobspec_faults f = parse(text.text);
        cr_expect(told(&f, name, ""), "%s: nobody reads it", name);
        cr_expect_not(told(&f, "", "unknown key"), "%s", name);
        jobspec_faults_free(&f);
    }
}

Test(words, of_a_stage_are_all_read)
{
    for (unsigned i = 0; i < words_stage.n; i++) {
        const char *name = words_stage.items[i].name;
        bool is_name = strcmp(name, "name") == 0;
        AUTO_STR text = {0};
        AUTO_STR path = {0};
        str_printf(&path, "tasks[0].%s", name);
        str_printf(&text,
                   "tasks:\n  - %s: [[[]]]\n    %s\n    %s\n",
                   name,
                   is_name ? "" : "name: a",
                   program(name));
        struct jobspec_faults f = parse(text.text);
        cr_expect(told(&f, path.text, ""), "%s: nobody reads it", name);
        cr_expect_not(told(&f, "", "unknown key"), "%s", name);
        jobspec_faults_free(&f);
    }
}

static void expect_hints(const struct words *known, const char *before, const char *after)
{
    for (unsigned i = 0; known != NULL && i < known->n; i++) {
        AUTO_STR text = {0};
        AUTO_STR hint = {0};
        str_printf(&text, "%s%sq: 1%s", before, known->items[i].name, after);
        str_printf(&hint,
                   "unknown key '%sq'; did you mean '%s'?",
                   known->items[i].name,
                   known->items[i].name);
        struct jobspec_faults f = parse(text.text);
        cr_expect(told(&f, "", hint.text), "%s", text.text);
        jobspec_faults_free(&f);
    }
}

Test(words, that_are_nearly_right_are_told_with_the_right_one)
{
    expect_hints(&words_job, "command: [a]\n", "\n");
    expect_hints(&words_stage, "tasks: [{name: a, command: [a], ", "}]");
    expect_hints(
        words_find(&words_job, "per-rank")->keys, "command: [a]\nper-rank: {", "}");
    expect_hints(
        words_find(&words_job, "results")->keys, "command: [a]\nresults: {", "}");
    expect_hints(words_find(&words_job, "shards")->keys, "command: [a]\nshards: {", "}");
    expect_hints(words_find(&words_job, "retry")->keys, "command: [a]\nretry: {", "}");
    expect_hints(
        words_find(&words_job, "telemetry")->keys, "command: [a]\ntelemetry: {", "}");
}

static int runnable(const char *text, struct gm_error *err)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    AUTO(jobspec) spec = NULL;
    int rc = jobspec_parse("/job/x.yaml", text, strlen(text), &opt, &spec, &faults, err);
    jobspec_faults_free(&faults);
    cr_assert_eq(rc, 0, "%s: %s", text, err->text);
    return jobspec_check_runnable(spec, err);
}

Test(words, that_cannot_be_obeyed_yet_are_told_at_their_place)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"command: [a]\nmapping: seq", "/job/x.yaml:2:10: mapping: 'seq'"},
        {"mapping: slot:SPAN\ncommand: [a]", "/job/x.yaml:1:10: mapping: SPAN goes"},
        {"mapping: {map-by: device=mlx5_0}\ncommand: [a]",
         "/job/x.yaml:1:19: mapping.map-by: ranks are placed by GPUs alone"},
        {"results: {writers: host}\ncommand: [a]",
         "/job/x.yaml:1:20: results.writers: 'host'"},
    };
    struct gm_error err = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(runnable(cases[i].text, &err), -ENOTSUP, "%s", cases[i].text);
        cr_expect(strstr(err.text, cases[i].want) != NULL, "%s", err.text);
    }
    cr_expect_eq(runnable("mapping: spread\nhosts: [a, 'b[1-3]:2']\nneeds: "
                          "[\"afterok:a\"]\nconstraints: "
                          "{ranks: [\"0\"]}\ntelemetry: {every: 1s}\nnotify: [[a]]\n"
                          "results: {compress: gzip, pack: sharded}\ncommand: [a]",
                          &err),
                 0,
                 "%s",
                 err.text);
}
