/* costbenefit.c - clean where the room gained, times how long it will stay, is most for what it costs (Rosenblum and
 * Ousterhout, The Design and Implementation of a Log-Structured File System, ACM TOCS 10(1), 1992).
 *
 *   score = (1 - u) * age / (1 + u)        u = live blocks / capacity,  age = now - changed_at, at least 1
 *
 * 1 - u is gained; 1 to read the zone and u to write its survivors is the cost; the age of the youngest image in it says
 * how long its survivors are likely to stay. Cold zones are thus cleaned at a higher utilisation than hot ones. That pays
 * only if what survives is kept apart from what clients write: else hot and cold are mixed again by the cleaning itself.
 *
 * 1. The greatest score is taken; ties go to the lowest index.
 * 2. Scores are compared as integers, (C-L) * age * (C'+L') with (C'-L') * age' * (C+L): in 128 bits for any age and zones of
 *    less than 2^31 blocks.
 *
 * Cost: one pass over the zones a victim.
 * Left out: the order in which survivors are written (1992 sorts them by age): that is the placement's. */
#include "engine/iface/cleaning.h"

__extension__ typedef unsigned __int128 u128;

static uint64_t age(const struct cln_zone *z, uint64_t now)
{
	return now > z->changed_at ? now - z->changed_at : 1;
}

static bool better(const struct cln_zone *a, const struct cln_zone *b, uint64_t now)
{
	u128 gain_a = (u128)(a->capacity_blocks - a->live_blocks) * (b->capacity_blocks + b->live_blocks);
	u128 gain_b = (u128)(b->capacity_blocks - b->live_blocks) * (a->capacity_blocks + a->live_blocks);
	return gain_a * age(a, now) > gain_b * age(b, now);
}

static uint64_t costbenefit_victim(
	const uint64_t derived[8], const struct cln_zone *zones, uint64_t n, uint64_t now, struct pl_rng *rng)
{
	uint64_t best = n;
	(void)derived;
	(void)rng;
	for (uint64_t i = 0; i < n; i++)
		if (zones[i].candidate && zones[i].live_blocks < zones[i].capacity_blocks &&
			(best == n || better(&zones[i], &zones[best], now)))
			best = i;
	return best;
}

const struct cln_ops cln_costbenefit = {
	.name = "costbenefit",
	.summary = "the zone with the best room times age for its cost",
	.victim = costbenefit_victim,
};
