#include "engine/store/content.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (1u << 20)

int dev_content_init(struct dev_content *c, uint32_t block_bytes, uint64_t blocks)
{
	*c = (struct dev_content){.block_bytes = block_bytes, .blocks = blocks};
	if (blocks > UINT32_MAX - 1 || block_bytes < sizeof(uint32_t))
		return PL_INVALID;
	c->slots_per_chunk = block_bytes < CHUNK_BYTES ? CHUNK_BYTES / block_bytes : 1;
	c->handle = calloc(blocks, sizeof *c->handle);
	c->chunk = calloc(pl_div_up(blocks, c->slots_per_chunk), sizeof *c->chunk);
	if (c->handle && c->chunk)
		return PL_OK;
	dev_content_deinit(c);
	return PL_NOMEM;
}

int dev_content_clone(struct dev_content *to, const struct dev_content *from)
{
	*to = (struct dev_content){.block_bytes = from->block_bytes, .blocks = from->blocks};
	if (!from->handle)
		return PL_OK;
	int err = dev_content_init(to, from->block_bytes, from->blocks);
	if (err)
		return err;
	size_t chunk_bytes = (size_t)to->slots_per_chunk * to->block_bytes;
	for (uint32_t i = 0; i < pl_div_up(from->slots, from->slots_per_chunk); i++) {
		to->chunk[i] = malloc(chunk_bytes);
		if (!to->chunk[i]) {
			dev_content_deinit(to);
			return PL_NOMEM;
		}
		memcpy(to->chunk[i], from->chunk[i], chunk_bytes);
		to->slots = (uint32_t)pl_min64(from->slots, ((uint64_t)i + 1) * from->slots_per_chunk);
	}
	memcpy(to->handle, from->handle, from->blocks * sizeof *to->handle);
	to->free_slot = from->free_slot;
	to->stored_blocks = from->stored_blocks;
	return PL_OK;
}

void dev_content_deinit(struct dev_content *c)
{
	for (uint32_t i = 0; c->chunk && i < pl_div_up(c->slots, c->slots_per_chunk); i++)
		free(c->chunk[i]);
	free(c->chunk);
	free(c->handle);
	memset(c, 0, sizeof *c);
}

static uint8_t *slot_of(const struct dev_content *c, uint32_t handle)
{
	uint32_t slot = handle - 1;
	return c->chunk[slot / c->slots_per_chunk] + (size_t)(slot % c->slots_per_chunk) * c->block_bytes;
}

static uint32_t slot_take(struct dev_content *c)
{
	uint32_t handle = c->free_slot;
	if (handle) {
		memcpy(&c->free_slot, slot_of(c, handle), sizeof c->free_slot);
		return handle;
	}
	uint32_t chunk = c->slots / c->slots_per_chunk;
	if (c->slots % c->slots_per_chunk == 0) {
		c->chunk[chunk] = malloc((size_t)c->slots_per_chunk * c->block_bytes);
		if (!c->chunk[chunk])
			return 0;
	}
	return ++c->slots;
}

void dev_content_read(const struct dev_content *c, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	assert(block + blocks <= c->blocks);
	if (!c->handle)
		return;
	for (uint32_t i = 0; i < blocks; i++, buf += c->block_bytes)
		if (c->handle[block + i])
			memcpy(buf, slot_of(c, c->handle[block + i]), c->block_bytes);
		else
			memset(buf, 0, c->block_bytes);
}

int dev_content_write(struct dev_content *c, uint64_t block, uint32_t blocks, const uint8_t *buf)
{
	assert(block + blocks <= c->blocks);
	if (!c->handle)
		return PL_OK;
	for (uint32_t i = 0; i < blocks; i++, buf += c->block_bytes) {
		uint32_t handle = c->handle[block + i];
		if (!handle) {
			handle = slot_take(c);
			if (!handle)
				return PL_NOMEM;
			c->handle[block + i] = handle;
			c->stored_blocks++;
		}
		memcpy(slot_of(c, handle), buf, c->block_bytes);
	}
	return PL_OK;
}

void dev_content_punch(struct dev_content *c, uint64_t block, uint64_t blocks)
{
	assert(block + blocks <= c->blocks);
	if (!c->handle)
		return;
	for (uint64_t i = block; i < block + blocks; i++) {
		uint32_t handle = c->handle[i];
		if (!handle)
			continue;
		memcpy(slot_of(c, handle), &c->free_slot, sizeof c->free_slot);
		c->free_slot = handle;
		c->handle[i] = 0;
		c->stored_blocks--;
	}
}

int dev_heap_clone(struct dev_heap *to, const struct dev_heap *from)
{
	*to = (struct dev_heap){0};
	int err = dev_heap_reserve(to, from->room);
	if (!err && from->n)
		memcpy(to->due, from->due, from->n * sizeof *to->due);
	to->n = from->n;
	return err;
}

int dev_heap_reserve(struct dev_heap *h, size_t n)
{
	if (n <= h->room)
		return PL_OK;
	size_t room = h->room ? h->room : 64;
	while (room < n)
		room *= 2;
	struct dev_due *due = realloc(h->due, room * sizeof *due);
	if (!due)
		return PL_NOMEM;
	h->due = due;
	h->room = room;
	return PL_OK;
}

void dev_heap_deinit(struct dev_heap *h)
{
	free(h->due);
	*h = (struct dev_heap){0};
}

static bool due_before(const struct dev_due *a, const struct dev_due *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void dev_heap_push(struct dev_heap *h, uint64_t at, uint64_t order, uint64_t item)
{
	assert(h->n < h->room);
	struct dev_due new = {at, order, item};
	size_t i = h->n++;
	for (; i > 0; i = (i - 1) / 2) {
		struct dev_due *parent = &h->due[(i - 1) / 2];
		if (due_before(parent, &new))
			break;
		h->due[i] = *parent;
	}
	h->due[i] = new;
}

struct dev_due dev_heap_pop(struct dev_heap *h)
{
	assert(h->n > 0);
	struct dev_due least = h->due[0], last = h->due[--h->n];
	size_t i = 0, child;
	for (; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n && due_before(&h->due[child + 1], &h->due[child]))
			child++;
		if (due_before(&last, &h->due[child]))
			break;
		h->due[i] = h->due[child];
	}
	h->due[i] = last;
	return least;
}

int dev_req_check(const struct dev_caps *caps, const struct dev_req *r)
{
	bool on_blocks = false, needs_buf = false, on_zone_start = false, on_file_start = false, offered = true;
	switch (r->op) {
	case DEV_READ:
	case DEV_WRITE:
		on_blocks = needs_buf = true;
		break;
	case DEV_APPEND:
		on_blocks = needs_buf = on_zone_start = true;
		offered = caps->append;
		break;
	case DEV_PUNCH:
		on_blocks = true;
		offered = caps->punch;
		break;
	case DEV_SYNC:
		break;
	case DEV_ZONE_RESET:
	case DEV_ZONE_FINISH:
	case DEV_ZONE_OPEN:
	case DEV_ZONE_CLOSE:
		on_zone_start = true;
		offered = caps->zone_blocks != 0 && (!r->zrwa || caps->zrwa_blocks);
		break;
	case DEV_ZONE_FLUSH:
		offered = caps->zrwa_blocks != 0;
		break;
	case DEV_TRUNCATE:
		offered = caps->files != 0;
		break;
	case DEV_FILE_OPEN:
	case DEV_FILE_CLOSE:
	case DEV_FILE_MOVE:
	case DEV_FILE_REMOVE:
		on_file_start = true;
		offered = caps->files != 0;
		break;
	case DEV_OPS:
	default:
		return PL_INVALID;
	}
	if (!offered || (unsigned)r->tag >= DEV_TAGS || (needs_buf && !r->buf && !caps->contentless))
		return PL_INVALID;
	if (on_blocks != (r->blocks != 0) || r->blocks > DEV_REQ_BLOCKS_MAX)
		return PL_INVALID;
	if (r->op != DEV_SYNC && (r->block >= caps->capacity_blocks || r->blocks > caps->capacity_blocks - r->block))
		return PL_RANGE;
	if (on_zone_start && r->block % caps->zone_blocks != 0)
		return PL_INVALID;
	if (on_file_start && r->block % caps->file_blocks != 0)
		return PL_INVALID;
	return PL_OK;
}

void dev_req_count(struct dev_stats *s, const struct dev_caps *caps, const struct dev_req *r)
{
	uint64_t bytes = (uint64_t)r->blocks * caps->block_bytes;
	switch (r->op) {
	case DEV_READ:
		s->host_reads[r->tag]++;
		s->host_read_bytes[r->tag] += bytes;
		break;
	case DEV_WRITE:
	case DEV_APPEND:
		s->host_writes[r->tag]++;
		if (!r->block_tags)
			s->host_write_bytes[r->tag] += bytes;
		for (uint32_t i = 0; r->block_tags && i < r->blocks; i++)
			s->host_write_bytes[r->block_tags[i]] += caps->block_bytes;
		break;
	case DEV_PUNCH:
		s->punches++;
		s->punch_bytes += bytes;
		break;
	case DEV_SYNC:
		s->syncs++;
		break;
	case DEV_ZONE_RESET:
		s->zone_resets++;
		break;
	case DEV_ZONE_FINISH:
		s->zone_finishes++;
		break;
	case DEV_ZONE_OPEN:
	case DEV_ZONE_CLOSE:
	case DEV_ZONE_FLUSH:
	case DEV_TRUNCATE:
	case DEV_FILE_OPEN:
	case DEV_FILE_CLOSE:
	case DEV_FILE_MOVE:
	case DEV_FILE_REMOVE:
	case DEV_OPS:
		break;
	}
}

int dev_args_check(const char *device, const struct dev_args *a, struct pl_fault *f)
{
	if (a->block_bytes < 512 || a->block_bytes > 1u << 20 || (a->block_bytes & (a->block_bytes - 1)) != 0)
		return pl_fault_set(f, PL_INVALID,
			"device %s: a block of %" PRIu32 " bytes is not a power of two in 512..1048576", device,
			a->block_bytes);
	if (a->capacity_bytes < a->block_bytes)
		return pl_fault_set(f, PL_INVALID,
			"device %s: a capacity of %" PRIu64 " bytes holds no block of %" PRIu32 " bytes", device,
			a->capacity_bytes, a->block_bytes);
	return PL_OK;
}
