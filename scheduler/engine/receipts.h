/* GRIDMILL_RECEIPTS=DIR: a line of text a job in DIR/uid-UID.txt, for who looks at what
 * earlier requests came to before the next one is queued. docs/design/receipt.md has the
 * line. */
#ifndef ENGINE_RECEIPTS_H
#define ENGINE_RECEIPTS_H

#include "engine/summary.h"

struct receipts_who {
    const char *user, *job_id; /* NULL: not known */
    unsigned long uid;
    double time; /* unix s */
};

/* The line with its end; yours to free. NULL: the summary has no receipt. */
char *receipts_line(const struct summary *s, const struct receipts_who *who);
/* Appends it, in one write, to a file that is this user's and no link. The folder must be
 * there. */
int receipts_append(const char *folder,
                    unsigned long uid,
                    const char *line,
                    struct gm_error *err);
/* Both, by the environment; 0 where GRIDMILL_RECEIPTS is not set. */
int receipts_write(const struct summary *s, struct gm_error *err);

#endif
