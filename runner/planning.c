/* See planning.h. Rank 0 alone reads the jobspec; the plan then travels as text and every
 * rank reads the same. Invariant: after each step all ranks agree, so none is left
 * waiting. */
#include "planning.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "class.h"
#include "engine/engine.h"
#include "engine/resume.h"
#include "engine/seats.h"
#include "gather.h"
#include "result/hash.h"
#include "spec/doc.h"
#include "token.h"
#include "verify.h"
#include <fcntl.h>
#include <inttypes.h>

enum { MOST_PLAN = 1 << 30 };

static void print_faults(const struct jobspec_faults *faults)
{
    for (size_t i = 0; i < faults->n; i++) {
        AUTO_FREE(char) text = jobspec_fault_format(faults, i);
        log_error("%s", text);
    }
}

/* Rank 0: the jobspec of a foreign launch, with every fault printed. */
static int
load_spec(const struct planning_request *req, struct jobspec **ret, struct gm_error *err)
{
    struct jobspec_faults faults = {0};
    struct jobspec_options opt = {
        .look = engine_look, .sets = req->sets, .n_sets = req->n_sets};
    opt.kernels = engine_kernels(&opt.n_kernels);
    opt.plugin_path = engine_plugin_path();
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    int rc = file_read(req->file, DOC_MAX_BYTES, &text, &len, err);
    if (rc == 0)
        rc = jobspec_parse_chosen(
            req->file, text, len, req->document, &opt, ret, &faults, err);
    if (rc < 0 && faults.n > 1)
        print_faults(&faults);
    if (rc < 0 && faults.n > 1)
        (void)gm_fail(err, rc, "%s: %zu faults", req->file, faults.n);
    jobspec_faults_free(&faults);
    return rc == 0 ? jobspec_check_runnable(*ret, err) : rc;
}

static void say_plan(const struct plan *plan)
{
    if (plan->oversubscribe)
        log_note("oversubscribed: some of the %u ranks share cores", plan->n_ranks);
    for (unsigned i = 0; i < plan->n_ranks && log_at() >= LOG_VERBOSE; i++)
        log_verbose("rank %u: %s, cpus %s: %s",
                    i,
                    plan->ranks[i].host,
                    plan->ranks[i].cpus,
                    plan->ranks[i].reason);
}

/* --resume: any number of ranks will do, whatever the job says. */
static int load_resumed(const struct planning_request *req,
                        struct jobspec **ret,
                        struct resume *found,
                        struct gm_error *err)
{
    struct jobspec_faults faults = {0};
    struct resume_request wanted = {.results = req->resume,
                                    .sets = req->sets,
                                    .n_sets = req->n_sets,
                                    .failed = req->failed};
    int rc = resume_load(&wanted, found, &faults, err);
    if (rc < 0 && faults.n > 1)
        print_faults(&faults);
    jobspec_faults_free(&faults);
    if (rc < 0)
        return rc;
    *ret = steal(&found->spec);
    if (!jobspec_seated(*ret))
        (*ret)->ranks = (*ret)->nodes = (*ret)->ranks_per_node = 0;
    return 0;
}

/* The job, and the unfinished run of it that is gone on with: the one that was named, or
 * what a batch job finds that Slurm has started again. */
static int load_job(const struct rank *r,
                    const struct planning_request *req,
                    struct jobspec **ret,
                    struct resume *found,
                    struct gm_error *err)
{
    if (req->resume != NULL)
        return load_resumed(req, ret, found, err);
    int rc = load_spec(req, ret, err);
    if (rc < 0 || r->alloc.restarts == 0 || req->force)
        return rc;
    rc = resume_find(*ret, found, err);
    return rc == -ENOENT || rc == -EALREADY ? 0 : rc;
}

static int take_folder(const struct planning_request *req,
                       const struct resume *found,
                       struct plan *plan,
                       struct folder **ret,
                       struct gm_error *err)
{
    if (found->plan == NULL) {
        plan->began = clock_unix();
        return folder_open(plan, req->force, ret, err);
    }
    int rc = resume_check_plan(found->plan, plan, err);
    resume_number(found->plan, found->again, plan);
    return rc == 0 ? folder_resume(plan, found->folder, ret, err) : rc;
}

/* Rank 0 of a foreign launch: the plan as text, and its folder. */
static int make_plan(const struct rank *r,
                     const struct planning_request *req,
                     const struct gather *machine,
                     struct planning *p,
                     char **ret_text,
                     struct gm_error *err)
{
    AUTO(jobspec) spec = NULL;
    AUTO(plan) plan = NULL;
    struct resume found = {0};
    int rc = load_job(r, req, &spec, &found, err);
    if (rc == 0)
        rc = gather_plan(machine, spec, (unsigned)r->n_ranks, &plan, err);
    if (rc == 0 && jobspec_seated(spec))
        rc = seats_check_folder(spec, err);
    if (rc == 0) {
        plan->end = engine_drain_time(spec);
        rc = take_folder(req, &found, plan, &p->folder, err);
    }
    resume_clear(&found);
    if (rc == 0) {
        say_plan(plan);
        *ret_text = plan_format(plan);
    }
    return rc;
}

static int rank0_text(const struct rank *r,
                      const struct planning_request *req,
                      const struct gather *machine,
                      struct planning *p,
                      char **ret,
                      size_t *ret_len,
                      struct gm_error *err)
{
    if (req->plan != NULL)
        return file_read(req->plan, MOST_PLAN, ret, ret_len, err);
    int rc = make_plan(r, req, machine, p, ret, err);
    *ret_len = rc == 0 ? strlen(*ret) : 0;
    return rc;
}

static int sources_unchanged(const struct plan *plan, struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; i < plan->n_sources && rc == 0; i++)
        rc = engine_unchanged(&plan->sources[i], err);
    return rc;
}

/* What is opened here is what rank 0 has looked at. */
static int plugins_same(const struct plan *plan, struct gm_error *err)
{
    char here[65] = "";
    int rc = 0;
    for (unsigned i = 0; i < plan->n_sources && rc == 0; i++) {
        const struct jobspec_source *s = &plan->sources[i];
        if (s->unit != JOBSPEC_KERNEL)
            continue;
        rc = hash_file(s->path, here, err);
        if (rc == 0 && strcmp(here, s->sha256) != 0)
            rc = gm_fail(err,
                         -EINVAL,
                         "%s: is another file than the one the job was planned with "
                         "(SHA-256 %.12s here, %.12s there): install one build of it on "
                         "all hosts",
                         s->path,
                         here,
                         s->sha256);
    }
    return rc;
}

static int read_plan(const struct rank *r,
                     const char *text,
                     size_t len,
                     struct planning *p,
                     struct gm_error *err)
{
    int rc = plan_parse("plan.json", text, len, &p->plan, err);
    if (rc < 0)
        return rc;
    if (p->plan->n_ranks != (unsigned)r->n_ranks)
        return gm_fail(err,
                       -EINVAL,
                       "the plan is for %u ranks, but %d were started",
                       p->plan->n_ranks,
                       r->n_ranks);
    rc = plugins_same(p->plan, err);
    if (rc < 0)
        return rc;
    struct jobspec_faults faults = {0};
    struct jobspec_options opt = {.known = p->plan->sources,
                                  .n_known = p->plan->n_sources,
                                  .sets = p->plan->sets,
                                  .n_sets = p->plan->n_sets,
                                  .document = p->plan->document,
                                  .seated = p->plan->seated,
                                  .n_seated = p->plan->n_seated,
                                  .dir = p->plan->dir};
    opt.kernels = engine_kernels(&opt.n_kernels);
    rc = jobspec_parse(
        p->plan->file, p->plan->text, p->plan->text_len, &opt, &p->spec, &faults, err);
    jobspec_faults_free(&faults);
    if (rc == 0 && r->world == 0)
        rc = sources_unchanged(p->plan, err);
    if (rc == 0)
        rc = idset_parse(p->plan->ranks[r->world].cpus, &p->planned, err);
    return rc;
}

int planning_make(const struct rank *r,
                  const struct planning_request *req,
                  struct planning *ret,
                  struct gm_error *err)
{
    struct planning p = {0};
    struct gather *machine = NULL;
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    int rc = verify_build(r, err);
    if (rc < 0)
        return rc;
    rc = req->plan == NULL ? gather_make(r, &machine, err) : 0;
    if (rc == 0 && r->world == 0)
        rc = rank0_text(r, req, machine, &p, &text, &len, err);
    gather_free(machine);
    rc = rank_agree(r, rc, false, err);
    if (rc == 0)
        rc = rank_share_text(r, &text, &len, err);
    if (rc == 0)
        rc = rank_agree(r, read_plan(r, text, len, &p, err), r->world > 0, err);
    if (rc < 0)
        planning_drop(&p);
    else
        *ret = p;
    return rc;
}

/* A network file system may show a new file late: 5 s are given. */
static int see_token(const struct plan *plan, struct gm_error *err)
{
    static const double patience = 5, nap = 0.05;
    double until = clock_monotonic() + patience;
    for (;;) {
        if (token_check(plan, NULL) == 0)
            return 0;
        if (clock_monotonic() > until)
            return gm_fail(
                err,
                -ENOENT,
                "this host does not see the job folder %s: put the results on a "
                "file system that all hosts share (--results FILE)",
                plan->folder);
        clock_sleep(nap);
    }
}

int planning_settle(const struct rank *r, struct planning *p, struct gm_error *err)
{
    int rc = verify_start(r, p->plan, p->spec, p->planned, &p->found, err);
    rc = rank_agree(r, rc, false, err);
    if (rc == 0)
        rc = class_agree(r, p->plan, p->spec, &p->device, err);
    if (rc < 0)
        return rc;
    rc = rank_agree(r, r->world == 0 ? token_write(p->plan, err) : 0, true, err);
    if (rc < 0 || r->n_ranks == 1)
        return rc;
    return rank_agree(r, see_token(p->plan, err), true, err);
}

void planning_drop(struct planning *p)
{
    if (p->folder != NULL)
        folder_drop(p->folder);
    planning_free(p);
}

void planning_free(struct planning *p)
{
    jobspec_free(p->spec);
    plan_free(p->plan);
    folder_close(p->folder);
    idset_free(p->planned);
    str_free(&p->found);
    str_free(&p->device);
    *p = (struct planning){0};
}
