/* The words of a shape (RFC 46): bare, or quoted as JSON's strings are; 'so' too, as Flux
 * has it. */
#ifndef SPEC_SHAPE_WORD_H
#define SPEC_SHAPE_WORD_H

#include "base/arena.h"
#include "base/str.h"

struct strmap;

struct shape_reader {
    struct arena *arena;
    const char *text, *p;
    struct gm_error *err;
    /* shape.c's: the labels so far, the slots, and the first one without a label */
    struct strmap *labels;
    unsigned slots;
    const char *nameless;
};

/* -EINVAL: "'TEXT': WHAT at character N" */
int shape_bad(const struct shape_reader *r, const char *at, const char *what);
void shape_skip_blanks(struct shape_reader *r);
/* The word at r->p; a bare one ends before a blank or one of `stops`. `what` names it in
 * errors: an empty word is one. */
int shape_word(struct shape_reader *r,
               const char *stops,
               const char *what,
               const char **ret,
               bool *ret_quoted);
/* A bare value that is no string: true, false, null in any case, or JSON's number. */
bool shape_is_literal(const char *word);
/* Bare where it reads back as the same, else quoted. */
void shape_put_word(struct str *out, const char *word);

#endif
