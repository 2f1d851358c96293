/* See scheduler/result/receipt.h: the smaller request, and the numbers' way through
 * shards and files. */
#include "result/pack.h"
#include "result/receipt.h"
#include "result/unpack.h"
#include "result_job.h"
#include <criterion/criterion.h>
#include <math.h>

#define MIB (1024.0 * 1024.0)

static void ok(int rc, const struct gm_error *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
}

/* A stage of n tasks of `each` s on `group` ranks, from `start` on, ended by `end`. */
static void set_stage(struct receipt *r,
                      unsigned i,
                      double n,
                      double each,
                      double group,
                      double start,
                      double end)
{
    double *v = r->stages[i].v;
    v[RECEIPT_STAGE_TASKS] = n;
    v[RECEIPT_STAGE_START] = start;
    v[RECEIPT_STAGE_END] = end;
    v[RECEIPT_STAGE_TASK_S] = n * each;
    v[RECEIPT_STAGE_RANK_S] = n * each * group;
    v[RECEIPT_STAGE_LONGEST] = each;
    v[RECEIPT_STAGE_GROUP] = group;
    v[RECEIPT_STAGE_SLOTS] = 1;
    v[RECEIPT_STAGE_GPU_TOLD] = 1;
}

/* One launch of 100 s on so many ranks of a core, all of them busy. */
static struct receipt *make(unsigned ranks, unsigned n_stages)
{
    struct receipt *r = receipt_make(ranks, n_stages, 0);
    for (unsigned i = 0; i < ranks; i++) {
        double *v = r->ranks[i].v;
        v[RECEIPT_RANK_LAUNCHES] = 1;
        v[RECEIPT_RANK_WALL] = v[RECEIPT_RANK_BUSY] = v[RECEIPT_RANK_CPU] = 100;
        v[RECEIPT_RANK_CPUS] = 1;
        v[RECEIPT_RANK_RSS] = 100 * MIB;
        v[RECEIPT_RANK_TASKS] = 1;
    }
    r->v[RECEIPT_LAUNCHES] = r->v[RECEIPT_OVER] = r->v[RECEIPT_ASKED_CPUS] = 1;
    r->v[RECEIPT_WALL] = r->v[RECEIPT_LONGEST_LAUNCH] = 100;
    r->v[RECEIPT_ASKED_RANKS] = ranks;
    return r;
}

static void advises(struct receipt *r, const char *jobspec, const char *sbatch)
{
    receipt_judge(r);
    cr_expect_str_eq(r->jobspec, jobspec, "%s", r->advice);
    cr_expect_str_eq(r->sbatch, sbatch, "%s", r->advice);
    cr_expect_eq(strcmp(r->advice, "the request fits") == 0, *jobspec == '\0');
}

Test(receipt, all_busy_fits)
{
    AUTO(receipt) r = make(8, 1);
    set_stage(r, 0, 800, 1, 1, 1000, 1100);
    advises(r, "", "");
    cr_expect_float_eq(r->v[RECEIPT_RANKS_BUSY], 1, 1e-12);
    cr_expect_float_eq(r->v[RECEIPT_CPUS_BUSY], 1, 1e-12);
}

Test(receipt, eight_ranks_and_three_tasks_are_three_ranks)
{
    AUTO(receipt) r = make(8, 1);
    set_stage(r, 0, 3, 100, 1, 1000, 1100);
    advises(r, "ranks: 3", "-n 3");
    cr_expect_str_eq(r->advice, "3 ranks of 8 would have sufficed");
}

Test(receipt, tasks_go_in_waves)
{
    AUTO(receipt) r = make(8, 1);
    set_stage(r, 0, 9, 50, 1, 1000, 1100); /* two waves, as on 5 */
    advises(r, "ranks: 5", "-n 5");
}

Test(receipt, a_long_task_hides_the_short_ones)
{
    AUTO(receipt) r = make(8, 1);
    set_stage(r, 0, 101, 2, 1, 1000, 1102);
    r->stages[0].v[RECEIPT_STAGE_LONGEST] = 102; /* and 100 of 1 s */
    advises(r, "ranks: 2", "-n 2");
}

Test(receipt, a_group_stays_whole)
{
    AUTO(receipt) r = make(8, 1);
    set_stage(r, 0, 1, 100, 4, 1000, 1100);
    advises(r, "ranks: 4", "-n 4");
    set_stage(r, 0, 1, 100, 8, 1000, 1100);
    r->stages[0].v[RECEIPT_STAGE_GROUP] = 0; /* all */
    advises(r, "", "");
}

Test(receipt, stages_at_once_share_the_ranks)
{
    AUTO(receipt) r = make(8, 2);
    set_stage(r, 0, 4, 100, 1, 1000, 1100);
    set_stage(r, 1, 4, 100, 1, 1001, 1101);
    advises(r, "", "");
    set_stage(r, 1, 4, 100, 1, 1100, 1200); /* one after the other */
    advises(r, "ranks: 4", "-n 4");
}

Test(receipt, a_seated_job_has_its_ranks)
{
    AUTO(receipt) r = make(8, 1);
    set_stage(r, 0, 3, 100, 1, 1000, 1100);
    r->v[RECEIPT_SEATED] = 1;
    advises(r, "", "");
}

Test(receipt, a_rank_that_runs_several_commands_at_once_counts_for_them)
{
    AUTO(receipt) r = make(8, 1);
    r->v[RECEIPT_ASKED_CPUS] = 4;
    set_stage(r, 0, 8, 100, 1, 1000, 1100);
    r->stages[0].v[RECEIPT_STAGE_SLOTS] = 4;
    advises(r, "ranks: 2", "-n 2");
}

Test(receipt, gpus_that_nobody_used)
{
    AUTO(receipt) r = make(2, 1);
    set_stage(r, 0, 200, 1, 1, 1000, 1100);
    r->v[RECEIPT_ASKED_GPUS] = 2;
    r->ranks[0].v[RECEIPT_RANK_GPUS] = r->ranks[1].v[RECEIPT_RANK_GPUS] = 2;
    advises(r, "per-rank: {gpus: 0}", "--gres=none");
    cr_expect_eq(r->v[RECEIPT_GPUS_BUSY], 0);
    r->stages[0].v[RECEIPT_STAGE_GPU_TOLD] = 0; /* a command: who knows */
    advises(r, "", "");
    cr_expect(isnan(r->v[RECEIPT_GPUS_BUSY]));
    r->stages[0].v[RECEIPT_STAGE_GPU_TOLD] = 1;
    r->stages[0].v[RECEIPT_STAGE_GPU_S] = r->ranks[0].v[RECEIPT_RANK_GPU_S] = 200;
    advises(r, "", "");
    cr_expect_float_eq(r->v[RECEIPT_GPUS_BUSY], 0.5, 1e-12);
    cr_expect_eq(r->v[RECEIPT_GPUS_USED], 2);
}

Test(receipt, cores_are_the_mean_with_room)
{
    AUTO(receipt) r = make(2, 1);
    set_stage(r, 0, 200, 1, 1, 1000, 1100);
    r->v[RECEIPT_ASKED_CPUS] = 8;
    advises(r, "per-rank: {cores: 1}", "-c 1");
    for (unsigned i = 0; i < 2; i++)
        r->ranks[i].v[RECEIPT_RANK_CPU] = 310;
    advises(r, "per-rank: {cores: 4}", "-c 4");
    for (unsigned i = 0; i < 2; i++)
        r->ranks[i].v[RECEIPT_RANK_CPU] = 640;
    advises(r, "", "");
    r->ranks[1].v[RECEIPT_RANK_CPU] = NAN; /* a rank that was lost */
    advises(r, "", "");
}

Test(receipt, memory_has_room_and_is_round)
{
    AUTO(receipt) r = make(2, 1);
    set_stage(r, 0, 200, 1, 1, 1000, 1100);
    r->v[RECEIPT_ASKED_MEMORY] = 4096 * MIB;
    r->ranks[1].v[RECEIPT_RANK_RSS] = 500 * MIB; /* 625 with room */
    advises(r, "per-rank: {memory: 640MiB}", "--mem-per-cpu=640M");
    r->ranks[1].v[RECEIPT_RANK_RSS] = 3000 * MIB;
    advises(r, "", "");
    r->ranks[1].v[RECEIPT_RANK_RSS] = 10 * MIB;
    r->ranks[0].v[RECEIPT_RANK_RSS] = 10 * MIB; /* a file cache wants some, too */
    advises(r, "per-rank: {memory: 128MiB}", "--mem-per-cpu=128M");
    r->ranks[0].v[RECEIPT_RANK_COMMAND_RSS] = 1000 * MIB;
    advises(r, "per-rank: {memory: 1280MiB}", "--mem-per-cpu=1280M");
}

Test(receipt, time_is_what_people_write)
{
    static const double cases[][2] = {
        {1, 1}, {61, 2}, {360, 10}, {601, 15}, {3600, 60}, {3601, 90}, {7201, 180}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(
            receipt_round_time(cases[i][0]), 60 * cases[i][1], "%g s", cases[i][0]);
    cr_expect_eq(receipt_round_time(25 * 3600), 36 * 3600);
    AUTO(receipt) r = make(2, 1);
    set_stage(r, 0, 200, 1, 1, 1000, 1100);
    r->v[RECEIPT_ASKED_TIME] = 2 * 3600;
    r->v[RECEIPT_LONGEST_LAUNCH] = 180;
    advises(r, "time: 10m", "-t 10");
    cr_expect_str_eq(r->advice, "10 min of 2 h would have sufficed");
    r->v[RECEIPT_LONGEST_LAUNCH] = 3000;
    advises(r, "", "");
}

Test(receipt, what_a_batch_job_had_beside)
{
    AUTO(receipt) r = make(4, 1);
    set_stage(r, 0, 400, 1, 1, 1000, 1100);
    r->v[RECEIPT_HELD_CPUS] = 8; /* two PUs a core, as Slurm counts them */
    r->v[RECEIPT_GIVEN_CPUS] = 8;
    advises(r, "", "");
    r->v[RECEIPT_GIVEN_CPUS] = 16;
    receipt_judge(r);
    cr_expect_str_eq(r->jobspec, "", "the job asked for no more");
    cr_expect_str_eq(r->sbatch, "-n 4 -c 1");
    cr_expect_str_eq(r->advice,
                     "fewer than the 16 CPUs of the allocation would have sufficed");
    r->v[RECEIPT_GIVEN_CPUS] = 8;
    r->v[RECEIPT_GIVEN_GPUS] = 2;
    receipt_judge(r);
    cr_expect_str_eq(r->sbatch, "--gres=none");
    cr_expect_str_eq(r->advice, "no GPU of 2 would have sufficed");
}

Test(receipt, all_in_one)
{
    AUTO(receipt) r = make(8, 1);
    set_stage(r, 0, 3, 100, 1, 1000, 1100);
    r->v[RECEIPT_ASKED_CPUS] = 2;
    r->v[RECEIPT_ASKED_GPUS] = 1;
    r->v[RECEIPT_ASKED_MEMORY] = 2048 * MIB;
    r->v[RECEIPT_ASKED_TIME] = 6 * 3600;
    advises(r,
            "ranks: 3, per-rank: {cores: 1, gpus: 0, memory: 128MiB}, time: 5m",
            "-n 3 -c 1 --gres=none --mem-per-cpu=128M -t 5");
}

Test(receipt, nothing_is_advised_of_what_goes_on_or_is_not_known)
{
    AUTO(receipt) r = make(8, 1);
    set_stage(r, 0, 3, 100, 1, 1000, 1100);
    r->v[RECEIPT_ASKED_TIME] = 6 * 3600;
    r->v[RECEIPT_OVER] = 0;
    receipt_judge(r);
    cr_expect_str_eq(r->sbatch, "");
    cr_expect_str_eq(r->advice, "not all of its tasks are over");
    r->v[RECEIPT_LAUNCHES] = 0;
    receipt_judge(r);
    cr_expect_str_eq(r->advice, "nothing is known of its use");
}

/* 2 ranks for 100 s at 1e9 flop/s a host of two. */
Test(receipt, fractions_are_of_all_that_the_ranks_could_do)
{
    AUTO(receipt) r = make(2, 1);
    AUTO(receipt) two = receipt_make(2, 1, 1);
    set_stage(r, 0, 2, 50, 1, 1000, 1100);
    memcpy(two->v, r->v, sizeof(r->v));
    memcpy(two->ranks, r->ranks, 2 * sizeof(*r->ranks));
    memcpy(two->stages, r->stages, sizeof(*r->stages));
    two->hosts[0].name = xstrdup("n0");
    two->hosts[0].v[RECEIPT_HOST_F32] = 2e9;
    two->hosts[0].v[RECEIPT_HOST_F64] = 1e9;
    two->hosts[0].v[RECEIPT_HOST_READ] = 1e10;
    two->stages[0].v[RECEIPT_STAGE_FLOPS] = 4e10;   /* 20 s of both */
    two->stages[0].v[RECEIPT_STAGE_FLOPS64] = 1e10; /* 10 s */
    two->stages[0].v[RECEIPT_STAGE_BYTES] = 1e11;   /* 10 s */
    receipt_judge(two);
    cr_expect_float_eq(two->v[RECEIPT_OF_PEAK], 0.3, 1e-12);
    cr_expect_float_eq(two->v[RECEIPT_OF_READ], 0.1, 1e-12);
    /* while its tasks ran, which was half of the ranks' time */
    cr_expect_float_eq(two->stages[0].v[RECEIPT_STAGE_OF_PEAK], 0.6, 1e-12);
    cr_expect_float_eq(two->stages[0].v[RECEIPT_STAGE_OF_READ], 0.2, 1e-12);
    two->hosts[0].v[RECEIPT_HOST_F64] = NAN;
    receipt_judge(two);
    cr_expect(isnan(two->v[RECEIPT_OF_PEAK]));
    two->stages[0].v[RECEIPT_STAGE_FLOPS64] = 0; /* not asked for then */
    receipt_judge(two);
    cr_expect_float_eq(two->v[RECEIPT_OF_PEAK], 0.2, 1e-12);
}

/* A shard of rank 0 by this launch: a run of 4 tasks, and one alone; both ranks tell. */
static void write_shard(struct result_fixture *f, double launch, bool ends, bool rows)
{
    struct gm_error err = {0};
    struct shard *s = NULL;
    uint64_t value = 1;
    double at = 1000 + 100 * launch;
    struct result_use use = {.v = {[USE_LAUNCH] = launch,
                                   [USE_START] = at - 1,
                                   [USE_CPUS] = 1,
                                   [USE_PEAK_CPUS] = 1,
                                   [USE_PEAK_F32] = 1e9,
                                   [USE_PEAK_F64] = 1e9,
                                   [USE_PEAK_READ] = 1e9}};
    ok(shard_create(f->folder, 0, &s, &err), &err);
    ok(shard_use(s, 0, &use, &err), &err);
    struct result_field field = {.index = O_COUNT, .dtype = GM_I64, .nbytes = 8};
    uint64_t values[4] = {value, value, value, value};
    struct result_rows table = {.stage = 0,
                                .first = 0,
                                .count = 4,
                                .fields = &field,
                                .n_fields = 1,
                                .rows = values,
                                .row_bytes = 8,
                                .start = at,
                                .end = at + 4,
                                .work = {.flops = 4e9, .bytes = 8}};
    if (rows)
        ok(shard_rows(s, &table, &err), &err);
    struct result_commit c = fixture_commit(rows ? 4 : 5, 0, 1);
    c.start = at + 4;
    c.end = at + 6;
    c.work = (struct result_work){.flops64 = 1e9};
    ok(shard_commit(s, &c, &err), &err);
    if (ends) {
        use.v[USE_BEGAN] = at;
        use.v[USE_ENDED] = at + 10;
        use.v[USE_WAIT] = 3;
        use.v[USE_COMM] = 1;
        use.v[USE_CPU] = 5;
        use.v[USE_RSS] = 64 * MIB;
        ok(shard_use(s, 0, &use, &err), &err);
    }
    ok(shard_close(s, &err), &err);
}

static struct receipt *read_receipt(const char *path)
{
    struct gm_error err = {0};
    AUTO(reader) reader = NULL;
    struct receipt *r = NULL;
    ok(reader_open(path, &reader, &err), &err);
    ok(reader_receipt(reader, &r, &err), &err);
    cr_assert_not_null(r);
    return r;
}

static void equal(const struct receipt *a, const struct receipt *b)
{
    cr_assert_eq(a->n_ranks, b->n_ranks);
    cr_assert_eq(a->n_stages, b->n_stages);
    cr_assert_eq(a->n_hosts, b->n_hosts);
    cr_expect_arr_eq(a->v, b->v, sizeof(a->v));
    for (unsigned i = 0; i < a->n_ranks; i++)
        cr_expect_arr_eq(
            a->ranks[i].v, b->ranks[i].v, sizeof(a->ranks[i].v), "rank %u", i);
    for (unsigned i = 0; i < a->n_stages; i++)
        cr_expect_arr_eq(a->stages[i].v, b->stages[i].v, sizeof(a->stages[i].v));
    for (unsigned i = 0; i < a->n_hosts; i++)
        cr_expect_str_eq(a->hosts[i].name, b->hosts[i].name);
}

Test(receipt, a_killed_launch_is_added_with_what_is_known)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 6, 1);
    write_shard(&f, 0, false, true); /* killed: its tasks took 6 s */
    write_shard(&f, 1, true, false); /* 10 s, of which 4 idle */
    AUTO(receipt) r = read_receipt(f.folder);
    const double *v = r->ranks[0].v;
    cr_expect_eq(r->v[RECEIPT_LAUNCHES], 2);
    cr_expect_float_eq(r->v[RECEIPT_WALL], 16, 1e-9);
    cr_expect_float_eq(r->v[RECEIPT_LONGEST_LAUNCH], 11, 1e-9);
    cr_expect_float_eq(v[RECEIPT_RANK_WALL], 16, 1e-9);
    cr_expect_float_eq(v[RECEIPT_RANK_BUSY], 12, 1e-9);
    cr_expect(isnan(v[RECEIPT_RANK_WAIT]), "the first did not live to tell");
    cr_expect_eq(r->v[RECEIPT_FLOPS], 4e9);
    cr_expect_eq(r->v[RECEIPT_FLOPS64], 2e9);
    cr_expect_eq(r->stages[0].v[RECEIPT_STAGE_TASKS], 6);
    cr_expect_eq(r->stages[0].v[RECEIPT_STAGE_COUNTED], 6);
    cr_expect_float_eq(r->v[RECEIPT_OF_PEAK], 6.0 / 16, 1e-9);

    struct pack_options opt = {.folder = f.folder, .file = f.file};
    ok(pack_run(&opt, &err), &err);
    AUTO(receipt) packed = read_receipt(f.file);
    equal(r, packed);
    fixture_drop(&f);
}

/* What a resume --failed goes on from. */
Test(receipt, unpacked_it_tells_the_same_work)
{
    struct result_fixture f;
    struct gm_error err = {0};
    fixture_make(&f, NULL, 6, 1);
    write_shard(&f, 0, true, true);
    struct pack_options opt = {.folder = f.folder, .file = f.file};
    ok(pack_run(&opt, &err), &err);
    ok(pack_clean(&opt, &err), &err);
    ok(file_make_folders(f.folder, &err), &err);
    ok(unpack_run(f.file, f.folder, &err), &err);
    AUTO(receipt) before = read_receipt(f.file);
    AUTO(receipt) after = read_receipt(f.folder);
    cr_expect_eq(after->v[RECEIPT_FLOPS], before->v[RECEIPT_FLOPS]);
    cr_expect_eq(after->v[RECEIPT_FLOPS64], before->v[RECEIPT_FLOPS64]);
    cr_expect_float_eq(after->v[RECEIPT_WALL], 10, 1e-9);
    cr_expect_float_eq(after->ranks[0].v[RECEIPT_RANK_WAIT], 3, 1e-9);
    cr_expect_float_eq(after->ranks[0].v[RECEIPT_RANK_BUSY], 6, 1e-9);
    fixture_drop(&f);
}
