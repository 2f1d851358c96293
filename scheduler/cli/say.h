/* How the program says what went wrong: one sentence on stderr, and with --json the same
 * as a value on stdout, so that a program that called us finds it there. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include "base/json.h"
#include "command.h"
#include "spec/jobspec.h"

/* Where faults point to; text NULL: not at hand. */
struct say_source {
    const char *text;
    size_t len;
};

/* Both return `code`. */
int say_failure(const struct cli *cli, int code, const struct gm_error *err);
int say_faults(const struct cli *cli,
               int code,
               const struct jobspec_faults *faults,
               const struct say_source *source);
/* The faults, a line each; on a terminal with the lines that they are in and a caret
 * below each. */
void say_fault_lines(const struct cli *cli,
                     const struct jobspec_faults *faults,
                     const struct say_source *source);
/* A fault of a text on the command line, "... at character N": on a terminal the text
 * with a caret. Returns `code`. */
int say_at_character(const struct cli *cli,
                     int code,
                     const char *text,
                     const struct gm_error *err);
/* {line, col, path, text, severity} */
void say_fault_json(struct json *j, const struct jobspec_fault *f);

#endif
