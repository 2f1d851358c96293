/* gridmill result show|hash: what a results file, or an unfinished run, holds. */
#include "base/json.h"
#include "base/memory.h"
#include "command.h"
#include "engine/engine.h"
#include "engine/summary.h"
#include "result/hash.h"
#include "result/reader.h"
#include "say.h"
#include <stdlib.h>

static int show(const struct cli *cli, const char *file)
{
    AUTO(summary) s = NULL;
    struct gm_error err = {0};
    if (summary_load(file, &s, &err) != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    if (cli->json) {
        AUTO_FREE(char) text = summary_json(s);
        terminal_print(text);
        return ENGINE_DONE;
    }
    AUTO_STR out = {0};
    summary_draw(s, cli->terminal.colour_out, cli->terminal.utf8, &out);
    terminal_print(out.text);
    return ENGINE_DONE;
}

static int hash(const struct cli *cli, const char *file)
{
    AUTO(reader) r = NULL;
    struct gm_error err = {0};
    char hex[65];
    int rc = reader_open(file, &r, &err);
    if (rc == 0)
        rc = hash_results(r, hex, &err);
    if (rc != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    if (cli->json) {
        AUTO_JSON j = {.pretty = true};
        json_begin(&j, '{');
        json_put_string(&j, "schema", "gridmill.hash/1");
        json_put_string(&j, "file", file);
        json_put_string(&j, "sha256", hex);
        json_end(&j, '}');
        terminal_print(j.out.text);
        return ENGINE_DONE;
    }
    AUTO_STR out = {0};
    str_printf(&out, "%s  %s\n", hex, file);
    terminal_print(out.text);
    return ENGINE_DONE;
}

static const struct {
    const char *name;
    int (*run)(const struct cli *cli, const char *file);
} parts[] = {{"show", show}, {"hash", hash}};

static int run(const struct cli *cli)
{
    const char *names[N_OF(parts)];
    const char *word = cli->args.words[0];
    for (unsigned i = 0; i < N_OF(parts); i++) {
        names[i] = parts[i].name;
        if (strcmp(word, names[i]) == 0)
            return parts[i].run(cli, cli->args.words[1]);
    }
    struct gm_error err;
    const char *near = str_nearest(word, names, N_OF(names));
    if (near != NULL)
        (void)gm_fail(
            &err, -EINVAL, "result %s: did you mean gridmill result %s?", word, near);
    else
        (void)gm_fail(&err, -EINVAL, "result %s: show or hash", word);
    return say_failure(cli, ENGINE_USAGE, &err);
}

static const struct option_spec options[] = {OPTION_JSON};

const struct command cmd_result = {
    .name = "result",
    .usage = "show|hash [--json] FILE",
    .summary = "show what a results file holds, or its hash",
    .help = "show  the summary that run prints; also of an unfinished run (FILE.gm)\n"
            "hash  a SHA-256 over what was computed: equal for any number of ranks, "
            "hosts and\n"
            "      dates; times and rates are not in it\n",
    .words = "show hash @file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 2,
    .max_words = 2,
    .run = run,
};
