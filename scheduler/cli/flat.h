/* What varies from task to task, as the results have it (canonical JSON), as names and
 * texts: {"lr":0.1,"shard":{"first":0}} is lr = 0.1, shard.first = 0. */
#ifndef CLI_FLAT_H
#define CLI_FLAT_H

#include "base/str.h"

struct flat_item {
    size_t name, text; /* where they begin in `bytes` */
    bool string;       /* it was a JSON string */
};

struct flat { /* all zero: empty; used again and again */
    struct str bytes;
    struct flat_item *items;
    unsigned n, room;
};

static inline const char *flat_name(const struct flat *f, unsigned i)
{
    return f->bytes.text + f->items[i].name;
}

/* A list's is its JSON. */
static inline const char *flat_text(const struct flat *f, unsigned i)
{
    return f->bytes.text + f->items[i].text;
}

/* What is no such JSON becomes one item, "params". What it gave before is gone. */
void flat_read(struct flat *f, const char *json);
void flat_free(struct flat *f);

#endif
