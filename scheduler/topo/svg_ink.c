/* See svg_ink.h. The colours of ranks are Paul Tol's "light" scheme: black text reads on
 * each of them, and they stay apart for people who see few colours. With eight colours
 * and four patterns a look repeats after 32 ranks; the number in the box never does.
 *
 * Invariant: whatever a name holds, the result is well-formed XML. */
#include "svg_ink.h"

static const char *const colours[] = {"#77aadd",
                                      "#ee8866",
                                      "#44bb99",
                                      "#eedd88",
                                      "#ffaabb",
                                      "#99ddff",
                                      "#bbcc33",
                                      "#aaaa00"};
enum { N_COLOURS = sizeof(colours) / sizeof(colours[0]), N_PATTERNS = 3 };

static const char style[] =
    "<style>\n"
    "text{font-family:'DejaVu Sans',Verdana,Arial,sans-serif;font-size:11px;fill:#222}\n"
    ".title{font-size:16px;font-weight:bold}\n"
    ".name{font-size:14px;font-weight:bold}\n"
    ".small{font-size:8px;fill:#555}\n"
    ".cpu,.rank{paint-order:stroke;stroke:#fff;stroke-opacity:.7;stroke-width:2px}\n"
    ".cpu{font-size:8px;fill:#222}\n"
    ".rank{font-size:11px;font-weight:bold;fill:#000}\n"
    ".note{font-size:11px;fill:#444}\n"
    "rect{stroke:#8a8a8a;stroke-width:1}\n"
    ".host{fill:#ffffff;stroke:#333;stroke-width:1.5}\n"
    ".package{fill:#e9e9ec}\n"
    ".numa{fill:#f4e8e4}\n"
    ".memory{fill:#e6c8c0}\n"
    ".cache{fill:#fbfbf7}\n"
    ".core{fill:#c9c9ce;stroke:#77777c}\n"
    ".slow{stroke-dasharray:3 2}\n"
    ".pu{fill:#ffffff;stroke:#a5a5aa}\n"
    ".shared{fill:#dddddd;stroke:#a5a5aa}\n"
    ".gpu{fill:#eef3e6;stroke:#6f8a4f}\n"
    ".used{fill:#77aadd;stroke:none}\n"
    ".over{stroke:none;pointer-events:none}\n"
    "</style>\n";

static const char patterns[] =
    "<defs>\n"
    "<pattern id=\"p1\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
    "<path d=\"M-1,7 L7,-1 M-1,1 L1,-1 M5,7 L7,5\" stroke=\"#fff\" stroke-width=\"1.6\" "
    "stroke-opacity=\".75\"/></pattern>\n"
    "<pattern id=\"p2\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
    "<path d=\"M-1,-1 L7,7 M5,-1 L7,1 M-1,5 L1,7\" stroke=\"#fff\" stroke-width=\"1.6\" "
    "stroke-opacity=\".75\"/></pattern>\n"
    "<pattern id=\"p3\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
    "<circle cx=\"3\" cy=\"3\" r=\"1.5\" fill=\"#fff\" fill-opacity=\".8\"/></pattern>\n"
    "</defs>\n";

/* Characters that XML cannot hold at all, even escaped. */
static bool is_forbidden(unsigned char c)
{
    return c < 0x20 && c != '\t' && c != '\n' && c != '\r';
}

static void escape(struct str *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);
    while (p < end) {
        size_t n = str_utf8_length(p, (size_t)(end - p));
        if (n == 0 || is_forbidden(*p))
            str_add(out, "\xef\xbf\xbd");
        else if (*p == '<')
            str_add(out, "&lt;");
        else if (*p == '>')
            str_add(out, "&gt;");
        else if (*p == '&')
            str_add(out, "&amp;");
        else if (*p == '"')
            str_add(out, "&quot;");
        else
            str_add_n(out, (const char *)p, n);
        p += n > 0 ? n : 1;
    }
}

void svg_begin(struct str *out, double width, double height, const char *title)
{
    str_add(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    str_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
               "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>",
               width,
               height,
               width,
               height);
    escape(out, title);
    str_printf(out, "</title>\n%s%s", style, patterns);
    str_printf(
        out, "<path fill=\"#ffffff\" d=\"M0,0 H%.0f V%.0f H0 Z\"/>\n", width, height);
}

void svg_end(struct str *out)
{
    str_add(out, "</svg>\n");
}

static void add_rect(struct str *out, const struct svg_box *box, const char *class)
{
    str_printf(out,
               "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"",
               class,
               box->x,
               box->y,
               box->w,
               box->h);
}

void svg_rect(struct str *out, const struct svg_box *box, const char *class)
{
    add_rect(out, box, class);
    str_add(out, " rx=\"2\"/>\n");
}

void svg_rank_rect(struct str *out, const struct svg_box *box, unsigned rank)
{
    unsigned pattern = rank / N_COLOURS % (N_PATTERNS + 1);
    add_rect(out, box, "pu");
    str_printf(out, " rx=\"2\" style=\"fill:%s\"/>\n", colours[rank % N_COLOURS]);
    if (pattern == 0)
        return;
    add_rect(out, box, "over");
    str_printf(out, " rx=\"2\" style=\"fill:url(#p%u)\"/>\n", pattern);
}

void svg_text(struct str *out,
              double x,
              double y,
              const char *class,
              enum svg_anchor anchor,
              const char *text)
{
    str_printf(out,
               "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\"%s>",
               class,
               x,
               y,
               anchor == SVG_MIDDLE ? " text-anchor=\"middle\"" : "");
    escape(out, text);
    str_add(out, "</text>\n");
}
