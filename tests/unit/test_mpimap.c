/* launch/mpimap.h: the words as each version has them, and the maps that they print, as
 * they came from mpirun 4.1.4 (asked about machines in this form) and from PRRTE. */
#include "base/str.h"
#include "launch/mpimap.h"

#include <criterion/criterion.h>

static struct restree *machine(const char *text)
{
    struct restree *tree = NULL;
    struct gm_error err = {0};
    cr_assert_eq(restree_load_synthetic(text, &tree, &err), 0, "%s", err.text);
    return tree;
}

Test(mpimap, words_are_those_of_the_version)
{
    static const struct {
        unsigned version;
        const char *map_by, *rank_by, *bind_to, *want;
    } rows[] = {
        {4, "core", NULL, NULL, "--map-by core"},
        {4,
         "package:PE=2:SPAN",
         NULL,
         "package",
         "--map-by socket:PE=2,SPAN --bind-to socket"},
        {4,
         "ppr:2:package:PE=2:OVERSUBSCRIBE",
         "slot",
         NULL,
         "--map-by ppr:2:socket:PE=2,OVERSUBSCRIBE --rank-by slot"},
        {4,
         "numa",
         NULL,
         "core:overload-allowed",
         "--map-by numa --bind-to core:overload-allowed"},
        {5,
         "package:PE=2:SPAN",
         NULL,
         "package",
         "--map-by package:PE=2:SPAN --bind-to package"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mpimap_question q = {.version = rows[i].version,
                                    .map_by = rows[i].map_by,
                                    .rank_by = rows[i].rank_by,
                                    .bind_to = rows[i].bind_to};
        AUTO_STR out = {0};
        mpimap_words(&q, &out);
        cr_expect_str_eq(out.text, rows[i].want);
    }
}

Test(mpimap, the_version_is_read)
{
    static const struct {
        const char *text, *want;
        unsigned major;
    } rows[] = {
        {"mpirun (Open MPI) 4.1.4\n\nReport bugs to ...\n", "4.1.4", 4},
        {"mpirun (Open MPI) 5.0.3\n", "5.0.3", 5},
        {"prterun (PRRTE) 4.0.0\n", "4.0.0", 5},
        {"HYDRA build details:\n", NULL, 0},
    };
    AUTO(arena) a = arena_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned major = 0;
        const char *version = mpimap_version(a, rows[i].text, &major);
        cr_expect_eq(version == NULL, rows[i].want == NULL);
        cr_expect(version == NULL || strcmp(version, rows[i].want) == 0, "%s", version);
        cr_expect_eq(major, rows[i].major);
    }
}

/* "HOST:PUS" a rank, or the refusal. */
static void answer(const struct mpimap_question *q, const char *text, struct str *out)
{
    struct mpimap_rank *ranks = NULL;
    struct gm_error err = {0};
    if (mpimap_read(q, text, &ranks, &err) != 0) {
        str_add(out, err.text);
        return;
    }
    for (unsigned i = 0; i < q->ranks; i++) {
        AUTO_FREE(char) pus = ranks[i].pus != NULL ? idset_format(ranks[i].pus) : NULL;
        str_printf(
            out, "%s%u:%s", i > 0 ? " " : "", ranks[i].host, pus != NULL ? pus : "?");
    }
    mpimap_free(ranks, q->ranks);
}

Test(mpimap, a_map_is_read_whichever_version_prints_it)
{
    static const char four[] =
        " Data for JOB [21797,1] offset 0 Total slots allocated 16\n"
        "\n Data for node: vm\tNum slots: 8\tMax slots: 0\n"
        " \tProcess OMPI jobid: [1,1] App: 0 Process rank: 0 Bound: socket "
        "0[core 0[hwt 0-1]], socket 0[core :[BB/BB][../..]\n"
        " \tProcess OMPI jobid: [1,1] App: 0 Process rank: 1 Bound: socket "
        "1[core 3[hwt 1]]:[../..][../.B]\n"
        "\n Data for node: 198.18.0.2\tNum slots: 8\tMax slots: 0\n"
        " \tProcess OMPI jobid: [1,1] App: 0 Process rank: 2 Bound: N/A\n";
    static const char prrte[] =
        "Data for node: 198.18.0.1\tNum slots: 8\tMax slots: 0\tNum procs: 2\n"
        "        Process jobid: prterun-a@1 App: 0 Process rank: 0 Bound: "
        "package[0][core:L0-1]\n"
        "        Process jobid: prterun-a@1 App: 0 Process rank: 1 Bound: "
        "package[1][hwt:L7]\n"
        "Data for node: 198.18.0.2\tNum slots: 8\tMax slots: 0\tNum procs: 1\n"
        "        Process jobid: prterun-a@1 App: 0 Process rank: 2 Bound: N/A\n";
    AUTO(restree) tree = machine("host:2 pack:2 core:2 pu:2");
    struct mpimap_question q = {.version = 4, .ranks = 3, .tree = tree};
    AUTO_STR out4 = {0};
    AUTO_STR out5 = {0};
    answer(&q, four, &out4);
    q.version = 5;
    answer(&q, prrte, &out5);
    cr_expect_str_eq(out4.text, "0:0-3 0:7 1:?");
    cr_expect_str_eq(out5.text, "0:0-3 0:7 1:0-7");
}

Test(mpimap, a_refusal_is_its_first_sentence)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"-------\nThe specified mapping policy is not recognized:\n\n  Policy: "
         "x\n-------\n",
         "The specified mapping policy is not recognized"},
        {"noise\n-----\nThere are not enough slots available in the system to satisfy "
         "the 10\n"
         "slots that were requested by the application:\n\n  true\n",
         "There are not enough slots available in the system to satisfy the 10 slots "
         "that "
         "were requested by the application"},
        {"", "it shows no map, and does not say why"},
        {"Segmentation fault\n", "it shows no map, and does not say why"},
        {"Data for node: 198.18.0.1\nProcess rank: 0 Bound: N/A\n",
         "it maps 1 of 2 ranks"},
        {"Data for node: 198.18.9.9\nProcess rank: 0 Bound: N/A\nProcess rank: 7 Bound: "
         "N/A",
         "it shows no map, and does not say why"},
    };
    AUTO(restree) tree = machine("host:1 core:2");
    struct mpimap_question q = {.version = 4, .ranks = 2, .tree = tree};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_STR out = {0};
        answer(&q, rows[i].text, &out);
        cr_expect_str_eq(out.text, rows[i].want);
    }
}
