/* A kernel's rehearsal: runs one task of it in this process, with as many threads as its
 * group has ranks, and keeps what it puts out. For tests and bench; the runner does not
 * use it, and its sum is another implementation of the same contract. */
#ifndef PLUGINS_REHEARSE_REHEARSE_H
#define PLUGINS_REHEARSE_REHEARSE_H

#include "gridmill/kernel.h"

struct rehearse_arg {
    const char *name, *value; /* as in a jobspec: "layers", "[64, 32, 10]" */
};

struct rehearse_task {
    const struct gm_kernel *kernel;
    const struct rehearse_arg
        *args; /* the last has name NULL; what lacks takes its preset */
    const struct gm_slice *shard;
    const struct gm_input *inputs;
    unsigned n_inputs;
    unsigned n_ranks;      /* 0 is 1 */
    unsigned n_threads;    /* of the seat; 0 is 1 */
    const char *device;    /* the seat's; NULL is "cpu" */
    unsigned cancel_after; /* asks to stop after so many questions; 0: never */
    /* After so many steps each rank saves its state into *save, and all end as cancelled;
     * 0: never. From *load they go on: another group may. */
    unsigned save_after;
    struct rehearse_state **save;
    const struct rehearse_state *load;
};

struct rehearse_state; /* parts by rank, and what had been put out */

struct rehearse_output {
    uint64_t dims[GM_MAX_DIMS];
    uint32_t ndim;
    uint64_t rows; /* of a series */
    void *data;    /* NULL: was not put */
    size_t nbytes;
};

/* The outputs of rank 0, one an output of the table, yours to free with rehearse_free. */
int rehearse_run(const struct rehearse_task *task,
                 struct rehearse_output **ret,
                 struct gm_error *err);
void rehearse_state_free(struct rehearse_state *s); /* takes NULL */
void rehearse_free(const struct gm_kernel *kernel, struct rehearse_output *outputs);
/* The output called `name`; NULL for no such name or when it was not put. */
const struct rehearse_output *rehearse_find(const struct gm_kernel *kernel,
                                            const struct rehearse_output *outputs,
                                            const char *name);

#endif
