/* shadow_free_test.c - the free map against one that looks at every block: the same runs, the same counts, the choices
 * that the header promises, and the promise that pages kept whole are never broken by more than was taken. */
#include "variants/placement/shadow_free.h"

#include "engine/base/err.h"
#include "engine/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 1500u
#define EXACT 70u
#define REGION 100u

struct plain {
	bool free[BLOCKS];
	uint32_t page_blocks;
};

/* Length of the maximal run that begins at b; 0 if none does. */
static uint32_t run_at(const struct plain *p, uint32_t b)
{
	uint32_t n = 0;
	if (!p->free[b] || (b && p->free[b - 1]))
		return 0;
	while (b + n < BLOCKS && p->free[b + n])
		n++;
	return n;
}

static bool is_avoided(const struct shadow_free *m, uint32_t b, uint32_t n)
{
	for (uint32_t k = b; k < b + n; k++)
		if (m->avoid[k / REGION])
			return true;
	return false;
}

static void same(const struct shadow_free *m, const struct plain *p)
{
	uint64_t blocks = 0, pages = 0;
	for (uint32_t b = 0; b < BLOCKS; b++) {
		uint32_t n = run_at(p, b);
		blocks += n;
		pages += n / p->page_blocks;
		assert_int_equal(shadow_free_is(m, b), p->free[b]);
		assert_int_equal(shadow_free_run(m, b), n);
	}
	assert_int_equal(m->free_blocks, blocks);
	assert_int_equal(m->whole_pages, pages);
}

/* The length that best fit must find: lengths from EXACT on count as equal. 0: none. hole: whole pages stay whole. */
static uint32_t best_length(const struct shadow_free *m, const struct plain *p, uint32_t n, bool hole)
{
	uint32_t best = 0;
	for (uint32_t b = 0; b < BLOCKS; b++) {
		uint32_t length = run_at(p, b), counted = length < EXACT ? length : EXACT;
		if (length < n || is_avoided(m, b, length) ||
			(hole && (length >= EXACT || length % p->page_blocks < n)))
			continue;
		if (!best || counted < best)
			best = counted;
	}
	return best;
}

static uint32_t next_place(const struct plain *p, uint32_t from, uint32_t n)
{
	for (uint32_t turn = 0; turn < 2; turn++)
		for (uint32_t b = 0; b < BLOCKS; b++) {
			uint32_t length = run_at(p, b), skip = 0;
			if (!length || (turn == 0 && b + length <= from))
				continue;
			if (turn == 0 && b < from) /* the run that holds `from`: whole pages behind its front */
				skip = (from - b + p->page_blocks - 1) / p->page_blocks * p->page_blocks;
			if (skip + n <= length)
				return b + skip;
		}
	return SHADOW_NONE;
}

static void take(struct shadow_free *m, struct plain *p, uint32_t at, uint32_t n)
{
	uint64_t before = m->whole_pages;
	shadow_free_take(m, at, n);
	for (uint32_t b = at; b < at + n; b++)
		p->free[b] = false;
	if (n <= p->page_blocks)
		assert_true(m->whole_pages + 1 >= before);
}

static void look(struct shadow_free *m, struct plain *p, struct pl_rng *r)
{
	uint32_t n = 1 + (uint32_t)pl_rng_below(r, pl_rng_below(r, 4) ? p->page_blocks : EXACT);
	uint32_t from = (uint32_t)pl_rng_below(r, BLOCKS + 1);
	for (uint32_t k = 0; k < BLOCKS / REGION; k++)
		m->avoid[k] = pl_rng_below(r, 8) == 0;
	uint32_t at = shadow_free_hole(m, n), length = best_length(m, p, n, true);
	assert_int_equal(at != SHADOW_NONE, length != 0);
	if (at != SHADOW_NONE)
		assert_int_equal(run_at(p, at), length);
	at = shadow_free_smallest(m, n);
	length = best_length(m, p, n, false);
	assert_int_equal(at != SHADOW_NONE, length != 0);
	if (at != SHADOW_NONE)
		assert_true(length == EXACT ? run_at(p, at) >= EXACT : run_at(p, at) == length);
	memset(m->avoid, 0, BLOCKS / REGION + 1);
	assert_int_equal(shadow_free_next(m, from, n), next_place(p, from, n));
}

static void any_history(uint32_t page_blocks, uint64_t seed)
{
	struct shadow_free m;
	struct plain p = {.page_blocks = page_blocks};
	struct pl_rng r;
	pl_rng_seed(&r, seed, page_blocks);
	assert_int_equal(shadow_free_open(&m, BLOCKS, page_blocks, EXACT, REGION), PL_OK);
	same(&m, &p);
	assert_int_equal(shadow_free_smallest(&m, 1), SHADOW_NONE);
	assert_int_equal(shadow_free_next(&m, 0, 1), SHADOW_NONE);
	for (int round = 0; round < 3000; round++) {
		bool fill = round / 300 % 2;
		uint32_t n = 1 + (uint32_t)pl_rng_below(&r, page_blocks);
		uint32_t at = (uint32_t)pl_rng_below(&r, BLOCKS - n + 1);
		if (pl_rng_below(&r, 3) < (fill ? 1u : 2u)) {
			uint32_t k = 0;
			while (k < n && !p.free[at + k])
				k++;
			if (k == 0)
				continue;
			shadow_free_give(&m, at, k);
			memset(p.free + at, true, k);
		} else {
			at = pl_rng_below(&r, 2) ? shadow_free_smallest(&m, n) : shadow_free_next(&m, at, n);
			if (at != SHADOW_NONE)
				take(&m, &p, at, n);
		}
		look(&m, &p, &r);
		if (round % 10 == 0)
			same(&m, &p);
	}
	same(&m, &p);
	shadow_free_close(&m);
}

static void equals_a_plain_map(void **state)
{
	(void)state;
	static const uint32_t pages[] = {1, 2, 3, 4, 16};
	for (size_t i = 0; i < PL_COUNT(pages); i++)
		any_history(pages[i], i + 1);
}

/* As many images as pages are whole find room, however the free blocks lie and whatever the lengths. */
static void whole_pages_are_kept(void **state)
{
	(void)state;
	struct pl_rng r;
	pl_rng_seed(&r, 9, 0);
	for (int round = 0; round < 200; round++) {
		struct shadow_free m;
		assert_int_equal(shadow_free_open(&m, BLOCKS, 16, EXACT, REGION), PL_OK);
		for (uint32_t b = 0; b < BLOCKS;) {
			uint32_t n = 1 + (uint32_t)pl_rng_below(&r, 60), gap = 1 + (uint32_t)pl_rng_below(&r, 10);
			n = n < BLOCKS - b ? n : BLOCKS - b;
			shadow_free_give(&m, b, n);
			b += n + gap;
		}
		for (uint64_t promised = m.whole_pages; promised; promised--) {
			uint32_t n = 1 + (uint32_t)pl_rng_below(&r, 16), from = (uint32_t)pl_rng_below(&r, BLOCKS);
			uint32_t at = round % 2 ? shadow_free_smallest(&m, n) : shadow_free_next(&m, from, n);
			assert_true(m.whole_pages >= promised);
			assert_int_not_equal(at, SHADOW_NONE);
			shadow_free_take(&m, at, n);
		}
		shadow_free_close(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"placement.shadow.free_map_equals_a_plain_one", equals_a_plain_map, NULL, NULL, NULL},
		{"placement.shadow.whole_pages_are_kept", whole_pages_are_kept, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("shadow free map", tests, NULL, NULL);
}
