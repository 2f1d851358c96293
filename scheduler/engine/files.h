/* Shards of files: a folder ("data") or a pattern ("data/run-*.csv") as one source. */
#ifndef ENGINE_FILES_H
#define ENGINE_FILES_H

#include "engine.h"

/* A jobspec_look_fn's work for GM_FILES. */
int files_look(const char *path,
               struct arena *a,
               struct jobspec_source *ret,
               struct gm_error *err);

#endif
