/* zstd.c - page images compressed with Zstandard, rounded up to size classes.
 *
 * Models engines that trade CPU for space (WiredTiger, RocksDB and InnoDB offer it page by page). The shape of an image is
 * that of lz4.c, with a frame of zstd (RFC 8878) in the place of the LZ4 block:
 *
 *	0        64                     64 + payload_bytes    k classes                  page_bytes
 *	| header | zstd frame           | zeros               |                          |   codec zstd, prefix bits
 *	| header | bytes [64, page_bytes) as is                                          |   codec raw, all bits
 *
 * 1. As lz4.c, 1 to 3, with codec zstd. The frame has no magic number, no checksum and no dictionary, and names its size:
 *    the page's header says and checks all that.
 * 2. The contexts of the compressor and the expander live in scratch and are made anew for each page: no allocation, and
 *    an image is a function of the page alone.
 * 3. decode gives exactly page_bytes - 64 bytes or PL_DAMAGED, reads only the blocks present and writes only
 *    [64, page_bytes).
 *
 * Two versions of libzstd may compress differently, so the version (ZSTD_versionString()) is told with every result.
 *
 * Cost: at level 3 six times the time of LZ4 to compress and to expand 16 KiB; of larger pages expansion costs less a KiB,
 * for two thirds of it are tables that are built once a page. What other levels cost beside level 3 is in a table below,
 * measured by `./lab bench --benchmark_filter=space`; level 16, measured at 8200, is charged as its neighbours.
 * Left out: dictionaries, which would help small pages most; expansion in place. */
#include "variants/space/parts.h"

#ifdef PAGELAB_HAVE_ZSTD
#define ZSTD_STATIC_LINKING_ONLY /* static contexts and the format without a magic number */
#include <zstd.h>
#include <zstd_errors.h>
#define UNAVAILABLE NULL
#else
#define UNAVAILABLE "built without libzstd"
#endif

#include <assert.h>

#define LEVEL_MAX 19

static const struct pl_opt zstd_opts[] = {
	{.name = "level",
		.type = PL_OPT_U64,
		.value = "3",
		.min = 1,
		.max = LEVEL_MAX,
		.help = "zstd compression level: higher is slower and compresses more"},
	SPC_CLASSES_OPT,
	{0},
};

static int zstd_configure(
	uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const struct pl_conf *conf, struct pl_fault *f)
{
	derived[SPC_EFFORT] = pl_conf_u64(conf, "zstd.level");
	return spc_configure_classes("zstd", derived, page_bytes, block_bytes, pl_conf_str(conf, "zstd.classes"), f);
}

static uint32_t zstd_encode_permille(const uint64_t derived[8])
{
	static const uint32_t permille[LEVEL_MAX + 1] = {0, 690, 715, 1000, 1570, 1735, 1780, 1800, 1800, 2990, 2990,
		3830, 4600, 4890, 13000, 13000, 13000, 25000, 25000, 25000};
	return permille[derived[SPC_EFFORT]];
}

#ifdef PAGELAB_HAVE_ZSTD
static size_t state_bytes(uint64_t level, uint32_t page_bytes)
{
	size_t compressor =
		ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams((int)level, page_bytes - PL_PAGE_HEADER, 0));
	size_t expander = ZSTD_estimateDCtxSize() + page_bytes; /* and the compressed bytes */
	assert(!ZSTD_isError(compressor));
	return compressor > expander ? compressor : expander;
}

static size_t zstd_scratch_bytes(const uint64_t derived[8], uint32_t page_bytes)
{
	return state_bytes(derived[SPC_EFFORT], page_bytes) + SPC_STATE_ALIGN - 1;
}

static uint32_t compress(
	uint64_t level, uint32_t page_bytes, const uint8_t *page, uint8_t *out, uint32_t room_bytes, void *scratch)
{
	ZSTD_CCtx *c = ZSTD_initStaticCCtx(spc_aligned(scratch), state_bytes(level, page_bytes) & ~(size_t)7);
	assert(c);
	size_t failed = ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, (int)level);
	assert(!ZSTD_isError(failed));
	failed = ZSTD_CCtx_setParameter(c, ZSTD_c_format, ZSTD_f_zstd1_magicless);
	assert(!ZSTD_isError(failed));
	size_t n =
		ZSTD_compress2(c, out + PL_PAGE_HEADER, room_bytes, page + PL_PAGE_HEADER, page_bytes - PL_PAGE_HEADER);
	if (ZSTD_isError(n)) {
		assert(ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall);
		return 0;
	}
	assert(n <= room_bytes);
	return (uint32_t)n;
}

static void zstd_encode(const uint64_t derived[8], uint32_t page_bytes, uint32_t block_bytes, const uint8_t *page,
	struct nod_gap gap, uint8_t *out, struct spc_image *img, void *scratch)
{
	(void)gap;
	spc_encode_classes(compress, SPC_CODEC_ZSTD, derived, page_bytes, block_bytes, page, out, img, scratch);
}

static int zstd_decode(
	uint32_t page_bytes, uint32_t block_bytes, const struct spc_image *img, uint8_t *page, void *scratch)
{
	size_t room = ZSTD_estimateDCtxSize() & ~(size_t)7, bytes = page_bytes - PL_PAGE_HEADER;
	uint8_t *state = spc_aligned(scratch), *aside = state + room;
	if (img->codec != SPC_CODEC_ZSTD)
		return spc_decode_raw(page_bytes, block_bytes, img, page);
	if (!spc_prefix_holds(page_bytes, block_bytes, img))
		return PL_DAMAGED;
	ZSTD_DCtx *d = ZSTD_initStaticDCtx(state, room);
	assert(d);
	size_t failed = ZSTD_DCtx_setParameter(d, ZSTD_d_format, ZSTD_f_zstd1_magicless);
	assert(!ZSTD_isError(failed));
	memcpy(aside, page + PL_PAGE_HEADER, img->payload_bytes);
	return ZSTD_decompressDCtx(d, page + PL_PAGE_HEADER, bytes, aside, img->payload_bytes) == bytes ? PL_OK
													: PL_DAMAGED;
}
#endif

const struct spc_ops spc_zstd = {
	.name = "zstd",
	.summary = "zstd in size classes: by default half of the blocks if the page compresses into them, else raw",
	.unavailable = UNAVAILABLE,
	.opts = zstd_opts,
	.codec = SPC_CODEC_ZSTD,
	.wants_compact = true,
	.configure = zstd_configure,
	.least_blocks = spc_least_class,
	.encode_permille = zstd_encode_permille,
#ifdef PAGELAB_HAVE_ZSTD
	.scratch_bytes = zstd_scratch_bytes,
	.encode = zstd_encode,
	.decode = zstd_decode,
#endif
};
