/* zone.c - append to zones and clean them later: the log-structured way (Rosenblum and Ousterhout 1992; on zoned devices
 * Bjørling et al. 2021).
 *
 * On a conventional device:  | meta half 0 | meta half 1 | log | data zone 0 | data zone 1 | ...
 * On a zoned device:         zones 0, 1: meta halves; then the log's zones, one segment each; then data zones.
 *
 * Two streams, each with one open zone: images that the engine writes, and live images that cleaning moves. An extent
 * never crosses a zone's end; the rest of a zone that is too short is dead. One write in flight per zone.
 *
 * Invariants:
 *  1. live[z] = blocks of zone z that some page's newest loc covers; owner[b] = the page whose image begins at b.
 *  2. A zone without live blocks is reset only right after an anchor: then no durable anchor reaches into it.
 *  3. Free zones cover what dirty pages and map pages will need, and two zones for cleaning: reserve refuses else.
 *  4. live + dead + free + reserved = capacity.
 *
 * Cleaning: the victim (axis `cleaning`) is emptied image by image, resident ones from their frame, others read in
 * batches; the map is updated with the next anchor, after which the zone is free. Cleaning runs when a reservation finds
 * too little room, several victims to an anchor, and lets nobody in between: its time shows in the latencies.
 * After opening, two partly written zones go on as the streams' open zones, those with the most room; others count as full.
 * Left out: more open zones, streams by temperature, cleaning ahead of need. */
#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct pl_opt zone_opts[] = {
	{.name = "zone_bytes",
		.type = PL_OPT_BYTES,
		.value = "4194304",
		.min = 65536,
		.max = (uint64_t)4 << 30,
		.help = "zone size on conventional devices (a zoned device has its own)"},
	{.name = "write_bytes",
		.type = PL_OPT_BYTES,
		.value = "262144",
		.min = 4096,
		.max = 16u << 20,
		.help = "images gathered into one write of a zone"},
	{.name = "fill_permille",
		.type = PL_OPT_U64,
		.value = "920",
		.min = 100,
		.max = 990,
		.help = "greatest share of the data zones that live pages may take"},
	{.name = "trim",
		.type = PL_OPT_BOOL,
		.value = "1",
		.help = "tell a conventional device when a zone becomes free"},
	{0},
};

#define READ_BATCH 32u
#define KEEP_ZONES 2u /* for cleaning itself */
#define MAP_OWNER 0x80000000u

enum zone_state { ZONE_FREE, ZONE_OPEN, ZONE_FULL, ZONE_BAD };

struct stream {
	struct gather gather;
	uint64_t zone; /* or NO_ZONE */
	uint64_t end; /* first block behind the zone's capacity */
};
#define NO_ZONE UINT64_MAX

struct zones {
	struct cln_zone *zone; /* live, capacity, closed_at; candidate = full */
	uint8_t *state;
	uint32_t *owner; /* page id (or MAP_OWNER | index) whose image begins at this data block; 0: none */
	uint64_t n, stride, capacity;
	uint64_t nfree, next_free;
	uint64_t live_blocks, written_blocks;
	uint32_t reserved; /* pages */
	struct stream user, clean;
	uint64_t *scratch; /* scratch: one entry a zone */
	uint8_t *buffer;
};

static uint64_t zone_of(const struct store *s, const struct zones *z, uint64_t block)
{
	return (block - s->layout.data_start) / z->stride;
}

static uint64_t zone_start(const struct store *s, const struct zones *z, uint64_t i)
{
	return s->layout.data_start + i * z->stride;
}

/* Blocks of a zone that images can be sure to use. */
static uint64_t useful(const struct store *s, const struct zones *z)
{
	return z->capacity - (s->page_blocks - 1);
}

static uint64_t map_reserve(const struct store *s)
{
	return s->choice.addressing->map_pages ? s->choice.addressing->map_pages(s) * s->page_blocks : 0;
}

/* Kept back for deletes and for rolling forward: at least one of them at a time, however small the zones. */
static uint64_t urgent_blocks(const struct store *s, const struct zones *z)
{
	return pl_max64(useful(s, z), 16u * (uint64_t)s->page_blocks);
}

/* Greatest number of live blocks: cleaning always finds enough dead ones below it. */
static uint64_t live_limit(const struct store *s, const struct zones *z)
{
	uint64_t keep = (KEEP_ZONES + 2) * useful(s, z) + urgent_blocks(s, z) + 2 * map_reserve(s),
		 all = z->n * useful(s, z);
	uint64_t by_share = all * pl_conf_u64(s->conf, "zone.fill_permille") / 1000;
	return pl_min64(all > keep ? all - keep : 0, by_share);
}

static int lay_out_sequential(struct store *s, struct zones *z, struct pl_fault *f)
{
	const struct dev_caps *c = &s->dev->caps;
	struct layout *l = &s->layout;
	uint64_t log = s->choice.durability->log_blocks(s);
	l->log_segments = log ? pl_max64(3, pl_div_up(log, c->zone_capacity)) : 0;
	uint64_t roles = 2 + l->log_segments, active = 2 + (log ? 3 : 0) + 2;
	if ((c->max_active && c->max_active < active) || (c->max_open && c->max_open < active))
		return pl_fault_set(f, PL_INVALID,
			"the device allows %u open and %u active zones; 2 for meta, %u for the log and 2 for data make "
			"%" PRIu64,
			c->max_open, c->max_active, log ? 3 : 0, active);
	l->meta_blocks = c->zone_capacity;
	l->meta_start[1] = c->zone_blocks;
	l->log_start = 2 * c->zone_blocks;
	l->log_stride = c->zone_blocks;
	l->log_segment_blocks = c->zone_capacity;
	l->data_start = roles * c->zone_blocks;
	z->stride = c->zone_blocks;
	z->capacity = c->zone_capacity;
	z->n = c->zones > roles ? c->zones - roles : 0;
	return PL_OK;
}

static void lay_out_conventional(struct store *s, struct zones *z)
{
	struct layout *l = &s->layout;
	uint64_t total = s->dev->caps.capacity_blocks, log = s->choice.durability->log_blocks(s);
	uint64_t ids = total; /* at most one page a block */
	size_t base = 8 + (size_t)pl_div_up(ids, (s->page_bytes - PL_PAGE_HEADER) / 8) * 8;
	size_t delta = 16 + base * 2 + (size_t)pl_max64(64, pl_min64(ids / 8, 32768)) * 16;
	l->meta_blocks = 2 * pl_div_up(base + strlen(s->spec) + 256, s->block_bytes) +
			 8 * pl_div_up(delta + 256, s->block_bytes) + 32;
	l->meta_start[1] = l->meta_blocks;
	l->log_start = 2 * l->meta_blocks;
	l->log_segments = log ? 4 : 0;
	l->log_stride = l->log_segment_blocks = log / 4;
	z->stride = z->capacity = pl_conf_u64(s->conf, "zone.zone_bytes") / s->block_bytes;
	/* zones begin at a multiple of their size, so that they may agree with the device's own units */
	l->data_start = pl_div_up(l->log_start + log, z->stride) * z->stride;
	z->n = total > l->data_start ? (total - l->data_start) / z->stride : 0;
}

static int zone_open(struct store *s, struct pl_fault *f)
{
	struct zones *z = calloc(1, sizeof *z);
	s->placement = z;
	if (!z)
		return pl_fault_set(f, PL_NOMEM, "no memory for zones");
	if (s->dev->caps.sequential) {
		int err = lay_out_sequential(s, z, f);
		if (err)
			return err;
	} else
		lay_out_conventional(s, z);
	s->layout.data_blocks = z->n * z->stride;
	if (z->capacity < 2 * s->page_blocks)
		return pl_fault_set(f, PL_INVALID, "a zone of %" PRIu64 " blocks holds less than two pages of %u",
			z->capacity, s->page_blocks);
	/* ids for the smallest images: one block of a page with holes, half a page of LZ4 */
	const struct spc_ops *sp = s->choice.space;
	uint64_t least = !sp->wants_compact ? s->page_blocks : sp->codec == SPC_CODEC_LZ4 ? s->page_blocks / 2 : 1;
	s->max_ids = pl_min64(z->n * z->capacity / least, MAP_OWNER - 1);
	uint64_t maps = 2 * pl_div_up(s->max_ids, (s->page_bytes - PL_PAGE_HEADER) / 8) * s->page_blocks;
	if (z->n < KEEP_ZONES + 6 || z->n * useful(s, z) < (KEEP_ZONES + 4) * useful(s, z) + maps + 16 * s->page_blocks)
		return pl_fault_set(f, PL_FULL,
			"device too small: %" PRIu64 " data zones of %" PRIu64
			" blocks, of which %u are kept for cleaning, 3 for open zones and %" PRIu64
			" blocks for the map; at least %u zones are needed: enlarge device_bytes or make zones smaller",
			z->n, z->capacity, KEEP_ZONES, maps, KEEP_ZONES + 6);
	z->zone = calloc(z->n, sizeof *z->zone);
	z->state = calloc(z->n, 1);
	z->owner = calloc(z->n * z->stride, sizeof *z->owner);
	z->scratch = calloc(z->n, sizeof *z->scratch);
	z->buffer = aligned_alloc(4096, (size_t)READ_BATCH * ((s->page_bytes + 4095u) & ~4095u));
	uint32_t buffer =
		(uint32_t)pl_min64(pl_conf_u64(s->conf, "zone.write_bytes") / s->block_bytes, z->capacity / 2);
	if (!z->zone || !z->state || !z->owner || !z->scratch || !z->buffer ||
		gather_open(&z->user.gather, s, buffer) || gather_open(&z->clean.gather, s, buffer))
		return pl_fault_set(f, PL_NOMEM, "no memory for %" PRIu64 " zones", z->n);
	for (uint64_t i = 0; i < z->n; i++)
		z->zone[i].capacity_blocks = z->capacity;
	z->user.zone = z->clean.zone = NO_ZONE;
	z->nfree = z->n;
	return PL_OK;
}

static void zone_close(struct store *s)
{
	struct zones *z = s->placement;
	if (!z)
		return;
	gather_close(&z->user.gather);
	gather_close(&z->clean.gather);
	free(z->zone);
	free(z->state);
	free(z->owner);
	free(z->scratch);
	free(z->buffer);
	free(z);
}

static int zone_format(struct store *s, struct pl_ctx *x)
{
	if (s->dev->caps.sequential)
		for (uint64_t i = 0; i < s->dev->caps.zones; i++) {
			struct dev_zone d;
			int err = dev_zone(s->dev, i, &d);
			if (!err && d.state != DEV_ZONE_EMPTY)
				err = io_zone(s, x, DEV_ZONE_RESET, d.start);
			if (err)
				return err;
		}
	return PL_OK;
}

static void zone_adopt(struct store *s, uint64_t id, bool map, pl_loc loc)
{
	struct zones *z = s->placement;
	uint64_t block = loc_block(loc), n = loc_blocks(loc);
	if (!n || loc_bitmap(loc) & ~(uint32_t)s->full_bitmap || loc_codec(loc) == SPC_CODEC_NOT_A_LOC ||
		block < s->layout.data_start || zone_of(s, z, block) >= z->n ||
		block + n > zone_start(s, z, zone_of(s, z, block)) + z->capacity) {
		(void)store_fail(s,
			"%s %" PRIu64 ": its place, block %" PRIu64 ", is not inside a data zone, or no image looks so",
			map ? "map page" : "page", id, block);
		return;
	}
	z->owner[block - s->layout.data_start] = map ? MAP_OWNER | (uint32_t)id : (uint32_t)id;
	z->zone[zone_of(s, z, block)].live_blocks += n;
	z->live_blocks += n;
}

static void set_free(struct zones *z, uint64_t i)
{
	z->state[i] = ZONE_FREE;
	z->zone[i].candidate = false;
	z->nfree++;
}

/* State of a zone from what the anchor reaches and what the device says; *next: its first writable block. */
static int recover_zone(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t i, uint64_t *next)
{
	uint64_t start = zone_start(s, z, i), live_end = start;
	for (uint64_t b = 0; b < z->capacity; b++) {
		uint32_t o = z->owner[start - s->layout.data_start + b];
		if (!o)
			continue;
		pl_loc loc =
			o & MAP_OWNER ? s->choice.addressing->map_loc(s, o & ~MAP_OWNER) : (pl_loc){s->directory[o]};
		live_end = start + b + loc_blocks(loc);
	}
	struct dev_zone d = {.write_pointer = start + z->capacity};
	if (s->dev->caps.sequential) {
		int err = dev_zone(s->dev, start / z->stride, &d);
		if (err)
			return err;
		if (live_end > d.write_pointer)
			return pl_fault_set(&s->fault, PL_DAMAGED,
				"zone %" PRIu64 ": live pages reach to block %" PRIu64
				", but its write pointer is at %" PRIu64,
				start / z->stride, live_end, d.write_pointer);
	}
	if (live_end == start)
		return s->dev->caps.sequential && d.state != DEV_ZONE_EMPTY ? io_zone(s, x, DEV_ZONE_RESET, start)
									    : PL_OK;
	z->nfree--;
	z->state[i] = ZONE_FULL;
	z->zone[i].candidate = true;
	/* where writing may go on; on a conventional device nothing behind the last live block is reachable */
	bool closed = s->dev->caps.sequential && d.state == DEV_ZONE_FULL;
	*next = closed ? start + z->capacity : s->dev->caps.sequential ? d.write_pointer : live_end;
	return PL_OK;
}

/* Let the stream go on in a zone that is partly written. */
static void continue_zone(struct store *s, struct zones *z, struct stream *t, uint64_t i, uint64_t next)
{
	z->state[i] = ZONE_OPEN;
	z->zone[i].candidate = false;
	t->zone = i;
	t->end = zone_start(s, z, i) + z->capacity;
	gather_seek(&t->gather, next);
}

static int zone_recover(struct store *s, struct pl_ctx *x)
{
	struct zones *z = s->placement;
	struct stream *const streams[] = {&z->user, &z->clean};
	uint64_t *next = z->scratch; /* scratch: one entry a zone */
	for (uint64_t i = 0; i < z->n; i++) {
		next[i] = zone_start(s, z, i) + z->capacity;
		int err = recover_zone(s, x, z, i, &next[i]);
		if (err)
			return err;
	}
	for (size_t t = 0; t < PL_COUNT(streams); t++) {
		uint64_t best = NO_ZONE, most = s->page_blocks - 1;
		for (uint64_t i = 0; i < z->n; i++) {
			uint64_t left = zone_start(s, z, i) + z->capacity - next[i];
			if (z->state[i] == ZONE_FULL && left > most) {
				most = left;
				best = i;
			}
		}
		if (best != NO_ZONE)
			continue_zone(s, z, streams[t], best, next[best]);
	}
	int err = PL_OK;
	for (uint64_t i = 0; i < z->n && !err; i++) /* give back what the others hold open */
		if (s->dev->caps.sequential && z->state[i] == ZONE_FULL && next[i] < zone_start(s, z, i) + z->capacity)
			err = io_zone(s, x, DEV_ZONE_FINISH, zone_start(s, z, i));
	return err;
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static void close_zone(struct store *s, struct pl_ctx *x, struct zones *z, struct stream *t)
{
	if (t->zone == NO_ZONE)
		return;
	gather_flush(s, x, &t->gather);
	while ((t->gather.in_flight[0] || t->gather.in_flight[1]) && !s->failed)
		io_advance(s, x);
	if (s->dev->caps.sequential && t->gather.next < t->end)
		(void)io_zone(s, x, DEV_ZONE_FINISH, zone_start(s, z, t->zone));
	z->state[t->zone] = ZONE_FULL;
	z->zone[t->zone].candidate = true;
	z->zone[t->zone].closed_at = z->written_blocks;
	t->zone = NO_ZONE;
}

static void open_zone(struct store *s, struct zones *z, struct stream *t)
{
	assert(z->nfree);
	uint64_t i = z->next_free;
	while (z->state[i] != ZONE_FREE)
		i = i + 1 == z->n ? 0 : i + 1;
	z->next_free = i + 1 == z->n ? 0 : i + 1;
	z->state[i] = ZONE_OPEN;
	z->nfree--;
	t->zone = i;
	t->end = zone_start(s, z, i) + z->capacity;
	gather_seek(&t->gather, zone_start(s, z, i));
}

static uint64_t stream_left(const struct stream *t)
{
	return t->zone == NO_ZONE ? 0 : t->end - t->gather.next;
}

static pl_loc append(
	struct store *s, struct pl_ctx *x, struct zones *z, struct stream *t, const struct plc_image *i, uint32_t owner)
{
	uint32_t n = (uint32_t)__builtin_popcount(i->img.bitmap);
	if (stream_left(t) < n) {
		close_zone(s, x, z, t);
		if (s->failed)
			return loc_make(s->layout.data_start, i->img.bitmap, i->img.codec, i->generation);
		open_zone(s, z, t);
	}
	uint64_t block = gather_add(s, x, &t->gather, i);
	z->owner[block - s->layout.data_start] = owner;
	z->zone[t->zone].live_blocks += n;
	z->live_blocks += n;
	z->written_blocks += n;
	return loc_make(block, i->img.bitmap, i->img.codec, i->generation);
}

static void make_free(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t i)
{
	uint64_t start = zone_start(s, z, i);
	if (s->dev->caps.sequential) {
		struct io *io = io_take(s);
		io->r.op = DEV_ZONE_RESET;
		io->r.tag = DEV_TAG_META;
		io->r.block = start;
		io_submit(s, x, io);
	} else if (pl_conf_bool(s->conf, "zone.trim"))
		io_punch(s, x, start, (uint32_t)z->capacity);
	memset(z->owner + (start - s->layout.data_start), 0, z->capacity * sizeof *z->owner);
	set_free(z, i);
}

static void free_empty_zones(struct store *s, struct pl_ctx *x, struct zones *z)
{
	for (uint64_t i = 0; i < z->n; i++)
		if (z->state[i] == ZONE_FULL && !z->zone[i].live_blocks)
			make_free(s, x, z, i);
}

static pl_loc zone_place(struct store *s, struct pl_ctx *x, const struct plc_image *i)
{
	struct zones *z = s->placement;
	bool map = i->tag == DEV_TAG_MAP;
	if (kv_broken == KV_BREAK_RELEASE)
		free_empty_zones(s, x, z);
	if (!map) {
		assert(z->reserved);
		z->reserved--;
	}
	return append(s, x, z, &z->user, i, map ? MAP_OWNER | (uint32_t)i->id.v : (uint32_t)i->id.v);
}

static void zone_flush(struct store *s, struct pl_ctx *x)
{
	struct zones *z = s->placement;
	gather_flush(s, x, &z->user.gather);
	gather_flush(s, x, &z->clean.gather);
}

static struct plc_where zone_where(const struct store *s, uint64_t id, pl_loc loc)
{
	(void)s;
	(void)id;
	return (struct plc_where){loc_block(loc), loc_blocks(loc), false};
}

static void zone_release(struct store *s, uint64_t id, pl_loc loc)
{
	struct zones *z = s->placement;
	(void)id;
	uint64_t i = zone_of(s, z, loc_block(loc));
	z->owner[loc_block(loc) - s->layout.data_start] = 0;
	assert(z->zone[i].live_blocks >= loc_blocks(loc));
	z->zone[i].live_blocks -= loc_blocks(loc);
	z->live_blocks -= loc_blocks(loc);
}

static void zone_anchored(struct store *s, struct pl_ctx *x)
{
	struct zones *z = s->placement;
	free_empty_zones(s, x, z);
	io_drain(s, x);
}

/* --- room --------------------------------------------------------------------------------------------------------- */

static bool enough(const struct store *s, const struct zones *z, uint64_t pages, uint64_t spare_zones)
{
	uint64_t left = stream_left(&z->user), slack = s->page_blocks - 1;
	uint64_t have = z->nfree * useful(s, z) + (left > slack ? left - slack : 0);
	return have >= (z->reserved + pages) * s->page_blocks + map_reserve(s) + spare_zones * z->capacity;
}

static bool below_limit(const struct store *s, const struct zones *z, uint64_t pages, bool urgent)
{
	uint64_t limit = live_limit(s, z) + (urgent ? urgent_blocks(s, z) : 0);
	return z->live_blocks + (z->reserved + pages) * s->page_blocks <= limit;
}

static bool zone_reserve(struct store *s, uint32_t pages, bool urgent)
{
	struct zones *z = s->placement;
	if (!below_limit(s, z, pages, urgent) || !enough(s, z, pages, KEEP_ZONES))
		return false;
	z->reserved += pages;
	return true;
}

static void zone_unreserve(struct store *s, uint32_t pages)
{
	struct zones *z = s->placement;
	assert(z->reserved >= pages);
	z->reserved -= pages;
}

/* Place a copy of a live image through the cleaning stream. */
static void move(struct store *s, struct pl_ctx *x, struct zones *z, uint32_t owner, struct plc_image *i, pl_loc old)
{
	bool map = owner & MAP_OWNER;
	uint64_t id = owner & ~MAP_OWNER;
	i->id = (pl_pageid){id};
	i->frame = POOL_NONE;
	i->cleaning = true;
	i->tag = DEV_TAG_CLEAN;
	pl_loc loc = append(s, x, z, &z->clean, i, owner);
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
				p[k].owner & ~MAP_OWNER, &i.img, &s->fault);
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
	struct pending_move pending[READ_BATCH];
	uint32_t n = 0;
	for (uint64_t b = 0; b < z->capacity && !s->failed; b++) {
		uint32_t owner = z->owner[base + b];
		if (!owner)
			continue;
		uint64_t id = owner & ~MAP_OWNER;
		pl_loc loc = owner & MAP_OWNER ? s->choice.addressing->map_loc(s, id) : store_loc(s, id);
		uint32_t frame = owner & MAP_OWNER ? POOL_NONE : page_resident(s, id);
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
		if (++n == READ_BATCH) {
			finish_moves(s, x, z, pending, n, victim);
			n = 0;
		}
	}
	finish_moves(s, x, z, pending, n, victim);
	s->stats.cleaned_zones++;
}

/* Blocks that cleaning may move before the next anchor, without touching what dirty pages and the map will need. */
static uint64_t movable(const struct store *s, const struct zones *z)
{
	uint64_t slack = s->page_blocks - 1, left = stream_left(&z->user), own = stream_left(&z->clean);
	uint64_t promised = z->reserved * (uint64_t)s->page_blocks + map_reserve(s);
	uint64_t usable = left > slack ? left - slack : 0;
	uint64_t zones = promised > usable ? pl_div_up(promised - usable, useful(s, z)) : 0;
	return (own > slack ? own - slack : 0) + (z->nfree > zones ? (z->nfree - zones) * useful(s, z) : 0);
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
	while (z->nfree + ready < want && !s->failed) {
		uint64_t v = s->choice.cleaning->victim(
			s->cleaning_derived, z->zone, z->n, z->written_blocks, &s->cleaning_rng);
		if (v >= z->n)
			break;
		if (z->zone[v].live_blocks > movable(s, z) || z->zone[v].live_blocks + s->page_blocks > z->capacity)
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

static int zone_make_room(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent)
{
	struct zones *z = s->placement;
	uint64_t batch = pl_max64(2, z->n / 64);
	for (uint64_t round = 0; round < 4 * z->n; round++) {
		if (!below_limit(s, z, pages, urgent)) {
			/* a dirty page counts twice, old image and reservation, until it is written */
			int err = z->reserved ? checkpoint_run(s, x) : PL_OK;
			if (err || !below_limit(s, z, pages, urgent))
				return err ? err : PL_FULL;
		}
		if (enough(s, z, pages, KEEP_ZONES))
			return PL_OK;
		uint64_t needed = ((z->reserved + (uint64_t)pages) * s->page_blocks + map_reserve(s)) / useful(s, z) +
				  KEEP_ZONES + 2;
		uint64_t before = z->nfree, moved = s->stats.cleaned_zones;
		int err = clean_round(s, x, z, needed + batch);
		if (err)
			return err;
		if (z->nfree <= before && moved == s->stats.cleaned_zones && !enough(s, z, pages, KEEP_ZONES))
			return PL_FULL;
	}
	return PL_FULL;
}

static void zone_checkpoint(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	(void)a;
	zone_flush(s, x);
}

static void zone_report(const struct store *s, struct plc_report *r)
{
	const struct zones *z = s->placement;
	uint64_t unwritten = z->nfree * z->capacity + stream_left(&z->user) + stream_left(&z->clean);
	uint64_t keep = z->reserved * (uint64_t)s->page_blocks + map_reserve(s) + KEEP_ZONES * z->capacity;
	r->capacity_blocks = z->n * z->capacity;
	r->live_blocks = z->live_blocks;
	r->reserved_blocks = pl_min64(unwritten, keep);
	r->free_blocks = unwritten - r->reserved_blocks;
	r->dead_blocks = r->capacity_blocks - r->live_blocks - unwritten;
}

const struct plc_ops plc_zone = {
	.name = "zone",
	.summary = "append to zones, cleaned later",
	.opts = zone_opts,
	.appends = true,
	.open = zone_open,
	.close = zone_close,
	.format = zone_format,
	.adopt = zone_adopt,
	.recover = zone_recover,
	.reserve = zone_reserve,
	.unreserve = zone_unreserve,
	.make_room = zone_make_room,
	.place = zone_place,
	.flush = zone_flush,
	.where = zone_where,
	.release = zone_release,
	.checkpoint = zone_checkpoint,
	.anchored = zone_anchored,
	.report = zone_report,
};
