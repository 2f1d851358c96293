/* See line.h: the lists of a launch line while they grow, and the line as shell text.
 * Invariant: what the lists point to is in the arena, which ends up in the launch_line.
 */
#include "line.h"
#include "base/memory.h"
#include "base/str.h"

struct list {
    const char **items;
    size_t n;
};

struct line {
    struct arena *arena;
    struct list argv, env;
    struct launch_flag *flags;
    unsigned n_flags;
};

struct line *line_make(void)
{
    struct line *l = xcalloc(1, sizeof(*l));
    l->arena = arena_make();
    return l;
}

void line_free(struct line *l)
{
    if (l == NULL)
        return;
    arena_free(l->arena);
    free(l->argv.items);
    free(l->env.items);
    free(l->flags);
    free(l);
}

struct arena *line_arena(struct line *l)
{
    return l->arena;
}

static void append(struct list *list, const char *item)
{
    list->items = xrealloc(list->items, list->n + 1, sizeof(*list->items));
    list->items[list->n++] = item;
}

void line_explain(struct line *l, const char *text, const char *reason)
{
    l->flags = xrealloc(l->flags, l->n_flags + 1, sizeof(*l->flags));
    l->flags[l->n_flags++] = (struct launch_flag){
        .text = arena_strdup(l->arena, text),
        .reason = arena_strdup(l->arena, reason),
    };
}

void line_word(struct line *l, const char *word)
{
    append(&l->argv, arena_strdup(l->arena, word));
}

void line_env(struct line *l, const char *reason, const char *fmt, ...)
{
    AUTO_FREE(char) text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0) {
        text = NULL;
        return;
    }
    const char *copy = arena_strdup(l->arena, text);
    append(&l->env, copy);
    line_explain(l, copy, reason);
}

/* The list in the arena, with the NULL that ends it. */
static const char *const *settle(struct arena *a, const struct list *list)
{
    const char **items = arena_alloc(a, list->n + 1, sizeof(*items));
    if (list->n > 0)
        memcpy(items, list->items, list->n * sizeof(*items));
    return items;
}

struct launch_line *line_finish(struct line *l, const char *rankfile)
{
    struct arena *a = l->arena;
    struct launch_line *line = arena_alloc(a, 1, sizeof(*line));
    struct launch_flag *flags = arena_alloc(a, l->n_flags, sizeof(*flags));
    if (l->n_flags > 0)
        memcpy(flags, l->flags, l->n_flags * sizeof(*flags));
    *line = (struct launch_line){
        .arena = a,
        .argv = settle(a, &l->argv),
        .env = settle(a, &l->env),
        .flags = flags,
        .n_flags = l->n_flags,
        .rankfile = rankfile,
    };
    l->arena = NULL;
    line_free(l);
    return line;
}

void launch_line_free(struct launch_line *l)
{
    if (l != NULL)
        arena_free(l->arena); /* l is in it */
}

char *launch_line_format(const struct launch_line *l)
{
    struct str out = {0};
    for (size_t i = 0; l->env[i] != NULL; i++) {
        /* The name stays unquoted: a shell takes 'A=b' for a command. */
        size_t name = strcspn(l->env[i], "=") + 1;
        str_add_n(&out, l->env[i], name);
        str_add_shell(&out, l->env[i] + name);
        str_add(&out, " ");
    }
    for (size_t i = 0; l->argv[i] != NULL; i++) {
        str_add(&out, i > 0 ? " " : "");
        str_add_shell(&out, l->argv[i]);
    }
    return str_steal(&out);
}
