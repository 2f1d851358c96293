/* See rule.h. Invariant: a rule that was loaded can be used for any task number: no
 * divisor or modulus is 0, and a choice has as many texts as its modulus says. */
#include "rule.h"
#include "base/memory.h"
#include "column.h"

enum { KIND, DIVISOR, MODULUS, FIRST, STEP, TEXT, N_COLUMNS };

static const struct {
    const char *name, *help;
} columns[N_COLUMNS] = {
    {"kind",
     "0 a text, 1 one of `modulus` texts, 2 first + number * step, 3 the same as a "
     "floating-point number, 4 the least of step and first - number * step"},
    {"divisor", "a piece's number in task i is i / divisor % modulus"},
    {"modulus", "see divisor"},
    {"first", "see kind"},
    {"step", "see kind"},
    {"text", "row of its first text in `texts`"},
};

static uint64_t n_texts(const struct varying_piece *p)
{
    return p->kind == VARYING_TEXT ? 1 : p->kind == VARYING_CHOICE ? p->modulus : 0;
}

static void fill(const struct varying *v, int64_t *rows)
{
    int64_t text = 0;
    for (unsigned i = 0; i < v->n; i++) {
        const struct varying_piece *p = &v->pieces[i];
        rows[KIND * v->n + i] = p->kind;
        rows[DIVISOR * v->n + i] = (int64_t)p->divisor;
        rows[MODULUS * v->n + i] = (int64_t)p->modulus;
        rows[FIRST * v->n + i] = p->first;
        rows[STEP * v->n + i] = p->step;
        rows[TEXT * v->n + i] = text;
        text += (int64_t)n_texts(p);
    }
}

static int put_texts(hid_t at, const struct varying *v, struct gm_error *err)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < v->n; i++)
        n += n_texts(&v->pieces[i]);
    AUTO_FREE(const char *) texts = xcalloc(n + 1, sizeof(*texts));
    n = 0;
    for (unsigned i = 0; i < v->n; i++) {
        for (uint64_t k = 0; k < n_texts(&v->pieces[i]); k++)
            texts[n++] = v->pieces[i].texts[k];
    }
    return column_put_texts(at, "texts", texts, n, "pieces of JSON", err);
}

int rule_put(hid_t stage, const struct varying *v, struct gm_error *err)
{
    AUTO_FREE(int64_t) rows = xcalloc(v->n + 1u, N_COLUMNS * sizeof(*rows));
    AUTO_ID at = -1;
    fill(v, rows);
    int rc = h5_group(stage,
                      "varying",
                      "a task's parameters by its number: these pieces side by side",
                      &at,
                      err);
    for (unsigned c = 0; rc == 0 && c < N_COLUMNS; c++)
        rc = column_put(at,
                        columns[c].name,
                        H5T_NATIVE_INT64,
                        v->n,
                        rows + (size_t)c * v->n,
                        "1",
                        columns[c].help,
                        err);
    return rc == 0 ? put_texts(at, v, err) : rc;
}

static int wrong(struct gm_error *err)
{
    return gm_fail(err, -EINVAL, "varying: is no rule that this version knows");
}

static int take(const int64_t *rows,
                uint64_t n,
                uint64_t i,
                const char *const *texts,
                size_t n_all,
                struct varying_piece *ret,
                struct gm_error *err)
{
    int64_t kind = rows[KIND * n + i], text = rows[TEXT * n + i];
    if (kind < VARYING_TEXT || kind > VARYING_REST || rows[DIVISOR * n + i] <= 0 ||
        rows[MODULUS * n + i] <= 0 || text < 0 || (uint64_t)text > n_all)
        return wrong(err);
    *ret = (struct varying_piece){.kind = (enum varying_kind)kind,
                                  .divisor = (uint64_t)rows[DIVISOR * n + i],
                                  .modulus = (uint64_t)rows[MODULUS * n + i],
                                  .first = rows[FIRST * n + i],
                                  .step = rows[STEP * n + i],
                                  .texts = texts + text};
    return n_texts(ret) <= n_all - (uint64_t)text ? 0 : wrong(err);
}

int rule_load(hid_t stage,
              struct arena *a,
              struct varying *ret,
              bool *ret_there,
              struct gm_error *err)
{
    AUTO_ID at = -1;
    uint64_t n = 0;
    *ret_there = H5Lexists(stage, "varying", H5P_DEFAULT) > 0;
    if (!*ret_there)
        return 0;
    int rc = h5_open_group(stage, "varying", &at, err);
    rc = rc == 0 ? column_rows(at, columns[KIND].name, &n, err) : rc;
    if (rc != 0 || n > VARYING_PIECES_MOST)
        return rc != 0 ? rc : wrong(err);
    int64_t *rows = arena_alloc(a, n, N_COLUMNS * sizeof(*rows));
    for (unsigned c = 0; rc == 0 && c < N_COLUMNS; c++)
        rc = column_get(at, columns[c].name, H5T_NATIVE_INT64, n, rows + c * n, err);
    const char *const *texts = NULL;
    size_t n_all = 0;
    rc = rc == 0 ? column_get_texts(at, "texts", a, &texts, &n_all, err) : rc;
    struct varying_piece *pieces = arena_alloc(a, n, sizeof(*pieces));
    for (uint64_t i = 0; rc == 0 && i < n; i++)
        rc = take(rows, n, i, texts, n_all, &pieces[i], err);
    if (rc == 0)
        *ret = (struct varying){.pieces = pieces, .n = (unsigned)n};
    return rc;
}
