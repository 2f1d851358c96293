/* gridmill topo: this machine, as this process may use it. */
#include "base/json.h"
#include "command.h"
#include "engine/engine.h"
#include "say.h"
#include "topo/draw.h"

static const char *kind_name(uint32_t kind)
{
    switch (kind) {
    case GM_HOST:
        return "host";
    case GM_PACKAGE:
        return "package";
    case GM_NUMA:
        return "numa";
    case GM_CACHE:
        return "cache";
    case GM_CORE:
        return "core";
    case GM_PU:
        return "pu";
    case GM_GPU:
        return "gpu";
    default:
        return "other";
    }
}

static uint64_t memory_of(const struct topo_shape *s)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < s->n_nodes; i++)
        bytes += s->nodes[i].kind == GM_NUMA ? s->nodes[i].bytes : 0;
    return bytes;
}

static void put_nodes(struct json *j, const struct topo_shape *s)
{
    json_key(j, "nodes");
    json_begin(j, '[');
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i];
        json_begin(j, '{');
        json_put_string(j, "kind", kind_name(n->kind));
        json_put_int(j, "os_index", n->os_index);
        json_put_int(j, "parent", n->parent);
        if (n->kind == GM_CACHE)
            json_put_int(j, "level", n->level);
        if (n->bytes > 0)
            json_put_int(j, "bytes", (int64_t)n->bytes);
        json_put_int(j, "cores", n->n_cores);
        json_put_int(j, "pus", n->n_pus);
        json_put_int(j, "gpus", n->n_gpus);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void print_json(const struct restree *tree)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.topology/1");
    json_key(&j, "hosts");
    json_begin(&j, '[');
    for (unsigned i = 0; i < tree->n_hosts; i++) {
        const struct topo_shape *s = &tree->shapes[tree->hosts[i].shape];
        json_begin(&j, '{');
        json_put_string(&j, "name", tree->hosts[i].name);
        json_put_string(&j, "cpu", s->cpu_model);
        json_put_string(&j, "digest", s->digest);
        json_put_int(&j, "packages", s->n_packages);
        json_put_int(&j, "numas", s->n_numas);
        json_put_int(&j, "cores", s->n_cores);
        json_put_int(&j, "pus", s->n_pus);
        json_put_int(&j, "gpus", s->n_gpus);
        json_put_int(&j, "memory", (int64_t)memory_of(s));
        put_nodes(&j, s);
        json_end(&j, '}');
    }
    json_end(&j, ']');
    json_end(&j, '}');
    terminal_print(j.out.text);
}

static void counted(struct str *out, unsigned n, const char *what)
{
    str_printf(out, ", %u %s%s", n, what, n == 1 ? "" : "s");
}

static void print_text(const struct cli *cli, const struct restree *tree)
{
    AUTO_STR out = {0};
    draw_tree(tree, NULL, 0, cli->terminal.utf8, &out);
    for (unsigned i = 0; i < tree->n_hosts; i++) {
        const struct topo_shape *s = &tree->shapes[tree->hosts[i].shape];
        char size[32];
        str_printf(&out,
                   "%s: %s",
                   tree->hosts[i].name,
                   *s->cpu_model != '\0' ? s->cpu_model : "n/a");
        counted(&out, s->n_packages, "package");
        counted(&out, s->n_numas, "NUMA node");
        counted(&out, s->n_cores, "core");
        counted(&out, s->n_pus, "PU");
        counted(&out, s->n_gpus, "GPU");
        str_printf(&out, ", %s memory\n", str_bytes(memory_of(s), size));
    }
    terminal_print(out.text);
}

static int run(const struct cli *cli)
{
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    if (restree_load_host(&tree, &err) != 0)
        return say_failure(cli, ENGINE_INTERNAL, &err);
    if (cli->json)
        print_json(tree);
    else
        print_text(cli, tree);
    return ENGINE_DONE;
}

static const struct option_spec options[] = {OPTION_JSON};

const struct command cmd_topo = {
    .name = "topo",
    .usage = "[--json]",
    .summary = "draw this machine: packages, NUMA nodes, caches, cores",
    .help = "As this process may use it: its cgroup and affinity mask count.\n",
    .words = "",
    .options = options,
    .n_options = N_OF(options),
    .run = run,
};
