/* A jobspec from the command line: the file, and the options that stand for --set. */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "base/str.h"
#include "command.h"
#include "engine/engine.h"

/* Loads the file with --set, --ranks, --results and --oversubscribe applied. 0, or the
 * exit code, everything being said already. */
int job_load(const struct cli *cli, const char *file, struct jobspec **ret);
/* The same, the faults being yours to tell. */
int job_read(const struct cli *cli,
             const char *file,
             struct jobspec **ret,
             struct jobspec_faults *faults,
             struct gm_error *err);

/* "digits: 8 tasks in 2 stages on 4 ranks, packed on host vm" */
void job_headline(const struct jobspec *spec, const struct plan *plan, struct str *out);
/* The machine with the plan's ranks on it. */
void job_map(const struct restree *tree,
             const struct plan *plan,
             bool utf8,
             struct str *out);
/* The launch line and why each flag is there. */
void job_launch(const struct launch_line *line, struct str *out);

#endif
