/* See caret.h. Invariant: both lines have the same letters or blanks of the same widths
 * up to the place, so the caret stands below it on any terminal. */
#define _XOPEN_SOURCE 700 /* wcwidth */
#include "caret.h"
#include <wchar.h>

enum { TAB = 8, MARGIN = 8, MOST_SOURCE = 1 << 14, MOST_BEFORE = 1 << 10 };

/* The bytes of a line break at p, as YAML has them: CR, LF, CR LF, NEL, LS, PS; 0: none.
 */
static size_t break_at(const unsigned char *p, size_t n)
{
    if (p[0] == '\r')
        return n > 1 && p[1] == '\n' ? 2 : 1;
    if (p[0] == '\n')
        return 1;
    if (n > 1 && p[0] == 0xc2 && p[1] == 0x85)
        return 2;
    bool separator =
        n > 2 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
    return separator ? 3 : 0;
}

static void go_to(struct caret *c, size_t at, unsigned line)
{
    const unsigned char *p = (const unsigned char *)c->text;
    size_t i = at, ends = 0;
    while (i < c->len && (ends = break_at(p + i, c->len - i)) == 0)
        i++;
    *c = (struct caret){.text = c->text,
                        .len = c->len,
                        .line = line,
                        .at = at,
                        .length = i - at,
                        .ends = ends};
}

/* Goes to a line; false: there is none. */
static bool find(struct caret *c, unsigned line)
{
    bool bom = c->len >= 3 && memcmp(c->text, "\xef\xbb\xbf", 3) == 0;
    if (c->line == 0 || line < c->line)
        go_to(c, bom ? 3 : 0, 1);
    while (c->line < line && c->ends > 0)
        go_to(c, c->at + c->length + c->ends, c->line + 1);
    return c->line == line;
}

/* Of a line of megabytes only the part around the place is looked at. */
static void skip_to(struct caret *c, unsigned col)
{
    if (c->length <= MOST_SOURCE)
        return;
    if (col <= c->skipped)
        c->skip = c->skipped = 0;
    while (c->skipped + MOST_BEFORE < col && c->skip < c->length) {
        const unsigned char *p = (const unsigned char *)c->text + c->at + c->skip;
        size_t n = str_utf8_length(p, c->length - c->skip);
        c->skip += n == 0 ? 1 : n;
        c->skipped++;
    }
}

/* One letter: its bytes, and how it looks at a column. */
struct letter {
    size_t bytes;
    int width;
    bool blank, odd; /* shown as blanks; shown as '?' */
};

/* Of a valid sequence. */
static wchar_t code_point(const unsigned char *p, size_t bytes)
{
    unsigned c = bytes == 1 ? p[0] : p[0] & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++)
        c = c << 6 | (p[i] & 0x3fu);
    return (wchar_t)c;
}

static struct letter letter_at(const char *text, size_t n, int column, bool utf8)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t bytes = str_utf8_length(p, n);
    struct letter l = {.bytes = bytes == 0 ? 1 : bytes, .width = 1};
    if (*p == '\t') {
        l.width = TAB - column % TAB;
        l.blank = true;
    } else if (*p < 0x20 || *p == 0x7f || bytes == 0 || (bytes > 1 && !utf8)) {
        l.odd = true;
    } else if (bytes > 1) {
        int width = wcwidth(code_point(p, bytes));
        l.odd = width < 0;
        l.width = width < 0 ? 1 : width;
    }
    return l;
}

/* The columns before the place, and the end of the line. */
static int
column_of(const char *text, size_t len, unsigned col, bool utf8, int *ret_columns)
{
    int at = 0, column = 0;
    unsigned i = 1;
    for (size_t p = 0; p < len; i++) {
        struct letter l = letter_at(text + p, len - p, column, utf8);
        at = i <= col ? column : at;
        column += l.width;
        p += l.bytes;
    }
    *ret_columns = column;
    return col >= i ? column : at;
}

/* The columns [from, to) of a line. */
static void
show(const char *text, size_t len, int from, int to, bool utf8, struct str *out)
{
    int column = 0;
    for (size_t p = 0; p < len && column < to;) {
        struct letter l = letter_at(text + p, len - p, column, utf8);
        bool inside = column >= from && column + l.width <= to;
        if (inside && !l.blank && !l.odd)
            str_add_n(out, text + p, l.bytes);
        for (int i = 0; i < l.width && !(inside && !l.blank && !l.odd); i++) {
            if (column + i >= from && column + i < to)
                str_add(out, l.odd ? "?" : " ");
        }
        column += l.width;
        p += l.bytes;
    }
}

void caret_draw(struct caret *c,
                unsigned line,
                unsigned col,
                const struct caret_look *look,
                struct str *out)
{
    if (line == 0 || col == 0 || !find(c, line))
        return;
    skip_to(c, col);
    const char *text = c->text + c->at + c->skip;
    size_t left = c->length - c->skip, len = left < MOST_SOURCE ? left : MOST_SOURCE;
    int columns, room = look->width - MARGIN - 1;
    int at = column_of(text, len, col - c->skipped, look->utf8, &columns);
    room = room < 20 ? 20 : room;
    int from = at < room - room / 4 ? 0 : at - room / 2, to = from + room;
    bool before = from > 0, after = columns > to;
    const char *dots = look->utf8 ? "\xe2\x80\xa6" : NULL;
    str_printf(out, "%5u | %s", line, !before ? "" : dots != NULL ? dots : "<");
    show(text, len, from + before, to - after, look->utf8, out);
    str_printf(out, "%s\n      | ", !after ? "" : dots != NULL ? dots : ">");
    for (int i = from; i < at; i++)
        str_add(out, " ");
    str_printf(
        out, "%s^%s\n", look->colour ? "\033[1;31m" : "", look->colour ? "\033[0m" : "");
}
