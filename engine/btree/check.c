/* check.c - the whole tree, verified: each page by its layout, keys against their bounds, levels, references, counts.
 *
 * Walks depth first with only the current path pinned. Every reference must name a live page that nothing else names;
 * in the end every live page must have been named. */
#include "engine/btree/btree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct store *s;
	struct pl_ctx *x;
	struct pl_fault *f;
	uint64_t *seen;
	uint64_t pages, records, overflow_pages;
};

static int get_page(struct walk *w, uint64_t id, uint32_t *frame)
{
	return page_wait(w->s, w->x, id, frame, w->f);
}

/* What stands for the page among those seen: its id, or, as ids of pages that leave the pool are used again by_parent, the
 * place of its image. A page never written keeps its frame and id (behind the places: there are no fewer blocks). */
static uint64_t mark_of(const struct store *s, uint64_t id)
{
	pl_loc loc = store_by_parent(s) ? store_loc(s, id) : (pl_loc){0};
	return loc.v ? s->max_ids + 1 + loc_block(loc) - s->layout.data_start : id;
}

static size_t marks(const struct store *s)
{
	return (size_t)(s->max_ids + 1 + (store_by_parent(s) ? s->layout.data_blocks : 0));
}

static int name_once(struct walk *w, uint64_t id, uint64_t from)
{
	if (!id || id > w->s->max_ids || !w->s->directory[id])
		return pl_fault_set(w->f, PL_DAMAGED,
			"page %" PRIu64 " refers to page %" PRIu64 ", which does not exist", from, id);
	uint64_t mark = mark_of(w->s, id);
	if (w->seen[mark / 64] >> mark % 64 & 1)
		return pl_fault_set(w->f, PL_DAMAGED,
			"page %" PRIu64 " is referred to twice, the second time by page %" PRIu64, id, from);
	w->seen[mark / 64] |= (uint64_t)1 << mark % 64;
	w->pages++;
	return PL_OK;
}

static int check_value(struct walk *w, uint64_t leaf, const struct overflow *o)
{
	struct store *s = w->s;
	uint32_t index, room = overflow_room(s, o->at), n = overflow_pages(s, o->at, o->length);
	int err = name_once(w, o->index, leaf);
	if (!err)
		err = get_page(w, o->index, &index);
	if (err)
		return err;
	uint8_t *ip = frame_page(s, index);
	err = overflow_is_index(s, ip, o, w->f);
	for (uint32_t k = 0; k < n && !err; k++) {
		uint64_t id = overflow_part(s, ip, o, k);
		uint32_t data;
		err = name_once(w, id, o->index);
		if (!err)
			err = get_page(w, id, &data);
		if (err)
			break;
		const uint8_t *dp = frame_page(s, data);
		uint64_t bytes = pl_min64(room, o->length - (uint64_t)k * room);
		if (page_kind(dp) != PAGE_OVERFLOW_DATA || le32(dp + 64) != o->at + bytes)
			err = pl_fault_set(w->f, PL_DAMAGED,
				"page %" PRIu64 ": expected %" PRIu64 " bytes of a large value, found kind %d with %u",
				id, bytes, page_kind(dp), le32(dp + 64));
		page_unpin(s, data);
	}
	page_unpin(s, index);
	w->overflow_pages += n + 1u;
	return err;
}

static int check_node(struct walk *w, uint64_t id, int level, pl_slice lower, pl_slice upper);

static int check_entries(struct walk *w, uint64_t id, uint8_t *page, int level, pl_slice lower, pl_slice upper)
{
	struct store *s = w->s;
	uint32_t n = nod_count(s->choice.node, &s->node, page);
	uint8_t *keys = malloc(2 * (size_t)s->node.max_key_bytes + 16);
	int err = keys ? PL_OK : PL_NOMEM;
	for (uint32_t i = 0; i < n && !err; i++) {
		struct nod_entry e, next;
		nod_entry(s->choice.node, &s->node, page, i, &e);
		pl_slice key = pl_slice_of(keys, nod_key_copy(&e, keys));
		bool minus_infinity = level > 0 && i == 0;
		if (!minus_infinity && (pl_slice_cmp(key, lower) < 0 || (upper.n && pl_slice_cmp(key, upper) >= 0)))
			err = pl_fault_set(w->f, PL_DAMAGED,
				"page %" PRIu64 ": the key of entry %u lies outside of the page's bounds", id, i);
		if (!err && level == 0) {
			w->records++;
			if (e.flags & NOD_OVERFLOW) {
				struct overflow o = overflow_of(s, page, &e);
				err = e.value.n == OVERFLOW_ENTRY
					      ? check_value(w, id, &o)
					      : pl_fault_set(w->f, PL_DAMAGED,
							"page %" PRIu64 ": entry %u is no reference to a large value",
							id, i);
			}
			continue;
		}
		if (err)
			break;
		if (minus_infinity && key.n)
			err = pl_fault_set(
				w->f, PL_DAMAGED, "page %" PRIu64 ": the first entry of an inner page has a key", id);
		pl_slice high = upper;
		if (i + 1 < n) {
			nod_entry(s->choice.node, &s->node, page, i + 1, &next);
			high = pl_slice_of(keys + s->node.max_key_bytes + 8,
				nod_key_copy(&next, keys + s->node.max_key_bytes + 8));
		}
		uint64_t child = path_child_id(s, page, i);
		if (!err)
			err = name_once(w, child, id);
		if (!err)
			err = check_node(w, child, level - 1, minus_infinity ? lower : key, high);
	}
	free(keys);
	return err;
}

static int check_node(struct walk *w, uint64_t id, int level, pl_slice lower, pl_slice upper)
{
	struct store *s = w->s;
	uint32_t frame;
	int err = get_page(w, id, &frame);
	if (err)
		return err;
	uint8_t *page = frame_page(s, frame);
	bool leaf = page_kind(page) == PAGE_LEAF;
	char why[160] = "";
	if (level < 0)
		level = page_level(page);
	if ((!leaf && page_kind(page) != PAGE_INNER) || page_level(page) != level || leaf != (level == 0))
		err = pl_fault_set(w->f, PL_DAMAGED,
			"page %" PRIu64 ": expected a tree page of level %d, found kind %d of level %d", id, level,
			page_kind(page), page_level(page));
	else if (nod_check(s->choice.node, &s->node, page, leaf, why, sizeof why))
		err = pl_fault_set(w->f, PL_DAMAGED, "page %" PRIu64 ": %s", id, why);
	else if (!leaf && !nod_count(s->choice.node, &s->node, page))
		err = pl_fault_set(w->f, PL_DAMAGED, "page %" PRIu64 ": an inner page without a child", id);
	else
		err = check_entries(w, id, page, level, lower, upper);
	page_unpin(s, frame);
	return err;
}

/* By_parent: what the addressing counts as live is what was reached. A page may be written, and so move, during the walk
 * (to where nothing was seen before: what it left is not used again before an anchor), so numbers are compared; a place is
 * named if one is found. */
static int check_extents(struct walk *w)
{
	struct store *s = w->s;
	uint64_t unplaced = 0, start = s->layout.data_start;
	for (uint32_t i = 0; i < s->pool.frames; i++)
		unplaced += s->pool.frame[i].id && s->pool.frame[i].state == FRAME_VALID && !s->pool.frame[i].loc.v;
	uint64_t live = s->choice.addressing->extents(s);
	if (w->pages == live + unplaced)
		return PL_OK;
	for (uint64_t b = 0; b < s->layout.data_blocks && !s->pool.dirty; b++) {
		uint64_t mark = s->max_ids + 1 + b;
		if (s->choice.addressing->extent(s, start + b) && !(w->seen[mark / 64] >> mark % 64 & 1))
			return pl_fault_set(w->f, PL_DAMAGED,
				"the page at block %" PRIu64 " is live but nothing refers to it", start + b);
	}
	return pl_fault_set(w->f, PL_DAMAGED,
		"the tree has %" PRIu64 " pages, %" PRIu64 " of them never written, but %" PRIu64 " extents are live",
		w->pages, unplaced, live);
}

static int check_totals(struct walk *w)
{
	struct store *s = w->s;
	for (uint64_t id = 1; id <= s->max_ids && !store_by_parent(s); id++)
		if (s->directory[id] && !(w->seen[id / 64] >> id % 64 & 1))
			return pl_fault_set(w->f, PL_DAMAGED, "page %" PRIu64 " is live but nothing refers to it", id);
	if (w->records != s->records)
		return pl_fault_set(w->f, PL_DAMAGED, "the tree holds %" PRIu64 " records, the store counts %" PRIu64,
			w->records, s->records);
	if (w->overflow_pages != s->overflow_pages)
		return pl_fault_set(w->f, PL_DAMAGED,
			"there are %" PRIu64 " pages of large values, the store counts %" PRIu64, w->overflow_pages,
			s->overflow_pages);
	if (w->pages != s->stats.live_pages)
		return pl_fault_set(w->f, PL_DAMAGED, "there are %" PRIu64 " live pages, the store counts %" PRIu64,
			w->pages, s->stats.live_pages);
	int err = store_by_parent(s) ? check_extents(w) : PL_OK;
	if (err)
		return err;
	struct plc_report r;
	s->choice.placement->report(s, &r);
	if (r.live_blocks + r.dead_blocks + r.free_blocks + r.reserved_blocks != r.capacity_blocks)
		return pl_fault_set(w->f, PL_DAMAGED,
			"space: live %" PRIu64 " + dead %" PRIu64 " + free %" PRIu64 " + reserved %" PRIu64
			" blocks are not the capacity of %" PRIu64,
			r.live_blocks, r.dead_blocks, r.free_blocks, r.reserved_blocks, r.capacity_blocks);
	return PL_OK;
}

int btree_check(struct store *s, struct pl_ctx *x, struct pl_fault *f)
{
	struct walk w = {.s = s, .x = x, .f = f, .seen = calloc(marks(s) / 64 + 1, 8)};
	if (!w.seen)
		return pl_fault_set(f, PL_NOMEM, "no memory to check the store");
	s->fault.err = 0;
	int err = name_once(&w, STORE_ROOT, 0);
	if (!err)
		err = check_node(&w, STORE_ROOT, -1, (pl_slice){0}, (pl_slice){0});
	if (!err)
		err = check_totals(&w);
	free(w.seen);
	return err;
}
