/* What the runner's rank 0 says on its standard output while it runs: JSON, one event a
 * line,
 * {"gridmill":"progress","done":3,"total":22,...}. Any other line is somebody's output.
 */
#ifndef ENGINE_WIRE_H
#define ENGINE_WIRE_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stdint.h>

enum wire_kind {
    WIRE_NONE = 0, /* no event: a line of text */
    WIRE_STARTED = 1,
    WIRE_PROGRESS,
    WIRE_STAGE,
    WIRE_PACKING,
    WIRE_ENDED
};

#define WIRE_PHASES 24

struct wire_phase {
    char name[24];
    double s;
};

struct wire {
    enum wire_kind kind;
    uint64_t done, failed, skipped, running, total;
    uint64_t before; /* of the tasks, over when the launch began */
    uint64_t lost;   /* ranks */
    char stage[256]; /* "": not said */
    char ranks[64];  /* as struct engine_event has them; "": not said */
    double elapsed;
    double left; /* < 0: not known */
    bool at_least;
    /* ENDED alone: */
    char outcome[16]; /* "done", "failed", "incomplete", "refused" */
    int code;         /* enum engine_exit */
    char text[508];   /* the sentence, or "" */
    struct wire_phase phases[WIRE_PHASES];
    unsigned n_phases;
};

/* Reads one line (without its newline). Fields that are missing stay 0 ("left": -1). An
 * event of a kind that is not known here, or broken, is WIRE_NONE. */
void wire_parse(const char *line, size_t len, struct wire *ret);

#endif
