#include "base/memory.h"
#include "topo/gpu.h"
#include "topo/nvml.h"
#include "topo/restree.h"
#include "topo/shape.h"
#include <criterion/criterion.h>

static struct nvml_report *fake(void)
{
    struct nvml_report *r = NULL;
    struct gm_error err = {0};
    cr_assert_eq(nvml_read(FAKE_NVML, &r, &err), 0, "%s", err.text);
    return r;
}

static const uint32_t want_links[16] = {
    0, 50000, 0, 0, 50000, 0, 25000, 0, 0, 25000, 0, 50000, 0, 0, 50000, 0};

Test(nvml, the_driver_tells_addresses_names_cpus_and_links)
{
    AUTO(nvml_report) r = fake();
    cr_assert_eq(r->n, 4, "the lost one does not count");
    static const char *const pci[] = {
        "0000:17:00.0", "0000:3b:00.0", "0000:97:00.0", "0000:bb:00.0"};
    static const char *const cpus[] = {"0-3", "0-3", "4-7", "4-7"};
    for (unsigned i = 0; i < 4; i++) {
        AUTO_FREE(char) near = idset_format(r->gpus[i].cpus);
        cr_expect_str_eq(r->gpus[i].pci, pci[i]);
        cr_expect_str_eq(near, cpus[i]);
        cr_expect(r->gpus[i].name[6] == (char)('0' + i), "%s", r->gpus[i].name);
    }
    cr_assert_not_null(r->links);
    for (unsigned i = 0; i < 16; i++)
        cr_expect_eq(r->links[i], want_links[i], "%u: %u", i, r->links[i]);
}

Test(nvml, a_library_that_is_none_is_no_device)
{
    struct nvml_report *r = NULL;
    struct gm_error err = {0};
    cr_expect_eq(nvml_read("/nowhere/libnvidia-ml.so.1", &r, &err), -ENODEV);
    cr_expect_eq(nvml_read("libm.so.6", &r, &err), -ENODEV);
    cr_expect_not_null(strstr(err.text, "nvmlInit_v2"), "%s", err.text);
    cr_expect_null(r);
}

/* Two packages of four cores, without a GPU, and what the driver says. */
static hwloc_topology_t completed(void)
{
    AUTO(nvml_report) r = fake();
    hwloc_topology_t t = NULL;
    struct gm_error err = {0};
    cr_assert_eq(hwloc_topology_init(&t), 0);
    cr_assert_eq(shape_filter(t, SHAPE_MISC), 0);
    cr_assert_eq(hwloc_topology_set_synthetic(t, "pack:2 numa:1 core:4 pu:1"), 0);
    cr_assert_eq(hwloc_topology_load(t), 0);
    cr_assert_eq(gpu_complete(t, r, &err), 0, "%s", err.text);
    return t;
}

static void check_gpus(const struct topo_shape *s)
{
    cr_assert_eq(s->n_gpus, 4, "%u", s->n_gpus);
    cr_assert_not_null(s->gpu_links);
    for (unsigned i = 0; i < 4; i++) {
        const struct topo_node *node = &s->nodes[s->gpus[i].node];
        cr_expect(node->kind == GM_GPU && node->os_index == i);
        cr_expect_eq(s->nodes[node->parent].kind, GM_NUMA);
        cr_expect_eq(s->nodes[node->parent].os_index, i / 2);
        cr_expect_eq(s->gpus[i].vendor, 0x10de);
        cr_expect(strncmp(s->gpus[i].name, "Fake H", 6) == 0, "%s", s->gpus[i].name);
        cr_expect_eq(strlen(s->gpus[i].pci), 12, "%s", s->gpus[i].pci);
    }
    cr_expect_eq(memcmp(s->gpu_links, want_links, sizeof(want_links)), 0);
}

Test(nvml, gpus_that_hwloc_does_not_see_get_a_place_and_stay_in_the_xml)
{
    hwloc_topology_t t = completed();
    struct topo_shape s = {0};
    cr_assert_eq(shape_make(t, &s, NULL), 0);
    hwloc_topology_destroy(t);
    check_gpus(&s);
    AUTO(restree) back = NULL;
    struct gm_error err = {0};
    cr_assert_eq(restree_load_xml(s.xml, strlen(s.xml), "back", NULL, &back, &err),
                 0,
                 "%s",
                 err.text);
    check_gpus(&back->shapes[0]);
    cr_expect_str_eq(back->shapes[0].digest, s.digest);
    shape_clear(&s);
}

Test(nvml, a_host_narrowed_to_one_package_keeps_the_other_ones_gpus)
{
    hwloc_topology_t t = completed();
    struct topo_shape s = {0};
    cr_assert_eq(shape_make(t, &s, NULL), 0);
    hwloc_topology_destroy(t);
    AUTO(idset) cpus = NULL;
    AUTO(restree) part = NULL;
    cr_assert_eq(idset_parse("0-1", &cpus, NULL), 0);
    cr_assert_eq(restree_load_xml(s.xml, strlen(s.xml), "part", cpus, &part, NULL), 0);
    const struct topo_shape *p = &part->shapes[0];
    cr_expect(p->n_gpus == 4 && p->n_cores == 2 && p->n_numas == 1, "%u GPUs", p->n_gpus);
    cr_expect_eq(p->nodes[p->nodes[p->gpus[0].node].parent].kind, GM_NUMA);
    cr_expect_eq(p->nodes[p->gpus[3].node].parent, 0, "far from every core");
    shape_clear(&s);
}
