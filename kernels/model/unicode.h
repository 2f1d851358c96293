/* As much of Unicode as a tokenizer's pattern asks for. */
#ifndef MODEL_UNICODE_H
#define MODEL_UNICODE_H

#include <stddef.h>
#include <stdint.h>

enum unicode_class {
    UNICODE_OTHER,
    UNICODE_LETTER, /* general category L */
    UNICODE_NUMBER, /* general category N */
    UNICODE_SPACE   /* White_Space */
};

enum unicode_class unicode_class(uint32_t code);
/* The width of the character at p (n bytes left), 0 when it is not UTF-8. */
size_t unicode_decode(const unsigned char *p, size_t n, uint32_t *ret);
size_t unicode_encode(uint32_t code, unsigned char ret[4]);

/* ASCII's classes, and letters and numbers beyond as ranges, ascending: unicode_table.c,
 * made by scripts/unicode_table.py. */
extern const unsigned char unicode_ascii[128];

struct unicode_range {
    uint32_t first;
    uint16_t n;
    uint16_t class;
};

extern const struct unicode_range unicode_ranges[];
extern const size_t unicode_n_ranges;

#endif
