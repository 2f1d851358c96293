/* See arena.h. Blocks in a list, each twice the last up to 1 MiB, then of 8 MiB; a large
 * object has a block of its own. Invariant: block->used <= block->room, and every pointer
 * handed out lies in exactly one block.
 *
 * Great blocks are mapped, and huge pages asked for: a jobspec of 5 MB fills 40 MiB,
 * whose 10^4 page faults took a third of the time to read it. */
#include "arena.h"
#include "memory.h"
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20, GREAT_BLOCK = 8 << 20 };

struct block {
    struct block *next;
    size_t used, room;
    size_t mapped; /* bytes by mmap; 0: by calloc */
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct block *head;
    size_t used;
};

struct arena *arena_make(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    while (a->head != NULL) {
        struct block *next = a->head->next;
        if (a->head->mapped > 0)
            (void)munmap(a->head, a->head->mapped);
        else
            free(a->head);
        a->head = next;
    }
    free(a);
}

/* NULL: the system gives no mapping. */
static struct block *map_great(void)
{
    struct block *b = mmap(
        NULL, GREAT_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        return NULL;
    (void)madvise(b, GREAT_BLOCK, MADV_HUGEPAGE); /* small pages do as well */
    b->mapped = GREAT_BLOCK;
    b->room = GREAT_BLOCK - sizeof(*b);
    return b;
}

static struct block *block_for(struct arena *a, size_t n)
{
    size_t room = a->head != NULL ? 2 * a->head->room : FIRST_BLOCK;
    bool great = room > LARGEST_BLOCK && n <= GREAT_BLOCK - sizeof(struct block);
    struct block *b = great ? map_great() : NULL;
    if (b == NULL) {
        if (room > LARGEST_BLOCK)
            room = LARGEST_BLOCK;
        if (room < n)
            room = n;
        b = xcalloc(1, xadd(sizeof(*b), room));
        b->room = room;
    }
    b->next = a->head;
    a->head = b;
    return b;
}

/* `want` bytes (at least one) at a multiple of `align`. */
static void *take(struct arena *a, size_t want, size_t align)
{
    struct block *b = a->head;
    size_t at = b != NULL ? xadd(b->used, align - 1) / align * align : 0;
    if (b == NULL || at > b->room || b->room - at < want) {
        b = block_for(a, want);
        at = 0;
    }
    b->used = at + want;
    a->used += want;
    return b->bytes + at;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    size_t want = xmul(n, size);
    return take(a, want > 0 ? want : 1, alignof(max_align_t));
}

char *arena_copy(struct arena *a, const char *text, size_t len)
{
    char *copy = take(a, xadd(len, 1), 1);
    if (len > 0)
        memcpy(copy, text, len);
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return text == NULL ? NULL : arena_copy(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = take(a, (size_t)(n < 0 ? 0 : n) + 1, 1);
    if (n > 0)
        (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
