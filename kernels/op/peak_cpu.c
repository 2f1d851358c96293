/* FMA peak by measurement: independent chains of multiply-adds in registers, nothing
 * else. Twelve chains cover two pipes of five cycles and fit sixteen registers. This file
 * alone is compiled with -ffp-contract=fast: the product and the sum below must fuse. */
#include "peak.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAINS 12
#define ROUNDS 20000 /* of CHAINS multiply-adds: some 0.05 ms */
#define BUDGET 0.002 /* s of a trial: short, so that one is likely left undisturbed */
#define TRIALS 16

/* Defines a function that does ROUNDS * CHAINS multiply-adds on vectors of `bytes`. What
 * it returns keeps the compiler from leaving the work out. */
#define CHAIN_FUNCTION(name, number, bytes, attributes)                                  \
    attributes __attribute__((noinline)) static double name(double x)                    \
    {                                                                                    \
        typedef number vec __attribute__((vector_size(bytes)));                          \
        vec acc[CHAINS], a = (vec){0} + (number)x, b = (vec){0} + (number)(1 - x);       \
        _Pragma("GCC unroll 12") for (unsigned c = 0; c < CHAINS; c++)                   \
        {                                                                                \
            acc[c] = b * (number)c;                                                      \
        }                                                                                \
        for (unsigned r = 0; r < ROUNDS; r++) {                                          \
            _Pragma("GCC unroll 12") for (unsigned c = 0; c < CHAINS; c++)               \
            {                                                                            \
                acc[c] = acc[c] * a + b;                                                 \
            }                                                                            \
        }                                                                                \
        _Pragma("GCC unroll 12") for (unsigned c = 1; c < CHAINS; c++)                   \
        {                                                                                \
            acc[0] += acc[c];                                                            \
        }                                                                                \
        return (double)acc[0][0];                                                        \
    }

CHAIN_FUNCTION(chain_f32, float, 16, )
CHAIN_FUNCTION(chain_f64, double, 16, )
#if defined(__x86_64__)
CHAIN_FUNCTION(chain_f32_fma, float, 32, __attribute__((target("avx2,fma"))))
CHAIN_FUNCTION(chain_f64_fma, double, 32, __attribute__((target("avx2,fma"))))
CHAIN_FUNCTION(chain_f32_512, float, 64, __attribute__((target("avx512f"))))
CHAIN_FUNCTION(chain_f64_512, double, 64, __attribute__((target("avx512f"))))
#endif

struct chain {
    double (*run)(double x);
    double flops; /* of one call */
};

static struct chain chain_for(size_t element)
{
    size_t bytes = 16;
    struct chain best = {.run = element == 4 ? chain_f32 : chain_f64};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        best.run = element == 4 ? chain_f32_512 : chain_f64_512;
        bytes = 64;
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        best.run = element == 4 ? chain_f32_fma : chain_f64_fma;
        bytes = 32;
    }
#endif
    size_t lanes = bytes / element;
    best.flops = 2.0 * CHAINS * ROUNDS * (double)lanes;
    return best;
}

struct probe {
    pthread_t thread;
    struct chain chain;
    double rate, sink;
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *probe_main(void *arg)
{
    struct probe *p = arg;
    for (unsigned trial = 0; trial < TRIALS; trial++) {
        double begin = now(), end = begin;
        unsigned calls = 0;
        for (; end - begin < BUDGET; calls++, end = now())
            p->sink += p->chain.run(0.999);
        double rate = p->chain.flops * calls / (end - begin);
        p->rate = rate > p->rate ? rate : p->rate;
    }
    return NULL;
}

double peak_chain(size_t element, double seconds)
{
    struct chain chain = chain_for(element);
    double best = 0, sink = 0, start = now();
    do {
        double begin = now(), end = begin;
        unsigned calls = 0;
        for (; end - begin < BUDGET; calls++, end = now())
            sink += chain.run(0.999);
        double rate = chain.flops * calls / (end - begin);
        best = rate > best ? rate : best;
    } while (now() - start < seconds);
    return sink > -1 ? best : 0; /* it always is; the compiler does not know */
}

const char *peak_isa(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return "avx512f";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "avx2+fma";
#endif
    return "128 bit";
}

/* All cores at once (a core alone may clock higher): the sum of what each reaches. */
static int
peak(unsigned n_threads, size_t element, double *ret_gflops, struct gm_error *err)
{
    unsigned n = n_threads == 0 ? 1 : n_threads, started = 1;
    struct probe *probes = calloc(n, sizeof(*probes));
    if (probes == NULL)
        return gm_fail(err, -ENOMEM, "peak probe: out of memory");
    for (unsigned i = 0; i < n; i++)
        probes[i].chain = chain_for(element);
    int rc = 0;
    for (; started < n; started++) {
        rc = pthread_create(&probes[started].thread, NULL, probe_main, &probes[started]);
        if (rc != 0)
            break;
    }
    if (rc == 0)
        (void)probe_main(&probes[0]);
    double sum = probes[0].rate;
    for (unsigned i = 1; i < started; i++) {
        (void)pthread_join(probes[i].thread, NULL);
        sum += probes[i].rate;
    }
    free(probes);
    if (rc != 0)
        return gm_fail(err,
                       -EAGAIN,
                       "peak probe: thread %u of %u: %s",
                       started + 1,
                       n,
                       strerror(rc));
    *ret_gflops = sum * 1e-9;
    return 0;
}

int peak_f32(unsigned n_threads, double *ret_gflops, struct gm_error *err)
{
    return peak(n_threads, sizeof(float), ret_gflops, err);
}

int peak_f64(unsigned n_threads, double *ret_gflops, struct gm_error *err)
{
    return peak(n_threads, sizeof(double), ret_gflops, err);
}
