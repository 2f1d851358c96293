/* See real.h. Additions, products, divisions and bits: nothing here rounds differently on
 * another machine. */
#include "real.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2_HIGH 0x1.62e42feep-1 /* 33 bits: its product with an exponent is exact */
#define LN2_LOW  0x1.a39ef35793c76p-33
#define ROUND    0x1.8p52 /* adding it rounds to an integer */

/* pi / 2 in three parts; the first two have 33 bits. */
#define HALF_PI_1 0x1.921fb544p+0
#define HALF_PI_2 0x1.0b4611a6p-34
#define HALF_PI_3 0x1.3198a2e037073p-69

static double power_of_two(int64_t exponent) /* -1022 .. 1023 */
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

double real_exp(double x)
{
    if (!(x < 709.79))
        return x > 0 ? (double)INFINITY : x; /* NaN stays NaN */
    if (x < -745.14)
        return 0;
    double whole = x * M_LOG2E + ROUND - ROUND;
    double r = x - whole * LN2_HIGH - whole * LN2_LOW;
    double sum = 1;
    for (int i = 14; i > 0; i--)
        sum = 1 + sum * r / i;
    /* in two steps, for results that are not normal numbers and for 2^1024 */
    int64_t k = (int64_t)whole, half = k / 2;
    return sum * power_of_two(half) * power_of_two(k - half);
}

double real_log(double x)
{
    if (!(x > 0))
        return x == 0 ? -(double)INFINITY : (double)NAN;
    if (x > 0x1.fffffffffffffp1023)
        return x;
    double tiny = x < 0x1p-1022 ? 54 : 0;
    x *= tiny > 0 ? 0x1p54 : 1;
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    int64_t k = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffU) | (uint64_t)1023 << 52;
    double m; /* 1 .. 2 */
    memcpy(&m, &bits, sizeof(m));
    if (m > M_SQRT2) {
        m /= 2;
        k++;
    }
    /* log m = 2 artanh((m - 1) / (m + 1)) */
    double f = m - 1, s = f / (m + 1), q = s * s, sum = 0;
    for (int i = 23; i > 1; i -= 2)
        sum = (sum + 1.0 / i) * q;
    double e = (double)k - tiny;
    return e * LN2_HIGH + (2 * s + (2 * s * sum + e * LN2_LOW));
}

double real_power(double base, double x)
{
    return real_exp(x * real_log(base));
}

/* What is left of x after the nearest multiple of pi / 2, and which one modulo 4. */
static double quarter(double x, unsigned *ret_quadrant)
{
    double whole = x * M_2_PI + ROUND - ROUND;
    *ret_quadrant = (unsigned)((int64_t)whole & 3);
    return ((x - whole * HALF_PI_1) - whole * HALF_PI_2) - whole * HALF_PI_3;
}

static double sine(double r)
{
    double q = r * r, sum = 0;
    for (int i = 19; i > 1; i -= 2)
        sum = (1 - sum) * q / (i * (i - 1));
    return r - r * sum;
}

static double cosine(double r)
{
    double q = r * r, sum = 0;
    for (int i = 18; i > 2; i -= 2)
        sum = (1 - sum) * q / (i * (i - 1));
    return 1 - (1 - sum) * q / 2;
}

static double turn(double x, unsigned quadrant)
{
    unsigned own;
    if (!(fabs(x) < 0x1p50))
        return (double)NAN;
    double r = quarter(x, &own), v = (own + quadrant) & 1 ? cosine(r) : sine(r);
    return (own + quadrant) & 2 ? -v : v;
}

double real_sin(double x)
{
    return turn(x, 0);
}

double real_cos(double x)
{
    return turn(x, 1);
}
