/* See jobspec.h and load.h: a file -> its jobs, or all that is wrong with them.
 * Invariant: *ret is set only when there is no error at all. */
#include "spec/jobspec.h"
#include "base/file.h"
#include "base/memory.h"
#include "load.h"
#include "spec/directives.h"
#include "spec/flux.h"
#include "spec/script.h"
#include <stdlib.h>

enum { MOST_DOCUMENTS = 4096 };

/* What the jobs of a file are made from. */
struct input {
    const char *file, *text; /* text lives as long as its jobs */
    size_t len;
    const struct jobspec_options *opt;
    struct jobspec_faults *faults;
};

static void read_stages(struct load *l, const struct doc_node *root)
{
    const struct doc_node *tasks = doc_get(root, "tasks");
    struct fault_path at = {.key = "tasks"};
    if (tasks != NULL && (tasks->kind != DOC_LIST || tasks->n == 0)) {
        load_fault(l,
                   &at,
                   tasks,
                   "must be a list of stages%s%s",
                   tasks->kind == DOC_LIST ? "" : ", not ",
                   tasks->kind == DOC_LIST ? ": it is empty"
                                           : doc_kind_name(tasks->kind));
        return;
    }
    if (tasks == NULL && doc_get(root, "kernel") == NULL &&
        doc_get(root, "command") == NULL) {
        load_fault(
            l, NULL, root, "nothing to run: needs tasks, or one kernel or command");
        return;
    }
    stage_heads(l, root, tasks);
    stage_shapes(l);
    stage_links(l);
    needs_check_cycles(l);
}

static void read_short(struct load *l, struct doc_node *root)
{
    if (root->kind != DOC_MAP) {
        load_fault(l,
                   NULL,
                   root,
                   "must be a mapping of a job's keys, not %s",
                   doc_kind_name(root->kind));
        return;
    }
    keys_read(l, root);
    read_stages(l, root);
}

static const struct doc_node *get(const struct doc_node *map, const char *key)
{
    return map != NULL ? doc_get(map, key) : NULL;
}

static void read_cwd(struct load *l, const struct doc_node *attributes)
{
    const struct doc_node *cwd = get(get(attributes, "system"), "cwd");
    if (cwd == NULL || cwd->kind != DOC_STRING || cwd->n == 0)
        return;
    AUTO_FREE(char) dir = file_absolute(l->spec->dir, cwd->as.text);
    l->spec->dir = arena_strdup(l->arena, dir);
}

/* With a Gridmill part the document is read as the short form that it came from; without
 * one it is a seated job. What is wrong by Flux's rules and by ours is told together. */
static void read_canonical(struct load *l, struct doc_node *root)
{
    struct flux_job *job = arena_alloc(l->arena, 1, sizeof(*job));
    struct flux_rules rules = {
        .dialect = l->spec->form, .only_v1 = l->opt->only_v1, .any = l->opt->any_version};
    doc_retype_11(l->arena, root, l->faults);
    bool fine = flux_read(l->arena, root, &rules, l->faults, job);
    const struct doc_node *attributes = get(root, "attributes");
    const struct doc_node *part = get(get(attributes, "user"), "gridmill");
    job->document = root;
    l->spec->flux = job;
    read_cwd(l, attributes);
    if (part == NULL && !fine)
        return;
    struct doc_node *view = view_make(l, fine ? job : NULL, part);
    if (view->kind == DOC_MAP)
        sets_apply(l, view);
    if (fine)
        view_settle(l, job, view);
    if (part != NULL)
        read_short(l, view);
    else
        seated_read(l, job, view);
}

/* "digits" for "jobs/digits.yaml", "digits-2" for its second document; what a name cannot
 * hold becomes '_'. */
static const char *default_name(struct arena *a, const char *file, unsigned document)
{
    char number[16] = "";
    const char *base = strrchr(file, '/');
    base = base != NULL ? base + 1 : file;
    const char *dot = strrchr(base, '.');
    size_t len = dot != NULL && dot > base ? (size_t)(dot - base) : strlen(base);
    if (strcmp(file, "-") == 0 || len == 0) {
        base = "job";
        len = 3;
    }
    if (document > 1)
        (void)snprintf(number, sizeof(number), "-%u", document);
    size_t most = 100 - strlen(number);
    const char *name = load_make_name(a, base, len > most ? most : len, true);
    return arena_printf(a, "%s%s", name, number);
}

static struct jobspec *make_spec(const struct input *in, unsigned document)
{
    struct arena *a = arena_make();
    struct jobspec *s = arena_alloc(a, 1, sizeof(*s));
    const struct jobspec_options *opt = in->opt;
    AUTO_FREE(char) near = file_dirname(in->file);
    AUTO_FREE(char) dir = file_absolute(NULL, opt->dir != NULL ? opt->dir : near);
    const char **sets = arena_alloc(a, opt->n_sets, sizeof(*sets));
    for (unsigned i = 0; i < opt->n_sets; i++)
        sets[i] = arena_strdup(a, opt->sets[i]);
    *s = (struct jobspec){
        .arena = a,
        .file = arena_strdup(a, in->file),
        .document = document,
        .several = opt->document > 0,
        .dir = arena_strdup(a, dir),
        .text = in->text,
        .text_len = in->len,
        .sets = sets,
        .n_sets = opt->n_sets,
        .name = default_name(a, in->file, document),
        .mapping = "auto",
        .grace = JOBSPEC_GRACE,
        .restarts = JOBSPEC_RESTARTS,
    };
    return s;
}

static void finish(struct load *l)
{
    struct jobspec *s = l->spec;
    if (s->results == NULL) {
        const char *dir = strcmp(s->dir, "/") == 0 ? "" : s->dir;
        s->results = arena_printf(l->arena, "%s/%s.h5", dir, s->name);
    }
    s->stages = l->stages;
    s->n_stages = l->n_stages;
    s->sources = l->sources;
    s->n_sources = l->n_sources;
}

static enum dialect form_of(const struct doc_node *root, enum dialect asked)
{
    if (asked != DIALECT_AUTO)
        return asked;
    return doc_get(root, "version") != NULL ? DIALECT_FLUX_CORE : DIALECT_SHORT;
}

static void read_root(const struct input *in, struct doc_node *root, struct jobspec *spec)
{
    struct load l = {
        .arena = spec->arena, .opt = in->opt, .faults = in->faults, .spec = spec};
    l.stage_index = strmap_make();
    l.source_index = strmap_make();
    spec->line = root->line;
    spec->form = form_of(root, in->opt->dialect);
    if (spec->form != DIALECT_SHORT) {
        read_canonical(&l, root);
    } else {
        if (root->kind == DOC_MAP)
            sets_apply(&l, root);
        read_short(&l, root);
    }
    finish(&l);
    strmap_free(l.stage_index);
    strmap_free(l.source_index);
    strmap_free(l.known_index);
    plugin_forget(&l);
}

/* A document that was not asked for makes more than one; how many there are is told at
 * the second. 0: there is none, or the stream is not YAML (told). */
static unsigned count_others(const struct input *in, struct doc_stream *s)
{
    AUTO(arena) scratch = arena_make();
    struct doc_node *second = NULL;
    unsigned n = 2;
    if (doc_next(s, scratch, &second) != 1)
        return 0;
    while (n < MOST_DOCUMENTS && doc_skip(s) == 1)
        n++;
    faults_add(in->faults,
               NULL,
               second->line,
               second->col,
               "a second document: the file holds %s%u jobs; choose one with --document "
               "N",
               n == MOST_DOCUMENTS ? "at least " : "",
               n);
    return n;
}

/* The document asked for, into `a`; NULL: told. */
static struct doc_node *
choose(const struct input *in, struct doc_stream *s, struct arena *a)
{
    unsigned wanted = in->opt->document > 0 ? in->opt->document : 1, n = 0;
    struct doc_node *root = NULL;
    int rc = 1;
    while (rc == 1 && n < wanted) {
        rc = n + 1 < wanted ? doc_skip(s) : doc_next(s, a, &root);
        n += rc == 1;
    }
    if (rc == 0 && n == 0)
        faults_add(in->faults, NULL, 0, 0, "the file is empty: it holds no document");
    else if (rc == 0)
        faults_add(in->faults,
                   NULL,
                   0,
                   0,
                   "document %u was asked for, but the file holds %u",
                   wanted,
                   n);
    if (rc == 1 && in->opt->document == 0 && count_others(in, s) > 0)
        return NULL;
    return root;
}

static bool is_script(const struct input *in)
{
    return directives_is_script(in->text, in->len);
}

/* The one document of a batch script; NULL: told. */
static struct doc_node *read_script(const struct input *in, const struct jobspec *spec)
{
    const char *slash = strrchr(in->file, '/');
    AUTO_FREE(char)
    path = file_absolute(spec->dir, slash != NULL ? slash + 1 : in->file);
    struct doc_node *root = NULL;
    bool named = strcmp(in->file, "-") != 0;
    (void)script_document(
        spec->arena, named ? path : NULL, in->text, in->len, in->faults, &root);
    if (root != NULL && in->opt->document > 1)
        faults_add(in->faults,
                   NULL,
                   0,
                   0,
                   "document %u was asked for, but a script is one job",
                   in->opt->document);
    return root;
}

static bool check_size(const struct input *in)
{
    if (in->len > DOC_MAX_BYTES)
        faults_add(
            in->faults, NULL, 0, 0, "%zu bytes; a jobspec holds at most 8 MiB", in->len);
    return in->len <= DOC_MAX_BYTES;
}

static int parse(struct input *in, struct jobspec **ret, struct gm_error *err)
{
    AUTO(jobspec) spec = make_spec(in, in->opt->document > 0 ? in->opt->document : 1);
    if (check_size(in)) {
        in->text = arena_copy(spec->arena, in->text, in->len);
        spec->text = in->text;
        struct doc_stream *s = doc_open(in->text, in->len, in->faults);
        struct doc_node *root =
            is_script(in) ? read_script(in, spec) : choose(in, s, spec->arena);
        doc_close(s);
        if (root != NULL)
            read_root(in, root, spec);
    }
    faults_sort(in->faults);
    if (in->faults->n_errors > 0)
        return faults_first(in->faults, -EINVAL, err);
    *ret = steal(&spec);
    return 0;
}

int jobspec_parse(const char *file,
                  const char *text,
                  size_t len,
                  const struct jobspec_options *opt,
                  struct jobspec **ret,
                  struct jobspec_faults *faults,
                  struct gm_error *err)
{
    struct input in = {file, text, len, opt, faults};
    faults_init(faults, file);
    return parse(&in, ret, err);
}

int jobspec_read(const char *file,
                 char **ret,
                 size_t *ret_len,
                 struct jobspec_faults *faults,
                 struct gm_error *err)
{
    struct gm_error why = {0};
    int rc = file_read(file, DOC_MAX_BYTES, ret, ret_len, &why);
    if (rc == 0)
        return 0;
    size_t named = strlen(file); /* the sentence opens with "FILE: " as a fault's does */
    bool opens =
        strncmp(why.text, file, named) == 0 && strncmp(why.text + named, ": ", 2) == 0;
    faults_init(faults, file);
    faults_add(faults, NULL, 0, 0, "%s", opens ? why.text + named + 2 : why.text);
    return faults_first(faults, rc, err);
}

void jobspec_free(struct jobspec *spec)
{
    if (spec == NULL)
        return;
    plugin_close(spec);
    arena_free(spec->arena);
}

/* all jobs of a file */

static void add_job(struct jobspec_jobs *jobs, struct jobspec *spec)
{
    if ((jobs->n & (jobs->n - 1)) == 0) /* full at powers of two */
        jobs->items = xrealloc(
            jobs->items, jobs->n == 0 ? 1 : 2 * jobs->n, sizeof(struct jobspec *));
    jobs->items[jobs->n++] = spec;
}

/* Two jobs cannot write one file. */
static void check_results(const struct jobspec_jobs *jobs, struct jobspec_faults *faults)
{
    AUTO(strmap) taken = strmap_make();
    for (unsigned i = 0; i < jobs->n; i++) {
        const struct jobspec *s = jobs->items[i];
        const struct fault_path at = {.key = "results"};
        size_t other;
        if (!strmap_get(taken, s->results, &other)) {
            strmap_put(taken, s->results, i);
            continue;
        }
        faults_add(faults,
                   &at,
                   s->line,
                   1,
                   "%s is written by document %u of this file, too: give the jobs names "
                   "or results of their own",
                   s->results,
                   jobs->items[other]->document);
    }
}

static void read_all(const struct input *in, struct jobspec_jobs *jobs)
{
    struct doc_stream *s = doc_open(in->text, in->len, in->faults);
    unsigned wanted = in->opt->document, document = 1;
    int rc = 1;
    while (rc == 1 && document <= MOST_DOCUMENTS) {
        struct doc_node *root = NULL;
        AUTO(jobspec) spec = NULL;
        if (wanted == 0 || wanted == document) {
            spec = make_spec(in, document);
            rc = doc_next(s, spec->arena, &root);
        } else {
            rc = doc_skip(s);
        }
        if (root != NULL) {
            read_root(in, root, spec);
            add_job(jobs, steal(&spec));
        }
        document += rc == 1;
    }
    if (rc == 1)
        rc = doc_skip(s); /* is there one more? */
    if (rc == 1)
        faults_add(in->faults, NULL, 0, 0, "more than %d jobs in a file", MOST_DOCUMENTS);
    else if (rc == 0 && document == 1)
        faults_add(in->faults, NULL, 0, 0, "the file is empty: it holds no document");
    else if (rc == 0 && wanted >= document)
        faults_add(in->faults,
                   NULL,
                   0,
                   0,
                   "document %u was asked for, but the file holds %u",
                   wanted,
                   document - 1);
    doc_close(s);
}

static void read_only(const struct input *in, struct jobspec_jobs *jobs)
{
    AUTO(jobspec) spec = make_spec(in, 1);
    struct doc_node *root = read_script(in, spec);
    if (root != NULL) {
        read_root(in, root, spec);
        add_job(jobs, steal(&spec));
    }
}

int jobspec_parse_all(const char *file,
                      const char *text,
                      size_t len,
                      const struct jobspec_options *opt,
                      struct jobspec_jobs *ret,
                      struct jobspec_faults *faults,
                      struct gm_error *err)
{
    struct jobspec_jobs jobs = {0};
    struct input in = {file, text, len, opt, faults};
    faults_init(faults, file);
    if (check_size(&in)) {
        jobs.text = xcalloc(len + 1, 1);
        memcpy(jobs.text, text, len);
        in.text = jobs.text;
        if (is_script(&in))
            read_only(&in, &jobs);
        else
            read_all(&in, &jobs);
    }
    for (unsigned i = 0; i < jobs.n; i++)
        jobs.items[i]->several |= jobs.n > 1;
    check_results(&jobs, faults);
    faults_sort(faults);
    if (faults->n_errors > 0) {
        jobspec_jobs_free(&jobs);
        return faults_first(faults, -EINVAL, err);
    }
    *ret = jobs;
    return 0;
}

void jobspec_jobs_free(struct jobspec_jobs *jobs)
{
    for (unsigned i = 0; i < jobs->n; i++)
        jobspec_free(jobs->items[i]);
    free(jobs->items);
    free(jobs->text);
    *jobs = (struct jobspec_jobs){0};
}
