/* See load.h: a path made of axis values is looked at for every value. Invariant: the
 * sources stand in the order of the axes that the text uses, the last fastest. */
#include "load.h"
#include "spec/tasks.h"
#include "value.h"

enum { MOST_PATHS = 10000 }; /* files that one text may name over its axes */

/* Counts up the used axes like an odometer; false after the last. */
static bool advance(const struct jobspec_stage *s, const bool *used, uint64_t *at)
{
    for (unsigned i = s->n_axes; i-- > 0;) {
        if (!used[i])
            continue;
        if (++at[i] < s->axes[i].n)
            return true;
        at[i] = 0;
    }
    return false;
}

/* The axes that a text uses. */
static void mark_axes(const struct jobspec_template *t, bool *used)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct jobspec_ref *ref = t->pieces[i].ref;
        if (ref != NULL && ref->kind == JOBSPEC_REF_AXIS)
            used[ref->axis] = true;
    }
}

/* How many texts they make; 0: too many (told). */
static uint64_t count_texts(struct load *l,
                            const struct jobspec_stage *s,
                            const struct fault_path *at,
                            const struct doc_node *node,
                            const bool *used)
{
    uint64_t n = 1;
    for (unsigned i = 0; i < s->n_axes; i++) {
        if (!used[i])
            continue;
        if (__builtin_mul_overflow(n, s->axes[i].n, &n) || n > MOST_PATHS) {
            load_fault(
                l, at, node, "names more than %d files over its axes", (int)MOST_PATHS);
            return 0;
        }
    }
    return n;
}

static void print_path(const struct jobspec_stage *s,
                       const struct jobspec_template *t,
                       const uint64_t *at,
                       struct str *out)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct jobspec_ref *ref = t->pieces[i].ref;
        if (ref == NULL) {
            str_add(out, t->pieces[i].text);
            continue;
        }
        struct gm_value v = tasks_axis_value(&s->axes[ref->axis], at[ref->axis]);
        value_text(&v, out);
    }
}

const struct jobspec_source *const *paths_look(struct load *l,
                                               const struct jobspec_stage *s,
                                               const struct fault_path *at,
                                               const struct doc_node *node,
                                               const struct jobspec_template *t,
                                               uint32_t unit,
                                               unsigned *ret_n)
{
    bool used[LOAD_MAX_AXES] = {false};
    uint64_t where[LOAD_MAX_AXES] = {0};
    mark_axes(t, used);
    uint64_t n = count_texts(l, s, at, node, used);
    const struct jobspec_source **all = arena_alloc(l->arena, n, sizeof(void *));
    *ret_n = 0;
    if (n == 0)
        return all;
    do {
        AUTO_STR path = {0};
        print_path(s, t, where, &path);
        const struct jobspec_source *found =
            sources_add(l, at, node, str_text(&path), unit);
        if (found != NULL)
            all[(*ret_n)++] = found;
    } while (advance(s, used, where));
    return all;
}

uint64_t paths_index(const struct jobspec_stage *s,
                     const struct jobspec_template *t,
                     const uint64_t *axis_index)
{
    bool used[LOAD_MAX_AXES] = {false};
    uint64_t at = 0;
    mark_axes(t, used);
    for (unsigned i = 0; i < s->n_axes; i++) {
        if (used[i])
            at = at * s->axes[i].n + axis_index[i];
    }
    return at;
}
