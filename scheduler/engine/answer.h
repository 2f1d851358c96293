/* What `gridmill-runner --probe` says on its standard output, and what launchers say when
 * a host does not answer, cut down to the cause. Pure. */
#ifndef ENGINE_ANSWER_H
#define ENGINE_ANSWER_H

#include "base/str.h"
#include <stdbool.h>

enum answer_sees { ANSWER_NOT_ASKED = 0, ANSWER_SEES, ANSWER_SEES_NOT };

/* All texts are in the text that was read. */
struct answer {
    const char *host, *build;
    const char *digest, *cpus; /* cpus NULL: all of the machine */
    enum answer_sees sees;
    const char *error; /* NULL: there is none, and then only the rest is set */
    const char *xml;   /* NULL: none came */
};

struct answers {
    struct answer *items;
    size_t n;
};

/* Cuts `text` into its answers; whatever else is in it is passed over, and so is a line
 * that came broken. */
void answers_read(char *text, size_t len, struct answers *ret);
void answers_free(struct answers *a); /* what is inside */

/* Why a host gave no answer, from what its launcher said on standard error, as the rest
 * of a sentence that begins with the host: "cannot be reached: ssh: ..." */
void answer_cause(const char *said, const char *runner, struct str *out);

#endif
