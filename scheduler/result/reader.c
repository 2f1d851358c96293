/* See reader.h. Invariant: whatever the source, the same call gives the same answer; a
 * packed file, which may come from anywhere, was opened in a child process before it is
 * opened here. */
#include "reader.h"
#include "base/apart.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "head.h"
#include "losses.h"
#include "packed.h"
#include "read.h"
#include "receipt_gather.h"
#include "shards.h"
#include <math.h>
#include <sys/stat.h>

#define LOOK_SECONDS 20u

struct reader {
    char *path;
    hid_t file; /* of a packed file; -1 for shards */
    struct head head;
    struct packed *packed; /* one of the two */
    struct shards *shards;
    struct losses losses; /* of a folder */
};

static int open_packed(struct reader *r, struct gm_error *err)
{
    int rc = h5_open(r->path, H5F_ACC_RDONLY, &r->file, err);
    if (rc != 0)
        return rc;
    rc = head_load(r->file, &r->head, err);
    rc = rc == 0 ? packed_open(r->file, &r->head, &r->packed, err) : rc;
    if (rc != 0)
        (void)gm_prefix(err, "%s", r->path);
    return rc;
}

static bool is_run(const char *folder)
{
    AUTO_STR plan = {0};
    str_printf(&plan, "%s/plan.json", folder);
    return file_exists(plan.text);
}

static int open_folder(struct reader *r, struct gm_error *err)
{
    int rc = head_load_folder(r->path, &r->head, err);
    if (rc == -ENOENT)
        return gm_fail(err,
                       rc,
                       "%s: %s",
                       r->path,
                       is_run(r->path) ? "no rank of its run has come to a task yet"
                                       : "is a folder, and holds no run's results");
    rc = rc == 0 ? shards_open(r->path, &r->head, &r->shards, err) : rc;
    return rc == 0 ? losses_read(r->path, &r->losses, err) : rc;
}

static int try_packed(const void *what, uint64_t *ret, struct gm_error *err)
{
    const char *path = what;
    struct reader *r = xcalloc(1, sizeof(*r));
    r->file = -1;
    r->path = xstrdup(path);
    AUTO(receipt) receipt = NULL;
    int rc = open_packed(r, err);
    rc = rc == 0 ? receipt_load(r->file, &receipt, err) : rc;
    reader_close(r);
    *ret = 0;
    return rc;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int reader_open(const char *path, struct reader **ret, struct gm_error *err)
{
    h5_begin();
    struct reader *r = xcalloc(1, sizeof(*r));
    r->file = -1;
    AUTO_STR folder = {0};
    str_printf(&folder, "%s.gm", path);
    bool shards = is_folder(path) || (!file_exists(path) && is_folder(folder.text));
    r->path = xstrdup(shards && !is_folder(path) ? folder.text : path);
    const struct apart packed = {try_packed, path, path, "HDF5", LOOK_SECONDS};
    uint64_t unused;
    int rc = shards ? open_folder(r, err) : apart_call(&packed, &unused, err);
    if (rc == 0 && !shards)
        rc = open_packed(r, err);
    if (rc == 0)
        *ret = r;
    else
        reader_close(r);
    return rc;
}

int reader_refresh(struct reader *r, struct gm_error *err)
{
    if (r->shards == NULL)
        return 0;
    int rc = shards_refresh(r->shards, err);
    losses_clear(&r->losses);
    return rc == 0 ? losses_read(r->path, &r->losses, err) : rc;
}

void reader_close(struct reader *r)
{
    if (r == NULL)
        return;
    shards_close(r->shards);
    packed_close(r->packed);
    head_free(&r->head);
    h5_release(&r->file);
    losses_clear(&r->losses);
    free(r->path);
    free(r);
}

bool reader_is_packed(const struct reader *r)
{
    return r->packed != NULL;
}

unsigned reader_n_stages(const struct reader *r)
{
    return r->head.n_stages;
}

const struct reader_stage *reader_stage(const struct reader *r, unsigned stage)
{
    return &r->head.stages[stage];
}

const char *reader_job_text(const struct reader *r, const char *key)
{
    return head_text(&r->head, key);
}

const char *reader_outcome(const struct reader *r, double *ret_end)
{
    *ret_end = r->head.end;
    return r->head.outcome;
}

unsigned reader_n_ranks(const struct reader *r)
{
    return r->packed != NULL ? packed_n_ranks(r->packed) : shards_n_ranks(r->shards);
}

int reader_rank(const struct reader *r,
                unsigned rank,
                struct reader_rank *ret,
                struct gm_error *err)
{
    if (rank >= reader_n_ranks(r))
        return gm_fail(err, -ENOENT, "%s: there is no rank %u", r->path, rank);
    if (r->packed != NULL)
        packed_rank(r->packed, rank, ret);
    else
        shards_rank(r->shards, rank, ret);
    const struct losses_rank *lost = losses_last(&r->losses, rank);
    if (lost != NULL) {
        ret->lost = lost->when;
        ret->lost_why = lost->why;
    }
    return 0;
}

int reader_receipt(const struct reader *r, struct receipt **ret, struct gm_error *err)
{
    if (r->shards == NULL)
        return receipt_load(r->file, ret, err);
    *ret = receipt_gather(&r->head, r->shards, shards_whole(r->shards, NULL) == 0);
    return 0;
}

static int
check_task(const struct reader *r, unsigned stage, uint64_t task, struct gm_error *err)
{
    if (stage >= r->head.n_stages)
        return gm_fail(err, -ENOENT, "%s: there is no stage %u", r->path, stage);
    if (task >= r->head.stages[stage].n_tasks)
        return gm_fail(err,
                       -ENOENT,
                       "%s: stage %s has no task %llu",
                       r->path,
                       r->head.stages[stage].name,
                       (unsigned long long)task);
    return 0;
}

int reader_task(struct reader *r,
                unsigned stage,
                uint64_t task,
                struct reader_task *ret,
                struct gm_error *err)
{
    int rc = check_task(r, stage, task, err);
    if (rc != 0)
        return rc;
    return r->packed != NULL ? packed_task(r->packed, stage, task, ret, err)
                             : shards_task(r->shards, stage, task, ret, err);
}

int read_find(struct reader *r,
              unsigned stage,
              uint64_t task,
              uint32_t kind,
              uint32_t index,
              struct source_value *ret,
              struct gm_error *err)
{
    return r->packed != NULL ? packed_find(r->packed, stage, task, kind, index, ret, err)
                             : shards_find(r->shards, stage, task, kind, index, ret, err);
}

int read_bytes(struct reader *r,
               const struct source_value *v,
               void *out,
               struct gm_error *err)
{
    return r->packed != NULL ? packed_read(r->packed, v, out, err)
                             : shards_read(r->shards, v, out, err);
}

struct shards *read_shards(const struct reader *r)
{
    return r->shards;
}

const struct head *read_head(const struct reader *r)
{
    return &r->head;
}

static int no_value(const struct reader *r,
                    unsigned stage,
                    uint64_t task,
                    uint32_t kind,
                    uint32_t index,
                    struct gm_error *err)
{
    static const char *const kinds[] = {
        "value", "output", "series", "stdout", "stderr", "parameters", "message"};
    const struct reader_stage *s = &r->head.stages[stage];
    bool named = source_needs_done(kind) && index < s->n_outputs;
    return gm_fail(err,
                   -ENOENT,
                   "%s: %s[%llu] has no %s%s%s",
                   r->path,
                   s->name,
                   (unsigned long long)task,
                   kinds[kind <= RESULT_MESSAGE ? kind : 0],
                   named ? " " : "",
                   named ? s->outputs[index].name : "");
}

int reader_shape(struct reader *r,
                 unsigned stage,
                 uint64_t task,
                 uint32_t kind,
                 uint32_t index,
                 struct reader_value *ret,
                 struct gm_error *err)
{
    struct source_value v;
    int rc = check_task(r, stage, task, err);
    rc = rc == 0 ? read_find(r, stage, task, kind, index, &v, err) : rc;
    if (rc == -ENOENT)
        return no_value(r, stage, task, kind, index, err);
    if (rc != 0)
        return rc;
    *ret = (struct reader_value){.dtype = v.dtype, .ndim = v.ndim, .nbytes = v.nbytes};
    memcpy(ret->dims, v.dims, sizeof(v.dims));
    return 0;
}

int reader_value(struct reader *r,
                 unsigned stage,
                 uint64_t task,
                 uint32_t kind,
                 uint32_t index,
                 struct reader_value *ret,
                 struct gm_error *err)
{
    struct source_value v;
    int rc = check_task(r, stage, task, err);
    rc = rc == 0 ? read_find(r, stage, task, kind, index, &v, err) : rc;
    if (rc == -ENOENT)
        return no_value(r, stage, task, kind, index, err);
    if (rc != 0)
        return rc;
    unsigned char *data = malloc(v.nbytes + 1);
    if (data == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "%s: no memory for a value of %llu bytes",
                       r->path,
                       (unsigned long long)v.nbytes);
    rc = read_bytes(r, &v, data, err);
    if (rc != 0) {
        free(data);
        return rc;
    }
    data[v.nbytes] = '\0';
    struct reader_value value = {
        .dtype = v.dtype, .ndim = v.ndim, .data = data, .nbytes = v.nbytes};
    memcpy(value.dims, v.dims, sizeof(value.dims));
    *ret = value;
    return 0;
}

static double as_double(uint32_t dtype, const void *data)
{
    union {
        uint8_t u8;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
    } v = {.f64 = 0};
    memcpy(&v, data, gm_dtype_size(dtype));
    switch (dtype) {
    case GM_U8:
        return v.u8;
    case GM_I32:
        return v.i32;
    case GM_I64:
        return (double)v.i64;
    case GM_F32:
        return (double)v.f32;
    default:
        return v.f64;
    }
}

int reader_best(struct reader *r,
                unsigned stage,
                unsigned output,
                bool least,
                uint64_t *ret_task,
                struct gm_error *err)
{
    int rc = stage < r->head.n_stages ? 0 : check_task(r, stage, 0, err);
    if (rc != 0)
        return rc;
    const struct reader_stage *s = &r->head.stages[stage];
    bool found = false;
    double best = 0;
    uint64_t at = 0;
    for (uint64_t task = 0; task < s->n_tasks; task++) {
        struct source_value v;
        unsigned char data[8];
        rc = read_find(r, stage, task, RESULT_OUTPUT, output, &v, err);
        if (rc == -ENOENT || (rc == 0 && v.nbytes != gm_dtype_size(v.dtype)))
            continue;
        rc = rc == 0 ? read_bytes(r, &v, data, err) : rc;
        if (rc != 0)
            return rc;
        double x = as_double(v.dtype, data);
        if (isnan(x) || (found && !(least ? x < best : x > best)))
            continue;
        found = true;
        best = x;
        at = task;
    }
    if (!found)
        return gm_fail(err,
                       -ENOENT,
                       "%s: no task of stage %s has a value of %s to compare",
                       r->path,
                       s->name,
                       output < s->n_outputs ? s->outputs[output].name : "that output");
    *ret_task = at;
    return 0;
}
