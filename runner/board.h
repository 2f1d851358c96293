/* The work of one host, on a board that its ranks share (an MPI shared window): tasks are
 * claimed with C11 atomics, no message and no lock. docs/design/farm.md has the protocol.
 *
 * A lot is a run of tasks of one stage (group size 1) that the farm granted to this host.
 * A seat is a rank of this host. A claim is a run that a seat took off a lot, or off
 * another seat's claim (a steal). Sizes: guided by the measured task time (a claim is
 * what takes some 0.1 s, and never more than a share of what is left).
 *
 * Threads: claim, take and done belong to the seat's compute thread; post, recall,
 * freeze, thaw, held and beat to any rank's pulse thread. */
#ifndef RUNNER_BOARD_H
#define RUNNER_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct board; /* one rank's view */

#define BOARD_LOT_MOST ((UINT64_C(1) << 24) - 1) /* tasks in one lot */

struct board_lot {
    uint64_t id;             /* the farm's number for it, from 1 */
    uint32_t stage, attempt; /* attempts that its tasks had before */
    uint64_t first, count;   /* count: 1 to BOARD_LOT_MOST */
    int32_t priority;
    uint32_t
        most; /* tasks in one claim at most; 0: no limit (1: the farm wants them apart) */
    uint32_t alone; /* 1: nothing else beside it on its rank */
};

struct board_claim {
    uint64_t lot;
    uint32_t stage, attempt, alone;
    uint64_t first, count; /* as it was made; board_take says what is still ours */
};

/* The process of a seat, so that it is told from a later one of its number. */
struct board_sitter {
    pid_t pid;
    uint64_t space, began; /* as base/procstat.h; space 0: nobody can tell */
};

/* Commands that a seat runs, for who finds it dead (orphans.h). */
#define BOARD_COMMANDS 1024u /* at once */
struct board_commands {
    _Atomic uint64_t space, session;        /* in which their numbers mean something */
    _Atomic uint64_t marks[BOARD_COMMANDS]; /* base/mark.h; 0: none */
    _Atomic uint64_t tasks[BOARD_COMMANDS];
    _Atomic uint32_t stages[BOARD_COMMANDS]; /* from 1; 0: no task */
};

/* The memory that n_seats ranks and n_stages stages need. */
size_t board_bytes(unsigned n_seats, unsigned n_stages);
/* By one rank, before any opens it; mem is zeroed and lives in a shared window. */
void board_init(void *mem, unsigned n_seats, unsigned n_stages);
struct board *board_open(void *mem, unsigned seat);
void board_close(struct board *b); /* the view alone; takes NULL */

/* Tells which stages this seat can run (its cores, its GPUs); all, unless said. */
void board_fit(struct board *b, unsigned stage, bool fits);

/* False: no room for another lot now, or the board is frozen; post it later (a lot that
 * waits when the board is cleared is to be forgotten: the farm grants its tasks again).
 */
bool board_post(struct board *b, const struct board_lot *lot);

enum board_answer {
    BOARD_CLAIMED = 1, /* *ret is ours */
    BOARD_EMPTY,       /* nothing for this seat: say idle to the farm */
    BOARD_FROZEN       /* ask again after the thaw */
};
/* What was claimed before is used up or given back. After BOARD_EMPTY wait until
 * board_version is not what it was before the call. */
enum board_answer board_claim(struct board *b, struct board_claim *ret);
/* The next tasks of our claim to run now, `most` at most; the rest can be stolen
 * meanwhile. 0: it is used up (or was stolen). */
uint64_t board_take(struct board *b, uint64_t most, uint64_t *ret_first);
/* A stop, or a failed writer: the rest of our claim is not to be run here; 0: no rest. It
 * is held until it is reported, as returned. */
uint64_t board_give_back(struct board *b, uint64_t *ret_first);
/* `count` tasks of the stage took `seconds` together: the mean and the quantiles. */
void board_done(struct board *b, uint32_t stage, uint64_t count, double seconds);
/* These tasks of our claims were reported to the farm, in whichever way: no longer held.
 * To be called after the report is on its way. Any thread of the seat. */
void board_reported(struct board *b, uint32_t stage, uint64_t first, uint64_t count);
/* What this seat runs now, for who finds it dead; stage UINT32_MAX: nothing. */
void board_running(struct board *b, uint32_t stage, uint64_t task);
bool board_was_running(const struct board *b,
                       unsigned seat,
                       uint32_t *ret_stage,
                       uint64_t *ret_task);

/* The same of one of several commands that run at once. */
void board_command_runs(struct board *b, unsigned command, uint32_t stage, uint64_t task);
/* All that the seat runs, one after the other; *at: 0 at first. False: no more. */
bool board_next_running(const struct board *b,
                        unsigned seat,
                        unsigned *at,
                        uint32_t *ret_stage,
                        uint64_t *ret_task);

struct board_commands *board_commands(const struct board *b, unsigned seat);

/* Seconds that this share of the stage's tasks did not exceed, measured on this host, as
 * an upper bound (a histogram of quarter octaves); < 0: fewer than `least` were measured.
 */
double
board_quantile(const struct board *b, uint32_t stage, double share, uint64_t least);
double board_mean(const struct board *b, uint32_t stage); /* s; < 0: not known */

/* Changes with each post and thaw: an idle rank looks again. */
uint64_t board_version(const struct board *b);
/* Unclaimed tasks on the board are fewer than all seats take in a moment: ask for more.
 */
bool board_low(const struct board *b);
/* Takes back half of what nobody claimed of a lot, the end of it first, or, where there
 * is no lot, of what a seat has not begun of its claim; 0: nothing. For hosts that have
 * nothing left. */
uint64_t board_recall(struct board *b, uint64_t *ret_lot, uint64_t *ret_first);

/* After a rank of this host died. freeze: no claim and no steal from now on; its number
 * is the loss's, from 1, growing. True once this seat is not in the middle of one: then
 * what it holds is fixed but for shrinking. held: the runs that this seat claimed and has
 * not reported; writes the first `most` of them and returns how many there are (an
 * answer asks this first and sends the reports that wait next, itself last: so nothing is
 * in neither). clear:
 * all lots off the board (the farm grants them again), unless it is not frozen for this
 * loss any more: who clears may have been given up itself meanwhile. thaw: go on; the
 * dead are buried and the board is cleared before, no rank posts meanwhile. */
bool board_freeze(struct board *b, uint64_t loss);
unsigned board_held(struct board *b, struct board_claim *ret, unsigned most);
void board_clear(struct board *b, uint64_t loss);
void board_thaw(struct board *b, uint64_t loss);

/* Life signs: who sits there, and a counter that its pulse thread moves on. */
void board_sit(struct board *b, const struct board_sitter *who);
void board_beat(struct board *b);
/* False: nobody sat down yet. */
bool board_sitter(const struct board *b, unsigned seat, struct board_sitter *ret);
uint64_t board_beats(const struct board *b, unsigned seat);
unsigned board_n_seats(const struct board *b);
unsigned board_seat(const struct board *b);
/* This signal ends it; from its handler. 0: none that it could tell of. */
void board_dies(struct board *b, int signal);
int board_died_of(const struct board *b, unsigned seat);
/* This seat's rank is about to end its process as it should. */
void board_leave(struct board *b);
bool board_left(const struct board *b, unsigned seat);
/* All ranks of this host are asked to end; from a signal's handler. */
void board_ask_all(struct board *b);
bool board_asked(const struct board *b);
/* Known dead: its claim is nobody's to steal, the freeze does not wait for it. Should it
 * be alive after all, it gets nothing any more (take: 0, claim: BOARD_FROZEN). */
void board_bury(struct board *b, unsigned seat);
bool board_buried(const struct board *b, unsigned seat);

#endif
