/* Where each part of a host stands in its drawing: nested boxes, in pixels from the
 * host's upper left corner. Knows no ranks and no colours. */
#ifndef TOPO_SVG_LAYOUT_H
#define TOPO_SVG_LAYOUT_H

#include "base/str.h"
#include "topo/restree.h"

struct svg_box {
    double x, y, w, h;
};

enum {
    SVG_GAP = 6,     /* between boxes, and from a box to what is in it */
    SVG_HEADER = 18, /* a box's label */
    SVG_HOST_HEADER = 40,
    SVG_PU_HEIGHT = 28,
    SVG_KIND = 11, /* a core's kind, where there are several */
    SVG_GPU_WIDTH = 92,
    SVG_GPU_HEIGHT = 40
};

struct svg_layout {
    struct svg_box *boxes; /* [shape->n_nodes]; [0] is the host; none below a core */
    struct svg_box *pus;   /* [shape->n_pus], in tree order */
};

/* digits: of the longest number in a PU's cell; header: pixels that the host's own header
 * needs. */
void svg_layout_make(const struct topo_shape *shape,
                     unsigned digits,
                     double header,
                     struct svg_layout *ret);
void svg_layout_free(struct svg_layout *l); /* what is inside */

/* Pixels that a text takes at most, at a font size; UTF-8. */
double svg_text_width(const char *text, double size);
/* "NUMA 0, 64 GiB": what stands in a domain's header. */
void svg_label(const struct topo_shape *shape, unsigned node, struct str *out);
/* Columns for n boxes of one size so that all together are about `aspect` times as wide
 * as high. */
unsigned svg_columns(unsigned n, double w, double h, double aspect);

#endif
