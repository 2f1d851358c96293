/* The receipt of a summary: for programs, and in a few lines for people. Invariant: a
 * number that is not known is null there, and is left out or "n/a" here. */
#include "base/json.h"
#include "summary_data.h"
#include <inttypes.h>
#include <math.h>

static void put_numbers(struct json *j,
                        const struct receipt_column *columns,
                        const double *v,
                        unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        json_put_double(j, columns[i].name, v[i]);
}

static void begin_rows(struct json *j, const char *name)
{
    json_key(j, name);
    json_begin(j, '[');
}

void summary_put_receipt(struct json *j, const struct summary *s)
{
    const struct receipt *r = s->receipt;
    json_key(j, "receipt");
    if (r == NULL) {
        json_null(j);
        return;
    }
    json_begin(j, '{');
    json_put_string(j, "schema", RECEIPT_SCHEMA);
    json_put_string(j, "advice", r->advice);
    json_put_string(j, "jobspec", r->jobspec);
    json_put_string(j, "sbatch", r->sbatch);
    put_numbers(j, receipt_columns, r->v, RECEIPT_NUMBERS);
    begin_rows(j, "ranks");
    for (unsigned i = 0; i < r->n_ranks; i++) {
        json_begin(j, '{');
        put_numbers(j, receipt_rank_columns, r->ranks[i].v, RECEIPT_RANK_NUMBERS);
        json_end(j, '}');
    }
    json_end(j, ']');
    begin_rows(j, "stages");
    for (unsigned i = 0; i < r->n_stages; i++) {
        json_begin(j, '{');
        json_put_string(j, "name", i < s->n_stages ? s->stages[i].name : "");
        put_numbers(j, receipt_stage_columns, r->stages[i].v, RECEIPT_STAGE_NUMBERS);
        json_end(j, '}');
    }
    json_end(j, ']');
    begin_rows(j, "hosts");
    for (unsigned i = 0; i < r->n_hosts; i++) {
        json_begin(j, '{');
        json_put_string(j, "name", r->hosts[i].name);
        put_numbers(j, receipt_host_columns, r->hosts[i].v, RECEIPT_HOST_NUMBERS);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}

/* "1.34 T" of 1.34e12. */
static const char *scaled(double x, char buf[32])
{
    static const char *const letters[] = {"", "k", "M", "G", "T", "P", "E"};
    unsigned i = 0;
    for (; x >= 1000 && i + 1 < sizeof(letters) / sizeof(letters[0]); i++)
        x /= 1000;
    (void)snprintf(buf, 32, "%.3g %s", x, letters[i]);
    return buf;
}

static double sum(const struct receipt *r, enum receipt_rank_number which)
{
    double all = 0;
    for (unsigned i = 0; i < r->n_ranks; i++)
        all += r->ranks[i].v[which];
    return all;
}

/* ", 3 % of it WHY" where it is worth a word. */
static void draw_idle(const struct receipt *r,
                      enum receipt_rank_number which,
                      const char *why,
                      struct str *out)
{
    double part = 100 * sum(r, which) / sum(r, RECEIPT_RANK_WALL);
    if (part >= 0.5)
        str_printf(out, ", %.0f %% %s", part, why);
}

static void line(const char *first, struct str *out)
{
    str_printf(out, "  %-9s", first);
}

static void draw_time(const struct receipt *r, struct str *out)
{
    if (isnan(r->v[RECEIPT_RANKS_BUSY]))
        return;
    line("ranks", out);
    str_printf(out, "%.0f %% of their time in tasks", 100 * r->v[RECEIPT_RANKS_BUSY]);
    draw_idle(r, RECEIPT_RANK_WAIT, "without a task", out);
    draw_idle(r, RECEIPT_RANK_COMM, "waiting for each other", out);
    draw_idle(r, RECEIPT_RANK_WRITE, "for the disk", out);
    if (!isnan(r->v[RECEIPT_CPUS_BUSY]))
        str_printf(out, "; cores %.0f %% busy", 100 * r->v[RECEIPT_CPUS_BUSY]);
    str_add(out, "\n");
}

static void draw_work(const struct receipt *r, struct str *out)
{
    char number[32], rate[32];
    double all = r->v[RECEIPT_FLOPS] + r->v[RECEIPT_FLOPS64];
    if (!(all > 0))
        return;
    bool wide = r->v[RECEIPT_FLOPS64] > r->v[RECEIPT_FLOPS];
    double peak = r->v[wide ? RECEIPT_PEAK_F64 : RECEIPT_PEAK_F32];
    line("work", out);
    str_printf(out,
               "%sflop, %sflop/s",
               scaled(all, number),
               scaled(all / r->v[RECEIPT_WALL], rate));
    if (isnan(r->v[RECEIPT_OF_PEAK]))
        str_add(out, " (this host's peak was not probed: the job was short)");
    else
        str_printf(out,
                   ": %.3g %% of the peak, %sflop/s",
                   100 * r->v[RECEIPT_OF_PEAK],
                   scaled(peak, number));
    str_add(out, "\n");
}

static void draw_gpus(const struct receipt *r, struct str *out)
{
    if (!(r->v[RECEIPT_ASKED_GPUS] > 0))
        return;
    line("GPUs", out);
    if (isnan(r->v[RECEIPT_GPUS_BUSY]))
        str_add(out, "n/a: commands do not tell what they used\n");
    else
        str_printf(out, "%.0f %% busy\n", 100 * r->v[RECEIPT_GPUS_BUSY]);
}

static void draw_memory(const struct receipt *r, struct str *out)
{
    char had[32], asked[32];
    if (!(r->v[RECEIPT_ASKED_MEMORY] > 0) || isnan(r->v[RECEIPT_RSS]))
        return;
    line("memory", out);
    str_printf(out,
               "%s of %s a rank\n",
               str_bytes((uint64_t)r->v[RECEIPT_RSS], had),
               str_bytes((uint64_t)r->v[RECEIPT_ASKED_MEMORY], asked));
}

void summary_draw_receipt(const struct summary *s,
                          const char *dim,
                          const char *off,
                          struct str *out)
{
    const struct receipt *r = s->receipt;
    if (r == NULL || r->v[RECEIPT_LAUNCHES] == 0)
        return;
    str_printf(out, "\n  %sreceipt%s", dim, off);
    if (r->v[RECEIPT_LAUNCHES] > 1)
        str_printf(out, "  %sof %.0f launches%s", dim, r->v[RECEIPT_LAUNCHES], off);
    str_add(out, "\n");
    draw_time(r, out);
    draw_work(r, out);
    draw_gpus(r, out);
    draw_memory(r, out);
    if (r->v[RECEIPT_OVER] == 0)
        return;
    line("request", out);
    str_printf(out, "%s\n", r->advice);
    if (*r->sbatch == '\0')
        return;
    line("", out);
    str_printf(out, "%s%s; sbatch %s%s\n", dim, r->jobspec, r->sbatch, off);
}
