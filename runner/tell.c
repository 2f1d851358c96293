/* See tell.h. The event lines are read by engine/wire.c. */
#include "tell.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

static const double LINE_EVERY = 5; /* s between progress lines of text */

void tell_phase(struct tell *t, const char *name, double s)
{
    if (t->n_phases < TELL_PHASES)
        t->phases[t->n_phases++] = (struct engine_phase){name, s};
}

static void begin(struct json *j, const char *event)
{
    json_begin(j, '{');
    json_put_string(j, "gridmill", event);
}

static void finish(struct json *j)
{
    json_end(j, '}');
    str_add(&j->out, "\n");
    const char *p = j->out.text;
    for (size_t left = j->out.len; left > 0;) {
        ssize_t n = write(STDOUT_FILENO, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        p += n;
        left -= (size_t)n;
    }
}

static uint64_t over(const struct farm_counts *c)
{
    return c->done + c->failed + c->skipped;
}

static void keep(struct tell *t, const struct farm_counts *c)
{
    if (over(c) != over(&t->counts))
        t->counted = clock_monotonic();
    t->counts = *c;
}

/* The farm's estimate, less what went by since a task was over. < 0: not known. */
static double seconds_left(const struct tell *t)
{
    if (t->counts.left < 0)
        return -1;
    double left = t->counts.left - (clock_monotonic() - t->counted);
    return left > 0 ? left : 0;
}

static void put_counts(struct json *j, const struct tell *t)
{
    const struct farm_counts *c = &t->counts;
    double elapsed = clock_monotonic() - t->start, left = seconds_left(t);
    json_put_int(j, "done", (int64_t)c->done);
    json_put_int(j, "failed", (int64_t)c->failed);
    json_put_int(j, "skipped", (int64_t)c->skipped);
    json_put_int(j, "running", (int64_t)c->running);
    json_put_int(j, "total", (int64_t)c->total);
    if (c->before > 0)
        json_put_int(j, "before", (int64_t)c->before);
    if (c->lost > 0)
        json_put_int(j, "lost", c->lost);
    json_put_double(j, "elapsed", elapsed);
    json_key(j, "left");
    if (left < 0)
        json_null(j);
    else
        json_double(j, left);
    json_put_bool(j, "at_least", c->at_least);
}

void tell_started(struct tell *t, const struct jobspec *spec)
{
    t->spec = spec;
    t->start = clock_monotonic();
    t->next_line = t->start + LINE_EVERY;
    t->counts = (struct farm_counts){.left = -1};
    t->counted = t->start;
    for (unsigned i = 0; i < spec->n_stages; i++)
        t->counts.total += spec->stages[i].n_tasks;
    if (t->silent || !t->events)
        return;
    AUTO_JSON j = {0};
    begin(&j, "started");
    put_counts(&j, t);
    finish(&j);
}

/* Who reads us may be stopped: progress can be left out, the farm must not wait. */
static bool has_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) > 0 && (p.revents & POLLOUT) != 0;
}

void tell_progress(struct tell *t, const struct farm_counts *c)
{
    keep(t, c);
    if (t->silent)
        return;
    const char *stage = c->stage < 0 ? NULL : t->spec->stages[c->stage].name;
    if (t->events && !has_room(STDOUT_FILENO))
        return;
    if (t->events) {
        AUTO_JSON j = {0};
        begin(&j, "progress");
        put_counts(&j, t);
        json_put_string(&j, "stage", stage);
        json_put_string(&j, "ranks", c->ranks);
        finish(&j);
        return;
    }
    double now = clock_monotonic();
    if (t->quiet || now < t->next_line)
        return;
    char left[32] = "?";
    double rest = seconds_left(t);
    t->next_line = now + LINE_EVERY;
    log_note("%" PRIu64 "/%" PRIu64 " tasks done, %" PRIu64 " failed, in %s; %s %s left",
             c->done,
             c->total,
             c->failed,
             stage != NULL ? stage : "the end",
             c->at_least ? "over" : "about",
             rest < 0 ? left : str_duration(rest, left));
}

void tell_stage_over(struct tell *t, unsigned stage)
{
    if (t->silent || !t->events)
        return;
    AUTO_JSON j = {0};
    begin(&j, "stage");
    put_counts(&j, t);
    json_put_string(&j, "stage", t->spec->stages[stage].name);
    finish(&j);
}

void tell_packing(struct tell *t)
{
    if (t->silent || !t->events)
        return;
    AUTO_JSON j = {0};
    begin(&j, "packing");
    put_counts(&j, t);
    finish(&j);
}

void tell_ended(struct tell *t,
                const char *outcome,
                enum engine_exit code,
                const char *text)
{
    if (t->silent)
        return;
    if (!t->events) {
        if (text != NULL && text[0] != '\0')
            log_error("%s", text);
        return;
    }
    AUTO_JSON j = {0};
    begin(&j, "ended");
    put_counts(&j, t);
    json_put_string(&j, "outcome", outcome);
    json_put_int(&j, "code", code);
    json_put_string(&j, "text", text != NULL ? text : "");
    json_key(&j, "phases");
    json_begin(&j, '{');
    for (unsigned i = 0; i < t->n_phases; i++)
        json_put_double(&j, t->phases[i].name, t->phases[i].s);
    json_end(&j, '}');
    finish(&j);
}
