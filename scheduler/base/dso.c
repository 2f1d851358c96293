/* See dso.h. */
#include "dso.h"
#include "memory.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

struct dso {
    void *handle;
};

enum { MOST_SEGMENTS = 1024 };

/* The loader maps what a header promises, and the process dies at the first byte that is
 * not in the file. */
static int check_segments(int fd, const char *path, uint64_t size, struct gm_error *err)
{
    ElfW(Ehdr) head;
    if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_phentsize != sizeof(ElfW(Phdr)) || head.e_phnum > MOST_SEGMENTS)
        return gm_fail(err, -EINVAL, "%s: is no shared object", path);
    for (unsigned i = 0; i < head.e_phnum; i++) {
        ElfW(Phdr) segment;
        off_t at = (off_t)(head.e_phoff + i * sizeof(segment));
        if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment) ||
            segment.p_offset > size || segment.p_filesz > size - segment.p_offset)
            return gm_fail(err, -EINVAL, "%s: is cut short: copy it again", path);
    }
    return 0;
}

/* A path, not a name that the loader searches. */
static int check_file(const char *path, struct gm_error *err)
{
    struct stat st;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return gm_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return gm_fail(err, -EINVAL, "%s: is no regular file", path);
    return check_segments(fd, path, (uint64_t)st.st_size, err);
}

int dso_open(const char *path, struct dso **ret, struct gm_error *err)
{
    int rc = strchr(path, '/') != NULL ? check_file(path, err) : 0;
    if (rc != 0)
        return rc;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return gm_fail(err, -ENOENT, "%s", dlerror());
    struct dso *d = xcalloc(1, sizeof(*d));
    d->handle = handle;
    *ret = d;
    return 0;
}

void *dso_symbol(struct dso *d, const char *name)
{
    return dlsym(d->handle, name);
}

/* What the loader made of the file's dynamic section. */
struct tables {
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Word) * hash; /* buckets, chains, ...: as many symbols as chains */
    const uint32_t *gnu_hash;
};

static struct tables read_tables(const struct link_map *map)
{
    struct tables t = {0};
    for (const ElfW(Dyn) *d = map->l_ld; d != NULL && d->d_tag != DT_NULL; d++) {
        /* Most loaders have made addresses of these already. */
        ElfW(Addr) at =
            d->d_un.d_ptr < map->l_addr ? map->l_addr + d->d_un.d_ptr : d->d_un.d_ptr;
        if (d->d_tag == DT_SYMTAB)
            t.symbols = (const void *)at;
        else if (d->d_tag == DT_STRTAB)
            t.names = (const void *)at;
        else if (d->d_tag == DT_HASH)
            t.hash = (const void *)at;
        else if (d->d_tag == DT_GNU_HASH)
            t.gnu_hash = (const void *)at;
    }
    return t;
}

/* How many symbols there are: the newer hash knows the last one of each chain alone. */
static size_t count_symbols(const struct tables *t)
{
    if (t->hash != NULL)
        return t->hash[1];
    if (t->gnu_hash == NULL)
        return 0;
    uint32_t n_buckets = t->gnu_hash[0], first = t->gnu_hash[1], last = 0;
    const uint32_t *buckets =
        t->gnu_hash + 4 + (size_t)t->gnu_hash[2] * (sizeof(ElfW(Addr)) / 4);
    const uint32_t *chains = buckets + n_buckets;
    for (uint32_t i = 0; i < n_buckets; i++)
        last = buckets[i] > last ? buckets[i] : last;
    if (last < first)
        return 0;
    while ((chains[last - first] & 1) == 0)
        last++;
    return (size_t)last + 1;
}

void dso_objects(struct dso *d,
                 const char *end,
                 void (*each)(void *ctx, const char *name, size_t bytes),
                 void *ctx)
{
    struct link_map *map = NULL;
    if (dlinfo(d->handle, RTLD_DI_LINKMAP, &map) != 0)
        return;
    struct tables t = read_tables(map);
    size_t n = t.symbols != NULL && t.names != NULL ? count_symbols(&t) : 0;
    for (size_t i = 0; i < n; i++) {
        const ElfW(Sym) *s = &t.symbols[i];
        const char *name = t.names + s->st_name;
        size_t len = strlen(name), tail = strlen(end);
        if (s->st_shndx != SHN_UNDEF && (s->st_info & 0xf) == STT_OBJECT && len > tail &&
            strcmp(name + len - tail, end) == 0)
            each(ctx, name, (size_t)s->st_size);
    }
}

void dso_close(struct dso *d)
{
    if (d == NULL)
        return;
    (void)dlclose(d->handle);
    free(d);
}
