/* What the files that place by Open MPI's words share: a job under construction.
 *
 *   mapby.c        words, slots, defaults; job -> placement
 *   mapby_map.c    which host and which object a rank gets (mapped in this order)
 *   mapby_device.c the same by GPUs; GPUs near a rank
 *   mapby_bind.c   which CPUs of it a rank is bound to
 *   mapby_rank.c   which rank it is
 *
 * A CPU is a core, or a PU with HWTCPUS. A rank that is bound takes one CPU (PE: n) of
 * its host's free ones off, whatever it is bound to, so that the next finds other ones.
 */
#ifndef SCHED_MAPBY_JOB_H
#define SCHED_MAPBY_JOB_H

#include "mapby.h"
#include "spec/mapwords.h"

#define MAPBY_MOST_RANKS 1000000u

/* The objects of a level on a shape, or the places of its GPUs, in tree order. */
struct mapby_objects {
    unsigned *nodes; /* of the shape */
    unsigned n;
    struct idset **gpus; /* devices: what each place stands for; else NULL */
};

struct mapby_host {
    unsigned host; /* of the tree */
    const struct topo_shape *shape;
    struct idset *all;   /* PUs that nobody held before the job */
    struct idset *free;  /* of them, those that no rank of the job took off */
    struct idset *found; /* free as the current app found it: what an object's binding is
                            cut to */
    struct idset *free_gpus;
    unsigned slots, taken;          /* ranks it may have; ranks it has */
    unsigned *bound;                /* ranks bound to each node of the shape */
    unsigned turn;                  /* pe-list: ranks of the current app on it */
    struct mapby_objects map, bind; /* of the current app's levels */
    unsigned *procs;                /* of the job, in the order they were mapped */
    unsigned n_procs, room;
};

struct mapby_proc {
    unsigned app, host; /* index in mapby_job.hosts */
    unsigned node;      /* of the shape: what it was mapped to */
    struct idset *cpus; /* bound to; NULL: to nothing */
    unsigned where;     /* bound: the node that holds them */
    struct idset *gpus; /* or NULL */
    unsigned rank;
};

/* One application, its words with the defaults filled in. */
struct mapby_app_job {
    struct mapwords w;
    const char *text; /* map-by, for sentences and reasons */
    unsigned app, n;  /* n: ranks */
    unsigned gpus;    /* a rank, nearest to it; 0: none */
    unsigned pe;
    bool hwt, oversubscribe;
    enum mapwords_level bind;
    bool bind_said, required; /* required: a rank that cannot be bound is an error */
    enum mapwords_rank rank;
    unsigned *ids, n_ids; /* pe-list */
};

struct mapby_job {
    const struct restree *tree;
    struct mapby_host *hosts; /* those with something free */
    unsigned n_hosts;
    struct mapby_proc *procs;
    unsigned n_procs, room;
};

/* The slots of a host that are left. */
static inline unsigned mapby_left(const struct mapby_host *h)
{
    return h->slots > h->taken ? h->slots - h->taken : 0;
}

/* CPUs among `set` at or below a node. */
unsigned
mapby_cpus(const struct mapby_host *h, unsigned node, const struct idset *set, bool hwt);
/* The first n of them: PUs. False: there are fewer. */
bool mapby_first(const struct mapby_host *h,
                 unsigned node,
                 const struct idset *set,
                 bool hwt,
                 unsigned n,
                 struct idset *ret);
/* The nodes of a level; private caches are their cores. Yours to free: objects_clear. */
void mapby_objects(const struct topo_shape *s,
                   enum mapwords_level level,
                   struct mapby_objects *ret);
void mapby_objects_clear(struct mapby_objects *o);

/* The app's ranks onto hosts and objects, bound as they come. */
int mapby_map_app(struct mapby_job *job, struct mapby_app_job *app, struct gm_error *err);

/* proc->cpus, ->where; the host's `free` shrinks. */
int mapby_bind(struct mapby_host *h,
               const struct mapby_app_job *app,
               struct mapby_proc *proc,
               const char *name,
               struct gm_error *err);

/* h->map: the places of its free GPUs, n_devices each, in the order of their PCI
 * addresses. */
int mapby_devices(struct mapby_host *h,
                  const struct mapby_app_job *app,
                  const char *name,
                  struct gm_error *err);
/* -EINVAL: what the app binds to is above a place of its GPUs. */
int mapby_check_near(const struct mapby_host *h,
                     const struct mapby_app_job *app,
                     const char *name,
                     struct gm_error *err);
/* Free GPUs for the app's ranks from `first` on, all of them bound by now: who has some
 * near takes these before those who have none reach for them. */
int mapby_near_gpus(struct mapby_job *job,
                    const struct mapby_app_job *app,
                    unsigned first,
                    struct gm_error *err);

/* The app's ranks from `first` on. */
void mapby_rank(struct mapby_job *job, const struct mapby_app_job *app, unsigned first);

#endif
