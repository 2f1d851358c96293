/* See notify.h. Invariant: a command that was started is over, or killed with its group,
 * before the next one starts; nothing here changes the job's outcome. */
#include "notify.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/proc.h"
#include "base/str.h"
#include "child.h"
#include "stop.h"
#include <signal.h>
#include <unistd.h>

static const double limit = 60, nap = 0.01; /* s */

static const char *outcome_name(enum engine_exit code)
{
    switch (code) {
    case ENGINE_DONE:
        return "done";
    case ENGINE_INCOMPLETE:
        return "incomplete";
    default:
        return "failed";
    }
}

/* ${results} is the one reference that a notify command has. */
static char *print_word(const struct jobspec *spec, const struct jobspec_template *t)
{
    AUTO_STR word = {0};
    for (unsigned i = 0; i < t->n; i++)
        str_add(&word, t->pieces[i].ref != NULL ? spec->results : t->pieces[i].text);
    return xstrdup(str_text(&word));
}

/* Waits for its end; what went wrong, or "". */
static void await(pid_t pid, struct str *wrong)
{
    double until = clock_monotonic() + limit;
    unsigned asked = stop_asked();
    struct proc_end end = {0};
    while (proc_reap(pid, false, &end) == 0) {
        bool late = clock_monotonic() > until;
        if (late || stop_asked() > asked) {
            proc_signal_group(pid, SIGKILL);
            (void)proc_reap(pid, true, &end);
            str_add(wrong, late ? "killed after 60 s" : "killed: stopped on request");
            return;
        }
        clock_sleep(nap);
    }
    if (end.signal != 0)
        str_printf(wrong, "ended by signal %d (%s)", end.signal, strsignal(end.signal));
    else if (end.status != 0)
        str_printf(wrong, "exit status %d", end.status);
}

static void run_one(const char *const *argv, const char *const *env, struct str *wrong)
{
    struct proc_spec proc = {
        .argv = argv, .env = env, .in = -1, .out = STDERR_FILENO, .err = STDERR_FILENO};
    struct gm_error err = {0};
    pid_t pid;
    if (proc_spawn(&proc, &pid, &err) != 0)
        str_add(wrong, err.text);
    else
        await(pid, wrong);
}

void notify_run(const struct jobspec *spec,
                enum engine_exit code,
                void (*warn)(void *ctx, const char *text),
                void *ctx)
{
    const struct jobspec_template *word = spec->notify;
    AUTO_STR job = {0};
    AUTO_STR outcome = {0};
    AUTO_STR results = {0};
    str_printf(&job, "GRIDMILL_JOB=%s", spec->name);
    str_printf(&outcome, "GRIDMILL_OUTCOME=%s", outcome_name(code));
    str_printf(&results, "GRIDMILL_RESULTS=%s", spec->results);
    const char *const add[] = {job.text, outcome.text, results.text, NULL};
    AUTO_FREE(const char *) env = child_environment(add);
    for (unsigned i = 0; i < spec->n_notify; i++) {
        unsigned n = spec->notify_words[i];
        char **argv = xcalloc(n + 1u, sizeof(*argv));
        for (unsigned k = 0; k < n; k++)
            argv[k] = print_word(spec, word++);
        AUTO_STR wrong = {0};
        run_one((const char *const *)argv, env, &wrong);
        if (wrong.len > 0) {
            AUTO_STR text = {0};
            str_printf(
                &text, "warning: notify[%u] (%s): %s", i, argv[0], str_text(&wrong));
            warn(ctx, text.text);
        }
        for (unsigned k = 0; k < n; k++)
            free(argv[k]);
        free(argv);
    }
}
