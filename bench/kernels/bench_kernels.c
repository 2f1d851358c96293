/* Kernels against the libraries under them: `bench/run kernels` runs this and checks its
 * lines (bench/README.md has the schema).
 *
 *   bench_kernels [op|gemm|train]...      default: all
 *
 * What is compared runs in turns, in one process or one turn apart, on one thread; the
 * values are medians over the turns. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/proc.h"
#include "kernels/op/gemm.h"
#include "kernels/op/peak.h"
#include "kernels/op/philox.h"
#include "kernels/op/threads.h"
#include "lines.h"
#include "plugins/kernel/table.h"
#include "plugins/rehearse/rehearse.h"
#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct product {
    const char *name;
    enum gemm_form form;
    size_t m, n, k;
};

static void
bare_product(const struct product *p, const float *a, const float *b, float *out)
{
    bool turned_a = p->form == GEMM_TN, turned_b = p->form == GEMM_NT;
    cblas_sgemm(CblasRowMajor,
                turned_a ? CblasTrans : CblasNoTrans,
                turned_b ? CblasTrans : CblasNoTrans,
                (int)p->m,
                (int)p->n,
                (int)p->k,
                1.0F,
                a,
                (int)(turned_a ? p->m : p->k),
                b,
                (int)(turned_b ? p->k : p->n),
                0.0F,
                out,
                (int)p->n);
}

static void bench_product(const struct product *p)
{
    enum { CALLS = 2000, TURNS = 15 };
    size_t m = p->m, n = p->n, k = p->k;
    float *a = numbers(m * k, 0), *b = numbers(k * n, 1), *out = numbers(m * n, 2);
    struct samples ours = {0}, bare = {0};
    double flops = 2.0 * (double)(m * n * k) * CALLS;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        double start = clock_monotonic();
        for (unsigned i = 0; i < CALLS; i++)
            gemm_f32(p->form, m, n, k, a, b, out);
        double middle = clock_monotonic();
        for (unsigned i = 0; i < CALLS; i++)
            bare_product(p, a, b, out);
        ours.v[ours.n++] = flops / (middle - start) * 1e-9;
        bare.v[bare.n++] = flops / (clock_monotonic() - middle) * 1e-9;
    }
    line(p->name, "GFLOP/s", &ours, 0, "peer: cblas_sgemm", quantile(&bare, 0.5));
    free(a);
    free(b);
    free(out);
}

/* The small products of a training step, ours against one BLAS call each. */
static int bench_op(void)
{
    static const struct product cases[] = {
        {"gemm_f32 NN 8x32x64", GEMM_NN, 8, 32, 64},
        {"gemm_f32 TN 64x32x8", GEMM_TN, 64, 32, 8},
        {"gemm_f32 NN 8x10x32", GEMM_NN, 8, 10, 32},
        {"gemm_f32 NT 8x32x10", GEMM_NT, 8, 32, 10},
        {"gemm_f32 NN 32x64x64", GEMM_NN, 32, 64, 64},
        {"gemm_f32 NN 64x64x64", GEMM_NN, 64, 64, 64},
        {"gemm_f32 NN 8x512x784", GEMM_NN, 8, 512, 784}};
    gemm_set_threads(1);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
        bench_product(&cases[c]);
    return 0;
}

static const struct gm_kernel *find(const char *name)
{
    unsigned n;
    const struct gm_kernel *const *all = plugin_kernels(&n);
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    }
    abort();
}

/* A scalar output of one task. */
static int run_scalar(const struct rehearse_task *task, const char *output, double *ret)
{
    struct rehearse_output *outputs = NULL;
    struct gm_error err;
    int rc = rehearse_run(task, &outputs, &err);
    if (rc != 0) {
        (void)fprintf(stderr, "bench_kernels: %s: %s\n", task->kernel->name, err.text);
        return rc;
    }
    memcpy(ret, rehearse_find(task->kernel, outputs, output)->data, sizeof(*ret));
    rehearse_free(task->kernel, outputs);
    return 0;
}

/* Median of `repeat` direct calls after one to warm up, as the kernel has it. */
static double
bare_gflops(size_t n, bool f64, unsigned repeat, const void *a, const void *b, void *c)
{
    struct samples s = {0};
    int size = (int)n;
    for (unsigned i = 0; i <= repeat; i++) {
        double start = clock_monotonic();
        if (f64)
            cblas_dgemm(CblasRowMajor,
                        CblasNoTrans,
                        CblasNoTrans,
                        size,
                        size,
                        size,
                        1.0,
                        a,
                        size,
                        b,
                        size,
                        0.0,
                        c,
                        size);
        else
            cblas_sgemm(CblasRowMajor,
                        CblasNoTrans,
                        CblasNoTrans,
                        size,
                        size,
                        size,
                        1.0F,
                        a,
                        size,
                        b,
                        size,
                        0.0F,
                        c,
                        size);
        if (i > 0)
            s.v[s.n++] = clock_monotonic() - start;
    }
    return 2.0 * (double)n * (double)n * (double)n / quantile(&s, 0.5) * 1e-9;
}

static int bench_gemm_size(size_t n, bool f64, unsigned turns, unsigned repeat)
{
    char size[24], repeats[24], name[48];
    (void)snprintf(size, sizeof(size), "%zu", n);
    (void)snprintf(repeats, sizeof(repeats), "%u", repeat);
    const char *dtype = f64 ? "float64" : "float32";
    const struct rehearse_arg args[] = {{"n", size},
                                        {"dtype", dtype},
                                        {"repeat", repeats},
                                        {"check", "false"},
                                        {NULL, NULL}};
    const struct rehearse_task task = {.kernel = find("gemm"), .args = args};
    float *a = numbers(n * n * (f64 ? 2 : 1), 0), *b = numbers(n * n * (f64 ? 2 : 1), 1);
    float *c = numbers(n * n * (f64 ? 2 : 1), 2);
    if (f64) { /* any numbers do, as long as none is a NaN or slow */
        for (size_t i = 0; i < n * n; i++)
            ((double *)a)[i] = ((double *)b)[i] = 0.5;
    }
    struct samples ours = {0}, bare = {0};
    double peak = 0;
    int rc = f64 ? peak_f64(1, &peak, NULL) : peak_f32(1, &peak, NULL);
    for (unsigned turn = 0; turn < turns && rc == 0; turn++) {
        rc = run_scalar(&task, "gflops", &ours.v[ours.n++]);
        gemm_set_threads(1);
        bare.v[bare.n++] = bare_gflops(n, f64, repeat, a, b, c);
    }
    free(a);
    free(b);
    free(c);
    if (rc != 0)
        return rc;
    (void)snprintf(name, sizeof(name), "gemm %s n=%zu", dtype, n);
    line(name,
         "GFLOP/s",
         &ours,
         quantile(&bare, 0.5),
         "cblas called directly, in turns",
         0);
    (void)snprintf(name, sizeof(name), "gemm %s n=%zu, peak", dtype, n);
    line(name, "GFLOP/s", &ours, peak, "fused multiply-adds of one core, measured", 0);
    return 0;
}

static int bench_gemm(void)
{
    int rc = bench_gemm_size(256, false, 9, 60);
    if (rc == 0)
        rc = bench_gemm_size(1024, false, 9, 9);
    if (rc == 0)
        rc = bench_gemm_size(4096, false, 9, 1);
    return rc == 0 ? bench_gemm_size(1024, true, 9, 5) : rc;
}

/* Samples a second of the numpy peer, one turn of it. */
static int run_numpy(const char *const argv[], double *ret)
{
    int ends[2];
    pid_t pid = 0;
    struct proc_end end = {0};
    struct gm_error err = {0};
    char text[64] = "";
    int rc = proc_pipe(ends, &err);
    if (rc != 0)
        return rc;
    const struct proc_spec spec = {
        .argv = argv, .in = -1, .out = ends[1], .err = STDERR_FILENO};
    rc = proc_spawn(&spec, &pid, &err);
    (void)close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    if (rc == 0 && fgets(text, sizeof(text), from) != NULL)
        *ret = strtod(text, NULL);
    (void)fclose(from);
    if (rc == 0)
        rc = proc_reap(pid, true, &end);
    if (rc < 0 || end.status != 0 || text[0] == '\0') {
        (void)fprintf(stderr, "bench_kernels: the numpy peer failed: %s\n", err.text);
        return -EIO;
    }
    return 0;
}

struct network {
    const char *name, *layers, *widths;
    size_t inputs, classes, rows;
    double weights; /* multiplications of one sample's forward pass */
    const char *batch, *micro_batch, *epochs;
};

/* Random rows with a label behind each, as a tensor. */
static float *rows_of(const struct network *net)
{
    size_t cols = net->inputs + 1;
    float *x = numbers(net->rows * cols, 3);
    struct philox p = philox_make(1, 4);
    for (size_t i = 0; i < net->rows; i++)
        x[i * cols + net->inputs] = (float)philox_below(&p, net->classes);
    return x;
}

static int bench_network(const struct network *net, double peak)
{
    enum { TURNS = 7 };
    float *x = rows_of(net);
    const struct gm_input input = {.param = 0, /* data */
                                   .dtype = GM_F32,
                                   .ndim = 2,
                                   .dims = {net->rows, net->inputs + 1},
                                   .data = x,
                                   .nbytes =
                                       net->rows * (net->inputs + 1) * sizeof(float),
                                   .origin = "random rows"};
    const struct rehearse_arg args[] = {{"layers", net->layers},
                                        {"lr", "0.01"},
                                        {"split", "[100, 0, 0]"},
                                        {"epochs", net->epochs},
                                        {"batch", net->batch},
                                        {"micro-batch", net->micro_batch},
                                        {NULL, NULL}};
    const struct rehearse_task task = {
        .kernel = find("mlp.train"), .args = args, .inputs = &input, .n_inputs = 1};
    char rows[24], name[96], how[96];
    (void)snprintf(rows, sizeof(rows), "%zu", net->rows);
    static const char program[] = BENCH_FOLDER "/mlp_numpy.py";
    const char *const argv[] = {
        BENCH_PYTHON, program, net->widths, net->batch, rows, "0.4", NULL};
    struct samples ours = {0}, numpy = {0};
    int rc = 0;
    for (unsigned turn = 0; turn < TURNS && rc == 0; turn++) {
        rc = run_scalar(&task, "samples_per_s", &ours.v[ours.n++]);
        if (rc == 0)
            rc = run_numpy(argv, &numpy.v[numpy.n++]);
    }
    free(x);
    if (rc != 0)
        return rc;
    (void)snprintf(name, sizeof(name), "mlp.train %s", net->name);
    (void)snprintf(how,
                   sizeof(how),
                   "peer: numpy, 1 thread, batch %s (micro-batch here %s)",
                   net->batch,
                   net->micro_batch);
    line(name, "samples/s", &ours, 0, how, quantile(&numpy, 0.5));
    (void)snprintf(name, sizeof(name), "mlp.train %s, peak", net->name);
    /* forward and weight gradient of all layers, input gradient of all but the first */
    double hidden =
        net->weights - (double)net->inputs * strtod(strchr(net->widths, ',') + 1, NULL);
    double flops = 2 * (2 * net->weights + hidden);
    line(name,
         "samples/s",
         &ours,
         peak * 1e9 / flops,
         "one core's fused multiply-add peak over the products' flops",
         0);
    return 0;
}

static int bench_train(void)
{
    static const struct network nets[] = {{"64-32-10",
                                           "[64, 32, 10]",
                                           "64,32,10",
                                           64,
                                           10,
                                           1078,
                                           64 * 32 + 32 * 10,
                                           "32",
                                           "8",
                                           "400"},
                                          {"784-512-512-10",
                                           "[784, 512, 512, 10]",
                                           "784,512,512,10",
                                           784,
                                           10,
                                           4096,
                                           784 * 512 + 512 * 512 + 512 * 10,
                                           "256",
                                           "64",
                                           "2"}};
    (void)setenv("OPENBLAS_NUM_THREADS", "1", 1); /* numpy's; ours is set by the kernel */
    double peak = 0;
    int rc = peak_f32(1, &peak, NULL);
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]) && rc == 0; i++)
        rc = bench_network(&nets[i], peak);
    return rc;
}

static const struct {
    const char *name;
    int (*run)(void);
} parts[] = {{"op", bench_op}, {"gemm", bench_gemm}, {"train", bench_train}};

#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t p = 0;
        while (p < N_PARTS && strcmp(parts[p].name, argv[i]) != 0)
            p++;
        if (p == N_PARTS) {
            (void)fprintf(stderr, "usage: bench_kernels [op|gemm|train]...\n");
            return 2;
        }
    }
    int rc = 0;
    threads_set(1);
    for (size_t p = 0; p < N_PARTS && rc == 0; p++) {
        bool wanted = argc == 1;
        for (int i = 1; i < argc; i++)
            wanted = wanted || strcmp(parts[p].name, argv[i]) == 0;
        rc = wanted ? parts[p].run() : 0;
    }
    return rc == 0 ? 0 : 1;
}
