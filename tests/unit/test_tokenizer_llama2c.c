#include "tokenizer_files.h"
#include <math.h>

/* llama2.c's own way, written plainly: every round all neighbours are tried, their bytes
 * put together and searched for among all tokens; the best score, the first of equals,
 * wins. */
struct slow {
    const char *bytes[2048];
    size_t lens[2048], n;
    float scores[2048];
};

static void slow_read(struct slow *s, const char *file, size_t len)
{
    s->n = 0;
    for (size_t at = 4; at < len; s->n++) {
        int32_t size;
        memcpy(&s->scores[s->n], file + at, 4);
        memcpy(&size, file + at + 4, 4);
        s->bytes[s->n] = file + at + 8;
        s->lens[s->n] = (size_t)size;
        at += 8 + (size_t)size;
    }
}

static int32_t slow_find(const struct slow *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < s->n; i++) {
        if (len > 0 && s->lens[i] == len && memcmp(s->bytes[i], bytes, len) == 0)
            return (int32_t)i;
    }
    return -1;
}

static size_t slow_start(const struct slow *s, const char *text, size_t len, int32_t *ids)
{
    size_t n = 0;
    ids[n++] = slow_find(s, " ", 1) >= 0 ? slow_find(s, " ", 1) : 3 + ' ';
    for (size_t at = 0; at < len;) {
        size_t w = 1;
        while (w < 4 && at + w < len && ((unsigned char)text[at + w] & 0xC0) == 0x80)
            w++;
        int32_t id = slow_find(s, text + at, w);
        if (id >= 0)
            ids[n++] = id;
        else
            for (size_t i = 0; i < w; i++)
                ids[n++] = 3 + (unsigned char)text[at + i];
        at += w;
    }
    return n;
}

static size_t
slow_encode(const struct slow *s, const char *text, size_t len, int32_t *ids)
{
    size_t n = len == 0 ? 0 : slow_start(s, text, len, ids);
    for (;;) {
        float best = -1e10F;
        int32_t best_id = -1;
        size_t best_at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            char both[128];
            size_t a = s->lens[ids[i]], b = s->lens[ids[i + 1]];
            if (a + b > sizeof(both))
                continue;
            memcpy(both, s->bytes[ids[i]], a);
            memcpy(both + a, s->bytes[ids[i + 1]], b);
            int32_t id = slow_find(s, both, a + b);
            if (id >= 0 && s->scores[id] > best) {
                best = s->scores[id];
                best_id = id;
                best_at = i;
            }
        }
        if (best_id < 0)
            return n;
        ids[best_at] = best_id;
        memmove(&ids[best_at + 1], &ids[best_at + 2], (n - best_at - 2) * sizeof(*ids));
        n--;
    }
}

static void
same_as_slow(struct tokenizer *t, const struct slow *s, const char *text, size_t len)
{
    AUTO_FREE(int32_t) fast = calloc(len + 2, sizeof(*fast));
    AUTO_FREE(int32_t) slow = calloc(len + 2, sizeof(*slow));
    struct gm_error err = {0};
    size_t n = 0, want = slow_encode(s, text, len, slow);
    cr_assert_eq(tokenizer_encode(t, text, len, fast, &n, &err), 0, "%s", err.text);
    cr_assert_eq(n, want, "%zu ids, not %zu: '%.*s'", n, want, (int)len, text);
    cr_assert(memcmp(fast, slow, n * sizeof(*fast)) == 0, "'%.*s'", (int)len, text);
}

static void many_texts(const char *file, size_t len, bool back)
{
    static struct slow s;
    static const char *const pools[] = {
        NULL, "ab ", "aabbbab", "the dog, and\n", "a\xc3\xa9\xe5 <0x1>"};
    struct tokenizer *t = NULL;
    struct gm_error err = {0};
    struct philox p = philox_make(11, 0);
    slow_read(&s, file, len);
    cr_assert_eq(tokenizer_llama2c("t", file, len, &t, &err), 0, "%s", err.text);
    for (unsigned round = 0; round < 300; round++) {
        char text[150];
        size_t n = philox_below(&p, sizeof(text) + 1);
        random_text(&p, pools[round % 5], n, text);
        same_as_slow(t, &s, text, n);
        if (back)
            round_trip(t, text, n);
    }
    tokenizer_free(t);
}

Test(tokenizer_llama2c, merges_are_those_of_the_plain_way)
{
    static const char *const tokens[] = {
        " ",         "a",    "b",  "ab",  "ba",   "aab", "abab", " a", " ab",
        "b ",        "bb",   "th", "the", " the", "t",   "h",    "e",  "he",
        "d",         "o",    "g",  "og",  " dog", "dog", ",",    "\n", "\xc3\xa9",
        "a\xc3\xa9", "aaaa", "aa", "nd",  "n",    "and", " and"};
    AUTO_STR file = {0};
    put_first_tokens(&file, 8);
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]);
         i++) /* every second one ties */
        put_token(&file, -(float)(i * 7 % 31 / 2), tokens[i], strlen(tokens[i]));
    many_texts(file.text, file.len, true);
    /* a token twice, an empty one, one that never merges, and one made of a byte's name:
     * then no text may be cut */
    put_token(&file, 9, "ab", 2);
    put_token(&file, 9, "", 0);
    put_token(&file, -2e10F, "ttt", 3);
    put_token(&file, -2e10F, "tt", 2);
    many_texts(file.text, file.len, true);
    put_token(&file, 5, "<0xE5>a", 7);
    many_texts(file.text, file.len, false); /* such a token is decoded as it is written */
}

Test(tokenizer_llama2c, words_and_special_ids)
{
    AUTO_STR file = {0};
    AUTO_STR out = {0};
    struct tokenizer *t = NULL;
    struct gm_error err = {0};
    int32_t ids[16];
    size_t n = 0, len = 0;
    put_first_tokens(&file, 8);
    put_token(&file, -1, " ", 1);
    put_token(&file, -2, "h", 1);
    put_token(&file, -3, "i", 1);
    put_token(&file, -4, "hi", 2);
    put_token(&file, -5, " hi", 3);
    cr_assert_eq(
        tokenizer_llama2c("t", file.text, file.len, &t, &err), 0, "%s", err.text);
    cr_assert_eq(tokenizer_encode(t, "hi hi\xff", 6, ids, &n, &err), 0);
    cr_expect(n == 3 && ids[0] == 263 && ids[1] == 263 && ids[2] == 3 + 255);
    cr_expect(tokenizer_begin(t) == 1 && tokenizer_end(t) == 2 &&
              tokenizer_vocab(t) == 264);
    /* the blank goes at the start of a text, and after its begin; special ids say nothing
     */
    cr_assert_eq(tokenizer_decode(t, (int32_t[]){1, 263, 263, 2, 1, 263}, 6, &out, &err),
                 0);
    cr_expect_str_eq(out.text, "hi hihi");
    cr_expect_eq(tokenizer_bytes(t, 3 + 'A', &len)[0], 'A');
    cr_expect_eq(len, 1);
    cr_assert_eq(tokenizer_encode(t, "", 0, ids, &n, &err), 0);
    cr_expect_eq(n, 0);
    tokenizer_free(t);
}

Test(tokenizer_llama2c, of_equal_scores_the_leftmost_merges)
{
    AUTO_STR file = {0};
    struct tokenizer *t = NULL;
    struct gm_error err = {0};
    int32_t ids[8];
    size_t n = 0;
    put_first_tokens(&file, 8);
    put_token(&file, -9, " ", 1);
    put_token(&file, -9, "a", 1);
    put_token(&file, -9, "b", 1);
    put_token(&file, -1, "ab", 2);
    put_token(&file, -1, "ba", 2);
    cr_assert_eq(
        tokenizer_llama2c("t", file.text, file.len, &t, &err), 0, "%s", err.text);
    cr_assert_eq(tokenizer_encode(t, "aba", 3, ids, &n, &err), 0);
    cr_expect(n == 3 && ids[1] == 262 && ids[2] == 260);
    cr_assert_eq(tokenizer_encode(t, "bab", 3, ids, &n, &err), 0);
    cr_expect(n == 3 && ids[1] == 263 && ids[2] == 261);
    tokenizer_free(t);
}

static void refused(const struct str *file, size_t len, const char *want)
{
    struct tokenizer *t = NULL;
    struct gm_error err = {0};
    AUTO_FREE(char) tight = malloc(len + 1);
    memcpy(tight, str_text(file), len);
    char *exact = realloc(tight, len == 0 ? 1 : len);
    tight = exact;
    cr_expect_eq(
        tokenizer_llama2c("t.bin", tight, len, &t, &err), -EINVAL, "at %zu", len);
    cr_expect_not_null(strstr(err.text, want), "%s", err.text);
    tokenizer_free(t);
}

Test(tokenizer_llama2c, a_file_that_lies_is_refused)
{
    AUTO_STR file = {0};
    put_first_tokens(&file, 8);
    refused(&file, 0, "is no tokenizer.bin");
    refused(&file, 3, "is no tokenizer.bin");
    refused(&file, 4, "has no token <0x00> at id 3");
    refused(&file, 9, "token 0 is cut off");
    refused(&file, 13, "token 0 reaches beyond the end");
    refused(&file, file.len - 14, "has no token <0x00> at id 3");
    size_t whole = file.len;
    put_token(&file, NAN, "x", 1);
    refused(&file, file.len, "token 259 has a score that is no number");
    file.len = whole;
    put_token(&file, 0, "a\0b", 3);
    refused(&file, file.len, "token 259 has a zero byte");
    file.len = whole;
    put_token(&file, 0, "123456789", 9);
    refused(&file, file.len, "longer than the file says");
    file.len = whole;
    put_token(&file, 0, "x", 1);
    memset(file.text + file.len - 5, 0xff, 4);
    refused(&file, file.len, "token 259 reaches beyond the end");
    memset(file.text, 0xff, 4);
    refused(&file, file.len, "its longest token would have -1 bytes");
}

Test(tokenizer_llama2c, a_real_vocabulary_is_merged_as_llama2c_does)
{
    const char *root = getenv("GRIDMILL_TEST_DATA");
    if (root == NULL)
        cr_skip("GRIDMILL_TEST_DATA is not set");
    AUTO_STR path = {0};
    AUTO_FREE(char) file = NULL;
    AUTO_FREE(char) story = NULL;
    size_t len = 0, story_len = 0;
    struct gm_error err = {0};
    struct tokenizer *t = NULL;
    static struct slow s;
    str_printf(&path, "%s/models/stories260K/tok512.bin", root);
    cr_assert_eq(file_read(path.text, 1 << 20, &file, &len, &err), 0, "%s", err.text);
    many_texts(file, len, true);
    str_clear(&path);
    str_printf(&path, "%s/models/stories260K/expected_temp0_200steps.txt", root);
    cr_assert_eq(file_read(path.text, 1 << 20, &story, &story_len, &err), 0);
    slow_read(&s, file, len);
    cr_assert_eq(tokenizer_llama2c("t", file, len, &t, &err), 0, "%s", err.text);
    same_as_slow(t, &s, story, story_len);
    round_trip(t, story, story_len);
    cr_expect_eq(tokenizer_vocab(t), 512);
    tokenizer_free(t);
}
