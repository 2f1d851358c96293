/* gridmill result tasks|failed: the tasks of a results file, or of a run that is not over
 * yet, a line each. Invariant: a line is written before the next task is read. */
#include "base/memory.h"
#include "engine/engine.h"
#include "outlet.h"
#include "result_parts.h"
#include "result_walk.h"
#include "say.h"
#include <inttypes.h>
#include <stdlib.h>

enum { TAIL = 4096 }; /* bytes shown of what a failed command printed */

/* as JSON: a task a line */

struct list { /* of tasks, inside one JSON value */
    struct outlet *out;
    uint64_t n;
};

static void begin_list(struct list *l, const char *schema, const struct result_walk *w)
{
    AUTO_JSON j = {0};
    json_string(&j, w->file);
    str_printf(&l->out->text,
               "{\"schema\":\"%s\",\"file\":%s,\"tasks\":[",
               schema,
               str_text(&j.out));
}

static void add_to_list(struct list *l, const struct json *j)
{
    str_printf(&l->out->text, "%s\n", l->n++ > 0 ? "," : "");
    str_add_n(&l->out->text, str_text(&j->out), j->out.len);
}

static int json_tasks(struct result_walk *w, struct outlet *out, struct gm_error *err)
{
    struct list list = {.out = out};
    struct result_row row;
    int rc = 0;
    begin_list(&list, "gridmill.result-tasks/1", w);
    while (rc == 0 && (rc = result_walk_next(w, &row, err)) > 0) {
        AUTO_JSON j = {0};
        json_begin(&j, '{');
        rc = result_row_json(w, &row, &j, err);
        json_end(&j, '}');
        add_to_list(&list, &j);
        rc = rc == 0 ? outlet_more(out, err) : rc;
    }
    str_add(&out->text, "\n]}\n");
    return rc;
}

/* for people */

struct widths {
    int stage, index;
};

static struct widths measure(const struct result_walk *w)
{
    struct widths c = {.stage = 5, .index = 4};
    for (unsigned i = w->first_stage; i < w->end_stage; i++) {
        const struct reader_stage *s = reader_stage(w->r, i);
        int name = (int)strlen(s->name);
        int digits = snprintf(NULL, 0, "%" PRIu64, s->n_tasks);
        c.stage = name > c.stage ? name : c.stage;
        c.index = digits > c.index ? digits : c.index;
    }
    return c;
}

/* "exit status 3", "lr=0.1 seed=1: loss is not finite" */
static int row_words(struct result_walk *w,
                     const struct result_row *row,
                     struct str *out,
                     struct gm_error *err)
{
    struct reader_value params;
    AUTO_FREE(char) why = NULL;
    int rc = result_row_text(w, row, RESULT_PARAMS, &params, err);
    if (rc != 0)
        return rc;
    result_params_text(params.data, out);
    free(params.data);
    rc = result_row_message(w, row, &why, err);
    if (rc == 0)
        str_printf(out, "%s%s", out->len > 0 && *why != '\0' ? ": " : "", why);
    return rc;
}

static int draw_row(struct result_walk *w,
                    const struct result_row *row,
                    const struct widths *c,
                    struct str *out,
                    struct gm_error *err)
{
    const struct reader_task *t = &row->task;
    char time[32] = "", rank[16] = "";
    AUTO_STR words = {0};
    int rc = row_words(w, row, &words, err);
    if (rc != 0)
        return rc;
    if (t->attempts > 0) {
        (void)str_duration(t->end - t->start, time);
        (void)snprintf(rank, sizeof(rank), "%u", t->rank);
    }
    if (words.len > 0)
        result_tame(words.text);
    str_printf(out,
               "%-*s  %*" PRIu64 "  %-7s  %5u  %6s  %12s",
               c->stage,
               row->of->name,
               c->index,
               row->index,
               result_status_name(t->status),
               t->attempts,
               rank,
               time);
    while (words.len == 0 && out->text[out->len - 1] == ' ')
        out->text[--out->len] = '\0';
    str_printf(out, "%s%s\n", words.len > 0 ? "  " : "", str_text(&words));
    return 0;
}

static int draw_tasks(struct result_walk *w, struct outlet *out, struct gm_error *err)
{
    struct widths c = measure(w);
    struct result_row row;
    int rc = 0;
    str_printf(&out->text,
               "%-*s  %*s  %-7s  %5s  %6s  %12s  %s\n",
               c.stage,
               "STAGE",
               c.index,
               "TASK",
               "STATUS",
               "TRIES",
               "RANK",
               "TIME",
               "WHAT VARIES");
    while (rc == 0 && (rc = result_walk_next(w, &row, err)) > 0) {
        rc = draw_row(w, &row, &c, &out->text, err);
        rc = rc == 0 ? outlet_more(out, err) : rc;
    }
    return rc;
}

typedef int list_fn(struct result_walk *w, struct outlet *out, struct gm_error *err);

static int list_tasks(const struct cli *cli, list_fn *people, list_fn *json)
{
    struct result_walk w;
    struct outlet out;
    struct gm_error err = {0};
    int rc = result_walk_open(cli, cli->args.words[1], &w, &err);
    if (rc != 0)
        return say_failure(cli, engine_exit_for(rc), &err);
    rc = outlet_open(args_value(&cli->args, "output"), &out, &err);
    if (rc == 0)
        rc = outlet_close(&out, (cli->json ? json : people)(&w, &out, &err), &err);
    result_walk_close(&w);
    return rc == 0 ? ENGINE_DONE : say_failure(cli, engine_exit_for(rc), &err);
}

int result_tasks(const struct cli *cli)
{
    return list_tasks(cli, draw_tasks, json_tasks);
}

/* what failed */

struct failures {
    uint64_t failed, skipped, open;
};

/* The next failed task; the others are counted. */
static int next_failed(struct result_walk *w,
                       struct failures *n,
                       struct result_row *ret,
                       struct gm_error *err)
{
    int rc;
    while ((rc = result_walk_next(w, ret, err)) > 0) {
        n->skipped += ret->task.status == RESULT_SKIPPED;
        n->open += ret->task.status == RESULT_NONE || ret->task.status == RESULT_RETRIED;
        if (ret->task.status != RESULT_FAILED)
            continue;
        n->failed++;
        return 1;
    }
    return rc;
}

/* Its last lines, from the first whole one on. */
static const char *tail_of(const struct reader_value *text, size_t *ret_len)
{
    const char *all = text->data, *end = all + text->nbytes;
    const char *tail = text->nbytes > TAIL ? end - TAIL : all;
    const char *line = tail > all ? memchr(tail, '\n', TAIL) : NULL;
    if (line != NULL && line + 1 < end)
        tail = line + 1;
    *ret_len = (size_t)(end - tail);
    return tail;
}

static int put_tail(struct result_walk *w,
                    const struct result_row *row,
                    uint32_t kind,
                    struct json *j,
                    struct gm_error *err)
{
    struct reader_value text;
    int rc = result_row_text(w, row, kind, &text, err);
    if (rc != 0)
        return rc;
    size_t len;
    const char *tail = tail_of(&text, &len);
    json_key(j, kind == RESULT_STDOUT ? "stdout" : "stderr");
    json_string_n(j, tail, len);
    free(text.data);
    return 0;
}

static int json_failed(struct result_walk *w, struct outlet *out, struct gm_error *err)
{
    struct list list = {.out = out};
    struct failures n = {0};
    struct result_row row;
    int rc = 0;
    begin_list(&list, "gridmill.result-failed/1", w);
    while (rc == 0 && (rc = next_failed(w, &n, &row, err)) > 0) {
        AUTO_JSON j = {0};
        json_begin(&j, '{');
        rc = result_row_json(w, &row, &j, err);
        if (rc == 0 && row.of->kernel[0] == '\0')
            rc = put_tail(w, &row, RESULT_STDOUT, &j, err);
        if (rc == 0 && row.of->kernel[0] == '\0')
            rc = put_tail(w, &row, RESULT_STDERR, &j, err);
        json_end(&j, '}');
        add_to_list(&list, &j);
        rc = rc == 0 ? outlet_more(out, err) : rc;
    }
    str_printf(&out->text,
               "\n],\"failed\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"open\":%" PRIu64
               "}\n",
               n.failed,
               n.skipped,
               n.open);
    return rc;
}

static void draw_lines(char *text, struct str *out)
{
    char *next;
    for (char *line = text; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        size_t len = strlen(line);
        if (len > 0 && line[len - 1] == '\r')
            line[len - 1] = '\0';
        result_tame(line);
        str_printf(out, "    | %s\n", line);
    }
}

static int draw_tail(struct result_walk *w,
                     const struct result_row *row,
                     uint32_t kind,
                     struct str *out,
                     struct gm_error *err)
{
    struct reader_value text;
    int rc = result_row_text(w, row, kind, &text, err);
    if (rc != 0)
        return rc;
    size_t len;
    const char *tail = tail_of(&text, &len);
    AUTO_STR lines = {0};
    str_add_n(&lines, tail, len);
    for (size_t i = 0; i < len; i++) /* shown as what cannot be shown, not as the end */
        lines.text[i] = lines.text[i] == '\0' ? 0x7f : lines.text[i];
    free(text.data);
    if (len > 0)
        draw_lines(lines.text, out);
    return 0;
}

static void
rank_text(const struct result_walk *w, const struct reader_task *t, struct str *out)
{
    struct reader_rank rank;
    if (t->attempts == 0)
        return;
    str_printf(out, ", rank %u", t->rank);
    if (t->rank < reader_n_ranks(w->r) && reader_rank(w->r, t->rank, &rank, NULL) == 0 &&
        rank.host[0] != '\0')
        str_printf(out, " on %s", rank.host);
}

static int draw_failure(struct result_walk *w,
                        const struct result_row *row,
                        struct str *out,
                        struct gm_error *err)
{
    const struct reader_task *t = &row->task;
    char time[32];
    AUTO_STR words = {0};
    AUTO_STR where = {0};
    int rc = row_words(w, row, &words, err);
    if (rc != 0)
        return rc;
    rank_text(w, t, &where);
    if (words.len > 0)
        result_tame(words.text);
    str_printf(out,
               "%s[%" PRIu64 "]  %s\n    %u attempt%s, the last took %s%s\n",
               row->of->name,
               row->index,
               words.len > 0 ? words.text : result_reason_name(t->reason),
               t->attempts,
               t->attempts == 1 ? "" : "s",
               str_duration(t->end - t->start, time),
               str_text(&where));
    if (row->of->kernel[0] != '\0')
        return 0;
    rc = draw_tail(w, row, RESULT_STDOUT, out, err);
    return rc == 0 ? draw_tail(w, row, RESULT_STDERR, out, err) : rc;
}

static void
draw_counts(const struct result_walk *w, const struct failures *n, struct str *out)
{
    if (n->failed == 0)
        str_add(out, "no task failed");
    else
        str_printf(
            out, "%" PRIu64 " task%s failed", n->failed, n->failed == 1 ? "" : "s");
    if (n->skipped > 0)
        str_printf(out, ", %" PRIu64 " skipped as they need one that failed", n->skipped);
    if (n->open > 0)
        str_printf(out, ", %" PRIu64 " not over yet", n->open);
    str_add(out, "\n");
    if (n->failed > 0) {
        str_add(out, "to run them again: gridmill resume --failed ");
        str_add_shell(out, w->file);
        str_add(out, "\n");
    }
}

static int draw_failed(struct result_walk *w, struct outlet *out, struct gm_error *err)
{
    struct failures n = {0};
    struct result_row row;
    int rc = 0;
    while (rc == 0 && (rc = next_failed(w, &n, &row, err)) > 0) {
        rc = draw_failure(w, &row, &out->text, err);
        rc = rc == 0 ? outlet_more(out, err) : rc;
    }
    draw_counts(w, &n, &out->text);
    return rc;
}

int result_failed(const struct cli *cli)
{
    return list_tasks(cli, draw_failed, json_failed);
}
