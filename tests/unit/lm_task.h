/* Tasks of the language model kernels on the sonnets of the examples. */
#ifndef LM_TASK_H
#define LM_TASK_H

#include "plugins/kernel/table.h"
#include "plugins/rehearse/rehearse.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lm_task {
    const struct gm_kernel *kernel;
    struct rehearse_arg args[48];
    struct rehearse_task task;
    struct rehearse_output *outputs;
    struct gm_error err;
    int rc;
    char path[1024];
};

/* `args`: name, value, ..., NULL. */
static inline void
lm_task_make(struct lm_task *t, const char *kernel, const char *const *args)
{
    unsigned n = 0, at = 0;
    const struct gm_kernel *const *all = plugin_kernels(&n);
    memset(t, 0, sizeof(*t));
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(all[i]->name, kernel) == 0)
            t->kernel = all[i];
    }
    cr_assert_not_null(t->kernel);
    (void)snprintf(t->path,
                   sizeof(t->path),
                   "%s/jobspecs/data/sonnets.txt",
                   getenv("GRIDMILL_SOURCE"));
    for (; args != NULL && *args != NULL; args += 2)
        t->args[at++] = (struct rehearse_arg){args[0], args[1]};
    t->task = (struct rehearse_task){.kernel = t->kernel, .args = t->args};
}

static inline void lm_task_add(struct lm_task *t, const char *name, const char *value)
{
    unsigned at = 0;
    while (t->args[at].name != NULL)
        at++;
    t->args[at] = (struct rehearse_arg){name, value};
}

static inline int lm_task_run(struct lm_task *t)
{
    t->task.args = t->args;
    return t->rc = rehearse_run(&t->task, &t->outputs, &t->err);
}

static inline const struct rehearse_output *lm_task_output(const struct lm_task *t,
                                                           const char *name)
{
    return rehearse_find(t->kernel, t->outputs, name);
}

static inline double lm_task_number(const struct lm_task *t, const char *name)
{
    return *(const double *)lm_task_output(t, name)->data;
}

static inline bool
lm_task_same(const struct lm_task *a, const struct lm_task *b, const char *name)
{
    const struct rehearse_output *x = lm_task_output(a, name),
                                 *y = lm_task_output(b, name);
    return x != NULL && y != NULL && x->nbytes == y->nbytes &&
           memcmp(x->data, y->data, x->nbytes) == 0;
}

static inline void lm_task_free(struct lm_task *t)
{
    rehearse_free(t->kernel, t->outputs);
    t->outputs = NULL;
}

/* A model as an input of parameter 0, as a reference brings it. */
static inline struct gm_input lm_task_model(const struct lm_task *trained)
{
    const struct rehearse_output *o = lm_task_output(trained, "model");
    return (struct gm_input){.dtype = GM_U8,
                             .ndim = 1,
                             .dims = {o->nbytes},
                             .data = o->data,
                             .nbytes = o->nbytes,
                             .origin = "train.model"};
}

#define LM_ARGS(...)                                                                     \
    (const char *const[])                                                                \
    {                                                                                    \
        __VA_ARGS__, NULL                                                                \
    }

#endif
