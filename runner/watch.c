/* See watch.h. Invariant: a rank that is lost stays lost: nothing that it says or does
 * later brings it back. */
#include "watch.h"
#include "alive.h"
#include "base/exitinfo.h"
#include "base/memory.h"
#include "orphans.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum word_kind {
    WORD_ALIVE = 1, /* I am, and so is my host */
    WORD_LOST       /* `rank` is lost */
};

/* So many ranks of a host, the lowest living ones, speak for it: one may be stopped. */
enum { SPEAKERS = 2 };

static const double LOOK_EVERY = 0.1, SPEAK_EVERY = 0.5; /* s */
/* Between two looks no more than this counts as silence: beyond it, it was the watcher
 * that slept. */
static const double MOST_BETWEEN_LOOKS = 0.3;

struct seat {
    unsigned rank;
    bool asked; /* for its process */
    struct board_sitter who;
    int pidfd;        /* < 0: none; then its counter and /proc say */
    int status;       /* of its end; -1: not known */
    unsigned silence; /* s, for which it was given up */
    struct watch_silence beats;
};

struct running { /* a task; stage UINT32_MAX: none */
    uint32_t stage;
    uint64_t task;
};

struct host {
    uint64_t words; /* that came from it */
    bool lost;
    struct watch_silence silence;
};

struct watch {
    struct watch_setup setup;
    unsigned *hosts; /* the setup's, ours */
    struct seat *seats;
    struct pollfd *polls;
    unsigned n_seats, seat;
    struct host *others; /* [n_hosts]: rank 0 counts each; the others count rank 0's */
    bool spoke;          /* we speak for this host */
    double next_look, next_word;
    struct running own;      /* at our last word */
    struct running *running; /* [n_ranks]: by their last words */
    struct watch_news *news;
    size_t n_news, first_news;
    bool told_outcast;
    atomic_bool outcast;
    atomic_uint n_lost;
    atomic_uchar *lost; /* [n_ranks]: 1: lost; 2: gone, too */
};

double watch_silence(struct watch_silence *s, uint64_t sign, double now)
{
    double step = now - s->looked;
    s->looked = now;
    if (sign != s->sign) {
        s->sign = sign;
        s->s = 0;
    } else if (step > 0) {
        s->s += step < MOST_BETWEEN_LOOKS ? step : MOST_BETWEEN_LOOKS;
    }
    return s->s;
}

struct watch *watch_make(const struct watch_setup *setup, double now)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    w->setup = *setup;
    w->hosts = xcalloc(setup->n_ranks, sizeof(*w->hosts));
    memcpy(w->hosts, setup->hosts, setup->n_ranks * sizeof(*w->hosts));
    w->n_seats = board_n_seats(setup->board);
    w->seat = board_seat(setup->board);
    w->seats = xcalloc(w->n_seats, sizeof(*w->seats));
    w->polls = xcalloc(w->n_seats, sizeof(*w->polls));
    w->others = xcalloc(setup->n_hosts, sizeof(*w->others));
    w->lost = xcalloc(setup->n_ranks, sizeof(*w->lost));
    w->running = xcalloc(setup->n_ranks, sizeof(*w->running));
    w->own.stage = UINT32_MAX;
    for (unsigned r = 0; r < setup->n_ranks; r++)
        w->running[r].stage = UINT32_MAX;
    unsigned n = 0;
    for (unsigned r = 0; r < setup->n_ranks && n < w->n_seats; r++) {
        if (w->hosts[r] == w->hosts[setup->rank])
            w->seats[n++] = (struct seat){
                .rank = r, .pidfd = -1, .status = -1, .beats = {.looked = now}};
    }
    for (unsigned h = 0; h < setup->n_hosts; h++)
        w->others[h].silence.looked = now;
    struct board_sitter self;
    alive_self(&self);
    board_sit(setup->board, &self);
    return w;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    for (unsigned i = 0; i < w->n_seats; i++) {
        if (w->seats[i].pidfd >= 0)
            (void)close(w->seats[i].pidfd);
    }
    free(w->hosts);
    free(w->seats);
    free(w->polls);
    free(w->others);
    free(w->lost);
    free(w->running);
    free(w->news);
    free(w);
}

bool watch_lost(const struct watch *w, unsigned rank)
{
    return atomic_load_explicit(&w->lost[rank], memory_order_acquire) != 0;
}

bool watch_gone(const struct watch *w, unsigned rank)
{
    return atomic_load_explicit(&w->lost[rank], memory_order_acquire) == 2;
}

unsigned watch_n_lost(const struct watch *w)
{
    return atomic_load_explicit(&w->n_lost, memory_order_acquire);
}

bool watch_outcast(const struct watch *w)
{
    return atomic_load_explicit(&w->outcast, memory_order_acquire);
}

bool watch_root_lost(const struct watch *w)
{
    return watch_lost(w, 0);
}

static void add_news(struct watch *w, struct watch_news news)
{
    w->news = xrealloc(w->news, w->n_news + 1, sizeof(*w->news));
    w->news[w->n_news++] = news;
}

static bool is_root(const struct watch *w)
{
    return w->setup.rank == 0;
}

static unsigned my_host(const struct watch *w)
{
    return w->hosts[w->setup.rank];
}

bool watch_was_running(const struct watch *w,
                       unsigned rank,
                       uint32_t *ret_stage,
                       uint64_t *ret_task)
{
    *ret_stage = w->running[rank].stage;
    *ret_task = w->running[rank].task;
    return *ret_stage != UINT32_MAX;
}

static void say_alive(const struct watch *w, unsigned to, const struct running *since)
{
    struct watch_word word = {.kind = WORD_ALIVE,
                              .rank = to,
                              .status = -1,
                              .stage = since->stage,
                              .task = since->task};
    w->setup.send(w->setup.ctx, to, &word);
}

static void say_lost(const struct watch *w, unsigned to, unsigned about)
{
    struct watch_word word = {
        .kind = WORD_LOST, .rank = about, .status = -1, .stage = UINT32_MAX};
    word.gone = watch_gone(w, about);
    for (unsigned i = 0; i < w->n_seats; i++) {
        if (w->seats[i].rank != about)
            continue;
        word.silence = w->seats[i].silence;
        word.pid = (uint32_t)w->seats[i].who.pid;
        word.status = w->seats[i].status;
    }
    w->setup.send(w->setup.ctx, to, &word);
}

/* Is this rank one of the lowest living ones of its host? */
static bool speaks(const struct watch *w, unsigned rank)
{
    unsigned lower = 0;
    for (unsigned r = 0; r < rank; r++)
        lower += w->hosts[r] == w->hosts[rank] && !watch_lost(w, r);
    return lower < SPEAKERS;
}

/* Who must hear of it from us. A rank whose process is gone hears nothing, and nothing is
 * sent to a host without a sign of life: such a message would never be taken. */
static void spread_loss(const struct watch *w, unsigned rank)
{
    if (!is_root(w) && rank != 0) {
        if (w->spoke && !watch_root_lost(w))
            say_lost(w, 0, rank);
        return;
    }
    bool all = is_root(w) || my_host(w) == w->hosts[0];
    for (unsigned r = 0; r < w->setup.n_ranks && (is_root(w) || w->spoke); r++) {
        if (r != w->setup.rank && (all || w->hosts[r] == my_host(w)) &&
            !watch_gone(w, r) && !w->others[w->hosts[r]].lost)
            say_lost(w, r, rank);
    }
}

/* How it is known that a rank is lost. */
struct sign {
    bool gone;
    bool host;        /* else: its whole host is silent */
    unsigned silence; /* s */
    unsigned pid;
    int status;
};

static void say_why(const struct sign *sign, char *ret, size_t room)
{
    int number =
        sign->status >= 0 && WIFSIGNALED(sign->status) ? WTERMSIG(sign->status) : 0;
    const char *name = number > 0 ? sigabbrev_np(number) : NULL;
    if (!sign->gone)
        (void)snprintf(ret,
                       room,
                       sign->host ? "no word from its host for %u s"
                                  : "no sign of life for %u s",
                       sign->silence);
    else if (name != NULL)
        (void)snprintf(ret, room, "pid %u ended by SIG%s", sign->pid, name);
    else if (sign->status >= 0 && WIFEXITED(sign->status))
        (void)snprintf(
            ret, room, "pid %u exited with %d", sign->pid, WEXITSTATUS(sign->status));
    else
        (void)snprintf(ret, room, "pid %u ended", sign->pid);
}

static void lose(struct watch *w, unsigned rank, const struct sign *sign)
{
    bool gone = sign->gone;
    unsigned char before = atomic_load(&w->lost[rank]), state = gone ? 2 : 1;
    if (rank == w->setup.rank || before >= state)
        return;
    atomic_store_explicit(&w->lost[rank], state, memory_order_release);
    bool left = false; /* as it should: no news, but nobody shall wait for it */
    for (unsigned i = 0; i < w->n_seats; i++) {
        if (w->seats[i].rank != rank)
            continue;
        board_bury(w->setup.board, i);
        orphans_end(w->setup.board, i);
        left = board_left(w->setup.board, i);
        w->seats[i].silence = sign->silence;
    }
    if (before != 0)
        return;
    (void)atomic_fetch_add(&w->n_lost, 1);
    if (left)
        return;
    struct watch_news news = {.kind = rank == 0 ? WATCH_ROOT_LOST : WATCH_LOST,
                              .rank = rank,
                              .host = w->hosts[rank]};
    say_why(sign, news.why, sizeof(news.why));
    add_news(w, news);
    spread_loss(w, rank);
}

static void be_outcast(struct watch *w)
{
    atomic_store_explicit(&w->outcast, true, memory_order_release);
    if (!w->told_outcast)
        add_news(w, (struct watch_news){.kind = WATCH_OUTCAST, .rank = w->setup.rank});
    w->told_outcast = true;
}

static void lose_gone(struct watch *w, unsigned i)
{
    struct seat *s = &w->seats[i];
    s->status = exitinfo_of(s->who.pid, s->pidfd);
    if (s->status < 0 && board_died_of(w->setup.board, i) != 0)
        s->status = board_died_of(w->setup.board, i);
    lose(w,
         s->rank,
         &(struct sign){.gone = true, .pid = (unsigned)s->who.pid, .status = s->status});
}

/* Who sits there, once it does: perhaps it is gone already. */
static void ask_who(struct watch *w, unsigned i)
{
    struct seat *s = &w->seats[i];
    if (i == w->seat || !board_sitter(w->setup.board, i, &s->who))
        return;
    s->asked = true;
    s->pidfd = alive_open(&s->who);
    if (s->pidfd == -ESRCH)
        lose_gone(w, i);
}

static void look_at_processes(struct watch *w)
{
    for (unsigned i = 0; i < w->n_seats; i++) {
        struct seat *s = &w->seats[i];
        if (!s->asked)
            ask_who(w, i);
        bool over = watch_gone(w, s->rank);
        w->polls[i] = (struct pollfd){.fd = over ? -1 : s->pidfd, .events = POLLIN};
    }
    if (poll(w->polls, w->n_seats, 0) <= 0)
        return;
    for (unsigned i = 0; i < w->n_seats; i++) {
        if ((w->polls[i].revents & POLLIN) != 0)
            lose_gone(w, i);
    }
}

/* Its counter has stood still for a while. */
static void look_at_silent(struct watch *w, unsigned i)
{
    const struct seat *s = &w->seats[i];
    enum alive_state state = s->asked ? alive_look(&s->who) : ALIVE_UNKNOWN;
    double patience = s->rank == 0          ? WATCH_ROOT_LOST_AFTER
                      : state == ALIVE_RUNS ? WATCH_SLOW_LOST_AFTER
                                            : WATCH_LOST_AFTER;
    if (state == ALIVE_GONE)
        lose_gone(w, i);
    else if (s->beats.s > patience)
        lose(w, s->rank, &(struct sign){.silence = (unsigned)patience, .status = -1});
}

static void look_at_counters(struct watch *w, double now)
{
    for (unsigned i = 0; i < w->n_seats; i++) {
        struct seat *s = &w->seats[i];
        if (i != w->seat &&
            watch_silence(&s->beats, board_beats(w->setup.board, i), now) >
                WATCH_LOST_AFTER &&
            !watch_lost(w, s->rank))
            look_at_silent(w, i);
    }
    if (board_buried(w->setup.board, w->seat))
        be_outcast(w);
}

/* Rank 0: the hosts. A host of which every rank is lost has no voice any more. */
static void look_at_hosts(struct watch *w, double now)
{
    static const struct sign silent = {
        .host = true, .silence = (unsigned)WATCH_LOST_AFTER, .status = -1};
    for (unsigned h = 0; h < w->setup.n_hosts; h++) {
        struct host *o = &w->others[h];
        if (h == my_host(w) || o->lost ||
            watch_silence(&o->silence, o->words, now) <= WATCH_LOST_AFTER)
            continue;
        o->lost = true;
        unsigned n_new = 0;
        for (unsigned r = 0; r < w->setup.n_ranks; r++)
            n_new += w->hosts[r] == h && !watch_lost(w, r);
        if (n_new > 0)
            add_news(w, (struct watch_news){.kind = WATCH_HOST_LOST, .host = h});
        for (unsigned r = 0; r < w->setup.n_ranks; r++) {
            if (w->hosts[r] == h)
                lose(w, r, &silent);
        }
    }
}

/* Others, on other hosts than rank 0's: rank 0. */
static void look_at_root(struct watch *w, double now)
{
    struct host *root = &w->others[w->hosts[0]];
    if (my_host(w) == w->hosts[0] || !w->spoke)
        return;
    if (watch_silence(&root->silence, root->words, now) > WATCH_ROOT_LOST_AFTER)
        lose(w,
             0,
             &(struct sign){
                 .host = true, .silence = (unsigned)WATCH_ROOT_LOST_AFTER, .status = -1});
}

/* What we run, if it is the same as at our last word: what is over in less than that is
 * not told, since it would be another's fault more often than its own. */
static struct running running_since(struct watch *w)
{
    struct running now = {.stage = UINT32_MAX}, before = w->own;
    if (!board_was_running(w->setup.board, w->seat, &now.stage, &now.task))
        now.stage = UINT32_MAX;
    w->own = now;
    if (now.stage != before.stage || now.task != before.task)
        now.stage = UINT32_MAX;
    return now;
}

static void speak(struct watch *w, double now)
{
    bool was = w->spoke;
    w->spoke = speaks(w, w->setup.rank);
    if (w->spoke && !was) { /* who spoke before may not have told it all */
        for (unsigned i = 0; i < w->n_seats; i++) {
            if (watch_lost(w, w->seats[i].rank))
                spread_loss(w, w->seats[i].rank);
        }
        w->others[w->hosts[0]].silence =
            (struct watch_silence){.sign = w->others[w->hosts[0]].words, .looked = now};
    }
    if (!w->spoke || now < w->next_word || w->setup.n_hosts < 2)
        return;
    w->next_word = now + SPEAK_EVERY;
    struct running since = running_since(w);
    if (!is_root(w) && my_host(w) != w->hosts[0] && !watch_root_lost(w))
        say_alive(w, 0, &since);
    for (unsigned r = 1; is_root(w) && r < w->setup.n_ranks; r++) {
        if (w->hosts[r] != my_host(w) && !watch_lost(w, r) && speaks(w, r))
            say_alive(w, r, &since);
    }
}

bool watch_step(struct watch *w, double now, struct watch_news *ret)
{
    if (now >= w->next_look) {
        w->next_look = now + LOOK_EVERY;
        look_at_processes(w);
        look_at_counters(w, now);
        speak(w, now);
        if (is_root(w))
            look_at_hosts(w, now);
        else
            look_at_root(w, now);
    }
    board_beat(w->setup.board);
    if (w->first_news == w->n_news) {
        w->first_news = w->n_news = 0;
        return false;
    }
    *ret = w->news[w->first_news++];
    return true;
}

void watch_take(struct watch *w, unsigned from, const struct watch_word *word)
{
    if (watch_lost(w, from)) { /* it wakes up: too late, and it may not know */
        if (is_root(w))
            say_lost(w, from, from);
        return;
    }
    w->others[w->hosts[from]].words++;
    if (word->kind == WORD_ALIVE)
        w->running[from] = (struct running){word->stage, word->task};
    if (word->kind != WORD_LOST || word->rank >= w->setup.n_ranks)
        return;
    if (word->rank == w->setup.rank)
        be_outcast(w);
    else
        lose(w,
             word->rank,
             &(struct sign){.gone = word->gone != 0,
                            .host =
                                word->gone == 0 && w->others[w->hosts[word->rank]].lost,
                            .silence = word->silence,
                            .pid = word->pid,
                            .status = word->status});
}
