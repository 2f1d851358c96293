/* sched/place.h against mpibind's own maps ($GRIDMILL_TEST_DATA/mpibind-maps): for as
 * many ranks on the same machine, `auto` is never worse by our score, has no fewer GPUs
 * on their rank's NUMA node and no more slots over several NUMA nodes. */
#include "base/file.h"
#include "base/str.h"
#include "sched/near.h"
#include "sched/place.h"
#include "sched/score.h"

#include <criterion/criterion.h>
#include <zlib.h>

enum { MOST_TASKS = 64 };

struct map_case {
    char name[64];
    unsigned n_tasks;
    bool by_memory; /* restr_set names NUMA nodes */
    char restrict_to[32];
    char *cpus, *gpus; /* the lines of the answer */
};

static const char *data_folder(void)
{
    const char *data = getenv("GRIDMILL_TEST_DATA");
    if (data == NULL)
        cr_skip_test("GRIDMILL_TEST_DATA is not set");
    return data;
}

static char *load_text(const char *name)
{
    AUTO_STR path = {0};
    struct str text = {0};
    char part[1 << 16];
    int n;
    str_printf(&path, "%s/mpibind-maps/%s", data_folder(), name);
    gzFile in = gzopen(path.text, "rb"); /* reads plain files as well */
    cr_assert_not_null(in, "%s", path.text);
    while ((n = gzread(in, part, sizeof(part))) > 0)
        str_add_n(&text, part, (size_t)n);
    (void)gzclose(in);
    return str_steal(&text);
}

static struct restree *load_machine(const char *name, const struct idset *cpus)
{
    AUTO_STR file = {0};
    struct restree *tree = NULL;
    struct gm_error err = {0};
    str_printf(&file, "%s.xml.gz", name);
    AUTO_FREE(char) xml = load_text(file.text);
    cr_assert_eq(
        restree_load_xml(xml, strlen(xml), name, cpus, &tree, &err), 0, "%s", err.text);
    return tree;
}

/* The PUs that a case may use; NULL: all. */
static struct idset *allowed(const struct map_case *c, const char *machine)
{
    struct idset *set = NULL;
    if (c->restrict_to[0] == '\0')
        return NULL;
    cr_assert_eq(idset_parse(c->restrict_to, &set, NULL), 0);
    if (!c->by_memory)
        return set;
    AUTO(restree) all = load_machine(machine, NULL);
    const struct topo_shape *s = restree_shape(all, 0);
    struct idset *pus = idset_make();
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i];
        for (unsigned k = 0; n->kind == GM_NUMA && k < n->n_pus; k++) {
            if (idset_has(set, n->os_index))
                idset_add(pus, s->pus[n->first_pu + k]);
        }
    }
    idset_free(set);
    return pus;
}

/* ---- the answer as a placement ---- */

/* The n-th of "a;b;c" between quotes, as a set. */
static struct idset *nth(const char *line, unsigned n)
{
    struct idset *set = NULL;
    line = strchr(line, '"') + 1;
    for (; n > 0; n--)
        line = strchr(line, ';') + 1;
    AUTO_FREE(char) text = strndup(line, strcspn(line, ";\""));
    cr_assert_eq(idset_parse(text, &set, NULL), 0, "%s", text);
    return set;
}

/* mpibind lists the PUs that threads run on; where its tasks do not share cores, we give
 * the whole of them. */
static void whole_cores(const struct topo_shape *s, struct place_seat *seats, unsigned n)
{
    struct idset *grown[MOST_TASKS];
    bool apart = true;
    AUTO_FREE(unsigned) core = near_cores(s);
    for (unsigned r = 0; r < n; r++) {
        grown[r] = idset_make();
        for (unsigned i = 0; i < s->n_pus; i++) {
            const struct topo_node *at = &s->nodes[core[i]];
            for (unsigned k = 0; idset_has(seats[r].pus, s->pus[i]) && k < at->n_pus; k++)
                idset_add(grown[r], s->pus[at->first_pu + k]);
        }
        for (unsigned q = 0; q < r; q++)
            apart = apart && !idset_overlap(grown[r], grown[q]);
    }
    for (unsigned r = 0; r < n; r++) {
        idset_free(apart ? seats[r].pus : grown[r]);
        seats[r].pus = apart ? grown[r] : seats[r].pus;
    }
}

static void read_answer(const struct map_case *c,
                        const struct topo_shape *s,
                        const struct place_request *req,
                        struct place_seat *seats)
{
    for (unsigned r = 0; r < c->n_tasks; r++) {
        seats[r].pus = nth(c->cpus, r);
        seats[r].gpus = req->gpus > 0 ? nth(c->gpus, r) : idset_make();
    }
    if (req->threads == 0)
        whole_cores(s, seats, c->n_tasks);
}

/* ---- plain counts ---- */

struct counts {
    unsigned local_gpus, straddling;
};

static bool stands_in(const struct topo_shape *s, unsigned node, const struct idset *pus)
{
    for (unsigned k = 0; k < s->nodes[node].n_pus; k++) {
        if (idset_has(pus, s->pus[s->nodes[node].first_pu + k]))
            return true;
    }
    return false;
}

static struct counts
count(const struct topo_shape *s, const struct place_seat *seats, unsigned n)
{
    struct counts c = {0};
    for (unsigned r = 0; r < n; r++) {
        unsigned numas = 0;
        for (unsigned i = 0; i < s->n_nodes; i++)
            numas += s->nodes[i].kind == GM_NUMA && stands_in(s, i, seats[r].pus);
        c.straddling += numas > 1;
        for (unsigned g = 0; g < s->n_gpus; g++)
            c.local_gpus += idset_has(seats[r].gpus, g) && near_home(s, g) != 0 &&
                            stands_in(s, near_home(s, g), seats[r].pus);
    }
    return c;
}

/* ---- the comparison ---- */

/* False: there is no such request; *ret_why says why. */
static bool request_of(const struct map_case *c,
                       const struct topo_shape *s,
                       struct place_request *ret,
                       const char **ret_why)
{
    *ret = (struct place_request){.mapping = "auto", .ranks = c->n_tasks};
    if (c->n_tasks > s->n_pus) {
        *ret_why = "more tasks than PUs: they would share one";
        return false;
    }
    if (c->n_tasks > s->n_cores)
        ret->threads = s->n_pus / c->n_tasks;
    else
        ret->cores = s->n_cores / c->n_tasks;
    unsigned gpus = 0; /* where a restriction leaves none of their cores, GPUs are gone */
    for (unsigned g = 0; g < s->n_gpus; g++)
        gpus += near_home(s, g) != 0;
    ret->gpus = gpus / c->n_tasks;
    *ret_why = ret->gpus == 0 ? "without GPUs: there is less than one a task" : NULL;
    return true;
}

static bool compare(const struct map_case *c, const char *machine)
{
    AUTO(idset) cpus = allowed(c, machine);
    AUTO(restree) tree = load_machine(machine, cpus);
    AUTO(occupancy) occ = occupancy_make(tree);
    const struct topo_shape *s = restree_shape(tree, 0);
    struct place_request req;
    const char *why;
    if (!request_of(c, s, &req, &why)) {
        (void)fprintf(stderr, "%s: left out: %s\n", c->name, why);
        return false;
    }
    if (why != NULL)
        (void)fprintf(stderr, "%s: %s\n", c->name, why);
    AUTO(placement) p = NULL;
    struct gm_error err = {0};
    cr_assert_eq(place_map(tree, occ, &req, &p, &err), 0, "%s: %s", c->name, err.text);
    struct place_seat theirs[MOST_TASKS] = {{0}};
    struct placement q = {.seats = theirs, .n_ranks = c->n_tasks, .mapping = "mpibind"};
    read_answer(c, s, &req, theirs);
    struct score our_score, their_score;
    score_placement(tree, occ, &req, NULL, p, &our_score);
    score_placement(tree, occ, &req, NULL, &q, &their_score);
    struct counts our = count(s, p->seats, p->n_ranks),
                  their = count(s, theirs, c->n_tasks);
    cr_expect_leq(our_score.total,
                  their_score.total + 1e-9,
                  "%s: %.4f is worse than %.4f",
                  c->name,
                  our_score.total,
                  their_score.total);
    cr_expect_geq(our.local_gpus, their.local_gpus, "%s: GPUs on their node", c->name);
    cr_expect_leq(our.straddling, their.straddling, "%s: slots over nodes", c->name);
    cr_log_info("%s: score %.3f, mpibind's %.3f; GPUs on the rank's node %u, %u; slots "
                "over NUMA nodes %u, %u",
                c->name,
                our_score.total,
                their_score.total,
                our.local_gpus,
                their.local_gpus,
                our.straddling,
                their.straddling);
    for (unsigned r = 0; r < c->n_tasks; r++) {
        idset_free(theirs[r].pus);
        idset_free(theirs[r].gpus);
    }
    return true;
}

/* A case is its parameters, then a description and the lines of the answer. */
static void check_file(const char *machine, unsigned *ret_compared, unsigned *ret_left)
{
    AUTO_STR name = {0};
    str_printf(&name, "expected.%s", machine);
    AUTO_FREE(char) text = load_text(name.text);
    char *rest = text, *line;
    for (unsigned n = 1; (line = strsep(&rest, "\n")) != NULL;) {
        const char *params = strstr(line, "\"ntasks\": ");
        if (params == NULL)
            continue;
        struct map_case c = {.n_tasks = (unsigned)strtoul(params + 10, NULL, 10)};
        const char *set = strstr(line, "\"restr_set\": \"");
        if (set != NULL)
            (void)sscanf(set, "\"restr_set\": \"%31[^\"]", c.restrict_to);
        c.by_memory = strstr(line, "\"restrict_type\": 1") != NULL;
        (void)snprintf(c.name, sizeof(c.name), "%s %u", machine, n++);
        (void)strsep(&rest, "\n");
        (void)strsep(&rest, "\n");
        c.cpus = strsep(&rest, "\n");
        c.gpus = strsep(&rest, "\n");
        cr_assert(c.gpus != NULL && c.n_tasks <= MOST_TASKS, "%s", c.name);
        if (compare(&c, machine))
            ++*ret_compared;
        else
            ++*ret_left;
    }
}

Test(mpibind, auto_is_never_worse)
{
    unsigned compared = 0, left = 0;
    check_file("coral-lassen", &compared, &left);
    check_file("epyc-corona", &compared, &left);
    (void)fprintf(stderr, "%u maps compared, %u left out\n", compared, left);
    cr_expect(compared == 22 && left == 2);
}
