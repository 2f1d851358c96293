/* A run as it goes, on standard error: on a terminal one line that is redrawn, else a
 * line every five seconds. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/str.h"
#include "engine/engine.h"
#include "terminal.h"

struct progress {
    const struct terminal *terminal;
    bool quiet;
    bool drawn;  /* a line stands there that has no newline yet */
    double last; /* clock_monotonic of the last one */
};

/* PROGRESS, STAGE_OVER, PACKING, STARTED: draws. */
void progress_show(struct progress *p, const struct engine_event *e);
/* Wipes the line, so that something else can be written. */
void progress_wipe(struct progress *p);
/* The line's text, for a width in columns. */
void progress_text(const struct engine_event *e, bool utf8, int width, struct str *out);

#endif
