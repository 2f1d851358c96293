/* Files and folders, whole. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>

/* The content of a file of at most `most` bytes ("-": standard input), terminated by an
 * extra 0 byte; *ret is yours. -EFBIG when there is more. */
int file_read(
    const char *path, size_t most, char **ret, size_t *ret_len, struct gm_error *err);

/* Writes a file so that it is there whole or not at all: FILE.tmp, fsync, rename. */
int file_write(const char *path, const void *data, size_t len, struct gm_error *err);

/* A new, empty file beside `path`, open for writing, of a hidden name that nobody else
 * has; *ret_path is yours. Returns the descriptor. */
int file_beside(const char *path, char **ret_path, struct gm_error *err);
/* The file `tmp` gets the name `path`, unless that is taken: -EEXIST, err untouched. Of
 * several at once one succeeds. On a file system that has neither a rename which refuses
 * nor links, two within the same microseconds may both. */
int file_take_name(const char *tmp, const char *path, struct gm_error *err);

bool file_exists(const char *path);
int file_make_folders(const char *path, struct gm_error *err); /* mkdir -p */
/* Removes a folder and all in it; not there is fine. */
int file_remove_tree(const char *path, struct gm_error *err);

/* `path` as an absolute one, counted from `dir` (NULL: the working directory) and without
 * "." and "x/.."; yours to free. Symbolic links are left as they are. */
char *file_absolute(const char *dir, const char *path);
char *file_dirname(const char *path); /* "." for a bare name; yours to free */

#endif
