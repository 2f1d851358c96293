/* Elementary functions in double whose bits depend on IEEE 754 alone, and not on the C
 * library: within 2 ulp of the true value. By the Taylor series of a reduced argument;
 * for what is computed once a row or once a job, not for inner loops (lanes.h). */
#ifndef OP_REAL_H
#define OP_REAL_H

double real_exp(double x);
double real_log(double x);
/* base^x for base > 0; the error grows with |x log base|, an ulp for each. */
double real_power(double base, double x);
/* Right for |x| up to 2^20 pi / 2: beyond, the reduction runs out of bits. */
double real_sin(double x);
double real_cos(double x);

#endif
