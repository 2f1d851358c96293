/* Where a drawing goes. */
#ifndef CLI_PLAN_SVG_H
#define CLI_PLAN_SVG_H

#include "command.h"

#define OPTION_SVG                                                                       \
    {                                                                                    \
        "svg", 0, "FILE", "draw it as SVG into FILE (-: standard output)"                \
    }

/* To the file that --svg names; an exit code. */
int plan_write_svg(const struct cli *cli, const char *text);

#endif
