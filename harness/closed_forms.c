/* closed_forms.c - steady states of cleaning, by solving their balance equations.
 *
 * FIFO. A page of a block that was filled t host writes ago is still valid with probability (1-1/L)^t = exp(-t/L), L live
 * pages. A block waits while all other pages are written once, which takes (1-v) host writes a page of the medium:
 * v = exp(-(1-v)/u). ln v + (1-v)/u is concave and v = 1 is its other root, so Newton's steps from exp(-1/u), where it
 * is negative, climb to the wanted root and never pass it.
 *
 * Greedy, blocks of B pages. Let x_i be the share of blocks with i valid pages and lambda the victims a host write. A
 * block with i valid pages loses one at rate i/(u B). Every block is taken at m or, having lost one more, at m-1 pages:
 *      i > m:  x_i i/(u B) = lambda          (all that is filled comes by)
 *      x_m = 1 - sum of the others,  and  sum i x_i = u B
 *      => lambda = (1/(u B) - 1/m) / (H_B - H_m - (B-m)/m),   WA = lambda B,   H harmonic numbers
 * m is the least for which x_m >= 0 at no victim with m-1, that is u B (H_B-H_m) <= B-m. For u H_B <= 1 blocks die out
 * by themselves: WA = 1.
 *
 * d choices. S_i = share of blocks with at least i valid pages; the best of d has at least i with probability S_i^d. Per
 * victim every page is overwritten at rate mu; what passes from i to i-1 valid pages is what was not taken before:
 *      mu i (S_i - S_{i+1}) = 1 - S_i^d,   from S_{B+1} = 0 downwards
 *      sum S_i = u B  fixes mu,   WA = 1/(mu u)
 *
 * Classes. As FIFO, each class with its own rate of overwrites; and for logs of their own, with a = 1/u pages of medium
 * a live page, d WA/d a = -1/(1/v - 1 + ln v), so the best split has (1/v - 1 + ln v) f/r equal for all classes.
 *
 * Leaves out: pages that are never overwritten between others (a class without writes is), trims, any start. */
#include "harness/closed_forms.h"

#include "engine/base/types.h"
#include "workloads/pow.h"

#include <assert.h>

#define EULER 2.71828182845904523536
#define STEPS_MAX 200 /* of Newton or bisection: far more than doubles have bits */
#define EXPONENT_MAX 700.0 /* e^-700 is still a normal double */

static double closed_exp(double x) /* x in [-EXPONENT_MAX, EXPONENT_MAX] */
{
	return wl_pow(EULER, x);
}

/* 1 - e^-x, x >= 0, without cancellation. */
static double one_minus_exp(double x)
{
	if (x > EXPONENT_MAX)
		return 1;
	if (x < 1e-3)
		return x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5))));
	return 1 - closed_exp(-x);
}

static bool is_utilisation(double u)
{
	return u > 0 && u < 1;
}

double closed_fifo(double u)
{
	if (!is_utilisation(u))
		return 0;
	if (1 / u > EXPONENT_MAX)
		return 1;
	double v = closed_exp(-1 / u);
	for (int i = 0; i < STEPS_MAX; i++) {
		double next = v - (wl_log(v) + (1 - v) / u) / (1 / v - 1 / u);
		if (!(next > v))
			break;
		v = next;
	}
	return 1 / (1 - v);
}

double closed_fifo_utilisation(double write_amplification)
{
	if (!(write_amplification > 1))
		return 0;
	double v = 1 - 1 / write_amplification;
	return v < 1 ? -(1 - v) / wl_log(v) : 0;
}

double closed_greedy(double u, uint64_t block_pages)
{
	double pages = (double)block_pages, tail = 0; /* H_B - H_m */
	if (!is_utilisation(u) || block_pages == 0)
		return 0;
	uint64_t m = block_pages;
	/* From m = B downwards u B (H_B-H_m)/(B-m), a mean of u B/i over i = m+1..B, rises. */
	while (m > 0 && u * pages * (tail + 1 / (double)m) <= pages - (double)m + 1)
		tail += 1 / (double)m--;
	if (m == 0)
		return 1;
	double valid = (double)m, dead = pages - valid;
	return (1 / (u * pages) - 1 / valid) / (tail - dead / valid) * pages;
}

static double power(double x, unsigned n)
{
	double y = 1;
	for (; n; n >>= 1, x *= x)
		if (n & 1)
			y *= x;
	return y;
}

/* Mean valid pages of a block if every page is overwritten at rate mu per victim. */
static double mean_valid(double mu, uint64_t block_pages, unsigned choices)
{
	double above = 0, sum = 0;
	for (uint64_t i = block_pages; i > 0; i--) {
		/* s - above - c (1 - s^d) = 0 is convex and rising: Newton's steps from above its root fall to it. */
		double c = 1 / (mu * (double)i), s = above + c < 1 ? above + c : 1;
		for (int k = 0; k < STEPS_MAX; k++) {
			double less = power(s, choices - 1), value = s - above - c * (1 - less * s);
			double next = s - value / (1 + c * (double)choices * less);
			if (!(next < s))
				break;
			s = next;
		}
		above = s;
		sum += s;
	}
	return sum;
}

double closed_choices(double u, uint64_t block_pages, unsigned choices)
{
	if (!is_utilisation(u) || block_pages == 0 || choices == 0)
		return 0;
	double wanted = u * (double)block_pages, low = 0, high = 1 / u; /* no victim gives more than its pages */
	for (int i = 0; i < STEPS_MAX; i++) {
		double mu = (low + high) / 2;
		if (!(mu > low && mu < high))
			break;
		if (mean_valid(mu, block_pages, choices) > wanted)
			low = mu;
		else
			high = mu;
	}
	return 1 / (high * u);
}

/* Sums of the shares, to normalise by; false if they are no shares. */
static bool sums(const struct closed_class *c, size_t n, double *data, double *writes)
{
	*data = *writes = 0;
	for (size_t i = 0; i < n; i++) {
		if (!(c[i].data > 0) || !(c[i].writes >= 0))
			return false;
		*data += c[i].data;
		*writes += c[i].writes;
	}
	return *writes > 0;
}

double closed_fifo_classes(double u, const struct closed_class *c, size_t n)
{
	double data, writes, low = 1, high = 1;
	if (!is_utilisation(u) || !sums(c, n, &data, &writes))
		return 0;
	/* The sum is convex in WA and ends below it with slope u: exactly one crossing above 1. */
	for (int i = 0; i < STEPS_MAX; i++) {
		double wa = high == low ? 2 * high : (low + high) / 2, sum = 0;
		if (high > low && !(wa > low && wa < high))
			break;
		for (size_t k = 0; k < n; k++) {
			double r = c[k].writes / writes, rate = r / (c[k].data / data * u * wa);
			sum += r > 0 ? r / one_minus_exp(rate) : c[k].data / data * u * wa;
		}
		if (high == low) { /* still looking for a bound */
			if (sum < wa)
				high = wa;
			else
				low = high = wa;
		} else if (sum < wa)
			high = wa;
		else
			low = wa;
	}
	return high;
}

/* x - ln(1+x), x >= 0, without cancellation. */
static double excess(double x)
{
	if (x >= 0.03)
		return x - wl_log(1 + x);
	double sum = 0;
	for (unsigned k = 12; k >= 2; k--)
		sum = 1 / (double)k - x * sum;
	return x * x * sum;
}

/* x = 1/v - 1 for which 1/v - 1 + ln v = excess(x) = t > 0: convex and rising, so Newton's steps from above fall to it. */
static double ratio_of(double t)
{
	double x = 2 * t + 2;
	for (int i = 0; i < STEPS_MAX; i++) {
		double next = x - (excess(x) - t) * (1 + x) / x;
		if (!(next < x) || !(next > 0))
			break;
		x = next;
	}
	return x;
}

static double split(double price, double data, double writes, const struct closed_class *c, size_t n, double *wa,
	double *utilisation)
{
	double space = 0;
	*wa = 0;
	for (size_t i = 0; i < n; i++) {
		double f = c[i].data / data, r = c[i].writes / writes, a = 1;
		if (r > 0) {
			double x = ratio_of(r / (f * price));
			a = (1 + x) * (1 - excess(x) / x); /* -ln v / (1 - v) */
			*wa += r * (1 + 1 / x); /* 1 / (1 - v) */
		}
		space += f * a;
		if (utilisation)
			utilisation[i] = 1 / a;
	}
	return space;
}

double closed_optimal(double u, const struct closed_class *c, size_t n, double *utilisation)
{
	double data, writes, wa = 0, low = 0, high = 1;
	if (!is_utilisation(u) || !sums(c, n, &data, &writes))
		return 0;
	/* The dearer a page of medium, the fewer are taken. */
	while (split(high, data, writes, c, n, &wa, NULL) > 1 / u && high < 1e12)
		high *= 2;
	for (int i = 0; i < STEPS_MAX; i++) {
		double price = (low + high) / 2;
		if (!(price > low && price < high))
			break;
		if (split(price, data, writes, c, n, &wa, NULL) > 1 / u)
			low = price;
		else
			high = price;
	}
	(void)split(high, data, writes, c, n, &wa, utilisation);
	return wa;
}

void closed_hot_cold(double writes, double data, struct closed_class out[2])
{
	out[0] = (struct closed_class){.data = data, .writes = writes};
	out[1] = (struct closed_class){.data = 1 - data, .writes = 1 - writes};
}

/* Writes of the ranks from+1 .. to. */
static double zipf_mass(uint64_t from, uint64_t to, double theta)
{
	return theta > 0 ? wl_zeta(from, to, theta, 0) : (double)(to - from);
}

/* Counts and masses to shares. */
static size_t normalised(struct closed_class *c, size_t n)
{
	double data, writes;
	if (!sums(c, n, &data, &writes))
		return n;
	for (size_t i = 0; i < n; i++) {
		c[i].data /= data;
		c[i].writes /= writes;
	}
	return n;
}

size_t closed_zipf(uint64_t items, double theta, struct closed_class out[CLOSED_GROUPS_MAX])
{
	size_t n = 0;
	for (uint64_t from = 0, to; from < items; from = to) {
		to = from < 32 ? from + 1 : pl_min64(items, from + from / (from >> 32 ? 4 : 32));
		assert(n < CLOSED_GROUPS_MAX);
		out[n++] = (struct closed_class){.data = (double)(to - from), .writes = zipf_mass(from, to, theta)};
	}
	return normalised(out, n);
}

size_t closed_zipf_equal(uint64_t items, double theta, size_t groups, struct closed_class out[CLOSED_GROUPS_MAX])
{
	assert(groups > 0 && groups <= CLOSED_GROUPS_MAX);
	double total = zipf_mass(0, items, theta), before = 0;
	uint64_t from = 0;
	size_t n = 0;
	for (size_t g = 1; g <= groups && from < items; g++) {
		/* The least rank at which the first g groups have their share; bisection costs log2(items) sums. */
		uint64_t low = from + 1, high = items;
		double wanted = total * (double)g / (double)groups - before;
		while (g < groups && low < high) {
			uint64_t to = low + (high - low) / 2;
			if (zipf_mass(from, to, theta) >= wanted)
				high = to;
			else
				low = to + 1;
		}
		uint64_t to = g < groups ? low : items;
		double mass = zipf_mass(from, to, theta);
		out[n++] = (struct closed_class){.data = (double)(to - from), .writes = mass};
		before += mass;
		from = to;
	}
	return normalised(out, n);
}

double closed_distinct(double pages, double draws)
{
	if (!(pages >= 1) || !(draws > 0))
		return 0;
	return pages > 1 ? pages * (1 - wl_pow(1 - 1 / pages, draws)) : 1;
}
