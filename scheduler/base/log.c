/* See log.h. The one piece of file-scope state outside mains: who speaks and how much,
 * set once at the start. A line is one write(2), so that ranks do not mix. */
#include "log.h"
#include "str.h"
#include <unistd.h>

static struct {
    const char *program;
    enum log_level level;
} voice = {"gridmill", LOG_NORMAL};

void log_open(const char *program, enum log_level level)
{
    voice.program = program;
    voice.level = level;
}

enum log_level log_at(void)
{
    return voice.level;
}

static void say(const char *fmt, va_list args)
{
    char line[2048];
    int n = snprintf(line, sizeof(line), "%s: ", voice.program);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
    size_t len = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    line[len] = '\n';
    (void)!write(STDERR_FILENO, line, len + 1);
}

#define SAY(least)                                                                       \
    do {                                                                                 \
        if (voice.level < (least))                                                       \
            return;                                                                      \
        va_list args;                                                                    \
        va_start(args, fmt);                                                             \
        say(fmt, args);                                                                  \
        va_end(args);                                                                    \
    } while (0)

void log_error(const char *fmt, ...)
{
    SAY(LOG_QUIET);
}

void log_note(const char *fmt, ...)
{
    SAY(LOG_NORMAL);
}

void log_verbose(const char *fmt, ...)
{
    SAY(LOG_VERBOSE);
}
