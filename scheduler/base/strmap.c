/* See strmap.h. Open addressing with linear probing. Invariant: room is a power of two
 * and at most half of the slots are in use, so a search always ends at an empty one. */
#include "strmap.h"
#include "memory.h"
#include <stdint.h>
#include <string.h>

struct slot {
    const char *key; /* NULL: empty */
    uint64_t hash;
    size_t value;
};

struct strmap {
    struct slot *slots;
    size_t room, n;
};

struct strmap *strmap_make_for(size_t n)
{
    struct strmap *m = xcalloc(1, sizeof(*m));
    m->room = 16;
    while (m->room / 2 < n)
        m->room = xmul(m->room, 2);
    m->slots = xcalloc(m->room, sizeof(*m->slots));
    return m;
}

struct strmap *strmap_make(void)
{
    return strmap_make_for(0);
}

void strmap_free(struct strmap *m)
{
    if (m == NULL)
        return;
    free(m->slots);
    free(m);
}

/* FNV-1a, then a mixing step: the low bits pick the slot. */
static uint64_t hash_of(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = key; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return h ^ (h >> 32);
}

/* The slot that holds the key, or the empty one where it belongs. */
static struct slot *
slot_for(struct slot *slots, size_t room, const char *key, uint64_t hash)
{
    size_t i = (size_t)hash & (room - 1);
    while (slots[i].key != NULL &&
           (slots[i].hash != hash || strcmp(slots[i].key, key) != 0))
        i = (i + 1) & (room - 1);
    return &slots[i];
}

static void grow(struct strmap *m)
{
    size_t room = xmul(m->room, 2);
    struct slot *slots = xcalloc(room, sizeof(*slots));
    for (size_t i = 0; i < m->room; i++) {
        const struct slot *s = &m->slots[i];
        if (s->key != NULL)
            *slot_for(slots, room, s->key, s->hash) = *s;
    }
    free(m->slots);
    m->slots = slots;
    m->room = room;
}

/* The key's slot, which is new when it was not there. */
static struct slot *slot_of(struct strmap *m, const char *key, bool *is_new)
{
    if (2 * (m->n + 1) > m->room)
        grow(m);
    uint64_t hash = hash_of(key);
    struct slot *s = slot_for(m->slots, m->room, key, hash);
    *is_new = s->key == NULL;
    if (*is_new) {
        *s = (struct slot){.key = key, .hash = hash};
        m->n++;
    }
    return s;
}

void strmap_put(struct strmap *m, const char *key, size_t value)
{
    bool is_new;
    slot_of(m, key, &is_new)->value = value;
}

bool strmap_add(struct strmap *m, const char *key, size_t *value)
{
    bool is_new;
    struct slot *s = slot_of(m, key, &is_new);
    if (is_new)
        s->value = *value;
    else
        *value = s->value;
    return is_new;
}

bool strmap_get(const struct strmap *m, const char *key, size_t *ret)
{
    const struct slot *s = slot_for(m->slots, m->room, key, hash_of(key));
    if (s->key == NULL)
        return false;
    *ret = s->value;
    return true;
}
