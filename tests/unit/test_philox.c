#include "kernels/op/philox.h"
#include <criterion/criterion.h>
#include <math.h>

/* Known answers of the Random123 distribution (kat_vectors, philox4x32 10). */
Test(philox, gives_the_known_answers_of_random123)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } cases[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                 {{~0U, ~0U, ~0U, ~0U},
                  {~0U, ~0U},
                  {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                 {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                  {0xa4093822, 0x299f31d0},
                  {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        uint32_t got[4];
        philox_block(cases[c].counter, cases[c].key, got);
        for (int i = 0; i < 4; i++)
            cr_expect_eq(
                got[i], cases[c].want[i], "case %zu word %d: %08x", c, i, got[i]);
    }
}

Test(philox, next_walks_the_words_of_the_blocks_in_order)
{
    struct philox p = philox_make(0, 0);
    cr_expect_eq(philox_next(&p), 0xe169c58d6627e8d5ULL);
    cr_expect_eq(philox_next(&p), 0x9b00dbd8bc57ac4cULL);
    const uint32_t second[4] = {1, 0, 0, 0}, key[2] = {0, 0};
    uint32_t want[4];
    philox_block(second, key, want);
    cr_expect_eq(philox_next(&p), want[0] | (uint64_t)want[1] << 32);
}

Test(philox, a_uniform_element_does_not_depend_on_how_many_are_drawn)
{
    float few[7], many[65];
    philox_uniform(3, 9, -2, 5, 7, few);
    philox_uniform(3, 9, -2, 5, 65, many);
    for (int i = 0; i < 7; i++)
        cr_expect_eq(few[i], many[i]);
    for (int i = 0; i < 65; i++)
        cr_expect(many[i] >= -2 && many[i] < 5);
}

Test(philox, moments_are_those_of_the_distributions)
{
    enum { N = 200000 };
    static float v[N];
    const struct {
        double mean, variance;
    } want[2] = {{0.5, 1.0 / 12}, {1, 4}};
    for (int normal = 0; normal < 2; normal++) {
        if (normal)
            philox_normal(11, 0, 0, 1, 2, N, v);
        else
            philox_uniform(11, 0, 0, 1, N, v);
        double sum = 0, square = 0;
        for (int i = 0; i < N; i++)
            sum += (double)v[i];
        for (int i = 0; i < N; i++)
            square += ((double)v[i] - sum / N) * ((double)v[i] - sum / N);
        double error = sqrt(want[normal].variance / N); /* of the mean */
        cr_expect_lt(fabs(sum / N - want[normal].mean), 4 * error, "mean %g", sum / N);
        cr_expect_lt(fabs(square / N / want[normal].variance - 1),
                     0.02,
                     "variance %g",
                     square / N);
    }
}

Test(philox, below_reaches_every_value_evenly)
{
    struct philox p = philox_make(5, 5);
    unsigned seen[7] = {0};
    for (int i = 0; i < 70000; i++)
        seen[philox_below(&p, 7)]++;
    double chi = 0;
    for (int i = 0; i < 7; i++)
        chi += (seen[i] - 1e4) * (seen[i] - 1e4) / 1e4;
    cr_expect_lt(chi, 22.5, "chi^2 with 6 degrees of freedom: %g", chi); /* p = 0.001 */
}

Test(philox, a_permutation_has_each_number_once_and_hangs_on_the_seed)
{
    static const size_t sizes[] = {0, 1, 2, 7, 64, 65};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        size_t a[65], seen[65] = {0};
        philox_permutation(1, 2, sizes[s], a);
        for (size_t i = 0; i < sizes[s]; i++)
            seen[a[i]]++;
        for (size_t i = 0; i < sizes[s]; i++)
            cr_expect_eq(seen[i], 1);
    }
    size_t a[65], b[65], c[65];
    philox_permutation(1, 2, 65, a);
    philox_permutation(1, 2, 65, b);
    philox_permutation(2, 2, 65, c);
    cr_expect_arr_eq(a, b, sizeof(a));
    cr_expect_neq(memcmp(a, c, sizeof(a)), 0);
}
