/* gridmill result export: what its formats share. */
#ifndef CLI_RESULT_EXPORT_H
#define CLI_RESULT_EXPORT_H

#include "outlet.h"
#include "result_walk.h"

/* A value that tasks have: an output, or what a command printed. */
struct export_value {
    const char *name;
    uint32_t kind, index; /* as in struct result_record */
    bool scalar;          /* one number a task */
};

enum { EXPORT_MOST_VALUES = 256 };

/* Values of one stage. */
struct export_values {
    struct export_value items[EXPORT_MOST_VALUES];
    unsigned n;
};

struct export
{
    const struct cli *cli;
    struct result_walk *w;
    struct outlet *out;
    bool to_terminal; /* `out` is one */
};

/* Those that --value names, else the stage's scalars; n 0: none of that name is here, or
 * there is none. */
void export_values(const struct export *e, unsigned stage, struct export_values *ret);
/* One output alone. */
void export_output(const struct reader_stage *s, unsigned i, struct export_values *ret);
/* Is the value named by some --value? */
bool export_is_named(const struct export *e, const char *name);

int export_csv(const struct export *e, struct gm_error *err);
int export_json(const struct export *e, struct gm_error *err);
int export_npy(const struct export *e, struct gm_error *err);

#endif
