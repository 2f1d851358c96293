/* Reading jobspecs beside libyaml alone: `bench/run spec` runs this and checks its lines
 * (bench/README.md has the schema).
 *
 *   bench_spec            jobspec_parse (parse and validate) of generated files, in turns
 *                         with libyaml's bare event loop over the same bytes
 *   bench_spec write      prints the short file, to be looked at
 *   bench_spec peak COMMAND...
 *                         runs a program and prints its largest memory in bytes (a Python
 *                         that started it would count in its own)
 *
 * The values are medians over the turns. */
#include "base/clock.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"
#include "plugins/kernel/table.h"
#include "spec/jobspec.h"
#include <stdlib.h>
#include <yaml.h>

enum { TURNS = 15, FILE_BYTES = 5 << 20 };

struct samples {
    double v[TURNS];
    size_t n;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The q-th quantile, by the nearest rank. */
static double quantile(struct samples s, double q)
{
    qsort(s.v, s.n, sizeof(s.v[0]), by_value);
    return s.v[(size_t)(q * (double)(s.n - 1) + 0.5)];
}

static void line(const char *name, const struct samples *ours, const struct samples *bare)
{
    AUTO_JSON j = {0};
    double value = quantile(*ours, 0.5), floor = quantile(*bare, 0.5);
    json_begin(&j, '{');
    json_put_string(&j, "suite", "spec");
    json_put_string(&j, "name", name);
    json_put_double(&j, "value", value);
    json_put_string(&j, "unit", "MB/s");
    json_put_double(&j, "floor", floor);
    json_put_string(
        &j, "floor_how", "libyaml's event loop over the same bytes, in turns");
    json_key(&j, "peer");
    json_null(&j);
    json_put_double(&j, "ratio", value / floor);
    json_put_int(&j, "n", (int64_t)ours->n);
    json_put_double(&j, "p50", value);
    json_put_double(&j, "p95", quantile(*ours, 0.95));
    json_end(&j, '}');
    (void)puts(str_text(&j.out));
    (void)fflush(stdout);
}

/* Stage i of the short file: kernels with matrices, commands with references, needs. */
static void write_stage(struct str *out, unsigned i)
{
    switch (i % 4) {
    case 0:
        str_printf(
            out, "  - name: gemm-%u\n    kernel: gemm\n    matrix:\n      n: [", i);
        for (unsigned k = 0; k < 40; k++)
            str_printf(out, "%s%u", k > 0 ? ", " : "", 64 + 8 * k + i % 7);
        str_printf(out,
                   "]\n      seed: 1-%u\n      dtype: [float32, float64]\n"
                   "    args: {n: \"${n}\", seed: \"${seed}\", dtype: \"${dtype}\", "
                   "repeat: 3, check: false}\n",
                   100 + i);
        return;
    case 1:
        str_printf(out,
                   "  - name: report-%u\n    needs: [gemm-%u]\n"
                   "    command: [python3, report.py, --stage, \"%u\", --task, "
                   "\"${task.index}\", --file, \"${results}\"]\n"
                   "    env: {OMP_NUM_THREADS: \"1\", STAGE: \"report %u\", "
                   "LANG: C.UTF-8}\n    timeout: 90s\n",
                   i,
                   i - 1,
                   i,
                   i);
        return;
    case 2:
        str_printf(out,
                   "  - name: sleep-%u   # one of many\n    kernel: sleep\n"
                   "    needs:\n      - report-%u\n      - gemm-%u\n"
                   "    args:\n      seconds: 0.%u\n    retry:\n      limit: 2\n"
                   "      on: [exit, signal, timeout, node]\n",
                   i,
                   i - 1,
                   i - 2,
                   i);
        return;
    default:
        str_printf(out,
                   "  - name: sweep-%u\n    matrix: {lr: [0.1, 0.03, 0.01, 0.003], "
                   "mode: [fast, exact, 'two words'], seed: 1-1000}\n    command:\n"
                   "      - ./train\n      - --lr=${lr}\n      - --mode=${mode}\n"
                   "      - \"--seed=${seed}\"\n      - "
                   "\"--best=${gemm-%u.gflops@max:gflops}\"\n",
                   i,
                   i - 3);
    }
}

static void write_short(struct str *out)
{
    str_add(out, "name: bench\nranks: 4\nper-rank: {cores: 1}\ntime: 10m\ntasks:\n");
    for (unsigned i = 0; out->len < FILE_BYTES || i % 4 != 0; i++)
        write_stage(out, i);
}

/* Flux's form: one slot, one task, and a great environment. */
static void write_canonical(struct str *out)
{
    str_add(out,
            "version: 1\nresources:\n  - type: slot\n    count: 4\n    label: task\n"
            "    with:\n      - {type: core, count: 2}\n"
            "tasks:\n  - command: [./run, --all]\n    slot: task\n"
            "    count: {per_slot: 1}\n"
            "attributes:\n  system:\n    duration: 600\n    cwd: /tmp\n"
            "    environment:\n");
    for (unsigned i = 0; out->len < FILE_BYTES; i++)
        str_printf(out,
                   "      VARIABLE_%u: \"value %u of /some/where/else\"\n"
                   "      PLAIN_%u: text-%u\n",
                   i,
                   i,
                   i,
                   i);
}

/* Seconds of the events alone; < 0: not YAML. */
static double run_bare(const struct str *text)
{
    yaml_parser_t y;
    double start = clock_monotonic();
    if (yaml_parser_initialize(&y) == 0)
        return -1;
    yaml_parser_set_input_string(&y, (const unsigned char *)text->text, text->len);
    bool over = false, fine = true;
    while (!over && fine) {
        yaml_event_t e;
        fine = yaml_parser_parse(&y, &e) != 0;
        over = fine && e.type == YAML_STREAM_END_EVENT;
        if (fine)
            yaml_event_delete(&e);
    }
    yaml_parser_delete(&y);
    return fine ? clock_monotonic() - start : -1;
}

/* Seconds of a whole jobspec; < 0: it has faults, and the first is told. */
static double run_ours(const struct str *text)
{
    struct jobspec_options opt = {0};
    struct jobspec_faults faults = {0};
    struct jobspec *spec = NULL;
    struct gm_error err = {0};
    opt.kernels = plugin_kernels(&opt.n_kernels);
    double start = clock_monotonic();
    int rc =
        jobspec_parse("/bench/x.yaml", text->text, text->len, &opt, &spec, &faults, &err);
    jobspec_free(spec);
    jobspec_faults_free(&faults);
    if (rc == 0)
        return clock_monotonic() - start;
    (void)fprintf(stderr, "bench_spec: %s\n", err.text);
    return -1;
}

static int bench_file(const char *name, const struct str *text)
{
    struct samples ours = {0}, bare = {0};
    double mb = (double)text->len * 1e-6;
    double warm = run_ours(text) + run_bare(text);
    for (unsigned turn = 0; turn < TURNS && warm > 0; turn++) {
        ours.v[ours.n++] = mb / run_ours(text);
        bare.v[bare.n++] = mb / run_bare(text);
    }
    if (warm <= 0)
        return -1;
    line(name, &ours, &bare);
    return 0;
}

static int peak(const char *const *argv)
{
    const struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
    struct proc_end end = {0};
    struct gm_error err = {0};
    pid_t pid = 0;
    if (proc_spawn(&spec, &pid, &err) != 0 || proc_reap(pid, true, &end) != 1)
        return 1;
    return printf("%ld\n", end.max_rss) < 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "peak") == 0)
        return peak((const char *const *)argv + 2);
    AUTO_STR text = {0};
    AUTO_STR canonical = {0};
    write_short(&text);
    write_canonical(&canonical);
    if (argc == 2 && strcmp(argv[1], "write") == 0)
        return fputs(text.text, stdout) < 0;
    int rc = bench_file("parse+validate short 5 MB", &text);
    if (rc == 0)
        rc = bench_file("parse+validate canonical 5 MB", &canonical);
    return rc == 0 ? 0 : 1;
}
