/* The memory that the ranks of one host share, and which ranks those are: the board, and
 * a part of its own for each rank. */
#ifndef RUNNER_WINDOW_H
#define RUNNER_WINDOW_H

#include "board.h"
#include "rank.h"

struct window {
    MPI_Comm comm; /* the ranks of this host */
    MPI_Win win;
    bool made, shared; /* comm, win are there */
    void *alone;       /* the board of an only rank, or NULL */
    size_t alone_bytes;
    struct board *board; /* its seats: the ranks of this host, ascending */
    unsigned *hosts;     /* [n_ranks]: the host of each rank, by its lowest rank from 0 */
    unsigned n_hosts;
    void *own; /* this rank's part: zeroed, of as many bytes as it asked for */
};

/* Collective. *ret is yours to window_free in any case. */
int window_make(const struct rank *r,
                unsigned n_stages,
                size_t own_bytes,
                struct window *ret,
                struct gm_error *err);
/* Takes one that was never made. Collective on the host; after a loss it is not called:
 * the memory goes with the last process. */
void window_free(struct window *w);

#endif
