/* checkpoint.c - the cut, the images, the anchor, and what becomes free.
 *
 *   1 cut: the log starts anew, nothing of it is in flight           (durability.cut)
 *   2 place every dirty page (by_parent: children before parents), then map pages, then the batch directory
 *   3 all writes seen -> sync 1: the images are durable
 *   4 the meta record, twice -> sync 2: the anchor is durable
 *   5 acknowledge what lies before the cut, free log, ids, zones and journal that only older anchors reach
 *   6 in place: write the batch home
 *
 * In this version a checkpoint runs to its end before another operation gets a turn; operations in flight keep their
 * pins and go on afterwards. Its time is charged like any other, so a stall shows in the latencies. */
#include "engine/store/store.h"

#include <stdlib.h>
#include <string.h>

struct dirty {
	uint64_t rank, id;
	uint32_t frame;
};

static int by_rank_and_id(const void *a, const void *b)
{
	const struct dirty *p = a, *q = b;
	if (p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	return p->id < q->id ? -1 : p->id > q->id;
}

/* An image needs the places of the pages below it, where parents hold those: from the leaves' values up to the root. */
static uint64_t rank(const struct store *s, uint32_t frame)
{
	const uint8_t *page = frame_page(s, frame);
	if (!store_by_parent(s) || page_kind(page) == PAGE_OVERFLOW_DATA)
		return 0;
	return page_kind(page) == PAGE_OVERFLOW_INDEX ? 1 : 2u + page_level(page);
}

static int place_dirty(struct store *s, struct pl_ctx *x)
{
	struct pool *p = &s->pool;
	struct dirty *list = malloc((p->dirty + 1u) * sizeof *list);
	uint32_t n = 0;
	if (!list)
		return store_fail(s, "no memory to list dirty pages");
	io_drain(s, x); /* no page is on its way any more, so every dirty one can go */
	for (uint32_t i = 0; i < p->frames; i++)
		if (p->frame[i].dirty)
			list[n++] = (struct dirty){rank(s, i), p->frame[i].id, i};
	qsort(list, n, sizeof *list, by_rank_and_id);
	for (uint32_t i = 0; i < n && !s->failed; i++)
		page_write(s, x, list[i].frame);
	free(list);
	s->choice.placement->flush(s, x);
	return s->failed ? PL_FAILED : PL_OK;
}

static void free_deferred(struct store *s)
{
	while (s->ndeferred_ids)
		s->free_ids[s->nfree_ids++] = s->deferred_ids[--s->ndeferred_ids];
}

bool checkpoint_due(const struct store *s)
{
	if (s->failed || s->checkpointing)
		return false;
	return (s->choice.durability->due && s->choice.durability->due(s)) ||
	       (s->choice.placement->due && s->choice.placement->due(s)) ||
	       (s->choice.placement->in_place && s->choice.guard->due && s->choice.guard->due(s));
}

int checkpoint_run(struct store *s, struct pl_ctx *x)
{
	if (s->failed)
		return PL_FAILED;
	uint64_t began = x->now_ns;
	struct anchor a = s->anchor;
	a.sequence++;
	a.epoch = s->epoch;
	a.flags = s->closing ? ANCHOR_CLEAN : 0;
	if (s->choice.placement->in_place && s->choice.guard->unsafe && !s->closing)
		a.flags |= ANCHOR_UNSAFE;
	s->checkpointing = true;
	s->choice.durability->cut(s, x, &a);
	a.records = s->records;
	a.overflow_pages = s->overflow_pages;
	int err = place_dirty(s, x);
	bool base = meta_wants_base(s); /* what the images changed may be more than a delta holds */
	if (!err)
		err = s->choice.addressing->prepare(s, x, base);
	if (!err) {
		s->choice.placement->flush(s, x);
		s->choice.placement->checkpoint(s, x, &a);
		io_drain(s, x);
		if (s->failed)
			err = PL_FAILED;
	}
	if (!err && kv_broken != KV_BREAK_IMAGE_SYNC)
		err = io_sync(s, x);
	a.clock = s->clock;
	if (!err)
		err = meta_write(s, x, &a, base);
	if (!err) {
		s->anchor = a;
		s->choice.addressing->anchored(s);
		free_deferred(s);
		s->choice.durability->anchored(s, x);
		s->choice.placement->anchored(s, x); /* home writes repeat the images of this epoch */
		s->epoch++;
		s->stats.checkpoints++;
	}
	s->checkpointing = false;
	s->stats.checkpoint_ns += x->now_ns - began;
	wake_log_waiters(s);
	wake_frame_waiters(s);
	return s->failed ? PL_FAILED : err;
}
