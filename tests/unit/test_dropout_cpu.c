#include "kernels/op/dropout.h"
#include "op_bits.h"
#include <criterion/criterion.h>

static const struct dropout half = {.seed = 42, .stream = 7, .p = 0.5F};

static void check(const struct dropout *d, uint64_t first, size_t n)
{
    OP_FLOATS x = op_numbers(n, 0);
    OP_FLOATS add = op_numbers(n, 1);
    OP_FLOATS y = op_poisoned(n);
    OP_FLOATS sum = op_poisoned(n);
    OP_DOUBLES rx = op_widen(x, n);
    OP_DOUBLES ry = op_doubles(n);
    dropout_apply(d, first, n, x, NULL, y);
    dropout_ref_apply(d, first, n, rx, ry);
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(y[i] == 0, ry[i] == 0, "element %zu", i);
    cr_expect_lt(op_nmse(y, ry, n), 1e-13);
    dropout_apply(d, first, n, x, add, sum);
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(sum[i], add[i] + y[i]);
    dropout_apply(d, first, n, x, add, add);
    cr_expect(op_same_bits(add, sum, n), "over add");
    dropout_apply(d, first, n, x, NULL, x);
    cr_expect(op_same_bits(x, y, n), "in place");
}

Test(dropout_cpu, agrees_with_the_reference_on_odd_shapes)
{
    static const float p[] = {0, 0.1F, 0.5F, 0.999F};
    static const uint64_t firsts[] = {0, 1, 31, 32, 1000, (uint64_t)1 << 40};
    for (size_t s = 0; s < OP_ODD * 4 * 6; s++) {
        const struct dropout d = {.seed = 0x123456789abcdefU + s,
                                  .stream = (uint64_t)1 << 33,
                                  .p = p[s / OP_ODD % 4]};
        check(&d, firsts[s / OP_ODD / 4], op_odd[s % OP_ODD]);
    }
}

Test(dropout_cpu, the_cut_into_calls_and_threads_change_no_bit)
{
    const size_t n = 100003;
    OP_FLOATS x = op_numbers(n, 0);
    OP_FLOATS y = op_poisoned(n);
    OP_FLOATS pieces = op_poisoned(n);
    threads_set(1);
    dropout_apply(&half, 5, n, x, NULL, y);
    for (size_t at = 0, length = 1; at < n; at += length, length = length * 2 + 1) {
        length = length < n - at ? length : n - at;
        dropout_apply(&half, 5 + at, length, x + at, NULL, pieces + at);
    }
    cr_expect(op_same_bits(y, pieces, n));
    for (unsigned t = 2; t <= 3; t++) {
        threads_set(t);
        dropout_apply(&half, 5, n, x, NULL, pieces);
        cr_expect(op_same_bits(y, pieces, n), "%u threads", t);
    }
}

Test(dropout_cpu, the_share_is_p_and_streams_differ)
{
    const size_t n = 100000;
    OP_FLOATS x = malloc(n * sizeof(float));
    OP_FLOATS y = op_poisoned(n);
    OP_FLOATS z = op_poisoned(n);
    for (size_t i = 0; i < n; i++)
        x[i] = 1;
    const struct dropout d = {.seed = 1, .p = 0.3F},
                         other = {.seed = 1, .stream = 1, .p = 0.3F};
    dropout_apply(&d, 0, n, x, NULL, y);
    dropout_apply(&other, 0, n, x, NULL, z);
    size_t dropped = 0, equal = 0;
    for (size_t i = 0; i < n; i++) {
        dropped += y[i] == 0;
        equal += y[i] == z[i];
        cr_expect(y[i] == 0 || y[i] == (float)(1 / (1 - (double)0.3F)));
    }
    /* six standard deviations, 145 and 156, to each side */
    cr_expect(dropped > 30000 - 870 && dropped < 30000 + 870, "%zu", dropped);
    cr_expect(equal > 58000 - 940 && equal < 58000 + 940, "%zu", equal);
}

Test(dropout_cpu, a_dropped_nan_is_gone)
{
    const size_t n = 64;
    OP_FLOATS x = op_poisoned(n);
    OP_FLOATS y = op_poisoned(n);
    dropout_apply(&half, 0, n, x, NULL, y);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        cr_expect(isnan(y[i]) || y[i] == 0);
        kept += isnan(y[i]) != 0;
    }
    cr_expect(kept > 10 && kept < 54);
}
