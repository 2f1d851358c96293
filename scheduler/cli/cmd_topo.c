/* gridmill topo: this machine, as this process may use it, or another one. */
#include "base/hostlist.h"
#include "base/json.h"
#include "base/memory.h"
#include "command.h"
#include "engine/engine.h"
#include "machine.h"
#include "plan_svg.h"
#include "say.h"
#include "topo/draw.h"
#include "topo/svg.h"
#include "topo_json.h"

static void counted(struct str *out, unsigned n, const char *what)
{
    str_printf(out, ", %u %s%s", n, what, n == 1 ? "" : "s");
}

/* "n[0-3]: AMD EPYC, 2 packages, ...": the hosts of a shape in one line. */
static void add_names(const struct restree *tree, unsigned shape, struct str *out)
{
    AUTO_FREE(char *) names = xcalloc(tree->n_hosts + 1, sizeof(*names));
    size_t n = 0;
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        if (tree->hosts[h].shape == shape)
            names[n++] = tree->hosts[h].name;
    }
    AUTO_FREE(char) text = hostlist_format(&(struct hostlist){.names = names, .n = n});
    str_add(out, text);
}

static void add_shape(const struct restree *tree, unsigned shape, struct str *out)
{
    const struct topo_shape *s = &tree->shapes[shape];
    char size[32];
    AUTO_STR links = {0};
    add_names(tree, shape, out);
    str_printf(out, ": %s", *s->cpu_model != '\0' ? s->cpu_model : "n/a");
    counted(out, s->n_packages, "package");
    counted(out, s->n_numas, "NUMA node");
    counted(out, s->n_cores, "core");
    if (s->n_kinds > 1)
        str_printf(out, " of %u kinds", s->n_kinds);
    counted(out, s->n_pus, "PU");
    counted(out, s->n_gpus, "GPU");
    str_printf(out, ", %s memory\n", str_bytes(restree_bytes(s, 0), size));
    for (unsigned i = 0; i < s->n_gpus && s->gpus != NULL; i++) {
        const struct topo_gpu *g = &s->gpus[i];
        bool named = g->name != NULL && *g->name != '\0';
        if (named || g->pci[0] != '\0')
            str_printf(out,
                       "  GPU %u  %s%s%s\n",
                       i,
                       g->pci,
                       named ? "  " : "",
                       named ? g->name : "");
    }
    draw_links(s, &links);
    if (links.len > 0)
        str_printf(out, "  GPU links: %s\n", links.text);
}

static int show_text(const struct cli *cli, const struct machine *m)
{
    AUTO_STR out = {0};
    draw_tree(m->at.tree, NULL, 0, cli->terminal.utf8, &out);
    for (unsigned i = 0; i < m->at.tree->n_shapes; i++)
        add_shape(m->at.tree, i, &out);
    terminal_print(out.text);
    return ENGINE_DONE;
}

static int show_json(const struct machine *m)
{
    AUTO_JSON j = {.pretty = true};
    topo_json(&j, m->at.tree, m->name);
    terminal_print(j.out.text);
    return ENGINE_DONE;
}

static int show_svg(const struct cli *cli, const struct machine *m)
{
    AUTO_STR title = {0};
    AUTO_STR out = {0};
    machine_hosts(m->at.tree, &title);
    svg_tree(m->at.tree, NULL, 0, title.text, &out);
    return plan_write_svg(cli, out.text);
}

static int two_machines(const struct cli *cli)
{
    struct gm_error err = {0};
    (void)gm_fail(&err,
                  -EINVAL,
                  "--machine %s: is another machine than %s: leave one of them",
                  args_value(&cli->args, "machine"),
                  cli->args.words[0]);
    return say_failure(cli, ENGINE_USAGE, &err);
}

static int run(const struct cli *cli)
{
    struct machine m;
    bool by_word = cli->args.n_words > 0;
    if (by_word && args_has(&cli->args, "machine"))
        return two_machines(cli);
    int code = machine_choose(
        cli, NULL, by_word ? cli->args.words[0] : args_value(&cli->args, "machine"), &m);
    if (code != ENGINE_DONE)
        return code;
    if (args_has(&cli->args, "svg"))
        code = show_svg(cli, &m);
    else
        code = cli->json ? show_json(&m) : show_text(cli, &m);
    machine_free(&m);
    return code;
}

static const struct option_spec options[] = {
    OPTION_SVG, OPTION_MACHINE, OPTION_HOSTS, OPTION_HOSTFILE, OPTION_JSON};

const struct command cmd_topo = {
    .name = "topo",
    .usage = "[OPTIONS] [MACHINE]",
    .summary = "draw this machine: packages, NUMA nodes, caches, cores, GPUs",
    .help = "As this process may use it: its cgroup and affinity mask count.\n"
            "\n"
            "MACHINE is another one: hwloc XML (lstopo FILE.xml), a cluster file\n"
            "(FILE.yaml), or a text such as 'host:4 pack:2 numa:1 core:16 pu:2 gpu:2'.\n",
    .words = "@file",
    .options = options,
    .n_options = N_OF(options),
    .max_words = 1,
    .run = run,
};
