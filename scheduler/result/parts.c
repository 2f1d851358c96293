/* See parts.h. Invariant: a generation without ".tmp" is that of some file, which may
 * have been renamed since: it goes only with the file that says it is made of it. */
#include "parts.h"
#include "base/apart.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/str.h"
#include "h5.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_SECONDS 20u

static int fail(struct gm_error *err, const char *path)
{
    int code = -errno;
    return gm_fail(err, code, "%s: %s", path, strerror(-code));
}

static int sync_folder(const char *path)
{
    AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fsync(fd) : -1;
}

int parts_clean(const char *file, struct gm_error *err)
{
    AUTO_STR folder = {0};
    str_printf(&folder, "%s.parts", file);
    DIR *dir = opendir(folder.text);
    const struct dirent *entry;
    int rc = 0;
    while (dir != NULL && rc == 0 && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        size_t digits = strspn(name, "0123456789");
        AUTO_STR path = {0};
        str_printf(&path, "%s/%s", folder.text, name);
        if (digits > 0 && strcmp(name + digits, ".tmp") == 0)
            rc = file_remove_tree(path.text, err);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(folder.text); /* where nothing is left in it */
    return rc;
}

int parts_take(const char *file, unsigned *ret, struct gm_error *err)
{
    AUTO_STR path = {0};
    int rc = parts_clean(file, err);
    if (rc != 0)
        return rc;
    str_printf(&path, "%s.parts", file);
    if (mkdir(path.text, 0777) != 0 && errno != EEXIST)
        return fail(err, path.text);
    for (unsigned n = 0;; n++) {
        str_clear(&path);
        str_printf(&path, "%s.parts/%u", file, n);
        if (file_exists(path.text))
            continue;
        str_add(&path, ".tmp");
        *ret = n;
        return mkdir(path.text, 0777) == 0 ? 0 : fail(err, path.text);
    }
}

int parts_name(const char *file, unsigned n, struct gm_error *err)
{
    AUTO_STR folder = {0};
    AUTO_STR tmp = {0};
    AUTO_STR path = {0};
    str_printf(&folder, "%s.parts", file);
    str_printf(&tmp, "%s/%u.tmp", folder.text, n);
    str_printf(&path, "%s/%u", folder.text, n);
    (void)sync_folder(tmp.text); /* some file systems cannot */
    if (rename(tmp.text, path.text) != 0)
        return fail(err, path.text);
    (void)sync_folder(folder.text);
    return 0;
}

void parts_drop(const char *file, unsigned n)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s.parts/%u", file, n);
    (void)file_remove_tree(path.text, NULL);
    (void)parts_clean(file, NULL);
}

struct looking {
    const char *path;
    char **ret;
};

static int look(const void *what, uint64_t *ret, struct gm_error *err)
{
    const struct looking *l = what;
    AUTO_ID file = -1;
    h5_begin();
    int rc = h5_open(l->path, H5F_ACC_RDONLY, &file, err);
    *ret = rc == 0 && H5Aexists(file, "parts") > 0;
    return *ret != 0 ? h5_get_text(file, "parts", l->ret, err) : rc;
}

/* In a child process first: a damaged file can crash HDF5. */
static char *read_parts(const char *path)
{
    char *text = NULL, *in_child = NULL;
    const struct looking first = {path, &in_child}, then = {path, &text};
    const struct apart apart = {look, &first, path, "HDF5", LOOK_SECONDS};
    uint64_t there = 0;
    if (!file_exists(path) || apart_call(&apart, &there, NULL) != 0 || there == 0)
        return NULL;
    (void)look(&then, &there, NULL);
    return text;
}

char *parts_of(const char *path, const char *file)
{
    AUTO_FREE(char) text = read_parts(path);
    AUTO_STR front = {0};
    struct str folder = {0};
    const char *base = strrchr(file, '/');
    str_printf(&front, "%s.parts/", base != NULL ? base + 1 : file);
    if (text == NULL || strncmp(text, front.text, front.len) != 0)
        return NULL;
    const char *n = text + front.len;
    if (*n == '\0' || n[strspn(n, "0123456789")] != '\0')
        return NULL;
    str_printf(&folder, "%s.parts/%s", file, n);
    return str_steal(&folder);
}
