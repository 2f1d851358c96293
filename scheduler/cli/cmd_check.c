/* gridmill check: every mistake of all files in one go, or their canonical form. */
#include "base/json.h"
#include "base/log.h"
#include "check_shape.h"
#include "command.h"
#include "counts.h"
#include "documents.h"
#include "engine/engine.h"
#include "job.h"
#include "order.h"
#include "say.h"
#include "spec/canonical.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include "spec/schema.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

struct check {
    const struct cli *cli;
    struct json json; /* with --json */
    size_t errors, warnings;
    unsigned files, printed; /* files read; canonical forms that were printed */
};

static void put_stages(struct json *j, const struct jobspec *spec)
{
    json_key(j, "stages");
    json_begin(j, '[');
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        json_begin(j, '{');
        json_put_string(j, "name", s->name);
        json_put_string(j, "kernel", s->kernel != NULL ? s->kernel->name : NULL);
        json_key(j, "tasks");
        if (s->n_tasks > 0)
            json_uint(j, s->n_tasks);
        else
            json_null(j);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_document(struct json *j, const struct jobspec *spec, bool canonical)
{
    struct counts c = counts_of(spec);
    json_begin(j, '{');
    json_put_int(j, "document", spec->document);
    json_put_string(j, "form", spec->form == DIALECT_SHORT ? "short" : "canonical");
    json_put_string(j, "dialect", counts_dialect(spec->form));
    json_put_string(j, "name", spec->name);
    json_put_bool(j, "valid", true);
    counts_json(j, &c);
    put_stages(j, spec);
    AUTO_FREE(char) text = canonical ? canonical_format(spec, false) : NULL;
    if (text != NULL)
        json_put_string(j, "canonical", text);
    json_end(j, '}');
}

static void
put_file(struct check *c, const struct job_file *f, bool fine, const char *other)
{
    struct json *j = &c->json;
    const struct jobspec_jobs *jobs = &f->jobs;
    bool canonical = args_has(&c->cli->args, "canonical");
    AUTO_FREE(char)
    text = canonical && jobs->n == 1 ? canonical_format(jobs->items[0], false) : NULL;
    json_begin(j, '{');
    json_put_string(j, "file", f->name);
    json_put_bool(j, "valid", fine);
    if (jobs->n == 1)
        json_put_string(j, "name", jobs->items[0]->name);
    if (text != NULL)
        json_put_string(j, "canonical", text);
    json_key(j, "documents");
    json_begin(j, '[');
    for (unsigned i = 0; i < jobs->n; i++)
        put_document(j, jobs->items[i], canonical);
    if (jobs->n == 0)
        documents_json(j, f);
    json_end(j, ']');
    json_key(j, "faults");
    json_begin(j, '[');
    for (size_t i = 0; i < f->faults.n; i++)
        say_fault_json(j, &f->faults.items[i]);
    if (other != NULL && f->faults.n == 0)
        say_fault_json(j, &(struct jobspec_fault){.path = "", .text = other});
    json_end(j, ']');
    json_end(j, '}');
}

static void print_valid(const struct job_file *f)
{
    AUTO_STR out = {0};
    for (unsigned i = 0; i < f->jobs.n; i++) {
        const struct jobspec *spec = f->jobs.items[i];
        struct counts c = counts_of(spec);
        str_printf(&out, "%s: fine: ", f->name);
        if (f->jobs.n > 1)
            str_printf(&out, "document %u, ", spec->document);
        str_printf(&out, "job %s, ", spec->name);
        counts_text(spec, &c, &out);
        str_add(&out, "\n");
    }
    terminal_print(out.text);
}

/* JSON documents; of several, a YAML stream, so that it can be fed back. */
static void print_canonical(struct check *c, const struct job_file *f)
{
    for (unsigned i = 0; i < f->jobs.n; i++) {
        const struct jobspec *spec = f->jobs.items[i];
        const char *note = canonical_note(spec);
        AUTO_FREE(char) text = canonical_format(spec, true);
        if (note != NULL)
            log_note("%s: %s: %s", f->name, spec->name, note);
        if (c->printed++ > 0)
            terminal_print("---\n");
        terminal_print(text);
    }
}

/* With --document: the one job; the others are not told of. */
static bool keep_one(const struct cli *cli, struct job_file *f)
{
    if (!args_has(&cli->args, "document") || f->jobs.n == 0)
        return true;
    struct jobspec *one = job_only(cli, f);
    if (one != NULL)
        job_file_keep(f, one);
    return one != NULL;
}

/* libyaml's verdict alone. */
static int read_yaml(const char *file, struct job_file *ret, struct gm_error *err)
{
    *ret = (struct job_file){.name = file};
    int rc = job_read_text(ret, err);
    if (rc != 0)
        return rc;
    faults_init(&ret->faults, file);
    rc = doc_check_yaml(ret->text, ret->source.len, &ret->faults);
    return rc != 0 ? faults_first(&ret->faults, rc, err) : 0;
}

static void say_yaml(const char *file)
{
    AUTO_STR out = {0};
    str_printf(&out, "%s: fine: YAML\n", file);
    terminal_print(out.text);
}

static bool check(struct check *c, const char *file)
{
    const struct cli *cli = c->cli;
    struct job_file f = {0};
    struct gm_error err = {0};
    bool yaml = args_has(&cli->args, "yaml-only");
    int rc = yaml ? read_yaml(file, &f, &err) : job_read(cli, file, &f, &err);
    bool fine = rc == 0 && keep_one(cli, &f);
    if (fine && f.jobs.n > 1) {
        order_tell_cycles(&f.jobs, &f.faults);
        fine = f.faults.n_errors == 0;
    }
    c->files++;
    c->errors += f.faults.n_errors;
    c->warnings += f.faults.n - f.faults.n_errors;
    if (cli->json)
        put_file(c, &f, fine, rc != 0 ? err.text : NULL);
    else if (f.faults.n > 0)
        say_fault_lines(cli, &f.faults, &f.source);
    else if (rc != 0)
        (void)say_failure(cli, ENGINE_USAGE, &err);
    if (fine && !cli->json && yaml)
        say_yaml(file);
    else if (fine && !cli->json && args_has(&cli->args, "canonical"))
        print_canonical(c, &f);
    else if (fine && !cli->json)
        print_valid(&f);
    job_file_free(&f);
    return fine;
}

static void say_totals(const struct check *c)
{
    AUTO_STR out = {0};
    if (!c->cli->terminal.err || c->cli->json || c->errors + c->warnings == 0)
        return;
    str_printf(&out,
               "%zu error%s, %zu warning%s in %u file%s\n",
               c->errors,
               c->errors == 1 ? "" : "s",
               c->warnings,
               c->warnings == 1 ? "" : "s",
               c->files,
               c->files == 1 ? "" : "s");
    terminal_note(out.text);
}

static int print_schema(const struct cli *cli)
{
    struct gm_error err = {0};
    unsigned n;
    const struct gm_kernel *const *kernels = engine_kernels(&n);
    if (cli->args.n_words > 0) {
        (void)gm_fail(&err,
                      -EINVAL,
                      "--schema prints the short form's JSON Schema and "
                      "takes no file");
        return say_failure(cli, ENGINE_USAGE, &err);
    }
    AUTO_FREE(char) text = schema_format(kernels, n);
    terminal_print(text);
    return ENGINE_DONE;
}

static int run_files(const struct cli *cli)
{
    struct check c = {.cli = cli, .json = {.pretty = true}};
    int code = ENGINE_DONE;
    json_begin(&c.json, '{');
    json_put_string(&c.json, "schema", "gridmill.check/1");
    json_key(&c.json, "files");
    json_begin(&c.json, '[');
    for (unsigned i = 0; i < cli->args.n_words; i++) {
        if (!check(&c, cli->args.words[i]))
            code = ENGINE_USAGE;
    }
    json_end(&c.json, ']');
    json_put_int(&c.json, "errors", (int64_t)c.errors);
    json_put_int(&c.json, "warnings", (int64_t)c.warnings);
    json_end(&c.json, '}');
    if (cli->json)
        terminal_print(c.json.out.text);
    json_free(&c.json);
    say_totals(&c);
    return code;
}

static int run(const struct cli *cli)
{
    struct gm_error err = {0};
    if (args_has(&cli->args, "schema"))
        return print_schema(cli);
    if (args_has(&cli->args, "shape"))
        return check_shape(cli);
    if (cli->args.n_words > 0)
        return run_files(cli);
    (void)gm_fail(
        &err, -EINVAL, "check: something is missing: gridmill check [OPTIONS] FILE...");
    return say_failure(cli, ENGINE_USAGE, &err);
}

static const struct option_spec options[] = {
    {"dialect", 0, "short|rfc|flux-core|fluxion", "whose rules hold"},
    {"require-version", 0, "1|any", "canonical: RFC 25 alone, or RFC 14 for all"},
    {"canonical", 0, NULL, "print good files' canonical form (Flux RFC 14)"},
    {"yaml-only", 0, NULL, "ask for YAML alone, whatever it holds"},
    {"schema", 0, NULL, "print the JSON Schema of the short form"},
    OPTION_SHAPE,
    OPTION_NAME,
    OPTION_TIME,
    OPTION_DOCUMENT,
    OPTION_SET,
    OPTION_JSON,
};

const struct command cmd_check = {
    .name = "check",
    .usage = "[OPTIONS] FILE...",
    .summary = "read jobspecs and show every mistake",
    .help =
        "Each fault is one line, FILE:LINE:COL: PATH: TEXT; on a terminal the line that\n"
        "it is in stands below. All documents of all files are read; FILE - is standard\n"
        "input. A document with a `version` key is canonical (Flux's), any other is in\n"
        "the short form, a file that begins with #! is a script with directives.\n"
        "Exit code 0: all are fine (warnings do not count), 2: not.\n"
        "\n"
        "With --shape (Flux RFC 46) and no FILE: how much it asks for, or by "
        "--canonical\n"
        "its resources; with -- COMMAND the whole job.\n",
    .words = "@file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 0,
    .max_words = UINT_MAX,
    .run = run,
};
