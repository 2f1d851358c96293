/* gridmill run: one job, from its file to its summary. Standard output gets the summary
 * (or JSON) and nothing else; all that is said on the way goes to standard error. */
#include "base/clock.h"
#include "base/log.h"
#include "command.h"
#include "engine/engine.h"
#include "engine/summary.h"
#include "job.h"
#include "launch/alloc.h"
#include "progress.h"
#include "say.h"
#include <signal.h>
#include <stdlib.h>

struct run {
    const struct cli *cli;
    const struct jobspec *spec;
    const struct restree *tree;
    struct progress progress;
    char *json; /* the summary, once it is there */
    struct str text;
};

static void on_signal(int number)
{
    (void)number;
    engine_stop();
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
}

static void show_plan(const struct run *r, const struct engine_event *e)
{
    const struct terminal *t = &r->cli->terminal;
    AUTO_STR out = {0};
    if (r->cli->verbosity < LOG_NORMAL)
        return;
    job_headline(r->spec, e->plan, &out);
    if (t->err || r->cli->verbosity > LOG_NORMAL)
        job_map(r->tree, e->plan, t->utf8, &out);
    if (r->cli->verbosity > LOG_NORMAL)
        job_launch(e->line, &out);
    terminal_note(out.text);
}

static void show_stopping(struct run *r, const char *why)
{
    progress_wipe(&r->progress);
    log_note("%s: the ranks commit what is done, another Ctrl-C ends them at once", why);
}

static void keep_summary(struct run *r, const struct summary *s)
{
    const struct terminal *t = &r->cli->terminal;
    if (s == NULL)
        return;
    if (r->cli->json)
        r->json = summary_json(s);
    else if (r->cli->verbosity > LOG_QUIET)
        summary_draw(s, t->colour_out, t->utf8, &r->text);
    if (r->cli->verbosity > LOG_NORMAL)
        summary_draw_phases(s, &r->text);
}

static void on_event(void *ctx, const struct engine_event *e)
{
    struct run *r = ctx;
    switch (e->kind) {
    case ENGINE_PLANNED:
        show_plan(r, e);
        break;
    case ENGINE_STARTED:
    case ENGINE_PROGRESS:
    case ENGINE_STAGE_OVER:
    case ENGINE_PACKING:
        progress_show(&r->progress, e);
        break;
    case ENGINE_STOPPING:
        show_stopping(r, e->text);
        break;
    case ENGINE_SAID:
        progress_wipe(&r->progress);
        terminal_note(e->text);
        terminal_note("\n");
        break;
    case ENGINE_ENDED:
        progress_wipe(&r->progress);
        keep_summary(r, e->summary);
        break;
    }
}

static int finish(struct run *r, int code, const struct gm_error *err)
{
    if (r->json != NULL) {
        terminal_print(r->json);
        if (code != ENGINE_DONE)
            log_error("%s", err->text);
    } else {
        terminal_print(str_text(&r->text));
        if (code != ENGINE_DONE)
            (void)say_failure(r->cli, code, err);
    }
    return code;
}

static int run(const struct cli *cli)
{
    AUTO(jobspec) spec = NULL;
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    double start = clock_monotonic();
    struct alloc alloc;
    alloc_read(&alloc);
    if (alloc_check_alone(&alloc, "gridmill run", &err) != 0)
        return alloc_speaks(&alloc) ? say_failure(cli, ENGINE_USAGE, &err) : ENGINE_USAGE;
    int code = job_load(cli, cli->args.words[0], &spec);
    if (code != 0)
        return code;
    double loaded = clock_monotonic();
    if (restree_load_host(&tree, &err) != 0)
        return say_failure(cli, ENGINE_INTERNAL, &err);
    struct engine_phase before[] = {{"jobspec", loaded - start},
                                    {"topology", clock_monotonic() - loaded}};
    struct run r = {.cli = cli, .spec = spec, .tree = tree};
    r.progress = (struct progress){.terminal = &cli->terminal,
                                   .quiet = cli->verbosity < LOG_NORMAL};
    struct engine_options opt = {.force = args_has(&cli->args, "force"),
                                 .verbosity = cli->verbosity,
                                 .before = before,
                                 .n_before = N_OF(before)};
    struct engine_events events = {.ctx = &r, .event = on_event};
    catch_signals();
    code = engine_run(spec, tree, &launch_mpirun, &opt, &events, &err);
    code = finish(&r, code, &err);
    free(r.json);
    str_free(&r.text);
    return code;
}

static const struct option_spec options[] = {
    OPTION_RANKS,
    OPTION_RESULTS,
    {"force", 0, NULL, "move results that are there already to FILE.old"},
    OPTION_OVERSUBSCRIBE,
    OPTION_SET,
    {"quiet", 'q', NULL, "say nothing but errors"},
    {"verbose", 'v', NULL, "show the launch line, why, and where the time went"},
    OPTION_JSON,
};

const struct command cmd_run = {
    .name = "run",
    .usage = "[OPTIONS] FILE",
    .summary = "run a job and wait for its end",
    .help =
        "Places the job's ranks on this machine, starts them with mpirun, and leaves\n"
        "one HDF5 file. Ctrl-C drains: what is committed stays readable, exit code 5; a\n"
        "second Ctrl-C ends the ranks at once. FILE - is standard input.\n",
    .words = "@file",
    .options = options,
    .n_options = N_OF(options),
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
