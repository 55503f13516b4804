/* overflow.c - values that do not fit in a leaf: an index page of references and data pages, all ordinary pages. */
#include "engine/btree/btree.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define READ_AHEAD 8u

struct overflow overflow_of(struct store *s, uint8_t *page, const struct nod_entry *e)
{
	uint8_t *v = page + (e->value.p - page);
	if (e->value.n != OVERFLOW_ENTRY)
		return (struct overflow){0, 0, 0, OVERFLOW_AT};
	return (struct overflow){le64(v), le64(v + 8), ref_page(s, v + 16), overflow_at(s, e->prefix.n + e->suffix.n)};
}

static uint8_t *part_ref(uint8_t *index, uint32_t at, uint32_t k)
{
	return index + at + (size_t)k * 8;
}

uint64_t overflow_part(struct store *s, uint8_t *index, const struct overflow *o, uint32_t k)
{
	return ref_page(s, part_ref(index, o->at, k));
}

int overflow_is_index(struct store *s, const uint8_t *page, const struct overflow *o, struct pl_fault *f)
{
	uint32_t n = le32(page + 68);
	if (page_kind(page) == PAGE_OVERFLOW_INDEX && n == overflow_pages(s, o->at, o->length) &&
		n <= overflow_room(s, o->at) / 8 &&
		(!store_by_parent(s) || overflow_at(s, le32(page + OVERFLOW_AT)) == o->at))
		return PL_OK;
	return pl_fault_set(f, PL_DAMAGED, "page %" PRIu64 " is not the index of a value of %" PRIu64 " bytes",
		page_id(page), o->length);
}

int overflow_read(struct store *s, struct pl_ctx *x, struct kv_op *op, const struct overflow *o)
{
	uint32_t own = op->in.height, room = overflow_room(s, o->at), n = overflow_pages(s, o->at, o->length);
	if (o->length > op->buf_bytes)
		return PL_TOOBIG;
	if (op->in.pins == own) {
		op->in.progress = 0;
		int err = path_want(s, x, op, o->index);
		if (err)
			return err;
	}
	uint8_t *index = frame_page(s, op->in.frame[own]);
	int err = overflow_is_index(s, index, o, &s->fault);
	while (!err && op->in.progress < n) {
		uint32_t k = (uint32_t)op->in.progress;
		if (op->in.pins == own + 1) {
			for (uint32_t a = 1; a <= READ_AHEAD && k + a < n; a++)
				page_prefetch(s, x, overflow_part(s, index, o, k + a));
			err = path_want(s, x, op, overflow_part(s, index, o, k));
			if (err)
				return err;
		}
		const uint8_t *page = frame_page(s, op->in.frame[own + 1]);
		uint64_t at = (uint64_t)k * room, bytes = pl_min64(room, o->length - at);
		if (page_kind(page) != PAGE_OVERFLOW_DATA)
			return pl_fault_set(&s->fault, PL_DAMAGED, "page %" PRIu64 " is not a part of a large value",
				page_id(page));
		memcpy(op->buf + at, page + o->at, bytes);
		pl_charge_bytes(x, PL_COST_COPY_KIB, bytes);
		path_cut(s, op, own + 1);
		op->in.height = (uint8_t)own;
		op->in.progress++;
	}
	return err;
}

/* A new page of a value, used bytes of it from where data or references begin. */
static uint8_t *part_new(struct store *s, enum page_kind kind, pl_slice key, uint32_t used)
{
	uint8_t *page = frame_page(s, page_new(s, kind, 0));
	put32(page + 64, overflow_at(s, key.n) + used);
	if (store_by_parent(s)) {
		put32(page + OVERFLOW_AT, (uint32_t)key.n);
		memcpy(page + OVERFLOW_AT + 8, key.p, key.n);
	}
	return page;
}

uint64_t overflow_write(struct store *s, struct pl_ctx *x, pl_slice key, pl_slice value)
{
	uint32_t at = overflow_at(s, key.n), room = overflow_room(s, at), n = overflow_pages(s, at, value.n);
	uint8_t *ip = part_new(s, PAGE_OVERFLOW_INDEX, key, n * 8);
	put32(ip + 68, n);
	for (uint32_t k = 0; k < n; k++) {
		size_t from = (size_t)k * room, bytes = value.n - from < room ? value.n - from : room;
		uint8_t *page = part_new(s, PAGE_OVERFLOW_DATA, key, (uint32_t)bytes);
		memcpy(page + at, value.p + from, bytes);
		put64(part_ref(ip, at, k), ref_to(s, page_id(page)));
	}
	pl_charge_bytes(x, PL_COST_COPY_KIB, value.n);
	s->overflow_pages += n + 1u;
	return ref_to(s, page_id(ip));
}

int overflow_check(struct store *s, uint32_t index_frame, const struct overflow *o)
{
	uint8_t *ip = frame_page(s, index_frame);
	int err = overflow_is_index(s, ip, o, &s->fault);
	for (uint32_t k = 0; !err && k < overflow_pages(s, o->at, o->length); k++)
		if (!ref_live(s, part_ref(ip, o->at, k)))
			err = pl_fault_set(&s->fault, PL_DAMAGED,
				"page %" PRIu64 " refers to page %" PRIu64 ", which does not exist", page_id(ip),
				le64(part_ref(ip, o->at, k)));
	return err;
}

void overflow_free(struct store *s, uint32_t index_frame)
{
	uint8_t *ip = frame_page(s, index_frame);
	uint32_t n = le32(ip + 68), at = overflow_at(s, store_by_parent(s) ? le32(ip + OVERFLOW_AT) : 0);
	uint64_t id = page_id(ip);
	for (uint32_t k = 0; k < n; k++)
		ref_free(s, part_ref(ip, at, k));
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
	uint8_t *index = frame_page(s, op->in.frame[own]);
	int err = overflow_is_index(s, index, o, &s->fault);
	uint32_t room = overflow_room(s, o->at);
	uint32_t first = (uint32_t)(offset / room), last = (uint32_t)((offset + (n ? n - 1 : 0)) / room);
	if (!err && last - first > s->max_overflow_pages) /* a store opened with a smaller max_value_bytes */
		return pl_fault_set(&s->fault, PL_TOOBIG,
			"an update of %" PRIu64 " bytes: the longest is %u (max_value_bytes)", n, s->max_value_bytes);
	if (s->nlarge && op->in.total != first) /* a modify that gave another patch this time */
		while (s->nlarge)
			page_unpin(s, s->large_frames[--s->nlarge]);
	op->in.total = first;
	while (!err && n && s->nlarge <= last - first) {
		uint32_t frame;
		err = page_get(s, x, overflow_part(s, index, o, first + s->nlarge), op, &frame);
		if (!err)
			s->large_frames[s->nlarge++] = frame;
		else if (err == PL_AGAIN && op->in.wait == WAIT_PAGE)
			op->in.large_wait = true;
	}
	return err;
}

void overflow_patch(struct store *s, const struct overflow *o, uint64_t offset, pl_slice bytes)
{
	uint32_t room = overflow_room(s, o->at), first = (uint32_t)(offset / room);
	size_t done = 0;
	for (uint32_t i = 0; i < s->nlarge && done < bytes.n; i++) {
		page_dirty(s, s->large_frames[i]);
		uint64_t at = offset + done - (uint64_t)(first + i) * room;
		size_t n = pl_min64(room - at, bytes.n - done);
		memcpy(frame_page(s, s->large_frames[i]) + o->at + at, bytes.p + done, n);
		done += n;
	}
	assert(done == bytes.n);
}
