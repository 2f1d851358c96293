/* The pattern by hand: what a character begins is told by its class alone, but for an
 * apostrophe, a blank, and the last of several spaces, which belongs to the next word. */
#include "tokenizer_words.h"

#include "unicode.h"
#include <stdbool.h>
#include <string.h>

/* The class of the character at `at` and its width; a byte that is not UTF-8 is one. */
static inline enum unicode_class
class_at(const unsigned char *text, size_t len, size_t at, size_t *ret_width)
{
    uint32_t code;
    *ret_width = 1;
    if (text[at] < 0x80)
        return (enum unicode_class)unicode_ascii[text[at]];
    size_t width = unicode_decode(text + at, len - at, &code);
    if (width == 0)
        return UNICODE_OTHER;
    *ret_width = width;
    return unicode_class(code);
}

/* The end of the characters of this class from `at` on. */
static size_t
run(const unsigned char *text, size_t len, size_t at, enum unicode_class class)
{
    size_t width;
    while (at < len && class_at(text, len, at, &width) == class)
        at += width;
    return at;
}

/* The length of 's 't 'm 'd 're 've 'll at `at`, or 0. */
static size_t contraction(const unsigned char *p, size_t n)
{
    if (n >= 2 && memchr("stmd", p[1], 4) != NULL)
        return 2;
    bool two = n >= 3 && ((p[1] == 'r' && p[2] == 'e') || (p[1] == 'v' && p[2] == 'e') ||
                          (p[1] == 'l' && p[2] == 'l'));
    return two ? 3 : 0;
}

static size_t spaces(const unsigned char *text, size_t len, size_t at)
{
    size_t end = at, last = at, width;
    while (end < len && class_at(text, len, end, &width) == UNICODE_SPACE) {
        last = end;
        end += width;
    }
    return end == len || last == at ? end : last;
}

size_t tokenizer_word(const unsigned char *text, size_t len, size_t at)
{
    size_t width, begin = at;
    if (text[at] == '\'') {
        size_t n = contraction(text + at, len - at);
        if (n > 0)
            return at + n;
    }
    if (text[at] == ' ' && at + 1 < len &&
        class_at(text, len, at + 1, &width) != UNICODE_SPACE)
        begin++;
    enum unicode_class class = class_at(text, len, begin, &width);
    return class == UNICODE_SPACE ? spaces(text, len, at)
                                  : run(text, len, begin + width, class);
}
