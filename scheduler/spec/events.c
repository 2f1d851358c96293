/* See events.h, and doc_check_yaml of doc.h. libyaml reads most texts in linear time;
 * what makes it slower is refused here: directives (each is compared with all before it)
 * and, in doc_check_yaml, which has no DOC_MAX_DEPTH, nesting (each token looks at all
 * levels). Invariant: rc is not 0 from the first fault on. */
#include "events.h"
#include "base/auto.h"
#include "doc.h"
#include "faults.h"

enum { MOST_DIRECTIVES = 64 };

/* Levels that all tokens together may look at: a second's worth. */
#define MOST_LEVELS 300000000u

static bool is_utf16(const char *text, size_t len)
{
    return len >= 2 &&
           (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
}

/* p stands at '%': does a TAG directive begin there? NULs are of UTF-16. */
static bool is_directive(const char *begin, const char *p, const char *end)
{
    const char *before = p, *rest = "TAG";
    while (before > begin && before[-1] == '\0')
        before--;
    /* after LF, CR, or the last byte of NEL, LS, PS */
    if (before > begin && strchr("\n\r\x85\xa8\xa9", before[-1]) == NULL &&
        !is_utf16(begin, (size_t)(end - begin)))
        return false;
    for (p++; p < end && *rest != '\0' && (*p == *rest || *p == '\0'); p++)
        rest += *p == *rest;
    return *rest == '\0';
}

/* Where the first directive too many stands; NULL: nowhere. */
static const char *excess_directive(const char *text, size_t len)
{
    const char *end = text + len;
    unsigned n = 0;
    for (const char *p = text; (p = memchr(p, '%', (size_t)(end - p))) != NULL; p++) {
        n += is_directive(text, p, end);
        if (n > MOST_DIRECTIVES)
            return p;
    }
    return NULL;
}

/* A fault that ends the reading, at a byte of the text. */
static void stop_at(struct events *s, size_t offset, const char *what)
{
    unsigned line = 1, col = 1;
    for (size_t i = 0; i < offset && i < s->len; i++) {
        line += s->text[i] == '\n';
        col = s->text[i] == '\n' ? 1 : col + 1;
    }
    faults_add(s->faults, NULL, line, col, "%s", what);
    s->rc = -EINVAL;
}

/* The same, at a place that libyaml names. */
static void stop_mark(struct events *s, const yaml_mark_t *at, const char *what)
{
    faults_add(
        s->faults, NULL, (unsigned)at->line + 1, (unsigned)at->column + 1, "%s", what);
    s->rc = -EINVAL;
}

void events_open(struct events *s,
                 const char *text,
                 size_t len,
                 bool utf8,
                 struct jobspec_faults *faults)
{
    bool marked = utf8 && len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    *s = (struct events){.text = marked ? text + 3 : text,
                         .len = marked ? len - 3 : len,
                         .faults = faults};
    if (yaml_parser_initialize(&s->yaml) == 0) {
        faults_add(faults, NULL, 0, 0, "out of memory");
        s->rc = -ENOMEM;
        return;
    }
    if (utf8)
        yaml_parser_set_encoding(&s->yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&s->yaml, (const unsigned char *)s->text, s->len);
    const char *excess = excess_directive(s->text, s->len);
    if (utf8 && is_utf16(text, len))
        stop_at(s, 0, "the file is UTF-16: save it as UTF-8");
    else if (excess != NULL)
        stop_at(s,
                (size_t)(excess - s->text),
                "more than 64 %TAG directives: a jobspec needs none");
}

void events_close(struct events *s)
{
    yaml_parser_delete(&s->yaml);
}

/* libyaml's own complaint, at its own place. */
static void tell_syntax(struct events *s)
{
    const yaml_parser_t *y = &s->yaml;
    char text[512];
    const char *problem = y->problem != NULL ? y->problem : "unreadable";
    const char *context = y->context != NULL ? y->context : "";
    (void)snprintf(text,
                   sizeof(text),
                   "not YAML: %s%s%s%s",
                   problem,
                   context[0] != '\0' ? " (" : "",
                   context,
                   context[0] != '\0' ? ")" : "");
    if (y->error == YAML_READER_ERROR)
        stop_at(s, y->problem_offset, text);
    else
        stop_mark(s, &y->problem_mark, text);
}

int events_next(struct events *s, yaml_event_t *ret)
{
    if (s->rc == 0 && yaml_parser_parse(&s->yaml, ret) == 0)
        tell_syntax(s);
    return s->rc;
}

/* All events of a text, in whatever encoding it has. */
static int check_events(const char *text, size_t len, struct jobspec_faults *faults)
{
    struct events s;
    yaml_event_t e;
    uint64_t depth = 0, looked = 0;
    events_open(&s, text, len, false, faults);
    for (bool over = false; !over && events_next(&s, &e) == 0;) {
        over = e.type == YAML_STREAM_END_EVENT;
        if (e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT)
            depth++;
        if (e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT)
            depth--;
        looked += depth;
        if (looked > MOST_LEVELS && s.rc == 0)
            stop_mark(&s, &e.start_mark, "nested too deep to be read in a moment");
        yaml_event_delete(&e);
    }
    events_close(&s);
    return s.rc;
}

int doc_check_yaml(const char *text, size_t len, struct jobspec_faults *faults)
{
    int rc = check_events(text, len, faults);
    if (rc != 0)
        return rc;
    struct jobspec_faults own;
    faults_init(&own, faults->file);
    struct doc_stream *s = doc_open(text, len, &own);
    do {
        AUTO(arena) a = arena_make();
        struct doc_node *root = NULL;
        rc = doc_next(s, a, &root);
    } while (rc == 1);
    doc_close(s);
    faults_as_warnings(faults, &own);
    jobspec_faults_free(&own);
    return 0;
}
