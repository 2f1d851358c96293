/* topo/bind.h, against taskset's own view: /proc/PID/status. */
#include "base/clock.h"
#include "base/proc.h"
#include "topo/bind.h"

#include <criterion/criterion.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* "Cpus_allowed_list" or its like, as the kernel prints it. */
static struct idset *from_proc_line(pid_t pid, const char *key)
{
    char path[64], line[8192];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    AUTO_FILE f = fopen(path, "re");
    struct idset *set = NULL;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        char text[4096];
        if (strncmp(line, key, strlen(key)) == 0 &&
            sscanf(line + strlen(key), ": %4095s", text) == 1)
            cr_assert_eq(idset_parse(text, &set, NULL), 0, "%s", text);
    }
    cr_assert_not_null(set);
    return set;
}

static struct idset *from_proc(pid_t pid)
{
    return from_proc_line(pid, "Cpus_allowed_list");
}

Test(bind, this_thread_reads_what_the_kernel_says)
{
    AUTO(idset) mine = NULL;
    AUTO(idset) want = from_proc(getpid());
    cr_assert_eq(bind_read(0, &mine, NULL), 0);
    cr_expect(idset_equal(mine, want));
}

Test(bind, another_process_is_read_and_a_dead_one_is_an_error)
{
    const char *argv[] = {"sleep", "10", NULL};
    struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
    pid_t pid;
    cr_assert_eq(proc_spawn(&spec, &pid, NULL), 0);
    cpu_set_t one;
    AUTO(idset) all = NULL;
    cr_assert_eq(bind_read(0, &all, NULL), 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)idset_next(all, 0), &one);
    cr_assert_eq(sched_setaffinity(pid, sizeof(one), &one), 0);
    AUTO(idset) got = NULL;
    AUTO(idset) want = from_proc(pid);
    cr_assert_eq(bind_read_all(pid, &got, NULL), 0);
    cr_expect(idset_equal(got, want) && idset_count(got) == 1);
    proc_signal_group(pid, SIGKILL);
    struct proc_end end;
    cr_assert_eq(proc_reap(pid, true, &end), 1);
    struct idset *none = NULL;
    struct gm_error err;
    cr_expect_lt(bind_read_all(pid, &none, &err), 0);
    cr_expect_null(none);
    cr_expect_neq(err.text[0], '\0');
}

static void *linger(void *stop)
{
    while (!__atomic_load_n((bool *)stop, __ATOMIC_ACQUIRE))
        clock_sleep(0.001);
    return NULL;
}

Test(bind, all_threads_are_bound_and_one_that_differs_is_seen)
{
    enum { N = 4 };
    pthread_t threads[N];
    bool stop = false;
    AUTO(idset) all = NULL;
    cr_assert_eq(bind_read(0, &all, NULL), 0);
    if (idset_count(all) < 2)
        cr_skip_test("needs two PUs");
    for (int i = 0; i < N; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, linger, &stop), 0);
    AUTO(idset) first = idset_make();
    idset_add(first, (unsigned)idset_next(all, 0));
    cr_assert_eq(bind_set_all(first, NULL), 0);
    AUTO(idset) seen = NULL;
    cr_assert_eq(bind_read_all(0, &seen, NULL), 0);
    cr_expect(idset_equal(seen, first));

    unsigned other = (unsigned)idset_next(all, (unsigned)idset_next(all, 0) + 1);
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(other, &mask);
    cr_assert_eq(pthread_setaffinity_np(threads[2], sizeof(mask), &mask), 0);
    AUTO(idset) wider = NULL;
    cr_assert_eq(bind_read_all(0, &wider, NULL), 0);
    cr_expect(idset_has(wider, other) && idset_count(wider) == 2);
    AUTO(idset) own = NULL;
    cr_assert_eq(bind_read(0, &own, NULL), 0);
    cr_expect(idset_equal(own, first), "this thread did not move");

    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    for (int i = 0; i < N; i++)
        (void)pthread_join(threads[i], NULL);
}

Test(bind, no_pu_and_a_pu_that_is_not_there_are_errors)
{
    AUTO(idset) set = idset_make();
    struct gm_error err;
    cr_expect_eq(bind_set_all(set, &err), -EINVAL);
    idset_add(set, 900000);
    cr_expect_lt(bind_set_all(set, &err), 0);
    cr_expect_not_null(strstr(err.text, "900000"), "%s", err.text);
}

static void set_policy(int mode, const struct idset *nodes)
{
    unsigned long words[16] = {0};
    const unsigned bits = 8 * sizeof(words[0]);
    for (int64_t i = idset_next(nodes, 0); i >= 0; i = idset_next(nodes, (unsigned)i + 1))
        words[(unsigned)i / bits] |= 1UL << ((unsigned)i % bits);
    if (syscall(SYS_set_mempolicy, mode, words, 16UL * bits + 1) != 0)
        cr_skip_test("no set_mempolicy here");
}

Test(bind, memory_comes_from_the_nodes_of_the_cpuset)
{
    AUTO(idset) want = from_proc_line(getpid(), "Mems_allowed_list");
    AUTO(idset) got = NULL;
    bool strict = true;
    cr_assert_eq(bind_read_memory(&got, &strict, NULL), 0);
    cr_expect(!strict && idset_equal(got, want));
}

Test(bind, a_policy_is_strict_when_it_binds_and_not_when_it_prefers)
{
    AUTO(idset) all = from_proc_line(getpid(), "Mems_allowed_list");
    AUTO(idset) one = idset_make();
    idset_add(one, (unsigned)idset_next(all, 0));
    bool strict = false;
    AUTO(idset) bound = NULL;
    AUTO(idset) wish = NULL;
    set_policy(MPOL_BIND, one);
    cr_assert_eq(bind_read_memory(&bound, &strict, NULL), 0);
    cr_expect(strict && idset_equal(bound, one));
    set_policy(MPOL_PREFERRED, one);
    cr_assert_eq(bind_read_memory(&wish, &strict, NULL), 0);
    cr_expect(!strict && idset_equal(wish, all));
    set_policy(MPOL_BIND | MPOL_F_STATIC_NODES, one);
    idset_free(steal(&bound));
    cr_assert_eq(bind_read_memory(&bound, &strict, NULL), 0);
    cr_expect(strict && idset_equal(bound, one));
}
