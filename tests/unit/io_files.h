/* Files for the readers' tests, in a folder of the test's own. */
#ifndef IO_FILES_H
#define IO_FILES_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

struct io_files {
    char folder[32];
    char path[64]; /* of the file that was written last */
};

static inline struct io_files io_files_make(void)
{
    struct io_files f = {.folder = "/tmp/gm-io-XXXXXX"};
    cr_assert_not_null(mkdtemp(f.folder));
    return f;
}

static inline const char *
io_files_write(struct io_files *f, const char *name, const void *bytes, size_t n)
{
    (void)snprintf(f->path, sizeof(f->path), "%s/%s", f->folder, name);
    FILE *out = fopen(f->path, "wb");
    cr_assert_not_null(out);
    cr_assert_eq(fwrite(bytes, 1, n, out), n);
    cr_assert_eq(fclose(out), 0);
    return f->path;
}

static inline const char *
io_files_gz(struct io_files *f, const char *name, const void *bytes, size_t n)
{
    (void)snprintf(f->path, sizeof(f->path), "%s/%s", f->folder, name);
    gzFile out = gzopen(f->path, "wb");
    cr_assert_not_null(out);
    cr_assert_eq(gzwrite(out, bytes, (unsigned)n), (int)n);
    cr_assert_eq(gzclose(out), Z_OK);
    return f->path;
}

static inline void io_files_remove(struct io_files *f)
{
    (void)unlink(f->path);
    (void)rmdir(f->folder);
}

#endif
