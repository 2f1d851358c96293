/* What a command prints on one stream: in memory while it is short, then in a file
 * without a name, and no more than a limit of it. */
#ifndef RUNNER_CAPTURE_H
#define RUNNER_CAPTURE_H

#include "base/str.h"
#include "parcel.h"

#define CAPTURE_IN_MEMORY ((size_t)256 << 10)

struct capture {
    uint64_t most;      /* bytes kept; what comes after them is dropped, and marked */
    const char *folder; /* of the file; borrowed. NULL: all in memory */
    uint64_t len;       /* kept, the marker included */
    struct str text;    /* all of it, or nothing: it stands in the file */
    int file;           /* a descriptor; -1: none */
    bool cut;
};

void capture_init(struct capture *c, uint64_t most, const char *folder);

/* Takes what stands in the pipe (O_NONBLOCK), at most 1 MiB of it, so that a command that
 * prints on and on does not keep us. True: the pipe is at its end. */
bool capture_drain(struct capture *c, int fd);
/* As a record of this kind; nothing was printed: no record. */
int capture_add(struct capture *c, struct parcel *p, uint32_t kind, struct gm_error *err);
void capture_free(struct capture *c); /* what is inside */

#endif
