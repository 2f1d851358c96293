/* See summary.h: from the commit records to numbers. Invariant: a number here is of tasks
 * that are done, and it is left out (n == 0) rather than guessed where no task gave one.
 */
#include "summary.h"
#include "base/memory.h"
#include "result/parts.h"
#include "summary_data.h"
#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <sys/stat.h>

struct summary_place {
    unsigned stage, output;
    int weight; /* index of the output to weigh by, or -1 */
};

/* One element of a value as a number. */
static double element(const struct reader_value *v, uint64_t i)
{
    switch (v->dtype) {
    case GM_U8:
        return ((const uint8_t *)v->data)[i];
    case GM_I32:
        return ((const int32_t *)v->data)[i];
    case GM_I64:
        return (double)((const int64_t *)v->data)[i];
    case GM_F32:
        return (double)((const float *)v->data)[i];
    case GM_F64:
        return ((const double *)v->data)[i];
    default:
        return (double)NAN;
    }
}

static uint64_t count_of(const struct reader_value *v)
{
    size_t size = gm_dtype_size(v->dtype);
    return size > 0 ? v->nbytes / size : 0;
}

/* The task's scalar, or NaN when it has none. */
static double scalar(struct reader *r, unsigned stage, uint64_t task, unsigned output)
{
    struct reader_value v = {0};
    if (reader_value(r, stage, task, RESULT_OUTPUT, output, &v, NULL) != 0)
        return (double)NAN;
    double x = count_of(&v) == 1 ? element(&v, 0) : (double)NAN;
    free(v.data);
    return x;
}

static const char *task_text(
    struct summary *s, struct reader *r, unsigned stage, uint64_t task, uint32_t kind)
{
    struct reader_value v = {0};
    if (reader_value(r, stage, task, kind, 0, &v, NULL) != 0)
        return "";
    const char *text = arena_copy(s->arena, v.data, v.nbytes);
    free(v.data);
    return text;
}

static int weight_index(const struct reader_stage *from, const char *name)
{
    for (unsigned i = 0; name != NULL && i < from->n_outputs; i++) {
        if (strcmp(from->outputs[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static void
add_matrix(struct summary *s, struct summary_output *o, const struct reader_value *v)
{
    if (v->ndim != 2 || v->dims[0] == 0 || v->dims[1] == 0 ||
        count_of(v) / v->dims[0] != v->dims[1] || count_of(v) > 1 << 20)
        return;
    if (o->n == 0) {
        o->rows = v->dims[0];
        o->cols = v->dims[1];
        o->cells = arena_alloc(s->arena, o->rows * o->cols, sizeof(*o->cells));
    }
    if (v->dims[0] != o->rows || v->dims[1] != o->cols)
        return; /* tasks with other classes do not add up */
    for (uint64_t i = 0; i < o->rows * o->cols; i++)
        o->cells[i] += element(v, i);
    o->n++;
}

/* Takes one task's value into the output's number. total is the sum of weights. */
static void
add_scalar(struct summary_output *o, uint64_t task, double x, double w, double *total)
{
    if (isnan(x) || isnan(w))
        return;
    bool first = o->n++ == 0;
    switch (o->kind) {
    case GM_SUM_TOTAL:
        o->value = first ? x : o->value + x;
        break;
    case GM_SUM_MEAN: /* the weighted sum; divided at the end */
        o->value = first ? w * x : o->value + w * x;
        *total += w;
        break;
    case GM_SUM_BEST:
    case GM_SUM_LEAST:
        if (first || (o->kind == GM_SUM_BEST ? x > o->value : x < o->value)) {
            o->value = x;
            o->task = task;
        }
        break;
    default:
        break;
    }
}

/* Takes one done task's value in. total is the sum of weights. */
static void add_task(struct summary *s,
                     struct reader *r,
                     const struct summary_place *at,
                     uint64_t task,
                     struct summary_output *o,
                     double *total)
{
    if (o->kind == GM_SUM_MATRIX) {
        struct reader_value v = {0};
        if (reader_value(r, at->stage, task, RESULT_OUTPUT, at->output, &v, NULL) == 0)
            add_matrix(s, o, &v);
        free(v.data);
        return;
    }
    double w = at->weight >= 0 ? scalar(r, at->stage, task, (unsigned)at->weight) : 1;
    add_scalar(o, task, scalar(r, at->stage, task, at->output), w, total);
}

static int read_output(struct summary *s,
                       struct reader *r,
                       const struct summary_place *at,
                       struct summary_output *o,
                       struct gm_error *err)
{
    double total = 0;
    uint64_t n = reader_stage(r, at->stage)->n_tasks;
    for (uint64_t t = 0; t < n; t++) {
        struct reader_task task;
        int rc = reader_task(r, at->stage, t, &task, err);
        if (rc != 0)
            return rc;
        if (task.status == RESULT_DONE)
            add_task(s, r, at, t, o, &total);
    }
    if (o->kind == GM_SUM_MEAN)
        o->value = total > 0 ? o->value / total : (double)NAN;
    if (o->n > 0 && (o->kind == GM_SUM_BEST || o->kind == GM_SUM_LEAST))
        o->params = task_text(s, r, at->stage, o->task, RESULT_PARAMS);
    return 0;
}

static int
read_outputs(struct summary *s, struct reader *r, unsigned stage, struct gm_error *err)
{
    const struct reader_stage *from = reader_stage(r, stage);
    struct summary_stage *to = &s->stages[stage];
    to->outputs = arena_alloc(s->arena, from->n_outputs, sizeof(*to->outputs));
    for (unsigned i = 0; i < from->n_outputs; i++) {
        const struct reader_output *out = &from->outputs[i];
        bool series = (out->flags & GM_SERIES) != 0;
        if (out->summary == GM_SUM_NONE || series)
            continue;
        struct summary_output *o = &to->outputs[to->n_outputs++];
        *o = (struct summary_output){
            .name = arena_strdup(s->arena, out->name),
            .unit = arena_strdup(s->arena, out->unit != NULL ? out->unit : ""),
            .help = arena_strdup(s->arena, out->help != NULL ? out->help : ""),
            .weight = out->weight != NULL && *out->weight != '\0'
                          ? arena_strdup(s->arena, out->weight)
                          : NULL,
            .kind = out->summary,
            .measured = (out->flags & GM_MEASURED) != 0,
            .integral = out->dtype < GM_F32 && out->summary != GM_SUM_MEAN,
            .value = (double)NAN,
            .params = "",
        };
        struct summary_place at = {stage, i, -1};
        if (o->kind == GM_SUM_MEAN)
            at.weight = weight_index(from, o->weight);
        int rc = read_output(s, r, &at, o, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void add_failure(struct summary *s,
                        struct reader *r,
                        unsigned stage,
                        uint64_t t,
                        const struct reader_task *task)
{
    if (s->n_failures >= SUMMARY_FAILURES)
        return;
    s->failures[s->n_failures++] = (struct summary_failure){
        .stage = stage,
        .task = t,
        .reason = task->reason,
        .exit_code = task->exit_code,
        .signal = task->signal,
        .params = task_text(s, r, stage, t, RESULT_PARAMS),
        .message = task_text(s, r, stage, t, RESULT_MESSAGE),
    };
}

static struct summary_text
printed(struct summary *s, struct reader *r, unsigned stage, uint64_t task, uint32_t kind)
{
    struct reader_value v = {0};
    if (reader_value(r, stage, task, kind, 0, &v, NULL) != 0)
        return (struct summary_text){.bytes = ""};
    bool more = v.nbytes > SUMMARY_PRINT_SIZE;
    size_t n = more ? SUMMARY_PRINT_SIZE : (size_t)v.nbytes;
    struct summary_text text = {arena_copy(s->arena, v.data, n), n, more};
    free(v.data);
    return text;
}

/* What commands printed: the failed ones' first, else the first ones'. */
static void
read_prints(struct summary *s, struct reader *r, unsigned stage, uint32_t status)
{
    const struct reader_stage *from = reader_stage(r, stage);
    unsigned looked = 0;
    for (uint64_t t = 0;
         t < from->n_tasks && looked < SUMMARY_PRINTS && s->n_prints < SUMMARY_PRINTS_ALL;
         t++) {
        struct reader_task task;
        if (reader_task(r, stage, t, &task, NULL) != 0 || task.status != status)
            continue;
        looked++;
        struct summary_print p = {.stage = stage,
                                  .task = t,
                                  .out = printed(s, r, stage, t, RESULT_STDOUT),
                                  .err = printed(s, r, stage, t, RESULT_STDERR)};
        if (p.out.n > 0 || p.err.n > 0)
            s->prints[s->n_prints++] = p;
    }
    s->unread += s->stages[stage].done + s->stages[stage].failed - looked;
}

static void count_task(struct summary_stage *to, const struct reader_task *task)
{
    to->done += task->status == RESULT_DONE;
    to->failed += task->status == RESULT_FAILED;
    to->skipped += task->status == RESULT_SKIPPED;
    to->open += task->status == RESULT_NONE || task->status == RESULT_RETRIED;
    to->attempts += task->attempts;
    if (task->status != RESULT_DONE && task->status != RESULT_FAILED)
        return;
    if (to->start == 0 || task->start < to->start)
        to->start = task->start;
    if (task->end > to->end)
        to->end = task->end;
    uint64_t shared = task->timed_with > 1 ? task->timed_with : 1;
    to->busy += (task->end - task->start) / (double)shared;
}

/* The record names a group's first rank, which has the time already. The others of a
 * group of all ranks are known, too; those of a smaller one are not. Ranks are read
 * before stages. */
static void add_group(struct summary *s, const struct reader_task *task)
{
    if (task->n_ranks > 1 && task->n_ranks < s->n_ranks)
        s->grouped = true;
    if (task->n_ranks < 2 || task->n_ranks != s->n_ranks)
        return;
    for (unsigned i = 0; i < s->n_ranks; i++)
        s->ranks[i].busy += i != task->rank ? task->end - task->start : 0;
}

static int
read_stage(struct summary *s, struct reader *r, unsigned stage, struct gm_error *err)
{
    const struct reader_stage *from = reader_stage(r, stage);
    struct summary_stage *to = &s->stages[stage];
    to->name = arena_strdup(s->arena, from->name);
    to->kernel = arena_strdup(s->arena, from->kernel != NULL ? from->kernel : "");
    to->n_tasks = from->n_tasks;
    for (uint64_t t = 0; t < from->n_tasks; t++) {
        struct reader_task task;
        int rc = reader_task(r, stage, t, &task, err);
        if (rc != 0)
            return rc;
        count_task(to, &task);
        if (task.status == RESULT_FAILED)
            add_failure(s, r, stage, t, &task);
        if (task.status == RESULT_DONE || task.status == RESULT_FAILED)
            add_group(s, &task);
    }
    if (*to->kernel == '\0')
        read_prints(s, r, stage, to->failed > 0 ? RESULT_FAILED : RESULT_DONE);
    return read_outputs(s, r, stage, err);
}

static int read_ranks(struct summary *s, struct reader *r, struct gm_error *err)
{
    s->n_ranks = reader_n_ranks(r);
    s->ranks = arena_alloc(s->arena, s->n_ranks, sizeof(*s->ranks));
    for (unsigned i = 0; i < s->n_ranks; i++) {
        struct reader_rank rank;
        int rc = reader_rank(r, i, &rank, err);
        if (rc != 0)
            return rc;
        s->ranks[i] = (struct summary_rank){
            .host = arena_strdup(s->arena, rank.host),
            .device = arena_strdup(s->arena, rank.device),
            .cpus = arena_strdup(s->arena, rank.planned),
            .seen = arena_strdup(s->arena, rank.seen),
            .tasks = rank.tasks,
            .busy = rank.busy_s,
            .lost = rank.lost,
            .why = arena_strdup(s->arena, rank.lost_why),
        };
    }
    return 0;
}

static const char *job_text(struct summary *s, struct reader *r, const char *key)
{
    const char *text = reader_job_text(r, key);
    return arena_strdup(s->arena, text != NULL ? text : "");
}

static const char *make_verdict(struct summary *s)
{
    uint64_t failed = 0, skipped = 0, all = summary_tasks(s);
    for (unsigned i = 0; i < s->n_stages; i++) {
        failed += s->stages[i].failed;
        skipped += s->stages[i].skipped;
    }
    if (failed == 0)
        return arena_printf(s->arena,
                            "%" PRIu64 " of %" PRIu64 " tasks are committed",
                            summary_committed(s),
                            all);
    const struct summary_failure *f = &s->failures[0];
    const char *also =
        skipped > 0 ? arena_printf(s->arena, ", %" PRIu64 " skipped", skipped) : "";
    return arena_printf(s->arena,
                        "%" PRIu64 " of %" PRIu64 " tasks failed%s: %s[%" PRIu64 "]: %s",
                        failed,
                        all,
                        also,
                        s->stages[f->stage].name,
                        f->task,
                        *f->message != '\0' ? f->message : "no word why");
}

static int fill(struct summary *s, struct reader *r, struct gm_error *err)
{
    s->packed = reader_is_packed(r);
    s->id = job_text(s, r, "id");
    s->name = job_text(s, r, "name");
    s->build = job_text(s, r, "build");
    s->n_stages = reader_n_stages(r);
    s->stages = arena_alloc(s->arena, s->n_stages, sizeof(*s->stages));
    int rc = read_ranks(s, r, err);
    for (unsigned i = 0; rc == 0 && i < s->n_stages; i++)
        rc = read_stage(s, r, i, err);
    if (rc == 0)
        s->verdict = make_verdict(s);
    return rc == 0 ? reader_receipt(r, &s->receipt, err) : rc;
}

/* The parts that a sharded file is made of count, too. */
static void measure(struct summary *s, const char *file)
{
    AUTO_FREE(char) parts = parts_of(file, file);
    struct stat st;
    if (stat(file, &st) == 0)
        s->bytes = (uint64_t)st.st_size;
    DIR *dir = parts != NULL ? opendir(parts) : NULL;
    s->sharded = dir != NULL;
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            s->bytes += (uint64_t)st.st_size;
    }
    if (dir != NULL)
        (void)closedir(dir);
}

int summary_load(const char *results, struct summary **ret, struct gm_error *err)
{
    AUTO(reader) r = NULL;
    int rc = reader_open(results, &r, err);
    if (rc != 0)
        return rc;
    AUTO(summary) s = NULL;
    struct arena *a = arena_make();
    s = arena_alloc(a, 1, sizeof(*s));
    s->arena = a;
    rc = fill(s, r, err);
    if (rc != 0)
        return rc;
    size_t len = strlen(results);
    bool folder = len > 3 && strcmp(results + len - 3, ".gm") == 0;
    s->path = s->packed || folder ? arena_strdup(a, results)
                                  : arena_printf(a, "%s.gm", results);
    if (s->packed)
        measure(s, results);
    *ret = steal(&s);
    return 0;
}

void summary_free(struct summary *s)
{
    if (s == NULL)
        return;
    receipt_free(s->receipt);
    arena_free(s->arena);
}
