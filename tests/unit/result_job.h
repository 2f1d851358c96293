/* A job made by hand for the tests of scheduler/result: two stages, one of a kernel with
 * outputs of every layout and one command. What task i gives is a formula, so that C and
 * Python both know it. */
#ifndef TEST_RESULT_JOB_H
#define TEST_RESULT_JOB_H

#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "result/hash.h"
#include "result/job.h"
#include "result/reader.h"
#include "result/shard.h"
#include <stdlib.h>
#include <unistd.h>

enum { O_SCORE, O_COUNT, O_RATE, O_MATRIX, O_LABELS, O_LOSS, O_MODEL, N_OUTPUTS };

static const struct gm_output_spec result_outputs[N_OUTPUTS] = {
    {.name = "score",
     .help = "a number",
     .unit = "1",
     .shape = "",
     .dtype = GM_F64,
     .summary = GM_SUM_BEST},
    {.name = "count", .help = "things", .unit = "things", .shape = "", .dtype = GM_I64},
    {.name = "rate",
     .help = "how fast",
     .unit = "1/s",
     .shape = "",
     .dtype = GM_F64,
     .flags = GM_MEASURED,
     .weight = "count",
     .summary = GM_SUM_MEAN},
    {.name = "matrix",
     .help = "a small matrix",
     .unit = "1",
     .shape = "[2, 3]",
     .dtype = GM_F32,
     .ndim = 2},
    {.name = "labels",
     .help = "one a row",
     .unit = "1",
     .shape = "[rows]",
     .dtype = GM_I32,
     .ndim = 1,
     .flags = GM_RAGGED},
    {.name = "loss",
     .help = "per epoch",
     .unit = "1",
     .shape = "",
     .dtype = GM_F64,
     .flags = GM_SERIES},
    {.name = "model",
     .help = "weights",
     .unit = "byte",
     .shape = "[bytes]",
     .dtype = GM_U8,
     .ndim = 1,
     .flags = GM_MODEL | GM_RAGGED},
};

static const struct gm_param_spec result_params[] = {
    {.name = "i", .help = "the task's number", .type = GM_PARAM_INT}};

static const struct gm_kernel result_kernel = {.abi = GM_KERNEL_ABI,
                                               .size = sizeof(struct gm_kernel),
                                               .name = "probe",
                                               .summary = "tries every layout",
                                               .params = result_params,
                                               .n_params = 1,
                                               .outputs = result_outputs,
                                               .n_outputs = N_OUTPUTS};

struct result_fixture {
    char dir[64];
    char *folder, *file;
    struct jobspec spec;
    struct jobspec_stage stages[2];
    struct jobspec_axis axis;
    struct jobspec_ref ref; /* i: "${i}" */
    struct jobspec_piece piece;
    struct jobspec_arg arg;
    struct jobspec_source source;
    struct plan plan;
    struct plan_rank ranks[4];
    struct plan_host hosts[2];
    struct plan_topology topology;
};

/* n tasks of the kernel; 3 commands. job.h5 is written, no shard. */
static inline void fixture_fill(struct result_fixture *f, uint64_t n, unsigned n_ranks)
{
    f->axis = (struct jobspec_axis){.name = "i", .n = n, .is_range = true, .step = 1};
    f->ref = (struct jobspec_ref){.kind = JOBSPEC_REF_AXIS, .text = "i"};
    f->piece = (struct jobspec_piece){.ref = &f->ref};
    f->arg = (struct jobspec_arg){.given = true, .from = {.pieces = &f->piece, .n = 1}};
    f->stages[0] = (struct jobspec_stage){.name = "probe",
                                          .kernel = &result_kernel,
                                          .args = &f->arg,
                                          .axes = &f->axis,
                                          .n_axes = 1,
                                          .group = 1,
                                          .n_tasks = n};
    f->stages[1] = (struct jobspec_stage){.name = "say", .group = 1, .n_tasks = 3};
    f->source = (struct jobspec_source){
        .path = "/data/digits.csv", .size = 1234, .mtime_ns = 1700000000000000000};
    hash_bytes("", 0, f->source.sha256);
    f->spec = (struct jobspec){.name = "fixture",
                               .file = "fixture.yaml",
                               .dir = "/jobs",
                               .text = "name: fixture\n",
                               .text_len = 14,
                               .stages = f->stages,
                               .n_stages = 2,
                               .sources = &f->source,
                               .n_sources = 1,
                               .results = f->file};
    for (unsigned i = 0; i < n_ranks; i++)
        f->ranks[i] = (struct plan_rank){
            .host = i < 2 ? "n0" : "n1", .cpus = "0-1", .gpus = "", .reason = "packed"};
    f->hosts[0] = (struct plan_host){.name = "n0"};
    f->hosts[1] = (struct plan_host){.name = "n1"};
    f->topology =
        (struct plan_topology){.digest = f->source.sha256, .xml = "<topology/>"};
    f->plan = (struct plan){.id = "0123456789abcdef0123456789abcdef",
                            .file = "fixture.yaml",
                            .dir = "/jobs",
                            .text = f->spec.text,
                            .text_len = 14,
                            .canonical = "{\"version\":1}",
                            .results = f->file,
                            .folder = f->folder,
                            .mapping = "pack",
                            .binder = PLAN_BOUND_BY_LAUNCHER,
                            .launcher = "mpirun",
                            .ranks = f->ranks,
                            .n_ranks = n_ranks,
                            .hosts = f->hosts,
                            .n_hosts = 2,
                            .topologies = &f->topology,
                            .n_topologies = 1,
                            .build = "0.1.0+test"};
}

/* base: an existing folder, or NULL for a new one of its own. */
static inline void
fixture_make(struct result_fixture *f, const char *base, uint64_t n, unsigned n_ranks)
{
    memset(f, 0, sizeof(*f));
    if (base == NULL) {
        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/gridmill-result-XXXXXX");
        if (mkdtemp(f->dir) == NULL)
            abort();
        base = f->dir;
    }
    struct str s = {0};
    str_printf(&s, "%s/fixture.h5", base);
    f->file = str_steal(&s);
    str_printf(&s, "%s/fixture.h5.gm", base);
    f->folder = str_steal(&s);
    struct gm_error err = {0};
    if (file_make_folders(f->folder, &err) != 0)
        abort();
    fixture_fill(f, n, n_ranks);
    static const char *const versions[] = {"openmpi", "4.1.4", "hdf5", "1.10.8", NULL};
    struct result_job job = {
        .plan = &f->plan, .spec = &f->spec, .versions = versions, .start = 1000.5};
    if (job_write(&job, &err) != 0) {
        (void)fprintf(stderr, "job_write: %s\n", err.text);
        abort();
    }
}

static inline void fixture_drop(struct result_fixture *f)
{
    if (f->dir[0] != '\0')
        (void)file_remove_tree(f->dir, NULL);
    free(f->folder);
    free(f->file);
}

static inline int fixture_value(struct shard *s,
                                uint64_t task,
                                uint32_t kind,
                                uint32_t index,
                                uint32_t dtype,
                                uint32_t ndim,
                                uint64_t d0,
                                uint64_t d1,
                                const void *data,
                                struct gm_error *err)
{
    uint64_t n = gm_dtype_size(dtype) * (ndim > 0 ? d0 : 1) * (ndim > 1 ? d1 : 1);
    struct result_record r = {.stage = 0,
                              .kind = kind,
                              .index = index,
                              .task = task,
                              .dtype = dtype,
                              .ndim = ndim,
                              .dims = {d0, d1},
                              .data = data,
                              .nbytes = n};
    return shard_add(s, &r, err);
}

static inline double fixture_score(uint64_t i)
{
    return (double)(i % 7) + (double)i / 1048576.0;
}

/* The outputs of task i of stage 0: `rows` of labels, loss and model follow from i. */
static inline int fixture_outputs(
    struct shard *s, uint64_t i, double flip, double rate, struct gm_error *err)
{
    double score = fixture_score(i) + flip, loss[3];
    int64_t count = (int64_t)i - 5;
    float matrix[6];
    int32_t labels[5];
    unsigned char model[300];
    for (unsigned k = 0; k < 6; k++)
        matrix[k] = (float)i + (float)k / 8;
    for (unsigned k = 0; k < 5; k++)
        labels[k] = (int32_t)(i * 10 + k);
    for (unsigned k = 0; k < 3; k++)
        loss[k] = 1.0 / (double)(i + k + 1);
    for (unsigned k = 0; k < 300; k++)
        model[k] = (unsigned char)(i + k);
    int rc = fixture_value(s, i, RESULT_OUTPUT, O_SCORE, GM_F64, 0, 0, 0, &score, err);
    rc |= fixture_value(s, i, RESULT_OUTPUT, O_COUNT, GM_I64, 0, 0, 0, &count, err);
    rc |= fixture_value(s, i, RESULT_OUTPUT, O_RATE, GM_F64, 0, 0, 0, &rate, err);
    rc |= fixture_value(s, i, RESULT_OUTPUT, O_MATRIX, GM_F32, 2, 2, 3, matrix, err);
    rc |= fixture_value(s, i, RESULT_OUTPUT, O_LABELS, GM_I32, 1, i % 6, 0, labels, err);
    rc |= fixture_value(s, i, RESULT_SERIES, O_LOSS, GM_F64, 1, i % 4, 0, loss, err);
    return rc |
           fixture_value(s, i, RESULT_OUTPUT, O_MODEL, GM_U8, 1, i % 301, 0, model, err);
}

static inline int fixture_params(struct shard *s, uint64_t i, struct gm_error *err)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "{\"i\":%llu}", (unsigned long long)i);
    return fixture_value(s, i, RESULT_PARAMS, 0, GM_U8, 1, (uint64_t)n, 0, text, err);
}

static inline struct result_commit
fixture_commit(uint64_t i, unsigned rank, unsigned attempt)
{
    return (struct result_commit){.task = i,
                                  .count = 1,
                                  .status = RESULT_DONE,
                                  .rank = rank,
                                  .n_ranks = 1,
                                  .attempt = attempt,
                                  .start = 1000.0 + (double)i,
                                  .end = 1000.25 + (double)i,
                                  .user_s = 0.125,
                                  .max_rss = 4096};
}

/* Task i, done. */
static inline int
fixture_done(struct shard *s, uint64_t i, unsigned rank, struct gm_error *err)
{
    struct result_commit c = fixture_commit(i, rank, 1);
    int rc = fixture_params(s, i, err);
    rc = rc == 0 ? fixture_outputs(s, i, 0, 100.0 * rank, err) : rc;
    return rc == 0 ? shard_commit(s, &c, err) : rc;
}

static inline int fixture_text(struct shard *s,
                               unsigned stage,
                               uint64_t task,
                               uint32_t kind,
                               const char *text,
                               struct gm_error *err)
{
    struct result_record r = {.stage = stage,
                              .kind = kind,
                              .task = task,
                              .dtype = GM_U8,
                              .ndim = 1,
                              .dims = {strlen(text)},
                              .data = text,
                              .nbytes = strlen(text)};
    return shard_add(s, &r, err);
}

/* The command stage: 0 exits with 3 once, then 0; 1 is killed; 2 is skipped. */
static inline int fixture_commands(struct shard *s, unsigned rank, struct gm_error *err)
{
    struct result_commit c = fixture_commit(0, rank, 1);
    c.stage = 1;
    c.status = RESULT_RETRIED;
    c.reason = RESULT_EXIT;
    c.exit_code = 3;
    int rc = fixture_text(s, 1, 0, RESULT_STDOUT, "first try\n", err);
    rc |= fixture_text(s, 1, 0, RESULT_MESSAGE, "exit status 3", err);
    rc |= shard_commit(s, &c, err);
    c = fixture_commit(0, rank, 2);
    c.stage = 1;
    rc |= fixture_text(s, 1, 0, RESULT_STDOUT, "h\xc3\xa9llo\n", err);
    rc |= fixture_text(s, 1, 0, RESULT_STDERR, "", err);
    rc |= shard_commit(s, &c, err);
    c = fixture_commit(1, rank, 1);
    c.stage = 1;
    c.status = RESULT_FAILED;
    c.reason = RESULT_SIGNAL;
    c.signal = 9;
    rc |= fixture_text(s, 1, 1, RESULT_MESSAGE, "killed by signal 9", err);
    rc |= shard_commit(s, &c, err);
    c = (struct result_commit){.stage = 1,
                               .task = 2,
                               .count = 1,
                               .status = RESULT_SKIPPED,
                               .reason = RESULT_NEEDS,
                               .rank = rank};
    return rc | shard_commit(s, &c, err);
}

static inline int fixture_rank(struct shard *s, unsigned rank, struct gm_error *err)
{
    struct result_rank r = {.host = rank < 2 ? "n0" : "n1",
                            .device = "cpu",
                            .planned = "0-1",
                            .inherited = "0-3",
                            .seen = "0-1",
                            .memory = "0",
                            .gpus = "all",
                            .mismatch = rank == 1 ? "elsewhere" : "",
                            .pid = 4000 + rank};
    return shard_rank(s, &r, err);
}

/* The whole job over n_ranks ranks: task i by rank i % n_ranks. */
static inline int
fixture_run(struct result_fixture *f, unsigned n_ranks, struct gm_error *err)
{
    struct shard *shards[4] = {NULL};
    int rc = 0;
    for (unsigned r = 0; rc == 0 && r < n_ranks; r++) {
        rc = shard_create(f->folder, r, &shards[r], err);
        rc = rc == 0 ? fixture_rank(shards[r], r, err) : rc;
    }
    for (uint64_t i = 0; rc == 0 && i < f->stages[0].n_tasks; i++)
        rc = fixture_done(shards[i % n_ranks], i, (unsigned)(i % n_ranks), err);
    rc = rc == 0 ? fixture_commands(shards[n_ranks - 1], n_ranks - 1, err) : rc;
    for (unsigned r = 0; r < n_ranks; r++) {
        int closed = shard_close(shards[r], rc == 0 ? err : NULL);
        rc = rc == 0 ? closed : rc;
    }
    return rc;
}

#endif
