/* For sampler.py: draws from the logits on stdin (float32, [n][vocab]), position i from
 * row i of text 5, and prints a token a line.
 *
 *   sampler_picks VOCAB TEMPERATURE TOP_K TOP_P SEED */
#include "kernels/model/sampler.h"
#include <inttypes.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct gm_error err;
    if (argc != 6)
        return 2;
    const size_t vocab = strtoull(argv[1], NULL, 10);
    const struct sampler_options how = {.temperature = strtod(argv[2], NULL),
                                        .top_k = strtoull(argv[3], NULL, 10),
                                        .top_p = strtod(argv[4], NULL),
                                        .seed = strtoull(argv[5], NULL, 10)};
    AUTO(sampler) s = NULL;
    if (sampler_make(&how, vocab, &s, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    AUTO_FREE(float) logits = calloc(vocab, sizeof(*logits));
    for (uint64_t i = 0; fread(logits, sizeof(*logits), vocab, stdin) == vocab; i++)
        (void)printf("%" PRId32 "\n", sampler_pick(s, logits, 5, i));
    return 0;
}
