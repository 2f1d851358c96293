/* sched/place.h: golden maps (tests/golden/place: a machine, a request, the plan and its
 * drawing; GM_BLESS=1 rewrites them) and properties on random machines, checked by brute
 * force. */
#include "base/file.h"
#include "base/str.h"
#include "sched/place.h"
#include "topo/draw.h"

#include <criterion/criterion.h>
#include <dirent.h>

/* ---- golden maps ---- */

static char *golden(const char *name, const char *suffix)
{
    const char *source = getenv("GRIDMILL_SOURCE");
    struct str path = {0};
    str_printf(
        &path, "%s/tests/golden/place/%s%s", source != NULL ? source : ".", name, suffix);
    return str_steal(&path);
}

static char *load(const char *name, const char *suffix)
{
    AUTO_FREE(char) path = golden(name, suffix);
    char *text = NULL;
    size_t len;
    struct gm_error err = {0};
    cr_assert_eq(file_read(path, 1 << 20, &text, &len, &err), 0, "%s", err.text);
    return text;
}

/* A synthetic description, or "FILE.xml" with "cpus=IDSET" after it. */
static struct restree *load_tree(const char *name)
{
    AUTO_FREE(char) text = load(name, ".topo");
    text[strcspn(text, "\n")] = '\0';
    struct restree *tree = NULL;
    struct gm_error err = {0};
    char *end = strstr(text, ".xml");
    if (end == NULL) {
        cr_assert_eq(restree_load_synthetic(text, &tree, &err), 0, "%s", err.text);
        return tree;
    }
    AUTO(idset) cpus = NULL;
    if (strstr(end, " cpus=") != NULL)
        cr_assert_eq(idset_parse(strstr(end, "cpus=") + 5, &cpus, NULL), 0);
    end[4] = '\0';
    AUTO_FREE(char) xml = load(text, "");
    cr_assert_eq(
        restree_load_xml(xml, strlen(xml), "g0", cpus, &tree, &err), 0, "%s", err.text);
    return tree;
}

/* "ranks=4 cores=2 mapping=auto oversubscribe held=0-3": held PUs are of the first host.
 */
struct asked {
    struct place_request req;
    char mapping[32], held[64];
};

static void read_request(const char *name, struct asked *ret)
{
    AUTO_FREE(char) text = load(name, ".req");
    struct asked a = {0};
    char *rest = text, *word;
    while ((word = strsep(&rest, " \n")) != NULL) {
        unsigned long n =
            strchr(word, '=') != NULL ? strtoul(strchr(word, '=') + 1, NULL, 10) : 1;
        const struct {
            const char *key;
            unsigned *to;
        } numbers[] = {
            {"ranks=", &a.req.ranks},
            {"nodes=", &a.req.nodes},
            {"ranks-per-node=", &a.req.ranks_per_node},
            {"cores=", &a.req.cores},
            {"gpus=", &a.req.gpus},
        };
        bool known = *word == '\0';
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
            if (strncmp(word, numbers[i].key, strlen(numbers[i].key)) == 0) {
                *numbers[i].to = (unsigned)n;
                known = true;
            }
        }
        known = known || sscanf(word, "mapping=%31s", a.mapping) == 1 ||
                sscanf(word, "held=%63s", a.held) == 1;
        if (strncmp(word, "memory=", 7) == 0)
            a.req.memory = n;
        else if (strcmp(word, "oversubscribe") == 0)
            a.req.oversubscribe = true;
        else if (strcmp(word, "grouped") == 0)
            a.req.grouped = true;
        else
            cr_assert(known, "%s.req: '%s'", name, word);
    }
    *ret = a;
    ret->req.mapping = ret->mapping;
}

static void
add_plan(const struct restree *tree, const struct placement *p, struct str *out)
{
    str_printf(out, "%s%s\n", p->mapping, p->oversubscribed ? ", oversubscribed" : "");
    struct draw_seat *seats = calloc(p->n_ranks, sizeof(*seats));
    for (unsigned r = 0; r < p->n_ranks; r++) {
        const struct place_seat *s = &p->seats[r];
        AUTO_FREE(char) pus = idset_format(s->pus);
        AUTO_FREE(char) gpus = idset_format(s->gpus);
        str_printf(out, "rank %u: %s cpu %s", r, tree->hosts[s->host].name, pus);
        str_printf(out, *gpus != '\0' ? " gpu %s" : "%s", gpus);
        str_printf(out, " (%s)\n", s->reason);
        seats[r] = (struct draw_seat){s->host, s->pus, s->gpus};
    }
    draw_tree(tree, seats, p->n_ranks, true, out);
    free(seats);
}

static const char *code_name(int code)
{
    return code == -ENOSPC ? "ENOSPC" : code == -EOVERFLOW ? "EOVERFLOW" : "EINVAL";
}

static void check_golden(const char *name)
{
    AUTO(restree) tree = load_tree(name);
    struct asked asked;
    read_request(name, &asked);
    AUTO(occupancy) occ = occupancy_make(tree);
    AUTO(idset) held = NULL;
    cr_assert_eq(idset_parse(asked.held, &held, NULL), 0);
    cr_assert_eq(occupancy_claim(occ, 0, held, NULL, NULL), 0);
    AUTO(placement) p = NULL;
    struct gm_error err = {0};
    int rc = place_map(tree, occ, &asked.req, &p, &err);
    AUTO_STR got = {0};
    if (rc == 0)
        add_plan(tree, p, &got);
    else
        str_printf(&got, "%s: %s\n", code_name(rc), err.text);
    AUTO_FREE(char) path = golden(name, ".plan");
    if (getenv("GM_BLESS") != NULL)
        cr_assert_eq(file_write(path, got.text, got.len, &err), 0, "%s", err.text);
    AUTO_FREE(char) want = load(name, ".plan");
    cr_expect_str_eq(got.text, want, "%s:\n%s", name, got.text);
}

Test(place, golden_maps_are_as_reviewed)
{
    AUTO_FREE(char) folder = golden("", "");
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir, "%s (set GRIDMILL_SOURCE)", folder);
    unsigned n = 0;
    struct dirent *e;
    while ((e = readdir(dir)) != NULL) {
        char *suffix = strstr(e->d_name, ".req");
        if (suffix == NULL)
            continue;
        *suffix = '\0';
        check_golden(e->d_name);
        n++;
    }
    (void)closedir(dir);
    cr_expect_geq(n, 30, "golden files are missing");
}

/* ---- properties ---- */

struct random_case {
    struct restree *tree;
    struct occupancy *occ;
    struct place_request req;
    char text[128];
};

static unsigned below(unsigned *seed, unsigned n)
{
    return (unsigned)rand_r(seed) % n;
}

static struct random_case make_case(unsigned seed)
{
    static const char *const mappings[] = {"auto", "pack", "spread"};
    struct random_case c = {0};
    (void)snprintf(c.text,
                   sizeof(c.text),
                   "host:%u pack:%u numa:%u l3:%u core:%u pu:%u",
                   1 + below(&seed, 3),
                   1 + below(&seed, 3),
                   1 + below(&seed, 2),
                   1 + below(&seed, 3),
                   1 + below(&seed, 5),
                   1 + below(&seed, 2));
    cr_assert_eq(restree_load_synthetic(c.text, &c.tree, NULL), 0, "%s", c.text);
    c.occ = occupancy_make(c.tree);
    for (unsigned k = below(&seed, 3) * 6; k > 0; k--) {
        unsigned host = below(&seed, c.tree->n_hosts);
        AUTO(idset) one = idset_make();
        idset_add(one, below(&seed, restree_shape(c.tree, host)->n_pus));
        (void)occupancy_claim(c.occ, host, one, NULL, NULL);
    }
    c.req.mapping = mappings[below(&seed, 3)];
    c.req.ranks = below(&seed, 12);
    c.req.cores = 1 + below(&seed, 7);
    c.req.grouped = below(&seed, 2) == 0;
    return c;
}

static void end_case(struct random_case *c)
{
    occupancy_free(c->occ);
    restree_free(c->tree);
}

/* Ranks that fit, by counting whole free cores a host. */
static unsigned capacity(const struct random_case *c)
{
    unsigned n = 0;
    for (unsigned h = 0; h < c->tree->n_hosts; h++)
        n += occupancy_free_cores(c->occ, h, 0) / c->req.cores;
    return n;
}

/* How many of a node's PUs are in a set. */
static unsigned inside(const struct topo_shape *s, unsigned node, const struct idset *pus)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->nodes[node].n_pus; i++)
        n += idset_has(pus, s->pus[s->nodes[node].first_pu + i]);
    return n;
}

/* A seat, beside those placed before it (claimed in *now): free, whole cores, as many as
 * asked, and no domain that had room for it is cut. */
static void check_seat(const struct random_case *c,
                       struct occupancy *now,
                       const struct place_seat *seat)
{
    const struct topo_shape *s = restree_shape(c->tree, seat->host);
    unsigned total = idset_count(seat->pus), cores = 0;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        unsigned in = inside(s, i, seat->pus);
        if (s->nodes[i].kind == GM_CORE && in > 0) {
            cr_assert_eq(in, s->nodes[i].n_pus, "%s: part of a core", c->text);
            cores++;
        }
        if (occupancy_free_cores(now, seat->host, i) >= c->req.cores)
            cr_assert(
                in == 0 || in == total, "%s: node %u had room and is cut", c->text, i);
    }
    cr_assert_eq(cores, c->req.cores);
    cr_assert_eq(
        occupancy_claim(now, seat->host, seat->pus, NULL, NULL), 0, "taken twice");
}

static void check_case(unsigned seed)
{
    struct random_case c = make_case(seed);
    AUTO(placement) p = NULL;
    AUTO(placement) again = NULL;
    struct gm_error err = {0};
    int rc = place_map(c.tree, c.occ, &c.req, &p, &err);
    unsigned fit = capacity(&c), want = c.req.ranks > 0 ? c.req.ranks : fit;
    if (fit == 0 || want > fit) {
        cr_assert(rc == -ENOSPC || rc == -EOVERFLOW, "%s: %d", c.text, rc);
        cr_assert(p == NULL && err.text[0] != '\0');
    } else {
        cr_assert_eq(
            rc, 0, "%s ranks %u cores %u: %s", c.text, want, c.req.cores, err.text);
        cr_assert_eq(p->n_ranks, want);
        struct occupancy *now = occupancy_dup(c.occ);
        for (unsigned r = 0; r < p->n_ranks; r++)
            check_seat(&c, now, &p->seats[r]);
        occupancy_free(now);
        cr_assert_eq(place_map(c.tree, c.occ, &c.req, &again, NULL), 0);
        for (unsigned r = 0; r < p->n_ranks; r++)
            cr_assert(p->seats[r].host == again->seats[r].host &&
                      idset_equal(p->seats[r].pus, again->seats[r].pus) &&
                      strcmp(p->seats[r].reason, again->seats[r].reason) == 0);
    }
    end_case(&c);
}

Test(place, no_core_twice_no_domain_cut_that_had_room_and_always_the_same)
{
    for (unsigned seed = 1; seed <= 1500; seed++)
        check_case(seed);
}

Test(place, what_is_held_by_nobody_fits_now_or_never)
{
    for (unsigned seed = 1; seed <= 500; seed++) {
        struct random_case c = make_case(seed);
        struct occupancy *empty = occupancy_make(c.tree);
        AUTO(placement) p = NULL;
        AUTO(placement) q = NULL;
        int never = place_map(c.tree, empty, &c.req, &p, NULL);
        int now = place_map(c.tree, c.occ, &c.req, &q, NULL);
        cr_assert(never == 0 || never == -EOVERFLOW, "an empty machine is never full");
        cr_assert(now == 0 || now == (never == 0 ? -ENOSPC : -EOVERFLOW), "%s", c.text);
        occupancy_free(empty);
        end_case(&c);
    }
}

/* Ranks on each domain of a kind differ by one at most on an empty, regular machine. */
static void
check_balance(const struct restree *tree, const struct placement *p, uint32_t kind)
{
    unsigned least = UINT32_MAX, most = 0;
    for (unsigned h = 0; h < tree->n_hosts; h++) {
        const struct topo_shape *s = restree_shape(tree, h);
        for (unsigned i = 0; i < s->n_nodes; i++) {
            if (s->nodes[i].kind != kind)
                continue;
            unsigned n = 0;
            for (unsigned r = 0; r < p->n_ranks; r++)
                n += p->seats[r].host == h && inside(s, i, p->seats[r].pus) > 0;
            least = n < least ? n : least;
            most = n > most ? n : most;
        }
    }
    cr_expect_leq(most - least, 1);
}

Test(place, spread_is_even_over_hosts_packages_numa_nodes_and_caches)
{
    AUTO(restree) tree = NULL;
    cr_assert_eq(
        restree_load_synthetic("host:2 pack:2 numa:2 l3:2 core:4 pu:2", &tree, NULL), 0);
    AUTO(occupancy) occ = occupancy_make(tree);
    for (unsigned ranks = 1; ranks <= 64; ranks++) {
        struct place_request req = {.ranks = ranks, .mapping = "spread"};
        AUTO(placement) p = NULL;
        cr_assert_eq(place_map(tree, occ, &req, &p, NULL), 0);
        static const uint32_t kinds[] = {GM_HOST, GM_PACKAGE, GM_NUMA, GM_CACHE};
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
            check_balance(tree, p, kinds[k]);
    }
}

Test(place, nothing_is_claimed)
{
    AUTO(restree) tree = NULL;
    cr_assert_eq(restree_load_synthetic("core:4 pu:2", &tree, NULL), 0);
    AUTO(occupancy) occ = occupancy_make(tree);
    struct place_request req = {.ranks = 4, .mapping = "pack"};
    AUTO(placement) p = NULL;
    cr_assert_eq(place_map(tree, occ, &req, &p, NULL), 0);
    cr_expect_eq(occupancy_free_cores(occ, 0, 0), 4);
    placement_free(NULL);
}
