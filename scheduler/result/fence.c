/* See fence.h. Invariant: a fence's name stands for a whole, synced file with one number,
 * from its first moment to its last: a name that is taken is refused, so of two that seal
 * at once one decides. */
#include "fence.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "listing.h"
#include "shards.h"
#include <fcntl.h>
#include <inttypes.h>

/* "commits N" and a newline, nothing else. */
static bool parse(const char *text, size_t len, uint64_t *ret)
{
    static const char word[] = "commits ";
    const char *number = text + sizeof(word) - 1;
    if (len < sizeof(word) || strncmp(text, word, sizeof(word) - 1) != 0 ||
        *number < '0' || *number > '9')
        return false;
    char *end;
    errno = 0;
    *ret = strtoull(number, &end, 10);
    return errno == 0 && strcmp(end, "\n") == 0;
}

int fence_of(const char *shard_path, uint64_t *ret_rows, struct gm_error *err)
{
    AUTO_FREE(char) path = listing_fence(shard_path);
    char text[64] = "";
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (n < 0) {
        int code = -errno;
        return gm_fail(err, code, "%s: %s", path, strerror(-code));
    }
    return parse(text, (size_t)n, ret_rows)
               ? 1
               : gm_fail(
                     err,
                     -EINVAL,
                     "%s: is damaged (not \"commits N\"), so nobody can say what of its "
                     "shard counts: without this file all of it does",
                     path);
}

static int failed(const char *path, struct gm_error *err)
{
    int code = -errno;
    return gm_fail(err, code, "%s: %s", path, strerror(-code));
}

static int write_synced(int fd, const char *path, uint64_t rows, struct gm_error *err)
{
    AUTO_STR text = {0};
    str_printf(&text, "commits %" PRIu64 "\n", rows);
    ssize_t n = write(fd, text.text, text.len);
    if (n >= 0 && (size_t)n < text.len)
        errno = ENOSPC;
    return n != (ssize_t)text.len || fsync(fd) != 0 ? failed(path, err) : 0;
}

/* The folder's entries, too; some file systems cannot sync a folder. */
static void sync_fences(const char *folder)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/fences", folder);
    AUTO_FD fd = open(path.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
}

static int seal(const char *shard, uint64_t rows, struct gm_error *err)
{
    AUTO_FREE(char) path = listing_fence(shard);
    AUTO_FREE(char) folder = file_dirname(path);
    AUTO_FREE(char) tmp = NULL;
    int rc = file_make_folders(folder, err);
    AUTO_FD fd = rc == 0 ? file_beside(path, &tmp, err) : -1;
    if (rc != 0 || fd < 0)
        return rc != 0 ? rc : fd;
    rc = write_synced(fd, path, rows, err);
    rc = rc == 0 ? file_take_name(tmp, path, err) : rc;
    if (rc != 0)
        (void)unlink(tmp);
    return rc == -EEXIST ? 0 : rc; /* somebody was earlier: that one holds */
}

/* Opens the shards (one alone, or all) and seals each as it was found; once is enough.
 */
static int seal_shards(const char *folder, const char *only, struct gm_error *err)
{
    struct head head = {0};
    struct shards *s = NULL;
    int rc = head_load_folder(folder, &head, err);
    if (rc != 0)
        return rc;
    rc = only != NULL ? shards_open_one(folder, only, &head, &s, err)
                      : shards_open(folder, &head, &s, err);
    unsigned n = rc == 0 ? shards_n_files(s) : 0;
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        uint64_t rows;
        const char *path = shards_file(s, i, &rows);
        rc = shards_fenced(s, i) ? 0 : seal(path, rows, err);
    }
    if (rc == 0 && n > 0)
        sync_fences(folder);
    shards_close(s);
    head_free(&head);
    return rc;
}

int fence_rank(const char *folder, unsigned rank, unsigned launch, struct gm_error *err)
{
    h5_begin();
    AUTO_FREE(char) path = listing_shard(folder, rank, launch);
    return seal_shards(folder, path, err);
}

int fence_all(const char *folder, struct gm_error *err)
{
    h5_begin();
    return seal_shards(folder, NULL, err);
}
