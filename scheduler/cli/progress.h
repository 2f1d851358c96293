/* A run as it goes, on standard error: on a terminal one line that is redrawn, else a
 * line every five seconds. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/str.h"
#include "engine/engine.h"
#include "terminal.h"

enum { PROGRESS_RANKS = 64 };

struct progress {
    const struct terminal *terminal;
    bool quiet;
    struct str drawn; /* the line that stands there and has no newline yet */
    double last;      /* clock_monotonic of the last one */
    double
        busy[PROGRESS_RANKS]; /* of late: shares of 1, < 0: lost (engine_event.ranks) */
    unsigned n_busy;
};

/* PROGRESS, STAGE_OVER, PACKING, STARTED: draws. */
void progress_show(struct progress *p, const struct engine_event *e);
/* Wipes the line, so that something else can be written. */
void progress_wipe(struct progress *p);
void progress_free(struct progress *p); /* what is inside */
/* What the ranks are at is part of what they were at before. */
void progress_ranks(struct progress *p, const char *ranks);
/* The line's text, for a width in columns. */
void progress_text(const struct progress *p,
                   const struct engine_event *e,
                   bool utf8,
                   int width,
                   struct str *out);

#endif
