/* pow.h - power, logarithm and sums of powers whose bits do not depend on machine, compiler or C library. */
#ifndef PL_WL_POW_H
#define PL_WL_POW_H

#include <stdint.h>

/* x^y for normal x > 0, |y| < 2^31, result in the range of normal doubles (asserted). Integers inside; the result is
 * the correctly rounded one but for fewer than 1 in 1000 arguments, where it is the neighbour. About 35 ns. */
double wl_pow(double x, double y);

/* Natural logarithm of normal x > 0, as good; within 2^-22 of 1, where the logarithm itself is small, up to one unit in
 * the last place off. */
double wl_log(double x);

/* sum + (from+1)^-theta + ... + to^-theta, added in ascending order as the sums of Gray et al. are, up to
 * WL_ZETA_EXACT terms; the terms beyond come from the Euler-Maclaurin formula, which differs from a sum of rounded
 * terms by less than the rounding errors of that sum. theta > 0. */
#define WL_ZETA_EXACT ((uint64_t)1 << 22)
double wl_zeta(uint64_t from, uint64_t to, double theta, double sum);

#endif
