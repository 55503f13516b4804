/* space.c - what making a page smaller and larger again costs, and three ways to expand LZ4 into a page.
 *
 * Pages are three quarters full of values that are half random printable characters and half their repetition, a hundred
 * bytes each, as YCSB's with value.compressibility = 0.5; PAGES different ones in turn, so that nothing is learnt by
 * heart. Items are KiB of page, so 1e9 / items_per_second is nanoseconds a KiB: what the table of engine/base/ctx.h holds,
 * which has the checksum besides.
 *
 * expand/bounce copies the compressed bytes aside first. expand/in_place sends the last bytes of the page, the margin
 * that LZ4 asks for, uncompressed in front of the block, moves the block to the end of the page and expands it there.
 * expand/at_end does the same with a block that was read to its place at the end of the page. The restoring of what is
 * expanded over is part of none of them. */
#include "harness/micro/micro.h"

#include "engine/base/rng.h"
#include "engine/iface/space.h"
#include "harness/options.h"
#include "harness/util.h"
#include "variants/registry.h"

#define LZ4_STATIC_LINKING_ONLY
#include <inttypes.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 64u
#define BLOCK 4096u

struct bench {
	const struct spc_ops *ops;
	struct pl_conf conf;
	uint64_t derived[8];
	uint32_t page_bytes, margin;
	uint8_t *page, *image, *work; /* PAGES of each; work: a page and its scratch */
	void *scratch;
	struct spc_image img[PAGES];
	uint64_t exact_bytes;
	int (*expand)(struct bench *b, const uint8_t *image, const struct spc_image *img);
};

static struct nod_gap fill(struct pl_rng *r, uint8_t *page, uint32_t page_bytes)
{
	uint32_t used = page_bytes / 4 * 3, from = page_bytes - used + 512;
	memset(page, 0, page_bytes);
	for (uint32_t i = PL_PAGE_HEADER; i < 512; i++) /* arrays: nearly sorted numbers */
		page[i] = (uint8_t)(i % 4 ? i / 32 : i);
	for (uint32_t at = from; at < page_bytes; at += 100)
		for (uint32_t i = 0; i < 100 && at + i < page_bytes; i++)
			page[at + i] = i < 50 ? (uint8_t)(32 + pl_rng_below(r, 48)) : page[at + i - 50];
	return (struct nod_gap){512, from};
}

static void bench_close(void *state)
{
	struct bench *b = state;
	free(b->page);
	free(b->image);
	free(b->work);
	free(b->scratch);
	pl_conf_free(&b->conf);
	free(b);
}

/* name: .../CHOICE at the end; mix: the level of zstd. */
static void *space_open(const struct micro *m, const char **why)
{
	struct bench *b = lab_calloc(1, sizeof *b);
	const struct reg_choice *c = NULL;
	const char *name = strrchr(m->name, '=') + 1;
	char level[16];
	static struct pl_fault f;
	lab_conf_init(&b->conf);
	for (size_t i = 0; (c = reg_choice(REG_SPACE, i)) && strcmp(c->name, name) != 0; i++)
		;
	b->ops = (const struct spc_ops *)(const void *)c;
	b->page_bytes = (uint32_t)m->bytes;
	(void)snprintf(level, sizeof level, "%u", m->mix ? m->mix : 3);
	*why = b->ops->unavailable;
	if (b->ops->unavailable || pl_conf_set(&b->conf, "zstd.level", level, &f) ||
		b->ops->configure(b->derived, b->page_bytes, BLOCK, &b->conf, &f)) {
		bench_close(b);
		return NULL;
	}
	b->page = lab_calloc(PAGES, b->page_bytes);
	b->image = lab_calloc(PAGES, b->page_bytes);
	b->work = lab_calloc(2, b->page_bytes);
	b->scratch = lab_calloc(1, spc_scratch_bytes(b->ops, b->derived, b->page_bytes) + 64);
	struct pl_rng r;
	pl_rng_seed(&r, 1, 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		uint8_t *page = b->page + (size_t)i * b->page_bytes;
		struct nod_gap gap = fill(&r, page, b->page_bytes);
		spc_encode(b->ops, b->derived, b->page_bytes, BLOCK, page, gap, b->image + (size_t)i * b->page_bytes,
			&b->img[i], b->scratch);
		b->exact_bytes += b->img[i].exact_bytes;
	}
	return b;
}

static uint64_t encode_run(void *state)
{
	struct bench *b = state;
	for (uint32_t i = 0; i < PAGES; i++) {
		struct spc_image img;
		spc_encode(b->ops, b->derived, b->page_bytes, BLOCK, b->page + (size_t)i * b->page_bytes,
			(struct nod_gap){512, b->page_bytes / 4 + 512}, b->work, &img, b->scratch);
	}
	return (uint64_t)PAGES * b->page_bytes / 1024;
}

static uint64_t decode_run(void *state)
{
	struct bench *b = state;
	for (uint32_t i = 0; i < PAGES; i++) {
		const uint8_t *image = b->image + (size_t)i * b->page_bytes;
		memcpy(b->work, image, (size_t)__builtin_popcount(b->img[i].bitmap) * BLOCK);
		if (spc_decode(b->ops, b->page_bytes, BLOCK, &b->img[i], b->work, b->scratch))
			abort();
	}
	return (uint64_t)PAGES * b->page_bytes / 1024;
}

static double exact_share(void *state)
{
	const struct bench *b = state;
	return (double)b->exact_bytes / PAGES / b->page_bytes;
}

/* --- three ways to expand ------------------------------------------------------------------------------------------- */

static int bounce(struct bench *b, const uint8_t *image, const struct spc_image *img)
{
	uint8_t *page = b->work;
	int bytes = (int)(b->page_bytes - PL_PAGE_HEADER);
	memcpy(page + PL_PAGE_HEADER, image + PL_PAGE_HEADER, img->payload_bytes); /* the read */
	memcpy(b->scratch, page + PL_PAGE_HEADER, img->payload_bytes);
	return LZ4_decompress_safe(b->scratch, (char *)page + PL_PAGE_HEADER, (int)img->payload_bytes, bytes) != bytes;
}

static int expand_tail(struct bench *b, uint32_t block_bytes)
{
	uint8_t *page = b->work;
	int bytes = (int)(b->page_bytes - PL_PAGE_HEADER - b->margin);
	int n = LZ4_decompress_safe((const char *)page + b->page_bytes - block_bytes, (char *)page + PL_PAGE_HEADER,
		(int)block_bytes, bytes);
	memcpy(page + b->page_bytes - b->margin, b->scratch, b->margin);
	return n != bytes;
}

static int in_place(struct bench *b, const uint8_t *image, const struct spc_image *img)
{
	uint8_t *page = b->work;
	uint32_t n = img->payload_bytes - b->margin;
	memcpy(page + PL_PAGE_HEADER, image + PL_PAGE_HEADER, img->payload_bytes); /* the read */
	memcpy(b->scratch, page + PL_PAGE_HEADER, b->margin);
	memmove(page + b->page_bytes - n, page + PL_PAGE_HEADER + b->margin, n);
	return expand_tail(b, n);
}

static int at_end(struct bench *b, const uint8_t *image, const struct spc_image *img)
{
	uint32_t n = img->payload_bytes - b->margin;
	memcpy(b->work + b->page_bytes - n, image + PL_PAGE_HEADER + b->margin, n); /* the read */
	memcpy(b->scratch, image + PL_PAGE_HEADER, b->margin);
	return expand_tail(b, n);
}

static void *expand_open(const struct micro *m, const char **why)
{
	struct micro lz4 = *m;
	lz4.name = "=lz4";
	struct bench *b = space_open(&lz4, why);
	b->expand = strstr(m->name, "bounce") ? bounce : strstr(m->name, "in_place") ? in_place : at_end;
	b->margin = b->expand == bounce ? 0 : LZ4_DECOMPRESS_INPLACE_MARGIN(b->page_bytes);
	b->exact_bytes = 0;
	for (uint32_t i = 0; i < PAGES; i++) {
		uint8_t *image = b->image + (size_t)i * b->page_bytes, *page = b->page + (size_t)i * b->page_bytes;
		memcpy(image + PL_PAGE_HEADER, page + b->page_bytes - b->margin, b->margin);
		int n = LZ4_compress_default((const char *)page + PL_PAGE_HEADER,
			(char *)image + PL_PAGE_HEADER + b->margin, (int)(b->page_bytes - PL_PAGE_HEADER - b->margin),
			(int)(b->page_bytes - PL_PAGE_HEADER - b->margin));
		b->img[i].payload_bytes = (uint32_t)n + b->margin;
		b->exact_bytes += b->img[i].payload_bytes + PL_PAGE_HEADER;
		memset(b->work, 0, b->page_bytes);
		if (n <= 0 || b->expand(b, image, &b->img[i]) ||
			memcmp(b->work + PL_PAGE_HEADER, page + PL_PAGE_HEADER, b->page_bytes - PL_PAGE_HEADER) != 0)
			abort();
	}
	return b;
}

static uint64_t expand_run(void *state)
{
	struct bench *b = state;
	for (uint32_t i = 0; i < PAGES; i++)
		if (b->expand(b, b->image + (size_t)i * b->page_bytes, &b->img[i]))
			abort();
	return (uint64_t)PAGES * b->page_bytes / 1024;
}

#define ENCODE(choice, kib, level)                                                                                     \
	{                                                                                                              \
		"space/encode/" #kib "k/level" #level "=" choice, space_open, encode_run, bench_close, exact_share,    \
			"exact_share", kib * 1024u, level, 0                                                           \
	}
#define DECODE(choice, kib)                                                                                            \
	{                                                                                                              \
		"space/decode/" #kib "k=" choice, space_open, decode_run, bench_close, exact_share, "exact_share",     \
			kib * 1024u, 0, 0                                                                              \
	}
#define EXPAND(way, kib)                                                                                               \
	{                                                                                                              \
		"space/expand/" #kib "k/" way, expand_open, expand_run, bench_close, exact_share, "exact_share",       \
			kib * 1024u, 0, 0                                                                              \
	}

const struct micro space_micros[] = {
	ENCODE("raw", 16, 0),
	ENCODE("hole", 16, 0),
	ENCODE("lz4", 16, 0),
	ENCODE("hole_lz4", 16, 0),
	ENCODE("zstd", 16, 1),
	ENCODE("zstd", 16, 2),
	ENCODE("zstd", 16, 3),
	ENCODE("zstd", 16, 4),
	ENCODE("zstd", 16, 5),
	ENCODE("zstd", 16, 6),
	ENCODE("zstd", 16, 7),
	ENCODE("zstd", 16, 8),
	ENCODE("zstd", 16, 9),
	ENCODE("zstd", 16, 10),
	ENCODE("zstd", 16, 11),
	ENCODE("zstd", 16, 12),
	ENCODE("zstd", 16, 13),
	ENCODE("zstd", 16, 14),
	ENCODE("zstd", 16, 15),
	ENCODE("zstd", 16, 16),
	ENCODE("zstd", 16, 17),
	ENCODE("zstd", 16, 18),
	ENCODE("zstd", 16, 19),
	ENCODE("lz4", 64, 0),
	ENCODE("zstd", 64, 3),
	DECODE("raw", 16),
	DECODE("hole", 16),
	DECODE("lz4", 16),
	DECODE("hole_lz4", 16),
	DECODE("zstd", 16),
	DECODE("lz4", 64),
	DECODE("zstd", 64),
	EXPAND("bounce", 8),
	EXPAND("in_place", 8),
	EXPAND("at_end", 8),
	EXPAND("bounce", 16),
	EXPAND("in_place", 16),
	EXPAND("at_end", 16),
	EXPAND("bounce", 64),
	EXPAND("in_place", 64),
	EXPAND("at_end", 64),
	{.name = NULL},
};
