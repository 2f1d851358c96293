/* JSON tokens (RFC 8259) over a text of known length: `at` never passes `len`. */
#include "json_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 64

static void blanks(struct json_scan *s)
{
    while (s->at < s->len && memchr(" \t\r\n", s->text[s->at], 4) != NULL)
        s->at++;
}

bool json_scan_take(struct json_scan *s, char c)
{
    blanks(s);
    if (s->at >= s->len || s->text[s->at] != c)
        return false;
    s->at++;
    return true;
}

bool json_scan_over(struct json_scan *s)
{
    blanks(s);
    return s->at == s->len;
}

bool json_scan_u64(struct json_scan *s, uint64_t *ret)
{
    blanks(s);
    size_t at = s->at;
    uint64_t v = 0;
    for (; at < s->len && s->text[at] >= '0' && s->text[at] <= '9'; at++) {
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s->text[at] - '0'), &v))
            return false;
    }
    bool leading_zero = at - s->at > 1 && s->text[s->at] == '0';
    bool more = at < s->len && memchr(".eE", s->text[at], 3) != NULL;
    if (at == s->at || leading_zero || more)
        return false;
    s->at = at;
    *ret = v;
    return true;
}

static bool hex4(const struct json_scan *s, size_t at, uint32_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    if (s->len - at < 4)
        return false;
    *ret = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = s->text[at + i];
        const char *d =
            c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
        if (d == NULL)
            return false;
        *ret = *ret * 16 + (uint32_t)(d - digits);
    }
    return true;
}

static size_t put_utf8(uint32_t c, char *ret)
{
    if (c < 0x80) {
        ret[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        ret[0] = (char)(0xC0 | c >> 6);
        ret[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        ret[0] = (char)(0xE0 | c >> 12);
        ret[1] = (char)(0x80 | (c >> 6 & 0x3F));
        ret[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    ret[0] = (char)(0xF0 | c >> 18);
    ret[1] = (char)(0x80 | (c >> 12 & 0x3F));
    ret[2] = (char)(0x80 | (c >> 6 & 0x3F));
    ret[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* \uXXXX at s->at (after the u), surrogate pairs joined. */
static bool unicode(struct json_scan *s, char *ret, size_t *ret_n)
{
    uint32_t c, low;
    if (!hex4(s, s->at, &c) || c == 0 || (c >= 0xDC00 && c <= 0xDFFF))
        return false;
    s->at += 4;
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (s->len - s->at < 6 || s->text[s->at] != '\\' || s->text[s->at + 1] != 'u' ||
            !hex4(s, s->at + 2, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        s->at += 6;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    *ret_n += put_utf8(c, ret + *ret_n);
    return true;
}

static bool escape(struct json_scan *s, char *ret, size_t *ret_n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (s->at >= s->len)
        return false;
    char c = s->text[s->at++];
    if (c == 'u')
        return unicode(s, ret, ret_n);
    const char *known = c == '\0' ? NULL : strchr(from, c);
    if (known == NULL)
        return false;
    ret[(*ret_n)++] = to[known - from];
    return true;
}

/* Characters up to the closing quote, escapes as they stand; false without one. */
static bool measure(const struct json_scan *s, size_t *ret)
{
    for (size_t at = s->at; at < s->len; at++) {
        if (s->text[at] == '"') {
            *ret = at - s->at;
            return true;
        }
        at += s->text[at] == '\\';
    }
    return false;
}

bool json_scan_string(struct json_scan *s, struct arena *a, const char **ret)
{
    size_t most, n = 0;
    if (!json_scan_take(s, '"') || !measure(s, &most))
        return false;
    char *out = arena_alloc(a, most + 1, 1); /* no escape is shorter than what it means */
    for (size_t end = s->at + most; s->at < end;) {
        char c = s->text[s->at++];
        if ((unsigned char)c < 0x20)
            return false;
        if (c != '\\')
            out[n++] = c;
        else if (!escape(s, out, &n))
            return false;
    }
    *ret = out;
    return json_scan_take(s, '"');
}

bool json_scan_word(struct json_scan *s, const char *word)
{
    size_t n = strlen(word);
    blanks(s);
    if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0)
        return false;
    s->at += n;
    return true;
}

static bool digits(const char *text, size_t *at)
{
    size_t from = *at;
    while (text[*at] >= '0' && text[*at] <= '9')
        ++*at;
    return *at > from;
}

/* Whether the whole of a terminated text is a number of JSON. */
static bool is_number(const char *text)
{
    size_t at = text[0] == '-' ? 1 : 0, first = at;
    if (!digits(text, &at) || (text[first] == '0' && at > first + 1))
        return false;
    if (text[at] == '.') {
        at++;
        if (!digits(text, &at))
            return false;
    }
    if (text[at] == 'e' || text[at] == 'E') {
        at++;
        at += text[at] == '+' || text[at] == '-';
        if (!digits(text, &at))
            return false;
    }
    return text[at] == '\0';
}

bool json_scan_double(struct json_scan *s, double *ret)
{
    char text[64];
    size_t n = 0;
    blanks(s);
    for (; s->at + n < s->len && memchr("+-.0123456789eE", s->text[s->at + n], 15); n++) {
        if (n == sizeof(text) - 1)
            return false;
        text[n] = s->text[s->at + n];
    }
    text[n] = '\0';
    double v = is_number(text) ? strtod(text, NULL) : (double)NAN;
    if (!isfinite(v))
        return false;
    s->at += n;
    *ret = v;
    return true;
}

/* A string that nobody wants: escapes are passed over, not judged. */
static bool skip_string(struct json_scan *s)
{
    size_t n;
    if (!json_scan_take(s, '"') || !measure(s, &n))
        return false;
    s->at += n + 1;
    return true;
}

static bool skip_scalar(struct json_scan *s)
{
    double v;
    return json_scan_double(s, &v) || json_scan_word(s, "true") ||
           json_scan_word(s, "false") || json_scan_word(s, "null") || skip_string(s);
}

/* The brackets that are open, outermost first; what closes each. */
struct nest {
    char close[DEPTH];
    size_t depth;
};

/* A bracket, or a whole scalar; *ret_opened tells which. */
static bool skip_begin(struct json_scan *s, struct nest *n, bool *ret_opened)
{
    *ret_opened = json_scan_take(s, '[') || json_scan_take(s, '{');
    if (!*ret_opened)
        return skip_scalar(s);
    if (n->depth == DEPTH)
        return false;
    n->close[n->depth++] = s->text[s->at - 1] == '[' ? ']' : '}';
    return true;
}

bool json_scan_skip(struct json_scan *s)
{
    struct nest n = {.depth = 0};
    for (;;) {
        bool first; /* nothing stands in the innermost bracket yet */
        if (!skip_begin(s, &n, &first))
            return false;
        while (n.depth > 0 && json_scan_take(s, n.close[n.depth - 1])) {
            n.depth--;
            first = false;
        }
        if (n.depth == 0)
            return true;
        if (!first && !json_scan_take(s, ','))
            return false;
        bool keyed = n.close[n.depth - 1] == '}';
        if (keyed && (!skip_string(s) || !json_scan_take(s, ':')))
            return false;
    }
}
