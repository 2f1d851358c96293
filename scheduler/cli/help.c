/* See help.h. Invariant: nothing about a verb is said here that does not stand in its
 * table. */
#include "help.h"
#include "engine/engine.h"

static const char exit_codes[] =
    "Exit codes: 0 done, 1 a task failed for good, 2 wrong usage or input, 3 does not "
    "fit on\n"
    "this machine, 4 internal error, 5 incomplete (stopped, out of time, or lost).\n";

void help_overview(struct str *out)
{
    str_add(out,
            "gridmill - one YAML file in, MPI ranks on this machine's cores, one HDF5 "
            "file out\n\n"
            "usage: gridmill VERB [OPTIONS] [WORDS]\n\n");
    for (unsigned i = 0; commands[i] != NULL; i++)
        str_printf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    str_printf(out, "\ngridmill help VERB has the options of each.\n%s", exit_codes);
}

static void option_line(const struct option_spec *o, struct str *out)
{
    AUTO_STR left = {0};
    if (o->letter != 0)
        str_printf(&left, "-%c, ", o->letter);
    else
        str_add(&left, "    ");
    str_printf(&left, "--%s", o->name);
    if (o->value != NULL)
        str_printf(&left, " %s", o->value);
    str_printf(out, "  %-26s %s\n", left.text, o->help);
}

void help_command(const struct command *c, struct str *out)
{
    str_printf(out,
               "gridmill %s - %s\n\nusage: gridmill %s %s\n",
               c->name,
               c->summary,
               c->name,
               c->usage);
    if (c->help != NULL)
        str_printf(out, "\n%s", c->help);
    str_add(out, "\n");
    for (unsigned i = 0; i < c->n_options; i++)
        option_line(&c->options[i], out);
    option_line(&args_help, out);
}

static void options_of(const struct command *c, struct str *out)
{
    for (unsigned i = 0; i < c->n_options; i++)
        str_printf(
            out, "--%s%s ", c->options[i].name, c->options[i].value != NULL ? "=" : "");
    str_add(out, "--help");
}

/* "@kernel" and "@verb" become the words that there are; "@file" is left to the shell. */
static void words_of(const struct command *c, struct str *out)
{
    for (const char *p = c->words; *p != '\0';) {
        size_t n = strcspn(p, " ");
        if (strncmp(p, "@kernel", n) == 0) {
            unsigned n_kernels;
            const struct gm_kernel *const *kernels = engine_kernels(&n_kernels);
            for (unsigned i = 0; i < n_kernels; i++)
                str_printf(out, "%s ", kernels[i]->name);
        } else if (strncmp(p, "@verb", n) == 0) {
            for (unsigned i = 0; commands[i] != NULL; i++)
                str_printf(out, "%s ", commands[i]->name);
        } else if (*p != '@') {
            str_printf(out, "%.*s ", (int)n, p);
        }
        p += n + (p[n] == ' ');
    }
}

/* "bash|zsh" as the words that there are. */
static void choices(const char *value, struct str *out)
{
    for (; *value != '\0'; value++)
        str_add_n(out, *value == '|' ? " " : value, 1);
}

/* The word after an option that has choices. */
static void bash_values(const struct command *c, struct str *out)
{
    for (unsigned i = 0; i < c->n_options; i++) {
        const struct option_spec *o = &c->options[i];
        if (o->value == NULL || strchr(o->value, '|') == NULL)
            continue;
        str_printf(out, "    --%s) words='", o->name);
        choices(o->value, out);
        str_add(out, "' files= ;;\n");
    }
}

void help_bash(struct str *out)
{
    str_add(out,
            "# bash completion of gridmill: gridmill help --completion bash\n"
            "_gridmill()\n{\n"
            "    local cur=${COMP_WORDS[COMP_CWORD]} words= options= files=\n"
            "    COMPREPLY=()\n"
            "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
            "        words='");
    for (unsigned i = 0; commands[i] != NULL; i++)
        str_printf(out, "%s ", commands[i]->name);
    str_add(out,
            "' options='--help --version'\n    else\n        case ${COMP_WORDS[1]} in\n");
    for (unsigned i = 0; commands[i] != NULL; i++) {
        str_printf(out, "        %s) options='", commands[i]->name);
        options_of(commands[i], out);
        str_add(out, "' words='");
        words_of(commands[i], out);
        str_printf(out,
                   "'%s ;;\n",
                   strstr(commands[i]->words, "@file") != NULL ? " files=1" : "");
    }
    str_add(out,
            "        esac\n    fi\n"
            "    [[ $cur == -* ]] && words=$options files=\n"
            "    case ${COMP_WORDS[COMP_CWORD-1]} in\n");
    for (unsigned i = 0; commands[i] != NULL; i++)
        bash_values(commands[i], out);
    str_add(out,
            "    esac\n"
            "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
            "    [ -n \"$files\" ] && mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < "
            "<(compgen -f -- "
            "\"$cur\")\n"
            "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
            "    return 0\n}\n"
            "complete -o filenames -F _gridmill gridmill\n");
}

/* Text inside '...' of zsh's _arguments: no quote, no bracket, no colon. */
static void zsh_text(const char *text, struct str *out)
{
    for (; *text != '\0'; text++) {
        if (strchr("'[]:", *text) == NULL)
            str_add_n(out, text, 1);
    }
}

/* What can follow "--option=": files, one of the words, or anything. */
static void zsh_value(const char *value, struct str *out)
{
    bool words = strchr(value, '|') != NULL;
    str_add(out, ":");
    zsh_text(words ? "which" : value, out);
    str_add(out, words ? ":(" : ":");
    if (words)
        choices(value, out);
    str_add(out, words ? ")" : strcmp(value, "FILE") == 0 ? "_files" : " ");
}

static void zsh_verb(const struct command *c, struct str *out)
{
    str_printf(out, "    %s) _arguments", c->name);
    for (unsigned k = 0; k < c->n_options; k++) {
        const struct option_spec *o = &c->options[k];
        str_printf(out, " '--%s%s[", o->name, o->value != NULL ? "=" : "");
        zsh_text(o->help, out);
        str_add(out, "]");
        if (o->value != NULL)
            zsh_value(o->value, out);
        str_add(out, "'");
    }
    AUTO_STR words = {0};
    words_of(c, &words);
    if (words.len > 0)
        str_printf(out, " '1:word:(%s)'", words.text);
    if (strstr(c->words, "@file") != NULL)
        str_add(out, " '*:file:_files'");
    str_add(out, " ;;\n");
}

/* As a file in $fpath it is called to complete; by eval it installs itself. */
void help_zsh(struct str *out)
{
    str_add(out,
            "#compdef gridmill\n# zsh completion of gridmill: gridmill help --completion "
            "zsh\n"
            "_gridmill()\n{\n    local -a verbs\n    verbs=(\n");
    for (unsigned i = 0; commands[i] != NULL; i++) {
        str_printf(out, "        '%s:", commands[i]->name);
        zsh_text(commands[i]->summary, out);
        str_add(out, "'\n");
    }
    str_add(out,
            "    )\n    if (( CURRENT == 2 )); then\n        _describe verb verbs\n"
            "        return\n    fi\n    shift words\n    (( CURRENT-- ))\n"
            "    case $words[1] in\n");
    for (unsigned i = 0; commands[i] != NULL; i++)
        zsh_verb(commands[i], out);
    str_add(out,
            "    esac\n}\nif [[ ${funcstack[1]-} == _gridmill ]]; then\n"
            "    _gridmill \"$@\"\nelse\n    compdef _gridmill gridmill\nfi\n");
}

static void command_json(const struct command *c, struct json *j)
{
    json_begin(j, '{');
    json_put_string(j, "name", c->name);
    json_put_string(j, "usage", c->usage);
    json_put_string(j, "summary", c->summary);
    json_key(j, "options");
    json_begin(j, '[');
    for (unsigned i = 0; i < c->n_options; i++) {
        const struct option_spec *o = &c->options[i];
        char letter[2] = {o->letter, '\0'};
        json_begin(j, '{');
        json_put_string(j, "name", o->name);
        json_put_string(j, "letter", o->letter != 0 ? letter : NULL);
        json_put_string(j, "value", o->value);
        json_put_string(j, "help", o->help);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}

void help_json(const struct command *only, struct json *j)
{
    json_begin(j, '{');
    json_put_string(j, "schema", "gridmill.help/1");
    json_key(j, "verbs");
    json_begin(j, '[');
    for (unsigned i = 0; commands[i] != NULL; i++) {
        if (only == NULL || only == commands[i])
            command_json(commands[i], j);
    }
    json_end(j, ']');
    json_end(j, '}');
}
