/* base/arena.h */
#include "base/arena.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdalign.h>
#include <stdint.h>

Test(arena, pieces_are_zeroed_aligned_and_apart)
{
    AUTO(arena) a = arena_make();
    enum { N = 500 };
    unsigned char *p[N];
    size_t size[N];
    unsigned seed = 7;
    for (size_t i = 0; i < N; i++) {
        size[i] = i % 50 == 0 ? 100000 : (size_t)rand_r(&seed) % 300;
        p[i] = arena_alloc(a, size[i], 1);
        cr_assert_eq((uintptr_t)p[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < size[i]; k++)
            cr_assert_eq(p[i][k], 0);
        memset(p[i], (int)(i % 251) + 1, size[i]);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < size[i]; k++)
            cr_assert_eq(p[i][k], i % 251 + 1, "piece %zu was overwritten", i);
    }
}

/* Through calloc'd and mapped blocks, with pieces that need one of their own between. */
Test(arena, forty_mebibytes_are_zeroed_and_apart_too)
{
    enum { PIECE = 1000, N = 40000, OWN = 9 << 20, EVERY = 15000 };
    AUTO(arena) a = arena_make();
    unsigned **p = xcalloc(N, sizeof(*p));
    for (unsigned i = 0; i < N; i++) {
        p[i] = arena_alloc(a, i % EVERY == EVERY - 1 ? OWN : PIECE, 1);
        cr_assert_eq((uintptr_t)p[i] % alignof(max_align_t), 0);
        for (unsigned k = 0; k < PIECE / sizeof(unsigned); k++) {
            cr_assert_eq(p[i][k], 0);
            p[i][k] = i;
        }
    }
    for (unsigned i = 0; i < N; i++)
        cr_assert(p[i][0] == i && p[i][PIECE / sizeof(unsigned) - 1] == i);
    cr_expect_geq(arena_used(a), (size_t)N * PIECE + 2 * (OWN - PIECE));
    free(p);
}

Test(arena, empty_pieces_are_pointers_of_their_own)
{
    AUTO(arena) a = arena_make();
    void *x = arena_alloc(a, 0, 8), *y = arena_alloc(a, 0, 8);
    cr_expect(x != NULL && y != NULL && x != y);
}

Test(arena, texts_are_copied)
{
    AUTO(arena) a = arena_make();
    char text[] = "abc";
    char *copy = arena_strdup(a, text), *part = arena_copy(a, text, 2);
    text[0] = 'x';
    cr_expect_str_eq(copy, "abc");
    cr_expect_str_eq(part, "ab");
    cr_expect_null(arena_strdup(a, NULL));
    cr_expect_str_eq(arena_printf(a, "%d-%s", 7, "q"), "7-q");
    cr_expect_str_eq(arena_printf(a, "%s", ""), "");
}

Test(arena, texts_lie_close_and_what_follows_is_aligned)
{
    AUTO(arena) a = arena_make();
    for (size_t len = 0; len < 40; len++) {
        char *one = arena_copy(a, "0123456789012345678901234567890123456789", len);
        char *two = arena_copy(a, "x", 1);
        cr_expect(two == one + len + 1 && strlen(one) == len);
        cr_expect_eq((uintptr_t)arena_alloc(a, 1, 1) % alignof(max_align_t), 0);
    }
}

Test(arena, used_grows_by_what_was_handed_out)
{
    AUTO(arena) a = arena_make();
    cr_expect_eq(arena_used(a), 0);
    (void)arena_alloc(a, 10, 10);
    cr_expect_geq(arena_used(a), 100);
    cr_expect_lt(arena_used(a), 200);
}

Test(arena, freeing_nothing_is_fine)
{
    arena_free(NULL);
}
