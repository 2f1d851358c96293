/* sched/match.h: requests (as RFC 46 shapes) on synthetic machines. Expected slots are
 * written by hand; on random machines the result is checked against brute force. */
#include "base/file.h"
#include "base/str.h"
#include "sched/allowed.h"
#include "sched/match.h"
#include "spec/shape.h"
#include "topo/cluster.h"

#include <criterion/criterion.h>

struct outcome {
    int code;
    struct str text; /* "default[0]: n0 0-1, n1 0-1; ..." or the sentence */
};

static void add_slots(const struct restree *tree, const struct match *m, struct str *out)
{
    for (unsigned i = 0; i < m->n_slots; i++) {
        const struct match_slot *s = &m->slots[i];
        str_printf(out, "%s%s[%u]:", i > 0 ? "; " : "", s->vertex->label, s->index);
        for (unsigned k = 0; k < s->n_parts; k++) {
            AUTO_FREE(char) pus = idset_format(s->parts[k].pus);
            AUTO_FREE(char) gpus = idset_format(s->parts[k].gpus);
            str_printf(out,
                       "%s %s %s%s%s",
                       k > 0 ? "," : "",
                       tree->hosts[s->parts[k].host].name,
                       pus,
                       *gpus != '\0' ? " gpu " : "",
                       gpus);
        }
    }
}

/* A synthetic description, or two packages of four cores and a GPU each (g0). */
#define GPUS "two-gpus.xml"

static struct restree *load_tree(const char *machine)
{
    struct restree *tree = NULL;
    struct gm_error err = {0};
    if (strcmp(machine, GPUS) != 0) {
        cr_assert_eq(restree_load_synthetic(machine, &tree, &err), 0, "%s", err.text);
        return tree;
    }
    const char *source = getenv("GRIDMILL_SOURCE");
    AUTO_STR path = {0};
    AUTO_FREE(char) xml = NULL;
    size_t len;
    str_printf(&path, "%s/tests/golden/place/" GPUS, source != NULL ? source : ".");
    cr_assert_eq(file_read(path.text, 1 << 20, &xml, &len, &err), 0, "%s", err.text);
    cr_assert_eq(restree_load_xml(xml, len, "g0", NULL, &tree, &err), 0, "%s", err.text);
    return tree;
}

/* held: PUs of the first host. */
static struct outcome match(const char *machine,
                            const char *held,
                            const char *shape,
                            const struct constraint *c)
{
    struct outcome o = {0};
    struct gm_error err = {0};
    AUTO(arena) a = arena_make();
    AUTO(restree) tree = load_tree(machine);
    AUTO(match) m = NULL;
    AUTO(idset) set = NULL;
    const struct resource *list;
    unsigned n;
    cr_assert_eq(shape_parse(a, shape, &list, &n, &err), 0, "%s: %s", shape, err.text);
    AUTO(occupancy) occ = occupancy_make(tree);
    cr_assert_eq(idset_parse(held, &set, NULL), 0);
    cr_assert_eq(occupancy_claim(occ, 0, set, NULL, NULL), 0);
    o.code = match_make(tree, occ, list, n, c, &m, &err);
    if (o.code == 0)
        add_slots(tree, m, &o.text);
    else
        str_add(&o.text, err.text);
    return o;
}

struct row {
    const char *machine, *held, *shape;
    int code;
    const char *want; /* the slots; of a failure a part of the sentence */
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct outcome o = match(rows[i].machine, rows[i].held, rows[i].shape, NULL);
        cr_expect_eq(o.code,
                     rows[i].code,
                     "%s on %s: code %d: %s",
                     rows[i].shape,
                     rows[i].machine,
                     o.code,
                     str_text(&o.text));
        bool same = rows[i].code == 0 ? strcmp(str_text(&o.text), rows[i].want) == 0
                                      : strstr(str_text(&o.text), rows[i].want) != NULL;
        cr_expect(same,
                  "%s on %s:\n  got  %s\n  want %s",
                  rows[i].shape,
                  rows[i].machine,
                  str_text(&o.text),
                  rows[i].want);
        str_free(&o.text);
    }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

/* Two hosts of 2 packages with 2 NUMA nodes of 2 cores with 2 PUs: 16 PUs a host. */
#define TWO "host:2 pack:2 numa:2 core:2 pu:2"

Test(match, slots_of_cores_fill_hosts_in_order_and_never_cut_a_domain_that_has_room)
{
    static const struct row rows[] = {
        {"core:2 pu:1", "", "slot/core", 0, "default[0]: n0 0"},
        {"core:2 pu:1", "", "slot=2/core", 0, "default[0]: n0 0; default[1]: n0 1"},
        {TWO, "", "slot/core=2", 0, "default[0]: n0 0-3"},
        {TWO, "", "slot=2/core=3", 0, "default[0]: n0 0-5; default[1]: n0 8-13"},
        /* a core of the first NUMA node is held: two cores stand together elsewhere */
        {TWO, "0", "slot/core=2", 0, "default[0]: n0 4-7"},
        {TWO,
         "",
         "slot=3/core=5",
         -EOVERFLOW,
         "3 slots 'default' are wanted, there is room for 2"},
        {"core:2 pu:1",
         "0",
         "slot=2/core",
         -ENOSPC,
         "does not fit now: 2 slots 'default' are wanted, there is room for 1"},
        {"core:2 pu:1",
         "",
         "slot=2147483647/core",
         -EOVERFLOW,
         "2147483647 slots 'default' are wanted, there is room for 2"},
        {"core:2 pu:1",
         "",
         "slot/core=2147483647",
         -EOVERFLOW,
         "2147483647 cores are wanted in each, there is room for 2"},
    };
    CHECK(rows);
}

Test(match, slots_below_nodes_sockets_and_caches_stay_inside_them)
{
    static const struct row rows[] = {
        {TWO,
         "",
         "node=2/slot=2/core=2",
         0,
         "default[0]: n0 0-3; default[1]: n0 4-7; default[2]: n1 0-3; default[3]: n1 "
         "4-7"},
        {TWO, "", "node/socket=2/slot/core", 0, "default[0]: n0 0-1; default[1]: n0 8-9"},
        {TWO,
         "",
         "socket=3/slot/core=4",
         0,
         "default[0]: n0 0-7; default[1]: n0 8-15; default[2]: n1 0-7"},
        {TWO,
         "0",
         "node=2/numanode=3/slot/core=2",
         0,
         "default[0]: n0 4-7; default[1]: n0 8-11; default[2]: n0 12-15; default[3]: n1 "
         "0-3; default[4]: n1 4-7; default[5]: n1 8-11"},
        {"pack:2 l3:2 core:2 pu:1",
         "",
         "l3cache=2/slot/core",
         0,
         "default[0]: n0 0; default[1]: n0 2"},
        /* a package around its only NUMA node stands below it as well */
        {"pack:2 numa:1 core:2 pu:1",
         "",
         "numanode=2/socket/slot/core",
         0,
         "default[0]: n0 0; default[1]: n0 2"},
        /* no packages, no shared L2: the host is the one, a core the other */
        {"core:2 pu:1",
         "",
         "socket/l2cache=2/slot/core",
         0,
         "default[0]: n0 0; default[1]: n0 1"},
        {TWO,
         "",
         "node=3/slot/core",
         -EOVERFLOW,
         "3 nodes are wanted, there is room for 2"},
        {TWO,
         "0-7",
         "node=2/slot=3/core=2",
         -ENOSPC,
         "2 nodes are wanted, there is room for 1, since 3 slots 'default' are wanted in "
         "each, there is room for 2"},
        {TWO, "", "cluster/slot/core", 0, "default[0]: n0 0-1"},
        {TWO,
         "",
         "cluster=2/slot/core",
         -EOVERFLOW,
         "2 clusters are wanted, there is room for 1"},
        {TWO,
         "",
         "rack/node=2{x}/slot/core",
         0,
         "default[0]: n0 0-1; default[1]: n1 0-1"},
    };
    CHECK(rows);
}

Test(match, a_slot_takes_whole_domains_and_several_hosts_where_it_is_above_them)
{
    static const struct row rows[] = {
        {TWO, "", "slot=2/node", 0, "default[0]: n0 0-15; default[1]: n1 0-15"},
        {TWO, "", "slot/node=2", 0, "default[0]: n0 0-15, n1 0-15"},
        {TWO, "0", "slot/node", 0, "default[0]: n1 0-15"},
        {TWO,
         "0",
         "slot=2/node",
         -ENOSPC,
         "2 slots 'default' are wanted, there is room for 1"},
        {TWO,
         "",
         "slot=3/socket",
         0,
         "default[0]: n0 0-7; default[1]: n0 8-15; default[2]: n1 0-7"},
        /* exactly the cores that are asked for, though the node is the job's alone */
        {TWO, "", "slot=2/node/core=2", 0, "default[0]: n0 0-3; default[1]: n1 0-3"},
        {TWO, "0", "slot=2/node/core=2", -ENOSPC, "room for 1"},
        {TWO,
         "0",
         "slot=2/node{-x}/core=2",
         0,
         "default[0]: n0 4-7; default[1]: n0 8-11"},
        {TWO, "", "slot/node/socket=2/core", 0, "default[0]: n0 0-1,8-9"},
        {TWO, "0", "node{x}/slot/core", 0, "default[0]: n1 0-1"},
        {TWO, "0", "node/slot/core", 0, "default[0]: n0 2-3"},
        {TWO, "", "slot=2/socket{-x}/core", 0, "default[0]: n0 0-1; default[1]: n0 2-3"},
        {TWO, "", "slot=2/socket/core", 0, "default[0]: n0 0-1; default[1]: n0 8-9"},
    };
    CHECK(rows);
}

Test(match, siblings_and_slots_in_slots_each_get_their_own)
{
    static const struct row rows[] = {
        {TWO,
         "",
         "node/[slot=2{read}/core;slot{db}/core=4]",
         0,
         "read[0]: n0 0-1; read[1]: n0 2-3; db[0]: n0 8-15"},
        {"host:2 core:4 pu:1",
         "",
         "[slot=2{a}/core;slot{b}/node]",
         0,
         "a[0]: n0 0; a[1]: n0 1; b[0]: n1 0-3"},
        {"host:2 core:4 pu:1",
         "",
         "[slot{b}/node;slot=2{a}/core]",
         0,
         "b[0]: n0 0-3; a[0]: n1 0; a[1]: n1 1"},
        /* the first would take the only place of the second: the larger goes first */
        {"host:2 core:4 pu:1",
         "0",
         "[node/slot{a}/core=2;node{x}/slot{b}/core=4]",
         0,
         "a[0]: n0 1-2; b[0]: n1 0-3"},
        {"pack:2 core:4 pu:1",
         "0-1",
         "[socket/slot=3{a}/core;socket/slot{b}/core=3]",
         -ENOSPC,
         "room for"},
        {"pack:2 core:4 pu:1",
         "0",
         "[socket/slot=3{a}/core;socket/slot{b}/core=4]",
         0,
         "a[0]: n0 1; a[1]: n0 2; a[2]: n0 3; b[0]: n0 4-7"},
        {"pack:2 core:4 pu:1",
         "4",
         "[socket/slot=3{a}/core;socket/slot{b}/core=4]",
         0,
         "a[0]: n0 5; a[1]: n0 6; a[2]: n0 7; b[0]: n0 0-3"},
        {"host:2 core:4 pu:1",
         "",
         "slot{out}/node=2/slot=2{in}/core",
         0,
         "out[0]: n0 0-1, n1 0-1; in[0]: n0 0; in[1]: n0 1; in[2]: n1 0; in[3]: n1 1"},
        {"core:4 pu:1",
         "",
         "slot=2{out}/[core;slot{in}/core]",
         0,
         "out[0]: n0 0-1; out[1]: n0 2-3; in[0]: n0 0; in[1]: n0 2"},
    };
    CHECK(rows);
}

Test(match, hardware_threads_and_memory_are_counted)
{
    static const struct row rows[] = {
        {"core:2 pu:2",
         "",
         "slot=3/pu",
         0,
         "default[0]: n0 0; default[1]: n0 1; default[2]: n0 2"},
        {"core:2 pu:2", "0", "slot/pu=2", 0, "default[0]: n0 2-3"},
        {"core:2 pu:2", "", "slot=2/core/pu", 0, "default[0]: n0 0; default[1]: n0 2"},
        {"core:2 pu:2",
         "",
         "core=2/slot=2/pu",
         0,
         "default[0]: n0 0; default[1]: n0 1; default[2]: n0 2; default[3]: n0 3"},
        {"numa:2(memory=1GB) core:4 pu:1",
         "",
         "slot=4/[core;memory=400{unit:MB}]",
         0,
         "default[0]: n0 0; default[1]: n0 1; default[2]: n0 2; default[3]: n0 3"},
        {"numa:2(memory=1GB) core:4 pu:1",
         "",
         "slot=2/[core;memory=1{unit:TiB}]",
         -EOVERFLOW,
         "memory of 1 TiB is wanted in each, there is room for 0"},
        {"numa:2(memory=1GB) core:4 pu:1",
         "",
         "numanode=2/slot=2/[core;memory=500{unit:MB}]",
         0,
         "default[0]: n0 0; default[1]: n0 1; default[2]: n0 4; default[3]: n0 5"},
        {"numa:2(memory=1GB) core:4 pu:1",
         "",
         "numanode=2/slot=2/[core;memory=600{unit:MB}]",
         -EOVERFLOW,
         "room for 1"},
        {"core:2 pu:1",
         "",
         "slot/[core;gpu]",
         -EOVERFLOW,
         "1 gpu is wanted in each, there is room for 0"},
    };
    CHECK(rows);
}

/* Flux allows `gpu: 0`, which no shape can say. */
Test(match, a_count_of_none_asks_for_nothing)
{
    struct resource in_slot[] = {{.type = "core", .count = count_fixed(1)},
                                 {.type = "gpu", .count = count_fixed(0)}};
    const struct resource slot = {.type = "slot",
                                  .label = "default",
                                  .count = count_fixed(2),
                                  .with = in_slot,
                                  .n_with = 2};
    AUTO(restree) tree = NULL;
    AUTO(match) m = NULL;
    cr_assert_eq(restree_load_synthetic("core:2 pu:1", &tree, NULL), 0);
    AUTO(occupancy) occ = occupancy_make(tree);
    cr_assert_eq(match_make(tree, occ, &slot, 1, NULL, &m, NULL), 0);
    cr_assert_eq(m->n_slots, 2);
}

/* match_within and match_where: what a slot has of a type. */
static char *within(const char *machine, const char *shape, const char *type)
{
    AUTO(arena) a = arena_make();
    AUTO(restree) tree = load_tree(machine);
    AUTO(match) m = NULL;
    const struct resource *list;
    unsigned n;
    struct str out = {0};
    cr_assert_eq(shape_parse(a, shape, &list, &n, NULL), 0);
    AUTO(occupancy) occ = occupancy_make(tree);
    cr_assert_eq(match_make(tree, occ, list, n, NULL, &m, NULL), 0);
    struct match_part *parts;
    match_within(tree, &m->slots[0].parts[0], type, &parts, &n);
    for (unsigned i = 0; i < n; i++) {
        AUTO_FREE(char) pus = idset_format(parts[i].pus);
        str_printf(&out, "%s%s in ", i > 0 ? "; " : "", pus);
        match_where(tree, &parts[i], &out);
    }
    match_parts_free(parts, n);
    return str_steal(&out);
}

Test(match, the_resources_of_a_slot_are_those_parts_that_are_its_own)
{
    static const struct {
        const char *shape, *type, *want;
    } rows[] = {
        {"slot/core=2", "core", "0-1 in package 0, NUMA 0; 2-3 in package 0, NUMA 0"},
        {"slot/core=3", "numanode", "0-3 in package 0, NUMA 0; 4-5 in package 0, NUMA 1"},
        {"slot/core=5", "socket", "0-7 in package 0; 8-9 in package 1, NUMA 2"},
        {"slot/core", "pu", "0 in package 0, NUMA 0; 1 in package 0, NUMA 0"},
        {"slot/core=5", "node", "0-9 in the host"},
        {"slot/core", "l2cache", "0-1 in package 0, NUMA 0"},
        {"slot/core", "gpu", ""},
        {"slot/core", "memory", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_FREE(char) got = within(TWO, rows[i].shape, rows[i].type);
        cr_expect_str_eq(
            got, rows[i].want, "%s of %s: %s", rows[i].type, rows[i].shape, got);
    }
}

Test(match, gpus_stand_beside_their_cores)
{
    static const struct row rows[] = {
        {GPUS,
         "",
         "slot=2/[core=2;gpu]",
         0,
         "default[0]: g0 0-1 gpu 0; default[1]: g0 4-5 gpu 1"},
        {GPUS, "0-1", "slot/[core=3;gpu]", 0, "default[0]: g0 4-6 gpu 1"},
        {GPUS, "", "slot/[core=2;gpu=2]", 0, "default[0]: g0 0-1 gpu 0-1"},
        {GPUS,
         "",
         "socket/slot/[core;gpu=2]",
         -EOVERFLOW,
         "2 gpus are wanted in each, there is room for 1"},
        {GPUS,
         "",
         "slot=1+/[core;gpu]",
         0,
         "default[0]: g0 0 gpu 0; default[1]: g0 4 gpu 1"},
        {GPUS, "", "slot/node", 0, "default[0]: g0 0-7 gpu 0-1"},
        /* a socket is the job's alone, and so is its GPU */
        {GPUS,
         "",
         "[socket{x}/slot{a}/core;slot{b}/[core;gpu]]",
         0,
         "a[0]: g0 0; b[0]: g0 4 gpu 1"},
        {GPUS,
         "",
         "[socket{x}/slot{a}/core;slot{b}/[core;gpu=2]]",
         -EOVERFLOW,
         "there is room for"},
    };
    CHECK(rows);
    AUTO_FREE(char) cores = within(GPUS, "slot/[core=6;gpu=2]", "gpu");
    cr_expect_str_eq(cores, "0-3 in package 0, NUMA 0; 4-5 in package 1, NUMA 1");
}

Test(match, moldable_counts_take_the_largest_that_fits)
{
    static const struct row rows[] = {
        {"core:4 pu:1",
         "",
         "slot=1-64/core=2",
         0,
         "default[0]: n0 0-1; default[1]: n0 2-3"},
        {"core:4 pu:1", "0", "slot=1-64/core=2", 0, "default[0]: n0 1-2"},
        {"core:8 pu:1",
         "",
         "slot=1,3/core=2",
         0,
         "default[0]: n0 0-1; default[1]: n0 2-3; default[2]: n0 4-5"},
        {"core:8 pu:1",
         "",
         "slot=2-65536:2:^/core",
         0,
         "default[0]: n0 0; default[1]: n0 1; default[2]: n0 2; default[3]: n0 3"},
        /* the outermost first, with the least of the others */
        {"host:2 core:4 pu:1",
         "",
         "node=1+/slot=1+/core=1+",
         0,
         "default[0]: n0 0; default[1]: n0 1; default[2]: n0 2; default[3]: n0 3; "
         "default[4]: n1 0; default[5]: n1 1; default[6]: n1 2; default[7]: n1 3"},
        {"host:2 core:4 pu:1", "", "slot/core=1+", 0, "default[0]: n0 0-3"},
        {"host:2 core:4 pu:1",
         "0-1",
         "node=2/slot=1+/core",
         0,
         "default[0]: n0 2; default[1]: n0 3; default[2]: n1 0; default[3]: n1 1"},
        {"host:2 core:4 pu:1", "", "slot/node=1+", 0, "default[0]: n0 0-3, n1 0-3"},
        {"core:4 pu:1",
         "",
         "slot=5-9/core",
         -EOVERFLOW,
         "5 slots 'default' are wanted, there is room for 4"},
        {"core:4 pu:1", "0", "slot=4+/core", -ENOSPC, "there is room for 3"},
    };
    CHECK(rows);
}

Test(match, what_no_machine_has_is_one_sentence_with_the_type)
{
    static const struct row rows[] = {
        {"core:2 pu:1",
         "",
         "slot/[core;ssd]",
         -EINVAL,
         "type 'ssd' is nothing this machine has"},
        {"core:2 pu:1", "", "slot/cores=2", -EINVAL, "did you mean 'core'?"},
        {"core:2 pu:1",
         "",
         "slot/[core;memory=2{unit:furlong}]",
         -EINVAL,
         "unit 'furlong'"},
        {"core:2 pu:1", "", "slot/gpu", -EINVAL, "slot 'default' has no core"},
        {"core:2 pu:1", "", "slot/node{-x}", -EINVAL, "slot 'default' has no core"},
        {"core:2 pu:1", "", "slot/[core;gpu/core]", -EINVAL, "below gpu"},
    };
    CHECK(rows);
}

Test(match, constraints_narrow_the_hosts)
{
    static const char *const names[] = {"n0"};
    const struct constraint n0 = {.op = CONSTRAINT_HOSTLIST, .values = names, .n = 1};
    const struct constraint not_n0 = {.op = CONSTRAINT_NOT, .args = &n0, .n = 1};
    struct outcome o = match(TWO, "", "slot/core", &not_n0);
    cr_expect_str_eq(str_text(&o.text), "default[0]: n1 0-1");
    str_free(&o.text);
    o = match(TWO, "", "node=2/slot/core", &not_n0);
    cr_expect_eq(o.code, -EOVERFLOW);
    cr_expect(
        strstr(str_text(&o.text), "`constraints` allows") != NULL, "%s", o.text.text);
    str_free(&o.text);
}

Test(match, constraints_ask_for_the_properties_of_a_cluster_file)
{
    static const char text[] = "hosts:\n"
                               "  - {name: 'a[1-2]', topology: 'core:2'}\n"
                               "  - {name: b, topology: 'core:2', properties: [blue]}\n";
    static const char *const names[] = {"blue"};
    const struct constraint blue = {.op = CONSTRAINT_PROPERTIES, .values = names, .n = 1};
    char path[] = "/tmp/test-match-XXXXXX.yaml";
    AUTO_FD fd = mkstemps(path, 5);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    AUTO(restree) tree = NULL;
    struct gm_error err = {0};
    int rc = cluster_load(path, &tree, &err);
    (void)unlink(path);
    cr_assert_eq(rc, 0, "%s", err.text);
    AUTO(idset) all = allowed_hosts(tree, NULL);
    AUTO(idset) some = allowed_hosts(tree, &blue);
    AUTO_FREE(char) of_all = idset_format(all);
    AUTO_FREE(char) of_some = idset_format(some);
    cr_expect_str_eq(of_all, "0-2");
    cr_expect_str_eq(of_some, "2");
}

/* What is exclusive around a slot is the job's alone, though it is no slot's. */
Test(match, a_job_holds_more_than_its_slots)
{
    AUTO(arena) a = arena_make();
    AUTO(restree) tree = NULL;
    const struct resource *list;
    unsigned n;
    cr_assert_eq(restree_load_synthetic("pack:2 core:2 pu:1", &tree, NULL), 0);
    cr_assert_eq(shape_parse(a, "slot/socket/core", &list, &n, NULL), 0);
    AUTO(occupancy) occ = occupancy_make(tree);
    for (unsigned job = 0; job < 3; job++) {
        AUTO(match) m = NULL;
        int rc = match_make(tree, occ, list, n, NULL, &m, NULL);
        cr_assert_eq(rc, job < 2 ? 0 : -ENOSPC);
        if (rc != 0)
            break;
        cr_assert_eq(m->n_held, 1);
        cr_assert_eq(idset_count(m->slots[0].parts[0].pus), 1);
        cr_assert_eq(idset_count(m->held[0].pus), 2);
        cr_assert_eq(occupancy_claim(occ, 0, m->held[0].pus, m->held[0].gpus, NULL), 0);
    }
}

/* ---- random machines ---- */

static unsigned dice(uint64_t *seed, unsigned n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(*seed >> 33) % n;
}

/* How many slots of `cores` have room in a domain, by counting free cores by hand. */
static unsigned free_in(const struct restree *tree,
                        const struct occupancy *occ,
                        unsigned host,
                        unsigned node)
{
    const struct topo_shape *s = restree_shape(tree, host);
    unsigned n = 0;
    for (unsigned i = node; i < s->nodes[node].end; i++) {
        bool is_free = s->nodes[i].kind == GM_CORE;
        for (unsigned k = 0; is_free && k < s->nodes[i].n_pus; k++)
            is_free = occupancy_pu_free(occ, host, s->pus[s->nodes[i].first_pu + k]);
        n += is_free;
    }
    return n;
}

struct sample {
    struct restree *tree;
    struct occupancy *occ;
    unsigned nodes, sockets, cores; /* "node=A/socket=B/slot=1+/core=C" */
};

static int descending(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x > y ? -1 : x < y;
}

/* The most slots a socket so that `nodes` hosts have `sockets` sockets with that many. */
static unsigned most_slots(const struct sample *s)
{
    unsigned per_host[8] = {0};
    for (unsigned h = 0; h < s->tree->n_hosts; h++) {
        const struct topo_shape *shape = restree_shape(s->tree, h);
        unsigned room[8] = {0}, n = 0;
        for (unsigned i = 0; i < shape->n_nodes; i++) {
            if (shape->nodes[i].kind == GM_PACKAGE)
                room[n++] = free_in(s->tree, s->occ, h, i) / s->cores;
        }
        qsort(room, n, sizeof(room[0]), descending);
        per_host[h] = s->sockets <= n ? room[s->sockets - 1] : 0;
    }
    qsort(per_host, s->tree->n_hosts, sizeof(per_host[0]), descending);
    return s->nodes <= s->tree->n_hosts ? per_host[s->nodes - 1] : 0;
}

/* Free, apart from each other, of the size asked for, each inside one package. */
static void
check_slots(const struct sample *s, const struct match *m, unsigned pus_a_core)
{
    AUTO(occupancy) left = occupancy_dup(s->occ);
    for (unsigned i = 0; i < m->n_slots; i++) {
        cr_assert_eq(m->slots[i].n_parts, 1);
        const struct match_part *p = &m->slots[i].parts[0];
        const struct topo_shape *shape = restree_shape(s->tree, p->host);
        cr_assert_eq(occupancy_claim(left, p->host, p->pus, p->gpus, NULL), 0);
        cr_assert_eq(idset_count(p->pus), s->cores * pus_a_core);
        bool inside = false;
        for (unsigned k = 0; k < shape->n_nodes; k++) {
            AUTO(idset) own = idset_make();
            for (unsigned u = 0; u < shape->nodes[k].n_pus; u++)
                idset_add(own, shape->pus[shape->nodes[k].first_pu + u]);
            inside |= shape->nodes[k].kind == GM_PACKAGE && idset_subset(p->pus, own);
        }
        cr_assert(inside, "slot %u crosses packages", i);
    }
}

Test(match, on_random_machines_the_most_slots_that_brute_force_finds)
{
    uint64_t seed = 12;
    unsigned fitted = 0;
    for (unsigned round = 0; round < 1000; round++) {
        AUTO_STR machine = {0};
        AUTO_STR shape = {0};
        AUTO(arena) a = arena_make();
        AUTO(restree) tree = NULL;
        unsigned pus = 1 + dice(&seed, 2);
        str_printf(&machine,
                   "host:%u pack:%u core:%u pu:%u",
                   1 + dice(&seed, 4),
                   1 + dice(&seed, 3),
                   1 + dice(&seed, 8),
                   pus);
        cr_assert_eq(restree_load_synthetic(machine.text, &tree, NULL), 0);
        AUTO(occupancy) occ = occupancy_make(tree);
        for (unsigned i = dice(&seed, 30); i > 0; i--) {
            AUTO(idset) one = idset_make();
            unsigned host = dice(&seed, tree->n_hosts);
            idset_add(one, dice(&seed, restree_shape(tree, host)->n_pus));
            (void)occupancy_claim(occ, host, one, NULL, NULL);
        }
        struct sample s = {tree,
                           occ,
                           1 + dice(&seed, tree->n_hosts),
                           1 + dice(&seed, 2),
                           1 + dice(&seed, 3)};
        const struct resource *list;
        unsigned n;
        AUTO(match) m = NULL;
        str_printf(
            &shape, "node=%u/socket=%u/slot=1+/core=%u", s.nodes, s.sockets, s.cores);
        cr_assert_eq(shape_parse(a, shape.text, &list, &n, NULL), 0);
        unsigned most = most_slots(&s);
        int rc = match_make(tree, occ, list, n, NULL, &m, NULL);
        cr_assert_eq(rc == 0, most > 0, "%s on %s: %d", shape.text, machine.text, rc);
        if (rc != 0)
            continue;
        fitted++;
        cr_assert_eq(
            m->n_slots, s.nodes * s.sockets * most, "%s on %s", shape.text, machine.text);
        check_slots(&s, m, pus);
    }
    cr_assert_gt(fitted, 200);
}
