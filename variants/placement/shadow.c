/* shadow.c - an image goes into any free extent, never onto what the last durable anchor reaches: out of place, but not
 * log-structured (shadow paging: Lorie 1977; as LMDB and WiredTiger do it).
 *
 *   | meta half 0 | meta half 1 | log | map slots 0 | map slots 1 | data: extents of 1 to page_blocks blocks ...
 *
 * An extent released becomes free, and is trimmed, when the next anchor is durable. Map pages have two slots each of their
 * own and alternate, so an anchor never depends on finding room for its map. The free map (shadow_free.h) lives in memory
 * only: it is what the directory does not reach, and is rebuilt when the store is opened. Persisting it would be a second
 * truth to keep in step with the mapping table, and opening reads every map page anyway.
 *
 * Which free run an image gets (fit): the smallest that holds it, or the next behind the last image. Images of one
 * checkpoint are placed behind each other as long as the run goes on, up to group_blocks; then a run of at least
 * group_blocks is looked for, and only if there is none one that just fits. What lies side by side is one write.
 *
 * pack = 1 (pack.h): images that are smaller so share blocks. The batch being gathered is the window of open blocks: an
 * image goes where it fits best in it, else to a new block, and a batch written is closed. A block is dead when none of its
 * images lives.
 *
 * Invariants:
 *  1. Every block of the data region is in exactly one of: live (some page's newest loc covers some of it), dead (the last
 *     durable anchor may reach it), free. live + dead + free = data blocks; of the free ones, some are reserved.
 *  2. whole_pages (of the free map) >= pages reserved. Placing takes at most one of it and consumes a reservation, so place
 *     never meets "full", however the free blocks are scattered: reserve refuses before.
 *  3. A map page's slot written is the one its present loc is not in.
 *  4. owner[b] = the page whose image begins in data block b, next[id] the next of these; 0 everywhere else.
 *  5. units[b] = units of block b in live images; live_units is their sum.
 *
 * Fragmentation. An image is contiguous, so blocks can be free while no page's worth of them is in one piece. Raw images
 * are all of one length and leave no such holes. For others, when an anchor has freed all it can and there is still too
 * little, scattered blocks are gathered: regions with most of them are emptied, image by image, into holes elsewhere or
 * densely into a long run, and are whole after the next anchor. A region's worth of whole pages is kept for this
 * (region_pages) and URGENT_PAGES for deletes. Only if gathering gains nothing is an operation refused as "device full":
 * possible, for no bound is proved, and clean. When packing, what is free inside of live blocks counts as scattered, too:
 * gathering packs anew what still lives in them.
 * Measured (shadow_test with 12 turns: random updates of records of 100 to 2000 bytes, near half of them noise, 90 % of the blocks
 * live, devices of 16 and 32 MB): nothing was refused with any space policy, fit and group. Pages moved for each page
 * written: raw none; LZ4 none in best fit, 0.8 to 1.0 in next fit; holes 0.04 to 1.8 in best fit, 0.9 to 1.7 in next fit,
 * the more the larger the pages. Without gathering LZ4 in next fit and holes are refused.
 *
 * Cost: placing O(1) in best fit, a few words of a bitmap in next fit; one pass over a bitmap at an anchor. Memory: 21 bytes
 * for each data block, 8 more while opening, packing 4 for each id. CPU time of the free map is not charged in simulated time.
 * Left out: reusing at once what was placed and released between two anchors; gathering ahead of need, or more than one
 * read of it in flight; placing by temperature. */
#include "variants/placement/shadow.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const fit_names[] = {"best", "next", NULL};

static const struct pl_opt shadow_opts[] = {
	{.name = "fit",
		.type = PL_OPT_ENUM,
		.value = "best",
		.choices = fit_names,
		.help = "free run an image gets: the smallest that holds it (best), or the next behind the last image"},
	{.name = "group_blocks",
		.type = PL_OPT_U64,
		.value = "64",
		.max = 1024,
		.help = "blocks of images placed one behind the other; 0: each by itself"},
	{.name = "fill_permille",
		.type = PL_OPT_U64,
		.value = "920",
		.min = 100,
		.max = 990,
		.help = "greatest share of the data blocks that live pages may take"},
	{.name = "pack",
		.type = PL_OPT_BOOL,
		.value = "0",
		.help = "compressed images share blocks, packed at byte granularity"},
	{.name = "trim", .type = PL_OPT_BOOL, .value = "1", .help = "tell the device which blocks an anchor freed"},
	{0},
};

#define URGENT_PAGES 16u /* kept for deletes and for rolling forward */
#define BATCH_MEMORY ((uint64_t)4 << 20)
#define BATCHES_MIN 4u

/* --- the device divided --------------------------------------------------------------------------------------------- */

static uint32_t least_blocks(const struct store *s)
{
	return spc_least_blocks(s->choice.space, s->space_derived, s->page_blocks);
}

static uint64_t ids_for(const struct store *s, uint64_t blocks)
{
	return s->packs ? pack_ids(blocks, s->page_blocks) : blocks / least_blocks(s);
}

static uint64_t round_to_page(const struct store *s, uint64_t block)
{
	return pl_div_up(block, s->page_blocks) * s->page_blocks;
}

static int lay_out(struct store *s, struct shadow *w, struct pl_fault *f)
{
	struct layout *l = &s->layout;
	uint64_t total = s->dev->caps.capacity_blocks, log = s->choice.durability->log_blocks(s);
	uint64_t ids = ids_for(s, total) + 1, maps = pl_div_up(ids, (s->page_bytes - PL_PAGE_HEADER) / 8);
	size_t base = 8 + (size_t)maps * 8;
	size_t delta = 16 + base * 2 + (size_t)pl_max64(64, pl_min64(ids / 8, 32768)) * 16;
	if (s->choice.addressing->greatest)
		s->choice.addressing->greatest(total, &base, &delta);
	l->meta_blocks = 2 * pl_div_up(base + strlen(s->spec) + 256, s->block_bytes) +
			 8 * pl_div_up(delta + 256, s->block_bytes) + 32;
	l->meta_start[1] = l->meta_blocks;
	l->log_start = 2 * l->meta_blocks;
	l->log_segments = log ? 4 : 0;
	l->log_stride = l->log_segment_blocks = log / 4;
	w->map_start = round_to_page(s, l->log_start + log);
	w->map_slots = s->choice.addressing->map_pages ? maps : 0;
	l->data_start = w->map_start + 2 * w->map_slots * s->page_blocks;
	uint64_t pages = total > l->data_start ? (total - l->data_start) / s->page_blocks : 0;
	w->region_pages = (uint32_t)pl_max64(4, pl_min64(32, pages / 32));
	uint64_t least = 2 * (w->region_pages + URGENT_PAGES);
	if (pages < least)
		return pl_fault_set(f, PL_FULL,
			"device too small: %" PRIu64 " blocks leave %" PRIu64
			" pages beside two meta halves of %" PRIu64 " blocks, %" PRIu64 " of log and %" PRIu64
			" for the map; at least %" PRIu64 " are needed: enlarge device_bytes or shrink log_bytes",
			total, pages, l->meta_blocks, log, 2 * w->map_slots * s->page_blocks, least);
	if (pages * s->page_blocks >= SHADOW_NONE)
		return pl_fault_set(f, PL_INVALID, "device too large: %" PRIu64 " blocks of data; at most %" PRIu32,
			pages * s->page_blocks, SHADOW_NONE - 1);
	l->data_blocks = pages * s->page_blocks;
	s->max_ids = ids_for(s, l->data_blocks);
	w->data_blocks = (uint32_t)l->data_blocks;
	uint64_t keep = (uint64_t)(w->region_pages + URGENT_PAGES) * s->page_blocks;
	w->limit_blocks =
		pl_min64(l->data_blocks - keep, l->data_blocks * pl_conf_u64(s->conf, "shadow.fill_permille") / 1000);
	return PL_OK;
}

static int open_batches(const struct store *s, struct shadow *w)
{
	w->batch_blocks = w->group_blocks > s->page_blocks ? w->group_blocks : s->page_blocks;
	w->batch_frames = w->batch_blocks * (s->packs ? FRAMES_A_BLOCK : 1);
	uint64_t bytes = (uint64_t)w->batch_blocks * s->block_bytes;
	if (s->packs && pack_open(&w->window, w->batch_blocks))
		return PL_NOMEM;
	w->batches = (uint32_t)pl_max64(BATCHES_MIN, pl_min64(BATCHES_MAX, BATCH_MEMORY / bytes));
	for (uint32_t i = 0; i < w->batches; i++) {
		struct batch *b = &w->batch[i];
		b->bytes = aligned_alloc(4096, (bytes + 4095) & ~(uint64_t)4095);
		b->tags = calloc(w->batch_blocks, 1);
		b->frames = calloc(w->batch_frames, sizeof *b->frames);
		if (!b->bytes || !b->tags || !b->frames)
			return PL_NOMEM;
	}
	return PL_OK;
}

static bool shadow_packs(const struct pl_conf *conf)
{
	return pl_conf_bool(conf, "shadow.pack");
}

static int shadow_open(struct store *s, struct pl_fault *f)
{
	struct shadow *w = calloc(1, sizeof *w);
	s->placement = w;
	if (!w)
		return pl_fault_set(f, PL_NOMEM, "no memory for a free map");
	int err = lay_out(s, w, f);
	if (err)
		return err;
	w->next_fit = strcmp(pl_conf_str(s->conf, "shadow.fit"), "next") == 0;
	w->trim = pl_conf_bool(s->conf, "shadow.trim");
	w->group_blocks = (uint32_t)pl_conf_u64(s->conf, "shadow.group_blocks");
	uint32_t region = w->region_pages * s->page_blocks;
	w->regions = w->data_blocks / region;
	uint32_t exact = (uint32_t)pl_max64(pl_max64(w->group_blocks, 4 * s->page_blocks), 64);
	w->dead = calloc(w->data_blocks / 64 + 1, sizeof *w->dead);
	w->adopted = calloc(w->data_blocks, sizeof *w->adopted);
	w->owner = calloc(w->data_blocks, sizeof *w->owner);
	w->next = calloc(s->packs ? s->max_ids + 1 : 1, sizeof *w->next);
	w->units = calloc(w->data_blocks, 1);
	w->gaps = calloc(w->regions + 1, sizeof *w->gaps);
	w->scattered = calloc(w->regions + 1, sizeof *w->scattered);
	w->damaged = calloc(w->regions + 1, 1);
	if (!w->dead || !w->adopted || !w->owner || !w->next || !w->units || !w->gaps || !w->scattered || !w->damaged ||
		shadow_free_open(&w->map, w->data_blocks, s->page_blocks, exact, region) || open_batches(s, w))
		return pl_fault_set(f, PL_NOMEM, "no memory for a free map of %" PRIu32 " blocks", w->data_blocks);
	return PL_OK;
}

static void shadow_close(struct store *s)
{
	struct shadow *w = s->placement;
	if (!w)
		return;
	for (uint32_t i = 0; i < w->batches; i++) {
		free(w->batch[i].bytes);
		free(w->batch[i].tags);
		free(w->batch[i].frames);
	}
	shadow_free_close(&w->map);
	pack_close(&w->window);
	free(w->dead);
	free(w->adopted);
	free(w->owner);
	free(w->next);
	free(w->units);
	free(w->gaps);
	free(w->scattered);
	free(w->damaged);
	free(w);
}

static void end_of_opening(struct shadow *w)
{
	free(w->adopted);
	w->adopted = NULL;
}

static int shadow_format(struct store *s, struct pl_ctx *x)
{
	struct shadow *w = s->placement;
	(void)x;
	shadow_free_give(&w->map, 0, w->data_blocks);
	end_of_opening(w);
	return PL_OK;
}

/* --- opening: the free map is what nobody adopts -------------------------------------------------------------------- */

static uint64_t map_slot(const struct store *s, const struct shadow *w, uint64_t index, uint64_t half)
{
	return w->map_start + (half * w->map_slots + index) * s->page_blocks;
}

/* The account of an image that begins in data block `at`: blocks live now, or dead. */
static void own(const struct store *s, struct shadow *w, uint64_t id, uint32_t at, pl_loc loc)
{
	uint32_t offset = loc_offset(loc), rest = loc_units(loc);
	if (s->packs)
		pack_join(w->owner, w->next, at, (uint32_t)id);
	else
		w->owner[at] = (uint32_t)id;
	w->live_units += rest;
	pack_count(&w->live, rest, true);
	for (uint32_t b = at; rest; b++, offset = 0) {
		uint32_t n = rest < PAGE_UNITS - offset ? rest : PAGE_UNITS - offset;
		assert(w->units[b] + n <= PAGE_UNITS);
		if (!w->units[b]) {
			w->live_blocks++;
			if (w->dead[b / 64] >> b % 64 & 1) { /* its images died before it was written */
				w->dead[b / 64] &= ~((uint64_t)1 << b % 64);
				w->dead_blocks--;
			}
		}
		w->units[b] = (uint8_t)(w->units[b] + n);
		rest -= n;
	}
}

static void disown(const struct store *s, struct shadow *w, uint64_t id, uint32_t at, pl_loc loc)
{
	uint32_t offset = loc_offset(loc), rest = loc_units(loc);
	if (s->packs)
		pack_drop(w->owner, w->next, at, (uint32_t)id);
	else
		w->owner[at] = 0;
	assert(w->live_units >= rest);
	w->live_units -= rest;
	pack_count(&w->live, rest, false);
	for (uint32_t b = at; rest; b++, offset = 0) {
		uint32_t n = rest < PAGE_UNITS - offset ? rest : PAGE_UNITS - offset;
		assert(w->units[b] >= n);
		w->units[b] = (uint8_t)(w->units[b] - n);
		rest -= n;
		if (w->units[b])
			continue;
		w->live_blocks--;
		if (kv_broken == KV_BREAK_RELEASE)
			shadow_free_give(&w->map, b, 1);
		else {
			w->dead[b / 64] |= (uint64_t)1 << b % 64;
			w->dead_blocks++;
		}
	}
}

/* Its units belong to no other image? Then they are its own. */
static bool adopt_units(struct shadow *w, uint64_t block, pl_loc loc)
{
	uint32_t offset = loc_offset(loc), rest = loc_units(loc);
	for (uint64_t b = block; rest; b++, offset = 0) {
		uint32_t n = rest < PAGE_UNITS - offset ? rest : PAGE_UNITS - offset;
		uint64_t mask = UINT64_MAX >> (PAGE_UNITS - n) << offset;
		if (w->adopted[b] & mask)
			return false;
		w->adopted[b] |= mask;
		rest -= n;
	}
	return true;
}

static void shadow_adopt(struct store *s, uint64_t id, bool map, pl_loc loc)
{
	struct shadow *w = s->placement;
	uint64_t block = loc_block(loc), n = loc_blocks(loc), start = s->layout.data_start;
	bool image = loc_possible(loc, s->full_bitmap, s->packs && !map);
	if (map && image && (block == map_slot(s, w, id, 0) || block == map_slot(s, w, id, 1))) {
		w->map_live_blocks += n;
		return;
	}
	if (map || !image || block < start || block + n > start + w->data_blocks) {
		(void)store_fail(s,
			"%s %" PRIu64 ": its place, block %" PRIu64 ", is not one for %s, or no image looks so",
			map ? "map page" : "page", id, block, map ? "this map page" : "data");
		return;
	}
	if (!adopt_units(w, block - start, loc)) {
		(void)store_fail(
			s, "page %" PRIu64 ": its place, block %" PRIu64 ", is another page's, too", id, block);
		return;
	}
	own(s, w, id, (uint32_t)(block - start), loc);
}

static int shadow_recover(struct store *s, struct pl_ctx *x)
{
	struct shadow *w = s->placement;
	(void)s;
	(void)x;
	for (uint32_t b = 0, from = 0; b <= w->data_blocks; b++) {
		if (b < w->data_blocks && !w->units[b])
			continue;
		if (b > from)
			shadow_free_give(&w->map, from, b - from);
		from = b + 1;
	}
	end_of_opening(w);
	return PL_OK;
}

/* --- writing -------------------------------------------------------------------------------------------------------- */

static void batch_written(struct store *s, struct pl_ctx *x, struct io *io)
{
	struct batch *b = io->owner;
	for (uint32_t i = 0; i < b->nframes; i++)
		page_written(s, x, b->frames[i]);
	b->in_flight = false;
}

void shadow_flush(struct store *s, struct pl_ctx *x)
{
	struct shadow *w = s->placement;
	struct batch *b = w->filling;
	if (!b || s->failed)
		return;
	struct io *io = io_take(s);
	io->r.op = DEV_WRITE;
	io->r.tag = (enum dev_tag)b->tags[0];
	io->r.block_tags = b->tags;
	io->r.block = b->block;
	io->r.blocks = b->blocks;
	io->r.buf = b->bytes;
	io->owner = b;
	io->done = batch_written;
	b->in_flight = true;
	w->filling = NULL;
	pack_reset(&w->window);
	io_submit(s, x, io);
}

/* An empty batch; when all are on their way, wait: that is back-pressure, and its time is charged. */
static struct batch *take_batch(struct store *s, struct pl_ctx *x, struct shadow *w)
{
	while (!s->failed) {
		for (uint32_t i = 0; i < w->batches; i++)
			if (!w->batch[i].in_flight)
				return &w->batch[i];
		io_advance(s, x);
	}
	return NULL;
}

/* A batch with room for n more blocks, from `block` on, and one more image: the one being filled, if block follows what it
 * holds, else a new one. NULL: the store has failed. */
static struct batch *batch_for(struct store *s, struct pl_ctx *x, uint64_t block, uint32_t n)
{
	struct shadow *w = s->placement;
	struct batch *b = w->filling;
	if (b && (b->block + b->blocks != block || b->blocks + n > w->batch_blocks || b->nframes == w->batch_frames)) {
		shadow_flush(s, x);
		b = NULL;
	}
	if (!b) {
		b = take_batch(s, x, w);
		if (!b)
			return NULL;
		b->block = block;
		b->blocks = b->nframes = 0;
		w->filling = b;
	}
	return b;
}

static void note_frame(struct batch *b, uint32_t frame)
{
	if (frame != POOL_NONE)
		b->frames[b->nframes++] = frame;
}

static void write_image(struct store *s, struct pl_ctx *x, const struct plc_image *i, uint64_t block)
{
	struct shadow *w = s->placement;
	uint32_t n = (uint32_t)__builtin_popcount(i->img.bitmap);
	struct batch *b = batch_for(s, x, block, n);
	if (!b)
		return;
	memcpy(b->bytes + (size_t)b->blocks * s->block_bytes, i->bytes, (size_t)n * s->block_bytes);
	memset(b->tags + b->blocks, (int)i->tag, n);
	b->blocks += n;
	if (s->packs)
		pack_whole(&w->window, n);
	note_frame(b, i->frame);
}

/* Put a packed image into the batch being filled, which gets the n blocks from `block` on that it needs besides. Its loc. */
static pl_loc write_packed(struct store *s, struct pl_ctx *x, const struct plc_image *i, uint64_t block, uint32_t n)
{
	struct shadow *w = s->placement;
	uint32_t at, offset, unit = s->block_bytes / PAGE_UNITS;
	if (n && w->filling && pack_new_blocks(&w->window, i->units) != n) /* its blocks are its alone */
		shadow_flush(s, x);
	struct batch *b = n ? batch_for(s, x, block, n) : w->filling;
	if (!b)
		return loc_pack(block, 0, i->units, i->img.codec, i->generation);
	memset(b->bytes + (size_t)b->blocks * s->block_bytes, 0, (size_t)n * s->block_bytes);
	memset(b->tags + b->blocks, (int)i->tag, n);
	b->blocks += n;
	pack_put(&w->window, i->units, &at, &offset);
	assert(w->window.used == b->blocks);
	memcpy(b->bytes + (size_t)at * s->block_bytes + offset * unit, i->bytes, (size_t)i->units * unit);
	note_frame(b, i->frame);
	return loc_pack(b->block + at, offset, i->units, i->img.codec, i->generation);
}

/* Blocks that a packed image needs beside those of the batch being filled. */
uint32_t shadow_new_blocks(const struct shadow *w, uint32_t units)
{
	const struct batch *b = w->filling;
	uint32_t alone = (units + PAGE_UNITS - 1) / PAGE_UNITS;
	if (!b || b->nframes == w->batch_frames ||
		kv_broken == KV_BREAK_RELEASE) /* a block free at once is not shared */
		return alone;
	uint32_t n = pack_new_blocks(&w->window, units);
	return b->blocks + n > w->batch_blocks ? alone : n;
}

/* Would n blocks from `block` on continue the batch being filled? */
static bool continues(const struct shadow *w, uint64_t block, uint32_t n)
{
	const struct batch *b = w->filling;
	return b && b->block + b->blocks == block && b->blocks + n <= w->batch_blocks;
}

/* --- placing and releasing ------------------------------------------------------------------------------------------ */

/* Where the next image moved goes when no hole takes it: behind the last one, else to the front of a long run, so that
 * images that are not whole pages lie dense. */
uint32_t shadow_dense_room(const struct shadow *w, uint32_t behind, uint32_t n)
{
	if (behind < w->data_blocks && shadow_free_run(&w->map, behind) >= n &&
		!w->map.avoid[behind / w->map.region_blocks])
		return behind;
	for (uint32_t want = w->map.exact; want > n; want /= 2) {
		uint32_t at = shadow_free_smallest(&w->map, want);
		if (at != SHADOW_NONE)
			return at;
	}
	return shadow_free_smallest(&w->map, n);
}

/* The same for all that is placed while regions are emptied by_parent; into one of them rather than nowhere. */
static uint32_t gathering_room(struct shadow *w, uint32_t n)
{
	uint32_t at = shadow_free_hole(&w->map, n);
	if (at != SHADOW_NONE)
		return at;
	at = shadow_dense_room(w, w->behind, n);
	if (at == SHADOW_NONE) {
		memset(w->map.avoid, 0, w->regions);
		at = shadow_free_smallest(&w->map, n);
	}
	w->behind = at + n;
	return at;
}

/* Behind the last image while the group lasts, else where a new group can begin, else where it fits. */
static uint32_t find_room(struct shadow *w, uint32_t n, bool *group)
{
	const struct shadow_free *m = &w->map;
	*group = false;
	if (w->gathering)
		return gathering_room(w, n);
	if (w->group_left >= n && shadow_free_run(m, w->cursor) >= n)
		return w->cursor;
	*group = w->group_blocks != 0;
	for (uint32_t want = w->group_blocks > n ? w->group_blocks : n;; want = n) {
		uint32_t at = w->next_fit ? shadow_free_next(m, w->cursor, want) : shadow_free_smallest(m, want);
		if (at != SHADOW_NONE || want == n)
			return at;
	}
}

/* Blocks that an image needs, beside those of the batch being filled. */
static uint32_t needs(const struct shadow *w, const struct plc_image *i)
{
	return i->units ? shadow_new_blocks(w, i->units) : (uint32_t)__builtin_popcount(i->img.bitmap);
}

/* An image takes the n blocks at `at` that it needs; the whole accounting of a placement but the reservation. Its old image
 * leaves the list of its block first. */
pl_loc shadow_settle(
	struct store *s, struct pl_ctx *x, struct shadow *w, const struct plc_image *i, uint32_t at, uint32_t n)
{
	uint64_t start = s->layout.data_start;
	pl_loc loc, old = s->packs ? store_loc(s, i->id.v) : (pl_loc){0};
	if (n)
		shadow_free_take(&w->map, at, n);
	if (i->units)
		loc = write_packed(s, x, i, start + at, n);
	else {
		write_image(s, x, i, start + at);
		loc = loc_make(start + at, i->img.bitmap, i->img.codec, i->generation);
	}
	if (old.v)
		pack_drop(w->owner, w->next, loc_block(old) - start, (uint32_t)i->id.v);
	own(s, w, i->id.v, (uint32_t)(loc_block(loc) - start), loc);
	return loc;
}

static pl_loc place_map(struct store *s, struct pl_ctx *x, struct shadow *w, const struct plc_image *i)
{
	assert(i->id.v < w->map_slots);
	uint64_t now = loc_block(s->choice.addressing->map_loc(s, i->id.v)), first = map_slot(s, w, i->id.v, 0);
	uint64_t block = now == first ? map_slot(s, w, i->id.v, 1) : first;
	w->map_live_blocks += (uint32_t)__builtin_popcount(i->img.bitmap);
	write_image(s, x, i, block);
	return loc_make(block, i->img.bitmap, i->img.codec, i->generation);
}

static pl_loc shadow_place(struct store *s, struct pl_ctx *x, const struct plc_image *i)
{
	struct shadow *w = s->placement;
	if (i->tag == DEV_TAG_MAP)
		return place_map(s, x, w, i);
	assert(w->reserved && w->reserved <= w->map.whole_pages);
	w->reserved--;
	uint32_t n = needs(w, i), alone = i->units ? (i->units + PAGE_UNITS - 1) / PAGE_UNITS : n;
	if (!n)
		return shadow_settle(s, x, w, i, 0, 0);
	bool group;
	uint32_t at = find_room(w, n, &group);
	if (n < alone && !continues(w, s->layout.data_start + at, n)) /* sharing the last block was not to be */
		at = find_room(w, n = alone, &group);
	assert(at != SHADOW_NONE);
	if (group)
		w->group_left = w->group_blocks;
	w->group_left = w->group_left > n ? w->group_left - n : 0;
	w->cursor = at + n;
	return shadow_settle(s, x, w, i, at, n);
}

static struct plc_where shadow_where(const struct store *s, uint64_t id, pl_loc loc)
{
	(void)s;
	(void)id;
	return (struct plc_where){loc_block(loc), loc_blocks(loc), false};
}

void shadow_release(struct store *s, uint64_t id, pl_loc loc)
{
	struct shadow *w = s->placement;
	uint32_t n = loc_blocks(loc);
	if (loc_block(loc) <
		s->layout.data_start) { /* a map page's slot: its own again, for the anchor after the next */
		assert(w->map_live_blocks >= n);
		w->map_live_blocks -= n;
		return;
	}
	disown(s, w, id, (uint32_t)(loc_block(loc) - s->layout.data_start), loc);
}

/* What only older anchors reach becomes free, runs of neighbours at once. */
static void shadow_anchored(struct store *s, struct pl_ctx *x)
{
	struct shadow *w = s->placement;
	uint32_t b = 0;
	while (w->dead_blocks && b < w->data_blocks) {
		uint32_t from = shadow_bit_next(w->dead, b, w->data_blocks, true);
		b = shadow_bit_next(w->dead, from, w->data_blocks, false);
		if (b == from)
			break;
		shadow_free_give(&w->map, from, b - from);
		if (w->trim)
			io_punch(s, x, s->layout.data_start + from, b - from);
	}
	memset(w->dead, 0, (w->data_blocks / 64 + 1) * sizeof *w->dead);
	w->dead_blocks = 0;
	io_drain(s, x); /* before a block trimmed is written again */
}

/* --- room ----------------------------------------------------------------------------------------------------------- */

bool shadow_below_limit(const struct store *s, const struct shadow *w, uint64_t pages, bool urgent)
{
	uint64_t limit = w->limit_blocks + (urgent ? URGENT_PAGES * s->page_blocks : 0);
	return pack_takes(&w->live) + (w->reserved + pages) * s->page_blocks <= limit;
}

uint64_t shadow_needed(const struct shadow *w, uint64_t pages, bool urgent)
{
	return w->reserved + pages + w->region_pages + (urgent ? 0 : URGENT_PAGES);
}

bool shadow_grantable(const struct store *s, const struct shadow *w, uint64_t pages, bool urgent)
{
	return shadow_below_limit(s, w, pages, urgent) && w->map.whole_pages >= shadow_needed(w, pages, urgent);
}

static bool shadow_reserve(struct store *s, uint32_t pages, bool urgent)
{
	struct shadow *w = s->placement;
	if (!shadow_grantable(s, w, pages, urgent))
		return false;
	w->reserved += pages;
	return true;
}

static void shadow_unreserve(struct store *s, uint32_t pages)
{
	struct shadow *w = s->placement;
	assert(w->reserved >= pages);
	w->reserved -= pages;
}

static void shadow_checkpoint(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	(void)a;
	shadow_flush(s, x);
}

static void shadow_report(const struct store *s, struct plc_report *r)
{
	const struct shadow *w = s->placement;
	uint64_t slots = 2 * w->map_slots * s->page_blocks;
	uint64_t keep = pl_min64(w->map.free_blocks, shadow_needed(w, 0, false) * s->page_blocks);
	r->capacity_blocks = w->data_blocks + slots;
	r->live_blocks = w->live_blocks + w->map_live_blocks;
	r->dead_blocks = w->dead_blocks;
	r->reserved_blocks = keep + slots - w->map_live_blocks;
	r->free_blocks = w->map.free_blocks - keep;
	r->gap_bytes = (w->live_blocks * PAGE_UNITS - w->live_units) * (s->block_bytes / PAGE_UNITS);
}

const struct plc_ops plc_shadow = {
	.name = "shadow",
	.summary = "into any free extent, never onto what the last anchor reaches",
	.opts = shadow_opts,
	.packs = shadow_packs,
	.open = shadow_open,
	.close = shadow_close,
	.format = shadow_format,
	.adopt = shadow_adopt,
	.recover = shadow_recover,
	.reserve = shadow_reserve,
	.unreserve = shadow_unreserve,
	.make_room = shadow_make_room,
	.place = shadow_place,
	.flush = shadow_flush,
	.where = shadow_where,
	.release = shadow_release,
	.checkpoint = shadow_checkpoint,
	.anchored = shadow_anchored,
	.report = shadow_report,
};
