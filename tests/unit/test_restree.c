/* topo/restree.h: machines as strings and as XML, with exact counts at every level, and
 * this host against what the kernel says. */
#include "base/file.h"
#include "base/str.h"
#include "topo/bind.h"
#include "topo/restree.h"

#include <criterion/criterion.h>
#include <sched.h>

/* What every shape must hold, whatever the machine. */
static void check_shape(const struct topo_shape *s)
{
    unsigned cores = 0, pus = 0, gpus = 0;
    cr_assert_eq(s->nodes[0].kind, GM_HOST);
    cr_assert(s->nodes[0].end == s->n_nodes && s->nodes[0].n_pus == s->n_pus);
    AUTO(idset) seen = idset_make();
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i], *up = &s->nodes[n->parent];
        cr_assert(n->end > i && n->end <= up->end, "node %u leaves its parent", i);
        cr_assert(i == 0 || n->parent < i);
        cr_assert(n->first_pu >= up->first_pu &&
                  n->first_pu + n->n_pus <= up->first_pu + up->n_pus);
        unsigned sum[3] = {n->kind == GM_CORE, n->kind == GM_PU, n->kind == GM_GPU};
        for (unsigned c = i + 1; c < n->end; c = s->nodes[c].end) {
            cr_assert_eq(s->nodes[c].parent, i);
            sum[0] += s->nodes[c].n_cores;
            sum[1] += s->nodes[c].n_pus;
            sum[2] += s->nodes[c].n_gpus;
        }
        cr_assert(n->n_cores == sum[0] && n->n_pus == sum[1] && n->n_gpus == sum[2]);
        cores += n->kind == GM_CORE;
        gpus += n->kind == GM_GPU;
        if (n->kind != GM_PU)
            continue;
        pus++;
        cr_assert_eq(up->kind, GM_CORE, "a PU hangs below a core");
        cr_assert_eq(s->pus[n->first_pu], n->os_index);
        cr_assert_not(idset_has(seen, n->os_index));
        idset_add(seen, n->os_index);
    }
    cr_assert(cores == s->n_cores && pus == s->n_pus && gpus == s->n_gpus);
    cr_assert_eq(strlen(s->digest), 32);
}

Test(restree, synthetic_machines_have_the_counts_of_their_text)
{
    static const struct {
        const char *text;
        unsigned hosts, nodes, packages, numas, cores, pus;
    } rows[] = {
        {"pack:1 core:1 pu:1", 1, 5, 1, 1, 1, 1},
        {"pack:2 numa:1 core:4 pu:2", 1, 1 + 2 + 2 + 8 + 16, 2, 2, 8, 16},
        {"pack:2 numa:2 l3:2 core:4 pu:2", 1, 1 + 2 + 4 + 8 + 32 + 64, 2, 4, 32, 64},
        {"numa:2 pu:3", 1, 1 + 2 + 6 + 6, 0, 2, 6, 6}, /* no cores told: each PU is one */
        {"host:3 pack:1 core:2 pu:1", 3, 1 + 1 + 1 + 2 + 2, 1, 1, 2, 2},
        {"pack:1 l2:4 core:2 pu:1", 1, 1 + 1 + 1 + 4 + 8 + 8, 1, 1, 8, 8},
        {"pack:1 l2:4 core:1 pu:1", 1, 1 + 1 + 1 + 4 + 4, 1, 1, 4, 4}, /* private: left
                                                                          out */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(restree) tree = NULL;
        cr_assert_eq(
            restree_load_synthetic(rows[i].text, &tree, NULL), 0, "%s", rows[i].text);
        const struct topo_shape *s = &tree->shapes[0];
        check_shape(s);
        cr_expect(tree->n_hosts == rows[i].hosts && tree->n_shapes == 1);
        cr_expect(s->n_nodes == rows[i].nodes && s->n_packages == rows[i].packages &&
                      s->n_numas == rows[i].numas && s->n_cores == rows[i].cores &&
                      s->n_pus == rows[i].pus,
                  "%s: %u nodes, %u packages, %u numas, %u cores, %u pus",
                  rows[i].text,
                  s->n_nodes,
                  s->n_packages,
                  s->n_numas,
                  s->n_cores,
                  s->n_pus);
    }
}

Test(restree, bad_descriptions_are_refused)
{
    static const char *const rows[] = {"",
                                       "nonsense",
                                       "host:0 core:2",
                                       "host:x core:2",
                                       "host:99999999 core:1",
                                       "pack:2 core"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct restree *tree = NULL;
        struct gm_error err;
        cr_expect_eq(
            restree_load_synthetic(rows[i], &tree, &err), -EINVAL, "%s", rows[i]);
        cr_expect_null(tree);
    }
}

Test(restree, this_host_is_what_this_process_may_use)
{
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    cr_assert_eq(restree_load_host(&tree, &err), 0, "%s", err.text);
    check_shape(&tree->shapes[0]);
    AUTO(idset) mine = NULL;
    AUTO(idset) seen = idset_make();
    cr_assert_eq(bind_read(0, &mine, NULL), 0);
    for (unsigned i = 0; i < tree->shapes[0].n_pus; i++)
        idset_add(seen, tree->shapes[0].pus[i]);
    cr_expect(idset_equal(mine, seen));
    char name[256] = "";
    cr_assert_eq(gethostname(name, sizeof(name)), 0);
    cr_expect_str_eq(tree->hosts[0].name, name);
    cr_expect_null(getenv("HWLOC_PLUGINS_PATH"), "the environment is left as it was");
}

Test(restree, a_narrow_affinity_mask_narrows_the_host_but_not_the_machine)
{
    AUTO(idset) all = NULL;
    cr_assert_eq(bind_read(0, &all, NULL), 0);
    if (idset_count(all) < 2)
        cr_skip_test("needs two PUs");
    AUTO(idset) one = idset_make();
    idset_add(one, (unsigned)idset_next(all, (unsigned)idset_next(all, 0) + 1));
    cr_assert_eq(bind_set_all(one, NULL), 0);
    AUTO(restree) host = NULL;
    AUTO(restree) machine = NULL;
    cr_assert_eq(restree_load_host(&host, NULL), 0);
    cr_assert_eq(restree_load_machine(&machine, NULL), 0);
    cr_expect(host->shapes[0].n_pus == 1 && idset_has(one, host->shapes[0].pus[0]));
    cr_expect_geq(machine->shapes[0].n_pus, idset_count(all));
}

Test(restree, xml_read_back_is_the_same_machine)
{
    static const char *const rows[] = {
        "pack:2 numa:2 l3:2 core:4 pu:2", "core:3 pu:1", "pack:1 l2:4 core:2 pu:1"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(restree) a = NULL;
        AUTO(restree) b = NULL;
        cr_assert_eq(restree_load_synthetic(rows[i], &a, NULL), 0);
        const char *xml = a->shapes[0].xml;
        cr_assert_eq(restree_load_xml(xml, strlen(xml), "again", NULL, &b, NULL), 0);
        cr_expect_str_eq(a->shapes[0].digest, b->shapes[0].digest);
        cr_assert_eq(a->shapes[0].n_nodes, b->shapes[0].n_nodes);
        cr_expect_eq(memcmp(a->shapes[0].nodes,
                            b->shapes[0].nodes,
                            a->shapes[0].n_nodes * sizeof(struct topo_node)),
                     0);
    }
    AUTO(restree) host = NULL;
    AUTO(restree) back = NULL;
    cr_assert_eq(restree_load_host(&host, NULL), 0);
    const char *xml = host->shapes[0].xml;
    cr_assert_eq(restree_load_xml(xml, strlen(xml), "h", NULL, &back, NULL), 0);
    cr_expect_str_eq(host->shapes[0].digest, back->shapes[0].digest);
}

Test(restree, cpus_narrow_an_xml_machine)
{
    AUTO(restree) whole = NULL;
    cr_assert_eq(restree_load_synthetic("pack:2 numa:1 core:4 pu:2", &whole, NULL), 0);
    const char *xml = whole->shapes[0].xml;
    AUTO(idset) cpus = NULL;
    cr_assert_eq(idset_parse("2-4,99", &cpus, NULL), 0);
    AUTO(restree) part = NULL;
    cr_assert_eq(restree_load_xml(xml, strlen(xml), "n", cpus, &part, NULL), 0);
    check_shape(&part->shapes[0]);
    cr_expect(part->shapes[0].n_pus == 3 && part->shapes[0].n_cores == 2 &&
              part->shapes[0].n_packages == 1);
    AUTO(idset) elsewhere = NULL;
    cr_assert_eq(idset_parse("77", &elsewhere, NULL), 0);
    struct restree *none = NULL;
    struct gm_error err;
    cr_expect_eq(restree_load_xml(xml, strlen(xml), "n", elsewhere, &none, &err),
                 -EINVAL);
    cr_expect_not_null(strstr(err.text, "'77'"), "%s", err.text);
}

static char *replaced(const char *text, const char *from, const char *to)
{
    struct str out = {0};
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "%s", from);
    str_add_n(&out, text, (size_t)(at - text));
    str_add(&out, to);
    str_add(&out, at + strlen(from));
    return str_steal(&out);
}

Test(restree, the_digest_passes_over_names_but_not_over_shape)
{
    AUTO(restree) tree = NULL;
    cr_assert_eq(restree_load_synthetic("pack:1 l3:1 core:2 pu:1", &tree, NULL), 0);
    static const struct {
        const char *from, *to;
        bool same;
    } rows[] = {
        {"<info name=\"Backend\"",
         "<info name=\"HostName\" value=\"other\"/>\n    <info name=\"Backend\"",
         true},
        {"<info name=\"Backend\"",
         "<info name=\"DMIProductSerial\" value=\"S1\"/>\n    <info name=\"Backend\"",
         true},
        {"<info name=\"Backend\"",
         "<info name=\"CPUModel\" value=\"X\"/>\n    <info name=\"Backend\"",
         false},
        {"local_memory=\"1073741824\"", "local_memory=\"1073741900\"", true},
        {"local_memory=\"1073741824\"", "local_memory=\"3221225472\"", false},
        {"cache_size=\"16777216\"", "cache_size=\"33554432\"", false},
        {"gp_index=\"3\"", "gp_index=\"33\"", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_FREE(char) xml = replaced(tree->shapes[0].xml, rows[i].from, rows[i].to);
        AUTO(restree) other = NULL;
        struct gm_error err = {0};
        cr_assert_eq(restree_load_xml(xml, strlen(xml), "x", NULL, &other, &err),
                     0,
                     "%s",
                     err.text);
        cr_expect_eq(strcmp(other->shapes[0].digest, tree->shapes[0].digest) == 0,
                     rows[i].same,
                     "%s",
                     rows[i].to);
    }
}

/* pci_type: class, vendor and device, of the two devices of the golden machine. */
Test(restree, gpus_are_one_vendors_accelerators_and_not_the_console)
{
    static const struct {
        const char *first, *second;
        unsigned gpus;
    } rows[] = {
        {"0302 [10de:20b0]", "0302 [10de:20b0]", 2}, /* NVIDIA */
        {"1200 [1002:74a0]", "0380 [1002:740f]", 2}, /* AMD: accelerator, display */
        {"0300 [1a03:2000]", "0302 [10de:20b0]", 1}, /* a console beside one */
        {"0300 [1a03:2000]", "0300 [102b:0532]", 0}, /* consoles alone */
        {"0300 [1002:515e]", "0300 [1002:66a1]", 1}, /* AMD's console beside AMD's GPU */
        {"0302 [10de:20b0]", "1200 [1002:74a0]", 1}, /* two vendors: NVIDIA's count */
        {"0200 [10de:20b0]", "0108 [1002:74a0]", 0}, /* their network and disks */
    };
    const char *source = getenv("GRIDMILL_SOURCE");
    cr_assert_not_null(source, "GRIDMILL_SOURCE is not set");
    AUTO_STR path = {0};
    str_printf(&path, "%s/tests/golden/place/two-gpus.xml", source);
    AUTO_FREE(char) text = NULL;
    size_t len;
    cr_assert_eq(file_read(path.text, 1 << 20, &text, &len, NULL), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_FREE(char) half = replaced(text, "0302 [10de:20b0]", rows[i].first);
        AUTO_FREE(char) xml = replaced(half, "0302 [10de:20b5]", rows[i].second);
        AUTO(restree) tree = NULL;
        struct gm_error err = {0};
        cr_assert_eq(restree_load_xml(xml, strlen(xml), "g", NULL, &tree, &err),
                     0,
                     "%s",
                     err.text);
        check_shape(&tree->shapes[0]);
        cr_expect_eq(
            tree->shapes[0].n_gpus, rows[i].gpus, "%zu: %u", i, tree->shapes[0].n_gpus);
    }
}

/* "parents": the kind that the GPUs hang below. */
Test(restree, gpus_in_a_synthetic_text_hang_where_it_says)
{
    static const struct {
        const char *text;
        unsigned gpus, parent;
    } rows[] = {
        {"pack:2 numa:2 core:4 pu:2 gpu:2", 8, GM_NUMA},
        {"host:4 pack:2 numa:2 core:8 pu:2 gpu:2", 8, GM_NUMA},
        {"pack:2 gpu:2 core:4", 4, GM_PACKAGE},
        {"pack:2 core:4 gpu:3", 6, GM_PACKAGE},
        {"core:4 gpu:3", 3, GM_NUMA}, /* hwloc's one NUMA node holds the host's cores */
        {"host:2 gpu:5 pack:2 core:4", 5, GM_NUMA},
        {"gpu:1 pack:2 numa:1 core:4", 1, GM_HOST},
        {"numa:4 core:1 gpu:1", 4, GM_NUMA},
        {"pack:2 [numa][numa] core:4 gpu:1", 2, GM_NUMA},
        {"pack:1 l3:4 gpu:1 core:2", 4, GM_CACHE},
        {"pack:1 numa:2(memory=4GB indexes=1,0) core:2 gpu:1", 2, GM_NUMA},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(restree) tree = NULL;
        AUTO(restree) back = NULL;
        struct gm_error err = {0};
        cr_assert_eq(
            restree_load_synthetic(rows[i].text, &tree, &err), 0, "%s", err.text);
        const struct topo_shape *s = &tree->shapes[0];
        check_shape(s);
        cr_expect_eq(s->n_gpus, rows[i].gpus, "%s: %u", rows[i].text, s->n_gpus);
        for (unsigned g = 0; g < s->n_gpus; g++) {
            const struct topo_node *node = &s->nodes[s->gpus[g].node];
            cr_expect(node->kind == GM_GPU && node->os_index == g);
            cr_expect_eq(s->nodes[node->parent].kind, rows[i].parent, "%s", rows[i].text);
        }
        cr_expect_eq(restree_load_xml(s->xml, strlen(s->xml), "b", NULL, &back, &err),
                     0,
                     "%s",
                     err.text);
        cr_expect_str_eq(back->shapes[0].digest, s->digest);
        cr_expect(
            back->shapes[0].n_nodes == s->n_nodes &&
            memcmp(back->shapes[0].nodes, s->nodes, s->n_nodes * sizeof(*s->nodes)) == 0);
    }
    AUTO(restree) with = NULL;
    AUTO(restree) without = NULL;
    cr_assert_eq(restree_load_synthetic("pack:2 core:2 gpu:1", &with, NULL), 0);
    cr_assert_eq(restree_load_synthetic("pack:2 core:2", &without, NULL), 0);
    cr_expect_str_neq(with->shapes[0].digest, without->shapes[0].digest);
}

Test(restree, our_words_in_a_synthetic_text_are_refused_with_their_place)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"pack:2 core:4 gpu:1 pu:2", "character 15: gpu:N stands behind"},
        {"pack:2 gpu:x core:4", "character 8: gpu:N wants a number"},
        {"pack:2 gpu:257 core:4", "character 8: gpu:N wants a number"},
        {"pack:2 gpu:1 gpu:1 core:4", "character 14: gpu:N stands once"},
        {"pack:2 host:2 core:4", "character 8: host:N stands in front"},
        {"host:65537 core:4", "character 1: host:N wants"},
        {"pack:4 core:5000 pu:2", "character 8: this makes more than 16384 PUs"},
        {"pack:99999999999 core:4", "more than 16384 PUs"},
        {"numa:200 core:1 gpu:2", "more than 256 GPUs"},
        {"gpu:2", "no core"},
        /* What hwloc would read otherwise, or end the process over. */
        {"pack:2 core:0x40000", "character 8: describes no machine"},
        {"core:+1000000", "character 1: describes no machine"},
        {"core:010", "character 1: describes no machine"},
        {"pack:2core:100000", "character 1: describes no machine"},
        {"pack:2(memory=1GB)core:100000", "character 1: describes no machine"},
        {"pack:2 [numa]core:100000 pu:1", "character 8: describes no machine"},
        {"core:2 pu:2(indexes=0,1,2,4294967294)", "character 8: indexes are below"},
        {"pack:2 [numa(indexes=0,99999999)] core:2", "character 8: indexes are below"},
        {"core:4(indexes=1*65536:1*65536:1*65536:1*65536)", "character 1: indexes are"},
        {"core:4(indexes=1*0x10000:1*0x10000)", "character 1: indexes are"},
        {"core:4(indexes=1*-65536:1*-)", "character 1: indexes are"},
        {"core:16384", "so many objects side by side"},
        {"pack:8192 core:2", "so many objects side by side"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct restree *tree = NULL;
        struct gm_error err = {0};
        cr_expect_eq(restree_load_synthetic(rows[i].text, &tree, &err), -EINVAL);
        cr_expect(tree == NULL && strstr(err.text, rows[i].says) != NULL,
                  "%s: %s",
                  rows[i].text,
                  err.text);
    }
}

/* The second memory of a package, by what its line in the XML says. */
Test(restree, memory_beside_drams_is_what_hwloc_calls_it)
{
    static const struct {
        const char *subtype, *info;
        uint32_t trait;
    } rows[] = {
        {"", "", TOPO_DRAM},
        {" subtype=\"MCDRAM\"", "", TOPO_HBM},
        {" subtype=\"HBM\"", "", TOPO_HBM},
        {" subtype=\"GPUMemory\"", "", TOPO_GPU_MEMORY},
        {" subtype=\"CXL-DRAM\"", "", TOPO_FAR},
        {" subtype=\"NVM\"", "", TOPO_FAR},
        {" subtype=\"DRAM\"", "", TOPO_DRAM},
        {"", "<info name=\"DAXType\" value=\"NVM\"/>", TOPO_FAR},
        {"", "<info name=\"CXLDevice\" value=\"0000:6b:00.0\"/>", TOPO_FAR},
    };
    AUTO(restree) plain = NULL;
    cr_assert_eq(restree_load_synthetic("pack:1 [numa][numa] core:2", &plain, NULL), 0);
    const char *second = strstr(plain->shapes[0].xml, "type=\"NUMANode\" os_index=\"1\"");
    cr_assert_not_null(second);
    const char *end = strchr(second, '>');
    bool closed = end[-1] == '/'; /* else it has something in it already */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_STR xml = {0};
        str_add_n(
            &xml, plain->shapes[0].xml, (size_t)(end - closed - plain->shapes[0].xml));
        str_printf(&xml, "%s>\n%s", rows[i].subtype, rows[i].info);
        str_printf(&xml, "%s%s", closed ? "</object>" : "", end + 1);
        AUTO(restree) tree = NULL;
        struct gm_error err = {0};
        cr_assert_eq(restree_load_xml(xml.text, xml.len, "m", NULL, &tree, &err),
                     0,
                     "%s",
                     err.text);
        const struct topo_shape *s = &tree->shapes[0];
        cr_assert_eq(s->n_numas, 2);
        for (unsigned n = 0; n < s->n_nodes; n++) {
            if (s->nodes[n].kind == GM_NUMA)
                cr_expect_eq(s->nodes[n].trait,
                             s->nodes[n].os_index == 1 ? rows[i].trait : TOPO_DRAM,
                             "%zu: %u",
                             i,
                             s->nodes[n].trait);
            if (s->nodes[n].kind == GM_NUMA)
                cr_expect_eq(s->nodes[n].n_cores, s->nodes[n].os_index == 0 ? 2 : 0);
        }
    }
}

Test(restree, kinds_of_cores_are_ranked_the_slowest_first)
{
    AUTO(restree) plain = NULL;
    cr_assert_eq(restree_load_synthetic("pack:1 core:4 pu:1", &plain, NULL), 0);
    cr_expect_eq(plain->shapes[0].n_kinds, 1);
    AUTO_FREE(char)
    xml = replaced(
        plain->shapes[0].xml,
        "</topology>",
        "<cpukind cpuset=\"0x00000003\" forced_efficiency=\"900\"/>\n"
        "<cpukind cpuset=\"0x0000000c\" forced_efficiency=\"100\"/>\n</topology>");
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    cr_assert_eq(
        restree_load_xml(xml, strlen(xml), "h", NULL, &tree, &err), 0, "%s", err.text);
    const struct topo_shape *s = &tree->shapes[0];
    cr_expect_eq(s->n_kinds, 2);
    for (unsigned n = 0; n < s->n_nodes; n++) {
        if (s->nodes[n].kind == GM_CORE)
            cr_expect_eq(s->nodes[n].trait, s->pus[s->nodes[n].first_pu] < 2);
    }
    AUTO(idset) fast = NULL;
    AUTO(restree) part = NULL;
    cr_assert_eq(idset_parse("0-1", &fast, NULL), 0);
    cr_assert_eq(restree_load_xml(xml, strlen(xml), "h", fast, &part, &err), 0);
    cr_expect_eq(part->shapes[0].n_kinds, 1, "of one kind alone");
}

Test(restree, private_caches_are_noted_and_are_no_nodes)
{
    static const struct {
        const char *text;
        uint32_t caches;
    } rows[] = {
        {"pack:2 core:2 pu:2", 0},
        {"pack:2 l3:1 l2:2 l1d:1 core:1 pu:2", 1u << 2 | 1u << 1},
        {"pack:2 l2:2 l1d:2 core:1 pu:1", 1u << 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(restree) tree = NULL;
        cr_assert_eq(restree_load_synthetic(rows[i].text, &tree, NULL), 0);
        cr_expect_eq(tree->shapes[0].private_caches, rows[i].caches, "%s", rows[i].text);
    }
}

Test(restree, bad_xml_is_refused_with_the_name_and_nothing_on_stderr)
{
    static const struct {
        const char *xml, *says;
    } rows[] = {
        {"", "this is no XML"},
        {"hello", "this is no XML"},
        {"\x1f\x8b\x08 and more", "compressed by gzip: gunzip it first"},
        {"<a/>", "no <topology>"},
        {"<topology version=\"2.0\">", "cut off at line 1: <topology> of line 1"},
        {"<topology version=\"2.0\">\n<object type=\"Mach", "cut off at line 2"},
        {"<topology version=\"2.0\">\n<object type=\"Core\"></topology>",
         "line 2: nothing is closed by"},
        {"<topology version=\"2.0\"><object type=\"Machine\"/></topology>", "no PU"},
        {"<topology version=\"2.0\"><object type=\"pu\"/></topology>", "no type"},
        {"<topology version=\"2.0\"><object type=\"NUMANode\"/></topology>", "NUMA node"},
        {"<topology version=\"2.0\"><distances2 nbobjs=\"65536\"/></topology>",
         "'65536'"},
        {"<topology version=\"2.0\"><object type=\"PU\" os_index=\"4000000000\" "
         "cpuset=\"0x1\"/></topology>",
         "no number of a PU"},
        {"<topology version=\"2.0\"><object type=\"PU\" os_index=\"1\" "
         "cpuset=\"0xf...f\"/></topology>",
         "no set is"},
        {"<topology version=\"2.0\"><object type=\"Group\" cpuset=\"0x1\">"
         "<object type=\"Core\" cpuset=\"0x2\"/>"
         "</object></topology>",
         "the object around has not"},
        {"<topology version=\"2.0\"><object type=\"Core\"><object type=\"PU\" "
         "os_index=\"1\" cpuset=\"0x2\"/></object></topology>",
         "line 1: an object lacks cpuset"},
        {"<?xml version=\"1.0\"?>\n<topology version=\"3.0\">\n</topology>",
         "hwloc 3 wrote this XML, and hwloc 2 here reads versions 1 to 2: write it "
         "again, "
         "where hwloc 3 is, with `lstopo --export-xml-flags v2 FILE.xml`"},
    };
    AUTO_FILE quiet = tmpfile();
    int kept = dup(STDERR_FILENO);
    cr_assert(quiet != NULL && dup2(fileno(quiet), STDERR_FILENO) >= 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct restree *tree = NULL;
        struct gm_error err = {0};
        int rc = restree_load_xml(
            rows[i].xml, strlen(rows[i].xml), "m.xml", NULL, &tree, &err);
        cr_expect(rc == -EINVAL && tree == NULL, "%s", rows[i].xml);
        cr_expect(strstr(err.text, "m.xml") != NULL &&
                      strstr(err.text, rows[i].says) != NULL,
                  "%s",
                  err.text);
    }
    cr_expect_eq(lseek(STDERR_FILENO, 0, SEEK_CUR), 0, "hwloc printed");
    (void)dup2(kept, STDERR_FILENO);
    close(kept);
}

Test(restree, a_million_pus_are_refused_without_a_try)
{
    enum { N = 1000000 };
    AUTO_STR xml = {0};
    str_add(&xml, "<topology version=\"2.0\">\n<object type=\"Machine\">\n");
    for (unsigned i = 0; i < N; i++)
        str_printf(&xml, "<object type=\"PU\" os_index=\"%u\"/>\n", i);
    str_add(&xml, "</object></topology>\n");
    struct restree *tree = NULL;
    struct gm_error err = {0};
    cr_expect_eq(restree_load_xml(xml.text, xml.len, "big", NULL, &tree, &err), -EINVAL);
    cr_expect_str_eq(err.text,
                     "big: 1000000 PUs in one host are more than the 16384 that are read "
                     "here");
    cr_expect_null(tree);
}

Test(restree, joined_hosts_share_equal_shapes)
{
    struct restree *tree = NULL, *same = NULL, *other = NULL;
    cr_assert_eq(restree_load_synthetic("host:2 core:2 pu:1", &tree, NULL), 0);
    cr_assert_eq(restree_load_synthetic("core:2 pu:1", &same, NULL), 0);
    cr_assert_eq(restree_load_synthetic("host:2 core:4 pu:1", &other, NULL), 0);
    restree_join(tree, same);
    restree_join(tree, other);
    cr_expect(tree->n_hosts == 5 && tree->n_shapes == 2);
    static const unsigned want[] = {2, 2, 2, 4, 4};
    for (unsigned h = 0; h < 5; h++)
        cr_expect_eq(restree_shape(tree, h)->n_cores, want[h]);
    restree_free(tree);
    restree_free(NULL);
}

static struct restree *real_machine(const char *data, const char *file)
{
    AUTO_STR path = {0};
    AUTO_FREE(char) xml = NULL;
    size_t len;
    struct gm_error err = {0};
    struct restree *tree = NULL;
    str_printf(&path, "%s/hwloc-xml/%s", data, file);
    cr_assert_eq(file_read(path.text, 1 << 24, &xml, &len, &err), 0, "%s", err.text);
    int rc = restree_load_xml(xml, len, file, NULL, &tree, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return tree;
}

/* Two pairs of P100 on NVLink: the only links that are there. */
Test(restree, a_real_machines_links_and_names_survive_its_xml)
{
    const char *data = getenv("GRIDMILL_TEST_DATA");
    if (data == NULL)
        cr_skip_test("GRIDMILL_TEST_DATA is not set");
    AUTO(restree) tree = real_machine(data, "power8gpudistances.xml");
    AUTO(restree) back = NULL;
    const struct topo_shape *s = &tree->shapes[0];
    cr_assert(s->n_gpus == 4 && s->gpu_links != NULL);
    for (unsigned i = 0; i < 16; i++) {
        bool pair = i / 4 != i % 4 && i / 4 / 2 == i % 4 / 2;
        cr_expect_eq(s->gpu_links[i], pair ? 40000 : 0, "%u", i);
    }
    cr_expect_str_eq(s->gpus[2].pci, "000a:01:00.0");
    cr_expect_str_eq(s->gpus[2].name, "Tesla P100-SXM2-16GB");
    cr_assert_eq(restree_load_xml(s->xml, strlen(s->xml), "b", NULL, &back, NULL), 0);
    cr_expect_str_eq(back->shapes[0].digest, s->digest);
    cr_expect_eq(
        memcmp(back->shapes[0].gpu_links, s->gpu_links, 16 * sizeof(*s->gpu_links)), 0);
    cr_expect_str_eq(back->shapes[0].gpus[2].name, s->gpus[2].name);
}

Test(restree, real_memory_beside_dram)
{
    const char *data = getenv("GRIDMILL_TEST_DATA");
    if (data == NULL)
        cr_skip_test("GRIDMILL_TEST_DATA is not set");
    AUTO(restree) knl = real_machine(data, "64intel64-fakeKNL-SNC4-hybrid.xml");
    const struct topo_shape *s = &knl->shapes[0];
    for (unsigned i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].kind == GM_NUMA)
            cr_expect_eq(s->nodes[i].trait,
                         s->nodes[i].os_index < 4 ? TOPO_DRAM : TOPO_HBM);
    }
}

/* Real machines, when the folder with them is there: hwloc's, Flux's and mpibind's dumps.
 */
Test(restree, real_machines_have_the_counts_that_are_known_of_them)
{
    const char *data = getenv("GRIDMILL_TEST_DATA");
    if (data == NULL)
        cr_skip_test("GRIDMILL_TEST_DATA is not set");
    static const struct {
        const char *file;
        unsigned packages, numas, cores, pus, gpus;
    } rows[] = {
        {"16amd64-4distances.xml", 8, 8, 16, 16, 0},
        {"16amd64-8n2c-cpusets.xml", 6, 5, 10, 10, 0}, /* a cgroup leaves parts */
        {"16em64t-4s2c2t-offlines.xml", 4, 1, 6, 7, 0},
        {"64intel64-fakeKNL-SNC4-hybrid.xml", 1, 8, 16, 64, 0},
        {"power8gpudistances.xml", 2, 2, 8, 16, 4},
        {"28intel64-2p2g7c-CoDgroups.v1.xml", 2, 4, 28, 28, 0},
        {"fakecpukinds.xml", 1, 1, 2, 4, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_STR path = {0};
        str_printf(&path, "%s/hwloc-xml/%s", data, rows[i].file);
        AUTO_FREE(char) xml = NULL;
        size_t len;
        struct gm_error err = {0};
        cr_assert_eq(file_read(path.text, 1 << 24, &xml, &len, &err), 0, "%s", err.text);
        AUTO(restree) tree = NULL;
        cr_assert_eq(restree_load_xml(xml, len, rows[i].file, NULL, &tree, &err),
                     0,
                     "%s",
                     err.text);
        const struct topo_shape *s = &tree->shapes[0];
        check_shape(s);
        cr_expect(s->n_packages == rows[i].packages && s->n_numas == rows[i].numas &&
                      s->n_cores == rows[i].cores && s->n_pus == rows[i].pus &&
                      s->n_gpus == rows[i].gpus,
                  "%s: %u packages, %u numas, %u cores, %u pus, %u gpus",
                  rows[i].file,
                  s->n_packages,
                  s->n_numas,
                  s->n_cores,
                  s->n_pus,
                  s->n_gpus);
    }
}
