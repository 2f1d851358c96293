/* sched/mapby.h against PRRTE's own maps ($GRIDMILL_TEST_DATA/prrte-maps): for the same
 * words on the same machines, each rank on the same host and bound to the same cores. The
 * data are of others and stand outside the repository. */
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "sched/mapby.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <zlib.h>

enum { MOST_APPS = 3, MOST_RANKS = 32 };

/* Slots a host: what a case of the golden maps runs on. */
static const unsigned single[] = {8, 0}, even[] = {8, 8, 8, 0}, uneven[] = {8, 4, 0};

/* The requests behind the maps, as the README of the data has them. Where it names no
 * map-by (rank.node-slot), the maps tell which one stood for it: core. */
static const struct request {
    const char *name; /* "KIND.TOPOLOGY.NAME" without its topology */
    const unsigned *slots;
    struct mapby_app apps[MOST_APPS];
} requests[] = {
    {"matrix..even.m-core.r-fill.b-core.n7", even, {{{"core", "fill", "core"}, 7, 0}}},
    {"matrix..even.m-core.r-node.b-core.n7", even, {{{"core", "node", "core"}, 7, 0}}},
    {"matrix..even.m-core.r-slot.b-core.n7", even, {{{"core", "slot", "core"}, 7, 0}}},
    {"matrix..even.m-core.r-slot.b-none.n7", even, {{{"core", "slot", "none"}, 7, 0}}},
    {"matrix..even.m-core.r-span.b-core.n7", even, {{{"core", "span", "core"}, 7, 0}}},
    {"matrix..even.m-hwthread.r-slot.b-none.n7",
     even,
     {{{"hwthread", "slot", "none"}, 7, 0}}},
    {"matrix..even.m-l1cache.r-slot.b-none.n7",
     even,
     {{{"l1cache", "slot", "none"}, 7, 0}}},
    {"matrix..even.m-l2cache.r-slot.b-none.n7",
     even,
     {{{"l2cache", "slot", "none"}, 7, 0}}},
    {"matrix..even.m-l3cache.r-slot.b-none.n7",
     even,
     {{{"l3cache", "slot", "none"}, 7, 0}}},
    {"matrix..even.m-node.r-slot.b-none.n7", even, {{{"node", "slot", "none"}, 7, 0}}},
    {"matrix..even.m-numa.r-slot.b-none.n7", even, {{{"numa", "slot", "none"}, 7, 0}}},
    {"matrix..even.m-package.r-slot.b-none.n7",
     even,
     {{{"package", "slot", "none"}, 7, 0}}},
    {"matrix..even.m-slot.r-slot.b-none.n7", even, {{{"slot", "slot", "none"}, 7, 0}}},
    {"group..oversub", uneven, {{{"core:oversubscribe", "slot", "core"}, 16, 0}}},
    {"group..ppr", single, {{{"ppr:2:package", NULL, "package"}, 0, 0}}},
    {"group..multiapp",
     even,
     {{{"core", "slot", "core"}, 2, 0}, {{"core", "slot", "core"}, 3, 0}}},
    {"perapp..map.node-slot",
     even,
     {{{"node", NULL, NULL}, 3, 0}, {{"slot", NULL, NULL}, 3, 0}}},
    {"perapp..bind.numa-core",
     even,
     {{{"numa", NULL, "numa"}, 2, 0}, {{"core", NULL, "core"}, 2, 0}}},
    {"perapp..rank.node-slot",
     even,
     {{{NULL, "node", NULL}, 4, 0}, {{NULL, "slot", NULL}, 4, 0}}},
    {"perapp..jobqual",
     even,
     {{{"slot:oversubscribe", NULL, NULL}, 14, 0}, {{"node", NULL, NULL}, 14, 0}}},
    {"perapp..map.three",
     even,
     {{{"package", NULL, NULL}, 2, 0},
      {{"l3cache", NULL, NULL}, 2, 0},
      {{"core", NULL, NULL}, 2, 0}}},
    {"perapp..map.pelist",
     even,
     {{{"pe-list=0-1", NULL, NULL}, 2, 0}, {{"pe-list=4-5", NULL, NULL}, 2, 0}}},
};
enum { N_REQUESTS = sizeof(requests) / sizeof(requests[0]) };

/* ---- machines ---- */

static const char *data_folder(void)
{
    const char *data = getenv("GRIDMILL_TEST_DATA");
    if (data == NULL)
        cr_skip_test("GRIDMILL_TEST_DATA is not set");
    return data;
}

/* node0, node1 ... with the topology of a file and so many slots. */
static struct restree *machine(const char *topology, const unsigned *slots)
{
    AUTO_STR path = {0};
    struct str xml = {0};
    struct restree *tree = NULL;
    char part[1 << 16];
    int n;
    str_printf(&path, "%s/prrte-maps/%s.xml.gz", data_folder(), topology);
    gzFile in = gzopen(path.text, "rb");
    cr_assert_not_null(in, "%s", path.text);
    while ((n = gzread(in, part, sizeof(part))) > 0)
        str_add_n(&xml, part, (size_t)n);
    (void)gzclose(in);
    for (unsigned i = 0; slots[i] != 0; i++) {
        struct restree *host = NULL;
        char name[16];
        struct gm_error err = {0};
        (void)snprintf(name, sizeof(name), "node%u", i);
        cr_assert_eq(restree_load_xml(xml.text, xml.len, name, NULL, &host, &err),
                     0,
                     "%s",
                     err.text);
        host->hosts[0].slots = slots[i];
        if (tree == NULL)
            tree = host;
        else
            restree_join(tree, host);
    }
    for (unsigned i = 0; slots[i] != 0; i++)
        tree->hosts[i].slots = slots[i];
    str_free(&xml);
    return tree;
}

static struct placement *map(const struct restree *tree,
                             const struct mapby_app *apps,
                             int *ret_rc,
                             struct gm_error *err)
{
    AUTO(occupancy) occ = occupancy_make(tree);
    struct placement *p = NULL;
    unsigned n = 0;
    while (n < MOST_APPS && (apps[n].n_ranks > 0 || apps[n].words.map_by != NULL))
        n++;
    *ret_rc = mapby_map(tree, occ, apps, n, &p, err);
    return p;
}

/* ---- tables of rank, host and cores as text ---- */

/* "3 node1 0-15": logical cores; "-": not bound. */
static void
our_table(const struct restree *tree, const struct placement *p, struct str *out)
{
    for (unsigned r = 0; r < p->n_ranks; r++) {
        const struct place_seat *seat = &p->seats[r];
        const struct topo_shape *s = restree_shape(tree, seat->host);
        AUTO(idset) cores = idset_make();
        unsigned core = 0;
        for (unsigned i = 0; i < s->n_nodes; i++) {
            if (s->nodes[i].kind != GM_CORE)
                continue;
            if (idset_has(seat->pus, s->pus[s->nodes[i].first_pu]))
                idset_add(cores, core);
            core++;
        }
        AUTO_FREE(char) text = idset_format(cores);
        bool bound = strstr(seat->reason, "not bound") == NULL;
        str_printf(
            out, "%u %s %s\n", r, tree->hosts[seat->host].name, bound ? text : "-");
    }
}

/* The line of one process, "... Process rank: 3 Bound: package[0][core:L0-15]". */
static unsigned read_line(const char *line, const char *host, struct str *out)
{
    const char *rank = strstr(line, "Process rank: "), *core = strstr(line, "[core:L");
    char text[32] = "-";
    cr_assert(core != NULL || strstr(line, "Bound: N/A") != NULL, "%s", line);
    if (core != NULL)
        (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(core + 7, "]"), core + 7);
    unsigned number = (unsigned)strtoul(rank + 14, NULL, 10);
    str_printf(out, "%u %s %s\n", number, host, text);
    return number;
}

static void golden_table(char *text, struct str *out)
{
    struct str rows[MOST_RANKS] = {0};
    char host[32] = "", *rest = text, *line;
    unsigned n = 0;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (strncmp(line, "Data for node: ", 15) == 0)
            (void)snprintf(
                host, sizeof(host), "%.*s", (int)strcspn(line + 15, "\t"), line + 15);
        if (strstr(line, "Process rank: ") == NULL)
            continue;
        struct str row = {0};
        unsigned rank = read_line(line, host, &row);
        cr_assert(rank < MOST_RANKS && rows[rank].len == 0);
        rows[rank] = row;
        n++;
    }
    for (unsigned i = 0; i < n; i++) {
        str_add(out, str_text(&rows[i]));
        str_free(&rows[i]);
    }
    cr_assert_gt(n, 0);
}

static void compare(const char *topology, const struct request *q)
{
    AUTO_STR path = {0};
    const char *dots = strstr(q->name, "..");
    str_printf(&path,
               "%s/prrte-maps/golden/%s/%.*s.%s.%s.map",
               data_folder(),
               topology,
               (int)(dots - q->name),
               q->name,
               topology,
               dots + 2);
    AUTO_FREE(char) text = NULL;
    size_t len;
    struct gm_error err = {0};
    int rc;
    cr_assert_eq(file_read(path.text, 1 << 20, &text, &len, &err), 0, "%s", err.text);
    AUTO(restree) tree = machine(topology, q->slots);
    AUTO(placement) p = map(tree, q->apps, &rc, &err);
    cr_expect_eq(rc, 0, "%s: %s", path.text, err.text);
    if (rc != 0)
        return;
    AUTO_STR ours = {0};
    AUTO_STR theirs = {0};
    our_table(tree, p, &ours);
    golden_table(text, &theirs);
    cr_expect_str_eq(
        ours.text, theirs.text, "%s: we\n%sPRRTE\n%s", path.text, ours.text, theirs.text);
}

Test(prrte_maps, every_rank_stands_where_prrte_puts_it_test_topo)
{
    for (size_t i = 0; i < N_REQUESTS; i++)
        compare("test-topo", &requests[i]);
}

Test(prrte_maps, every_rank_stands_where_prrte_puts_it_turin)
{
    for (size_t i = 0; i < N_REQUESTS; i++)
        compare("turin-4gpu", &requests[i]);
}

/* The table above has each map of the data: none is left out. */
Test(prrte_maps, no_map_is_left_out)
{
    static const char *const topologies[] = {"test-topo", "turin-4gpu"};
    for (unsigned t = 0; t < 2; t++) {
        AUTO_STR path = {0};
        unsigned n = 0;
        str_printf(&path, "%s/prrte-maps/golden/%s", data_folder(), topologies[t]);
        DIR *folder = opendir(path.text);
        cr_assert_not_null(folder, "%s", path.text);
        for (const struct dirent *e; (e = readdir(folder)) != NULL;)
            n += strstr(e->d_name, ".map") != NULL;
        (void)closedir(folder);
        cr_expect_eq(n, N_REQUESTS, "%s: %u maps", topologies[t], n);
    }
}

/* ---- devices ---- */

/* turin-4gpu has no golden map by devices, since PRRTE refuses its GPUs: nobody told it
 * their names. With names it is the machine of PRRTE's turin-4gpu-nvml; there GPUs 0 to 3
 * are near cores 16-31, 32-47, 96-111 and 112-127, and the maps are these. */
static const struct device_case {
    struct mapby_app app;
    const char *table; /* "GPUS:CORES" a rank */
} device_cases[] = {
    {{{"device=gpu", "slot", "core"}, 4, 0}, "0:16 1:32 2:96 3:112"},
    {{{"device=gpu:interleave", "slot", "core"}, 4, 0}, "0:16 2:96 1:32 3:112"},
    {{{"device=gpu:shared", "slot", "core"}, 8, 0},
     "0:16 1:32 2:96 3:112 0:17 1:33 2:97 3:113"},
    {{{"ppr:2:device=gpu", "slot", "core"}, 8, 0},
     "0:16 0:17 1:32 1:33 2:96 2:97 3:112 3:113"},
    {{{"device=gpu:ndev=2", "slot", "package"}, 2, 0}, "0-1:0-63 2-3:64-127"},
    {{{"device=gpu", "slot", "core"}, 2, 0}, "0:16 1:32"},
    {{{"device=gpu:interleave", "slot", "core"}, 2, 0}, "0:16 2:96"},
};

static void name_gpus(struct restree *tree)
{
    for (unsigned i = 0; i < tree->shapes[0].n_gpus; i++)
        tree->shapes[0].gpus[i].name = "NVIDIA H100";
}

static void
device_table(const struct restree *tree, const struct placement *p, struct str *out)
{
    AUTO_STR rows = {0};
    our_table(tree, p, &rows);
    char *rest = rows.text, *line;
    for (unsigned r = 0; r < p->n_ranks && (line = strsep(&rest, "\n")) != NULL; r++) {
        AUTO_FREE(char) gpus = idset_format(p->seats[r].gpus);
        str_printf(out, "%s%s:%s", r > 0 ? " " : "", gpus, strrchr(line, ' ') + 1);
    }
}

Test(prrte_maps, ranks_by_devices_stand_where_prrte_puts_them)
{
    AUTO(restree) tree = machine("turin-4gpu", single);
    name_gpus(tree);
    for (size_t i = 0; i < sizeof(device_cases) / sizeof(device_cases[0]); i++) {
        const struct device_case *c = &device_cases[i];
        struct mapby_app apps[MOST_APPS] = {c->app};
        struct gm_error err = {0};
        int rc;
        AUTO(placement) p = map(tree, apps, &rc, &err);
        cr_assert_eq(rc, 0, "%s: %s", c->app.words.map_by, err.text);
        AUTO_STR table = {0};
        device_table(tree, p, &table);
        cr_expect_str_eq(table.text, c->table, "%s", c->app.words.map_by);
    }
}

/* ---- what PRRTE refuses, so do we ---- */

static const struct refusal {
    bool named; /* the GPUs have names */
    struct mapby_app app;
    int rc;
    const char *part; /* of the sentence */
} refusals[] = {
    {false, {{"slot", "fill", NULL}, 4, 0}, -EINVAL, "fill ranks by objects"},
    {false, {{"node", "span", NULL}, 4, 0}, -EINVAL, "span ranks by objects"},
    {false, {{"ppr:2:node", "fill", NULL}, 4, 0}, -EINVAL, "fill ranks by objects"},
    {false, {{"core", NULL, "numa"}, 4, 0}, -EINVAL, "numa is above core"},
    {false, {{"numa", NULL, "package"}, 4, 0}, -EINVAL, "package is above numa"},
    {false, {{"hwthread", NULL, "core"}, 4, 0}, -EINVAL, "core is above hwthread"},
    {false, {{"core", NULL, NULL}, 9, 0}, -EOVERFLOW, "9 ranks, but there are 8 slots"},
    {false, {{"core:PE=2", NULL, NULL}, 4, 0}, -EINVAL, "a core has one CPU"},
    {false, {{"numa:PE=2", NULL, "numa"}, 4, 0}, -EINVAL, "PE binds to CPUs"},
    {false, {{"pe-list=0,1", NULL, NULL}, 3, 0}, -EOVERFLOW, "only 2 of 3 ranks"},
    {false, {{"pe-list=0,64", NULL, NULL}, 2, 0}, -EINVAL, "the list spans packages"},
    {false, {{"pe-list=0,999", NULL, NULL}, 2, 0}, -EOVERFLOW, "core 999 of node0"},
    {false,
     {{"device=gpu", NULL, "core"}, 4, 0},
     -EOVERFLOW,
     "GPU 0 of node0 has no name"},
    {true, {{"device=gpu", NULL, "core"}, 8, 0}, -EOVERFLOW, "GPUs for 4"},
    {true, {{"device=gpu", NULL, "package"}, 4, 0}, -EINVAL, "reaches further"},
    {true, {{"core:shared", NULL, NULL}, 4, 0}, -EINVAL, "SHARED goes with device=gpu"},
};

Test(prrte_maps, what_prrte_refuses_is_refused)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *r = &refusals[i];
        AUTO(restree) tree = machine("turin-4gpu", single);
        struct mapby_app apps[MOST_APPS] = {r->app};
        struct gm_error err = {0};
        int rc;
        if (r->named)
            name_gpus(tree);
        AUTO(placement) p = map(tree, apps, &rc, &err);
        cr_expect_eq(rc, r->rc, "%s: %d %s", r->app.words.map_by, rc, err.text);
        cr_expect(
            strstr(err.text, r->part) != NULL, "%s: %s", r->app.words.map_by, err.text);
    }
}

/* A rank whose own GPU is held comes first, and takes the one that nobody is near to. */
Test(prrte_maps, ranks_with_near_gpus_take_them_before_others)
{
    struct mapby_app app = {.words = {"numa", NULL, "core"}, .n_ranks = 4, .gpus = 1};
    struct gm_error err = {0};
    AUTO(restree) tree = NULL;
    cr_assert_eq(restree_load_synthetic("numa:4 core:2 gpu:1", &tree, &err), 0);
    AUTO(occupancy) occ = occupancy_make(tree);
    AUTO(idset) held = idset_make();
    AUTO(idset) none = idset_make();
    AUTO(placement) p = NULL;
    cr_assert_eq(mapby_map(tree, occ, &app, 1, &p, &err), 0, "%s", err.text);
    for (unsigned r = 0; r < 4; r++)
        cr_expect(idset_has(p->seats[r].gpus, r), "rank %u", r);
    idset_add(held, 0);
    cr_assert_eq(occupancy_claim(occ, 0, none, held, &err), 0, "%s", err.text);
    AUTO(placement) q = NULL;
    app.n_ranks = 3;
    cr_assert_eq(mapby_map(tree, occ, &app, 1, &q, &err), 0, "%s", err.text);
    cr_expect(idset_has(q->seats[1].gpus, 1) && idset_has(q->seats[2].gpus, 2));
    cr_expect(idset_has(q->seats[0].gpus, 3), "what nobody is near to");
}
