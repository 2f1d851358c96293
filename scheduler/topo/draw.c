/* See draw.h. A node whose only child is another domain shares its line with it; cores
 * that follow each other with the same ranks on them are one line (a run), and on a large
 * machine runs that follow each other with one rank each are one line too.
 *
 * Is there only one run below a domain, it stands on the domain's line.
 *
 * Invariant: every core of a drawn host is in exactly one line. */
#include "draw.h"
#include "base/hostlist.h"
#include "base/memory.h"
#include "byhost.h"

enum {
    MANY_CORES = 32, /* from here runs of ranks share a line */
    MANY_HOSTS = 8,  /* used ones; from here a host is a line */
    MANY_RANKS = 6   /* listed by commas; from here by their step */
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
    struct byhost by;
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
    for (unsigned at = p->by.first[p->host]; at < p->by.first[p->host + 1]; at++) {
        unsigned r = p->by.ranks[at];
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
        if (!same_owners(p->owners[i], p->owners[r.first]) ||
            nodes[i].trait != nodes[r.first].trait)
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
            nodes[i].trait != nodes[r->first].trait || (r->step != 0 && step != r->step))
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

/* How far each is from the one before; 0: not all as far. */
static unsigned step_of(const struct idset *ranks)
{
    int64_t before = idset_next(ranks, 0), step = 0, next;
    for (; (next = idset_next(ranks, (unsigned)before + 1)) >= 0; before = next) {
        if (step != 0 && next - before != step)
            return 0;
        step = next - before;
    }
    return (unsigned)step;
}

/* "rank 3", "ranks 0-3", "ranks 0, 16 ... 496". */
static void add_ranks(struct painter *p, const struct idset *ranks)
{
    unsigned n = idset_count(ranks), step = step_of(ranks);
    AUTO_FREE(char) text = idset_format(ranks);
    if (n > MANY_RANKS && step > 1) {
        unsigned first = (unsigned)idset_next(ranks, 0);
        str_printf(
            p->out, "ranks %u, %u ... %u", first, first + step, first + (n - 1) * step);
        return;
    }
    str_printf(p->out, "%s %s", n == 1 ? "rank" : "ranks", text);
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
    for (unsigned at = p->by.first[p->host]; at < p->by.first[p->host + 1]; at++) {
        unsigned rank = p->by.ranks[at];
        for (unsigned i = 0; i < core->n_pus; i++) {
            if (idset_has(p->seats[rank].pus, p->shape->pus[core->first_pu + i]))
                idset_add(ranks, rank);
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
    if (p->shape->n_kinds > 1)
        str_printf(p->out, " (kind %u)", p->shape->nodes[r->first].trait);
    str_add(p->out, "\n");
}

static void draw_gpu(struct painter *p, unsigned node, bool last)
{
    unsigned gpu = p->shape->nodes[node].os_index;
    begin_line(p, last);
    str_printf(p->out, "GPU %u", gpu);
    AUTO(idset) ranks = idset_make();
    for (unsigned at = p->by.first[p->host]; at < p->by.first[p->host + 1]; at++) {
        const struct draw_seat *seat = &p->seats[p->by.ranks[at]];
        if (seat->gpus != NULL && idset_has(seat->gpus, gpu))
            idset_add(ranks, p->by.ranks[at]);
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
    if (n->kind == GM_NUMA && (n->trait != TOPO_DRAM || n->n_pus == 0))
        str_printf(
            p->out, " %s", n->trait != TOPO_DRAM ? draw_memory_name(n->trait) : "memory");
    if (n->n_pus == 0)
        str_add(p->out, n->kind == GM_NUMA ? " alone" : " no cores");
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
    uint64_t bytes = restree_bytes(s, 0);
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

/* A host that has ranks, as far as a line tells of it. */
struct host_line {
    unsigned n_ranks, first, n_cores;
    unsigned step; /* from rank to rank; 0: not all the same */
};

static struct host_line host_line(const struct painter *p, unsigned host)
{
    const struct topo_shape *s = restree_shape(p->tree, host);
    const unsigned *ranks = &p->by.ranks[p->by.first[host]];
    struct host_line l = {.n_ranks = byhost_count(&p->by, host)};
    AUTO(idset) pus = idset_make();
    for (unsigned i = 0; i < l.n_ranks; i++)
        idset_unite(pus, p->seats[ranks[i]].pus);
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i];
        bool on = false;
        for (unsigned k = 0; n->kind == GM_CORE && k < n->n_pus && !on; k++)
            on = idset_has(pus, s->pus[n->first_pu + k]);
        l.n_cores += on;
    }
    l.first = l.n_ranks > 0 ? ranks[0] : 0;
    l.step = l.n_ranks > 1 ? ranks[1] - ranks[0] : 1;
    for (unsigned i = 1; i < l.n_ranks; i++)
        l.step = ranks[i] - ranks[i - 1] == l.step ? l.step : 0;
    return l;
}

/* Is `b`, the host after `a`, filled like it, with the ranks that come next: after the
 * last one's, or one on where ranks are dealt over hosts? */
static bool goes_on(const struct host_line *a, const struct host_line *b)
{
    unsigned next = a->step == 1 ? a->first + a->n_ranks : a->first + 1;
    return b->n_ranks == a->n_ranks && b->n_cores == a->n_cores && b->step == a->step &&
           a->step > 0 && b->first == next;
}

/* Hosts that are filled alike share a line: "n[0-15]  ranks 0-1023, 64 each on 64 of 64
 * cores". Returns the host after them. */
static unsigned draw_host_line(struct painter *p, unsigned host)
{
    struct host_line l = host_line(p, host), before = l;
    unsigned next = host + 1;
    for (; next < p->tree->n_hosts; next++) {
        struct host_line this = host_line(p, next);
        if (!goes_on(&before, &this) ||
            p->tree->hosts[next].shape != p->tree->hosts[host].shape)
            break;
        before = this;
    }
    AUTO_FREE(char *) names = xcalloc(next - host, sizeof(*names));
    AUTO(idset) ranks = idset_make();
    for (unsigned h = host; h < next; h++) {
        names[h - host] = p->tree->hosts[h].name;
        for (unsigned i = p->by.first[h]; i < p->by.first[h + 1]; i++)
            idset_add(ranks, p->by.ranks[i]);
    }
    AUTO_FREE(char)
    text = hostlist_format(&(struct hostlist){.names = names, .n = next - host});
    str_printf(p->out, "%s  ", text);
    add_ranks(p, ranks);
    if (next > host + 1)
        str_printf(p->out, ", %u each", l.n_ranks);
    str_printf(p->out, " on %u of ", l.n_cores);
    add_count(p->out, restree_shape(p->tree, host)->n_cores, "core");
    str_add(p->out, "\n");
    return next;
}

static void draw_host(struct painter *p, unsigned host, unsigned n_equal)
{
    p->host = host;
    p->shape = restree_shape(p->tree, host);
    p->owners = xcalloc(p->shape->n_nodes, sizeof(*p->owners));
    find_owners(p);
    str_add(p->out, p->tree->hosts[host].name);
    if (n_equal > 1)
        str_printf(p->out,
                   " %s %s (%u equal hosts)",
                   p->glyphs->to,
                   p->tree->hosts[host + n_equal - 1].name,
                   n_equal);
    add_sum(p);
    str_add(p->out, "\n");
    draw_below(p, 0);
    free(p->owners);
    p->owners = NULL;
}

/* Equal hosts that follow each other, when nobody stands on them. */
static unsigned after_equal(const struct restree *tree, unsigned host)
{
    unsigned next = host + 1;
    while (next < tree->n_hosts && tree->hosts[next].shape == tree->hosts[host].shape)
        next++;
    return next;
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
        .glyphs = utf8 ? &boxes : &ascii,
        .out = out,
    };
    unsigned n_used = 0, next;
    byhost_make(tree, seats, seats != NULL ? n_seats : 0, &p.by);
    for (unsigned h = 0; h < tree->n_hosts; h++)
        n_used += byhost_count(&p.by, h) > 0;
    for (unsigned h = 0; h < tree->n_hosts; h = next) {
        next = seats == NULL ? after_equal(tree, h) : h + 1;
        bool used = byhost_count(&p.by, h) > 0;
        if (seats == NULL || (used && n_used <= MANY_HOSTS))
            draw_host(&p, h, next - h);
        else if (used)
            next = draw_host_line(&p, h);
    }
    if (seats != NULL && n_used < tree->n_hosts) {
        add_count(out, tree->n_hosts - n_used, "host");
        str_add(out, " without ranks\n");
    }
    str_free(&p.prefix);
    byhost_free(&p.by);
}

const char *draw_memory_name(uint32_t trait)
{
    static const char *const names[] = {
        [TOPO_DRAM] = "DRAM",
        [TOPO_HBM] = "HBM",
        [TOPO_GPU_MEMORY] = "GPU memory",
        [TOPO_FAR] = "far memory",
    };
    return trait < sizeof(names) / sizeof(names[0]) ? names[trait] : "memory";
}

/* Do all pairs have the same link? */
static bool all_linked(const struct topo_shape *s)
{
    for (unsigned a = 0; a < s->n_gpus; a++) {
        for (unsigned b = 0; b < s->n_gpus; b++) {
            if (a != b && s->gpu_links[a * s->n_gpus + b] != s->gpu_links[1])
                return false;
        }
    }
    return s->n_gpus > 2 && s->gpu_links[1] > 0;
}

void draw_links(const struct topo_shape *s, struct str *out)
{
    size_t begun = out->len;
    if (s->gpu_links == NULL || s->n_gpus < 2)
        return;
    if (all_linked(s)) {
        str_printf(out, "all %.1f GB/s", s->gpu_links[1] / 1e3);
        return;
    }
    for (unsigned a = 0; a < s->n_gpus; a++) {
        for (unsigned b = a + 1; b < s->n_gpus; b++) {
            if (s->gpu_links[a * s->n_gpus + b] > 0)
                str_printf(out,
                           "%s%u-%u %.1f GB/s",
                           out->len > begun ? ", " : "",
                           a,
                           b,
                           s->gpu_links[a * s->n_gpus + b] / 1e3);
        }
    }
}
