/* Reading a canonical document in a test: text -> struct flux_job, with its faults. */
#ifndef TEST_SPEC_FLUX_H
#define TEST_SPEC_FLUX_H

#include "spec/doc.h"
#include "spec/faults.h"
#include "spec/flux.h"
#include <stdlib.h>

struct flux_sample {
    struct arena *arena;
    struct jobspec_faults faults;
    struct flux_job job;
    bool taken;
};

static inline struct flux_sample
flux_sample_read(const char *file, const char *text, size_t len, struct flux_rules rules)
{
    struct flux_sample s = {.arena = arena_make()};
    struct doc_node *root = NULL;
    faults_init(&s.faults, file);
    if (doc_parse(s.arena, text, len, &s.faults, &root) == 0) {
        doc_retype_11(s.arena, root, &s.faults);
        bool read = flux_read(s.arena, root, &rules, &s.faults, &s.job);
        s.taken = read && s.faults.n_errors == 0;
    }
    faults_sort(&s.faults);
    return s;
}

static inline void flux_sample_end(struct flux_sample *s)
{
    jobspec_faults_free(&s->faults);
    arena_free(s->arena);
}

/* The first fault, or "". */
static inline const char *flux_sample_why(const struct flux_sample *s)
{
    return s->faults.n > 0 ? s->faults.items[0].text : "";
}

#endif
