#include "kernels/op/rotary.h"
#include "op_bits.h"
#include <criterion/criterion.h>

enum { POSITIONS = 1000 };
static const enum rotary_form forms[] = {ROTARY_INTERLEAVED, ROTARY_HALVES};

static int32_t *positions_for(size_t m)
{
    int32_t *position = malloc((m + 1) * sizeof(*position));
    for (size_t i = 0; i < m; i++)
        position[i] = (int32_t)((i * 37 + 5) % POSITIONS);
    return position;
}

/* Rows lie `stride` apart, with something behind each that must stay. */
static void check(enum rotary_form form, size_t m, size_t heads, size_t size)
{
    size_t width = heads * size, stride = width + 3;
    OP_FLOATS cos = op_poisoned(POSITIONS * size / 2);
    OP_FLOATS sin = op_poisoned(POSITIONS * size / 2);
    rotary_table(POSITIONS, size, 10000, cos, sin);
    const struct rotary r = {
        .form = form, .heads = heads, .size = size, .cos = cos, .sin = sin};
    __attribute__((cleanup(op_free))) int32_t *position = positions_for(m);
    OP_FLOATS x = op_numbers(m * stride, 0);
    OP_FLOATS back = op_copy(x, m * stride);
    OP_FLOATS was = op_copy(x, m * stride);
    rotary_forward(&r, m, stride, position, x);
    rotary_backward(&r, m, stride, position, back);
    for (size_t i = 0; i < m; i++) {
        OP_DOUBLES want = op_widen(was + i * stride, width);
        OP_DOUBLES turned = op_widen(was + i * stride, width);
        for (size_t h = 0; h < heads; h++) {
            rotary_ref(form, size, 10000, position[i], 1, want + h * size);
            rotary_ref(form, size, 10000, position[i], -1, turned + h * size);
        }
        cr_expect_lt(op_nmse(x + i * stride, want, width), 1e-13);
        cr_expect_lt(op_nmse(back + i * stride, turned, width), 1e-13);
        cr_expect(op_same_bits(x + i * stride + width, was + i * stride + width, 3));
    }
    /* and back again */
    rotary_backward(&r, m, stride, position, x);
    OP_DOUBLES start = op_widen(was, m * stride);
    cr_expect_lt(op_nmse(x, start, m * stride), 1e-13);
}

Test(rotary_cpu, agrees_with_the_reference_on_odd_shapes)
{
    static const size_t sizes[] = {2, 8, 14, 64, 130};
    for (size_t s = 0; s < OP_ODD * 5 * 2; s++)
        check(forms[s % 2], op_odd[s / 2 % OP_ODD], 1 + s % 3, sizes[s / 2 / OP_ODD]);
}

/* A turn is linear: its gradient is the turn by the other angle. */
Test(rotary_cpu, the_backward_turn_is_the_transpose)
{
    enum { N = 6 };
    for (size_t f = 0; f < 2; f++) {
        for (size_t i = 0; i < N; i++) {
            double unit[N] = {0}, turned[N];
            unit[i] = 1;
            memcpy(turned, unit, sizeof(unit));
            rotary_ref(forms[f], N, 100, 3, 1, turned);
            for (size_t j = 0; j < N; j++) {
                double other[N] = {0};
                other[j] = 1;
                rotary_ref(forms[f], N, 100, 3, -1, other);
                cr_expect_float_eq(turned[j], other[i], 1e-15);
            }
        }
    }
}

/* Pairs are neighbours in one form and a half apart in the other: angle 1 for the first.
 */
Test(rotary_cpu, pairs_are_where_the_form_says)
{
    float cos[4], sin[4], a[4] = {1, 0, 0, 0}, b[4] = {1, 0, 0, 0};
    const int32_t one = 1;
    rotary_table(2, 4, 10000, cos, sin);
    struct rotary r = {.heads = 1, .size = 4, .cos = cos, .sin = sin};
    rotary_forward(&r, 1, 4, &one, a);
    r.form = ROTARY_HALVES;
    rotary_forward(&r, 1, 4, &one, b);
    cr_expect_float_eq(a[1], sinf(1), 1e-7);
    cr_expect_float_eq(b[2], sinf(1), 1e-7);
    cr_expect(a[2] == 0 && b[1] == 0);
}

Test(rotary_cpu, threads_and_the_cut_into_rows_change_no_bit)
{
    enum { M = 501, HEADS = 4, SIZE = 64, N = HEADS * SIZE };
    OP_FLOATS cos = op_poisoned(POSITIONS * SIZE / 2);
    OP_FLOATS sin = op_poisoned(POSITIONS * SIZE / 2);
    rotary_table(POSITIONS, SIZE, 500000, cos, sin);
    __attribute__((cleanup(op_free))) int32_t *position = positions_for(M);
    OP_FLOATS x = op_numbers((size_t)M * N, 0);
    for (size_t f = 0; f < 2; f++) {
        const struct rotary r = {
            .form = forms[f], .heads = HEADS, .size = SIZE, .cos = cos, .sin = sin};
        OP_FLOATS rows = op_copy(x, (size_t)M * N);
        for (size_t i = 0; i < M; i++)
            rotary_forward(&r, 1, N, position + i, rows + i * N);
        for (unsigned t = 1; t <= 3; t++) {
            OP_FLOATS all = op_copy(x, (size_t)M * N);
            threads_set(t);
            rotary_forward(&r, M, N, position, all);
            cr_expect(op_same_bits(rows, all, (size_t)M * N), "%u threads", t);
        }
    }
}
