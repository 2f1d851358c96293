/* sched/place.h on real machines ($GRIDMILL_TEST_DATA/hwloc-xml): the plans of the same
 * requests on each, as reviewed (tests/golden/hwloc, a file a machine; GM_BLESS=1
 * rewrites them). */
#include "base/file.h"
#include "base/str.h"
#include "gridmill/kernel.h"
#include "sched/place.h"
#include "sched/score.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <zlib.h>

static const struct place_request requests[] = {
    {.mapping = "pack", .ranks = 4, .cores = 2},
    {.mapping = "spread", .ranks = 4, .cores = 2},
    {.mapping = "numa"},
    {.mapping = "gpu-near"},
    {.mapping = "auto", .ranks = 4},
    {.mapping = "auto", .ranks = 6, .traits = GM_BOUND_MEMORY},
    {.mapping = "auto", .ranks = 6, .threads = 1, .traits = GM_BOUND_COMPUTE},
    {.mapping = "auto", .ranks = 8, .grouped = true, .group = 4},
    {.mapping = "auto", .ranks = 5, .threads = 2, .traits = GM_BOUND_COMM},
    {.mapping = "auto", .ranks = 3, .memory = (uint64_t)6 << 30},
    {.mapping = "auto", .ranks = 2, .cores = 2, .gpus = 2, .grouped = true},
    {.mapping = "auto", .ranks = 300, .oversubscribe = true},
    {.mapping = "auto", .ranks = 9, .cores = 5, .gpus = 3},
    {.mapping = "spread", .ranks = 2, .cores = 5},
};

static const char *data_folder(void)
{
    const char *data = getenv("GRIDMILL_TEST_DATA");
    if (data == NULL)
        cr_skip_test("GRIDMILL_TEST_DATA is not set");
    return data;
}

static struct restree *load(const char *path)
{
    struct str xml = {0};
    struct restree *tree = NULL;
    struct gm_error err = {0};
    char part[1 << 16];
    int n;
    gzFile in = gzopen(path, "rb"); /* reads plain files as well */
    cr_assert_not_null(in, "%s", path);
    while ((n = gzread(in, part, sizeof(part))) > 0)
        str_add_n(&xml, part, (size_t)n);
    (void)gzclose(in);
    cr_assert_eq(restree_load_xml(xml.text, xml.len, "host", NULL, &tree, &err),
                 0,
                 "%s: %s",
                 path,
                 err.text);
    str_free(&xml);
    return tree;
}

static void add_request(const struct place_request *r, struct str *out)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } traits[] = {{GM_BOUND_MEMORY, "memory-bound"},
                  {GM_BOUND_COMM, "comm-bound"},
                  {GM_BOUND_COMPUTE, "compute-bound"}};
    const struct {
        const char *name;
        unsigned n;
    } numbers[] = {{"ranks", r->ranks},
                   {"cores", r->cores},
                   {"threads", r->threads},
                   {"gpus", r->gpus},
                   {"group", r->group},
                   {"GiB", (unsigned)(r->memory >> 30)}};
    str_printf(out, "== %s", r->mapping);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i].n > 0)
            str_printf(out, " %s %u", numbers[i].name, numbers[i].n);
    }
    for (size_t i = 0; i < sizeof(traits) / sizeof(traits[0]); i++) {
        if ((r->traits & traits[i].bit) != 0)
            str_printf(out, " %s", traits[i].name);
    }
    str_add(out, r->grouped && r->group == 0 ? " grouped" : "");
    str_add(out, r->oversubscribe ? " oversubscribe\n" : "\n");
}

static void add_seat(const struct place_seat *s, struct str *out)
{
    AUTO_FREE(char) pus = idset_format(s->pus);
    AUTO_FREE(char) gpus = idset_format(s->gpus);
    AUTO_FREE(char) mems = s->mems != NULL ? idset_format(s->mems) : NULL;
    str_printf(out, "cpu %s", pus);
    if (*gpus != '\0')
        str_printf(out, " gpu %s", gpus);
    if (mems != NULL && *mems != '\0')
        str_printf(out, " mem %s", mems);
    str_printf(out, " (%s)\n", s->reason);
}

/* Ranks that have the same are one line. */
static void add_placement(const struct placement *p, struct str *out)
{
    str_printf(out, "%s%s\n", p->mapping, p->oversubscribed ? ", oversubscribed" : "");
    for (unsigned r = 0, end; r < p->n_ranks; r = end) {
        AUTO_STR own = {0};
        add_seat(&p->seats[r], &own);
        for (end = r + 1; end < p->n_ranks; end++) {
            AUTO_STR next = {0};
            add_seat(&p->seats[end], &next);
            if (strcmp(own.text, next.text) != 0)
                break;
        }
        if (end == r + 1)
            str_printf(out, "%u: %s", r, own.text);
        else
            str_printf(out, "%u-%u: %s", r, end - 1, own.text);
    }
}

static void add_plans(const struct restree *tree, struct str *out)
{
    const struct topo_shape *s = restree_shape(tree, 0);
    AUTO(occupancy) occ = occupancy_make(tree);
    str_printf(out,
               "%u packages, %u NUMA nodes, %u cores, %u PUs, %u GPUs\n",
               s->n_packages,
               s->n_numas,
               s->n_cores,
               s->n_pus,
               s->n_gpus);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        AUTO(placement) p = NULL;
        struct gm_error err = {0};
        struct score score;
        str_add(out, "\n");
        add_request(&requests[i], out);
        if (place_map(tree, occ, &requests[i], &p, &err) != 0) {
            char *remedy = strstr(err.text, ": ask for"); /* test_remedy.c has those */
            if (remedy != NULL)
                *remedy = '\0';
            str_printf(out, "%s\n", err.text);
            continue;
        }
        add_placement(p, out);
        score_placement(tree, occ, &requests[i], NULL, p, &score);
        str_add(out, "score ");
        score_explain(&score, out);
        str_add(out, "\n");
    }
}

static void check_machine(const char *path, const char *name)
{
    const char *source = getenv("GRIDMILL_SOURCE");
    AUTO(restree) tree = load(path);
    AUTO_STR got = {0};
    AUTO_STR file = {0};
    AUTO_FREE(char) want = NULL;
    size_t len;
    struct gm_error err = {0};
    add_plans(tree, &got);
    str_printf(&file,
               "%s/tests/golden/hwloc/%.*s.plans",
               source != NULL ? source : ".",
               (int)(strstr(name, ".xml") - name),
               name);
    if (getenv("GM_BLESS") != NULL)
        cr_assert_eq(file_write(file.text, got.text, got.len, &err), 0, "%s", err.text);
    cr_assert_eq(file_read(file.text, 1 << 20, &want, &len, &err), 0, "%s", err.text);
    cr_expect_str_eq(got.text, want, "%s:\n%s", name, got.text);
}

Test(place_machines, plans_are_as_reviewed)
{
    AUTO_STR folder = {0};
    str_printf(&folder, "%s/hwloc-xml", data_folder());
    DIR *dir = opendir(folder.text);
    cr_assert_not_null(dir, "%s", folder.text);
    struct dirent *e;
    unsigned n = 0;
    while ((e = readdir(dir)) != NULL) {
        AUTO_STR path = {0};
        if (strstr(e->d_name, ".xml") == NULL || strncmp(e->d_name, "v3format", 8) == 0)
            continue;
        str_printf(&path, "%s/%s", folder.text, e->d_name);
        check_machine(path.text, e->d_name);
        n++;
    }
    (void)closedir(dir);
    cr_expect_geq(n, 15, "machines are missing");
}
