/* See tmpdir.h. Invariant: `path` is a folder that we made, or NULL; what a command made
 * of it (moved it away, took its permissions, put a link in its place) costs that folder
 * and no other file. */
#include "tmpdir.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

struct tmpdir {
    char *job, *last;
    char *path;
    DIR *dir;
    struct stat made;       /* as it was when it was seen empty */
    double seen_at, handed; /* then; and when a command got it (monotonic s) */
};

/* A change of the folder after so many seconds shows in its time of modification,
 * whatever clock the file system keeps that by. */
static const double TICK = 0.05;

static int make_in(struct tmpdir *t, const char *parent)
{
    struct str path = {0};
    str_printf(&path, "%s/gridmill-%s.XXXXXX", parent, t->job);
    if (mkdtemp(path.text) != NULL) {
        t->dir = opendir(path.text);
        if (t->dir != NULL && fstat(dirfd(t->dir), &t->made) == 0) {
            t->path = str_steal(&path);
            t->seen_at = clock_monotonic();
            return 0;
        }
        (void)rmdir(path.text);
    }
    int rc = -errno;
    str_free(&path);
    return rc;
}

static int make(struct tmpdir *t, struct gm_error *err)
{
    const char *ours = getenv("TMPDIR");
    int rc = ours != NULL && ours[0] == '/' ? make_in(t, ours) : -ENOENT;
    if (rc < 0)
        rc = make_in(t, "/tmp");
    if (rc < 0)
        rc = make_in(t, t->last);
    if (rc < 0)
        return gm_fail(err,
                       rc,
                       "no private folder for commands in TMPDIR, /tmp or %s: %s",
                       t->last,
                       strerror(-rc));
    return 0;
}

int tmpdir_make(const char *job,
                const char *last,
                struct tmpdir **ret,
                struct gm_error *err)
{
    struct tmpdir *t = xcalloc(1, sizeof(*t));
    t->job = xstrdup(job);
    t->last = xstrdup(last);
    int rc = make(t, err);
    if (rc < 0)
        tmpdir_free(t);
    else
        *ret = t;
    return rc;
}

const char *tmpdir_path(const struct tmpdir *t)
{
    return t->path;
}

/* A folder that its owner may not enter cannot be emptied. */
static int open_up(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)ftw;
    if (kind == FTW_D || kind == FTW_DNR)
        (void)chmod(path, st->st_mode | S_IRWXU);
    return 0;
}

static bool has_entries(struct tmpdir *t)
{
    unsigned n = 0;
    rewinddir(t->dir);
    while (n <= 2 && readdir(t->dir) != NULL)
        n++;
    return n != 2;
}

/* It is as it was made: there, empty, with its permissions. */
static bool untouched(struct tmpdir *t)
{
    struct stat now;
    const struct timespec *m = &now.st_mtim, *before = &t->made.st_mtim;
    if (lstat(t->path, &now) != 0 || now.st_ino != t->made.st_ino ||
        now.st_dev != t->made.st_dev || now.st_mode != t->made.st_mode)
        return false;
    if (m->tv_sec == before->tv_sec && m->tv_nsec == before->tv_nsec &&
        t->handed > t->seen_at + TICK)
        return true;
    if (has_entries(t))
        return false;
    t->made = now;
    t->seen_at = clock_monotonic();
    return true;
}

static void drop(struct tmpdir *t)
{
    if (t->path == NULL)
        return;
    (void)closedir(t->dir);
    if (file_remove_tree(t->path, NULL) < 0) {
        (void)nftw(t->path, open_up, 16, FTW_PHYS);
        (void)file_remove_tree(t->path, NULL);
    }
    free(t->path);
    t->path = NULL;
}

int tmpdir_empty(struct tmpdir *t, struct gm_error *err)
{
    int rc = 0;
    if (t->path == NULL || !untouched(t)) {
        drop(t);
        rc = make(t, err);
    }
    t->handed = clock_monotonic();
    return rc;
}

void tmpdir_free(struct tmpdir *t)
{
    if (t == NULL)
        return;
    drop(t);
    free(t->job);
    free(t->last);
    free(t);
}
