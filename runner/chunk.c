/* See chunk.h. Invariant: each task that was taken off the claim is in the open rows, or
 * handed on (rows, a commit), or reported as given back, when chunk_run returns; no rows
 * stay open. */
#include "chunk.h"
#include "base/clock.h"
#include "base/memory.h"
#include "sink.h"
#include "spec/varying.h"
#include "spec/walk.h"

enum { BUFFERS = 4, MOST_TOGETHER = 4096 };

#define TOGETHER 10e-6 /* s that tasks between two readings of the clock take */
#define APART    100e-6
#define PATIENCE 0.05 /* s that rows wait for others */

struct chunk_stage {
    bool looked, fast;
    bool counts; /* its kernel counts its work */
    struct walk *walk;
    struct arena *arena;
    struct varying varying; /* for a task that becomes a parcel */
    double mean;            /* s of late; < 0: not known */
};

struct chunk {
    struct worker *w;
    struct board *board;
    struct chunk_ports ports;
    struct chunk_stage *stages;
    struct rows *buffers[BUFFERS], *free[BUFFERS], *open;
    unsigned n_free;
    /* While a claim is run. */
    const struct board_claim *claim;
    struct chunk_stage *stage;
    struct attempt a;
    struct gm_task task;
    struct sink sink;
    int spilled;          /* the code of a spill that nobody asked for */
    uint64_t batch;       /* tasks between two readings of the clock */
    bool added;           /* the last task's row is in the open rows */
    double unix_offset;   /* of the monotonic clock */
    double now, spent;    /* the last reading; s in tasks since the batch began */
    double begun, opened; /* the batch, the open rows */
};

static bool writer_stopping(void *ctx)
{
    struct worker *w = ctx;
    return pulse_stopping(w->setup->pulse);
}

static void writer_full(void *ctx, struct rows *rows, const struct result_rows *table)
{
    struct worker *w = ctx;
    writer_rows(w->setup->writer, rows, table);
}

static struct rows *writer_empty(void *ctx)
{
    struct worker *w = ctx;
    return writer_emptied(w->setup->writer);
}

struct chunk *
chunk_make(struct worker *w, void *own, size_t own_bytes, const struct chunk_ports *ports)
{
    struct chunk *c = xcalloc(1, sizeof(*c));
    size_t each = own_bytes / BUFFERS / 64 * 64;
    c->w = w;
    c->board = w->setup->board;
    c->ports = ports != NULL ? *ports
                             : (struct chunk_ports){.ctx = w,
                                                    .stopping = writer_stopping,
                                                    .full = writer_full,
                                                    .emptied = writer_empty};
    c->stages = xcalloc(w->setup->spec->n_stages, sizeof(*c->stages));
    for (unsigned i = 0; i < BUFFERS; i++) {
        c->buffers[i] = rows_make((char *)own + i * each, each);
        c->free[c->n_free++] = c->buffers[i];
    }
    return c;
}

void chunk_free(struct chunk *c)
{
    if (c == NULL)
        return;
    while (c->n_free < BUFFERS) { /* the writer still reads them */
        struct rows *r = c->ports.emptied(c->ports.ctx);
        if (r == NULL)
            break;
        c->n_free++;
    }
    for (unsigned i = 0; i < BUFFERS; i++)
        rows_free(c->buffers[i]);
    for (unsigned i = 0; i < c->w->setup->spec->n_stages; i++) {
        walk_free(c->stages[i].walk);
        arena_free(c->stages[i].arena);
    }
    free(c->stages);
    free(c);
}

/* Reads the clock; what went by since the last reading was spent in tasks. */
static void tick(struct chunk *c)
{
    double now = clock_monotonic();
    c->spent += now - c->now;
    c->now = now;
}

/* The open rows, the last of them done at `end`. */
static void hand_on_at(struct chunk *c, double end)
{
    struct result_rows table;
    struct rows *r = c->open;
    if (r == NULL)
        return;
    c->open = NULL;
    if (r->count == 0) {
        c->free[c->n_free++] = r;
        return;
    }
    rows_get(r, end + c->unix_offset, &table);
    c->ports.full(c->ports.ctx, r, &table);
    c->now = clock_monotonic();
}

static void hand_on(struct chunk *c)
{
    tick(c);
    hand_on_at(c, c->now);
}

/* The same while another task runs, or after it did: that one's time is its own. */
static void hand_on_before(struct chunk *c)
{
    hand_on_at(c, c->begun > c->opened ? c->begun : c->opened);
}

/* An empty buffer for the next task. */
static void open_rows(struct chunk *c)
{
    if (c->n_free == 0) {
        tick(c);
        c->free[c->n_free++] = c->ports.emptied(c->ports.ctx);
        c->now = clock_monotonic();
    }
    c->open = c->free[--c->n_free];
    c->opened = c->now;
    rows_open(c->open,
              c->claim->stage,
              c->w->setup->rank,
              c->batch == 1,
              c->now + c->unix_offset);
}

/* After a step of a long task: what is done already does not wait for it. */
static void between_steps(void *ctx)
{
    struct chunk *c = ((struct worker *)ctx)->chunk;
    if (c->open == NULL || c->open->count == 0)
        return;
    tick(c);
    if (c->now - c->opened < PATIENCE)
        return;
    if (c->sink.rows != NULL)
        c->spilled = sink_spill(&c->sink, NULL);
    hand_on_before(c);
}

/* Commits the task that was run last by itself: it failed, or its values are large. */
static enum worker_decision
commit_alone(struct chunk *c, struct attempt_end *end, int rc, struct gm_error *err)
{
    const struct jobspec_stage *stage = &c->a.spec->stages[c->a.stage];
    struct parcel *parcel = c->sink.parcel != NULL ? c->sink.parcel : parcel_make();
    AUTO_STR varying = {0};
    c->sink.parcel = NULL;
    tick(c);
    end->start = c->begun + c->unix_offset;
    end->end = c->now + c->unix_offset;
    hand_on_before(c); /* the next task's row would not follow */
    c->begun = c->now;
    rc = comm_settle(c->a.comm, rc, err);
    varying_text(&c->stage->varying, c->a.task, &varying);
    int kept = parcel_add_text(
        parcel, RESULT_PARAMS, str_text(&varying), varying.len, rc == 0 ? err : NULL);
    rc = rc == 0 ? kept : rc;
    if (rc == -ECANCELED) {
        parcel_free(parcel);
        return WORKER_GIVE_BACK;
    }
    end->reason = rc == 0 ? RESULT_OK : end->reason;
    end->exit_code = rc == 0 ? 0 : -1;
    bool again = rc < 0 && worker_may_retry(stage, end->reason, c->a.number);
    worker_commit(c->w, &c->a, end, rc, again, parcel, err);
    return again ? WORKER_AGAIN : WORKER_NEXT;
}

/* One task; its values are in a row, or it is committed alone. */
static enum worker_decision run_task(struct chunk *c, uint64_t task)
{
    const struct gm_kernel *kernel = c->sink.kernel;
    void *self = c->a.opened->self;
    struct gm_error err;
    struct attempt_end end;
    struct result_work work;
    int rc;
    work = (struct result_work){0};
    err.code = 0;
    err.text[0] = '\0';
    end.reason = RESULT_ERROR;
    c->spilled = 0;
    if (c->open == NULL || !rows_begin(c->open, c->claim->stage, task)) {
        hand_on(c);
        open_rows(c);
        (void)rows_begin(c->open, c->claim->stage, task);
    }
    const struct tasks_args *args = walk_to(c->stage->walk, task, &c->task.seed);
    c->task.index = c->a.task = task;
    c->task.params = &args->params;
    c->task.shard = args->has_shard ? &args->shard : NULL;
    c->sink.rows = c->open;
    board_running(c->board, c->claim->stage, task);
    rc = kernel->begin(self, &c->task, &c->sink.face, &err);
    if (rc >= 0) {
        rc = attempt_steps(&c->a, &end, &err);
        if (rc == 0 && c->stage->counts)
            attempt_work(kernel, self, &c->task, &work);
        kernel->end(self, rc);
    }
    c->added = rc == 0 && c->sink.rows != NULL && rows_end(c->open);
    if (c->added && c->stage->counts)
        result_work_add(&c->open->work, &work);
    if (c->added)
        return WORKER_NEXT;
    if (rc == 0 && c->spilled < 0)
        rc = gm_fail(&err, c->spilled, "no memory for its outputs");
    if (rc == 0 && c->sink.rows != NULL)
        rc = sink_spill(&c->sink, &err);
    else if (c->sink.rows != NULL)
        (void)rows_spill(c->sink.rows, NULL, NULL);
    end = (struct attempt_end){.reason = end.reason, .work = work};
    return commit_alone(c, &end, rc, &err);
}

static void give_back(struct chunk *c, uint64_t first, uint64_t count)
{
    worker_give_back(c->w, c->claim->stage, first, count, 0);
}

/* All attempts of a task from `tried` + 1 on, the way of groups. False: given back. */
static bool run_apart(struct chunk *c, uint64_t task, unsigned tried)
{
    uint32_t self = c->w->setup->rank;
    struct farm_assign alone = {.kind = FARM_GROUP,
                                .stage = c->claim->stage,
                                .attempt = tried,
                                .n_members = 1,
                                .members = &self};
    if (!c->ports.stopping(c->ports.ctx) && worker_task(c->w, &alone, task, &tried))
        return true;
    worker_give_back(c->w, c->claim->stage, task, 1, tried);
    return false;
}

/* How many tasks the clock is read around next. */
static uint64_t batch_of(const struct chunk *c)
{
    double mean = c->stage->mean;
    if (mean < 0 || mean >= TOGETHER || (c->open != NULL && c->open->timed))
        return 1;
    return mean * MOST_TOGETHER <= TOGETHER ? MOST_TOGETHER : (uint64_t)(TOGETHER / mean);
}

static void end_batch(struct chunk *c, uint64_t n)
{
    tick(c);
    double each = c->spent / (double)n;
    c->stage->mean =
        c->stage->mean < 0 ? each : c->stage->mean + (each - c->stage->mean) / 4;
    board_done(c->board, c->claim->stage, n, c->spent);
    struct rows *r = c->open;
    if (r == NULL)
        return;
    if (r->timed && c->added)
        rows_time(r, c->begun + c->unix_offset, c->now + c->unix_offset);
    if (c->now - c->opened > PATIENCE || (!r->timed && each > APART))
        hand_on(c);
}

/* The tasks [first, first + n), n one batch. False: given back from some on. */
static bool run_batch(struct chunk *c, uint64_t first, uint64_t n)
{
    c->begun = c->now;
    c->spent = 0;
    c->added = false;
    for (uint64_t i = 0; i < n; i++) {
        enum worker_decision next = run_task(c, first + i);
        bool back = next == WORKER_AGAIN && !run_apart(c, first + i, 1);
        if (back || next == WORKER_GIVE_BACK) {
            give_back(c, first + i + back, n - i - back);
            return false;
        }
    }
    end_batch(c, n);
    return true;
}

/* What does not walk, or was tried before. */
static void run_slowly(struct chunk *c)
{
    uint64_t task;
    while (!c->ports.stopping(c->ports.ctx) && board_take(c->board, 1, &task) > 0) {
        double start = clock_monotonic();
        board_running(c->board, c->claim->stage, task);
        (void)run_apart(c, task, c->claim->attempt);
        board_done(c->board, c->claim->stage, 1, clock_monotonic() - start);
    }
}

static void run_fast(struct chunk *c)
{
    uint32_t self = c->w->setup->rank;
    uint64_t first, n;
    comm_join(c->a.comm, &self, 1, 0, c->a.number);
    c->task = (struct gm_task){.size = sizeof(c->task), .comm = comm_face(c->a.comm)};
    c->now = clock_monotonic();
    c->unix_offset = clock_unix() - c->now;
    do {
        c->batch = batch_of(c);
        n = c->ports.stopping(c->ports.ctx) ? 0 : board_take(c->board, c->batch, &first);
    } while (n > 0 && run_batch(c, first, n));
    hand_on(c);
}

static struct chunk_stage *stage_of(struct chunk *c)
{
    const struct jobspec *spec = c->a.spec;
    struct chunk_stage *s = &c->stages[c->a.stage];
    if (s->looked)
        return s;
    s->looked = true;
    s->mean = -1;
    const struct gm_kernel *kernel = spec->stages[c->a.stage].kernel;
    s->counts = attempt_counts(kernel);
    s->arena = arena_make();
    /* Tasks that are saved are long: they take the way of groups. */
    s->fast = spec->stages[c->a.stage].checkpoint <= 0 &&
              attempt_open(&c->a, NULL) == 0 &&
              walk_make(spec, c->a.stage, &s->walk, NULL) == 0 &&
              varying_make(spec, c->a.stage, s->arena, &s->varying, NULL) == 0;
    return s;
}

void chunk_run(struct chunk *c, const struct board_claim *claim)
{
    const struct worker_setup *s = c->w->setup;
    uint64_t first, rest;
    c->claim = claim;
    c->a = (struct attempt){.spec = s->spec,
                            .plan = s->plan,
                            .rank = s->rank,
                            .stage = claim->stage,
                            .number = 1,
                            .comm = s->comm,
                            .pulse = s->pulse,
                            .source = c->w->source,
                            .seat = &s->seat,
                            .opened = &c->w->stages[claim->stage],
                            .look = worker_look,
                            .between = between_steps,
                            .look_ctx = c->w};
    c->stage = stage_of(c);
    sink_init(&c->sink, s->spec->stages[claim->stage].kernel, true);
    if (claim->attempt == 0 && c->stage->fast)
        run_fast(c);
    else
        run_slowly(c);
    board_running(c->board, UINT32_MAX, 0);
    rest = board_give_back(c->board, &first);
    give_back(c, first, rest);
}
