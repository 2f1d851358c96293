/* See progress.h. Invariant: the line never wraps (it is cut to the terminal), since a
 * line that wrapped could not be redrawn; and no number is shown before it is known. */
#include "progress.h"
#include "base/clock.h"
#include "base/log.h"
#include "meter.h"

static const double redraw_s = 0.05, line_s = 5;

static struct meter meter_of(const struct engine_event *e)
{
    uint64_t over = e->done + e->failed + e->skipped;
    /* of this launch alone, also where it goes on with another's work */
    double ours = over > e->before ? (double)(over - e->before) : 0;
    return (struct meter){.done = e->done,
                          .failed = e->failed,
                          .skipped = e->skipped,
                          .total = e->total,
                          .lost = e->lost,
                          .rate = e->elapsed > 0 ? ours / e->elapsed : 0,
                          .left = e->left,
                          .at_least = e->at_least,
                          .doing = e->kind == ENGINE_PACKING ? "packing"
                                   : over < e->total         ? e->stage
                                                             : NULL};
}

void progress_text(const struct engine_event *e, bool utf8, int width, struct str *out)
{
    struct meter m = meter_of(e);
    meter_bar(&m, utf8, width >= 60 ? 24 : 10, out);
    str_add(out, "  ");
    meter_numbers(&m, utf8 ? " \u00b7 " : ", ", out);
    meter_cut(out, width - 1);
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
    struct meter m = meter_of(e);
    bool last = e->total > 0 && meter_over(&m) == e->total && p->terminal->err;
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
    meter_numbers(&m, ", ", &text);
    log_note("%s", text.text);
}

void progress_wipe(struct progress *p)
{
    if (p->drawn)
        terminal_note("\r\033[K");
    p->drawn = false;
}
