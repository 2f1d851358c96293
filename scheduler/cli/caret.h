/* The source line of a fault with a caret below it, as a terminal shows it: tabs as
 * blanks, wide letters two columns, control characters as '?', a long line cut around the
 * place. */
#ifndef CLI_CARET_H
#define CLI_CARET_H

#include "base/str.h"

/* A text whose lines are looked up one after another; asking for a later line costs only
 * the way there. */
struct caret {
    const char *text;
    size_t len;
    unsigned line;           /* from 1; 0: nothing was looked up yet */
    size_t at, length, ends; /* where it begins; its bytes, and those of its break */
    size_t skip;             /* of a line of megabytes: so many bytes of it ... */
    unsigned skipped;        /* ... are so many letters, and are not looked at again */
};

struct caret_look {
    int width; /* columns */
    bool colour, utf8;
};

/* Two lines, or nothing where the text has no such line. */
void caret_draw(struct caret *c,
                unsigned line,
                unsigned col,
                const struct caret_look *look,
                struct str *out);

#endif
