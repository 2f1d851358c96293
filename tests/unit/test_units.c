/* scheduler/spec/units: RFC 23 durations and byte sizes. */
#include "spec/units.h"
#include <criterion/criterion.h>
#include <math.h>

Test(units, durations_are_seconds)
{
    static const struct {
        const char *text;
        double s;
    } rows[] = {{"90", 90},
                {"90s", 90},
                {"10m", 600},
                {"1.5h", 5400},
                {"100ms", 0.1},
                {"1d", 86400},
                {"0", 0},
                {".5s", 0.5},
                {"5.", 5},
                {"0.25m", 15},
                {"inf", INFINITY},
                {"infinity", INFINITY}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double v = -1;
        cr_expect(units_duration(rows[i].text, &v, NULL) == 0, "%s", rows[i].text);
        cr_expect(v == rows[i].s, "%s: %g", rows[i].text, v);
    }
}

Test(units, a_wrong_duration_is_told_exactly)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"", "'' is no duration: write 90, 90s, 1.5h or inf"},
        {"fast", "'fast' is no duration: write 90, 90s, 1.5h or inf"},
        {"-5s", "must not be negative"},
        {"10x", "'10x' is no duration: 'x' is not one of ms, s, m, h, d"},
        {"10 m", "'10 m' is no duration: ' m' is not one of ms, s, m, h, d"},
        {"1e3", "'1e3' is no duration: 'e3' is not one of ms, s, m, h, d"},
        {"0x10", "'0x10' is no duration: 'x10' is not one of ms, s, m, h, d"},
        {"infs", "'infs' is no duration: write 90, 90s, 1.5h or inf"},
        {"nan", "'nan' is no duration: write 90, 90s, 1.5h or inf"},
        {"1h30m", "'1h30m' is no duration: 'h30m' is not one of ms, s, m, h, d"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_error err = {0};
        double v = 7;
        cr_expect(units_duration(rows[i].text, &v, &err) == -EINVAL, "%s", rows[i].text);
        cr_expect_str_eq(err.text, rows[i].told);
        cr_expect(v == 7, "untouched on failure");
    }
}

Test(units, sizes_are_bytes)
{
    static const struct {
        const char *text;
        uint64_t n;
    } rows[] = {{"1024", 1024},
                {"7B", 7},
                {"2kB", 2000},
                {"2KB", 2000},
                {"512MB", 512000000},
                {"3GB", 3000000000u},
                {"1TB", 1000000000000u},
                {"1KiB", 1024},
                {"1.5MiB", 1572864},
                {"2GiB", 2147483648u},
                {"1TiB", 1099511627776u},
                {"9223372036854775807", INT64_MAX}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t v = 0;
        cr_expect(units_bytes(rows[i].text, &v, NULL) == 0, "%s", rows[i].text);
        cr_expect(v == rows[i].n, "%s: %llu", rows[i].text, (unsigned long long)v);
    }
}

Test(units, a_wrong_size_is_told_exactly)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"", "'' is no size: write 512MB, 2GiB or 1024"},
        {"much", "'much' is no size: write 512MB, 2GiB or 1024"},
        {"-1", "must not be negative"},
        {"2G", "'2G' may mean two things: write GB or GiB"},
        {"2k", "'2k' may mean two things: write kB or KiB"},
        {"2gib",
         "'2gib' is no size: 'gib' is not one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"},
        {"0.5B", "'0.5B' is no whole number of bytes"},
        {"9223372036854775808", "'9223372036854775808' is more than 2^63 - 1 bytes"},
        {"99999999999999999999999",
         "'99999999999999999999999' is more than 2^63 - 1 bytes"},
        {"9000000TiB", "'9000000TiB' is more than 2^63 - 1 bytes"},
        {"8388608.5TiB", "'8388608.5TiB' is more than 2^63 - 1 bytes"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_error err = {0};
        uint64_t v = 7;
        cr_expect(units_bytes(rows[i].text, &v, &err) == -EINVAL, "%s", rows[i].text);
        cr_expect_str_eq(err.text, rows[i].told);
        cr_expect(v == 7, "untouched on failure");
    }
}
