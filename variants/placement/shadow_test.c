/* shadow_test.c - what placement=shadow promises beyond the contract: at 90 % fill updates whose images vary in size go on
 * for ever; what the last anchor reaches is left alone and what it freed is trimmed; images of a checkpoint lie together.
 *
 *   PAGELAB_SHADOW_TURNS   writes of the long test, in device sizes */
#include "engine/base/rng.h"
#include "engine/store/store.h"
#include "harness/model.h"
#include "variants/registry.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct lab {
	struct pl_conf conf;
	struct dev *dev;
	struct pl_ctx x;
	struct kv *kv;
	struct kv_choice choice;
	struct pl_rng rng;
	uint32_t keys; /* ever put */
	uint8_t value[3000];
};

static void lab_open(struct lab *l)
{
	struct pl_fault f = {0};
	if (kv_open(&l->choice, &l->conf, l->dev, &l->x, &l->kv, &f))
		fail_msg("%s", f.text);
}

static void lab_start(struct lab *l, uint64_t device_bytes, const char *const set[][2], size_t n)
{
	static const char *const always[][2] = {{"placement", "shadow"}, {"device", "null"}, {"page_bytes", "16k"},
		{"pool_bytes", "1M"}, {"log_bytes", "512k"}, {"max_value_bytes", "4k"}};
	struct pl_fault f = {0};
	memset(l, 0, sizeof *l);
	l->x.simulated = true;
	pl_rng_seed(&l->rng, 1, 0);
	pl_conf_init(&l->conf);
	pl_conf_declare(&l->conf, "", kv_opts);
	reg_declare(&l->conf);
	for (size_t i = 0; i < PL_COUNT(always); i++)
		assert_int_equal(pl_conf_set(&l->conf, always[i][0], always[i][1], &f), PL_OK);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pl_conf_set(&l->conf, set[i][0], set[i][1], &f), PL_OK);
	assert_int_equal(reg_choose(&l->conf, &l->choice, &f), PL_OK);
	struct dev_args a = {.conf = &l->conf, .seed = 1, .capacity_bytes = device_bytes, .block_bytes = 4096};
	assert_int_equal(dev_open(l->choice.device, &a, &l->dev, &f), PL_OK);
	if (kv_format(&l->choice, &l->conf, 1, l->dev, &l->x, &f))
		fail_msg("%s", f.text);
	lab_open(l);
}

static void lab_end(struct lab *l)
{
	struct pl_fault f = {0};
	if (kv_check(l->kv, &l->x, &f))
		fail_msg("%s", f.text);
	assert_int_equal(kv_close(l->kv, &l->x, &f), PL_OK);
	dev_close(l->dev);
	pl_conf_free(&l->conf);
}

static pl_slice key_of(uint32_t k, char text[16])
{
	return pl_slice_of(text, (size_t)snprintf(text, 16, "key%07u", k));
}

/* Neighbours are alike, so that a page as a whole does or does not compress; which, changes with every put. */
static int put(struct lab *l, uint32_t k)
{
	char text[16];
	uint32_t n = 100 + (uint32_t)pl_rng_below(&l->rng, 1900);
	bool noise = pl_rng_below(&l->rng, 8) < (k / 16 % 8);
	memset(l->value, (int)(k & 0xFF), sizeof l->value);
	if (noise)
		model_fill(pl_rng_next(&l->rng) | 1, l->value, n);
	return kv_put(l->kv, &l->x, key_of(k, text), pl_slice_of(l->value, n));
}

static int remove_key(struct lab *l, uint32_t k)
{
	char text[16];
	return kv_delete(l->kv, &l->x, key_of(k, text));
}

static struct kv_stats stats(struct lab *l)
{
	struct kv_stats s;
	kv_stats(l->kv, &s);
	return s;
}

/* --- 90 % ----------------------------------------------------------------------------------------------------------- */

/* Random updates, with the live blocks at 90 % of all, for `turns` device sizes. Pages split as values grow; what exceeds
 * 90.5 % is deleted, neighbours together, so that pages become free. Returns how many updates were refused. */
static uint32_t stay_full(struct lab *l, uint64_t turns)
{
	struct kv_stats s = stats(l);
	uint64_t capacity = s.data_capacity_bytes, from = 0, least = capacity;
	uint32_t refused = 0;
	while (!from || s.page_write_bytes < from + turns * capacity) {
		if (s.live_bytes < capacity * 90 / 100)
			refused += put(l, l->keys++) != PL_OK;
		else if (!from)
			from = s.page_write_bytes;
		uint32_t key = (uint32_t)pl_rng_below(&l->rng, l->keys);
		for (uint32_t k = key; s.live_bytes > capacity * 905 / 1000 && k < key + 40; k++)
			(void)remove_key(l, k);
		refused += from && put(l, key) != PL_OK;
		s = stats(l);
		assert_int_equal(s.live_bytes + s.dead_bytes + s.free_bytes + s.reserved_bytes, capacity);
		least = from ? pl_min64(least, s.live_bytes) : least;
		if (refused >= 100)
			break;
	}
	assert_true(least > capacity * 88 / 100);
	return refused;
}

static void go_on_at_ninety_percent(const char *addressing)
{
	static const char *const spaces[] = {"raw", "lz4", "hole"}, *const fits[] = {"best", "next"},
				 *const groups[] = {"0", "64"}, *const pages[] = {"16k", "32k"};
	uint64_t turns = model_env("SHADOW_TURNS", 4), moved = 0;
	for (size_t i = 0; i < PL_COUNT(spaces) * 8; i++) {
		const char *const set[][2] = {{"space", spaces[i / 8]}, {"shadow.fit", fits[i / 4 % 2]},
			{"shadow.group_blocks", groups[i / 2 % 2]}, {"page_bytes", pages[i % 2]},
			{"shadow.fill_permille", "950"}, {"addressing", addressing}};
		struct lab l;
		lab_start(&l, (i % 2 ? 32u : 16u) << 20, set, PL_COUNT(set));
		uint32_t refused = stay_full(&l, turns);
		struct kv_stats s = stats(&l);
		print_message("    %-4s %s pages, %s, groups of %2s: %" PRIu64 " pages written, %" PRIu64
			      " moved, %" PRIu64 " checkpoints, %u refused\n",
			set[0][1], set[3][1], set[1][1], set[2][1], s.page_writes, s.moved_pages, s.checkpoints,
			refused);
		kv_abandon(l.kv); /* in the middle of it all: lab_end checks every page */
		lab_open(&l);
		moved += s.moved_pages;
		assert_int_equal(refused, 0);
		assert_int_equal(((struct store *)l.kv)->fault.err, PL_OK); /* what was moved was read back whole */
		if (i < 8) /* images of one length leave no holes */
			assert_int_equal(s.moved_pages, 0);
		lab_end(&l);
	}
	assert_true(moved > 0); /* else nothing was gathered, and the test does not test */
}

static void goes_on_at_ninety_percent(void **state)
{
	(void)state;
	go_on_at_ninety_percent("table");
}

static void goes_on_where_parents_know_the_places(void **state)
{
	(void)state;
	go_on_at_ninety_percent("cow");
}

/* --- groups, trims, opening ----------------------------------------------------------------------------------------- */

static void put_all(struct lab *l, uint32_t keys, uint32_t rounds)
{
	for (uint32_t i = 0; i < keys * rounds; i++)
		assert_int_equal(put(l, i % keys), PL_OK);
	assert_int_equal(kv_checkpoint(l->kv, &l->x), PL_OK);
}

/* Requests that the pages of the same puts take. */
static uint64_t page_requests(const char *fit, const char *group)
{
	const char *const set[][2] = {{"shadow.fit", fit}, {"shadow.group_blocks", group}};
	struct lab l;
	struct dev_stats d;
	lab_start(&l, 16u << 20, set, PL_COUNT(set));
	put_all(&l, 3000, 3);
	dev_stats(l.dev, &d);
	uint64_t n = d.host_writes[DEV_TAG_LEAF] + d.host_writes[DEV_TAG_INNER];
	lab_end(&l);
	return n;
}

static void pages_of_a_group_are_one_write(void **state)
{
	(void)state;
	static const char *const fits[] = {"best", "next"};
	for (size_t i = 0; i < PL_COUNT(fits); i++) {
		uint64_t alone = page_requests(fits[i], "0"), together = page_requests(fits[i], "64");
		print_message("    %s: %" PRIu64 " writes of pages, %" PRIu64 " in groups\n", fits[i], alone, together);
		assert_true(together * 3 < alone);
	}
}

/* What is trimmed no longer lies on the device: it holds what lives, and meta and log, whose size does not change. */
static uint64_t stored_beside_live(const char *trim)
{
	const char *const set[][2] = {{"shadow.trim", trim}};
	struct lab l;
	lab_start(&l, 16u << 20, set, PL_COUNT(set));
	put_all(&l, 3000, 6);
	struct kv_stats s = stats(&l);
	assert_int_equal(s.dead_bytes, 0);
	lab_end(&l);
	return s.device_used_bytes - s.live_bytes;
}

static void freed_extents_are_trimmed(void **state)
{
	(void)state;
	uint64_t with = stored_beside_live("1"), without = stored_beside_live("0");
	print_message("    stored beside live pages: %" PRIu64 " bytes, %" PRIu64 " without trim\n", with, without);
	assert_true(with < (1u << 20) + (1u << 19) && without > with + (4u << 20));
}

static void opening_finds_the_same_free_blocks(void **state)
{
	(void)state;
	const char *const set[][2] = {{"space", "hole"}};
	struct pl_fault f = {0};
	struct lab l;
	lab_start(&l, 16u << 20, set, PL_COUNT(set));
	for (int life = 0; life < 5; life++) {
		put_all(&l, 3000, 1);
		struct kv_stats a = stats(&l);
		uint64_t whole = 0, again = 0;
		struct plc_report r;
		l.choice.placement->report((struct store *)l.kv, &r);
		whole = r.free_blocks + r.reserved_blocks;
		assert_int_equal(kv_close(l.kv, &l.x, &f), PL_OK);
		lab_open(&l);
		struct kv_stats b = stats(&l);
		l.choice.placement->report((struct store *)l.kv, &r);
		again = r.free_blocks + r.reserved_blocks;
		assert_int_equal(a.live_pages, b.live_pages);
		assert_int_equal(a.live_bytes / 16384, b.live_bytes / 16384); /* but for map pages written by close */
		assert_true(whole <= again + 4 && again <= whole + 4);
	}
	lab_end(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"placement.shadow.goes_on_at_ninety_percent", goes_on_at_ninety_percent, NULL, NULL, NULL},
		{"placement.shadow.goes_on_where_parents_know_the_places", goes_on_where_parents_know_the_places, NULL,
			NULL, NULL},
		{"placement.shadow.pages_of_a_group_are_one_write", pages_of_a_group_are_one_write, NULL, NULL, NULL},
		{"placement.shadow.freed_extents_are_trimmed", freed_extents_are_trimmed, NULL, NULL, NULL},
		{"placement.shadow.opening_finds_the_same_free_blocks", opening_finds_the_same_free_blocks, NULL, NULL,
			NULL},
	};
	return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
