#include "cli/args.h"
#include <criterion/criterion.h>

static const struct option_spec options[] = {
    {"ranks", 'n', "N", "ranks"},
    {"set", 0, "PATH=VALUE", "set"},
    {"force", 'f', NULL, "force"},
    {"quiet", 'q', NULL, "quiet"},
};

static int parse(const char *const *argv, struct args *ret, struct gm_error *err)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    return args_parse(options, 4, argc, (char *const *)argv, ret, err);
}

Test(cli_args, every_spelling_of_an_option_means_the_same)
{
    const char *lines[][4] = {{"--ranks", "4", "file", NULL},
                              {"--ranks=4", "file", NULL},
                              {"file", "-n", "4", NULL},
                              {"-n4", "file", NULL},
                              {"file", "-qn4", NULL},
                              {"-n4", "--", "file", NULL}};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct args a;
        struct gm_error err = {0};
        cr_assert_eq(parse(lines[i], &a, &err), 0, "%zu: %s", i, err.text);
        cr_expect_str_eq(args_value(&a, "ranks"), "4");
        cr_assert_eq(a.n_words, 1);
        cr_expect_str_eq(a.words[0], "file");
        cr_expect_eq(args_has(&a, "quiet"), i == 4);
        args_free(&a);
    }
}

Test(cli_args, the_last_value_counts_and_repeated_ones_keep_their_order)
{
    const char *line[] = {
        "--set", "a=1", "--ranks=1", "--set=b=2", "--ranks=2", "-", NULL};
    struct args a;
    struct gm_error err = {0};
    cr_assert_eq(parse(line, &a, &err), 0, "%s", err.text);
    cr_expect_str_eq(args_value(&a, "ranks"), "2");
    cr_expect_str_eq(a.given[0].value, "a=1");
    cr_expect_str_eq(a.given[2].value, "b=2");
    cr_expect_str_eq(a.words[0], "-", "standard input is a word");
    cr_expect_null(args_value(&a, "force"));
    args_free(&a);
}

Test(cli_args, what_is_wrong_is_named_with_the_nearest_option)
{
    static const struct {
        const char *word, *want;
    } cases[] = {
        {"--rnks", "--rnks: unknown option, did you mean --ranks?"},
        {"--rnks=4", "--rnks: unknown option, did you mean --ranks?"},
        {"--helpp", "--helpp: unknown option, did you mean --help?"},
        {"--unheard-of", "--unheard-of: unknown option (see --help)"},
        {"-x", "-x: unknown option (see --help)"},
        {"--ranks", "--ranks: needs a value: --ranks N"},
        {"-n", "--ranks: needs a value: --ranks N"},
        {"--force=yes", "--force: takes no value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char word[32];
        (void)snprintf(word, sizeof(word), "%s", cases[i].word);
        const char *line[] = {word, NULL};
        struct args a;
        struct gm_error err = {0};
        cr_expect_eq(parse(line, &a, &err), -EINVAL);
        cr_expect_str_eq(err.text, cases[i].want);
        args_free(&a);
    }
}

Test(cli_args, after_two_dashes_all_is_a_word)
{
    const char *line[] = {"--", "--force", "-q", NULL};
    struct args a;
    cr_assert_eq(parse(line, &a, NULL), 0);
    cr_expect_eq(a.n_words, 2);
    cr_expect_not(args_has(&a, "force"));
    args_free(&a);
}
