/* See storage.h. */
#include "storage.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/str.h"
#include <string.h>

#define NAME_MOST 4096

/* NAME.parts/N/part-NNNNN.h5, in the file's own folder. */
static bool is_part(const char *name)
{
    static const char digits[] = "0123456789";
    const char *at = strchr(name, '/');
    if (at == NULL || at - name < 7 || strncmp(at - 6, ".parts", 6) != 0)
        return false;
    size_t n = strspn(++at, digits);
    at += n;
    if (n == 0 || strncmp(at, "/part-", 6) != 0)
        return false;
    at += 6;
    n = strspn(at, digits);
    return n > 0 && strcmp(at + n, ".h5") == 0;
}

static int check_part(hid_t how, size_t i, const char *folder, struct gm_error *err)
{
    char name[NAME_MOST];
    ssize_t n = H5Pget_virtual_filename(how, i, name, sizeof(name));
    if (n < 0 || n >= NAME_MOST || !is_part(name))
        return gm_fail(
            err, -EINVAL, "its data is in other files, which are not followed");
    AUTO_STR path = {0};
    str_printf(&path, "%s/%s", folder, name);
    return file_exists(path.text)
               ? 0
               : gm_fail(err,
                         -EINVAL,
                         "%s, which has its data, is not there: move the folder of the "
                         "parts with the file",
                         path.text);
}

static int check_virtual(hid_t set, hid_t how, struct gm_error *err)
{
    char file[NAME_MOST];
    size_t n = 0;
    if (H5Fget_name(set, file, sizeof(file)) < 0 || H5Pget_virtual_count(how, &n) < 0)
        return h5_fail(err, "its virtual storage");
    AUTO_FREE(char) folder = file_dirname(file);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = check_part(how, i, folder, err);
    return rc;
}

int storage_check(hid_t set, struct gm_error *err)
{
    AUTO_ID how = H5Dget_create_plist(set);
    if (how < 0)
        return h5_fail(err, "its properties");
    H5D_layout_t layout = H5Pget_layout(how);
    if (layout == H5D_VIRTUAL)
        return check_virtual(set, how, err);
    if (layout == H5D_CONTIGUOUS && H5Pget_external_count(how) != 0)
        return gm_fail(
            err, -EINVAL, "its data is in other files, which are not followed");
    return 0;
}
