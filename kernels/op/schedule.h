/* The learning rate of a step, as a function of its number alone: a run that goes on from
 * a checkpoint needs no state for it.
 *
 *   warm-up    peak (t + 1) / warmup for t < warmup: the last of them has the peak
 *   constant   peak
 *   linear     from peak down to last in a straight line
 *   cosine     last + (peak - last) (1 + cos(pi x)) / 2   (Loshchilov and Hutter, ICLR
 *              2017, without restarts)
 *
 * x = (t - warmup) / (steps - warmup), held within 0 .. 1: from step `steps` on it is
 * `last`. The bits do not depend on the C library. */
#ifndef OP_SCHEDULE_H
#define OP_SCHEDULE_H

#include <stdint.h>

enum schedule_form { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE };

struct schedule {
    enum schedule_form form;
    double peak, last;
    uint64_t warmup, steps;
};

/* t from 0. */
double schedule_lr(const struct schedule *s, uint64_t t);

#endif
