/* See starter.h. Invariant: a starter is a jobspec of one stage whose live lines pass
 * `check` once nothing in them says FILL-ME; what is commented out is a default or an
 * example that may be made live as it stands. */
#include "starter.h"
#include "base/json.h"
#include "load.h"
#include "words.h"
#include <ctype.h>

enum { WIDTH = 88, NOTE_MIN = 22, NOTE_MAX = 30 };

struct line {
    const char *text; /* what YAML reads, or the same behind "# " */
    const char *note; /* said about it; NULL: nothing */
};

struct starter {
    struct arena *arena;
    const struct gm_kernel *kernel;
    const struct starter_options *opt;
    struct doc_node *root; /* what is given: keys of the job */
    struct line *lines;
    unsigned n_lines, room;
    const char **shown; /* keys of the job that have a line */
    unsigned n_shown;
    struct str blanks;
};

/* values as text, on one line */

static bool is_plain(const struct doc_node *n)
{
    const char *p = n->as.text;
    if (n->kind != DOC_STRING || doc_resolve(p, n->n) != DOC_STRING)
        return false;
    if (!isalnum((unsigned char)*p) && *p != '/' && *p != '_' && *p != '.')
        return false;
    while (isalnum((unsigned char)*p) || (*p != '\0' && strchr("/_.-+", *p) != NULL))
        p++;
    return *p == '\0';
}

static void put_text(const char *text, struct str *out)
{
    AUTO_JSON j = {.pretty = false};
    json_string(&j, text);
    str_add(out, j.out.text);
}

static void put_value(const struct doc_node *n, struct str *out)
{
    if (n->kind == DOC_NULL)
        str_add(out, "null");
    else if (n->kind < DOC_LIST && (n->kind != DOC_STRING || is_plain(n)))
        str_add(out, n->as.text);
    else if (n->kind < DOC_LIST)
        put_text(n->as.text, out);
    if (n->kind < DOC_LIST)
        return;
    str_add(out, n->kind == DOC_LIST ? "[" : "{");
    for (unsigned i = 0; i < n->n; i++) {
        const struct doc_node *item = &n->as.items[i];
        str_add(out, i > 0 ? ", " : "");
        if (item->key != NULL) {
            struct doc_node key = {.kind = DOC_STRING, .n = (unsigned)strlen(item->key)};
            key.as.text = item->key;
            put_value(&key, out);
            str_add(out, ": ");
        }
        put_value(item, out);
    }
    str_add(out, n->kind == DOC_LIST ? "]" : "}");
}

static const char *value_of(struct starter *s, const struct doc_node *n)
{
    AUTO_STR text = {0};
    put_value(n, &text);
    return arena_strdup(s->arena, str_text(&text));
}

/* lines */

static void add_line(struct starter *s, const char *text, const char *note)
{
    if (s->n_lines == s->room) {
        struct line *all = arena_alloc(s->arena, s->room + 64, sizeof(*all));
        for (unsigned i = 0; i < s->n_lines; i++)
            all[i] = s->lines[i];
        s->lines = all;
        s->room += 64;
    }
    s->lines[s->n_lines++] = (struct line){.text = text, .note = note};
}

/* KEY: VALUE; `given` goes before `value`, and is live in any case. */
static void add_key(struct starter *s,
                    const char *in,
                    const char *key,
                    const struct doc_node *given,
                    const char *value,
                    bool live,
                    const char *note)
{
    if (given != NULL)
        value = value_of(s, given);
    live = live || given != NULL;
    if (live && strstr(value, STARTER_BLANK) != NULL)
        str_printf(&s->blanks,
                   "%s%s%s%s",
                   s->blanks.len > 0 ? " " : "",
                   in,
                   in[0] != '\0' ? "." : "",
                   key);
    add_line(s,
             arena_printf(s->arena,
                          "%s%s%s: %s",
                          in[0] != '\0' ? "  " : "",
                          live ? "" : "# ",
                          key,
                          value),
             note);
}

/* A word's help without its default, which the line shows. */
static const char *help_of(struct starter *s, const char *key)
{
    const struct word *w = words_find(&words_job, key);
    const char *help = w != NULL ? w->help : "", *end = strstr(help, " (default:");
    return end != NULL ? arena_copy(s->arena, help, (size_t)(end - help)) : help;
}

static void add_word(struct starter *s, const char *key, const char *value, bool live)
{
    const char *note = help_of(s, key);
    if (strcmp(key, "matrix") == 0 && doc_get(s->root, key) == NULL)
        note = arena_printf(s->arena,
                            "%s; %s may then be \"${seed}\": this task's value",
                            note,
                            s->kernel != NULL ? "an argument" : "a word of the command");
    s->shown[s->n_shown++] = key;
    add_key(s, "", key, doc_get(s->root, key), value, live, note);
}

/* arguments */

/* What stands for a value that the table cannot know. */
static const char *blank_of(uint32_t type)
{
    switch (type) {
    case GM_PARAM_DATA:
        return STARTER_BLANK ".csv";
    case GM_PARAM_MODEL:
        return STARTER_BLANK ".safetensors";
    case GM_PARAM_INT_LIST:
    case GM_PARAM_FLOAT_LIST:
        return "[" STARTER_BLANK "]";
    case GM_PARAM_TENSOR:
        return "\"${" STARTER_BLANK "}\"";
    default:
        return STARTER_BLANK;
    }
}

/* "required: passes over the rows (1 .. 100)" */
static const char *note_of(struct starter *s, const struct gm_param_spec *p)
{
    AUTO_STR note = {0};
    bool bounds = p->min < 0 || p->min > 0 || p->max < 0 || p->max > 0;
    bool open = p->max >= 9e15; /* as `gridmill kernels` has it */
    if ((p->flags & GM_REQUIRED) != 0)
        str_add(&note, "required: ");
    str_add(&note, p->help);
    if (p->unit == NULL && p->choices == NULL && !bounds)
        return arena_strdup(s->arena, note.text);
    str_add(&note, " (");
    for (const char *c = p->choices; c != NULL && *c != '\0'; c++)
        str_add_n(&note, *c == '|' ? ", " : c, *c == '|' ? 2 : 1);
    if (p->choices == NULL && bounds)
        str_printf(&note, open ? "%.16g or more" : "%.16g..%.16g", p->min, p->max);
    if (p->unit != NULL)
        str_printf(
            &note, "%s%s", bounds && strcmp(p->unit, "%") != 0 ? " " : "", p->unit);
    str_add(&note, ")");
    return arena_strdup(s->arena, note.text);
}

static void add_args(struct starter *s)
{
    const struct doc_node *given = doc_get(s->root, "args");
    add_line(s, "args:", NULL);
    for (int required = 1; required >= 0; required--) {
        for (unsigned i = 0; i < s->kernel->n_params; i++) {
            const struct gm_param_spec *p = &s->kernel->params[i];
            if (((p->flags & GM_REQUIRED) != 0) != (required == 1))
                continue;
            add_key(s,
                    "args",
                    p->name,
                    given != NULL ? doc_get(given, p->name) : NULL,
                    p->preset != NULL ? p->preset : blank_of(p->type),
                    required == 1,
                    note_of(s, p));
        }
    }
}

/* the whole */

static void add_stage(struct starter *s)
{
    const struct gm_kernel *k = s->kernel;
    if (k != NULL) {
        add_line(s, arena_printf(s->arena, "kernel: %s", k->name), NULL);
        add_args(s);
        s->shown[s->n_shown++] = "kernel";
        s->shown[s->n_shown++] = "args";
    } else {
        add_word(s, "command", "[echo, hello]", true);
        add_word(s, "env", "{OMP_NUM_THREADS: \"1\"}", false);
    }
    add_line(s, "", NULL);
    add_word(s, "matrix", "{seed: 1-8}", false);
    if (k == NULL || (k->traits & (GM_NEEDS_SHARDS | GM_TAKES_SHARDS)) != 0)
        add_word(s, "shards", "{of: " STARTER_BLANK ".csv, rows: 1000}", false);
    if (k != NULL && (k->traits & GM_TAKES_GROUP) != 0)
        add_word(s, "group", "1", false);
    add_word(s, "timeout", "10m", false);
    add_word(s, "retry", "{limit: 1}", false);
    add_line(s, "", NULL);
    add_word(s, "ranks", "auto", false);
    add_word(s, "per-rank", "{cores: 1}", false);
    add_word(s, "time", "1h", false);
}

static bool is_shown(const struct starter *s, const char *key)
{
    for (unsigned i = 0; i < s->n_shown; i++) {
        if (strcmp(s->shown[i], key) == 0)
            return true;
    }
    return false;
}

static void add_lines(struct starter *s)
{
    add_word(s, "name", s->opt->name, true);
    add_word(s, "results", arena_printf(s->arena, "%s.h5", s->opt->name), true);
    add_line(s, "", NULL);
    add_stage(s);
    for (unsigned i = 0; i < s->root->n; i++) {
        const char *key = s->root->as.items[i].key;
        if (!is_shown(s, key))
            add_word(s, key, "", true);
    }
}

/* The note behind its line, cut at blanks and continued below itself. */
static void draw_note(const char *note, size_t col, struct str *out)
{
    while (*note != '\0') {
        size_t room = col + 2 < WIDTH - 20 ? WIDTH - col - 2 : 20, len = strlen(note);
        if (len > room) {
            for (len = room; len > 0 && note[len] != ' '; len--)
                ;
            len = len == 0 ? strcspn(note, " ") : len;
        }
        str_add(out, "# ");
        str_add_n(out, note, len);
        str_add(out, "\n");
        note += len + strspn(note + len, " ");
        if (*note != '\0')
            str_printf(out, "%*s", (int)col, "");
    }
}

static void draw(const struct starter *s, struct str *out)
{
    size_t col = NOTE_MIN;
    for (unsigned i = 0; i < s->n_lines; i++) {
        size_t len = strlen(s->lines[i].text) + 2;
        if (s->lines[i].note != NULL && len > col && len <= NOTE_MAX)
            col = len;
    }
    for (unsigned i = 0; i < s->n_lines; i++) {
        const struct line *l = &s->lines[i];
        size_t len = strlen(l->text), at = len + 2 > col ? len + 2 : col;
        str_add(out, l->text);
        if (l->note == NULL) {
            str_add(out, "\n");
            continue;
        }
        str_printf(out, "%*s", (int)(at - len), "");
        draw_note(l->note, at, out);
    }
}

static void draw_head(const struct starter *s, struct str *out)
{
    static const struct {
        const char *verb, *what;
    } verbs[] = {{"check", "every mistake of this file in one go"},
                 {"plan", "who would run where, and why; starts nothing"},
                 {"run", "runs it"}};
    const struct gm_kernel *k = s->kernel;
    str_printf(out,
               "# %s%s%s\n#\n",
               k != NULL ? k->name : "A program of your own",
               k != NULL && k->summary != NULL ? ": " : "",
               k != NULL && k->summary != NULL ? k->summary : "");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        AUTO_STR line = {0};
        str_printf(&line, "gridmill %s %s", verbs[i].verb, s->opt->file);
        str_printf(out, "#   %-32s %s\n", line.text, verbs[i].what);
    }
    str_add(out, "#\n");
    if (s->blanks.len > 0)
        str_add(out, "# First fill in what says " STARTER_BLANK ". ");
    else
        str_add(out, "# It runs as it stands. ");
    str_add(out,
            "A line behind \"# \" is a default or an example:\n"
            "# take the mark away to use it. Paths count from this file's folder.\n");
    if (k != NULL)
        str_printf(
            out,
            "# gridmill kernels %s tells the outputs, too; gridmill-jobspec(5) the "
            "language.\n\n",
            k->name);
    else
        str_add(out, "# gridmill-jobspec(5) tells the whole language.\n\n");
}

/* what is given */

static bool is_param(const struct gm_kernel *k, const char *name)
{
    for (unsigned i = 0; k != NULL && i < k->n_params; i++) {
        if (strcmp(k->params[i].name, name) == 0)
            return true;
    }
    return false;
}

static int unknown_key(const struct starter *s, const char *key, struct gm_error *err)
{
    const char *names[64];
    char hint[128];
    size_t n = 0;
    if (is_param(s->kernel, key))
        return gm_fail(err,
                       -EINVAL,
                       "%.80s: is an argument of the kernel: write args.%.80s=VALUE",
                       key,
                       key);
    for (unsigned i = 0; i < words_job.n && n < sizeof(names) / sizeof(names[0]); i++)
        names[n++] = words_job.items[i].name;
    return gm_fail(
        err, -EINVAL, "%.80s: unknown key%s", key, load_hint(key, names, n, hint));
}

static int check_args(const struct starter *s, struct gm_error *err)
{
    const struct doc_node *args = doc_get(s->root, "args");
    const char *names[64];
    char hint[128];
    size_t n = 0;
    if (args != NULL && (args->kind != DOC_MAP || s->kernel == NULL))
        return gm_fail(err,
                       -EINVAL,
                       s->kernel == NULL ? "args: a command has none: they are words of "
                                           "it, as command=[echo, hello]"
                                         : "args: write args.NAME=VALUE");
    for (unsigned i = 0; s->kernel != NULL && i < s->kernel->n_params && n < 64; i++)
        names[n++] = s->kernel->params[i].name;
    for (unsigned i = 0; args != NULL && i < args->n; i++) {
        const char *key = args->as.items[i].key;
        if (!is_param(s->kernel, key))
            return gm_fail(err,
                           -EINVAL,
                           "args.%.80s: the kernel '%s' has no such argument%s",
                           key,
                           s->kernel->name,
                           load_hint(key, names, n, hint));
    }
    return 0;
}

static int check_given(const struct starter *s, struct gm_error *err)
{
    for (unsigned i = 0; i < s->root->n; i++) {
        const char *key = s->root->as.items[i].key;
        bool kernel = s->kernel != NULL;
        if (strcmp(key, "tasks") == 0)
            return gm_fail(err,
                           -EINVAL,
                           "tasks: a starter has one stage; its keys stand at the top "
                           "level, as %s",
                           kernel ? "args.NAME=VALUE" : "timeout=10m");
        if (strcmp(key, "kernel") == 0 || (kernel && strcmp(key, "command") == 0))
            return gm_fail(
                err, -EINVAL, "%s: the first word says what the starter is for", key);
        if (words_find(&words_job, key) == NULL)
            return unknown_key(s, key, err);
    }
    return check_args(s, err);
}

/* A data set is to be named: as shards of it, unless it is an argument already. */
static bool wants_shards(const struct gm_kernel *k, const struct doc_node *root)
{
    const struct doc_node *args = doc_get(root, "args");
    if (k == NULL || (k->traits & (GM_NEEDS_SHARDS | GM_TAKES_SHARDS)) == 0)
        return false;
    for (unsigned i = 0; i < k->n_params && (k->traits & GM_NEEDS_SHARDS) == 0; i++) {
        if (k->params[i].type == GM_PARAM_DATA && args != NULL &&
            doc_get(args, k->params[i].name) != NULL)
            return false;
    }
    return true;
}

/* The tree that the sets make of `text`. */
static int read_given(struct starter *s, const char *text, struct gm_error *err)
{
    struct jobspec_faults faults;
    struct jobspec_options opt = {.sets = s->opt->sets, .n_sets = s->opt->n_sets};
    faults_init(&faults, s->opt->file);
    struct load l = {.arena = s->arena, .opt = &opt, .faults = &faults};
    int rc = doc_parse(s->arena, text, strlen(text), &faults, &s->root);
    if (rc == 0)
        sets_apply(&l, s->root);
    if (faults.n > 0) {
        const struct jobspec_fault *f = &faults.items[0];
        const char *path = strncmp(f->path, "--set ", 6) == 0 ? f->path + 6 : f->path;
        rc = gm_fail(err, -EINVAL, "%.200s: %s", path, f->text);
    }
    jobspec_faults_free(&faults);
    return rc;
}

int starter_format(const struct gm_kernel *kernel,
                   const struct starter_options *opt,
                   char **ret,
                   char **ret_blanks,
                   struct gm_error *err)
{
    AUTO(arena) arena = arena_make();
    struct starter s = {.arena = arena, .kernel = kernel, .opt = opt};
    AUTO_STR out = {0};
    s.shown = arena_alloc(arena, words_job.n + 1, sizeof(*s.shown));
    int rc = read_given(&s, "{}", err);
    if (rc == 0 && wants_shards(kernel, s.root))
        rc = read_given(&s, "shards: {of: " STARTER_BLANK ".csv, rows: 1000}", err);
    if (rc == 0)
        rc = check_given(&s, err);
    if (rc != 0)
        return rc;
    add_lines(&s);
    draw_head(&s, &out);
    draw(&s, &out);
    *ret = str_steal(&out);
    *ret_blanks = str_steal(&s.blanks);
    return 0;
}
