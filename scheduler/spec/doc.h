/* YAML (or JSON) documents as trees that remember where everything stood.
 *
 * libyaml cuts the text; types are resolved here by YAML 1.2's core schema (`no` is a
 * string, a quoted scalar is one too), and by what PyYAML makes of YAML 1.1 where a
 * document asks for it (doc_retype_11). Aliases are copied into place, at most
 * DOC_MAX_ALIASED nodes of them together in a stream, so a small file stays small.
 *
 *   events.c  libyaml                  doc.c       events -> trees
 *   scalar.c  types, reading nodes     scalar11.c  the types of YAML 1.1
 *   yaml11.c  a tree by YAML 1.1 */
#ifndef SPEC_DOC_H
#define SPEC_DOC_H

#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

/* doc.c builds the tree, scalar.c knows the types. */
#define DOC_MAX_BYTES   (8u << 20) /* of a jobspec */
#define DOC_MAX_DEPTH   64u
#define DOC_MAX_ALIASED 10000u
#define DOC_MAX_KEY     1000u /* characters */

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
    bool quoted;    /* not plain: a string whatever it says */
    bool tagged;    /* typed by its tag */
    bool flow;      /* a list or map in [] or {} */
    bool key_plain; /* the key stands without quotes or tag */
    unsigned n;     /* items; bytes of a scalar */
    union {
        const char *text; /* a scalar, as written (unquoted, unescaped), terminated */
        struct doc_node *items; /* a list or map, in file order */
    } as;
};

/* A stream of documents, read one after another; its text is borrowed. */
struct doc_stream;
struct doc_stream *
doc_open(const char *text, size_t len, struct jobspec_faults *faults); /* never NULL */
void doc_close(struct doc_stream *s);                                  /* takes NULL */
/* The next document, into `a`. 1: there it is; 0: the stream is over. Duplicate and
 * non-scalar keys, unknown tags and the like are added to *faults and reading goes on;
 * what stops it (not YAML, too deep, too many aliases) is added as well and -EINVAL
 * returned, then and ever after. Of duplicate keys the first is kept. */
int doc_next(struct doc_stream *s, struct arena *a, struct doc_node **ret);
/* The next document is passed over: 1, 0, -EINVAL as above, but nothing is looked for in
 * it except that it is YAML. */
int doc_skip(struct doc_stream *s);

/* One document, and no second; none is a fault too. */
int doc_parse(struct arena *a,
              const char *text,
              size_t len,
              struct jobspec_faults *faults,
              struct doc_node **ret);

/* libyaml's verdict over the whole stream, in any encoding that it reads: 0, or -EINVAL
 * and its complaint in *faults. What it takes and doc_next does not is a warning. */
int doc_check_yaml(const char *text, size_t len, struct jobspec_faults *faults);

/* Types the plain scalars of a tree again as Flux's loader (PyYAML, YAML 1.1) does, and
 * merges its `<<` keys. Each scalar whose type differs in YAML 1.2 is a warning. A
 * document in JSON (doc_is_json) is left as it is. */
void doc_retype_11(struct arena *a, struct doc_node *root, struct jobspec_faults *faults);
bool doc_is_json(const struct doc_node *root);

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
