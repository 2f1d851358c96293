/* A claim of kernel tasks (group size 1), run one after the other: the farm's hot path.
 * What all tasks of a stage share is made once; a task costs begin, step, end, a copy of
 * its values, and no allocation, message, lock or system call of ours. One path for all
 * kernels and all lengths of task: the clock is read around as many tasks as take some
 * 10 us, so a task longer than that has its own times. Rows (writer_rows) only for a
 * stage that varying_make (spec/varying.h) has a rule for: rows keep no parameters. */
#ifndef RUNNER_CHUNK_H
#define RUNNER_CHUNK_H

#include "board.h"
#include "rows.h"
#include "worker.h"

struct chunk;

/* Where rows go and who says stop; the bench counts instead of writing. */
struct chunk_ports {
    void *ctx;
    bool (*stopping)(void *ctx);
    /* Takes the rows until they come back by emptied, which waits for them; NULL: it has
     * none. */
    void (*full)(void *ctx, struct rows *rows, const struct result_rows *table);
    struct rows *(*emptied)(void *ctx);
};

/* w: its setup, source and stages are there; own: of the host's window, for the rows.
 * ports NULL: the writer, and the pulse's stop. */
struct chunk *chunk_make(struct worker *w,
                         void *own,
                         size_t own_bytes,
                         const struct chunk_ports *ports);
void chunk_free(struct chunk *c); /* takes NULL; before the writer is finished */

/* All of the claim was run and handed on, stolen or given back then. */
void chunk_run(struct chunk *c, const struct board_claim *claim);

#endif
