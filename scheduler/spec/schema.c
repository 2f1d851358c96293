/* See schema.h. Invariant: what the readers accept, the schema accepts; it refuses what a
 * look at one value, one key or one kernel's table can refuse. What needs the file as a
 * whole (names, shapes, references, data sets) is `gridmill check`'s. */
#include "schema.h"
#include "base/arena.h"
#include "base/json.h"
#include "faults.h"
#include "value.h"
#include "words.h"

#define KERNEL_FILE_PATTERN "^[^#]*/[^#]*#[^/#]+$" /* ./FILE.so#NAME */
#define REFERENCE_PATTERN   "^\\$\\{[^{}]+\\}$"
#define REFERRING_PATTERN   "\\$\\{"
#define OPEN_END            9e15 /* digits enough for any whole number below */

struct schema {
    struct json j;
    struct arena *arena;
    const struct gm_kernel *const *kernels;
    unsigned n;
};

static void put_word(struct schema *s, const struct word *w);

/* {"$ref": "#/definitions/NAME"} without its braces */
static void put_ref(struct schema *s, const char *front, const char *name)
{
    json_put_string(
        &s->j, "$ref", arena_printf(s->arena, "#/definitions/%s%s", front, name));
}

static void put_ref_item(struct schema *s, const char *name)
{
    json_begin(&s->j, '{');
    put_ref(s, "", name);
    json_end(&s->j, '}');
}

/* {"required": [NAME]} */
static void put_required(struct json *j, const char *name)
{
    json_begin(j, '{');
    json_key(j, "required");
    json_begin(j, '[');
    json_string(j, name);
    json_end(j, ']');
    json_end(j, '}');
}

static void put_number(struct json *j, const char *key, double v)
{
    if (v > -OPEN_END && v < OPEN_END && v == (double)(int64_t)v)
        json_put_int(j, key, (int64_t)v);
    else
        json_put_double(j, key, v);
}

/* Both 0: any number; a huge bound is none. */
static void put_bounds(struct json *j, double least, double most, bool none_above)
{
    if (!(least < 0) && !(least > 0) && !(most < 0) && !(most > 0))
        return;
    if (least > -OPEN_END)
        put_number(j, "minimum", least);
    if (most < OPEN_END && !none_above)
        put_number(j, "maximum", most);
}

/* words */

/* Maps that several places hold, or that hold themselves. */
static const char *definition_of(const struct words *keys)
{
    const struct word *constraints = words_find(&words_job, "constraints");
    if (keys == &words_stage)
        return "stage";
    return constraints != NULL && keys == constraints->keys ? "constraint" : NULL;
}

static bool is_key_of(const struct words *keys, const char *of)
{
    const struct word *w = words_find(&words_stage, of);
    return w != NULL && w->keys == keys;
}

static void put_kernel_names(struct schema *s, const struct word *w)
{
    struct json *j = &s->j;
    json_begin(j, '{');
    json_put_string(j, "description", w->help);
    json_key(j, "anyOf");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n; i++) {
        json_begin(j, '{');
        json_put_string(j, "const", s->kernels[i]->name);
        if (s->kernels[i]->summary != NULL)
            json_put_string(j, "description", s->kernels[i]->summary);
        json_end(j, '}');
    }
    json_begin(j, '{');
    json_put_string(j, "type", "string");
    json_put_string(j, "pattern", KERNEL_FILE_PATTERN);
    json_put_string(j, "description", "a kernel from a shared object: ./FILE.so#NAME");
    json_end(j, '}');
    json_end(j, ']');
    json_end(j, '}');
}

/* One of rows, bytes, lines, files: the keys of shards that are not required. */
static void put_one_size(struct json *j, const struct words *keys)
{
    json_key(j, "oneOf");
    json_begin(j, '[');
    for (unsigned i = 0; i < keys->n; i++) {
        if (!keys->items[i].required)
            put_required(j, keys->items[i].name);
    }
    json_end(j, ']');
}

/* The members of a map's schema. */
static void put_map(struct schema *s, const struct words *keys, const struct word *others)
{
    struct json *j = &s->j;
    unsigned n_required = 0;
    json_put_string(j, "type", "object");
    if (keys->n > 0) {
        json_key(j, "properties");
        json_begin(j, '{');
    }
    for (unsigned i = 0; i < keys->n; i++) {
        const struct word *w = &keys->items[i];
        json_key(j, w->name);
        if (strcmp(w->name, "kernel") == 0)
            put_kernel_names(s, w);
        else
            put_word(s, w);
        n_required += w->required;
    }
    if (keys->n > 0)
        json_end(j, '}');
    if (n_required > 0) {
        json_key(j, "required");
        json_begin(j, '[');
    }
    for (unsigned i = 0; i < keys->n; i++) {
        if (keys->items[i].required)
            json_string(j, keys->items[i].name);
    }
    if (n_required > 0)
        json_end(j, ']');
    if (!keys->open)
        json_put_bool(j, "additionalProperties", false);
    else if (others != NULL) {
        json_key(j, "additionalProperties");
        put_word(s, others);
    }
    if (is_key_of(keys, "shards"))
        put_one_size(j, keys);
}

/* What a word's value may be is one or several of these. */
enum form { NUMBER, CHOICES, TEXT, BOOL, LIST, MAP, NOTHING, N_FORMS };

static bool has_form(const struct word *w, enum form form)
{
    switch (form) {
    case NUMBER:
        return (w->types & (WORD_INT | WORD_FLOAT)) != 0;
    case CHOICES:
        return (w->types & WORD_TEXT) != 0 && w->choices != NULL;
    case TEXT:
        return (w->types & WORD_TEXT) != 0 && (w->choices == NULL || w->pattern != NULL);
    case BOOL:
        return (w->types & WORD_BOOL) != 0;
    case LIST:
        return (w->types & WORD_LIST) != 0;
    case MAP:
        return (w->types & WORD_MAP) != 0;
    default:
        return (w->types & WORD_NULL) != 0;
    }
}

static void put_list(struct schema *s, const struct word *w)
{
    json_put_string(&s->j, "type", "array");
    if (w->filled)
        json_put_int(&s->j, "minItems", 1);
    if (w->item != NULL) {
        json_key(&s->j, "items");
        put_word(s, w->item);
    }
}

static void put_form(struct schema *s, const struct word *w, enum form form)
{
    struct json *j = &s->j;
    switch (form) {
    case NUMBER:
        json_put_string(j, "type", (w->types & WORD_FLOAT) != 0 ? "number" : "integer");
        put_bounds(j, w->least, w->most, !(w->most > 0));
        return;
    case CHOICES:
        json_key(j, "enum");
        json_begin(j, '[');
        for (unsigned i = 0; w->choices[i] != NULL; i++)
            json_string(j, w->choices[i]);
        json_end(j, ']');
        return;
    case TEXT:
        json_put_string(j, "type", "string");
        if (w->pattern != NULL)
            json_put_string(j, "pattern", w->pattern);
        return;
    case LIST:
        put_list(s, w);
        return;
    case MAP:
        if (w->keys != NULL && definition_of(w->keys) != NULL)
            put_ref(s, "", definition_of(w->keys));
        else if (w->keys != NULL)
            put_map(s, w->keys, w->item);
        else
            json_put_string(j, "type", "object");
        return;
    default:
        json_put_string(j, "type", form == BOOL ? "boolean" : "null");
        return;
    }
}

static void put_word(struct schema *s, const struct word *w)
{
    unsigned n = 0;
    json_begin(&s->j, '{');
    json_put_string(&s->j, "description", w->help);
    for (unsigned f = 0; f < N_FORMS; f++)
        n += has_form(w, (enum form)f);
    if (n > 1) {
        json_key(&s->j, "anyOf");
        json_begin(&s->j, '[');
    }
    for (unsigned f = 0; f < N_FORMS; f++) {
        if (!has_form(w, (enum form)f))
            continue;
        if (n > 1)
            json_begin(&s->j, '{');
        put_form(s, w, (enum form)f);
        if (n > 1)
            json_end(&s->j, '}');
    }
    if (n > 1)
        json_end(&s->j, ']');
    json_end(&s->j, '}');
}

/* kernels */

static void put_numbers(struct json *j, const struct gm_param_spec *p)
{
    bool whole = p->type == GM_PARAM_INT || p->type == GM_PARAM_INT_LIST;
    json_begin(j, '{');
    json_put_string(j, "type", whole ? "integer" : "number");
    put_bounds(j, p->min, p->max, false);
    json_end(j, '}');
}

/* VALUE, or a reference in its place. */
static void put_or_reference(struct schema *s, const struct gm_param_spec *p)
{
    struct json *j = &s->j;
    json_key(j, "anyOf");
    json_begin(j, '[');
    if (p->type == GM_PARAM_BOOL) {
        json_begin(j, '{');
        json_put_string(j, "type", "boolean");
        json_end(j, '}');
    } else if (p->type == GM_PARAM_CHOICE) {
        json_begin(j, '{');
        json_key(j, "enum");
        json_begin(j, '[');
        for (const char *c = p->choices; c != NULL && *c != '\0';) {
            size_t len = strcspn(c, "|");
            json_string_n(j, c, len);
            c += len + (c[len] == '|');
        }
        json_end(j, ']');
        json_end(j, '}');
    } else {
        put_numbers(j, p);
    }
    put_ref_item(s, p->type == GM_PARAM_CHOICE ? "text-with-references" : "reference");
    json_end(j, ']');
}

/* The default as the kernel gets it; one that its own table refuses is left out. */
static void put_default(struct schema *s, const struct gm_param_spec *p)
{
    struct gm_value v;
    if (p->preset == NULL || value_preset(p, s->arena, &v, NULL) != 0)
        return;
    json_key(&s->j, "default");
    value_json(&s->j, &v);
}

static void put_param(struct schema *s, const struct gm_param_spec *p)
{
    struct json *j = &s->j;
    json_begin(j, '{');
    json_put_string(
        j,
        "description",
        p->unit == NULL ? p->help : arena_printf(s->arena, "%s (%s)", p->help, p->unit));
    put_default(s, p);
    switch (p->type) {
    case GM_PARAM_INT:
    case GM_PARAM_FLOAT:
    case GM_PARAM_BOOL:
    case GM_PARAM_CHOICE:
        put_or_reference(s, p);
        break;
    case GM_PARAM_INT_LIST:
    case GM_PARAM_FLOAT_LIST:
        json_put_string(j, "type", "array");
        json_key(j, "items");
        json_begin(j, '{');
        put_or_reference(s, p);
        json_end(j, '}');
        break;
    case GM_PARAM_TENSOR:
        put_ref(s, "", "reference");
        break;
    default:
        json_put_string(j, "type", "string");
        if (p->type != GM_PARAM_STRING)
            json_put_int(j, "minLength", 1);
    }
    json_end(j, '}');
}

static unsigned count_required(const struct gm_kernel *k)
{
    unsigned n = 0;
    for (unsigned i = 0; i < k->n_params; i++)
        n += (k->params[i].flags & GM_REQUIRED) != 0;
    return n;
}

/* "args.KERNEL": its arguments. */
static void put_args(struct schema *s, const struct gm_kernel *k)
{
    struct json *j = &s->j;
    json_key(j, arena_printf(s->arena, "args.%s", k->name));
    json_begin(j, '{');
    json_put_string(
        j, "description", arena_printf(s->arena, "the arguments of %s", k->name));
    json_key(j, "type");
    json_begin(j, '[');
    json_string(j, "object");
    if (count_required(k) == 0)
        json_string(j, "null");
    json_end(j, ']');
    json_key(j, "properties");
    json_begin(j, '{');
    for (unsigned i = 0; i < k->n_params; i++) {
        json_key(j, k->params[i].name);
        put_param(s, &k->params[i]);
    }
    json_end(j, '}');
    json_key(j, "required");
    json_begin(j, '[');
    for (unsigned i = 0; i < k->n_params; i++) {
        if ((k->params[i].flags & GM_REQUIRED) != 0)
            json_string(j, k->params[i].name);
    }
    json_end(j, ']');
    json_put_bool(j, "additionalProperties", false);
    json_end(j, '}');
}

/* stages */

static void put_alone(struct json *j) /* group: 1 */
{
    json_key(j, "group");
    json_begin(j, '{');
    json_put_int(j, "const", 1);
    json_end(j, '}');
}

/* {"if": it runs this kernel, "then": what that means for the other keys} */
static void put_kernel_rule(struct schema *s, const struct gm_kernel *k)
{
    struct json *j = &s->j;
    json_begin(j, '{');
    json_key(j, "if");
    json_begin(j, '{');
    json_key(j, "properties");
    json_begin(j, '{');
    json_key(j, "kernel");
    json_begin(j, '{');
    json_put_string(j, "const", k->name);
    json_end(j, '}');
    json_end(j, '}');
    json_key(j, "required");
    json_begin(j, '[');
    json_string(j, "kernel");
    json_end(j, ']');
    json_end(j, '}');
    json_key(j, "then");
    json_begin(j, '{');
    json_key(j, "properties");
    json_begin(j, '{');
    json_key(j, "args");
    json_begin(j, '{');
    put_ref(s, "args.", k->name);
    json_end(j, '}');
    if ((k->traits & (GM_NEEDS_SHARDS | GM_TAKES_SHARDS)) == 0)
        json_put_bool(j, "shards", false);
    if ((k->traits & GM_TAKES_GROUP) == 0)
        put_alone(j);
    json_end(j, '}');
    json_key(j, "required");
    json_begin(j, '[');
    if (count_required(k) > 0)
        json_string(j, "args");
    if ((k->traits & GM_NEEDS_SHARDS) != 0)
        json_string(j, "shards");
    json_end(j, ']');
    json_end(j, '}');
    json_end(j, '}');
}

/* {"if": it has `key`, "then": it has no `other`}; a command's group is 1 */
static void put_key_rule(struct json *j, const char *key, const char *other, bool alone)
{
    json_begin(j, '{');
    json_key(j, "if");
    put_required(j, key);
    json_key(j, "then");
    json_begin(j, '{');
    json_key(j, "properties");
    json_begin(j, '{');
    json_put_bool(j, other, false);
    if (alone)
        put_alone(j);
    json_end(j, '}');
    json_end(j, '}');
    json_end(j, '}');
}

/* "work": one kernel or one command, and what follows from it for a stage's other keys.
 */
static void put_work(struct schema *s)
{
    struct json *j = &s->j;
    json_key(j, "work");
    json_begin(j, '{');
    json_key(j, "oneOf");
    json_begin(j, '[');
    put_required(j, "kernel");
    put_required(j, "command");
    json_end(j, ']');
    json_key(j, "allOf");
    json_begin(j, '[');
    put_key_rule(j, "command", "args", true);
    put_key_rule(j, "kernel", "env", false);
    for (unsigned i = 0; i < s->n; i++)
        put_kernel_rule(s, s->kernels[i]);
    json_end(j, ']');
    json_end(j, '}');
}

/* A key of a lone stage at the top level; `name` and `needs` are the job's there. */
static bool of_lone_stage(const struct word *w)
{
    return words_find(&words_job, w->name) != NULL && strcmp(w->name, "name") != 0 &&
           strcmp(w->name, "needs") != 0;
}

/* {"if": it has tasks, "then": no stage's keys beside them, "else": it is a stage} */
static void put_lone_stage(struct schema *s)
{
    struct json *j = &s->j;
    json_key(j, "if");
    put_required(j, "tasks");
    json_key(j, "then");
    json_begin(j, '{');
    json_key(j, "properties");
    json_begin(j, '{');
    for (unsigned i = 0; i < words_stage.n; i++) {
        if (of_lone_stage(&words_stage.items[i]))
            json_put_bool(j, words_stage.items[i].name, false);
    }
    json_end(j, '}');
    json_end(j, '}');
    json_key(j, "else");
    put_ref_item(s, "work");
}

static void put_text_definition(struct json *j,
                                const char *name,
                                const char *pattern,
                                const char *description)
{
    json_key(j, name);
    json_begin(j, '{');
    json_put_string(j, "type", "string");
    json_put_string(j, "pattern", pattern);
    json_put_string(j, "description", description);
    json_end(j, '}');
}

static void put_definitions(struct schema *s)
{
    struct json *j = &s->j;
    const struct words *constraint = words_find(&words_job, "constraints")->keys;
    json_key(j, "definitions");
    json_begin(j, '{');
    put_text_definition(j,
                        "reference",
                        REFERENCE_PATTERN,
                        "${axis}, ${task.index}, ${shard.first}, ${stage.output}, ...");
    put_text_definition(
        j, "text-with-references", REFERRING_PATTERN, "a text with ${...} in it");
    json_key(j, definition_of(constraint));
    json_begin(j, '{');
    put_map(s, constraint, NULL);
    json_end(j, '}');
    json_key(j, definition_of(&words_stage));
    json_begin(j, '{');
    put_map(s, &words_stage, NULL);
    json_key(j, "allOf");
    json_begin(j, '[');
    put_ref_item(s, "work");
    json_end(j, ']');
    json_end(j, '}');
    put_work(s);
    for (unsigned i = 0; i < s->n; i++)
        put_args(s, s->kernels[i]);
    json_end(j, '}');
}

char *schema_format(const struct gm_kernel *const *kernels, unsigned n)
{
    AUTO(arena) arena = arena_make();
    struct schema s = {.j = {.pretty = true}, .arena = arena, .kernels = kernels, .n = n};
    struct json *j = &s.j;
    json_begin(j, '{');
    json_put_string(j, "$schema", "http://json-schema.org/draft-07/schema#");
    json_put_string(j, "$id", "urn:gridmill:jobspec");
    json_put_string(j, "title", "Gridmill jobspec, short form");
    json_put_string(j,
                    "description",
                    "a job: one stage, or several under tasks; gridmill-jobspec(5)");
    put_map(&s, &words_job, NULL);
    put_lone_stage(&s);
    put_definitions(&s);
    json_end(j, '}');
    return str_steal(&s.j.out);
}
