/* See class.h. Invariant: whether ranks speak of it follows from the job alone, so all do
 * or none. */
#include "class.h"
#include "base/arena.h"
#include "kernels/device/device.h"
#include "spec/tasks.h"
#include "visible.h"

enum { ROOM = 2048 };

/* What rank 0 says: as many bytes on every rank. */
struct said {
    char host[256];
    char words[ROOM]; /* a line a stage */
};

static bool any_speaks(const struct plan *plan, const struct jobspec *spec)
{
    bool any = false, gpus = spec->gpus > 0;
    for (unsigned i = 0; i < plan->n_ranks; i++)
        gpus |= plan->ranks[i].gpus[0] != '\0';
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const struct gm_kernel *k = spec->stages[i].kernel;
        any |= k != NULL &&
               (k->device_class != NULL || (gpus && (k->traits & GM_ON_CUDA) != 0));
    }
    return any;
}

/* gpu: what the rank's is, "" for none. */
static const char *
words_of(const struct jobspec_stage *s, const char *gpu, struct arena *a)
{
    if (s->kernel != NULL && (s->kernel->traits & GM_ON_CUDA) != 0 && gpu[0] != '\0')
        return gpu;
    if (s->kernel == NULL || s->kernel->device_class == NULL)
        return "";
    struct gm_params common = tasks_common(s, a);
    const char *words = s->kernel->device_class(&common);
    return words != NULL ? words : "";
}

/* The first line that differs; its number is the stage's. */
static unsigned first_other(const char *mine,
                            const char *theirs,
                            char ret_mine[256],
                            char ret_theirs[256])
{
    unsigned line = 0;
    for (;; line++) {
        size_t n = strcspn(mine, "\n"), m = strcspn(theirs, "\n");
        if (n != m || memcmp(mine, theirs, n) != 0 || mine[n] == '\0' ||
            theirs[m] == '\0') {
            (void)snprintf(ret_mine, 256, "%.*s", (int)n, n > 0 ? mine : "");
            (void)snprintf(ret_theirs, 256, "%.*s", (int)m, m > 0 ? theirs : "");
            return line;
        }
        mine += n + 1;
        theirs += m + 1;
    }
}

static int compare(const struct jobspec *spec,
                   const struct said *mine,
                   const struct said *first,
                   struct gm_error *err)
{
    char here[256], there[256];
    if (strcmp(mine->words, first->words) == 0)
        return 0;
    unsigned stage = first_other(mine->words, first->words, here, there);
    return gm_fail(err,
                   -EINVAL,
                   "stage %s computes with %s here, but with %s on rank 0 (%s): the bits "
                   "of its results would depend on who ran a task; run it on hosts that "
                   "agree",
                   stage < spec->n_stages ? spec->stages[stage].name : "?",
                   here[0] != '\0' ? here : "the cpu",
                   there[0] != '\0' ? there : "the cpu",
                   first->host);
}

/* The model of this rank's GPU, and the libraries that compute on it. What cannot be
 * opened is told by the kernel that wants it. */
static void look_at_gpu(const struct rank *r,
                        const struct plan *plan,
                        const struct jobspec *spec,
                        char ret[128])
{
    char device[VISIBLE_DEVICE_ROOM];
    visible_device(&r->gpus, plan, spec, (unsigned)r->world, device);
    if (strcmp(device, "cpu") == 0 || device_probe(device, ret, NULL) != 0)
        ret[0] = '\0';
}

int class_agree(const struct rank *r,
                const struct plan *plan,
                const struct jobspec *spec,
                struct str *words,
                struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    AUTO_STR lines = {0};
    struct said mine = {0}, first;
    str_add(words, "cpu");
    if (!any_speaks(plan, spec))
        return 0;
    char gpu[128];
    look_at_gpu(r, plan, spec, gpu);
    for (unsigned i = 0; i < spec->n_stages; i++) {
        const char *said = words_of(&spec->stages[i], gpu, a);
        str_printf(&lines, "%s\n", said);
        if (said[0] != '\0' && strstr(words->text, said) == NULL)
            str_printf(words, ", %s", said);
    }
    (void)snprintf(mine.host, sizeof(mine.host), "%s", r->host);
    (void)snprintf(mine.words, sizeof(mine.words), "%s", lines.text);
    first = mine;
    int rc = rank_share(0, &first, sizeof(first), err);
    if (rc == 0)
        rc = compare(spec, &mine, &first, err);
    return rank_agree(r, rc, true, err);
}
