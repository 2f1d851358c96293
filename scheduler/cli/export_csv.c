/* See result_export.h. RFC 4180 but for the line ends: a task a line, or, of one array,
 * an element a line. Invariant: every line has as many fields as the first. */
#include "base/memory.h"
#include "element.h"
#include "flat.h"
#include "result_export.h"
#include <inttypes.h>
#include <stdlib.h>

struct csv {
    const struct export *e;
    const struct reader_stage *stage;
    struct export_values values;
    bool wide;       /* a task a line */
    uint32_t n_dims; /* else: columns that say which element */
    char **params;   /* names of what varies */
    unsigned n_params;
    bool command;
};

static void put_text(const char *text, size_t len, struct str *out)
{
    bool quoted = false;
    for (size_t i = 0; i < len && !quoted; i++)
        quoted = strchr(",\"\r\n", text[i]) != NULL;
    if (!quoted) {
        str_add_n(out, text, len);
        return;
    }
    str_add(out, "\"");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            str_add(out, "\"");
        str_add_n(out, text + i, 1);
    }
    str_add(out, "\"");
}

static void put_field(const char *text, struct str *out)
{
    put_text(text, strlen(text), out);
}

/* The names of what varies, from the first task that has them: all others of the stage
 * have the same. */
static int find_params(struct csv *c, struct gm_error *err)
{
    struct result_row row;
    struct flat f = {0};
    int rc;
    result_walk_again(c->e->w);
    while (f.n == 0 && (rc = result_walk_next(c->e->w, &row, err)) != 0) {
        struct reader_value params;
        rc = rc > 0 ? result_row_text(c->e->w, &row, RESULT_PARAMS, &params, err) : rc;
        if (rc != 0)
            return rc;
        bool none = row.task.attempts > 0 && params.nbytes == 0;
        flat_read(&f, params.data);
        free(params.data);
        if (none)
            break; /* nothing varies */
    }
    c->params = xcalloc(f.n, sizeof(*c->params));
    for (c->n_params = 0; c->n_params < f.n; c->n_params++)
        c->params[c->n_params] = xstrdup(flat_name(&f, c->n_params));
    flat_free(&f);
    return 0;
}

/* The array's dimensions: those of the first value, which all values have. */
static int find_dims(struct csv *c, struct gm_error *err)
{
    const struct export_value *value = &c->values.items[0];
    struct result_row row;
    struct reader_value v;
    int rc;
    result_walk_again(c->e->w);
    while ((rc = result_walk_next(c->e->w, &row, err)) > 0) {
        rc = reader_shape(
            c->e->w->r, row.stage, row.index, value->kind, value->index, &v, err);
        if (rc == -ENOENT)
            continue;
        c->n_dims = rc == 0 ? v.ndim : 0;
        return rc;
    }
    return rc;
}

static bool is_text(const struct export_value *v)
{
    return v->kind == RESULT_STDOUT || v->kind == RESULT_STDERR;
}

/* One field of a task, or several. */
static int choose(struct csv *c, struct gm_error *err)
{
    unsigned arrays = 0;
    for (unsigned i = 0; i < c->values.n; i++)
        arrays += !c->values.items[i].scalar && !is_text(&c->values.items[i]);
    c->wide = arrays == 0;
    if (arrays > 0 && c->values.n > 1)
        return gm_fail(err,
                       -EINVAL,
                       "an array has a line for each of its elements: name it alone by "
                       "--value, or write --format json");
    return c->wide ? 0 : find_dims(c, err);
}

/* A name that an earlier column has would hide one of the two. */
static void
put_name(const struct csv *c, const char *front, const char *name, struct str *out)
{
    static const char *const own[] = {"index",
                                      "status",
                                      "attempts",
                                      "rank",
                                      "start",
                                      "end",
                                      "timed_with",
                                      "digest",
                                      "exit_code",
                                      "signal",
                                      "message"};
    bool taken = false;
    for (size_t i = 0; i < N_OF(own); i++)
        taken = taken || strcmp(own[i], name) == 0;
    for (unsigned i = 0; i < c->n_params && strcmp(front, "param") != 0; i++)
        taken = taken || strcmp(c->params[i], name) == 0;
    AUTO_STR full = {0};
    str_printf(&full, "%s%s%s", taken ? front : "", taken ? "." : "", name);
    put_text(full.text, full.len, out);
}

static void put_head(const struct csv *c, struct str *out)
{
    str_add(out, "index");
    for (unsigned i = 0; i < c->n_params; i++) {
        str_add(out, ",");
        put_name(c, "param", c->params[i], out);
    }
    if (c->wide) {
        str_add(out, ",status,attempts,rank,start,end,timed_with,digest");
        str_add(out, c->command ? ",exit_code,signal" : "");
    }
    for (uint32_t i = 0; i < c->n_dims && !c->wide; i++)
        str_printf(out, ",i%u", i);
    for (unsigned i = 0; i < c->values.n; i++) {
        str_add(out, ",");
        put_name(c, "value", c->values.items[i].name, out);
    }
    str_add(out, c->wide ? ",message\n" : "\n");
}

static int put_params(const struct csv *c,
                      const struct result_row *row,
                      struct str *out,
                      struct gm_error *err)
{
    struct reader_value params;
    struct flat f = {0};
    int rc = result_row_text(c->e->w, row, RESULT_PARAMS, &params, err);
    if (rc != 0)
        return rc;
    flat_read(&f, params.data);
    free(params.data);
    for (unsigned i = 0; i < c->n_params; i++) {
        unsigned k = i < f.n && strcmp(flat_name(&f, i), c->params[i]) == 0 ? i : 0;
        while (k < f.n && strcmp(flat_name(&f, k), c->params[i]) != 0)
            k++;
        str_add(out, ",");
        if (k < f.n)
            put_field(flat_text(&f, k), out);
    }
    flat_free(&f);
    return 0;
}

static void put_task(const struct csv *c, const struct reader_task *t, struct str *out)
{
    char start[32], end[32], buf[RESULT_DIGEST];
    const char *digest = result_digest_text(t, buf);
    str_printf(out, ",%s,%u", result_status_name(t->status), t->attempts);
    if (t->attempts > 0)
        str_printf(out,
                   ",%u,%s,%s,%" PRIu64 ",%s",
                   t->rank,
                   str_double(t->start, start),
                   str_double(t->end, end),
                   t->timed_with > 0 ? t->timed_with : 1,
                   digest != NULL ? digest : "");
    else
        str_add(out, ",,,,,");
    if (c->command && t->attempts > 0)
        str_printf(out, ",%d,%d", t->exit_code, t->signal);
    else if (c->command)
        str_add(out, ",,");
}

static int put_value(const struct csv *c,
                     const struct result_row *row,
                     const struct export_value *value,
                     struct str *out,
                     struct gm_error *err)
{
    struct reader_value v;
    char buf[32];
    str_add(out, ",");
    int rc = reader_value(
        c->e->w->r, row->stage, row->index, value->kind, value->index, &v, err);
    if (rc == -ENOENT)
        return 0;
    if (rc != 0)
        return rc;
    if (is_text(value))
        put_text(v.data, v.nbytes, out);
    else if (element_count(&v) > 0)
        str_add(out, element_text(&v, 0, buf));
    free(v.data);
    return 0;
}

static int put_wide(const struct csv *c,
                    const struct result_row *row,
                    struct str *out,
                    struct gm_error *err)
{
    AUTO_FREE(char) message = NULL;
    str_printf(out, "%" PRIu64, row->index);
    int rc = put_params(c, row, out, err);
    put_task(c, &row->task, out);
    for (unsigned i = 0; i < c->values.n && rc == 0; i++)
        rc = put_value(c, row, &c->values.items[i], out, err);
    if (rc == 0)
        rc = result_row_message(c->e->w, row, &message, err);
    if (rc != 0)
        return rc;
    str_add(out, ",");
    put_field(message, out);
    str_add(out, "\n");
    return 0;
}

/* Counts the places of an array up, the last one fastest. */
static void advance(const struct reader_value *v, uint64_t *place)
{
    for (uint32_t i = v->ndim; i-- > 0;) {
        if (++place[i] < v->dims[i])
            return;
        place[i] = 0;
    }
}

static int put_long(const struct csv *c,
                    const struct result_row *row,
                    struct str *out,
                    struct gm_error *err)
{
    const struct export_value *value = &c->values.items[0];
    struct reader_value v;
    uint64_t place[GM_MAX_DIMS] = {0};
    AUTO_STR params = {0};
    int rc = reader_value(
        c->e->w->r, row->stage, row->index, value->kind, value->index, &v, err);
    if (rc == -ENOENT)
        return 0;
    if (rc != 0)
        return rc;
    rc = put_params(c, row, &params, err);
    uint64_t n = rc == 0 ? element_count(&v) : 0;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        char buf[32];
        str_printf(out, "%" PRIu64 "%s", row->index, str_text(&params));
        for (uint32_t d = 0; d < c->n_dims; d++)
            str_printf(out, ",%" PRIu64, d < v.ndim ? place[d] : 0);
        str_printf(out, ",%s\n", element_text(&v, i, buf));
        advance(&v, place);
        rc = outlet_more(c->e->out, err);
    }
    free(v.data);
    return rc;
}

static int put_all(const struct csv *c, struct gm_error *err)
{
    struct result_row row;
    struct str *out = &c->e->out->text;
    int rc = 0;
    put_head(c, out);
    result_walk_again(c->e->w);
    while (rc == 0 && (rc = result_walk_next(c->e->w, &row, err)) > 0) {
        rc = c->wide ? put_wide(c, &row, out, err) : put_long(c, &row, out, err);
        rc = rc == 0 ? outlet_more(c->e->out, err) : rc;
    }
    return rc;
}

int export_csv(const struct export *e, struct gm_error *err)
{
    struct csv c = {.e = e};
    int rc = result_walk_only(e->w, "a table", err);
    if (rc != 0)
        return rc;
    c.stage = reader_stage(e->w->r, e->w->first_stage);
    c.command = c.stage->kernel[0] == '\0';
    export_values(e, e->w->first_stage, &c.values);
    rc = choose(&c, err);
    if (rc == 0)
        rc = find_params(&c, err);
    if (rc == 0)
        rc = put_all(&c, err);
    for (unsigned i = 0; i < c.n_params; i++)
        free(c.params[i]);
    free(c.params);
    return rc;
}
