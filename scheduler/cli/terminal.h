/* What the two output streams can show. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>

struct terminal {
    bool out, err;               /* is a terminal */
    bool colour_out, colour_err; /* and may be coloured (NO_COLOR, TERM=dumb) */
    bool utf8;                   /* by the locale */
    int width;                   /* columns of the one on stderr; 80 when unknown */
};

void terminal_read(struct terminal *ret);
/* Columns and lines now, of the one on this descriptor; 80 and 24 when unknown. */
void terminal_size(int fd, int *ret_width, int *ret_height);
/* Rows that text takes where lines that are too long are wrapped: to go back over it. */
int terminal_rows(const char *text, int width);
/* A descriptor below 3 that is closed is opened on /dev/null: a file of ours would get
 * its number, and be written to as the terminal. */
void terminal_guard(void);
/* Writes to standard output; a reader that went away is no error. */
void terminal_print(const char *text);
/* 0, or why something that was printed is lost: -ENOSPC, for instance. */
int terminal_lost(void);
/* Writes to standard error, in one piece. */
void terminal_note(const char *text);

#endif
