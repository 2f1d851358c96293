/* The truth of the rotary embedding, in double with libm. */
#include "rotary.h"

#include <math.h>

void rotary_ref(enum rotary_form form,
                size_t size,
                double base,
                double position,
                double sign,
                double *x)
{
    size_t half = size / 2;
    for (size_t i = 0; i < half; i++) {
        double angle = sign * position * pow(base, -2.0 * (double)i / (double)size);
        double *u = form == ROTARY_HALVES ? x + i : x + 2 * i;
        double *v = form == ROTARY_HALVES ? x + i + half : x + 2 * i + 1;
        double a = *u, b = *v;
        *u = a * cos(angle) - b * sin(angle);
        *v = a * sin(angle) + b * cos(angle);
    }
}
