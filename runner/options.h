/* The command line of gridmill-runner. */
#ifndef RUNNER_OPTIONS_H
#define RUNNER_OPTIONS_H

#include "planning.h"

enum options_mode { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_SELF_TEST };

struct options {
    enum options_mode mode;
    struct planning_request request;
    bool events, quiet, verbose;
    char **sets; /* owned; request.sets points here */
};

int options_read(int argc, char **argv, struct options *ret, struct gm_error *err);
void options_free(struct options *o);
const char *options_help(void);

#endif
