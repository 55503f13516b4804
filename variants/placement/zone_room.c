/* zone_room.c - placement=zone: what is free, what is promised, what may be moved.
 *
 * With several open zones an image may find its own full while others have room, and then takes a free zone. How many
 * blocks are sure to be placed with f free zones, whichever stream each image takes? Who wants to see one zone more opened
 * than there are fills the fullest open zones first, then whole ones: f + 1 zones are opened at the earliest after
 *
 *   sure(f) = the least m rests of open zones + (f + 1 - m) * useful blocks,      m = min(streams, f + 1)
 *
 * so as many blocks are sure. useful: a zone's capacity but for the rest that may be too short for the next image. With
 * one stream that is its rest and all free zones. Cost: O(streams^2) a question. */
#include "variants/placement/zone.h"

#include <assert.h>

static uint64_t rest(const struct store *s, const struct zone_stream *t)
{
	uint64_t left = zone_stream_left(t), slack = s->page_blocks - 1;
	return left > slack ? left - slack : 0;
}

/* Sum of the least m rests of streams first .. first + count - 1. */
static uint64_t least_rests(const struct store *s, const struct zones *z, uint32_t first, uint32_t count, uint64_t m)
{
	uint64_t sorted[ZONE_STREAMS_MAX], sum = 0;
	for (uint32_t k = 0; k < count; k++) {
		uint64_t v = rest(s, &z->stream[first + k]);
		uint32_t at = k;
		for (; at && sorted[at - 1] > v; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = v;
	}
	for (uint32_t k = 0; k < m; k++)
		sum += sorted[k];
	return sum;
}

static uint64_t sure(const struct store *s, const struct zones *z, uint32_t first, uint32_t count, uint64_t nfree)
{
	if (zone_grouped(z)) /* any zone takes any image: every rest counts, and every free zone */
		return least_rests(s, z, 0, z->streams, z->streams) + nfree * zone_useful(s, z);
	uint64_t m = pl_min64(count, nfree + 1);
	return least_rests(s, z, first, count, m) + (nfree + 1 - m) * zone_useful(s, z);
}

static uint64_t promised(const struct store *s, const struct zones *z, uint64_t pages)
{
	return (z->reserved + pages) * s->page_blocks + zone_map_reserve(s);
}

bool zone_enough(const struct store *s, const struct zones *z, uint64_t pages, uint64_t spare_zones)
{
	return sure(s, z, 0, z->users, z->nfree) >= promised(s, z, pages) + spare_zones * z->capacity;
}

bool zone_enough_anywhere(const struct store *s, const struct zones *z, uint64_t pages)
{
	return sure(s, z, 0, z->streams, z->nfree) >= promised(s, z, pages);
}

int64_t zone_headroom(const struct store *s, const struct zones *z)
{
	return (int64_t)sure(s, z, 0, z->users, z->nfree) -
	       (int64_t)(promised(s, z, 0) + zone_spare(s, z) * z->capacity);
}

uint64_t zone_movable(const struct store *s, const struct zones *z)
{
	uint64_t owed = promised(s, z, 0), all = sure(s, z, 0, z->users, z->nfree);
	if (z->survivors == ZONE_MIXED || zone_grouped(z))
		return all > owed ? all - owed : 0;
	if (all < owed)
		return 0;
	uint64_t low = 0, high = z->nfree; /* fewest zones that do for what is promised */
	while (low < high) {
		uint64_t half = (low + high) / 2;
		if (sure(s, z, 0, z->users, half) >= owed)
			high = half;
		else
			low = half + 1;
	}
	return sure(s, z, z->users, z->streams - z->users, z->nfree - low);
}

/* Kept back for deletes and for rolling forward: at least one of them at a time, however small the zones. */
static uint64_t urgent_blocks(const struct store *s, const struct zones *z)
{
	return pl_max64(zone_useful(s, z), 16u * (uint64_t)s->page_blocks);
}

/* Greatest number of live blocks: cleaning always finds enough dead ones below it. */
static uint64_t live_limit(const struct store *s, const struct zones *z, bool urgent)
{
	uint64_t keep = (zone_spare(s, z) + zone_partly(z)) * zone_useful(s, z) + urgent_blocks(s, z) +
			2 * zone_map_reserve(s),
		 all = z->n * zone_useful(s, z);
	uint64_t by_share = all * pl_conf_u64(s->conf, "zone.fill_permille") / 1000;
	uint64_t most = all > keep ? all - keep : 0;
	if (store_by_parent(s))
		most = zone_share_by_parent(s, z, most, urgent);
	return pl_min64(most, by_share) + (urgent ? urgent_blocks(s, z) : 0);
}

bool zone_below_limit(const struct store *s, const struct zones *z, uint64_t pages, bool urgent)
{
	return zone_takes(s, z, &z->live) + (z->reserved + pages) * s->page_blocks <= live_limit(s, z, urgent);
}

bool zone_reserve(struct store *s, uint32_t pages, bool urgent)
{
	struct zones *z = s->placement;
	if (!zone_below_limit(s, z, pages, urgent) || !zone_enough(s, z, pages, zone_spare(s, z)))
		return false;
	z->consumed += pages;
	z->reserved += pages;
	return true;
}

void zone_unreserve(struct store *s, uint32_t pages)
{
	struct zones *z = s->placement;
	assert(z->reserved >= pages);
	z->consumed -= pages;
	z->reserved -= pages;
}

void zone_report(const struct store *s, struct plc_report *r)
{
	const struct zones *z = s->placement;
	uint64_t unwritten = z->nfree * z->capacity;
	for (uint32_t k = 0; k < z->streams; k++)
		unwritten += zone_stream_left(&z->stream[k]);
	uint64_t keep = promised(s, z, 0) + zone_spare(s, z) * z->capacity;
	r->capacity_blocks = z->n * z->capacity;
	r->live_blocks = pl_div_up(z->live_units, PAGE_UNITS);
	r->gap_bytes = (r->live_blocks * PAGE_UNITS - z->live_units) * (s->block_bytes / PAGE_UNITS);
	r->reserved_blocks = pl_min64(unwritten, keep);
	r->free_blocks = unwritten - r->reserved_blocks;
	r->dead_blocks = r->capacity_blocks - r->live_blocks - unwritten;
	r->emptied_blocks = z->nempty * z->capacity;
}
