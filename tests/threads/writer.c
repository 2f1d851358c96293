/* The writer thread beside a compute thread that commits and reads: a plain main, because
 * ThreadSanitizer and Criterion do not go together (preset tsan runs this folder alone).
 * No MPI is started: the writer needs none. */
#include "runner/writer.h"
#include "base/file.h"
#include "base/memory.h"
#include <assert.h>
#include <unistd.h>

enum { N_TASKS = 400 };

static struct gm_output_spec outputs[] = {
    {.name = "score", .help = "the score", .unit = "1", .shape = "", .dtype = GM_F64}};
static struct gm_kernel kernel = {.abi = GM_KERNEL_ABI,
                                  .size = sizeof(kernel),
                                  .name = "fake",
                                  .summary = "a table, never run",
                                  .outputs = outputs,
                                  .n_outputs = 1};

static int check(int rc, const struct gm_error *err, const char *what)
{
    if (rc < 0)
        (void)fprintf(stderr, "%s: %s\n", what, err->text);
    return rc < 0;
}

static double score(uint64_t task)
{
    return (double)(task * 7919 % 1009);
}

static void commit(struct writer *w, uint64_t task)
{
    double value = score(task);
    struct parcel *p = parcel_make();
    struct result_record r = {
        .kind = RESULT_OUTPUT, .dtype = GM_F64, .data = &value, .nbytes = sizeof(value)};
    (void)parcel_add(p, &r, NULL);
    struct result_commit c = {.task = task,
                              .count = 1,
                              .attempt = 1,
                              .status = RESULT_DONE,
                              .n_ranks = 1,
                              .start = 1,
                              .end = 2};
    (void)writer_commit(w, &c, p, true);
}

static int run(const char *folder)
{
    struct jobspec_stage stage = {
        .name = "s", .kernel = &kernel, .n_tasks = N_TASKS, .group = 1};
    struct jobspec spec = {.file = "x.yaml",
                           .dir = "/",
                           .text = "",
                           .name = "x",
                           .mapping = "pack",
                           .stages = &stage,
                           .n_stages = 1};
    struct plan plan = {.id = "0123",
                        .file = "x.yaml",
                        .dir = "/",
                        .text = "",
                        .canonical = "{}",
                        .results = folder,
                        .folder = folder,
                        .mapping = "pack",
                        .launcher = "none",
                        .build = "test",
                        .binder = PLAN_UNBOUND};
    static const char *const versions[] = {NULL};
    struct jobspec_arg none = {0};
    stage.args = &none;
    struct result_job job = {
        .plan = &plan, .spec = &spec, .versions = versions, .start = 1};
    struct gm_error err = {0};
    struct writer *w = NULL;
    int bad = check(writer_start(folder, 0, &job, &w, &err), &err, "writer_start");
    if (bad != 0)
        return bad;
    uint64_t best_so_far = 0;
    for (uint64_t t = 0; t < N_TASKS; t++) {
        commit(w, t);
        if (score(t) > score(best_so_far))
            best_so_far = t;
        if (t % 37 != 36)
            continue;
        uint64_t best = 0;
        struct reader_value v = {0};
        bad += check(writer_best(w, 0, 0, false, &best, &err), &err, "writer_best");
        bad += check(writer_value(w, 0, t, 0, &v, &err), &err, "writer_value");
        if (bad != 0)
            break;
        if (best != best_so_far || *(double *)v.data != score(t)) {
            (void)fprintf(
                stderr, "task %d: a commit was not seen by the read after it\n", (int)t);
            bad++;
        }
        free(v.data);
    }
    return bad + check(writer_finish(w, &err), &err, "writer_finish");
}

int main(void)
{
    char folder[] = "/tmp/gridmill-threads-XXXXXX";
    if (mkdtemp(folder) == NULL)
        return 1;
    int bad = run(folder);
    (void)file_remove_tree(folder, NULL);
    (void)printf("%d tasks: %d failures\n", N_TASKS, bad);
    return bad != 0;
}
