/* See resource.h. Recursion is at most RESOURCE_MAX_DEPTH deep: who builds the tree sees
 * to it. */
#include "resource.h"

const struct resource *
resource_slot(const struct resource *list, unsigned n, const char *label)
{
    const struct resource *found = NULL;
    for (unsigned i = 0; i < n && found == NULL; i++) {
        const struct resource *r = &list[i];
        bool same = label == NULL || (r->label != NULL && strcmp(r->label, label) == 0);
        if (same && strcmp(r->type, "slot") == 0)
            found = r;
        else
            found = resource_slot(r->with, r->n_with, label);
    }
    return found;
}

static void put_text(struct json *j, const char *key, const char *text)
{
    if (text != NULL)
        json_put_string(j, key, text);
}

void resource_json(struct json *j, const struct resource *list, unsigned n)
{
    json_begin(j, '[');
    for (unsigned i = 0; i < n; i++) {
        const struct resource *r = &list[i];
        json_begin(j, '{');
        json_put_string(j, "type", r->type);
        json_key(j, "count");
        count_json(j, &r->count);
        put_text(j, "unit", r->unit);
        put_text(j, "label", r->label);
        put_text(j, "id", r->id);
        if (r->exclusive != RESOURCE_UNSAID)
            json_put_bool(j, "exclusive", r->exclusive == RESOURCE_TRUE);
        if (r->n_with > 0) {
            json_key(j, "with");
            resource_json(j, r->with, r->n_with);
        }
        json_end(j, '}');
    }
    json_end(j, ']');
}

struct sums {
    struct resource_sum sum;
    bool node, exclusive_node;
};

static int add(int64_t *to, int64_t n)
{
    return __builtin_add_overflow(*to, n, to) ? -ERANGE : 0;
}

/* `times`: how often the list stands there; `owned`: it is at or below a slot. */
static int sum_list(
    const struct resource *list, unsigned n, int64_t times, bool owned, struct sums *s)
{
    for (unsigned i = 0; i < n; i++) {
        const struct resource *r = &list[i];
        bool slot = strcmp(r->type, "slot") == 0, node = strcmp(r->type, "node") == 0;
        int64_t here;
        int rc = 0;
        if (__builtin_mul_overflow(times, count_min(&r->count), &here))
            return -ERANGE;
        if (!count_is_fixed(&r->count))
            s->sum.moldable = true;
        if (slot)
            rc = add(&s->sum.slots, here);
        else if (node)
            rc = add(&s->sum.nodes, here);
        else if (strcmp(r->type, "core") == 0)
            rc = add(&s->sum.cores, here);
        else if (strcmp(r->type, "gpu") == 0)
            rc = add(&s->sum.gpus, here);
        bool mine = slot || owned;
        bool whole =
            r->exclusive == RESOURCE_TRUE || (r->exclusive == RESOURCE_UNSAID && mine);
        s->node |= node;
        s->exclusive_node |= node && whole;
        if (rc == 0)
            rc = sum_list(r->with, r->n_with, here, mine, s);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int resource_total(const struct resource *list, unsigned n, struct resource_sum *ret)
{
    struct sums s = {0};
    int rc = sum_list(list, n, 1, false, &s);
    if (rc != 0)
        return rc;
    if (!s.node)
        s.sum.nodes = -1;
    if (s.exclusive_node)
        s.sum.cores = -1;
    *ret = s.sum;
    return 0;
}
