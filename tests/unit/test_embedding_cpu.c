#include "kernels/op/embedding.h"
#include "op_bits.h"
#include <criterion/criterion.h>

enum { ROWS = 11 };

static int32_t *ids_for(size_t m)
{
    int32_t *id = malloc((m + 1) * sizeof(*id));
    for (size_t i = 0; i < m; i++)
        id[i] = (int32_t)((i * i + 3 * i) % ROWS);
    return id;
}

static void check(size_t m, size_t n)
{
    const size_t period = 5;
    __attribute__((cleanup(op_free))) int32_t *id = ids_for(m);
    OP_FLOATS table = op_numbers(ROWS * n, 0);
    OP_FLOATS place = op_numbers(period * n, 1);
    OP_FLOATS y = op_poisoned(m * n);
    embedding_forward(m, n, id, table, 0, NULL, y);
    for (size_t i = 0; i < m; i++)
        cr_expect(op_same_bits(y + i * n, table + (size_t)id[i] * n, n));
    embedding_forward(m, n, id, table, period, place, y);
    for (size_t i = 0; i < m * n; i++)
        cr_expect_eq(y[i],
                     table[(size_t)id[i / n] * n + i % n] +
                         place[i / n % period * n + i % n]);
    OP_FLOATS dy = op_numbers(m * n, 2);
    OP_FLOATS dtable = op_numbers(ROWS * n, 3);
    OP_FLOATS dplace = op_numbers(period * n, 4);
    OP_DOUBLES rdy = op_widen(dy, m * n);
    OP_DOUBLES rdtable = op_widen(dtable, ROWS * n);
    OP_DOUBLES rdplace = op_widen(dplace, period * n);
    embedding_backward(m, n, id, dy, dtable);
    embedding_ref_backward(m, n, id, rdy, rdtable);
    cr_expect_lt(op_nmse(dtable, rdtable, ROWS * n), 1e-12, "%zu x %zu", m, n);
    embedding_backward_place(m, n, period, dy, dplace);
    for (size_t i = 0; i < m; i++)
        id[i] = (int32_t)(i % period);
    embedding_ref_backward(m, n, id, rdy, rdplace);
    cr_expect_lt(op_nmse(dplace, rdplace, period * n), 1e-12, "%zu x %zu", m, n);
}

Test(embedding_cpu, agrees_with_plain_loops_on_odd_shapes)
{
    for (size_t s = 0; s < OP_ODD * OP_ODD; s++)
        check(op_odd[s % OP_ODD], op_odd[s / OP_ODD]);
}

/* What is added up, token by token in order, in float: equal to the bit. */
Test(embedding_cpu, tokens_are_added_in_order_by_any_threads)
{
    enum { M = 1501, N = 130, PERIOD = 100 };
    __attribute__((cleanup(op_free))) int32_t *id = ids_for(M);
    OP_FLOATS dy = op_numbers((size_t)M * N, 0);
    OP_FLOATS want = calloc(ROWS * N, sizeof(float));
    OP_FLOATS places = calloc(PERIOD * N, sizeof(float));
    for (size_t i = 0; i < M; i++) {
        for (size_t j = 0; j < N; j++) {
            want[(size_t)id[i] * N + j] += dy[i * N + j];
            places[i % PERIOD * N + j] += dy[i * N + j];
        }
    }
    for (unsigned t = 1; t <= 3; t++) {
        OP_FLOATS dtable = calloc(ROWS * N, sizeof(float));
        OP_FLOATS dplace = calloc(PERIOD * N, sizeof(float));
        threads_set(t);
        embedding_backward(M, N, id, dy, dtable);
        embedding_backward_place(M, N, PERIOD, dy, dplace);
        cr_expect(op_same_bits(want, dtable, ROWS * N), "%u threads", t);
        cr_expect(op_same_bits(places, dplace, PERIOD * N), "%u threads", t);
    }
}
