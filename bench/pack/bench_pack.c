/* What results cost: `bench/run pack` runs this by mpirun on two ranks and checks the
 * lines of rank 0 (bench/README.md has the schema).
 *
 *   bench_pack FOLDER values|pack|gzip|rows|tasks
 *
 * values: results of 1 MiB to shards, beside raw writes and an fsync of the same bytes.
 * pack: these shards into one file by all ranks together, beside MPI_File_write_at_all of
 * the same bytes; both sync. gzip: the same, compressed. rows: a shard's rows of 64 bytes
 * a thousand at a time, beside HDF5's own appending of such batches, and one by one.
 * tasks: the pack of 10^6 tasks, and how much memory a rank has for it above what it had
 * before. Each turn takes all of its ways once, one after the other. */
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"
#include "result/job.h"
#include "result/pack_mpi.h"
#include "result/shard.h"
#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { TURNS = 9, MIB = 1 << 20, EACH = 256, ROW = 64, BATCH = 1000, ROWS = 2000000 };

static const struct gm_output_spec outputs[] = {
    {.name = "blob",
     .help = "bytes",
     .unit = "byte",
     .shape = "[1048576]",
     .dtype = GM_U8,
     .ndim = 1},
    {.name = "row",
     .help = "numbers",
     .unit = "1",
     .shape = "[8]",
     .dtype = GM_F64,
     .ndim = 1},
};
static const struct gm_kernel blob_kernel = {.abi = GM_KERNEL_ABI,
                                             .size = sizeof(struct gm_kernel),
                                             .name = "blob",
                                             .summary = "bytes",
                                             .outputs = outputs,
                                             .n_outputs = 1};
static const struct gm_kernel row_kernel = {.abi = GM_KERNEL_ABI,
                                            .size = sizeof(struct gm_kernel),
                                            .name = "row",
                                            .summary = "numbers",
                                            .outputs = outputs + 1,
                                            .n_outputs = 1};

struct bench {
    int rank, n;
    const char *dir;
    char *folder, *file;
    unsigned char *data; /* EACH MiB */
};

struct samples {
    double v[TURNS];
    size_t n;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double quantile(struct samples *s, double q)
{
    if (s->n == 0)
        return 0;
    qsort(s->v, s->n, sizeof(s->v[0]), by_value);
    return s->v[(size_t)(q * (double)(s->n - 1) + 0.5)];
}

static void put_number(struct json *j, const char *key, double v)
{
    json_key(j, key);
    if (v > 0)
        json_double(j, v);
    else
        json_null(j);
}

/* floor: NULL, there is none. */
static void line(const char *name,
                 const char *unit,
                 struct samples *s,
                 struct samples *floor,
                 const char *how)
{
    AUTO_JSON j = {0};
    double value = quantile(s, 0.5), least = floor != NULL ? quantile(floor, 0.5) : 0;
    json_begin(&j, '{');
    json_put_string(&j, "suite", "pack");
    json_put_string(&j, "name", name);
    json_put_double(&j, "value", value);
    json_put_string(&j, "unit", unit);
    put_number(&j, "floor", least);
    json_put_string(&j, "floor_how", how);
    put_number(&j, "peer", 0);
    put_number(&j, "ratio", least > 0 ? value / least : 0);
    json_put_int(&j, "n", (int64_t)s->n);
    json_put_double(&j, "p50", value);
    json_put_double(&j, "p95", quantile(s, 0.95));
    json_end(&j, '}');
    (void)printf("%s\n", str_text(&j.out));
    (void)fflush(stdout);
}

static void must(int rc, const struct gm_error *err)
{
    if (rc == 0)
        return;
    (void)fprintf(stderr, "bench_pack: %s\n", err->text);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void need(bool good, const char *what)
{
    struct gm_error err = {0};
    (void)gm_fail(&err, -EIO, "%s failed", what);
    must(good ? 0 : -EIO, &err);
}

/* Seconds of the slowest rank since all began together. */
static double begin(void)
{
    MPI_Barrier(MPI_COMM_WORLD);
    return clock_monotonic();
}

static double slowest(double mine)
{
    double all = 0;
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return all;
}

/* An empty folder with the head of a job of n_tasks. */
static void make_job(const struct bench *b, const struct gm_kernel *k, uint64_t n_tasks)
{
    struct gm_error err = {0};
    MPI_Barrier(MPI_COMM_WORLD);
    if (b->rank == 0) {
        struct jobspec_axis axis = {
            .name = "i", .n = n_tasks, .is_range = true, .step = 1};
        struct jobspec_stage stage = {.name = "bench",
                                      .kernel = k,
                                      .axes = &axis,
                                      .n_axes = 1,
                                      .group = 1,
                                      .n_tasks = n_tasks};
        struct jobspec spec = {.name = "bench", .stages = &stage, .n_stages = 1};
        struct plan plan = {.id = "0", .text = "", .folder = b->folder};
        struct result_job job = {.plan = &plan, .spec = &spec};
        must(file_remove_tree(b->folder, &err), &err);
        must(file_make_folders(b->folder, &err), &err);
        must(job_write(&job, &err), &err);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

static void sync_file(const char *path)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    need(fd >= 0 && fdatasync(fd) == 0, "fdatasync");
}

/* EACH values of this rank to its shard, each committed; on the disk. */
static double write_values(const struct bench *b)
{
    struct gm_error err = {0};
    struct shard *s = NULL;
    must(shard_create(b->folder, (unsigned)b->rank, &s, &err), &err);
    double began = begin();
    for (unsigned i = 0; i < EACH; i++) {
        uint64_t task = (uint64_t)b->rank * EACH + i;
        struct result_record r = {.kind = RESULT_OUTPUT,
                                  .task = task,
                                  .dtype = GM_U8,
                                  .ndim = 1,
                                  .dims = {MIB},
                                  .data = b->data + (size_t)i * MIB,
                                  .nbytes = MIB};
        struct result_commit c = {.task = task,
                                  .count = 1,
                                  .attempt = 1,
                                  .status = RESULT_DONE,
                                  .rank = (uint32_t)b->rank,
                                  .n_ranks = 1};
        must(shard_add(s, &r, &err), &err);
        must(shard_commit(s, &c, &err), &err);
        must(shard_flush(s, &err), &err);
    }
    must(shard_close(s, &err), &err);
    AUTO_STR path = {0};
    str_printf(&path, "%s/shards/000/rank-%06d.h5", b->folder, b->rank);
    sync_file(path.text);
    return slowest(clock_monotonic() - began);
}

static double write_raw(const struct bench *b)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/raw-%d", b->dir, b->rank);
    (void)unlink(path.text);
    double began = begin();
    int fd = open(path.text, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    need(fd >= 0, "open");
    for (unsigned i = 0; i < EACH; i++)
        need(write(fd, b->data + (size_t)i * MIB, MIB) == MIB, "write");
    need(fsync(fd) == 0 && close(fd) == 0, "fsync");
    double s = slowest(clock_monotonic() - began);
    (void)unlink(path.text);
    return s;
}

static double per_second(const struct bench *b, double seconds)
{
    return (double)EACH * b->n * MIB / seconds / 1e9;
}

static void bench_values(const struct bench *b)
{
    struct samples ours = {.n = 0}, raw = {.n = 0};
    for (int i = -1; i < TURNS; i++) {
        make_job(b, &blob_kernel, (uint64_t)EACH * (unsigned)b->n);
        double mine = write_values(b), theirs = write_raw(b);
        if (i >= 0) {
            ours.v[ours.n++] = per_second(b, mine);
            raw.v[raw.n++] = per_second(b, theirs);
        }
    }
    if (b->rank == 0)
        line("values_1mib", "GB/s", &ours, &raw, "write and fsync of the same bytes");
}

static double write_at_all(const struct bench *b)
{
    AUTO_STR path = {0};
    MPI_File file;
    str_printf(&path, "%s/at_all", b->dir);
    (void)unlink(path.text);
    double began = begin();
    need(MPI_File_open(MPI_COMM_WORLD,
                       path.text,
                       MPI_MODE_CREATE | MPI_MODE_WRONLY,
                       MPI_INFO_NULL,
                       &file) == MPI_SUCCESS,
         "MPI_File_open");
    MPI_Offset at = (MPI_Offset)b->rank * EACH * MIB;
    need(MPI_File_write_at_all(
             file, at, b->data, EACH * MIB, MPI_BYTE, MPI_STATUS_IGNORE) == MPI_SUCCESS,
         "MPI_File_write_at_all");
    (void)MPI_File_sync(file);
    (void)MPI_File_close(&file);
    double s = slowest(clock_monotonic() - began);
    if (b->rank == 0)
        (void)unlink(path.text);
    return s;
}

static struct pack_times pack_once(const struct bench *b, bool gzip)
{
    struct gm_error err = {0};
    struct pack_times t = {0};
    struct pack_mpi with = {.comm = MPI_COMM_WORLD};
    struct pack_options opt = {
        .folder = b->folder, .file = b->file, .gzip = gzip, .ret_times = &t};
    if (b->rank == 0)
        (void)unlink(b->file);
    (void)begin();
    must(pack_mpi(&opt, &with, &err), &err);
    t.all = slowest(t.all);
    t.written = slowest(t.written);
    return t;
}

static void bench_pack(const struct bench *b)
{
    struct samples all = {.n = 0}, written = {.n = 0}, mpi = {.n = 0};
    make_job(b, &blob_kernel, (uint64_t)EACH * (unsigned)b->n);
    (void)write_values(b);
    for (int i = -1; i < TURNS; i++) {
        struct pack_times t = pack_once(b, false);
        double theirs = write_at_all(b);
        if (i >= 0) {
            all.v[all.n++] = per_second(b, t.all);
            written.v[written.n++] = per_second(b, t.written);
            mpi.v[mpi.n++] = per_second(b, theirs);
        }
    }
    const char *how = "MPI_File_write_at_all and MPI_File_sync of the same bytes";
    if (b->rank == 0)
        line("pack_written", "GB/s", &written, &mpi, how);
    if (b->rank == 0)
        line("pack_read_too", "GB/s", &all, &mpi, how);
}

static void bench_gzip(const struct bench *b)
{
    struct samples all = {.n = 0};
    make_job(b, &blob_kernel, (uint64_t)EACH * (unsigned)b->n);
    (void)write_values(b);
    for (int i = 0; i < 3; i++)
        all.v[all.n++] = per_second(b, pack_once(b, true).all);
    if (b->rank == 0)
        line("pack_gzip", "GB/s", &all, NULL, "bytes that do not compress");
}

/* ROWS of 64 bytes, BATCH a call, a flush a batch. */
static double write_shard_rows(const struct bench *b, uint64_t batch, uint64_t rows)
{
    struct gm_error err = {0};
    struct shard *s = NULL;
    struct result_field field = {.dtype = GM_F64, .ndim = 1, .dims = {8}, .nbytes = ROW};
    must(shard_create(b->folder, (unsigned)b->rank, &s, &err), &err);
    double began = begin();
    for (uint64_t i = 0; i < rows; i += batch) {
        struct result_rows r = {.rank = (uint32_t)b->rank,
                                .first = (uint64_t)b->rank * ROWS + i,
                                .count = batch,
                                .fields = &field,
                                .n_fields = 1,
                                .rows = b->data + i * ROW % MIB,
                                .row_bytes = ROW,
                                .start = 1,
                                .end = 2};
        must(shard_rows(s, &r, &err), &err);
        must(shard_flush(s, &err), &err);
    }
    must(shard_close(s, &err), &err);
    return (double)rows * b->n / slowest(clock_monotonic() - began);
}

/* The same bytes appended by HDF5 to a dataset as a shard's, and nothing else. */
static double write_bare_rows(const struct bench *b, uint64_t batch, uint64_t rows)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/bare-%d.h5", b->dir, b->rank);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), how = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(path.text, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    hsize_t row = ROW, chunk = 4096, none = 0, most = H5S_UNLIMITED;
    hid_t type = H5Tarray_create2(H5T_NATIVE_UINT8, 1, &row);
    (void)H5Pset_chunk(how, 1, &chunk);
    hid_t space = H5Screate_simple(1, &none, &most);
    hid_t set = H5Dcreate2(file, "rows", type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    need(set >= 0, "H5Dcreate");
    double began = begin();
    for (hsize_t i = 0; i < rows; i += batch) {
        hsize_t count = batch, end = i + batch;
        (void)H5Dset_extent(set, &end);
        hid_t memory = H5Screate_simple(1, &count, NULL), all = H5Dget_space(set);
        (void)H5Sselect_hyperslab(all, H5S_SELECT_SET, &i, NULL, &count, NULL);
        need(H5Dwrite(set, type, memory, all, H5P_DEFAULT, b->data + i * ROW % MIB) >=
                     0 &&
                 H5Dflush(set) >= 0,
             "H5Dwrite");
        (void)H5Sclose(memory);
        (void)H5Sclose(all);
    }
    (void)H5Dclose(set);
    (void)H5Fclose(file);
    double seconds = slowest(clock_monotonic() - began);
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    (void)H5Pclose(how);
    (void)H5Pclose(access);
    (void)unlink(path.text);
    return (double)rows * b->n / seconds;
}

static void bench_rows(const struct bench *b)
{
    static const struct {
        const char *name, *how;
        uint64_t batch, rows;
    } cases[] = {
        {"rows_64b_1000", "HDF5's own append of a batch and a flush", BATCH, ROWS},
        {"rows_64b_1", "HDF5's own append of one row and a flush", 1, 20000},
    };
    for (unsigned k = 0; k < 2; k++) {
        struct samples ours = {.n = 0}, bare = {.n = 0};
        for (int i = -1; i < TURNS; i++) {
            make_job(b, &row_kernel, (uint64_t)ROWS * (unsigned)b->n);
            double mine = write_shard_rows(b, cases[k].batch, cases[k].rows);
            double theirs = write_bare_rows(b, cases[k].batch, cases[k].rows);
            if (i >= 0) {
                ours.v[ours.n++] = mine;
                bare.v[bare.n++] = theirs;
            }
        }
        if (b->rank == 0)
            line(cases[k].name, "row/s", &ours, &bare, cases[k].how);
    }
}

/* 10^6 tasks, each committed by itself as commands are. */
static void write_tasks(const struct bench *b, uint64_t n)
{
    struct gm_error err = {0};
    struct shard *s = NULL;
    must(shard_create(b->folder, (unsigned)b->rank, &s, &err), &err);
    for (uint64_t i = (uint64_t)b->rank; i < n; i += (uint64_t)b->n) {
        struct result_record r = {.kind = RESULT_OUTPUT,
                                  .task = i,
                                  .dtype = GM_F64,
                                  .ndim = 1,
                                  .dims = {8},
                                  .data = b->data,
                                  .nbytes = ROW};
        struct result_commit c = {.task = i,
                                  .count = 1,
                                  .attempt = 1,
                                  .status = RESULT_DONE,
                                  .rank = (uint32_t)b->rank,
                                  .n_ranks = 1};
        must(shard_add(s, &r, &err), &err);
        must(shard_commit(s, &c, &err), &err);
        if (i / (uint64_t)b->n % 1000 == 999)
            must(shard_flush(s, &err), &err);
    }
    must(shard_close(s, &err), &err);
}

static double resident_mib(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static void bench_tasks(const struct bench *b)
{
    enum { N = 1000000 };
    struct samples seconds = {.n = 0}, memory = {.n = 0}, rows = {.n = 0};
    make_job(b, &row_kernel, N);
    write_tasks(b, N);
    double before = resident_mib();
    for (int i = 0; i < 3; i++)
        seconds.v[seconds.n++] = pack_once(b, false).all;
    memory.v[memory.n++] = slowest(resident_mib() - before);
    make_job(b, &row_kernel, (uint64_t)ROWS * (unsigned)b->n);
    (void)write_shard_rows(b, BATCH, ROWS);
    for (int i = 0; i < 3; i++)
        rows.v[rows.n++] = pack_once(b, false).all * 1e6 / ((double)ROWS * b->n);
    if (b->rank == 0) {
        line("pack_million_tasks", "s", &seconds, NULL, "each committed by itself");
        line("pack_million_rows", "s", &rows, NULL, "committed as rows, 1000 a batch");
        line("pack_million_memory",
             "MiB",
             &memory,
             NULL,
             "of a rank, above what it had before; the goal is 100");
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct bench *);
    } parts[] = {{"values", bench_values},
                 {"pack", bench_pack},
                 {"gzip", bench_gzip},
                 {"rows", bench_rows},
                 {"tasks", bench_tasks}};
    struct bench b = {0};
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &b.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &b.n);
    struct str folder = {0}, file = {0};
    b.dir = argc > 2 ? argv[1] : ".";
    str_printf(&folder, "%s/bench.h5.gm", b.dir);
    str_printf(&file, "%s/bench.h5", b.dir);
    b.folder = folder.text;
    b.file = file.text;
    size_t bytes = (size_t)EACH * MIB;
    b.data = argc > 2 && strcmp(argv[2], "tasks") == 0 ? xcalloc(MIB + 1024 * ROW, 1)
                                                       : malloc(bytes);
    need(b.data != NULL, "malloc");
    if (argc <= 2 || strcmp(argv[2], "tasks") != 0) {
        uint64_t x = 88172645463325252u + (uint64_t)b.rank; /* xorshift64 */
        for (size_t i = 0; i < bytes; i += sizeof(x)) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            memcpy(b.data + i, &x, sizeof(x));
        }
    }
    for (size_t i = 0; argc > 2 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].name, argv[2]) == 0)
            parts[i].run(&b);
    }
    free(b.data);
    str_free(&folder);
    str_free(&file);
    MPI_Finalize();
    return 0;
}
