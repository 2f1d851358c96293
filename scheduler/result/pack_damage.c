/* What a pack reads of the shards, each value compared with its checksum. A value that is
 * damaged costs its task alone: the task has failed, with RESULT_DAMAGED and a message.
 * Since a task's row and its output's shape are written before its bytes are read, the
 * first pack that comes upon damage ends; then all values are read once, and the next
 * pack knows of every one. */
#include "base/memory.h"
#include "crc.h"
#include "packing.h"

#define SMALL       4096u      /* bytes of a value that is read at once */
#define PART_DAMAGE UINT32_MAX /* source_value.part: the message of a damaged task */

static int by_task(const void *pa, const void *pb)
{
    const struct damage *a = pa, *b = pb;
    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    return a->task < b->task ? -1 : a->task > b->task;
}

/* The first entry of this task or one behind it; n_damage: none. */
static uint64_t damage_from(const struct packing *p, uint32_t stage, uint64_t task)
{
    struct damage key = {.stage = stage, .task = task};
    uint64_t low = 0, n = p->n_damage;
    while (low < n) {
        uint64_t middle = low + (n - low) / 2;
        if (by_task(&p->damage[middle], &key) < 0)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

static const struct damage *
damage_of(const struct packing *p, uint32_t stage, uint64_t task)
{
    uint64_t i = p->n_damage > 0 ? damage_from(p, stage, task) : 0;
    return i < p->n_damage && p->damage[i].stage == stage && p->damage[i].task == task
               ? &p->damage[i]
               : NULL;
}

int packing_task(struct packing *p,
                 unsigned stage,
                 uint64_t task,
                 struct reader_task *ret,
                 struct gm_error *err)
{
    int rc = shards_task(p->shards, stage, task, ret, err);
    if (rc == 0 && ret->status == RESULT_DONE && damage_of(p, stage, task) != NULL) {
        ret->status = RESULT_FAILED;
        ret->reason = RESULT_DAMAGED;
    }
    return rc;
}

int packing_find(struct packing *p,
                 const struct heap *h,
                 unsigned stage,
                 uint64_t task,
                 struct source_value *ret,
                 struct gm_error *err)
{
    const struct damage *d = damage_of(p, stage, task);
    if (d != NULL && h->kind == RESULT_MESSAGE) {
        uint64_t n = strlen(d->text);
        *ret = (struct source_value){.dtype = GM_U8,
                                     .ndim = 1,
                                     .dims = {n},
                                     .nbytes = n,
                                     .part = PART_DAMAGE,
                                     .offset = (uint64_t)(d - p->damage)};
        return 0;
    }
    if (d != NULL && (source_needs_done(h->kind) || (d->kinds & 1u << h->kind) != 0))
        return -ENOENT;
    return shards_find(p->shards, stage, task, h->kind, h->index, ret, err);
}

int packing_run(struct packing *p,
                unsigned stage,
                uint64_t task,
                struct shards_run *ret,
                struct gm_error *err)
{
    if (damage_of(p, stage, task) != NULL)
        return -ENOENT;
    int rc = shards_run(p->shards, stage, task, ret, err);
    if (rc == 0 && p->n_damage > 0) {
        uint64_t i = damage_from(p, stage, task);
        if (i < p->n_damage && p->damage[i].stage == stage &&
            p->damage[i].task < ret->end)
            ret->end = p->damage[i].task;
    }
    return rc;
}

/* A text, or another small value: read whole. */
static int copy_small(struct packing *p,
                      struct bulk *to,
                      const struct source_value *v,
                      uint64_t first,
                      uint64_t n,
                      struct gm_error *err)
{
    if (v->part == PART_DAMAGE)
        return bulk_add(to, p->damage[v->offset].text + first, n, err);
    int rc = shards_read(p->shards, v, p->scratch, err);
    return rc == 0 ? bulk_add(to, p->scratch + first, n, err) : rc;
}

/* The bytes from `at` to the value's end, for its checksum alone. */
static int check_rest(struct packing *p,
                      const struct source_value *v,
                      uint64_t at,
                      uint32_t crc,
                      struct gm_error *err)
{
    int rc = 0;
    for (; rc == 0 && at < v->nbytes; at += PACKING_SCRATCH) {
        uint64_t n = v->nbytes - at < PACKING_SCRATCH ? v->nbytes - at : PACKING_SCRATCH;
        rc = shards_part(p->shards, v, at, n, p->scratch, err);
        crc = rc == 0 ? crc_extend(crc, p->scratch, n) : crc;
    }
    return rc == 0 && crc != v->crc ? shards_damaged(p->shards, v, err) : rc;
}

int packing_copy(struct packing *p,
                 struct bulk *to,
                 const struct source_value *v,
                 uint64_t first,
                 uint64_t n,
                 struct gm_error *err)
{
    if (n == 0)
        return 0;
    if (v->part == PART_DAMAGE || v->nbytes <= SMALL)
        return copy_small(p, to, v, first, n, err);
    uint32_t crc = 0;
    int rc = 0;
    uint64_t at = first, end = first + n;
    while (rc == 0 && at < end) {
        size_t now;
        void *out = bulk_room(to, &now);
        now = end - at < now ? end - at : now;
        if (now == 0)
            return gm_fail(err, -EINVAL, "%s: more rows than it has", to->name);
        rc = shards_part(p->shards, v, at, now, out, err);
        if (rc == 0 && first == 0)
            crc = crc_extend(crc, out, now);
        rc = rc == 0 ? bulk_advance(to, now, err) : rc;
        at += now;
    }
    return rc == 0 && first == 0 ? check_rest(p, v, end, crc, err) : rc;
}

static void note(struct packing *p,
                 unsigned stage,
                 uint64_t task,
                 uint32_t kind,
                 const char *name,
                 const struct gm_error *why)
{
    struct damage *last = p->n_damage > 0 ? &p->damage[p->n_damage - 1] : NULL;
    if (last != NULL && last->stage == stage && last->task == task) {
        last->kinds |= 1u << kind;
        return;
    }
    p->damage = xrealloc(p->damage, p->n_damage + 1, sizeof(*p->damage));
    struct damage *d = &p->damage[p->n_damage++];
    *d = (struct damage){.stage = stage, .task = task, .kinds = 1u << kind};
    (void)snprintf(d->text, sizeof(d->text), "%.60s: damaged: %.160s", name, why->text);
}

static int
verify_task(struct packing *p, unsigned stage, uint64_t task, struct gm_error *err)
{
    unsigned n = packing_heaps_of(p, stage);
    for (unsigned i = 0; i < PACKING_TEXTS + n; i++) {
        const struct heap *h =
            &p->heaps[i < PACKING_TEXTS ? i : p->heaps_first[stage] + i - PACKING_TEXTS];
        struct source_value v;
        struct gm_error why = {0};
        int rc = shards_find(p->shards, stage, task, h->kind, h->index, &v, &why);
        if (rc == 0 && v.nbytes <= SMALL)
            rc = shards_read(p->shards, &v, p->scratch, &why);
        else if (rc == 0)
            rc = check_rest(p, &v, 0, 0, &why);
        if (rc == -EBADMSG)
            note(p, stage, task, h->kind, h->name, &why);
        else if (rc != 0 && rc != -ENOENT)
            return gm_fail(err, rc, "%s", why.text);
    }
    return 0;
}

/* All members' findings, in order, on every member. */
static int gather(struct packing *p, struct gm_error *err)
{
    const struct team *t = p->team;
    uint64_t most = 0, n = 0;
    AUTO_FREE(uint64_t) counts = xcalloc(t->n, sizeof(*counts));
    int rc = team_gather(t, &p->n_damage, sizeof(p->n_damage), counts, err);
    for (unsigned i = 0; i < t->n; i++)
        most = counts[i] > most ? counts[i] : most;
    p->damage = xrealloc(p->damage, most + 1, sizeof(*p->damage));
    struct damage *all = xcalloc(most * t->n + 1, sizeof(*all));
    rc = rc == 0 ? team_gather(t, p->damage, most * sizeof(*all), all, err) : rc;
    for (unsigned i = 0; i < t->n; i++) {
        memmove(&all[n], &all[i * most], counts[i] * sizeof(*all));
        n += counts[i];
    }
    free(p->damage);
    p->damage = all;
    p->n_damage = n;
    if (n > 0)
        qsort(all, n, sizeof(*all), by_task);
    return rc;
}

static int count_undone(struct packing *p, struct gm_error *err)
{
    int rc = 0;
    p->n_undone = 0;
    for (uint64_t i = 0; rc == 0 && i < p->n_damage; i++) {
        struct reader_task t;
        rc = shards_task(p->shards, p->damage[i].stage, p->damage[i].task, &t, err);
        p->n_undone += rc == 0 && t.status == RESULT_DONE;
    }
    return rc;
}

int packing_verify(struct packing *p, struct gm_error *err)
{
    int rc = 0;
    for (unsigned s = 0; rc == 0 && s < p->head->n_stages; s++) {
        uint64_t n = p->n[s], each = n / p->team->n, rank = p->team->rank;
        uint64_t end = rank + 1 == p->team->n ? n : (rank + 1) * each;
        for (uint64_t i = rank * each; rc == 0 && i < end; i++)
            rc = verify_task(p, s, i, err);
    }
    rc = team_agree(p->team, rc, err);
    rc = rc == 0 ? gather(p, err) : rc;
    return rc == 0 ? team_agree(p->team, count_undone(p, err), err) : rc;
}
