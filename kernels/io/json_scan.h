/* As much JSON reading as a safetensors header needs: punctuation, strings, whole
 * numbers. Every call returns false at the first thing that does not fit and then stays
 * there, so a sentence can say at which byte. Private to io/. */
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
bool json_scan_over(struct json_scan *s); /* only blanks are left */

#endif
