/* Text to tokens: megabytes of text encoded a second by one thread, beside the rate at
 * which this machine copies memory: the text is read and four bytes an id are written, no
 * less. One JSON line a tokenizer and text (bench/README.md has the schema).
 *
 *   bench_text
 *
 * The texts: Shakespeare's where GRIDMILL_TEST_DATA is set, and made-up words, a million
 * bytes, common ones often. llama2.c's vocabulary needs GRIDMILL_TEST_DATA too. */
#include "base/clock.h"
#include "base/memory.h"
#include "kernels/io/stream.h"
#include "kernels/model/tokenizer.h"
#include "kernels/op/philox.h"
#include "lines.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TURNS 9

/* Seconds of a copy that moves `bytes`, half of them read and half written. */
static double copy(char *to, const char *from, size_t bytes)
{
    double start = clock_monotonic();
    memcpy(to, from, bytes / 2);
    __asm__ volatile("" : : "r"(to) : "memory");
    return clock_monotonic() - start;
}

static int
bench(struct tokenizer *t, const char *what, const struct str *text, struct gm_error *err)
{
    AUTO_FREE(int32_t) ids = xcalloc(tokenizer_most(t, text->len), sizeof(*ids));
    struct samples ours = {0}, floor = {0};
    size_t n = 0;
    char name[96];
    int rc = tokenizer_encode(t, text->text, text->len, ids, &n, err);
    size_t bytes = text->len + n * sizeof(*ids);
    AUTO_FREE(char) from = xcalloc(bytes, 1);
    AUTO_FREE(char) to = xcalloc(bytes, 1);
    memset(from, 1, bytes);
    (void)copy(to, from, bytes);
    for (unsigned turn = 0; turn < TURNS && rc == 0; turn++) {
        double start = clock_monotonic();
        rc = tokenizer_encode(t, text->text, text->len, ids, &n, err);
        ours.v[ours.n++] = (double)text->len / (clock_monotonic() - start) * 1e-6;
        floor.v[floor.n++] = (double)text->len / copy(to, from, bytes) * 1e-6;
    }
    if (rc != 0)
        return rc;
    (void)snprintf(name, sizeof(name), "encode %s, %s", tokenizer_name(t), what);
    line(name,
         "MB/s",
         &ours,
         quantile(&floor, 0.5),
         "memcpy of as many bytes as the text and its ids",
         0);
    return 0;
}

/* Words of letters of which the first are the commonest, a blank or a newline behind
 * each. */
static void make_up(struct str *ret)
{
    enum { WORDS = 5000, LONGEST = 9, BYTES = 1000000 };
    AUTO_FREE(char) words = xcalloc(WORDS, LONGEST + 1);
    struct philox p = philox_make(1, 0);
    for (size_t w = 0; w < WORDS; w++) {
        size_t len = 2 + philox_below(&p, LONGEST - 1);
        for (size_t i = 0; i < len; i++)
            words[w * (LONGEST + 1) + i] = "etaoinshrdlucmfw"[philox_below(&p, 16)];
    }
    while (ret->len < BYTES) {
        double u = (double)philox_below(&p, 1U << 20) / (1U << 20);
        size_t w = (size_t)(pow(u, 4) * WORDS);
        str_add(ret, &words[w * (LONGEST + 1)]);
        str_add(ret, philox_below(&p, 12) == 0 ? "\n" : " ");
    }
}

static int read_all(const char *path, struct str *ret, struct gm_error *err)
{
    AUTO(stream) s = NULL;
    char part[65536];
    int64_t n = stream_open(path, &s, err);
    while (n >= 0 && (n = stream_read(s, part, sizeof(part), err)) > 0)
        str_add_n(ret, part, (size_t)n);
    return (int)n;
}

static int bench_text(const char *what, const struct str *text, struct gm_error *err)
{
    AUTO(tokenizer) chars = NULL;
    AUTO(tokenizer) gpt2 = NULL;
    AUTO(tokenizer) llama = NULL;
    AUTO_STR path = {0};
    const char *root = getenv("GRIDMILL_TEST_DATA");
    int rc = tokenizer_char(what, text->text, text->len, &chars, err);
    if (rc == 0)
        rc = bench(chars, what, text, err);
    if (rc == 0)
        rc = tokenizer_gpt2_open(
            BENCH_GOLDEN "/vocab.json", BENCH_GOLDEN "/merges.txt", &gpt2, err);
    if (rc == 0)
        rc = bench(gpt2, what, text, err);
    if (rc != 0 || root == NULL)
        return rc;
    str_printf(&path, "%s/models/stories260K/tok512.bin", root);
    rc = tokenizer_llama2c_open(path.text, &llama, err);
    return rc == 0 ? bench(llama, what, text, err) : rc;
}

int main(void)
{
    AUTO_STR made = {0};
    AUTO_STR path = {0};
    AUTO_STR plays = {0};
    struct gm_error err = {0};
    const char *root = getenv("GRIDMILL_TEST_DATA");
    make_up(&made);
    int rc = bench_text("made-up words", &made, &err);
    if (rc == 0 && root != NULL) {
        str_printf(&path, "%s/datasets/text/tinyshakespeare.txt.gz", root);
        rc = read_all(path.text, &plays, &err);
    }
    if (rc == 0 && plays.len > 0)
        rc = bench_text("Shakespeare", &plays, &err);
    if (rc != 0)
        (void)fprintf(stderr, "bench_text: %s\n", err.text);
    return rc == 0 ? 0 : 1;
}
