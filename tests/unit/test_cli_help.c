#include "cli/help.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

Test(cli_help, the_overview_has_every_verb_and_its_line)
{
    AUTO_STR out = {0};
    help_overview(&out);
    for (unsigned i = 0; commands[i] != NULL; i++) {
        cr_expect_not_null(strstr(out.text, commands[i]->name));
        cr_expect_not_null(strstr(out.text, commands[i]->summary));
    }
}

Test(cli_help, each_verbs_help_has_every_option_of_its_table)
{
    for (unsigned i = 0; commands[i] != NULL; i++) {
        AUTO_STR out = {0};
        help_command(commands[i], &out);
        for (unsigned k = 0; k < commands[i]->n_options; k++)
            cr_expect_not_null(strstr(out.text, commands[i]->options[k].name));
    }
}

Test(cli_help, as_json_it_has_every_verb_or_the_one_asked_for)
{
    AUTO_JSON all = {0};
    AUTO_JSON one = {0};
    help_json(NULL, &all);
    help_json(&cmd_run, &one);
    for (unsigned i = 0; commands[i] != NULL; i++) {
        AUTO_STR name = {0};
        str_printf(&name, "{\"name\":\"%s\",\"usage\"", commands[i]->name);
        cr_expect_not_null(strstr(all.out.text, name.text));
        cr_expect_eq(strstr(one.out.text, name.text) != NULL, commands[i] == &cmd_run);
    }
    cr_expect_not_null(strstr(one.out.text, "{\"name\":\"quiet\",\"letter\":\"q\""));
}

Test(cli_help, lines_fit_eighty_columns)
{
    for (unsigned i = 0; commands[i] != NULL; i++) {
        AUTO_STR out = {0};
        help_command(commands[i], &out);
        for (const char *p = out.text; *p != '\0'; p += strcspn(p, "\n") + 1)
            cr_expect_leq(strcspn(p, "\n"),
                          80,
                          "%s: %.*s",
                          commands[i]->name,
                          (int)strcspn(p, "\n"),
                          p);
    }
}

/* bash itself says what it would complete. */
static void completes(const char *line, unsigned word, const char *want)
{
    AUTO_STR script = {0};
    char path[] = "/tmp/gridmill-completion-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    help_bash(&script);
    str_printf(&script,
               "\nCOMP_WORDS=(%s)\nCOMP_CWORD=%u\n_gridmill 2>/dev/null\necho \" "
               "${COMPREPLY[*]} \"\n",
               line,
               word);
    cr_assert_eq(write(fd, script.text, script.len), (ssize_t)script.len);
    (void)close(fd);
    AUTO_STR command = {0};
    char answer[1024] = "";
    str_printf(&command, "bash %s", path);
    FILE *p = popen(command.text, "r");
    cr_assert_not_null(p);
    (void)!fread(answer, 1, sizeof(answer) - 1, p);
    (void)pclose(p);
    (void)unlink(path);
    cr_expect_not_null(strstr(answer, want), "'%s' completes to '%s'", line, answer);
}

Test(cli_help, bash_completes_verbs_options_and_kernels)
{
    completes("gridmill ru", 1, " run ");
    completes("gridmill run --for", 2, " --force ");
    completes("gridmill run --ran", 2, " --ranks= ");
    completes("gridmill kernels mlp.t", 2, " mlp.train ");
    completes("gridmill result sh", 2, " show ");
    completes("gridmill --v", 1, " --version ");
    completes("gridmill help --completion z", 3, " zsh ");
}

/* It reads as zsh, and a plain eval installs it. */
Test(cli_help, zsh_takes_its_completion_by_eval)
{
    AUTO_STR script = {0};
    char path[] = "/tmp/gridmill-completion-XXXXXX";
    if (access("/usr/bin/zsh", X_OK) != 0 && access("/bin/zsh", X_OK) != 0)
        cr_skip_test("no zsh here");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    str_add(&script, "compdef() { print -r -- \"$1 for $2\"; }\n");
    help_zsh(&script);
    cr_assert_eq(write(fd, script.text, script.len), (ssize_t)script.len);
    (void)close(fd);
    AUTO_STR command = {0};
    char answer[256] = "";
    str_printf(&command, "zsh -f %s 2>&1", path);
    FILE *p = popen(command.text, "r");
    cr_assert_not_null(p);
    (void)!fread(answer, 1, sizeof(answer) - 1, p);
    (void)pclose(p);
    (void)unlink(path);
    cr_expect_str_eq(answer, "_gridmill for gridmill\n");
}
