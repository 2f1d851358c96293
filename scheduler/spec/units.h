/* Durations and sizes as people write them. */
#ifndef SPEC_UNITS_H
#define SPEC_UNITS_H

#include "gridmill/error.h"
#include <stdint.h>

/* RFC 23: a number of ms, s (the default), m, h or d: "10m", "90", "1.5h", "1e3"; "inf"
 * or "infinity" alone. Seconds. -EINVAL says what is wrong: below 0, no number, beyond
 * what a double holds. */
int units_duration(const char *text, double *ret, struct gm_error *err);

/* A number of B (the default), kB/MB/GB/TB (powers of 1000) or KiB/MiB/GiB/TiB (of 1024).
 */
int units_bytes(const char *text, uint64_t *ret, struct gm_error *err);

#endif
