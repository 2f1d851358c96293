/* A summary for people. Invariant: columns line up whatever the numbers; nothing is drawn
 * that was not measured, and what did not fit is said ("and 12 more"). */
#include "matrix.h"
#include "summary_data.h"
#include <inttypes.h>
#include <math.h>

enum {
    RANKS_MOST = 16, /* lines of ranks */
    LINES_MOST = 24, /* of what commands printed, */
    LINES_EACH = 6,  /* but at least so many of each text */
    LINE_LONGEST = 200,
    WIDTH = 80 /* of a terminal; also of a file */
};

struct style {
    const char *bold, *dim, *good, *bad, *off, *dot, *times;
    const char *full, *empty; /* of a bar */
    bool utf8;
};

static struct style style_of(bool colour, bool utf8)
{
    struct style st = {
        .bold = "", .dim = "", .good = "", .bad = "", .off = "", .utf8 = utf8};
    if (colour) {
        st.bold = "\033[1m";
        st.dim = "\033[2m";
        st.good = "\033[32m";
        st.bad = "\033[31m";
        st.off = "\033[0m";
    }
    st.dot = utf8 ? " \u00b7 " : ", ";
    st.full = utf8 ? "\u2588" : "#";
    st.empty = utf8 ? "\u2591" : ".";
    return st;
}

static void pad(struct str *out, const char *text, int width)
{
    str_printf(out,
               "%s%*s",
               text,
               width > str_columns(text) ? width - str_columns(text) : 0,
               "");
}

static int widest(int a, const char *text)
{
    int n = str_columns(text);
    return n > a ? n : a;
}

static void draw_head(const struct summary *s, const struct style *st, struct str *out)
{
    char time[32];
    enum engine_exit code = summary_exit(s);
    str_printf(out,
               "%s%s%s: %s%s%s%s%" PRIu64 " of %" PRIu64 " task%s",
               st->bold,
               s->name,
               st->off,
               code == ENGINE_DONE ? st->good : st->bad,
               summary_outcome(s),
               st->off,
               st->dot,
               summary_committed(s),
               summary_tasks(s),
               summary_tasks(s) == 1 ? "" : "s");
    if (summary_wall(s) > 0)
        str_printf(out, " in %s", str_duration(summary_wall(s), time));
    str_printf(out, " on %u rank%s\n", s->n_ranks, s->n_ranks == 1 ? "" : "s");
}

/* {"lr":0.1,"seed":3} as lr=0.1 seed=3. */
static void draw_params(const char *json, struct str *out)
{
    bool quoted = false;
    size_t len = strlen(json);
    for (size_t i = 0; i < len; i++) {
        char c = json[i];
        if (c == '"' && (i == 0 || json[i - 1] != '\\'))
            quoted = !quoted;
        else if (quoted || strchr("{}:,", c) == NULL)
            str_add_n(out, &c, 1);
        else if (c == ':' || c == ',')
            str_add(out, c == ':' ? "=" : " ");
    }
}

/* "accuracy 0.9805 highest" */
static void draw_value(const struct summary_stage *stage,
                       const struct summary_output *o,
                       const struct style *st,
                       struct str *out)
{
    char number[32];
    str_printf(out,
               "%s %s%s%s",
               o->name,
               st->bold,
               summary_number(o, o->value, number),
               st->off);
    if (*o->unit != '\0' && strcmp(o->unit, "1") != 0)
        str_printf(out, " %s", o->unit);
    if (stage->n_tasks == 1)
        return;
    str_printf(out, " %s%s", st->dim, summary_kind_name(o->kind));
    if (o->weight != NULL)
        str_printf(out, " by %s", o->weight);
    str_add(out, st->off);
}

/* Whose the value is, where it is one task's of many: "train[3] lr=0.1 seed=2". */
static void draw_owner(const struct summary_stage *stage,
                       const struct summary_output *o,
                       const struct style *st,
                       struct str *out)
{
    if (stage->n_tasks == 1 || (o->kind != GM_SUM_BEST && o->kind != GM_SUM_LEAST))
        return;
    str_printf(out, "%s%s[%" PRIu64 "]", st->dim, stage->name, o->task);
    str_add(out, *o->params != '\0' ? " " : "");
    draw_params(o->params, out);
    str_add(out, st->off);
}

static void
draw_headline(const struct summary *s, const struct style *st, struct str *out)
{
    unsigned stage = 0;
    const struct summary_output *o = summary_headline(s, &stage);
    if (o == NULL)
        return;
    AUTO_STR owner = {0};
    draw_owner(&s->stages[stage], o, st, &owner);
    str_add(out, "\n  ");
    draw_value(&s->stages[stage], o, st, out);
    str_printf(out, "%s%s", owner.len > 0 ? ", " : "", str_text(&owner));
    str_printf(out, "  %s(stage %s)%s\n", st->dim, s->stages[stage].name, st->off);
}

static void tasks_text(const struct summary_stage *stage, struct str *out)
{
    const struct {
        uint64_t n;
        const char *word;
    } counts[] = {{stage->done, "done"},
                  {stage->failed, "failed"},
                  {stage->skipped, "skipped"},
                  {stage->open, "open"}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (counts[i].n > 0)
            str_printf(out,
                       "%s%" PRIu64 " %s",
                       out->len > 0 ? ", " : "",
                       counts[i].n,
                       counts[i].word);
    }
    uint64_t ended = stage->done + stage->failed;
    uint64_t again = stage->attempts > ended ? stage->attempts - ended : 0;
    if (again > 0)
        str_printf(out, ", %" PRIu64 " retr%s", again, again == 1 ? "y" : "ies");
}

static void draw_outputs(const struct summary_stage *stage,
                         int indent,
                         const struct style *st,
                         struct str *out)
{
    bool first = true;
    for (unsigned i = 0; i < stage->n_outputs; i++) {
        const struct summary_output *o = &stage->outputs[i];
        if (o->n == 0 || o->kind == GM_SUM_MATRIX)
            continue;
        if (first)
            str_add(out, "  ");
        else
            str_printf(out, "\n%*s", indent, "");
        first = false;
        AUTO_STR value = {0}, owner = {0};
        draw_value(stage, o, st, &value);
        draw_owner(stage, o, st, &owner);
        str_add(out, value.text);
        int width = indent + str_columns(value.text) + 2 + str_columns(str_text(&owner));
        if (owner.len > 0 && width < WIDTH)
            str_printf(out, ", %s", owner.text);
        else if (owner.len > 0)
            str_printf(out, "\n%*s%s", indent + 2, "", owner.text);
    }
    str_add(out, "\n");
}

static void draw_stages(const struct summary *s, const struct style *st, struct str *out)
{
    int name = 5, kernel = 6, tasks = 5;
    for (unsigned i = 0; i < s->n_stages; i++) {
        AUTO_STR text = {0};
        tasks_text(&s->stages[i], &text);
        name = widest(name, s->stages[i].name);
        kernel = widest(kernel, s->stages[i].kernel);
        tasks = widest(tasks, str_text(&text));
    }
    if (kernel < 7)
        kernel = 7;
    str_printf(out, "\n  %s", st->dim);
    pad(out, "stage", name + 2);
    pad(out, "kernel", kernel + 2);
    pad(out, "tasks", tasks + 2);
    str_printf(out, "%9s%s\n", "time", st->off);
    for (unsigned i = 0; i < s->n_stages; i++) {
        const struct summary_stage *stage = &s->stages[i];
        char time[32];
        AUTO_STR text = {0};
        tasks_text(stage, &text);
        str_add(out, "  ");
        pad(out, stage->name, name + 2);
        pad(out, *stage->kernel != '\0' ? stage->kernel : "command", kernel + 2);
        pad(out, str_text(&text), stage->start > 0 ? tasks + 2 : 0);
        if (stage->start > 0)
            str_printf(out, "%9s", str_duration(stage->end - stage->start, time));
        draw_outputs(stage, 2 + name + 2 + kernel + 2 + tasks + 2 + 9 + 2, st, out);
    }
}

static void draw_matrices(const struct summary *s,
                          bool colour,
                          const struct style *st,
                          struct str *out)
{
    for (unsigned i = 0; i < s->n_stages; i++) {
        for (unsigned k = 0; k < s->stages[i].n_outputs; k++) {
            const struct summary_output *o = &s->stages[i].outputs[k];
            if (o->kind != GM_SUM_MATRIX || o->n == 0)
                continue;
            str_printf(out,
                       "\n  %s.%s  %s%s%s\n",
                       s->stages[i].name,
                       o->name,
                       st->dim,
                       o->help,
                       st->off);
            matrix_draw(o->cells, o->rows, o->cols, colour, st->utf8, out);
        }
    }
}

static void draw_bar(double part, const struct style *st, struct str *out)
{
    int full = (int)lround(10 * (part < 0 ? 0 : part > 1 ? 1 : part));
    for (int i = 0; i < 10; i++)
        str_add(out, i < full ? st->full : st->empty);
}

static void draw_rank(const struct summary *s,
                      unsigned i,
                      const int width[2],
                      const struct style *st,
                      struct str *out)
{
    const struct summary_rank *r = &s->ranks[i];
    char time[32];
    double wall = summary_wall(s), part = wall > 0 ? r->busy / wall : 0;
    str_printf(out, "  %4u  ", i);
    pad(out, r->host, width[0] + 2);
    pad(out, *r->seen != '\0' ? r->seen : "n/a", width[1] + 2);
    str_printf(out, "%6" PRIu64 "  %9s  ", r->tasks, str_duration(r->busy, time));
    draw_bar(part, st, out);
    str_printf(out, " %3.0f %%\n", 100 * part);
}

static void draw_ranks(const struct summary *s, const struct style *st, struct str *out)
{
    int width[2] = {4, 4};
    for (unsigned i = 0; i < s->n_ranks; i++) {
        width[0] = widest(width[0], s->ranks[i].host);
        width[1] = widest(width[1], s->ranks[i].seen);
    }
    if (s->n_ranks == 0)
        return;
    str_printf(out, "\n  %s%4s  ", st->dim, "rank");
    pad(out, "host", width[0] + 2);
    pad(out, "cpus", width[1] + 2);
    str_printf(out, "%6s  %9s%s\n", "tasks", "busy", st->off);
    unsigned shown = s->n_ranks <= RANKS_MOST ? s->n_ranks : RANKS_MOST;
    for (unsigned i = 0; i < shown; i++)
        draw_rank(s, i, width, st, out);
    if (s->grouped)
        str_printf(
            out, "  %sa group's time counts for its first rank%s\n", st->dim, st->off);
    if (shown < s->n_ranks)
        str_printf(out,
                   "  and %u more ranks (gridmill result show --json has all)\n",
                   s->n_ranks - shown);
}

/* "1 of 4 ranks was lost; what it had not committed ran again", and each. */
static void draw_losses(const struct summary *s, const struct style *st, struct str *out)
{
    unsigned lost = 0, shown = 0;
    uint64_t open = summary_tasks(s) - summary_committed(s);
    double start = summary_start(s);
    for (unsigned i = 0; i < s->n_ranks; i++)
        lost += s->ranks[i].lost > 0;
    if (lost == 0)
        return;
    str_printf(out,
               "\n  %s%u of %u rank%s %s lost%s",
               st->bad,
               lost,
               s->n_ranks,
               s->n_ranks == 1 ? "" : "s",
               lost == 1 ? "was" : "were",
               st->off);
    if (open == 0)
        str_printf(
            out, "; what %s had not committed ran again", lost == 1 ? "it" : "they");
    str_add(out, "\n");
    for (unsigned i = 0; i < s->n_ranks && shown < RANKS_MOST; i++) {
        const struct summary_rank *r = &s->ranks[i];
        char time[32];
        if (!(r->lost > 0))
            continue;
        shown++;
        str_printf(out, "  %4u  %s", i, r->host);
        if (start > 0 && r->lost > start)
            str_printf(out, " after %s", str_duration(r->lost - start, time));
        str_printf(out, ": %s\n", r->why);
    }
    if (shown < lost)
        str_printf(out, "  and %u more\n", lost - shown);
}

static void
draw_failures(const struct summary *s, const struct style *st, struct str *out)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < s->n_stages; i++)
        all += s->stages[i].failed;
    if (s->n_failures == 0)
        return;
    str_printf(out, "\n  %sfailed%s\n", st->bad, st->off);
    for (unsigned i = 0; i < s->n_failures; i++) {
        const struct summary_failure *f = &s->failures[i];
        str_printf(out, "  %s[%" PRIu64 "]", s->stages[f->stage].name, f->task);
        if (*f->params != '\0') {
            str_printf(out, " %s", st->dim);
            draw_params(f->params, out);
            str_add(out, st->off);
        }
        str_printf(out, ": %s\n", *f->message != '\0' ? f->message : "no word why");
    }
    if (all > s->n_failures)
        str_printf(out, "  and %" PRIu64 " more\n", all - s->n_failures);
    str_printf(out, "  %sgridmill result failed ", st->dim);
    str_add_shell(out, s->path);
    str_printf(out, " tells of each%s\n", st->off);
}

/* A byte or letter that a terminal shows and does not obey; its length, or 0. */
static size_t shown(const char *text, size_t n, const struct style *st)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t len = str_utf8_length(p, n);
    bool c1 = len == 2 && p[0] == 0xc2 && p[1] < 0xa0;
    bool control = (p[0] < 0x20 && p[0] != '\t') || p[0] == 0x7f || c1;
    return control || (len > 1 && !st->utf8) ? 0 : len;
}

static void
draw_line(const char *text, size_t n, const struct style *st, struct str *out, bool *cut)
{
    size_t room = LINE_LONGEST;
    str_add(out, "    ");
    for (size_t i = 0, len; i < n && room > 0; i += len > 0 ? len : 1, room--) {
        len = shown(text + i, n - i, st);
        str_add_n(out, len > 0 ? text + i : "?", len > 0 ? len : 1);
        *cut |= room == 1 && i + (len > 0 ? len : 1) < n;
    }
    str_add(out, "\n");
}

/* A command's text, indented, its first lines. */
static void draw_lines(const struct summary_text *text,
                       unsigned most,
                       const struct style *st,
                       struct str *out)
{
    size_t at = 0;
    bool cut = text->more;
    for (unsigned lines = 0; at < text->n && lines < most; lines++) {
        const char *line = text->bytes + at;
        const char *end = memchr(line, '\n', text->n - at);
        size_t n = end != NULL ? (size_t)(end - line) : text->n - at;
        draw_line(line, n, st, out, &cut);
        at += n + (end != NULL);
    }
    if (cut || at < text->n)
        str_printf(out, "    %s(more in the results file)%s\n", st->dim, st->off);
}

static void draw_prints(const struct summary *s, const struct style *st, struct str *out)
{
    unsigned most = LINES_MOST / (s->n_prints > 0 ? s->n_prints : 1);
    most = most < LINES_EACH ? LINES_EACH : most;
    for (unsigned i = 0; i < s->n_prints; i++) {
        const struct summary_print *p = &s->prints[i];
        const struct summary_stage *stage = &s->stages[p->stage];
        str_printf(out, "\n  %s%s", st->dim, stage->name);
        if (stage->n_tasks > 1)
            str_printf(out, "[%" PRIu64 "]", p->task);
        str_printf(out, " printed%s\n", st->off);
        draw_lines(&p->out, most, st, out);
        draw_lines(&p->err, most, st, out);
    }
    if (s->n_prints > 0 && s->unread > 0)
        str_printf(out,
                   "\n  %swhat %" PRIu64 " more task%s printed is under /logs%s\n",
                   st->dim,
                   s->unread,
                   s->unread == 1 ? "" : "s",
                   st->off);
}

void summary_draw_phases(const struct summary *s, struct str *out)
{
    if (s->n_phases > 0)
        str_add(out, "\n  time\n");
    for (unsigned i = 0; i < s->n_phases; i++)
        str_printf(out, "  %-10s %10.2f ms\n", s->phases[i].name, 1e3 * s->phases[i].s);
}

void summary_draw(const struct summary *s, bool colour, bool utf8, struct str *out)
{
    struct style st = style_of(colour, utf8);
    char size[32];
    draw_head(s, &st, out);
    draw_headline(s, &st, out);
    draw_stages(s, &st, out);
    draw_matrices(s, colour, &st, out);
    draw_ranks(s, &st, out);
    draw_losses(s, &st, out);
    summary_draw_receipt(s, st.dim, st.off, out);
    draw_failures(s, &st, out);
    draw_prints(s, &st, out);
    if (s->packed)
        str_printf(out,
                   "\n  results  %s  %s%s%s%s\n",
                   s->path,
                   st.dim,
                   str_bytes(s->bytes, size),
                   s->sharded ? " with its parts beside it" : "",
                   st.off);
    else
        str_printf(out, "\n  not packed: the committed tasks are in %s\n", s->path);
}
