/* See answer.h. Invariant: an answer is taken whole or not at all: it opens with our
 * word, has all its fields, and "end" closes it. */
#include "answer.h"
#include "base/memory.h"
#include <stdlib.h>

enum { MOST_FIELDS = 9 };

/* Cuts a line at its tabs; the number of fields. */
static unsigned cut(char *line, char *fields[MOST_FIELDS])
{
    unsigned n = 0;
    for (char *p = line; p != NULL && n < MOST_FIELDS; n++) {
        char *tab = strchr(p, '\t');
        fields[n] = p;
        p = tab != NULL ? tab + 1 : NULL;
        if (tab != NULL)
            *tab = '\0';
    }
    return n;
}

static bool read_answer(char *line, struct answer *ret)
{
    char *f[MOST_FIELDS];
    unsigned n = cut(line, f);
    if (n < 7 || strcmp(f[0], "gridmill-probe") != 0 || strcmp(f[1], "1") != 0 ||
        strcmp(f[n - 1], "end") != 0)
        return false;
    *ret = (struct answer){.host = f[2], .build = f[3]};
    if (n == 7 && strcmp(f[4], "error") == 0) {
        ret->error = f[5];
        return true;
    }
    if (n != 8)
        return false;
    ret->digest = f[4];
    ret->cpus = strcmp(f[5], "all") == 0 ? NULL : f[5];
    ret->sees = strcmp(f[6], "yes") == 0  ? ANSWER_SEES
                : strcmp(f[6], "no") == 0 ? ANSWER_SEES_NOT
                                          : ANSWER_NOT_ASKED;
    return true;
}

/* "gridmill-xml 1 LENGTH": the bytes that follow, which become a text. NULL: broken. */
static char *read_xml(const char *line, char *next, const char *end)
{
    static const char opening[] = "gridmill-xml\t1\t";
    if (strncmp(line, opening, sizeof(opening) - 1) != 0)
        return NULL;
    unsigned long n = strtoul(line + sizeof(opening) - 1, NULL, 10);
    return n > 0 && n <= (size_t)(end - next) ? next + n : NULL;
}

void answers_read(char *text, size_t len, struct answers *ret)
{
    size_t room = 0;
    char *end = text + len;
    *ret = (struct answers){0};
    for (char *p = text; p < end;) {
        char *newline = memchr(p, '\n', (size_t)(end - p));
        if (newline == NULL)
            return;
        *newline = '\0';
        char *next = newline + 1, *behind = read_xml(p, next, end);
        struct answer one;
        if (behind != NULL && ret->n > 0) {
            memmove(p, next, (size_t)(behind - next)); /* room for the 0 at its end */
            p[behind - next] = '\0';
            ret->items[ret->n - 1].xml = p;
            p = behind;
            continue;
        }
        if (read_answer(p, &one)) {
            if (ret->n == room) {
                room = room < 16 ? 16 : 2 * room;
                ret->items = xrealloc(ret->items, room, sizeof(*ret->items));
            }
            ret->items[ret->n++] = one;
        }
        p = next;
    }
}

void answers_free(struct answers *a)
{
    free(a->items);
    *a = (struct answers){0};
}

/* What launchers say, and what it means. `line`: the words of theirs are told, too. */
struct cause {
    const char *said, *means;
    bool line;
};

static const struct cause causes[] = {
    {"unknown option --probe",
     "has another gridmill-runner, which knows no --probe: install this build there",
     false},
    {"unable to find the specified executable", NULL, false},
    {"as it could not access", NULL, false}, /* mpirun again */
    {"execve():", NULL, false},              /* srun */
    {"Could not resolve hostname", "cannot be reached", true},
    {"Name or service not known", "cannot be reached", true},
    {"Temporary failure in name resolution", "cannot be reached", true},
    {"Permission denied", "cannot be reached", true},
    {"Host key verification failed", "cannot be reached", true},
    {"Connection refused", "cannot be reached", true},
    {"Connection timed out", "cannot be reached", true},
    {"No route to host", "cannot be reached", true},
    {"Connection closed", "cannot be reached", true},
    {"orted: not found", "has no Open MPI where this host has it", true},
    {"orted: command not found", "has no Open MPI where this host has it", true},
    {"Invalid node name", "is no host of this allocation", true},
    {"not in this job", "is no host of this allocation", true},
    {"unable to reliably start one or more daemons",
     "cannot be reached: ssh (or Open MPI's plm_rsh_agent) could not start a daemon "
     "there",
     false},
    {"failed after launch",
     "cannot be reached: its Open MPI daemon ended at once",
     false},
};

/* The line of `said` around `at`, without what surrounds it. */
static void add_line(struct str *out, const char *said, const char *at)
{
    const char *from = at;
    while (from > said && from[-1] != '\n')
        from--;
    from += strspn(from, " \t\r");
    size_t n = strcspn(from, "\r\n");
    str_printf(out, "%.*s", (int)(n < 160 ? n : 160), from);
}

/* The first line that says something: no rule, no blank one. */
static const char *first_line(const char *said)
{
    for (const char *p = said; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
        size_t n = strcspn(p, "\n");
        if (strspn(p, "- \t\r=*") < n)
            return p;
    }
    return NULL;
}

void answer_cause(const char *said, const char *runner, struct str *out)
{
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        const struct cause *c = &causes[i];
        const char *at = strstr(said, c->said);
        if (at == NULL)
            continue;
        if (c->means == NULL)
            str_printf(out, "has no %s: install the same Gridmill there", runner);
        else
            str_add(out, c->means);
        if (c->line) {
            str_add(out, ": ");
            add_line(out, said, at);
        }
        return;
    }
    const char *line = first_line(said);
    str_add(out, line != NULL ? "gave no answer: " : "gave no answer");
    if (line != NULL)
        add_line(out, said, line);
}
