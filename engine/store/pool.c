/* pool.c - the page pool: frames in chunks of 512 KiB, clock eviction, and the writer of dirty pages.
 *
 * A frame is free, loading, or valid. A valid frame is clean (its image is on the device), dirty (changed since its image
 * was placed), and it may be "writing" (its image is on its way) in either case. Eviction takes unpinned clean frames
 * that nobody wrote to or referenced lately; when the clock meets cold dirty frames it has them written, in batches.
 *
 * Dirty frames are at most half of the pool; above three eighths the writer works. The writer needs no frame and no
 * reservation (each dirty frame holds its own), so it always ends. */
#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_BATCH 32u

int pool_open(struct store *s, struct pl_fault *f)
{
	struct pool *p = &s->pool;
	uint64_t bytes = pl_conf_u64(s->conf, "pool_bytes");
	p->frames = (uint32_t)pl_min64(bytes / s->page_bytes, UINT32_MAX / 2);
	if (p->frames < 32)
		return pl_fault_set(f, PL_INVALID,
			"pool_bytes: %" PRIu64 " holds %u pages of %u bytes; at least 32 are needed (%u bytes)", bytes,
			p->frames, s->page_bytes, 32 * s->page_bytes);
	p->per_chunk = (uint32_t)(POOL_CHUNK_BYTES / s->page_bytes);
	p->chunks = (p->frames + p->per_chunk - 1) / p->per_chunk;
	p->chunk = calloc(p->chunks, sizeof *p->chunk);
	p->frame = calloc(p->frames, sizeof *p->frame);
	if (!p->chunk || !p->frame)
		return pl_fault_set(f, PL_NOMEM, "pool_bytes: no memory for %u frames", p->frames);
	for (uint32_t c = 0; c < p->chunks; c++) {
		uint32_t frames = c + 1 < p->chunks ? p->per_chunk : p->frames - c * p->per_chunk;
		p->chunk[c] = aligned_alloc(4096, (size_t)frames * s->page_bytes);
		if (!p->chunk[c])
			return pl_fault_set(f, PL_NOMEM, "pool_bytes: no memory for %u frames", p->frames);
		memset(p->chunk[c], 0, (size_t)frames * s->page_bytes);
	}
	p->free_head = POOL_NONE;
	for (uint32_t i = p->frames; i-- > 0;) {
		p->frame[i].next_free = p->free_head;
		p->free_head = i;
	}
	p->free = p->frames;
	p->dirty_limit = p->frames / 2;
	p->dirty_high = p->frames * 3 / 8;
	return PL_OK;
}

void pool_close(struct store *s)
{
	struct pool *p = &s->pool;
	for (uint32_t c = 0; p->chunk && c < p->chunks; c++)
		free(p->chunk[c]);
	free(p->chunk);
	free(p->frame);
	memset(p, 0, sizeof *p);
}

static uint32_t pop_free(struct pool *p)
{
	uint32_t i = p->free_head;
	p->free_head = p->frame[i].next_free;
	p->free--;
	return i;
}

static void push_free(struct pool *p, uint32_t i)
{
	struct frame *f = &p->frame[i];
	uint64_t version = f->version;
	memset(f, 0, sizeof *f);
	f->version = version + 1; /* a note of this frame is never valid again */
	f->next_free = p->free_head;
	p->free_head = i;
	p->free++;
}

/* A frame that no page has any more (freed, or its load failed) and nobody looks at. */
static bool orphan(const struct frame *f)
{
	return !f->id && !f->pins && !f->writing && f->state == FRAME_VALID;
}

/* Write cold dirty frames, starting at the clock hand: at most WRITE_BATCH, none that is pinned, in order of the hand. */
static uint32_t write_cold(struct store *s, struct pl_ctx *x, uint32_t want)
{
	struct pool *p = &s->pool;
	uint32_t done = 0, at = p->hand;
	for (uint32_t n = 0; n < p->frames && done < want && !s->failed; n++) {
		struct frame *f = &p->frame[at];
		if (f->state == FRAME_VALID && f->dirty && !f->writing && !f->pins && !f->referenced &&
			(!store_by_parent(s) || refs_settled(s, at))) {
			page_write(s, x, at);
			s->stats.evictions_dirty++;
			done++;
		}
		at = at + 1 == p->frames ? 0 : at + 1;
	}
	if (done)
		s->choice.placement->flush(s, x);
	return done;
}

/* One frame made free by the clock: true, or false if every frame is pinned, dirty or on its way. */
static bool evict_one(struct store *s)
{
	struct pool *p = &s->pool;
	for (uint32_t n = 0; n < 2 * p->frames; n++) {
		uint32_t i = p->hand;
		struct frame *f = &p->frame[i];
		p->hand = i + 1 == p->frames ? 0 : i + 1;
		if (f->state != FRAME_VALID || f->pins || f->writing)
			continue;
		if (f->referenced) {
			f->referenced = false;
			continue;
		}
		if (f->dirty || (store_by_parent(s) && !refs_evict(s, i)))
			continue;
		assert(f->loc.v);
		s->directory[f->id] = f->loc.v;
		push_free(p, i);
		s->stats.evictions_clean++;
		return true;
	}
	return false;
}

/* Bring the free list to `want` frames; false if that must wait for writes. */
static bool make_free(struct store *s, struct pl_ctx *x, uint32_t want)
{
	struct pool *p = &s->pool;
	while (p->free < want)
		if (!evict_one(s)) {
			if (!write_cold(s, x, WRITE_BATCH) &&
				!p->writing) { /* all cold ones are gone: take warm ones */
				for (uint32_t i = 0; i < p->frames; i++)
					p->frame[i].referenced = false;
				(void)write_cold(s, x, WRITE_BATCH);
			}
			io_poll(s, x); /* devices that complete at once */
			if (p->free >= want || evict_one(s))
				continue;
			return false;
		}
	return true;
}

bool pool_reserve(struct store *s, struct pl_ctx *x, uint32_t frames)
{
	struct pool *p = &s->pool;
	if (!make_free(s, x, p->reserved + frames))
		return false;
	p->reserved += frames;
	return true;
}

uint32_t page_resident(const struct store *s, uint64_t id)
{
	uint64_t e = s->directory[id];
	if (!entry_is_frame(e))
		return POOL_NONE;
	uint32_t i = entry_frame(e);
	return s->pool.frame[i].state == FRAME_VALID ? i : POOL_NONE;
}

void page_pin(struct store *s, uint32_t frame)
{
	if (!s->pool.frame[frame].pins++)
		s->pool.pinned++;
}

void page_unpin(struct store *s, uint32_t frame)
{
	struct frame *f = &s->pool.frame[frame];
	assert(f->pins);
	if (!--f->pins) {
		s->pool.pinned--;
		if (orphan(f))
			push_free(&s->pool, frame);
	}
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static void loaded(struct store *s, struct pl_ctx *x, struct io *io)
{
	uint32_t i = (uint32_t)io->arg;
	struct frame *f = &s->pool.frame[i];
	struct pl_fault fault = {0};
	bool home = io->owner != NULL;
	int err = io->r.status;
	uint64_t id = f->id;
	if (err)
		(void)pl_fault_set(&fault, err, "page %" PRIu64 ": read of block %" PRIu64 " failed: %s", id,
			io->r.block, pl_err_text(err));
	else if (id) /* else the page was freed meanwhile */
		err = image_open(s, x, frame_page(s, i), id, io->loc, home, &fault);
	struct kv_op *w = f->waiters;
	f->waiters = NULL;
	f->state = FRAME_VALID;
	f->version++;
	if (err && id) {
		s->fault = fault;
		s->directory[id] = f->loc.v;
		f->error = (int8_t)err;
		f->id = 0;
	} else if (!err) {
		const uint8_t *page = frame_page(s, i);
		f->referenced = true;
		put64(frame_page(s, i) + PAGE_AT_ID, id);
		if (home) /* now the blocks present are known */
			f->loc = loc_make(loc_block(f->loc), le16(page + PAGE_AT_BITMAP), page[PAGE_AT_CODEC],
				page[PAGE_AT_GENERATION]);
	}
	if (orphan(f))
		push_free(&s->pool, i);
	while (w) {
		struct kv_op *next = w->next;
		op_ready(s, w);
		w = next;
	}
	wake_frame_waiters(s);
}

/* Begin to read a page into a free frame. */
static uint32_t load(struct store *s, struct pl_ctx *x, uint64_t id)
{
	struct pool *p = &s->pool;
	if (s->choice.placement->before_read)
		s->choice.placement->before_read(s, x, (pl_loc){s->directory[id]});
	uint32_t i = pop_free(p);
	struct frame *f = &p->frame[i];
	f->id = id;
	f->loc = (pl_loc){s->directory[id]};
	f->state = FRAME_LOADING;
	s->directory[id] = entry_of_frame(i);
	struct plc_where w = s->choice.placement->where(s, id, f->loc);
	struct io *io = io_take(s);
	io->r.op = DEV_READ;
	io->r.tag = DEV_TAG_LEAF; /* reads are not told apart: what a page is shows only when it is here */
	io->r.block = w.block;
	io->r.blocks = w.blocks;
	io->r.buf = frame_page(s, i);
	io->arg = i;
	io->loc = f->loc;
	io->owner = w.home ? s : NULL;
	io->done = loaded;
	s->stats.page_reads++;
	io_submit(s, x, io);
	return i;
}

int page_get(struct store *s, struct pl_ctx *x, uint64_t id, struct kv_op *op, uint32_t *frame)
{
	struct pool *p = &s->pool;
	pl_charge(x, PL_COST_PAGE, 1);
	if (!id || id > s->max_ids || !s->directory[id])
		return pl_fault_set(
			&s->fault, PL_DAMAGED, "a reference names page %" PRIu64 ", which does not exist", id);
	uint64_t e = s->directory[id];
	if (entry_is_frame(e) && p->frame[entry_frame(e)].state == FRAME_VALID) {
		uint32_t i = entry_frame(e);
		if (!p->frame[i].referenced)
			p->frame[i].referenced = true;
		s->stats.pool_hits++;
		page_pin(s, i);
		if (op)
			op->in.wait = WAIT_NONE;
		*frame = i;
		return PL_OK;
	}
	if (!entry_is_frame(e)) {
		if (!make_free(s, x, p->reserved + 1)) {
			*frame = POOL_NONE;
			if (op)
				op->in.wait = WAIT_FRAME;
			return PL_AGAIN;
		}
		s->stats.pool_misses++;
		uint32_t i = load(s, x, id);
		page_pin(s, i);
		io_poll(s, x);
		*frame = i;
		if (p->frame[i].state == FRAME_VALID && !p->frame[i].error)
			return PL_OK;
		if (p->frame[i].error) {
			int err = p->frame[i].error;
			page_unpin(s, i);
			return err;
		}
		e = entry_of_frame(i);
	} else
		page_pin(s, entry_frame(e));
	*frame = entry_frame(e);
	if (!op) /* asks again by itself */
		return PL_AGAIN;
	op->in.wait = WAIT_PAGE;
	op->in.ticket = *frame;
	op->next = p->frame[*frame].waiters;
	p->frame[*frame].waiters = op;
	return PL_AGAIN;
}

int page_wait(struct store *s, struct pl_ctx *x, uint64_t id, uint32_t *frame, struct pl_fault *f)
{
	int err;
	while ((err = page_get(s, x, id, NULL, frame)) == PL_AGAIN && *frame == POOL_NONE) {
		if (!s->in_flight)
			return pl_fault_set(f, PL_FAILED, "no frame can be had for page %" PRIu64, id);
		io_advance(s, x);
	}
	if (err == PL_AGAIN) {
		const struct frame *p = &s->pool.frame[*frame];
		while (p->state == FRAME_LOADING && s->in_flight)
			io_advance(s, x);
		err = p->state == FRAME_VALID ? p->error : PL_FAILED;
		if (err)
			page_unpin(s, *frame);
	}
	if (err && f)
		*f = s->fault;
	return err;
}

/* A free frame beside those that are promised, if one can be had without writing. */
static bool frame_at_once(struct store *s)
{
	const struct pool *p = &s->pool;
	return (p->free > p->reserved || evict_one(s)) && p->free > p->reserved;
}

void page_prefetch(struct store *s, struct pl_ctx *x, uint64_t id)
{
	if (!id || id > s->max_ids || !s->directory[id] || entry_is_frame(s->directory[id]))
		return;
	if (frame_at_once(s)) {
		s->stats.pool_misses++;
		(void)load(s, x, id);
	}
}

int page_install(struct store *s, struct pl_ctx *x, uint64_t id, const uint8_t *page, bool may_wait, uint32_t *frame)
{
	struct pool *p = &s->pool;
	if (!may_wait && !frame_at_once(s))
		return PL_AGAIN;
	while (!make_free(s, x, p->reserved + 1)) {
		if (!s->in_flight || s->failed)
			return pl_fault_set(&s->fault, PL_FAILED, "no frame can be had for page %" PRIu64, id);
		io_advance(s, x);
	}
	uint32_t i = pop_free(p);
	struct frame *f = &p->frame[i];
	assert(!entry_is_frame(s->directory[id]));
	f->id = id;
	f->loc = (pl_loc){s->directory[id]};
	f->state = FRAME_VALID;
	f->version++;
	s->directory[id] = entry_of_frame(i);
	memcpy(frame_page(s, i), page, s->page_bytes);
	put64(frame_page(s, i) + PAGE_AT_ID, id);
	page_pin(s, i);
	*frame = i;
	return PL_OK;
}

/* --- changing ----------------------------------------------------------------------------------------------------- */

uint32_t page_new(struct store *s, enum page_kind kind, uint8_t level)
{
	struct pool *p = &s->pool;
	assert(p->reserved && p->free);
	p->reserved--;
	uint32_t i = pop_free(p);
	struct frame *f = &p->frame[i];
	uint64_t id = id_take(s);
	uint8_t *page = frame_page(s, i);
	memset(page, 0, s->page_bytes);
	put32(page + PAGE_AT_MAGIC, PAGE_MAGIC);
	put32(page + PAGE_AT_TAG, s->tag);
	put64(page + PAGE_AT_ID, id);
	page[PAGE_AT_KIND] = (uint8_t)kind;
	page[PAGE_AT_LEVEL] = level;
	f->id = id;
	f->loc = (pl_loc){0};
	f->state = FRAME_VALID;
	f->referenced = true;
	f->version++;
	f->dirty = true;
	p->dirty++;
	assert(s->apply_pages);
	s->apply_pages--;
	s->directory[id] = entry_of_frame(i);
	s->choice.addressing->changed(s, id, ADR_BORN);
	s->stats.live_pages++;
	s->inner_pages += kind == PAGE_INNER;
	return i;
}

void page_retype(struct store *s, uint32_t frame, enum page_kind kind, uint8_t level)
{
	uint8_t *page = frame_page(s, frame);
	s->inner_pages += kind == PAGE_INNER;
	s->inner_pages -= page_kind(page) == PAGE_INNER;
	page[PAGE_AT_KIND] = (uint8_t)kind;
	page[PAGE_AT_LEVEL] = level;
}

void page_touch(struct store *s, uint32_t frame)
{
	struct frame *f = &s->pool.frame[frame];
	f->cleaning = false;
	if (!f->dirty) {
		assert(s->apply_pages);
		s->apply_pages--; /* from now on the frame's (S3) */
		f->dirty = true;
		s->pool.dirty++;
	}
}

void page_dirty(struct store *s, uint32_t frame)
{
	s->pool.frame[frame].version++;
	page_touch(s, frame);
}

void extent_free(struct store *s, uint64_t id, pl_loc loc)
{
	s->choice.placement->release(s, id, loc);
	if (store_by_parent(s))
		s->choice.addressing->released(s, loc);
	s->stats.live_pages--;
}

void page_free(struct store *s, uint64_t id)
{
	struct pool *p = &s->pool;
	uint64_t e = s->directory[id];
	pl_loc loc = store_loc(s, id);
	if (entry_is_frame(e)) {
		uint32_t i = entry_frame(e);
		struct frame *f = &p->frame[i];
		/* inner pages are in memory when they are freed */
		s->inner_pages -= f->state == FRAME_VALID && page_kind(frame_page(s, i)) == PAGE_INNER;
		if (f->dirty) {
			p->dirty--;
			s->choice.placement->unreserve(s, 1);
		}
		f->dirty = false;
		f->id = 0;
		f->version++; /* whoever holds it plans anew */
		if (orphan(f))
			push_free(p, i);
	}
	s->directory[id] = 0;
	s->choice.addressing->changed(s, id, ADR_FREED);
	if (loc.v)
		extent_free(s, id, loc);
	else
		s->stats.live_pages--;
	id_give(s, id);
}

/* With page_writes this gives the mean use of the zones, at which theory of cleaning is asked: a sum of samples taken
 * as often as clients' changes write, for that is theory's clock. A zone that was cleaned and waits for an anchor is no
 * part of what theory chooses from. */
static void count_occupied(struct store *s)
{
	struct plc_report r = {0};
	if (!s->choice.placement->appends)
		return;
	s->choice.placement->report(s, &r);
	s->stats.occupied_blocks += r.live_blocks + r.dead_blocks - r.emptied_blocks;
}

void page_write(struct store *s, struct pl_ctx *x, uint32_t frame)
{
	struct frame *f = &s->pool.frame[frame];
	struct plc_image i;
	assert(f->state == FRAME_VALID && f->dirty && !f->writing);
	if (!f->cleaning)
		page_note_change(frame_page(s, frame), s->clock);
	image_make(s, x, frame, false, s->image, &i);
	f->dirty = f->cleaning = false;
	s->pool.dirty--;
	f->writing = true;
	s->pool.writing++;
	pl_loc old = f->loc;
	pl_loc loc = s->choice.placement->place(s, x, &i);
	f->loc = loc;
	if (store_by_parent(s))
		s->choice.addressing->placed(s, loc);
	if (old.v) {
		s->choice.placement->release(s, f->id, old);
		if (store_by_parent(s))
			s->choice.addressing->released(s, old);
	}
	s->choice.addressing->changed(s, f->id, ADR_MOVED);
	if (i.cleaning) {
		s->stats.moved_pages++;
		s->stats.moved_bytes += loc_bytes(loc, s->block_bytes);
		return;
	}
	s->clock += loc_blocks(loc);
	count_occupied(s);
	s->stats.page_writes++;
	s->stats.page_exact_bytes += i.img.exact_bytes;
	s->stats.page_write_bytes += loc_bytes(loc, s->block_bytes);
}

void page_written(struct store *s, struct pl_ctx *x, uint32_t frame)
{
	struct frame *f = &s->pool.frame[frame];
	(void)x;
	assert(f->writing);
	if (s->failed) /* perhaps by this write: the frame stays "writing", so nobody reads the page from where it is not */
		return;
	f->writing = false;
	s->pool.writing--;
	if (orphan(f))
		push_free(&s->pool, frame);
	wake_frame_waiters(s);
}

void pool_balance(struct store *s, struct pl_ctx *x)
{
	struct pool *p = &s->pool;
	if (p->dirty > p->dirty_high && p->writing < WRITE_BATCH && !s->failed)
		(void)write_cold(s, x, WRITE_BATCH);
}

void pool_write_cold(struct store *s, struct pl_ctx *x)
{
	(void)write_cold(s, x, s->pool.frames);
	io_poll(s, x);
}

uint64_t id_take(struct store *s)
{
	assert(s->nfree_ids && s->reserved_ids);
	s->reserved_ids--;
	return s->free_ids[--s->nfree_ids];
}

void id_give(struct store *s, uint64_t id)
{
	if (store_by_parent(s)) /* nothing on media knows it */
		s->free_ids[s->nfree_ids++] = (uint32_t)id;
	else
		s->deferred_ids[s->ndeferred_ids++] = (uint32_t)id;
}
