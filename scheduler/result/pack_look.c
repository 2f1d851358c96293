/* The first of a pack's two ways through the tasks: the columns of /tasks, and of each
 * output, log and text how many values there are, of what shape and how long. Nothing is
 * read but the shards' rows. */
#include "base/memory.h"
#include "packing.h"
#include <assert.h>

/* splitmix64's step (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* docs/design/results.md, "A task's digest". */
static uint64_t digest_add(uint64_t d, const struct heap *h, const struct source_value *v)
{
    d = mix(d ^ ((uint64_t)(h->index + 1) << 32 | v->ndim << 16 | v->dtype));
    for (uint32_t i = 0; i < v->ndim; i++)
        d = mix(d ^ v->dims[i]);
    return mix(d ^ v->crc);
}

static int wrong_type(const struct packing *p,
                      const struct heap *h,
                      uint64_t task,
                      const struct source_value *v,
                      struct gm_error *err)
{
    return gm_fail(err,
                   -EINVAL,
                   "stage %s: %s[%llu].%s: %s of %u dimensions, declared as %s of %u",
                   p->head->stages[h->stage].name,
                   p->head->stages[h->stage].name,
                   (unsigned long long)task,
                   h->name,
                   gm_dtype_name(v->dtype),
                   v->ndim,
                   gm_dtype_name(h->dtype),
                   h->ndim + (h->kind == RESULT_SERIES));
}

/* n more values of one shape in a block: do they fit the shape that all had so far? */
static int count_values(struct packing *p,
                        struct heap *h,
                        uint64_t row,
                        uint64_t task,
                        const struct source_value *v,
                        uint64_t n,
                        struct gm_error *err)
{
    bool series = h->kind == RESULT_SERIES;
    unsigned skip = series ? 1 : 0;
    if (v->dtype != h->dtype || v->ndim != h->ndim + skip)
        return wrong_type(p, h, task, v, err);
    if (h->n_values == 0) {
        h->one_ndim = v->ndim - skip;
        memcpy(h->one, v->dims + skip, h->one_ndim * sizeof(h->one[0]));
    }
    if (memcmp(h->one, v->dims + skip, h->one_ndim * sizeof(h->one[0])) != 0)
        h->ragged = true;
    h->n_values += n;
    size_t size = gm_dtype_size(v->dtype);
    assert(size > 0); /* row_record_ok */
    struct heap_sum *sum = &h->sums[row / PACKING_BLOCK - h->first_block];
    uint64_t elements;
    if (__builtin_mul_overflow(v->nbytes / size, n, &elements) ||
        __builtin_add_overflow(sum->elements, elements, &sum->elements))
        return gm_fail(err, -EOVERFLOW, "%s: more than a file can hold", h->name);
    sum->rows += n * (series ? v->dims[0] : 1);
    return 0;
}

/* A task's values; its digest. */
static int look_values(struct packing *p,
                       unsigned stage,
                       uint64_t task,
                       bool done,
                       uint64_t *ret_digest,
                       struct gm_error *err)
{
    const struct reader_stage *st = &p->head->stages[stage];
    unsigned n = packing_heaps_of(p, stage);
    uint64_t digest = 0;
    for (unsigned i = 0; i < PACKING_TEXTS + n; i++) {
        struct heap *h =
            &p->heaps[i < PACKING_TEXTS ? i : p->heaps_first[stage] + i - PACKING_TEXTS];
        struct source_value v;
        if (source_needs_done(h->kind) && !done)
            continue;
        int rc = packing_find(p, h, stage, task, &v, err);
        if (rc == -ENOENT) {
            h->ragged |= h->kind == RESULT_OUTPUT;
            continue;
        }
        rc = rc == 0 ? count_values(p, h, p->first[stage] + task, task, &v, 1, err) : rc;
        if (rc != 0)
            return rc;
        if (source_needs_done(h->kind) &&
            (st->outputs[h->index].flags & GM_MEASURED) == 0)
            digest = digest_add(digest, h, &v);
    }
    *ret_digest = digest;
    return 0;
}

static int look_task(struct packing *p,
                     unsigned stage,
                     uint64_t task,
                     struct bulk *columns,
                     struct gm_error *err)
{
    struct reader_task t = {0};
    uint64_t digest = 0;
    int rc = packing_task(p, stage, task, &t, err);
    bool ran = t.status != RESULT_NONE && t.status != RESULT_SKIPPED;
    if (rc == 0 && t.status != RESULT_NONE)
        rc = look_values(p, stage, task, t.status == RESULT_DONE, &digest, err);
    if (rc != 0)
        return rc;
    union cell row[COL_TASKS] = {
        [COL_STAGE] = {.u = stage},
        [COL_INDEX] = {.q = task},
        [COL_RANK] = {.i = ran ? (int32_t)t.rank : -1},
        [COL_N_RANKS] = {.u = ran ? t.n_ranks : 0},
        [COL_START] = {.d = t.start},
        [COL_END] = {.d = t.end},
        [COL_TIMED_WITH] = {.u = ran ? (uint32_t)t.timed_with : 0},
        [COL_ATTEMPTS] = {.u = t.attempts},
        [COL_STATUS] = {.b = (uint8_t)t.status},
        [COL_REASON] = {.b = (uint8_t)t.reason},
        [COL_EXIT_CODE] = {.i = t.exit_code},
        [COL_SIGNAL] = {.i = t.signal},
        [COL_DIGEST] = {.q = digest},
    };
    return packing_add(columns, row, COL_TASKS, err);
}

int packing_look(struct packing *p,
                 uint64_t first,
                 uint64_t end,
                 struct bulk *columns,
                 struct gm_error *err)
{
    int rc = 0;
    for (unsigned s = 0; rc == 0 && s < p->head->n_stages; s++) {
        uint64_t begin = p->first[s] > first ? p->first[s] : first;
        uint64_t past = p->first[s] + p->n[s] < end ? p->first[s] + p->n[s] : end;
        for (uint64_t row = begin; rc == 0 && row < past; row++)
            rc = look_task(p, s, row - p->first[s], columns, err);
    }
    return rc;
}
