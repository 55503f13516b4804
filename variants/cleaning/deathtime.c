/* deathtime.c - clean what will stay, spare what is about to die: the estimates of Lee, Ziegler, Leis, How to Write to SSDs,
 * PVLDB 19 (2026), weighed as the optimal split of the spare asks (Desnoyers, SYSTOR 2012; Stoica, Ailamaki, PVLDB 2013).
 *
 *   index = rest * g(v)            v = live blocks / capacity
 *   g(v)  = (1-v)^2 / (v (1+v))
 *   rest  = min(age, 2 (death_at - now)) while the zone's mean death lies ahead, else age = now - changed_at; at least 1
 *
 * Why g: classes of page in logs of their own write least if (1/v - 1 + ln v) f/r is the same for all of them, v the live
 * share of their victims and f/r the time in which a page of the class is written once (harness/closed_forms.c). So that is
 * the index by which to clean when a zone's pages have a known time to live. ln v = -2 (1-v)/(1+v) + ... makes
 * g out of it, which is exact at both ends and 12 % too large between. Cost-benefit has (1-v)/(1+v) in its place: it waits
 * too little for zones that are nearly full.
 *
 * Why rest: what has lived long lives long. Ages tell that without any history, and do not err where the pages of a zone
 * differ; a mean of estimates does, for a few cold pages outweigh many hot ones. So age decides, until the estimates say
 * that the zone will have died before another half of its age has passed. Then to wait is cheap, and its index falls to
 * nothing as its time comes. When that has passed and pages still live, the estimates were wrong, and age decides again.
 *
 * 1. A zone without live blocks is taken at once, else the greatest index; ties go to the lowest zone.
 * 2. g is kept in units of 2^-32, rounded up, so that of zones that are all but full the oldest goes first. Index and
 *    comparison are exact integers for capacities below 2^32 blocks.
 *
 * Cost: one pass over the zones and one long division for each, a victim.
 * Left out: grouping pages by their deaths (the placement's: zone.streams = death), without which estimates rarely decide. */
#include "engine/iface/cleaning.h"

__extension__ typedef unsigned __int128 u128;

static uint64_t rest(const struct cln_zone *z, uint64_t now)
{
	uint64_t age = now > z->changed_at ? now - z->changed_at : 1;
	if (z->death_at == CLN_NEVER || z->death_at <= now)
		return age;
	uint64_t left = z->death_at - now;
	return left < age / 2 ? 2 * left : age;
}

/* Live blocks are not 0. */
static u128 index_of(const struct cln_zone *z, uint64_t now)
{
	uint64_t live = z->live_blocks, dead = z->capacity_blocks - live;
	u128 cost = (u128)live * (z->capacity_blocks + live);
	return ((((u128)dead * dead) << 32) / cost + 1) * rest(z, now);
}

static uint64_t deathtime_victim(
	const uint64_t derived[8], const struct cln_zone *zones, uint64_t n, uint64_t now, struct pl_rng *rng)
{
	uint64_t best = n;
	u128 best_index = 0;
	(void)derived;
	(void)rng;
	for (uint64_t i = 0; i < n; i++) {
		if (!zones[i].candidate || zones[i].live_blocks >= zones[i].capacity_blocks)
			continue;
		if (!zones[i].live_blocks)
			return i;
		u128 index = index_of(&zones[i], now);
		if (best == n || index > best_index) {
			best = i;
			best_index = index;
		}
	}
	return best;
}

const struct cln_ops cln_deathtime = {
	.name = "deathtime",
	.summary = "the zone with the most room that will stay longest, unless it is about to die by itself",
	.victim = deathtime_victim,
};
