/* The board of one host, several seats driven by one thread: what is claimed, stolen,
 * recalled, held. tests/threads/board.c has the seats as threads. */
#include "base/memory.h"
#include "runner/board.h"
#include <criterion/criterion.h>
#include <string.h>

enum { N_STAGES = 3 };

struct table {
    void *mem;
    struct board *seats[4];
    unsigned n;
};

static struct table set_table(unsigned n)
{
    struct table t = {.mem = xcalloc(1, board_bytes(n, N_STAGES)), .n = n};
    board_init(t.mem, n, N_STAGES);
    for (unsigned i = 0; i < n; i++)
        t.seats[i] = board_open(t.mem, i);
    return t;
}

static void clear_table(struct table *t)
{
    for (unsigned i = 0; i < t->n; i++)
        board_close(t->seats[i]);
    free(t->mem);
}

static void
post(struct table *t, uint64_t id, uint32_t stage, uint64_t first, uint64_t count)
{
    struct board_lot lot = {.id = id, .stage = stage, .first = first, .count = count};
    cr_assert(board_post(t->seats[0], &lot));
}

static uint64_t take_all(struct board *b)
{
    uint64_t first, n = 0, k;
    while ((k = board_take(b, 3, &first)) > 0)
        n += k;
    return n;
}

Test(board, claims_are_one_task_until_the_mean_is_known_then_a_tenth_of_a_second)
{
    struct table t = set_table(2);
    struct board_claim c;
    uint64_t first;
    post(&t, 1, 0, 100, 1000000);
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_CLAIMED);
    cr_assert(c.first == 100 && c.count == 1 && c.lot == 1);
    cr_assert_eq(board_take(t.seats[0], 10, &first), 1);
    cr_assert_eq(first, 100);
    cr_assert_eq(board_take(t.seats[0], 10, &first), 0);
    board_done(t.seats[0], 0, 1, 0.0001);
    cr_assert_float_eq(board_mean(t.seats[1], 0), 0.0001, 1e-9);
    cr_assert_eq(board_claim(t.seats[1], &c), BOARD_CLAIMED);
    cr_assert(c.first == 101 && c.count == 1000, "%llu", (unsigned long long)c.count);
    clear_table(&t);
}

Test(board, a_claim_is_never_more_than_a_share_of_the_rest_nor_than_the_lot_allows)
{
    struct table t = set_table(2);
    struct board_claim c;
    board_done(t.seats[0], 0, 1000, 0.00001);
    board_done(t.seats[0], 1, 1000, 0.00001);
    post(&t, 1, 0, 0, 1000);
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_CLAIMED);
    cr_assert_eq(c.count, 250);
    struct board_lot lot = {.id = 2, .stage = 1, .count = 1000, .priority = 1, .most = 7};
    cr_assert(board_post(t.seats[1], &lot));
    cr_assert_eq(board_claim(t.seats[1], &c), BOARD_CLAIMED);
    cr_assert(c.stage == 1 && c.count == 7, "the higher priority goes first");
    clear_table(&t);
}

Test(board, who_finds_no_lot_steals_the_back_half_of_the_largest_claim)
{
    struct table t = set_table(3);
    struct board_claim c;
    uint64_t first;
    board_done(t.seats[0], 0, 1000, 0.00001);
    post(&t, 1, 0, 0, 600);
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_CLAIMED);
    cr_assert_eq(c.count, 100);
    cr_assert_eq(board_take(t.seats[0], 10, &first), 10);
    uint64_t lot;
    while (board_recall(t.seats[1], &lot, &first) > 0 && first > 100)
        ;
    cr_assert_eq(board_claim(t.seats[1], &c), BOARD_CLAIMED);
    cr_assert(c.first == 55 && c.count == 45, "of [10, 100)");
    cr_assert_eq(board_held(t.seats[0], &c, 1), 1);
    cr_assert(c.first == 0 && c.count == 55);
    board_fit(t.seats[2], 0, false);
    cr_assert_eq(board_claim(t.seats[2], &c), BOARD_EMPTY);
    cr_assert_eq(take_all(t.seats[0]), 45);
    cr_assert_eq(take_all(t.seats[1]), 45);
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_EMPTY);
    clear_table(&t);
}

Test(board, a_recall_that_finds_no_lot_takes_half_of_what_a_seat_has_not_begun)
{
    struct table t = set_table(1);
    struct board_claim c;
    uint64_t lot, first;
    board_done(t.seats[0], 0, 1000, 0.00001);
    post(&t, 8, 0, 500, 100);
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_CLAIMED);
    cr_assert_eq(c.count, 50);
    cr_assert_eq(board_take(t.seats[0], 10, &first), 10);
    while (board_recall(t.seats[0], &lot, &first) > 0 && first > 550)
        ;
    cr_assert_eq(board_recall(t.seats[0], &lot, &first), 20);
    cr_assert(lot == 8 && first == 530, "of [510, 550)");
    cr_assert_eq(board_recall(t.seats[0], &lot, &first), 10);
    cr_assert_eq(first, 520);
    cr_assert_eq(take_all(t.seats[0]), 10);
    cr_assert_eq(board_recall(t.seats[0], &lot, &first), 0);
    clear_table(&t);
}

Test(board, a_recall_takes_half_of_what_nobody_claimed_from_the_end)
{
    struct table t = set_table(1);
    uint64_t lot, first;
    post(&t, 9, 0, 1000, 101);
    cr_assert_eq(board_recall(t.seats[0], &lot, &first), 51);
    cr_assert(lot == 9 && first == 1050);
    cr_assert_eq(board_recall(t.seats[0], &lot, &first), 25);
    cr_assert_eq(first, 1025);
    clear_table(&t);
}

Test(board, held_is_what_was_claimed_and_not_reported)
{
    struct table t = set_table(1);
    struct board *b = t.seats[0];
    struct board_claim c, held[4];
    uint64_t first;
    board_done(b, 0, 1000, 0.00001);
    post(&t, 1, 0, 0, 200);
    cr_assert_eq(board_claim(b, &c), BOARD_CLAIMED);
    cr_assert_eq(c.count, 100);
    board_reported(b, 0, 10, 20);
    cr_assert_eq(board_held(b, held, 4), 2);
    uint64_t sum = held[0].count + held[1].count;
    cr_assert_eq(sum, 80);
    board_reported(b, 1, 0, 100);
    cr_assert_eq(board_held(b, held, 4), 2, "another stage");
    cr_assert_eq(board_take(b, 40, &first), 40);
    cr_assert_eq(board_give_back(b, &first), 60);
    cr_assert_eq(first, 40);
    cr_assert_eq(board_held(b, held, 4), 2, "held until the return is reported");
    board_reported(b, 0, 40, 60);
    board_reported(b, 0, 0, 40);
    cr_assert_eq(board_held(b, held, 4), 0);
    clear_table(&t);
}

Test(board, a_frozen_board_gives_nothing_and_a_cleared_one_has_nothing)
{
    struct table t = set_table(2);
    struct board_claim c;
    uint64_t lot, first;
    post(&t, 1, 0, 0, 50);
    cr_assert(board_freeze(t.seats[0], 1));
    cr_assert(board_freeze(t.seats[1], 1));
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_FROZEN);
    cr_assert_eq(board_recall(t.seats[0], &lot, &first), 0);
    struct board_lot more = {.id = 2, .count = 1};
    cr_assert_not(board_post(t.seats[0], &more));
    board_bury(t.seats[0], 1);
    board_clear(t.seats[0], 1);
    uint64_t version = board_version(t.seats[0]);
    cr_assert(board_freeze(t.seats[0], 2), "another loss before the thaw");
    board_thaw(t.seats[0], 1);
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_FROZEN);
    board_thaw(t.seats[0], 2);
    cr_assert_neq(board_version(t.seats[0]), version);
    cr_assert(board_freeze(t.seats[0], 2), "late, and without effect");
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_EMPTY);
    post(&t, 3, 0, 0, 50);
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_CLAIMED);
    cr_assert_eq(board_claim(t.seats[1], &c), BOARD_FROZEN, "buried");
    clear_table(&t);
}

Test(board, a_thaw_that_comes_late_takes_no_lot_off)
{
    struct table t = set_table(3); /* seat 2 was lost, then seat 0, which was to thaw */
    struct board_claim c;
    cr_assert(board_freeze(t.seats[0], 1));
    cr_assert(board_freeze(t.seats[1], 2));
    board_clear(t.seats[1], 2);
    board_thaw(t.seats[1], 2);
    struct board_lot lot = {.id = 1, .count = 50};
    cr_assert(board_post(t.seats[1], &lot));
    board_clear(t.seats[0], 1); /* it wakes up */
    board_thaw(t.seats[0], 1);
    cr_assert_eq(board_claim(t.seats[1], &c), BOARD_CLAIMED);
    clear_table(&t);
}

Test(board, nobody_steals_from_the_buried_and_they_take_nothing)
{
    struct table t = set_table(2);
    struct board_claim c;
    uint64_t first;
    board_done(t.seats[0], 0, 1000, 0.00001);
    post(&t, 1, 0, 0, 400);
    cr_assert_eq(board_claim(t.seats[0], &c), BOARD_CLAIMED);
    board_bury(t.seats[1], 0);
    cr_assert(board_freeze(t.seats[1], 1));
    board_clear(t.seats[1], 1);
    board_thaw(t.seats[1], 1);
    cr_assert_eq(board_claim(t.seats[1], &c), BOARD_EMPTY);
    cr_assert_eq(board_take(t.seats[0], 1, &first), 0);
    clear_table(&t);
}

Test(board, a_full_board_takes_no_lot_and_slots_are_used_again)
{
    struct table t = set_table(1);
    struct board_lot lot = {.count = 1};
    struct board_claim c;
    uint64_t first;
    while (board_post(t.seats[0], &lot))
        lot.id++;
    cr_assert_gt(lot.id, 8);
    for (uint64_t i = 0; i < 300000; i++) { /* generations wrap */
        cr_assert_eq(board_claim(t.seats[0], &c), BOARD_CLAIMED);
        cr_assert_eq(board_take(t.seats[0], 1, &first), 1);
        board_reported(t.seats[0], 0, first, 1);
        cr_assert(board_post(t.seats[0], &lot));
    }
    clear_table(&t);
}

Test(board, quantiles_are_upper_bounds_within_a_quarter_octave)
{
    struct table t = set_table(2);
    cr_assert_lt(board_quantile(t.seats[0], 0, 0.95, 1), 0);
    for (int i = 0; i < 95; i++)
        board_done(t.seats[0], 0, 1, 0.010);
    for (int i = 0; i < 5; i++)
        board_done(t.seats[1], 0, 1, 3.0);
    cr_assert_lt(board_quantile(t.seats[0], 0, 0.95, 101), 0);
    double p95 = board_quantile(t.seats[1], 0, 0.95, 100);
    cr_assert(p95 >= 0.010 && p95 < 0.012, "%g", p95);
    double p96 = board_quantile(t.seats[1], 0, 0.96, 100);
    cr_assert(p96 >= 3 && p96 < 3.6, "%g", p96);
    clear_table(&t);
}

Test(board, who_finds_a_seat_dead_learns_what_it_ran)
{
    struct table t = set_table(2);
    uint32_t stage;
    uint64_t task;
    cr_assert_not(board_was_running(t.seats[0], 1, &stage, &task));
    board_running(t.seats[1], 2, 77);
    cr_assert(board_was_running(t.seats[0], 1, &stage, &task));
    cr_assert(stage == 2 && task == 77);
    unsigned at = 0;
    cr_assert(board_next_running(t.seats[0], 1, &at, &stage, &task) && task == 77);
    cr_assert_not(board_next_running(t.seats[0], 1, &at, &stage, &task));
    board_command_runs(t.seats[1], 0, 2, 76); /* several commands: each, and no other */
    board_command_runs(t.seats[1], 1, 2, 77);
    board_command_runs(t.seats[1], BOARD_COMMANDS - 1, 1, 5);
    board_command_runs(t.seats[1], 1, UINT32_MAX, 0);
    at = 0;
    cr_assert(board_next_running(t.seats[0], 1, &at, &stage, &task) && task == 76);
    cr_assert(board_next_running(t.seats[0], 1, &at, &stage, &task));
    cr_assert(stage == 1 && task == 5);
    cr_assert_not(board_next_running(t.seats[0], 1, &at, &stage, &task));
    board_command_runs(t.seats[1], 0, UINT32_MAX, 0);
    board_command_runs(t.seats[1], BOARD_COMMANDS - 1, UINT32_MAX, 0);
    board_running(t.seats[1], UINT32_MAX, 0);
    cr_assert_not(board_was_running(t.seats[0], 1, &stage, &task));
    at = 0;
    cr_assert_not(board_next_running(t.seats[0], 1, &at, &stage, &task));
    struct board_sitter who;
    cr_assert_not(board_sitter(t.seats[0], 1, &who));
    board_sit(t.seats[1], &(struct board_sitter){4711, 1, 2});
    board_beat(t.seats[1]);
    cr_assert(board_sitter(t.seats[0], 1, &who) && who.pid == 4711 && who.began == 2);
    cr_assert_eq(board_beats(t.seats[0], 1), 1);
    clear_table(&t);
}

Test(board, a_low_board_says_so)
{
    struct table t = set_table(2);
    cr_assert(board_low(t.seats[0]));
    board_done(t.seats[0], 0, 1000, 0.001);
    post(&t, 1, 0, 0, 1000000);
    cr_assert_not(board_low(t.seats[0]));
    uint64_t lot, first;
    (void)board_recall(t.seats[0], &lot, &first);
    (void)board_recall(t.seats[0], &lot, &first);
    cr_assert(board_low(t.seats[0]), "0.25 s of work");
    clear_table(&t);
}
