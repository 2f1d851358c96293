#include "kernels/model/tokenizer_words.h"
#include "tokenizer_files.h"

static struct tokenizer *small(void)
{
    size_t v_len = 0, m_len = 0;
    AUTO_FREE(char) v = golden_tokenizer("vocab.json", &v_len);
    AUTO_FREE(char) m = golden_tokenizer("merges.txt", &m_len);
    struct tokenizer *t = NULL;
    struct gm_error err = {0};
    cr_assert_eq(tokenizer_gpt2("t", v, v_len, m, m_len, &t, &err), 0, "%s", err.text);
    return t;
}

/* "68656c6c6f 12 13": bytes in hex ("-": none), then ids. */
static size_t read_case(const char *line, char *text, int32_t *ids, size_t *ret_n)
{
    size_t len = 0, n = 0;
    const char *p = line;
    unsigned byte;
    if (*p == '-')
        p++;
    for (; *p != ' ' && *p != '\n' && sscanf(p, "%2x", &byte) == 1; p += 2)
        text[len++] = (char)byte;
    while (*p == ' ') {
        char *end;
        ids[n++] = (int32_t)strtol(p, &end, 10);
        p = end;
    }
    *ret_n = n;
    return len;
}

Test(tokenizer_gpt2, ids_are_those_of_hugging_faces_library)
{
    struct tokenizer *t = small();
    size_t len = 0, cases = 0;
    AUTO_FREE(char) all = golden_tokenizer("cases.txt", &len);
    for (const char *line = all; *line != '\0'; line = strchr(line, '\n') + 1, cases++) {
        char text[4096];
        int32_t want[4096], got[4096];
        size_t n_want = 0, n = 0, size = read_case(line, text, want, &n_want);
        struct gm_error err = {0};
        cr_assert_eq(tokenizer_encode(t, text, size, got, &n, &err), 0, "%s", err.text);
        bool same = n == n_want && memcmp(got, want, n * sizeof(*got)) == 0;
        cr_expect(same,
                  "case %zu: %zu ids, not %zu: '%.*s'",
                  cases,
                  n,
                  n_want,
                  (int)size,
                  text);
        round_trip(t, text, size);
    }
    cr_expect_gt(cases, 300);
    tokenizer_free(t);
}

/* The merges of a word the plain way: of all neighbours the lowest line of merges.txt. */
static size_t slow_word(struct tokenizer *t,
                        char **left,
                        char **right,
                        size_t n_merges,
                        const char *word,
                        size_t len,
                        int32_t *ret)
{
    char parts[64][64];
    size_t n = len;
    for (size_t i = 0; i < len; i++)
        (void)snprintf(parts[i], sizeof(parts[i]), "%c", word[i]);
    for (;;) {
        size_t best = n_merges, at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            for (size_t m = 0; m < best; m++) {
                if (strcmp(left[m], parts[i]) == 0 &&
                    strcmp(right[m], parts[i + 1]) == 0) {
                    best = m;
                    at = i;
                }
            }
        }
        if (best == n_merges)
            break;
        memcpy(parts[at] + strlen(parts[at]), parts[at + 1], strlen(parts[at + 1]) + 1);
        memmove(parts[at + 1], parts[at + 2], (n - at - 2) * sizeof(parts[0]));
        n--;
    }
    for (size_t i = 0; i < n; i++)
        ret[i] = tokenizer_find(t, parts[i], strlen(parts[i]));
    return n;
}

/* Merges of ASCII letters alone; false at the end of the file. */
static size_t letter_merges(char *text, char **left, char **right)
{
    size_t n = 0;
    for (char *line = text + strcspn(text, "\n") + 1; *line != '\0';) {
        char *end = strchr(line, '\n'), *blank = strchr(line, ' ');
        *end = *blank = '\0';
        bool letters = strspn(line, "abcdefghijklmnopqrstuvwxyz") == strlen(line);
        if (letters) {
            left[n] = line;
            right[n++] = blank + 1;
        }
        line = end + 1;
    }
    return n;
}

Test(tokenizer_gpt2, long_and_short_words_are_merged_the_same_way)
{
    struct tokenizer *t = small();
    size_t len = 0;
    AUTO_FREE(char) text = golden_tokenizer("merges.txt", &len);
    char *left[1000], *right[1000];
    size_t n_merges = letter_merges(text, left, right);
    struct philox p = philox_make(3, 0);
    cr_assert_gt(n_merges, 100);
    for (unsigned round = 0; round < 300; round++) {
        char word[64];
        int32_t want[64], got[64];
        size_t size = 1 + philox_below(&p, 50), n = 0;
        random_text(&p, round % 2 == 0 ? "theandouris" : "thaeio", size, word);
        size_t n_want = slow_word(t, left, right, n_merges, word, size, want);
        cr_assert_eq(tokenizer_encode(t, word, size, got, &n, NULL), 0);
        cr_assert_eq(n, n_want, "%.*s", (int)size, word);
        cr_assert(memcmp(got, want, n * sizeof(*got)) == 0, "%.*s", (int)size, word);
    }
    tokenizer_free(t);
}

Test(tokenizer_gpt2, any_bytes_come_back)
{
    struct tokenizer *t = small();
    struct philox p = philox_make(7, 0);
    for (unsigned round = 0; round < 200; round++) {
        char text[400];
        size_t n = philox_below(&p, sizeof(text) + 1);
        random_text(&p, round % 2 == 0 ? NULL : "the \n'sll\xc3\xa9\xe5 12", n, text);
        round_trip(t, text, n);
    }
    cr_expect(tokenizer_end(t) == (int32_t)tokenizer_vocab(t) - 1);
    cr_expect_eq(tokenizer_find(t, "<|endoftext|>", 13), tokenizer_end(t));
    tokenizer_free(t);
}

Test(tokenizer_gpt2, words_that_begin_alike_are_not_taken_for_each_other)
{
    /* more than are remembered, each twice */
    struct tokenizer *t = small();
    AUTO_STR text = {0};
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 60000; i++) {
            str_add(&text, " withthe");
            for (unsigned d = 0; d < 4; d++)
                str_add_n(&text, &"ethnsrod"[i >> (3 * d) & 7], 1);
            str_add(&text, i >> 12 == 0 ? "e" : i % 2 == 0 ? "ther" : "and");
        }
        round_trip(t, text.text, text.len);
    }
    tokenizer_free(t);
}

Test(tokenizer_gpt2, words_go_on_to_the_end_of_a_long_text)
{
    /* what takes time by the square of the text shows here */
    size_t n = (size_t)1 << 20, made = 0;
    AUTO_FREE(char) text = malloc(n);
    AUTO_FREE(int32_t) ids = calloc(n + 1, sizeof(*ids));
    struct tokenizer *t = small();
    memset(text, 'a', n);
    cr_assert_eq(tokenizer_encode(t, text, n, ids, &made, NULL), 0);
    memset(text, ' ', n);
    cr_assert_eq(tokenizer_encode(t, text, n, ids, &made, NULL), 0);
    cr_expect_eq(tokenizer_word((const unsigned char *)text, n, 0), n);
    text[n - 1] = 'x';
    cr_expect_eq(tokenizer_word((const unsigned char *)text, n, 0), n - 2);
    tokenizer_free(t);
}

static void refused(const char *vocab, const char *merges, const char *want)
{
    struct tokenizer *t = NULL;
    struct gm_error err = {0};
    int rc = tokenizer_gpt2("v", vocab, strlen(vocab), merges, strlen(merges), &t, &err);
    cr_expect_eq(rc, -EINVAL, "%s / %s", vocab, merges);
    cr_expect_not_null(strstr(err.text, want), "%s", err.text);
    tokenizer_free(t);
}

Test(tokenizer_gpt2, files_that_lie_are_refused)
{
    refused("", "", "is not the JSON object of tokens and ids");
    refused("{}", "", "is not the JSON object");
    refused("[\"a\"]", "", "is not the JSON object");
    refused("{\"a\":0,}", "", "is not the JSON object");
    refused("{\"a\":0} x", "", "is not the JSON object");
    refused("{\"a\":-1}", "", "is not the JSON object");
    refused("{\"a\":0.5}", "", "is not the JSON object");
    refused("{\"a\":1}", "", "token 'a' has the id 1: the ids of 1 tokens are 0 to 0");
    refused("{\"a\":0,\"b\":0}", "", "token 'b' has the id 0");
    refused("{\"a\":0,\"a\":1}", "", "token 'a' is there twice");
    refused("{\"a\":0,\"b\":1,\"ab\":2}", "a b\nb b\n", "line 2 is no merge");
    refused("{\"a\":0,\"b\":1}", "a b", "line 1 is no merge");
    refused("{\"a\":0,\"aa\":1}", "#version: 0.2\na  a", "line 2 is no merge");
    refused("{\"a\":0,\"aa\":1}", "a a \n", "line 1 is no merge");
    refused("{\"a\":0,\"aa\":1}", " a\n", "line 1 is no merge");
    refused("{\"a\":0,\"aa\":1}", "aa\n", "line 1 is no merge");
}

Test(tokenizer_gpt2, a_byte_without_a_token_is_named)
{
    static const char vocab[] = "{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3}";
    struct tokenizer *t = NULL;
    struct gm_error err = {0};
    int32_t ids[8];
    size_t n = 0;
    cr_assert_eq(
        tokenizer_gpt2(
            "v", vocab, strlen(vocab), "#version: 0.2\r\na b\r\n\r\n", 22, &t, &err),
        0,
        "%s",
        err.text);
    cr_assert_eq(tokenizer_encode(t, "ab b", 4, ids, &n, &err), 0, "%s", err.text);
    cr_expect(n == 3 && ids[0] == 2 && ids[1] == 3 && ids[2] == 1);
    cr_expect_eq(tokenizer_encode(t, "abc", 3, ids, &n, &err), -EINVAL);
    cr_expect_str_eq(err.text, "text: the byte 0x63 at 2 has no token in the vocabulary");
    tokenizer_free(t);
}
