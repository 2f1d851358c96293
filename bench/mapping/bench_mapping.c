/* Hop-bytes of a mapping and the time that it takes, for `bench/run mapping`:
 *
 *   bench_mapping MACHINE COSTS MATRIX TURNS [TERMINALS]
 *
 * MACHINE: a synthetic text, one rank a core. COSTS: what two ranks of one package, of
 * one host and of two hosts are apart, "1,6,26"; "-": our own. MATRIX: as jobspecs name
 * it. TERMINALS: a leaf a rank, in a file, as another program chose them. Prints one JSON
 * object: hop-bytes by slot, by node, as we map, as the file says; milliseconds of
 * processor time a turn (one thread; nothing waits); and the leaf of each rank. */
#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "sched/comm_assign.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_TURNS = 1000 };

struct bench {
    struct restree *tree;
    struct comm_graph *graph;
    struct comm_costs costs;
    struct placement *by_slot;
    unsigned a_host; /* seats */
};

static int place(struct bench *b, struct placement **ret, struct gm_error *err)
{
    AUTO(occupancy) occ = occupancy_make(b->tree);
    struct place_request req = {.cores = 1, .mapping = "pack"};
    return place_map(b->tree, occ, &req, ret, err);
}

static int read_costs(const char *text, struct comm_costs *ret, struct gm_error *err)
{
    double package, host, network;
    *ret = comm_costs;
    if (strcmp(text, "-") == 0)
        return 0;
    if (sscanf(text, "%lf,%lf,%lf", &package, &host, &network) != 3)
        return gm_fail(err, -EINVAL, "'%s': must be PACKAGE,HOST,NETWORK", text);
    *ret = (struct comm_costs){.package = package, .host = host, .network = network};
    ret->numa = host; /* of these machines, the one around both packages */
    return 0;
}

static int
load(const char *machine, const char *matrix, struct bench *b, struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    struct pattern p = {.kind = PATTERN_MATRIX, .written = matrix};
    int rc = restree_load_synthetic(machine, &b->tree, err);
    if (rc == 0)
        rc = place(b, &b->by_slot, err);
    if (rc == 0)
        rc = pattern_read(matrix, a, &p, err);
    if (rc == 0)
        rc = comm_graph_make(&p, b->by_slot->n_ranks, &b->graph, err);
    b->a_host = rc == 0 ? b->by_slot->n_ranks / b->tree->n_hosts : 1;
    return rc;
}

/* Rank r on seat seat_of[r] of those by slot; by leaf where seat_of is NULL. */
static double hop_bytes(const struct bench *b, const unsigned *seat_of)
{
    unsigned n = b->by_slot->n_ranks;
    AUTO_FREE(struct place_seat) seats = xcalloc(n, sizeof(*seats));
    for (unsigned r = 0; r < n; r++)
        seats[r] = b->by_slot->seats[seat_of != NULL ? seat_of[r] : r];
    AUTO(comm_tree) t = comm_tree_make(b->tree, seats, n, &b->costs);
    return comm_tree_hop_bytes(t, b->graph, t->domain);
}

static double by_node(const struct bench *b)
{
    unsigned n = b->by_slot->n_ranks;
    AUTO_FREE(unsigned) seat_of = xcalloc(n, sizeof(*seat_of));
    for (unsigned r = 0; r < n; r++)
        seat_of[r] = r % b->tree->n_hosts * b->a_host + r / b->tree->n_hosts;
    return hop_bytes(b, seat_of);
}

/* A leaf a rank, as text. */
static int
as_told(const struct bench *b, const char *path, double *ret, struct gm_error *err)
{
    unsigned n = b->by_slot->n_ranks;
    AUTO_FREE(unsigned) seat_of = xcalloc(n, sizeof(*seat_of));
    AUTO_FREE(char) text = NULL;
    size_t len;
    int rc = file_read(path, 1 << 26, &text, &len, err);
    if (rc != 0)
        return rc;
    char *p = text;
    for (unsigned r = 0; r < n; r++) {
        char *end;
        unsigned long leaf = strtoul(p, &end, 10);
        if (end == p || leaf >= n)
            return gm_fail(err, -EINVAL, "%s: rank %u has no leaf", path, r);
        seat_of[r] = (unsigned)leaf;
        p = end;
    }
    *ret = hop_bytes(b, seat_of);
    return 0;
}

static void put_leaves(const struct bench *b, const struct placement *at, struct json *j)
{
    json_key(j, "leaves");
    json_begin(j, '[');
    for (unsigned r = 0; r < at->n_ranks; r++)
        json_uint(
            j, at->seats[r].host * b->a_host + (uint64_t)idset_next(at->seats[r].pus, 0));
    json_end(j, ']');
}

static double cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Maps `turns` times; the answers are one and the same. */
static int map(struct bench *b, unsigned turns, struct json *j, struct gm_error *err)
{
    double ms[MOST_TURNS];
    struct comm_gain gain = {0};
    AUTO(placement) at = NULL;
    for (unsigned i = 0; i < turns; i++) {
        placement_free(at);
        at = NULL;
        int rc = place(b, &at, err);
        if (rc != 0)
            return rc;
        double began = cpu_ms();
        gain = comm_assign_by(b->tree, b->graph, &b->costs, at);
        ms[i] = cpu_ms() - began;
    }
    json_put_double(j, "ours", gain.after);
    json_key(j, "ms");
    json_begin(j, '[');
    for (unsigned i = 0; i < turns; i++)
        json_double(j, ms[i]);
    json_end(j, ']');
    put_leaves(b, at, j);
    return 0;
}

static int run(char **argv, struct bench *b, struct json *j, struct gm_error *err)
{
    unsigned long turns = strtoul(argv[4], NULL, 10);
    double told = 0;
    int rc = read_costs(argv[2], &b->costs, err);
    if (rc == 0 && (turns == 0 || turns > MOST_TURNS))
        rc = gm_fail(err, -EINVAL, "turns: 1 to %d", MOST_TURNS);
    if (rc == 0)
        rc = load(argv[1], argv[3], b, err);
    if (rc == 0 && argv[5] != NULL)
        rc = as_told(b, argv[5], &told, err);
    if (rc != 0)
        return rc;
    json_begin(j, '{');
    json_put_double(j, "by_slot", hop_bytes(b, NULL));
    json_put_double(j, "by_node", by_node(b));
    if (argv[5] != NULL)
        json_put_double(j, "told", told);
    rc = map(b, (unsigned)turns, j, err);
    json_end(j, '}');
    return rc;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct gm_error err = {0};
    AUTO_JSON j = {0};
    if (argc < 5 || argc > 6) {
        (void)fputs("usage: bench_mapping MACHINE COSTS MATRIX TURNS [TERMINALS]\n",
                    stderr);
        return 2;
    }
    int rc = run(argv, &b, &j, &err);
    if (rc == 0)
        (void)puts(str_text(&j.out));
    else
        (void)fprintf(stderr, "bench_mapping: %s\n", err.text);
    placement_free(b.by_slot);
    comm_graph_free(b.graph);
    restree_free(b.tree);
    return rc == 0 ? 0 : 1;
}
