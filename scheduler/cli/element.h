/* One number of a value, as text. */
#ifndef CLI_ELEMENT_H
#define CLI_ELEMENT_H

#include "base/json.h"
#include "result/reader.h"

/* The i-th: the fewest digits that read back as the same number of its type; "nan",
 * "inf". buf holds 32 bytes. */
const char *element_text(const struct reader_value *v, uint64_t i, char buf[32]);
/* The same as JSON; NaN and infinities, which JSON lacks, become null. */
void element_json(const struct reader_value *v, uint64_t i, struct json *j);
/* All of it, as lists in lists. */
void element_all_json(const struct reader_value *v, struct json *j);
double element_double(const struct reader_value *v, uint64_t i);
uint64_t element_count(const struct reader_value *v);

#endif
