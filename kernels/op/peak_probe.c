/* The rates of several PUs together. Threads go through the same steps and wait for each
 * other before each, so what is measured at once is done at once. A step is measured in
 * windows, and the best window counts: others may be at work on the machine. */
#include "base/memory.h"
#include "peak.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ONE     0.012 /* s of a step of one PU, ... */
#define ALL     0.016 /* of all */
#define WINDOWS 3
#define READING 0.008       /* s of a window */
#define LEAST   (8u << 20)  /* bytes that a PU reads */
#define MOST    (64u << 20) /* the same: touching them first takes some 20 ms */

enum step { F32_ONE, F32_ALL, F64_ONE, F64_ALL, READ_ONE, READ_ALL };

struct probing {
    unsigned n;
    size_t bytes;         /* of a PU's buffer */
    pthread_mutex_t gate; /* closed until all threads are there */
    bool given_up;        /* read behind the gate */
    pthread_barrier_t together;
    atomic_bool failed;
    struct prober *all;
};

struct prober {
    struct probing *of;
    pthread_t thread;
    int cpu;
    unsigned index;
    unsigned char *buf;       /* NULL: no memory */
    double flops[4];          /* by enum step */
    double read[WINDOWS + 1]; /* byte/s: alone, then of each window */
    uint64_t sink;
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twice the last cache, shared out, so that it does not hold what is read; but no more
 * than a job can spare. */
static size_t buffer_bytes(unsigned n)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    size_t each = cache > 0 ? 2 * (size_t)cache / n : MOST / 2;
    each = each < LEAST ? LEAST : each > MOST ? MOST : each;
    return each & ~(size_t)4095;
}

static void make_buffer(struct prober *p)
{
    size_t n = p->of->bytes;
    void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    (void)madvise(at, n, MADV_HUGEPAGE);
    memset(at, 1, n); /* by who reads it: the pages are near */
    p->buf = at;
}

/* The sum of all words, in vectors that the compiler makes. */
static uint64_t read_once(const unsigned char *buf, size_t n)
{
    typedef uint64_t vec __attribute__((vector_size(64)));
    vec sum[4] = {{0}};
    for (size_t i = 0; i < n; i += 4 * sizeof(vec)) {
        const vec *at = (const vec *)(const void *)(buf + i);
        for (unsigned k = 0; k < 4; k++)
            sum[k] += at[k];
    }
    sum[0] += sum[1] + sum[2] + sum[3];
    return sum[0][0] + sum[0][7];
}

/* byte/s over about so long: a piece of a megabyte between two looks at the clock. */
static double read_rate(struct prober *p, double seconds)
{
    static const size_t piece = 1u << 20;
    double begin = now(), end = begin;
    size_t at = 0, done = 0;
    for (; p->buf != NULL && end - begin < seconds; end = now()) {
        p->sink += read_once(p->buf + at, piece);
        done += piece;
        at = at + 2 * piece <= p->of->bytes ? at + piece : 0;
    }
    return end > begin ? (double)done / (end - begin) : 0;
}

static void wait_all(struct probing *p)
{
    (void)pthread_barrier_wait(&p->together);
}

/* False: not all threads could be started. */
static bool pass_gate(struct probing *p)
{
    (void)pthread_mutex_lock(&p->gate);
    bool pass = !p->given_up;
    (void)pthread_mutex_unlock(&p->gate);
    return pass;
}

static void bind_self(struct prober *p)
{
    cpu_set_t *set = CPU_ALLOC((size_t)p->cpu + 1);
    size_t size = CPU_ALLOC_SIZE((size_t)p->cpu + 1);
    CPU_ZERO_S(size, set);
    CPU_SET_S((size_t)p->cpu, size, set);
    if (sched_setaffinity(0, size, set) != 0)
        atomic_store(&p->of->failed, true);
    CPU_FREE(set);
}

static void *probe_main(void *arg)
{
    struct prober *p = arg;
    struct probing *of = p->of;
    if (!pass_gate(of))
        return NULL;
    bind_self(p);
    make_buffer(p);
    for (unsigned step = F32_ONE; step <= F64_ALL; step++) {
        bool alone = step == F32_ONE || step == F64_ONE;
        wait_all(of);
        if (!alone || p->index == 0)
            p->flops[step] = peak_chain(step < F64_ONE ? 4 : 8, alone ? ONE : ALL);
    }
    wait_all(of);
    for (unsigned w = 0; p->index == 0 && w < WINDOWS; w++) {
        double rate = read_rate(p, READING);
        p->read[0] = rate > p->read[0] ? rate : p->read[0];
    }
    for (unsigned w = 1; w <= WINDOWS; w++) {
        wait_all(of);
        p->read[w] = read_rate(p, READING);
    }
    if (p->buf != NULL)
        (void)munmap(p->buf, of->bytes);
    return NULL;
}

/* All at once are the sum of each; one cannot do more than all. */
static void add_up(const struct probing *p, struct peak_rates *ret)
{
    *ret = (struct peak_rates){.f32_one = p->all[0].flops[F32_ONE],
                               .f64_one = p->all[0].flops[F64_ONE],
                               .read_one = p->all[0].read[0]};
    for (unsigned i = 0; i < p->n; i++) {
        ret->f32 += p->all[i].flops[F32_ALL];
        ret->f64 += p->all[i].flops[F64_ALL];
    }
    for (unsigned w = 1; w <= WINDOWS; w++) {
        double all = 0;
        for (unsigned i = 0; i < p->n; i++)
            all += p->all[i].read[w];
        ret->read = all > ret->read ? all : ret->read;
    }
    ret->f32 = ret->f32_one > ret->f32 ? ret->f32_one : ret->f32;
    ret->f64 = ret->f64_one > ret->f64 ? ret->f64_one : ret->f64;
    ret->read = ret->read_one > ret->read ? ret->read_one : ret->read;
}

/* All threads or none. */
static int run_threads(struct probing *p, const int *cpus, struct gm_error *err)
{
    pthread_attr_t attr;
    int rc = 0;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, 256u << 10);
    unsigned started = 0;
    (void)pthread_mutex_lock(&p->gate);
    for (; rc == 0 && started < p->n; started += rc == 0) {
        p->all[started] =
            (struct prober){.of = p, .cpu = cpus[started], .index = started};
        rc = pthread_create(&p->all[started].thread, &attr, probe_main, &p->all[started]);
    }
    (void)pthread_attr_destroy(&attr);
    p->given_up = rc != 0;
    (void)pthread_mutex_unlock(&p->gate);
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(p->all[i].thread, NULL);
    return rc == 0 ? 0 : gm_fail(err, -EAGAIN, "peak probe: %s", strerror(rc));
}

int peak_probe(const int *cpus, unsigned n, struct peak_rates *ret, struct gm_error *err)
{
    struct probing p = {.n = n, .bytes = n > 0 ? buffer_bytes(n) : 0};
    if (n == 0)
        return gm_fail(err, -EINVAL, "peak probe: no CPU");
    p.all = xcalloc(n, sizeof(*p.all));
    (void)pthread_mutex_init(&p.gate, NULL);
    (void)pthread_barrier_init(&p.together, NULL, n);
    int rc = run_threads(&p, cpus, err);
    if (rc == 0 && atomic_load(&p.failed))
        rc = gm_fail(err, -EAGAIN, "peak probe: a CPU of the job is not to be had");
    if (rc == 0)
        add_up(&p, ret);
    (void)pthread_barrier_destroy(&p.together);
    (void)pthread_mutex_destroy(&p.gate);
    free(p.all);
    return rc;
}
