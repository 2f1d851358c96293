/* libyaml, opened and asked: its events one by one, its complaint as a fault. */
#ifndef SPEC_EVENTS_H
#define SPEC_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

struct jobspec_faults;

struct events {
    yaml_parser_t yaml;
    const char *text; /* borrowed; after a byte order mark */
    size_t len;
    struct jobspec_faults *faults;
    int rc; /* not 0: over, for good */
};

/* A text that is not read is a fault, and so is each event that is asked for. `utf8`: in
 * no other encoding. */
void events_open(struct events *s,
                 const char *text,
                 size_t len,
                 bool utf8,
                 struct jobspec_faults *faults);
void events_close(struct events *s);
/* 0: *ret is there, to be deleted with yaml_event_delete; -EINVAL: a fault was added. */
int events_next(struct events *s, yaml_event_t *ret);

#endif
