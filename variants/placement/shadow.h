/* shadow.h - what the files of placement=shadow share. shadow.c lays out, opens, places and releases; shadow_gather.c makes
 * room where free blocks lie scattered; shadow_free.h is the free map. See the head of shadow.c. */
#ifndef PL_VARIANTS_SHADOW_H
#define PL_VARIANTS_SHADOW_H

#include "engine/store/store.h"
#include "variants/placement/shadow_free.h"

#define BATCHES_MAX 32u

/* Images side by side on the device, and one write. */
struct batch {
	uint8_t *bytes;
	uint8_t *tags; /* of each block: that of the first image in it */
	uint32_t *frames; /* whose images these are */
	uint64_t block;
	uint32_t blocks, nframes;
	bool in_flight;
};
#define FRAMES_A_BLOCK 8u /* packed images in one batch, for each of its blocks: more, and it is written */

struct shadow {
	struct shadow_free map; /* of the data region, from its block 0 */
	uint64_t *dead; /* bit per data block */
	uint64_t *adopted; /* while opening: the units of each data block that are an image's */
	uint32_t *owner, *next;
	uint8_t *units;
	uint64_t live_blocks, dead_blocks, map_live_blocks, live_units;
	struct pack_account live; /* the images */
	uint64_t map_start, map_slots; /* slots per half */
	uint64_t reserved; /* pages */
	uint32_t data_blocks;
	bool next_fit, trim;
	uint32_t group_blocks, group_left, cursor; /* cursor: behind the last image */
	uint64_t limit_blocks; /* live ones, at most */
	uint32_t region_pages, regions;
	uint32_t *scattered; /* scratch: per region, blocks free but in no whole page */
	uint32_t *
		gaps; /* scratch: per region, blocks that the units free inside of live blocks would make; packing only */
	uint8_t *damaged; /* regions with an image that cannot be moved */
	struct batch batch[BATCHES_MAX];
	uint32_t batches, batch_blocks, batch_frames;
	struct batch *filling;
	struct pack_window window; /* of the batch being filled, when images are packed */
	bool gathering; /* by_parent: what is placed goes where moved pages go, */
	uint32_t behind; /* behind the last of them */
};

/* ---- shadow.c ---- */

void shadow_flush(struct store *s, struct pl_ctx *x);
void shadow_release(struct store *s, uint64_t id, pl_loc loc);
/* Blocks that a packed image needs beside those of the batch being filled. */
uint32_t shadow_new_blocks(const struct shadow *w, uint32_t units);
/* Where n blocks of a moved image go when no hole takes them. */
uint32_t shadow_dense_room(const struct shadow *w, uint32_t behind, uint32_t n);
/* An image takes the n blocks at `at` that it needs. */
pl_loc shadow_settle(
	struct store *s, struct pl_ctx *x, struct shadow *w, const struct plc_image *i, uint32_t at, uint32_t n);
bool shadow_below_limit(const struct store *s, const struct shadow *w, uint64_t pages, bool urgent);
uint64_t shadow_needed(const struct shadow *w, uint64_t pages, bool urgent);
bool shadow_grantable(const struct store *s, const struct shadow *w, uint64_t pages, bool urgent);

/* ---- shadow_gather.c ---- */

int shadow_make_room(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent);

#endif
