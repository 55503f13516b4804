/* ordinal_search_test.c - the search among integers: with vectors and without it gives the same answer, that of a scan;
 * and ordinals without gaps are found without a comparison. The scalar one is the traced twin (node_trace.h). */
#include "variants/node/ordinal.h"

#include "engine/base/le.h"
#include "engine/base/rng.h"
#include "harness/node_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS_MAX 700u

extern const struct nod_ops nod_ordinal;

static _Alignas(64) uint8_t page[65536];
static const struct nod_cfg cfg = {.page_bytes = sizeof page, .max_key_bytes = sizeof page / 8, .int_keys = 1};

/* What a biased, a signed or a 32-bit comparison would get wrong. */
static const uint64_t edges[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x7FFFFFFFFFFFFFFF,
	0x8000000000000000, 0x8000000000000001, 0xFFFFFFFF00000000, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Ascending and distinct; the shape says from what: 0 all bits, 1 few values around edges, 2 without a gap, 3 the same
 * but for one gap. Returns how many are left. */
static uint32_t make_keys(struct pl_rng *rng, unsigned shape, uint32_t n, uint64_t *key)
{
	uint64_t from = edges[pl_rng_below(rng, PL_COUNT(edges))];
	for (uint32_t i = 0; i < n; i++)
		key[i] = shape == 0   ? pl_rng_next(rng)
			 : shape == 1 ? edges[pl_rng_below(rng, PL_COUNT(edges))] + pl_rng_below(rng, n)
				      : from + i + (shape == 3 && i > n / 2);
	qsort(key, n, sizeof *key, by_value);
	uint32_t distinct = 0;
	for (uint32_t i = 0; i < n; i++)
		if (distinct == 0 || key[distinct - 1] != key[i])
			key[distinct++] = key[i];
	return distinct;
}

static void fill(const uint64_t *key, uint32_t n, bool first_empty)
{
	uint8_t bytes[8];
	nod_init(&nod_ordinal, &cfg, page, !first_empty, (pl_slice){0}, (pl_slice){0});
	if (first_empty)
		assert_int_equal(
			nod_insert(&nod_ordinal, &cfg, page, 0, pl_slice_of(bytes, 0), pl_slice_of("referenc", 8), 0),
			PL_OK);
	for (uint32_t i = 0; i < n; i++) {
		put_be64(bytes, key[i]);
		assert_int_equal(nod_insert(&nod_ordinal, &cfg, page, i + first_empty, pl_slice_of(bytes, 8),
					 pl_slice_of("referenc", 8), 0),
			PL_OK);
	}
}

static void look(const uint64_t *key, uint32_t n, bool first_empty, uint64_t k)
{
	uint8_t bytes[8];
	bool exact[2];
	uint32_t at = 0;
	while (at < n && key[at] < k)
		at++;
	put_be64(bytes, k);
	uint32_t vector = nod_lower_bound(&nod_ordinal, &cfg, page, pl_slice_of(bytes, 8), &exact[0]);
	uint32_t scalar = nod_lower_bound(node_traced("ordinal"), &cfg, page, pl_slice_of(bytes, 8), &exact[1]);
	if (vector != at + first_empty || scalar != vector || exact[0] != (at < n && key[at] == k) ||
		exact[0] != exact[1])
		fail_msg("%u keys, %016llx: slot %u, scalar %u, by a scan %u", n, (unsigned long long)k, vector, scalar,
			at + first_empty);
}

/* Every count up to two windows and some beyond; at, below and above every key; from leaves and inner pages. */
static void test_vectors_and_scalar(void **state)
{
	static uint64_t key[KEYS_MAX];
	struct pl_rng rng;
	(void)state;
	pl_rng_seed(&rng, 1, 0);
	for (uint32_t n = 0; n <= KEYS_MAX; n += n < 70 ? 1 : 105)
		for (unsigned shape = 0; shape < 4; shape++)
			for (int first_empty = 0; first_empty < 2; first_empty++) {
				uint32_t distinct = make_keys(&rng, shape, n, key);
				fill(key, distinct, first_empty);
				for (uint32_t i = 0; i < distinct; i++)
					for (uint64_t d = 0; d < 3; d++)
						look(key, distinct, first_empty, key[i] + d - 1);
				for (size_t i = 0; i < PL_COUNT(edges); i++)
					look(key, distinct, first_empty, edges[i]);
				for (int i = 0; i < 20; i++)
					look(key, distinct, first_empty, pl_rng_next(&rng));
			}
}

/* The counting itself, for every length and place in a line, whatever the order of the keys. */
static void test_counting(void **state)
{
	static uint8_t bytes[8 * 80 + 64];
	struct pl_rng rng;
	(void)state;
#ifdef ORDINAL_AVX2
	if (!__builtin_cpu_supports("avx2"))
		skip();
	pl_rng_seed(&rng, 2, 0);
	for (uint32_t n = 0; n <= 80; n++)
		for (uint32_t offset = 0; offset < 64; offset += 7)
			for (int round = 0; round < 20; round++) {
				for (uint32_t i = 0; i < n; i++)
					put64(bytes + offset + 8 * i,
						round % 2 ? pl_rng_next(&rng)
							  : edges[pl_rng_below(&rng, PL_COUNT(edges))]);
				uint64_t k = round % 2 ? pl_rng_next(&rng) : edges[pl_rng_below(&rng, PL_COUNT(edges))];
				assert_int_equal(ordinal_below_avx2(bytes + offset, n, k),
					ordinal_below_scalar(bytes + offset, n, k));
			}
#else
	(void)bytes;
	(void)rng;
	skip();
#endif
}

/* One gap more and there are comparisons; none and there is not one, whatever is looked for. */
static void test_dense(void **state)
{
	static uint64_t key[KEYS_MAX];
	static struct node_trace t;
	struct pl_rng rng;
	uint8_t bytes[8];
	bool exact;
	(void)state;
	pl_rng_seed(&rng, 3, 0);
	for (uint32_t n = 1; n <= KEYS_MAX; n += 233)
		for (unsigned shape = 2; shape < 4; shape++) {
			uint32_t distinct = make_keys(&rng, shape, n, key);
			fill(key, distinct, false);
			for (uint32_t i = 0; i < distinct; i += 5) {
				put_be64(bytes, key[i] + i % 3 - 1);
				node_trace_begin(&t, page, sizeof page);
				(void)nod_lower_bound(
					node_traced("ordinal"), &cfg, page, pl_slice_of(bytes, 8), &exact);
				node_trace_end();
				bool dense = key[distinct - 1] - key[0] == distinct - 1;
				assert_int_equal(t.compared[NOD_IN_ARRAY] == 0, dense);
				assert_true(dense ? node_trace_lines(&t) <= 2 : node_trace_bytes(&t) > 20);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"node.ordinal.vectors_and_scalar_agree", test_vectors_and_scalar, NULL, NULL, NULL},
		{"node.ordinal.counting_agrees", test_counting, NULL, NULL, NULL},
		{"node.ordinal.dense_integers_need_no_comparison", test_dense, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("ordinal_search", tests, NULL, NULL);
}
