/* See board.h: the lots, as pulse threads put them up and take them off. Invariant: what
 * stands beside a lot's word changes only while the word says LOT_WRITTEN, by the one
 * thread that made it say so. */
#include "board_shared.h"
#include <assert.h>

/* Makes the lot's word say that we write it; false: it is in use. */
static bool seize(struct board *b, struct shared_lot *lot, uint64_t *ret_word)
{
    uint64_t word = atomic_load(&lot->word), gen = word_gen(word) + 1;
    if (word_next(word) != word_end(word) || !board_open_to(b))
        return false;
    if (word_gen_is_mark(gen) && !board_still(b))
        return false;
    *ret_word = word_make(gen, LOT_WRITTEN, 0);
    return atomic_compare_exchange_strong(&lot->word, &word, *ret_word);
}

bool board_post(struct board *b, const struct board_lot *l)
{
    assert(l->count > 0 && l->count <= BOARD_LOT_MOST && l->stage < b->shared->n_stages);
    for (unsigned i = 0; i < N_LOTS; i++) {
        struct shared_lot *lot = &b->shared->lots[i];
        uint64_t word;
        if (!seize(b, lot, &word))
            continue;
        atomic_store_explicit(&lot->id, l->id, memory_order_relaxed);
        atomic_store_explicit(&lot->first, l->first, memory_order_relaxed);
        atomic_store_explicit(&lot->stage, l->stage, memory_order_relaxed);
        atomic_store_explicit(&lot->attempt, l->attempt, memory_order_relaxed);
        atomic_store_explicit(&lot->most, l->most, memory_order_relaxed);
        atomic_store_explicit(&lot->alone, l->alone, memory_order_relaxed);
        atomic_store_explicit(&lot->priority, l->priority, memory_order_relaxed);
        /* Fails if we were given up and the board cleared: then the farm has granted
         * these tasks again. */
        (void)atomic_compare_exchange_strong(
            &lot->word, &word, word_make(word_gen(word), 0, l->count));
        (void)atomic_fetch_add(&b->shared->version, 1);
        return true;
    }
    return false;
}

/* The board is looked at after the word was: a lot that was put up since has another. */
void board_clear(struct board *b, uint64_t loss)
{
    for (unsigned i = 0; i < N_LOTS; i++) {
        struct shared_lot *lot = &b->shared->lots[i];
        uint64_t word = atomic_load(&lot->word), new;
        do {
            if (atomic_load(&b->shared->freeze) != 2 * loss + 1)
                return;
            bool written = word_next(word) > word_end(word);
            new = word_make(word_gen(word) + 1, written ? LOT_RETIRED : 0, 0);
        } while (!atomic_compare_exchange_weak(&lot->word, &word, new));
    }
}

/* Seconds of work in a lot; the mean of a stage that has none yet counts as long. */
static double seconds_of(const struct board *b, const struct shared_lot *lot)
{
    uint32_t stage = atomic_load_explicit(&lot->stage, memory_order_relaxed);
    double mean = stage < b->shared->n_stages ? board_mean(b, stage) : -1;
    return (double)word_left(atomic_load(&lot->word)) * (mean < 0 ? CLAIM_SECONDS : mean);
}

bool board_low(const struct board *b)
{
    double all = 0;
    for (unsigned i = 0; i < N_LOTS; i++)
        all += seconds_of(b, &b->shared->lots[i]);
    unsigned living = b->shared->n_seats - atomic_load(&b->shared->n_buried);
    return all < 2 * CLAIM_SECONDS * living;
}

/* The lot with most work that is not claimed; NULL: none. */
static struct shared_lot *largest_lot(const struct board *b)
{
    struct shared_lot *lot = NULL;
    double most = -1;
    for (unsigned i = 0; i < N_LOTS; i++) {
        struct shared_lot *l = &b->shared->lots[i];
        double seconds = seconds_of(b, l);
        if (word_left(atomic_load(&l->word)) > 0 && seconds > most) {
            most = seconds;
            lot = l;
        }
    }
    return lot;
}

static bool halve(struct board *b, struct shared_lot *lot, struct board_claim *ret)
{
    uint64_t word = atomic_load(&lot->word), n = (word_left(word) + 1) / 2;
    uint64_t end = word_end(word) - n;
    ret->lot = atomic_load_explicit(&lot->id, memory_order_relaxed);
    ret->first = atomic_load_explicit(&lot->first, memory_order_relaxed) + end;
    ret->count = n;
    return n > 0 && board_open_to(b) &&
           atomic_compare_exchange_strong(
               &lot->word, &word, word_make(word_gen(word), word_next(word), end));
}

uint64_t board_recall(struct board *b, uint64_t *ret_lot, uint64_t *ret_first)
{
    struct board_claim c;
    bool got = false;
    while (!got) {
        struct shared_lot *lot = largest_lot(b);
        int victim = lot == NULL ? board_victim(b, NULL) : -1;
        if ((lot == NULL && victim < 0) || !board_open_to(b))
            return 0;
        got = lot != NULL ? halve(b, lot, &c) : board_steal(b, victim, NULL, &c);
    }
    *ret_lot = c.lot;
    *ret_first = c.first;
    return c.count;
}
