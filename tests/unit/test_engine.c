/* engine_run against launchers that are a shell script: what they print, write and do to
 * themselves is chosen here. A whole run with mpirun is tests/cli's work. */
#include "base/clock.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "engine/summary.h"
#include "engine_job.h"
#include "sched/place.h"
#include <signal.h>

static const char yaml[] = "name: nap\n"
                           "ranks: 2\n"
                           "results: job.h5\n"
                           "matrix: {x: 1-2}\n"
                           "kernel: sleep\n"
                           "args: {seconds: 0}\n";

static struct engine_job job;

static void on_loss(unsigned restarts, bool stop)
{
    struct jobspec *spec = (struct jobspec *)(uintptr_t)job.spec;
    spec->restarts = restarts;
    spec->stop_on_loss = stop;
}

static void setup(void)
{
    engine_job_open(&job, yaml);
    on_loss(0, false);
}

static void teardown(void)
{
    engine_job_close(&job);
}

TestSuite(engine, .init = setup, .fini = teardown, .timeout = 60);

/* The script of the launcher, and what it finds in READY: the results of this very plan.
 */
static const char *script;
static uint32_t status_of_last = RESULT_DONE;

static void make_results(const struct plan *plan)
{
    struct plan apart = *plan;
    char folder[96], ready[96];
    (void)snprintf(folder, sizeof(folder), "%s/ready.gm", job.dir);
    (void)snprintf(ready, sizeof(ready), "%s/ready.h5", job.dir);
    apart.folder = folder;
    apart.results = ready;
    struct shard *shard = engine_job_begin(&job, &apart);
    engine_job_commit(shard, 0, 0, RESULT_DONE);
    if (status_of_last != RESULT_NONE)
        engine_job_commit(shard, 0, 1, status_of_last);
    cr_assert_eq(shard_close(shard, NULL), 0);
    engine_job_pack(&apart, ready, "done");
}

static int script_line(const struct plan *plan,
                       const char *runner,
                       struct launch_line **ret,
                       struct gm_error *err)
{
    (void)runner;
    (void)err;
    make_results(plan);
    struct arena *a = arena_make();
    struct launch_line *line = arena_alloc(a, 1, sizeof(*line));
    const char **argv = arena_alloc(a, 4, sizeof(*argv));
    const char **env = arena_alloc(a, 4, sizeof(*env));
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    env[0] = arena_printf(a, "READY=%s/ready", job.dir);
    env[1] = arena_printf(a, "FILE=%s", plan->results);
    env[2] = arena_printf(a, "FOLDER=%s", plan->folder);
    *line = (struct launch_line){
        .arena = a, .argv = argv, .env = env, .rankfile = "the ranks\n"};
    *ret = line;
    return 0;
}

static const struct launch_backend backend = {"script", script_line};

struct heard {
    struct str kinds; /* "PLANNED " ... as numbers */
    struct str said;
    bool summary;
    bool stop_at_start; /* asks to stop at the STARTED event */
};

static void hear(void *ctx, const struct engine_event *e)
{
    struct heard *h = ctx;
    if (e->kind == ENGINE_SAID)
        str_printf(&h->said, "%s\n", e->text);
    else
        str_printf(&h->kinds, "%d ", (int)e->kind);
    if (e->kind == ENGINE_ENDED)
        h->summary = e->summary != NULL;
    if (e->kind == ENGINE_STARTED && h->stop_at_start)
        engine_stop();
}

static int run(const char *text, struct heard *h, struct gm_error *err)
{
    struct engine_events events = {.ctx = h, .event = hear};
    struct engine_options opt = {.runner = "/bin/true"};
    struct engine_machine machine = {.tree = job.tree, .backend = &backend};
    script = text;
    return engine_run(job.spec, &machine, &opt, &events, err);
}

static void heard_free(struct heard *h)
{
    str_free(&h->kinds);
    str_free(&h->said);
}

static bool folder_is_there(void)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s.gm", job.results);
    return file_exists(path);
}

#define STARTED "echo '{\"gridmill\":\"started\",\"total\":2}'; "
#define ENDED   "echo '{\"gridmill\":\"ended\",\"code\":0,\"outcome\":\"done\"}'; "

Test(engine, whole_results_are_done_whatever_the_launchers_status)
{
    struct heard h = {0};
    struct gm_error err = {0};
    int code = run(
        STARTED "test \"$(cat $FOLDER/rankfile)\" = 'the ranks' && cp $READY.h5 $FILE; "
                "echo a line of a rank; " ENDED "exit 9",
        &h,
        &err);
    cr_expect_eq(code, ENGINE_DONE, "%s", err.text);
    cr_expect_str_eq(str_text(&h.kinds), "10 20 80 ");
    cr_expect_str_eq(str_text(&h.said), "a line of a rank\n");
    cr_expect(h.summary);
    cr_expect_not(folder_is_there());
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/job.summary.json", job.dir);
    cr_expect(file_exists(path));
    heard_free(&h);
}

Test(engine, a_launcher_that_says_all_is_well_and_leaves_nothing_is_not_believed)
{
    struct heard h = {0};
    struct gm_error err = {0};
    cr_expect_eq(run(STARTED ENDED "exit 0", &h, &err), ENGINE_INTERNAL);
    cr_expect_gt(strlen(err.text), 0);
    cr_expect_not(h.summary);
    cr_expect_not(folder_is_there());
    heard_free(&h);
}

Test(engine, results_of_another_launch_are_not_taken_for_ours)
{
    struct heard h = {0};
    struct gm_error err = {0};
    char old[128];
    (void)snprintf(old, sizeof(old), "%s/old.h5", job.dir);
    cr_assert_eq(run("cp $READY.h5 ${FILE%job.h5}old.h5; exit 1", &h, &err),
                 ENGINE_INTERNAL);
    cr_assert(file_exists(old));
    (void)file_remove_tree(script, NULL);
    char more[96];
    (void)snprintf(more, sizeof(more), "%s/ready.gm", job.dir);
    (void)file_remove_tree(more, NULL);
    cr_expect_eq(run(STARTED "mv ${FILE%job.h5}old.h5 $FILE; " ENDED, &h, &err),
                 ENGINE_INTERNAL);
    cr_expect_not_null(strstr(err.text, "another run"), "%s", err.text);
    heard_free(&h);
}

Test(engine, a_failed_task_is_exit_code_one_with_its_name)
{
    struct heard h = {0};
    struct gm_error err = {0};
    status_of_last = RESULT_FAILED;
    cr_expect_eq(run(STARTED "cp $READY.h5 $FILE; " ENDED, &h, &err), ENGINE_TASK_FAILED);
    cr_expect_not_null(strstr(err.text, "1 of 2 tasks failed: main[1]"), "%s", err.text);
    heard_free(&h);
}

Test(engine, shards_without_a_results_file_are_incomplete_and_stay)
{
    struct heard h = {0};
    struct gm_error err = {0};
    status_of_last = RESULT_NONE;
    cr_expect_eq(run(STARTED "cp -r $READY.gm/* $FOLDER; kill -9 $$", &h, &err),
                 ENGINE_INCOMPLETE);
    cr_expect_not_null(strstr(err.text, "1 of 2 tasks are committed"), "%s", err.text);
    cr_expect_not_null(strstr(err.text, "SIGKILL"), "%s", err.text);
    cr_expect(h.summary);
    cr_expect(folder_is_there());
    heard_free(&h);
}

Test(engine, a_refusal_of_the_ranks_keeps_its_code_and_sentence)
{
    struct heard h = {0};
    struct gm_error err = {0};
    int code = run("echo '{\"gridmill\":\"ended\",\"code\":2,\"outcome\":\"refused\","
                   "\"text\":\"rank 1: no such thing\"}'; exit 2",
                   &h,
                   &err);
    cr_expect_eq(code, ENGINE_USAGE);
    cr_expect_str_eq(err.text, "rank 1: no such thing");
    cr_expect_not(folder_is_there());
    heard_free(&h);
}

Test(engine, without_a_word_of_the_ranks_the_launchers_are_told)
{
    struct heard h = {0};
    struct gm_error err = {0};
    int code = run("printf '%s\\nno slots left\\n%s\\n' ------------------------- "
                   "------------------------- >&2; exit 1",
                   &h,
                   &err);
    cr_expect_eq(code, ENGINE_INTERNAL);
    cr_expect_str_eq(err.text, "the launcher said: no slots left");
    cr_expect_str_eq(str_text(&h.said), "", "and not shown beside it");
    heard_free(&h);
}

Test(engine, a_stop_drains_the_ranks_by_their_signal)
{
    struct heard h = {.stop_at_start = true};
    struct gm_error err = {0};
    status_of_last = RESULT_NONE;
    int code = run("trap 'cp -r $READY.gm/* $FOLDER; exit 0' USR1; " STARTED
                   "while :; do sleep 0.05; done",
                   &h,
                   &err);
    cr_expect_eq(code, ENGINE_INCOMPLETE);
    cr_expect_str_eq(str_text(&h.kinds), "10 20 60 80 ");
    cr_expect_not_null(strstr(err.text, "stopped on request"), "%s", err.text);
    cr_expect(folder_is_there());
    heard_free(&h);
}

Test(engine, the_jobs_time_ends_it_like_a_stop)
{
    struct heard h = {0};
    struct gm_error err = {0};
    ((struct jobspec *)(uintptr_t)job.spec)->time = 0.3;
    double start = clock_monotonic();
    int code =
        run("trap 'exit 0' USR1; " STARTED "while :; do sleep 0.05; done", &h, &err);
    cr_expect_eq(code, ENGINE_INCOMPLETE);
    cr_expect_lt(clock_monotonic() - start, 5);
    cr_expect_not_null(strstr(err.text, "time is over"), "%s", err.text);
    heard_free(&h);
}

Test(engine, no_process_of_a_killed_launcher_is_left)
{
    struct heard h = {0};
    struct gm_error err = {0};
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/child", job.dir);
    int code =
        run("sleep 600 & echo $! >${READY%ready}child; " STARTED "sleep 0.3; kill -9 $$",
            &h,
            &err);
    cr_expect_eq(code, ENGINE_INCOMPLETE);
    AUTO_FREE(char) text = NULL;
    size_t len;
    cr_assert_eq(file_read(path, 64, &text, &len, NULL), 0);
    /* Gone, or a zombie that nobody reaped yet. */
    AUTO_STR stat = {0};
    AUTO_FREE(char) line = NULL;
    str_printf(&stat, "/proc/%ld/stat", strtol(text, NULL, 10));
    if (file_read(stat.text, 4096, &line, &len, NULL) == 0)
        cr_expect_not_null(strstr(line, ") Z "), "%s", line);
    heard_free(&h);
}

Test(engine, a_lost_launch_is_followed_by_another_for_the_rest)
{
    struct heard h = {0};
    struct gm_error err = {0};
    on_loss(2, false);
    int code =
        run(STARTED "cd ${FILE%job.h5}; if test -e first; then cp $READY.h5 $FILE; " ENDED
                    "exit 0; fi; touch first; kill -9 $$",
            &h,
            &err);
    cr_expect_eq(code, ENGINE_DONE, "%s", err.text);
    cr_expect_str_eq(str_text(&h.kinds), "10 20 10 20 80 ");
    cr_expect_not_null(
        strstr(str_text(&h.said), "launched again (1 of 2)"), "%s", str_text(&h.said));
    cr_expect_not(folder_is_there());
    heard_free(&h);
}

Test(engine, launches_end_at_the_limit_and_the_resume_command_is_told)
{
    struct heard h = {0};
    struct gm_error err = {0};
    on_loss(2, false);
    status_of_last = RESULT_NONE;
    int code = run(STARTED
                   "cp -r $READY.gm/* $FOLDER; echo x >>${READY%ready}starts; kill -9 $$",
                   &h,
                   &err);
    cr_expect_eq(code, ENGINE_INCOMPLETE);
    cr_expect_not_null(strstr(err.text, "gridmill resume"), "%s", err.text);
    cr_expect_str_eq(str_text(&h.kinds), "10 20 10 20 10 20 80 ");
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/starts", job.dir);
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    cr_assert_eq(file_read(path, 64, &text, &len, NULL), 0);
    cr_expect_eq(len, 6, "three launches: %s", text);
    heard_free(&h);
}

Test(engine, a_loss_that_the_ranks_tell_ends_a_launcher_that_hangs)
{
    struct heard h = {0};
    struct gm_error err = {0};
    on_loss(1, false);
    double start = clock_monotonic();
    int code = run("trap '' TERM; " STARTED
                   "cd ${FILE%job.h5}; if test -e first; then cp $READY.h5 $FILE; " ENDED
                   "exit 0; fi; touch first; echo '{\"gridmill\":\"ended\",\"code\":5,"
                   "\"outcome\":\"lost\",\"text\":\"host n1 is lost\"}'; "
                   "while :; do sleep 1; done",
                   &h,
                   &err);
    cr_expect_eq(code, ENGINE_DONE, "%s", err.text);
    cr_expect_lt(clock_monotonic() - start, 15);
    cr_expect_not_null(strstr(str_text(&h.said), "host n1 is lost"));
    heard_free(&h);
}

Test(engine, ranks_that_vanish_before_their_first_word_are_a_loss)
{
    struct heard h = {0};
    struct gm_error err = {0};
    on_loss(1, false);
    int code =
        run("cd ${FILE%job.h5}; test -e first || { touch first; exit 0; }; " STARTED
            "cp $READY.h5 $FILE; " ENDED,
            &h,
            &err);
    cr_expect_eq(code, ENGINE_DONE, "%s", err.text);
    heard_free(&h);
}

Test(engine, the_policy_stop_launches_nothing_again)
{
    struct heard h = {0};
    struct gm_error err = {0};
    on_loss(3, true);
    status_of_last = RESULT_NONE;
    int code = run(STARTED "cp -r $READY.gm/* $FOLDER; kill -9 $$", &h, &err);
    cr_expect_eq(code, ENGINE_INCOMPLETE);
    cr_expect_str_eq(str_text(&h.kinds), "10 20 80 ");
    heard_free(&h);
}

Test(engine, what_the_ranks_refuse_is_no_loss)
{
    struct heard h = {0};
    struct gm_error err = {0};
    on_loss(3, false);
    status_of_last = RESULT_NONE;
    int code =
        run(STARTED "cp -r $READY.gm/* $FOLDER; echo '{\"gridmill\":\"ended\","
                    "\"code\":5,\"outcome\":\"incomplete\",\"text\":\"disk full\"}'",
            &h,
            &err);
    cr_expect_eq(code, ENGINE_INCOMPLETE);
    cr_expect_str_eq(str_text(&h.kinds), "10 20 80 ");
    heard_free(&h);
}

Test(engine, a_plan_names_every_rank_and_two_differ_in_their_id_alone)
{
    AUTO(plan) a = engine_job_plan(&job);
    AUTO(plan) b = engine_job_plan(&job);
    cr_assert_eq(a->n_ranks, 2);
    cr_expect_eq(a->binder, PLAN_BOUND_BY_LAUNCHER);
    for (unsigned i = 0; i < 2; i++) {
        cr_expect_gt(strlen(a->ranks[i].cpus), 0);
        cr_expect_gt(strlen(a->ranks[i].reason), 0);
        cr_expect_str_eq(a->ranks[i].host, a->hosts[0].name);
    }
    cr_expect_str_neq(a->ranks[0].cpus, a->ranks[1].cpus);
    cr_expect_str_neq(a->id, b->id);
    memcpy((char *)(uintptr_t)b->id, a->id, 32);
    AUTO_FREE(char) first = plan_format(a);
    AUTO_FREE(char) second = plan_format(b);
    cr_expect_str_eq(first, second);
}

/* A machine of two NUMA nodes with two cores of two PUs each; ranks stand where told. */
static struct plan *plan_on(const char *pus[], unsigned n, unsigned threads)
{
    struct gm_error err = {0};
    AUTO(restree) tree = NULL;
    AUTO(placement) at = xcalloc(1, sizeof(*at));
    struct plan *plan = NULL;
    struct jobspec spec = *job.spec;
    spec.threads = threads;
    cr_assert_eq(restree_load_synthetic("numa:2 core:2 pu:2", &tree, NULL), 0);
    at->seats = xcalloc(n, sizeof(*at->seats));
    at->mapping = "pack";
    for (at->n_ranks = 0; at->n_ranks < n; at->n_ranks++)
        cr_assert_eq(idset_parse(pus[at->n_ranks], &at->seats[at->n_ranks].pus, NULL), 0);
    int rc = engine_plan_from(
        &spec, tree, at, NULL, PLAN_BOUND_BEFORE, "foreign", &plan, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return plan;
}

Test(engine, a_rank_has_the_memory_and_the_threads_of_its_cores)
{
    const char *pus[] = {"0-3", "2-5", "4", "6-7"};
    AUTO(plan) plan = plan_on(pus, 4, 0);
    cr_expect_str_eq(plan->ranks[0].mems, "0");
    cr_expect_str_eq(plan->ranks[1].mems, "0-1");
    cr_expect_str_eq(plan->ranks[2].mems, "1");
    cr_expect_str_eq(plan->ranks[3].mems, "1");
    cr_expect(plan->ranks[0].threads == 2 && plan->ranks[1].threads == 2);
    cr_expect(plan->ranks[2].threads == 1 && plan->ranks[3].threads == 1);
    cr_expect_eq(plan->verify, PLAN_VERIFY_WARN);
}

Test(engine, ranks_on_the_same_cores_share_their_threads)
{
    const char *pus[] = {"0-3", "0-3", "4-7", "0-3"};
    AUTO(plan) plan = plan_on(pus, 4, 0);
    cr_expect(plan->ranks[0].threads == 1 && plan->ranks[2].threads == 2);
    const char *apart[] = {"0-2", "3", "4-5"};
    AUTO(plan) counted = plan_on(apart, 3, 1);
    cr_expect(counted->ranks[0].threads == 3 && counted->ranks[1].threads == 1);
    cr_expect_eq(counted->ranks[2].threads, 2);
}

Test(engine, exit_codes_follow_the_cause)
{
    static const struct {
        int code;
        enum engine_exit want;
    } cases[] = {{0, ENGINE_DONE},
                 {-EINVAL, ENGINE_USAGE},
                 {-ENOENT, ENGINE_USAGE},
                 {-EEXIST, ENGINE_USAGE},
                 {-ENOSPC, ENGINE_CANNOT_FIT},
                 {-EOVERFLOW, ENGINE_CANNOT_FIT},
                 {-ECANCELED, ENGINE_INCOMPLETE},
                 {-EOWNERDEAD, ENGINE_INCOMPLETE},
                 {-EIO, ENGINE_INTERNAL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(engine_exit_for(cases[i].code), cases[i].want, "%d", cases[i].code);
}
