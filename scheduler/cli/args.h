/* The command line of one verb, cut by its option table: --name, --name=value, --name
 * value, -x, -xy; "--" ends the options. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "gridmill/error.h"
#include <stdbool.h>

struct option_spec {
    const char *name;  /* without the dashes */
    char letter;       /* -x, or 0 */
    const char *value; /* what it takes, for the help: "FILE"; NULL: a switch */
    const char *help;  /* one line */
};

struct args_given {
    const struct option_spec *option;
    const char *value;
};

struct args {
    struct args_given *given; /* in the order of the command line */
    unsigned n_given;
    const char **words; /* what is no option */
    unsigned n_words;
    unsigned dashed; /* the first word after "--"; n_words: there is none */
};

/* -EINVAL: an unknown option (with the nearest one), a value missing or too many. Every
 * verb also knows --help (-h). args_free in any case. */
int args_parse(const struct option_spec *options,
               unsigned n_options,
               int argc,
               char *const *argv,
               struct args *ret,
               struct gm_error *err);
void args_free(struct args *a);

bool args_has(const struct args *a, const char *name);
const char *args_value(const struct args *a,
                       const char *name); /* the last one; or NULL */

extern const struct option_spec args_help; /* --help, -h */

#endif
