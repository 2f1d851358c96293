/* A job that is watched, as people and programs see it. */
#ifndef CLI_WATCH_DRAW_H
#define CLI_WATCH_DRAW_H

#include "base/str.h"
#include "engine/follow.h"
#include "pace.h"

struct watch_view {
    const char *file; /* as the user called it */
    enum follow_state state;
    enum engine_exit code;      /* once it is over */
    const struct scan_job *job; /* NULL: not known yet */
    const struct pace *pace;
    double now; /* unix s */
    int width;
    int height; /* lines that there are; 0: as many as it takes */
    bool utf8, colour;
};

/* All of it, in lines that end with a newline, each narrower than the width, at most
 * height - 1 of them (but four): what does not fit is counted. */
void watch_draw(const struct watch_view *v, struct str *out);
/* "digits: 12 of 22 tasks, 1 failed, 8.3/s, 2 s left, train", without a newline. */
void watch_line(const struct watch_view *v, struct str *out);
/* The same as watch_draw, one JSON object on a line (docs/guide/results.md). */
void watch_json(const struct watch_view *v, struct str *out);

/* The rank goes on, and has committed nothing for longer than tasks take. */
bool watch_is_stale(const struct watch_view *v, const struct scan_rank *r);
/* Of the time from the launch's first task on; while it goes on, to the rank's last
 * commit. Above 1: several tasks at once. */
double watch_busy(const struct watch_view *v, const struct scan_rank *r);
bool watch_goes_on(const struct watch_view *v);

#endif
