/* See file.h. */
#include "file.h"
#include "auto.h"
#include "memory.h"
#include "str.h"
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static int fail(struct gm_error *err, const char *path)
{
    int code = -errno;
    return gm_fail(err, code, "%s: %s", path, strerror(-code));
}

int file_read(
    const char *path, size_t most, char **ret, size_t *ret_len, struct gm_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    AUTO_FD fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, path);
    AUTO_STR text = {0};
    static const size_t piece = 65536;
    AUTO_FREE(char) buf = xcalloc(piece, 1);
    for (;;) {
        ssize_t n = read(fd, buf, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, path);
        if (n == 0)
            break;
        str_add_n(&text, buf, (size_t)n);
        if (text.len > most)
            return gm_fail(err, -EFBIG, "%s: more than %zu bytes", path, most);
    }
    *ret_len = text.len;
    *ret = str_steal(&text);
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_write(const char *path, const void *data, size_t len, struct gm_error *err)
{
    AUTO_STR tmp = {0};
    str_printf(&tmp, "%s.tmp", path);
    int fd = open(tmp.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(err, path);
    int rc = write_all(fd, data, len);
    if (rc == 0)
        rc = fsync(fd);
    int code = rc == 0 ? 0 : fail(err, path);
    if (close(fd) != 0 && code == 0)
        code = fail(err, path);
    if (code == 0 && rename(tmp.text, path) != 0)
        code = fail(err, path);
    if (code != 0)
        (void)unlink(tmp.text);
    return code;
}

int file_beside(const char *path, char **ret_path, struct gm_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    AUTO_FREE(char) folder = file_dirname(path);
    for (;;) {
        AUTO_STR beside = {0};
        uint64_t number;
        if (getentropy(&number, sizeof(number)) != 0)
            return fail(err, path);
        str_printf(&beside, "%s/.%s.%016" PRIx64, folder, name, number);
        int fd = open(beside.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return fail(err, path);
        *ret_path = str_steal(&beside);
        return fd;
    }
}

static bool lacks(int code)
{
    return code == EPERM || code == EOPNOTSUPP || code == ENOSYS || code == EINVAL;
}

int file_take_name(const char *tmp, const char *path, struct gm_error *err)
{
    int rc = renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE);
    if (rc != 0 && lacks(errno)) {
        rc = link(tmp, path);
        if (rc == 0)
            (void)unlink(tmp);
        else if (lacks(errno) && file_exists(path))
            errno = EEXIST;
        else if (lacks(errno))
            rc = rename(tmp, path);
    }
    return rc == 0 ? 0 : errno == EEXIST ? -EEXIST : fail(err, path);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int file_make_folders(const char *path, struct gm_error *err)
{
    AUTO_FREE(char) copy = xstrdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char c = *p;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            return fail(err, copy);
        if (c == '\0')
            return 0;
        *p = c;
    }
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path) != 0 && errno != ENOENT ? -1 : 0;
}

int file_remove_tree(const char *path, struct gm_error *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return fail(err, path);
    return 0;
}

static void drop_last_part(struct str *path)
{
    if (path->text == NULL)
        return;
    const char *last = strrchr(path->text, '/');
    path->len = last != NULL ? (size_t)(last - path->text) : 0;
    path->text[path->len] = '\0';
}

static void add_part(struct str *path, const char *part, size_t n)
{
    if (n == 2 && strncmp(part, "..", 2) == 0) {
        drop_last_part(path);
    } else if (n > 0 && !(n == 1 && *part == '.')) {
        str_add(path, "/");
        str_add_n(path, part, n);
    }
}

char *file_absolute(const char *dir, const char *path)
{
    struct str all = {0}, out = {0};
    if (path[0] != '/') {
        AUTO_FREE(char) cwd = getcwd(NULL, 0);
        if (dir == NULL || dir[0] != '/')
            str_printf(&all, "%s/", cwd != NULL ? cwd : "");
        if (dir != NULL)
            str_printf(&all, "%s/", dir);
    }
    str_add(&all, path);
    for (const char *p = all.text; *p != '\0';) {
        size_t n = strcspn(p, "/");
        add_part(&out, p, n);
        p += n + (p[n] == '/');
    }
    str_free(&all);
    if (out.len == 0)
        str_add(&out, "/");
    return str_steal(&out);
}

char *file_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return xstrdup(".");
    struct str out = {0};
    str_add_n(&out, path, slash == path ? 1 : (size_t)(slash - path));
    return str_steal(&out);
}
