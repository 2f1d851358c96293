/* gridmill plan: what run would do, and why; nothing is written or started. */
#include "command.h"
#include "job.h"
#include "plan_svg.h"
#include "plan_tasks.h"
#include "plan_views.h"
#include "say.h"
#include <limits.h>

/* What is shown instead of the text. */
static const struct view {
    const char *option;
    int (*show)(const struct plan_view *v);
} views[] = {
    {"svg", plan_svg},
    {"rankfile", plan_rankfile},
    {"json", plan_json},
    {"explain", plan_explain},
};

static int show(const struct plan_view *v)
{
    for (unsigned i = 0; i < N_OF(views); i++) {
        if (args_has(&v->cli->args, views[i].option))
            return views[i].show(v);
    }
    return plan_text(v);
}

static int show_mapping(const struct cli *cli,
                        const struct jobspec *spec,
                        const struct machine *machine,
                        const struct mapping *m)
{
    AUTO(plan) plan = NULL;
    AUTO(launch_line) line = NULL;
    AUTO_FREE(char) runner = NULL;
    struct gm_error err = {0};
    int rc = engine_plan_mapped(
        spec, machine->at.tree, m, machine->at.backend->name, &plan, &err);
    if (rc != 0)
        return say_failure(cli, engine_exit_for(rc), &err);
    rc = engine_find_runner(NULL, &runner, &err);
    if (rc == 0)
        rc = engine_line(plan, &machine->at, runner, &line, &err);
    if (rc != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    return show(&(struct plan_view){cli, spec, machine, m, plan, line});
}

static int
plan_on(const struct cli *cli, const struct jobspec *spec, const struct machine *machine)
{
    struct gm_error err = {0};
    struct mapping m;
    if (args_has(&cli->args, "compare"))
        return plan_compare(cli, spec, machine);
    int rc = mapping_make(spec, machine->at.tree, NULL, &m, &err);
    if (rc != 0)
        return say_failure(cli, engine_exit_for(rc), &err);
    int code = show_mapping(cli, spec, machine, &m);
    mapping_clear(&m);
    return code;
}

static int plan_one(const struct cli *cli, const struct jobspec *spec)
{
    struct machine machine;
    if (args_has(&cli->args, "tasks"))
        return plan_tasks(cli, spec, args_value(&cli->args, "tasks"));
    int code = machine_choose(cli, spec, args_value(&cli->args, "machine"), &machine);
    if (code != ENGINE_DONE)
        return code;
    code = plan_on(cli, spec, &machine);
    machine_free(&machine);
    return code;
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
    {"compare", 0, "MAPPINGS", "a row each instead, with scores: pack,spread,auto"},
    {"explain", 0, NULL, "why each rank stands there, and what was given up"},
    {"rankfile", 0, NULL, "print Open MPI's rankfile alone"},
    OPTION_SVG,
    {"launcher", 0, "mpirun|ompi4|ompi5|slurm|dryrun", "whose line, installed or not"},
    OPTION_HOSTS,
    OPTION_HOSTFILE,
    OPTION_MACHINE,
    OPTION_RANKS,
    OPTIONS_PER_RANK,
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
        "With --compare: the same job under several mappings, each with the terms of "
        "its\n"
        "score; Open MPI's map-by words, too (--compare 'pack;ppr:2:package').\n"
        "\n"
        "With --machine: a what-if on another machine: hwloc XML (lstopo FILE.xml), a\n"
        "cluster file, or a text such as 'host:4 pack:2 numa:1 core:16 pu:2 gpu:2'.\n"
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
