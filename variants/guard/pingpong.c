/* pingpong.c - two slots a page: a write goes to the one that the last durable anchor does not reach.
 *
 * Models the deterministic page shadowing of the B-minus-tree (Qiao et al., "Closing the B-tree vs. LSM-tree Write
 * Amplification Gap on Modern Storage Hardware with Built-in Transparent Compression", FAST 2022): neither journal nor
 * home stage, and no table of places, for a page's two places follow from its id.
 *
 *   | ... | slot 0 of page i | slot 1 of page i | slot 0 of page i + 1 | ...          slot = page_bytes
 *
 *   epoch          n         n + 1 (evicted, evicted again, checkpoint)      after anchor n + 1
 *   slot 0     reached       reached by anchor n, left alone                 punched
 *   slot 1     punched       written, overwritten, overwritten               reached
 *
 * Which slot is current is one bit an id in the meta stream, kept by the addressing: an epoch in the image cannot decide,
 * because the numbers of epochs lost in a crash come again.
 *
 * Invariants:
 *  1. anchored[id] is the slot of a live page's image in the last durable anchor; every write of the page until the next
 *     anchor goes to the other one. (Several in an epoch go to the same slot; no anchor reaches it, and the pool has one
 *     write of a page in flight.)
 *  2. A slot is punched only when the last durable anchor does not reach it: after the anchor that moved the page away
 *     or freed it. Blocks that the image in the current slot has not are punched then, too, not with each write.
 *  3. A page's id is used again only after the anchor without the page: both its slots are then free.
 *
 * Cost: each page written once; one punch a page and checkpoint; addresses for two images of every page, of which a
 * device that trims stores one, and between a page's write and the next anchor two: a store that anchors seldom fills its
 * device with stale images and takes the spare from its collection, hence stale_permille. 8 bytes a page and anchor in
 * the meta stream. Lost writes: a slot is empty before it is written, so where punching makes zeros a write that never arrived is
 * noticed, unless it overwrote another of the same epoch; without punch it is not.
 * Left out: what an epoch lost in a crash had written stays allocated until its page is written again twice; the same
 * paper's page deltas and sparse log. */
#include "engine/store/store.h"

#include <assert.h>
#include <stdlib.h>

static const struct pl_opt pingpong_opts[] = {
	{.name = "stale_permille",
		.type = PL_OPT_U64,
		.value = "125",
		.max = 1000,
		.help = "a checkpoint is due when so many pages, in thousandths of all there is room for, hold a "
			"second "
			"image that it would free (0: never; devices that trim)"},
	{0},
};

struct pingpong {
	struct home *home;
	uint64_t *anchored; /* bit by id: the slot that the last durable anchor reaches */
	uint64_t *seen; /* bit by id: in touched */
	uint32_t *touched; /* ids written or freed since that anchor */
	uint64_t ntouched;
	uint64_t limit; /* so many touched: a checkpoint is due */
};

static bool bit(const uint64_t *bits, uint64_t id)
{
	return bits[id / 64] >> id % 64 & 1;
}

static uint64_t pingpong_journal_blocks(const struct store *s, uint64_t device_blocks)
{
	(void)s;
	(void)device_blocks;
	return 0;
}

/* The directory is that of the anchor: the addressing has filled it, or the store is new. */
static int pingpong_open(struct store *s, struct pl_fault *f)
{
	struct pingpong *p = calloc(1, sizeof *p);
	s->guard = p;
	if (p) {
		p->anchored = calloc(s->max_ids / 64 + 1, sizeof *p->anchored);
		p->seen = calloc(s->max_ids / 64 + 1, sizeof *p->seen);
		p->touched = calloc(s->max_ids, sizeof *p->touched);
	}
	if (!p || !p->anchored || !p->seen || !p->touched || home_open(s, &p->home))
		return pl_fault_set(f, PL_NOMEM, "no memory for the slots of pages");
	uint64_t permille = s->dev->caps.punch ? pl_conf_u64(s->conf, "pingpong.stale_permille") : 0;
	p->limit = permille ? s->max_ids * permille / 1000 + 1 : UINT64_MAX;
	for (uint64_t id = 1; id <= s->max_ids; id++)
		if (s->directory[id] && home_slot(s, id, store_loc(s, id)))
			p->anchored[id / 64] |= (uint64_t)1 << id % 64;
	return PL_OK;
}

static void pingpong_close(struct store *s)
{
	struct pingpong *p = s->guard;
	if (!p)
		return;
	home_close(p->home);
	free(p->anchored);
	free(p->seen);
	free(p->touched);
	free(p);
}

static int pingpong_recover(struct store *s, struct pl_ctx *x)
{
	(void)s;
	(void)x;
	return PL_OK;
}

static bool pingpong_reserve(struct store *s, uint32_t pages)
{
	(void)s;
	(void)pages;
	return true;
}

static void pingpong_unreserve(struct store *s, uint32_t pages)
{
	(void)s;
	(void)pages;
}

static void touch(struct pingpong *p, uint64_t id)
{
	if (bit(p->seen, id))
		return;
	p->seen[id / 64] |= (uint64_t)1 << id % 64;
	p->touched[p->ntouched++] = (uint32_t)id;
}

static pl_loc pingpong_place(struct store *s, struct pl_ctx *x, const struct plc_image *i)
{
	struct pingpong *p = s->guard;
	uint32_t slot = !bit(p->anchored, i->id.v);
	if (kv_broken == KV_BREAK_SLOT)
		slot = !slot;
	if (kv_broken == KV_BREAK_RELEASE)
		home_trim(s, x, p->home, i->id.v, !slot, 0);
	touch(p, i->id.v);
	home_write_slot(s, x, p->home, slot, i);
	return loc_make(home_slot_block(s, i->id.v, slot), i->img.bitmap, i->img.codec, i->generation);
}

static void pingpong_flush(struct store *s, struct pl_ctx *x)
{
	(void)s;
	(void)x;
}

static void pingpong_release(struct store *s, uint64_t id, pl_loc loc)
{
	(void)loc;
	touch(s->guard, id);
}

static void pingpong_checkpoint(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	(void)s;
	(void)x;
	(void)a;
}

static void pingpong_anchored(struct store *s, struct pl_ctx *x)
{
	struct pingpong *p = s->guard;
	for (uint64_t k = 0; k < p->ntouched; k++) {
		uint64_t id = p->touched[k];
		pl_loc loc = s->directory[id] ? store_loc(s, id) : (pl_loc){0};
		p->seen[id / 64] &= ~((uint64_t)1 << id % 64);
		if (!loc.v) { /* freed */
			home_trim(s, x, p->home, id, 0, 0);
			home_trim(s, x, p->home, id, 1, 0);
			continue;
		}
		uint32_t slot = home_slot(s, id, loc);
		p->anchored[id / 64] &= ~((uint64_t)1 << id % 64);
		p->anchored[id / 64] |= (uint64_t)slot << id % 64;
		home_trim(s, x, p->home, id, slot, loc_bitmap(loc));
		home_trim(s, x, p->home, id, !slot, 0);
	}
	p->ntouched = 0;
	io_drain(s, x); /* before what was punched is written again */
}

static bool pingpong_due(const struct store *s)
{
	const struct pingpong *p = s->guard;
	return p->ntouched >= p->limit;
}

static uint64_t pingpong_used(const struct store *s)
{
	(void)s;
	return 0;
}

const struct grd_ops grd_pingpong = {
	.name = "pingpong",
	.summary = "two slots a page: written to the one that the last anchor does not reach",
	.opts = pingpong_opts,
	.two_slots = true,
	.journal_blocks = pingpong_journal_blocks,
	.open = pingpong_open,
	.close = pingpong_close,
	.recover = pingpong_recover,
	.reserve = pingpong_reserve,
	.unreserve = pingpong_unreserve,
	.place = pingpong_place,
	.flush = pingpong_flush,
	.where = home_where,
	.release = pingpong_release,
	.checkpoint = pingpong_checkpoint,
	.anchored = pingpong_anchored,
	.due = pingpong_due,
	.used_blocks = pingpong_used,
};
