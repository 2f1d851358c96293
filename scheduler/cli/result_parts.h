/* What follows `gridmill result`: one function each. */
#ifndef CLI_RESULT_PARTS_H
#define CLI_RESULT_PARTS_H

#include "command.h"

struct result_part {
    const char *name;
    const char *takes; /* of the verb's options, those that say something to it */
    unsigned n_files;
    int (*run)(const struct cli *cli); /* its files are words[1] and on; an exit code */
};

int result_tasks(const struct cli *cli);
int result_failed(const struct cli *cli);
int result_export(const struct cli *cli);
int result_pack(const struct cli *cli);
int result_diff(const struct cli *cli);

#endif
