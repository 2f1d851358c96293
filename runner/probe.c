/* See probe.h. Invariant: the line is written by one write, so that a launcher that mixes
 * many hosts' output keeps it whole. */
#include "probe.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/version.h"
#include "launch/alloc.h"
#include "topo/bind.h"
#include "topo/restree.h"

/* A network file system may show a new file late. */
static const double patience = 5, nap = 0.05;

struct question {
    const char *see;
    bool xml;
};

static int read_words(int n, char *const *words, struct question *ret)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(words[i], "--xml") == 0)
            ret->xml = true;
        else if (strcmp(words[i], "--see") == 0 && i + 1 < n)
            ret->see = words[++i];
        else
            return -EINVAL;
    }
    return 0;
}

static const char *sees(const char *file)
{
    if (file == NULL)
        return "-";
    double until = clock_monotonic() + patience;
    while (!file_exists(file)) {
        if (clock_monotonic() > until)
            return "no";
        clock_sleep(nap);
    }
    return "yes";
}

/* "all", or what of the machine this process may use. */
static int read_cpus(const struct topo_shape *s, struct str *out, struct gm_error *err)
{
    AUTO(idset) mine = NULL;
    AUTO(idset) both = idset_make();
    int rc = bind_read_all(0, &mine, err);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < s->n_pus; i++) {
        if (idset_has(mine, s->pus[i]))
            idset_add(both, s->pus[i]);
    }
    AUTO_FREE(char) text = idset_format(both);
    str_add(out, idset_count(both) == s->n_pus ? "all" : text);
    return 0;
}

static int write_all(const struct str *out)
{
    size_t done = 0;
    while (done < out->len) {
        ssize_t n = write(STDOUT_FILENO, out->text + done, out->len - done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* The fields behind the build. */
static int answer(const struct question *q, struct str *out, struct gm_error *err)
{
    AUTO(restree) here = NULL;
    AUTO_STR cpus = {0};
    int rc = restree_load_machine(&here, err);
    if (rc == 0)
        rc = read_cpus(&here->shapes[0], &cpus, err);
    if (rc < 0)
        return rc;
    const struct topo_shape *s = &here->shapes[0];
    str_printf(out, "%s\t%s\t%s\tend\n", s->digest, str_text(&cpus), sees(q->see));
    if (q->xml)
        str_printf(out, "gridmill-xml\t1\t%zu\n%s", strlen(s->xml), s->xml);
    return 0;
}

int probe_run(int n_words, char *const *words)
{
    struct question q = {0};
    struct gm_error err = {0};
    AUTO_FREE(char) name = NULL;
    AUTO_STR out = {0};
    if (read_words(n_words, words, &q) < 0) {
        log_error("--probe takes --see FILE and --xml");
        return 2;
    }
    int rc = alloc_node_name(&name, &err);
    str_printf(
        &out, "gridmill-probe\t1\t%s\t%s\t", rc == 0 ? name : "?", version_build());
    if (rc == 0)
        rc = answer(&q, &out, &err);
    if (rc < 0) {
        err.text[strcspn(err.text, "\t\n")] = '\0';
        str_printf(&out, "error\t%s\tend\n", err.text);
    }
    return write_all(&out) == 0 ? 0 : 4;
}
