/* The board with its seats as threads: lots come while they claim and steal, a part is
 * recalled, and seats are given up for lost that go on all the same, held up at any
 * instant. What each seat commits before it is fenced counts; at the end every task
 * counts exactly once. A plain main, for ThreadSanitizer. Arguments: rounds, seed. */
#include "runner/board.h"
#include "base/clock.h"
#include "base/memory.h"
#include "stall.h"
#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_SEATS = 5, N_STAGES = 2, N_TASKS = 40000, MOST_HELD = 4096 };

struct game;

struct seat {
    struct game *game;
    struct board *board; /* for the compute thread and for the pulse's part alike */
    pthread_t thread;
    uint64_t random;
    unsigned index;
    /* What it committed, in order; the fence says how many count. */
    uint64_t *log;
    _Atomic uint64_t n_logged;
    uint64_t fence;
    bool lost;
    _Atomic int stop; /* enum stop */
    int swaps;        /* as many more before it stops */
};

enum stop { RUNNING, STOP, STOPPED };

struct game {
    void *mem;
    struct seat seats[N_SEATS];
    _Atomic bool over;
    uint64_t n_lots, granted[N_STAGES], random;
};

static uint64_t draw(uint64_t *state, uint64_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % n;
}

static _Thread_local struct seat *self; /* of a compute thread */

/* Before each swap: yield or wait now and then, or as long as we are stopped. */
void stall(void)
{
    if (self == NULL)
        return;
    uint64_t what = draw(&self->random, 512);
    if (what == 0)
        clock_sleep(0.0003);
    else if (what < 64)
        (void)sched_yield();
    int stop = STOP;
    if (self->swaps-- > 0)
        return;
    (void)atomic_compare_exchange_strong_explicit(
        &self->stop, &stop, STOPPED, memory_order_seq_cst, memory_order_seq_cst);
    while (atomic_load(&self->stop) == STOPPED)
        clock_sleep(0.00005);
}

static void run_claim(struct seat *s, const struct board_claim *c)
{
    uint64_t first, n;
    while ((n = board_take(s->board, 1 + draw(&s->random, 8), &first)) > 0) {
        for (uint64_t i = 0; i < n; i++) {
            board_running(s->board, c->stage, first + i);
            for (uint64_t spin = draw(&s->random, 4000); spin > 0; spin--)
                atomic_signal_fence(memory_order_seq_cst);
            if (draw(&s->random, 1000) == 0) /* the rest of its claim stands for long */
                clock_sleep(0.002);
            uint64_t at = atomic_load(&s->n_logged);
            if (at == N_TASKS) /* only what was given twice gets here */
                return;
            s->log[at] = 2 * (first + i) + c->stage;
            atomic_store(&s->n_logged, at + 1);
        }
        board_done(s->board, c->stage, n, 1e-6 * (double)n);
        board_reported(s->board, c->stage, first, n);
    }
}

static void *play(void *arg)
{
    struct seat *s = arg;
    struct board_claim c;
    self = s;
    while (!atomic_load(&s->game->over)) {
        uint64_t version = board_version(s->board);
        if (board_claim(s->board, &c) == BOARD_CLAIMED) {
            run_claim(s, &c);
            continue;
        }
        while (board_version(s->board) == version && !atomic_load(&s->game->over) &&
               draw(&s->random, 64) != 0)
            (void)sched_yield();
    }
    return NULL;
}

/* Every task that counts, once more in `seen`. */
static unsigned count_seen(struct game *g, uint8_t *seen)
{
    unsigned all = 0;
    for (unsigned i = 0; i < N_SEATS; i++) {
        struct seat *s = &g->seats[i];
        uint64_t n = s->lost ? s->fence : atomic_load(&s->n_logged);
        for (uint64_t k = 0; k < n; k++)
            seen[s->log[k]]++;
        all += (unsigned)n;
    }
    return all;
}

static struct seat *living(struct game *g)
{
    struct seat *s = &g->seats[draw(&g->random, N_SEATS)];
    return s->lost ? living(g) : s;
}

static void post(struct game *g, uint32_t stage, uint64_t first, uint64_t count)
{
    struct board_lot lot = {.id = N_STAGES * ++g->n_lots + stage, /* it tells the stage */
                            .stage = stage,
                            .first = first,
                            .count = count};
    while (!board_post(living(g)->board, &lot))
        (void)sched_yield();
}

/* What was granted and is not in `seen`, as lots. */
static void post_rest(struct game *g, const uint8_t *seen)
{
    for (uint32_t stage = 0; stage < N_STAGES; stage++) {
        uint64_t t = 0, end = g->granted[stage];
        while (t < end) {
            uint64_t first = t;
            while (t < end && seen[2 * t + stage] == 0)
                t++;
            if (t > first)
                post(g, stage, first, t - first);
            else
                t++;
        }
    }
}

/* Small lots, so that the board is empty again and again and seats steal. */
static void grant(struct game *g)
{
    uint32_t stage = (uint32_t)draw(&g->random, N_STAGES);
    uint64_t left = N_TASKS / N_STAGES - g->granted[stage];
    uint64_t n = 1 + draw(&g->random, 400);
    n = n < left ? n : left;
    if (n > 0)
        post(g, stage, g->granted[stage], n);
    g->granted[stage] += n;
}

static void recall(struct game *g)
{
    uint64_t lot, first, n = board_recall(living(g)->board, &lot, &first);
    if (n > 0)
        post(g, lot % N_STAGES, first, n);
}

static void lose_one(struct game *g, uint64_t loss)
{
    static uint8_t seen[N_TASKS];
    static struct board_claim held[MOST_HELD];
    struct seat *d = living(g);
    memset(seen, 0, sizeof(seen));
    atomic_store(&d->stop, STOP);
    for (int i = 0; i < 20 && atomic_load(&d->stop) == STOP; i++)
        clock_sleep(0.00005);
    d->lost = true;
    for (unsigned i = 0; i < N_SEATS; i++) {
        if (!g->seats[i].lost) {
            board_bury(g->seats[i].board, d->index);
            while (!board_freeze(g->seats[i].board, loss))
                (void)sched_yield();
        }
    }
    for (unsigned i = 0; i < N_SEATS; i++) {
        /* First what is held, then what is committed: as an answer after the reports. */
        unsigned n =
            g->seats[i].lost ? 0 : board_held(g->seats[i].board, held, MOST_HELD);
        assert(n <= MOST_HELD);
        for (unsigned k = 0; k < n; k++)
            for (uint64_t t = 0; t < held[k].count; t++)
                seen[2 * (held[k].first + t) + held[k].stage] = 1;
    }
    d->fence = atomic_load(&d->n_logged);
    (void)count_seen(g, seen);
    struct board *b = living(g)->board;
    board_clear(b, loss);
    board_thaw(b, loss);
    post_rest(g, seen);
    clock_sleep(0.0001 * (double)draw(&g->random, 4));
    atomic_store(&d->stop, RUNNING);
}

static int judge(struct game *g)
{
    static uint8_t seen[N_TASKS];
    memset(seen, 0, sizeof(seen));
    (void)count_seen(g, seen);
    int bad = 0;
    for (uint64_t i = 0; i < N_TASKS; i++) {
        if (seen[i] != 1 && bad++ < 5)
            (void)fprintf(stderr,
                          "stage %d task %" PRIu64 ": %d times\n",
                          (int)(i % 2),
                          i / 2,
                          seen[i]);
    }
    return bad;
}

static int round_of(uint64_t seed, long *ret_losses)
{
    static uint64_t logs[N_SEATS][N_TASKS];
    static uint8_t seen[N_TASKS];
    struct game g = {.mem = xcalloc(1, board_bytes(N_SEATS, N_STAGES)), .random = seed};
    board_init(g.mem, N_SEATS, N_STAGES);
    for (unsigned i = 0; i < N_SEATS; i++) {
        g.seats[i] = (struct seat){.game = &g,
                                   .board = board_open(g.mem, i),
                                   .index = i,
                                   .random = seed + i,
                                   .log = logs[i]};
    }
    memset(seen, 0, sizeof(seen));
    for (unsigned i = 0; i < N_SEATS; i++)
        (void)pthread_create(&g.seats[i].thread, NULL, play, &g.seats[i]);
    uint64_t losses = 0; /* each seat but one, as long as there is work */
    double start = clock_monotonic();
    while (count_seen(&g, seen) < N_TASKS && clock_monotonic() - start < 60) {
        uint64_t what = draw(&g.random, 64);
        if (what == 0 && losses < N_SEATS - 1)
            lose_one(&g, ++losses);
        else if (what < 16)
            recall(&g);
        else
            grant(&g);
        clock_sleep(0.0001);
    }
    *ret_losses += (long)losses;
    atomic_store(&g.over, true);
    for (unsigned i = 0; i < N_SEATS; i++) {
        (void)pthread_join(g.seats[i].thread, NULL);
        board_close(g.seats[i].board);
    }
    int bad = judge(&g);
    free(g.mem);
    return bad;
}

static void *claim_once(void *arg)
{
    struct board_claim c;
    self = arg;
    return board_claim(self->board, &c) == BOARD_CLAIMED ? arg : NULL;
}

/* A seat is stopped between the load and the swap of a theft, given up, and wakes: its
 * swap must fail although the other's claim is as it was. */
static int wakes_within_a_theft(void)
{
    void *mem = xcalloc(1, board_bytes(2, 1)), *got = NULL;
    struct board_claim c;
    uint64_t first;
    board_init(mem, 2, 1);
    struct board *b = board_open(mem, 0);
    struct seat thief = {.board = board_open(mem, 1), .stop = STOP, .swaps = 1};
    struct board_lot lot = {.id = 1, .count = 100};
    board_done(b, 0, 1000, 0.001);
    bool fine = board_post(b, &lot) && board_claim(b, &c) == BOARD_CLAIMED &&
                board_take(b, 1, &first) == 1;
    fine = fine && board_freeze(b, 1);
    board_clear(b, 1);
    board_thaw(b, 1);
    (void)pthread_create(&thief.thread, NULL, claim_once, &thief);
    while (atomic_load(&thief.stop) != STOPPED)
        clock_sleep(0.001);
    board_bury(b, 1);
    fine = fine && board_freeze(b, 2);
    board_clear(b, 2);
    board_thaw(b, 2);
    atomic_store(&thief.stop, RUNNING);
    (void)pthread_join(thief.thread, &got);
    fine = fine && got == NULL && board_take(b, 100, &first) == c.count - 1;
    board_close(b);
    board_close(thief.board);
    free(mem);
    (void)printf("a theft by the buried: %s\n", fine ? "none" : "done");
    return !fine;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    (void)printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    int bad = wakes_within_a_theft();
    long losses = 0;
    for (long i = 0; i < rounds && bad == 0; i++)
        bad = round_of(seed + (uint64_t)i, &losses);
    (void)printf("%ld rounds of %d tasks, %ld seats lost: %d failures\n",
                 rounds,
                 N_TASKS,
                 losses,
                 bad);
    return bad != 0 || losses < rounds / 2;
}
