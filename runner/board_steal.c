/* See board.h: tasks out of claims, for another seat or another host. Invariant: only
 * what the claim's seat has not taken, from its end, by one compare-and-swap. */
#include "board_shared.h"

static bool may_go(const struct board *b, uint32_t stage, const bool *fits)
{
    return stage < b->shared->n_stages && (fits == NULL || fits[stage]);
}

int board_victim(const struct board *b, const bool *fits)
{
    int best = -1;
    double most = 0;
    for (unsigned i = 0; i < b->shared->n_seats; i++) {
        const struct shared_seat *s = &b->seats[i];
        uint64_t left = word_left(atomic_load(&s->word));
        if ((fits != NULL && i == b->seat) || left == 0 || atomic_load(&s->buried) != 0)
            continue;
        uint32_t stage = atomic_load_explicit(&s->stage, memory_order_relaxed);
        if (!may_go(b, stage, fits))
            continue;
        double mean = board_mean(b, stage);
        double seconds = (double)left * (mean > 0 ? mean : 1);
        if (seconds > most) {
            most = seconds;
            best = (int)i;
        }
    }
    return best;
}

bool board_steal(struct board *b, int seat, const bool *fits, struct board_claim *ret)
{
    struct shared_seat *victim = &b->seats[seat];
    uint64_t word = atomic_load(&victim->word), left = word_left(word);
    struct board_claim c = {
        .lot = atomic_load_explicit(&victim->lot, memory_order_relaxed),
        .stage = atomic_load_explicit(&victim->stage, memory_order_relaxed),
        .attempt = atomic_load_explicit(&victim->attempt, memory_order_relaxed),
        .alone = atomic_load_explicit(&victim->alone, memory_order_relaxed),
        .first = atomic_load_explicit(&victim->first, memory_order_relaxed),
        .count = (left + 1) / 2};
    if (left == 0 || !may_go(b, c.stage, fits) || atomic_load(&victim->buried) != 0 ||
        !board_open_to(b))
        return false;
    uint64_t end = word_end(word) - c.count;
    c.first += end;
    if (!atomic_compare_exchange_strong(
            &victim->word, &word, word_make(word_gen(word), word_next(word), end)))
        return false;
    *ret = c;
    return true;
}
