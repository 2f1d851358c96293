/* write_results FOLDER MODE: a job of 40 tasks for check.py, by the code that runs use.
 *   whole    packed, folder kept too
 *   none     nothing ever ran, packed
 *   part     every third task ran, packed
 *   large    one task whose values are larger than any buffer, packed
 *   live     as `part` but not packed: the shards stay open until standard input ends */
#include "../../unit/result_job.h"
#include "result/pack.h"

static int fail(const struct gm_error *err)
{
    (void)fprintf(stderr, "write_results: %s\n", err->text);
    return 1;
}

static int run_part(struct result_fixture *f, struct shard **ret, struct gm_error *err)
{
    int rc = shard_create(f->folder, 0, ret, err);
    rc = rc == 0 ? fixture_rank(*ret, 0, err) : rc;
    for (uint64_t i = 0; rc == 0 && i < 40; i += 3)
        rc = fixture_done(*ret, i, 0, err);
    return rc == 0 ? shard_flush(*ret, err) : rc;
}

/* A matrix of [3000, 1001] floats in task 1 alone, 12 MB. */
static int run_large(struct result_fixture *f, struct gm_error *err)
{
    struct shard *s = NULL;
    uint64_t rows = 3000, columns = 1001;
    float *big = xcalloc(rows * columns, sizeof(*big));
    for (uint64_t i = 0; i < rows * columns; i++)
        big[i] = (float)(i % 8191);
    struct result_commit c = fixture_commit(1, 0, 1);
    int rc = shard_create(f->folder, 0, &s, err);
    rc = rc == 0 ? fixture_value(
                       s, 1, RESULT_OUTPUT, O_MATRIX, GM_F32, 2, rows, columns, big, err)
                 : rc;
    rc = rc == 0 ? shard_commit(s, &c, err) : rc;
    free(big);
    int closed = shard_close(s, rc == 0 ? err : NULL);
    return rc == 0 ? closed : rc;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *mode = argv[2];
    struct result_fixture f;
    struct gm_error err = {0};
    struct shard *open = NULL;
    fixture_make(&f, argv[1], 40, 4);
    int rc = 0;
    if (strcmp(mode, "whole") == 0)
        rc = fixture_run(&f, 4, &err);
    else if (strcmp(mode, "large") == 0)
        rc = run_large(&f, &err);
    else if (strcmp(mode, "part") == 0 || strcmp(mode, "live") == 0)
        rc = run_part(&f, &open, &err);
    if (rc == 0 && strcmp(mode, "live") == 0) {
        (void)puts("ready");
        (void)fflush(stdout);
        (void)getchar();
    }
    int closed = shard_close(open, rc == 0 ? &err : NULL);
    rc = rc == 0 ? closed : rc;
    struct pack_options opt = {.folder = f.folder,
                               .file = f.file,
                               .complete = true,
                               .end = 2000.25,
                               .outcome = "done"};
    if (rc == 0 && strcmp(mode, "live") != 0)
        rc = pack_run(&opt, &err);
    fixture_drop(&f);
    return rc == 0 ? 0 : fail(&err);
}
