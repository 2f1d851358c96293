/* See terminal.h. */
#include "terminal.h"
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool may_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

void terminal_read(struct terminal *ret)
{
    struct winsize size = {0};
    /* Messages and letters follow the user; numbers stay as files have them. */
    bool known = setlocale(LC_CTYPE, "") != NULL;
    bool sized = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20;
    *ret = (struct terminal){
        .out = isatty(STDOUT_FILENO) == 1,
        .err = isatty(STDERR_FILENO) == 1,
        .utf8 = known && strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .width = sized ? size.ws_col : 80,
    };
    ret->colour_out = ret->out && may_colour();
    ret->colour_err = ret->err && may_colour();
}

void terminal_size(int *ret_width, int *ret_height)
{
    struct winsize size = {0};
    bool sized = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *ret_width = sized && size.ws_col > 0 ? size.ws_col : 80;
    *ret_height = sized && size.ws_row > 0 ? size.ws_row : 24;
}

static void put(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

void terminal_print(const char *text)
{
    put(STDOUT_FILENO, text);
}

void terminal_note(const char *text)
{
    put(STDERR_FILENO, text);
}
