/* See job.h. Invariant: what stands here is known before the first task and never
 * changes; pack copies it group by group. The file gets its name when it is whole. */
#include "job.h"
#include "base/memory.h"
#include "base/str.h"
#include "column.h"
#include "request.h"
#include "rule.h"
#include "spec/tasks.h"
#include <stddef.h>

/* One column of texts out of an array of structs. */
#define TEXTS(texts, n, array, field)                                                    \
    for (size_t i_ = 0; i_ < (n); i_++)                                                  \
    (texts)[i_] = (array)[i_].field != NULL ? (array)[i_].field : ""

static int put_attributes(hid_t job, const struct result_job *j, struct gm_error *err)
{
    const struct {
        const char *name, *text;
    } items[] = {
        {"schema", RESULTS_SCHEMA},
        {"name", j->spec->name},
        {"id", j->plan->id},
        {"build", j->plan->build},
        {"file", j->plan->file},
        {"directory", j->plan->dir},
        {"launcher", j->plan->launcher},
        {"mapping", j->plan->mapping},
        {"binder", plan_binder_name(j->plan->binder)},
    };
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        const char *text = items[i].text != NULL ? items[i].text : "";
        int rc = h5_put_text(job, items[i].name, text, err);
        if (rc != 0)
            return rc;
    }
    int rc = h5_put_u64(job, "schema_version", 1, err);
    return rc == 0 ? h5_put_f64(job, "start", j->start, err) : rc;
}

static int put_texts(hid_t job, const struct result_job *j, struct gm_error *err)
{
    const struct plan *p = j->plan;
    AUTO_FREE(char) plan = plan_format(p);
    const char *canonical = p->canonical != NULL ? p->canonical : "";
    int rc =
        column_put_text(job, "jobspec", p->text, p->text_len, "the jobspec's bytes", err);
    rc = rc == 0 ? column_put_text(job,
                                   "canonical",
                                   canonical,
                                   strlen(canonical),
                                   "the job in Flux's canonical form, JSON",
                                   err)
                 : rc;
    rc = rc == 0 ? column_put_text(
                       job, "plan", plan, strlen(plan), "where each rank runs, JSON", err)
                 : rc;
    return rc == 0 ? column_put_texts(job,
                                      "sets",
                                      p->sets,
                                      p->n_sets,
                                      "PATH=VALUE changes made on the command line",
                                      err)
                   : rc;
}

static int put_versions(hid_t job, const char *const *versions, struct gm_error *err)
{
    AUTO_ID group = -1;
    int rc = h5_group(job, "versions", "versions of the libraries in use", &group, err);
    for (; rc == 0 && versions != NULL && versions[0] != NULL; versions += 2)
        rc = h5_put_text(group, versions[0], versions[1], err);
    return rc;
}

static int put_inputs(hid_t job, const struct result_job *j, struct gm_error *err)
{
    const struct jobspec_source *sources = j->spec->sources;
    size_t n = j->spec->n_sources;
    AUTO_FREE(const char *) texts = xcalloc(n + 1, sizeof(*texts));
    AUTO_FREE(uint64_t) sizes = xcalloc(n + 1, sizeof(*sizes));
    AUTO_FREE(int64_t) times = xcalloc(n + 1, sizeof(*times));
    AUTO_ID at = -1;
    int rc =
        h5_group(job, "inputs", "the files that the job read, as they were", &at, err);
    TEXTS(texts, n, sources, path);
    rc = rc == 0 ? column_put_texts(at, "path", texts, n, "absolute path", err) : rc;
    TEXTS(texts, n, sources, sha256);
    rc = rc == 0 ? column_put_texts(at, "sha256", texts, n, "SHA-256 of the bytes", err)
                 : rc;
    for (size_t i = 0; i < n; i++) {
        sizes[i] = sources[i].size;
        times[i] = sources[i].mtime_ns;
    }
    rc = rc == 0
             ? column_put(at, "size", H5T_NATIVE_UINT64, n, sizes, "byte", "size", err)
             : rc;
    return rc == 0 ? column_put(at,
                                "mtime",
                                H5T_NATIVE_INT64,
                                n,
                                times,
                                "ns since 1970-01-01 UTC",
                                "last change",
                                err)
                   : rc;
}

static int put_ranks(hid_t job, const struct plan *p, struct gm_error *err)
{
    AUTO_FREE(const char *) texts = xcalloc(p->n_ranks + 1u, sizeof(*texts));
    AUTO_ID at = -1;
    int rc = h5_group(job, "ranks", "the rank map of the plan", &at, err);
    TEXTS(texts, p->n_ranks, p->ranks, host);
    rc = rc == 0 ? column_put_texts(at, "host", texts, p->n_ranks, "host", err) : rc;
    TEXTS(texts, p->n_ranks, p->ranks, cpus);
    rc = rc == 0 ? column_put_texts(
                       at, "planned", texts, p->n_ranks, "PUs by the plan, an idset", err)
                 : rc;
    TEXTS(texts, p->n_ranks, p->ranks, reason);
    return rc == 0 ? column_put_texts(at, "reason", texts, p->n_ranks, "why there", err)
                   : rc;
}

static int write_job(hid_t file, const struct result_job *j, struct gm_error *err)
{
    AUTO_ID job = -1;
    int rc = h5_group(
        file, "job", "the job: what was asked for, by whom it was run", &job, err);
    rc = rc == 0 ? put_attributes(job, j, err) : rc;
    rc = rc == 0 ? put_texts(job, j, err) : rc;
    rc = rc == 0 ? put_versions(job, j->versions, err) : rc;
    rc = rc == 0 ? put_inputs(job, j, err) : rc;
    rc = rc == 0 ? put_ranks(job, j->plan, err) : rc;
    return rc == 0 ? request_put(job, j, err) : rc;
}

static int write_hosts(hid_t file, const struct plan *p, struct gm_error *err)
{
    size_t most = (size_t)p->n_hosts + p->n_topologies + 1;
    AUTO_FREE(const char *) texts = xcalloc(most, sizeof(*texts));
    AUTO_FREE(uint64_t) index = xcalloc(most, sizeof(*index));
    AUTO_ID at = -1;
    int rc = h5_group(file,
                      "hosts",
                      "the hosts of the job; equal machines share one topology",
                      &at,
                      err);
    TEXTS(texts, p->n_hosts, p->hosts, name);
    rc = rc == 0 ? column_put_texts(at, "name", texts, p->n_hosts, "host name", err) : rc;
    for (size_t i = 0; i < p->n_hosts; i++)
        index[i] = p->hosts[i].topology;
    rc = rc == 0 ? column_put(at,
                              "topology",
                              H5T_NATIVE_UINT64,
                              p->n_hosts,
                              index,
                              "row",
                              "the host's row in digest and xml",
                              err)
                 : rc;
    TEXTS(texts, p->n_topologies, p->topologies, digest);
    rc = rc == 0
             ? column_put_texts(
                   at, "digest", texts, p->n_topologies, "SHA-256 of the topology", err)
             : rc;
    TEXTS(texts, p->n_topologies, p->topologies, xml);
    return rc == 0 ? column_put_texts(
                         at, "xml", texts, p->n_topologies, "hwloc 2 topology, XML", err)
                   : rc;
}

static int
put_output_numbers(hid_t at, const struct gm_kernel *k, size_t n, struct gm_error *err)
{
    static const struct {
        const char *name, *help;
    } columns[] = {
        {"dtype", "10 uint8, 20 int32, 30 int64, 40 float32, 50 float64"},
        {"ndim", "dimensions of one value (of one row, for a series)"},
        {"flags", "1 measured, 2 series, 4 ragged, 8 model"},
        {"summary", "0 none, 10 total, 20 mean, 30 best, 40 least, 50 matrix"},
    };
    AUTO_FREE(uint64_t) v = xcalloc(n + 1, sizeof(*v));
    for (unsigned c = 0; c < 4; c++) {
        for (size_t i = 0; i < n; i++) {
            const struct gm_output_spec *o = &k->outputs[i];
            v[i] = c == 0 ? o->dtype : c == 1 ? o->ndim : c == 2 ? o->flags : o->summary;
        }
        int rc = column_put(
            at, columns[c].name, H5T_NATIVE_UINT64, n, v, "1", columns[c].help, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* What the stage's kernel says of its outputs; a command has none. */
static int put_declared(hid_t stage, const struct gm_kernel *k, struct gm_error *err)
{
#define FIELD(name) offsetof(struct gm_output_spec, name)
    static const struct {
        const char *name, *help;
        size_t field;
    } columns[] = {
        {"name", "the dataset's name", FIELD(name)},
        {"unit", "unit of the values", FIELD(unit)},
        {"description", "what it is", FIELD(help)},
        {"shape", "shape, in words", FIELD(shape)},
        {"weight", "the output that a mean is weighted by", FIELD(weight)},
    };
#undef FIELD
    size_t n = k != NULL ? k->n_outputs : 0;
    AUTO_FREE(const char *) texts = xcalloc(n + 1, sizeof(*texts));
    AUTO_ID at = -1;
    int rc =
        h5_group(stage, "declared", "the outputs as the kernel declares them", &at, err);
    for (size_t c = 0; rc == 0 && c < sizeof(columns) / sizeof(columns[0]); c++) {
        for (size_t i = 0; i < n; i++) {
            const char *base = (const char *)&k->outputs[i];
            memcpy(&texts[i], base + columns[c].field, sizeof(texts[i]));
            texts[i] = texts[i] != NULL ? texts[i] : "";
        }
        rc = column_put_texts(at, columns[c].name, texts, n, columns[c].help, err);
    }
    return rc == 0 ? put_output_numbers(at, k, n, err) : rc;
}

/* Axes in order, then the shards: the last varies fastest. */
static int put_shape(hid_t at, const struct jobspec_stage *s, struct gm_error *err)
{
    size_t n = 0;
    AUTO_FREE(const char *) names = xcalloc(s->n_axes + 1u, sizeof(*names));
    AUTO_FREE(uint64_t) dims = xcalloc(s->n_axes + 1u, sizeof(*dims));
    for (; n < s->n_axes; n++) {
        names[n] = s->axes[n].name;
        dims[n] = s->axes[n].n;
    }
    if (s->shards_of != NULL) {
        names[n] = "shard";
        dims[n++] = s->n_shards;
    }
    int rc = column_put_texts(
        at, "axes", names, n, "what the tasks vary over; the last varies fastest", err);
    return rc == 0 ? column_put(at,
                                "shape",
                                H5T_NATIVE_UINT64,
                                n,
                                dims,
                                "1",
                                "values on each axis; their product is n_tasks",
                                err)
                   : rc;
}

/* Where arithmetic knows what varies, rows of tasks do not keep it. */
static int
put_varying(hid_t at, const struct jobspec *spec, unsigned i, struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    struct varying v;
    int rc = varying_make(spec, i, a, &v, err);
    return rc == 0 ? rule_put(at, &v, err) : rc == -ENOTSUP ? 0 : rc;
}

static int
write_stage(hid_t stages, const struct jobspec *spec, unsigned i, struct gm_error *err)
{
    const struct jobspec_stage *s = &spec->stages[i];
    AUTO_FREE(char) args = tasks_common_json(spec, i, false);
    AUTO_FREE(char) identity = tasks_common_json(spec, i, true);
    const char *help = s->kernel != NULL ? s->kernel->summary : "a command";
    AUTO_ID at = -1;
    int rc = h5_group(stages, s->name, help != NULL ? help : "", &at, err);
    rc = rc == 0 ? h5_put_u64(at, "index", i, err) : rc;
    rc = rc == 0
             ? h5_put_text(at, "kernel", s->kernel != NULL ? s->kernel->name : "", err)
             : rc;
    rc = rc == 0 ? h5_put_u64(at, "n_tasks", s->n_tasks, err) : rc;
    rc = rc == 0 ? h5_put_u64(at, "group", s->group, err) : rc;
    rc = rc == 0 ? put_shape(at, s, err) : rc;
    rc = rc == 0 ? put_varying(at, spec, i, err) : rc;
    rc = rc == 0
             ? column_put_text(
                   at, "args", args, strlen(args), "arguments all tasks share, JSON", err)
             : rc;
    rc = rc == 0 ? column_put_text(at,
                                   "identity",
                                   identity,
                                   strlen(identity),
                                   "args with each path replaced by its content's digest",
                                   err)
                 : rc;
    return rc == 0 ? put_declared(at, s->kernel, err) : rc;
}

static int write_all(hid_t file, const struct result_job *j, struct gm_error *err)
{
    int rc = h5_put_text(file, "schema", RESULTS_SCHEMA, err);
    rc = rc == 0 ? write_job(file, j, err) : rc;
    rc = rc == 0 ? write_hosts(file, j->plan, err) : rc;
    AUTO_ID stages = -1;
    rc = rc == 0 ? h5_group(file, "stages", "the job's stages", &stages, err) : rc;
    for (unsigned i = 0; rc == 0 && i < j->spec->n_stages; i++)
        rc = write_stage(stages, j->spec, i, err);
    return rc;
}

int job_write(const struct result_job *job, struct gm_error *err)
{
    h5_begin();
    AUTO_STR path = {0};
    AUTO_STR tmp = {0};
    str_printf(&path, "%s/job.h5", job->plan->folder);
    str_printf(&tmp, "%s.tmp", path.text);
    hid_t file = -1;
    int rc = h5_create(tmp.text, &file, err);
    if (rc != 0)
        return rc;
    rc = write_all(file, job, err);
    if (rc != 0)
        (void)gm_prefix(err, "%s", path.text);
    int closed = h5_close(&file, path.text, rc == 0 ? err : NULL);
    rc = rc == 0 ? closed : rc;
    if (rc == 0 && rename(tmp.text, path.text) != 0) {
        rc = -errno;
        (void)gm_fail(err, rc, "%s: %s", path.text, strerror(-rc));
    }
    if (rc != 0)
        (void)unlink(tmp.text);
    return rc;
}
