/* fixed.c - a page's place follows from its id: slot (id - 1), forever.
 *
 * Nothing moves, so no parent and no map need to change when a page is written. What must survive is only which ids are
 * live: a base holds their bitmap, a delta the ids born and freed since the anchor before.
 *
 *   base:  u64 ids, then one bit an id            delta: u64 count, then u64 (id << 1 | live) each
 *
 * Under a guard with two slots a page, which of them is current must survive, too; a change of slot is an event:
 *
 *   base:  u64 ids, live bits, slot bits          delta: u64 count, then u64 (id << 2 | slot << 1 | live) each
 *
 * After opening, the blocks present of a page are unknown until it is read: the first read takes the whole slot.
 * No reference carries a generation, so a lost (phantom) write cannot be noticed here; a torn or flipped one is.
 * Cost: O(1) a birth or death, nothing for a write; with two slots 8 bytes of anchor a page and epoch. */
#include "engine/store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DELTA_MAX 4096u /* beyond it the next anchor is a base */

struct fixed {
	uint64_t *live; /* bitmap by id, as of now */
	uint64_t *slot; /* bitmap by id; NULL where a page has one slot */
	uint64_t *events; /* as a delta holds them */
	uint64_t nevents, room;
};

static int fixed_open(struct store *s, struct pl_fault *f)
{
	struct fixed *a = calloc(1, sizeof *a);
	s->addressing = a;
	if (a) {
		a->live = calloc(s->max_ids / 64 + 1, sizeof *a->live);
		if (home_slots(s) == 2)
			a->slot = calloc(s->max_ids / 64 + 1, sizeof *a->slot);
		a->room = 2 * DELTA_MAX;
		a->events = calloc(a->room, sizeof *a->events);
	}
	return a && a->live && a->events && (a->slot || home_slots(s) == 1)
		       ? PL_OK
		       : pl_fault_set(f, PL_NOMEM, "no memory for the bitmap of pages");
}

static void fixed_close(struct store *s)
{
	struct fixed *a = s->addressing;
	if (a) {
		free(a->live);
		free(a->slot);
		free(a->events);
		free(a);
	}
}

static size_t bitmap_bytes(const struct store *s)
{
	return (size_t)(s->max_ids / 64 + 1) * 8;
}

static size_t fixed_base_bytes(const struct store *s)
{
	return 8 + bitmap_bytes(s) * home_slots(s);
}

/* With two slots every dirty page is an event to come: whether the next anchor is a base is asked before it is written. */
static size_t fixed_delta_bytes(const struct store *s)
{
	const struct fixed *a = s->addressing;
	uint64_t events = a ? a->nevents + (a->slot ? s->pool.dirty : 0) : 0;
	return events > DELTA_MAX ? SIZE_MAX / 4 : 8 + (size_t)DELTA_MAX * 8;
}

static bool bit(const uint64_t *bits, uint64_t id)
{
	return bits[id / 64] >> id % 64 & 1;
}

static void set_bit(uint64_t *bits, uint64_t id, uint64_t value)
{
	bits[id / 64] &= ~((uint64_t)1 << id % 64);
	bits[id / 64] |= value << id % 64;
}

static void fixed_changed(struct store *s, uint64_t id, enum adr_change what)
{
	struct fixed *a = s->addressing;
	if (what == ADR_MOVED) {
		uint32_t slot = a->slot ? home_slot(s, id, store_loc(s, id)) : 0;
		if (!a->slot || slot == bit(a->slot, id))
			return;
		set_bit(a->slot, id, slot);
	} else
		set_bit(a->live, id, what == ADR_BORN);
	uint64_t event = id << 1 | bit(a->live, id);
	if (a->slot)
		event = id << 2 | (uint64_t)bit(a->slot, id) << 1 | bit(a->live, id);
	if (a->nevents <= DELTA_MAX) /* later ones are in the base that comes anyway */
		a->events[a->nevents++] = event;
}

static int fixed_prepare(struct store *s, struct pl_ctx *x, bool base)
{
	(void)s;
	(void)x;
	(void)base;
	return PL_OK;
}

static size_t fixed_write_base(struct store *s, uint8_t *out)
{
	struct fixed *a = s->addressing;
	put64(out, s->max_ids);
	memcpy(out + 8, a->live, bitmap_bytes(s));
	if (a->slot)
		memcpy(out + 8 + bitmap_bytes(s), a->slot, bitmap_bytes(s));
	return fixed_base_bytes(s);
}

static size_t fixed_write_delta(struct store *s, uint8_t *out)
{
	struct fixed *a = s->addressing;
	uint64_t n = a->nevents;
	if (kv_broken == KV_BREAK_MAP_DELTAS && n)
		n--;
	put64(out, n);
	memcpy(out + 8, a->events, n * 8);
	return 8 + n * 8;
}

static void fixed_anchored(struct store *s)
{
	((struct fixed *)s->addressing)->nevents = 0;
}

static int fixed_read_base(struct store *s, const uint8_t *in, size_t n, struct pl_fault *f)
{
	struct fixed *a = s->addressing;
	if (n != fixed_base_bytes(s) || le64(in) != s->max_ids)
		return pl_fault_set(f, PL_DAMAGED,
			"base: its bitmap of pages has %zu bytes for %" PRIu64 " ids; expected %zu for %" PRIu64, n,
			n >= 8 ? le64(in) : 0, fixed_base_bytes(s), s->max_ids);
	memcpy(a->live, in + 8, bitmap_bytes(s));
	if (a->slot)
		memcpy(a->slot, in + 8 + bitmap_bytes(s), bitmap_bytes(s));
	return PL_OK;
}

static int fixed_read_delta(struct store *s, const uint8_t *in, size_t n, struct pl_fault *f)
{
	struct fixed *a = s->addressing;
	uint64_t count = n >= 8 ? le64(in) : 0;
	if (n < 8 || count > (n - 8) / 8)
		return pl_fault_set(f, PL_DAMAGED, "anchor: its list of pages born and freed is cut short");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t e = le64(in + 8 + i * 8), id = e >> home_slots(s);
		if (!id || id > s->max_ids)
			return pl_fault_set(
				f, PL_DAMAGED, "anchor: page id %" PRIu64 " is beyond %" PRIu64, id, s->max_ids);
		set_bit(a->live, id, e & 1);
		if (a->slot)
			set_bit(a->slot, id, e >> 1 & 1);
	}
	return PL_OK;
}

static int fixed_load(struct store *s, struct pl_ctx *x, struct pl_fault *f)
{
	struct fixed *a = s->addressing;
	(void)x;
	(void)f;
	for (uint64_t id = 1; id <= s->max_ids; id++)
		if (bit(a->live, id)) {
			uint64_t block = home_slot_block(s, id, a->slot ? bit(a->slot, id) : 0);
			pl_loc loc = loc_make(block, s->full_bitmap, SPC_CODEC_RAW, 0);
			s->directory[id] = loc.v;
			s->choice.placement->adopt(s, id, false, loc);
		}
	return PL_OK;
}

const struct adr_ops adr_fixed = {
	.name = "fixed",
	.summary = "a page's address follows from its id; nothing moves",
	.fixed = true,
	.open = fixed_open,
	.close = fixed_close,
	.base_bytes = fixed_base_bytes,
	.delta_bytes = fixed_delta_bytes,
	.changed = fixed_changed,
	.prepare = fixed_prepare,
	.write_base = fixed_write_base,
	.write_delta = fixed_write_delta,
	.anchored = fixed_anchored,
	.read_base = fixed_read_base,
	.read_delta = fixed_read_delta,
	.load = fixed_load,
};
