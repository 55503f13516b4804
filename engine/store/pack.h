/* pack.h - images packed at byte granularity into device blocks (Lee, Ziegler, Leis, "How to Write to SSDs", PVLDB 19,
 * 2026: pages compressed one by one and bin-packed into 4 KiB slots, so that reading a page is reading one slot).
 *
 * Pure logic: which block of those still in memory an image goes to. Units are a 64th of a block; a packed image is its
 * header and payload, rounded up to units.
 *
 *   block 0            | block 1            | block 2            | block 3 (last)     |
 *   | a     | b   | :: | c c c c c c c c c c c c c | d     | :::: | e      | ::::::::: |
 *   lo..hi free: 60..64  none                 none, 58..64         20..64
 *
 *  1. The free units of a block are one run [lo, hi).
 *  2. An image of n units touches exactly ceil(n / 64) blocks. One of at most 64 units lies in one block. A larger one
 *     takes whole blocks and shares its last block with what comes later, or, if it fits so, its first with what came
 *     before (c above could begin at the end of block 0 if that were the last).
 *  3. Best fit: the block with the least room that takes the image, the latest of equals; none: new blocks behind the last.
 *  4. A window that is written out is closed: what is free in its blocks is waste for good.
 *  5. Placing the images of a window again, block by block, in an empty window of the same size takes no more blocks than
 *     they touched: an image that does not fit opens a block for itself, and then the others of its old block fit there,
 *     too. (Each flush in between may cost one more.) So whoever cleans never needs more room than he frees.
 *
 * Cost: O(1) an image. 12 bytes a block of the window. */
#ifndef PL_STORE_PACK_H
#define PL_STORE_PACK_H

#include "engine/store/page.h"

#define PACK_NONE UINT32_MAX

struct pack_window {
	uint32_t blocks, used; /* room, and blocks in use; all others are behind them */
	uint8_t *lo, *hi; /* free units of a block */
	uint32_t *next, *previous; /* blocks of equal room, the latest first */
	uint32_t list[PAGE_UNITS]; /* heads by room, 1..63 */
	uint64_t filled; /* lists that are not empty */
};

/* Units that an image takes packed; 0: it would not be smaller than as blocks, or is not of a kind that can be packed. */
uint32_t pack_units(const struct spc_image *img, uint32_t block_bytes);

/* What a set of images takes, whatever way they come together: whole blocks, and parts of blocks, of which no block holds
 * more than k that are longer than 64 / (k + 1) units. */
#define PACK_CLASSES 4u
struct pack_account {
	uint64_t whole; /* blocks */
	uint64_t units; /* of all parts of blocks */
	uint64_t longer[PACK_CLASSES]; /* parts longer than 64 / (k + 2) */
};
void pack_count(struct pack_account *a, uint32_t units, bool add);
/* Blocks that best fit will need for them: a sixteenth more than what the parts hold, and not less than any packing needs.
 * An estimate; for sizes drawn at random it errs by a few percent (pack_test). Without parts it is exact. */
uint64_t pack_takes(const struct pack_account *a);

/* Ids for so many blocks, when images are packed: no image is thought smaller than an eighth of a block or a sixteenth of a
 * page. If they are, ids run out before blocks do, and the store is full. */
uint64_t pack_ids(uint64_t blocks, uint32_t page_blocks);

int pack_open(struct pack_window *w, uint32_t blocks) PL_MUST_USE; /* PL_NOMEM leaves what pack_close takes back */
void pack_close(struct pack_window *w);
/* No block is in use. */
void pack_reset(struct pack_window *w);

/* New blocks that an image of so many units needs behind those in use: 0 if it fits where there is room. */
uint32_t pack_new_blocks(const struct pack_window *w, uint32_t units);
/* Put it in: w->used + pack_new_blocks() <= w->blocks. Where it begins: block of the window, units in it. */
void pack_put(struct pack_window *w, uint32_t units, uint32_t *block, uint32_t *offset);
/* n blocks behind those in use are whole: nothing shares them. */
void pack_whole(struct pack_window *w, uint32_t n);

/* Lists of the images that begin in a block: owner[block] is the first id, next[id] the one behind it. An id is in at most
 * one list. pack_drop of an id that is not in the list does nothing. */
void pack_join(uint32_t *owner, uint32_t *next, uint64_t block, uint32_t id);
void pack_drop(uint32_t *owner, uint32_t *next, uint64_t block, uint32_t id);

#endif
