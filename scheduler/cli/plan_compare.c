/* gridmill plan --compare: the same job under several mappings, a row each. The best is
 * the one with the lowest score; of equal ones the first that was named.
 *
 * A score tells what is lost, not what is held: gpu-near gives a rank a GPU and half a
 * NUMA node where pack gives it a core. So only rows that hold as much are compared: as
 * auto's, or where that is not asked for as the first's.
 *
 * Invariant: a mapping that does not fit or does not go with the job has a row that says
 * why; neither it nor ranks that nobody binds are best where a bound row is. */
#include "base/memory.h"
#include "nearness.h"
#include "plan_views.h"
#include "say.h"
#include "spec/mapwords.h"
#include <assert.h>
#include <stdlib.h>

struct row {
    const char *words;
    int rc; /* of mapping_make */
    struct gm_error err;
    char *became; /* "spread": what auto is */
    bool unbound;
    bool other; /* holds other ranks, CPUs or GPUs than what is compared */
    struct score score;
    struct nearness near;
};

struct table {
    struct row *rows;
    unsigned n;
    unsigned best;
    bool differs[SCORE_N_TERMS]; /* not 0 in all rows: has a column */
};

/* "pack,spread", each --compare; with ';' in it that one parts the words, since Open
 * MPI's may have commas. */
static void add_words(struct arena *a, const char *text, struct table *t)
{
    const char *part = strchr(text, ';') != NULL ? ";" : ",";
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, part);
        t->rows = xrealloc(t->rows, t->n + 1, sizeof(*t->rows));
        t->rows[t->n++] = (struct row){.words = arena_copy(a, p, n)};
        p += n;
        if (*p == '\0')
            return;
    }
}

static void
fill_row(const struct jobspec *spec, const struct restree *tree, struct row *r)
{
    struct mapping m;
    r->rc = mapping_make(spec, tree, r->words, &m, &r->err);
    if (r->rc != 0)
        return;
    r->became = xstrdup(m.at->mapping);
    r->unbound = m.at->unbound || m.at->oversubscribed;
    r->score = m.score;
    nearness_count(tree, m.at, &r->near);
    mapping_clear(&m);
}

/* Whose resources are compared: auto's, else the first's; bound ones if there are any. */
static const struct row *measure(const struct table *t)
{
    const struct row *best = NULL;
    for (unsigned i = 0; i < t->n; i++) {
        const struct row *r = &t->rows[i];
        bool is_auto = strcmp(r->words, "auto") == 0;
        if (r->rc == 0 && (best == NULL || (best->unbound && !r->unbound) ||
                           (is_auto && r->unbound == best->unbound)))
            best = r;
    }
    return best;
}

static bool alike(const struct row *a, const struct row *b)
{
    return a->unbound == b->unbound && a->near.slots == b->near.slots &&
           a->near.cpus == b->near.cpus && a->near.gpus == b->near.gpus;
}

static void choose(struct table *t, const struct row *as)
{
    t->best = (unsigned)(as - t->rows);
    for (unsigned i = t->n; i-- > 0;) {
        struct row *r = &t->rows[i];
        r->other = r->rc == 0 && !alike(r, as);
        if (r->rc == 0 && !r->other && r->score.total <= t->rows[t->best].score.total)
            t->best = i;
    }
}

/* A word that is none is a slip of the pen; one that does not go with the job has a row.
 */
static bool is_word(const struct row *r)
{
    static const char *const ours[] = {
        "auto", "pack", "spread", "numa", "gpu-near", "inherited"};
    struct mapwords w;
    struct gm_error err;
    unsigned at;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(ours[i], r->words) == 0)
            return true;
    }
    return mapwords_parse(r->words, NULL, NULL, &w, &at, &err) == 0 &&
           w.cannot[0] == '\0';
}

static int fill(const struct cli *cli,
                const struct jobspec *spec,
                const struct restree *tree,
                struct table *t)
{
    assert(t->n > 0 && "--compare has a row, be it of an empty word");
    for (unsigned i = 0; i < t->n; i++) {
        struct row *r = &t->rows[i];
        fill_row(spec, tree, r);
        if (r->rc == -EINVAL && !is_word(r)) {
            (void)gm_prefix(&r->err, "--compare %s", r->words);
            return say_failure(cli, ENGINE_USAGE, &r->err);
        }
        for (unsigned k = 0; k < SCORE_N_TERMS && r->rc == 0; k++)
            t->differs[k] = t->differs[k] || r->score.term[k] > 0;
    }
    const struct row *as = measure(t);
    if (as == NULL)
        return say_failure(cli, engine_exit_for(t->rows[0].rc), &t->rows[0].err);
    choose(t, as);
    return ENGINE_DONE;
}

static void print_json(const struct jobspec *spec, const struct table *t)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.compare/1");
    json_put_string(&j, "name", spec->name);
    json_put_string(&j, "best", t->rows[t->best].words);
    json_key(&j, "mappings");
    json_begin(&j, '[');
    for (unsigned i = 0; i < t->n; i++) {
        const struct row *r = &t->rows[i];
        json_begin(&j, '{');
        json_put_string(&j, "words", r->words);
        json_put_string(&j, "error", r->rc != 0 ? r->err.text : NULL);
        json_put_string(&j, "mapping", r->became);
        if (r->rc == 0) {
            plan_put_score(&j, spec, &r->score);
            json_put_int(&j, "ranks", r->near.slots);
            json_put_int(&j, "cpus", r->near.cpus);
            json_put_bool(&j, "bound", !r->unbound);
            json_put_bool(&j, "compared", !r->other);
            json_put_int(&j, "gpus", r->near.gpus);
            json_put_int(&j, "gpus_near", r->near.gpus_near);
            json_put_int(&j, "slots_over_numas", r->near.over_numas);
            json_put_int(&j, "slots_over_caches", r->near.over_caches);
        }
        json_end(&j, '}');
    }
    json_end(&j, ']');
    json_end(&j, '}');
    terminal_print(j.out.text);
}

/* "auto = spread" */
static void row_name(const struct row *r, struct str *out)
{
    str_add(out, r->words);
    if (r->became != NULL && strcmp(r->became, r->words) != 0)
        str_printf(out, " = %s", r->became);
}

static void draw_row(const struct table *t, const struct row *r, struct str *out)
{
    if (r->rc != 0) {
        str_printf(out,
                   "  %s: %s\n",
                   r->rc == -EINVAL ? "does not go with the job" : "does not fit",
                   r->err.text);
        return;
    }
    str_printf(out, "  %5u  %5u  %6.4g", r->near.slots, r->near.cpus, r->score.total);
    for (unsigned k = 0; k < SCORE_N_TERMS; k++) {
        if (t->differs[k])
            str_printf(out, "  %8.4g", r->score.term[k]);
    }
    str_printf(out,
               "  %4u/%-4u  %5u  %5u%s\n",
               r->near.gpus_near,
               r->near.gpus,
               r->near.over_numas,
               r->near.over_caches,
               r->unbound ? "  unbound"
               : r->other ? "  not compared"
                          : "");
}

static void add_legend(const struct table *t, struct str *out)
{
    unsigned n = 0, other = 0;
    str_add(out,
            "* best: the lowest total of what is lost; >NUMA, >L3: ranks on several\n");
    for (unsigned i = 0; i < t->n; i++)
        other += t->rows[i].other && !t->rows[i].unbound;
    if (other > 0)
        str_add(out, "not compared: holds other ranks, CPUs or GPUs than the best\n");
    for (unsigned k = 0; k < SCORE_N_TERMS; k++) {
        if (!t->differs[k])
            str_printf(out,
                       "%s%s",
                       n++ == 0 ? "nothing is lost in: " : ", ",
                       score_term_name((enum score_term)k));
    }
    str_add(out, n > 0 ? "\n" : "");
}

static void print_text(const struct cli *cli, const struct table *t)
{
    AUTO_STR out = {0};
    const struct terminal *term = &cli->terminal;
    int width = 7;
    for (unsigned i = 0; i < t->n; i++) {
        AUTO_STR name = {0};
        row_name(&t->rows[i], &name);
        width = (int)name.len > width ? (int)name.len : width;
    }
    str_printf(&out, "  %-*s  ranks   cpus   total", width, "mapping");
    for (unsigned k = 0; k < SCORE_N_TERMS; k++) {
        if (t->differs[k])
            str_printf(&out, "  %8s", score_term_name((enum score_term)k));
    }
    str_add(&out, "  near GPUs  >NUMA    >L3\n");
    for (unsigned i = 0; i < t->n; i++) {
        AUTO_STR name = {0};
        bool best = i == t->best;
        row_name(&t->rows[i], &name);
        str_printf(&out,
                   "%s%s %-*s",
                   best && term->colour_out ? "\033[1m" : "",
                   best ? "*" : " ",
                   width,
                   name.text);
        draw_row(t, &t->rows[i], &out);
        str_add(&out, best && term->colour_out ? "\033[0m" : "");
    }
    add_legend(t, &out);
    terminal_print(out.text);
}

static int check(const struct cli *cli, const struct jobspec *spec)
{
    struct gm_error err = {0};
    if (!jobspec_seated(spec))
        return ENGINE_DONE;
    (void)gm_fail(&err,
                  -EINVAL,
                  "--compare: %s: its resources say where its slots stand: there is no "
                  "mapping to choose",
                  spec->file);
    return say_failure(cli, ENGINE_USAGE, &err);
}

int plan_compare(const struct cli *cli,
                 const struct jobspec *spec,
                 const struct machine *machine)
{
    AUTO(arena) a = arena_make();
    struct table t = {0};
    for (unsigned i = 0; i < cli->args.n_given; i++) {
        if (strcmp(cli->args.given[i].option->name, "compare") == 0)
            add_words(a, cli->args.given[i].value, &t);
    }
    int code = check(cli, spec);
    if (code == ENGINE_DONE)
        code = fill(cli, spec, machine->at.tree, &t);
    if (code == ENGINE_DONE && cli->json)
        print_json(spec, &t);
    else if (code == ENGINE_DONE)
        print_text(cli, &t);
    for (unsigned i = 0; i < t.n; i++)
        free(t.rows[i].became);
    free(t.rows);
    return code;
}
