#include "kernels/model/sampler.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct sampler *
make(double temperature, uint64_t top_k, double top_p, size_t vocab)
{
    const struct sampler_options how = {
        .temperature = temperature, .top_k = top_k, .top_p = top_p, .seed = 7};
    struct sampler *s = NULL;
    cr_assert_eq(sampler_make(&how, vocab, &s, NULL), 0);
    return s;
}

Test(sampler, at_temperature_0_it_is_the_highest_and_the_lowest_index_on_a_tie)
{
    static const float logits[] = {-1, 3, 2, 3, -INFINITY};
    AUTO(sampler) s = make(0, 0, 1, 5);
    for (uint64_t i = 0; i < 9; i++)
        cr_expect_eq(sampler_pick(s, logits, i, i), 1);
}

Test(sampler, logits_that_are_no_numbers_give_no_token)
{
    static const float bad[][3] = {
        {0, NAN, 1}, {INFINITY, 0, 1}, {-INFINITY, -INFINITY, -INFINITY}};
    for (size_t i = 0; i < 3; i++) {
        AUTO(sampler) cold = make(0, 0, 1, 3);
        AUTO(sampler) warm = make(1, 2, 0.5, 3);
        cr_expect_eq(sampler_pick(cold, bad[i], 0, 0), -1, "%zu", i);
        cr_expect_eq(sampler_pick(warm, bad[i], 0, 0), -1, "%zu", i);
    }
}

Test(sampler, a_token_does_not_depend_on_what_was_drawn_before)
{
    float logits[100];
    int32_t forward[50];
    for (size_t i = 0; i < 100; i++)
        logits[i] = (float)(i * 37 % 100) / 25;
    static const struct {
        uint64_t k;
        double p;
    } ways[] = {{0, 1}, {9, 1}, {0, 0.7}, {30, 0.5}};
    for (size_t w = 0; w < 4; w++) {
        AUTO(sampler) s = make(0.9, ways[w].k, ways[w].p, 100);
        for (uint64_t i = 0; i < 50; i++)
            forward[i] = sampler_pick(s, logits, 3, i);
        for (uint64_t i = 50; i-- > 0;)
            cr_expect_eq(sampler_pick(s, logits, 3, i), forward[i]);
        size_t other = 0;
        for (uint64_t i = 0; i < 50; i++)
            other += sampler_pick(s, logits, 4, i) != forward[i];
        cr_expect_gt(other, 10, "another text has other tokens");
    }
}

Test(sampler, one_candidate_is_the_highest_at_any_temperature)
{
    static const float logits[] = {1, 5, 5, 0};
    AUTO(sampler) k = make(50, 1, 1, 4);
    AUTO(sampler) p = make(50, 0, 1e-9, 4);
    AUTO(sampler) cold = make(1e-300, 0, 0.9, 4);
    for (uint64_t i = 0; i < 20; i++) {
        cr_expect_eq(sampler_pick(k, logits, 0, i), 1);
        cr_expect_eq(sampler_pick(p, logits, 0, i), 1);
        int32_t tied = sampler_pick(cold, logits, 0, i);
        cr_expect(tied == 1 || tied == 2);
    }
}

/* Chi squared of 20,000 draws over 8 tokens: 7 degrees of freedom. */
Test(sampler, tokens_come_as_often_as_their_probability_says)
{
    enum { N = 20000, V = 8 };
    float logits[V];
    double p[V], sum = 0, chi = 0;
    size_t seen[V] = {0};
    for (size_t i = 0; i < V; i++) {
        logits[i] = (float)(i * 5 % 8) / 3;
        p[i] = exp((double)logits[i] / 1.5);
        sum += p[i];
    }
    AUTO(sampler) s = make(1.5, 0, 1, V);
    for (uint64_t i = 0; i < N; i++)
        seen[sampler_pick(s, logits, 0, i)]++;
    for (size_t i = 0; i < V; i++) {
        double want = N * p[i] / sum, off = (double)seen[i] - want;
        chi += off * off / want;
    }
    cr_expect_lt(chi, 30, "%g", chi);
}

Test(sampler, options_that_mean_nothing_are_refused)
{
    static const struct sampler_options bad[] = {{.temperature = -1, .top_p = 1},
                                                 {.temperature = NAN, .top_p = 1},
                                                 {.temperature = INFINITY, .top_p = 1},
                                                 {.top_p = 0},
                                                 {.top_p = 1.01},
                                                 {.top_p = NAN}};
    struct sampler *s = NULL;
    struct gm_error err;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(sampler_make(&bad[i], 10, &s, &err), -EINVAL);
        cr_expect_not_null(strchr(err.text, ':'));
    }
    const struct sampler_options good = {.top_p = 1};
    cr_expect_eq(sampler_make(&good, 0, &s, &err), -EINVAL);
}
