/* lz4_page.c - see lz4_page.h.
 *
 * 1. decode gives exactly page_bytes - 64 bytes or PL_DAMAGED, reads only the blocks present and writes only
 *    [64, page_bytes), whatever they hold.
 * 2. The compressor is conservative at its limit: it may decline a page whose output would have ended within a few bytes
 *    of the room. That is part of its version.
 *
 * Cost: compression is one pass, less if it is given up; decode copies the compressed bytes aside and expands them into
 * the page.
 * Left out: expansion in place. LZ4 allows it if the block ends at least LZ4_DECOMPRESS_INPLACE_MARGIN (a 256th and 32
 * bytes) behind the end of what it expands to. A frame has nothing behind its page, so the margin has to be bytes of the
 * page itself that travel uncompressed. Measured (./lab bench --benchmark_filter=space/expand, medians of seven, ns a KiB of
 * page):
 *
 *	page                       8 KiB   16 KiB   64 KiB   size of the image, 16 KiB
 *	copied aside                 168      166      172   0.429 of the page
 *	moved to the end, in place   166      165      172   0.431
 *	read to the end, in place    161      162      168   0.431
 *
 * In place saves nothing while the block has to be moved to the page's end, which is the same copy, and 2 to 4 % if the
 * device put it there; either makes images larger by most of the margin. So it is not worth another form of image. */
#include "variants/space/lz4_page.h"

#include <assert.h>
#include <lz4.h>

int lz4_page_check(const char *name, uint32_t page_bytes, struct pl_fault *f)
{
	if (page_bytes > LZ4_PAGE_BYTES_MAX)
		return pl_fault_set(f, PL_INVALID, "space=%s needs page_bytes of at most %u, not %" PRIu32, name,
			LZ4_PAGE_BYTES_MAX, page_bytes);
	return PL_OK;
}

size_t lz4_page_scratch_bytes(const uint64_t derived[8], uint32_t page_bytes)
{
	(void)derived;
	size_t state = (size_t)LZ4_sizeofState() + SPC_STATE_ALIGN - 1;
	return state > page_bytes ? state : page_bytes;
}

uint32_t lz4_page_compress(uint64_t acceleration, uint32_t page_bytes, const uint8_t *page, uint8_t *out,
	uint32_t room_bytes, void *scratch)
{
	int n = LZ4_compress_fast_extState(spc_aligned(scratch), (const char *)page + PL_PAGE_HEADER,
		(char *)out + PL_PAGE_HEADER, (int)(page_bytes - PL_PAGE_HEADER), (int)room_bytes, (int)acceleration);
	assert(n >= 0 && (uint32_t)n <= room_bytes);
	return (uint32_t)n;
}

int lz4_page_decode(
	uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page, void *scratch)
{
	uint32_t bytes = page_bytes - PL_PAGE_HEADER;
	if (img->codec != SPC_CODEC_LZ4)
		return spc_decode_raw(page_bytes, block_bytes, img, page);
	if (!spc_prefix_holds(page_bytes, block_bytes, img))
		return PL_DAMAGED;
	memcpy(scratch, page + PL_PAGE_HEADER, img->payload_bytes);
	int n = LZ4_decompress_safe(scratch, (char *)page + PL_PAGE_HEADER, (int)img->payload_bytes, (int)bytes);
	return n == (int)bytes ? PL_OK : PL_DAMAGED;
}
