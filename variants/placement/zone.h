/* zone.h - what the files of placement=zone share: zones, their streams, the account of room. zone.c lays out, opens and
 * reserves, zone_stream.c appends and frees, zone_clean.c moves what lives. See the head of zone.c. */
#ifndef PL_VARIANTS_ZONE_H
#define PL_VARIANTS_ZONE_H

#include "engine/store/store.h"

#define ZONE_READ_BATCH 32u
#define ZONE_KEEP 2u /* for cleaning itself */
#define ZONE_MAP_OWNER 0x80000000u

enum zone_state { ZONE_FREE, ZONE_OPEN, ZONE_FULL, ZONE_BAD };

struct zone_stream {
	struct gather gather;
	uint64_t zone; /* or ZONE_NONE */
	uint64_t end; /* first block behind the zone's capacity */
};
#define ZONE_NONE UINT64_MAX

struct zones {
	struct cln_zone *zone; /* live, capacity, closed_at; candidate = full */
	uint8_t *state;
	uint32_t *owner; /* page id (or ZONE_MAP_OWNER | index) whose image begins at this data block; 0: none */
	uint64_t n, stride, capacity;
	uint64_t nfree, next_free;
	uint64_t live_blocks, written_blocks;
	uint32_t reserved; /* pages */
	struct zone_stream user, clean;
	uint64_t *scratch; /* scratch: one entry a zone */
	uint8_t *buffer;
};

static inline uint64_t zone_of(const struct store *s, const struct zones *z, uint64_t block)
{
	return (block - s->layout.data_start) / z->stride;
}

static inline uint64_t zone_start(const struct store *s, const struct zones *z, uint64_t i)
{
	return s->layout.data_start + i * z->stride;
}

/* Blocks of a zone that images can be sure to use. */
static inline uint64_t zone_useful(const struct store *s, const struct zones *z)
{
	return z->capacity - (s->page_blocks - 1);
}

static inline uint64_t zone_map_reserve(const struct store *s)
{
	return s->choice.addressing->map_pages ? s->choice.addressing->map_pages(s) * s->page_blocks : 0;
}

static inline uint64_t zone_stream_left(const struct zone_stream *t)
{
	return t->zone == ZONE_NONE ? 0 : t->end - t->gather.next;
}

/* ---- zone.c: room ---- */

/* Do free blocks cover what is reserved, `pages` more, the map, and so many zones beside them? */
bool zone_enough(const struct store *s, const struct zones *z, uint64_t pages, uint64_t spare_zones);
/* Would live blocks stay below their limit with `pages` more? */
bool zone_below_limit(const struct store *s, const struct zones *z, uint64_t pages, bool urgent);

/* ---- zone_stream.c ---- */

/* Give an image an extent in the stream's open zone, or in the next free one. */
pl_loc zone_append(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t, const struct plc_image *i,
	uint32_t owner);
/* Let the stream go on at block `next` of a zone that is partly written. */
void zone_stream_continue(struct store *s, struct zones *z, struct zone_stream *t, uint64_t i, uint64_t next);
/* Right after an anchor: full zones without live blocks become free. */
void zone_free_empty(struct store *s, struct pl_ctx *x, struct zones *z);
void zone_release(struct store *s, uint64_t id, pl_loc loc);

/* ---- zone_clean.c ---- */

int zone_make_room(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent);

#endif
