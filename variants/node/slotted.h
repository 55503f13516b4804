/* slotted.h - what the files of slotted share: reading a page, whatever its bytes. slotted.c has the drawing and the
 * operations, slotted_check.c the check. */
#ifndef PL_NODE_SLOTTED_H
#define PL_NODE_SLOTTED_H

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
	AT_SPARE = 78,
	AT_PREFIX8 = 80,
	AT_ARRAYS = 88, /* hints, if there are any, then heads, if there are any, then slots */
	FIXED_BYTES = AT_ARRAYS - PL_PAGE_HEADER,
	HINT_BYTES = 4,
	HEAD_BYTES = 4,
	SLOT_BYTES = 2,
	WORD_BYTES = 4,
	LENGTH_BITS = 14,
	LENGTH_MAX = (1 << LENGTH_BITS) - 1,
	FLAGS_SHIFT = 2 * LENGTH_BITS,
	PAGE_BYTES_MIN = 2048,
	PAGE_BYTES_MAX = 65536,
	HINTS_MAX = 32,
	HINT_STEP_MIN = 2, /* there are no hints while they would stand so close */
};

enum { /* the bits of state */
	LEAF = 1,
	LOWEST = 2, /* entry 0 of an inner node has the empty key */
	INFINITE = 4, /* there is no upper bound */
	UPPER_CUT = 8, /* upper is longer than what is kept of it */
	STATE_MASK = 15,
};

enum { HINTS, HEAD_BYTES_EACH, SLOTS_MAX }; /* nod_cfg.derived[] */

struct slotted_fence {
	struct nod_parts key;
	bool infinite, cut;
};

struct slotted_record {
	pl_slice suffix, value;
	unsigned flags;
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

/* Where the arrays of a page are; heads of no bytes are none. */
struct slotted_arrays {
	uint32_t count, head_bytes, heads, slots, end;
};

static inline struct slotted_arrays arrays_for(const struct nod_cfg *c, uint32_t count)
{
	uint32_t head_bytes = (uint32_t)c->derived[HEAD_BYTES_EACH];
	uint32_t heads = AT_ARRAYS + HINT_BYTES * (uint32_t)c->derived[HINTS], slots = heads + head_bytes * count;
	return (struct slotted_arrays){count, head_bytes, heads, slots, slots + SLOT_BYTES * count};
}

/* No more entries than the page has room for. */
static inline struct slotted_arrays arrays_of(const struct nod_cfg *c, const uint8_t *page)
{
	return arrays_for(c, min32(at16(page, AT_COUNT), (uint32_t)c->derived[SLOTS_MAX]));
}

static inline uint32_t head_at(const uint8_t *page, const struct slotted_arrays *a, uint32_t slot)
{
	return at32(page, a->heads + HEAD_BYTES * slot);
}

static inline uint32_t back_at(const uint8_t *page, const struct slotted_arrays *a, uint32_t slot)
{
	return at16(page, a->slots + SLOT_BYTES * slot);
}

static inline struct slotted_record record_at(
	const struct nod_cfg *c, const uint8_t *page, const struct slotted_arrays *a, uint32_t slot)
{
	uint32_t back = back_at(page, a, slot);
	if (back < WORD_BYTES || back > c->page_bytes - AT_ARRAYS)
		return (struct slotted_record){pl_slice_of(page, 0), pl_slice_of(page, 0), 0};
	const uint8_t *p = page + c->page_bytes - back;
	uint32_t word = once(at32(page, c->page_bytes - back)), left = back - WORD_BYTES;
	uint32_t key_bytes = min32(word & LENGTH_MAX, left);
	uint32_t value_bytes = min32(word >> LENGTH_BITS & LENGTH_MAX, left - key_bytes);
	p += WORD_BYTES;
	return (struct slotted_record){
		pl_slice_of(p, key_bytes), pl_slice_of(p + key_bytes, value_bytes), word >> FLAGS_SHIFT};
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

static inline struct slotted_fence upper_kept(const struct nod_cfg *c, const uint8_t *page)
{
	pl_slice lower = lower_kept(c, page);
	uint32_t n = min32(at16(page, AT_UPPER), c->page_bytes - AT_ARRAYS - (uint32_t)lower.n);
	uint32_t state = at16(page, AT_STATE);
	return (struct slotted_fence){
		.key = {prefix_of(c, page), pl_slice_of(lower.p - n, n)},
		.infinite = state & INFINITE,
		.cut = state & UPPER_CUT,
	};
}

static inline uint32_t head_of(pl_slice suffix)
{
	if (suffix.n >= HEAD_BYTES)
		return be32(suffix.p);
	uint32_t head = 0;
	for (size_t i = 0; i < suffix.n; i++)
		head |= (uint32_t)suffix.p[i] << (24 - 8 * i);
	return head;
}

/* First slot that a search looks at: not the empty key of an inner node. */
static inline uint32_t first_slot(const uint8_t *page, const struct slotted_arrays *a)
{
	return a->count && at16(page, AT_STATE) & LOWEST ? 1 : 0;
}

/* Slots from one hint to the next: hint i is the head of slot (i + 1) * step. 0: the hints are not in use. */
static inline uint32_t hint_step(const struct nod_cfg *c, uint32_t count)
{
	uint32_t hints = (uint32_t)c->derived[HINTS], step = hints ? count / (hints + 1) : 0;
	return step < HINT_STEP_MIN ? 0 : step;
}

/* What hint i has to be. */
static inline uint32_t hint_for(
	const struct nod_cfg *c, const uint8_t *page, const struct slotted_arrays *a, uint32_t i)
{
	uint32_t slot = (i + 1) * hint_step(c, a->count);
	if (slot == 0)
		return 0;
	return a->head_bytes ? head_at(page, a, slot) : head_of(record_at(c, page, a, slot).suffix);
}

/* The contract's operations that more than one file needs. */
int slotted_check(const struct nod_cfg *c, const uint8_t *page, bool leaf, char *why, size_t why_bytes);
void slotted_entry(const struct nod_cfg *c, const uint8_t *page, uint32_t slot, struct nod_entry *e);
struct nod_gap slotted_gap(const struct nod_cfg *c, const uint8_t *page);

#endif
