/* See constraint.h. Invariant: the values of a constraint that was read without a fault
 * are well-formed hostlists and idsets. */
#include "constraint.h"
#include "base/hostlist.h"
#include "base/idset.h"
#include "doc.h"
#include "faults.h"
#include "load.h"

/* Written again, a level is two of JSON's: this many of them fit into a document. */
enum { MOST_LEVELS = 24 };

static const char *const operators[] = {[CONSTRAINT_AND] = "and",
                                        [CONSTRAINT_OR] = "or",
                                        [CONSTRAINT_NOT] = "not",
                                        [CONSTRAINT_PROPERTIES] = "properties",
                                        [CONSTRAINT_HOSTLIST] = "hostlist",
                                        [CONSTRAINT_RANKS] = "ranks"};

struct reader {
    struct arena *arena;
    enum dialect dialect;
    struct jobspec_faults *faults;
};

GM_PRINTF(4, 5)
static void tell(const struct reader *r,
                 const struct fault_path *at,
                 const struct doc_node *node,
                 const char *fmt,
                 ...)
{
    va_list args;
    va_start(args, fmt);
    faults_vadd(
        r->faults, false, at, node->line, node->line > 0 ? node->col : 0, fmt, args);
    va_end(args);
}

/* A property's name. Flux's own validator lets ! and ^ through. */
static void check_property(const struct reader *r,
                           const struct fault_path *at,
                           const struct doc_node *node)
{
    const char *forbidden = r->dialect == DIALECT_FLUX_CORE ? "&'\"`|()" : "!&'\"^`|()";
    const char *name = node->as.text + (node->as.text[0] == '^');
    size_t good = strcspn(name, forbidden);
    if (*name == '\0')
        tell(r, at, node, "a property's name must not be empty");
    else if (name[good] != '\0')
        tell(r,
             at,
             node,
             "'%.80s': the character %c is not for names of properties",
             node->as.text,
             name[good]);
}

static void check_value(const struct reader *r,
                        const struct fault_path *at,
                        enum constraint_op op,
                        const struct doc_node *node)
{
    struct gm_error err = {0};
    AUTO(hostlist) hosts = NULL;
    AUTO(idset) ranks = NULL;
    bool number = node->kind == DOC_INT;
    bool fine = node->kind == DOC_STRING ||
                (number && r->dialect == DIALECT_FLUXION && op != CONSTRAINT_PROPERTIES);
    int rc = 0;
    if (!fine) {
        tell(r,
             at,
             node,
             "must be a string, not %s%s",
             doc_kind_name(node->kind),
             number ? "; in quotes it is one" : "");
        return;
    }
    if (op == CONSTRAINT_PROPERTIES)
        check_property(r, at, node);
    else if (op == CONSTRAINT_HOSTLIST)
        rc = hostlist_parse(node->as.text, &hosts, &err);
    else
        rc = idset_parse(node->as.text, &ranks, &err);
    if (rc != 0)
        tell(r, at, node, "%s", err.text);
}

static void read_map(const struct reader *r,
                     const struct fault_path *at,
                     const struct doc_node *node,
                     struct constraint *ret);

static void read_args(const struct reader *r,
                      const struct fault_path *at,
                      const struct doc_node *list,
                      struct constraint *ret)
{
    struct constraint *args = arena_alloc(r->arena, list->n, sizeof(*args));
    for (unsigned i = 0; i < list->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        read_map(r, &here, &list->as.items[i], &args[i]);
    }
    ret->args = args;
}

static void read_values(const struct reader *r,
                        const struct fault_path *at,
                        const struct doc_node *list,
                        struct constraint *ret)
{
    const char **values = arena_alloc(r->arena, list->n, sizeof(*values));
    for (unsigned i = 0; i < list->n; i++) {
        struct fault_path here = {.up = at, .index = i};
        check_value(r, &here, ret->op, &list->as.items[i]);
        values[i] = list->as.items[i].kind < DOC_LIST ? list->as.items[i].as.text : "";
    }
    ret->values = values;
}

static void read_operator(const struct reader *r,
                          const struct fault_path *at,
                          const struct doc_node *item,
                          struct constraint *ret)
{
    struct fault_path here = {.up = at, .key = item->key};
    unsigned op = CONSTRAINT_AND;
    char hint[128];
    while (op <= CONSTRAINT_RANKS && strcmp(operators[op], item->key) != 0)
        op++;
    if (op > CONSTRAINT_RANKS) {
        faults_add(r->faults,
                   at,
                   item->key_line,
                   item->key_col,
                   "unknown operator '%.80s'%s; there are and, or, not, properties, "
                   "hostlist and ranks",
                   item->key,
                   load_hint(item->key, operators + 1, CONSTRAINT_RANKS, hint));
        return;
    }
    if (item->kind != DOC_LIST) {
        tell(r,
             &here,
             item,
             "must be a list of %s, not %s",
             op <= CONSTRAINT_NOT ? "constraints" : "strings",
             doc_kind_name(item->kind));
        return;
    }
    *ret = (struct constraint){.op = op, .n = item->n};
    if (op <= CONSTRAINT_NOT)
        read_args(r, &here, item, ret);
    else
        read_values(r, &here, item, ret);
}

static void read_map(const struct reader *r,
                     const struct fault_path *at,
                     const struct doc_node *node,
                     struct constraint *ret)
{
    *ret = (struct constraint){.op = CONSTRAINT_AND}; /* {}: matches all */
    if (node->kind != DOC_MAP) {
        tell(r,
             at,
             node,
             "must be a mapping such as {properties: [fast]}, not %s",
             doc_kind_name(node->kind));
        return;
    }
    if (node->n > 1 && r->dialect == DIALECT_FLUXION) {
        tell(r,
             at,
             node,
             "Fluxion takes one operator, not %u; put them in a list under 'and'",
             node->n);
        return;
    }
    struct constraint *all = arena_alloc(r->arena, node->n, sizeof(*all));
    for (unsigned i = 0; i < node->n; i++) {
        all[i].op = CONSTRAINT_AND;
        read_operator(r, at, &node->as.items[i], &all[i]);
    }
    if (node->n == 1)
        *ret = all[0];
    else
        *ret = (struct constraint){.op = CONSTRAINT_AND, .args = all, .n = node->n};
}

static unsigned levels(const struct constraint *c)
{
    unsigned most = 0;
    for (unsigned i = 0; c->op <= CONSTRAINT_NOT && i < c->n; i++) {
        unsigned n = levels(&c->args[i]);
        most = n > most ? n : most;
    }
    return most + 1;
}

const struct constraint *constraint_read(struct arena *a,
                                         const struct doc_node *node,
                                         const struct fault_path *at,
                                         enum dialect dialect,
                                         struct jobspec_faults *faults)
{
    struct reader r = {.arena = a, .dialect = dialect, .faults = faults};
    size_t before = faults->n_errors;
    struct constraint *ret = arena_alloc(a, 1, sizeof(*ret));
    read_map(&r, at, node, ret);
    if (faults->n_errors == before && levels(ret) > MOST_LEVELS)
        tell(&r, at, node, "nested deeper than %d levels", MOST_LEVELS);
    return faults->n_errors != before || node->n == 0 ? NULL : ret;
}

void constraint_json(struct json *j, const struct constraint *c)
{
    json_begin(j, '{');
    if (c != NULL) {
        json_key(j, operators[c->op]);
        json_begin(j, '[');
        for (unsigned i = 0; i < c->n; i++) {
            if (c->op <= CONSTRAINT_NOT)
                constraint_json(j, &c->args[i]);
            else
                json_string(j, c->values[i]);
        }
        json_end(j, ']');
    }
    json_end(j, '}');
}

static bool has_property(const struct constraint_host *host, const char *name)
{
    for (unsigned i = 0; i < host->n_properties; i++) {
        if (strcmp(host->properties[i], name) == 0)
            return true;
    }
    return false;
}

static bool value_holds(const struct constraint *c,
                        const char *value,
                        const struct constraint_host *host)
{
    AUTO(hostlist) hosts = NULL;
    AUTO(idset) ranks = NULL;
    if (c->op == CONSTRAINT_PROPERTIES)
        return has_property(host, value + (value[0] == '^')) == (value[0] != '^');
    if (c->op == CONSTRAINT_HOSTLIST)
        return hostlist_parse(value, &hosts, NULL) == 0 &&
               hostlist_has(hosts, host->name);
    return idset_parse(value, &ranks, NULL) == 0 && host->rank < IDSET_MAX &&
           idset_has(ranks, host->rank);
}

bool constraint_allows(const struct constraint *c, const struct constraint_host *host)
{
    if (c == NULL)
        return true;
    /* one that says no decides `all`; one that says yes decides `any` */
    bool any = c->op == CONSTRAINT_OR || c->op == CONSTRAINT_HOSTLIST ||
               c->op == CONSTRAINT_RANKS;
    bool holds = c->n == 0 || !any;
    for (unsigned i = 0; i < c->n && holds == !any; i++)
        holds = c->op <= CONSTRAINT_NOT ? constraint_allows(&c->args[i], host)
                                        : value_holds(c, c->values[i], host);
    return c->op == CONSTRAINT_NOT ? !holds : holds;
}
