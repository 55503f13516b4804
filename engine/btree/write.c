/* write.c - put, update, read-modify-write and delete: plan, reserve, apply. */
#include "engine/btree/btree.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static uint8_t *path_page(const struct store *s, const struct kv_op *op, uint32_t i)
{
	return frame_page(s, op->in.frame[i]);
}

static const struct nod_ops *nod(const struct store *s)
{
	return s->choice.node;
}

static uint32_t fill_bytes(const struct store *s)
{
	return s->page_bytes - PL_PAGE_HEADER;
}

/* --- splitting ---------------------------------------------------------------------------------------------------- */

/* Would an inner page need to split before it takes one more separator? Plan and apply ask alike. */
static bool inner_full(const struct store *s, const uint8_t *page)
{
	return !nod_room(nod(s), &s->node, page, s->node.max_key_bytes, 8);
}

/* New pages that a split of the leaf causes, up the path; a root that splits is pushed down first. */
static uint32_t split_pages(const struct store *s, const struct kv_op *op)
{
	uint32_t n = 1, level = op->in.height - 1u;
	while (level-- > 0 && inner_full(s, path_page(s, op, level)))
		n++;
	return level == UINT32_MAX ? n + 1 : n;
}

/* Move the root's content into a new page and make the root an inner page above it. */
static uint32_t push_root_down(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	uint32_t root = op->in.frame[0];
	uint8_t *rp = frame_page(s, root);
	uint8_t level = page_level(rp);
	uint32_t child = page_new(s, page_kind(rp), level);
	uint8_t *cp = frame_page(s, child), ref[8];
	page_dirty(s, root);
	memcpy(cp + PL_PAGE_HEADER, rp + PL_PAGE_HEADER, fill_bytes(s));
	pl_charge_bytes(x, PL_COST_COPY_KIB, s->page_bytes);
	nod_init(nod(s), &s->node, rp, false, (pl_slice){0}, (pl_slice){0});
	page_retype(s, root, PAGE_INNER, (uint8_t)(level + 1));
	put64(ref, ref_to(s, page_id(cp)));
	int err = nod_insert(nod(s), &s->node, rp, 0, (pl_slice){0}, pl_slice_of(ref, 8), 0);
	assert(!err);
	(void)err;
	return child;
}

static void post_separator(
	struct store *s, struct pl_ctx *x, struct kv_op *op, uint32_t level, pl_slice sep, uint64_t right);

/* Split the page in `frame`, at `level` of the path, for a key that goes to `slot`; returns the frame on whose side the
 * key belongs. A root is pushed down first. */
static uint32_t split(struct store *s, struct pl_ctx *x, struct kv_op *op, uint32_t level, uint32_t slot, pl_slice key)
{
	uint32_t frame = op->in.frame[level];
	uint8_t sep_bytes[8192];
	size_t sep_n;
	bool root = level == 0;
	if (root)
		frame = push_root_down(s, x, op);
	uint8_t *left = frame_page(s, frame);
	page_dirty(s, frame);
	uint32_t right_frame = page_new(s, page_kind(left), page_level(left));
	uint8_t *right = frame_page(s, right_frame);
	nod_split(nod(s), &s->node, left, right, slot, key, sep_bytes, &sep_n);
	pl_charge_bytes(x, PL_COST_SPLIT_KIB, s->page_bytes);
	s->stats.splits++;
	pl_slice sep = pl_slice_of(sep_bytes, sep_n);
	uint8_t ref[8];
	put64(ref, ref_to(s, page_id(right)));
	if (root) {
		int err = nod_insert(nod(s), &s->node, frame_page(s, op->in.frame[0]), 1, sep, pl_slice_of(ref, 8), 0);
		assert(!err);
		(void)err;
	} else
		post_separator(s, x, op, level - 1, sep, le64(ref));
	return pl_slice_cmp(key, sep) < 0 ? frame : right_frame;
}

static void post_separator(
	struct store *s, struct pl_ctx *x, struct kv_op *op, uint32_t level, pl_slice sep, uint64_t right)
{
	uint32_t frame = op->in.frame[level];
	uint8_t ref[8];
	bool exact;
	put64(ref, right);
	uint32_t slot = path_search(s, x, frame_page(s, frame), sep, &exact);
	if (inner_full(s, frame_page(s, frame))) {
		frame = split(s, x, op, level, slot, sep);
		slot = path_search(s, x, frame_page(s, frame), sep, &exact);
	}
	assert(!exact);
	page_dirty(s, frame);
	int err = nod_insert(nod(s), &s->node, frame_page(s, frame), slot, sep, pl_slice_of(ref, 8), 0);
	assert(!err);
	(void)err;
	pl_charge(x, PL_COST_INSERT, 1);
}

/* --- put ---------------------------------------------------------------------------------------------------------- */

static void log_change(
	struct store *s, struct pl_ctx *x, struct kv_op *op, enum dur_record_kind kind, pl_slice value, uint64_t offset)
{
	struct dur_record r = {kind, op->lsn, op->key, value, offset};
	s->choice.durability->append(s, x, &r);
}

/* Pin the index page of a value that is to be freed, right behind the path. */
static int want_index(struct store *s, struct pl_ctx *x, struct kv_op *op, struct overflow o)
{
	int err = op->in.pins == op->in.height ? path_want(s, x, op, o.index) : PL_OK;
	return err ? err : overflow_check(s, op->in.frame[op->in.height], &o);
}

int btree_put(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	int err = path_descend(s, x, op, op->key);
	if (err)
		return err;
	uint32_t leaf = op->in.height - 1u;
	struct nod_entry e = {0};
	bool exact;
	uint32_t slot = path_search(s, x, path_page(s, op, leaf), op->key, &exact);
	if (exact)
		nod_entry(nod(s), &s->node, path_page(s, op, leaf), slot, &e);
	if (exact && e.flags & NOD_OVERFLOW) { /* its pages are to be freed: know them */
		err = want_index(s, x, op, overflow_of(s, path_page(s, op, leaf), &e));
		if (err)
			return err;
	}
	bool large = op->key.n + op->value.n > s->inline_bytes;
	size_t bytes = large ? OVERFLOW_ENTRY : op->value.n;
	bool full =
		!(exact && bytes <= e.value.n) && !nod_room(nod(s), &s->node, path_page(s, op, leaf), op->key.n, bytes);
	uint32_t fresh = (large ? overflow_pages(s, overflow_at(s, op->key.n), op->value.n) + 1 : 0) +
			 (full ? split_pages(s, op) : 0);
	uint64_t log = s->choice.durability->record_bytes(s, op->key.n, op->value.n);
	err = store_reserve(s, x, op, fresh, fresh + op->in.height + 1u, log, false);
	if (err)
		return err;

	/* apply: from here on nothing waits and nothing fails */
	op->lsn = store_next_lsn(s);
	op->replaced = exact;
	path_touch(s, op);
	if (exact && e.flags & NOD_OVERFLOW)
		overflow_free(s, op->in.frame[op->in.height]);
	uint8_t entry[OVERFLOW_ENTRY];
	pl_slice value = op->value;
	if (large) {
		put64(entry, op->value.n);
		put64(entry + 8, op->lsn.v);
		put64(entry + 16, overflow_write(s, x, op->key, op->value));
		value = pl_slice_of(entry, sizeof entry);
	}
	uint32_t frame = op->in.frame[leaf];
	if (full) {
		frame = split(s, x, op, leaf, slot, op->key);
		slot = path_search(s, x, frame_page(s, frame), op->key, &exact);
	}
	page_dirty(s, frame);
	if (exact)
		err = nod_update(nod(s), &s->node, frame_page(s, frame), slot, value, large ? NOD_OVERFLOW : 0);
	else
		err = nod_insert(
			nod(s), &s->node, frame_page(s, frame), slot, op->key, value, large ? NOD_OVERFLOW : 0);
	assert(!err);
	put64(frame_page(s, frame) + PAGE_AT_LSN, op->lsn.v);
	if (!exact)
		s->records++;
	pl_charge(x, PL_COST_INSERT, 1);
	pl_charge_bytes(x, PL_COST_COPY_KIB, op->key.n + op->value.n);
	log_change(s, x, op, DUR_PUT, op->value, 0);
	store_unreserve(s);
	s->stats.user_write_bytes += op->key.n + op->value.n;
	return PL_OK;
}

/* --- update of a byte range, read-modify-write --------------------------------------------------------------------- */

static int in_range(struct store *s, const struct kv_patch *p, uint64_t length)
{
	if (p->offset <= length && p->bytes.n <= length - p->offset)
		return PL_OK;
	return pl_fault_set(&s->fault, PL_RANGE,
		"update of bytes %" PRIu64 "..%" PRIu64 " of a value of %" PRIu64 " bytes", p->offset,
		p->offset + p->bytes.n, length);
}

static int update_inline(struct store *s, struct pl_ctx *x, struct kv_op *op, uint32_t slot)
{
	struct nod_entry e;
	uint32_t frame = op->in.frame[op->in.height - 1u];
	nod_entry(nod(s), &s->node, frame_page(s, frame), slot, &e);
	struct kv_patch patch = {op->offset, op->value};
	size_t most = op->kind == KV_RMW ? e.value.n : op->value.n;
	int err = op->kind == KV_RMW ? PL_OK : in_range(s, &patch, e.value.n);
	if (!err)
		err = store_reserve(s, x, op, 0, path_dirties(s, op),
			s->choice.durability->record_bytes(s, op->key.n, most), false);
	if (err)
		return err;
	/* making room may have compacted the page: slots keep their numbers, bytes move */
	nod_entry(nod(s), &s->node, frame_page(s, frame), slot, &e);
	if (op->kind == KV_RMW) {
		op->modify(op->arg, e.value, &patch);
		s->stats.user_read_bytes += op->key.n + e.value.n;
		err = in_range(s, &patch, e.value.n);
	}
	if (!err) {
		op->lsn = store_next_lsn(s);
		path_touch(s, op);
		page_dirty(s, frame);
		uint8_t *page = frame_page(s, frame);
		if (patch.bytes.n)
			memcpy(page + (e.value.p - page) + patch.offset, patch.bytes.p, patch.bytes.n);
		put64(page + PAGE_AT_LSN, op->lsn.v);
		log_change(s, x, op, DUR_UPDATE, patch.bytes, patch.offset);
		pl_charge_bytes(x, PL_COST_COPY_KIB, patch.bytes.n);
		s->stats.user_write_bytes += op->key.n + patch.bytes.n;
	}
	store_unreserve(s);
	return err;
}

static int update_large(struct store *s, struct pl_ctx *x, struct kv_op *op, uint32_t slot, struct overflow o)
{
	struct kv_patch patch = {op->offset, op->value};
	uint32_t frame = op->in.frame[op->in.height - 1u];
	int err = PL_OK;
	if (op->kind == KV_RMW) {
		if (!op->in.reserved || op->in.stamp != o.stamp) { /* not read yet, or read before it changed */
			op->in.reserved = false;
			err = overflow_read(s, x, op, &o);
			if (err)
				return err;
			op->in.reserved = true;
			op->in.stamp = o.stamp;
			path_cut(s, op, op->in.height);
			s->stats.user_read_bytes += op->key.n + o.length;
		}
		op->modify(op->arg, pl_slice_of(op->buf, o.length), &patch);
	}
	err = in_range(s, &patch, o.length);
	if (!err)
		err = overflow_pin_range(s, x, op, &o, patch.offset, patch.bytes.n);
	if (!err)
		err = store_reserve(s, x, op, 0, s->nlarge + store_by_parent(s) + path_dirties(s, op),
			s->choice.durability->record_bytes(s, op->key.n, patch.bytes.n), false);
	if (err)
		return err;
	op->lsn = store_next_lsn(s);
	path_touch(s, op);
	if (store_by_parent(s) && s->nlarge) /* the index page is on the path of its data pages */
		page_touch(s, op->in.frame[op->in.height]);
	overflow_patch(s, &o, patch.offset, patch.bytes);
	uint8_t entry[OVERFLOW_ENTRY];
	put64(entry, o.length);
	put64(entry + 8, op->lsn.v);
	put64(entry + 16, ref_to(s, o.index));
	page_dirty(s, frame);
	err = nod_update(nod(s), &s->node, frame_page(s, frame), slot, pl_slice_of(entry, sizeof entry), NOD_OVERFLOW);
	assert(!err);
	log_change(s, x, op, DUR_UPDATE, patch.bytes, patch.offset);
	pl_charge_bytes(x, PL_COST_COPY_KIB, patch.bytes.n);
	store_unreserve(s);
	overflow_drop_large(s, op);
	s->stats.user_write_bytes += op->key.n + patch.bytes.n;
	return err;
}

int btree_update(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	int err = path_descend(s, x, op, op->key);
	if (err)
		return err;
	uint8_t *page = path_page(s, op, op->in.height - 1u);
	struct nod_entry e;
	bool exact;
	uint32_t slot = path_search(s, x, page, op->key, &exact);
	if (!exact)
		return PL_NOTFOUND;
	pl_charge(x, PL_COST_RECORD, 1);
	nod_entry(nod(s), &s->node, page, slot, &e);
	if (e.flags & NOD_OVERFLOW)
		return update_large(s, x, op, slot, overflow_of(s, page, &e));
	return update_inline(s, x, op, slot);
}

/* --- delete ------------------------------------------------------------------------------------------------------- */

static bool underfull(const struct store *s, const uint8_t *page)
{
	return nod_live_bytes(nod(s), &s->node, page) < fill_bytes(s) / 4;
}

/* Merge the children at slots left and left + 1 of the parent, if both are here and fit together well. */
static bool merge_children(struct store *s, struct pl_ctx *x, uint32_t parent, uint32_t left_slot)
{
	uint8_t *pp = frame_page(s, parent), sep[8192];
	struct nod_entry e;
	uint32_t left = path_child_frame(s, pp, left_slot), right = path_child_frame(s, pp, left_slot + 1);
	if (left == POOL_NONE || right == POOL_NONE)
		return false;
	uint8_t *lp = frame_page(s, left), *rp = frame_page(s, right);
	if (nod_live_bytes(nod(s), &s->node, lp) + nod_live_bytes(nod(s), &s->node, rp) > fill_bytes(s) * 3 / 4)
		return false;
	nod_entry(nod(s), &s->node, pp, left_slot + 1, &e);
	size_t n = nod_key_copy(&e, sep);
	if (nod_merge(nod(s), &s->node, lp, rp, pl_slice_of(sep, n)) != PL_OK)
		return false;
	page_dirty(s, left);
	page_dirty(s, parent);
	nod_remove(nod(s), &s->node, pp, left_slot + 1);
	page_free(s, page_id(rp));
	s->stats.merges++;
	pl_charge_bytes(x, PL_COST_SPLIT_KIB, s->page_bytes);
	return true;
}

/* A root with a single child takes the child's content. */
static void pull_root_up(struct store *s, struct pl_ctx *x, uint32_t root)
{
	uint8_t *rp = frame_page(s, root);
	while (page_kind(rp) == PAGE_INNER && nod_count(nod(s), &s->node, rp) == 1) {
		uint32_t child = path_child_frame(s, rp, 0);
		if (child == POOL_NONE)
			return;
		const uint8_t *cp = frame_page(s, child);
		page_dirty(s, root);
		memcpy(rp + PL_PAGE_HEADER, cp + PL_PAGE_HEADER, fill_bytes(s));
		page_retype(s, root, page_kind(cp), page_level(cp));
		page_free(s, page_id(cp));
		pl_charge_bytes(x, PL_COST_COPY_KIB, s->page_bytes);
	}
}

static void merge_up(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	for (uint32_t level = op->in.height - 1u; level > 0; level--) {
		uint32_t parent = op->in.frame[level - 1], slot = op->in.slot[level - 1];
		if (!underfull(s, path_page(s, op, level)))
			return;
		uint32_t n = nod_count(nod(s), &s->node, frame_page(s, parent));
		if (!(slot + 1 < n && merge_children(s, x, parent, slot)) &&
			!(slot > 0 && merge_children(s, x, parent, slot - 1)))
			break;
	}
	pull_root_up(s, x, op->in.frame[0]);
}

int btree_delete(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	int err = path_descend(s, x, op, op->key);
	if (err)
		return err;
	uint32_t leaf = op->in.height - 1u, frame = op->in.frame[leaf];
	struct nod_entry e;
	bool exact;
	uint32_t slot = path_search(s, x, frame_page(s, frame), op->key, &exact);
	if (!exact)
		return PL_NOTFOUND;
	nod_entry(nod(s), &s->node, frame_page(s, frame), slot, &e);
	if (e.flags & NOD_OVERFLOW) {
		err = want_index(s, x, op, overflow_of(s, frame_page(s, frame), &e));
		if (err)
			return err;
	}
	/* an empty leaf should go: have a sibling here to merge it into */
	if (leaf && nod_count(nod(s), &s->node, frame_page(s, frame)) == 1 && !(e.flags & NOD_OVERFLOW) &&
		op->in.pins == op->in.height) {
		uint8_t *parent = path_page(s, op, leaf - 1);
		uint32_t at = op->in.slot[leaf - 1], n = nod_count(nod(s), &s->node, parent);
		if (n > 1) {
			err = path_want(s, x, op, path_child_id(s, parent, at + 1 < n ? at + 1 : at - 1));
			if (err)
				return err;
		}
	}
	err = store_reserve(
		s, x, op, 0, 2u * op->in.height + 2u, s->choice.durability->record_bytes(s, op->key.n, 0), true);
	if (err)
		return err;
	op->lsn = store_next_lsn(s);
	path_touch(s, op);
	if (e.flags & NOD_OVERFLOW)
		overflow_free(s, op->in.frame[op->in.height]);
	page_dirty(s, frame);
	nod_remove(nod(s), &s->node, frame_page(s, frame), slot);
	put64(frame_page(s, frame) + PAGE_AT_LSN, op->lsn.v);
	s->records--;
	pl_charge(x, PL_COST_INSERT, 1);
	merge_up(s, x, op);
	log_change(s, x, op, DUR_DELETE, (pl_slice){0}, 0);
	store_unreserve(s);
	s->stats.user_write_bytes += op->key.n;
	return PL_OK;
}
