/* The runner's command line. */
#include "runner/options.h"
#include <criterion/criterion.h>
#include <getopt.h>

static int read_line(int argc, char **argv, struct options *o, struct gm_error *err)
{
    optind = 0; /* glibc: start anew */
    return options_read(argc, argv, o, err);
}

#define READ(o, err, ...)                                                                \
    read_line((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),             \
              (char **)(const char *[]){__VA_ARGS__, NULL},                              \
              o,                                                                         \
              err)

Test(options, a_jobspec_with_sets_in_their_order)
{
    struct options o;
    cr_assert_eq(
        READ(&o, NULL, "r", "--set", "a=1", "job.yaml", "--set", "b=2", "--force"), 0);
    cr_assert_str_eq(o.request.file, "job.yaml");
    cr_assert(o.request.n_sets == 2 && o.request.force && !o.events);
    cr_assert_str_eq(o.request.sets[0], "a=1");
    cr_assert_str_eq(o.request.sets[1], "b=2");
    options_free(&o);
}

Test(options, results_count_from_the_shells_folder_and_are_quoted)
{
    struct options o;
    cr_assert_eq(chdir("/tmp"), 0);
    cr_assert_eq(READ(&o, NULL, "r", "--results", "a: b.h5", "job.yaml"), 0);
    cr_assert_str_eq(o.request.sets[0], "results.file=\"/tmp/a: b.h5\"");
    options_free(&o);
}

Test(options, refuses_with_one_sentence)
{
    static const struct {
        const char *argv[5];
        const char *sentence;
    } cases[] = {
        {{"r"}, "a jobspec is missing: gridmill-runner --help"},
        {{"r", "a.yaml", "b.yaml"}, "one jobspec at a time"},
        {{"r", "--nonsense", "a.yaml"},
         "unknown option --nonsense: gridmill-runner --help"},
        {{"r", "a.yaml", "--set"}, "--set needs a value"},
        {{"r", "--plan", "p.json", "a.yaml"},
         "--plan stands alone: the plan holds all the rest"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct options o = {0};
        struct gm_error err = {0};
        int argc = 0;
        char *argv[6] = {NULL};
        for (; argc < 5 && cases[i].argv[argc] != NULL; argc++)
            argv[argc] = (char *)cases[i].argv[argc];
        cr_expect_eq(read_line(argc, argv, &o, &err), -EINVAL);
        cr_expect_str_eq(err.text, cases[i].sentence);
    }
}

Test(options, help_and_version_need_no_jobspec)
{
    struct options o;
    cr_assert_eq(READ(&o, NULL, "r", "--help"), 0);
    cr_assert_eq(o.mode, OPTIONS_HELP);
    cr_assert_eq(READ(&o, NULL, "r", "--version"), 0);
    cr_assert_eq(o.mode, OPTIONS_VERSION);
    cr_assert_not_null(strstr(options_help(), "--results FILE"));
}
