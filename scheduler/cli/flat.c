/* See flat.h. Invariant: every name and text in `bytes` ends with a 0. */
#include "flat.h"
#include "base/memory.h"
#include <stdlib.h>

enum { MOST_DEPTH = 16 };

struct scan {
    struct flat *f;
    const char *p;
    struct str path; /* the names of the mappings around, each ended by a dot */
    unsigned depth;
};

static bool read_map(struct scan *s);

static void add_char(struct str *out, unsigned code)
{
    char c[4];
    size_t n = 0;
    if (code < 0x80) {
        c[n++] = (char)code;
    } else if (code < 0x800) {
        c[n++] = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            c[n++] = (char)(0xe0 | code >> 12);
        } else {
            c[n++] = (char)(0xf0 | code >> 18);
            c[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        }
        c[n++] = (char)(0x80 | (code >> 6 & 0x3f));
    }
    if (code >= 0x80)
        c[n++] = (char)(0x80 | (code & 0x3f));
    str_add_n(out, c, n);
}

/* Four hexadecimal digits. */
static bool read_hex(struct scan *s, unsigned *ret)
{
    unsigned code = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        static const char digits[] = "0123456789abcdef";
        char c = *s->p >= 'A' && *s->p <= 'F' ? (char)(*s->p - 'A' + 'a') : *s->p;
        const char *at = c != '\0' ? strchr(digits, c) : NULL;
        if (at == NULL)
            return false;
        code = code << 4 | (unsigned)(at - digits);
    }
    *ret = code;
    return true;
}

/* What follows a backslash. */
static bool read_escape(struct scan *s, struct str *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    unsigned code = 0, low = 0;
    if (*s->p != 'u') {
        const char *at = *s->p != '\0' ? strchr(from, *s->p) : NULL;
        if (at == NULL)
            return false;
        str_add_n(out, &to[at - from], 1);
        s->p++;
        return true;
    }
    s->p++;
    if (!read_hex(s, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && strncmp(s->p, "\\u", 2) == 0) {
        s->p += 2;
        if (!read_hex(s, &low))
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
    }
    add_char(out, code);
    return true;
}

static bool read_string(struct scan *s, struct str *out)
{
    for (s->p++; *s->p != '"';) {
        size_t plain = strcspn(s->p, "\"\\");
        str_add_n(out, s->p, plain);
        s->p += plain;
        if (*s->p == '\0')
            return false;
        if (*s->p == '\\') {
            s->p++;
            if (!read_escape(s, out))
                return false;
        }
    }
    s->p++;
    return true;
}

/* A number, a word or a list, as it stands. */
static bool read_plain(struct scan *s, struct str *out)
{
    const char *start = s->p;
    unsigned open = 0;
    bool quoted = false;
    for (; *s->p != '\0'; s->p++) {
        if (quoted) {
            quoted = *s->p != '"';
            if (*s->p == '\\' && s->p[1] != '\0')
                s->p++;
            continue;
        }
        quoted = *s->p == '"';
        open += *s->p == '[' || *s->p == '{';
        if (open == 0 && (*s->p == ',' || *s->p == '}'))
            break;
        open -= open > 0 && (*s->p == ']' || *s->p == '}');
    }
    str_add_n(out, start, (size_t)(s->p - start));
    return s->p > start && open == 0 && !quoted;
}

static struct flat_item *append(struct flat *f)
{
    if (f->n == f->room) {
        f->room = f->room == 0 ? 16 : 2 * f->room;
        f->items = xrealloc(f->items, f->room, sizeof(*f->items));
    }
    f->items[f->n] = (struct flat_item){0};
    return &f->items[f->n++];
}

static bool read_value(struct scan *s)
{
    struct flat *f = s->f;
    if (*s->p == '{') {
        str_add(&s->path, ".");
        return read_map(s);
    }
    struct flat_item *item = append(f);
    item->name = f->bytes.len;
    str_add_n(&f->bytes, str_text(&s->path), s->path.len);
    str_add_n(&f->bytes, "", 1);
    item->text = f->bytes.len;
    item->string = *s->p == '"';
    bool fine = item->string ? read_string(s, &f->bytes) : read_plain(s, &f->bytes);
    str_add_n(&f->bytes, "", 1);
    return fine;
}

static void cut(struct str *s, size_t len)
{
    s->len = len;
    if (s->text != NULL)
        s->text[len] = '\0';
}

static bool read_map(struct scan *s)
{
    size_t outside = s->path.len;
    if (*s->p != '{' || ++s->depth > MOST_DEPTH)
        return false;
    for (s->p++; *s->p != '}';) {
        if (*s->p != '"' || !read_string(s, &s->path) || *s->p++ != ':' || !read_value(s))
            return false;
        cut(&s->path, outside);
        if (*s->p == ',' && s->p[1] == '"')
            s->p++;
        else if (*s->p != '}')
            return false;
    }
    s->p++;
    s->depth--;
    return true;
}

void flat_read(struct flat *f, const char *json)
{
    struct scan s = {.f = f, .p = json};
    f->n = 0;
    str_clear(&f->bytes);
    if (json[0] == '\0')
        return;
    bool fine = read_map(&s) && *s.p == '\0';
    str_free(&s.path);
    if (!fine) {
        f->n = 0;
        str_clear(&f->bytes);
        struct flat_item *item = append(f);
        item->name = f->bytes.len;
        str_add_n(&f->bytes, "params", 7);
        item->text = f->bytes.len;
        str_add_n(&f->bytes, json, strlen(json) + 1);
    }
}

void flat_free(struct flat *f)
{
    str_free(&f->bytes);
    free(f->items);
    *f = (struct flat){0};
}
