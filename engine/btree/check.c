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

/* Blocking. */
static int get_page(struct walk *w, uint64_t id, uint32_t *frame)
{
	struct store *s = w->s;
	int err;
	while ((err = page_get(s, w->x, id, NULL, frame)) == PL_AGAIN && *frame == POOL_NONE) {
		if (!s->in_flight)
			return pl_fault_set(w->f, PL_FAILED, "no frame can be had for page %" PRIu64, id);
		io_advance(s, w->x);
	}
	if (err == PL_AGAIN) {
		const struct frame *f = &s->pool.frame[*frame];
		while (f->state == FRAME_LOADING && s->in_flight)
			io_advance(s, w->x);
		err = f->state == FRAME_VALID ? f->error : PL_FAILED;
		if (err)
			page_unpin(s, *frame);
	}
	if (err && w->f)
		*w->f = s->fault;
	return err;
}

static int name_once(struct walk *w, uint64_t id, uint64_t from)
{
	if (!id || id > w->s->max_ids || !w->s->directory[id])
		return pl_fault_set(w->f, PL_DAMAGED,
			"page %" PRIu64 " refers to page %" PRIu64 ", which does not exist", from, id);
	if (w->seen[id / 64] >> id % 64 & 1)
		return pl_fault_set(w->f, PL_DAMAGED,
			"page %" PRIu64 " is referred to twice, the second time by page %" PRIu64, id, from);
	w->seen[id / 64] |= (uint64_t)1 << id % 64;
	w->pages++;
	return PL_OK;
}

static int check_value(struct walk *w, uint64_t leaf, const struct overflow *o)
{
	struct store *s = w->s;
	uint32_t index, n = overflow_pages(s, o->length);
	int err = name_once(w, o->index, leaf);
	if (!err)
		err = get_page(w, o->index, &index);
	if (err)
		return err;
	const uint8_t *ip = frame_page(s, index);
	if (page_kind(ip) != PAGE_OVERFLOW_INDEX || le32(ip + 68) != n || n > overflow_room(s) / 8)
		err = pl_fault_set(w->f, PL_DAMAGED,
			"page %" PRIu64 ": not the index of a value of %" PRIu64 " bytes in %u pages", o->index,
			o->length, n);
	for (uint32_t k = 0; k < n && !err; k++) {
		uint64_t id = le64(ip + OVERFLOW_AT + (size_t)k * 8);
		uint32_t data;
		err = name_once(w, id, o->index);
		if (!err)
			err = get_page(w, id, &data);
		if (err)
			break;
		const uint8_t *dp = frame_page(s, data);
		uint64_t bytes = pl_min64(overflow_room(s), o->length - (uint64_t)k * overflow_room(s));
		if (page_kind(dp) != PAGE_OVERFLOW_DATA || le32(dp + 64) != OVERFLOW_AT + bytes)
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

static int check_entries(struct walk *w, uint64_t id, const uint8_t *page, int level, pl_slice lower, pl_slice upper)
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
				struct overflow o = overflow_of(e.value);
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
	const uint8_t *page = frame_page(s, frame);
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

static int check_totals(struct walk *w)
{
	struct store *s = w->s;
	for (uint64_t id = 1; id <= s->max_ids; id++)
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
	struct walk w = {.s = s, .x = x, .f = f, .seen = calloc(s->max_ids / 64 + 1, 8)};
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
