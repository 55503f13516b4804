/* sim_opfs_file.h - the bodies of sim_opfs' files: what the host's page cache and disk hold of them.
 *
 * A body is a sparse host file. Its unit is the granule (host_block_bytes): space appears granule by granule when first
 * written and is given back by truncation or with the body. Between two flushes a granule has versions: the durable one,
 * the newest, and one drawn at random from those between (the kernel may have written back any of them).
 *
 *   body -> chunk[offset / 2 MiB] -> 512 granules of 4 KiB: bits stored, dirty, was_stored; version{now, durable, middle}
 *
 * Invariants:
 *  1. Nothing is stored at or beyond size; granules across the end are zero behind it.
 *  2. A clean granule has one version, `now` (NULL: hole); durable and middle are only looked at while it is dirty.
 *  3. A granule stored at or beyond min(durable_size, least_size) is dirty. So the dirty chunks hold all that a power
 *     cut can change.
 *  4. A chunk with a dirty granule is on the list of dirty chunks.
 * Cost: memory for what is stored (contentless: 3 bits a granule in touched chunks), twice to three times that for what
 * is not flushed; nothing for what was never written. */
#ifndef PL_SIM_OPFS_FILE_H
#define PL_SIM_OPFS_FILE_H

#include "engine/base/err.h"
#include "engine/base/rng.h"

#define OPFS_CHUNK_BYTES (2u << 20)
#define OPFS_PAGE_BYTES (16u << 10) /* unit of flush costs and of the page cache model */
#define OPFS_CHUNK_PAGES (OPFS_CHUNK_BYTES / OPFS_PAGE_BYTES)
#define OPFS_GRANULE_BYTES_MIN 4096u
#define OPFS_GRANULES_MAX (OPFS_CHUNK_BYTES / OPFS_GRANULE_BYTES_MIN)

struct opfs_version {
	uint8_t *now, *durable, *middle;
	uint8_t between; /* versions between durable and now, of which middle is one; saturates */
};

struct opfs_chunk {
	uint64_t stored[OPFS_GRANULES_MAX / 64], dirty[OPFS_GRANULES_MAX / 64], was_stored[OPFS_GRANULES_MAX / 64];
	uint64_t index; /* in its body */
	struct opfs_chunk *next_dirty;
	bool listed;
	struct opfs_version *version; /* NULL: contentless */
	uint32_t *cached; /* per page: its slot in the cache + 1, 0: not there; NULL: no cache model */
};

struct opfs_body {
	uint64_t size, durable_size; /* bytes */
	uint64_t least_size; /* that a truncation since the last flush left; UINT64_MAX: none */
	uint64_t stored_granules;
	struct opfs_chunk **chunk;
	uint64_t chunks; /* room */
	struct opfs_chunk *dirty_chunks;
	uint32_t references; /* a name, undo entries */
	bool unflushed; /* content or size changed since the last flush */
	bool written; /* ever */
	struct opfs_body *copy; /* while its device is cloned */
};

struct opfs_cached { /* a slot of the page cache (CLOCK) */
	struct opfs_chunk *chunk; /* NULL: free */
	uint32_t page;
	bool referenced;
};

/* What all bodies of a device share. */
struct opfs_disk {
	uint32_t granule_bytes, granules; /* of a chunk */
	bool contentless;
	struct pl_rng rng; /* which versions between are kept */
	struct opfs_cached *cache;
	uint32_t cache_pages, hand; /* 0 pages: everything is always cached */
	uint64_t flushed_bytes; /* of dirty granules, by flushes */
};

/* How much of what is not durable a power cut leaves: one draw per cut. */
enum opfs_loss { OPFS_LOSE_ALL, OPFS_LOSE_NOTHING, OPFS_LOSE_HALF, OPFS_LOSE_MOST, OPFS_LOSE_FEW, OPFS_LOSSES };

/* granule_bytes: a power of two, 4096..65536. cache_pages 0: no cache model. PL_NOMEM. */
int opfs_disk_init(
	struct opfs_disk *d, uint32_t granule_bytes, bool contentless, uint32_t cache_pages, uint64_t seed) PL_MUST_USE;
void opfs_disk_deinit(struct opfs_disk *d);
/* The slots of from's cache, to be filled by opfs_body_clone of every body there is. PL_NOMEM. */
int opfs_cache_clone(struct opfs_disk *to, const struct opfs_disk *from) PL_MUST_USE;

/* An empty one with one reference; NULL: no memory. */
struct opfs_body *opfs_body_new(void);
/* One reference less; the last one frees it. NULL is fine. */
void opfs_body_drop(struct opfs_disk *d, struct opfs_body *b);
/* A copy without references, for the disk `to`; NULL: no memory. */
struct opfs_body *opfs_body_clone(struct opfs_disk *to, const struct opfs_body *b);

/* Ranges in bytes. data is not looked at and may be NULL when contentless. PL_NOMEM: a beginning is written. */
int opfs_body_write(
	struct opfs_disk *d, struct opfs_body *b, uint64_t at, uint64_t bytes, const uint8_t *data) PL_MUST_USE;
/* Holes and what lies beyond the end are zeros; contentless: leaves buf as it is. */
void opfs_body_read(const struct opfs_disk *d, const struct opfs_body *b, uint64_t at, uint64_t bytes, uint8_t *buf);
/* PL_NOMEM: only where a granule lies across the new end. */
int opfs_body_truncate(struct opfs_disk *d, struct opfs_body *b, uint64_t size) PL_MUST_USE;
void opfs_body_flush(struct opfs_disk *d, struct opfs_body *b);
/* Content out of band (hole: none); may grow the body. All that the body holds is durable then. PL_NOMEM. */
int opfs_body_poke(struct opfs_disk *d, struct opfs_body *b, uint64_t at, uint64_t bytes, const uint8_t *data,
	bool hole) PL_MUST_USE;
/* The machine stops. What is left is durable. PL_NOMEM. */
int opfs_body_power_cut(struct opfs_disk *d, struct opfs_body *b, struct pl_rng *rng, enum opfs_loss loss) PL_MUST_USE;

/* Bytes of granules in the range that a write would store for the first time. */
uint64_t opfs_body_new_bytes(const struct opfs_disk *d, const struct opfs_body *b, uint64_t at, uint64_t bytes);
/* Bytes of granules that a truncation to size gives back. */
uint64_t opfs_body_freed_bytes(const struct opfs_disk *d, const struct opfs_body *b, uint64_t size);
/* Pages of OPFS_PAGE_BYTES that a flush has to write. */
uint64_t opfs_body_dirty_pages(const struct opfs_disk *d, const struct opfs_body *b);
/* Bytes of the range on stored pages that are not in the page cache; 0 without a cache model. */
uint64_t opfs_body_cold_bytes(const struct opfs_disk *d, const struct opfs_body *b, uint64_t at, uint64_t bytes);
/* The range was read or written: its stored pages are in the cache. */
void opfs_body_touch(struct opfs_disk *d, struct opfs_body *b, uint64_t at, uint64_t bytes);
/* Nothing is in the page cache any more. */
void opfs_cache_clear(struct opfs_disk *d);

#endif
