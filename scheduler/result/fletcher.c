/* See fletcher.h. Both sums are taken modulo 65535, where a word with its bytes swapped
 * is the word times 256: so words are summed as this machine has them, and the sums
 * swapped at the end. Invariant: a sum is 0 only if every word is 0 (65535 stands for the
 * other zero of that arithmetic), which is what folding carries gives. */
#include "fletcher.h"
#include <string.h>

typedef uint32_t lanes __attribute__((vector_size(16))); /* of two words each */

enum {
    LANES = 4,
    WORDS = 2 * LANES, /* in a vector */
    ROWS = 256,        /* vectors before a lane could overflow: 65535 * 256 * 257 / 2 */
};

static uint64_t fold(uint64_t sum)
{
    return sum == 0 ? 0 : (sum - 1) % 65535 + 1;
}

struct sums {
    uint64_t one, two;
};

/* n vectors, ROWS at most. */
static void add_rows(struct sums *s, const unsigned char *p, unsigned n)
{
    lanes low = {0}, high = {0}, low2 = {0}, high2 = {0};
    for (unsigned i = 0; i < n; i++, p += sizeof(lanes)) {
        lanes x;
        memcpy(&x, p, sizeof(x));
        low += x & 0xffff;
        high += x >> 16;
        low2 += low;
        high2 += high;
    }
    uint64_t one = 0, two = 0, late = 0; /* late: what a word's place in a row costs */
    for (unsigned i = 0; i < LANES; i++) {
        one += (uint64_t)low[i] + high[i];
        two += (uint64_t)low2[i] + high2[i];
        late += (uint64_t)low[i] * (uint64_t)2 * i +
                (uint64_t)high[i] * ((uint64_t)2 * i + 1);
    }
    s->two = fold(s->two + s->one * n * (uint64_t)WORDS + two * WORDS - late);
    s->one = fold(s->one + one);
}

static void add_word(struct sums *s, uint16_t word)
{
    s->one += word;
    s->two += s->one;
}

uint32_t fletcher32(const void *data, size_t len)
{
    const unsigned char *p = data;
    struct sums s = {0, 0};
    while (len >= sizeof(lanes)) {
        size_t n = len / sizeof(lanes) < ROWS ? len / sizeof(lanes) : ROWS;
        add_rows(&s, p, (unsigned)n);
        p += n * sizeof(lanes);
        len -= n * sizeof(lanes);
    }
    for (; len >= 2; p += 2, len -= 2) {
        uint16_t word;
        memcpy(&word, p, sizeof(word));
        add_word(&s, word);
    }
    if (len > 0) /* the high byte of a last word */
        add_word(&s, *p);
    return (uint32_t)(fold(fold(s.two) * 256) << 16 | fold(fold(s.one) * 256));
}
