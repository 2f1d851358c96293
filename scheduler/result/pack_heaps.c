/* The heaps of a pack: what kinds of values a job can have, and room for their sums. */
#include "base/memory.h"
#include "packing.h"

static void add_sums(struct packing *p, struct heap *h)
{
    bool all = h->stage == PACKING_ALL;
    uint64_t first = all ? 0 : p->first[h->stage];
    uint64_t end = first + (all ? p->n_rows : p->n[h->stage]);
    h->first_block = first / PACKING_BLOCK;
    h->n_blocks = end > first ? (end - 1) / PACKING_BLOCK - h->first_block + 1 : 0;
    h->sums = xcalloc(h->n_blocks + 1, sizeof(*h->sums));
    h->one_ndim = h->ndim;
}

static void add_outputs(struct packing *p, unsigned stage)
{
    const struct reader_stage *st = &p->head->stages[stage];
    for (unsigned i = 0; i < st->n_outputs; i++) {
        const struct reader_output *o = &st->outputs[i];
        bool series = (o->flags & GM_SERIES) != 0;
        p->heaps[p->n_heaps++] =
            (struct heap){.stage = stage,
                          .kind = series ? RESULT_SERIES : RESULT_OUTPUT,
                          .index = i,
                          .dtype = o->dtype,
                          .ndim = o->ndim,
                          .name = o->name,
                          .unit = o->unit,
                          .help = o->help,
                          .ragged = !series && (o->flags & GM_RAGGED) != 0};
    }
}

static void add_text(
    struct packing *p, uint32_t stage, uint32_t kind, const char *name, const char *help)
{
    p->heaps[p->n_heaps++] = (struct heap){.stage = stage,
                                           .kind = kind,
                                           .dtype = GM_U8,
                                           .ndim = 1,
                                           .name = name,
                                           .unit = "byte",
                                           .help = help};
}

void packing_list(struct packing *p)
{
    size_t most = PACKING_TEXTS;
    for (unsigned s = 0; s < p->head->n_stages; s++)
        most += p->head->stages[s].n_outputs + 2u;
    p->heaps = xcalloc(most, sizeof(*p->heaps));
    p->heaps_first = xcalloc(p->head->n_stages + 1u, sizeof(*p->heaps_first));
    add_text(p,
             PACKING_ALL,
             RESULT_PARAMS,
             "params",
             "what varies from task to task, canonical JSON");
    add_text(p, PACKING_ALL, RESULT_MESSAGE, "message", "the sentence of a failure");
    for (unsigned s = 0; s < p->head->n_stages; s++) {
        p->heaps_first[s] = p->n_heaps;
        add_outputs(p, s);
        add_text(p, s, RESULT_STDOUT, "stdout", "what it wrote to standard output");
        add_text(p, s, RESULT_STDERR, "stderr", "what it wrote to standard error");
    }
    for (unsigned i = 0; i < p->n_heaps; i++)
        add_sums(p, &p->heaps[i]);
}

unsigned packing_heaps_of(const struct packing *p, unsigned stage)
{
    return p->head->stages[stage].n_outputs + 2u;
}

void packing_clear(struct packing *p)
{
    for (unsigned i = 0; i < p->n_heaps; i++)
        free(p->heaps[i].sums);
    free(p->heaps);
    free(p->heaps_first);
    p->heaps = NULL;
    p->heaps_first = NULL;
    p->n_heaps = 0;
}

void packing_free(struct packing *p)
{
    packing_clear(p);
    free(p->damage);
    free(p->first);
    free(p->n);
    free(p->scratch);
}
