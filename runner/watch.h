/* Who is alive. Each rank's pulse thread steps its watch at every beat: it moves this
 * rank's counter on the host's board (board.h) and looks at the others'. A rank of this
 * host whose process is gone is lost at once; one whose counter stood still for
 * WATCH_LOST_AFTER is given up, too, though it may be stopped alone (then the fences
 * hold). A process that is there and not stopped is merely slow, on a crowded machine,
 * and has WATCH_SLOW_LOST_AFTER. Time in which the watcher did not run itself does not
 * count.
 *
 * Between hosts few words suffice: the lowest living rank of a host speaks for it, to
 * rank 0 and twice a second; rank 0 answers it alike. Rank 0 tells all who is lost. Rank
 * 0 itself is given more time (WATCH_ROOT_LOST_AFTER) as long as its process is there: a
 * pause costs nothing, its loss a launch.
 *
 * watch_lost and the like may be asked by any thread, the rest is the pulse thread's. */
#ifndef RUNNER_WATCH_H
#define RUNNER_WATCH_H

#include "base/auto.h"
#include "board.h"

static const double WATCH_LOST_AFTER = 3, WATCH_SLOW_LOST_AFTER = 15; /* s */
static const double WATCH_ROOT_LOST_AFTER = 15;

struct watch;

/* What ranks say to each other of life and death. */
struct watch_word {
    uint32_t kind;    /* the watch's own */
    uint32_t rank;    /* whom it is about */
    uint32_t gone;    /* 1: its process has ended; 0: it may wake up again */
    uint32_t pid;     /* of a process that has ended */
    int32_t status;   /* and how, as wait(2) tells; -1: not known */
    uint32_t silence; /* of one that has not: so many s without a sign of life */
    uint32_t stage;   /* of the speaker: what it has been running since its last word; */
    uint64_t task;    /* stage UINT32_MAX: nothing, or something else by now */
};

struct watch_setup {
    unsigned rank, n_ranks, n_hosts;
    const unsigned *hosts; /* [n_ranks]: the host of each rank, from 0; borrowed */
    struct board *board;   /* its seats: this host's ranks, ascending */
    /* Posts a word to a rank; never waits for it. */
    void (*send)(void *ctx, unsigned to, const struct watch_word *word);
    void *ctx;
};

enum watch_news_kind {
    WATCH_LOST = 1,  /* a rank; on rank 0 it is the farm's turn */
    WATCH_HOST_LOST, /* rank 0: no word comes from that host (its ranks follow, each
                        LOST) */
    WATCH_ROOT_LOST, /* others: rank 0; this launch ends */
    WATCH_OUTCAST    /* this rank is taken for lost: it computes and commits no more */
};

struct watch_news {
    enum watch_news_kind kind;
    unsigned rank, host; /* LOST: both; HOST_LOST: the host */
    char why[64]; /* LOST, ROOT_LOST: "pid 123 ended by SIGKILL", "no sign of life for 3
                     s" */
};

struct watch *watch_make(const struct watch_setup *setup, double now);
void watch_free(struct watch *w); /* takes NULL */

/* Now: monotonic s. True: something happened; call until false. Each is told once. */
bool watch_step(struct watch *w, double now, struct watch_news *ret);
/* A word came. */
void watch_take(struct watch *w, unsigned from, const struct watch_word *word);

bool watch_lost(const struct watch *w, unsigned rank);
bool watch_gone(const struct watch *w, unsigned rank); /* lost, and its process ended */
unsigned watch_n_lost(const struct watch *w);
bool watch_outcast(const struct watch *w);
/* What a lost rank of another host was running when it last spoke, for a while already;
 * false: not known. For a host of which nobody is left to look at its board. */
bool watch_was_running(const struct watch *w,
                       unsigned rank,
                       uint32_t *ret_stage,
                       uint64_t *ret_task);
bool watch_root_lost(const struct watch *w);

/* For how long a sign of life has not changed, as who looks at it counts. */
struct watch_silence {
    uint64_t sign;
    double looked, s; /* when it was looked at last; how long it was the same */
};
double watch_silence(struct watch_silence *s, uint64_t sign, double now);

AUTO_TYPE(watch, watch_free)

#endif
