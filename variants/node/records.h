/* records.h - what pages of slots and records share (slotted, b2): the bookkeeping, and reading it, whatever its bytes.
 *
 *   64            88       heads     slots         end       P-heap                  P-fences          P
 *   | bookkeeping | own    | u32 [n] | u16 [n]     | gap: 0 | records, newest first | upper | lower   |
 *
 *   64 u16 entries n               70 u16 dead bytes between records   76 u16 bytes of the prefix
 *   66 u16 state, bits below       72 u16 bytes kept of lower          78 u16 the layout's own
 *   68 u16 heap: bytes from the    74 u16 bytes kept of upper,         80 u8[8] first bytes of the prefix,
 *      end of the page to the gap     without the prefix                  zero-padded
 *
 *   record: u32 {key bytes 0..13, value bytes 14..27, flags 28..31}, key after the prefix, value
 *   slot:   bytes from the end of the page to the first byte of the record (so that 64 KiB fit in 16 bits)
 *
 * Where the arrays begin, whether there are heads and of which bytes of a key they are, is the layout's business; so is
 * a bound of `count` by what the page has room for. With it nothing here reads outside of the page. */
#ifndef PL_NODE_RECORDS_H
#define PL_NODE_RECORDS_H

#include "engine/base/le.h"
#include "engine/iface/node.h"
#include "variants/node/parts.h"
#include "variants/node/touch.h"

#include <assert.h>

enum {
	AT_COUNT = PL_PAGE_HEADER,
	AT_STATE = 66,
	AT_HEAP = 68,
	AT_DEAD = 70,
	AT_LOWER = 72,
	AT_UPPER = 74,
	AT_PREFIX = 76,
	AT_OWN = 78,
	AT_PREFIX8 = 80,
	AT_ARRAYS = 88,
	FIXED_BYTES = AT_ARRAYS - PL_PAGE_HEADER,
	HEAD_BYTES = 4,
	SLOT_BYTES = 2,
	WORD_BYTES = 4,
	LENGTH_BITS = 14,
	LENGTH_MAX = (1 << LENGTH_BITS) - 1,
	FLAGS_SHIFT = 2 * LENGTH_BITS,
	PAGE_BYTES_MAX = 65536,
};

enum { /* bits of state; from 16 on they are the layout's own */
	LEAF = 1,
	LOWEST = 2, /* entry 0 of an inner node has the empty key */
	INFINITE = 4, /* there is no upper bound */
	UPPER_CUT = 8, /* upper is longer than what is kept of it */
};

struct nod_fence {
	struct nod_parts key;
	bool infinite, cut;
};

struct nod_record {
	pl_slice suffix, value; /* borrowed from the page */
	unsigned flags;
};

/* Where the arrays of a page are, in bytes from its beginning: heads (none if head_bytes is 0), slots behind them, and
 * their end. */
struct nod_arrays {
	uint32_t count, head_bytes, heads, slots, end;
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

static inline void set16(uint8_t *page, uint32_t at, uint32_t v)
{
	assert(v <= UINT16_MAX);
	put16(page + at, (uint16_t)v);
}

static inline uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline struct nod_arrays arrays_at(uint32_t heads, uint32_t head_bytes, uint32_t count)
{
	uint32_t slots = heads + head_bytes * count;
	return (struct nod_arrays){count, head_bytes, heads, slots, slots + SLOT_BYTES * count};
}

static inline uint32_t head_at(const uint8_t *page, const struct nod_arrays *a, uint32_t slot)
{
	return at32(page, a->heads + HEAD_BYTES * slot);
}

static inline uint32_t back_at(const uint8_t *page, const struct nod_arrays *a, uint32_t slot)
{
	return at16(page, a->slots + SLOT_BYTES * slot);
}

static inline struct nod_record record_at(
	const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, uint32_t slot)
{
	uint32_t back = back_at(page, a, slot);
	if (back < WORD_BYTES || back > c->page_bytes - AT_ARRAYS)
		return (struct nod_record){pl_slice_of(page, 0), pl_slice_of(page, 0), 0};
	const uint8_t *p = page + c->page_bytes - back;
	uint32_t word = once(at32(page, c->page_bytes - back)), left = back - WORD_BYTES;
	uint32_t key_bytes = min32(word & LENGTH_MAX, left);
	uint32_t value_bytes = min32(word >> LENGTH_BITS & LENGTH_MAX, left - key_bytes);
	p += WORD_BYTES;
	return (struct nod_record){
		pl_slice_of(p, key_bytes), pl_slice_of(p + key_bytes, value_bytes), word >> FLAGS_SHIFT};
}

static inline uint32_t record_bytes(const struct nod_record *r)
{
	return (uint32_t)(WORD_BYTES + r->suffix.n + r->value.n);
}

/* The whole of what is kept of lower; the prefix is its beginning. */
static inline pl_slice lower_kept(const struct nod_cfg *c, const uint8_t *page)
{
	uint32_t n = min32(at16(page, AT_LOWER), c->page_bytes - AT_ARRAYS);
	return pl_slice_of(page + c->page_bytes - n, n);
}

static inline pl_slice prefix_of(const struct nod_cfg *c, const uint8_t *page)
{
	pl_slice lower = lower_kept(c, page);
	return pl_slice_of(lower.p, min32(at16(page, AT_PREFIX), (uint32_t)lower.n));
}

static inline struct nod_fence upper_kept(const struct nod_cfg *c, const uint8_t *page)
{
	pl_slice lower = lower_kept(c, page);
	uint32_t n = min32(at16(page, AT_UPPER), c->page_bytes - AT_ARRAYS - (uint32_t)lower.n);
	uint32_t state = at16(page, AT_STATE);
	return (struct nod_fence){
		.key = {prefix_of(c, page), pl_slice_of(lower.p - n, n)},
		.infinite = state & INFINITE,
		.cut = state & UPPER_CUT,
	};
}

/* The first four bytes, zero-padded, as an integer whose order is theirs. */
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
static inline uint32_t first_slot(const uint8_t *page, const struct nod_arrays *a)
{
	return a->count && at16(page, AT_STATE) & LOWEST ? 1 : 0;
}

/* Order of key to the keys of the page as far as the prefix decides it: below all, 0 = among them, above all. Up to
 * eight bytes are compared in the first line of the page; the end of the page is another line, and cold. */
static inline int order_to_prefix(const struct nod_cfg *c, const uint8_t *page, pl_slice key, uint32_t *prefix_bytes)
{
	uint32_t n = at16(page, AT_PREFIX);
	*prefix_bytes = n;
	if (n == 0)
		return 0;
	if (n <= 8 && key.n >= 8) {
		touch(page + AT_PREFIX8, 8);
		uint64_t k = be64(key.p) >> (64 - 8 * n), p = be64(page + AT_PREFIX8) >> (64 - 8 * n);
		return k < p ? -1 : k > p;
	}
	pl_slice prefix = prefix_of(c, page);
	*prefix_bytes = (uint32_t)prefix.n;
	size_t common = key.n < prefix.n ? key.n : prefix.n;
	int order = common ? touch_memcmp(key.p, prefix.p, common) : 0;
	return order ? order : key.n < prefix.n ? -1 : 0;
}

/* How many of the heads [from, to) are below head, for ascending heads: no branch depends on them. */
static inline uint32_t heads_below(
	const uint8_t *page, const struct nod_arrays *a, uint32_t from, uint32_t to, uint32_t head)
{
	if (from >= to)
		return 0;
	const uint8_t *first = page + a->heads + HEAD_BYTES * from, *base = first;
	for (uint32_t n = to - from; n > 1;) {
		uint32_t half = n / 2;
		touch(base + HEAD_BYTES * (half - 1), HEAD_BYTES);
		compared(NOD_IN_ARRAY, 1);
		base += (HEAD_BYTES * half) & (0 - (uint32_t)(le32(base + HEAD_BYTES * (half - 1)) < head));
		n -= half;
	}
	touch(base, HEAD_BYTES);
	compared(NOD_IN_ARRAY, 1);
	return (uint32_t)(base - first) / HEAD_BYTES + (le32(base) < head);
}

/* nod_ops.entry */
static inline void records_entry(
	const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, uint32_t slot, struct nod_entry *e)
{
	struct nod_record r = {pl_slice_of(page, 0), pl_slice_of(page, 0), 0};
	e->prefix = pl_slice_of(page, 0);
	if (slot < a->count) {
		r = record_at(c, page, a, slot);
		if (slot >= first_slot(page, a))
			e->prefix = prefix_of(c, page);
	}
	e->suffix = r.suffix;
	e->value = r.value;
	e->flags = r.flags;
}

/* nod_ops.gap */
static inline struct nod_gap records_gap(const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a)
{
	uint32_t hi = c->page_bytes - min32(at16(page, AT_HEAP), c->page_bytes - AT_ARRAYS);
	return (struct nod_gap){a->end, max32(a->end, hi)};
}

/* nod_ops.live_bytes */
static inline uint32_t records_live_bytes(const uint8_t *page, const struct nod_arrays *a)
{
	uint32_t heap = at16(page, AT_HEAP), dead = at16(page, AT_DEAD);
	return a->end - PL_PAGE_HEADER + heap - min32(dead, heap);
}

/* Bytes that an insert may take: the gap and what a compact would add to it. */
static inline uint32_t free_bytes(const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a)
{
	struct nod_gap gap = records_gap(c, page, a);
	return gap.hi - gap.lo + at16(page, AT_DEAD);
}

/* What an entry needs beside its key and value. */
static inline uint32_t entry_bytes(uint32_t head_bytes)
{
	return head_bytes + SLOT_BYTES + WORD_BYTES;
}

/* nod_ops.room */
static inline bool records_room(
	const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, size_t key_bytes, size_t value_bytes)
{
	size_t prefix_bytes = at16(page, AT_PREFIX);
	size_t suffix_bytes = key_bytes > prefix_bytes ? key_bytes - prefix_bytes : 0;
	if (suffix_bytes > LENGTH_MAX || value_bytes > LENGTH_MAX)
		return false;
	return entry_bytes(a->head_bytes) + suffix_bytes + value_bytes <= free_bytes(c, page, a);
}

/* nod_ops.anatomy, but for what the layout has of its own. */
static inline void records_anatomy(
	const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, struct nod_anatomy *out)
{
	*out = (struct nod_anatomy){.fixed_bytes = FIXED_BYTES + at16(page, AT_LOWER) + at16(page, AT_UPPER)};
	out->head_bytes = a->head_bytes * a->count;
	out->slot_bytes = (SLOT_BYTES + WORD_BYTES) * a->count;
	out->free_bytes = free_bytes(c, page, a);
	for (uint32_t slot = 0; slot < a->count; slot++) {
		struct nod_record r = record_at(c, page, a, slot);
		out->key_bytes += (uint32_t)r.suffix.n;
		out->value_bytes += (uint32_t)r.value.n;
	}
}

#endif
