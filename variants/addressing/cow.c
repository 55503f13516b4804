/* cow.c - copy on write: a parent holds the places of its children, so a page that is written changes every ancestor up to
 * the root, and a checkpoint is the switch from one root to the next (shadow paging, Lorie 1977; LMDB, WiredTiger, ZFS and
 * WAFL keep their trees so).
 *
 * There is no map: engine/store/refs.c turns references into ids and back. What an anchor carries is the root's place and
 * which extents of the data region are live; opening reads the root and takes those extents over without a look at the tree.
 *
 *   base:  u64 loc of the root, u64 inner pages, u64 data blocks, a bit a block: an image begins here, a bit a block: it
 *          is live
 *   delta: u64 loc of the root, u64 inner pages, u64 n, n * u64 {58 first block | 5 blocks | 1 placed (else released)},
 *          in order
 *
 * Invariants:
 *  1. Live extents = the newest images of all pages that have one; check compares them with what the tree reaches.
 *  2. Extents do not overlap: placing on a live one, or releasing what is not, is damage when read, else a bug.
 *
 * A delta is at most as large as a base: an epoch that changes more has a base. A base is a sixteen thousandth of the data.
 * Cost: O(1) a page written or freed; a base is one copy. Opening looks at each bit once. Memory: 1/4 byte a data block.
 * Left out: pinned older roots (snapshots), which the same deltas would serve. */
#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEAD 24u
#define DELTA_LEAST 512u

struct cow {
	uint64_t blocks, words;
	uint64_t *begins, *live; /* one behind the other */
	uint64_t extents;
	uint64_t *events;
	uint64_t nevents, most; /* one more than most: the next anchor is a base */
	pl_loc root; /* while opening */
};

static uint64_t words_of(uint64_t blocks)
{
	return blocks / 64 + 1;
}

static uint64_t most_events(uint64_t blocks)
{
	return pl_max64(DELTA_LEAST, 2 * words_of(blocks));
}

static void cow_greatest(uint64_t device_blocks, size_t *base, size_t *delta)
{
	*base = HEAD + 2 * words_of(device_blocks) * 8;
	*delta = HEAD + most_events(device_blocks) * 8;
}

static int cow_open(struct store *s, struct pl_fault *f)
{
	struct cow *c = calloc(1, sizeof *c);
	s->addressing = c;
	if (c) {
		c->blocks = s->layout.data_blocks;
		c->words = words_of(c->blocks);
		c->most = most_events(c->blocks);
		c->begins = calloc(2 * c->words, sizeof *c->begins);
		c->live = c->begins ? c->begins + c->words : NULL;
		c->events = calloc(c->most + 1, sizeof *c->events);
	}
	return c && c->begins && c->events ? PL_OK : pl_fault_set(f, PL_NOMEM, "no memory for the map of extents");
}

static void cow_close(struct store *s)
{
	struct cow *c = s->addressing;
	if (c) {
		free(c->begins);
		free(c->events);
		free(c);
	}
}

static size_t cow_base_bytes(const struct store *s)
{
	return HEAD + 2 * words_of(s->layout.data_blocks) * 8;
}

static size_t cow_delta_bytes(const struct store *s)
{
	const struct cow *c = s->addressing;
	return c && c->nevents > c->most ? SIZE_MAX / 4 : HEAD + most_events(s->layout.data_blocks) * 8;
}

/* --- live extents ------------------------------------------------------------------------------------------------- */

static bool bit(const uint64_t *map, uint64_t b)
{
	return map[b / 64] >> b % 64 & 1;
}

/* All n blocks change sides; false: not all were on the other one. */
static bool flip(struct cow *c, uint64_t first, uint32_t n, bool live)
{
	if (!n || first >= c->blocks || n > c->blocks - first || (!live && !bit(c->begins, first)))
		return false;
	for (uint64_t b = first; b < first + n; b++) {
		if (bit(c->live, b) == live || (b > first && bit(c->begins, b)))
			return false;
		c->live[b / 64] ^= (uint64_t)1 << b % 64;
	}
	c->begins[first / 64] ^= (uint64_t)1 << first % 64;
	c->extents += live ? 1 : UINT64_MAX;
	return true;
}

static void change(struct store *s, pl_loc loc, bool live)
{
	struct cow *c = s->addressing;
	uint64_t first = loc_block(loc) - s->layout.data_start;
	bool agreed = flip(c, first, loc_blocks(loc), live);
	assert(agreed || s->failed); /* a placement that failed gives a place that is nobody's */
	(void)agreed;
	if (c->nevents <= c->most) /* later ones are in the base that comes anyway */
		c->events[c->nevents++] = first << 6 | (uint64_t)loc_blocks(loc) << 1 | live;
}

static void cow_placed(struct store *s, pl_loc loc)
{
	change(s, loc, true);
}

static void cow_released(struct store *s, pl_loc loc)
{
	change(s, loc, false);
}

static void cow_changed(struct store *s, uint64_t id, enum adr_change what)
{
	(void)s;
	(void)id;
	(void)what;
}

static uint32_t cow_extent(const struct store *s, uint64_t block)
{
	const struct cow *c = s->addressing;
	uint64_t first = block - s->layout.data_start, b = first + 1;
	if (block < s->layout.data_start || first >= c->blocks || !bit(c->begins, first))
		return 0;
	while (b < c->blocks && bit(c->live, b) && !bit(c->begins, b))
		b++;
	return (uint32_t)(b - first);
}

static uint64_t cow_extents(const struct store *s)
{
	return ((const struct cow *)s->addressing)->extents;
}

/* --- anchors ------------------------------------------------------------------------------------------------------ */

static int cow_prepare(struct store *s, struct pl_ctx *x, bool base)
{
	(void)s;
	(void)x;
	(void)base;
	return PL_OK;
}

static void put_head(const struct store *s, uint8_t *out, uint64_t count)
{
	put64(out, store_loc(s, STORE_ROOT).v);
	put64(out + 8, s->inner_pages);
	put64(out + 16, count);
}

static void read_head(struct store *s, const uint8_t *in)
{
	((struct cow *)s->addressing)->root = (pl_loc){le64(in)};
	s->inner_pages = le64(in + 8);
}

static size_t cow_write_base(struct store *s, uint8_t *out)
{
	const struct cow *c = s->addressing;
	put_head(s, out, c->blocks);
	for (uint64_t i = 0; i < 2 * c->words; i++)
		put64(out + HEAD + i * 8, c->begins[i]);
	return HEAD + 2 * c->words * 8;
}

static size_t cow_write_delta(struct store *s, uint8_t *out)
{
	const struct cow *c = s->addressing;
	uint64_t n = c->nevents;
	if (kv_broken == KV_BREAK_MAP_DELTAS && n)
		n--;
	put_head(s, out, n);
	for (uint64_t i = 0; i < n; i++)
		put64(out + HEAD + i * 8, c->events[i]);
	return HEAD + n * 8;
}

static void cow_anchored(struct store *s)
{
	((struct cow *)s->addressing)->nevents = 0;
}

static int cow_read_base(struct store *s, const uint8_t *in, size_t n, struct pl_fault *f)
{
	struct cow *c = s->addressing;
	if (n != cow_base_bytes(s) || le64(in + 16) != c->blocks)
		return pl_fault_set(f, PL_DAMAGED,
			"base: its map of extents has %zu bytes for %" PRIu64 " blocks; expected %zu for %" PRIu64, n,
			n >= HEAD ? le64(in + 16) : 0, cow_base_bytes(s), c->blocks);
	read_head(s, in);
	c->extents = 0;
	for (uint64_t i = 0; i < 2 * c->words; i++) {
		c->begins[i] = le64(in + HEAD + i * 8);
		if (i < c->words)
			c->extents += (uint64_t)__builtin_popcountll(c->begins[i]);
	}
	return PL_OK;
}

static int cow_read_delta(struct store *s, const uint8_t *in, size_t n, struct pl_fault *f)
{
	struct cow *c = s->addressing;
	uint64_t count = n >= HEAD ? le64(in + 16) : 0;
	if (n < HEAD || count > (n - HEAD) / 8)
		return pl_fault_set(
			f, PL_DAMAGED, "anchor %" PRIu64 ": its list of extents is cut short", s->anchor.sequence);
	read_head(s, in);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t e = le64(in + HEAD + i * 8);
		if (!flip(c, e >> 6, e >> 1 & 31, e & 1))
			return pl_fault_set(f, PL_DAMAGED, "anchor %" PRIu64 ": block %" PRIu64 " of the data is %s",
				s->anchor.sequence, e >> 6,
				e & 1 ? "given to an image where one lies" : "released without an image there");
	}
	return PL_OK;
}

static int cow_load(struct store *s, struct pl_ctx *x, struct pl_fault *f)
{
	const struct cow *c = s->addressing;
	(void)x;
	for (uint64_t b = 0; b < c->blocks && !s->failed; b++) {
		uint32_t n = c->begins[b / 64] ? cow_extent(s, s->layout.data_start + b) : 0;
		if (n > s->page_blocks)
			return pl_fault_set(f, PL_DAMAGED, "base: an image of %" PRIu32 " blocks at block %" PRIu64, n,
				s->layout.data_start + b);
		if (n) /* which of a page's blocks these are only its image tells; whose it is, only its ancestors */
			s->choice.placement->adopt(s, PLC_UNKNOWN_ID, false,
				loc_make(s->layout.data_start + b, (uint16_t)((1u << n) - 1), SPC_CODEC_RAW, 0));
	}
	if (cow_extent(s, loc_block(c->root)) != loc_blocks(c->root) || !loc_blocks(c->root))
		return pl_fault_set(f, PL_DAMAGED,
			"anchor %" PRIu64 ": the root's place, block %" PRIu64 ", is not that of a live image",
			s->anchor.sequence, loc_block(c->root));
	s->directory[STORE_ROOT] = c->root.v;
	return PL_OK;
}

const struct adr_ops adr_cow = {
	.name = "cow",
	.summary = "parents hold the places of their children: a page that moves changes its path up to the root",
	.by_parent = true,
	.open = cow_open,
	.close = cow_close,
	.base_bytes = cow_base_bytes,
	.delta_bytes = cow_delta_bytes,
	.greatest = cow_greatest,
	.changed = cow_changed,
	.placed = cow_placed,
	.released = cow_released,
	.extent = cow_extent,
	.extents = cow_extents,
	.prepare = cow_prepare,
	.write_base = cow_write_base,
	.write_delta = cow_write_delta,
	.anchored = cow_anchored,
	.read_base = cow_read_base,
	.read_delta = cow_read_delta,
	.load = cow_load,
};
