/* Help and completion, made from the table of verbs. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/json.h"
#include "base/str.h"
#include "command.h"

void help_overview(struct str *out);
void help_command(const struct command *c, struct str *out);
/* One verb, or (NULL) all of them, as one JSON value. */
void help_json(const struct command *only, struct json *j);
void help_bash(struct str *out);
void help_zsh(struct str *out);

#endif
