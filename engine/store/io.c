/* io.c - requests to the device: taken from a free list, counted, completed through a call-back.
 *
 * A failed write, append, sync or zone operation makes the store failed (S6); a failed sync is never tried again. A
 * failed punch is counted by the device and otherwise ignored: nothing relies on it. A failed read is its asker's. */
#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IO_SLAB 64u

int store_fail(struct store *s, const char *fmt, ...)
{
	if (!s->failed) {
		va_list ap;
		va_start(ap, fmt);
		s->failure.err = PL_FAILED;
		(void)vsnprintf(s->failure.text, sizeof s->failure.text, fmt, ap);
		s->fault = s->failure;
		va_end(ap);
	}
	s->failed = true;
	return PL_FAILED;
}

static void slab_add(struct store *s)
{
	struct io *slab = calloc(IO_SLAB, sizeof *slab);
	void **slabs = realloc(s->io_slabs, (s->io_nslabs + 1) * sizeof *slabs);
	if (!slab || !slabs) {
		(void)fputs("pagelab: out of memory\n", stderr);
		abort();
	}
	s->io_slabs = slabs;
	s->io_slabs[s->io_nslabs++] = slab;
	for (uint32_t i = 0; i < IO_SLAB; i++) {
		slab[i].next = s->io_free;
		s->io_free = &slab[i];
	}
}

struct io *io_take(struct store *s)
{
	if (!s->io_free)
		slab_add(s);
	struct io *io = s->io_free;
	s->io_free = io->next;
	memset(io, 0, sizeof *io);
	io->r.user = io;
	return io;
}

static void io_give(struct store *s, struct io *io)
{
	io->next = s->io_free;
	s->io_free = io;
}

static void completed(struct store *s, struct pl_ctx *x, struct io *io)
{
	struct dev_req *r = &io->r;
	if (r->status != PL_OK && r->op != DEV_READ && r->op != DEV_PUNCH)
		(void)store_fail(s,
			"%s of %" PRIu32 " blocks at block %" PRIu64
			" failed: %s; reopen the store to continue from what is durable",
			dev_op_name[r->op], r->blocks, r->block, pl_err_text(r->status));
	if (io->done)
		io->done(s, x, io);
	io_give(s, io);
}

void io_submit(struct store *s, struct pl_ctx *x, struct io *io)
{
	pl_charge(x, PL_COST_SUBMIT, 1);
	if (!x->simulated)
		x->now_ns = pl_clock_ns();
	int err = dev_submit(s->dev, x->now_ns, &io->r);
	if (err) { /* the contract forbids the request: ends at once */
		io->r.status = err;
		completed(s, x, io);
		return;
	}
	s->in_flight++;
}

void io_poll(struct store *s, struct pl_ctx *x)
{
	if (!x->simulated)
		x->now_ns = pl_clock_ns();
	for (struct dev_req *r; s->in_flight && (r = dev_poll(s->dev, x->now_ns)) != NULL;) {
		s->in_flight--;
		completed(s, x, r->user);
	}
}

void io_advance(struct store *s, struct pl_ctx *x)
{
	assert(s->in_flight);
	uint64_t before = s->in_flight;
	while (s->in_flight == before) {
		uint64_t next = dev_next_ns(s->dev);
		if (next == PL_NS_NEVER) { /* the device will not answer again: it lost power */
			(void)store_fail(s, "the device no longer answers");
			s->in_flight = 0;
			return;
		}
		if (x->simulated && next > x->now_ns)
			x->now_ns = next;
		io_poll(s, x);
	}
}

void io_drain(struct store *s, struct pl_ctx *x)
{
	io_poll(s, x);
	while (s->in_flight)
		io_advance(s, x);
}

static void note_status(struct store *s, struct pl_ctx *x, struct io *io)
{
	(void)s;
	(void)x;
	*(int *)io->owner = io->r.status;
}

static int blocking(struct store *s, struct pl_ctx *x, struct io *io)
{
	int status = PL_AGAIN;
	io->owner = &status;
	io->done = note_status;
	io_submit(s, x, io);
	while (status == PL_AGAIN && s->in_flight)
		io_advance(s, x);
	return status == PL_AGAIN ? PL_FAILED : status;
}

int io_sync(struct store *s, struct pl_ctx *x)
{
	if (s->failed)
		return PL_FAILED;
	struct io *io = io_take(s);
	io->r.op = DEV_SYNC;
	io->r.tag = DEV_TAG_META;
	s->stats.syncs++;
	return blocking(s, x, io);
}

int io_read(struct store *s, struct pl_ctx *x, enum dev_tag tag, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	struct io *io = io_take(s);
	io->r.op = DEV_READ;
	io->r.tag = tag;
	io->r.block = block;
	io->r.blocks = blocks;
	io->r.buf = buf;
	return blocking(s, x, io);
}

int io_write(struct store *s, struct pl_ctx *x, enum dev_tag tag, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	if (s->failed)
		return PL_FAILED;
	struct io *io = io_take(s);
	io->r.op = DEV_WRITE;
	io->r.tag = tag;
	io->r.block = block;
	io->r.blocks = blocks;
	io->r.buf = buf;
	return blocking(s, x, io);
}

int io_zone(struct store *s, struct pl_ctx *x, enum dev_op op, uint64_t block)
{
	if (s->failed)
		return PL_FAILED;
	struct io *io = io_take(s);
	io->r.op = op;
	io->r.tag = DEV_TAG_META;
	io->r.block = block;
	return blocking(s, x, io);
}

void io_punch(struct store *s, struct pl_ctx *x, uint64_t block, uint32_t blocks)
{
	if (s->failed || !s->dev->caps.punch)
		return;
	struct io *io = io_take(s);
	io->r.op = DEV_PUNCH;
	io->r.tag = DEV_TAG_META;
	io->r.block = block;
	io->r.blocks = blocks;
	s->stats.punches++;
	io_submit(s, x, io);
}
