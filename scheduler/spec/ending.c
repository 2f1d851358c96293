/* See load.h: how a launch ends: the time in which ranks drain, and what follows where a
 * launch was lost. Invariant: a grace is a time that ends. */
#include "load.h"

enum { MOST_RESTARTS = 1000 };

void ending_grace(struct load *l,
                  const struct fault_path *at,
                  const struct doc_node *node)
{
    double v;
    if (!load_duration(l, at, node, &v))
        return;
    if (v <= 0 && strncmp(node->as.text, "inf", 3) == 0)
        load_fault(l, at, node, "must be a time that ends");
    else
        l->spec->grace = v;
}

void ending_on_loss(struct load *l,
                    const struct fault_path *at,
                    const struct doc_node *node)
{
    const struct words *known = words_find(&words_job, "on-loss")->keys;
    int64_t v;
    if (!load_check_keys(l, at, node, known))
        return;
    const struct doc_node *restarts = doc_get(node, "restarts");
    const struct doc_node *policy = doc_get(node, "policy");
    struct fault_path restarts_at = {.up = at, .key = "restarts"};
    struct fault_path policy_at = {.up = at, .key = "policy"};
    if (restarts != NULL && load_int(l, &restarts_at, restarts, 0, MOST_RESTARTS, &v))
        l->spec->restarts = (unsigned)v;
    if (policy != NULL)
        l->spec->stop_on_loss =
            load_choice(l, &policy_at, policy, words_find(known, "policy")) == 1;
}
