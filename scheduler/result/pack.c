/* See pack.h. Invariant: the members take each step together, and know of each other's
 * failures before the next. Memory does not grow with the results' bytes: values pass
 * through fixed buffers. */
#include "pack.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "packing.h"
#include "parts.h"
#include "receipt_gather.h"

static const char *const groups[][2] = {
    {"tasks", "one row a task, all stages in order"},
    {"attempts", "one row an attempt at a task"},
    {"telemetry", "reserved: what was measured of the machine while the job ran"},
};

/* The groups that job.h5 already has as they are in the final file. */
static int copy_head(hid_t from, hid_t to, struct gm_error *err)
{
    static const char *const names[] = {"job", "hosts", "stages"};
    int rc = h5_put_text(to, "schema", RESULTS_SCHEMA, err);
    for (unsigned i = 0; rc == 0 && i < 3; i++) {
        if (H5Ocopy(from, names[i], to, names[i], H5P_DEFAULT, H5P_DEFAULT) < 0)
            rc = h5_fail(err, "%s", names[i]);
    }
    return rc;
}

static int put_end(const struct packing *p, struct gm_error *err)
{
    const char *outcome = p->opt->outcome != NULL ? p->opt->outcome : "";
    if (!p->opt->complete)
        return 0;
    if (p->n_undone > 0 && strcmp(outcome, "done") == 0)
        outcome = "failed";
    AUTO_ID job = -1;
    int rc = h5_open_group(p->out.file, "job", &job, err);
    rc = rc == 0 ? h5_put_f64(job, "end", p->opt->end, err) : rc;
    return rc == 0 ? h5_put_text(job, "outcome", outcome, err) : rc;
}

/* The stages' rows of /tasks, in order; a stage that was not asked for has none. */
static void number_rows(struct packing *p, const struct idset *stages)
{
    uint64_t row = 0;
    p->first = xcalloc(p->head->n_stages + 1u, sizeof(*p->first));
    p->n = xcalloc(p->head->n_stages + 1u, sizeof(*p->n));
    for (unsigned s = 0; s < p->head->n_stages; s++) {
        bool wanted = stages == NULL || idset_has(stages, s);
        p->first[s] = row;
        p->n[s] = wanted ? p->head->stages[s].n_tasks : 0;
        row += p->n[s];
    }
    p->n_rows = row;
}

/* A file of some stages alone, or of a job that goes on, is no end. */
static int put_receipt(const struct packing *p, struct gm_error *err)
{
    bool over = p->opt->stages == NULL && shards_whole(p->shards, NULL) == 0;
    AUTO(receipt) r = receipt_gather(p->head, p->shards, over);
    return receipt_put(p->out.file, r, err);
}

/* Rank 0: all that is small. */
static int write_frame(struct packing *p, hid_t head_file, struct gm_error *err)
{
    hid_t file = p->out.file;
    if (file < 0)
        return 0;
    int rc = copy_head(head_file, file, err);
    if (rc == 0 && p->opt->sharded)
        rc = h5_put_text(file, "parts", p->out.parts.text, err);
    rc = rc == 0 ? put_end(p, err) : rc;
    rc = rc == 0 ? packing_ranks(p, err) : rc;
    rc = rc == 0 ? put_receipt(p, err) : rc;
    for (size_t i = 0; rc == 0 && i < sizeof(groups) / sizeof(groups[0]); i++) {
        AUTO_ID group = -1;
        rc = h5_group(file, groups[i][0], groups[i][1], &group, err);
    }
    return rc == 0 ? output_check(&p->out, err) : rc;
}

static int write_file(struct packing *p, hid_t head_file, struct gm_error *err)
{
    const struct pack_options *opt = p->opt;
    struct output_options how = {
        .file = opt->file, .gzip = opt->gzip, .sharded = opt->sharded, .team = p->team};
    packing_list(p);
    int rc = output_create(&how, &p->out, err);
    rc = rc == 0 ? team_agree(p->team, write_frame(p, head_file, err), err) : rc;
    rc = rc == 0 ? packing_tasks(p, err) : rc;
    rc = rc == 0 ? packing_attempts(p, err) : rc;
    rc = rc == 0 ? packing_values(p, err) : rc;
    if (rc != 0)
        (void)gm_prefix(err, "%s", opt->file);
    double began = clock_monotonic();
    rc = output_finish(&p->out, rc, err);
    p->out.write_seconds += clock_monotonic() - began;
    packing_clear(p);
    return rc;
}

/* See pack_damage.c. */
static int write_checked(struct packing *p, hid_t head_file, struct gm_error *err)
{
    int rc = write_file(p, head_file, err);
    if (rc != -EBADMSG)
        return rc;
    packing_list(p);
    rc = packing_verify(p, err);
    packing_clear(p);
    return rc == 0 ? write_file(p, head_file, err) : rc;
}

static int
open_head(const char *folder, hid_t *ret_file, struct head *ret, struct gm_error *err)
{
    AUTO_STR path = {0};
    str_printf(&path, "%s/job.h5", folder);
    int rc = h5_open(path.text, H5F_ACC_RDONLY, ret_file, err);
    if (rc != 0)
        return rc;
    rc = head_load(*ret_file, ret, err);
    if (rc != 0)
        (void)gm_prefix(err, "%s", path.text);
    return rc;
}

/* Do all members see the same commits? A file system may show one host less than another;
 * the members would then cut the rows at different places. */
static int compare_shards(const struct packing *p, struct gm_error *err)
{
    const struct team *t = p->team;
    if (t->n == 1)
        return 0;
    uint32_t mine = shards_print(p->shards);
    AUTO_FREE(uint32_t) all = xcalloc(t->n, sizeof(*all));
    int rc = team_gather(t, &mine, sizeof(mine), all, err);
    for (unsigned i = 1; rc == 0 && i < t->n; i++) {
        if (all[i] != all[0])
            rc = gm_fail(err, -ENOTSUP, "not all ranks see the same shards");
    }
    return rc;
}

int pack_team(const struct pack_options *opt,
              const struct team *team,
              struct gm_error *err)
{
    h5_begin();
    AUTO_ID head_file = -1;
    struct head head = {0};
    double began = clock_monotonic();
    struct packing p = {.opt = opt, .team = team, .head = &head};
    int rc = open_head(opt->folder, &head_file, &head, err);
    rc = rc == 0 ? shards_open(opt->folder, &head, &p.shards, err) : rc;
    rc = rc == 0 && opt->whole ? shards_whole(p.shards, err) : rc;
    rc = team_agree(team, rc, err);
    rc = rc == 0 ? compare_shards(&p, err) : rc;
    if (rc == 0) {
        p.scratch = xcalloc(PACKING_SCRATCH, 1);
        number_rows(&p, opt->stages);
        rc = write_checked(&p, head_file, err);
    }
    if (opt->ret_times != NULL)
        *opt->ret_times = (struct pack_times){.all = clock_monotonic() - began,
                                              .written = p.out.write_seconds};
    if (opt->ret_damaged != NULL)
        *opt->ret_damaged = p.n_undone;
    shards_close(p.shards);
    packing_free(&p);
    head_free(&head);
    return rc;
}

int pack_run(const struct pack_options *opt, struct gm_error *err)
{
    return pack_team(opt, &team_alone, err);
}

int pack_clean(const struct pack_options *opt, struct gm_error *err)
{
    AUTO_STR plan = {0};
    str_printf(&plan, "%s/plan.json", opt->folder);
    int rc = parts_clean(opt->file, err);
    (void)unlink(plan.text);
    return rc == 0 ? file_remove_tree(opt->folder, err) : rc;
}
