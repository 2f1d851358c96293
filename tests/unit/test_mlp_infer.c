#include "io_files.h"
#include "kernels/io/table.h"
#include "kernels/model/mlp.h"
#include "mlp_task.h"
#include <math.h>

/* A model that is trained a little, and the clouds as a file. */
struct bench {
    struct io_files files;
    struct rehearse_output *trained;
    struct gm_input model;
    float *x;
};

static struct bench make_bench(const char *layers)
{
    struct bench b = {.files = io_files_make(),
                      .x = malloc(sizeof(float) * MLP_ROWS * (MLP_INPUTS + 1))};
    struct gm_input rows = mlp_task_rows(b.x);
    const struct rehearse_arg args[] = {{"layers", layers},
                                        {"epochs", "2"},
                                        {"lr", "0.05"},
                                        {"scale", "0.5"},
                                        {NULL, NULL}};
    const struct gm_kernel *k = mlp_task_kernel("mlp.train");
    const struct rehearse_task task = {
        .kernel = k, .args = args, .inputs = &rows, .n_inputs = 1};
    struct gm_error err;
    cr_assert_eq(rehearse_run(&task, &b.trained, &err), 0, "%s", err.text);
    const struct rehearse_output *model = rehearse_find(k, b.trained, "model");
    b.model = (struct gm_input){.param = 0,
                                .dtype = GM_U8,
                                .ndim = 1,
                                .dims = {model->nbytes},
                                .data = model->data,
                                .nbytes = model->nbytes,
                                .origin = "train.model[0]"};
    char *text = malloc((size_t)MLP_ROWS * 256);
    size_t n = 0;
    for (size_t i = 0; i < MLP_ROWS; i++) {
        for (size_t c = 0; c <= MLP_INPUTS; c++)
            n += (size_t)snprintf(text + n,
                                  32,
                                  "%.9g%s",
                                  (double)b.x[i * 10 + c],
                                  c < MLP_INPUTS ? "," : "\n");
    }
    (void)io_files_write(&b.files, "clouds.csv", text, n);
    free(text);
    return b;
}

static void free_bench(struct bench *b)
{
    rehearse_free(mlp_task_kernel("mlp.train"), b->trained);
    io_files_remove(&b->files);
    free(b->x);
}

/* Rows as infer put them out, shard after shard. */
struct scored {
    size_t n;
    int64_t row[MLP_ROWS];
    int32_t class[MLP_ROWS];
    float p[MLP_ROWS * MLP_CLASSES];
    int64_t rows, correct, confusion[MLP_CLASSES * MLP_CLASSES];
};

static int score(const struct bench *b,
                 const char *part,
                 const char *labels,
                 const struct gm_slice *shard,
                 struct scored *s,
                 struct gm_error *err)
{
    const struct gm_kernel *k = mlp_task_kernel("mlp.infer");
    struct rehearse_output *out = NULL;
    const struct rehearse_arg args[] = {
        {"part", part}, {"labels", labels}, {"data", b->files.path}, {NULL, NULL}};
    const struct rehearse_task task = {
        .kernel = k, .args = args, .inputs = &b->model, .n_inputs = 1, .shard = shard};
    int rc = rehearse_run(&task, &out, err);
    if (rc != 0)
        return rc;
    const struct rehearse_output *row = rehearse_find(k, out, "row");
    size_t n = row->dims[0];
    memcpy(s->row + s->n, row->data, n * sizeof(*s->row));
    memcpy(s->class + s->n, rehearse_find(k, out, "class")->data, n * sizeof(*s->class));
    memcpy(s->p + s->n * MLP_CLASSES,
           rehearse_find(k, out, "probability")->data,
           n * MLP_CLASSES * sizeof(*s->p));
    s->n += n;
    s->rows += *(const int64_t *)rehearse_find(k, out, "rows")->data;
    const struct rehearse_output *correct = rehearse_find(k, out, "correct");
    const struct rehearse_output *confusion = rehearse_find(k, out, "confusion");
    cr_assert_eq(correct == NULL, strcmp(labels, "none") == 0);
    if (correct != NULL) {
        s->correct += *(const int64_t *)correct->data;
        double accuracy = *(const double *)rehearse_find(k, out, "accuracy")->data;
        if (n == 0)
            cr_expect(isnan(accuracy));
        else
            cr_expect_float_eq(
                accuracy * (double)n, *(const int64_t *)correct->data, 1e-9);
        for (size_t i = 0; i < MLP_CLASSES * MLP_CLASSES; i++)
            s->confusion[i] += ((const int64_t *)confusion->data)[i];
    }
    rehearse_free(k, out);
    return 0;
}

static void
score_in_shards(const struct bench *b, const char *part, uint64_t rows, struct scored *s)
{
    struct gm_error err;
    memset(s, 0, sizeof(*s));
    for (uint64_t first = 0; first < MLP_ROWS; first += rows) {
        uint64_t left = MLP_ROWS - first;
        const struct gm_slice shard = {.path = b->files.path,
                                       .unit = GM_ROWS,
                                       .first = first,
                                       .count = left < rows ? left : rows,
                                       .total = MLP_ROWS};
        cr_assert_eq(score(b, part, "last", &shard, s, &err), 0, "%s", err.text);
    }
}

Test(mlp_infer, no_bit_of_a_row_depends_on_how_rows_are_cut_into_shards)
{
    static const char *const layers[] = {"[9, 17, 5]",
                                         "[9, 600, 300, 5]"}; /* ours, OpenBLAS */
    static const char *const parts[] = {"all", "test", "train"};
    static const uint64_t cuts[] = {1, 7, 64, 65};
    static struct scored whole, cut;
    for (size_t l = 0; l < 2; l++) {
        struct bench b = make_bench(layers[l]);
        for (size_t p = 0; p < 3; p++) {
            score_in_shards(&b, parts[p], MLP_ROWS, &whole);
            for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
                score_in_shards(&b, parts[p], cuts[c], &cut);
                cr_expect_eq(memcmp(&whole, &cut, sizeof(cut)),
                             0,
                             "%s, %s, shards of %lu",
                             layers[l],
                             parts[p],
                             cuts[c]);
            }
        }
        free_bench(&b);
    }
}

Test(mlp_infer, scores_are_those_of_the_network_in_double)
{
    struct bench b = make_bench("[9, 17, 5]");
    static struct scored s;
    score_in_shards(&b, "all", MLP_ROWS, &s);
    cr_assert(s.n == MLP_ROWS && s.rows == MLP_ROWS);
    struct mlp *m = NULL;
    cr_assert_eq(mlp_parse("m", b.model.data, b.model.nbytes, &m, NULL), 0);
    int64_t correct = 0, total = 0;
    for (size_t r = 0; r < MLP_ROWS; r++) {
        double h[17], z[5], sum = 0;
        for (size_t j = 0; j < 17; j++) {
            h[j] = (double)m->params[m->layers[0].bias + j];
            for (size_t i = 0; i < 9; i++)
                h[j] += 0.5 * (double)b.x[r * 10 + i] * (double)m->params[i * 17 + j];
            h[j] = fmax(h[j], 0);
        }
        for (size_t c = 0; c < 5; c++) {
            z[c] = (double)m->params[m->layers[1].bias + c];
            for (size_t j = 0; j < 17; j++)
                z[c] += h[j] * (double)m->params[m->layers[1].weight + j * 5 + c];
            sum += exp(z[c]);
        }
        for (size_t c = 0; c < 5; c++)
            cr_expect_float_eq((double)s.p[r * 5 + c], exp(z[c]) / sum, 1e-5);
        cr_expect_eq(s.row[r], (int64_t)r);
        correct += s.class[r] == (int32_t)b.x[r * 10 + 9];
    }
    cr_expect_eq(s.correct, correct);
    for (size_t i = 0; i < 25; i++)
        total += s.confusion[i];
    cr_expect_eq(total, MLP_ROWS);
    mlp_free(m);
    free_bench(&b);
}

Test(mlp_infer, the_parts_are_those_of_training_and_share_no_row)
{
    struct bench b = make_bench("[9, 17, 5]");
    static struct scored s;
    unsigned seen[MLP_ROWS] = {0};
    static const char *const parts[] = {"train", "valid", "test"};
    for (size_t p = 0; p < 3; p++) {
        score_in_shards(&b, parts[p], 100, &s);
        for (size_t i = 0; i < s.n; i++)
            seen[s.row[i]]++;
    }
    for (size_t i = 0; i < MLP_ROWS; i++)
        cr_expect_eq(seen[i], 1);
    score_in_shards(&b, "valid", MLP_ROWS, &s);
    double accuracy = *(const double *)rehearse_find(
                           mlp_task_kernel("mlp.train"), b.trained, "accuracy")
                           ->data;
    cr_expect_float_eq((double)s.correct / (double)s.n, accuracy, 1e-12);
    free_bench(&b);
}

Test(mlp_infer, what_cannot_be_scored_is_refused_with_the_reason)
{
    struct bench b = make_bench("[9, 17, 5]");
    static struct scored s;
    struct gm_error err;
    cr_expect_lt(score(&b, "all", "none", NULL, &s, &err), 0);
    cr_expect_not_null(
        strstr(err.text, "has 10 columns of inputs, but the first layer has 9"));
    cr_expect_lt(score(&b, "test", "none", NULL, &s, &err), 0);
    struct gm_slice shard = {
        .path = b.files.path, .unit = GM_LINES, .count = 5, .total = MLP_ROWS};
    cr_expect_lt(score(&b, "all", "last", &shard, &s, &err), 0);
    cr_expect_not_null(strstr(err.text, "takes rows, not lines"));
    shard =
        (struct gm_slice){.path = "/other.csv", .unit = GM_ROWS, .count = 5, .total = 5};
    cr_expect_lt(score(&b, "all", "last", &shard, &s, &err), 0);
    cr_expect_not_null(strstr(err.text, "but the shards are of /other.csv"));
    b.model.nbytes--;
    cr_expect_lt(score(&b, "all", "last", NULL, &s, &err), 0);
    cr_expect_not_null(strstr(err.text, "train.model[0]: "));
    free_bench(&b);
}
