/* content.h - what the device models have in common: block content in memory, a heap of things due at a time, and the
 * checks and counts that are the same for every device.
 *
 * Content. One u32 handle per block (0 = never written or punched, reads as zeros) names a slot of block_bytes; slots
 * are cut from chunks of about 1 MiB, allocated when first needed. A freed slot holds the handle of the next free one
 * in its first four bytes.
 *
 *   handle[block]  0 | slot + 1          4 B per block of capacity, untouched (not backed) until first written
 *   chunk[slot / slots_per_chunk]        8 B per chunk
 *
 * Invariants:
 *  1. Every slot is on the free list or named by exactly one handle.
 *  2. Slots in use = stored blocks; slots ever cut = the greatest number stored at one time. So real memory is
 *     proportional to the blocks written at the peak, plus 4 B for each block of the touched parts of the address
 *  space. 3. Chunks never move.
 * Cost: one array access and one memcpy a block. Left out: deduplication, compression, returning chunks to the
 * system. */
#ifndef PL_STORE_CONTENT_H
#define PL_STORE_CONTENT_H

#include "engine/iface/device.h"

struct dev_content {
	uint32_t block_bytes, slots_per_chunk;
	uint64_t blocks;
	uint32_t *handle;
	uint8_t **chunk;
	uint32_t slots; /* ever cut */
	uint32_t free_slot; /* handle of the first free one, 0: none */
	uint64_t stored_blocks;
};

/* PL_NOMEM or PL_INVALID (more than 2^32 - 2 blocks). After a failure there is nothing to deinit. */
int dev_content_init(struct dev_content *c, uint32_t block_bytes, uint64_t blocks) PL_MUST_USE;
void dev_content_deinit(struct dev_content *c);
/* A struct of zeros but for block_bytes and blocks is the content of a contentless device: reads leave the buffer as it
 * is, writes and punches do nothing. */
/* *to is initialised by this call; PL_NOMEM: nothing to deinit. */
int dev_content_clone(struct dev_content *to, const struct dev_content *from) PL_MUST_USE;
/* The caller has checked the range. */
void dev_content_read(const struct dev_content *c, uint64_t block, uint32_t blocks, uint8_t *buf);
/* PL_NOMEM: the blocks before the one that found no memory are written. */
int dev_content_write(struct dev_content *c, uint64_t block, uint32_t blocks, const uint8_t *buf) PL_MUST_USE;
void dev_content_punch(struct dev_content *c, uint64_t block, uint64_t blocks);

/* Things due at a time, least (at, order) first; order is unique, so that the sequence never depends on the heap's
 * shape. item is a request or an index. */
struct dev_due {
	uint64_t at, order, item;
};

struct dev_heap {
	struct dev_due *due;
	size_t n, room;
};

/* Make room for n entries in all. PL_NOMEM. */
int dev_heap_reserve(struct dev_heap *h, size_t n) PL_MUST_USE;
void dev_heap_deinit(struct dev_heap *h);
int dev_heap_clone(struct dev_heap *to, const struct dev_heap *from) PL_MUST_USE;
/* Room must have been reserved. */
void dev_heap_push(struct dev_heap *h, uint64_t at, uint64_t order, uint64_t item);
struct dev_due dev_heap_pop(struct dev_heap *h);

static inline uint64_t dev_heap_next_ns(const struct dev_heap *h)
{
	return h->n ? h->due[0].at : PL_NS_NEVER;
}

/* Greatest length of a request, in blocks: fits the field in which the models count a request's parts. */
#define DEV_REQ_BLOCKS_MAX ((1u << 24) - 1)

/* The part of the contract that every device checks before it accepts a request: PL_RANGE beyond the capacity,
 * PL_INVALID for an unknown tag, no blocks or no buffer where there must be some (or some where none), an operation
 * that caps do not offer, or a zone operation or append that does not name the start of a zone. */
int dev_req_check(const struct dev_caps *caps, const struct dev_req *r) PL_MUST_USE;
/* For peek and poke. */
static inline bool dev_range_ok(const struct dev_caps *caps, uint64_t block, uint64_t blocks)
{
	return block <= caps->capacity_blocks && blocks <= caps->capacity_blocks - block;
}

/* Count an accepted request as the host's. */
void dev_req_count(struct dev_stats *s, const struct dev_caps *caps, const struct dev_req *r);
/* The part that every device checks when it is opened: block_bytes a power of two of 512..1 MiB, capacity of at least
 * one block. */
int dev_args_check(const char *device, const struct dev_args *a, struct pl_fault *f) PL_MUST_USE;

#endif
