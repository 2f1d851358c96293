/* runner/surroundings.h: an environment is a set of words; each test changes ours first.
 */
#include "runner/surroundings.h"
#include <criterion/criterion.h>
#include <stdlib.h>

struct fixture {
    struct jobspec_stage stage;
    struct jobspec spec;
    struct plan_rank ranks[2];
    struct plan plan;
    struct arena *arena;
    struct surroundings *s;
};

static void set_up(struct fixture *f, const struct jobspec_stage *stage)
{
    *f = (struct fixture){.stage = *stage, .arena = arena_make()};
    f->stage.name = "s";
    f->spec = (struct jobspec){.stages = &f->stage, .n_stages = 1};
    f->ranks[0] = (struct plan_rank){.host = "a", .cpus = "0", .gpus = "", .mems = ""};
    f->ranks[1] = (struct plan_rank){.host = "a", .cpus = "1", .gpus = "2-3", .mems = ""};
    f->plan = (struct plan){.ranks = f->ranks, .n_ranks = 2};
    struct surroundings_of of = {
        .spec = &f->spec, .plan = &f->plan, .rank = 1, .threads = 3};
    f->s = surroundings_make(&of);
}

static void tear_down(struct fixture *f)
{
    surroundings_free(f->s);
    arena_free(f->arena);
}

static const char *const *env_of(struct fixture *f, uint64_t task, const char *const *own)
{
    static const char *const none[] = {NULL};
    struct surroundings_task t = {
        .task = task, .attempt = 2, .tmpdir = "/tmp/x", .own = own != NULL ? own : none};
    return surroundings_env(f->s, &t, f->arena);
}

/* The value, "" where the name is not there; a name that stands twice fails. */
static const char *value(const char *const *env, const char *name)
{
    const char *found = NULL;
    for (; *env != NULL; env++) {
        size_t n = strcspn(*env, "=");
        if (strlen(name) == n && strncmp(*env, name, n) == 0) {
            cr_expect_null(found, "%s stands twice", name);
            found = *env + n + 1;
        }
    }
    return found != NULL ? found : "";
}

Test(surroundings, a_task_sees_ours_and_who_it_is_but_no_launcher)
{
    struct fixture f;
    cr_assert_eq(setenv("GM_OURS", "a=b", 1), 0);
    cr_assert_eq(setenv("OMPI_COMM_WORLD_RANK", "7", 1), 0);
    cr_assert_eq(setenv("GRIDMILL_TASK", "99", 1), 0);
    set_up(&f, &(struct jobspec_stage){0});
    const char *const *env = env_of(&f, 41, NULL);
    cr_expect_str_eq(value(env, "GM_OURS"), "a=b");
    cr_expect_str_eq(value(env, "OMPI_COMM_WORLD_RANK"), "");
    cr_expect_str_eq(value(env, "GRIDMILL_STAGE"), "s");
    cr_expect_str_eq(value(env, "GRIDMILL_TASK"), "41");
    cr_expect_str_eq(value(env, "GRIDMILL_ATTEMPT"), "2");
    cr_expect_str_eq(value(env, "TMPDIR"), "/tmp/x");
    cr_expect_str_eq(value(env, "OMP_NUM_THREADS"), "3");
    cr_expect_str_eq(value(env, "CUDA_VISIBLE_DEVICES"), "2,3");
    cr_expect_str_eq(value(env_of(&f, 42, NULL), "GRIDMILL_TASK"), "42");
    tear_down(&f);
}

Test(surroundings, inherit_lets_in_what_it_names_and_no_more)
{
    static const char *const names[] = {"GM_ONE", "GM_MANY_*"};
    struct fixture f;
    (void)setenv("GM_ONE", "1", 1);
    (void)setenv("GM_ONE_MORE", "2", 1);
    (void)setenv("GM_MANY_A", "3", 1);
    (void)setenv("GM_MANY_", "4", 1);
    (void)setenv("GM_MANY", "5", 1);
    set_up(&f, &(struct jobspec_stage){.inherit = names, .n_inherit = 2});
    const char *const *env = env_of(&f, 0, NULL);
    cr_expect_str_eq(value(env, "GM_ONE"), "1");
    cr_expect_str_eq(value(env, "GM_ONE_MORE"), "");
    cr_expect_str_eq(value(env, "GM_MANY_A"), "3");
    cr_expect_str_eq(value(env, "GM_MANY_"), "4");
    cr_expect_str_eq(value(env, "GM_MANY"), "");
    cr_expect_str_eq(value(env, "PATH"), "");
    cr_expect_str_eq(value(env, "GRIDMILL_STAGE"), "s");
    tear_down(&f);
    set_up(&f, &(struct jobspec_stage){.inherit = names, .n_inherit = 0});
    cr_expect_str_eq(value(env_of(&f, 0, NULL), "GM_ONE"), "", "an empty list: none");
    tear_down(&f);
}

Test(surroundings, the_stages_own_words_replace_and_unset)
{
    static const struct jobspec_env words[] = {{.name = "GM_OLD"},
                                               {.name = "GM_GONE", .unset = true},
                                               {.name = "TMPDIR", .unset = true},
                                               {.name = "OMP_NUM_THREADS"}};
    static const char *const own[] = {
        "GM_OLD=new", "OMP_NUM_THREADS=9", "GM_NEW=1", "GRIDMILL_TASK=mine", NULL};
    struct fixture f;
    (void)setenv("GM_OLD", "old", 1);
    (void)setenv("GM_GONE", "here", 1);
    set_up(&f, &(struct jobspec_stage){.env = words, .n_env = 4});
    const char *const *env = env_of(&f, 5, own);
    cr_expect_str_eq(value(env, "GM_OLD"), "new");
    cr_expect_str_eq(value(env, "GM_GONE"), "");
    cr_expect_str_eq(value(env, "TMPDIR"), "");
    cr_expect_str_eq(value(env, "OMP_NUM_THREADS"), "9");
    cr_expect_str_eq(value(env, "GM_NEW"), "1");
    cr_expect_str_eq(value(env, "GRIDMILL_TASK"), "mine");
    cr_expect_str_eq(value(env_of(&f, 6, NULL), "GM_OLD"), "old", "for this task alone");
    tear_down(&f);
}
