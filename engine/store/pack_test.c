/* pack_test.c - bin packing against a plain model: a table of units, each with the number of the image it belongs to. */
#include "engine/base/rng.h"
#include "engine/store/pack.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 64u

static uint32_t blocks_of(uint32_t units)
{
	return (units + PAGE_UNITS - 1) / PAGE_UNITS;
}

/* Longest run of free units of a block: the whole of its room, for it is one run. */
static uint32_t room_of(const uint32_t *unit, uint32_t block)
{
	uint32_t free_units = 0, runs = 0;
	for (uint32_t u = 0; u < PAGE_UNITS; u++) {
		bool is = !unit[block * PAGE_UNITS + u];
		free_units += is;
		runs += is && (u == 0 || unit[block * PAGE_UNITS + u - 1]);
	}
	assert_true(runs <= 1);
	return free_units;
}

/* What best fit must do: least room that suffices. */
static uint32_t least_room(const uint32_t *unit, uint32_t used, uint32_t units)
{
	uint32_t least = UINT32_MAX;
	for (uint32_t b = 0; b < used; b++) {
		uint32_t room = room_of(unit, b);
		if (room >= units && room < least)
			least = room;
	}
	return least;
}

/* Put image `number`, judge where it lies. False: the window is full. */
static bool put(struct pack_window *w, uint32_t *unit, uint32_t number, uint32_t units)
{
	uint32_t before = w->used, n = pack_new_blocks(w, units), block, offset;
	if (before + n > w->blocks)
		return false;
	uint32_t least = least_room(unit, before, units);
	pack_put(w, units, &block, &offset);
	assert_int_equal(w->used, before + n);
	assert_true(offset < PAGE_UNITS);
	assert_int_equal(blocks_of(offset + units), blocks_of(units)); /* touches no block more than it must */
	assert_true(block + blocks_of(units) <= w->used);
	if (units < PAGE_UNITS) {
		assert_int_equal(n, least == UINT32_MAX);
		if (!n)
			assert_int_equal(room_of(unit, block), least);
	}
	for (uint32_t u = block * PAGE_UNITS + offset; u < block * PAGE_UNITS + offset + units; u++) {
		assert_int_equal(unit[u], 0);
		unit[u] = number;
	}
	return true;
}

static uint32_t draw(struct pl_rng *rng, uint32_t form)
{
	uint32_t most = form == 0 ? 16 : form == 1 ? 64 : form == 2 ? 200 : 1023;
	uint32_t units = 1 + (uint32_t)pl_rng_below(rng, most);
	return form == 1 && pl_rng_below(rng, 4) == 0 ? 20 + units % 13 : units;
}

static void no_image_touches_a_block_more_than_it_must(void **state)
{
	(void)state;
	static uint32_t unit[BLOCKS * PAGE_UNITS];
	struct pack_window w;
	struct pl_rng rng;
	uint32_t shared_first = 0;
	pl_rng_seed(&rng, 1, 0);
	assert_int_equal(pack_open(&w, BLOCKS), PL_OK);
	for (uint32_t round = 0; round < 2000; round++) {
		memset(unit, 0, sizeof unit);
		pack_reset(&w);
		for (uint32_t number = 1;; number++) {
			if (pl_rng_below(&rng, 16) == 0 && w.used + 2 <= BLOCKS) { /* an image in blocks of its own */
				for (uint32_t u = w.used * PAGE_UNITS; u < (w.used + 2) * PAGE_UNITS; u++)
					unit[u] = number++;
				pack_whole(&w, 2);
			}
			uint32_t units = draw(&rng, round % 4), before = w.used;
			if (!put(&w, unit, number, units))
				break;
			shared_first += units > PAGE_UNITS && w.used - before < blocks_of(units);
		}
	}
	assert_true(shared_first > 1000);
	pack_close(&w);
}

/* Best fit needs at most 1.7 times the blocks of the best packing (Johnson et al. 1974), and the best packing at least
 * the sum of the sizes; for sizes drawn at random it is far better than that. */
static void waste_is_within_the_bound(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		uint32_t lo, hi, most_permille;
	} form[] = {
		{"1 to 64 units", 1, 64, 80},
		{"8 to 32 units", 8, 32, 40},
		{"16 to 40 units", 16, 40, 160},
		{"33 to 40 units", 33, 40, 460},
		{"64 to 512 units", 64, 512, 100},
	};
	for (size_t k = 0; k < PL_COUNT(form); k++) {
		struct pack_window w;
		struct pl_rng rng;
		struct pack_account account = {0};
		uint64_t sum = 0, big = 0;
		pl_rng_seed(&rng, k, 0);
		assert_int_equal(pack_open(&w, 20000), PL_OK);
		for (uint32_t i = 0; i < 2000; i++) {
			uint32_t block, offset;
			uint32_t units = form[k].lo + (uint32_t)pl_rng_below(&rng, form[k].hi - form[k].lo + 1);
			pack_put(&w, units, &block, &offset);
			sum += units;
			big += units % PAGE_UNITS > PAGE_UNITS / 2; /* no two of them share a block */
			pack_count(&account, units, true);
		}
		uint64_t best = pl_max64(blocks_of((uint32_t)sum), form[k].hi > PAGE_UNITS ? 0 : big);
		uint64_t waste = 1000 - sum * 1000 / (w.used * (uint64_t)PAGE_UNITS);
		print_message("    %-16s %6" PRIu32 " blocks, %" PRIu64 " permille waste; at least %" PRIu64
			      " needed, %" PRIu64 " counted\n",
			form[k].what, w.used, waste, best, pack_takes(&account));
		assert_true(w.used * 10 <= best * 17);
		assert_true(waste <= form[k].most_permille);
		assert_true(pack_takes(&account) >= best);
		/* what they are counted as is what they take, within a few percent */
		assert_true(w.used * 95 <= pack_takes(&account) * 100 && pack_takes(&account) * 90 <= w.used * 100u);
		pack_close(&w);
	}
}

/* Invariant 5. What lives in a window, moved block by block, takes no more blocks than it touched. */
static void packing_again_takes_no_more_blocks(void **state)
{
	(void)state;
	struct image {
		uint32_t block, units;
	} image[BLOCKS * PAGE_UNITS];
	static uint32_t unit[BLOCKS * PAGE_UNITS];
	struct pack_window from, to;
	struct pl_rng rng;
	pl_rng_seed(&rng, 2, 0);
	assert_int_equal(pack_open(&from, BLOCKS), PL_OK);
	assert_int_equal(pack_open(&to, BLOCKS), PL_OK);
	for (uint32_t round = 0; round < 3000; round++) {
		uint32_t n = 0, used = 0, dead = (uint32_t)pl_rng_below(&rng, 100);
		bool touched[BLOCKS] = {false};
		pack_reset(&from);
		pack_reset(&to);
		memset(unit, 0, sizeof unit);
		for (;; n++) {
			uint32_t offset, units = draw(&rng, round % 4);
			if (from.used + pack_new_blocks(&from, units) > BLOCKS)
				break;
			pack_put(&from, units, &image[n].block, &offset);
			image[n].units = units;
		}
		for (uint32_t b = 0; b < BLOCKS; b++) /* in the order of blocks, as a cleaner goes */
			for (uint32_t i = 0; i < n; i++)
				if (image[i].block == b && pl_rng_below(&rng, 100) >= dead) {
					for (uint32_t k = b; k < b + blocks_of(image[i].units); k++)
						touched[k] = true;
					assert_true(put(&to, unit, i + 1, image[i].units));
				}
		for (uint32_t b = 0; b < BLOCKS; b++)
			used += touched[b];
		assert_true(to.used <= used);
	}
	pack_close(&from);
	pack_close(&to);
}

static void images_that_gain_nothing_are_not_packed(void **state)
{
	(void)state;
	struct spc_image raw = {.bitmap = 0xF, .payload_bytes = 4 * 4096 - 64};
	struct spc_image hole = {.bitmap = 0x9, .payload_bytes = 2 * 4096 - 64};
	struct spc_image full = {.bitmap = 0x3, .codec = SPC_CODEC_LZ4, .payload_bytes = 2 * 4096 - 64 - 63};
	struct spc_image one = {.bitmap = 0x3, .codec = SPC_CODEC_LZ4, .payload_bytes = 4096 - 63};
	struct spc_image small = {.bitmap = 0x3, .codec = SPC_CODEC_LZ4, .payload_bytes = 1};
	struct spc_image gaps = {.bitmap = 0x5, .codec = SPC_CODEC_LZ4, .payload_bytes = 100};
	assert_int_equal(pack_units(&raw, 4096), 0);
	assert_int_equal(pack_units(&hole, 4096), 0);
	assert_int_equal(pack_units(&full, 4096), 0);
	assert_int_equal(pack_units(&gaps, 4096), 0);
	assert_int_equal(pack_units(&one, 4096), 65);
	assert_int_equal(pack_units(&small, 4096), 2);
	full.payload_bytes--;
	assert_int_equal(pack_units(&full, 4096), 127);
}

static void an_account_forgets_what_is_taken_back(void **state)
{
	(void)state;
	struct pack_account a = {0}, empty = {0};
	for (uint32_t units = 1; units <= 1024; units++)
		pack_count(&a, units, true);
	for (uint32_t units = 1024; units >= 1; units--)
		pack_count(&a, units, false);
	assert_memory_equal(&a, &empty, sizeof a);
	for (int i = 0; i < 100; i++)
		pack_count(&a, 128, true);
	assert_int_equal(pack_takes(&a), 200); /* exact without parts */
	for (int i = 0; i < 100; i++)
		pack_count(&a, 64 + 40, true);
	assert_int_equal(pack_takes(&a), 400);
	for (int i = 0; i < 100; i++)
		pack_count(&a, 16, true);
	assert_int_equal(pack_takes(&a), 400); /* beside the 40 */
}

static void places_have_one_meaning(void **state)
{
	(void)state;
	struct pl_rng rng;
	pl_rng_seed(&rng, 3, 0);
	for (int i = 0; i < 100000; i++) {
		uint64_t block = pl_rng_below(&rng, (uint64_t)1 << 36);
		uint32_t offset = (uint32_t)pl_rng_below(&rng, 64), units = 1 + (uint32_t)pl_rng_below(&rng, 1024);
		uint8_t generation = (uint8_t)pl_rng_next(&rng);
		pl_loc l = loc_pack(block, offset, units, SPC_CODEC_LZ4, generation);
		assert_true(loc_packed(l) && loc_block(l) == block && loc_offset(l) == offset && loc_units(l) == units);
		assert_true(loc_generation(l) == generation && loc_codec(l) == SPC_CODEC_LZ4);
		assert_int_equal(loc_blocks(l), blocks_of(offset + units));
		assert_int_equal(__builtin_popcount(loc_bitmap(l)), blocks_of(units));
		assert_int_equal(
			loc_possible(l, 0xF, true), units <= 256 && blocks_of(offset + units) == blocks_of(units));
		assert_false(loc_possible(l, 0xF, false));
		l = loc_make(block, 0x7, SPC_CODEC_LZ4, generation);
		assert_true(!loc_packed(l) && loc_units(l) == 192 && loc_offset(l) == 0 && loc_bytes(l, 4096) == 12288);
		assert_true(loc_possible(l, 0xF, false) && loc_possible(l, 0xF, true) && !loc_possible(l, 0x3, true));
	}
	assert_false(loc_possible(loc_pack(1, 0, 10, SPC_CODEC_RAW, 1), 0xF, true));
	assert_false(loc_possible(loc_pack(1, 0, 10, SPC_CODEC_NOT_A_LOC, 1), 0xF, true));
	assert_false(loc_possible(loc_make(1, 0, SPC_CODEC_RAW, 1), 0xF, true));
}

static void owners_of_a_block_are_a_list(void **state)
{
	(void)state;
	uint32_t owner[4] = {0}, next[100] = {0};
	bool in[100] = {false};
	struct pl_rng rng;
	pl_rng_seed(&rng, 4, 0);
	for (int i = 0; i < 20000; i++) {
		uint32_t id = 1 + (uint32_t)pl_rng_below(&rng, 99), n = 0, want = 0;
		if (in[id])
			pack_drop(owner, next, id % 4, id);
		else
			pack_join(owner, next, id % 4, id);
		in[id] = !in[id];
		pack_drop(owner, next, (id + 1) % 4, id); /* not there: no effect */
		for (uint32_t k = owner[id % 4]; k; k = next[k], n++)
			assert_true(in[k] && k % 4 == id % 4);
		for (uint32_t k = id % 4; k < 100; k += 4)
			want += in[k];
		assert_int_equal(n, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"pack.no_image_touches_a_block_more_than_it_must", no_image_touches_a_block_more_than_it_must, NULL,
			NULL, NULL},
		{"pack.waste_is_within_the_bound", waste_is_within_the_bound, NULL, NULL, NULL},
		{"pack.packing_again_takes_no_more_blocks", packing_again_takes_no_more_blocks, NULL, NULL, NULL},
		{"pack.images_that_gain_nothing_are_not_packed", images_that_gain_nothing_are_not_packed, NULL, NULL,
			NULL},
		{"pack.an_account_forgets_what_is_taken_back", an_account_forgets_what_is_taken_back, NULL, NULL, NULL},
		{"pack.places_have_one_meaning", places_have_one_meaning, NULL, NULL, NULL},
		{"pack.owners_of_a_block_are_a_list", owners_of_a_block_are_a_list, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
