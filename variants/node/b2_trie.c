/* b2_trie.c - the trie of b2: searched, built from sorted keys, moved along with them, checked. Its drawing and its
 * invariants are at the head of b2.c. */
#include "variants/node/b2.h"

#include <assert.h>

enum { LEAF_SPAN_SLOTS_MIN = 4 }; /* a range of fewer slots gets no span of its own */

static inline uint32_t ranges_of(const struct nod_cfg *c, const uint8_t *page)
{
	return min32(max32(at16(page, AT_RANGES), 1), trie_bytes(c) / START_BYTES);
}

static inline uint32_t start_at(const uint8_t *page, uint32_t number)
{
	return at16(page, AT_TRIE + START_BYTES * number);
}

static inline void set_start(uint8_t *page, uint32_t number, uint32_t slot)
{
	assert(slot <= UINT16_MAX);
	put16(page + AT_TRIE + START_BYTES * number, (uint16_t)slot);
}

/* ---------------------------------------------------------------------------------------------------------- search */

/* Order of rest to the bytes of a span: 0 if it begins with them. */
static inline int order_to_span(pl_slice rest, const uint8_t *span, uint32_t n)
{
	size_t common = rest.n < n ? rest.n : n;
	int order = common ? touch_memcmp(rest.p, span, common) : 0;
	return order ? order : rest.n < n ? -1 : 0;
}

/* Each step leaves fewer of the ranges [low, high), so it ends, whatever the nodes say. */
struct b2_range b2_find(const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, pl_slice suffix)
{
	uint32_t ranges = ranges_of(c, page), low = 0, high = ranges, depth = 0, at = 0;
	const uint8_t *nodes = page + AT_TRIE + START_BYTES * ranges;
	uint32_t nodes_bytes = trie_bytes(c) - START_BYTES * ranges;
	while (high - low > 1 && at < nodes_bytes) {
		const uint8_t *node = nodes + at;
		touch(node, 1);
		uint32_t span = once(node[0]);
		pl_slice rest = key_after(suffix, depth);
		if (at + (span ? 1 + span : DECISION_BYTES) > nodes_bytes)
			break;
		compared(NOD_IN_TRIE, 1);
		if (span == 0) {
			touch(node + 1, 2);
			uint32_t middle = once(node[2]), right = at16(node, 3);
			if (middle <= low || middle >= high)
				break;
			bool less = rest.n == 0 || rest.p[0] < node[1];
			high = less ? middle : high;
			low = less ? low : middle;
			at = less ? at + DECISION_BYTES : right;
			continue;
		}
		int order = order_to_span(rest, node + 1, span);
		if (order) { /* the virtual edges */
			low = order < 0 ? low : high - 1;
			break;
		}
		low++;
		high--;
		depth += span;
		at += 1 + span;
	}
	uint32_t from = min32(start_at(page, low), a->count);
	uint32_t to = low + 1 < ranges ? min32(start_at(page, low + 1), a->count) : a->count;
	return (struct b2_range){low, from, max32(from, to), depth};
}

void b2_shift_insert(uint8_t *page, uint32_t number)
{
	uint32_t ranges = at16(page, AT_RANGES);
	for (uint32_t i = number + 1; i < ranges; i++)
		set_start(page, i, start_at(page, i) + 1);
}

void b2_shift_remove(uint8_t *page, uint32_t slot)
{
	uint32_t ranges = at16(page, AT_RANGES);
	for (uint32_t i = 1; i < ranges; i++)
		if (start_at(page, i) > slot)
			set_start(page, i, start_at(page, i) - 1);
}

/* ----------------------------------------------------------------------------------------------------------- build */

struct builder {
	const struct nod_cfg *c;
	const uint8_t *page;
	struct nod_arrays arrays;
	uint32_t range_slots; /* what has twice as many is divided */
	bool leaf_spans; /* a range has a span before it */
	uint32_t ranges, nodes_bytes;
	bool full; /* the trie needs more than it is given */
	uint16_t starts[TRIE_BYTES_MAX / START_BYTES], depths[TRIE_BYTES_MAX / START_BYTES];
	uint8_t nodes[TRIE_BYTES_MAX];
};

static inline pl_slice suffix_at(const struct builder *b, uint32_t slot)
{
	return record_at(b->c, b->page, &b->arrays, slot).suffix;
}

/* The byte at depth, -1 behind the end of the key. */
static inline int byte_at(const struct builder *b, uint32_t slot, uint32_t depth)
{
	pl_slice suffix = suffix_at(b, slot);
	return suffix.n > depth ? suffix.p[depth] : -1;
}

static bool reserve(struct builder *b, uint32_t bytes)
{
	if (START_BYTES * b->ranges + b->nodes_bytes + bytes > trie_bytes(b->c))
		b->full = true;
	return !b->full;
}

static void add_range(struct builder *b, uint32_t from, uint32_t depth)
{
	if (!reserve(b, START_BYTES))
		return;
	b->starts[b->ranges] = (uint16_t)from;
	b->depths[b->ranges] = (uint16_t)depth;
	b->ranges++;
}

static uint32_t common_after(const struct builder *b, uint32_t first, uint32_t last, uint32_t depth)
{
	pl_slice x = key_after(suffix_at(b, first), depth), y = key_after(suffix_at(b, last), depth);
	uint32_t n = 0;
	while (n < SPAN_BYTES_MAX && n < x.n && n < y.n && x.p[n] == y.p[n])
		n++;
	return n;
}

/* First slot in [from, to) whose byte at depth is at least `least`; to if none. */
static uint32_t first_byte(const struct builder *b, uint32_t from, uint32_t to, uint32_t depth, int least)
{
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		if (byte_at(b, middle, depth) < least)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Where to divide slots that differ at depth: at the border, below or above, of the byte in the middle. */
static uint32_t divide_at(const struct builder *b, uint32_t from, uint32_t to, uint32_t depth)
{
	uint32_t middle = from + (to - from) / 2;
	int byte = byte_at(b, middle, depth);
	uint32_t below = first_byte(b, from, middle, depth, byte), above = first_byte(b, middle, to, depth, byte + 1);
	if (below == from)
		return above;
	return above == to || middle - below <= above - middle ? below : above;
}

static void build_range(struct builder *b, uint32_t from, uint32_t to, uint32_t depth);

static void build_span(struct builder *b, uint32_t from, uint32_t to, uint32_t depth, uint32_t span)
{
	if (!reserve(b, 1 + span))
		return;
	b->nodes[b->nodes_bytes] = (uint8_t)span;
	memcpy(b->nodes + b->nodes_bytes + 1, suffix_at(b, from).p + depth, span);
	b->nodes_bytes += 1 + span;
	add_range(b, from, depth);
	build_range(b, from, to, depth + span);
	add_range(b, to, depth);
}

static void build_decision(struct builder *b, uint32_t from, uint32_t to, uint32_t depth)
{
	uint32_t at = b->nodes_bytes, middle = divide_at(b, from, to, depth);
	if (!reserve(b, DECISION_BYTES))
		return;
	b->nodes_bytes += DECISION_BYTES;
	build_range(b, from, middle, depth);
	assert(from < middle && middle < to && b->ranges <= UINT8_MAX);
	b->nodes[at] = 0;
	b->nodes[at + 1] = (uint8_t)byte_at(b, middle, depth);
	b->nodes[at + 2] = (uint8_t)b->ranges;
	put16(b->nodes + at + 3, (uint16_t)b->nodes_bytes);
	build_range(b, middle, to, depth);
}

static void build_range(struct builder *b, uint32_t from, uint32_t to, uint32_t depth)
{
	uint32_t n = to - from, span = n > 1 ? common_after(b, from, to - 1, depth) : 0;
	bool divide = n > 1 && n / 2 >= b->range_slots;
	if (b->full)
		return;
	if (span && (divide || (b->leaf_spans && n >= LEAF_SPAN_SLOTS_MIN)))
		build_span(b, from, to, depth, span);
	else if (divide)
		build_decision(b, from, to, depth);
	else
		add_range(b, from, depth);
}

static void put_heads(const struct builder *b, uint8_t *page)
{
	for (uint32_t i = 0; i < b->ranges && b->arrays.head_bytes; i++) {
		uint32_t to = i + 1 < b->ranges ? b->starts[i + 1] : b->arrays.count;
		for (uint32_t slot = b->starts[i]; slot < to; slot++)
			put32(page + b->arrays.heads + HEAD_BYTES * slot,
				head_of(key_after(suffix_at(b, slot), b->depths[i])));
	}
}

/* True if it fits. */
static bool build_with(struct builder *b, uint32_t range_slots, bool leaf_spans)
{
	uint32_t count = b->arrays.count, first = first_slot(b->page, &b->arrays);
	b->range_slots = range_slots;
	b->leaf_spans = leaf_spans;
	b->ranges = b->nodes_bytes = 0;
	b->full = false;
	build_range(b, first, count, 0);
	return !b->full;
}

void b2_build(const struct nod_cfg *c, uint8_t *page)
{
	struct builder b = {.c = c, .page = page, .arrays = arrays_of(c, page)};
	uint32_t range_slots = (uint32_t)c->derived[RANGE_SLOTS];
	assert(range_slots > 0);
	/* At last nothing is divided and there are no spans: one range fits. */
	while (!build_with(&b, range_slots, b.arrays.head_bytes > 0) && !build_with(&b, range_slots, false))
		range_slots *= 2;
	b.starts[0] = 0;
	memset(page + AT_TRIE, 0, trie_bytes(c));
	put16(page + AT_RANGES, (uint16_t)b.ranges);
	for (uint32_t i = 0; i < b.ranges; i++)
		set_start(page, i, b.starts[i]);
	memcpy(page + AT_TRIE + START_BYTES * b.ranges, b.nodes, b.nodes_bytes);
	put_heads(&b, page);
}

/* ----------------------------------------------------------------------------------------------------------- check */

#define damaged(f, ...) pl_fault_set(f, PL_DAMAGED, __VA_ARGS__)

/* The nodes from *at on divide the ranges [low, high) among them, each right child where the left one ends. */
static int check_nodes(
	const uint8_t *nodes, uint32_t bytes, uint32_t low, uint32_t high, uint32_t *at, struct pl_fault *f)
{
	if (high - low == 1)
		return PL_OK;
	uint32_t from = *at, span = from < bytes ? once(nodes[from]) : 0;
	uint32_t size = span ? 1 + span : DECISION_BYTES;
	if (from + size > bytes)
		return damaged(f, "the trie's node at %u is longer than the trie", from);
	*at += size;
	if (span && high - low < 3)
		return damaged(f, "the trie's span at %u has %u ranges", from, high - low);
	if (span)
		return check_nodes(nodes, bytes, low + 1, high - 1, at, f);
	uint32_t middle = once(nodes[from + 2]);
	if (middle <= low || middle >= high)
		return damaged(f, "the trie's decision at %u divides ranges %u to %u at %u", from, low, high, middle);
	int err = check_nodes(nodes, bytes, low, middle, at, f);
	if (err)
		return err;
	if (at16(nodes, from + 3) != *at)
		return damaged(f, "the trie's decision at %u has its right child at %u, not %u", from,
			at16(nodes, from + 3), *at);
	return check_nodes(nodes, bytes, middle, high, at, f);
}

static int check_shape(const struct nod_cfg *c, const uint8_t *page, struct pl_fault *f)
{
	uint32_t ranges = at16(page, AT_RANGES), size = trie_bytes(c), at = 0, count = arrays_of(c, page).count;
	if (ranges == 0 || START_BYTES * ranges > size)
		return damaged(f, "%u ranges do not fit in a trie of %u bytes", ranges, size);
	for (uint32_t i = 0; i < ranges; i++)
		if (start_at(page, i) > count ||
			(i ? start_at(page, i) < start_at(page, i - 1) : start_at(page, i) > 0))
			return damaged(f, "range %u starts at slot %u of %u", i, start_at(page, i), count);
	const uint8_t *nodes = page + AT_TRIE + START_BYTES * ranges;
	int err = check_nodes(nodes, size - START_BYTES * ranges, 0, ranges, &at, f);
	for (; !err && at < size - START_BYTES * ranges; at++)
		if (nodes[at])
			err = damaged(f, "byte %u behind the trie is not zero", at);
	return err;
}

uint32_t b2_trie_used_bytes(const struct nod_cfg *c, const uint8_t *page)
{
	struct pl_fault f;
	uint32_t ranges = ranges_of(c, page), at = 0;
	int err = check_nodes(
		page + AT_TRIE + START_BYTES * ranges, trie_bytes(c) - START_BYTES * ranges, 0, ranges, &at, &f);
	return err ? 0 : START_BYTES * ranges + at;
}

/* The trie's structure; then that it leads every key to the range in which it lies, and heads are taken there. */
int b2_check_trie(const struct nod_cfg *c, const uint8_t *page, struct pl_fault *f)
{
	int err = check_shape(c, page, f);
	struct nod_arrays a = arrays_of(c, page);
	uint32_t first = first_slot(page, &a);
	if (!err && first && a.head_bytes && head_at(page, &a, 0))
		return damaged(f, "the head of the empty key is not zero");
	for (uint32_t slot = first; !err && slot < a.count; slot++) {
		pl_slice suffix = record_at(c, page, &a, slot).suffix;
		struct b2_range r = b2_find(c, page, &a, suffix);
		if (slot < r.from || slot >= r.to)
			return damaged(f, "the trie leads the key of slot %u to slots %u to %u", slot, r.from, r.to);
		if (a.head_bytes && head_at(page, &a, slot) != head_of(key_after(suffix, r.depth)))
			return damaged(f, "the head of slot %u is not its key at depth %u", slot, r.depth);
	}
	return err;
}
