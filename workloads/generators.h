/* generators.h - YCSB's number generators as functions of the draws they are given.
 *
 * No generator owns a source of randomness: it is handed u in [0, 1) or 64 random bits, so the same list of draws gives
 * the same list of numbers here and in upstream's Java (site.ycsb.generator). All results are counted from 0 unless a
 * range is given; ranges are inclusive. */
#ifndef PL_WL_GENERATORS_H
#define PL_WL_GENERATORS_H

#include "engine/base/err.h"

/* u of 64 random bits, as upstream's nextDouble makes it from nextLong. */
static inline double gen_unit(uint64_t bits)
{
	return (double)(bits >> 11) * 0x1p-53;
}

/* FNV over the 8 octets of v, least significant first. YCSB-cpp uses it as it is, upstream its absolute value as a
 * signed number. */
uint64_t gen_fnv64(uint64_t v);
uint64_t gen_fnv64_abs(uint64_t v);

/* UniformLongGenerator: |bits as a signed number| mod the size of the range. */
uint64_t gen_uniform(uint64_t min, uint64_t max, uint64_t bits);

/* ZipfianGenerator (Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994). A call with
 * more items than before extends zeta by the new terms; eta keeps the items of the constructor, as upstream does. Fewer
 * items leave zeta as it is. 0 < theta < 1. The result may equal items when u is within a few 2^-53 of 1. */
struct gen_zipfian {
	uint64_t items; /* of the constructor */
	uint64_t counted; /* items in zetan */
	double theta, alpha, zetan, zeta2, eta;
	double second; /* 1 + 2^-theta */
};
void gen_zipfian_init(struct gen_zipfian *g, uint64_t items, double theta);
void gen_zipfian_init_zeta(struct gen_zipfian *g, uint64_t items, double theta, double zetan);
uint64_t gen_zipfian(struct gen_zipfian *g, uint64_t items, double u);

/* ScrambledZipfianGenerator: a zipfian over 10^10 + 1 items hashed onto [min, min + items). */
#define GEN_SCRAMBLED_ITEMS 10000000001u
#define GEN_SCRAMBLED_ZETA 26.46902820178302 /* for theta = 0.99 */
struct gen_scrambled {
	struct gen_zipfian inner;
	uint64_t min, items;
	bool cpp; /* hash without the absolute value */
};
void gen_scrambled_init(struct gen_scrambled *g, uint64_t min, uint64_t items, double theta, bool cpp);
uint64_t gen_scrambled(struct gen_scrambled *g, double u);

/* AcknowledgedCounterGenerator: hands out start, start + 1, ...; limit is the last number below which, inclusive, all
 * are acknowledged. window (a power of two) bounds how far acknowledgement may run ahead; beyond it is an assertion. */
struct gen_acknowledged {
	uint64_t next, limit, window;
	uint64_t *pending; /* one bit a slot */
};
int gen_acknowledged_init(struct gen_acknowledged *g, uint64_t start, uint64_t window) PL_MUST_USE;
void gen_acknowledged_deinit(struct gen_acknowledged *g);
void gen_acknowledge(struct gen_acknowledged *g, uint64_t value);

/* SkewedLatestGenerator over a counter whose last acknowledged number is limit: limit - zipfian(limit). Built with
 * limit items, so number 0 is all but never drawn, as upstream. */
uint64_t gen_latest(struct gen_zipfian *g, uint64_t limit, double u);

/* HotspotIntegerGenerator: the first floor(size * set_fraction) numbers of the range are hot. */
struct gen_hotspot {
	uint64_t min, hot, cold; /* hot and cold: how many numbers */
	double operation_fraction;
};
void gen_hotspot_init(
	struct gen_hotspot *g, uint64_t min, uint64_t max, double set_fraction, double operation_fraction);
uint64_t gen_hotspot(const struct gen_hotspot *g, double u, uint64_t bits);

/* ExponentialGenerator, truncated to a whole number. u = 0 gives UINT64_MAX. */
struct gen_exponential {
	double gamma;
};
void gen_exponential_init(struct gen_exponential *g, double percentile, double range);
uint64_t gen_exponential(const struct gen_exponential *g, double u);

/* DiscreteGenerator: linear scan over the normalised weights; zero weights are never added. */
#define GEN_DISCRETE_MAX 8u
struct gen_discrete {
	uint32_t n;
	double share[GEN_DISCRETE_MAX];
	uint32_t value[GEN_DISCRETE_MAX];
};
void gen_discrete_init(struct gen_discrete *g, const double *weights, uint32_t n); /* values are the indices */
uint32_t gen_discrete(const struct gen_discrete *g, double u);

/* HistogramGenerator: text "BlockSize\t<bytes>", then "<bucket>\t<count>" in order. The last bucket gives the same
 * size as the one before it, as upstream. */
struct gen_histogram {
	uint64_t block_bytes, area;
	uint64_t *counts;
	uint32_t buckets;
};
int gen_histogram_load(struct gen_histogram *g, const char *path, struct pl_fault *f) PL_MUST_USE;
void gen_histogram_deinit(struct gen_histogram *g);
uint64_t gen_histogram(const struct gen_histogram *g, uint64_t number); /* 0 <= number < area */

/* Zipf over exactly the items given: rank r (from 0) has probability (r + 1)^-theta / zeta(items, theta), theta >= 0.
 * See zipf.c. A draw takes two words; it may refuse them (0.4 % at theta 0.99), then the caller draws again. */
struct gen_zipf;
int gen_zipf_open(uint64_t items, double theta, struct gen_zipf **out) PL_MUST_USE;
void gen_zipf_close(struct gen_zipf *z);
bool gen_zipf(const struct gen_zipf *z, uint64_t a, uint64_t b, uint64_t *rank);

/* A keyed permutation of [0, items): which number bears which rank. */
struct gen_scatter {
	uint64_t items, mask;
	uint32_t shift;
	uint64_t factor[3], offset[3];
};
void gen_scatter_init(struct gen_scatter *s, uint64_t items, uint64_t key);
uint64_t gen_scatter(const struct gen_scatter *s, uint64_t rank);

#endif
