/* gemm: how fast this rank multiplies matrices, against the peak that its cores reach,
 * and whether the product is right.
 *
 * A task is a walk: warm up once, multiply `repeat` times (each timed), check some rows
 * against float64, report. One product a step; nothing is allocated after begin. */
#include "kernels/op/gemm.h"
#include "gridmill/kernel.h"
#include "kernels/op/peak.h"
#include "kernels/op/philox.h"
#include "stopwatch.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_ROWS 4 /* rows of C that are compared */
#define MAX_SIZE   65536
#define ALIGN      64

enum { P_N, P_M, P_K, P_DTYPE, P_REPEAT, P_SEED, P_CHECK };

enum { O_GFLOPS, O_PEAK_GFLOPS, O_PEAK_FRACTION, O_ERROR };

static const struct gm_param_spec params[] = {
    [P_N] =
        {.name = "n",
         .help =
             "columns of C; rows of C and the inner size too where m and k are absent",
         .preset = "1024",
         .min = 1,
         .max = MAX_SIZE,
         .type = GM_PARAM_INT},
    [P_M] = {.name = "m",
             .help = "rows of C (default: n)",
             .min = 1,
             .max = MAX_SIZE,
             .type = GM_PARAM_INT},
    [P_K] = {.name = "k",
             .help = "inner size (default: n)",
             .min = 1,
             .max = MAX_SIZE,
             .type = GM_PARAM_INT},
    [P_DTYPE] = {.name = "dtype",
                 .help = "element type",
                 .preset = "float32",
                 .choices = "float32|float64",
                 .type = GM_PARAM_CHOICE},
    [P_REPEAT] = {.name = "repeat",
                  .help = "timed products; the median counts",
                  .preset = "10",
                  .min = 1,
                  .max = 100000,
                  .type = GM_PARAM_INT},
    [P_SEED] = {.name = "seed",
                .help = "of the matrices' numbers, uniform in -1 to 1",
                .preset = "0",
                .min = 0,
                .max = 9e15,
                .type = GM_PARAM_INT},
    [P_CHECK] = {.name = "check",
                 .help = "compare rows of C with a float64 product",
                 .preset = "true",
                 .type = GM_PARAM_BOOL},
};

static const struct gm_output_spec outputs[] = {
    [O_GFLOPS] = {.name = "gflops",
                  .help = "2 m n k over the median time of a product",
                  .unit = "GFLOP/s",
                  .shape = "",
                  .dtype = GM_F64,
                  .flags = GM_MEASURED,
                  .summary = GM_SUM_BEST},
    [O_PEAK_GFLOPS] = {.name = "peak_gflops",
                       .help =
                           "fused multiply-adds that the rank's cores reach, measured",
                       .unit = "GFLOP/s",
                       .shape = "",
                       .dtype = GM_F64,
                       .flags = GM_MEASURED,
                       .summary = GM_SUM_BEST},
    [O_PEAK_FRACTION] = {.name = "peak_fraction",
                         .help = "gflops / peak_gflops",
                         .unit = "1",
                         .shape = "",
                         .dtype = GM_F64,
                         .flags = GM_MEASURED,
                         .summary = GM_SUM_BEST},
    [O_ERROR] = {.name = "error",
                 .help = "largest |c - c64| / sum of |a b|, over 4 rows of C",
                 .unit = "1",
                 .shape = "",
                 .dtype = GM_F64,
                 .summary = GM_SUM_BEST},
};

enum phase { WARM_UP, MULTIPLY, REPORT, CHECK };

struct gemm {
    unsigned n_threads;
    double peak[2]; /* GFLOP/s of float32 and float64: the highest seen, 0 before */
    /* the task's */
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    enum phase phase;
    size_t m, n, k, repeat, done;
    bool is_f64, check;
    void *a, *b, *c; /* floats or doubles */
    double *times;
    double *sums; /* [2][n]: a row of C and of its |a b| in float64 */
};

static int open_(const struct gm_params *common,
                 const struct gm_seat *seat,
                 void **ret,
                 struct gm_error *err)
{
    (void)common;
    struct gemm *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return gm_fail(err, -ENOMEM, "gemm: out of memory");
    g->n_threads = seat->n_threads == 0 ? 1 : seat->n_threads;
    *ret = g;
    return 0;
}

/* A matrix of n numbers from the stream; zeros for fill false. */
static void *
matrix(const struct gemm *g, uint64_t seed, uint64_t stream, size_t n, bool fill)
{
    size_t element = g->is_f64 ? sizeof(double) : sizeof(float);
    void *p = NULL;
    if (posix_memalign(&p, ALIGN, n * element) != 0) /* n is at most 2^32 */
        return NULL;
    if (!fill) {
        memset(p, 0, n * element);
        return p;
    }
    float *numbers = p;
    philox_uniform(seed, stream, -1, 1, n, numbers);
    if (g->is_f64) { /* from the end, so that nothing is read after it was written over */
        double *wide = p;
        for (size_t i = n; i-- > 0;) {
            float x;
            memcpy(&x, (char *)p + i * sizeof(x), sizeof(x));
            wide[i] = (double)x;
        }
    }
    return p;
}

static size_t size_or(const struct gm_params *p, unsigned i, size_t otherwise)
{
    return gm_param_given(p, i) ? (size_t)gm_param_int(p, i) : otherwise;
}

static void end(void *self, int outcome)
{
    (void)outcome;
    struct gemm *g = self;
    free(g->a);
    free(g->b);
    free(g->c);
    free(g->times);
    free(g->sums);
    g->a = g->b = g->c = NULL;
    g->times = g->sums = NULL;
}

static int begin(void *self,
                 const struct gm_task *task,
                 const struct gm_sink *sink,
                 struct gm_error *err)
{
    struct gemm *g = self;
    const struct gm_params *p = task->params;
    g->comm = task->comm;
    g->sink = sink;
    g->phase = WARM_UP;
    g->done = 0;
    g->n = (size_t)gm_param_int(p, P_N);
    g->m = size_or(p, P_M, g->n);
    g->k = size_or(p, P_K, g->n);
    g->repeat = (size_t)gm_param_int(p, P_REPEAT);
    g->is_f64 = strcmp(gm_param_text(p, P_DTYPE), "float64") == 0;
    g->check = gm_param_bool(p, P_CHECK);
    uint64_t seed = (uint64_t)gm_param_int(p, P_SEED);
    g->a = matrix(g, seed, 0, g->m * g->k, true);
    g->b = matrix(g, seed, 1, g->k * g->n, true);
    g->c = matrix(g, seed, 2, g->m * g->n, false);
    g->times = calloc(g->repeat, sizeof(*g->times));
    g->sums = calloc(2 * g->n, sizeof(*g->sums));
    if (g->a == NULL || g->b == NULL || g->c == NULL || g->times == NULL ||
        g->sums == NULL) {
        end(self, -ENOMEM);
        return gm_fail(
            err, -ENOMEM, "no memory for matrices of %zu x %zu x %zu", g->m, g->n, g->k);
    }
    gemm_set_threads(g->n_threads);
    return 0;
}

static void multiply(const struct gemm *g)
{
    if (g->is_f64)
        gemm_f64(GEMM_NN, g->m, g->n, g->k, g->a, g->b, g->c);
    else
        gemm_f32(GEMM_NN, g->m, g->n, g->k, g->a, g->b, g->c);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* A peak only ever rises: a probe that others disturbed must not pass for the machine. */
static int probe_peak(struct gemm *g, struct gm_error *err)
{
    double found = 0, *peak = &g->peak[g->is_f64];
    int rc = g->is_f64 ? peak_f64(g->n_threads, &found, err)
                       : peak_f32(g->n_threads, &found, err);
    if (rc == 0 && found > *peak)
        *peak = found;
    return rc;
}

static int report(struct gemm *g, struct gm_error *err)
{
    int rc = probe_peak(g, err);
    if (rc != 0)
        return rc;
    qsort(g->times, g->repeat, sizeof(*g->times), by_value);
    double median = (g->times[(g->repeat - 1) / 2] + g->times[g->repeat / 2]) / 2;
    double flops = 2.0 * (double)g->m * (double)g->n * (double)g->k;
    double gflops = flops / median * 1e-9, peak = g->peak[g->is_f64];
    rc = gm_put_f64(g->sink, O_GFLOPS, gflops, err);
    if (rc == 0)
        rc = gm_put_f64(g->sink, O_PEAK_GFLOPS, peak, err);
    if (rc == 0)
        rc = gm_put_f64(g->sink, O_PEAK_FRACTION, gflops / peak, err);
    return rc;
}

static double at(const struct gemm *g, const void *matrix_, size_t i)
{
    return g->is_f64 ? ((const double *)matrix_)[i] : (double)((const float *)matrix_)[i];
}

/* The largest error of one row of C, relative to what was added up to get it. */
static double row_error(const struct gemm *g, size_t row)
{
    double *sum = g->sums, *weight = g->sums + g->n, worst = 0;
    memset(g->sums, 0, 2 * g->n * sizeof(*g->sums));
    for (size_t p = 0; p < g->k; p++) {
        double a = at(g, g->a, row * g->k + p);
        for (size_t j = 0; j < g->n; j++) {
            double product = a * at(g, g->b, p * g->n + j);
            sum[j] += product;
            weight[j] += fabs(product);
        }
    }
    for (size_t j = 0; j < g->n; j++) {
        double off = fabs(at(g, g->c, row * g->n + j) - sum[j]);
        double error = weight[j] > 0 ? off / weight[j] : off;
        if (!(error <= worst)) /* NaN counts as the worst */
            worst = error;
    }
    return worst;
}

/* A product of k terms is off by k units in the last place at the very most. */
static int check(struct gemm *g, struct gm_error *err)
{
    double worst = 0,
           bound = (double)g->k * (g->is_f64 ? 2 * DBL_EPSILON : (double)FLT_EPSILON);
    for (size_t i = 0; i < CHECK_ROWS; i++) {
        double error = row_error(g, (g->m - 1) * i / (CHECK_ROWS - 1));
        worst = error <= worst ? worst : error;
    }
    if (!(worst <= bound))
        return gm_fail(err,
                       -EIO,
                       "the product is wrong: relative error %g, k roundings explain %g",
                       worst,
                       bound);
    return gm_put_f64(g->sink, O_ERROR, worst, err);
}

static int step(void *self, struct gm_error *err)
{
    struct gemm *g = self;
    if (g->comm->cancelled(g->comm))
        return gm_fail(
            err, -ECANCELED, "stopped after %zu of %zu products", g->done, g->repeat);
    switch (g->phase) {
    case WARM_UP:
        multiply(g);
        g->phase = MULTIPLY;
        return 1;
    case MULTIPLY: {
        double start = stopwatch_now();
        multiply(g);
        g->times[g->done++] = stopwatch_now() - start;
        g->phase = g->done < g->repeat ? MULTIPLY : REPORT;
        return 1;
    }
    case REPORT: {
        int rc = report(g, err);
        g->phase = CHECK;
        return rc == 0 && g->check ? 1 : rc;
    }
    case CHECK:
        break;
    }
    return check(g, err);
}

static int cost(const struct gm_params *p, double *ret_flops, double *ret_bytes)
{
    if (!gm_param_given(p, P_N) || !gm_param_given(p, P_REPEAT) ||
        !gm_param_given(p, P_DTYPE))
        return -ENODATA;
    size_t n = (size_t)gm_param_int(p, P_N);
    double m = (double)size_or(p, P_M, n), k = (double)size_or(p, P_K, n),
           cols = (double)n;
    double products = (double)gm_param_int(p, P_REPEAT) + 1;
    double element = strcmp(gm_param_text(p, P_DTYPE), "float64") == 0 ? 8 : 4;
    *ret_flops = 2 * m * cols * k * products;
    *ret_bytes = element * (m * k + k * cols + m * cols) * products;
    return 0;
}

/* Matrices as `cost` knows them, and in which precision. The check is left out: it is no
 * part of what is measured. */
static void work(void *self, struct gm_work *ret)
{
    const struct gemm *g = self;
    double m = (double)g->m, n = (double)g->n, k = (double)g->k;
    double products = (double)g->repeat + 1;
    *(g->is_f64 ? &ret->flops64 : &ret->flops) = 2 * m * n * k * products;
    ret->bytes = (g->is_f64 ? 8 : 4) * (m * k + k * n + m * n) * products;
}

const struct gm_kernel gemm_kernel = {.abi = GM_KERNEL_ABI,
                                      .size = sizeof(struct gm_kernel),
                                      .name = "gemm",
                                      .summary = "multiply matrices: speed and error",
                                      .params = params,
                                      .n_params = sizeof(params) / sizeof(params[0]),
                                      .outputs = outputs,
                                      .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
                                      .traits = GM_BOUND_COMPUTE | GM_ON_CPU,
                                      .probe = gemm_probe,
                                      .open = open_,
                                      .begin = begin,
                                      .step = step,
                                      .end = end,
                                      .cost = cost,
                                      .close = free,
                                      .work = work};
