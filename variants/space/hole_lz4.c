/* hole_lz4.c - LZ4 at the grain of a block, in a sparse file.
 *
 * Models page compression with punched holes, as InnoDB's transparent page compression: the page keeps its slot, its
 * compressed form takes the first ceil((64 + payload) / block) blocks of it, the rest is a hole that is punched in place
 * and not written out of place. Where leaving out the page's own free middle, as `hole` does, needs no more blocks, that
 * is stored instead: it is decoded by a copy.
 *
 *	0        64              64 + payload    page_bytes
 *	| header | LZ4 block     | zeros |  hole            |   codec lz4, a prefix of the bits; fewer blocks than below
 *	| header | arrays |   hole     | blobs              |   codec raw, the blocks that the layout uses
 *	| header | bytes [64, page_bytes) as is             |   codec raw, all bits: neither gains a block
 *
 * 1. codec lz4 <=> its prefix is strictly shorter than the number of blocks that the layout touches. (Where the placement
 *    packs images: <=> it saves a granule.)
 * 2. Never more blocks than `hole` for the same page, nor (but at the edge where the compressor declines, lz4_page.c, 2)
 *    than `lz4` with its finest classes.
 * 3. Images of `hole` and of `lz4` are read, too, and read this policy's.
 *
 * If the sizes of LZ4's output spread over more than one block, the mean image has half a block more than the mean
 * output; a hole in the middle has two edges and costs a whole block more than the bytes used.
 *
 * Cost: one pass of the compressor, which is given up as soon as it cannot gain a block; a copy if it is.
 * Left out: compressing both sides of the middle apart; a charge for less than a whole pass. */
#include "variants/space/lz4_page.h"

static const struct pl_opt hole_lz4_opts[] = {
	LZ4_ACCELERATION_OPT,
	{0},
};

static int hole_lz4_configure(
	uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const struct pl_conf *conf, struct pl_fault *f)
{
	int err = spc_check_geometry("hole_lz4", spc_fine(derived, block_bytes), page_bytes, block_bytes, f);
	derived[SPC_EFFORT] = pl_conf_u64(conf, "hole_lz4.acceleration");
	return err ? err : lz4_page_check("hole_lz4", page_bytes, f);
}

static void hole_lz4_encode(const uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page,
	struct nod_gap gap, uint8_t *out, struct spc_image *img, void *scratch)
{
	uint32_t touched = (uint32_t)__builtin_popcount(spc_touched(page_bytes, block_bytes, gap)), payload = 0;
	uint32_t gain = spc_fine(derived, block_bytes) ? (uint32_t)derived[SPC_GRANULE] : block_bytes;
	if (touched * block_bytes > gain)
		payload = lz4_page_compress(derived[SPC_EFFORT], page_bytes, page, out,
			touched * block_bytes - gain - PL_PAGE_HEADER, scratch);
	if (payload)
		spc_put_class(1, block_bytes, SPC_CODEC_LZ4, out, payload, img);
	else
		spc_put_touched(page_bytes, block_bytes, page, gap, out, img);
}

const struct spc_ops spc_hole_lz4 = {
	.name = "hole_lz4",
	.summary = "LZ4 in a prefix of the page's blocks and a hole behind it, or the layout's own hole if that is as "
		   "small",
	.opts = hole_lz4_opts,
	.codec = SPC_CODEC_LZ4,
	.wants_compact = true,
	.configure = hole_lz4_configure,
	.scratch_bytes = lz4_page_scratch_bytes,
	.least_blocks = spc_least_block,
	.encode = hole_lz4_encode,
	.decode = lz4_page_decode,
};
