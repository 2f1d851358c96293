/* The writer thread beside a compute thread that commits, lends rows and reads: a plain
 * main, because ThreadSanitizer and Criterion do not go together (preset tsan runs this
 * folder alone). No MPI is started: the writer needs none. */
#include "runner/writer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "result/committed.h"
#include <assert.h>
#include <unistd.h>

enum { N_TASKS = 400, N_ROWS = 200000, BUFFERS = 3, BUFFER = 64 };

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

static void commit(struct writer *w, unsigned attempt, uint64_t task)
{
    double value = score(task);
    struct parcel *p = parcel_make();
    struct result_record r = {
        .kind = RESULT_OUTPUT, .dtype = GM_F64, .data = &value, .nbytes = sizeof(value)};
    (void)parcel_add(p, &r, NULL);
    struct result_commit c = {.task = task,
                              .count = 1,
                              .attempt = attempt,
                              .status = RESULT_DONE,
                              .n_ranks = 1,
                              .start = 1,
                              .end = 2};
    (void)writer_commit(w, &c, p, true);
}

struct rows { /* chunk.c's is another: the writer only lends it back */
    double values[BUFFER];
};

static const struct result_field field = {.index = 0, .dtype = GM_F64, .nbytes = 8};

/* Rows of stage 1 in a few buffers, which go round. */
static int lend_rows(struct writer *w)
{
    struct rows *all = xcalloc(BUFFERS, sizeof(*all));
    int bad = 0;
    unsigned made = 0;
    for (uint64_t t = 0; t < N_ROWS; t += BUFFER) {
        struct rows *rows = made < BUFFERS ? &all[made++] : writer_emptied(w);
        if (rows == NULL || rows < all || rows >= all + BUFFERS) {
            (void)fprintf(stderr, "a buffer that nobody lent\n");
            return 1;
        }
        for (unsigned i = 0; i < BUFFER; i++)
            rows->values[i] = score(t + i);
        struct result_rows table = {.stage = 1,
                                    .first = t,
                                    .count = BUFFER,
                                    .fields = &field,
                                    .n_fields = 1,
                                    .rows = rows->values,
                                    .row_bytes = 8,
                                    .start = 1,
                                    .end = 2};
        writer_rows(w, rows, &table);
        if (t % (BUFFER * 500) == 0) {
            struct gm_error err = {0};
            struct reader_value v = {0};
            bad += check(writer_value(w, 1, t + 5, 0, &v, &err), &err, "writer_value");
            if (bad == 0 && *(double *)v.data != score(t + 5))
                bad += fprintf(stderr, "task %d: not its value\n", (int)t) > 0;
            free(v.data);
        }
    }
    for (unsigned i = 0; i < BUFFERS; i++)
        bad += writer_emptied(w) == NULL;
    bad += writer_emptied(w) != NULL;
    free(all);
    return bad;
}

/* A second launch whose shard was fenced: it fails, and what it wrote counts for nothing.
 */
static int run_outcast(const char *folder)
{
    struct gm_error err = {0};
    struct writer *w = NULL;
    int bad = check(writer_start(folder, 0, NULL, &w, &err), &err, "writer_start");
    if (bad != 0)
        return bad;
    struct str path = {0};
    str_printf(&path, "%s/fences", folder);
    bad += check(file_make_folders(path.text, &err), &err, path.text);
    str_add(&path, "/rank-000000.1.txt");
    bad += check(file_write(path.text, "commits 0\n", 10, &err), &err, path.text);
    str_free(&path);
    commit(w, 1, N_TASKS);
    int rc = writer_finish(w, &err);
    if (rc != -EOWNERDEAD || strstr(err.text, "given up for lost") == NULL)
        bad += fprintf(stderr, "a fenced writer ended with %d: %s\n", rc, err.text) > 0;
    return bad;
}

/* What is on file after all: every task, none of the outcast's. */
static int check_all(const char *folder)
{
    struct gm_error err = {0};
    struct committed *c = NULL;
    int bad = check(committed_load(folder, &c, &err), &err, "committed_load");
    if (bad == 0 && (taskset_count(c->stages[0].done) != N_TASKS ||
                     taskset_count(c->stages[1].done) != N_ROWS))
        bad += fprintf(stderr, "tasks are missing, or too many\n") > 0;
    committed_free(c);
    return bad;
}

static int run(const char *folder)
{
    struct jobspec_stage stages[2] = {
        {.name = "s", .kernel = &kernel, .n_tasks = N_TASKS + 1, .group = 1},
        {.name = "r", .kernel = &kernel, .n_tasks = N_ROWS, .group = 1}};
    struct jobspec spec = {.file = "x.yaml",
                           .dir = "/",
                           .text = "",
                           .name = "x",
                           .mapping = "pack",
                           .stages = stages,
                           .n_stages = 2};
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
    stages[0].args = stages[1].args = &none;
    struct result_job job = {
        .plan = &plan, .spec = &spec, .versions = versions, .start = 1};
    struct gm_error err = {0};
    struct writer *w = NULL;
    int bad = check(writer_start(folder, 0, &job, &w, &err), &err, "writer_start");
    if (bad != 0)
        return bad;
    uint64_t best_so_far = 0;
    for (uint64_t t = 0; t < N_TASKS; t++) {
        commit(w, 1, t);
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
    bad += lend_rows(w);
    bad += check(writer_finish(w, &err), &err, "writer_finish");
    bad += run_outcast(folder);
    return bad + check_all(folder);
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
