/* What holds of every machine, however it was read. */
#ifndef TESTS_FUZZ_TOPO_H
#define TESTS_FUZZ_TOPO_H

#include "fuzz.h"
#include "topo/restree.h"

/* hwloc itself loses an object where it gives up on a text; the sanitizer asks this. What
 * we lose in what is read well, the unit tests see. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhwloc";
}

static inline void fuzz_check_shape(const struct topo_shape *s)
{
    AUTO(idset) seen = idset_make();
    unsigned pus = 0, gpus = 0;
    FUZZ_CHECK(s->n_nodes > 0 && s->n_pus > 0 && s->nodes[0].kind == GM_HOST, "no host");
    FUZZ_CHECK(s->nodes[0].end == s->n_nodes && s->nodes[0].n_pus == s->n_pus, "root");
    for (unsigned i = 1; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i], *up = &s->nodes[n->parent];
        FUZZ_CHECK(n->parent < i && n->end > i && n->end <= up->end, "node %u", i);
        FUZZ_CHECK(up->kind != GM_CORE || n->kind == GM_PU, "node %u in a core", i);
        gpus += n->kind == GM_GPU;
        if (n->kind != GM_PU)
            continue;
        FUZZ_CHECK(up->kind == GM_CORE && n->os_index < IDSET_MAX, "PU %u", n->os_index);
        FUZZ_CHECK(!idset_has(seen, n->os_index), "PU %u twice", n->os_index);
        idset_add(seen, n->os_index);
        pus++;
    }
    FUZZ_CHECK(pus == s->n_pus && gpus == s->n_gpus, "%u PUs, %u GPUs", pus, gpus);
    for (unsigned g = 0; g < s->n_gpus; g++) {
        unsigned node = s->gpus[g].node;
        FUZZ_CHECK(node > 0 && node < s->n_nodes && s->nodes[node].kind == GM_GPU &&
                       s->nodes[node].os_index == g,
                   "GPU %u",
                   g);
    }
}

/* Its XML is read again as a machine of the same size. hwloc leaves out what it makes no
 * sense of (a node that is in a set alone) one time later than we do, so the text settles
 * only then: from the second time on it is the same machine to the letter. */
static inline void fuzz_check_again(const struct topo_shape *s)
{
    struct restree *trees[2] = {NULL, NULL};
    const struct topo_shape *before = s;
    for (unsigned i = 0; i < 2; i++) {
        struct gm_error err = {0};
        int rc = restree_load_xml(
            before->xml, strlen(before->xml), "again", NULL, &trees[i], &err);
        FUZZ_CHECK(rc == 0, "%s\n%.4000s", err.text, before->xml);
        const struct topo_shape *now = &trees[i]->shapes[0];
        FUZZ_CHECK(now->n_pus == s->n_pus && now->n_gpus == s->n_gpus,
                   "another machine\n%.4000s",
                   before->xml);
        FUZZ_CHECK(i == 0 || strcmp(now->digest, before->digest) == 0,
                   "digest\n%.4000s",
                   before->xml);
        before = now;
    }
    restree_free(trees[0]);
    restree_free(trees[1]);
}

#endif
