/* See request.h. Invariant: the document has no fault in any dialect that the shape
 * itself does not have. */
#include "spec/request.h"
#include "doc.h"
#include "faults.h"
#include "load.h"
#include "spec/flux.h"
#include "spec/shape.h"
#include "written.h"

const char *request_program(const char *command)
{
    const char *slash = strrchr(command, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : command;
}

const char *request_name(struct arena *a, const char *command)
{
    const char *name = load_make_name(a, request_program(command), 100, true);
    return name[0] != '\0' ? name : "job";
}

static void put_task(struct json *j, const struct request *r, const char *slot)
{
    json_key(j, "tasks");
    json_begin(j, '[');
    json_begin(j, '{');
    json_key(j, "command");
    json_begin(j, '[');
    for (const char *const *word = r->command; *word != NULL; word++)
        json_string(j, *word);
    json_end(j, ']');
    json_put_string(j, "slot", slot);
    json_key(j, "count");
    json_begin(j, '{');
    json_put_int(j, "per_slot", 1);
    json_end(j, '}');
    json_end(j, '}');
    json_end(j, ']');
}

static void put_system(struct json *j, const struct request *r)
{
    json_key(j, "attributes");
    json_begin(j, '{');
    json_key(j, "system");
    json_begin(j, '{');
    written_seconds(j, "duration", r->time);
    json_put_string(j, "cwd", r->cwd);
    if (r->name != NULL) {
        json_key(j, "job");
        json_begin(j, '{');
        json_put_string(j, "name", r->name);
        json_end(j, '}');
    }
    json_end(j, '}');
    json_end(j, '}');
}

static const char *format(const struct request *r,
                          struct arena *a,
                          const struct resource *list,
                          unsigned n,
                          int version)
{
    AUTO_JSON j = {.pretty = false};
    json_begin(&j, '{');
    json_put_int(&j, "version", version);
    json_key(&j, "resources");
    resource_json(&j, list, n);
    put_task(&j, r, resource_slot(list, n, NULL)->label);
    put_system(&j, r);
    json_end(&j, '}');
    return arena_strdup(a, str_text(&j.out));
}

/* What RFC 25 lets stand as version 1. */
static bool is_v1(const char *text)
{
    AUTO(arena) a = arena_make();
    struct jobspec_faults faults;
    struct doc_node *root = NULL;
    struct flux_job job = {0};
    static const struct flux_rules rules = {.dialect = DIALECT_RFC, .only_v1 = true};
    faults_init(&faults, "");
    bool is = doc_parse(a, text, strlen(text), &faults, &root) == 0 &&
              flux_read(a, root, &rules, &faults, &job);
    jobspec_faults_free(&faults);
    return is;
}

int request_format(const struct request *r,
                   struct arena *a,
                   const char **ret,
                   struct gm_error *err)
{
    const struct resource *list = NULL;
    unsigned n = 0;
    int rc = shape_parse(a, r->shape, &list, &n, err);
    if (rc != 0)
        return rc;
    if (resource_slot(list, n, NULL) == NULL)
        return gm_fail(err,
                       -EINVAL,
                       "no slot: say what one copy of the command gets, as in "
                       "slot=4/core=2");
    const char *text = format(r, a, list, n, 1);
    *ret = is_v1(text) ? text : format(r, a, list, n, 999);
    return 0;
}
