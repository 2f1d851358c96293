/* A loaded jobspec back in the words of the short form: for the canonical form and for
 * what the results keep. */
#ifndef SPEC_WRITTEN_H
#define SPEC_WRITTEN_H

#include "base/json.h"
#include "spec/doc.h"
#include "spec/jobspec.h"

/* With its references as ${...} and a literal ${ as $${. */
void written_template(const struct jobspec_template *t, struct str *out);
void written_text(struct json *j, const struct jobspec_template *t);
/* An argument that is given: as it would stand in the jobspec. */
void written_arg(struct json *j, const struct jobspec_arg *arg);
/* A list, or "1-8:2". */
void written_axis(struct json *j, const struct jobspec_axis *axis);
/* {of: ..., rows: N} */
void written_shards(struct json *j, const struct jobspec_stage *s);
void written_command(struct json *j, const struct jobspec_stage *s);
void written_env(struct json *j, const struct jobspec_stage *s);
/* Whole seconds without a point, as people and Flux write them. */
void written_seconds(struct json *j, const char *key, double s);
/* A value of a document as it was (an infinity or a NaN, which JSON lacks, as text). */
void written_node(struct json *j, const struct doc_node *node);

#endif
