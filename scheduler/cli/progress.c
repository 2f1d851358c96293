/* See progress.h. Invariant: the line never wraps (it is cut to the terminal), since a
 * line that wrapped could not be redrawn; and no number is shown before it is known. */
#include "progress.h"
#include "base/clock.h"
#include "base/log.h"
#include "meter.h"
#include <unistd.h>

static const double redraw_s = 0.05, line_s = 5;
static const double newer = 8; /* looks, ten a second, that the ranks' cells remember */

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

void progress_ranks(struct progress *p, const char *ranks)
{
    size_t n = ranks != NULL ? strspn(ranks, "0123456789x") : 0;
    n = n < PROGRESS_RANKS ? n : PROGRESS_RANKS;
    for (size_t i = 0; i < n; i++) {
        double now = (double)(ranks[i] - '0') / 9, was = p->busy[i];
        if (ranks[i] == 'x')
            p->busy[i] = -1;
        else if (n != p->n_busy || was < 0)
            p->busy[i] = now;
        else
            p->busy[i] = was + (now - was) / newer;
    }
    if (n > 0)
        p->n_busy = (unsigned)n;
}

/* The bar of all tasks and the ranks' cells share the room that the bar has alone. */
static void add_bars(const struct progress *p,
                     const struct meter *m,
                     bool utf8,
                     int width,
                     struct str *out)
{
    int room = width >= 60 ? 24 : 10, most = width >= 60 ? 8 : 4;
    int n = (int)p->n_busy < most ? (int)p->n_busy : most;
    bool shown = n > 1 && meter_over(m) < m->total;
    meter_bar(m, utf8, shown ? room - 1 - n : room, out);
    if (!shown)
        return;
    str_add(out, " ");
    meter_cells(p->busy, p->n_busy, utf8, (unsigned)n, out);
}

void progress_text(const struct progress *p,
                   const struct engine_event *e,
                   bool utf8,
                   int width,
                   struct str *out)
{
    struct meter m = meter_of(e);
    add_bars(p, &m, utf8, width, out);
    str_add(out, "  ");
    meter_numbers(&m, utf8 ? " \u00b7 " : ", ", out);
    meter_cut(out, width - 1);
}

/* To the begin of the line, which a window that became narrower has wrapped. */
static void go_back(const struct progress *p, int width, struct str *out)
{
    int up = terminal_rows(str_text(&p->drawn), width) - 1;
    str_add(out, "\r");
    if (up > 0)
        str_printf(out, "\033[%dA", up);
}

static void draw(struct progress *p, const struct engine_event *e)
{
    AUTO_STR text = {0};
    AUTO_STR out = {0};
    int width, height;
    terminal_size(STDERR_FILENO, &width, &height);
    progress_text(p, e, p->terminal->utf8, width, &text);
    go_back(p, width, &out);
    str_printf(&out, "%s\033[J", text.text);
    terminal_note(out.text);
    str_clear(&p->drawn);
    str_add(&p->drawn, text.text);
}

void progress_show(struct progress *p, const struct engine_event *e)
{
    if (p->quiet)
        return;
    progress_ranks(p, e->ranks);
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
    AUTO_STR out = {0};
    int width, height;
    if (p->drawn.len == 0)
        return;
    terminal_size(STDERR_FILENO, &width, &height);
    go_back(p, width, &out);
    str_add(&out, "\033[J");
    terminal_note(out.text);
    str_clear(&p->drawn);
}

void progress_free(struct progress *p)
{
    str_free(&p->drawn);
}
