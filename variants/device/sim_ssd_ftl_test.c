/* sim_ssd_ftl_test.c - write amplification against closed forms, victims against a search of all candidates, and what
 * must hold of any device whatever is written to it.
 *
 * Closed forms of uniform and of class-wise random writes are evaluated at the share that live pages have of the pages
 * written and not erased, in the mean over time: by Little's law that mean is the rate of writes times the life of a
 * written page. At the choice of a victim there are K, then K less the victim's gain, and each page written adds one:
 *   live / (K - (super_pages - victim_valid / victims) / 2), K = victim_written / victims.
 * Sources of the forms: Desnoyers, "Analytic Models of SSD Write Performance", ACM TOS 10(2), 2014; Van Houdt, "A Mean
 * Field Model for a Class of Garbage Collection Algorithms in Flash-Based Solid State Drives", SIGMETRICS 2013. */
#include "variants/device/sim_ssd_ftl.h"
#include "workloads/generators.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
#define FEW true /* under a sanitizer: every third cell */
#else
#define FEW false
#endif

/* ---- closed forms ---- */

struct class
{
	double data, writes; /* shares */
};

/* FIFO, all classes in the same superblocks: WA = sum of writes / (1 - exp(-writes / (data * u * WA))). The right side
 * falls below the left between 1 and the answer's other side, so halving finds it. */
static double fifo_form(double u, const struct class *c, size_t n)
{
	double low = 1, high = 1000;
	for (int step = 0; step < 50; step++) {
		double wa = (low + high) / 2, sum = 0;
		for (size_t i = 0; i < n; i++)
			sum += c[i].writes / -expm1(-c[i].writes / (c[i].data * u * wa));
		if (sum > wa)
			low = wa;
		else
			high = wa;
	}
	return low;
}

static double harmonic(uint32_t n)
{
	double sum = 0;
	for (uint32_t i = 1; i <= n; i++)
		sum += 1.0 / i;
	return sum;
}

/* Greedy, superblocks of b pages, infinitely many of them. No closed one has fewer than m valid pages; a write takes
 * lambda of a superblock from each number of valid pages above m to the next, and what is left from m. */
static double greedy_form(double u, uint32_t b)
{
	double best = 0, distance = 1e9;
	for (uint32_t m = 1; m < b; m++) {
		double steps = harmonic(b) - harmonic(m) - (double)(b - m) / m;
		double lambda = (1 / (u * b) - 1.0 / m) / steps, rest = 1 - lambda * (b - m);
		double off = rest < 0 ? -rest : rest > lambda ? rest - lambda : 0;
		if (lambda > 0 && off < distance) {
			distance = off;
			best = lambda * b;
		}
	}
	return best;
}

/* The fewest valid pages among d random candidates. Of p_j superblocks with j valid pages (as a share), a victim's
 * worth of host pages h moves h * j * p_j / (u * b) down by one; as many have come to j or more as were chosen with
 * fewer: 1 - Q_j^d, Q_j = p_j + p_j+1 + ... And h is the mean of b - j over victims, the sum of those. */
static double choices_form(double u, uint32_t b, double d)
{
	double low = 0, high = b;
	for (int step = 0; step < 60; step++) {
		double h = (low + high) / 2, q = 0, sum = 0;
		for (uint32_t j = b; j > 0; j--) {
			double from = q, to = 1;
			for (int inner = 0; inner < 45; inner++) {
				double at = (from + to) / 2;
				if (h * j * (at - q) / (u * b) < 1 - pow(at, d))
					from = at;
				else
					to = at;
			}
			q = from;
			sum += 1 - pow(q, d);
		}
		if (sum > h)
			low = h;
		else
			high = h;
	}
	return b / low;
}

static void forms_agree_with_published_values(void **state)
{
	(void)state;
	const struct class all = {1, 1};
	static const struct {
		double u, fifo, greedy_64, greedy_256;
	} table[] = {{0.5, 1.255, 1.239, 1.251}, {0.7, 1.876, 1.833, 1.865}, {0.8, 2.693, 2.599, 2.668},
		{0.9, 5.179, 4.821, 5.083}, {0.95, 10.172, 8.850, 9.798}};
	for (size_t i = 0; i < PL_COUNT(table); i++) {
		assert_true(fabs(fifo_form(table[i].u, &all, 1) - table[i].fifo) < 0.001);
		assert_true(fabs(greedy_form(table[i].u, 64) - table[i].greedy_64) < 0.001);
		assert_true(fabs(greedy_form(table[i].u, 256) - table[i].greedy_256) < 0.001);
	}
	/* a simulation of 2048 superblocks of 256 pages, of which 3 could not be used, as its FIFO results tell */
	static const double simulated[][3] = {
		{0.5, 1.541, 1.271}, {0.7, 2.438, 1.913}, {0.8, 3.590, 2.750}, {0.9, 7.096, 5.294}};
	for (size_t i = 0; i < PL_COUNT(simulated); i++) {
		double u = simulated[i][0] * 2048 / 2045;
		assert_true(fabs(choices_form(u, 256, 2) / simulated[i][1] - 1) < 0.01);
		assert_true(fabs(choices_form(u, 256, 10) / simulated[i][2] - 1) < 0.01);
	}
	/* choosing among very many is greedy, among one is chance: 1 / (1 - u) */
	assert_true(fabs(choices_form(0.8, 64, 100000) - 2.599) < 0.002);
	assert_true(fabs(choices_form(0.8, 64, 1) - 5) < 0.001);
}

/* ---- measured ---- */

struct setup {
	uint32_t supers, super_pages;
	double u;
	enum ftl_collect collect;
	bool oldest_of_equals;
	enum ftl_gc_stream gc_stream;
	uint32_t reserve, choices, streams;
	double hot_data, hot_writes; /* 0: uniform */
	double theta; /* > 0: Zipf */
	double trims; /* share of the operations */
	uint32_t slc_supers, slc_pages;
	double warm, measure; /* times the logical pages */
	uint64_t seed;
};

struct measured {
	double wa, usable_u;
	uint64_t logical_pages, mapped;
	struct ftl_counts counts;
	uint32_t erases_min, erases_max;
};

struct source {
	const struct setup *s;
	struct pl_rng rng;
	uint64_t pages, hot;
	struct gen_zipf *zipf;
};

static uint32_t draw(struct source *d, uint32_t *stream)
{
	*stream = 0;
	if (d->zipf) {
		uint64_t rank, a, b;
		do {
			a = pl_rng_next(&d->rng);
			b = pl_rng_next(&d->rng);
		} while (!gen_zipf(d->zipf, a, b, &rank));
		return (uint32_t)rank;
	}
	if (!d->hot)
		return (uint32_t)pl_rng_below(&d->rng, d->pages);
	bool hot = pl_rng_unit(&d->rng) < d->s->hot_writes;
	*stream = !hot && d->s->streams > 1;
	return (uint32_t)(hot ? pl_rng_below(&d->rng, d->hot) : d->hot + pl_rng_below(&d->rng, d->pages - d->hot));
}

enum { CALL = 128 }; /* pages in a call */

static void churn(struct ftl *f, struct source *d, uint64_t n)
{
	uint32_t batch[FTL_STREAMS_MAX][CALL], fill[FTL_STREAMS_MAX] = {0}, stream;
	for (uint64_t i = 0; i < n; i++) {
		uint32_t lpn = draw(d, &stream);
		if (d->s->trims > 0 && pl_rng_unit(&d->rng) < d->s->trims) {
			ftl_trim(f, lpn);
			continue;
		}
		batch[stream][fill[stream]++] = lpn;
		if (fill[stream] == CALL || d->s->trims > 0) {
			ftl_write(f, batch[stream], fill[stream], stream);
			fill[stream] = 0;
		}
	}
}

static struct measured measure(const struct setup *s)
{
	uint64_t pages = (uint64_t)((double)(s->supers - s->slc_supers) * s->super_pages * s->u);
	struct ftl_options o = {.logical_pages = pages,
		.supers = s->supers,
		.super_pages = s->super_pages,
		.slc_supers = s->slc_supers,
		.slc_pages = s->slc_pages,
		.streams = s->streams ? s->streams : 1,
		.reserve = s->reserve ? s->reserve : 1,
		.choices = s->choices ? s->choices : 1,
		.oldest_of_equals = s->oldest_of_equals,
		.collect = s->collect,
		.gc_stream = s->gc_stream,
		.seed = s->seed};
	struct source d = {.s = s, .pages = pages, .hot = (uint64_t)((double)pages * s->hot_data)};
	struct ftl f;
	assert_int_equal(ftl_init(&f, &o), PL_OK);
	pl_rng_seed(&d.rng, s->seed, 77);
	if (s->theta > 0)
		assert_int_equal(gen_zipf_open(pages, s->theta, &d.zipf), PL_OK);
	for (uint32_t i = 0; i < pages; i++)
		ftl_write(&f, &i, 1, s->streams > 1 && i >= d.hot);
	churn(&f, &d, (uint64_t)(s->warm * (double)pages));
	ftl_reset_counts(&f);
	churn(&f, &d, (uint64_t)(s->measure * (double)pages));
	struct measured m = {.counts = f.counts, .logical_pages = pages, .erases_min = UINT32_MAX};
	for (uint64_t l = 0; l < pages; l++)
		m.mapped += f.map[l] != FTL_NONE;
	for (uint32_t i = 0; i < s->supers; i++) {
		uint32_t erases = ftl_super(&f, i)->erases;
		m.erases_min = erases < m.erases_min ? erases : m.erases_min;
		m.erases_max = erases > m.erases_max ? erases : m.erases_max;
	}
	m.wa = (double)(f.counts.host_pages + f.counts.moved_pages) / (double)f.counts.host_pages;
	double victims = (double)f.counts.victims,
	       gain = (double)s->super_pages - (double)f.counts.victim_valid / victims;
	m.usable_u = (double)m.mapped / ((double)f.counts.victim_written / victims - gain / 2);
	const char *wrong = ftl_check(&f);
	if (wrong)
		fail_msg("%s", wrong);
	ftl_deinit(&f);
	gen_zipf_close(d.zipf);
	return m;
}

static void near(const struct setup *s, double is, double should, double within, const char *what)
{
	print_message(
		"%-44s u %.2f: %.4f, should be %.4f (%+.2f %%)\n", what, s->u, is, should, (is / should - 1) * 100);
	if (!(fabs(is / should - 1) <= within))
		fail_msg("%s, u = %.2f: %.4f, should be %.4f within %.1f %%", what, s->u, is, should, within * 100);
}

static const double uniform_u[] = {0.5, 0.6, 0.7, 0.73, 0.8, 0.86, 0.9};

static void fifo_and_greedy_are_their_closed_forms(void **state)
{
	(void)state;
	const struct class all = {1, 1};
	for (size_t i = 0; i < PL_COUNT(uniform_u); i += FEW ? 3 : 1)
		for (int gc = FTL_GC_OWN; gc <= FTL_GC_SHARED; gc++) {
			struct setup s = {.supers = 4096,
				.super_pages = 64,
				.u = uniform_u[i],
				.collect = FTL_FIFO,
				.gc_stream = (enum ftl_gc_stream)gc,
				.warm = 4,
				.measure = 5,
				.seed = i};
			struct measured m = measure(&s);
			near(&s, m.wa, fifo_form(m.usable_u, &all, 1), 0.003, gc ? "fifo, shared" : "fifo, own");
			s.collect = FTL_GREEDY;
			m = measure(&s);
			near(&s, m.wa, greedy_form(m.usable_u, 64), 0.003, gc ? "greedy, shared" : "greedy, own");
		}
}

static void few_choices_are_the_mean_field(void **state)
{
	(void)state;
	static const uint32_t choices[] = {1, 2, 3, 10};
	for (size_t i = 0; i < PL_COUNT(uniform_u); i += 3)
		for (size_t k = 0; k < PL_COUNT(choices); k++) {
			struct setup s = {.supers = 2048,
				.super_pages = 128,
				.u = uniform_u[i],
				.collect = FTL_DCHOICES,
				.choices = choices[k],
				.gc_stream = k & 1 ? FTL_GC_SHARED : FTL_GC_OWN,
				.warm = 5,
				.measure = 5,
				.seed = k};
			struct measured m = measure(&s);
			near(&s, m.wa, choices_form(m.usable_u, 128, choices[k]), 0.01, "choices");
		}
}

/* ---- skew ---- */

static void skewed_fifo_is_its_closed_form(void **state)
{
	(void)state;
	static const double cells[][3] = {/* data, writes, u */
		{0.2, 0.8, 0.7}, {0.2, 0.8, 0.9}, {0.1, 0.9, 0.8}, {0.05, 0.95, 0.8}, {0.05, 0.95, 0.87},
		{0.3, 0.5, 0.76}};
	for (size_t i = 0; i < PL_COUNT(cells); i += FEW ? 3 : 1)
		for (int gc = FTL_GC_OWN; gc <= FTL_GC_SHARED; gc++) {
			struct setup s = {.supers = 2048,
				.super_pages = 128,
				.u = cells[i][2],
				.collect = FTL_FIFO,
				.gc_stream = (enum ftl_gc_stream)gc,
				.hot_data = cells[i][0],
				.hot_writes = cells[i][1],
				.warm = 8,
				.measure = 5,
				.seed = i};
			struct class c[2] = {{s.hot_data, s.hot_writes}, {1 - s.hot_data, 1 - s.hot_writes}};
			struct measured m = measure(&s);
			near(&s, m.wa, fifo_form(m.usable_u, c, 2), 0.005, "fifo, two classes");
		}
}

/* Zipf's law as classes of ranks that differ by less than 1 in 64. */
static size_t zipf_classes(uint64_t pages, double theta, struct class *c)
{
	size_t n = 0;
	double total = 0;
	for (uint64_t first = 1, end; first <= pages; first = end, n++) {
		end = pl_min64(first + 1 + first / 64, pages + 1);
		c[n] = (struct class){(double)(end - first) / (double)pages, 0};
		for (uint64_t rank = first; rank < end; rank++)
			c[n].writes += pow((double)rank, -theta);
		total += c[n].writes;
	}
	for (size_t i = 0; i < n; i++)
		c[i].writes /= total;
	return n;
}

/* Simulated elsewhere, once each, over 2048 superblocks (costbenefit 1024) of 128 pages, of which 3 could not be used:
 * hence the reserve. 0: not told. */
static const struct {
	double data, writes, theta, u, greedy_shared, greedy_own, costbenefit_own, streams;
} skewed[] = {
	{0.2, 0.8, 0, 0.7, 2.19, 2.08, 1.80, 1.86},
	{0.2, 0.8, 0, 0.8, 3.01, 2.92, 2.50, 2.66},
	{0.2, 0.8, 0, 0.9, 5.42, 5.39, 4.70, 5.07},
	{0.1, 0.9, 0, 0.7, 2.58, 2.25, 1.46, 1.85},
	{0.1, 0.9, 0, 0.8, 3.53, 3.16, 1.93, 2.64},
	{0.1, 0.9, 0, 0.9, 6.09, 5.75, 3.36, 5.01},
	{0, 0, 0.8, 0.7, 2.34, 2.05, 2.01, 0},
	{0, 0, 0.8, 0.8, 3.36, 2.91, 2.73, 0},
	{0, 0, 0.8, 0.9, 6.26, 5.41, 4.84, 0},
	{0, 0, 0.99, 0.7, 2.69, 2.18, 1.83, 0},
	{0, 0, 0.99, 0.8, 3.92, 3.07, 2.32, 0},
	{0, 0, 0.99, 0.9, 7.44, 5.43, 3.76, 0},
};

static void skewed_policies_are_as_simulated_elsewhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(skewed); i += FEW ? 5 : 1) {
		struct setup s = {.supers = 2048,
			.super_pages = 128,
			.u = skewed[i].u,
			.hot_data = skewed[i].data,
			.hot_writes = skewed[i].writes,
			.theta = skewed[i].theta,
			.reserve = 2,
			.warm = 8,
			.measure = 5,
			.seed = i};
		s.gc_stream = FTL_GC_SHARED;
		near(&s, measure(&s).wa, skewed[i].greedy_shared, 0.03, "greedy, shared");
		s.gc_stream = FTL_GC_OWN;
		if (skewed[i].greedy_own > 0)
			near(&s, measure(&s).wa, skewed[i].greedy_own, 0.03, "greedy, own");
		if (skewed[i].streams > 0) { /* greedy only gives back what mixing cost */
			s.streams = 2;
			s.gc_stream = FTL_GC_STREAM;
			near(&s, measure(&s).wa, skewed[i].streams, 0.03, "greedy, stream");
			s.streams = 1;
			s.gc_stream = FTL_GC_OWN;
		}
		s.supers = 1024;
		s.collect = FTL_COSTBENEFIT;
		s.warm = 12;
		near(&s, measure(&s).wa, skewed[i].costbenefit_own, 0.03, "costbenefit, own");
		if (s.theta > 0) {
			static struct class c[2000];
			s.supers = 2048;
			s.collect = FTL_FIFO;
			s.warm = 8;
			struct measured m = measure(&s);
			near(&s, m.wa, fifo_form(m.usable_u, c, zipf_classes(m.logical_pages, s.theta, c)), 0.01,
				"fifo, zipf");
		}
	}
}

/* A device with nothing clever about it: greedy looks at all superblocks for each victim. Among equals it takes the one
 * that has had so few valid pages for the shortest or for the longest time. */
struct plain {
	uint32_t supers, pages, reserve, *map, *owner, *valid, *stream, *free, free_count, head[4], room[4];
	uint64_t *since, events, host, moved;
	bool *closed, shortest;
};

static void plain_collect(struct plain *p, uint32_t streams);

static void plain_put(struct plain *p, uint32_t head, uint32_t lpn, uint32_t streams)
{
	while (!p->room[head]) {
		if (p->head[head] != FTL_NONE) {
			p->closed[p->head[head]] = true;
			p->since[p->head[head]] = ++p->events;
			p->head[head] = FTL_NONE;
		}
		if (head < 2 && p->free_count <= p->reserve) {
			plain_collect(p, streams);
			continue;
		}
		p->head[head] = p->free[--p->free_count];
		p->stream[p->head[head]] = head % 2;
		p->room[head] = p->pages;
	}
	uint32_t old = p->map[lpn], page = p->head[head] * p->pages + p->pages - p->room[head]--;
	if (old != FTL_NONE) {
		p->owner[old] = FTL_NONE;
		p->valid[old / p->pages]--;
		p->since[old / p->pages] = ++p->events;
	}
	p->owner[page] = lpn;
	p->map[lpn] = page;
	p->valid[page / p->pages]++;
}

static void plain_collect(struct plain *p, uint32_t streams)
{
	uint32_t best = FTL_NONE;
	for (uint32_t i = 0; i < p->supers; i++)
		if (p->closed[i] &&
			(best == FTL_NONE || p->valid[i] < p->valid[best] ||
				(p->valid[i] == p->valid[best] && (p->since[i] > p->since[best]) == p->shortest)))
			best = i;
	p->closed[best] = false;
	for (uint32_t i = best * p->pages; i < (best + 1) * p->pages; i++)
		if (p->owner[i] != FTL_NONE) {
			plain_put(p, streams > 1 ? 2 + p->stream[best] : 2, p->owner[i], streams);
			p->moved++;
		}
	p->free[p->free_count++] = best;
}

static void *filled(size_t n, size_t size, int octet)
{
	void *memory = malloc(n * size);
	assert_non_null(memory);
	return memset(memory, octet, n * size);
}

static double plain_wa(const struct setup *s, bool shortest)
{
	uint32_t n = s->supers, b = s->super_pages, live = (uint32_t)((double)n * b * s->u), stream;
	struct plain p = {.supers = n,
		.pages = b,
		.reserve = s->reserve,
		.shortest = shortest,
		.map = filled(live, 4, 0xff),
		.owner = filled((size_t)n * b, 4, 0xff),
		.valid = filled(n, 4, 0),
		.stream = filled(n, 4, 0),
		.free = filled(n, 4, 0),
		.since = filled(n, 8, 0),
		.closed = filled(n, 1, 0),
		.head = {FTL_NONE, FTL_NONE, FTL_NONE, FTL_NONE}};
	struct source d = {.s = s, .pages = live, .hot = (uint64_t)((double)live * s->hot_data)};
	pl_rng_seed(&d.rng, s->seed, 78);
	if (s->theta > 0)
		assert_int_equal(gen_zipf_open(live, s->theta, &d.zipf), PL_OK);
	for (uint32_t i = 0; i < n; i++)
		p.free[p.free_count++] = i;
	for (uint32_t i = 0; i < live; i++)
		plain_put(&p, s->streams > 1 && i >= d.hot, i, s->streams);
	uint64_t warm = (uint64_t)(s->warm * live), all = warm + (uint64_t)(s->measure * live);
	for (uint64_t i = 0; i < all; i++, p.host++) {
		if (i == warm)
			p.host = p.moved = 0;
		uint32_t lpn = draw(&d, &stream);
		plain_put(&p, stream, lpn, s->streams);
	}
	gen_zipf_close(d.zipf);
	void *arrays[] = {p.map, p.owner, p.valid, p.stream, p.free, p.since, p.closed};
	for (size_t i = 0; i < PL_COUNT(arrays); i++)
		free(arrays[i]);
	return 1 + (double)p.moved / (double)p.host;
}

/* Superblocks of 128 pages tie often: both rules, each against a device with nothing clever about it. */
static void ties_matter_where_data_is_separated(void **state)
{
	(void)state;
	static const struct {
		double data, writes, theta;
		uint32_t streams;
	} cells[] = {{0.1, 0.9, 0, 1}, {0.1, 0.9, 0, 2}, {0, 0, 0.99, 1}};
	for (size_t i = 0; i < (FEW ? 1 : PL_COUNT(cells)); i++) {
		struct setup s = {.supers = 2048,
			.super_pages = 128,
			.u = 0.9,
			.hot_data = cells[i].data,
			.hot_writes = cells[i].writes,
			.theta = cells[i].theta,
			.streams = cells[i].streams,
			.reserve = 2,
			.gc_stream = cells[i].streams > 1 ? FTL_GC_STREAM : FTL_GC_OWN,
			.warm = 6,
			.measure = 4,
			.seed = i};
		double newest = measure(&s).wa;
		near(&s, newest, plain_wa(&s, true), 0.005, "greedy, newest of equals, plainly");
		s.oldest_of_equals = true;
		double oldest = measure(&s).wa;
		near(&s, oldest, plain_wa(&s, false), 0.005, "greedy, oldest of equals, plainly");
		assert_true(oldest < 0.99 * newest);
	}
}

/* ---- other things with a closed form ---- */

/* When each operation is a trim with probability t, a page is mapped unless its last one was: a share of 1 - t. */
static void trimmed_pages_are_spare_space(void **state)
{
	(void)state;
	const struct class all = {1, 1};
	for (int i = 1; i <= 3; i++) {
		struct setup s = {.supers = 2048,
			.super_pages = 64,
			.u = 0.9,
			.collect = FTL_FIFO,
			.trims = 0.08 * i,
			.warm = 5,
			.measure = 8,
			.seed = (uint64_t)i};
		struct measured m = measure(&s);
		near(&s, (double)m.mapped / (double)m.logical_pages, 1 - s.trims, 0.005, "mapped after trims");
		double usable = m.usable_u * (1 - s.trims) * (double)m.logical_pages / (double)m.mapped;
		near(&s, m.wa, fifo_form(usable, &all, 1), 0.005, "fifo with trims");
	}
}

/* A page is folded unless it is written again before its superblock, the oldest of n of p pages, is needed: after
 * (n - 1/2) p host pages on the average. What is folded is spread over the rest of the device as random writes are. */
static void the_cache_folds_what_outlives_it(void **state)
{
	(void)state;
	const struct class all = {1, 1};
	static const uint32_t supers[] = {1, 40, 200, 1000};
	for (size_t i = 0; i < PL_COUNT(supers); i++) {
		uint32_t n = supers[i];
		struct setup s = {.supers = 2000 + n,
			.super_pages = 64,
			.u = 0.85,
			.collect = FTL_FIFO,
			.slc_supers = n,
			.slc_pages = 22,
			.warm = 5,
			.measure = 6,
			.seed = n};
		struct measured m = measure(&s);
		double outlive = exp(-((double)n - 0.5) * s.slc_pages / (double)m.logical_pages);
		double folded = (double)m.counts.folded_pages / (double)m.counts.host_pages;
		near(&s, folded, outlive, 0.005, "folded");
		double usable = m.usable_u * outlive; /* as much of what is mapped is outside of the cache */
		near(&s, (double)m.counts.moved_pages / (double)m.counts.folded_pages, fifo_form(usable, &all, 1),
			0.005, "fifo beneath the cache");
	}
}

static void seeds_agree(void **state)
{
	(void)state;
	struct setup s = {.supers = 1024, .super_pages = 96, .u = 0.8, .warm = 6, .measure = 8, .seed = 1};
	double wa = measure(&s).wa;
	for (s.seed = 2; s.seed < 6; s.seed++)
		near(&s, measure(&s).wa, wa, 0.004, "greedy, another seed");
	struct measured m = measure(&s);
	/* uniform writes: no superblock is left out */
	assert_true(m.erases_min > 0 && m.erases_max < 2 * m.erases_min);
}

/* Written over and over in order, each superblock is empty when it is chosen, and each has its turn. */
static void sequential_writes_move_nothing_and_wear_evenly(void **state)
{
	(void)state;
	for (int collect = FTL_GREEDY; collect <= FTL_COSTBENEFIT; collect++) {
		struct ftl_options o = {.logical_pages = 64 * 100,
			.supers = 120,
			.super_pages = 64,
			.streams = 1,
			.reserve = 2,
			.choices = 1,
			.collect = (enum ftl_collect)collect,
			.oldest_of_equals = true};
		struct ftl f;
		assert_int_equal(ftl_init(&f, &o), PL_OK);
		for (uint32_t i = 0; i < 64 * 120 * 50; i++) {
			uint32_t lpn = i % (64 * 100);
			ftl_write(&f, &lpn, 1, 0);
		}
		assert_int_equal(f.counts.moved_pages, 0);
		for (uint32_t i = 0; i < o.supers; i++)
			assert_in_range(ftl_super(&f, i)->erases, 48, 50);
		assert_null(ftl_check(&f));
		ftl_deinit(&f);
	}
}

/* ---- exact victims ---- */

static double benefit_of(const struct ftl *f, const struct ftl_super *s)
{
	double v = s->valid, pages = f->o.super_pages;
	return (pages - v) / (pages + v) * (double)(ftl_clock(f) - s->closed_at + 1);
}

/* By a look at every superblock that is still closed: was this one to be chosen? */
static bool rightly_chosen(const struct ftl *f, uint32_t victim)
{
	struct ftl_super now = *ftl_super(f, victim), *is = &now;
	if (is->state != FTL_VICTIM || is->slc)
		return false;
	is->valid -= FTL_NOT_CLOSED;
	for (uint32_t i = 0; i < f->o.supers; i++) {
		const struct ftl_super *s = ftl_super(f, i);
		if (s->state != FTL_CLOSED || s->slc)
			continue;
		if (f->o.collect == FTL_GREEDY && s->valid < is->valid)
			return false;
		if (f->o.collect == FTL_FIFO && s->closed_at < is->closed_at)
			return false;
		double more = benefit_of(f, s) - benefit_of(f, is);
		bool before = s->closed_at < is->closed_at || (s->closed_at == is->closed_at && i < victim);
		if (f->o.collect == FTL_COSTBENEFIT && (more > 0 || (more == 0 && before)))
			return false;
	}
	return true;
}

/* The steps as a caller with time between them takes them: a victim is moved page by page among the host's writes. */
static void every_victim_is_the_best(void **state)
{
	(void)state;
	for (int round = 0; round < (FEW ? 6 : 24); round++) {
		struct ftl_options o = {.supers = 40 + (uint32_t)round * 25,
			.super_pages = round & 1 ? 24 : 64,
			.streams = 1,
			.reserve = 3,
			.choices = 4,
			.collect = (enum ftl_collect)(round % 4),
			.seed = (uint64_t)round,
			.gc_stream = round % 3 ? FTL_GC_OWN : FTL_GC_SHARED};
		o.logical_pages = (uint64_t)(o.supers - 6) * o.super_pages * 9 / 10;
		struct pl_rng rng;
		pl_rng_seed(&rng, (uint64_t)round, 3);
		struct ftl f;
		assert_int_equal(ftl_init(&f, &o), PL_OK);
		assert_int_equal(ftl_victim(&f), FTL_NONE);
		assert_int_equal(ftl_slc_victim(&f), FTL_NONE);
		uint32_t victim = FTL_NONE, at = 0;
		for (uint32_t i = 0; i < 40 * o.supers * o.super_pages / 10; i++) {
			struct ftl_head *h = &f.host[0];
			if (h->at == h->end)
				ftl_open(&f, h);
			uint32_t hot = (uint32_t)o.logical_pages / 8,
				 lpn = (uint32_t)pl_rng_below(&rng, o.logical_pages);
			if (i < o.logical_pages)
				lpn = i;
			else if (round & 4 && pl_rng_below(&rng, 10) < 8)
				lpn %= hot;
			ftl_put(&f, h, lpn);
			f.counts.host_pages++;
			while (f.free_count < 3 || (victim != FTL_NONE && pl_rng_below(&rng, 4))) {
				if (victim == FTL_NONE) {
					uint64_t before = f.counts.victim_written;
					victim = ftl_victim(&f);
					at = 0;
					assert_int_equal(f.counts.victim_written - before,
						f.counts.host_pages + f.counts.moved_pages -
							f.counts.erases * o.super_pages);
					assert_true(victim < o.supers);
					if (o.collect != FTL_DCHOICES && !rightly_chosen(&f, victim))
						fail_msg("round %d: superblock %u is not the best", round, victim);
				} else if (at == o.super_pages) {
					ftl_erased(&f, victim);
					victim = FTL_NONE;
				} else {
					uint32_t page = (victim << f.shift) + at++;
					struct ftl_head *gc = ftl_gc_head(&f, ftl_super(&f, victim));
					if (!ftl_valid(&f, page))
						continue;
					if (gc->at == gc->end)
						ftl_open(&f, gc);
					ftl_put(&f, gc, f.owner[page]);
					f.counts.moved_pages++;
				}
			}
			const char *wrong = i % 997 ? NULL : ftl_check(&f);
			if (wrong)
				fail_msg("round %d: %s", round, wrong);
		}
		assert_true(f.counts.victims > o.supers);
		ftl_deinit(&f);
	}
}

/* ---- any device, anything written ---- */

static void same(const struct ftl *a, const struct ftl *b)
{
	assert_memory_equal(&a->counts, &b->counts, sizeof a->counts);
	assert_memory_equal(a->host, b->host, sizeof a->host);
	assert_memory_equal(a->gc, b->gc, sizeof a->gc);
	assert_memory_equal(&a->rng, &b->rng, sizeof a->rng);
	assert_int_equal(a->memory_bytes, b->memory_bytes);
	assert_int_equal(memcmp(a->map, b->map, a->memory_bytes), 0); /* and all that follows it in the mapping */
}

static struct ftl_options any_options(struct pl_rng *r)
{
	static const uint32_t pages[] = {1, 2, 3, 17, 64, 96, 128, 256, 257, 300, 512, 1536};
	struct ftl_options o = {.super_pages = pages[pl_rng_below(r, PL_COUNT(pages))],
		.streams = pl_rng_below(r, 3) ? 1 : 1 + (uint32_t)pl_rng_below(r, FTL_STREAMS_MAX),
		.reserve = 1 + (uint32_t)pl_rng_below(r, 3),
		.choices = 1 + (uint32_t)pl_rng_below(r, 5),
		.oldest_of_equals = pl_rng_below(r, 2) == 1,
		.collect = (enum ftl_collect)pl_rng_below(r, 4),
		.gc_stream = (enum ftl_gc_stream)pl_rng_below(r, 3),
		.seed = pl_rng_next(r)};
	o.logical_pages = 1 + pl_rng_below(r, pl_rng_below(r, 4) ? 3000 : 10 * o.super_pages);
	if (pl_rng_below(r, 3) == 0) {
		o.slc_supers = 1 + (uint32_t)pl_rng_below(r, 20);
		o.slc_pages = 1 + (uint32_t)pl_rng_below(r, o.super_pages);
	}
	/* half of them as small as can be */
	o.supers = o.slc_supers + (uint32_t)(o.logical_pages / o.super_pages) + 1 + ftl_supers_needed(&o);
	if (pl_rng_below(r, 2))
		o.supers += (uint32_t)pl_rng_below(r, 1 + o.supers / 2);
	return o;
}

static void any_writes(struct ftl *f, struct pl_rng *r, bool *mapped, size_t n)
{
	uint32_t lpn[200], kind = (uint32_t)pl_rng_below(r, 3), start = (uint32_t)pl_rng_next(r);
	for (size_t i = 0; i < n; i++) {
		uint64_t all = f->o.logical_pages;
		lpn[i] = (uint32_t)(kind == 0   ? pl_rng_below(r, all)
				    : kind == 1 ? (start + i) % all
						: pl_rng_below(r, 1 + all / 8));
	}
	if (pl_rng_below(r, 8)) {
		ftl_write(f, lpn, n, (uint32_t)pl_rng_below(r, f->o.streams));
		for (size_t i = 0; i < n; i++)
			mapped[lpn[i]] = true;
		return;
	}
	uint64_t before = f->counts.trimmed_pages, gone = 0;
	for (size_t i = 0; i < n; i++) {
		gone += mapped[lpn[i]];
		mapped[lpn[i]] = false;
		ftl_trim(f, lpn[i]);
	}
	assert_int_equal(f->counts.trimmed_pages - before, gone);
}

static void anything_keeps_the_invariants(void **state)
{
	(void)state;
	uint64_t folded = 0, bypassed = 0;
	for (uint64_t seed = 0; seed < (FEW ? 150 : 1200); seed++) {
		struct pl_rng r;
		pl_rng_seed(&r, seed, 9);
		struct ftl_options o = any_options(&r);
		struct ftl f, copy = {0};
		bool *mapped = calloc(o.logical_pages, 1);
		assert_int_equal(ftl_init(&f, &o), PL_OK);
		uint64_t host = 0, steps = 20 + pl_rng_below(&r, 400);
		for (uint64_t step = 0; step < steps; step++) {
			size_t n = 1 + pl_rng_below(&r, 200);
			uint64_t before = ftl_clock(&f);
			any_writes(&f, &r, mapped, n);
			host += ftl_clock(&f) - before;
			assert_true(ftl_clock(&f) == before || ftl_clock(&f) == before + n);
			assert_true(f.free_count >= o.reserve);
			if (pl_rng_below(&r, 50) == 0)
				ftl_reset_counts(&f);
			if (pl_rng_below(&r, 40))
				continue;
			const char *wrong = ftl_check(&f);
			if (wrong)
				fail_msg("seed %d: %s", (int)seed, wrong);
		}
		assert_int_equal(ftl_clock(&f), host);
		for (uint64_t l = 0; l < o.logical_pages; l++)
			assert_int_equal(f.map[l] != FTL_NONE, mapped[l]);
		/* a clone does the same from here on, in pieces of one page; the one it was made of is not touched */
		assert_int_equal(ftl_clone(&copy, &f), PL_OK);
		same(&f, &copy);
		struct ftl kept;
		assert_int_equal(ftl_clone(&kept, &copy), PL_OK);
		for (int i = 0; i < 20; i++) {
			uint32_t lpn[200], stream = (uint32_t)pl_rng_below(&r, o.streams);
			for (size_t k = 0; k < PL_COUNT(lpn); k++)
				lpn[k] = (uint32_t)pl_rng_below(&r, o.logical_pages);
			ftl_write(&f, lpn, PL_COUNT(lpn), stream);
			for (size_t k = 0; k < PL_COUNT(lpn); k++)
				ftl_write(&copy, lpn + k, 1, stream);
		}
		same(&f, &copy);
		ftl_deinit(&f);
		const char *wrong = ftl_check(&kept);
		if (wrong)
			fail_msg("seed %d, kept: %s", (int)seed, wrong);
		folded += copy.counts.folded_pages;
		for (uint32_t i = 0; i < o.streams; i++)
			bypassed += o.slc_supers && copy.host[i].end && !copy.host[i].slc;
		ftl_deinit(&copy);
		ftl_deinit(&kept);
		free(mapped);
	}
	assert_true(folded > 0 && bypassed > 0);
}

static void memory_is_bounded(void **state)
{
	(void)state;
	static const uint32_t super_pages[] = {256, 512, 8192};
	for (int collect = FTL_GREEDY; collect <= FTL_DCHOICES; collect++)
		for (size_t i = 0; i < PL_COUNT(super_pages); i++)
			for (uint32_t u = 7; u <= 9; u++) {
				uint64_t pages = (uint64_t)1 << 20;
				struct ftl_options o = {.logical_pages = pages * u / 10,
					.supers = (uint32_t)(pages / super_pages[i]),
					.super_pages = super_pages[i],
					.streams = 1,
					.reserve = 1,
					.choices = 1,
					.collect = (enum ftl_collect)collect};
				struct ftl f;
				assert_int_equal(ftl_init(&f, &o), PL_OK);
				assert_true((double)f.memory_bytes <= (4 * u / 10.0 + 4.3) * (double)pages);
				ftl_deinit(&f);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_agree_with_published_values),
		cmocka_unit_test(fifo_and_greedy_are_their_closed_forms),
		cmocka_unit_test(few_choices_are_the_mean_field),
		cmocka_unit_test(skewed_fifo_is_its_closed_form),
		cmocka_unit_test(skewed_policies_are_as_simulated_elsewhere),
		cmocka_unit_test(ties_matter_where_data_is_separated),
		cmocka_unit_test(trimmed_pages_are_spare_space),
		cmocka_unit_test(the_cache_folds_what_outlives_it),
		cmocka_unit_test(seeds_agree),
		cmocka_unit_test(sequential_writes_move_nothing_and_wear_evenly),
		cmocka_unit_test(every_victim_is_the_best),
		cmocka_unit_test(anything_keeps_the_invariants),
		cmocka_unit_test(memory_is_bounded),
	};
	return cmocka_run_group_tests_name("sim_ssd_ftl", tests, NULL, NULL);
}
