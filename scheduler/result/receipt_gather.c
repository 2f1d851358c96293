/* See receipt_gather.h. Invariant: launches are added up, and a number that one of them
 * did not live to tell is NaN in the sum. */
#include "receipt_gather.h"
#include "base/memory.h"
#include "head.h"
#include "used.h"
#include <math.h>

#define LAUNCHES_MOST 100000u

struct launch {
    double start, began, ended; /* unix s; 0: nobody told */
};

struct gathering {
    const struct head *head;
    const struct used *used;
    struct receipt *r;
    struct launch *launches;
    unsigned n_launches;
};

static double earlier(double a, double b)
{
    return a <= 0 || (b > 0 && b < a) ? b : a;
}

/* When it began and ended with its tasks, as far as it is known. */
static double began(const struct used_rank *e)
{
    return e->use.v[USE_BEGAN] > 0 ? e->use.v[USE_BEGAN] : e->first;
}

static double ended(const struct used_rank *e)
{
    return e->use.v[USE_ENDED] > 0 ? e->use.v[USE_ENDED] : e->last;
}

static void add_launch(struct gathering *g, const struct used_rank *e)
{
    double number = e->use.v[USE_LAUNCH];
    unsigned i = number > 0 && number < LAUNCHES_MOST ? (unsigned)number : 0;
    if (i >= g->n_launches) {
        g->launches = xrealloc(g->launches, i + 1u, sizeof(*g->launches));
        memset(g->launches + g->n_launches,
               0,
               (i + 1u - g->n_launches) * sizeof(*g->launches));
        g->n_launches = i + 1;
    }
    struct launch *l = &g->launches[i];
    l->start = earlier(l->start, e->use.v[USE_START]);
    l->began = earlier(l->began, began(e));
    l->ended = fmax(l->ended, ended(e));
}

/* One that did not come to its end has told its tasks alone. */
static void add_rank(struct gathering *g, const struct used_rank *e)
{
    const double *u = e->use.v;
    double *w = g->r->ranks[e->rank].v;
    double wall = ended(e) > began(e) ? ended(e) - began(e) : 0;
    bool told = u[USE_ENDED] > 0;
    w[RECEIPT_RANK_LAUNCHES]++;
    w[RECEIPT_RANK_WALL] += wall;
    w[RECEIPT_RANK_BUSY] +=
        told ? fmax(0, wall - u[USE_WAIT] - u[USE_COMM] - u[USE_WRITE]) : e->busy_s;
    w[RECEIPT_RANK_WAIT] += told ? u[USE_WAIT] : (double)NAN;
    w[RECEIPT_RANK_COMM] += told ? u[USE_COMM] : (double)NAN;
    w[RECEIPT_RANK_WRITE] += told ? u[USE_WRITE] : (double)NAN;
    w[RECEIPT_RANK_CPU] += told ? u[USE_CPU] : (double)NAN;
    w[RECEIPT_RANK_CPUS] = u[USE_CPUS];
    w[RECEIPT_RANK_GPUS] = u[USE_GPUS];
    w[RECEIPT_RANK_RSS] = told ? fmax(w[RECEIPT_RANK_RSS], u[USE_RSS]) : (double)NAN;
    w[RECEIPT_RANK_COMMAND_RSS] =
        fmax(w[RECEIPT_RANK_COMMAND_RSS], fmax(u[USE_COMMAND_RSS], e->command_rss));
    add_launch(g, e);
}

static void add_ranks(struct gathering *g)
{
    const struct result_work *all = &g->used->together;
    unsigned n = g->r->n_ranks;
    for (unsigned i = 0; i < g->used->n; i++) {
        const struct used_rank *e = &g->used->ranks[i];
        if (e->rank >= n)
            continue;
        double *w = g->r->ranks[e->rank].v;
        w[RECEIPT_RANK_TASKS] += (double)e->tasks;
        w[RECEIPT_RANK_FLOPS] += e->work.flops;
        w[RECEIPT_RANK_FLOPS64] += e->work.flops64;
        w[RECEIPT_RANK_BYTES] += e->work.bytes;
        w[RECEIPT_RANK_GPU_S] += e->work.gpu_s;
        if (e->use.v[USE_START] > 0)
            add_rank(g, e);
    }
    for (unsigned i = 0; i < n; i++) { /* ranks of one group have equal parts */
        double *w = g->r->ranks[i].v;
        w[RECEIPT_RANK_FLOPS] += all->flops / n;
        w[RECEIPT_RANK_FLOPS64] += all->flops64 / n;
        w[RECEIPT_RANK_BYTES] += all->bytes / n;
        w[RECEIPT_RANK_GPU_S] += all->gpu_s / n;
    }
}

static void add_stages(struct gathering *g)
{
    const struct request *ask = &g->head->request;
    for (unsigned i = 0; i < g->r->n_stages; i++) {
        static const struct used_stage none;
        const struct used_stage *s = i < g->used->n_stages ? &g->used->stages[i] : &none;
        double *w = g->r->stages[i].v;
        w[RECEIPT_STAGE_TASKS] = (double)s->tasks;
        w[RECEIPT_STAGE_COUNTED] = (double)s->counted;
        w[RECEIPT_STAGE_START] = s->first;
        w[RECEIPT_STAGE_END] = s->last;
        w[RECEIPT_STAGE_TASK_S] = s->task_s;
        w[RECEIPT_STAGE_RANK_S] = s->rank_s;
        w[RECEIPT_STAGE_LONGEST] = s->longest;
        w[RECEIPT_STAGE_GROUP] = ask->there ? ask->group[i] : fmax(1, s->widest);
        w[RECEIPT_STAGE_SLOTS] = ask->there ? ask->slots[i] : 1;
        w[RECEIPT_STAGE_GPU_TOLD] = ask->there ? ask->gpu_told[i] : 0;
        w[RECEIPT_STAGE_FLOPS] = s->cores.flops;
        w[RECEIPT_STAGE_FLOPS64] = s->cores.flops64;
        w[RECEIPT_STAGE_BYTES] = s->cores.bytes;
        w[RECEIPT_STAGE_GPU_FLOPS] = s->gpus.flops + s->gpus.flops64;
        w[RECEIPT_STAGE_GPU_S] = s->gpus.gpu_s;
    }
}

/* The rows of /receipt/hosts: each host of the plan once; its peaks are NaN where no rank
 * of it told them. */
static void list_hosts(struct receipt *r, const struct head *head)
{
    unsigned last = 0;
    r->hosts = xrealloc(r->hosts, head->n_ranks + 1, sizeof(*r->hosts));
    for (size_t i = 0; i < head->n_ranks; i++) {
        const char *name = head->rank_hosts[i];
        if (r->n_hosts > 0 && strcmp(r->hosts[last].name, name) == 0)
            continue;
        for (last = 0; last < r->n_hosts && strcmp(r->hosts[last].name, name) != 0;)
            last++;
        if (last < r->n_hosts)
            continue;
        struct receipt_host *h = &r->hosts[r->n_hosts++];
        h->name = xstrdup(name);
        for (unsigned k = 0; k < RECEIPT_HOST_NUMBERS; k++)
            h->v[k] = (double)NAN;
    }
}

static void add_hosts(struct gathering *g)
{
    struct receipt *r = g->r;
    list_hosts(r, g->head);
    for (unsigned i = 0; i < g->used->n; i++) {
        const struct used_rank *e = &g->used->ranks[i];
        if (e->rank >= g->head->n_ranks || !(e->use.v[USE_PEAK_CPUS] > 0))
            continue;
        const char *name = g->head->rank_hosts[e->rank];
        unsigned k = 0;
        while (strcmp(r->hosts[k].name, name) != 0)
            k++;
        for (unsigned j = 0; j < RECEIPT_HOST_NUMBERS; j++)
            r->hosts[k].v[j] = e->use.v[USE_PEAK_CPUS + j];
    }
}

static void add_request(struct gathering *g, bool over)
{
    const struct request *ask = &g->head->request;
    double *v = g->r->v;
    v[RECEIPT_OVER] = over;
    v[RECEIPT_ASKED_RANKS] = (double)g->head->n_ranks;
    v[RECEIPT_ASKED_CPUS] = ask->there ? ask->cpus : (double)NAN;
    v[RECEIPT_ASKED_GPUS] = ask->gpus;
    v[RECEIPT_ASKED_MEMORY] = ask->memory;
    v[RECEIPT_ASKED_TIME] = ask->time;
    v[RECEIPT_HELD_CPUS] = ask->held;
    v[RECEIPT_GIVEN_CPUS] = ask->given_cpus;
    v[RECEIPT_GIVEN_GPUS] = ask->given_gpus;
    v[RECEIPT_SEATED] = ask->seated;
    for (unsigned i = 0; i < g->n_launches; i++) {
        const struct launch *l = &g->launches[i];
        if (l->start <= 0)
            continue;
        v[RECEIPT_LAUNCHES]++;
        v[RECEIPT_WALL] += l->began > 0 && l->ended > l->began ? l->ended - l->began : 0;
        v[RECEIPT_LONGEST_LAUNCH] =
            fmax(v[RECEIPT_LONGEST_LAUNCH], l->ended > 0 ? l->ended - l->start : 0);
    }
}

struct receipt *receipt_gather(const struct head *head, const struct shards *s, bool over)
{
    struct gathering g = {
        .head = head,
        .used = shards_used(s),
        .r = receipt_make(shards_n_ranks(s), head->n_stages, 0),
    };
    add_ranks(&g);
    add_stages(&g);
    add_hosts(&g);
    add_request(&g, over);
    free(g.launches);
    receipt_judge(g.r);
    return g.r;
}

/* The first task's begin stands for the start. */
static double start_of(const struct receipt *r)
{
    double start = 0;
    for (unsigned i = 0; i < r->n_stages; i++)
        start = earlier(start, r->stages[i].v[RECEIPT_STAGE_START]);
    return start > 0 ? start : 1;
}

bool receipt_use(const struct receipt *r, unsigned rank, struct result_use *ret)
{
    const double *w = r->ranks[rank].v;
    double start = start_of(r);
    bool told = isfinite(w[RECEIPT_RANK_WAIT] + w[RECEIPT_RANK_CPU]);
    *ret =
        (struct result_use){.v = {[USE_START] = start,
                                  [USE_BEGAN] = start,
                                  [USE_ENDED] = told ? start + w[RECEIPT_RANK_WALL] : 0,
                                  [USE_WAIT] = w[RECEIPT_RANK_WAIT],
                                  [USE_COMM] = w[RECEIPT_RANK_COMM],
                                  [USE_WRITE] = w[RECEIPT_RANK_WRITE],
                                  [USE_CPU] = w[RECEIPT_RANK_CPU],
                                  [USE_RSS] = w[RECEIPT_RANK_RSS],
                                  [USE_COMMAND_RSS] = w[RECEIPT_RANK_COMMAND_RSS],
                                  [USE_CPUS] = w[RECEIPT_RANK_CPUS],
                                  [USE_GPUS] = w[RECEIPT_RANK_GPUS]}};
    return w[RECEIPT_RANK_LAUNCHES] > 0;
}
