/* shadow_test.c - what placement=shadow promises beyond the contract: at 90 % fill updates whose images vary in size go on
 * for ever; what the last anchor reaches is left alone and what it freed is trimmed; images of a checkpoint lie together.
 *
 *   PAGELAB_SHADOW_TURNS   writes of the long test, in device sizes */
#include "harness/model.h"
#include "variants/store_rig.h"

#include <inttypes.h>

static void lab_start(struct lab *l, uint64_t device_bytes, setting *set, size_t n)
{
	static setting always[] = {{"placement", "shadow"}, {"device", "null"}, {"page_bytes", "16k"},
		{"pool_bytes", "1M"}, {"log_bytes", "512k"}, {"max_value_bytes", "4k"}};
	lab_init(l);
	lab_set(l, always, PL_COUNT(always));
	lab_set(l, set, n);
	lab_choose(l);
	lab_create(l, device_bytes);
}

/* Neighbours are alike, so that a page as a whole does or does not compress; which, changes with every put. */
static int put(struct lab *l, uint32_t k)
{
	char text[16];
	uint32_t n = 100 + (uint32_t)pl_rng_below(&l->rng, 1900);
	bool noise = pl_rng_below(&l->rng, 8) < (k / 16 % 8);
	memset(l->value, (int)(k & 0xFF), n);
	if (noise)
		model_fill(pl_rng_next(&l->rng) | 1, l->value, n);
	return kv_put(l->kv, &l->x, key_of(k, text), pl_slice_of(l->value, n));
}

static int remove_key(struct lab *l, uint32_t k)
{
	char text[16];
	return kv_delete(l->kv, &l->x, key_of(k, text));
}

/* --- 90 % ----------------------------------------------------------------------------------------------------------- */

/* Random updates, with the live blocks at 90 % of all, for `turns` device sizes. Pages split as values grow; what exceeds
 * 90.5 % is deleted, neighbours together, so that pages become free. Returns how many updates were refused. */
static uint32_t stay_full(struct lab *l, uint64_t turns)
{
	struct kv_stats s = stats(l);
	uint64_t capacity = s.data_capacity_bytes, from = 0, least = capacity;
	uint32_t refused = 0, keys = 0; /* refused; ever put */
	while (!from || s.page_write_bytes < from + turns * capacity) {
		if (s.live_bytes < capacity * 90 / 100)
			refused += put(l, keys++) != PL_OK;
		else if (!from)
			from = s.page_write_bytes;
		uint32_t key = (uint32_t)pl_rng_below(&l->rng, keys);
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
		setting set[] = {{"space", spaces[i / 8]}, {"shadow.fit", fits[i / 4 % 2]},
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
		lab_abandon(&l); /* in the middle of it all: lab_end checks every page */
		lab_open(&l);
		moved += s.moved_pages;
		assert_int_equal(refused, 0);
		assert_int_equal(store_of(&l)->fault.err, PL_OK); /* what was moved was read back whole */
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
	lab_checkpoint(l);
}

/* Requests that the pages of the same puts take. */
static uint64_t page_requests(const char *fit, const char *group)
{
	setting set[] = {{"shadow.fit", fit}, {"shadow.group_blocks", group}};
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
	setting set[] = {{"shadow.trim", trim}};
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
	setting set[] = {{"space", "hole"}};
	struct lab l;
	lab_start(&l, 16u << 20, set, PL_COUNT(set));
	for (int life = 0; life < 5; life++) {
		put_all(&l, 3000, 1);
		struct kv_stats a = stats(&l);
		uint64_t whole = 0, again = 0;
		struct plc_report r;
		l.choice.placement->report(store_of(&l), &r);
		whole = r.free_blocks + r.reserved_blocks;
		lab_close(&l);
		lab_open(&l);
		struct kv_stats b = stats(&l);
		l.choice.placement->report(store_of(&l), &r);
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
