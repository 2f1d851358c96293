/* See resume.h. Invariant: no folder that is there is written to here: who resumes takes
 * its lock (folder_resume) and looks again whether the run is still unfinished. */
#include "resume.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"
#include "folder.h"
#include "result/committed.h"
#include "result/reader.h"
#include "result/unpack.h"
#include "same.h"

/* "x.h5" of "x.h5", of "x.h5.gm" and of "x.h5.gm/", as an absolute path; yours to free.
 */
static char *results_path(const char *given)
{
    char *path = file_absolute(NULL, given);
    size_t n = strlen(path);
    if (n > 3 && strcmp(path + n - 3, ".gm") == 0)
        path[n - 3] = '\0';
    return path;
}

/* The id of the launch that packed FILE; "" when it is no results file. */
static void packed_id(const char *results, char ret[64])
{
    AUTO(reader) r = NULL;
    ret[0] = '\0';
    if (!file_exists(results) || reader_open(results, &r, NULL) != 0)
        return;
    const char *id = reader_job_text(r, "id");
    if (reader_is_packed(r) && id != NULL)
        (void)snprintf(ret, 64, "%s", id);
}

struct left {        /* tasks of FILE */
    uint64_t failed; /* or skipped for one that did */
    uint64_t open;   /* not over: FILE was packed of a run that went on, or was cut off */
};

static int count_left(const char *results, struct left *ret, struct gm_error *err)
{
    AUTO(committed) c = NULL;
    struct left left = {0};
    int rc = committed_load(results, &c, err);
    for (unsigned i = 0; rc == 0 && i < c->n_stages; i++) {
        const struct committed_stage *s = &c->stages[i];
        uint64_t failed = taskset_count(s->failed) + taskset_count(s->skipped);
        left.failed += failed;
        left.open += s->n_tasks - taskset_count(s->done) - failed;
    }
    *ret = left;
    return rc;
}

/* 0: there is something to run again of FILE, which is packed. */
static int check_left(const char *results, bool failed, struct gm_error *err)
{
    struct left left;
    int rc = count_left(results, &left, err);
    if (rc < 0 || left.open > 0 || (failed && left.failed > 0))
        return rc;
    if (left.failed == 0)
        return gm_fail(err,
                       -EALREADY,
                       "%s: is whole, there is nothing to resume: no task of it has "
                       "failed",
                       results);
    return gm_fail(err,
                   -EALREADY,
                   "%s: is whole, there is nothing to resume (its failed tasks run "
                   "again with --failed)",
                   results);
}

/* All that a job folder holds, in one that is ours and has not its name yet. */
static int fill_unpacked(const char *results, const char *folder, struct gm_error *err)
{
    AUTO(reader) r = NULL;
    AUTO_STR path = {0};
    str_printf(&path, "%s/plan.json", folder);
    int rc = reader_open(results, &r, err);
    const char *plan = rc == 0 ? reader_job_text(r, "plan") : NULL;
    if (rc == 0 && plan == NULL)
        rc = gm_fail(err, -EINVAL, "%s: holds no plan to resume", results);
    if (rc == 0)
        rc = file_write(path.text, plan, strlen(plan), err);
    return rc == 0 ? unpack_run(results, folder, err) : rc;
}

/* A job that is packed, and some of whose tasks shall run, or run again: FILE stays until
 * the next pack replaces it. The folder gets its name once it is whole. */
static int unpack(const char *results, const char *folder, struct gm_error *err)
{
    AUTO_STR tmp = {0};
    AUTO_FD lock = -1;
    str_printf(&tmp, "%s.unpacked", folder);
    int rc = folder_claim(tmp.text, &lock, err);
    if (rc < 0)
        return rc;
    rc = fill_unpacked(results, tmp.text, err);
    if (rc == 0 && rename(tmp.text, folder) != 0)
        rc = errno == ENOTEMPTY || errno == EEXIST
                 ? gm_fail(err, -EBUSY, "%s: another run has just begun there", folder)
                 : gm_fail(err, -errno, "%s: %s", folder, strerror(errno));
    if (rc < 0)
        (void)file_remove_tree(tmp.text, NULL);
    return rc;
}

static int find_folder(const char *results, bool failed, char **ret, struct gm_error *err)
{
    AUTO_STR folder = {0};
    str_printf(&folder, "%s.gm", results);
    bool packed = file_exists(results), there = file_exists(folder.text);
    int rc = 0;
    if (!there && !packed)
        return gm_fail(err,
                       -ENOENT,
                       "%s: no such results, and no unfinished run %s",
                       results,
                       folder.text);
    if (!there)
        rc = check_left(results, failed, err);
    if (rc == 0 && !there)
        rc = unpack(results, folder.text, err);
    if (rc == 0)
        *ret = str_steal(&folder);
    return rc;
}

/* Killed while it went, after the pack; or before there was anything to run. */
static int
no_plan(const char *folder, const char *results, bool failed, struct gm_error *err)
{
    char id[64];
    packed_id(results, id);
    if (id[0] == '\0')
        return gm_fail(err,
                       -ENOENT,
                       "%s: has no plan.json, so there is no run to go on with: start it "
                       "with gridmill run",
                       folder);
    return gm_fail(err,
                   -EALREADY,
                   "%s: is whole, %s: %s is left over and can be removed",
                   results,
                   failed ? "and its folder is in the way of another run of its tasks"
                          : "there is nothing to resume",
                   folder);
}

/* failed: of a file that is whole, too. */
static int load_plan(const char *folder,
                     const char *results,
                     bool failed,
                     struct plan **ret,
                     struct gm_error *err)
{
    AUTO(plan) plan = NULL;
    AUTO_STR path = {0};
    char id[64];
    str_printf(&path, "%s/plan.json", folder);
    if (!file_exists(path.text))
        return no_plan(folder, results, failed, err);
    int rc = plan_load(path.text, &plan, err);
    if (rc < 0)
        return rc;
    packed_id(results, id);
    struct left left = {.open = 1};
    if (!failed && strcmp(id, plan->id) == 0)
        rc = count_left(results, &left, err);
    if (rc == 0 && left.open == 0) /* killed before the folder was removed */
        rc = gm_fail(err,
                     -EALREADY,
                     "%s: is whole, there is nothing to resume: %s is left over and "
                     "can be removed",
                     results,
                     folder);
    if (rc == 0)
        *ret = steal(&plan);
    return rc;
}

/* An input that was only written again has another date, and is still the same. */
static int check_source(struct jobspec_source *s, struct arena *a, struct gm_error *err)
{
    struct gm_error why = {0};
    if (engine_unchanged(s, &why) == 0)
        return 0;
    struct jobspec_source now = {.written = s->written};
    int rc = engine_look(NULL, s->path, s->unit, a, &now, err);
    now.path = s->path;
    if (rc == 0 && s->sha256[0] == '\0')
        rc = gm_fail(err, -EINVAL, "%s", why.text);
    if (rc == 0)
        rc = same_sources(s, 1, &now, 1, err);
    if (rc == 0) {
        s->size = now.size;
        s->mtime_ns = now.mtime_ns;
    }
    return rc < 0 ? -EINVAL : 0;
}

static int parse(const struct plan *plan,
                 const char *const *sets,
                 unsigned n_sets,
                 const struct jobspec_source *known,
                 struct jobspec **ret,
                 struct jobspec_faults *faults,
                 struct gm_error *err)
{
    struct jobspec_options opt = {.look = engine_look,
                                  .known = known,
                                  .n_known = plan->n_sources,
                                  .sets = sets,
                                  .n_sets = n_sets,
                                  .document = plan->document,
                                  .dir = plan->dir};
    opt.kernels = engine_kernels(&opt.n_kernels);
    opt.plugin_path = engine_plugin_path();
    return jobspec_parse(plan->file, plan->text, plan->text_len, &opt, ret, faults, err);
}

/* The run's own changes, where the results are by now, and what is asked for today. */
static const char **all_sets(struct arena *a,
                             const struct plan *plan,
                             const struct resume_request *req,
                             const char *results,
                             unsigned *ret_n)
{
    const char **sets =
        arena_alloc(a, (size_t)plan->n_sets + req->n_sets + 1, sizeof(*sets));
    unsigned n = 0;
    for (unsigned i = 0; i < plan->n_sets; i++)
        sets[n++] = plan->sets[i];
    if (strcmp(results, plan->results) != 0) {
        AUTO_JSON quoted = {0};
        json_string(&quoted, results);
        sets[n++] = arena_printf(a, "results.file=%s", str_text(&quoted.out));
    }
    for (unsigned i = 0; i < req->n_sets; i++)
        sets[n++] = req->sets[i];
    *ret_n = n;
    return sets;
}

static int load_spec(const struct resume_request *req,
                     const char *results,
                     const struct plan *plan,
                     struct jobspec **ret,
                     struct jobspec_faults *faults,
                     struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    AUTO(jobspec) before = NULL;
    AUTO(jobspec) now = NULL;
    struct jobspec_source *known = arena_alloc(a, plan->n_sources, sizeof(*known));
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < plan->n_sources; i++) {
        known[i] = plan->sources[i];
        rc = check_source(&known[i], a, err);
    }
    if (rc == 0)
        rc = parse(plan, plan->sets, plan->n_sets, known, &before, faults, err);
    if (rc < 0)
        return rc;
    jobspec_faults_free(faults);
    *faults = (struct jobspec_faults){0};
    unsigned n_sets;
    const char **sets = all_sets(a, plan, req, results, &n_sets);
    rc = parse(plan, sets, n_sets, known, &now, faults, err);
    if (rc == 0)
        rc = same_job(before, now, err);
    if (rc == 0)
        rc = jobspec_check_runnable(now, err);
    if (rc == 0)
        *ret = steal(&now);
    return rc;
}

int resume_load(const struct resume_request *req,
                struct resume *ret,
                struct jobspec_faults *faults,
                struct gm_error *err)
{
    AUTO_FREE(char) results = results_path(req->results);
    AUTO_FREE(char) folder = NULL;
    AUTO(plan) plan = NULL;
    struct jobspec *spec = NULL;
    int rc = find_folder(results, req->failed, &folder, err);
    if (rc == 0)
        rc = load_plan(folder, results, req->failed, &plan, err);
    if (rc == 0)
        rc = load_spec(req, results, plan, &spec, faults, err);
    if (rc == 0)
        *ret = (struct resume){.plan = steal(&plan),
                               .spec = spec,
                               .folder = steal(&folder),
                               .again = req->failed};
    return rc;
}

int resume_find(const struct jobspec *spec, struct resume *ret, struct gm_error *err)
{
    struct resume_request req = {.results = spec->results};
    struct jobspec_faults faults = {0};
    struct resume found = {0};
    AUTO_STR folder = {0};
    str_printf(&folder, "%s.gm", spec->results);
    if (!file_exists(folder.text))
        return gm_fail(err, -ENOENT, "%s: no unfinished run is there", spec->results);
    int rc = resume_load(&req, &found, &faults, err);
    jobspec_faults_free(&faults);
    if (rc == 0)
        rc = same_job(found.spec, spec, err);
    if (rc == 0)
        rc = same_sources(found.spec->sources,
                          found.spec->n_sources,
                          spec->sources,
                          spec->n_sources,
                          err);
    if (rc == 0)
        *ret = found;
    else
        resume_clear(&found);
    return rc;
}

int resume_check_plan(const struct plan *before,
                      const struct plan *now,
                      struct gm_error *err)
{
    bool same = before->n_seated == now->n_seated;
    for (unsigned i = 0; same && i < now->n_seated; i++)
        same = before->seated[i] == now->seated[i];
    if (same)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "%s: the job would be of another number of tasks here than the "
                   "unfinished run is: give it as many slots as then",
                   now->results);
}

void resume_number(const struct plan *before, bool again, struct plan *now)
{
    now->launch = before->launch + 1;
    now->again = again;
    now->began = before->began;
}

void resume_clear(struct resume *r)
{
    plan_free(r->plan);
    jobspec_free(r->spec);
    free(r->folder);
    *r = (struct resume){0};
}
