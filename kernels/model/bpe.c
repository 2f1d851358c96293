/* Merges live in an open hash table keyed by the pair. Short rows are searched through at
 * each step; long ones keep their neighbours in a heap ordered by (rank, place), the row
 * a linked list: an entry whose symbols are no longer there is passed over. */
#include "bpe.h"

#include "base/memory.h"
#include <string.h>

#define SHORT   24
#define NO_RANK UINT32_MAX
#define SLOTS   16384U /* of remembered words */
#define NOWHERE SIZE_MAX

struct pair {
    int32_t left, right; /* left -1: free */
    uint32_t rank;
    int32_t merged;
};

struct word {
    uint64_t bytes[2];
    uint8_t len, n; /* len 0: free */
    int32_t ids[BPE_WORD_IDS];
};

struct candidate {
    uint32_t rank;
    int32_t left, right, merged;
    size_t at;
};

struct symbol {
    int32_t id;
    size_t before, after; /* NOWHERE at the ends */
};

struct bpe {
    struct pair *pairs;
    size_t n_pairs, room; /* a power of two */
    struct word *words;
    struct candidate *heap;
    size_t n_heap, heap_room;
    struct symbol *row;
    size_t row_room;
};

struct bpe *bpe_make(void)
{
    struct bpe *b = xcalloc(1, sizeof(*b));
    b->room = 1024;
    b->pairs = xcalloc(b->room, sizeof(*b->pairs));
    memset(b->pairs, -1, b->room * sizeof(*b->pairs));
    b->words = xcalloc(SLOTS, sizeof(*b->words));
    return b;
}

void bpe_free(struct bpe *b)
{
    if (b == NULL)
        return;
    free(b->pairs);
    free(b->words);
    free(b->heap);
    free(b->row);
    free(b);
}

static uint64_t mix(uint64_t v)
{
    v *= 0x9E3779B97F4A7C15U;
    return v ^ v >> 32;
}

/* The pair's slot, or the free one where it would stand. */
static struct pair *slot(const struct bpe *b, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t at = mix(key) & (b->room - 1);
    while (b->pairs[at].left != -1 &&
           (b->pairs[at].left != left || b->pairs[at].right != right))
        at = (at + 1) & (b->room - 1);
    return &b->pairs[at];
}

static void grow(struct bpe *b)
{
    struct pair *old = b->pairs;
    size_t n = b->room;
    b->room *= 2;
    b->pairs = xcalloc(b->room, sizeof(*b->pairs));
    memset(b->pairs, -1, b->room * sizeof(*b->pairs));
    for (size_t i = 0; i < n; i++) {
        if (old[i].left != -1)
            *slot(b, old[i].left, old[i].right) = old[i];
    }
    free(old);
}

void bpe_add(struct bpe *b, int32_t left, int32_t right, uint32_t rank, int32_t merged)
{
    struct pair *p = slot(b, left, right);
    if (p->left != -1)
        return;
    *p = (struct pair){left, right, rank, merged};
    if (++b->n_pairs * 2 > b->room)
        grow(b);
}

static uint32_t rank_of(const struct bpe *b, int32_t left, int32_t right)
{
    const struct pair *p = slot(b, left, right);
    return p->left == -1 ? NO_RANK : p->rank;
}

static size_t merge_short(const struct bpe *b, int32_t *ids, size_t n)
{
    uint32_t ranks[SHORT];
    for (size_t i = 0; i + 1 < n; i++)
        ranks[i] = rank_of(b, ids[i], ids[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            best = ranks[i] < ranks[best] ? i : best;
        if (ranks[best] == NO_RANK)
            break;
        ids[best] = slot(b, ids[best], ids[best + 1])->merged;
        memmove(&ids[best + 1], &ids[best + 2], (n - best - 2) * sizeof(*ids));
        memmove(&ranks[best], &ranks[best + 1], (n - best - 2) * sizeof(*ranks));
        n--;
        if (best > 0)
            ranks[best - 1] = rank_of(b, ids[best - 1], ids[best]);
        if (best + 1 < n)
            ranks[best] = rank_of(b, ids[best], ids[best + 1]);
    }
    return n;
}

static bool earlier(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(struct bpe *b, struct candidate c)
{
    if (b->n_heap == b->heap_room) {
        b->heap_room = b->heap_room == 0 ? 256 : 2 * b->heap_room;
        b->heap = xrealloc(b->heap, b->heap_room, sizeof(*b->heap));
    }
    size_t at = b->n_heap++;
    while (at > 0 && earlier(&c, &b->heap[(at - 1) / 2])) {
        b->heap[at] = b->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    b->heap[at] = c;
}

static struct candidate pop(struct bpe *b)
{
    struct candidate top = b->heap[0], last = b->heap[--b->n_heap];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= b->n_heap)
            break;
        if (child + 1 < b->n_heap && earlier(&b->heap[child + 1], &b->heap[child]))
            child++;
        if (!earlier(&b->heap[child], &last))
            break;
        b->heap[at] = b->heap[child];
        at = child;
    }
    b->heap[at] = last;
    return top;
}

/* The symbol at `at` and the one after it, if they merge. */
static void offer(struct bpe *b, size_t at)
{
    size_t after = b->row[at].after;
    if (after == NOWHERE)
        return;
    const struct pair *p = slot(b, b->row[at].id, b->row[after].id);
    if (p->left != -1)
        push(b, (struct candidate){p->rank, p->left, p->right, p->merged, at});
}

static size_t merge_long(struct bpe *b, int32_t *ids, size_t n)
{
    if (n > b->row_room) {
        b->row = xrealloc(b->row, n, sizeof(*b->row));
        b->row_room = n;
    }
    for (size_t i = 0; i < n; i++)
        b->row[i] = (struct symbol){
            ids[i], i == 0 ? NOWHERE : i - 1, i + 1 < n ? i + 1 : NOWHERE};
    for (size_t i = 0; i < n; i++)
        offer(b, i);
    while (b->n_heap > 0) {
        struct candidate c = pop(b);
        struct symbol *left = &b->row[c.at];
        if (left->id != c.left || left->after == NOWHERE ||
            b->row[left->after].id != c.right)
            continue;
        struct symbol *right = &b->row[left->after];
        left->id = c.merged;
        left->after = right->after;
        right->id = -1; /* never a symbol again */
        if (left->after != NOWHERE)
            b->row[left->after].before = c.at;
        if (left->before != NOWHERE)
            offer(b, left->before);
        offer(b, c.at);
    }
    size_t left = 0;
    for (size_t at = 0; at != NOWHERE; at = b->row[at].after)
        ids[left++] = b->row[at].id;
    return left;
}

size_t bpe_merge(struct bpe *b, int32_t *ids, size_t n)
{
    if (n < 2)
        return n;
    return n <= SHORT ? merge_short(b, ids, n) : merge_long(b, ids, n);
}

/* Up to 16 bytes, zeros behind, without a copy of so many. */
static void load(const unsigned char *p, size_t len, uint64_t ret[2])
{
    uint32_t low, high;
    ret[0] = ret[1] = 0;
    if (len >= 8) {
        memcpy(&ret[0], p, 8);
        if (len > 8) {
            memcpy(&ret[1], p + len - 8, 8);
            ret[1] >>= 8 * (16 - len);
        }
    } else if (len >= 4) {
        memcpy(&low, p, 4);
        memcpy(&high, p + len - 4, 4);
        ret[0] = low | (uint64_t)high << (8 * (len - 4));
    } else if (len > 0) {
        ret[0] = p[0] | (uint64_t)p[len / 2] << (8 * (len / 2)) |
                 (uint64_t)p[len - 1] << (8 * (len - 1));
    }
}

static struct word *
place(const struct bpe *b, const void *word, size_t len, uint64_t ret_bytes[2])
{
    load(word, len, ret_bytes);
    return &b->words[mix(mix(ret_bytes[0]) + ret_bytes[1] + len) & (SLOTS - 1)];
}

size_t bpe_recall(const struct bpe *b, const void *word, size_t len, int32_t *ret_ids)
{
    uint64_t bytes[2];
    if (len > BPE_WORD_BYTES)
        return 0;
    const struct word *w = place(b, word, len, bytes);
    if (w->len != len || w->bytes[0] != bytes[0] || w->bytes[1] != bytes[1])
        return 0;
    for (size_t i = 0; i < w->n; i++)
        ret_ids[i] = w->ids[i];
    return w->n;
}

void bpe_keep(struct bpe *b, const void *word, size_t len, const int32_t *ids, size_t n)
{
    uint64_t bytes[2];
    if (len == 0 || len > BPE_WORD_BYTES || n > BPE_WORD_IDS)
        return;
    struct word *w = place(b, word, len, bytes);
    memcpy(w->bytes, bytes, sizeof(bytes));
    w->len = (uint8_t)len;
    w->n = (uint8_t)n;
    memcpy(w->ids, ids, n * sizeof(*ids));
}
