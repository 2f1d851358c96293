/* See args.h. Invariant: an option means the same wherever it stands, and what the table
 * does not have is refused by name. */
#include "args.h"
#include "base/memory.h"
#include "base/str.h"
#include <stdlib.h>

const struct option_spec args_help = {"help", 'h', NULL, "show this help"};

struct cut {
    const struct option_spec *options;
    unsigned n;
    int argc, at;
    char *const *argv;
    struct args *to;
};

static const struct option_spec *
find(const struct cut *c, const char *name, size_t len, char letter)
{
    for (unsigned i = 0; i <= c->n; i++) {
        const struct option_spec *o = i < c->n ? &c->options[i] : &args_help;
        bool is = letter != 0
                      ? o->letter == letter
                      : strlen(o->name) == len && strncmp(o->name, name, len) == 0;
        if (is)
            return o;
    }
    return NULL;
}

static int
unknown(const struct cut *c, const char *word, size_t len, struct gm_error *err)
{
    const char **names = xcalloc(c->n + 1, sizeof(*names));
    for (unsigned i = 0; i < c->n; i++)
        names[i] = c->options[i].name;
    names[c->n] = args_help.name;
    AUTO_STR name = {0};
    str_add_n(&name, word, len);
    const char *near = str_nearest(name.text, names, c->n + 1);
    free(names);
    if (near != NULL)
        return gm_fail(
            err, -EINVAL, "--%s: unknown option, did you mean --%s?", name.text, near);
    return gm_fail(err, -EINVAL, "--%s: unknown option (see --help)", name.text);
}

static void add(struct cut *c, const struct option_spec *o, const char *value)
{
    c->to->given[c->to->n_given++] = (struct args_given){o, value};
}

/* The value in the next word. */
static int next_value(struct cut *c,
                      const char **ret,
                      const struct option_spec *o,
                      struct gm_error *err)
{
    if (c->at >= c->argc)
        return gm_fail(
            err, -EINVAL, "--%s: needs a value: --%s %s", o->name, o->name, o->value);
    *ret = c->argv[c->at++];
    return 0;
}

static int take_long(struct cut *c, const char *word, struct gm_error *err)
{
    size_t len = strcspn(word, "=");
    const struct option_spec *o = find(c, word, len, 0);
    if (o == NULL)
        return unknown(c, word, len, err);
    const char *value = word[len] == '=' ? word + len + 1 : NULL;
    if (o->value == NULL && value != NULL)
        return gm_fail(err, -EINVAL, "--%s: takes no value", o->name);
    int rc = o->value != NULL && value == NULL ? next_value(c, &value, o, err) : 0;
    if (rc == 0)
        add(c, o, value);
    return rc;
}

static int take_letters(struct cut *c, const char *word, struct gm_error *err)
{
    for (; *word != '\0'; word++) {
        const struct option_spec *o = find(c, NULL, 0, *word);
        if (o == NULL)
            return gm_fail(err, -EINVAL, "-%c: unknown option (see --help)", *word);
        if (o->value == NULL) {
            add(c, o, NULL);
            continue;
        }
        const char *value = word[1] != '\0' ? word + 1 : NULL;
        int rc = value == NULL ? next_value(c, &value, o, err) : 0;
        if (rc == 0)
            add(c, o, value);
        return rc;
    }
    return 0;
}

static size_t letters(int argc, char *const *argv)
{
    size_t n = (size_t)argc;
    for (int i = 0; i < argc; i++)
        n += strlen(argv[i]);
    return n;
}

int args_parse(const struct option_spec *options,
               unsigned n_options,
               int argc,
               char *const *argv,
               struct args *ret,
               struct gm_error *err)
{
    *ret = (struct args){0};
    ret->given = xcalloc(letters(argc, argv) + 1, sizeof(*ret->given));
    ret->words = xcalloc((size_t)argc + 1, sizeof(*ret->words));
    struct cut c = {
        .options = options, .n = n_options, .argc = argc, .argv = argv, .to = ret};
    bool only_words = false;
    unsigned first = 0;
    while (c.at < argc) {
        const char *word = argv[c.at++];
        int rc = 0;
        if (only_words || word[0] != '-' || word[1] == '\0')
            ret->words[ret->n_words++] = word;
        else if (strcmp(word, "--") == 0) {
            only_words = true;
            first = ret->n_words;
        } else
            rc = word[1] == '-' ? take_long(&c, word + 2, err)
                                : take_letters(&c, word + 1, err);
        if (rc != 0)
            return rc;
    }
    ret->dashed = only_words ? first : ret->n_words;
    return 0;
}

void args_free(struct args *a)
{
    free(a->given);
    free(a->words);
    *a = (struct args){0};
}

const char *args_value(const struct args *a, const char *name)
{
    const char *value = NULL;
    for (unsigned i = 0; i < a->n_given; i++) {
        if (strcmp(a->given[i].option->name, name) == 0)
            value = a->given[i].value;
    }
    return value;
}

bool args_has(const struct args *a, const char *name)
{
    for (unsigned i = 0; i < a->n_given; i++) {
        if (strcmp(a->given[i].option->name, name) == 0)
            return true;
    }
    return false;
}
