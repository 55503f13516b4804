/* locate.c - from an image back to its place in the tree, where only ancestors know where a page lies (by_parent).
 *
 * A page is found by a key that belongs to it: the first of a leaf, the second of an inner page (the first is empty), that
 * of the record whose value it holds. Down from the root the child for the key is taken until a reference names the block.
 * A leaf without entries and an inner page with one have no such key: then all inner pages above its level are looked
 * through. The image may be older than the page, if that is dirty: its keys may have moved away, and nothing is found. */
#include "engine/btree/btree.h"

#include <inttypes.h>

struct search {
	struct store *s;
	struct pl_ctx *x;
	uint64_t block;
	uint32_t level; /* of the page looked for; for a part of a value that of the leaf, less one */
	uint32_t *at, *n;
	uint8_t **ref;
	uint64_t *missing; /* NULL: it may wait */
};

static bool names(struct store *s, uint8_t *ref, void *arg)
{
	struct search *q = arg;
	pl_loc loc = ref_loc(s, ref);
	if (!loc.v || loc_block(loc) != q->block)
		return false;
	*q->ref = ref;
	return true;
}

/* One more page of the path. */
static int step(struct search *q, uint64_t id, uint8_t **page)
{
	if (*q->n == STR_PATH_MAX)
		return pl_fault_set(&q->s->fault, PL_DAMAGED, "a path of more than %u pages", STR_PATH_MAX);
	if (q->missing && id && page_resident(q->s, id) == POOL_NONE) {
		*q->missing = id;
		page_prefetch(q->s, q->x, id);
		return PL_AGAIN;
	}
	int err = page_wait(q->s, q->x, id, &q->at[*q->n], NULL);
	if (!err)
		*page = frame_page(q->s, q->at[(*q->n)++]);
	return err;
}

/* The leaf entry of the key: its value's index page, or that page's reference. */
static int in_value(struct search *q, uint8_t *leaf, pl_slice key)
{
	struct store *s = q->s;
	struct nod_entry e;
	bool exact;
	uint32_t slot = path_search(s, q->x, leaf, key, &exact);
	nod_entry(s->choice.node, &s->node, leaf, slot, &e);
	if (!exact || !(e.flags & NOD_OVERFLOW) || e.value.n != OVERFLOW_ENTRY)
		return PL_NOTFOUND;
	if (names(s, leaf + (e.value.p - leaf) + 16, q))
		return PL_OK;
	struct overflow o = overflow_of(s, leaf, &e);
	uint8_t *index;
	int err = step(q, o.index, &index);
	if (err)
		return err;
	return page_kind(index) == PAGE_OVERFLOW_INDEX && btree_refs(s, index, names, q) ? PL_OK : PL_NOTFOUND;
}

static int by_key(struct search *q, pl_slice key, bool value)
{
	struct store *s = q->s;
	uint8_t *page = NULL;
	int err = step(q, STORE_ROOT, &page);
	while (!err && page_kind(page) == PAGE_INNER) {
		bool exact;
		uint32_t slot = path_search(s, q->x, page, key, &exact);
		slot = exact || !slot ? slot : slot - 1;
		uint8_t *ref = path_child_ref(s, page, slot);
		if (ref && !value && page_level(page) == q->level + 1)
			return names(s, ref, q) ? PL_OK : PL_NOTFOUND;
		if (!value && page_level(page) <= q->level)
			return PL_NOTFOUND;
		err = step(q, ref ? ref_page(s, ref) : 0, &page);
	}
	if (err)
		return err;
	return value && page_kind(page) == PAGE_LEAF ? in_value(q, page, key) : PL_NOTFOUND;
}

/* Depth first through the inner pages above the level, from page id on; found, its path is what is pinned. */
static int by_looking(struct search *q, uint64_t id)
{
	struct store *s = q->s;
	uint8_t *page = NULL;
	int err = step(q, id, &page);
	if (err)
		return err;
	if (page_kind(page) == PAGE_INNER && page_level(page) == q->level + 1) {
		if (btree_refs(s, page, names, q))
			return PL_OK;
	} else if (page_kind(page) == PAGE_INNER && page_level(page) > q->level)
		for (uint32_t i = 0; i < nod_count(s->choice.node, &s->node, page); i++) {
			err = by_looking(q, path_child_id(s, page, i));
			if (err != PL_NOTFOUND)
				return err;
		}
	page_unpin(s, q->at[--*q->n]);
	return PL_NOTFOUND;
}

/* A key by which the tree leads to the page of this image; false: it has none. */
static bool key_of(struct store *s, const uint8_t *image, struct nod_entry *e, pl_slice *key, uint8_t *copy)
{
	enum page_kind kind = page_kind(image);
	if (kind == PAGE_OVERFLOW_INDEX || kind == PAGE_OVERFLOW_DATA) {
		uint32_t n = le32(image + OVERFLOW_AT);
		*key = pl_slice_of(image + OVERFLOW_AT + 8, n <= s->node.max_key_bytes ? n : 0);
		return true;
	}
	uint32_t slot = kind == PAGE_INNER;
	if (nod_count(s->choice.node, &s->node, image) <= slot)
		return false;
	nod_entry(s->choice.node, &s->node, image, slot, e);
	*key = pl_slice_of(copy, nod_key_copy(e, copy));
	return true;
}

int btree_path_to(struct store *s, struct pl_ctx *x, const uint8_t *image, uint64_t block, uint32_t at[STR_PATH_MAX],
	uint32_t *n, uint8_t **ref, uint64_t *missing)
{
	struct search q = {s, x, block, page_level(image), at, n, ref, missing};
	enum page_kind kind = page_kind(image);
	struct nod_entry e;
	uint8_t copy[8192];
	pl_slice key;
	*n = 0;
	*ref = NULL;
	if (loc_block(store_loc(s, STORE_ROOT)) == block)
		return PL_OK;
	if (kind == PAGE_MAP || kind >= PAGE_KINDS)
		return PL_NOTFOUND;
	bool value = kind == PAGE_OVERFLOW_INDEX || kind == PAGE_OVERFLOW_DATA;
	if (!key_of(s, image, &e, &key, copy))
		return by_looking(&q, STORE_ROOT);
	return by_key(&q, key, value);
}
