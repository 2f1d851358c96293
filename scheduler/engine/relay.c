/* See relay.h. Invariant: a line reaches its reader whole, once, and in its stream's
 * order. */
#include "relay.h"
#include "base/clock.h"
#include <unistd.h>

enum {
    LINE_MOST = 1 << 16, /* a longer line is passed on in pieces */
    WORDS_MOST = 1 << 14
};

static const char runner_name[] = "gridmill-runner: ";
static const char srun_error[] = "srun: error: ";

void relay_tell(const struct relay *r, struct engine_event *e)
{
    if (r->events == NULL || r->events->event == NULL) {
        if (e->kind == ENGINE_SAID) {
            struct str line = {0};
            str_printf(&line, "%s\n", e->text);
            (void)!write(STDERR_FILENO, line.text, line.len);
            str_free(&line);
        }
        return;
    }
    const struct wire *w = &r->last;
    e->done = w->done;
    e->failed = w->failed;
    e->skipped = w->skipped;
    e->running = w->running;
    e->total = w->total;
    e->before = w->before;
    e->lost = w->lost;
    e->elapsed = w->elapsed;
    e->left = r->started ? w->left : -1;
    e->at_least = w->at_least;
    e->ranks = w->ranks;
    if (e->stage == NULL && w->stage[0] != '\0')
        e->stage = w->stage;
    r->events->event(r->events->ctx, e);
}

static void say(const struct relay *r, const char *line)
{
    struct engine_event e = {.kind = ENGINE_SAID, .text = line};
    relay_tell(r, &e);
}

static void take_event(struct relay *r, const struct wire *w)
{
    static const enum engine_event_kind kinds[] = {[WIRE_STARTED] = ENGINE_STARTED,
                                                   [WIRE_PROGRESS] = ENGINE_PROGRESS,
                                                   [WIRE_STAGE] = ENGINE_STAGE_OVER,
                                                   [WIRE_PACKING] = ENGINE_PACKING};
    uint64_t total = r->last.total;
    r->heard_at = clock_monotonic();
    r->last = *w;
    if (r->last.total == 0)
        r->last.total = total;
    if (w->kind == WIRE_ENDED) { /* told by engine_run, once the records are read */
        r->ended = true;
        r->ended_at = clock_monotonic();
        return;
    }
    if (w->kind == WIRE_STARTED) {
        r->started = true;
        r->started_at = clock_monotonic();
    }
    struct engine_event e = {.kind = kinds[w->kind]};
    relay_tell(r, &e);
}

static void out_line(struct relay *r, const char *line, size_t len)
{
    struct wire w;
    wire_parse(line, len, &w);
    if (w.kind == WIRE_NONE)
        say(r, line);
    else if (!r->ended) /* nothing follows the end */
        take_event(r, &w);
}

static bool is_rule(const char *line, size_t len)
{
    return len >= 20 && strspn(line, "-") == len;
}

/* What Open MPI and PRRTE say about themselves outside their ruled blocks. */
static bool is_launchers(const char *line)
{
    static const char *const starts[] = {
        "mpirun", "Primary job ", "ORTE ", "PMIX ERROR", "prte"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (strncmp(line, starts[i], strlen(starts[i])) == 0)
            return true;
    }
    const char *end = strchr(line, ']'), *colon = strchr(line, ':');
    bool tagged = line[0] == '[' && end != NULL && colon != NULL && colon < end;
    return tagged && colon + 1 + strspn(colon + 1, "0123456789") == end;
}

static void keep_words(struct relay *r, const char *line)
{
    if (r->words.len > WORDS_MOST)
        str_clear(&r->words);
    str_printf(&r->words, "%s\n", line);
    if (r->verbose)
        say(r, line);
}

static void err_line(struct relay *r, const char *line, size_t len)
{
    if (is_rule(line, len)) {
        r->in_block = !r->in_block;
        if (r->verbose)
            say(r, line);
        return;
    }
    bool goes_on =
        r->in_words && strspn(line, " \t") == len; /* blank, behind its words */
    r->in_words = r->in_block || is_launchers(line) || goes_on;
    if (strncmp(line, runner_name, sizeof(runner_name) - 1) == 0) {
        str_clear(&r->said);
        str_add(&r->said, line + sizeof(runner_name) - 1);
        say(r, line);
    } else if (r->in_words) {
        keep_words(r, line);
    } else {
        if (strncmp(line, srun_error, sizeof(srun_error) - 1) == 0)
            str_printf(&r->words, "%s\n", line);
        say(r, line);
    }
}

typedef void line_fn(struct relay *r, const char *line, size_t len);

/* Adds to the begun line and hands on each that is whole. */
static void
cut(struct relay *r, struct str *begun, const char *data, size_t len, line_fn *fn)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) : len;
        str_add_n(begun, data, n);
        if (end != NULL || begun->len > LINE_MOST) {
            fn(r, begun->text, begun->len);
            str_clear(begun);
        }
        n += end != NULL;
        data += n;
        len -= n;
    }
}

void relay_out(struct relay *r, const char *data, size_t len)
{
    cut(r, &r->out, data, len, out_line);
}

void relay_err(struct relay *r, const char *data, size_t len)
{
    cut(r, &r->err, data, len, err_line);
}

void relay_flush(struct relay *r)
{
    if (r->out.len > 0)
        relay_out(r, "\n", 1);
    if (r->err.len > 0)
        relay_err(r, "\n", 1);
}

/* The line that says which rank was lost and how, or else the first one. */
const char *relay_words(const struct relay *r, char buf[256])
{
    const char *text = str_text(&r->words), *best = strstr(text, "mpirun noticed that");
    if (best == NULL)
        best = strstr(text, srun_error);
    if (best == NULL)
        best = text + strspn(text, " \t\n");
    int n = (int)strcspn(best, "\n");
    while (n > 0 && best[n - 1] == '.') /* our sentence goes on after it */
        n--;
    (void)snprintf(buf, 256, "%.*s", n, best);
    return buf;
}

void relay_free(struct relay *r)
{
    str_free(&r->out);
    str_free(&r->err);
    str_free(&r->words);
    str_free(&r->said);
}
