/* A packed results file as a source of values. Private to scheduler/result. */
#ifndef RESULT_PACKED_H
#define RESULT_PACKED_H

#include "source.h"

struct packed;

/* file: borrowed; head: read from it. */
int packed_open(hid_t file,
                const struct head *head,
                struct packed **ret,
                struct gm_error *err);
void packed_close(struct packed *p); /* takes NULL */

int packed_task(struct packed *p,
                unsigned stage,
                uint64_t task,
                struct reader_task *ret,
                struct gm_error *err);
/* -ENOENT (err untouched): no such value. */
int packed_find(struct packed *p,
                unsigned stage,
                uint64_t task,
                uint32_t kind,
                uint32_t index,
                struct source_value *ret,
                struct gm_error *err);
int packed_read(struct packed *p,
                const struct source_value *v,
                void *out,
                struct gm_error *err);

unsigned packed_n_ranks(const struct packed *p);
void packed_rank(const struct packed *p, unsigned rank, struct reader_rank *ret);

#endif
