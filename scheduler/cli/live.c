/* See live.h. Invariant: standard output gets the summary and nothing else; all that is
 * said on the way goes to standard error. */
#include "live.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/summary.h"
#include "job.h"
#include "progress.h"
#include "say.h"
#include <signal.h>

struct run {
    const struct cli *cli;
    const struct jobspec *spec;
    const struct restree *tree;
    bool several; /* one of several jobs */
    struct progress progress;
    char *json; /* the summary, once it is there */
    struct str text;
};

static void on_signal(int number)
{
    (void)number;
    engine_stop();
}

void live_catch_signals(void)
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
    char grace[32];
    progress_wipe(&r->progress);
    log_note(
        "%s: no more tasks are begun, commands that run have %s to end; another Ctrl-C "
        "ends them at once",
        why,
        str_duration(r->spec->grace, grace));
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
    terminal_print(str_text(&r->text));
    if (code != ENGINE_DONE && (r->json != NULL || r->several))
        log_error("%s", err->text);
    else if (code != ENGINE_DONE)
        (void)say_failure(r->cli, code, err);
    return code;
}

int live_run(const struct live *l, const struct jobspec *spec, char **ret_json)
{
    struct gm_error err = {0};
    const struct cli *cli = l->cli;
    struct engine_phase before[] = {{"jobspec", l->loaded_s}, {"topology", l->machine_s}};
    struct run r = {
        .cli = cli, .spec = spec, .tree = l->machine->tree, .several = l->several};
    r.progress = (struct progress){.terminal = &cli->terminal,
                                   .quiet = cli->verbosity < LOG_NORMAL};
    struct engine_options opt = {.force = args_has(&cli->args, "force"),
                                 .resume = l->resume,
                                 .verbosity = cli->verbosity,
                                 .before = before,
                                 .n_before = N_OF(before)};
    struct engine_events events = {.ctx = &r, .event = on_event};
    int code = engine_run(spec, l->machine, &opt, &events, &err);
    code = finish(&r, code, &err);
    *ret_json = r.json;
    progress_free(&r.progress);
    str_free(&r.text);
    return code;
}
