/* One job from its plan to its outcome: one launch, and others where that one is lost
 * (jobspec key on-loss). Invariant: once we end, no process of a launch is left on this
 * host; and the folder goes only when the results file is whole or nothing at all was
 * committed. */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "child.h"
#include "engine.h"
#include "folder.h"
#include "launch/alloc.h"
#include "launch/sessiondir.h"
#include "notify.h"
#include "outcome.h"
#include "receipts.h"
#include "relay.h"
#include "resume.h"
#include "seats.h"
#include "stop.h"
#include "summary.h"
#include "tend.h"
#include <ctype.h>
#include <inttypes.h>
#include <math.h>

/* s that mpirun's ranks have to come up: on one host, on several. srun may wait for other
 * steps for as long as it takes. */
static const double start_limit = 120, start_limit_several = 600;

struct run {
    const struct jobspec *spec;
    const struct engine_options *opt;
    const struct engine_machine *machine;
    struct engine_machine left; /* of what is left after a loss */
    const struct resume *resume;
    struct resume found; /* what `resume` is where nobody gave us one */
    struct plan *plan;
    struct launch_line *line;
    char *runner;
    struct folder *folder;
    struct child child;
    struct relay relay;
    struct tend tend;
    double start, end; /* clock_monotonic; unix s when the ranks shall drain, 0: never */
    struct outcome outcome;
    double outcome_s; /* spent on reading it */
    unsigned restarts;
    char failed_start[256]; /* why the last launch did not come up; "": it did */
    bool hopeless;          /* two did not, for the same cause */
    struct engine_phase phases[WIRE_PHASES + 16];
    unsigned n_phases, n_before;
};

static void add_phase(struct run *r, const char *name, double s)
{
    if (r->n_phases < sizeof(r->phases) / sizeof(r->phases[0]))
        r->phases[r->n_phases++] = (struct engine_phase){name, s};
}

static void tell(struct run *r,
                 enum engine_event_kind kind,
                 const char *text,
                 const struct summary *summary)
{
    struct engine_event e = {
        .kind = kind, .plan = r->plan, .line = r->line, .text = text, .summary = summary};
    relay_tell(&r->relay, &e);
}

double engine_drain_time(const struct jobspec *spec)
{
    struct alloc a;
    alloc_read(&a);
    double now = clock_unix(), own = spec->time > 0 ? now + spec->time : 0;
    double given = a.end > 0 ? a.end - spec->grace : 0;
    return given > 0 && (own <= 0 || given < own) ? given : own;
}

/* A batch job that Slurm started again goes on with what it finds. */
static int find_resume(struct run *r, struct gm_error *err)
{
    struct alloc a;
    alloc_read(&a);
    r->resume = r->opt->resume;
    if (r->resume != NULL || a.restarts == 0 || r->opt->force)
        return 0;
    int rc = resume_find(r->spec, &r->found, err);
    if (rc == 0)
        r->resume = &r->found;
    return rc == 0 || rc == -ENOENT || rc == -EALREADY ? 0 : rc;
}

/* What was planned before this launch; NULL: nothing. */
static const struct plan *plan_before(const struct run *r, const struct plan *last)
{
    return last != NULL ? last : r->resume != NULL ? r->resume->plan : NULL;
}

/* The plan and its line, of the first launch or of a later one. */
static int make_plan(struct run *r,
                     const struct jobspec *spec,
                     const struct plan *last,
                     struct gm_error *err)
{
    const struct plan *before = plan_before(r, last);
    AUTO(plan) plan = NULL;
    int rc = engine_plan(spec, r->machine->tree, r->machine->backend->name, &plan, err);
    if (rc == 0 && before != NULL) {
        bool again = last == NULL && r->resume->again; /* asked once, not a launch */
        rc = resume_check_plan(before, plan, err);
        resume_number(before, again, plan);
    }
    if (rc < 0)
        return rc;
    plan->end = r->end;
    if (before == NULL)
        plan->began = clock_unix();
    rc = engine_line(plan, r->machine, r->runner, &r->line, err);
    if (rc == 0)
        r->plan = steal(&plan);
    return rc < 0 ? -EINVAL : 0;
}

static int write_rankfile(const struct run *r, struct gm_error *err)
{
    AUTO_STR name = {0};
    if (r->line->rankfile == NULL)
        return 0;
    str_printf(&name, "%s/rankfile", r->plan->folder);
    return file_write(name.text, r->line->rankfile, strlen(r->line->rankfile), err);
}

/* Everything that can be refused is, before anything is written; then the folder is
 * taken. */
static int prepare(struct run *r, enum engine_exit *ret_code, struct gm_error *err)
{
    *ret_code = ENGINE_USAGE;
    int rc = find_resume(r, err);
    if (rc == 0 && jobspec_seated(r->spec))
        rc = seats_check_folder(r->spec, err);
    if (rc == 0)
        rc = engine_find_runner(r->opt->runner, &r->runner, err);
    if (rc < 0)
        return rc;
    rc = make_plan(r, r->spec, NULL, err);
    if (rc < 0) {
        *ret_code = engine_exit_for(rc);
        return rc;
    }
    double planned = clock_monotonic();
    add_phase(r, "plan", planned - r->start);
    rc = r->resume != NULL ? folder_resume(r->plan, r->resume->folder, &r->folder, err)
                           : folder_open(r->plan, r->opt->force, &r->folder, err);
    if (rc == 0)
        rc = write_rankfile(r, err);
    add_phase(r, "folder", clock_monotonic() - planned);
    return rc;
}

static void add_run_phases(struct run *r, double spawned, double over)
{
    const struct relay *relay = &r->relay;
    double launch = relay->started_at - spawned;
    for (unsigned i = 0; i < relay->last.n_phases; i++) {
        const struct wire_phase *p = &relay->last.phases[i];
        bool later = strcmp(p->name, "tasks") == 0 || strcmp(p->name, "pack") == 0;
        launch -= later ? 0 : p->s; /* what the ranks did before they were up */
    }
    if (relay->started)
        add_phase(r, "launch", launch);
    for (unsigned i = 0; i < relay->last.n_phases; i++)
        add_phase(r, relay->last.phases[i].name, relay->last.phases[i].s);
    if (relay->ended)
        add_phase(r, "finalize", over - relay->ended_at);
}

/* NAME.summary.json beside the results file. A summary that cannot be written is a note:
 * the results themselves are whole. */
static void write_summary(const struct run *r, const struct summary *s)
{
    AUTO_FREE(char) path = summary_path(r->plan->results);
    AUTO_FREE(char) text = summary_json(s);
    struct gm_error err = {0};
    if (file_write(path, text, strlen(text), &err) != 0) {
        AUTO_STR note = {0};
        str_printf(&note, "note: the summary was not written: %s", err.text);
        struct engine_event e = {.kind = ENGINE_SAID, .text = note.text};
        relay_tell(&r->relay, &e);
    }
}

/* Where people want to know what jobs used: a line there is no part of the job. */
static void write_receipt(const struct run *r, const struct summary *s)
{
    struct gm_error err = {0};
    if (receipts_write(s, &err) != 0) {
        AUTO_STR note = {0};
        str_printf(&note, "note: the receipt was not noted: %s", err.text);
        struct engine_event e = {.kind = ENGINE_SAID, .text = note.text};
        relay_tell(&r->relay, &e);
    }
}

static enum engine_exit finish(struct run *r, struct gm_error *err)
{
    struct outcome *o = &r->outcome;
    bool spent = o->packed && o->code != ENGINE_INCOMPLETE;
    if (o->empty)
        folder_drop(r->folder);
    else if (spent && folder_remove(r->folder, NULL) != 0)
        tell(r, ENGINE_SAID, "note: the job folder could not be removed", NULL);
    if (o->summary != NULL) {
        add_phase(r, "outcome", r->outcome_s);
        add_phase(r, "total", clock_monotonic() - r->start);
        summary_add_phases(o->summary, r->phases, r->n_phases);
        if (o->packed)
            write_summary(r, o->summary);
        write_receipt(r, o->summary);
    }
    tell(r, ENGINE_ENDED, o->code == ENGINE_DONE ? NULL : err->text, o->summary);
    return o->code;
}

static void say(void *ctx, const char *text)
{
    tell(ctx, ENGINE_SAID, text, NULL);
}

static void on_stopping(void *ctx, const char *why)
{
    tell(ctx, ENGINE_STOPPING, why, NULL);
}

static bool on_question(void *ctx)
{
    struct run *r = ctx;
    return outcome_root_lost(r->plan, NULL);
}

/* Ranks finalize meanwhile. */
static void on_ended(void *ctx)
{
    struct run *r = ctx;
    double start = clock_monotonic();
    outcome_read_early(r->plan, &r->outcome);
    r->outcome_s = clock_monotonic() - start;
}

static unsigned hosts_of(const struct plan *plan)
{
    unsigned n = 1;
    for (unsigned i = 1; i < plan->n_ranks; i++)
        n += strcmp(plan->ranks[i].host, plan->ranks[0].host) != 0;
    return n;
}

/* Numbers (of processes, in names of files) differ from launch to launch. */
static void leave_out_numbers(const char *text, char *ret)
{
    for (; *text != '\0'; text++) {
        if (isxdigit((unsigned char)*text) == 0)
            *ret++ = *text;
    }
    *ret = '\0';
}

/* A launch that fails at its start as the one before did would go on doing so. Who killed
 * it by hand is no such cause, nor what passes by itself. */
static void note_start(struct run *r)
{
    char now[sizeof(r->failed_start)] = "";
    bool failed = !r->relay.started && r->child.end.signal == 0 &&
                  r->outcome.diagnosis != DIAGNOSIS_PASSING;
    if (failed)
        leave_out_numbers(r->outcome.cause, now);
    r->hopeless = failed && strcmp(now, r->failed_start) == 0 && r->restarts > 0;
    memcpy(r->failed_start, now, sizeof(now));
}

/* One launch to its end; what it came to is in r->outcome. */
static int launch(struct run *r, struct gm_error *err)
{
    double spawned = clock_monotonic(), left = r->end - clock_unix();
    bool several = hosts_of(r->plan) > 1 || r->plan->elsewhere;
    bool ours = r->machine->backend == &launch_mpirun;
    AUTO(sessiondir) session = ours && !several ? sessiondir_make() : NULL;
    const char *more[] = {session != NULL ? sessiondir_env(session) : NULL, NULL};
    r->tend = (struct tend){.relay = &r->relay,
                            .env = more,
                            .start = !ours     ? (double)INFINITY
                                     : several ? start_limit_several
                                               : start_limit,
                            .deadline = r->end > 0 ? spawned + left : (double)INFINITY,
                            .grace = r->spec->grace,
                            .several = several,
                            .parent = !r->plan->elsewhere && ours,
                            .ctx = r,
                            .stopping = on_stopping,
                            .ended = on_ended,
                            .bereft = on_question};
    int rc = tend_launch(&r->tend, r->line, &r->child, err);
    if (rc < 0)
        return rc;
    double over = clock_monotonic();
    add_run_phases(r, spawned, over);
    AUTO_STR noted = {0};
    bool tells = r->tend.noted && outcome_root_lost(r->plan, &noted);
    const char *why = tells              ? noted.text
                      : r->tend.silent   ? "rank 0 was not heard of any more"
                      : r->tend.deserted ? "all ranks were lost"
                      : r->tend.stuck    ? "the ranks did not start in time"
                                         : r->tend.why;
    outcome_read(r->plan, &r->relay, &r->child, why, &r->outcome, err);
    r->outcome_s += clock_monotonic() - over;
    note_start(r);
    return 0;
}

/* Rank 0, its host or its launcher is gone: others may run the rest. A launch that never
 * came up is taken for a loss where it was killed, or an earlier one did come up. */
static bool was_lost(const struct run *r)
{
    bool up = r->relay.started || r->tend.deserted || r->tend.stuck ||
              r->outcome.killed || r->outcome.diagnosis == DIAGNOSIS_PASSING ||
              tend_lost(&r->relay) || r->restarts > 0;
    up = up && r->outcome.diagnosis != DIAGNOSIS_NO_ROOM;
    return r->outcome.code == ENGINE_INCOMPLETE && r->tend.why == NULL &&
           stop_asked() == 0 && up && (!r->relay.ended || tend_lost(&r->relay));
}

static bool may_restart(const struct run *r)
{
    return was_lost(r) && !r->spec->stop_on_loss && !r->hopeless &&
           r->restarts < r->spec->restarts;
}

static void say_restart(struct run *r)
{
    AUTO_STR text = {0};
    const struct summary *s = r->outcome.summary;
    str_printf(&text,
               "note: %s; the rest is launched again (%u of %u)",
               r->outcome.cause,
               r->restarts,
               r->spec->restarts);
    if (s != NULL)
        str_printf(&text,
                   ": %" PRIu64 " of %" PRIu64 " tasks are committed",
                   summary_committed(s),
                   summary_tasks(s));
    tell(r, ENGINE_SAID, text.text, NULL);
}

/* What the launch held is let go of; the lock is not. */
static void forget_launch(struct run *r)
{
    const struct engine_events *events = r->relay.events;
    bool verbose = r->relay.verbose;
    child_close(&r->child);
    launch_line_free(r->line);
    r->line = NULL;
    relay_free(&r->relay);
    r->relay = (struct relay){.events = events, .verbose = verbose};
    r->relay.last.left = -1;
    summary_free(r->outcome.summary);
    r->outcome = (struct outcome){0};
    r->n_phases = r->n_before;
}

/* A job for fewer hosts than it was written for takes what it gets. */
static int plan_rest(struct run *r, const struct plan *last, struct gm_error *err)
{
    int rc = make_plan(r, r->spec, last, err);
    bool fewer = r->spec->ranks > 0 && !jobspec_seated(r->spec);
    if ((rc == -EOVERFLOW || rc == -ENOSPC) && fewer) {
        struct jobspec spec = *r->spec;
        spec.ranks = spec.nodes = spec.ranks_per_node = 0;
        rc = make_plan(r, &spec, last, err);
    }
    return rc;
}

/* 0: the next launch can start. -EALREADY: the lost one finished the job after
 * all. */
static int prepare_again(struct run *r, struct gm_error *err)
{
    AUTO(plan) last = steal(&r->plan);
    struct engine_machine left = {0};
    int rc = 0;
    forget_launch(r);
    if (r->machine->elsewhere)
        rc = engine_machine_left(r->machine, r->runner, last->folder, &left, err);
    if (rc == 0 && left.tree != NULL) {
        engine_machine_free(&r->left);
        r->left = left;
        r->machine = &r->left;
    }
    if (rc == 0)
        rc = plan_rest(r, last, err);
    if (rc == 0)
        rc = folder_again(r->folder, r->plan, err);
    if (rc == 0)
        rc = write_rankfile(r, err);
    if (rc < 0) {
        plan_free(r->plan);
        r->plan = steal(&last);
    }
    return rc;
}

/* No further launch: what there is, in the words of why. */
static void give_up(struct run *r, int rc, struct gm_error *err)
{
    AUTO_STR why = {0};
    str_printf(&why, "%s", rc == -EALREADY ? "" : err->text);
    outcome_read(r->plan, &r->relay, &r->child, why.text, &r->outcome, err);
}

static enum engine_exit run(struct run *r, struct gm_error *err)
{
    int rc = launch(r, err);
    if (rc < 0) {
        folder_drop(r->folder);
        return ENGINE_USAGE;
    }
    while (rc == 0 && may_restart(r)) {
        r->restarts++;
        say_restart(r);
        rc = prepare_again(r, err);
        if (rc == 0) {
            tell(r, ENGINE_PLANNED, NULL, NULL);
            rc = launch(r, err);
        }
        if (rc < 0)
            give_up(r, rc, err);
    }
    if (r->hopeless && was_lost(r))
        tell(r,
             ENGINE_SAID,
             "note: two launches failed at their start the same way: "
             "there is no third",
             NULL);
    enum engine_exit code = finish(r, err);
    child_close(&r->child);
    notify_run(r->spec, code, say, r);
    return code;
}

int engine_run(const struct jobspec *spec,
               const struct engine_machine *machine,
               const struct engine_options *opt,
               const struct engine_events *events,
               struct gm_error *err)
{
    struct gm_error own = {0};
    if (err == NULL)
        err = &own;
    struct run *r = xcalloc(1, sizeof(*r));
    *r = (struct run){.spec = spec, .opt = opt, .machine = machine};
    r->child = (struct child){.pidfd = -1, .out = -1, .err = -1, .ended = true};
    r->relay.events = events;
    r->relay.verbose = opt->verbosity > 0;
    r->relay.last.left = -1;
    for (unsigned i = 0; i < opt->n_before && i < 8; i++)
        add_phase(r, opt->before[i].name, opt->before[i].s);
    r->n_before = r->n_phases;
    stop_reset();
    r->start = clock_monotonic();
    r->end = engine_drain_time(spec);
    enum engine_exit code = ENGINE_INTERNAL;
    if (prepare(r, &code, err) == 0) {
        tell(r, ENGINE_PLANNED, NULL, NULL);
        code = run(r, err);
    } else if (r->folder != NULL) {
        folder_drop(r->folder);
    }
    folder_close(r->folder);
    engine_machine_free(&r->left);
    resume_clear(&r->found);
    launch_line_free(r->line);
    summary_free(r->outcome.summary);
    plan_free(r->plan);
    relay_free(&r->relay);
    free(r->runner);
    free(r);
    return (int)code;
}
