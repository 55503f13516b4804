/* relocate.c - moving a page where only its ancestors know where it lies (addressing by_parent).
 *
 * A cleaner that wants a zone or a region empty finds images in it, not pages. The image says of itself what kind of page
 * it is, of which level, and (inside) with which keys; the structure descends by that to the reference that names the very
 * block. Then the page and all its ancestors are dirtied, in the name of cleaning as far as no client had changed them, and
 * are written elsewhere like any other. What a mapping table does with one entry thus costs a path: pages moved together
 * share the upper part of theirs, so cleaners move many between two anchors.
 *
 * Each page dirtied so holds a reservation like any other (S3). The caller's grant refuses when what is kept for cleaning
 * is promised, and half of the pool is the most that may be dirty: then a checkpoint comes first. So nothing here waits for
 * anything but reads, writes of pages that leave the pool, and frames; half of those are never pinned by operations.
 *
 * In steps (store_relocate_step) nothing is waited for at all: the caller brings the image, a page of the path that is not
 * resident is asked for and the search begun anew later, and pages are dirtied one by one. From the root down, so that R2
 * holds whenever it stops; a path dirtied in vain is written once more than it had to be. */
#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* The frame of a page whose newest image begins there. */
static uint32_t frame_at(const struct store *s, uint64_t block, uint64_t id)
{
	if (!id || id > s->max_ids || !s->directory[id] || loc_block(store_loc(s, id)) != block)
		return POOL_NONE;
	return page_resident(s, id);
}

bool store_relocates_from_pool(const struct store *s, uint64_t block, uint64_t id)
{
	return frame_at(s, block, id) != POOL_NONE;
}

/* Is a dirty page's old image there? It will move anyway; and only then may the image mislead about where it belongs. */
static bool moves_anyway(const struct store *s, uint64_t block)
{
	for (uint32_t i = 0; i < s->pool.frames; i++) {
		const struct frame *f = &s->pool.frame[i];
		if (f->id && f->dirty && f->loc.v && loc_block(f->loc) == block)
			return true;
	}
	return false;
}

/* Open an image that was read; *loc is what refers to it. */
static int open_image(struct store *s, struct pl_ctx *x, uint64_t block, uint8_t *bytes, pl_loc *loc)
{
	uint32_t n = s->choice.addressing->extent(s, block);
	struct pl_fault why;
	int err = PL_OK;
	*loc = loc_make(block, le16(bytes + PAGE_AT_BITMAP), bytes[PAGE_AT_CODEC], bytes[PAGE_AT_GENERATION]);
	if (loc_blocks(*loc) != n)
		err = pl_fault_set(
			&why, PL_DAMAGED, "page of %" PRIu32 " blocks in an extent of %" PRIu32, loc_blocks(*loc), n);
	else
		err = image_open(s, x, bytes, STORE_ROOT, *loc, false, &why);
	return err ? pl_fault_set(&s->fault, err, "image at block %" PRIu64 ": %s", block, why.text) : PL_OK;
}

static int read_image(struct store *s, struct pl_ctx *x, uint64_t block, uint8_t *bytes)
{
	int err = io_read(s, x, DEV_TAG_CLEAN, block, s->choice.addressing->extent(s, block), bytes);
	return err ? pl_fault_set(
			     &s->fault, err, "image at block %" PRIu64 ": its read failed: %s", block, pl_err_text(err))
		   : PL_OK;
}

/* Mark what is pinned in at[0..n), all or nothing. */
static int dirty_all(struct store *s, struct pl_ctx *x, const uint32_t *at, uint32_t n,
	bool (*grant)(struct store *s, uint32_t pages))
{
	uint32_t clean = 0;
	for (uint32_t i = 0; i < n; i++)
		clean += !s->pool.frame[at[i]].dirty;
	bool granted = s->pool.dirty + clean <= s->pool.dirty_limit && grant(s, clean);
	if (!granted) { /* pages moved before can go, which needs no anchor, and less space than they had reserved */
		pool_write_cold(s, x);
		granted = s->pool.dirty + clean <= s->pool.dirty_limit && grant(s, clean);
	}
	if (!granted || s->failed)
		return PL_AGAIN;
	assert(!s->apply_pages);
	s->apply_pages = clean;
	for (uint32_t i = 0; i < n; i++)
		if (!s->pool.frame[at[i]].dirty) {
			page_touch(s, at[i]);
			s->pool.frame[at[i]].cleaning = true;
		}
	assert(!s->apply_pages);
	return PL_OK;
}

/* Mark what is pinned in at[0..n), from the root down, as far as that is granted. */
static int dirty_some(struct store *s, struct relocation *r, const uint32_t *at, uint32_t n,
	bool (*grant)(struct store *s, uint32_t pages))
{
	for (uint32_t i = 0; i < n; i++) {
		if (s->pool.frame[at[i]].dirty)
			continue;
		if (!r->most)
			return PL_AGAIN;
		if (s->pool.dirty >= s->pool.dirty_high || !grant(s, 1)) {
			r->refused = true;
			return PL_AGAIN;
		}
		assert(!s->apply_pages);
		s->apply_pages = 1;
		page_touch(s, at[i]);
		s->pool.frame[at[i]].cleaning = true;
		r->most--;
	}
	return PL_OK;
}

/* Behind its path in at[0..*n): the page itself, pinned. missing: NULL, or it may not wait, as in path_to. */
static int page_behind(struct store *s, struct pl_ctx *x, uint8_t *ref, const uint8_t *bytes, uint32_t *at, uint32_t *n,
	uint64_t *missing)
{
	uint64_t id = ref ? ref_page(s, ref) : STORE_ROOT;
	bool framed = id && entry_is_frame(s->directory[id]); /* or on its way into one */
	int err = PL_OK;
	if (!framed && id && bytes)
		err = page_install(s, x, id, bytes, !missing, &at[*n]);
	else if (missing && id && page_resident(s, id) == POOL_NONE) {
		page_prefetch(s, x, id);
		err = PL_AGAIN;
	} else
		err = page_wait(s, x, id, &at[*n], NULL);
	if (err == PL_AGAIN && missing)
		*missing = id;
	*n += !err;
	return err;
}

/* Frames of the path to what begins at block, and of the page itself, pinned whatever is returned. loc: what refers to the
 * image, if that was read; else it is the frame's. */
static int pin_all(struct store *s, struct pl_ctx *x, uint64_t block, const uint8_t *image, pl_loc loc, uint32_t *at,
	uint32_t *n, uint64_t *missing)
{
	uint8_t *ref = NULL;
	int err = s->choice.structure->path_to(s, x, image, block, at, n, &ref, missing);
	if (!err && loc.v && ref && ref_loc(s, ref).v != loc.v)
		err = pl_fault_set(&s->fault, PL_DAMAGED,
			"image at block %" PRIu64 ": its parent expects another one there (a write was lost)", block);
	return err ? err : page_behind(s, x, ref, loc.v ? image : NULL, at, n, missing);
}

static int not_found(struct store *s, uint64_t block)
{
	return moves_anyway(s, block)
		       ? PL_OK
		       : pl_fault_set(&s->fault, PL_DAMAGED,
				 "the page at block %" PRIu64 " is live but nothing refers to it", block);
}

int store_relocate(struct store *s, struct pl_ctx *x, uint64_t block, uint64_t id, uint8_t *bytes,
	bool (*grant)(struct store *s, uint32_t pages))
{
	uint32_t resident = frame_at(s, block, id), at[STR_PATH_MAX + 1], n = 0;
	uint8_t *own = NULL;
	pl_loc loc = {0};
	int err = PL_OK;
	if (!s->choice.addressing->extent(s, block) || (resident != POOL_NONE && s->pool.frame[resident].dirty))
		return PL_OK;
	if (resident == POOL_NONE && !bytes) {
		own = aligned_alloc(4096, ((size_t)s->page_bytes + 4095) & ~(size_t)4095);
		if (!own)
			return PL_NOMEM;
		err = read_image(s, x, block, own);
		bytes = own;
	}
	if (!err && resident == POOL_NONE)
		err = open_image(s, x, block, bytes, &loc);
	if (resident != POOL_NONE)
		page_pin(s, resident);
	if (!err)
		err = pin_all(s, x, block, resident != POOL_NONE ? frame_page(s, resident) : bytes, loc, at, &n, NULL);
	if (!err)
		err = dirty_all(s, x, at, n, grant);
	while (n)
		page_unpin(s, at[--n]);
	if (resident != POOL_NONE)
		page_unpin(s, resident);
	free(own);
	return err == PL_NOTFOUND ? not_found(s, block) : err;
}

int store_relocate_step(
	struct store *s, struct pl_ctx *x, struct relocation *r, bool (*grant)(struct store *s, uint32_t pages))
{
	uint32_t resident = frame_at(s, r->block, r->id), at[STR_PATH_MAX + 1], n = 0;
	int err = PL_OK;
	r->frame = POOL_NONE;
	r->refused = false;
	r->missing = 0;
	if (!s->choice.addressing->extent(s, r->block) || (resident != POOL_NONE && s->pool.frame[resident].dirty))
		return PL_OK;
	if (resident == POOL_NONE && !r->bytes)
		return PL_AGAIN;
	if (resident == POOL_NONE && !r->opened) {
		err = open_image(s, x, r->block, r->bytes, &r->loc);
		r->opened = !err;
	}
	if (resident != POOL_NONE)
		page_pin(s, resident);
	if (!err)
		err = pin_all(s, x, r->block, resident != POOL_NONE ? frame_page(s, resident) : r->bytes,
			resident != POOL_NONE ? (pl_loc){0} : r->loc, at, &n, &r->missing);
	if (!err)
		err = dirty_some(s, r, at, n, grant);
	if (!err)
		r->frame = at[n - 1];
	while (n)
		page_unpin(s, at[--n]);
	if (resident != POOL_NONE)
		page_unpin(s, resident);
	return err == PL_NOTFOUND ? not_found(s, r->block) : err;
}
