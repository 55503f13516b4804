/* zone_clean.c - placement=zone: victims, moving what lives in them, making room.
 *
 * Ahead of need, between two turns (zone_step): while less than a zone of room is free or about to be, a victim is emptied, at
 * most slice_pages pages in a step. Who reserves room pays: each block buys so many moves that the victim is empty before
 * the room for both is used up, so on average the next anchor gives back what was taken. A step never waits: pages that are
 * not resident are read asynchronously, and placed in a later step if their loc is still the old one; where a write would
 * have to wait, so does cleaning. Copies are on their way to the device when the step ends, so that whoever reads them finds
 * them there. A zone becomes free at an anchor, so one is due when little room is left and some zones were emptied.
 *
 * By_parent a slice is made another way (zone_parent.c); what it costs and who pays is the same.
 *
 * Last resort (zone_make_room): a reservation finds too little room. Victims are emptied, several to an anchor, and nobody
 * gets a turn in between.
 *
 * Pages that are dirty are left in the victim: the next anchor places them anew. One that is damaged stays where it is, for
 * check to name, and its zone is no longer used. */
#include "variants/placement/zone.h"

#define PAID_MOST 8u /* slices that can be owed */

void zone_cleaner_init(struct zones *z)
{
	z->cleaner.victim = ZONE_NONE;
}

static uint8_t *move_bytes(const struct store *s, const struct zones *z, const struct zone_move *m)
{
	return z->buffer + (size_t)(m - z->cleaner.move) * ((s->page_bytes + 4095u) & ~4095u);
}

/* --- one page --------------------------------------------------------------------------------------------------------- */

static pl_loc owner_loc(const struct store *s, uint32_t owner)
{
	uint64_t id = owner & ~ZONE_MAP_OWNER;
	return owner & ZONE_MAP_OWNER ? s->choice.addressing->map_loc(s, id) : store_loc(s, id);
}

/* The frame of a page that is here, or POOL_NONE. */
static uint32_t owner_frame(const struct store *s, uint32_t owner)
{
	return owner & ZONE_MAP_OWNER ? POOL_NONE : page_resident(s, owner);
}

/* Place a copy of a live image. */
static void move(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t, uint32_t owner,
	struct plc_image *i, pl_loc old)
{
	bool map = owner & ZONE_MAP_OWNER;
	uint64_t id = owner & ~ZONE_MAP_OWNER;
	i->id = (pl_pageid){id};
	i->frame = POOL_NONE;
	i->cleaning = true;
	i->tag = DEV_TAG_CLEAN;
	pl_loc loc = zone_append(s, x, z, t, i, owner);
	if (s->failed)
		return;
	if (map)
		s->choice.addressing->map_moved(s, id, loc);
	else {
		store_set_loc(s, id, loc);
		s->choice.addressing->changed(s, id, ADR_MOVED);
	}
	zone_release(s, id, old);
	z->cleaner.gathered |= 1u << (t - z->stream);
	s->stats.moved_pages++;
	s->stats.moved_bytes += loc_bytes(loc, s->block_bytes);
}

/* A clean resident page. False: that would wait, and may not. */
static bool move_resident(
	struct store *s, struct pl_ctx *x, struct zones *z, uint32_t owner, uint32_t frame, pl_loc loc, bool may_wait)
{
	struct zone_stream *t = zone_choose(s, z, frame_page(s, frame), loc_blocks(loc), true);
	struct plc_image i;
	if (!may_wait && zone_would_wait(s, x, z, t, loc_blocks(loc)))
		return false;
	image_make(s, x, frame, true, s->image, &i);
	move(s, x, z, t, owner, &i, loc);
	return true;
}

static void move_read(struct store *s, struct pl_ctx *x, struct io *io)
{
	(void)s;
	(void)x;
	((struct zone_move *)io->owner)->status = io->r.status;
}

static void begin_read(struct store *s, struct pl_ctx *x, struct zones *z, uint32_t owner, pl_loc loc)
{
	struct zone_move *m = z->cleaner.move;
	while (m->owner)
		m++;
	*m = (struct zone_move){.owner = owner, .status = PL_AGAIN, .loc = loc};
	z->cleaner.waiting++;
	struct io *io = io_take(s);
	io->r.op = DEV_READ;
	io->r.tag = DEV_TAG_CLEAN;
	io->r.block = loc_block(loc);
	io->r.blocks = loc_blocks(loc);
	io->r.buf = move_bytes(s, z, m);
	io->owner = m;
	io->done = move_read;
	io_submit(s, x, io);
}

void zone_set_bad(struct zones *z, uint64_t zone)
{
	z->state[zone] = ZONE_BAD;
	z->zone[zone].candidate = false;
	zone_recount(z, zone);
}

/* A page whose read has come. False: placing it would wait, and may not. */
static bool finish_read(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_move *m, bool may_wait)
{
	uint32_t frame = owner_frame(s, m->owner), n = loc_blocks(m->loc);
	bool stale = owner_loc(s, m->owner).v != m->loc.v || (frame != POOL_NONE && s->pool.frame[frame].dirty);
	int err = stale ? PL_OK : m->status;
	if (!stale && !err && !m->checked) {
		err = image_fetched(s, move_bytes(s, z, m), m->owner & ~ZONE_MAP_OWNER, m->loc, &m->image, &s->fault);
		m->checked = !err;
	}
	if (!stale && err)
		zone_set_bad(z, zone_of(s, z, loc_block(m->loc)));
	else if (!stale) {
		struct zone_stream *t = zone_choose(s, z, m->image.bytes, n, true);
		if (!may_wait && zone_would_wait(s, x, z, t, n))
			return false;
		move(s, x, z, t, m->owner, &m->image, m->loc);
	}
	m->owner = 0;
	z->cleaner.waiting--;
	return true;
}

/* --- one victim ------------------------------------------------------------------------------------------------------- */

/* The policy's victim; as a last resort one that holds no more than the mean of all candidates, else the emptiest: a policy
 * that waits for full zones to empty gains too little when no client can go on. */
static uint64_t pick(struct store *s, const struct cln_zone *seen, uint64_t n, bool last_resort)
{
	uint64_t v = s->choice.cleaning->victim(s->cleaning_derived, seen, n, s->clock, &s->cleaning_rng);
	uint64_t live = 0, candidates = 0, emptiest = v;
	if (v >= n || !last_resort)
		return v;
	for (uint64_t i = 0; i < n; i++)
		if (seen[i].candidate) {
			live += seen[i].live_blocks;
			candidates++;
			if (seen[i].live_blocks < seen[emptiest].live_blocks)
				emptiest = i;
		}
	return seen[v].live_blocks * candidates > live ? emptiest : v;
}

static uint64_t choose_victim(struct store *s, struct zones *z, bool last_resort)
{
	const struct cln_zone *seen = z->zone;
	if (store_by_parent(s)) {
		uint64_t v = zone_choose_by_parent(s, z);
		return v < z->n ? v : ZONE_NONE;
	}
	if (zone_grouped(z)) {
		for (uint64_t g = 0; g < z->n / z->group; g++) {
			struct cln_zone *c = &z->groups[g];
			struct zone_deaths d = {0};
			*c = (struct cln_zone){.death_at = CLN_NEVER, .candidate = true};
			for (uint64_t i = g * z->group; i < (g + 1) * z->group; i++) {
				const struct cln_zone *m = &z->zone[i];
				c->live_blocks += m->live_blocks;
				c->capacity_blocks += m->capacity_blocks;
				c->closed_at = pl_max64(c->closed_at, m->closed_at);
				c->changed_at = pl_max64(c->changed_at, m->changed_at);
				c->candidate &= z->state[i] == ZONE_FULL && !z->drained[i];
				d.sum += z->deaths[i].sum;
				d.count += z->deaths[i].count;
			}
			c->candidate &= c->live_blocks > 0;
			if (d.count)
				c->death_at = d.sum / d.count;
		}
		seen = z->groups;
	}
	uint64_t n = z->n / z->group, v = pick(s, seen, n, last_resort);
	return v < n ? v * z->group : ZONE_NONE;
}

static uint64_t live_of(const struct zones *z, uint64_t victim)
{
	uint64_t live = 0;
	for (uint64_t i = victim; i < victim + z->group; i++)
		live += z->zone[i].live_blocks;
	return live;
}

/* Room that must be there to empty a victim: what packed images take is an estimate. */
static uint64_t needs(const struct store *s, uint64_t live)
{
	if (store_by_parent(s))
		return zone_needs_by_parent(s, live);
	return s->packs ? live + live / 8 + 2 : live;
}

/* By_parent what is kept for cleaning is kept for the last resort. */
static uint64_t movable(const struct store *s, const struct zones *z)
{
	if (!store_by_parent(s))
		return zone_movable(s, z);
	int64_t headroom = zone_roomy_by_parent(s, z) ? zone_headroom(s, z) : 0;
	return headroom > 0 ? (uint64_t)headroom : 0;
}

/* Choose the next victim; false: none is worth it, or there is no room to move what lives in it. */
static bool begin_victim(struct store *s, struct zones *z, bool last_resort)
{
	struct zone_cleaner *c = &z->cleaner;
	uint64_t v = choose_victim(s, z, last_resort), capacity = z->group * z->capacity;
	if (v == ZONE_NONE)
		return false;
	uint64_t live = live_of(z, v);
	if (needs(s, live) > movable(s, z) || live + s->page_blocks > capacity)
		return false;
	for (uint64_t i = v; i < v + z->group; i++)
		z->zone[i].candidate = false;
	c->victim = v;
	c->at = 0;
	c->left = false;
	c->here = (struct zone_move){0};
	c->live_blocks = live;
	c->dead_blocks = capacity - live;
	return true;
}

void zone_end_victim(struct store *s, struct zones *z)
{
	for (uint64_t i = z->cleaner.victim; i < z->cleaner.victim + z->group; i++)
		if (z->state[i] == ZONE_FULL) {
			z->drained[i] = true;
			zone_recount(z, i);
		}
	z->cleaner.victim = ZONE_NONE;
	s->stats.cleaned_zones += z->group;
}

static bool being_read(const struct zone_cleaner *c, uint32_t owner)
{
	for (uint32_t k = 0; c->waiting && k < ZONE_READ_BATCH; k++)
		if (c->move[k].owner == owner)
			return true;
	return false;
}

/* The next image of the victim that is to be moved; false: there is none. Of a block that several share, it is the first
 * that is not being read: what was moved is in its list no more. */
static bool next_live(const struct store *s, struct zones *z, uint32_t *owner, pl_loc *loc, uint32_t *frame)
{
	struct zone_cleaner *c = &z->cleaner;
	uint64_t base = zone_start(s, z, c->victim) - s->layout.data_start;
	for (; c->at < z->group * z->stride; c->at++) {
		if (s->packs && z->state[c->victim + c->at / z->stride] == ZONE_BAD)
			continue; /* a damaged image would come again and again */
		for (*owner = z->owner[base + c->at]; *owner;
			*owner = s->packs && !(*owner & ZONE_MAP_OWNER) ? z->next[*owner] : 0) {
			*loc = owner_loc(s, *owner);
			*frame = owner_frame(s, *owner);
			if (s->packs && being_read(c, *owner))
				continue;
			if (*frame == POOL_NONE || !s->pool.frame[*frame].dirty)
				return true;
		}
	}
	return false;
}

/* Where to look behind an image that is moved or being read. */
static void go_on(const struct store *s, struct zone_cleaner *c, pl_loc loc)
{
	if (!s->packs)
		c->at += loc_blocks(loc);
}

void zone_cleaner_forget(struct store *s, struct zones *z, uint64_t zone)
{
	struct zone_cleaner *c = &z->cleaner;
	if (c->victim != ZONE_NONE && zone / z->group == c->victim / z->group)
		c->victim = ZONE_NONE;
	for (struct zone_move *m = c->move; m < c->move + ZONE_READ_BATCH; m++)
		if (m->owner && zone_of(s, z, loc_block(m->loc)) == zone) {
			m->owner = 0;
			c->waiting--;
		}
}

void zone_cleaner_anchored(struct zones *z)
{
	z->cleaner.dirtied = 0;
	z->cleaner.refused = false;
	for (uint64_t i = 0; i < z->n; i++) /* victims that kept dirty pages, now moved, or that were too much */
		if (z->state[i] == ZONE_FULL && i / z->group * z->group != z->cleaner.victim) {
			z->drained[i] = false;
			z->zone[i].candidate = z->zone[i].live_blocks > 0;
			zone_recount(z, i);
		}
}

/* --- ahead of need ---------------------------------------------------------------------------------------------------- */

/* Zones to be emptied for one anchor: a sixth of what is not live. More would be cleaned too early, fewer cost more anchors.
 * Measured with the demo's settings (36 zones, YCSB A): one zone an anchor 14.2 and 25.2 thousand operations a second (SSD,
 * zoned SSD) in 113 anchors, a tenth of all zones 15.7 and 33.5 in 36; the p99 of reads is the same within a quarter. */
static uint64_t ahead_zones(const struct store *s, const struct zones *z)
{
	if (store_by_parent(s))
		return zone_ahead_by_parent(s, z);
	uint64_t live = z->live_units / PAGE_UNITS / zone_useful(s, z);
	return pl_max64(z->group, z->n > live ? (z->n - live) / 6 : 0);
}

static uint64_t batch_zones(const struct zones *z)
{
	return pl_max64(2 * z->group, z->n / 64);
}

#define LOW_PAGES 16 /* below so much room an anchor is due, if it frees some */
#define AIM_PAGES 64 /* so much is to be left when a victim is emptied */

static int64_t pages(const struct store *s, int64_t n)
{
	return n * s->page_blocks;
}

bool zone_due(const struct store *s)
{
	const struct zones *z = s->placement;
	bool low = z->slice_pages && z->ready && zone_headroom(s, z) < pages(s, LOW_PAGES);
	return store_by_parent(s) ? z->slice_pages && zone_due_by_parent(s, z, low) : low;
}

/* Room that is missing, counting what the next anchor frees; blocks. */
static int64_t missing(const struct store *s, const struct zones *z, int64_t headroom)
{
	return pages(s, AIM_PAGES) + ((int64_t)ahead_zones(s, z) - (int64_t)z->ready) * (int64_t)zone_useful(s, z) -
	       headroom;
}

/* What clients have reserved since the last step buys moves, or the choice of a victim: as many moves for a block that the
 * victim is empty when the room for both is used up, and not fewer than it has live blocks for a dead one. */
static void pay(struct store *s, struct zones *z)
{
	struct zone_cleaner *c = &z->cleaner;
	uint64_t blocks = z->consumed > c->consumed ? (z->consumed - c->consumed) * s->page_blocks : 0;
	uint64_t most = (uint64_t)PAID_MOST * z->slice_pages * s->page_blocks;
	if (!blocks)
		return;
	c->consumed = z->consumed;
	int64_t headroom = zone_headroom(s, z);
	if (c->victim == ZONE_NONE) {
		c->paid_units = 0;
		if (c->waiting || missing(s, z, headroom) <= 0 || !begin_victim(s, z, false))
			return;
	}
	uint64_t live = live_of(z, c->victim);
	int64_t room = headroom - pages(s, AIM_PAGES) - (int64_t)live;
	uint64_t least = pl_div_up(blocks * c->live_blocks, c->dead_blocks);
	uint64_t price = room > 0 ? pl_div_up(blocks * live, (uint64_t)room) : most;
	c->paid_units = pl_min64(c->paid_units + pl_max64(least, price) * PAGE_UNITS, most * PAGE_UNITS);
}

/* Go on with the victim, for what was paid: at most `most` pages moved or asked for. */
static void slice(struct store *s, struct pl_ctx *x, struct zones *z, uint32_t most)
{
	struct zone_cleaner *c = &z->cleaner;
	uint64_t movable = zone_movable(s, z), owed = c->waiting * (uint64_t)s->page_blocks;
	uint32_t owner, frame;
	pl_loc loc;
	while (!s->failed) {
		if (!next_live(s, z, &owner, &loc, &frame)) {
			if (!c->waiting)
				zone_end_victim(s, z);
			return;
		}
		if (!most-- || !c->paid_units || movable < owed + s->page_blocks)
			return;
		if (frame == POOL_NONE && c->waiting == ZONE_READ_BATCH)
			return;
		if (frame == POOL_NONE)
			begin_read(s, x, z, owner, loc);
		else if (!move_resident(s, x, z, owner, frame, loc, false))
			return;
		go_on(s, c, loc);
		c->paid_units -= pl_min64(c->paid_units, loc_units(loc));
		owed += s->page_blocks;
	}
}

void zone_flush_copies(struct store *s, struct pl_ctx *x, struct zones *z)
{
	for (uint32_t k = 0; k < z->streams; k++)
		if (z->cleaner.gathered >> k & 1 && !s->packs) /* packing: zone_before_read */
			gather_flush(s, x, &z->stream[k].gather);
	z->cleaner.gathered = 0;
}

void zone_step(struct store *s, struct pl_ctx *x)
{
	struct zones *z = s->placement;
	struct zone_cleaner *c = &z->cleaner;
	uint64_t before = s->stats.moved_pages;
	if (!z->slice_pages)
		return;
	if (store_by_parent(s)) {
		pay(s, z);
		uint64_t dirtied = zone_slice_by_parent(s, x, z);
		s->stats.moved_pages_at_once = pl_max64(s->stats.moved_pages_at_once, dirtied);
		return;
	}
	for (struct zone_move *m = c->move; c->waiting && m < c->move + ZONE_READ_BATCH; m++)
		if (m->owner && m->status != PL_AGAIN) {
			uint64_t moved = s->stats.moved_pages - before;
			if (moved >= z->slice_pages || zone_movable(s, z) < s->page_blocks)
				break;
			if (!finish_read(s, x, z, m, false))
				break;
		}
	pay(s, z);
	uint64_t moved = s->stats.moved_pages - before;
	if (c->victim != ZONE_NONE && moved < z->slice_pages)
		slice(s, x, z, z->slice_pages - (uint32_t)moved);
	zone_flush_copies(s, x, z);
	moved = s->stats.moved_pages - before;
	s->stats.moved_pages_at_once = pl_max64(s->stats.moved_pages_at_once, moved);
}

/* --- last resort ------------------------------------------------------------------------------------------------------ */

static void finish_reads(struct store *s, struct pl_ctx *x, struct zones *z)
{
	struct zone_cleaner *c = &z->cleaner;
	io_drain(s, x);
	for (struct zone_move *m = c->move; c->waiting && m < c->move + ZONE_READ_BATCH && !s->failed; m++)
		if (m->owner)
			(void)finish_read(s, x, z, m, true);
}

/* Move everything live out of the victim. */
static void clean_rest(struct store *s, struct pl_ctx *x, struct zones *z)
{
	struct zone_cleaner *c = &z->cleaner;
	uint32_t owner, frame;
	pl_loc loc;
	while (!s->failed && next_live(s, z, &owner, &loc, &frame)) {
		if (frame != POOL_NONE)
			(void)move_resident(s, x, z, owner, frame, loc, true);
		else
			begin_read(s, x, z, owner, loc);
		go_on(s, c, loc);
		if (c->waiting == ZONE_READ_BATCH)
			finish_reads(s, x, z);
	}
	finish_reads(s, x, z);
	if (!s->failed)
		zone_end_victim(s, z);
}

/* The victim under way is emptied or, for want of room, let go. */
static void settle(struct store *s, struct pl_ctx *x, struct zones *z)
{
	struct zone_cleaner *c = &z->cleaner;
	if (zone_movable(s, z) >= c->waiting * (uint64_t)s->page_blocks)
		finish_reads(s, x, z);
	if (c->victim == ZONE_NONE || s->failed)
		return;
	if (!c->waiting && zone_movable(s, z) >= needs(s, live_of(z, c->victim))) {
		c->at = 0;
		clean_rest(s, x, z);
		return;
	}
	io_drain(s, x);
	for (struct zone_move *m = c->move; m < c->move + ZONE_READ_BATCH; m++)
		m->owner = 0;
	c->waiting = 0;
	c->victim = ZONE_NONE;
}

/* One round: clean until enough zones are about to be free, or the zones kept for cleaning are used up; then an anchor. */
static int clean_round(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t want)
{
	if (store_by_parent(s)) {
		int err = zone_round_by_parent(s, x, z, want, z->ready);
		return err ? err : checkpoint_run(s, x);
	}
	settle(s, x, z);
	while (z->nfree + z->ready < want && !s->failed && begin_victim(s, z, true))
		clean_rest(s, x, z);
	return checkpoint_run(s, x);
}

static int make_room(struct store *s, struct pl_ctx *x, struct zones *z, uint32_t pages, bool urgent)
{
	for (uint64_t round = 0; round < 4 * z->n; round++) {
		if (!zone_below_limit(s, z, pages, urgent)) {
			/* a dirty page counts twice, old image and reservation, until it is written */
			int err = z->reserved ? checkpoint_run(s, x) : PL_OK;
			if (err || !zone_below_limit(s, z, pages, urgent))
				return err ? err : PL_FULL;
		}
		if (zone_enough(s, z, pages, zone_spare(s, z)))
			return PL_OK;
		uint64_t needed =
			((z->reserved + (uint64_t)pages) * s->page_blocks + zone_map_reserve(s)) / zone_useful(s, z) +
			zone_spare(s, z) + 2 + z->users - 1;
		uint64_t before = z->nfree, moved = s->stats.cleaned_zones + s->stats.moved_pages;
		z->cleaner.round = round;
		int err = clean_round(s, x, z, needed + batch_zones(z));
		z->cleaner.round = 0;
		if (err)
			return err;
		if (z->nfree <= before && moved == s->stats.cleaned_zones + s->stats.moved_pages &&
			!zone_enough(s, z, pages, zone_spare(s, z)))
			return PL_FULL;
	}
	return PL_FULL;
}

/* By_parent, pages that slices dirtied and an anchor in the round below writes. */
static uint64_t under_way(const struct store *s)
{
	uint64_t n = 0;
	for (uint32_t i = 0; store_by_parent(s) && i < s->pool.frames; i++)
		n += s->pool.frame[i].dirty && s->pool.frame[i].cleaning;
	return n;
}

int zone_make_room(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent)
{
	uint64_t before = s->stats.moved_pages, sliced = under_way(s);
	int err = make_room(s, x, s->placement, pages, urgent);
	uint64_t moved = s->stats.moved_pages - before;
	moved -= pl_min64(moved, sliced);
	s->stats.moved_pages_blocking += moved;
	s->stats.moved_pages_at_once = pl_max64(s->stats.moved_pages_at_once, moved);
	return err;
}
