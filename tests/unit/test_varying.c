/* See scheduler/spec/varying.h: the rule gives what tasks_args gives, for every task. */
#include "spec/tasks.h"
#include "spec/varying.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>

static struct jobspec *load(const char *text)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct gm_error err = {0};
    struct jobspec *spec = NULL;
    int rc = jobspec_parse("x.yaml", text, strlen(text), &opt, &spec, &faults, &err);
    cr_assert(rc == 0, "%s: %s", text, err.text);
    jobspec_faults_free(&faults);
    return spec;
}

static uint64_t compare(const char *text)
{
    AUTO(jobspec) s = load(text);
    AUTO(arena) rules = arena_make();
    struct gm_error err = {0};
    struct varying v;
    int rc = varying_make(s, 0, rules, &v, &err);
    cr_assert_eq(rc, 0, "%s: no rule", text);
    uint64_t n = s->stages[0].n_tasks, step = n > 5000 ? n / 5000 : 1, seen = 0;
    for (uint64_t i = 0; i < n; i += step) {
        AUTO(arena) a = arena_make();
        AUTO_STR by_rule = {0};
        struct tasks_args got;
        cr_assert_eq(tasks_args(s, 0, i, NULL, a, &got, &err), 0, "%s", err.text);
        varying_text(&v, i, &by_rule);
        cr_assert_str_eq(str_text(&by_rule), got.varying);
        seen++;
    }
    return seen;
}

Test(varying, the_rule_gives_each_tasks_text)
{
    static const struct {
        const char *text;
        uint64_t tasks;
    } cases[] = {
        {"kernel: sleep\nargs: {seconds: 0}\n", 1},
        {"kernel: sleep\nmatrix: {s: 0-99999}\nargs: {seconds: '${s}'}\n", 5000},
        {"kernel: sleep\nmatrix: {s: 7-19:3, t: [1, 2.5, 1e-9, 1e6]}\n"
         "args: {seconds: '${t}'}\n",
         20},
        {"kernel: sleep\nmatrix: {s: 1-4}\nargs: {seconds: 0.5}\n", 4},
        {"kernel: sleep\nmatrix: {s: 1-4}\nargs: {seconds: '${task.index}'}\n", 4},
        {"kernel: mlp.train\nmatrix: {seed: 1-3, lr: [0.3, 1]}\n"
         "args: {data: d.csv, lr: '${lr}', init-seed: '${seed}', epochs: 7,\n"
         "       note: 's${seed} lr${lr} i${task.index} $${x}'}\n",
         6},
        {"kernel: mlp.train\nmatrix: {seed: 1-3, set: [a.csv, b.csv], o: [sgd, adamw],\n"
         "  yes: [true, false], n: ['q\"uote', \"tab\\t\", \"\\u00e9\", '']}\n"
         "args: {data: '${set}', init-seed: '${seed}', note: '${n}', shuffle: '${yes}',\n"
         "  optimizer: '${o}'}\n",
         96},
        {"kernel: mlp.train\nmatrix: {w: [16, 32], b: [0.5, 1]}\n"
         "args: {data: d.csv, layers: [64, '${w}', 10], betas: ['${b}', 0.25],\n"
         "  note: '<${b}|${w}>'}\n",
         4},
        {"kernel: mlp.infer\nmatrix: {a: [x, y], b: 5-9:2}\n"
         "shards: {of: d.csv, rows: 300}\n"
         "args: {model: '${a}.m', start: '${shard.index}', threshold: '${shard.first}',\n"
         "  label: '${shard.path} ${shard.count} of ${b}', table: '${shard.path}'}\n",
         24},
        {"kernel: sleep\nargs: {seconds: 0}\n" /* nothing is made of them */
         "matrix: {rep: 3-8:4, n: ['q\"', \"\\u00e9\"], t: [1, 2.5, 1e300], yes: "
         "[true]}\n",
         12},
        {"kernel: mlp.infer\nshards: {of: d.csv, rows: 300}\nmatrix: {rep: 1-2}\n"
         "args: {model: m}\n",
         8},
        {"kernel: mlp.infer\nshards: {of: d.csv, rows: 1000}\n"
         "args: {model: m, start: '${shard.count}', label: '${shard.path}'}\n",
         1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(compare(cases[i].text), cases[i].tasks, "%s", cases[i].text);
}

Test(varying, what_no_arithmetic_knows_has_no_rule)
{
    static const char *const none[] = {
        "command: [echo, '${task.index}']\n",
        "kernel: mlp.infer\nmatrix: {s: [a.csv, b.csv]}\n"
        "shards: {of: '${s}', rows: 300}\nargs: {model: m}\n",
    };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        AUTO(jobspec) s = load(none[i]);
        AUTO(arena) a = arena_make();
        struct varying v;
        cr_expect_eq(varying_make(s, 0, a, &v, NULL), -ENOTSUP, "%s", none[i]);
    }
    AUTO(jobspec)
    s = load("tasks:\n"
             "  - {name: train, kernel: mlp.train, args: {data: d.csv}}\n"
             "  - {name: infer, kernel: mlp.infer, shards: {of: d.csv, rows: 500},\n"
             "     args: {model: '${train.model}'}}\n");
    AUTO(arena) a = arena_make();
    struct varying v;
    cr_expect_eq(varying_make(s, 0, a, &v, NULL), 0);
    cr_expect_eq(v.n, 0, "one task: nothing varies");
    cr_expect_eq(varying_make(s, 1, a, &v, NULL), -ENOTSUP);
}

/* A rule of that size is refused by who reads it. */
Test(varying, a_rule_has_an_end)
{
    for (int over = 0; over < 2; over++) {
        AUTO_STR text = {0};
        str_add(&text,
                "kernel: mlp.train\nmatrix: {w: [16, 32]}\n"
                "args: {data: d.csv, layers: ['${w}'");
        /* Each takes two pieces; two more for the key and the end. */
        for (unsigned i = 1; i < VARYING_PIECES_MOST / 2 - 3 + 3u * (unsigned)over; i++)
            str_add(&text, ", 1");
        str_add(&text, "]}\n");
        AUTO(jobspec) s = load(str_text(&text));
        AUTO(arena) a = arena_make();
        struct varying v = {.n = 0};
        cr_assert_eq(varying_make(s, 0, a, &v, NULL), over ? -ENOTSUP : 0);
        if (!over)
            cr_assert(v.n > VARYING_PIECES_MOST - 10);
    }
}
