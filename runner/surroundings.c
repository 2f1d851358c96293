/* See surroundings.h. Invariant: no name stands twice in an environment, since programs
 * disagree on which of two counts. */
#include "surroundings.h"
#include "base/strmap.h"
#include "launch/alloc.h"
#include <inttypes.h>

extern char **environ;

struct env {
    struct arena *arena;
    const char **items; /* room for all that may come */
    size_t n;
    struct strmap *index; /* name -> its item */
};

static void put(struct env *e, const char *entry)
{
    const char *name = arena_copy(e->arena, entry, strcspn(entry, "="));
    size_t at = e->n;
    if (!strmap_get(e->index, name, &at))
        strmap_put(e->index, name, e->n++);
    e->items[at] = entry;
}

/* Its item becomes a hole, closed at the end. */
static void take_away(struct env *e, const char *name)
{
    size_t at;
    if (!strmap_get(e->index, name, &at))
        return;
    e->items[at] = NULL;
}

static void put_inherited(struct env *e)
{
    for (size_t i = 0; environ[i] != NULL; i++) {
        const char *name = arena_copy(e->arena, environ[i], strcspn(environ[i], "="));
        if (!alloc_is_private(name))
            put(e, environ[i]);
    }
}

static unsigned local_id(const struct plan *plan, unsigned rank)
{
    unsigned n = 0;
    for (unsigned r = 0; r < rank; r++)
        n += strcmp(plan->ranks[r].host, plan->ranks[rank].host) == 0;
    return n;
}

/* A seated task's place among the others. */
static void put_seat(struct env *e, const struct attempt *a)
{
    put(e, arena_printf(e->arena, "GRIDMILL_TASK_RANK=%u", a->rank));
    put(e, arena_printf(e->arena, "GRIDMILL_TASK_COUNT=%u", a->plan->n_ranks));
    put(e, arena_printf(e->arena, "GRIDMILL_LOCAL_ID=%u", local_id(a->plan, a->rank)));
}

/* The rank's GPUs by the plan, in the order that ours have. */
static void put_gpus(struct env *e, const struct attempt *a)
{
    const struct plan_rank *r = &a->plan->ranks[a->rank];
    if (r->gpus[0] == '\0')
        return;
    AUTO(idset) gpus = NULL;
    AUTO_STR list = {0};
    if (idset_parse(r->gpus, &gpus, NULL) != 0)
        return;
    for (int64_t i = idset_next(gpus, 0); i >= 0; i = idset_next(gpus, (unsigned)i + 1))
        str_printf(&list, "%s%d", list.len > 0 ? "," : "", (int)i);
    put(e, "CUDA_DEVICE_ORDER=PCI_BUS_ID");
    put(e, arena_printf(e->arena, "CUDA_VISIBLE_DEVICES=%s", str_text(&list)));
}

const char *const *surroundings_env(const struct attempt *a,
                                    const struct tasks_command *command,
                                    struct arena *arena)
{
    const struct jobspec_stage *stage = &a->spec->stages[a->stage];
    size_t n_ours = 0, n_stage = 0;
    while (environ[n_ours] != NULL)
        n_ours++;
    while (command->env[n_stage] != NULL)
        n_stage++;
    AUTO(strmap) index = strmap_make();
    struct env e = {.arena = arena, .index = index};
    e.items = arena_alloc(arena, n_ours + n_stage + 16, sizeof(*e.items));
    put_inherited(&e);
    put(&e, arena_printf(arena, "GRIDMILL_STAGE=%s", stage->name));
    put(&e, arena_printf(arena, "GRIDMILL_TASK=%" PRIu64, a->task));
    put(&e, arena_printf(arena, "GRIDMILL_ATTEMPT=%u", a->number));
    put(&e, arena_printf(arena, "OMP_NUM_THREADS=%u", a->seat->n_threads));
    put(&e, arena_printf(arena, "OPENBLAS_NUM_THREADS=%u", a->seat->n_threads));
    if (jobspec_seated(a->spec))
        put_seat(&e, a);
    put_gpus(&e, a);
    for (size_t i = 0; i < n_stage; i++)
        put(&e, command->env[i]);
    for (unsigned i = 0; i < stage->n_env; i++) {
        if (stage->env[i].unset)
            take_away(&e, stage->env[i].name);
    }
    size_t kept = 0;
    for (size_t i = 0; i < e.n; i++) {
        if (e.items[i] != NULL)
            e.items[kept++] = e.items[i];
    }
    e.items[kept] = NULL;
    return e.items;
}
