/* Layers: bias and activation, cross-entropy. */
#include "trial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const size_t shapes[][2] = {
    {1, 1}, {1, 1000}, {7, 10}, {64, 65}, {129, 33}, {1000, 7}, {300, 1000}, {40007, 3}};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))
#define ACTS   5 /* ACT_NONE .. ACT_SILU */

static const char *
tell(struct trial *t, const char *what, unsigned act, size_t m, size_t n)
{
    static const char *const acts[] = {"none", "relu", "gelu", "gelu_erf", "silu"};
    char *text = trial_room(t, 160);
    (void)snprintf(text, 160, "%s %s %zu x %zu", acts[act], what, m, n);
    return text;
}

/* Numbers of all sizes: most near 0, some where the activations are flat. */
static float *scores(struct trial *t, size_t n)
{
    float *z = trial_numbers(t, n, 5);
    for (size_t i = 5; i < n; i += 13)
        z[i] *= i % 2 == 0 ? 30 : 1000;
    return z;
}

void check_bias_act_forward(struct trial *t)
{
    struct device *d = t->d;
    for (unsigned c = 0; c < SHAPES * ACTS; c++) {
        size_t m = shapes[c / ACTS][0], n = shapes[c / ACTS][1];
        unsigned act = c % ACTS;
        float *z = scores(t, m * n), *bias = trial_numbers(t, n, 1);
        double *want_z = trial_wide(t, z, m * n), *want_y = trial_wide(t, z, m * n);
        bias_act_ref_forward(act, m, n, want_z, trial_wide(t, bias, n), want_y);
        float *on_z = trial_floats(t, m * n, z), *on_bias = trial_floats(t, n, bias),
              *on_y = trial_floats(t, m * n, NULL);
        d->op->bias_act_forward(d, act, m, n, on_z, on_bias, on_y);
        trial_near(t, tell(t, "z", act, m, n), trial_back(t, on_z), want_z, m * n, 1e-13);
        trial_near(t, tell(t, "y", act, m, n), trial_back(t, on_y), want_y, m * n, 1e-12);
        if (act == ACT_NONE || act == ACT_RELU) {
            d->op->put(d, on_z, z, m * n * sizeof(*z));
            d->op->bias_act_forward(d, act, m, n, on_z, on_bias, on_z);
            trial_near(t,
                       tell(t, "in place", act, m, n),
                       trial_back(t, on_z),
                       want_y,
                       m * n,
                       1e-12);
        }
        trial_clean(t);
    }
}

void check_bias_act_backward(struct trial *t)
{
    struct device *d = t->d;
    for (unsigned c = 0; c < SHAPES * ACTS; c++) {
        size_t m = shapes[c / ACTS][0], n = shapes[c / ACTS][1],
               bytes = n * sizeof(float);
        unsigned act = c % ACTS;
        float *z = scores(t, m * n), *dy = trial_numbers(t, m * n, 1);
        for (size_t j = 0; j < n; j++) /* sums that do not cancel */
            dy[j] += 1;
        double *want = trial_room(t, m * n * sizeof(*want)),
               *want_bias = trial_room(t, n * sizeof(*want));
        bias_act_ref_backward(act,
                              m,
                              n,
                              trial_wide(t, z, m * n),
                              trial_wide(t, dy, m * n),
                              want,
                              want_bias);
        float *on_z = trial_floats(t, m * n, z), *on_dy = trial_floats(t, m * n, dy),
              *on_dz = trial_floats(t, m * n, NULL), *on_bias = trial_floats(t, n, NULL),
              *again = trial_floats(t, n, NULL);
        d->op->bias_act_backward(d, act, m, n, on_z, on_dy, on_dz, on_bias);
        d->op->bias_act_backward(d, act, m, n, on_z, on_dy, on_dy, again);
        const float *dz = trial_back(t, on_dz), *bias = trial_back(t, on_bias);
        trial_near(t, tell(t, "dz", act, m, n), dz, want, m * n, 1e-11);
        trial_near(t, tell(t, "dbias", act, m, n), bias, want_bias, n, 1e-10);
        trial_same(t, "dz in place", trial_back(t, on_dy), dz, m * n * sizeof(*dz));
        trial_same(t, "dbias again", trial_back(t, again), bias, bytes);
        trial_clean(t);
    }
}

static const size_t rows[][2] = {
    {1, 2}, {64, 10}, {65, 7}, {5, 64}, {300, 1000}, {3, 50257}, {5003, 10}};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Scores with ties (whole numbers), and with sizes that would overflow exp. */
static float *logits(struct trial *t, size_t m, size_t n)
{
    float *z = trial_numbers(t, m * n, 6);
    for (size_t i = 0; i < m; i += 3) {
        for (size_t j = 0; j < n; j++)
            z[i * n + j] = i % 2 == 0 ? rintf(z[i * n + j] / 3) : z[i * n + j] * 1000;
    }
    return z;
}

void check_xent_train(struct trial *t)
{
    struct device *d = t->d;
    for (unsigned c = 0; c < ROWS; c++) {
        size_t m = rows[c][0], n = rows[c][1];
        float *z = logits(t, m, n);
        double *wide = trial_wide(t, z, m * n),
               *want = trial_room(t, m * n * sizeof(*want));
        int32_t *labels = trial_room(t, m * sizeof(*labels));
        for (size_t i = 0; i < m; i++)
            labels[i] = i % 4 == 0 ? xent_class(n, z + i * n) : (int32_t)(i * 31 % n);
        struct xent_score score = xent_ref_train(m, n, wide, labels, 0.25, want);
        float *on_z = trial_floats(t, m * n, z), *on_d = trial_floats(t, m * n, NULL);
        int32_t *on_labels = trial_array(t, m * sizeof(*labels), labels);
        struct xent_score *on_score = trial_array(t, sizeof(*on_score), NULL);
        d->op->xent_train(d, m, n, on_z, on_labels, 0.25F, on_d, on_score);
        const float *got = trial_back(t, on_d);
        trial_near(t, tell(t, "dlogits", 0, m, n), got, want, m * n, 1e-12);
        const struct xent_score *told = trial_back(t, on_score);
        t->cases++;
        if (!(fabs(told->loss - score.loss) <= 1e-6 * score.loss + 1e-9) ||
            told->correct != score.correct)
            trial_fail(t,
                       "%zu x %zu: loss %.17g and %llu right, not %.17g and %llu",
                       m,
                       n,
                       told->loss,
                       (unsigned long long)told->correct,
                       score.loss,
                       (unsigned long long)score.correct);
        struct xent_score *on_again = trial_array(t, sizeof(*on_score), NULL);
        d->op->xent_train(d, m, n, on_z, on_labels, 0.25F, on_z, on_again);
        trial_same(t, "in place", trial_back(t, on_z), got, m * n * sizeof(*got));
        trial_same(t, "the score again", trial_back(t, on_again), told, sizeof(*told));
        trial_clean(t);
    }
}

void check_xent_infer(struct trial *t)
{
    struct device *d = t->d;
    for (unsigned c = 0; c < ROWS; c++) {
        size_t m = rows[c][0], n = rows[c][1];
        float *z = logits(t, m, n);
        double *want = trial_wide(t, z, m * n);
        int32_t *classes = trial_room(t, m * sizeof(*classes));
        for (size_t i = 0; i < m; i++) {
            classes[i] = xent_class(n, z + i * n);
            double max = want[i * n + (size_t)classes[i]], sum = 0;
            for (size_t j = 0; j < n; j++)
                sum += want[i * n + j] = exp(want[i * n + j] - max);
            for (size_t j = 0; j < n; j++)
                want[i * n + j] /= sum;
        }
        float *on_z = trial_floats(t, m * n, z), *on_p = trial_floats(t, m * n, NULL);
        int32_t *on_class = trial_array(t, m * sizeof(*on_class), NULL);
        d->op->xent_infer(d, m, n, on_z, on_p, on_class);
        const float *p = trial_back(t, on_p);
        trial_near(t, tell(t, "p", 0, m, n), p, want, m * n, 1e-12);
        trial_same(t, "classes", trial_back(t, on_class), classes, m * sizeof(*classes));
        d->op->xent_infer(d, m, n, on_z, on_z, on_class);
        trial_same(t, "in place", trial_back(t, on_z), p, m * n * sizeof(*p));
        trial_clean(t);
    }
}
