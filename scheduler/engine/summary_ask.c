/* The small questions to a summary. Invariant: the outcome follows from the counts alone.
 */
#include "base/memory.h"
#include "summary_data.h"
#include <math.h>

const char *summary_id(const struct summary *s)
{
    return s->id;
}

uint64_t summary_tasks(const struct summary *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->n_stages; i++)
        n += s->stages[i].n_tasks;
    return n;
}

const char *summary_folder(const struct summary *s)
{
    return s->packed ? NULL : s->path;
}

double summary_end(const struct summary *s)
{
    double end = 0;
    for (unsigned i = 0; i < s->n_stages; i++)
        end = s->stages[i].end > end ? s->stages[i].end : end;
    return end;
}

uint64_t summary_committed(const struct summary *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->n_stages; i++)
        n += s->stages[i].n_tasks - s->stages[i].open;
    return n;
}

const char *summary_verdict(const struct summary *s)
{
    return s->verdict;
}

void summary_add_phases(struct summary *s, const struct engine_phase *phases, unsigned n)
{
    struct engine_phase *all = arena_alloc(s->arena, s->n_phases + n, sizeof(*all));
    for (unsigned i = 0; i < s->n_phases; i++)
        all[i] = s->phases[i];
    for (unsigned i = 0; i < n; i++)
        all[s->n_phases + i] =
            (struct engine_phase){arena_strdup(s->arena, phases[i].name), phases[i].s};
    s->phases = all;
    s->n_phases += n;
}

enum engine_exit summary_exit(const struct summary *s)
{
    if (summary_committed(s) < summary_tasks(s))
        return ENGINE_INCOMPLETE;
    for (unsigned i = 0; i < s->n_stages; i++) {
        if (s->stages[i].failed + s->stages[i].skipped > 0)
            return ENGINE_TASK_FAILED;
    }
    return ENGINE_DONE;
}

const char *summary_outcome(const struct summary *s)
{
    switch (summary_exit(s)) {
    case ENGINE_DONE:
        return "done";
    case ENGINE_TASK_FAILED:
        return "failed";
    default:
        return "incomplete";
    }
}

double summary_start(const struct summary *s)
{
    double start = 0;
    for (unsigned i = 0; i < s->n_stages; i++) {
        const struct summary_stage *stage = &s->stages[i];
        if (stage->start > 0 && (start == 0 || stage->start < start))
            start = stage->start;
    }
    return start;
}

double summary_wall(const struct summary *s)
{
    double start = summary_start(s), end = 0;
    for (unsigned i = 0; i < s->n_stages; i++)
        end = s->stages[i].end > end ? s->stages[i].end : end;
    return end > start ? end - start : 0;
}

/* A mean time or a total says little of what a job found; a best (GFLOP/s), measured or
 * not, and a computed mean do. */
static bool is_headline(const struct summary_output *o)
{
    bool extreme = o->kind == GM_SUM_BEST || o->kind == GM_SUM_LEAST;
    return o->n > 0 && (extreme || (o->kind == GM_SUM_MEAN && !o->measured));
}

const struct summary_output *summary_headline(const struct summary *s,
                                              unsigned *ret_stage)
{
    for (unsigned i = s->n_stages; i-- > 0;) {
        for (unsigned k = 0; k < s->stages[i].n_outputs; k++) {
            if (!is_headline(&s->stages[i].outputs[k]))
                continue;
            *ret_stage = i;
            return &s->stages[i].outputs[k];
        }
    }
    return NULL;
}

const char *summary_kind_name(uint32_t kind)
{
    switch (kind) {
    case GM_SUM_TOTAL:
        return "total";
    case GM_SUM_MEAN:
        return "mean";
    case GM_SUM_BEST:
        return "highest";
    case GM_SUM_LEAST:
        return "lowest";
    case GM_SUM_MATRIX:
        return "matrix";
    default:
        return "";
    }
}

const char *summary_number(const struct summary_output *o, double v, char buf[32])
{
    if (o->integral && fabs(v) < 9e15)
        (void)snprintf(buf, 32, "%.0f", v);
    else
        (void)snprintf(buf, 32, "%.4g", v);
    return buf;
}

char *summary_path(const char *results)
{
    struct str out = {0};
    const char *slash = strrchr(results, '/');
    const char *base = slash != NULL ? slash + 1 : results;
    const char *dot = strrchr(base, '.');
    size_t len = dot != NULL && dot > base ? (size_t)(dot - results) : strlen(results);
    str_add_n(&out, results, len);
    str_add(&out, ".summary.json");
    return str_steal(&out);
}
