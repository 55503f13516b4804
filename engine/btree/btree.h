/* btree.h - the B+-tree over node layouts and page ids. Internal.
 *
 * No sibling pointers (a neighbour may move without us); a scan keeps its path from the root. The root's page id never
 * changes: it grows by pushing its content down, and shrinks by pulling its only child up.
 *
 * A value that does not fit in a leaf lies in overflow pages; its leaf entry, flagged NOD_OVERFLOW, holds
 *     u64 length, u64 stamp (lsn of the last change), u64 reference to the index page.
 * Overflow index page:  64 u32 bytes used, 68 u32 number of references, 72 [key] u64 references
 * Overflow data page:   64 u32 bytes used, 68 zero,                     72 [key] data
 * key: nothing, or, where only the path from the root leads to a page (by_parent), what to descend by when cleaning meets
 * its image:  u32 key bytes, u32 zero, the record's key, zeros to a multiple of 8
 *
 * An operation plans in any number of turns (descends, pins what it will need, changes nothing), then reserves and
 * applies in one. What it noted is valid while the versions of the frames it pinned are unchanged; else it plans anew.
 * Where parents hold the places of their children (by_parent) a change dirties its whole path: R2 of store.h. */
#ifndef PL_BTREE_H
#define PL_BTREE_H

#include "engine/store/store.h"

#define OVERFLOW_ENTRY 24u
#define OVERFLOW_AT 72u

struct overflow {
	uint64_t length, stamp, index; /* index: page id */
	uint32_t at; /* where references or data begin in its pages */
};

/* Where they begin in the pages of a value whose key has so many bytes. */
static inline uint32_t overflow_at(const struct store *s, size_t key_bytes)
{
	return OVERFLOW_AT + (store_by_parent(s) ? 8 + (((uint32_t)key_bytes + 7) & ~7u) : 0);
}
static inline uint32_t overflow_room(const struct store *s, uint32_t at)
{
	return s->page_bytes - at;
}
static inline uint32_t overflow_pages(const struct store *s, uint32_t at, uint64_t length)
{
	return (uint32_t)pl_div_up(length, overflow_room(s, at));
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
/* The reference in entry `slot` of an inner page, where it lies; NULL: there is none. */
uint8_t *path_child_ref(const struct store *s, uint8_t *page, uint32_t slot);
/* The page behind entry `slot` of an inner page; 0: none. path_child_frame: its frame if it is resident, else POOL_NONE. */
uint64_t path_child_id(struct store *s, uint8_t *page, uint32_t slot);
uint32_t path_child_frame(struct store *s, uint8_t *page, uint32_t slot);
/* Pages that a change of the leaf dirties, new ones and values aside: itself, or its whole path. */
static inline uint32_t path_dirties(const struct store *s, const struct kv_op *op)
{
	return store_by_parent(s) ? op->in.height : 1;
}
/* The leaf of the path is about to change: its ancestors' part of that (reserved). */
void path_touch(struct store *s, const struct kv_op *op);

/* overflow.c */
/* What entry e of this resident leaf says. */
struct overflow overflow_of(struct store *s, uint8_t *page, const struct nod_entry *e);
/* Copy the whole value into op->buf; the leaf entry was `o`. Pins beyond the path are its own. */
int overflow_read(struct store *s, struct pl_ctx *x, struct kv_op *op, const struct overflow *o);
/* Create the pages of a value (all reserved); returns the reference to the index page. */
uint64_t overflow_write(struct store *s, struct pl_ctx *x, pl_slice key, pl_slice value);
/* Is this page the index of `o`? PL_DAMAGED into f. */
int overflow_is_index(struct store *s, const uint8_t *page, const struct overflow *o, struct pl_fault *f);
/* Is the page in this frame the index of `o`, and do its references name pages? To be asked before overflow_free. */
int overflow_check(struct store *s, uint32_t index_frame, const struct overflow *o);
/* Free all pages of a value whose index page is in this frame. */
void overflow_free(struct store *s, uint32_t index_frame);
/* The page with part k of a value, of which this is the index. */
uint64_t overflow_part(struct store *s, uint8_t *index, const struct overflow *o, uint32_t k);
/* Pin the data pages that [offset, offset + n) touches (the large slot is op's). */
int overflow_pin_range(
	struct store *s, struct pl_ctx *x, struct kv_op *op, const struct overflow *o, uint64_t offset, uint64_t n);
void overflow_drop_large(struct store *s, struct kv_op *op);
void overflow_patch(struct store *s, const struct overflow *o, uint64_t offset, pl_slice bytes);

int btree_format(struct store *s, struct pl_ctx *x);
int btree_turn(struct store *s, struct pl_ctx *x, struct kv_op *op);
int btree_check(struct store *s, struct pl_ctx *x, struct pl_fault *f);
bool btree_refs(struct store *s, uint8_t *page, str_visit *visit, void *arg);
/* locate.c */
int btree_path_to(struct store *s, struct pl_ctx *x, const uint8_t *image, uint64_t block, uint32_t at[STR_PATH_MAX],
	uint32_t *n, uint8_t **ref, uint64_t *missing);
/* write.c, scan.c */
int btree_put(struct store *s, struct pl_ctx *x, struct kv_op *op);
int btree_update(struct store *s, struct pl_ctx *x, struct kv_op *op);
int btree_delete(struct store *s, struct pl_ctx *x, struct kv_op *op);
int btree_scan(struct store *s, struct pl_ctx *x, struct kv_op *op);

#endif
