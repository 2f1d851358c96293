/* Tables that are wider than a terminal. */
#ifndef CLI_FOLD_H
#define CLI_FOLD_H

#include "base/str.h"

/* Appends the text with lines of more than `width` columns folded at blanks, under where
 * their last column begins (after two blanks or more). Lines without columns stay as they
 * are: a terminal folds them itself, and they can be copied whole. */
void fold_lines(const char *text, unsigned width, struct str *out);

#endif
