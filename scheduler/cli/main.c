/* gridmill: a table of verbs. */
#include "base/log.h"
#include "command.h"
#include "engine/engine.h"
#include "help.h"
#include "say.h"
#include <signal.h>

static int usage_failure(const struct gm_error *err)
{
    log_error("%s", err->text);
    return ENGINE_USAGE;
}

static int unknown_verb(const char *name)
{
    struct gm_error err;
    const char *near = command_nearest(name);
    (void)gm_fail(&err,
                  -EINVAL,
                  "%s: no such verb%s%s%s",
                  name,
                  near != NULL ? ", did you mean " : "",
                  near != NULL ? near : "",
                  near != NULL ? "?" : ": gridmill help lists them");
    return usage_failure(&err);
}

static int check_words(const struct command *c, unsigned n, struct gm_error *err)
{
    if (n >= c->min_words && n <= c->max_words)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "%s: %s: gridmill %s %s",
                   c->name,
                   n < c->min_words ? "something is missing" : "too many words",
                   c->name,
                   c->usage);
}

static int verbosity(const struct args *a)
{
    return args_has(a, "quiet")     ? LOG_QUIET
           : args_has(a, "verbose") ? LOG_VERBOSE
                                    : LOG_NORMAL;
}

/* What was to be printed and could not be makes a success a failure. */
static int check_printed(int code)
{
    int lost = terminal_lost();
    if (lost == 0)
        return code;
    log_error("standard output: %s", strerror(-lost));
    return code == ENGINE_DONE ? (int)engine_exit_for(lost) : code;
}

static int run_command(const struct command *c, int argc, char **argv)
{
    struct cli cli = {.command = c};
    struct gm_error err;
    int code = ENGINE_USAGE;
    int rc = args_parse(c->options, c->n_options, argc, argv, &cli.args, &err);
    bool help = rc == 0 && args_has(&cli.args, "help");
    if (rc == 0 && !help)
        rc = check_words(c, cli.args.n_words, &err);
    if (rc != 0) {
        code = usage_failure(&err);
    } else if (help) {
        AUTO_STR out = {0};
        help_command(c, &out);
        terminal_print(out.text);
        code = ENGINE_DONE;
    } else {
        cli.json = args_has(&cli.args, "json");
        cli.verbosity = verbosity(&cli.args);
        log_open("gridmill", (enum log_level)cli.verbosity);
        terminal_read(&cli.terminal);
        code = c->run(&cli);
    }
    args_free(&cli.args);
    return check_printed(code);
}

int main(int argc, char **argv)
{
    terminal_guard();
    (void)signal(SIGPIPE, SIG_IGN);
    log_open("gridmill", LOG_NORMAL);
    if (argc < 2) {
        AUTO_STR out = {0};
        help_overview(&out);
        terminal_note(out.text);
        return ENGINE_USAGE;
    }
    const char *verb = argv[1];
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0)
        verb = "help";
    else if (strcmp(verb, "--version") == 0)
        verb = "version";
    const struct command *c = command_find(verb);
    return c != NULL ? run_command(c, argc - 2, argv + 2) : unknown_verb(verb);
}
