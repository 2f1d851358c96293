/* See losses.h. Invariant: a line is one write to the end of the file, so that a kill
 * leaves whole lines and at most one that is cut, which is not believed. */
#include "losses.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <unistd.h>

enum { MOST_BYTES = 16 << 20 };

static void add_line(const char *folder, const struct str *line)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/losses", folder);
    AUTO_FD fd = open(path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0)
        (void)!write(fd, line->text, line->len);
}

void losses_add_rank(const char *folder, const struct losses_rank *r)
{
    AUTO_STR line = {0};
    str_printf(&line,
               "lost %" PRIu32 " %" PRIu32 " %.3f %s\n",
               r->launch,
               r->rank,
               r->when,
               r->why);
    add_line(folder, &line);
}

void losses_add_crash(const char *folder, const struct losses_crash *c)
{
    AUTO_STR line = {0};
    str_printf(&line,
               "crash %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu64 "\n",
               c->launch,
               c->rank,
               c->stage,
               c->task);
    add_line(folder, &line);
}

struct seen { /* kinds of lines, with launch and rank */
    struct strmap *keys;
    struct arena *a; /* the map borrows them */
};

static bool is_first(struct seen *seen, const char *key)
{
    size_t unused = 0;
    return strmap_add(seen->keys, key, &unused);
}

/* False: no such line, or not the first. NOLINTBEGIN(cert-err34-c): a number that is too
 * large is nobody's. */
static bool parse_rank(const char *line, struct seen *seen, struct losses_rank *ret)
{
    int used = 0;
    if (sscanf(line,
               "lost %" SCNu32 " %" SCNu32 " %lf %n",
               &ret->launch,
               &ret->rank,
               &ret->when,
               &used) != 3 ||
        used == 0 || !isfinite(ret->when) || ret->rank > INT32_MAX)
        return false;
    ret->why = line + used;
    return is_first(seen, arena_printf(seen->a, "lost %u %u", ret->launch, ret->rank));
}

static bool parse_crash(const char *line, struct seen *seen, struct losses_crash *ret)
{
    int used = 0;
    if (sscanf(line,
               "crash %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu64 "%n",
               &ret->launch,
               &ret->rank,
               &ret->stage,
               &ret->task,
               &used) != 4 ||
        line[used] != '\0')
        return false;
    return is_first(seen, arena_strdup(seen->a, line));
}
/* NOLINTEND(cert-err34-c) */

int losses_read(const char *folder, struct losses *ret, struct gm_error *err)
{
    AUTO_STR path = {0};
    AUTO(strmap) keys = strmap_make();
    AUTO(arena) a = arena_make();
    struct seen seen = {.keys = keys, .a = a};
    size_t len = 0;
    str_printf(&path, "%s/losses", folder);
    *ret = (struct losses){0};
    if (!file_exists(path.text))
        return 0;
    int rc = file_read(path.text, MOST_BYTES, &ret->text, &len, err);
    if (rc < 0)
        return rc;
    for (char *p = ret->text, *end; (end = strchr(p, '\n')) != NULL; p = end + 1) {
        struct losses_rank r;
        struct losses_crash c;
        *end = '\0';
        if (parse_rank(p, &seen, &r)) {
            ret->ranks = xrealloc(ret->ranks, ret->n_ranks + 1, sizeof(r));
            ret->ranks[ret->n_ranks++] = r;
        } else if (parse_crash(p, &seen, &c)) {
            ret->crashes = xrealloc(ret->crashes, ret->n_crashes + 1, sizeof(c));
            ret->crashes[ret->n_crashes++] = c;
        }
    }
    return 0;
}

void losses_forgive(struct losses *l, uint32_t launch)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n_crashes; i++) {
        if (l->crashes[i].launch >= launch)
            l->crashes[kept++] = l->crashes[i];
    }
    l->n_crashes = kept;
}

void losses_clear(struct losses *l)
{
    free(l->ranks);
    free(l->crashes);
    free(l->text);
    *l = (struct losses){0};
}

const struct losses_rank *losses_last(const struct losses *l, uint32_t rank)
{
    size_t i = l->n_ranks;
    while (i > 0 && l->ranks[i - 1].rank != rank)
        i--;
    return i > 0 ? &l->ranks[i - 1] : NULL;
}

const struct losses_crash *
losses_crash_of(const struct losses *l, uint32_t launch, uint32_t rank)
{
    for (size_t i = 0; i < l->n_crashes; i++) {
        if (l->crashes[i].launch == launch && l->crashes[i].rank == rank)
            return &l->crashes[i];
    }
    return NULL;
}
