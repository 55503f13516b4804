/* btree.c - the front of the tree: format, get, and which operation does what. */
#include "engine/btree/btree.h"

#include <assert.h>

int btree_format(struct store *s, struct pl_ctx *x)
{
	struct kv_op op = {0};
	int err = store_reserve(s, x, &op, 1, 1, 0, false);
	if (err)
		return err;
	uint32_t root = page_new(s, PAGE_LEAF, 0);
	assert(page_id(frame_page(s, root)) == STORE_ROOT);
	nod_init(s->choice.node, &s->node, frame_page(s, root), true, (pl_slice){0}, (pl_slice){0});
	store_unreserve(s);
	return PL_OK;
}

static int get(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	int err = path_descend(s, x, op, op->key);
	if (err)
		return err;
	uint8_t *page = frame_page(s, op->in.frame[op->in.height - 1u]);
	struct nod_entry e;
	bool exact;
	uint32_t slot = path_search(s, x, page, op->key, &exact);
	if (!exact)
		return PL_NOTFOUND;
	pl_charge(x, PL_COST_RECORD, 1);
	nod_entry(s->choice.node, &s->node, page, slot, &e);
	op->result = e.value;
	if (e.flags & NOD_OVERFLOW) {
		struct overflow o = overflow_of(s, page, &e);
		err = overflow_read(s, x, op, &o);
		if (err)
			return err;
		op->result = pl_slice_of(op->buf, o.length);
	}
	if (op->got)
		op->got(op->arg, op->result);
	s->stats.user_read_bytes += op->key.n + op->result.n;
	return PL_OK;
}

int btree_turn(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	int err = path_resume(s, op);
	if (err)
		return err;
	switch (op->kind) {
	case KV_GET:
		return get(s, x, op);
	case KV_PUT:
		return btree_put(s, x, op);
	case KV_UPDATE:
	case KV_RMW:
		return btree_update(s, x, op);
	case KV_DELETE:
		return btree_delete(s, x, op);
	case KV_SCAN:
		return btree_scan(s, x, op);
	case KV_COMMIT:
	case KV_KINDS:
		break;
	}
	return PL_INVALID;
}
