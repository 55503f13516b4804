/* overflow.c - values that do not fit in a leaf: an index page of references and data pages, all ordinary pages. */
#include "engine/btree/btree.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define READ_AHEAD 8u

static uint64_t data_id(const uint8_t *index, uint32_t k)
{
	return le64(index + OVERFLOW_AT + (size_t)k * 8);
}

static int check_index(struct store *s, const uint8_t *page, const struct overflow *o)
{
	if (page_kind(page) == PAGE_OVERFLOW_INDEX && le32(page + 68) == overflow_pages(s, o->length) &&
		le32(page + 68) <= overflow_room(s) / 8)
		return PL_OK;
	return pl_fault_set(&s->fault, PL_DAMAGED, "page %" PRIu64 " is not the index of a value of %" PRIu64 " bytes",
		page_id(page), o->length);
}

int overflow_read(struct store *s, struct pl_ctx *x, struct kv_op *op, const struct overflow *o)
{
	uint32_t own = op->in.height, n = overflow_pages(s, o->length);
	if (o->length > op->buf_bytes)
		return PL_TOOBIG;
	if (op->in.pins == own) {
		op->in.progress = 0;
		int err = path_want(s, x, op, o->index);
		if (err)
			return err;
	}
	const uint8_t *index = frame_page(s, op->in.frame[own]);
	int err = check_index(s, index, o);
	while (!err && op->in.progress < n) {
		uint32_t k = (uint32_t)op->in.progress;
		if (op->in.pins == own + 1) {
			for (uint32_t a = 1; a <= READ_AHEAD && k + a < n; a++)
				page_prefetch(s, x, data_id(index, k + a));
			err = path_want(s, x, op, data_id(index, k));
			if (err)
				return err;
		}
		const uint8_t *page = frame_page(s, op->in.frame[own + 1]);
		uint64_t at = (uint64_t)k * overflow_room(s), bytes = pl_min64(overflow_room(s), o->length - at);
		if (page_kind(page) != PAGE_OVERFLOW_DATA)
			return pl_fault_set(&s->fault, PL_DAMAGED, "page %" PRIu64 " is not a part of a large value",
				page_id(page));
		memcpy(op->buf + at, page + OVERFLOW_AT, bytes);
		pl_charge_bytes(x, PL_COST_COPY_KIB, bytes);
		path_cut(s, op, own + 1);
		op->in.height = (uint8_t)own;
		op->in.progress++;
	}
	return err;
}

uint64_t overflow_write(struct store *s, struct pl_ctx *x, pl_slice value)
{
	uint32_t n = overflow_pages(s, value.n), index = page_new(s, PAGE_OVERFLOW_INDEX, 0);
	uint8_t *ip = frame_page(s, index);
	put32(ip + 64, OVERFLOW_AT + n * 8);
	put32(ip + 68, n);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t frame = page_new(s, PAGE_OVERFLOW_DATA, 0);
		uint8_t *page = frame_page(s, frame);
		size_t at = (size_t)k * overflow_room(s),
		       bytes = value.n - at < overflow_room(s) ? value.n - at : overflow_room(s);
		put32(page + 64, OVERFLOW_AT + (uint32_t)bytes);
		memcpy(page + OVERFLOW_AT, value.p + at, bytes);
		put64(ip + OVERFLOW_AT + (size_t)k * 8, page_id(page));
	}
	pl_charge_bytes(x, PL_COST_COPY_KIB, value.n);
	s->overflow_pages += n + 1u;
	return page_id(ip);
}

int overflow_check(struct store *s, uint32_t index_frame, const struct overflow *o)
{
	const uint8_t *ip = frame_page(s, index_frame);
	int err = check_index(s, ip, o);
	for (uint32_t k = 0; !err && k < overflow_pages(s, o->length); k++) {
		uint64_t id = data_id(ip, k);
		if (!id || id > s->max_ids || !s->directory[id])
			err = pl_fault_set(&s->fault, PL_DAMAGED,
				"page %" PRIu64 " refers to page %" PRIu64 ", which does not exist", page_id(ip), id);
	}
	return err;
}

void overflow_free(struct store *s, uint32_t index_frame)
{
	const uint8_t *ip = frame_page(s, index_frame);
	uint32_t n = le32(ip + 68);
	uint64_t id = page_id(ip);
	for (uint32_t k = 0; k < n; k++)
		page_free(s, data_id(ip, k));
	page_free(s, id);
	s->overflow_pages -= n + 1u;
}

void overflow_drop_large(struct store *s, struct kv_op *op)
{
	if (s->large_owner != op)
		return;
	while (s->nlarge)
		page_unpin(s, s->large_frames[--s->nlarge]);
	s->large_owner = NULL;
	struct kv_op *next = queue_pop(&s->wait_large);
	if (next)
		op_ready(s, next);
}

int overflow_pin_range(
	struct store *s, struct pl_ctx *x, struct kv_op *op, const struct overflow *o, uint64_t offset, uint64_t n)
{
	uint32_t own = op->in.height;
	if (s->large_owner && s->large_owner != op) {
		op->in.wait = WAIT_LARGE;
		return PL_AGAIN;
	}
	s->large_owner = op;
	if (op->in.pins == own) {
		int err = path_want(s, x, op, o->index);
		if (err)
			return err;
	}
	const uint8_t *index = frame_page(s, op->in.frame[own]);
	int err = check_index(s, index, o);
	uint32_t first = (uint32_t)(offset / overflow_room(s)),
		 last = (uint32_t)((offset + (n ? n - 1 : 0)) / overflow_room(s));
	if (!err && last - first > s->max_overflow_pages) /* a store opened with a smaller max_value_bytes */
		return pl_fault_set(&s->fault, PL_TOOBIG,
			"an update of %" PRIu64 " bytes: the longest is %u (max_value_bytes)", n, s->max_value_bytes);
	if (s->nlarge && op->in.total != first) /* a modify that gave another patch this time */
		while (s->nlarge)
			page_unpin(s, s->large_frames[--s->nlarge]);
	op->in.total = first;
	while (!err && n && s->nlarge <= last - first) {
		uint32_t frame;
		err = page_get(s, x, data_id(index, first + s->nlarge), op, &frame);
		if (!err)
			s->large_frames[s->nlarge++] = frame;
		else if (err == PL_AGAIN && op->in.wait == WAIT_PAGE)
			op->in.large_wait = true;
	}
	return err;
}

void overflow_patch(struct store *s, const struct overflow *o, uint64_t offset, pl_slice bytes)
{
	uint32_t first = (uint32_t)(offset / overflow_room(s));
	size_t done = 0;
	(void)o;
	for (uint32_t i = 0; i < s->nlarge && done < bytes.n; i++) {
		page_dirty(s, s->large_frames[i]);
		uint64_t at = offset + done - (uint64_t)(first + i) * overflow_room(s);
		size_t n = pl_min64(overflow_room(s) - at, bytes.n - done);
		memcpy(frame_page(s, s->large_frames[i]) + OVERFLOW_AT + at, bytes.p + done, n);
		done += n;
	}
	assert(done == bytes.n);
}
