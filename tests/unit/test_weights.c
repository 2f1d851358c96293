#include "base/file.h"
#include "base/str.h"
#include "io_files.h"
#include "kernels/model/weights.h"
#include <math.h>

/* A llama2.c checkpoint whose floats are 0, 1, 2, ... in the file's order. */
static size_t checkpoint(const int32_t h[7], unsigned char **ret)
{
    size_t dim = (size_t)h[0], hidden = (size_t)h[1], layers = (size_t)h[2],
           head = dim / (size_t)h[3], kv = head * (size_t)h[4], vocab = (size_t)abs(h[5]),
           context = (size_t)h[6];
    size_t n = vocab * dim + dim + context * head + (h[5] < 0 ? vocab * dim : 0) +
               layers * (2 * dim + 2 * dim * dim + 2 * kv * dim + 3 * hidden * dim);
    float *all = malloc(28 + n * sizeof(float));
    memcpy(all, h, 28);
    for (size_t i = 0; i < n; i++)
        all[7 + i] = (float)i;
    *ret = (unsigned char *)all;
    return 28 + n * sizeof(float);
}

static void expect_tensor(
    const struct weights *w, const char *name, size_t rows, size_t cols, size_t first)
{
    size_t dims[2] = {rows, cols};
    AUTO_FREE(float) v = calloc(rows * (cols == 0 ? 1 : cols), sizeof(*v));
    struct gm_error err = {0};
    cr_assert_eq(
        weights_take(w, name, cols == 0 ? 1 : 2, dims, v, &err), 0, "%s", err.text);
    for (size_t i = 0; i < rows * (cols == 0 ? 1 : cols); i++)
        cr_assert_eq(v[i], (float)(first + i), "%s [%zu] is %g", name, i, (double)v[i]);
}

Test(weights, a_checkpoint_of_llama2c_gives_hugging_faces_names)
{
    /* dim 8, hidden 3, 2 layers, 4 heads of 2, 2 of keys, vocabulary 5, context 6 */
    for (int own = 0; own < 2; own++) {
        const int32_t h[7] = {8, 3, 2, 4, 2, own ? -5 : 5, 6};
        AUTO_FREE(unsigned char) bytes = NULL;
        AUTO(weights) w = NULL;
        struct gm_error err = {0};
        size_t len = checkpoint(h, &bytes);
        cr_assert_eq(weights_parse("c", bytes, len, &w, &err), 0, "%s", err.text);
        cr_expect_eq(w->n_tensors, own ? 21 : 20);
        cr_expect(w->config.arch == WEIGHTS_LLAMA && w->config.rope_pairs);
        cr_expect(w->config.tied == !own && w->config.vocab == 5 && w->config.dim == 8);
        cr_expect(w->config.head_dim == 2 && w->config.kv_heads == 2);
        expect_tensor(w, "model.embed_tokens.weight", 5, 8, 0);
        expect_tensor(w, "model.layers.1.input_layernorm.weight", 8, 0, 48);
        expect_tensor(w, "model.layers.0.self_attn.q_proj.weight", 8, 8, 56);
        expect_tensor(w, "model.layers.1.self_attn.k_proj.weight", 4, 8, 216);
        expect_tensor(w, "model.layers.0.self_attn.v_proj.weight", 4, 8, 248);
        expect_tensor(w, "model.layers.1.self_attn.o_proj.weight", 8, 8, 376);
        expect_tensor(w, "model.layers.0.post_attention_layernorm.weight", 8, 0, 440);
        expect_tensor(w, "model.layers.0.mlp.gate_proj.weight", 3, 8, 456);
        expect_tensor(w, "model.layers.0.mlp.down_proj.weight", 8, 3, 504);
        expect_tensor(w, "model.layers.1.mlp.up_proj.weight", 3, 8, 576);
        expect_tensor(w, "model.norm.weight", 8, 0, 600);
        if (own)
            expect_tensor(w, "lm_head.weight", 5, 8, 620);
        else
            cr_expect_null(weights_find(w, "lm_head.weight"));
        /* one byte more or less is another file */
        for (size_t wrong = len - 1; wrong <= len + 1; wrong += 2) {
            struct weights *no = NULL;
            AUTO_FREE(unsigned char) other = calloc(1, wrong);
            memcpy(other, bytes, wrong < len ? wrong : len);
            cr_expect_eq(weights_parse("c", other, wrong, &no, &err), -EINVAL);
            cr_expect_not_null(strstr(err.text, "where a llama2.c checkpoint"));
        }
    }
}

Test(weights, a_checkpoint_that_lies_is_refused_with_a_sentence)
{
    static const struct {
        int32_t h[7];
        const char *want;
    } cases[] = {{{0, 1, 1, 1, 1, 1, 1}, "neither safetensors nor"},
                 {{8, 3, -2, 4, 2, 5, 6}, "neither safetensors nor"},
                 {{8, 3, 2, 4, 2, 0, 6}, "neither safetensors nor"},
                 {{8, 3, 2, 4, 2, INT32_MIN, 6}, "neither safetensors nor"},
                 {{8, 3, 2, 3, 1, 5, 6}, "cannot be cut into 3 heads"},
                 {{8, 3, 2, 4, 3, 5, 6}, "cannot share 3"},
                 {{8, 3, 2, 8, 8, 5, 6}, "heads of an even width"},
                 {{2, 3, 2, 4, 2, 5, 6}, "width of a head"},
                 {{1 << 21, 3, 2, 4, 2, 5, 6}, "the width must be"},
                 {{8, INT32_MAX, 2, 4, 2, 5, 6}, "hidden width must be"},
                 {{1 << 20, 1 << 20, 1 << 20, 4, 4, 1 << 20, 1 << 20}, "has 36 bytes"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char bytes[36] = {0};
        struct weights *w = NULL;
        struct gm_error err = {0};
        memcpy(bytes, cases[i].h, 28);
        cr_expect_eq(weights_parse("c", bytes, sizeof(bytes), &w, &err), -EINVAL);
        cr_expect_not_null(strstr(err.text, cases[i].want), "%zu: %s", i, err.text);
        cr_expect_eq(weights_parse("c", bytes, i, &w, &err), -EINVAL);
    }
}

Test(weights, numbers_of_every_width_are_taken_as_floats)
{
    const double wide[2] = {1.5, -0.1};
    const uint16_t brain[2] = {0x3FC0, 0xC000};
    /* 1.5, -2, the least subnormal, the greatest, -infinity, -0, the least normal */
    const uint16_t half[7] = {0x3E00, 0xC000, 0x0001, 0x7BFF, 0xFC00, 0x8000, 0x0400};
    const float want[7] = {1.5F, -2, 0x1p-24F, 65504, -INFINITY, -0.0F, 0x1p-14F};
    const int64_t count = 3;
    unsigned char odd[9];
    float got[7];
    const float one = 7.25F;
    memcpy(odd + 1, &one, 4);
    const struct weights_tensor all[] = {
        {.name = "d",
         .type = WEIGHTS_F64,
         .ndim = 1,
         .dims = {2},
         .data = wide,
         .nbytes = 16},
        {.name = "b",
         .type = WEIGHTS_BF16,
         .ndim = 1,
         .dims = {2},
         .data = brain,
         .nbytes = 4},
        {.name = "transformer.h",
         .word = "F16",
         .ndim = 1,
         .dims = {7},
         .data = half,
         .nbytes = 14},
        {.name = "n", .word = "I64", .ndim = 0, .data = &count, .nbytes = 8},
        {.name = "odd", .type = WEIGHTS_F32, .ndim = 0, .data = odd + 1, .nbytes = 4}};
    AUTO(weights) w = weights_make("results.h5");
    struct gm_error err = {0};
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(weights_add(w, &all[i], &err), 0, "%s", err.text);
    cr_assert_eq(weights_take(w, "d", 1, (size_t[]){2}, got, &err), 0);
    cr_expect(got[0] == 1.5F && got[1] == -0.1F);
    cr_assert_eq(weights_take(w, "b", 1, (size_t[]){2}, got, &err), 0);
    cr_expect(got[0] == 1.5F && got[1] == -2);
    cr_assert_eq(weights_take(w, "h", 1, (size_t[]){7}, got, &err), 0, "%s", err.text);
    cr_expect_arr_eq(got, want, sizeof(want));
    cr_assert_eq(weights_take(w, "odd", 0, NULL, got, &err), 0);
    cr_expect_eq(got[0], 7.25F);
    cr_expect_eq((uintptr_t)weights_find(w, "odd")->data % 4, 0);
    cr_expect_eq(weights_find(w, "d")->data, wide, "aligned data is borrowed");

    cr_expect_eq(weights_take(w, "n", 0, NULL, got, &err), -EINVAL);
    cr_expect_eq(weights_take(w, "d", 1, (size_t[]){3}, got, &err), -EINVAL);
    cr_expect_str_eq(err.text,
                     "results.h5: tensor 'd' is not [3] of F32, F64, F16 or BF16");
    cr_expect_eq(weights_take(w, "e", 1, (size_t[]){3}, got, &err), -EINVAL);
    cr_expect_str_eq(err.text, "results.h5: has no tensor 'e'");
    cr_expect_eq(weights_add(w, &all[0], &err), -EINVAL);
    cr_expect_str_eq(err.text, "results.h5: tensor 'd' is there twice");
    struct weights_tensor lie = all[0];
    lie.name = "x";
    lie.nbytes = 17;
    cr_expect_eq(weights_add(w, &lie, &err), -EINVAL);
    lie.dims[0] = (uint64_t)1 << 62;
    cr_expect_eq(weights_add(w, &lie, &err), -EINVAL);
    cr_expect_eq(w->n_tensors, 5);
}

static int config(const char *text, struct weights_config *ret, struct gm_error *err)
{
    return weights_config_parse("config.json", text, strlen(text), ret, err);
}

#define GPT2                                                                             \
    "\"model_type\":\"gpt2\",\"n_embd\":768,\"n_layer\":12,\"n_head\":12,"               \
    "\"vocab_size\":50257,\"n_positions\":1024"
#define LLAMA                                                                            \
    "\"model_type\":\"llama\",\"hidden_size\":2048,\"intermediate_size\":5632,"          \
    "\"num_hidden_layers\":22,\"num_attention_heads\":32,\"vocab_size\":32000,"          \
    "\"max_position_embeddings\":2048"

Test(weights, the_config_of_hugging_face_is_read_and_written)
{
    struct weights_config c = {0}, again = {0};
    struct gm_error err = {0};
    cr_assert_eq(
        config("{\"architectures\":[\"GPT2LMHeadModel\",{\"a\":[]}],\"n_inner\":null,"
               "\"activation_function\":\"gelu_new\",\"initializer_range\":2e-2,"
               "\"layer_norm_epsilon\":1e-5," GPT2 "}",
               &c,
               &err),
        0,
        "%s",
        err.text);
    cr_expect(c.arch == WEIGHTS_GPT2 && c.hidden == 3072 && c.kv_heads == 12 && c.tied);
    cr_expect(c.head_dim == 64 && c.context == 1024 && c.norm_eps == 1e-5 && !c.gelu_erf);
    cr_assert_eq(config("{" LLAMA ",\"num_key_value_heads\":4,\"rms_norm_eps\":1e-05,"
                        "\"rope_scaling\":null,\"rope_parameters\":{\"rope_theta\":5e5,"
                        "\"rope_type\":\"default\"},\"tie_word_embeddings\":false}",
                        &c,
                        &err),
                 0,
                 "%s",
                 err.text);
    cr_expect(c.arch == WEIGHTS_LLAMA && c.kv_heads == 4 && c.rope_theta == 5e5);
    cr_expect(!c.tied && !c.rope_pairs && c.hidden == 5632 && c.norm_eps == 1e-5);
    AUTO_STR text = {0};
    weights_config_format(&c, &text);
    cr_assert_eq(config(text.text, &again, &err), 0, "%s", err.text);
    cr_expect(again.rope_theta == c.rope_theta && again.kv_heads == 4 && !again.tied);
}

Test(weights, a_config_of_another_network_is_refused)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "not the JSON it should be at byte 0"},
        {"[]", "not the JSON it should be"},
        {"{" GPT2 "} x", "not the JSON it should be"},
        {"{" GPT2 ",\"x\":[1,]}", "not the JSON it should be"},
        {"{" GPT2 ",\"x\":01}", "not the JSON it should be"},
        {"{" GPT2 ",\"x\":{\"a\"}}", "not the JSON it should be"},
        {"{" GPT2 ",\"x\":1e999}", "not the JSON it should be"},
        {"{\"vocab_size\":3}", "model_type is not said"},
        {"{\"model_type\":\"mamba\"}", "model_type is mamba; gpt2 and llama"},
        {"{" GPT2 ",\"activation_function\":\"relu\"}", "the activation 'relu'"},
        {"{" LLAMA ",\"hidden_act\":\"gelu\"}", "the activation 'gelu'"},
        {"{" LLAMA ",\"rope_scaling\":{\"factor\":8.0}}",
         "scaled rotary is not supported"},
        {"{" LLAMA ",\"rope_parameters\":{\"rope_type\":\"yarn\"}}", "scaled rotary"},
        {"{" LLAMA ",\"attention_bias\":true}", "attention_bias is not supported"},
        {"{" LLAMA ",\"vocab_size\":1.5}", "the vocabulary must be a whole number"},
        {"{" LLAMA ",\"vocab_size\":1e300}", "the vocabulary must be a whole number"},
        {"{" LLAMA ",\"num_attention_heads\":-1}", "the number of heads must be"},
        {"{" LLAMA ",\"rms_norm_eps\":-1}", "out of range"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weights_config c = {.dim = 99};
        struct gm_error err = {0};
        cr_expect_lt(config(cases[i].text, &c, &err), 0, "%s", cases[i].text);
        cr_expect_not_null(strstr(err.text, cases[i].want), "%zu: %s", i, err.text);
        cr_expect_eq(c.dim, 99);
    }
    AUTO_STR deep = {0};
    struct weights_config c;
    str_add(&deep, "{" GPT2 ",\"x\":");
    for (unsigned i = 0; i < 100000; i++)
        str_add(&deep, "[");
    cr_expect_eq(config(deep.text, &c, NULL), -EINVAL);
}

Test(weights, a_file_is_mapped_and_its_config_may_stand_beside_it)
{
    static const char text[] = "{" GPT2 "}", model[] =
                                                 "{\"wte.weight\":{\"dtype\":\"BF16\","
                                                 "\"shape\":[1],\"data_offsets\":[0,2]}}";
    struct io_files f = io_files_make();
    char bytes[8 + sizeof(model) - 1 + 2] = {(char)(sizeof(model) - 1)};
    memcpy(bytes + 8, model, sizeof(model) - 1);
    io_files_write(&f, "config.json", text, sizeof(text) - 1);
    char beside[64];
    memcpy(beside, f.path, sizeof(beside));
    io_files_write(&f, "model.safetensors", bytes, sizeof(bytes));
    AUTO(weights) w = NULL;
    struct gm_error err = {0};
    cr_assert_eq(weights_open(f.path, &w, &err), 0, "%s", err.text);
    cr_expect(w->config.arch == WEIGHTS_GPT2 && w->n_tensors == 1);
    (void)unlink(beside);
    weights_free(w);
    w = NULL;
    cr_assert_eq(weights_open(f.path, &w, &err), 0, "%s", err.text);
    cr_expect_eq(w->config.arch, WEIGHTS_NO_ARCH);
    struct weights *no = NULL;
    io_files_write(&f, "model.safetensors", "", 0);
    cr_expect_eq(weights_open(f.path, &no, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "is empty"));
    cr_expect_eq(weights_open(f.folder, &no, &err), -EINVAL);
    io_files_remove(&f);
    cr_expect_eq(weights_open(f.path, &no, &err), -ENOENT);
}

Test(weights, a_real_checkpoint_goes_through_safetensors_unchanged)
{
    const char *root = getenv("GRIDMILL_TEST_DATA");
    if (root == NULL)
        cr_skip("GRIDMILL_TEST_DATA is not set");
    AUTO_STR path = {0};
    AUTO(weights) w = NULL;
    AUTO(weights) back = NULL;
    AUTO_FREE(unsigned char) bytes = NULL;
    size_t len = 0;
    struct gm_error err = {0};
    str_printf(&path, "%s/models/stories260K/stories260K.bin", root);
    cr_assert_eq(weights_open(path.text, &w, &err), 0, "%s", err.text);
    cr_expect(w->config.dim == 64 && w->config.layers == 5 && w->config.kv_heads == 4);
    cr_expect(w->config.vocab == 512 && w->config.tied && w->n_tensors == 2 + 5 * 9);
    /* the norm before the classifier is near 1 or above, and nothing is outlandish */
    float norm[64];
    cr_assert_eq(weights_take(w, "model.norm.weight", 1, (size_t[]){64}, norm, &err), 0);
    for (size_t i = 0; i < 64; i++)
        cr_expect(norm[i] > 0.1F && norm[i] < 100, "%zu: %g", i, (double)norm[i]);
    cr_assert_eq(weights_format(w, &bytes, &len, &err), 0, "%s", err.text);
    cr_assert_eq(weights_parse("again", bytes, len, &back, &err), 0, "%s", err.text);
    cr_expect(back->config.rope_pairs && back->config.tied &&
              back->config.context == 512);
    for (size_t i = 0; i < w->n_tensors; i++) {
        const struct weights_tensor *t = weights_find(back, w->tensors[i].name);
        cr_assert(t != NULL && t->nbytes == w->tensors[i].nbytes);
        cr_expect_arr_eq(t->data, w->tensors[i].data, t->nbytes);
    }
}

Test(weights, how_text_became_ids_stands_in_the_file)
{
    AUTO(weights) w = weights_make("w");
    AUTO(weights) back = NULL;
    AUTO_FREE(unsigned char) bytes = NULL;
    size_t len = 0;
    cr_expect_null(w->tokenizer);
    weights_set_tokenizer(w, "char", "\n\"\\ab\xC3\xA9");
    cr_assert_eq(weights_format(w, &bytes, &len, NULL), 0);
    cr_assert_eq(weights_parse("back", bytes, len, &back, NULL), 0);
    cr_expect_str_eq(back->tokenizer, "char");
    cr_expect_str_eq(back->vocabulary, "\n\"\\ab\xC3\xA9");
}
