/* gridmill init: a jobspec to begin with, from a kernel's own table. */
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "command.h"
#include "engine/engine.h"
#include "say.h"
#include "spec/starter.h"
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

#define FOR_COMMAND "command" /* the word for a starter that runs a program */

static void print_kernels(const struct cli *cli)
{
    unsigned n;
    const struct gm_kernel *const *kernels = engine_kernels(&n);
    AUTO_STR out = {0};
    AUTO_JSON j = {.pretty = true};
    int width = (int)strlen(FOR_COMMAND);
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.init/1");
    json_key(&j, "starters");
    json_begin(&j, '[');
    for (unsigned i = 0; i < n; i++) {
        int len = (int)strlen(kernels[i]->name);
        width = len > width ? len : width;
        json_string(&j, kernels[i]->name);
    }
    json_string(&j, FOR_COMMAND);
    json_end(&j, ']');
    json_end(&j, '}');
    str_add(&out, "A jobspec to begin with, for\n\n");
    for (unsigned i = 0; i < n; i++)
        str_printf(&out, "  %-*s  %s\n", width, kernels[i]->name, kernels[i]->summary);
    str_printf(&out, "  %-*s  a program of your own\n", width, FOR_COMMAND);
    str_printf(&out,
               "\ngridmill init %s                   prints it\n"
               "gridmill init %s -o my.yaml        writes it to a file\n"
               "gridmill init gemm args.n=512 -o my.yaml  and fills values in\n",
               n > 0 ? kernels[0]->name : FOR_COMMAND,
               n > 0 ? kernels[0]->name : FOR_COMMAND);
    terminal_print(cli->json ? j.out.text : out.text);
}

/* The kernel of a name; NULL for a command. -ENOENT: neither. */
static int find(const char *name, const struct gm_kernel **ret, struct gm_error *err)
{
    unsigned n;
    const struct gm_kernel *const *kernels = engine_kernels(&n);
    AUTO_FREE(const char *) names = xcalloc(n + 1, sizeof(*names));
    *ret = NULL;
    if (strcmp(name, FOR_COMMAND) == 0)
        return 0;
    for (unsigned i = 0; i < n; i++) {
        names[i] = kernels[i]->name;
        if (strcmp(names[i], name) == 0) {
            *ret = kernels[i];
            return 0;
        }
    }
    names[n] = FOR_COMMAND;
    const char *near = str_nearest(name, names, n + 1);
    if (near != NULL)
        return gm_fail(err, -ENOENT, "%s: no such kernel, did you mean %s?", name, near);
    return gm_fail(
        err, -ENOENT, "%s: no such kernel: gridmill init alone lists them", name);
}

/* "digits" for "jobs/digits.yaml", "mlp-train" for mlp.train; yours to free. */
static char *job_name(const char *file, const char *kernel)
{
    const char *from = file != NULL ? file : kernel, *slash = strrchr(from, '/');
    char *name = xstrdup(slash != NULL ? slash + 1 : from);
    char *dot = file != NULL ? strrchr(name, '.') : NULL;
    if (dot != NULL && dot > name)
        *dot = '\0';
    if (strlen(name) > 100)
        name[100] = '\0';
    for (char *p = name; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && *p != '_')
            *p = '-';
    }
    return name;
}

static void
print_json(const char *file, const char *kernel, const char *text, const char *blanks)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.init/1");
    json_put_string(&j, "for", kernel);
    json_put_string(&j, "file", file);
    json_key(&j, "to_fill");
    json_begin(&j, '[');
    while (*blanks != '\0') {
        size_t len = strcspn(blanks, " ");
        json_string_n(&j, blanks, len);
        blanks += len + (blanks[len] == ' ');
    }
    json_end(&j, ']');
    json_put_string(&j, "text", text);
    json_end(&j, '}');
    terminal_print(j.out.text);
}

static int write_out(const struct cli *cli,
                     const char *file,
                     const char *text,
                     const char *blanks,
                     struct gm_error *err)
{
    if (file_exists(file) && !args_has(&cli->args, "force"))
        return gm_fail(err, -EEXIST, "%s: is there already; --force overwrites it", file);
    int rc = file_write(file, text, strlen(text), err);
    if (rc != 0)
        return rc;
    if (*blanks != '\0')
        log_note("%s: written; fill in %s, then: gridmill check %s", file, blanks, file);
    else
        log_note("%s: written; next: gridmill run %s", file, file);
    return 0;
}

static int run(const struct cli *cli)
{
    struct gm_error err = {0};
    const struct gm_kernel *kernel = NULL;
    const char *file = args_value(&cli->args, "output");
    AUTO_FREE(char) text = NULL;
    AUTO_FREE(char) blanks = NULL;
    if (cli->args.n_words == 0 && file != NULL) {
        (void)gm_fail(
            &err, -EINVAL, "%s: of what? gridmill init KERNEL -o %s", file, file);
        return say_failure(cli, ENGINE_USAGE, &err);
    }
    if (cli->args.n_words == 0) {
        print_kernels(cli);
        return ENGINE_DONE;
    }
    const char *word = cli->args.words[0];
    if (find(word, &kernel, &err) != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    AUTO_FREE(char) name = job_name(file, word);
    AUTO_STR shown = {0};
    str_printf(&shown, file != NULL ? "%s" : "%s.yaml", file != NULL ? file : name);
    struct starter_options opt = {.name = name,
                                  .file = shown.text,
                                  .sets = cli->args.words + 1,
                                  .n_sets = cli->args.n_words - 1};
    int rc = starter_format(kernel, &opt, &text, &blanks, &err);
    if (rc == 0 && file != NULL)
        rc = write_out(cli, file, text, blanks, &err);
    if (rc != 0)
        return say_failure(cli, ENGINE_USAGE, &err);
    if (cli->json)
        print_json(file, word, text, blanks);
    else if (file == NULL)
        terminal_print(text);
    return ENGINE_DONE;
}

static const struct option_spec options[] = {
    {"output", 'o', "FILE", "write it to FILE instead of printing it"},
    {"force", 0, NULL, "overwrite a FILE that is there already"},
    OPTION_JSON,
};

const struct command cmd_init = {
    .name = "init",
    .usage = "[OPTIONS] [KERNEL|" FOR_COMMAND " [PATH=VALUE...]]",
    .summary = "write a commented jobspec to begin with",
    .help =
        "Every argument of the kernel with its meaning, range and default; what only\n"
        "you know says FILL-ME. PATH=VALUE fills a value in, as --set has it:\n"
        "args.epochs=5, ranks=2. Without a word: what there are starters for.\n",
    .words = "@kernel " FOR_COMMAND,
    .options = options,
    .n_options = N_OF(options),
    .max_words = UINT_MAX,
    .run = run,
};
