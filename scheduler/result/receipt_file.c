/* /receipt of a results file: attributes for the job, a group of columns a kind of row.
 * Invariant: what is derived is written for others to read, and derived anew by us. */
#include "base/memory.h"
#include "base/str.h"
#include "column.h"
#include "receipt_gather.h"

#define ROWS_MOST (1u << 20)

struct rows { /* equal steps from row to row, as in an array of structs */
    const char *group, *help;
    const struct receipt_column *columns;
    unsigned n_columns, n;
    double *first;
    size_t step; /* bytes */
};

static double *number(const struct rows *rows, unsigned i, unsigned column)
{
    return (double *)(void *)((char *)rows->first + i * rows->step) + column;
}

static struct rows rows_of(const struct receipt *r, unsigned kind)
{
    switch (kind) {
    case 0:
        return (struct rows){"ranks",
                             "one row a rank, all launches together",
                             receipt_rank_columns,
                             RECEIPT_RANK_NUMBERS,
                             r->n_ranks,
                             r->ranks->v,
                             sizeof(*r->ranks)};
    case 1:
        return (struct rows){"stages",
                             "one row a stage, in the jobspec's order",
                             receipt_stage_columns,
                             RECEIPT_STAGE_NUMBERS,
                             r->n_stages,
                             r->stages->v,
                             sizeof(*r->stages)};
    default:
        return (struct rows){"hosts",
                             "what each host can do, by a probe",
                             receipt_host_columns,
                             RECEIPT_HOST_NUMBERS,
                             r->n_hosts,
                             r->hosts->v,
                             sizeof(*r->hosts)};
    }
}

enum { KINDS = 3, HOSTS = 2 };

static int put_names(hid_t at, const struct receipt *r, struct gm_error *err)
{
    AUTO_FREE(const char *) names = xcalloc(r->n_hosts + 1u, sizeof(*names));
    for (unsigned i = 0; i < r->n_hosts; i++)
        names[i] = r->hosts[i].name;
    return column_put_texts(at, "name", names, r->n_hosts, "host name", err);
}

static int
put_rows(hid_t receipt, const struct receipt *r, unsigned kind, struct gm_error *err)
{
    struct rows rows = rows_of(r, kind);
    AUTO_FREE(double) v = xcalloc(rows.n + 1u, sizeof(*v));
    AUTO_ID at = -1;
    int rc = h5_group(receipt, rows.group, rows.help, &at, err);
    if (rc == 0 && kind == HOSTS)
        rc = put_names(at, r, err);
    for (unsigned k = 0; rc == 0 && k < rows.n_columns; k++) {
        const struct receipt_column *c = &rows.columns[k];
        for (unsigned i = 0; i < rows.n; i++)
            v[i] = *number(&rows, i, k);
        rc = column_put(at, c->name, H5T_NATIVE_DOUBLE, rows.n, v, c->unit, c->help, err);
    }
    return rc;
}

int receipt_put(hid_t file, const struct receipt *r, struct gm_error *err)
{
    AUTO_ID at = -1;
    int rc = h5_group(file, "receipt", "how well the machine was used", &at, err);
    rc = rc == 0 ? h5_put_text(at, "schema", RECEIPT_SCHEMA, err) : rc;
    for (unsigned i = 0; rc == 0 && i < RECEIPT_NUMBERS; i++)
        rc = h5_put_f64(at, receipt_columns[i].name, r->v[i], err);
    rc = rc == 0 ? h5_put_text(at, "advice", r->advice, err) : rc;
    rc = rc == 0 ? h5_put_text(at, "jobspec", r->jobspec, err) : rc;
    rc = rc == 0 ? h5_put_text(at, "sbatch", r->sbatch, err) : rc;
    for (unsigned k = 0; rc == 0 && k < KINDS; k++)
        rc = put_rows(at, r, k, err);
    return rc;
}

/* How many rows the group has. */
static int
count_rows(hid_t receipt, const char *group, unsigned *ret, struct gm_error *err)
{
    AUTO_STR path = {0};
    uint64_t n = 0;
    str_printf(&path, "%s/%s", group, strcmp(group, "hosts") == 0 ? "cpus" : "tasks");
    int rc = column_rows(receipt, path.text, &n, err);
    if (rc == 0 && n > ROWS_MOST)
        rc = gm_fail(err, -EINVAL, "receipt/%s: more than %u rows", group, ROWS_MOST);
    *ret = rc == 0 ? (unsigned)n : 0;
    return rc;
}

static int load_names(hid_t at, struct receipt *r, struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    const char *const *names;
    size_t n = 0;
    int rc = column_get_texts(at, "name", a, &names, &n, err);
    if (rc == 0 && n != r->n_hosts)
        rc = gm_fail(err, -EINVAL, "receipt/hosts: columns of different length");
    for (unsigned i = 0; rc == 0 && i < r->n_hosts; i++)
        r->hosts[i].name = xstrdup(names[i]);
    return rc;
}

static int
load_rows(hid_t receipt, struct receipt *r, unsigned kind, struct gm_error *err)
{
    struct rows rows = rows_of(r, kind);
    AUTO_FREE(double) v = xcalloc(rows.n + 1u, sizeof(*v));
    AUTO_ID at = -1;
    int rc = h5_open_group(receipt, rows.group, &at, err);
    if (rc == 0 && kind == HOSTS)
        rc = load_names(at, r, err);
    for (unsigned k = 0; rc == 0 && k < rows.n_columns; k++) {
        rc = column_get(at, rows.columns[k].name, H5T_NATIVE_DOUBLE, rows.n, v, err);
        for (unsigned i = 0; rc == 0 && i < rows.n; i++)
            *number(&rows, i, k) = v[i];
    }
    return rc;
}

int receipt_load(hid_t file, struct receipt **ret, struct gm_error *err)
{
    AUTO_ID at = -1;
    AUTO(receipt) r = NULL;
    unsigned n_ranks, n_stages, n_hosts;
    *ret = NULL;
    if (H5Lexists(file, "receipt", H5P_DEFAULT) <= 0)
        return 0;
    int rc = h5_open_group(file, "receipt", &at, err);
    if (rc != 0 || H5Aexists(at, "schema") <= 0) /* an earlier version's is empty */
        return rc;
    rc = count_rows(at, "ranks", &n_ranks, err);
    rc = rc == 0 ? count_rows(at, "stages", &n_stages, err) : rc;
    rc = rc == 0 ? count_rows(at, "hosts", &n_hosts, err) : rc;
    if (rc != 0)
        return rc;
    r = receipt_make(n_ranks, n_stages, n_hosts);
    for (unsigned i = 0; rc == 0 && i < RECEIPT_NUMBERS; i++)
        rc = h5_get_f64(at, receipt_columns[i].name, &r->v[i], err);
    for (unsigned k = 0; rc == 0 && k < KINDS; k++)
        rc = load_rows(at, r, k, err);
    if (rc != 0)
        return rc;
    receipt_judge(r);
    *ret = steal(&r);
    return 0;
}
