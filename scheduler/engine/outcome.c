/* See outcome.h. Invariant: 0 is returned only when the results file of this very launch
 * is there and its commit records say that every task is done. */
#include "outcome.h"
#include "base/file.h"
#include "base/str.h"
#include "result/checkpoint.h"
#include "result/losses.h"

static struct summary *load_packed(const struct plan *plan, struct gm_error *err)
{
    AUTO(summary) s = NULL;
    if (summary_load(plan->results, &s, err) != 0) {
        err->code = -EINVAL; /* never -ENOENT: what is computed lies in the folder */
        return NULL;
    }
    if (strcmp(summary_id(s), plan->id) == 0)
        return steal(&s);
    (void)gm_fail(err, -EINVAL, "%s: is of another run", plan->results);
    return NULL;
}

/* The results of this launch: the packed file, or the shards. A file that is not ours
 * somebody else put there meanwhile; or, where failed tasks are run again, it is the one
 * that ours will replace. A later launch may end before its head is written: then the
 * folder has an earlier one's, and is ours all the same. */
static struct summary *
load(const struct plan *plan, bool *ret_packed, struct gm_error *err)
{
    AUTO(summary) s = NULL;
    bool packed = file_exists(plan->results), folder = file_exists(plan->folder);
    if (!packed && !folder) {
        (void)gm_fail(err, -ENOENT, "%s: was not written", plan->results);
        return NULL;
    }
    if (packed)
        s = load_packed(plan, err);
    *ret_packed = s != NULL;
    if (s != NULL || !folder || (packed && plan->launch == 0))
        return steal(&s);
    if (summary_load(plan->folder, &s, err) != 0)
        return NULL;
    if (plan->launch == 0 && strcmp(summary_id(s), plan->id) != 0) {
        (void)gm_fail(err, -EINVAL, "%s: is of another run", plan->folder);
        return NULL;
    }
    return steal(&s);
}

static const char *signal_text(int number)
{
    const char *text = sigabbrev_np(number);
    return text != NULL ? text : "?";
}

bool outcome_root_lost(const struct plan *plan, struct str *ret)
{
    struct losses losses;
    bool found = false;
    if (losses_read(plan->folder, &losses, NULL) != 0)
        return false;
    for (size_t i = 0; i < losses.n_ranks && !found; i++) {
        const struct losses_rank *l = &losses.ranks[i];
        found = l->rank == 0 && l->launch == plan->launch;
        if (found && ret != NULL)
            str_printf(ret, "rank 0 (%s) is lost: %s", plan->ranks[0].host, l->why);
    }
    losses_clear(&losses);
    return found;
}

/* The cause in a few words, best source first. */
static void cause(const struct plan *plan,
                  const struct relay *r,
                  const struct child *c,
                  const char *why,
                  struct str *out)
{
    char words[256];
    if (why != NULL)
        str_add(out, why);
    else if (r->last.kind == WIRE_ENDED && r->last.text[0] != '\0')
        str_add(out, r->last.text);
    else if (r->said.len > 0)
        str_add(out, r->said.text);
    else if (r->started && outcome_root_lost(plan, out))
        return;
    else if (*relay_words(r, words) != '\0')
        str_printf(out, "the launcher said: %s", words);
    else if (c->end.signal != 0)
        str_printf(out, "the launcher was ended by SIG%s", signal_text(c->end.signal));
    else
        str_printf(out, "the launcher ended with status %d and no word", c->end.status);
}

/* Somebody killed the launcher or a rank: no fault of the job's or of ours. */
static bool was_killed(const struct relay *r, const struct child *c)
{
    char words[256];
    const char *said = relay_words(r, words);
    /* mpirun --enable-recovery is content when all ranks were killed in MPI_Init */
    bool vanished = !r->started && !r->ended && c->end.status == 0;
    return c->end.signal != 0 || vanished ||
           strstr(said, "(Killed)") != NULL || /* mpirun */
           strstr(said, ": Killed") != NULL;   /* srun */
}

/* Nothing was committed: the runner's own code, if it spoke, else by how it ended. */
static enum engine_exit code_without_records(const struct relay *r,
                                             const struct child *c,
                                             const char *why,
                                             enum diagnosis diagnosis)
{
    if (why == NULL && diagnosis == DIAGNOSIS_NO_ROOM)
        return ENGINE_CANNOT_FIT;
    if (why != NULL || diagnosis == DIAGNOSIS_PASSING)
        return ENGINE_INCOMPLETE;
    if (r->ended && r->last.code > ENGINE_DONE && r->last.code <= ENGINE_INCOMPLETE)
        return (enum engine_exit)r->last.code;
    return r->started || was_killed(r, c) ? ENGINE_INCOMPLETE : ENGINE_INTERNAL;
}

/* "2 tasks failed: train[3]: diverged" is the runner's sentence; without it, the count.
 */
static void tell(const struct plan *plan,
                 struct outcome *o,
                 const char *cause_text,
                 struct gm_error *err)
{
    unsigned long long committed = summary_committed(o->summary),
                       all = summary_tasks(o->summary);
    if (o->code == ENGINE_TASK_FAILED)
        (void)gm_fail(err, -ECHILD, "%s: %s", plan->results, summary_verdict(o->summary));
    else if (strstr(cause_text, plan->folder) != NULL &&
             strstr(cause_text, "gridmill resume") != NULL)
        (void)gm_fail(err, -ECANCELED, "%s", cause_text); /* the runner has said it all */
    else if (o->packed)
        (void)gm_fail(err,
                      -ECANCELED,
                      "%s: %s: %llu of %llu tasks are committed",
                      plan->results,
                      cause_text,
                      committed,
                      all);
    else
        (void)gm_fail(
            err,
            -ECANCELED,
            "%s: %llu of %llu tasks are committed in %s: gridmill resume %s runs the "
            "rest",
            cause_text,
            committed,
            all,
            plan->folder,
            plan->results);
}

void outcome_read_early(const struct plan *plan, struct outcome *ret)
{
    struct gm_error unread;
    if (ret->summary == NULL && file_exists(plan->results))
        ret->summary = load(plan, &ret->packed, &unread);
}

void outcome_read(const struct plan *plan,
                  const struct relay *relay,
                  const struct child *child,
                  const char *why,
                  struct outcome *ret,
                  struct gm_error *err)
{
    struct gm_error unread = {0};
    AUTO_STR what = {0};
    if (ret->summary == NULL)
        ret->summary = load(plan, &ret->packed, &unread);
    if (!relay->started && why == NULL)
        ret->diagnosis = diagnosis_of(str_text(&relay->words), &what);
    if (ret->diagnosis == DIAGNOSIS_NONE)
        cause(plan, relay, child, why, &what);
    ret->killed = was_killed(relay, child);
    (void)snprintf(ret->cause, sizeof(ret->cause), "%s", str_text(&what));
    ret->empty = ret->summary == NULL && unread.code == -ENOENT;
    if (ret->summary != NULL && !ret->packed && summary_committed(ret->summary) == 0 &&
        !checkpoint_any(plan->folder)) {
        summary_free(ret->summary);
        ret->summary = NULL;
        ret->empty = true;
    }
    if (ret->summary == NULL) {
        ret->code = code_without_records(relay, child, why, ret->diagnosis);
        bool silent = why == NULL && relay->ended && relay->last.code == ENGINE_DONE;
        if (silent) /* it says done, yet there is nothing to read */
            ret->code = ENGINE_INTERNAL;
        const char *also =
            why != NULL ? ": no task was committed, nothing is left behind" : "";
        (void)gm_fail(err, -EIO, "%s%s", silent ? unread.text : what.text, also);
        return;
    }
    ret->code = summary_exit(ret->summary);
    if (!ret->packed) /* all tasks may be committed, and the pack be missing */
        ret->code = ENGINE_INCOMPLETE;
    if (ret->code != ENGINE_DONE)
        tell(plan, ret, what.text, err);
}
