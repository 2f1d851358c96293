/* gridmill result diff: what two results files, or unfinished runs, computed otherwise.
 * Invariant: what the result hash leaves out (times, ranks, hosts, attempts, logs,
 * measured outputs) is not compared; two files without a difference hash equal, with
 * tolerance 0. */
#include "base/memory.h"
#include "element.h"
#include "engine/engine.h"
#include "outlet.h"
#include "result/reader.h"
#include "result_parts.h"
#include "result_walk.h"
#include "say.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { MOST_SHOWN = 20 };

struct distance {
    uint64_t n, of, first;     /* elements that differ, of how many; the first of them */
    bool by_value;             /* else bits alone differ: NaN and NaN, 0 and -0 */
    double absolute, relative; /* at most */
};

struct diff {
    struct reader *a, *b;
    double tolerance;           /* relative */
    const char *stage;          /* the only one; NULL: all */
    uint64_t n_tasks, n_differ; /* tasks compared; that differ */
    uint64_t n_found;
    struct distance most; /* over all values; its first, n and `of` are not used */
    struct str text;      /* the first MOST_SHOWN, for people */
    struct json list;
};

static void put_distance(struct json *j, const struct distance *far)
{
    json_key(j, "elements");
    json_uint(j, far->n);
    json_key(j, "of");
    json_uint(j, far->of);
    json_key(j, "first");
    json_uint(j, far->first);
    json_put_double(j, "absolute", far->absolute);
    json_put_double(j, "relative", far->relative);
}

/* ", by 0.5 at most, relatively by 0.01" */
static void far_text(const struct distance *far, struct str *out)
{
    char by[32];
    (void)snprintf(by, sizeof(by), "%.3g", far->absolute);
    str_printf(out, ", by %s%s", by, far->n > 1 ? " at most" : "");
    (void)snprintf(by, sizeof(by), "%.3g", far->relative);
    str_printf(out, ", relatively by %s", by);
}

/* One difference: of a stage as a whole (index UINT64_MAX), of a task, or of one of its
 * values. */
static void found_far(struct diff *d,
                      const char *stage,
                      uint64_t index,
                      const char *what,
                      const char *words,
                      const struct distance *far)
{
    AUTO_STR where = {0};
    if (d->n_found++ >= MOST_SHOWN)
        return;
    str_add(&where, stage);
    if (index != UINT64_MAX)
        str_printf(&where, "[%" PRIu64 "]", index);
    if (what[0] != '\0')
        str_printf(&where, "%s%s", where.len > 0 ? "." : "", what);
    json_begin(&d->list, '{');
    json_put_string(&d->list, "where", str_text(&where));
    json_put_string(&d->list, "difference", words);
    if (far != NULL)
        put_distance(&d->list, far);
    json_end(&d->list, '}');
    AUTO_FREE(char) tamed = xstrdup(words);
    result_tame(tamed);
    str_printf(&d->text, "%s: %s\n", str_text(&where), tamed);
}

static void found(struct diff *d,
                  const char *stage,
                  uint64_t index,
                  const char *what,
                  const char *words)
{
    found_far(d, stage, index, what, words, NULL);
}

/* values */

static void shape_text(const struct reader_value *v, struct str *out)
{
    str_printf(out, "%s[", gm_dtype_name(v->dtype));
    for (uint32_t i = 0; i < v->ndim; i++)
        str_printf(out, "%s%" PRIu64, i > 0 ? ", " : "", v->dims[i]);
    str_add(out, "]");
}

static bool same_shape(const struct reader_value *a, const struct reader_value *b)
{
    return a->dtype == b->dtype && a->ndim == b->ndim && a->nbytes == b->nbytes &&
           memcmp(a->dims, b->dims, a->ndim * sizeof(a->dims[0])) == 0;
}

/* NaN is NaN. */
static bool near(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    double most = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    return a == b || fabs(a - b) <= tolerance * most;
}

/* Of NaN and a number, or infinities, there is none that is finite. */
static void grow(struct distance *d, double by, double of)
{
    double relative = isfinite(by) && isfinite(of) ? by / of : (double)INFINITY;
    by = isfinite(by) ? by : (double)INFINITY;
    d->absolute = by > d->absolute ? by : d->absolute;
    d->relative = relative > d->relative ? relative : d->relative;
}

static struct distance
measure(const struct reader_value *a, const struct reader_value *b, double tolerance)
{
    struct distance d = {.of = element_count(a)};
    bool floats = a->dtype == GM_F32 || a->dtype == GM_F64;
    bool exact = tolerance <= 0 || !floats;
    size_t size = gm_dtype_size(a->dtype);
    for (uint64_t i = 0; i < element_count(a); i++) {
        double x = element_double(a, i), y = element_double(b, i);
        const unsigned char *p = a->data, *q = b->data;
        if (exact ? memcmp(p + i * size, q + i * size, size) == 0 : near(x, y, tolerance))
            continue;
        if (d.n++ == 0)
            d.first = i;
        if (floats && near(x, y, 0)) /* bytes differ, numbers do not */
            continue;
        d.by_value = true;
        grow(&d, fabs(x - y), fabs(x) > fabs(y) ? fabs(x) : fabs(y));
    }
    return d;
}

/* Where an element is: "[2, 0]". */
static void place_text(const struct reader_value *v, uint64_t i, struct str *out)
{
    uint64_t place[GM_MAX_DIMS] = {0};
    for (uint32_t d = v->ndim; d-- > 0; i /= v->dims[d])
        place[d] = i % v->dims[d];
    for (uint32_t d = 0; d < v->ndim; d++)
        str_printf(out, "%s%" PRIu64, d > 0 ? ", " : "[", place[d]);
    str_add(out, "]");
}

/* True: they differ (told). */
static bool compare_bytes(struct diff *d,
                          const struct result_row *row,
                          const char *what,
                          const struct reader_value *a,
                          const struct reader_value *b)
{
    AUTO_STR words = {0};
    char one[32], two[32];
    if (!same_shape(a, b)) {
        shape_text(a, &words);
        str_add(&words, " and ");
        shape_text(b, &words);
        found(d, row->of->name, row->index, what, words.text);
        return true;
    }
    if (memcmp(a->data, b->data, a->nbytes) == 0)
        return false;
    struct distance far = measure(a, b, d->tolerance);
    if (far.n == 0)
        return false;
    if (far.of > 1) {
        str_printf(
            &words, "%" PRIu64 " of %" PRIu64 " elements differ, first ", far.n, far.of);
        place_text(a, far.first, &words);
        str_add(&words, ": ");
    }
    str_printf(&words,
               "%s and %s",
               element_text(a, far.first, one),
               element_text(b, far.first, two));
    if (far.by_value)
        far_text(&far, &words);
    else
        str_add(&words, ", the same number in other bits");
    if (far.absolute > d->most.absolute)
        d->most.absolute = far.absolute;
    if (far.relative > d->most.relative)
        d->most.relative = far.relative;
    d->most.by_value |= far.by_value;
    found_far(d, row->of->name, row->index, what, words.text, &far);
    return true;
}

static int get(struct reader *r,
               const struct result_row *row,
               unsigned stage,
               uint32_t kind,
               uint32_t output,
               struct reader_value *ret,
               bool *ret_has,
               struct gm_error *err)
{
    int rc = reader_value(r, stage, row->index, kind, output, ret, err);
    *ret_has = rc == 0;
    if (rc == -ENOENT) {
        *ret = (struct reader_value){0};
        rc = 0;
    }
    return rc;
}

/* 1: differs (told). */
static int compare_value(struct diff *d,
                         const struct result_row *row,
                         unsigned other,
                         uint32_t kind,
                         uint32_t output,
                         const char *what,
                         struct gm_error *err)
{
    struct reader_value a = {0}, b = {0};
    bool has_a, has_b, differs = false;
    int rc = get(d->a, row, row->stage, kind, output, &a, &has_a, err);
    if (rc == 0)
        rc = get(d->b, row, other, kind, output, &b, &has_b, err);
    if (rc == 0 && has_a && has_b)
        differs = compare_bytes(d, row, what, &a, &b);
    else if (rc == 0 && has_a != has_b) {
        found(d,
              row->of->name,
              row->index,
              what,
              has_a ? "only in the first" : "only in the second");
        differs = true;
    }
    free(a.data);
    free(b.data);
    return rc < 0 ? rc : differs;
}

/* What varies: a text. 1: differs (told). */
static int compare_params(struct diff *d,
                          const struct result_row *row,
                          unsigned other,
                          struct gm_error *err)
{
    struct reader_value a = {0}, b = {0};
    bool has_a, has_b;
    AUTO_STR words = {0};
    int rc = get(d->a, row, row->stage, RESULT_PARAMS, 0, &a, &has_a, err);
    if (rc == 0)
        rc = get(d->b, row, other, RESULT_PARAMS, 0, &b, &has_b, err);
    bool differs = rc == 0 && (a.nbytes != b.nbytes ||
                               (a.nbytes > 0 && memcmp(a.data, b.data, a.nbytes) != 0));
    if (differs) {
        str_printf(&words,
                   "%s and %s",
                   has_a ? (const char *)a.data : "nothing",
                   has_b ? (const char *)b.data : "nothing");
        found(d, row->of->name, row->index, "params", words.text);
    }
    free(a.data);
    free(b.data);
    return rc < 0 ? rc : differs;
}

/* tasks */

static bool
compare_status(struct diff *d, const struct result_row *row, const struct reader_task *b)
{
    const struct reader_task *a = &row->task;
    AUTO_STR words = {0};
    if (a->status == b->status && a->exit_code == b->exit_code)
        return false;
    if (a->status != b->status)
        str_printf(&words,
                   "%s and %s",
                   result_status_name(a->status),
                   result_status_name(b->status));
    else
        str_printf(&words, "exit status %d and %d", a->exit_code, b->exit_code);
    found(d, row->of->name, row->index, "", words.text);
    return true;
}

static int compare_task(struct diff *d,
                        const struct result_row *row,
                        unsigned other,
                        struct gm_error *err)
{
    struct reader_task b;
    int rc = reader_task(d->b, other, row->index, &b, err);
    if (rc != 0)
        return rc;
    bool differs = compare_status(d, row, &b);
    bool same = row->task.status == b.status; /* else one of them has no values */
    if (same)
        rc = compare_params(d, row, other, err);
    differs = differs || rc > 0;
    for (unsigned i = 0; i < row->of->n_outputs && rc >= 0 && same; i++) {
        const struct reader_output *o = &row->of->outputs[i];
        uint32_t kind = (o->flags & GM_SERIES) != 0 ? RESULT_SERIES : RESULT_OUTPUT;
        if ((o->flags & GM_MEASURED) != 0)
            continue;
        rc = compare_value(d, row, other, kind, i, o->name, err);
        differs = differs || rc > 0;
    }
    d->n_tasks++;
    d->n_differ += differs;
    return rc < 0 ? rc : 0;
}

/* stages */

static bool find_stage(const struct reader *r, const char *name, unsigned *ret)
{
    for (unsigned i = 0; i < reader_n_stages(r); i++) {
        if (strcmp(reader_stage(r, i)->name, name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* False: their tasks have nothing to be compared by (told). */
static bool
compare_heads(struct diff *d, const struct reader_stage *a, const struct reader_stage *b)
{
    AUTO_STR words = {0};
    if (strcmp(a->kernel, b->kernel) != 0) {
        str_printf(&words,
                   "%s and %s",
                   a->kernel[0] != '\0' ? a->kernel : "a command",
                   b->kernel[0] != '\0' ? b->kernel : "a command");
        found(d, a->name, UINT64_MAX, "", words.text);
        return false;
    }
    if (a->n_tasks != b->n_tasks) {
        str_printf(&words, "%" PRIu64 " tasks and %" PRIu64, a->n_tasks, b->n_tasks);
        found(d, a->name, UINT64_MAX, "", words.text);
    }
    if (strcmp(a->identity, b->identity) != 0)
        found(d,
              a->name,
              UINT64_MAX,
              "",
              strcmp(a->args, b->args) != 0 ? "other arguments"
                                            : "the same arguments, other input files");
    if (a->n_outputs == b->n_outputs)
        return true;
    found(d,
          a->name,
          UINT64_MAX,
          "",
          "other outputs: written by two versions of the kernel");
    return false;
}

static int compare_stage(struct diff *d, unsigned stage, struct gm_error *err)
{
    const struct reader_stage *a = reader_stage(d->a, stage), *b;
    unsigned other;
    int rc = 0;
    if (!find_stage(d->b, a->name, &other)) {
        found(d, a->name, UINT64_MAX, "", "only in the first");
        return 0;
    }
    b = reader_stage(d->b, other);
    if (!compare_heads(d, a, b))
        return 0;
    uint64_t n = a->n_tasks < b->n_tasks ? a->n_tasks : b->n_tasks;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        struct result_row row = {.stage = stage, .index = i, .of = a};
        rc = reader_task(d->a, stage, i, &row.task, err);
        if (rc == 0)
            rc = compare_task(d, &row, other, err);
    }
    return rc;
}

static int compare(struct diff *d, struct gm_error *err)
{
    unsigned at = 0;
    int rc = 0;
    if (d->stage != NULL && !find_stage(d->a, d->stage, &at) &&
        !find_stage(d->b, d->stage, &at))
        return gm_fail(
            err, -EINVAL, "--stage %s: neither of the two has such a stage", d->stage);
    for (unsigned i = 0; i < reader_n_stages(d->a) && rc == 0; i++) {
        if (d->stage == NULL || strcmp(d->stage, reader_stage(d->a, i)->name) == 0)
            rc = compare_stage(d, i, err);
    }
    for (unsigned i = 0; i < reader_n_stages(d->b) && rc == 0; i++) {
        const char *name = reader_stage(d->b, i)->name;
        bool asked = d->stage == NULL || strcmp(d->stage, name) == 0;
        if (asked && !find_stage(d->a, name, &at))
            found(d, name, UINT64_MAX, "", "only in the second");
    }
    return rc;
}

/* the answer */

static void print_json(const struct cli *cli, struct diff *d)
{
    AUTO_JSON j = {0};
    json_end(&d->list, ']');
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.diff/1");
    json_put_string(&j, "first", cli->args.words[1]);
    json_put_string(&j, "second", cli->args.words[2]);
    json_put_bool(&j, "equal", d->n_found == 0);
    json_put_double(&j, "tolerance", d->tolerance);
    json_put_int(&j, "tasks", (int64_t)d->n_tasks);
    json_put_int(&j, "tasks_that_differ", (int64_t)d->n_differ);
    json_put_int(&j, "found", (int64_t)d->n_found);
    json_put_double(&j, "absolute", d->most.absolute);
    json_put_double(&j, "relative", d->most.relative);
    json_key(&j, "differences");
    json_raw(&j, d->list.out.text);
    json_end(&j, '}');
    str_add(&j.out, "\n");
    terminal_print(j.out.text);
}

static void print_text(struct diff *d)
{
    AUTO_STR out = {0};
    str_add(&out, str_text(&d->text));
    if (d->n_found > MOST_SHOWN)
        str_printf(&out, "... and %" PRIu64 " more\n", d->n_found - MOST_SHOWN);
    if (d->n_found == 0)
        str_printf(&out, "equal: %" PRIu64 " tasks\n", d->n_tasks);
    else if (d->n_tasks > 0) { /* else no stage of the two can be compared */
        str_printf(
            &out, "%" PRIu64 " of %" PRIu64 " tasks differ", d->n_differ, d->n_tasks);
        d->most.n = 2;
        if (d->most.by_value)
            far_text(&d->most, &out);
        str_add(&out, "\n");
    }
    terminal_print(out.text);
}

static int read_tolerance(const struct cli *cli, double *ret, struct gm_error *err)
{
    const char *text = args_value(&cli->args, "tolerance");
    char *end = NULL;
    *ret = text != NULL ? strtod(text, &end) : 0;
    if (text == NULL || (end != text && *end == '\0' && *ret >= 0 && isfinite(*ret)))
        return 0;
    return gm_fail(
        err, -EINVAL, "--tolerance %s: must be a number such as 1e-6, 0 or more", text);
}

int result_diff(const struct cli *cli)
{
    struct diff d = {.stage = args_value(&cli->args, "stage")};
    struct gm_error err = {0};
    int rc = read_tolerance(cli, &d.tolerance, &err);
    if (rc == 0)
        rc = reader_open(cli->args.words[1], &d.a, &err);
    if (rc == 0)
        rc = reader_open(cli->args.words[2], &d.b, &err);
    json_begin(&d.list, '[');
    if (rc == 0)
        rc = compare(&d, &err);
    int code = d.n_found > 0 ? ENGINE_TASK_FAILED : ENGINE_DONE;
    if (rc != 0)
        code = say_failure(cli, engine_exit_for(rc), &err);
    else if (cli->json)
        print_json(cli, &d);
    else
        print_text(&d);
    reader_close(d.a);
    reader_close(d.b);
    str_free(&d.text);
    json_free(&d.list);
    return code;
}
