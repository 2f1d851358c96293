/* JSON tokens (RFC 8259) over a text of known length: `at` never passes `len`. */
#include "json_scan.h"

#include <string.h>

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
