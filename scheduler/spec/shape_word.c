/* See shape_word.h. Invariant: the text is UTF-8 without NUL (shape.c looks first), so
 * what is cut at an ASCII character is UTF-8 too. */
#include "shape_word.h"
#include "base/json.h"
#include <strings.h>

int shape_bad(const struct shape_reader *r, const char *at, const char *what)
{
    size_t place = 1;
    for (const char *p = r->text; p < at; p++)
        place += ((unsigned char)*p & 0xc0) != 0x80;
    return gm_fail(r->err, -EINVAL, "'%.80s': %s at character %zu", r->text, what, place);
}

void shape_skip_blanks(struct shape_reader *r)
{
    r->p += strspn(r->p, " \t\r\n");
}

/* Four hex digits, or -1. */
static int32_t read_hex(const char *p)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *d = p[i] != '\0' ? strchr(digits, p[i] | 0x20) : NULL;
        if (d == NULL)
            return -1;
        v = v * 16 + (int32_t)(d - digits);
    }
    return v;
}

static void put_utf8(struct str *out, int32_t c)
{
    char buf[4];
    size_t n = 0;
    if (c < 0x80) {
        buf[n++] = (char)c;
    } else if (c < 0x800) {
        buf[n++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        buf[n++] = (char)(0xe0 | c >> 12);
        buf[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        buf[n++] = (char)(0xf0 | c >> 18);
        buf[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        buf[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    }
    if (c >= 0x80)
        buf[n++] = (char)(0x80 | (c & 0x3f));
    str_add_n(out, buf, n);
}

/* r->p is at the u of "\uXXXX"; a pair of surrogates is one character. */
static int read_unicode(struct shape_reader *r, struct str *out)
{
    const char *from = r->p - 1;
    int32_t c = read_hex(r->p + 1);
    if (c < 0)
        return shape_bad(r, from, "\\u without four hex digits");
    r->p += 5;
    if (c >= 0xd800 && c < 0xdc00) {
        int32_t low = r->p[0] == '\\' && r->p[1] == 'u' ? read_hex(r->p + 2) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return shape_bad(r, from, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        r->p += 6;
    } else if (c >= 0xdc00 && c < 0xe000) {
        return shape_bad(r, from, "half of a surrogate pair");
    }
    if (c == 0)
        return shape_bad(r, from, "a NUL");
    put_utf8(out, c);
    return 0;
}

/* r->p is at what follows the backslash. */
static int read_escape(struct shape_reader *r, struct str *out)
{
    static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    if (*r->p == 'u')
        return read_unicode(r, out);
    const char *at = *r->p != '\0' ? strchr(names, *r->p) : NULL;
    if (at == NULL)
        return shape_bad(r, r->p - 1, "an escape that JSON does not have");
    str_add_n(out, &means[at - names], 1);
    r->p++;
    return 0;
}

static int read_quoted(struct shape_reader *r, const char **ret)
{
    AUTO_STR out = {0};
    const char *from = r->p;
    char quote = *r->p++;
    while (*r->p != quote) {
        int rc = 0;
        if (*r->p == '\0')
            return shape_bad(r, from, "no quote closes the one");
        if ((unsigned char)*r->p < ' ')
            return shape_bad(r, r->p, "a control character");
        if (*r->p == '\\' && quote == '"') {
            r->p++;
            rc = read_escape(r, &out);
        } else {
            str_add_n(&out, r->p++, 1);
        }
        if (rc != 0)
            return rc;
    }
    r->p++;
    *ret = arena_copy(r->arena, str_text(&out), out.len);
    return 0;
}

static bool is_blank_or_control(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

int shape_word(struct shape_reader *r,
               const char *stops,
               const char *what,
               const char **ret,
               bool *ret_quoted)
{
    const char *from = r->p;
    *ret_quoted = *from == '"' || *from == '\'';
    if (*ret_quoted) {
        int rc = read_quoted(r, ret);
        if (rc != 0)
            return rc;
    } else {
        while (!is_blank_or_control(*r->p) && strchr(stops, *r->p) == NULL)
            r->p++;
        *ret = arena_copy(r->arena, from, (size_t)(r->p - from));
    }
    if (**ret != '\0')
        return 0;
    AUTO_STR missing = {0};
    str_printf(&missing, "%s must stand", what);
    return shape_bad(r, from, str_text(&missing));
}

static const char *skip_digits(const char *p)
{
    return p + strspn(p, "0123456789");
}

static bool is_number(const char *p)
{
    p += *p == '-';
    const char *end = skip_digits(p);
    if (end == p || (*p == '0' && end - p > 1))
        return false;
    if (*end == '.') {
        p = end + 1;
        end = skip_digits(p);
        if (end == p)
            return false;
    }
    if (*end == 'e' || *end == 'E') {
        p = end + 1;
        p += *p == '+' || *p == '-';
        end = skip_digits(p);
        if (end == p)
            return false;
    }
    return *end == '\0';
}

bool shape_is_literal(const char *word)
{
    return strcasecmp(word, "true") == 0 || strcasecmp(word, "false") == 0 ||
           strcasecmp(word, "null") == 0 || is_number(word);
}

void shape_put_word(struct str *out, const char *word)
{
    bool bare = *word != '\0' && *word != '+' && *word != '-' && !shape_is_literal(word);
    for (const char *p = word; bare && *p != '\0'; p++)
        bare = !is_blank_or_control(*p) && strchr("={}[]/;,:\"'", *p) == NULL;
    if (bare) {
        str_add(out, word);
        return;
    }
    AUTO_JSON j = {0};
    json_string(&j, word);
    str_add_n(out, str_text(&j.out), j.out.len);
}
