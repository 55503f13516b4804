/* The generators: golden outputs for given draws, distributions, and the figures that the stock names hide.
 *
 * Golden files (workloads/golden/<name>.txt) hold the first 1000 outputs for the draws bits(i) = splitmix64's output
 * for the state i (pl_mix64), i = 0, 1, 2, ..., and u = (bits >> 11) / 2^53; generators of two draws take bits(2i) and
 * bits(2i + 1). PAGELAB_UPDATE_GOLDEN=1 in the environment writes them anew. The upstream ones were checked against
 * the Java classes fed with the same draws. */
#include "workloads/chi_square.h"
#include "workloads/generators.h"
#include "workloads/pow.h"

#include "engine/base/rng.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_near(value, want, tolerance)                                                                            \
	do {                                                                                                           \
		if (fabs((value) - (want)) > (tolerance))                                                              \
			fail_msg("%s is %.5f, not %.5f", #value, (value), (want));                                     \
	} while (0)

#define GOLDENS 1000u
#define NO_VALUE UINT64_MAX /* a draw that was refused */

static double u_at(uint64_t i)
{
	return gen_unit(pl_mix64(i));
}

static void update_golden(const char *path, const char *what, const uint64_t *value)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fprintf(file, "# %s\n", what);
	for (unsigned i = 0; i < GOLDENS; i++)
		if (value[i] == NO_VALUE)
			(void)fputs("refused\n", file);
		else
			(void)fprintf(file, "%" PRIu64 "\n", value[i]);
	assert_int_equal(fclose(file), 0);
}

static void compare_golden(const char *path, const uint64_t *value)
{
	char line[256];
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("%s is missing; run in the root of the source tree", path);
	assert_non_null(fgets(line, sizeof line, file));
	for (unsigned i = 0; i < GOLDENS; i++) {
		if (!fgets(line, sizeof line, file))
			fail_msg("%s ends before output %u", path, i);
		uint64_t want = strncmp(line, "refused", 7) == 0 ? NO_VALUE : strtoull(line, NULL, 10);
		if (want != value[i])
			fail_msg("%s: output %u is %" PRIu64 ", not %s", path, i, value[i], line);
	}
	(void)fclose(file);
}

static void golden(const char *name, const char *what, const uint64_t *value)
{
	char path[256];
	(void)snprintf(path, sizeof path, "workloads/golden/%s.txt", name);
	if (getenv("PAGELAB_UPDATE_GOLDEN"))
		update_golden(path, what, value);
	compare_golden(path, value);
}

static void uniform_golden(void **state)
{
	(void)state;
	uint64_t v[GOLDENS];
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_uniform(100, 1000099, pl_mix64(i));
	golden("uniform", "uniform over 100..1000099", v);
}

static void zipfian_golden(void **state)
{
	(void)state;
	struct gen_zipfian g;
	uint64_t v[GOLDENS];
	gen_zipfian_init(&g, 100000, 0.99);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_zipfian(&g, 100000, u_at(i));
	golden("zipfian", "zipfian over 0..99999, theta 0.99", v);
	gen_zipfian_init(&g, 1000, 0.99);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_zipfian(&g, 1000 + i, u_at(i));
	golden("zipfian_growing", "zipfian built for 1000 items, draw i over 1000 + i items, theta 0.99", v);
	gen_zipfian_init(&g, 100000, 0.5);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_zipfian(&g, 100000, u_at(i));
	golden("zipfian_half", "zipfian over 0..99999, theta 0.5", v);
}

static void scrambled_golden(void **state)
{
	(void)state;
	struct gen_scrambled g;
	uint64_t v[GOLDENS];
	gen_scrambled_init(&g, 0, 1000001, 0.99, false);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_scrambled(&g, u_at(i));
	golden("scrambled", "scrambled zipfian over 0..1000000, theta 0.99", v);
	gen_scrambled_init(&g, 0, 1000000, 0.99, true);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_scrambled(&g, u_at(i));
	golden("scrambled_cpp", "scrambled zipfian of YCSB-cpp over 0..999999, theta 0.99", v);
}

static void latest_golden(void **state)
{
	(void)state;
	struct gen_acknowledged count;
	struct gen_zipfian g;
	uint64_t v[GOLDENS];
	assert_int_equal(gen_acknowledged_init(&count, 1000, 1u << 20), PL_OK);
	gen_zipfian_init(&g, count.limit, 0.99);
	for (uint64_t i = 0; i < GOLDENS; i++) {
		if (i % 3 == 2)
			gen_acknowledge(&count, count.next++);
		v[i] = gen_latest(&g, count.limit, u_at(i));
	}
	gen_acknowledged_deinit(&count);
	golden("latest", "latest over 1000 numbers, one more acknowledged before each third draw", v);
}

static void hotspot_golden(void **state)
{
	(void)state;
	struct gen_hotspot g;
	uint64_t v[GOLDENS];
	gen_hotspot_init(&g, 0, 99999, 0.2, 0.8);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_hotspot(&g, u_at(2 * i), pl_mix64(2 * i + 1));
	golden("hotspot", "hotspot over 0..99999, 0.2 of the numbers get 0.8 of the draws", v);
}

static void exponential_golden(void **state)
{
	(void)state;
	struct gen_exponential g;
	uint64_t v[GOLDENS];
	gen_exponential_init(&g, 95, 100000 * 0.8571428571);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_exponential(&g, u_at(i));
	golden("exponential", "exponential, 95 percent below 100000 * 0.8571428571, truncated", v);
}

static void discrete_golden(void **state)
{
	(void)state;
	struct gen_discrete g;
	const double weight[] = {0.5, 0.2, 0, 0.1, 0.4};
	uint64_t v[GOLDENS];
	gen_discrete_init(&g, weight, PL_COUNT(weight));
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_discrete(&g, u_at(i));
	golden("discrete", "discrete, weights 0.5 0.2 0 0.1 0.4 of 0..4", v);
}

static void histogram_golden(void **state)
{
	(void)state;
	struct gen_histogram g;
	struct pl_fault f;
	uint64_t v[GOLDENS];
	assert_int_equal(gen_histogram_load(&g, "workloads/golden/histogram_input.txt", &f), PL_OK);
	assert_int_equal(g.area, 100);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_histogram(&g, i % g.area);
	gen_histogram_deinit(&g);
	golden("histogram", "histogram of histogram_input.txt, number i mod 100", v);
}

static void zipf_golden(void **state)
{
	(void)state;
	struct gen_zipf *z;
	struct gen_scatter s;
	uint64_t v[GOLDENS], rank;
	assert_int_equal(gen_zipf_open(1000000, 0.99, &z), PL_OK);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_zipf(z, pl_mix64(2 * i), pl_mix64(2 * i + 1), &rank) ? rank : NO_VALUE;
	golden("zipf", "ranks of Zipf over 1000000 items, theta 0.99", v);
	gen_zipf_close(z);
	gen_scatter_init(&s, 1000000, 42);
	for (uint64_t i = 0; i < GOLDENS; i++)
		v[i] = gen_scatter(&s, i);
	golden("scatter", "numbers of the ranks 0..999 of 1000000, key 42", v);
}

static void fnv_check_values(void **state)
{
	(void)state;
	assert_true(gen_fnv64_abs(0) == 6284781860667377211u);
	assert_true(gen_fnv64_abs(1) == 8517097267634966620u);
	assert_true(gen_fnv64_abs(1000) == 5952875239596136740u);
	unsigned negative = 0;
	for (uint64_t i = 0; i < 1000; i++)
		negative += (unsigned)(gen_fnv64(i) >> 63);
	assert_in_range(negative, 400, 600);
}

#define CELLS 1000u
#define DRAWS 1000000u
#define FITS 5.0

static void uniform_fits(void **state)
{
	(void)state;
	uint64_t count[CELLS] = {0};
	double p[CELLS];
	struct pl_rng r;
	pl_rng_seed(&r, 1, 1);
	for (unsigned i = 0; i < DRAWS; i++)
		count[gen_uniform(7, CELLS + 6, pl_rng_next(&r)) - 7]++;
	for (unsigned i = 0; i < CELLS; i++)
		p[i] = 1.0 / CELLS;
	assert_true(chi_square_excess(count, p, CELLS, DRAWS) < FITS);
}

/* Gray's method is no exact Zipf: its probabilities are the lengths of the intervals of u that give an item. */
static void zipfian_fits_grays_intervals(void **state)
{
	(void)state;
	uint64_t count[CELLS + 1] = {0};
	double p[CELLS + 1];
	struct gen_zipfian g;
	struct pl_rng r;
	gen_zipfian_init(&g, CELLS, 0.99);
	pl_rng_seed(&r, 2, 1);
	for (unsigned i = 0; i < DRAWS; i++)
		count[gen_zipfian(&g, CELLS, pl_rng_unit(&r))]++;
	double from = g.second / g.zetan;
	p[0] = 1 / g.zetan;
	p[1] = from - p[0];
	for (unsigned k = 0; k <= CELLS; k++) {
		double next = (pow((k + 1.0) / CELLS, 1 / g.alpha) + g.eta - 1) / g.eta, to = next > 1 ? 1 : next;
		p[k] = (k < 2 ? p[k] : 0) + (to > from ? to - from : 0);
		from = to > from ? to : from;
	}
	assert_true(fabs(p[0] - 1 / g.zetan) < 1e-3);
	assert_true(chi_square_excess(count, p, CELLS + 1, DRAWS) < FITS);
}

static void check_zipf(uint64_t items, double theta, uint64_t seed)
{
	struct gen_zipf *z;
	struct pl_rng r;
	uint64_t *count = calloc(items, sizeof *count), rank, a, draws = DRAWS;
	double *p = calloc(items, sizeof *p), zeta = 0;
	assert_true(count && p);
	assert_int_equal(gen_zipf_open(items, theta, &z), PL_OK);
	pl_rng_seed(&r, seed, 1);
	for (uint64_t i = 0; i < draws; i++) {
		do
			a = pl_rng_next(&r);
		while (!gen_zipf(z, a, pl_rng_next(&r), &rank));
		count[rank]++;
	}
	for (uint64_t i = 0; i < items; i++)
		zeta += p[i] = pow((double)(i + 1), -theta);
	for (uint64_t i = 0; i < items; i++)
		p[i] /= zeta;
	double excess = chi_square_excess(count, p, items, draws);
	if (excess >= FITS)
		fail_msg("zipf over %" PRIu64 " items, theta %g: %g standard deviations", items, theta, excess);
	gen_zipf_close(z);
	free(count);
	free(p);
}

static void zipf_fits(void **state)
{
	(void)state;
	check_zipf(1, 0.99, 1);
	check_zipf(2, 0.99, 2);
	check_zipf(100, 0.99, 3);
	check_zipf(10000, 0.99, 4);
	check_zipf(10000, 0, 5);
	check_zipf(5000, 0.5, 6);
	check_zipf(5000, 1, 7);
	check_zipf(1000, 2.5, 8);
}

/* The least word that chooses a rank of rank's bucket or beyond. */
static uint64_t zipf_boundary(const struct gen_zipf *z, uint64_t rank)
{
	uint64_t low = 0, high = UINT64_MAX, first;
	while (low < high) {
		uint64_t a = low + (high - low) / 2;
		(void)gen_zipf(z, a, 0, &first);
		if (first >= rank)
			high = a;
		else
			low = a + 1;
	}
	return low;
}

/* No sampling: a bucket takes width * weight(first) of the first word's range, a rank of it the share
 * weight(rank) / weight(first) of its part of the second word's. */
static void zipf_parts_are_exact(void **state)
{
	(void)state;
	struct gen_zipf *z;
	uint64_t first, last, rank;
	assert_int_equal(gen_zipf_open(1000000, 0.99, &z), PL_OK);
	double whole = (double)zipf_boundary(z, 1);
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t a = pl_mix64(i);
		(void)gen_zipf(z, a, 0, &first);
		(void)gen_zipf(z, a, UINT64_MAX, &last);
		uint64_t width = last - first + 1, from = zipf_boundary(z, first), to = zipf_boundary(z, last + 1);
		assert_true(a >= from && a <= to);
		if (last + 1 < 1000000) {
			double want = (double)width * pow((double)(first + 1), -0.99);
			assert_near((double)(to - from) / whole / want, 1.0, 1e-9);
		}
		const uint64_t part[] = {0, width / 2, width - 1};
		for (size_t k = 0; k < PL_COUNT(part); k++) {
			unsigned taken = 0;
			for (unsigned v = 0; v < 1000; v++) {
				double where = ((double)part[k] + (v + 0.5) / 1000) / (double)width;
				bool ok = gen_zipf(z, a, (uint64_t)(where * 0x1p64), &rank);
				assert_int_equal(rank, first + part[k]);
				taken += ok;
			}
			double want = pow((double)(first + 1 + part[k]) / (double)(first + 1), -0.99);
			assert_near(taken / 1000.0, want, 0.001);
		}
	}
	gen_zipf_close(z);
}

static void hotspot_fits(void **state)
{
	(void)state;
	uint64_t count[CELLS] = {0};
	double p[CELLS];
	struct gen_hotspot g;
	struct pl_rng r;
	gen_hotspot_init(&g, 0, CELLS - 1, 0.2, 0.8);
	pl_rng_seed(&r, 3, 1);
	for (unsigned i = 0; i < DRAWS; i++) {
		double u = pl_rng_unit(&r);
		count[gen_hotspot(&g, u, pl_rng_next(&r))]++;
	}
	for (unsigned i = 0; i < CELLS; i++)
		p[i] = i < 200 ? 0.8 / 200 : 0.2 / 800;
	assert_true(chi_square_excess(count, p, CELLS, DRAWS) < FITS);
}

static void exponential_fits(void **state)
{
	(void)state;
	uint64_t count[CELLS] = {0};
	double p[CELLS], range = 100, gamma = -log(0.05) / range;
	struct gen_exponential g;
	struct pl_rng r;
	gen_exponential_init(&g, 95, range);
	pl_rng_seed(&r, 4, 1);
	for (unsigned i = 0; i < DRAWS; i++)
		count[pl_min64(gen_exponential(&g, pl_rng_unit(&r)), CELLS - 1)]++;
	for (unsigned i = 0; i < CELLS; i++)
		p[i] = exp(-gamma * i) - (i + 1 < CELLS ? exp(-gamma * (i + 1)) : 0);
	assert_true(chi_square_excess(count, p, CELLS, DRAWS) < FITS);
	assert_true(gen_exponential(&g, 0) == UINT64_MAX);
}

static void discrete_fits(void **state)
{
	(void)state;
	const double weight[] = {0.5, 0, 0.25, 1.25}, p[] = {0.25, 0, 0.125, 0.625};
	uint64_t count[4] = {0};
	struct gen_discrete g;
	struct pl_rng r;
	gen_discrete_init(&g, weight, 4);
	pl_rng_seed(&r, 5, 1);
	for (unsigned i = 0; i < DRAWS; i++)
		count[gen_discrete(&g, pl_rng_unit(&r))]++;
	assert_int_equal(count[1], 0);
	assert_true(chi_square_excess(count, p, 4, DRAWS) < FITS);
	assert_int_equal(gen_discrete(&g, 1 - 0x1p-53), 3);
}

static void scatter_is_a_permutation(void **state)
{
	(void)state;
	static const uint64_t sizes[] = {1, 2, 3, 7, 64, 1000, 65537};
	static uint8_t seen[65537];
	for (size_t k = 0; k < PL_COUNT(sizes); k++) {
		struct gen_scatter s;
		gen_scatter_init(&s, sizes[k], 9);
		memset(seen, 0, sizeof seen);
		for (uint64_t i = 0; i < sizes[k]; i++) {
			uint64_t n = gen_scatter(&s, i);
			assert_true(n < sizes[k] && !seen[n]);
			seen[n] = 1;
		}
	}
}

static void scatter_depends_on_its_key(void **state)
{
	(void)state;
	struct gen_scatter a, b;
	unsigned same = 0, neighbours = 0;
	gen_scatter_init(&a, 100000, 1);
	gen_scatter_init(&b, 100000, 2);
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t x = gen_scatter(&a, i), y = gen_scatter(&a, i + 1);
		same += x == gen_scatter(&b, i);
		neighbours += (x > y ? x - y : y - x) < 100;
	}
	assert_in_range(same, 0, 5);
	assert_in_range(neighbours, 0, 60); /* 20 expected */
}

static void acknowledged_limit_is_a_contiguous_prefix(void **state)
{
	(void)state;
	struct gen_acknowledged g;
	assert_int_equal(gen_acknowledged_init(&g, 10, 64), PL_OK);
	assert_int_equal(g.limit, 9);
	for (int i = 0; i < 60; i++)
		g.next++;
	gen_acknowledge(&g, 11);
	gen_acknowledge(&g, 13);
	assert_int_equal(g.limit, 9);
	gen_acknowledge(&g, 10);
	assert_int_equal(g.limit, 11);
	gen_acknowledge(&g, 12);
	assert_int_equal(g.limit, 13);
	for (uint64_t v = 69; v > 13; v--)
		gen_acknowledge(&g, v);
	assert_int_equal(g.limit, 69);
	for (int i = 0; i < 1000; i++)
		gen_acknowledge(&g, g.next++);
	assert_int_equal(g.limit, 1069);
	assert_int_equal(g.pending[0], 0);
	gen_acknowledged_deinit(&g);
}

static void latest_counts_back_from_the_newest(void **state)
{
	(void)state;
	struct gen_zipfian g;
	gen_zipfian_init(&g, 999, 0.99);
	assert_int_equal(gen_latest(&g, 999, 0), 999);
	assert_int_equal(gen_latest(&g, 5000, 0), 5000);
	assert_true(gen_latest(&g, 5000, 1 - 0x1p-53) <= 1);
}

struct shares {
	double hottest, top100, top1, top10, beyond;
};

static int falling(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x < *y) - (*x > *y);
}

static double share(const uint32_t *count, uint64_t n, uint64_t draws)
{
	uint64_t sum = 0;
	for (uint64_t i = 0; i < n; i++)
		sum += count[i];
	return (double)sum / (double)draws;
}

static struct shares shares_of(uint32_t *count, uint64_t n, uint64_t draws)
{
	qsort(count, n, sizeof *count, falling);
	return (struct shares){share(count, 1, draws), share(count, 100, draws), share(count, n / 100, draws),
		share(count, n / 10, draws), 0};
}

/* Probability that Gray's method draws one of the first k items, k > 2: where its formula reaches k. */
static double below(const struct gen_zipfian *g, uint64_t k)
{
	return (pow((double)k / (double)g->items, 1 / g->alpha) + g->eta - 1) / g->eta;
}

/* "zipfian 0.99" over 10^5 records: half of the draws are spread evenly, because their rank among the 10^10 lies
 * beyond the records. Shares expected: sums over ranks below n, plus the even part. */
static void scrambled_is_not_zipf(void **state)
{
	(void)state;
	const uint64_t n = 100000, draws = 4000000;
	uint32_t *count = calloc(n, sizeof *count);
	struct gen_scrambled g;
	struct pl_rng r;
	uint64_t beyond = 0;
	assert_non_null(count);
	gen_scrambled_init(&g, 0, n, 0.99, false);
	pl_rng_seed(&r, 6, 1);
	for (uint64_t i = 0; i < draws; i++) {
		double u = pl_rng_unit(&r);
		beyond += gen_zipfian(&g.inner, GEN_SCRAMBLED_ITEMS, u) >= n;
		count[gen_scrambled(&g, u)]++;
	}
	struct shares s = shares_of(count, n, draws);
	free(count);
	s.beyond = (double)beyond / (double)draws;
	double even = 1 - wl_zeta(0, n, 0.99, 0) / GEN_SCRAMBLED_ZETA;
	assert_near(even, 0.5172, 0.0001);
	assert_near(s.beyond, 1 - below(&g.inner, n), 0.001);
	assert_near(s.beyond, 0.5125, 0.001);
	assert_near(s.hottest, 1 / GEN_SCRAMBLED_ZETA, 0.001);
	assert_near(s.top100, below(&g.inner, 100), 0.002);
	assert_true(s.top1 < 0.33 && s.top10 < 0.50);
}

static void zipf_shares(void **state)
{
	(void)state;
	const uint64_t n = 100000, draws = 2000000;
	uint32_t *count = calloc(n, sizeof *count);
	struct gen_zipf *z;
	struct pl_rng r;
	uint64_t rank, a;
	double zeta = wl_zeta(0, n, 0.99, 0);
	assert_non_null(count);
	assert_int_equal(gen_zipf_open(n, 0.99, &z), PL_OK);
	pl_rng_seed(&r, 7, 1);
	for (uint64_t i = 0; i < draws; i++) {
		do
			a = pl_rng_next(&r);
		while (!gen_zipf(z, a, pl_rng_next(&r), &rank));
		count[rank]++;
	}
	gen_zipf_close(z);
	assert_near(share(count, 1, draws), 1 / zeta, 0.001);
	assert_near(share(count, 100, draws), wl_zeta(0, 100, 0.99, 0) / zeta, 0.002);
	assert_near(share(count, n / 100, draws), wl_zeta(0, n / 100, 0.99, 0) / zeta, 0.002);
	assert_near(share(count, n / 10, draws), wl_zeta(0, n / 10, 0.99, 0) / zeta, 0.002);
	assert_true(share(count, n / 100, draws) > 0.60);
	free(count);
}

/* The figures for 10^6 records that CONFORMANCE.md states. */
static void shares_at_a_million(void **state)
{
	(void)state;
	const uint64_t n = 1000000, draws = 3000000;
	uint32_t *count = calloc(n, sizeof *count);
	struct gen_scrambled g;
	struct pl_rng r;
	assert_non_null(count);
	gen_scrambled_init(&g, 0, n, 0.99, false);
	pl_rng_seed(&r, 8, 1);
	for (uint64_t i = 0; i < draws; i++)
		count[gen_scrambled(&g, pl_rng_unit(&r))]++;
	struct shares s = shares_of(count, n, draws);
	free(count);
	double zeta = wl_zeta(0, n, 0.99, 0);
	assert_near(s.hottest, 0.038, 0.001);
	assert_near(s.top100, 0.207, 0.003);
	assert_near(1 - zeta / GEN_SCRAMBLED_ZETA, 0.4185, 0.0001);
	assert_near(1 / zeta, 0.06497, 0.00001);
	assert_near(wl_zeta(0, 100, 0.99, 0) / zeta, 0.3440, 0.0001);
	assert_near(wl_zeta(0, n / 100, 0.99, 0) / zeta, 0.6643, 0.0001);
	assert_near(wl_zeta(0, n / 10, 0.99, 0) / zeta, 0.8302, 0.0001);
	/* Gray's method over the same items, not scrambled, is a little hotter than Zipf. */
	struct gen_zipfian gray;
	gen_zipfian_init(&gray, n, 0.99);
	assert_near(below(&gray, 100), 0.3544, 0.0001);
	assert_near(below(&gray, n / 100), 0.6698, 0.0001);
	assert_near(below(&gray, n / 10), 0.8330, 0.0001);
}

#define T(name, function)                                                                                              \
	{                                                                                                              \
		"workload." name, function, NULL, NULL, NULL                                                           \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T("uniform.golden", uniform_golden),
		T("zipfian.golden", zipfian_golden),
		T("scrambled.golden", scrambled_golden),
		T("latest.golden", latest_golden),
		T("hotspot.golden", hotspot_golden),
		T("exponential.golden", exponential_golden),
		T("discrete.golden", discrete_golden),
		T("histogram.golden", histogram_golden),
		T("zipf.golden", zipf_golden),
		T("fnv64.check_values", fnv_check_values),
		T("uniform.fits", uniform_fits),
		T("zipfian.fits_grays_intervals", zipfian_fits_grays_intervals),
		T("zipf.fits", zipf_fits),
		T("zipf.parts_are_exact", zipf_parts_are_exact),
		T("hotspot.fits", hotspot_fits),
		T("exponential.fits", exponential_fits),
		T("discrete.fits", discrete_fits),
		T("zipf.scatter_is_a_permutation", scatter_is_a_permutation),
		T("zipf.scatter_depends_on_its_key", scatter_depends_on_its_key),
		T("latest.limit_is_a_contiguous_prefix", acknowledged_limit_is_a_contiguous_prefix),
		T("latest.counts_back_from_the_newest", latest_counts_back_from_the_newest),
		T("scrambled.is_not_zipf", scrambled_is_not_zipf),
		T("zipf.shares", zipf_shares),
		T("scrambled.shares_at_a_million", shares_at_a_million),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
