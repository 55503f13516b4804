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
 * 3. If the edges of the gap are spread evenly over a block, the mean image has one block more than the bytes used, half
 *    a block for each edge.
 * 4. payload_bytes is what the present blocks hold after the header: present * block_bytes - 64.
 *
 * Cost: encode copies the present blocks, decode moves them home and clears the rest. The layout is compacted first, at
 * this policy's cost.
 * Left out: zero blocks elsewhere than in the gap are not looked for; that would cost a pass over every page. */
#include "variants/space/parts.h"

static int hole_configure(
	uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const struct pl_conf *conf, struct pl_fault *f)
{
	(void)derived;
	(void)conf;
	return spc_check_geometry("hole", false, page_bytes, block_bytes, f);
}

static void hole_encode(const uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page,
	struct nod_gap gap, uint8_t *out, struct spc_image *img, void *scratch)
{
	(void)derived;
	(void)scratch;
	spc_put_touched(page_bytes, block_bytes, page, gap, out, img);
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
	.least_blocks = spc_least_block,
	.encode = hole_encode,
	.decode = hole_decode,
};
