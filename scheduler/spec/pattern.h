/* A job's own word on who speaks to whom:
 *
 *   pattern: ring | tree | {stencil-2d: [8, 16]} | {all-to-all: 8} | {matrix: FILE}
 *
 * ring: rank i with i + 1, the last with the first. tree: a binomial tree, as reductions
 * have. stencil-2d: rows x columns, each with its four neighbours, no wrap-around; ranks
 * count row by row. all-to-all: groups of so many consecutive ranks. matrix: bytes
 * between ranks, a text file of n rows of n numbers, or of "i j weight" lines. */
#ifndef SPEC_PATTERN_H
#define SPEC_PATTERN_H

#include "gridmill/error.h"
#include <stddef.h>
#include <stdint.h>

enum pattern_kind {
    PATTERN_NONE = 0,
    PATTERN_RING,
    PATTERN_TREE,
    PATTERN_STENCIL_2D,
    PATTERN_ALL_TO_ALL,
    PATTERN_MATRIX
};

struct pattern_pair {
    uint32_t a, b;
    float weight;
};

struct pattern {
    enum pattern_kind kind;
    unsigned rows, columns; /* STENCIL_2D */
    unsigned group;         /* ALL_TO_ALL; TREE: one a group of so many, 0: one of all */
    const char *file;       /* MATRIX: absolute path, as in the jobspec's sources */
    const struct pattern_pair *pairs; /* MATRIX, once it is read; else NULL */
    size_t n_pairs;
    unsigned n_ranks; /* how many the pattern is for; 0: any number */
};

#endif
