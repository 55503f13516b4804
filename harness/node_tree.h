/* node_tree.h - a B+-tree in memory and nothing else: pages of a layout, filled by inserts and splits as a store's are.
 *
 * A page id is its place in page[]; inner values are ids of 8 bytes. There is no pool, no log, no latch and no delete:
 * what is measured on it is the layout. */
#ifndef PL_HARNESS_NODE_TREE_H
#define PL_HARNESS_NODE_TREE_H

#include "engine/iface/node.h"

#define NODE_HEIGHT_MAX 16

struct node_tree {
	const struct nod_ops *ops;
	struct nod_cfg cfg; /* configured */
	uint8_t **page; /* each at a multiple of 4096 */
	bool *leaf;
	uint32_t pages, height, root; /* height: pages from the root to a leaf */
	void **chunk; /* memory of pages, 2 MiB at a time, so that huge pages can hold it */
	size_t chunks, chunk_used;
};

/* An empty tree; PL_INVALID in the layout's words, PL_NOMEM. */
int node_tree_open(struct node_tree *t, const struct nod_ops *ops, const struct pl_conf *conf, uint32_t page_bytes,
	bool int_keys, struct pl_fault *f) PL_MUST_USE;
void node_tree_close(struct node_tree *t);
/* PL_INVALID: the key is there already, or is longer than the layout takes; PL_NOMEM. */
int node_tree_insert(struct node_tree *t, pl_slice key, pl_slice value, struct pl_fault *f) PL_MUST_USE;

/* The child that a value of an inner page names. */
static inline uint32_t node_tree_child(const struct node_tree *t, pl_slice value)
{
	uint64_t id = 0;
	if (value.n == 8)
		__builtin_memcpy(&id, value.p, 8);
	return id < t->pages ? (uint32_t)id : 0;
}

#endif
