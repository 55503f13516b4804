/* Own power and logarithm against libm's long double, which is good to 64 bits. */
#include "workloads/generators.h"
#include "workloads/pow.h"

#include "engine/base/rng.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DRAWS 1000000
#define TOLERATED (DRAWS / 1000)

static void exact_cases(void **state)
{
	(void)state;
	assert_true(wl_pow(2, 10) == 1024);
	assert_true(wl_pow(4, 0.5) == 2);
	assert_true(wl_pow(3, 2) == 9);
	assert_true(wl_pow(0.25, -1.5) == 8);
	assert_true(wl_pow(1, 123.456) == 1);
	assert_true(wl_pow(7.5, 0) == 1);
	assert_true(wl_pow(2, -1000) == ldexp(1, -1000));
	assert_true(wl_pow(10, 300) == 1e300);
	assert_true(wl_log(1) == 0);
	assert_true(wl_log(1 - 0x1p-53) == -0x1p-53);
	assert_true(fabs(wl_log(1 + 0x1p-52) / log1p(0x1p-52) - 1) <= DBL_EPSILON);
}

/* The arguments of a draw: x = eta u - eta + 1 in (0.7, 1), y = 1 / (1 - 0.99). */
static void power_rounds_correctly(void **state)
{
	(void)state;
	struct pl_rng r;
	unsigned wrong = 0, far = 0;
	double alpha = 1 / (1 - 0.99);
	pl_rng_seed(&r, 1, 1);
	for (int i = 0; i < DRAWS; i++) {
		double x = 0.7 + 0.3 * pl_rng_unit(&r), own = wl_pow(x, alpha);
		double correct = (double)powl((long double)x, (long double)alpha);
		wrong += own != correct;
		far += fabs(own - correct) > correct * DBL_EPSILON;
	}
	assert_int_equal(far, 0);
	assert_in_range(wrong, 0, TOLERATED);
}

static void power_holds_over_wide_arguments(void **state)
{
	(void)state;
	struct pl_rng r;
	unsigned wrong = 0;
	pl_rng_seed(&r, 2, 1);
	for (int i = 0; i < DRAWS; i++) {
		double x = ldexp(1 + pl_rng_unit(&r), (int)pl_rng_below(&r, 120) - 60);
		double y = (pl_rng_unit(&r) - 0.5) * 20;
		if (x == 1)
			continue;
		double own = wl_pow(x, y), correct = (double)powl((long double)x, (long double)y);
		assert_true(fabs(own - correct) <= correct * DBL_EPSILON);
		wrong += own != correct;
	}
	/* powl itself errs by up to 2^-63 of the exponent's size here, so the count is of both. */
	assert_in_range(wrong, 0, 20 * TOLERATED);
}

static void logarithm_rounds_correctly(void **state)
{
	(void)state;
	struct pl_rng r;
	unsigned wrong = 0;
	pl_rng_seed(&r, 3, 1);
	for (int i = 0; i < DRAWS; i++) {
		double x = pl_rng_unit(&r) + 0x1p-60, own = wl_log(x), correct = (double)logl((long double)x);
		assert_true(fabs(own - correct) <= -correct * DBL_EPSILON);
		wrong += own != correct;
	}
	assert_in_range(wrong, 0, TOLERATED);
}

/* What CONFORMANCE.md states: with the rounding of libm instead, hardly an item would be another. */
static void items_agree_with_libm(void **state)
{
	(void)state;
	struct gen_zipfian g;
	struct pl_rng r;
	unsigned other = 0;
	gen_zipfian_init_zeta(&g, GEN_SCRAMBLED_ITEMS, 0.99, GEN_SCRAMBLED_ZETA);
	double eta = (1 - pow(2.0 / (double)GEN_SCRAMBLED_ITEMS, 1 - 0.99)) /
		     (1 - (1 + 1 / pow(2, 0.99)) / GEN_SCRAMBLED_ZETA);
	pl_rng_seed(&r, 4, 1);
	for (int i = 0; i < DRAWS; i++) {
		double u = pl_rng_unit(&r), uz = u * GEN_SCRAMBLED_ZETA;
		uint64_t libm =
			uz < 1 ? 0
			: uz < 1 + pow(0.5, 0.99)
				? 1
				: (uint64_t)((double)GEN_SCRAMBLED_ITEMS * pow(eta * u - eta + 1, 1 / (1 - 0.99)));
		other += gen_zipfian(&g, GEN_SCRAMBLED_ITEMS, u) != libm;
	}
	assert_in_range(other, 0, 10);
	print_message("items that differ from libm's: %u of %d\n", other, DRAWS);
}

static void zeta_matches_upstreams_constant(void **state)
{
	(void)state;
	double zeta = wl_zeta(0, GEN_SCRAMBLED_ITEMS - 1, 0.99, 0);
	assert_true(fabs(zeta - GEN_SCRAMBLED_ZETA) < 1e-9); /* the constant carries the rounding of 10^10 additions */
}

static void zeta_tail_joins_the_sum(void **state)
{
	(void)state;
	static const double theta[] = {0.2, 0.5, 0.99, 1.0, 1.5};
	uint64_t n = WL_ZETA_EXACT + 500000;
	for (size_t k = 0; k < PL_COUNT(theta); k++) {
		double sum = wl_zeta(0, WL_ZETA_EXACT, theta[k], 0), direct = 0, compensation = 0;
		for (uint64_t i = WL_ZETA_EXACT + 1; i <= n; i++) {
			double term = pow((double)i, -theta[k]) - compensation, next = direct + term;
			compensation = (next - direct) - term;
			direct = next;
		}
		double tail = wl_zeta(0, n, theta[k], 0) - sum;
		assert_true(fabs(tail - direct) <= 1e-15 * sum + 1e-12 * direct);
	}
}

/* Growing by one gives the bits of the sum at once, as long as both are sums of single terms. */
static void zeta_grows_term_by_term(void **state)
{
	(void)state;
	double sum = wl_zeta(0, 1000, 0.99, 0);
	for (uint64_t n = 1000; n < 5000; n++)
		sum = wl_zeta(n, n + 1, 0.99, sum);
	assert_true(sum == wl_zeta(0, 5000, 0.99, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"workload.pow.exact_cases", exact_cases, NULL, NULL, NULL},
		{"workload.pow.power_rounds_correctly", power_rounds_correctly, NULL, NULL, NULL},
		{"workload.pow.power_holds_over_wide_arguments", power_holds_over_wide_arguments, NULL, NULL, NULL},
		{"workload.pow.logarithm_rounds_correctly", logarithm_rounds_correctly, NULL, NULL, NULL},
		{"workload.pow.items_agree_with_libm", items_agree_with_libm, NULL, NULL, NULL},
		{"workload.pow.zeta_matches_upstreams_constant", zeta_matches_upstreams_constant, NULL, NULL, NULL},
		{"workload.pow.zeta_tail_joins_the_sum", zeta_tail_joins_the_sum, NULL, NULL, NULL},
		{"workload.pow.zeta_grows_term_by_term", zeta_grows_term_by_term, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
