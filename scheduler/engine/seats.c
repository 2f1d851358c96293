/* See seats.h. Invariant: the seats are in the order of the ranks, task i of a stage on
 * the i-th of the stage's, and each has a PU. */
#include "seats.h"
#include "base/memory.h"
#include "base/str.h"
#include "sched/match.h"
#include <assert.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { RANKS_A_PU = 1024 }; /* a total beyond this is a slip of the pen */

struct work {
    const struct jobspec *spec;
    const struct restree *tree;
    const struct match *match;
    const struct jobspec_stage *stage;
    unsigned first_slot, n_slots; /* of the match: the stage's */
    struct placement *at;
    uint64_t room, most; /* seats that there is memory for; that are sensible */
};

static int too_many(const struct work *w, struct gm_error *err)
{
    const struct jobspec_stage *s = w->stage;
    return gm_fail(err,
                   -EOVERFLOW,
                   "%s:%u:%u: stage %s: more than %" PRIu64
                   " tasks (%d for each CPU of this machine): ask for fewer",
                   w->spec->file,
                   s->line,
                   s->col,
                   s->name,
                   w->most,
                   RANKS_A_PU);
}

static int add_seat(struct work *w,
                    const struct match_part *part,
                    char *reason,
                    struct gm_error *err)
{
    struct placement *p = w->at;
    assert(part != NULL); /* a slot has a PU, so it has a part */
    if (p->n_ranks == w->most) {
        free(reason);
        return too_many(w, err);
    }
    if (p->n_ranks == w->room) {
        w->room = w->room > 0 ? 2 * w->room : 64;
        p->seats = xrealloc(p->seats, w->room, sizeof(*p->seats));
    }
    p->seats[p->n_ranks++] = (struct place_seat){.host = part->host,
                                                 .pus = idset_dup(part->pus),
                                                 .gpus = idset_dup(part->gpus),
                                                 .reason = reason};
    return 0;
}

/* Copies of one vertex follow each other. */
static void find_slots(struct work *w)
{
    w->n_slots = 0;
    for (unsigned i = w->match->n_slots; i-- > 0;) {
        if (w->match->slots[i].vertex != w->stage->slot)
            continue;
        w->first_slot = i;
        w->n_slots++;
    }
}

static const char *label_of(const struct match_slot *slot)
{
    return slot->vertex->label != NULL ? slot->vertex->label : "";
}

/* "slot default[2] of 4: package 1", where `part` of it is. */
static void add_slot(const struct work *w,
                     const struct match_slot *slot,
                     const struct match_part *part,
                     struct str *out)
{
    str_printf(out, "slot %s[%u] of %u: ", label_of(slot), slot->index, w->n_slots);
    match_where(w->tree, part, out);
}

/* ", task 2 of 3 in it" where there are several. */
static char *reason_of(const struct str *where, uint64_t task, uint64_t n)
{
    struct str text = {0};
    str_add(&text, str_text(where));
    if (n > 1)
        str_printf(&text, ", task %" PRIu64 " of %" PRIu64 " in it", task + 1, n);
    return str_steal(&text);
}

/* n tasks in one slot: its hosts in order, evenly; on each all of its PUs are shared. */
static int sit_in_slot(struct work *w,
                       const struct match_slot *slot,
                       uint64_t n,
                       struct gm_error *err)
{
    AUTO_STR where = {0};
    const struct match_part *last = NULL;
    int rc = n > w->most ? too_many(w, err) : 0;
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        const struct match_part *part = &slot->parts[i * slot->n_parts / n];
        if (part != last) {
            str_clear(&where);
            add_slot(w, slot, part, &where);
            last = part;
        }
        rc = add_seat(w, part, reason_of(&where, i, n), err);
    }
    return rc;
}

/* per_count tasks on each resource of a type in a part of a slot. */
static int sit_on_part(struct work *w,
                       const struct match_slot *slot,
                       const struct match_part *part,
                       struct gm_error *err)
{
    struct match_part *parts;
    unsigned n;
    uint64_t each = w->stage->per_count;
    int rc = 0;
    match_within(w->tree, part, w->stage->per_type, &parts, &n);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        AUTO_STR where = {0};
        add_slot(w, slot, &parts[i], &where);
        for (uint64_t t = 0; rc == 0 && t < each; t++)
            rc = add_seat(w, &parts[i], reason_of(&where, t, each), err);
    }
    match_parts_free(parts, n);
    return rc;
}

static int
sit_on_resources(struct work *w, const struct match_slot *slot, struct gm_error *err)
{
    unsigned before = w->at->n_ranks;
    int rc = 0;
    for (unsigned k = 0; rc == 0 && k < slot->n_parts; k++)
        rc = sit_on_part(w, slot, &slot->parts[k], err);
    if (rc == 0 && w->at->n_ranks == before)
        return gm_fail(err,
                       -EINVAL,
                       "%s:%u:%u: stage %s: per_resource: there is no %s in slot '%s'",
                       w->spec->file,
                       w->stage->line,
                       w->stage->col,
                       w->stage->name,
                       w->stage->per_type,
                       label_of(slot));
    return rc;
}

/* The slot at which a `total` begins to deal: behind the last one that an entry above it,
 * on the same slots, gave a task more than the others. */
static uint64_t first_dealt(const struct work *w)
{
    uint64_t at = 0;
    for (const struct jobspec_stage *s = w->spec->stages; s < w->stage; s++) {
        if (s->slot == w->stage->slot && s->per == JOBSPEC_TOTAL)
            at = (at + s->per_count % w->n_slots) % w->n_slots;
    }
    return at;
}

/* Tasks of a `total` in slot i: dealt evenly. */
static uint64_t share_of_total(const struct work *w, unsigned i)
{
    uint64_t total = w->stage->per_count, n = w->n_slots;
    return total / n + ((i + n - first_dealt(w)) % n < total % n);
}

static int sit_stage(struct work *w, struct gm_error *err)
{
    const struct jobspec_stage *s = w->stage;
    int rc = 0;
    find_slots(w);
    for (unsigned i = 0; rc == 0 && i < w->n_slots; i++) {
        const struct match_slot *slot = &w->match->slots[w->first_slot + i];
        uint64_t share = s->per == JOBSPEC_TOTAL ? share_of_total(w, i) : s->per_count;
        if (s->per == JOBSPEC_PER_RESOURCE)
            rc = sit_on_resources(w, slot, err);
        else
            rc = sit_in_slot(w, slot, share, err);
    }
    return rc;
}

static bool any_shared(const struct restree *tree, const struct placement *at)
{
    AUTO(occupancy) occ = occupancy_make(tree);
    for (unsigned i = 0; i < at->n_ranks; i++) {
        if (occupancy_claim(occ, at->seats[i].host, at->seats[i].pus, NULL, NULL) != 0)
            return true;
    }
    return false;
}

/* "FILE:12:5: resources: ..." where the match names a place, else "FILE: ...". */
static int name_file(const struct jobspec *spec, int rc, struct gm_error *err)
{
    if (rc == 0 || err == NULL)
        return rc;
    char text[sizeof(err->text)];
    memcpy(text, err->text, sizeof(text));
    bool placed = text[0] >= '0' && text[0] <= '9';
    return gm_fail(err, rc, "%s:%s%s", spec->file, placed ? "" : " ", text);
}

static uint64_t most_ranks(const struct restree *tree)
{
    uint64_t pus = 0;
    for (unsigned h = 0; h < tree->n_hosts; h++)
        pus += restree_shape(tree, h)->n_pus;
    return pus < INT32_MAX / RANKS_A_PU ? pus * RANKS_A_PU : INT32_MAX;
}

int seats_make(const struct jobspec *spec,
               const struct restree *tree,
               struct seats **ret,
               struct gm_error *err)
{
    AUTO(occupancy) occ = occupancy_make(tree);
    AUTO(match) match = NULL;
    int rc = match_make(
        tree, occ, spec->resources, spec->n_resources, spec->constraints, &match, err);
    if (rc != 0)
        return name_file(spec, rc, err);
    AUTO(seats) s = xcalloc(1, sizeof(*s));
    s->at = xcalloc(1, sizeof(*s->at));
    s->at->mapping = "slots";
    s->tasks = xcalloc(spec->n_stages, sizeof(*s->tasks));
    struct work w = {.spec = spec,
                     .tree = tree,
                     .match = match,
                     .at = s->at,
                     .most = most_ranks(tree)};
    for (unsigned i = 0; i < spec->n_stages; i++) {
        unsigned before = s->at->n_ranks;
        w.stage = &spec->stages[i];
        rc = sit_stage(&w, err);
        if (rc != 0)
            return rc;
        s->tasks[i] = s->at->n_ranks - before;
    }
    s->shared = any_shared(tree, s->at);
    *ret = steal(&s);
    return 0;
}

void seats_free(struct seats *s)
{
    if (s == NULL)
        return;
    placement_free(s->at);
    free(s->tasks);
    free(s);
}

int seats_check_folder(const struct jobspec *spec, struct gm_error *err)
{
    struct stat st;
    int rc = stat(spec->dir, &st) != 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    if (rc == 0)
        return 0;
    return gm_fail(err,
                   rc,
                   "%s: attributes.system.cwd: %s: %s: the commands cannot start there",
                   spec->file,
                   spec->dir,
                   strerror(-rc));
}
