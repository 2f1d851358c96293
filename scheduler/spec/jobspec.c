/* See jobspec.h and load.h: a file -> a job, or all that is wrong with it. Invariant:
 * *ret is set only when there is no fault at all. */
#include "spec/jobspec.h"
#include "base/file.h"
#include "load.h"

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

static void read_root(struct load *l, const struct doc_node *root)
{
    if (root->kind != DOC_MAP) {
        load_fault(l,
                   NULL,
                   root,
                   "must be a mapping of a job's keys, not %s",
                   doc_kind_name(root->kind));
        return;
    }
    const struct doc_node *version = doc_get(root, "version");
    if (version != NULL) {
        load_fault(
            l,
            &(struct fault_path){.key = "version"},
            version,
            "a document with `version` is in the canonical form, which is not supported "
            "by this version yet");
        return;
    }
    keys_read(l, root);
    read_stages(l, root);
}

/* "digits" for "jobs/digits.yaml"; what a name cannot hold becomes '_'. */
static const char *default_name(struct arena *a, const char *file)
{
    const char *base = strrchr(file, '/');
    base = base != NULL ? base + 1 : file;
    const char *dot = strrchr(base, '.');
    size_t len = dot != NULL && dot > base ? (size_t)(dot - base) : strlen(base);
    if (strcmp(file, "-") == 0 || len == 0)
        return "job";
    char *name = arena_copy(a, base, len > 100 ? 100 : len);
    for (char *p = name; *p != '\0'; p++) {
        char one[2] = {*p, '\0'};
        if (!load_is_name(one, true) && (*p != '.' || p == name))
            *p = '_';
    }
    return name;
}

static struct jobspec *make_spec(const char *file,
                                 const char *text,
                                 size_t len,
                                 const struct jobspec_options *opt)
{
    struct arena *a = arena_make();
    struct jobspec *s = arena_alloc(a, 1, sizeof(*s));
    AUTO_FREE(char) near = file_dirname(file);
    AUTO_FREE(char) dir = file_absolute(NULL, opt->dir != NULL ? opt->dir : near);
    const char **sets = arena_alloc(a, opt->n_sets, sizeof(*sets));
    for (unsigned i = 0; i < opt->n_sets; i++)
        sets[i] = arena_strdup(a, opt->sets[i]);
    *s = (struct jobspec){
        .arena = a,
        .file = arena_strdup(a, file),
        .dir = arena_strdup(a, dir),
        .text = arena_copy(a, text, len),
        .text_len = len,
        .sets = sets,
        .n_sets = opt->n_sets,
        .name = default_name(a, file),
        .mapping = "auto",
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

static void load_doc(struct load *l, const char *text, size_t len)
{
    struct doc_node *root = NULL;
    if (len > DOC_MAX_BYTES) {
        faults_add(
            l->faults, NULL, 0, 0, "%zu bytes; a jobspec holds at most 8 MiB", len);
        return;
    }
    if (doc_parse(l->arena, text, len, l->faults, &root) != 0)
        return;
    l->stage_index = strmap_make();
    l->source_index = strmap_make();
    sets_apply(l, root);
    read_root(l, root);
    finish(l);
    strmap_free(l->stage_index);
    strmap_free(l->source_index);
    strmap_free(l->known_index);
}

int jobspec_parse(const char *file,
                  const char *text,
                  size_t len,
                  const struct jobspec_options *opt,
                  struct jobspec **ret,
                  struct jobspec_faults *faults,
                  struct gm_error *err)
{
    AUTO(jobspec) spec = make_spec(file, text, len, opt);
    faults_init(faults, file);
    struct load l = {.arena = spec->arena, .opt = opt, .faults = faults, .spec = spec};
    load_doc(&l, text, len);
    faults_sort(faults);
    if (faults->n_errors > 0)
        return faults_first(faults, -EINVAL, err);
    *ret = steal(&spec);
    return 0;
}

int jobspec_load(const char *file,
                 const struct jobspec_options *opt,
                 struct jobspec **ret,
                 struct jobspec_faults *faults,
                 struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    size_t len = 0;
    struct gm_error why = {0};
    int rc = file_read(file, DOC_MAX_BYTES, &text, &len, &why);
    if (rc == 0)
        return jobspec_parse(file, text, len, opt, ret, faults, err);
    size_t named =
        strlen(file); /* the sentence opens with "FILE: ", as a fault's text does */
    faults_init(faults, file);
    bool opens =
        strncmp(why.text, file, named) == 0 && strncmp(why.text + named, ": ", 2) == 0;
    faults_add(faults, NULL, 0, 0, "%s", opens ? why.text + named + 2 : why.text);
    return faults_first(faults, rc, err);
}

void jobspec_free(struct jobspec *spec)
{
    if (spec != NULL)
        arena_free(spec->arena);
}
