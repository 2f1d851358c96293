/* See hosts.h. Invariant: a host is in the list once, in the order of its first mention,
 * and has 0 slots only where no mention said any. */
#include "hosts.h"
#include "base/file.h"
#include "base/hostslots.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/strmap.h"

enum { MOST_FILE = 16 << 20 };

/* The list while it grows. */
struct gathering {
    struct alloc_hosts hosts;
    size_t room;
    struct strmap *index; /* its keys are the names in `hosts` */
};

static void forget(struct gathering *g)
{
    alloc_hosts_free(&g->hosts);
    strmap_free(g->index);
}

/* A host that is named again has a slot more, or as many more as are said. */
static void add_host(struct gathering *g, const char *name, unsigned slots)
{
    size_t at;
    if (g->hosts.items != NULL && strmap_get(g->index, name, &at)) {
        struct alloc_host *h = &g->hosts.items[at];
        unsigned sum = (h->slots > 0 ? h->slots : 1) + (slots > 0 ? slots : 1);
        h->slots = sum < HOSTSLOTS_MAX ? sum : HOSTSLOTS_MAX;
        return;
    }
    if (g->hosts.n == g->room) {
        g->room = g->room < 16 ? 16 : 2 * g->room;
        g->hosts.items = xrealloc(g->hosts.items, g->room, sizeof(*g->hosts.items));
    }
    char *own = xstrdup(name);
    g->hosts.items[g->hosts.n] = (struct alloc_host){.name = own, .slots = slots};
    strmap_put(g->index, own, g->hosts.n++);
}

/* slots: for entries that say none themselves. */
static int add_hosts(struct gathering *g,
                     const char *text,
                     unsigned slots,
                     unsigned most,
                     struct gm_error *err)
{
    AUTO(hostlist) names = NULL;
    AUTO_FREE(unsigned) said = NULL;
    int rc = hostslots_parse(text, &names, &said, err);
    for (size_t i = 0; rc == 0 && i < names->n; i++) {
        unsigned n = said[i] > 0 ? said[i] : slots;
        add_host(g, names->names[i], most > 0 && (n == 0 || most < n) ? most : n);
    }
    if (rc == 0 && names->n == 0)
        rc = gm_fail(err, -EINVAL, "'%.80s' names no host", text);
    return rc;
}

int hosts_parse(const char *text, struct alloc_hosts *ret, struct gm_error *err)
{
    struct gathering g = {.index = strmap_make()};
    int rc = add_hosts(&g, text, 0, 0, err);
    if (rc == 0) {
        *ret = g.hosts;
        g.hosts = (struct alloc_hosts){0};
    }
    forget(&g);
    return rc;
}

/* The word at *at, which moves behind it; "=" is a word of its own. NULL: none is left.
 */
static char *next_word(char **at, char *room, size_t size)
{
    char *p = *at + strspn(*at, " \t\r");
    size_t n = *p == '=' ? 1 : strcspn(p, " \t\r=");
    if (n == 0)
        return NULL;
    (void)snprintf(room, size, "%.*s", (int)n, p);
    *at = p + n;
    return room;
}

static int read_count(const char *text, unsigned *ret)
{
    size_t len = strspn(text, "0123456789");
    unsigned long n = len > 0 && len < 8 ? strtoul(text, NULL, 10) : 0;
    if (text[len] != '\0' || n == 0 || n > HOSTSLOTS_MAX)
        return -EINVAL;
    *ret = (unsigned)n;
    return 0;
}

/* "slots = 4 max_slots=8" behind the host. */
static int read_options(char *p, unsigned *slots, unsigned *most, struct gm_error *err)
{
    static const char *const known[] = {"slots", "max_slots", "max-slots", "slots_max"};
    char word[128], equals[128], value[128];
    while (next_word(&p, word, sizeof(word)) != NULL) {
        bool is_slots = strcmp(word, known[0]) == 0, fine = is_slots;
        for (size_t i = 1; i < sizeof(known) / sizeof(known[0]); i++)
            fine = fine || strcmp(word, known[i]) == 0;
        if (!fine)
            return gm_fail(err,
                           -EINVAL,
                           "unknown word '%.80s': a line is a host, slots=N and "
                           "max_slots=N",
                           word);
        if (next_word(&p, equals, sizeof(equals)) == NULL || strcmp(equals, "=") != 0 ||
            next_word(&p, value, sizeof(value)) == NULL ||
            read_count(value, is_slots ? slots : most) != 0)
            return gm_fail(err,
                           -EINVAL,
                           "%s takes a number from 1 to %u, as in %s=4",
                           word,
                           HOSTSLOTS_MAX,
                           word);
    }
    return 0;
}

static int read_line(struct gathering *g, char *line, struct gm_error *err)
{
    unsigned slots = 0, most = 0;
    line[strcspn(line, "#")] = '\0';
    line += strspn(line, " \t\r");
    if (*line == '\0')
        return 0;
    char *rest = line + strcspn(line, " \t\r");
    char *options = rest + (*rest != '\0');
    *rest = '\0';
    if (*line == '^' || *line == '+' || strchr(line, '@') != NULL)
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s': hosts are plain names here (who logs in stands in "
                       "ssh's own configuration)",
                       line);
    if (strchr(line, '=') != NULL)
        return gm_fail(err, -EINVAL, "'%.80s': a host must stand first", line);
    int rc = read_options(options, &slots, &most, err);
    return rc == 0 ? add_hosts(g, line, slots, most, err) : rc;
}

int hosts_read(const char *file, struct alloc_hosts *ret, struct gm_error *err)
{
    AUTO_FREE(char) text = NULL;
    size_t len;
    struct gathering g = {.index = strmap_make()};
    int rc = file_read(file, MOST_FILE, &text, &len, err);
    if (rc == 0 && strlen(text) != len)
        rc = gm_fail(err, -EINVAL, "%s: is no text: it holds a 0 byte", file);
    unsigned number = 1;
    for (char *p = text; rc == 0 && *p != '\0'; number++) {
        size_t n = strcspn(p, "\n");
        char *next = p + n + (p[n] != '\0');
        p[n] = '\0';
        rc = read_line(&g, p, err);
        if (rc != 0)
            (void)gm_prefix(err, "%s:%u", file, number);
        p = next;
    }
    if (rc == 0 && g.hosts.n == 0)
        rc = gm_fail(err, -EINVAL, "%s: names no host", file);
    if (rc == 0) {
        *ret = g.hosts;
        g.hosts = (struct alloc_hosts){0};
    }
    forget(&g);
    return rc;
}
