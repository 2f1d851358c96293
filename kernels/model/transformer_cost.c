/* Work by the shape alone. A product of m, n, k is 2 m n k; backward has two for each
 * forward. Attention counts the pairs that the mask leaves. What is added up on the way
 * (norms, activations, softmax) is below a hundredth and not counted. */
#include "transformer.h"

/* Weights that a token is multiplied with, the classifier's among them. */
static double multiplied(const struct weights_config *c)
{
    double dim = (double)c->dim, q = (double)(c->heads * c->head_dim),
           kv = (double)(c->kv_heads * c->head_dim), hidden = (double)c->hidden;
    double up = c->arch == WEIGHTS_GPT2 ? hidden : 2 * hidden;
    return (double)c->layers * dim * (2 * q + 2 * kv + up + hidden) +
           dim * (double)c->vocab;
}

static double params_of(const struct weights_config *c)
{
    double dim = (double)c->dim;
    double places = c->arch == WEIGHTS_GPT2 ? (double)c->context * dim : 0;
    return multiplied(c) + places + (c->tied ? 0 : (double)c->vocab * dim);
}

/* What a token leaves for backward, in floats: the inputs of products and norms. */
static double saved_of(const struct weights_config *c)
{
    double dim = (double)c->dim, q = (double)(c->heads * c->head_dim),
           kv = (double)(c->kv_heads * c->head_dim), hidden = (double)c->hidden;
    double z = c->arch == WEIGHTS_GPT2 ? hidden : 2 * hidden;
    return (double)c->layers * (4 * dim + 2 * q + 2 * kv + z + hidden) + 2 * dim;
}

/* Flops of attention forward for `pairs` of a query and a key. */
static double attention_of(const struct weights_config *c, double pairs)
{
    return 4 * pairs * (double)c->layers * (double)(c->heads * c->head_dim);
}

struct transformer_cost
transformer_cost_train(const struct weights_config *c, size_t sequences, size_t tokens)
{
    double rows = (double)sequences * (double)tokens;
    double pairs = rows * ((double)tokens + 1) / 2;
    return (struct transformer_cost){
        .flops = 3 * (2 * rows * multiplied(c) + attention_of(c, pairs)),
        /* weights read forward and backward, gradients written; what is saved is written
         * and read */
        .bytes = 4 * (3 * params_of(c) + 2 * rows * saved_of(c))};
}

struct transformer_cost
transformer_cost_next(const struct weights_config *c, size_t sequences, size_t past)
{
    double n = (double)sequences, keys = (double)past + 1;
    double kv = 2 * (double)(c->kv_heads * c->head_dim) * (double)c->layers;
    return (struct transformer_cost){
        .flops = n * (2 * multiplied(c) + attention_of(c, keys)),
        .bytes = 4 * (multiplied(c) + n * (kv * keys + (double)c->dim))};
}
