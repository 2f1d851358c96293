/* What a run came to. The commit records decide; what the runner and the launcher said
 * only finds the words where nothing was committed. */
#ifndef ENGINE_OUTCOME_H
#define ENGINE_OUTCOME_H

#include "child.h"
#include "diagnosis.h"
#include "relay.h"
#include "summary.h"

struct outcome {
    enum engine_exit code;
    struct summary *summary;  /* NULL: nothing was committed */
    bool packed;              /* the results file is whole */
    char cause[256];          /* why it is not more, in a few words */
    bool killed;              /* the launcher or a rank was, by somebody */
    enum diagnosis diagnosis; /* why it did not start, where the launcher said so */
    bool empty;               /* there is nothing in the folder that anybody could want */
};

/* What rank 0, or another in its place, has left written about its end in this launch: in
 * words to ret, unless that is NULL. */
bool outcome_root_lost(const struct plan *plan, struct str *ret);
/* Reads the packed file into *ret as soon as the ranks say that they have ended, while
 * the launcher still winds down; nothing happens when it is not there. */
void outcome_read_early(const struct plan *plan, struct outcome *ret);
/* Once the launcher is gone. *ret is zero, or what outcome_read_early made of it.
 * why: what stopped the run, or NULL. err has the sentence when the code is not 0. */
void outcome_read(const struct plan *plan,
                  const struct relay *relay,
                  const struct child *child,
                  const char *why,
                  struct outcome *ret,
                  struct gm_error *err);

#endif
