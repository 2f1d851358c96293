/* See draw.h. A node whose only child is another domain shares its line with it; cores
 * that follow each other with the same ranks on them are one line (a run), and on a large
 * machine runs that follow each other with one rank each are one line too.
 *
 * Is there only one run below a domain, it stands on the domain's line.
 *
 * Invariant: every core of a drawn host is in exactly one line. */
#include "draw.h"
#include "base/memory.h"

enum {
    MANY_CORES = 32, /* from here runs of ranks share a line */
    MANY_HOSTS = 8   /* used ones; from here a host is a line */
};

struct glyphs {
    const char *tee, *last, *bar, *dot, *to;
};

static const struct glyphs boxes = {"├─ ", "└─ ", "│  ", " · ", "…"};
static const struct glyphs ascii = {"|- ", "`- ", "|  ", ", ", "..."};

/* Who is on a core: how many ranks, the first of them, and a hash of all, to compare by.
 */
struct owners {
    unsigned n, first;
    uint64_t hash;
};

struct painter {
    const struct restree *tree;
    unsigned host;
    const struct topo_shape *shape;
    const struct draw_seat *seats; /* NULL: the machine alone */
    unsigned n_seats;
    const struct glyphs *glyphs;
    struct owners *owners; /* one a node; cores' alone are used */
    struct str *out;
    struct str prefix;
};

/* Cores from `first` on (siblings) with one line: `step` 0: the same ranks on all; else
 * n_cores / each ranks, one after the other, `each` cores a rank. */
struct run {
    unsigned first, last; /* nodes */
    unsigned n_cores, each;
    unsigned n_ranks;
    int64_t step;
};

static void find_owners(struct painter *p)
{
    const struct topo_shape *s = p->shape;
    for (unsigned r = 0; r < p->n_seats; r++) {
        if (p->seats[r].host != p->host)
            continue;
        for (unsigned i = 0; i < s->n_nodes; i++) {
            const struct topo_node *n = &s->nodes[i];
            bool on = false;
            for (unsigned k = 0; n->kind == GM_CORE && k < n->n_pus && !on; k++)
                on = idset_has(p->seats[r].pus, s->pus[n->first_pu + k]);
            if (!on)
                continue;
            struct owners *o = &p->owners[i];
            if (o->n++ == 0)
                o->first = r;
            o->hash = (o->hash ^ (r + 1)) * UINT64_C(0x100000001b3);
        }
    }
}

static bool same_owners(struct owners a, struct owners b)
{
    return a.n == b.n && a.hash == b.hash;
}

/* Joins cores [i, end) that are siblings into one run of equal owners. */
static struct run equal_run(const struct painter *p, unsigned i, unsigned end)
{
    const struct topo_node *nodes = p->shape->nodes;
    struct run r = {.first = i, .last = i, .n_cores = 1, .n_ranks = 1};
    for (i = nodes[i].end; i < end && nodes[i].kind == GM_CORE; i = nodes[i].end) {
        if (!same_owners(p->owners[i], p->owners[r.first]))
            break;
        r.last = i;
        r.n_cores++;
    }
    r.each = r.n_cores;
    return r;
}

/* Lengthens a run of one rank by the runs after it, while they have one rank and as many
 * cores each and the ranks keep their step. */
static void lengthen(const struct painter *p, struct run *r, unsigned end)
{
    const struct topo_node *nodes = p->shape->nodes;
    int64_t rank = p->owners[r->first].first;
    if (p->owners[r->first].n != 1)
        return;
    for (unsigned i = nodes[r->last].end; i < end && nodes[i].kind == GM_CORE;) {
        struct run next = equal_run(p, i, end);
        int64_t step = (int64_t)p->owners[i].first - rank;
        if (p->owners[i].n != 1 || next.n_cores != r->each || step <= 0 ||
            (r->step != 0 && step != r->step))
            return;
        r->step = step;
        rank += step;
        r->last = next.last;
        r->n_cores += next.n_cores;
        r->n_ranks++;
        i = nodes[next.last].end;
    }
}

static struct run run_at(const struct painter *p, unsigned i, unsigned end)
{
    struct run r = equal_run(p, i, end);
    if (p->shape->n_cores > MANY_CORES)
        lengthen(p, &r, end);
    return r;
}

/* "0-3,64-67" */
static char *cpu_text(const struct painter *p, unsigned first, unsigned last)
{
    const struct topo_shape *s = p->shape;
    AUTO(idset) set = idset_make();
    for (unsigned i = s->nodes[first].first_pu;
         i < s->nodes[last].first_pu + s->nodes[last].n_pus;
         i++)
        idset_add(set, s->pus[i]);
    return idset_format(set);
}

static void add_count(struct str *out, unsigned n, const char *word)
{
    str_printf(out, "%u %s%s", n, word, n == 1 ? "" : "s");
}

/* "rank 3", "ranks 0-3", by the nodes that one core or GPU stands for. */
static void add_ranks(struct painter *p, const struct idset *ranks)
{
    AUTO_FREE(char) text = idset_format(ranks);
    str_printf(p->out, "%s %s", idset_count(ranks) == 1 ? "rank" : "ranks", text);
}

static void add_owners(struct painter *p, const struct run *r)
{
    const struct topo_node *core = &p->shape->nodes[r->first];
    if (p->owners[r->first].n == 0) {
        str_add(p->out, "-");
        return;
    }
    AUTO(idset) ranks = idset_make();
    if (r->step != 0) {
        for (unsigned k = 0; k < r->n_ranks; k++)
            idset_add(ranks, p->owners[r->first].first + k * (unsigned)r->step);
        add_ranks(p, ranks);
        str_add(p->out, ", ");
        add_count(p->out, r->each, "core");
        str_add(p->out, " each");
        return;
    }
    for (unsigned k = 0; k < p->n_seats; k++) {
        for (unsigned i = 0; p->seats[k].host == p->host && i < core->n_pus; i++) {
            if (idset_has(p->seats[k].pus, p->shape->pus[core->first_pu + i]))
                idset_add(ranks, k);
        }
    }
    add_ranks(p, ranks);
    if (p->owners[r->first].n > 1)
        str_add(p->out, " share");
}

static void begin_line(struct painter *p, bool last)
{
    str_add(p->out, str_text(&p->prefix));
    str_add(p->out, last ? p->glyphs->last : p->glyphs->tee);
}

static void add_run(struct painter *p, const struct run *r, size_t width)
{
    AUTO_FREE(char) cpus = cpu_text(p, r->first, r->last);
    str_printf(p->out, "cpu %-*s  ", (int)width, cpus);
    if (p->seats != NULL)
        add_owners(p, r);
    else
        add_count(p->out, r->n_cores, "core");
    str_add(p->out, "\n");
}

static void draw_gpu(struct painter *p, unsigned node, bool last)
{
    unsigned gpu = p->shape->nodes[node].os_index;
    begin_line(p, last);
    str_printf(p->out, "GPU %u", gpu);
    AUTO(idset) ranks = idset_make();
    for (unsigned k = 0; k < p->n_seats; k++) {
        const struct draw_seat *seat = &p->seats[k];
        if (seat->host == p->host && seat->gpus != NULL && idset_has(seat->gpus, gpu))
            idset_add(ranks, k);
    }
    if (idset_count(ranks) > 0) {
        str_add(p->out, "  ");
        add_ranks(p, ranks);
    } else if (p->seats != NULL) {
        str_add(p->out, "  -");
    }
    str_add(p->out, "\n");
}

static void add_label(struct painter *p, unsigned node)
{
    const struct topo_node *n = &p->shape->nodes[node];
    char bytes[32];
    if (n->kind == GM_CACHE)
        str_printf(p->out, "L%u %u", n->level, n->os_index);
    else
        str_printf(p->out, "%s %u", n->kind == GM_NUMA ? "NUMA" : "package", n->os_index);
    if (n->bytes > 0)
        str_printf(p->out, " (%s)", str_bytes(n->bytes, bytes));
    if (n->n_pus == 0)
        str_add(p->out, n->kind == GM_NUMA ? " memory alone" : " no cores");
}

/* The one child that holds all there is below a node, or 0. */
static unsigned only_child(const struct topo_shape *s, unsigned node)
{
    unsigned child = node + 1;
    bool one = child < s->nodes[node].end && s->nodes[child].end == s->nodes[node].end;
    uint32_t kind = one ? s->nodes[child].kind : GM_CORE;
    return kind == GM_CORE || kind == GM_PU || kind == GM_GPU ? 0 : child;
}

/* Where the line after child i begins: the next sibling that is no part of i's run. */
static unsigned after(const struct painter *p, unsigned i, unsigned end, struct run *ret)
{
    if (p->shape->nodes[i].kind != GM_CORE)
        return p->shape->nodes[i].end;
    *ret = run_at(p, i, end);
    return p->shape->nodes[ret->last].end;
}

static size_t widest_run(const struct painter *p, unsigned node)
{
    size_t widest = 0;
    unsigned end = p->shape->nodes[node].end;
    for (unsigned i = node + 1, next; i < end; i = next) {
        struct run r = {0};
        next = after(p, i, end, &r);
        if (p->shape->nodes[i].kind != GM_CORE)
            continue;
        AUTO_FREE(char) cpus = cpu_text(p, r.first, r.last);
        size_t n = strlen(cpus);
        widest = n > widest ? n : widest;
    }
    return widest;
}

/* Is there nothing below a node but one run of cores? */
static bool only_run(const struct painter *p, unsigned node, struct run *ret)
{
    const struct topo_node *nodes = p->shape->nodes;
    unsigned first = node + 1, end = nodes[node].end;
    return first < end && nodes[first].kind == GM_CORE &&
           after(p, first, end, ret) == end;
}

/* What is below a node, each line indented under it. As deep as the tree. */
static void draw_below(struct painter *p, unsigned node)
{
    const struct topo_shape *s = p->shape;
    unsigned end = s->nodes[node].end;
    size_t width = widest_run(p, node);
    for (unsigned i = node + 1, next; i < end; i = next) {
        struct run r = {0};
        next = after(p, i, end, &r);
        bool last = next == end;
        if (s->nodes[i].kind == GM_CORE) {
            begin_line(p, last);
            add_run(p, &r, width);
            continue;
        }
        if (s->nodes[i].kind == GM_GPU) {
            draw_gpu(p, i, last);
            continue;
        }
        begin_line(p, last);
        add_label(p, i);
        unsigned inner = i;
        for (unsigned c; (c = only_child(s, inner)) != 0; inner = c) {
            str_add(p->out, p->glyphs->dot);
            add_label(p, c);
        }
        if (only_run(p, inner, &r)) {
            str_add(p->out, p->glyphs->dot);
            add_run(p, &r, 0);
            continue;
        }
        str_add(p->out, "\n");
        size_t before = p->prefix.len;
        str_add(&p->prefix, last ? "   " : p->glyphs->bar);
        draw_below(p, inner);
        p->prefix.len = before;
        p->prefix.text[before] = '\0';
    }
}

/* " · AMD EPYC · 64 cores, 128 cpus · 256 GiB · 4 GPUs" */
static void add_sum(struct painter *p)
{
    const struct topo_shape *s = p->shape;
    const char *dot = p->glyphs->dot;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < s->n_nodes; i++)
        bytes += s->nodes[i].kind == GM_NUMA ? s->nodes[i].bytes : 0;
    if (s->cpu_model[0] != '\0')
        str_printf(p->out, "%s%s", dot, s->cpu_model);
    str_add(p->out, dot);
    add_count(p->out, s->n_cores, "core");
    if (s->n_pus != s->n_cores)
        str_printf(p->out, ", %u cpus", s->n_pus);
    char text[32];
    if (bytes > 0)
        str_printf(p->out, "%s%s", dot, str_bytes(bytes, text));
    if (s->n_gpus > 0) {
        str_add(p->out, dot);
        add_count(p->out, s->n_gpus, "GPU");
    }
}

/* A host that is used, in one line: "n3  ranks 192-255 on 64 of 64 cores". */
static void draw_host_line(struct painter *p)
{
    AUTO(idset) ranks = idset_make();
    unsigned used = 0;
    for (unsigned r = 0; r < p->n_seats; r++) {
        if (p->seats[r].host == p->host)
            idset_add(ranks, r);
    }
    for (unsigned i = 0; i < p->shape->n_nodes; i++)
        used += p->shape->nodes[i].kind == GM_CORE && p->owners[i].n > 0;
    str_printf(p->out, "%s  ", p->tree->hosts[p->host].name);
    add_ranks(p, ranks);
    str_printf(p->out, " on %u of ", used);
    add_count(p->out, p->shape->n_cores, "core");
    str_add(p->out, "\n");
}

static void draw_host(struct painter *p, unsigned n_equal, bool in_one_line)
{
    p->shape = restree_shape(p->tree, p->host);
    p->owners = xcalloc(p->shape->n_nodes, sizeof(*p->owners));
    find_owners(p);
    if (in_one_line) {
        draw_host_line(p);
    } else {
        str_add(p->out, p->tree->hosts[p->host].name);
        if (n_equal > 1)
            str_printf(p->out,
                       " %s %s (%u equal hosts)",
                       p->glyphs->to,
                       p->tree->hosts[p->host + n_equal - 1].name,
                       n_equal);
        add_sum(p);
        str_add(p->out, "\n");
        draw_below(p, 0);
    }
    free(p->owners);
    p->owners = NULL;
}

static bool is_used(const struct painter *p, unsigned host)
{
    for (unsigned r = 0; r < p->n_seats; r++) {
        if (p->seats[r].host == host)
            return true;
    }
    return false;
}

void draw_tree(const struct restree *tree,
               const struct draw_seat *seats,
               unsigned n_seats,
               bool utf8,
               struct str *out)
{
    struct painter p = {
        .tree = tree,
        .seats = seats,
        .n_seats = seats != NULL ? n_seats : 0,
        .glyphs = utf8 ? &boxes : &ascii,
        .out = out,
    };
    unsigned n_used = 0, next;
    for (unsigned h = 0; h < tree->n_hosts; h++)
        n_used += is_used(&p, h);
    for (unsigned h = 0; h < tree->n_hosts; h = next) {
        next = h + 1;
        while (seats == NULL && next < tree->n_hosts &&
               tree->hosts[next].shape == tree->hosts[h].shape)
            next++;
        p.host = h;
        if (seats == NULL || is_used(&p, h))
            draw_host(&p, next - h, n_used > MANY_HOSTS);
    }
    if (seats != NULL && n_used < tree->n_hosts) {
        add_count(out, tree->n_hosts - n_used, "host");
        str_add(out, " without ranks\n");
    }
    str_free(&p.prefix);
}
