/* The checkpoints of this rank's tasks (docs/design/checkpoint.md): when one is due, by
 * the clock or since the job is asked to stop; what all ranks of the group agree on; and
 * how an attempt goes on from one. The files are result/checkpoint's. Only stages with
 * `checkpoint` come here. */
#ifndef RUNNER_SAVING_H
#define RUNNER_SAVING_H

#include "base/auto.h"
#include "gridmill/kernel.h"
#include "spec/plan.h"
#include <stdbool.h>

struct attempt;
struct parcel;
struct saving;
struct writer;

struct saving *
saving_make(const struct jobspec *spec, const struct plan *plan, unsigned rank);
void saving_free(struct saving *s); /* takes NULL */

/* An attempt begins, on all ranks of its group; what was put out before a checkpoint goes
 * into the parcel. */
void saving_open(struct saving *s, const struct attempt *a, struct parcel *parcel);
/* After the kernel's begin. `varying`: the task's own parameters. 1: the kernel goes on
 * from a checkpoint. 0: from the start. -ESTALE: from the start, after another begin.
 * Other < 0: the group is not whole, or the job ends. */
int saving_load(struct saving *s, const char *varying, struct gm_error *err);
/* After each step that wants another. 1: go on. -ECANCELED: asked to stop, and saved
 * where that was possible. */
int saving_between(struct saving *s, struct gm_error *err);
/* After the last one, or a failure; a stop is heard at once from here on. Steps that were
 * not taken, since the attempt went on from a checkpoint. */
uint64_t saving_end(struct saving *s);
/* On the group's first rank, where the attempt is committed: nobody goes on from its
 * checkpoint. Done: it is removed when that is on file. Failed: at once, since another
 * attempt starts anew. */
void saving_settle(struct saving *s, struct writer *writer, bool done);

AUTO_TYPE(saving, saving_free)

#endif
