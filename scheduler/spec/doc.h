/* A YAML (or JSON) document as a tree that remembers where everything stood.
 *
 * libyaml cuts the text; types are resolved here by YAML 1.2's core schema (`no` is a
 * string, a quoted scalar is one too). Exactly one document. Aliases are copied into
 * place, at most DOC_MAX_ALIASED nodes of them together, so a small file stays small. */
#ifndef SPEC_DOC_H
#define SPEC_DOC_H

#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

/* doc.c builds the tree, scalar.c knows the types. */
#define DOC_MAX_BYTES   (8u << 20) /* of a jobspec */
#define DOC_MAX_DEPTH   64u
#define DOC_MAX_ALIASED 10000u

struct jobspec_faults;

enum doc_kind {
    DOC_NULL = 1,
    DOC_BOOL,
    DOC_INT,
    DOC_FLOAT,
    DOC_STRING,
    DOC_LIST,
    DOC_MAP
};

struct doc_node {
    const char *key; /* in a map: its key as text; else NULL */
    unsigned key_line, key_col;
    unsigned line, col; /* from 1; line 0: not from the file, col is who made it */
    enum doc_kind kind;
    bool quoted;
    unsigned n; /* items; bytes of a scalar */
    union {
        const char *text; /* a scalar, as written (unquoted, unescaped), terminated */
        struct doc_node *items; /* a list or map, in file order */
    } as;
};

/* Parses one document into `a`. Duplicate and non-scalar keys, unknown tags and the like
 * are added to *faults and parsing goes on; what stops it (not YAML, no document, a
 * second one, too deep, too many aliases) is added as well and -EINVAL returned. Of
 * duplicate keys the first is kept. */
int doc_parse(struct arena *a,
              const char *text,
              size_t len,
              struct jobspec_faults *faults,
              struct doc_node **ret);

/* The value of a key, or NULL (also when `map` is no map). */
struct doc_node *doc_get(const struct doc_node *map, const char *key);
/* Adds an item at the end of a list (key NULL) or map; the new one is null. Pointers to
 * the items that were there are void after it. */
struct doc_node *doc_append(struct arena *a, struct doc_node *to, const char *key);

bool doc_bool(const struct doc_node *n); /* a DOC_BOOL */
/* A DOC_INT; -ERANGE: beyond 64 bits. */
int doc_int(const struct doc_node *n, int64_t *ret);
int doc_uint(const struct doc_node *n, uint64_t *ret);
double doc_float(const struct doc_node *n);    /* a DOC_INT or DOC_FLOAT */
const char *doc_kind_name(enum doc_kind kind); /* "an integer" */

/* Types of plain scalars: DOC_NULL .. DOC_STRING. */
enum doc_kind doc_resolve(const char *text, size_t len);

#endif
