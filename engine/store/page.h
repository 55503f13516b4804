/* page.h - what the store puts on media around a page: the 64-byte header, and the loc that says where it lies.
 *
 * Page header, the first 64 bytes of every page in memory and of block 0 of every image:
 *
 *   0  u32 magic "PLPG"      16 u8  kind       20 u16 bitmap of blocks present   32 u64 epoch
 *   4  u32 store tag         17 u8  level      22 u16 zero                       40 u64 lsn
 *   8  u64 page id           18 u8  codec      24 u32 payload bytes              48 u64 clock
 *                            19 u8  generation 28 u32 crc32c                     56 u32 interval
 *                                                                                60 u32 zero
 *
 * Clock and interval are the history of a page, for placements that group pages by it. The clock counts the blocks written
 * for clients' changes since the store was made, from 1; copies by cleaning do not count. In the header: its reading when
 * the page was last written because of a change, and the estimated interval between such writes (an exponential mean,
 * blocks; 0: unknown, the page was written once at most). Copies keep both. Zero in pages never written, and in map pages.
 *
 * The crc covers the header (its own field zero) and exactly the blocks in the bitmap, in order. A reader verifies magic
 * and bitmap for plausibility, then the crc, then clears every absent block itself: it never relies on a device for zeros.
 *
 * An image packed at byte granularity (placement option `pack`) says so by bitmap 0: it is the header and the payload, and
 * the crc covers exactly these. It has a codec that needs no more than its payload, never raw.
 *
 * Loc, 64 bits: | 36 block address | 16 bitmap                | 3 codec | 1 byte form = 0 | 8 generation |
 *     or        | 36 first block   | 6 offset | 10 length - 1 | 3 codec | 1 byte form = 1 | 8 generation |
 * Offset and length of the byte form are in units of a 64th of a block. An image of n units touches ceil(n / 64) blocks,
 * never one more, so reading it is never dearer than reading it from blocks of its own.
 *
 * The generation grows by one with each new version of a page (a cleaner's copy keeps it) and is repeated in the header,
 * so that a lost or misdirected write shows. codec 7 marks what is not a loc: a directory entry that names a frame. */
#ifndef PL_STORE_PAGE_H
#define PL_STORE_PAGE_H

#include "engine/base/le.h"
#include "engine/base/types.h"
#include "engine/iface/space.h"

#include <stdbool.h>

#define PAGE_MAGIC 0x47504C50u /* "PLPG" */
#define PAGE_UNITS 64u /* of a block, in the byte form of a loc */

enum page_kind { PAGE_LEAF = 1, PAGE_INNER, PAGE_OVERFLOW_INDEX, PAGE_OVERFLOW_DATA, PAGE_MAP, PAGE_KINDS };

enum {
	PAGE_AT_MAGIC = 0,
	PAGE_AT_TAG = 4,
	PAGE_AT_ID = 8,
	PAGE_AT_KIND = 16,
	PAGE_AT_LEVEL = 17,
	PAGE_AT_CODEC = 18,
	PAGE_AT_GENERATION = 19,
	PAGE_AT_BITMAP = 20,
	PAGE_AT_PAYLOAD = 24,
	PAGE_AT_CRC = 28,
	PAGE_AT_EPOCH = 32,
	PAGE_AT_LSN = 40,
	PAGE_AT_CLOCK = 48,
	PAGE_AT_INTERVAL = 56
};

static inline enum page_kind page_kind(const uint8_t *page)
{
	return (enum page_kind)page[PAGE_AT_KIND];
}
static inline uint8_t page_level(const uint8_t *page)
{
	return page[PAGE_AT_LEVEL];
}
static inline uint64_t page_id(const uint8_t *page)
{
	return le64(page + PAGE_AT_ID);
}

static inline uint64_t page_clock(const uint8_t *page)
{
	return le64(page + PAGE_AT_CLOCK);
}
static inline uint32_t page_interval(const uint8_t *page)
{
	return le32(page + PAGE_AT_INTERVAL);
}
/* The page is written at `now` because of a change. The newest interval counts a quarter, so that a page whose use changes
 * is known for it after a few writes. */
static inline void page_note_change(uint8_t *page, uint64_t now)
{
	uint64_t last = page_clock(page), old = page_interval(page), since = now - last;
	if (last && now >= last) {
		since = since < 1 ? 1 : since > UINT32_MAX ? UINT32_MAX : since;
		put32(page + PAGE_AT_INTERVAL, (uint32_t)(old ? (3 * old + since + 2) / 4 : since));
	}
	put64(page + PAGE_AT_CLOCK, now);
}

typedef struct {
	uint64_t v;
} pl_loc; /* 0: none */

static inline pl_loc loc_make(uint64_t block, uint16_t bitmap, uint8_t codec, uint8_t generation)
{
	return (pl_loc){block << 28 | (uint64_t)bitmap << 12 | (uint64_t)codec << 9 | generation};
}
static inline pl_loc loc_pack(uint64_t block, uint32_t offset, uint32_t units, uint8_t codec, uint8_t generation)
{
	return (pl_loc){block << 28 | (uint64_t)offset << 22 | (uint64_t)(units - 1) << 12 | (uint64_t)codec << 9 |
			1u << 8 | generation};
}
static inline uint64_t loc_block(pl_loc l)
{
	return l.v >> 28;
}
static inline bool loc_packed(pl_loc l)
{
	return l.v >> 8 & 1;
}
/* Where the image begins in its first block, in units. */
static inline uint32_t loc_offset(pl_loc l)
{
	return loc_packed(l) ? (uint32_t)(l.v >> 22 & 63) : 0;
}
/* The first so many blocks of a page. */
static inline uint16_t page_prefix(uint32_t blocks)
{
	return (uint16_t)((1u << blocks) - 1);
}
/* Units that are its own. */
static inline uint32_t loc_units(pl_loc l)
{
	return loc_packed(l) ? (uint32_t)(l.v >> 12 & 1023) + 1
			     : PAGE_UNITS * (uint32_t)__builtin_popcount((uint16_t)(l.v >> 12));
}
/* Blocks of the image as decode sees them: those it would have if it lay dense in blocks of its own. */
static inline uint16_t loc_bitmap(pl_loc l)
{
	return loc_packed(l) ? page_prefix((loc_units(l) + PAGE_UNITS - 1) / PAGE_UNITS) : (uint16_t)(l.v >> 12);
}
static inline uint8_t loc_codec(pl_loc l)
{
	return (uint8_t)(l.v >> 9 & 7);
}
static inline uint8_t loc_generation(pl_loc l)
{
	return (uint8_t)l.v;
}
/* Blocks it touches. */
static inline uint32_t loc_blocks(pl_loc l)
{
	return loc_packed(l) ? (loc_offset(l) + loc_units(l) + PAGE_UNITS - 1) / PAGE_UNITS
			     : (uint32_t)__builtin_popcount(loc_bitmap(l));
}
/* Bytes that are its own. */
static inline uint32_t loc_bytes(pl_loc l, uint32_t block_bytes)
{
	return loc_units(l) * (block_bytes / PAGE_UNITS);
}
/* Can an image of a page with these blocks lie so? Whoever reads a loc from media asks before using it. */
static inline bool loc_possible(pl_loc l, uint16_t full_bitmap, bool packs)
{
	uint32_t codec = (uint32_t)(l.v >> 9 & 7);
	if (codec == SPC_CODEC_NOT_A_LOC)
		return false;
	if (!loc_packed(l))
		return loc_bitmap(l) && !(loc_bitmap(l) & ~(uint32_t)full_bitmap);
	return packs && codec != SPC_CODEC_RAW && !(loc_bitmap(l) & ~(uint32_t)full_bitmap) &&
	       loc_blocks(l) == (loc_units(l) + PAGE_UNITS - 1) / PAGE_UNITS;
}
static inline pl_loc loc_at(pl_loc l, uint64_t block)
{
	return (pl_loc){(l.v & 0xFFFFFFFu) | block << 28};
}

#endif
