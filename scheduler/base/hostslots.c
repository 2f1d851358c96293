/* See hostslots.h. Invariant: a name that is returned holds no colon, so that what is
 * written after one was taken for slots or refused. */
#include "hostslots.h"
#include "memory.h"
#include "str.h"

/* The comma that ends the entry at p, or the end; commas in brackets are its own. */
static const char *entry_end(const char *p)
{
    bool inside = false;
    for (; *p != '\0' && (inside || *p != ','); p++)
        inside = *p == '[' || (inside && *p != ']');
    return p;
}

/* The digits after the colon of an entry. */
static int
read_slots(const char *entry, const char *text, unsigned *ret, struct gm_error *err)
{
    size_t len = strspn(text, "0123456789");
    unsigned long n = len > 0 && len < 8 ? strtoul(text, NULL, 10) : 0;
    if (text[len] != '\0' || n == 0 || n > HOSTSLOTS_MAX)
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s': slots are a number from 1 to %u, as in host:4",
                       entry,
                       HOSTSLOTS_MAX);
    *ret = (unsigned)n;
    return 0;
}

/* One entry, cut at its colon; its hosts are added. */
static int
add_entry(char *entry, struct hostlist *all, unsigned **slots, struct gm_error *err)
{
    AUTO(hostlist) names = NULL;
    unsigned n = 0;
    entry += strspn(entry, " \t");
    entry[strcspn(entry, " \t")] = '\0';
    if (*entry == '-') /* ssh -oProxyCommand=... */
        return gm_fail(err,
                       -EINVAL,
                       "'%.80s': a host's name begins with no '-': its launcher would "
                       "take it for an option",
                       entry);
    char *colon = strchr(entry, ':');
    int rc = colon != NULL ? read_slots(entry, colon + 1, &n, err) : 0;
    if (colon != NULL)
        *colon = '\0';
    if (rc == 0)
        rc = hostlist_parse(entry, &names, err);
    if (rc == 0 && colon != NULL && names->n == 0)
        rc =
            gm_fail(err, -EINVAL, "':%s': a host must stand before the colon", colon + 1);
    if (rc == 0 && all->n + names->n > HOSTLIST_MAX)
        rc = gm_fail(err, -EINVAL, "more than %u hosts", HOSTLIST_MAX);
    if (rc < 0 || names->n == 0)
        return rc;
    all->names = xrealloc(all->names, all->n + names->n, sizeof(*all->names));
    *slots = xrealloc(*slots, all->n + names->n, sizeof(**slots));
    for (size_t i = 0; i < names->n; i++, all->n++) {
        all->names[all->n] = names->names[i];
        (*slots)[all->n] = n;
    }
    names->n = 0;
    return 0;
}

/* A blank in an entry would cut it short unseen. */
static int check_blanks(const char *from, const char *end, struct gm_error *err)
{
    const char *p = from + strspn(from, " \t");
    const char *gap = p + strcspn(p, " \t");
    const char *rest = gap + strspn(gap, " \t");
    if (gap >= end || rest >= end)
        return 0;
    return gm_fail(err,
                   -EINVAL,
                   "'%.*s': a comma must stand between hosts",
                   (int)(end - from > 80 ? 80 : end - from),
                   from);
}

int hostslots_parse(const char *text,
                    struct hostlist **ret,
                    unsigned **ret_slots,
                    struct gm_error *err)
{
    AUTO(hostlist) all = xcalloc(1, sizeof(*all));
    AUTO_FREE(unsigned) slots = NULL;
    int rc = 0;
    for (const char *p = text; rc == 0 && *p != '\0';) {
        AUTO_STR entry = {0};
        const char *end = entry_end(p);
        str_add_n(&entry, p, (size_t)(end - p));
        rc = check_blanks(p, end, err);
        if (rc == 0 && entry.len > 0)
            rc = add_entry(entry.text, all, &slots, err);
        p = end + (*end == ',');
    }
    if (rc < 0)
        return rc;
    *ret = steal(&all);
    *ret_slots = steal(&slots);
    return 0;
}
