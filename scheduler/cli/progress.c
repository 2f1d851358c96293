/* See progress.h. Invariant: the line never wraps (it is cut to the terminal), since a
 * line that wrapped could not be redrawn; and no number is shown before it is known. */
#include "progress.h"
#include "base/clock.h"
#include "base/log.h"
#include <inttypes.h>
#include <math.h>

static const double redraw_s = 0.05, line_s = 5;

static uint64_t over(const struct engine_event *e)
{
    return e->done + e->failed + e->skipped;
}

static const char *whole_duration(double s, char buf[32])
{
    if (s >= 99.5)
        return str_duration(s, buf);
    (void)snprintf(buf, 32, "%.0f s", ceil(s));
    return buf;
}

/* "12 of 22 tasks, 1 failed, 1 rank lost, 8.3/s, 2 s left, train" */
static void numbers(const struct engine_event *e, const char *comma, struct str *out)
{
    char left[32];
    str_printf(out, "%" PRIu64 " of %" PRIu64 " tasks", over(e), e->total);
    if (e->failed > 0)
        str_printf(out, "%s%" PRIu64 " failed", comma, e->failed);
    if (e->skipped > 0)
        str_printf(out, "%s%" PRIu64 " skipped", comma, e->skipped);
    if (e->lost > 0)
        str_printf(
            out, "%s%" PRIu64 " rank%s lost", comma, e->lost, e->lost == 1 ? "" : "s");
    /* of this launch alone, also where it goes on with another's work */
    double ours = over(e) > e->before ? (double)(over(e) - e->before) : 0;
    double rate = e->elapsed > 0 ? ours / e->elapsed : 0;
    if (rate > 0)
        str_printf(out, "%s%.*f/s", comma, rate < 9.95 ? 1 : 0, rate);
    if (e->left >= 0 && over(e) < e->total) /* an estimate has no decimals */
        str_printf(out,
                   "%s%s%s left",
                   comma,
                   e->at_least ? "over " : "",
                   whole_duration(e->left, left));
    if (e->kind == ENGINE_PACKING)
        str_printf(out, "%spacking", comma);
    else if (e->stage != NULL && over(e) < e->total)
        str_printf(out, "%s%s", comma, e->stage);
}

static void bar(const struct engine_event *e, bool utf8, int cells, struct str *out)
{
    double part = e->total > 0 ? (double)over(e) / (double)e->total : 0;
    int full = (int)floor(part * cells);
    for (int i = 0; i < cells; i++)
        str_add(out, i < full ? (utf8 ? "\u2501" : "=") : (utf8 ? "\u2500" : "-"));
}

/* Cuts UTF-8 text to a number of columns. */
static void cut(struct str *s, int width)
{
    int n = 0;
    for (size_t i = 0; i < s->len; i++) {
        if ((s->text[i] & 0xc0) != 0x80 && n++ == width) {
            s->len = i;
            s->text[i] = '\0';
            return;
        }
    }
}

void progress_text(const struct engine_event *e, bool utf8, int width, struct str *out)
{
    bar(e, utf8, width >= 60 ? 24 : 10, out);
    str_add(out, "  ");
    numbers(e, utf8 ? " \u00b7 " : ", ", out);
    cut(out, width - 1);
}

static void draw(struct progress *p, const struct engine_event *e)
{
    AUTO_STR text = {0}, out = {0};
    progress_text(e, p->terminal->utf8, p->terminal->width, &text);
    str_printf(&out, "\r%s\033[K", text.text);
    terminal_note(out.text);
    p->drawn = true;
}

void progress_show(struct progress *p, const struct engine_event *e)
{
    if (p->quiet)
        return;
    double now = clock_monotonic();
    double due = p->last + (p->terminal->err ? redraw_s : line_s);
    bool last = e->total > 0 && over(e) == e->total && p->terminal->err;
    if (p->last == 0 && !p->terminal->err) { /* the first line after five seconds */
        p->last = now;
        return;
    }
    if (now < due && !last)
        return;
    p->last = now;
    if (p->terminal->err) {
        draw(p, e);
        return;
    }
    AUTO_STR text = {0};
    numbers(e, ", ", &text);
    log_note("%s", text.text);
}

void progress_wipe(struct progress *p)
{
    if (p->drawn)
        terminal_note("\r\033[K");
    p->drawn = false;
}
