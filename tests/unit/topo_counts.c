/* "FILE: packages 2, NUMA 2, cores 12, PUs 24, GPUs 3" of a machine as we read it, for
 * tests/cli/topo_xml.sh, which asks hwloc's own programs for the same. */
#include "topo/machine.h"

int main(int argc, char **argv)
{
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    if (argc != 2) {
        (void)fprintf(stderr, "topo_counts MACHINE\n");
        return 2;
    }
    if (machine_load(argv[1], &tree, &err) != 0) {
        (void)fprintf(stderr, "topo_counts: %s\n", err.text);
        return 2;
    }
    const struct topo_shape *s = &tree->shapes[0];
    printf("packages %u, NUMA %u, cores %u, PUs %u, GPUs %u\n",
           s->n_packages,
           s->n_numas,
           s->n_cores,
           s->n_pus,
           s->n_gpus);
    return 0;
}
