/* A job of the `sleep` kernel and commands for the engine's tests: a folder of its own, a
 * machine that hwloc makes up, and results written by the very code that ranks use. */
#ifndef TESTS_ENGINE_JOB_H
#define TESTS_ENGINE_JOB_H

#include "base/file.h"
#include "base/str.h"
#include "base/version.h"
#include "engine/engine.h"
#include "result/job.h"
#include "result/pack.h"
#include "result/shard.h"
#include <criterion/criterion.h>
#include <stdlib.h>

struct engine_job {
    char dir[64];
    char results[96];
    struct jobspec *spec;
    struct restree *tree;
};

static inline void engine_job_open(struct engine_job *job, const char *yaml)
{
    struct gm_error err = {0};
    struct jobspec_faults faults = {0};
    (void)snprintf(job->dir, sizeof(job->dir), "/tmp/gridmill-engine-XXXXXX");
    cr_assert_not_null(mkdtemp(job->dir));
    (void)snprintf(job->results, sizeof(job->results), "%s/job.h5", job->dir);
    struct jobspec_options opt = {.dir = job->dir, .look = engine_look};
    opt.kernels = engine_kernels(&opt.n_kernels);
    int rc =
        jobspec_parse("job.yaml", yaml, strlen(yaml), &opt, &job->spec, &faults, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    jobspec_faults_free(&faults);
    cr_assert_eq(restree_load_synthetic("pack:2 core:2 pu:1", &job->tree, &err),
                 0,
                 "%s",
                 err.text);
}

static inline void engine_job_close(struct engine_job *job)
{
    jobspec_free(job->spec);
    restree_free(job->tree);
    cr_assert_eq(file_remove_tree(job->dir, NULL), 0);
}

static inline struct plan *engine_job_plan(const struct engine_job *job)
{
    struct gm_error err = {0};
    struct plan *plan = NULL;
    int rc = engine_plan(job->spec, job->tree, "mpirun", &plan, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return plan;
}

/* The head of the results, and one empty shard to fill. */
static inline struct shard *engine_job_begin(const struct engine_job *job,
                                             const struct plan *plan)
{
    struct gm_error err = {0};
    struct shard *shard = NULL;
    struct result_job head = {
        .plan = plan, .spec = job->spec, .versions = version_libraries(), .start = 1000};
    cr_assert_eq(file_make_folders(plan->folder, &err), 0, "%s", err.text);
    cr_assert_eq(job_write(&head, &err), 0, "%s", err.text);
    cr_assert_eq(shard_create(plan->folder, 0, &shard, &err), 0, "%s", err.text);
    struct result_rank rank = {.host = plan->ranks[0].host,
                               .device = "cpu",
                               .planned = plan->ranks[0].cpus,
                               .inherited = plan->ranks[0].cpus,
                               .seen = plan->ranks[0].cpus,
                               .pid = 1};
    cr_assert_eq(shard_rank(shard, &rank, &err), 0, "%s", err.text);
    return shard;
}

static inline void engine_job_text(
    struct shard *shard, uint32_t stage, uint64_t task, uint32_t kind, const char *text)
{
    struct result_record r = {.stage = stage,
                              .kind = kind,
                              .task = task,
                              .dtype = GM_U8,
                              .ndim = 1,
                              .dims = {strlen(text)},
                              .data = text,
                              .nbytes = strlen(text)};
    struct gm_error err = {0};
    cr_assert_eq(shard_add(shard, &r, &err), 0, "%s", err.text);
}

static inline void engine_job_f64(
    struct shard *shard, uint32_t stage, uint64_t task, uint32_t output, double value)
{
    struct result_record r = {.stage = stage,
                              .kind = RESULT_OUTPUT,
                              .index = output,
                              .task = task,
                              .dtype = GM_F64,
                              .data = &value,
                              .nbytes = sizeof(value)};
    struct gm_error err = {0};
    cr_assert_eq(shard_add(shard, &r, &err), 0, "%s", err.text);
}

/* Task t runs in [1000 + t, 1000 + t + 0.5). */
static inline void engine_job_attempt(
    struct shard *shard, uint32_t stage, uint64_t task, uint32_t attempt, uint32_t status)
{
    struct result_commit c = {.stage = stage,
                              .attempt = attempt,
                              .task = task,
                              .count = 1,
                              .status = status,
                              .reason =
                                  status == RESULT_FAILED ? RESULT_ERROR : RESULT_OK,
                              .n_ranks = 1,
                              .start = 1000 + (double)task,
                              .end = 1000.5 + (double)task};
    struct gm_error err = {0};
    cr_assert_eq(shard_commit(shard, &c, &err), 0, "%s", err.text);
}

static inline void
engine_job_commit(struct shard *shard, uint32_t stage, uint64_t task, uint32_t status)
{
    engine_job_attempt(shard, stage, task, 1, status);
}

static inline void
engine_job_pack(const struct plan *plan, const char *file, const char *outcome)
{
    struct gm_error err = {0};
    struct pack_options opt = {.folder = plan->folder,
                               .file = file,
                               .complete = true,
                               .end = 2000,
                               .outcome = outcome};
    cr_assert_eq(pack_run(&opt, &err), 0, "%s", err.text);
}

#endif
