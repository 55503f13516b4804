/* lz4.c - page images compressed with LZ4, in two size classes.
 *
 * Models block pointers with two size classes, compressed and not (the finer classes of other systems save more space
 * and fragment it more): what compresses into the first half of the page's blocks takes that half, what does not is
 * stored raw, so an extent has one of two sizes.
 *
 *	0        64                     64 + payload_bytes     page_bytes / 2             page_bytes
 *	| header | LZ4 block            | zeros                |                          |   half: codec lz4, prefix bits
 *	| header | bytes [64, page_bytes) as is                                           |   full: codec raw, all bits
 *
 * 1. codec lz4 <=> the image is the first half of the blocks; 64 + payload_bytes <= page_bytes / 2.
 * 2. The bytes after the payload are zero: an image is a function of the page alone.
 * 3. decode gives exactly page_bytes - 64 bytes or PL_DAMAGED, reads only the blocks present and writes only
 *    [64, page_bytes). It takes any prefix of blocks, so that finer classes could be added without a new codec.
 *
 * The compressor stops as soon as its output outgrows the half class, and it is conservative there: it may decline a
 * page whose output would have ended within a few bytes of the limit. That is part of its version. Two versions of
 * liblz4 may compress differently, so the version (LZ4_versionString()) is part of a run's specification. Inputs
 * below 64 KiB are hashed the same way on 32 and 64 bit machines, so the images are the same on all of them.
 *
 * Cost: encode one pass (fewer if the page does not compress) and a copy if raw; decode copies the compressed bytes
 * aside and expands them into the page. scratch holds the compressor's state, or the compressed bytes.
 * Left out: dictionaries, and expansion in place (its margin does not fit beside a full page). */
#include "engine/iface/space.h"

#include <assert.h>
#include <lz4.h>
#include <string.h>

#define BLOCKS_MAX 16u /* bits in spc_image.bitmap */
#define PAGE_BYTES_MAX 65536u
#define STATE_ALIGN 16u /* the state must be aligned as its widest member */

enum { ACCELERATION }; /* derived[] */

static const struct pl_opt lz4_opts[] = {
	{.name = "acceleration",
		.type = PL_OPT_U64,
		.value = "1",
		.min = 1,
		.max = 65537,
		.help = "LZ4 acceleration: higher is faster and compresses less"},
	{0},
};

static int lz4_configure(
	uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const struct pl_conf *conf, struct pl_fault *f)
{
	if (block_bytes < PL_PAGE_HEADER || page_bytes % block_bytes || page_bytes / block_bytes > BLOCKS_MAX ||
		page_bytes > PAGE_BYTES_MAX)
		return pl_fault_set(f, PL_INVALID,
			"space=lz4 needs pages of 2 to %u whole blocks and at most %u bytes, but page_bytes is %u and "
			"the "
			"block %u bytes",
			BLOCKS_MAX, PAGE_BYTES_MAX, page_bytes, block_bytes);
	if (page_bytes / block_bytes % 2)
		return pl_fault_set(f, PL_INVALID,
			"space=lz4 needs page_bytes of at least two blocks (2 * %u) and an even number of them, not "
			"%u: "
			"without a half class lz4 would degenerate to raw",
			block_bytes, page_bytes);
	derived[ACCELERATION] = pl_conf_u64(conf, "lz4.acceleration");
	return PL_OK;
}

static size_t lz4_scratch_bytes(uint32_t page_bytes)
{
	size_t state = (size_t)LZ4_sizeofState() + STATE_ALIGN - 1;
	return state > page_bytes ? state : page_bytes;
}

/* Compress into out[64, page_bytes / 2); the payload's size, or 0 if it is not in the half class. */
static uint32_t compress_half(
	uint32_t acceleration, uint32_t page_bytes, const uint8_t *page, uint8_t *out, void *scratch)
{
	uint32_t room = page_bytes / 2 - PL_PAGE_HEADER;
	uintptr_t misaligned = (uintptr_t)scratch % STATE_ALIGN;
	uint8_t *state = (uint8_t *)scratch + (misaligned ? STATE_ALIGN - misaligned : 0);
	int n = LZ4_compress_fast_extState(state, (const char *)page + PL_PAGE_HEADER, (char *)out + PL_PAGE_HEADER,
		(int)(page_bytes - PL_PAGE_HEADER), (int)room, (int)acceleration);
	assert(n >= 0 && (uint32_t)n <= room);
	if (n > 0)
		memset(out + PL_PAGE_HEADER + n, 0, room - (uint32_t)n);
	return (uint32_t)n;
}

static void lz4_encode(const uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page,
	struct nod_gap gap, uint8_t *out, struct spc_image *img, void *scratch)
{
	(void)gap;
	uint32_t blocks = page_bytes / block_bytes;
	uint32_t payload = compress_half((uint32_t)derived[ACCELERATION], page_bytes, page, out, scratch);
	if (payload) {
		*img = (struct spc_image){
			.bitmap = (uint16_t)((1u << blocks / 2) - 1),
			.codec = SPC_CODEC_LZ4,
			.payload_bytes = payload,
		};
		return;
	}
	memcpy(out + PL_PAGE_HEADER, page + PL_PAGE_HEADER, page_bytes - PL_PAGE_HEADER);
	*img = (struct spc_image){
		.bitmap = (uint16_t)((1u << blocks) - 1),
		.codec = SPC_CODEC_RAW,
		.payload_bytes = page_bytes - PL_PAGE_HEADER,
	};
}

static int expand(
	uint32_t page_bytes, uint32_t present_bytes, const struct spc_image *img, uint8_t *page, void *scratch)
{
	bool prefix = !(img->bitmap & (img->bitmap + 1u));
	uint32_t bytes = page_bytes - PL_PAGE_HEADER;
	if (!prefix || img->payload_bytes > present_bytes - PL_PAGE_HEADER)
		return PL_DAMAGED;
	memcpy(scratch, page + PL_PAGE_HEADER, img->payload_bytes);
	int n = LZ4_decompress_safe(scratch, (char *)page + PL_PAGE_HEADER, (int)img->payload_bytes, (int)bytes);
	return n == (int)bytes ? PL_OK : PL_DAMAGED;
}

static int lz4_decode(
	uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page, void *scratch)
{
	uint32_t present_bytes = (uint32_t)__builtin_popcount(img->bitmap) * block_bytes;
	if (img->codec != SPC_CODEC_LZ4)
		return spc_decode_raw(page_bytes, block_bytes, img, page);
	if (!(img->bitmap & 1) || img->bitmap >> page_bytes / block_bytes)
		return PL_DAMAGED;
	return expand(page_bytes, present_bytes, img, page, scratch);
}

const struct spc_ops spc_lz4 = {
	.name = "lz4",
	.summary = "LZ4 in two classes: half of the blocks if the page compresses into them, else raw",
	.opts = lz4_opts,
	.codec = SPC_CODEC_LZ4,
	.wants_compact = true,
	.configure = lz4_configure,
	.scratch_bytes = lz4_scratch_bytes,
	.encode = lz4_encode,
	.decode = lz4_decode,
};
