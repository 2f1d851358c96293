/* gridmill kernels: what can be computed, from the kernels' own tables. */
#include "base/json.h"
#include "base/memory.h"
#include "command.h"
#include "engine/engine.h"
#include "gpu.h"
#include "say.h"
#include "spec/plugin.h"
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

/* file NULL: linked in; note: what is to be said of its name, or NULL. */
static void put_kernel(struct json *j,
                       const struct gm_kernel *k,
                       const char *file,
                       const char *note,
                       bool all)
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
    json_put_string(j, "file", file);
    json_put_string(j, "note", note);
    if (all) {
        put_params(j, k);
        put_outputs(j, k);
    }
    json_end(j, '}');
}

static void put_unusable(struct json *j, const struct plugin_found *f)
{
    json_begin(j, '{');
    json_put_string(j, "name", f->name[0] != '\0' ? f->name : NULL);
    json_put_bool(j, "works", false);
    json_put_string(j, "why_not", f->why);
    json_put_string(j, "file", f->file);
    json_end(j, '}');
}

static void put_list(const struct gm_kernel *const *kernels,
                     unsigned n,
                     const struct plugin_list *plugins)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.kernels/1");
    json_key(&j, "kernels");
    json_begin(&j, '[');
    for (unsigned i = 0; i < n; i++)
        put_kernel(&j, kernels[i], NULL, NULL, false);
    for (size_t i = 0; i < plugins->n; i++) {
        const struct plugin_found *f = &plugins->items[i];
        if (f->kernel != NULL)
            put_kernel(&j, f->kernel, f->file, f->why, false);
        else
            put_unusable(&j, f);
    }
    json_end(&j, ']');
    gpu_put(&j);
    json_end(&j, '}');
    terminal_print(j.out.text);
}

static void draw_line(const struct gm_kernel *k, int width, struct str *out)
{
    struct gm_error err;
    const char *why = probe(k, &err);
    AUTO_STR on = {0};
    add_words(k->traits, devices, N_OF(devices), ",", &on);
    str_printf(out, "%-*s  %-8s  %s", width, k->name, str_text(&on), k->summary);
    str_printf(out, "%s%s\n", why != NULL ? " - not here: " : "", why != NULL ? why : "");
}

/* The kernels of shared objects: file by file, and what cannot be used. */
static void draw_plugins(const struct plugin_list *l, int width, struct str *out)
{
    const char *file = "";
    for (size_t i = 0; i < l->n; i++) {
        const struct plugin_found *f = &l->items[i];
        if (f->kernel != NULL && strcmp(f->file, file) != 0)
            str_printf(out, "\n%s\n", f->file);
        file = f->kernel != NULL ? f->file : file;
        if (f->kernel != NULL)
            draw_line(f->kernel, width, out);
        if (f->kernel != NULL && f->why != NULL)
            str_printf(out, "  %s\n", f->why);
    }
    bool first = true;
    for (size_t i = 0; i < l->n; i++) {
        const struct plugin_found *f = &l->items[i];
        if (f->kernel == NULL)
            str_printf(out, "%s  %s\n", first ? "\nnot usable\n" : "", f->why);
        first = first && f->kernel != NULL;
    }
}

static void print_list(const struct cli *cli,
                       const struct gm_kernel *const *kernels,
                       unsigned n,
                       const struct plugin_list *plugins)
{
    if (cli->json) {
        put_list(kernels, n, plugins);
        return;
    }
    AUTO_STR out = {0};
    int width = 6;
    for (unsigned i = 0; i < n; i++) {
        int len = (int)strlen(kernels[i]->name);
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < plugins->n; i++) {
        int len = (int)strlen(plugins->items[i].name);
        width = len > width ? len : width;
    }
    for (unsigned i = 0; i < n; i++)
        draw_line(kernels[i], width, &out);
    draw_plugins(plugins, width, &out);
    char words[GPU_WORDS];
    bool works = gpu_words(words);
    str_printf(&out, "\ncuda %s%s\n", works ? "works: " : "is off: ", words);
    str_add(&out, "gridmill kernels NAME has the parameters and outputs of one.\n");
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

/* file NULL: linked in */
static void print_one(const struct cli *cli, const struct gm_kernel *k, const char *file)
{
    if (cli->json) {
        AUTO_JSON j = {.pretty = true};
        put_kernel(&j, k, file, NULL, true);
        terminal_print(j.out.text);
        return;
    }
    struct gm_error err;
    const char *why = probe(k, &err);
    AUTO_STR out = {0};
    str_printf(&out, "%s - %s\n\n  on        ", k->name, k->summary);
    add_words(k->traits, devices, N_OF(devices), ", ", &out);
    if ((k->traits & GM_ON_CUDA) != 0) {
        char words[GPU_WORDS];
        bool works = gpu_words(words);
        str_printf(&out, " (cuda %s%s)", works ? "works: " : "is off: ", words);
    }
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
    if (file != NULL)
        str_printf(&out, "  from      %s\n", file);
    if (k->n_params > 0)
        draw_params(k, &out);
    if (k->n_outputs > 0)
        draw_outputs(k, &out);
    terminal_print(out.text);
}

static int unknown(const struct cli *cli,
                   const char *name,
                   const struct gm_kernel *const *kernels,
                   unsigned n,
                   const struct plugin_list *plugins)
{
    struct gm_error err;
    const char **names = xcalloc(n + plugins->n, sizeof(*names));
    for (unsigned i = 0; i < n; i++)
        names[i] = kernels[i]->name;
    for (size_t i = 0; i < plugins->n; i++)
        names[n + i] = plugins->items[i].name;
    const char *near = str_nearest(name, names, n + plugins->n);
    free(names);
    if (near != NULL)
        (void)gm_fail(&err, -ENOENT, "%s: no such kernel, did you mean %s?", name, near);
    else
        (void)gm_fail(
            &err, -ENOENT, "%s: no such kernel: gridmill kernels lists them", name);
    return say_failure(cli, ENGINE_USAGE, &err);
}

/* "./my.so#name": that one; "./my.so": all that it shows. */
static int run_file(const struct cli *cli, const char *text)
{
    struct gm_error err = {0};
    const char *hash = strrchr(text, '#');
    AUTO_FREE(char) file = xstrdup(text);
    if (hash != NULL)
        file[hash - text] = '\0';
    struct plugin_list *l = plugin_list_of(file);
    const struct plugin_found *found = NULL;
    int rc = 0;
    if (l->n == 0)
        rc = gm_fail(&err, -ENOENT, "%s shows no kernel", file);
    else if (hash != NULL && plugin_list_find(l, hash + 1, &found, &err) != 0)
        rc = err.text[0] != '\0'
                 ? -ENOENT
                 : gm_fail(&err, -ENOENT, "%s: no kernel '%s' in it", file, hash + 1);
    else if (l->items[0].name[0] == '\0')
        rc = gm_fail(&err, -ENOENT, "%s", l->items[0].why);
    if (rc == 0 && found != NULL)
        print_one(cli, found->kernel, found->file);
    else if (rc == 0)
        print_list(cli, NULL, 0, l);
    plugin_list_free(l);
    return rc == 0 ? ENGINE_DONE : say_failure(cli, ENGINE_USAGE, &err);
}

static int run_name(const struct cli *cli,
                    const char *name,
                    const struct gm_kernel *const *kernels,
                    unsigned n,
                    const struct plugin_list *plugins)
{
    struct gm_error err = {0};
    const struct plugin_found *found = NULL;
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(kernels[i]->name, name) == 0) {
            print_one(cli, kernels[i], NULL);
            return ENGINE_DONE;
        }
    }
    int rc = plugin_list_find(plugins, name, &found, &err);
    if (rc == -ENOENT)
        return unknown(cli, name, kernels, n, plugins);
    if (rc < 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    print_one(cli, found->kernel, found->file);
    return ENGINE_DONE;
}

static int run(const struct cli *cli)
{
    unsigned n;
    const struct gm_kernel *const *kernels = engine_kernels(&n);
    const char *name = cli->args.n_words > 0 ? cli->args.words[0] : NULL;
    if (name != NULL && strpbrk(name, "/#") != NULL)
        return run_file(cli, name);
    struct plugin_list *plugins = plugin_list_make(engine_plugin_path(), kernels, n);
    int code = ENGINE_DONE;
    if (name != NULL)
        code = run_name(cli, name, kernels, n, plugins);
    else
        print_list(cli, kernels, n, plugins);
    plugin_list_free(plugins);
    return code;
}

static const struct option_spec options[] = {OPTION_JSON};

const struct command cmd_kernels = {
    .name = "kernels",
    .usage = "[--json] [NAME | FILE.so | FILE.so#NAME]",
    .summary = "list the kernels, or explain one: parameters and outputs",
    .words = "@kernel",
    .options = options,
    .n_options = N_OF(options),
    .max_words = 1,
    .run = run,
};
