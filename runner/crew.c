/* See crew.h. Invariant: a core is owned by at most one lane, and by a busy one; a lane
 * runs one command at a time, with all its attempts. Claims other than the first are made
 * only while something runs and a core is free, so that a rank of one core goes from
 * claim to claim as for kernels. */
#include "crew.h"
#include "base/clock.h"
#include "base/memory.h"
#include "command.h"
#include "orphans.h"
#include "topo/bind.h"
#include "topo/siblings.h"
#include <sys/resource.h>

enum { NOBODY = UINT32_MAX };
enum { OWN_FILES = 256, LANE_FILES = 8 }; /* descriptors */

struct lane {
    bool made, busy;
    struct command_place place;
    struct source *source; /* its own; NULL: the rank's */
    struct idset *cpus;
    struct attempt a;
    struct parcel *parcel;
};

struct crew {
    struct worker *w;
    struct idset **cores; /* their PUs; NULL: the rank is not bound, nobody is pinned */
    unsigned n_cores;
    uint32_t *owner; /* [n_cores] a lane, or NOBODY */
    unsigned n_lanes;
    uint64_t files; /* as in struct command_place */
    struct lane *lanes;
    struct board_commands *commands; /* of the lanes, for who finds us dead */
    unsigned n_busy, n_free;         /* lanes; cores */
    struct exec_child **children;    /* [n_lanes] room */
    struct pollfd *fds;              /* [3 * n_lanes] room */
    struct board_claim claim, next;  /* next: a kernel's; count 0: none */
    uint64_t seen;                   /* the board's version when it had nothing for us */
    bool looked;
    bool alone; /* what runs, runs alone */
};

/* Each PU for itself: where the job counts PUs (`threads`). */
static unsigned apart(const struct idset *pus, struct idset ***ret)
{
    unsigned n = 0;
    *ret = xcalloc(idset_count(pus), sizeof(struct idset *));
    for (int64_t i = idset_next(pus, 0); i >= 0; i = idset_next(pus, (unsigned)i + 1)) {
        (*ret)[n] = idset_make();
        idset_add((*ret)[n++], (unsigned)i);
    }
    return n;
}

/* The rank's cores: what the plan gave it, as far as it has them. */
static void find_cores(struct crew *c)
{
    const struct worker_setup *s = c->w->setup;
    AUTO(idset) pus = NULL;
    c->n_cores = s->plan->ranks[s->rank].threads;
    if (s->plan->binder == PLAN_UNBOUND || bind_read(0, &pus, NULL) < 0) {
        c->n_cores = c->n_cores > 0 ? c->n_cores : 1;
        return;
    }
    if (s->planned != NULL && idset_overlap(pus, s->planned)) {
        AUTO(idset) foreign = idset_dup(pus);
        idset_subtract(foreign, s->planned);
        idset_subtract(pus, foreign);
    }
    c->n_cores =
        s->spec->threads > 0 ? apart(pus, &c->cores) : siblings_cores(pus, &c->cores);
}

static struct lane *lane_at(struct crew *c, unsigned i)
{
    const struct worker_setup *s = c->w->setup;
    struct lane *lane = &c->lanes[i];
    if (lane->made)
        return lane;
    lane->made = true;
    command_place_init(&lane->place, &c->commands->marks[i]);
    lane->place.files = c->files;
    if (i > 0)
        lane->source = source_make(s->spec, s->writer, s->plan->folder, s->rank, i);
    lane->place.source = i > 0 ? lane->source : c->w->source;
    return lane;
}

/* Lanes have pipes and more, a few descriptors each; the soft limit is often 1024. What
 * we raise is not the commands': their select() may take no more. */
static void make_room(struct crew *c)
{
    struct rlimit now;
    rlim_t wanted = OWN_FILES + (rlim_t)LANE_FILES * c->n_lanes;
    c->files = UINT64_MAX;
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= wanted)
        return;
    uint64_t before = now.rlim_cur;
    now.rlim_cur = wanted < now.rlim_max ? wanted : now.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &now) == 0)
        c->files = before;
}

struct crew *crew_make(struct worker *w)
{
    struct crew *c = xcalloc(1, sizeof(*c));
    c->w = w;
    find_cores(c);
    c->n_free = c->n_cores;
    c->owner = xcalloc(c->n_cores, sizeof(*c->owner));
    c->n_lanes = c->n_cores < BOARD_COMMANDS ? c->n_cores : BOARD_COMMANDS;
    make_room(c);
    c->lanes = xcalloc(c->n_lanes, sizeof(*c->lanes));
    c->commands = orphans_open(w->setup->board);
    c->children = xcalloc(c->n_lanes, sizeof(struct exec_child *));
    c->fds = xcalloc(c->n_lanes, 3 * sizeof(*c->fds));
    for (unsigned i = 0; i < c->n_cores; i++)
        c->owner[i] = NOBODY;
    return c;
}

void crew_free(struct crew *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; i < c->n_cores && c->cores != NULL; i++)
        idset_free(c->cores[i]);
    for (unsigned i = 0; i < c->n_lanes; i++) {
        if (!c->lanes[i].made)
            continue;
        command_place_clear(&c->lanes[i].place);
        source_free(c->lanes[i].source);
        idset_free(c->lanes[i].cpus);
    }
    free(c->cores);
    free(c->owner);
    free(c->lanes);
    free(c->children);
    free(c->fds);
    free(c);
}

struct command_place *crew_place(struct crew *c)
{
    struct command_place *p = &lane_at(c, 0)->place;
    p->cpus = NULL;
    p->threads = c->w->setup->seat.n_threads;
    return p;
}

/* The cores that a task of this stage takes. */
static unsigned cores_of(const struct crew *c, unsigned stage)
{
    unsigned n = c->w->setup->spec->stages[stage].task_cores;
    return n == 0 || n > c->n_cores ? c->n_cores : n;
}

/* The lowest free lane, with so many of the free cores. */
static struct lane *take_lane(struct crew *c, unsigned n)
{
    unsigned i = 0;
    while (c->lanes[i].busy)
        i++;
    struct lane *lane = lane_at(c, i);
    bool all = n == c->n_cores;
    idset_free(lane->cpus);
    lane->cpus = c->cores != NULL && !all ? idset_make() : NULL;
    for (unsigned k = 0, left = n; left > 0; k++) {
        if (c->owner[k] != NOBODY)
            continue;
        c->owner[k] = i;
        left--;
        if (lane->cpus != NULL)
            idset_unite(lane->cpus, c->cores[k]);
    }
    lane->busy = true;
    lane->place.cpus = lane->cpus;
    lane->place.threads = all ? c->w->setup->seat.n_threads : n;
    c->n_busy++;
    c->n_free -= n;
    return lane;
}

static void give_lane(struct crew *c, struct lane *lane)
{
    uint32_t i = (uint32_t)(lane - c->lanes);
    for (unsigned k = 0; k < c->n_cores; k++) {
        if (c->owner[k] == i) {
            c->owner[k] = NOBODY;
            c->n_free++;
        }
    }
    board_command_runs(c->w->setup->board, i, UINT32_MAX, 0);
    lane->busy = false;
    c->n_busy--;
    if (c->n_busy == 0)
        board_running(c->w->setup->board, UINT32_MAX, 0);
}

/* The end of an attempt: rc is command_start's. True: there is another. */
static bool end_attempt(struct crew *c, struct lane *lane, int rc, struct gm_error *err)
{
    struct worker *w = c->w;
    struct attempt *a = &lane->a;
    struct attempt_end end;
    rc = command_end(a, rc, lane->parcel, &end, err);
    if (rc < 0 && end.reason == RESULT_OK) {
        end.reason = RESULT_ERROR;
        end.exit_code = -1;
    }
    if (rc == -ECANCELED) {
        parcel_free(lane->parcel);
        worker_give_back(w, a->stage, a->task, 1, a->number - 1);
        return false;
    }
    bool again =
        rc < 0 && worker_may_retry(&a->spec->stages[a->stage], end.reason, a->number);
    worker_commit(w, a, &end, rc, again, lane->parcel, err);
    board_done(w->setup->board, a->stage, 1, end.end - end.start);
    bool later = again && pulse_stopping(a->pulse);
    if (later)
        worker_give_back(w, a->stage, a->task, 1, a->number);
    return again && !later;
}

/* The lane's task from its next attempt on, until one runs or it is over: then the lane
 * is free again. */
static void go_on(struct crew *c, struct lane *lane)
{
    for (bool again = true; again;) {
        struct gm_error err = {0};
        lane->a.number++;
        lane->a.look = c->w->looked_at_child ? NULL : worker_look;
        lane->parcel = parcel_make();
        int rc = command_start(&lane->a, lane->parcel, &err);
        if (rc == 0)
            return;
        again = end_attempt(c, lane, rc, &err);
    }
    give_lane(c, lane);
}

static void start_task(struct crew *c, uint64_t task)
{
    struct worker *w = c->w;
    const struct worker_setup *s = w->setup;
    struct lane *lane = take_lane(c, cores_of(c, c->claim.stage));
    lane->a = (struct attempt){.spec = s->spec,
                               .plan = s->plan,
                               .rank = s->rank,
                               .stage = c->claim.stage,
                               .task = task,
                               .number = c->claim.attempt,
                               .comm = s->comm,
                               .pulse = s->pulse,
                               .seat = &s->seat,
                               .opened = &w->stages[c->claim.stage],
                               .place = &lane->place,
                               .look_ctx = w};
    board_running(s->board, c->claim.stage, task);
    board_command_runs(s->board, (unsigned)(lane - c->lanes), c->claim.stage, task);
    c->alone = c->claim.alone != 0;
    go_on(c, lane);
}

/* Another claim for cores that are free. False: none that can be started now. */
static bool claim_more(struct crew *c)
{
    const struct worker_setup *s = c->w->setup;
    if (c->n_busy == 0 || c->n_busy == c->n_lanes || c->n_free == 0 || c->next.count > 0)
        return false;
    uint64_t version = board_version(s->board);
    if (c->looked && version == c->seen)
        return false;
    c->looked = true;
    c->seen = version;
    struct board_claim got;
    enum board_answer answer = board_claim(s->board, &got);
    pulse_busy(s->pulse); /* not idle, and perhaps low */
    if (answer != BOARD_CLAIMED || worker_too_late(c->w, &got))
        return false;
    c->looked = false;
    bool command = s->spec->stages[got.stage].kernel == NULL;
    *(command ? &c->claim : &c->next) = got;
    return command;
}

static void give_back(struct crew *c)
{
    uint64_t first = 0, n = board_give_back(c->w->setup->board, &first);
    worker_give_back(c->w, c->claim.stage, first, n, 0);
    c->claim.count = 0;
}

/* Starts what fits. claim.count 0: the board has no more of it. */
static void fill(struct crew *c)
{
    const struct worker_setup *s = c->w->setup;
    for (;;) {
        if (c->claim.count > 0 && pulse_stopping(s->pulse))
            give_back(c);
        if (c->claim.count == 0 && (pulse_stopping(s->pulse) || !claim_more(c)))
            return;
        if (cores_of(c, c->claim.stage) > c->n_free || c->n_busy == c->n_lanes)
            return;
        if (c->n_busy > 0 && (c->alone || c->claim.alone != 0))
            return;
        uint64_t task;
        if (board_take(s->board, 1, &task) > 0)
            start_task(c, task);
        else
            c->claim.count = 0;
    }
}

static void attend(struct crew *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->n_lanes; i++) {
        if (c->lanes[i].busy)
            c->children[n++] = &c->lanes[i].place.child;
    }
    exec_wait(c->children, n, c->fds);
    for (unsigned i = 0; i < c->n_lanes; i++) {
        struct lane *lane = &c->lanes[i];
        struct gm_error err = {0};
        if (!lane->busy || !exec_attend(&lane->place.child))
            continue;
        if (end_attempt(c, lane, 0, &err))
            go_on(c, lane);
        else
            give_lane(c, lane);
    }
}

void crew_run(struct crew *c, const struct board_claim *claim, struct board_claim *ret)
{
    const struct worker_setup *s = c->w->setup;
    const uint32_t self = s->rank;
    comm_join(s->comm, &self, 1, 0, 1);
    c->claim = *claim;
    c->next.count = 0;
    c->looked = false;
    for (fill(c); c->n_busy > 0; fill(c))
        attend(c);
    *ret = c->next;
}
