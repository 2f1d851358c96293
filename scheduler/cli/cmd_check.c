/* gridmill check: every mistake of a file in one go, or its canonical form. */
#include "base/json.h"
#include "command.h"
#include "engine/engine.h"
#include "job.h"
#include "say.h"
#include "spec/canonical.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

static void put_fault(struct json *j, const struct jobspec_fault *f)
{
    json_begin(j, '{');
    json_put_int(j, "line", f->line);
    json_put_int(j, "col", f->col);
    json_put_string(j, "path", f->path);
    json_put_string(j, "text", f->text);
    json_end(j, '}');
}

static void put_result(struct json *j,
                       const char *file,
                       const struct jobspec *spec,
                       const struct jobspec_faults *faults,
                       const char *other,
                       bool canonical)
{
    json_begin(j, '{');
    json_put_string(j, "file", file);
    json_put_bool(j, "valid", spec != NULL);
    if (spec != NULL)
        json_put_string(j, "name", spec->name);
    AUTO_FREE(char)
    text = spec != NULL && canonical ? canonical_format(spec, false) : NULL;
    if (text != NULL)
        json_put_string(j, "canonical", text);
    json_key(j, "faults");
    json_begin(j, '[');
    for (size_t i = 0; i < faults->n; i++)
        put_fault(j, &faults->items[i]);
    if (other != NULL && faults->n == 0)
        put_fault(j, &(struct jobspec_fault){.path = "", .text = other});
    json_end(j, ']');
    json_end(j, '}');
}

static void print_valid(const char *file, const struct jobspec *spec)
{
    uint64_t tasks = 0;
    AUTO_STR out = {0};
    for (unsigned i = 0; i < spec->n_stages; i++)
        tasks += spec->stages[i].n_tasks;
    str_printf(&out,
               "%s: fine: job %s, %u stage%s, %" PRIu64 " task%s\n",
               file,
               spec->name,
               spec->n_stages,
               spec->n_stages == 1 ? "" : "s",
               tasks,
               tasks == 1 ? "" : "s");
    terminal_print(out.text);
}

static int check(const struct cli *cli, const char *file, struct json *j)
{
    AUTO(jobspec) spec = NULL;
    struct jobspec_faults faults = {0};
    struct gm_error err = {0};
    bool canonical = args_has(&cli->args, "canonical");
    int rc = job_read(cli, file, &spec, &faults, &err);
    if (cli->json) {
        put_result(j, file, spec, &faults, rc != 0 ? err.text : NULL, canonical);
    } else if (rc != 0 && faults.n > 0) {
        say_fault_lines(cli, &faults);
    } else if (rc != 0) {
        (void)say_failure(cli, ENGINE_USAGE, &err);
    } else if (canonical) {
        AUTO_FREE(char) text = canonical_format(spec, true);
        terminal_print(text);
    } else {
        print_valid(file, spec);
    }
    jobspec_faults_free(&faults);
    return rc;
}

static int run(const struct cli *cli)
{
    AUTO_JSON j = {.pretty = true};
    int code = ENGINE_DONE;
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.check/1");
    json_key(&j, "files");
    json_begin(&j, '[');
    for (unsigned i = 0; i < cli->args.n_words; i++) {
        if (check(cli, cli->args.words[i], &j) != 0)
            code = ENGINE_USAGE;
    }
    json_end(&j, ']');
    json_end(&j, '}');
    if (cli->json)
        terminal_print(j.out.text);
    return code;
}

static const struct option_spec options[] = {
    {"canonical", 0, NULL, "print a good file's canonical form (Flux RFC 14)"},
    OPTION_SET,
    OPTION_JSON,
};

const struct command cmd_check = {
    .name = "check",
    .usage = "[OPTIONS] FILE...",
    .summary = "read jobspecs and show every mistake",
    .help =
        "Each fault is one line, FILE:LINE:COL: PATH: TEXT. Exit code 0: all are fine,\n"
        "2: not.\n",
    .words = "@file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 1,
    .max_words = UINT_MAX,
    .run = run,
};
