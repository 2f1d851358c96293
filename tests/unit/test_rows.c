/* runner/rows and runner/sink: values of short tasks side by side, and those that do not
 * fit taking the other way with all that was put before. */
#include "base/memory.h"
#include "runner/rows.h"
#include "runner/sink.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct result_record value(uint32_t index, const double *data, uint64_t n)
{
    return (struct result_record){.kind = RESULT_OUTPUT,
                                  .index = index,
                                  .dtype = GM_F64,
                                  .ndim = 1,
                                  .dims = {n},
                                  .data = data,
                                  .nbytes = n * sizeof(*data)};
}

static bool add(struct rows *r, uint64_t task, double a, double b)
{
    double pair[2] = {a, b};
    struct result_record one = value(0, pair, 1), two = value(3, pair, 2);
    return rows_begin(r, 7, task) && rows_put(r, &one) && rows_put(r, &two) &&
           rows_end(r);
}

Test(rows, stand_side_by_side_with_their_times)
{
    AUTO_FREE(void) mem = xcalloc(1, ROWS_LEAST);
    struct rows *r = rows_make(mem, ROWS_LEAST);
    struct result_rows t;
    for (int timed = 0; timed < 2; timed++) {
        uint64_t n = 0;
        rows_open(r, 7, 5, timed != 0, 100);
        while (add(r, 1000 + n, (double)n, 2 * (double)n)) {
            if (timed != 0)
                rows_time(r, (double)n, (double)n + 0.5);
            n++;
        }
        rows_get(r, 200, &t);
        cr_assert(t.stage == 7 && t.rank == 5 && t.first == 1000 && t.count == n);
        cr_assert(t.row_bytes == 24 && t.n_fields == 2 && t.start == 100 && t.end == 200);
        cr_assert(n > ROWS_LEAST / (timed != 0 ? 48u : 32u) && n * 24 <= ROWS_LEAST);
        cr_assert(t.fields[1].index == 3 && t.fields[1].dims[0] == 2);
        const double *at = t.rows;
        for (uint64_t i = 0; i < n; i++) {
            double v = (double)i;
            cr_assert(at[3 * i] == v && at[3 * i + 1] == v && at[3 * i + 2] == 2 * v);
            cr_assert(timed == 0 ||
                      (t.times[2 * i] == v && t.times[2 * i + 1] == v + .5));
        }
        cr_assert((t.times != NULL) == (timed != 0));
        if (timed != 0)
            cr_assert((const char *)(t.times + 2 * n) <= (char *)mem + ROWS_LEAST);
    }
    rows_free(r);
}

Test(rows, another_stage_a_gap_and_a_full_buffer_begin_another)
{
    AUTO_FREE(void) mem = xcalloc(1, ROWS_LEAST);
    struct rows *r = rows_make(mem, ROWS_LEAST);
    rows_open(r, 7, 0, false, 0);
    cr_assert_not(rows_begin(r, 6, 0));
    cr_assert(add(r, 4, 1, 2));
    cr_assert_not(rows_begin(r, 7, 4));
    cr_assert_not(rows_begin(r, 7, 6));
    cr_assert(rows_begin(r, 7, 5));
    rows_free(r);
}

Test(rows, other_values_than_the_rows_before_are_spilled_whole)
{
    AUTO_FREE(void) mem = xcalloc(1, ROWS_LEAST);
    struct rows *r = rows_make(mem, ROWS_LEAST);
    double x[3] = {1, 2, 3};
    struct result_record one = value(0, x, 1), two = value(3, x, 2),
                         longer = value(3, x, 3);
    struct result_rows t;
    rows_open(r, 7, 0, false, 0);
    cr_assert(add(r, 0, 1, 2));
    cr_assert(rows_begin(r, 7, 1) && rows_put(r, &one));
    cr_assert_not(rows_put(r, &longer), "another shape");
    struct parcel *p = parcel_make();
    cr_assert_eq(rows_spill(r, p, NULL), 0);
    cr_assert_eq(parcel_bytes(p), 8);
    cr_assert(rows_begin(r, 7, 1) && rows_put(r, &one));
    cr_assert_not(rows_end(r), "one is missing");
    cr_assert_eq(rows_spill(r, NULL, NULL), 0);
    cr_assert(rows_begin(r, 7, 1) && rows_put(r, &one) && rows_put(r, &two));
    cr_assert_not(rows_put(r, &two), "one too many");
    cr_assert(rows_end(r));
    rows_get(r, 0, &t);
    cr_assert_eq(t.count, 2);
    parcel_free(p);
    rows_free(r);
}

Test(rows, what_is_wide_or_put_twice_is_none)
{
    AUTO_FREE(void) mem = xcalloc(1, ROWS_LEAST);
    struct rows *r = rows_make(mem, ROWS_LEAST);
    double x[ROWS_WIDEST / 8 + 1] = {0};
    struct result_record wide = value(0, x, ROWS_WIDEST / 8 + 1),
                         most = value(0, x, ROWS_WIDEST / 8), none = value(1, x, 0);
    rows_open(r, 7, 0, true, 0);
    cr_assert(rows_begin(r, 7, 0));
    cr_assert_not(rows_put(r, &wide));
    cr_assert(rows_put(r, &most));
    cr_assert_not(rows_put(r, &most));
    cr_assert_eq(rows_spill(r, NULL, NULL), 0);
    for (uint64_t i = 0; i < 5; i++)
        cr_assert(rows_begin(r, 7, i) && rows_put(r, &most) && rows_put(r, &none) &&
                  rows_end(r));
    rows_open(r, 7, 0, true, 0);
    uint64_t n = 0;
    for (; rows_begin(r, 7, n) && rows_end(r); n++)
        rows_time(r, 1, 2);
    cr_assert(n > 100 && n <= ROWS_LEAST / 16, "rows without values, with times");
    rows_free(r);
}

static const struct gm_output_spec outputs[] = {
    {.name = "a", .shape = "", .dtype = GM_F64},
    {.name = "s", .shape = "", .dtype = GM_F64, .flags = GM_SERIES},
};
static const struct gm_kernel kernel = {.name = "k", .outputs = outputs, .n_outputs = 2};

Test(sink, a_series_takes_what_was_put_into_the_parcel)
{
    AUTO_FREE(void) mem = xcalloc(1, ROWS_LEAST);
    struct rows *r = rows_make(mem, ROWS_LEAST);
    struct sink s;
    double x[2] = {1, 2};
    sink_init(&s, &kernel, true);
    rows_open(r, 0, 0, false, 0);
    cr_assert(rows_begin(r, 0, 0));
    s.rows = r;
    cr_assert_eq(gm_put_f64(&s.face, 0, 1.5, NULL), 0);
    cr_assert_null(s.parcel);
    cr_assert_eq(s.face.append(&s.face, 1, 2, x, NULL), 0);
    cr_assert(s.rows == NULL && parcel_bytes(s.parcel) == 24);
    cr_assert_eq(gm_put_f64(&s.face, 0, 1.5, NULL), -EEXIST, "set twice");
    cr_assert_eq(gm_put_f64(&s.face, 1, 1.5, NULL), -EINVAL, "a series");
    cr_assert_eq(gm_put_f64(&s.face, 2, 1.5, NULL), -EINVAL, "no such output");
    parcel_free(s.parcel);
    rows_free(r);
}

/* A kernel may have nothing to point at where it has no bytes. */
Test(rows, a_value_without_bytes_needs_no_pointer)
{
    AUTO_FREE(void) mem = xcalloc(1, ROWS_LEAST);
    struct rows *r = rows_make(mem, ROWS_LEAST);
    struct result_record none = value(1, NULL, 0);
    rows_open(r, 7, 0, false, 0);
    for (uint64_t i = 0; i < 3; i++)
        cr_assert(rows_begin(r, 7, i) && rows_put(r, &none) && rows_end(r));
    cr_assert(r->count == 3 && r->row_bytes == 0);
    rows_free(r);
    struct parcel *p = parcel_make();
    none.kind = RESULT_SERIES;
    for (int i = 0; i < 2; i++)
        cr_assert_eq(parcel_append(p, &none, NULL), 0);
    cr_assert_eq(parcel_bytes(p), 0);
    parcel_free(p);
}
