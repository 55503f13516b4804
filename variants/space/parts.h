/* parts.h - what space policies share: the shapes of images, and size classes.
 *
 * A class is a number of blocks to which compressed images are rounded up. With k classes of a page of n blocks the sizes
 * are the multiples of ceil(n / k) blocks below n; what does not fit into the largest of them is no compressed image. */
#ifndef PL_SPACE_PARTS_H
#define PL_SPACE_PARTS_H

#include "engine/iface/space.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SPC_BLOCKS_MAX 16u /* bits in spc_image.bitmap */
#define SPC_STATE_ALIGN 16u /* the state of a compressor must be aligned as its widest member */

enum { SPC_EFFORT, SPC_CLASS_BLOCKS }; /* derived[] of policies that compress: the codec's level, blocks of a class */

/* The option `classes`. */
#define SPC_CLASSES_OPT                                                                                                \
	{                                                                                                              \
		.name = "classes", .type = PL_OPT_ENUM, .value = "2",                                                  \
		.choices = ((const char *const[]){"2", "4", "8", "16", "finest", NULL}),                               \
		.help = "sizes of an image: multiples of page_bytes / classes; finest: a class for every block"        \
	}

/* Does the placement count images finer than in blocks? Then there are no classes: any size that saves a granule is one. */
static inline bool spc_fine(const uint64_t derived[8], uint32_t block_bytes)
{
	return derived[SPC_GRANULE] && derived[SPC_GRANULE] < block_bytes;
}

/* Pages are of whole blocks, 2 or more; less would be `raw` under another name, unless images are counted finer. */
static inline int PL_MUST_USE spc_check_geometry(
	const char *name, bool fine, uint32_t page_bytes, uint32_t block_bytes, struct pl_fault *f)
{
	if (block_bytes < PL_PAGE_HEADER || page_bytes % block_bytes || page_bytes / block_bytes > SPC_BLOCKS_MAX)
		return pl_fault_set(f, PL_INVALID,
			"space=%s needs pages of 2 to %u whole blocks, but page_bytes is %" PRIu32
			" and the block %" PRIu32 " bytes",
			name, SPC_BLOCKS_MAX, page_bytes, block_bytes);
	if (page_bytes < 2 * block_bytes && !fine)
		return pl_fault_set(f, PL_INVALID,
			"space=%s needs page_bytes of at least two blocks (2 * %" PRIu32 "), not %" PRIu32
			": a page of one block has no block to save and %s would degenerate to raw",
			name, block_bytes, page_bytes, name);
	return PL_OK;
}

/* Blocks of a class as the option says. PL_INVALID if there would be classes of less than a block: they would be
 * those of fewer classes under another name. */
static inline int PL_MUST_USE spc_class_blocks(
	const char *name, bool fine, const char *classes, uint32_t page_blocks, uint64_t *blocks, struct pl_fault *f)
{
	uint32_t n = fine || strcmp(classes, "finest") == 0 ? page_blocks : (uint32_t)strtoul(classes, NULL, 10);
	if (n > page_blocks)
		return pl_fault_set(f, PL_INVALID,
			"space=%s: %s.classes=%s of a page of %" PRIu32
			" blocks would be classes of less than a block: at most %" PRIu32
			", or finest, a class for every block",
			name, name, classes, page_blocks, page_blocks);
	*blocks = pl_div_up(page_blocks, n);
	return PL_OK;
}

/* spc_ops.configure of a policy that compresses into classes, but for derived[SPC_EFFORT]. */
static inline int PL_MUST_USE spc_configure_classes(const char *name, uint64_t derived[8], uint32_t page_bytes,
	uint32_t block_bytes, const char *classes, struct pl_fault *f)
{
	bool fine = spc_fine(derived, block_bytes);
	int err = spc_check_geometry(name, fine, page_bytes, block_bytes, f);
	return err ? err
		   : spc_class_blocks(name, fine, classes, page_bytes / block_bytes, &derived[SPC_CLASS_BLOCKS], f);
}

/* spc_ops.least_blocks: a class, or a block. */
static inline uint32_t spc_least_class(const uint64_t derived[8], uint32_t page_blocks)
{
	(void)page_blocks;
	return (uint32_t)derived[SPC_CLASS_BLOCKS];
}

static inline uint32_t spc_least_block(const uint64_t derived[8], uint32_t page_blocks)
{
	(void)derived;
	(void)page_blocks;
	return 1;
}

/* Bytes behind the header in the largest class that is smaller than the page. */
static inline uint32_t spc_class_room(
	const uint64_t derived[8], uint32_t class_blocks, uint32_t page_blocks, uint32_t block_bytes)
{
	if (spc_fine(derived, block_bytes))
		return page_blocks * block_bytes - (uint32_t)derived[SPC_GRANULE] - PL_PAGE_HEADER;
	return (page_blocks - 1) / class_blocks * class_blocks * block_bytes - PL_PAGE_HEADER;
}

/* The image of a payload that lies at out[64]: the smallest class that holds it, zeros behind it. */
static inline void spc_put_class(uint32_t class_blocks, uint32_t block_bytes, enum spc_codec codec, uint8_t *out,
	uint32_t payload_bytes, struct spc_image *img)
{
	uint32_t exact = PL_PAGE_HEADER + payload_bytes, unit = class_blocks * block_bytes;
	uint32_t bytes = (exact + unit - 1) / unit * unit;
	memset(out + exact, 0, bytes - exact);
	*img = (struct spc_image){
		.bitmap = (uint16_t)((1u << bytes / block_bytes) - 1),
		.codec = (uint8_t)codec,
		.payload_bytes = payload_bytes,
		.exact_bytes = exact,
	};
}

static inline void spc_put_raw(
	uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page, uint8_t *out, struct spc_image *img)
{
	memcpy(out + PL_PAGE_HEADER, page + PL_PAGE_HEADER, page_bytes - PL_PAGE_HEADER);
	*img = (struct spc_image){
		.bitmap = (uint16_t)((1u << page_bytes / block_bytes) - 1),
		.codec = SPC_CODEC_RAW,
		.payload_bytes = page_bytes - PL_PAGE_HEADER,
		.exact_bytes = page_bytes,
	};
}

/* Compress page[64, page_bytes) into out[64, 64 + room_bytes): the payload's size, 0 if it does not fit. */
typedef uint32_t spc_compress(
	uint64_t effort, uint32_t page_bytes, const uint8_t *page, uint8_t *out, uint32_t room_bytes, void *scratch);

/* spc_ops.encode of a policy that compresses into classes: the smallest that holds the payload, or raw. */
static inline void spc_encode_classes(spc_compress *compress, enum spc_codec codec, const uint64_t derived[8],
	uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page, uint8_t *out, struct spc_image *img,
	void *scratch)
{
	uint32_t class_blocks = (uint32_t)derived[SPC_CLASS_BLOCKS];
	uint32_t room = spc_class_room(derived, class_blocks, page_bytes / block_bytes, block_bytes);
	uint32_t payload = compress(derived[SPC_EFFORT], page_bytes, page, out, room, scratch);
	if (payload)
		spc_put_class(class_blocks, block_bytes, codec, out, payload, img);
	else
		spc_put_raw(page_bytes, block_bytes, page, out, img);
}

/* The blocks that do not lie wholly in the gap; block 0 does not. */
static inline uint16_t spc_touched(uint32_t page_bytes, uint32_t block_bytes, struct nod_gap gap)
{
	uint32_t bitmap = 1;
	for (uint32_t i = 1; i < page_bytes / block_bytes; i++)
		if (i * block_bytes < gap.lo || (i + 1) * block_bytes > gap.hi)
			bitmap |= 1u << i;
	return (uint16_t)bitmap;
}

static inline void spc_put_touched(uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page, struct nod_gap gap,
	uint8_t *out, struct spc_image *img)
{
	uint16_t bitmap = spc_touched(page_bytes, block_bytes, gap);
	uint32_t present = 1;
	memcpy(out + PL_PAGE_HEADER, page + PL_PAGE_HEADER, block_bytes - PL_PAGE_HEADER);
	for (uint32_t i = 1; i < page_bytes / block_bytes; i++)
		if (bitmap >> i & 1)
			memcpy(out + (size_t)present++ * block_bytes, page + (size_t)i * block_bytes, block_bytes);
	*img = (struct spc_image){
		.bitmap = bitmap,
		.codec = SPC_CODEC_RAW,
		.payload_bytes = present * block_bytes - PL_PAGE_HEADER,
		.exact_bytes = page_bytes - (gap.hi - gap.lo),
	};
}

/* Whether a compressed image's blocks and payload are possible: a prefix of the page's blocks that holds the payload. */
static inline bool spc_prefix_holds(uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img)
{
	uint32_t present = (uint32_t)__builtin_popcount(img->bitmap);
	return img->bitmap & 1 && !(img->bitmap & (img->bitmap + 1u)) && present <= page_bytes / block_bytes &&
	       img->payload_bytes <= present * block_bytes - PL_PAGE_HEADER;
}

static inline uint8_t *spc_aligned(void *scratch)
{
	uintptr_t misaligned = (uintptr_t)scratch % SPC_STATE_ALIGN;
	return (uint8_t *)scratch + (misaligned ? SPC_STATE_ALIGN - misaligned : 0);
}

#endif
