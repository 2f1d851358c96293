/* /receipt of a results file: attributes for the job, a table a kind of row (one compound
 * dataset: fewer objects than columns, and every job has them). Invariant: what is
 * derived is written for others to read, and derived anew by us. */
#include "base/memory.h"
#include "base/str.h"
#include "column.h"
#include "receipt_gather.h"

#define ROWS_MOST (1u << 20)

struct table { /* an array of structs of numbers */
    const char *name, *help;
    const struct receipt_column *columns;
    unsigned n_columns, n;
    void *rows;
    size_t size, first; /* bytes: of a row; where its numbers begin */
};

enum { RANKS, STAGES, HOSTS, TABLES };

static const char *const names[TABLES] = {"ranks", "stages", "hosts"};

static struct table table_of(const struct receipt *r, unsigned which)
{
    switch (which) {
    case RANKS:
        return (struct table){names[which],
                              "one row a rank, all launches together",
                              receipt_rank_columns,
                              RECEIPT_RANK_NUMBERS,
                              r->n_ranks,
                              r->ranks,
                              sizeof(*r->ranks),
                              offsetof(struct receipt_rank, v)};
    case STAGES:
        return (struct table){names[which],
                              "one row a stage, in the jobspec's order",
                              receipt_stage_columns,
                              RECEIPT_STAGE_NUMBERS,
                              r->n_stages,
                              r->stages,
                              sizeof(*r->stages),
                              offsetof(struct receipt_stage, v)};
    default:
        return (struct table){names[which],
                              "one row a host of host_names: what it can do, probed",
                              receipt_host_columns,
                              RECEIPT_HOST_NUMBERS,
                              r->n_hosts,
                              r->hosts,
                              sizeof(*r->hosts),
                              offsetof(struct receipt_host, v)};
    }
}

/* In memory; to be released. */
static hid_t make_type(const struct table *t)
{
    hid_t id = H5Tcreate(H5T_COMPOUND, t->size);
    for (unsigned i = 0; i < t->n_columns; i++)
        (void)H5Tinsert(
            id, t->columns[i].name, t->first + i * sizeof(double), H5T_NATIVE_DOUBLE);
    return id;
}

/* The rows without what is between their numbers. */
static int
put_table(hid_t at, const struct receipt *r, unsigned which, struct gm_error *err)
{
    struct table t = table_of(r, which);
    size_t numbers = t.n_columns * sizeof(double);
    AUTO_FREE(char) packed = xcalloc(t.n + 1u, numbers);
    AUTO_STR units = {0};
    AUTO_STR help = {0};
    str_printf(&help, "%s:", t.help);
    for (unsigned i = 0; i < t.n; i++)
        memcpy(packed + i * numbers, (char *)t.rows + i * t.size + t.first, numbers);
    for (unsigned i = 0; i < t.n_columns; i++) {
        str_printf(&units, "%s%s", i > 0 ? ", " : "", t.columns[i].unit);
        str_printf(
            &help, "%s %s: %s", i > 0 ? ";" : "", t.columns[i].name, t.columns[i].help);
    }
    t.size = numbers;
    t.first = 0;
    AUTO_ID type = make_type(&t);
    return column_put(at, t.name, type, t.n, packed, units.text, help.text, err);
}

static int put_hosts(hid_t at, const struct receipt *r, struct gm_error *err)
{
    AUTO_FREE(const char *) hosts = xcalloc(r->n_hosts + 1u, sizeof(*hosts));
    for (unsigned i = 0; i < r->n_hosts; i++)
        hosts[i] = r->hosts[i].name;
    return column_put_texts(
        at, "host_names", hosts, r->n_hosts, "the host of each row of hosts", err);
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
    rc = rc == 0 ? put_hosts(at, r, err) : rc;
    for (unsigned i = 0; rc == 0 && i < TABLES; i++)
        rc = put_table(at, r, i, err);
    return rc;
}

static int load_hosts(hid_t at, struct receipt *r, struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    const char *const *hosts;
    size_t n = 0;
    int rc = column_get_texts(at, "host_names", a, &hosts, &n, err);
    if (rc == 0 && n != r->n_hosts)
        rc = gm_fail(err, -EINVAL, "receipt: %zu host_names of %u hosts", n, r->n_hosts);
    for (unsigned i = 0; rc == 0 && i < r->n_hosts; i++)
        r->hosts[i].name = xstrdup(hosts[i]);
    return rc;
}

static int load_table(hid_t at, struct receipt *r, unsigned which, struct gm_error *err)
{
    struct table t = table_of(r, which);
    AUTO_ID type = make_type(&t);
    return column_get(at, t.name, type, t.n, t.rows, err);
}

static int load(hid_t at, struct receipt *r, struct gm_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < RECEIPT_NUMBERS; i++)
        rc = h5_get_f64(at, receipt_columns[i].name, &r->v[i], err);
    for (unsigned i = 0; rc == 0 && i < TABLES; i++)
        rc = load_table(at, r, i, err);
    return rc == 0 ? load_hosts(at, r, err) : rc;
}

int receipt_load(hid_t file, struct receipt **ret, struct gm_error *err)
{
    AUTO_ID at = -1;
    AUTO(receipt) r = NULL;
    uint64_t n[TABLES] = {0};
    *ret = NULL;
    if (H5Lexists(file, "receipt", H5P_DEFAULT) <= 0)
        return 0;
    int rc = h5_open_group(file, "receipt", &at, err);
    if (rc != 0 || H5Aexists(at, "schema") <= 0) /* an earlier version's is empty */
        return rc;
    for (unsigned i = 0; rc == 0 && i < TABLES; i++) {
        rc = column_rows(at, names[i], &n[i], err);
        if (rc == 0 && n[i] > ROWS_MOST)
            rc = gm_fail(
                err, -EINVAL, "receipt/%s: more than %u rows", names[i], ROWS_MOST);
    }
    if (rc != 0)
        return rc;
    r = receipt_make((unsigned)n[RANKS], (unsigned)n[STAGES], (unsigned)n[HOSTS]);
    rc = load(at, r, err);
    if (rc != 0)
        return rc;
    receipt_judge(r);
    *ret = steal(&r);
    return 0;
}
