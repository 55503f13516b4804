/* products_test.c - a sample misses no pair of choices, shards miss no product and share none, and neither depends on
 * anything but its seed. */
#include "harness/cover.h"
#include "harness/products.h"
#include "variants/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 1500u
#define COLUMNS 9u

/* --- the function by itself -------------------------------------------------------------------------------------- */

static const uint8_t sizes[COLUMNS] = {1, 4, 5, 3, 3, 5, 2, 3, 5};

/* Rows of a grid with some of them left out, as illegal ones are: the third column must agree with the fourth. */
static size_t some_rows(uint8_t *row)
{
	size_t n = 0;
	for (uint64_t i = 0; n < ROWS; i++) {
		uint8_t *r = row + n * COLUMNS;
		for (size_t c = 0; c < COLUMNS; c++)
			r[c] = (uint8_t)(pl_mix64(i * COLUMNS + c) % sizes[c]);
		n += r[3] % 2 == r[4] % 2 && !(r[5] == 4 && r[8] != 2);
	}
	return n;
}

static bool together(const uint8_t *row, const bool *chosen, size_t n, size_t a, size_t b, const uint8_t *as)
{
	for (size_t i = 0; i < n; i++)
		if (chosen[i] && row[i * COLUMNS + a] == as[a] && row[i * COLUMNS + b] == as[b])
			return true;
	return false;
}

static void every_pair_is_covered(void **state)
{
	static uint8_t row[(ROWS + 1) * COLUMNS];
	bool chosen[ROWS];
	size_t n = some_rows(row);
	(void)state;
	for (uint64_t seed = 0; seed < 3; seed++) {
		size_t taken = cover_pairs(row, n, COLUMNS, seed, chosen), counted = 0;
		for (size_t i = 0; i < n; i++) {
			counted += chosen[i];
			for (size_t a = 0; a < COLUMNS; a++)
				for (size_t b = a + 1; b < COLUMNS; b++)
					if (!together(row, chosen, n, a, b, row + i * COLUMNS))
						fail_msg("seed %d: no row taken has columns %zu and %zu as row %zu",
							(int)seed, a, b, i);
		}
		assert_int_equal(taken, counted);
		assert_true(taken >= 25 && taken <= 50); /* the two largest columns have 25 pairs */
	}
}

static void sample_follows_from_rows_and_seed(void **state)
{
	static uint8_t row[(ROWS + 1) * COLUMNS];
	bool one[ROWS], again[ROWS], other[ROWS];
	size_t n = some_rows(row);
	(void)state;
	(void)cover_pairs(row, n, COLUMNS, 1, one);
	(void)cover_pairs(row, n, COLUMNS, 1, again);
	(void)cover_pairs(row, n, COLUMNS, 2, other);
	assert_memory_equal(one, again, sizeof one);
	assert_memory_not_equal(one, other, sizeof one);
}

static void small_products_are_taken_as_they_are(void **state)
{
	static const uint8_t row[] = {0, 0, 0, 1, 1, 0, 1, 1};
	bool chosen[4];
	(void)state;
	assert_int_equal(cover_pairs(row, 0, 2, 1, chosen), 0);
	assert_int_equal(cover_pairs(row, 4, 2, 1, chosen), 4);
	assert_int_equal(cover_pairs(row, 1, 2, 1, chosen), 1);
	assert_true(chosen[0]);
}

/* --- of the registry ----------------------------------------------------------------------------------------------- */

static void choose(struct products *p, const char *shard, const char *sample, const char *seed)
{
	assert_int_equal(setenv("PAGELAB_SHARD", shard, 1), 0);
	assert_int_equal(setenv("PAGELAB_SAMPLE", sample, 1), 0);
	assert_int_equal(setenv("PAGELAB_SEED", seed, 1), 0);
	products_choose(p, NULL);
}

static bool same_pair(const struct product *x, const struct product *y, int a, int b)
{
	return strcmp(reg_chosen(&x->choice, (enum reg_axis)a), reg_chosen(&y->choice, (enum reg_axis)a)) == 0 &&
	       strcmp(reg_chosen(&x->choice, (enum reg_axis)b), reg_chosen(&y->choice, (enum reg_axis)b)) == 0;
}

static bool pair_occurs(const struct products *p, const struct product *like, int a, int b)
{
	for (size_t i = 0; i < p->n; i++)
		if (same_pair(&p->item[i], like, a, b))
			return true;
	return false;
}

/* Every legal pair of choices of two axes is in the sample. */
static void sample_has_every_legal_pair(void **state)
{
	struct products all, sample;
	(void)state;
	choose(&all, "", "0", "1");
	for (int seed = 1; seed < 4; seed++) {
		char text[16];
		(void)snprintf(text, sizeof text, "%d", seed);
		choose(&sample, "", "1", text);
		assert_true(sample.n > 0 && sample.n < all.n && sample.all == all.n);
		for (size_t i = 0; i < all.n; i++)
			for (int a = 0; a < REG_AXES; a++)
				for (int b = a + 1; b < REG_AXES; b++)
					if (!pair_occurs(&sample, &all.item[i], a, b))
						fail_msg("no sampled product has %s and %s as '%s'", reg_axis_name[a],
							reg_axis_name[b], all.item[i].name);
		print_message("seed %d: %zu of %zu products\n", seed, sample.n, all.n);
		products_free(&sample);
	}
	products_free(&all);
}

/* All products are gone through where nobody asks for less, and what is marked is the sample. */
static void all_are_taken_and_the_sample_is_marked(void **state)
{
	struct products all, sample;
	struct kv_choice c;
	size_t legal = 0, marked = 0;
	(void)state;
	choose(&all, "", "0", "1");
	for (size_t i = 0; model_product(&i, &c); i++, legal++) {
		assert_true(legal < all.n);
		assert_memory_equal(&all.item[legal].choice, &c, sizeof c);
		assert_int_equal(all.item[legal].number, legal);
	}
	assert_int_equal(all.n, legal);
	choose(&sample, "", "1", "1");
	for (size_t i = 0; i < all.n; i++)
		marked += all.item[i].sampled;
	assert_int_equal(marked, sample.n);
	for (size_t i = 0; i < sample.n; i++) {
		assert_true(all.item[sample.item[i].number].sampled);
		assert_string_equal(all.item[sample.item[i].number].name, sample.item[i].name);
	}
	products_free(&all);
	products_free(&sample);
}

static void shards_partition(const char *sample)
{
	struct products all, part;
	choose(&all, "", sample, "1");
	size_t *times = calloc(all.all, sizeof *times), total = 0, least = all.n, most = 0;
	assert_non_null(times);
	for (int i = 0; i < 3; i++) {
		char text[16];
		(void)snprintf(text, sizeof text, "%d/3", i);
		choose(&part, text, sample, "1");
		for (size_t k = 0; k < part.n; k++)
			times[part.item[k].number]++;
		total += part.n;
		least = part.n < least ? part.n : least;
		most = part.n > most ? part.n : most;
		products_free(&part);
	}
	for (size_t k = 0; k < all.n; k++)
		assert_int_equal(times[all.item[k].number], 1);
	assert_int_equal(total, all.n);
	assert_true(most - least <= 1);
	free(times);
	products_free(&all);
}

static void shards_miss_none_and_share_none(void **state)
{
	(void)state;
	shards_partition("0");
	shards_partition("1");
	assert_int_equal(setenv("PAGELAB_SHARD", "1/3", 1), 0);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(products_mine(i), i % 3 == 1);
}

static void a_name_is_found_sampled_or_not(void **state)
{
	struct products p;
	(void)state;
	assert_int_equal(setenv("PAGELAB_PRODUCT", "slotted raw table zone", 1), 0);
	choose(&p, "", "1", "1");
	assert_true(p.n > 1 && !products_whole());
	for (size_t i = 0; i < p.n; i++)
		assert_non_null(strstr(p.item[i].name, "slotted raw table zone"));
	products_free(&p);
	assert_int_equal(unsetenv("PAGELAB_PRODUCT"), 0);
	assert_true(products_whole());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"cover.pairs.every_pair_is_covered", every_pair_is_covered, NULL, NULL, NULL},
		{"cover.pairs.follow_from_rows_and_seed", sample_follows_from_rows_and_seed, NULL, NULL, NULL},
		{"cover.pairs.small_products_are_taken_whole", small_products_are_taken_as_they_are, NULL, NULL, NULL},
		{"products.sample.has_every_legal_pair", sample_has_every_legal_pair, NULL, NULL, NULL},
		{"products.all.are_taken", all_are_taken_and_the_sample_is_marked, NULL, NULL, NULL},
		{"products.shards.miss_none_and_share_none", shards_miss_none_and_share_none, NULL, NULL, NULL},
		{"products.name.is_found", a_name_is_found_sampled_or_not, NULL, NULL, NULL},
	};
	(void)unsetenv("PAGELAB_PRODUCT");
	return cmocka_run_group_tests_name("products", tests, NULL, NULL);
}
