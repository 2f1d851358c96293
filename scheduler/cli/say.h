/* How the program says what went wrong: one sentence on stderr, and with --json the same
 * as a value on stdout, so that a program that called us finds it there. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include "command.h"
#include "spec/jobspec.h"

/* Both return `code`. */
int say_failure(const struct cli *cli, int code, const struct gm_error *err);
int say_faults(const struct cli *cli, int code, const struct jobspec_faults *faults);
/* The faults with the lines that they are in, a caret below each (no colour: plain
 * lines). */
void say_fault_lines(const struct cli *cli, const struct jobspec_faults *faults);

#endif
