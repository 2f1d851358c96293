#include "engine/wire.h"
#include <criterion/criterion.h>

static struct wire parse(const char *line)
{
    struct wire w;
    wire_parse(line, strlen(line), &w);
    return w;
}

Test(wire, an_event_gives_all_its_numbers)
{
    struct wire w =
        parse("{\"gridmill\":\"progress\",\"done\":3,\"failed\":1,\"skipped\":2,"
              "\"running\":4,\"total\":18446744073709551615,\"elapsed\":1.5,"
              "\"left\":2,\"at_least\":true,\"stage\":\"train\",\"ranks\":\"90x\"}");
    cr_expect_eq(w.kind, WIRE_PROGRESS);
    cr_expect_eq(w.done, 3);
    cr_expect_eq(w.failed, 1);
    cr_expect_eq(w.skipped, 2);
    cr_expect_eq(w.running, 4);
    cr_expect_eq(w.total, UINT64_MAX);
    cr_expect_eq(w.elapsed, 1.5);
    cr_expect_eq(w.left, 2);
    cr_expect(w.at_least);
    cr_expect_str_eq(w.stage, "train");
    cr_expect_str_eq(w.ranks, "90x");
}

Test(wire, unknown_time_left_and_stage_are_told_from_zero)
{
    struct wire w =
        parse("{\"gridmill\":\"progress\",\"done\":0,\"left\":null,\"stage\":null}");
    cr_expect_eq(w.kind, WIRE_PROGRESS);
    cr_expect_lt(w.left, 0);
    cr_expect_not(w.at_least);
    cr_expect_str_eq(w.stage, "");
}

Test(wire, the_end_brings_outcome_sentence_and_phases)
{
    struct wire w =
        parse("{\"gridmill\":\"ended\",\"outcome\":\"refused\",\"code\":2,"
              "\"text\":\"a \\\"b\\\": c\",\"phases\":{\"init\":0.25,\"pack\":1}}");
    cr_expect_eq(w.kind, WIRE_ENDED);
    cr_expect_str_eq(w.outcome, "refused");
    cr_expect_eq(w.code, 2);
    cr_expect_str_eq(w.text, "a \"b\": c");
    cr_assert_eq(w.n_phases, 2);
    cr_expect_str_eq(w.phases[0].name, "init");
    cr_expect_eq(w.phases[0].s, 0.25);
    cr_expect_eq(w.phases[1].s, 1);
}

Test(wire, what_ranks_print_is_never_taken_for_an_event)
{
    static const char *const lines[] = {
        "",
        "hello",
        "{}",
        " {\"gridmill\":\"progress\"}",
        "{\"gridmill\":\"unheard-of\"}",
        "{\"gridmill\":7}",
        "{\"gridmill\":\"progress\"",
        "{\"gridmill\":\"progress\"} and more",
        "{\"gridmill\":\"progress\",\"done\":1,\"done\":2}",
        "{\"gridmill\":[[[[[[[[[[[[[[[[",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        cr_expect_eq(parse(lines[i]).kind, WIRE_NONE, "%s", lines[i]);
}

Test(wire, more_phases_and_longer_words_than_there_is_room_for_are_cut)
{
    char line[4096];
    int n = snprintf(line, sizeof(line), "{\"gridmill\":\"ended\",\"phases\":{");
    for (int i = 0; i < 40; i++)
        n += snprintf(line + n,
                      sizeof(line) - (size_t)n,
                      "%s\"a-phase-with-a-very-long-name-%d\":%d",
                      i > 0 ? "," : "",
                      i,
                      i);
    n += snprintf(line + n, sizeof(line) - (size_t)n, "}}");
    struct wire w = parse(line);
    cr_expect_eq(w.kind, WIRE_ENDED);
    cr_expect_eq(w.n_phases, WIRE_PHASES);
    cr_expect_eq(strlen(w.phases[0].name), sizeof(w.phases[0].name) - 1);
}
