/* See tmpdir.h. Invariant: `path` is a folder that we made, or NULL; what a command made
 * of it (moved it away, took its permissions, put a link in its place) costs that folder
 * and no other file. */
#include "tmpdir.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PREFIX "gridmill-task-"

struct tmpdir {
    char *job, *last;
    char *path;
    DIR *dir;
    struct stat made;       /* as it was when it was seen empty */
    double seen_at, handed; /* first with its time; when a command got it (monotonic s) */
};

/* A change of the folder after so many seconds shows in its time of modification,
 * whatever clock the file system keeps that by. */
static const double TICK = 0.05;

/* A folder that its owner may not enter cannot be emptied. */
static int open_up(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)ftw;
    if (kind == FTW_D || kind == FTW_DNR)
        (void)chmod(path, st->st_mode | S_IRWXU);
    return 0;
}

static void remove_all(const char *path)
{
    if (file_remove_tree(path, NULL) == 0)
        return;
    (void)nftw(path, open_up, 16, FTW_PHYS);
    (void)file_remove_tree(path, NULL);
}

static void drop(struct tmpdir *t)
{
    if (t->path == NULL)
        return;
    remove_all(t->path);
    if (t->dir != NULL)
        (void)closedir(t->dir);
    free(t->path);
    t->path = NULL;
    t->dir = NULL;
}

/* Its lock says that its rank lives. */
static bool lock(struct tmpdir *t)
{
    struct stat now;
    t->dir = opendir(t->path);
    if (t->dir == NULL || fstat(dirfd(t->dir), &t->made) != 0)
        return false;
    if (flock(dirfd(t->dir), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false; /* it is just being swept; other errors: a file system without */
    return lstat(t->path, &now) == 0 && now.st_ino == t->made.st_ino;
}

static int make_in(struct tmpdir *t, const char *parent)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/" PREFIX "%s.XXXXXX", parent, t->job);
    if (mkdtemp(path.text) == NULL)
        return -errno;
    t->path = xstrdup(path.text);
    if (lock(t)) {
        t->seen_at = clock_monotonic();
        return 0;
    }
    int rc = errno != 0 ? -errno : -EAGAIN;
    drop(t);
    return rc;
}

/* As make_in names them, and nothing else that is called after us. */
static bool is_name(const char *name)
{
    size_t prefix = strlen(PREFIX);
    const char *dot = strrchr(name, '.');
    return strncmp(name, PREFIX, prefix) == 0 && dot != NULL && strlen(dot) == 7 &&
           dot > name + prefix;
}

/* What ranks that were killed left there: ours, and locked by nobody. */
static void sweep(const char *parent)
{
    DIR *dir = opendir(parent);
    const struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        struct stat st;
        if (!is_name(e->d_name))
            continue;
        AUTO_FD fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) != 0 || st.st_uid != geteuid() ||
            flock(fd, LOCK_EX | LOCK_NB) != 0)
            continue;
        AUTO_STR path = {0};
        str_printf(&path, "%s/%s", parent, e->d_name);
        remove_all(path.text);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static const char *parent_of_ours(void)
{
    const char *ours = getenv("TMPDIR");
    return ours != NULL && ours[0] == '/' ? ours : "/tmp";
}

static int make(struct tmpdir *t, struct gm_error *err)
{
    int rc = make_in(t, parent_of_ours());
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
    sweep(parent_of_ours());
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
    bool same = m->tv_sec == before->tv_sec && m->tv_nsec == before->tv_nsec;
    if (same && t->handed > t->seen_at + TICK)
        return true;
    if (has_entries(t))
        return false;
    t->made = now;
    if (!same)
        t->seen_at = clock_monotonic();
    return true;
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
