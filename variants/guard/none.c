/* none.c - no guard: pages are overwritten where they lie.
 *
 * A crash may leave half of a page, or half of a checkpoint: the store cannot be opened again unless it was closed.
 * That is the lower bound of what in-place writing can cost, and it is labelled unsafe wherever it is shown. */
#include "engine/store/store.h"

static int none_open(struct store *s, struct pl_fault *f)
{
	return home_open(s, (struct home **)&s->guard) ? pl_fault_set(f, PL_NOMEM, "no memory for home writes") : PL_OK;
}

static void none_close(struct store *s)
{
	home_close(s->guard);
}

static uint64_t none_journal_blocks(const struct store *s, uint64_t device_blocks)
{
	(void)s;
	(void)device_blocks;
	return 0;
}

static int none_recover(struct store *s, struct pl_ctx *x)
{
	(void)x;
	if (!(s->anchor.flags & ANCHOR_UNSAFE))
		return PL_OK;
	return pl_fault_set(&s->fault, PL_DAMAGED,
		"the store was not closed, and with guard=none a crash cannot be recovered from: restore it from "
		"elsewhere");
}

static bool none_reserve(struct store *s, uint32_t pages)
{
	(void)s;
	(void)pages;
	return true;
}

static void none_unreserve(struct store *s, uint32_t pages)
{
	(void)s;
	(void)pages;
}

static pl_loc none_place(struct store *s, struct pl_ctx *x, const struct plc_image *i)
{
	home_write(s, x, s->guard, i);
	return loc_make(home_block(s, i->id.v), i->img.bitmap, i->img.codec, i->generation);
}

static void none_flush(struct store *s, struct pl_ctx *x)
{
	(void)s;
	(void)x;
}

static void none_checkpoint(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	(void)s;
	(void)x;
	(void)a;
}

static uint64_t none_used(const struct store *s)
{
	(void)s;
	return 0;
}

const struct grd_ops grd_none = {
	.name = "none",
	.summary = "pages overwritten without any protection (unsafe: a lower bound)",
	.unsafe = true,
	.journal_blocks = none_journal_blocks,
	.open = none_open,
	.close = none_close,
	.recover = none_recover,
	.reserve = none_reserve,
	.unreserve = none_unreserve,
	.place = none_place,
	.flush = none_flush,
	.where = home_where,
	.checkpoint = none_checkpoint,
	.anchored = none_flush,
	.used_blocks = none_used,
};
