/* hist.h - a latency histogram: 64 linear sub-buckets an octave, so a bucket is at most 1.6 % wide.
 * A bucket is reported by its upper bound. Exact count, sum, least and greatest are kept beside. */
#ifndef PL_BASE_HIST_H
#define PL_BASE_HIST_H

#include <stdint.h>

#define PL_HIST_SUB_BITS 6
#define PL_HIST_BUCKETS ((64 - PL_HIST_SUB_BITS + 1) << PL_HIST_SUB_BITS)

struct pl_hist {
	uint64_t count, sum, least, greatest;
	uint64_t bucket[PL_HIST_BUCKETS];
};

static inline uint32_t pl_hist_index(uint64_t v)
{
	if (v < (1u << PL_HIST_SUB_BITS))
		return (uint32_t)v;
	int shift = 63 - __builtin_clzll(v) - PL_HIST_SUB_BITS;
	return (uint32_t)(((uint64_t)(shift + 1) << PL_HIST_SUB_BITS) + ((v >> shift) - (1u << PL_HIST_SUB_BITS)));
}

static inline void pl_hist_add(struct pl_hist *h, uint64_t v)
{
	if (!h->count || v < h->least)
		h->least = v;
	if (v > h->greatest)
		h->greatest = v;
	h->count++;
	h->sum += v;
	h->bucket[pl_hist_index(v)]++;
}

/* Greatest value that falls into bucket i. */
uint64_t pl_hist_upper(uint32_t i);
/* Upper bound of the bucket that holds the value of the given rank; permyriad 9990 = p99.90. 0 if empty.
 * Never above the greatest value recorded. */
uint64_t pl_hist_quantile(const struct pl_hist *h, uint32_t permyriad);
void pl_hist_merge(struct pl_hist *into, const struct pl_hist *from);
void pl_hist_reset(struct pl_hist *h);

#endif
