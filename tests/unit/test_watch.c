/* Who is alive: pretended ranks on pretended hosts, each with a watch of its own and a
 * real board; the clock is the test's. The processes that die are real. */
#include "base/memory.h"
#include "base/procstat.h"
#include "runner/watch.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOSTS = 3, SEATS = 3, RANKS = HOSTS * SEATS, MOST_WORDS = 4096 };

struct mail {
    unsigned from, to;
    struct watch_word word;
};

struct rank {
    unsigned number;
    struct board *board;
    struct watch *watch;
    bool stopped;
    double told_lost[RANKS]; /* when; 0: not */
    double told_root, told_outcast, told_host[HOSTS];
    char why[RANKS][64];
};

static struct rank ranks[RANKS];
static void *boards[HOSTS];
static unsigned hosts[RANKS], n_ranks;
static struct mail mail[MOST_WORDS];
static size_t n_mail, n_sent;
static bool cut[HOSTS]; /* no word comes or goes */
static double now;

static void post(void *ctx, unsigned to, const struct watch_word *word)
{
    const struct rank *r = ctx;
    cr_assert_lt(n_mail, MOST_WORDS);
    mail[n_mail++] = (struct mail){r->number, to, *word};
    n_sent++;
}

/* The rank is that process; 0: one that nobody knows anything of. */
static void be_process(unsigned r, pid_t pid)
{
    struct board_sitter who = {.pid = 1 << 30};
    struct procstat its;
    if (pid != 0) {
        cr_assert(procstat_read(pid, &its));
        who = (struct board_sitter){pid, procstat_space(), its.began};
    }
    board_sit(ranks[r].board, &who);
}

static void make(unsigned n_hosts, unsigned seats)
{
    n_ranks = n_hosts * seats;
    now = 1000;
    for (unsigned h = 0; h < n_hosts; h++) {
        boards[h] = mmap(NULL,
                         board_bytes(seats, 1),
                         PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS,
                         -1,
                         0);
        board_init(boards[h], seats, 1);
    }
    for (unsigned r = 0; r < n_ranks; r++)
        hosts[r] = r / seats;
    for (unsigned r = 0; r < n_ranks; r++) {
        ranks[r].number = r;
        ranks[r].board = board_open(boards[hosts[r]], r % seats);
        struct watch_setup setup = {.rank = r,
                                    .n_ranks = n_ranks,
                                    .n_hosts = n_hosts,
                                    .hosts = hosts,
                                    .board = ranks[r].board,
                                    .send = post,
                                    .ctx = &ranks[r]};
        ranks[r].watch = watch_make(&setup, now);
        be_process(r, 0); /* not ours: nobody is known to live by it */
    }
}

static void end(void)
{
    for (unsigned r = 0; r < n_ranks; r++) {
        watch_free(ranks[r].watch);
        board_close(ranks[r].board);
    }
}

static void step(struct rank *r)
{
    struct watch_news news;
    while (watch_step(r->watch, now, &news)) {
        if (news.kind == WATCH_LOST || news.kind == WATCH_ROOT_LOST)
            memcpy(r->why[news.rank], news.why, sizeof(news.why));
        if (news.kind == WATCH_LOST)
            r->told_lost[news.rank] = now;
        else if (news.kind == WATCH_HOST_LOST)
            r->told_host[news.host] = now;
        else if (news.kind == WATCH_ROOT_LOST)
            r->told_root = now;
        else
            r->told_outcast = now;
    }
}

/* Everybody who is not stopped steps each 10 ms; words arrive in between, and wait for
 * who is stopped. */
static void pass(double seconds)
{
    for (double until = now + seconds; now < until; now += 0.01) {
        for (unsigned r = 0; r < n_ranks; r++) {
            if (!ranks[r].stopped)
                step(&ranks[r]);
        }
        size_t kept = 0;
        for (size_t i = 0; i < n_mail; i++) {
            struct mail m = mail[i];
            if (cut[hosts[m.from]] || cut[hosts[m.to]])
                continue;
            if (ranks[m.to].stopped)
                mail[kept++] = m;
            else
                watch_take(ranks[m.to].watch, m.from, &m.word);
        }
        n_mail = kept;
    }
}

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            (void)pause();
    }
    return pid;
}

Test(watch, a_process_that_is_gone_is_lost_at_once)
{
    make(1, 3);
    pid_t pid = sleeper();
    be_process(1, pid); /* rank 1 is that process */
    pass(1);
    cr_expect_eq(watch_n_lost(ranks[0].watch), 0);
    (void)kill(pid, SIGKILL);
    (void)usleep(20000); /* a zombie now: nobody has reaped it */
    ranks[1].stopped = true;
    double at = now;
    pass(0.2);
    (void)waitpid(pid, NULL, 0);
    cr_expect(watch_lost(ranks[0].watch, 1) && watch_gone(ranks[0].watch, 1));
    cr_expect(watch_lost(ranks[2].watch, 1));
    cr_expect_gt(ranks[0].told_lost[1], 0);
    cr_expect_leq(ranks[0].told_lost[1], at + 0.11);
    char why[64];
    (void)snprintf(why, sizeof(why), "pid %d ended by SIGKILL", (int)pid);
    cr_expect_str_eq(ranks[0].why[1], why);
    cr_expect(board_buried(ranks[0].board, 1));
    end();
}

Test(watch, a_process_that_ended_before_the_first_look_is_lost_at_once)
{
    make(1, 3);
    pid_t pid = sleeper();
    be_process(1, pid);
    ranks[1].stopped = true;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0); /* nothing is left of it */
    pass(0.2);
    cr_expect(watch_gone(ranks[0].watch, 1) && watch_gone(ranks[2].watch, 1));
    char why[64];
    (void)snprintf(why, sizeof(why), "pid %d ended", (int)pid);
    cr_expect_str_eq(ranks[0].why[1], why);
    end();
}

Test(watch, a_number_that_another_process_has_is_not_believed)
{
    make(1, 2);
    pid_t pid = sleeper();
    board_sit(ranks[1].board, &(struct board_sitter){pid, procstat_space(), 1});
    pass(5);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    pass(1);
    cr_expect_eq(watch_n_lost(ranks[0].watch), 0);
    end();
}

Test(watch, a_process_that_is_slow_is_waited_for_and_one_that_is_stopped_is_not)
{
    make(1, 3);
    pid_t slow = sleeper(), stopped = sleeper();
    be_process(1, slow);
    be_process(2, stopped);
    pass(1);
    ranks[1].stopped = ranks[2].stopped = true; /* their counters */
    (void)kill(stopped, SIGSTOP);
    (void)usleep(20000);
    pass(3.5);
    cr_expect(watch_lost(ranks[0].watch, 2) && !watch_gone(ranks[0].watch, 2));
    cr_expect_str_eq(ranks[0].why[2], "no sign of life for 3 s");
    pass(10);
    cr_expect_not(watch_lost(ranks[0].watch, 1));
    pass(3);
    cr_expect(watch_lost(ranks[0].watch, 1));
    cr_expect_str_eq(ranks[0].why[1], "no sign of life for 15 s");
    (void)kill(slow, SIGKILL);
    (void)kill(stopped, SIGKILL);
    end();
}

Test(watch, a_process_that_left_as_it_should_is_no_news_and_not_waited_for)
{
    make(1, 3);
    pid_t pid = sleeper();
    be_process(0, pid); /* rank 0 is that process */
    pass(1);
    board_leave(ranks[0].board);
    (void)kill(pid, SIGKILL);
    (void)usleep(20000);
    ranks[0].stopped = true;
    pass(0.2);
    (void)waitpid(pid, NULL, 0);
    cr_expect(watch_root_lost(ranks[1].watch) && watch_gone(ranks[2].watch, 0));
    cr_expect_eq(ranks[1].told_root, 0);
    cr_expect_eq(ranks[2].told_root, 0);
    end();
}

Test(watch, a_stopped_rank_is_given_up_after_three_seconds_and_learns_it)
{
    make(1, 3);
    pass(1);
    ranks[2].stopped = true;
    double at = now;
    pass(2.8);
    cr_expect_eq(watch_n_lost(ranks[0].watch), 0);
    pass(0.5);
    cr_expect(watch_lost(ranks[0].watch, 2) && !watch_gone(ranks[0].watch, 2));
    cr_expect_leq(ranks[0].told_lost[2], at + 3.2);
    pass(6);
    ranks[2].stopped = false;
    pass(0.2);
    cr_expect(watch_outcast(ranks[2].watch));
    cr_expect_gt(ranks[2].told_outcast, 0);
    cr_expect_eq(watch_n_lost(ranks[2].watch), 0, "it gave up the others");
    cr_expect_not(watch_outcast(ranks[0].watch));
    end();
}

Test(watch, all_stopped_together_lose_nobody)
{
    make(2, 3);
    pass(1);
    now += 30; /* the machine was suspended */
    pass(5);
    for (unsigned r = 0; r < n_ranks; r++)
        cr_expect_eq(watch_n_lost(ranks[r].watch), 0, "rank %u lost somebody", r);
    end();
}

Test(watch, rank_0_is_waited_for_longer)
{
    make(2, 2);
    pass(1);
    ranks[0].stopped = true;
    pass(14);
    for (unsigned r = 1; r < n_ranks; r++)
        cr_expect_not(watch_root_lost(ranks[r].watch));
    ranks[0].stopped = false;
    pass(5);
    for (unsigned r = 0; r < n_ranks; r++)
        cr_expect_eq(watch_n_lost(ranks[r].watch), 0, "rank %u lost somebody", r);
    ranks[0].stopped = true;
    pass(16);
    for (unsigned r = 1; r < n_ranks; r++)
        cr_expect_gt(ranks[r].told_root, 0, "rank %u does not know", r);
    ranks[0].stopped = false;
    pass(0.5);
    cr_expect(watch_outcast(ranks[0].watch));
    end();
}

Test(watch, rank_0_of_another_host_is_missed)
{
    make(2, 2);
    pass(1);
    cut[0] = true;
    pass(16);
    cr_expect(watch_root_lost(ranks[2].watch) && watch_root_lost(ranks[3].watch));
    cr_expect_eq(watch_n_lost(ranks[0].watch), 2);
    cut[0] = false;
    end();
}

Test(watch, a_silent_host_is_lost_in_three_seconds_and_told_to_the_others)
{
    make(3, 3);
    pass(1);
    cut[1] = true;
    double at = now;
    pass(3.8);
    for (unsigned r = 3; r < 6; r++) {
        cr_expect(watch_lost(ranks[0].watch, r));
        cr_expect(watch_lost(ranks[8].watch, r), "rank 8 was not told of %u", r);
    }
    cr_expect_gt(ranks[0].told_host[1], 0);
    cr_expect_leq(ranks[0].told_host[1], at + 3.7);
    cr_expect_eq(watch_n_lost(ranks[0].watch), 3);
    cut[1] = false; /* the link comes back: they are told that they are lost */
    pass(1.5);
    for (unsigned r = 3; r < 6; r++)
        cr_expect(r < 5 ? watch_outcast(ranks[r].watch) : true);
    cr_expect_eq(watch_n_lost(ranks[0].watch), 3);
    end();
}

Test(watch, the_next_rank_speaks_when_the_speaker_is_stopped)
{
    make(2, 3);
    pass(1);
    ranks[3].stopped = true;
    pass(4);
    cr_expect(watch_lost(ranks[0].watch, 3));
    cr_expect_eq(watch_n_lost(ranks[0].watch), 1);
    ranks[4].stopped = true; /* and the next */
    pass(4);
    cr_expect(watch_lost(ranks[0].watch, 4));
    cr_expect_eq(watch_n_lost(ranks[0].watch), 2);
    cr_expect_eq(ranks[0].told_host[1], 0);
    cr_expect(watch_lost(ranks[1].watch, 3), "the others were not told");
    end();
}

Test(watch, a_lone_rank_is_known_by_its_last_words)
{
    make(3, 1);
    uint32_t stage;
    uint64_t task;
    board_running(ranks[1].board, 2, 70);
    pass(0.3);
    board_running(ranks[1].board, 2, 71); /* short ones are nobody's fault */
    pass(0.6);
    board_running(ranks[2].board, 0, 5);
    board_running(ranks[0].board, 1, 9);
    pass(1.2);
    cr_expect(watch_was_running(ranks[0].watch, 1, &stage, &task));
    cr_expect(stage == 2 && task == 71);
    cr_expect(watch_was_running(ranks[0].watch, 2, &stage, &task) && task == 5);
    cr_expect(watch_was_running(ranks[1].watch, 0, &stage, &task) && task == 9);
    for (unsigned i = 0; i < 20; i++) {
        board_running(ranks[1].board, 2, 100 + i);
        pass(0.1);
    }
    cr_expect_not(watch_was_running(ranks[0].watch, 1, &stage, &task));
    board_running(ranks[2].board, UINT32_MAX, 0);
    pass(1.2);
    cr_expect_not(watch_was_running(ranks[0].watch, 2, &stage, &task));
    ranks[1].stopped = true;
    cut[1] = true;
    pass(4);
    cr_expect_str_eq(ranks[0].why[1], "no word from its host for 3 s");
    end();
}

Test(watch, words_are_few)
{
    make(3, 3);
    pass(10);
    /* twice a second: two of each of two hosts to rank 0, and back */
    cr_expect_leq(n_sent, 10 * 2 * 8 + 16);
    end();
}

Test(watch, nonsense_from_a_rank_is_dropped)
{
    make(2, 2);
    watch_take(ranks[0].watch, 3, &(struct watch_word){.kind = 2, .rank = 77});
    watch_take(ranks[0].watch, 3, &(struct watch_word){.kind = 99, .rank = 1});
    cr_expect_eq(watch_n_lost(ranks[0].watch), 0);
    end();
}

Test(watch, a_watcher_that_slept_counts_little)
{
    struct watch_silence s = {.looked = 5};
    cr_expect_eq(watch_silence(&s, 0, 5.1) > 0.09, true);
    double after = watch_silence(&s, 0, 25);
    cr_expect_lt(after, 0.5);
    cr_expect_eq(watch_silence(&s, 1, 26), 0);
    cr_expect_eq(watch_silence(&s, 1, 20), 0, "a clock that went back");
}
