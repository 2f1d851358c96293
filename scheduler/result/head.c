/* See head.h. Invariant: after head_load every stage has a name, a kernel ("" for a
 * command), its outputs with a known dtype and at most GM_MAX_DIMS dimensions, and a task
 * count. */
#include "head.h"
#include "base/memory.h"
#include "base/str.h"
#include "column.h"

#define STAGES_MOST  10000u
#define OUTPUTS_MOST 10000u

static const struct {
    const char *key;
    bool is_attribute;
} texts[] = {
    {"name", true},
    {"id", true},
    {"build", true},
    {"jobspec", false},
    {"canonical", false},
    {"plan", false},
};

static int load_texts(struct head *h, hid_t job, struct gm_error *err)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        AUTO_FREE(char) text = NULL;
        int rc =
            texts[i].is_attribute
                ? h5_get_text(job, texts[i].key, &text, err)
                : column_get_text(job, texts[i].key, h->arena, &h->texts[i].text, err);
        if (rc != 0)
            return rc;
        h->texts[i].key = texts[i].key;
        if (texts[i].is_attribute)
            h->texts[i].text = arena_strdup(h->arena, text);
    }
    return 0;
}

static int load_end(struct head *h, hid_t job, struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    if (H5Aexists(job, "end") <= 0)
        return 0;
    int rc = h5_get_f64(job, "end", &h->end, err);
    rc = rc == 0 ? h5_get_text(job, "outcome", &text, err) : rc;
    if (rc == 0)
        h->outcome = arena_strdup(h->arena, text);
    return rc;
}

static int load_ranks(struct head *h, hid_t job, struct gm_error *err)
{
    AUTO_ID ranks = -1;
    size_t n;
    int rc = h5_open_group(job, "ranks", &ranks, err);
    rc = rc == 0
             ? column_get_texts(ranks, "host", h->arena, &h->rank_hosts, &h->n_ranks, err)
             : rc;
    rc = rc == 0 ? column_get_texts(ranks, "planned", h->arena, &h->rank_planned, &n, err)
                 : rc;
    if (rc == 0 && n != h->n_ranks)
        return gm_fail(err, -EINVAL, "job/ranks: columns of different length");
    return rc;
}

/* The columns of /stages/S/declared that are numbers. */
static int load_numbers(struct head *h,
                        hid_t at,
                        struct reader_output *outputs,
                        size_t n,
                        struct gm_error *err)
{
    static const char *const names[] = {"dtype", "ndim", "flags", "summary"};
    int64_t *all = arena_alloc(h->arena, n, 4 * sizeof(*all));
    for (unsigned k = 0; k < 4; k++) {
        int rc = column_get(at, names[k], H5T_NATIVE_INT64, n, all + k * n, err);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; i < n; i++) {
        outputs[i].dtype = (uint32_t)all[i];
        outputs[i].ndim = (uint32_t)all[n + i];
        outputs[i].flags = (uint32_t)all[2 * n + i];
        outputs[i].summary = (uint32_t)all[3 * n + i];
        if (gm_dtype_size(outputs[i].dtype) == 0 || outputs[i].ndim > GM_MAX_DIMS)
            return gm_fail(
                err, -EINVAL, "declared: output %zu has an impossible type", i);
    }
    return 0;
}

static int
load_outputs(struct head *h, hid_t group, struct reader_stage *s, struct gm_error *err)
{
    static const char *const names[] = {"name", "unit", "description", "shape", "weight"};
    AUTO_ID at = -1;
    int rc = h5_open_group(group, "declared", &at, err);
    const char *const *columns[5] = {NULL};
    size_t n = 0, n0 = 0;
    for (unsigned k = 0; rc == 0 && k < 5; k++) {
        rc = column_get_texts(at, names[k], h->arena, &columns[k], &n, err);
        n0 = k == 0 ? n : n0;
        if (rc == 0 && (n != n0 || n > OUTPUTS_MOST))
            rc = gm_fail(err, -EINVAL, "declared: columns of different length");
    }
    if (rc != 0)
        return rc;
    struct reader_output *outputs = arena_alloc(h->arena, n, sizeof(*outputs));
    for (size_t i = 0; i < n; i++) {
        outputs[i].name = columns[0][i];
        outputs[i].unit = columns[1][i];
        outputs[i].help = columns[2][i];
        outputs[i].shape = columns[3][i];
        outputs[i].weight = columns[4][i];
    }
    s->outputs = outputs;
    s->n_outputs = (unsigned)n;
    return load_numbers(h, at, outputs, n, err);
}

static int
load_stage(struct head *h, hid_t stages, const char *name, struct gm_error *err)
{
    AUTO_ID group = -1;
    AUTO_FREE(char) kernel = NULL;
    uint64_t index = 0, n_tasks = 0;
    struct head_rule rule = {0};
    struct reader_stage s = {.name = name};
    int rc = h5_open_group(stages, name, &group, err);
    rc = rc == 0 ? h5_get_u64(group, "index", &index, err) : rc;
    rc = rc == 0 ? h5_get_u64(group, "n_tasks", &n_tasks, err) : rc;
    rc = rc == 0 ? h5_get_text(group, "kernel", &kernel, err) : rc;
    rc = rc == 0 ? column_get_text(group, "args", h->arena, &s.args, err) : rc;
    rc = rc == 0 ? column_get_text(group, "identity", h->arena, &s.identity, err) : rc;
    rc = rc == 0 ? load_outputs(h, group, &s, err) : rc;
    rc = rc == 0 ? rule_load(group, h->arena, &rule.rule, &rule.there, err) : rc;
    if (rc != 0)
        return rc;
    if (index >= h->n_stages || h->stages[index].name != NULL || n_tasks > INT64_MAX)
        return gm_fail(err, -EINVAL, "its index or its number of tasks is impossible");
    s.kernel = arena_strdup(h->arena, kernel);
    s.n_tasks = n_tasks;
    h->stages[index] = s;
    h->rules[index] = rule;
    return 0;
}

static int load_stages(struct head *h, hid_t file, struct gm_error *err)
{
    AUTO_ID stages = -1;
    H5G_info_t info;
    int rc = h5_open_group(file, "stages", &stages, err);
    if (rc != 0)
        return rc;
    if (H5Gget_info(stages, &info) < 0)
        return h5_fail(err, "stages");
    if (info.nlinks > STAGES_MOST)
        return gm_fail(err, -EINVAL, "stages: more than %u", STAGES_MOST);
    h->n_stages = (unsigned)info.nlinks;
    h->stages = arena_alloc(h->arena, h->n_stages, sizeof(*h->stages));
    h->rules = arena_alloc(h->arena, h->n_stages, sizeof(*h->rules));
    for (unsigned i = 0; i < h->n_stages; i++) {
        char name[256];
        ssize_t n = H5Lget_name_by_idx(
            stages, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof(name), H5P_DEFAULT);
        if (n < 0)
            return h5_fail(err, "stages");
        rc = load_stage(h, stages, arena_strdup(h->arena, name), err);
        if (rc != 0) {
            (void)gm_prefix(err, "stages/%s", name);
            return rc;
        }
    }
    return 0;
}

int head_load(hid_t file, struct head *ret, struct gm_error *err)
{
    AUTO_FREE(char) schema = NULL;
    int rc = h5_get_text(file, "schema", &schema, err);
    if (rc != 0)
        return gm_fail(err, -EINVAL, "not a results file of Gridmill (it has no schema)");
    if (strcmp(schema, RESULTS_SCHEMA) != 0)
        return gm_fail(
            err, -EINVAL, "has schema %s; this version reads " RESULTS_SCHEMA, schema);
    struct head h = {.arena = arena_make()};
    AUTO_ID job = -1;
    rc = h5_open_group(file, "job", &job, err);
    rc = rc == 0 ? load_texts(&h, job, err) : rc;
    rc = rc == 0 ? load_end(&h, job, err) : rc;
    rc = rc == 0 ? load_ranks(&h, job, err) : rc;
    rc = rc == 0 ? load_stages(&h, file, err) : rc;
    rc = rc == 0 ? request_load(job, h.arena, h.n_stages, &h.request, err) : rc;
    if (rc != 0)
        head_free(&h);
    else
        *ret = h;
    return rc;
}

int head_load_folder(const char *folder, struct head *ret, struct gm_error *err)
{
    AUTO_STR path = {0};
    AUTO_ID file = -1;
    str_printf(&path, "%s/job.h5", folder);
    int rc = h5_open(path.text, H5F_ACC_RDONLY, &file, err);
    if (rc != 0)
        return rc;
    rc = head_load(file, ret, err);
    if (rc != 0)
        (void)gm_prefix(err, "%s", path.text);
    return rc;
}

void head_free(struct head *h)
{
    if (h->arena != NULL)
        arena_free(h->arena);
    *h = (struct head){0};
}

const char *head_text(const struct head *h, const char *key)
{
    for (size_t i = 0; i < sizeof(h->texts) / sizeof(h->texts[0]); i++) {
        if (h->texts[i].key != NULL && strcmp(h->texts[i].key, key) == 0)
            return h->texts[i].text;
    }
    return NULL;
}
