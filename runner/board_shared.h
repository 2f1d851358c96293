/* The board's memory as all ranks of a host see it, for board*.c alone. It stands at
 * different addresses in different ranks: no pointers in it.
 *
 * A lot and a seat's claim each have one word: a generation, `next` and `end`, counted
 * from the task `first` beside it. Whoever wants tasks loads the word, reads what stands
 * beside it and swaps the word; a swap that succeeds proves that nothing beside it
 * changed meanwhile, since a new lot or claim is a new generation. A seat is `moving`
 * (an odd number) from before such a load until what it got stands in its own claim. */
#ifndef RUNNER_BOARD_SHARED_H
#define RUNNER_BOARD_SHARED_H

#include "board.h"
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

enum {
    LINE = 64,
    N_LOTS = 64,
    BINS = 160, /* quarter octaves of 1 us: up to 2^40 us, 12 days */
    TASK_BITS = 24
};

#define CLAIM_SECONDS 0.1 /* what a claim takes */

/* Words of a lot on which nothing can be claimed. */
enum {
    LOT_WRITTEN = 1, /* next 1, end 0: somebody writes what stands beside it */
    LOT_RETIRED = 2  /* that somebody was lost, and may still write */
};

struct shared_lot {
    alignas(LINE) _Atomic uint64_t word;
    _Atomic uint64_t id, first;
    _Atomic uint32_t stage, attempt, most, alone;
    _Atomic int32_t priority;
};

struct shared_seat {
    alignas(LINE) _Atomic uint64_t word; /* its claim */
    _Atomic uint64_t lot, first;
    _Atomic uint32_t stage, attempt, alone;
    alignas(LINE) _Atomic uint64_t running_task; /* what its compute thread writes */
    _Atomic uint64_t moving;
    _Atomic uint32_t running_stage;
    alignas(LINE) _Atomic uint64_t beats;
    _Atomic uint64_t space, began; /* written before the pid */
    _Atomic int64_t pid;
    _Atomic uint32_t buried, left, signal;
};

struct shared_times { /* of a stage */
    alignas(LINE) _Atomic uint64_t tasks, ns;
    _Atomic uint32_t bins[BINS];
};

struct shared {
    alignas(LINE) uint32_t n_seats, n_stages;
    alignas(LINE) _Atomic uint64_t version;
    _Atomic uint64_t freeze; /* the latest loss, doubled; odd: frozen */
    _Atomic uint32_t n_buried;
    _Atomic uint32_t asked; /* to end, all of them */
    struct shared_lot lots[N_LOTS];
    /* Then the seats, the times, the seats' commands. */
};

struct held_run { /* tasks of ours that are not reported */
    struct board_claim run;
    bool current; /* of the claim that we have: can shrink by thefts */
};

struct board_acc { /* times of one stage, not yet among the shared ones */
    uint32_t stage;
    unsigned low, high; /* bins that are not 0: [low, high) */
    uint64_t tasks, ns;
    uint32_t bins[BINS];
};

struct board {
    struct shared *shared;
    struct shared_seat *seats, *me;
    struct shared_times *times;
    struct board_commands *commands; /* [n_seats] */
    unsigned seat;
    bool *fits; /* [n_stages] */
    struct board_claim claim;
    struct board_acc acc;
    uint64_t freeze_seen; /* the loss that this seat was frozen for last */
    pthread_mutex_t lock; /* held */
    struct held_run *held;
    unsigned n_held, held_room;
};

static inline uint64_t word_make(uint64_t gen, uint64_t next, uint64_t end)
{
    return gen << (2 * TASK_BITS) | next << TASK_BITS | end;
}

static inline uint64_t word_gen(uint64_t word)
{
    return word >> (2 * TASK_BITS);
}

static inline uint64_t word_next(uint64_t word)
{
    return word >> TASK_BITS & BOARD_LOT_MOST;
}

static inline uint64_t word_end(uint64_t word)
{
    return word & BOARD_LOT_MOST;
}

static inline uint64_t word_left(uint64_t word)
{
    uint64_t next = word_next(word), end = word_end(word);
    return end > next ? end - next : 0;
}

/* Generations wrap after 65,536: this many later everybody who might have loaded an old
 * word is waited for. */
static inline bool word_gen_is_mark(uint64_t gen)
{
    return gen % 16384 == 0;
}

/* This seat may move tasks: the board is not frozen, the seat not given up. */
static inline bool board_open_to(const struct board *b)
{
    return (atomic_load(&b->shared->freeze) & 1) == 0 && atomic_load(&b->me->buried) == 0;
}

/* Nobody who is alive was in the middle of a move, but for ourselves. */
bool board_still(const struct board *b);

/* The seat whose claim has most left, in time; -1: none. fits: of these stages, not our
 * own seat (to run them here); NULL: of any. */
int board_victim(const struct board *b, const bool *fits);
/* Takes the back half of what is left of that claim; false: somebody was quicker. */
bool board_steal(struct board *b, int seat, const bool *fits, struct board_claim *ret);

#endif
