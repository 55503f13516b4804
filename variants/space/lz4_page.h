/* lz4_page.h - a page's bytes through LZ4: what the policies that use it share.
 *
 * The codec SPC_CODEC_LZ4: one LZ4 block of the bytes [64, page_bytes), at byte 64 of the image. */
#ifndef PL_SPACE_LZ4_PAGE_H
#define PL_SPACE_LZ4_PAGE_H

#include "variants/space/parts.h"

#define LZ4_PAGE_BYTES_MAX 65536u /* below, inputs are hashed the same way on 32 and 64 bit machines */

/* The option `acceleration`, which derived[SPC_EFFORT] holds. */
#define LZ4_ACCELERATION_OPT                                                                                           \
	{                                                                                                              \
		.name = "acceleration", .type = PL_OPT_U64, .value = "1", .min = 1, .max = 65537,                      \
		.help = "LZ4 acceleration: higher is faster and compresses less"                                       \
	}

/* Whether LZ4 takes such pages; name: of the policy. */
int lz4_page_check(const char *name, uint32_t page_bytes, struct pl_fault *f) PL_MUST_USE;

/* spc_ops.scratch_bytes */
size_t lz4_page_scratch_bytes(const uint64_t derived[8], uint32_t page_bytes);

/* effort: the acceleration. The compressor stops as soon as it outgrows the room. */
spc_compress lz4_page_compress;

/* spc_ops.decode for images of codec LZ4 and raw. */
int lz4_page_decode(uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page,
	void *scratch) PL_MUST_USE;

#endif
