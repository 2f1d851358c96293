/* See result_export.h. One JSON value, a task a line. */
#include "element.h"
#include "result_export.h"
#include <stdlib.h>

static int put_value(const struct export *e,
                     const struct result_row *row,
                     const struct export_value *value,
                     struct json *j,
                     struct gm_error *err)
{
    struct reader_value v;
    int rc =
        reader_value(e->w->r, row->stage, row->index, value->kind, value->index, &v, err);
    if (rc == -ENOENT)
        return 0;
    if (rc != 0)
        return rc;
    json_key(j, value->name);
    if (value->kind == RESULT_STDOUT || value->kind == RESULT_STDERR)
        json_string_n(j, v.data, v.nbytes);
    else
        element_all_json(&v, j);
    free(v.data);
    return 0;
}

static int put_task(const struct export *e,
                    const struct result_row *row,
                    const struct export_values *values,
                    struct str *out,
                    struct gm_error *err)
{
    AUTO_JSON j = {0};
    json_begin(&j, '{');
    int rc = result_row_json(e->w, row, &j, err);
    json_key(&j, "values");
    json_begin(&j, '{');
    for (unsigned i = 0; i < values->n && rc == 0; i++)
        rc = put_value(e, row, &values->items[i], &j, err);
    json_end(&j, '}');
    json_end(&j, '}');
    str_add_n(out, j.out.text, j.out.len);
    return rc;
}

/* Outputs that are not in the tasks below. */
static void put_left_out(const struct export *e, unsigned stage, struct json *j)
{
    const struct reader_stage *s = reader_stage(e->w->r, stage);
    struct export_values values;
    export_values(e, stage, &values);
    json_key(j, "left_out");
    json_begin(j, '[');
    for (unsigned i = 0, k = 0; i < s->n_outputs; i++) {
        bool is_in =
            k < values.n && strcmp(values.items[k].name, s->outputs[i].name) == 0;
        k += is_in;
        if (!is_in)
            json_string(j, s->outputs[i].name);
    }
    json_end(j, ']');
}

static void put_head(const struct export *e, struct str *out)
{
    AUTO_JSON j = {0};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.export/1");
    json_put_string(&j, "file", e->w->file);
    json_put_string(&j, "name", reader_job_text(e->w->r, "name"));
    json_put_string(&j, "id", reader_job_text(e->w->r, "id"));
    json_key(&j, "stages");
    json_begin(&j, '[');
    for (unsigned i = e->w->first_stage; i < e->w->end_stage; i++) {
        const struct reader_stage *s = reader_stage(e->w->r, i);
        json_begin(&j, '{');
        json_put_string(&j, "name", s->name);
        json_put_string(&j, "kernel", s->kernel[0] != '\0' ? s->kernel : NULL);
        json_key(&j, "n_tasks");
        json_uint(&j, s->n_tasks);
        put_left_out(e, i, &j);
        json_end(&j, '}');
    }
    json_end(&j, ']');
    str_add_n(out, j.out.text, j.out.len);
    str_add(out, ",\"tasks\":[");
    json_end(&j, '}');
}

int export_json(const struct export *e, struct gm_error *err)
{
    struct export_values values = {0};
    struct result_row row;
    unsigned stage = UINT32_MAX;
    uint64_t n = 0;
    int rc = 0;
    put_head(e, &e->out->text);
    while (rc == 0 && (rc = result_walk_next(e->w, &row, err)) > 0) {
        if (row.stage != stage)
            export_values(e, row.stage, &values);
        stage = row.stage;
        str_printf(&e->out->text, "%s\n", n++ > 0 ? "," : "");
        rc = put_task(e, &row, &values, &e->out->text, err);
        rc = rc == 0 ? outlet_more(e->out, err) : rc;
    }
    str_add(&e->out->text, "\n]}\n");
    return rc;
}
