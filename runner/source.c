/* See source.h. Invariant: every value handed out is kept in `values` until the release.
 * The private folder is made when first needed; results files of needed stages are made
 * once a stage (its needs are over: they do not change). */
#include "source.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include <inttypes.h>
#include <sys/stat.h>

struct source {
    struct tasks_source face;
    const struct jobspec *spec;
    struct writer *writer;
    const char *folder;
    unsigned rank, lane, stage;
    void **values;
    unsigned n_values;
    char **texts, **files; /* files: of the values, to be removed */
    unsigned n_texts, n_files;
    char *private_folder; /* NULL until made */
    char **results;       /* one a stage; NULL until made */
    char *table_path;     /* the HDF5 table that is kept */
    struct reader_value table;
};

static char *keep_text(struct source *s, char *text)
{
    s->texts = xrealloc(s->texts, s->n_texts + 1, sizeof(*s->texts));
    return s->texts[s->n_texts++] = text;
}

static int best(void *ctx,
                unsigned stage,
                unsigned scalar,
                bool least,
                uint64_t *ret_task,
                struct gm_error *err)
{
    struct source *s = ctx;
    return writer_best(s->writer, stage, scalar, least, ret_task, err);
}

static char *
origin(const struct source *s, unsigned stage, uint64_t task, unsigned output)
{
    const struct jobspec_stage *from = &s->spec->stages[stage];
    struct str text = {0};
    str_printf(&text,
               "%s.%s[%" PRIu64 "]",
               from->name,
               from->kernel->outputs[output].name,
               task);
    return str_steal(&text);
}

static int output(void *ctx,
                  unsigned stage,
                  uint64_t task,
                  unsigned index,
                  struct gm_input *ret,
                  struct gm_error *err)
{
    struct source *s = ctx;
    struct reader_value v = {0};
    char *from = keep_text(s, origin(s, stage, task, index));
    int rc = writer_value(s->writer, stage, task, index, &v, err);
    if (rc < 0) {
        (void)gm_prefix(err, "%s", from);
        return rc;
    }
    s->values = xrealloc(s->values, s->n_values + 1, sizeof(*s->values));
    s->values[s->n_values++] = v.data;
    ret->dtype = v.dtype;
    ret->ndim = v.ndim;
    memcpy(ret->dims, v.dims, sizeof(ret->dims));
    ret->data = v.data;
    ret->nbytes = v.nbytes;
    ret->origin = from;
    return 0;
}

static int make_private_folder(struct source *s, struct gm_error *err)
{
    if (s->private_folder != NULL)
        return 0;
    struct str path = {0};
    str_printf(&path, "%s/tmp/rank-%06u.%u", s->folder, s->rank, s->lane);
    int rc = file_make_folders(path.text, err);
    if (rc < 0)
        str_free(&path);
    else
        s->private_folder = str_steal(&path);
    return rc;
}

/* The header of NumPy's format 1.0 (numpy.lib.format): a dict in ASCII, padded to 64
 * bytes. */
static void npy_header(const struct gm_input *v, struct str *out)
{
    static const struct {
        uint32_t dtype;
        const char *descr;
    } names[] = {{GM_U8, "|u1"},
                 {GM_I32, "<i4"},
                 {GM_I64, "<i8"},
                 {GM_F32, "<f4"},
                 {GM_F64, "<f8"}};
    const char *descr = "|u1";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        descr = names[i].dtype == v->dtype ? names[i].descr : descr;
    AUTO_STR dict = {0};
    str_printf(&dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (uint32_t i = 0; i < v->ndim; i++)
        str_printf(&dict, "%" PRIu64 ",%s", v->dims[i], i + 1 < v->ndim ? " " : "");
    str_add(&dict, "), }");
    while ((10 + dict.len + 1) % 64 != 0)
        str_add(&dict, " ");
    str_add(&dict, "\n");
    unsigned char front[10] = {0x93,
                               'N',
                               'U',
                               'M',
                               'P',
                               'Y',
                               1,
                               0,
                               (unsigned char)(dict.len & 0xff),
                               (unsigned char)(dict.len >> 8)};
    str_add_n(out, (const char *)front, sizeof(front));
    str_add_n(out, dict.text, dict.len);
}

static int npy(void *ctx,
               unsigned stage,
               uint64_t task,
               unsigned index,
               const char **ret,
               struct gm_error *err)
{
    struct source *s = ctx;
    struct gm_input v = {0};
    int rc = make_private_folder(s, err);
    if (rc == 0)
        rc = output(s, stage, task, index, &v, err);
    if (rc < 0)
        return rc;
    AUTO_STR bytes = {0};
    npy_header(&v, &bytes);
    str_add_n(&bytes, v.data, v.nbytes);
    struct str path = {0};
    const struct jobspec_stage *from = &s->spec->stages[stage];
    str_printf(&path,
               "%s/%s.%s.%" PRIu64 ".npy",
               s->private_folder,
               from->name,
               from->kernel->outputs[index].name,
               task);
    *ret = path.text;
    s->files = xrealloc(s->files, s->n_files + 1, sizeof(*s->files));
    s->files[s->n_files++] = str_steal(&path);
    return file_write(*ret, bytes.text, bytes.len, err);
}

static void add_needs(const struct jobspec *spec, unsigned stage, struct idset *set)
{
    const struct jobspec_stage *st = &spec->stages[stage];
    for (unsigned i = 0; i < st->n_needs; i++) {
        if (!idset_has(set, st->needs[i].stage)) {
            idset_add(set, st->needs[i].stage);
            add_needs(spec, st->needs[i].stage, set);
        }
    }
}

/* ${results}: the committed tasks of the stages that this one needs, and those they need.
 */
static int results(void *ctx, const char **ret, struct gm_error *err)
{
    struct source *s = ctx;
    if (s->results[s->stage] == NULL) {
        int rc = make_private_folder(s, err);
        if (rc < 0)
            return rc;
        AUTO(idset) stages = idset_make();
        add_needs(s->spec, s->stage, stages);
        struct str path = {0};
        str_printf(
            &path, "%s/results-%s.h5", s->private_folder, s->spec->stages[s->stage].name);
        rc = writer_results(s->writer, stages, path.text, err);
        if (rc < 0) {
            str_free(&path);
            return rc;
        }
        (void)chmod(path.text, 0444);
        s->results[s->stage] = str_steal(&path);
    }
    *ret = s->results[s->stage];
    return 0;
}

struct source *source_make(const struct jobspec *spec,
                           struct writer *writer,
                           const char *folder,
                           unsigned rank,
                           unsigned lane)
{
    struct source *s = xcalloc(1, sizeof(*s));
    s->face = (struct tasks_source){
        .ctx = s, .best = best, .output = output, .npy = npy, .results = results};
    s->spec = spec;
    s->writer = writer;
    s->folder = folder;
    s->rank = rank;
    s->lane = lane;
    s->results = xcalloc(spec->n_stages, sizeof(*s->results));
    return s;
}

const struct tasks_source *source_for(struct source *s, unsigned stage)
{
    s->stage = stage;
    return &s->face;
}

int source_tables(struct source *s,
                  struct gm_input *inputs,
                  unsigned n,
                  struct gm_error *err)
{
    for (unsigned i = 0; i < n; i++) {
        struct gm_input *in = &inputs[i];
        if (in->data != NULL)
            continue;
        if (s->table_path == NULL || strcmp(s->table_path, in->origin) != 0) {
            struct reader_value v = {0};
            int rc = writer_table(s->writer, in->origin, &v, err);
            if (rc < 0)
                return rc;
            free(s->table_path);
            free(s->table.data);
            s->table_path = xstrdup(in->origin);
            s->table = v;
        }
        in->dtype = s->table.dtype;
        in->ndim = s->table.ndim;
        memcpy(in->dims, s->table.dims, sizeof(in->dims));
        in->data = s->table.data;
        in->nbytes = s->table.nbytes;
    }
    return 0;
}

void source_release(struct source *s)
{
    for (unsigned i = 0; i < s->n_values; i++)
        free(s->values[i]);
    for (unsigned i = 0; i < s->n_texts; i++)
        free(s->texts[i]);
    for (unsigned i = 0; i < s->n_files; i++) {
        (void)unlink(s->files[i]);
        free(s->files[i]);
    }
    s->n_values = s->n_texts = s->n_files = 0;
}

void source_free(struct source *s)
{
    if (s == NULL)
        return;
    source_release(s);
    for (unsigned i = 0; i < s->spec->n_stages; i++)
        free(s->results[i]);
    if (s->private_folder != NULL)
        (void)file_remove_tree(s->private_folder, NULL);
    free(s->private_folder);
    free(s->results);
    free(s->values);
    free(s->texts);
    free(s->files);
    free(s->table_path);
    free(s->table.data);
    free(s);
}
