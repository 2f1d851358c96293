/* scheduler/spec/plan: through JSON and back, and plans that somebody damaged. */
#include "base/memory.h"
#include "base/str.h"
#include "spec/plan.h"
#include <criterion/criterion.h>

/* A plan with everything in it, texts that are hard to quote included. */
static struct plan sample(void)
{
    static const char *const sets[] = {"ranks=2", "name=\"x\""};
    static const struct plan_rank ranks[] = {{.host = "a",
                                              .cpus = "0-1",
                                              .gpus = "",
                                              .mems = "0",
                                              .threads = 2,
                                              .reason = "first free cores"},
                                             {.host = "b",
                                              .cpus = "2,4",
                                              .gpus = "0",
                                              .mems = "",
                                              .threads = UINT32_MAX,
                                              .reason = "\xc3\xa9 \xe2\x80\xa8 \x7f"}};
    static const struct plan_host hosts[] = {{"a", 0}, {"b", 0}};
    static const struct plan_topology topologies[] = {
        {"0123456789abcdef", "<?xml version=\"1.0\"?>\n<topology/>\n"}};
    static const uint64_t seated[] = {4, 0, INT32_MAX};
    static const struct jobspec_source sources[] = {
        {.path = "/job/d.csv",
         .written = "d.csv",
         .size = UINT64_MAX,
         .mtime_ns = INT64_MIN,
         .sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         .rows = 1437,
         .unit = GM_ROWS}};
    static const char text[] = "\xef\xbb\xbf# \xe2\x80\xa8\tx\r\nkernel: sleep  \n";
    return (struct plan){.id = "00112233445566778899aabbccddeeff",
                         .file = "x.yaml",
                         .dir = "/job",
                         .text = text,
                         .text_len = sizeof(text) - 1,
                         .sets = sets,
                         .n_sets = 2,
                         .document = 3,
                         .seated = seated,
                         .n_seated = 3,
                         .canonical = "{\"version\":1}",
                         .results = "/job/x.h5",
                         .folder = "/job/x.h5.gm",
                         .mapping = "pack",
                         .oversubscribe = true,
                         .binder = PLAN_BOUND_BY_RUNNER,
                         .verify = PLAN_VERIFY_WARN,
                         .launcher = "mpirun",
                         .ranks = ranks,
                         .n_ranks = 2,
                         .hosts = hosts,
                         .n_hosts = 2,
                         .topologies = topologies,
                         .n_topologies = 1,
                         .sources = sources,
                         .n_sources = 1,
                         .build = "0.1.0+abc"};
}

Test(plan, of_a_later_launch_says_so_and_until_when)
{
    struct plan p = sample();
    p.launch = 3;
    p.again = true;
    p.began = 1.6e9;
    p.end = 1.6e9 + 90.5;
    AUTO_FREE(char) text = plan_format(&p);
    AUTO(plan) q = NULL;
    struct gm_error err = {0};
    cr_assert(plan_parse("plan.json", text, strlen(text), &q, &err) == 0, "%s", err.text);
    cr_expect(q->launch == 3 && q->again);
    cr_expect_float_eq(q->began, 1.6e9, 1e-3);
    cr_expect_float_eq(q->end, 1.6e9 + 90.5, 1e-3);
    AUTO_FREE(char) again = plan_format(q);
    cr_expect_str_eq(again, text);
}

Test(plan, comes_back_as_it_was_written)
{
    struct plan p = sample();
    AUTO_FREE(char) text = plan_format(&p);
    AUTO(plan) q = NULL;
    struct gm_error err = {0};
    cr_assert(plan_parse("plan.json", text, strlen(text), &q, &err) == 0, "%s", err.text);
    AUTO_FREE(char) again = plan_format(q);
    cr_expect_str_eq(again, text);
    cr_expect(q->text_len == p.text_len && memcmp(q->text, p.text, p.text_len) == 0);
    cr_expect(q->sources[0].size == UINT64_MAX && q->sources[0].mtime_ns == INT64_MIN);
    cr_expect(q->sources[0].rows == 1437 && q->sources[0].unit == GM_ROWS);
    cr_expect_str_eq(q->sources[0].sha256, p.sources[0].sha256);
    cr_expect_str_eq(q->ranks[1].reason, p.ranks[1].reason);
    cr_expect_str_eq(q->topologies[0].xml, p.topologies[0].xml);
    cr_expect(q->launch == 0 && !q->again && q->end <= 0 && q->began <= 0);
    cr_expect(q->binder == PLAN_BOUND_BY_RUNNER && q->oversubscribe && q->n_sets == 2);
    cr_expect_str_eq(q->ranks[0].mems, "0");
    cr_expect(q->ranks[0].threads == 2 && q->ranks[1].threads == UINT32_MAX);
    cr_expect(q->verify == PLAN_VERIFY_WARN);
    cr_expect_str_eq(q->sets[1], "name=\"x\"");
    cr_assert(q->document == 3 && q->n_seated == 3);
    cr_expect(q->seated[0] == 4 && q->seated[1] == 0 && q->seated[2] == INT32_MAX);
}

Test(plan, of_a_job_without_seats_says_so)
{
    struct plan p = sample();
    p.seated = NULL;
    p.n_seated = 0;
    AUTO_FREE(char) text = plan_format(&p);
    AUTO(plan) q = NULL;
    cr_assert(plan_parse("plan.json", text, strlen(text), &q, NULL) == 0);
    cr_expect(q->seated == NULL && q->n_seated == 0);
}

Test(plan, of_every_length_but_the_whole_it_is_refused)
{
    struct plan p = sample();
    AUTO_FREE(char) text = plan_format(&p);
    size_t len = strlen(text);
    for (size_t cut = 0; cut + 2 < len; cut++) { /* the last two bytes: "}\n" */
        struct plan *q = NULL;
        struct gm_error err = {0};
        cr_assert(plan_parse("plan.json", text, cut, &q, &err) == -EINVAL && q == NULL,
                  "%zu",
                  cut);
        cr_assert(strncmp(err.text, "plan.json", 9) == 0, "%s", err.text);
    }
}

/* Replaces the first `from` by `to`; the error then has to say `told`. */
Test(plan, a_rule_that_is_broken_is_told_with_its_place)
{
    static const struct {
        const char *from, *to, *told;
    } rows[] = {
        {"gridmill.plan/2",
         "gridmill.plan/9",
         "plan.json:1:1: schema: must be gridmill.plan/2: made by another version of "
         "Gridmill"},
        {"\"binder\": \"runner\"",
         "\"binder\": \"glue\"",
         "plan.json:1:1: binder: must be one of launcher, before, runner, unbound"},
        {"\"verify\": \"warn\"",
         "\"verify\": \"auto\"",
         "plan.json:1:1: verify: must be one of strict, warn, off"},
        {"\"threads\": 2",
         "\"threads\": -1",
         "ranks[0].threads: must be an integer in its range"},
        {"\"topology\": 0",
         "\"topology\": 1",
         "hosts[0].topology: names no topology of the plan"},
        {"\"topology\": 0",
         "\"topology\": -1",
         "hosts[0].topology: must be an integer in its range"},
        {"\"rows\": 1437",
         "\"rows\": 1.5",
         "sources[0].rows: must be an integer in its range"},
        {"\"rows\": 1437", "\"row\": 1437", "sources[0].rows: is missing"},
        {"\"sha256\": \"01",
         "\"sha256\": \"0z",
         "sources[0].sha256: must be 64 hex digits"},
        {"\"oversubscribe\": true",
         "\"oversubscribe\": 1",
         "oversubscribe: must be true or false"},
        {"\"folder\": \"/job/x.h5.gm\"", "\"folder\": null", "folder: must be a string"},
        {"\"sets\": [", "\"sets\": 3, \"x\": [", "sets: must be a list"},
        {"\"document\": 3", "\"document\": 0", "document: must be 1 or more"},
        {"\"document\": 3", "\"documen\": 3", "document: is missing"},
        {"\"seated\": [", "\"seated\": 4, \"x\": [", "seated: must be null or a list"},
        {"\"seated\": [", "\"seated\": [], \"x\": [", "seated: must be null or a list"},
        {"2147483647", "2147483648", "seated[2]: must be a number of tasks"},
        {"\"ranks=2\"", "2", "sets[0]: must be a string"},
        {"\"ranks\": [", "\"ranks\": [], \"x\": [", "ranks: must hold one rank or more"},
        {"\"host\": \"a\"", "\"host\": {}", "ranks[0].host: must be a string"},
        {"\"id\": ", "\"build\": ", "build: the key stands twice; first in line"},
        {"\"ranks\": [", "\"ranks\": [7, ", "ranks[0].host: must stand in a mapping"},
    };
    struct plan p = sample();
    AUTO_FREE(char) text = plan_format(&p);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_STR bad = {0};
        const char *at = strstr(text, rows[i].from);
        struct plan *q = NULL;
        struct gm_error err = {0};
        cr_assert(at != NULL, "%s", rows[i].from);
        str_add_n(&bad, text, (size_t)(at - text));
        str_add(&bad, rows[i].to);
        str_add(&bad, at + strlen(rows[i].from));
        cr_expect(plan_parse("plan.json", bad.text, bad.len, &q, &err) == -EINVAL &&
                      q == NULL,
                  "%s",
                  rows[i].to);
        cr_expect(strstr(err.text, rows[i].told) != NULL, "%s", err.text);
    }
}

Test(plan, one_that_is_not_there_is_named)
{
    struct plan *q = NULL;
    struct gm_error err = {0};
    cr_expect(plan_load("/nowhere/plan.json", &q, &err) == -ENOENT);
    cr_expect_str_eq(err.text, "/nowhere/plan.json: No such file or directory");
}

Test(plan, damaged_bytes_never_crash_it)
{
    struct plan p = sample();
    AUTO_FREE(char) text = plan_format(&p);
    size_t len = strlen(text);
    AUTO_FREE(char) copy = xcalloc(len + 1, 1);
    uint64_t state = 7;
    for (int k = 0; k < 3000; k++) {
        memcpy(copy, text, len + 1);
        for (int n = 0; n < 3; n++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            copy[(state >> 33) % len] = (char)(state >> 20);
        }
        AUTO(plan) q = NULL;
        struct gm_error err = {0};
        int rc = plan_parse("plan.json", copy, len, &q, &err);
        cr_assert((rc == 0) == (q != NULL));
    }
}

Test(plan, verifies_as_the_job_says_and_else_as_the_launcher_binds)
{
    cr_expect(plan_verify_of(NULL, "mpirun") == PLAN_VERIFY_STRICT);
    cr_expect(plan_verify_of(NULL, "srun") == PLAN_VERIFY_STRICT);
    cr_expect(plan_verify_of(NULL, "foreign") == PLAN_VERIFY_WARN);
    cr_expect(plan_verify_of("strict", "foreign") == PLAN_VERIFY_STRICT);
    cr_expect(plan_verify_of("warn", "mpirun") == PLAN_VERIFY_WARN);
    cr_expect(plan_verify_of("off", "mpirun") == PLAN_VERIFY_OFF);
}
