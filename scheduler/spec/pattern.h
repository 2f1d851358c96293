/* A job's own word on who speaks to whom:
 *
 *   pattern: ring | tree | {stencil-2d: [8, 16]} | {all-to-all: 8} | {matrix: FILE}
 *
 * ring: rank i with i + 1, the last with the first. tree: a binomial tree, as reductions
 * have. stencil-2d: rows x columns, each with its four neighbours, no wrap-around; ranks
 * count row by row. all-to-all: groups of so many consecutive ranks, the last may be
 * smaller (as MPI_Comm_split by rank / size makes them). matrix: bytes between ranks, a
 * text file of n rows of n numbers, or of "i j weight" lines. */
#ifndef SPEC_PATTERN_H
#define SPEC_PATTERN_H

#include "gridmill/error.h"
#include <stddef.h>
#include <stdint.h>

#define PATTERN_MOST_RANKS (1u << 20)
#define PATTERN_MOST_PAIRS (1u << 24) /* 16 bytes each, at both ends */

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
    const char *written;    /* MATRIX: as the jobspec names it */
    const struct pattern_pair *pairs; /* MATRIX, once it is read; else NULL */
    size_t n_pairs;
    unsigned n_ranks;   /* how many the pattern is for; 0: any number */
    unsigned line, col; /* in the jobspec */
};

struct arena;

/* Reads a matrix: the pairs, and how many ranks they are of (a list of lines: any
 * number). Blanks and commas stand between numbers, # begins a comment. Three numbers a
 * line are always "i j weight". What one says to another twice, or both ways, adds up.
 * -ENOENT and the like, -EINVAL with FILE:LINE:COL, -E2BIG. */
int pattern_read(const char *path,
                 struct arena *a,
                 struct pattern *ret,
                 struct gm_error *err);

/* -EINVAL: the pattern is not one of so many ranks ("pattern: ..."). */
int pattern_check(const struct pattern *p, unsigned n_ranks, struct gm_error *err);

#endif
