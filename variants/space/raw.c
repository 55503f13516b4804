/* raw.c - a page image is the page: every block present, nothing transformed.
 *
 * The baseline of the axis: no CPU for encoding beyond a copy, no space saved, and every image of a page has the same
 * size, so an image always fits where the last one lay.
 *
 *	0        64                                         page_bytes
 *	| header | payload = bytes [64, page_bytes) as is   |
 *	block 0  | block 1  | ...                           |   bitmap = all ones
 *
 * 1. payload_bytes of a raw image is what its present blocks hold after the header: blocks * block_bytes - 64.
 * 2. decode also takes raw images with absent blocks, as `hole` writes them: codec and bitmap describe an image, the
 *    store's present choice does not.
 *
 * Cost: encode and decode copy or move a page at most once.
 * Left out: nothing. */
#include "variants/space/parts.h"

static int raw_configure(
	uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const struct pl_conf *conf, struct pl_fault *f)
{
	(void)derived;
	(void)conf;
	if (block_bytes < PL_PAGE_HEADER || page_bytes % block_bytes || page_bytes / block_bytes > SPC_BLOCKS_MAX)
		return pl_fault_set(f, PL_INVALID,
			"space=raw needs pages of 1 to %u whole blocks, but page_bytes is %u and the block %u bytes",
			SPC_BLOCKS_MAX, page_bytes, block_bytes);
	return PL_OK;
}

static void raw_encode(const uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page,
	struct nod_gap gap, uint8_t *out, struct spc_image *img, void *scratch)
{
	(void)derived;
	(void)gap;
	(void)scratch;
	spc_put_raw(page_bytes, block_bytes, page, out, img);
}

static int raw_decode(
	uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page, void *scratch)
{
	(void)scratch;
	return spc_decode_raw(page_bytes, block_bytes, img, page);
}

const struct spc_ops spc_raw = {
	.name = "raw",
	.summary = "the page as it is, every block present",
	.configure = raw_configure,
	.encode = raw_encode,
	.decode = raw_decode,
};
