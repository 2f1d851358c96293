/* Products and perceptrons on a GPU, beside cuBLAS called bare, in turns, in one process:
 * one JSON line a measurement (bench/README.md). Called by scripts/gpu-check.sh.
 *
 *   bench_gpu [DEVICE]                 default: cuda
 *
 * Times are of a queue of calls and one wait for its end; medians over the turns. The
 * perceptron's rows lie in the host's memory and go to the GPU in every step, as in
 * mlp.train; its peer is bench/gpu/mlp_torch.py, and the products of a step, called bare,
 * are its floor. */
#include "base/clock.h"
#include "base/memory.h"
#include "kernels/model/mlp.h"
#include "kernels/op/philox.h"
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS  9
#define TARGET 0.02 /* seconds of a turn */

static const struct {
    const char *name;
    enum device_math math;
} modes[] = {{"f32", DEVICE_F32}, {"tf32", DEVICE_TF32}, {"bf16", DEVICE_BF16}};
#define MODES (sizeof(modes) / sizeof(modes[0]))

/* A measurement of ours and of the bare calls. */
struct pair {
    double ours[TURNS], bare[TURNS]; /* seconds a call */
};

struct bench {
    struct device *d;
    cublasHandle_t blas;
    cudaStream_t stream;
    void *workspace;
};

static void must(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "bench_gpu: %s failed\n", what);
        exit(1);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v)
{
    qsort(v, TURNS, sizeof(*v), by_value);
    return v[TURNS / 2];
}

static void *device_array(struct bench *b, size_t nbytes, const void *host)
{
    struct gm_error err = {0};
    void *at = NULL;
    if (b->d->op->alloc(b->d, nbytes, &at, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    if (host != NULL)
        b->d->op->put(b->d, at, host, nbytes);
    return at;
}

static void *random_array(struct bench *b, size_t n, uint64_t stream)
{
    float *v = xcalloc(n, sizeof(*v));
    philox_uniform(1, stream, -1, 1, n, v);
    void *at = device_array(b, n * sizeof(*v), v);
    free(v);
    return at;
}

static void sync_ours(const struct bench *b)
{
    struct gm_error err = {0};
    if (b->d->op->sync(b->d, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

/* Seconds a call of `calls`, queued behind each other. */
static double
timed(const struct bench *b, bool ours, void (*run)(void *), void *arg, unsigned calls)
{
    double start = clock_monotonic();
    for (unsigned i = 0; i < calls; i++)
        run(arg);
    if (ours)
        sync_ours(b);
    else
        must(cudaStreamSynchronize(b->stream) == cudaSuccess, "a bare call");
    return (clock_monotonic() - start) / calls;
}

/* In turns; as many calls as take TARGET seconds. */
static struct pair
measure(const struct bench *b, void (*ours)(void *), void (*bare)(void *), void *arg)
{
    struct pair p = {{0}, {0}};
    (void)timed(b, true, ours, arg, 3);
    (void)timed(b, false, bare, arg, 3);
    double one = timed(b, false, bare, arg, 3);
    double wanted = TARGET / (one > 1e-7 ? one : 1e-7);
    unsigned calls = wanted < 3 ? 3 : wanted > 2000 ? 2000 : (unsigned)wanted;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        p.ours[turn] = timed(b, true, ours, arg, calls);
        p.bare[turn] = timed(b, false, bare, arg, calls);
    }
    return p;
}

static void
print_line(const char *name, const char *unit, double value, double peer, const char *how)
{
    printf("{\"suite\": \"gpu\", \"name\": \"%s\", \"unit\": \"%s\", \"value\": %.6g, "
           "\"peer\": %.6g, \"ratio\": %.4f, \"peer_is\": \"%s\"}\n",
           name,
           unit,
           value,
           peer,
           value / peer,
           how);
    (void)fflush(stdout);
}

struct product {
    struct bench *b;
    struct gemm_shape g;
    const float *at[2];
    const uint16_t *half[2]; /* the same as bfloat16 */
    float *out;
    cudaDataType type;
    cublasComputeType_t how;
};

static void run_ours(void *arg)
{
    struct product *p = arg;
    p->b->d->op->gemm(p->b->d, &p->g, p->at[0], p->at[1], p->out);
}

static void run_half(void *arg)
{
    struct product *p = arg;
    p->b->d->op->gemm_bf16(p->b->d, &p->g, p->at[0], p->half[1], p->out);
}

/* Operands as cuBLAS wants them: bfloat16 is there already. */
static void run_bare(void *arg)
{
    struct product *p = arg;
    const float one = 1, zero = 0;
    bool half = p->type == CUDA_R_16BF;
    const struct gemm_shape *g = &p->g;
    int m = (int)g->m, n = (int)g->n, k = (int)g->k;
    bool left = g->form == GEMM_NT, right = g->form == GEMM_TN;
    must(cublasGemmEx(p->b->blas,
                      left ? CUBLAS_OP_T : CUBLAS_OP_N,
                      right ? CUBLAS_OP_T : CUBLAS_OP_N,
                      n,
                      m,
                      k,
                      &one,
                      half ? (const void *)p->half[1] : p->at[1],
                      p->type,
                      left ? k : n,
                      half ? (const void *)p->half[0] : p->at[0],
                      p->type,
                      right ? m : k,
                      &zero,
                      p->out,
                      CUDA_R_32F,
                      n,
                      p->how,
                      CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS,
         "cublasGemmEx");
}

static void
bench_product(struct bench *b, enum gemm_form form, size_t m, size_t n, size_t k)
{
    static const char *const forms[] = {"NN", "NT", "TN"};
    struct device *d = b->d;
    char name[128];
    struct product p = {.b = b, .g = {.form = form, .m = m, .n = n, .k = k}};
    uint16_t *half[2] = {device_array(b, m * k * 2, NULL),
                         device_array(b, k * n * 2, NULL)};
    float *at[2] = {random_array(b, m * k, 0), random_array(b, k * n, 1)};
    p.out = device_array(b, m * n * sizeof(float), NULL);
    for (unsigned i = 0; i < 2; i++) {
        d->op->to_bf16(d, i == 0 ? m * k : k * n, at[i], half[i]);
        p.at[i] = at[i];
        p.half[i] = half[i];
    }
    sync_ours(b);
    double flops = 2.0 * (double)m * (double)n * (double)k * 1e-12;
    for (size_t mode = 0; mode < MODES; mode++) {
        d->math = modes[mode].math;
        p.type = d->math == DEVICE_BF16 ? CUDA_R_16BF : CUDA_R_32F;
        p.how =
            d->math == DEVICE_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
        struct pair t = measure(b, run_ours, run_bare, &p);
        (void)snprintf(name,
                       sizeof(name),
                       "gemm %s %s %zu x %zu x %zu",
                       modes[mode].name,
                       forms[form],
                       m,
                       n,
                       k);
        print_line(name,
                   "TFLOP/s",
                   flops / median(t.ours),
                   flops / median(t.bare),
                   d->math == DEVICE_BF16 ? "cublasGemmEx, operands bfloat16 before"
                                          : "cublasGemmEx");
        if (d->math != DEVICE_BF16)
            continue;
        t = measure(b, run_half, run_bare, &p);
        (void)snprintf(
            name, sizeof(name), "gemm_bf16 %s %zu x %zu x %zu", forms[form], m, n, k);
        print_line(name,
                   "TFLOP/s",
                   flops / median(t.ours),
                   flops / median(t.bare),
                   "cublasGemmEx, operands bfloat16 before");
    }
    d->math = DEVICE_F32;
    for (unsigned i = 0; i < 2; i++) {
        d->op->release(d, half[i]);
        d->op->release(d, at[i]);
    }
    d->op->release(d, p.out);
}

/* A perceptron, its step and its inference. */
struct net {
    struct bench *b;
    struct mlp *m;
    struct mlp_work *w;
    size_t rows;
    float *x, *p;
    int32_t *labels, *classes;
    float *grad, *speed; /* the device's */
    float *room[3];      /* for the bare products */
    cublasComputeType_t how;
};

static void step_ours(void *arg)
{
    struct net *n = arg;
    const struct sgd o = {.lr = 0.01, .momentum = 0.9};
    (void)mlp_gradient(
        n->w, n->rows, n->x, n->labels, 1.0F / (float)n->rows, n->grad, NULL, NULL);
    mlp_sgd(n->w, &o, n->speed, n->grad);
}

static void infer_ours(void *arg)
{
    struct net *n = arg;
    must(mlp_predict(n->w, n->rows, n->x, n->p, n->classes, NULL) == 0, "mlp_predict");
}

static void bare(const struct net *n,
                 cublasOperation_t left,
                 cublasOperation_t right,
                 size_t m,
                 size_t cols,
                 size_t k)
{
    const float one = 1, zero = 0;
    must(cublasGemmEx(n->b->blas,
                      left,
                      right,
                      (int)cols,
                      (int)m,
                      (int)k,
                      &one,
                      n->room[0],
                      CUDA_R_32F,
                      (int)(left == CUBLAS_OP_N ? cols : k),
                      n->room[1],
                      CUDA_R_32F,
                      (int)(right == CUBLAS_OP_N ? k : m),
                      &zero,
                      n->room[2],
                      CUDA_R_32F,
                      (int)cols,
                      n->how,
                      CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS,
         "cublasGemmEx");
}

static void forward_bare(void *arg)
{
    const struct net *n = arg;
    for (unsigned l = 0; l < n->m->shape.n_layers; l++)
        bare(n,
             CUBLAS_OP_N,
             CUBLAS_OP_N,
             n->rows,
             n->m->layers[l].out,
             n->m->layers[l].in);
}

static void step_bare(void *arg)
{
    const struct net *n = arg;
    forward_bare(arg);
    for (unsigned l = n->m->shape.n_layers; l-- > 0;) {
        const struct mlp_layer *y = &n->m->layers[l];
        bare(n, CUBLAS_OP_N, CUBLAS_OP_T, y->in, y->out, n->rows);
        if (l > 0)
            bare(n, CUBLAS_OP_T, CUBLAS_OP_N, n->rows, y->in, y->out);
    }
}

static void make_net(
    struct bench *b, const int64_t *widths, size_t n_widths, size_t rows, struct net *ret)
{
    struct gm_error err = {0};
    struct mlp_shape shape;
    struct net n = {.b = b, .rows = rows};
    int rc = mlp_shape_make(widths, n_widths, ACT_RELU, &shape, &err);
    if (rc == 0)
        rc = mlp_make(&shape, &n.m, &err);
    if (rc == 0) {
        mlp_init(n.m, 1);
        rc = mlp_work_make(n.m, b->d, rows, &n.w, &err);
    }
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    size_t inputs = (size_t)widths[0], classes = (size_t)widths[n_widths - 1],
           most = rows;
    for (size_t i = 0; i < n_widths; i++)
        most = (size_t)widths[i] > most ? (size_t)widths[i] : most;
    n.x = xcalloc(rows * inputs, sizeof(*n.x));
    n.p = xcalloc(rows * classes, sizeof(*n.p));
    n.labels = xcalloc(rows, sizeof(*n.labels));
    n.classes = xcalloc(rows, sizeof(*n.classes));
    philox_uniform(1, 9, 0, 1, rows * inputs, n.x);
    for (size_t i = 0; i < rows; i++)
        n.labels[i] = (int32_t)(i % classes);
    n.grad = device_array(b, n.m->n_params * sizeof(float), NULL);
    n.speed = device_array(b, n.m->n_params * sizeof(float), NULL);
    for (unsigned i = 0; i < 3; i++)
        n.room[i] = random_array(b, most * most, i);
    *ret = n;
}

static void free_net(struct net *n)
{
    struct device *d = n->b->d;
    mlp_work_free(n->w);
    mlp_free(n->m);
    free(n->x);
    free(n->p);
    free(n->labels);
    free(n->classes);
    d->op->release(d, n->grad);
    d->op->release(d, n->speed);
    for (unsigned i = 0; i < 3; i++)
        d->op->release(d, n->room[i]);
}

static void bench_net(struct bench *b,
                      const char *what,
                      const int64_t *widths,
                      size_t n_widths,
                      size_t rows)
{
    struct net n;
    char name[128];
    make_net(b, widths, n_widths, rows, &n);
    for (size_t mode = 0; mode < 2; mode++) {
        b->d->math = modes[mode].math;
        n.how = mode == 1 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
        struct pair t = measure(b, step_ours, step_bare, &n);
        (void)snprintf(name,
                       sizeof(name),
                       "mlp.train %s %s, batch %zu",
                       what,
                       modes[mode].name,
                       rows);
        print_line(name,
                   "rows/s",
                   (double)rows / median(t.ours),
                   (double)rows / median(t.bare),
                   "its products alone, cublasGemmEx");
        t = measure(b, infer_ours, forward_bare, &n);
        (void)snprintf(name,
                       sizeof(name),
                       "mlp.infer %s %s, batch %zu",
                       what,
                       modes[mode].name,
                       rows);
        print_line(name,
                   "rows/s",
                   (double)rows / median(t.ours),
                   (double)rows / median(t.bare),
                   "its products alone, cublasGemmEx");
    }
    b->d->math = DEVICE_F32;
    free_net(&n);
}

int main(int argc, char **argv)
{
    struct gm_error err = {0};
    struct bench b = {0};
    const char *name = argc > 1 ? argv[1] : "cuda";
    if (device_open(name, &b.d, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 77;
    }
    if (b.d->host) {
        (void)fprintf(stderr, "bench_gpu: %s is no GPU\n", name);
        return 2;
    }
    must(cudaStreamCreateWithFlags(&b.stream, cudaStreamNonBlocking) == cudaSuccess &&
             cudaMalloc(&b.workspace, (size_t)32 << 20) == cudaSuccess &&
             cublasCreate(&b.blas) == CUBLAS_STATUS_SUCCESS &&
             cublasSetStream(b.blas, b.stream) == CUBLAS_STATUS_SUCCESS &&
             cublasSetWorkspace(b.blas, b.workspace, (size_t)32 << 20) ==
                 CUBLAS_STATUS_SUCCESS,
         "to begin with cuBLAS");
    printf("{\"suite\": \"gpu\", \"device\": \"%s\"}\n", b.d->text);
    bench_product(&b, GEMM_NN, 256, 256, 256);
    bench_product(&b, GEMM_NN, 1024, 1024, 1024);
    bench_product(&b, GEMM_NN, 4096, 4096, 4096);
    bench_product(&b, GEMM_NT, 4096, 4096, 4096);
    bench_product(&b, GEMM_TN, 4096, 4096, 4096);
    bench_product(&b, GEMM_NN, 8192, 8192, 8192);
    bench_product(&b, GEMM_NN, 256, 512, 784);
    bench_net(&b, "784-512-512-10", (const int64_t[]){784, 512, 512, 10}, 4, 256);
    bench_net(&b, "784-4096-4096-10", (const int64_t[]){784, 4096, 4096, 10}, 4, 4096);
    (void)cublasDestroy(b.blas);
    (void)cudaFree(b.workspace);
    (void)cudaStreamDestroy(b.stream);
    device_close(b.d);
    return 0;
}
