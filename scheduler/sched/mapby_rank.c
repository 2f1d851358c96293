/* See mapby_job.h: which rank each process is, within its application. Invariant: an
 * app's ranks are consecutive, and each of its processes has one; linear in them. */
#include "base/memory.h"
#include "mapby_job.h"

/* The app's processes of one host, in lists: one for each object it is mapped by (of slot
 * and node: one for all), each in the order of mapping. */
struct lists {
    unsigned *procs;  /* all lists, one behind the other */
    unsigned *at;     /* [n + 1] where each begins; at[n]: the end */
    unsigned *ranked; /* how many of each have a rank */
    unsigned n;
};

/* The number of the object that a process is mapped to. */
static unsigned object_of(const struct mapby_host *h, unsigned node)
{
    unsigned low = 0, high = h->map.n;
    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;
        if (h->map.nodes[middle] <= node)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static struct lists make_lists(const struct mapby_job *job,
                               const struct mapby_host *h,
                               unsigned app,
                               bool objects)
{
    struct lists l = {.n = objects ? h->map.n : 1};
    l.procs = xcalloc(h->n_procs + 1, sizeof(*l.procs));
    l.at = xcalloc(l.n + 2, sizeof(*l.at));
    l.ranked = xcalloc(l.n + 1, sizeof(*l.ranked));
    for (unsigned i = 0; i < h->n_procs; i++) {
        const struct mapby_proc *p = &job->procs[h->procs[i]];
        if (p->app == app)
            l.at[(objects ? object_of(h, p->node) : 0) + 2]++;
    }
    for (unsigned k = 2; k <= l.n + 1; k++)
        l.at[k] += l.at[k - 1];
    for (unsigned i = 0; i < h->n_procs; i++) { /* at[k + 1] moves to the list's end */
        const struct mapby_proc *p = &job->procs[h->procs[i]];
        if (p->app == app)
            l.procs[l.at[(objects ? object_of(h, p->node) : 0) + 1]++] = h->procs[i];
    }
    return l;
}

struct ranking {
    struct mapby_job *job;
    struct lists *lists; /* one a host */
    unsigned next;
};

/* The list's first process without a rank gets the next one. */
static bool rank_one(struct ranking *r, struct lists *l, unsigned list)
{
    unsigned i = l->at[list] + l->ranked[list];
    if (i >= l->at[list + 1])
        return false;
    r->job->procs[l->procs[i]].rank = r->next++;
    l->ranked[list]++;
    return true;
}

/* slot, fill: all of a list, then the next, host by host. */
static void one_by_one(struct ranking *r)
{
    for (unsigned i = 0; i < r->job->n_hosts; i++) {
        for (unsigned k = 0; k < r->lists[i].n; k++) {
            while (rank_one(r, &r->lists[i], k))
                continue;
        }
    }
}

/* node, span: one of each list in turn, over all hosts. */
static void in_turn(struct ranking *r)
{
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < r->job->n_hosts; i++) {
            for (unsigned k = 0; k < r->lists[i].n; k++)
                more = rank_one(r, &r->lists[i], k) || more;
        }
    }
}

void mapby_rank(struct mapby_job *job, const struct mapby_app_job *app, unsigned first)
{
    AUTO_FREE(struct lists) lists = xcalloc(job->n_hosts, sizeof(*lists));
    struct ranking r = {job, lists, first};
    bool objects = app->rank == MAPWORDS_RANK_FILL || app->rank == MAPWORDS_RANK_SPAN;
    for (unsigned i = 0; i < job->n_hosts; i++)
        lists[i] = make_lists(job, &job->hosts[i], app->app, objects);
    if (app->rank == MAPWORDS_RANK_NODE || app->rank == MAPWORDS_RANK_SPAN)
        in_turn(&r);
    else
        one_by_one(&r);
    for (unsigned i = 0; i < job->n_hosts; i++) {
        free(lists[i].procs);
        free(lists[i].at);
        free(lists[i].ranked);
    }
}
