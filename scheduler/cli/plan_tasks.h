/* gridmill plan --tasks [STAGE:]N[-M]: what these tasks get, by arithmetic; no other task
 * is thought of, and no machine is looked at unless it decides how many there are. */
#ifndef CLI_PLAN_TASKS_H
#define CLI_PLAN_TASKS_H

#include "command.h"
#include "spec/jobspec.h"

/* Prints them; the exit code, everything being said already. */
int plan_tasks(const struct cli *cli, const struct jobspec *spec, const char *which);

#endif
