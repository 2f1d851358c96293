/* See result_why.h. Invariant: a stage is looked through once, for the first of its tasks
 * that is not done, however many tasks were skipped for it. */
#include "result_why.h"
#include "base/memory.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include <inttypes.h>
#include <stdlib.h>

struct need {
    unsigned stage;
    bool one_will_do; /* the best of its done tasks was asked for */
    bool same_index;  /* element to element, where there are as many */
};

struct stage {
    struct need *needs;
    unsigned n;
    bool looked, any_done;
    uint64_t first_bad; /* failed or skipped; n_tasks: none is */
};

struct result_why {
    struct reader *r;
    struct stage *stages;
    unsigned n_stages;
};

static void add(struct stage *to, struct need need)
{
    to->needs = xrealloc(to->needs, to->n + 1u, sizeof(*to->needs));
    to->needs[to->n++] = need;
}

/* ${train.model}, ${train@max(accuracy).model} in any text of the stage. */
static void
add_named(struct result_why *y, struct stage *to, unsigned self, const char *text)
{
    for (const char *p = text; (p = strstr(p, "${")) != NULL;) {
        p += 2;
        size_t n = strcspn(p, ".@}");
        for (unsigned i = 0; i < y->n_stages; i++) {
            const char *name = reader_stage(y->r, i)->name;
            bool is = strlen(name) == n && strncmp(name, p, n) == 0;
            if (is && i != self && (p[n] == '.' || p[n] == '@'))
                add(to, (struct need){i, p[n] == '@', p[n] == '.'});
        }
    }
}

static void
read_texts(struct result_why *y, unsigned self, const struct doc_node *n, unsigned depth)
{
    bool holds = n->kind == DOC_LIST || n->kind == DOC_MAP;
    for (unsigned i = 0; holds && depth < DOC_MAX_DEPTH && i < n->n; i++)
        read_texts(y, self, &n->as.items[i], depth + 1);
    if (n->kind == DOC_STRING)
        add_named(y, &y->stages[self], self, n->as.text);
}

static void read_stage(struct result_why *y, unsigned self, const struct doc_node *task)
{
    const struct doc_node *needs = doc_get(task, "needs");
    for (unsigned i = 0; needs != NULL && needs->kind == DOC_LIST && i < needs->n; i++) {
        for (unsigned k = 0; k < y->n_stages && needs->as.items[i].kind == DOC_STRING;
             k++) {
            if (k != self &&
                strcmp(reader_stage(y->r, k)->name, needs->as.items[i].as.text) == 0)
                add(&y->stages[self], (struct need){.stage = k});
        }
    }
    read_texts(y, self, task, 0);
}

/* A job that was written by an earlier version may say it otherwise: then nothing is
 * known of what tasks need. */
static void read_job(struct result_why *y)
{
    static const char *const path[] = {"attributes", "user", "gridmill", "tasks"};
    AUTO(arena) a = arena_make();
    struct jobspec_faults faults = {0};
    struct doc_node *root = NULL;
    const char *text = reader_job_text(y->r, "canonical");
    if (text != NULL)
        (void)doc_parse(a, text, strlen(text), &faults, &root);
    jobspec_faults_free(&faults);
    const struct doc_node *at = root;
    for (unsigned i = 0; i < 4 && at != NULL; i++)
        at = doc_get(at, path[i]);
    for (unsigned i = 0; at != NULL && at->kind == DOC_LIST && i < at->n; i++) {
        const struct doc_node *name = doc_get(&at->as.items[i], "name");
        for (unsigned k = 0; name != NULL && k < y->n_stages; k++) {
            if (strcmp(reader_stage(y->r, k)->name, name->as.text) == 0)
                read_stage(y, k, &at->as.items[i]);
        }
    }
}

struct result_why *result_why_open(struct reader *r)
{
    struct result_why *y = xcalloc(1, sizeof(*y));
    y->r = r;
    y->n_stages = reader_n_stages(r);
    y->stages = xcalloc(y->n_stages + 1u, sizeof(*y->stages));
    read_job(y);
    return y;
}

void result_why_close(struct result_why *y)
{
    for (unsigned i = 0; y != NULL && i < y->n_stages; i++)
        free(y->stages[i].needs);
    if (y != NULL)
        free(y->stages);
    free(y);
}

static bool is_bad(const struct reader_task *t)
{
    return t->status == RESULT_FAILED || t->status == RESULT_SKIPPED;
}

static int look(struct result_why *y, unsigned stage, struct gm_error *err)
{
    struct stage *s = &y->stages[stage];
    uint64_t n = reader_stage(y->r, stage)->n_tasks;
    struct reader_task t;
    if (s->looked)
        return 0;
    s->first_bad = n;
    for (uint64_t i = 0; i < n && (s->first_bad == n || !s->any_done); i++) {
        int rc = reader_task(y->r, stage, i, &t, err);
        if (rc != 0)
            return rc;
        s->any_done |= t.status == RESULT_DONE;
        if (is_bad(&t) && s->first_bad == n)
            s->first_bad = i;
    }
    s->looked = true;
    return 0;
}

/* 1: a task that this one needs, and that failed or was skipped itself; 0: none is known.
 */
static int find(struct result_why *y,
                unsigned stage,
                uint64_t task,
                unsigned *ret_stage,
                uint64_t *ret_task,
                struct gm_error *err)
{
    const struct stage *s = &y->stages[stage];
    uint64_t n = reader_stage(y->r, stage)->n_tasks;
    for (unsigned i = 0; i < s->n; i++) {
        unsigned of = s->needs[i].stage;
        const struct stage *on = &y->stages[of];
        struct reader_task t = {0};
        int rc = look(y, of, err);
        if (rc == 0 && s->needs[i].same_index && reader_stage(y->r, of)->n_tasks == n)
            rc = reader_task(y->r, of, task, &t, err);
        if (rc != 0)
            return rc;
        if (on->first_bad == reader_stage(y->r, of)->n_tasks ||
            (s->needs[i].one_will_do && on->any_done))
            continue;
        *ret_stage = of;
        *ret_task = is_bad(&t) ? task : on->first_bad;
        return 1;
    }
    return 0;
}

int result_why_text(struct result_why *y,
                    unsigned stage,
                    uint64_t task,
                    struct str *out,
                    struct gm_error *err)
{
    struct reader_task t = {.status = RESULT_SKIPPED};
    unsigned first = stage, of = stage;
    uint64_t first_task = task, at = task;
    int rc = 1;
    for (unsigned depth = 0; rc > 0 && t.status == RESULT_SKIPPED && depth <= y->n_stages;
         depth++) {
        rc = find(y, of, at, &of, &at, err);
        if (rc > 0 && depth == 0) {
            first = of;
            first_task = at;
        }
        if (rc > 0 && reader_task(y->r, of, at, &t, err) != 0)
            rc = -EIO;
    }
    if (rc < 0)
        return rc;
    if (first == stage) {
        str_add(out, "needs a task that failed");
        return 0;
    }
    str_printf(out,
               "needs %s[%" PRIu64 "], which ",
               reader_stage(y->r, first)->name,
               first_task);
    if (of == first && t.status == RESULT_FAILED)
        str_add(out, "failed");
    else if (t.status == RESULT_FAILED)
        str_printf(out,
                   "was skipped since %s[%" PRIu64 "] failed",
                   reader_stage(y->r, of)->name,
                   at);
    else
        str_add(out, "was skipped");
    return 0;
}
