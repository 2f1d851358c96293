/* See scalar11.h. The patterns are PyYAML's own, by hand; tests compare them with it.
 * Invariant: everything here looks at a text alone and knows no document. */
#include "scalar11.h"
#include "base/str.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t span(const char *p, const char *of)
{
    return strspn(p, of);
}

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words != NULL && strcmp(text, *words) != 0)
        words++;
    return *words != NULL;
}

/* After (:[0-5]?[0-9])+, or NULL when there is none. */
static const char *after_sixties(const char *p)
{
    const char *end = NULL;
    while (p[0] == ':' && span(p + 1, "0123456789") > 0) {
        p += p[1] <= '5' && span(p + 2, "0123456789") > 0 ? 3 : 2;
        end = p;
    }
    return end;
}

static bool is_int(const char *p)
{
    p += *p == '-' || *p == '+';
    if (strncmp(p, "0b", 2) == 0)
        return p[2] != '\0' && p[2 + span(p + 2, "01_")] == '\0';
    if (strncmp(p, "0x", 2) == 0)
        return p[2] != '\0' && p[2 + span(p + 2, "0123456789abcdefABCDEF_")] == '\0';
    if (*p == '0')
        return p[1 + span(p + 1, "01234567_")] == '\0';
    if (*p < '1' || *p > '9')
        return false;
    p += span(p, "0123456789_");
    const char *end = after_sixties(p);
    return *p == '\0' || (end != NULL && *end == '\0');
}

/* ([eE][-+][0-9]+)? and the end */
static bool is_exponent(const char *p)
{
    if (*p == '\0')
        return true;
    if ((*p != 'e' && *p != 'E') || (p[1] != '-' && p[1] != '+'))
        return false;
    size_t n = span(p + 2, "0123456789");
    return n > 0 && p[2 + n] == '\0';
}

static bool is_float(const char *p)
{
    static const char *const words[] = {
        ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
    bool sign = *p == '-' || *p == '+';
    p += sign;
    if (is_one_of(p, words))
        return !sign || p[1] == 'i' || p[1] == 'I';
    if (*p == '.')
        return !sign && span(p + 1, "0123456789") > 0 &&
               is_exponent(p + 1 + span(p + 1, "0123456789_"));
    if (span(p, "0123456789") == 0)
        return false;
    p += span(p, "0123456789_");
    const char *end = after_sixties(p);
    const char *dot = end != NULL ? end : p;
    if (*dot != '.')
        return false;
    dot += 1 + span(dot + 1, "0123456789_");
    return end != NULL ? *dot == '\0' : is_exponent(dot);
}

/* Between min and max digits at *p, which moves past them. */
static bool take_digits(const char **p, size_t min, size_t max)
{
    size_t n = span(*p, "0123456789");
    n = n > max ? max : n;
    *p += n;
    return n >= min;
}

static bool take(const char **p, char c)
{
    bool there = **p == c;
    *p += there;
    return there;
}

/* Z, +1, -01:30 or nothing, and the end. */
static bool is_zone(const char *p)
{
    p += span(p, " \t");
    if (*p == '\0')
        return true;
    if (take(&p, 'Z'))
        return *p == '\0';
    if ((!take(&p, '+') && !take(&p, '-')) || !take_digits(&p, 1, 2))
        return false;
    return *p == '\0' || (take(&p, ':') && take_digits(&p, 2, 2) && *p == '\0');
}

static bool is_date(const char *text)
{
    const char *p = text;
    if (!take_digits(&p, 4, 4) || !take(&p, '-') || !take_digits(&p, 1, 2) ||
        !take(&p, '-') || !take_digits(&p, 1, 2))
        return false;
    if (*p == '\0')
        return p - text == 10;
    if (!take(&p, 'T') && !take(&p, 't')) {
        size_t blanks = span(p, " \t");
        if (blanks == 0)
            return false;
        p += blanks;
    }
    if (!take_digits(&p, 1, 2) || !take(&p, ':') || !take_digits(&p, 2, 2) ||
        !take(&p, ':') || !take_digits(&p, 2, 2))
        return false;
    if (take(&p, '.'))
        p += span(p, "0123456789");
    /* blanks alone cannot end a plain scalar */
    return is_zone(p);
}

static bool is_true(const char *text)
{
    static const char *const words[] = {
        "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL};
    return is_one_of(text, words);
}

static bool is_false(const char *text)
{
    static const char *const words[] = {
        "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", NULL};
    return is_one_of(text, words);
}

enum doc_kind
scalar11_resolve(const char *text, size_t len, enum scalar11_refusal *refusal)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    *refusal = SCALAR11_FINE;
    if (strcspn(text, "-+.0123456789yYnNtTfFoO~=<") > 0 || strlen(text) != len)
        return len == 0 ? DOC_NULL : DOC_STRING;
    if (is_one_of(text, nulls))
        return DOC_NULL;
    if (is_true(text) || is_false(text))
        return DOC_BOOL;
    if (is_float(text))
        return DOC_FLOAT;
    if (is_int(text)) {
        const char *p = text + (*text == '-' || *text == '+');
        bool based = strncmp(p, "0b", 2) == 0 || strncmp(p, "0x", 2) == 0;
        *refusal = based && p[2 + span(p + 2, "_")] == '\0' ? SCALAR11_UNREADABLE
                                                            : SCALAR11_FINE;
        return DOC_INT;
    }
    if (is_date(text))
        *refusal = SCALAR11_DATE;
    else if (strcmp(text, "=") == 0 || strcmp(text, "<<") == 0)
        *refusal = SCALAR11_UNREADABLE;
    return DOC_STRING;
}

/* `text` without its underscores. */
static char *bare(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_copy(a, text, len), *to = copy;
    for (const char *p = copy; *p != '\0'; p++) {
        if (*p != '_')
            *to++ = *p;
    }
    *to = '\0';
    return copy;
}

/* The value of digits in a base, or of `:`-parted ones in base 60. False: beyond 64 bits.
 */
static bool magnitude(const char *p, int base, uint64_t *ret)
{
    uint64_t v = 0;
    char *end = NULL;
    errno = 0;
    for (;; p = end + 1) {
        unsigned long long part = strtoull(p, &end, base);
        if (errno == ERANGE || __builtin_mul_overflow(v, 60u, &v) ||
            __builtin_add_overflow(v, part, &v))
            return false;
        if (*end != ':')
            break;
    }
    *ret = v;
    return true;
}

/* The decimal text of an integer; NULL: beyond 64 bits (a decimal one stays as it is). */
static const char *int_text(struct arena *a, const char *text, size_t len)
{
    const char *digits = bare(a, text, len);
    const char *sign = digits[0] == '-' ? "-" : "";
    digits += digits[0] == '-' || digits[0] == '+';
    bool decimal = digits[0] != '0' && strchr(digits, ':') == NULL;
    uint64_t v;
    if (decimal)
        return arena_printf(a, "%s%s", sign, digits);
    int base = 10;
    if (digits[0] == '0' && digits[1] != '\0') {
        base = digits[1] == 'x' ? 16 : (digits[1] == 'b' ? 2 : 8);
        digits += base == 8 ? 1 : 2;
    }
    if (!magnitude(digits, base, &v))
        return NULL;
    return arena_printf(a, "%s%llu", v == 0 ? "" : sign, (unsigned long long)v);
}

/* A float's text for doc_float. By `:` in sixties from the last part on, as PyYAML adds
 * them up. */
static const char *float_text(struct arena *a, const char *text, size_t len)
{
    char buf[32];
    char *digits = bare(a, text, len);
    if (strchr(digits, ':') == NULL)
        return digits;
    char *first = digits + (digits[0] == '-' || digits[0] == '+');
    double v = 0, base = 1;
    for (char *colon; (colon = strrchr(first, ':')) != NULL; base *= 60) {
        v += strtod(colon + 1, NULL) * base;
        *colon = '\0';
    }
    v += strtod(first, NULL) * base;
    return arena_strdup(a, str_double(digits[0] == '-' ? -v : v, buf));
}

/* A double as both versions read it: with a point, and a sign of the exponent. */
static const char *both_float(struct arena *a, double v)
{
    char buf[32];
    const char *text = str_double(v, buf), *e = strchr(text, 'e');
    if (isinf(v))
        return v < 0 ? "-.inf" : ".inf";
    if (e == NULL || strchr(text, '.') != NULL)
        return arena_strdup(a, text);
    return arena_printf(a, "%.*s.0%s", (int)(e - text), text, e);
}

const char *
scalar11_text(struct arena *a, enum doc_kind kind, const char *text, size_t len)
{
    if (kind == DOC_INT)
        return int_text(a, text, len);
    if (kind == DOC_FLOAT)
        return float_text(a, text, len);
    if (kind == DOC_BOOL)
        return is_true(text) ? "true" : "false";
    return text;
}

const char *scalar11_both(struct arena *a, enum doc_kind kind, const char *text)
{
    struct doc_node n = {.kind = kind, .as.text = text};
    int64_t i;
    if (kind == DOC_STRING)
        return "a string";
    if (kind == DOC_BOOL)
        return is_true(text) ? "true" : "false";
    if (kind == DOC_FLOAT)
        return both_float(a, doc_float(&n));
    return kind == DOC_INT && doc_int(&n, &i) == 0 ? arena_printf(a, "%lld", (long long)i)
                                                   : text;
}

bool scalar11_is_octal(const char *text)
{
    text += *text == '-' || *text == '+';
    return text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)? */
bool scalar11_is_json_number(const char *p)
{
    (void)take(&p, '-');
    if (!take(&p, '0') && !take_digits(&p, 1, SIZE_MAX))
        return false;
    if (take(&p, '.') && !take_digits(&p, 1, SIZE_MAX))
        return false;
    if (take(&p, 'e') || take(&p, 'E')) {
        if (!take(&p, '-'))
            (void)take(&p, '+');
        if (!take_digits(&p, 1, SIZE_MAX))
            return false;
    }
    return *p == '\0';
}
