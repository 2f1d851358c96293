/* See order.h. Invariant: a job that was made has no cycle above it, so as long as one
 * waits, one can run or can never run. */
#include "order.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "spec/faults.h"

/* Where a job says what it waits for. */
static const char *needs_path(const struct jobspec *s)
{
    return s->form == DIALECT_SHORT || s->form == DIALECT_AUTO
               ? "needs"
               : "attributes.system.dependencies";
}

GM_PRINTF(4, 5)
static void fault(struct jobspec_faults *faults,
                  const struct jobspec *s,
                  const struct dependency *d,
                  const char *fmt,
                  ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    faults_add_at(faults, needs_path(s), d->line, d->col, "%s", text);
}

/* The names of the file's jobs, so that each need is found at once. */
struct names {
    const char **items;
    bool *twice;
    struct strmap *index;
};

enum { MOST_HINTS = 20 }; /* each looks at all names, and nobody reads many */

static void tell_missing(const struct order *o,
                         const struct names *names,
                         const struct jobspec *s,
                         const struct dependency *d,
                         struct jobspec_faults *faults)
{
    const char *near = NULL;
    if (o->n == 1) {
        fault(faults,
              s,
              d,
              "waits for the job '%.80s', but this file holds no other: put both into "
              "one file, as documents with --- between them",
              d->value);
        return;
    }
    if (faults->n_errors < MOST_HINTS)
        near = str_nearest(d->value, names->items, o->n);
    fault(faults,
          s,
          d,
          "no job of this file is called '%.80s'%s%s%s",
          d->value,
          near != NULL ? "; did you mean '" : "",
          near != NULL ? near : "",
          near != NULL ? "'?" : "");
}

/* The job of a name; ORDER_NONE: told. */
static unsigned find(const struct order *o,
                     const struct names *names,
                     const struct jobspec *s,
                     const struct dependency *d,
                     struct jobspec_faults *faults)
{
    size_t at;
    if (!strmap_get(names->index, d->value, &at))
        tell_missing(o, names, s, d, faults);
    else if (names->twice[at])
        fault(faults, s, d, "two jobs of this file are called '%.80s'", d->value);
    else
        return (unsigned)at;
    return ORDER_NONE;
}

static void resolve(struct order *o,
                    const struct names *names,
                    unsigned i,
                    struct jobspec_faults *faults)
{
    struct order_job *job = &o->jobs[i];
    const struct jobspec *s = job->spec;
    unsigned *of = arena_alloc(o->arena, s->n_after, sizeof(*of));
    for (unsigned k = 0; k < s->n_after; k++) {
        const struct dependency *d = &s->after[k];
        of[k] = ORDER_NONE;
        if (d->kind == DEPENDENCY_BEGIN_TIME)
            job->begin = d->when > job->begin ? d->when : job->begin;
        else if (d->kind == DEPENDENCY_SYMBOLIC || d->kind == DEPENDENCY_OTHER)
            fault(faults,
                  s,
                  d,
                  "the scheme '%.80s' is a resource manager's; here jobs wait by after, "
                  "afterany, afterok, afternotok and begin-time",
                  d->scheme);
        else
            of[k] = find(o, names, s, d, faults);
    }
    job->of = of;
}

enum colour { WHITE = 0, GREY, BLACK };

/* "a -> b -> a" from the grey jobs of the path. */
static void tell_cycle(const struct order *o,
                       const unsigned *path,
                       unsigned depth,
                       unsigned to,
                       const struct dependency *d,
                       struct jobspec_faults *faults)
{
    AUTO_STR text = {0};
    unsigned from = 0;
    while (path[from] != to)
        from++;
    for (unsigned i = from; i < depth && i < from + 8; i++)
        str_printf(&text, "%s -> ", o->jobs[path[i]].spec->name);
    str_printf(&text, "%s%s", depth > from + 8 ? "... -> " : "", o->jobs[to].spec->name);
    const struct jobspec *s = o->jobs[path[depth - 1]].spec;
    fault(faults, s, d, "the jobs wait for each other: %s", text.text);
}

/* Depth first, without recursion. */
static void find_cycles(const struct order *o, struct jobspec_faults *faults)
{
    AUTO_FREE(unsigned char) colour = xcalloc(o->n, 1);
    AUTO_FREE(unsigned) path = xcalloc(o->n, sizeof(*path));
    AUTO_FREE(unsigned) next = xcalloc(o->n, sizeof(*next));
    for (unsigned root = 0; root < o->n; root++) {
        unsigned depth = 0;
        if (colour[root] == WHITE) {
            colour[root] = GREY;
            path[depth++] = root;
        }
        while (depth > 0) {
            unsigned i = path[depth - 1];
            const struct order_job *job = &o->jobs[i];
            if (next[i] == job->spec->n_after) {
                colour[i] = BLACK;
                depth--;
                continue;
            }
            unsigned k = next[i]++, to = job->of[k];
            if (to == ORDER_NONE || colour[to] == BLACK)
                continue;
            if (colour[to] == GREY) {
                tell_cycle(o, path, depth, to, &job->spec->after[k], faults);
                continue;
            }
            colour[to] = GREY;
            path[depth++] = to;
        }
    }
}

/* The jobs and what they wait for; what cannot be waited for is told. */
static struct order *make(const struct jobspec_jobs *jobs, struct jobspec_faults *faults)
{
    struct arena *a = arena_make();
    struct order *o = arena_alloc(a, 1, sizeof(*o));
    *o = (struct order){.arena = a, .n = jobs->n};
    o->jobs = arena_alloc(a, jobs->n, sizeof(*o->jobs));
    AUTO(strmap) index = strmap_make_for(jobs->n);
    AUTO_FREE(const char *) items = xcalloc(jobs->n, sizeof(*items));
    AUTO_FREE(bool) twice = xcalloc(jobs->n, sizeof(*twice));
    struct names names = {items, twice, index};
    for (unsigned i = 0; i < jobs->n; i++) {
        size_t at = i;
        o->jobs[i].spec = jobs->items[i];
        items[i] = jobs->items[i]->name;
        if (!strmap_add(index, items[i], &at))
            twice[at] = true;
    }
    for (unsigned i = 0; i < jobs->n; i++)
        resolve(o, &names, i, faults);
    return o;
}

void order_tell_cycles(const struct jobspec_jobs *jobs, struct jobspec_faults *faults)
{
    struct jobspec_faults other;
    faults_init(&other, faults->file);
    AUTO(order) o = make(jobs, &other);
    jobspec_faults_free(&other);
    find_cycles(o, faults);
    faults_sort(faults);
}

int order_make(const struct jobspec_jobs *jobs,
               struct jobspec_faults *faults,
               struct order **ret)
{
    size_t before = faults->n_errors;
    AUTO(order) o = make(jobs, faults);
    find_cycles(o, faults);
    faults_sort(faults);
    if (faults->n_errors > before)
        return -EINVAL;
    *ret = steal(&o);
    return 0;
}

void order_free(struct order *o)
{
    if (o != NULL)
        arena_free(o->arena);
}

enum need { MET, PENDING, NEVER };

static enum need look(enum dependency_kind kind, enum order_end end)
{
    if (end == ORDER_WAITS)
        return PENDING;
    switch (kind) {
    case DEPENDENCY_AFTER_START:
        return end == ORDER_NOT_RUN ? NEVER : MET;
    case DEPENDENCY_AFTER_OK:
        return end == ORDER_DONE ? MET : NEVER;
    case DEPENDENCY_AFTER_NOT_OK:
        return end == ORDER_DONE ? NEVER : MET;
    default:
        return MET;
    }
}

/* All needs of a job together; one that can never be met ends it. */
static enum need look_job(struct order *o, struct order_job *job)
{
    static const char *const ends[] = {"", "is done", "failed", "was not run"};
    bool pending = false;
    for (unsigned k = 0; k < job->spec->n_after; k++) {
        if (job->of[k] == ORDER_NONE)
            continue;
        const struct dependency *d = &job->spec->after[k];
        enum order_end end = o->jobs[job->of[k]].end;
        enum need n = look(d->kind, end);
        pending = pending || n == PENDING;
        if (n != NEVER)
            continue;
        job->end = ORDER_NOT_RUN;
        job->why = arena_printf(
            o->arena, "needs %s:%s, but %s %s", d->scheme, d->value, d->value, ends[end]);
        return NEVER;
    }
    return pending ? PENDING : MET;
}

/* When a job whose needs are met may begin; 0: now. */
static double begin_of(const struct order_job *job, double now)
{
    return job->begin > now ? job->begin : 0;
}

/* Of those whose needs are met the one that may begin first; ORDER_NONE: there is none,
 * and *ended is set where one became NOT_RUN. */
static unsigned find_ready(struct order *o, double now, bool *ended)
{
    unsigned best = ORDER_NONE;
    for (unsigned i = 0; i < o->n; i++) {
        struct order_job *job = &o->jobs[i];
        enum need n = job->end == ORDER_WAITS ? look_job(o, job) : PENDING;
        *ended = *ended || n == NEVER;
        if (n == MET &&
            (best == ORDER_NONE || begin_of(job, now) < begin_of(&o->jobs[best], now)))
            best = i;
    }
    return best;
}

unsigned order_next(struct order *o, double now, double *ret_begin)
{
    unsigned best = ORDER_NONE;
    for (bool ended = true; ended && best == ORDER_NONE;) {
        ended = false;
        best = find_ready(o, now, &ended);
    }
    if (best != ORDER_NONE)
        *ret_begin = o->jobs[best].begin;
    return best;
}
