/* gemm: how fast this rank multiplies matrices, against the peak that its cores reach,
 * and whether the product is right.
 *
 * A task is a walk: warm up once, multiply `repeat` times (each timed), check some rows
 * against float64, report. One product a step; nothing is allocated after begin. */
#include "kernels/op/gemm.h"
#include "gridmill/kernel.h"
#include "kernels/device/device.h"
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
                 .help = "element type; tf32 and bfloat16: a GPU rounds float32 to it "
                         "before it multiplies; a CPU keeps B as bfloat16",
                 .preset = "float32",
                 .choices = "float32|float64|tf32|bfloat16",
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
    struct device *device;
    unsigned n_threads;
    double peak[2]; /* GFLOP/s of float32 and float64: the highest seen, 0 before */
    /* the task's */
    const struct gm_comm *comm;
    const struct gm_sink *sink;
    enum phase phase;
    size_t m, n, k, repeat, done;
    bool is_f64, check;
    void *a, *b, *c; /* floats or doubles */
    uint16_t *half;  /* B as the CPU has it for bfloat16, else NULL */
    void *on[3];     /* the same on a device with memory of its own, else NULL */
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
    int rc = device_open(seat->device, &g->device, err);
    if (rc == 0)
        *ret = g;
    else
        free(g);
    return rc;
}

static void close_(void *self)
{
    struct gemm *g = self;
    device_close(g->device);
    free(g);
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
    free(g->half);
    free(g->times);
    free(g->sums);
    g->a = g->b = g->c = NULL;
    g->half = NULL;
    for (unsigned i = 0; i < 3; i++) {
        g->device->op->release(g->device, g->on[i]);
        g->on[i] = NULL;
    }
    g->times = g->sums = NULL;
}

/* What the device multiplies by `dtype`; doubles and TF32 are one's alone. */
static int set_math(struct gemm *g, const char *dtype, struct gm_error *err)
{
    bool tf32 = strcmp(dtype, "tf32") == 0, bf16 = strcmp(dtype, "bfloat16") == 0;
    g->is_f64 = strcmp(dtype, "float64") == 0;
    if (g->device->host && tf32)
        return gm_fail(err,
                       -EINVAL,
                       "dtype: tf32 is computed by GPUs alone, and this rank has none "
                       "(per-rank: {gpus: 1} gives it one)");
    if (!g->device->host && g->is_f64)
        return gm_fail(err,
                       -EINVAL,
                       "dtype: float64 is computed by the cpu alone, and this rank has a "
                       "GPU (%s)",
                       g->device->text);
    g->device->math = tf32 ? DEVICE_TF32 : bf16 ? DEVICE_BF16 : DEVICE_F32;
    return 0;
}

/* A and B to a device with memory of its own; the CPU's B, to bfloat16. */
static int put_matrices(struct gemm *g, struct gm_error *err)
{
    struct device *d = g->device;
    if (d->host && d->math == DEVICE_BF16) {
        g->half = calloc(g->k * g->n, sizeof(*g->half));
        if (g->half == NULL)
            return gm_fail(err, -ENOMEM, "no memory for a B of %zu x %zu", g->k, g->n);
        d->op->to_bf16(d, g->k * g->n, g->b, g->half);
    }
    const void *from[3] = {g->a, g->b, g->c};
    const size_t n[3] = {g->m * g->k, g->k * g->n, g->m * g->n};
    for (unsigned i = 0; i < 3 && !d->host; i++) {
        int rc = d->op->alloc(d, n[i] * sizeof(float), &g->on[i], err);
        if (rc != 0)
            return rc;
        d->op->put(d, g->on[i], from[i], n[i] * sizeof(float));
    }
    return d->op->sync(d, err);
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
    g->check = gm_param_bool(p, P_CHECK);
    int rc = set_math(g, gm_param_text(p, P_DTYPE), err);
    if (rc != 0)
        return rc;
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
    rc = put_matrices(g, err);
    if (rc != 0)
        end(self, rc);
    return rc;
}

static int multiply(const struct gemm *g, struct gm_error *err)
{
    struct device *d = g->device;
    const struct gemm_shape shape = {.form = GEMM_NN, .m = g->m, .n = g->n, .k = g->k};
    if (g->is_f64)
        gemm_f64(GEMM_NN, g->m, g->n, g->k, g->a, g->b, g->c);
    else if (g->half != NULL)
        d->op->gemm_bf16(d, &shape, g->a, g->half, g->c);
    else if (d->host)
        d->op->gemm(d, &shape, g->a, g->b, g->c);
    else
        d->op->gemm(d, &shape, g->on[0], g->on[1], g->on[2]);
    return d->op->sync(d, err);
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
    int rc = g->device->host ? probe_peak(g, err) : 0; /* a GPU's is not probed */
    if (rc != 0)
        return rc;
    qsort(g->times, g->repeat, sizeof(*g->times), by_value);
    double median = (g->times[(g->repeat - 1) / 2] + g->times[g->repeat / 2]) / 2;
    double flops = 2.0 * (double)g->m * (double)g->n * (double)g->k;
    double gflops = flops / median * 1e-9, peak = g->peak[g->is_f64];
    rc = gm_put_f64(g->sink, O_GFLOPS, gflops, err);
    if (!g->device->host)
        return rc;
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

/* A product of k terms is off by k units in the last place at the very most, and by what
 * rounding both operands changes it: some GPUs cut TF32's mantissa off. */
static double bound_of(const struct gemm *g)
{
    double rounding = g->device->math == DEVICE_TF32   ? 0x1p-9
                      : g->device->math == DEVICE_BF16 ? 0x1p-8
                                                       : 0;
    return rounding + (double)g->k * (g->is_f64 ? 2 * DBL_EPSILON : (double)FLT_EPSILON);
}

static int check(struct gemm *g, struct gm_error *err)
{
    struct device *d = g->device;
    double worst = 0, bound = bound_of(g);
    if (!d->host)
        d->op->get(d, g->c, g->on[2], g->m * g->n * sizeof(float));
    int rc = d->op->sync(d, err);
    if (rc != 0)
        return rc;
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
    case WARM_UP: {
        int rc = multiply(g, err);
        g->phase = MULTIPLY;
        return rc == 0 ? 1 : rc;
    }
    case MULTIPLY: {
        double start = stopwatch_now();
        int rc = multiply(g, err);
        g->times[g->done++] = stopwatch_now() - start;
        g->phase = g->done < g->repeat ? MULTIPLY : REPORT;
        return rc == 0 ? 1 : rc;
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

/* Products of doubles are OpenBLAS's, whose loops are chosen for the processor; which of
 * the two it is may vary from task to task. */
static const char *device_class(const struct gm_params *common)
{
    const char *dtype = gm_param_text(common, P_DTYPE);
    bool floats = dtype != NULL && strcmp(dtype, "float64") != 0;
    return floats ? NULL : gemm_backend(NULL);
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
    const char *dtype = gm_param_text(p, P_DTYPE);
    double element = strcmp(dtype, "float64") == 0 ? 8 : 4;
    double of_b = strcmp(dtype, "bfloat16") == 0 ? 2 : element; /* as the CPU keeps it */
    *ret_flops = 2 * m * cols * k * products;
    *ret_bytes = (element * (m * k + m * cols) + of_b * k * cols) * products;
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
    double element = g->is_f64 ? 8 : 4, of_b = g->half != NULL ? 2 : element;
    ret->bytes = (element * (m * k + m * n) + of_b * k * n) * products;
    for (size_t i = 0; i < g->done && !g->device->host; i++)
        ret->gpu_s += g->times[i];
}

const struct gm_kernel gemm_kernel = {.abi = GM_KERNEL_ABI,
                                      .size = sizeof(struct gm_kernel),
                                      .name = "gemm",
                                      .summary = "multiply matrices: speed and error",
                                      .params = params,
                                      .n_params = sizeof(params) / sizeof(params[0]),
                                      .outputs = outputs,
                                      .n_outputs = sizeof(outputs) / sizeof(outputs[0]),
                                      .traits = GM_BOUND_COMPUTE | GM_ON_CPU | GM_ON_CUDA,
                                      .probe = gemm_probe,
                                      .open = open_,
                                      .begin = begin,
                                      .step = step,
                                      .end = end,
                                      .cost = cost,
                                      .close = close_,
                                      .device_class = device_class,
                                      .work = work};
