/* What a rank's process says of its life, to other processes of its host: its number,
 * where the number means the same to both. Where it does not (ranks of one host in
 * several containers) nothing is known, and its counter on the board alone tells. */
#ifndef RUNNER_ALIVE_H
#define RUNNER_ALIVE_H

#include "board.h"

enum alive_state {
    ALIVE_UNKNOWN,
    ALIVE_RUNS,    /* or wants to: on a crowded machine it may be slow */
    ALIVE_STOPPED, /* by a signal or a debugger */
    ALIVE_GONE
};

/* This process. */
void alive_self(struct board_sitter *ret);
/* A descriptor that polls as readable once that process has ended, yours to close;
 * -ESRCH: it has; another < 0: not to be known this way. */
int alive_open(const struct board_sitter *who);
enum alive_state alive_look(const struct board_sitter *who);

#endif
