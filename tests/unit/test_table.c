#include "io_files.h"
#include "kernels/io/table.h"
#include <math.h>

/* A text as a file: what reading it gives, the numbers joined by blanks; or the sentence
 * without the path. */
struct csv_case {
    const char *text, *want;
    uint64_t cols;
};

static void show(const struct table *t, char *ret, size_t room)
{
    size_t n = 0;
    ret[0] = '\0';
    for (uint64_t i = 0; i < t->rows * t->cols; i++)
        n += (size_t)snprintf(
            ret + n, room - n, "%s%.9g", i > 0 ? " " : "", (double)t->values[i]);
}

Test(table, csv_is_read_or_refused_with_line_and_column)
{
    static const struct csv_case cases[] = {
        {"1,2\n3,4\n", "1 2 3 4", 2},
        {"1,2\n3,4", "1 2 3 4", 2},
        {"1,2\r\n3,4\r\n", "1 2 3 4", 2},
        {"a,b\n3,4\n", "3 4", 2},
        {"150,4,setosa\n1,2,3\n", "1 2 3", 3},
        {"\"x\",y\n3,4\n", "3 4", 2},
        {" 1 ,\t-2.5e1 \n\n\n", "1 -25", 2},
        {".5,5.,+3,1e-3\n", "0.5 5 3 0.00100000005", 4},
        {"0.1234567890123456789,123456789012345678901234567890\n",
         "0.123456791 1.23456789e+29",
         2},
        {"7\n", "7", 1},
        {"1,2\n3,4,5\n", "line 2: 3 columns where line 1 has 2", 0},
        {"a,b,c\n1,2\n", "line 2: 2 columns where line 1 has 3", 0},
        {"1,2\n3,nan\n", "line 2, column 2: 'nan' is not a finite number", 0},
        {"1,inf\n", "line 1, column 2: 'inf' is not a finite number", 0},
        {"1,2\n-Infinity,4\n", "line 2, column 1: '-Infinity' is not a finite number", 0},
        {"1,2\n3,1e39\n", "line 2, column 2: '1e39' is not a finite number", 0},
        {"1,2\n3,x4\n", "line 2, column 2: 'x4' is not a finite number", 0},
        {"1,2\n3,4x\n", "line 2, column 2: '4x' is not a finite number", 0},
        {"1,2\n3,0x10\n", "line 2, column 2: '0x10' is not a finite number", 0},
        {"1,2\n3,1e\n", "line 2, column 2: '1e' is not a finite number", 0},
        {"1,2\n3,-\n", "line 2, column 2: '-' is not a finite number", 0},
        {"1,2\n,4\n", "line 2, column 1: is empty", 0},
        {"1,2\n3,\n", "line 2, column 2: is empty", 0},
        {"1,2\n3,abcdefghijklmnopqrstuvwxyz\n",
         "line 2, column 2: 'abcdefghijklmnop...' is not a finite number",
         0},
        {"1,2\n\n3,4\n", "line 2 is empty", 0},
        {"", "is empty", 0}};
    struct io_files f = io_files_make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int gz = 0; gz < 2; gz++) {
            const char *text = cases[i].text;
            const char *path = gz ? io_files_gz(&f, "t.csv", text, strlen(text))
                                  : io_files_write(&f, "t.csv", text, strlen(text));
            struct table t = {0};
            struct gm_error err;
            char got[512], want[512];
            int rc = table_read(path, 0, TABLE_ALL, &t, &err);
            if (cases[i].cols > 0) {
                cr_assert_eq(rc, 0, "case %zu: %s", i, err.text);
                cr_expect_eq(t.cols, cases[i].cols);
                show(&t, got, sizeof(got));
                cr_expect_str_eq(got, cases[i].want);
                table_free(&t);
            } else {
                (void)snprintf(want, sizeof(want), "%s: %s", path, cases[i].want);
                cr_expect_lt(rc, 0, "case %zu", i);
                cr_expect_str_eq(err.text, want);
            }
        }
    }
    io_files_remove(&f);
}

Test(table, a_range_of_rows_is_the_same_rows_and_the_count_is_right)
{
    struct io_files f = io_files_make();
    char text[8192] = "x,y\n";
    size_t n = 4;
    for (int i = 0; i < 600; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%d,%d\n", i, 2 * i);
    const char *path = io_files_gz(&f, "r.csv.gz", text, n);
    struct gm_error err;
    uint64_t rows = 0;
    struct table t = {0};
    cr_assert_eq(table_rows(path, &rows, &err), 0);
    cr_expect_eq(rows, 600);
    cr_assert_eq(table_read(path, 100, 65, &t, &err), 0);
    cr_expect(t.rows == 65 && t.values[0] == 100 && t.values[129] == 328);
    table_free(&t);
    cr_expect_eq(table_read(path, 590, 11, &t, &err), -EINVAL);
    cr_expect_not_null(
        strstr(err.text, "has 600 rows, row 600 is asked for"), "%s", err.text);
    cr_expect_eq(table_read(path, 601, TABLE_ALL, &t, &err), -EINVAL);
    io_files_remove(&f);
}

Test(table, counting_sees_ragged_lines_and_truncated_gzip)
{
    struct io_files f = io_files_make();
    struct gm_error err;
    uint64_t rows = 77;
    const char *path = io_files_write(&f, "a.csv", "1,2\n3\n", 6);
    cr_expect_eq(table_rows(path, &rows, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "line 2: 1 columns where line 1 has 2"));
    cr_expect_eq(rows, 77, "an output is untouched on failure");

    char text[6000];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 4 == 3 ? '\n' : (char)('0' + (i * i / 7) % 10);
    path = io_files_gz(&f, "b.gz", text, sizeof(text));
    cr_assert_eq(table_rows(path, &rows, &err), 0);
    unsigned char packed[6000];
    FILE *in = fopen(path, "rb");
    size_t n = fread(packed, 1, sizeof(packed), in);
    (void)fclose(in);
    for (size_t cut = 20; cut < n; cut += 97) {
        path = io_files_write(&f, "b.gz", packed, cut);
        cr_expect_eq(table_rows(path, &rows, &err), -EINVAL, "cut at %zu", cut);
        cr_expect_not_null(strstr(err.text, "the file is truncated"), "%s", err.text);
    }
    packed[n / 2] ^= 0x55;
    path = io_files_write(&f, "b.gz", packed, n);
    cr_expect_lt(table_rows(path, &rows, &err), 0);
    io_files_remove(&f);
}

Test(table, a_missing_file_and_a_folder_are_named)
{
    struct gm_error err;
    uint64_t rows;
    cr_expect_eq(table_rows("/nowhere/a.csv", &rows, &err), -ENOENT);
    cr_expect_str_eq(err.text, "/nowhere/a.csv: No such file or directory");
    cr_expect_lt(table_rows("/tmp", &rows, &err), 0);
    cr_expect_not_null(strstr(err.text, "/tmp: "));
}

static size_t
npy(unsigned char *ret, int version, const char *header, const void *data, size_t n)
{
    size_t len = strlen(header), at = version == 1 ? 10 : 12;
    memcpy(ret, "\x93NUMPY", 6);
    ret[6] = (unsigned char)version;
    ret[7] = 0;
    for (size_t i = 8; i < at; i++)
        ret[i] = (unsigned char)(len >> (8 * (i - 8)));
    memcpy(ret + at, header, len);
    memcpy(ret + at + len, data, n);
    return at + len + n;
}

Test(table, npy_of_each_type_and_version)
{
    const float f4[] = {1.5F, -2, 3, 4, 5, 6};
    const double f8[] = {1.5, -2, 3, 4, 5, 6};
    const int32_t i4[] = {1, -2, 3, 4, 5, 6};
    const int64_t i8[] = {1, -2, 3, 4, 5, 6};
    const unsigned char u1[] = {1, 254, 3, 4, 5, 6};
    const struct {
        const char *header;
        const void *data;
        size_t n;
        double first, second;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n",
         f4,
         24,
         1.5,
         -2},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }  \n",
         f8,
         48,
         1.5,
         -2},
        {"{\"shape\": (3,2), 'fortran_order':False, 'descr': '<i4'}", i4, 24, 1, -2},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (3, 1, 2)}", i8, 48, 1, -2},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2)}", u1, 6, 1, 254}};
    struct io_files f = io_files_make();
    for (size_t i = 0; i < 3 * sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char bytes[512];
        size_t c = i / 3,
               n = npy(
                   bytes, (int)(i % 3) + 1, cases[c].header, cases[c].data, cases[c].n);
        struct table t = {0};
        struct gm_error err;
        const char *path = io_files_write(&f, "a.npy", bytes, n);
        cr_assert_eq(table_read(path, 0, TABLE_ALL, &t, &err), 0, "%s", err.text);
        cr_expect(t.rows == 3 && t.cols == 2, "%zu", c);
        cr_expect(t.values[0] == (float)cases[c].first &&
                  t.values[1] == (float)cases[c].second);
        cr_expect_eq(t.values[5], 6);
        table_free(&t);
        cr_assert_eq(table_read(path, 2, 1, &t, &err), 0);
        cr_expect(t.rows == 1 && t.values[0] == 5);
        table_free(&t);
    }
    io_files_remove(&f);
}

Test(table, npy_that_is_wrong_is_refused_with_the_reason)
{
    static const struct {
        const char *header, *want;
        size_t n;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", "is truncated", 23},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}",
         "1 bytes after",
         25},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2)}", "Fortran order", 24},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (3, 2)}",
         "'>f4' is none of",
         24},
        {"{'descr': 'O', 'fortran_order': False, 'shape': (3, 2)}", "'O' is none of", 24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
         "multiply past 2^64",
         24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}",
         "the npy header is not",
         24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 1)}",
         "multiply past 2^64",
         24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1)}",
         "is truncated",
         24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2",
         "the npy header is not",
         24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
         "the npy header is not",
         4},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3, 2)}",
         "the npy header is not",
         24},
        {"{'descr': '<f4', 'shape': (3, 2)}", "the npy header is not", 24},
        {"", "the npy header is not", 0}};
    static const float zeros[8];
    struct io_files f = io_files_make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char bytes[512];
        size_t n = npy(bytes, 1, cases[i].header, zeros, cases[i].n);
        struct table t = {0};
        struct gm_error err;
        const char *path = io_files_write(&f, "a.npy", bytes, n);
        cr_expect_lt(table_read(path, 0, TABLE_ALL, &t, &err), 0, "case %zu", i);
        cr_expect_not_null(strstr(err.text, cases[i].want), "case %zu: %s", i, err.text);
    }
    io_files_remove(&f);
}

Test(table, a_value_of_an_array_that_is_not_finite_is_named)
{
    const float data[] = {1, 2, 3, (float)NAN, 5, 6};
    unsigned char bytes[256];
    size_t n = npy(
        bytes, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", data, 24);
    struct io_files f = io_files_make();
    struct table t = {0};
    struct gm_error err;
    cr_expect_eq(
        table_read(io_files_write(&f, "a.npy", bytes, n), 0, TABLE_ALL, &t, &err),
        -EINVAL);
    cr_expect_not_null(
        strstr(err.text, "row 1, column 2: the value is not a finite"), "%s", err.text);
    io_files_remove(&f);
}

Test(table, idx_is_read_and_bad_headers_are_refused)
{
    static const unsigned char good[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0,
                                         0, 1, 0, 0, 0, 2, 9, 8, 7, 255};
    static const unsigned char wide[] = {0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0xC0, 0, 0};
    struct io_files f = io_files_make();
    struct table t = {0};
    struct gm_error err;
    for (int gz = 0; gz < 2; gz++) {
        const char *path = gz ? io_files_gz(&f, "i", good, sizeof(good))
                              : io_files_write(&f, "i", good, sizeof(good));
        cr_assert_eq(table_read(path, 0, TABLE_ALL, &t, &err), 0, "%s", err.text);
        cr_expect(t.rows == 2 && t.cols == 2 && t.values[0] == 9 && t.values[3] == 255);
        table_free(&t);
    }
    cr_assert_eq(
        table_read(io_files_write(&f, "i", wide, sizeof(wide)), 0, TABLE_ALL, &t, &err),
        0);
    cr_expect_eq(t.values[0], 1.5F);
    table_free(&t);
    static const struct {
        size_t at;
        unsigned char value;
        const char *want;
    } faults[] = {{2, 7, "element type 0x07"},
                  {3, 0, "0 IDX dimensions"},
                  {3, 200, "200 IDX dimensions"},
                  {7, 3, "is truncated"},
                  {7, 1, "bytes after its last row"},
                  {4, 255, "is truncated"}};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        unsigned char bad[sizeof(good)];
        memcpy(bad, good, sizeof(good));
        bad[faults[i].at] = faults[i].value;
        cr_expect_lt(
            table_read(io_files_write(&f, "i", bad, sizeof(bad)), 0, TABLE_ALL, &t, &err),
            0);
        cr_expect_not_null(strstr(err.text, faults[i].want), "%zu: %s", i, err.text);
    }
    for (size_t cut = 4; cut < sizeof(good); cut++) {
        cr_expect_lt(table_read(io_files_gz(&f, "i", good, cut), 0, TABLE_ALL, &t, &err),
                     0);
        cr_expect_not_null(
            strstr(err.text, "is truncated"), "cut at %zu: %s", cut, err.text);
    }
    io_files_remove(&f);
}

Test(table, a_tensor_becomes_a_table_of_its_first_dimension_by_the_others)
{
    const int64_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -12};
    const uint64_t dims[] = {2, 3, 2};
    struct table t = {0};
    struct gm_error err;
    cr_assert_eq(table_convert("t", GM_I64, 3, dims, data, &t, &err), 0);
    cr_expect(t.rows == 2 && t.cols == 6 && t.values[11] == -12);
    table_free(&t);
    const uint64_t huge[] = {1ULL << 40, 1ULL << 40, 1ULL << 40};
    cr_expect_lt(table_convert("t", GM_I64, 3, huge, data, &t, &err), 0);
    cr_expect_lt(table_convert("t", GM_I64, 0, NULL, data, &t, &err), 0);
    cr_expect_lt(table_convert("t", 3, 1, dims, data, &t, &err), 0);
}

/* The real files, where they are (GRIDMILL_TEST_DATA). */
Test(table, digits_and_mnist_are_read)
{
    const char *root = getenv("GRIDMILL_TEST_DATA");
    if (root == NULL)
        cr_skip("GRIDMILL_TEST_DATA is not set");
    static const struct {
        const char *name;
        uint64_t rows, cols;
    } files[] = {{"datasets/sklearn/digits.csv.gz", 1797, 65},
                 {"datasets/sklearn/iris.csv", 150, 5},
                 {"datasets/mnist/t10k-images-idx3-ubyte.gz", 10000, 784},
                 {"datasets/mnist/t10k-labels-idx1-ubyte.gz", 10000, 1}};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[1024];
        uint64_t rows = 0;
        struct table t = {0};
        struct gm_error err;
        (void)snprintf(path, sizeof(path), "%s/%s", root, files[i].name);
        cr_assert_eq(table_rows(path, &rows, &err), 0, "%s", err.text);
        cr_expect_eq(rows, files[i].rows);
        cr_assert_eq(table_read(path, 0, TABLE_ALL, &t, &err), 0, "%s", err.text);
        cr_expect(t.rows == files[i].rows && t.cols == files[i].cols);
        table_free(&t);
    }
}
