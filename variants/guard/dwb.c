/* dwb.c - the double-write journal: a page goes home only after a durable anchor names its image in the journal.
 *
 * Models InnoDB's doublewrite buffer, widened to a whole epoch so that a checkpoint is atomic: every page written in an
 * epoch, evicted or checkpointed, goes into the journal (and is read back from there); the anchor names the batch; then
 * the batch is written home. A crash anywhere before the anchor leaves all homes as the anchor before left them; a crash
 * after it repeats the batch.
 *
 *   journal, a ring of blocks (positions grow without end, block = start + position mod size):
 *     ... | images of batch n, dense | directory of n | images of batch n + 1 ...
 *   directory: u64 page id, u64 loc (in the journal) each; its crc is in the anchor. Nothing wraps in its middle.
 *
 * Invariants:
 *  1. Homes change only with images named by a durable anchor.
 *  2. Images and directory of batch n stay until anchor n + 1 is durable: only its first sync covers n's home writes.
 *  3. Room for every dirty page's largest image and the directory is reserved before the page becomes dirty.
 *
 * Cost: every page written twice, the first time in sequence. Left out: homes are written page by page, in id order. */
#include "engine/base/crc32c.h"
#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct pl_opt dwb_opts[] = {
	{.name = "journal_bytes",
		.type = PL_OPT_BYTES,
		.value = "0",
		.help = "size of the journal (0: an eighth of the device, at most twice the pool)"},
	{.name = "write_bytes",
		.type = PL_OPT_BYTES,
		.value = "262144",
		.min = 4096,
		.max = 16u << 20,
		.help = "images gathered into one journal write"},
	{0},
};

struct dwb {
	struct home *home;
	struct gather gather;
	uint64_t blocks; /* of the ring */
	uint64_t head, tail; /* positions: next to write, oldest still needed */
	uint64_t batch_start; /* of the open batch */
	uint32_t reserved; /* pages */
	uint64_t *batch, nbatch; /* ids journaled in the open epoch */
	uint64_t *bits; /* the same, by id */
	uint8_t *directory;
	size_t directory_bytes;
	uint8_t *page;
};

static uint64_t directory_blocks(const struct store *s, uint64_t entries)
{
	return pl_div_up(entries * 16, s->block_bytes) + 1;
}

/* Room for one change of so many pages: one page may be lost at the ring's end, and the directory be pushed over it. */
static uint64_t room_for(const struct store *s, uint64_t pages, uint64_t batch)
{
	return pages * s->page_blocks + 2 * directory_blocks(s, batch + pages) + s->page_blocks;
}

/* The largest change: a large value in a tree that splits all the way up. */
static uint64_t least_blocks(const struct store *s)
{
	return room_for(s, s->max_overflow_pages + 24u, 0) + directory_blocks(s, s->max_overflow_pages + 24u);
}

static uint64_t dwb_journal_blocks(const struct store *s, uint64_t device_blocks)
{
	uint64_t want = pl_conf_u64(s->conf, "dwb.journal_bytes") / s->block_bytes;
	if (want)
		return want;
	want = pl_min64(device_blocks / 8, 2 * pl_conf_u64(s->conf, "pool_bytes") / s->block_bytes);
	return pl_max64(want, least_blocks(s));
}

static int dwb_open(struct store *s, struct pl_fault *f)
{
	struct dwb *d = calloc(1, sizeof *d);
	s->guard = d;
	if (!d)
		goto no_memory;
	d->blocks = s->layout.journal_blocks;
	if (d->blocks < least_blocks(s))
		return pl_fault_set(f, PL_INVALID,
			"dwb.journal_bytes: %" PRIu64
			" blocks cannot take the largest change, a value of %u bytes (%" PRIu64
			" blocks); enlarge it or lower max_value_bytes",
			d->blocks, s->max_value_bytes, least_blocks(s));
	d->directory_bytes = (size_t)directory_blocks(s, d->blocks) * s->block_bytes;
	d->batch = calloc(d->blocks + 1, sizeof *d->batch);
	d->bits = calloc(s->max_ids / 64 + 1, sizeof *d->bits);
	d->directory = aligned_alloc(4096, (d->directory_bytes + 4095) & ~(size_t)4095);
	d->page = aligned_alloc(4096, ((size_t)s->page_bytes + 4095) & ~(size_t)4095);
	uint64_t buffer = pl_min64(pl_conf_u64(s->conf, "dwb.write_bytes") / s->block_bytes, d->blocks / 4);
	if (d->batch && d->bits && d->directory && d->page && !home_open(s, &d->home) &&
		!gather_open(&d->gather, s, (uint32_t)buffer))
		return PL_OK;
no_memory:
	return pl_fault_set(f, PL_NOMEM, "no memory for the double-write journal");
}

static void dwb_close(struct store *s)
{
	struct dwb *d = s->guard;
	if (!d)
		return;
	home_close(d->home);
	gather_close(&d->gather);
	free(d->batch);
	free(d->bits);
	free(d->directory);
	free(d->page);
	free(d);
}

/* Block of a position. */
static uint64_t block_at(const struct store *s, uint64_t position)
{
	return s->layout.journal_start + position % s->layout.journal_blocks;
}

static bool in_journal(const struct store *s, pl_loc loc)
{
	return loc_block(loc) < s->layout.data_start;
}

static uint64_t need(const struct store *s, const struct dwb *d, uint32_t pages)
{
	return room_for(s, d->reserved + (uint64_t)pages, d->nbatch);
}

static bool dwb_reserve(struct store *s, uint32_t pages)
{
	struct dwb *d = s->guard;
	if (d->head - d->tail + need(s, d, pages) > d->blocks)
		return false;
	d->reserved += pages;
	return true;
}

static void dwb_unreserve(struct store *s, uint32_t pages)
{
	struct dwb *d = s->guard;
	assert(d->reserved >= pages);
	d->reserved -= pages;
}

static void join_batch(struct dwb *d, uint64_t id)
{
	if (d->bits[id / 64] >> id % 64 & 1)
		return;
	d->bits[id / 64] |= (uint64_t)1 << id % 64;
	d->batch[d->nbatch++] = id;
}

/* Make the next n blocks of the ring contiguous. */
static void skip_end(struct store *s, struct pl_ctx *x, struct dwb *d, uint64_t n)
{
	uint64_t at = d->head % d->blocks;
	if (!at || at + n > d->blocks)
		gather_flush(s, x, &d->gather); /* one write never goes over the ring's end */
	if (at + n > d->blocks)
		d->head += d->blocks - at;
	if (!d->gather.used_blocks)
		gather_seek(&d->gather, block_at(s, d->head));
}

static pl_loc dwb_place(struct store *s, struct pl_ctx *x, const struct plc_image *i)
{
	struct dwb *d = s->guard;
	uint32_t n = (uint32_t)__builtin_popcount(i->img.bitmap);
	assert(d->reserved);
	d->reserved--;
	join_batch(d, i->id.v);
	if (kv_broken == KV_BREAK_JOURNAL_SKIP) {
		home_write(s, x, d->home, i);
		return loc_make(home_block(s, i->id.v), i->img.bitmap, i->img.codec, i->generation);
	}
	skip_end(s, x, d, n);
	struct plc_image journaled = *i;
	journaled.tag = DEV_TAG_JOURNAL;
	uint64_t block = gather_add(s, x, &d->gather, &journaled);
	d->head += n;
	assert(d->head - d->tail <= d->blocks || s->failed);
	return loc_make(block, i->img.bitmap, i->img.codec, i->generation);
}

static void dwb_flush(struct store *s, struct pl_ctx *x)
{
	gather_flush(s, x, &((struct dwb *)s->guard)->gather);
}

static struct plc_where dwb_where(const struct store *s, uint64_t id, pl_loc loc)
{
	if (in_journal(s, loc))
		return (struct plc_where){loc_block(loc), loc_blocks(loc), false};
	return home_where(s, id, loc);
}

static int by_number(const void *a, const void *b)
{
	uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
	return p < q ? -1 : p > q;
}

/* Write one image of the batch home: from its frame if it is resident, else back from the journal. */
static int write_home(struct store *s, struct pl_ctx *x, struct dwb *d, uint64_t id, pl_loc loc)
{
	struct plc_image i;
	uint32_t frame = page_resident(s, id);
	if (frame != POOL_NONE && !s->pool.frame[frame].dirty)
		image_make(s, x, frame, true, s->image, &i);
	else {
		struct pl_fault why;
		int err = io_read(s, x, DEV_TAG_JOURNAL, loc_block(loc), loc_blocks(loc), d->page);
		if (!err)
			err = image_verify(
				s, d->page, (size_t)loc_blocks(loc) * s->block_bytes, false, id, &i.img, &why);
		if (err)
			return store_fail(s,
				"journal image of page %" PRIu64 " at block %" PRIu64 " cannot be read back: %s", id,
				loc_block(loc), pl_err_text(err));
		i.id = (pl_pageid){id};
		i.bytes = d->page;
		i.generation = loc_generation(loc);
		i.cleaning = false;
		i.tag = tag_of_kind(page_kind(d->page));
	}
	i.frame = POOL_NONE; /* nobody waits for a home write */
	home_write(s, x, d->home, &i);
	s->stats.home_writes++;
	store_set_loc(s, id, loc_make(home_block(s, id), i.img.bitmap, i.img.codec, i.generation));
	return s->failed ? PL_FAILED : PL_OK;
}

static void home_stage(struct store *s, struct pl_ctx *x, struct dwb *d)
{
	for (uint64_t k = 0; k < d->nbatch && !s->failed; k++) {
		uint64_t id = d->batch[k];
		pl_loc loc = s->directory[id] ? store_loc(s, id) : (pl_loc){0};
		if (loc.v && in_journal(s, loc))
			(void)write_home(s, x, d, id, loc);
	}
	io_drain(s, x);
}

static void dwb_checkpoint(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	struct dwb *d = s->guard;
	uint64_t n = 0;
	gather_flush(s, x, &d->gather);
	qsort(d->batch, d->nbatch, sizeof *d->batch, by_number);
	for (uint64_t k = 0; k < d->nbatch; k++) {
		uint64_t id = d->batch[k];
		pl_loc loc = s->directory[id] ? store_loc(s, id) : (pl_loc){0};
		if (!loc.v || !in_journal(s, loc))
			continue; /* freed since */
		put64(d->directory + n * 16, id);
		put64(d->directory + n * 16 + 8, loc.v);
		n++;
	}
	uint32_t blocks = (uint32_t)pl_div_up(n * 16, s->block_bytes);
	memset(d->directory + n * 16, 0, (size_t)blocks * s->block_bytes - n * 16);
	a->batch_entries = n;
	a->batch_crc = pl_crc32c(0, d->directory, n * 16);
	if (blocks) {
		skip_end(s, x, d, blocks);
		a->batch_position = d->head;
		(void)io_write(s, x, DEV_TAG_JOURNAL, block_at(s, d->head), blocks, d->directory);
		d->head += blocks;
	} else
		a->batch_position = d->head;
	a->journal_head = d->head;
	assert(d->head - d->tail <= d->blocks || s->failed);
	if (kv_broken == KV_BREAK_HOME_EARLY)
		home_stage(s, x, d);
}

static void dwb_anchored(struct store *s, struct pl_ctx *x)
{
	struct dwb *d = s->guard;
	d->tail = d->batch_start; /* the batch before is home, and the anchor's first sync made it durable */
	home_stage(s, x, d);
	for (uint64_t k = 0; k < d->nbatch; k++)
		d->bits[d->batch[k] / 64] = 0;
	d->nbatch = 0;
	if (kv_broken == KV_BREAK_HOME_SYNC)
		d->head = d->batch_start;
	d->batch_start = d->head;
}

static bool dwb_due(const struct store *s)
{
	const struct dwb *d = s->guard;
	return d->head - d->batch_start + (uint64_t)d->reserved * s->page_blocks > d->blocks * 3 / 8;
}

static int repeat_one(struct store *s, struct pl_ctx *x, struct dwb *d, uint64_t id, pl_loc loc)
{
	struct plc_image i = {.id = {id}, .frame = POOL_NONE, .bytes = d->page, .generation = loc_generation(loc)};
	struct pl_fault why;
	int err = io_read(s, x, DEV_TAG_JOURNAL, loc_block(loc), loc_blocks(loc), d->page);
	if (!err)
		err = image_verify(s, d->page, (size_t)loc_blocks(loc) * s->block_bytes, false, id, &i.img, &why);
	if (!err && d->page[PAGE_AT_GENERATION] == loc_generation(loc) &&
		le64(d->page + PAGE_AT_EPOCH) == s->anchor.epoch && i.img.bitmap == loc_bitmap(loc)) {
		i.tag = tag_of_kind(page_kind(d->page));
		home_write(s, x, d->home, &i);
		return s->failed ? PL_FAILED : PL_OK;
	}
	/* the slot is damaged or reused: fine if the image is home already */
	err = io_read(s, x, DEV_TAG_JOURNAL, home_block(s, id), s->page_blocks, d->page);
	if (!err)
		err = image_verify(s, d->page, s->page_bytes, true, id, &i.img, &why);
	if (!err && d->page[PAGE_AT_GENERATION] == loc_generation(loc) &&
		le64(d->page + PAGE_AT_EPOCH) == s->anchor.epoch)
		return PL_OK;
	return pl_fault_set(&s->fault, PL_DAMAGED,
		"page %" PRIu64 ": neither its journal image at block %" PRIu64 " nor its home at block %" PRIu64
		" is of epoch %" PRIu64,
		id, loc_block(loc), home_block(s, id), s->anchor.epoch);
}

static int dwb_recover(struct store *s, struct pl_ctx *x)
{
	struct dwb *d = s->guard;
	const struct anchor *a = &s->anchor;
	uint64_t n = a->batch_entries;
	d->head = d->batch_start = a->journal_head;
	/* after recovery the batch is home and synced; its directory must outlive the anchor all the same */
	d->tail = a->batch_position;
	if (!n)
		return PL_OK;
	uint32_t blocks = n > d->blocks ? 0 : (uint32_t)pl_div_up(n * 16, s->block_bytes);
	if (!blocks || (size_t)blocks * s->block_bytes > d->directory_bytes)
		return pl_fault_set(&s->fault, PL_DAMAGED,
			"anchor %" PRIu64 ": a batch of %" PRIu64 " pages is more than the journal holds", a->sequence,
			n);
	int err = io_read(s, x, DEV_TAG_JOURNAL, block_at(s, a->batch_position), blocks, d->directory);
	if (err)
		return err;
	uint32_t crc = pl_crc32c(0, d->directory, n * 16);
	if (crc != a->batch_crc)
		return pl_fault_set(&s->fault, PL_DAMAGED,
			"batch directory of anchor %" PRIu64 " at block %" PRIu64
			": checksum: expected %08x, found %08x",
			a->sequence, block_at(s, a->batch_position), a->batch_crc, crc);
	for (uint64_t k = 0; k < n && !err; k++) {
		uint64_t id = le64(d->directory + k * 16);
		pl_loc loc = {le64(d->directory + k * 16 + 8)};
		if (!id || id > s->max_ids || !in_journal(s, loc) || !loc_possible(loc, s->full_bitmap, false))
			return pl_fault_set(&s->fault, PL_DAMAGED,
				"batch directory of anchor %" PRIu64 ": entry %" PRIu64 " is impossible", a->sequence,
				k);
		err = repeat_one(s, x, d, id, loc);
	}
	io_drain(s, x);
	return s->failed ? PL_FAILED : err;
}

static uint64_t dwb_used(const struct store *s)
{
	const struct dwb *d = s->guard;
	return d->head - d->tail;
}

const struct grd_ops grd_dwb = {
	.name = "dwb",
	.summary = "double-write journal of whole epochs: pages go home after the anchor",
	.opts = dwb_opts,
	.journal_blocks = dwb_journal_blocks,
	.open = dwb_open,
	.close = dwb_close,
	.recover = dwb_recover,
	.reserve = dwb_reserve,
	.unreserve = dwb_unreserve,
	.place = dwb_place,
	.flush = dwb_flush,
	.where = dwb_where,
	.checkpoint = dwb_checkpoint,
	.anchored = dwb_anchored,
	.due = dwb_due,
	.used_blocks = dwb_used,
};
