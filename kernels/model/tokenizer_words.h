/* The cut of a text into words that no merge crosses: GPT-2's pattern,
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * the first alternative that fits, each as long as it can be. Private to model/. */
#ifndef MODEL_TOKENIZER_WORDS_H
#define MODEL_TOKENIZER_WORDS_H

#include <stddef.h>

/* Where the word that begins at `at` ends; at < len. */
size_t tokenizer_word(const unsigned char *text, size_t len, size_t at);

#endif
