/* The kernel ABI: what a kernel is to Gridmill. Header-only, needs libc alone.
 *
 * When each slot is called, on one rank:
 *
 *   probe                                     once a process; also by `gridmill kernels`
 *   open(common)                              once a rank and stage
 *     begin(task) step step ... end(outcome)  for each task that this rank has a part in
 *       load after begin, save between steps  where the stage has `checkpoint`
 *   close
 *
 * A task runs on a group of ranks (task->comm): each of them calls begin, step and end
 * for the same task. Outputs go through the sink, by their index in the table, from the
 * group's rank 0 alone (others' puts are ignored), except outputs declared per rank. All
 * calls for one kernel come from one thread. A kernel may own threads under it; the seat
 * says how many.
 *
 * A shared object of your own exports its table as NAME_kernel, with '_' for '.' and '-':
 *
 *   GM_EXPORT const struct gm_kernel my_sum_kernel = {.name = "my.sum", ...};
 *
 * and a jobspec names it by `kernel: ./my.so#my.sum`.
 */
#ifndef GRIDMILL_KERNEL_H
#define GRIDMILL_KERNEL_H

#include "gridmill/error.h"
#include "gridmill/params.h"
#include "gridmill/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GM_KERNEL_ABI 1u

/* What a kernel can be bound by, and the devices it runs on: hints for placement. */
enum gm_traits {
    GM_BOUND_COMPUTE = 1 << 0,
    GM_BOUND_MEMORY = 1 << 1,
    GM_BOUND_COMM = 1 << 2,
    GM_ON_CPU = 1 << 8,
    GM_ON_CUDA = 1 << 9,
    GM_NEEDS_SHARDS = 1 << 16, /* `shards` must be given */
    GM_TAKES_SHARDS = 1 << 17, /* `shards` may be given */
    GM_TAKES_GROUP = 1 << 18   /* `group` may be more than 1 */
};

enum gm_output_flags {
    GM_MEASURED = 1 << 0, /* a time or a rate: not covered by the result hash */
    GM_SERIES = 1 << 1,   /* rows appended as the task goes (sink->append) */
    GM_RAGGED =
        1 << 2, /* the shape may differ from task to task: stored as heap + offset */
    GM_MODEL = 1 << 3,   /* safetensors bytes (dtype u8, one dimension) */
    GM_PER_RANK = 1 << 4 /* reserved */
};

/* How a stage's tasks are told in one line of the summary. */
enum gm_summary {
    GM_SUM_NONE = 0,
    GM_SUM_TOTAL = 10, /* a scalar: added up */
    GM_SUM_MEAN =
        20, /* a scalar: mean, weighted by the output named in `weight` if any */
    GM_SUM_BEST = 30,  /* a scalar: the highest, and whose */
    GM_SUM_LEAST = 40, /* a scalar: the lowest, and whose */
    GM_SUM_MATRIX = 50 /* a small matrix: added up and drawn (a confusion matrix) */
};

struct gm_output_spec {
    const char
        *name; /* lower case, words joined by '_': a dataset's name in the results */
    const char *help;   /* one line: the dataset's description attribute */
    const char *unit;   /* the dataset's unit attribute; "1" for a pure number */
    const char *shape;  /* for people: "" a scalar, "[rows]", "[classes, classes]" */
    const char *weight; /* GM_SUM_MEAN: the name of the output to weigh by; NULL: equal */
    uint32_t dtype;     /* enum gm_dtype */
    uint32_t ndim;      /* dimensions of one value (of one row, for a series) */
    uint32_t flags;     /* enum gm_output_flags */
    uint32_t summary;   /* enum gm_summary */
};

/* The group of ranks that runs one task together. Every call is made by all of them, in
 * the same order (exchange by two of them); each waits without MPI collectives and
 * returns -EOWNERDEAD when a rank of the group is lost, -ECANCELED when the job is asked
 * to stop. */
struct gm_comm {
    uint32_t size;          /* sizeof(struct gm_comm) of who made it */
    uint32_t rank, n_ranks; /* this rank in the group; n_ranks 1: all calls are local */
    void *impl;

    /* Adds up `total` leaves of n elements each into out[n], on every rank, along one
     * fixed binary tree over the leaf numbers: node [a, a + 2^k) is the sum of its
     * halves, a half that starts past the end is left out. So the bits depend on the
     * leaves alone, never on n_ranks. This rank gives the leaves [first, first + count):
     * contiguous, ascending over the ranks and together [0, total); count 0 is allowed.
     * `leaf` writes leaf i into out[n] (it is called in ascending order, once each).
     * dtype: GM_F32, GM_F64, GM_I64. */
    int (*sum)(const struct gm_comm *comm,
               uint32_t dtype,
               uint64_t total,
               uint64_t first,
               uint64_t count,
               size_t n,
               int (*leaf)(void *ctx, uint64_t i, void *out, struct gm_error *err),
               void *ctx,
               void *out,
               struct gm_error *err);
    /* Copies nbytes at buf from the group's rank `root` to all others. */
    int (*bcast)(const struct gm_comm *comm,
                 uint32_t root,
                 void *buf,
                 size_t nbytes,
                 struct gm_error *err);
    /* 1 once the job is asked to stop: the step should return -ECANCELED soon. */
    int (*cancelled)(const struct gm_comm *comm);
    /* Sends n_out bytes at `out` to rank `to` while it receives n_in bytes from rank
     * `from` into `in`; GM_NOBODY for either: that half is left out. Called by the ranks
     * that it concerns alone, and what one sends to another is received in the order of
     * its calls. For `size` > offsetof(struct gm_comm, exchange). */
    int (*exchange)(const struct gm_comm *comm,
                    uint32_t to,
                    const void *out,
                    size_t n_out,
                    uint32_t from,
                    void *in,
                    size_t n_in,
                    struct gm_error *err);
};

#define GM_NOBODY UINT32_MAX

/* The contiguous run [*ret_first, *ret_first + *ret_count) of `total` things that is rank
 * `rank`'s of n_ranks: sizes differ by one at most, the longer runs come first. */
static inline void gm_share(uint64_t total,
                            uint32_t n_ranks,
                            uint32_t rank,
                            uint64_t *ret_first,
                            uint64_t *ret_count)
{
    uint64_t each = total / n_ranks, more = total % n_ranks;
    *ret_first = rank * each + (rank < more ? rank : more);
    *ret_count = each + (rank < more ? 1 : 0);
}

/* Part of a data set: a task of a stage with `shards`. Kernels get rows and lines;
 * commands all four. */
enum gm_slice_unit { GM_ROWS = 10, GM_LINES = 20, GM_BYTES = 30, GM_FILES = 40 };

struct gm_slice {
    const char *path;      /* absolute; F.h5:/DATASET for HDF5, read for it as an input */
    uint32_t unit;         /* enum gm_slice_unit */
    uint64_t index;        /* of n_shards */
    uint64_t first, count; /* rows or lines [first, first + count) */
    uint64_t total;        /* rows or lines of the whole source */
};

/* A tensor that the runner read for the task: a reference's data, or an HDF5 input. */
struct gm_input {
    uint32_t param; /* index in the kernel's parameter table */
    uint32_t dtype; /* enum gm_dtype */
    uint32_t ndim;
    uint64_t dims[GM_MAX_DIMS];
    const void *data; /* row-major; lives as long as the task */
    size_t nbytes;
    const char *origin; /* for messages: "train.model[3]", "a.h5:/x" */
};

struct gm_task {
    uint32_t size;  /* sizeof(struct gm_task) of who made it */
    uint64_t index; /* in its stage */
    uint64_t seed;  /* a hash of (stage, index): the same on any rank and layout */
    const struct gm_params *params; /* this task's: matrix and references resolved */
    const struct gm_comm *comm;     /* its group; never NULL */
    const struct gm_slice *shard;   /* NULL when the stage has none */
    const struct gm_input *inputs;
    unsigned n_inputs;
};

/* Where outputs go. The data is copied before the call returns. */
struct gm_sink {
    uint32_t size;
    void *impl;
    /* Sets an output of this task (once). */
    int (*put)(const struct gm_sink *sink,
               unsigned output,
               uint32_t ndim,
               const uint64_t *dims,
               const void *data,
               struct gm_error *err);
    /* Appends n_rows rows to a GM_SERIES output. */
    int (*append)(const struct gm_sink *sink,
                  unsigned output,
                  uint64_t n_rows,
                  const void *rows,
                  struct gm_error *err);
};

/* A checkpoint: the state of a task between two steps, as parts of bytes that the kernel
 * numbers. Each rank of the group puts its own; a part that all have alike needs to be
 * put by one of them only. */
struct gm_saver {
    uint32_t size;
    void *impl;
    /* The data is copied before the call returns. A part is put once. */
    int (*put)(const struct gm_saver *saver,
               unsigned part,
               const void *data,
               size_t nbytes,
               struct gm_error *err);
};

struct gm_loader {
    uint32_t size;
    uint32_t n_ranks; /* of the group that saved: perhaps another number than today's */
    void *impl;
    /* What rank `rank` of that group put as `part`: aligned to 8 bytes, valid until load
     * returns. -ENOENT: nothing. */
    int (*get)(const struct gm_loader *loader,
               uint32_t rank,
               unsigned part,
               const void **ret,
               size_t *ret_nbytes,
               struct gm_error *err);
};

/* What a rank offers a kernel. */
struct gm_seat {
    uint32_t size;
    uint32_t n_threads; /* threads a kernel may compute with: the rank's cores */
    uint32_t n_gpus;
    const char *device; /* "cpu", or the first of its GPUs: "cuda:0000:3b:00.0", "cuda" */
    const char *cpus;   /* the rank's PUs as a list, "0-3,8" */
};

/* What a task did, as its kernel counts it: all ranks of its group together. A product of
 * m x k and k x n is 2 m n k flops. */
struct gm_work {
    uint32_t size;
    double flops;   /* in float32 or narrower */
    double flops64; /* in float64 */
    double bytes;   /* the least that has to pass between memory and where it computes */
    double gpu_s;   /* s in which this rank's GPU computed; above 0: the flops are GPUs',
                       and the group's other ranks are taken for alike */
};

struct gm_kernel {
    uint32_t abi,
        size; /* GM_KERNEL_ABI, sizeof(struct gm_kernel): tables grow at the end */
    const char *name, *summary;
    const struct gm_param_spec *params;
    unsigned n_params;
    const struct gm_output_spec *outputs;
    unsigned n_outputs;
    uint32_t traits; /* enum gm_traits */

    /* 0, or -ENODEV: not on this machine. Optional: NULL is "everywhere". */
    int (*probe)(struct gm_error *err);
    /* `common` has the values that are equal for all tasks of the stage; the others are
     * not given there (gm_param_given). */
    int (*open)(const struct gm_params *common,
                const struct gm_seat *seat,
                void **ret,
                struct gm_error *err);
    int (*begin)(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err);
    /* 1 more to do, 0 done, < 0 failed. Returns often; honours comm->cancelled. Allocates
     * nothing. */
    int (*step)(void *self, struct gm_error *err);
    /* After success (0), failure or drain (the negative code): frees the task's state. */
    void (*end)(void *self, int outcome);
    /* Checkpoints: optional, both or none. save: between two steps; the task goes on
     * after it, whatever it returned. load: after begin and before the first step; the
     * task then goes on as the one that was saved would have: what that one had put or
     * appended stands, and is not put again. < 0, also for what does not fit: end and
     * begin follow, and the task starts anew. On a group all ranks are called, and a
     * kernel that has these wants equally many steps on each of its ranks. */
    int (*save)(void *self, const struct gm_saver *saver, struct gm_error *err);
    int (*load)(void *self, const struct gm_loader *loader, struct gm_error *err);
    /* Work of one task, for placement and the receipt. Optional. */
    int (*cost)(const struct gm_params *params, double *ret_flops, double *ret_bytes);
    void (*close)(void *self);

    /* From here on: of a table of 128 bytes, as the first version had it, they are NULL.
     */

    /* What the bits of its outputs depend on in this process, beside inputs, parameters
     * and this build: the code that a library picked for the processor, the model of a
     * GPU. Ranks of a job whose words differ are refused before its first task. NULL:
     * nothing. Once a rank and stage, before open; `common` as in open; what it returns
     * lives as long as the process. Optional. */
    const char *(*device_class)(const struct gm_params *common);
    /* How many ranks of a group a task has work for; 0: any number. A job that asks for
     * more is told. `common` as in open; parameters that are not given there are not
     * known yet. Optional. */
    uint64_t (*width)(const struct gm_params *common);
    /* What the task did in this attempt: after its last step and before `end`, on the
     * group's first rank alone. *ret is zero before. For what `cost` cannot know: it
     * counts instead of it. Optional. */
    void (*work)(void *self, struct gm_work *ret);
};

/* The inputs of a task that came for parameter `param`, or NULL. */
static inline const struct gm_input *gm_task_input(const struct gm_task *task,
                                                   unsigned param)
{
    for (unsigned i = 0; i < task->n_inputs; i++) {
        if (task->inputs[i].param == param)
            return &task->inputs[i];
    }
    return NULL;
}

/* Whether its tasks can be checkpointed. */
static inline int gm_kernel_saves(const struct gm_kernel *k)
{
    return k->save != NULL && k->load != NULL;
}

static inline int
gm_put_i64(const struct gm_sink *sink, unsigned output, int64_t v, struct gm_error *err)
{
    return sink->put(sink, output, 0, NULL, &v, err);
}

static inline int
gm_put_f64(const struct gm_sink *sink, unsigned output, double v, struct gm_error *err)
{
    return sink->put(sink, output, 0, NULL, &v, err);
}

#ifdef __cplusplus
}
#endif
#endif
