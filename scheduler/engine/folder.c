/* See folder.h. Invariant: whoever has the lock of FILE.gm owns FILE, FILE.tmp and all in
 * the folder; nothing of an earlier run is moved before that lock is held. */
#include "folder.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "result/again.h"
#include "result/fence.h"
#include "result/parts.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Seconds that ranks of a launch that was lost have to finish their pack. */
static const double pack_limit = 10, pack_limit_of_lost = 60;

struct folder {
    char *path;
    int lock;
    bool resumed; /* an earlier run made it */
};

static int fail(struct gm_error *err, const char *path)
{
    int code = -errno;
    return gm_fail(err, code, "%s: %s", path, strerror(-code));
}

static int lock_failure(int fd, const char *path, const char *name, struct gm_error *err)
{
    if (errno != EWOULDBLOCK)
        return fail(err, name);
    char owner[64] = "";
    ssize_t n = read(fd, owner, sizeof(owner) - 1);
    owner[n > 0 ? strcspn(owner, "\n") : 0] = '\0';
    return gm_fail(
        err,
        -EBUSY,
        "%s: a run that is going on writes there%s%s: wait for its end, or give "
        "other --results",
        path,
        owner[0] != '\0' ? ", " : "",
        owner);
}

/* Was the file moved or removed while we waited for its lock? */
static bool is_another(int fd, const char *name)
{
    struct stat ours, there;
    return fstat(fd, &ours) != 0 || stat(name, &there) != 0 ||
           ours.st_ino != there.st_ino || ours.st_dev != there.st_dev;
}

/* A look whether it is held (held.h) may hold it for an instant, a run for longer. */
static bool lock_now(int fd)
{
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK || i == 3)
            return false;
        clock_sleep(0.005);
    }
    return true;
}

/* Takes PATH/lock without waiting. -EBUSY: another run has it. */
static int take_lock(const char *path, int *ret, struct gm_error *err)
{
    AUTO_STR name = {0};
    str_printf(&name, "%s/lock", path);
    AUTO_FD fd = open(name.text, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 && errno != ENOENT)
        return fail(err, name.text);
    if (fd >= 0 && !lock_now(fd))
        return lock_failure(fd, path, name.text, err);
    if (fd < 0 || is_another(fd, name.text))
        return gm_fail(
            err, -EBUSY, "%s: another run has just begun or ended there", path);
    *ret = fd;
    fd = -1;
    return 0;
}

static int
make_owned(const char *path, bool *ret_there, int *ret_lock, struct gm_error *err)
{
    *ret_there = false;
    if (mkdir(path, 0777) == 0)
        return take_lock(path, ret_lock, err);
    *ret_there = errno == EEXIST;
    return *ret_there ? 0 : fail(err, path);
}

int folder_claim(const char *path, int *ret_lock, struct gm_error *err)
{
    bool there;
    AUTO_FD left = -1; /* the lock of what a killed one left */
    int rc = make_owned(path, &there, ret_lock, err);
    if (rc != 0 || !there)
        return rc;
    rc = take_lock(path, &left, err);
    if (rc == 0)
        rc = file_remove_tree(path, err);
    if (rc == 0)
        rc = make_owned(path, &there, ret_lock, err);
    return rc == 0 && there
               ? gm_fail(err, -EBUSY, "%s: another run has just begun there", path)
               : rc;
}

/* The results file must not be there, unless it may be moved. */
static int check_results(const char *file, bool force, struct gm_error *err)
{
    struct stat st;
    if (lstat(file, &st) != 0)
        return errno == ENOENT ? 0 : fail(err, file);
    if (S_ISDIR(st.st_mode))
        return gm_fail(err, -EISDIR, "%s: is a folder: name a file with --results", file);
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) /* a device must never be moved */
        return gm_fail(
            err, -EINVAL, "%s: is no regular file: give other --results", file);
    if (!force)
        return gm_fail(err,
                       -EEXIST,
                       "%s: results are there already: --force moves them to %s.old, "
                       "--results FILE writes elsewhere",
                       file,
                       file);
    return 0;
}

static int check_parent(const char *file, struct gm_error *err)
{
    AUTO_FREE(char) dir = file_dirname(file);
    struct stat st;
    if (stat(dir, &st) != 0)
        return gm_fail(err,
                       -errno,
                       "%s: %s: make the folder, or give other --results",
                       dir,
                       strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return gm_fail(err, -ENOTDIR, "%s: is no folder: give other --results", dir);
    if (access(dir, W_OK | X_OK) != 0) {
        int code = -errno;
        return gm_fail(err,
                       code,
                       "%s: %s: results cannot be written there, give other --results",
                       dir,
                       strerror(-code));
    }
    return 0;
}

static bool holds(const char *path, const char *name)
{
    AUTO_STR all = {0};
    str_printf(&all, "%s/%s", path, name);
    return file_exists(all.text);
}

/* FILE.gm.old goes only when it is one of ours: somebody's own folder may be called so.
 */
static int check_old_folder(const char *old, struct gm_error *err)
{
    if (!file_exists(old) || holds(old, "lock"))
        return 0;
    return gm_fail(
        err,
        -EEXIST,
        "%s: is in the way, and no job folder: move it, or give other --results",
        old);
}

/* All that a run has written that was killed before its plan was there. */
static bool drop_unbegun(const char *path)
{
    static const char *const names[] = {"plan.json.tmp", "lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        AUTO_STR all = {0};
        str_printf(&all, "%s/%s", path, names[i]);
        (void)unlink(all.text);
    }
    return rmdir(path) == 0;
}

/* 0: there was no run, and the folder went. */
static int refuse_folder(const char *path, struct gm_error *err)
{
    if (holds(path, "plan.json"))
        return gm_fail(
            err,
            -EEXIST,
            "%s: an unfinished run is there: gridmill resume %.*s goes on with it, "
            "gridmill result show reads it, --force moves it to %s.old and starts over",
            path,
            (int)(strlen(path) - strlen(".gm")),
            path,
            path);
    if (drop_unbegun(path))
        return 0;
    return gm_fail(err,
                   -EEXIST,
                   "%s: is left over from a run that was over, for it has no plan.json: "
                   "remove it",
                   path);
}

/* What an earlier run left: refused, or (force) moved to FILE.gm.old once its lock is
 * ours. */
static int clear_folder(const char *path, bool force, struct gm_error *err)
{
    if (!file_exists(path))
        return 0;
    if (!force && !holds(path, "lock") && !holds(path, "plan.json"))
        return gm_fail(err,
                       -EEXIST,
                       "%s: is in the way, and no job folder: move it, or give other "
                       "--results",
                       path);
    AUTO_FD lock = -1;
    int rc = take_lock(path, &lock, err);
    if (rc != 0)
        return rc;
    if (!force)
        return refuse_folder(path, err);
    AUTO_STR old = {0};
    str_printf(&old, "%s.old", path);
    rc = check_old_folder(old.text, err);
    if (rc == 0)
        rc = file_remove_tree(old.text, err);
    return rc != 0 || rename(path, old.text) == 0 ? rc : fail(err, old.text);
}

/* FILE.old of an earlier --force is replaced, with the parts that it is made of; rename
 * refuses to replace a folder. */
static int move_results(const char *file, struct gm_error *err)
{
    AUTO_STR old = {0};
    str_printf(&old, "%s.old", file);
    AUTO_FREE(char) before = parts_of(old.text, file);
    if (rename(file, old.text) != 0)
        return errno == ENOENT ? 0 : fail(err, old.text);
    AUTO_FREE(char) now = before != NULL ? parts_of(old.text, file) : NULL;
    if (before != NULL && (now == NULL || strcmp(before, now) != 0))
        (void)file_remove_tree(before, NULL);
    return 0;
}

static int fill(const struct folder *f, const struct plan *plan, struct gm_error *err)
{
    AUTO_STR name = {0};
    char owner[64];
    int n = snprintf(owner, sizeof(owner), "process %ld\n", (long)getpid());
    if (ftruncate(f->lock, 0) != 0 || pwrite(f->lock, owner, (size_t)n, 0) != n)
        return fail(err, f->path);
    str_printf(&name, "%s/plan.json", f->path);
    AUTO_FREE(char) text = plan_format(plan);
    return file_write(name.text, text, strlen(text), err);
}

int folder_open(const struct plan *plan,
                bool force,
                struct folder **ret,
                struct gm_error *err)
{
    int rc = check_results(plan->results, force, err);
    if (rc == 0)
        rc = check_parent(plan->results, err);
    if (rc == 0)
        rc = clear_folder(plan->folder, force, err);
    if (rc != 0)
        return rc;
    if (mkdir(plan->folder, 0777) != 0)
        return errno == EEXIST ? gm_fail(err,
                                         -EBUSY,
                                         "%s: another run has just started there",
                                         plan->folder)
                               : fail(err, plan->folder);
    AUTO(folder) f = xcalloc(1, sizeof(*f));
    f->path = xstrdup(plan->folder);
    f->lock = -1;
    rc = take_lock(f->path, &f->lock, err);
    if (rc == 0)
        rc = move_results(plan->results, err);
    if (rc == 0)
        rc = fill(f, plan, err);
    if (rc != 0) {
        if (f->lock >= 0) /* else somebody was quicker, and it is theirs */
            (void)file_remove_tree(f->path, NULL);
        return rc;
    }
    *ret = steal(&f);
    return 0;
}

/* Waits until no rank packs; *ret is the lock that keeps it so. -EALREADY: the folder
 * went.
 */
static int await_packing(const char *path, double limit, int *ret, struct gm_error *err)
{
    static const double nap = 0.05;
    AUTO_STR name = {0};
    AUTO_STR plan = {0};
    str_printf(&name, "%s/packing", path);
    str_printf(&plan, "%s/plan.json", path);
    AUTO_FD fd = open(name.text, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(err, name.text);
    for (double until = clock_monotonic() + limit; flock(fd, LOCK_EX | LOCK_NB) != 0;
         clock_sleep(nap)) {
        if (errno != EWOULDBLOCK)
            return fail(err, name.text);
        if (clock_monotonic() > until)
            return gm_fail(err,
                           -EBUSY,
                           "%s: the ranks of its last launch still pack it: wait for "
                           "their end",
                           path);
    }
    if (!file_exists(plan.text))
        return gm_fail(err, -EALREADY, "%s: the run was finished meanwhile", path);
    *ret = fd;
    fd = -1;
    return 0;
}

/* From here on the ranks of earlier launches commit and pack no more. */
static int
take_over(struct folder *f, const struct plan *plan, double limit, struct gm_error *err)
{
    AUTO_FD packing = -1;
    AUTO_STR token = {0};
    AUTO_STR head = {0};
    int rc = await_packing(f->path, limit, &packing, err);
    if (rc == 0 && strcmp(f->path, plan->folder) != 0) {
        if (rename(f->path, plan->folder) != 0)
            return errno == EXDEV
                       ? gm_fail(err,
                                 -EXDEV,
                                 "%s: is on another file system than %s: give --results "
                                 "on the same one, or move that folder there first",
                                 plan->results,
                                 f->path)
                       : fail(err, plan->folder);
        free(f->path);
        f->path = xstrdup(plan->folder);
    }
    if (rc < 0)
        return rc;
    str_printf(&token, "%s/token", f->path);
    rc = file_write(token.text, plan->id, strlen(plan->id), err);
    str_printf(&head, "%s/job.h5", f->path);
    if (rc == 0 && file_exists(head.text)) /* else no rank has come to its first task */
        rc = fence_all(f->path, err);
    if (rc == 0 && plan->again)
        rc = again_write(f->path, plan->launch, err);
    return rc == 0 ? fill(f, plan, err) : rc;
}

/* Another name for the results: nothing may stand there. */
static int check_move(const struct plan *plan, struct gm_error *err)
{
    int rc = check_results(plan->results, false, err);
    if (rc == 0 && file_exists(plan->folder))
        rc = gm_fail(
            err, -EEXIST, "%s: is in the way: give other --results", plan->folder);
    return rc == 0 ? check_parent(plan->results, err) : rc;
}

int folder_resume(const struct plan *plan,
                  const char *from,
                  struct folder **ret,
                  struct gm_error *err)
{
    AUTO(folder) f = xcalloc(1, sizeof(*f));
    f->path = xstrdup(from);
    f->lock = -1;
    f->resumed = true;
    int rc = strcmp(from, plan->folder) != 0 ? check_move(plan, err) : 0;
    if (rc == 0)
        rc = take_lock(from, &f->lock, err);
    if (rc == 0)
        rc = take_over(f, plan, pack_limit, err);
    if (rc == 0)
        *ret = steal(&f);
    return rc;
}

int folder_again(struct folder *f, const struct plan *plan, struct gm_error *err)
{
    if (!file_exists(f->path))
        return gm_fail(err, -EALREADY, "%s: the run was finished meanwhile", f->path);
    return take_over(f, plan, pack_limit_of_lost, err);
}

int folder_remove(struct folder *f, struct gm_error *err)
{
    AUTO_STR plan = {0};
    str_printf(&plan, "%s/plan.json", f->path);
    (void)unlink(plan.text); /* first: a folder without it is no run */
    return file_remove_tree(f->path, err);
}

void folder_drop(struct folder *f)
{
    if (!f->resumed)
        (void)file_remove_tree(f->path, NULL);
}

void folder_close(struct folder *f)
{
    if (f == NULL)
        return;
    if (f->lock >= 0)
        (void)close(f->lock);
    free(f->path);
    free(f);
}
