/* See check_shape.h. */
#include "check_shape.h"
#include "counts.h"
#include "job.h"
#include "say.h"
#include "spec/canonical.h"
#include "spec/shape.h"

static void print_resources(const struct cli *cli,
                            const char *shape,
                            const struct resource *list,
                            unsigned n)
{
    struct counts c = counts_of_resources(list, n);
    AUTO_JSON j = {.pretty = true};
    AUTO_STR out = {0};
    if (args_has(&cli->args, "canonical")) {
        resource_json(&j, list, n);
        terminal_print(j.out.text);
        return;
    }
    if (cli->json) {
        json_begin(&j, '{');
        json_put_string(&j, "schema", "gridmill.shape/1");
        json_put_string(&j, "shape", shape);
        counts_json(&j, &c);
        json_key(&j, "resources");
        resource_json(&j, list, n);
        json_end(&j, '}');
        terminal_print(j.out.text);
        return;
    }
    str_printf(&out, "%s: fine: ", shape);
    counts_resources_text(&c, &out);
    str_add(&out, "\n");
    terminal_print(out.text);
}

static int check_job(const struct cli *cli)
{
    struct job_file f = {0};
    int code = job_load(cli, &f);
    if (code == ENGINE_DONE) {
        const struct jobspec *spec = f.jobs.items[0];
        AUTO_FREE(char) text = canonical_format(spec, true);
        struct counts c = counts_of(spec);
        AUTO_STR out = {0};
        str_printf(&out, "%s: fine: ", spec->name);
        counts_text(spec, &c, &out);
        str_add(&out, "\n");
        terminal_print(args_has(&cli->args, "canonical") ? text : out.text);
    }
    job_file_free(&f);
    return code;
}

int check_shape(const struct cli *cli)
{
    const char *shape = args_value(&cli->args, "shape");
    AUTO(arena) a = arena_make();
    struct gm_error err = {0};
    const struct resource *list = NULL;
    unsigned n = 0;
    if (cli->args.n_words > 0)
        return check_job(cli);
    if (shape_parse(a, shape, &list, &n, &err) != 0)
        return say_at_character(cli, ENGINE_USAGE, shape, &err);
    print_resources(cli, shape, list, n);
    return ENGINE_DONE;
}
