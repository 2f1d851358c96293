/* See request.h. */
#include "request.h"
#include "base/clock.h"
#include "base/idset.h"
#include "base/memory.h"
#include "column.h"
#include <string.h>

static double gpus_of(const struct plan_rank *r)
{
    AUTO(idset) gpus = NULL;
    if (r->gpus == NULL || idset_parse(r->gpus, &gpus, NULL) != 0)
        return 0;
    return (double)idset_count(gpus);
}

/* Of the job; else of the allocation that it is in, as much as was left at its start. */
static double time_of(const struct result_job *j)
{
    if (j->spec->time > 0 || j->given_time > 0)
        return j->spec->time > 0 ? j->spec->time : j->given_time;
    double left = j->plan->end > 0 ? j->plan->end + j->spec->grace - clock_unix() : 0;
    return left > 0 ? left : 0;
}

static double memory_of(const struct result_job *j)
{
    unsigned n = j->plan->n_ranks;
    return j->spec->memory > 0 || n == 0 ? (double)j->spec->memory : j->given_memory / n;
}

static bool is_first_on(const struct plan *p, unsigned rank)
{
    return rank == 0 || strcmp(p->ranks[rank].host, p->ranks[rank - 1].host) != 0;
}

/* PUs of all ranks, those that several share once. Ranks of a host follow each other in
 * all but rare mappings, where too many are counted at worst. */
static double held_by(const struct plan *p)
{
    AUTO(idset) here = idset_make();
    double sum = 0;
    for (unsigned i = 0; i < p->n_ranks; i++) {
        AUTO(idset) own = NULL;
        if (is_first_on(p, i)) {
            sum += idset_count(here);
            idset_clear(here);
        }
        if (p->ranks[i].cpus != NULL && idset_parse(p->ranks[i].cpus, &own, NULL) == 0)
            idset_unite(here, own);
    }
    return sum + idset_count(here);
}

static bool counts_gpus(const struct gm_kernel *k)
{
    return k != NULL && ((k->traits & GM_ON_CUDA) == 0 || k->work != NULL);
}

static int
put_stages(hid_t at, const struct jobspec *spec, double cpus, struct gm_error *err)
{
    unsigned n = spec->n_stages;
    AUTO_FREE(double) v = xcalloc(n + 1u, 3 * sizeof(*v));
    for (unsigned i = 0; i < n; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        double cores = s->kernel == NULL && s->task_cores > 0 ? s->task_cores : cpus;
        v[i] = s->group;
        v[n + i] = cores < cpus ? (double)(uint64_t)(cpus / cores) : 1;
        v[2 * n + i] = counts_gpus(s->kernel);
    }
    hid_t f64 = H5T_NATIVE_DOUBLE;
    int rc = column_put(at, "group", f64, n, v, "1", "ranks a task; 0: all", err);
    rc = rc == 0
             ? column_put(at, "slots", f64, n, v + n, "1", "tasks a rank at once", err)
             : rc;
    return rc == 0 ? column_put(at,
                                "gpu_told",
                                f64,
                                n,
                                v + 2 * (size_t)n,
                                "1",
                                "1: the kernel says when it uses GPUs, or cannot",
                                err)
                   : rc;
}

int request_put(hid_t job, const struct result_job *j, struct gm_error *err)
{
    const struct plan *p = j->plan;
    double cpus = 0, gpus = 0;
    for (unsigned i = 0; i < p->n_ranks; i++) {
        double own = p->ranks[i].threads > 0 ? p->ranks[i].threads : 1,
               near = gpus_of(&p->ranks[i]);
        cpus = i == 0 || own < cpus ? own : cpus;
        gpus = i == 0 || near < gpus ? near : gpus;
    }
    AUTO_ID at = -1;
    int rc = h5_group(job, "request", "what the job was given", &at, err);
    rc = rc == 0 ? h5_put_f64(at, "cpus", cpus, err) : rc;
    rc = rc == 0 ? h5_put_f64(at, "gpus", gpus, err) : rc;
    rc = rc == 0 ? h5_put_f64(at, "held_cpus", held_by(p), err) : rc;
    rc = rc == 0 ? h5_put_f64(at, "given_cpus", j->given_cpus, err) : rc;
    rc = rc == 0 ? h5_put_f64(at, "given_gpus", j->given_gpus, err) : rc;
    rc = rc == 0 ? h5_put_f64(at, "memory", memory_of(j), err) : rc;
    rc = rc == 0 ? h5_put_f64(at, "time", time_of(j), err) : rc;
    rc = rc == 0 ? h5_put_f64(at, "seated", p->seated != NULL, err) : rc;
    return rc == 0 ? put_stages(at, j->spec, cpus, err) : rc;
}

static int load_column(hid_t at,
                       const char *name,
                       struct arena *a,
                       unsigned n,
                       const double **ret,
                       struct gm_error *err)
{
    double *v = arena_alloc(a, n, sizeof(*v));
    int rc = column_get(at, name, H5T_NATIVE_DOUBLE, n, v, err);
    *ret = v;
    return rc;
}

int request_load(hid_t job,
                 struct arena *a,
                 unsigned n_stages,
                 struct request *ret,
                 struct gm_error *err)
{
    AUTO_ID at = -1;
    struct request r = {.there = true};
    *ret = (struct request){0};
    if (H5Lexists(job, "request", H5P_DEFAULT) <= 0)
        return 0;
    int rc = h5_open_group(job, "request", &at, err);
    rc = rc == 0 ? h5_get_f64(at, "cpus", &r.cpus, err) : rc;
    rc = rc == 0 ? h5_get_f64(at, "gpus", &r.gpus, err) : rc;
    rc = rc == 0 ? h5_get_f64(at, "held_cpus", &r.held, err) : rc;
    rc = rc == 0 ? h5_get_f64(at, "given_cpus", &r.given_cpus, err) : rc;
    rc = rc == 0 ? h5_get_f64(at, "given_gpus", &r.given_gpus, err) : rc;
    rc = rc == 0 ? h5_get_f64(at, "memory", &r.memory, err) : rc;
    rc = rc == 0 ? h5_get_f64(at, "time", &r.time, err) : rc;
    rc = rc == 0 ? h5_get_f64(at, "seated", &r.seated, err) : rc;
    rc = rc == 0 ? load_column(at, "group", a, n_stages, &r.group, err) : rc;
    rc = rc == 0 ? load_column(at, "slots", a, n_stages, &r.slots, err) : rc;
    rc = rc == 0 ? load_column(at, "gpu_told", a, n_stages, &r.gpu_told, err) : rc;
    if (rc == 0)
        *ret = r;
    return rc;
}
