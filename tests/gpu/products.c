/* Memory and products. Each product is computed twice, into poison: the second time must
 * give the same bits. */
#include "trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const enum device_math modes[] = {DEVICE_F32, DEVICE_TF32, DEVICE_BF16};
static const char *const mode_names[] = {"f32", "tf32", "bf16"};
/* NMSE of sums of k products of operands rounded to 24, 11 and 8 bits. */
static const double mode_bounds[] = {1e-11, 4e-6, 4e-5};

static const size_t shapes[][3] = {{1, 1, 1},
                                   {7, 5, 3},
                                   {1, 1000, 7},
                                   {1000, 1, 65},
                                   {64, 64, 64},
                                   {33, 17, 1000},
                                   {130, 257, 0},
                                   {127, 65, 511}};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

void check_memory(struct trial *t)
{
    struct device *d = t->d;
    struct gm_error err = {0};
    size_t n = 100003;
    float *x = trial_numbers(t, n, 1);
    float *a = trial_floats(t, n, x), *b = trial_floats(t, n, NULL);
    d->op->copy(d, b, a, n * sizeof(*x));
    d->op->zero(d, a, (n - 1) * sizeof(*x));
    d->op->put(d, a, x + 7, 0);
    trial_same(t, "a copy", trial_back(t, b), x, n * sizeof(*x));
    float *zeros = trial_room(t, n * sizeof(*zeros));
    zeros[n - 1] = x[n - 1];
    trial_same(t, "zeros", trial_back(t, a), zeros, n * sizeof(*x));
    void *at = NULL;
    t->cases++;
    if (d->op->alloc(d, (size_t)1 << 60, &at, &err) != -ENOMEM || at != NULL)
        trial_fail(t, "an exabyte was not refused with ENOMEM");
    void *fresh = NULL;
    if (d->op->alloc(d, n * sizeof(*x), &fresh, &err) != 0) {
        trial_fail(t, "after a refusal: %s", err.text);
        return;
    }
    memset(zeros, 0, n * sizeof(*x));
    float *back = trial_room(t, n * sizeof(*x));
    d->op->get(d, back, fresh, n * sizeof(*x));
    trial_same(t, "new memory", back, zeros, n * sizeof(*x));
    d->op->release(d, fresh);
    d->op->release(d, NULL);
    trial_clean(t);
}

/* Operands of g as they are stored. */
static size_t a_size(const struct gemm_shape *g)
{
    bool turned = g->form == GEMM_TN;
    size_t cols = turned ? g->m : g->k;
    return (turned ? g->k : g->m) * (g->lda == 0 ? cols : g->lda);
}

static size_t b_size(const struct gemm_shape *g)
{
    bool turned = g->form == GEMM_NT;
    size_t cols = turned ? g->k : g->n;
    return (turned ? g->n : g->k) * (g->ldb == 0 ? cols : g->ldb);
}

/* Element (i, j) of op(A) op(B), in double. */
static double
element(const struct gemm_shape *g, const float *a, const float *b, size_t i, size_t j)
{
    bool a_turned = g->form == GEMM_TN, b_turned = g->form == GEMM_NT;
    size_t lda = g->lda == 0 ? (a_turned ? g->m : g->k) : g->lda;
    size_t ldb = g->ldb == 0 ? (b_turned ? g->k : g->n) : g->ldb;
    double sum = 0;
    for (size_t p = 0; p < g->k; p++)
        sum += (double)a[a_turned ? p * lda + i : i * lda + p] *
               (double)b[b_turned ? j * ldb + p : p * ldb + j];
    return sum;
}

/* What C must be; what lies between its rows, and was never to be touched, is `before`.
 */
static void expect(const struct gemm_shape *g,
                   const float *a,
                   const float *b,
                   const float *before,
                   double *want)
{
    size_t ldc = g->ldc == 0 ? g->n : g->ldc;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++)
            want[i * ldc + j] =
                element(g, a, b, i, j) + (g->add ? (double)before[i * ldc + j] : 0);
    }
}

/* Rows of C against `want`, and the gaps against what was there. */
static void compare(struct trial *t,
                    const char *what,
                    const struct gemm_shape *g,
                    const float *got,
                    const double *want,
                    const float *before,
                    double most)
{
    size_t ldc = g->ldc == 0 ? g->n : g->ldc;
    double off = 0, size = 0;
    bool gaps = true;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < ldc; j++) {
            double d = (double)got[i * ldc + j] - want[i * ldc + j];
            if (j < g->n) {
                off += d * d;
                size += want[i * ldc + j] * want[i * ldc + j];
            } else {
                gaps = gaps && memcmp(&got[i * ldc + j], &before[i * ldc + j], 4) == 0;
            }
        }
    }
    double error = size > 0 ? off / size : off;
    t->cases++;
    if (!(error <= most))
        trial_fail(t, "%s: its error is %g, and may be %g", what, error, most);
    if (!gaps)
        trial_fail(t, "%s: wrote between the rows of C", what);
}

static const char *tell(struct trial *t, const struct gemm_shape *g, unsigned mode)
{
    static const char *const forms[] = {"NN", "NT", "TN"};
    char *text = trial_room(t, 160);
    (void)snprintf(text,
                   160,
                   "%s %s %zu x %zu x %zu%s%s",
                   mode_names[mode],
                   forms[g->form],
                   g->m,
                   g->n,
                   g->k,
                   g->ldc > 0 ? " by strides" : "",
                   g->add ? ", added" : "");
    return text;
}

/* One shape in one mode; b16: B is bfloat16, and `b` the floats that it stands for. */
static void one_product(struct trial *t,
                        const struct gemm_shape *g,
                        unsigned mode,
                        const float *a,
                        const float *b,
                        const uint16_t *b16)
{
    struct device *d = t->d;
    size_t ldc = g->ldc == 0 ? g->n : g->ldc, n = g->m * ldc;
    float *before = trial_numbers(t, n, 1);
    double *want = trial_room(t, n * sizeof(*want));
    for (size_t i = 0; i < n; i++) {
        if (!g->add)
            before[i] = (float)NAN;
    }
    expect(g, a, b, before, want);
    const float *on_a = trial_floats(t, a_size(g), a), *on_b = NULL;
    const uint16_t *on_b16 = NULL;
    if (b16 != NULL)
        on_b16 = trial_array(t, b_size(g) * sizeof(*b16), b16);
    else
        on_b = trial_floats(t, b_size(g), b);
    float *out[2];
    d->math = modes[mode];
    for (unsigned turn = 0; turn < 2; turn++) {
        out[turn] = trial_floats(t, n, before);
        if (b16 != NULL)
            d->op->gemm_bf16(d, g, on_a, on_b16, out[turn]);
        else
            d->op->gemm(d, g, on_a, on_b, out[turn]);
    }
    d->math = DEVICE_F32;
    const float *first = trial_back(t, out[0]), *second = trial_back(t, out[1]);
    const char *what = tell(t, g, mode);
    compare(t, what, g, first, want, before, mode_bounds[mode]);
    trial_same(t, "the same product again", second, first, n * sizeof(*first));
    trial_clean(t);
}

static struct gemm_shape shape_of(size_t s, unsigned form, bool strides, bool add)
{
    size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
    struct gemm_shape g = {.form = form, .m = m, .n = n, .k = k, .add = add};
    if (strides) {
        g.lda = (form == GEMM_TN ? m : k) + 3;
        g.ldb = (form == GEMM_NT ? k : n) + 5;
        g.ldc = n + 2;
    }
    return g;
}

void check_gemm(struct trial *t)
{
    for (unsigned mode = 0; mode < 3; mode++) {
        for (unsigned c = 0; c < SHAPES * 3 * 4; c++) {
            bool strides = (c & 2) != 0, add = (c & 1) != 0;
            if (mode > 0 && strides != add)
                continue; /* the way through memory is the same */
            struct gemm_shape g = shape_of(c / 12, c / 4 % 3, strides, add);
            float *a = trial_numbers(t, a_size(&g), 1),
                  *b = trial_numbers(t, b_size(&g), 1);
            one_product(t, &g, mode, a, b, NULL);
        }
    }
}

void check_gemm_bf16(struct trial *t)
{
    for (unsigned mode = 0; mode < 3; mode++) {
        for (unsigned c = 0; c < SHAPES * 3 * 2; c++) {
            struct gemm_shape g = shape_of(c / 6, c / 2 % 3, (c & 1) != 0, (c & 1) != 0);
            size_t nb = b_size(&g);
            float *a = trial_numbers(t, a_size(&g), 1), *b = trial_numbers(t, nb, 1);
            uint16_t *b16 = trial_room(t, nb * sizeof(*b16));
            gemm_to_bf16(nb, b, b16);
            gemm_from_bf16(nb, b16, b);
            one_product(t, &g, mode, a, b, b16);
        }
    }
}

/* Heads of a packed array: the items of A lie side by side in its rows. */
static void one_batch(struct trial *t, unsigned mode, size_t count, bool shared)
{
    struct device *d = t->d;
    const struct gemm_shape g = {
        .form = GEMM_NT, .m = 33, .n = 17, .k = 24, .lda = 24 * count + 1, .ldc = 20};
    const struct gemm_batch batch = {.count = count,
                                     .a_step = 24,
                                     .b_step = shared ? 0 : 17 * 24 + 3,
                                     .c_step = 33 * 20 + 7};
    size_t na = 33 * g.lda, nb = 17 * 24 + batch.b_step * (count - 1),
           nc = batch.c_step * count;
    float *a = trial_numbers(t, na, 1), *b = trial_numbers(t, nb, 1);
    float *before = trial_room(t, nc * sizeof(*before));
    double *want = trial_room(t, nc * sizeof(*want));
    for (size_t i = 0; i < nc; i++)
        before[i] = (float)NAN;
    for (size_t i = 0; i < count; i++)
        expect(&g, a + i * 24, b + i * batch.b_step, before, want + i * batch.c_step);
    float *on_a = trial_floats(t, na, a), *on_b = trial_floats(t, nb, b),
          *on_c = trial_floats(t, nc, before);
    d->math = modes[mode];
    d->op->gemm_batch(d, &g, &batch, on_a, on_b, on_c);
    d->math = DEVICE_F32;
    const float *got = trial_back(t, on_c);
    const char *what = tell(t, &g, mode);
    for (size_t i = 0; i < count; i++)
        compare(t,
                what,
                &g,
                got + i * batch.c_step,
                want + i * batch.c_step,
                before,
                mode_bounds[mode]);
    trial_clean(t);
}

void check_gemm_batch(struct trial *t)
{
    for (unsigned mode = 0; mode < 3; mode++) {
        one_batch(t, mode, 1, false);
        one_batch(t, mode, 5, false);
        one_batch(t, mode, 12, true);
    }
}

void check_to_bf16(struct trial *t)
{
    /* ties both ways, the least and the largest numbers, infinities, NaNs */
    static const uint32_t special[] = {0,
                                       0x80000000U,
                                       1,
                                       0x00007fffU,
                                       0x00008000U,
                                       0x3f808000U,
                                       0x3f818000U,
                                       0x3f808001U,
                                       0x7f7fffffU,
                                       0xff7fffffU,
                                       0x7f800000U,
                                       0xff800000U,
                                       0x7f800001U,
                                       0x7fc00000U,
                                       0xffffffffU};
    enum { N_SPECIAL = sizeof(special) / sizeof(special[0]) };
    static const size_t sizes[] = {1, 7, 64, 65, 1000, 1000003};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        size_t n = sizes[s] + N_SPECIAL;
        float *v = trial_numbers(t, n, 1e3F);
        memcpy(v, special, sizeof(special));
        uint16_t *want = trial_room(t, n * sizeof(*want));
        gemm_to_bf16(n, v, want);
        float *on_v = trial_floats(t, n, v);
        uint16_t *out = trial_array(t, n * sizeof(*out), NULL);
        t->d->op->to_bf16(t->d, n, on_v, out);
        trial_same(t, "the cpu's bits", trial_back(t, out), want, n * sizeof(*want));
        trial_clean(t);
    }
}
