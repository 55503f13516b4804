/* path.c - the pinned path of an operation, the descent, and the references in a page. */
#include "engine/btree/btree.h"

#include <assert.h>
#include <inttypes.h>

#define PINS_MAX ((uint32_t)PL_COUNT(((struct kv_op *)0)->in.frame))

void path_cut(struct store *s, struct kv_op *op, uint32_t n)
{
	while (op->in.pins > n)
		page_unpin(s, op->in.frame[--op->in.pins]);
	if (op->in.height > n)
		op->in.height = 0;
}

void path_drop(struct store *s, struct kv_op *op)
{
	path_cut(s, op, 0);
	op->in.height = 0;
}

static void push(struct store *s, struct kv_op *op, uint32_t frame)
{
	assert(op->in.pins < PINS_MAX);
	op->in.frame[op->in.pins] = frame;
	op->in.version[op->in.pins++] = s->pool.frame[frame].version;
}

static bool unchanged(const struct store *s, const struct kv_op *op)
{
	for (uint32_t i = 0; i < op->in.pins; i++)
		if (s->pool.frame[op->in.frame[i]].version != op->in.version[i])
			return false;
	return true;
}

int path_resume(struct store *s, struct kv_op *op)
{
	bool loaded = op->in.wait == WAIT_PAGE;
	uint32_t frame = (uint32_t)op->in.ticket;
	op->in.wait = WAIT_NONE;
	if (loaded && s->pool.frame[frame].error) {
		int err = s->pool.frame[frame].error;
		page_unpin(s, frame);
		return err;
	}
	bool good = unchanged(s, op);
	if (loaded && good && s->pool.frame[frame].id && s->large_owner == op && op->in.large_wait)
		s->large_frames[s->nlarge++] = frame;
	else if (loaded && good && s->pool.frame[frame].id)
		push(s, op, frame);
	else if (loaded)
		page_unpin(s, frame);
	op->in.large_wait = false;
	if (!good) {
		path_drop(s, op);
		overflow_drop_large(s, op);
		op->in.progress = 0;
	}
	return PL_OK;
}

int path_want(struct store *s, struct pl_ctx *x, struct kv_op *op, uint64_t id)
{
	uint32_t frame;
	int err = page_get(s, x, id, op, &frame);
	if (!err)
		push(s, op, frame);
	return err;
}

uint32_t path_search(const struct store *s, struct pl_ctx *x, const uint8_t *page, pl_slice key, bool *exact)
{
	uint32_t n = nod_count(s->choice.node, &s->node, page);
	pl_charge(x, PL_COST_SEARCH_STEP, n ? 32u - (uint32_t)__builtin_clz(n) : 1);
	return nod_lower_bound(s->choice.node, &s->node, page, key, exact);
}

uint8_t *path_child_ref(const struct store *s, uint8_t *page, uint32_t slot)
{
	struct nod_entry e;
	nod_entry(s->choice.node, &s->node, page, slot, &e);
	return e.value.n == 8 ? page + (e.value.p - page) : NULL;
}

uint64_t path_child_id(struct store *s, uint8_t *page, uint32_t slot)
{
	uint8_t *ref = path_child_ref(s, page, slot);
	return ref ? ref_page(s, ref) : 0;
}

uint32_t path_child_frame(struct store *s, uint8_t *page, uint32_t slot)
{
	uint8_t *ref = path_child_ref(s, page, slot);
	return ref ? page_resident(s, ref_known(s, ref)) : POOL_NONE;
}

void path_touch(struct store *s, const struct kv_op *op)
{
	for (uint32_t i = 0; store_by_parent(s) && i + 1 < op->in.height; i++)
		page_touch(s, op->in.frame[i]);
}

bool btree_refs(struct store *s, uint8_t *page, str_visit *visit, void *arg)
{
	const struct nod_ops *o = s->choice.node;
	enum page_kind kind = page_kind(page);
	bool done = false;
	if (kind == PAGE_OVERFLOW_INDEX) {
		uint32_t key = store_by_parent(s) ? le32(page + OVERFLOW_AT) : 0;
		uint32_t at = overflow_at(s, key < s->page_bytes ? key : 0), n = le32(page + OVERFLOW_AT - 4);
		for (; n-- && at + 8 <= s->page_bytes && !done; at += 8)
			done = visit(s, page + at, arg);
	}
	if (kind != PAGE_INNER && (kind != PAGE_LEAF || !s->overflow_pages))
		return done;
	uint32_t n = nod_count(o, &s->node, page);
	for (uint32_t i = 0; i < n && !done; i++) {
		struct nod_entry e;
		nod_entry(o, &s->node, page, i, &e);
		if (kind == PAGE_INNER && e.value.n == 8)
			done = visit(s, page + (e.value.p - page), arg);
		else if (kind == PAGE_LEAF && e.flags & NOD_OVERFLOW && e.value.n == OVERFLOW_ENTRY)
			done = visit(s, page + (e.value.p - page) + 16, arg);
	}
	return done;
}

int path_descend(struct store *s, struct pl_ctx *x, struct kv_op *op, pl_slice key)
{
	if (op->in.height)
		return PL_OK;
	if (!op->in.pins) {
		int err = path_want(s, x, op, STORE_ROOT);
		if (err)
			return err;
	}
	for (;;) {
		uint32_t at = op->in.pins - 1u;
		uint8_t *page = frame_page(s, op->in.frame[at]);
		if (page_kind(page) == PAGE_LEAF)
			break;
		if (page_kind(page) != PAGE_INNER || op->in.pins + 4u > PINS_MAX)
			return pl_fault_set(&s->fault, PL_DAMAGED,
				"page %" PRIu64 " of kind %d does not belong on a path in the tree", page_id(page),
				page_kind(page));
		bool exact;
		uint32_t slot = path_search(s, x, page, key, &exact);
		op->in.slot[at] = exact || !slot ? slot : slot - 1;
		int err = path_want(s, x, op, path_child_id(s, page, op->in.slot[at]));
		if (err)
			return err;
	}
	op->in.height = op->in.pins;
	return PL_OK;
}
