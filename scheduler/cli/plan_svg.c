/* gridmill plan --svg FILE, gridmill topo --svg FILE: the drawing. */
#include "plan_svg.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "job.h"
#include "plan_views.h"
#include "topo/svg.h"

int plan_write_svg(const struct cli *cli, const char *text)
{
    struct gm_error err = {0};
    const char *file = args_value(&cli->args, "svg");
    if (strcmp(file, "-") == 0) {
        terminal_print(text);
        return ENGINE_DONE;
    }
    if (file_write(file, text, strlen(text), &err) != 0) {
        (void)gm_prefix(&err, "--svg");
        return say_failure(cli, ENGINE_USAGE, &err);
    }
    if (cli->verbosity >= LOG_NORMAL)
        log_note("%s: written", file);
    return ENGINE_DONE;
}

int plan_svg(const struct plan_view *v)
{
    AUTO_STR title = {0};
    AUTO_STR out = {0};
    const struct placement *at = v->mapping->at;
    AUTO_FREE(struct draw_seat) seats = xcalloc(at->n_ranks + 1, sizeof(*seats));
    for (unsigned r = 0; r < at->n_ranks; r++)
        seats[r] = (struct draw_seat){.host = at->seats[r].host,
                                      .pus = at->seats[r].pus,
                                      .gpus = at->seats[r].gpus};
    str_printf(&title,
               "%s: %u rank%s on ",
               v->spec->name,
               at->n_ranks,
               at->n_ranks == 1 ? "" : "s");
    machine_hosts(v->machine->at.tree, &title);
    str_printf(&title, ", %s", at->mapping);
    svg_tree(v->machine->at.tree, seats, at->n_ranks, title.text, &out);
    return plan_write_svg(v->cli, out.text);
}
