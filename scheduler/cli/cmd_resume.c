/* gridmill resume: the rest of an unfinished run, from what its folder holds. The same
 * path as run; only the job comes from FILE.gm instead of a jobspec. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "command.h"
#include "engine/resume.h"
#include "engine/stop.h"
#include "job.h"
#include "launch/alloc.h"
#include "live.h"
#include "say.h"

/* 0, or the exit code: said. */
static int load(const struct cli *cli, struct resume *ret)
{
    AUTO(arena) a = arena_make();
    struct gm_error err = {0};
    struct jobspec_faults faults = {0};
    const char **sets = NULL;
    struct resume_request req = {.results = cli->args.words[0],
                                 .failed = args_has(&cli->args, "failed")};
    int rc = job_sets(cli, a, &sets, &req.n_sets, &err);
    req.sets = sets;
    if (rc == 0)
        rc = resume_load(&req, ret, &faults, &err);
    int code = ENGINE_DONE;
    struct say_source none = {0};
    if (rc < 0)
        code = faults.n_errors > 0 ? say_faults(cli, ENGINE_USAGE, &faults, &none)
                                   : say_failure(cli, ENGINE_USAGE, &err);
    jobspec_faults_free(&faults);
    return code;
}

static int run_rest(const struct cli *cli, const struct resume *resume, double loaded_s)
{
    const struct args *args = &cli->args;
    struct gm_error err = {0};
    struct engine_machine machine = {0};
    AUTO_FREE(char) folder = file_dirname(resume->spec->results);
    AUTO_FREE(char) json = NULL;
    double start = clock_monotonic();
    struct engine_machine_options opt = {.hosts = args_value(args, "hosts"),
                                         .hostfile = args_value(args, "hostfile"),
                                         .launcher = args_value(args, "launcher"),
                                         .folder = folder};
    int rc = engine_machine(resume->spec, &opt, &machine, &err);
    if (rc < 0)
        return say_failure(cli, engine_exit_for(rc), &err);
    struct live live = {.cli = cli,
                        .machine = &machine,
                        .resume = resume,
                        .loaded_s = loaded_s,
                        .machine_s = clock_monotonic() - start};
    stop_reset();
    live_catch_signals();
    int code = live_run(&live, resume->spec, &json);
    if (json != NULL)
        terminal_print(json);
    engine_machine_free(&machine);
    return code;
}

static int run(const struct cli *cli)
{
    struct resume resume = {0};
    struct gm_error err = {0};
    struct alloc alloc;
    double start = clock_monotonic();
    alloc_read(&alloc);
    if (alloc_check_alone(&alloc, "gridmill resume", &err) != 0)
        return alloc_speaks(&alloc) ? say_failure(cli, ENGINE_USAGE, &err) : ENGINE_USAGE;
    int code = load(cli, &resume);
    if (code == ENGINE_DONE)
        code = run_rest(cli, &resume, clock_monotonic() - start);
    resume_clear(&resume);
    return code;
}

static const struct option_spec options[] = {
    OPTION_RANKS,
    OPTIONS_PER_RANK,
    {"failed", 0, NULL, "run failed tasks again, too"},
    OPTION_TIME,
    OPTION_RESULTS,
    OPTION_HOSTS,
    OPTION_HOSTFILE,
    OPTION_LAUNCHER,
    OPTION_OVERSUBSCRIBE,
    OPTION_MAP_BY,
    OPTION_RANK_BY,
    OPTION_BIND_TO,
    OPTION_VERIFY,
    OPTION_SET,
    {"quiet", 'q', NULL, "say nothing but errors"},
    {"verbose", 'v', NULL, "show the launch line, why, and where the time went"},
    OPTION_JSON,
};

const struct command cmd_resume = {
    .name = "resume",
    .usage = "[OPTIONS] FILE",
    .summary = "run what is left of an unfinished run",
    .help =
        "Takes the job from FILE.gm, which a run leaves beside its results FILE when it\n"
        "is stopped, killed or out of time, and runs exactly the tasks that are not\n"
        "committed, on any number of ranks. Ranks, mapping, per-rank, time and results\n"
        "may be changed; any other change is refused, and so is an input that is not\n"
        "what it was.\n"
        "\n"
        "Failed tasks stay failed, and those that need them skipped, unless --failed is\n"
        "given; attempts go on counting.\n",
    .words = "@file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
