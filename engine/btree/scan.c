/* scan.c - range scans: leaf by leaf, along the pinned path from the root.
 *
 * The next leaf is found from the deepest ancestor that has a further child. Before a wait the scan notes the key where
 * it will go on; if the path changed meanwhile it descends anew to that key, so that a split or a merge in between
 * neither repeats nor skips a record. */
#include "engine/btree/btree.h"

#include <string.h>

/* in.total: 0 = start at op->key; else 1 + length of the key in in.scratch. */
static pl_slice where_to(const struct kv_op *op)
{
	return op->in.total ? pl_slice_of(op->in.scratch, op->in.total - 1) : op->key;
}

static void note(struct store *s, struct kv_op *op, const uint8_t *page, uint32_t slot)
{
	struct nod_entry e;
	nod_entry(s->choice.node, &s->node, page, slot, &e);
	op->in.total = 1 + nod_key_copy(&e, op->in.scratch);
}

/* Go to the next leaf: PL_NOTFOUND at the end of the tree. */
static int next_leaf(struct store *s, struct kv_op *op)
{
	uint32_t level = op->in.height - 1u;
	while (level-- > 0) {
		const uint8_t *page = frame_page(s, op->in.frame[level]);
		if (op->in.slot[level] + 1 >= nod_count(s->choice.node, &s->node, page))
			continue;
		note(s, op, page, op->in.slot[level] + 1);
		path_cut(s, op, level + 1);
		op->in.height = 0; /* descend again from here, to the noted separator */
		return PL_OK;
	}
	return PL_NOTFOUND;
}

static int emit(struct store *s, struct pl_ctx *x, struct kv_op *op, uint8_t *page, uint32_t slot, bool *more)
{
	struct nod_entry e;
	nod_entry(s->choice.node, &s->node, page, slot, &e);
	pl_slice value = e.value;
	if (e.flags & NOD_OVERFLOW) {
		struct overflow o = overflow_of(s, page, &e);
		note(s, op, page, slot);
		int err = overflow_read(s, x, op, &o);
		if (err)
			return err;
		path_cut(s, op, op->in.height);
		value = pl_slice_of(op->buf, o.length);
	}
	pl_charge(x, PL_COST_SCAN_RECORD, 1);
	size_t key_bytes = e.prefix.n + e.suffix.n;
	if (op->emit) {
		uint8_t *copy = op->in.scratch + s->node.max_key_bytes;
		pl_slice key = e.suffix;
		if (e.prefix.n) {
			(void)nod_key_copy(&e, copy);
			key = pl_slice_of(copy, key_bytes);
		}
		*more = op->emit(op->arg, key, value);
	}
	op->emitted++;
	s->stats.user_read_bytes += key_bytes + value.n;
	return PL_OK;
}

int btree_scan(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	bool more = true;
	for (;;) {
		int err = path_descend(s, x, op, where_to(op));
		if (err)
			return err;
		uint32_t leaf = op->in.height - 1u;
		uint8_t *page = frame_page(s, op->in.frame[leaf]);
		bool exact;
		uint32_t slot = path_search(s, x, page, where_to(op), &exact),
			 n = nod_count(s->choice.node, &s->node, page);
		for (; slot < n && more && (!op->limit || op->emitted < op->limit); slot++) {
			err = emit(s, x, op, page, slot, &more);
			if (err)
				return err;
		}
		if (!more || (op->limit && op->emitted >= op->limit))
			return PL_OK;
		err = next_leaf(s, op);
		if (err)
			return err == PL_NOTFOUND ? PL_OK : err;
	}
}
