/* See written.h. Invariant: reading what is written here gives the same spec again. */
#include "written.h"
#include "value.h"

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

static void put_template(struct json *j, const struct jobspec_template *t)
{
    AUTO_STR text = {0};
    written_template(t, &text);
    json_string(j, str_text(&text));
}

void written_arg(struct json *j, const struct jobspec_arg *arg)
{
    AUTO_STR text = {0};
    bool is_text = arg->value.type >= GM_PARAM_STRING && arg->value.type <= GM_PARAM_DATA;
    if (!arg->fixed) {
        put_template(j, &arg->from);
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

void written_command(struct json *j, const struct jobspec_stage *s)
{
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_command; i++)
        put_template(j, &s->command[i]);
    json_end(j, ']');
}

void written_env(struct json *j, const struct jobspec_stage *s)
{
    json_begin(j, '{');
    for (unsigned i = 0; i < s->n_env; i++) {
        json_key(j, s->env[i].name);
        put_template(j, &s->env[i].value);
    }
    json_end(j, '}');
}
