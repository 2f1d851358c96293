/* The farm is plain state: every test drives it as the pulse thread does. */
#include "base/memory.h"
#include "result/record.h"
#include "runner/board.h"
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
    f->stages[f->spec.n_stages++] = (struct jobspec_stage){
        .name = "s", .n_tasks = n_tasks, .group = group, .crash_limit = 3};
}

enum { MOST_RANKS = 16 };

/* Ranks of one core, so many on each host. */
static struct farm *farm_of(const struct fixture *x,
                            unsigned n_ranks,
                            unsigned per_host,
                            const struct farm_past *past)
{
    struct farm_seat seats[MOST_RANKS];
    for (unsigned r = 0; r < n_ranks; r++)
        seats[r] = (struct farm_seat){.host = r / per_host, .cores = 1};
    struct farm_setup setup = {.spec = &x->spec,
                               .seats = seats,
                               .n_ranks = n_ranks,
                               .n_hosts = (n_ranks + per_host - 1) / per_host,
                               .past = past};
    return farm_make(&setup);
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

Test(farm, a_group_waits_for_enough_idle_ranks_and_the_lowest_leads)
{
    struct fixture x = {0};
    add_stage(&x, 2, 2);
    AUTO(farm) f = farm_of(&x, 3, 3, NULL);
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
    AUTO(farm) f = farm_of(&x, 2, 2, NULL);
    struct farm_assign a;
    for (unsigned stage = 0; stage < 2; stage++) {
        farm_idle(f, 0);
        farm_idle(f, 1);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert(a.stage == stage && a.n_members == 2);
        report(f, &a, FARM_DONE);
    }
}

Test(farm, best_of_needs_one_done_task_alone)
{
    for (int n_failed = 1; n_failed <= 2; n_failed++) {
        struct fixture x = {0};
        add_stage(&x, 2, 1);
        add_stage(&x, 1, 1);
        add_need(&x, 1, (struct jobspec_need){.stage = 0, .strict = false});
        AUTO(farm) f = farm_of(&x, 1, 1, NULL);
        struct farm_assign a;
        struct farm_verdict skip;
        farm_idle(f, 0);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert_eq(a.count, 2);
        for (a.count = 1; a.first < 2; a.first++)
            report(f, &a, a.first < (uint64_t)n_failed ? FARM_FAILED : FARM_DONE);
        cr_assert_eq(farm_next_verdict(f, &skip), n_failed == 2 ? 1 : 0);
    }
}

Test(farm, a_stage_that_is_late_is_closed_and_what_else_fits_goes_on)
{
    struct fixture x = {0};
    add_stage(&x, 8, 1);
    add_stage(&x, 2, 1);
    add_stage(&x, 8, 1);
    add_need(
        &x, 2, (struct jobspec_need){.stage = 0, .strict = true, .same_index = true});
    AUTO(farm) f = farm_of(&x, 1, 1, NULL);
    struct farm_assign a;
    struct farm_counts c;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.stage == 0 && a.count >= 1);
    report(f, &a, FARM_LATE);
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_expect_eq(a.stage, 1, "a stage of shorter tasks");
    report(f, &a, FARM_DONE);
    for (farm_idle(f, 0); farm_next(f, &a) > 0 && a.kind != FARM_STOP; farm_idle(f, 0)) {
        cr_assert_eq(a.stage, 1);
        report(f, &a, FARM_DONE);
    }
    cr_expect_eq(a.kind, FARM_STOP, "nothing waits for what will not come");
    farm_count(f, &c);
    cr_expect(c.late && c.done == 2 && c.running == 0);
    cr_expect(farm_over(f) && !farm_complete(f));
}

Test(farm, groups_are_closed_by_hand)
{
    struct fixture x = {0};
    add_stage(&x, 2, 2);
    AUTO(farm) f = farm_of(&x, 2, 2, NULL);
    struct farm_assign a;
    farm_close(f, 0);
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_expect_eq(a.kind, FARM_STOP);
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
    return farm_of(x, 5, 5, NULL);
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
        cr_assert(a.kind == FARM_GROUP && a.count == 1 && a.n_members == 1);
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
    cr_assert(a.kind == FARM_STOP && a.n_members == 5);
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
    cr_assert_eq(a.kind, FARM_STOP);
    cr_assert_not(farm_complete(f));
}

/* Everything that a fixture's farm hands out is run at once, by whoever it goes to. Task
 * `fails` of stage 0 fails. */
static void run_all(struct farm *f, unsigned n_ranks, uint64_t fails, unsigned char *seen)
{
    struct farm_assign a;
    struct farm_verdict v;
    for (unsigned r = 0; r < n_ranks; r++)
        farm_idle(f, r);
    for (;;) {
        while (farm_next_verdict(f, &v) > 0)
            memset(seen + 10000 * v.stage + v.first, 's', v.count);
        if (farm_next(f, &a) == 0 || a.kind == FARM_STOP)
            break;
        for (unsigned m = 0; m < a.n_members; m++)
            farm_busy(f, a.members[m]);
        for (uint64_t end = a.first + a.count; a.first < end; a.first++) {
            unsigned char *task = &seen[10000 * a.stage + a.first];
            cr_assert_eq(*task, 0, "task %d of %d twice", (int)a.first, (int)a.stage);
            *task = 'r';
            a.count = 1;
            report(f, &a, a.stage == 0 && a.first == fails ? FARM_FAILED : FARM_DONE);
        }
        for (unsigned m = 0; m < a.n_members; m++)
            farm_idle(f, a.members[m]);
    }
    cr_assert(a.kind == FARM_STOP && a.n_members == n_ranks);
    cr_assert(farm_complete(f));
    cr_assert_eq(farm_next(f, &a), 0, "stop is said once");
}

Test(farm, every_task_is_handed_out_once_and_then_all_ranks_stop)
{
    struct fixture x = {0};
    unsigned char seen[10000] = {0};
    add_stage(&x, 10000, 1);
    AUTO(farm) f = farm_of(&x, 6, 2, NULL);
    run_all(f, 6, UINT64_MAX, seen);
    cr_assert_eq(memchr(seen, 0, sizeof(seen)), NULL, "a task was left out");
}

Test(farm, a_lot_is_small_at_first_then_what_takes_half_a_second)
{
    struct fixture x = {0};
    add_stage(&x, 100000, 1);
    AUTO(farm) f = farm_of(&x, 2, 2, NULL);
    struct farm_assign a;
    uint64_t first[4];
    for (int i = 0; i < 4; i++) {
        farm_idle(f, 1);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert(a.kind == FARM_LOT && a.n_members == 1 && a.members[0] == 1);
        first[i] = a.count;
        cr_assert_eq(farm_next(f, &a), 0, "fed until it says so again");
    }
    cr_assert(first[0] == 4 && first[1] == 16 && first[2] == 64, "it is not measured");
    a = (struct farm_assign){.count = 4}; /* 1 ms each */
    report(f, &a, FARM_DONE);
    farm_low(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.count, 1000, "of 2 ranks, got %d", (int)a.count);
    cr_assert_eq(a.members[0], 0);
}

Test(farm, hosts_share_what_is_left_evenly_and_the_last_takes_from_the_others)
{
    struct fixture x = {0};
    add_stage(&x, 1000, 1);
    AUTO(farm) f = farm_of(&x, 4, 2, NULL);
    struct farm_assign a, b;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    report(f, &a, FARM_DONE);
    for (int i = 0; i < 200 && farm_next(f, &b) == 0; i++) {
        farm_low(f, 1);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert(a.count == 1 || a.count <= 996 / 4, "half of a half");
        if (a.first + a.count == 1000)
            break;
    }
    farm_idle(f, 2);
    cr_assert_eq(farm_next(f, &b), 1);
    cr_assert(b.kind == FARM_RECALL && b.members[0] == 0);
    cr_assert_eq(farm_next(f, &b), 0, "one at a time");
    farm_recalled(f, 0, a.lot, 900, 100);
    cr_assert_eq(farm_next(f, &b), 1);
    cr_assert(b.kind == FARM_LOT && b.members[0] == 2 && b.first == 900);
}

Test(farm, a_host_that_gave_nothing_back_is_not_asked_again)
{
    struct fixture x = {0};
    add_stage(&x, 100, 1);
    AUTO(farm) f = farm_of(&x, 2, 1, NULL);
    struct farm_assign a;
    while (farm_low(f, 0), farm_next(f, &a) > 0)
        ;
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.kind, FARM_RECALL);
    farm_recalled(f, 0, 0, 0, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 0);
}

Test(farm, a_stage_starts_when_all_that_it_needs_is_over)
{
    struct fixture x = {0};
    add_stage(&x, 2, 1);
    add_stage(&x, 1, 1);
    add_need(&x, 1, (struct jobspec_need){.stage = 0, .strict = true});
    AUTO(farm) f = farm_of(&x, 1, 1, NULL);
    struct farm_assign a;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.stage == 0 && a.count == 2);
    a.count = 1;
    report(f, &a, FARM_DONE);
    farm_idle(f, 0);
    struct farm_assign none;
    cr_assert_eq(farm_next(f, &none), 0);
    a.first = 1;
    report(f, &a, FARM_DONE);
    cr_assert_eq(farm_stage_over(f), 0);
    cr_assert_eq(farm_stage_over(f), -1, "told once");
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.stage, 1);
}

Test(farm, a_strict_need_that_failed_skips_the_whole_stage)
{
    struct fixture x = {0};
    unsigned char seen[20000] = {0};
    add_stage(&x, 2, 1);
    add_stage(&x, 5, 1);
    add_need(&x, 1, (struct jobspec_need){.stage = 0, .strict = true});
    AUTO(farm) f = farm_of(&x, 1, 1, NULL);
    run_all(f, 1, 1, seen);
    cr_assert_eq(memcmp(seen + 10000, "sssss", 6), 0);
    struct farm_counts c;
    farm_count(f, &c);
    cr_assert(c.done == 1 && c.failed == 1 && c.skipped == 5 && c.total == 7);
}

Test(farm, element_by_element_a_task_starts_with_its_partners_end)
{
    struct fixture x = {0};
    add_stage(&x, 4, 1);
    add_stage(&x, 4, 1);
    add_need(
        &x, 1, (struct jobspec_need){.stage = 0, .strict = true, .same_index = true});
    AUTO(farm) f = farm_of(&x, 2, 2, NULL);
    struct farm_assign a, b;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.count, 4);
    struct farm_assign third = {.stage = 0, .first = 2, .count = 1};
    report(f, &third, FARM_DONE);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &b), 1);
    cr_assert(b.stage == 1 && b.first == 2 && b.count == 1);
}

Test(farm, element_by_element_skips_only_the_partner_of_a_failed_task_and_its_partners)
{
    struct fixture x = {0};
    unsigned char seen[30000] = {0};
    struct jobspec_need partner = {.stage = 0, .strict = true, .same_index = true};
    add_stage(&x, 4, 1);
    add_stage(&x, 4, 1);
    add_stage(&x, 4, 1);
    add_need(&x, 1, partner);
    partner.stage = 1;
    add_need(&x, 2, partner);
    AUTO(farm) f = farm_of(&x, 1, 1, NULL);
    run_all(f, 1, 2, seen);
    cr_assert_eq(memcmp(seen, "rrrr", 5), 0);
    cr_assert_eq(memcmp(seen + 10000, "rrsr", 5), 0);
    cr_assert_eq(memcmp(seen + 20000, "rrsr", 5), 0);
}

Test(farm, the_highest_priority_goes_first_then_file_order)
{
    static const int32_t priorities[] = {0, 5, -1, 5};
    static const unsigned order[] = {1, 3, 0, 2};
    struct fixture x = {0};
    for (int i = 0; i < 4; i++) {
        add_stage(&x, 1, 1);
        x.stages[i].priority = priorities[i];
    }
    AUTO(farm) f = farm_of(&x, 1, 1, NULL);
    for (int i = 0; i < 4; i++) {
        struct farm_assign a;
        farm_idle(f, 0);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert(a.stage == order[i] && a.priority == priorities[order[i]]);
        report(f, &a, FARM_DONE);
    }
}

Test(farm, max_in_flight_bounds_what_is_out)
{
    struct fixture x = {0};
    add_stage(&x, 100, 1);
    x.stages[0].max_in_flight = 3;
    AUTO(farm) f = farm_of(&x, 8, 4, NULL);
    struct farm_assign a;
    unsigned out = 0;
    for (unsigned r = 0; r < 8; r++)
        farm_idle(f, r);
    while (farm_next(f, &a) > 0) {
        if (a.kind == FARM_RECALL)
            continue;
        cr_assert(a.kind == FARM_LOT && a.most == 1);
        out += (unsigned)a.count;
    }
    cr_assert_eq(out, 3);
    struct farm_report one = {.stage = 0, .outcome = FARM_DONE, .first = 1, .count = 1};
    farm_report(f, &one);
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.count, 1);
}

Test(farm, a_task_goes_where_its_cores_and_gpus_are)
{
    static const struct farm_seat seats[] = {{.host = 0, .cores = 1},
                                             {.host = 1, .cores = 8},
                                             {.host = 2, .cores = 2, .gpus = 1}};
    struct fixture x = {0};
    add_stage(&x, 10, 1);
    add_stage(&x, 10, 1);
    x.stages[0].task_cores = 4;
    x.stages[1].task_gpus = 1;
    struct farm_setup setup = {
        .spec = &x.spec, .seats = seats, .n_ranks = 3, .n_hosts = 3};
    AUTO(farm) f = farm_make(&setup);
    struct farm_assign a;
    unsigned got = 0;
    for (unsigned r = 0; r < 3; r++)
        farm_idle(f, r);
    while (farm_next(f, &a) > 0) {
        cr_assert_eq(a.members[0], a.stage == 0 ? 1 : 2);
        got |= 1u << a.stage;
    }
    cr_assert_eq(got, 3);
}

Test(farm, a_job_of_which_nobody_can_run_the_rest_ends_incomplete)
{
    struct fixture x = {0};
    add_stage(&x, 10, 1);
    x.stages[0].task_gpus = 1;
    AUTO(farm) f = farm_of(&x, 2, 2, NULL);
    struct farm_assign a;
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.kind, FARM_STOP);
    cr_assert_not(farm_complete(f));
}

Test(farm, a_group_keeps_ranks_from_what_comes_after_it_but_waits_for_no_other_group)
{
    struct fixture x = {0};
    add_stage(&x, 3, 2);
    add_stage(&x, 100, 1);
    AUTO(farm) f = farm_of(&x, 3, 3, NULL);
    struct farm_assign a;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 0, "rank 1 will come free");
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    struct farm_assign group = a;
    cr_assert_eq(group.kind, FARM_GROUP);
    farm_idle(f, 2);
    cr_assert_eq(farm_next(f, &a), 1, "the others are in a group");
    cr_assert(a.kind == FARM_LOT && a.stage == 1);
    farm_busy(f, 2);
    report(f, &group, FARM_DONE);
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 0, "rank 1 is at its end, too");
}

Test(farm, a_stop_hands_out_no_more_and_is_over_when_what_ran_came_back)
{
    struct fixture x = {0};
    add_stage(&x, 10, 1);
    AUTO(farm) f = farm_of(&x, 2, 1, NULL);
    struct farm_assign first, second, a;
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &first), 1);
    first.members = NULL;
    cr_assert_eq(farm_next(f, &second), 1);
    farm_busy(f, 0);
    farm_busy(f, 1);
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
    cr_assert_eq(a.kind, FARM_STOP);
}

Test(farm, the_time_left_is_by_each_stages_own_mean_and_says_when_more_comes_on_top)
{
    struct fixture x = {0};
    add_stage(&x, 4, 1);
    add_stage(&x, 3, 2);
    add_need(&x, 1, (struct jobspec_need){.stage = 0, .strict = true});
    AUTO(farm) f = farm_of(&x, 2, 2, NULL);
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
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.count, 4);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (i == 4)
            cr_assert_eq(farm_next(f, &a), 1);
        struct farm_report r = {.stage = i == 4,
                                .first = i % 4,
                                .count = 1,
                                .outcome = FARM_DONE,
                                .seconds = steps[i].seconds};
        farm_report(f, &r);
        farm_count(f, &c);
        cr_expect_float_eq(c.left, steps[i].left, 1e-12, "step %zu: %g", i, c.left);
        cr_expect_eq(c.at_least, steps[i].at_least, "step %zu", i);
    }
}

Test(farm, what_earlier_launches_came_to_is_not_run_again_and_attempts_go_on_counting)
{
    struct fixture x = {0};
    unsigned char seen[20000] = {0};
    static const uint64_t tried[] = {5, 6, 9};
    static const uint32_t attempts[] = {2, 2, 1};
    add_stage(&x, 12, 1);
    add_stage(&x, 12, 1);
    add_need(
        &x, 1, (struct jobspec_need){.stage = 0, .strict = true, .same_index = true});
    AUTO(taskset) done = taskset_make(12);
    AUTO(taskset) failed = taskset_make(12);
    (void)taskset_add(done, 0, 4);
    (void)taskset_add(failed, 4, 1);
    struct farm_past past[] = {{.done = done,
                                .failed = failed,
                                .tried = tried,
                                .attempts = attempts,
                                .n_tried = 3},
                               {0}};
    AUTO(farm) f = farm_of(&x, 1, 1, past);
    struct farm_assign a;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.first == 5 && a.count == 2 && a.attempt == 2);
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.first == 7 && a.count == 2 && a.attempt == 0);
    AUTO(farm) again = farm_of(&x, 1, 1, past);
    run_all(again, 1, UINT64_MAX, seen);
    cr_assert_eq(memcmp(seen, "\0\0\0\0\0rrrrrrr", 12), 0);
    cr_assert_eq(memcmp(seen + 10000, "rrrrsrrrrrrr", 12), 0);
}

/* ---- losses ---- */

Test(farm, a_task_that_crashed_ranks_of_earlier_launches_comes_to_its_limit)
{
    struct fixture x = {0};
    unsigned char seen[20000] = {0};
    struct farm_verdict v;
    add_stage(&x, 6, 1);
    AUTO(farm) f = farm_of(&x, 1, 1, NULL);
    farm_crashed_before(f, 0, 2); /* crash_limit is 3 */
    farm_crashed_before(f, 0, 2);
    farm_crashed_before(f, 0, 4);
    for (uint32_t i = 0; i < 3; i++) { /* nobody had written down these attempts */
        cr_assert_eq(farm_next_verdict(f, &v), 1);
        cr_assert(v.first == (i < 2 ? 2 : 4) && v.status == RESULT_RETRIED &&
                  v.reason == RESULT_LOST && v.attempt == (i == 1 ? 2 : 1));
    }
    cr_assert_eq(farm_next_verdict(f, &v), 0);
    farm_crashed_before(f, 0, 2);
    cr_assert_eq(farm_next_verdict(f, &v), 1);
    cr_assert(v.first == 2 && v.count == 1 && v.status == RESULT_FAILED &&
              v.reason == RESULT_CRASH && v.attempt == 3);
    farm_crashed_before(f, 0, 2);  /* it is over */
    farm_crashed_before(f, 0, 99); /* and these are none of this job's */
    farm_crashed_before(f, 7, 0);
    cr_assert_eq(farm_next_verdict(f, &v), 0);
    run_all(f, 1, UINT64_MAX, seen);
    cr_assert_eq(memcmp(seen, "rr\0rrr", 6), 0);
    cr_assert(farm_complete(f));
}

Test(farm, the_counts_tell_who_is_idle_and_who_is_lost)
{
    struct fixture x = {0};
    struct farm_counts c;
    add_stage(&x, 8, 2);
    AUTO(farm) f = farm_of(&x, 4, 4, NULL);
    farm_idle(f, 1);
    farm_count(f, &c);
    cr_expect_str_eq(c.ranks, "9099");
    farm_busy(f, 1);
    farm_lost(f, 2);
    farm_idle(f, 3);
    farm_count(f, &c);
    cr_expect_str_eq(c.ranks, "99x0");
}

static bool next_lot(struct farm *f, unsigned rank, struct farm_assign *ret)
{
    farm_idle(f, rank);
    return farm_next(f, ret) > 0 && ret->kind == FARM_LOT;
}

Test(farm, after_a_loss_what_nobody_holds_and_nothing_reported_runs_again)
{
    struct fixture x = {0};
    add_stage(&x, 8, 1);
    AUTO(farm) f = farm_of(&x, 3, 2, NULL); /* ranks 0 and 1 share host 0 */
    struct farm_assign a;
    cr_assert(next_lot(f, 0, &a) && a.first == 0 && a.count == 2);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert_eq(a.kind, FARM_LOT);
    uint64_t end = a.first + a.count;
    cr_assert_gt(end, 3);
    farm_busy(f, 0);
    farm_busy(f, 1);
    farm_lost(f, 1);
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 0, "nothing goes to a host that is not settled");
    struct farm_report done = {.stage = 0, .outcome = FARM_DONE, .first = 0, .count = 1};
    farm_held(f, 0, 2, 1);
    farm_report(f, &done); /* rank 1 had committed it */
    farm_settle(f, 0);
    unsigned char again[8] = {0};
    while (farm_next(f, &a) > 0) {
        cr_assert(a.kind == FARM_LOT && a.members[0] == 0);
        memset(again + a.first, 1, a.count);
        farm_idle(f, 0);
    }
    cr_assert(again[0] == 0 && again[1] == 1 && again[2] == 0 && again[3] == 1);
    struct farm_counts c;
    farm_count(f, &c);
    cr_assert_eq(c.lost, 1);
}

Test(farm, what_was_held_for_a_loss_and_then_given_back_is_not_held_at_the_next)
{
    struct fixture x = {0};
    add_stage(&x, 1, 1);
    AUTO(farm) f = farm_of(&x, 3, 3, NULL);
    struct farm_assign a;
    cr_assert(next_lot(f, 0, &a));
    farm_lost(f, 1);
    farm_held(f, 0, 0, 1);
    report(f, &a, FARM_RETURNED);
    farm_settle(f, 0);
    cr_assert(next_lot(f, 0, &a));
    farm_lost(f, 0);
    farm_settle(f, 0);
    cr_assert(next_lot(f, 2, &a));
}

Test(farm, a_second_loss_makes_what_was_held_to_be_said_again)
{
    struct fixture x = {0};
    add_stage(&x, 1, 1);
    AUTO(farm) f = farm_of(&x, 3, 3, NULL);
    struct farm_assign a;
    cr_assert(next_lot(f, 0, &a));
    farm_lost(f, 1);
    farm_held(f, 0, 0, 1); /* by rank 0, which then dies */
    farm_lost(f, 0);
    farm_settle(f, 0);
    cr_assert(next_lot(f, 2, &a));
}

Test(farm, a_task_that_kills_its_ranks_fails_at_the_crash_limit_and_is_run_alone_before)
{
    struct fixture x = {0};
    struct farm_verdict v;
    struct farm_assign a;
    add_stage(&x, 6, 1);
    x.stages[0].crash_limit = 2;
    AUTO(farm) f = farm_of(&x, 4, 4, NULL);
    cr_assert(next_lot(f, 0, &a));
    farm_busy(f, 0);
    farm_lost(f, 0);
    farm_crashed(f, 0, 0, 1);
    farm_settle(f, 0);
    cr_assert_eq(farm_next_verdict(f, &v), 1);
    cr_assert(v.status == RESULT_RETRIED && v.reason == RESULT_LOST && v.attempt == 1);
    cr_assert(v.first == 1 && v.count == 1 && v.rank == 0);
    bool found = false;
    while (next_lot(f, 1, &a)) {
        if (a.first <= 1 && a.first + a.count > 1) {
            found = true;
            cr_assert(a.first == 1 && a.count == 1 && a.most == 1 && a.attempt == 1);
        }
    }
    cr_assert(found);
    farm_lost(f, 1);
    farm_crashed(f, 1, 0, 1);
    farm_settle(f, 0);
    cr_assert_eq(farm_next_verdict(f, &v), 1);
    cr_assert(v.status == RESULT_FAILED && v.reason == RESULT_CRASH && v.attempt == 2);
    while (next_lot(f, 2, &a))
        cr_assert(a.first != 1);
    struct farm_counts c;
    farm_count(f, &c);
    cr_assert(c.failed == 1 && c.lost == 2);
}

Test(farm, a_groups_task_runs_again_when_its_lead_was_lost_and_settled)
{
    struct fixture x = {0};
    add_stage(&x, 1, 2);
    for (int committed = 0; committed < 2; committed++) {
        AUTO(farm) f = farm_of(&x, 3, 1, NULL);
        struct farm_assign a;
        farm_idle(f, 0);
        farm_idle(f, 1);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert_eq(a.kind, FARM_GROUP);
        struct farm_assign given = a;
        farm_lost(f, 0);
        farm_idle(f, 1);
        farm_idle(f, 2);
        cr_assert_eq(farm_next(f, &a), 0, "it may have been committed");
        if (committed)
            report(f, &given, FARM_DONE);
        farm_settle(f, 0);
        cr_assert_eq(farm_next(f, &a), 1);
        cr_assert_eq(a.kind, committed ? FARM_STOP : FARM_GROUP);
        cr_assert(a.n_members == 2 && a.members[0] == 1);
    }
}

Test(farm, a_group_that_lost_another_member_waits_for_its_leads_word)
{
    struct fixture x = {0};
    add_stage(&x, 1, 2);
    AUTO(farm) f = farm_of(&x, 3, 1, NULL);
    struct farm_assign a;
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    struct farm_report back = {
        .stage = 0, .outcome = FARM_RETURNED, .first = 0, .count = 1, .attempts = 1};
    farm_lost(f, 1);
    farm_settle(f, 1);
    farm_idle(f, 0);
    farm_idle(f, 2);
    cr_assert_eq(farm_next(f, &a), 0);
    farm_report(f, &back);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.kind == FARM_GROUP && a.members[1] == 2 && a.attempt == 1);
}

Test(farm, a_lot_is_never_more_than_a_board_takes)
{
    struct fixture x = {0};
    add_stage(&x, UINT64_C(1) << 30, 1);
    AUTO(farm) f = farm_of(&x, 16, 16, NULL);
    struct farm_assign a;
    farm_idle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    struct farm_report r = {
        .outcome = FARM_DONE, .first = a.first, .count = a.count, .seconds = 1e-9};
    farm_report(f, &r);
    farm_low(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.count > 1000 && a.count <= BOARD_LOT_MOST, "%d", (int)a.count);
}

/* Task 0 of a stage of groups of two, on the ranks 0 and 1 of four; each is a host. */
static struct farm *two_of_four(struct fixture *x, unsigned per_host)
{
    struct farm_assign a;
    add_stage(x, 1, 2);
    struct farm *f = farm_of(x, 4, per_host, NULL);
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.kind == FARM_GROUP && a.attempt == 0);
    return f;
}

Test(farm, a_lost_member_costs_its_group_one_attempt_however_the_news_are_ordered)
{
    struct farm_report back = {.outcome = FARM_RETURNED, .count = 1, .attempts = 1};
    for (int lead_first = 0; lead_first < 2; lead_first++) {
        struct fixture x = {0};
        struct farm_assign a;
        struct farm_verdict v;
        AUTO(farm) f = two_of_four(&x, 1);
        farm_lost(f, 1); /* in the second attempt */
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(farm_next_verdict(f, &v), 0);
            if (i == lead_first) {
                farm_crashed(f, 1, 0, 0);
                farm_settle(f, 1);
            } else {
                farm_report(f, &back);
                farm_idle(f, 0);
                farm_idle(f, 2);
            }
            cr_assert_eq(farm_next(f, &a), i == 1, "one word is missing");
        }
        cr_assert(a.kind == FARM_GROUP && a.attempt == 2 && a.members[1] == 2);
        cr_assert_eq(farm_next_verdict(f, &v), 1);
        cr_assert(v.status == RESULT_RETRIED && v.attempt == 2 && v.rank == 1);
        cr_assert_eq(farm_next_verdict(f, &v), 0);
    }
}

Test(farm, a_task_that_takes_its_whole_group_down_has_crashed_once)
{
    struct fixture x = {0};
    struct farm_assign a;
    struct farm_verdict v;
    AUTO(farm) f = two_of_four(&x, 4);
    farm_lost(f, 0);
    farm_lost(f, 1);
    farm_crashed(f, 0, 0, 0);
    farm_crashed(f, 1, 0, 0);
    farm_settle(f, 0);
    cr_assert_eq(farm_next_verdict(f, &v), 1);
    cr_assert(v.status == RESULT_RETRIED && v.attempt == 1);
    cr_assert_eq(farm_next_verdict(f, &v), 0);
    farm_idle(f, 2);
    farm_idle(f, 3);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.kind == FARM_GROUP && a.attempt == 1 && a.members[0] == 2);
}

Test(farm, a_crash_of_a_group_whose_task_is_done_counts_for_nothing)
{
    struct fixture x = {0};
    struct farm_assign a = {.count = 1};
    struct farm_verdict v;
    AUTO(farm) f = two_of_four(&x, 1);
    farm_lost(f, 1);
    farm_crashed(f, 1, 0, 0);
    farm_settle(f, 1);
    report(f, &a, FARM_DONE);
    cr_assert_eq(farm_next_verdict(f, &v), 0);
    cr_assert(farm_over(f) && farm_complete(f));
}

Test(farm, what_a_lost_rank_had_tried_stays_with_those_who_run_it_now)
{
    struct fixture x = {0};
    struct farm_report back = {.outcome = FARM_RETURNED, .count = 1, .attempts = 1};
    struct farm_report tried = {.outcome = FARM_TRIED, .count = 1, .attempts = 1};
    struct farm_assign a;
    AUTO(farm) f = two_of_four(&x, 1);
    farm_lost(f, 1);
    farm_settle(f, 1);
    farm_report(f, &back);
    farm_idle(f, 0);
    farm_busy(f, 0);
    farm_idle(f, 2);
    farm_idle(f, 3);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.kind == FARM_GROUP && a.members[0] == 2 && a.attempt == 1);
    farm_lost(f, 0); /* its shard holds the first attempt */
    farm_report(f, &tried);
    farm_settle(f, 0);
    back.attempts = 2;
    farm_report(f, &back);
    farm_report(f, &tried);
    cr_assert_eq(farm_next(f, &a), 0, "it is out");
    farm_idle(f, 2);
    farm_idle(f, 3);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.kind == FARM_GROUP && a.attempt == 2);
}

Test(farm, a_retry_that_leaves_out_node_ends_a_task_with_its_rank)
{
    static const struct {
        unsigned limit, on;
        bool again;
    } retries[] = {{0, 0, true},
                   {2, JOBSPEC_RETRY_EXIT | JOBSPEC_RETRY_NODE, true},
                   {2, JOBSPEC_RETRY_EXIT, false},
                   {0, JOBSPEC_RETRY_EXIT, true}}; /* a limit of 0 is no retry */
    for (size_t i = 0; i < sizeof(retries) / sizeof(retries[0]); i++) {
        for (int before = 0; before < 2; before++) {
            struct fixture x = {0};
            struct farm_verdict v;
            struct farm_assign a;
            add_stage(&x, 1, 1);
            x.stages[0].retry_limit = retries[i].limit;
            x.stages[0].retry_on = retries[i].on;
            AUTO(farm) f = farm_of(&x, 2, 2, NULL);
            if (before) { /* in an earlier launch */
                farm_crashed_before(f, 0, 0);
            } else {
                cr_assert(next_lot(f, 1, &a));
                farm_lost(f, 1);
                farm_crashed(f, 1, 0, 0);
                farm_settle(f, 0);
            }
            cr_assert_eq(farm_next_verdict(f, &v), 1);
            cr_assert(v.reason == RESULT_LOST && v.attempt == 1);
            cr_assert_eq(v.status, retries[i].again ? RESULT_RETRIED : RESULT_FAILED);
            cr_assert_eq(next_lot(f, 0, &a), retries[i].again);
            cr_assert_eq(farm_complete(f), !retries[i].again);
        }
    }
}

Test(farm, a_lead_that_is_lost_between_its_idle_and_its_commit_costs_an_attempt_alone)
{
    struct fixture x = {0};
    struct farm_assign a;
    AUTO(farm) f = two_of_four(&x, 1);
    farm_idle(f, 0);
    farm_idle(f, 1);
    cr_assert_eq(farm_next(f, &a), 0, "its commit is to come");
    farm_lost(f, 0);
    farm_idle(f, 2);
    cr_assert_eq(farm_next(f, &a), 0);
    farm_settle(f, 0);
    cr_assert_eq(farm_next(f, &a), 1);
    cr_assert(a.kind == FARM_GROUP && a.members[0] == 1 && a.members[1] == 2);
}
