/* Byte-pair merging (Sennrich et al. 2016): of all neighbours in a row of symbols that
 * have a merge, the one of the lowest rank is done first, the leftmost of equals, until
 * none is left. And a memory of short words that were merged before. Private to model/.
 */
#ifndef MODEL_BPE_H
#define MODEL_BPE_H

#include "base/auto.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpe;

struct bpe *bpe_make(void);
void bpe_free(struct bpe *b); /* takes NULL */

/* left, right -> merged. A pair that has a merge keeps the first one. */
void bpe_add(struct bpe *b, int32_t left, int32_t right, uint32_t rank, int32_t merged);
/* Merges ids[n] where they stand; returns how many are left. */
size_t bpe_merge(struct bpe *b, int32_t *ids, size_t n);

/* A word's ids as bpe_keep was told them: how many, 0 when it is not remembered. ret_ids
 * has room for BPE_WORD_IDS whatever is returned. */
#define BPE_WORD_BYTES 16
#define BPE_WORD_IDS   7
size_t bpe_recall(const struct bpe *b, const void *word, size_t len, int32_t *ret_ids);
void bpe_keep(struct bpe *b, const void *word, size_t len, const int32_t *ids, size_t n);

AUTO_TYPE(bpe, bpe_free)

#endif
