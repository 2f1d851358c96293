/* Where the time of a GPT's step goes: each operator's calls, measured inside the step,
 * beside the least that they could take here. The least is flops at the rate of the bare
 * cblas_sgemm where products make an operator's time, else its bytes at the rate of
 * x = a + b over as many. */
#include "models.h"

#include "base/clock.h"
#include "base/memory.h"
#include "bench/kernels/lines.h"
#include "kernels/op/threads.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 12, OPERATORS = 128, SGEMM = 1024 };
#define SMALLEST ((size_t)1 << 15) /* bytes; each size is twice the one before */
#define QUIET    0.06              /* s until OpenBLAS's threads no longer spin */

struct row {
    struct timed_operator of;
    double calls; /* a step */
    struct samples ms;
};

struct profile {
    char name[48];
    struct samples step, between, sgemm, add[SIZES];
    struct row rows[OPERATORS];
    size_t n;
};

static size_t size_class(double bytes)
{
    size_t class = 0;
    while (class + 1 < SIZES && (double)(SMALLEST << class) < bytes)
        class ++;
    return class;
}

static void put(struct samples *s, double v)
{
    if (s->n < TURNS_MAX)
        s->v[s->n++] = v;
}

static void take(struct profile *p, struct timed *t, double step)
{
    size_t n;
    const struct timed_operator *found = timed_take(t, &n);
    double inside = 0;
    for (size_t i = 0; i < n && i < OPERATORS; i++) {
        p->rows[i].of = found[i];
        p->rows[i].calls = (double)found[i].calls;
        put(&p->rows[i].ms, found[i].seconds * 1e3);
        inside += found[i].seconds;
    }
    p->n = n;
    put(&p->step, step * 1e3);
    put(&p->between, (step - inside) * 1e3);
}

static int measure(struct profile *p,
                   struct gpt *g,
                   struct timed *t,
                   struct machine *m,
                   unsigned turns,
                   struct gm_error *err)
{
    for (unsigned turn = 0; turn <= turns; turn++) { /* the first warms up */
        clock_sleep(QUIET);
        size_t n;
        (void)timed_take(t, &n);
        double start = clock_monotonic();
        int rc = gpt_step(g, err);
        if (rc != 0)
            return rc;
        double took = clock_monotonic() - start;
        if (turn > 0)
            take(p, t, took);
        for (size_t i = 0; i < SIZES; i++)
            put(&p->add[i], machine_add(m, SMALLEST << i));
        put(&p->sgemm, machine_sgemm(m));
    }
    return 0;
}

/* Milliseconds of the least that a row could take, and what it is. */
static double floor_of(const struct profile *p, const struct row *r, const char **ret_how)
{
    double add = quantile(&p->add[size_class(r->of.bytes)], 0.5);
    double bytes = r->of.bytes * 1e-6 / add, flops = 0;
    if (r->of.flops > 0)
        flops = r->of.flops * 1e-6 / quantile(&p->sgemm, 0.5);
    *ret_how = r->of.flops > 0 ? "flops at cblas_sgemm's rate" : "bytes at x = a + b's";
    return r->calls * (r->of.flops > 0 ? flops : bytes);
}

static int by_time(const void *a, const void *b)
{
    double x = quantile(&((const struct row *)a)->ms, 0.5),
           y = quantile(&((const struct row *)b)->ms, 0.5);
    return x < y ? 1 : -(x > y);
}

static void tell(struct profile *p)
{
    double step = quantile(&p->step, 0.5), all = 0;
    char name[160], text[96];
    qsort(p->rows, p->n, sizeof(p->rows[0]), by_time);
    for (size_t i = 0; i < p->n; i++) {
        const struct row *r = &p->rows[i];
        const char *how;
        if (r->calls == 0) /* at the start alone */
            continue;
        double least = floor_of(p, r, &how), share = quantile(&r->ms, 0.5) / step;
        all += least;
        (void)snprintf(
            name, sizeof(name), "%s: %.0f x %s", p->name, r->calls, r->of.name);
        (void)snprintf(text, sizeof(text), "%s; %.1f %% of the step", how, 100 * share);
        line(name, "ms", &r->ms, least, text, 0);
    }
    (void)snprintf(name, sizeof(name), "%s: between operators", p->name);
    line(name, "ms", &p->between, 0, "the step less its operators", step);
    (void)snprintf(name, sizeof(name), "%s: all", p->name);
    line(name, "ms", &p->step, all, "all operators at their floors", 0);
}

/* profile BATCH TOKENS MICRO THREADS TURNS */
int bench_profile(unsigned argc, char **argv)
{
    if (argc != 5)
        return 2;
    size_t batch = number(argv[0]), tokens = number(argv[1]), micro = number(argv[2]);
    unsigned threads = (unsigned)number(argv[3]), turns = (unsigned)number(argv[4]);
    lines_suite = "models";
    threads_set(threads);
    AUTO(device) device = NULL;
    struct gm_error err = {0};
    struct gpt *g = NULL;
    int rc = device_open("cpu", &device, &err);
    struct timed *t = rc == 0 ? timed_make(device) : NULL;
    if (rc == 0)
        rc = gpt_make(timed_device(t), batch, tokens, micro, &g, &err);
    if (rc == 0) {
        struct profile *p = xcalloc(1, sizeof(*p));
        struct machine *m = machine_make(SGEMM, SMALLEST << (SIZES - 1), threads);
        (void)snprintf(p->name,
                       sizeof(p->name),
                       "gpt B%zu T%zu, %u thread%s",
                       batch,
                       tokens,
                       threads,
                       threads == 1 ? "" : "s");
        rc = measure(p, g, t, m, turns, &err);
        if (rc == 0)
            tell(p);
        machine_free(m);
        free(p);
    }
    gpt_free(g);
    device_close(t == NULL ? NULL : timed_device(t));
    if (rc != 0)
        (void)fprintf(stderr, "bench_models: %s\n", err.text);
    return rc == 0 ? 0 : 1;
}
