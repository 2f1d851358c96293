/* scheduler/cli/order: who runs next among the jobs of a file. */
#include "cli/order.h"
#include "spec/faults.h"
#include <criterion/criterion.h>

enum { MOST = 8, MOST_NEEDS = 4 };

struct job {
    const char *name;
    const char *needs[MOST_NEEDS];
};

/* The file's jobs as order.c sees them. */
static int make(struct arena *a,
                const struct job *from,
                unsigned n,
                struct jobspec_faults *faults,
                struct order **ret)
{
    struct jobspec **items = arena_alloc(a, n, sizeof(struct jobspec *));
    for (unsigned i = 0; i < n; i++) {
        struct dependency *after = arena_alloc(a, MOST_NEEDS, sizeof(*after));
        items[i] = arena_alloc(a, 1, sizeof(**items));
        items[i]->name = from[i].name;
        items[i]->after = after;
        for (unsigned k = 0; k < MOST_NEEDS && from[i].needs[k] != NULL; k++) {
            struct gm_error err = {0};
            cr_assert_eq(dependency_parse(a, from[i].needs[k], &after[k], &err),
                         0,
                         "%s",
                         err.text);
            after[k].line = i + 1;
            after[k].col = k + 1;
            items[i]->n_after++;
        }
    }
    struct jobspec_jobs jobs = {.items = items, .n = n};
    faults_init(faults, "f");
    return order_make(&jobs, faults, ret);
}

/* Runs them all; ends[i] is how job i ends when it runs. "b a -c" : b, a ran, c did not.
 */
static char *play(const struct job *jobs, unsigned n, const enum order_end *ends)
{
    AUTO(arena) a = arena_make();
    AUTO(order) o = NULL;
    struct jobspec_faults faults;
    struct str out = {0};
    if (make(a, jobs, n, &faults, &o) != 0) {
        for (size_t i = 0; i < faults.n; i++) {
            AUTO_FREE(char) line = jobspec_fault_format(&faults, i);
            str_printf(&out, "%s\n", line);
        }
        jobspec_faults_free(&faults);
        return str_steal(&out);
    }
    jobspec_faults_free(&faults);
    double begin = 0, now = 1000;
    unsigned i;
    while ((i = order_next(o, now, &begin)) != ORDER_NONE) {
        now = begin > now ? begin : now;
        cr_assert_eq(o->jobs[i].end, ORDER_WAITS);
        o->jobs[i].end = ends[i];
        str_printf(&out, "%s%s", out.len > 0 ? " " : "", jobs[i].name);
    }
    for (i = 0; i < n; i++) {
        cr_assert_neq(o->jobs[i].end, ORDER_WAITS);
        if (o->jobs[i].why != NULL)
            str_printf(&out, "; %s: %s", jobs[i].name, o->jobs[i].why);
    }
    return str_steal(&out);
}

static void
plays(const struct job *jobs, unsigned n, const enum order_end *ends, const char *wanted)
{
    AUTO_FREE(char) got = play(jobs, n, ends);
    cr_expect_str_eq(got, wanted, "wanted\n%s\ngot\n%s", wanted, got);
}

static const enum order_end all_done[MOST] = {ORDER_DONE,
                                              ORDER_DONE,
                                              ORDER_DONE,
                                              ORDER_DONE,
                                              ORDER_DONE,
                                              ORDER_DONE,
                                              ORDER_DONE,
                                              ORDER_DONE};

Test(order, jobs_run_in_file_order_unless_they_need_another)
{
    static const struct job free_jobs[] = {{"a", {0}}, {"b", {0}}, {"c", {0}}};
    plays(free_jobs, 3, all_done, "a b c");
    static const struct job jobs[] = {
        {"a", {"afterok:c"}}, {"b", {0}}, {"c", {"after:b", "afterany:d"}}, {"d", {0}}};
    plays(jobs, 4, all_done, "b d c a");
}

Test(order, needs_that_can_never_be_met_end_a_job_and_what_needs_it)
{
    static const struct job jobs[] = {{"a", {0}},
                                      {"ok", {"afterok:a"}},
                                      {"not", {"afternotok:a"}},
                                      {"any", {"afterany:ok"}},
                                      {"start", {"after:ok"}},
                                      {"deep", {"afterok:ok"}},
                                      {"undone", {"afternotok:deep"}}};
    enum order_end ends[MOST];
    memcpy(ends, all_done, sizeof(ends));
    plays(jobs,
          7,
          ends,
          "a ok any start deep; not: needs afternotok:a, but a is done; undone: needs "
          "afternotok:deep, but deep is done");
    ends[0] = ORDER_FAILED;
    plays(jobs,
          7,
          ends,
          "a not any undone; ok: needs afterok:a, but a failed; start: needs after:ok, "
          "but ok was not run; deep: needs afterok:ok, but ok was not run");
}

Test(order, who_may_begin_now_runs_before_who_must_wait)
{
    static const struct job jobs[] = {
        {"late", {"begin-time:2000"}},
        {"early", {"begin-time:1500"}},
        {"past", {"begin-time:10"}},
        {"now", {0}},
        {"both", {"begin-time:1200", "begin-time:1700", "afterok:now"}}};
    plays(jobs, 5, all_done, "past now early both late");
}

Test(order, what_cannot_be_waited_for_is_told_at_its_place)
{
    static const struct job unknown[] = {{"train", {0}},
                                         {"score", {"afterok:trian", "afterok:zzzzzz"}}};
    plays(unknown,
          2,
          all_done,
          "f:2:1: needs: no job of this file is called 'trian'; did you mean 'train'?\n"
          "f:2:2: needs: no job of this file is called 'zzzzzz'\n");
    static const struct job alone[] = {{"score", {"afterok:train"}}};
    plays(alone,
          1,
          all_done,
          "f:1:1: needs: waits for the job 'train', but this file holds no other: put "
          "both into one file, as documents with --- between them\n");
    static const struct job twice[] = {{"a", {0}}, {"a", {0}}, {"b", {"afterok:a"}}};
    plays(twice, 3, all_done, "f:3:1: needs: two jobs of this file are called 'a'\n");
    static const struct job scheme[] = {{"a", {"burst-buffer:x"}}};
    plays(scheme,
          1,
          all_done,
          "f:1:1: needs: the scheme 'burst-buffer' is a resource manager's; here jobs "
          "wait by after, afterany, afterok, afternotok and begin-time\n");
}

Test(order, jobs_that_wait_for_each_other_are_told)
{
    static const struct job self[] = {{"a", {"afterok:a"}}, {"b", {0}}};
    plays(self, 2, all_done, "f:1:1: needs: the jobs wait for each other: a -> a\n");
    static const struct job ring[] = {{"x", {"afterany:a"}},
                                      {"a", {"afterok:b"}},
                                      {"b", {"after:c"}},
                                      {"c", {"begin-time:1", "afternotok:a"}}};
    plays(ring,
          4,
          all_done,
          "f:4:2: needs: the jobs wait for each other: a -> b -> c -> a\n");
}

Test(order, thousands_of_jobs_in_a_chain_are_no_recursion)
{
    enum { N = 2000 };
    AUTO(arena) a = arena_make();
    struct job *jobs = arena_alloc(a, N, sizeof(*jobs));
    AUTO(order) o = NULL;
    struct jobspec_faults faults;
    double begin;
    for (unsigned i = 0; i < N; i++) {
        jobs[i].name = arena_printf(a, "j%u", i);
        if (i + 1 < N)
            jobs[i].needs[0] = arena_printf(a, "afterok:j%u", i + 1);
    }
    cr_assert_eq(make(a, jobs, N, &faults, &o), 0);
    for (unsigned i = N; i-- > 0;) {
        cr_assert_eq(order_next(o, 0, &begin), i);
        o->jobs[i].end = ORDER_DONE;
    }
    cr_assert_eq(order_next(o, 0, &begin), ORDER_NONE);
    jobspec_faults_free(&faults);
}

/* Each need looks its job up, and few wrong ones look for a name that is near. */
Test(order, thousands_of_wrong_needs_are_told_at_once, .timeout = 30)
{
    enum { N = 4000 };
    AUTO(arena) a = arena_make();
    struct job *jobs = arena_alloc(a, N, sizeof(*jobs));
    AUTO(order) o = NULL;
    struct jobspec_faults faults;
    for (unsigned i = 0; i < N; i++) {
        jobs[i].name = arena_printf(a, "a-name-of-some-length-and-a-number-%05u", i);
        for (unsigned k = 0; k < MOST_NEEDS; k++)
            jobs[i].needs[k] = arena_printf(
                a, "afterok:a-name-of-some-length-and-a-number-%05u", N + 4 * i + k);
    }
    cr_expect_neq(make(a, jobs, N, &faults, &o), 0);
    cr_expect_eq(faults.n_errors, N * MOST_NEEDS);
    jobspec_faults_free(&faults);
}
