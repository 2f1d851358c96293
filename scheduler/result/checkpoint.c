/* See checkpoint.h. A file is a head, records (each with its data, padded to 8 bytes) and
 * a tail with the length of all and a CRC-32C over all before it: nothing of a file that
 * was cut off, or in which a bit differs, is believed. */
#include "checkpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "crc.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <sys/stat.h>

static const char MAGIC[8] = {'G', 'M', 'C', 'H', 'K', 'P', 'T', '1'};

struct file_head {
    char magic[8];
    uint64_t task, set, step;
    uint8_t digest[CHECKPOINT_DIGEST];
    uint32_t stage, rank, n_ranks, reserved;
};

struct file_record {
    uint32_t kind, index, dtype, ndim;
    uint64_t dims[GM_MAX_DIMS];
    uint64_t nbytes;
};

struct file_tail {
    uint64_t nbytes; /* of the file */
    uint32_t reserved, crc;
};

_Static_assert(sizeof(struct file_head) == 80 && sizeof(struct file_record) == 88 &&
                   sizeof(struct file_tail) == 16,
               "the file's layout");

struct checkpoint_file {
    struct checkpoint_head head;
    char *folder, *path; /* path: the temporary name */
    int fd;
    uint32_t crc;
    uint64_t nbytes;
};

uint64_t checkpoint_set(uint32_t launch, uint32_t rank, uint64_t count)
{
    return (uint64_t)(launch + 1) << 48 | (uint64_t)(rank & 0xffffff) << 24 |
           (count & 0xffffff);
}

void checkpoint_digest(const char *const *texts,
                       unsigned n,
                       uint8_t ret[CHECKPOINT_DIGEST])
{
    crypto_hash_sha256_state state;
    (void)crypto_hash_sha256_init(&state);
    for (unsigned i = 0; i < n; i++)
        (void)crypto_hash_sha256_update(
            &state, (const unsigned char *)texts[i], strlen(texts[i]) + 1);
    (void)crypto_hash_sha256_final(&state, ret);
}

/* "0-17" of a group's first rank, "0-17.SET.RANK" of another. */
static void add_name(struct str *to, const struct checkpoint_head *h)
{
    str_printf(to, "%" PRIu32 "-%" PRIu64, h->stage, h->task);
    if (h->rank > 0)
        str_printf(to, ".%" PRIx64 ".%" PRIu32, h->set, h->rank);
}

static void add_path(struct str *to, const char *folder, const struct checkpoint_head *h)
{
    str_printf(to, "%s/checkpoints/", folder);
    add_name(to, h);
}

static int fail(struct gm_error *err, const char *path)
{
    int code = errno > 0 ? -errno : -EIO;
    return gm_fail(err, code, "%s: %s", path, strerror(-code));
}

static int
add(struct checkpoint_file *f, const void *data, size_t n, struct gm_error *err)
{
    const char *from = data;
    f->crc = crc_extend(f->crc, data, n);
    f->nbytes += n;
    while (n > 0) {
        ssize_t did = write(f->fd, from, n);
        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return fail(err, f->path);
        from += did;
        n -= (size_t)did;
    }
    return 0;
}

static void destroy(struct checkpoint_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd);
    free(f->folder);
    free(f->path);
    free(f);
}

void checkpoint_drop(struct checkpoint_file *f)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        (void)unlink(f->path);
    destroy(f);
}

static struct file_head head_of(const struct checkpoint_head *h)
{
    struct file_head d = {.task = h->task,
                          .set = h->set,
                          .step = h->step,
                          .stage = h->stage,
                          .rank = h->rank,
                          .n_ranks = h->n_ranks};
    memcpy(d.magic, MAGIC, sizeof(d.magic));
    memcpy(d.digest, h->digest, sizeof(d.digest));
    return d;
}

int checkpoint_create(const char *folder,
                      const struct checkpoint_head *head,
                      struct checkpoint_file **ret,
                      struct gm_error *err)
{
    AUTO_STR path = {0};
    AUTO(checkpoint_file) f = xcalloc(1, sizeof(*f));
    str_printf(&path, "%s/checkpoints", folder);
    f->fd = -1;
    if (mkdir(path.text, 0777) < 0 && errno != EEXIST)
        return fail(err, path.text);
    str_printf(&path,
               "/.%" PRIu32 "-%" PRIu64 ".%" PRIx64 ".%" PRIu32 ".tmp",
               head->stage,
               head->task,
               head->set,
               head->rank);
    f->head = *head;
    f->folder = xstrdup(folder);
    f->path = str_steal(&path);
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (f->fd < 0)
        return fail(err, f->path);
    struct file_head d = head_of(head);
    int rc = add(f, &d, sizeof(d), err);
    if (rc == 0)
        *ret = steal(&f);
    return rc;
}

int checkpoint_put(struct checkpoint_file *f,
                   const struct result_record *r,
                   struct gm_error *err)
{
    static const char padding[8] = {0};
    struct file_record d = {.kind = r->kind,
                            .index = r->index,
                            .dtype = r->dtype,
                            .ndim = r->ndim,
                            .nbytes = r->nbytes};
    memcpy(d.dims, r->dims, sizeof(d.dims));
    int rc = add(f, &d, sizeof(d), err);
    if (rc == 0)
        rc = add(f, r->data, r->nbytes, err);
    return rc == 0 ? add(f, padding, -r->nbytes & 7, err) : rc;
}

/* A name is on the disk when its folder is. */
static int sync_folder(const char *folder, struct gm_error *err)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/checkpoints", folder);
    AUTO_FD fd = open(path.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
        return fail(err, path.text);
    return 0;
}

static int give_name(struct checkpoint_file *f, struct gm_error *err)
{
    AUTO_STR path = {0};
    add_path(&path, f->folder, &f->head);
    if (fsync(f->fd) < 0 || rename(f->path, path.text) < 0)
        return fail(err, f->path);
    (void)close(f->fd);
    f->fd = -1;
    return sync_folder(f->folder, err);
}

int checkpoint_keep(struct checkpoint_file *f,
                    struct checkpoint_seal *ret,
                    struct gm_error *err)
{
    struct file_tail tail = {.nbytes = f->nbytes + sizeof(tail)};
    tail.crc = crc_extend(f->crc, &tail, offsetof(struct file_tail, crc));
    struct checkpoint_seal seal = {.nbytes = tail.nbytes, .crc = tail.crc};
    int rc = add(f, &tail, sizeof(tail), err);
    if (rc == 0)
        rc = give_name(f, err);
    if (rc == 0)
        *ret = seal;
    checkpoint_drop(f);
    return rc;
}

int checkpoint_read(const char *folder,
                    const struct checkpoint_head *which,
                    char **ret,
                    size_t *ret_len,
                    struct gm_error *err)
{
    AUTO_STR path = {0};
    struct stat st;
    size_t len = 0;
    add_path(&path, folder, which);
    AUTO_FD fd = open(path.text, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(err, path.text);
    AUTO_FREE(char) bytes = malloc((size_t)st.st_size + 1);
    if (bytes == NULL)
        return fail(err, path.text);
    while (len < (size_t)st.st_size) {
        ssize_t n = read(fd, bytes + len, (size_t)st.st_size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, path.text);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret = steal(&bytes);
    *ret_len = len;
    return 0;
}

static int check_whole(const char *bytes, size_t len, struct gm_error *err)
{
    struct file_tail tail;
    if (len < sizeof(struct file_head) + sizeof(tail) || len % 8 != 0 ||
        memcmp(bytes, MAGIC, sizeof(MAGIC)) != 0)
        return gm_fail(err, -EINVAL, "the file is no checkpoint, or only a part of one");
    memcpy(&tail, bytes + len - sizeof(tail), sizeof(tail));
    if (tail.nbytes != len || tail.crc != crc_extend(0, bytes, len - sizeof(tail.crc)))
        return gm_fail(err, -EINVAL, "the file is damaged: its checksum does not match");
    return 0;
}

static int check_head(const struct file_head *d,
                      const struct checkpoint_head *want,
                      struct gm_error *err)
{
    bool other = d->stage != want->stage || d->task != want->task ||
                 d->rank != want->rank || (want->rank > 0 && d->set != want->set) ||
                 d->n_ranks == 0 || d->rank >= d->n_ranks;
    if (other)
        return gm_fail(err, -EINVAL, "the file is of another task or save");
    if (memcmp(d->digest, want->digest, sizeof(d->digest)) != 0)
        return gm_fail(err,
                       -EINVAL,
                       "the file was written for other parameters or by another build");
    return 0;
}

/* The records of [at, end), into ret when it is given; how many, or -EINVAL. */
static int take_records(const char *at, const char *end, struct result_record *ret)
{
    int n = 0;
    for (; at < end; n++) {
        struct file_record d;
        if ((size_t)(end - at) < sizeof(d))
            return -EINVAL;
        memcpy(&d, at, sizeof(d));
        at += sizeof(d);
        uint64_t room = (uint64_t)(end - at);
        if (d.ndim > GM_MAX_DIMS || d.nbytes > room || (d.nbytes + 7) / 8 * 8 > room)
            return -EINVAL;
        if (ret != NULL) {
            ret[n] = (struct result_record){.kind = d.kind,
                                            .index = d.index,
                                            .dtype = d.dtype,
                                            .ndim = d.ndim,
                                            .data = at,
                                            .nbytes = d.nbytes};
            memcpy(ret[n].dims, d.dims, sizeof(d.dims));
        }
        at += (d.nbytes + 7) / 8 * 8;
    }
    return n;
}

int checkpoint_parse(const void *bytes,
                     size_t len,
                     const struct checkpoint_head *want,
                     struct checkpoint *ret,
                     struct gm_error *err)
{
    struct file_head d;
    struct file_tail tail;
    const char *first = bytes;
    int rc = check_whole(first, len, err);
    if (rc < 0)
        return rc;
    const char *end = first + len - sizeof(tail);
    memcpy(&d, first, sizeof(d));
    memcpy(&tail, end, sizeof(tail));
    rc = check_head(&d, want, err);
    if (rc < 0)
        return rc;
    first += sizeof(d);
    int n = take_records(first, end, NULL);
    if (n < 0)
        return gm_fail(err, n, "the file is damaged: its records do not fit into it");
    struct checkpoint c = {.n = (unsigned)n,
                           .records = xcalloc((size_t)n + 1, sizeof(*c.records)),
                           .head = {.stage = d.stage,
                                    .rank = d.rank,
                                    .n_ranks = d.n_ranks,
                                    .task = d.task,
                                    .set = d.set,
                                    .step = d.step},
                           .seal = {.nbytes = len, .crc = tail.crc}};
    memcpy(c.head.digest, d.digest, sizeof(d.digest));
    (void)take_records(first, end, c.records);
    for (unsigned i = 0; i < c.n; i++) {
        c.records[i].stage = d.stage;
        c.records[i].task = d.task;
    }
    *ret = c;
    return 0;
}

void checkpoint_clear(struct checkpoint *c)
{
    free(c->records);
    *c = (struct checkpoint){0};
}

const struct result_record *
checkpoint_find(const struct checkpoint *c, uint32_t kind, uint32_t index)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (c->records[i].kind == kind && c->records[i].index == index)
            return &c->records[i];
    }
    return NULL;
}

bool checkpoint_any(const char *folder)
{
    AUTO_STR path = {0};
    const struct dirent *entry;
    bool found = false;
    str_printf(&path, "%s/checkpoints", folder);
    DIR *dir = opendir(path.text);
    while (!found && dir != NULL && (entry = readdir(dir)) != NULL)
        found = strchr(entry->d_name, '.') == NULL; /* "0-17" */
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

void checkpoint_remove(const char *folder, const struct checkpoint_head *which)
{
    AUTO_STR path = {0};
    add_path(&path, folder, which);
    (void)unlink(path.text);
}

void checkpoint_remove_ranks(const char *folder,
                             const struct checkpoint_head *set,
                             uint32_t n_ranks)
{
    struct checkpoint_head h = *set;
    for (h.rank = 1; h.rank < n_ranks; h.rank++)
        checkpoint_remove(folder, &h);
}

/* The set of STAGE-TASK, or 0: it is not there, or no checkpoint. */
static uint64_t set_of(const char *folder, uint32_t stage, uint64_t task)
{
    const struct checkpoint_head h = {.stage = stage, .task = task};
    struct file_head d;
    AUTO_STR path = {0};
    add_path(&path, folder, &h);
    AUTO_FD fd = open(path.text, O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0 && read(fd, &d, sizeof(d)) == (ssize_t)sizeof(d);
    return whole && memcmp(d.magic, MAGIC, sizeof(MAGIC)) == 0 ? d.set : 0;
}

/* NOLINTBEGIN(cert-err34-c): a number that is too large is nobody's. */
static bool is_left_over(const char *folder, const char *name, uint32_t launch)
{
    uint32_t stage, rank;
    uint64_t task, set;
    bool hidden = name[0] == '.';
    int n = sscanf(name + hidden,
                   "%" SCNu32 "-%" SCNu64 ".%" SCNx64 ".%" SCNu32,
                   &stage,
                   &task,
                   &set,
                   &rank);
    if (n != 4 || set >> 48 > launch) /* of this launch: launch + 1 */
        return false;
    return hidden || set_of(folder, stage, task) != set;
}
/* NOLINTEND(cert-err34-c) */

void checkpoint_sweep(const char *folder, uint32_t launch)
{
    AUTO_STR path = {0};
    const struct dirent *entry;
    str_printf(&path, "%s/checkpoints", folder);
    DIR *dir = opendir(path.text);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_left_over(folder, entry->d_name, launch))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL)
        (void)closedir(dir);
}
