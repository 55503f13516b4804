/* space_test.c - what every space policy promises, over random pages and gaps, between guard pages. */
#include "engine/base/rng.h"
#include "engine/iface/space.h"
#include "variants/registry.h"

#include <assert.h>
#include <lz4.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define PAGE_MAX 65536u
#define MEMORY_MAX (8u << 20) /* a page, or the scratch of the greediest compressor */
#define GUARD 65536u

extern const struct spc_ops spc_raw, spc_lz4, spc_hole, spc_hole_lz4, spc_zstd;
/* every choice of the axis that can be had: filled from the registry by main */
static const struct spc_ops *policies[32];
static size_t npolicies;

static const struct geometry {
	uint32_t page_bytes, block_bytes;
} geometries[] = {
	{8192, 4096},
	{16384, 4096},
	{32768, 4096},
	{65536, 4096},
	{8192, 512},
	{4096, 512},
	{1024, 512},
	{16384, 1024},
	{65536, 32768},
};

/* A buffer whose last byte is followed, and whose first is preceded, by memory that may not be touched. */
static uint8_t *guarded(uint32_t bytes)
{
	assert_true(bytes <= MEMORY_MAX);
	uint8_t *p = mmap(NULL, MEMORY_MAX + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + GUARD, MEMORY_MAX, PROT_READ | PROT_WRITE), 0);
	return p + GUARD + (MEMORY_MAX - bytes);
}

static void guarded_free(uint8_t *p, uint32_t bytes)
{
	munmap(p + bytes - MEMORY_MAX - GUARD, MEMORY_MAX + 2 * GUARD);
}

struct bench {
	const struct spc_ops *ops;
	struct geometry g;
	uint64_t derived[8];
	uint8_t *page, *out, *back; /* guarded */
	uint8_t *scratch; /* guarded */
	uint32_t scratch_bytes;
	struct pl_conf conf;
};

/* option: "lz4.classes=4" or NULL */
static void bench_init_with(struct bench *b, const struct spc_ops *ops, struct geometry g, const char *option)
{
	struct pl_fault f = {0};
	memset(b, 0, sizeof *b);
	b->ops = ops;
	b->g = g;
	pl_conf_init(&b->conf);
	pl_conf_declare(&b->conf, ops->name, ops->opts);
	if (option) {
		char key[64];
		size_t n = strcspn(option, "=");
		assert_true(n < sizeof key);
		memcpy(key, option, n);
		key[n] = 0;
		assert_int_equal(pl_conf_set(&b->conf, key, option + n + 1, &f), PL_OK);
	}
	assert_int_equal(ops->configure(b->derived, g.page_bytes, g.block_bytes, &b->conf, &f), PL_OK);
	b->page = guarded(g.page_bytes);
	b->out = guarded(g.page_bytes);
	b->back = guarded(g.page_bytes);
	/* Rounded up, so that the scratch is aligned as malloc would and still ends at the guard. */
	b->scratch_bytes = ((uint32_t)spc_scratch_bytes(ops, b->derived, g.page_bytes) + 15) & ~15u;
	b->scratch = guarded(b->scratch_bytes);
}

static void bench_init(struct bench *b, const struct spc_ops *ops, struct geometry g)
{
	bench_init_with(b, ops, g, NULL);
}

static void bench_deinit(struct bench *b)
{
	guarded_free(b->page, b->g.page_bytes);
	guarded_free(b->out, b->g.page_bytes);
	guarded_free(b->back, b->g.page_bytes);
	guarded_free(b->scratch, b->scratch_bytes);
	pl_conf_free(&b->conf);
}

static void fill_random(struct pl_rng *r, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)pl_rng_next(r);
}

/* Bytes whose repetition varies from page to page, with a zero gap anywhere or nowhere. */
static struct nod_gap random_page(struct pl_rng *r, uint8_t *page, uint32_t page_bytes)
{
	uint64_t alphabet = 1 + pl_rng_below(r, 256), run = 1 + pl_rng_below(r, 32);
	for (uint32_t i = 0; i < page_bytes;) {
		uint8_t byte = (uint8_t)pl_rng_below(r, alphabet);
		for (uint64_t k = 1 + pl_rng_below(r, run); k-- && i < page_bytes;)
			page[i++] = byte;
	}
	uint32_t a = PL_PAGE_HEADER + (uint32_t)pl_rng_below(r, page_bytes - PL_PAGE_HEADER + 1);
	uint32_t b = PL_PAGE_HEADER + (uint32_t)pl_rng_below(r, page_bytes - PL_PAGE_HEADER + 1);
	struct nod_gap gap = {a < b ? a : b, a < b ? b : a};
	if (pl_rng_below(r, 4) == 0)
		gap.hi = gap.lo;
	memset(page + gap.lo, 0, gap.hi - gap.lo);
	return gap;
}

static uint32_t present_bytes(const struct bench *b, const struct spc_image *img)
{
	return (uint32_t)__builtin_popcount(img->bitmap) * b->g.block_bytes;
}

static uint32_t least_bytes(const struct bench *b)
{
	return spc_least_blocks(b->ops, b->derived, b->g.page_bytes / b->g.block_bytes) * b->g.block_bytes;
}

/* Encode b->page, check the image's shape, and leave what a reader gets from the device in b->back. */
static struct spc_image encode(struct bench *b, struct nod_gap gap)
{
	struct spc_image img = {0};
	memset(b->out, 0xA5, b->g.page_bytes);
	spc_encode(b->ops, b->derived, b->g.page_bytes, b->g.block_bytes, b->page, gap, b->out, &img, b->scratch);
	assert_true(img.bitmap & 1);
	assert_true(present_bytes(b, &img) <= b->g.page_bytes);
	assert_true(PL_PAGE_HEADER + img.payload_bytes <= present_bytes(b, &img));
	assert_true(present_bytes(b, &img) >= least_bytes(b));
	if (img.codec != SPC_CODEC_RAW) {
		assert_int_equal(img.codec, b->ops->codec);
		assert_int_equal(img.exact_bytes, PL_PAGE_HEADER + img.payload_bytes);
		assert_true(present_bytes(b, &img) < b->g.page_bytes);
	} else if (present_bytes(b, &img) < b->g.page_bytes)
		assert_int_equal(img.exact_bytes, b->g.page_bytes - (gap.hi - gap.lo));
	for (uint32_t i = 0; i < PL_PAGE_HEADER; i++)
		assert_int_equal(b->out[i], 0xA5);
	for (uint32_t i = PL_PAGE_HEADER + img.payload_bytes; i < present_bytes(b, &img); i++)
		assert_int_equal(b->out[i], 0);
	memset(b->back, 0x5A, b->g.page_bytes);
	memcpy(b->back, b->out, present_bytes(b, &img));
	return img;
}

static void decode_is_identity(struct bench *b, const struct spc_image *img, const struct spc_ops *decoder)
{
	assert_int_equal(spc_decode(decoder, b->g.page_bytes, b->g.block_bytes, img, b->back, b->scratch), PL_OK);
	for (uint32_t i = 0; i < PL_PAGE_HEADER; i++)
		assert_int_equal(b->back[i], 0xA5);
	assert_memory_equal(b->back + PL_PAGE_HEADER, b->page + PL_PAGE_HEADER, b->g.page_bytes - PL_PAGE_HEADER);
}

/* Every policy at every geometry, each with its own stream of random numbers. */
static void for_every_bench(uint64_t seed, void (*f)(struct bench *b, struct pl_rng *r))
{
	for (size_t p = 0; p < npolicies; p++)
		for (size_t g = 0; g < PL_COUNT(geometries); g++) {
			struct bench b;
			struct pl_rng r;
			pl_rng_seed(&r, seed, g);
			bench_init(&b, policies[p], geometries[g]);
			f(&b, &r);
			bench_deinit(&b);
		}
}

static void identity(struct bench *b, struct pl_rng *r)
{
	for (int round = 0; round < 40; round++) {
		struct nod_gap gap = random_page(r, b->page, b->g.page_bytes);
		struct spc_image img = encode(b, gap);
		decode_is_identity(b, &img, b->ops);
	}
}

static void test_identity(void **state)
{
	(void)state;
	for_every_bench(1, identity);
}

/* The page need not be zero in the gap for the reader to see zeros where blocks are absent. */
static void test_hole_zeros(void **state)
{
	(void)state;
	struct bench b;
	struct pl_rng r;
	pl_rng_seed(&r, 2, 0);
	bench_init(&b, &spc_hole, (struct geometry){32768, 4096});
	fill_random(&r, b.page, b.g.page_bytes);
	struct nod_gap gap = {5000, 24576};
	struct spc_image img = encode(&b, gap);
	assert_int_equal(img.bitmap, 0xC3);
	memset(b.page + 8192, 0, 16384);
	decode_is_identity(&b, &img, &spc_hole);
	bench_deinit(&b);
}

static void test_hole_bitmap(void **state)
{
	(void)state;
	struct bench b;
	for (size_t g = 0; g < PL_COUNT(geometries); g++) {
		struct pl_rng r;
		pl_rng_seed(&r, 3, g);
		bench_init(&b, &spc_hole, geometries[g]);
		for (int round = 0; round < 200; round++) {
			struct nod_gap gap = random_page(&r, b.page, b.g.page_bytes);
			if (round % 4 == 0) /* aligned edges are where an off-by-one would show */
				gap.lo = gap.lo / b.g.block_bytes * b.g.block_bytes;
			if (round % 4 == 1)
				gap.hi = gap.hi / b.g.block_bytes * b.g.block_bytes;
			if (gap.hi < gap.lo)
				gap.hi = gap.lo;
			struct spc_image img = encode(&b, gap);
			assert_int_equal(img.codec, SPC_CODEC_RAW);
			assert_int_equal(img.payload_bytes, present_bytes(&b, &img) - PL_PAGE_HEADER);
			for (uint32_t i = 0; i < b.g.page_bytes / b.g.block_bytes; i++) {
				uint32_t used = 0;
				for (uint32_t at = i * b.g.block_bytes; at < (i + 1) * b.g.block_bytes; at++)
					used += at < gap.lo || at >= gap.hi;
				assert_int_equal(img.bitmap >> i & 1, i == 0 || used > 0);
			}
		}
		bench_deinit(&b);
	}
}

/* From all zeros to all noise: below the limit half, above it raw, and never half when it would not fit. */
static void test_lz4_classes(void **state)
{
	(void)state;
	static char best[LZ4_COMPRESSBOUND(PAGE_MAX)];
	struct bench b;
	for (size_t g = 0; g < PL_COUNT(geometries); g++) {
		struct pl_rng r;
		pl_rng_seed(&r, 4, g);
		bench_init(&b, &spc_lz4, geometries[g]);
		uint32_t page_bytes = b.g.page_bytes, room = page_bytes / 2 - PL_PAGE_HEADER;
		uint32_t half = 0, raw = 0, closest = UINT32_MAX;
		memset(b.page, 0, page_bytes);
		uint32_t noise = room > 300 ? room - 300 : 0;
		fill_random(&r, b.page + PL_PAGE_HEADER, noise);
		for (; noise < room + 60; noise++) {
			struct spc_image img = encode(&b, (struct nod_gap){0, 0});
			uint32_t full = (uint32_t)LZ4_compress_fast((const char *)b.page + PL_PAGE_HEADER, best,
				(int)(page_bytes - PL_PAGE_HEADER), sizeof best, 1);
			if (img.codec == SPC_CODEC_LZ4) {
				half++;
				assert_true(full <= room);
				assert_int_equal(img.payload_bytes, full);
				assert_int_equal(present_bytes(&b, &img), page_bytes / 2);
				assert_memory_equal(b.out + PL_PAGE_HEADER, best, full);
				closest = room - full < closest ? room - full : closest;
			} else {
				raw++;
				assert_true(full + 8 > room); /* it may decline only at the very edge */
				assert_int_equal(img.codec, SPC_CODEC_RAW);
				assert_int_equal(img.payload_bytes, page_bytes - PL_PAGE_HEADER);
				assert_int_equal(present_bytes(&b, &img), page_bytes);
			}
			decode_is_identity(&b, &img, &spc_lz4);
			fill_random(&r, b.page + PL_PAGE_HEADER + noise, 1);
		}
		assert_true(half > 0 && raw > 0 && closest < 8);
		bench_deinit(&b);
	}
}

static void test_raw_shape(void **state)
{
	(void)state;
	struct bench b;
	for (size_t g = 0; g < PL_COUNT(geometries); g++) {
		struct pl_rng r;
		pl_rng_seed(&r, 5, g);
		bench_init(&b, &spc_raw, geometries[g]);
		struct nod_gap gap = random_page(&r, b.page, b.g.page_bytes);
		struct spc_image img = encode(&b, gap);
		assert_int_equal(img.bitmap, (1u << b.g.page_bytes / b.g.block_bytes) - 1);
		assert_int_equal(img.codec, SPC_CODEC_RAW);
		assert_int_equal(img.payload_bytes, b.g.page_bytes - PL_PAGE_HEADER);
		bench_deinit(&b);
	}
}

/* A store may change its space policy: raw images, with holes or without, are read by every one. */
static void test_raw_codec_everywhere(void **state)
{
	(void)state;
	struct geometry g = {16384, 1024};
	struct bench writer, reader;
	struct pl_rng r;
	pl_rng_seed(&r, 6, 0);
	for (size_t w = 0; w < npolicies; w++)
		for (size_t p = 0; p < npolicies; p++) {
			bench_init(&writer, policies[w], g);
			bench_init(&reader, policies[p], g);
			for (int round = 0; round < 50; round++) {
				struct nod_gap gap = random_page(&r, writer.page, g.page_bytes);
				struct spc_image img = encode(&writer, gap);
				if (img.codec != SPC_CODEC_RAW)
					continue;
				memcpy(reader.page, writer.page, g.page_bytes);
				memcpy(reader.back, writer.back, g.page_bytes);
				decode_is_identity(&reader, &img, policies[p]);
			}
			bench_deinit(&reader);
			bench_deinit(&writer);
		}
}

/* Whatever the blocks and the image say, decode stays in the page and says OK or DAMAGED. */
static void any_bytes(struct bench *b, struct pl_rng *r)
{
	uint8_t header[PL_PAGE_HEADER];
	uint32_t damaged = 0;
	for (int round = 0; round < 120; round++) {
		struct nod_gap gap = random_page(r, b->page, b->g.page_bytes);
		struct spc_image img = encode(b, gap);
		uint64_t kind = pl_rng_below(r, 4);
		if (kind == 0)
			fill_random(r, b->back, b->g.page_bytes);
		if (kind == 1)
			img.payload_bytes = (uint32_t)pl_rng_next(r) >> pl_rng_below(r, 32);
		if (kind == 2) {
			img.bitmap = (uint16_t)pl_rng_next(r);
			img.codec = (uint8_t)pl_rng_below(r, 9);
		}
		for (int k = 0; kind == 3 && k < 8; k++)
			b->back[pl_rng_below(r, b->g.page_bytes)] = (uint8_t)pl_rng_next(r);
		memcpy(header, b->back, sizeof header);
		int err = spc_decode(b->ops, b->g.page_bytes, b->g.block_bytes, &img, b->back, b->scratch);
		assert_true(err == PL_OK || err == PL_DAMAGED);
		damaged += err == PL_DAMAGED;
		assert_memory_equal(header, b->back, sizeof header);
	}
	assert_true(damaged > 10);
}

static void test_any_bytes(void **state)
{
	(void)state;
	for_every_bench(7, any_bytes);
}

static void damaged_images(struct bench *b, struct pl_rng *r)
{
	(void)r;
	memset(b->page, 0, b->g.page_bytes);
	struct spc_image good = encode(b, (struct nod_gap){PL_PAGE_HEADER, b->g.page_bytes});
	uint32_t blocks = b->g.page_bytes / b->g.block_bytes;
	struct spc_image bad[] = {good, good, good, good, good, good, good};
	bad[0].payload_bytes--;
	bad[1].payload_bytes++;
	bad[2].bitmap &= (uint16_t)~1u;
	bad[3].codec = SPC_CODEC_NOT_A_LOC;
	bad[4].payload_bytes = UINT32_MAX;
	bad[5] = (struct spc_image){2, SPC_CODEC_RAW, b->g.block_bytes - PL_PAGE_HEADER, 0};
	bad[6] = (struct spc_image){
		(uint16_t)(1u << blocks | 1), SPC_CODEC_RAW, 2 * b->g.block_bytes - PL_PAGE_HEADER, 0};
	if (blocks == 16)
		bad[6] = bad[5]; /* there is no bit beyond */
	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		memset(b->back, 0, b->g.page_bytes);
		memcpy(b->back, b->out, present_bytes(b, &good));
		assert_int_equal(spc_decode(b->ops, b->g.page_bytes, b->g.block_bytes, &bad[i], b->back, b->scratch),
			PL_DAMAGED);
	}
	memcpy(b->back, b->out, present_bytes(b, &good));
	decode_is_identity(b, &good, b->ops);
}

static void test_damaged_images(void **state)
{
	(void)state;
	struct bench b;
	for_every_bench(10, damaged_images);
	bench_init(&b, &spc_lz4, (struct geometry){16384, 4096});
	memset(b.page, 7, b.g.page_bytes);
	struct spc_image img = encode(&b, (struct nod_gap){0, 0});
	assert_int_equal(img.bitmap, 3);
	img.bitmap = 5; /* not a prefix */
	assert_int_equal(spc_decode(&spc_lz4, 16384, 4096, &img, b.back, b.scratch), PL_DAMAGED);
	/* sound, but of less than a page */
	img = encode(&b, (struct nod_gap){0, 0});
	img.payload_bytes =
		(uint32_t)LZ4_compress_default((const char *)b.page, (char *)b.back + PL_PAGE_HEADER, 16384 - 65, 4096);
	assert_int_equal(spc_decode(&spc_lz4, 16384, 4096, &img, b.back, b.scratch), PL_DAMAGED);
	bench_deinit(&b);
}

/* Neither leftovers in scratch and out nor the scratch's alignment reach the image. */
static void determinism(struct bench *b, struct pl_rng *r)
{
	static uint8_t first[PAGE_MAX];
	for (int round = 0; round < 10; round++) {
		struct nod_gap gap = random_page(r, b->page, b->g.page_bytes);
		struct spc_image one = encode(b, gap);
		memcpy(first, b->out, present_bytes(b, &one));
		fill_random(r, b->scratch, b->scratch_bytes);
		b->scratch++;
		struct spc_image two = encode(b, gap);
		b->scratch--;
		assert_int_equal(one.bitmap, two.bitmap);
		assert_int_equal(one.codec, two.codec);
		assert_int_equal(one.payload_bytes, two.payload_bytes);
		assert_memory_equal(first, b->out, present_bytes(b, &one));
	}
}

static void test_determinism(void **state)
{
	(void)state;
	for_every_bench(8, determinism);
}

static int configure(const struct spc_ops *ops, uint32_t page_bytes, uint32_t block_bytes, struct pl_fault *f)
{
	uint64_t derived[8] = {0};
	struct pl_conf conf;
	pl_conf_init(&conf);
	pl_conf_declare(&conf, ops->name, ops->opts);
	int err = ops->configure(derived, page_bytes, block_bytes, &conf, f);
	pl_conf_free(&conf);
	return err;
}

static void test_refusals(void **state)
{
	(void)state;
	struct pl_fault f = {0};
	assert_int_equal(configure(&spc_raw, 4096, 4096, &f), PL_OK);
	assert_int_equal(configure(&spc_lz4, 4096, 4096, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "degenerate to raw"));
	assert_int_equal(configure(&spc_hole, 4096, 4096, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "degenerate to raw"));
	for (size_t p = 0; p < npolicies; p++) {
		assert_int_equal(configure(policies[p], 8192, 4096, &f), PL_OK);
		assert_int_equal(configure(policies[p], 65536, 2048, &f), PL_INVALID);
		assert_int_equal(configure(policies[p], 10000, 4096, &f), PL_INVALID);
		assert_non_null(strstr(f.text, policies[p]->name));
	}
}

static void test_acceleration(void **state)
{
	(void)state;
	struct pl_fault f = {0};
	struct bench b;
	struct pl_rng r;
	pl_rng_seed(&r, 9, 0);
	bench_init(&b, &spc_lz4, (struct geometry){65536, 4096});
	for (uint32_t i = 0; i < b.g.page_bytes; i++) /* compressible only to one who looks everywhere */
		b.page[i] = (uint8_t)(i % 64 < 24 ? pl_rng_next(&r) : i % 64);
	struct spc_image one = encode(&b, (struct nod_gap){0, 0});
	assert_int_equal(one.codec, SPC_CODEC_LZ4);
	assert_int_equal(pl_conf_set(&b.conf, "lz4.acceleration", "0", &f), PL_INVALID);
	assert_int_equal(pl_conf_set(&b.conf, "lz4.acceleration", "60", &f), PL_OK);
	assert_int_equal(spc_lz4.configure(b.derived, 65536, 4096, &b.conf, &f), PL_OK);
	struct spc_image sixty = encode(&b, (struct nod_gap){0, 0});
	assert_true(sixty.payload_bytes > one.payload_bytes);
	decode_is_identity(&b, &sixty, &spc_lz4);
	bench_deinit(&b);
}

/* --- sizes ---------------------------------------------------------------------------------------------------------- */

static const char *const classes[] = {"2", "4", "8", "16", "finest"};

/* The least image that a placement reckons with is given, for a page of nothing, and nothing is smaller (encode). */
static void least(struct bench *b, struct pl_rng *r)
{
	(void)r;
	memset(b->page, 0, b->g.page_bytes);
	struct spc_image img = encode(b, (struct nod_gap){PL_PAGE_HEADER, b->g.page_bytes});
	assert_int_equal(present_bytes(b, &img), least_bytes(b));
	assert_true(least_bytes(b) >= b->g.block_bytes);
}

static void test_least(void **state)
{
	(void)state;
	for_every_bench(11, least);
}

/* Noise has no redundancy to remove: a full page of it takes all blocks, under every policy and in every class. */
static void noise(struct bench *b, struct pl_rng *r)
{
	for (int round = 0; round < 5; round++) {
		fill_random(r, b->page, b->g.page_bytes);
		struct spc_image img = encode(b, (struct nod_gap){b->g.page_bytes, b->g.page_bytes});
		assert_int_equal(img.codec, SPC_CODEC_RAW);
		assert_int_equal(present_bytes(b, &img), b->g.page_bytes);
		assert_int_equal(img.exact_bytes, b->g.page_bytes);
		decode_is_identity(b, &img, b->ops);
	}
}

static void test_noise(void **state)
{
	struct pl_rng r;
	struct bench b;
	(void)state;
	for_every_bench(12, noise);
	pl_rng_seed(&r, 12, 1);
	for (size_t c = 0; c < PL_COUNT(classes); c++) {
		char option[32];
		(void)snprintf(option, sizeof option, "lz4.classes=%s", classes[c]);
		bench_init_with(&b, &spc_lz4, (struct geometry){65536, 4096}, option);
		noise(&b, &r);
		bench_deinit(&b);
	}
}

/* A page whose compressed size is anywhere: `share` in 256 of it is noise, the rest repeats. */
static void mixed_page(struct pl_rng *r, uint8_t *page, uint32_t page_bytes, uint64_t share)
{
	for (uint32_t i = 0; i < page_bytes; i++)
		page[i] = i % 256 < share ? (uint8_t)pl_rng_next(r) : (uint8_t)(i % 7);
}

/* Images of all numbers of classes of one page: the same payload in the smallest class that holds it; never more blocks
 * with more classes. */
static void one_page_in_classes(struct bench b[PL_COUNT(classes)], size_t n, const uint8_t *page, uint64_t *compressed)
{
	uint32_t blocks = b[0].g.page_bytes / b[0].g.block_bytes, before = blocks;
	for (size_t c = 0; c < n; c++) {
		uint32_t count = c < 4 ? 2u << c : blocks, unit = blocks / count * b[c].g.block_bytes;
		if (c == 4) /* finest: the same as the number of blocks */
			unit = b[c].g.block_bytes;
		memcpy(b[c].page, page, b[c].g.page_bytes);
		struct spc_image img = encode(&b[c], (struct nod_gap){0, 0});
		uint32_t now = present_bytes(&b[c], &img) / b[c].g.block_bytes;
		assert_int_equal(present_bytes(&b[c], &img) % unit, 0);
		assert_true(now <= before);
		if (img.codec != SPC_CODEC_RAW) {
			assert_true(present_bytes(&b[c], &img) - img.exact_bytes < unit);
			++*compressed;
		}
		before = now;
		decode_is_identity(&b[c], &img, b[c].ops);
		memcpy(b[0].back, b[c].out, present_bytes(&b[c], &img)); /* whoever has other classes reads it */
		memcpy(b[0].page, page, b[c].g.page_bytes);
		decode_is_identity(&b[0], &img, b[0].ops);
	}
}

static void in_classes(const struct spc_ops *ops, struct geometry g)
{
	static uint8_t page[PAGE_MAX];
	struct bench b[PL_COUNT(classes)];
	uint64_t compressed = 0;
	struct pl_rng r;
	size_t n = 0;
	pl_rng_seed(&r, 13, g.page_bytes);
	for (; n < PL_COUNT(classes); n++) {
		char option[32];
		(void)snprintf(option, sizeof option, "%s.classes=%s", ops->name, classes[n]);
		bench_init_with(&b[n], ops, g, option);
	}
	for (uint64_t share = 0; share <= 256; share += 4) {
		mixed_page(&r, page, g.page_bytes, share);
		one_page_in_classes(b, n, page, &compressed);
	}
	assert_true(compressed > 100);
	while (n)
		bench_deinit(&b[--n]);
}

static void test_classes(void **state)
{
	(void)state;
	for (size_t g = 0; g < 2; g++) {
		struct geometry sixteen = g ? (struct geometry){65536, 4096} : (struct geometry){8192, 512};
		in_classes(&spc_lz4, sixteen);
		if (!spc_zstd.unavailable)
			in_classes(&spc_zstd, sixteen);
	}
}

static void test_class_refusals(void **state)
{
	static const struct spc_ops *const with[] = {&spc_lz4, &spc_zstd};
	(void)state;
	for (size_t p = 0; p < PL_COUNT(with); p++)
		for (size_t c = 0; c < PL_COUNT(classes); c++) {
			struct pl_fault f = {0};
			struct pl_conf conf;
			uint64_t derived[8] = {0};
			char key[32];
			(void)snprintf(key, sizeof key, "%s.classes", with[p]->name);
			pl_conf_init(&conf);
			pl_conf_declare(&conf, with[p]->name, with[p]->opts);
			assert_int_equal(pl_conf_set(&conf, key, "3", &f), PL_INVALID);
			assert_int_equal(pl_conf_set(&conf, key, classes[c], &f), PL_OK);
			int err = with[p]->configure(derived, 16384, 4096, &conf, &f);
			if (c == 2 || c == 3) {
				assert_int_equal(err, PL_INVALID);
				assert_non_null(strstr(f.text, "less than a block"));
			} else {
				assert_int_equal(err, PL_OK);
				assert_int_equal(spc_least_blocks(with[p], derived, 4), c == 0 ? 2 : 1);
			}
			pl_conf_free(&conf);
		}
}

/* LZ4 is taken exactly if it saves a block beside the layout's own hole, and then it is as small as the finest class. */
static void test_hole_lz4(void **state)
{
	struct bench h, l, both;
	uint32_t compressed = 0, holes = 0;
	(void)state;
	for (size_t g = 0; g < PL_COUNT(geometries); g++) {
		struct pl_rng r;
		pl_rng_seed(&r, 14, g);
		bench_init(&h, &spc_hole, geometries[g]);
		bench_init_with(&l, &spc_lz4, geometries[g], "lz4.classes=finest");
		bench_init(&both, &spc_hole_lz4, geometries[g]);
		for (int round = 0; round < 150; round++) {
			mixed_page(&r, h.page, h.g.page_bytes, pl_rng_below(&r, 257));
			struct nod_gap gap = {PL_PAGE_HEADER + (uint32_t)pl_rng_below(&r, h.g.page_bytes / 2), 0};
			gap.hi = gap.lo + (uint32_t)pl_rng_below(&r, h.g.page_bytes - gap.lo);
			memset(h.page + gap.lo, 0, gap.hi - gap.lo);
			memcpy(l.page, h.page, h.g.page_bytes);
			memcpy(both.page, h.page, h.g.page_bytes);
			struct spc_image hole = encode(&h, gap), lz4 = encode(&l, gap), img = encode(&both, gap);
			uint32_t a = present_bytes(&h, &hole), c = present_bytes(&l, &lz4);
			if (img.codec == SPC_CODEC_LZ4) {
				compressed++;
				assert_true(c < a);
				assert_int_equal(img.bitmap, lz4.bitmap);
				assert_int_equal(img.payload_bytes, lz4.payload_bytes);
				assert_memory_equal(
					both.out + PL_PAGE_HEADER, l.out + PL_PAGE_HEADER, c - PL_PAGE_HEADER);
			} else {
				holes++;
				/* at the edge the compressor declines within its last bytes */
				assert_true(c >= a || lz4.exact_bytes + 8 > a - h.g.block_bytes);
				assert_int_equal(img.bitmap, hole.bitmap);
				assert_memory_equal(
					both.out + PL_PAGE_HEADER, h.out + PL_PAGE_HEADER, a - PL_PAGE_HEADER);
			}
			decode_is_identity(&both, &img, &spc_hole_lz4);
		}
		bench_deinit(&h);
		bench_deinit(&l);
		bench_deinit(&both);
	}
	assert_true(compressed > 100 && holes > 100);
}

/* A policy reads its own codec and raw; of another's it says that it is damaged, it does not guess. */
static void other_codecs(struct bench *b, struct pl_rng *r)
{
	(void)r;
	memset(b->page, 0, b->g.page_bytes);
	struct spc_image img = encode(b, (struct nod_gap){b->g.page_bytes, b->g.page_bytes});
	for (unsigned codec = 0; codec < 256; codec++) {
		struct spc_image other = img;
		memcpy(b->back, b->out, present_bytes(b, &img));
		other.codec = (uint8_t)codec;
		int err = spc_decode(b->ops, b->g.page_bytes, b->g.block_bytes, &other, b->back, b->scratch);
		if (codec == img.codec)
			assert_int_equal(err, PL_OK);
		else if (codec != SPC_CODEC_RAW)
			assert_int_equal(err, PL_DAMAGED);
	}
}

static void test_other_codecs(void **state)
{
	(void)state;
	for_every_bench(15, other_codecs);
}

/* A compressed payload that is cut off anywhere, or has anything behind its end, is not a page. */
static void cut_payloads(struct bench *b, struct pl_rng *r)
{
	for (int round = 0; round < 20; round++) {
		mixed_page(r, b->page, b->g.page_bytes, pl_rng_below(r, 100));
		struct spc_image img = encode(b, (struct nod_gap){0, 0});
		if (img.codec == SPC_CODEC_RAW)
			continue;
		for (int cut = 0; cut < 20; cut++) {
			struct spc_image bad = img;
			bad.payload_bytes = (uint32_t)pl_rng_below(r, img.payload_bytes);
			if (cut == 0 && img.exact_bytes < present_bytes(b, &img))
				bad.payload_bytes = img.payload_bytes + 1;
			memcpy(b->back, b->out, present_bytes(b, &img));
			assert_int_equal(
				spc_decode(b->ops, b->g.page_bytes, b->g.block_bytes, &bad, b->back, b->scratch),
				PL_DAMAGED);
		}
	}
}

/* A payload that ends within the first bytes behind the blocks present, where a reader has nothing to look for. */
static void beyond_blocks(const struct spc_ops *ops, const char *option)
{
	struct bench b;
	struct pl_rng r;
	uint32_t found = 0;
	pl_rng_seed(&r, 19, 0);
	bench_init_with(&b, ops, (struct geometry){16384, 4096}, option);
	for (uint32_t noise = 3600; noise < 4400; noise += 4) {
		memset(b.page, 0, b.g.page_bytes);
		fill_random(&r, b.page + PL_PAGE_HEADER, noise);
		struct spc_image img = encode(&b, (struct nod_gap){0, 0});
		if (img.exact_bytes <= 4096 || img.exact_bytes > 4096 + 60)
			continue;
		found++;
		assert_int_equal(img.bitmap, 3);
		img.bitmap = 1;
		assert_int_equal(spc_decode(ops, 16384, 4096, &img, b.back, b.scratch), PL_DAMAGED);
	}
	assert_true(found > 0);
	bench_deinit(&b);
}

static void test_cut_payloads(void **state)
{
	(void)state;
	for_every_bench(16, cut_payloads);
	beyond_blocks(&spc_lz4, "lz4.classes=finest");
	if (!spc_zstd.unavailable)
		beyond_blocks(&spc_zstd, "zstd.classes=finest");
}

/* Bytes that pages of many kinds need under an option, exactly. */
static uint64_t total_exact(const struct spc_ops *ops, const char *option)
{
	struct bench b;
	struct pl_rng r;
	uint64_t sum = 0;
	pl_rng_seed(&r, 17, 0);
	bench_init_with(&b, ops, (struct geometry){16384, 1024}, option);
	for (uint64_t share = 0; share < 256; share += 8) {
		struct nod_gap gap = random_page(&r, b.page, b.g.page_bytes);
		for (uint32_t i = PL_PAGE_HEADER; i < b.g.page_bytes; i++)
			if (i % 256 < share && (i < gap.lo || i >= gap.hi))
				b.page[i] = (uint8_t)pl_rng_next(&r);
		struct spc_image img = encode(&b, (struct nod_gap){0, 0});
		sum += img.exact_bytes;
		decode_is_identity(&b, &img, ops);
	}
	bench_deinit(&b);
	return sum;
}

/* Of a single page a faster search may happen to find the better matches; of many pages together it does not. */
static void test_effort(void **state)
{
	(void)state;
	uint64_t before = total_exact(&spc_hole_lz4, "hole_lz4.acceleration=1"), first = before;
	static const char *const faster[] = {"4", "16", "64", "256"};
	for (size_t i = 0; i < PL_COUNT(faster); i++) {
		char option[40];
		(void)snprintf(option, sizeof option, "hole_lz4.acceleration=%s", faster[i]);
		uint64_t now = total_exact(&spc_hole_lz4, option);
		assert_true(now >= before);
		before = now;
	}
	assert_true(before > first);
	if (spc_zstd.unavailable)
		skip();
	uint64_t one = total_exact(&spc_zstd, "zstd.level=1"), most = total_exact(&spc_zstd, "zstd.level=19");
	assert_true(most < one);
}

/* Every level of zstd: the static contexts suffice, and neither garbage in them nor their alignment shows. */
static void test_zstd_levels(void **state)
{
	(void)state;
	if (spc_zstd.unavailable)
		skip();
	for (int level = 1; level <= 19; level++)
		for (size_t g = 0; g < 4; g++) {
			char option[32];
			struct bench b;
			struct pl_rng r;
			(void)snprintf(option, sizeof option, "zstd.level=%d", level);
			bench_init_with(&b, &spc_zstd, geometries[g], option);
			pl_rng_seed(&r, 18, g);
			assert_true(spc_encode_permille(&spc_zstd, b.derived) > 0);
			determinism(&b, &r);
			bench_deinit(&b);
		}
}

int main(void)
{
	const struct reg_choice *c;
	for (size_t i = 0; (c = reg_choice(REG_SPACE, i)) != NULL; i++) {
		if (c->unavailable)
			continue;
		assert(npolicies < PL_COUNT(policies));
		policies[npolicies++] = (const struct spc_ops *)(const void *)c;
	}
	const struct CMUnitTest tests[] = {
		{"space.all.decode_of_encode_is_identity", test_identity, NULL, NULL, NULL},
		{"space.all.image_is_deterministic", test_determinism, NULL, NULL, NULL},
		{"space.all.any_bytes_stay_in_bounds", test_any_bytes, NULL, NULL, NULL},
		{"space.all.damaged_image_is_named", test_damaged_images, NULL, NULL, NULL},
		{"space.all.raw_codec_is_read_by_all", test_raw_codec_everywhere, NULL, NULL, NULL},
		{"space.all.bad_geometry_is_refused", test_refusals, NULL, NULL, NULL},
		{"space.all.least_blocks_are_the_least", test_least, NULL, NULL, NULL},
		{"space.all.noise_takes_all_blocks", test_noise, NULL, NULL, NULL},
		{"space.all.other_codecs_are_damage", test_other_codecs, NULL, NULL, NULL},
		{"space.all.cut_payloads_are_damage", test_cut_payloads, NULL, NULL, NULL},
		{"space.classes.smallest_that_holds", test_classes, NULL, NULL, NULL},
		{"space.classes.below_a_block_are_refused", test_class_refusals, NULL, NULL, NULL},
		{"space.hole_lz4.lz4_iff_it_saves_a_block", test_hole_lz4, NULL, NULL, NULL},
		{"space.all.more_effort_saves_more", test_effort, NULL, NULL, NULL},
		{"space.zstd.levels_in_static_contexts", test_zstd_levels, NULL, NULL, NULL},
		{"space.raw.all_blocks", test_raw_shape, NULL, NULL, NULL},
		{"space.hole.absent_iff_inside_gap", test_hole_bitmap, NULL, NULL, NULL},
		{"space.hole.absent_blocks_read_zero", test_hole_zeros, NULL, NULL, NULL},
		{"space.lz4.classes_at_boundary", test_lz4_classes, NULL, NULL, NULL},
		{"space.lz4.acceleration_reaches_compressor", test_acceleration, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
