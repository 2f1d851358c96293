/* The ranks of MPI_COMM_WORLD pack a job together: the file says what rank 0 alone would
 * have packed, dataset by dataset (h5py compares them in tests/cli/h5/forms.py where it
 * is there; here the result hash does), compressed or not, in one file or sharded; and a
 * full disk, a damaged value and a lost rank end as they should. pack            all of
 * it, in a folder of its own pack FOLDER     keeps what it wrote there: alone.h5,
 * team.h5, gzip.h5, sharded.h5 */
#include "result/pack_mpi.h"
#include "tests/unit/result_job.h"
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int n_failed, world, n_ranks;

#define EXPECT(what)                                                                     \
    do {                                                                                 \
        if (!(what)) {                                                                   \
            n_failed++;                                                                  \
            (void)fprintf(stderr, "rank %d: %d: not so: %s\n", world, __LINE__, #what);  \
        }                                                                                \
    } while (0)

enum { TASKS = 36000, LARGE = 3, RANKS = 3 };

/* A third of the tasks in runs of rows, the rest one by one; three have large values. */
static int write_shard(struct shard *s, unsigned rank, struct gm_error *err)
{
    static unsigned char model[3000000];
    int rc = fixture_rank(s, rank, err);
    for (uint64_t i = rank; rc == 0 && i < TASKS; i += RANKS)
        rc = fixture_done(s, i, rank, err);
    for (unsigned i = 0; i < sizeof(model); i++)
        model[i] = (unsigned char)(i * 7 + i / 1000 + rank);
    for (uint64_t i = rank; rc == 0 && i < LARGE; i += RANKS) {
        struct result_commit c = fixture_commit(TASKS + i, rank, 1);
        rc = fixture_params(s, TASKS + i, err);
        rc |= fixture_value(
            s, TASKS + i, RESULT_OUTPUT, O_MODEL, GM_U8, 1, sizeof(model), 0, model, err);
        rc |= fixture_outputs(s, TASKS + i, 0, 0, err); /* its model comes too late */
        rc |= shard_commit(s, &c, err);
    }
    return rc == 0 && rank == RANKS - 1 ? fixture_commands(s, rank, err) : rc;
}

static void write_job(struct result_fixture *f, struct gm_error *err)
{
    for (unsigned r = 0; r < RANKS; r++) {
        struct shard *s = NULL;
        EXPECT(shard_create(f->folder, r, &s, err) == 0);
        EXPECT(write_shard(s, r, err) == 0);
        EXPECT(shard_close(s, err) == 0);
    }
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static int pack_as(struct result_fixture *f,
                   const char *file,
                   bool gzip,
                   bool sharded,
                   struct gm_error *err)
{
    struct pack_options opt = {.folder = f->folder,
                               .file = file,
                               .complete = true,
                               .end = 2000.25,
                               .outcome = "done",
                               .gzip = gzip,
                               .sharded = sharded};
    struct pack_mpi with = {.comm = MPI_COMM_WORLD, .lost = never};
    return pack_mpi(&opt, &with, err);
}

static void hash_of(const char *path, char ret[65])
{
    struct gm_error err = {0};
    AUTO(reader) r = NULL;
    EXPECT(reader_open(path, &r, &err) == 0 && hash_results(r, ret, &err) == 0);
    if (err.code != 0)
        (void)fprintf(stderr, "%s\n", err.text);
}

static void same_in_every_form(struct result_fixture *f, const char *dir)
{
    static const struct {
        const char *name;
        bool gzip, sharded;
    } forms[] = {
        {"team.h5", false, false}, {"gzip.h5", true, false}, {"sharded.h5", false, true}};
    char folder[65], alone[65], hash[65];
    struct gm_error err = {0};
    struct str path = {0};
    str_printf(&path, "%s/alone.h5", dir);
    if (world == 0) {
        struct pack_options opt = {.folder = f->folder,
                                   .file = path.text,
                                   .complete = true,
                                   .end = 2000.25,
                                   .outcome = "done"};
        EXPECT(pack_run(&opt, &err) == 0);
        hash_of(f->folder, folder);
        hash_of(path.text, alone);
        EXPECT(strcmp(folder, alone) == 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        str_clear(&path);
        str_printf(&path, "%s/%s", dir, forms[i].name);
        err.code = 0;
        EXPECT(pack_as(f, path.text, forms[i].gzip, forms[i].sharded, &err) == 0);
        if (err.code != 0)
            (void)fprintf(stderr, "%s: %s\n", forms[i].name, err.text);
        MPI_Barrier(MPI_COMM_WORLD);
        if (world == 0) {
            hash_of(path.text, hash);
            EXPECT(strcmp(hash, alone) == 0);
        }
    }
    str_free(&path);
}

/* Every member hears of one member's failure; nothing is left. */
static void a_member_that_fails(struct result_fixture *f, const char *dir)
{
    struct gm_error err = {0};
    struct str path = {0};
    str_printf(&path, "%s/nowhere/x.h5", dir);
    EXPECT(pack_as(f, path.text, false, false, &err) == -ENOENT);
    EXPECT(strstr(err.text, "No such file") != NULL);
    str_free(&path);
}

/* Every member has the system's own reason, and only the shards are left; wherever it is
 * that the disk is full. */
static void
a_full_disk(struct result_fixture *f, const char *dir, const char *size, bool sharded)
{
    int mounted = 0;
    struct gm_error err = {0};
    struct str path = {0};
    struct str file = {0};
    str_printf(&path, "%s/small", dir);
    str_printf(&file, "%s/x.h5", path.text);
    if (world == 0)
        mounted = (mkdir(path.text, 0755) == 0 || errno == EEXIST) &&
                  mount("none", path.text, "tmpfs", 0, size) == 0;
    MPI_Bcast(&mounted, 1, MPI_INT, 0, MPI_COMM_WORLD);
    if (mounted) {
        EXPECT(pack_as(f, file.text, false, sharded, &err) == -ENOSPC);
        EXPECT(strstr(err.text, "No space left on device") != NULL);
        MPI_Barrier(MPI_COMM_WORLD);
        EXPECT(!file_exists(file.text));
        str_printf(&file, ".tmp");
        EXPECT(!file_exists(file.text));
    }
    if (world == 0 && mounted)
        EXPECT(umount2(path.text, MNT_DETACH) == 0);
    if (world == 0 && !mounted)
        (void)fprintf(stderr, "a full disk was not tried: no tmpfs can be mounted\n");
    str_free(&file);
    str_free(&path);
}

static bool at_once(void *ctx)
{
    (void)ctx;
    return true;
}

/* A rank that does not come: the others give up, and rank 0 packs alone. */
static void a_member_that_is_lost(struct result_fixture *f, const char *dir)
{
    struct gm_error err = {0};
    struct str path = {0};
    MPI_Comm comm;
    str_printf(&path, "%s/lost.h5", dir);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    struct pack_options opt = {.folder = f->folder, .file = path.text};
    struct pack_mpi with = {.comm = comm, .lost = at_once};
    if (n_ranks > 1 && world != n_ranks - 1) {
        int rc = pack_mpi(&opt, &with, &err);
        EXPECT(rc == (world == 0 ? 0 : -EOWNERDEAD));
        EXPECT(world != 0 || file_exists(path.text));
    }
    str_free(&path);
    MPI_Barrier(MPI_COMM_WORLD);
}

/* Rank 0 gives chunks no place, as with an HDF5 that hands them to its driver otherwise:
 * it packs alone. */
static void no_place_for_chunks(struct result_fixture *f, const char *dir)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct gm_error err = {0};
    struct str path = {0};
    char hash[2][65] = {"", ""};
    unsigned long pages = 0;
    struct rlimit before, less;
    FILE *own = fopen("/proc/self/statm", "re");
    EXPECT(own != NULL && fscanf(own, "%lu", &pages) == 1 && fclose(own) == 0);
    EXPECT(getrlimit(RLIMIT_AS, &before) == 0);
    less = before;
    less.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (48u << 20);
    str_printf(&path, "%s/no-place.h5", dir);
    if (world == 0)
        EXPECT(setrlimit(RLIMIT_AS, &less) == 0);
    EXPECT(pack_as(f, path.text, false, false, &err) == 0);
    EXPECT(setrlimit(RLIMIT_AS, &before) == 0);
    EXPECT(n_ranks == 1 || world == 0 ||
           strstr(err.text, "no address space for a chunk") != NULL);
    if (world == 0) {
        hash_of(f->folder, hash[0]);
        hash_of(path.text, hash[1]);
        EXPECT(strcmp(hash[0], hash[1]) == 0);
    }
    str_free(&path);
    MPI_Barrier(MPI_COMM_WORLD);
#else
    (void)f;
    (void)dir;
#endif
}

/* A shard that only one member sees: rank 0 packs alone what it sees itself. */
static void not_the_same_shards(struct result_fixture *f, const char *dir)
{
    struct gm_error err = {0};
    struct str path = {0};
    str_printf(&path, "%s/less.h5", dir);
    struct pack_mpi with = {.comm = MPI_COMM_WORLD, .lost = never};
    struct pack_options opt = {.folder = f->folder, .file = path.text};
    struct str other = {0};
    str_printf(&other, "%s.other", f->folder); /* the same, less a shard */
    struct str others_shards = {0};
    str_printf(&others_shards, "%s/shards/000", other.text);
    if (world == 0) {
        EXPECT(file_make_folders(others_shards.text, &err) == 0);
        const char *const names[] = {
            "job.h5", "shards/000/rank-000000.h5", "shards/000/rank-000001.h5"};
        for (unsigned i = 0; i < 3; i++) {
            struct str from = {0};
            struct str to = {0};
            str_printf(&from, "%s/%s", f->folder, names[i]);
            str_printf(&to, "%s/%s", other.text, names[i]);
            EXPECT(link(from.text, to.text) == 0);
            str_free(&from);
            str_free(&to);
        }
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (n_ranks > 1 && world == n_ranks - 1)
        opt.folder = other.text;
    EXPECT(pack_mpi(&opt, &with, &err) == 0);
    EXPECT(n_ranks == 1 || world == 0 || strstr(err.text, "the same shards") != NULL);
    if (world == 0) {
        char hash[2][65];
        hash_of(f->folder, hash[0]);
        hash_of(path.text, hash[1]);
        EXPECT(strcmp(hash[0], hash[1]) == 0);
    }
    str_free(&path);
    str_free(&other);
    str_free(&others_shards);
    MPI_Barrier(MPI_COMM_WORLD);
}

/* One byte of a value that several members have a part of. */
static void a_value_that_is_damaged(struct result_fixture *f, const char *dir)
{
    struct gm_error err = {0};
    struct str path = {0};
    str_printf(&path, "%s/shards/000/rank-000001.h5", f->folder);
    if (world == 0) { /* 1,000 bytes of the large value's middle, wherever that lies */
        AUTO_FREE(char) all = NULL;
        size_t len = 0;
        unsigned char want[8];
        for (unsigned i = 0; i < 8; i++)
            want[i] = (unsigned char)((1500000 + i) * 7 + (1500000 + i) / 1000 + 1);
        EXPECT(file_read(path.text, 1u << 30, &all, &len, &err) == 0);
        const char *at = memmem(all, len, want, 8);
        EXPECT(at != NULL);
        AUTO_FD fd = open(path.text, O_WRONLY);
        EXPECT(at != NULL && pwrite(fd, "damaged!", 8, at - all) == 8);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    str_clear(&path);
    str_printf(&path, "%s/damaged.h5", dir);
    EXPECT(pack_as(f, path.text, false, false, &err) == 0);
    if (err.code != 0 && err.code != -EBADMSG)
        (void)fprintf(stderr, "damaged: %s\n", err.text);
    if (world == 0) {
        AUTO(reader) r = NULL;
        struct reader_task t;
        struct reader_value v = {0};
        EXPECT(reader_open(path.text, &r, &err) == 0);
        for (uint64_t i = 0; r != NULL && i < TASKS + LARGE; i++) {
            EXPECT(reader_task(r, 0, i, &t, &err) == 0);
            EXPECT(t.status == (i == TASKS + 1 ? RESULT_FAILED : RESULT_DONE));
        }
        EXPECT(reader_task(r, 0, TASKS + 1, &t, &err) == 0 && t.reason == RESULT_DAMAGED);
        EXPECT(reader_value(r, 0, TASKS + 1, RESULT_MESSAGE, 0, &v, &err) == 0);
        EXPECT(v.data != NULL && strstr(v.data, "model: damaged:") != NULL &&
               strstr(v.data, "rank-000001.h5") != NULL);
        free(v.data);
    }
    str_free(&path);
}

int main(int argc, char **argv)
{
    struct result_fixture f;
    struct gm_error err = {0};
    char dir[256] = "/dev/shm/gridmill-pack-XXXXXX"; /* a disk syncs for seconds */
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &world);
    MPI_Comm_size(MPI_COMM_WORLD, &n_ranks);
    if (argc > 1)
        (void)snprintf(dir, sizeof(dir), "%s", argv[1]);
    else if (world == 0)
        EXPECT(mkdtemp(dir) != NULL);
    MPI_Bcast(dir, sizeof(dir), MPI_CHAR, 0, MPI_COMM_WORLD);
    struct str s = {0};
    if (world == 0) {
        fixture_make(&f, dir, TASKS + LARGE, RANKS);
        write_job(&f, &err);
    }
    str_printf(&s, "%s/fixture.h5.gm", dir);
    f.folder = world == 0 ? f.folder : s.text;
    MPI_Barrier(MPI_COMM_WORLD);
    same_in_every_form(&f, dir);
    a_member_that_fails(&f, dir);
    a_full_disk(&f, dir, "size=5m", false);
    a_full_disk(&f, dir, "size=5m", true);
    a_full_disk(&f, dir, "size=1m", false);
    a_full_disk(&f, dir, "size=64k", false);
    a_full_disk(&f, dir, "size=8k", true);
    no_place_for_chunks(&f, dir);
    not_the_same_shards(&f, dir);
    a_member_that_is_lost(&f, dir);
    a_value_that_is_damaged(&f, dir);
    int all = 0;
    MPI_Allreduce(&n_failed, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (world == 0) {
        (void)printf("pack on %d ranks: %s\n", n_ranks, all == 0 ? "as alone" : "FAILED");
        if (argc <= 1)
            (void)file_remove_tree(dir, NULL);
        fixture_drop(&f);
    }
    str_free(&s);
    MPI_Finalize();
    return all != 0;
}
