/* records_check.h - the check of pages of slots and records, but for what a layout has of its own: in the order of the calls
 * check_sizes, check_fences, check_heap, check_entry, check_order, check_gap, each of which relies on those before. */
#ifndef PL_NODE_RECORDS_CHECK_H
#define PL_NODE_RECORDS_CHECK_H

#include "variants/node/records.h"

#define damaged(f, ...) pl_fault_set(f, PL_DAMAGED, __VA_ARGS__)

/* arrays_end: of as many entries as the page says that it has. */
static inline int check_sizes(
	const struct nod_cfg *c, const uint8_t *page, bool leaf, uint32_t arrays_end, struct pl_fault *f)
{
	uint32_t count = at16(page, AT_COUNT), state = at16(page, AT_STATE), heap = at16(page, AT_HEAP);
	uint32_t lower = at16(page, AT_LOWER), upper = at16(page, AT_UPPER), prefix = at16(page, AT_PREFIX);
	if (!(state & LEAF) == leaf)
		return damaged(f, "the page says it is %s", leaf ? "an inner node" : "a leaf");
	if (state & LOWEST && (leaf || count == 0))
		return damaged(f, "a leaf or a node without entries has a lowest entry");
	if (arrays_end + heap > c->page_bytes)
		return damaged(f, "%u entries and %u bytes of heap exceed the page", count, heap);
	if (lower + upper > heap || prefix > lower)
		return damaged(f, "fences of %u and %u bytes with a prefix of %u do not fit", lower, upper, prefix);
	if (state & INFINITE && (upper || prefix || state & UPPER_CUT))
		return damaged(f, "an infinite upper bound with %u bytes and a prefix of %u", upper, prefix);
	return PL_OK;
}

/* Below the upper fence as far as one that was cut can tell. */
static inline bool below_upper(const struct nod_fence *upper, pl_slice suffix)
{
	if (upper->infinite)
		return true;
	pl_slice tail = upper->key.b;
	if (!upper->cut)
		return pl_slice_cmp(suffix, tail) < 0;
	return pl_slice_cmp(pl_slice_of(suffix.p, suffix.n < tail.n ? suffix.n : tail.n), tail) <= 0;
}

static inline pl_slice lower_tail(const struct nod_cfg *c, const uint8_t *page)
{
	pl_slice lower = lower_kept(c, page), prefix = prefix_of(c, page);
	return pl_slice_of(lower.p + prefix.n, lower.n - prefix.n);
}

static inline int check_fences(const struct nod_cfg *c, const uint8_t *page, struct pl_fault *f)
{
	struct nod_fence upper = upper_kept(c, page);
	pl_slice prefix = upper.key.a;
	uint8_t prefix8[8] = {0};
	if (prefix.n)
		memcpy(prefix8, prefix.p, prefix.n < 8 ? prefix.n : 8);
	if (memcmp(prefix8, page + AT_PREFIX8, 8) != 0)
		return damaged(f, "the first bytes of the prefix do not agree with the lower fence");
	pl_slice lower = lower_tail(c, page);
	if (lower.n && upper.key.b.n && lower.p[0] == upper.key.b.p[0])
		return damaged(f, "the fences have more in common than the prefix of %zu bytes", prefix.n);
	if (!below_upper(&upper, lower))
		return damaged(f, "the lower fence is not below the upper fence");
	return PL_OK;
}

/* Mark the bytes [from, to); false if one of them was marked before. */
static inline bool mark_bytes(uint64_t *marks, uint32_t from, uint32_t to)
{
	uint64_t seen = 0;
	while (from < to) {
		uint32_t bit = from % 64, n = min32(to - from, 64 - bit);
		uint64_t mask = (n == 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1) << bit;
		seen |= marks[from / 64] & mask;
		marks[from / 64] |= mask;
		from += n;
	}
	return !seen;
}

/* Records lie in the heap, do not overlap, and make up with the dead bytes all of it. */
static inline int check_heap(
	const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, struct pl_fault *f)
{
	uint64_t marks[PAGE_BYTES_MAX / 64] = {0};
	uint32_t dead = at16(page, AT_DEAD);
	uint32_t heap = c->page_bytes - records_gap(c, page, a).hi;
	uint32_t fences = at16(page, AT_LOWER) + at16(page, AT_UPPER), live = fences;
	for (uint32_t slot = 0; slot < a->count; slot++) {
		uint32_t back = back_at(page, a, slot);
		if (back > heap || back < fences + WORD_BYTES)
			return damaged(f, "slot %u points outside the heap", slot);
		uint32_t word = once(le32(page + c->page_bytes - back));
		uint32_t size = WORD_BYTES + (word & LENGTH_MAX) + (word >> LENGTH_BITS & LENGTH_MAX);
		if (size > back - fences)
			return damaged(f, "the record of slot %u is longer than the heap behind it", slot);
		if (!mark_bytes(marks, back - size, back))
			return damaged(f, "the record of slot %u overlaps another", slot);
		live += size;
	}
	if (live + dead != heap)
		return damaged(f, "%u live and %u dead bytes do not make %u bytes of heap", live, dead, heap);
	return PL_OK;
}

static inline int check_entry(const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, bool leaf,
	uint32_t slot, struct pl_fault *f)
{
	struct nod_entry e;
	records_entry(c, page, a, slot, &e);
	size_t key_bytes = e.prefix.n + e.suffix.n;
	bool first_inner = !leaf && slot == 0;
	if (first_inner && (key_bytes || !(at16(page, AT_STATE) & LOWEST)))
		return damaged(f, "the first key of an inner node is not empty");
	if (!leaf && e.value.n != 8)
		return damaged(f, "the value of slot %u of an inner node has %zu bytes, not 8", slot, e.value.n);
	if (key_bytes > c->max_key_bytes || (c->int_keys && !first_inner && key_bytes != 8))
		return damaged(f, "the key of slot %u has %zu bytes", slot, key_bytes);
	return PL_OK;
}

static inline int check_order(
	const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, struct pl_fault *f)
{
	uint32_t count = a->count, from = first_slot(page, a);
	struct nod_fence upper = upper_kept(c, page);
	pl_slice below = lower_tail(c, page);
	for (uint32_t slot = from; slot < count; slot++) {
		pl_slice suffix = record_at(c, page, a, slot).suffix;
		int order = pl_slice_cmp(below, suffix);
		if (slot == from && order > 0)
			return damaged(f, "the key of slot %u is below the lower fence", slot);
		if (slot > from && order >= 0)
			return damaged(f, "the keys of slots %u and %u do not ascend", slot - 1, slot);
		below = suffix;
	}
	if (count > from && !below_upper(&upper, below))
		return damaged(f, "the key of slot %u is not below the upper fence", count - 1);
	return PL_OK;
}

static inline int check_gap(
	const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, struct pl_fault *f)
{
	struct nod_gap gap = records_gap(c, page, a);
	for (uint32_t at = gap.lo; at < gap.hi; at++)
		if (page[at])
			return damaged(f, "byte %u in the gap is not zero", at);
	return PL_OK;
}

#endif
