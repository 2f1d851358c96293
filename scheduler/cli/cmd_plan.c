/* gridmill plan: what run would do, and why; nothing is written or started. */
#include "base/json.h"
#include "command.h"
#include "engine/engine.h"
#include "job.h"
#include "plan_tasks.h"
#include "say.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

struct view {
    const struct jobspec *spec;
    const struct restree *tree;
    const struct plan *plan;
    const struct launch_line *line;
};

/* "2 x 3 x 8 shards" */
static void shape_text(const struct jobspec_stage *s, struct str *out)
{
    for (unsigned i = 0; i < s->n_axes; i++)
        str_printf(
            out, "%s%" PRIu64 " %s", i > 0 ? " x " : "", s->axes[i].n, s->axes[i].name);
    if (s->shards_of != NULL)
        str_printf(out, "%s%" PRIu64 " shards", s->n_axes > 0 ? " x " : "", s->n_shards);
}

/* " on slot default = 2 x, 4 ranks each, after train" */
static void
draw_stage(const struct jobspec *spec, const struct jobspec_stage *s, struct str *out)
{
    AUTO_STR shape = {0};
    shape_text(s, &shape);
    if (s->slot != NULL && s->slot->label != NULL)
        str_printf(out, " on slot %s", s->slot->label);
    if (shape.len > 0)
        str_printf(out, " = %s", shape.text);
    if (s->group == 0)
        str_add(out, ", all ranks together");
    else if (s->group > 1)
        str_printf(out, ", %u ranks each", s->group);
    for (unsigned k = 0; k < s->n_needs; k++)
        str_printf(out,
                   "%s%s",
                   k == 0 ? ", after " : ", ",
                   spec->stages[s->needs[k].stage].name);
    str_add(out, "\n");
}

static void
draw_stages(const struct jobspec *spec, const struct plan *plan, struct str *out)
{
    int width = 5;
    for (unsigned i = 0; i < spec->n_stages; i++) {
        int n = (int)strlen(spec->stages[i].name);
        width = n > width ? n : width;
    }
    str_add(out, "\nstages\n");
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        uint64_t n_tasks = plan_n_tasks(plan, spec, i);
        str_printf(out,
                   "  %-*s  %-10s %6" PRIu64 " task%s",
                   width,
                   s->name,
                   s->kernel != NULL ? s->kernel->name : "command",
                   n_tasks,
                   n_tasks == 1 ? " " : "s");
        draw_stage(spec, s, out);
    }
}

static void draw_ranks(const struct plan *plan, struct str *out)
{
    int cpus = 4, host = 4;
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        int n = (int)strlen(plan->ranks[i].cpus), m = (int)strlen(plan->ranks[i].host);
        cpus = n > cpus ? n : cpus;
        host = m > host ? m : host;
    }
    str_printf(out, "\nrank  %-*s  %-*s  why\n", host, "host", cpus, "cpus");
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        const struct plan_rank *r = &plan->ranks[i];
        str_printf(
            out, "%4u  %-*s  %-*s  %s", i, host, r->host, cpus, r->cpus, r->reason);
        str_printf(out, "%s%s\n", *r->gpus != '\0' ? ", gpus " : "", r->gpus);
    }
}

static void print_text(const struct cli *cli, const struct view *v)
{
    AUTO_STR out = {0};
    job_headline(v->spec, v->plan, &out);
    job_map(v->tree, v->plan, cli->terminal.utf8, &out);
    draw_ranks(v->plan, &out);
    draw_stages(v->spec, v->plan, &out);
    str_add(&out, "\n");
    job_launch(v->line, &out);
    str_printf(&out, "\nresults: %s\n", v->plan->results);
    terminal_print(out.text);
}

static void
put_stages(struct json *j, const struct jobspec *spec, const struct plan *plan)
{
    json_key(j, "stages");
    json_begin(j, '[');
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        json_begin(j, '{');
        json_put_string(j, "name", s->name);
        json_put_string(j, "kernel", s->kernel != NULL ? s->kernel->name : NULL);
        json_put_int(j, "tasks", (int64_t)plan_n_tasks(plan, spec, i));
        json_put_int(j, "group", s->group);
        json_key(j, "needs");
        json_begin(j, '[');
        for (unsigned k = 0; k < s->n_needs; k++)
            json_string(j, spec->stages[s->needs[k].stage].name);
        json_end(j, ']');
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_ranks(struct json *j, const struct plan *plan)
{
    json_key(j, "ranks");
    json_begin(j, '[');
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        const struct plan_rank *r = &plan->ranks[i];
        json_begin(j, '{');
        json_put_string(j, "host", r->host);
        json_put_string(j, "cpus", r->cpus);
        json_put_string(j, "gpus", r->gpus);
        json_put_string(j, "reason", r->reason);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_strings(struct json *j, const char *key, const char *const *texts)
{
    json_key(j, key);
    json_begin(j, '[');
    for (; texts != NULL && *texts != NULL; texts++)
        json_string(j, *texts);
    json_end(j, ']');
}

static void put_launch(struct json *j, const struct launch_line *line)
{
    json_key(j, "launch");
    json_begin(j, '{');
    put_strings(j, "argv", line->argv);
    put_strings(j, "env", line->env);
    json_put_string(j, "rankfile", line->rankfile);
    json_key(j, "flags");
    json_begin(j, '[');
    for (unsigned i = 0; i < line->n_flags; i++) {
        json_begin(j, '{');
        json_put_string(j, "text", line->flags[i].text);
        json_put_string(j, "reason", line->flags[i].reason);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}

static void print_json(const struct view *v)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.dryrun/1");
    json_put_string(&j, "name", v->spec->name);
    json_put_string(&j, "results", v->plan->results);
    json_put_string(&j, "mapping", v->plan->mapping);
    json_put_bool(&j, "oversubscribed", v->plan->oversubscribe);
    json_put_string(&j, "binder", plan_binder_name(v->plan->binder));
    put_ranks(&j, v->plan);
    put_stages(&j, v->spec, v->plan);
    put_launch(&j, v->line);
    json_end(&j, '}');
    terminal_print(j.out.text);
}

static int plan_one(const struct cli *cli, const struct jobspec *spec)
{
    AUTO(restree) tree = NULL;
    AUTO(plan) plan = NULL;
    AUTO(launch_line) line = NULL;
    AUTO_FREE(char) runner = NULL;
    struct gm_error err = {0};
    if (args_has(&cli->args, "tasks"))
        return plan_tasks(cli, spec, args_value(&cli->args, "tasks"));
    if (restree_load_host(&tree, &err) != 0)
        return say_failure(cli, ENGINE_INTERNAL, &err);
    int rc = engine_plan(spec, tree, launch_mpirun.name, &plan, &err);
    if (rc != 0)
        return say_failure(cli, engine_exit_for(rc), &err);
    rc = engine_find_runner(NULL, &runner, &err);
    if (rc == 0)
        rc = launch_mpirun.line(plan, runner, &line, &err);
    if (rc != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    struct view v = {spec, tree, plan, line};
    if (cli->json)
        print_json(&v);
    else
        print_text(cli, &v);
    return ENGINE_DONE;
}

static int run(const struct cli *cli)
{
    struct job_file f = {0};
    int code = job_load(cli, &f);
    const struct jobspec *spec = code == ENGINE_DONE ? job_only(cli, &f) : NULL;
    if (code == ENGINE_DONE)
        code = spec != NULL ? plan_one(cli, spec) : ENGINE_USAGE;
    job_file_free(&f);
    return code;
}

static const struct option_spec options[] = {
    {"tasks", 0, "[STAGE:]N[-M]", "show what these tasks get, counted from 0, instead"},
    OPTION_RANKS,
    OPTION_RESULTS,
    OPTION_OVERSUBSCRIBE,
    OPTION_MAP_BY,
    OPTION_RANK_BY,
    OPTION_BIND_TO,
    OPTION_VERIFY,
    OPTION_SET,
    OPTION_DOCUMENT,
    OPTION_SHAPE,
    OPTION_NAME,
    OPTION_TIME,
    OPTION_JSON,
};

const struct command cmd_plan = {
    .name = "plan",
    .usage = "[OPTIONS] FILE | [OPTIONS] -- COMMAND...",
    .summary = "show who would run where, the launch line, and why",
    .help =
        "A dry run: the rank map, each rank's reason, the shape of each stage, and the\n"
        "exact launch line with a reason for each flag. Nothing is written or started.\n"
        "\n"
        "With --tasks: the axis values, shard, arguments or command, and seed of single\n"
        "tasks, at once however many there are.\n",
    .words = "@file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 0,
    .max_words = UINT_MAX,
    .run = run,
};
