/* See used.h. Invariant: an entry is found by its shard and rank, and each commit is in
 * one entry and one stage. */
#include "used.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

static struct used_rank *entry(struct used *u, uint32_t file, uint32_t rank)
{
    if (file >= u->n_files) {
        unsigned n = file + file / 2 + 16;
        u->files = xrealloc(u->files, n, sizeof(*u->files));
        memset(u->files + u->n_files, 0, (n - u->n_files) * sizeof(*u->files));
        u->n_files = n;
    }
    for (unsigned i = u->files[file]; i > 0; i = u->ranks[i - 1].next) {
        if (u->ranks[i - 1].rank == rank)
            return &u->ranks[i - 1];
    }
    if (u->n == u->room) {
        u->room = u->room > 0 ? 2 * u->room : 16;
        u->ranks = xrealloc(u->ranks, u->room, sizeof(*u->ranks));
    }
    u->ranks[u->n] =
        (struct used_rank){.file = file, .rank = rank, .next = u->files[file]};
    u->files[file] = ++u->n;
    return &u->ranks[u->n - 1];
}

static void widen(double *first, double *last, const struct row_commit *c)
{
    *first = *first <= 0 || c->start < *first ? c->start : *first;
    *last = c->end > *last ? c->end : *last;
}

static void take_stage(struct used *u, const struct row_commit *c)
{
    if (c->stage >= u->n_stages) {
        unsigned n = c->stage + 1;
        u->stages = xrealloc(u->stages, n, sizeof(*u->stages));
        memset(u->stages + u->n_stages, 0, (n - u->n_stages) * sizeof(*u->stages));
        u->n_stages = n;
    }
    struct used_stage *s = &u->stages[c->stage];
    struct result_work work = {c->flops, c->flops64, c->bytes, c->gpu_s};
    double took = c->end > c->start ? c->end - c->start : 0,
           each = took / (double)c->count;
    uint32_t ranks = c->n_ranks > 0 ? c->n_ranks : 1;
    s->tasks += c->count;
    s->task_s += took;
    s->rank_s += took * ranks;
    s->longest = each > s->longest ? each : s->longest;
    s->widest = ranks > s->widest ? ranks : s->widest;
    widen(&s->first, &s->last, c);
    if (work.flops + work.flops64 + work.bytes + work.gpu_s > 0)
        s->counted += c->count;
    result_work_add(work.gpu_s > 0 ? &s->gpus : &s->cores, &work);
}

void used_take(struct used *u,
               uint32_t file,
               unsigned n_ranks,
               bool command,
               const struct row_commit *c)
{
    struct result_work work = {c->flops, c->flops64, c->bytes, c->gpu_s};
    if (c->status == RESULT_SKIPPED || c->start <= 0 || c->count == 0)
        return;
    struct used_rank *r = entry(u, file, c->rank);
    r->tasks += c->count;
    r->busy_s += c->end > c->start ? c->end - c->start : 0;
    widen(&r->first, &r->last, c);
    if (command && (double)c->max_rss > r->command_rss)
        r->command_rss = (double)c->max_rss;
    result_work_add(c->n_ranks > 1 && c->n_ranks == n_ranks ? &u->together : &r->work,
                    &work);
    take_stage(u, c);
}

void used_say(struct used *u, uint32_t file, uint32_t rank, const double *v, size_t n)
{
    struct used_rank *r = entry(u, file, rank);
    r->use = (struct result_use){.v = {0}};
    for (size_t i = 0; i < n && i < USE_NUMBERS; i++)
        r->use.v[i] = isfinite(v[i]) ? v[i] : 0;
}

void used_free(struct used *u)
{
    free(u->ranks);
    free(u->files);
    free(u->stages);
    *u = (struct used){0};
}
