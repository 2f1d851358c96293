/* The words of the short form: one table for the readers' key checks and hints, the JSON
 * Schema (schema.h), and starter files (starter.h). What a key means to the job is in its
 * reader; what it is called, may hold, and is for, is here. */
#ifndef SPEC_WORDS_H
#define SPEC_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum word_type {
    WORD_TEXT = 1 << 0,
    WORD_INT = 1 << 1,
    WORD_FLOAT = 1 << 2,
    WORD_BOOL = 1 << 3,
    WORD_LIST = 1 << 4,
    WORD_MAP = 1 << 5,
    WORD_NULL = 1 << 6
};

struct words;

struct word {
    const char *name;
    const char *help; /* one line, for people */
    uint32_t types;   /* bits of enum word_type: what its value may be */
    bool required;
    bool filled;                /* an empty list is a fault */
    const char *const *choices; /* the texts it may be, NULL at the end; or NULL */
    const char *pattern;        /* what other texts match (ECMA 262); or NULL */
    double least, most;         /* of numbers; most 0: no bound */
    const struct words *keys;   /* of a map */
    const struct word *item;    /* of a list's items, of an open map's values */
};

struct words {
    const struct word *items;
    unsigned n;
    bool open; /* other keys too: matrix, env, args */
};

extern const struct words words_job;   /* the top level; tasks, and a lone stage's keys */
extern const struct words words_stage; /* an entry of tasks */

const struct word *words_find(const struct words *w, const char *name); /* or NULL */

#endif
