/* See result_walk.h. Invariant: one task is in memory at a time, however many there are.
 */
#include "result_walk.h"
#include "base/memory.h"
#include "flat.h"
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static const char *const statuses[] = {"open", "done", "failed", "skipped", "retried"};
static const char *const reasons[] = {
    "", "error", "exit", "signal", "timeout", "needs", "lost", "crash", "damaged"};

const char *result_status_name(uint32_t status)
{
    return status < N_OF(statuses) ? statuses[status] : "unknown";
}

const char *result_reason_name(uint32_t reason)
{
    return reason < N_OF(reasons) ? reasons[reason] : "unknown";
}

/* what was asked for */

static int
find_stage(const struct reader *r, const char *name, unsigned *ret, struct gm_error *err)
{
    unsigned n = reader_n_stages(r);
    AUTO_FREE(const char *) names = xcalloc(n, sizeof(*names));
    for (unsigned i = 0; i < n; i++) {
        names[i] = reader_stage(r, i)->name;
        if (strcmp(names[i], name) == 0) {
            *ret = i;
            return 0;
        }
    }
    const char *near = str_nearest(name, names, n);
    return gm_fail(err,
                   -EINVAL,
                   "--stage %s: the results have no such stage%s%s%s",
                   name,
                   near != NULL ? "; did you mean '" : "",
                   near != NULL ? near : "",
                   near != NULL ? "'?" : "");
}

static int read_stage(const struct cli *cli, struct result_walk *w, struct gm_error *err)
{
    const char *name = args_value(&cli->args, "stage");
    w->end_stage = reader_n_stages(w->r);
    if (name == NULL)
        return 0;
    int rc = find_stage(w->r, name, &w->first_stage, err);
    w->end_stage = w->first_stage + 1;
    return rc;
}

static bool read_number(const char **p, uint64_t *ret)
{
    char *end;
    if (isdigit((unsigned char)**p) == 0)
        return false;
    errno = 0;
    *ret = strtoull(*p, &end, 10);
    *p = end;
    return errno == 0;
}

static int read_tasks(const struct cli *cli, struct result_walk *w, struct gm_error *err)
{
    const char *text = args_value(&cli->args, "task"), *p = text;
    w->last = UINT64_MAX;
    if (text == NULL)
        return 0;
    bool fine = read_number(&p, &w->first);
    w->last = w->first;
    w->single = fine && *p == '\0';
    if (fine && *p == '-') {
        p++;
        fine = read_number(&p, &w->last);
    }
    if (!fine || *p != '\0' || w->first > w->last)
        return gm_fail(err, -EINVAL, "--task %s: must be N or N-M, counted from 0", text);
    int rc = result_walk_only(w, "--task", err);
    if (rc != 0)
        return rc;
    uint64_t n = reader_stage(w->r, w->first_stage)->n_tasks;
    if (w->last >= n)
        return gm_fail(err,
                       -EINVAL,
                       "--task %s: stage %s has %" PRIu64 " task%s, counted from 0",
                       text,
                       reader_stage(w->r, w->first_stage)->name,
                       n,
                       n == 1 ? "" : "s");
    return 0;
}

static int
read_statuses(const struct cli *cli, struct result_walk *w, struct gm_error *err)
{
    const char *text = args_value(&cli->args, "status");
    w->statuses = text == NULL ? UINT32_MAX : 0;
    for (const char *p = text; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        unsigned k = 0;
        while (k < N_OF(statuses) &&
               (strncmp(statuses[k], p, n) != 0 || statuses[k][n] != '\0'))
            k++;
        if (k == N_OF(statuses))
            return gm_fail(err,
                           -EINVAL,
                           "--status %s: must be of done, failed, skipped, open and "
                           "retried, with commas between",
                           text);
        w->statuses |= 1u << k;
        p += n + (p[n] == ',');
    }
    return 0;
}

int result_walk_open(const struct cli *cli,
                     const char *file,
                     struct result_walk *ret,
                     struct gm_error *err)
{
    struct result_walk w = {.file = file};
    int rc = reader_open(file, &w.r, err);
    if (rc == 0)
        rc = read_stage(cli, &w, err);
    if (rc == 0)
        rc = read_tasks(cli, &w, err);
    if (rc == 0)
        rc = read_statuses(cli, &w, err);
    if (rc != 0) {
        reader_close(w.r);
        return rc;
    }
    result_walk_again(&w);
    *ret = w;
    return 0;
}

void result_walk_close(struct result_walk *w)
{
    result_why_close(w->why);
    reader_close(w->r);
    w->r = NULL;
}

int result_walk_only(const struct result_walk *w, const char *what, struct gm_error *err)
{
    if (w->end_stage - w->first_stage == 1)
        return 0;
    AUTO_STR names = {0};
    for (unsigned i = w->first_stage; i < w->end_stage && i < 8; i++)
        str_printf(
            &names, "%s%s", i > w->first_stage ? ", " : "", reader_stage(w->r, i)->name);
    return gm_fail(err,
                   -EINVAL,
                   "%s is of one stage, and the results have %u: choose one by --stage "
                   "(%s%s)",
                   what,
                   w->end_stage - w->first_stage,
                   str_text(&names),
                   w->end_stage > 8 ? ", ..." : "");
}

/* the tasks */

void result_walk_again(struct result_walk *w)
{
    w->stage = w->first_stage;
    w->task = w->first;
}

int result_walk_next(struct result_walk *w, struct result_row *ret, struct gm_error *err)
{
    while (w->stage < w->end_stage) {
        const struct reader_stage *s = reader_stage(w->r, w->stage);
        if (w->task >= s->n_tasks || w->task > w->last) {
            w->stage++;
            w->task = w->first;
            continue;
        }
        struct result_row row = {.stage = w->stage, .index = w->task++, .of = s};
        int rc = reader_task(w->r, row.stage, row.index, &row.task, err);
        if (rc != 0)
            return rc;
        if (row.task.status < 32 && (w->statuses & 1u << row.task.status) == 0)
            continue;
        *ret = row;
        return 1;
    }
    return 0;
}

int result_row_text(struct result_walk *w,
                    const struct result_row *row,
                    uint32_t kind,
                    struct reader_value *ret,
                    struct gm_error *err)
{
    struct reader_value v = {0};
    int rc = reader_value(w->r, row->stage, row->index, kind, 0, &v, err);
    if (rc == -ENOENT)
        v = (struct reader_value){.data = xcalloc(1, 1)};
    else if (rc != 0)
        return rc;
    *ret = v;
    return 0;
}

int result_row_message(struct result_walk *w,
                       const struct result_row *row,
                       char **ret,
                       struct gm_error *err)
{
    struct reader_value message;
    AUTO_STR why = {0};
    int rc = result_row_text(w, row, RESULT_MESSAGE, &message, err);
    if (rc != 0)
        return rc;
    AUTO_FREE(char) text = message.data;
    if (text[0] == '\0' && row->task.status == RESULT_SKIPPED) {
        if (w->why == NULL)
            w->why = result_why_open(w->r);
        rc = result_why_text(w->why, row->stage, row->index, &why, err);
    }
    if (rc == 0)
        *ret = why.len > 0 ? str_steal(&why) : steal(&text);
    return rc;
}

/* Where and when; a task that never ran has neither. */
static void put_run(const struct reader_task *t, struct json *j)
{
    bool ran = t->attempts > 0;
    char digest[RESULT_DIGEST];
    json_key(j, "rank");
    if (ran)
        json_uint(j, t->rank);
    else
        json_null(j);
    json_put_int(j, "n_ranks", t->n_ranks);
    json_put_double(j, "start", ran ? t->start : (double)NAN);
    json_put_double(j, "end", ran ? t->end : (double)NAN);
    json_key(j, "timed_with");
    json_uint(j, ran && t->timed_with > 0 ? t->timed_with : 1);
    json_put_string(j, "digest", result_digest_text(t, digest));
}

int result_row_json(struct result_walk *w,
                    const struct result_row *row,
                    struct json *j,
                    struct gm_error *err)
{
    struct reader_value params;
    AUTO_FREE(char) message = NULL;
    const struct reader_task *t = &row->task;
    int rc = result_row_text(w, row, RESULT_PARAMS, &params, err);
    if (rc != 0)
        return rc;
    AUTO_FREE(char) params_text = params.data;
    rc = result_row_message(w, row, &message, err);
    if (rc != 0)
        return rc;
    json_put_string(j, "stage", row->of->name);
    json_key(j, "index");
    json_uint(j, row->index);
    json_put_string(j, "status", result_status_name(t->status));
    json_put_string(j, "reason", t->reason != 0 ? result_reason_name(t->reason) : NULL);
    json_put_int(j, "attempts", t->attempts);
    put_run(t, j);
    if (row->of->kernel[0] == '\0') {
        json_put_int(j, "exit_code", t->exit_code);
        json_put_int(j, "signal", t->signal);
    }
    json_key(j, "params");
    json_raw(j, params_text[0] != '\0' ? params_text : "{}");
    if (message[0] != '\0')
        json_put_string(j, "message", message);
    return 0;
}

const char *result_digest_text(const struct reader_task *t, char buf[RESULT_DIGEST])
{
    if (t->digest == 0)
        return NULL;
    (void)snprintf(buf, RESULT_DIGEST, "0x%016" PRIx64, t->digest);
    return buf;
}

void result_params_text(const char *params, struct str *out)
{
    struct flat f = {0};
    flat_read(&f, params);
    for (unsigned i = 0; i < f.n; i++)
        str_printf(out, "%s%s=%s", i > 0 ? " " : "", flat_name(&f, i), flat_text(&f, i));
    flat_free(&f);
}

void result_tame(char *text)
{
    unsigned char *p = (unsigned char *)text;
    for (size_t left = strlen(text), n; left > 0; p += n, left -= n) {
        n = str_utf8_length(p, left);
        bool c1 = n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
        if (n == 0 || (*p < ' ' && *p != '\t') || *p == 0x7f || c1) {
            *p = '?';
            n = 1;
        }
    }
}
