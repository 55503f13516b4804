/* shadow_free.h - the free map of placement=shadow: which blocks of the data region are free, as maximal runs.
 *
 * A bitmap says which blocks are free; boundary tags (Knuth, volume 1, 2.5) give a run's length at its first and last
 * block, so that a freed extent joins its neighbours at once; runs are listed by length, exactly below `exact` blocks.
 *
 *   bit     0 0 1 1 1 1 1 0 0 1 1 0 ...        length  . . 5 . . . 5 . . 2 2 . ...
 *   list of length 2: 9      list of length 5: 2      list of `exact` and more: the long runs
 *
 * Invariants:
 *  1. A run is maximal: the blocks before and behind it are not free.
 *  2. free_blocks = sum of lengths; whole_pages = sum of floor(length / page_blocks) over all runs.
 *  3. Taking at most a page's blocks at the front of a run, or whole pages behind it, lowers whole_pages by at most one;
 *     giving never lowers it. So whoever keeps whole_pages at or above the number of images promised finds room for
 *     each, whatever its length.
 *
 * Cost: giving and taking O(1); the smallest run O(exact / 64); the next run behind a block one pass over the bitmap at
 * worst, a few words while every tenth block is free. 12 1/8 bytes a block. */
#ifndef PL_VARIANTS_SHADOW_FREE_H
#define PL_VARIANTS_SHADOW_FREE_H

#include "engine/base/types.h"

#include <stdbool.h>
#include <stdint.h>

#define SHADOW_NONE UINT32_MAX

struct shadow_free {
	uint32_t blocks, page_blocks;
	uint32_t exact; /* runs as long as this or longer share one list */
	uint64_t free_blocks, whole_pages;
	uint64_t *bit; /* 1: free */
	uint32_t *length; /* of a free run, at its first and at its last block */
	uint32_t *next, *previous; /* at its first block: others of its list */
	uint32_t *list; /* heads, 0..exact */
	uint64_t *filled; /* lists that are not empty */
	uint32_t region_blocks; /* the map is cut into regions, for `avoid` */
	uint8_t *avoid; /* a region from which nothing is to be taken (shadow_free_smallest, shadow_free_hole) */
};

/* Nothing is free at first. PL_NOMEM leaves what shadow_free_close takes back. */
int shadow_free_open(struct shadow_free *m, uint32_t blocks, uint32_t page_blocks, uint32_t exact,
	uint32_t region_blocks) PL_MUST_USE;
void shadow_free_close(struct shadow_free *m);

/* Blocks [block, block + n) become free; none of them is. */
void shadow_free_give(struct shadow_free *m, uint32_t block, uint32_t n);
/* n blocks of a run are free no more: its first ones, or (the run is cut in two) those a number of whole pages behind. */
void shadow_free_take(struct shadow_free *m, uint32_t block, uint32_t n);

/* Length of the run that begins at block; 0 if none does. */
uint32_t shadow_free_run(const struct shadow_free *m, uint32_t block);
/* First block of the smallest run of at least n <= exact blocks outside regions to avoid (among runs of one list the one
 * listed last; lengths from `exact` on count as equal), or SHADOW_NONE. */
uint32_t shadow_free_smallest(const struct shadow_free *m, uint32_t n);
/* The same among runs whose front n blocks can be taken without lowering whole_pages; n < page_blocks, else none is. */
uint32_t shadow_free_hole(const struct shadow_free *m, uint32_t n);
/* Where n <= exact blocks are free and may be taken, the first such place from `from` on, wrapping round: inside the run
 * that holds `from`, else at the front of a later one; or SHADOW_NONE. */
uint32_t shadow_free_next(const struct shadow_free *m, uint32_t from, uint32_t n);

static inline bool shadow_free_is(const struct shadow_free *m, uint32_t block)
{
	return m->bit[block / 64] >> block % 64 & 1;
}

/* The first block from `from` on whose bit in map is `value`, or `end`. */
uint32_t shadow_bit_next(const uint64_t *map, uint32_t from, uint32_t end, bool value);

#endif
