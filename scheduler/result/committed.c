/* See committed.h. Invariant: the index of commits says which commit counts (lowest
 * attempt that is done, else the last); a task is in one of the four sets at most. */
#include "committed.h"
#include "again.h"
#include "base/memory.h"
#include "commits.h"
#include "listing.h"
#include "read.h"
#include "shards.h"

static struct committed *make(const struct head *head)
{
    struct committed *c = xcalloc(1, sizeof(*c));
    c->n_stages = head->n_stages;
    c->stages = xcalloc(head->n_stages + 1u, sizeof(*c->stages));
    for (unsigned i = 0; i < head->n_stages; i++) {
        uint64_t n = head->stages[i].n_tasks;
        c->stages[i] = (struct committed_stage){.n_tasks = n,
                                                .done = taskset_make(n),
                                                .failed = taskset_make(n),
                                                .again = taskset_make(n),
                                                .skipped = taskset_make(n)};
    }
    return c;
}

void committed_free(struct committed *c)
{
    if (c == NULL)
        return;
    for (unsigned i = 0; i < c->n_stages; i++) {
        taskset_free(c->stages[i].done);
        taskset_free(c->stages[i].failed);
        taskset_free(c->stages[i].again);
        taskset_free(c->stages[i].skipped);
        free(c->stages[i].tried);
    }
    free(c->stages);
    free(c);
}

struct tally {
    struct committed_stage *to;
    uint64_t room; /* of to->tried */
};

/* again: a failure that is run again. */
static void take(struct tally *t,
                 uint64_t first,
                 uint64_t count,
                 uint32_t status,
                 uint32_t attempts,
                 bool again)
{
    struct committed_stage *s = t->to;
    if (status == RESULT_DONE)
        (void)taskset_add(s->done, first, count);
    else if (status == RESULT_FAILED)
        (void)taskset_add(again ? s->again : s->failed, first, count);
    else if (status == RESULT_SKIPPED)
        (void)taskset_add(s->skipped, first, count);
    if (status == RESULT_DONE || attempts == 0)
        return;
    if (s->n_tried == t->room) {
        t->room = t->room > 0 ? xmul(t->room, 2) : 64;
        s->tried = xrealloc(s->tried, t->room, sizeof(*s->tried));
    }
    s->tried[s->n_tried++] = (struct committed_attempts){
        .task = first, .attempts = attempts, .status = status};
}

static struct committed *
of_shards(struct shards *shards, const struct head *head, const struct again *again)
{
    struct committed *c = make(head);
    unsigned n = shards_n_files(shards);
    AUTO_FREE(bool) old = xcalloc(n + 1u, sizeof(*old));
    for (unsigned i = 0; i < n; i++)
        old[i] = again_has(again, shards_file(shards, i, &(uint64_t){0}));
    for (unsigned i = 0; i < head->n_stages; i++) {
        struct tally t = {.to = &c->stages[i]};
        struct commits_span span;
        for (uint64_t from = 0; shards_next(shards, i, from, &span);
             from = span.first + span.count)
            take(&t,
                 span.first,
                 span.count,
                 span.counts->status,
                 span.attempts,
                 old[span.counts->file]);
    }
    return c;
}

static int of_packed(struct reader *r, struct committed **ret, struct gm_error *err)
{
    const struct head *head = read_head(r);
    AUTO(committed) c = make(head);
    for (unsigned i = 0; i < head->n_stages; i++) {
        struct tally t = {.to = &c->stages[i]};
        for (uint64_t task = 0; task < head->stages[i].n_tasks; task++) {
            struct reader_task got;
            int rc = reader_task(r, i, task, &got, err);
            if (rc != 0)
                return rc;
            take(&t, task, 1, got.status, got.attempts, false);
        }
    }
    *ret = steal(&c);
    return 0;
}

int committed_load(const char *path, struct committed **ret, struct gm_error *err)
{
    AUTO(reader) r = NULL;
    int rc = reader_open(path, &r, err);
    if (rc != 0)
        return rc;
    if (read_shards(r) == NULL)
        return of_packed(r, ret, err);
    struct again again;
    rc = again_read(path, &again, err);
    if (rc == 0)
        *ret = of_shards(read_shards(r), read_head(r), &again);
    again_clear(&again);
    return rc;
}

int committed_load_rank(const char *folder,
                        unsigned rank,
                        unsigned launch,
                        struct committed **ret,
                        struct gm_error *err)
{
    h5_begin();
    AUTO_FREE(char) path = listing_shard(folder, rank, launch);
    struct head head = {0};
    struct shards *s = NULL;
    int rc = head_load_folder(folder, &head, err);
    if (rc == 0)
        rc = shards_open_one(folder, path, &head, &s, err);
    if (rc == 0)
        *ret = of_shards(s, &head, &(struct again){0});
    shards_close(s);
    head_free(&head);
    return rc;
}
