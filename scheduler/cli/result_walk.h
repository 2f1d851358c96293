/* The tasks of a results file that `gridmill result` was asked for, one after the other:
 * --stage, --task, --status. */
#ifndef CLI_RESULT_WALK_H
#define CLI_RESULT_WALK_H

#include "base/json.h"
#include "command.h"
#include "result/reader.h"
#include "result_why.h"

struct result_walk {
    const char *file;
    struct reader *r;
    struct result_why *why;          /* NULL until it is asked for */
    unsigned first_stage, end_stage; /* those asked for */
    uint64_t first, last;            /* tasks of each, last included */
    bool single;                     /* --task names one task */
    uint32_t statuses;               /* bits 1 << enum result_status */
    unsigned stage;                  /* the next task is this one's */
    uint64_t task;
};

struct result_row {
    unsigned stage;
    uint64_t index;
    const struct reader_stage *of;
    struct reader_task task;
};

int result_walk_open(const struct cli *cli,
                     const char *file,
                     struct result_walk *ret,
                     struct gm_error *err);
void result_walk_close(struct result_walk *w);
/* 1 and the next task; 0: there is none. */
int result_walk_next(struct result_walk *w, struct result_row *ret, struct gm_error *err);
void result_walk_again(struct result_walk *w);
/* The one stage that was asked for; -EINVAL: `what` is of one stage, and there are
 * several. */
int result_walk_only(const struct result_walk *w, const char *what, struct gm_error *err);

/* A text of a task, "" where it has none; *ret is yours to free. */
int result_row_text(struct result_walk *w,
                    const struct result_row *row,
                    uint32_t kind,
                    struct reader_value *ret,
                    struct gm_error *err);
/* The sentence of a failure, or why it was skipped; "" where nothing is to be said. */
int result_row_message(struct result_walk *w,
                       const struct result_row *row,
                       char **ret,
                       struct gm_error *err);
/* The keys of a task in a mapping that is open: stage, index, status ... params,
 * message. */
int result_row_json(struct result_walk *w,
                    const struct result_row *row,
                    struct json *j,
                    struct gm_error *err);

const char *result_status_name(uint32_t status); /* "done", "open" ... */
const char *result_reason_name(uint32_t reason); /* "", "exit" ... */
enum { RESULT_DIGEST = 24 };
/* In hex digits, in `buf`; NULL: there is none. */
const char *result_digest_text(const struct reader_task *t, char buf[RESULT_DIGEST]);
/* For people: "lr=0.1 seed=1". */
void result_params_text(const char *params, struct str *out);
/* What a file holds must not steer a terminal: control characters and bytes that
 * are no UTF-8 become '?'. */
void result_tame(char *text);

#endif
