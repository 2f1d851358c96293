/* See meter.h. Invariant: no number is shown before it is known. */
#include "meter.h"
#include <inttypes.h>
#include <math.h>

uint64_t meter_over(const struct meter *m)
{
    return m->done + m->failed + m->skipped;
}

const char *meter_rate(double rate, char buf[32])
{
    if (rate >= 99999.5) {
        bool millions = rate >= 999500;
        double shown = rate / (millions ? 1e6 : 1e3);
        (void)snprintf(
            buf, 32, "%.*f %s/s", shown < 99.95 ? 1 : 0, shown, millions ? "M" : "k");
        return buf;
    }
    (void)snprintf(buf, 32, "%.*f/s", rate < 0.0995 ? 2 : rate < 9.95 ? 1 : 0, rate);
    return buf;
}

const char *meter_time(double s, char buf[32])
{
    if (s >= 99.5)
        return str_duration(s, buf);
    (void)snprintf(buf, 32, "%.0f s", ceil(s));
    return buf;
}

void meter_numbers(const struct meter *m, const char *comma, struct str *out)
{
    char text[32];
    bool open = meter_over(m) < m->total;
    str_printf(out,
               "%" PRIu64 " of %" PRIu64 " task%s",
               meter_over(m),
               m->total,
               m->total == 1 ? "" : "s");
    if (m->failed > 0)
        str_printf(out, "%s%" PRIu64 " failed", comma, m->failed);
    if (m->skipped > 0)
        str_printf(out, "%s%" PRIu64 " skipped", comma, m->skipped);
    if (m->lost > 0)
        str_printf(
            out, "%s%" PRIu64 " rank%s lost", comma, m->lost, m->lost == 1 ? "" : "s");
    if (m->rate > 0)
        str_printf(out, "%s%s", comma, meter_rate(m->rate, text));
    if (m->left >= 0 && open)
        str_printf(out,
                   "%s%s%s left",
                   comma,
                   m->at_least ? "over " : "",
                   meter_time(m->left, text));
    if (m->doing != NULL)
        str_printf(out, "%s%s", comma, m->doing);
}

void meter_bar(const struct meter *m, bool utf8, int cells, struct str *out)
{
    double part = m->total > 0 ? (double)meter_over(m) / (double)m->total : 0;
    int full = (int)floor(part * cells);
    for (int i = 0; i < cells; i++)
        str_add(out, i < full ? (utf8 ? "\u2501" : "=") : (utf8 ? "\u2500" : "-"));
}

void meter_share(double part, bool utf8, int cells, struct str *out)
{
    int full = (int)lround(cells * (part > 0 ? part < 1 ? part : 1 : 0));
    for (int i = 0; i < cells; i++)
        str_add(out, i < full ? (utf8 ? "\u2588" : "#") : (utf8 ? "\u2591" : "."));
}

void meter_cells(
    const double *shares, unsigned n, bool utf8, unsigned cells, struct str *out)
{
    static const char *const high[] = {
        "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char *const plain[] = {".", ":", "+", "#"};
    cells = cells < n ? cells : n;
    for (unsigned i = 0; i < cells; i++) {
        unsigned first = n * i / cells, end = n * (i + 1) / cells, living = 0;
        double sum = 0;
        for (unsigned k = first; k < end; k++) {
            living += shares[k] >= 0;
            sum += shares[k] >= 0 ? shares[k] : 0;
        }
        double part = living > 0 ? sum / living : 0;
        if (living == 0)
            str_add(out, utf8 ? "\u00d7" : "x");
        else
            str_add(out, utf8 ? high[lround(part * 7)] : plain[lround(part * 3)]);
    }
}

void meter_cut(struct str *s, int width)
{
    int n = 0;
    bool coloured = false;
    for (size_t i = 0; i < s->len; i++) {
        if (s->text[i] == '\033') {
            i += strcspn(s->text + i, "m");
            coloured = true;
        } else if ((s->text[i] & 0xc0) != 0x80 && n++ == width) {
            s->len = i;
            s->text[i] = '\0';
            if (coloured)
                str_add(s, "\033[0m");
            return;
        }
    }
}

void meter_add_safe(struct str *out, const char *text, bool utf8)
{
    size_t len = strlen(text);
    for (size_t i = 0, n; i<len; i += n> 0 ? n : 1) {
        const unsigned char *p = (const unsigned char *)text + i;
        n = str_utf8_length(p, len - i);
        bool c1 = n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
        if (*p == '\n' || *p == '\t')
            str_add(out, " ");
        else if (n == 0 || *p < 0x20 || *p == 0x7f || c1 || (n > 1 && !utf8))
            str_add(out, "?");
        else
            str_add_n(out, text + i, n);
    }
}

void meter_add_params(struct str *out, const char *json, bool utf8)
{
    AUTO_STR plain = {0};
    bool quoted = false;
    for (const char *p = json; *p != '\0'; p++) {
        if (*p == '"' && (p == json || p[-1] != '\\'))
            quoted = !quoted;
        else if (quoted || strchr("{}:,", *p) == NULL)
            str_add_n(&plain, p, 1);
        else if (*p == ':' || *p == ',')
            str_add(&plain, *p == ':' ? "=" : " ");
    }
    meter_add_safe(out, str_text(&plain), utf8);
}
