/* pingpong_test.c - what guard=pingpong promises beyond the contract, in exact counts: a page dirtied is written once a
 * checkpoint and its stale slot punched after it, where the journal writes twice; slots alternate with anchors, not with
 * writes; a device that trims holds one image a page; and which slot is current survives, however many changed. */
#include "harness/model.h"
#include "variants/store_rig.h"

#include <inttypes.h>

#define KEYS 600u
#define VALUE_BYTES 1000u

static void lab_start_with(struct lab *l, const char *guard, const char *durability, const char *pool, uint64_t bytes,
	const char *space, const char *stale)
{
	setting set[] = {{"placement", "inplace"}, {"guard", guard}, {"durability", durability}, {"space", space},
		{"device", "null"}, {"page_bytes", "8192"}, {"pool_bytes", pool}, {"log_bytes", "16M"},
		{"max_value_bytes", "2k"}, {"pingpong.stale_permille", stale}};
	lab_init(l);
	lab_set(l, set, PL_COUNT(set));
	lab_choose(l);
	lab_create(l, bytes);
}

static void lab_start(struct lab *l, const char *guard, const char *durability, const char *pool, uint64_t bytes)
{
	lab_start_with(l, guard, durability, pool, bytes, "raw", "0");
}

static void put(struct lab *l, uint32_t k, uint8_t byte)
{
	char text[16];
	memset(l->value, byte, VALUE_BYTES);
	assert_int_equal(kv_put(l->kv, &l->x, key_of(k, text), pl_slice_of(l->value, VALUE_BYTES)), PL_OK);
}

/* A value of noise; a leaf of them does not compress. */
static void put_noise(struct lab *l, uint32_t k, struct pl_rng *rng)
{
	char text[16];
	for (size_t i = 0; i < VALUE_BYTES; i++)
		l->value[i] = (uint8_t)pl_rng_next(rng);
	assert_int_equal(kv_put(l->kv, &l->x, key_of(k, text), pl_slice_of(l->value, VALUE_BYTES)), PL_OK);
}

/* Reads let pages go cold: dirty ones are then written before a checkpoint has to. */
static void read_some(struct lab *l, struct pl_rng *rng, int n)
{
	char text[16];
	pl_slice got;
	while (n--)
		assert_int_equal(kv_get(l->kv, &l->x, key_of((uint32_t)pl_rng_below(rng, (uint64_t)KEYS * 4), text),
					 l->value, sizeof l->value, &got),
			PL_OK);
}

static void expect(struct lab *l, uint32_t k, uint8_t byte)
{
	char text[16];
	pl_slice got;
	assert_int_equal(kv_get(l->kv, &l->x, key_of(k, text), l->value, sizeof l->value, &got), PL_OK);
	assert_int_equal(got.n, 1000);
	assert_int_equal(got.p[0], byte);
	assert_int_equal(got.p[999], byte);
}

struct counts {
	struct kv_stats kv;
	struct dev_stats dev;
};

static struct counts counts(struct lab *l)
{
	struct counts c;
	kv_stats(l->kv, &c.kv);
	dev_stats(l->dev, &c.dev);
	return c;
}

static uint64_t home_bytes(const struct counts *c)
{
	return c->dev.host_write_bytes[DEV_TAG_LEAF] + c->dev.host_write_bytes[DEV_TAG_INNER];
}

/* k pages dirtied by a checkpoint's own count; what went home, into a journal, and what was punched. */
static void one_checkpoint(const char *guard, uint64_t *k, uint64_t *home, uint64_t *journal, uint64_t *punches)
{
	struct lab l;
	lab_start(&l, guard, "redo", "8M", 64u << 20);
	for (uint32_t i = 0; i < KEYS; i++)
		put(&l, i, 1);
	for (int round = 0; round < 2; round++)
		lab_checkpoint(&l); /* the first may have to punch what formatting could not know */
	for (uint32_t i = 0; i < KEYS; i += 11) /* no two in a leaf of eight */
		put(&l, i, 2);
	struct counts a = counts(&l);
	uint64_t dirty = store_of(&l)->pool.dirty;
	lab_checkpoint(&l);
	struct counts b = counts(&l);
	*k = b.kv.page_writes - a.kv.page_writes;
	*home = home_bytes(&b) - home_bytes(&a);
	*journal = b.dev.host_write_bytes[DEV_TAG_JOURNAL] - a.dev.host_write_bytes[DEV_TAG_JOURNAL];
	*punches = b.kv.punches - a.kv.punches;
	assert_int_equal(*k, dirty);
	assert_int_equal(*k, (KEYS + 10) / 11);
	lab_checkpoint(&l); /* nothing dirty: nothing written, nothing punched */
	struct counts c = counts(&l);
	assert_int_equal(c.kv.punches, b.kv.punches);
	assert_int_equal(home_bytes(&c), home_bytes(&b));
	lab_end(&l);
}

static void a_page_is_written_once_and_its_stale_slot_punched(void **state)
{
	uint64_t k, home, journal, punches;
	(void)state;
	one_checkpoint("pingpong", &k, &home, &journal, &punches);
	assert_int_equal(home, k * 8192);
	assert_int_equal(journal, 0);
	assert_int_equal(punches, k);
	one_checkpoint("dwb", &k, &home, &journal, &punches);
	assert_int_equal(home, k * 8192);
	assert_int_equal(journal, k * 8192 + 4096); /* and the directory of the batch */
	assert_int_equal(punches, 0);
}

static void locs(struct lab *l, pl_loc *out)
{
	for (uint64_t id = 1; id <= store_of(l)->max_ids; id++)
		out[id] = store_of(l)->directory[id] ? store_loc(store_of(l), id) : (pl_loc){0};
}

/* Until the next anchor every image of a page goes to the slot that this one does not reach, the second like the first. */
static void slots_alternate_with_anchors(void **state)
{
	static pl_loc before[2001], now[2001];
	struct pl_rng rng;
	struct lab l;
	uint64_t once = 0, again = 0, anchors = 0;
	(void)state;
	pl_rng_seed(&rng, 1, 0);
	lab_start(&l, "pingpong", "none", "2M", 32u << 20);
	for (uint32_t i = 0; i < KEYS * 4; i++)
		put(&l, i, 1);
	lab_checkpoint(&l);
	assert_true(store_of(&l)->max_ids > 600 && store_of(&l)->max_ids <= 2000);
	locs(&l, before);
	for (uint32_t round = 0; round < 1000; round++) {
		struct counts a = counts(&l);
		read_some(&l, &rng, 20);
		for (int i = 0; i < 5; i++)
			put(&l, (uint32_t)pl_rng_below(&rng, (uint64_t)KEYS * 4), (uint8_t)round);
		locs(&l, now);
		if (round % 50 == 49 || counts(&l).kv.checkpoints != a.kv.checkpoints) {
			anchors++;
			lab_checkpoint(&l);
			locs(&l, before);
			continue;
		}
		for (uint64_t id = 1; id <= store_of(&l)->max_ids; id++) {
			uint64_t first = home_block(store_of(&l), id);
			uint8_t images = (uint8_t)(loc_generation(now[id]) - loc_generation(before[id]));
			if (!before[id].v || !now[id].v)
				continue;
			assert_true(loc_block(before[id]) == first || loc_block(before[id]) == first + 2);
			assert_int_equal(loc_block(now[id]) != loc_block(before[id]), images != 0);
			assert_true(loc_block(now[id]) == first || loc_block(now[id]) == first + 2);
			once += images == 1;
			again += images > 1;
		}
	}
	print_message("    %" PRIu64 " anchors; pages seen written once since the last: %" PRIu64
		      ", several times: %" PRIu64 "\n",
		anchors, once, again);
	assert_true(anchors > 2 && once && again);
	lab_end(&l);
}

/* Beside live images the device holds meta and log, whatever was written, overwritten, evicted and freed. */
static void a_trimmed_device_holds_one_image_a_page(void **state)
{
	struct lab l;
	(void)state;
	lab_start(&l, "pingpong", "none", "512k", 32u << 20);
	for (uint8_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < KEYS * 2; i++)
			put(&l, i, round);
		lab_checkpoint(&l);
		struct counts c = counts(&l);
		uint64_t meta = 2 * store_of(&l)->layout.meta_blocks * 4096;
		assert_in_range(c.dev.stored_bytes, c.kv.live_bytes, c.kv.live_bytes + meta);
		assert_int_equal(c.kv.live_bytes + c.kv.dead_bytes + c.kv.free_bytes + c.kv.reserved_bytes,
			c.kv.data_capacity_bytes);
		assert_int_equal(c.kv.live_bytes + c.kv.dead_bytes, c.kv.live_pages * 2 * 8192);
	}
	for (uint32_t i = 0; i < KEYS * 2; i++) {
		char text[16];
		assert_int_equal(kv_delete(l.kv, &l.x, key_of(i, text)), PL_OK);
	}
	lab_checkpoint(&l);
	struct counts c = counts(&l);
	assert_true(c.kv.live_pages < 4);
	assert_in_range(
		c.dev.stored_bytes, c.kv.live_bytes, c.kv.live_bytes + 2 * store_of(&l)->layout.meta_blocks * 4096);
	lab_end(&l);
}

/* Second images that an anchor would free: never more than were asked for, and what is written between two looks. */
static void stale_images_are_bounded(void **state)
{
	static const char *const permille[] = {"0", "20", "100"};
	uint64_t most[3] = {0}, limit[3] = {UINT64_MAX};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(permille); i++) {
		struct pl_rng rng;
		struct lab l;
		pl_rng_seed(&rng, 1, 0);
		lab_start_with(&l, "pingpong", "none", "2M", 32u << 20, "raw", permille[i]);
		for (uint32_t k = 0; k < KEYS * 4; k++)
			put(&l, k, 1);
		lab_checkpoint(&l);
		for (uint32_t k = 0; k < 4000; k++) {
			put(&l, (uint32_t)pl_rng_below(&rng, (uint64_t)KEYS * 4), (uint8_t)k);
			read_some(&l, &rng, 4);
			struct counts c = counts(&l);
			uint64_t meta = 2 * store_of(&l)->layout.meta_blocks * 4096;
			if (c.dev.stored_bytes > c.kv.live_bytes + meta)
				most[i] = pl_max64(most[i], c.dev.stored_bytes - c.kv.live_bytes - meta);
		}
		if (i)
			limit[i] = (store_of(&l)->max_ids * (i == 1 ? 20 : 100) / 1000 + 1 + 32) * 8192;
		lab_end(&l);
	}
	print_message("    stale bytes at most: %" PRIu64 " (20), %" PRIu64 " (100), %" PRIu64 " (never)\n", most[1],
		most[2], most[0]);
	assert_true(most[1] <= limit[1] && most[2] <= limit[2] && most[1] < most[2] && most[2] * 3 / 2 < most[0]);
}

/* One image a page stored, with images of one block and of two, now and then both of one page in one epoch. */
static void blocks_that_an_image_left_are_trimmed(void **state)
{
	struct pl_rng rng;
	struct lab l;
	(void)state;
	pl_rng_seed(&rng, 1, 0);
	lab_start_with(&l, "pingpong", "none", "2M", 32u << 20, "lz4", "0");
	for (uint32_t i = 0; i < KEYS * 4; i++)
		put(&l, i, 1);
	for (uint32_t round = 0; round < 40; round++) {
		for (int i = 0; i < 60; i++) {
			uint32_t leaf = (uint32_t)pl_rng_below(&rng, KEYS / 2) * 8;
			bool noise = pl_rng_below(&rng, 2) == 0;
			for (uint32_t k = leaf; k < leaf + 8; k++)
				if (noise)
					put_noise(&l, k, &rng);
				else
					put(&l, k, (uint8_t)round);
			read_some(&l, &rng, 20);
		}
		lab_checkpoint(&l);
		struct counts c = counts(&l);
		uint64_t meta = 2 * store_of(&l)->layout.meta_blocks * 4096;
		assert_in_range(c.dev.stored_bytes, c.kv.live_bytes, c.kv.live_bytes + meta);
		if (round > 10) /* images of both sizes */
			assert_in_range(
				c.kv.live_bytes, c.kv.live_pages * 4096 * 5 / 4, c.kv.live_pages * 4096 * 7 / 4);
	}
	lab_end(&l);
}

/* More pages change slots in an epoch than a delta holds: the anchor is a base, although it was chosen before they did. */
static void any_number_of_slots_survives(void **state)
{
	struct lab l;
	static const uint32_t keys[] = {1000, 42000};
	(void)state;
	lab_start(&l, "pingpong", "none", "128M", 256u << 20);
	for (uint32_t k = 0; k < 42000; k++)
		put(&l, k, 1);
	lab_checkpoint(&l);
	for (uint8_t round = 2; round < 8; round++) {
		uint32_t n = keys[round % 2];
		for (uint32_t k = 0; k < n; k += 4)
			put(&l, k, round);
		assert_int_equal(store_of(&l)->pool.dirty > 4096, round % 2);
		lab_checkpoint(&l);
		if (round % 3)
			lab_abandon(&l);
		else
			lab_close(&l);
		lab_open(&l);
		lab_check(&l);
		for (uint32_t k = 0; k < 42000; k += 4)
			expect(&l, k, k < n ? round : round == 2 ? 1 : (uint8_t)(round - 1));
	}
	lab_end(&l);
}

/* A write that never reached its slot: where punching makes zeros it cannot be taken for an older image. */
static void a_lost_write_leaves_an_empty_slot(void **state)
{
	struct lab l;
	struct pl_fault f = {0};
	char text[16];
	pl_slice got;
	(void)state;
	lab_start(&l, "pingpong", "none", "8M", 64u << 20);
	for (uint8_t round = 1; round < 4; round++) {
		for (uint32_t k = 0; k < KEYS; k++)
			put(&l, k, round);
		lab_checkpoint(&l);
	}
	uint64_t first = home_block(store_of(&l), STORE_ROOT);
	uint64_t at = loc_block(store_loc(store_of(&l), STORE_ROOT)), stale = 2 * first + 2 - at;
	uint8_t block[4096];
	lab_close(&l);
	struct dev_req r = {.op = DEV_READ, .block = stale, .blocks = 1, .buf = block};
	assert_int_equal(dev_submit(l.dev, l.x.now_ns, &r), PL_OK);
	assert_ptr_equal(dev_poll(l.dev, l.x.now_ns), &r);
	for (size_t i = 0; i < sizeof block; i++)
		assert_int_equal(block[i], 0);
	assert_int_equal(l.choice.device->poke(l.dev, at, 2, NULL), PL_OK);
	int err = lab_try_open(&l, &f);
	if (!err)
		err = kv_get(l.kv, &l.x, key_of(1, text), l.value, sizeof l.value, &got);
	assert_int_equal(err, PL_DAMAGED);
	lab_drop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"guard.pingpong.a_page_is_written_once_and_its_stale_slot_punched",
			a_page_is_written_once_and_its_stale_slot_punched, NULL, NULL, NULL},
		{"guard.pingpong.slots_alternate_with_anchors", slots_alternate_with_anchors, NULL, NULL, NULL},
		{"guard.pingpong.a_trimmed_device_holds_one_image_a_page", a_trimmed_device_holds_one_image_a_page,
			NULL, NULL, NULL},
		{"guard.pingpong.stale_images_are_bounded", stale_images_are_bounded, NULL, NULL, NULL},
		{"guard.pingpong.blocks_that_an_image_left_are_trimmed", blocks_that_an_image_left_are_trimmed, NULL,
			NULL, NULL},
		{"guard.pingpong.any_number_of_slots_survives", any_number_of_slots_survives, NULL, NULL, NULL},
		{"guard.pingpong.a_lost_write_leaves_an_empty_slot", a_lost_write_leaves_an_empty_slot, NULL, NULL,
			NULL},
	};
	return cmocka_run_group_tests_name("guard.pingpong", tests, NULL, NULL);
}
