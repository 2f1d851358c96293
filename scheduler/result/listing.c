/* See listing.h. Invariant: a name that begins with a dot, or does not end in .h5, is no
 * shard: files that are being made are called so. */
#include "listing.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>

#define RANKS_A_FOLDER 256u

char *listing_shard(const char *folder, unsigned rank, unsigned launch)
{
    struct str name = {0};
    str_printf(&name, "%s/shards/%03u/rank-%06u", folder, rank / RANKS_A_FOLDER, rank);
    if (launch > 0)
        str_printf(&name, ".%u", launch);
    str_add(&name, ".h5");
    return str_steal(&name);
}

unsigned listing_launches(const char *folder, unsigned rank)
{
    for (unsigned launch = 0;; launch++) {
        AUTO_FREE(char) path = listing_shard(folder, rank, launch);
        AUTO_FREE(char) fence = listing_fence(path);
        if (!file_exists(path) && !file_exists(fence))
            return launch;
    }
}

char *listing_fence(const char *shard)
{
    AUTO_FREE(char) part = file_dirname(shard);
    AUTO_FREE(char) shards = file_dirname(part);
    AUTO_FREE(char) folder = file_dirname(shards);
    const char *slash = strrchr(shard, '/'), *name = slash != NULL ? slash + 1 : shard;
    size_t len = strlen(name);
    if (len > 3 && strcmp(name + len - 3, ".h5") == 0)
        len -= 3;
    struct str path = {0};
    str_printf(&path, "%s/fences/%.*s.txt", folder, (int)len, name);
    return str_steal(&path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The entries of a folder that end in `suffix`, sorted. A folder that is not there is
 * empty. */
static int list(const char *folder,
                const char *suffix,
                char ***ret,
                size_t *ret_n,
                struct gm_error *err)
{
    char **names = NULL;
    size_t n = 0, tail = strlen(suffix);
    DIR *dir = opendir(folder);
    if (dir == NULL && errno != ENOENT && errno != ENOTDIR) {
        int code = -errno;
        return gm_fail(err, code, "%s: %s", folder, strerror(-code));
    }
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || len < tail ||
            strcmp(entry->d_name + len - tail, suffix) != 0)
            continue;
        struct str path = {0};
        str_printf(&path, "%s/%s", folder, entry->d_name);
        names = xrealloc(names, n + 1, sizeof(*names));
        names[n++] = str_steal(&path);
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (n > 0)
        qsort(names, n, sizeof(*names), by_name);
    *ret = names;
    *ret_n = n;
    return 0;
}

int listing_shards(const char *folder, char ***ret, size_t *ret_n, struct gm_error *err)
{
    AUTO_STR top = {0};
    str_printf(&top, "%s/shards", folder);
    char **folders = NULL, **all = NULL;
    size_t n = 0, n_all = 0;
    int rc = list(top.text, "", &folders, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char **names = NULL;
        size_t n_names = 0;
        rc = list(folders[i], ".h5", &names, &n_names, err);
        all = xrealloc(all, n_all + n_names + 1, sizeof(*all));
        for (size_t k = 0; k < n_names; k++)
            all[n_all++] = names[k];
        free(names);
    }
    listing_free(folders, n);
    if (rc != 0) {
        listing_free(all, n_all);
        return rc;
    }
    *ret = all;
    *ret_n = n_all;
    return 0;
}

void listing_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}
