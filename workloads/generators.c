/* generators.c - the generators of YCSB core (brianfrankcooper/YCSB, site.ycsb.generator), rewritten from their
 * behaviour. Quirks kept are named at the declarations; differences are listed in ycsb/CONFORMANCE.md.
 *
 * Cost: zipfian one wl_pow (about 35 ns) unless one of the two hottest is drawn; the others a few ns. */
#include "workloads/generators.h"

#include "workloads/pow.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t magnitude(uint64_t bits)
{
	return bits >> 63 ? 0 - bits : bits;
}

uint64_t gen_fnv64(uint64_t v)
{
	uint64_t hash = 0xCBF29CE484222325u;
	for (int i = 0; i < 8; i++, v >>= 8)
		hash = (hash ^ (v & 0xff)) * 1099511628211u;
	return hash;
}

uint64_t gen_fnv64_abs(uint64_t v)
{
	return magnitude(gen_fnv64(v));
}

uint64_t gen_uniform(uint64_t min, uint64_t max, uint64_t bits)
{
	assert(min <= max && max - min < UINT64_MAX);
	return min + magnitude(bits) % (max - min + 1);
}

/* With two items upstream divides 0 by 0, but never uses the result. */
static double zipfian_eta(const struct gen_zipfian *g)
{
	if (g->items == 2)
		return 0;
	return (1 - wl_pow(2.0 / (double)g->items, 1 - g->theta)) / (1 - g->zeta2 / g->zetan);
}

void gen_zipfian_init_zeta(struct gen_zipfian *g, uint64_t items, double theta, double zetan)
{
	assert(items > 0 && theta > 0 && theta < 1);
	g->items = g->counted = items;
	g->theta = theta;
	g->alpha = 1.0 / (1.0 - theta);
	g->zetan = zetan;
	g->zeta2 = wl_zeta(0, 2, theta, 0);
	g->eta = zipfian_eta(g);
	g->second = 1.0 + wl_pow(0.5, theta);
}

void gen_zipfian_init(struct gen_zipfian *g, uint64_t items, double theta)
{
	gen_zipfian_init_zeta(g, items, theta, wl_zeta(0, items, theta, 0));
}

uint64_t gen_zipfian(struct gen_zipfian *g, uint64_t items, double u)
{
	if (items > g->counted) {
		g->zetan = wl_zeta(g->counted, items, g->theta, g->zetan);
		g->counted = items;
		g->eta = zipfian_eta(g);
	}
	double uz = u * g->zetan;
	if (uz < 1.0)
		return 0;
	if (uz < g->second)
		return 1;
	return (uint64_t)((double)items * wl_pow(g->eta * u - g->eta + 1, g->alpha));
}

void gen_scrambled_init(struct gen_scrambled *g, uint64_t min, uint64_t items, double theta, bool cpp)
{
	assert(items > 0);
	if (theta == 0.99)
		gen_zipfian_init_zeta(&g->inner, GEN_SCRAMBLED_ITEMS, theta, GEN_SCRAMBLED_ZETA);
	else
		gen_zipfian_init(&g->inner, GEN_SCRAMBLED_ITEMS, theta);
	g->min = min;
	g->items = items;
	g->cpp = cpp;
}

uint64_t gen_scrambled(struct gen_scrambled *g, double u)
{
	uint64_t x = gen_zipfian(&g->inner, GEN_SCRAMBLED_ITEMS, u);
	return g->min + (g->cpp ? gen_fnv64(x) : gen_fnv64_abs(x)) % g->items;
}

int gen_acknowledged_init(struct gen_acknowledged *g, uint64_t start, uint64_t window)
{
	assert(start > 0 && window >= 64 && (window & (window - 1)) == 0);
	g->next = start;
	g->limit = start - 1;
	g->window = window;
	g->pending = calloc(window / 64, sizeof *g->pending);
	return g->pending ? PL_OK : PL_NOMEM;
}

void gen_acknowledged_deinit(struct gen_acknowledged *g)
{
	free(g->pending);
	g->pending = NULL;
}

void gen_acknowledge(struct gen_acknowledged *g, uint64_t value)
{
	assert(value > g->limit && value < g->next && value - g->limit < g->window);
	uint64_t slot = value & (g->window - 1);
	assert(!(g->pending[slot / 64] >> (slot % 64) & 1));
	g->pending[slot / 64] |= (uint64_t)1 << (slot % 64);
	for (;;) {
		slot = (g->limit + 1) & (g->window - 1);
		if (!(g->pending[slot / 64] >> (slot % 64) & 1))
			return;
		g->pending[slot / 64] &= ~((uint64_t)1 << (slot % 64));
		g->limit++;
	}
}

uint64_t gen_latest(struct gen_zipfian *g, uint64_t limit, double u)
{
	uint64_t back = gen_zipfian(g, limit, u);
	return back > limit ? 0 : limit - back;
}

void gen_hotspot_init(struct gen_hotspot *g, uint64_t min, uint64_t max, double set_fraction, double operation_fraction)
{
	uint64_t size = max - min + 1;
	g->min = min;
	g->hot = (uint64_t)((double)size * set_fraction);
	g->cold = size - g->hot;
	g->operation_fraction = operation_fraction;
}

uint64_t gen_hotspot(const struct gen_hotspot *g, double u, uint64_t bits)
{
	if (u < g->operation_fraction)
		return g->min + magnitude(bits) % g->hot;
	return g->min + g->hot + magnitude(bits) % g->cold;
}

void gen_exponential_init(struct gen_exponential *g, double percentile, double range)
{
	assert(percentile > 0 && percentile < 100 && range > 0);
	g->gamma = -wl_log(1.0 - percentile / 100.0) / range;
}

uint64_t gen_exponential(const struct gen_exponential *g, double u)
{
	if (u == 0)
		return UINT64_MAX;
	double x = -wl_log(u) / g->gamma;
	return x < 0x1p63 ? (uint64_t)x : UINT64_MAX;
}

void gen_discrete_init(struct gen_discrete *g, const double *weights, uint32_t n)
{
	double sum = 0;
	assert(n <= GEN_DISCRETE_MAX);
	g->n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (weights[i] > 0)
			sum += weights[i];
	for (uint32_t i = 0; i < n; i++)
		if (weights[i] > 0) {
			g->share[g->n] = weights[i] / sum;
			g->value[g->n++] = i;
		}
	assert(g->n > 0);
}

/* Where rounding leaves a gap at the end upstream throws; here the last value is taken. */
uint32_t gen_discrete(const struct gen_discrete *g, double u)
{
	uint32_t i = 0;
	for (; i + 1 < g->n && u >= g->share[i]; i++)
		u -= g->share[i];
	return g->value[i];
}

static int histogram_line(
	struct gen_histogram *g, const char *path, uint32_t line, const char *text, struct pl_fault *f)
{
	uint64_t bucket, count;
	if (sscanf(text, "%" SCNu64 "\t%" SCNu64, &bucket, &count) != 2 || bucket != g->buckets || count > UINT32_MAX)
		return pl_fault_set(f, PL_INVALID, "%s:%u: expected '%u<tab>count' (buckets in order from 0)", path,
			line, g->buckets);
	uint64_t *more = realloc(g->counts, (g->buckets + 1) * sizeof *more);
	if (!more)
		return pl_fault_set(f, PL_NOMEM, "%s: no memory for the histogram", path);
	g->counts = more;
	g->counts[g->buckets++] = count;
	g->area += count;
	return PL_OK;
}

int gen_histogram_load(struct gen_histogram *g, const char *path, struct pl_fault *f)
{
	char text[128];
	int err = PL_OK;
	memset(g, 0, sizeof *g);
	FILE *file = fopen(path, "r");
	if (!file)
		return pl_fault_set(f, PL_INVALID, "fieldlengthhistogram: cannot open '%s'", path);
	if (!fgets(text, sizeof text, file) || sscanf(text, "BlockSize\t%" SCNu64, &g->block_bytes) != 1)
		err = pl_fault_set(f, PL_INVALID, "%s:1: expected 'BlockSize<tab>bytes'", path);
	for (uint32_t line = 2; !err && fgets(text, sizeof text, file); line++)
		err = histogram_line(g, path, line, text, f);
	(void)fclose(file);
	if (!err && (g->area == 0 || g->area > INT32_MAX || g->block_bytes == 0 || g->block_bytes > INT32_MAX))
		err = pl_fault_set(f, PL_INVALID, "%s: block size and sum of counts must be 1 to %d", path, INT32_MAX);
	if (err)
		gen_histogram_deinit(g);
	return err;
}

void gen_histogram_deinit(struct gen_histogram *g)
{
	free(g->counts);
	memset(g, 0, sizeof *g);
}

uint64_t gen_histogram(const struct gen_histogram *g, uint64_t number)
{
	int64_t left = (int64_t)number;
	uint32_t i = 0;
	for (; i + 1 < g->buckets; i++) {
		left -= (int64_t)g->counts[i];
		if (left <= 0)
			return (i + 1) * g->block_bytes;
	}
	return i * g->block_bytes;
}
