/* A small matrix of counts for a terminal: heads, right-aligned cells, zeros as a dot,
 * the diagonal bold; a large one is said in one line instead. */
#ifndef ENGINE_MATRIX_H
#define ENGINE_MATRIX_H

#include "base/str.h"

void matrix_draw(const double *cells,
                 uint64_t rows,
                 uint64_t cols,
                 bool colour,
                 bool utf8,
                 struct str *out);

#endif
