/* scheduler/spec/flux*: golden files say what each dialect makes of each rule; the rest
 * of the tests say what is in the job. */
#include "spec_flux.h"
#include "spec_golden.h"

static const char *const names[] = {[DIALECT_RFC] = "rfc",
                                    [DIALECT_FLUX_CORE] = "flux-core",
                                    [DIALECT_FLUXION] = "fluxion"};

/* "rfc: taken", and under it the faults and warnings. */
static bool tell(const char *name,
                 const char *text,
                 size_t len,
                 struct flux_rules rules,
                 struct str *out)
{
    struct flux_sample s = flux_sample_read(name, text, len, rules);
    str_printf(out, "%s: %s\n", names[rules.dialect], s.taken ? "taken" : "refused");
    for (size_t i = 0; i < s.faults.n; i++) {
        AUTO_FREE(char) line = jobspec_fault_format(&s.faults, i);
        str_printf(out, "  %s\n", line);
    }
    bool taken = s.taken;
    flux_sample_end(&s);
    return taken;
}

/* Whether flux-core's rules, the default, take it. */
static bool check_file(const char *path)
{
    size_t len = 0;
    AUTO_FREE(char) text = golden_read(path, &len);
    AUTO_STR told = {0};
    bool taken = false;
    for (enum dialect d = DIALECT_RFC; d <= DIALECT_FLUXION; d++) {
        struct flux_rules rules = {.dialect = d,
                                   .only_v1 = strstr(text, "# rules: v1\n") != NULL,
                                   .any = strstr(text, "# rules: any\n") != NULL};
        bool here = tell(strrchr(path, '/') + 1, text, len, rules, &told);
        taken |= here && d == DIALECT_FLUX_CORE;
    }
    golden_check(path, "told", str_text(&told));
    return taken;
}

static void check_folder(const char *kind, bool taken, size_t least)
{
    AUTO_STR pattern = {0};
    glob_t g = {0};
    cr_assert(getenv("GRIDMILL_SOURCE") != NULL);
    str_printf(
        &pattern, "%s/tests/golden/flux/%s/*.yaml", getenv("GRIDMILL_SOURCE"), kind);
    cr_assert(glob(pattern.text, 0, NULL, &g) == 0 && g.gl_pathc >= least);
    for (size_t i = 0; i < g.gl_pathc; i++)
        cr_expect(check_file(g.gl_pathv[i]) == taken, "%s", g.gl_pathv[i]);
    globfree(&g);
}

Test(flux, what_flux_core_takes_is_taken_and_each_dialect_has_its_say)
{
    check_folder("valid", true, 40);
}

Test(flux, what_flux_core_refuses_is_refused_with_all_faults_and_places)
{
    check_folder("invalid", false, 90);
}

static struct flux_sample read_text(const char *text, enum dialect d)
{
    struct flux_rules rules = {.dialect = d};
    return flux_sample_read("x.yaml", text, strlen(text), rules);
}

#define TAIL                                                                             \
    "tasks: [{command: [app, -x], slot: s, count: {per_slot: 3},"                        \
    " attributes: {environment: {A: b, C: null}}}]\n"

Test(flux, the_words_of_a_document_end_up_in_the_job)
{
    struct flux_sample s = read_text(
        "version: 999\n"
        "resources: [{type: node, count: 2, exclusive: true, unit: u, id: '3',\n"
        "  with: [{type: slot, label: s, count: '2-8:2:*',\n"
        "    with: [{type: core, count: {min: 2, max: 4}}]}]}]\n" TAIL "attributes:\n"
        "  system: {duration: 1.5, cwd: /w, queue: q, bank: b, project: p,\n"
        "    job: {name: n}, environment: {X: y, Z: null},\n"
        "    constraints: {ranks: ['0-3']},\n"
        "    dependencies: [{scheme: afterok, value: f}]}\n"
        "  user: {gridmill: {ranks: 2}, else: 1}\n",
        DIALECT_FLUX_CORE);
    cr_assert(s.taken, "%s", flux_sample_why(&s));
    const struct flux_job *j = &s.job;
    const struct resource *node = j->resources, *slot = node->with, *core = slot->with;
    cr_expect(j->version == 999 && j->n_resources == 1 && j->duration == 1.5);
    cr_expect_str_eq(j->cwd, "/w");
    cr_expect_str_eq(j->name, "n");
    cr_expect(node->exclusive == RESOURCE_TRUE && slot->exclusive == RESOURCE_UNSAID);
    cr_expect_str_eq(node->unit, "u");
    cr_expect_str_eq(node->id, "3");
    cr_expect(node->line == 2 && node->col == 13);
    cr_expect(slot->count.kind == COUNT_RANGE && slot->count.range.op == '*');
    cr_expect(core->count.mapping && core->count.ended && !core->count.operated);
    cr_expect(core->count.range.min == 2 && core->count.range.max == 4);
    cr_expect(j->n_env == 2 && j->env[1].value == NULL);
    cr_expect_str_eq(j->env[0].value, "y");
    cr_expect(j->constraints->op == CONSTRAINT_RANKS && j->n_needs == 1);
    cr_expect(doc_get(doc_get(doc_get(j->attributes, "user"), "gridmill"), "ranks"));
    const struct flux_task *t = j->tasks;
    cr_expect(j->n_tasks == 1 && t->n_command == 2 && t->per == FLUX_PER_SLOT);
    cr_expect(t->count == 3 && t->n_env == 2 && t->env[1].value == NULL);
    cr_expect(flux_task_slot(j, t) == slot);
    cr_expect(flux_count_tasks(j) == 12, "2 nodes x 2 slots (the least) x 3");
    flux_sample_end(&s);
}

Test(flux, a_task_without_its_label_stands_on_the_only_slot_if_there_is_one)
{
    const char *one = "{type: slot, label: a, count: 2, with: [{type: slot, label: b, "
                      "count: 3, with: [{type: core, count: 1}]}]}";
    for (int two = 0; two < 2; two++) {
        AUTO_STR text = {0};
        str_printf(
            &text,
            "version: 9\nresources: [%s%s]\n"
            "tasks: [{command: [x], slot: none, count: {per_slot: 1}}]\n"
            "attributes: {}\n",
            one,
            two ? ", {type: slot, label: c, count: 1, with: [{type: core, count: 1}]}"
                : "");
        struct flux_sample s = read_text(text.text, DIALECT_FLUX_CORE);
        cr_assert(s.taken && s.faults.n == 1 && s.faults.items[0].warning);
        const struct resource *slot = flux_task_slot(&s.job, s.job.tasks);
        cr_expect(two ? slot == NULL : slot != NULL && strcmp(slot->label, "a") == 0);
        cr_expect(flux_count_tasks(&s.job) == (two ? -1 : 2));
        flux_sample_end(&s);
    }
}

struct counting {
    const char *resources, *task, *shell;
    int64_t tasks;
};

static const struct counting countings[] = {
    {"{type: slot, label: s, count: 4, with: [{type: core, count: 2}]}",
     "{per_slot: 1}",
     "{}",
     4},
    {"{type: slot, label: s, count: 4, with: [{type: core, count: 2}]}",
     "{total: 7}",
     "{}",
     7},
    {"{type: slot, label: s, count: 4, with: [{type: core, count: 2}]}",
     "{per_resource: {type: core, count: 3}}",
     "{}",
     24},
    {"{type: node, count: 2, with: [{type: slot, label: s, count: '3+', with: "
     "[{type: socket, count: 2, with: [{type: core, count: {min: 5}}]}]}]}",
     "{per_resource: {type: core, count: 1}}",
     "{}",
     60},
    {"{type: node, count: 2, with: [{type: slot, label: s, count: 1, with: "
     "[{type: core, count: 4}]}]}",
     "{per_slot: 1}",
     "{per-resource: {type: node, count: 3}}",
     6},
    {"{type: node, count: 2, with: [{type: slot, label: s, count: 1, with: "
     "[{type: core, count: 4}]}]}",
     "{total: 1}",
     "{per-resource: {type: core}}",
     8},
    {"{type: node, count: 2, exclusive: true, with: [{type: slot, label: s, count: 1, "
     "with: [{type: core, count: 4}]}]}",
     "{per_slot: 1}",
     "{per-resource: {type: core, count: 2}}",
     -1}, /* as many cores as the nodes have */
    {"{type: slot, label: s, count: 3, with: [{type: core, count: 1}]}",
     "{per_slot: 1}",
     "{per-resource: {type: node}}",
     -1}, /* on as many nodes as it may be */
    {"{type: rack, count: 2147483647, with: [{type: slot, label: s, count: 2147483647, "
     "with: [{type: core, count: 1}]}]}",
     "{per_slot: 4}",
     "{}",
     -1}, /* beyond 2^63 */
};

Test(flux, tasks_are_counted_as_flux_counts_them)
{
    for (size_t i = 0; i < sizeof(countings) / sizeof(countings[0]); i++) {
        const struct counting *c = &countings[i];
        AUTO_STR text = {0};
        str_printf(&text,
                   "version: 9\nresources: [%s]\n"
                   "tasks: [{command: [x], slot: s, count: %s}]\n"
                   "attributes: {system: {duration: 0, shell: {options: %s}}}\n",
                   c->resources,
                   c->task,
                   c->shell);
        struct flux_sample s = read_text(text.text, DIALECT_RFC);
        cr_assert(s.taken, "%zu: %s", i, flux_sample_why(&s));
        cr_expect(flux_count_tasks(&s.job) == c->tasks,
                  "%zu: %lld",
                  i,
                  (long long)flux_count_tasks(&s.job));
        flux_sample_end(&s);
    }
}

Test(flux, a_document_that_is_cut_anywhere_is_told_and_no_more)
{
    const char *text =
        "{version: 1, resources: [{type: node, count: 2, with: [{type: slot, label: s, "
        "count: 1, with: [{type: core, count: 4}]}]}], tasks: [{command: [x], slot: s, "
        "count: {per_slot: 1}}], attributes: {system: {duration: 0, constraints: {and: "
        "[{ranks: ['0']}]}, dependencies: [{scheme: afterok, value: f}], shell: "
        "{options: "
        "{per-resource: {type: core}}}, job: {name: n}, environment: {A: b}}}}";
    for (size_t at = 0; text[at] != '\0'; at++) {
        if (strchr("{}[]:,", text[at]) == NULL)
            continue;
        for (enum dialect d = DIALECT_RFC; d <= DIALECT_FLUXION; d++) {
            AUTO_STR bad = {0};
            str_add_n(&bad, text, at);
            str_add(&bad, text[at] == ':' ? ": [{}, ~, 5], z" : " ~ ");
            str_add(&bad, text + at);
            struct flux_sample s = read_text(bad.text, d);
            cr_expect(s.taken || s.faults.n_errors > 0, "%s", bad.text);
            flux_sample_end(&s);
        }
    }
}
