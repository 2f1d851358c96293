/* See differs.h. Invariant: a launcher that does not answer in time is ended; what it
 * says changes no plan. */
#include "differs.h"
#include "asking.h"
#include "base/memory.h"
#include "byword.h"
#include "launch/mpimap.h"
#include "launch/mpirun.h"
#include <unistd.h>

enum { MOST_TOLD = 3 };         /* ranks by name; the others are counted */
static const double limit = 10; /* seconds for each question */

/* What mpirun says to a line (freed), on both its outputs; -ETIMEDOUT. */
static int ask(struct launch_line *line, struct str *ret, struct gm_error *err)
{
    struct asking a = {.line = line};
    int rc = asking_run(&a, 1, limit, err);
    if (rc == 0 && a.late)
        rc = gm_fail(err, -ETIMEDOUT, "no answer in %.0f s", limit);
    if (rc == 0) {
        str_add(ret, str_text(&a.out));
        str_add(ret, str_text(&a.err));
    }
    asking_free(&a);
    return rc;
}

/* The shape's XML in a file of its own; *ret_path is removed by the caller. */
static int write_xml(const struct topo_shape *s, char path[32], struct gm_error *err)
{
    size_t len = s->xml != NULL ? strlen(s->xml) : 0, done = 0;
    (void)snprintf(path, 32, "/tmp/gridmill-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return gm_fail(err, -errno, "/tmp: %s", strerror(errno));
    while (done < len) {
        ssize_t n = write(fd, s->xml + done, len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    int rc = close(fd) != 0 || done < len || len == 0
                 ? gm_fail(err, -EIO, "%s cannot be written", path)
                 : 0;
    if (rc != 0)
        (void)unlink(path);
    return rc;
}

static int ask_map(struct mpimap_question *q,
                   const struct topo_shape *shape,
                   struct mpimap_rank **ret,
                   struct gm_error *err)
{
    struct launch_line *line = NULL;
    AUTO_STR said = {0};
    char path[32];
    int rc = write_xml(shape, path, err);
    if (rc != 0)
        return rc;
    q->xml_file = path;
    rc = mpimap_line(q, &line, err);
    if (rc == 0)
        rc = ask(line, &said, err);
    (void)unlink(path);
    return rc == 0 ? mpimap_read(q, str_text(&said), ret, err) : rc;
}

static void compare(const struct mpimap_question *q,
                    const struct plan *plan,
                    const struct mpimap_rank *theirs,
                    const char *version,
                    struct str *out)
{
    AUTO_STR list = {0};
    unsigned n = 0;
    for (unsigned r = 0; r < plan->n_ranks; r++) {
        const struct plan_rank *p = &plan->ranks[r];
        const char *host = q->tree->hosts[theirs[r].host].name;
        bool told = theirs[r].pus != NULL, same_host = strcmp(p->host, host) == 0;
        AUTO_FREE(char) cpus = told ? idset_format(theirs[r].pus) : xstrdup("");
        if (same_host && (!told || strcmp(p->cpus, cpus) == 0))
            continue;
        if (n++ >= MOST_TOLD)
            continue;
        str_printf(&list, "%srank %u on ", n > 1 ? ", " : "", r);
        if (same_host)
            str_printf(&list, "%s (plan: %s)", cpus, p->cpus);
        else
            str_printf(&list, "%s (plan: %s)", host, p->host);
    }
    if (n == 0)
        return;
    str_printf(out, "mpirun %s with ", version);
    mpimap_words(q, out);
    str_printf(out,
               " would put %u of %u ranks elsewhere: %s%s\n",
               n,
               plan->n_ranks,
               list.text,
               n > MOST_TOLD ? " ..." : "");
}

static int find_version(struct arena *a,
                        struct mpimap_question *q,
                        const char **ret,
                        struct gm_error *err)
{
    AUTO_STR said = {0};
    int rc = mpirun_find(a, &q->mpirun, err);
    if (rc >= 0)
        rc = ask(mpimap_version_line(q->mpirun), &said, err);
    if (rc < 0)
        return rc;
    *ret = mpimap_version(a, str_text(&said), &q->version);
    return *ret != NULL ? 0 : gm_fail(err, -ENOENT, "%s is not Open MPI's", q->mpirun);
}

void differs_tell(const struct jobspec *spec,
                  const struct restree *tree,
                  const struct plan *plan,
                  struct str *out)
{
    AUTO_STR text = {0};
    AUTO(arena) a = arena_make();
    struct gm_error err = {0};
    struct mpimap_rank *theirs = NULL;
    struct mpimap_question q = {.rank_by = spec->rank_by,
                                .bind_to = spec->bind_to,
                                .ranks = plan->n_ranks,
                                .tree = tree};
    const char *version = "";
    if (!spec->map_by || byword_text(spec, spec->mapping, &text, &err) != 0)
        return;
    q.map_by = text.text;
    int rc = find_version(a, &q, &version, &err);
    if (rc < 0) {
        str_printf(out, "mpirun's own map: n/a: %s\n", err.text);
        return;
    }
    rc = ask_map(&q, &tree->shapes[0], &theirs, &err);
    if (rc == 0) {
        compare(&q, plan, theirs, version, out);
    } else {
        str_printf(out, "mpirun %s with ", version);
        mpimap_words(&q, out);
        str_printf(out, ": n/a: %s\n", err.text);
    }
    mpimap_free(theirs, plan->n_ranks);
}
