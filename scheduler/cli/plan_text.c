/* gridmill plan, as text: the machine with the ranks on it, a line a rank, the stages,
 * the launch line with its reasons. */
#include "engine/differs.h"
#include "engine/inwords.h"
#include "fold.h"
#include "job.h"
#include "plan_views.h"
#include <inttypes.h>

enum { MANY_RANKS = 64, FIRST_RANKS = 48, LAST_RANKS = 4 };

/* "2 x 3 x 8 shards" */
static void shape_text(const struct jobspec_stage *s, struct str *out)
{
    for (unsigned i = 0; i < s->n_axes; i++)
        str_printf(
            out, "%s%" PRIu64 " %s", i > 0 ? " x " : "", s->axes[i].n, s->axes[i].name);
    if (s->shards_of != NULL)
        str_printf(out, "%s%" PRIu64 " shards", s->n_axes > 0 ? " x " : "", s->n_shards);
}

/* " on slot default = 2 x, 4 ranks each, after train" */
static void
draw_stage(const struct jobspec *spec, const struct jobspec_stage *s, struct str *out)
{
    AUTO_STR shape = {0};
    shape_text(s, &shape);
    if (s->slot != NULL && s->slot->label != NULL)
        str_printf(out, " on slot %s", s->slot->label);
    if (shape.len > 0)
        str_printf(out, " = %s", shape.text);
    if (s->group == 0)
        str_add(out, ", all ranks together");
    else if (s->group > 1)
        str_printf(out, ", %u ranks each", s->group);
    for (unsigned k = 0; k < s->n_needs; k++)
        str_printf(out,
                   "%s%s",
                   k == 0 ? ", after " : ", ",
                   spec->stages[s->needs[k].stage].name);
    str_add(out, "\n");
}

static void
draw_stages(const struct jobspec *spec, const struct plan *plan, struct str *out)
{
    int width = 5;
    for (unsigned i = 0; i < spec->n_stages; i++) {
        int n = (int)strlen(spec->stages[i].name);
        width = n > width ? n : width;
    }
    str_add(out, "\nstages\n");
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct jobspec_stage *s = &spec->stages[i];
        uint64_t n_tasks = plan_n_tasks(plan, spec, i);
        str_printf(out,
                   "  %-*s  %-10s %6" PRIu64 " task%s",
                   width,
                   s->name,
                   s->kernel != NULL ? s->kernel->name : "command",
                   n_tasks,
                   n_tasks == 1 ? " " : "s");
        draw_stage(spec, s, out);
    }
}

static int width_of(const char *text, int least)
{
    int n = (int)strlen(text);
    return n > least ? n : least;
}

void plan_add_ranks(const struct plan *plan, struct str *out)
{
    int cpus = 4, host = 4;
    bool many = plan->n_ranks > MANY_RANKS;
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        cpus = width_of(plan->ranks[i].cpus, cpus);
        host = width_of(plan->ranks[i].host, host);
    }
    str_printf(out, "rank  %-*s  %-*s  why\n", host, "host", cpus, "cpus");
    for (unsigned i = 0; i < plan->n_ranks; i++) {
        const struct plan_rank *r = &plan->ranks[i];
        if (many && i == FIRST_RANKS) {
            i = plan->n_ranks - LAST_RANKS;
            str_printf(out,
                       "      %u ranks more (--json has them all)\n",
                       i - (unsigned)FIRST_RANKS);
            r = &plan->ranks[i];
        }
        str_printf(
            out, "%4u  %-*s  %-*s  %s", i, host, r->host, cpus, r->cpus, r->reason);
        bool told = strstr(r->reason, "; GPU ") != NULL;
        str_printf(out,
                   "%s%s\n",
                   *r->gpus != '\0' && !told ? ", GPU " : "",
                   told ? "" : r->gpus);
    }
}

void plan_print(const struct cli *cli, const char *text)
{
    AUTO_STR folded = {0};
    if (cli->terminal.out)
        fold_lines(text, (unsigned)cli->terminal.width, &folded);
    terminal_print(cli->terminal.out ? str_text(&folded) : text);
}

int plan_text(const struct plan_view *v)
{
    AUTO_STR out = {0};
    AUTO_STR words = {0};
    job_headline(v->spec, v->plan, &out);
    if (v->machine->name != NULL)
        str_printf(&out, "a what-if, on %s\n", v->machine->name);
    job_map(v->machine->at.tree, v->plan, v->cli->terminal.utf8, &out);
    str_add(&out, "\n");
    plan_add_ranks(v->plan, &out);
    draw_stages(v->spec, v->plan, &out);
    str_add(&out, "\n");
    if (v->machine->name != NULL)
        str_add(&out, "what-if ");
    job_launch(v->line, &out);
    inwords_find(v->spec, v->machine->at.tree, v->mapping->at, &words);
    if (words.len > 0)
        str_printf(&out, "the same in PRRTE 5's own words: %s\n", words.text);
    differs_tell(v->spec, v->machine->at.tree, v->plan, &out);
    str_printf(&out, "\nresults: %s\n", v->plan->results);
    plan_print(v->cli, out.text);
    return ENGINE_DONE;
}

int plan_rankfile(const struct plan_view *v)
{
    struct gm_error err = {0};
    if (v->line->rankfile != NULL) {
        terminal_print(v->line->rankfile);
        return ENGINE_DONE;
    }
    (void)gm_fail(&err,
                  -EINVAL,
                  "--rankfile: %s",
                  v->plan->binder == PLAN_BOUND_BY_LAUNCHER
                      ? "this launcher takes none: --launcher ompi4 or ompi5"
                      : "this plan has none: its ranks share CPUs, and mpirun leaves "
                        "them unbound");
    return say_failure(v->cli, ENGINE_USAGE, &err);
}
