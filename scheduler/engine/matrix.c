/* See matrix.h. Invariant: a cell is as wide as the widest number, so a column is a
 * column. */
#include "matrix.h"
#include <inttypes.h>

enum { SIDE_MOST = 20 };

static const char *cell_text(double v, bool utf8, char buf[32])
{
    if (v == 0)
        return utf8 ? "\u00b7" : ".";
    (void)snprintf(buf, 32, "%.6g", v);
    return buf;
}

static int cell_width(const double *cells, uint64_t n, uint64_t cols)
{
    char buf[32];
    int width = snprintf(buf, sizeof(buf), "%" PRIu64, cols - 1);
    for (uint64_t i = 0; i < n; i++) {
        int w = (int)strlen(cell_text(cells[i], false, buf));
        if (w > width)
            width = w;
    }
    return width;
}

static void
draw_cell(double v, int width, bool diagonal, bool colour, bool utf8, struct str *out)
{
    char buf[32];
    const char *text = cell_text(v, utf8, buf);
    int blank = width - (v == 0 ? 1 : (int)strlen(text));
    const char *on = diagonal ? "\033[1m" : v == 0 ? "\033[2m" : "\033[33m";
    str_printf(
        out, " %*s%s%s%s", blank, "", colour ? on : "", text, colour ? "\033[0m" : "");
}

void matrix_draw(const double *cells,
                 uint64_t rows,
                 uint64_t cols,
                 bool colour,
                 bool utf8,
                 struct str *out)
{
    if (rows > SIDE_MOST || cols > SIDE_MOST) {
        str_printf(out,
                   "  %" PRIu64 " x %" PRIu64
                   ": too wide to draw, the results file has it\n",
                   rows,
                   cols);
        return;
    }
    int width = cell_width(cells, rows * cols, cols) + 1;
    str_printf(out, "  %s      ", colour ? "\033[2m" : "");
    for (uint64_t k = 0; k < cols; k++)
        str_printf(out, " %*" PRIu64, width, k);
    str_printf(out, "%s\n", colour ? "\033[0m" : "");
    for (uint64_t i = 0; i < rows; i++) {
        str_printf(out,
                   "  %s%4" PRIu64 " %s%s",
                   colour ? "\033[2m" : "",
                   i,
                   utf8 ? "\u2502" : "|",
                   colour ? "\033[0m" : "");
        for (uint64_t k = 0; k < cols; k++)
            draw_cell(
                cells[i * cols + k], width, i == k && rows == cols, colour, utf8, out);
        str_add(out, "\n");
    }
}
