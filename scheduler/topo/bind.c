/* See bind.h. The kernel's mask may be wider than cpu_set_t: the buffer grows until it
 * fits. */
#include "bind.h"
#include "base/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORD_BITS = 8 * sizeof(unsigned long), FIRST_WORDS = 16, MOST_NODES = 1 << 12 };

static int no_affinity(pid_t tid, int code, struct gm_error *err)
{
    return gm_fail(err, -code, "affinity of thread %d: %s", (int)tid, strerror(code));
}

static struct idset *set_of(const unsigned long *words, size_t n)
{
    struct idset *set = idset_make();
    for (unsigned i = 0; i < n * WORD_BITS; i++) {
        if ((words[i / WORD_BITS] >> (i % WORD_BITS) & 1) != 0)
            idset_add(set, i);
    }
    return set;
}

int bind_read(pid_t tid, struct idset **ret, struct gm_error *err)
{
    AUTO_FREE(unsigned long) words = NULL;
    size_t n = FIRST_WORDS;
    for (;; n *= 2) {
        words = xrealloc(words, n, sizeof(*words));
        memset(words, 0, n * sizeof(*words));
        if (sched_getaffinity(tid, n * sizeof(*words), (cpu_set_t *)words) == 0)
            break;
        if (errno != EINVAL || n * WORD_BITS >= IDSET_MAX)
            return no_affinity(tid, errno, err);
    }
    *ret = set_of(words, n);
    return 0;
}

/* NULL: *ret_code and err say why. */
static DIR *open_threads(pid_t pid, int *ret_code, struct gm_error *err)
{
    char path[64] = "/proc/self/task";
    if (pid != 0)
        (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        *ret_code = gm_fail(err, -errno, "%s: %s", path, strerror(errno));
    return dir;
}

/* The next thread's id, or 0 after the last. */
static pid_t next_thread(DIR *dir)
{
    struct dirent *e;
    while ((e = readdir(dir)) != NULL) {
        if (isdigit((unsigned char)e->d_name[0]))
            return (pid_t)strtol(e->d_name, NULL, 10);
    }
    return 0;
}

int bind_read_all(pid_t pid, struct idset **ret, struct gm_error *err)
{
    int rc = 0;
    DIR *dir = open_threads(pid, &rc, err);
    if (dir == NULL)
        return rc;
    AUTO(idset) all = idset_make();
    unsigned n = 0;
    for (pid_t tid; rc == 0 && (tid = next_thread(dir)) != 0;) {
        AUTO(idset) one = NULL;
        struct gm_error why;
        int code = bind_read(tid, &one, &why);
        if (code == 0) {
            idset_unite(all, one);
            n++;
        } else if (code != -ESRCH) {
            rc = gm_fail(err, code, "%s", why.text);
        }
    }
    (void)closedir(dir);
    if (rc == 0 && n == 0)
        rc = gm_fail(err, -ESRCH, "process %d has ended", (int)pid);
    if (rc == 0)
        *ret = steal(&all);
    return rc;
}

/* One pass over the threads; *ret_changed: how many had another mask. */
static int bind_pass(const struct idset *cpus,
                     const unsigned long *words,
                     size_t size,
                     unsigned *ret_changed,
                     struct gm_error *err)
{
    int rc = 0;
    DIR *dir = open_threads(0, &rc, err);
    if (dir == NULL)
        return rc;
    unsigned changed = 0;
    for (pid_t tid; rc == 0 && (tid = next_thread(dir)) != 0;) {
        AUTO(idset) now = NULL;
        if (bind_read(tid, &now, NULL) == 0 && idset_equal(now, cpus))
            continue;
        changed++;
        if (sched_setaffinity(tid, size, (const cpu_set_t *)words) != 0 && errno != ESRCH)
            rc = no_affinity(tid, errno, err);
    }
    (void)closedir(dir);
    if (rc == 0)
        *ret_changed = changed;
    return rc;
}

/* A thread that is born during a pass has its parent's mask, maybe the old one: passes go
 * on until one finds nothing to do. A mask that the kernel cut (a cgroup allows less than
 * asked) would never come to rest, so a few passes must do, and the last one is checked.
 */
int bind_set_all(const struct idset *cpus, struct gm_error *err)
{
    AUTO_FREE(char) text = idset_format(cpus);
    int64_t last = -1;
    for (int64_t i = idset_next(cpus, 0); i >= 0; i = idset_next(cpus, (unsigned)i + 1))
        last = i;
    if (last < 0)
        return gm_fail(err, -EINVAL, "a process cannot be bound to no PU at all");
    size_t n = (size_t)last / WORD_BITS + 1;
    AUTO_FREE(unsigned long) words = xcalloc(n, sizeof(*words));
    for (int64_t i = idset_next(cpus, 0); i >= 0; i = idset_next(cpus, (unsigned)i + 1))
        words[i / WORD_BITS] |= 1UL << (i % WORD_BITS);
    unsigned changed = 1;
    int rc = 0;
    for (int pass = 0; rc == 0 && changed > 0 && pass < 8; pass++)
        rc = bind_pass(cpus, words, n * sizeof(*words), &changed, err);
    if (rc != 0)
        (void)gm_prefix(err, "cannot bind to PUs %s", text);
    else if (changed > 0)
        rc = gm_fail(err, -EPERM, "cannot bind to PUs %s: the kernel allows fewer", text);
    return rc;
}

/* NULL: no such line. */
static struct idset *allowed_nodes(void)
{
    static const char key[] = "Mems_allowed_list:";
    AUTO_FREE(char) line = NULL;
    size_t room = 0;
    struct idset *set = NULL;
    FILE *f = fopen("/proc/thread-self/status", "re");
    while (f != NULL && set == NULL && getline(&line, &room, f) > 0) {
        if (strncmp(line, key, sizeof(key) - 1) != 0)
            continue;
        char *list = line + sizeof(key) - 1;
        list += strspn(list, " \t");
        list[strcspn(list, "\n")] = '\0';
        (void)idset_parse(list, &set, NULL);
    }
    if (f != NULL)
        (void)fclose(f);
    return set;
}

int bind_read_memory(struct idset **ret, bool *ret_strict, struct gm_error *err)
{
    unsigned long words[MOST_NODES / WORD_BITS] = {0};
    const int modifiers =
        MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;
    int mode = MPOL_DEFAULT;
    long rc =
        syscall(SYS_get_mempolicy, &mode, words, (unsigned long)MOST_NODES, NULL, 0UL);
    /* Kernels without NUMA, and containers that forbid the call. */
    if (rc != 0 && errno != ENOSYS && errno != EPERM)
        return gm_fail(err, -errno, "get_mempolicy: %s", strerror(errno));
    *ret_strict = rc == 0 && (mode & ~modifiers) == MPOL_BIND;
    *ret = *ret_strict ? set_of(words, MOST_NODES / WORD_BITS) : allowed_nodes();
    return 0;
}
