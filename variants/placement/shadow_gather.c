/* shadow_gather.c - placement=shadow: gathering scattered blocks, and making room. See the head of shadow.c. */
#include "variants/placement/shadow.h"

#include <string.h>

struct region_free {
	uint32_t pages; /* whole ones inside */
	uint32_t scattered; /* blocks beside those */
};

static struct region_free region_free(const struct shadow *w, uint32_t region)
{
	const struct shadow_free *m = &w->map;
	struct region_free f = {0, 0};
	uint32_t b = region * m->region_blocks, end = b + m->region_blocks;
	while (b < end) {
		uint32_t from = shadow_bit_next(m->bit, b, end, true);
		b = shadow_bit_next(m->bit, from, end, false);
		f.pages += (b - from) / m->page_blocks;
		f.scattered += (b - from) % m->page_blocks;
	}
	return f;
}

/* Blocks that what is free inside of a region's live blocks would make. */
static uint32_t region_gaps(const struct shadow *w, uint32_t region)
{
	uint32_t free_units = 0, begin = region * w->map.region_blocks;
	for (uint32_t b = begin; b < begin + w->map.region_blocks; b++)
		free_units += w->units[b] ? PAGE_UNITS - w->units[b] : 0;
	return free_units / PAGE_UNITS;
}

/* The region not yet chosen with the most scattered blocks, at least a page of them; the first of equals. */
static uint32_t worst_region(const struct store *s, const struct shadow *w)
{
	uint32_t worst = SHADOW_NONE, most = s->page_blocks - 1;
	for (uint32_t r = 0; r < w->regions; r++)
		if (!w->map.avoid[r] && !w->damaged[r] && w->scattered[r] + w->gaps[r] > most) {
			worst = r;
			most = w->scattered[r] + w->gaps[r];
		}
	return worst;
}

/* Read the image of a page: PL_DAMAGED if what is there is not what its loc says. */
static int fetch(struct store *s, struct pl_ctx *x, uint64_t id, pl_loc old, struct plc_image *i)
{
	*i = (struct plc_image){.id = {id}, .frame = POOL_NONE, .tag = DEV_TAG_CLEAN, .cleaning = true};
	int err = io_read(s, x, DEV_TAG_CLEAN, loc_block(old), loc_blocks(old), s->image);
	return err ? err : s->failed ? PL_FAILED : image_fetched(s, s->image, id, old, i, &s->fault);
}

/* Put an image just read to the n blocks at `at` that it needs. */
static void move(struct store *s, struct pl_ctx *x, struct shadow *w, const struct plc_image *i, pl_loc old,
	uint32_t at, uint32_t n)
{
	uint64_t id = i->id.v;
	store_set_loc(s, id, shadow_settle(s, x, w, i, at, n));
	s->choice.addressing->changed(s, id, ADR_MOVED);
	shadow_release(s, id, old);
	s->stats.moved_pages++;
	s->stats.moved_bytes += loc_bytes(old, s->block_bytes);
}

/* Room for n blocks of an image moved: a hole elsewhere, else where it lies dense if a whole page may be broken. */
static uint32_t gather_room(struct shadow *w, uint32_t n, bool whole, uint32_t *behind)
{
	uint32_t at = shadow_free_hole(&w->map, n);
	if (at == SHADOW_NONE && whole) {
		at = shadow_dense_room(w, *behind, n);
		*behind = at + n;
	}
	return at;
}

/* Move what begins in a region into holes elsewhere; whole pages are broken for it only as long as the region gives more.
 * *behind: the last image moved so. False: not all of it found room. */
static bool empty_region(struct store *s, struct pl_ctx *x, struct shadow *w, uint32_t region, uint32_t *behind)
{
	uint32_t begin = region * w->map.region_blocks;
	uint64_t gain = w->region_pages - region_free(w, region).pages, whole = w->map.whole_pages;
	shadow_flush(s, x); /* an earlier region's images may have come here */
	io_drain(s, x);
	for (uint32_t b = begin, next; b < begin + w->map.region_blocks && !s->failed; b++)
		for (uint32_t id = w->owner[b]; id && !s->failed; id = next) {
			struct plc_image i;
			pl_loc old = store_loc(s, id);
			next = s->packs ? w->next[id] : 0;
			/* a packed image that finds no block to share takes as many as it touched */
			uint32_t n =
				s->packs && loc_packed(old) ? shadow_new_blocks(w, loc_units(old)) : loc_blocks(old);
			uint32_t at = 0;
			if (n) {
				n = loc_blocks(old);
				at = gather_room(w, n,
					whole - w->map.whole_pages + 1 < gain && w->map.whole_pages > w->reserved,
					behind);
			}
			if (at == SHADOW_NONE)
				return false;
			if (fetch(s, x, id, old, &i))
				w->damaged[region] = 1; /* what is damaged stays where it is, for check to name */
			else
				move(s, x, w, &i, old, at, n);
		}
	return !w->damaged[region];
}

/* Empty regions until `want` pages will be whole after the next anchor. No page is dirty and nothing is dead. */
static void gather_scattered(struct store *s, struct pl_ctx *x, struct shadow *w, uint64_t want)
{
	for (uint32_t r = 0; r < w->regions; r++) {
		w->scattered[r] = region_free(w, r).scattered;
		w->gaps[r] = s->packs ? region_gaps(w, r) : 0;
	}
	uint64_t coming = w->map.whole_pages;
	uint32_t behind = SHADOW_NONE;
	while (coming < want && w->map.whole_pages > w->reserved && !s->failed) {
		uint32_t r = worst_region(s, w);
		if (r == SHADOW_NONE)
			break;
		w->map.avoid[r] = 1;
		uint64_t whole = w->map.whole_pages, dead = w->dead_blocks;
		bool emptied = empty_region(s, x, w, r, &behind);
		coming -= whole - w->map.whole_pages;
		if (emptied)
			coming += (w->dead_blocks - dead + w->scattered[r]) / s->page_blocks;
		else /* it may hold the room that others need */
			w->scattered[r] = w->gaps[r] = w->map.avoid[r] = 0;
	}
	memset(w->map.avoid, 0, w->regions);
}

static bool grant_moved(struct store *s, uint32_t pages)
{
	struct shadow *w = s->placement;
	if (w->map.whole_pages < w->reserved + pages)
		return false;
	w->reserved += pages;
	return true;
}

/* Have what begins in a region written elsewhere, with an anchor whenever what is kept for it is promised. */
static int move_region(struct store *s, struct pl_ctx *x, struct shadow *w, uint32_t region)
{
	uint32_t begin = region * w->map.region_blocks;
	int err = PL_OK;
	for (uint32_t b = begin; b < begin + w->map.region_blocks && !err; b++) {
		if (!w->owner[b])
			continue;
		uint64_t block = s->layout.data_start + b;
		err = store_relocate(s, x, block, w->owner[b], NULL, grant_moved);
		if (err == PL_AGAIN) {
			err = checkpoint_run(s, x);
			if (!err)
				err = store_relocate(s, x, block, w->owner[b], NULL, grant_moved);
		}
		if (err && err != PL_AGAIN && !s->failed) { /* what is damaged stays where it is, for check to name */
			w->damaged[region] = 1;
			err = PL_OK;
		}
	}
	int last = s->failed ? PL_FAILED : checkpoint_run(s, x);
	return last ? last : err;
}

/* The same where only its ancestors know where a page lies: pages are moved by being written, so what was gained shows
 * after each region. */
static int gather_by_parent(struct store *s, struct pl_ctx *x, struct shadow *w, uint64_t want)
{
	int err = PL_OK;
	w->gathering = true;
	w->behind = SHADOW_NONE;
	w->group_left = 0;
	for (uint32_t r = 0; r < w->regions; r++)
		w->scattered[r] = region_free(w, r).scattered;
	while (!err && w->map.whole_pages < want) {
		uint32_t r = worst_region(s, w);
		if (r == SHADOW_NONE)
			break;
		w->map.avoid[r] = 1;
		err = move_region(s, x, w, r);
		w->map.avoid[r] = 0; /* it is free now, or as far as it can be */
		w->scattered[r] = 0;
		if (err == PL_AGAIN) /* no room to move a single page */
			err = PL_OK;
	}
	memset(w->map.avoid, 0, w->regions);
	w->gathering = false;
	return err;
}

int shadow_make_room(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent)
{
	struct shadow *w = s->placement;
	/* a dirty page counts twice, old image and reservation, until it is written */
	int err = checkpoint_run(s, x);
	for (uint32_t round = 0; !err && round < 2 * w->regions + 2; round++) {
		if (shadow_grantable(s, w, pages, urgent))
			return PL_OK;
		if (!shadow_below_limit(s, w, pages, urgent))
			return PL_FULL;
		uint64_t whole = w->map.whole_pages;
		uint64_t batch = pl_max64(w->region_pages, w->data_blocks / s->page_blocks / 64);
		if (store_by_parent(s))
			err = gather_by_parent(s, x, w, shadow_needed(w, pages, urgent) + batch);
		else {
			gather_scattered(s, x, w, shadow_needed(w, pages, urgent) + batch);
			err = checkpoint_run(s, x);
		}
		if (!err && w->map.whole_pages <= whole && !shadow_grantable(s, w, pages, urgent))
			return PL_FULL;
	}
	return err ? err : PL_FULL;
}
