/* What the fuzz targets share. A target takes any bytes and asserts what holds for all of
 * them: what was read and written again is read as the same, and what was refused says
 * why. A failed FUZZ_CHECK ends the process; the driver (libFuzzer, or replay.c) keeps or
 * names the input. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "gridmill/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(holds, ...)                                                           \
    do {                                                                                 \
        if (!(holds)) {                                                                  \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds);    \
            (void)fprintf(stderr, "  " __VA_ARGS__);                                     \
            (void)fputc('\n', stderr);                                                   \
            abort();                                                                     \
        }                                                                                \
    } while (0)

/* The input as text, up to its first NUL; yours to free. A copy of its own size, so that
 * the address sanitizer sees a read beyond. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    size_t n = strnlen((const char *)data, size);
    char *text = malloc(n + 1);
    if (text == NULL)
        abort();
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    return text;
}

/* A refusal: the right code, and a sentence. */
static inline void
fuzz_refused(int rc, int code, const struct gm_error *err, const char *text)
{
    FUZZ_CHECK(rc == code, "returned %d: %s", rc, text);
    FUZZ_CHECK(err->text[0] != '\0', "refused without a word: %s", text);
}

#endif
