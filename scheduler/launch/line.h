/* A launch line while it is written. */
#ifndef LAUNCH_LINE_H
#define LAUNCH_LINE_H

#include "launch.h"

struct line;

struct line *line_make(void);
void line_free(struct line *l);
struct arena *line_arena(struct line *l);

/* One word of argv, as it is and not explained. */
void line_word(struct line *l, const char *word);
/* A reason for what was just added, shown as `text`. */
void line_explain(struct line *l, const char *text, const char *reason);
/* NAME=value for the environment, explained. */
GM_PRINTF(3, 4) void line_env(struct line *l, const char *reason, const char *fmt, ...);
/* What was written; l is freed. rankfile: in the line's arena, or NULL. */
struct launch_line *line_finish(struct line *l, const char *rankfile);

AUTO_TYPE(line, line_free)

#endif
