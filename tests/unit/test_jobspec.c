/* scheduler/spec/jobspec: golden files for each rule, and files that are wrong in ways
 * that nobody thought of. */
#include "base/clock.h"
#include "spec/canonical.h"
#include "spec/faults.h"
#include "spec_golden.h"
#include <unistd.h>

static struct jobspec *load(const char *text)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct gm_error err = {0};
    struct jobspec *spec = NULL;
    int rc = jobspec_parse("x.yaml", text, strlen(text), &opt, &spec, &faults, &err);
    cr_assert(rc == 0, "%s", err.text);
    cr_assert(faults.n == 0);
    jobspec_faults_free(&faults);
    return spec;
}

Test(jobspec, every_invalid_file_is_told_all_its_faults_with_their_places)
{
    glob_t files = golden_files("invalid", 40);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct jobspec_faults faults;
        struct jobspec *spec = NULL;
        AUTO_STR told = {0};
        int rc = golden_load(files.gl_pathv[i], &spec, &faults);
        cr_expect(rc == -EINVAL && spec == NULL, "%s was taken", files.gl_pathv[i]);
        for (size_t k = 0; k < faults.n; k++) {
            AUTO_FREE(char) line = jobspec_fault_format(&faults, k);
            str_printf(&told, "%s\n", strncmp(line, "/job/", 5) == 0 ? line + 5 : line);
        }
        golden_check(files.gl_pathv[i], "err", str_text(&told));
        jobspec_faults_free(&faults);
    }
    globfree(&files);
}

Test(jobspec, every_valid_file_is_taken)
{
    glob_t files = golden_files("valid", 7);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct jobspec_faults faults;
        AUTO(jobspec) spec = NULL;
        int rc = golden_load(files.gl_pathv[i], &spec, &faults);
        AUTO_FREE(char) first = faults.n > 0 ? jobspec_fault_format(&faults, 0) : NULL;
        cr_expect(rc == 0 && spec != NULL, "%s: %s", files.gl_pathv[i], first);
        jobspec_faults_free(&faults);
    }
    globfree(&files);
}

Test(jobspec, the_words_of_a_file_end_up_in_the_spec)
{
    AUTO(jobspec)
    s = load("name: n\nranks: 4\nper-rank: {cores: 2, gpus: 1, memory: 1KiB}\n"
             "mapping: pack\ntime: 2m\noversubscribe: true\nresults: r/x.h5\n"
             "tasks:\n- {name: a, kernel: mlp.train, group: all, timeout: 5,\n"
             "   retry: {limit: 3, on: [node]}, args: {data: d.csv}}\n"
             "- {name: b, command: [x, y], needs: [a], env: {K: v}}\n"
             "verify-binding: off\n");
    cr_expect_str_eq(s->name, "n");
    cr_expect(s->ranks == 4 && s->cores == 2 && s->gpus == 1 && s->memory == 1024);
    cr_expect_str_eq(s->mapping, "pack");
    cr_expect(s->time == 120 && s->oversubscribe);
    cr_expect_str_eq(s->verify, "off");
    cr_expect_str_eq(s->results, "/job/r/x.h5");
    cr_assert(s->n_stages == 2);
    const struct jobspec_stage *a = &s->stages[0], *b = &s->stages[1];
    cr_expect(a->kernel == &kernel_train && a->group == 0 && a->timeout == 5);
    cr_expect(a->retry_limit == 3 && a->retry_on == JOBSPEC_RETRY_NODE);
    cr_expect(a->n_tasks == 1 && a->line == 9 && a->col == 3);
    cr_expect_str_eq(a->args[TRAIN_DATA].value.as.s, "/job/d.csv");
    cr_expect_str_eq(a->args[TRAIN_DATA].text, "d.csv");
    cr_expect(a->args[TRAIN_LR].fixed && !a->args[TRAIN_LR].given);
    cr_expect(a->args[TRAIN_LR].value.as.f == 0.1, "the default");
    cr_expect(a->args[TRAIN_LAYERS].value.n == 2 &&
              a->args[TRAIN_LAYERS].value.as.ints[1] == 10);
    cr_expect(a->args[TRAIN_NOTE].value.type == 0, "no default");
    cr_expect(b->n_command == 2 && b->n_env == 1 && b->group == 1);
    cr_assert(b->n_needs == 1);
    cr_expect(b->needs[0].stage == 0 && b->needs[0].strict && !b->needs[0].same_index);
}

Test(jobspec, what_is_not_said_has_its_default)
{
    AUTO(jobspec) s = load("kernel: sleep\nargs: {seconds: 0}\n");
    cr_expect_str_eq(s->name, "x");
    cr_expect(s->ranks == 0 && s->cores == 0 && s->time == 0 && s->memory == 0);
    cr_expect_str_eq(s->mapping, "auto");
    cr_expect_str_eq(s->results, "/job/x.h5");
    cr_expect_str_eq(s->dir, "/job");
    cr_expect_str_eq(s->stages[0].name, "main");
    cr_expect(s->stages[0].retry_limit == 0 && s->stages[0].timeout == 0);
}

Test(jobspec, how_tasks_run_has_its_defaults_in_both_forms)
{
    static const char *const texts[] = {
        "command: [a]\n",
        "version: 1\nresources: [{type: slot, count: 1, label: s, with: [{type: core, "
        "count: 1}]}]\ntasks: [{command: [a], slot: s, count: {per_slot: 1}}]\n"
        "attributes: {system: {duration: 0}}\n"};
    for (int i = 0; i < 2; i++) {
        AUTO(jobspec) s = load(texts[i]);
        const struct jobspec_stage *a = &s->stages[0];
        cr_expect(a->crash_limit == 3 && a->priority == 0 && a->max_in_flight == 0);
        cr_expect(a->task_cores == 0 && a->task_gpus == 0 && a->group == 1);
        cr_expect(a->input.n == 0 && a->inherit == NULL && a->most_output == 64 << 20);
        cr_expect(a->limits.memory == UINT64_MAX && a->limits.file_size == UINT64_MAX);
        cr_expect(a->limits.files == UINT64_MAX && a->limits.processes == UINT64_MAX);
        cr_expect(a->limits.core == 0 && a->limits.cpu < 0);
        cr_expect(s->grace == 30 && s->restarts == 3 && !s->stop_on_loss);
    }
}

Test(jobspec, how_tasks_run_is_read)
{
    AUTO(jobspec)
    s = load("grace: 1m\non-loss: {restarts: 0, policy: stop}\n"
             "tasks:\n- {name: a, kernel: sleep, args: {seconds: 0}, crash-limit: 1, "
             "priority: -7, max-in-flight: 9000000000, cores: 2, gpus: 1}\n"
             "- {name: b, command: [x], stdin: in.txt, inherit: [PATH, 'LD_*'], "
             "limits: {memory: 1GiB, file-size: 0, files: 64, processes: inf, core: inf, "
             "cpu: 1.5m}, output-limit: 1KiB}\n"
             "- {name: c, matrix: {i: 1-3}, command: [x], stdin: 'in/${i}', "
             "inherit: []}\n");
    const struct jobspec_stage *a = &s->stages[0], *b = &s->stages[1];
    const struct jobspec_stage *c = &s->stages[2];
    cr_expect(s->grace == 60 && s->restarts == 0 && s->stop_on_loss);
    cr_expect(a->crash_limit == 1 && a->priority == -7);
    cr_expect(a->max_in_flight == 9000000000u && a->task_cores == 2 && a->task_gpus == 1);
    cr_assert(b->n_input_paths == 1 && b->n_inherit == 2);
    cr_expect_str_eq(b->input_paths[0], "/job/in.txt");
    cr_expect_str_eq(b->inherit[1], "LD_*");
    cr_expect(b->limits.memory == 1u << 30 && b->limits.file_size == 0);
    cr_expect(b->limits.files == 64 && b->limits.processes == UINT64_MAX);
    cr_expect(b->limits.core == UINT64_MAX && b->limits.cpu == 90);
    cr_expect(b->most_output == 1024);
    cr_expect(c->n_inherit == 0 && c->inherit != NULL && c->n_input_paths == 3);
    cr_expect(s->n_sources == 4, "all four are inputs of the job");
}

Test(jobspec, references_imply_needs_element_to_element_or_whole)
{
    AUTO(jobspec)
    s = load("tasks:\n"
             "- {name: a, kernel: mlp.train, matrix: {x: 1-3}, args: {data: d}}\n"
             "- {name: b, kernel: mlp.train, matrix: {y: [7, 8, 9]}, args: {data: d, "
             "epochs: '${a.best_epoch}'}}\n"
             "- {name: c, command: [p, '${a.model@max:accuracy}']}\n"
             "- {name: d, command: [p, '${a.weights@min:seconds}'], needs: [a, b]}\n"
             "- {name: e, kernel: mlp.train, matrix: {x: 1-3}, args: {data: d, epochs: "
             "'${one.best_epoch}'}}\n"
             "- {name: one, kernel: mlp.train, args: {data: d}}\n");
    const struct jobspec_stage *b = &s->stages[1], *c = &s->stages[2], *d = &s->stages[3];
    cr_assert(b->n_needs == 1 && c->n_needs == 1 && d->n_needs == 2);
    cr_expect(b->needs[0].strict && b->needs[0].same_index);
    cr_expect(!c->needs[0].strict && !c->needs[0].same_index);
    cr_expect(d->needs[0].stage == 0 && d->needs[0].strict,
              "said is stricter than implied");
    cr_expect(s->stages[4].needs[0].stage == 5 && !s->stages[4].needs[0].same_index);
    const struct jobspec_ref *best = d->command[1].pieces[0].ref;
    cr_expect(best->kind == JOBSPEC_REF_BEST && best->least && best->scalar == 1);
    cr_expect_str_eq(best->text, "a.weights@min:seconds");
}

Test(jobspec, a_source_is_looked_at_once_for_each_unit)
{
    static const char text[] =
        "tasks:\n"
        "- {name: a, kernel: mlp.train, args: {data: d.csv}}\n"
        "- {name: b, kernel: mlp.train, args: {data: ./sub/../d.csv}}\n"
        "- {name: c, kernel: mlp.infer, args: {model: m}, shards: {of: d.csv, rows: "
        "300}}\n"
        "- {name: e, kernel: mlp.train, matrix: {f: [1, 2, 1]}, args: {data: "
        "'d${f}.csv'}}\n";
    unsigned looks = 0;
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    AUTO(jobspec) s = NULL;
    opt.look_ctx = &looks;
    cr_assert(jobspec_parse("x.yaml", text, strlen(text), &opt, &s, &faults, NULL) == 0);
    jobspec_faults_free(&faults);
    cr_expect(looks == 5 && s->n_sources == 5,
              "d.csv, d.csv by rows, m, d1.csv, d2.csv: %u",
              looks);
    cr_expect(s->stages[2].n_shards == 4 && s->stages[2].n_tasks == 4,
              "1000 rows by 300");
    cr_expect_str_eq(s->sources[0].path, "/job/d.csv");

    /* and from a plan not at all */
    AUTO(jobspec) again = NULL;
    struct jobspec_options from_plan = opt;
    from_plan.look = NULL;
    from_plan.known = s->sources;
    from_plan.n_known = s->n_sources;
    cr_assert(jobspec_parse(
                  "x.yaml", text, strlen(text), &from_plan, &again, &faults, NULL) == 0);
    jobspec_faults_free(&faults);
    cr_expect(looks == 5 && again->stages[2].n_tasks == 4);
    cr_expect(memcmp(again->sources[1].sha256, s->sources[1].sha256, 65) == 0);
    from_plan.n_known = 1;
    AUTO(jobspec) none = NULL;
    cr_expect(jobspec_parse(
                  "x.yaml", text, strlen(text), &from_plan, &none, &faults, NULL) != 0);
    jobspec_faults_free(&faults);
}

static int load_all(const char *text,
                    const struct jobspec_options *opt,
                    struct jobspec_jobs *ret,
                    struct jobspec_faults *faults)
{
    return jobspec_parse_all("/job/x.yaml", text, strlen(text), opt, ret, faults, NULL);
}

Test(jobspec, several_documents_are_several_jobs)
{
    static const char text[] = "kernel: sleep\nargs: {seconds: 1}\n"
                               "---\n# two\nkernel: sleep\nargs: {seconds: 2}\n"
                               "---\nname: last\nkernel: sleep\nargs: {seconds: 3}\n";
    static const double seconds[] = {1, 2, 3};
    static const unsigned lines[] = {1, 5, 8};
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct jobspec_jobs jobs = {0};
    cr_assert(load_all(text, &opt, &jobs, &faults) == 0);
    jobspec_faults_free(&faults);
    cr_assert(jobs.n == 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct jobspec *s = jobs.items[i];
        cr_expect(s->document == i + 1 && s->line == lines[i], "%u", s->line);
        cr_expect(s->stages[0].args[0].value.as.f == seconds[i]);
        cr_expect(s->text == jobs.text && s->text_len == strlen(text));
        /* the same job when it is asked for alone, as a rank does */
        AUTO(jobspec) alone = NULL;
        opt.document = i + 1;
        cr_assert(
            jobspec_parse(s->file, text, strlen(text), &opt, &alone, &faults, NULL) == 0);
        jobspec_faults_free(&faults);
        cr_expect_str_eq(alone->name, s->name);
        cr_expect_str_eq(alone->results, s->results);
        cr_expect(alone->document == i + 1 && alone->line == s->line);
        AUTO_FREE(char) form = canonical_format(s, false);
        AUTO_FREE(char) same = canonical_format(alone, false);
        cr_expect_str_eq(same, form);
        cr_expect(strstr(form, i == 1 ? "\"--document\",\"2\"," : "\"--document\",") !=
                  NULL);
    }
    cr_expect_str_eq(jobs.items[0]->name, "x");
    cr_expect_str_eq(jobs.items[1]->name + strlen(jobs.items[0]->name), "-2");
    cr_expect_str_eq(jobs.items[2]->results, "/job/last.h5");
    jobspec_jobs_free(&jobs);
    cr_expect(jobs.n == 0 && jobs.items == NULL);
    opt.document = 2;
    cr_assert(load_all(text, &opt, &jobs, &faults) == 0);
    jobspec_faults_free(&faults);
    cr_expect(jobs.n == 1 && jobs.items[0]->document == 2);
    jobspec_jobs_free(&jobs);
}

Test(jobspec, faults_of_all_documents_are_told_together)
{
    static const struct {
        const char *text, *told;
        unsigned document, line;
    } rows[] = {
        {"kernel: slep\n---\nkernel: sleep\nargs: {seconds: x}\n",
         "unknown kernel",
         0,
         1},
        {"kernel: slep\n---\nkernel: sleep\nargs: {seconds: x}\n", "a number, not", 0, 4},
        {"name: a\ncommand: [x]\n---\ncommand: [x]\nresults: a.h5\n",
         "/job/a.h5 is written by document 1 of this file, too",
         0,
         4},
        {"command: [x]\n---\n", "not null", 0, 3},
        {"command: [x]\n--- [\n", "not YAML", 0, 3},
        {"# nothing\n", "the file is empty", 0, 0},
        {"command: [x]\n", "document 2 was asked for, but the file holds 1", 2, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct jobspec_options opt = fake_options();
        struct jobspec_faults faults;
        struct jobspec_jobs jobs = {0};
        bool told = false;
        opt.document = rows[i].document;
        cr_expect(load_all(rows[i].text, &opt, &jobs, &faults) == -EINVAL && jobs.n == 0);
        for (size_t k = 0; k < faults.n; k++)
            told = told || (faults.items[k].line == rows[i].line &&
                            strstr(faults.items[k].text, rows[i].told) != NULL);
        cr_expect(told, "%s: %s", rows[i].told, faults.items[0].text);
        jobspec_faults_free(&faults);
    }
}

Test(jobspec, a_file_holds_4096_documents_and_no_more)
{
    AUTO_STR text = {0};
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct jobspec_jobs jobs = {0};
    for (int i = 0; i < 4096; i++)
        str_add(&text, "--- {command: [x]}\n");
    cr_expect(load_all(text.text, &opt, &jobs, &faults) == 0 && jobs.n == 4096);
    jobspec_jobs_free(&jobs);
    jobspec_faults_free(&faults);
    str_add(&text, "--- {command: [x]}\n");
    cr_expect(load_all(text.text, &opt, &jobs, &faults) == -EINVAL);
    cr_expect(strstr(faults.items[0].text, "more than 4096 jobs") != NULL);
    jobspec_faults_free(&faults);
}

Test(jobspec, a_file_that_is_not_there_is_named_once)
{
    struct jobspec_faults faults;
    struct gm_error err = {0};
    char *text = NULL;
    size_t len = 0;
    cr_expect(jobspec_read("/nowhere/x.yaml", &text, &len, &faults, &err) == -ENOENT);
    cr_expect_str_eq(err.text, "/nowhere/x.yaml: No such file or directory");
    cr_assert(faults.n == 1);
    AUTO_FREE(char) line = jobspec_fault_format(&faults, 0);
    cr_expect_str_eq(line, err.text);
    jobspec_faults_free(&faults);
}

Test(jobspec, ten_million_tasks_load_as_fast_as_one)
{
    double start = clock_monotonic();
    AUTO(jobspec)
    s = load("kernel: mlp.train\nmatrix: {seed: 1-10000, lr: [1, 2], n: 0-499}\n"
             "args: {data: d.csv, init-seed: '${seed}', lr: '${lr}', epochs: 1}\n"
             "name: x\n");
    double took = clock_monotonic() - start;
    cr_expect(s->stages[0].n_tasks == 10000000);
    cr_expect(arena_used(s->arena) < 100000, "%zu bytes", arena_used(s->arena));
    cr_expect(took < 0.05, "%.3f s", took);
}

/* Stages that need each other, axes with many values, a map with many unknown keys: 16
 * times the text may not take more than 5 * 16 times as long. */
static void build_large(struct str *out, int kind, int n)
{
    if (kind == 0) {
        str_add(out, "tasks:\n");
        str_add(out, "- {name: s0, kernel: sleep, args: {seconds: 1}}\n");
        for (int i = 1; i < n; i++)
            str_printf(out,
                       "- {name: s%d, kernel: sleep, args: {seconds: 1}, needs: [s%d]}\n",
                       i,
                       i - 1);
    } else if (kind == 1) {
        str_add(out, "kernel: sleep\nargs: {seconds: '${x}'}\nmatrix: {x: [0");
        for (int i = 0; i < 10 * n; i++)
            str_add(out, ", 1");
        str_add(out, "]}\n");
    } else {
        str_add(out, "kernel: sleep\n");
        for (int i = 0; i < n; i++)
            str_printf(out, "key%d: 1\n", i);
    }
}

Test(jobspec, loading_time_grows_with_the_text_only, .timeout = 60)
{
    for (int kind = 0; kind < 3; kind++) {
        double took[2];
        for (int round = 0; round < 2; round++) {
            AUTO_STR text = {0};
            struct jobspec_options opt = fake_options();
            struct jobspec_faults faults;
            AUTO(jobspec) s = NULL;
            build_large(&text, kind, round == 0 ? 2500 : 40000);
            double start = clock_monotonic();
            int rc =
                jobspec_parse("x.yaml", text.text, text.len, &opt, &s, &faults, NULL);
            took[round] = clock_monotonic() - start;
            cr_expect(kind == 2 ? rc == -EINVAL && faults.n == FAULTS_MAX + 1 : rc == 0,
                      "kind %d: %d",
                      kind,
                      rc);
            jobspec_faults_free(&faults);
        }
        cr_expect(took[1] < 5 * 16 * took[0] + 0.05,
                  "kind %d: %.3f s, then %.3f s",
                  kind,
                  took[0],
                  took[1]);
    }
}

/* Deterministic damage: cut, flip, repeat and swap bytes of the valid files. */
static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void damage(char *text, size_t *len, uint64_t *state)
{
    static const char alphabet[] = "{}[],:&*!|>'\"%@`#-? \n$~0aé\t";
    for (uint64_t k = next_random(state) % 4 + 1; k > 0 && *len > 1; k--) {
        size_t at = next_random(state) % *len;
        switch (next_random(state) % 4) {
        case 0:
            text[at] = alphabet[next_random(state) % (sizeof(alphabet) - 1)];
            break;
        case 1:
            memmove(text + at, text + at + 1, *len - at - 1);
            --*len;
            break;
        case 2:
            text[at] = (char)next_random(state);
            break;
        default:
            text[at] = text[next_random(state) % *len];
            break;
        }
    }
}

/* Whatever is taken can be written, and is the same when it is read again. */
static void try_again(const struct jobspec *spec)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct gm_error err = {0};
    AUTO(jobspec) again = NULL;
    AUTO_FREE(char) once = canonical_format(spec, false);
    int rc = jobspec_parse(spec->file, once, strlen(once), &opt, &again, &faults, &err);
    cr_assert(rc == 0, "%s\n%.*s\n%s", err.text, (int)spec->text_len, spec->text, once);
    AUTO_FREE(char) twice = canonical_format(again, false);
    cr_expect_str_eq(twice, once);
    jobspec_faults_free(&faults);
}

static void try_load(const char *text, size_t len)
{
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct gm_error err = {0};
    AUTO(jobspec) s = NULL;
    int rc = jobspec_parse("x.yaml", text, len, &opt, &s, &faults, &err);
    cr_assert((rc == 0) == (s != NULL) && (rc == 0) == (faults.n_errors == 0));
    cr_assert(rc == 0 || err.text[0] != '\0');
    if (rc == 0)
        try_again(s);
    for (size_t i = 0; i < faults.n; i++) {
        AUTO_FREE(char) line = jobspec_fault_format(&faults, i);
        cr_assert(line[0] != '\0');
    }
    jobspec_faults_free(&faults);
}

static void try_damaged(const char *kind, uint64_t *state)
{
    glob_t files = golden_files(kind, 6);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        size_t len = 0;
        AUTO_FREE(char) text = golden_read(files.gl_pathv[i], &len);
        AUTO_FREE(char) copy = xcalloc(len + 1, 1);
        for (size_t cut = 0; cut < len; cut += 3)
            try_load(text, cut);
        for (int k = 0; k < 500; k++) {
            size_t n = len;
            memcpy(copy, text, len + 1);
            damage(copy, &n, state);
            copy[n] = '\0';
            try_load(copy, n);
        }
    }
    globfree(&files);
}

Test(jobspec, damaged_files_are_refused_or_taken_and_never_crash, .timeout = 100)
{
    uint64_t state = 42;
    try_damaged("valid", &state);
    try_damaged("../canonical", &state);
}

Test(jobspec, a_file_of_more_than_8_MiB_is_refused)
{
    AUTO_STR text = {0};
    str_add(&text, "kernel: sleep\n#");
    while (text.len <= 8u << 20)
        str_add(&text,
                "................................................................");
    struct jobspec_options opt = fake_options();
    struct jobspec_faults faults;
    struct jobspec *s = NULL;
    cr_expect(jobspec_parse("x.yaml", text.text, text.len, &opt, &s, &faults, NULL) ==
              -EINVAL);
    cr_expect(faults.n == 1 && strstr(faults.items[0].text, "8 MiB") != NULL);
    jobspec_faults_free(&faults);
}
