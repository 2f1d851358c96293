/* Rotary position embedding (Su et al., arXiv 2104.09864): pairs of a head's elements
 * are turned by an angle that grows with the token's position p:
 *
 *   pair i of size / 2:  (u, v) -> (u cos - v sin, u sin + v cos),  angle p
 * base^(-2i/size)
 *
 * A pair is elements 2i and 2i + 1 (ROTARY_INTERLEAVED, as in llama2.c), or i and
 * i + size / 2 (ROTARY_HALVES, as Hugging Face has it); weights made for one form need
 * that form. Backward turns the other way. Truth: rotary_ref.c, in double. */
#ifndef OP_ROTARY_H
#define OP_ROTARY_H

#include <stddef.h>
#include <stdint.h>

enum rotary_form { ROTARY_INTERLEAVED, ROTARY_HALVES };

/* How the heads lie in a row of x, and the table of angles. */
struct rotary {
    enum rotary_form form;
    size_t heads, size;     /* size is even */
    const float *cos, *sin; /* [positions][size / 2] */
};

/* The bits of the table do not depend on the C library. positions up to 2^20. */
void rotary_table(size_t positions, size_t size, double base, float *cos, float *sin);

/* In place. m tokens, token i at position[i], its heads * size elements at x + i stride
 * (queries and keys of one product are turned by two calls). */
void rotary_forward(
    const struct rotary *r, size_t m, size_t stride, const int32_t *position, float *x);
/* In place: from the gradient of what was turned to that of what it was before. */
void rotary_backward(
    const struct rotary *r, size_t m, size_t stride, const int32_t *position, float *dx);

/* One head; sign -1 for backward. */
void rotary_ref(enum rotary_form form,
                size_t size,
                double base,
                double position,
                double sign,
                double *x);

#endif
