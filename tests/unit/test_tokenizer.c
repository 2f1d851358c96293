#include "tokenizer_files.h"

Test(tokenizer, bytes_are_their_own_ids)
{
    struct tokenizer *t = tokenizer_byte();
    int32_t ids[8];
    size_t n = 0, len = 0;
    struct gm_error err = {0};
    cr_assert_eq(tokenizer_encode(t, "a\0\xff", 3, ids, &n, &err), 0);
    cr_expect(n == 3 && ids[0] == 'a' && ids[1] == 0 && ids[2] == 255);
    cr_expect(tokenizer_vocab(t) == 256 && tokenizer_begin(t) == TOKENIZER_NONE);
    cr_expect_str_eq(tokenizer_name(t), "byte");
    cr_expect_null(tokenizer_saved(t, &len));
    cr_expect_eq(tokenizer_find(t, "\n", 1), '\n');
    cr_expect_eq(tokenizer_find(t, "ab", 2), TOKENIZER_NONE);
    char text[999];
    struct philox p = philox_make(5, 0);
    random_text(&p, NULL, sizeof(text), text);
    round_trip(t, text, sizeof(text));
    round_trip(t, "", 0);
    struct str back = {0};
    cr_expect_eq(tokenizer_decode(t, (int32_t[]){256}, 1, &back, &err), -EINVAL);
    cr_expect_str_eq(err.text, "256 is no token: the vocabulary has 256");
    cr_expect_eq(tokenizer_decode(t, (int32_t[]){-1}, 1, &back, &err), -EINVAL);
    tokenizer_free(t);
}

Test(tokenizer, characters_are_numbered_by_code_point_and_restored)
{
    static const char text[] = "zoo \xf0\x9f\xa6\x99 a\xc3\xa9\n\xe5\xad\x97 zoo";
    /* \n ' ' a o z e-acute the-sign the-llama */
    static const int32_t want[] = {4, 3, 3, 1, 7, 1, 2, 5, 0, 6, 1, 4, 3, 3};
    struct tokenizer *t = NULL, *again = NULL;
    struct gm_error err = {0};
    int32_t ids[32];
    size_t n = 0, len = 0;
    cr_assert_eq(
        tokenizer_char("t", text, sizeof(text) - 1, &t, &err), 0, "%s", err.text);
    cr_assert_eq(tokenizer_encode(t, text, sizeof(text) - 1, ids, &n, &err), 0);
    cr_assert_eq(n, sizeof(want) / sizeof(want[0]));
    cr_expect_arr_eq(ids, want, sizeof(want));
    cr_expect_eq(tokenizer_vocab(t), 8);
    round_trip(t, text, sizeof(text) - 1);
    const char *saved = tokenizer_saved(t, &len);
    cr_assert_eq(tokenizer_char("s", saved, len, &again, &err), 0);
    cr_assert_eq(tokenizer_encode(again, text, sizeof(text) - 1, ids, &n, &err), 0);
    cr_expect_arr_eq(ids, want, sizeof(want));
    cr_expect_eq(tokenizer_encode(t, "zoq", 3, ids, &n, &err), -EINVAL);
    cr_expect_str_eq(
        err.text,
        "text: the character 'q' (U+0071) at byte 2 is not in the vocabulary "
        "of 8 characters");
    cr_expect_eq(tokenizer_encode(t, "z\xc3", 2, ids, &n, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "byte 1 is not UTF-8"));
    tokenizer_free(t);
    tokenizer_free(again);
}

Test(tokenizer, a_vocabulary_of_characters_needs_characters)
{
    struct tokenizer *t = NULL;
    struct gm_error err = {0};
    cr_expect_eq(tokenizer_char("f.txt", "", 0, &t, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "f.txt: is empty"));
    static const char *const bad[] = {
        "a\x80", "a\xc0\xaf", "a\xed\xa0\x80", "a\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(tokenizer_char("f.txt", bad[i], strlen(bad[i]), &t, &err), -EINVAL);
        cr_expect_not_null(
            strstr(err.text, "f.txt: byte 1 is not UTF-8"), "%s", err.text);
    }
}

Test(tokenizer, a_stream_gives_whole_characters)
{
    struct tokenizer *t = tokenizer_byte();
    static const struct {
        const char *bytes;
        const char *after[7]; /* all that is out after each byte */
    } cases[] = {{"a\xc3\xa9z", {"a", "a", "a\xc3\xa9", "a\xc3\xa9z"}},
                 {"\xf0\x9f\xa6\x99", {"", "", "", "\xf0\x9f\xa6\x99"}},
                 /* broken off, then another character; bytes that begin none */
                 {"\xe5\xad"
                  "a",
                  {"",
                   "",
                   "\xe5\xad"
                   "a"}},
                 {"\xe5\xc3\xa9", {"", "\xe5", "\xe5\xc3\xa9"}},
                 {"\x80\xff\xc0", {"\x80", "\x80\xff", "\x80\xff\xc0"}}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct tokenizer_stream s;
        AUTO_STR out = {0};
        tokenizer_stream_begin(&s, t);
        for (size_t i = 0; cases[c].bytes[i] != '\0'; i++) {
            int32_t id = (unsigned char)cases[c].bytes[i];
            cr_assert_eq(tokenizer_stream_put(&s, id, &out, NULL), 0);
            cr_expect_str_eq(
                str_text(&out), cases[c].after[i], "case %zu, byte %zu", c, i);
        }
    }
    tokenizer_free(t);
}
