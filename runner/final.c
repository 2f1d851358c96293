/* See final.h. Invariant: the folder goes only when the packed file stands under its
 * name; nobody takes it over while it is packed. */
#include "final.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "engine/receipts.h"
#include "engine/summary.h"
#include "result/pack_mpi.h"
#include "token.h"
#include <unistd.h>

#define ALONE_BELOW (UINT64_C(32) << 20) /* bytes: rank 0 has packed them before ... */
#define GROUP_TAG   77 /* ... the others are asked. Of MPI_Comm_create_group. */

/* Beside the results, for people who started us without gridmill (which writes it
 * itself). */
static int write_summary(const struct plan *plan, struct gm_error *err)
{
    AUTO(summary) summary = NULL;
    int rc = summary_load(plan->results, &summary, err);
    if (rc < 0)
        return rc;
    AUTO_FREE(char) json = summary_json(summary);
    AUTO_FREE(char) path = summary_path(plan->results);
    struct gm_error why = {0};
    if (receipts_write(summary, &why) != 0)
        log_note("the receipt was not noted: %s", why.text);
    return file_write(path, json, strlen(json), err);
}

/* The first ranks of each host, rank 0 among them: the plan says the same to all. */
static unsigned list_packers(const struct plan *plan, int *ret)
{
    unsigned n = 0, each = plan->n_hosts > 0 ? FINAL_MOST / plan->n_hosts : FINAL_PACKERS;
    each = each > FINAL_PACKERS ? FINAL_PACKERS : each == 0 ? 1 : each;
    for (unsigned i = 0; i < plan->n_ranks && n < FINAL_MOST; i++) {
        unsigned before = 0;
        for (unsigned k = n; k-- > 0 && before < each;)
            before += strcmp(plan->ranks[ret[k]].host, plan->ranks[i].host) == 0;
        if (before < each)
            ret[n++] = (int)i;
    }
    return n;
}

int final_join(const struct plan *plan, int world, MPI_Comm *ret, struct gm_error *err)
{
    MPI_Group all, some;
    AUTO_FREE(int) packers = xcalloc(plan->n_ranks + 1u, sizeof(*packers));
    unsigned n = list_packers(plan, packers);
    bool mine = false;
    *ret = MPI_COMM_NULL;
    for (unsigned i = 0; i < n; i++)
        mine |= packers[i] == world;
    if (!mine)
        return 0;
    (void)MPI_Comm_group(MPI_COMM_WORLD, &all);
    (void)MPI_Group_incl(all, (int)n, packers, &some);
    int rc = MPI_Comm_create_group(MPI_COMM_WORLD, some, GROUP_TAG, ret);
    (void)MPI_Group_free(&some);
    (void)MPI_Group_free(&all);
    return rc == MPI_SUCCESS ? 0 : gm_fail(err, -EIO, "MPI_Comm_create_group failed");
}

static int
run(const struct final *f, const struct pack_options *opt, int rc, struct gm_error *err)
{
    if (f->packers == MPI_COMM_NULL)
        return rc == 0 ? pack_run(opt, err) : rc;
    return pack_mpi(opt,
                    &(struct pack_mpi){.comm = f->packers,
                                       .lost = f->lost,
                                       .ctx = f->ctx,
                                       .alone_below = ALONE_BELOW,
                                       .rc = rc},
                    err);
}

int final_pack(const struct final *f, uint64_t *ret_damaged, struct gm_error *err)
{
    const struct plan *plan = f->req->planning->plan;
    const struct jobspec *spec = f->req->planning->spec;
    bool first = f->req->rank->world == 0;
    bool failed = f->end->counts.failed + f->end->counts.skipped > 0;
    struct pack_options opt = {.folder = plan->folder,
                               .file = plan->results,
                               .complete = true,
                               .whole = true,
                               .end = clock_unix(),
                               .outcome = failed ? "failed" : "done",
                               .gzip = spec->compress != NULL &&
                                       strcmp(spec->compress, "gzip") == 0,
                               .sharded = spec->pack == JOBSPEC_PACK_SHARDED,
                               .ret_damaged = ret_damaged};
    AUTO_FD held = -1; /* else --force or a resume may take the folder meanwhile */
    if (first)
        tell_packing(f->req->tell);
    int rc = first ? token_hold(plan, &held, err) : 0;
    rc = run(f, &opt, rc, err);
    if (!first)
        return rc;
    if (rc == 0 && f->req->rank->alloc.launcher != ALLOC_OURS)
        rc = write_summary(plan, err);
    return rc == 0 ? pack_clean(&opt, err) : rc;
}
