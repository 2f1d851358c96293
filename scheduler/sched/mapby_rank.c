/* See mapby_job.h: which rank each process is, within its application. Invariant: an
 * app's ranks are consecutive, and each of its processes has one. */
#include "mapby_job.h"

struct ranking {
    struct mapby_job *job;
    const struct mapby_app_job *app;
    unsigned next;
};

/* The host's first process of the app that has no rank yet, mapped to this node (-1: to
 * any). */
static bool rank_one(struct ranking *r, const struct mapby_host *h, int64_t node)
{
    for (unsigned i = 0; i < h->n_procs; i++) {
        struct mapby_proc *p = &r->job->procs[h->procs[i]];
        if (p->app != r->app->app || p->ranked || (node >= 0 && p->node != node))
            continue;
        p->rank = r->next++;
        p->ranked = true;
        return true;
    }
    return false;
}

/* Host by host, in the order of mapping. */
static void by_slot(struct ranking *r)
{
    for (unsigned i = 0; i < r->job->n_hosts; i++) {
        while (rank_one(r, &r->job->hosts[i], -1))
            continue;
    }
}

/* One on each host in turn. */
static void by_node(struct ranking *r)
{
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < r->job->n_hosts; i++)
            more = rank_one(r, &r->job->hosts[i], -1) || more;
    }
}

/* fill: all of an object, then the next; span: one of each object in turn. */
static void by_object(struct ranking *r, bool fill)
{
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < r->job->n_hosts; i++) {
            const struct mapby_host *h = &r->job->hosts[i];
            for (unsigned k = 0; k < h->map.n; k++) {
                bool one = rank_one(r, h, h->map.nodes[k]);
                more = more || one;
                while (one && fill)
                    one = rank_one(r, h, h->map.nodes[k]);
            }
        }
    }
}

void mapby_rank(struct mapby_job *job, const struct mapby_app_job *app, unsigned first)
{
    struct ranking r = {job, app, first};
    switch (app->rank) {
    case MAPWORDS_RANK_FILL:
    case MAPWORDS_RANK_SPAN:
        by_object(&r, app->rank == MAPWORDS_RANK_FILL);
        break;
    case MAPWORDS_RANK_NODE:
        by_node(&r);
        break;
    default:
        by_slot(&r);
    }
}
