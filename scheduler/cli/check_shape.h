/* gridmill check --shape S: how much a shape (RFC 46) asks for, its resources with
 * --canonical, or with -- COMMAND the whole job. */
#ifndef CLI_CHECK_SHAPE_H
#define CLI_CHECK_SHAPE_H

#include "command.h"

int check_shape(const struct cli *cli); /* the exit code, everything being said already */

#endif
