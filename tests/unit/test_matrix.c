#include "engine/matrix.h"
#include <criterion/criterion.h>

Test(matrix, columns_line_up_under_their_heads_and_zeros_step_back)
{
    static const double cells[] = {36, 0, 1, 0, 7, 0, 2, 0, 112};
    AUTO_STR out = {0};
    matrix_draw(cells, 3, 3, false, false, &out);
    cr_expect_str_eq(out.text,
                     "            0    1    2\n"
                     "     0 |   36    .    1\n"
                     "     1 |    .    7    .\n"
                     "     2 |    2    .  112\n");
}

Test(matrix, one_too_large_for_a_screen_is_said_in_a_line)
{
    static const double cells[21 * 21] = {0};
    AUTO_STR out = {0};
    matrix_draw(cells, 21, 21, true, true, &out);
    cr_expect_str_eq(out.text, "  21 x 21: too wide to draw, the results file has it\n");
}
