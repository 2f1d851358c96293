#include "kernels/op/threads.h"
#include <criterion/criterion.h>

Test(threads, as_many_as_were_set_or_one_without_openmp)
{
    threads_set(1);
    cr_expect_eq(threads_count(), 1);
    threads_set(0);
    cr_expect_eq(threads_count(), 1);
    threads_set(3);
    cr_expect(threads_count() == 3 || threads_count() == 1);
}
