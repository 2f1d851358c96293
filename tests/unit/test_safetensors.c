#include "base/file.h"
#include "kernels/io/safetensors.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(safetensors, what_is_written_is_read_back_and_is_the_same_bytes_each_time)
{
    const float weight[6] = {1, 2, 3, 4, 5, 6};
    const int64_t count[1] = {-7};
    const struct safetensors_tensor tensors[] = {
        {.name = "a.\"weight\"",
         .dtype = GM_F32,
         .ndim = 2,
         .dims = {2, 3},
         .data = weight},
        {.name = "n\xc3\xa9", .dtype = GM_I64, .ndim = 0, .data = count},
        {.name = "none", .dtype = GM_U8, .ndim = 1, .dims = {0}, .data = count}};
    const struct safetensors_meta meta[] = {{"k", "v\n\\"}, {"z", ""}};
    unsigned char *bytes = NULL, *again = NULL;
    size_t len = 0, len2 = 0;
    struct gm_error err;
    cr_assert_eq(safetensors_format(tensors, 3, meta, 2, &bytes, &len, &err), 0);
    cr_assert_eq(safetensors_format(tensors, 3, meta, 2, &again, &len2, &err), 0);
    cr_assert_eq(len, len2);
    cr_expect_arr_eq(bytes, again, len);
    struct safetensors *st = NULL;
    cr_assert_eq(safetensors_parse("m", bytes, len, &st, &err), 0, "%s", err.text);
    const struct safetensors_tensor *t = safetensors_find(st, "a.\"weight\"");
    cr_assert_not_null(t);
    cr_expect(t->dtype == GM_F32 && t->ndim == 2 && t->dims[0] == 2 && t->dims[1] == 3);
    cr_expect_arr_eq(t->data, weight, sizeof(weight));
    t = safetensors_find(st, "n\xc3\xa9");
    cr_assert(t != NULL && t->nbytes == 8);
    cr_expect_arr_eq(t->data, count, 8);
    cr_expect_str_eq(safetensors_value(st, "k"), "v\n\\");
    cr_expect_null(safetensors_value(st, "missing"));
    /* every shorter piece is refused, none is read past its end (ASan) */
    for (size_t cut = 0; cut < len; cut++) {
        unsigned char *piece = malloc(cut + 1);
        struct safetensors *no = NULL;
        memcpy(piece, bytes, cut);
        unsigned char *tight = realloc(piece, cut == 0 ? 1 : cut);
        cr_expect_lt(safetensors_parse("m", tight, cut, &no, NULL), 0, "cut at %zu", cut);
        free(tight);
    }
    safetensors_free(st);
    free(bytes);
    free(again);
}

/* A header with `data` bytes behind it. */
static int parse(const char *header, size_t data, struct gm_error *err)
{
    size_t len = strlen(header);
    unsigned char *bytes = calloc(1, 8 + len + data);
    bytes[0] = (unsigned char)len;
    bytes[1] = (unsigned char)(len >> 8);
    memcpy(bytes + 8, header, len);
    struct safetensors *st = NULL;
    int rc = safetensors_parse("m", bytes, 8 + len + data, &st, err);
    safetensors_free(st);
    free(bytes);
    return rc;
}

#define T(name, shape, from, to)                                                         \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" from "," to \
    "]}"

Test(safetensors, each_lie_of_a_header_is_called_by_its_name)
{
    static const struct {
        const char *header;
        size_t data;
        const char *want; /* NULL: is fine */
    } cases[] = {
        {"{" T("a", "[2]", "0", "8") "}", 8, NULL},
        {"{" T("b", "[1]", "4", "8") "," T("a", "[1]", "0", "4") "}  \n", 8, NULL},
        {"{}", 0, NULL},
        {"{\"__metadata__\":{\"a\":\"\\u00e9\\ud83d\\ude00\"}}", 0, NULL},
        {"{" T("a", "[2]", "0", "8") "}", 4, "lies at bytes 0 to 8 of 4"},
        {"{" T("a", "[2]", "8", "0") "}", 8, "lies at bytes 8 to 0"},
        {"{" T("a", "[3]", "0", "8") "}", 8, "not what its shape says"},
        {"{" T("a", "[4611686018427387904,4]", "0", "0") "}",
         0,
         "not what its shape says"},
        {"{" T("a", "[99999999999999999999]", "0", "8") "}",
         8,
         "not the JSON it should be"},
        {"{" T("a", "[2.0]", "0", "8") "}", 8, "not the JSON it should be"},
        {"{" T("a", "[-2]", "0", "8") "}", 8, "not the JSON it should be"},
        {"{" T("a", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "more than 8 dimensions"},
        {"{" T("a", "[2]", "0", "8") "," T("b", "[2]", "4", "12") "}",
         12,
         "begins at byte 4 where the one before it ends at 8"},
        {"{" T("a", "[1]", "0", "4") "," T("b", "[1]", "8", "12") "}",
         12,
         "begins at byte 8"},
        {"{" T("a", "[1]", "0", "4") "," T("a", "[1]", "4", "8") "}",
         8,
         "is there twice"},
        {"{" T("a", "[1]", "0", "4") "}", 8, "4 bytes that belong to no tensor"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'F33'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "lacks its dtype"},
        {"{\"a\":{}}", 0, "lacks its dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "the key 'dtype'"},
        {"{\"a\":{\"x\":1}}", 0, "the key 'x'"},
        {"{\"a\":[1]}", 0, "not the JSON it should be at byte"},
        {"{\"a", 0, "not the JSON it should be"},
        {"{\"\\u12", 0, "not the JSON it should be"},
        {"{\"\\ud800\":{}}", 0, "not the JSON it should be"},
        {"{\"a\\\"", 0, "not the JSON it should be"},
        {"{" T("a", "[1]", "0", "4") ",}", 4, "not the JSON it should be"},
        {"{} x", 0, "not the JSON it should be"},
        {"[]", 0, "not the JSON it should be"},
        {"", 0, "not the JSON it should be"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "not the JSON it should be"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "'k' of __metadata__"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 2, NULL},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}",
         2,
         "not what its shape says"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}",
         9,
         "begins at byte 1"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gm_error err = {0};
        int rc = parse(cases[i].header, cases[i].data, &err);
        if (cases[i].want == NULL) {
            cr_expect_eq(rc, 0, "case %zu: %s", i, err.text);
        } else {
            cr_expect_eq(rc, -EINVAL, "case %zu", i);
            cr_expect_not_null(
                strstr(err.text, cases[i].want), "case %zu: %s", i, err.text);
        }
    }
}

Test(safetensors, a_header_length_past_the_end_is_refused)
{
    static const unsigned char lies[][16] = {
        {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'},
        {9, 0, 0, 0, 0, 0, 0, 0, '{', '}'},
        {0, 0, 0, 0, 1, 0, 0, 0, '{', '}'}};
    for (size_t i = 0; i < 3; i++) {
        struct safetensors *st = NULL;
        struct gm_error err;
        cr_expect_eq(safetensors_parse("m", lies[i], 16, &st, &err), -EINVAL);
        cr_expect_not_null(
            strstr(err.text, "is promised, the file has 16 in all"), "%s", err.text);
    }
}

/* What is read from header and data is written as the same bytes. */
static void same_bytes(const char *header, size_t data)
{
    size_t len = strlen(header), again_len = 0;
    unsigned char *bytes = calloc(1, 8 + len + data), *again = NULL;
    struct safetensors *st = NULL;
    struct gm_error err = {0};
    bytes[0] = (unsigned char)len;
    bytes[1] = (unsigned char)(len >> 8);
    memcpy(bytes + 8, header, len);
    for (size_t i = 0; i < data; i++)
        bytes[8 + len + i] = (unsigned char)(i * 37 + 1);
    cr_assert_eq(safetensors_parse("m", bytes, 8 + len + data, &st, &err),
                 0,
                 "%s: %s",
                 header,
                 err.text);
    cr_assert_eq(safetensors_rewrite(st, &again, &again_len, &err), 0);
    cr_assert_eq(again_len, 8 + len + data, "%s", header);
    cr_expect_arr_eq(again, bytes, again_len, "%s", header);
    safetensors_free(st);
    free(again);
    free(bytes);
}

#define OF(name, dtype, shape, from, to)                                                 \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from  \
    "," to "]}"

Test(safetensors, any_compact_header_is_written_back_as_it_stood)
{
    same_bytes("{}", 0);
    same_bytes("{}      ", 0);
    same_bytes("{\"__metadata__\":{}}", 0);
    same_bytes("{\"__metadata__\":{\"z\":\"1\",\"format\":\"pt\"}," OF(
                   "a", "BF16", "[3]", "0", "6") "}   ",
               6);
    /* named in another order than they lie, metadata behind, nothing padded */
    same_bytes(
        "{" OF("b", "F16", "[1,2]", "6", "10") "," OF("a", "U16", "[3]", "0", "6") //
        ",\"__metadata__\":{\"k\":\"v\"}," OF("e", "I8", "[0]", "6", "6") "}",
        10);
    same_bytes("{" OF("\\u0001\\b\\f\\n\\r\\t\\\"\\\\\xc2\x85\xe2\x80\xa8\x7f",
                      "BOOL",
                      "[]",
                      "0",
                      "1") "}",
               1);
    static const char *const types[] = {
        "F32",     "F64",     "I64",     "I32",     "U8",  "BF16",   "F16",
        "BOOL",    "I8",      "I16",     "U16",     "U32", "U64",    "C64",
        "F8_E4M3", "F8_E5M2", "F8_E8M0", "F6_E2M3", "F4",  "F6_E3M2"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint32_t dtype;
        char header[128];
        unsigned bytes = safetensors_bits(types[i], &dtype);
        (void)snprintf(header,
                       sizeof(header),
                       "{" OF("t", "%s", "[2,4]", "0", "%u") "}",
                       types[i],
                       bytes);
        cr_assert_gt(bytes, 0, "%s", types[i]);
        same_bytes(header, bytes);
    }
}

Test(safetensors, a_file_of_another_program_is_read_and_written_back_byte_equal)
{
    const char *root = getenv("GRIDMILL_TEST_DATA");
    if (root == NULL)
        cr_skip("GRIDMILL_TEST_DATA is not set");
    char path[1024], *bytes = NULL;
    size_t len = 0;
    struct gm_error err;
    struct safetensors *st = NULL;
    (void)snprintf(
        path, sizeof(path), "%s/models/safetensors-small/multi_layer.safetensors", root);
    cr_assert_eq(file_read(path, 1 << 20, &bytes, &len, &err), 0, "%s", err.text);
    cr_assert_eq(safetensors_parse(path, bytes, len, &st, &err), 0, "%s", err.text);
    const struct safetensors_tensor *t = safetensors_find(st, "conv1.weight");
    cr_expect_gt(st->n_tensors, 3);
    cr_expect(t != NULL && t->dtype == GM_F32 && t->ndim == 4);
    unsigned char *again = NULL;
    size_t again_len = 0;
    cr_assert_eq(safetensors_rewrite(st, &again, &again_len, &err), 0, "%s", err.text);
    cr_assert_eq(again_len, len);
    cr_expect_arr_eq(again, bytes, len);
    free(again);
    safetensors_free(st);
    free(bytes);
}
