/* placement_pack_test.c - placements that pack images: what lies where, what a reader may be told by a map that is valid and
 * wrong, and what packing is for.
 *
 * 1. Reading a page reads no more blocks than its image needs; of pages of one block, one.
 * 2. Images that are packed take less than they did.
 * 3. A map may name any place: the store does not open, with a sentence, or reading says damage. Nothing is read outside
 *    (run it under the address sanitizer). */
#include "harness/model.h"
#include "variants/store_rig.h"

#include <inttypes.h>

static const char *const placements[] = {"shadow", "zone"};

/* more: options and their values, the last one NULL; or NULL. */
static void lab_begin(
	struct lab *l, const char *placement, const char *page_bytes, bool pack, const char *const (*more)[2])
{
	setting set[] = {{"placement", placement}, {"device", "null"}, {"space", "lz4"}, {"page_bytes", page_bytes},
		{"pool_bytes", "1M"}, {"log_bytes", "512k"}, {"max_value_bytes", "4k"}, {"zone.zone_bytes", "256k"},
		{"zone.pack", pack ? "1" : "0"}, {"shadow.pack", pack ? "1" : "0"}};
	lab_init(l);
	lab_set(l, set, PL_COUNT(set));
	for (; more && (*more)[0]; more++)
		lab_set(l, more, 1);
	lab_choose(l);
	lab_create(l, 16u << 20);
}

static void lab_start(struct lab *l, const char *placement, const char *page_bytes, bool pack)
{
	lab_begin(l, placement, page_bytes, pack, NULL);
}

/* Values of which half is noise. */
static void put_all(struct lab *l, uint32_t keys, uint32_t rounds)
{
	struct pl_rng rng;
	pl_rng_seed(&rng, 1, 0);
	for (uint32_t i = 0; i < keys * rounds; i++) {
		uint8_t value[120] = {0};
		char text[16];
		uint32_t k = i < keys ? i : (uint32_t)pl_rng_below(&rng, keys);
		model_fill(pl_rng_next(&rng) & ~(uint64_t)1, value, 60);
		assert_int_equal(kv_put(l->kv, &l->x, key_of(k, text), pl_slice_of(value, sizeof value)), PL_OK);
		if (i % 97 == 0) {
			struct kv_stats s = stats(l);
			assert_int_equal(
				s.live_bytes + s.dead_bytes + s.free_bytes + s.reserved_bytes, s.data_capacity_bytes);
		}
	}
	lab_checkpoint(l);
}

static void a_page_of_one_block_is_read_as_one_block(void **state)
{
	(void)state;
	for (size_t p = 0; p < PL_COUNT(placements); p++) {
		struct lab l;
		struct dev_stats before, after;
		lab_start(&l, placements[p], "4096", true);
		put_all(&l, 20000, 2);
		const struct store *s = store_of(&l);
		uint64_t packed = 0, pages = 0, shared = 0;
		for (uint64_t id = 1; id <= s->max_ids; id++)
			if (s->directory[id]) {
				pl_loc loc = store_loc(s, id);
				pages++;
				packed += loc_packed(loc);
				shared += loc_offset(loc) > 0;
				assert_int_equal(loc_blocks(loc), 1);
			}
		assert_true(packed * 10 > pages * 9 && shared * 3 > pages);
		dev_stats(l.dev, &before);
		uint64_t reads = s->stats.page_reads;
		lab_check(&l);
		dev_stats(l.dev, &after);
		reads = s->stats.page_reads - reads;
		assert_true(reads > pages / 2);
		assert_int_equal(after.host_read_bytes[DEV_TAG_LEAF] - before.host_read_bytes[DEV_TAG_LEAF],
			reads * s->block_bytes);
		lab_drop(&l);
	}
}

/* In a group of zones an image of a client may find room only where survivors go, and is on its way at the flush all the
 * same: else its frame waits, and nobody may write the page again. */
static void no_frame_waits_among_survivors(void **state)
{
	(void)state;
	static const char *const nowa[][2] = {{"zone.order", "nowa"}, {"zone.streams", "temperature"},
		{"zone.open_zones", "3"}, {"zone.survivors", "stream"}, {"zone.zone_bytes", "64k"}, {NULL, NULL}};
	struct lab l;
	struct pl_fault f = {0};
	lab_begin(&l, "zone", "16k", true, nowa);
	put_all(&l, 12000, 2);
	struct store *s = (struct store *)l.kv;
	assert_int_equal(s->pool.writing, 0);
	for (uint32_t round = 0; round < 40; round++) {
		for (uint32_t k = round; k < 12000; k += 40) {
			char key[16];
			size_t n = (size_t)snprintf(key, sizeof key, "key%07u", k);
			assert_int_equal(kv_put(l.kv, &l.x, pl_slice_of(key, n), pl_slice_of(key, n)), PL_OK);
		}
		pool_write_cold(s, &l.x);
		io_drain(s, &l.x);
		assert_int_equal(s->pool.writing, 0);
	}
	if (kv_check(l.kv, &l.x, &f))
		fail_msg("%s", f.text);
	lab_end(&l);
}

/* Bytes of pages that the device got for one page placed, and that live ones take. */
static void measure(const char *placement, const char *page, bool pack, uint64_t *written, uint64_t *live)
{
	struct lab l;
	struct dev_stats d;
	lab_start(&l, placement, page, pack);
	put_all(&l, 12000, 4);
	struct kv_stats s = stats(&l);
	dev_stats(l.dev, &d);
	*written = (d.host_write_bytes[DEV_TAG_LEAF] + d.host_write_bytes[DEV_TAG_INNER]) / s.page_writes;
	*live = s.live_bytes / s.live_pages;
	lab_drop(&l);
}

static void packed_images_take_less(void **state)
{
	(void)state;
	static const char *const pages[] = {"8k", "16k", "32k"};
	for (size_t i = 0; i < PL_COUNT(placements) * PL_COUNT(pages); i++) {
		uint64_t written[2], live[2];
		const char *placement = placements[i / PL_COUNT(pages)], *page = pages[i % PL_COUNT(pages)];
		for (int pack = 0; pack < 2; pack++)
			measure(placement, page, pack, &written[pack], &live[pack]);
		print_message("    %-6s %3s: %6" PRIu64 " bytes written, %6" PRIu64 " live a page; packed %6" PRIu64
			      " and %6" PRIu64 "\n",
			placement, page, written[0], live[0], written[1], live[1]);
		assert_true(written[1] < written[0] && live[1] < live[0]);
		assert_true(written[1] * 100 < live[1] * 145); /* waste: images of more than half a block do not pair */
	}
}

/* --- places that are valid and wrong ---------------------------------------------------------------------------------- */

static pl_loc some_place(struct pl_rng *rng, const struct store *s, pl_loc right)
{
	uint64_t end = s->layout.data_start + s->layout.data_blocks;
	uint32_t form = (uint32_t)pl_rng_below(rng, 5), units = 1 + (uint32_t)pl_rng_below(rng, 1024);
	uint64_t block = pl_rng_below(rng, 2) ? end - 1 - pl_rng_below(rng, 20) : pl_rng_below(rng, end + 20);
	if (form == 0)
		return (pl_loc){pl_rng_next(rng)};
	if (form == 1) /* one bit of the right one */
		return (pl_loc){right.v ^ (uint64_t)1 << pl_rng_below(rng, 64)};
	if (form == 2)
		return (pl_loc){right.v ^ pl_rng_below(rng, (uint64_t)1 << 16) << 12};
	uint32_t offset = (uint32_t)pl_rng_below(rng, 64);
	return loc_pack(block, offset, form == 3 ? units : 1 + units % 63, SPC_CODEC_LZ4, loc_generation(right));
}

static void a_wrong_place_is_named(void **state)
{
	(void)state;
	struct pl_rng rng;
	uint64_t refused = 0, damaged = 0, tried = 0;
	pl_rng_seed(&rng, 5, 0);
	for (uint32_t round = 0; round < 400; round++) {
		struct lab l;
		struct pl_fault f = {0};
		lab_start(&l, placements[round % 2], round / 2 % 2 ? "4096" : "16k", true);
		put_all(&l, 2000, 1);
		lab_close(&l);
		lab_open(&l); /* nothing is resident now */
		struct store *s = store_of(&l);
		uint64_t id = 1 + pl_rng_below(&rng, s->stats.live_pages);
		pl_loc right = {s->directory[id]};
		if (!right.v || entry_is_frame(right.v)) {
			lab_drop(&l);
			continue;
		}
		pl_loc wrong = some_place(&rng, s, right);
		if (wrong.v == right.v || !wrong.v || entry_is_frame(wrong.v))
			wrong = loc_pack(loc_block(right), 63, 2, SPC_CODEC_LZ4, 0);
		s->directory[id] = wrong.v; /* and the next anchor says so, with a checksum */
		s->choice.addressing->changed(s, id, ADR_MOVED);
		lab_checkpoint(&l);
		lab_abandon(&l);
		tried++;
		int err = lab_try_open(&l, &f);
		refused += err != PL_OK;
		if (!err) {
			err = kv_check(l.kv, &l.x, &f);
			damaged += err != PL_OK;
		}
		if (err != PL_DAMAGED && err != PL_FAILED)
			fail_msg("round %u, page %" PRIu64 " at %016" PRIx64 " instead of %016" PRIx64 ": %s %s", round,
				id, wrong.v, right.v, pl_err_name(err), f.text);
		assert_non_null(strstr(f.text, "page"));
		lab_drop(&l);
	}
	print_message("    %" PRIu64 " wrong places: %" PRIu64 " refused when opening, %" PRIu64 " when read\n", tried,
		refused, damaged);
	assert_true(tried > 300 && refused > 50 && damaged > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"placement.pack.a_page_of_one_block_is_read_as_one_block", a_page_of_one_block_is_read_as_one_block,
			NULL, NULL, NULL},
		{"placement.pack.no_frame_waits_among_survivors", no_frame_waits_among_survivors, NULL, NULL, NULL},
		{"placement.pack.packed_images_take_less", packed_images_take_less, NULL, NULL, NULL},
		{"placement.pack.a_wrong_place_is_named", a_wrong_place_is_named, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("placement_pack", tests, NULL, NULL);
}
