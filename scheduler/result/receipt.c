/* See receipt.h. Invariant: what is derived follows from what was measured alone, so a
 * file that is read again gives the same; and nothing is advised that was not measured.
 */
#include "receipt.h"
#include "base/memory.h"
#include "base/str.h"
#include <math.h>
#include <stdarg.h>

static const double LONGER = 1.05;      /* that fewer ranks may take */
static const double ROOM_MEMORY = 1.25; /* over what was measured */
static const double ROOM_CPUS = 1.25, ALONE = 1.1;
static const double ROOM_TIME = 2;
static const double WORTH_MEMORY = 0.8,
                    WORTH_TIME = 0.75; /* of what was asked, or less */
static const double MIB = 1 << 20, LEAST_MEMORY = 128 << 20;

struct receipt *receipt_make(unsigned n_ranks, unsigned n_stages, unsigned n_hosts)
{
    struct receipt *r = xcalloc(1, sizeof(*r));
    r->ranks = xcalloc(n_ranks + 1u, sizeof(*r->ranks));
    r->stages = xcalloc(n_stages + 1u, sizeof(*r->stages));
    r->hosts = xcalloc(n_hosts + 1u, sizeof(*r->hosts));
    r->n_ranks = n_ranks;
    r->n_stages = n_stages;
    r->n_hosts = n_hosts;
    return r;
}

void receipt_free(struct receipt *r)
{
    if (r == NULL)
        return;
    for (unsigned i = 0; i < r->n_hosts; i++)
        free(r->hosts[i].name);
    free(r->ranks);
    free(r->stages);
    free(r->hosts);
    free(r->jobspec);
    free(r->sbatch);
    free(r->advice);
    free(r);
}

static double sum_stages(const struct receipt *r, enum receipt_stage_number which)
{
    double sum = 0;
    for (unsigned i = 0; i < r->n_stages; i++)
        sum += r->stages[i].v[which];
    return sum;
}

static double sum_ranks(const struct receipt *r, enum receipt_rank_number which)
{
    double sum = 0;
    for (unsigned i = 0; i < r->n_ranks; i++)
        sum += r->ranks[i].v[which];
    return sum;
}

/* NaN where one host's is not known. */
static double sum_hosts(const struct receipt *r, enum receipt_host_number which)
{
    double sum = r->n_hosts > 0 ? 0 : (double)NAN;
    for (unsigned i = 0; i < r->n_hosts; i++)
        sum += r->hosts[i].v[which];
    return sum;
}

/* Seconds that so much takes at that rate, at least. */
static double at_peak(double work, double rate)
{
    return work > 0 ? work / rate : 0;
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : (double)NAN;
}

static void judge_work(struct receipt *r)
{
    double *v = r->v, ranks = v[RECEIPT_ASKED_RANKS];
    v[RECEIPT_FLOPS] = sum_stages(r, RECEIPT_STAGE_FLOPS);
    v[RECEIPT_FLOPS64] = sum_stages(r, RECEIPT_STAGE_FLOPS64);
    v[RECEIPT_BYTES] = sum_stages(r, RECEIPT_STAGE_BYTES);
    v[RECEIPT_GPU_FLOPS] = sum_stages(r, RECEIPT_STAGE_GPU_FLOPS);
    v[RECEIPT_GPU_S] = sum_stages(r, RECEIPT_STAGE_GPU_S);
    double f32 = v[RECEIPT_PEAK_F32] = sum_hosts(r, RECEIPT_HOST_F32);
    double f64 = v[RECEIPT_PEAK_F64] = sum_hosts(r, RECEIPT_HOST_F64);
    double read = v[RECEIPT_PEAK_READ] = sum_hosts(r, RECEIPT_HOST_READ);
    bool any = v[RECEIPT_FLOPS] + v[RECEIPT_FLOPS64] > 0;
    double s = at_peak(v[RECEIPT_FLOPS], f32) + at_peak(v[RECEIPT_FLOPS64], f64);
    v[RECEIPT_OF_PEAK] = any ? share(s, v[RECEIPT_WALL]) : (double)NAN;
    v[RECEIPT_OF_READ] = v[RECEIPT_BYTES] > 0
                             ? share(v[RECEIPT_BYTES] / read, v[RECEIPT_WALL])
                             : (double)NAN;
    for (unsigned i = 0; i < r->n_stages; i++) {
        double *w = r->stages[i].v, time = w[RECEIPT_STAGE_RANK_S];
        double here = at_peak(w[RECEIPT_STAGE_FLOPS], f32 / ranks) +
                      at_peak(w[RECEIPT_STAGE_FLOPS64], f64 / ranks);
        any = w[RECEIPT_STAGE_FLOPS] + w[RECEIPT_STAGE_FLOPS64] > 0;
        w[RECEIPT_STAGE_OF_PEAK] = any ? share(here, time) : (double)NAN;
        w[RECEIPT_STAGE_OF_READ] =
            w[RECEIPT_STAGE_BYTES] > 0
                ? share(w[RECEIPT_STAGE_BYTES] / (read / ranks), time)
                : (double)NAN;
    }
}

/* Of a rank the most it had at once; a rank that runs several commands has as many of the
 * largest. */
static double most_memory(const struct receipt *r)
{
    double most = 0, slots = 1;
    for (unsigned i = 0; i < r->n_stages; i++)
        slots = fmax(slots, r->stages[i].v[RECEIPT_STAGE_SLOTS]);
    for (unsigned i = 0; i < r->n_ranks; i++) {
        const double *w = r->ranks[i].v;
        if (!(w[RECEIPT_RANK_RSS] > 0))
            return (double)NAN;
        most = fmax(most, w[RECEIPT_RANK_RSS] + slots * w[RECEIPT_RANK_COMMAND_RSS]);
    }
    return most > 0 ? most : (double)NAN;
}

static bool gpus_told(const struct receipt *r)
{
    for (unsigned i = 0; i < r->n_stages; i++) {
        const double *w = r->stages[i].v;
        if (w[RECEIPT_STAGE_TASKS] > 0 && w[RECEIPT_STAGE_GPU_TOLD] == 0)
            return false;
    }
    return true;
}

static void judge_use(struct receipt *r)
{
    double *v = r->v, gpus_time = 0, gpus_used = 0, used = 0, cpus_time = 0;
    for (unsigned i = 0; i < r->n_ranks; i++) {
        const double *w = r->ranks[i].v;
        used += w[RECEIPT_RANK_TASKS] > 0 ||
                w[RECEIPT_RANK_BUSY] > 0.01 * w[RECEIPT_RANK_WALL];
        gpus_time += w[RECEIPT_RANK_GPUS] * w[RECEIPT_RANK_WALL];
        cpus_time += w[RECEIPT_RANK_CPUS] * w[RECEIPT_RANK_WALL];
        gpus_used += w[RECEIPT_RANK_GPU_S] > 0 ? w[RECEIPT_RANK_GPUS] : 0;
    }
    bool told = gpus_told(r);
    double busy = sum_ranks(r, RECEIPT_RANK_BUSY) + sum_ranks(r, RECEIPT_RANK_COMM);
    double cpu = sum_ranks(r, RECEIPT_RANK_CPU);
    v[RECEIPT_RANKS_USED] = used;
    v[RECEIPT_RANKS_BUSY] =
        share(sum_ranks(r, RECEIPT_RANK_BUSY), sum_ranks(r, RECEIPT_RANK_WALL));
    v[RECEIPT_CPUS_BUSY] = share(cpu, cpus_time);
    v[RECEIPT_CPUS_USED] = share(cpu, busy);
    v[RECEIPT_GPUS_BUSY] = told ? share(v[RECEIPT_GPU_S], gpus_time) : (double)NAN;
    v[RECEIPT_GPUS_USED] = told ? gpus_used : (double)NAN;
    v[RECEIPT_RSS] = most_memory(r);
}

/* Stages that ran at the same time. */
struct phase {
    double end, longest, area; /* area: rank-seconds */
    double tasks, mean, group, slots;
    unsigned n_stages;
};

/* How long so many ranks take: tasks of a stage alone go in waves; of several stages at
 * once only the sum of their times is known. */
static double phase_time(const struct phase *p, unsigned ranks)
{
    double at_once = floor(ranks * p->slots / p->group);
    if (p->group > ranks || at_once < 1)
        return (double)INFINITY;
    double all = p->n_stages > 1 ? p->area / ranks : p->mean * ceil(p->tasks / at_once);
    return fmax(all, p->longest);
}

static int by_start(const void *a, const void *b)
{
    const struct receipt_stage *const *x = a, *const *y = b;
    double s = (*x)->v[RECEIPT_STAGE_START], t = (*y)->v[RECEIPT_STAGE_START];
    return s < t ? -1 : s > t;
}

static void add_stage(struct phase *p, const double *w, double ranks)
{
    double group = w[RECEIPT_STAGE_GROUP] > 0 ? w[RECEIPT_STAGE_GROUP] : ranks;
    p->end = fmax(p->end, w[RECEIPT_STAGE_END]);
    p->longest = fmax(p->longest, w[RECEIPT_STAGE_LONGEST]);
    p->area += w[RECEIPT_STAGE_RANK_S] / fmax(1, w[RECEIPT_STAGE_SLOTS]);
    p->tasks += w[RECEIPT_STAGE_TASKS];
    p->mean = w[RECEIPT_STAGE_TASK_S] / w[RECEIPT_STAGE_TASKS];
    p->slots = fmax(1, w[RECEIPT_STAGE_SLOTS]);
    p->group = fmax(p->group, group);
    p->n_stages++;
}

/* The clocks of hosts differ, and a stage's first task may begin as the last one's end is
 * written down. */
static bool overlaps(const struct phase *p, const double *w)
{
    double s = w[RECEIPT_STAGE_START], took = w[RECEIPT_STAGE_END] - s;
    return s < p->end - fmax(1e-3, 0.01 * took);
}

/* *ret is yours to free. */
static unsigned list_phases(const struct receipt *r, struct phase **ret)
{
    AUTO_FREE(const struct receipt_stage *)
    order = xcalloc(r->n_stages + 1u,
                    sizeof(*order)); /* NOLINT(bugprone-sizeof-expression) */
    struct phase *all = xcalloc(r->n_stages + 1u, sizeof(*all));
    unsigned n = 0, n_phases = 0;
    for (unsigned i = 0; i < r->n_stages; i++) {
        if (r->stages[i].v[RECEIPT_STAGE_TASKS] > 0)
            order[n++] = &r->stages[i];
    }
    qsort(order, n, sizeof(*order), by_start); /* NOLINT(bugprone-sizeof-expression) */
    for (unsigned i = 0; i < n; i++) {
        if (n_phases == 0 || !overlaps(&all[n_phases - 1], order[i]->v))
            n_phases++;
        add_stage(&all[n_phases - 1], order[i]->v, r->v[RECEIPT_ASKED_RANKS]);
    }
    *ret = all;
    return n_phases;
}

unsigned receipt_least_ranks(const struct receipt *r)
{
    unsigned asked = (unsigned)r->v[RECEIPT_ASKED_RANKS], least = 1;
    AUTO_FREE(struct phase) phases = NULL;
    unsigned n = list_phases(r, &phases);
    double now = 0;
    for (unsigned i = 0; i < n; i++)
        now += phase_time(&phases[i], asked);
    for (; least < asked; least++) {
        double then = 0;
        for (unsigned i = 0; i < n; i++)
            then += phase_time(&phases[i], least);
        if (then <= LONGER * now)
            break;
    }
    return least;
}

double receipt_round_time(double s)
{
    static const double minutes[] = {1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120};
    for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
        if (s <= 60 * minutes[i])
            return 60 * minutes[i];
    }
    double unit = s <= 24 * 3600 ? 3600 : 12 * 3600;
    return unit * ceil(s / unit);
}

static double round_memory(double bytes)
{
    double unit = MIB * (bytes < 1024 * MIB ? 64 : bytes < 16384 * MIB ? 256 : 1024);
    return unit * ceil(bytes / unit);
}

/* PUs a rank: the mean, with room; a rank of one thread has helpers that cost little. */
static double fit_cpus(const struct receipt *r)
{
    double mean = r->v[RECEIPT_CPUS_USED];
    for (unsigned i = 0; i < r->n_stages; i++) {
        if (r->stages[i].v[RECEIPT_STAGE_SLOTS] > 1) /* fewer run fewer at once */
            return (double)NAN;
    }
    return isnan(mean) ? mean : mean <= ALONE ? 1 : ceil(ROOM_CPUS * mean);
}

/* What is less than what was asked; else NaN. */
static double less(double fit, double asked)
{
    return fit < asked ? fit : (double)NAN;
}

static void judge_fit(struct receipt *r)
{
    double *v = r->v;
    for (unsigned i = RECEIPT_FIT_RANKS; i <= RECEIPT_FIT_TIME; i++)
        v[i] = (double)NAN;
    if (v[RECEIPT_OVER] == 0 || v[RECEIPT_LAUNCHES] == 0)
        return;
    if (v[RECEIPT_SEATED] == 0)
        v[RECEIPT_FIT_RANKS] = less(receipt_least_ranks(r), v[RECEIPT_ASKED_RANKS]);
    v[RECEIPT_FIT_CPUS] = less(fit_cpus(r), v[RECEIPT_ASKED_CPUS]);
    if (v[RECEIPT_ASKED_GPUS] + v[RECEIPT_GIVEN_GPUS] > 0 && v[RECEIPT_GPUS_USED] == 0)
        v[RECEIPT_FIT_GPUS] = 0;
    double memory = round_memory(ROOM_MEMORY * v[RECEIPT_RSS]);
    memory = memory < LEAST_MEMORY ? LEAST_MEMORY : memory;
    if (memory <= WORTH_MEMORY * v[RECEIPT_ASKED_MEMORY])
        v[RECEIPT_FIT_MEMORY] = memory;
    double time = receipt_round_time(ROOM_TIME * v[RECEIPT_LONGEST_LAUNCH]);
    if (v[RECEIPT_LONGEST_LAUNCH] > 0 && time <= WORTH_TIME * v[RECEIPT_ASKED_TIME])
        v[RECEIPT_FIT_TIME] = time;
}

static double
fit_or_asked(const struct receipt *r, enum receipt_number fit, enum receipt_number asked)
{
    return isnan(r->v[fit]) ? r->v[asked] : r->v[fit];
}

/* The batch job had CPUs that no rank would have needed. */
static bool has_spare_cpus(const struct receipt *r)
{
    const double *v = r->v;
    double ranks = fit_or_asked(r, RECEIPT_FIT_RANKS, RECEIPT_ASKED_RANKS);
    double cpus = fit_or_asked(r, RECEIPT_FIT_CPUS, RECEIPT_ASKED_CPUS);
    double all = v[RECEIPT_ASKED_RANKS] * v[RECEIPT_ASKED_CPUS];
    return v[RECEIPT_OVER] > 0 && all > 0 &&
           v[RECEIPT_GIVEN_CPUS] > ceil(v[RECEIPT_HELD_CPUS] * ranks * cpus / all);
}

GM_PRINTF(3, 4)
static void add_word(struct str *out, const char *joint, const char *fmt, ...)
{
    char text[64];
    va_list list;
    va_start(list, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, list);
    va_end(list);
    str_printf(out, "%s%s", out->len > 0 ? joint : "", text);
}

/* "10m", "2h"; sbatch takes minutes. */
static void time_words(double s, struct str *jobspec, struct str *sbatch)
{
    bool hours = s >= 3600 && fmod(s, 3600) == 0;
    add_word(
        jobspec, ", ", hours ? "time: %.0fh" : "time: %.0fm", s / (hours ? 3600 : 60));
    add_word(sbatch, " ", "-t %.0f", s / 60);
}

/* What fits, in the words of both. */
static void word_request(struct receipt *r)
{
    const double *v = r->v;
    AUTO_STR jobspec = {0};
    AUTO_STR sbatch = {0};
    AUTO_STR rank = {0};
    double cpus = v[RECEIPT_ASKED_CPUS] > 0 ? v[RECEIPT_ASKED_CPUS] : 1;
    bool spare = has_spare_cpus(r);
    if (!isnan(v[RECEIPT_FIT_RANKS]))
        add_word(&jobspec, ", ", "ranks: %.0f", v[RECEIPT_FIT_RANKS]);
    if (!isnan(v[RECEIPT_FIT_RANKS]) || spare)
        add_word(&sbatch,
                 " ",
                 "-n %.0f",
                 fit_or_asked(r, RECEIPT_FIT_RANKS, RECEIPT_ASKED_RANKS));
    if (!isnan(v[RECEIPT_FIT_CPUS])) {
        cpus = v[RECEIPT_FIT_CPUS];
        add_word(&rank, ", ", "cores: %.0f", cpus);
    }
    if (!isnan(v[RECEIPT_FIT_CPUS]) || spare)
        add_word(&sbatch, " ", "-c %.0f", cpus);
    if (!isnan(v[RECEIPT_FIT_GPUS])) {
        if (v[RECEIPT_ASKED_GPUS] > 0)
            add_word(&rank, ", ", "gpus: %.0f", v[RECEIPT_FIT_GPUS]);
        add_word(&sbatch, " ", "--gres=none");
    }
    if (!isnan(v[RECEIPT_FIT_MEMORY])) {
        add_word(&rank, ", ", "memory: %.0fMiB", v[RECEIPT_FIT_MEMORY] / MIB);
        add_word(&sbatch,
                 " ",
                 "--mem-per-cpu=%.0fM",
                 ceil(v[RECEIPT_FIT_MEMORY] / MIB / cpus));
    }
    if (rank.len > 0)
        str_printf(&jobspec, "%sper-rank: {%s}", jobspec.len > 0 ? ", " : "", rank.text);
    if (!isnan(v[RECEIPT_FIT_TIME]))
        time_words(v[RECEIPT_FIT_TIME], &jobspec, &sbatch);
    r->jobspec = xstrdup(str_text(&jobspec));
    r->sbatch = xstrdup(str_text(&sbatch));
}

/* "10 min", "2 h": limits are round. */
static const char *limit(double s, char buf[32])
{
    if (s < 2 * 3600 && s >= 60)
        (void)snprintf(buf, 32, "%.0f min", s / 60);
    else
        (void)snprintf(buf, 32, "%.4g %s", s < 60 ? s : s / 3600, s < 60 ? "s" : "h");
    return buf;
}

/* "128 MiB", "1.5 GiB". */
static const char *amount(double bytes, char buf[32])
{
    bool large = bytes >= 1024 * MIB;
    (void)snprintf(
        buf, 32, "%.4g %s", bytes / MIB / (large ? 1024 : 1), large ? "GiB" : "MiB");
    return buf;
}

static void word_advice(struct receipt *r)
{
    const double *v = r->v;
    AUTO_STR out = {0};
    char fit[32], asked[32];
    if (!isnan(v[RECEIPT_FIT_RANKS]))
        add_word(&out,
                 ", ",
                 "%.0f rank%s of %.0f",
                 v[RECEIPT_FIT_RANKS],
                 v[RECEIPT_FIT_RANKS] == 1 ? "" : "s",
                 v[RECEIPT_ASKED_RANKS]);
    if (!isnan(v[RECEIPT_FIT_CPUS]))
        add_word(&out,
                 ", ",
                 "%.0f core%s a rank of %.0f",
                 v[RECEIPT_FIT_CPUS],
                 v[RECEIPT_FIT_CPUS] == 1 ? "" : "s",
                 v[RECEIPT_ASKED_CPUS]);
    if (has_spare_cpus(r))
        add_word(&out,
                 ", ",
                 "fewer than the %.0f CPUs of the allocation",
                 v[RECEIPT_GIVEN_CPUS]);
    if (!isnan(v[RECEIPT_FIT_GPUS]))
        add_word(
            &out,
            ", ",
            "no GPU of %.0f",
            fmax(v[RECEIPT_GIVEN_GPUS], v[RECEIPT_ASKED_GPUS] * v[RECEIPT_ASKED_RANKS]));
    if (!isnan(v[RECEIPT_FIT_MEMORY]))
        add_word(&out,
                 ", ",
                 "%s a rank of %s",
                 amount(v[RECEIPT_FIT_MEMORY], fit),
                 amount(v[RECEIPT_ASKED_MEMORY], asked));
    if (!isnan(v[RECEIPT_FIT_TIME]))
        add_word(&out,
                 ", ",
                 "%s of %s",
                 limit(v[RECEIPT_FIT_TIME], fit),
                 limit(v[RECEIPT_ASKED_TIME], asked));
    if (out.len > 0)
        str_add(&out, " would have sufficed");
    else
        str_add(&out,
                v[RECEIPT_LAUNCHES] == 0 ? "nothing is known of its use"
                : v[RECEIPT_OVER] == 0   ? "not all of its tasks are over"
                                         : "the request fits");
    r->advice = str_steal(&out);
}

void receipt_judge(struct receipt *r)
{
    judge_work(r);
    judge_use(r);
    judge_fit(r);
    free(r->jobspec);
    free(r->sbatch);
    free(r->advice);
    word_request(r);
    word_advice(r);
}
