/* b2.c - the slotted page with a small trie in front of its slots: the B2-tree.
 *
 * Models the page of "B2-Tree: Page-Based String Indexing in Concurrent Environments" (Schmeisser, Schuele, Leis,
 * Neumann, Kemper: BTW 2021; Datenbank-Spektrum 22(1), 2022): entries stay in one sorted array of slots; a trie in the
 * page leads a key to a short range of them, and a binary search, which compares only what the trie has not matched
 * yet, ends it. Around that the page is slotted.c's: fences, prefix truncation, records in arrival order.
 *
 *   64            88     88+t                88+t+h        88+t+h+2n  P-heap    P-fences          P     h = 4n or 0
 *   | bookkeeping | trie | head u32 [n or 0] | slot u16 [n] | gap: 0  | records | upper | lower   |
 *
 *   64 u16 entries n               70 u16 dead bytes between records   76 u16 bytes of the prefix
 *   66 u16 state, bits in b2.h     72 u16 bytes kept of lower          78 u16 ranges r
 *   68 u16 heap: bytes from the    74 u16 bytes kept of upper,         80 u8[8] first bytes of the prefix,
 *      end of the page to the gap     without the prefix                  zero-padded
 *
 *   trie:   t = P/100 down to a multiple of 8, but at least 64: u16 first slot [r], nodes from the root on, zeros
 *   node:   decision {u8 0, u8 pivot, u8 first range of the right child, u16 the right child's bytes from the root}
 *           span     {u8 n, u8 [n] bytes}, n > 0
 *   record: u32 {key bytes 0..13, value bytes 14..27, flags 28..31}, key after the prefix, value
 *   slot:   bytes from the end of the page to the first byte of the record (so that 64 KiB fit in 16 bits)
 *   head:   four key bytes at the depth of the slot's range, zero-padded, as an integer whose order is the keys' order
 *
 * A node stands for consecutive ranges; what stands for a single one is a leaf and not stored. A decision sends keys
 * whose byte at its depth is below the pivot, or that end there, left (to the next node), others right. A span of n
 * bytes sends keys that go on with them to the next node, n bytes deeper; smaller ones take the virtual edge minimum,
 * to the first of its ranges, greater ones the edge maximum, to the last. Both are empty when the trie is built.
 *
 * Invariants
 *  1. Keys strictly ascend. Every key, there or not, has exactly one range: where the trie leads it. A range is the
 *     slots of its keys, so ranges ascend as keys do; its keys share all bytes to its depth, the sum of spans above.
 *  2. Within a range heads never descend; where they tie, the records decide.
 *  3. insert and remove move the first slots of the ranges behind, not the nodes; but the insert that makes a range 4
 *     times b2.range_slots long, or a multiple of it, builds the trie anew, as split, merge and compact do (also one
 *     inside insert or update): it is then a function of keys and options.
 *  4. The prefix is the common prefix of the two fences as kept, hence of every key; it is empty if upper is infinite.
 *     A fence is kept to its first P/16 bytes, upper to what is free at the time: prefixes get shorter, never wrong.
 *  5. In an inner node with entries the first is the lowest (a state bit): its key is empty and below all others. It
 *     lies in range 0 with head 0; no search ever looks at it.
 *  6. fences + records + dead = heap; 88 + t + (2 or 6)n + heap <= P; the gap is zero at all times.
 *  7. A page has heads or not as b2.heads said at its init; split and merge hand that on, so that a store can be
 *     reopened with another value.
 *  8. After a split into halves by bytes the pending key fits on either side: as in slotted.c it needs 31P/32 - 53 at
 *     most, which is not more than P-88-t for P >= 4096.
 *
 * Cost: lower_bound reads the nodes of one path, then by binary search a range (32 to 63 slots after a build, if bytes
 * divide them well): its heads and the records that tie, or without heads a record a probe. insert and remove also move
 * up to t/2 first slots. A build reads a few keys a node and, for heads, each record;
 * one in 128 inserts into a range pays for one, so that a root that never was split has a trie. Space: 6 or 10 bytes an entry,
 * 24 + t a page.
 *
 * Lines of a leaf and keys compared by one lower_bound, counted (URLs of 63 bytes that share most of them, 100-byte
 * values, 382 entries in 64 KiB, 43 in 8 KiB, tries just built):
 *                64 KiB: lines  keys   8 KiB: lines  keys
 *   slotted              18.4   5.6            8.3   2.6
 *   no trie, no heads    14.8   7.7            9.0   4.7
 *   trie                 10.5   4.8            9.0   4.7      (43 entries are less than twice 32: no trie)
 *   trie and heads        7.7   1.0            8.1   2.2
 * Where keys differ early, slotted's heads do as well: 9.3 lines and 1.1 keys in 64 KiB, trie and heads 7.5 and 1.0.
 *
 * As built: the pivot is the nearer border of the byte value that the middle slot has. What has twice b2.range_slots is
 * divided, though a side may be small. With heads a span precedes a range, too, so that heads begin where keys differ.
 * What needs more than t bytes is tried without these spans, then with twice the range_slots.
 * Left out: building a part of the trie anew; one range for neighbouring small sides; infixes of the key beside the slots. */
#include "variants/node/b2.h"

#include <stdio.h>

enum {
	REBUILD_RANGES = 4, /* a range that has grown to so many times range_slots, or to a multiple, is divided */
	FENCE_SHARE = 16, /* a fence is kept to this part of a page */
	PREFETCH_TRIE_BYTES = 384,
	PREFETCH_RANGE_BYTES_MAX = 1024,
	LINE_BYTES = 64,
};

/* Where split, merge and compact keep the page that they rewrite; carries nothing from one call to the next. */
static _Thread_local uint8_t scratch[PAGE_BYTES_MAX];

/* ------------------------------------------------------------------------------------- reading, whatever the bytes */

static uint32_t b2_count(const struct nod_cfg *c, const uint8_t *page)
{
	return arrays_of(c, page).count;
}

static inline void prefetch_bytes(const uint8_t *from, const uint8_t *to)
{
	for (; from < to; from += LINE_BYTES)
		touch_ahead(from);
}

/* Leave of [r->from, r->to) only the slots whose head ties with that of rest; their keys are not below. */
static void narrow_by_heads(const uint8_t *page, const struct nod_arrays *a, pl_slice rest, struct b2_range *r)
{
	uint32_t head = head_of(rest), to = r->to, bytes = min32(HEAD_BYTES * (to - r->from), PREFETCH_RANGE_BYTES_MAX);
	const uint8_t *heads = page + a->heads + HEAD_BYTES * r->from;
	prefetch_bytes(heads, heads + bytes);
	r->from += heads_below(page, a, r->from, to, head);
	r->to = r->from;
	if (r->from == to || head_at(page, a, r->from) != head)
		return;
	r->to++;
	if (r->to < to && head_at(page, a, r->to) == head)
		r->to = head == UINT32_MAX ? to : r->to + heads_below(page, a, r->to, to, head + 1);
}

static uint32_t b2_lower_bound(const struct nod_cfg *c, const uint8_t *page, pl_slice key, bool *exact)
{
	struct nod_arrays a = arrays_of(c, page);
	uint32_t first = first_slot(page, &a), prefix_bytes;
	*exact = false;
	prefetch_bytes(page + 2 * LINE_BYTES, page + AT_TRIE + min32(trie_bytes(c), PREFETCH_TRIE_BYTES));
	if (first && key.n == 0) {
		*exact = true;
		return 0;
	}
	int order = order_to_prefix(c, page, key, &prefix_bytes);
	if (order)
		return order < 0 ? first : a.count;
	pl_slice suffix = key_after(key, prefix_bytes);
	struct b2_range r = b2_find(c, page, &a, suffix);
	pl_slice rest = key_after(suffix, r.depth);
	r.from = max32(r.from, first);
	r.to = max32(r.to, r.from);
	if (a.head_bytes)
		narrow_by_heads(page, &a, rest, &r);
	while (r.from < r.to && !*exact) {
		uint32_t middle = r.from + (r.to - r.from) / 2;
		pl_slice found = record_at(c, page, &a, middle).suffix;
		touch_ahead(found.p + LINE_BYTES);
		order = touch_cmp(key_after(found, r.depth), rest);
		*exact = order == 0;
		if (order < 0)
			r.from = middle + 1;
		else
			r.to = middle;
	}
	return *exact ? r.to : r.from;
}

void b2_entry(const struct nod_cfg *c, const uint8_t *page, uint32_t slot, struct nod_entry *e)
{
	struct nod_arrays a = arrays_of(c, page);
	records_entry(c, page, &a, slot, e);
}

struct nod_gap b2_gap(const struct nod_cfg *c, const uint8_t *page)
{
	struct nod_arrays a = arrays_of(c, page);
	return records_gap(c, page, &a);
}

static uint32_t b2_live_bytes(const struct nod_cfg *c, const uint8_t *page)
{
	struct nod_arrays a = arrays_of(c, page);
	return records_live_bytes(page, &a);
}

static bool b2_room(const struct nod_cfg *c, const uint8_t *page, size_t key_bytes, size_t value_bytes)
{
	struct nod_arrays a = arrays_of(c, page);
	return records_room(c, page, &a, key_bytes, value_bytes);
}

static struct nod_parts key_parts(const struct nod_cfg *c, const uint8_t *page, uint32_t slot)
{
	struct nod_entry e;
	b2_entry(c, page, slot, &e);
	return (struct nod_parts){e.prefix, e.suffix};
}

/* ------------------------------------------------------------------------------------------------- writing a page */

/* Write a record at the top of the heap and point `slot`, which the arrays already have, to it. The key is given
 * without the prefix; its head is left to the caller. */
static void put_record(const struct nod_cfg *c, uint8_t *page, uint32_t slot, const struct nod_parts *key, size_t skip,
	pl_slice value, unsigned flags)
{
	struct nod_arrays a = arrays_of(c, page);
	uint32_t suffix_bytes = (uint32_t)(parts_bytes(key) - skip);
	uint32_t back = at16(page, AT_HEAP) + (uint32_t)(WORD_BYTES + suffix_bytes + value.n);
	assert(suffix_bytes <= LENGTH_MAX && value.n <= LENGTH_MAX && flags <= NOD_FLAGS_MASK);
	assert(a.end + back <= c->page_bytes);
	uint8_t *p = page + c->page_bytes - back;
	put32(p, suffix_bytes | (uint32_t)value.n << LENGTH_BITS | (uint32_t)flags << FLAGS_SHIFT);
	p += WORD_BYTES;
	parts_copy(p, key, skip, skip + suffix_bytes);
	if (value.n)
		memcpy(p + suffix_bytes, value.p, value.n);
	set16(page, a.slots + SLOT_BYTES * slot, back);
	set16(page, AT_HEAP, back);
}

/* Entries [from, to) of a page; the first one gets the key `first` if it is not NULL. */
struct extract {
	const uint8_t *page;
	uint32_t from, to;
	const struct nod_parts *first;
};

/* The contents of a page to be written. */
struct plan {
	bool leaf;
	uint32_t head_bytes;
	struct nod_parts lower;
	struct nod_fence upper;
	struct extract extracts[2];
	uint32_t lower_bytes, prefix_bytes, tail_bytes; /* what is kept of the fences: see plan_measure */
	uint32_t entries, needed_bytes; /* needed_bytes: without the tail of upper */
};

static struct nod_entry extract_entry(
	const struct nod_cfg *c, const struct extract *r, uint32_t slot, struct nod_parts *key)
{
	struct nod_entry e;
	b2_entry(c, r->page, slot, &e);
	*key = slot == r->from && r->first ? *r->first : (struct nod_parts){e.prefix, e.suffix};
	return e;
}

/* What the page does not store of a key again; nothing of the empty key of an inner node. */
static inline uint32_t skip_bytes(const struct plan *plan, const struct nod_parts *key)
{
	return min32(plan->prefix_bytes, (uint32_t)parts_bytes(key));
}

static void plan_measure(const struct nod_cfg *c, struct plan *plan)
{
	uint32_t most = c->page_bytes / FENCE_SHARE;
	plan->lower_bytes = min32((uint32_t)parts_bytes(&plan->lower), most);
	plan->prefix_bytes = plan->tail_bytes = 0;
	if (!plan->upper.infinite) {
		plan->prefix_bytes = (uint32_t)common_bytes(&plan->lower, &plan->upper.key, most);
		plan->tail_bytes = min32((uint32_t)parts_bytes(&plan->upper.key), most) - plan->prefix_bytes;
	}
	plan->entries = 0;
	plan->needed_bytes = FIXED_BYTES + trie_bytes(c) + plan->lower_bytes;
	for (size_t i = 0; i < PL_COUNT(plan->extracts); i++) {
		const struct extract *r = &plan->extracts[i];
		for (uint32_t slot = r->from; slot < r->to; slot++) {
			struct nod_parts key;
			size_t value_bytes = extract_entry(c, r, slot, &key).value.n, key_bytes = parts_bytes(&key);
			plan->needed_bytes += (uint32_t)(entry_bytes(plan->head_bytes) + key_bytes -
							 skip_bytes(plan, &key) + value_bytes);
		}
		plan->entries += r->to - r->from;
	}
}

static void put_fences(const struct nod_cfg *c, uint8_t *page, const struct plan *plan)
{
	uint32_t tail_bytes = min32(plan->tail_bytes, c->page_bytes - PL_PAGE_HEADER - plan->needed_bytes);
	uint32_t upper_bytes = plan->prefix_bytes + tail_bytes,
		 state = (plan->leaf ? LEAF : 0) | (plan->head_bytes ? HEADS : 0);
	uint8_t *lower = page + c->page_bytes - plan->lower_bytes;
	parts_copy(lower, &plan->lower, 0, plan->lower_bytes);
	if (plan->upper.infinite) {
		state |= INFINITE;
	} else {
		parts_copy(lower - tail_bytes, &plan->upper.key, plan->prefix_bytes, upper_bytes);
		if (plan->upper.cut || upper_bytes < parts_bytes(&plan->upper.key))
			state |= UPPER_CUT;
	}
	set16(page, AT_STATE, state);
	set16(page, AT_HEAP, plan->lower_bytes + tail_bytes);
	set16(page, AT_LOWER, plan->lower_bytes);
	set16(page, AT_UPPER, tail_bytes);
	set16(page, AT_PREFIX, plan->prefix_bytes);
	if (plan->prefix_bytes)
		memcpy(page + AT_PREFIX8, lower, min32(plan->prefix_bytes, 8));
}

/* Write all of page from a measured plan that fits; what it extracts lies in other pages. */
static void plan_write(const struct nod_cfg *c, uint8_t *page, const struct plan *plan)
{
	assert(plan->needed_bytes <= c->page_bytes - PL_PAGE_HEADER);
	memset(page + PL_PAGE_HEADER, 0, c->page_bytes - PL_PAGE_HEADER);
	put_fences(c, page, plan);
	set16(page, AT_COUNT, plan->entries);
	uint32_t slot = 0;
	for (size_t i = 0; i < PL_COUNT(plan->extracts); i++) {
		const struct extract *r = &plan->extracts[i];
		for (uint32_t from = r->from; from < r->to; from++) {
			struct nod_parts key;
			struct nod_entry e = extract_entry(c, r, from, &key);
			put_record(c, page, slot, &key, skip_bytes(plan, &key), e.value, e.flags);
			if (!plan->leaf && slot == 0 && parts_bytes(&key) == 0)
				set16(page, AT_STATE, at16(page, AT_STATE) | LOWEST);
			slot++;
		}
	}
	b2_build(c, page);
}

static const uint8_t *to_scratch(const struct nod_cfg *c, const uint8_t *page)
{
	assert(c->page_bytes <= sizeof scratch);
	memcpy(scratch + PL_PAGE_HEADER, page + PL_PAGE_HEADER, c->page_bytes - PL_PAGE_HEADER);
	return scratch;
}

static void b2_init(const struct nod_cfg *c, uint8_t *page, bool leaf, pl_slice lower, pl_slice upper)
{
	struct plan plan = {.leaf = leaf, .lower = parts_of(lower), .upper.key = parts_of(upper)};
	plan.head_bytes = c->derived[WITH_HEADS] ? HEAD_BYTES : 0;
	plan.upper.infinite = upper.n == 0;
	plan_measure(c, &plan);
	plan_write(c, page, &plan);
}

/* Gather the records in key order and build the trie anew. The record of entry `slot` (none if past the end) gets a new
 * value. */
static void gather(const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice value, unsigned flags)
{
	const uint8_t *old = to_scratch(c, page);
	struct nod_arrays a = arrays_of(c, old);
	set16(page, AT_HEAP, at16(page, AT_LOWER) + at16(page, AT_UPPER));
	set16(page, AT_DEAD, 0);
	for (uint32_t i = 0; i < a.count; i++) {
		struct nod_record r = record_at(c, old, &a, i);
		struct nod_parts suffix = parts_of(r.suffix);
		put_record(c, page, i, &suffix, 0, i == slot ? value : r.value, i == slot ? flags : r.flags);
	}
	struct nod_gap gap = b2_gap(c, page);
	memset(page + gap.lo, 0, gap.hi - gap.lo);
	b2_build(c, page);
}

static void b2_compact(const struct nod_cfg *c, uint8_t *page)
{
	gather(c, page, UINT32_MAX, (pl_slice){0}, 0);
}

/* ------------------------------------------------------------------------------------------ insert, update, remove */

/* Make room for entry `slot` in both arrays. */
static void open_slot(const struct nod_cfg *c, uint8_t *page, uint32_t slot)
{
	struct nod_arrays a = arrays_of(c, page);
	uint8_t *heads = page + a.heads, *slots = page + a.slots, *moved = slots + a.head_bytes;
	size_t before = SLOT_BYTES * (size_t)slot, behind = SLOT_BYTES * (size_t)(a.count - slot);
	memmove(moved + before + SLOT_BYTES, slots + before, behind);
	memmove(moved, slots, before);
	memmove(heads + a.head_bytes * (slot + 1), heads + a.head_bytes * slot,
		a.head_bytes * (size_t)(a.count - slot));
	set16(page, AT_COUNT, a.count + 1);
}

static void close_slot(const struct nod_cfg *c, uint8_t *page, uint32_t slot)
{
	struct nod_arrays a = arrays_of(c, page);
	uint8_t *heads = page + a.heads, *slots = page + a.slots, *moved = slots - a.head_bytes;
	size_t before = SLOT_BYTES * (size_t)slot, behind = SLOT_BYTES * (size_t)(a.count - slot - 1);
	memmove(heads + a.head_bytes * slot, heads + a.head_bytes * (slot + 1),
		a.head_bytes * (size_t)(a.count - slot - 1));
	memmove(moved, slots, before);
	memmove(moved + before, slots + before + SLOT_BYTES, behind);
	memset(page + a.end - a.head_bytes - SLOT_BYTES, 0, a.head_bytes + SLOT_BYTES);
	set16(page, AT_COUNT, a.count - 1);
}

/* An entry in a slot that was opened for it: its record, its head, and the ranges behind it. Returns how many
 * slots its range has now. The empty key goes to
 * range 0, as any trie would have it. */
static uint32_t put_entry(
	const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice suffix, pl_slice value, unsigned flags)
{
	struct nod_arrays a = arrays_of(c, page);
	struct nod_parts parts = parts_of(suffix);
	struct b2_range r = b2_find(c, page, &a, suffix);
	put_record(c, page, slot, &parts, 0, value, flags);
	if (a.head_bytes)
		put32(page + a.heads + HEAD_BYTES * slot, head_of(key_after(suffix, r.depth)));
	b2_shift_insert(page, r.number);
	bool last = r.number + 1 >= at16(page, AT_RANGES); /* then r has the new slot already */
	return r.to - r.from + (last ? 0 : 1);
}

static int b2_insert(
	const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice key, pl_slice value, unsigned flags)
{
	uint32_t count = at16(page, AT_COUNT), state = at16(page, AT_STATE), skip;
	bool lowest = !(state & LEAF) && slot == 0 && key.n == 0;
	assert(slot <= count && (slot > 0 || !(state & LOWEST)));
	if (!b2_room(c, page, key.n, value.n))
		return PL_NOFIT;
	int order = order_to_prefix(c, page, key, &skip);
	assert(lowest || order == 0);
	pl_slice suffix = key_after(key, skip);
	struct nod_gap gap = b2_gap(c, page);
	if (entry_bytes(arrays_of(c, page).head_bytes) + suffix.n + value.n > gap.hi - gap.lo)
		b2_compact(c, page);
	open_slot(c, page, slot);
	uint32_t slots = put_entry(c, page, slot, suffix, value, flags);
	if (lowest)
		set16(page, AT_STATE, state | LOWEST);
	if (slots % (REBUILD_RANGES * (uint32_t)c->derived[RANGE_SLOTS]) == 0)
		b2_build(c, page);
	return PL_OK;
}

static int b2_update(const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice value, unsigned flags)
{
	struct nod_arrays a = arrays_of(c, page);
	assert(slot < a.count && flags <= NOD_FLAGS_MASK);
	struct nod_record old = record_at(c, page, &a, slot);
	uint32_t old_bytes = record_bytes(&old), dead = at16(page, AT_DEAD);
	if (value.n <= old.value.n) {
		uint8_t *p = page + c->page_bytes - back_at(page, &a, slot);
		put32(p, (uint32_t)old.suffix.n | (uint32_t)value.n << LENGTH_BITS | (uint32_t)flags << FLAGS_SHIFT);
		if (value.n)
			memcpy(p + WORD_BYTES + old.suffix.n, value.p, value.n);
		set16(page, AT_DEAD, dead + (uint32_t)(old.value.n - value.n));
		return PL_OK;
	}
	size_t grown_bytes = WORD_BYTES + old.suffix.n + value.n;
	if (value.n > LENGTH_MAX || grown_bytes > free_bytes(c, page, &a) + old_bytes)
		return PL_NOFIT;
	struct nod_gap gap = b2_gap(c, page);
	if (grown_bytes > gap.hi - gap.lo) {
		gather(c, page, slot, value, flags);
		return PL_OK;
	}
	struct nod_parts suffix = parts_of(old.suffix);
	put_record(c, page, slot, &suffix, 0, value, flags);
	set16(page, AT_DEAD, dead + old_bytes);
	return PL_OK;
}

static void b2_remove(const struct nod_cfg *c, uint8_t *page, uint32_t slot)
{
	struct nod_arrays a = arrays_of(c, page);
	uint32_t state = at16(page, AT_STATE);
	assert(slot < a.count);
	struct nod_record r = record_at(c, page, &a, slot);
	set16(page, AT_DEAD, at16(page, AT_DEAD) + record_bytes(&r));
	if (slot == 0)
		set16(page, AT_STATE, state & ~(uint32_t)LOWEST);
	close_slot(c, page, slot);
	b2_shift_remove(page, slot);
}

/* ------------------------------------------------------------------------------------------------ split and merge */

/* How many entries stay left: halves by bytes, both with an entry. Invariant 8 says why any key then fits. */
static uint32_t choose_cut(const struct nod_cfg *c, const uint8_t *page)
{
	struct nod_arrays a = arrays_of(c, page);
	uint32_t left = 0, total = 0, least = UINT32_MAX, best = 1;
	for (uint32_t i = 0; i < a.count; i++) {
		struct nod_record r = record_at(c, page, &a, i);
		total += a.head_bytes + SLOT_BYTES + record_bytes(&r);
	}
	for (uint32_t at = 1; at < a.count; at++) {
		struct nod_record r = record_at(c, page, &a, at - 1);
		left += a.head_bytes + SLOT_BYTES + record_bytes(&r);
		uint32_t difference = 2 * left < total ? total - 2 * left : 2 * left - total;
		if (difference < least) {
			least = difference;
			best = at;
		}
	}
	return best;
}

/* The shortest key in (below, above], padded to an integer's length where all keys have that. */
static size_t shortest_separator(
	const struct nod_cfg *c, const struct nod_parts *below, const struct nod_parts *above, uint8_t *sep)
{
	size_t n = common_bytes(below, above, SIZE_MAX) + 1;
	assert(n <= parts_bytes(above));
	parts_copy(sep, above, 0, n);
	if (!c->int_keys)
		return n;
	assert(n <= 8);
	memset(sep + n, 0, 8 - n);
	return 8;
}

/* Where to cut and the separator that belongs to it. */
static uint32_t cut_page(const struct nod_cfg *c, const uint8_t *page, bool leaf, uint32_t slot, pl_slice key,
	uint8_t *sep, size_t *sep_bytes)
{
	uint32_t count = at16(page, AT_COUNT);
	bool at_end = slot == count;
	assert(slot <= count && count >= (leaf && at_end ? 1 : 2));
	uint32_t at = at_end ? count - !leaf : choose_cut(c, page);
	struct nod_parts below = key_parts(c, page, at - 1),
			 above = at < count ? key_parts(c, page, at) : parts_of(key);
	if (leaf) {
		*sep_bytes = shortest_separator(c, &below, &above, sep);
	} else {
		*sep_bytes = parts_bytes(&above);
		parts_copy(sep, &above, 0, *sep_bytes);
	}
	return at;
}

static void b2_split(const struct nod_cfg *c, uint8_t *left, uint8_t *right, uint32_t slot, pl_slice key, uint8_t *sep,
	size_t *sep_bytes)
{
	const uint8_t *old = to_scratch(c, left);
	bool leaf = at16(old, AT_STATE) & LEAF;
	struct nod_arrays a = arrays_of(c, old);
	uint32_t at = cut_page(c, old, leaf, slot, key, sep, sep_bytes);
	struct nod_parts between = parts_of(pl_slice_of(sep, *sep_bytes)), empty = parts_of(pl_slice_of(sep, 0));

	struct plan low = {.leaf = leaf, .head_bytes = a.head_bytes, .lower = parts_of(lower_kept(c, old))};
	low.upper.key = between;
	low.extracts[0] = (struct extract){.page = old, .from = 0, .to = at};
	plan_measure(c, &low);
	plan_write(c, left, &low);

	struct plan high = {.leaf = leaf, .head_bytes = a.head_bytes, .lower = between, .upper = upper_kept(c, old)};
	high.extracts[0] = (struct extract){.page = old, .from = at, .to = a.count, .first = leaf ? NULL : &empty};
	plan_measure(c, &high);
	plan_write(c, right, &high);
}

static int b2_merge(const struct nod_cfg *c, uint8_t *left, const uint8_t *right, pl_slice sep)
{
	bool leaf = at16(left, AT_STATE) & LEAF;
	assert(leaf == (at16(right, AT_STATE) & LEAF));
	struct nod_parts between = parts_of(sep);
	const uint8_t *old = to_scratch(c, left);
	struct nod_arrays a = arrays_of(c, old);
	struct plan plan = {.leaf = leaf, .head_bytes = a.head_bytes, .lower = parts_of(lower_kept(c, old))};
	plan.upper = upper_kept(c, right);
	plan.extracts[0] = (struct extract){.page = old, .from = 0, .to = a.count};
	plan.extracts[1] = (struct extract){.page = right, .from = 0, .to = at16(right, AT_COUNT)};
	if (!leaf && a.count)
		plan.extracts[1].first = &between;
	plan_measure(c, &plan);
	if (plan.needed_bytes > c->page_bytes - PL_PAGE_HEADER)
		return PL_NOFIT;
	plan_write(c, left, &plan);
	return PL_OK;
}

/* -------------------------------------------------------------------------------------------------------- options */

static const struct pl_opt b2_opts[] = {
	{.name = "range_slots",
		.type = PL_OPT_U64,
		.value = "32",
		.min = 2,
		.max = 4096,
		.help = "slots of a range at least, where the trie divides evenly: twice as many are divided"},
	{.name = "heads",
		.type = PL_OPT_BOOL,
		.value = "0",
		.help = "1: four key bytes per slot, taken at the depth of its range, in an array of their own"},
	{0},
};

static int b2_configure(struct nod_cfg *c, const struct pl_conf *conf, struct pl_fault *f)
{
	if (c->page_bytes < PAGE_BYTES_MIN || c->page_bytes > PAGE_BYTES_MAX)
		return pl_fault_set(f, PL_INVALID, "b2 needs page_bytes of %d to %d, not %u", PAGE_BYTES_MIN,
			PAGE_BYTES_MAX, c->page_bytes);
	if (c->max_key_bytes > c->page_bytes / 8)
		return pl_fault_set(f, PL_INVALID, "b2 needs keys of at most %u bytes, an eighth of a page, not %u",
			c->page_bytes / 8, c->max_key_bytes);
	c->derived[RANGE_SLOTS] = pl_conf_u64(conf, "b2.range_slots");
	c->derived[WITH_HEADS] = pl_conf_bool(conf, "b2.heads");
	return PL_OK;
}

/* Which bytes of the page serve what. */
static void b2_anatomy(const struct nod_cfg *c, const uint8_t *page, struct nod_anatomy *out)
{
	struct nod_arrays a = arrays_of(c, page);
	records_anatomy(c, page, &a, out);
	out->trie_bytes = trie_bytes(c);
	out->trie_used_bytes = b2_trie_used_bytes(c, page);
}

const struct nod_ops nod_b2 = {
	.name = "b2",
	.summary = "slotted page with a trie of a hundredth of it that leads to a short range of slots (B2-tree)",
	.opts = b2_opts,
	.configure = b2_configure,
	.init = b2_init,
	.count = b2_count,
	.lower_bound = b2_lower_bound,
	.entry = b2_entry,
	.room = b2_room,
	.insert = b2_insert,
	.update = b2_update,
	.remove = b2_remove,
	.split = b2_split,
	.merge = b2_merge,
	.compact = b2_compact,
	.gap = b2_gap,
	.live_bytes = b2_live_bytes,
	.check = b2_check,
	.anatomy = b2_anatomy,
};
