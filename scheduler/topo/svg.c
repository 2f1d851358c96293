/* See svg.h. A sheet is a title, the hosts in a grid, and a legend. Hosts that have ranks
 * are drawn each; those without once a shape, with their number. Where that would be too
 * much to look at, the first host with ranks of each shape is drawn and the others are
 * tiles: a name, the ranks, and how full it is.
 *
 * Invariant: every PU of a host that is drawn is one box of class "pu" or "shared". */
#include "svg.h"
#include "base/hostlist.h"
#include "base/memory.h"
#include "byhost.h"
#include "svg_ink.h"

#include <math.h>

enum {
    MANY_PUS = 6000,   /* on hosts with ranks; from here tiles */
    MANY_ENTRIES = 48, /* ranks in the legend */
    MARGIN = 16,
    TITLE = 34,
    HOST_GAP = 14,
    TILE_WIDTH = 190,
    TILE_HEIGHT = 58,
    ENTRY_HEIGHT = 20
};

/* A host, or hosts that are alike and empty, in the grid. */
struct item {
    unsigned host, n_equal;
    bool tile;
};

struct sheet {
    const struct restree *tree;
    const struct draw_seat *seats; /* NULL: the machine alone */
    unsigned n_seats;
    struct byhost by;
    struct svg_layout *layouts; /* one a shape; boxes NULL: not drawn */
    struct item *items;
    unsigned n_items, columns;
    double cell_w, cell_h;
    struct str *out;
};

/* Who is on a PU. */
struct owner {
    unsigned n, first;
};

static unsigned digits_of(unsigned n)
{
    unsigned digits = 1;
    while ((n /= 10) > 0)
        digits++;
    return digits;
}

/* "n4", "n[4-15] (12 hosts, none used)" */
static void name_of(const struct sheet *s, const struct item *it, struct str *out)
{
    if (it->n_equal == 1) {
        str_add(out, s->tree->hosts[it->host].name);
        if (s->seats != NULL && byhost_count(&s->by, it->host) == 0)
            str_add(out, " (no ranks)");
        return;
    }
    char **names = xcalloc(it->n_equal, sizeof(*names));
    unsigned shape = s->tree->hosts[it->host].shape, n = 0;
    for (unsigned h = it->host; h < s->tree->n_hosts && n < it->n_equal; h++) {
        if (s->tree->hosts[h].shape == shape && byhost_count(&s->by, h) == 0)
            names[n++] = s->tree->hosts[h].name;
    }
    AUTO_FREE(char) text = hostlist_format(&(struct hostlist){.names = names, .n = n});
    free(names);
    if (strlen(text) > 40)
        str_printf(out, "%s ...", s->tree->hosts[it->host].name);
    else
        str_add(out, text);
    str_printf(out, " (%u hosts alike%s)", n, s->seats != NULL ? ", without ranks" : "");
}

/* One item a shape for the hosts without ranks, one for each of the others. */
static void choose_items(struct sheet *s)
{
    const struct restree *tree = s->tree;
    AUTO_FREE(unsigned) empty = xcalloc(tree->n_shapes + 1, sizeof(*empty));
    AUTO_FREE(bool) drawn = xcalloc(tree->n_shapes + 1, sizeof(*drawn));
    uint64_t pus = 0;
    s->items = xcalloc(tree->n_hosts + 1, sizeof(*s->items));
    for (unsigned h = 0; h < tree->n_hosts; h++)
        pus += byhost_count(&s->by, h) > 0 ? restree_shape(tree, h)->n_pus : 0;
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        unsigned shape = tree->hosts[h].shape;
        struct item it = {.host = h, .n_equal = 1};
        if (byhost_count(&s->by, h) > 0) {
            it.tile = pus > MANY_PUS && drawn[shape];
            drawn[shape] = true;
        } else if (empty[shape] > 0) {
            s->items[empty[shape] - 1].n_equal++;
            continue;
        } else {
            empty[shape] = s->n_items + 1;
        }
        s->items[s->n_items++] = it;
    }
}

/* "AMD EPYC, 64 cores, 128 CPUs, 256 GiB, 4 GPUs" */
static void sum_of(const struct topo_shape *shape, struct str *out)
{
    uint64_t bytes = restree_bytes(shape, 0);
    char text[32];
    if (shape->cpu_model[0] != '\0')
        str_printf(out, "%s, ", shape->cpu_model);
    str_printf(out, "%u core%s", shape->n_cores, shape->n_cores == 1 ? "" : "s");
    if (shape->n_pus != shape->n_cores)
        str_printf(out, ", %u CPUs", shape->n_pus);
    if (bytes > 0)
        str_printf(out, ", %s", str_bytes(bytes, text));
    if (shape->n_gpus > 0)
        str_printf(out, ", %u GPU%s", shape->n_gpus, shape->n_gpus == 1 ? "" : "s");
    if (shape->n_gpus > 0 && shape->gpus != NULL && shape->gpus[0].name != NULL &&
        shape->gpus[0].name[0] != '\0')
        str_printf(out, " (%s)", shape->gpus[0].name);
}

static void lay_out(struct sheet *s)
{
    unsigned most = s->n_seats;
    s->layouts = xcalloc(s->tree->n_shapes + 1, sizeof(*s->layouts));
    for (unsigned i = 0; i < s->tree->n_shapes; i++) {
        const struct topo_shape *shape = &s->tree->shapes[i];
        for (unsigned k = 0; k < shape->n_pus; k++)
            most = shape->pus[k] > most ? shape->pus[k] : most;
    }
    for (unsigned i = 0; i < s->n_items; i++) {
        const struct item *it = &s->items[i];
        unsigned shape = s->tree->hosts[it->host].shape;
        struct svg_layout *l = &s->layouts[shape];
        AUTO_STR name = {0};
        AUTO_STR sum = {0};
        name_of(s, it, &name);
        sum_of(&s->tree->shapes[shape], &sum);
        double header = fmax(svg_text_width(name.text, 14), svg_text_width(sum.text, 11));
        if (!it->tile && (l->boxes == NULL || l->boxes[0].w < header + 2 * SVG_GAP)) {
            svg_layout_free(l);
            svg_layout_make(&s->tree->shapes[shape], digits_of(most), header, l);
        }
        s->cell_w = fmax(s->cell_w, it->tile ? TILE_WIDTH : l->boxes[0].w);
    }
    for (unsigned i = 0; i < s->tree->n_shapes; i++)
        s->cell_h =
            fmax(s->cell_h, s->layouts[i].boxes != NULL ? s->layouts[i].boxes[0].h : 0);
}

/* ---- one host ---- */

static struct svg_box moved(const struct svg_box *box, double x, double y)
{
    return (struct svg_box){.x = box->x + x, .y = box->y + y, .w = box->w, .h = box->h};
}

static struct owner owner_of_pu(const struct sheet *s, unsigned host, unsigned pu)
{
    struct owner o = {0};
    for (unsigned i = s->by.first[host]; i < s->by.first[host + 1]; i++) {
        unsigned rank = s->by.ranks[i];
        if (idset_has(s->seats[rank].pus, pu) && o.n++ == 0)
            o.first = rank;
    }
    return o;
}

static void draw_pu(struct sheet *s, unsigned host, unsigned pu, struct svg_box box)
{
    struct owner o = owner_of_pu(s, host, pu);
    char text[32];
    double middle = box.x + box.w / 2;
    if (o.n == 0)
        svg_rect(s->out, &box, "pu");
    else if (o.n == 1)
        svg_rank_rect(s->out, &box, o.first);
    else
        svg_rect(s->out, &box, "shared");
    (void)snprintf(text, sizeof(text), "%u", pu);
    svg_text(s->out, middle, box.y + (o.n > 0 ? 9 : 17), "cpu", SVG_MIDDLE, text);
    if (o.n == 0)
        return;
    (void)snprintf(text, sizeof(text), o.n == 1 ? "%u" : "x%u", o.n == 1 ? o.first : o.n);
    svg_text(s->out, middle, box.y + 22, "rank", SVG_MIDDLE, text);
}

static void draw_gpu(struct sheet *s, unsigned host, unsigned gpu, struct svg_box box)
{
    const struct topo_shape *shape = restree_shape(s->tree, host);
    AUTO(idset) ranks = idset_make();
    AUTO_STR label = {0};
    for (unsigned i = s->by.first[host]; i < s->by.first[host + 1]; i++) {
        unsigned rank = s->by.ranks[i];
        if (s->seats[rank].gpus != NULL && idset_has(s->seats[rank].gpus, gpu))
            idset_add(ranks, rank);
    }
    unsigned n = idset_count(ranks);
    svg_rect(s->out, &box, "gpu");
    str_printf(&label, "GPU %u", gpu);
    svg_text(s->out, box.x + 6, box.y + 15, "label", SVG_START, label.text);
    if (shape->gpus != NULL && gpu < shape->n_gpus)
        svg_text(s->out, box.x + 6, box.y + 31, "small", SVG_START, shape->gpus[gpu].pci);
    if (n == 0)
        return;
    struct svg_box mark = {.x = box.x + box.w - 30, .y = box.y + 3, .w = 27, .h = 17};
    char text[32];
    unsigned first = (unsigned)idset_next(ranks, 0);
    if (n == 1)
        svg_rank_rect(s->out, &mark, first);
    else
        svg_rect(s->out, &mark, "shared");
    (void)snprintf(text, sizeof(text), n == 1 ? "%u" : "x%u", n == 1 ? first : n);
    svg_text(s->out, mark.x + mark.w / 2, mark.y + 13, "rank", SVG_MIDDLE, text);
}

static const char *class_of(const struct topo_shape *shape, const struct topo_node *n)
{
    switch (n->kind) {
    case GM_PACKAGE:
        return "package";
    case GM_NUMA:
        return n->n_pus > 0 ? "numa" : "memory";
    case GM_CACHE:
        return "cache";
    default:
        return n->trait + 1 < shape->n_kinds ? "core slow" : "core";
    }
}

static void draw_node(struct sheet *s, unsigned host, unsigned node, double x, double y)
{
    const struct topo_shape *shape = restree_shape(s->tree, host);
    const struct svg_layout *l = &s->layouts[s->tree->hosts[host].shape];
    const struct topo_node *n = &shape->nodes[node];
    struct svg_box box = moved(&l->boxes[node], x, y);
    AUTO_STR label = {0};
    if (n->kind == GM_GPU) {
        draw_gpu(s, host, n->os_index, box);
        return;
    }
    svg_rect(s->out, &box, class_of(shape, n));
    if (n->kind != GM_CORE) {
        svg_label(shape, node, &label);
        svg_text(s->out, box.x + 6, box.y + 13, "label", SVG_START, label.text);
        return;
    }
    if (shape->n_kinds > 1) {
        str_printf(&label, "kind %u", n->trait);
        svg_text(s->out, box.x + 4, box.y + 10, "small", SVG_START, label.text);
    }
    for (unsigned k = 0; k < n->n_pus; k++)
        draw_pu(
            s, host, shape->pus[n->first_pu + k], moved(&l->pus[n->first_pu + k], x, y));
}

static void draw_host(struct sheet *s, const struct item *it, double x, double y)
{
    const struct topo_shape *shape = restree_shape(s->tree, it->host);
    const struct svg_layout *l = &s->layouts[s->tree->hosts[it->host].shape];
    struct svg_box box = moved(&l->boxes[0], x, y);
    AUTO_STR name = {0};
    AUTO_STR sum = {0};
    name_of(s, it, &name);
    sum_of(shape, &sum);
    svg_rect(s->out, &box, "host");
    svg_text(s->out, x + SVG_GAP, y + 17, "name", SVG_START, name.text);
    svg_text(s->out, x + SVG_GAP, y + 33, "note", SVG_START, sum.text);
    for (unsigned i = 1; i < shape->n_nodes;) {
        draw_node(s, it->host, i, x, y);
        i = shape->nodes[i].kind == GM_CORE ? shape->nodes[i].end : i + 1;
    }
}

/* A host in short: its name, its ranks, and the part of its PUs that they have. */
static void draw_tile(struct sheet *s, const struct item *it, double x, double y)
{
    const struct topo_shape *shape = restree_shape(s->tree, it->host);
    struct svg_box box = {.x = x, .y = y, .w = TILE_WIDTH, .h = TILE_HEIGHT};
    AUTO(idset) pus = idset_make();
    AUTO(idset) ranks = idset_make();
    for (unsigned i = s->by.first[it->host]; i < s->by.first[it->host + 1]; i++) {
        idset_add(ranks, s->by.ranks[i]);
        idset_unite(pus, s->seats[s->by.ranks[i]].pus);
    }
    AUTO_FREE(char) which = idset_format(ranks);
    AUTO_STR text = {0};
    if (strlen(which) > 22)
        str_printf(&text, "%u ranks", idset_count(ranks));
    else
        str_printf(&text, "rank%s %s", idset_count(ranks) == 1 ? "" : "s", which);
    struct svg_box bar = {
        .x = x + SVG_GAP, .y = y + 42, .w = TILE_WIDTH - 2 * SVG_GAP, .h = 9};
    struct svg_box full = bar;
    full.w = bar.w * idset_count(pus) / (shape->n_pus > 0 ? shape->n_pus : 1);
    svg_rect(s->out, &box, "host");
    svg_text(
        s->out, x + SVG_GAP, y + 17, "name", SVG_START, s->tree->hosts[it->host].name);
    svg_text(s->out, x + SVG_GAP, y + 34, "note", SVG_START, text.text);
    svg_rect(s->out, &bar, "core");
    svg_rect(s->out, &full, "used");
}

/* ---- the sheet ---- */

static unsigned rows_for(unsigned n, unsigned columns)
{
    return (n + columns - 1) / columns;
}

/* Where the k-th box of a grid stands. */
static struct svg_box
cell_of(double y, unsigned k, unsigned columns, double width, double height)
{
    unsigned row = k / columns;
    return (struct svg_box){.x = MARGIN + (k - row * columns) * (width + HOST_GAP),
                            .y = y + row * (height + HOST_GAP)};
}

/* Drawn hosts come first, in rows as high as the highest of them; tiles fill rows of
 * their own below. Returns how far down that goes. */
static double draw_items(struct sheet *s, double width)
{
    double y = MARGIN + TITLE;
    unsigned k = 0, tile = 0;
    unsigned tiles =
        (unsigned)((width - 2 * MARGIN + HOST_GAP) / (TILE_WIDTH + HOST_GAP));
    for (unsigned i = 0; i < s->n_items; i++) {
        if (s->items[i].tile)
            continue;
        struct svg_box at = cell_of(y, k++, s->columns, s->cell_w, s->cell_h);
        draw_host(s, &s->items[i], at.x, at.y);
    }
    y += rows_for(k, s->columns) * (s->cell_h + HOST_GAP);
    for (unsigned i = 0; i < s->n_items; i++) {
        if (!s->items[i].tile)
            continue;
        struct svg_box at = cell_of(y, tile++, tiles, TILE_WIDTH, TILE_HEIGHT);
        draw_tile(s, &s->items[i], at.x, at.y);
    }
    unsigned rows = rows_for(tile, tiles);
    return y + rows * (double)(TILE_HEIGHT + HOST_GAP);
}

/* "cpu 0-7, gpu 0, n3" */
static void entry_text(const struct sheet *s, unsigned rank, struct str *out)
{
    const struct draw_seat *seat = &s->seats[rank];
    AUTO_FREE(char) cpus = idset_format(seat->pus);
    if (strlen(cpus) > 24)
        str_printf(out, "%u CPUs", idset_count(seat->pus));
    else
        str_printf(out, "cpu %s", cpus);
    if (seat->gpus != NULL && idset_count(seat->gpus) > 0) {
        AUTO_FREE(char) gpus = idset_format(seat->gpus);
        str_printf(out, ", gpu %s", gpus);
    }
    if (s->tree->n_hosts > 1)
        str_printf(out, ", %s", s->tree->hosts[seat->host].name);
}

static void draw_entry(struct sheet *s, unsigned rank, double x, double y)
{
    struct svg_box mark = {.x = x, .y = y, .w = 30, .h = 16};
    AUTO_STR text = {0};
    AUTO_STR number = {0};
    entry_text(s, rank, &text);
    str_printf(&number, "%u", rank);
    svg_rank_rect(s->out, &mark, rank);
    svg_text(s->out, x + 15, y + 12, "rank", SVG_MIDDLE, number.text);
    svg_text(s->out, x + 36, y + 12, "label", SVG_START, text.text);
}

static unsigned legend_entries(const struct sheet *s)
{
    return s->n_seats <= MANY_ENTRIES ? s->n_seats : 0;
}

/* Pixels of the widest entry, with the space behind it. */
static double entry_width(const struct sheet *s)
{
    double widest = 0;
    for (unsigned r = 0; r < legend_entries(s); r++) {
        AUTO_STR text = {0};
        entry_text(s, r, &text);
        widest = fmax(widest, svg_text_width(text.text, 11));
    }
    return widest + 36 + 20;
}

static unsigned legend_rows(const struct sheet *s, double width)
{
    unsigned columns = (unsigned)((width - 2 * MARGIN) / entry_width(s));
    return rows_for(legend_entries(s), columns > 0 ? columns : 1);
}

static void draw_legend(struct sheet *s, double width, double y)
{
    unsigned rows = legend_rows(s, width);
    double wide = entry_width(s);
    for (unsigned r = 0; r < legend_entries(s); r++) {
        unsigned column = r / rows;
        draw_entry(s, r, MARGIN + column * wide, y + (r - column * rows) * ENTRY_HEIGHT);
    }
    svg_text(s->out,
             MARGIN,
             y + rows * (double)ENTRY_HEIGHT + 13,
             "note",
             SVG_START,
             s->seats == NULL
                 ? "small numbers: CPUs as the kernel counts them"
                 : "small numbers: CPUs as the kernel counts them; bold numbers and "
                   "colours: ranks; white: free; xN: N ranks share");
}

/* Of the grid of drawn hosts; tiles take its width. */
static double width_of(const struct sheet *s, const char *title)
{
    double width = 2 * MARGIN + s->columns * (s->cell_w + HOST_GAP) - HOST_GAP;
    double least = s->seats == NULL ? 330 : 700;
    return fmax(fmax(width, least), svg_text_width(title, 16) + 2 * MARGIN);
}

void svg_tree(const struct restree *tree,
              const struct draw_seat *seats,
              unsigned n_seats,
              const char *title,
              struct str *out)
{
    AUTO_STR body = {0};
    struct sheet s = {.tree = tree,
                      .seats = seats,
                      .n_seats = seats != NULL ? n_seats : 0,
                      .out = &body};
    unsigned n_drawn = 0;
    byhost_make(tree, seats, s.n_seats, &s.by);
    choose_items(&s);
    lay_out(&s);
    for (unsigned i = 0; i < s.n_items; i++)
        n_drawn += !s.items[i].tile;
    s.columns = svg_columns(n_drawn, s.cell_w, s.cell_h, 1.6);
    double width = width_of(&s, title), y = draw_items(&s, width);
    draw_legend(&s, width, y);
    svg_begin(
        out, width, y + (legend_rows(&s, width) + 1) * ENTRY_HEIGHT + MARGIN, title);
    svg_text(out, MARGIN, MARGIN + 16, "title", SVG_START, title);
    str_add(out, str_text(&body));
    svg_end(out);
    for (unsigned i = 0; i < tree->n_shapes; i++)
        svg_layout_free(&s.layouts[i]);
    free(s.layouts);
    free(s.items);
    byhost_free(&s.by);
}
