#include "engine/base/hist.h"

#include <string.h>

uint64_t pl_hist_upper(uint32_t i)
{
	uint32_t sub = 1u << PL_HIST_SUB_BITS;
	if (i < sub)
		return i;
	uint32_t shift = (i >> PL_HIST_SUB_BITS) - 1;
	uint64_t low = (uint64_t)((i & (sub - 1)) + sub) << shift;
	return low + ((uint64_t)1 << shift) - 1;
}

uint64_t pl_hist_quantile(const struct pl_hist *h, uint32_t permyriad)
{
	if (!h->count)
		return 0;
	/* rank = ceil(count * q), computed without overflow for counts below 2^50 */
	uint64_t rank = (h->count * (uint64_t)permyriad + 9999) / 10000, seen = 0;
	if (!rank)
		rank = 1;
	for (uint32_t i = 0; i < PL_HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank) {
			uint64_t u = pl_hist_upper(i);
			return u < h->greatest ? u : h->greatest;
		}
	}
	return h->greatest;
}

void pl_hist_merge(struct pl_hist *into, const struct pl_hist *from)
{
	if (!from->count)
		return;
	if (!into->count || from->least < into->least)
		into->least = from->least;
	if (from->greatest > into->greatest)
		into->greatest = from->greatest;
	into->count += from->count;
	into->sum += from->sum;
	for (uint32_t i = 0; i < PL_HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

void pl_hist_reset(struct pl_hist *h)
{
	memset(h, 0, sizeof *h);
}
