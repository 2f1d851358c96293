/* The farm is plain state: every test drives it as the pulse thread does. */
#include "base/memory.h"
#include "runner/farm.h"
#include <criterion/criterion.h>

struct fixture {
    struct jobspec spec;
    struct jobspec_stage stages[4];
    struct jobspec_need needs[4];
};

static void add_stage(struct fixture *f, uint64_t n_tasks, unsigned group)
{
    f->spec.stages = f->stages;
    f->stages[f->spec.n_stages++] =
        (struct jobspec_stage){.name = "s", .n_tasks = n_tasks, .group = group};
}

static void add_need(struct fixture *f, unsigned stage, struct jobspec_need need)
{
    f->needs[stage] = need;
    f->stages[stage].needs = &f->needs[stage];
    f->stages[stage].n_needs = 1;
}

static void report(struct farm *f, const struct farm_assign *a, enum farm_outcome outcome)
{
    struct farm_report r = {.stage = a->stage,
                            .first = a->first,
                            .count = a->count,
                            .outcome = outcome,
                            .seconds = 0.001 * (double)a->count};
    farm_report(f, &r);
}

Test(farm, every_task_is_handed_out_once_and_then_all_ranks_stop)
{
    struct fixture x = {0};
    add_stage(&x, 1000, 1);
    AUTO(farm) f = farm_make(&x.spec, 3);
    unsigned char seen[1000] = {0};
    struct farm_assign a;
    for (unsigned r = 0; r < 3; r++)
        farm_idle(f, r);
    while (farm_next(f, &a) > 0 && a.stop == 0) {
        cr_assert_eq(a.n_members, 1);
        for (uint64_t t = a.first; t < a.first + a.count; t++)
            cr_assert_eq(seen[t]++, 0, "task %d twice", (int)t);
        report(f, &a, FARM_DONE);
        farm_idle(f, a.members[0]);
    }
    cr_assert(a.stop == 1 && a.n_members == 3);
    cr_assert(farm_complete(f));
    cr_assert_eq(memchr(seen, 0, sizeof(seen)), NULL, "a task was left out");
    cr_assert_eq(farm_next(f, &a), 0, "stop is said once");
}

Test(farm, ranges_grow_with_short_tasks_and_shrink_towards_the_end)
{
    struct fixture x = {0};
    add_stage(&x, 100000, 1);
    AUTO(farm) f = farm_make(&x.spec, 2);
    struct farm_assign a;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.count, 1, "nothing was measured yet");
    report(f, &a, FARM_DONE);
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.count, 100, "0.1 s of 1 ms tasks, got %d", (int)a.count);
    uint64_t last = 0;
    do {
        last = a.count;
        report(f, &a, FARM_DONE);
        farm_idle(f, 0);
    } while (farm_next(f, &a) > 0 && a.stop == 0);
    cr_assert_eq(last, 1, "the tail is even");
}

Test(farm, a_group_waits_for_enough_idle_ranks_and_the_lowest_leads)
{
    struct fixture x = {0};
    add_stage(&x, 2, 2);
    AUTO(farm) f = farm_make(&x.spec, 3);
    struct farm_assign a;
    farm_idle(f, 2);
    cr_assert_eq(farm_next(f, &a), 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.n_members == 2 && a.members[0] == 1 && a.members[1] == 2 && a.count == 1);
    uint32_t epoch = a.epoch;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 0, "one rank is no group of two");
    struct farm_report r = {.stage = 0, .outcome = FARM_DONE, .first = 0, .count = 1};
    farm_report(f, &r);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.members[0] == 0 && a.members[1] == 1 && a.epoch != epoch);
}

Test(farm, group_all_is_every_rank_and_a_larger_group_is_cut_to_them)
{
    struct fixture x = {0};
    add_stage(&x, 1, 0);
    add_stage(&x, 1, 9);
    AUTO(farm) f = farm_make(&x.spec, 2);
    struct farm_assign a;
    for (unsigned stage = 0; stage < 2; stage++) {
        farm_idle(f, 0);
        farm_idle(f, 1);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert(a.stage == stage && a.n_members == 2);
        report(f, &a, FARM_DONE);
    }
}

Test(farm, a_stage_starts_when_all_that_it_needs_is_over)
{
    struct fixture x = {0};
    add_stage(&x, 1, 1);
    add_stage(&x, 1, 1);
    add_need(&x, 1, (struct jobspec_need){.stage = 0, .strict = true});
    AUTO(farm) f = farm_make(&x.spec, 2);
    struct farm_assign first, a;
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &first), 1);
    struct farm_assign kept = first;
    cr_assert_eq(farm_next(f, &a), 0);
    report(f, &kept, FARM_DONE);
    cr_assert_eq(farm_stage_over(f), 0);
    cr_assert_eq(farm_stage_over(f), -1, "told once");
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.stage, 1);
}

Test(farm, a_strict_need_that_failed_skips_the_whole_stage)
{
    struct fixture x = {0};
    add_stage(&x, 2, 1);
    add_stage(&x, 5, 1);
    add_need(&x, 1, (struct jobspec_need){.stage = 0, .strict = true});
    AUTO(farm) f = farm_make(&x.spec, 1);
    struct farm_assign a;
    struct farm_skip skip;
    enum farm_outcome outcomes[] = {FARM_DONE, FARM_FAILED};
    for (int i = 0; i < 2; i++) {
        farm_idle(f, 0);
        cr_assert_eq(farm_next(f, &a), 1);
        report(f, &a, outcomes[i]);
    }
    cr_assert_eq(farm_next_skip(f, &skip), 1);
    cr_assert(skip.stage == 1 && skip.first == 0 && skip.count == 5);
    struct farm_counts c;
    farm_count(f, &c);
    cr_assert(c.done == 1 && c.failed == 1 && c.skipped == 5 && c.total == 7);
    cr_assert(farm_complete(f));
}

Test(farm, best_of_needs_one_done_task_alone)
{
    for (int n_failed = 1; n_failed <= 2; n_failed++) {
        struct fixture x = {0};
        add_stage(&x, 2, 1);
        add_stage(&x, 1, 1);
        add_need(&x, 1, (struct jobspec_need){.stage = 0, .strict = false});
        AUTO(farm) f = farm_make(&x.spec, 1);
        struct farm_assign a;
        struct farm_skip skip;
        for (int i = 0; i < 2; i++) {
            farm_idle(f, 0);
            cr_assert_eq(farm_next(f, &a), 1);
            report(f, &a, i < n_failed ? FARM_FAILED : FARM_DONE);
        }
        cr_assert_eq(farm_next_skip(f, &skip), n_failed == 2 ? 1 : 0);
    }
}

Test(farm, element_by_element_skips_only_the_partner_of_a_failed_task)
{
    struct fixture x = {0};
    add_stage(&x, 4, 1);
    add_stage(&x, 4, 1);
    add_need(
        &x, 1, (struct jobspec_need){.stage = 0, .strict = true, .same_index = true});
    AUTO(farm) f = farm_make(&x.spec, 1);
    struct farm_assign a;
    struct farm_skip skip;
    unsigned ran[4] = {0}, skipped[4] = {0};
    for (;;) {
        while (farm_next_skip(f, &skip) > 0) {
            for (uint64_t t = 0; t < skip.count; t++)
                skipped[skip.first + t]++;
        }
        farm_idle(f, 0);
        if (farm_next(f, &a) == 0 || a.stop != 0)
            break;
        for (uint64_t t = 0; a.stage == 1 && t < a.count; t++)
            ran[a.first + t]++;
        bool fails = a.stage == 0 && a.first == 2;
        cr_assert(!fails || a.count == 1);
        report(f, &a, fails ? FARM_FAILED : FARM_DONE);
    }
    cr_assert(ran[0] == 1 && ran[1] == 1 && ran[2] == 0 && ran[3] == 1);
    cr_assert(skipped[2] == 1 && skipped[0] + skipped[1] + skipped[3] == 0);
    cr_assert(farm_complete(f));
}

Test(farm, a_stop_hands_out_no_more_and_is_over_when_what_ran_came_back)
{
    struct fixture x = {0};
    add_stage(&x, 10, 1);
    AUTO(farm) f = farm_make(&x.spec, 2);
    struct farm_assign a, b;
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    struct farm_assign first = a;
    cr_assert_eq(farm_next(f, &b), 1);
    struct farm_assign second = b;
    farm_stop(f);
    report(f, &first, FARM_DONE);
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 0);
    cr_assert(!farm_over(f));
    report(f, &second, FARM_RETURNED);
    cr_assert(farm_over(f) && !farm_complete(f));
    cr_assert_eq(farm_next(f, &a), 0, "rank 1 has not come yet");
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.stop, 1);
}

Test(farm, the_time_left_is_by_each_stages_own_mean_and_says_when_more_comes_on_top)
{
    struct fixture x = {0};
    add_stage(&x, 4, 1);
    add_stage(&x, 3, 2);
    add_need(&x, 1, (struct jobspec_need){.stage = 0, .strict = true});
    AUTO(farm) f = farm_make(&x.spec, 2);
    struct farm_counts c;
    struct farm_assign a;
    farm_count(f, &c);
    cr_assert(c.left < 0 && c.at_least, "nothing is measured yet");
    static const struct {
        double seconds, left;
        bool at_least;
    } steps[] = {{6, 6.0 * 3 / 2, true}, /* two tasks at once */
                 {2, 4.0 * 2 / 2, true}, /* the mean of both */
                 {4, 4.0 * 1 / 2, true},
                 {4, -1, true},        /* all of stage 0; of stage 1 nothing is known */
                 {5, 5.0 * 2, false}}; /* a group takes both ranks */
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        farm_idle(f, 0);
        farm_idle(f, 1);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert_eq(a.count, 1);
        struct farm_report r = {.stage = a.stage,
                                .first = a.first,
                                .count = 1,
                                .outcome = FARM_DONE,
                                .seconds = steps[i].seconds};
        farm_report(f, &r);
        farm_count(f, &c);
        cr_expect_float_eq(c.left, steps[i].left, 1e-12, "step %zu: %g", i, c.left);
        cr_expect_eq(c.at_least, steps[i].at_least, "step %zu", i);
    }
}

/* Two stages of 2 and 3 tasks, seated: task i of the second on rank 2 + i. */
static struct farm *seated(struct fixture *x)
{
    static const struct resource slot = {.type = "slot", .label = "s"};
    add_stage(x, 2, 1);
    add_stage(x, 3, 1);
    x->stages[1].first_rank = 2;
    x->spec.resources = &slot;
    x->spec.n_resources = 1;
    return farm_make(&x->spec, 5);
}

Test(farm, a_seated_task_goes_to_its_own_rank_and_all_run_at_once)
{
    static const unsigned order[] = {4, 0, 2, 1, 3};
    struct fixture x = {0};
    AUTO(farm) f = seated(&x);
    struct farm_assign a, given[5];
    for (unsigned i = 0; i < 5; i++) {
        farm_idle(f, order[i]);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert(a.stop == 0 && a.count == 1 && a.n_members == 1);
        cr_assert_eq(a.members[0], order[i]);
        cr_assert_eq(a.stage, order[i] < 2 ? 0 : 1);
        cr_assert_eq(a.first, order[i] < 2 ? order[i] : order[i] - 2);
        given[i] = a;
        cr_assert_eq(farm_next(f, &a), 0);
    }
    struct farm_counts c;
    farm_count(f, &c);
    cr_assert(c.running == 5 && c.total == 5);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_not(farm_over(f));
        report(f, &given[i], i == 1 ? FARM_FAILED : FARM_DONE);
        farm_idle(f, order[i]);
    }
    cr_assert(farm_complete(f), "a failed task keeps no other from its end");
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.stop == 1 && a.n_members == 5);
}

Test(farm, a_stop_keeps_seated_tasks_that_did_not_begin)
{
    struct fixture x = {0};
    AUTO(farm) f = seated(&x);
    struct farm_assign a, first;
    farm_idle(f, 3);
    cr_assert_eq(farm_next(f, &first), 1);
    farm_stop(f);
    for (unsigned r = 0; r < 5; r++)
        farm_idle(f, r);
    cr_assert_eq(farm_next(f, &a), 0, "what runs may end");
    report(f, &first, FARM_DONE);
    farm_idle(f, 3);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.stop, 1);
    cr_assert_not(farm_complete(f));
}
