/* See rank.h. PMIx is asked only for what it knows; where it is silent (MPICH, a
 * singleton) the fields stay unknown and nothing depends on them. */
#include "rank.h"
#include "base/clock.h"
#include "base/memory.h"
#include "launch/quick.h"
#include "topo/bind.h"
#include <inttypes.h>
#include <pmix.h>
#include <unistd.h>

int rank_prepare(struct rank *ret, struct gm_error *err)
{
    *ret = (struct rank){
        .start = clock_unix(), .farm = MPI_COMM_NULL, .groups = MPI_COMM_NULL};
    ret->pmix.job_size = ret->pmix.local_size = ret->pmix.n_nodes = -1;
    alloc_read(&ret->alloc);
    if (gethostname(ret->host, sizeof(ret->host) - 1) != 0)
        return gm_fail(err, -errno, "gethostname: %s", strerror(errno));
    ret->gpus = visible_read(ret->alloc.job_id != NULL);
    (void)bind_read_memory(&ret->mems, &ret->mems_strict, NULL);
    return bind_read_all(0, &ret->inherited, err);
}

static int64_t pmix_number(const pmix_proc_t *who, const char *key)
{
    pmix_value_t *v = NULL;
    int64_t number = -1;
    if (PMIx_Get(who, key, NULL, 0, &v) != PMIX_SUCCESS)
        return -1;
    if (v->type == PMIX_UINT32)
        number = v->data.uint32;
    else if (v->type == PMIX_UINT16)
        number = v->data.uint16;
    else if (v->type == PMIX_INT)
        number = v->data.integer;
    else if (v->type == PMIX_SIZE)
        number = (int64_t)v->data.size;
    PMIX_VALUE_RELEASE(v);
    return number;
}

static void pmix_text(const pmix_proc_t *who, const char *key, char *ret, size_t room)
{
    pmix_value_t *v = NULL;
    ret[0] = '\0';
    if (PMIx_Get(who, key, NULL, 0, &v) != PMIX_SUCCESS)
        return;
    if (v->type == PMIX_STRING && v->data.string != NULL)
        (void)snprintf(ret, room, "%s", v->data.string);
    PMIX_VALUE_RELEASE(v);
}

static void ask_pmix(struct rank *r)
{
    pmix_proc_t me, all;
    if (r->alloc.launcher == ALLOC_NONE || PMIx_Init(&me, NULL, 0) != PMIX_SUCCESS)
        return;
    all = me;
    all.rank = PMIX_RANK_WILDCARD;
    r->pmix.job_size = pmix_number(&all, PMIX_JOB_SIZE);
    r->pmix.local_size = pmix_number(&all, PMIX_LOCAL_SIZE);
    r->pmix.n_nodes = pmix_number(&all, PMIX_NUM_NODES);
    pmix_text(&me, PMIX_CPUSET, r->pmix.cpuset, sizeof(r->pmix.cpuset));
    pmix_text(&me, PMIX_LOCALITY_STRING, r->pmix.locality, sizeof(r->pmix.locality));
    pmix_text(&me, PMIX_HOSTNAME, r->pmix.hostname, sizeof(r->pmix.hostname));
    (void)PMIx_Finalize(NULL, 0); /* one of two references; MPI holds the other */
}

int rank_open(struct rank *r, int *argc, char ***argv, struct gm_error *err)
{
    int granted, rc = alloc_check_start(&r->alloc, err);
    if (rc < 0)
        return rc;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &granted) != MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Init_thread failed");
    r->inited = clock_unix();
    quick_local();
    (void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &r->world);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &r->n_ranks);
    rc = alloc_check(&r->alloc, r->n_ranks, err);
    if (rc < 0)
        return rc;
    if (granted < MPI_THREAD_MULTIPLE)
        return gm_fail(err,
                       -EINVAL,
                       "this MPI library does not grant MPI_THREAD_MULTIPLE: "
                       "use one built with thread support");
    ask_pmix(r);
    if (r->pmix.job_size > 0 && r->pmix.job_size != r->n_ranks)
        return gm_fail(err,
                       -EINVAL,
                       "PMIx tells of %" PRId64 " ranks, but MPI sees %d: start it "
                       "with the mpirun or srun of the MPI it was built with",
                       r->pmix.job_size,
                       r->n_ranks);
    if (MPI_Comm_dup(MPI_COMM_WORLD, &r->farm) != MPI_SUCCESS ||
        MPI_Comm_dup(MPI_COMM_WORLD, &r->groups) != MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Comm_dup failed");
    return 0;
}

void rank_close(struct rank *r)
{
    int inited = 0;
    (void)MPI_Initialized(&inited);
    if (inited != 0)
        (void)MPI_Finalize();
    idset_free(r->inherited);
    idset_free(r->mems);
    r->inherited = r->mems = NULL;
}

/* Waits for a collective without holding the core: rank 0 may be busy with a file for
 * some time, and the cores belong to who works. */
static int wait_asleep(MPI_Request *request, struct gm_error *err)
{
    static const double longest = 500e-6;
    double nap = 10e-6;
    for (;;) {
        int done = 0;
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return gm_fail(err, -EIO, "MPI_Test failed");
        if (done != 0)
            return 0;
        clock_sleep(nap);
        nap = nap < longest ? 1.5 * nap : longest;
    }
}

int rank_share(int from, void *buf, size_t n, struct gm_error *err)
{
    MPI_Request request;
    if (n > INT32_MAX)
        return gm_fail(err, -EFBIG, "%zu bytes for all ranks: more than 2 GiB", n);
    if (MPI_Ibcast(buf, (int)n, MPI_BYTE, from, MPI_COMM_WORLD, &request) != MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Ibcast failed");
    return wait_asleep(&request, err);
}

int rank_collect(const void *mine, size_t n, void *all, struct gm_error *err)
{
    MPI_Request request;
    int bytes = (int)n;
    if (MPI_Igather(
            mine, bytes, MPI_BYTE, all, bytes, MPI_BYTE, 0, MPI_COMM_WORLD, &request) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Igather failed");
    return wait_asleep(&request, err);
}

int rank_agree(const struct rank *r, int code, bool name_rank, struct gm_error *err)
{
    int mine = code < 0 ? r->world : INT32_MAX, lowest;
    MPI_Request request;
    if (MPI_Iallreduce(&mine, &lowest, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD, &request) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Iallreduce failed");
    int rc = wait_asleep(&request, err);
    if (rc < 0 || lowest == INT32_MAX)
        return rc;
    struct gm_error theirs = {.code = code};
    if (mine == lowest && err != NULL)
        theirs = *err;
    theirs.code = code;
    if (mine == lowest && name_rank)
        (void)gm_prefix(&theirs, "rank %d (%s)", r->world, r->host);
    rc = rank_share(lowest, &theirs, sizeof(theirs), err);
    if (rc < 0)
        return rc;
    if (err != NULL)
        *err = theirs;
    return theirs.code;
}

int rank_count(const struct rank *r,
               bool mine,
               unsigned *ret_before,
               unsigned *ret_all,
               struct gm_error *err)
{
    unsigned one = mine, before = 0;
    MPI_Request request;
    if (MPI_Iexscan(&one, &before, 1, MPI_UNSIGNED, MPI_SUM, MPI_COMM_WORLD, &request) !=
        MPI_SUCCESS)
        return gm_fail(err, -EIO, "MPI_Iexscan failed");
    int rc = wait_asleep(&request, err);
    *ret_before = r->world > 0 ? before : 0;
    *ret_all = *ret_before + one; /* on the last rank */
    return rc == 0 ? rank_share(r->n_ranks - 1, ret_all, sizeof(*ret_all), err) : rc;
}

int rank_share_text(const struct rank *r, char **text, size_t *len, struct gm_error *err)
{
    uint64_t n = r->world == 0 ? *len : 0;
    int rc = rank_share(0, &n, sizeof(n), err);
    if (rc < 0)
        return rc;
    if (r->world != 0) {
        *text = xcalloc(n + 1, 1);
        *len = n;
    }
    return rank_share(0, *text, n, err);
}
