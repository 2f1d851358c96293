/* Rotary embedding on the CPU: pairs do not meet, so vectors and threads change no bit.
 */
#include "rotary.h"

#include "lanes.h"
#include "real.h"

#define SERIAL ((size_t)1 << 16) /* elements: some 20 us */

void rotary_table(size_t positions, size_t size, double base, float *cos, float *sin)
{
    size_t half = size / 2;
    for (size_t i = 0; i < half; i++) {
        double frequency = real_power(base, -2.0 * (double)i / (double)size);
        for (size_t p = 0; p < positions; p++) {
            cos[p * half + i] = (float)real_cos((double)p * frequency);
            sin[p * half + i] = (float)real_sin((double)p * frequency);
        }
    }
}

LANES_CLONES
static void turn_neighbours(
    size_t heads, size_t half, const float *cos, const float *sin, float sign, float *x)
{
    for (size_t h = 0; h < heads; h++, x += 2 * half) {
#pragma GCC ivdep
        for (size_t i = 0; i < half; i++) {
            float u = x[2 * i], v = x[2 * i + 1], s = sign * sin[i];
            x[2 * i] = u * cos[i] - v * s;
            x[2 * i + 1] = u * s + v * cos[i];
        }
    }
}

LANES_CLONES
static void turn_halves(
    size_t heads, size_t half, const float *cos, const float *sin, float sign, float *x)
{
    for (size_t h = 0; h < heads; h++, x += 2 * half) {
#pragma GCC ivdep
        for (size_t i = 0; i < half; i++) {
            float u = x[i], v = x[i + half], s = sign * sin[i];
            x[i] = u * cos[i] - v * s;
            x[i + half] = u * s + v * cos[i];
        }
    }
}

static void turn(const struct rotary *r,
                 size_t m,
                 size_t stride,
                 const int32_t *position,
                 float sign,
                 float *x)
{
    size_t half = r->size / 2;
    void (*row)(size_t, size_t, const float *, const float *, float, float *) =
        r->form == ROTARY_HALVES ? turn_halves : turn_neighbours;
#pragma omp parallel for schedule(static) if (m * r->heads * r->size > SERIAL)
    for (size_t i = 0; i < m; i++) {
        size_t at = (size_t)position[i] * half;
        row(r->heads, half, r->cos + at, r->sin + at, sign, x + i * stride);
    }
}

void rotary_forward(
    const struct rotary *r, size_t m, size_t stride, const int32_t *position, float *x)
{
    turn(r, m, stride, position, 1, x);
}

void rotary_backward(
    const struct rotary *r, size_t m, size_t stride, const int32_t *position, float *dx)
{
    turn(r, m, stride, position, -1, dx);
}
