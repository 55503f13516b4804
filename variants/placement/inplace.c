/* inplace.c - a page is overwritten where it lies; its parent need not change.
 *
 *   | meta half 0 | meta half 1 | log | journal | slot of page 1 | slot of page 2 | ...      slot = page_bytes
 *
 * Every page owns a whole slot; blocks that its image does not need are punched, so a page that shrinks or grows never
 * moves. The two debts of overwriting, torn pages and the atomicity of a checkpoint, are the guard's to pay. A guard with
 * two slots a page (pingpong) pays them with address space: slots of page 1, slots of page 2 ...
 *
 * The account is of addresses: a page's slots are its own, so what its image leaves of them is dead to others, although a
 * device that trims holds no data there (`stored_bytes` says what it holds). capacity = slots of all pages.
 * Conventional devices only. Cost: none of its own; space for a page's largest image is always there. */
#include "engine/store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct grd_ops *guard(const struct store *s)
{
	return s->choice.guard;
}

/* How many pages fit once meta halves, log and journal are taken off: both depend on each other, so go down until it fits. */
static int inplace_open(struct store *s, struct pl_fault *f)
{
	struct layout *l = &s->layout;
	uint64_t total = s->dev->caps.capacity_blocks;
	uint64_t log = s->choice.durability->log_blocks(s);
	uint64_t journal = guard(s)->journal_blocks(s, total);
	uint64_t meta = 0, left = total > log + journal ? total - log - journal : 0;
	uint32_t slots = home_slots(s), own_blocks = s->page_blocks * slots;
	for (s->max_ids = left / own_blocks; s->max_ids; s->max_ids -= s->max_ids / 256 + 1) {
		size_t base = (s->max_ids / 64 * 8 + 8) * slots + 56;
		meta = 2 * pl_div_up(base + strlen(s->spec) + 256, s->block_bytes) + 8 * 9 + 32;
		if (2 * meta + s->max_ids * own_blocks <= left)
			break;
	}
	if (s->max_ids < 16 || s->max_ids > UINT32_MAX - 1)
		return pl_fault_set(f, PL_FULL,
			"device too small: %" PRIu64
			" blocks leave no room for 16 pages beside two meta halves, %" PRIu64
			" blocks of log and %" PRIu64
			" of journal; enlarge device_bytes or shrink log_bytes or the journal",
			total, log, journal);
	l->meta_blocks = meta;
	l->meta_start[0] = 0;
	l->meta_start[1] = meta;
	l->log_start = 2 * meta;
	l->log_segments = log ? 4 : 0;
	l->log_stride = l->log_segment_blocks = log / 4;
	l->journal_start = l->log_start + log;
	l->journal_blocks = journal;
	l->data_start = l->journal_start + journal;
	l->data_blocks = s->max_ids * own_blocks;
	return PL_OK;
}

/* The guard needs the number of ids that the addressing settled on: opened by recover or format. */
static void inplace_close(struct store *s)
{
	guard(s)->close(s);
}

static int inplace_format(struct store *s, struct pl_ctx *x)
{
	(void)x;
	return guard(s)->open(s, &s->fault);
}

static void inplace_adopt(struct store *s, uint64_t id, bool map, pl_loc loc)
{
	(void)s;
	(void)id;
	(void)map;
	(void)loc;
}

static int inplace_recover(struct store *s, struct pl_ctx *x)
{
	int err = guard(s)->open(s, &s->fault);
	return err ? err : guard(s)->recover(s, x);
}

static bool inplace_reserve(struct store *s, uint32_t pages, bool urgent)
{
	(void)urgent;
	return guard(s)->reserve(s, pages);
}

static void inplace_unreserve(struct store *s, uint32_t pages)
{
	guard(s)->unreserve(s, pages);
}

static int inplace_make_room(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent)
{
	/* one checkpoint empties the open batch, a second one frees the batch that it wrote home */
	for (int i = 0; i < 2; i++) {
		int err = checkpoint_run(s, x);
		if (err)
			return err;
		if (inplace_reserve(s, pages, urgent)) {
			inplace_unreserve(s, pages);
			return PL_OK;
		}
	}
	return PL_FULL;
}

static pl_loc inplace_place(struct store *s, struct pl_ctx *x, const struct plc_image *i)
{
	return guard(s)->place(s, x, i);
}

static void inplace_flush(struct store *s, struct pl_ctx *x)
{
	guard(s)->flush(s, x);
}

static struct plc_where inplace_where(const struct store *s, uint64_t id, pl_loc loc)
{
	return guard(s)->where(s, id, loc);
}

static void inplace_release(struct store *s, uint64_t id, pl_loc loc)
{
	if (guard(s)->release)
		guard(s)->release(s, id, loc);
}

static void inplace_checkpoint(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	guard(s)->checkpoint(s, x, a);
}

static void inplace_anchored(struct store *s, struct pl_ctx *x)
{
	guard(s)->anchored(s, x);
}

static void inplace_report(const struct store *s, struct plc_report *r)
{
	uint64_t pages = 0, own_blocks = (uint64_t)s->page_blocks * home_slots(s);
	memset(r, 0, sizeof *r);
	for (uint64_t id = 1; id <= s->max_ids; id++)
		if (s->directory[id]) {
			pl_loc loc = store_loc(s, id);
			pages++;
			r->live_blocks += loc.v ? loc_blocks(loc) : s->page_blocks;
		}
	r->capacity_blocks = s->layout.data_blocks;
	r->dead_blocks = pages * own_blocks - r->live_blocks; /* holes and second slots: not usable by others */
	r->reserved_blocks = s->ndeferred_ids * own_blocks;
	r->free_blocks = r->capacity_blocks - r->live_blocks - r->dead_blocks - r->reserved_blocks;
}

const struct plc_ops plc_inplace = {
	.name = "inplace",
	.summary = "every page overwritten in its own slot; blocks not needed are punched",
	.in_place = true,
	.open = inplace_open,
	.close = inplace_close,
	.format = inplace_format,
	.adopt = inplace_adopt,
	.recover = inplace_recover,
	.reserve = inplace_reserve,
	.unreserve = inplace_unreserve,
	.make_room = inplace_make_room,
	.place = inplace_place,
	.flush = inplace_flush,
	.where = inplace_where,
	.release = inplace_release,
	.checkpoint = inplace_checkpoint,
	.anchored = inplace_anchored,
	.report = inplace_report,
};
