/* What the tests of mlp.train and mlp.infer share: rows that can be learnt, and a task.
 */
#ifndef MLP_TASK_H
#define MLP_TASK_H

#include "kernels/op/philox.h"
#include "plugins/kernel/table.h"
#include "plugins/rehearse/rehearse.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { MLP_ROWS = 301, MLP_INPUTS = 9, MLP_CLASSES = 5 };

static inline const struct gm_kernel *mlp_task_kernel(const char *name)
{
    unsigned n;
    const struct gm_kernel *const *all = plugin_kernels(&n);
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    }
    cr_assert_fail("there is no kernel %s", name);
    return NULL;
}

/* Each class is a cloud around a corner of its own; the label stands in the last column.
 */
static inline struct gm_input mlp_task_rows(float *x /* [MLP_ROWS][MLP_INPUTS + 1] */)
{
    philox_normal(4, 0, 0, 0, 0.25F, (size_t)MLP_ROWS * (MLP_INPUTS + 1), x);
    for (size_t i = 0; i < MLP_ROWS; i++) {
        size_t class = i * 7 % MLP_CLASSES;
        float *row = x + i * (MLP_INPUTS + 1);
        row[class] += 1;
        row[(class * 2 + 4) % MLP_INPUTS] += 1;
        row[MLP_INPUTS] = (float)class;
    }
    return (struct gm_input){.param = 0,
                             .dtype = GM_F32,
                             .ndim = 2,
                             .dims = {MLP_ROWS, MLP_INPUTS + 1},
                             .data = x,
                             .nbytes = sizeof(float) * MLP_ROWS * (MLP_INPUTS + 1),
                             .origin = "clouds"};
}

#endif
