/* runner/visible.h. Numbers are beyond what any driver here has, so that none of them
 * becomes an address. */
#include "runner/visible.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct visible with(const char *variable, const char *value, bool by_slurm)
{
    (void)unsetenv("CUDA_VISIBLE_DEVICES");
    (void)unsetenv("ROCR_VISIBLE_DEVICES");
    (void)unsetenv("HIP_VISIBLE_DEVICES");
    if (variable != NULL)
        cr_assert_eq(setenv(variable, value, 1), 0);
    return visible_read(by_slurm);
}

static struct plan plan_of(struct plan_rank *ranks, unsigned n)
{
    return (struct plan){.ranks = ranks, .n_ranks = n};
}

Test(visible, the_planned_gpus_are_among_those_that_are_shown)
{
    static const struct {
        const char *list, *planned;
        bool by_slurm, fine;
    } rows[] = {
        {"900,901", "900", false, true},
        {"901,900", "900-901", false, true},
        {"901", "900", false, false},
        {"9000", "900", false, false}, /* a number, not its first digits */
        {"900", "900-901", false, false},
        {"", "900", false, false},
        {"-1", "900", false, false},
        {"900,-1,901", "900-901", false, false}, /* CUDA stops there */
        {"NoDevFiles", "900", false, false},
        {"GPU-8932f937", "900", false, true}, /* nobody knows which number that is */
        {"GPU-8932f937", "900-901", false, false},
        {"901", "900", true, true}, /* Slurm counts in its own way */
        {"901", "900-901", true, false},
        {"901", "", false, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct visible v = with("CUDA_VISIBLE_DEVICES", rows[i].list, rows[i].by_slurm);
        struct plan_rank rank = {.host = "a", .gpus = rows[i].planned};
        struct plan plan = plan_of(&rank, 1);
        AUTO_STR said = {0};
        bool fine = visible_has(&v, &plan, 0, &said);
        cr_expect_eq(fine, rows[i].fine, "%zu: %s", i, str_text(&said));
        cr_expect_eq(said.len == 0, rows[i].fine, "%zu: %s", i, str_text(&said));
    }
}

Test(visible, what_is_not_as_planned_is_one_sentence)
{
    struct plan_rank rank = {.host = "a", .gpus = "2"};
    struct plan plan = plan_of(&rank, 1);
    struct visible v = with("ROCR_VISIBLE_DEVICES", "901", false);
    AUTO_STR said = {0};
    AUTO_STR none = {0};
    cr_expect_not(visible_has(&v, &plan, 0, &said));
    cr_expect_str_eq(str_text(&said),
                     "planned on GPUs 2, but ROCR_VISIBLE_DEVICES shows it 901");
    v = with("HIP_VISIBLE_DEVICES", "", false);
    cr_expect_not(visible_has(&v, &plan, 0, &none));
    cr_expect_str_eq(str_text(&none),
                     "planned on GPUs 2, but HIP_VISIBLE_DEVICES shows it none");
    v = with(NULL, NULL, false);
    cr_expect(visible_has(&v, &plan, 0, &none));
}

Test(visible, ranks_of_one_host_are_told_which_gpu_they_share)
{
    static const struct {
        const char *hosts[3], *names[3];
        int64_t other; /* than the last rank */
        const char *gpu;
    } rows[] = {
        {{"a", "a", "a"}, {"0", "1", "2"}, -1, ""},
        {{"a", "a", "a"}, {"0", "1,2", "2,3"}, 1, "2"},
        {{"a", "b", "b"}, {"2", "0", "2"}, -1, ""},
        {{"a", "b", "a"}, {"2", "0", "1,2"}, 0, "2"},
        {{"a", "a", "a"}, {"10", "1", "0"}, -1, ""},
        {{"a", "a", "a"}, {"", "1", ""}, -1, ""},
        {{"a", "a", "a"}, {"", "all", "3"}, 1, "3"},
        {{"a", "a", "a"}, {"4", "", "all"}, 0, "4"},
        {{"a", "a", "a"}, {"", "all", "all"}, 1, "all"},
        {{"a", "a", "a"}, {"GPU-1,GPU-2", "", "GPU-2"}, 0, "GPU-2"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan_rank ranks[3];
        char names[3][VISIBLE_ROOM] = {{0}}, gpu[64] = "";
        for (unsigned k = 0; k < 3; k++) {
            ranks[k] = (struct plan_rank){.host = rows[i].hosts[k], .gpus = ""};
            (void)snprintf(names[k], VISIBLE_ROOM, "%s", rows[i].names[k]);
        }
        struct plan plan = plan_of(ranks, 3);
        cr_expect_eq(visible_sharer(&plan, names, 2, gpu), rows[i].other, "%zu", i);
        cr_expect(rows[i].other < 0 || strcmp(gpu, rows[i].gpu) == 0, "%zu: %s", i, gpu);
    }
}

Test(visible, names_are_what_the_rank_may_use)
{
    char names[VISIBLE_ROOM];
    struct visible v = with("CUDA_VISIBLE_DEVICES", "901,GPU-3,-1,902", false);
    visible_names(&v, names);
    cr_expect_str_eq(names, "901,GPU-3");
    v = with("CUDA_VISIBLE_DEVICES", "901", true);
    visible_names(&v, names);
    cr_expect_str_eq(names, "", "Slurm's own number names no GPU");
    char long_list[4000] = "";
    for (unsigned i = 0; i < 300; i++)
        (void)snprintf(long_list + 4 * i, 5, "%u,", 100 + i);
    v = with("CUDA_VISIBLE_DEVICES", long_list, false);
    visible_names(&v, names);
    cr_expect_lt(strlen(names), VISIBLE_ROOM);
}

Test(visible, it_matters_where_gpus_are_asked_for_and_the_plan_names_none)
{
    struct plan_rank ranks[2] = {{.host = "a", .gpus = ""}, {.host = "a", .gpus = ""}};
    struct plan plan = plan_of(ranks, 2), alone = plan_of(ranks, 1);
    struct resource gpu = {.type = "gpu"}, core = {.type = "core"};
    struct resource slot = {.type = "slot", .with = &gpu, .n_with = 1};
    struct jobspec asks = {.gpus = 1}, none = {0},
                   seated = {.resources = &slot, .n_resources = 1},
                   cores = {.resources = &core, .n_resources = 1};
    cr_expect(visible_matters(&plan, &asks) && visible_matters(&plan, &seated));
    cr_expect_not(visible_matters(&plan, &none) || visible_matters(&plan, &cores));
    cr_expect_not(visible_matters(&alone, &asks));
    ranks[1].gpus = "0";
    cr_expect_not(visible_matters(&plan, &asks));
}

Test(visible, a_seat_has_the_first_gpu_that_the_plan_gives_it)
{
    static const struct {
        const char *variable, *planned, *device;
        unsigned asked;
    } rows[] = {
        {NULL, "", "cpu", 0},
        {"CUDA_VISIBLE_DEVICES", "", "cpu", 0},
        {NULL, "901", "cuda:901", 1},
        {NULL, "900-901", "cuda:900", 1},
        {"CUDA_VISIBLE_DEVICES", "901", "cuda", 1}, /* which number that is, who knows */
        {"CUDA_VISIBLE_DEVICES", "", "cuda", 1},    /* a foreign launcher's binding */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct visible v = with(rows[i].variable, "901", false);
        struct plan_rank rank = {.host = "a", .gpus = rows[i].planned};
        struct plan plan = plan_of(&rank, 1);
        struct jobspec spec = {.gpus = rows[i].asked};
        char device[VISIBLE_DEVICE_ROOM] = "";
        visible_device(&v, &plan, &spec, 0, device);
        cr_expect_str_eq(device, rows[i].device, "%zu: %s", i, device);
    }
}
