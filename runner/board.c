/* See board.h. Invariant: each task of a lot is unclaimed (between next and end of its
 * lot), or in the claim of one seat, or was taken by one seat, or is on its way between
 * two of these in the hands of one seat that is moving: tasks change hands by
 * compare-and-swap alone. */
#include "board.h"
#include "base/memory.h"
#include "board_shared.h"
#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static size_t seats_at(void)
{
    return sizeof(struct shared);
}

static size_t times_at(unsigned n_seats)
{
    return seats_at() + n_seats * sizeof(struct shared_seat);
}

static size_t commands_at(unsigned n_seats, unsigned n_stages)
{
    return times_at(n_seats) + n_stages * sizeof(struct shared_times);
}

size_t board_bytes(unsigned n_seats, unsigned n_stages)
{
    return commands_at(n_seats, n_stages) + n_seats * sizeof(struct board_commands) +
           LINE;
}

/* The first line within mem: the same one in all ranks, since pages are larger. */
static struct shared *aligned(void *mem)
{
    return (struct shared *)(((uintptr_t)mem + LINE - 1) / LINE * LINE);
}

void board_init(void *mem, unsigned n_seats, unsigned n_stages)
{
    struct shared *s = aligned(mem);
    s->n_seats = n_seats;
    s->n_stages = n_stages;
    struct shared_seat *seats = (struct shared_seat *)((char *)s + seats_at());
    for (unsigned i = 0; i < n_seats; i++)
        atomic_store(&seats[i].running_stage, UINT32_MAX);
}

struct board *board_open(void *mem, unsigned seat)
{
    struct board *b = xcalloc(1, sizeof(*b));
    b->shared = aligned(mem);
    assert(seat < b->shared->n_seats);
    b->seats = (struct shared_seat *)((char *)b->shared + seats_at());
    b->me = &b->seats[seat];
    b->times = (struct shared_times *)((char *)b->shared + times_at(b->shared->n_seats));
    b->commands =
        (struct board_commands *)((char *)b->shared +
                                  commands_at(b->shared->n_seats, b->shared->n_stages));
    b->seat = seat;
    b->fits = xcalloc(b->shared->n_stages, sizeof(*b->fits));
    for (unsigned i = 0; i < b->shared->n_stages; i++)
        b->fits[i] = true;
    b->acc.low = BINS;
    (void)pthread_mutex_init(&b->lock, NULL);
    return b;
}

void board_close(struct board *b)
{
    if (b == NULL)
        return;
    (void)pthread_mutex_destroy(&b->lock);
    free(b->held);
    free(b->fits);
    free(b);
}

void board_fit(struct board *b, unsigned stage, bool fits)
{
    assert(stage < b->shared->n_stages);
    b->fits[stage] = fits;
}

/* Which seats are in the middle of a move, and how many moves there were. */
static uint64_t moves(const struct board *b, bool *ret_still)
{
    uint64_t sum = 0;
    *ret_still = true;
    for (unsigned i = 0; i < b->shared->n_seats; i++) {
        uint64_t n = atomic_load(&b->seats[i].moving);
        if (i == b->seat || atomic_load(&b->seats[i].buried) != 0)
            continue;
        sum += n;
        *ret_still = *ret_still && n % 2 == 0;
    }
    return sum;
}

bool board_still(const struct board *b)
{
    bool still;
    (void)moves(b, &still);
    return still;
}

static void hold(struct board *b, const struct board_claim *run, bool current)
{
    if (b->n_held == b->held_room) {
        b->held_room = b->held_room == 0 ? 8 : 2 * b->held_room;
        b->held = xrealloc(b->held, b->held_room, sizeof(*b->held));
    }
    b->held[b->n_held++] = (struct held_run){*run, current};
}

/* What is still ours of a run, thefts taken off. */
static struct board_claim still_ours(const struct board *b, const struct held_run *h)
{
    struct board_claim run = h->run;
    uint64_t end = b->claim.first + word_end(atomic_load(&b->me->word));
    if (h->current && run.first + run.count > end)
        run.count = end > run.first ? end - run.first : 0;
    return run;
}

/* The claim is used up: no theft can come any more. */
static void close_claim(struct board *b)
{
    (void)pthread_mutex_lock(&b->lock);
    unsigned n = 0;
    for (unsigned i = 0; i < b->n_held; i++) {
        struct board_claim run = still_ours(b, &b->held[i]);
        if (run.count > 0)
            b->held[n++] = (struct held_run){run, false};
    }
    b->n_held = n;
    (void)pthread_mutex_unlock(&b->lock);
}

/* What we got becomes our claim, of the next generation. */
static void publish(struct board *b, const struct board_claim *c)
{
    struct shared_seat *me = b->me;
    uint64_t old = atomic_load(&me->word);
    (void)pthread_mutex_lock(&b->lock);
    b->claim = *c;
    atomic_store_explicit(&me->lot, c->lot, memory_order_relaxed);
    atomic_store_explicit(&me->first, c->first, memory_order_relaxed);
    atomic_store_explicit(&me->stage, c->stage, memory_order_relaxed);
    atomic_store_explicit(&me->attempt, c->attempt, memory_order_relaxed);
    atomic_store_explicit(&me->alone, c->alone, memory_order_relaxed);
    uint64_t word = word_make(word_gen(old) + 1, 0, c->count);
    /* A freeze may have renewed our word meanwhile: then once more. */
    while (!atomic_compare_exchange_weak(&me->word, &old, word))
        word = word_make(word_gen(old) + 1, 0, c->count);
    hold(b, c, true);
    (void)pthread_mutex_unlock(&b->lock);
}

/* Some 0.1 s of tasks, and of all that is left of the stage at most a half of the seats'
 * equal shares. */
static uint64_t
guided(const struct board *b, uint32_t stage, uint64_t left, uint32_t most)
{
    const struct shared *s = b->shared;
    uint64_t rest = 0;
    for (unsigned i = 0; i < N_LOTS; i++) {
        if (atomic_load_explicit(&s->lots[i].stage, memory_order_relaxed) == stage)
            rest += word_left(atomic_load(&s->lots[i].word));
    }
    double mean = board_mean(b, stage);
    uint64_t n = mean < 0                ? 1
                 : CLAIM_SECONDS <= mean ? 1
                 : mean == 0             ? BOARD_LOT_MOST
                                         : (uint64_t)(CLAIM_SECONDS / mean);
    uint64_t share = rest / (2 * (uint64_t)s->n_seats);
    n = n < share ? n : share;
    n = most > 0 && n > most ? most : n;
    n = n < left ? n : left;
    return n > 0 ? n : 1;
}

/* The lot to claim from: the highest priority, then the earliest. -1: none. */
static int find_lot(const struct board *b)
{
    int best = -1, best_priority = 0;
    uint64_t best_id = 0;
    for (int i = 0; i < N_LOTS; i++) {
        const struct shared_lot *lot = &b->shared->lots[i];
        if (word_left(atomic_load(&lot->word)) == 0)
            continue;
        uint32_t stage = atomic_load_explicit(&lot->stage, memory_order_relaxed);
        int priority = atomic_load_explicit(&lot->priority, memory_order_relaxed);
        uint64_t id = atomic_load_explicit(&lot->id, memory_order_relaxed);
        if (stage >= b->shared->n_stages || !b->fits[stage])
            continue;
        if (best < 0 || priority > best_priority ||
            (priority == best_priority && id < best_id)) {
            best = i;
            best_priority = priority;
            best_id = id;
        }
    }
    return best;
}

static bool claim_lot(struct board *b, struct shared_lot *lot, struct board_claim *ret)
{
    uint64_t word = atomic_load(&lot->word), left = word_left(word);
    struct board_claim c = {
        .lot = atomic_load_explicit(&lot->id, memory_order_relaxed),
        .stage = atomic_load_explicit(&lot->stage, memory_order_relaxed),
        .attempt = atomic_load_explicit(&lot->attempt, memory_order_relaxed),
        .alone = atomic_load_explicit(&lot->alone, memory_order_relaxed),
        .first =
            atomic_load_explicit(&lot->first, memory_order_relaxed) + word_next(word)};
    uint32_t most = atomic_load_explicit(&lot->most, memory_order_relaxed);
    if (left == 0 || c.stage >= b->shared->n_stages || !b->fits[c.stage] ||
        !board_open_to(b))
        return false;
    c.count = guided(b, c.stage, left, most);
    uint64_t new = word_make(word_gen(word), word_next(word) + c.count, word_end(word));
    if (!atomic_compare_exchange_strong(&lot->word, &word, new))
        return false;
    *ret = c;
    return true;
}

/* One try at that lot or that seat's claim. */
static bool move(struct board *b, int lot, int victim, struct board_claim *ret)
{
    (void)atomic_fetch_add(&b->me->moving, 1);
    bool got = lot >= 0 ? claim_lot(b, &b->shared->lots[lot], ret)
                        : board_steal(b, victim, b->fits, ret);
    if (got)
        publish(b, ret);
    (void)atomic_fetch_add(&b->me->moving, 1);
    return got;
}

enum board_answer board_claim(struct board *b, struct board_claim *ret)
{
    enum { TRIES = 1000 };
    close_claim(b);
    if (word_gen_is_mark(word_gen(atomic_load(&b->me->word)) + 1)) {
        while (!board_still(b) && board_open_to(b))
            (void)sched_yield();
    }
    for (unsigned tries = 0; tries < TRIES;) {
        if (!board_open_to(b))
            return BOARD_FROZEN;
        assert(word_left(atomic_load(&b->me->word)) == 0);
        bool still, still_after;
        uint64_t before = moves(b, &still);
        int lot = find_lot(b), victim = lot < 0 ? board_victim(b, b->fits) : -1;
        if (lot >= 0 || victim >= 0) {
            if (move(b, lot, victim, ret))
                return BOARD_CLAIMED;
            continue;
        }
        /* What moved while we looked may be where we had looked already. */
        if (moves(b, &still_after) == before && still && still_after)
            break;
        tries++;
        (void)sched_yield();
    }
    return BOARD_EMPTY;
}

uint64_t board_take(struct board *b, uint64_t most, uint64_t *ret_first)
{
    uint64_t word = atomic_load(&b->me->word), n, new;
    if (atomic_load_explicit(&b->me->buried, memory_order_acquire) != 0)
        return 0;
    do {
        n = word_left(word);
        n = n < most ? n : most;
        if (n == 0)
            return 0;
        new = word_make(word_gen(word), word_next(word) + n, word_end(word));
    } while (!atomic_compare_exchange_weak(&b->me->word, &word, new));
    *ret_first = b->claim.first + word_next(word);
    return n;
}

uint64_t board_give_back(struct board *b, uint64_t *ret_first)
{
    return board_take(b, UINT64_MAX, ret_first);
}

void board_reported(struct board *b, uint32_t stage, uint64_t first, uint64_t count)
{
    uint64_t end = first + count;
    (void)pthread_mutex_lock(&b->lock);
    unsigned n = b->n_held, kept = 0;
    for (unsigned i = 0; i < n; i++) {
        struct held_run h = b->held[i];
        uint64_t h_end = h.run.first + h.run.count;
        if (h.run.stage == stage && first < h_end && h.run.first < end) {
            if (end < h_end) { /* a run on its right stays: behind the last */
                struct board_claim right = h.run;
                right.first = end;
                right.count = h_end - end;
                hold(b, &right, h.current);
            }
            h.run.count = first > h.run.first ? first - h.run.first : 0;
        }
        if (h.run.count > 0)
            b->held[kept++] = h;
    }
    if (b->n_held > n)
        memmove(b->held + kept, b->held + n, (b->n_held - n) * sizeof(*b->held));
    b->n_held -= n - kept;
    (void)pthread_mutex_unlock(&b->lock);
}

bool board_freeze(struct board *b, uint64_t loss)
{
    uint64_t now = atomic_load(&b->shared->freeze), frozen = 2 * loss + 1;
    while (now / 2 < loss &&
           !atomic_compare_exchange_weak(&b->shared->freeze, &now, frozen))
        ;
    /* A seat that was given up and wakes in the middle of a theft shall not succeed. */
    uint64_t word = atomic_load(&b->me->word);
    bool again = b->freeze_seen == loss;
    b->freeze_seen = loss;
    while (!again && !atomic_compare_exchange_weak(
                         &b->me->word,
                         &word,
                         word_make(word_gen(word) + 1, word_next(word), word_end(word))))
        ;
    return atomic_load(&b->me->moving) % 2 == 0;
}

unsigned board_held(struct board *b, struct board_claim *ret, unsigned most)
{
    unsigned n = 0;
    (void)pthread_mutex_lock(&b->lock);
    for (unsigned i = 0; i < b->n_held; i++) {
        struct board_claim run = still_ours(b, &b->held[i]);
        if (run.count == 0)
            continue;
        if (n < most)
            ret[n] = run;
        n++;
    }
    (void)pthread_mutex_unlock(&b->lock);
    return n;
}

void board_thaw(struct board *b, uint64_t loss)
{
    uint64_t frozen = 2 * loss + 1;
    if (atomic_compare_exchange_strong(&b->shared->freeze, &frozen, 2 * loss))
        (void)atomic_fetch_add(&b->shared->version, 1);
}
