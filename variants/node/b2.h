/* b2.h - what the files of b2 share: reading a page, whatever its bytes. b2.c has the drawing and the operations,
 * b2_trie.c the trie, b2_check.c the check. */
#ifndef PL_NODE_B2_H
#define PL_NODE_B2_H

#include "variants/node/records.h"

enum {
	AT_RANGES = AT_OWN,
	AT_TRIE = AT_ARRAYS, /* it lies before the arrays */
	START_BYTES = 2,
	PAGE_BYTES_MIN = 4096,
	TRIE_SHARE = 100, /* the trie is given this part of a page, */
	TRIE_BYTES_MIN = 64, /* but not less than this */
	TRIE_BYTES_MAX = PAGE_BYTES_MAX / TRIE_SHARE,
	DECISION_BYTES = 5,
	SPAN_BYTES_MAX = 255,
	HEADS = 16, /* a bit of state: there is an array of heads */
	STATE_MASK = LEAF | LOWEST | INFINITE | UPPER_CUT | HEADS,
};

enum { RANGE_SLOTS, WITH_HEADS }; /* nod_cfg.derived[] */

/* Slots [from, to), all of whose keys share their first `depth` bytes after the prefix. */
struct b2_range {
	uint32_t number, from, to, depth;
};

static inline uint32_t trie_bytes(const struct nod_cfg *c)
{
	return max32(c->page_bytes / TRIE_SHARE & ~7u, TRIE_BYTES_MIN);
}

static inline struct nod_arrays arrays_for(const struct nod_cfg *c, uint32_t count, uint32_t head_bytes)
{
	return arrays_at(AT_TRIE + trie_bytes(c), head_bytes, count);
}

/* No more entries than the page has room for. */
static inline struct nod_arrays arrays_of(const struct nod_cfg *c, const uint8_t *page)
{
	uint32_t head_bytes = at16(page, AT_STATE) & HEADS ? HEAD_BYTES : 0;
	uint32_t room = c->page_bytes - AT_TRIE - trie_bytes(c);
	uint32_t most = head_bytes ? room / (HEAD_BYTES + SLOT_BYTES) : room / SLOT_BYTES;
	return arrays_for(c, min32(at16(page, AT_COUNT), most), head_bytes);
}

/* What of a key follows its first `depth` bytes; nothing if it is not that long. */
static inline pl_slice key_after(pl_slice suffix, uint32_t depth)
{
	size_t n = suffix.n < depth ? suffix.n : depth;
	return pl_slice_of(n ? suffix.p + n : suffix.p, suffix.n - n);
}

/* The one range that a key with this suffix belongs to, whether it is there or not. For any bytes it ends, and
 * from <= to <= entries. */
struct b2_range b2_find(const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, pl_slice suffix);
/* An entry was put into range `number`, or the one at `slot` taken out: the ranges behind it move by one. */
void b2_shift_insert(uint8_t *page, uint32_t number);
void b2_shift_remove(uint8_t *page, uint32_t slot);
/* Build trie and heads anew from the records, which are in order; both depend on nothing else but the options. */
void b2_build(const struct nod_cfg *c, uint8_t *page);

/* Bytes of first slots and nodes: of a page that the check has passed. */
uint32_t b2_trie_used_bytes(const struct nod_cfg *c, const uint8_t *page);

/* The contract's operations that more than one file needs. */
int b2_check(const struct nod_cfg *c, const uint8_t *page, bool leaf, char *why, size_t why_bytes);
int b2_check_trie(const struct nod_cfg *c, const uint8_t *page, struct pl_fault *f) PL_MUST_USE;
void b2_entry(const struct nod_cfg *c, const uint8_t *page, uint32_t slot, struct nod_entry *e);
struct nod_gap b2_gap(const struct nod_cfg *c, const uint8_t *page);

#endif
