/* See verify.h. Invariant: every rank takes part in each collective, whatever it found,
 * and what is printed does not grow with the number of ranks. */
#include "verify.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/version.h"
#include "topo/bind.h"
#include "visible.h"
#include <ctype.h>
#include <unistd.h>

enum { MOST_TOLD = 8, ROOM = 512, TAG_FOUND = 8 };

int verify_build(const struct rank *r, struct gm_error *err)
{
    struct {
        char build[128], host[256];
    } first = {0};
    (void)snprintf(first.build, sizeof(first.build), "%s", version_build());
    (void)snprintf(first.host, sizeof(first.host), "%s", r->host);
    int rc = rank_share(0, &first, sizeof(first), err);
    if (rc < 0)
        return rc;
    if (strcmp(first.build, version_build()) != 0)
        rc = gm_fail(err,
                     -EINVAL,
                     "is gridmill %s, but rank 0 (%s) is gridmill %s: install one build "
                     "on all hosts",
                     version_build(),
                     first.host,
                     first.build);
    return rank_agree(r, rc, true, err);
}

/* what is not as planned */

GM_PRINTF(2, 3) static void add(struct str *found, const char *fmt, ...)
{
    char text[ROOM];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    str_printf(found, "%s%s", found->len > 0 ? "; " : "", text);
}

static void look_at_cpus(const struct rank *r,
                         const struct plan *plan,
                         const struct idset *planned,
                         struct str *found)
{
    struct gm_error why = {0};
    if (plan->binder == PLAN_BOUND_BY_RUNNER && bind_set_all(planned, &why) < 0)
        add(found, "%s", why.text);
    if (plan->binder == PLAN_UNBOUND || plan->binder == PLAN_BOUND_BY_RUNNER ||
        idset_equal(planned, r->inherited))
        return;
    AUTO_FREE(char) wanted = idset_format(planned);
    AUTO_FREE(char) got = idset_format(r->inherited);
    add(found,
        "planned on cpus %s, but the launcher bound it to %s (seen at its start)",
        wanted,
        got);
}

/* Some of the planned nodes are out of reach. */
static void
look_at_memory(const struct rank *r, const struct plan_rank *mine, struct str *found)
{
    AUTO(idset) planned = NULL;
    if (r->mems == NULL || idset_parse(mine->mems, &planned, NULL) != 0 ||
        idset_subset(planned, r->mems))
        return;
    AUTO_FREE(char) got = idset_format(r->mems);
    add(found,
        "planned on memory of NUMA nodes %s, but %s %s",
        mine->mems,
        r->mems_strict ? "a strict memory policy binds it to" : "its cpuset allows only",
        got);
}

static void look_at_gpus(const struct rank *r, const struct plan *plan, struct str *found)
{
    AUTO_STR sentence = {0};
    if (!visible_has(&r->gpus, plan, (unsigned)r->world, &sentence))
        add(found, "%s", str_text(&sentence));
}

static void look_at_number(const char *who,
                           const char *name,
                           const char *value,
                           const struct idset *planned,
                           struct str *found)
{
    unsigned pus = idset_count(planned);
    char *end;
    if (value == NULL || !isdigit((unsigned char)value[0]))
        return;
    unsigned long threads = strtoul(value, &end, 10); /* of "8,2" the outermost level */
    if (threads <= pus)
        return;
    AUTO_FREE(char) cpus = idset_format(planned);
    add(found,
        "%s%s=%.*s, but it has %u PU%s (cpus %s)",
        who,
        name,
        (int)(end - value),
        value,
        pus,
        pus == 1 ? "" : "s",
        cpus);
}

/* What the user set: the environment under a foreign launcher (ours sets the plan's), and
 * the words of a stage. */
static void look_at_threads(const struct jobspec *spec,
                            const struct idset *planned,
                            struct str *found)
{
    static const char *const names[] = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"};
    for (unsigned k = 0; k < 2; k++) {
        look_at_number("", names[k], getenv(names[k]), planned, found);
        for (unsigned i = 0; i < spec->n_stages; i++) {
            const struct jobspec_stage *s = &spec->stages[i];
            char who[160];
            (void)snprintf(who, sizeof(who), "stage %s sets ", s->name);
            for (unsigned e = 0; e < s->n_env; e++) {
                const struct jobspec_template *t = &s->env[e].value;
                if (strcmp(s->env[e].name, names[k]) == 0 && t->n == 1)
                    look_at_number(who, names[k], t->pieces[0].text, planned, found);
            }
        }
    }
}

static void look(const struct rank *r,
                 const struct plan *plan,
                 const struct jobspec *spec,
                 const struct idset *planned,
                 struct str *found)
{
    const struct plan_rank *mine = &plan->ranks[r->world];
    if (!alloc_same_host(mine->host, r->host) && !alloc_is_here(mine->host)) {
        add(found,
            "planned on host %s, but the launcher started it on %s",
            mine->host,
            r->host);
        return;
    }
    look_at_cpus(r, plan, planned, found);
    look_at_memory(r, mine, found);
    look_at_gpus(r, plan, found);
    look_at_threads(spec, planned, found);
}

/* telling it */

struct told {
    unsigned place; /* among the ranks that found something */
    char text[ROOM];
};

/* On rank 0 the sentences of the first ranks that have one; *ret_all: how many have. */
static int collect(const struct rank *r,
                   const char *found,
                   struct told *first,
                   unsigned *ret_all,
                   struct gm_error *err)
{
    struct told mine = {0};
    bool has = found[0] != '\0';
    int rc = rank_count(r, has, &mine.place, ret_all, err);
    if (rc < 0 || *ret_all == 0)
        return rc;
    (void)snprintf(mine.text, ROOM, "rank %d (%s): %s", r->world, r->host, found);
    bool speaks = has && mine.place < MOST_TOLD;
    if (r->world != 0) {
        if (speaks)
            (void)MPI_Send(&mine, sizeof(mine), MPI_BYTE, 0, TAG_FOUND, MPI_COMM_WORLD);
        return 0;
    }
    unsigned n = *ret_all < MOST_TOLD ? *ret_all : MOST_TOLD;
    for (unsigned i = speaks; i < n; i++) {
        struct told other;
        (void)MPI_Recv(&other,
                       sizeof(other),
                       MPI_BYTE,
                       MPI_ANY_SOURCE,
                       TAG_FOUND,
                       MPI_COMM_WORLD,
                       MPI_STATUS_IGNORE);
        first[other.place] = other;
    }
    if (speaks)
        first[mine.place] = mine;
    return 0;
}

static int settle(const struct rank *r,
                  enum plan_verify mode,
                  const char *found,
                  struct gm_error *err)
{
    struct told first[MOST_TOLD] = {0};
    unsigned all = 0;
    bool refuse = mode == PLAN_VERIFY_STRICT;
    int rc = collect(r, found, first, &all, err);
    if (rc < 0 || all == 0)
        return rc;
    bool lines = r->world == 0 && (!refuse || all > 1);
    for (unsigned i = 0; lines && i < all && i < MOST_TOLD; i++) {
        if (refuse)
            log_error("%s", first[i].text);
        else
            log_note("not as planned: %s", first[i].text);
    }
    if (lines && !refuse && all > MOST_TOLD)
        log_note("not as planned: and %u more ranks", all - MOST_TOLD);
    if (!refuse)
        return 0;
    if (all == 1)
        return gm_fail(err, -EINVAL, "%s", first[0].text);
    return gm_fail(err,
                   -EINVAL,
                   "%u ranks are not as planned, the first of them: %s",
                   all,
                   first[0].text);
}

/* Two ranks on one GPU, where each was to have its own: what the ranks say themselves. */
static int gpus_apart(const struct rank *r,
                      const struct plan *plan,
                      const struct jobspec *spec,
                      struct str *found,
                      struct gm_error *err)
{
    if (plan->verify == PLAN_VERIFY_OFF || !visible_matters(plan, spec))
        return 0;
    AUTO_STR shared = {0};
    char mine[VISIBLE_ROOM], gpu[64] = "";
    AUTO_FREE(char) all = xcalloc((size_t)r->n_ranks, VISIBLE_ROOM);
    visible_names(&r->gpus, mine);
    if (MPI_Allgather(
            mine, VISIBLE_ROOM, MPI_BYTE, all, VISIBLE_ROOM, MPI_BYTE, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Allgather failed");
    int64_t other =
        visible_sharer(plan, (char(*)[VISIBLE_ROOM])all, (unsigned)r->world, gpu);
    if (other >= 0)
        add(&shared,
            "has GPU %s in common with rank %d: give each rank its own "
            "(CUDA_VISIBLE_DEVICES, or srun --gpus-per-task)",
            gpu,
            (int)other);
    if (shared.len > 0)
        add(found, "%s", str_text(&shared));
    /* Nobody asked for it, so a word of the user's own is needed to let it pass. */
    enum plan_verify mode = spec->verify != NULL ? plan->verify : PLAN_VERIFY_STRICT;
    return settle(r, mode, str_text(&shared), err);
}

int verify_start(const struct rank *r,
                 const struct plan *plan,
                 const struct jobspec *spec,
                 const struct idset *planned,
                 struct str *found,
                 struct gm_error *err)
{
    look(r, plan, spec, planned, found);
    if (plan->verify == PLAN_VERIFY_OFF)
        str_clear(found);
    int rc = settle(r, plan->verify, str_text(found), err);
    return rc == 0 ? gpus_apart(r, plan, spec, found, err) : rc;
}

bool verify_working(const struct rank *r,
                    const struct plan *plan,
                    const struct idset *planned,
                    const struct idset *seen,
                    struct str *found)
{
    if (plan->verify == PLAN_VERIFY_OFF || plan->binder == PLAN_UNBOUND ||
        idset_equal(seen, planned))
        return true;
    if (found->len > 0 && idset_equal(seen, r->inherited))
        return true; /* told at the start */
    AUTO_FREE(char) wanted = idset_format(planned);
    AUTO_FREE(char) got = idset_format(seen);
    add(found,
        "planned on cpus %s, but the kernel shows %s while its task runs",
        wanted,
        got);
    return false;
}

void verify_record(const struct rank *r,
                   const struct idset *planned,
                   const char *seen,
                   const struct str *found,
                   const char *device,
                   struct writer *w)
{
    AUTO_FREE(char) wanted = idset_format(planned);
    AUTO_FREE(char) inherited = idset_format(r->inherited);
    AUTO_FREE(char) memory = r->mems != NULL ? idset_format(r->mems) : xstrdup("");
    writer_rank(
        w,
        &(struct result_rank){.host = r->host,
                              .device = device,
                              .planned = wanted,
                              .inherited = inherited,
                              .seen = seen,
                              .memory = memory,
                              .gpus = r->gpus.variable != NULL ? r->gpus.list : "all",
                              .mismatch = str_text(found),
                              .pid = (uint64_t)getpid()});
}
