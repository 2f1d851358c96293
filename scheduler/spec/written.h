/* A loaded jobspec back in the words of the short form: for the canonical form and for
 * what the results keep. */
#ifndef SPEC_WRITTEN_H
#define SPEC_WRITTEN_H

#include "base/json.h"
#include "spec/jobspec.h"

/* With its references as ${...} and a literal ${ as $${. */
void written_template(const struct jobspec_template *t, struct str *out);
/* An argument that is given: as it would stand in the jobspec. */
void written_arg(struct json *j, const struct jobspec_arg *arg);
/* A list, or "1-8:2". */
void written_axis(struct json *j, const struct jobspec_axis *axis);
void written_command(struct json *j, const struct jobspec_stage *s);
void written_env(struct json *j, const struct jobspec_stage *s);

#endif
