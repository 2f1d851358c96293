/* See job.h. Invariant: an option is a key of the jobspec by another name, so it is
 * checked by the same code and stands in the plan and the results as such. */
#include "job.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "say.h"
#include "spec/request.h"
#include "spec/units.h"
#include "topo/draw.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static int check_ranks(const char *text, struct gm_error *err)
{
    size_t digits = strspn(text, "0123456789");
    if (text[digits] == '\0' && digits > 0 && digits < 8 && strtoul(text, NULL, 10) > 0)
        return 0;
    return gm_fail(
        err, -EINVAL, "--ranks %s: must be a whole number from 1 to 9999999", text);
}

/* JSON quoting is YAML's, too. */
static char *quoted(struct arena *a, const char *text)
{
    AUTO_JSON j = {.pretty = false};
    json_string(&j, text);
    return arena_strdup(a, j.out.text);
}

/* results.file="/absolute path" */
static char *results_set(struct arena *a, const char *file)
{
    AUTO_FREE(char) path = file_absolute(NULL, file);
    return arena_printf(a, "results.file=%s", quoted(a, path));
}

/* mapping={"map-by":"core", ...}: Open MPI's options in the place of the file's mapping;
 * NULL: none of them is given. */
static char *mapping_set(const struct args *args, struct arena *a)
{
    static const char *const names[] = {"map-by", "rank-by", "bind-to"};
    AUTO_JSON j = {.pretty = false};
    bool any = false;
    json_begin(&j, '{');
    for (size_t i = 0; i < N_OF(names); i++) {
        const char *value = args_value(args, names[i]);
        any = any || value != NULL;
        if (value != NULL)
            json_put_string(&j, names[i], value);
    }
    json_end(&j, '}');
    return any ? arena_printf(a, "mapping=%s", j.out.text) : NULL;
}

bool job_is_command(const struct cli *cli)
{
    const struct args *a = &cli->args;
    bool dashed = a->dashed < a->n_words;
    return args_has(a, "shape") ||
           (dashed && a->dashed == 0 && args_has(a, "ranks") && !args_has(a, "document"));
}

/* Options that are a key of the jobspec by another name. A command has its shape
 * instead, of which some are a part. */
static const struct stand_in {
    const char *option, *key;
    bool in_shape;
} stand_ins[] = {
    {"ranks", "ranks", true},
    {"nodes", "nodes", false},
    {"ranks-per-node", "ranks-per-node", false},
    {"cores", "per-rank.cores", true},
    {"gpus", "per-rank.gpus", true},
    {"memory", "per-rank.memory", false},
    {"threads", "per-rank.threads", false},
    {"mapping", "mapping", false},
};

/* Adds "per-rank.cores=2" for what is given. */
static int add_stand_ins(const struct cli *cli,
                         struct arena *a,
                         const char **sets,
                         unsigned *n,
                         struct gm_error *err)
{
    bool command = job_is_command(cli);
    for (size_t i = 0; i < N_OF(stand_ins); i++) {
        const struct stand_in *o = &stand_ins[i];
        const char *value = args_value(&cli->args, o->option);
        if (value != NULL && command && !o->in_shape)
            return gm_fail(err,
                           -EINVAL,
                           "--%s: a command is placed by its shape alone: --shape "
                           "'slot=2/core=4'",
                           o->option);
        if (value != NULL && !command)
            sets[(*n)++] = arena_printf(a, "%s=%s", o->key, value);
    }
    return 0;
}

/* --set in their order, then what has an option of its own. */
int job_sets(const struct cli *cli,
             struct arena *a,
             const char ***ret,
             unsigned *ret_n,
             struct gm_error *err)
{
    const struct args *args = &cli->args;
    const char **sets = arena_alloc(a, args->n_given + 1, sizeof(*sets));
    const char *mapping = mapping_set(args, a);
    unsigned n = 0;
    for (unsigned i = 0; i < args->n_given; i++) {
        if (strcmp(args->given[i].option->name, "set") == 0)
            sets[n++] = args->given[i].value;
    }
    const char *ranks = args_value(args, "ranks"), *results = args_value(args, "results");
    int rc = ranks != NULL ? check_ranks(ranks, err) : 0;
    if (rc == 0)
        rc = add_stand_ins(cli, a, sets, &n, err);
    if (rc != 0)
        return rc;
    if (results != NULL)
        sets[n++] = results_set(a, results);
    if (mapping != NULL)
        sets[n++] = mapping;
    if (args_has(args, "oversubscribe"))
        sets[n++] = "oversubscribe=true";
    const char *verify = args_value(args, "verify-binding");
    if (verify != NULL)
        sets[n++] = arena_printf(a, "verify-binding=%s", verify);
    const char *time = args_value(args, "time"), *name = args_value(args, "name");
    bool command = job_is_command(cli); /* its document has them (format_command) */
    if (time != NULL && !command)
        sets[n++] = arena_printf(a, "time=%s", time);
    if (name != NULL && !command)
        sets[n++] = arena_printf(a, "name=%s", quoted(a, name));
    *ret = sets;
    *ret_n = n;
    return 0;
}

static int
read_dialect(const char *text, struct jobspec_options *opt, struct gm_error *err)
{
    static const char *const names[] = {"short", "rfc", "flux-core", "fluxion"};
    static const enum dialect dialects[] = {
        DIALECT_SHORT, DIALECT_RFC, DIALECT_FLUX_CORE, DIALECT_FLUXION};
    for (size_t i = 0; i < N_OF(names); i++) {
        if (strcmp(names[i], text) == 0) {
            opt->dialect = dialects[i];
            return 0;
        }
    }
    const char *near = str_nearest(text, names, N_OF(names));
    return gm_fail(err,
                   -EINVAL,
                   "--dialect %s: must be short, rfc, flux-core or fluxion%s%s%s",
                   text,
                   near != NULL ? "; did you mean " : "",
                   near != NULL ? near : "",
                   near != NULL ? "?" : "");
}

static int read_options(const struct cli *cli,
                        struct arena *a,
                        struct jobspec_options *opt,
                        struct gm_error *err)
{
    const struct args *args = &cli->args;
    const char *dialect = args_value(args, "dialect");
    const char *version = args_value(args, "require-version");
    const char *document = args_value(args, "document");
    const char **sets = NULL;
    int rc = job_sets(cli, a, &sets, &opt->n_sets, err);
    opt->sets = sets;
    if (rc == 0 && dialect != NULL)
        rc = read_dialect(dialect, opt, err);
    if (rc != 0)
        return rc;
    opt->any_version = version != NULL && strcmp(version, "any") == 0;
    opt->only_v1 = version != NULL && strcmp(version, "1") == 0;
    if (version != NULL && !opt->any_version && !opt->only_v1)
        return gm_fail(err, -EINVAL, "--require-version %s: must be 1 or any", version);
    bool number = document != NULL && strlen(document) < 8 && document[0] != '\0' &&
                  document[strspn(document, "0123456789")] == '\0';
    if (number && (opt->document = (unsigned)strtoul(document, NULL, 10)) == 0)
        return gm_fail(err, -EINVAL, "--document 0: documents are counted from 1");
    return 0;
}

/* "slot=4/core", "slot=4/[core=2;gpu=1]": so many ranks, each with what was asked. */
static const char *shape_of_ranks(const struct args *args, struct arena *a)
{
    const char *cores = args_value(args, "cores"), *gpus = args_value(args, "gpus");
    AUTO_STR text = {0};
    str_printf(&text, "slot=%s/", args_value(args, "ranks"));
    str_printf(&text, "%score", gpus != NULL ? "[" : "");
    if (cores != NULL)
        str_printf(&text, "=%s", cores);
    if (gpus != NULL)
        str_printf(&text, ";gpu=%s]", gpus);
    return arena_strdup(a, text.text);
}

/* The document of a command: of --shape, or of so many ranks of one core. */
static int format_command(const struct cli *cli,
                          struct arena *a,
                          const char **ret,
                          struct gm_error *err)
{
    const struct args *args = &cli->args;
    const char *time = args_value(args, "time"), *name = args_value(args, "name");
    const char *shape = args_value(args, "shape"), *ranks = args_value(args, "ranks");
    AUTO_FREE(char) cwd = file_absolute(NULL, ".");
    struct request r = {.shape = shape, .cwd = cwd, .name = name};
    for (size_t i = 0; shape != NULL && i < N_OF(stand_ins); i++) {
        if (args_has(args, stand_ins[i].option))
            return gm_fail(err,
                           -EINVAL,
                           "--%s stands beside --shape, which says it all",
                           stand_ins[i].option);
    }
    if (args->dashed >= args->n_words)
        return gm_fail(err,
                       -EINVAL,
                       "a command is missing: gridmill %s %s%s -- COMMAND ARGUMENTS...",
                       cli->command->name,
                       shape != NULL ? "--shape " : "--ranks ",
                       shape != NULL ? shape : ranks);
    if (args->dashed > 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: a command stands behind --, and then there is no file",
                       args->words[0]);
    r.command = args->words + args->dashed;
    if (name == NULL)
        r.name = request_name(a, r.command[0]);
    if (shape == NULL)
        r.shape = shape_of_ranks(args, a);
    int rc = time != NULL ? units_duration(time, &r.time, err) : 0;
    if (rc != 0)
        return gm_prefix(err, "--time"), rc;
    if (isinf(r.time))
        r.time = 0;
    return request_format(&r, a, ret, err);
}

int job_read_text(struct job_file *f, struct gm_error *err)
{
    int rc = jobspec_read(f->name, &f->text, &f->source.len, &f->faults, err);
    f->source.text = f->text;
    return rc;
}

int job_read(const struct cli *cli,
             const char *file,
             struct job_file *ret,
             struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    AUTO(looks) looks = looks_make();
    struct jobspec_options opt = {.look = engine_look, .look_ctx = looks};
    const char *made = NULL;
    opt.kernels = engine_kernels(&opt.n_kernels);
    opt.plugin_path = engine_plugin_path();
    *ret = (struct job_file){.name = file != NULL ? file : "job"};
    int rc = read_options(cli, a, &opt, err);
    if (rc == 0 && file != NULL) {
        rc = job_read_text(ret, err);
    } else if (rc == 0) {
        rc = format_command(cli, a, &made, err);
        ret->text = rc == 0 ? xstrdup(made) : NULL;
        ret->source.len = rc == 0 ? strlen(made) : 0;
    }
    if (rc == 0)
        rc = jobspec_parse_all(
            ret->name, ret->text, ret->source.len, &opt, &ret->jobs, &ret->faults, err);
    return rc;
}

void job_file_keep(struct job_file *f, struct jobspec *one)
{
    for (unsigned i = 0; i < f->jobs.n; i++) {
        if (f->jobs.items[i] != one)
            jobspec_free(f->jobs.items[i]);
    }
    f->jobs.items[0] = one;
    f->jobs.n = 1;
}

void job_file_free(struct job_file *f)
{
    jobspec_jobs_free(&f->jobs);
    jobspec_faults_free(&f->faults);
    free(f->text);
    *f = (struct job_file){0};
}

/* What stands behind -- alone is no file: a command without its --ranks or --shape. */
static bool is_bare_command(const struct args *args)
{
    return args->dashed == 0 && args->n_words > 0 &&
           (args->n_words > 1 || access(args->words[0], F_OK) != 0);
}

int job_load(const struct cli *cli, struct job_file *ret)
{
    struct gm_error err = {0};
    bool command = job_is_command(cli);
    if (!command && is_bare_command(&cli->args)) {
        (void)gm_fail(&err,
                      -EINVAL,
                      "%s: to run a command, say how often: gridmill %s --ranks N -- "
                      "%s, or --shape SHAPE",
                      cli->args.words[0],
                      cli->command->name,
                      cli->args.words[0]);
        return say_failure(cli, ENGINE_USAGE, &err);
    }
    if (!command && cli->args.n_words != 1) {
        (void)gm_fail(&err,
                      -EINVAL,
                      "%s: %s: gridmill %s %s",
                      cli->command->name,
                      cli->args.n_words == 0 ? "something is missing" : "too many words",
                      cli->command->name,
                      cli->command->usage);
        return say_failure(cli, ENGINE_USAGE, &err);
    }
    int rc = job_read(cli, command ? NULL : cli->args.words[0], ret, &err);
    if (rc != 0 && ret->faults.n > 0)
        return say_faults(cli, ENGINE_USAGE, &ret->faults, &ret->source);
    if (rc != 0 && command && args_has(&cli->args, "shape"))
        return say_at_character(cli, ENGINE_USAGE, args_value(&cli->args, "shape"), &err);
    if (rc != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    if (cli->verbosity >= LOG_NORMAL)
        say_fault_lines(cli, &ret->faults, &ret->source); /* warnings */
    for (unsigned i = 0; i < ret->jobs.n && rc == 0; i++)
        rc = jobspec_check_runnable(ret->jobs.items[i], &err);
    return rc == 0 ? ENGINE_DONE : say_failure(cli, ENGINE_USAGE, &err);
}

struct jobspec *job_only(const struct cli *cli, const struct job_file *f)
{
    struct gm_error err = {0};
    unsigned at = 0;
    const char *wanted = args_value(&cli->args, "document");
    if (jobspec_find(&f->jobs, f->name, wanted, &at, &err) == 0)
        return f->jobs.items[at];
    (void)say_failure(cli, ENGINE_USAGE, &err);
    return NULL;
}

/* "host mill", "4 hosts", "2 of 6 hosts": those that have ranks. */
static void add_hosts(const struct plan *plan, struct str *out)
{
    AUTO(strmap) seen = strmap_make();
    unsigned n = 0;
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        size_t value = i;
        n += strmap_add(seen, plan->ranks[i].host, &value);
    }
    if (n == 1)
        str_printf(out, "host %s", plan->ranks[0].host);
    else if (n == plan->n_hosts)
        str_printf(out, "%u hosts", n);
    else
        str_printf(out, "%u of %u hosts", n, plan->n_hosts);
}

void job_headline(const struct jobspec *spec, const struct plan *plan, struct str *out)
{
    uint64_t tasks = 0;
    for (unsigned i = 0; i < spec->n_stages; i++)
        tasks += plan_n_tasks(plan, spec, i);
    str_printf(out,
               "%s: %" PRIu64 " task%s in %u stage%s on %u rank%s, ",
               spec->name,
               tasks,
               tasks == 1 ? "" : "s",
               spec->n_stages,
               spec->n_stages == 1 ? "" : "s",
               plan->n_ranks,
               plan->n_ranks == 1 ? "" : "s");
    add_hosts(plan, out);
    str_printf(out,
               " (%s%s)\n",
               plan->mapping,
               plan->oversubscribe ? ", oversubscribed: ranks share cores" : "");
}

static struct idset *parse_set(const char *text)
{
    struct idset *s = NULL;
    return idset_parse(text, &s, NULL) == 0 ? s : idset_make();
}

void job_map(const struct restree *tree,
             const struct plan *plan,
             bool utf8,
             struct str *out)
{
    struct draw_seat *seats = xcalloc(plan->n_ranks, sizeof(*seats));
    AUTO(strmap) hosts = strmap_make_for(tree->n_hosts);
    for (unsigned h = 0; h < tree->n_hosts; h++)
        strmap_put(hosts, tree->hosts[h].name, h);
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        const struct plan_rank *r = &plan->ranks[i];
        size_t host = 0;
        (void)strmap_get(hosts, r->host, &host);
        seats[i] = (struct draw_seat){.host = (unsigned)host,
                                      .pus = parse_set(r->cpus),
                                      .gpus = parse_set(r->gpus)};
    }
    draw_tree(tree, seats, plan->n_ranks, utf8, out);
    for (unsigned i = 0; i < plan->n_ranks; i++) { /* ours; the seat only looks */
        idset_free((struct idset *)seats[i].pus);
        idset_free((struct idset *)seats[i].gpus);
    }
    free(seats);
}

void job_launch(const struct launch_line *line, struct str *out)
{
    AUTO_FREE(char) text = launch_line_format(line);
    str_printf(out, "launch: %s\n", text);
    int width = 0;
    for (unsigned i = 0; i < line->n_flags; i++) {
        int n = (int)strlen(line->flags[i].text);
        width = n > width && n <= 40 ? n : width;
    }
    for (unsigned i = 0; i < line->n_flags; i++)
        str_printf(
            out, "  %-*s  %s\n", width, line->flags[i].text, line->flags[i].reason);
}
