#include "io_files.h"
#include "kernels/io/text.h"

#define LONG 300000

Test(text, a_file_whole_and_parts_of_it_packed_or_plain)
{
    char *bytes = malloc(LONG);
    struct io_files f = io_files_make();
    for (size_t i = 0; i < LONG; i++)
        bytes[i] = (char)(i * i % 251);
    static const uint64_t parts[][2] = {{0, TEXT_ALL},
                                        {0, LONG},
                                        {0, 0},
                                        {7, 7},
                                        {1, 2},
                                        {65535, 200001},
                                        {99999, TEXT_ALL}};
    for (int packed = 0; packed < 2; packed++) {
        const char *path = packed ? io_files_gz(&f, "t.gz", bytes, LONG)
                                  : io_files_write(&f, "t", bytes, LONG);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            uint64_t begin = parts[i][0], end = parts[i][1] > LONG ? LONG : parts[i][1];
            char *got = NULL;
            size_t len = 0;
            cr_assert_eq(text_read(path, begin, parts[i][1], &got, &len, NULL), 0);
            cr_assert_eq(len, end - begin);
            cr_expect_eq(memcmp(got, bytes + begin, len), 0, "part %zu", i);
            cr_expect_eq(got[len], '\0');
            free(got);
        }
        cr_assert_eq(unlink(path), 0);
    }
    io_files_remove(&f);
    free(bytes);
}

Test(text, what_is_not_there_is_said)
{
    struct io_files f = io_files_make();
    const char *path = io_files_write(&f, "t", "abc", 3);
    char *got = NULL;
    size_t len;
    struct gm_error err;
    cr_expect_eq(text_read(path, 1, 5, &got, &len, &err), -EINVAL);
    cr_expect_not_null(
        strstr(err.text, "t: ends at byte 3, byte 5 is asked for"), "%s", err.text);
    cr_expect_eq(text_read(path, 9, 12, &got, &len, &err), -EINVAL);
    cr_expect_eq(text_read("/nowhere/t", 0, TEXT_ALL, &got, &len, &err), -ENOENT);
    cr_expect_null(got);
    io_files_remove(&f);
}
