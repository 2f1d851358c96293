/* See probe.h. All hosts are asked by one launch. Where that does not bring every answer,
 * the hosts that are missing are asked one by one, so that the one at fault has a name.
 * Invariant: a tree is given only when every host answered, under its own name. */
#include "probe.h"
#include "answer.h"
#include "asking.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "base/version.h"
#include "launch/ask.h"
#include "topo/fleet.h"
#include <fcntl.h>
#include <sys/stat.h>

/* Launches at a time, where hosts are asked one by one, and how many are asked so. */
enum { AT_ONCE = 8, MOST_SINGLE = 64 };
struct probe {
    const struct probe_request *req;
    double limit;                  /* s */
    struct strmap *exact, *shorts; /* name, name up to its dot -> host */
    struct arena *names;
    char *token;        /* a file in the folder; or NULL */
    struct answer **of; /* [host] */
    struct asking all;
    struct answers answers;
    const char *stranger; /* a name that answered and is no host's; or NULL */
};

static void probe_close(struct probe *p)
{
    if (p->token != NULL)
        (void)unlink(p->token);
    free(p->token);
    strmap_free(p->exact);
    strmap_free(p->shorts);
    arena_free(p->names);
    answers_free(&p->answers);
    asking_free(&p->all);
    free(p->of);
}

static const char *short_name(struct arena *a, const char *name)
{
    return arena_copy(a, name, strcspn(name, "."));
}

/* A file whose name nobody can guess, in the folder that all shall see. */
static int make_token(struct probe *p, struct gm_error *err)
{
    if (p->req->folder == NULL)
        return 0;
    AUTO_STR path = {0};
    str_printf(&path, "%s/.gridmill-probe-XXXXXX", p->req->folder);
    int fd = mkostemp(path.text, O_CLOEXEC);
    if (fd < 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: %s: results cannot be written there, give other --results",
                       p->req->folder,
                       strerror(errno));
    (void)fchmod(fd, 0644);
    (void)close(fd);
    p->token = str_steal(&path);
    return 0;
}

static int probe_open(struct probe *p, struct gm_error *err)
{
    const struct alloc_hosts *hosts = p->req->hosts;
    p->exact = strmap_make_for(hosts->n);
    p->shorts = strmap_make_for(hosts->n);
    p->names = arena_make();
    p->of = xcalloc(hosts->n, sizeof(struct answer *));
    for (unsigned i = 0; i < hosts->n; i++) {
        strmap_put(p->exact, hosts->items[i].name, i);
        strmap_put(p->shorts, short_name(p->names, hosts->items[i].name), i);
    }
    return make_token(p, err);
}

static int ask(const struct probe *p,
               const struct alloc_host *hosts,
               unsigned n,
               bool xml,
               struct asking *ret,
               struct gm_error *err)
{
    struct ask a = {.backend = p->req->backend,
                    .hosts = hosts,
                    .n_hosts = n,
                    .runner = p->req->runner,
                    .see = p->token,
                    .xml = xml};
    return ask_hosts(&a, &ret->line, err);
}

static int fail_on(const char *host, struct gm_error *err, const char *what)
{
    return gm_fail(err, -EINVAL, "host %s %s", host, what);
}

/* What an answer tells of its host that ends the job. */
static int check_answer(const struct probe *p,
                        const char *host,
                        const struct answer *a,
                        struct gm_error *err)
{
    if (strcmp(a->build, version_build()) != 0)
        return gm_fail(err,
                       -EINVAL,
                       "host %s has gridmill %s, this is %s: install the same build on "
                       "all hosts",
                       host,
                       a->build,
                       version_build());
    if (a->error != NULL)
        return gm_fail(err, -EINVAL, "host %s: %s", host, a->error);
    if (a->sees == ANSWER_SEES_NOT)
        return gm_fail(err,
                       -EINVAL,
                       "host %s does not see the folder %s: put the results on a file "
                       "system that all hosts share (--results FILE)",
                       host,
                       p->req->folder);
    return 0;
}

/* The host that an answer is of; SIZE_MAX: of none. */
static size_t host_of(const struct probe *p, const char *name)
{
    size_t i = SIZE_MAX;
    if (strmap_get(p->exact, name, &i))
        return i;
    const char *cut = short_name(p->names, name);
    if (strmap_get(p->shorts, cut, &i) &&
        alloc_same_host(p->req->hosts->items[i].name, name))
        return i;
    return SIZE_MAX;
}

/* Gives the answers to their hosts. */
static void sort_answers(struct probe *p)
{
    for (size_t k = 0; k < p->answers.n; k++) {
        struct answer *a = &p->answers.items[k];
        size_t i = host_of(p, a->host);
        if (i == SIZE_MAX || p->of[i] != NULL)
            p->stranger = a->host;
        else
            p->of[i] = a;
    }
}

/* One host that was asked alone. 0: it answered as it should. */
static int judge_single(const struct probe *p,
                        const char *host,
                        struct asking *a,
                        struct gm_error *err)
{
    struct answers got = {0};
    AUTO_STR cause = {0};
    answers_read(a->out.text, a->out.len, &got);
    int rc = 0;
    if (got.n > 0) {
        rc = check_answer(p, host, &got.items[0], err);
        if (rc == 0 && host_of(p, got.items[0].host) == SIZE_MAX)
            rc = gm_fail(err,
                         -EINVAL,
                         "host %s calls itself %s: name it so, as ranks find each other "
                         "by that name",
                         host,
                         got.items[0].host);
    } else if (a->late) {
        rc =
            gm_fail(err,
                    -EINVAL,
                    "host %s does not answer: %.0f s were given to all, and %.0f s to it "
                    "alone",
                    host,
                    p->limit,
                    PROBE_LIMIT_SINGLE);
    } else {
        answer_cause(str_text(&a->err), p->req->runner, &cause);
        rc = fail_on(host, err, str_text(&cause));
    }
    answers_free(&got);
    return rc;
}

/* Asks up to AT_ONCE hosts, each by a launch of its own. */
static int ask_some(const struct probe *p,
                    const unsigned *which,
                    unsigned n,
                    bool xml,
                    struct asking *ret,
                    struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = ask(p, &p->req->hosts->items[which[i]], 1, xml, &ret[i], err);
    return rc == 0 ? asking_run(ret, n, PROBE_LIMIT_SINGLE, err) : rc;
}

/* Which of the hosts without an answer is at fault. 0: each answers when it is alone. */
static int find_fault(const struct probe *p, double until, struct gm_error *err)
{
    const struct alloc_hosts *hosts = p->req->hosts;
    int rc = 0;
    unsigned which[AT_ONCE], asked = 0;
    for (unsigned h = 0; rc == 0 && h < hosts->n && asked < MOST_SINGLE;) {
        struct asking some[AT_ONCE] = {0};
        unsigned n = 0;
        for (; h < hosts->n && n < AT_ONCE; h++) {
            if (p->of[h] == NULL)
                which[n++] = h;
        }
        asked += n;
        if (n > 0)
            rc = ask_some(p, which, n, false, some, err);
        for (unsigned i = 0; i < n; i++) {
            if (rc == 0)
                rc = judge_single(p, hosts->items[which[i]].name, &some[i], err);
            asking_free(&some[i]);
        }
        if (clock_monotonic() > until)
            break;
    }
    return rc;
}

/* Every host answered, or the sentence that names the one that did not. */
static int check_all(struct probe *p, struct gm_error *err)
{
    const struct alloc_hosts *hosts = p->req->hosts;
    unsigned missing = 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < hosts->n; i++) {
        missing += p->of[i] == NULL;
        if (p->of[i] != NULL)
            rc = check_answer(p, hosts->items[i].name, p->of[i], err);
    }
    if (rc < 0 || (missing == 0 && p->stranger == NULL))
        return rc;
    if (hosts->n == 1 && p->all.late)
        return gm_fail(err,
                       -EINVAL,
                       "host %s does not answer: %.0f s were given to it",
                       hosts->items[0].name,
                       p->limit);
    rc = find_fault(p, clock_monotonic() + p->limit, err);
    if (rc < 0)
        return rc;
    AUTO_STR cause = {0};
    if (p->stranger != NULL)
        return gm_fail(err,
                       -EINVAL,
                       "%s answered, which is none of the hosts, or one of them twice: "
                       "name each host once, as it calls itself",
                       p->stranger);
    if (p->all.late)
        str_printf(&cause, "they did not all answer within %.0f s", p->limit);
    else
        answer_cause(str_text(&p->all.err), p->req->runner, &cause);
    return gm_fail(
        err, -EINVAL, "the hosts answer one by one, but together: %s", str_text(&cause));
}

/* An XML of each distinct digest: this host's own, or asked for. */
struct library {
    struct strmap *index;
    const char **xml;
    struct arena *arena;
};

static const char *xml_for(const struct library *lib, const char *digest)
{
    size_t at = 0;
    return strmap_get(lib->index, digest, &at) ? lib->xml[at] : NULL;
}

/* The hosts that speak for the digests that are not known here. */
static unsigned
find_speakers(const struct probe *p, struct library *lib, unsigned *which, unsigned known)
{
    unsigned n = known;
    for (unsigned i = 0; i < p->req->hosts->n; i++) {
        size_t at = n;
        if (strmap_add(lib->index, p->of[i]->digest, &at))
            which[n++] = i;
    }
    return n;
}

static int fetch(const struct probe *p,
                 const unsigned *which,
                 unsigned n,
                 struct library *lib,
                 struct gm_error *err)
{
    struct asking some[AT_ONCE] = {0};
    int rc = ask_some(p, which, n, true, some, err);
    for (unsigned i = 0; i < n; i++) {
        struct answers got = {0};
        const char *host = p->req->hosts->items[which[i]].name;
        const struct answer *told = p->of[which[i]];
        size_t at = 0;
        answers_read(some[i].out.text, some[i].out.len, &got);
        /* Its digest may be another by now: the memory of a virtual machine changes. */
        bool fine = got.n == 1 && got.items[0].xml != NULL &&
                    strcmp(got.items[0].host, told->host) == 0 &&
                    strmap_get(lib->index, told->digest, &at);
        if (fine)
            lib->xml[at] = arena_strdup(lib->arena, got.items[0].xml);
        else if (rc == 0)
            rc = fail_on(host, err, "told its digest, but then not its topology");
        answers_free(&got);
        asking_free(&some[i]);
    }
    return rc;
}

static int fill_library(const struct probe *p,
                        const struct topo_shape *here,
                        struct library *lib,
                        struct gm_error *err)
{
    unsigned known = here != NULL ? 1 : 0;
    AUTO_FREE(unsigned) which = xcalloc((size_t)p->req->hosts->n + 1, sizeof(*which));
    if (here != NULL)
        strmap_put(lib->index, here->digest, 0);
    unsigned n = find_speakers(p, lib, which, known);
    lib->xml = arena_alloc(lib->arena, (size_t)n + 1, sizeof(*lib->xml));
    if (here != NULL)
        lib->xml[0] = here->xml;
    int rc = 0;
    for (unsigned i = known; rc == 0 && i < n; i += AT_ONCE)
        rc = fetch(p, which + i, n - i < AT_ONCE ? n - i : AT_ONCE, lib, err);
    return rc;
}

static int build_tree(const struct probe *p, struct restree **ret, struct gm_error *err)
{
    const struct alloc_hosts *hosts = p->req->hosts;
    AUTO(restree) here = NULL;
    AUTO(fleet) fleet = fleet_make(hosts->n);
    struct library lib = {.index = strmap_make(), .arena = arena_make()};
    (void)restree_load_machine(&here, NULL);
    int rc = fill_library(p, here != NULL ? &here->shapes[0] : NULL, &lib, err);
    for (unsigned i = 0; rc == 0 && i < hosts->n; i++) {
        const struct answer *a = p->of[i];
        rc = fleet_add(fleet,
                       hosts->items[i].name,
                       a->digest,
                       a->cpus,
                       xml_for(&lib, a->digest),
                       err);
        if (rc < 0)
            (void)gm_prefix(err, "host %s", hosts->items[i].name);
    }
    if (rc == 0) {
        *ret = fleet_take(fleet);
        for (unsigned i = 0; i < hosts->n; i++)
            (*ret)->hosts[i].slots = hosts->items[i].slots;
    }
    strmap_free(lib.index);
    arena_free(lib.arena);
    return rc;
}

int probe_hosts(const struct probe_request *req,
                struct restree **ret,
                struct gm_error *err)
{
    struct probe p = {.req = req, .limit = req->limit > 0 ? req->limit : PROBE_LIMIT};
    int rc = probe_open(&p, err);
    if (rc == 0)
        rc = ask(&p, req->hosts->items, req->hosts->n, false, &p.all, err);
    if (rc == 0)
        rc = asking_run(&p.all, 1, p.limit, err);
    if (rc == 0) {
        answers_read(p.all.out.text, p.all.out.len, &p.answers);
        sort_answers(&p);
        rc = check_all(&p, err);
    }
    if (rc == 0)
        rc = build_tree(&p, ret, err);
    probe_close(&p);
    return rc;
}

int probe_each(const struct probe_request *req, bool *ret, struct gm_error *err)
{
    const struct alloc_hosts *hosts = req->hosts;
    struct probe p = {.req = req, .limit = PROBE_LIMIT_SINGLE};
    int rc = probe_open(&p, err);
    for (unsigned h = 0; rc == 0 && h < hosts->n;) {
        struct asking some[AT_ONCE] = {0};
        unsigned which[AT_ONCE], n = 0;
        while (h < hosts->n && n < AT_ONCE)
            which[n++] = h++;
        rc = ask_some(&p, which, n, false, some, err);
        for (unsigned i = 0; i < n; i++) {
            ret[which[i]] =
                rc == 0 &&
                judge_single(&p, hosts->items[which[i]].name, &some[i], NULL) == 0;
            asking_free(&some[i]);
        }
    }
    probe_close(&p);
    return rc;
}
