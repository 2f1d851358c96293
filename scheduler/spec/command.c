/* See tasks.h, tasks_command: the argument vector, environment and input of one task. */
#include "base/file.h"
#include "task.h"

/* A word of a command; what it refers to is added to the facts. */
static int print_template(const struct task *t,
                          const struct jobspec_template *from,
                          struct str *out,
                          struct facts *facts,
                          struct gm_error *err)
{
    for (unsigned i = 0; i < from->n; i++) {
        const struct jobspec_ref *ref = from->pieces[i].ref;
        struct gm_value recorded;
        if (ref == NULL) {
            str_add(out, from->pieces[i].text);
            continue;
        }
        int rc = task_print(t, ref, out, &recorded, err);
        if (rc != 0)
            return rc;
        if (recorded.type != 0)
            facts_add(facts, t->a, ref->text, recorded);
    }
    return 0;
}

/* How many words a command's word becomes: the files of a shard are one each. */
static uint64_t n_words(const struct task *t, const struct jobspec_template *from)
{
    const struct jobspec_ref *ref = refs_whole(from);
    bool files =
        ref != NULL && ref->kind == JOBSPEC_REF_SHARD_PATH && t->shard_of->files != NULL;
    return files ? t->shard.count : 1;
}

static int make_argv(const struct task *t,
                     struct facts *facts,
                     const char ***ret,
                     struct gm_error *err)
{
    uint64_t n = 0, next = 0;
    for (unsigned i = 0; i < t->s->n_command; i++)
        n += n_words(t, &t->s->command[i]);
    const char **argv = arena_alloc(t->a, n + 1, sizeof(*argv));
    for (unsigned i = 0; i < t->s->n_command; i++) {
        AUTO_STR word = {0};
        int rc = print_template(t, &t->s->command[i], &word, facts, err);
        if (rc != 0)
            return rc;
        uint64_t more = n_words(t, &t->s->command[i]);
        argv[next++] = arena_strdup(t->a, str_text(&word));
        for (uint64_t k = 1; k < more; k++)
            argv[next++] = t->shard_of->files[t->shard.first + k];
    }
    *ret = argv;
    return 0;
}

static int make_env(const struct task *t,
                    struct facts *facts,
                    const char ***ret,
                    struct gm_error *err)
{
    const char **env = arena_alloc(t->a, t->s->n_env + 1u, sizeof(*env));
    unsigned n = 0;
    for (unsigned i = 0; i < t->s->n_env; i++) {
        AUTO_STR word = {0};
        if (t->s->env[i].unset)
            continue;
        str_printf(&word, "%s=", t->s->env[i].name);
        int rc = print_template(t, &t->s->env[i].value, &word, facts, err);
        if (rc != 0)
            return rc;
        env[n++] = arena_strdup(t->a, str_text(&word));
    }
    *ret = env;
    return 0;
}

/* What is ahead keeps its name: it is no path yet. */
static int make_input(const struct task *t,
                      struct facts *facts,
                      const char **ret,
                      struct gm_error *err)
{
    AUTO_STR path = {0};
    const struct jobspec_ref *whole = refs_whole(&t->s->input);
    if (t->s->input.n == 0)
        return 0;
    int rc = print_template(t, &t->s->input, &path, facts, err);
    if (rc != 0)
        return rc;
    bool ahead = whole != NULL && task_ahead(t, whole);
    AUTO_FREE(char) absolute = file_absolute(t->spec->dir, str_text(&path));
    *ret = arena_strdup(t->a, ahead ? str_text(&path) : absolute);
    return 0;
}

int tasks_command(const struct jobspec *spec,
                  unsigned stage,
                  uint64_t index,
                  const struct tasks_source *source,
                  struct arena *a,
                  struct tasks_command *ret,
                  struct gm_error *err)
{
    struct task t;
    task_init(&t, spec, stage, index, source, a);
    struct facts facts = {0};
    const char **argv, **env, *input = NULL;
    int rc = make_argv(&t, &facts, &argv, err);
    if (rc == 0)
        rc = make_env(&t, &facts, &env, err);
    if (rc == 0)
        rc = make_input(&t, &facts, &input, err);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < t.s->n_axes; i++) /* also one that no word is made of */
        facts_add(&facts,
                  a,
                  t.s->axes[i].name,
                  tasks_axis_value(&t.s->axes[i], t.axis_index[i]));
    *ret = (struct tasks_command){
        .argv = argv,
        .env = env,
        .input = input,
        .varying = facts_json(&facts, &t, a),
        .shard = t.shard,
        .has_shard = t.s->shards_of != NULL,
    };
    return 0;
}
