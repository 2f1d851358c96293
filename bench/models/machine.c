/* See models.h. */
#include "models.h"

#include "base/clock.h"
#include "base/memory.h"
#include "bench/kernels/lines.h"
#include "kernels/op/embedding.h"
#include "kernels/op/lanes.h"
#include "kernels/op/threads.h"
#include "turns.h"
#include <cblas.h>
#include <stdlib.h>

enum { COLUMNS = 256, BLOCK = 1 << 15 };

struct machine {
    size_t n, bytes;
    float *a, *b, *c;
    int32_t *row;
    volatile uint64_t sum; /* so that reads are not left out */
};

struct machine *machine_make(size_t sgemm_n, size_t bytes, unsigned threads)
{
    struct machine *m = xcalloc(1, sizeof(*m));
    size_t floats = sgemm_n * sgemm_n;
    if (bytes / sizeof(float) > floats)
        floats = bytes / sizeof(float);
    floats += COLUMNS;
    *m = (struct machine){.n = sgemm_n,
                          .bytes = bytes,
                          .a = numbers(floats, 0),
                          .b = numbers(floats, 1),
                          .c = numbers(floats, 2),
                          .row = xcalloc(floats / COLUMNS + 1, sizeof(int32_t))};
    for (size_t i = 0; i < floats / COLUMNS; i++)
        m->row[i] = (int32_t)i;
    threads_set(threads);
    openblas_set_num_threads((int)threads);
    return m;
}

void machine_free(struct machine *m)
{
    free(m->a);
    free(m->b);
    free(m->c);
    free(m->row);
    free(m);
}

double machine_sgemm(void *self)
{
    struct machine *m = self;
    int n = (int)m->n;
    double start = clock_monotonic(), size = (double)m->n;
    cblas_sgemm(CblasRowMajor,
                CblasNoTrans,
                CblasNoTrans,
                n,
                n,
                n,
                1.0F,
                m->a,
                n,
                m->b,
                n,
                0.0F,
                m->c,
                n);
    return 2e-9 * size * size * size / (clock_monotonic() - start);
}

/* In lanes of integers: a sum of floats would wait for each addition. */
LANES_CLONES static uint64_t read_block(const uint64_t *v, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum;
}

double machine_read(void *self)
{
    struct machine *m = self;
    const uint64_t *v = (const uint64_t *)(const void *)m->a;
    size_t n = m->bytes / sizeof(*v), blocks = (n + BLOCK - 1) / BLOCK;
    uint64_t sum = 0;
    double start = clock_monotonic();
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (size_t i = 0; i < blocks; i++) {
        size_t at = i * BLOCK, left = n - at;
        sum += read_block(v + at, left < BLOCK ? left : BLOCK);
    }
    m->sum = sum;
    return 1e-9 * (double)m->bytes / (clock_monotonic() - start);
}

double machine_add(struct machine *m, size_t bytes)
{
    size_t rows = bytes / (3 * COLUMNS * sizeof(float));
    rows = rows > 0 ? rows : 1;
    double done = 3 * (double)(rows * COLUMNS * sizeof(float));
    size_t calls = (size_t)(4e6 / done) + 1;
    double start = clock_monotonic();
    for (size_t i = 0; i < calls; i++)
        embedding_forward(rows, COLUMNS, m->row, m->a, rows, m->b, m->c);
    return 1e-9 * done * (double)calls / (clock_monotonic() - start);
}

/* sgemm N THREADS */
int bench_sgemm(unsigned argc, char **argv)
{
    if (argc != 2)
        return 2;
    struct machine *m = machine_make(number(argv[0]), 0, (unsigned)number(argv[1]));
    (void)machine_sgemm(m);
    int rc = turns_serve(machine_sgemm, m);
    machine_free(m);
    return rc;
}

/* read BYTES THREADS */
int bench_read(unsigned argc, char **argv)
{
    if (argc != 2)
        return 2;
    struct machine *m = machine_make(0, number(argv[0]), (unsigned)number(argv[1]));
    (void)machine_read(m);
    int rc = turns_serve(machine_read, m);
    machine_free(m);
    return rc;
}
