/* The transformer against float64: a plain forward, token by token and written from the
 * papers, that reads weights by Hugging Face's names; and for every single parameter the
 * difference quotient of its loss. */
#include "kernels/op/dropout.h"
#include "transformer_task.h"
#include <math.h>
#include <string.h>

enum { SEQUENCES = 2, TOKENS = 5, ROWS = SEQUENCES * TOKENS, WIDEST = 64 };

struct truth {
    unsigned char *bytes;
    const struct weights *w;
    struct weights_config c;
    double *all;   /* every tensor's elements, in order */
    size_t *first; /* of a tensor */
    size_t n;
    const struct transformer_dropout *dropout; /* NULL: none */
};

static const double *tensor(const struct truth *r, const char *name)
{
    const struct weights_tensor *t = weights_find(r->w, name);
    cr_assert_not_null(t, "%s", name);
    return r->all + r->first[t - r->w->tensors];
}

static const double *gpt2(const struct truth *r, size_t l, const char *name)
{
    char full[96];
    (void)snprintf(full, sizeof(full), "h.%zu.%s", l, name);
    return tensor(r, full);
}

/* y[out] = W x + b, W [in][out] or, turned, [out][in]. */
static void apply(const double *w,
                  const double *b,
                  bool turned,
                  size_t in,
                  size_t out,
                  const double *x,
                  double *y)
{
    for (size_t o = 0; o < out; o++) {
        y[o] = b == NULL ? 0 : b[o];
        for (size_t i = 0; i < in; i++)
            y[o] += x[i] * (turned ? w[o * in + i] : w[i * out + o]);
    }
}

static void norm(const struct truth *r,
                 const double *gain,
                 const double *bias,
                 const double *x,
                 double *y)
{
    size_t n = r->c.dim;
    double mean = 0, square = 0;
    for (size_t i = 0; i < n && bias != NULL; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(square + r->c.norm_eps) * gain[i] +
               (bias == NULL ? 0 : bias[i]);
}

static void rotate(const struct truth *r, size_t heads, size_t position, double *x)
{
    size_t half = r->c.head_dim / 2;
    for (size_t h = 0; h < heads; h++, x += 2 * half) {
        for (size_t i = 0; i < half; i++) {
            double angle =
                (double)position * pow(r->c.rope_theta, -(double)i / (double)half);
            double *u = r->c.rope_pairs ? x + 2 * i : x + i;
            double *v = r->c.rope_pairs ? u + 1 : u + half;
            double turned = *u * cos(angle) - *v * sin(angle);
            *v = *u * sin(angle) + *v * cos(angle);
            *u = turned;
        }
    }
}

static double gelu(const struct truth *r, double x)
{
    return r->c.gelu_erf
               ? 0.5 * x * (1 + erf(x / sqrt(2)))
               : 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/* Site 0: after the embedding; 1 and on: the branches. Element numbers go over the whole
 * batch, so one token's are dropped by themselves. */
static void
drop(const struct truth *r, size_t site, size_t sequence, size_t token, double *x)
{
    if (r->dropout == NULL)
        return;
    const struct dropout d = {.seed = r->dropout->seed,
                              .stream = ((uint64_t)site + 1) << 40 | r->dropout->step,
                              .p = r->dropout->p};
    uint64_t row = (r->dropout->first_sequence + sequence) * TOKENS + token;
    dropout_ref_apply(&d, row * r->c.dim, r->c.dim, x, x);
}

/* One layer's keys and values of a sequence, as they come. */
struct past {
    double k[TOKENS][WIDEST], v[TOKENS][WIDEST];
};

static void attention(const struct truth *r,
                      const struct past *past,
                      size_t position,
                      const double *q,
                      double *o)
{
    size_t size = r->c.head_dim, group = r->c.heads / r->c.kv_heads;
    for (size_t h = 0; h < r->c.heads; h++) {
        size_t at = h / group * size;
        double p[TOKENS], sum = 0;
        for (size_t j = 0; j <= position; j++) {
            p[j] = 0;
            for (size_t e = 0; e < size; e++)
                p[j] += q[h * size + e] * past->k[j][at + e];
            p[j] = exp(p[j] / sqrt((double)size));
            sum += p[j];
        }
        for (size_t e = 0; e < size; e++) {
            o[h * size + e] = 0;
            for (size_t j = 0; j <= position; j++)
                o[h * size + e] += p[j] / sum * past->v[j][at + e];
        }
    }
}

static void gpt2_layer(
    const struct truth *r, size_t l, size_t seq, size_t t, struct past *past, double *x)
{
    size_t dim = r->c.dim, hidden = r->c.hidden;
    double y[WIDEST], qkv[3 * WIDEST], o[WIDEST];
    norm(r, gpt2(r, l, "ln_1.weight"), gpt2(r, l, "ln_1.bias"), x, y);
    apply(gpt2(r, l, "attn.c_attn.weight"),
          gpt2(r, l, "attn.c_attn.bias"),
          false,
          dim,
          3 * dim,
          y,
          qkv);
    memcpy(past->k[t], qkv + dim, dim * sizeof(*qkv));
    memcpy(past->v[t], qkv + 2 * dim, dim * sizeof(*qkv));
    attention(r, past, t, qkv, o);
    apply(gpt2(r, l, "attn.c_proj.weight"),
          gpt2(r, l, "attn.c_proj.bias"),
          false,
          dim,
          dim,
          o,
          y);
    drop(r, 2 * l + 1, seq, t, y);
    for (size_t i = 0; i < dim; i++)
        x[i] += y[i];
    norm(r, gpt2(r, l, "ln_2.weight"), gpt2(r, l, "ln_2.bias"), x, y);
    apply(gpt2(r, l, "mlp.c_fc.weight"),
          gpt2(r, l, "mlp.c_fc.bias"),
          false,
          dim,
          hidden,
          y,
          o);
    for (size_t i = 0; i < hidden; i++)
        o[i] = gelu(r, o[i]);
    apply(gpt2(r, l, "mlp.c_proj.weight"),
          gpt2(r, l, "mlp.c_proj.bias"),
          false,
          hidden,
          dim,
          o,
          y);
    drop(r, 2 * l + 2, seq, t, y);
    for (size_t i = 0; i < dim; i++)
        x[i] += y[i];
}

static const double *llama(const struct truth *r, size_t l, const char *name)
{
    char full[96];
    (void)snprintf(full, sizeof(full), "model.layers.%zu.%s.weight", l, name);
    return tensor(r, full);
}

static void
llama_layer(const struct truth *r, size_t l, size_t t, struct past *past, double *x)
{
    size_t dim = r->c.dim, hidden = r->c.hidden, size = r->c.head_dim,
           wide = r->c.heads * size, kv = r->c.kv_heads * size;
    double y[WIDEST], q[WIDEST], o[WIDEST], gate[WIDEST], up[WIDEST];
    norm(r, llama(r, l, "input_layernorm"), NULL, x, y);
    apply(llama(r, l, "self_attn.q_proj"), NULL, true, dim, wide, y, q);
    apply(llama(r, l, "self_attn.k_proj"), NULL, true, dim, kv, y, past->k[t]);
    apply(llama(r, l, "self_attn.v_proj"), NULL, true, dim, kv, y, past->v[t]);
    rotate(r, r->c.heads, t, q);
    rotate(r, r->c.kv_heads, t, past->k[t]);
    attention(r, past, t, q, o);
    apply(llama(r, l, "self_attn.o_proj"), NULL, true, wide, dim, o, y);
    for (size_t i = 0; i < dim; i++)
        x[i] += y[i];
    norm(r, llama(r, l, "post_attention_layernorm"), NULL, x, y);
    apply(llama(r, l, "mlp.gate_proj"), NULL, true, dim, hidden, y, gate);
    apply(llama(r, l, "mlp.up_proj"), NULL, true, dim, hidden, y, up);
    for (size_t i = 0; i < hidden; i++)
        up[i] *= gate[i] / (1 + exp(-gate[i]));
    apply(llama(r, l, "mlp.down_proj"), NULL, true, hidden, dim, up, y);
    for (size_t i = 0; i < dim; i++)
        x[i] += y[i];
}

static double
token_loss(const struct truth *r, const double *x, int32_t label, double *ret_logits)
{
    bool places = r->c.arch == WEIGHTS_GPT2;
    double y[WIDEST], sum = 0;
    const char *table = places ? "wte.weight" : "model.embed_tokens.weight";
    norm(r,
         tensor(r, places ? "ln_f.weight" : "model.norm.weight"),
         places ? tensor(r, "ln_f.bias") : NULL,
         x,
         y);
    apply(tensor(r, r->c.tied ? table : "lm_head.weight"),
          NULL,
          true,
          r->c.dim,
          r->c.vocab,
          y,
          ret_logits);
    for (size_t i = 0; i < r->c.vocab; i++)
        sum += exp(ret_logits[i]);
    return label < 0 ? 0 : log(sum) - ret_logits[label];
}

/* The summed loss of a batch; each token's into losses. */
static double truth_loss(const struct truth *r,
                         const int32_t *ids,
                         const int32_t *labels,
                         double *losses)
{
    static struct past past[4];
    bool places = r->c.arch == WEIGHTS_GPT2;
    double all = 0;
    for (size_t row = 0; row < ROWS; row++) {
        size_t seq = row / TOKENS, t = row % TOKENS, dim = r->c.dim;
        double x[WIDEST], logits[WIDEST];
        const double *table =
            tensor(r, places ? "wte.weight" : "model.embed_tokens.weight");
        memcpy(x, table + (size_t)ids[row] * dim, dim * sizeof(*x));
        for (size_t i = 0; i < dim && places; i++)
            x[i] += tensor(r, "wpe.weight")[t * dim + i];
        drop(r, 0, seq, t, x);
        for (size_t l = 0; l < r->c.layers; l++) {
            if (places)
                gpt2_layer(r, l, seq, t, &past[l], x);
            else
                llama_layer(r, l, t, &past[l], x);
        }
        losses[row] = token_loss(r, x, labels[row], logits);
        all += losses[row];
    }
    return all;
}

/* The tensors of flat parameters, by Hugging Face's names and layouts; they lie in
 * *ret_bytes. */
static struct weights *
named(const struct transformer *t, const float *flat, unsigned char **ret_bytes)
{
    struct transformer other = *t;
    size_t len = 0;
    struct weights *w = NULL;
    struct gm_error err;
    other.params = (float *)flat;
    cr_assert_eq(transformer_format(&other, ret_bytes, &len, &err), 0, "%s", err.text);
    cr_assert_eq(weights_parse("t", *ret_bytes, len, &w, &err), 0, "%s", err.text);
    return w;
}

static struct truth truth_of(const struct transformer *t)
{
    struct truth r = {.c = t->config};
    r.w = named(t, t->params, &r.bytes);
    r.first = calloc(r.w->n_tensors, sizeof(*r.first));
    r.all = op_doubles(t->n_params);
    for (size_t i = 0; i < r.w->n_tensors; i++) {
        const float *from = r.w->tensors[i].data;
        r.first[i] = r.n;
        for (size_t j = 0; j < r.w->tensors[i].nbytes / sizeof(float); j++)
            r.all[r.n++] = (double)from[j];
    }
    cr_assert_eq(r.n, t->n_params, "every parameter is in a tensor");
    return r;
}

static void truth_free(struct truth *r)
{
    weights_free((struct weights *)r->w);
    free(r->bytes);
    free(r->first);
    free(r->all);
}

/* Each parameter of each tensor by its difference quotient. */
static void check_gradient(struct truth *r,
                           const struct transformer *t,
                           const int32_t *ids,
                           const int32_t *labels,
                           const float *grad,
                           double scale)
{
    AUTO_FREE(unsigned char) bytes = NULL;
    AUTO(weights) mine = named(t, grad, &bytes);
    double losses[ROWS];
    for (size_t i = 0; i < r->w->n_tensors; i++) {
        size_t n = r->w->tensors[i].nbytes / sizeof(float);
        OP_DOUBLES want = op_doubles(n);
        for (size_t j = 0; j < n; j++) {
            double *at = r->all + r->first[i] + j, was = *at, h = 2e-5;
            *at = was + h;
            double above = truth_loss(r, ids, labels, losses);
            *at = was - h;
            want[j] = scale * (above - truth_loss(r, ids, labels, losses)) / (2 * h);
            *at = was;
        }
        double off = op_nmse(mine->tensors[i].data, want, n);
        cr_expect_lt(off, 1e-10, "%s: %g", r->w->tensors[i].name, off);
    }
}

static void check_net(const struct weights_config *c,
                      const struct transformer_dropout *dropout)
{
    AUTO(device) d = task_device();
    AUTO(transformer) t = task_net(c, d);
    AUTO(transformer_work) w = task_work(t, SEQUENCES, TOKENS, true);
    struct truth r = truth_of(t);
    OP_FLOATS grad = op_poisoned(t->n_params);
    int32_t ids[ROWS], labels[ROWS];
    float losses[ROWS];
    double want[ROWS];
    struct xent_tokens score;
    struct gm_error err;
    task_tokens(t, ROWS, ids, labels);
    cr_assert_eq(
        transformer_loss(t, w, SEQUENCES, TOKENS, ids, labels, losses, &score, &err), 0);
    double all = truth_loss(&r, ids, labels, want);
    cr_expect_lt(op_nmse(losses, want, ROWS), 1e-12);
    cr_expect_float_eq(score.loss, all, 1e-5 * all);
    r.dropout = dropout;
    cr_assert_eq(
        transformer_gradient(
            t, w, SEQUENCES, TOKENS, ids, labels, 0.7F, dropout, grad, &score, &err),
        0);
    all = truth_loss(&r, ids, labels, want);
    cr_expect_float_eq(score.loss, all, 1e-5 * all);
    check_gradient(&r, t, ids, labels, grad, (double)0.7F);
    truth_free(&r);
}

Test(transformer_ref, gpt2_has_the_losses_and_every_gradient_of_float64)
{
    check_net(&task_nets[0], NULL);
    check_net(&task_nets[1], NULL);
}

Test(transformer_ref, llama_has_the_losses_and_every_gradient_of_float64)
{
    check_net(&task_nets[2], NULL);
    check_net(&task_nets[3], NULL);
}

Test(transformer_ref, dropout_drops_after_the_embedding_and_at_the_end_of_each_branch)
{
    const struct transformer_dropout o = {
        .p = 0.25F, .seed = 8, .step = 21, .first_sequence = 3};
    check_net(&task_nets[0], &o);
}
