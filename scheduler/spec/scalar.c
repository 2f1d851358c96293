/* See doc.h: the types of plain scalars by YAML 1.2's core schema, and reading nodes. */
#include "base/memory.h"
#include "doc.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

/* The run of decimal digits at p. */
static size_t digits(const char *p)
{
    return strspn(p, "0123456789");
}

static bool is_int(const char *p)
{
    if (strncmp(p, "0x", 2) == 0)
        return p[2] != '\0' && p[2 + strspn(p + 2, "0123456789abcdefABCDEF")] == '\0';
    if (strncmp(p, "0o", 2) == 0)
        return p[2] != '\0' && p[2 + strspn(p + 2, "01234567")] == '\0';
    p += *p == '-' || *p == '+';
    return *p != '\0' && p[digits(p)] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *p)
{
    p += *p == '-' || *p == '+';
    size_t whole = digits(p), part = 0;
    p += whole;
    if (*p == '.') {
        p++;
        part = digits(p);
        p += part;
    }
    if (whole + part == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        size_t n = digits(p);
        if (n == 0)
            return false;
        p += n;
    }
    return *p == '\0';
}

static const char *const infinities[] = {
    ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", NULL};
static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};

enum doc_kind doc_resolve(const char *text, size_t len)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {
        "true", "True", "TRUE", "false", "False", "FALSE", NULL};
    if (strchr("~nNtTfF.+-0123456789", text[0]) == NULL || strlen(text) != len)
        return DOC_STRING;
    switch (text[0]) { /* most texts are told by their first character */
    case '\0':
    case '~':
    case 'n':
    case 'N':
        return one_of(text, nulls) ? DOC_NULL : DOC_STRING;
    case 't':
    case 'T':
    case 'f':
    case 'F':
        return one_of(text, bools) ? DOC_BOOL : DOC_STRING;
    default:
        break;
    }
    if (is_int(text))
        return DOC_INT;
    return is_float(text) || one_of(text, infinities) || one_of(text, nans) ? DOC_FLOAT
                                                                            : DOC_STRING;
}

bool doc_bool(const struct doc_node *n)
{
    assert(n->kind == DOC_BOOL);
    return n->as.text[0] == 't' || n->as.text[0] == 'T';
}

static int base_of(const char **text)
{
    if (strncmp(*text, "0x", 2) != 0 && strncmp(*text, "0o", 2) != 0)
        return 10;
    int base = (*text)[1] == 'x' ? 16 : 8;
    *text += 2;
    return base;
}

int doc_int(const struct doc_node *n, int64_t *ret)
{
    assert(n->kind == DOC_INT);
    const char *text = n->as.text;
    int base = base_of(&text);
    errno = 0;
    long long v = strtoll(text, NULL, base);
    if (errno == ERANGE)
        return -ERANGE;
    *ret = v;
    return 0;
}

int doc_uint(const struct doc_node *n, uint64_t *ret)
{
    assert(n->kind == DOC_INT);
    const char *text = n->as.text;
    int base = base_of(&text);
    errno = 0;
    unsigned long long v = strtoull(text, NULL, base);
    if (errno == ERANGE || text[0] == '-')
        return -ERANGE;
    *ret = v;
    return 0;
}

double doc_float(const struct doc_node *n)
{
    assert(n->kind == DOC_INT || n->kind == DOC_FLOAT);
    const char *text = n->as.text;
    if (one_of(text, nans))
        return strtod("nan", NULL);
    if (one_of(text, infinities))
        return strtod(text[0] == '-' ? "-inf" : "inf", NULL);
    int base = base_of(&text);
    if (base != 10)
        return (double)strtoull(text, NULL, base);
    return strtod(text, NULL);
}

const char *doc_kind_name(enum doc_kind kind)
{
    static const char *const names[] = {[DOC_NULL] = "null",
                                        [DOC_BOOL] = "a boolean",
                                        [DOC_INT] = "an integer",
                                        [DOC_FLOAT] = "a float",
                                        [DOC_STRING] = "a string",
                                        [DOC_LIST] = "a list",
                                        [DOC_MAP] = "a mapping"};
    return names[kind];
}

struct doc_node *doc_get(const struct doc_node *map, const char *key)
{
    for (unsigned i = 0; map->kind == DOC_MAP && i < map->n; i++) {
        if (strcmp(map->as.items[i].key, key) == 0)
            return &map->as.items[i];
    }
    return NULL;
}

struct doc_node *doc_append(struct arena *a, struct doc_node *to, const char *key)
{
    assert((to->kind == DOC_MAP) == (key != NULL) && to->kind >= DOC_LIST);
    struct doc_node *items = arena_alloc(a, xadd(to->n, 1), sizeof(*items));
    if (to->n > 0)
        memcpy(items, to->as.items, to->n * sizeof(*items));
    to->as.items = items;
    struct doc_node *added = &items[to->n++];
    *added = (struct doc_node){.kind = DOC_NULL, .key = arena_strdup(a, key)};
    added->as.text = "";
    return added;
}
