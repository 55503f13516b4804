/* zipf.c - Zipf's law over exactly n items, in memory that grows with log n.
 *
 * Ranks are put into buckets: 1..127 singly, then 64 equal buckets an octave.
 *
 *   rank    1 | 2 | 3 | ... | 127 | 128..129 | 130..131 | ... | 254..255 | 256..259 | ...
 *   mass    width * weight(first of the bucket), an upper bound of the bucket's true mass
 *
 * The first word chooses a bucket by its mass (guide table, then a short scan), the second a rank in it, uniformly, and
 * a number v in [0, 1). The rank is taken if v < weight(rank) / weight(first); below weight(last) / weight(first) that
 * holds without computing the weight.
 *
 * Invariants
 *  1. P(rank r) is proportional to r^-theta exactly, but for the 2^-53 grain of the doubles.
 *  2. Buckets are in order of rank, so with theta > 0 popularity falls with the rank.
 * Cost: about 20 ns; 0.7 % of the draws compute a weight, 0.4 % are refused (theta 0.99). About 1000 buckets of 40
 * bytes at 10^6 items.
 * Leaves out: growth of n. */
#include "workloads/generators.h"

#include "engine/base/rng.h"
#include "workloads/pow.h"

#include <assert.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

#define SUB_BITS 6
#define BUCKETS_MAX ((64u - SUB_BITS + 1u) << SUB_BITS)
#define GUIDE_BITS 10

struct bucket {
	double end; /* mass of this and all earlier buckets */
	double weight; /* of its first rank */
	double squeeze; /* weight of its last rank / weight */
	uint64_t first, width;
};

struct gen_zipf {
	double theta, total;
	uint32_t buckets;
	uint32_t guide[1u << GUIDE_BITS]; /* first bucket a draw with these leading bits can fall into */
	struct bucket bucket[];
};

static uint64_t width_at(uint64_t rank)
{
	int octave = 63 - __builtin_clzll(rank);
	return octave > SUB_BITS ? (uint64_t)1 << (octave - SUB_BITS) : 1;
}

static uint32_t fill_buckets(struct gen_zipf *z, uint64_t items)
{
	uint32_t n = 0;
	double mass = 0;
	for (uint64_t first = 1; first <= items; n++) {
		struct bucket *b = &z->bucket[n];
		b->first = first;
		b->width = pl_min64(width_at(first), items - first + 1);
		b->weight = wl_pow((double)first, -z->theta);
		b->squeeze = wl_pow((double)(first + b->width - 1), -z->theta) / b->weight;
		mass += (double)b->width * b->weight;
		b->end = mass;
		first += b->width;
	}
	z->total = mass;
	return n;
}

int gen_zipf_open(uint64_t items, double theta, struct gen_zipf **out)
{
	assert(items > 0 && items < (uint64_t)1 << 53 && theta >= 0);
	struct gen_zipf *z = calloc(1, sizeof *z + BUCKETS_MAX * sizeof z->bucket[0]);
	if (!z)
		return PL_NOMEM;
	z->theta = theta;
	z->buckets = fill_buckets(z, items);
	uint32_t b = 0;
	for (uint32_t g = 0; g < 1u << GUIDE_BITS; g++) {
		while (b + 1 < z->buckets && z->bucket[b].end <= (double)g / (1u << GUIDE_BITS) * z->total)
			b++;
		z->guide[g] = b;
	}
	*out = z;
	return PL_OK;
}

void gen_zipf_close(struct gen_zipf *z)
{
	free(z);
}

bool gen_zipf(const struct gen_zipf *z, uint64_t a, uint64_t b, uint64_t *rank)
{
	double x = gen_unit(a) * z->total;
	uint32_t i = z->guide[a >> (64 - GUIDE_BITS)];
	while (i + 1 < z->buckets && z->bucket[i].end <= x)
		i++;
	const struct bucket *k = &z->bucket[i];
	u128 product = (u128)b * k->width;
	uint64_t r = k->first + (uint64_t)(product >> 64);
	*rank = r - 1;
	if (k->width == 1)
		return true;
	double v = gen_unit((uint64_t)product);
	return v < k->squeeze || v < wl_pow((double)r, -z->theta) / k->weight;
}

/* Multiplication by an odd number, addition and a shift-xor are each one-to-one on the numbers below a power of two;
 * numbers beyond items are sent round again, which keeps the whole one-to-one on [0, items). */
void gen_scatter_init(struct gen_scatter *s, uint64_t items, uint64_t key)
{
	assert(items > 0);
	uint32_t bits = items > 1 ? 64 - (uint32_t)__builtin_clzll(items - 1) : 1;
	s->items = items;
	s->mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
	s->shift = (bits + 1) / 2;
	for (int i = 0; i < 3; i++) {
		s->factor[i] = pl_splitmix64(&key) | 1;
		s->offset[i] = pl_splitmix64(&key);
	}
}

uint64_t gen_scatter(const struct gen_scatter *s, uint64_t rank)
{
	uint64_t x = rank;
	do {
		for (int i = 0; i < 3; i++) {
			x = (x * s->factor[i] + s->offset[i]) & s->mask;
			x ^= x >> s->shift;
		}
	} while (x >= s->items);
	return x;
}
