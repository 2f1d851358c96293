/* See terminal.h. */
#include "terminal.h"
#include "meter.h"
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int lost; /* the first failure to print */

static bool may_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

void terminal_guard(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
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

void terminal_size(int fd, int *ret_width, int *ret_height)
{
    struct winsize size = {0};
    bool sized = ioctl(fd, TIOCGWINSZ, &size) == 0;
    *ret_width = sized && size.ws_col > 0 ? size.ws_col : 80;
    *ret_height = sized && size.ws_row > 0 ? size.ws_row : 24;
}

int terminal_rows(const char *text, int width)
{
    int rows = 0;
    while (*text != '\0') {
        AUTO_STR line = {0};
        size_t n = strcspn(text, "\n");
        str_add_n(&line, text, n);
        int columns = str_columns(str_text(&line));
        rows += columns > width ? (columns + width - 1) / width : 1;
        text += n + (text[n] == '\n');
    }
    return rows;
}

static int put(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

void terminal_print(const char *text)
{
    int rc = put(STDOUT_FILENO, text);
    if (lost == 0 && rc != -EPIPE)
        lost = rc;
}

int terminal_lost(void)
{
    return lost;
}

void terminal_note(const char *text)
{
    (void)put(STDERR_FILENO, text);
}
