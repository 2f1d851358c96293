#include "kernels/op/xent.h"
#include "op_bits.h"
#include <criterion/criterion.h>

/* Every fifth row is no token. */
static int32_t *labels_for(size_t m, size_t classes)
{
    int32_t *labels = malloc((m + 1) * sizeof(*labels));
    for (size_t i = 0; i < m; i++)
        labels[i] = i % 5 == 3 ? -1 : (int32_t)((i * 31 + 3) % classes);
    return labels;
}

static void check(size_t m, size_t n)
{
    size_t count = m * n;
    OP_FLOATS z = op_numbers(count, 0);
    for (size_t i = 0; i < count; i++)
        z[i] *= 10;
    __attribute__((cleanup(op_free))) int32_t *labels = labels_for(m, n);
    OP_FLOATS losses = op_poisoned(m);
    OP_FLOATS d = op_poisoned(count);
    OP_DOUBLES rz = op_widen(z, count);
    OP_DOUBLES rlosses = op_doubles(m);
    OP_DOUBLES rd = op_doubles(count);
    float scale = 1.0F / (float)xent_count(m, labels);
    struct xent_tokens got = xent_tokens(m, n, z, labels, scale, losses, d);
    struct xent_tokens want =
        xent_ref_tokens(m, n, rz, labels, (double)scale, rlosses, rd);
    cr_expect(got.correct == want.correct && got.tokens == want.tokens);
    cr_expect_float_eq(got.loss, want.loss, 1e-6 * (want.loss + 1));
    cr_expect_lt(op_square(losses, rlosses, m), 1e-12 * (1 + want.loss * want.loss));
    if (n > 1)
        cr_expect_lt(op_nmse(d, rd, count), 1e-12, "%zu x %zu", m, n);
    OP_FLOATS alone = op_poisoned(m);
    struct xent_tokens look = xent_tokens(m, n, z, labels, 0, alone, NULL);
    cr_expect(op_same_bits(losses, alone, m) && look.loss == got.loss, "loss alone");
    (void)xent_tokens(m, n, z, labels, scale, alone, z);
    cr_expect(op_same_bits(z, d, count), "in place");
}

Test(xent_tokens_cpu, agrees_with_the_reference_on_odd_shapes)
{
    for (size_t s = 0; s < OP_ODD * OP_ODD; s++)
        check(op_odd[s % OP_ODD], op_odd[s / OP_ODD]);
    check(3, 50257);
}

Test(xent_tokens_cpu, rows_without_a_label_count_for_nothing)
{
    const float z[] = {1, 2, NAN, NAN, 0, 1};
    const int32_t labels[] = {1, -1, 0}, none[] = {-1, -1, -100};
    float losses[3], d[6];
    struct xent_tokens got = xent_tokens(3, 2, z, labels, 0.5F, losses, d);
    cr_expect(got.tokens == 2 && got.correct == 1 && losses[1] == 0);
    cr_expect(d[2] == 0 && d[3] == 0 && isfinite(got.loss));
    cr_expect_float_eq(got.loss, log(1 + exp(-1)) + log(1 + exp(1)), 1e-6);
    got = xent_tokens(3, 2, z, none, 0.5F, losses, d);
    cr_expect(got.tokens == 0 && got.loss == 0 && d[0] == 0 && xent_count(3, none) == 0);
}

Test(xent_tokens_cpu, the_first_of_a_tie_is_the_class)
{
    const float z[] = {2, 2, 1, 2, 2, 1};
    const int32_t labels[] = {0, 1};
    float losses[2];
    cr_expect_eq(xent_tokens(2, 3, z, labels, 1, losses, NULL).correct, 1);
}

Test(xent_tokens_cpu, threads_and_the_cut_into_rows_change_no_bit)
{
    enum { M = 301, N = 257 };
    OP_FLOATS z = op_numbers((size_t)M * N, 0);
    __attribute__((cleanup(op_free))) int32_t *labels = labels_for(M, N);
    OP_FLOATS losses = op_poisoned(M);
    OP_FLOATS d = op_poisoned((size_t)M * N);
    double sum = 0;
    for (size_t i = 0; i < M; i++)
        sum += xent_tokens(1, N, z + i * N, labels + i, 1, losses + i, d + i * N).loss;
    for (unsigned t = 1; t <= 3; t++) {
        OP_FLOATS tlosses = op_poisoned(M);
        OP_FLOATS td = op_poisoned((size_t)M * N);
        threads_set(t);
        struct xent_tokens got = xent_tokens(M, N, z, labels, 1, tlosses, td);
        cr_expect(got.loss == sum && op_same_bits(losses, tlosses, M), "%u threads", t);
        cr_expect(op_same_bits(d, td, (size_t)M * N), "%u threads", t);
    }
}
