/* See surroundings.h. Invariant: no name stands twice in an environment, since programs
 * disagree on which of two counts. What is equal for all tasks of a stage is put together
 * once: an environment of a hundred words costs a task a copy of their pointers. */
#include "surroundings.h"
#include "base/idset.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"
#include "launch/alloc.h"
#include <inttypes.h>

extern char **environ;

struct surroundings {
    struct arena *arena;
    const char **items;
    size_t n;
    struct strmap *index; /* name -> its item */
};

static void put(struct surroundings *s, const char *entry)
{
    const char *name = arena_copy(s->arena, entry, strcspn(entry, "="));
    size_t at = s->n;
    if (!strmap_get(s->index, name, &at))
        strmap_put(s->index, name, s->n++);
    s->items[at] = entry;
}

/* "PATH", "LD_*": a name, or how names begin. */
static bool matches(const char *pattern, const char *name)
{
    size_t n = strlen(pattern);
    if (n > 0 && pattern[n - 1] == '*')
        return strncmp(pattern, name, n - 1) == 0;
    return strcmp(pattern, name) == 0;
}

static bool is_inherited(const struct jobspec_stage *stage, const char *name)
{
    bool any = stage->inherit == NULL;
    for (unsigned i = 0; i < stage->n_inherit && !any; i++)
        any = matches(stage->inherit[i], name);
    for (unsigned i = 0; i < stage->n_env && any; i++)
        any = !stage->env[i].unset || strcmp(stage->env[i].name, name) != 0;
    return any && !alloc_is_private(name);
}

static void put_inherited(struct surroundings *s, const struct jobspec_stage *stage)
{
    for (size_t i = 0; environ[i] != NULL; i++) {
        const char *name = arena_copy(s->arena, environ[i], strcspn(environ[i], "="));
        if (is_inherited(stage, name))
            put(s, arena_strdup(s->arena, environ[i]));
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
static void put_seat(struct surroundings *s, const struct surroundings_of *of)
{
    put(s, arena_printf(s->arena, "GRIDMILL_TASK_RANK=%u", of->rank));
    put(s, arena_printf(s->arena, "GRIDMILL_TASK_COUNT=%u", of->plan->n_ranks));
    put(s, arena_printf(s->arena, "GRIDMILL_LOCAL_ID=%u", local_id(of->plan, of->rank)));
}

/* The rank's GPUs by the plan, in the order that ours have. */
static void put_gpus(struct surroundings *s, const struct plan_rank *r)
{
    if (r->gpus[0] == '\0')
        return;
    AUTO(idset) gpus = NULL;
    AUTO_STR list = {0};
    if (idset_parse(r->gpus, &gpus, NULL) != 0)
        return;
    for (int64_t i = idset_next(gpus, 0); i >= 0; i = idset_next(gpus, (unsigned)i + 1))
        str_printf(&list, "%s%d", list.len > 0 ? "," : "", (int)i);
    put(s, "CUDA_DEVICE_ORDER=PCI_BUS_ID");
    put(s, arena_printf(s->arena, "CUDA_VISIBLE_DEVICES=%s", str_text(&list)));
}

/* Its item becomes a hole: an empty place that no task fills. */
static void take_away(struct surroundings *s, const char *name)
{
    size_t at;
    if (strmap_get(s->index, name, &at))
        s->items[at] = NULL;
}

struct surroundings *surroundings_make(const struct surroundings_of *of)
{
    const struct jobspec_stage *stage = &of->spec->stages[of->stage];
    struct surroundings *s = xcalloc(1, sizeof(*s));
    size_t n_ours = 0;
    while (environ[n_ours] != NULL)
        n_ours++;
    s->arena = arena_make();
    s->index = strmap_make();
    s->items = arena_alloc(s->arena, n_ours + 16, sizeof(*s->items));
    put_inherited(s, stage);
    put(s, "GRIDMILL_TASK=");
    put(s, "GRIDMILL_ATTEMPT=");
    put(s, "TMPDIR=");
    put(s, arena_printf(s->arena, "GRIDMILL_STAGE=%s", stage->name));
    put(s, arena_printf(s->arena, "OMP_NUM_THREADS=%u", of->threads));
    put(s, arena_printf(s->arena, "OPENBLAS_NUM_THREADS=%u", of->threads));
    if (jobspec_seated(of->spec))
        put_seat(s, of);
    put_gpus(s, &of->plan->ranks[of->rank]);
    for (unsigned i = 0; i < stage->n_env; i++) {
        if (stage->env[i].unset)
            take_away(s, stage->env[i].name);
    }
    return s;
}

void surroundings_free(struct surroundings *s)
{
    if (s == NULL)
        return;
    strmap_free(s->index);
    arena_free(s->arena);
    free(s);
}

/* One environment while it is put together. */
struct env {
    const struct surroundings *shared;
    struct arena *arena;
    const char **items;
    size_t n;
};

/* A word that the stage unset stays away. */
static void fill(struct env *e, const char *name, const char *entry)
{
    size_t at;
    if (strmap_get(e->shared->index, name, &at) && e->items[at] != NULL)
        e->items[at] = entry;
}

static void replace(struct env *e, const char *entry)
{
    const char *name = arena_copy(e->arena, entry, strcspn(entry, "="));
    size_t at;
    if (strmap_get(e->shared->index, name, &at))
        e->items[at] = entry;
    else
        e->items[e->n++] = entry;
}

const char *const *surroundings_env(const struct surroundings *s,
                                    const struct surroundings_task *task,
                                    struct arena *arena)
{
    struct env e = {.shared = s, .arena = arena, .n = s->n};
    size_t n_own = 0, kept = 0;
    while (task->own[n_own] != NULL)
        n_own++;
    e.items = arena_alloc(arena, s->n + n_own + 1, sizeof(*e.items));
    memcpy(e.items, s->items, s->n * sizeof(*e.items));
    fill(&e, "GRIDMILL_TASK", arena_printf(arena, "GRIDMILL_TASK=%" PRIu64, task->task));
    fill(&e,
         "GRIDMILL_ATTEMPT",
         arena_printf(arena, "GRIDMILL_ATTEMPT=%u", task->attempt));
    fill(&e, "TMPDIR", arena_printf(arena, "TMPDIR=%s", task->tmpdir));
    for (size_t i = 0; i < n_own; i++)
        replace(&e, task->own[i]);
    for (size_t i = 0; i < e.n; i++) {
        if (e.items[i] != NULL)
            e.items[kept++] = e.items[i];
    }
    e.items[kept] = NULL;
    return e.items;
}
