/* See wire.h. Invariant: whatever a rank prints, at worst it is taken for a line of text:
 * an event is believed only when it opens as ours do and parses as a whole. */
#include "wire.h"
#include "spec/doc.h"
#include "spec/faults.h"

static const char opening[] = "{\"gridmill\":";

static uint64_t number(const struct doc_node *map, const char *key)
{
    const struct doc_node *n = doc_get(map, key);
    uint64_t v = 0;
    if (n != NULL && n->kind == DOC_INT)
        (void)doc_uint(n, &v);
    return v;
}

static double real(const struct doc_node *map, const char *key, double missing)
{
    const struct doc_node *n = doc_get(map, key);
    return n != NULL && (n->kind == DOC_INT || n->kind == DOC_FLOAT) ? doc_float(n)
                                                                     : missing;
}

static bool truth(const struct doc_node *map, const char *key)
{
    const struct doc_node *n = doc_get(map, key);
    return n != NULL && n->kind == DOC_BOOL && doc_bool(n);
}

static void text(const struct doc_node *map, const char *key, char *ret, size_t room)
{
    const struct doc_node *n = doc_get(map, key);
    if (n != NULL && n->kind == DOC_STRING)
        (void)snprintf(ret, room, "%s", n->as.text);
}

static enum wire_kind kind_of(const struct doc_node *map)
{
    static const char *const names[] = {[WIRE_STARTED] = "started",
                                        [WIRE_PROGRESS] = "progress",
                                        [WIRE_STAGE] = "stage",
                                        [WIRE_PACKING] = "packing",
                                        [WIRE_ENDED] = "ended"};
    char word[16] = "";
    text(map, "gridmill", word, sizeof(word));
    for (int k = WIRE_STARTED; k <= WIRE_ENDED; k++) {
        if (strcmp(word, names[k]) == 0)
            return (enum wire_kind)k;
    }
    return WIRE_NONE;
}

static void read_phases(const struct doc_node *map, struct wire *w)
{
    const struct doc_node *phases = doc_get(map, "phases");
    if (phases == NULL || phases->kind != DOC_MAP)
        return;
    for (unsigned i = 0; i < phases->n && w->n_phases < WIRE_PHASES; i++) {
        const struct doc_node *p = &phases->as.items[i];
        if (p->kind != DOC_INT && p->kind != DOC_FLOAT)
            continue;
        struct wire_phase *to = &w->phases[w->n_phases++];
        (void)snprintf(to->name, sizeof(to->name), "%s", p->key);
        to->s = doc_float(p);
    }
}

static void read_event(const struct doc_node *map, struct wire *w)
{
    *w = (struct wire){.kind = kind_of(map),
                       .done = number(map, "done"),
                       .failed = number(map, "failed"),
                       .skipped = number(map, "skipped"),
                       .running = number(map, "running"),
                       .total = number(map, "total"),
                       .before = number(map, "before"),
                       .lost = number(map, "lost"),
                       .elapsed = real(map, "elapsed", 0),
                       .left = real(map, "left", -1),
                       .at_least = truth(map, "at_least"),
                       .code = (int)number(map, "code")};
    text(map, "stage", w->stage, sizeof(w->stage));
    text(map, "ranks", w->ranks, sizeof(w->ranks));
    text(map, "outcome", w->outcome, sizeof(w->outcome));
    text(map, "text", w->text, sizeof(w->text));
    read_phases(map, w);
}

void wire_parse(const char *line, size_t len, struct wire *ret)
{
    *ret = (struct wire){.left = -1};
    if (len < sizeof(opening) - 1 || memcmp(line, opening, sizeof(opening) - 1) != 0)
        return;
    AUTO(arena) a = arena_make();
    struct jobspec_faults faults = {0};
    struct doc_node *doc = NULL;
    faults_init(&faults, "event");
    if (doc_parse(a, line, len, &faults, &doc) == 0 && faults.n == 0 &&
        doc->kind == DOC_MAP)
        read_event(doc, ret);
    jobspec_faults_free(&faults);
}
