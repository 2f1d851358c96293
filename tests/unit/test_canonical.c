/* scheduler/spec/canonical: golden files of both kinds, and the same job again from what
 * was written. */
#include "spec/canonical.h"
#include "spec/doc.h"
#include "spec/faults.h"
#include "spec/flux.h"
#include "spec/tasks.h"
#include "spec_golden.h"

static struct jobspec *load_golden(const char *path)
{
    struct jobspec_faults faults;
    struct jobspec *spec = NULL;
    int rc = golden_load(path, &spec, &faults);
    struct gm_error err = {0};
    cr_assert(rc == 0, "%s: %s", path, (faults_first(&faults, 0, &err), err.text));
    jobspec_faults_free(&faults);
    return spec;
}

/* Documents of both kinds: short ones, then canonical ones. */
static const char *const kinds[] = {"valid", "../canonical"};

static struct jobspec *parse(const char *file, const char *text)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct gm_error err = {0};
    struct jobspec *spec = NULL;
    opt.dir = NULL;
    int rc = jobspec_parse(file, text, strlen(text), &opt, &spec, &faults, &err);
    cr_assert(rc == 0, "%s\n%s", err.text, text);
    jobspec_faults_free(&faults);
    return spec;
}

Test(canonical, every_file_has_its_golden_form)
{
    for (int k = 0; k < 2; k++) {
        glob_t files = golden_files(kinds[k], 6);
        for (size_t i = 0; i < files.gl_pathc; i++) {
            AUTO(jobspec) spec = load_golden(files.gl_pathv[i]);
            AUTO_FREE(char) text = canonical_format(spec, true);
            golden_check(files.gl_pathv[i], "canonical", text);
        }
        globfree(&files);
    }
}

Test(canonical, is_one_line_unless_pretty)
{
    glob_t files = golden_files("valid", 7);
    AUTO(jobspec) spec = load_golden(files.gl_pathv[0]);
    AUTO_FREE(char) line = canonical_format(spec, false);
    cr_expect(strchr(line, '\n') == NULL);
    globfree(&files);
}

/* Every field that a job is run by, but `text`, `file` and `flux`. */
static void
expect_same_stage(const struct jobspec *a, const struct jobspec *b, unsigned i)
{
    const struct jobspec_stage *x = &a->stages[i], *y = &b->stages[i];
    AUTO_FREE(char) one = tasks_common_json(a, i, true);
    AUTO_FREE(char) two = tasks_common_json(b, i, true);
    cr_expect_str_eq(two, one);
    cr_expect_str_eq(y->name, x->name);
    cr_expect(x->kernel == y->kernel && x->group == y->group);
    cr_expect(x->n_tasks == y->n_tasks && x->n_shards == y->n_shards);
    cr_expect(!(x->timeout < y->timeout) && !(x->timeout > y->timeout));
    cr_expect(!(x->checkpoint < y->checkpoint) && !(x->checkpoint > y->checkpoint));
    cr_expect(x->retry_limit == y->retry_limit && x->retry_on == y->retry_on);
    cr_expect(x->crash_limit == y->crash_limit && x->priority == y->priority);
    cr_expect(x->max_in_flight == y->max_in_flight);
    cr_expect(x->task_cores == y->task_cores && x->task_gpus == y->task_gpus);
    cr_expect(x->most_output == y->most_output);
    cr_expect(memcmp(&x->limits, &y->limits, sizeof(x->limits)) == 0);
    cr_assert((x->inherit == NULL) == (y->inherit == NULL));
    cr_assert(x->n_inherit == y->n_inherit && x->n_input_paths == y->n_input_paths);
    for (unsigned k = 0; k < x->n_inherit; k++)
        cr_expect_str_eq(y->inherit[k], x->inherit[k]);
    for (unsigned k = 0; k < x->n_input_paths; k++)
        cr_expect_str_eq(y->input_paths[k], x->input_paths[k]);
    cr_expect(x->per == y->per && x->per_count == y->per_count);
    cr_expect((x->per_type == NULL) == (y->per_type == NULL));
    cr_expect(x->per_type == NULL || strcmp(x->per_type, y->per_type) == 0);
    cr_expect((x->slot == NULL) == (y->slot == NULL));
    cr_expect(x->slot == NULL || strcmp(x->slot->label, y->slot->label) == 0);
    cr_expect(x->n_env == y->n_env && x->n_command == y->n_command);
    cr_assert(x->n_needs == y->n_needs && x->n_axes == y->n_axes);
    for (unsigned k = 0; k < x->n_needs; k++)
        cr_expect(x->needs[k].stage == y->needs[k].stage &&
                  x->needs[k].strict == y->needs[k].strict &&
                  x->needs[k].same_index == y->needs[k].same_index);
    for (unsigned k = 0; k < x->n_axes; k++)
        cr_expect_str_eq(y->axes[k].name, x->axes[k].name);
}

static void expect_same_pattern(const struct pattern *a, const struct pattern *b)
{
    cr_assert((a == NULL) == (b == NULL));
    if (a == NULL)
        return;
    cr_expect(a->kind == b->kind && a->group == b->group);
    cr_expect(a->rows == b->rows && a->columns == b->columns);
}

static void expect_same_job(const struct jobspec *a, const struct jobspec *b)
{
    cr_expect_str_eq(b->dir, a->dir);
    cr_expect_str_eq(b->name, a->name);
    cr_expect_str_eq(b->results, a->results);
    cr_expect_str_eq(b->mapping, a->mapping);
    cr_expect_eq(b->map_by, a->map_by);
    cr_expect_str_eq(b->rank_by != NULL ? b->rank_by : "",
                     a->rank_by != NULL ? a->rank_by : "");
    cr_expect_str_eq(b->bind_to != NULL ? b->bind_to : "",
                     a->bind_to != NULL ? a->bind_to : "");
    cr_expect(a->ranks == b->ranks && a->nodes == b->nodes && a->gpus == b->gpus);
    cr_expect(a->ranks_per_node == b->ranks_per_node && a->memory == b->memory);
    cr_expect((a->cores > 0 ? a->cores : 1) == (b->cores > 0 ? b->cores : 1) ||
              a->resources != NULL);
    cr_expect(a->oversubscribe == b->oversubscribe);
    expect_same_pattern(a->pattern, b->pattern);
    cr_expect_str_eq(b->verify != NULL ? b->verify : "",
                     a->verify != NULL ? a->verify : "");
    cr_expect(!(a->time < b->time) && !(a->time > b->time));
    cr_expect(!(a->grace < b->grace) && !(a->grace > b->grace));
    cr_expect(a->restarts == b->restarts && a->stop_on_loss == b->stop_on_loss);
    cr_expect(!(a->telemetry < b->telemetry) && !(a->telemetry > b->telemetry));
    cr_expect(a->pack == b->pack && a->writers == b->writers);
    cr_expect(a->n_after == b->n_after && a->n_notify == b->n_notify);
    cr_expect((a->hosts == NULL) == (b->hosts == NULL));
    cr_expect((a->constraints == NULL) == (b->constraints == NULL));
    cr_expect(a->n_sources == b->n_sources);
    cr_expect(a->n_resources == b->n_resources);
    cr_assert(a->n_stages == b->n_stages);
    for (unsigned i = 0; i < a->n_stages; i++)
        expect_same_stage(a, b, i);
}

Test(canonical, is_the_same_job_and_the_same_text_again)
{
    for (int k = 0; k < 2; k++) {
        glob_t files = golden_files(kinds[k], 6);
        for (size_t i = 0; i < files.gl_pathc; i++) {
            const char *name = strrchr(files.gl_pathv[i], '/');
            AUTO_STR elsewhere = {0};
            str_printf(&elsewhere, "/another/folder%s", name);
            AUTO(jobspec) spec = load_golden(files.gl_pathv[i]);
            AUTO_FREE(char) once = canonical_format(spec, true);
            AUTO(jobspec) again = parse(elsewhere.text, once);
            AUTO_FREE(char) twice = canonical_format(again, true);
            cr_expect_str_eq(twice, once, "%s", files.gl_pathv[i]);
            cr_expect(again->form == DIALECT_FLUX_CORE && again->flux != NULL);
            expect_same_job(spec, again);
        }
        globfree(&files);
    }
}

/* By the letter of RFC 14, and of RFC 25 where it says version 1. */
Test(canonical, keeps_the_rules_that_it_is_written_by)
{
    for (int k = 0; k < 2; k++) {
        glob_t files = golden_files(kinds[k], 6);
        for (size_t i = 0; i < files.gl_pathc; i++) {
            AUTO(jobspec) spec = load_golden(files.gl_pathv[i]);
            AUTO_FREE(char) text = canonical_format(spec, false);
            struct jobspec_options opt = fake_options();
            struct jobspec_faults faults;
            struct gm_error err = {0};
            AUTO(jobspec) strict = NULL;
            opt.dialect = DIALECT_RFC;
            opt.only_v1 = strncmp(text, "{\"version\":1,", 13) == 0;
            cr_expect(opt.only_v1 == (spec->ranks > 0) || jobspec_seated(spec));
            int rc =
                jobspec_parse("x.json", text, strlen(text), &opt, &strict, &faults, &err);
            cr_expect(rc == 0, "%s: %s", files.gl_pathv[i], err.text);
            cr_expect(rc != 0 || strict->form == DIALECT_RFC);
            jobspec_faults_free(&faults);
        }
        globfree(&files);
    }
}

Test(canonical, of_ranks_without_a_number_has_a_note)
{
    AUTO(jobspec)
    some = parse("/job/x.yaml", "ranks: 2\nkernel: sleep\nargs: {seconds: 1}");
    AUTO(jobspec) any = parse("/job/x.yaml", "kernel: sleep\nargs: {seconds: 1}");
    cr_expect(canonical_note(some) == NULL);
    cr_expect(strstr(canonical_note(any), "--set ranks=N") != NULL);
}

static void expect_literal(const struct jobspec_template *t, const char *text)
{
    cr_assert(t->n == 1 && t->pieces[0].ref == NULL);
    cr_expect_str_eq(t->pieces[0].text, text);
}

Test(canonical, without_a_gridmill_part_seats_its_tasks)
{
    glob_t files = golden_files("../canonical", 6);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        if (strstr(files.gl_pathv[i], "/plain.yaml") == NULL)
            continue;
        AUTO(jobspec) s = load_golden(files.gl_pathv[i]);
        cr_assert(jobspec_seated(s) && s->n_stages == 3 && s->n_resources == 1);
        cr_expect_str_eq(s->name, "two_words");
        cr_expect_str_eq(s->results, "/job/two_words.h5");
        cr_expect_str_eq(s->dir, "/job");
        cr_expect(s->time >= 3600 && s->time <= 3600);
        const struct jobspec_stage *a = &s->stages[0], *b = &s->stages[1],
                                   *c = &s->stages[2];
        cr_expect_str_eq(a->name, "echo");
        cr_expect_str_eq(b->name, "echo-2");
        cr_expect_str_eq(c->name, "b_out");
        cr_assert(a->n_command == 4);
        expect_literal(&a->command[1], "${x}");
        expect_literal(&a->command[2], "$${y}");
        expect_literal(&a->command[3], "");
        cr_expect(a->per == JOBSPEC_PER_SLOT && a->per_count == 2 && a->group == 1);
        cr_expect_str_eq(a->slot->label, "big");
        cr_expect(b->per == JOBSPEC_TOTAL && b->per_count == 5 && b->n_tasks == 0);
        cr_expect_str_eq(b->slot->label, "small");
        cr_expect(c->per == JOBSPEC_PER_RESOURCE && c->per_count == 1);
        cr_expect_str_eq(c->per_type, "core");
        cr_assert(a->n_env == 3 && b->n_env == 4);
        expect_literal(&a->env[1].value, "job");
        expect_literal(&b->env[1].value, "task");
        expect_literal(&b->env[3].value, "${d}");
        cr_expect(!b->env[1].unset && b->env[2].unset && !a->env[2].unset);
    }
    globfree(&files);
}

Test(canonical, takes_the_seats_of_a_plan)
{
    static const char text[] =
        "version: 2\n"
        "resources: [{type: slot, label: x, count: 1+, with: [{type: core, count: 1}]}]\n"
        "tasks:\n"
        "- {command: [a], slot: x, count: {per_slot: 1}}\n"
        "- {command: [b], slot: x, count: {per_slot: 2}}\n"
        "attributes: {}\n";
    static const uint64_t seats[] = {3, 6}, many[] = {3, UINT64_MAX};
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    AUTO(jobspec) s = NULL;
    opt.seated = seats;
    opt.n_seated = 2;
    cr_assert(jobspec_parse("x.yaml", text, strlen(text), &opt, &s, &faults, NULL) == 0);
    jobspec_faults_free(&faults);
    cr_expect(s->stages[0].n_tasks == 3 && s->stages[0].first_rank == 0);
    cr_expect(s->stages[1].n_tasks == 6 && s->stages[1].first_rank == 3);
    cr_expect_str_eq(s->name, "a");
    cr_expect_str_eq(s->results, "/job/x.h5", "named after the file");
    for (int k = 0; k < 2; k++) {
        struct jobspec *none = NULL;
        struct gm_error err = {0};
        opt.seated = k == 0 ? seats : many;
        opt.n_seated = k == 0 ? 1 : 2;
        cr_expect(
            jobspec_parse("x.yaml", text, strlen(text), &opt, &none, &faults, &err) ==
            -EINVAL);
        cr_expect(strstr(err.text, "the plan seats") != NULL, "%s", err.text);
        jobspec_faults_free(&faults);
    }
}

/* What a dialect is asked for decides how a document is read. */
Test(canonical, is_a_form_that_can_be_asked_for)
{
    static const char text[] = "version: 1\nkernel: sleep\nargs: {seconds: 1}\n";
    static const struct {
        enum dialect dialect;
        const char *told;
    } rows[] = {{DIALECT_SHORT, "unknown key 'version'"},
                {DIALECT_RFC, "resources"},
                {DIALECT_FLUX_CORE, "resources"},
                {DIALECT_FLUXION, "resources"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct jobspec_options opt = fake_options();
        struct jobspec_faults faults;
        struct jobspec *s = NULL;
        opt.dialect = rows[i].dialect;
        cr_expect(jobspec_parse("x.yaml", text, strlen(text), &opt, &s, &faults, NULL) ==
                  -EINVAL);
        bool told = false;
        for (size_t k = 0; k < faults.n; k++)
            told = told || strstr(faults.items[k].text, rows[i].told) != NULL;
        cr_expect(told, "%zu", i);
        jobspec_faults_free(&faults);
    }
}
