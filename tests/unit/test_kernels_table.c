/* What every built-in kernel's declaration must keep; `gridmill kernels`, the validation
 * and the results' layout are made from it. */
#include "plugins/kernel/table.h"
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

static void check_name(const char *name, char joint)
{
    cr_expect(name != NULL && islower((unsigned char)name[0]), "%s", name);
    for (const char *p = name; *p != '\0'; p++)
        cr_expect(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == joint,
                  "%s",
                  name);
}

static void check_output(const struct gm_kernel *k, unsigned i)
{
    const struct gm_output_spec *o = &k->outputs[i];
    check_name(o->name, '_');
    cr_expect(o->help != NULL && o->unit != NULL && o->shape != NULL,
              "%s.%s",
              k->name,
              o->name);
    cr_expect_gt(gm_dtype_size(o->dtype), 0);
    cr_expect_leq(o->ndim, GM_MAX_DIMS);
    if (o->weight != NULL) {
        bool found = false;
        for (unsigned j = 0; j < k->n_outputs; j++)
            found = found || strcmp(k->outputs[j].name, o->weight) == 0;
        cr_expect(found, "%s is weighed by %s", o->name, o->weight);
    }
}

Test(kernels_table, holds_the_kernels_in_the_order_of_the_list)
{
    static const char *const want[] = {"mlp.train",
                                       "mlp.infer",
                                       "lm.train",
                                       "lm.generate",
                                       "lm.score",
                                       "gemm",
                                       "stream",
                                       "latency",
                                       "sleep",
                                       "noop"};
    unsigned n = 0;
    const struct gm_kernel *const *all = plugin_kernels(&n);
    cr_assert_eq(n, sizeof(want) / sizeof(want[0]));
    for (unsigned i = 0; i < n; i++)
        cr_expect_str_eq(all[i]->name, want[i]);
}

Test(kernels_table, each_declaration_is_whole)
{
    unsigned n = 0;
    const struct gm_kernel *const *all = plugin_kernels(&n);
    for (unsigned k = 0; k < n; k++) {
        const struct gm_kernel *x = all[k];
        cr_expect(x->abi == GM_KERNEL_ABI && x->size == sizeof(*x));
        cr_expect(x->open && x->begin && x->step && x->end && x->close && x->summary);
        for (unsigned i = 0; i < x->n_params; i++) {
            const struct gm_param_spec *p = &x->params[i];
            check_name(p->name, '-');
            cr_expect(p->help != NULL && p->min <= p->max, "%s.%s", x->name, p->name);
            cr_expect_eq(p->type == GM_PARAM_CHOICE, p->choices != NULL);
            cr_expect_not(
                (p->flags & GM_REQUIRED) && p->preset != NULL, "%s.%s", x->name, p->name);
        }
        for (unsigned i = 0; i < x->n_outputs; i++)
            check_output(x, i);
    }
}
