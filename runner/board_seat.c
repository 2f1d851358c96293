/* See board.h: what a seat shows of itself (what it runs, its signs of life) and how long
 * tasks take on this host. Times are gathered in the rank's own memory and added to the
 * shared ones now and then, so that ranks do not fight for a cache line. */
#include "board_shared.h"
#include <assert.h>
#include <math.h>
#include <string.h>

#define GATHER_NS 1000000u

void board_running(struct board *b, uint32_t stage, uint64_t task)
{
    struct shared_seat *me = b->me;
    uint32_t old = atomic_load_explicit(&me->running_stage, memory_order_relaxed);
    if (old != stage) /* never the one's stage with the other's task */
        atomic_store_explicit(&me->running_stage, UINT32_MAX, memory_order_release);
    atomic_store_explicit(&me->running_task, task, memory_order_release);
    if (old != stage)
        atomic_store_explicit(&me->running_stage, stage, memory_order_release);
}

bool board_was_running(const struct board *b,
                       unsigned seat,
                       uint32_t *ret_stage,
                       uint64_t *ret_task)
{
    const struct shared_seat *s = &b->seats[seat];
    uint32_t stage = atomic_load_explicit(&s->running_stage, memory_order_acquire);
    if (stage == UINT32_MAX)
        return false;
    *ret_stage = stage;
    *ret_task = atomic_load_explicit(&s->running_task, memory_order_acquire);
    return true;
}

void board_command_runs(struct board *b, unsigned command, uint32_t stage, uint64_t task)
{
    struct board_commands *c = &b->commands[b->seat];
    assert(command < BOARD_COMMANDS);
    atomic_store(&c->stages[command],
                 0); /* never the one's stage with the other's task */
    atomic_store(&c->tasks[command], task);
    atomic_store(&c->stages[command], stage + 1); /* 0 for UINT32_MAX */
}

/* Commands, or else the task in the compute thread's own hands. */
bool board_next_running(const struct board *b,
                        unsigned seat,
                        unsigned *at,
                        uint32_t *ret_stage,
                        uint64_t *ret_task)
{
    const struct board_commands *c = &b->commands[seat];
    bool first = *at == 0;
    for (; *at < BOARD_COMMANDS; (*at)++) {
        uint32_t stage = atomic_load(&c->stages[*at]);
        if (stage == 0)
            continue;
        *ret_stage = stage - 1;
        *ret_task = atomic_load(&c->tasks[*at]);
        (*at)++;
        return true;
    }
    return first && board_was_running(b, seat, ret_stage, ret_task);
}

struct board_commands *board_commands(const struct board *b, unsigned seat)
{
    assert(seat < b->shared->n_seats);
    return &b->commands[seat];
}

/* Bin i holds times up to 2^(i/4) us. */
static unsigned bin_of(double seconds)
{
    double x = ceil(4 * log2(seconds * 1e6) - 1e-9);
    return !(x > 0) ? 0 : x >= BINS - 1 ? BINS - 1 : (unsigned)x;
}

static void add_times(struct board *b)
{
    struct board_acc *a = &b->acc;
    if (a->tasks == 0)
        return;
    struct shared_times *t = &b->times[a->stage];
    for (unsigned i = a->low; i < a->high; i++) {
        if (a->bins[i] > 0)
            (void)atomic_fetch_add_explicit(
                &t->bins[i], a->bins[i], memory_order_relaxed);
    }
    (void)atomic_fetch_add_explicit(&t->ns, a->ns, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&t->tasks, a->tasks, memory_order_release);
    *a = (struct board_acc){.low = BINS};
}

void board_done(struct board *b, uint32_t stage, uint64_t count, double seconds)
{
    struct board_acc *a = &b->acc;
    assert(stage < b->shared->n_stages);
    if (count == 0 || !(seconds >= 0))
        return;
    if (a->stage != stage)
        add_times(b);
    unsigned bin = bin_of(seconds / (double)count);
    a->stage = stage;
    a->low = bin < a->low ? bin : a->low;
    a->high = bin >= a->high ? bin + 1 : a->high;
    a->bins[bin] += (uint32_t)count;
    a->tasks += count;
    a->ns += (uint64_t)(seconds * 1e9);
    const struct shared_times *t = &b->times[stage];
    if (a->ns >= GATHER_NS ||
        atomic_load_explicit(&t->ns, memory_order_relaxed) < GATHER_NS)
        add_times(b);
}

double board_mean(const struct board *b, uint32_t stage)
{
    const struct shared_times *t = &b->times[stage];
    uint64_t tasks = atomic_load_explicit(&t->tasks, memory_order_acquire);
    uint64_t ns = atomic_load_explicit(&t->ns, memory_order_relaxed);
    return tasks == 0 ? -1 : 1e-9 * (double)ns / (double)tasks;
}

double board_quantile(const struct board *b, uint32_t stage, double share, uint64_t least)
{
    const struct shared_times *t = &b->times[stage];
    uint64_t all = 0, below = 0;
    for (unsigned i = 0; i < BINS; i++)
        all += atomic_load_explicit(&t->bins[i], memory_order_relaxed);
    if (all == 0 || all < least)
        return -1;
    unsigned i = 0;
    for (; i < BINS - 1; i++) {
        below += atomic_load_explicit(&t->bins[i], memory_order_relaxed);
        if ((double)below >= share * (double)all)
            break;
    }
    return exp2(i / 4.0) * 1e-6;
}

uint64_t board_version(const struct board *b)
{
    return atomic_load(&b->shared->version);
}

void board_sit(struct board *b, const struct board_sitter *who)
{
    atomic_store(&b->me->space, who->space);
    atomic_store(&b->me->began, who->began);
    atomic_store(&b->me->pid, who->pid);
}

void board_beat(struct board *b)
{
    (void)atomic_fetch_add_explicit(&b->me->beats, 1, memory_order_relaxed);
}

bool board_sitter(const struct board *b, unsigned seat, struct board_sitter *ret)
{
    const struct shared_seat *s = &b->seats[seat];
    *ret = (struct board_sitter){.pid = (pid_t)atomic_load(&s->pid)};
    ret->space = atomic_load(&s->space);
    ret->began = atomic_load(&s->began);
    return ret->pid != 0;
}

uint64_t board_beats(const struct board *b, unsigned seat)
{
    return atomic_load_explicit(&b->seats[seat].beats, memory_order_relaxed);
}

unsigned board_n_seats(const struct board *b)
{
    return b->shared->n_seats;
}

unsigned board_seat(const struct board *b)
{
    return b->seat;
}

void board_dies(struct board *b, int signal)
{
    atomic_store(&b->me->signal, (uint32_t)signal);
}

int board_died_of(const struct board *b, unsigned seat)
{
    return (int)atomic_load(&b->seats[seat].signal);
}

void board_leave(struct board *b)
{
    atomic_store(&b->me->left, 1);
}

void board_ask_all(struct board *b)
{
    atomic_store(&b->shared->asked, 1);
}

bool board_asked(const struct board *b)
{
    return atomic_load(&b->shared->asked) != 0;
}

bool board_left(const struct board *b, unsigned seat)
{
    return atomic_load(&b->seats[seat].left) != 0;
}

void board_bury(struct board *b, unsigned seat)
{
    uint32_t alive = 0;
    if (atomic_compare_exchange_strong(&b->seats[seat].buried, &alive, 1))
        (void)atomic_fetch_add(&b->shared->n_buried, 1);
}

bool board_buried(const struct board *b, unsigned seat)
{
    return atomic_load(&b->seats[seat].buried) != 0;
}
