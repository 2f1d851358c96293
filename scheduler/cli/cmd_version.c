/* gridmill version: what was built, against what. */
#include "base/json.h"
#include "base/version.h"
#include "command.h"
#include "engine/engine.h"

static int run(const struct cli *cli)
{
    const char *const *libraries = version_libraries();
    if (cli->json) {
        AUTO_JSON j = {.pretty = true};
        json_begin(&j, '{');
        json_put_string(&j, "schema", "gridmill.version/1");
        json_put_string(&j, "version", version_text());
        json_put_string(&j, "build", version_build());
        json_key(&j, "libraries");
        json_begin(&j, '{');
        for (; libraries[0] != NULL; libraries += 2)
            json_put_string(&j, libraries[0], libraries[1]);
        json_end(&j, '}');
        json_end(&j, '}');
        terminal_print(j.out.text);
        return ENGINE_DONE;
    }
    AUTO_STR out = {0};
    str_printf(&out, "gridmill %s (build %s)\n", version_text(), version_build());
    for (; libraries[0] != NULL; libraries += 2)
        str_printf(&out, "  %-10s %s\n", libraries[0], libraries[1]);
    terminal_print(out.text);
    return ENGINE_DONE;
}

static const struct option_spec options[] = {OPTION_JSON};

const struct command cmd_version = {
    .name = "version",
    .usage = "[--json]",
    .summary = "show the version, and the libraries it was built against",
    .words = "",
    .options = options,
    .n_options = N_OF(options),
    .run = run,
};
