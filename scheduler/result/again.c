/* See again.h. Invariant: the file is written whole, under the folder's lock; it only
 * changes when somebody asks anew. */
#include "again.h"
#include "base/file.h"
#include "base/str.h"
#include "base/strmap.h"
#include "listing.h"
#include <inttypes.h>
#include <stdlib.h>

enum { MOST_BYTES = 256 << 20 };

static char *path_of(const char *folder)
{
    struct str path = {0};
    str_printf(&path, "%s/again", folder);
    return str_steal(&path);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int again_write(const char *folder, uint32_t launch, struct gm_error *err)
{
    AUTO_FREE(char) path = path_of(folder);
    AUTO_STR text = {0};
    char **names = NULL;
    size_t n = 0;
    int rc = listing_shards(folder, &names, &n, err);
    str_printf(&text, "launch %" PRIu32 "\n", launch);
    for (size_t i = 0; rc == 0 && i < n; i++)
        str_printf(&text, "%s\n", name_of(names[i]));
    if (rc == 0) {
        listing_free(names, n);
        rc = file_write(path, text.text, text.len, err);
    }
    return rc;
}

int again_read(const char *folder, struct again *ret, struct gm_error *err)
{
    AUTO_FREE(char) path = path_of(folder);
    struct again a = {0};
    size_t len = 0;
    int used = 0;
    *ret = a;
    if (!file_exists(path))
        return 0;
    int rc = file_read(path, MOST_BYTES, &a.text, &len, err);
    if (rc < 0)
        return rc;
    /* NOLINTNEXTLINE(cert-err34-c): a number that is too large is no launch's */
    if (sscanf(a.text, "launch %" SCNu32 "%n", &a.launch, &used) != 1 ||
        a.text[used] != '\n') {
        free(a.text);
        return gm_fail(err, -EINVAL, "%s: is damaged: ask for --failed anew", path);
    }
    a.shards = strmap_make();
    for (char *p = a.text + used + 1, *end; (end = strchr(p, '\n')) != NULL;
         p = end + 1) {
        *end = '\0';
        strmap_put(a.shards, p, 0);
    }
    *ret = a;
    return 0;
}

bool again_has(const struct again *a, const char *shard_path)
{
    size_t unused;
    return a->shards != NULL && strmap_get(a->shards, name_of(shard_path), &unused);
}

void again_clear(struct again *a)
{
    strmap_free(a->shards);
    free(a->text);
    *a = (struct again){0};
}
