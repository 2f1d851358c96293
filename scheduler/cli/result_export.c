/* gridmill result export: tables for other programs. Invariant: a value is in memory only
 * while it is written. */
#include "result_export.h"
#include "engine/engine.h"
#include "result_parts.h"
#include "say.h"
#include <unistd.h>

typedef int export_fn(const struct export *e, struct gm_error *err);

static const struct format {
    const char *name;
    export_fn *run;
} formats[] = {{"csv", export_csv}, {"json", export_json}, {"npy", export_npy}};

/* --format, or what the file's name ends with. */
static const struct format *find_format(const struct cli *cli, struct gm_error *err)
{
    const char *given = args_value(&cli->args, "format");
    const char *file = args_value(&cli->args, "output");
    const char *dot = file != NULL ? strrchr(file, '.') : NULL;
    const char *name = given != NULL ? given : dot != NULL ? dot + 1 : "csv";
    if (cli->json && given == NULL)
        name = "json";
    for (unsigned i = 0; i < N_OF(formats); i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    if (given != NULL)
        (void)gm_fail(err, -EINVAL, "--format %s: must be csv, json or npy", given);
    else
        (void)gm_fail(
            err, -EINVAL, "%s: say what it is to be: --format csv, json or npy", file);
    return NULL;
}

bool export_is_named(const struct export *e, const char *name)
{
    const struct args *a = &e->cli->args;
    for (unsigned i = 0; i < a->n_given; i++) {
        if (strcmp(a->given[i].option->name, "value") == 0 &&
            strcmp(a->given[i].value, name) == 0)
            return true;
    }
    return false;
}

static void
add(struct export_values *v, const char *name, uint32_t kind, uint32_t index, bool scalar)
{
    if (v->n < EXPORT_MOST_VALUES)
        v->items[v->n++] = (struct export_value){name, kind, index, scalar};
}

static bool is_scalar(const struct reader_output *o)
{
    return o->ndim == 0 && (o->flags & (GM_SERIES | GM_MODEL | GM_RAGGED)) == 0;
}

static void add_output(const struct reader_stage *s, unsigned i, struct export_values *v)
{
    const struct reader_output *o = &s->outputs[i];
    bool series = (o->flags & GM_SERIES) != 0;
    add(v, o->name, series ? RESULT_SERIES : RESULT_OUTPUT, i, is_scalar(o));
}

void export_output(const struct reader_stage *s, unsigned i, struct export_values *ret)
{
    ret->n = 0;
    add_output(s, i, ret);
}

void export_values(const struct export *e, unsigned stage, struct export_values *ret)
{
    const struct reader_stage *s = reader_stage(e->w->r, stage);
    bool named = args_has(&e->cli->args, "value");
    ret->n = 0;
    for (unsigned i = 0; i < s->n_outputs; i++) {
        const struct reader_output *o = &s->outputs[i];
        if (named ? export_is_named(e, o->name) : is_scalar(o))
            add_output(s, i, ret);
    }
    if (s->kernel[0] == '\0' && export_is_named(e, "stdout"))
        add(ret, "stdout", RESULT_STDOUT, 0, false);
    if (s->kernel[0] == '\0' && export_is_named(e, "stderr"))
        add(ret, "stderr", RESULT_STDERR, 0, false);
}

/* Once, whatever stages have one of that name. */
static void add_known(struct str *known, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = str_text(known); *p != '\0'; p += strspn(p, ", ")) {
        size_t len = strcspn(p, ",");
        if (len == n && strncmp(p, name, n) == 0)
            return;
        p += len;
    }
    str_printf(known, "%s%s", known->len > 0 ? ", " : "", name);
}

static bool stage_has(const struct reader_stage *s, const char *name, struct str *known)
{
    bool has = false;
    for (unsigned i = 0; i < s->n_outputs; i++) {
        add_known(known, s->outputs[i].name);
        has = has || strcmp(s->outputs[i].name, name) == 0;
    }
    if (s->kernel[0] != '\0')
        return has;
    add_known(known, "stdout");
    add_known(known, "stderr");
    return has || strcmp(name, "stdout") == 0 || strcmp(name, "stderr") == 0;
}

/* Each --value is one of some stage. */
static int check_values(const struct export *e, struct gm_error *err)
{
    const struct args *a = &e->cli->args;
    for (unsigned i = 0; i < a->n_given; i++) {
        AUTO_STR known = {0};
        bool has = strcmp(a->given[i].option->name, "value") != 0;
        for (unsigned k = e->w->first_stage; k < e->w->end_stage && !has; k++)
            has = stage_has(reader_stage(e->w->r, k), a->given[i].value, &known);
        if (!has)
            return gm_fail(err,
                           -EINVAL,
                           "--value %s: there are %s",
                           a->given[i].value,
                           str_text(&known));
    }
    return 0;
}

static int run(const struct cli *cli, const struct format *format, struct gm_error *err)
{
    struct result_walk w;
    struct outlet out;
    const char *file = args_value(&cli->args, "output");
    bool standard = file == NULL || strcmp(file, "-") == 0;
    int rc = result_walk_open(cli, cli->args.words[1], &w, err);
    if (rc != 0)
        return rc;
    struct export e = {.cli = cli,
                       .w = &w,
                       .out = &out,
                       .to_terminal = standard && isatty(STDOUT_FILENO) == 1};
    rc = check_values(&e, err);
    if (rc == 0)
        rc = outlet_open(file, &out, err);
    if (rc == 0)
        rc = outlet_close(&out, format->run(&e, err), err);
    result_walk_close(&w);
    return rc;
}

int result_export(const struct cli *cli)
{
    struct gm_error err = {0};
    const struct format *format = find_format(cli, &err);
    if (format == NULL)
        return say_failure(cli, ENGINE_USAGE, &err);
    int rc = run(cli, format, &err);
    return rc == 0 ? ENGINE_DONE : say_failure(cli, engine_exit_for(rc), &err);
}
