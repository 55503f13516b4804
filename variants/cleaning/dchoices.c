/* dchoices.c - of d zones drawn at random, the one with the fewest live blocks (Van Houdt, A Mean Field Model for a Class
 * of Garbage Collection Algorithms in Flash-based Solid State Drives, SIGMETRICS 2013).
 *
 * Ten choices write a few per cent more than greedy under uniform updates and need no order among the zones.
 *
 * 1. Draws are independent, with replacement, among all candidates, as in 2013: always d of them, unless no candidate has
 *    dead blocks, when nothing is drawn. Should all that are drawn be wholly live, which gains nothing, one more is drawn
 *    among the others.
 * 2. Ties go to the lowest index.
 *
 * Cost: two passes over the zones a victim, for ranks become indices that way; a drive would draw block numbers. */
#include "engine/iface/cleaning.h"

#include <stddef.h>

#define CHOICES_MAX 64u

static const struct pl_opt dchoices_opts[] = {
	{.name = "d",
		.type = PL_OPT_U64,
		.value = "8",
		.min = 1,
		.max = CHOICES_MAX,
		.help = "zones drawn, of which that with the fewest live blocks is cleaned; 1: a random one"},
	{0},
};

static int dchoices_configure(uint64_t derived[8], const struct pl_conf *conf, struct pl_fault *f)
{
	(void)f;
	derived[0] = pl_conf_u64(conf, "dchoices.d");
	return PL_OK;
}

static bool has_dead(const struct cln_zone *z)
{
	return z->candidate && z->live_blocks < z->capacity_blocks;
}

/* Insert into a sorted array of n. */
static void insert(uint64_t *sorted, size_t n, uint64_t value)
{
	for (; n > 0 && sorted[n - 1] > value; n--)
		sorted[n] = sorted[n - 1];
	sorted[n] = value;
}

/* The candidate with dead blocks of this rank. */
static uint64_t ranked(const struct cln_zone *zones, uint64_t rank)
{
	uint64_t i = 0;
	for (;; i++)
		if (has_dead(&zones[i]) && rank-- == 0)
			return i;
}

static uint64_t dchoices_victim(
	const uint64_t derived[8], const struct cln_zone *zones, uint64_t n, uint64_t now, struct pl_rng *rng)
{
	uint64_t rank[CHOICES_MAX], candidates = 0, worth = 0, best = n, seen = 0;
	size_t next = 0, d = (size_t)derived[0];
	(void)now;
	for (uint64_t i = 0; i < n; i++) {
		candidates += zones[i].candidate;
		worth += has_dead(&zones[i]);
	}
	if (worth == 0)
		return n;
	for (size_t k = 0; k < d; k++)
		insert(rank, k, pl_rng_below(rng, candidates));
	for (uint64_t i = 0; next < d; i++) {
		if (!zones[i].candidate || seen++ != rank[next])
			continue;
		while (next < d && rank[next] < seen)
			next++;
		if (best == n || zones[i].live_blocks < zones[best].live_blocks)
			best = i;
	}
	return has_dead(&zones[best]) ? best : ranked(zones, pl_rng_below(rng, worth));
}

const struct cln_ops cln_dchoices = {
	.name = "dchoices",
	.summary = "the zone with the fewest live blocks of d drawn at random",
	.opts = dchoices_opts,
	.configure = dchoices_configure,
	.victim = dchoices_victim,
};
