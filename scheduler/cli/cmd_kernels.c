/* gridmill kernels: what can be computed, from the kernels' own tables. */
#include "base/json.h"
#include "base/memory.h"
#include "command.h"
#include "engine/engine.h"
#include "say.h"
#include <stdlib.h>

struct word {
    uint32_t bit;
    const char *text;
};

static const struct word bounds[] = {{GM_BOUND_COMPUTE, "compute"},
                                     {GM_BOUND_MEMORY, "memory"},
                                     {GM_BOUND_COMM, "communication"}};
static const struct word devices[] = {{GM_ON_CPU, "cpu"}, {GM_ON_CUDA, "cuda"}};
static const struct word shapes[] = {{GM_NEEDS_SHARDS, "needs shards"},
                                     {GM_TAKES_SHARDS, "takes shards"},
                                     {GM_TAKES_GROUP, "runs on a group of ranks"}};
static const struct word flags[] = {{GM_MEASURED, "measured"},
                                    {GM_SERIES, "series"},
                                    {GM_RAGGED, "ragged"},
                                    {GM_MODEL, "model"}};

static void add_words(uint32_t bits,
                      const struct word *words,
                      unsigned n,
                      const char *between,
                      struct str *out)
{
    bool first = true;
    for (unsigned i = 0; i < n; i++) {
        if ((bits & words[i].bit) == 0)
            continue;
        str_printf(out, "%s%s", first ? "" : between, words[i].text);
        first = false;
    }
}

static const char *type_name(uint32_t type)
{
    switch (type) {
    case GM_PARAM_INT:
        return "int";
    case GM_PARAM_FLOAT:
        return "float";
    case GM_PARAM_BOOL:
        return "bool";
    case GM_PARAM_STRING:
        return "string";
    case GM_PARAM_CHOICE:
        return "choice";
    case GM_PARAM_PATH:
        return "path";
    case GM_PARAM_DATA:
        return "data";
    case GM_PARAM_INT_LIST:
        return "ints";
    case GM_PARAM_FLOAT_LIST:
        return "floats";
    case GM_PARAM_TENSOR:
        return "tensor";
    case GM_PARAM_MODEL:
        return "model";
    default:
        return "?";
    }
}

/* "0 or more", "1 .. 64", "sgd|adamw"; "" for any. */
static void add_range(const struct gm_param_spec *p, struct str *out)
{
    if (p->choices != NULL)
        str_add(out, p->choices);
    else if (p->min != 0 || p->max != 0) {
        bool open = p->max >= 9e15; /* digits enough for any whole number below */
        str_printf(out, open ? "%.16g or more" : "%.16g .. %.16g", p->min, p->max);
    }
}

/* NULL: works here; else why not. */
static const char *probe(const struct gm_kernel *k, struct gm_error *err)
{
    *err = (struct gm_error){0};
    return k->probe == NULL || k->probe(err) == 0 ? NULL : err->text;
}

static void put_params(struct json *j, const struct gm_kernel *k)
{
    json_key(j, "params");
    json_begin(j, '[');
    for (unsigned i = 0; i < k->n_params; i++) {
        const struct gm_param_spec *p = &k->params[i];
        json_begin(j, '{');
        json_put_string(j, "name", p->name);
        json_put_string(j, "type", type_name(p->type));
        json_put_string(j, "unit", p->unit);
        json_put_string(j, "default", p->preset);
        json_put_bool(j, "required", (p->flags & GM_REQUIRED) != 0);
        json_put_string(j, "choices", p->choices);
        if (p->min != 0 || p->max != 0) {
            json_put_double(j, "min", p->min);
            json_put_double(j, "max", p->max);
        }
        json_put_string(j, "help", p->help);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_outputs(struct json *j, const struct gm_kernel *k)
{
    json_key(j, "outputs");
    json_begin(j, '[');
    for (unsigned i = 0; i < k->n_outputs; i++) {
        const struct gm_output_spec *o = &k->outputs[i];
        json_begin(j, '{');
        json_put_string(j, "name", o->name);
        json_put_string(j, "dtype", gm_dtype_name(o->dtype));
        json_put_string(j, "shape", o->shape);
        json_put_string(j, "unit", o->unit);
        json_put_bool(j, "measured", (o->flags & GM_MEASURED) != 0);
        json_put_bool(j, "series", (o->flags & GM_SERIES) != 0);
        json_put_string(j, "help", o->help);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void put_kernel(struct json *j, const struct gm_kernel *k, bool all)
{
    struct gm_error err;
    const char *why = probe(k, &err);
    AUTO_STR on = {0}, bound = {0};
    add_words(k->traits, devices, N_OF(devices), " ", &on);
    add_words(k->traits, bounds, N_OF(bounds), " ", &bound);
    json_begin(j, '{');
    if (all)
        json_put_string(j, "schema", "gridmill.kernel/1");
    json_put_string(j, "name", k->name);
    json_put_string(j, "summary", k->summary);
    json_put_string(j, "devices", str_text(&on));
    json_put_string(j, "bound_by", str_text(&bound));
    json_put_bool(
        j, "takes_shards", (k->traits & (GM_TAKES_SHARDS | GM_NEEDS_SHARDS)) != 0);
    json_put_bool(j, "takes_group", (k->traits & GM_TAKES_GROUP) != 0);
    json_put_bool(j, "checkpoints", gm_kernel_saves(k) != 0);
    json_put_bool(j, "works", why == NULL);
    json_put_string(j, "why_not", why);
    if (all) {
        put_params(j, k);
        put_outputs(j, k);
    }
    json_end(j, '}');
}

static void
print_list(const struct cli *cli, const struct gm_kernel *const *kernels, unsigned n)
{
    if (cli->json) {
        AUTO_JSON j = {.pretty = true};
        json_begin(&j, '{');
        json_put_string(&j, "schema", "gridmill.kernels/1");
        json_key(&j, "kernels");
        json_begin(&j, '[');
        for (unsigned i = 0; i < n; i++)
            put_kernel(&j, kernels[i], false);
        json_end(&j, ']');
        json_end(&j, '}');
        terminal_print(j.out.text);
        return;
    }
    AUTO_STR out = {0};
    int width = 6;
    for (unsigned i = 0; i < n; i++) {
        int len = (int)strlen(kernels[i]->name);
        width = len > width ? len : width;
    }
    for (unsigned i = 0; i < n; i++) {
        struct gm_error err;
        const char *why = probe(kernels[i], &err);
        AUTO_STR on = {0};
        add_words(kernels[i]->traits, devices, N_OF(devices), ",", &on);
        str_printf(&out,
                   "%-*s  %-8s  %s",
                   width,
                   kernels[i]->name,
                   str_text(&on),
                   kernels[i]->summary);
        str_printf(
            &out, "%s%s\n", why != NULL ? " - not here: " : "", why != NULL ? why : "");
    }
    str_add(&out, "\ngridmill kernels NAME has the parameters and outputs of one.\n");
    terminal_print(out.text);
}

struct widths { /* of the parameter table's columns */
    int name, preset, range;
};

static struct widths param_widths(const struct gm_kernel *k)
{
    static const int most = 32; /* a longer one sticks out */
    struct widths w = {.name = 4, .preset = 8, .range = 5};
    for (unsigned i = 0; i < k->n_params; i++) {
        const struct gm_param_spec *p = &k->params[i];
        AUTO_STR range = {0};
        add_range(p, &range);
        int name = (int)strlen(p->name), given = (int)range.len;
        int preset = p->preset != NULL ? 2 + (int)strlen(p->preset) : 0;
        w.name = name > w.name ? name : w.name;
        w.range = given > w.range && given < most ? given : w.range;
        w.preset = preset > w.preset && preset < most ? preset : w.preset;
    }
    return w;
}

static void draw_params(const struct gm_kernel *k, struct str *out)
{
    struct widths w = param_widths(k);
    str_printf(out, "\nparameters (args:)\n");
    for (unsigned i = 0; i < k->n_params; i++) {
        const struct gm_param_spec *p = &k->params[i];
        AUTO_STR range = {0};
        AUTO_STR preset = {0};
        add_range(p, &range);
        if ((p->flags & GM_REQUIRED) != 0)
            str_add(&preset, "required");
        else if (p->preset != NULL)
            str_printf(&preset, "= %s", p->preset);
        str_printf(out,
                   "  %-*s  %-6s  %-*s  %-*s  %s",
                   w.name,
                   p->name,
                   type_name(p->type),
                   w.preset,
                   str_text(&preset),
                   w.range,
                   str_text(&range),
                   p->help);
        if (p->unit != NULL)
            str_printf(out, " (%s)", p->unit);
        str_add(out, "\n");
    }
}

static void draw_outputs(const struct gm_kernel *k, struct str *out)
{
    int name = 4, shape = 6;
    for (unsigned i = 0; i < k->n_outputs; i++) {
        int n = (int)strlen(k->outputs[i].name), m = (int)strlen(k->outputs[i].shape);
        name = n > name ? n : name;
        shape = m > shape ? m : shape;
    }
    str_printf(out, "\noutputs\n");
    for (unsigned i = 0; i < k->n_outputs; i++) {
        const struct gm_output_spec *o = &k->outputs[i];
        AUTO_STR marks = {0};
        add_words(o->flags, flags, N_OF(flags), ", ", &marks);
        bool unit = o->unit != NULL && *o->unit != '\0' && strcmp(o->unit, "1") != 0;
        str_printf(out,
                   "  %-*s  %-7s  %-*s  %s",
                   name,
                   o->name,
                   gm_dtype_name(o->dtype),
                   shape,
                   *o->shape != '\0' ? o->shape : "scalar",
                   o->help);
        str_printf(out, "%s%s%s", unit ? " (" : "", unit ? o->unit : "", unit ? ")" : "");
        str_printf(out,
                   "%s%s%s\n",
                   marks.len > 0 ? " [" : "",
                   str_text(&marks),
                   marks.len > 0 ? "]" : "");
    }
}

static void print_one(const struct cli *cli, const struct gm_kernel *k)
{
    if (cli->json) {
        AUTO_JSON j = {.pretty = true};
        put_kernel(&j, k, true);
        terminal_print(j.out.text);
        return;
    }
    struct gm_error err;
    const char *why = probe(k, &err);
    AUTO_STR out = {0};
    str_printf(&out, "%s - %s\n\n  on        ", k->name, k->summary);
    add_words(k->traits, devices, N_OF(devices), ", ", &out);
    str_add(&out, "\n  bound by  ");
    size_t before = out.len;
    add_words(k->traits, bounds, N_OF(bounds), ", ", &out);
    str_add(&out, out.len == before ? "nothing\n  shape     " : "\n  shape     ");
    before = out.len;
    add_words(k->traits, shapes, N_OF(shapes), ", ", &out);
    str_printf(&out,
               "%s\n  state     %s\n  here      %s%s\n",
               out.len == before ? "one rank a task" : "",
               gm_kernel_saves(k) ? "kept where the stage has checkpoint: DURATION"
                                  : "not kept: no checkpoints",
               why == NULL ? "works" : "not on this machine: ",
               why == NULL ? "" : why);
    if (k->n_params > 0)
        draw_params(k, &out);
    if (k->n_outputs > 0)
        draw_outputs(k, &out);
    terminal_print(out.text);
}

static int unknown(const struct cli *cli,
                   const char *name,
                   const struct gm_kernel *const *kernels,
                   unsigned n)
{
    struct gm_error err;
    const char **names = xcalloc(n, sizeof(*names));
    for (unsigned i = 0; i < n; i++)
        names[i] = kernels[i]->name;
    const char *near = str_nearest(name, names, n);
    free(names);
    if (near != NULL)
        (void)gm_fail(&err, -ENOENT, "%s: no such kernel, did you mean %s?", name, near);
    else
        (void)gm_fail(
            &err, -ENOENT, "%s: no such kernel: gridmill kernels lists them", name);
    return say_failure(cli, ENGINE_USAGE, &err);
}

static int run(const struct cli *cli)
{
    unsigned n;
    const struct gm_kernel *const *kernels = engine_kernels(&n);
    if (cli->args.n_words == 0) {
        print_list(cli, kernels, n);
        return ENGINE_DONE;
    }
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(kernels[i]->name, cli->args.words[0]) == 0) {
            print_one(cli, kernels[i]);
            return ENGINE_DONE;
        }
    }
    return unknown(cli, cli->args.words[0], kernels, n);
}

static const struct option_spec options[] = {OPTION_JSON};

const struct command cmd_kernels = {
    .name = "kernels",
    .usage = "[--json] [NAME]",
    .summary = "list the kernels, or explain one: parameters and outputs",
    .words = "@kernel",
    .options = options,
    .n_options = N_OF(options),
    .max_words = 1,
    .run = run,
};
