/* home.c - writing pages in place: each block of an image at its home offset in a slot of the page.
 *
 * An image's blocks present are written in runs of consecutive blocks; blocks that the page's previous image had and this
 * one has not are punched. Which blocks the device holds for a slot is remembered (unknown after opening: all), so that
 * nothing is punched twice. Absent blocks are never relied on: readers obey the bitmap in block 0. */
#include "engine/store/store.h"

#include <stdlib.h>
#include <string.h>

#define HOME_BUFFERS 32u

struct home {
	uint16_t *bitmap; /* blocks the device may hold, per slot */
	uint8_t *memory;
	uint32_t free[HOME_BUFFERS], nfree;
	uint32_t left[HOME_BUFFERS], frame[HOME_BUFFERS]; /* writes under way, whom to tell */
};

int home_open(struct store *s, struct home **out)
{
	struct home *h = calloc(1, sizeof *h);
	if (!h)
		return PL_NOMEM;
	*out = h;
	uint64_t slots = s->max_ids * home_slots(s);
	h->bitmap = malloc(slots * sizeof *h->bitmap);
	h->memory = aligned_alloc(4096, (size_t)HOME_BUFFERS * ((s->page_bytes + 4095u) & ~4095u));
	if (!h->bitmap || !h->memory)
		return PL_NOMEM;
	for (uint64_t i = 0; i < slots; i++)
		h->bitmap[i] = s->full_bitmap;
	for (uint32_t i = 0; i < HOME_BUFFERS; i++)
		h->free[h->nfree++] = i;
	return PL_OK;
}

void home_close(struct home *h)
{
	if (!h)
		return;
	free(h->bitmap);
	free(h->memory);
	free(h);
}

static void run_written(struct store *s, struct pl_ctx *x, struct io *io)
{
	struct home *h = io->owner;
	uint32_t b = (uint32_t)io->arg;
	if (--h->left[b])
		return;
	h->free[h->nfree++] = b;
	if (h->frame[b] != POOL_NONE)
		page_written(s, x, h->frame[b]);
}

static uint16_t *held(const struct store *s, struct home *h, uint64_t id, uint32_t slot)
{
	return &h->bitmap[(id - 1) * home_slots(s) + slot];
}

static void write_run(struct store *s, struct pl_ctx *x, struct home *h, uint32_t b, enum dev_tag tag, uint64_t block,
	uint32_t n, uint8_t *from)
{
	struct io *io = io_take(s);
	io->r.op = DEV_WRITE;
	io->r.tag = tag;
	io->r.block = block;
	io->r.blocks = n;
	io->r.buf = from;
	io->owner = h;
	io->arg = b;
	io->done = run_written;
	h->left[b]++;
	io_submit(s, x, io);
}

void home_trim(struct store *s, struct pl_ctx *x, struct home *h, uint64_t id, uint32_t slot, uint16_t keep)
{
	uint16_t *has = held(s, h, id, slot);
	uint64_t block = home_slot_block(s, id, slot);
	if (*has && !keep)
		io_punch(s, x, block, s->page_blocks);
	for (uint32_t at = 0; keep && at < s->page_blocks;) {
		uint32_t n = 0;
		while (at + n < s->page_blocks && (*has & ~keep) >> (at + n) & 1)
			n++;
		if (n)
			io_punch(s, x, block + at, n);
		at += n ? n : 1;
	}
	*has &= keep;
}

static void write_image(
	struct store *s, struct pl_ctx *x, struct home *h, uint32_t slot, const struct plc_image *i, bool trim)
{
	while (!h->nfree && !s->failed)
		io_advance(s, x);
	if (s->failed)
		return;
	uint32_t b = h->free[--h->nfree];
	uint8_t *copy = h->memory + (size_t)b * ((s->page_bytes + 4095u) & ~4095u);
	uint16_t now = i->img.bitmap;
	memcpy(copy, i->bytes, (size_t)__builtin_popcount(now) * s->block_bytes);
	h->frame[b] = i->frame;
	h->left[b] = 1; /* held until all runs are submitted: a device may complete at once */
	uint32_t dense = 0;
	for (uint32_t at = 0; at < s->page_blocks;) {
		uint32_t n = 0;
		while (at + n < s->page_blocks && now >> (at + n) & 1)
			n++;
		if (n) {
			write_run(s, x, h, b, i->tag, home_slot_block(s, i->id.v, slot) + at, n,
				copy + (size_t)dense * s->block_bytes);
			dense += n;
			at += n;
		} else
			at++;
	}
	*held(s, h, i->id.v, slot) |= now;
	if (trim)
		home_trim(s, x, h, i->id.v, slot, now);
	if (!--h->left[b]) { /* everything had completed already */
		h->free[h->nfree++] = b;
		if (i->frame != POOL_NONE)
			page_written(s, x, i->frame);
	}
}

void home_write(struct store *s, struct pl_ctx *x, struct home *h, const struct plc_image *i)
{
	write_image(s, x, h, 0, i, true);
}

void home_write_slot(struct store *s, struct pl_ctx *x, struct home *h, uint32_t slot, const struct plc_image *i)
{
	write_image(s, x, h, slot, i, false);
}

struct plc_where home_where(const struct store *s, uint64_t id, pl_loc loc)
{
	uint32_t reach = 32u - (uint32_t)__builtin_clz((uint32_t)loc_bitmap(loc));
	(void)s;
	(void)id;
	return (struct plc_where){loc_block(loc), reach, true};
}
