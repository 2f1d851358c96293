/* See scheduler/result/fletcher.h. The reference is the definition, a word at a time;
 * that HDF5 takes the sums is proved by every packed file that it reads. */
#include "result/fletcher.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static uint32_t reference(const unsigned char *p, size_t len)
{
    uint32_t one = 0, two = 0;
    for (size_t i = 0; i < len; i += 2) {
        one += (uint32_t)p[i] << 8 | (i + 1 < len ? p[i + 1] : 0u);
        one = (one & 0xffff) + (one >> 16);
        two += one;
        two = (two & 0xffff) + (two >> 16);
    }
    return two << 16 | one;
}

Test(fletcher, any_bytes_of_any_length_sum_as_by_the_definition)
{
    enum { MOST = 40000 };
    unsigned char *p = malloc(MOST);
    unsigned state = 1;
    for (unsigned round = 0; round < 1500; round++) {
        size_t n = round < 300 ? round : (size_t)rand_r(&state) % MOST;
        unsigned shift = (unsigned)rand_r(&state) % 16;
        if (n > MOST - shift)
            n = MOST - shift;
        for (size_t i = 0; i < n; i++) /* zeros, words of 65535, and anything */
            p[shift + i] = (unsigned char)(round % 4 == 0   ? 0
                                           : round % 4 == 1 ? 255
                                                            : rand_r(&state));
        cr_assert_eq(fletcher32(p + shift, n), reference(p + shift, n), "%zu", n);
    }
    free(p);
}
