/* See follow.h. Invariant: FILE is believed over its folder only where no run has the
 * folder, and the folder holds no other launch than FILE's own. */
#include "follow.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "held.h"
#include <sys/stat.h>

#define PATIENCE 2.0 /* s that a run without its lock has */
#define FAILURES 5u  /* looks that may fail one after the other: files come and go */

struct follow {
    char *file, *folder;
    struct scan *scan;
    enum follow_state state;
    struct stat where; /* of the folder at the last look; st_ino 0: it was not there */
    bool went_on;      /* a run had it when we looked */
    double free_since; /* clock_monotonic; 0: a run has it */
    unsigned n_failures;
};

static void drop_scan(struct follow *f)
{
    scan_close(f->scan);
    f->scan = NULL;
}

static bool there(const struct follow *f, const char *name)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/%s", f->folder, name);
    return file_exists(path.text);
}

/* Ranks may pack on when the run that started them is dead. They take their lock without
 * waiting, so nobody else may try it. */
static bool packs_here(const struct follow *f)
{
    AUTO_STR packing = {0};
    str_printf(&packing, "%s/packing", f->folder);
    return held_here(packing.text);
}

static bool is_held(const struct follow *f)
{
    AUTO_STR lock = {0};
    str_printf(&lock, "%s/lock", f->folder);
    return held(lock.text) || packs_here(f);
}

static struct stat look(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        st = (struct stat){0};
    return st;
}

/* The shards, once there are any. */
static int read_folder(struct follow *f, struct gm_error *err)
{
    struct scan *s = NULL;
    if (f->scan != NULL && scan_job(f->scan)->packed)
        drop_scan(f);
    int rc = f->scan != NULL ? scan_turn(f->scan, err) : -ESTALE;
    if (rc == -ESTALE) {
        rc = scan_open(f->folder, &s, err);
        if (rc != 0)
            return rc == -ENOENT ? 0 : rc;
        drop_scan(f);
        f->scan = s;
    }
    return rc;
}

static int read_file(struct follow *f, struct gm_error *err)
{
    struct scan *s = NULL;
    if (f->scan != NULL && scan_job(f->scan)->packed)
        return 0;
    int rc = scan_open(f->file, &s, err);
    if (rc != 0)
        return rc;
    drop_scan(f);
    f->scan = s;
    return 0;
}

static bool all_over(const struct scan_job *job)
{
    for (unsigned i = 0; i < job->n_stages; i++) {
        const struct scan_stage *s = &job->stages[i];
        if (s->done + s->failed + s->skipped < s->n_tasks)
            return false;
    }
    return true;
}

/* FILE and the folder are there, and no run has it: is FILE made of that folder? Then the
 * run was killed between its pack and its end; else a run of the failed tasks was. */
static bool is_of_folder(const struct follow *f)
{
    AUTO(scan) packed = NULL;
    if (!there(f, "plan.json"))
        return true; /* what is left of a folder that was being removed */
    return f->scan != NULL && scan_open(f->file, &packed, NULL) == 0 &&
           strcmp(scan_job(packed)->id, scan_job(f->scan)->id) == 0;
}

static int look_at_folder(struct follow *f, struct gm_error *err)
{
    double now = clock_monotonic();
    if (is_held(f)) {
        f->went_on = true;
        f->free_since = 0;
    } else if (f->free_since <= 0) {
        f->free_since = now;
    }
    bool goes_on = f->free_since <= 0 || (f->went_on && now < f->free_since + PATIENCE);
    int rc = read_folder(f, err);
    if (rc != 0)
        return rc;
    if (goes_on && f->scan == NULL)
        f->state = FOLLOW_STARTING;
    else if (goes_on)
        f->state = all_over(scan_job(f->scan)) ? FOLLOW_PACKING : FOLLOW_RUNNING;
    else if (!file_exists(f->file) || !is_of_folder(f))
        f->state = there(f, "plan.json") ? FOLLOW_STOPPED
                   : f->went_on          ? FOLLOW_GONE
                                         : FOLLOW_NOTHING;
    else if ((rc = read_file(f, err)) == 0)
        f->state = FOLLOW_OVER;
    return rc;
}

static int look_at_file(struct follow *f, struct gm_error *err)
{
    double now = clock_monotonic();
    int rc = 0;
    if (file_exists(f->file)) {
        rc = read_file(f, err);
        if (rc == 0)
            f->state = FOLLOW_OVER;
        return rc;
    }
    f->free_since = f->free_since > 0 ? f->free_since : now;
    if (f->state == FOLLOW_NOTHING || now < f->free_since + PATIENCE)
        return 0;
    f->state = FOLLOW_GONE;
    return 0;
}

int follow_turn(struct follow *f, struct gm_error *err)
{
    struct stat now = look(f->folder);
    bool another = now.st_ino != f->where.st_ino || now.st_dev != f->where.st_dev;
    if (another && now.st_ino != 0) /* of one that went, what was seen is kept */
        drop_scan(f);
    f->where = now;
    int rc = now.st_ino != 0 ? look_at_folder(f, err) : look_at_file(f, err);
    f->n_failures = rc == 0 ? 0 : f->n_failures + 1;
    if (rc == 0 || !f->went_on || f->n_failures >= FAILURES)
        return rc;
    /* A folder is removed under our eyes, a launch makes its head: look again. */
    f->state = f->state == FOLLOW_NOTHING ? FOLLOW_STARTING : f->state;
    return 0;
}

bool follow_moved(const struct follow *f)
{
    struct stat now = look(f->folder);
    return now.st_ino != f->where.st_ino || now.st_dev != f->where.st_dev;
}

int follow_open(const char *file, struct follow **ret, struct gm_error *err)
{
    AUTO(follow) f = xcalloc(1, sizeof(*f));
    AUTO_STR name = {0}, folder = {0};
    str_add(&name, file);
    while (name.len > 1 && name.text[name.len - 1] == '/')
        name.text[--name.len] = '\0';
    if (name.len > 3 && strcmp(name.text + name.len - 3, ".gm") == 0)
        name.text[name.len -= 3] = '\0';
    str_printf(&folder, "%s.gm", str_text(&name));
    f->file = str_steal(&name);
    f->folder = str_steal(&folder);
    int rc = follow_turn(f, err);
    if (rc == 0)
        *ret = steal(&f);
    return rc;
}

void follow_close(struct follow *f)
{
    if (f == NULL)
        return;
    drop_scan(f);
    free(f->file);
    free(f->folder);
    free(f);
}

enum follow_state follow_state(const struct follow *f)
{
    return f->state;
}

const char *follow_state_name(enum follow_state s)
{
    static const char *const names[] = {[FOLLOW_NOTHING] = "waiting",
                                        [FOLLOW_STARTING] = "starting",
                                        [FOLLOW_RUNNING] = "running",
                                        [FOLLOW_PACKING] = "packing",
                                        [FOLLOW_STOPPED] = "stopped",
                                        [FOLLOW_OVER] = "over",
                                        [FOLLOW_GONE] = "gone"};
    return names[s];
}

bool follow_goes_on(const struct follow *f)
{
    return f->state == FOLLOW_STARTING || f->state == FOLLOW_RUNNING ||
           f->state == FOLLOW_PACKING;
}

const char *follow_file(const struct follow *f)
{
    return f->file;
}

const struct scan_job *follow_job(const struct follow *f)
{
    return f->scan != NULL ? scan_job(f->scan) : NULL;
}

enum engine_exit follow_exit(const struct follow *f)
{
    const struct scan_job *job = follow_job(f);
    if (f->state == FOLLOW_NOTHING)
        return ENGINE_USAGE;
    if (f->state != FOLLOW_OVER || !all_over(job))
        return ENGINE_INCOMPLETE;
    for (unsigned i = 0; i < job->n_stages; i++) {
        if (job->stages[i].failed + job->stages[i].skipped > 0)
            return ENGINE_TASK_FAILED;
    }
    return ENGINE_DONE;
}

const char *follow_outcome(const struct follow *f)
{
    enum engine_exit code = follow_exit(f);
    return code == ENGINE_DONE          ? "done"
           : code == ENGINE_TASK_FAILED ? "failed"
                                        : "incomplete";
}
