/* See team.h. Invariant: what a collective returns decides alike on every member, so that
 * all take the same way after it. */
#include "team.h"
#include "base/auto.h"
#include "base/memory.h"

const struct team team_alone = {.rank = 0, .n = 1};

static int lost(int rc, struct gm_error *err)
{
    return rc == 0 ? 0
                   : gm_fail(err, rc, "a rank was lost while the results were packed");
}

int team_share(const struct team *t, void *buf, size_t n, struct gm_error *err)
{
    return t->n > 1 ? lost(t->share(t->ctx, buf, n), err) : 0;
}

int team_gather(
    const struct team *t, const void *mine, size_t n, void *ret, struct gm_error *err)
{
    if (t->n > 1)
        return lost(t->gather(t->ctx, mine, n, ret), err);
    if (n > 0)
        memcpy(ret, mine, n);
    return 0;
}

int team_agree(const struct team *t, int rc, struct gm_error *err)
{
    if (t->n == 1)
        return rc;
    struct gm_error mine = {.code = rc};
    if (rc != 0 && err != NULL)
        mine = *err;
    mine.code = rc;
    AUTO_FREE(struct gm_error) all = xcalloc(t->n, sizeof(*all));
    int failed = team_gather(t, &mine, sizeof(mine), all, err);
    for (unsigned i = 0; failed == 0 && i < t->n; i++) {
        failed = all[i].code;
        if (failed != 0)
            (void)gm_fail(err, failed, "%s", all[i].text);
    }
    return failed;
}
