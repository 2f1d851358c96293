/* The shape of a network as Hugging Face's config.json has it. Of the keys of a model's
 * config only those that a GPT-2 or a Llama is computed by are looked at; one that would
 * make it another network than ours (another activation, scaled rotary) is refused. */
#include "weights.h"

#include "base/arena.h"
#include "base/json.h"
#include "kernels/io/json_scan.h"
#include <math.h>
#include <string.h>

#define COUNT_MAX ((size_t)1 << 20) /* three of them multiply without overflow */

enum key_type { NUMBER, FLAG, WORD, ANYTHING, INSIDE };

struct config_text {
    double dim, hidden, layers, heads, kv_heads, head_dim, vocab, context, rope_theta,
        norm_eps;
    double tied, rope_pairs, attention_bias, mlp_bias, scale_by_layer;
    const char *model_type, *activation, *rope_type;
    bool rope_scaled;
};

#define AT(member) offsetof(struct config_text, member)

static const struct {
    const char *key;
    enum key_type type;
    size_t at;
} keys[] = {{"n_embd", NUMBER, AT(dim)},
            {"hidden_size", NUMBER, AT(dim)},
            {"n_inner", NUMBER, AT(hidden)},
            {"intermediate_size", NUMBER, AT(hidden)},
            {"n_layer", NUMBER, AT(layers)},
            {"num_hidden_layers", NUMBER, AT(layers)},
            {"n_head", NUMBER, AT(heads)},
            {"num_attention_heads", NUMBER, AT(heads)},
            {"num_key_value_heads", NUMBER, AT(kv_heads)},
            {"head_dim", NUMBER, AT(head_dim)},
            {"vocab_size", NUMBER, AT(vocab)},
            {"n_positions", NUMBER, AT(context)},
            {"max_position_embeddings", NUMBER, AT(context)},
            {"rope_theta", NUMBER, AT(rope_theta)},
            {"layer_norm_epsilon", NUMBER, AT(norm_eps)},
            {"rms_norm_eps", NUMBER, AT(norm_eps)},
            {"tie_word_embeddings", FLAG, AT(tied)},
            {"rope_pairs", FLAG, AT(rope_pairs)},
            {"attention_bias", FLAG, AT(attention_bias)},
            {"mlp_bias", FLAG, AT(mlp_bias)},
            {"scale_attn_by_inverse_layer_idx", FLAG, AT(scale_by_layer)},
            {"rope_scaling", ANYTHING, AT(rope_scaled)},
            {"rope_parameters", INSIDE, 0},
            {"rope_type", WORD, AT(rope_type)},
            {"model_type", WORD, AT(model_type)},
            {"activation_function", WORD, AT(activation)},
            {"hidden_act", WORD, AT(activation)}};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static bool
read_members(struct json_scan *s, struct arena *a, bool inside, struct config_text *ret);

/* One value into its member; null leaves it. */
static bool
read_value(struct json_scan *s, struct arena *a, size_t k, struct config_text *ret)
{
    char *at = (char *)ret + keys[k].at;
    double v = 0;
    bool flag = false;
    if (json_scan_word(s, "null"))
        return true;
    switch (keys[k].type) {
    case WORD:
        return json_scan_string(s, a, (const char **)(void *)at);
    case FLAG:
        flag = json_scan_word(s, "true");
        v = flag ? 1 : 0;
        memcpy(at, &v, sizeof(v));
        return flag || json_scan_word(s, "false");
    case INSIDE:
        return read_members(s, a, true, ret);
    case ANYTHING:
        *(bool *)at = true;
        return json_scan_skip(s);
    default:
        if (!json_scan_double(s, &v))
            return false;
        memcpy(at, &v, sizeof(v));
        return true;
    }
}

/* An object's known members, those of rope_parameters with them. */
static bool
read_members(struct json_scan *s, struct arena *a, bool inside, struct config_text *ret)
{
    if (!json_scan_take(s, '{'))
        return false;
    if (json_scan_take(s, '}'))
        return true;
    do {
        const char *key;
        size_t k = 0;
        if (!json_scan_string(s, a, &key) || !json_scan_take(s, ':'))
            return false;
        while (k < N_KEYS && strcmp(keys[k].key, key) != 0)
            k++;
        bool known = k < N_KEYS && !(inside && keys[k].type == INSIDE);
        if (!(known ? read_value(s, a, k, ret) : json_scan_skip(s)))
            return false;
    } while (json_scan_take(s, ','));
    return json_scan_take(s, '}');
}

/* A count of the file; one that is no whole number in range becomes 0, which the check of
 * the config refuses by name. */
static size_t count(double v)
{
    return v >= 1 && v <= (double)COUNT_MAX && floor(v) == v ? (size_t)v : 0;
}

static bool known_activation(enum weights_arch arch, const char *word)
{
    static const char *const gelus[] = {"gelu_new", "gelu_pytorch_tanh", "gelu"};
    if (arch == WEIGHTS_LLAMA)
        return strcmp(word, "silu") == 0;
    for (size_t i = 0; i < sizeof(gelus) / sizeof(gelus[0]); i++) {
        if (strcmp(word, gelus[i]) == 0)
            return true;
    }
    return false;
}

/* What of the text would make it another network than ours; NULL: nothing. */
static const char *beyond(const struct config_text *t)
{
    if (t->rope_scaled || (t->rope_type != NULL && strcmp(t->rope_type, "default") != 0))
        return "scaled rotary";
    if (t->scale_by_layer > 0)
        return "scale_attn_by_inverse_layer_idx";
    if (t->attention_bias > 0)
        return "attention_bias";
    return t->mlp_bias > 0 ? "mlp_bias" : NULL;
}

static int settle_arch(const char *origin,
                       const struct config_text *t,
                       struct weights_config *c,
                       struct gm_error *err)
{
    const char *type = t->model_type == NULL ? "not said" : t->model_type,
               *other = beyond(t);
    bool gpt2 = strcmp(type, "gpt2") == 0;
    if (!gpt2 && strcmp(type, "llama") != 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: model_type is %.32s; gpt2 and llama are known",
                       origin,
                       type);
    c->arch = gpt2 ? WEIGHTS_GPT2 : WEIGHTS_LLAMA;
    if (t->activation != NULL && !known_activation(c->arch, t->activation))
        return gm_fail(err,
                       -EINVAL,
                       "%s: the activation '%.32s' is none that a %s here has",
                       origin,
                       t->activation,
                       type);
    if (other != NULL)
        return gm_fail(err, -ENOTSUP, "%s: %s is not supported", origin, other);
    c->gelu_erf = t->activation != NULL && strcmp(t->activation, "gelu") == 0;
    return 0;
}

int weights_config_check(const char *origin,
                         const struct weights_config *c,
                         struct gm_error *err)
{
    const struct {
        const char *what;
        size_t v;
    } counts[] = {{"width", c->dim},
                  {"hidden width", c->hidden},
                  {"number of layers", c->layers},
                  {"number of heads", c->heads},
                  {"number of key and value heads", c->kv_heads},
                  {"width of a head", c->head_dim},
                  {"vocabulary", c->vocab},
                  {"context length", c->context}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (counts[i].v == 0 || counts[i].v > COUNT_MAX)
            return gm_fail(err,
                           -EINVAL,
                           "%s: the %s must be a whole number from 1 to %zu",
                           origin,
                           counts[i].what,
                           COUNT_MAX);
    }
    if (c->heads % c->kv_heads != 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: %zu heads cannot share %zu key and value heads evenly",
                       origin,
                       c->heads,
                       c->kv_heads);
    if (c->dim % c->heads != 0 || (c->arch == WEIGHTS_LLAMA && c->head_dim % 2 != 0))
        return gm_fail(err,
                       -EINVAL,
                       "%s: a width of %zu cannot be cut into %zu heads%s",
                       origin,
                       c->dim,
                       c->heads,
                       c->arch == WEIGHTS_LLAMA ? " of an even width" : "");
    if (!(c->norm_eps >= 0 && c->norm_eps < 1) ||
        !(c->rope_theta > 0 && isfinite(c->rope_theta)))
        return gm_fail(err,
                       -EINVAL,
                       "%s: the epsilon of the norms or rope_theta is out of range",
                       origin);
    return 0;
}

int weights_config_parse(const char *origin,
                         const char *text,
                         size_t len,
                         struct weights_config *ret,
                         struct gm_error *err)
{
    AUTO(arena) a = arena_make();
    struct json_scan s = {.text = text, .len = len};
    struct config_text t = {.norm_eps = NAN, .rope_theta = 10000, .tied = NAN};
    if (!read_members(&s, a, false, &t) || !json_scan_over(&s))
        return gm_fail(err,
                       -EINVAL,
                       "%s: the model's config is not the JSON it should be at byte %zu",
                       origin,
                       s.at);
    struct weights_config c = {0};
    int rc = settle_arch(origin, &t, &c, err);
    if (rc != 0)
        return rc;
    bool gpt2 = c.arch == WEIGHTS_GPT2;
    c.dim = count(t.dim);
    c.hidden = count(t.hidden > 0 || !gpt2 ? t.hidden : 4 * t.dim);
    c.layers = count(t.layers);
    c.heads = count(t.heads);
    c.kv_heads = count(t.kv_heads > 0 && !gpt2 ? t.kv_heads : t.heads);
    c.head_dim = t.head_dim > 0 ? count(t.head_dim) : c.heads > 0 ? c.dim / c.heads : 0;
    c.vocab = count(t.vocab);
    c.context = count(t.context);
    c.tied = isnan(t.tied) ? gpt2 : t.tied > 0;
    c.rope_pairs = t.rope_pairs > 0;
    c.rope_theta = t.rope_theta;
    c.norm_eps = isnan(t.norm_eps) ? (gpt2 ? 1e-5 : 1e-6) : t.norm_eps;
    rc = weights_config_check(origin, &c, err);
    if (rc == 0)
        *ret = c;
    return rc;
}

void weights_config_format(const struct weights_config *c, struct str *ret)
{
    AUTO_JSON j = {0};
    bool gpt2 = c->arch == WEIGHTS_GPT2;
    json_begin(&j, '{');
    json_put_string(&j, "model_type", gpt2 ? "gpt2" : "llama");
    json_put_int(&j, gpt2 ? "n_embd" : "hidden_size", (int64_t)c->dim);
    json_put_int(&j, gpt2 ? "n_inner" : "intermediate_size", (int64_t)c->hidden);
    json_put_int(&j, gpt2 ? "n_layer" : "num_hidden_layers", (int64_t)c->layers);
    json_put_int(&j, gpt2 ? "n_head" : "num_attention_heads", (int64_t)c->heads);
    if (!gpt2) {
        json_put_int(&j, "num_key_value_heads", (int64_t)c->kv_heads);
        json_put_int(&j, "head_dim", (int64_t)c->head_dim);
    }
    json_put_int(&j, "vocab_size", (int64_t)c->vocab);
    json_put_int(
        &j, gpt2 ? "n_positions" : "max_position_embeddings", (int64_t)c->context);
    json_put_double(&j, gpt2 ? "layer_norm_epsilon" : "rms_norm_eps", c->norm_eps);
    json_put_bool(&j, "tie_word_embeddings", c->tied);
    json_put_string(&j,
                    gpt2 ? "activation_function" : "hidden_act",
                    !gpt2         ? "silu"
                    : c->gelu_erf ? "gelu"
                                  : "gelu_new");
    if (!gpt2) {
        json_put_double(&j, "rope_theta", c->rope_theta);
        json_put_bool(&j, "rope_pairs", c->rope_pairs);
    }
    json_end(&j, '}');
    str_add(ret, str_text(&j.out));
}
