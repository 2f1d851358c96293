/* What a checkpoint's file costs: `bench/run checkpoint` runs this and checks the lines
 * (bench/README.md has the schema).
 *
 *   bench_checkpoint FOLDER
 *
 * One state of 64 MiB, saved as the runner does (a checksum over all, a sync, a rename),
 * beside a bare write of the same bytes with the same sync and rename; in turns. */
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"
#include "result/checkpoint.h"
#include <fcntl.h>
#include <stdlib.h>

enum { TURNS = 9, BYTES = 64 << 20 };

static double save(const char *folder, const char *state)
{
    static uint64_t set;
    struct checkpoint_head head = {.n_ranks = 1, .set = ++set};
    const struct result_record part = {.kind = CHECKPOINT_PART,
                                       .dtype = GM_U8,
                                       .ndim = 1,
                                       .dims = {BYTES},
                                       .data = state,
                                       .nbytes = BYTES};
    struct checkpoint_file *f = NULL;
    struct checkpoint_seal seal;
    struct gm_error err = {0};
    double start = clock_monotonic();
    int rc = checkpoint_create(folder, &head, &f, &err);
    rc = rc == 0 ? checkpoint_put(f, &part, &err) : rc;
    rc = rc == 0 ? checkpoint_keep(f, &seal, &err) : rc;
    if (rc == 0)
        return clock_monotonic() - start;
    (void)fprintf(stderr, "bench_checkpoint: %s\n", err.text);
    exit(1);
}

static double write_bare(const char *folder, const char *state)
{
    AUTO_STR tmp = {0}, path = {0};
    str_printf(&tmp, "%s/bare.tmp", folder);
    str_printf(&path, "%s/bare", folder);
    double start = clock_monotonic();
    AUTO_FD fd = open(tmp.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    AUTO_FD dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < BYTES) {
        ssize_t n = write(fd, state + done, BYTES - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done == BYTES && fsync(fd) == 0 && rename(tmp.text, path.text) == 0 &&
        fsync(dir) == 0)
        return clock_monotonic() - start;
    perror("bench_checkpoint: bare write");
    exit(1);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    double ours[TURNS], bare[TURNS];
    AUTO_FREE(char) state = xcalloc(1, BYTES);
    if (argc != 2) {
        (void)fprintf(stderr, "usage: bench_checkpoint FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < BYTES; i++)
        state[i] = (char)(i * 2654435761U >> 13);
    for (int i = -1; i < TURNS; i++) { /* one turn to warm up */
        double a = save(argv[1], state), b = write_bare(argv[1], state);
        if (i >= 0) {
            ours[i] = BYTES / a / 1e6;
            bare[i] = BYTES / b / 1e6;
        }
    }
    qsort(ours, TURNS, sizeof(*ours), by_size);
    qsort(bare, TURNS, sizeof(*bare), by_size);
    AUTO_JSON j = {0};
    json_begin(&j, '{');
    json_put_string(&j, "suite", "checkpoint");
    json_put_string(&j, "name", "save_64mib");
    json_put_double(&j, "value", ours[TURNS / 2]);
    json_put_string(&j, "unit", "MB/s");
    json_put_double(&j, "floor", bare[TURNS / 2]);
    json_put_string(&j, "floor_how", "write, fsync, rename, fsync of the folder");
    json_put_string(&j, "peer", NULL);
    json_put_double(&j, "ratio", ours[TURNS / 2] / bare[TURNS / 2]);
    json_put_int(&j, "n", TURNS);
    json_put_double(&j, "p50", ours[TURNS / 2]);
    json_put_double(&j, "p95", ours[TURNS - 1]);
    json_end(&j, '}');
    (void)puts(j.out.text);
    return 0;
}
