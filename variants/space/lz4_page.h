/* lz4_page.h - a page's bytes through LZ4: what the policies that use it share.
 *
 * The codec SPC_CODEC_LZ4: one LZ4 block of the bytes [64, page_bytes), at byte 64 of the image. */
#ifndef PL_SPACE_LZ4_PAGE_H
#define PL_SPACE_LZ4_PAGE_H

#include "variants/space/parts.h"

#define LZ4_PAGE_BYTES_MAX 65536u /* below, inputs are hashed the same way on 32 and 64 bit machines */

size_t lz4_page_scratch_bytes(uint32_t page_bytes);

/* Compress page[64, page_bytes) into out[64, 64 + room_bytes): the payload's size, 0 if it does not fit. The compressor
 * stops as soon as it outgrows the room. */
uint32_t lz4_page_compress(uint64_t acceleration, uint32_t page_bytes, const uint8_t *page, uint8_t *out,
	uint32_t room_bytes, void *scratch);

/* spc_ops.decode for images of codec LZ4 and raw. */
int lz4_page_decode(uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page,
	void *scratch) PL_MUST_USE;

#endif
