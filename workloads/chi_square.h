/* chi_square.h - for the tests: does a sample fit computed probabilities? */
#ifndef PL_WL_CHI_SQUARE_H
#define PL_WL_CHI_SQUARE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* How many standard deviations the chi-square statistic lies above its mean, by the cube root transformation of Wilson
 * and Hilferty, which holds down to one degree of freedom; cells with fewer than 5 expected draws are pooled. Above 5
 * the sample does not fit (3 in 10^7 by chance). probability sums to 1. */
static inline double chi_square_excess(const uint64_t *count, const double *probability, size_t n, uint64_t draws)
{
	double chi = 0, pooled_expected = 0, pooled_count = 0;
	size_t cells = 0;
	for (size_t i = 0; i < n; i++) {
		double expected = probability[i] * (double)draws;
		if (expected < 5) {
			pooled_expected += expected;
			pooled_count += (double)count[i];
			continue;
		}
		chi += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
		cells++;
	}
	if (pooled_expected > 0 || pooled_count > 0) {
		double expected = pooled_expected > 1e-9 ? pooled_expected : 1e-9;
		chi += (pooled_count - expected) * (pooled_count - expected) / expected;
		cells++;
	}
	double degrees = (double)cells - 1, spread = 2 / (9 * degrees);
	return degrees > 0 ? (cbrt(chi / degrees) - (1 - spread)) / sqrt(spread) : 0;
}

#endif
