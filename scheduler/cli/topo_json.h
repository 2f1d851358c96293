/* A machine as JSON: schema gridmill.topology/2, as gridmill(1) has it. */
#ifndef CLI_TOPO_JSON_H
#define CLI_TOPO_JSON_H

#include "base/json.h"
#include "topo/restree.h"

/* name: as the user named it; NULL: this host. One value. */
void topo_json(struct json *j, const struct restree *tree, const char *name);

#endif
