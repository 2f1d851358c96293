#include "base/file.h"
#include "base/str.h"
#include "engine/folder.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64], results[96], folder_path[112];

static struct plan plan_for(const char *file)
{
    static const struct plan_rank rank = {
        .host = "n0", .cpus = "0", .gpus = "", .reason = "first"};
    static const struct plan_host host = {.name = "n0"};
    static const struct plan_topology topology = {.digest = "", .xml = ""};
    (void)snprintf(folder_path, sizeof(folder_path), "%s.gm", file);
    return (struct plan){.id = "0123456789abcdef0123456789abcdef",
                         .verify = PLAN_VERIFY_STRICT,
                         .file = "job.yaml",
                         .dir = dir,
                         .text = "kernel: sleep\n",
                         .text_len = 14,
                         .document = 1,
                         .canonical = "{}",
                         .results = file,
                         .folder = folder_path,
                         .mapping = "pack",
                         .binder = PLAN_BOUND_BY_LAUNCHER,
                         .launcher = "mpirun",
                         .ranks = &rank,
                         .n_ranks = 1,
                         .hosts = &host,
                         .n_hosts = 1,
                         .topologies = &topology,
                         .n_topologies = 1,
                         .build = "test"};
}

static void setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/gridmill-folder-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(results, sizeof(results), "%s/job.h5", dir);
}

static void teardown(void)
{
    (void)file_remove_tree(dir, NULL);
}

TestSuite(folder, .init = setup, .fini = teardown);

static void write_text(const char *path, const char *text)
{
    cr_assert_eq(file_write(path, text, strlen(text), NULL), 0);
}

static bool holds(const char *path, const char *text)
{
    AUTO_FREE(char) found = NULL;
    size_t len;
    return file_read(path, 4096, &found, &len, NULL) == 0 && strcmp(found, text) == 0;
}

Test(folder, a_fresh_one_has_a_plan_that_reads_back_and_goes_without_a_trace)
{
    struct plan plan = plan_for(results);
    AUTO(folder) f = NULL;
    AUTO(plan) again = NULL;
    AUTO_STR name = {0};
    struct gm_error err = {0};
    cr_assert_eq(folder_open(&plan, false, &f, &err), 0, "%s", err.text);
    str_printf(&name, "%s/plan.json", plan.folder);
    cr_assert_eq(plan_load(name.text, &again, &err), 0, "%s", err.text);
    cr_expect_str_eq(again->id, plan.id);
    cr_assert_eq(folder_remove(f, &err), 0);
    cr_expect_not(file_exists(plan.folder));
    cr_expect_not(file_exists(results));
}

Test(folder, a_second_run_is_refused_while_the_first_holds_the_lock_even_with_force)
{
    struct plan plan = plan_for(results);
    AUTO(folder) first = NULL;
    struct folder *second = NULL;
    struct gm_error err = {0};
    cr_assert_eq(folder_open(&plan, false, &first, &err), 0, "%s", err.text);
    for (int force = 0; force < 2; force++) {
        cr_expect_eq(folder_open(&plan, force == 1, &second, &err), -EBUSY);
        cr_expect_null(second);
        cr_expect_not_null(strstr(err.text, plan.folder), "%s", err.text);
    }
    cr_expect(file_exists(plan.folder));
}

Test(folder, results_that_are_there_are_refused_and_with_force_kept_as_old)
{
    struct plan plan = plan_for(results);
    AUTO(folder) f = NULL;
    AUTO_STR old = {0};
    struct gm_error err = {0};
    str_printf(&old, "%s.old", results);
    write_text(results, "precious");
    write_text(old.text, "older");
    cr_expect_eq(folder_open(&plan, false, &f, &err), -EEXIST);
    cr_expect_not_null(strstr(err.text, "--force"), "%s", err.text);
    cr_expect(holds(results, "precious"));
    cr_expect_not(file_exists(plan.folder), "a refusal leaves nothing");
    cr_assert_eq(folder_open(&plan, true, &f, &err), 0, "%s", err.text);
    cr_expect_not(file_exists(results));
    cr_expect(holds(old.text, "precious"));
}

Test(folder, an_unfinished_run_is_refused_and_with_force_kept_as_old)
{
    struct plan plan = plan_for(results);
    AUTO_STR shard = {0};
    AUTO_STR moved = {0};
    struct folder *f = NULL;
    struct gm_error err = {0};
    cr_assert_eq(folder_open(&plan, false, &f, &err), 0, "%s", err.text);
    str_printf(&shard, "%s/shard", plan.folder);
    str_printf(&moved, "%s.old/shard", plan.folder);
    write_text(shard.text, "committed");
    folder_close(f);
    f = NULL;
    cr_expect_eq(folder_open(&plan, false, &f, &err), -EEXIST);
    cr_expect_not_null(strstr(err.text, "gridmill resume"), "%s", err.text);
    cr_expect(holds(shard.text, "committed"));
    cr_assert_eq(folder_open(&plan, true, &f, &err), 0, "%s", err.text);
    cr_expect(holds(moved.text, "committed"));
    cr_expect_not(file_exists(shard.text));
    folder_close(f);
}

/* An unfinished run: its folder, with nobody in it. */
static void leave_unfinished(const struct plan *plan)
{
    AUTO(folder) f = NULL;
    struct gm_error err = {0};
    cr_assert_eq(folder_open(plan, false, &f, &err), 0, "%s", err.text);
}

Test(folder, a_later_launch_takes_what_is_there_and_puts_its_own_id_on_it)
{
    struct plan plan = plan_for(results), next = plan;
    AUTO(folder) f = NULL;
    AUTO(plan) read = NULL;
    AUTO_STR shard = {0};
    AUTO_STR token = {0};
    AUTO_STR name = {0};
    struct gm_error err = {0};
    str_printf(&shard, "%s/shard", plan.folder);
    str_printf(&token, "%s/token", plan.folder);
    str_printf(&name, "%s/plan.json", plan.folder);
    leave_unfinished(&plan);
    write_text(shard.text, "committed");
    next.id = "ffffffffffffffffffffffffffffffff";
    next.launch = 1;
    cr_assert_eq(folder_resume(&next, plan.folder, &f, &err), 0, "%s", err.text);
    cr_expect(holds(shard.text, "committed"));
    cr_expect(holds(token.text, next.id));
    cr_assert_eq(plan_load(name.text, &read, &err), 0, "%s", err.text);
    cr_expect_str_eq(read->id, next.id);
    cr_expect_eq(read->launch, 1);
    struct folder *second = NULL;
    cr_expect_eq(folder_resume(&next, plan.folder, &second, &err), -EBUSY);
    folder_drop(f);
    cr_expect(holds(shard.text, "committed"), "what an earlier launch made stays");
}

Test(folder, results_may_get_another_name_where_none_is_taken)
{
    struct plan plan = plan_for(results), next = plan;
    AUTO(folder) f = NULL;
    AUTO_STR other = {0};
    AUTO_STR to = {0};
    struct gm_error err = {0};
    leave_unfinished(&plan);
    str_printf(&other, "%s/other.h5", dir);
    str_printf(&to, "%s.gm", other.text);
    next.results = other.text;
    next.folder = to.text;
    write_text(other.text, "precious");
    cr_expect_eq(folder_resume(&next, plan.folder, &f, &err), -EEXIST);
    cr_assert_eq(unlink(other.text), 0);
    cr_assert_eq(folder_resume(&next, plan.folder, &f, &err), 0, "%s", err.text);
    cr_expect(file_exists(to.text));
    cr_expect_not(file_exists(plan.folder));
}

Test(folder, a_launch_that_is_just_packed_is_waited_for_and_not_taken)
{
    struct plan plan = plan_for(results);
    AUTO(folder) f = NULL;
    AUTO_STR packing = {0};
    AUTO_STR name = {0};
    struct gm_error err = {0};
    leave_unfinished(&plan);
    str_printf(&packing, "%s/packing", plan.folder);
    str_printf(&name, "%s/plan.json", plan.folder);
    int fd = open(packing.text, O_RDWR | O_CREAT, 0666);
    cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) { /* the rank that packs: its last steps, a moment later */
        (void)usleep(300000);
        (void)unlink(name.text);
        _exit(0);
    }
    (void)close(fd); /* the child holds it on */
    cr_expect_eq(folder_resume(&plan, plan.folder, &f, &err), -EALREADY, "%s", err.text);
    cr_expect_not_null(strstr(err.text, "finished meanwhile"), "%s", err.text);
    cr_expect_eq(waitpid(pid, NULL, 0), pid);
}

Test(folder, force_never_removes_a_folder_that_is_no_job_folder)
{
    static const char *const names[] = {".old", ".gm.old"};
    for (size_t i = 0; i < 2; i++) {
        struct plan plan = plan_for(results);
        AUTO_STR old = {0};
        AUTO_STR mine = {0};
        struct folder *f = NULL;
        struct gm_error err = {0};
        str_printf(&old, "%s%s", results, names[i]);
        str_printf(&mine, "%s/mine", old.text);
        cr_assert_eq(mkdir(old.text, 0777), 0);
        write_text(mine.text, "precious");
        write_text(results, "done");
        if (i == 1)
            cr_assert_eq(mkdir(plan.folder, 0777), 0);
        cr_expect_lt(folder_open(&plan, true, &f, &err), 0);
        cr_expect_null(f);
        cr_expect_not_null(strstr(err.text, old.text), "%s", err.text);
        cr_expect(holds(mine.text, "precious"));
        cr_expect(holds(results, "done"));
        cr_assert_eq(file_remove_tree(old.text, NULL), 0);
    }
}

Test(folder, what_is_no_regular_file_is_never_moved)
{
    struct plan plan = plan_for(results);
    struct folder *f = NULL;
    struct gm_error err = {0};
    cr_assert_eq(mkfifo(results, 0666), 0);
    for (int force = 0; force < 2; force++) {
        cr_expect_eq(folder_open(&plan, force == 1, &f, &err), -EINVAL);
        cr_expect_not_null(strstr(err.text, "no regular file"), "%s", err.text);
    }
    cr_expect(file_exists(results));
}

Test(folder, a_place_that_cannot_hold_results_is_named)
{
    AUTO_STR nowhere = {0};
    AUTO_STR below_file = {0};
    AUTO_STR is_folder = {0};
    str_printf(&nowhere, "%s/none/job.h5", dir);
    str_printf(&below_file, "%s/file/job.h5", dir);
    str_printf(&is_folder, "%s/sub", dir);
    cr_assert_eq(mkdir(is_folder.text, 0777), 0);
    AUTO_STR file = {0};
    str_printf(&file, "%s/file", dir);
    write_text(file.text, "x");
    const struct {
        const char *path;
        int code;
    } cases[] = {
        {nowhere.text, -ENOENT}, {below_file.text, -ENOTDIR}, {is_folder.text, -EISDIR}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plan plan = plan_for(cases[i].path);
        struct folder *f = NULL;
        struct gm_error err = {0};
        cr_expect_eq(folder_open(&plan, true, &f, &err),
                     cases[i].code,
                     "%s: %s",
                     cases[i].path,
                     err.text);
        cr_expect_null(f);
        cr_expect_not_null(strstr(err.text, dir), "%s", err.text);
    }
}
