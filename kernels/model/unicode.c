/* Classes are searched for in the ranges by halves; ASCII needs no search. */
#include "unicode.h"

#include "base/str.h"

static int is_space(uint32_t c)
{
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

enum unicode_class unicode_class(uint32_t code)
{
    size_t low = 0, high = unicode_n_ranges;
    if (code < 0x80)
        return (enum unicode_class)unicode_ascii[code];
    while (low < high) { /* the last range that begins at or before code */
        size_t middle = low + (high - low) / 2;
        if (unicode_ranges[middle].first <= code)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0 && code - unicode_ranges[low - 1].first < unicode_ranges[low - 1].n)
        return (enum unicode_class)unicode_ranges[low - 1].class;
    return is_space(code) ? UNICODE_SPACE : UNICODE_OTHER;
}

size_t unicode_decode(const unsigned char *p, size_t n, uint32_t *ret)
{
    size_t width = str_utf8_length(p, n);
    switch (width) {
    case 1:
        *ret = p[0];
        break;
    case 2:
        *ret = (p[0] & 0x1FU) << 6 | (p[1] & 0x3FU);
        break;
    case 3:
        *ret = (p[0] & 0x0FU) << 12 | (p[1] & 0x3FU) << 6 | (p[2] & 0x3FU);
        break;
    case 4:
        *ret = (p[0] & 0x07U) << 18 | (p[1] & 0x3FU) << 12 | (p[2] & 0x3FU) << 6 |
               (p[3] & 0x3FU);
        break;
    default:
        break;
    }
    return width;
}

size_t unicode_encode(uint32_t code, unsigned char ret[4])
{
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; code >>= 6)
        ret[i] = (unsigned char)(0x80 | (code & 0x3F));
    ret[0] = (unsigned char)(marks[n] | code);
    return n;
}
