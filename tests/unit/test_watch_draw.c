#include "cli/meter.h"
#include "cli/watch_draw.h"
#include <criterion/criterion.h>

enum { RANKS = 40, STAGES = 6 };

struct made {
    struct scan_job job;
    struct scan_stage stages[STAGES];
    struct scan_rank ranks[RANKS];
    struct pace pace;
    struct watch_view view;
};

/* A job that has run for 100 s: one stage is over, one goes on, the others have not
 * begun; rank 7 was lost, rank 5 is stale. */
static void make(struct made *m, unsigned n_stages, unsigned n_ranks)
{
    static const char *const names[STAGES] = {
        "nap", "a-stage-with-a-name-that-is-longer-than-any-table", "c", "d", "e", "f"};
    *m = (struct made){.view = {.file = "my job.h5",
                                .state = FOLLOW_RUNNING,
                                .now = 1100,
                                .width = 80,
                                .height = 24}};
    for (unsigned i = 0; i < n_stages; i++)
        m->stages[i] = (struct scan_stage){.name = names[i], .n_tasks = 10000000};
    m->stages[0].done = m->stages[0].fresh = 10000000;
    m->stages[0].first = 1000;
    m->stages[0].last = 1050;
    m->stages[0].busy_s = 100;
    if (n_stages > 1) {
        m->stages[1].done = 2499990;
        m->stages[1].failed = 10;
        m->stages[1].fresh = 2500000;
        m->stages[1].first = 1050;
        m->stages[1].last = 1099;
        m->stages[1].busy_s = 98;
        m->stages[1].longest = 1;
    }
    for (unsigned i = 0; i < n_ranks; i++)
        m->ranks[i] = (struct scan_rank){.host = "gn0",
                                         .tasks = 1000,
                                         .busy_s = 99,
                                         .last = i == 5 ? 1060 : 1099,
                                         .lost_why = ""};
    if (n_ranks > 7) {
        m->ranks[7].lost = 1090;
        m->ranks[7].lost_why = "pid 123 ended by SIGKILL";
    }
    m->job = (struct scan_job){.name = "job",
                               .id = "0123456789abcdef0123456789abcdef",
                               .stages = m->stages,
                               .n_stages = n_stages,
                               .ranks = m->ranks,
                               .n_ranks = n_ranks,
                               .first = 1000,
                               .last = 1099,
                               .version = 1};
    for (unsigned i = 0; n_stages > 1 && i < 10; i++)
        m->job.failures[m->job.n_failures++] =
            (struct scan_failure){.stage = 1,
                                  .task = i,
                                  .params = "{\"lr\":0.1}",
                                  .message = "line one\nand \033[31mred\xff and so on "
                                             "until no line has room for all of it"};
    m->view.job = &m->job;
    m->view.pace = &m->pace;
    pace_look(&m->pace, &m->job, 1100, 10);
}

static unsigned count_lines(const char *text, int width)
{
    unsigned n = 0;
    for (const char *p = text; *p != '\0'; n++) {
        AUTO_STR line = {0};
        size_t len = strcspn(p, "\n");
        str_add_n(&line, p, len);
        cr_assert_eq(p[len], '\n');
        int columns = str_columns(str_text(&line));
        cr_assert_lt(columns, width, "%d columns in %d: %s", columns, width, line.text);
        p += len + 1;
    }
    return n;
}

Test(watch_draw, a_frame_fits_any_window)
{
    struct made m;
    const unsigned stages[] = {1, 2, 6}, ranks[] = {1, 2, 8, 40};
    for (unsigned s = 0; s < 3; s++) {
        for (unsigned r = 0; r < 4; r++) {
            make(&m, stages[s], ranks[r]);
            for (int state = FOLLOW_NOTHING; state <= FOLLOW_GONE; state++) {
                for (int width = 10; width < 130; width += 7) {
                    for (int height = 8; height < 70; height += 3) {
                        AUTO_STR out = {0};
                        m.view.state = (enum follow_state)state;
                        m.view.code = ENGINE_TASK_FAILED;
                        m.view.width = width;
                        m.view.height = height;
                        m.view.utf8 = width % 2 == 0;
                        m.view.colour = height % 2 == 0;
                        watch_draw(&m.view, &out);
                        unsigned n = count_lines(out.text, width);
                        cr_assert_lt(n, height, "%u lines in %d", n, height);
                    }
                }
            }
            pace_free(&m.pace);
        }
    }
}

Test(watch_draw, without_a_height_all_is_there)
{
    struct made m;
    AUTO_STR out = {0};
    make(&m, 6, 40);
    m.view.height = 0;
    watch_draw(&m.view, &out);
    cr_expect_not_null(strstr(out.text, "\n    39  gn0"), "%s", out.text);
    cr_expect_not_null(strstr(out.text, "\n  f  "), "%s", out.text);
    cr_expect_null(strstr(out.text, "more rank"), "%s", out.text);
    pace_free(&m.pace);
}

Test(watch_draw, what_does_not_fit_is_counted_and_what_is_odd_stays)
{
    struct made m;
    AUTO_STR out = {0};
    make(&m, 2, 40);
    m.view.height = 20;
    watch_draw(&m.view, &out);
    cr_expect_not_null(strstr(out.text, "... and "), "%s", out.text);
    cr_expect_not_null(strstr(out.text, "stale, 40 s ago"), "%s", out.text);
    cr_expect_not_null(
        strstr(out.text, "lost 10 s ago: pid 123 ended by SI"), "%s", out.text);
    pace_free(&m.pace);
}

Test(watch_draw, nothing_of_a_job_s_words_is_obeyed_by_a_terminal)
{
    struct made m;
    AUTO_STR out = {0};
    make(&m, 2, 1);
    m.view.height = 0;
    m.view.width = 160;
    watch_draw(&m.view, &out);
    cr_expect_not_null(
        strstr(out.text, "[0] lr=0.1: line one and ?[31mred? and"), "%s", out.text);
    pace_free(&m.pace);
}

Test(watch_draw, colours_and_letters_beyond_ascii_are_asked_for)
{
    struct made m;
    AUTO_STR out = {0};
    make(&m, 2, 8);
    watch_draw(&m.view, &out);
    for (const char *p = out.text; *p != '\0'; p++)
        cr_assert(*p == '\n' || (*p >= ' ' && *p <= '~'), "byte %d", *p);
    pace_free(&m.pace);
}

Test(watch_draw, a_line_has_counts_rate_and_time_left)
{
    struct made m;
    AUTO_STR out = {0};
    make(&m, 2, 2);
    watch_line(&m.view, &out);
    /* 12 500 000 in 100 s; 7.5 million are 294 s of work, done by 2 at a time in all
     * but 1 % of the time, of which a second has gone by */
    cr_expect_str_eq(out.text,
                     "job: 12500000 of 20000000 tasks, 10 failed, 125 k/s, 2 min 26 s "
                     "left, a-stage-with-a-name-that-is-longer-than-any-table");
    pace_free(&m.pace);
}

Test(watch_draw, a_stopped_run_says_how_to_go_on)
{
    struct made m;
    AUTO_STR out = {0};
    make(&m, 2, 2);
    m.view.state = FOLLOW_STOPPED;
    m.view.code = ENGINE_INCOMPLETE;
    watch_line(&m.view, &out);
    cr_expect_str_eq(out.text,
                     "job: incomplete, 12500000 of 20000000 tasks, 10 failed; no run has "
                     "it: gridmill resume 'my job.h5' runs the rest");
    pace_free(&m.pace);
}

Test(watch_draw, the_rate_is_of_the_last_look)
{
    struct made m;
    make(&m, 2, 2);
    m.stages[1].done += 500;
    m.stages[1].fresh += 500;
    pace_look(&m.pace, &m.job, 1102, 12);
    cr_expect_float_eq(pace_rate(&m.pace, 1), 250, 1e-9);
    cr_expect_float_eq(pace_rate(&m.pace, 2), 250, 1e-9);
    cr_expect_float_eq(pace_rate(&m.pace, 0), 200000, 1e-6, "of a stage that is over");
    pace_free(&m.pace);
}

Test(watch_draw, a_stage_not_begun_makes_the_time_a_least_one)
{
    struct made m;
    bool at_least = false;
    make(&m, 3, 2);
    double left = pace_left(&m.job, 3, 1100, &at_least);
    cr_expect(at_least && left > 100, "%g", left);
    cr_expect_lt(pace_left(&m.job, 2, 1100, &at_least), 0);
    cr_expect(at_least);
    (void)pace_left(&m.job, 1, 1100, &at_least);
    cr_expect_not(at_least);
    pace_free(&m.pace);
}

Test(watch_draw, a_rate_is_short_whatever_it_is)
{
    static const struct {
        double rate;
        const char *text;
    } cases[] = {{0.004, "0.00/s"},
                 {0.05, "0.05/s"},
                 {0.0996, "0.1/s"},
                 {9.94, "9.9/s"},
                 {9.96, "10/s"},
                 {99999.4, "99999/s"},
                 {99999.6, "100 k/s"},
                 {999499, "999 k/s"},
                 {999501, "1.0 M/s"},
                 {11598140, "11.6 M/s"},
                 {115981400, "116 M/s"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[32];
        cr_expect_str_eq(meter_rate(cases[i].rate, text), cases[i].text);
    }
}

Test(watch_draw, a_rank_is_stale_when_it_is_silent_for_longer_than_tasks_take)
{
    struct made m;
    make(&m, 3, 8);
    cr_expect(watch_is_stale(&m.view, &m.ranks[5]));
    cr_expect_not(watch_is_stale(&m.view, &m.ranks[4]));
    m.stages[1].longest = 20;
    cr_expect_not(watch_is_stale(&m.view, &m.ranks[5]), "three of its tasks take longer");
    m.stages[1].longest = 1;
    m.ranks[5].lost = 1070;
    cr_expect_not(watch_is_stale(&m.view, &m.ranks[5]), "it is lost");
    m.ranks[5].lost = 0;
    m.stages[1].fresh = 0;
    cr_expect_not(watch_is_stale(&m.view, &m.ranks[5]), "how long do tasks take?");
    m.view.state = FOLLOW_STOPPED;
    m.stages[1].fresh = 1;
    cr_expect_not(watch_is_stale(&m.view, &m.ranks[5]), "nobody runs");
    pace_free(&m.pace);
}
