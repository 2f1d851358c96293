#include "cli/progress.h"
#include <criterion/criterion.h>

static const struct engine_event event = {.kind = ENGINE_PROGRESS,
                                          .done = 11,
                                          .failed = 1,
                                          .total = 24,
                                          .elapsed = 4,
                                          .left = 4,
                                          .stage = "train"};

static const struct progress none;

Test(cli_progress, a_line_has_bar_count_rate_time_left_and_stage)
{
    AUTO_STR out = {0};
    progress_text(&none, &event, false, 80, &out);
    cr_expect_str_eq(
        out.text,
        "============------------  12 of 24 tasks, 1 failed, 3.0/s, 4 s left, train");
}

Test(cli_progress, an_estimate_that_more_comes_on_top_of_says_so)
{
    struct engine_event e = event;
    AUTO_STR out = {0};
    e.at_least = true;
    progress_text(&none, &e, false, 80, &out);
    cr_expect_not_null(strstr(out.text, ", over 4 s left, train"), "%s", out.text);
}

Test(cli_progress, the_rate_is_this_launch_s_alone)
{
    struct engine_event e = event;
    AUTO_STR out = {0};
    e.before = 10;
    e.lost = 1;
    progress_text(&none, &e, false, 90, &out);
    cr_expect_str_eq(out.text,
                     "============------------  12 of 24 tasks, 1 failed, 1 rank lost, "
                     "0.5/s, 4 s left, train");
}

Test(cli_progress, what_is_not_known_yet_is_not_shown)
{
    struct engine_event e = {.kind = ENGINE_STARTED, .total = 7, .left = -1};
    AUTO_STR out = {0};
    progress_text(&none, &e, false, 80, &out);
    cr_expect_str_eq(out.text, "------------------------  0 of 7 tasks");
}

Test(cli_progress, the_line_fits_its_terminal_at_any_width)
{
    for (int utf8 = 0; utf8 < 2; utf8++) {
        for (int width = 20; width < 120; width++) {
            AUTO_STR out = {0};
            progress_text(&none, &event, utf8 == 1, width, &out);
            int columns = 0;
            for (const char *p = out.text; *p != '\0'; p++)
                columns += (*p & 0xc0) != 0x80;
            cr_expect_lt(columns, width, "%d columns in %d", columns, width);
        }
    }
}

Test(cli_progress, each_rank_has_a_cell_that_follows_what_it_does)
{
    struct progress p = {0};
    struct engine_event e = event;
    AUTO_STR first = {0};
    AUTO_STR later = {0};
    AUTO_STR utf8 = {0};
    progress_ranks(&p, "990x");
    progress_text(&p, &e, false, 80, &first);
    cr_expect_str_eq(
        first.text,
        "=========---------- ##.x  12 of 24 tasks, 1 failed, 3.0/s, 4 s left, "
        "train");
    for (int i = 0; i < 5; i++)
        progress_ranks(&p, "909x");
    progress_text(&p, &e, false, 80, &later);
    cr_expect_not_null(strstr(later.text, " #+:x  12"), "%s", later.text);
    for (int i = 0; i < 50; i++)
        progress_ranks(&p, "9099");
    progress_text(&p, &e, true, 80, &utf8);
    cr_expect_not_null(
        strstr(utf8.text, " \u2588\u2581\u2588\u2588  12"), "%s", utf8.text);
}

Test(cli_progress, many_ranks_share_cells_and_the_line_is_as_long_as_without)
{
    struct progress p = {0};
    progress_ranks(&p, "99999999999999990000000000000000");
    for (int width = 20; width < 120; width++) {
        AUTO_STR with = {0};
        AUTO_STR without = {0};
        progress_text(&p, &event, false, width, &with);
        progress_text(&none, &event, false, width, &without);
        cr_expect_eq(with.len, without.len);
        cr_expect_not_null(strstr(with.text, width >= 60 ? " ####....  " : " ##..  "));
    }
    progress_ranks(&p, "not said");
    cr_expect_eq(p.n_busy, 32);
}
