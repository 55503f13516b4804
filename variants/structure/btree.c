/* btree.c - one B+-tree, changed record by record.
 *
 * The tree itself is the engine's (engine/btree): descent, splits, merges and overflow values are the same for every
 * layout and every placement. Cost: one path of pages an operation; a change dirties a leaf, and its ancestors on a
 * split, or always where parents hold the places of their children (cow). */
#include "engine/btree/btree.h"

const struct str_ops str_btree = {
	.name = "btree",
	.summary = "one B+-tree, changed record by record",
	.format = btree_format,
	.turn = btree_turn,
	.check = btree_check,
	.refs = btree_refs,
	.path_to = btree_path_to,
};
