/* A file read from front to back, gzip or plain, with the two ways a download goes wrong
 * told apart: the stream ends early, or its check sum does not fit. Private to io/. */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/auto.h"
#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

int stream_open(const char *path, struct stream **ret, struct gm_error *err);
void stream_close(struct stream *s); /* takes NULL */

/* The next bytes, up to n: how many came, 0 at the end of the file, or < 0. */
int64_t stream_read(struct stream *s, void *buf, size_t n, struct gm_error *err);
/* Exactly n bytes; fewer: "file: ends inside <what>". */
int stream_need(
    struct stream *s, void *buf, size_t n, const char *what, struct gm_error *err);
/* The first bytes, up to n, which stay to be read. Before the first read alone. */
int stream_peek(
    struct stream *s, void *buf, size_t n, size_t *ret_n, struct gm_error *err);
/* The next line without its "\n" or "\r\n", terminated; valid until the next call.
 * 1: a line, 0: the end, < 0: failed (an unreadable file, a line over 16 MiB). */
int stream_line(struct stream *s, char **ret, size_t *ret_len, struct gm_error *err);

const char *stream_path(const struct stream *s);
/* Bytes from the start that have been given out. */
uint64_t stream_offset(const struct stream *s);
/* Bytes of a plain file's content; false for gzip, where only reading tells. */
bool stream_size(const struct stream *s, uint64_t *ret);

AUTO_TYPE(stream, stream_close)

#endif
