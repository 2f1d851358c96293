/* One line to standard error, "program: text". Only mains, engine and (later) daemon log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "gridmill/error.h"
#include <stdbool.h>

enum log_level {
    LOG_QUIET = -1, /* errors alone */
    LOG_NORMAL = 0, /* and warnings and notes */
    LOG_VERBOSE = 1 /* and why */
};

/* Once, by main; `program` must outlive all calls. */
void log_open(const char *program, enum log_level level);
enum log_level log_at(void);

GM_PRINTF(1, 2) void log_error(const char *fmt, ...);
GM_PRINTF(1, 2) void log_note(const char *fmt, ...);    /* at LOG_NORMAL */
GM_PRINTF(1, 2) void log_verbose(const char *fmt, ...); /* at LOG_VERBOSE */

#endif
