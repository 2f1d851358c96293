/* As much JSON reading as a model's files need (the header of safetensors, config.json,
 * vocab.json). Every call returns false at the first thing that does not fit and then
 * stays there, so a sentence can say at which byte. Private to kernels/. */
#ifndef IO_JSON_SCAN_H
#define IO_JSON_SCAN_H

#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_scan {
    const char *text;
    size_t len, at;
};

bool json_scan_take(struct json_scan *s, char c); /* this character, after blanks */
/* A string, unescaped to UTF-8 in `a`; one with a zero character is refused. */
bool json_scan_string(struct json_scan *s, struct arena *a, const char **ret);
bool json_scan_u64(struct json_scan *s, uint64_t *ret);
bool json_scan_double(struct json_scan *s, double *ret); /* any number, finite */
/* true, false or null, whole; when another thing is there, nothing is taken. */
bool json_scan_word(struct json_scan *s, const char *word);
bool json_scan_skip(struct json_scan *s); /* one value, at most 64 deep */
bool json_scan_over(struct json_scan *s); /* only blanks are left */

#endif
