/* Rows of a table by their number, and their gradient.
 *
 *   forward    y[i] = table[id[i]] + place[i % period]     place NULL: no second term
 *   backward   dtable[id[i]] += dy[i], i ascending
 *              dplace[i % period] += dy[i], i ascending
 *
 * table: [any][n]; place: [period][n], the positions of sequences that lie one behind the
 * other, each `period` tokens long (the last may be shorter). Who reads the ids checks
 * that they are rows of the table. Backward adds to what is there, as a table that is
 * also the output's weights has two gradients. Truth: embedding_ref.c, in double. */
#ifndef OP_EMBEDDING_H
#define OP_EMBEDDING_H

#include <stddef.h>
#include <stdint.h>

void embedding_forward(size_t m,
                       size_t n,
                       const int32_t *id,
                       const float *table,
                       size_t period,
                       const float *place,
                       float *y);
void embedding_backward(
    size_t m, size_t n, const int32_t *id, const float *dy, float *dtable);
void embedding_backward_place(
    size_t m, size_t n, size_t period, const float *dy, float *dplace);

void embedding_ref_backward(
    size_t m, size_t n, const int32_t *id, const double *dy, double *dtable);

#endif
