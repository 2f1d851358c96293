/* Tasks a second of the farm alone, on the ranks that mpirun started, beside two bare
 * loops of the same work; bench/run farm.
 *
 *   bench_farm TASKS
 *
 * claim: a real farm, its pulse threads and a real board hand out tasks of the kernel
 * noop; each is begun, stepped and ended as any kernel's, its 16 bytes stand in the
 * host's shared window, and so does a byte that says it is done. fetch_add: the same
 * bytes by one atomic addition a task and nothing else. messages: rank 0 sends each task
 * to another rank as 64 bytes and gets 64 bytes back, 64 of them under way. */
#include "base/clock.h"
#include "base/memory.h"
#include "plugins/kernel/table.h"
#include "runner/chunk.h"
#include "runner/window.h"
#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, OWN = 1 << 20, WIDTH = 16, DEPTH = 64, MESSAGE = 64 };

struct bench {
    struct rank rank;
    uint64_t n;
    struct jobspec *spec;
    MPI_Win win; /* rank 0's part: a counter, a byte a task, 16 bytes a task */
    _Atomic uint64_t *counter;
    unsigned char *status;
    char *bytes;
};

struct round {
    const struct bench *b;
    struct pulse *pulse;
    struct rows *back[8]; /* rows that were taken */
    unsigned n_back;
    double end;
    uint64_t done;
};

static void must(int rc, const struct gm_error *err)
{
    if (rc >= 0)
        return;
    (void)fprintf(stderr, "bench_farm: %s\n", err->text);
    (void)MPI_Abort(MPI_COMM_WORLD, 1);
}

static double slowest(double seconds)
{
    (void)MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return seconds;
}

/* ---- the farm ---- */

static bool stopping(void *ctx)
{
    return pulse_stopping(((struct round *)ctx)->pulse);
}

static void full(void *ctx, struct rows *rows, const struct result_rows *table)
{
    struct round *r = ctx;
    const uint64_t *first = table->rows;
    struct farm_report report = {.stage = table->stage,
                                 .outcome = FARM_DONE,
                                 .first = table->first,
                                 .count = table->count,
                                 .seconds = table->end - table->start};
    if (table->row_bytes != WIDTH || first[0] != table->first ||
        first[2 * (table->count - 1)] != table->first + table->count - 1)
        must(-EINVAL, &(struct gm_error){.text = "a row is not its task's"});
    memset(r->b->status + table->first, 1, table->count);
    r->done += table->count;
    r->end = clock_monotonic();
    r->back[r->n_back++] = rows;
    pulse_report(r->pulse, &report);
}

static struct rows *emptied(void *ctx)
{
    struct round *r = ctx;
    return r->n_back > 0 ? r->back[--r->n_back] : NULL;
}

static void no_verdict(void *ctx, const struct farm_verdict *v)
{
    (void)ctx, (void)v;
}

static void no_stage(void *ctx, unsigned stage)
{
    (void)ctx, (void)stage;
}

static void no_progress(void *ctx, const struct farm_counts *c)
{
    (void)ctx, (void)c;
}

static void no_seal(void *ctx, unsigned rank)
{
    (void)ctx, (void)rank;
}

static void no_news(void *ctx, const struct watch *watch, const struct watch_news *news)
{
    (void)ctx, (void)watch, (void)news;
}

static enum pulse_stop no_stop(void *ctx)
{
    (void)ctx;
    return PULSE_GO;
}

static const struct pulse_hooks quiet = {.verdict = no_verdict,
                                         .stage_over = no_stage,
                                         .progress = no_progress,
                                         .seal = no_seal,
                                         .news = no_news,
                                         .must_stop = no_stop};

static void work(struct chunk *c, const struct worker_setup *s)
{
    struct farm_assign came;
    struct board_claim claim;
    for (;;) {
        uint64_t version = board_version(s->board);
        int got = pulse_look(s->pulse, &came);
        if (got == 0 && board_claim(s->board, &claim) == BOARD_CLAIMED) {
            pulse_busy(s->pulse);
            chunk_run(c, &claim);
            continue;
        }
        if (got == 0 && pulse_wait(s->pulse, version, &came) == 0)
            continue;
        assert(came.kind == FARM_STOP);
        return;
    }
}

/* Tasks a second, from all ranks' start to the last row's stand in the window. */
static double farm(struct bench *b)
{
    struct window w = {0};
    struct gm_error err = {0};
    struct round round = {.b = b};
    struct pulse_setup setup = {
        .spec = b->spec, .mpi = b->rank.farm, .n_hosts = 1, .hooks = quiet};
    AUTO_FREE(struct farm_seat) seats = xcalloc((size_t)b->rank.n_ranks, sizeof(*seats));
    for (int i = 0; i < b->rank.n_ranks; i++)
        seats[i].cores = 1;
    must(window_make(&b->rank, 1, OWN, &w, &err), &err);
    setup.board = w.board;
    setup.seats = seats;
    must(pulse_start(&setup, &round.pulse, &err), &err);
    const struct comm_hooks hooks = {.ctx = round.pulse,
                                     .stop = pulse_stopping,
                                     .lost = pulse_lost,
                                     .n_lost = pulse_n_lost};
    AUTO(comm) comm = comm_make(b->rank.groups, &hooks);
    struct worker_setup worker_setup = {.spec = b->spec,
                                        .rank = (unsigned)b->rank.world,
                                        .pulse = round.pulse,
                                        .board = w.board,
                                        .comm = comm,
                                        .seat = {.size = sizeof(struct gm_seat),
                                                 .n_threads = 1,
                                                 .device = "cpu",
                                                 .cpus = "0"}};
    struct attempt_stage stage = {0};
    struct worker worker = {
        .setup = &worker_setup, .stages = &stage, .seen = idset_make()};
    const struct chunk_ports ports = {
        .ctx = &round, .stopping = stopping, .full = full, .emptied = emptied};
    worker.chunk = chunk_make(&worker, w.own, OWN, &ports);
    (void)MPI_Barrier(MPI_COMM_WORLD);
    double began = clock_monotonic();
    work(worker.chunk, &worker_setup);
    double seconds = slowest(round.end - began);
    (void)MPI_Barrier(MPI_COMM_WORLD); /* all were told to stop */
    pulse_finish(round.pulse);
    chunk_free(worker.chunk);
    attempt_stage_close(&stage, b->spec->stages[0].kernel);
    idset_free(worker.seen);
    (void)MPI_Allreduce(
        MPI_IN_PLACE, &round.done, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    if (round.done != b->n || memchr(b->status, 0, b->n) != NULL)
        must(-EINVAL, &(struct gm_error){.text = "not each task ran once"});
    window_free(&w);
    return (double)b->n / seconds;
}

/* ---- the bare loops ---- */

static double fetch_add(const struct bench *b)
{
    (void)MPI_Barrier(MPI_COMM_WORLD);
    double began = clock_monotonic();
    for (;;) {
        uint64_t i = atomic_fetch_add(b->counter, 1), value[2] = {i, ~i};
        if (i >= b->n)
            break;
        memcpy(b->bytes + i * WIDTH, value, WIDTH);
        b->status[i] = 1;
    }
    double seconds = slowest(clock_monotonic() - began);
    return (double)b->n / seconds;
}

static void deal(uint64_t n, int workers)
{
    char in[MESSAGE], out[MESSAGE] = {0};
    MPI_Status from;
    uint64_t sent = 0;
    for (int i = 0; i < DEPTH * workers && sent < n; i++, sent++)
        (void)MPI_Send(out, MESSAGE, MPI_BYTE, 1 + i % workers, 1, MPI_COMM_WORLD);
    for (uint64_t back = 0; back < n; back++) {
        (void)MPI_Recv(in, MESSAGE, MPI_BYTE, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &from);
        if (sent++ < n)
            (void)MPI_Send(out, MESSAGE, MPI_BYTE, from.MPI_SOURCE, 1, MPI_COMM_WORLD);
    }
    for (int i = 0; i < workers; i++)
        (void)MPI_Send(out, MESSAGE, MPI_BYTE, 1 + i, 2, MPI_COMM_WORLD);
}

static double messages(const struct bench *b, uint64_t n)
{
    char task[MESSAGE];
    MPI_Status s;
    (void)MPI_Barrier(MPI_COMM_WORLD);
    double began = clock_monotonic();
    if (b->rank.world == 0) {
        deal(n, b->rank.n_ranks - 1);
    } else {
        while (MPI_Recv(task, MESSAGE, MPI_BYTE, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &s) ==
                   MPI_SUCCESS &&
               s.MPI_TAG == 1)
            (void)MPI_Send(task, MESSAGE, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
    }
    double seconds = slowest(clock_monotonic() - began);
    return (double)n / seconds;
}

/* ---- all of it ---- */

static void make_memory(struct bench *b)
{
    MPI_Aint bytes = b->rank.world == 0 ? (MPI_Aint)(64 + b->n * (1 + WIDTH)) : 0, got;
    void *mine;
    char *at;
    int unit;
    (void)MPI_Win_allocate_shared(
        bytes, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &mine, &b->win);
    (void)MPI_Win_shared_query(b->win, 0, &got, &unit, (void *)&at);
    b->counter = (_Atomic uint64_t *)(void *)at;
    b->bytes = at + 64;
    b->status = (unsigned char *)b->bytes + b->n * WIDTH;
}

static void wipe(const struct bench *b)
{
    (void)MPI_Barrier(MPI_COMM_WORLD);
    if (b->rank.world == 0) {
        atomic_store(b->counter, 0);
        memset(b->status, 0, b->n);
        memset(b->bytes, 0, b->n * WIDTH);
    }
    (void)MPI_Barrier(MPI_COMM_WORLD);
}

static void parse(struct bench *b)
{
    struct jobspec_options opt = {0};
    struct jobspec_faults faults;
    struct gm_error err = {0};
    char text[128];
    int n =
        snprintf(text, sizeof(text), "kernel: noop\nmatrix: {i: 1-%" PRIu64 "}\n", b->n);
    opt.kernels = plugin_kernels(&opt.n_kernels);
    must(jobspec_parse("bench.yaml", text, (size_t)n, &opt, &b->spec, &faults, &err),
         &err);
    jobspec_faults_free(&faults);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof(*v), ascending);
    return v[ROUNDS / 2];
}

static void line(double *ours, double *floor, double *peer)
{
    double mid = median(ours), least = median(floor);
    (void)printf("{\"suite\": \"farm\", \"name\": \"claim\", \"value\": %.6g, "
                 "\"unit\": \"1/s\", \"floor\": %.6g, \"floor_how\": \"one atomic "
                 "addition a task and the same stores; peer: a bare MPI farm, 64 "
                 "messages under way\", \"peer\": %.6g, \"ratio\": %.4g, \"n\": %d, "
                 "\"p50\": %.6g, \"p95\": %.6g}\n",
                 mid,
                 least,
                 median(peer),
                 mid / least,
                 (int)ROUNDS,
                 mid,
                 ours[0]);
}

int main(int argc, char **argv)
{
    struct bench b = {.n = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000000};
    struct gm_error err = {0};
    double ours[ROUNDS], floor[ROUNDS], peer[ROUNDS];
    must(rank_prepare(&b.rank, &err), &err);
    must(rank_open(&b.rank, &argc, &argv, &err), &err);
    if (b.n == 0 || b.rank.n_ranks < 2)
        must(-EINVAL, &(struct gm_error){.text = "wants tasks, and two ranks or more"});
    parse(&b);
    make_memory(&b);
    wipe(&b); /* the memory is there */
    for (int i = 0; i < ROUNDS; i++) {
        wipe(&b);
        ours[i] = farm(&b);
        wipe(&b);
        floor[i] = fetch_add(&b);
        peer[i] = messages(&b, b.n / 20);
    }
    if (b.rank.world == 0)
        line(ours, floor, peer);
    (void)MPI_Win_free(&b.win);
    jobspec_free(b.spec);
    rank_close(&b.rank);
    return 0;
}
