#include "cli/fold.h"

#include <criterion/criterion.h>

static void folds(const char *text, unsigned width, const char *want)
{
    AUTO_STR out = {0};
    fold_lines(text, width, &out);
    cr_expect_str_eq(str_text(&out), want);
}

Test(cli_fold, a_wide_column_goes_on_below_itself)
{
    folds("  --flag  one two three four five six\n",
          30,
          "  --flag  one two three four\n"
          "          five six\n");
    folds("a  b  one two three four five six seven\n",
          26,
          "a  b  one two three four\n"
          "      five six seven\n");
}

Test(cli_fold, what_fits_or_has_no_columns_stays)
{
    folds("", 30, "");
    folds("  --flag  short\n\nend", 30, "  --flag  short\n\nend");
    folds("launch: mpirun -n 4 program with many words\n",
          30,
          "launch: mpirun -n 4 program with many words\n");
    folds("rank  0123456789012345678901234567890123456789 a\n",
          30,
          "rank  0123456789012345678901234567890123456789 a\n");
    folds("a very wide first column here  and a reason\n",
          40,
          "a very wide first column here  and a reason\n");
}

Test(cli_fold, exactly_as_wide_is_not_too_wide)
{
    folds("ab  one two three four five\n", 27, "ab  one two three four five\n");
    folds("ab  one two three four five\n", 26, "ab  one two three four\n    five\n");
}

Test(cli_fold, characters_count_not_bytes)
{
    folds("├─  ä ö ü ä ö ü ä ö ü ä ö ü ä ö\n",
          27,
          "├─  ä ö ü ä ö ü ä ö ü ä ö ü\n    ä ö\n");
}
