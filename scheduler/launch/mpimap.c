/* See mpimap.h. Invariant: hosts are asked about by addresses of a network that is
 * nobody's (198.18/15, for benchmarks), so that no name is looked up and no host is
 * reached; the machine is the file's, whatever this host has. */
#include "mpimap.h"
#include "base/memory.h"
#include "base/str.h"
#include "line.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct launch_line *mpimap_version_line(const char *mpirun)
{
    struct line *l = line_make();
    line_word(l, arena_strdup(line_arena(l), mpirun));
    line_word(l, "--version");
    return line_finish(l, NULL);
}

const char *mpimap_version(struct arena *a, const char *text, unsigned *ret_major)
{
    static const char *const before[] = {"(Open MPI) ", "(PRRTE) ", "PRRTE "};
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        const char *p = strstr(text, before[i]);
        if (p == NULL)
            continue;
        p += strlen(before[i]);
        size_t len = strcspn(p, " \n\t");
        *ret_major = i == 0 ? (unsigned)strtoul(p, NULL, 10) : 5;
        return arena_copy(a, p, len);
    }
    return NULL;
}

/* ---- the question ---- */

/* Open MPI 4 calls a package a socket, and separates modifiers by commas. */
static void add_map_by(const struct mpimap_question *q, struct str *out)
{
    const char *p = q->map_by;
    unsigned colons = strncmp(p, "ppr:", 4) == 0 ? 2 : 0;
    if (q->version >= 5) {
        str_add(out, p);
        return;
    }
    for (unsigned seen = 0; *p != '\0';) {
        if (strncmp(p, "package", 7) == 0) {
            str_add(out, "socket");
            p += 7;
            continue;
        }
        bool later = *p == ':' && seen++ > colons;
        str_printf(out, "%c", later ? ',' : *p);
        p++;
    }
}

static void add_bind_to(const struct mpimap_question *q, struct str *out)
{
    bool package = q->version < 5 && strncmp(q->bind_to, "package", 7) == 0;
    str_printf(out, "%s%s", package ? "socket" : "", q->bind_to + (package ? 7 : 0));
}

void mpimap_words(const struct mpimap_question *q, struct str *out)
{
    str_add(out, "--map-by ");
    add_map_by(q, out);
    if (q->rank_by != NULL)
        str_printf(out, " --rank-by %s", q->rank_by);
    if (q->bind_to != NULL) {
        str_add(out, " --bind-to ");
        add_bind_to(q, out);
    }
}

static unsigned slots_of(const struct restree *tree, unsigned host)
{
    unsigned said = tree->hosts[host].slots;
    return said > 0 ? said : restree_shape(tree, host)->n_cores;
}

static void add_words(struct line *l, const char *const *words)
{
    for (; *words != NULL; words++)
        line_word(l, *words);
}

/* The words of mpimap_words, one by one. */
static void add_asked(struct line *l, const struct mpimap_question *q)
{
    AUTO_STR words = {0};
    mpimap_words(q, &words);
    char *rest = words.text, *word;
    while ((word = strsep(&rest, " ")) != NULL)
        line_word(l, arena_strdup(line_arena(l), word));
}

int mpimap_line(const struct mpimap_question *q,
                struct launch_line **ret,
                struct gm_error *err)
{
    static const char *const show4[] = {"--do-not-launch", "--display-map", NULL};
    static const char *const show5[] = {
        "--rtos", "donotlaunch", "--display", "map", NULL};
    static const char *const apart[] = {"--mca", "ras", "^slurm", NULL};
    if (q->tree->n_shapes > 1)
        return gm_fail(
            err, -EINVAL, "the hosts differ, and it takes one machine for all");
    if (q->tree->n_hosts > MPIMAP_MOST_HOSTS)
        return gm_fail(err, -EINVAL, "more than %u hosts", MPIMAP_MOST_HOSTS);
    struct line *l = line_make();
    AUTO_STR hosts = {0};
    line_word(l, arena_strdup(line_arena(l), q->mpirun));
    if (geteuid() == 0)
        line_word(l, "--allow-run-as-root");
    add_words(l, q->version >= 5 ? show5 : show4);
    add_words(l, apart);
    line_word(l, "-n");
    line_word(l, arena_printf(line_arena(l), "%u", q->ranks));
    for (unsigned h = 0; h < q->tree->n_hosts; h++) {
        if (h == 0)
            str_add(&hosts, "localhost");
        else
            str_printf(&hosts, ",198.18.%u.%u", h / 128, h % 128 + 1);
        str_printf(&hosts, ":%u", slots_of(q->tree, h));
    }
    line_word(l, "-H");
    line_word(l, arena_strdup(line_arena(l), str_text(&hosts)));
    add_asked(l, q);
    line_word(l, "true");
    line_env(l, "the plan's machine", "HWLOC_XMLFILE=%s", q->xml_file);
    line_env(l, "whatever this host is", "HWLOC_THISSYSTEM=0");
    *ret = line_finish(l, NULL);
    return 0;
}

/* ---- the answer ---- */

/* The PUs of these cores, or these PUs, by their numbers in tree order. */
static void add_units(const struct topo_shape *s,
                      bool cores,
                      unsigned from,
                      unsigned last,
                      struct idset *ret)
{
    unsigned number = 0;
    for (unsigned i = 0; i < s->n_nodes; i++) {
        const struct topo_node *n = &s->nodes[i];
        if (n->kind != (cores ? GM_CORE : GM_PU))
            continue;
        for (unsigned k = 0; number >= from && number <= last && k < n->n_pus; k++)
            idset_add(ret, s->pus[n->first_pu + k]);
        number++;
    }
}

/* "16-31" or "16" */
static const char *read_range(const char *p, unsigned ret[2])
{
    char *end;
    ret[0] = ret[1] = (unsigned)strtoul(p, &end, 10);
    if (*end == '-')
        ret[1] = (unsigned)strtoul(end + 1, &end, 10);
    return end;
}

/* Open MPI 4's map behind the list, "[BB/..][../..]": a letter a PU, in tree order. (The
 * list is cut off where it is long.) NULL: the map is not of this machine. */
static struct idset *
read_letters(const struct topo_shape *s, const char *p, const char *end)
{
    AUTO(idset) pus = idset_make();
    unsigned n = 0;
    for (; p < end; p++) {
        if (*p != 'B' && *p != '.')
            continue;
        if (*p == 'B' && n < s->n_pus)
            idset_add(pus, s->pus[n]);
        n++;
    }
    return n == s->n_pus ? steal(&pus) : NULL;
}

/* PRRTE: "package[0][core:L0-15]", "package[1][hwt:L6-7]", runs joined by commas.
 * NULL: there is none. */
static struct idset *read_runs(const struct topo_shape *s, const char *p, const char *end)
{
    AUTO(idset) pus = idset_make();
    for (; p < end; p++) {
        unsigned at[2];
        bool cores = strncmp(p, "core:L", 6) == 0;
        if (!cores && strncmp(p, "[hwt:L", 6) != 0)
            continue;
        p += 5;
        do {
            p = read_range(p + 1, at);
            add_units(s, cores, at[0], at[1], pus);
        } while (*p == ',' && isdigit((unsigned char)p[1]));
    }
    return idset_next(pus, 0) >= 0 ? steal(&pus) : NULL;
}

/* What stands behind "Bound: ". NULL: it cannot be told. */
static struct idset *
read_bound(const struct topo_shape *s, const char *text, bool *ret_bound)
{
    const char *end = text + strcspn(text, "\n");
    const char *map = memmem(text, (size_t)(end - text), ":[", 2);
    *ret_bound =
        text < end && strncmp(text, "N/A", 3) != 0 && strncmp(text, "UNBOUND", 7) != 0;
    if (map != NULL)
        return read_letters(s, map + 1, end);
    if (*ret_bound)
        return read_runs(s, text, end);
    struct idset *pus = idset_make();
    for (unsigned i = 0; i < s->n_pus; i++)
        idset_add(pus, s->pus[i]);
    return pus;
}

/* "198.18.0.3" -> 2; this host's own name -> 0. n_hosts: none of ours. */
static unsigned read_host(const struct restree *tree, const char *name)
{
    unsigned high, low;
    if (strncmp(name, "198.18.", 7) != 0)
        return 0;
    if (sscanf(name + 7, "%u.%u", &high, &low) != 2 || low == 0 || high > 127)
        return tree->n_hosts;
    unsigned host = 128 * high + low - 1;
    return host < tree->n_hosts ? host : tree->n_hosts;
}

/* N/A on another host says nothing where the first host's ranks are bound. */
static void forget_untold(const struct mpimap_question *q,
                          struct mpimap_rank *ranks,
                          const bool *bound)
{
    bool first = false;
    for (unsigned r = 0; r < q->ranks; r++)
        first = first || (ranks[r].host == 0 && bound[r]);
    for (unsigned r = 0; first && q->version < 5 && r < q->ranks; r++) {
        if (ranks[r].host == 0 || bound[r])
            continue;
        idset_free(ranks[r].pus);
        ranks[r].pus = NULL;
    }
}

/* The first paragraph between its dashes. */
static int read_refusal(const char *text, struct gm_error *err)
{
    AUTO_STR said = {0};
    const char *p = strstr(text, "\n---");
    p = strncmp(text, "---", 3) == 0 ? text : p != NULL ? p + 1 : NULL;
    p = p != NULL ? strchr(p, '\n') : NULL;
    for (p = p != NULL ? p + 1 : ""; *p != '\0' && *p != '\n' && *p != '-';) {
        size_t len = strcspn(p, "\n");
        str_printf(&said, "%s%.*s", said.len > 0 ? " " : "", (int)len, p);
        p += len + (p[len] == '\n');
    }
    while (said.len > 0 && strchr(":. ", said.text[said.len - 1]) != NULL)
        said.text[--said.len] = '\0';
    return gm_fail(err,
                   -EINVAL,
                   "%.180s",
                   said.len > 0 ? said.text : "it shows no map, and does not say why");
}

int mpimap_read(const struct mpimap_question *q,
                const char *text,
                struct mpimap_rank **ret,
                struct gm_error *err)
{
    static const char node[] = "Data for node: ", rank[] = "Process rank: ",
                      bound[] = "Bound: ";
    struct mpimap_rank *ranks = xcalloc(q->ranks, sizeof(*ranks));
    AUTO_FREE(bool) bounds = xcalloc(q->ranks, sizeof(*bounds));
    unsigned host = q->tree->n_hosts, n = 0;
    for (const char *p = text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
        size_t len = strcspn(p, "\n");
        const char *at = memmem(p, len, node, sizeof(node) - 1);
        if (at != NULL)
            host = read_host(q->tree, at + sizeof(node) - 1);
        at = memmem(p, len, rank, sizeof(rank) - 1);
        const char *to = memmem(p, len, bound, sizeof(bound) - 1);
        if (at == NULL || to == NULL || host == q->tree->n_hosts)
            continue;
        unsigned long r = strtoul(at + sizeof(rank) - 1, NULL, 10);
        if (r >= q->ranks || ranks[r].there)
            continue;
        const struct topo_shape *shape = restree_shape(q->tree, host);
        ranks[r] = (struct mpimap_rank){
            true, host, read_bound(shape, to + sizeof(bound) - 1, &bounds[r])};
        n++;
    }
    if (n == q->ranks) {
        forget_untold(q, ranks, bounds);
        *ret = ranks;
        return 0;
    }
    mpimap_free(ranks, q->ranks);
    return n > 0 ? gm_fail(err, -EINVAL, "it maps %u of %u ranks", n, q->ranks)
                 : read_refusal(text, err);
}

void mpimap_free(struct mpimap_rank *ranks, unsigned n)
{
    for (unsigned i = 0; ranks != NULL && i < n; i++)
        idset_free(ranks[i].pus);
    free(ranks);
}
