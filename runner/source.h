/* What a task reads of other tasks and of HDF5 files, and its private folder: filled
 * through the writer thread, freed when the task is over. */
#ifndef RUNNER_SOURCE_H
#define RUNNER_SOURCE_H

#include "base/auto.h"
#include "spec/tasks.h"
#include "writer.h"

struct source;

/* folder: the job's; rank: world rank; lane: one of several of a rank, from 0. */
struct source *source_make(const struct jobspec *spec,
                           struct writer *writer,
                           const char *folder,
                           unsigned rank,
                           unsigned lane);
void source_free(struct source *s); /* takes NULL */

/* For a task of this stage. What it read is freed by source_release. */
const struct tasks_source *source_for(struct source *s, unsigned stage);
/* Reads the HDF5 tables among the inputs (origin "F.h5:/DATASET", data NULL); a table
 * stays until another one is asked for. */
int source_tables(struct source *s,
                  struct gm_input *inputs,
                  unsigned n,
                  struct gm_error *err);
void source_release(struct source *s);

AUTO_TYPE(source, source_free)

#endif
