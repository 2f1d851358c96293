/* See script.h. Invariant: every node of the tree stands where its directive stands (a
 * text of several lines: in its own line), so a reader's fault points into the script. */
#include "spec/script.h"
#include "faults.h"
#include "script_shape.h"
#include "spec/directives.h"
#include "words.h"
#include <stdlib.h>

struct script {
    struct arena *arena;
    struct jobspec_faults *faults;
    const char *path;
    const struct directive *words;
    unsigned n, at;
    struct doc_node *root;
    const struct directive *shape; /* the word of --shape, or NULL */
    const char *shape_text;
};

GM_PRINTF(3, 4)
static void fault(struct script *s, const struct directive *w, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    faults_vadd(s->faults, false, NULL, w->line, w->col, fmt, args);
    va_end(args);
}

/* A place in the value `text` of a word -> the place in the script. */
static void
place(const struct directive *w, const char *text, unsigned *line, unsigned *col)
{
    bool below = w->block_line > 0 && text == w->text + w->block && *line > 0;
    *col = below ? w->block_col + *col - 1 : w->col;
    *line = below ? w->block_line + *line - 1 : w->line;
}

static void move(const struct directive *w, const char *text, struct doc_node *n)
{
    place(w, text, &n->line, &n->col);
    if (n->key != NULL)
        place(w, text, &n->key_line, &n->key_col);
    for (unsigned i = 0; n->kind >= DOC_LIST && i < n->n; i++)
        move(w, text, &n->as.items[i]);
}

/* A value is YAML. */
static bool
parse(struct script *s, const struct directive *w, const char *text, struct doc_node *ret)
{
    struct jobspec_faults faults;
    struct doc_node *value = NULL;
    *ret = (struct doc_node){.kind = DOC_NULL, .as.text = ""};
    if (text[0] != '\0') {
        faults_init(&faults, "");
        int rc = doc_parse(s->arena, text, strlen(text), &faults, &value);
        for (size_t i = 0; i < faults.n; i++) {
            struct jobspec_fault f = faults.items[i];
            place(w, text, &f.line, &f.col);
            faults_add_at(s->faults, f.path, f.line, f.col, "%s", f.text);
        }
        bool fine = rc == 0 && faults.n_errors == 0;
        jobspec_faults_free(&faults);
        if (!fine)
            return false;
        *ret = *value;
    }
    move(w, text, ret);
    return true;
}

/* The item of a list by its number or its `name`. */
static struct doc_node *item_of(struct doc_node *list, const char *word)
{
    bool number = word[strspn(word, "0123456789")] == '\0' && strlen(word) < 10;
    unsigned long at = number ? strtoul(word, NULL, 10) : list->n;
    for (unsigned i = 0; !number && i < list->n; i++) {
        const struct doc_node *name = doc_get(&list->as.items[i], "name");
        if (name != NULL && name->kind < DOC_LIST && strcmp(name->as.text, word) == 0)
            at = i;
    }
    return at < list->n ? &list->as.items[at] : NULL;
}

/* One step down a path; what a map lacks is made. NULL: told. */
static struct doc_node *
step(struct script *s, const struct directive *w, struct doc_node *in, const char *word)
{
    struct doc_node *found = NULL;
    if (in->kind == DOC_NULL) {
        in->kind = DOC_MAP;
        in->n = 0;
        in->as.items = NULL;
    }
    if (in->kind == DOC_MAP) {
        found = doc_get(in, word);
        if (found == NULL) {
            found = doc_append(s->arena, in, word);
            found->line = found->key_line = w->line;
            found->col = found->key_col = w->col;
        }
    } else if (in->kind == DOC_LIST) {
        found = item_of(in, word);
        if (found == NULL)
            fault(s, w, "the list has no item '%.80s' (it has %u)", word, in->n);
    } else {
        fault(s,
              w,
              "'%.80s' stands below %s, which has no keys",
              word,
              doc_kind_name(in->kind));
    }
    return found;
}

/* Sets root.PATH to the value; a key that is given again gets the last one. */
static void
put(struct script *s, const struct directive *w, const char *path, const char *value)
{
    struct doc_node node, *at = s->root;
    if (!parse(s, w, value, &node))
        return;
    for (const char *p = path; at != NULL && *p != '\0';) {
        size_t n = strcspn(p, ".[]");
        if (n == 0) {
            fault(s, w, "an empty word in '%.80s'", path);
            return;
        }
        at = step(s, w, at, arena_copy(s->arena, p, n));
        p += n;
        p += *p == ']';
        p += (*p == '.' || *p == '[') && p[1] != '\0';
    }
    if (at == NULL || at == s->root)
        return;
    node.key = at->key;
    node.key_line = w->line;
    node.key_col = w->col;
    *at = node;
}

/* The value in the next word of the same directive; NULL: there is none. */
static const struct directive *next_value(struct script *s, const struct directive *w)
{
    const struct directive *next = s->at < s->n ? &s->words[s->at] : NULL;
    if (next == NULL || next->line != w->line)
        return NULL;
    bool number = next->text[0] == '-' && next->text[1] >= '0' && next->text[1] <= '9';
    if (next->text[0] == '-' && !number)
        return NULL;
    s->at++;
    return next;
}

/* What Flux calls what we call otherwise. */
static const struct alias {
    char letter;
    const char *flux, *key;
} aliases[] = {{'n', "ntasks", "ranks"},
               {'c', "cores-per-task", "per-rank.cores"},
               {'N', "nodes", "nodes"},
               {'g', "gpus-per-task", "per-rank.gpus"},
               {'t', "time-limit", "time"},
               {0, "job-name", "name"},
               {0, "tasks-per-node", "ranks-per-node"},
               {0, "dependency", "needs"},
               {0, "requires", "constraints"}};

enum { N_ALIASES = sizeof(aliases) / sizeof(aliases[0]) };

static void unknown(struct script *s, const struct directive *w, const char *key)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < N_ALIASES; i++) {
        if (strcmp(aliases[i].flux, key) == 0) {
            fault(s, w, "unknown option '--%s'; it is --%s here", key, aliases[i].key);
            return;
        }
    }
    for (unsigned i = 0; i < words_job.n && n < 60; i++)
        names[n++] = words_job.items[i].name;
    names[n++] = "set";
    names[n++] = "shape";
    const char *near = str_nearest(key, names, n);
    if (near != NULL)
        fault(s, w, "unknown option '--%.80s'; did you mean '--%s'?", key, near);
    else
        fault(s, w, "unknown option '--%.80s': the options are a jobspec's keys", key);
}

static void take_set(struct script *s, const struct directive *w, const char *text)
{
    size_t n = strcspn(text, "=");
    if (n == 0 || text[n] == '\0')
        fault(s, w, "--set %.80s: must be PATH=VALUE, as in ranks=4", text);
    else
        put(s, w, arena_copy(s->arena, text, n), text + n + 1);
}

/* --KEY=VALUE, --KEY VALUE, --KEY */
static void take_long(struct script *s, const struct directive *w)
{
    const char *text = w->text + 2, *value = NULL;
    size_t n = strcspn(text, "=");
    const char *key = arena_copy(s->arena, text, n);
    const char *first = arena_copy(s->arena, key, strcspn(key, ".["));
    const struct word *word = words_find(&words_job, first);
    bool set = strcmp(key, "set") == 0, shape = strcmp(key, "shape") == 0;
    const struct directive *from = w;
    bool alone = word != NULL && word->types == WORD_BOOL && strcmp(first, key) == 0;
    if (word == NULL && !set && !shape) {
        unknown(s, w, key);
        (void)(text[n] == '=' ? NULL : next_value(s, w));
        return;
    }
    if (text[n] == '=')
        value = text + n + 1;
    else if (alone)
        value = "true";
    else if ((from = next_value(s, w)) != NULL)
        value = from->text;
    if (value == NULL) {
        fault(
            s, w, "--%s: needs a value: --%s=%s", key, key, set ? "PATH=VALUE" : "VALUE");
    } else if (set) {
        take_set(s, from, value);
    } else if (shape) {
        s->shape = from;
        s->shape_text = value;
    } else {
        put(s, from, key, value);
    }
}

/* -n4, -n 4, -n=4 */
static void take_letter(struct script *s, const struct directive *w)
{
    const char *key = NULL, *value = w->text + 2;
    const struct directive *from = w;
    for (size_t i = 0; i < N_ALIASES; i++) {
        if (aliases[i].letter != 0 && aliases[i].letter == w->text[1])
            key = aliases[i].key;
    }
    if (key == NULL) {
        fault(
            s, w, "unknown option '%.80s': -n -c -N -g -t, or a jobspec's key", w->text);
        (void)next_value(s, w);
        return;
    }
    if (*value == '\0' && (from = next_value(s, w)) != NULL)
        value = from->text;
    else
        value += *value == '=';
    bool bare = value[strspn(value, "0123456789.")] == '\0';
    if (*value == '\0')
        fault(s, w, "-%c: needs a value: -%c VALUE", w->text[1], w->text[1]);
    else if (w->text[1] == 't' && bare)
        fault(s,
              w,
              "-t %.80s: minutes to Flux and Slurm, seconds to a jobspec: write %.80sm "
              "or %.80ss",
              value,
              value,
              value);
    else
        put(s, from, key, value);
}

static void take_words(struct script *s)
{
    while (s->at < s->n) {
        const struct directive *w = &s->words[s->at++];
        if (w->text[0] != '-')
            fault(s, w, "'%.80s' belongs to no option", w->text);
        else if (w->text[1] == '-')
            take_long(s, w);
        else
            take_letter(s, w);
    }
}

static struct doc_node text_node(const struct script *s, const char *text)
{
    return (struct doc_node){.kind = DOC_STRING,
                             .quoted = true,
                             .line = s->words[0].line,
                             .col = s->words[0].col,
                             .n = (unsigned)strlen(text),
                             .as.text = text};
}

/* A path is no template: each ${ in it is meant. */
static const char *literal(struct arena *a, const char *path)
{
    AUTO_STR out = {0};
    for (; *path != '\0'; path++)
        str_printf(&out, "%s%c", path[0] == '$' && path[1] == '{' ? "$" : "", *path);
    return arena_strdup(a, str_text(&out));
}

/* The script is the command: its interpreter, the interpreter's argument, the script. */
static void add_command(struct script *s, const char *text, size_t len)
{
    const char *words[3] = {NULL};
    unsigned n = directives_shebang(s->arena, text, len, words);
    if (s->path == NULL || n == 0) {
        faults_add(s->faults,
                   NULL,
                   1,
                   1,
                   "%s: give --kernel, --command or --tasks, or %s",
                   n == 0 ? "the first line names no interpreter"
                          : "a script on standard input has no path that could be run",
                   n == 0 ? "write it behind #!" : "save it as a file");
        return;
    }
    words[n++] = s->path;
    struct doc_node *list = doc_append(s->arena, s->root, "command");
    *list = text_node(s, "");
    list->key = "command";
    list->key_line = list->line;
    list->key_col = list->col;
    list->kind = DOC_LIST;
    list->n = 0;
    list->as.items = NULL;
    for (unsigned i = 0; i < n; i++) {
        const char *word = s->shape == NULL ? literal(s->arena, words[i]) : words[i];
        *doc_append(s->arena, list, NULL) = text_node(s, word);
    }
}

int script_document(struct arena *a,
                    const char *path,
                    const char *text,
                    size_t len,
                    struct jobspec_faults *faults,
                    struct doc_node **ret)
{
    struct script s = {.arena = a, .faults = faults, .path = path};
    size_t before = faults->n_errors;
    int rc = directives_read(a, text, len, faults, &s.words, &s.n);
    if (rc == 0 && s.n == 0) {
        faults_add(
            faults,
            NULL,
            1,
            1,
            "a script without directives: say below this line what it needs, as in "
            "'#GRIDMILL: --ranks=4 --time=10m'");
        rc = -EINVAL;
    }
    if (rc != 0)
        return rc;
    s.root = arena_alloc(a, 1, sizeof(*s.root));
    *s.root = (struct doc_node){
        .kind = DOC_MAP, .line = s.words[0].line, .col = s.words[0].col};
    take_words(&s);
    if (doc_get(s.root, "kernel") == NULL && doc_get(s.root, "command") == NULL &&
        doc_get(s.root, "tasks") == NULL)
        add_command(&s, text, len);
    bool whole =
        s.shape == NULL || script_shape(a, faults, path, s.shape, s.shape_text, s.root);
    if (whole) /* also with faults: what else is wrong is told in the same pass */
        *ret = s.root;
    return faults->n_errors > before ? -EINVAL : 0;
}
