/* scheduler/spec/units: RFC 23 durations and byte sizes. */
#include "spec/units.h"
#include <criterion/criterion.h>
#include <math.h>

Test(units, durations_are_seconds)
{
    static const struct {
        const char *text;
        double s;
    } rows[] = {{"90", 90},        {"90s", 90},
                {"10m", 600},      {"1.5h", 5400},
                {"100ms", 0.1},    {"1d", 86400},
                {"0", 0},          {".5s", 0.5},
                {"5.", 5},         {"0.25m", 15},
                {"+5", 5},         {"0d", 0},
                {"0x0", 0},        {"0e5h", 0},
                {"1e3", 1000},     {"1E+3s", 1000},
                {"1.5e-1h", 540},  {"2500e-3ms", 0.0025},
                {"0x10", 16},      {"0x1d", 29}, /* a digit, no day: as strtod */
                {"0x10d", 269},    {"0x1p4m", 960},
                {"1e308", 1e308},  {"4e-324", 4e-324},
                {"INF", INFINITY}, {"Infinity", INFINITY},
                {"inf", INFINITY}, {"infinity", INFINITY}};
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
        {"1h30m",
         "'1h30m' is no duration: write one number and one unit, as in 90m or 1.5h"},
        {"01:30:00",
         "'01:30:00' is no duration: write one number and one unit, as in 90m or 1.5h"},
        {"10 m", "'10 m' is no duration: ' m' is not one of ms, s, m, h, d"},
        {"-0", "must not be negative"},
        {"-inf", "must not be negative"},
        {"1e", "'1e' is no duration: 'e' is not one of ms, s, m, h, d"},
        {"1e+", "'1e+' is no duration: 'e+' is not one of ms, s, m, h, d"},
        {"0x", "'0x' is no duration: 'x' is not one of ms, s, m, h, d"},
        {"1,5h", "'1,5h' is no duration: ',5h' is not one of ms, s, m, h, d"},
        {"1_000", "'1_000' is no duration: '_000' is not one of ms, s, m, h, d"},
        {"1M", "'1M' is no duration: 'M' is not one of ms, s, m, h, d"},
        {"1S", "'1S' is no duration: 'S' is not one of ms, s, m, h, d"},
        {"1w", "'1w' is no duration: 'w' is not one of ms, s, m, h, d"},
        {"1:30",
         "'1:30' is no duration: write one number and one unit, as in 90m or 1.5h"},
        {"10s ", "'10s ' is no duration: 's ' is not one of ms, s, m, h, d"},
        {" 10s", "' 10s' is no duration: write 90, 90s, 1.5h or inf"},
        {".", "'.' is no duration: write 90, 90s, 1.5h or inf"},
        {"+", "'+' is no duration: write 90, 90s, 1.5h or inf"},
        {"++1", "'++1' is no duration: write 90, 90s, 1.5h or inf"},
        {"+-1", "'+-1' is no duration: write 90, 90s, 1.5h or inf"},
        {"s", "'s' is no duration: write 90, 90s, 1.5h or inf"},
        {"+inf", "'+inf' is no duration: write 90, 90s, 1.5h or inf"},
        {"NAN(1)", "'NAN(1)' is no duration: write 90, 90s, 1.5h or inf"},
        {"1e309", "'1e309' is too long: write inf"},
        {"1e308d", "'1e308d' is too long: write inf"},
        {"1e-400", "'1e-400' is too short to be told from 0"},
        {"4e-324ms", "'4e-324ms' is too short to be told from 0"},
        {"infs", "'infs' is no duration: write 90, 90s, 1.5h or inf"},
        {"nan", "'nan' is no duration: write 90, 90s, 1.5h or inf"},
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
