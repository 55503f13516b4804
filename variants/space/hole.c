/* hole.c - blocks that lie wholly in the free middle of a page are left out of its image.
 *
 * Models pages in a sparse file: the free space of a layout is one gap in the middle; its whole blocks are not written,
 * or punched where an older image had them, and the reader supplies the zeros. Nothing is compressed, so the saving is
 * free CPU but comes in whole blocks: a page of n blocks has at best 1 - 1/n of itself to save, and a gap smaller than
 * two blocks may save none.
 *
 *	0        64          gap.lo                     gap.hi              page_bytes
 *	| header | arrays    :  zero                    :  blobs            |
 *	| block 0       | block 1 | block 2 | block 3       | block 4 ...   |
 *	  present         present   absent    present (part) present             bitmap 11011
 *
 * 1. Block i > 0 is absent exactly if [i * block_bytes, (i + 1) * block_bytes) lies in [gap.lo, gap.hi).
 * 2. The image is dense: block k of the output is the k-th present block. codec is raw: the bitmap says it all.
 * 3. payload_bytes is what the present blocks hold after the header: present * block_bytes - 64.
 *
 * Cost: encode copies the present blocks, decode moves them home and clears the rest. The layout is compacted first, at
 * this policy's cost.
 * Left out: zero blocks elsewhere than in the gap are not looked for; that would cost a pass over every page. */
#include "engine/iface/space.h"

#include <string.h>

#define BLOCKS_MAX 16u /* bits in spc_image.bitmap */

static int hole_configure(
	uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const struct pl_conf *conf, struct pl_fault *f)
{
	(void)derived;
	(void)conf;
	if (block_bytes < PL_PAGE_HEADER || page_bytes % block_bytes || page_bytes / block_bytes > BLOCKS_MAX)
		return pl_fault_set(f, PL_INVALID,
			"space=hole needs pages of 2 to %u whole blocks, but page_bytes is %u and the block %u bytes",
			BLOCKS_MAX, page_bytes, block_bytes);
	if (page_bytes < 2 * block_bytes)
		return pl_fault_set(f, PL_INVALID,
			"space=hole needs page_bytes of at least two blocks (2 * %u), not %u: a page of one block has "
			"no "
			"block to leave out and hole would degenerate to raw",
			block_bytes, page_bytes);
	return PL_OK;
}

static void hole_encode(const uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page,
	struct nod_gap gap, uint8_t *out, struct spc_image *img, void *scratch)
{
	(void)derived;
	(void)scratch;
	uint32_t blocks = page_bytes / block_bytes, bitmap = 1, present = 1;
	memcpy(out + PL_PAGE_HEADER, page + PL_PAGE_HEADER, block_bytes - PL_PAGE_HEADER);
	for (uint32_t i = 1; i < blocks; i++) {
		uint32_t lo = i * block_bytes;
		if (lo >= gap.lo && lo + block_bytes <= gap.hi)
			continue;
		memcpy(out + (size_t)present * block_bytes, page + lo, block_bytes);
		bitmap |= 1u << i;
		present++;
	}
	*img = (struct spc_image){
		.bitmap = (uint16_t)bitmap,
		.codec = SPC_CODEC_RAW,
		.payload_bytes = present * block_bytes - PL_PAGE_HEADER,
	};
}

static int hole_decode(
	uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page, void *scratch)
{
	(void)scratch;
	return spc_decode_raw(page_bytes, block_bytes, img, page);
}

const struct spc_ops spc_hole = {
	.name = "hole",
	.summary = "blocks inside the page's free middle are absent, the others as they are",
	.wants_compact = true,
	.configure = hole_configure,
	.encode = hole_encode,
	.decode = hole_decode,
};
