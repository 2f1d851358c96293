/* RFC 36: submission directives in a script. Lines "#GRIDMILL: --ranks=4 # note", any
 * prefix without word characters before the tag (GRIDMILL or gridmill), one sentinel a
 * file, POSIX quoting, triple quotes over several lines; reading stops at the first
 * non-blank line with another prefix, a directive after it is a fault. */
#ifndef SPEC_DIRECTIVES_H
#define SPEC_DIRECTIVES_H

#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>

struct jobspec_faults;

struct directive {
    const char *text; /* one word, unquoted: "--ranks=4" */
    unsigned line, col;
    size_t block; /* where in `text` lines begin that stand one below the other in the */
    unsigned block_line, block_col; /* script, between triple quotes; and the place of the
                                       first of them. block_line 0: there are none */
};

/* A script: its first two bytes are "#!". */
bool directives_is_script(const char *text, size_t len);
/* All words of all directives, in order. -EINVAL: the faults are told. */
int directives_read(struct arena *a,
                    const char *text,
                    size_t len,
                    struct jobspec_faults *faults,
                    const struct directive **ret,
                    unsigned *ret_n);
/* "#!/usr/bin/env bash -e" -> {"/usr/bin/env", "bash -e"}: as the kernel cuts it. */
unsigned
directives_shebang(struct arena *a, const char *text, size_t len, const char *ret[2]);

#endif
