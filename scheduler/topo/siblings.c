/* See siblings.h. Invariant: each PU of the set is in exactly one core. */
#include "siblings.h"
#include "base/file.h"
#include "base/memory.h"
#include <string.h>

enum { MOST_TEXT = 1 << 16 };

/* The PUs of this one's core; NULL: the kernel does not tell. */
static struct idset *read_siblings(unsigned pu)
{
    static const char *const names[] = {"core_cpus_list", "thread_siblings_list"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[96];
        AUTO_FREE(char) text = NULL;
        size_t len;
        struct idset *set = NULL;
        (void)snprintf(path,
                       sizeof(path),
                       "/sys/devices/system/cpu/cpu%u/topology/%s",
                       pu,
                       names[i]);
        if (file_read(path, MOST_TEXT, &text, &len, NULL) != 0)
            continue;
        text[strcspn(text, "\n")] = '\0';
        if (idset_parse(text, &set, NULL) == 0)
            return set;
    }
    return NULL;
}

unsigned siblings_cores(const struct idset *pus, struct idset ***ret)
{
    AUTO(idset) left = idset_dup(pus);
    struct idset **cores = NULL;
    unsigned n = 0;
    for (int64_t pu; (pu = idset_next(left, 0)) >= 0;) {
        AUTO(idset) all = read_siblings((unsigned)pu);
        struct idset *core = idset_make();
        idset_add(core, (unsigned)pu);
        for (int64_t i = all == NULL ? -1 : idset_next(all, 0); i >= 0;
             i = idset_next(all, (unsigned)i + 1)) {
            if (idset_has(left, (unsigned)i))
                idset_add(core, (unsigned)i);
        }
        idset_subtract(left, core);
        cores = xrealloc(cores, n + 1, sizeof(struct idset *));
        cores[n++] = core;
    }
    *ret = cores;
    return n;
}
