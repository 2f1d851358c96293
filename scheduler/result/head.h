/* The head of a results file, read: /job, /hosts and what the stages declare. job.h5 and
 * the packed file have the same. Private to scheduler/result. */
#ifndef RESULT_HEAD_H
#define RESULT_HEAD_H

#include "base/arena.h"
#include "h5.h"
#include "reader.h"
#include "request.h"
#include "rule.h"

struct head_text {
    const char *key, *text;
};

struct head_rule {
    bool there;
    struct varying rule;
};

struct head {
    struct arena *arena;
    struct reader_stage *stages; /* in the jobspec's order */
    struct head_rule *rules;     /* a stage each */
    unsigned n_stages;
    struct head_text texts[6]; /* reader_job_text */
    const char *outcome;       /* with `end`; NULL: it is not over */
    double end;
    const char *const *rank_hosts; /* of /job/ranks: by the plan */
    const char *const *rank_planned;
    size_t n_ranks;
    struct request request;
};

int head_load(hid_t file, struct head *ret, struct gm_error *err);
/* Of FOLDER/job.h5. */
int head_load_folder(const char *folder, struct head *ret, struct gm_error *err);
void head_free(struct head *h); /* what is inside */
const char *head_text(const struct head *h, const char *key);

#endif
