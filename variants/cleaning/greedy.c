/* greedy.c - clean the zone with the fewest live blocks (Rosenblum and Ousterhout 1992; optimal for uniform updates).
 *
 * Under skew it is worse than under uniform load: cold survivors are copied with the hot ones again and again.
 * Cost: one pass over the zones a victim. Ties go to the lowest index. */
#include "engine/iface/cleaning.h"

static uint64_t greedy_victim(
	const uint64_t derived[8], const struct cln_zone *zones, uint64_t n, uint64_t now, struct pl_rng *rng)
{
	uint64_t best = n;
	(void)derived;
	(void)now;
	(void)rng;
	for (uint64_t i = 0; i < n; i++)
		if (zones[i].candidate && zones[i].live_blocks < zones[i].capacity_blocks &&
			(best == n || zones[i].live_blocks < zones[best].live_blocks))
			best = i;
	return best;
}

const struct cln_ops cln_greedy = {
	.name = "greedy",
	.summary = "the zone with the fewest live blocks",
	.victim = greedy_victim,
};
