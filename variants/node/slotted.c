/* slotted.c - the textbook page, as well as it can be built: slots in key order, records in arrival order.
 *
 * Models the slotted B+-tree page with prefix truncation and fence keys (Bayer and Unterauer, TODS 2(1), 1977; Graefe,
 * "Modern B-Tree Techniques", 2011) and with poor man's normalized keys (Graefe and Larson, ICDE 2001; LeanStore): the
 * first four key bytes after the prefix, the head, stand in a dense array, and a search reads a record only on a tie.
 *
 *   64            88            88+4h         88+4h+4n      88+4h+6n  P-heap                  P-fences          P
 *   | bookkeeping | hint u32 [h] | head u32 [n] | slot u16 [n] | gap: 0 | records, newest first | upper | lower   |
 *
 *   64 u16 entries n               70 u16 dead bytes between records   76 u16 bytes of the prefix
 *   66 u16 state, bits below       72 u16 bytes kept of lower          78 u16 zero
 *   68 u16 heap: bytes from the    74 u16 bytes kept of upper,         80 u8[8] first bytes of the prefix,
 *      end of the page to the gap     without the prefix                  zero-padded
 *
 *   record: u32 {key bytes 0..13, value bytes 14..27, flags 28..31}, key after the prefix, value
 *   slot:   bytes from the end of the page to the first byte of the record (so that 64 KiB fit in 16 bits)
 *   head:   the first four key bytes after the prefix, zero-padded, as an integer whose order is the keys' order
 *   hint:   i, from 0, is the head of slot (i + 1) * step, step = n / (h + 1); all are zero while step < 2
 *
 * h is slotted.hints, by default none; with slotted.heads = 0 there is no array of heads. Both are the store's, no page
 * says so of itself.
 *
 * Invariants
 *  1. Heads never descend; where they tie, the records' keys ascend strictly.
 *  2. The prefix is the common prefix of the two fences as kept, hence of every key; it is empty if upper is infinite.
 *  3. A fence serves only the prefix and the check. It is kept to its first P/16 bytes, and upper to what is free at
 *     the time; a fence that was cut bounds the keys that share its bytes, so prefixes get shorter, never wrong.
 *  4. In an inner node with entries the first is the lowest (a state bit): its key is empty and below all others,
 *     although the prefix may not be empty. No search ever looks at it.
 *  5. fences + records + dead = heap; 88 + 4h + 6n + heap <= P; the gap is zero at all times: what returns to it is cleared.
 *  6. After a split into halves by bytes the pending key fits on either side. With F = P/16 for a fence and at most
 *     e = (P-64)/4 + 10 for an entry, a half has at most (P-88-F+e)/2 beside an old fence F, a new one F and the
 *     pending e: 31P/32 - 53 in all, which is not more than P-88 for P >= 1120. Hints take
 *     4h of both: it is not more than P-88-4h for P >= 1120 + 64h.
 *
 * Cost: lower_bound one branch-free binary search over the heads, two if they tie, and one record; with hints one pass
 * over these and a search of n / (h + 1) heads; without heads a record a probe. insert moves 6 bytes
 * for an entry behind it, 2 for one before it. update is in place if the value does not grow. split, merge and
 * compact copy the page once and write records in key order. Space: 10 bytes an entry, 24 a page, the fences.
 * An insert with hints reads the heads of those behind it, one in 17 inserts those of all.
 *
 * Why so (prototypes; Zen 5, gcc 12 -O2, 70 % full, 100-byte values, each lookup waits for the one before, ns in pages
 * of 4 / 16 / 64 KiB out of 192 MiB; runs differ by up to a third):   8-byte keys        23-byte YCSB keys
 *   heads and slots apart, binary search                              452  565  597      464  635  727
 *   the same, all lines of heads prefetched first (this file)         440  412  383      450  433  400
 *   {head, slot, key bytes} in one array of 8 bytes                   472  549  609      470  657  770
 *   16 hints in the header, then the heads between                    446  599  480      459  676  630
 *   counting all smaller heads (SSE2)                                 427  463  540      454  527  560
 * In cache all take 33 to 43, but counting takes 25, 50 and 150. With all lines prefetched the one array is as fast as
 * two; two move fewer bytes for an insert. This file at 64 KiB, least of three runs on a busy machine: 414 and 456;
 * without the heads' prefetch 689 and 599, without that of the record's second line 498 and 547. At 4 and 16 KiB the
 * differences were below the noise.
 *
 * Left out: hash buckets or fingerprints for points; heads of more than four bytes (keys that share more than
 * that after the prefix tie, and a tie costs a record per probe); a cut off the middle for a shorter separator. */
#include "variants/node/slotted.h"

#include <stdio.h>

enum {
	FENCE_SHARE = 16, /* a fence is kept to this part of a page */
	PREFETCH_BYTES_MAX = 4096,
	LINE_BYTES = 64,
};

/* Where split, merge and compact keep the page that they rewrite; carries nothing from one call to the next. */
static _Thread_local uint8_t scratch[PAGE_BYTES_MAX];

/* ------------------------------------------------------------------------------------- reading, whatever the bytes */

static uint32_t slotted_count(const struct nod_cfg *c, const uint8_t *page)
{
	return arrays_of(c, page).count;
}

/* Slots that may hold the key or be its place. */
struct span {
	uint32_t from, to;
};

static inline void prefetch_heads(const uint8_t *page, const struct nod_arrays *a, struct span s)
{
	uint32_t from = a->heads + HEAD_BYTES * s.from;
	uint32_t end = from + min32(HEAD_BYTES * (s.to - s.from), PREFETCH_BYTES_MAX);
	for (uint32_t at = max32(from & ~(LINE_BYTES - 1u), 2 * LINE_BYTES); at < end; at += LINE_BYTES)
		touch_ahead(page + at);
}

/* Leave what lies between the last hint below head and the first above it: all hints are counted, no branch depends on
 * them. */
static struct span narrow_by_hints(
	const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, uint32_t head, struct span s)
{
	uint32_t hints = (uint32_t)c->derived[HINTS], step = hint_step(c, a->count), below = 0, not_above = 0;
	if (step == 0)
		return s;
	touch(page + AT_ARRAYS, HINT_BYTES * (size_t)hints);
	compared(NOD_IN_ARRAY, hints);
	for (uint32_t i = 0; i < hints; i++) {
		uint32_t hint = le32(page + AT_ARRAYS + HINT_BYTES * i);
		below += hint < head;
		not_above += hint <= head;
	}
	if (below)
		s.from = max32(s.from, below * step + 1);
	if (not_above < hints)
		s.to = (not_above + 1) * step;
	s.to = max32(s.to, s.from);
	return s;
}

/* Leave only the slots whose head ties; the keys of those behind are above. */
static inline struct span narrow_by_heads(const uint8_t *page, const struct nod_arrays *a, uint32_t head, struct span s)
{
	uint32_t slot = s.from + heads_below(page, a, s.from, s.to, head);
	if (slot == s.to || head_at(page, a, slot) != head)
		return (struct span){slot, slot};
	uint32_t end = slot + 1;
	if (end < s.to && head_at(page, a, end) == head)
		end = head == UINT32_MAX ? s.to : end + heads_below(page, a, end, s.to, head + 1);
	return (struct span){slot, end};
}

static uint32_t slotted_lower_bound(const struct nod_cfg *c, const uint8_t *page, pl_slice key, bool *exact)
{
	struct nod_arrays a = arrays_of(c, page);
	struct span s = {first_slot(page, &a), a.count};
	uint32_t hints = (uint32_t)c->derived[HINTS], prefix_bytes;
	*exact = false;
	if (!hints && a.head_bytes)
		prefetch_heads(page, &a, (struct span){0, a.count});
	if (s.from && key.n == 0) {
		*exact = true;
		return 0;
	}
	int order = order_to_prefix(c, page, key, &prefix_bytes);
	if (order)
		return order < 0 ? s.from : a.count;
	pl_slice suffix = pl_slice_of(prefix_bytes ? key.p + prefix_bytes : key.p, key.n - prefix_bytes);
	uint32_t head = head_of(suffix);
	if (hints) {
		s = narrow_by_hints(c, page, &a, head, s);
		if (a.head_bytes)
			prefetch_heads(page, &a, s);
	}
	if (a.head_bytes)
		s = narrow_by_heads(page, &a, head, s);
	while (s.from < s.to && !*exact) {
		uint32_t middle = s.from + (s.to - s.from) / 2;
		pl_slice found = record_at(c, page, &a, middle).suffix;
		touch_ahead(found.p + LINE_BYTES);
		order = touch_cmp(found, suffix);
		*exact = order == 0;
		if (order < 0)
			s.from = middle + 1;
		else
			s.to = middle;
	}
	return *exact ? s.to : s.from;
}

void slotted_entry(const struct nod_cfg *c, const uint8_t *page, uint32_t slot, struct nod_entry *e)
{
	struct nod_arrays a = arrays_of(c, page);
	records_entry(c, page, &a, slot, e);
}

struct nod_gap slotted_gap(const struct nod_cfg *c, const uint8_t *page)
{
	struct nod_arrays a = arrays_of(c, page);
	return records_gap(c, page, &a);
}

static uint32_t slotted_live_bytes(const struct nod_cfg *c, const uint8_t *page)
{
	struct nod_arrays a = arrays_of(c, page);
	return records_live_bytes(page, &a);
}

static bool slotted_room(const struct nod_cfg *c, const uint8_t *page, size_t key_bytes, size_t value_bytes)
{
	struct nod_arrays a = arrays_of(c, page);
	return records_room(c, page, &a, key_bytes, value_bytes);
}

static struct nod_parts key_parts(const struct nod_cfg *c, const uint8_t *page, uint32_t slot)
{
	struct nod_entry e;
	slotted_entry(c, page, slot, &e);
	return (struct nod_parts){e.prefix, e.suffix};
}

/* ------------------------------------------------------------------------------------------------- writing a page */

/* Write a record at the top of the heap and point `slot`, which the arrays already have, to it. The key is given
 * without the prefix. */
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
	if (a.head_bytes)
		put32(page + a.heads + HEAD_BYTES * slot, head_of(pl_slice_of(p, suffix_bytes)));
	set16(page, a.slots + SLOT_BYTES * slot, back);
	set16(page, AT_HEAP, back);
}

/* Make the hints right that an entry put in or taken out at `slot` made wrong: those from there on, or all of them, if
 * their slots have moved. */
static void put_hints(const struct nod_cfg *c, uint8_t *page, uint32_t slot, uint32_t count_before)
{
	uint32_t hints = (uint32_t)c->derived[HINTS];
	struct nod_arrays a = arrays_of(c, page);
	uint32_t step = hint_step(c, a.count), first = step && step == hint_step(c, count_before) ? slot / step : 0;
	for (uint32_t i = first ? first - 1 : 0; i < hints; i++)
		put32(page + AT_ARRAYS + HINT_BYTES * i, hint_for(c, page, &a, i));
}

/* Entries [from, to) of a page; the first one gets the key `first` if it is not NULL. */
struct range {
	const uint8_t *page;
	uint32_t from, to;
	const struct nod_parts *first;
};

/* The contents of a page to be written. */
struct plan {
	bool leaf;
	struct nod_parts lower;
	struct nod_fence upper;
	struct range ranges[2];
	uint32_t lower_bytes, prefix_bytes, tail_bytes; /* what is kept of the fences: see plan_measure */
	uint32_t entries, needed_bytes; /* needed_bytes: without the tail of upper */
};

static struct nod_entry range_entry(
	const struct nod_cfg *c, const struct range *r, uint32_t slot, struct nod_parts *key)
{
	struct nod_entry e;
	slotted_entry(c, r->page, slot, &e);
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
	plan->needed_bytes = FIXED_BYTES + HINT_BYTES * (uint32_t)c->derived[HINTS] + plan->lower_bytes;
	for (size_t i = 0; i < PL_COUNT(plan->ranges); i++) {
		const struct range *r = &plan->ranges[i];
		for (uint32_t slot = r->from; slot < r->to; slot++) {
			struct nod_parts key;
			size_t value_bytes = range_entry(c, r, slot, &key).value.n, key_bytes = parts_bytes(&key);
			plan->needed_bytes += (uint32_t)(entry_bytes((uint32_t)c->derived[HEAD_BYTES_EACH]) +
							 key_bytes - skip_bytes(plan, &key) + value_bytes);
		}
		plan->entries += r->to - r->from;
	}
}

static void put_fences(const struct nod_cfg *c, uint8_t *page, const struct plan *plan)
{
	uint32_t tail_bytes = min32(plan->tail_bytes, c->page_bytes - PL_PAGE_HEADER - plan->needed_bytes);
	uint32_t upper_bytes = plan->prefix_bytes + tail_bytes, state = plan->leaf ? LEAF : 0;
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

/* Write all of page from a measured plan that fits; the plan's ranges lie in other pages. */
static void plan_write(const struct nod_cfg *c, uint8_t *page, const struct plan *plan)
{
	assert(plan->needed_bytes <= c->page_bytes - PL_PAGE_HEADER);
	memset(page + PL_PAGE_HEADER, 0, c->page_bytes - PL_PAGE_HEADER);
	put_fences(c, page, plan);
	set16(page, AT_COUNT, plan->entries);
	uint32_t slot = 0;
	for (size_t i = 0; i < PL_COUNT(plan->ranges); i++) {
		const struct range *r = &plan->ranges[i];
		for (uint32_t from = r->from; from < r->to; from++) {
			struct nod_parts key;
			struct nod_entry e = range_entry(c, r, from, &key);
			put_record(c, page, slot, &key, skip_bytes(plan, &key), e.value, e.flags);
			if (!plan->leaf && slot == 0 && parts_bytes(&key) == 0)
				set16(page, AT_STATE, at16(page, AT_STATE) | LOWEST);
			slot++;
		}
	}
	put_hints(c, page, 0, 0);
}

static const uint8_t *to_scratch(const struct nod_cfg *c, const uint8_t *page)
{
	assert(c->page_bytes <= sizeof scratch);
	memcpy(scratch + PL_PAGE_HEADER, page + PL_PAGE_HEADER, c->page_bytes - PL_PAGE_HEADER);
	return scratch;
}

static void slotted_init(const struct nod_cfg *c, uint8_t *page, bool leaf, pl_slice lower, pl_slice upper)
{
	struct plan plan = {.leaf = leaf, .lower = parts_of(lower), .upper.key = parts_of(upper)};
	plan.upper.infinite = upper.n == 0;
	plan_measure(c, &plan);
	plan_write(c, page, &plan);
}

/* Gather the records in key order. The record of entry `slot` (none if past the end) gets a new value. */
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
	struct nod_gap gap = slotted_gap(c, page);
	memset(page + gap.lo, 0, gap.hi - gap.lo);
}

static void slotted_compact(const struct nod_cfg *c, uint8_t *page)
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

static int slotted_insert(
	const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice key, pl_slice value, unsigned flags)
{
	uint32_t count = at16(page, AT_COUNT), state = at16(page, AT_STATE), skip;
	bool lowest = !(state & LEAF) && slot == 0 && key.n == 0;
	assert(slot <= count && (slot > 0 || !(state & LOWEST)));
	if (!slotted_room(c, page, key.n, value.n))
		return PL_NOFIT;
	int order = order_to_prefix(c, page, key, &skip);
	assert(lowest || order == 0);
	if (lowest)
		skip = 0;
	struct nod_gap gap = slotted_gap(c, page);
	if (entry_bytes((uint32_t)c->derived[HEAD_BYTES_EACH]) + key.n - skip + value.n > gap.hi - gap.lo)
		slotted_compact(c, page);
	open_slot(c, page, slot);
	struct nod_parts parts = parts_of(key);
	put_record(c, page, slot, &parts, skip, value, flags);
	put_hints(c, page, slot, count);
	if (lowest)
		set16(page, AT_STATE, state | LOWEST);
	return PL_OK;
}

static int slotted_update(const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice value, unsigned flags)
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
	struct nod_gap gap = slotted_gap(c, page);
	if (grown_bytes > gap.hi - gap.lo) {
		gather(c, page, slot, value, flags);
		return PL_OK;
	}
	struct nod_parts suffix = parts_of(old.suffix);
	put_record(c, page, slot, &suffix, 0, value, flags);
	set16(page, AT_DEAD, dead + old_bytes);
	return PL_OK;
}

static void slotted_remove(const struct nod_cfg *c, uint8_t *page, uint32_t slot)
{
	struct nod_arrays a = arrays_of(c, page);
	uint32_t state = at16(page, AT_STATE);
	assert(slot < a.count);
	struct nod_record r = record_at(c, page, &a, slot);
	set16(page, AT_DEAD, at16(page, AT_DEAD) + record_bytes(&r));
	if (slot == 0)
		set16(page, AT_STATE, state & ~(uint32_t)LOWEST);
	close_slot(c, page, slot);
	put_hints(c, page, slot, a.count);
}

/* ------------------------------------------------------------------------------------------------ split and merge */

/* How many entries stay left: halves by bytes, both with an entry. Invariant 6 says why any key then fits. */
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

static void slotted_split(const struct nod_cfg *c, uint8_t *left, uint8_t *right, uint32_t slot, pl_slice key,
	uint8_t *sep, size_t *sep_bytes)
{
	const uint8_t *old = to_scratch(c, left);
	bool leaf = at16(old, AT_STATE) & LEAF;
	uint32_t count = at16(old, AT_COUNT), at = cut_page(c, old, leaf, slot, key, sep, sep_bytes);
	struct nod_parts between = parts_of(pl_slice_of(sep, *sep_bytes)), empty = parts_of(pl_slice_of(sep, 0));

	struct plan low = {.leaf = leaf, .lower = parts_of(lower_kept(c, old)), .upper = {.key = between}};
	low.ranges[0] = (struct range){.page = old, .from = 0, .to = at};
	plan_measure(c, &low);
	plan_write(c, left, &low);

	struct plan high = {.leaf = leaf, .lower = between, .upper = upper_kept(c, old)};
	high.ranges[0] = (struct range){.page = old, .from = at, .to = count, .first = leaf ? NULL : &empty};
	plan_measure(c, &high);
	plan_write(c, right, &high);
}

static int slotted_merge(const struct nod_cfg *c, uint8_t *left, const uint8_t *right, pl_slice sep)
{
	bool leaf = at16(left, AT_STATE) & LEAF;
	assert(leaf == (at16(right, AT_STATE) & LEAF));
	uint32_t count = at16(left, AT_COUNT);
	struct nod_parts between = parts_of(sep);
	const uint8_t *old = to_scratch(c, left);
	struct plan plan = {.leaf = leaf, .lower = parts_of(lower_kept(c, old)), .upper = upper_kept(c, right)};
	plan.ranges[0] = (struct range){.page = old, .from = 0, .to = count};
	plan.ranges[1] = (struct range){.page = right, .from = 0, .to = at16(right, AT_COUNT)};
	if (!leaf && count)
		plan.ranges[1].first = &between;
	plan_measure(c, &plan);
	if (plan.needed_bytes > c->page_bytes - PL_PAGE_HEADER)
		return PL_NOFIT;
	plan_write(c, left, &plan);
	return PL_OK;
}

static const struct pl_opt slotted_opts[] = {
	{.name = "heads",
		.type = PL_OPT_BOOL,
		.value = "1",
		.help = "1: four key bytes per slot in an array of their own; 0: the textbook page, whose search "
			"compares "
			"records"},
	{.name = "hints",
		.type = PL_OPT_U64,
		.value = "0",
		.max = HINTS_MAX,
		.help = "heads of so many slots, evenly spaced, beside the bookkeeping: a search counts them first"},
	{0},
};

static int slotted_configure(struct nod_cfg *c, const struct pl_conf *conf, struct pl_fault *f)
{
	if (c->page_bytes < PAGE_BYTES_MIN || c->page_bytes > PAGE_BYTES_MAX)
		return pl_fault_set(f, PL_INVALID, "slotted needs page_bytes of %d to %d, not %u", PAGE_BYTES_MIN,
			PAGE_BYTES_MAX, c->page_bytes);
	if (c->max_key_bytes > c->page_bytes / 8)
		return pl_fault_set(f, PL_INVALID,
			"slotted needs keys of at most %u bytes, an eighth of a page, not %u", c->page_bytes / 8,
			c->max_key_bytes);
	uint32_t hints = (uint32_t)pl_conf_u64(conf, "slotted.hints");
	if (c->page_bytes < PAGE_BYTES_MIN + 64 * hints)
		return pl_fault_set(f, PL_INVALID, "slotted.hints = %u needs page_bytes of %u at least, not %u", hints,
			PAGE_BYTES_MIN + 64 * hints, c->page_bytes);
	c->derived[HINTS] = hints;
	c->derived[HEAD_BYTES_EACH] = pl_conf_bool(conf, "slotted.heads") ? HEAD_BYTES : 0;
	c->derived[SLOTS_MAX] =
		(c->page_bytes - AT_ARRAYS - HINT_BYTES * hints) / (c->derived[HEAD_BYTES_EACH] + SLOT_BYTES);
	return PL_OK;
}

/* Which bytes of the page serve what. */
static void slotted_anatomy(const struct nod_cfg *c, const uint8_t *page, struct nod_anatomy *out)
{
	struct nod_arrays a = arrays_of(c, page);
	records_anatomy(c, page, &a, out);
	out->hint_bytes = HINT_BYTES * (uint32_t)c->derived[HINTS];
}

const struct nod_ops nod_slotted = {
	.name = "slotted",
	.summary = "slots in key order, prefix truncation, 4-byte key heads; the textbook page",
	.opts = slotted_opts,
	.configure = slotted_configure,
	.init = slotted_init,
	.count = slotted_count,
	.lower_bound = slotted_lower_bound,
	.entry = slotted_entry,
	.room = slotted_room,
	.insert = slotted_insert,
	.update = slotted_update,
	.remove = slotted_remove,
	.split = slotted_split,
	.merge = slotted_merge,
	.compact = slotted_compact,
	.gap = slotted_gap,
	.live_bytes = slotted_live_bytes,
	.check = slotted_check,
	.anatomy = slotted_anatomy,
};
