/* oldest.c - cleaning: the zone that was closed longest ago, as a log that is written round and round would have it.
 *
 * 1. A victim is a candidate with at least one dead block; else nothing would be gained by moving what lives.
 * 2. Ties go to the lowest index, so that a run is a function of its specification.
 *
 * Cost: one look at each zone.
 * Left out: how much there is to move. A zone of cold pages, all but full, is copied once a turn of the ring. */
#include "engine/iface/cleaning.h"

static uint64_t oldest_victim(
	const uint64_t derived[8], const struct cln_zone *zones, uint64_t n, uint64_t now, struct pl_rng *rng)
{
	uint64_t best = n;
	(void)derived;
	(void)now;
	(void)rng;
	for (uint64_t i = 0; i < n; i++) {
		if (!zones[i].candidate || zones[i].live_blocks == zones[i].capacity_blocks)
			continue;
		if (best == n || zones[i].closed_at < zones[best].closed_at)
			best = i;
	}
	return best;
}

const struct cln_ops cln_oldest = {
	.name = "oldest",
	.summary = "the zone closed longest ago, whatever lives in it",
	.victim = oldest_victim,
};
