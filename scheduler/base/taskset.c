/* See taskset.h. A radix tree of nodes with 64 slots each: the lowest level holds 4096
 * bits, every level above 64 nodes. Invariant: a slot is NULL where no task under it is a
 * member, FULL where all of them (within n) are, else a node whose `in` is neither 0 nor
 * all. */
#include "taskset.h"
#include "memory.h"
#include <assert.h>
#include <stddef.h>

enum { SLOTS = 64, SLOT_BITS = 6, LEAF_BITS = 12 };

struct node {
    uint64_t in; /* members under it */
    union {
        uint64_t words[SLOTS];
        struct node *kids[SLOTS];
    };
};

struct taskset {
    uint64_t n, count;
    unsigned bits; /* the root spans 2^bits numbers, or more than there are */
    struct node *root;
};

/* Stands for "all of them"; never looked into. */
static const struct node all_of_them;
#define FULL ((struct node *)&all_of_them)

struct taskset *taskset_make(uint64_t n)
{
    struct taskset *t = xcalloc(1, sizeof(*t));
    t->n = n;
    t->bits = LEAF_BITS;
    while (t->bits < 64 && (n >> t->bits) > 0)
        t->bits += SLOT_BITS;
    return t;
}

static void release(struct node *x, unsigned bits)
{
    if (x == NULL || x == FULL)
        return;
    for (unsigned i = 0; bits > LEAF_BITS && i < SLOTS; i++)
        release(x->kids[i], bits - SLOT_BITS);
    free(x);
}

void taskset_free(struct taskset *t)
{
    if (t == NULL)
        return;
    release(t->root, t->bits);
    free(t);
}

uint64_t taskset_size(const struct taskset *t)
{
    return t->n;
}

uint64_t taskset_count(const struct taskset *t)
{
    return t->count;
}

bool taskset_has(const struct taskset *t, uint64_t task)
{
    assert(task < t->n);
    const struct node *x = t->root;
    for (unsigned bits = t->bits; bits > LEAF_BITS && x != NULL && x != FULL;) {
        bits -= SLOT_BITS;
        x = x->kids[(task >> bits) % SLOTS];
    }
    if (x == NULL || x == FULL)
        return x == FULL;
    return (x->words[(task / 64) % SLOTS] >> (task % 64) & 1) != 0;
}

/* Numbers from `base` on that a node of so many bits spans. */
static uint64_t span(const struct taskset *t, uint64_t base, unsigned bits)
{
    uint64_t left = t->n - base;
    return bits < 64 && left >> bits > 0 ? UINT64_C(1) << bits : left;
}

/* The same node with room to hold some and not others. */
static struct node *
opened(const struct taskset *t, struct node *x, uint64_t base, unsigned bits)
{
    if (x != NULL && x != FULL)
        return x;
    struct node *mixed = xcalloc(1, sizeof(*mixed));
    if (x == NULL)
        return mixed;
    mixed->in = span(t, base, bits);
    unsigned below = bits == LEAF_BITS ? SLOT_BITS : bits - SLOT_BITS;
    for (uint64_t i = 0; i <= (mixed->in - 1) >> below; i++) {
        uint64_t left = mixed->in - (i << below);
        if (bits > LEAF_BITS)
            mixed->kids[i] = FULL;
        else
            mixed->words[i] = left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX;
    }
    return mixed;
}

static uint64_t bits_between(unsigned first, unsigned end)
{
    uint64_t below_end = end < 64 ? (UINT64_C(1) << end) - 1 : UINT64_MAX;
    return below_end & ~((UINT64_C(1) << first) - 1);
}

/* [first, end) of a leaf, counted from its base. */
static void set_words(struct node *x, uint64_t first, uint64_t end, bool in)
{
    for (uint64_t w = first / 64; w * 64 < end; w++) {
        unsigned low = w * 64 < first ? (unsigned)(first % 64) : 0;
        unsigned high = (w + 1) * 64 > end ? (unsigned)(end - w * 64) : 64;
        uint64_t mask = bits_between(low, high), old = x->words[w];
        x->words[w] = in ? old | mask : old & ~mask;
        x->in += (uint64_t)__builtin_popcountll(x->words[w]);
        x->in -= (uint64_t)__builtin_popcountll(old);
    }
}

static uint64_t members(const struct node *x, uint64_t all)
{
    return x == NULL ? 0 : x == FULL ? all : x->in;
}

/* [first, end) is what of the range lies under this node; the node that stands there
 * afterwards. */
static struct node *set(const struct taskset *t,
                        struct node *x,
                        uint64_t base,
                        unsigned bits,
                        uint64_t first,
                        uint64_t end,
                        bool in)
{
    uint64_t all = span(t, base, bits);
    if (x == (in ? FULL : NULL))
        return x;
    if (first == base && end - base == all) {
        release(x, bits);
        return in ? FULL : NULL;
    }
    x = opened(t, x, base, bits);
    if (bits == LEAF_BITS) {
        set_words(x, first - base, end - base, in);
    } else {
        unsigned below = bits - SLOT_BITS;
        for (uint64_t at = first; at < end;) {
            uint64_t slot = (at - base) >> below;
            uint64_t kid = base + (slot << below), room = span(t, kid, below);
            uint64_t stop = end - kid < room ? end : kid + room;
            struct node *old = x->kids[slot];
            uint64_t before = members(old, room);
            x->kids[slot] = set(t, old, kid, below, at, stop, in);
            x->in += members(x->kids[slot], room) - before;
            at = stop;
        }
    }
    if (x->in > 0 && x->in < all)
        return x;
    bool full = x->in == all;
    release(x, bits);
    return full ? FULL : NULL;
}

static uint64_t change(struct taskset *t, uint64_t first, uint64_t count, bool in)
{
    assert(first <= t->n && count <= t->n - first);
    if (count == 0)
        return 0;
    uint64_t before = t->count;
    t->root = set(t, t->root, 0, t->bits, first, first + count, in);
    t->count = members(t->root, t->n);
    return in ? t->count - before : before - t->count;
}

uint64_t taskset_add(struct taskset *t, uint64_t first, uint64_t count)
{
    return change(t, first, count, true);
}

uint64_t taskset_remove(struct taskset *t, uint64_t first, uint64_t count)
{
    return change(t, first, count, false);
}

static uint64_t
next_in_words(const struct node *x, uint64_t from, uint64_t all, bool member)
{
    for (uint64_t w = from / 64; w * 64 < all; w++) {
        uint64_t word = member ? x->words[w] : ~x->words[w];
        if (w * 64 < from)
            word &= ~((UINT64_C(1) << (from % 64)) - 1);
        if (word != 0)
            return w * 64 + (unsigned)__builtin_ctzll(word);
    }
    return all;
}

/* The first number at or after `from` (counted from base) that is a member, or is none;
 * `all`, or more: there is none under this node. */
static uint64_t next(const struct taskset *t,
                     const struct node *x,
                     uint64_t base,
                     unsigned bits,
                     uint64_t from,
                     bool member)
{
    uint64_t all = span(t, base, bits);
    if (x == NULL || x == FULL)
        return (x == FULL) == member ? from : all;
    if (bits == LEAF_BITS)
        return next_in_words(x, from, all, member);
    unsigned below = bits - SLOT_BITS;
    while (from < all) {
        uint64_t slot = from >> below, kid = slot << below;
        uint64_t room = span(t, base + kid, below);
        uint64_t at = next(t, x->kids[slot], base + kid, below, from - kid, member);
        if (at < room)
            return kid + at;
        from = kid + room;
    }
    return all;
}

static bool find(const struct taskset *t,
                 uint64_t from,
                 uint64_t most,
                 bool member,
                 uint64_t *ret_first,
                 uint64_t *ret_count)
{
    if (from >= t->n || most == 0)
        return false;
    uint64_t first = next(t, t->root, 0, t->bits, from, member);
    if (first >= t->n)
        return false;
    uint64_t end = next(t, t->root, 0, t->bits, first, !member);
    end = end < t->n ? end : t->n;
    *ret_first = first;
    *ret_count = end - first < most ? end - first : most;
    return true;
}

bool taskset_run(const struct taskset *t,
                 uint64_t from,
                 uint64_t most,
                 uint64_t *ret_first,
                 uint64_t *ret_count)
{
    return find(t, from, most, true, ret_first, ret_count);
}

bool taskset_gap(const struct taskset *t,
                 uint64_t from,
                 uint64_t most,
                 uint64_t *ret_first,
                 uint64_t *ret_count)
{
    return find(t, from, most, false, ret_first, ret_count);
}

static void combine(struct taskset *a, const struct taskset *b, bool in)
{
    assert(a->n == b->n);
    uint64_t first = 0, count = 0;
    while (taskset_run(b, first + count, UINT64_MAX, &first, &count))
        (void)change(a, first, count, in);
}

void taskset_unite(struct taskset *a, const struct taskset *b)
{
    combine(a, b, true);
}

void taskset_subtract(struct taskset *a, const struct taskset *b)
{
    combine(a, b, false);
}
