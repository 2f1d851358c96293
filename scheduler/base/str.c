/* See str.h. Invariant: text == NULL or text[len] == 0 and len < room. */
#include "str.h"
#include "memory.h"
#include <math.h>
#include <stdlib.h>

void str_add_n(struct str *s, const char *text, size_t len)
{
    size_t need = xadd(xadd(s->len, len), 1);
    if (need > s->room) {
        size_t room = s->room < 64 ? 64 : s->room;
        while (room < need)
            room = xmul(room, 2);
        s->text = xrealloc(s->text, room, 1);
        s->room = room;
    }
    if (len > 0)
        memcpy(s->text + s->len, text, len);
    s->len += len;
    s->text[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
    str_add_n(s, text, strlen(text));
}

void str_printf(struct str *s, const char *fmt, ...)
{
    char small[256];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        str_add_n(s, small, (size_t)n);
    } else if (n >= 0) {
        char *large = xcalloc((size_t)n + 1, 1);
        (void)vsnprintf(large, (size_t)n + 1, fmt, again);
        str_add_n(s, large, (size_t)n);
        free(large);
    }
    va_end(again);
}

const char *str_text(const struct str *s)
{
    return s->text == NULL ? "" : s->text;
}

char *str_steal(struct str *s)
{
    char *text = s->text == NULL ? xstrdup("") : s->text;
    *s = (struct str){0};
    return text;
}

static bool any_control(const char *word)
{
    const unsigned char *p = (const unsigned char *)word;
    while (*p >= ' ' && *p != 0x7f)
        p++;
    return *p != '\0';
}

/* $'...' as POSIX has it since 2024, and bash ever. */
static void add_escaped(struct str *s, const char *word)
{
    str_add(s, "$'");
    for (const unsigned char *p = (const unsigned char *)word; *p != '\0'; p++) {
        if (*p == '\n')
            str_add(s, "\\n");
        else if (*p == '\t')
            str_add(s, "\\t");
        else if (*p < ' ' || *p == 0x7f)
            str_printf(s, "\\%03o", *p);
        else
            str_printf(s, *p == '\'' || *p == '\\' ? "\\%c" : "%c", *p);
    }
    str_add(s, "'");
}

void str_add_shell(struct str *s, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_@%+=:,./-";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        str_add(s, word);
        return;
    }
    if (any_control(word)) {
        add_escaped(s, word);
        return;
    }
    str_add(s, "'");
    for (const char *p = word; *p != '\0';) {
        size_t n = strcspn(p, "'");
        str_add_n(s, p, n);
        p += n;
        if (*p == '\'') {
            str_add(s, "'\\''");
            p++;
        }
    }
    str_add(s, "'");
}

void str_clear(struct str *s)
{
    s->len = 0;
    if (s->text != NULL)
        s->text[0] = '\0';
}

void str_free(struct str *s)
{
    free(s->text);
    *s = (struct str){0};
}

/* Levenshtein's distance, two neighbours in the wrong order being one step; words past
 * 63 bytes are never near. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][64], n = strlen(a), m = strlen(b);
    if (n >= 64 || m >= 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *up = rows[(i + 2) % 3], *above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t swap = up[j - 1] + (a[i - 1] != b[j - 1]);
            size_t step = 1 + (up[j] < row[j - 1] ? up[j] : row[j - 1]);
            row[j] = step < swap ? step : swap;
            bool turned = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (turned && above[j - 2] + 1 < row[j])
                row[j] = above[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t len = strlen(word), best = SIZE_MAX;
    size_t limit = len < 4 ? 1 : len < 6 ? 2 : len / 3;
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = edit_distance(word, candidates[i]);
        if (d <= limit && d < best && d < len) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}

const char *str_double(double v, char buf[32])
{
    if (isnan(v))
        return memcpy(buf, "nan", 4);
    if (isinf(v))
        return memcpy(buf, v < 0 ? "-inf" : "inf", v < 0 ? 5 : 4);
    if (fabs(v) < 1e15 && v == floor(v)) {
        (void)snprintf(buf, 32, "%.1f", v); /* 100.0, where %g has 1e+02 */
        return buf;
    }
    /* Whatever has 15 digits or fewer is printed so by 15; the smallest have fewer. */
    for (int digits = fabs(v) < 1e-290 ? 1 : 15; digits <= 17; digits++) {
        (void)snprintf(buf, 32, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    if (strpbrk(buf, ".e") == NULL) {
        size_t n = strlen(buf);
        memcpy(buf + n, ".0", 3);
    }
    return buf;
}

const char *str_duration(double s, char buf[32])
{
    if (s < 0.0995)
        (void)snprintf(buf, 32, "%.*f ms", s < 0.00995 ? 1 : 0, s * 1e3);
    else if (s < 99.95)
        (void)snprintf(buf, 32, "%.*f s", s < 9.995 ? 2 : 1, s);
    else if (s < 5970)
        (void)snprintf(buf, 32, "%.0f min %02.0f s", floor(s / 60), floor(fmod(s, 60)));
    else
        (void)snprintf(
            buf, 32, "%.0f h %02.0f min", floor(s / 3600), floor(fmod(s, 3600) / 60));
    return buf;
}

const char *str_bytes(uint64_t n, char buf[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)n;
    size_t u = 0;
    while (v >= 1023.95 && u + 1 < sizeof(units) / sizeof(units[0])) {
        v /= 1024;
        u++;
    }
    (void)snprintf(buf, 32, "%.*f %s", u == 0 || v >= 99.95 ? 0 : 1, v, units[u]);
    return buf;
}

size_t str_utf8_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || beyond ? 0 : len;
}

int str_columns(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++) {
        if (*text == '\033')
            text += strcspn(text, "m");
        else
            n += (*text & 0xc0) != 0x80;
        if (*text == '\0')
            break;
    }
    return n;
}
