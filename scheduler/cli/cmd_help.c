/* gridmill help: the verbs, one verb, or a shell's completion. */
#include "base/log.h"
#include "engine/engine.h"
#include "help.h"

static int completion(const char *shell, struct str *out)
{
    if (strcmp(shell, "bash") == 0)
        help_bash(out);
    else if (strcmp(shell, "zsh") == 0)
        help_zsh(out);
    else
        return -EINVAL;
    return 0;
}

static int no_such_verb(const char *word)
{
    const char *near = command_nearest(word);
    log_error("help: %s: no such verb%s%s%s",
              word,
              near != NULL ? ", did you mean " : "",
              near != NULL ? near : "",
              near != NULL ? "?" : ": gridmill help lists them");
    return ENGINE_USAGE;
}

static int run(const struct cli *cli)
{
    AUTO_STR out = {0};
    AUTO_JSON json = {.pretty = true};
    const char *shell = args_value(&cli->args, "completion");
    const struct command *verb = NULL;
    if (cli->args.n_words == 1) {
        verb = command_find(cli->args.words[0]);
        if (verb == NULL)
            return no_such_verb(cli->args.words[0]);
    }
    if (shell != NULL && completion(shell, &out) != 0) {
        log_error("--completion %s: bash or zsh", shell);
        return ENGINE_USAGE;
    }
    if (shell == NULL && cli->json)
        help_json(verb, &json);
    else if (shell == NULL && verb != NULL)
        help_command(verb, &out);
    else if (shell == NULL)
        help_overview(&out);
    terminal_print(cli->json && shell == NULL ? json.out.text : str_text(&out));
    return ENGINE_DONE;
}

static const struct option_spec options[] = {
    {"completion", 0, "bash|zsh", "print the completion for a shell"},
    OPTION_JSON,
};

const struct command cmd_help = {
    .name = "help",
    .usage = "[VERB]",
    .summary = "explain a verb and its options",
    .help =
        "Completion: eval \"$(gridmill help --completion bash)\" in ~/.bashrc; zsh the\n"
        "same, after compinit, in ~/.zshrc.\n",
    .words = "@verb",
    .options = options,
    .n_options = N_OF(options),
    .max_words = 1,
    .run = run,
};
