/* See value.h. Integers become floats where a float is wanted; nothing else changes its
 * type, so what stands in the file is what the kernel gets. */
#include "value.h"
#include "faults.h"
#include <math.h>

bool value_is_path(uint32_t param_type)
{
    return param_type == GM_PARAM_PATH || param_type == GM_PARAM_DATA ||
           param_type == GM_PARAM_MODEL;
}

int value_scalar(const struct doc_node *node,
                 struct arena *a,
                 struct gm_value *ret,
                 struct gm_error *err)
{
    struct gm_value v = {0};
    switch (node->kind) {
    case DOC_BOOL:
        v.type = GM_PARAM_BOOL;
        v.as.b = doc_bool(node);
        break;
    case DOC_INT:
        v.type = GM_PARAM_INT;
        if (doc_int(node, &v.as.i) != 0)
            return gm_fail(err, -EINVAL, "%.80s does not fit 64 bits", node->as.text);
        break;
    case DOC_FLOAT:
        v.type = GM_PARAM_FLOAT;
        v.as.f = doc_float(node);
        if (!isfinite(v.as.f))
            return gm_fail(
                err, -EINVAL, "must be a finite number, not %.80s", node->as.text);
        break;
    case DOC_STRING:
        v.type = GM_PARAM_STRING;
        v.n = node->n;
        v.as.s = arena_copy(a, node->as.text, node->n);
        break;
    default:
        return gm_fail(
            err, -EINVAL, "must be a scalar, not %s", doc_kind_name(node->kind));
    }
    *ret = v;
    return 0;
}

void value_text(const struct gm_value *v, struct str *out)
{
    char buf[32];
    if (v->type == GM_PARAM_INT)
        str_printf(out, "%lld", (long long)v->as.i);
    else if (v->type == GM_PARAM_FLOAT)
        str_add(out, str_double(v->as.f, buf));
    else if (v->type == GM_PARAM_BOOL)
        str_add(out, v->as.b ? "true" : "false");
    else
        str_add(out, v->as.s);
}

/* "must be an integer, not 'abc'" */
static int mismatch(const char *want, const struct gm_value *in, struct gm_error *err)
{
    AUTO_STR text = {0};
    value_text(in, &text);
    const char *q = in->type == GM_PARAM_STRING ? "'" : "";
    return gm_fail(
        err, -EINVAL, "must be %s, not %s%.80s%s", want, q, str_text(&text), q);
}

/* A bound as people write it: "100", "0.5". */
static const char *bound(double v, char buf[32])
{
    if (fabs(v) < 9e15 && floor(v) == v)
        (void)snprintf(buf, 32, "%.0f", v);
    else
        (void)str_double(v, buf);
    return buf;
}

static int out_of_range(const struct gm_param_spec *p,
                        const struct gm_value *in,
                        struct gm_error *err)
{
    char low[32], high[32], want[80];
    bool no_low = p->min<-1e300, no_high = p->max> 1e300;
    (void)bound(p->min, low);
    (void)bound(p->max, high);
    if (no_high)
        (void)snprintf(want, sizeof(want), "%s or more", low);
    else if (no_low)
        (void)snprintf(want, sizeof(want), "%s or less", high);
    else
        (void)snprintf(want, sizeof(want), "%s .. %s", low, high);
    return mismatch(want, in, err);
}

static bool in_range(const struct gm_param_spec *p, double v)
{
    bool any = !(p->min < 0) && !(p->min > 0) && !(p->max < 0) && !(p->max > 0);
    return any || (v >= p->min && v <= p->max);
}

static int convert_number(const struct gm_param_spec *p,
                          bool whole,
                          const struct gm_value *in,
                          struct gm_value *ret,
                          struct gm_error *err)
{
    if (in->type != GM_PARAM_INT && (whole || in->type != GM_PARAM_FLOAT))
        return mismatch(whole ? "an integer" : "a number", in, err);
    struct gm_value v = {.type = whole ? GM_PARAM_INT : GM_PARAM_FLOAT};
    double f = in->type == GM_PARAM_INT ? (double)in->as.i : in->as.f;
    if (!isfinite(f))
        return mismatch("a finite number", in, err);
    if (!in_range(p, f))
        return out_of_range(p, in, err);
    if (whole)
        v.as.i = in->as.i;
    else
        v.as.f = f;
    *ret = v;
    return 0;
}

/* One of the words of "relu|gelu"; a wrong one is told with all of them and the nearest.
 */
static int convert_choice(const struct gm_param_spec *p,
                          const struct gm_value *in,
                          struct gm_value *ret,
                          struct gm_error *err)
{
    char words[256], *save = NULL;
    const char *list[32];
    size_t n = 0;
    AUTO_STR choices = {0};
    (void)snprintf(words, sizeof(words), "%s", p->choices != NULL ? p->choices : "");
    for (char *w = strtok_r(words, "|", &save); w != NULL && n < 32;
         w = strtok_r(NULL, "|", &save)) {
        if (strcmp(w, in->as.s) == 0) {
            *ret = *in;
            ret->type = GM_PARAM_CHOICE;
            return 0;
        }
        str_printf(&choices, "%s%s", n > 0 ? ", " : "", w);
        list[n++] = w;
    }
    const char *near = str_nearest(in->as.s, list, n);
    return gm_fail(err,
                   -EINVAL,
                   "must be one of %s, not '%.80s'%s%s%s",
                   str_text(&choices),
                   in->as.s,
                   near != NULL ? "; did you mean '" : "",
                   near != NULL ? near : "",
                   near != NULL ? "'?" : "");
}

static int convert_text(const struct gm_param_spec *p,
                        const struct gm_value *in,
                        struct gm_value *ret,
                        struct gm_error *err)
{
    if (in->type != GM_PARAM_STRING) {
        const char *want = value_is_path(p->type) ? "a path (a string; quote it)"
                                                  : "a string (quote it)";
        return mismatch(want, in, err);
    }
    if (p->type == GM_PARAM_CHOICE)
        return convert_choice(p, in, ret, err);
    if (value_is_path(p->type) && in->n == 0)
        return gm_fail(err, -EINVAL, "must not be empty");
    *ret = *in;
    ret->type = p->type;
    return 0;
}

int value_convert(const struct gm_param_spec *p,
                  const struct gm_value *in,
                  struct gm_value *ret,
                  struct gm_error *err)
{
    switch (p->type) {
    case GM_PARAM_INT:
        return convert_number(p, true, in, ret, err);
    case GM_PARAM_FLOAT:
        return convert_number(p, false, in, ret, err);
    case GM_PARAM_BOOL:
        if (in->type != GM_PARAM_BOOL)
            return mismatch("true or false", in, err);
        *ret = *in;
        return 0;
    case GM_PARAM_INT_LIST:
        return mismatch("a list of integers", in, err);
    case GM_PARAM_FLOAT_LIST:
        return mismatch("a list of numbers", in, err);
    case GM_PARAM_TENSOR:
        return mismatch("a reference to an output, as ${stage.output}", in, err);
    default:
        return convert_text(p, in, ret, err);
    }
}

static int read_list(const struct gm_param_spec *p,
                     const struct doc_node *node,
                     struct arena *a,
                     struct gm_value *ret,
                     struct gm_error *err)
{
    bool whole = p->type == GM_PARAM_INT_LIST;
    int64_t *ints = whole ? arena_alloc(a, node->n, sizeof(*ints)) : NULL;
    double *floats = whole ? NULL : arena_alloc(a, node->n, sizeof(*floats));
    for (unsigned i = 0; i < node->n; i++) {
        const struct doc_node *item = &node->as.items[i];
        struct gm_value v;
        int rc = value_scalar(item, a, &v, err);
        if (rc == 0)
            rc = convert_number(p, whole, &v, &v, err);
        if (rc != 0) {
            (void)gm_prefix(err, "item %u", i);
            return rc;
        }
        if (whole)
            ints[i] = v.as.i;
        else
            floats[i] = v.as.f;
    }
    *ret = (struct gm_value){.type = p->type, .n = node->n};
    if (whole)
        ret->as.ints = ints;
    else
        ret->as.floats = floats;
    return 0;
}

int value_read(const struct gm_param_spec *p,
               const struct doc_node *node,
               struct arena *a,
               struct gm_value *ret,
               struct gm_error *err)
{
    bool list = p->type == GM_PARAM_INT_LIST || p->type == GM_PARAM_FLOAT_LIST;
    if (list && node->kind == DOC_LIST)
        return read_list(p, node, a, ret, err);
    struct gm_value v;
    int rc = value_scalar(node, a, &v, err);
    return rc == 0 ? value_convert(p, &v, ret, err) : rc;
}

int value_preset(const struct gm_param_spec *p,
                 struct arena *a,
                 struct gm_value *ret,
                 struct gm_error *err)
{
    struct jobspec_faults faults;
    struct doc_node *node = NULL;
    faults_init(&faults, p->name);
    int rc = doc_parse(a, p->preset, strlen(p->preset), &faults, &node);
    if (rc != 0)
        rc = gm_fail(err, -EINVAL, "%s", faults.items[0].text);
    else if (p->type >= GM_PARAM_STRING && p->type <= GM_PARAM_DATA &&
             node->kind < DOC_LIST)
        node->kind = DOC_STRING; /* a table's "no" or "1" needs no quotes */
    jobspec_faults_free(&faults);
    return rc == 0 ? value_read(p, node, a, ret, err) : rc;
}

void value_json(struct json *j, const struct gm_value *v)
{
    switch (v->type) {
    case GM_PARAM_INT:
        json_int(j, v->as.i);
        return;
    case GM_PARAM_FLOAT:
        json_double(j, v->as.f);
        return;
    case GM_PARAM_BOOL:
        json_bool(j, v->as.b);
        return;
    case GM_PARAM_INT_LIST:
    case GM_PARAM_FLOAT_LIST:
        json_begin(j, '[');
        for (uint32_t i = 0; i < v->n; i++) {
            if (v->type == GM_PARAM_INT_LIST)
                json_int(j, v->as.ints[i]);
            else
                json_double(j, v->as.floats[i]);
        }
        json_end(j, ']');
        return;
    default:
        json_string(j, v->as.s);
        return;
    }
}
