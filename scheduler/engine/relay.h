/* From the launcher's two streams to events: the runner's JSON lines become
 * engine_events; what ranks print passes through; what the launcher says about itself is
 * kept for the case that nobody has a better sentence. */
#ifndef ENGINE_RELAY_H
#define ENGINE_RELAY_H

#include "base/str.h"
#include "engine.h"
#include "wire.h"

struct relay {
    const struct engine_events *events; /* NULL: plain lines go to stderr */
    bool verbose;                       /* the launcher's own words pass through, too */
    struct str out, err;                /* begun lines */
    struct str words;                   /* what the launcher said, the last of it */
    bool in_block;                      /* between the launcher's two lines of dashes */
    bool in_words;                      /* the last line was the launcher's own */
    struct str said;             /* the last line of gridmill-runner, without its name */
    bool started, ended;         /* these events have come */
    double started_at, ended_at; /* clock_monotonic */
    double heard_at;             /* of the latest event */
    struct wire last;            /* of the latest event; of `ended` once that came */
};

void relay_out(struct relay *r, const char *data, size_t len);
void relay_err(struct relay *r, const char *data, size_t len);
void relay_flush(struct relay *r); /* both streams are over: begun lines count as lines */
void relay_free(struct relay *r);  /* what is inside */
/* Hands an event on; `kind` and what the latest event counted are filled in here. */
void relay_tell(const struct relay *r, struct engine_event *e);
/* One line of the launcher's words that says the most, or "". */
const char *relay_words(const struct relay *r, char buf[256]);

#endif
