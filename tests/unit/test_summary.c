#include "base/auto.h"
#include "engine/summary.h"
#include "engine_job.h"

/* One stage of six sleeps, and a command after it. */
static const char yaml[] = "name: nap\n"
                           "ranks: 2\n"
                           "results: job.h5\n"
                           "tasks:\n"
                           "  - name: doze\n"
                           "    kernel: sleep\n"
                           "    matrix: {x: 1-6}\n"
                           "    args: {seconds: 0}\n"
                           "  - name: say\n"
                           "    command: [echo, hello]\n";

static struct engine_job job;
static struct plan *plan;
static struct shard *shard;

static void setup(void)
{
    engine_job_open(&job, yaml);
    plan = engine_job_plan(&job);
    shard = engine_job_begin(&job, plan);
}

static void teardown(void)
{
    plan_free(plan);
    engine_job_close(&job);
}

TestSuite(summary, .init = setup, .fini = teardown);

static void close_shard(void)
{
    struct gm_error err = {0};
    cr_assert_eq(shard_close(shard, &err), 0, "%s", err.text);
}

static struct summary *load(const char *path)
{
    struct gm_error err = {0};
    struct summary *s = NULL;
    int rc = summary_load(path, &s, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return s;
}

static void expect_text(const struct summary *s, const char *want)
{
    AUTO_STR out = {0};
    summary_draw(s, false, true, &out);
    cr_expect_not_null(strstr(out.text, want), "no '%s' in:\n%s", want, out.text);
}

static void all_done(void)
{
    for (uint64_t t = 0; t < 6; t++) {
        engine_job_f64(shard, 0, t, 0, 0.5 + (double)t);
        engine_job_commit(shard, 0, t, RESULT_DONE);
    }
    engine_job_text(shard, 1, 0, RESULT_STDOUT, "hello\n\033[2Jworld\n");
    engine_job_commit(shard, 1, 0, RESULT_DONE);
    close_shard();
}

Test(summary, a_packed_job_is_done_and_its_numbers_are_those_of_its_tasks)
{
    all_done();
    engine_job_pack(plan, job.results, "done");
    AUTO(summary) s = load(job.results);
    cr_expect_eq(summary_exit(s), ENGINE_DONE);
    cr_expect_eq(summary_tasks(s), 7);
    cr_expect_eq(summary_committed(s), 7);
    cr_expect_str_eq(summary_id(s), plan->id);
    expect_text(s, "nap: done · 7 of 7 tasks in 5.50 s on ");
    expect_text(s, "slept 3 s mean"); /* (0.5 + ... + 5.5) / 6 */
}

Test(summary, the_shards_say_the_same_before_they_are_packed)
{
    all_done();
    AUTO(summary) s = load(plan->folder);
    AUTO(summary) by_file = load(job.results); /* which is not there yet */
    cr_expect_eq(summary_exit(s), ENGINE_DONE);
    cr_expect_eq(summary_committed(by_file), 7);
    expect_text(s, "slept 3 s mean");
    expect_text(by_file, "not packed");
}

Test(summary, what_a_command_printed_is_shown_without_its_control_bytes)
{
    all_done();
    AUTO(summary) s = load(plan->folder);
    expect_text(s, "    hello\n    ?[2Jworld\n");
}

Test(summary,
     of_bytes_that_are_no_text_the_letters_are_shown_and_nothing_is_lost_at_a_zero)
{
    static const char bytes[] = "a\0b \xc3\xa9 \xff\xfe \xc2\x9b"
                                "1m \xe2\x82\n"
                                "end\n";
    struct gm_error err = {0};
    struct result_record r = {.stage = 1,
                              .kind = RESULT_STDOUT,
                              .dtype = GM_U8,
                              .ndim = 1,
                              .dims = {sizeof(bytes) - 1},
                              .data = bytes,
                              .nbytes = sizeof(bytes) - 1};
    cr_assert_eq(shard_add(shard, &r, &err), 0, "%s", err.text);
    engine_job_commit(shard, 1, 0, RESULT_DONE);
    close_shard();
    AUTO(summary) s = load(plan->folder);
    expect_text(s, "    a?b \xc3\xa9 ?? ??1m ??\n    end\n");
}

Test(summary, tries_after_the_first_are_counted_beside_the_tasks)
{
    for (uint32_t attempt = 1; attempt <= 3; attempt++)
        engine_job_attempt(
            shard, 1, 0, attempt, attempt < 3 ? RESULT_RETRIED : RESULT_DONE);
    close_shard();
    AUTO(summary) s = load(plan->folder);
    expect_text(s, "1 done, 2 retries");
}

Test(summary, not_every_task_of_many_is_printed_and_the_rest_is_counted)
{
    struct engine_job wide;
    AUTO_STR text = {0};
    str_add(&text, "ranks: 1\nresults: job.h5\ntasks:\n");
    for (int i = 0; i < 5; i++)
        str_printf(&text, "  - {name: s%d, matrix: {x: 1-6}, command: [echo]}\n", i);
    engine_job_open(&wide, text.text);
    struct plan *p = engine_job_plan(&wide);
    struct shard *one = engine_job_begin(&wide, p);
    struct gm_error err = {0};
    for (unsigned i = 0; i < 30; i++) {
        const char *printed = i == 0 ? "1\n2\n3\n4\n5\n6\n7\n" : "hello\n";
        engine_job_text(one, i / 6, i % 6, RESULT_STDOUT, printed);
        engine_job_commit(one, i / 6, i % 6, RESULT_DONE);
    }
    cr_assert_eq(shard_close(one, &err), 0, "%s", err.text);
    AUTO(summary) s = load(p->folder);
    expect_text(s, "  s2[3] printed\n    hello\n\n  what 18 more tasks printed");
    expect_text(s, "    6\n    (more in the results file)\n"); /* less of each */
    plan_free(p);
    engine_job_close(&wide);
    close_shard();
}

Test(summary, of_a_long_text_the_first_lines_are_shown_and_that_there_is_more)
{
    AUTO_STR text = {0};
    for (int i = 0; i < 5000; i++)
        str_printf(&text, "line %d\n", i);
    engine_job_text(shard, 1, 0, RESULT_STDOUT, text.text);
    engine_job_commit(shard, 1, 0, RESULT_DONE);
    close_shard();
    AUTO(summary) s = load(plan->folder);
    expect_text(s, "    line 0\n");
    expect_text(s, "    line 23\n    (more in the results file)\n");
}

Test(summary, a_line_that_is_cut_says_so)
{
    char line[1000];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    engine_job_text(shard, 1, 0, RESULT_STDOUT, line);
    engine_job_commit(shard, 1, 0, RESULT_DONE);
    close_shard();
    AUTO(summary) s = load(plan->folder);
    expect_text(s, "xxx\n    (more in the results file)\n");
}

Test(summary, a_failed_task_is_named_with_its_parameters_and_sentence)
{
    for (uint64_t t = 0; t < 6; t++) {
        if (t == 3) {
            engine_job_text(shard, 0, t, RESULT_PARAMS, "{\"x\":4}");
            engine_job_text(shard, 0, t, RESULT_MESSAGE, "it did not sleep");
        }
        engine_job_commit(shard, 0, t, t == 3 ? RESULT_FAILED : RESULT_DONE);
    }
    engine_job_commit(shard, 1, 0, RESULT_SKIPPED);
    close_shard();
    AUTO(summary) s = load(plan->folder);
    cr_expect_eq(summary_exit(s), ENGINE_TASK_FAILED);
    cr_expect_str_eq(summary_verdict(s),
                     "1 of 7 tasks failed, 1 skipped: doze[3]: it did not sleep");
    expect_text(s, "doze[3] x=4: it did not sleep");
    expect_text(s, "5 done, 1 failed");
}

Test(summary, tasks_that_are_not_committed_make_it_incomplete_even_beside_a_failure)
{
    engine_job_commit(shard, 0, 0, RESULT_FAILED);
    close_shard();
    AUTO(summary) s = load(plan->folder);
    cr_expect_eq(summary_exit(s), ENGINE_INCOMPLETE);
    cr_expect_eq(summary_committed(s), 1);
    expect_text(s, "nap: incomplete");
}

Test(summary, as_json_it_has_its_schema_outcome_and_phases)
{
    static const struct engine_phase phases[] = {{"launch", 0.25}, {"pack", 0.5}};
    all_done();
    AUTO(summary) s = load(plan->folder);
    summary_add_phases(s, phases, 1);
    summary_add_phases(s, phases + 1, 1);
    AUTO_FREE(char) text = summary_json(s);
    static const char *const wants[] = {"\"schema\": \"gridmill.summary/1\"",
                                        "\"outcome\": \"done\"",
                                        "\"code\": 0",
                                        "\"launch\": 0.25",
                                        "\"pack\": 0.5",
                                        "\"value\": 3.0"};
    for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
        cr_expect_not_null(strstr(text, wants[i]), "no %s in %s", wants[i], text);
}

Test(summary, of_what_is_not_there_says_so)
{
    struct gm_error err = {0};
    struct summary *s = NULL;
    close_shard();
    cr_expect_lt(summary_load("/nowhere/at-all.h5", &s, &err), 0);
    cr_expect_null(s);
    cr_expect_not_null(strstr(err.text, "/nowhere/at-all.h5"), "%s", err.text);
}

Test(summary, its_path_takes_the_place_of_the_suffix)
{
    static const char *const cases[][2] = {{"digits.h5", "digits.summary.json"},
                                           {"/a.b/c", "/a.b/c.summary.json"},
                                           {"/a/.h5", "/a/.h5.summary.json"},
                                           {"a.tar.h5", "a.tar.summary.json"}};
    close_shard();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_FREE(char) path = summary_path(cases[i][0]);
        cr_expect_str_eq(path, cases[i][1]);
    }
}
