/* gridmill_cuda.so: the entry, memory, and the end of the queue. Every way in says why it
 * is closed: no driver, an old one, no GPU, one that this object has no code for. */
#include "cuda.h"

#include <stdlib.h>
#include <string.h>

/* cuBLAS wants 32 MiB on the newest GPUs, 4 MiB on others; a workspace of ours makes its
 * choice, and so its bits, independent of what ran before. */
#define WORKSPACE ((size_t)32 << 20)

bool cuda_good(struct cuda *c, cudaError_t e, const char *what)
{
    if (e != cudaSuccess && c->code == 0) {
        c->code = e == cudaErrorMemoryAllocation ? -ENOMEM : -EIO;
        (void)snprintf(c->text,
                       sizeof(c->text),
                       "cuda: %s: %s (%s)",
                       what,
                       cudaGetErrorString(e),
                       cudaGetErrorName(e));
    }
    return e == cudaSuccess;
}

bool cuda_blas_good(struct cuda *c, cublasStatus_t s, const char *what)
{
    if (s != CUBLAS_STATUS_SUCCESS && c->code == 0) {
        c->code = s == CUBLAS_STATUS_ALLOC_FAILED ? -ENOMEM : -EIO;
        (void)snprintf(
            c->text, sizeof(c->text), "cuda: %s: %s", what, cublasGetStatusString(s));
    }
    return s == CUBLAS_STATUS_SUCCESS;
}

void cuda_refuse(struct cuda *c, int code, const char *sentence)
{
    if (c->code == 0) {
        c->code = code;
        (void)snprintf(c->text, sizeof(c->text), "cuda: %s", sentence);
    }
}

void *cuda_room(struct cuda *c, enum cuda_room which, size_t nbytes)
{
    if (c->room[which].nbytes >= nbytes && c->room[which].at != NULL)
        return c->room[which].at;
    (void)cuda_good(c, cudaStreamSynchronize(c->stream), "an operator before");
    (void)cudaFree(c->room[which].at);
    c->room[which].at = NULL;
    c->room[which].nbytes = 0;
    void *at = NULL;
    if (!cuda_good(c, cudaMalloc(&at, nbytes > 0 ? nbytes : 1), "room for an operator")) {
        (void)cudaGetLastError(); /* told once, here */
        return NULL;
    }
    c->room[which].at = at;
    c->room[which].nbytes = nbytes;
    return at;
}

static int cuda_alloc(struct device *d, size_t nbytes, void **ret, struct gm_error *err)
{
    struct cuda *c = cuda_begin(d);
    void *at = NULL;
    cudaError_t e = cudaMalloc(&at, nbytes > 0 ? nbytes : 1);
    if (e != cudaSuccess) {
        size_t available = 0, total = 0;
        (void)cudaGetLastError();
        (void)cudaMemGetInfo(&available, &total);
        return gm_fail(err,
                       e == cudaErrorMemoryAllocation ? -ENOMEM : -EIO,
                       "cuda: no memory for %zu bytes, %zu of %zu are free: %s",
                       nbytes,
                       available,
                       total,
                       cudaGetErrorString(e));
    }
    (void)cuda_good(c, cudaMemsetAsync(at, 0, nbytes, c->stream), "zeros");
    *ret = at;
    return 0;
}

static void cuda_release(struct device *d, void *at)
{
    struct cuda *c = cuda_begin(d);
    (void)cuda_good(c, cudaFree(at), "release"); /* waits for all before it */
}

static void
move(struct device *d, void *to, const void *from, size_t nbytes, enum cudaMemcpyKind way)
{
    struct cuda *c = cuda_begin(d);
    if (nbytes > 0)
        (void)cuda_good(c, cudaMemcpyAsync(to, from, nbytes, way, c->stream), "a copy");
}

static void cuda_put(struct device *d, void *to, const void *from_host, size_t nbytes)
{
    move(d, to, from_host, nbytes, cudaMemcpyHostToDevice);
}

static void cuda_get(struct device *d, void *to_host, const void *from, size_t nbytes)
{
    struct cuda *c = cuda_of(d);
    move(d, to_host, from, nbytes, cudaMemcpyDeviceToHost);
    (void)cuda_good(c, cudaStreamSynchronize(c->stream), "an operator");
}

static void cuda_copy(struct device *d, void *to, const void *from, size_t nbytes)
{
    move(d, to, from, nbytes, cudaMemcpyDeviceToDevice);
}

static void cuda_zero(struct device *d, void *at, size_t nbytes)
{
    struct cuda *c = cuda_begin(d);
    if (nbytes > 0)
        (void)cuda_good(c, cudaMemsetAsync(at, 0, nbytes, c->stream), "zeros");
}

static int cuda_sync(struct device *d, struct gm_error *err)
{
    struct cuda *c = cuda_begin(d);
    (void)cuda_good(c, cudaStreamSynchronize(c->stream), "an operator");
    int code = c->code;
    c->code = 0;
    return code == 0 ? 0 : gm_fail(err, code, "%s", c->text);
}

static void cuda_close(struct device *d)
{
    struct cuda *c = cuda_of(d);
    (void)cudaSetDevice(c->number);
    if (c->blas != NULL)
        (void)cublasDestroy(c->blas);
    if (c->stream != NULL)
        (void)cudaStreamDestroy(c->stream);
    for (int i = 0; i < CUDA_ROOMS; i++)
        (void)cudaFree(c->room[i].at);
    (void)cudaFree(c->workspace);
    free(c);
    free(d);
}

/* GPUs that this process sees. */
static int count(int *ret, struct gm_error *err)
{
    int driver = 0;
    (void)cudaDriverGetVersion(&driver);
    if (driver == 0)
        return gm_fail(err,
                       -ENODEV,
                       "cuda: this machine has no NVIDIA driver (libcuda.so.1 cannot be "
                       "opened)");
    cudaError_t e = cudaGetDeviceCount(ret);
    if (e == cudaErrorInsufficientDriver)
        return gm_fail(err,
                       -ENODEV,
                       "cuda: the driver supports CUDA %d.%d, and gridmill_cuda.so is "
                       "built with %d.%d: a newer driver, or a build with an older "
                       "toolkit, is needed",
                       driver / 1000,
                       driver % 1000 / 10,
                       CUDART_VERSION / 1000,
                       CUDART_VERSION % 1000 / 10);
    if (e == cudaErrorNoDevice || (e == cudaSuccess && *ret == 0)) {
        const char *visible = getenv("CUDA_VISIBLE_DEVICES");
        return gm_fail(err,
                       -ENODEV,
                       "cuda: the driver shows no GPU%s%s",
                       visible == NULL ? "" : " with CUDA_VISIBLE_DEVICES=",
                       visible == NULL ? "" : visible);
    }
    if (e != cudaSuccess)
        return gm_fail(
            err, -ENODEV, "cuda: %s (%s)", cudaGetErrorString(e), cudaGetErrorName(e));
    return 0;
}

/* "3", or "0000:3b:00.0". */
static int find(const char *which, int *ret, struct gm_error *err)
{
    int n = 0, found = 0;
    int rc = count(&n, err);
    if (rc != 0)
        return rc;
    if (strchr(which, ':') != NULL) {
        if (cudaDeviceGetByPCIBusId(&found, which) != cudaSuccess) {
            (void)cudaGetLastError();
            return gm_fail(err,
                           -ENODEV,
                           "cuda: this process sees no GPU at %s, but %d elsewhere",
                           which,
                           n);
        }
    } else {
        found = (int)strtol(which, NULL, 10); /* device.c looked at it */
    }
    if (found >= n)
        return gm_fail(err,
                       -ENODEV,
                       "cuda: there is no GPU %d: this process sees %d, from 0 on",
                       found,
                       n);
    *ret = found;
    return 0;
}

static int look(const char *which, int *ret, char ret_text[128], struct gm_error *err)
{
    int driver = 0, blas[3] = {0, 0, 0};
    int rc = find(which, ret, err);
    if (rc != 0)
        return rc;
    cudaDeviceProp p;
    cudaError_t e = cudaGetDeviceProperties(&p, *ret);
    if (e != cudaSuccess)
        return gm_fail(err, -ENODEV, "cuda: GPU %s: %s", which, cudaGetErrorString(e));
    (void)cudaDriverGetVersion(&driver);
    (void)cublasGetProperty(MAJOR_VERSION, &blas[0]);
    (void)cublasGetProperty(MINOR_VERSION, &blas[1]);
    (void)cublasGetProperty(PATCH_LEVEL, &blas[2]);
    (void)snprintf(ret_text,
                   128,
                   "%.64s, driver for CUDA %d.%d, cuBLAS %d.%d.%d",
                   p.name,
                   driver / 1000,
                   driver % 1000 / 10,
                   blas[0],
                   blas[1],
                   blas[2]);
    return 0;
}

static __global__ void cuda_first_kernel(int *x)
{
    *x = 1;
}

/* The context, code for this GPU, and what all operators share. */
static bool start(struct cuda *c)
{
    int major = 0;
    cudaFuncAttributes code;
    bool good = cuda_good(c, cudaSetDevice(c->number), "cudaSetDevice") &&
                cuda_good(c,
                          cudaFuncGetAttributes(&code, (const void *)cuda_first_kernel),
                          "gridmill_cuda.so was built without code for this GPU");
    good = good &&
           cuda_good(c,
                     cudaDeviceGetAttribute(
                         &c->n_processors, cudaDevAttrMultiProcessorCount, c->number),
                     "cudaDeviceGetAttribute") &&
           cuda_good(c,
                     cudaDeviceGetAttribute(
                         &major, cudaDevAttrComputeCapabilityMajor, c->number),
                     "cudaDeviceGetAttribute");
    c->has_bf16 = major >= 8;
    good = good &&
           cuda_good(c,
                     cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking),
                     "cudaStreamCreate") &&
           cuda_good(c, cudaMalloc(&c->workspace, WORKSPACE), "cuBLAS's workspace") &&
           cuda_blas_good(c, cublasCreate(&c->blas), "cublasCreate") &&
           cuda_blas_good(c, cublasSetStream(c->blas, c->stream), "cublasSetStream") &&
           cuda_blas_good(c,
                          cublasSetWorkspace(c->blas, c->workspace, WORKSPACE),
                          "cublasSetWorkspace") &&
           cuda_blas_good(c,
                          cublasSetAtomicsMode(c->blas, CUBLAS_ATOMICS_NOT_ALLOWED),
                          "cublasSetAtomicsMode");
    return good;
}

/* The transformer's operators are not offered. Set by name: C++ has no other way to leave
 * gaps. */
static struct device_table make_table(void)
{
    struct device_table t = {};
    t.abi = DEVICE_ABI;
    t.size = sizeof(t);
    t.name = "cuda";
    t.alloc = cuda_alloc;
    t.release = cuda_release;
    t.put = cuda_put;
    t.get = cuda_get;
    t.copy = cuda_copy;
    t.zero = cuda_zero;
    t.sync = cuda_sync;
    t.close = cuda_close;
    t.gemm = cuda_gemm;
    t.gemm_bf16 = cuda_gemm_bf16;
    t.gemm_batch = cuda_gemm_batch;
    t.to_bf16 = cuda_to_bf16;
    t.bias_act_forward = cuda_bias_act_forward;
    t.bias_act_backward = cuda_bias_act_backward;
    t.xent_train = cuda_xent_train;
    t.xent_infer = cuda_xent_infer;
    t.sgd = cuda_sgd;
    t.adamw = cuda_adamw;
    return t;
}

static const struct device_table table = make_table();

static int probe(const char *which, char ret_text[128], struct gm_error *err)
{
    int number = 0;
    return look(which, &number, ret_text, err);
}

static int open_(const char *which, struct device **ret, struct gm_error *err)
{
    struct device *d = (struct device *)calloc(1, sizeof(*d));
    struct cuda *c = (struct cuda *)calloc(1, sizeof(*c));
    if (d == NULL || c == NULL) {
        free(d);
        free(c);
        return gm_fail(err, -ENOMEM, "out of memory");
    }
    d->op = &table;
    d->inside = c;
    int rc = look(which, &c->number, d->text, err);
    if (rc == 0 && !start(c))
        rc = gm_fail(err, c->code == -ENOMEM ? -ENOMEM : -ENODEV, "%s", c->text);
    if (rc == 0)
        *ret = d;
    else
        cuda_close(d);
    return rc;
}

extern "C" __attribute__((visibility("default")))
const struct device_entry gridmill_device = {DEVICE_ABI,
                                             sizeof(struct device_entry),
                                             sizeof(struct device),
                                             sizeof(struct device_table),
                                             sizeof(struct gm_error),
                                             0,
                                             "cuda",
                                             probe,
                                             open_};
