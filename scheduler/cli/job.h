/* Jobs from the command line: a file, or a shape and a command; and the options that
 * stand for --set. */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "base/str.h"
#include "command.h"
#include "engine/engine.h"
#include "say.h"

/* A file and the jobs that it holds. */
struct job_file {
    const char *name; /* as errors speak of it */
    char *text;       /* NULL: could not be read */
    struct say_source source;
    struct jobspec_jobs jobs; /* empty: there are faults */
    struct jobspec_faults faults;
};

/* Reads all jobs of a file ("-": standard input) with the options of the command line
 * applied; NULL: the job that --shape or --ranks and the words after "--" make. -EINVAL
 * and others: in err, and in ret->faults unless the options themselves are wrong. */
int job_read(const struct cli *cli,
             const char *file,
             struct job_file *ret,
             struct gm_error *err);
/* The file's text alone; a fault is in ret->faults, too. */
int job_read_text(struct job_file *f, struct gm_error *err);
/* The options of the command line that change a job, as --set entries; in the arena. */
int job_sets(const struct cli *cli,
             struct arena *a,
             const char ***ret,
             unsigned *ret_n,
             struct gm_error *err);
/* Drops all jobs but this one. */
void job_file_keep(struct job_file *f, struct jobspec *one);
void job_file_free(struct job_file *f);
/* The same; 0, or the exit code, everything being said already. */
int job_load(const struct cli *cli, struct job_file *ret);
/* The one job of it, or the one that --document names. NULL: said. */
struct jobspec *job_only(const struct cli *cli, const struct job_file *f);

/* The words of the command line are a command, not a file. */
bool job_is_command(const struct cli *cli);

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
