/* What a data source is: size, date, digest, and its rows, lines or bytes. Invariant: a
 * source that is accepted here can be read by the ranks, as far as one look tells: a
 * small table is read whole (NaN, words, ragged rows), a large one has its rows counted.
 * A file is hashed and read once a job, in how many ways the job may speak of it. */
#include "base/auto.h"
#include "base/memory.h"
#include "engine.h"
#include "files.h"
#include "kernels/io/lines.h"
#include "kernels/io/table.h"
#include "result/hash.h"
#include "result/reader.h"
#include <sys/stat.h>

enum {
    CHECK_MOST = 64 << 20 /* bytes of a file whose every number is looked at */
};

struct seen {
    char *path;
    uint32_t unit; /* what rows counts */
    uint64_t size, rows;
    char sha256[65];
};

struct looks {
    struct seen *items;
    size_t n;
};

struct looks *looks_make(void)
{
    return xcalloc(1, sizeof(struct looks));
}

void looks_free(struct looks *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i].path);
    free(l->items);
    free(l);
}

/* "F.h5:/DATASET" -> the length of "F.h5"; a plain path -> its whole length. */
static size_t file_part(const char *path)
{
    const char *colon = strstr(path, ":/");
    return colon != NULL && colon > path ? (size_t)(colon - path) : strlen(path);
}

/* Whether a plain path that nobody counts is a table all the same. The kernels read it as
 * one; its name is all that tells here. */
static bool named_as_table(const char *path)
{
    static const char *const ends[] = {
        ".csv", ".csv.gz", ".npy", ".npy.gz", "ubyte", "ubyte.gz", ".idx", ".idx.gz"};
    size_t len = strlen(path);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(ends[i]);
        if (len > n && strcmp(path + len - n, ends[i]) == 0)
            return true;
    }
    return path[file_part(path)] != '\0';
}

static int
table_look(const char *path, uint64_t size, uint64_t *ret, struct gm_error *err)
{
    if (path[file_part(path)] != '\0') /* opened in a process of its own */
        return reader_table_rows(path, ret, err);
    if (size > CHECK_MOST)
        return table_rows(path, ret, err);
    struct table t = {0};
    int rc = table_read(path, 0, TABLE_ALL, &t, err);
    if (rc == 0)
        *ret = t.rows;
    table_free(&t);
    return rc;
}

static int
count(const char *path, uint32_t unit, uint64_t size, uint64_t *ret, struct gm_error *err)
{
    switch (unit) {
    case 0:
        return named_as_table(path) ? table_look(path, size, ret, err) : 0;
    case JOBSPEC_KERNEL:
        return 0;
    case GM_LINES:
        return lines_count(path, ret, err);
    case GM_BYTES:
        *ret = size;
        return 0;
    case GM_ROWS:
        return table_look(path, size, ret, err);
    default:
        return gm_fail(err, -EINVAL, "%s: no way to count unit %u", path, unit);
    }
}

/* Rows of a table count for unit 0 and GM_ROWS alike. */
static uint32_t same_count(const char *path, uint32_t unit)
{
    return unit == 0 && named_as_table(path) ? (uint32_t)GM_ROWS : unit;
}

static struct seen *find(const struct looks *l, const char *path, const struct stat *st)
{
    for (size_t i = 0; l != NULL && i < l->n; i++) {
        struct seen *s = &l->items[i];
        if (strcmp(s->path, path) == 0 && s->size == (uint64_t)st->st_size)
            return s;
    }
    return NULL;
}

static void
remember(struct looks *l, const char *path, const struct jobspec_source *s, uint64_t rows)
{
    if (l == NULL)
        return;
    l->items = xrealloc(l->items, l->n + 1, sizeof(*l->items));
    struct seen *to = &l->items[l->n++];
    *to = (struct seen){.path = xstrdup(path),
                        .unit = same_count(path, s->unit),
                        .size = s->size,
                        .rows = rows};
    memcpy(to->sha256, s->sha256, sizeof(to->sha256));
}

int engine_look(void *ctx,
                const char *path,
                uint32_t unit,
                struct arena *a,
                struct jobspec_source *ret,
                struct gm_error *err)
{
    if (unit == GM_FILES)
        return files_look(path, a, ret, err);
    AUTO_FREE(char) file = xstrdup(path);
    file[file_part(path)] = '\0';
    struct stat st;
    if (stat(file, &st) != 0)
        return gm_fail(err, -errno, "%s: %s", file, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return gm_fail(err, -EINVAL, "%s: is no regular file", file);
    const struct seen *before = find(ctx, path, &st);
    struct jobspec_source found = *ret;
    found.unit = unit;
    found.size = (uint64_t)st.st_size;
    found.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    uint64_t rows = 0;
    int rc = 0;
    if (before != NULL && before->unit == same_count(path, unit))
        rows = before->rows;
    else
        rc = count(path, unit, found.size, &rows, err);
    if (rc == 0 && before != NULL)
        memcpy(found.sha256, before->sha256, sizeof(found.sha256));
    else if (rc == 0)
        rc = hash_file(file, found.sha256, err);
    if (rc != 0)
        return rc;
    found.rows = unit == 0 ? 0 : rows;
    if (before == NULL)
        remember(ctx, path, &found, rows);
    *ret = found;
    return 0;
}
