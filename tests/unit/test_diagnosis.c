#include "engine/diagnosis.h"
#include <criterion/criterion.h>

Test(diagnosis, a_lack_of_room_is_said_with_its_figures)
{
    static const char words[] =
        "[vm:1] PMIX ERROR: BAD-PARAM\n"
        "It appears as if there is not enough space for /dev/shm/vader_segment.vm.0.1 "
        "(the shared-memory backing\n"
        "file). It is likely that your MPI job will now either abort or experience\n"
        "  Local host:  vm\n"
        "  Space Requested: 4194312 B\n"
        "  Space Available: 1048576 B\n";
    AUTO_STR out = {0};
    cr_assert_eq(diagnosis_of(words, &out), DIAGNOSIS_NO_ROOM);
    cr_expect_str_eq(str_text(&out),
                     "/dev/shm on vm has no room for the memory that Open MPI's ranks "
                     "share: each takes 4.0 MiB, 1.0 MiB are free; enlarge it (in a "
                     "container: --shm-size), or remove what is left there");
}

Test(diagnosis, words_that_were_cut_are_told_as_far_as_they_go)
{
    static const char *const cut[] = {"not enough space for ",
                                      "not enough space for /",
                                      "not enough space for /a/b",
                                      "not enough space for x\n  Space Available:"};
    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        AUTO_STR out = {0};
        cr_expect_eq(diagnosis_of(cut[i], &out), DIAGNOSIS_NO_ROOM);
        cr_expect(strstr(str_text(&out), "has no room") != NULL, "%s", str_text(&out));
    }
}

Test(diagnosis, a_folder_that_could_not_be_made_may_be_there_next_time)
{
    AUTO_STR out = {0}, bare = {0};
    cr_assert_eq(diagnosis_of("A call to mkdir was unable to create the desired "
                              "directory:\n\n  Directory: /tmp/ompi.n0.0\n"
                              "  Error:     No such file or directory.\n",
                              &out),
                 DIAGNOSIS_PASSING);
    cr_expect_str_eq(
        str_text(&out),
        "mpirun could not make its folder /tmp/ompi.n0.0: No such file or directory");
    cr_assert_eq(diagnosis_of("A call to mkdir was", &bare), DIAGNOSIS_PASSING);
    cr_expect_str_eq(str_text(&bare),
                     "mpirun could not make its folder for sockets: mkdir failed");
}

Test(diagnosis, other_words_are_not_known)
{
    AUTO_STR out = {0};
    cr_expect_eq(diagnosis_of("", &out), DIAGNOSIS_NONE);
    cr_expect_eq(diagnosis_of("mpirun noticed that ...\n", &out), DIAGNOSIS_NONE);
    cr_expect_eq(out.len, 0);
}
