/* See watch_draw.h. Invariant: a line never wraps and the frame never scrolls, since
 * neither could be redrawn in place. */
#include "watch_draw.h"
#include "base/memory.h"
#include "meter.h"
#include <inttypes.h>
#include <math.h>

enum { FAILURES_MOST = 5, NAME_MOST = 40, HOST_MOST = 24, NAME_LEAST = 8, BAR_LEAST = 8 };

static const double stale_s = 10, stale_times = 3;

struct pen {
    const struct watch_view *v;
    const char *bold, *dim, *good, *bad, *warn, *off;
    struct str line;
    struct str *out;
};

static struct pen pen_of(const struct watch_view *v, struct str *out)
{
    bool c = v->colour;
    return (struct pen){.v = v,
                        .out = out,
                        .bold = c ? "\033[1m" : "",
                        .dim = c ? "\033[2m" : "",
                        .good = c ? "\033[32m" : "",
                        .bad = c ? "\033[31m" : "",
                        .warn = c ? "\033[33m" : "",
                        .off = c ? "\033[0m" : ""};
}

/* The line is whole: it is cut, and the next one begins. */
static void end_line(struct pen *p)
{
    meter_cut(&p->line, p->v->width - 1);
    while (p->line.len > 0 && p->line.text[p->line.len - 1] == ' ')
        p->line.text[--p->line.len] = '\0';
    str_printf(p->out, "%s\n", str_text(&p->line));
    str_clear(&p->line);
}

/* Text of any origin in so many columns. */
static void put_text(struct pen *p, const char *text, int width)
{
    AUTO_STR safe = {0};
    meter_add_safe(&safe, text, p->v->utf8);
    meter_cut(&safe, width);
    int columns = str_columns(str_text(&safe));
    str_printf(&p->line, "%s%*s", str_text(&safe), width - columns, "");
}

bool watch_goes_on(const struct watch_view *v)
{
    return v->state == FOLLOW_STARTING || v->state == FOLLOW_RUNNING ||
           v->state == FOLLOW_PACKING;
}

/* How long a rank may be silent. Nobody knows before a task of the stage that goes on is
 * over: it may take hours. */
static double silence_of(const struct scan_job *job)
{
    double longest = 0;
    bool first = true;
    for (unsigned i = 0; i < job->n_stages; i++) {
        const struct scan_stage *s = &job->stages[i];
        if (pace_over(s) == s->n_tasks)
            continue;
        if (first && s->fresh == 0)
            return INFINITY;
        first = false;
        longest = s->longest > longest ? s->longest : longest;
    }
    return stale_times * longest > stale_s ? stale_times * longest : stale_s;
}

bool watch_is_stale(const struct watch_view *v, const struct scan_rank *r)
{
    return v->state == FOLLOW_RUNNING && r->lost <= 0 && r->last > 0 &&
           v->now - r->last > silence_of(v->job);
}

double watch_busy(const struct watch_view *v, const struct scan_rank *r)
{
    double until = watch_goes_on(v) ? r->last : v->job->last;
    double wall = until - v->job->first;
    return wall > 0 ? r->busy_s / wall : 0;
}

static struct meter meter_of(const struct watch_view *v)
{
    const struct scan_job *job = v->job;
    struct meter m = {.left = -1};
    for (unsigned i = 0; i < job->n_stages; i++) {
        const struct scan_stage *s = &job->stages[i];
        m.done += s->done;
        m.failed += s->failed;
        m.skipped += s->skipped;
        m.total += s->n_tasks;
        if (m.doing == NULL && pace_over(s) < s->n_tasks)
            m.doing = s->name;
    }
    for (unsigned i = 0; i < job->n_ranks; i++)
        m.lost += job->ranks[i].lost > 0;
    if (v->state == FOLLOW_PACKING)
        m.doing = "packing";
    else if (v->state != FOLLOW_RUNNING)
        m.doing = NULL;
    if (v->state == FOLLOW_RUNNING)
        m.left = pace_left(job, job->n_stages, v->now, &m.at_least);
    if (v->state == FOLLOW_RUNNING || v->state == FOLLOW_OVER)
        m.rate = pace_rate(v->pace, job->n_stages);
    return m;
}

static const char *state_word(const struct watch_view *v)
{
    if (v->state == FOLLOW_OVER)
        return v->code == ENGINE_DONE          ? "done"
               : v->code == ENGINE_TASK_FAILED ? "failed"
                                               : "incomplete";
    return v->state == FOLLOW_STOPPED ? "incomplete" : follow_state_name(v->state);
}

static const char *name_of(const struct watch_view *v)
{
    return v->job != NULL && v->job->name != NULL ? v->job->name : v->file;
}

static void draw_head(struct pen *p)
{
    const struct watch_view *v = p->v;
    const char *dot = v->utf8 ? " \u00b7 " : ", ";
    bool fine = watch_goes_on(v) || v->code == ENGINE_DONE;
    char time[32];
    str_add(&p->line, p->bold);
    meter_add_safe(&p->line, name_of(v), v->utf8);
    str_printf(
        &p->line, "%s: %s%s%s", p->off, fine ? p->good : p->bad, state_word(v), p->off);
    if (v->job != NULL && v->job->first > 0) {
        double until = watch_goes_on(v) ? v->now : v->job->last;
        double s = until > v->job->first ? until - v->job->first : 0;
        str_printf(&p->line, "%s%s", dot, str_duration(s, time));
    }
    if (v->job != NULL) {
        str_printf(&p->line,
                   "%s%u rank%s",
                   dot,
                   v->job->n_ranks,
                   v->job->n_ranks == 1 ? "" : "s");
        if (v->job->launch > 0)
            str_printf(&p->line, "%slaunch %u", dot, v->job->launch + 1);
        if (v->job->id != NULL)
            str_printf(&p->line, "%s%sid %.8s%s", dot, p->dim, v->job->id, p->off);
    }
    end_line(p);
    if (v->job == NULL)
        return;
    struct meter m = meter_of(v);
    AUTO_STR numbers = {0};
    meter_numbers(&m, dot, &numbers);
    int room = v->width - 3 - str_columns(numbers.text);
    meter_bar(&m,
              v->utf8,
              room < BAR_LEAST ? BAR_LEAST
              : room < 24      ? room
                               : 24,
              &p->line);
    str_printf(&p->line, "  %s", numbers.text);
    end_line(p);
}

static void draw_more(struct pen *p, uint64_t n, const char *what)
{
    if (n == 0)
        return;
    str_printf(&p->line, "  %s... and %" PRIu64 " more%s%s", p->dim, n, what, p->off);
    end_line(p);
}

enum { RATE_WIDTH = 10, TIME_WIDTH = 10 }; /* with its gap; without */

struct columns { /* of the table of stages */
    int name, number, bar;
    bool failed, skipped, retried;
};

/* The name gives way first, then the bar, then what matters least. */
static void fit(struct columns *c, int width)
{
    static const int bars[] = {10, 5, 0, 0, 0};
    int longest = c->name < NAME_MOST ? c->name : NAME_MOST;
    for (unsigned i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
        c->bar = bars[i];
        c->retried = c->retried && i < 3;
        c->skipped = c->skipped && i < 4;
        int others = 2 + (c->bar > 0 ? c->bar + 2 : 0) + 2 * (c->number + 2) +
                     (c->failed ? 8 : 0) + (c->skipped ? 9 : 0) + (c->retried ? 9 : 0) +
                     RATE_WIDTH + 2 + TIME_WIDTH;
        int room = width - 1 - others;
        c->name = longest < room ? longest : room;
        if (c->name >= NAME_LEAST || c->name == longest)
            return;
    }
    c->name = longest < NAME_LEAST ? longest : NAME_LEAST;
}

static struct columns columns_of(const struct watch_view *v)
{
    struct columns c = {.name = 5, .number = 4};
    for (unsigned i = 0; i < v->job->n_stages; i++) {
        const struct scan_stage *s = &v->job->stages[i];
        int n = str_columns(s->name), digits = snprintf(NULL, 0, "%" PRIu64, s->n_tasks);
        c.name = n > c.name ? n : c.name;
        c.number = digits > c.number ? digits : c.number;
        c.failed |= s->failed > 0;
        c.skipped |= s->skipped > 0;
        c.retried |= s->retried > 0;
    }
    fit(&c, v->width);
    return c;
}

static void draw_stage(struct pen *p, unsigned i, const struct columns *c)
{
    const struct watch_view *v = p->v;
    const struct scan_stage *s = &v->job->stages[i];
    const struct meter m = {
        .done = s->done, .failed = s->failed, .skipped = s->skipped, .total = s->n_tasks};
    char text[32];
    bool at_least = false, open = pace_over(s) < s->n_tasks;
    double left =
        v->state == FOLLOW_RUNNING && open ? pace_left(v->job, i, v->now, &at_least) : -1;
    double rate = v->state == FOLLOW_STOPPED ? 0 : pace_rate(v->pace, i);
    str_add(&p->line, "  ");
    put_text(p, s->name, c->name);
    if (c->bar > 0) {
        str_add(&p->line, "  ");
        meter_bar(&m, v->utf8, c->bar, &p->line);
    }
    str_printf(
        &p->line, "  %*" PRIu64 "  %*" PRIu64, c->number, s->done, c->number, s->n_tasks);
    if (c->failed)
        str_printf(&p->line,
                   "  %s%6" PRIu64 "%s",
                   s->failed > 0 ? p->bad : "",
                   s->failed,
                   s->failed > 0 ? p->off : "");
    if (c->skipped)
        str_printf(&p->line, "  %7" PRIu64, s->skipped);
    if (c->retried)
        str_printf(&p->line, "  %7" PRIu64, s->retried);
    str_printf(&p->line, "  %8s", rate > 0 ? meter_rate(rate, text) : "-");
    str_printf(&p->line, "  %s", left >= 0 ? meter_time(left, text) : "");
    end_line(p);
}

/* A window of k rows that has the first unfinished stage in it. */
static void draw_stages(struct pen *p, unsigned k)
{
    const struct scan_job *job = p->v->job;
    struct columns c = columns_of(p->v);
    unsigned first = 0;
    while (first < job->n_stages &&
           pace_over(&job->stages[first]) == job->stages[first].n_tasks)
        first++;
    first = first > job->n_stages - k ? job->n_stages - k : first;
    end_line(p);
    str_printf(&p->line, "  %s%-*s", p->dim, c.name, "stage");
    str_printf(&p->line,
               "%*s  %*s  %*s",
               c.bar > 0 ? c.bar + 2 : 0,
               "",
               c.number,
               "done",
               c.number,
               "of");
    str_printf(&p->line,
               "%s%s%s      rate  left%s",
               c.failed ? "  failed" : "",
               c.skipped ? "  skipped" : "",
               c.retried ? "  retried" : "",
               p->off);
    end_line(p);
    for (unsigned i = first; i < first + k; i++)
        draw_stage(p, i, &c);
    draw_more(p, job->n_stages - k, k + 1 < job->n_stages ? " stages" : " stage");
}

static void draw_rank(struct pen *p, unsigned i, int host, int bar)
{
    const struct watch_view *v = p->v;
    const struct scan_rank *r = &v->job->ranks[i];
    char text[32];
    double age = v->now > r->last ? v->now - r->last : 0;
    str_printf(&p->line, "  %4u  ", i);
    put_text(p, r->host, host);
    str_printf(&p->line, "  %8" PRIu64 "  ", r->tasks);
    meter_share(watch_busy(v, r), v->utf8, bar, &p->line);
    str_printf(&p->line, " %3.0f %%  ", 100 * watch_busy(v, r));
    if (r->lost > 0) {
        age = v->now > r->lost ? v->now - r->lost : 0;
        str_printf(&p->line, "%slost", p->bad);
        if (watch_goes_on(v))
            str_printf(&p->line, " %s ago", meter_time(age, text));
        str_add(&p->line, ": ");
        meter_add_safe(&p->line, r->lost_why, v->utf8);
        str_add(&p->line, p->off);
    } else if (r->last <= 0) {
        str_printf(
            &p->line, "%s%s%s", p->dim, watch_goes_on(v) ? "none yet" : "", p->off);
    } else if (watch_goes_on(v)) {
        bool stale = watch_is_stale(v, r);
        str_printf(&p->line,
                   "%s%s%s ago%s",
                   stale ? p->warn : "",
                   stale ? "stale, " : "",
                   meter_time(age, text),
                   stale ? p->off : "");
    }
    end_line(p);
}

/* k of them: those that were lost or are stale, then the first. */
static void choose_ranks(const struct watch_view *v, unsigned k, bool *ret)
{
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < v->job->n_ranks && k > 0; i++) {
            const struct scan_rank *r = &v->job->ranks[i];
            bool odd = r->lost > 0 || watch_is_stale(v, r);
            if (ret[i] || (pass == 0 && !odd))
                continue;
            ret[i] = true;
            k--;
        }
    }
}

static void draw_ranks(struct pen *p, unsigned k)
{
    const struct scan_job *job = p->v->job;
    AUTO_FREE(bool) chosen = xcalloc(job->n_ranks + 1u, sizeof(*chosen));
    int host = 4, bar = p->v->width >= 64 ? 10 : p->v->width >= 52 ? 5 : 0;
    int most = p->v->width / 4 < HOST_MOST ? p->v->width / 4 : HOST_MOST;
    choose_ranks(p->v, k, chosen);
    for (unsigned i = 0; i < job->n_ranks; i++) {
        int n = chosen[i] ? str_columns(job->ranks[i].host) : 0;
        host = n > host ? n : host;
    }
    host = host < most ? host : most > 4 ? most : 4;
    end_line(p);
    str_printf(&p->line,
               "  %srank  %-*s     tasks  %-*s%s%s",
               p->dim,
               host,
               "host",
               bar + 8,
               "busy",
               watch_goes_on(p->v) ? "last commit" : "",
               p->off);
    end_line(p);
    for (unsigned i = 0; i < job->n_ranks; i++) {
        if (chosen[i])
            draw_rank(p, i, host, bar);
    }
    draw_more(p, job->n_ranks - k, "");
}

static uint64_t count_failed(const struct scan_job *job)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < job->n_stages; i++)
        n += job->stages[i].failed;
    return n;
}

static void
add_failure(const struct watch_view *v, const struct scan_failure *f, struct str *out)
{
    meter_add_safe(out, v->job->stages[f->stage].name, v->utf8);
    str_printf(out, "[%" PRIu64 "]", f->task);
    str_add(out, *f->params != '\0' ? " " : "");
    meter_add_params(out, f->params, v->utf8);
    str_add(out, ": ");
    meter_add_safe(out, *f->message != '\0' ? f->message : "no word why", v->utf8);
}

static void draw_failures(struct pen *p, unsigned k)
{
    end_line(p);
    str_printf(&p->line, "  %sfailed last%s", p->bad, p->off);
    end_line(p);
    for (unsigned i = 0; i < k; i++) {
        str_add(&p->line, "  ");
        add_failure(p->v, &p->v->job->failures[i], &p->line);
        end_line(p);
    }
    uint64_t all = count_failed(p->v->job);
    draw_more(p, all > k ? all - k : 0, "");
}

/* What to do now, or "". */
static void add_hint(const struct watch_view *v, struct str *out)
{
    AUTO_STR file = {0};
    str_add_shell(&file, v->file);
    if (v->state == FOLLOW_STOPPED)
        str_printf(out, "no run has it: gridmill resume %s runs the rest", file.text);
    else if (v->state == FOLLOW_OVER && v->code == ENGINE_TASK_FAILED)
        str_printf(out, "gridmill result failed %s tells of each failure", file.text);
    else if (v->state == FOLLOW_GONE)
        str_add(out, "it left no results: it was refused or moved, or nothing was done");
}

struct share { /* of the frame's lines, for a table with a blank line and a heading */
    unsigned rows, shown;
};

static unsigned need(const struct share *s, uint64_t all)
{
    return s->rows > 0 ? s->rows + 2 + (all > s->rows) : 0;
}

/* So many rows as fit into `lines`, one being for what does not. */
static unsigned give(struct share *s, uint64_t all, unsigned lines)
{
    unsigned most = need(s, all);
    s->shown = s->rows;
    if (most > lines)
        s->shown = lines > 3 ? lines - 3 : 0;
    return s->shown == 0 ? 0 : most < lines ? most : lines;
}

/* Failures get a quarter at most, the stages half of the rest; what one does not need is
 * the others'. */
static void
divide(unsigned lines, uint64_t failed, struct share *s, struct share *r, struct share *f)
{
    unsigned ns = need(s, s->rows), nr = need(r, r->rows), nf = need(f, failed);
    if (ns + nr + nf <= lines) {
        s->shown = s->rows;
        r->shown = r->rows;
        f->shown = f->rows;
        return;
    }
    unsigned to_f = lines / 4 > 4 ? lines / 4 : lines >= 14 ? 4 : 0;
    unsigned used = give(f, failed, nf < to_f ? nf : to_f);
    unsigned to_s = (lines - used) / 2 > 4 ? (lines - used) / 2 : lines - used;
    to_s = nr < lines - used - to_s ? lines - used - nr : to_s;
    used += give(s, s->rows, ns < to_s ? ns : to_s);
    (void)give(r, r->rows, lines - used);
}

void watch_draw(const struct watch_view *v, struct str *out)
{
    struct pen p = pen_of(v, out);
    AUTO_STR hint = {0};
    draw_head(&p);
    add_hint(v, &hint);
    if (v->job != NULL) {
        unsigned fixed = 3 + (hint.len > 0 ? 2 : 0), most = UINT32_MAX;
        if (v->height > 0)
            most = (unsigned)v->height > fixed ? (unsigned)v->height - fixed : 0;
        unsigned n_failed = v->job->n_failures;
        struct share s = {.rows = v->job->n_stages}, r = {.rows = v->job->n_ranks},
                     f = {.rows = n_failed < FAILURES_MOST ? n_failed : FAILURES_MOST};
        divide(most, count_failed(v->job), &s, &r, &f);
        if (s.shown > 0)
            draw_stages(&p, s.shown);
        if (r.shown > 0)
            draw_ranks(&p, r.shown);
        if (f.shown > 0)
            draw_failures(&p, f.shown);
    }
    if (hint.len > 0) {
        end_line(&p);
        str_add(&p.line, hint.text);
        end_line(&p);
    }
    str_free(&p.line);
}

void watch_line(const struct watch_view *v, struct str *out)
{
    AUTO_STR hint = {0};
    meter_add_safe(out, name_of(v), v->utf8);
    str_add(out, ": ");
    if (v->state != FOLLOW_RUNNING && v->state != FOLLOW_PACKING)
        str_printf(out, "%s%s", state_word(v), v->job != NULL ? ", " : "");
    if (v->job != NULL) {
        struct meter m = meter_of(v);
        meter_numbers(&m, ", ", out);
    }
    if (watch_goes_on(v))
        return;
    if (v->code == ENGINE_TASK_FAILED && v->job != NULL && v->job->n_failures > 0) {
        str_add(out, "; last ");
        add_failure(v, &v->job->failures[0], out);
    }
    add_hint(v, &hint);
    if (hint.len > 0)
        str_printf(out, "; %s", hint.text);
}
