/* A JSON writer: commas, quoting and indentation by itself. Nesting is checked by
 * asserts. Text that is not UTF-8 is written with U+FFFD for the bad bytes; NaN and
 * infinities, which JSON lacks, become null. Reading JSON is spec/doc's work (JSON is
 * YAML). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "str.h"
#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH 64

struct json {
    struct str out;
    bool pretty; /* two blanks a level and a newline an item; else one line */
    unsigned depth;
    char open[JSON_DEPTH];
    bool filled[JSON_DEPTH], keyed;
};

void json_free(struct json *j);

void json_begin(struct json *j, char bracket); /* '{' or '[' */
void json_end(struct json *j, char bracket);   /* '}' or ']' */
void json_key(struct json *j, const char *key);
void json_string(struct json *j, const char *text); /* NULL: null */
void json_string_n(struct json *j, const char *text, size_t len);
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_double(struct json *j, double v); /* shortest round trip */
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
void json_raw(struct json *j, const char *text); /* one whole JSON value, as it is */

/* key and value in one */
void json_put_string(struct json *j, const char *key, const char *text);
void json_put_int(struct json *j, const char *key, int64_t v);
void json_put_double(struct json *j, const char *key, double v);
void json_put_bool(struct json *j, const char *key, bool v);

#define AUTO_JSON __attribute__((cleanup(json_free))) struct json

#endif
