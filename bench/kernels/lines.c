/* See lines.h. */
#include "lines.h"

#include "base/json.h"
#include "base/memory.h"
#include "kernels/op/philox.h"
#include <stdio.h>
#include <stdlib.h>

const char *lines_suite = "kernels";

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double quantile(const struct samples *s, double q)
{
    struct samples sorted = *s;
    qsort(sorted.v, sorted.n, sizeof(sorted.v[0]), by_value);
    double at = q * (double)(sorted.n - 1);
    size_t low = (size_t)at, high = low + 1 < sorted.n ? low + 1 : low;
    return sorted.v[low] + (at - (double)low) * (sorted.v[high] - sorted.v[low]);
}

void line(const char *name,
          const char *unit,
          const struct samples *s,
          double floor,
          const char *floor_how,
          double peer)
{
    AUTO_JSON j = {0};
    double value = quantile(s, 0.5), base = floor > 0 ? floor : peer;
    json_begin(&j, '{');
    json_put_string(&j, "suite", lines_suite);
    json_put_string(&j, "name", name);
    json_put_double(&j, "value", value);
    json_put_string(&j, "unit", unit);
    json_key(&j, "floor");
    floor > 0 ? json_double(&j, floor) : json_null(&j);
    json_put_string(&j, "floor_how", floor_how);
    json_key(&j, "peer");
    peer > 0 ? json_double(&j, peer) : json_null(&j);
    json_put_double(&j, "ratio", value / base);
    json_put_int(&j, "n", (int64_t)s->n);
    json_put_double(&j, "p50", value);
    json_put_double(&j, "p95", quantile(s, 0.95));
    json_end(&j, '}');
    (void)puts(str_text(&j.out));
    (void)fflush(stdout);
}

float *numbers(size_t n, uint64_t stream)
{
    float *v = xcalloc(n, sizeof(*v));
    philox_uniform(1, stream, -1, 1, n, v);
    return v;
}
