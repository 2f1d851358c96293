#include "kernels/model/mlp.h"
#include "op_check.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct mlp *network(const int64_t *widths, size_t n, enum act act)
{
    struct mlp_shape shape;
    struct mlp *m = NULL;
    cr_assert_eq(mlp_shape_make(widths, n, act, &shape, NULL), 0);
    cr_assert_eq(mlp_make(&shape, &m, NULL), 0);
    mlp_init(m, 7);
    return m;
}

/* The loss in double with plain loops: nothing of the network's own code. */
static double loss_of(const struct mlp *m,
                      const double *params,
                      size_t rows,
                      const float *x,
                      const int32_t *labels)
{
    double loss = 0;
    for (size_t r = 0; r < rows; r++) {
        double in[128], out[128];
        for (size_t i = 0; i < m->layers[0].in; i++)
            in[i] = (double)x[r * m->layers[0].in + i];
        for (unsigned l = 0; l < m->shape.n_layers; l++) {
            const struct mlp_layer *y = &m->layers[l];
            for (size_t j = 0; j < y->out; j++) {
                double z = params[y->bias + j];
                for (size_t i = 0; i < y->in; i++)
                    z += in[i] * params[y->weight + i * y->out + j];
                bool last = l + 1 == m->shape.n_layers;
                double g =
                    0.5 * z * (1 + tanh(sqrt(M_2_PI) * (z + 0.044715 * z * z * z)));
                out[j] = last ? z : m->shape.activation == ACT_GELU ? g : fmax(z, 0);
            }
            memcpy(in, out, sizeof(in));
        }
        double sum = 0;
        for (size_t c = 0; c < m->layers[m->shape.n_layers - 1].out; c++)
            sum += exp(in[c]);
        loss += log(sum) - in[labels[r]];
    }
    return loss;
}

static void check_gradient(const int64_t *widths, size_t n, enum act act, size_t rows)
{
    struct mlp *m = network(widths, n, act);
    struct mlp_work *w = NULL;
    struct device *d = NULL;
    cr_assert_eq(device_open("cpu", &d, NULL), 0);
    cr_assert_eq(mlp_work_make(m, d, rows, &w, NULL), 0);
    float *x = op_numbers(rows * (size_t)widths[0], 1),
          *grad = op_numbers(m->n_params, 2);
    int32_t labels[128];
    for (size_t i = 0; i < rows; i++)
        labels[i] = (int32_t)(i * 5 % (size_t)widths[n - 1]);
    struct xent_score score;
    cr_assert_eq(mlp_gradient(w, rows, x, labels, 0.5F, grad, &score, NULL), 0);
    double *p = op_widen(m->params, m->n_params);
    cr_expect_float_eq(score.loss, loss_of(m, p, rows, x, labels), 1e-5 * score.loss);
    double off = 0, size = 0;
    for (size_t i = 0; i < m->n_params; i++) {
        const double h = 1e-6, at = p[i];
        p[i] = at + h;
        double up = loss_of(m, p, rows, x, labels);
        p[i] = at - h;
        double slope = 0.5 * (up - loss_of(m, p, rows, x, labels)) / (2 * h);
        p[i] = at;
        off += ((double)grad[i] - slope) * ((double)grad[i] - slope);
        size += slope * slope;
    }
    cr_expect_lt(off, 1e-8 * size, "act %d, %zu rows: NMSE %g", act, rows, off / size);
    free(p);
    free(x);
    free(grad);
    mlp_work_free(w);
    device_close(d);
    mlp_free(m);
}

Test(mlp, the_gradient_is_the_difference_quotient_of_every_parameter)
{
    check_gradient((const int64_t[]){7, 2}, 2, ACT_RELU, 1);
    check_gradient((const int64_t[]){7, 9, 3}, 3, ACT_RELU, 7);
    check_gradient((const int64_t[]){5, 17, 8, 4}, 4, ACT_RELU, 64);
    check_gradient((const int64_t[]){5, 17, 8, 4}, 4, ACT_GELU, 65);
}

Test(mlp, a_model_survives_its_file_bit_for_bit)
{
    struct mlp *m = network((const int64_t[]){5, 17, 8, 4}, 4, ACT_GELU), *back = NULL;
    m->scale = 0.0625;
    m->params[m->layers[1].bias + 3] = 0.1F;
    unsigned char *bytes = NULL, *again = NULL;
    size_t len = 0, len2 = 0;
    struct gm_error err;
    cr_assert_eq(mlp_format(m, &bytes, &len, &err), 0);
    cr_assert_eq(mlp_parse("m", bytes, len, &back, &err), 0, "%s", err.text);
    cr_expect_eq(back->n_params, m->n_params);
    cr_expect_arr_eq(back->params, m->params, m->n_params * sizeof(float));
    cr_expect(back->scale == 0.0625 && back->shape.activation == ACT_GELU);
    cr_assert_eq(mlp_format(back, &again, &len2, &err), 0);
    cr_assert_eq(len, len2);
    cr_expect_arr_eq(bytes, again, len);
    free(bytes);
    free(again);
    mlp_free(m);
    mlp_free(back);
}

/* One word of a good model's header replaced by one as long. */
Test(mlp, a_file_that_is_no_network_is_refused_with_the_reason)
{
    static const struct {
        const char *from, *to, *want;
    } cases[] = {{"gridmill.mlp/1", "gridmill.mlp/2", "its format is gridmill.mlp/2"},
                 {"\"5,17,4\"", "\"5,18,4\"", "parameters where its layers want"},
                 {"\"5,17,4\"", "\"5,,,,4\"", "'layers' is not a list"},
                 {"\"5,17,4\"", "\"5,17,1\"", "number of classes"},
                 {"\"relu\"", "\"tanh\"", "'activation' is not relu or gelu"},
                 {"\"0.5\"", "\"x.5\"", "'scale' is not a number"},
                 {"layers.0.bias", "layers.7.bias", "has no tensor 'layers.0.bias'"},
                 {"[17,5]", "[5,17]", "'layers.0.weight' is not F32"}};
    struct mlp *m = network((const int64_t[]){5, 17, 4}, 3, ACT_RELU);
    m->scale = 0.5;
    unsigned char *bytes = NULL;
    size_t len = 0;
    cr_assert_eq(mlp_format(m, &bytes, &len, NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char *bad = malloc(len);
        memcpy(bad, bytes, len);
        size_t n = strlen(cases[i].from);
        cr_assert_eq(n, strlen(cases[i].to));
        unsigned char *at = memmem(bad, len, cases[i].from, n);
        cr_assert_not_null(at, "case %zu", i);
        memcpy(at, cases[i].to, n);
        struct mlp *no = NULL;
        struct gm_error err;
        cr_expect_eq(mlp_parse("m", bad, len, &no, &err), -EINVAL, "case %zu", i);
        cr_expect_not_null(strstr(err.text, cases[i].want), "case %zu: %s", i, err.text);
        free(bad);
    }
    free(bytes);
    mlp_free(m);
}

Test(mlp, widths_that_are_no_network_are_refused)
{
    static const struct {
        int64_t widths[3];
        size_t n;
    } cases[] = {
        {{5}, 1}, {{5, 0, 2}, 3}, {{5, -3, 2}, 3}, {{5, 3, 1}, 3}, {{5, 1 << 25, 2}, 3}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mlp_shape shape;
        cr_expect_eq(mlp_shape_make(cases[i].widths, cases[i].n, ACT_RELU, &shape, NULL),
                     -EINVAL);
    }
}
