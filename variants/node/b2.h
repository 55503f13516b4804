/* b2.h - what the files of b2 share: reading a page, whatever its bytes. b2.c has the drawing and the operations,
 * b2_trie.c the trie, b2_check.c the check. */
#ifndef PL_NODE_B2_H
#define PL_NODE_B2_H

#include "engine/base/le.h"
#include "engine/iface/node.h"
#include "variants/node/parts.h"
#include "variants/node/touch.h"

enum {
	AT_COUNT = PL_PAGE_HEADER,
	AT_STATE = 66,
	AT_HEAP = 68,
	AT_DEAD = 70,
	AT_LOWER = 72,
	AT_UPPER = 74,
	AT_PREFIX = 76,
	AT_RANGES = 78,
	AT_PREFIX8 = 80,
	AT_TRIE = 88,
	START_BYTES = 2,
	HEAD_BYTES = 4,
	SLOT_BYTES = 2,
	WORD_BYTES = 4,
	LENGTH_BITS = 14,
	LENGTH_MAX = (1 << LENGTH_BITS) - 1,
	FLAGS_SHIFT = 2 * LENGTH_BITS,
	PAGE_BYTES_MIN = 4096,
	PAGE_BYTES_MAX = 65536,
	TRIE_SHARE = 100, /* the trie is given this part of a page, */
	TRIE_BYTES_MIN = 64, /* but not less than this */
	TRIE_BYTES_MAX = PAGE_BYTES_MAX / TRIE_SHARE,
	DECISION_BYTES = 5,
	SPAN_BYTES_MAX = 255,
};

enum { /* the bits of state */
	LEAF = 1,
	LOWEST = 2, /* entry 0 of an inner node has the empty key */
	INFINITE = 4, /* there is no upper bound */
	UPPER_CUT = 8, /* upper is longer than what is kept of it */
	HEADS = 16, /* there is an array of heads */
	STATE_MASK = 31,
};

enum { RANGE_SLOTS, WITH_HEADS }; /* nod_cfg.derived[] */

struct b2_fence {
	struct nod_parts key;
	bool infinite, cut;
};

struct b2_record {
	pl_slice suffix, value;
	unsigned flags;
};

/* Slots [from, to), all of whose keys share their first `depth` bytes after the prefix. */
struct b2_range {
	uint32_t number, from, to, depth;
};

/* A number that is checked and then used must be the same both times, though another thread may write the page: the
 * compiler must not load it again. */
static inline uint32_t once(uint32_t v)
{
	__asm__("" : "+r"(v));
	return v;
}

static inline uint32_t at16(const uint8_t *page, uint32_t at)
{
	touch(page + at, 2);
	return once(le16(page + at));
}

static inline uint32_t at32(const uint8_t *page, uint32_t at)
{
	touch(page + at, 4);
	return le32(page + at);
}

static inline uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint32_t trie_bytes(const struct nod_cfg *c)
{
	return max32(c->page_bytes / TRIE_SHARE & ~7u, TRIE_BYTES_MIN);
}

/* Where the arrays of a page are: heads (none if head_bytes is 0), slots behind them, and their end. */
struct b2_arrays {
	uint32_t count, head_bytes, heads, slots, end;
};

static inline struct b2_arrays arrays_for(const struct nod_cfg *c, uint32_t count, uint32_t head_bytes)
{
	uint32_t heads = AT_TRIE + trie_bytes(c), slots = heads + head_bytes * count;
	return (struct b2_arrays){count, head_bytes, heads, slots, slots + SLOT_BYTES * count};
}

/* No more entries than the page has room for. */
static inline struct b2_arrays arrays_of(const struct nod_cfg *c, const uint8_t *page)
{
	uint32_t head_bytes = at16(page, AT_STATE) & HEADS ? HEAD_BYTES : 0;
	uint32_t room = c->page_bytes - AT_TRIE - trie_bytes(c);
	uint32_t most = head_bytes ? room / (HEAD_BYTES + SLOT_BYTES) : room / SLOT_BYTES;
	return arrays_for(c, min32(at16(page, AT_COUNT), most), head_bytes);
}

static inline uint32_t head_at(const uint8_t *page, const struct b2_arrays *a, uint32_t slot)
{
	return at32(page, a->heads + HEAD_BYTES * slot);
}

static inline uint32_t back_at(const uint8_t *page, const struct b2_arrays *a, uint32_t slot)
{
	return at16(page, a->slots + SLOT_BYTES * slot);
}

static inline struct b2_record record_at(
	const struct nod_cfg *c, const uint8_t *page, const struct b2_arrays *a, uint32_t slot)
{
	uint32_t back = back_at(page, a, slot);
	if (back < WORD_BYTES || back > c->page_bytes - AT_TRIE)
		return (struct b2_record){pl_slice_of(page, 0), pl_slice_of(page, 0), 0};
	const uint8_t *p = page + c->page_bytes - back;
	uint32_t word = once(at32(page, c->page_bytes - back)), left = back - WORD_BYTES;
	uint32_t key_bytes = min32(word & LENGTH_MAX, left);
	uint32_t value_bytes = min32(word >> LENGTH_BITS & LENGTH_MAX, left - key_bytes);
	p += WORD_BYTES;
	return (struct b2_record){
		pl_slice_of(p, key_bytes), pl_slice_of(p + key_bytes, value_bytes), word >> FLAGS_SHIFT};
}

static inline uint32_t record_bytes(const struct b2_record *r)
{
	return (uint32_t)(WORD_BYTES + r->suffix.n + r->value.n);
}

/* The whole of what is kept of lower; the prefix is its beginning. */
static inline pl_slice lower_kept(const struct nod_cfg *c, const uint8_t *page)
{
	uint32_t n = min32(at16(page, AT_LOWER), c->page_bytes - AT_TRIE);
	return pl_slice_of(page + c->page_bytes - n, n);
}

static inline pl_slice prefix_of(const struct nod_cfg *c, const uint8_t *page)
{
	pl_slice lower = lower_kept(c, page);
	return pl_slice_of(lower.p, min32(at16(page, AT_PREFIX), (uint32_t)lower.n));
}

static inline struct b2_fence upper_kept(const struct nod_cfg *c, const uint8_t *page)
{
	pl_slice lower = lower_kept(c, page);
	uint32_t n = min32(at16(page, AT_UPPER), c->page_bytes - AT_TRIE - (uint32_t)lower.n);
	uint32_t state = at16(page, AT_STATE);
	return (struct b2_fence){
		.key = {prefix_of(c, page), pl_slice_of(lower.p - n, n)},
		.infinite = state & INFINITE,
		.cut = state & UPPER_CUT,
	};
}

/* What of a key follows its first `depth` bytes; nothing if it is not that long. */
static inline pl_slice key_after(pl_slice suffix, uint32_t depth)
{
	size_t n = suffix.n < depth ? suffix.n : depth;
	return pl_slice_of(n ? suffix.p + n : suffix.p, suffix.n - n);
}

static inline uint32_t head_of(pl_slice rest)
{
	if (rest.n >= HEAD_BYTES)
		return be32(rest.p);
	uint32_t head = 0;
	for (size_t i = 0; i < rest.n; i++)
		head |= (uint32_t)rest.p[i] << (24 - 8 * i);
	return head;
}

/* First slot that a search looks at: not the empty key of an inner node. */
static inline uint32_t first_slot(const uint8_t *page, const struct b2_arrays *a)
{
	return a->count && at16(page, AT_STATE) & LOWEST ? 1 : 0;
}

/* The one range that a key with this suffix belongs to, whether it is there or not. For any bytes it ends, and
 * from <= to <= entries. */
struct b2_range b2_find(const struct nod_cfg *c, const uint8_t *page, const struct b2_arrays *a, pl_slice suffix);
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
