/* See counts.h. Invariant: a number that the document leaves open is -1, never a guess.
 */
#include "counts.h"
#include "spec/flux.h"
#include <inttypes.h>

static int64_t product(int64_t a, int64_t b)
{
    int64_t v;
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &v) ? -1 : v;
}

static int64_t count_tasks(const struct jobspec *spec)
{
    int64_t sum = 0;
    if (jobspec_seated(spec) && spec->flux != NULL)
        return flux_count_tasks(spec->flux);
    for (unsigned i = 0; i < spec->n_stages; i++) {
        int64_t n = (int64_t)spec->stages[i].n_tasks;
        if (n == 0 || __builtin_add_overflow(sum, n, &sum))
            return -1;
    }
    return sum;
}

struct counts counts_of_resources(const struct resource *list, unsigned n)
{
    struct resource_sum sum = {0};
    if (resource_total(list, n, &sum) != 0)
        return (struct counts){-1, -1, -1, -1, -1, true};
    return (struct counts){sum.nodes, sum.slots, -1, sum.cores, sum.gpus, sum.moldable};
}

struct counts counts_of(const struct jobspec *spec)
{
    struct counts c = {-1, -1, -1, -1, -1, false};
    if (spec->flux != NULL) {
        c = counts_of_resources(spec->flux->resources, spec->flux->n_resources);
    } else {
        c.nodes = spec->nodes > 0 ? (int64_t)spec->nodes : -1;
        c.slots = spec->ranks > 0 ? (int64_t)spec->ranks : -1;
        c.cores = product(c.slots, spec->cores > 0 ? spec->cores : 1);
        c.gpus = spec->gpus == 0 ? 0 : product(c.slots, spec->gpus);
    }
    c.tasks = count_tasks(spec);
    return c;
}

static void put(struct json *j, const char *key, int64_t v)
{
    json_key(j, key);
    if (v >= 0)
        json_int(j, v);
    else
        json_null(j);
}

void counts_json(struct json *j, const struct counts *c)
{
    json_key(j, "counts");
    json_begin(j, '{');
    put(j, "nodes", c->nodes);
    put(j, "slots", c->slots);
    put(j, "tasks", c->tasks);
    put(j, "cores", c->cores);
    put(j, "gpus", c->gpus);
    json_put_bool(j, "least", c->least);
    json_end(j, '}');
}

static void add(struct str *out, bool *first, int64_t n, const char *what)
{
    if (n < 0)
        return;
    str_printf(out, "%s%" PRId64 " %s%s", *first ? "" : ", ", n, what, n == 1 ? "" : "s");
    *first = false;
}

void counts_resources_text(const struct counts *c, struct str *out)
{
    bool first = true;
    if (c->least)
        str_add(out, "at least ");
    add(out, &first, c->nodes, "node");
    add(out, &first, c->slots, "slot");
    add(out, &first, c->cores, "core");
    add(out, &first, c->gpus > 0 ? c->gpus : -1, "gpu");
    add(out, &first, c->tasks, "task");
    if (first)
        str_add(out, "counts are not told");
}

void counts_text(const struct jobspec *spec, const struct counts *c, struct str *out)
{
    bool first = true;
    if (spec->form != DIALECT_SHORT) {
        counts_resources_text(c, out);
        return;
    }
    add(out, &first, spec->n_stages, "stage");
    add(out, &first, c->tasks, "task");
}

const char *counts_dialect(enum dialect d)
{
    switch (d) {
    case DIALECT_RFC:
        return "rfc";
    case DIALECT_FLUX_CORE:
        return "flux-core";
    case DIALECT_FLUXION:
        return "fluxion";
    default:
        return "short";
    }
}
