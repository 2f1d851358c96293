/* See svg_layout.h. First sizes, from the leaves up; then places, from the host down.
 * From top to bottom a box has its label, the memory that has no cores, what has cores,
 * in a grid of cells as large as the largest, and the GPUs.
 *
 * Invariant: a box lies within its parent, and boxes side by side do not overlap. */
#include "svg_layout.h"
#include "base/memory.h"
#include "draw.h"

#include <math.h>

/* What is directly below a node. */
struct below {
    unsigned n_inner, n_leaves, n_gpus;
    double cell_w, cell_h; /* of the largest inner one */
    double leaf_w;
};

struct sizes {
    const struct topo_shape *shape;
    struct svg_layout *to;
    unsigned *columns; /* of a node's inner children */
    double pu_width;
    double header;
};

double svg_text_width(const char *text, double size)
{
    size_t n = 0;
    for (const char *p = text; *p != '\0'; p++)
        n += ((unsigned char)*p & 0xc0) != 0x80;
    return (double)n * size * 0.62;
}

void svg_label(const struct topo_shape *shape, unsigned node, struct str *out)
{
    const struct topo_node *n = &shape->nodes[node];
    char bytes[32];
    if (n->kind == GM_CACHE)
        str_printf(out, "L%u", n->level);
    else
        str_printf(out, "%s %u", n->kind == GM_NUMA ? "NUMA" : "package", n->os_index);
    if (n->kind == GM_NUMA && n->trait != TOPO_DRAM)
        str_printf(out, " %s", draw_memory_name(n->trait));
    if (n->bytes > 0)
        str_printf(out, " (%s)", str_bytes(n->bytes, bytes));
}

unsigned svg_columns(unsigned n, double w, double h, double aspect)
{
    unsigned best = 1;
    double least = INFINITY;
    for (unsigned c = 1; c <= n && c <= 1024; c++) {
        unsigned rows = (n + c - 1) / c;
        double ratio = c * (w + SVG_GAP) / (rows * (h + SVG_GAP));
        double empty = 6.0 * (rows * c - n) / n;
        double cost = fabs(log(ratio / aspect)) + empty;
        if (cost < least) {
            least = cost;
            best = c;
        }
    }
    return best;
}

/* A bar: memory, or a package, without cores and without GPUs. */
static bool is_leaf(const struct topo_node *n)
{
    return n->n_pus == 0 && n->n_gpus == 0;
}

static bool is_inner(const struct topo_node *n)
{
    return !is_leaf(n) && n->kind != GM_GPU && n->kind != GM_PU;
}

/* PUs of a core: one row of up to two, else two rows. */
static unsigned pu_columns(unsigned n_pus)
{
    return n_pus <= 1 ? 1 : n_pus == 2 ? 2 : (n_pus + 1) / 2;
}

static double header_of(const struct sizes *s, unsigned node)
{
    return node == 0 ? SVG_HOST_HEADER
           : s->shape->nodes[node].kind == GM_CORE
               ? (s->shape->n_kinds > 1 ? SVG_KIND : 0)
               : SVG_HEADER;
}

static double label_width(const struct sizes *s, unsigned node)
{
    if (node == 0)
        return s->header;
    AUTO_STR label = {0};
    svg_label(s->shape, node, &label);
    return svg_text_width(str_text(&label), 11);
}

static void measure_core(struct sizes *s, unsigned node)
{
    unsigned n = s->shape->nodes[node].n_pus, columns = pu_columns(n);
    unsigned rows = (n + columns - 1) / columns;
    s->to->boxes[node] = (struct svg_box){
        .w = 4 + columns * (s->pu_width + 2),
        .h = 4 + header_of(s, node) + rows * (SVG_PU_HEIGHT + 2),
    };
}

static struct below look_below(const struct sizes *s, unsigned node)
{
    const struct topo_node *nodes = s->shape->nodes;
    struct below b = {0};
    for (unsigned i = node + 1; i < nodes[node].end; i = nodes[i].end) {
        const struct svg_box *box = &s->to->boxes[i];
        if (is_inner(&nodes[i])) {
            b.n_inner++;
            b.cell_w = fmax(b.cell_w, box->w);
            b.cell_h = fmax(b.cell_h, box->h);
        } else if (is_leaf(&nodes[i])) {
            b.n_leaves++;
            b.leaf_w = fmax(b.leaf_w, box->w);
        } else if (nodes[i].kind == GM_GPU) {
            b.n_gpus++;
        }
    }
    return b;
}

static double row_of(unsigned n, double w)
{
    return n > 0 ? n * (w + SVG_GAP) - SVG_GAP : 0;
}

/* How many of n boxes of width w stand side by side in a width; 0 for none. */
static unsigned fitting(unsigned n, double w, double width)
{
    unsigned columns = (unsigned)((width + SVG_GAP) / (w + SVG_GAP));
    columns = columns > 0 ? columns : 1;
    return columns < n ? columns : n;
}

static double rows_of(unsigned n, unsigned columns, double h)
{
    unsigned rows = n > 0 ? (n + columns - 1) / columns : 0;
    return rows * (h + SVG_GAP);
}

static void measure(struct sizes *s, unsigned node)
{
    const struct topo_node *nodes = s->shape->nodes;
    struct svg_box *box = &s->to->boxes[node];
    if (nodes[node].kind == GM_CORE) {
        measure_core(s, node);
        return;
    }
    if (nodes[node].kind == GM_GPU) {
        *box = (struct svg_box){.w = SVG_GPU_WIDTH, .h = SVG_GPU_HEIGHT};
        return;
    }
    for (unsigned i = node + 1; i < nodes[node].end; i = nodes[i].end)
        measure(s, i);
    struct below b = look_below(s, node);
    double aspect = node == 0 ? 2.2 : 1.9;
    s->columns[node] = svg_columns(b.n_inner, b.cell_w, b.cell_h, aspect);
    double inner = row_of(b.n_inner > 0 ? s->columns[node] : 0, b.cell_w);
    double wide = fmax(fmax(inner, b.leaf_w), label_width(s, node));
    unsigned gpus = fitting(b.n_gpus, SVG_GPU_WIDTH, wide);
    wide = fmax(wide, row_of(gpus, SVG_GPU_WIDTH));
    box->w = wide + 2 * SVG_GAP;
    unsigned leaves = fitting(b.n_leaves, b.leaf_w, wide);
    box->h = header_of(s, node) + rows_of(b.n_leaves, leaves, SVG_HEADER + 4) +
             rows_of(b.n_inner, s->columns[node], b.cell_h) +
             rows_of(b.n_gpus, gpus, SVG_GPU_HEIGHT);
    if (is_leaf(&nodes[node]))
        box->h = SVG_HEADER + 4;
}

static void place_pus(struct sizes *s, unsigned node)
{
    const struct topo_node *n = &s->shape->nodes[node];
    const struct svg_box *box = &s->to->boxes[node];
    unsigned columns = pu_columns(n->n_pus);
    for (unsigned k = 0; k < n->n_pus; k++) {
        unsigned row = k / columns;
        s->to->pus[n->first_pu + k] = (struct svg_box){
            .x = box->x + 3 + (k % columns) * (s->pu_width + 2),
            .y = box->y + 3 + header_of(s, node) + row * (SVG_PU_HEIGHT + 2),
            .w = s->pu_width,
            .h = SVG_PU_HEIGHT,
        };
    }
}

/* A cell of a grid that begins at (x, y). */
static struct svg_box
cell_at(double x, double y, unsigned k, unsigned columns, double w, double h)
{
    unsigned row = columns > 0 ? k / columns : 0;
    return (struct svg_box){.x = x + (k - row * columns) * (w + SVG_GAP),
                            .y = y + row * (h + SVG_GAP),
                            .w = w,
                            .h = h};
}

static void place(struct sizes *s, unsigned node)
{
    const struct topo_node *nodes = s->shape->nodes;
    const struct svg_box *box = &s->to->boxes[node];
    if (nodes[node].kind == GM_CORE) {
        place_pus(s, node);
        return;
    }
    struct below b = look_below(s, node);
    unsigned inner = 0, leaf = 0, gpu = 0;
    double wide = box->w - 2 * SVG_GAP, x = box->x + SVG_GAP;
    double leaves_y = box->y + header_of(s, node);
    unsigned leaves = fitting(b.n_leaves, b.leaf_w, wide);
    double leaf_w = leaves > 0 ? (wide + SVG_GAP) / leaves - SVG_GAP : 0;
    double inner_y = leaves_y + rows_of(b.n_leaves, leaves, SVG_HEADER + 4);
    double gpus_y = inner_y + rows_of(b.n_inner, s->columns[node], b.cell_h);
    unsigned gpus = fitting(b.n_gpus, SVG_GPU_WIDTH, wide);
    for (unsigned i = node + 1; i < nodes[node].end; i = nodes[i].end) {
        struct svg_box *child = &s->to->boxes[i];
        if (is_inner(&nodes[i]))
            *child = cell_at(x, inner_y, inner++, s->columns[node], b.cell_w, b.cell_h);
        else if (is_leaf(&nodes[i]))
            *child = cell_at(x, leaves_y, leaf++, leaves, leaf_w, SVG_HEADER + 4);
        else if (nodes[i].kind == GM_GPU)
            *child = cell_at(x, gpus_y, gpu++, gpus, SVG_GPU_WIDTH, SVG_GPU_HEIGHT);
        else
            continue;
        place(s, i);
    }
}

void svg_layout_make(const struct topo_shape *shape,
                     unsigned digits,
                     double header,
                     struct svg_layout *ret)
{
    ret->boxes = xcalloc(shape->n_nodes + 1, sizeof(*ret->boxes));
    ret->pus = xcalloc(shape->n_pus + 1, sizeof(*ret->pus));
    AUTO_FREE(unsigned) columns = xcalloc(shape->n_nodes + 1, sizeof(*columns));
    struct sizes s = {.shape = shape,
                      .to = ret,
                      .columns = columns,
                      .pu_width = fmax(24, 8 + 7.0 * digits),
                      .header = header};
    measure(&s, 0);
    place(&s, 0);
}

void svg_layout_free(struct svg_layout *l)
{
    free(l->boxes);
    free(l->pus);
    *l = (struct svg_layout){0};
}
