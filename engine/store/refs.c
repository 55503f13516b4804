/* refs.c - references between pages where they are locs on media: ids for children that are needed, locs for images.
 *
 * store.h tells what a reference is and what holds (R1..R4). The structure knows where the references of a page lie.
 * Cost: taking an id O(1); a page that is evicted or written is gone through once, entry by entry. */
#include "engine/store/store.h"

#include <assert.h>

static bool is_id(uint64_t ref)
{
	return (ref >> 9 & 7) == SPC_CODEC_NOT_A_LOC;
}

/* A loc that an image of this store can have, and whose extent is live. */
static bool live_loc(const struct store *s, pl_loc loc)
{
	return loc_possible(loc, s->full_bitmap, s->packs) &&
	       s->choice.addressing->extent(s, loc_block(loc)) == loc_blocks(loc);
}

static bool valid_id(const struct store *s, uint64_t id)
{
	return id && id <= s->max_ids && s->directory[id];
}

uint64_t ref_page(struct store *s, uint8_t *ref)
{
	uint64_t v = le64(ref);
	if (!store_by_parent(s))
		return v;
	if (is_id(v))
		return valid_id(s, v >> 28) ? v >> 28 : 0;
	if (!live_loc(s, (pl_loc){v}) || !s->nfree_ids) /* more references than live pages: some are damaged */
		return 0;
	uint64_t id = s->free_ids[--s->nfree_ids];
	s->directory[id] = v;
	put64(ref, ref_to(s, id));
	return id;
}

uint64_t ref_known(const struct store *s, const uint8_t *ref)
{
	uint64_t v = le64(ref);
	if (!store_by_parent(s))
		return v <= s->max_ids ? v : 0;
	return is_id(v) && valid_id(s, v >> 28) ? v >> 28 : 0;
}

pl_loc ref_loc(const struct store *s, const uint8_t *ref)
{
	uint64_t v = le64(ref);
	if (store_by_parent(s) && !is_id(v))
		return (pl_loc){v};
	uint64_t id = ref_known(s, ref);
	return id ? store_loc(s, id) : (pl_loc){0};
}

bool ref_live(const struct store *s, const uint8_t *ref)
{
	uint64_t v = le64(ref);
	if (!store_by_parent(s))
		return valid_id(s, v);
	return is_id(v) ? valid_id(s, v >> 28) : live_loc(s, (pl_loc){v});
}

void ref_free(struct store *s, const uint8_t *ref)
{
	uint64_t v = le64(ref);
	if (!store_by_parent(s))
		page_free(s, v);
	else if (is_id(v))
		page_free(s, v >> 28);
	else
		extent_free(s, 0, (pl_loc){v});
}

/* The frame of the child, loading ones too. */
static struct frame *child_frame(struct store *s, const uint8_t *ref)
{
	uint64_t id = ref_known(s, ref);
	return id && entry_is_frame(s->directory[id]) ? &s->pool.frame[entry_frame(s->directory[id])] : NULL;
}

static bool has_frame(struct store *s, uint8_t *ref, void *arg)
{
	(void)arg;
	return child_frame(s, ref) != NULL;
}

static bool is_dirty(struct store *s, uint8_t *ref, void *arg)
{
	(void)arg;
	const struct frame *f = child_frame(s, ref);
	return f && f->dirty;
}

static bool forget(struct store *s, uint8_t *ref, void *arg)
{
	uint64_t id = ref_known(s, ref);
	(void)arg;
	if (id) {
		s->directory[id] = 0;
		id_give(s, id);
	}
	return false;
}

static bool to_loc(struct store *s, uint8_t *ref, void *arg)
{
	uint64_t v = le64(ref);
	(void)arg;
	if (is_id(v)) {
		pl_loc loc = store_loc(s, v >> 28);
		assert(loc.v && !is_dirty(s, ref, NULL));
		put64(ref, loc.v);
	}
	return false;
}

bool refs_evict(struct store *s, uint32_t frame)
{
	uint8_t *page = frame_page(s, frame);
	if (s->choice.structure->refs(s, page, has_frame, NULL))
		return false;
	(void)s->choice.structure->refs(s, page, forget, NULL);
	return true;
}

bool refs_settled(struct store *s, uint32_t frame)
{
	return !s->choice.structure->refs(s, frame_page(s, frame), is_dirty, NULL);
}

void refs_to_locs(struct store *s, uint8_t *copy)
{
	(void)s->choice.structure->refs(s, copy, to_loc, NULL);
}
