#include "kernels/model/unicode.h"
#include <criterion/criterion.h>
#include <string.h>

Test(unicode, classes_of_characters_that_texts_have)
{
    static const struct {
        uint32_t code;
        enum unicode_class class;
    } cases[] = {
        {'a', UNICODE_LETTER},    {'Z', UNICODE_LETTER},     {'[', UNICODE_OTHER},
        {'0', UNICODE_NUMBER},    {'9', UNICODE_NUMBER},     {':', UNICODE_OTHER},
        {' ', UNICODE_SPACE},     {'\t', UNICODE_SPACE},     {'\v', UNICODE_SPACE},
        {0x1C, UNICODE_OTHER},    {0x85, UNICODE_SPACE},     {0xA0, UNICODE_SPACE},
        {0xAA, UNICODE_LETTER},   {0xB2, UNICODE_NUMBER},    {0xD7, UNICODE_OTHER},
        {0xE9, UNICODE_LETTER},   {0x300, UNICODE_OTHER},    {0x3A9, UNICODE_LETTER},
        {0x430, UNICODE_LETTER},  {0x661, UNICODE_NUMBER},   {0x1680, UNICODE_SPACE},
        {0x180E, UNICODE_OTHER},  {0x200B, UNICODE_OTHER},   {0x2028, UNICODE_SPACE},
        {0x2167, UNICODE_NUMBER}, {0x3000, UNICODE_SPACE},   {0x3042, UNICODE_LETTER},
        {0x4E2D, UNICODE_LETTER}, {0x9FFF, UNICODE_LETTER},  {0xAC00, UNICODE_LETTER},
        {0xFEFF, UNICODE_OTHER},  {0x10400, UNICODE_LETTER}, {0x1D7D8, UNICODE_NUMBER},
        {0x1F600, UNICODE_OTHER}, {0x2A6DF, UNICODE_LETTER}, {0x2A6E0, UNICODE_OTHER},
        {0x10FFFF, UNICODE_OTHER}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(
            unicode_class(cases[i].code), cases[i].class, "U+%04X", cases[i].code);
}

Test(unicode, the_table_is_in_order_and_no_range_meets_another)
{
    for (size_t i = 1; i < unicode_n_ranges; i++) {
        const struct unicode_range *a = &unicode_ranges[i - 1], *b = a + 1;
        cr_assert_leq(a->first + a->n, b->first, "U+%04X", b->first);
    }
}

Test(unicode, every_character_is_written_and_read)
{
    for (uint32_t code = 0; code < 0x110000; code++) {
        unsigned char text[4];
        uint32_t back = 0;
        size_t n = unicode_encode(code, text);
        bool surrogate = code >= 0xD800 && code < 0xE000;
        cr_assert_eq(unicode_decode(text, n, &back), surrogate ? 0 : n, "U+%04X", code);
        cr_assert(surrogate || back == code);
    }
}
