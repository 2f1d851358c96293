#include "lm_task.h"
#include <math.h>

/* A network with weights that were never trained writes as well as any for these tests.
 */
static struct lm_task model(const char *tokenizer, const char *context)
{
    struct lm_task t;
    lm_task_make(&t,
                 "lm.train",
                 LM_ARGS("layers",
                         "2",
                         "dim",
                         "32",
                         "heads",
                         "4",
                         "kv-heads",
                         "2",
                         "arch",
                         "llama",
                         "context",
                         context,
                         "steps",
                         "3",
                         "lr",
                         "0.05",
                         "tokenizer",
                         tokenizer,
                         "sample-tokens",
                         "0"));
    lm_task_add(&t, "data", t.path);
    cr_assert_eq(lm_task_run(&t), 0, "%s", t.err.text);
    return t;
}

static struct lm_task write_from(const struct gm_input *from, const char *const *args)
{
    struct lm_task t;
    lm_task_make(&t, "lm.generate", args);
    t.task.inputs = from;
    t.task.n_inputs = 1;
    return t;
}

static const char *text_of(const struct lm_task *t)
{
    return lm_task_output(t, "text")->data; /* a byte more than it has is 0 */
}

/* 119 lines as prompts, in one shard, and in shards and batches of other sizes. */
Test(lm_generate, a_prompts_text_is_the_same_for_any_cut_batch_and_threads)
{
    struct lm_task trained = model("char", "64");
    const struct gm_input input = lm_task_model(&trained);
    const char *const args[] = {"max-tokens", "9", "top-p", "0.95", "seed", "4", NULL};
    const struct gm_slice all = {
        .path = trained.path, .unit = GM_LINES, .count = 119, .total = 119};
    struct lm_task whole = write_from(&input, args);
    whole.task.shard = &all;
    lm_task_add(&whole, "batch", "119");
    lm_task_run(&whole);
    /* the 15th line is empty, and a character's tokenizer has nothing to begin with */
    cr_assert_eq(whole.rc, -EINVAL);
    cr_expect_not_null(
        strstr(whole.err.text, "prompt 14: is empty"), "%s", whole.err.text);
    struct gm_slice some = all;
    some.count = 14;
    whole.task.shard = &some;
    cr_assert_eq(lm_task_run(&whole), 0, "%s", whole.err.text);
    static const char *const batches[] = {"1", "3", "16"};
    for (size_t b = 0; b < 3; b++) {
        size_t at = 0, id = 0;
        for (uint64_t first = 0; first < 14; first += 5) {
            struct gm_slice part = all;
            part.first = first;
            part.count = first + 5 < 14 ? 5 : 14 - first;
            struct lm_task t = write_from(&input, args);
            t.task.shard = &part;
            t.task.n_threads = 1 + (unsigned)b;
            lm_task_add(&t, "batch", batches[b]);
            cr_assert_eq(lm_task_run(&t), 0, "%s", t.err.text);
            const struct rehearse_output *o = lm_task_output(&t, "text"),
                                         *ids = lm_task_output(&t, "ids");
            cr_expect_eq(memcmp(text_of(&whole) + at, o->data, o->nbytes), 0);
            cr_expect_eq(memcmp((const char *)lm_task_output(&whole, "ids")->data + id,
                                ids->data,
                                ids->nbytes),
                         0);
            cr_expect_eq(*(const int64_t *)lm_task_output(&t, "prompt")->data,
                         (int64_t)first);
            at += o->nbytes;
            id += ids->nbytes;
            lm_task_free(&t);
        }
        cr_expect_eq(at, lm_task_output(&whole, "text")->nbytes);
    }
    lm_task_free(&whole);
    lm_task_free(&trained);
}

Test(lm_generate, it_ends_at_its_length_the_context_or_a_stop)
{
    struct lm_task trained = model("byte", "32");
    const struct gm_input input = lm_task_model(&trained);
    struct lm_task t = write_from(&input, LM_ARGS("prompt", "a", "max-tokens", "7"));
    cr_assert_eq(lm_task_run(&t), 0, "%s", t.err.text);
    cr_expect_eq(lm_task_output(&t, "ids")->nbytes, 7 * sizeof(int32_t));
    lm_task_free(&t);
    /* 32 tokens are read at most, and after the 32nd one more is written */
    t = write_from(&input,
                   LM_ARGS("prompt", "abc", "max-tokens", "70", "temperature", "2"));
    cr_assert_eq(lm_task_run(&t), 0, "%s", t.err.text);
    cr_assert_eq(lm_task_output(&t, "ids")->nbytes, 30 * sizeof(int32_t));
    char all[31], stop[3] = {0};
    memcpy(all, text_of(&t), 30);
    all[30] = '\0';
    memcpy(stop, all + 9, 2);
    size_t want = (size_t)(strstr(all, stop) - all);
    lm_task_free(&t);
    t = write_from(
        &input,
        LM_ARGS("prompt", "abc", "max-tokens", "70", "temperature", "2", "stop", stop));
    cr_assert_eq(lm_task_run(&t), 0, "%s", t.err.text);
    cr_expect_eq(lm_task_output(&t, "text")->nbytes, want);
    cr_expect_eq(memcmp(text_of(&t), all, want), 0);
    cr_expect_eq(*(const int64_t *)lm_task_output(&t, "new_tokens")->data,
                 (int64_t)want + 2);
    lm_task_free(&t);
    lm_task_free(&trained);
}

Test(lm_generate, the_seed_counts_but_not_at_temperature_0)
{
    struct lm_task trained = model("byte", "32");
    const struct gm_input input = lm_task_model(&trained);
    static const char *const temperature[] = {"0", "1"};
    for (size_t i = 0; i < 2; i++) {
        struct lm_task a = write_from(
            &input, LM_ARGS("prompt", "a", "seed", "1", "temperature", temperature[i]));
        struct lm_task b = write_from(
            &input, LM_ARGS("prompt", "a", "seed", "2", "temperature", temperature[i]));
        cr_assert(lm_task_run(&a) == 0 && lm_task_run(&b) == 0, "%s", a.err.text);
        cr_expect_eq(lm_task_same(&a, &b, "ids"), i == 0);
        lm_task_free(&a);
        lm_task_free(&b);
    }
    lm_task_free(&trained);
}

Test(lm_generate, what_cannot_be_done_is_refused_with_the_reason)
{
    static const struct {
        const char *name, *value, *want;
    } cases[] = {{"prompt", NULL, "prompt: must be given where there are no shards"},
                 {"prompt", "", "prompt 0: is empty"},
                 {"prompt", "0123456789012345678901234567890123", "has 34 tokens"},
                 {"tokenizer", "gpt2", "vocabulary: tokenizer gpt2 needs this file"},
                 {"temperature", "-1", "temperature: must be 0 or more"},
                 {"top-p", "0", "top-p: must be above 0"}};
    struct lm_task trained = model("byte", "32");
    struct gm_input input = lm_task_model(&trained);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lm_task t = write_from(&input, NULL);
        if (i > 2)
            lm_task_add(&t, "prompt", "a");
        if (cases[i].value != NULL)
            lm_task_add(&t, cases[i].name, cases[i].value);
        cr_expect_lt(lm_task_run(&t), 0, "case %zu", i);
        cr_expect_not_null(
            strstr(t.err.text, cases[i].want), "case %zu: %s", i, t.err.text);
    }
    struct lm_task t = write_from(&input, LM_ARGS("prompt", "a"));
    t.task.cancel_after = 3;
    cr_expect_eq(lm_task_run(&t), -ECANCELED);
    input.nbytes -= 4;
    cr_expect_lt(lm_task_run(&t), 0);
    cr_expect_not_null(strstr(t.err.text, "train.model"), "%s", t.err.text);
    lm_task_free(&trained);
}

static double
score_of(const struct gm_input *from, const char *const *args, struct lm_task *t)
{
    lm_task_make(t, "lm.score", args);
    lm_task_add(t, "data", t->path);
    t->task.inputs = from;
    t->task.n_inputs = 1;
    cr_assert_eq(lm_task_run(t), 0, "%s", t->err.text);
    return lm_task_number(t, "nats_per_token");
}

Test(lm_score, a_lines_score_is_the_same_for_any_cut_and_batch)
{
    struct lm_task trained = model("char", "64"), whole, t;
    const struct gm_input input = lm_task_model(&trained);
    (void)score_of(&input, LM_ARGS("document", "line"), &whole);
    const double *nats = lm_task_output(&whole, "document_nats")->data;
    const int64_t *tokens = lm_task_output(&whole, "document_tokens")->data;
    cr_expect_eq(tokens[14], 0, "an empty line");
    cr_expect_eq(tokens[0], 38, "the first character has nothing before it");
    double sum = 0;
    for (uint64_t first = 0; first < 119; first += 17) {
        const struct gm_slice part = {.path = trained.path,
                                      .unit = GM_LINES,
                                      .first = first,
                                      .count = 17,
                                      .total = 119};
        lm_task_make(&t, "lm.score", LM_ARGS("document", "line", "batch", "3"));
        t.task.shard = &part;
        t.task.inputs = &input;
        t.task.n_inputs = 1;
        cr_assert_eq(lm_task_run(&t), 0, "%s", t.err.text);
        cr_expect_eq(memcmp(lm_task_output(&t, "document_nats")->data,
                            nats + first,
                            17 * sizeof(*nats)),
                     0);
        sum += lm_task_number(&t, "nats");
        lm_task_free(&t);
    }
    cr_expect_float_eq(sum, lm_task_number(&whole, "nats"), 1e-9 * sum);
    lm_task_free(&whole);
    lm_task_free(&trained);
}

Test(lm_score, each_token_is_scored_once_and_more_context_changes_the_score)
{
    struct lm_task trained = model("byte", "32"), t;
    const struct gm_input input = lm_task_model(&trained);
    static const char *const strides[] = {"0", "24", "7", "31"};
    double found[4];
    for (size_t i = 0; i < 4; i++) {
        found[i] = score_of(&input, LM_ARGS("stride", strides[i]), &t);
        cr_expect_eq(*(const int64_t *)lm_task_output(&t, "tokens")->data, 4954);
        cr_expect_eq(*(const int64_t *)lm_task_output(&t, "bytes")->data, 4955);
        cr_expect_float_eq(
            lm_task_number(&t, "perplexity"), exp(found[i]), 1e-12 * exp(found[i]));
        lm_task_free(&t);
        cr_expect(i == 0 || found[i] < found[0] || found[i] > found[0]);
    }
    lm_task_free(&trained);
}

/* The held-out part of lm.train is a text whose windows begin a token before it. */
Test(lm_score, is_the_validation_of_lm_train)
{
    struct lm_task trained, t;
    lm_task_make(&trained,
                 "lm.train",
                 LM_ARGS("steps",
                         "5",
                         "context",
                         "32",
                         "dim",
                         "32",
                         "layers",
                         "1",
                         "valid-share",
                         "0.9",
                         "sample-tokens",
                         "0"));
    lm_task_add(&trained, "data", trained.path);
    cr_assert_eq(lm_task_run(&trained), 0, "%s", trained.err.text);
    const struct gm_input input = lm_task_model(&trained);
    double all = score_of(&input, NULL, &t),
           held = lm_task_number(&trained, "final_loss");
    cr_expect(all > held - 0.1 && all < held + 0.1, "%g and %g", all, held);
    lm_task_free(&t);
    lm_task_free(&trained);
}
