/* See json.h. */
#include "json.h"
#include <assert.h>
#include <math.h>

void json_free(struct json *j)
{
    str_free(&j->out);
}

static void newline(struct json *j)
{
    if (!j->pretty)
        return;
    str_add(&j->out, "\n");
    for (unsigned i = 0; i < j->depth; i++)
        str_add(&j->out, "  ");
}

/* What stands before a value or a key: the comma and the line break. */
static void before_item(struct json *j)
{
    if (j->keyed) {
        j->keyed = false;
        return;
    }
    if (j->depth == 0)
        return;
    if (j->filled[j->depth - 1])
        str_add(&j->out, ",");
    j->filled[j->depth - 1] = true;
    newline(j);
}

void json_begin(struct json *j, char bracket)
{
    assert((bracket == '{' || bracket == '[') && j->depth < JSON_DEPTH);
    before_item(j);
    str_add_n(&j->out, &bracket, 1);
    j->filled[j->depth] = false;
    j->open[j->depth++] = bracket;
}

void json_end(struct json *j, char bracket)
{
    assert(j->depth > 0 && j->open[j->depth - 1] == (bracket == '}' ? '{' : '['));
    j->depth--;
    if (j->filled[j->depth])
        newline(j);
    str_add_n(&j->out, &bracket, 1);
    if (j->depth == 0 && j->pretty)
        str_add(&j->out, "\n");
}

/* Characters that JSON takes as they are and YAML's readers refuse or fold: DEL, C1
 * controls, line and paragraph separators, a byte order mark inside, U+FFFE, U+FFFF.
 * Escaped, so that spec/doc reads what was written. Returns the code point + 1; 0: as it
 * is. */
static unsigned escaped(const unsigned char *p, size_t len)
{
    if (len == 1)
        return p[0] < 0x20 || p[0] == 0x7f ? p[0] + 1u : 0;
    if (len == 2 && p[0] == 0xc2 && p[1] < 0xa0)
        return p[1] + 1u;
    if (len != 3)
        return 0;
    unsigned c = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    bool separator = c == 0x2028 || c == 0x2029;
    return separator || c == 0xfeff || c >= 0xfffe ? c + 1 : 0;
}

static void quote(struct json *j, const char *text, size_t n)
{
    static const char *const names[] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\n'] = "\\n", ['\t'] = "\\t", ['\r'] = "\\r"};
    const unsigned char *p = (const unsigned char *)text;
    str_add(&j->out, "\"");
    for (size_t i = 0; i < n;) {
        size_t len = str_utf8_length(p + i, n - i);
        unsigned char c = p[i];
        if (len == 0)
            str_add(&j->out, "\xef\xbf\xbd");
        else if (c < sizeof(names) / sizeof(names[0]) && names[c] != NULL)
            str_add(&j->out, names[c]);
        else if (escaped(p + i, len) != 0)
            str_printf(&j->out, "\\u%04x", escaped(p + i, len) - 1);
        else
            str_add_n(&j->out, text + i, len);
        i += len == 0 ? 1 : len;
    }
    str_add(&j->out, "\"");
}

void json_key(struct json *j, const char *key)
{
    assert(j->depth > 0 && j->open[j->depth - 1] == '{' && !j->keyed);
    before_item(j);
    quote(j, key, strlen(key));
    str_add(&j->out, j->pretty ? ": " : ":");
    j->keyed = true;
}

void json_string_n(struct json *j, const char *text, size_t len)
{
    before_item(j);
    quote(j, text, len);
}

void json_string(struct json *j, const char *text)
{
    if (text == NULL)
        json_null(j);
    else
        json_string_n(j, text, strlen(text));
}

void json_int(struct json *j, int64_t v)
{
    before_item(j);
    str_printf(&j->out, "%lld", (long long)v);
}

void json_uint(struct json *j, uint64_t v)
{
    before_item(j);
    str_printf(&j->out, "%llu", (unsigned long long)v);
}

void json_double(struct json *j, double v)
{
    char buf[32];
    before_item(j);
    str_add(&j->out, isfinite(v) ? str_double(v, buf) : "null");
}

void json_bool(struct json *j, bool v)
{
    before_item(j);
    str_add(&j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
    before_item(j);
    str_add(&j->out, "null");
}

void json_raw(struct json *j, const char *text)
{
    before_item(j);
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        len--;
    str_add_n(&j->out, text, len);
}

void json_put_string(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_string(j, text);
}

void json_put_int(struct json *j, const char *key, int64_t v)
{
    json_key(j, key);
    json_int(j, v);
}

void json_put_double(struct json *j, const char *key, double v)
{
    json_key(j, key);
    json_double(j, v);
}

void json_put_bool(struct json *j, const char *key, bool v)
{
    json_key(j, key);
    json_bool(j, v);
}
