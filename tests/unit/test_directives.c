/* scheduler/spec/directives: RFC 36, each rule and each example of it in our own words.
 */
#include "spec/directives.h"
#include "spec/faults.h"
#include <criterion/criterion.h>

/* All words joined by '|', or the faults, a line each. */
static char *read_all(const char *text, size_t len)
{
    AUTO(arena) a = arena_make();
    struct jobspec_faults faults;
    const struct directive *words = NULL;
    unsigned n = 0;
    struct str out = {0};
    faults_init(&faults, "s");
    int rc = directives_read(a, text, len, &faults, &words, &n);
    cr_assert((rc == 0) == (faults.n == 0));
    for (unsigned i = 0; i < n; i++)
        str_printf(&out, "%s%s", i > 0 ? "|" : "", words[i].text);
    for (size_t i = 0; i < faults.n; i++) {
        AUTO_FREE(char) line = jobspec_fault_format(&faults, i);
        str_printf(&out, "%s\n", line);
    }
    jobspec_faults_free(&faults);
    str_add(&out, "");
    return str_steal(&out);
}

static void reads(const char *script, const char *words)
{
    AUTO_FREE(char) got = read_all(script, strlen(script));
    cr_expect_str_eq(got, words, "%s\n--- wanted\n%s\n--- got\n%s", script, words, got);
}

Test(directives, the_examples_of_the_rfc_are_read)
{
    reads("#!/bin/sh\n#GRIDMILL: -N4                  # four nodes\n"
          "#GRIDMILL: --queue=batch        # a queue\n"
          "#GRIDMILL: --name=app001    # a name\nmpirun app\n",
          "-N4|--queue=batch|--name=app001");
    reads("#!/usr/bin/env python3\ndef main():\n    \"\"\"\n    gridmill: -N4\n"
          "    gridmill: --queue=batch\n    gridmill: --name=\"my python job\"\n     \n"
          "    # Some data of the user:\n    gridmill: --set=user.data='''\n"
          "    gridmill: x, y, z\n    gridmill: a, b, c\n    gridmill: '''\n"
          "    \"\"\"\n    run()\n",
          "-N4|--queue=batch|--name=my python job|--set=user.data=x, y, z\na, b, c\n");
    reads("#!/usr/bin/lua\n--\n-- gridmill: -N1 --exclusive\n-- gridmill: "
          "--output=job.out\n"
          "local app = require 'app'\napp.run()\n",
          "-N1|--exclusive|--output=job.out");
    reads("#!/bin/sh\n# The directives\n#GRIDMILL: -N1\n# The name:\n"
          "#GRIDMILL: --name=test\nhostname; date\n",
          "-N1|--name=test");
    reads("#!/usr/bin/env python3\n\"\"\"\ngridmill: --nodes=4\n\nAny value:\n"
          "gridmill: --set=user.foo=\"hello, earth\"\n\"\"\"\n",
          "--nodes=4|--set=user.foo=hello, earth");
    reads("# gridmill: --set=user.data='{\"option\": \"arg\"}'\n",
          "--set=user.data={\"option\": \"arg\"}");
    reads("# gridmill: --name='''It's a \"job\"'''\n", "--name=It's a \"job\"");
    reads("# gridmill: --set=user.foo=\"\"\"{\"key\": 42}\"\"\"\n",
          "--set=user.foo={\"key\": 42}");
    reads("# gridmill: --set=user.conf=\"\"\"\n# gridmill: [config]\n"
          "# gridmill:   item = \"foo\"\n# gridmill: \"\"\"\n",
          "--set=user.conf=[config]\n  item = \"foo\"\n");
    reads("# gridmill: -N4 # -c2 : not now\n", "-N4");
    reads("#!/bin/sh\n#GRIDMILL: -N1\nhostname; date\n#GRIDMILL: --name=test\n",
          "s:4:2: a directive after the directives: line 3 ended them, having another "
          "prefix\n");
}

Test(directives, quotes_are_those_of_a_posix_shell)
{
    reads("# gridmill: --a='b  c'\"d e\"f\\ g\n", "--a=b  cd ef g");
    reads("# gridmill: --a=\"\\\"\\\\\\$x\\`\\n\"\n", "--a=\"\\$x`\\n");
    reads("# gridmill: --a='\\'\n", "--a=\\");
    reads("# gridmill: --a '' \"\"\n", "--a||");
    reads("# gridmill: \"--a\" b\n", "--a|b");
    reads("# gridmill: --a=b#c '#' \\# # d 'e\n", "--a=b#c|#|#");
    reads("# gridmill: --shape=slot=2/[core=2;gpu] --x=*.{{id}}.[a-c]:@\n",
          "--shape=slot=2/[core=2;gpu]|--x=*.{{id}}.[a-c]:@");
    reads("# gridmill: --a=\"\"\"b\"\"\" --c='''d''' e\n", "--a=b|--c=d|e");
    reads("# gridmill: --a=\"\"\"say \"hi\"\"\"\"\n", "--a=say \"hi\"");
    reads("# gridmill: --a=\"\"\"\"\"\"\n", "--a=");
}

Test(directives, a_sentinel_is_a_prefix_without_word_characters_and_the_tag)
{
    reads("gridmill: -a\n", "-a");
    reads("%%GRIDMILL:-a\r\n%%GRIDMILL: -b\r\n", "-a|-b");
    reads("#gridmill: -a\n#\n#GRID\n\n   \n#gridmill: -b", "-a|-b");
    reads("# Gridmill: -a\n# flux: -b\nrem gridmill: -c\n#gridmill -d\n", "");
    reads("# \xc3\xbc gridmill: no prefix\n", "");
    reads("#!/bin/sh\necho before\n#gridmill: -a\n", "-a");
    reads("#gridmill:\n#gridmill:   # nothing\n#gridmill: -a\n", "-a");
    /* A prefix of blanks ends with less of them. */
    reads("  gridmill: -a\n  text\n  gridmill: -b\n", "-a|-b");
    reads("  gridmill: -a\n text\n  gridmill: -b\n",
          "s:3:3: a directive after the directives: line 2 ended them, having another "
          "prefix\n");
    reads("", "");
}

Test(directives, texts_of_several_lines_lose_their_common_indentation)
{
    reads("#gridmill:   --a=\"\"\"  \n#gridmill:   x:\n#gridmill:     y # z\n"
          "#gridmill: '''\n#gridmill:\n#gridmill:   last\"\"\"\n#gridmill: -b\n",
          "--a=x:\n  y # z\n '''\n\nlast|-b");
    reads("#gridmill: --a=\"\"\"\n#gridmill: say \"hi\"\"\"\"\n", "--a=say \"hi\"");
    reads("#gridmill: -b --a '''\n#gridmill: '''\n", "-b|--a|");
}

Test(directives, a_text_of_several_lines_knows_where_its_lines_stand)
{
    static const char script[] = "#!/bin/sh\n# gridmill: -n4 --set tasks='''\n"
                                 "# gridmill: - kernel: sleep\n# gridmill: '''\n";
    AUTO(arena) a = arena_make();
    struct jobspec_faults faults;
    const struct directive *words = NULL;
    unsigned n = 0;
    faults_init(&faults, "s");
    cr_assert(directives_read(a, script, strlen(script), &faults, &words, &n) == 0);
    cr_assert(n == 3);
    cr_expect(words[0].line == 2 && words[0].col == 13 && words[0].block_line == 0);
    cr_expect(words[1].line == 2 && words[1].col == 17);
    cr_expect(words[2].line == 2 && words[2].col == 23);
    cr_expect(words[2].block_line == 3 && words[2].block_col == 13);
    cr_expect_str_eq(words[2].text + words[2].block, "- kernel: sleep\n");
    jobspec_faults_free(&faults);
}

Test(directives, every_fault_is_told_with_its_place)
{
    static const struct {
        const char *script, *told;
    } rows[] = {
        {"#gridmill: ranks=4\n",
         "s:1:12: a directive is made of options, as in --ranks=4, and 'ranks=4' is "
         "none\n"},
        {"#gridmill: -a\n# gridmill: -b\n##gridmill: -c\n",
         "s:2:1: begins with '# gridmill:', but the directives of this file begin with "
         "'#gridmill:' (line 1); to switch one off, write # after the colon\n"
         "s:3:1: begins with '##gridmill:', but the directives of this file begin with "
         "'#gridmill:' (line 1); to switch one off, write # after the colon\n"},
        {"#gridmill: -a\n#GRIDMILL: -b\n",
         "s:2:1: begins with '#GRIDMILL:', but the directives of this file begin with "
         "'#gridmill:' (line 1); to switch one off, write # after the colon\n"},
        {"# gridmill: --name='foo''\n",
         "s:1:25: the quote ' is not closed in its line\n"},
        {"# gridmill: --name=\"foo\n",
         "s:1:20: the quote \" is not closed in its line\n"},
        {"# gridmill: --n=\"\xc3\xbc\" 'x\n",
         "s:1:21: the quote ' is not closed in its line\n"},
        {"# gridmill: --name=foo\\\n", "s:1:23: nothing stands after the backslash\n"},
        {"# gridmill: --name='''It's a \"job\"\ndate\n",
         "s:1:20: these three quotes are not closed in their line; a text of several "
         "lines begins in the line after them\n"},
        {"# gridmill: --a='''\n# gridmill: b\ndate\n",
         "s:1:13: the text that begins here is not closed: three quotes must end it, and "
         "each of its lines must begin with '# gridmill:'\n"},
        {"# gridmill: --a='''\n# gridmill: b\n",
         "s:1:13: the text that begins here is not closed: three quotes must end it, and "
         "each of its lines must begin with '# gridmill:'\n"},
        {"# gridmill: --a='''\n# gridmill: b''' --c\n",
         "s:2:14: the closing quotes of a text must be the last of their line\n"},
        {"# gridmill: x\n# gridmill: --a='b\n# gridmill: y\n",
         "s:1:13: a directive is made of options, as in --ranks=4, and 'x' is none\n"
         "s:2:17: the quote ' is not closed in its line\n"
         "s:3:13: a directive is made of options, as in --ranks=4, and 'y' is none\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        reads(rows[i].script, rows[i].told);
    AUTO_FREE(char) nul = read_all("#gridmill: -a\0b\n", 16);
    cr_expect_str_eq(nul, "s:1:1: a directive must not hold a NUL character\n");
}

/* Any bytes end in words or in faults: every prefix of a script, and each byte changed.
 */
Test(directives, no_bytes_are_too_odd)
{
    static const char script[] = "#!/bin/sh\n# gridmill: -a 'b' \"c\\\"\" \\d # e\n"
                                 "# gridmill: --f='''g''' --h=\"\"\"\n# gridmill: i\n"
                                 "# gridmill: \"\"\"\n\necho\n# gridmill: -j\n";
    static const char odd[] = "'\"\\\n\0# \xff:a";
    for (size_t n = 0; n < sizeof(script); n++) {
        free(read_all(script, n));
        for (size_t k = 0; k < sizeof(odd); k++) {
            char changed[sizeof(script)];
            memcpy(changed, script, sizeof(script));
            changed[n] = odd[k];
            free(read_all(changed, sizeof(changed)));
        }
    }
}

Test(directives, a_shebang_is_cut_as_the_kernel_cuts_it)
{
    static const struct {
        const char *text;
        unsigned n;
        const char *words[2];
    } rows[] = {{"#!/bin/sh\nx", 1, {"/bin/sh"}},
                {"#! /usr/bin/env  bash -e \r\n", 2, {"/usr/bin/env", "bash -e"}},
                {"#!/bin/sh", 1, {"/bin/sh"}},
                {"#!\n/bin/sh", 0, {NULL}},
                {"# !/bin/sh", 0, {NULL}},
                {"#", 0, {NULL}}};
    AUTO(arena) a = arena_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *words[2] = {NULL, NULL};
        unsigned n = directives_shebang(a, rows[i].text, strlen(rows[i].text), words);
        cr_expect(n == rows[i].n, "%s: %u", rows[i].text, n);
        for (unsigned k = 0; k < n && k < rows[i].n; k++)
            cr_expect_str_eq(words[k], rows[i].words[k]);
    }
}
