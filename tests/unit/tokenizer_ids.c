/* The ids of a text, for tests that compare them with other programs'
 * (tests/golden/tokenizer):
 *
 *   tokenizer_ids llama2.c FILE | gpt2 VOCAB MERGES
 *
 * stdin: texts, each with a line of "=" behind it; stdout: a line of ids for each, which
 * is decoded and compared with the text first. */
#include "base/auto.h"
#include "base/file.h"
#include "kernels/model/tokenizer.h"
#include <string.h>

static const char mark[] = "\n=\n";

static int
print_ids(struct tokenizer *t, const char *text, size_t len, struct gm_error *err)
{
    AUTO_FREE(int32_t) ids = calloc(tokenizer_most(t, len) + 1, sizeof(*ids));
    AUTO_STR back = {0};
    size_t n = 0;
    int rc = tokenizer_encode(t, text, len, ids, &n, err);
    if (rc == 0)
        rc = tokenizer_decode(t, ids, n, &back, err);
    if (rc != 0)
        return rc;
    if (back.len != len || (len > 0 && memcmp(back.text, text, len) != 0))
        return gm_fail(
            err, -EINVAL, "'%.*s' comes back as '%s'", (int)len, text, back.text);
    for (size_t i = 0; i < n; i++)
        printf(i == 0 ? "%d" : " %d", ids[i]);
    puts("");
    return 0;
}

static int make(int argc, char **argv, struct tokenizer **ret, struct gm_error *err)
{
    if (argc == 3 && strcmp(argv[1], "llama2.c") == 0)
        return tokenizer_llama2c_open(argv[2], ret, err);
    if (argc == 4 && strcmp(argv[1], "gpt2") == 0)
        return tokenizer_gpt2_open(argv[2], argv[3], ret, err);
    return gm_fail(
        err, -EINVAL, "usage: tokenizer_ids llama2.c FILE | gpt2 VOCAB MERGES");
}

int main(int argc, char **argv)
{
    AUTO(tokenizer) t = NULL;
    AUTO_FREE(char) text = NULL;
    struct gm_error err = {0};
    size_t len = 0;
    int rc = make(argc, argv, &t, &err);
    if (rc == 0)
        rc = file_read("-", (size_t)1 << 30, &text, &len, &err);
    for (char *at = text, *end; rc == 0 && at < text + len; at = end + sizeof(mark) - 1) {
        end = memmem(at, (size_t)(text + len - at), mark, sizeof(mark) - 1);
        if (end == NULL)
            break;
        rc = print_ids(t, at, (size_t)(end - at), &err);
    }
    if (rc != 0)
        (void)fprintf(stderr, "tokenizer_ids: %s\n", err.text);
    return rc == 0 ? 0 : 1;
}
