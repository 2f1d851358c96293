/* What rank 0 says while the job runs. Under our launcher: events, JSON lines on standard
 * output that the engine reads. Under a foreign one: plain lines for people. Other ranks
 * are silent. Thread-safe: a line is one write. */
#ifndef RUNNER_TELL_H
#define RUNNER_TELL_H

#include "engine/engine.h"
#include "farm.h"

#define TELL_PHASES 12

struct tell {
    bool events; /* JSON lines on stdout; else text on stderr */
    bool quiet;  /* no text at all, but the summary's headline and errors */
    bool silent; /* not rank 0 */
    const struct jobspec *spec;
    double start;     /* monotonic s, set by tell_started */
    double next_line; /* text: the next progress line is due */
    struct farm_counts counts;
    double counted; /* monotonic s, when a task was last over */
    struct engine_phase phases[TELL_PHASES];
    unsigned n_phases;
};

void tell_phase(struct tell *t, const char *name, double s);
void tell_started(struct tell *t, const struct jobspec *spec);
void tell_progress(struct tell *t, const struct farm_counts *c);
void tell_stage_over(struct tell *t, unsigned stage);
void tell_packing(struct tell *t);
/* outcome: "done", "failed", "incomplete", "refused"; text: the sentence, or NULL. */
void tell_ended(struct tell *t,
                const char *outcome,
                enum engine_exit code,
                const char *text);

#endif
