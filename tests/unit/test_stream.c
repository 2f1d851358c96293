/* The loops of STREAM and the kernels that measure bandwidth and messages: what they
 * compute, since how fast is the machine's affair. */
#include "kernels/op/stream.h"
#include "kernels/op/threads.h"
#include "plugins/kernel/table.h"
#include "plugins/rehearse/rehearse.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const size_t lengths[] = {0, 1, 7, 2047, 2048, 2049, 65537};

Test(stream, gives_the_bits_of_plain_loops_for_any_threads)
{
    for (unsigned k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
        size_t n = lengths[k];
        double *all = calloc(6 * n + 1, sizeof(double));
        double *a = all, *b = all + n, *c = b + n, *x = c + n, *y = x + n, *z = y + n;
        for (size_t i = 0; i < n; i++) {
            x[i] = (double)(1 + i % 8);
            y[i] = 2;
        }
        threads_set(1 + k % 3);
        stream_fill(n, a, b, c);
        for (unsigned round = 0; round < 5; round++) {
            for (enum stream_op op = 0; op < STREAM_OPS; op++)
                stream_run(op, n, a, b, c);
            for (size_t i = 0; i < n; i++) {
                z[i] = x[i];
                y[i] = STREAM_S * z[i];
                z[i] = x[i] + y[i];
                x[i] = y[i] + STREAM_S * z[i];
            }
            cr_expect_eq(memcmp(a, x, 3 * n * sizeof(double)), 0, "%zu elements", n);
            cr_expect_eq(stream_count_wrong(n, round + 1, a, b, c), 0);
            cr_expect_eq(stream_count_wrong(n, round, a, b, c), n, "one round less");
        }
        free(all);
    }
}

Test(stream, one_bit_of_one_element_is_seen)
{
    enum { N = 5000 };
    static double a[N], b[N], c[N];
    stream_fill(N, a, b, c);
    for (enum stream_op op = 0; op < STREAM_OPS; op++)
        stream_run(op, N, a, b, c);
    ((unsigned char *)&b[4321])[0] ^= 1;
    cr_expect_eq(stream_count_wrong(N, 1, a, b, c), 1);
}

static const struct gm_kernel *find(const char *name)
{
    unsigned n;
    const struct gm_kernel *const *all = plugin_kernels(&n);
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    }
    cr_assert(false, "no kernel %s", name);
    return NULL;
}

static double
number(const struct gm_kernel *k, const struct rehearse_output *outputs, const char *name)
{
    const struct rehearse_output *o = rehearse_find(k, outputs, name);
    double v;
    cr_assert(o != NULL && o->nbytes == sizeof(v), "%s", name);
    memcpy(&v, o->data, sizeof(v));
    return v;
}

Test(stream, a_group_tells_of_all_its_ranks)
{
    const struct gm_kernel *k = find("stream");
    static const struct rehearse_arg args[] = {{"mib", "2"}, {"repeat", "3"}, {0}};
    for (unsigned n = 1; n <= 3; n++) {
        struct rehearse_output *outputs = NULL;
        struct gm_error err = {0};
        struct rehearse_task task = {
            .kernel = k, .args = args, .n_ranks = n, .n_threads = 2};
        cr_assert_eq(rehearse_run(&task, &outputs, &err), 0, "%s", err.text);
        cr_expect_gt(number(k, outputs, "copy"), 0);
        cr_expect_geq(number(k, outputs, "triad"), number(k, outputs, "triad_median"));
        rehearse_free(k, outputs);
    }
}

Test(latency, every_pair_has_its_turn)
{
    const struct gm_kernel *k = find("latency");
    static const struct rehearse_arg args[] = {
        {"sizes", "[8, 4096, 131072]"}, {"repeat", "8"}, {0}};
    for (unsigned n = 2; n <= 5; n++) {
        struct rehearse_output *outputs = NULL;
        struct gm_error err = {0};
        struct rehearse_task task = {.kernel = k, .args = args, .n_ranks = n};
        cr_assert_eq(rehearse_run(&task, &outputs, &err), 0, "%s", err.text);
        const struct rehearse_output *half = rehearse_find(k, outputs, "half_trip");
        cr_assert_eq(half->nbytes, 3UL * n * n * sizeof(double));
        const double *t = half->data;
        for (unsigned i = 0; i < 3 * n * n; i++)
            cr_expect_eq(t[i] > 0, i / n % n != i % n, "rank %u, %u", i / n % n, i % n);
        cr_expect_gt(number(k, outputs, "latency"), 0);
        rehearse_free(k, outputs);
    }
}

Test(latency, what_cannot_be_measured_is_said)
{
    const struct gm_kernel *k = find("latency");
    static const struct {
        const char *sizes;
        unsigned n_ranks;
        const char *says;
    } rows[] = {{"[8]", 1, "a message needs two ranks: give the stage group: 2 or all"},
                {"[8, 20]", 2, "sizes: 20 is no multiple of 8"},
                {"[16, 16]", 2, "sizes: 16 follows 16"}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct rehearse_arg args[] = {{"sizes", rows[i].sizes}, {0}};
        struct rehearse_output *outputs = NULL;
        struct gm_error err = {0};
        struct rehearse_task task = {
            .kernel = k, .args = args, .n_ranks = rows[i].n_ranks};
        cr_expect_eq(rehearse_run(&task, &outputs, &err), -EINVAL);
        cr_expect_str_eq(err.text, rows[i].says);
    }
}
