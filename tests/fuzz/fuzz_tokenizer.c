/* model/tokenizer.h: vocabularies from any bytes. What is accepted encodes the rest of
 * the input within its promised room, to ids that are there, and gives the same bytes
 * back, at once and id by id. Input: a byte for the kind; "len16 vocabulary text", or for
 * GPT-2 "len16 len16 vocabulary merges text". llama2.c's fixed first tokens are put
 * before. */
#include "base/auto.h"
#include "base/str.h"
#include "fuzz.h"
#include "kernels/model/tokenizer.h"

struct input {
    const uint8_t *at;
    size_t left;
};

static const uint8_t *take(struct input *in, size_t want, size_t *ret_len)
{
    const uint8_t *at = in->at;
    *ret_len = want < in->left ? want : in->left;
    in->at += *ret_len;
    in->left -= *ret_len;
    return at;
}

static size_t take_length(struct input *in)
{
    size_t n = 0;
    const uint8_t *p = take(in, 2, &n);
    return n == 2 ? (size_t)(p[0] | p[1] << 8) : 0;
}

static void put_token(struct str *s, const char *bytes)
{
    float score = 0;
    int32_t n = (int32_t)strlen(bytes);
    str_add_n(s, (const char *)&score, 4);
    str_add_n(s, (const char *)&n, 4);
    str_add(s, bytes);
}

static int
make_llama2c(const uint8_t *bytes, size_t n, struct tokenizer **ret, struct gm_error *err)
{
    AUTO_STR file = {0};
    int32_t longest = 16;
    str_add_n(&file, (const char *)&longest, 4);
    put_token(&file, "<unk>");
    put_token(&file, "<s>");
    put_token(&file, "</s>");
    for (unsigned b = 0; b < 256; b++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "<0x%02X>", b);
        put_token(&file, name);
    }
    str_add_n(&file, (const char *)bytes, n);
    return tokenizer_llama2c("input", file.text, file.len, ret, err);
}

static void
check(struct tokenizer *t, const uint8_t *text, size_t len, bool total, bool back)
{
    AUTO_FREE(int32_t) ids = malloc((tokenizer_most(t, len) + 1) * sizeof(*ids));
    AUTO_STR whole = {0};
    AUTO_STR parts = {0};
    struct tokenizer_stream s;
    struct gm_error err = {0};
    size_t n = 0;
    int rc = tokenizer_encode(t, text, len, ids, &n, &err);
    if (rc != 0) {
        FUZZ_CHECK(!total, "%s", err.text);
        fuzz_refused(rc, -EINVAL, &err, "text");
        return;
    }
    FUZZ_CHECK(n <= tokenizer_most(t, len), "%zu ids of %zu bytes", n, len);
    FUZZ_CHECK(tokenizer_decode(t, ids, n, &whole, &err) == 0, "%s", err.text);
    tokenizer_stream_begin(&s, t);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(tokenizer_stream_put(&s, ids[i], &parts, &err) == 0, "%s", err.text);
    tokenizer_stream_end(&s, &parts);
    FUZZ_CHECK(strcmp(str_text(&parts), str_text(&whole)) == 0 && parts.len == whole.len,
               "%zu and %zu bytes",
               parts.len,
               whole.len);
    FUZZ_CHECK(!back ||
                   (whole.len == len && (len == 0 || memcmp(whole.text, text, len) == 0)),
               "%zu bytes of %zu",
               whole.len,
               len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(tokenizer) t = NULL;
    struct input in = {data, size};
    struct gm_error err = {0};
    size_t n = 0, first, second = 0, merges_len = 0;
    const uint8_t *kind = take(&in, 1, &n);
    unsigned which = n == 1 ? *kind % 3 : 0;
    first = take_length(&in);
    if (which == 2)
        second = take_length(&in);
    const uint8_t *vocab = take(&in, first, &n);
    const uint8_t *merges = take(&in, second, &merges_len);
    bool names = memmem(vocab, n, "<0x", 3) != NULL;
    int rc = which == 0 ? tokenizer_char("input", vocab, n, &t, &err)
             : which == 1
                 ? make_llama2c(vocab, n, &t, &err)
                 : tokenizer_gpt2("input", vocab, n, merges, merges_len, &t, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, "vocabulary");
        return 0;
    }
    check(t, in.at, in.left, which == 1, !(which == 1 && names));
    return 0;
}
