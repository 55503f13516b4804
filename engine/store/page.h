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
 * Loc, 64 bits: | 36 block address | 16 bitmap | 3 codec | 1 byte form | 8 generation |
 * The generation grows by one with each new version of a page (a cleaner's copy keeps it) and is repeated in the header,
 * so that a lost or misdirected write shows. codec 7 marks what is not a loc: a directory entry that names a frame. */
#ifndef PL_STORE_PAGE_H
#define PL_STORE_PAGE_H

#include "engine/base/le.h"
#include "engine/base/types.h"
#include "engine/iface/space.h"

#define PAGE_MAGIC 0x47504C50u /* "PLPG" */

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
static inline uint64_t loc_block(pl_loc l)
{
	return l.v >> 28;
}
static inline uint16_t loc_bitmap(pl_loc l)
{
	return (uint16_t)(l.v >> 12);
}
static inline uint8_t loc_codec(pl_loc l)
{
	return (uint8_t)(l.v >> 9 & 7);
}
static inline uint8_t loc_generation(pl_loc l)
{
	return (uint8_t)l.v;
}
static inline uint32_t loc_blocks(pl_loc l)
{
	return (uint32_t)__builtin_popcount(loc_bitmap(l));
}
static inline pl_loc loc_at(pl_loc l, uint64_t block)
{
	return (pl_loc){(l.v & 0xFFFFFFFu) | block << 28};
}

#endif
