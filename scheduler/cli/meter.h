/* How far work is, drawn: the parts that a run's progress line and `gridmill watch` have
 * in common. Text is made for a number of columns; a letter is taken for one. */
#ifndef CLI_METER_H
#define CLI_METER_H

#include "base/str.h"

struct meter {
    uint64_t done, failed, skipped, total;
    uint64_t lost;     /* ranks */
    double rate;       /* tasks/s; 0: not known */
    double left;       /* s; < 0: not known */
    bool at_least;     /* more comes on top of `left` */
    const char *doing; /* a stage, or "packing"; NULL: not said */
};

uint64_t meter_over(const struct meter *m);
/* "12 of 22 tasks, 1 failed, 1 rank lost, 8.3/s, 2 s left, train"; comma: ", " */
void meter_numbers(const struct meter *m, const char *comma, struct str *out);
void meter_bar(const struct meter *m, bool utf8, int cells, struct str *out);
/* What each of n is at, a cell each (or for several): shares of 1, < 0: lost. */
void meter_cells(
    const double *shares, unsigned n, bool utf8, unsigned cells, struct str *out);
/* A bar that says how much of its time somebody was busy: `part` of 1. */
void meter_share(double part, bool utf8, int cells, struct str *out);
/* "8.3/s", "120/s", "4.7 M/s" */
const char *meter_rate(double rate, char buf[32]);
/* Whole seconds below 100 of them: an estimate has no decimals. */
const char *meter_time(double s, char buf[32]);

/* Cuts text to a number of columns; colours go on to the end. */
void meter_cut(struct str *s, int width);
/* Text of any origin as one line: nothing in it that a terminal obeys. */
void meter_add_safe(struct str *out, const char *text, bool utf8);
/* {"lr":0.1,"seed":3} as lr=0.1 seed=3. */
void meter_add_params(struct str *out, const char *json, bool utf8);

#endif
