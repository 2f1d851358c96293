/* A growing string, and the few string questions that are asked all over. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    char *text; /* NULL while empty; else terminated */
    size_t len, room;
};

void str_add(struct str *s, const char *text);
void str_add_n(struct str *s, const char *text, size_t len);
GM_PRINTF(2, 3) void str_printf(struct str *s, const char *fmt, ...);
const char *str_text(const struct str *s); /* "" while empty */
/* Columns of a terminal: of UTF-8 text, colours left out, wide characters as one. */
int str_columns(const char *text);
char *str_steal(struct str *s); /* yours to free; s is empty after */
/* A word as a shell takes it for itself: plain, in single quotes, or, with control
 * characters in it, as $'a\nb'. */
void str_add_shell(struct str *s, const char *word);
void str_clear(struct str *s); /* keeps the memory */
void str_free(struct str *s);

/* The candidate nearest to `word` by edit distance, or NULL when none is near (more than
 * a third of the word, and more than 2). */
const char *str_nearest(const char *word, const char *const *candidates, size_t n);

/* Shortest decimal text that reads back as the same double; "nan", "inf", "-inf". An
 * integral value keeps ".0", so that it stays a float. buf holds 32 bytes. */
const char *str_double(double v, char buf[32]);

/* "1.5 s", "12 ms", "3 h 20 min" for people; buf holds 32 bytes. */
const char *str_duration(double seconds, char buf[32]);
/* "1.2 GiB"; buf holds 32 bytes. */
const char *str_bytes(uint64_t n, char buf[32]);

#define AUTO_STR __attribute__((cleanup(str_free))) struct str

/* Length of the valid UTF-8 sequence at p (n bytes left), 0 when there is none. */
size_t str_utf8_length(const unsigned char *p, size_t n);

#endif
