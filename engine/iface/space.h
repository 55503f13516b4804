/* space.h - the contract of the axis `space`: how many blocks the image of a page needs.
 *
 * A page image is {codec, bitmap of the page_bytes / block_bytes blocks present, payload}. The bitmap's bit i says that
 * the image has a block at home offset i; absent blocks are zeros in the page. Block 0 is always present, for the
 * page header (64 bytes, the store's own) lies there and is never compressed.
 * Pure functions of their arguments; scratch is passed in. A space policy never sees a page id or an address. */
#ifndef PL_IFACE_SPACE_H
#define PL_IFACE_SPACE_H

#include "engine/iface/node.h"

enum spc_codec { SPC_CODEC_RAW = 0, SPC_CODEC_LZ4 = 1, SPC_CODEC_ZSTD = 2, SPC_CODEC_NOT_A_LOC = 7 };

struct spc_image {
	uint16_t bitmap; /* blocks present, bit 0 always set */
	uint8_t codec; /* enum spc_codec */
	uint32_t payload_bytes; /* bytes after the header that carry meaning (a compressed page: its compressed size) */
	/* Set by encode, for counters only: the bytes that this form of the page needs, header included, before they are
	 * rounded up to blocks or to a class. Raw: page_bytes; with holes: what lies outside the gap. */
	uint32_t exact_bytes;
};

/* derived[SPC_GRANULE] is set before configure: bytes in which the placement counts an image, block_bytes or, when it packs
 * images, less. 0, for callers without a store, is block_bytes. */
enum { SPC_GRANULE = 7 };

struct spc_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;
	enum spc_codec codec; /* what its encode tries first; decides what its CPU time is charged at */
	bool wants_compact; /* the node is compacted before encode, at this policy's cost */

	int (*configure)(uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const struct pl_conf *conf,
		struct pl_fault *f);
	/* Bytes of scratch that encode and decode need, at any alignment; NULL: none. */
	size_t (*scratch_bytes)(const uint64_t derived[8], uint32_t page_bytes);
	/* Blocks of the smallest image that encode can give, 1 .. page_blocks; NULL: every image has page_blocks. */
	uint32_t (*least_blocks)(const uint64_t derived[8], uint32_t page_blocks);
	/* CPU time of encode in thousandths of what the table of engine/base/ctx.h has for its codec; NULL: 1000. */
	uint32_t (*encode_permille)(const uint64_t derived[8]);
	void (*encode)(const uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page,
		struct nod_gap gap, uint8_t *out, struct spc_image *img, void *scratch);
	int (*decode)(
		uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page, void *scratch);
};

/* Encode bytes [64, page_bytes) of page. `gap` is the zero, unused middle (gap.lo == gap.hi: none). out gets the blocks
 * present, dense and in order, room for page_bytes; bytes [0, 64) of out are left for the header. Unused tails of the
 * last block are zeros. */
static inline void spc_encode(const struct spc_ops *o, const uint64_t derived[8], uint32_t page_bytes,
	uint32_t block_bytes, const uint8_t *page, struct nod_gap gap, uint8_t *out, struct spc_image *img,
	void *scratch)
{
	o->encode(derived, page_bytes, block_bytes, page, gap, out, img, scratch);
}

static inline size_t spc_scratch_bytes(const struct spc_ops *o, const uint64_t derived[8], uint32_t page_bytes)
{
	return o->scratch_bytes ? o->scratch_bytes(derived, page_bytes) : 0;
}

/* What a placement has to reckon with: how many pages it may be asked to keep. */
static inline uint32_t spc_least_blocks(const struct spc_ops *o, const uint64_t derived[8], uint32_t page_blocks)
{
	return o->least_blocks ? o->least_blocks(derived, page_blocks) : page_blocks;
}

static inline uint32_t spc_encode_permille(const struct spc_ops *o, const uint64_t derived[8])
{
	return o->encode_permille ? o->encode_permille(derived) : 1000;
}

/* Codecs say how to decode, not the store's present choice: every space policy's decode handles its own codec and raw.
 * On entry the image's blocks lie dense at the beginning of page; on return page holds the whole page, zeros where
 * blocks are absent. decode(encode(x)) == x outside the gap. Bytes [0, 64) are kept. PL_DAMAGED if the payload
 * does not decode to exactly a page; never writes outside page[0, page_bytes). */
static inline int PL_MUST_USE spc_decode(const struct spc_ops *o, uint32_t page_bytes, uint32_t block_bytes,
	const struct spc_image *img, uint8_t *page, void *scratch)
{
	return o->decode(page_bytes, block_bytes, img, page, scratch);
}

/* Spread the dense blocks of a raw image to their home offsets, zeros elsewhere: what raw and hole share. */
static inline void spc_spread(uint32_t page_bytes, uint32_t block_bytes, uint16_t bitmap, uint8_t *page)
{
	uint32_t n = page_bytes / block_bytes;
	uint32_t dense = (uint32_t)__builtin_popcount(bitmap);
	/* From the top: a block's home is never below its dense place, so no move overwrites one still to come. */
	for (uint32_t i = n; i-- > 0;)
		if (bitmap >> i & 1 && --dense != i)
			__builtin_memcpy(
				page + (size_t)i * block_bytes, page + (size_t)dense * block_bytes, block_bytes);
	for (uint32_t i = 1; i < n; i++)
		if (!(bitmap >> i & 1))
			__builtin_memset(page + (size_t)i * block_bytes, 0, block_bytes);
}

/* Decode a raw image, with or without holes: its bitmap is possible and its payload is all of its blocks. */
static inline int PL_MUST_USE spc_decode_raw(
	uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page)
{
	uint32_t present = (uint32_t)__builtin_popcount(img->bitmap);
	if (img->codec != SPC_CODEC_RAW || !(img->bitmap & 1) || img->bitmap >> page_bytes / block_bytes ||
		img->payload_bytes != present * block_bytes - PL_PAGE_HEADER)
		return PL_DAMAGED;
	spc_spread(page_bytes, block_bytes, img->bitmap, page);
	return PL_OK;
}

#endif
