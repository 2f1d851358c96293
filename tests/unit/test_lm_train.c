#include "kernels/model/weights.h"
#include "lm_task.h"
#include <math.h>

/* A network of some 7,000 numbers on 5 kB of text. */
static const char *const small[] = {
    "tokenizer", "char", "layers",      "2", "dim",           "16", "heads", "2",
    "context",   "24",   "batch",       "6", "micro-batch",   "2",  "steps", "6",
    "lr",        "0.01", "valid-every", "4", "sample-tokens", "8"};

/* `more` comes before what is small: the last of a name counts. */
static struct lm_task train(unsigned ranks, unsigned threads, const char *const *more)
{
    struct lm_task t;
    lm_task_make(&t, "lm.train", NULL);
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i += 2)
        lm_task_add(&t, small[i], small[i + 1]);
    for (; more != NULL && *more != NULL; more += 2)
        lm_task_add(&t, more[0], more[1]);
    t.task.n_ranks = ranks;
    t.task.n_threads = threads;
    return t;
}

static void run(struct lm_task *t)
{
    lm_task_add(t, "data", t->path);
    (void)lm_task_run(t);
}

static const char *const computed[] = {
    "model", "loss", "valid_step", "valid_loss", "final_loss", "accuracy", "sample"};
#define N_COMPUTED (sizeof(computed) / sizeof(computed[0]))

Test(lm_train, the_weights_have_the_same_bits_for_any_number_of_ranks_and_threads)
{
    static const char *const setups[][7] = {
        {"arch", "gpt2", "dropout", "0.1", NULL},
        {"arch", "llama", "kv-heads", "1", NULL},
        {"accumulation", "3", "micro-batch", "4", "batch", "5", NULL}}; /* uneven */
    static const unsigned ranks[] = {2, 3, 4, 7};
    for (size_t s = 0; s < sizeof(setups) / sizeof(setups[0]); s++) {
        struct lm_task one = train(1, 1, setups[s]);
        run(&one);
        cr_assert_eq(one.rc, 0, "%s", one.err.text);
        for (size_t r = 0; r < sizeof(ranks) / sizeof(ranks[0]); r++) {
            struct lm_task many = train(ranks[r], 1 + (unsigned)r % 3, setups[s]);
            run(&many);
            cr_assert_eq(many.rc, 0, "%s", many.err.text);
            for (size_t o = 0; o < N_COMPUTED; o++)
                cr_expect(lm_task_same(&one, &many, computed[o]),
                          "%s, setup %zu, %u ranks",
                          computed[o],
                          s,
                          ranks[r]);
            lm_task_free(&many);
        }
        lm_task_free(&one);
    }
}

/* The comparison above can fail: these change the bits and must be seen. */
Test(lm_train, another_seed_rate_or_micro_batch_gives_other_bits)
{
    static const char *const changes[][3] = {{"micro-batch", "3", NULL},
                                             {"init-seed", "1", NULL},
                                             {"data-seed", "1", NULL},
                                             {"lr", "0.010001", NULL},
                                             {"lr-last", "1e-6", NULL},
                                             {"warmup", "1", NULL},
                                             {"schedule", "linear", NULL},
                                             {"clip", "0.1", NULL},
                                             {"weight-decay", "0.1001", NULL},
                                             {"beta2", "0.951", NULL},
                                             {"dropout", "0.01", NULL},
                                             {"valid-share", "0.11", NULL}};
    struct lm_task base = train(1, 1, NULL);
    run(&base);
    cr_assert_eq(base.rc, 0, "%s", base.err.text);
    for (size_t c = 0; c < sizeof(changes) / sizeof(changes[0]); c++) {
        struct lm_task other = train(1, 1, changes[c]);
        run(&other);
        cr_assert_eq(other.rc, 0, "%s", other.err.text);
        cr_expect_not(lm_task_same(&base, &other, "model"), "%s", changes[c][0]);
        lm_task_free(&other);
    }
    lm_task_free(&base);
}

/* 6 steps, and validations after the 4th and the 6th of some 500 tokens, a call each. */
Test(lm_train, saved_after_any_step_it_goes_on_with_the_same_bits_on_any_ranks)
{
    static const char *const setups[][3] = {{"arch", "gpt2", NULL},
                                            {"arch", "llama", NULL}};
    for (size_t s = 0; s < 2; s++) {
        struct lm_task whole = train(1, 1, setups[s]);
        run(&whole);
        cr_assert_eq(whole.rc, 0, "%s", whole.err.text);
        for (unsigned steps = 1; steps <= 10; steps++) {
            struct rehearse_state *state = NULL;
            struct lm_task two = train(1 + steps % 3, 1, setups[s]);
            two.task.save_after = steps;
            two.task.save = &state;
            run(&two);
            cr_assert_eq(two.rc, -ECANCELED, "after %u: %s", steps, two.err.text);
            two.task.save_after = 0;
            two.task.load = state;
            two.task.n_ranks = 1 + steps / 3 % 3;
            cr_assert_eq(lm_task_run(&two), 0, "after %u: %s", steps, two.err.text);
            for (size_t o = 0; o < N_COMPUTED; o++)
                cr_expect(lm_task_same(&whole, &two, computed[o]),
                          "%s, %u",
                          computed[o],
                          steps);
            rehearse_state_free(state);
            lm_task_free(&two);
        }
        lm_task_free(&whole);
    }
}

Test(lm_train, it_learns_and_says_what_it_learned)
{
    struct lm_task t = train(1, 2, LM_ARGS("steps", "150", "prompt", "Sh", "dim", "32"));
    run(&t);
    cr_assert_eq(t.rc, 0, "%s", t.err.text);
    const struct rehearse_output *loss = lm_task_output(&t, "loss"),
                                 *valid = lm_task_output(&t, "valid_loss"),
                                 *step = lm_task_output(&t, "valid_step");
    cr_assert(loss->rows == 150 && valid->rows == 38 && step->rows == 38);
    const double *l = loss->data, *v = valid->data;
    const int64_t *at = step->data;
    cr_expect(l[0] > 3.9 && l[149] < 3, "loss %g to %g", l[0], l[149]);
    cr_expect(at[0] == 4 && at[36] == 148 && at[37] == 150);
    cr_expect_eq(lm_task_number(&t, "final_loss"), v[37]);
    cr_expect(v[37] < v[0] && v[37] < 3.1, "%g to %g", v[0], v[37]);
    cr_expect(lm_task_number(&t, "accuracy") > 0.15 &&
              lm_task_number(&t, "tokens_per_s") > 0);
    cr_expect_geq(lm_task_output(&t, "sample")->nbytes, 8);
    lm_task_free(&t);
}

Test(lm_train, a_model_goes_on_where_it_was)
{
    AUTO(weights) w = NULL;
    struct lm_task first = train(1, 1, LM_ARGS("arch", "llama")),
                   second = train(1, 1, LM_ARGS("steps", "0", "tokenizer", "model"));
    run(&first);
    cr_assert_eq(first.rc, 0, "%s", first.err.text);
    struct gm_input model = lm_task_model(&first);
    for (unsigned i = 0; i < second.kernel->n_params; i++) {
        if (strcmp(second.kernel->params[i].name, "init-from") == 0)
            model.param = i;
    }
    second.task.inputs = &model;
    second.task.n_inputs = 1;
    run(&second);
    cr_assert_eq(second.rc, 0, "%s", second.err.text);
    cr_expect(lm_task_same(&first, &second, "model"), "no step, no change");
    cr_expect(lm_task_same(&first, &second, "final_loss"));
    cr_expect_null(lm_task_output(&second, "loss"));
    const struct rehearse_output *o = lm_task_output(&second, "model");
    cr_assert_eq(weights_parse("model", o->data, o->nbytes, &w, NULL), 0);
    cr_expect_str_eq(w->tokenizer, "char");
    cr_expect_eq(w->config.arch, WEIGHTS_LLAMA);
    lm_task_free(&first);
    lm_task_free(&second);
}

Test(lm_train, what_cannot_be_trained_is_refused_with_the_reason)
{
    static const struct {
        const char *name, *value, *want;
    } cases[] = {
        {"heads", "3", "cannot be cut into 3 heads"},
        {"kv-heads", "3", "heads"},
        {"context", "6000", "data: "},
        {"valid-share", "0.9", "data: 4"},
        {"data", "/nowhere/text", "/nowhere/text: No such file"},
        {"valid-data", "/nowhere/held", "/nowhere/held: No such file"},
        {"tokenizer", "gpt2", "vocabulary: tokenizer gpt2 needs this file"},
        {"tokenizer", "model", "tokenizer: the model does not say which is its own"},
        {"prompt", "\xE2\x82\xAC", "prompt: "},
        {"init-from", "/nowhere/model", "/nowhere/model: No such file"},
        {"lr", "1e30", "is no longer finite: training diverged (lr"},
        {"top-p", "0", "top-p: must be above 0"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lm_task t = train(1, 1, NULL);
        lm_task_add(&t, "data", t.path);
        lm_task_add(&t, cases[i].name, cases[i].value);
        if (strcmp(cases[i].name, "valid-share") == 0)
            lm_task_add(&t, "context", "600");
        cr_expect_lt(lm_task_run(&t), 0, "case %zu", i);
        cr_expect_not_null(
            strstr(t.err.text, cases[i].want), "case %zu: %s", i, t.err.text);
    }
    struct lm_task llama = train(1, 1, LM_ARGS("arch", "llama", "dropout", "0.1"));
    run(&llama);
    cr_expect_eq(llama.rc, -EINVAL);
    cr_expect_not_null(strstr(llama.err.text, "dropout: only"), "%s", llama.err.text);
}

Test(lm_train, a_stop_is_noticed_within_a_micro_batch)
{
    for (unsigned after = 1; after < 30; after += 4) {
        struct lm_task t = train(1, 1, NULL);
        t.task.cancel_after = after;
        run(&t);
        cr_expect_eq(t.rc, -ECANCELED);
    }
}

Test(lm_train, another_text_may_be_held_out)
{
    struct lm_task t = train(1, 1, NULL);
    lm_task_add(&t, "valid-data", t.path);
    run(&t);
    cr_assert_eq(t.rc, 0, "%s", t.err.text);
    cr_expect_lt(lm_task_number(&t, "final_loss"), 4.2);
    lm_task_free(&t);
}
