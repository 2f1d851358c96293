/* gridmill-runner: one rank of a job. The steps of main are the life of a rank; every
 * rank takes each of them together with the others. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/version.h"
#include "dying.h"
#include "engine/summary.h"
#include "options.h"
#include "probe.h"
#include "result/checkpoint.h"
#include "selftest.h"
#include "session.h"
#include "siblings.h"
#include <inttypes.h>
#include <signal.h>

/* Ranks are started at once: who is not there by then died before we looked. */
static const double START_WITHIN = 5; /* s */

static atomic_int stop; /* enum pulse_stop */
static atomic_int last_status;
static struct tell tell_as; /* as main's, before the first rank is known */

/* Who sends SIGUSR1 (gridmill, Slurm's --signal) gives us time. After SIGTERM and SIGINT
 * a launcher has little: mpirun a second. A second SIGUSR1 is no echo of the first, which
 * may come by two ways. */
static void on_signal(int number)
{
    static const double echo = 1; /* s */
    static _Atomic double first;
    double now = clock_monotonic(), since = 0;
    int asked = PULSE_GO;
    if (number == SIGTERM || number == SIGINT)
        dying_asked(); /* we go with all others */
    if (atomic_compare_exchange_strong(&first, &since, now))
        since = now;
    if ((number != SIGUSR1 && number != SIGUSR2) || now - since > echo)
        atomic_store(&stop, PULSE_END);
    else
        (void)atomic_compare_exchange_strong(&stop, &asked, PULSE_DRAIN);
}

static void catch_signals(void)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        (void)sigaction(caught[i], &act, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* A mis-launch, or MPI that does not start: nobody to agree with, so each rank ends by
 * itself; one line is enough where the launcher said which rank this is. */
static int refuse(struct rank *r, const struct tell *tell, const struct gm_error *err)
{
    struct tell words = *tell;
    words.silent = !alloc_speaks(&r->alloc);
    tell_ended(&words, "refused", ENGINE_USAGE, err->text);
    rank_close(r);
    return ENGINE_USAGE;
}

/* No task is over, and none was saved: nobody could want the folder. */
static bool nothing_kept(const struct plan *plan, const struct session_end *end)
{
    const struct farm_counts *c = &end->counts;
    return !end->complete && c->done + c->failed + c->skipped == 0 &&
           (plan == NULL || !checkpoint_any(plan->folder));
}

/* What the records say, under a foreign launcher: the summary, or how to read what is
 * there. */
static enum engine_exit conclude(const struct plan *plan,
                                 const struct session_end *end,
                                 struct tell *tell,
                                 bool draw)
{
    AUTO(summary) summary = NULL;
    struct gm_error err = {0};
    AUTO_STR text = {0};
    if (nothing_kept(plan, end)) {
        tell_ended(tell,
                   "incomplete",
                   ENGINE_INCOMPLETE,
                   "stopped on request: no task was committed, nothing is left behind");
        return ENGINE_INCOMPLETE;
    }
    if (!end->complete) {
        char sentence[512];
        (void)snprintf(sentence,
                       sizeof(sentence),
                       "%s: stopped with %" PRIu64 " of %" PRIu64
                       " tasks done%s; they are in %s: gridmill resume %s (or mpirun "
                       "gridmill-runner --resume %s) runs the rest",
                       plan->results,
                       end->counts.done,
                       end->counts.total,
                       end->counts.late ? ", no other fits in the time that is left" : "",
                       plan->folder,
                       plan->results,
                       plan->results);
        tell_ended(tell, "incomplete", ENGINE_INCOMPLETE, sentence);
        return ENGINE_INCOMPLETE;
    }
    enum engine_exit code =
        end->counts.failed + end->counts.skipped > 0 ? ENGINE_TASK_FAILED : ENGINE_DONE;
    if (draw && !tell->quiet && summary_load(plan->results, &summary, &err) == 0) {
        summary_draw(summary, false, false, &text);
        (void)fputs(str_text(&text), stdout);
    }
    tell_ended(tell, code == ENGINE_DONE ? "done" : "failed", code, NULL);
    return code;
}

/* A failure that all ranks know. Disk full and the like leave what was committed. */
static enum engine_exit
conclude_failure(int code, bool began, struct tell *tell, const struct gm_error *err)
{
    enum engine_exit exit_code = engine_exit_for(code);
    if (began && code != -EINVAL)
        exit_code = ENGINE_INCOMPLETE;
    tell_ended(tell, began ? "incomplete" : "refused", exit_code, err->text);
    return exit_code;
}

/* What the ranks came to, on rank 0; the others learn it as they leave. */
static enum engine_exit conclude_all(int rc,
                                     const struct planning *p,
                                     const struct session_end *end,
                                     bool began,
                                     struct tell *tell,
                                     struct gm_error *err)
{
    if (end->lost) {
        tell_ended(tell,
                   "lost",
                   ENGINE_INCOMPLETE,
                   "the ranks gave rank 0 up, which did not run for too long");
        return ENGINE_INCOMPLETE;
    }
    if (rc < 0)
        return conclude_failure(rc, began, tell, err);
    return conclude(p->plan, end, tell, !tell->events);
}

/* How many ranks this host has, with us; 0: not known. */
static unsigned siblings_of(const struct alloc *a)
{
    return a->launcher == ALLOC_OURS && a->local_size > 0 ? (unsigned)a->local_size : 0;
}

static void on_left_sibling(bool first)
{
    (void)first;
    _exit(atomic_load(&last_status));
}

static void on_alarm(int number)
{
    (void)number;
    _exit(atomic_load(&last_status));
}

/* The window's end and MPI_Finalize wait for all, and one may die on its way there: this
 * process ends as it would when another of its host has, or after a while. */
static void limit_leaving(const struct rank *r, int code)
{
    static const unsigned patience = 20; /* s */
    bool ours = r->alloc.launcher == ALLOC_OURS;
    atomic_store(&last_status, ours ? ENGINE_DONE : code); /* our engine read the event */
    (void)fflush(NULL);
    siblings_watch(siblings_of(&r->alloc), 0, on_left_sibling);
    (void)signal(SIGALRM, on_alarm);
    (void)alarm(patience);
}

/* *ret_all: no rank is missing. */
static void
run(const struct rank *r, const struct options *o, struct tell *tell, bool *ret_all)
{
    struct gm_error err = {0};
    struct planning p = {0};
    struct session_end end = {0};
    struct session *session = NULL;
    double began = clock_monotonic();
    int rc = planning_make(r, &o->request, &p, &err);
    if (rc == 0)
        rc = planning_settle(r, &p, &err);
    tell_phase(tell, "settle", clock_monotonic() - began);
    bool ready = rc == 0;
    struct session_request req = {.rank = r, .planning = &p, .tell = tell, .stop = &stop};
    if (ready)
        rc = session_run(&req, &session, &end, &err);
    int32_t code = ENGINE_DONE;
    if (r->world == 0)
        code = conclude_all(rc, &p, &end, ready, tell, &err);
    *ret_all = true;
    if (session != NULL)
        *ret_all = session_leave(session, &code);
    else
        (void)rank_share(0, &code, sizeof(code), NULL);
    limit_leaving(r, code);
    if (!*ret_all)
        return;
    if (session != NULL)
        session_free(session);
    if (nothing_kept(p.plan, &end))
        planning_drop(&p);
    else
        planning_free(&p);
}

/* Before the ranks watch each other: one that dies would leave all in a collective. */
static void on_lost_sibling(bool first)
{
    struct tell tell = tell_as; /* of this rank, whatever its number */
    tell.silent = !first;
    tell_ended(&tell,
               "lost",
               ENGINE_INCOMPLETE,
               "a rank was lost before the first task: nothing was begun");
    _exit(ENGINE_INCOMPLETE);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct rank r = {0};
    struct gm_error err = {0};
    log_open("gridmill-runner", LOG_NORMAL);
    if (argc > 1 && strcmp(argv[1], "--probe") == 0) /* no rank: a host speaks */
        return probe_run(argc - 2, argv + 2);
    if (options_read(argc, argv, &o, &err) < 0) {
        log_error("%s", err.text);
        return ENGINE_USAGE;
    }
    log_open("gridmill-runner",
             o.quiet     ? LOG_QUIET
             : o.verbose ? LOG_VERBOSE
                         : LOG_NORMAL);
    if (o.mode == OPTIONS_HELP)
        return fputs(options_help(), stdout) < 0;
    if (o.mode == OPTIONS_VERSION)
        return printf("gridmill-runner %s\n", version_build()) < 0;
    if (o.mode == OPTIONS_SELF_TEST)
        return selftest_run(&argc, &argv);

    struct tell tell = {.events = o.events, .quiet = o.quiet};
    struct alloc alloc;
    catch_signals();
    tell.start = clock_monotonic();
    tell_as = tell;
    alloc_read(&alloc);
    siblings_watch(siblings_of(&alloc), START_WITHIN, on_lost_sibling);
    if (rank_prepare(&r, &err) < 0 || rank_open(&r, &argc, &argv, &err) < 0)
        return refuse(&r, &tell, &err);
    tell.silent = r.world != 0;
    tell_phase(&tell, "init", r.inited - r.start);
    bool all;
    run(&r, &o, &tell, &all);
    if (!all)
        _exit(atomic_load(&last_status));
    options_free(&o);
    rank_close(&r);
    (void)alarm(0);
    return atomic_load(&last_status);
}
