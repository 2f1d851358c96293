/* See job.h. Invariant: an option is a key of the jobspec by another name, so it is
 * checked by the same code and stands in the plan and the results as such. */
#include "job.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "say.h"
#include "topo/draw.h"
#include <inttypes.h>
#include <stdlib.h>

static int check_ranks(const char *text, struct gm_error *err)
{
    size_t digits = strspn(text, "0123456789");
    if (text[digits] == '\0' && digits > 0 && digits < 8 && strtoul(text, NULL, 10) > 0)
        return 0;
    return gm_fail(err, -EINVAL, "--ranks %s: must be a whole number, 1 or more", text);
}

/* results="/absolute path": JSON quoting is YAML's, too. */
static char *results_set(struct arena *a, const char *file)
{
    AUTO_FREE(char) path = file_absolute(NULL, file);
    AUTO_JSON j = {.pretty = false};
    json_string(&j, path);
    return arena_printf(a, "results=%s", j.out.text);
}

/* --set in their order, then what has an option of its own. */
static int make_sets(const struct args *args,
                     struct arena *a,
                     const char ***ret,
                     unsigned *ret_n,
                     struct gm_error *err)
{
    const char **sets = arena_alloc(a, args->n_given + 1, sizeof(*sets));
    unsigned n = 0;
    for (unsigned i = 0; i < args->n_given; i++) {
        if (strcmp(args->given[i].option->name, "set") == 0)
            sets[n++] = args->given[i].value;
    }
    const char *ranks = args_value(args, "ranks"), *results = args_value(args, "results");
    if (ranks != NULL) {
        int rc = check_ranks(ranks, err);
        if (rc != 0)
            return rc;
        sets[n++] = arena_printf(a, "ranks=%s", ranks);
    }
    if (results != NULL)
        sets[n++] = results_set(a, results);
    if (args_has(args, "oversubscribe"))
        sets[n++] = "oversubscribe=true";
    *ret = sets;
    *ret_n = n;
    return 0;
}

int job_read(const struct cli *cli,
             const char *file,
             struct jobspec **ret,
             struct jobspec_faults *faults,
             struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    AUTO(looks) looks = looks_make();
    struct jobspec_options opt = {.look = engine_look, .look_ctx = looks};
    opt.kernels = engine_kernels(&opt.n_kernels);
    const char **sets = NULL;
    int rc = make_sets(&cli->args, a, &sets, &opt.n_sets, err);
    if (rc != 0)
        return rc;
    opt.sets = sets;
    return jobspec_load(file, &opt, ret, faults, err);
}

int job_load(const struct cli *cli, const char *file, struct jobspec **ret)
{
    struct jobspec_faults faults = {0};
    struct gm_error err = {0};
    int rc = job_read(cli, file, ret, &faults, &err), code = 0;
    if (rc != 0 && faults.n > 0)
        code = say_faults(cli, ENGINE_USAGE, &faults);
    else if (rc != 0)
        code = say_failure(cli, ENGINE_USAGE, &err);
    jobspec_faults_free(&faults);
    return code;
}

void job_headline(const struct jobspec *spec, const struct plan *plan, struct str *out)
{
    uint64_t tasks = 0;
    for (unsigned i = 0; i < spec->n_stages; i++)
        tasks += spec->stages[i].n_tasks;
    str_printf(out,
               "%s: %" PRIu64 " task%s in %u stage%s on %u rank%s, ",
               spec->name,
               tasks,
               tasks == 1 ? "" : "s",
               spec->n_stages,
               spec->n_stages == 1 ? "" : "s",
               plan->n_ranks,
               plan->n_ranks == 1 ? "" : "s");
    if (plan->n_hosts == 1)
        str_printf(out, "host %s", plan->hosts[0].name);
    else
        str_printf(out, "%u hosts", plan->n_hosts);
    str_printf(out,
               " (%s%s)\n",
               plan->mapping,
               plan->oversubscribe ? ", oversubscribed: ranks share cores" : "");
}

static unsigned host_index(const struct restree *tree, const char *name)
{
    for (unsigned i = 0; i < tree->n_hosts; i++) {
        if (strcmp(tree->hosts[i].name, name) == 0)
            return i;
    }
    return 0;
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
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        const struct plan_rank *r = &plan->ranks[i];
        seats[i] = (struct draw_seat){.host = host_index(tree, r->host),
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
