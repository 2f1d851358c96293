/* See byword.h. Invariant: what a job says beside its words is obeyed or refused, never
 * passed over. */
#include "byword.h"
#include "base/memory.h"
#include "base/str.h"
#include "sched/mapby.h"
#include "spec/mapwords.h"
#include <string.h>
#include <unistd.h>

/* What says the same as words do, or nothing that they know. */
static int check(const struct jobspec *spec,
                 const char *words,
                 const struct mapwords *w,
                 struct gm_error *err)
{
    if (w->cannot[0] != '\0')
        return gm_fail(err, -EINVAL, "map-by %s: %s", words, w->cannot);
    if (spec->nodes > 0 || spec->ranks_per_node > 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: nodes and ranks-per-node do not go with map-by %s: write "
                       "map-by: ppr:N:node",
                       spec->file,
                       words);
    if (spec->threads > 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: per-rank.threads does not go with map-by %s: write "
                       "HWTCPUS and PE=%u",
                       spec->file,
                       words,
                       spec->threads);
    if (spec->cores > 0 && w->pe > 0 && spec->cores != w->pe && !w->hwtcpus)
        return gm_fail(err,
                       -EINVAL,
                       "%s: per-rank.cores is %u, but map-by %s says PE=%u",
                       spec->file,
                       spec->cores,
                       words,
                       w->pe);
    return 0;
}

static void hold_local(const struct restree *tree, struct occupancy *occ)
{
    char name[256] = "";
    (void)gethostname(name, sizeof(name) - 1);
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        const struct topo_shape *s = restree_shape(tree, h);
        AUTO(idset) pus = idset_make();
        if (strcmp(tree->hosts[h].name, name) != 0)
            continue;
        for (unsigned i = 0; i < s->n_pus; i++) {
            if (occupancy_pu_free(occ, h, s->pus[i]))
                idset_add(pus, s->pus[i]);
        }
        (void)occupancy_claim(occ, h, pus, NULL, NULL);
    }
}

static int check_memory(const struct restree *tree,
                        const struct occupancy *occ,
                        const struct placement *p,
                        uint64_t bytes,
                        struct gm_error *err)
{
    AUTO_FREE(unsigned) n = xcalloc(tree->n_hosts, sizeof(*n)); /* ranks on each */
    for (unsigned i = 0; i < p->n_ranks; i++)
        n[p->seats[i].host]++;
    for (unsigned h = 0; bytes > 0 && h < tree->n_hosts; h++) {
        uint64_t left = occupancy_free_memory(occ, h, 0);
        if (n[h] == 0 || left / n[h] >= bytes)
            continue;
        char have[32], want[32];
        return gm_fail(
            err,
            -EOVERFLOW,
            "%s gets %u ranks of %s, but has %s of memory: ask for fewer ranks "
            "there, or for less",
            tree->hosts[h].name,
            n[h],
            str_bytes(bytes, want),
            str_bytes(left, have));
    }
    return 0;
}

/* What the job says of a rank, as modifiers behind the words. */
static int extend(const struct jobspec *spec,
                  const char *words,
                  struct str *out,
                  struct mapwords *ret,
                  struct gm_error *err)
{
    struct mapwords w;
    unsigned at;
    int rc = mapwords_parse(words, NULL, NULL, &w, &at, err);
    if (rc == 0)
        rc = check(spec, words, &w, err);
    if (rc != 0)
        return rc;
    str_add(out, words);
    if (spec->cores > 1 && w.pe == 0)
        str_printf(out, ":PE=%u", spec->cores);
    if (spec->oversubscribe && !w.oversubscribe && !w.no_oversubscribe)
        str_add(out, ":OVERSUBSCRIBE");
    *ret = w;
    return 0;
}

int byword_text(const struct jobspec *spec,
                const char *words,
                struct str *out,
                struct gm_error *err)
{
    struct mapwords w;
    return extend(spec, words, out, &w, err);
}

int byword_map(const struct jobspec *spec,
               const struct restree *tree,
               struct occupancy *occ,
               const char *words,
               struct placement **ret,
               struct gm_error *err)
{
    AUTO_STR text = {0};
    struct mapwords w;
    struct mapby_app app = {.n_ranks = spec->ranks, .gpus = spec->gpus};
    if (words == NULL) {
        words = spec->mapping;
        app.words.rank_by = spec->rank_by;
        app.words.bind_to = spec->bind_to;
    }
    int rc = extend(spec, words, &text, &w, err);
    if (rc != 0)
        return rc;
    if (w.no_local)
        hold_local(tree, occ);
    app.words.map_by = text.text;
    AUTO(placement) p = NULL;
    rc = mapby_map(tree, occ, &app, 1, &p, err);
    if (rc == 0)
        rc = check_memory(tree, occ, p, spec->memory, err);
    if (rc != 0)
        return rc;
    p->mapping = words;
    *ret = steal(&p);
    return 0;
}

int byword_inherit(const struct restree *tree,
                   const struct occupancy *occ,
                   const struct place_request *req,
                   struct placement **ret,
                   struct gm_error *err)
{
    struct place_request as = *req;
    AUTO(placement) p = NULL;
    as.mapping = "auto";
    int rc = place_map(tree, occ, &as, &p, err);
    for (unsigned r = 0; rc == 0 && r < p->n_ranks; r++) {
        struct place_seat *seat = &p->seats[r];
        const struct topo_shape *s = restree_shape(tree, seat->host);
        for (unsigned i = 0; i < s->n_pus; i++) {
            if (occupancy_pu_free(occ, seat->host, s->pus[i]))
                idset_add(seat->pus, s->pus[i]);
        }
        if (seat->mems != NULL)
            idset_clear(seat->mems);
        free(seat->reason);
        seat->reason = xstrdup("inherited: bound by nobody");
    }
    if (rc != 0)
        return rc;
    p->unbound = true;
    p->mapping = "inherited";
    *ret = steal(&p);
    return 0;
}
