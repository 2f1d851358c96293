/* The files of a folder or of a pattern, as one data source (files.h). Invariant: the
 * list is sorted by name, bytewise, whatever the locale and the file system; the digest
 * covers names and contents, not where they lie. */
#include "files.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "result/hash.h"
#include <dirent.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MOST_FILES = 100000 };

struct names {
    char **items;
    size_t n;
};

static void names_free(struct names *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->items[i]);
    free(all->items);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int64_t mtime_of(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* The regular files of `dir` whose name matches, sorted. */
static int
read_folder(const char *dir, const char *pattern, struct names *ret, struct gm_error *err)
{
    DIR *d = opendir(dir);
    int rc = 0;
    if (d == NULL)
        return gm_fail(err, -errno, "%s: %s", dir, strerror(errno));
    for (struct dirent *e = readdir(d); rc == 0 && e != NULL; e = readdir(d)) {
        struct stat st;
        AUTO_STR path = {0};
        str_printf(&path, "%s/%s", dir, e->d_name);
        if (fnmatch(pattern, e->d_name, FNM_PERIOD) != 0 || stat(path.text, &st) != 0 ||
            !S_ISREG(st.st_mode))
            continue;
        if ((ret->n & (ret->n - 1)) == 0)
            ret->items =
                xrealloc(ret->items, ret->n == 0 ? 1 : 2 * ret->n, sizeof(*ret->items));
        ret->items[ret->n++] = str_steal(&path);
        if (ret->n > MOST_FILES)
            rc = gm_fail(
                err, -EFBIG, "%s/%s: more than %d files", dir, pattern, (int)MOST_FILES);
    }
    (void)closedir(d);
    if (rc == 0 && ret->n > 0)
        qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
    return rc;
}

/* A folder's files, or those that the last part of the path matches. */
static int list(const char *path, struct names *ret, struct gm_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return read_folder(path, "*", ret, err);
    AUTO_FREE(char) dir = file_dirname(path);
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    if (stat(dir, &st) != 0 && strpbrk(dir, "*?[") != NULL)
        return gm_fail(err,
                       -EINVAL,
                       "%s: a pattern may stand in the last part of a path only",
                       path);
    int rc = read_folder(dir, last, ret, err);
    if (rc == 0 && ret->n == 0)
        return gm_fail(err, -ENOENT, "%s: no such files", path);
    return rc;
}

static int
measure(const struct names *all, struct jobspec_source *s, struct gm_error *err)
{
    s->size = 0;
    s->mtime_ns = 0;
    s->rows = all->n;
    for (size_t i = 0; i < all->n; i++) {
        struct stat st;
        if (stat(all->items[i], &st) != 0)
            return gm_fail(err, -errno, "%s: %s", all->items[i], strerror(errno));
        int64_t mtime = mtime_of(&st);
        s->size += (uint64_t)st.st_size;
        s->mtime_ns = mtime > s->mtime_ns ? mtime : s->mtime_ns;
    }
    return 0;
}

static int digest(const struct names *all, char ret[65], struct gm_error *err)
{
    AUTO_STR text = {0};
    for (size_t i = 0; i < all->n; i++) {
        char hex[65];
        int rc = hash_file(all->items[i], hex, err);
        if (rc != 0)
            return rc;
        str_printf(&text, "%s  %s\n", hex, strrchr(all->items[i], '/') + 1);
    }
    hash_bytes(str_text(&text), text.len, ret);
    return 0;
}

int files_look(const char *path,
               struct arena *a,
               struct jobspec_source *ret,
               struct gm_error *err)
{
    struct names all = {0};
    struct jobspec_source found = *ret;
    found.unit = GM_FILES;
    int rc = list(path, &all, err);
    if (rc == 0)
        rc = measure(&all, &found, err);
    if (rc == 0)
        rc = digest(&all, found.sha256, err);
    if (rc == 0) {
        const char **files = arena_alloc(a, all.n, sizeof(*files));
        for (size_t i = 0; i < all.n; i++)
            files[i] = arena_strdup(a, all.items[i]);
        found.files = files;
        *ret = found;
    }
    names_free(&all);
    return rc;
}

static bool same_files(const struct names *all, const struct jobspec_source *s)
{
    if (all->n != s->rows)
        return false;
    for (size_t i = 0; i < all->n; i++) {
        if (strcmp(all->items[i], s->files[i]) != 0)
            return false;
    }
    return true;
}

static int changed(const char *path, struct gm_error *err)
{
    return gm_fail(err, -EINVAL, "%s has changed since the job was planned", path);
}

static int files_unchanged(const struct jobspec_source *s, struct gm_error *err)
{
    struct names all = {0};
    struct jobspec_source now = {0};
    int rc = list(s->path, &all, err);
    if (rc == 0)
        rc = measure(&all, &now, err);
    if (rc == 0 &&
        (!same_files(&all, s) || now.size != s->size || now.mtime_ns != s->mtime_ns))
        rc = changed(s->path, err);
    names_free(&all);
    return rc;
}

int engine_unchanged(const struct jobspec_source *s, struct gm_error *err)
{
    const char *dataset = strstr(s->path, ":/");
    struct stat st;
    AUTO_STR path = {0};
    if (s->files != NULL)
        return files_unchanged(s, err);
    str_add_n(
        &path, s->path, dataset != NULL ? (size_t)(dataset - s->path) : strlen(s->path));
    if (stat(path.text, &st) != 0)
        return gm_fail(err, -errno, "%s: %s", path.text, strerror(errno));
    if ((uint64_t)st.st_size != s->size || mtime_of(&st) != s->mtime_ns)
        return changed(path.text, err);
    return 0;
}
