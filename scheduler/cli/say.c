/* See say.h. Invariant: every fault is one line "file:line:col: path: text" that an
 * editor can jump to; what is drawn below it is for people at a terminal alone. */
#include "say.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include <stdlib.h>

static void put_fault(struct json *j, const struct jobspec_fault *f)
{
    json_begin(j, '{');
    json_put_int(j, "line", f->line);
    json_put_int(j, "col", f->col);
    json_put_string(j, "path", f->path);
    json_put_string(j, "text", f->text);
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
            put_fault(&j, &faults->items[i]);
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

/* The n-th line of a text (from 1), without its newline; NULL: there is none. */
static const char *line_of(const char *text, unsigned n, size_t *ret_len)
{
    for (unsigned i = 1; i < n; i++) {
        text = strchr(text, '\n');
        if (text == NULL)
            return NULL;
        text++;
    }
    *ret_len = strcspn(text, "\r\n");
    return text;
}

/* The source line with a caret; tabs stay tabs in both lines, so they agree. */
static void
draw_caret(const struct cli *cli, const char *text, const struct jobspec_fault *f)
{
    size_t len = 0;
    const char *line = f->line > 0 ? line_of(text, f->line, &len) : NULL;
    if (line == NULL || len > 400)
        return;
    bool colour = cli->terminal.colour_err;
    AUTO_STR out = {0};
    str_printf(&out, "%5u | %.*s\n      | ", f->line, (int)len, line);
    unsigned col = 1;
    for (size_t i = 0; i < len && col < f->col; i++) {
        if ((line[i] & 0xc0) == 0x80) /* inside a UTF-8 letter */
            continue;
        str_add(&out, line[i] == '\t' ? "\t" : " ");
        col++;
    }
    str_printf(&out, "%s^%s\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "");
    terminal_note(out.text);
}

void say_fault_lines(const struct cli *cli, const struct jobspec_faults *faults)
{
    AUTO_FREE(char) text = NULL;
    size_t len;
    bool source = cli->terminal.err && faults->file != NULL &&
                  strcmp(faults->file, "-") != 0 &&
                  file_read(faults->file, 8 << 20, &text, &len, NULL) == 0;
    for (size_t i = 0; i < faults->n; i++) {
        AUTO_FREE(char) line = jobspec_fault_format(faults, i);
        AUTO_STR out = {0};
        str_printf(&out, "%s\n", line);
        terminal_note(out.text);
        if (source)
            draw_caret(cli, text, &faults->items[i]);
    }
}

int say_faults(const struct cli *cli, int code, const struct jobspec_faults *faults)
{
    say_fault_lines(cli, faults);
    if (cli->json) {
        AUTO_FREE(char) first = faults->n > 0 ? jobspec_fault_format(faults, 0) : NULL;
        print_json(code, first, faults);
    }
    return code;
}
