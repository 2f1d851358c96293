/* One job from its plan to its outcome. Invariant: once the launcher has ended, so do we,
 * with no process of it left on this host; and the folder goes only when the results file
 * is whole or nothing at all was committed. */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "child.h"
#include "engine.h"
#include "folder.h"
#include "notify.h"
#include "outcome.h"
#include "relay.h"
#include "seats.h"
#include "stop.h"
#include "summary.h"
#include <math.h>
#include <poll.h>
#include <signal.h>

/* Seconds that ranks have to drain, and then to die, before the next, harder step. */
static const double drain_limit = 60, term_limit = 10;
/* Seconds from the ranks' last word to the launcher's end that are no hang. */
static const double end_limit = 60;

enum step {
    RUNNING,
    DRAINING,    /* SIGUSR1: ranks commit what they have */
    TERMINATING, /* SIGTERM: the launcher ends them */
    KILLED
};

struct run {
    const struct jobspec *spec;
    const struct engine_options *opt;
    struct plan *plan;
    struct launch_line *line;
    struct folder *folder;
    struct child child;
    struct relay relay;
    enum step step;
    double step_limit; /* clock_monotonic when the next step is due */
    unsigned heard;    /* requests to stop that made a step; the clock makes them, too */
    struct outcome outcome;
    double outcome_s; /* spent on reading it */
    const char *why;  /* what stopped it, or NULL */
    struct engine_phase phases[WIRE_PHASES + 16];
    unsigned n_phases;
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

/* Everything that can be refused is, before anything is written; then the folder is
 * taken. */
static int prepare(struct run *r,
                   const struct engine_machine *machine,
                   enum engine_exit *ret_code,
                   struct gm_error *err)
{
    double start = clock_monotonic();
    int rc = engine_plan(r->spec, machine->tree, machine->backend->name, &r->plan, err);
    *ret_code = engine_exit_for(rc);
    if (rc != 0)
        return rc;
    AUTO_FREE(char) runner = NULL;
    *ret_code = ENGINE_USAGE;
    if (jobspec_seated(r->spec))
        rc = seats_check_folder(r->spec, err);
    if (rc == 0)
        rc = engine_find_runner(r->opt->runner, &runner, err);
    if (rc == 0)
        rc = engine_line(r->plan, machine, runner, &r->line, err);
    if (rc != 0)
        return rc;
    double planned = clock_monotonic();
    add_phase(r, "plan", planned - start);
    rc = folder_open(r->plan, r->opt->force, &r->folder, err);
    if (rc == 0 && r->line->rankfile != NULL) {
        AUTO_STR name = {0};
        str_printf(&name, "%s/rankfile", r->plan->folder);
        rc = file_write(name.text, r->line->rankfile, strlen(r->line->rankfile), err);
    }
    add_phase(r, "folder", clock_monotonic() - planned);
    return rc;
}

/* Reads what is there; closes the descriptor at its end. */
static void
drain(int *fd, struct relay *relay, void (*take)(struct relay *, const char *, size_t))
{
    char buf[16384];
    while (*fd >= 0) {
        ssize_t n = read(*fd, buf, sizeof(buf));
        if (n > 0) {
            take(relay, buf, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            (void)close(*fd);
            *fd = -1;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void set_step(struct run *r, enum step step, double limit)
{
    r->step = step;
    r->step_limit = clock_monotonic() + limit;
}

/* Before the ranks are up nobody listens to SIGUSR1 (it would kill them, and mpirun too).
 */
static void begin_stop(struct run *r, const char *why)
{
    if (r->why == NULL)
        r->why = why;
    bool listens = r->relay.started;
    child_signal(&r->child, listens ? SIGUSR1 : SIGTERM);
    set_step(r, listens ? DRAINING : TERMINATING, listens ? drain_limit : term_limit);
    tell(r, ENGINE_STOPPING, r->why, NULL);
}

static void terminate(struct run *r)
{
    child_signal(&r->child, SIGTERM);
    set_step(r, TERMINATING, term_limit);
}

/* Takes the next step towards the end when it is asked for or due. */
static void mind_stop(struct run *r, double deadline)
{
    bool asked = stop_asked() > r->heard;
    double now = clock_monotonic();
    bool hangs = r->relay.ended && now >= r->relay.ended_at + end_limit;
    switch (r->step) {
    case RUNNING:
        if (asked)
            begin_stop(r, "stopped on request");
        else if (now >= deadline && !r->relay.ended)
            begin_stop(r, "the job's time is over");
        else if (hangs)
            terminate(r);
        break;
    case DRAINING:
        if (asked || now >= r->step_limit)
            terminate(r);
        break;
    case TERMINATING:
        if (asked || now >= r->step_limit) {
            child_kill(&r->child);
            set_step(r, KILLED, (double)INFINITY);
        }
        break;
    case KILLED:
        break;
    }
    r->heard += asked;
}

/* Sleeps until there is something to read, the launcher ends, a signal comes or a limit.
 */
static void await(const struct run *r, double deadline, const sigset_t *mask)
{
    double until = r->step != RUNNING ? r->step_limit
                   : r->relay.ended   ? r->relay.ended_at + end_limit
                                      : deadline;
    double left = until - clock_monotonic();
    bool blind = r->child.pidfd < 0; /* then the end is polled for */
    double most = blind ? 0.05 : 3600;
    left = left < 0 ? 0 : left > most ? most : left;
    struct timespec t = {.tv_sec = (time_t)left,
                         .tv_nsec = (long)(1e9 * (left - floor(left)))};
    struct pollfd fds[] = {{.fd = r->child.out, .events = POLLIN},
                           {.fd = r->child.err, .events = POLLIN},
                           {.fd = r->child.pidfd, .events = POLLIN}};
    (void)ppoll(fds, 3, &t, mask);
}

/* What is done once, when it can be. */
static void mind_events(struct run *r, bool *family, bool *outcome)
{
    if (r->relay.started && !*family) {
        child_know_family(&r->child);
        *family = true;
    }
    if (r->relay.ended && !*outcome) { /* ranks finalize meanwhile */
        double start = clock_monotonic();
        outcome_read_early(r->plan, &r->outcome);
        r->outcome_s = clock_monotonic() - start;
        *outcome = true;
    }
}

static void loop(struct run *r, double deadline)
{
    /* Signals come in only while ppoll waits: none is lost between the look and the wait.
     */
    sigset_t stops, before;
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &stops, &before);
    bool family = false, outcome = false;
    while (!r->child.ended) {
        mind_stop(r, deadline);
        await(r, deadline, &before);
        drain(&r->child.out, &r->relay, relay_out);
        drain(&r->child.err, &r->relay, relay_err);
        mind_events(r, &family, &outcome);
        child_poll(&r->child);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    drain(&r->child.out, &r->relay, relay_out);
    drain(&r->child.err, &r->relay, relay_err);
    relay_flush(&r->relay);
    child_kill(&r->child); /* ranks whose launcher was killed */
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

static enum engine_exit finish(struct run *r, double start, struct gm_error *err)
{
    struct outcome *o = &r->outcome;
    double over = clock_monotonic();
    outcome_read(r->plan, &r->relay, &r->child, r->why, o, err);
    r->outcome_s += clock_monotonic() - over;
    bool spent = o->empty || (o->packed && o->code != ENGINE_INCOMPLETE);
    if (spent && folder_remove(r->folder, NULL) != 0)
        tell(r, ENGINE_SAID, "note: the job folder could not be removed", NULL);
    if (o->summary != NULL) {
        add_phase(r, "outcome", r->outcome_s);
        add_phase(r, "total", clock_monotonic() - start);
        summary_add_phases(o->summary, r->phases, r->n_phases);
        if (o->packed)
            write_summary(r, o->summary);
    }
    tell(r, ENGINE_ENDED, o->code == ENGINE_DONE ? NULL : err->text, o->summary);
    summary_free(o->summary);
    return o->code;
}

static void say(void *ctx, const char *text)
{
    tell(ctx, ENGINE_SAID, text, NULL);
}

static enum engine_exit run(struct run *r, double start, struct gm_error *err)
{
    double spawned = clock_monotonic();
    double deadline = r->spec->time > 0 ? spawned + r->spec->time : (double)INFINITY;
    int rc = child_start(r->line, &r->child, err);
    if (rc != 0) {
        (void)folder_remove(r->folder, NULL);
        return ENGINE_USAGE;
    }
    loop(r, deadline);
    add_run_phases(r, spawned, clock_monotonic());
    enum engine_exit code = finish(r, start, err);
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
    *r = (struct run){.spec = spec, .opt = opt};
    r->relay.events = events;
    r->relay.verbose = opt->verbosity > 0;
    r->relay.last.left = -1;
    for (unsigned i = 0; i < opt->n_before && i < 8; i++)
        add_phase(r, opt->before[i].name, opt->before[i].s);
    stop_reset();
    double start = clock_monotonic();
    enum engine_exit code = ENGINE_INTERNAL;
    if (prepare(r, machine, &code, err) == 0) {
        tell(r, ENGINE_PLANNED, NULL, NULL);
        code = run(r, start, err);
    } else if (r->folder != NULL) {
        (void)folder_remove(r->folder, NULL);
    }
    folder_close(r->folder);
    launch_line_free(r->line);
    plan_free(r->plan);
    relay_free(&r->relay);
    free(r);
    return (int)code;
}
