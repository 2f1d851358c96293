/* See written.h. Invariant: reading what is written here gives the same spec again. */
#include "written.h"
#include "load.h"
#include "value.h"
#include <math.h>

static void literal(const char *text, struct str *out)
{
    for (const char *p = text; *p != '\0';) {
        const char *next = strstr(p, "${");
        size_t n = next != NULL ? (size_t)(next - p) : strlen(p);
        str_add_n(out, p, n);
        p += n;
        if (next != NULL) {
            str_add(out, "$${");
            p += 2;
        }
    }
}

void written_template(const struct jobspec_template *t, struct str *out)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (t->pieces[i].ref != NULL)
            str_printf(out, "${%s}", t->pieces[i].ref->text);
        else
            literal(t->pieces[i].text, out);
    }
}

void written_text(struct json *j, const struct jobspec_template *t)
{
    AUTO_STR text = {0};
    written_template(t, &text);
    json_string(j, str_text(&text));
}

void written_arg(struct json *j, const struct jobspec_arg *arg)
{
    AUTO_STR text = {0};
    bool is_text = arg->value.type >= GM_PARAM_STRING && arg->value.type <= GM_PARAM_DATA;
    if (arg->n_items > 0) {
        json_begin(j, '[');
        for (unsigned i = 0; i < arg->n_items; i++) {
            if (arg->items[i].value.type != 0)
                value_json(j, &arg->items[i].value);
            else
                written_text(j, &arg->items[i].from);
        }
        json_end(j, ']');
    } else if (!arg->fixed) {
        written_text(j, &arg->from);
    } else if (is_text || arg->value.type == GM_PARAM_MODEL) {
        literal(arg->text != NULL ? arg->text : arg->value.as.s, &text);
        json_string(j, str_text(&text));
    } else {
        value_json(j, &arg->value);
    }
}

void written_axis(struct json *j, const struct jobspec_axis *axis)
{
    if (axis->is_range) {
        AUTO_STR text = {0};
        int64_t last = axis->first + (int64_t)(axis->n - 1) * axis->step;
        str_printf(&text, "%lld-%lld", (long long)axis->first, (long long)last);
        if (axis->step != 1 && axis->n > 1)
            str_printf(&text, ":%lld", (long long)axis->step);
        json_string(j, text.text);
        return;
    }
    json_begin(j, '[');
    for (uint64_t i = 0; i < axis->n; i++)
        value_json(j, &axis->items[i]);
    json_end(j, ']');
}

void written_shards(struct json *j, const struct jobspec_stage *s)
{
    json_begin(j, '{');
    json_key(j, "of");
    if (s->n_shards_over > 0) {
        written_text(j, &s->shards_from);
    } else {
        AUTO_STR text = {0};
        literal(s->shards_of->written, &text);
        json_string(j, str_text(&text));
    }
    json_key(j, jobspec_unit_name(s->shards_of->unit));
    json_uint(j, s->shard_rows);
    json_end(j, '}');
}

void written_command(struct json *j, const struct jobspec_stage *s)
{
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_command; i++)
        written_text(j, &s->command[i]);
    json_end(j, ']');
}

void written_env(struct json *j, const struct jobspec_stage *s)
{
    json_begin(j, '{');
    for (unsigned i = 0; i < s->n_env; i++) {
        json_key(j, s->env[i].name);
        if (s->env[i].unset)
            json_null(j);
        else
            written_text(j, &s->env[i].value);
    }
    json_end(j, '}');
}

void written_seconds(struct json *j, const char *key, double s)
{
    json_key(j, key);
    if (s < 9e15 && floor(s) == s)
        json_int(j, (int64_t)s);
    else
        json_double(j, s);
}

static void put_int(struct json *j, const struct doc_node *node)
{
    int64_t v;
    uint64_t large;
    if (doc_int(node, &v) == 0)
        json_int(j, v);
    else if (doc_uint(node, &large) == 0)
        json_uint(j, large);
    else
        json_double(j, doc_float(node));
}

static void put_list(struct json *j, const struct doc_node *node)
{
    bool map = node->kind == DOC_MAP;
    json_begin(j, map ? '{' : '[');
    for (unsigned i = 0; i < node->n; i++) {
        if (map)
            json_key(j, node->as.items[i].key);
        written_node(j, &node->as.items[i]);
    }
    json_end(j, map ? '}' : ']');
}

void written_node(struct json *j, const struct doc_node *node)
{
    switch (node->kind) {
    case DOC_NULL:
        json_null(j);
        break;
    case DOC_BOOL:
        json_bool(j, doc_bool(node));
        break;
    case DOC_INT:
        put_int(j, node);
        break;
    case DOC_FLOAT:
        if (isfinite(doc_float(node)))
            json_double(j, doc_float(node));
        else
            json_string_n(j, node->as.text, node->n);
        break;
    case DOC_STRING:
        json_string_n(j, node->as.text, node->n);
        break;
    case DOC_LIST:
    case DOC_MAP:
        put_list(j, node);
        break;
    }
}
