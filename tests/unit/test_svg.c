/* topo/svg.h and the layout below it: boxes stand within their parents and beside each
 * other, labels fit, every CPU is drawn once, and names cannot break the markup. That the
 * whole is XML is checked by Python in tests/cli/plan.sh and topo.sh. */
#include "base/file.h"
#include "topo/svg.h"
#include "topo/svg_layout.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
        n++;
    return n;
}

static struct restree *machine(const char *text)
{
    struct restree *tree = NULL;
    struct gm_error err = {0};
    cr_assert_eq(restree_load_synthetic(text, &tree, &err), 0, "%s", err.text);
    return tree;
}

static char *drawn(const struct restree *tree, const struct draw_seat *seats, unsigned n)
{
    struct str out = {0};
    svg_tree(tree, seats, n, "a plan", &out);
    return str_steal(&out);
}

static bool within(const struct svg_box *a, const struct svg_box *b)
{
    const double e = 1e-6;
    return a->x >= b->x - e && a->y >= b->y - e && a->x + a->w <= b->x + b->w + e &&
           a->y + a->h <= b->y + b->h + e;
}

static bool apart(const struct svg_box *a, const struct svg_box *b)
{
    return a->x + a->w <= b->x + 1e-6 || b->x + b->w <= a->x + 1e-6 ||
           a->y + a->h <= b->y + 1e-6 || b->y + b->h <= a->y + 1e-6;
}

static void check_node(const struct topo_shape *s, const struct svg_layout *l, unsigned i)
{
    const struct topo_node *n = &s->nodes[i];
    const struct svg_box *box = &l->boxes[i], *up = &l->boxes[n->parent];
    AUTO_STR label = {0};
    cr_assert(within(box, up),
              "node %u leaves its parent: %g %g %g %g in %g %g %g %g",
              i,
              box->x,
              box->y,
              box->w,
              box->h,
              up->x,
              up->y,
              up->w,
              up->h);
    cr_assert(i == 0 || box->y >= up->y + 3, "node %u covers a label", i);
    if (n->kind == GM_PACKAGE || n->kind == GM_NUMA || n->kind == GM_CACHE) {
        svg_label(s, i, &label);
        cr_assert_leq(
            svg_text_width(label.text, 11), box->w, "node %u: %s", i, label.text);
    }
    for (unsigned k = n->end; k < s->nodes[n->parent].end; k = s->nodes[k].end) {
        if (s->nodes[k].parent == n->parent)
            cr_assert(apart(box, &l->boxes[k]), "nodes %u and %u overlap", i, k);
    }
    for (unsigned k = 0; n->kind == GM_CORE && k < n->n_pus; k++)
        cr_assert(within(&l->pus[n->first_pu + k], box), "a CPU leaves core %u", i);
}

static void check_layout(const struct topo_shape *s)
{
    struct svg_layout l;
    svg_layout_make(s, 3, 200, &l);
    for (unsigned i = 1; i < s->n_nodes;) {
        check_node(s, &l, i);
        i = s->nodes[i].kind == GM_CORE ? s->nodes[i].end : i + 1;
    }
    for (unsigned i = 0; i < s->n_pus; i++) {
        for (unsigned k = i + 1; k < s->n_pus; k++)
            cr_assert(apart(&l.pus[i], &l.pus[k]), "CPUs %u and %u overlap", i, k);
    }
    svg_layout_free(&l);
}

static char machines[][64] = {
    "core:1 pu:1",
    "pack:1 core:7 pu:1",
    "pack:2 numa:1 l3:1 core:8 pu:2",
    "pack:2 numa:2 l3:4 core:3 pu:4",
    "numa:3 pack:1 l3:2 l2:2 core:2 pu:8",
    "pack:8 numa:1 core:24 pu:2",
};

ParameterizedTestParameters(svg, boxes_stand_within_each_other_and_apart)
{
    return cr_make_param_array(
        char[64], machines, sizeof(machines) / sizeof(machines[0]));
}

ParameterizedTest(char (*text)[64], svg, boxes_stand_within_each_other_and_apart)
{
    AUTO(restree) tree = machine(*text);
    check_layout(&tree->shapes[0]);
}

/* Memory without cores, GPUs, hybrid and irregular machines. */
Test(svg, boxes_of_real_machines_stand_within_each_other_and_apart)
{
    static const char *const files[] = {"64intel64-fakeKNL-SNC4-hybrid.xml",
                                        "64intel64-3g2n+2n-irregulargroups+pci.xml",
                                        "power8gpudistances.xml",
                                        "fakecpukinds.xml",
                                        "16amd64-8n2c-cpusets.xml"};
    const char *data = getenv("GRIDMILL_TEST_DATA");
    if (data == NULL)
        cr_skip_test("GRIDMILL_TEST_DATA is not set");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        AUTO(restree) tree = NULL;
        AUTO_FREE(char) text = NULL;
        AUTO_STR path = {0};
        size_t len;
        struct gm_error err = {0};
        str_printf(&path, "%s/hwloc-xml/%s", data, files[i]);
        cr_assert_eq(file_read(path.text, 1 << 24, &text, &len, &err), 0, "%s", err.text);
        cr_assert_eq(
            restree_load_xml(text, len, "n0", NULL, &tree, &err), 0, "%s", err.text);
        check_layout(&tree->shapes[0]);
        AUTO_FREE(char) svg = drawn(tree, NULL, 0);
        cr_expect_eq(count(svg, "<rect class=\"pu\""), tree->shapes[0].n_pus);
    }
}

Test(svg, every_cpu_is_one_box_and_every_rank_has_its_colour)
{
    AUTO(restree) tree = machine("pack:2 numa:1 core:4 pu:2");
    AUTO(idset) a = idset_make();
    AUTO(idset) b = idset_make();
    idset_add_run(a, 0, 3);
    idset_add_run(b, 2, 5);
    const struct draw_seat seats[] = {{.pus = a}, {.pus = b}};
    AUTO_FREE(char) text = drawn(tree, seats, 2);
    /* The legend has a box a rank. */
    cr_expect_eq(count(text, "<rect class=\"pu\""), 16 - 2 + 2);
    cr_expect_eq(count(text, "<rect class=\"shared\""), 2);
    cr_expect_eq(count(text, "style=\"fill:#77aadd"), 2 + 1);
    cr_expect_eq(count(text, "style=\"fill:#ee8866"), 2 + 1);
    cr_expect_eq(count(text, ">x2<"), 2);
    cr_expect_not_null(strstr(text, "cpu 2-5"));
}

Test(svg, hosts_that_are_alike_and_empty_are_drawn_once)
{
    AUTO(restree) tree = machine("host:12 pack:1 core:2 pu:1");
    AUTO(idset) one = idset_make();
    idset_add(one, 1);
    const struct draw_seat seats[] = {{.host = 3, .pus = one}};
    AUTO_FREE(char) alone = drawn(tree, NULL, 0);
    cr_expect_eq(count(alone, "<rect class=\"host\""), 1);
    cr_expect_not_null(strstr(alone, "n[0-11] (12 hosts alike)"), "%s", alone);
    AUTO_FREE(char) used = drawn(tree, seats, 1);
    cr_expect_eq(count(used, "<rect class=\"host\""), 2);
    cr_expect_not_null(strstr(used, "n[0-2,4-11] (11 hosts alike, without ranks)"));
}

Test(svg, a_large_cluster_is_one_host_and_a_tile_for_each_other)
{
    enum { HOSTS = 64 };
    AUTO(restree) tree = machine("host:64 pack:2 core:64 pu:2");
    struct draw_seat seats[HOSTS];
    AUTO(idset) half = idset_make();
    idset_add_run(half, 0, 127);
    for (unsigned h = 0; h < HOSTS; h++)
        seats[h] = (struct draw_seat){.host = h, .pus = half};
    AUTO_FREE(char) text = drawn(tree, seats, HOSTS);
    cr_expect_eq(count(text, "<rect class=\"host\""), HOSTS);
    cr_expect_eq(count(text, "<rect class=\"used\""), HOSTS - 1);
    cr_expect_eq(count(text, "<rect class=\"pu\""), 256);
}

Test(svg, names_are_text_whatever_they_hold)
{
    AUTO(restree) tree = machine("core:1 pu:1");
    free(tree->hosts[0].name);
    tree->hosts[0].name = strdup("<b>&\"\x01\xff</b>");
    struct str out = {0};
    svg_tree(tree, NULL, 0, "]]><script>", &out);
    cr_expect_not_null(
        strstr(out.text, ">&lt;b&gt;&amp;&quot;\xef\xbf\xbd\xef\xbf\xbd&lt;/b&gt;<"),
        "%s",
        out.text);
    cr_expect_null(strstr(out.text, "<script>"));
    str_free(&out);
}
