#include "engine/relay.h"
#include <criterion/criterion.h>

static struct str heard;

static void hear(void *ctx, const struct engine_event *e)
{
    (void)ctx;
    if (e->kind == ENGINE_SAID)
        str_printf(&heard, "said %s\n", e->text);
    else
        str_printf(&heard, "event %d done %d\n", (int)e->kind, (int)e->done);
}

static const struct engine_events events = {.event = hear};

static void finish(struct relay *r)
{
    relay_flush(r);
    relay_free(r);
    str_free(&heard);
}

static const char stream[] = "hello\n"
                             "{\"gridmill\":\"started\",\"total\":2}\n"
                             "\n"
                             "{\"gridmill\":\"progress\",\"done\":1,\"total\":2}\n"
                             "last";
static const char want[] =
    "said hello\nevent 20 done 0\nsaid \nevent 30 done 1\nsaid last\n";

Test(relay, lines_arrive_whole_wherever_the_pipe_cuts_them)
{
    for (size_t piece = 1; piece <= sizeof(stream) - 1; piece++) {
        struct relay r = {.events = &events};
        for (size_t i = 0; i < sizeof(stream) - 1; i += piece) {
            size_t left = sizeof(stream) - 1 - i;
            relay_out(&r, stream + i, left < piece ? left : piece);
        }
        relay_flush(&r);
        cr_expect_str_eq(str_text(&heard), want, "in pieces of %zu", piece);
        cr_expect(r.started);
        cr_expect_eq(r.last.total, 2);
        finish(&r);
    }
}

Test(relay, the_launchers_own_words_are_kept_back_and_the_ranks_pass)
{
    static const char said[] =
        "a library warns\n"
        "--------------------------------------------------------------------------\n"
        "mpirun noticed that process rank 1 with PID 7 exited on signal 9 (Killed).\n"
        "--------------------------------------------------------------------------\n"
        "[vm:12345] 1 more process has sent help message\n"
        "[not a tag] of a rank\n"
        "gridmill-runner: rank 1: planned on 0-1, bound to 2-3\n";
    struct relay r = {.events = &events};
    char words[256];
    relay_err(&r, said, sizeof(said) - 1);
    relay_flush(&r);
    cr_expect_str_eq(str_text(&heard),
                     "said a library warns\nsaid [not a tag] of a rank\n"
                     "said gridmill-runner: rank 1: planned on 0-1, bound to 2-3\n");
    cr_expect_str_eq(str_text(&r.said), "rank 1: planned on 0-1, bound to 2-3");
    cr_expect_str_eq(
        relay_words(&r, words),
        "mpirun noticed that process rank 1 with PID 7 exited on signal 9 (Killed)");
    finish(&r);
}

Test(relay, sruns_first_error_is_the_cause_not_what_open_mpi_warns_of)
{
    static const char said[] =
        "--------------------------------------------------------------------------\n"
        "WARNING: Open MPI failed to TCP connect to a peer MPI process.  This\n"
        "--------------------------------------------------------------------------\n"
        "srun: error: n3: task 7: Killed\n"
        "srun: error: n1: tasks 1,5: Killed\n";
    struct relay r = {.events = &events};
    char words[256];
    relay_err(&r, said, sizeof(said) - 1);
    relay_flush(&r);
    cr_expect_str_eq(
        str_text(&heard),
        "said srun: error: n3: task 7: Killed\nsaid srun: error: n1: tasks 1,5: Killed\n",
        "these pass as ever");
    cr_expect_str_eq(relay_words(&r, words), "srun: error: n3: task 7: Killed");
    finish(&r);
}

Test(relay, verbose_shows_the_launchers_words_too)
{
    static const char said[] = "----------------------------------------\nhelp text\n";
    struct relay r = {.events = &events, .verbose = true};
    relay_err(&r, said, sizeof(said) - 1);
    cr_expect_not_null(
        strstr(str_text(&heard), "said help text\n"), "%s", str_text(&heard));
    finish(&r);
}

Test(relay, after_the_end_no_event_is_believed)
{
    static const char said[] = "{\"gridmill\":\"ended\",\"code\":1,\"done\":5}\n"
                               "{\"gridmill\":\"progress\",\"done\":9}\n";
    struct relay r = {.events = &events};
    relay_out(&r, said, sizeof(said) - 1);
    cr_expect(r.ended);
    cr_expect_eq(r.last.code, 1);
    cr_expect_eq(r.last.done, 5);
    cr_expect_str_eq(str_text(&heard), "");
    finish(&r);
}

Test(relay, a_blank_line_behind_the_launchers_words_is_the_launchers)
{
    static const char said[] = "[n0:12] osc_ucx.c:375  Error: no priority\n \n\n"
                               "of a rank\n\n";
    struct relay r = {.events = &events};
    relay_err(&r, said, sizeof(said) - 1);
    relay_flush(&r);
    cr_assert_str_eq(heard.text, "said of a rank\nsaid \n");
    finish(&r);
}
