/* See scheduler/result/commits.h. */
#include "base/memory.h"
#include "result/commits.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

static uint64_t state;

static uint64_t draw(uint64_t below) /* xorshift64 */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

static void add(struct commits *c, uint64_t task, uint32_t attempt, uint64_t row)
{
    const struct row_commit r = {.task = task,
                                 .count = 1,
                                 .attempt = attempt,
                                 .status = RESULT_FAILED,
                                 .end = (double)draw(5)};
    commits_add(c, &r, (uint32_t)draw(3), row);
}

/* Every attempt is there once, in the order of task and attempt. */
static void expect_order(struct commits *c, uint64_t n)
{
    AUTO_FREE(unsigned char) seen = xcalloc(n, 1);
    const struct commit *last = NULL;
    cr_assert_eq(commits_n_attempts(c), n);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t task;
        const struct commit *now = commits_attempt(c, i, &task);
        cr_assert(now->row < n && !seen[now->row]);
        seen[now->row] = 1;
        cr_assert(last == NULL || last->task < now->task ||
                  (last->task == now->task && last->attempt <= now->attempt));
        last = now;
    }
}

/* Orders that shards have: one after the other, alternating, all alike, and any; in
 * several refreshes. */
Test(commits, are_in_order_however_they_came)
{
    enum { N = 3000, TURNS = 40 };
    const char *said = getenv("GRIDMILL_SEED");
    state = said != NULL ? strtoull(said, NULL, 10) : (uint64_t)time(NULL) | 1;
    (void)fprintf(stderr, "GRIDMILL_SEED=%llu\n", (unsigned long long)state);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct commits c = {0};
        uint64_t n = 1 + draw(N), shards = 1 + draw(70), row = 0;
        uint64_t tasks = 1 + draw(turn % 2 == 0 ? n : 4 * n);
        for (uint64_t s = 0; s < shards; s++) {
            for (uint64_t i = s; i < n; i += shards)
                add(&c,
                    turn % 4 == 3 ? draw(tasks) : i % tasks,
                    1 + (uint32_t)draw(3),
                    row++);
            if (draw(20) == 0)
                commits_sort(&c);
        }
        commits_sort(&c);
        expect_order(&c, n);
        commits_free(&c);
    }
}
