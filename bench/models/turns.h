/* A program that measures when it is asked to: bench/models/turns.py holds several of
 * them and lets them take turns, so that a slow minute is slow for all.
 *
 * Ready to measure it says "ready"; then, for each line "turn SECONDS" from stdin, it
 * steps for as long (once at least) and says the median of what the steps told; at the
 * end of stdin it ends. */
#ifndef BENCH_MODELS_TURNS_H
#define BENCH_MODELS_TURNS_H

/* One step: what it measured (milliseconds, a rate), or below 0: it failed, and said why
 * on stderr. */
typedef double turns_step_fn(void *self);

/* An exit status. */
int turns_serve(turns_step_fn *step, void *self);

#endif
