/* The types of plain scalars by YAML 1.1 as PyYAML's safe loader has them (it departs
 * from the specification: a float's exponent needs its sign, `y` is a string). */
#ifndef SPEC_SCALAR11_H
#define SPEC_SCALAR11_H

#include "base/arena.h"
#include "doc.h"

/* What the loader makes of a scalar that is no value of JSON: a date; nothing (`=`, `<<`,
 * 0x_). */
enum scalar11_refusal { SCALAR11_FINE = 0, SCALAR11_DATE, SCALAR11_UNREADABLE };

/* DOC_NULL .. DOC_STRING. What is refused has a type too: a date is DOC_STRING. */
enum doc_kind
scalar11_resolve(const char *text, size_t len, enum scalar11_refusal *refusal);

/* The text by which doc_bool, doc_int and doc_float give the value of YAML 1.1 for a
 * scalar of that kind; NULL: an integer beyond 64 bits. */
const char *
scalar11_text(struct arena *a, enum doc_kind kind, const char *text, size_t len);

/* A text of a kind, written so that YAML 1.1 and 1.2 read the same. */
const char *scalar11_both(struct arena *a, enum doc_kind kind, const char *text);

bool scalar11_is_octal(const char *text); /* to YAML 1.1: 010 */
bool scalar11_is_json_number(const char *text);

#endif
