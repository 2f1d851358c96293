/* Errors: one sentence and one code, in a struct that the caller owns.
 *
 * A fallible function returns an int: 0 or more is fine, a negative errno value has
 * failed, and `err` (its last parameter, NULL allowed) then holds the sentence. Only the
 * first detector writes it; a layer that knows a better name puts that in front
 * (gm_prefix): "jobspecs/a.yaml:7:3: ranks: must be 1 or more".
 *
 * Codes with one meaning all over Gridmill:
 *   -EINVAL      the input is wrong (a jobspec, an argument, a file's content)
 *   -ENOENT      a thing that was named is not there
 *   -ENOSPC      does not fit now: wait                (also: the disk is full)
 *   -EOVERFLOW   can never fit on this machine: reject
 *   -ENODEV      not on this machine (no such device, no such instruction set)
 *   -ECANCELED   asked to stop: signal, walltime
 *   -EOWNERDEAD  a rank of the group is lost
 *   -ETIMEDOUT   took longer than its limit
 */
#ifndef GRIDMILL_ERROR_H
#define GRIDMILL_ERROR_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define GM_PRINTF(fmt, args)
#endif

struct gm_error {
    int code;       /* 0, or a negative errno value */
    char text[508]; /* one sentence, the exact cause; cut to fit, always terminated */
};

/* Sets `err` (if there is one) and returns `code`, so that failing is one line. */
GM_PRINTF(3, 4)
static inline int gm_fail(struct gm_error *err, int code, const char *fmt, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, fmt);
        err->code = code;
        (void)vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
    }
    return code;
}

/* clang's analyzer does not look into variadic functions: this tells it what is returned.
 */
#ifdef __clang_analyzer__
#define gm_fail(err, code, ...) ((void)(gm_fail)(err, code, __VA_ARGS__), (code))
#endif

/* Puts "what: " in front of the sentence that is there; returns err's code (0 without
 * err). */
GM_PRINTF(2, 3)
static inline int gm_prefix(struct gm_error *err, const char *fmt, ...)
{
    if (err == NULL)
        return 0;
    char front[sizeof(err->text)], rest[sizeof(err->text)];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(front, sizeof(front), fmt, args);
    va_end(args);
    memcpy(rest, err->text, sizeof(rest));
    size_t used = strlen(front);
    if (used > sizeof(err->text) - 3)
        used = sizeof(err->text) - 3;
    memcpy(err->text, front, used);
    memcpy(err->text + used, ": ", 2);
    used += 2;
    size_t room = sizeof(err->text) - 1 - used, n = strlen(rest);
    if (n > room)
        n = room;
    memcpy(err->text + used, rest, n);
    err->text[used + n] = '\0';
    return err->code;
}

#ifdef __cplusplus
}
#endif
#endif
