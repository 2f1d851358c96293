/* The list of crashes in the job folder: what is written comes back, a cut line does not.
 */
#include "base/file.h"
#include "runner/crashes.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

Test(crashes, lines_come_back_and_a_cut_one_is_not_believed)
{
    char folder[] = "/tmp/gridmill-crashes.XXXXXX", path[64];
    struct crashes_task *all;
    size_t n = 9;
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/crashes", folder);
    cr_assert_eq(crashes_read(folder, &all, &n, NULL), 0);
    cr_assert(n == 0 && all == NULL);
    crashes_add(folder, 1, 5000000000);
    crashes_add(folder, 0, 7);
    FILE *f = fopen(path, "a");
    (void)fprintf(f, "crash x 1\ncrash 1 2 3\n\ncrash 3 4");
    (void)fclose(f);
    cr_assert_eq(crashes_read(folder, &all, &n, NULL), 0);
    cr_assert_eq(n, 2);
    cr_expect(all[0].stage == 1 && all[0].task == 5000000000);
    cr_expect(all[1].stage == 0 && all[1].task == 7);
    free(all);
    crashes_add("/nowhere", 0, 7); /* and nothing happens */
    (void)unlink(path);
    (void)rmdir(folder);
}
