/* The inside of struct scan. Private to scan*.c. */
#ifndef RESULT_SCAN_INNER_H
#define RESULT_SCAN_INNER_H

#include "base/taskset.h"
#include "head.h"
#include "losses.h"
#include "row.h"
#include "scan.h"
#include "window.h"
#include <sys/stat.h>

struct scan_file { /* a shard */
    char *path;
    uint32_t rank;
    hid_t id; /* -1: closed for now */
    struct window commits;
    uint64_t seen, there; /* rows taken; rows that were there at the last look */
    struct timespec written;
    off_t size;
    bool settled;           /* it was written to long before the last look */
    bool met, fenced, past; /* past: of an earlier launch */
    uint64_t fence, used;
};

struct scan_sets { /* a stage's */
    struct taskset *done, *failed, *skipped;
};

struct scan_found { /* a failure; its words are looked up once a turn is over */
    struct scan_failure failure;
    unsigned file;
    uint64_t first, n; /* its records */
    char *params, *message;
    bool looked;
};

struct scan {
    char *folder; /* NULL: a packed file */
    struct head head;
    struct stat head_stat; /* of job.h5, when the head was read */
    struct scan_job job;
    bool again; /* this launch runs again what failed in earlier ones */
    struct scan_sets *sets;
    struct scan_file *files;
    unsigned n_files, n_open;
    struct losses losses;
    struct scan_found found[SCAN_FAILURES]; /* a ring */
    uint64_t n_found;
    hid_t commit_type, record_type;
    uint64_t clock;
};

/* One commit, whose row and numbers were checked; current: of this launch. */
void scan_take(struct scan *s, const struct row_commit *c, bool current);
/* The ring's next place, cleared. */
struct scan_found *scan_next_found(struct scan *s);
/* All that was counted is forgotten. */
void scan_forget(struct scan *s);
/* The words of the failures that have none yet. */
void scan_look_up(struct scan *s);
/* job.failures of the ring. */
void scan_list_failures(struct scan *s);
int scan_of_packed(const char *path, struct scan *s, struct gm_error *err);

#endif
