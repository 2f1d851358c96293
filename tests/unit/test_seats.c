/* engine/seats.h: canonical jobs on made-up machines, from their text to the plan's
 * ranks. */
#include "base/memory.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/seats.h"
#include "spec/shape.h"
#include <criterion/criterion.h>

/* A document from a shape's JSON and one or two entries of tasks. */
static struct jobspec *load(const char *shape, const char *tasks, const char *system)
{
    struct gm_error err = {0};
    AUTO(arena) a = arena_make();
    AUTO_JSON j = {.pretty = false};
    AUTO_STR text = {0};
    const struct resource *list;
    unsigned n;
    struct jobspec *spec = NULL;
    struct jobspec_faults faults = {0};
    struct jobspec_options opt = {
        .dir = "/tmp", .dialect = DIALECT_FLUX_CORE, .any_version = true};
    cr_assert_eq(shape_parse(a, shape, &list, &n, &err), 0, "%s", err.text);
    resource_json(&j, list, n);
    str_printf(&text,
               "{\"version\": 999, \"resources\": %s, \"tasks\": [%s], \"attributes\": "
               "{\"system\": {\"duration\": 60%s}}}",
               j.out.text,
               tasks,
               system);
    int rc = jobspec_parse("job.json", text.text, text.len, &opt, &spec, &faults, &err);
    cr_assert_eq(rc, 0, "%s: %s", shape, err.text);
    jobspec_faults_free(&faults);
    cr_assert(jobspec_seated(spec));
    return spec;
}

#define TASK(slot, count)                                                                \
    "{\"command\": [\"true\"], \"slot\": \"" slot "\", \"count\": {" count "}}"
#define PER_SLOT(n)  "\"per_slot\": " #n
#define TOTAL(n)     "\"total\": " #n
#define PER(type, n) "\"per_resource\": {\"type\": \"" type "\", \"count\": " #n "}"

/* "0:n0 0-3; 1:n0 4-7 |2,1|launcher", or the sentence. */
static char *place(const char *machine, struct jobspec *spec, int *ret_code)
{
    struct gm_error err = {0};
    AUTO(restree) tree = NULL;
    AUTO(plan) plan = NULL;
    struct str out = {0};
    cr_assert_eq(restree_load_synthetic(machine, &tree, &err), 0, "%s", err.text);
    *ret_code = engine_plan(spec, tree, "mpirun", &plan, &err);
    if (*ret_code != 0) {
        str_add(&out, err.text);
        return str_steal(&out);
    }
    cr_assert_str_eq(plan->mapping, "slots");
    for (unsigned i = 0; i < plan->n_ranks; i++)
        str_printf(
            &out, "%s%s %s", i > 0 ? "; " : "", plan->ranks[i].host, plan->ranks[i].cpus);
    for (unsigned i = 0; i < plan->n_seated; i++)
        str_printf(&out, "%s%u", i > 0 ? "," : " |", (unsigned)plan->seated[i]);
    str_printf(&out, "|%s", plan_binder_name(plan->binder));
    return str_steal(&out);
}

struct row {
    const char *machine, *shape, *tasks;
    int code;
    const char *want;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        AUTO(jobspec) spec = load(rows[i].shape, rows[i].tasks, "");
        int code;
        AUTO_FREE(char) got = place(rows[i].machine, spec, &code);
        cr_expect_eq(code, rows[i].code, "%s: %d: %s", rows[i].shape, code, got);
        bool same = rows[i].code == 0 ? strcmp(got, rows[i].want) == 0
                                      : strstr(got, rows[i].want) != NULL;
        cr_expect(same,
                  "%s, %s:\n  got  %s\n  want %s",
                  rows[i].shape,
                  rows[i].tasks,
                  got,
                  rows[i].want);
    }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

#define ONE "pack:2 core:4 pu:1"

Test(seats, tasks_stand_on_their_slots_stage_by_stage)
{
    static const struct row rows[] = {
        {ONE,
         "slot=2{s}/core=2",
         TASK("s", PER_SLOT(1)),
         0,
         "n0 0-1; n0 2-3 |2|launcher"},
        {ONE,
         "slot=2{s}/core=2",
         TASK("s", PER_SLOT(2)),
         0,
         "n0 0-1; n0 0-1; n0 2-3; n0 2-3 |4|runner"},
        {ONE, "slot=2{s}/core=2", TASK("s", TOTAL(2)), 0, "n0 0-1; n0 2-3 |2|launcher"},
        {ONE, "slot=2{s}/core=2", TASK("s", TOTAL(1)), 0, "n0 0-1 |1|launcher"},
        {ONE,
         "slot=2{s}/core=2",
         TASK("s", TOTAL(1)) "," TASK("s", TOTAL(1)),
         0,
         "n0 0-1; n0 2-3 |1,1|launcher"},
        {ONE,
         "slot=2{s}/core=2",
         TASK("s", TOTAL(3)),
         0,
         "n0 0-1; n0 0-1; n0 2-3 |3|runner"},
        {ONE,
         "slot=4{s}/core",
         TASK("s", TOTAL(5)),
         0,
         "n0 0; n0 0; n0 1; n0 2; n0 3 |5|runner"},
        {ONE,
         "slot{s}/core=3",
         TASK("s", PER("core", 1)),
         0,
         "n0 0; n0 1; n0 2 |3|launcher"},
        {ONE,
         "slot{s}/core=3",
         TASK("s", PER("core", 2)),
         0,
         "n0 0; n0 0; n0 1; n0 1; n0 2; n0 2 |6|runner"},
        {"host:2 " ONE,
         "slot{s}/node=2/[socket=2/core=2]",
         TASK("s", PER("socket", 1)),
         0,
         "n0 0-1; n0 4-5; n1 0-1; n1 4-5 |4|launcher"},
        /* a slot over two hosts: half of its tasks on each */
        {"host:2 " ONE,
         "slot{s}/node=2",
         TASK("s", PER_SLOT(4)),
         0,
         "n0 0-7; n0 0-7; n1 0-7; n1 0-7 |4|runner"},
        {"host:2 " ONE,
         "slot{s}/node=2",
         TASK("s", PER_SLOT(2)),
         0,
         "n0 0-7; n1 0-7 |2|launcher"},
    };
    CHECK(rows);
}

Test(seats, several_slots_and_several_tasks)
{
    static const struct row rows[] = {
        {ONE,
         "node/[slot=2{a}/core;slot{b}/core=4]",
         TASK("b", PER_SLOT(1)) "," TASK("a", PER_SLOT(1)),
         0,
         "n0 4-7; n0 0; n0 1 |1,2|launcher"},
        /* two entries on one slot share it */
        {ONE,
         "slot=2{s}/core=2",
         TASK("s", PER_SLOT(1)) "," TASK("s", TOTAL(1)),
         0,
         "n0 0-1; n0 2-3; n0 0-1 |2,1|runner"},
        {ONE,
         "slot=1-64{s}/core=3",
         TASK("s", PER_SLOT(1)),
         0,
         "n0 0-2; n0 4-6 |2|launcher"},
    };
    CHECK(rows);
}

Test(seats, what_does_not_fit_is_one_sentence_with_its_place)
{
    static const struct row rows[] = {
        {ONE,
         "slot=3{s}/core=3",
         TASK("s", PER_SLOT(1)),
         -EOVERFLOW,
         "job.json:1:32: resources: does not fit this machine: 3 slots 's' are wanted, "
         "there is room for 2"},
        {ONE, "slot{s}/[core;ssd]", TASK("s", PER_SLOT(1)), -EINVAL, "type 'ssd'"},
        {ONE,
         "slot{s}/core",
         TASK("s", TOTAL(2147483647)),
         -EOVERFLOW,
         "more than 8192 tasks"},
        {ONE,
         "slot{s}/core",
         TASK("s", PER_SLOT(9000)),
         -EOVERFLOW,
         "more than 8192 tasks"},
        {ONE,
         "slot{s}/core",
         TASK("s", PER("core", 9000)),
         -EOVERFLOW,
         "more than 8192 tasks"},
    };
    CHECK(rows);
}

Test(seats, constraints_narrow_the_hosts)
{
    static const char *const names[] = {"n[1-2]"};
    static const struct constraint allowed = {
        .op = CONSTRAINT_HOSTLIST, .values = names, .n = 1};
    AUTO(jobspec) spec = load("slot=2{s}/core=4", TASK("s", PER_SLOT(1)), "");
    spec->constraints = &allowed;
    int code;
    AUTO_FREE(char) got = place("host:3 core:4 pu:1", spec, &code);
    cr_assert_str_eq(got, "n1 0-3; n2 0-3 |2|launcher");
    AUTO_FREE(char) small = place("host:2 core:4 pu:1", spec, &code);
    cr_assert_eq(code, -EOVERFLOW);
    cr_assert(strstr(small, "`constraints`") != NULL, "%s", small);
}

/* Jobs of the short form, too. */
Test(seats, constraints_narrow_the_hosts_of_any_job)
{
    static const char yaml[] = "ranks: 4\ncommand: [\"true\"]\n";
    static const char *const names[] = {"n[1-2]"};
    static const struct constraint allowed = {
        .op = CONSTRAINT_HOSTLIST, .values = names, .n = 1};
    struct gm_error err = {0};
    struct jobspec_faults faults = {0};
    struct jobspec_options opt = {.dir = "/tmp"};
    AUTO(jobspec) spec = NULL;
    AUTO(restree) tree = NULL;
    AUTO(plan) plan = NULL;
    int rc = jobspec_parse("j.yaml", yaml, strlen(yaml), &opt, &spec, &faults, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    spec->constraints = &allowed;
    cr_assert_eq(restree_load_synthetic("host:3 core:2 pu:1", &tree, &err), 0);
    cr_assert_eq(engine_plan(spec, tree, "mpirun", &plan, &err), 0, "%s", err.text);
    cr_assert_eq(plan->n_ranks, 4);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_str_neq(plan->ranks[i].host, "n0");
    spec->ranks = 5;
    AUTO(plan) none = NULL;
    cr_assert_eq(engine_exit_for(engine_plan(spec, tree, "mpirun", &none, &err)),
                 ENGINE_CANNOT_FIT);
    cr_assert(
        strstr(err.text, "`constraints` allows 2 of 3 hosts") != NULL, "%s", err.text);
    cr_assert(strstr(err.text, "these 2 hosts let us use 4: ask for --ranks 4") != NULL,
              "%s",
              err.text);
    jobspec_faults_free(&faults);
}

Test(seats, counts_follow_from_the_number_of_ranks)
{
    static const struct {
        const char *shape, *tasks;
        unsigned ranks;
        int code;
        const char *want;
    } rows[] = {
        {"slot=3{s}/core", TASK("s", PER_SLOT(2)), 6, 0, "6"},
        {"slot=3{s}/core",
         TASK("s", PER_SLOT(2)),
         5,
         -EINVAL,
         "the job has 6 tasks, one a rank, but 5 ranks were started: start it with -n 6"},
        {"node=2/slot=1+{s}/core", TASK("s", PER_SLOT(1)), 6, 0, "6"},
        {"node=2/slot=1+{s}/core",
         TASK("s", PER_SLOT(1)),
         7,
         -EINVAL,
         "the job has room for 6 tasks"},
        {"node=2/slot=3+{s}/core",
         TASK("s", PER_SLOT(1)),
         1,
         -EINVAL,
         "the job has at least 6 tasks, one a rank, but 1 rank was"},
        {"slot{s}/core=1+", TASK("s", PER("core", 2)), 8, 0, "8"},
        {"[slot{a}/core;slot=1+{b}/core]",
         TASK("b", PER_SLOT(1)) "," TASK("a", TOTAL(2)),
         7,
         0,
         "5,2"},
        {"node=1+/slot=1+{s}/core", TASK("s", PER_SLOT(1)), 2147483647, 0, "2147483647"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(jobspec) spec = load(rows[i].shape, rows[i].tasks, "");
        AUTO_FREE(uint64_t) tasks = NULL;
        AUTO_STR got = {0};
        struct gm_error err = {0};
        int rc = seats_count(spec, rows[i].ranks, &tasks, &err);
        cr_expect_eq(rc, rows[i].code, "%s: %s", rows[i].shape, err.text);
        for (unsigned s = 0; rc == 0 && s < spec->n_stages; s++)
            str_printf(&got, "%s%u", s > 0 ? "," : "", (unsigned)tasks[s]);
        if (rc == 0)
            cr_expect_str_eq(
                str_text(&got), rows[i].want, "%s: %s", rows[i].shape, str_text(&got));
        else
            cr_expect(strstr(err.text, rows[i].want) != NULL, "%s", err.text);
    }
}

/* The rank that reads the plan finds its task by the same numbers. */
Test(seats, a_rank_that_parses_the_plan_knows_every_stages_tasks)
{
    AUTO(jobspec)
    spec = load("node/[slot=2{a}/core;slot{b}/core=4]",
                TASK("b", PER_SLOT(1)) "," TASK("a", PER_SLOT(1)),
                "");
    AUTO(restree) tree = NULL;
    AUTO(plan) plan = NULL;
    AUTO(plan) again = NULL;
    AUTO(jobspec) parsed = NULL;
    struct gm_error err = {0};
    struct jobspec_faults faults = {0};
    cr_assert_eq(restree_load_synthetic(ONE, &tree, &err), 0);
    cr_assert_eq(engine_plan(spec, tree, "mpirun", &plan, &err), 0, "%s", err.text);
    AUTO_FREE(char) text = plan_format(plan);
    cr_assert_eq(
        plan_parse("plan.json", text, strlen(text), &again, &err), 0, "%s", err.text);
    cr_assert_eq(again->n_seated, 2);
    struct jobspec_options opt = {.dir = again->dir,
                                  .document = again->document,
                                  .seated = again->seated,
                                  .n_seated = again->n_seated};
    int rc = jobspec_parse(
        again->file, again->text, again->text_len, &opt, &parsed, &faults, &err);
    jobspec_faults_free(&faults);
    cr_assert_eq(rc, 0, "%s", err.text);
    cr_assert_eq(parsed->stages[0].n_tasks, 1);
    cr_assert_eq(parsed->stages[1].n_tasks, 2);
    cr_assert_eq(parsed->stages[1].first_rank, 1);
}
