/* btree.h - the B+-tree over node layouts and page ids. Internal.
 *
 * No sibling pointers (a neighbour may move without us); a scan keeps its path from the root. The root's page id never
 * changes: it grows by pushing its content down, and shrinks by pulling its only child up.
 *
 * A value that does not fit in a leaf lies in overflow pages; its leaf entry, flagged NOD_OVERFLOW, holds
 *     u64 length, u64 stamp (lsn of the last change), u64 reference to the index page.
 * Overflow index page:  64 u32 bytes used, 68 u32 number of references, 72 u64 references
 * Overflow data page:   64 u32 bytes used, 68 zero, 72 data
 *
 * An operation plans in any number of turns (descends, pins what it will need, changes nothing), then reserves and
 * applies in one. What it noted is valid while the versions of the frames it pinned are unchanged; else it plans anew. */
#ifndef PL_BTREE_H
#define PL_BTREE_H

#include "engine/store/store.h"

#define OVERFLOW_ENTRY 24u
#define OVERFLOW_AT 72u

struct overflow {
	uint64_t length, stamp, index;
};

static inline struct overflow overflow_of(pl_slice value)
{
	return (struct overflow){le64(value.p), le64(value.p + 8), le64(value.p + 16)};
}
static inline uint32_t overflow_room(const struct store *s)
{
	return s->page_bytes - OVERFLOW_AT;
}
static inline uint32_t overflow_pages(const struct store *s, uint64_t length)
{
	return (uint32_t)pl_div_up(length, overflow_room(s));
}

/* path.c */
/* Begin a turn: what the operation waited for has come. PL_OK: go on from what is pinned (possibly nothing). */
int path_resume(struct store *s, struct kv_op *op);
void path_drop(struct store *s, struct kv_op *op);
/* Pin the page behind the last pinned one. */
int path_want(struct store *s, struct pl_ctx *x, struct kv_op *op, uint64_t id);
/* Forget pins beyond the first n. */
void path_cut(struct store *s, struct kv_op *op, uint32_t n);
/* Go down to the leaf for key; afterwards in.height pages are pinned, in.slot[] tells the child taken at each level. */
int path_descend(struct store *s, struct pl_ctx *x, struct kv_op *op, pl_slice key);
/* Search in a page, charged. */
uint32_t path_search(const struct store *s, struct pl_ctx *x, const uint8_t *page, pl_slice key, bool *exact);
uint64_t path_child_id(const struct store *s, const uint8_t *page, uint32_t slot);

/* overflow.c */
/* Copy the whole value into op->buf; the leaf entry was `o`. Pins beyond the path are its own. */
int overflow_read(struct store *s, struct pl_ctx *x, struct kv_op *op, const struct overflow *o);
/* Create the pages of a value (all reserved); returns the id of the index page. */
uint64_t overflow_write(struct store *s, struct pl_ctx *x, pl_slice value);
/* Is the page in this frame the index of `o`, and do its references name pages? To be asked before overflow_free. */
int overflow_check(struct store *s, uint32_t index_frame, const struct overflow *o);
/* Free all pages of a value whose index page is in this frame. */
void overflow_free(struct store *s, uint32_t index_frame);
/* Pin the data pages that [offset, offset + n) touches (the large slot is op's). */
int overflow_pin_range(
	struct store *s, struct pl_ctx *x, struct kv_op *op, const struct overflow *o, uint64_t offset, uint64_t n);
void overflow_drop_large(struct store *s, struct kv_op *op);
void overflow_patch(struct store *s, const struct overflow *o, uint64_t offset, pl_slice bytes);

int btree_format(struct store *s, struct pl_ctx *x);
int btree_turn(struct store *s, struct pl_ctx *x, struct kv_op *op);
int btree_check(struct store *s, struct pl_ctx *x, struct pl_fault *f);
/* write.c, scan.c */
int btree_put(struct store *s, struct pl_ctx *x, struct kv_op *op);
int btree_update(struct store *s, struct pl_ctx *x, struct kv_op *op);
int btree_delete(struct store *s, struct pl_ctx *x, struct kv_op *op);
int btree_scan(struct store *s, struct pl_ctx *x, struct kv_op *op);

#endif
