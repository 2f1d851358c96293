/* gridmill result: what a results file, or an unfinished run, holds. The table of what
 * may follow it, and the two that are short. */
#include "base/json.h"
#include "base/memory.h"
#include "command.h"
#include "engine/engine.h"
#include "engine/held.h"
#include "engine/summary.h"
#include "result/hash.h"
#include "result/reader.h"
#include "result_parts.h"
#include "say.h"
#include <stdlib.h>

/* Of a run that is not packed: does it go on, and what makes the file? */
static void draw_next(const struct summary *s, struct str *out)
{
    const char *folder = summary_folder(s);
    size_t n = folder != NULL ? strlen(folder) : 0;
    AUTO_STR path = {0};
    if (folder == NULL)
        return;
    str_printf(&path, "%s/lock", folder);
    if (held(path.text)) {
        str_add(out, "  its run goes on: gridmill watch ");
    } else {
        bool over = summary_committed(s) == summary_tasks(s);
        str_printf(
            out, "  its run is over: gridmill %s ", over ? "result pack" : "resume");
    }
    str_clear(&path);
    str_add_n(&path, folder, n > 3 && strcmp(folder + n - 3, ".gm") == 0 ? n - 3 : n);
    str_add_shell(out, str_text(&path));
    str_add(out, "\n");
}

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
    draw_next(s, &out);
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

static int show_part(const struct cli *cli)
{
    return show(cli, cli->args.words[1]);
}

static int hash_part(const struct cli *cli)
{
    return hash(cli, cli->args.words[1]);
}

static const struct result_part parts[] = {
    {"show", "json", 1, show_part},
    {"tasks", "json stage task status output", 1, result_tasks},
    {"failed", "json stage task output", 1, result_failed},
    {"export", "json stage task status value format output", 1, result_export},
    {"hash", "json", 1, hash_part},
    {"pack", "json output compress", 1, result_pack},
    {"diff", "json stage tolerance", 2, result_diff}};

static const struct result_part *find_part(const char *word, struct gm_error *err)
{
    const char *names[N_OF(parts)];
    AUTO_STR all = {0};
    for (unsigned i = 0; i < N_OF(parts); i++) {
        names[i] = parts[i].name;
        if (strcmp(word, names[i]) == 0)
            return &parts[i];
        str_printf(&all,
                   "%s%s",
                   i == 0                 ? ""
                   : i + 1 == N_OF(parts) ? " or "
                                          : ", ",
                   names[i]);
    }
    const char *near = str_nearest(word, names, N_OF(names));
    if (near != NULL)
        (void)gm_fail(
            err, -EINVAL, "result %s: did you mean gridmill result %s?", word, near);
    else
        (void)gm_fail(err, -EINVAL, "result %s: %s", word, all.text);
    return NULL;
}

static bool takes(const struct result_part *part, const char *option)
{
    size_t n = strlen(option);
    for (const char *p = part->takes; *p != '\0'; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        if (len == n && strncmp(p, option, n) == 0)
            return true;
        p += len;
    }
    return false;
}

/* An option that says nothing here is told, not passed over. */
static int
check_part(const struct cli *cli, const struct result_part *part, struct gm_error *err)
{
    for (unsigned i = 0; i < cli->args.n_given; i++) {
        const char *name = cli->args.given[i].option->name;
        if (!takes(part, name))
            return gm_fail(err, -EINVAL, "result %s takes no --%s", part->name, name);
    }
    if (cli->args.n_words - 1 == part->n_files)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "result %s: %s, not %u",
                   part->name,
                   part->n_files == 1 ? "one file" : "two files",
                   cli->args.n_words - 1);
}

static int run(const struct cli *cli)
{
    struct gm_error err = {0};
    const struct result_part *part = find_part(cli->args.words[0], &err);
    if (part == NULL || check_part(cli, part, &err) != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    return part->run(cli);
}

static const struct option_spec options[] = {
    OPTION_JSON,
    {"stage", 0, "NAME", "of this stage alone"},
    {"task", 0, "N[-M]", "of these of its tasks, counted from 0"},
    {"status", 0, "WORDS", "tasks that are done,failed,skipped,open,retried"},
    {"value", 0, "NAME", "export: this output, stdout or stderr; may repeat"},
    {"format", 0, "csv|json|npy", "export: as what (default: by FILE's end, or csv)"},
    {"output", 'o', "FILE", "write to FILE"},
    {"compress", 0, "gzip|none", "pack: large data sets (default: as the job says)"},
    {"tolerance", 0, "X", "diff: floats this near, relatively, are equal"}};

const struct command cmd_result = {
    .name = "result",
    .usage = "show|tasks|failed|export|hash|pack|diff [OPTIONS] FILE...",
    .summary = "show, list, export or compare what was computed",
    .help = "Of a results file, or of a run that is not over yet (its FILE or FILE.gm).\n"
            "show    the summary that run prints\n"
            "tasks   a line a task: status, attempts, rank, time, what varies\n"
            "failed  the tasks that failed, why, and the last that they printed\n"
            "export  a table of one stage (csv), all stages (json), one array (npy)\n"
            "hash    a SHA-256 over what was computed: equal for any number of ranks, "
            "hosts\n"
            "        and dates; times and rates are not in it\n"
            "pack    one file of a run that was cut off, or, with -o, a copy of any\n"
            "diff    what two files computed otherwise; 1 where they differ\n",
    .words = "show tasks failed export hash pack diff @file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 2,
    .max_words = 3,
    .run = run,
};
