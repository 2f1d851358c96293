/* See fold.h. Columns are counted in characters (UTF-8), each of one cell. Invariant:
 * taken together again, the words are those of the text. */
#include "fold.h"

enum { LEAST_ROOM = 20 }; /* columns that a folded column needs to be readable */

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

static unsigned columns_of(const char *text, size_t len)
{
    unsigned n = 0;
    for (size_t i = 0; i < len; i++)
        n += begins_character(text[i]);
    return n;
}

/* Where the last column of a line begins, in bytes; 0: it has none. */
static size_t last_column(const char *line, size_t len)
{
    size_t at = 0;
    for (size_t i = 2; i < len; i++) {
        if (line[i] != ' ' && line[i - 1] == ' ' && line[i - 2] == ' ')
            at = i;
    }
    return at;
}

/* Bytes of `text` that fit in `room` columns, up to a blank where there is one. */
static size_t fitting(const char *text, size_t len, unsigned room)
{
    size_t blank = 0, i = 0;
    unsigned n = 0;
    for (; i < len; i++) {
        n += begins_character(text[i]);
        if (n > room + 1 || (n > room && text[i] != ' '))
            break;
        if (text[i] == ' ')
            blank = i;
    }
    return i == len ? len : blank > 0 ? blank : len;
}

static void fold_line(const char *line, size_t len, unsigned width, struct str *out)
{
    size_t at = last_column(line, len);
    unsigned indent = columns_of(line, at);
    if (at == 0 || columns_of(line, len) <= width || indent + LEAST_ROOM > width) {
        str_add_n(out, line, len);
        return;
    }
    str_add_n(out, line, at);
    for (size_t n; at < len; at += n + (at + n < len)) {
        n = fitting(line + at, len - at, width - indent);
        str_add_n(out, line + at, n);
        if (at + n < len)
            str_printf(out, "\n%*s", (int)indent, "");
    }
}

void fold_lines(const char *text, unsigned width, struct str *out)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        fold_line(text, len, width, out);
        text += len;
        if (*text == '\n') {
            str_add(out, "\n");
            text++;
        }
    }
}
