/* The elements of a drawing: boxes, texts, the colours of ranks. */
#ifndef TOPO_SVG_INK_H
#define TOPO_SVG_INK_H

#include "svg_layout.h"

enum svg_anchor { SVG_START = 0, SVG_MIDDLE };

/* The first line to the style and the patterns; width and height in pixels. */
void svg_begin(struct str *out, double width, double height, const char *title);
void svg_end(struct str *out);

/* class: of the style; rounded where it says so. */
void svg_rect(struct str *out, const struct svg_box *box, const char *class);
/* A box in a rank's colour, with its pattern. */
void svg_rank_rect(struct str *out, const struct svg_box *box, unsigned rank);
/* Markup in the text stays text, and what XML forbids becomes U+FFFD. */
void svg_text(struct str *out,
              double x,
              double y,
              const char *class,
              enum svg_anchor anchor,
              const char *text);

#endif
