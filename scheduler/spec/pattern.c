/* See load.h and pattern.h: the key `pattern`. A matrix's file is one of the job's
 * sources: its digest is fixed with the plan, and it is read where sources are looked at,
 * never by a rank. Invariant: a pattern that is kept fits the number of ranks, where the
 * job says one. */
#include "spec/pattern.h"
#include "load.h"

#define ONE_OF                                                                           \
    "must be ring, tree, {stencil-2d: [ROWS, COLUMNS]}, {all-to-all: RANKS} or "         \
    "{matrix: FILE}"

static int check_stencil(const struct pattern *p, unsigned n_ranks, struct gm_error *err)
{
    uint64_t product = (uint64_t)p->rows * p->columns;
    if (product == n_ranks)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "pattern: stencil-2d [%u, %u] is of %llu ranks, and the job has %u",
                   p->rows,
                   p->columns,
                   (unsigned long long)product,
                   n_ranks);
}

static int check_groups(unsigned group, unsigned n_ranks, struct gm_error *err)
{
    uint64_t pairs = (uint64_t)n_ranks * (group - 1) / 2;
    if (group > n_ranks)
        return gm_fail(err,
                       -EINVAL,
                       "pattern: all-to-all in groups of %u ranks, and the job has %u",
                       group,
                       n_ranks);
    if (pairs > PATTERN_MOST_PAIRS)
        return gm_fail(err,
                       -EINVAL,
                       "pattern: all-to-all: %u ranks in groups of %u are %llu pairs, "
                       "more than %u: name smaller groups, or no pattern",
                       n_ranks,
                       group,
                       (unsigned long long)pairs,
                       PATTERN_MOST_PAIRS);
    return 0;
}

static int check_matrix(const struct pattern *p, unsigned n_ranks, struct gm_error *err)
{
    uint32_t most = 0;
    if (p->n_ranks > 0 && p->n_ranks != n_ranks)
        return gm_fail(err,
                       -EINVAL,
                       "pattern: %s is a matrix of %u ranks, and the job has %u",
                       p->written,
                       p->n_ranks,
                       n_ranks);
    for (size_t i = 0; i < p->n_pairs; i++) {
        most = p->pairs[i].a > most ? p->pairs[i].a : most;
        most = p->pairs[i].b > most ? p->pairs[i].b : most;
    }
    if (p->n_pairs > 0 && most >= n_ranks)
        return gm_fail(err,
                       -EINVAL,
                       "pattern: %s names rank %u, and the job has %u rank%s (three "
                       "numbers a line are `i j weight`)",
                       p->written,
                       most,
                       n_ranks,
                       n_ranks == 1 ? "" : "s");
    return 0;
}

int pattern_check(const struct pattern *p, unsigned n_ranks, struct gm_error *err)
{
    switch (p->kind) {
    case PATTERN_STENCIL_2D:
        return check_stencil(p, n_ranks, err);
    case PATTERN_ALL_TO_ALL:
        return check_groups(p->group, n_ranks, err);
    case PATTERN_MATRIX:
        return check_matrix(p, n_ranks, err);
    default:
        return 0;
    }
}

static bool read_word(struct load *l,
                      const struct fault_path *at,
                      const struct doc_node *node,
                      struct pattern *p)
{
    static const char *const all[] = {"ring", "tree"};
    char hint[128];
    p->kind = strcmp(node->as.text, "ring") == 0   ? PATTERN_RING
              : strcmp(node->as.text, "tree") == 0 ? PATTERN_TREE
                                                   : PATTERN_NONE;
    if (p->kind == PATTERN_NONE)
        load_fault(l,
                   at,
                   node,
                   ONE_OF ", not '%.80s'%s",
                   node->as.text,
                   load_hint(node->as.text, all, sizeof(all) / sizeof(all[0]), hint));
    return p->kind != PATTERN_NONE;
}

static bool read_stencil(struct load *l,
                         const struct fault_path *at,
                         const struct doc_node *node,
                         struct pattern *p)
{
    unsigned *to[] = {&p->rows, &p->columns};
    p->kind = PATTERN_STENCIL_2D;
    if (node->kind != DOC_LIST || node->n != 2) {
        load_fault(l, at, node, "must be [ROWS, COLUMNS], such as [8, 16]");
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct fault_path here = {.up = at, .index = i};
        int64_t v;
        if (!load_int(l, &here, &node->as.items[i], 1, PATTERN_MOST_RANKS, &v))
            return false;
        *to[i] = (unsigned)v;
    }
    if ((uint64_t)p->rows * p->columns <= PATTERN_MOST_RANKS)
        return true;
    load_fault(l, at, node, "rows times columns must be %u or less", PATTERN_MOST_RANKS);
    return false;
}

static bool read_groups(struct load *l,
                        const struct fault_path *at,
                        const struct doc_node *node,
                        struct pattern *p)
{
    int64_t v;
    if (!load_int(l, at, node, 2, PATTERN_MOST_RANKS, &v))
        return false;
    p->kind = PATTERN_ALL_TO_ALL;
    p->group = (unsigned)v;
    return true;
}

static bool read_matrix(struct load *l,
                        const struct fault_path *at,
                        const struct doc_node *node,
                        struct pattern *p)
{
    struct gm_error err = {0};
    const char *text;
    if (!load_text(l, at, node, &text))
        return false;
    const struct jobspec_source *s = sources_add(l, at, node, text, GM_BYTES);
    if (s == NULL)
        return false;
    p->kind = PATTERN_MATRIX;
    p->file = s->path;
    p->written = s->written;
    if (l->opt->look == NULL || pattern_read(s->path, l->arena, p, &err) == 0)
        return true;
    load_fault(l, at, node, "%s", err.text);
    return false;
}

static bool read_map(struct load *l,
                     const struct fault_path *at,
                     const struct doc_node *node,
                     struct pattern *p)
{
    const struct words *known = words_find(&words_job, "pattern")->keys;
    if (!load_check_keys(l, at, node, known))
        return false;
    if (node->n != 1) {
        load_fault(l, at, node, ONE_OF);
        return false;
    }
    const struct doc_node *item = node->as.items;
    struct fault_path here = {.up = at, .key = item->key};
    if (strcmp(item->key, "stencil-2d") == 0)
        return read_stencil(l, &here, item, p);
    if (strcmp(item->key, "all-to-all") == 0)
        return read_groups(l, &here, item, p);
    return strcmp(item->key, "matrix") == 0 && read_matrix(l, &here, item, p);
}

void pattern_key(struct load *l, const struct fault_path *at, const struct doc_node *node)
{
    struct pattern *p = arena_alloc(l->arena, 1, sizeof(*p));
    p->line = node->line;
    p->col = node->line > 0 ? node->col : 0;
    bool fine = false;
    if (node->kind == DOC_MAP)
        fine = read_map(l, at, node, p);
    else if (node->kind == DOC_STRING)
        fine = read_word(l, at, node, p);
    else
        load_fault(l, at, node, ONE_OF ", not %s", doc_kind_name(node->kind));
    if (fine)
        l->spec->pattern = p;
}

void pattern_settle(struct load *l, const struct doc_node *root)
{
    static const struct fault_path at = {.key = "pattern"};
    const struct pattern *p = l->spec->pattern;
    struct gm_error err = {0};
    if (p == NULL)
        return;
    if (l->spec->ranks == 0 && p->kind == PATTERN_STENCIL_2D)
        l->spec->ranks = p->rows * p->columns;
    if (l->spec->ranks > 0 && pattern_check(p, l->spec->ranks, &err) != 0)
        load_fault(
            l, &at, doc_get(root, "pattern"), "%s", err.text + strlen("pattern: "));
}
