/* See faults.h. Invariant: items[n] are all in f->arena, so one arena_free frees the lot.
 */
#include "faults.h"
#include <stdlib.h>

void faults_init(struct jobspec_faults *f, const char *file)
{
    *f = (struct jobspec_faults){.arena = arena_make()};
    f->file = arena_strdup(f->arena, file);
}

void jobspec_faults_free(struct jobspec_faults *f)
{
    if (f == NULL)
        return;
    arena_free(f->arena);
    *f = (struct jobspec_faults){0};
}

void faults_path_text(const struct fault_path *at, struct str *out)
{
    if (at == NULL)
        return;
    faults_path_text(at->up, out);
    if (at->key == NULL)
        str_printf(out, "[%zu]", at->index);
    else
        str_printf(out, "%s%.80s", out->len > 0 ? "." : "", at->key);
}

/* Room for one more: doubles at powers of two, so that n alone says how much there is. */
static struct jobspec_fault *append(struct jobspec_faults *f)
{
    if ((f->n & (f->n - 1)) == 0) {
        size_t room = f->n == 0 ? 1 : 2 * f->n;
        struct jobspec_fault *items = arena_alloc(f->arena, room, sizeof(*items));
        if (f->n > 0)
            memcpy(items, f->items, f->n * sizeof(*items));
        f->items = items;
    }
    return &f->items[f->n++];
}

void faults_vadd_at(struct jobspec_faults *f,
                    bool warning,
                    const char *path,
                    unsigned line,
                    unsigned col,
                    const char *fmt,
                    va_list args)
{
    f->n_errors += !warning;
    if (f->n > FAULTS_MAX || (warning && f->n - f->n_errors >= FAULTS_MAX / 2))
        return; /* warnings never take the room of errors */
    struct jobspec_fault *fault = append(f);
    if (f->n > FAULTS_MAX) {
        *fault = (struct jobspec_fault){
            .path = "",
            .text = "more faults than are worth telling; the first stand here"};
        return;
    }
    char text[1024];
    (void)vsnprintf(text, sizeof(text), fmt, args);
    *fault = (struct jobspec_fault){.line = line,
                                    .col = col,
                                    .path = arena_strdup(f->arena, path),
                                    .text = arena_strdup(f->arena, text),
                                    .warning = warning};
}

void faults_vadd(struct jobspec_faults *f,
                 bool warning,
                 const struct fault_path *at,
                 unsigned line,
                 unsigned col,
                 const char *fmt,
                 va_list args)
{
    AUTO_STR path = {0};
    faults_path_text(at, &path);
    faults_vadd_at(f, warning, str_text(&path), line, col, fmt, args);
}

void faults_add_at(struct jobspec_faults *f,
                   const char *path,
                   unsigned line,
                   unsigned col,
                   const char *fmt,
                   ...)
{
    va_list args;
    va_start(args, fmt);
    faults_vadd_at(f, false, path, line, col, fmt, args);
    va_end(args);
}

void faults_warn_at(struct jobspec_faults *f,
                    const char *path,
                    unsigned line,
                    unsigned col,
                    const char *fmt,
                    ...)
{
    va_list args;
    va_start(args, fmt);
    faults_vadd_at(f, true, path, line, col, fmt, args);
    va_end(args);
}

void faults_add(struct jobspec_faults *f,
                const struct fault_path *at,
                unsigned line,
                unsigned col,
                const char *fmt,
                ...)
{
    va_list args;
    va_start(args, fmt);
    faults_vadd(f, false, at, line, col, fmt, args);
    va_end(args);
}

void faults_warn(struct jobspec_faults *f,
                 const struct fault_path *at,
                 unsigned line,
                 unsigned col,
                 const char *fmt,
                 ...)
{
    va_list args;
    va_start(args, fmt);
    faults_vadd(f, true, at, line, col, fmt, args);
    va_end(args);
}

void faults_as_warnings(struct jobspec_faults *f, const struct jobspec_faults *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct jobspec_fault *fault = &from->items[i];
        faults_warn_at(f, fault->path, fault->line, fault->col, "%s", fault->text);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct jobspec_fault *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->col != y->col)
        return x->col < y->col ? -1 : 1;
    int rc = strcmp(x->path, y->path);
    return rc != 0 ? rc : strcmp(x->text, y->text);
}

/* A --set that is wrong is so in every document of a file: told once. */
static void drop_repeats(struct jobspec_faults *f)
{
    size_t kept = 1;
    for (size_t i = 1; i < f->n; i++) {
        if (by_place(&f->items[kept - 1], &f->items[i]) == 0)
            f->n_errors -= !f->items[i].warning;
        else
            f->items[kept++] = f->items[i];
    }
    f->n = kept;
}

void faults_sort(struct jobspec_faults *f)
{
    if (f->n > FAULTS_MAX) { /* the closing line stays the last */
        qsort(f->items, FAULTS_MAX, sizeof(*f->items), by_place);
    } else if (f->n > 1) {
        qsort(f->items, f->n, sizeof(*f->items), by_place);
        drop_repeats(f);
    }
}

char *jobspec_fault_format(const struct jobspec_faults *f, size_t i)
{
    const struct jobspec_fault *fault = &f->items[i];
    struct str out = {0};
    bool of_a_set = strncmp(fault->path, "--set ", 6) == 0;
    if (!of_a_set)
        str_add(&out, f->file);
    if (fault->line > 0)
        str_printf(&out, ":%u:%u", fault->line, fault->col);
    if (!of_a_set)
        str_add(&out, ": ");
    if (fault->path[0] != '\0')
        str_printf(&out, "%s: ", fault->path);
    str_printf(&out, "%s%s", fault->warning ? "warning: " : "", fault->text);
    return str_steal(&out);
}

int faults_first(const struct jobspec_faults *f, int code, struct gm_error *err)
{
    size_t i = 0;
    while (i + 1 < f->n && f->items[i].warning)
        i++;
    AUTO_FREE(char) text = jobspec_fault_format(f, i);
    return gm_fail(err, code, "%s", text);
}
