/* See machine.h. Invariant: a machine that is named is never mixed with this host. */
#include "machine.h"
#include "base/hostlist.h"
#include "base/memory.h"
#include "say.h"
#include "topo/machine.h"

/* *ret NULL: none is named. */
static int find_backend(const struct cli *cli,
                        const struct launch_backend **ret,
                        struct gm_error *err)
{
    const char *name = args_value(&cli->args, "launcher");
    const char *const *names = launch_names();
    AUTO_STR all = {0};
    size_t n = 0;
    *ret = name != NULL ? launch_find(name) : NULL;
    if (name == NULL || *ret != NULL)
        return 0;
    for (; names[n] != NULL; n++)
        str_printf(&all,
                   "%s%s",
                   n == 0                 ? ""
                   : names[n + 1] != NULL ? ", "
                                          : " or ",
                   names[n]);
    const char *near = str_nearest(name, names, n);
    return gm_fail(err,
                   -EINVAL,
                   "--launcher %s: must be %s%s%s%s",
                   name,
                   all.text,
                   near != NULL ? "; did you mean " : "",
                   near != NULL ? near : "",
                   near != NULL ? "?" : "");
}

static int find_here(const struct cli *cli,
                     const struct jobspec *spec,
                     struct machine *m,
                     struct gm_error *err)
{
    const struct engine_machine_options opt = {
        .hosts = args_value(&cli->args, "hosts"),
        .hostfile = args_value(&cli->args, "hostfile"),
    };
    return engine_machine(spec, &opt, &m->at, err);
}

static int find_named(const struct cli *cli, struct machine *m, struct gm_error *err)
{
    if (args_has(&cli->args, "hosts") || args_has(&cli->args, "hostfile"))
        return gm_fail(err,
                       -EINVAL,
                       "--machine %s: has hosts of its own: leave --hosts and --hostfile",
                       m->name);
    m->at.backend = &launch_mpirun;
    return machine_load(m->name, &m->at.tree, err);
}

int machine_choose(const struct cli *cli,
                   const struct jobspec *spec,
                   const char *named,
                   struct machine *ret)
{
    struct gm_error err = {0};
    struct machine m = {.name = named};
    const struct launch_backend *backend = NULL;
    int rc = find_backend(cli, &backend, &err);
    if (rc == 0)
        rc = named != NULL ? find_named(cli, &m, &err) : find_here(cli, spec, &m, &err);
    if (rc != 0)
        return say_failure(
            cli, named != NULL ? ENGINE_USAGE : (int)engine_exit_for(rc), &err);
    if (backend != NULL)
        m.at.backend = backend;
    *ret = m;
    return ENGINE_DONE;
}

void machine_free(struct machine *m)
{
    engine_machine_free(&m->at);
    m->name = NULL;
}

void machine_hosts(const struct restree *tree, struct str *out)
{
    if (tree->n_hosts == 1) {
        str_add(out, tree->hosts[0].name);
        return;
    }
    AUTO_FREE(char *) names = xcalloc(tree->n_hosts, sizeof(*names));
    for (unsigned h = 0; h < tree->n_hosts; h++)
        names[h] = tree->hosts[h].name;
    AUTO_FREE(char)
    text = hostlist_format(&(struct hostlist){.names = names, .n = tree->n_hosts});
    str_printf(out, "%u hosts", tree->n_hosts);
    if (strlen(text) <= 60)
        str_printf(out, " (%s)", text);
}
