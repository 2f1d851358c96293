/* engine/answer.h: what probes say, whole, broken and mixed. */
#include "engine/answer.h"

#include <criterion/criterion.h>

static char text[4096];

static void read_text(const char *from, struct answers *ret)
{
    (void)snprintf(text, sizeof(text), "%s", from);
    answers_read(text, strlen(text), ret);
}

Test(answer, whole_lines_are_answers_and_all_else_is_passed_over)
{
    struct answers a;
    read_text("Welcome to this host!\n"
              "gridmill-probe\t1\tn0\t0.1+a\tabcd\tall\t-\tend\n"
              "gridmill-probe\t1\tn1\t0.1+a\tabcd\t0-3\tyes\tend\n"
              "gridmill-probe\t1\tn2\t0.1+b\tabcd\t0-3\tno\tend\n"
              "gridmill-probe\t1\tn3\t0.1+a\terror\thwloc says no\tend\n"
              "gridmill-probe\t1\tn4\t0.1+a\tabcd\t0-3\tyes\n"              /* no end */
              "gridmill-probe\t1\tn5\t0.1+a\tabcd\tgridmill-probe\t1\tn6\n" /* torn */
              "gridmill-probe\t2\tn7\t0.1+a\tabcd\tall\t-\tend\n" /* another protocol */
              "gridmill-probe\t1\tn8\t0.1+a\tabcd\tall\t-\tmore\tend\n"
              "\n\t\t\t\t\t\t\t\t\t\t\t\n"
              "gridmill-probe\t1\tn9\t0.1+a\tabcd\tall\t-\tend", /* no newline */
              &a);
    cr_assert_eq(a.n, 4);
    cr_expect_str_eq(a.items[0].host, "n0");
    cr_expect_str_eq(a.items[0].digest, "abcd");
    cr_expect_null(a.items[0].cpus);
    cr_expect_eq(a.items[0].sees, ANSWER_NOT_ASKED);
    cr_expect_str_eq(a.items[1].cpus, "0-3");
    cr_expect_eq(a.items[1].sees, ANSWER_SEES);
    cr_expect_str_eq(a.items[2].build, "0.1+b");
    cr_expect_eq(a.items[2].sees, ANSWER_SEES_NOT);
    cr_expect_str_eq(a.items[3].error, "hwloc says no");
    cr_expect_null(a.items[3].digest);
    answers_free(&a);
}

Test(answer, an_XML_is_as_long_as_it_says_or_none)
{
    struct answers a;
    read_text("gridmill-probe\t1\tn0\tb\td\tall\t-\tend\n"
              "gridmill-xml\t1\t8\n<a>\n</a>gridmill-probe\t1\tn1\tb\td\tall\t-\tend\n"
              "gridmill-xml\t1\t99999999999999999999\n<b/>\n",
              &a);
    cr_assert_eq(a.n, 2);
    cr_expect_str_eq(a.items[0].xml, "<a>\n</a>");
    cr_expect_str_eq(a.items[1].host, "n1");
    cr_expect_null(a.items[1].xml);
    answers_free(&a);
    read_text("gridmill-xml\t1\t3\nabc", &a);
    cr_expect_eq(a.n, 0, "an XML of nobody");
    answers_free(&a);
}

Test(answer, the_cause_is_found_in_what_a_launcher_says)
{
    static const struct {
        const char *said, *cause;
    } rows[] = {
        {"ssh: Could not resolve hostname nix: Name or service not known\r\n"
         "---------------------------------------------------------------------\n"
         "ORTE was unable to reliably start one or more daemons.\n",
         "cannot be reached: ssh: Could not resolve hostname nix: Name or service not "
         "known"},
        {"--------\nORTE was unable to reliably start one or more daemons.\nThis usually",
         "cannot be reached: ssh (or Open MPI's plm_rsh_agent) could not start a daemon "
         "there"},
        {"----\nmpirun was unable to find the specified executable file, and therefore\n",
         "has no /r: install the same Gridmill there"},
        {"---\nmpirun was unable to launch the specified application as it could not "
         "access\nor execute an executable:\n",
         "has no /r: install the same Gridmill there"},
        {"slurmstepd: error: execve(): /r: No such file or directory\n",
         "has no /r: install the same Gridmill there"},
        {"gridmill-runner: unknown option --probe: gridmill-runner --help\n",
         "has another gridmill-runner, which knows no --probe: install this build there"},
        {"\n------\n  something odd \nmore\n", "gave no answer: something odd "},
        {"", "gave no answer"},
        {"-----\n\n", "gave no answer"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_STR out = {0};
        answer_cause(rows[i].said, "/r", &out);
        cr_expect_str_eq(str_text(&out), rows[i].cause);
    }
}
