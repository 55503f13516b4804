/* gather.c - a sequential writer: images are copied into one of two buffers and go out as one large write.
 *
 * One write in flight per writer, so that a zone sees its blocks in order; the next buffer gathers meanwhile.
 * When both are busy the owner waits for the device: that is back-pressure, and its time is charged.
 *
 * Packed images share the blocks of the buffer being filled, by best fit (pack.h); a block is closed when it goes out, and
 * the first image in it gives it its tag. */
#include "engine/store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_A_BLOCK 8u /* packed images in one buffer, for each of its blocks: more, and it goes out */

int gather_open(struct gather *g, const struct store *s, uint32_t buffer_blocks)
{
	memset(g, 0, sizeof *g);
	g->buffer_blocks = buffer_blocks < s->page_blocks ? s->page_blocks : buffer_blocks;
	g->frames_room = g->buffer_blocks * (s->packs ? FRAMES_A_BLOCK : 1);
	if (s->packs && pack_open(&g->window, g->buffer_blocks))
		return PL_NOMEM;
	for (int i = 0; i < 2; i++) {
		g->buffer[i] = aligned_alloc(4096, (size_t)g->buffer_blocks * s->block_bytes);
		g->tags[i] = calloc(g->buffer_blocks, 1);
		g->frames[i] = calloc(g->frames_room, sizeof **g->frames);
		if (!g->buffer[i] || !g->tags[i] || !g->frames[i])
			return PL_NOMEM;
	}
	return PL_OK;
}

void gather_close(struct gather *g)
{
	for (int i = 0; i < 2; i++) {
		free(g->buffer[i]);
		free(g->tags[i]);
		free(g->frames[i]);
	}
	pack_close(&g->window);
	memset(g, 0, sizeof *g);
}

void gather_seek(struct gather *g, uint64_t block)
{
	assert(!g->used_blocks);
	g->next = g->filled_from = block;
}

static void written(struct store *s, struct pl_ctx *x, struct io *io)
{
	struct gather *g = io->owner;
	uint32_t b = (uint32_t)io->arg;
	for (uint32_t i = 0; i < g->nframes[b]; i++)
		page_written(s, x, g->frames[b][i]);
	g->nframes[b] = 0;
	g->in_flight[b] = false;
}

void gather_flush(struct store *s, struct pl_ctx *x, struct gather *g)
{
	if (!g->used_blocks || s->failed)
		return;
	uint32_t b = g->current;
	while (g->in_flight[b ^ 1] && !s->failed)
		io_advance(s, x);
	if (s->failed)
		return;
	struct io *io = io_take(s);
	io->r.op = DEV_WRITE;
	io->r.tag = (enum dev_tag)g->tags[b][0];
	io->r.stream = g->hint;
	io->r.block_tags = g->tags[b];
	io->r.block = g->filled_from;
	io->r.blocks = g->used_blocks;
	io->r.buf = g->buffer[b];
	io->owner = g;
	io->arg = b;
	io->done = written;
	g->in_flight[b] = true;
	g->current = b ^ 1;
	g->filled_from = g->next;
	g->used_blocks = 0;
	pack_reset(&g->window);
	io_submit(s, x, io);
}

/* Room for n more blocks and one more image: the buffer goes out if it has none. False: the store has failed. */
static bool make_room(struct store *s, struct pl_ctx *x, struct gather *g, uint32_t n)
{
	if (g->used_blocks + n > g->buffer_blocks || g->nframes[g->current] == g->frames_room)
		gather_flush(s, x, g);
	assert(!g->in_flight[g->current] || s->failed);
	return !s->failed;
}

static void note_frame(struct gather *g, uint32_t frame)
{
	uint32_t b = g->current;
	if (frame != POOL_NONE)
		g->frames[b][g->nframes[b]++] = frame;
}

uint64_t gather_add(struct store *s, struct pl_ctx *x, struct gather *g, const struct plc_image *i)
{
	uint32_t n = (uint32_t)__builtin_popcount(i->img.bitmap);
	if (!make_room(s, x, g, n))
		return g->next;
	uint32_t b = g->current;
	memcpy(g->buffer[b] + (size_t)g->used_blocks * s->block_bytes, i->bytes, (size_t)n * s->block_bytes);
	memset(g->tags[b] + g->used_blocks, (int)i->tag, n);
	if (s->packs)
		pack_whole(&g->window, n);
	note_frame(g, i->frame);
	uint64_t at = g->next;
	g->next += n;
	g->used_blocks += n;
	return at;
}

static uint32_t new_blocks(const struct gather *g, uint32_t units)
{
	uint32_t n = pack_new_blocks(&g->window, units);
	bool flush = g->used_blocks + n > g->buffer_blocks || g->nframes[g->current] == g->frames_room;
	return flush ? (units + PAGE_UNITS - 1) / PAGE_UNITS : n;
}

uint32_t gather_blocks(const struct gather *g, const struct plc_image *i)
{
	return i->units ? new_blocks(g, i->units) : (uint32_t)__builtin_popcount(i->img.bitmap);
}

pl_loc gather_place(struct store *s, struct pl_ctx *x, struct gather *g, const struct plc_image *i)
{
	uint32_t at, offset, unit = s->block_bytes / PAGE_UNITS;
	if (!i->units)
		return loc_make(gather_add(s, x, g, i), i->img.bitmap, i->img.codec, i->generation);
	if (!make_room(s, x, g, pack_new_blocks(&g->window, i->units)))
		return loc_pack(g->next, 0, i->units, i->img.codec, i->generation);
	uint32_t b = g->current, n = pack_new_blocks(&g->window, i->units);
	memset(g->buffer[b] + (size_t)g->used_blocks * s->block_bytes, 0, (size_t)n * s->block_bytes);
	memset(g->tags[b] + g->used_blocks, (int)i->tag, n);
	pack_put(&g->window, i->units, &at, &offset);
	memcpy(g->buffer[b] + (size_t)at * s->block_bytes + offset * unit, i->bytes, (size_t)i->units * unit);
	note_frame(g, i->frame);
	g->next += n;
	g->used_blocks += n;
	return loc_pack(g->filled_from + at, offset, i->units, i->img.codec, i->generation);
}
