/* See say.h. Invariant: every fault is one line "file:line:col: path: text" that an
 * editor can jump to; what is drawn below it is for people at a terminal alone. */
#include "say.h"
#include "base/log.h"
#include "caret.h"
#include <stdlib.h>

void say_fault_json(struct json *j, const struct jobspec_fault *f)
{
    json_begin(j, '{');
    json_put_int(j, "line", f->line);
    json_put_int(j, "col", f->col);
    json_put_string(j, "path", f->path);
    json_put_string(j, "text", f->text);
    json_put_string(j, "severity", f->warning ? "warning" : "error");
    json_end(j, '}');
}

static void print_json(int code, const char *text, const struct jobspec_faults *faults)
{
    AUTO_JSON j = {.pretty = true};
    json_begin(&j, '{');
    json_put_string(&j, "schema", "gridmill.error/1");
    json_put_int(&j, "code", code);
    json_put_string(&j, "error", text);
    if (faults != NULL) {
        json_put_string(&j, "file", faults->file);
        json_key(&j, "faults");
        json_begin(&j, '[');
        for (size_t i = 0; i < faults->n; i++)
            say_fault_json(&j, &faults->items[i]);
        json_end(&j, ']');
    }
    json_end(&j, '}');
    terminal_print(j.out.text);
}

int say_failure(const struct cli *cli, int code, const struct gm_error *err)
{
    log_error("%s", err->text);
    if (cli->json)
        print_json(code, err->text, NULL);
    return code;
}

/* What a file holds must not steer the terminal. */
static void tame(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
        if (*p < ' ' || *p == 0x7f)
            *p = '?';
    }
}

/* "error" and "warning" have their colours; the place is bold. */
static void fault_line(const struct cli *cli,
                       const struct jobspec_faults *faults,
                       size_t i,
                       struct str *out)
{
    AUTO_FREE(char) line = jobspec_fault_format(faults, i);
    static const char mark[] = "warning: ";
    char *warning = faults->items[i].warning ? strstr(line, mark) : NULL;
    if (cli->terminal.err)
        tame(line);
    if (cli->terminal.colour_err && warning != NULL)
        str_printf(out,
                   "%.*s\033[1;33m%s\033[0m%s\n",
                   (int)(warning - line),
                   line,
                   mark,
                   warning + sizeof(mark) - 1);
    else
        str_printf(out, "%s\n", line);
}

void say_fault_lines(const struct cli *cli,
                     const struct jobspec_faults *faults,
                     const struct say_source *source)
{
    struct caret caret = {0};
    struct caret_look look = {.width = cli->terminal.width,
                              .colour = cli->terminal.colour_err,
                              .utf8 = cli->terminal.utf8};
    AUTO_STR out = {0};
    if (cli->terminal.err && source != NULL && source->text != NULL)
        caret = (struct caret){.text = source->text, .len = source->len};
    for (size_t i = 0; i < faults->n; i++) {
        fault_line(cli, faults, i, &out);
        if (caret.text != NULL)
            caret_draw(&caret, faults->items[i].line, faults->items[i].col, &look, &out);
    }
    if (faults->version_1)
        str_printf(&out,
                   "%s: note: version 1 is held to RFC 25; RFC 14 alone is asked of "
                   "another version, such as 999, and by check --require-version any\n",
                   faults->file);
    terminal_note(str_text(&out));
}

int say_faults(const struct cli *cli,
               int code,
               const struct jobspec_faults *faults,
               const struct say_source *source)
{
    say_fault_lines(cli, faults, source);
    if (cli->json) {
        size_t i = 0;
        while (i + 1 < faults->n && faults->items[i].warning)
            i++;
        AUTO_FREE(char) first = faults->n > 0 ? jobspec_fault_format(faults, i) : NULL;
        print_json(code, first, faults);
    }
    return code;
}

int say_at_character(const struct cli *cli,
                     int code,
                     const char *text,
                     const struct gm_error *err)
{
    static const char words[] = " at character ";
    const char *at = NULL;
    for (const char *p = strstr(err->text, words); p != NULL; p = strstr(p + 1, words))
        at = p + sizeof(words) - 1;
    (void)say_failure(cli, code, err);
    if (!cli->terminal.err || at == NULL)
        return code;
    struct caret caret = {.text = text, .len = strlen(text)};
    struct caret_look look = {.width = cli->terminal.width,
                              .colour = cli->terminal.colour_err,
                              .utf8 = cli->terminal.utf8};
    AUTO_STR out = {0};
    caret_draw(&caret, 1, (unsigned)strtoul(at, NULL, 10), &look, &out);
    terminal_note(str_text(&out));
    return code;
}
