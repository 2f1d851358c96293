/* gridmill plan --explain: why each rank stands where it stands, and what the placement
 * gave up, by the terms of its score. */
#include "job.h"
#include "nearness.h"
#include "plan_views.h"
#include "sched/auto.h"

static void add_terms(const struct plan_view *v, struct str *out)
{
    const struct score *s = &v->mapping->score;
    int width = 0;
    for (unsigned t = 0; t < SCORE_N_TERMS; t++) {
        int n = (int)strlen(score_term_name((enum score_term)t));
        width = n > width ? n : width;
    }
    str_printf(out, "\nscore %.4g, the weighted sum of what is lost\n", s->total);
    for (unsigned t = 0; t < SCORE_N_TERMS; t++)
        str_printf(out,
                   "  %-*s  %6.4g x %-4.4g  %s\n",
                   width,
                   score_term_name((enum score_term)t),
                   s->term[t],
                   score_term_weight((enum score_term)t),
                   score_term_help((enum score_term)t));
}

static void add_given_up(const struct plan_view *v, struct str *out)
{
    const struct score *s = &v->mapping->score;
    unsigned n = 0;
    for (unsigned t = 0; t < SCORE_N_TERMS; t++) {
        if (s->term[t] <= 0)
            continue;
        str_printf(out,
                   "%s%s",
                   n++ == 0 ? "given up: " : ", ",
                   score_term_name((enum score_term)t));
    }
    str_add(out, n > 0 ? "\n" : "given up: nothing\n");
}

static void add_auto(const struct plan_view *v, struct str *out)
{
    const struct placement *at = v->mapping->at;
    struct place_request req = mapping_request(v->spec);
    if (strcmp(req.mapping, "auto") != 0 || at->oversubscribed)
        return;
    bool spread = strcmp(at->mapping, "spread") == 0;
    str_printf(out, "auto is %s here: %s\n", at->mapping, auto_why(&req, spread));
}

static void add_nearness(const struct plan_view *v, struct str *out)
{
    struct nearness n;
    nearness_count(v->machine->at.tree, v->mapping->at, &n);
    str_printf(
        out, "\n%u of %u slots within one NUMA node", n.slots - n.over_numas, n.slots);
    if (n.caches)
        str_printf(out, ", %u within one L3 cache", n.slots - n.over_caches);
    if (n.gpus > 0)
        str_printf(out, ", %u of %u GPUs near their ranks", n.gpus_near, n.gpus);
    str_add(out, "\n");
}

int plan_explain(const struct plan_view *v)
{
    AUTO_STR out = {0};
    job_headline(v->spec, v->plan, &out);
    if (!jobspec_seated(v->spec))
        add_auto(v, &out);
    str_add(&out, "\n");
    plan_add_ranks(v->plan, &out);
    add_nearness(v, &out);
    if (jobspec_seated(v->spec)) {
        str_add(&out, "no score: the job's resources say where its slots stand\n");
    } else {
        add_terms(v, &out);
        add_given_up(v, &out);
    }
    plan_print(v->cli, out.text);
    return ENGINE_DONE;
}
