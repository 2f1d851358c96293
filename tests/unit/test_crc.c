/* See scheduler/result/crc.h. The numbers are those of RFC 3720, B.4. */
#include "result/crc.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(crc, gives_the_published_numbers)
{
    unsigned char zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xff, sizeof(ones));
    for (unsigned i = 0; i < 32; i++)
        up[i] = (unsigned char)i;
    const struct {
        const void *data;
        size_t len;
        uint32_t crc;
    } cases[] = {
        {"123456789", 9, 0xe3069283},
        {zeros, 32, 0x8a9136aa},
        {ones, 32, 0x62a8ab43},
        {up, 32, 0x46dd794e},
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(crc_extend(0, cases[i].data, cases[i].len), cases[i].crc);
        cr_expect_eq(crc_extend_table(0, cases[i].data, cases[i].len), cases[i].crc);
    }
}

Test(crc, the_instruction_and_the_table_agree_at_every_length_and_cut)
{
    unsigned char data[67];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof(data); n++) {
        uint32_t whole = crc_extend_table(0, data, n);
        cr_assert_eq(crc_extend(0, data, n), whole);
        for (size_t cut = 0; cut <= n; cut++)
            cr_assert_eq(crc_extend(crc_extend(0, data, cut), data + cut, n - cut),
                         whole);
    }
}

Test(crc, long_data_in_lanes_gives_the_same)
{
    enum { MOST = 100003 };
    unsigned char *data = malloc(MOST);
    unsigned state = 7;
    for (unsigned i = 0; i < MOST; i++)
        data[i] = (unsigned char)rand_r(&state);
    static const unsigned lengths[] = {
        24575, 24576, 24577, 24584, 49151, 49152, 73728, 98304, MOST};
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint32_t first = (uint32_t)rand_r(&state);
        cr_expect_eq(crc_extend(first, data, lengths[i]),
                     crc_extend_table(first, data, lengths[i]),
                     "%u",
                     lengths[i]);
    }
    free(data);
}
