/* closed_forms_test.c - the closed forms against published values, against simulations of a few lines, and against
 * other ways to solve the same equations, at parameters that no table has, too.
 *
 * The tables' Monte Carlo columns were made with 2 to 3 open or reserve blocks that the formula does not know; they lie
 * between the formula at u N/(N-2) and at u N/(N-3), N = 2048 blocks. */
#include "harness/closed_forms.h"

#include "engine/base/rng.h"
#include "engine/base/types.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_within(const char *what, double u, double got, double wanted, double relative)
{
	if (fabs(got - wanted) <= relative * wanted)
		return;
	fail_msg("%s at u=%g: %.6f, wanted %.6f within %g", what, u, got, wanted, relative);
}

/* 0.4 %: the noise of the Monte Carlo columns. */
static void assert_between(const char *what, double u, double got, double low, double high)
{
	if (got < low * 0.996 || got > high * 1.004)
		fail_msg("%s at u=%g: %.4f is not in %.4f .. %.4f", what, u, got, low, high);
}

/* A cell that shows three decimals. */
static void assert_cell(const char *what, double u, double got, double cell)
{
	if (fabs(got - cell) <= 0.00051)
		return;
	fail_msg("%s at u=%g: %.5f, the table says %.3f", what, u, got, cell);
}

static void assert_cell2(const char *what, double u, double got, double cell)
{
	if (fabs(got - cell) <= 0.0051)
		return;
	fail_msg("%s at u=%g: %.4f, the table says %.2f", what, u, got, cell);
}

/* ---- tables */

static const struct {
	double u, fifo, fifo_mc, greedy_64, greedy_256, greedy_64_mc, greedy_256_mc, greedy_16, greedy_16_mc, two, ten;
} uniform[] = {
	{0.5, 1.255, 1.256, 1.239, 1.251, 1.240, 1.252, 1.196, 1.197, 1.541, 1.271},
	{0.6, 1.480, 1.482, 1.455, 1.474, 1.456, 1.476, 1.391, 1.391, 1.863, 1.504},
	{0.7, 1.876, 1.882, 1.833, 1.865, 1.835, 1.871, 1.722, 1.722, 2.438, 1.913},
	{0.8, 2.693, 2.709, 2.599, 2.668, 2.602, 2.684, 2.361, 2.363, 3.590, 2.750},
	{0.9, 5.179, 5.249, 4.821, 5.083, 4.835, 5.152, 3.981, 3.985, 7.096, 5.294},
	{0.95, 10.172, 10.465, 8.850, 9.798, 8.899, 10.072, 6.590, 6.605, 14.141, 10.394},
};

static void table_uniform(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(uniform); i++) {
		double u = uniform[i].u, two = u * 2048 / (2048 - 2), three = u * 2048 / (2048 - 3);
		assert_cell("fifo", u, closed_fifo(u), uniform[i].fifo);
		assert_cell("greedy, 16 pages", u, closed_greedy(u, 16), uniform[i].greedy_16);
		assert_cell("greedy, 64 pages", u, closed_greedy(u, 64), uniform[i].greedy_64);
		assert_cell("greedy, 256 pages", u, closed_greedy(u, 256), uniform[i].greedy_256);
		assert_between("fifo, Monte Carlo", u, uniform[i].fifo_mc, closed_fifo(two), closed_fifo(three));
		assert_between("greedy 64, Monte Carlo", u, uniform[i].greedy_64_mc, closed_greedy(u, 64),
			closed_greedy(three, 64));
		assert_between("greedy 256, Monte Carlo", u, uniform[i].greedy_256_mc, closed_greedy(two, 256),
			closed_greedy(three, 256));
		assert_within("2 choices, Monte Carlo", u, closed_choices(three, 256, 2), uniform[i].two, 0.007);
		assert_within("10 choices, Monte Carlo", u, closed_choices(three, 256, 10), uniform[i].ten, 0.007);
	}
}

static const struct {
	double writes, data, u, fifo, optimal;
} classes[] = {
	{0.8, 0.2, 0.7, 2.20, 1.49},
	{0.8, 0.2, 0.8, 3.03, 2.00},
	{0.8, 0.2, 0.9, 5.54, 3.57},
	{0.8, 0.2, 0.95, 10.54, 6.76},
	{0.9, 0.1, 0.7, 2.59, 1.22},
	{0.9, 0.1, 0.8, 3.53, 1.48},
	{0.9, 0.1, 0.9, 6.17, 2.34},
	{0.9, 0.1, 0.95, 11.25, 4.11},
	/* u = 0.875, another simulator's "optimal" (Haas et al., PVLDB 2025), which is itself a simulation */
	{0.8, 0.2, 0.875, 0, 2.94},
	{0.9, 0.1, 0.875, 0, 1.99},
	{0.95, 0.05, 0.875, 0, 1.44},
};

static void table_hot_cold(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(classes); i++) {
		struct closed_class c[2];
		double u = classes[i].u;
		closed_hot_cold(classes[i].writes, classes[i].data, c);
		if (classes[i].fifo > 0) {
			assert_cell2("fifo mixed", u, closed_fifo_classes(u, c, 2), classes[i].fifo);
			assert_cell2("optimal", u, closed_optimal(u, c, 2, NULL), classes[i].optimal);
		} else
			assert_within("optimal", u, closed_optimal(u, c, 2, NULL), classes[i].optimal, 0.0045);
	}
}

static const struct {
	double theta, u, fifo, optimal;
} zipf[] = {
	{0.8, 0.7, 2.37, 1.49},
	{0.8, 0.8, 3.41, 1.96},
	{0.8, 0.9, 6.45, 3.44},
	{0.99, 0.7, 2.73, 1.25},
	{0.99, 0.8, 4.00, 1.50},
	{0.99, 0.9, 7.70, 2.29},
};

static void table_zipf(void **state)
{
	static struct closed_class c[CLOSED_GROUPS_MAX];
	(void)state;
	for (size_t i = 0; i < PL_COUNT(zipf); i++) {
		double u = zipf[i].u;
		uint64_t items = (uint64_t)(u * 2048 * 128);
		size_t n = closed_zipf(items, zipf[i].theta, c);
		assert_cell2("fifo, Zipf", u, closed_fifo_classes(u, c, n), zipf[i].fifo);
		n = closed_zipf_equal(items, zipf[i].theta, 10, c);
		assert_int_equal(n, 10);
		assert_cell2("optimal of 10 groups", u, closed_optimal(u, c, n, NULL), zipf[i].optimal);
	}
}

/* ---- direct simulation: no free block is needed, for what is valid in a victim stays where it is */

#define BLOCKS 1200u
#define PAGES_MAX 64u
#define FREE UINT32_MAX

enum victim { OLDEST, BEST_OF };

struct sim {
	uint32_t page_at[BLOCKS * PAGES_MAX], place_of[BLOCKS * PAGES_MAX], valid[BLOCKS];
	uint32_t block_pages, live, hot, open, next, turn;
	uint64_t host, moved;
	double hot_writes;
	struct pl_rng rng;
};

static uint32_t choose_victim(struct sim *s, enum victim how, unsigned choices)
{
	if (how == OLDEST)
		return s->turn = (s->turn + 1) % BLOCKS;
	uint32_t best = FREE;
	for (unsigned i = 0; i < choices; i++) {
		uint32_t b = choices >= BLOCKS ? i % BLOCKS : (uint32_t)pl_rng_below(&s->rng, BLOCKS);
		if (b != s->open && (best == FREE || s->valid[b] < s->valid[best]))
			best = b;
	}
	return best == FREE ? choose_victim(s, how, choices) : best;
}

/* Overwrite n pages. */
static void overwrite(struct sim *s, uint64_t n, enum victim how, unsigned choices)
{
	while (n--) {
		bool is_hot = s->hot && (double)pl_rng_below(&s->rng, 1000000) < s->hot_writes * 1e6;
		uint32_t page = !s->hot  ? (uint32_t)pl_rng_below(&s->rng, s->live)
				: is_hot ? (uint32_t)pl_rng_below(&s->rng, s->hot)
					 : s->hot + (uint32_t)pl_rng_below(&s->rng, s->live - s->hot);
		uint32_t end = (s->open + 1) * s->block_pages;
		while (s->next < end && s->page_at[s->next] != FREE)
			s->next++;
		while (s->next == end) { /* nothing free in the open block: clean the next */
			s->open = choose_victim(s, how, choices);
			s->moved += s->valid[s->open];
			s->next = s->open * s->block_pages;
			end = s->next + s->block_pages;
			while (s->next < end && s->page_at[s->next] != FREE)
				s->next++;
		}
		uint32_t old = s->place_of[page];
		s->page_at[old] = FREE;
		s->valid[old / s->block_pages]--;
		s->page_at[s->next] = page;
		s->place_of[page] = s->next++;
		s->valid[s->open]++;
		s->host++;
	}
}

/* Write amplification of `live` pages in BLOCKS blocks after a warm-up. hot: pages of the hot class, 0 for none. */
static double simulate(double u, uint32_t block_pages, enum victim how, unsigned choices, double writes, double data)
{
	struct sim *s = calloc(1, sizeof *s);
	assert_non_null(s);
	uint32_t pages = BLOCKS * block_pages;
	s->block_pages = block_pages;
	s->live = (uint32_t)(u * pages);
	s->hot = (uint32_t)(data * s->live);
	s->hot_writes = writes;
	pl_rng_seed(&s->rng, 7, 1);
	for (uint32_t i = 0; i < pages; i++)
		s->page_at[i] = FREE;
	for (uint32_t i = 0; i < s->live; i++) { /* spread evenly over the blocks */
		uint32_t at = i % BLOCKS * block_pages + i / BLOCKS;
		s->page_at[at] = i;
		s->place_of[i] = at;
		s->valid[i % BLOCKS]++;
	}
	overwrite(s, 25 * (uint64_t)s->live, how, choices);
	s->host = s->moved = 0;
	overwrite(s, 25 * (uint64_t)s->live, how, choices);
	double wa = (double)(s->host + s->moved) / (double)s->host;
	free(s);
	return wa;
}

/* Parameters of no table. The open block is half written on average: half a block is not usable. */
static double corrected(double u)
{
	return u * BLOCKS / (BLOCKS - 0.5);
}

static void simulated_fifo(void **state)
{
	static const double u[] = {0.43, 0.73, 0.86};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(u); i++)
		assert_within("fifo, simulated", u[i], simulate(u[i], 16, OLDEST, 0, 0, 0),
			closed_fifo(corrected(u[i])), 0.006);
}

static void simulated_choices(void **state)
{
	static const struct {
		double u;
		uint32_t block_pages;
		unsigned choices;
	} c[] = {{0.66, 12, 2}, {0.84, 24, 3}, {0.84, 24, 5}, {0.75, 20, 1}};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(c); i++)
		assert_within("choices, simulated", c[i].u,
			simulate(c[i].u, c[i].block_pages, BEST_OF, c[i].choices, 0, 0),
			closed_choices(corrected(c[i].u), c[i].block_pages, c[i].choices), 0.006);
}

static void simulated_classes(void **state)
{
	static const struct {
		double u, writes, data;
	} c[] = {{0.77, 0.95, 0.05}, {0.85, 0.7, 0.2}, {0.6, 0.85, 0.15}};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(c); i++) {
		struct closed_class class[2];
		closed_hot_cold(c[i].writes, c[i].data, class);
		assert_within("classes, simulated", c[i].u, simulate(c[i].u, 16, OLDEST, 0, c[i].writes, c[i].data),
			closed_fifo_classes(corrected(c[i].u), class, 2), 0.01);
	}
}

/* ---- other ways to the same number */

static void fifo_by_bisection_and_back(void **state)
{
	(void)state;
	for (double u = 0.01; u < 0.995; u += 0.007) {
		double low = 0, high = u; /* v - exp(-(1-v)/u) falls through its root below u */
		for (int i = 0; i < 100; i++) {
			double v = (low + high) / 2;
			if (v < exp(-(1 - v) / u))
				low = v;
			else
				high = v;
		}
		assert_within("fifo, bisection", u, closed_fifo(u), 1 / (1 - low), 1e-10);
		if (u > 0.05) /* below, write amplification is 1 to the last digit */
			assert_within("fifo, inverse", u, closed_fifo_utilisation(closed_fifo(u)), u, 1e-7);
	}
}

static void greedy_is_the_limit_of_choices(void **state)
{
	static const uint64_t pages[] = {1, 2, 3, 7, 16, 100, 256};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(pages); i++)
		for (double u = 0.05; u < 0.99; u += 0.0853) {
			/* 10^6 choices leave blocks out with at most a millionth of a chance. */
			assert_within("greedy, choices", u, closed_choices(u, pages[i], 1000000),
				closed_greedy(u, pages[i]), 2e-5 * (double)pages[i]);
			assert_true(closed_greedy(u, pages[i]) <= closed_fifo(u) * (1 + 1e-9));
			assert_within("one choice", u, closed_choices(u, pages[i], 1), 1 / (1 - u), 1e-9);
		}
	assert_within("greedy, large blocks", 0.8, closed_greedy(0.8, 1000000), closed_fifo(0.8), 1e-4);
}

static void classes_that_are_alike_are_one(void **state)
{
	static const struct closed_class alike[] = {{1, 1}, {3, 3}, {0.5, 0.5}};
	static struct closed_class zipf_flat[CLOSED_GROUPS_MAX];
	double best[3];
	(void)state;
	for (double u = 0.1; u < 0.98; u += 0.11) {
		assert_within("classes, alike", u, closed_fifo_classes(u, alike, 3), closed_fifo(u), 1e-9);
		assert_within("optimal, alike", u, closed_optimal(u, alike, 3, best), closed_fifo(u), 1e-9);
		assert_within("best utilisation", u, best[2], u, 1e-6);
	}
	size_t n = closed_zipf(100000, 0, zipf_flat);
	assert_within("Zipf 0", 0.8, closed_fifo_classes(0.8, zipf_flat, n), closed_fifo(0.8), 1e-9);
}

/* The best of a fine grid of splits of the spare. */
static void optimum_by_search(void **state)
{
	static const struct {
		double u, writes, data;
	} c[] = {{0.66, 0.8, 0.2}, {0.83, 0.95, 0.05}, {0.93, 0.6, 0.4}, {0.9, 1, 0.3}};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(c); i++) {
		struct closed_class class[2];
		double best = 1e9, f = c[i].data, r = c[i].writes, at[2];
		for (double share = 0.0005; share < 1; share += 0.0005) {
			double a = f + share * (1 / c[i].u - 1), b = 1 / c[i].u - a;
			double wa = r * closed_fifo(f / a) + (r < 1 ? (1 - r) * closed_fifo((1 - f) / b) : 0);
			best = wa < best ? wa : best;
		}
		if (r >= 1) /* nothing is spared for what is never written */
			best = closed_fifo(f / (f + 1 / c[i].u - 1));
		closed_hot_cold(r, f, class);
		assert_within("optimal, search", c[i].u, closed_optimal(c[i].u, class, 2, at), best, 1e-4);
		assert_within("split", c[i].u, f / at[0] + (1 - f) / at[1], 1 / c[i].u, 1e-9);
	}
}

/* At the optimum one more page of medium saves each class the same: (1/v - 1 + ln v) f/r is equal for all. A class that
 * is hardly ever written has v next to 1, where this must not cancel. */
static void optimum_has_one_price(void **state)
{
	static const struct closed_class c[] = {{0.1, 0.9}, {0.3, 0.1}, {0.3, 1e-3}, {0.3, 1e-5}};
	double at[4], price[4];
	(void)state;
	assert_true(closed_optimal(0.85, c, 4, at) > 1);
	for (size_t i = 0; i < 4; i++) {
		long double v = 1 - 1 / (long double)closed_fifo(at[i]);
		price[i] = (double)((1 / v - 1 + logl(v)) * (long double)(c[i].data / c[i].writes));
		assert_within("price", at[i], price[i], price[0], 1e-3);
	}
}

static void grouping_does_not_show(void **state)
{
	static struct closed_class fine[CLOSED_GROUPS_MAX], every[CLOSED_GROUPS_MAX];
	(void)state;
	for (size_t i = 0; i < 1000; i++)
		every[i] = (struct closed_class){1, 1 / pow((double)(i + 1), 0.9)};
	size_t n = closed_zipf(1000, 0.9, fine);
	assert_true(n < 250);
	assert_within(
		"Zipf, groups", 0.8, closed_fifo_classes(0.8, fine, n), closed_fifo_classes(0.8, every, 1000), 1e-5);
	assert_within(
		"Zipf, groups", 0.8, closed_optimal(0.8, fine, n, NULL), closed_optimal(0.8, every, 1000, NULL), 1e-4);
	assert_true(closed_zipf(UINT64_MAX / 64, 0.99, fine) < CLOSED_GROUPS_MAX);
	n = closed_zipf_equal(1000, 0.9, 7, fine);
	double data = 0, writes = 0;
	for (size_t i = 0; i < n; i++) {
		data += fine[i].data;
		writes += fine[i].writes;
		assert_within("whole ranks", 0, fine[i].data * 1000, floor(fine[i].data * 1000 + 0.5), 1e-9);
		assert_true(fine[i].writes > 0.08 && fine[i].writes < 0.21); /* of 1/7, as near as ranks allow */
	}
	assert_within("shares", 0, data, 1, 1e-12);
	assert_within("shares", 0, writes, 1, 1e-12);
}

/* Against counting, and at its ends. */
static void distinct_pages_by_drawing(void **state)
{
	static const uint32_t cases[][2] = {{10, 5}, {1000, 100}, {1000, 1000}, {1000, 5000}};
	static bool hit[1000];
	struct pl_rng rng;
	(void)state;
	pl_rng_seed(&rng, 1, 0);
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		uint64_t seen = 0, rounds = 3000;
		for (uint64_t r = 0; r < rounds; r++) {
			memset(hit, 0, sizeof hit);
			for (uint32_t d = 0; d < cases[i][1]; d++) {
				bool *page = &hit[pl_rng_below(&rng, cases[i][0])];
				seen += !*page;
				*page = true;
			}
		}
		assert_within("distinct", cases[i][1], closed_distinct(cases[i][0], cases[i][1]),
			(double)seen / (double)rounds, 0.003);
	}
	assert_true(closed_distinct(1, 7) == 1 && closed_distinct(0, 7) == 0 && closed_distinct(5, 0) == 0);
	assert_within("distinct", 1, closed_distinct(1e6, 1), 1, 1e-9);
}

static void no_steady_state_is_0(void **state)
{
	const struct closed_class good[] = {{0.5, 0.5}, {0.5, 0.5}}, empty[] = {{0, 1}, {1, 0}}, idle[] = {{1, 0}};
	(void)state;
	for (int i = 0; i < 4; i++) {
		double u = (double[]){0, 1, -1, 2}[i];
		assert_true(!(closed_fifo(u) > 0) && !(closed_greedy(u, 8) > 0) && !(closed_choices(u, 8, 2) > 0));
		assert_true(!(closed_fifo_classes(u, good, 2) > 0) && !(closed_optimal(u, good, 2, NULL) > 0));
	}
	assert_true(
		!(closed_greedy(0.5, 0) > 0) && !(closed_choices(0.5, 0, 2) > 0) && !(closed_choices(0.5, 8, 0) > 0));
	assert_true(!(closed_fifo_classes(0.5, empty, 2) > 0) && !(closed_optimal(0.5, empty, 2, NULL) > 0));
	assert_true(!(closed_fifo_classes(0.5, idle, 1) > 0) && !(closed_optimal(0.5, idle, 1, NULL) > 0));
	assert_true(!(closed_fifo_utilisation(1) > 0));
	assert_within("little data", 0.001, closed_fifo(0.001), 1, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_uniform),
		cmocka_unit_test(table_hot_cold),
		cmocka_unit_test(table_zipf),
		cmocka_unit_test(simulated_fifo),
		cmocka_unit_test(simulated_choices),
		cmocka_unit_test(simulated_classes),
		cmocka_unit_test(fifo_by_bisection_and_back),
		cmocka_unit_test(greedy_is_the_limit_of_choices),
		cmocka_unit_test(classes_that_are_alike_are_one),
		cmocka_unit_test(optimum_by_search),
		cmocka_unit_test(optimum_has_one_price),
		cmocka_unit_test(grouping_does_not_show),
		cmocka_unit_test(distinct_pages_by_drawing),
		cmocka_unit_test(no_steady_state_is_0),
	};
	return cmocka_run_group_tests_name("harness.closed_forms", tests, NULL, NULL);
}
