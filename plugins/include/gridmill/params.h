/* Parameters of a kernel: what it accepts (gm_param_spec) and what a task was given
 * (gm_params). Validation at submission, `gridmill kernels NAME`, the canonical form and
 * the result's columns all come from the one table.
 *
 * A kernel reads its values by their index in the table:
 *     enum { P_DATA, P_EPOCHS };
 *     int64_t epochs = gm_param_int(task->params, P_EPOCHS);
 */
#ifndef GRIDMILL_PARAMS_H
#define GRIDMILL_PARAMS_H

#include "gridmill/types.h"
#include <assert.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum gm_param_type {
    GM_PARAM_INT = 10,
    GM_PARAM_FLOAT = 20, /* accepts integers too */
    GM_PARAM_BOOL = 30,  /* true | false */
    GM_PARAM_STRING = 40,
    GM_PARAM_CHOICE = 50, /* a string, one of `choices` */
    GM_PARAM_PATH = 60, /* a file, relative to the jobspec's folder; its digest is kept */
    GM_PARAM_DATA = 70, /* a PATH to a table: .csv .csv.gz .npy IDX, or F.h5:/DATASET,
                           which the runner reads into an input */
    GM_PARAM_INT_LIST = 80,
    GM_PARAM_FLOAT_LIST = 90,
    GM_PARAM_TENSOR = 100, /* ${stage.output}: arrives as an input */
    GM_PARAM_MODEL = 110   /* ${stage.output} of a model, or a path to .safetensors */
};

enum gm_param_flags { GM_REQUIRED = 1 << 0 };

struct gm_param_spec {
    const char *name;    /* as in the jobspec: lower case, words joined by '-' */
    const char *help;    /* one line */
    const char *unit;    /* "s", "rows", ...; NULL: none */
    const char *preset;  /* the default, as it would stand in the jobspec; NULL: none */
    const char *choices; /* CHOICE: the words, separated by '|' */
    double min, max; /* inclusive range of a number, or of each list item; both 0: any */
    uint32_t type;   /* enum gm_param_type */
    uint32_t flags;  /* enum gm_param_flags */
};

/* One value. `type` 0 means not given (no default either, or not known yet: see open()).
 */
struct gm_value {
    uint32_t type; /* 0 or enum gm_param_type */
    uint32_t n;    /* list items; bytes of a string */
    union {
        int64_t i;
        double f;
        bool b;
        const char *s; /* terminated; PATH and DATA: absolute */
        const int64_t *ints;
        const double *floats;
    } as;
};

struct gm_params {
    const struct gm_param_spec *specs;
    const struct gm_value *values; /* one a spec, in the table's order */
    unsigned n;
};

static inline const struct gm_value *gm_param(const struct gm_params *p, unsigned i)
{
    assert(i < p->n);
    return &p->values[i];
}

static inline bool gm_param_given(const struct gm_params *p, unsigned i)
{
    return gm_param(p, i)->type != 0;
}

static inline int64_t gm_param_int(const struct gm_params *p, unsigned i)
{
    assert(gm_param(p, i)->type == GM_PARAM_INT);
    return p->values[i].as.i;
}

static inline double gm_param_float(const struct gm_params *p, unsigned i)
{
    assert(gm_param(p, i)->type == GM_PARAM_FLOAT);
    return p->values[i].as.f;
}

static inline bool gm_param_bool(const struct gm_params *p, unsigned i)
{
    assert(gm_param(p, i)->type == GM_PARAM_BOOL);
    return p->values[i].as.b;
}

/* STRING, CHOICE, PATH, DATA (also of a MODEL given as a path); NULL when not given. */
static inline const char *gm_param_text(const struct gm_params *p, unsigned i)
{
    return gm_param_given(p, i) ? gm_param(p, i)->as.s : NULL;
}

#ifdef __cplusplus
}
#endif
#endif
