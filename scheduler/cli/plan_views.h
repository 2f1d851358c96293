/* What `gridmill plan` can show of a plan, one file a view. */
#ifndef CLI_PLAN_VIEWS_H
#define CLI_PLAN_VIEWS_H

#include "base/json.h"
#include "base/str.h"
#include "command.h"
#include "engine/engine.h"
#include "engine/mapping.h"
#include "machine.h"

struct plan_view {
    const struct cli *cli;
    const struct jobspec *spec;
    const struct machine *machine;
    const struct mapping *mapping;
    const struct plan *plan;
    const struct launch_line *line;
};

/* All return an exit code. */
int plan_text(const struct plan_view *v);
int plan_json(const struct plan_view *v);
int plan_explain(const struct plan_view *v);
int plan_rankfile(const struct plan_view *v);
int plan_svg(const struct plan_view *v);
/* Instead of a plan: a row for each mapping of --compare. */
int plan_compare(const struct cli *cli,
                 const struct jobspec *spec,
                 const struct machine *machine);

/* On a terminal its tables are folded to its width. */
void plan_print(const struct cli *cli, const char *text);
/* A line a rank; of many ranks the first ones and the last. */
void plan_add_ranks(const struct plan *plan, struct str *out);
/* The key `score`: total and terms; null where there is none. */
void plan_put_score(struct json *j, const struct jobspec *spec, const struct score *s);

#endif
