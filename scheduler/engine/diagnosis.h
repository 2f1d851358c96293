/* What a launcher's own words mean, where it could not start the ranks: the cause in a
 * sentence that says what is missing. Open MPI 4's and 5's help texts. */
#ifndef ENGINE_DIAGNOSIS_H
#define ENGINE_DIAGNOSIS_H

#include "base/str.h"
#include <stdbool.h>

enum diagnosis {
    DIAGNOSIS_NONE,
    DIAGNOSIS_NO_ROOM, /* it will be the same next time */
    DIAGNOSIS_PASSING  /* it may go well next time */
};

/* words: lines as relay.h keeps them. *out: the sentence, where it is known. */
enum diagnosis diagnosis_of(const char *words, struct str *out);

#endif
