/* zone_clean.c - placement=zone: victims, moving what lives in them, making room. See zone.c. */
#include "variants/placement/zone.h"

/* Place a copy of a live image through the cleaning stream. */
static void move(struct store *s, struct pl_ctx *x, struct zones *z, uint32_t owner, struct plc_image *i, pl_loc old)
{
	bool map = owner & ZONE_MAP_OWNER;
	uint64_t id = owner & ~ZONE_MAP_OWNER;
	i->id = (pl_pageid){id};
	i->frame = POOL_NONE;
	i->cleaning = true;
	i->tag = DEV_TAG_CLEAN;
	pl_loc loc = zone_append(s, x, z, i, owner, true);
	if (s->failed)
		return;
	if (map)
		s->choice.addressing->map_moved(s, id, loc);
	else {
		store_set_loc(s, id, loc);
		s->choice.addressing->changed(s, id, ADR_MOVED);
	}
	zone_release(s, id, old);
	s->stats.moved_pages++;
	s->stats.moved_bytes += (uint64_t)loc_blocks(loc) * s->block_bytes;
}

struct pending_move {
	uint32_t owner;
	pl_loc loc;
	int status;
};

static void move_read(struct store *s, struct pl_ctx *x, struct io *io)
{
	(void)s;
	(void)x;
	((struct pending_move *)io->owner)->status = io->r.status;
}

static void finish_moves(
	struct store *s, struct pl_ctx *x, struct zones *z, struct pending_move *p, uint32_t n, uint64_t victim)
{
	io_drain(s, x);
	for (uint32_t k = 0; k < n && !s->failed; k++) {
		uint8_t *bytes = z->buffer + (size_t)k * ((s->page_bytes + 4095u) & ~4095u);
		struct plc_image i = {.bytes = bytes, .generation = loc_generation(p[k].loc)};
		int err = p[k].status;
		if (!err)
			err = image_verify(s, bytes, (size_t)loc_blocks(p[k].loc) * s->block_bytes, false,
				p[k].owner & ~ZONE_MAP_OWNER, &i.img, &s->fault);
		if (err || i.img.bitmap != loc_bitmap(p[k].loc)) {
			z->state[victim] = ZONE_BAD; /* what is damaged stays where it is, for check to name */
			z->zone[victim].candidate = false;
			continue;
		}
		move(s, x, z, p[k].owner, &i, p[k].loc);
	}
}

/* Move everything live out of a zone, but pages that are dirty: those move by themselves at the next anchor. */
static void clean_zone(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t victim)
{
	uint64_t base = zone_start(s, z, victim) - s->layout.data_start;
	struct pending_move pending[ZONE_READ_BATCH];
	uint32_t n = 0;
	for (uint64_t b = 0; b < z->capacity && !s->failed; b++) {
		uint32_t owner = z->owner[base + b];
		if (!owner)
			continue;
		uint64_t id = owner & ~ZONE_MAP_OWNER;
		pl_loc loc = owner & ZONE_MAP_OWNER ? s->choice.addressing->map_loc(s, id) : store_loc(s, id);
		uint32_t frame = owner & ZONE_MAP_OWNER ? POOL_NONE : page_resident(s, id);
		if (frame != POOL_NONE && s->pool.frame[frame].dirty)
			continue;
		if (frame != POOL_NONE) {
			struct plc_image i;
			image_make(s, x, frame, true, s->image, &i);
			move(s, x, z, owner, &i, loc);
			continue;
		}
		pending[n] = (struct pending_move){owner, loc, PL_AGAIN};
		struct io *io = io_take(s);
		io->r.op = DEV_READ;
		io->r.tag = DEV_TAG_CLEAN;
		io->r.block = loc_block(loc);
		io->r.blocks = loc_blocks(loc);
		io->r.buf = z->buffer + (size_t)n * ((s->page_bytes + 4095u) & ~4095u);
		io->owner = &pending[n];
		io->done = move_read;
		io_submit(s, x, io);
		if (++n == ZONE_READ_BATCH) {
			finish_moves(s, x, z, pending, n, victim);
			n = 0;
		}
	}
	finish_moves(s, x, z, pending, n, victim);
	s->stats.cleaned_zones++;
}

/* Zones that the next anchor will free. */
static uint64_t emptied(const struct zones *z)
{
	uint64_t n = 0;
	for (uint64_t i = 0; i < z->n; i++)
		n += z->state[i] == ZONE_FULL && !z->zone[i].live_blocks;
	return n;
}

/* One round: clean until enough zones are about to be free, or the zones kept for cleaning are used up; then an anchor. */
static int clean_round(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t want)
{
	uint64_t ready = emptied(z);
	if (store_by_parent(s)) {
		int err = zone_round_by_parent(s, x, z, want, ready);
		if (err)
			return err;
	}
	while (!store_by_parent(s) && z->nfree + ready < want && !s->failed) {
		uint64_t v = s->choice.cleaning->victim(s->cleaning_derived, z->zone, z->n, s->clock, &s->cleaning_rng);
		if (v >= z->n)
			break;
		if (z->zone[v].live_blocks > zone_movable(s, z) ||
			z->zone[v].live_blocks + s->page_blocks > z->capacity)
			break;
		z->zone[v].candidate = false;
		clean_zone(s, x, z, v);
		ready++;
	}
	int err = checkpoint_run(s, x);
	for (uint64_t i = 0; i < z->n; i++) /* victims that kept dirty pages, now moved, or damaged ones */
		if (z->state[i] == ZONE_FULL)
			z->zone[i].candidate = true;
	return err;
}

int zone_make_room(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent)
{
	struct zones *z = s->placement;
	uint64_t batch = pl_max64(2, z->n / 64);
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
		int err = clean_round(s, x, z, needed + batch);
		if (err)
			return err;
		if (z->nfree <= before && moved == s->stats.cleaned_zones + s->stats.moved_pages &&
			!zone_enough(s, z, pages, zone_spare(s, z)))
			return PL_FULL;
	}
	return PL_FULL;
}
