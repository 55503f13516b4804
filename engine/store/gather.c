/* gather.c - a sequential writer: images are copied into one of two buffers and go out as one large write.
 *
 * One write in flight per writer, so that a zone sees its blocks in order; the next buffer gathers meanwhile.
 * When both are busy the owner waits for the device: that is back-pressure, and its time is charged. */
#include "engine/store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int gather_open(struct gather *g, const struct store *s, uint32_t buffer_blocks)
{
	memset(g, 0, sizeof *g);
	g->buffer_blocks = buffer_blocks < s->page_blocks ? s->page_blocks : buffer_blocks;
	for (int i = 0; i < 2; i++) {
		g->buffer[i] = aligned_alloc(4096, (size_t)g->buffer_blocks * s->block_bytes);
		g->tags[i] = calloc(g->buffer_blocks, 1);
		g->frames[i] = calloc(g->buffer_blocks, sizeof **g->frames);
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
	io_submit(s, x, io);
}

uint64_t gather_add(struct store *s, struct pl_ctx *x, struct gather *g, const struct plc_image *i)
{
	uint32_t n = (uint32_t)__builtin_popcount(i->img.bitmap);
	if (g->used_blocks + n > g->buffer_blocks)
		gather_flush(s, x, g);
	uint32_t b = g->current;
	assert(!g->in_flight[b] || s->failed);
	if (s->failed)
		return g->next;
	memcpy(g->buffer[b] + (size_t)g->used_blocks * s->block_bytes, i->bytes, (size_t)n * s->block_bytes);
	memset(g->tags[b] + g->used_blocks, (int)i->tag, n);
	if (i->frame != POOL_NONE)
		g->frames[b][g->nframes[b]++] = i->frame;
	uint64_t at = g->next;
	g->next += n;
	g->used_blocks += n;
	return at;
}
