/* lz4.c - page images compressed with LZ4, rounded up to size classes.
 *
 * Models block pointers with size classes. The default are two, compressed and not: what compresses into the first
 * half of the page's blocks takes that half, what does not is stored raw, so an extent has one of two sizes. Finer classes
 * (lz4.classes = 4, 8, 16) are multiples of page_bytes / classes: they save more space and fragment it more. `finest`
 * is a class for every block.
 *
 *	classes 2
 *	0        64                     64 + payload_bytes     page_bytes / 2             page_bytes
 *	| header | LZ4 block            | zeros                |                          |   half: codec lz4, prefix bits
 *	| header | bytes [64, page_bytes) as is                                           |   full: codec raw, all bits
 *
 *	classes 4
 *	| header | LZ4 block            | zeros    |           |            |             |   1, 2 or 3 quarters, or raw
 *
 * 1. codec lz4 <=> the image is a prefix of whole classes, fewer blocks than the page, and the smallest such one with
 *    64 + payload_bytes <= its bytes.
 *    Where the placement packs images (space.h, SPC_GRANULE) there are no classes: the image is the first blocks that hold
 *    the payload, if that saves a granule, and a page may be a single block.
 * 2. The bytes after the payload are zero: an image is a function of the page alone.
 * 3. What one number of classes wrote, every other reads: decode takes any prefix of blocks.
 * 4. More classes give an image of at most as many blocks, but for the few bytes at the edge where the compressor
 *    declines (lz4_page.c, 2).
 *
 * The compressor stops as soon as its output outgrows the largest class below the page. Two versions of liblz4 may
 * compress differently, so the version (LZ4_versionString()) is told with every result.
 *
 * Cost: encode one pass (with two classes fewer if the page does not compress) and a copy if raw. More classes cost
 * nothing more, but more pages pass.
 * Left out: dictionaries; acceleration is not charged for. */
#include "variants/space/lz4_page.h"

static const struct pl_opt lz4_opts[] = {
	LZ4_ACCELERATION_OPT,
	SPC_CLASSES_OPT,
	{0},
};

static int lz4_configure(
	uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const struct pl_conf *conf, struct pl_fault *f)
{
	int err = spc_configure_classes("lz4", derived, page_bytes, block_bytes, pl_conf_str(conf, "lz4.classes"), f);
	derived[SPC_EFFORT] = pl_conf_u64(conf, "lz4.acceleration");
	return err ? err : lz4_page_check("lz4", page_bytes, f);
}

static void lz4_encode(const uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page,
	struct nod_gap gap, uint8_t *out, struct spc_image *img, void *scratch)
{
	(void)gap;
	spc_encode_classes(lz4_page_compress, SPC_CODEC_LZ4, derived, page_bytes, block_bytes, page, out, img, scratch);
}

const struct spc_ops spc_lz4 = {
	.name = "lz4",
	.summary = "LZ4 in size classes: by default half of the blocks if the page compresses into them, else raw",
	.opts = lz4_opts,
	.codec = SPC_CODEC_LZ4,
	.wants_compact = true,
	.configure = lz4_configure,
	.scratch_bytes = lz4_page_scratch_bytes,
	.least_blocks = spc_least_class,
	.encode = lz4_encode,
	.decode = lz4_page_decode,
};
