/* scheduler/spec/starter: layout, blanks and values given. That starters of the real
 * kernels run is tests/cli/init.sh's. */
#include "base/arena.h"
#include "spec/faults.h"
#include "spec/starter.h"
#include "spec_kernels.h"
#include <criterion/criterion.h>
#include <stdlib.h>

struct made {
    char *text, *blanks;
    struct gm_error err;
    int rc;
};

static struct made
make(const struct gm_kernel *k, const char *const *sets, unsigned n_sets)
{
    struct made m = {0};
    struct starter_options opt = {
        .name = "job", .file = "job.yaml", .sets = sets, .n_sets = n_sets};
    m.rc = starter_format(k, &opt, &m.text, &m.blanks, &m.err);
    return m;
}
#define MAKE(kernel, ...)                                                                \
    make(kernel,                                                                         \
         (const char *const[]){__VA_ARGS__},                                             \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void done(struct made *m)
{
    free(m->text);
    free(m->blanks);
}

static void says(const struct made *m, const char *want)
{
    cr_assert_eq(m->rc, 0, "%s", m->err.text);
    cr_expect(strstr(m->text, want) != NULL, "no '%s' in\n%s", want, m->text);
}

static void loads(const struct made *m)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct jobspec *spec = NULL;
    struct gm_error err = {0};
    int rc =
        jobspec_parse("job.yaml", m->text, strlen(m->text), &opt, &spec, &faults, &err);
    cr_expect_eq(rc, 0, "%s\n%s", err.text, m->text);
    jobspec_faults_free(&faults);
    jobspec_free(spec);
}

Test(starter, names_what_is_to_be_filled_in)
{
    struct made m = make(&kernel_train, NULL, 0);
    says(&m, "\n  data: FILL-ME.csv ");
    says(&m, "# required: training table\n");
    says(&m, "\n  # optimizer: sgd ");
    says(&m, "# rule (sgd, adamw)\n");
    says(&m, "\n  # momentum: 0.9 ");
    says(&m, "First fill in what says FILL-ME.");
    cr_expect_str_eq(m.blanks, "args.data");
    done(&m);
    m = make(&kernel_infer, NULL, 0);
    says(&m, "\nshards: {of: FILL-ME.csv, rows: 1000}");
    says(&m, "\n  # extra: \"${FILL-ME}\"");
    cr_expect_str_eq(m.blanks, "args.model shards");
    cr_expect(strstr(m.text, "group:") == NULL, "its tasks run on one rank");
    done(&m);
}

Test(starter, takes_values_as_set_does_and_is_then_a_jobspec)
{
    struct made m = MAKE(&kernel_train,
                         "args.data=d.csv",
                         "args.note='a: b'",
                         "matrix.lr=[0.1, 1]",
                         "args.lr=${lr}",
                         "ranks=2",
                         "per-rank.cores=3",
                         "oversubscribe=true");
    says(&m, "\n  data: d.csv ");
    says(&m, "\n  note: \"a: b\" ");
    says(&m, "\nmatrix: {lr: [0.1, 1]} ");
    says(&m, "\n  lr: \"${lr}\" ");
    says(&m, "\nranks: 2 ");
    says(&m, "\nper-rank: {cores: 3} ");
    says(&m, "\noversubscribe: true ");
    says(&m, "It runs as it stands.");
    cr_expect_str_eq(m.blanks, "");
    loads(&m);
    done(&m);
    m = MAKE(&kernel_infer, "args.model=m", "shards.of=no", "args.label=true");
    says(&m, "\nshards: {of: no, rows: 1000}");
    says(&m, "\n  label: true ");
    done(&m);
}

Test(starter, of_a_command_runs_as_it_stands)
{
    struct made m = make(NULL, NULL, 0);
    says(&m, "\ncommand: [echo, hello] ");
    cr_expect_str_eq(m.blanks, "");
    loads(&m);
    done(&m);
    m = MAKE(NULL, "command=[x, '', -1, \"a\\nb\", null]");
    says(&m, "\ncommand: [x, \"\", -1, \"a\\nb\", null]");
    done(&m);
}

Test(starter, is_at_most_88_columns_wide_where_words_allow)
{
    struct made m = make(&kernel_infer, NULL, 0);
    for (const char *line = m.text; line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        cr_expect(len <= 88, "%.*s", (int)len, line);
        line += len + (line[len] == '\n');
    }
    done(&m);
}

Test(starter, refuses_what_is_no_key)
{
    static const struct {
        const char *set, *says;
    } rows[] = {
        {"data=x", "args.data=VALUE"},
        {"args.dat=x", "'data'"},
        {"rank=1", "did you mean 'ranks'"},
        {"tasks.0.group=1", "one stage"},
        {"kernel=sleep", "first word"},
        {"command=[x]", "first word"},
        {"args=1", "args.NAME=VALUE"},
        {"args.lr={", "not YAML"},
        {"lr", "PATH=VALUE"},
        {"ranks.x.y=1=", ""},
        {"=", "PATH=VALUE"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct made m = make(&kernel_train, &rows[i].set, 1);
        if (rows[i].says[0] == '\0') { /* a deeper mistake is the checker's */
            cr_expect_eq(m.rc, 0, "%s", m.err.text);
            done(&m);
            continue;
        }
        cr_expect_eq(m.rc, -EINVAL, "%s", rows[i].set);
        cr_expect(strstr(m.err.text, rows[i].says) != NULL, "%s", m.err.text);
        cr_expect(m.text == NULL && m.blanks == NULL);
    }
}
