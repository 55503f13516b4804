/* zone_test.c - what placement=zone promises beyond the contract: with any streams and survivors place finds room, the
 * account of blocks adds up and a store that died opens whole; zones know how old their images are; grouping pages by
 * temperature moves fewer of them; cleaning ahead of need is bounded; groups leave the device nothing to move.
 *
 *   PAGELAB_ZONE_STATES   states of the crash campaign, per way of placing */
#include "harness/campaign.h"
#include "harness/model.h"
#include "variants/placement/zone.h"
#include "variants/store_rig.h"

#include <inttypes.h>
#include <stdlib.h>

static void lab_configure(struct lab *l, setting *set, size_t n)
{
	static setting always[] = {{"placement", "zone"}, {"device", "null"}, {"page_bytes", "16k"},
		{"pool_bytes", "1M"}, {"log_bytes", "512k"}, {"zone.zone_bytes", "256k"}};
	lab_init(l);
	lab_set(l, always, PL_COUNT(always));
	lab_set(l, set, n);
	lab_choose(l);
}

static void lab_start(struct lab *l, uint64_t device_bytes, setting *set, size_t n)
{
	lab_configure(l, set, n);
	lab_create(l, device_bytes);
}

static struct zones *zones_of(struct lab *l)
{
	return store_of(l)->placement;
}

static int put(struct lab *l, uint32_t k, uint32_t n)
{
	char text[16];
	model_fill(pl_rng_next(&l->rng) | 1, l->value, n);
	return kv_put(l->kv, &l->x, key_of(k, text), pl_slice_of(l->value, n));
}

/* The process dies in the middle of it all; the device has done what it was asked. */
static void lab_die(struct lab *l)
{
	io_drain(store_of(l), &l->x);
	lab_abandon(l);
}

static void refused(setting *set, size_t n, uint64_t device_bytes, const char *sentence)
{
	struct lab l;
	struct pl_fault f = {0};
	lab_configure(&l, set, n);
	assert_int_not_equal(lab_format(&l, device_bytes, &f), PL_OK);
	if (!strstr(f.text, sentence))
		fail_msg("'%s' does not say '%s'", f.text, sentence);
	lab_free(&l);
}

/* The account of blocks, per zone and in sum, counted anew from the directory. */
static void account(struct lab *l)
{
	struct store *s = store_of(l);
	struct zones *z = zones_of(l);
	struct kv_stats t = stats(l);
	uint64_t nfree = 0, live = 0;
	assert_int_equal(t.live_bytes + t.dead_bytes + t.free_bytes + t.reserved_bytes, t.data_capacity_bytes);
	memset(z->scratch, 0, z->n * sizeof *z->scratch);
	for (uint64_t id = 1; id <= s->max_ids; id++) {
		pl_loc loc = store_loc(s, id);
		if (!s->directory[id] || !loc.v)
			continue;
		z->scratch[zone_of(s, z, loc_block(loc))] += loc_blocks(loc);
		assert_int_equal(z->owner[loc_block(loc) - s->layout.data_start], id);
	}
	for (uint64_t m = 0; m < s->choice.addressing->map_pages(s); m++) {
		pl_loc loc = s->choice.addressing->map_loc(s, m);
		if (loc.v)
			z->scratch[zone_of(s, z, loc_block(loc))] += loc_blocks(loc);
	}
	for (uint64_t i = 0; i < z->n; i++) {
		nfree += z->state[i] == ZONE_FREE;
		live += z->scratch[i];
		assert_int_equal(z->scratch[i], z->zone[i].live_blocks);
		assert_true(z->state[i] != ZONE_FREE || !z->zone[i].live_blocks);
	}
	assert_int_equal(nfree, z->nfree);
	assert_int_equal(live * PAGE_UNITS, z->live_units);
}

/* --- every combination lives ----------------------------------------------------------------------------------------- */

/* Updates of uneven keys, some values on overflow pages, some deletes, with the store as full as it can be. */
static void live(struct lab *l, uint32_t operations)
{
	char text[16];
	for (uint32_t i = 0; i < operations; i++) {
		uint32_t k = (uint32_t)pl_rng_below(&l->rng, 1 + pl_rng_below(&l->rng, 6000));
		uint32_t n = pl_rng_below(&l->rng, 64) ? 100 + (uint32_t)pl_rng_below(&l->rng, 1900) : 17000;
		int err = pl_rng_below(&l->rng, 8) ? put(l, k, n) : kv_delete(l->kv, &l->x, key_of(k, text));
		if (err == PL_FULL)
			for (uint32_t d = k; d < k + 60; d++)
				err = kv_delete(l->kv, &l->x, key_of(d, text));
		assert_true(err == PL_OK || err == PL_NOTFOUND);
		if (i % 256 == 0)
			account(l);
	}
}

/* A group is free as a whole or not at all, its zones are neighbours, and its rests are all used up before the next. */
static void groups_are_whole(struct lab *l)
{
	struct zones *z = zones_of(l);
	uint64_t first = z->stream[0].zone;
	assert_int_equal(z->nfree % z->group, 0);
	for (uint64_t i = 0; i < z->n; i++)
		assert_int_equal(z->state[i] == ZONE_FREE, z->state[i / z->group * z->group] == ZONE_FREE);
	for (uint32_t k = 0; k < z->streams && zone_grouped(z) && first != ZONE_NONE; k++)
		assert_int_equal(z->stream[k].zone, first + k);
}

static void combination(setting *set, size_t n, uint64_t *cleaned)
{
	struct lab l;
	lab_start(&l, 24u << 20, set, n);
	for (int life = 0; life < 4; life++) {
		live(&l, 3000);
		*cleaned += stats(&l).cleaned_zones;
		assert_int_equal(store_of(&l)->failed, false);
		if (life % 2)
			lab_close(&l);
		else
			lab_die(&l);
		lab_open(&l);
		account(&l);
		groups_are_whole(&l);
		lab_check(&l);
	}
	lab_end(&l);
}

static void groups_live(void **state)
{
	(void)state;
	static const char *const streams[][2] = {{"one", "1"}, {"level", "3"}, {"temperature", "2"}, {"death", "2"}};
	static const char *const survivors[] = {"apart", "mixed", "stream"}, *const spaces[] = {"raw", "hole"};
	for (size_t i = 0; i < PL_COUNT(streams) * PL_COUNT(survivors); i++) {
		setting set[] = {{"zone.streams", streams[i / 3][0]}, {"zone.open_zones", streams[i / 3][1]},
			{"zone.survivors", survivors[i % 3]}, {"space", spaces[i % 2]}, {"zone.order", "nowa"}};
		uint64_t cleaned = 0;
		if (i == 1) /* one zone in all is no group */
			continue;
		combination(set, PL_COUNT(set), &cleaned);
		assert_true(cleaned > 10);
	}
}

static void every_combination_lives(void **state)
{
	(void)state;
	static const char *const streams[][2] = {
		{"one", "1"}, {"one", "4"}, {"level", "3"}, {"temperature", "3"}, {"death", "5"}};
	static const char *const survivors[] = {"apart", "mixed", "stream"}, *const spaces[] = {"raw", "hole"};
	for (size_t i = 0; i < PL_COUNT(streams) * PL_COUNT(survivors) * 2; i++) {
		setting set[] = {{"zone.streams", streams[i / 6][0]}, {"zone.open_zones", streams[i / 6][1]},
			{"zone.survivors", survivors[i / 2 % 3]}, {"space", spaces[i % 2]}};
		uint64_t cleaned = 0;
		combination(set, PL_COUNT(set), &cleaned);
		assert_true(cleaned > 10);
	}
}

/* --- history ---------------------------------------------------------------------------------------------------------- */

static void a_page_knows_its_interval(void **state)
{
	(void)state;
	uint8_t page[PL_PAGE_HEADER] = {0};
	page_note_change(page, 1000);
	assert_int_equal(page_clock(page), 1000);
	assert_int_equal(page_interval(page), 0);
	assert_true(zone_death(page, 1000) == CLN_NEVER);
	page_note_change(page, 1400);
	assert_int_equal(page_interval(page), 400);
	page_note_change(page, 1400 + 800);
	assert_int_equal(page_interval(page), 500);
	assert_int_equal(zone_death(page, 2200), 2700);
	assert_int_equal(zone_death(page, 2690), 2700);
	assert_int_equal(zone_death(page, 3200), 4200); /* it outlived the estimate: as long again */
	page_note_change(page, 2200);
	assert_int_equal(page_interval(page), (3 * 500 + 1 + 2) / 4); /* two writes at one reading count as one block */
	page_note_change(page, (uint64_t)1 << 40);
	page_note_change(page, (uint64_t)1 << 50);
	for (int i = 0; i < 64; i++)
		page_note_change(page, (uint64_t)(i + 3) << 50);
	assert_true(page_interval(page) > UINT32_MAX - 64); /* saturated, but for rounding */
}

/* The clock does not go back over a reopening, and every page on media is as old as the clock or older. */
static void the_clock_goes_on(void **state)
{
	(void)state;
	struct lab l;
	lab_start(&l, 24u << 20, NULL, 0);
	uint64_t clock = 0;
	for (int life = 0; life < 4; life++) {
		live(&l, 1000);
		assert_true(store_of(&l)->clock > clock + 500);
		lab_checkpoint(&l);
		clock = store_of(&l)->clock;
		if (life % 2)
			lab_close(&l);
		else
			lab_die(&l);
		lab_open(&l);
		assert_true(store_of(&l)->clock >= clock);
	}
	uint64_t known = 0;
	live(&l, 50);
	for (uint32_t i = 0; i < store_of(&l)->pool.frames; i++)
		if (store_of(&l)->pool.frame[i].state == FRAME_VALID) {
			const uint8_t *page = frame_page(store_of(&l), i);
			assert_true(page_clock(page) <= store_of(&l)->clock);
			known += page_interval(page) != 0;
		}
	assert_true(known > 10);
	lab_end(&l);
}

/* Zones hold the clock and the death of their youngest and their mean image; copies do not make them younger. */
static void zones_know_their_age(void **state)
{
	(void)state;
	struct lab l;
	lab_start(&l, 16u << 20, NULL, 0);
	live(&l, 12000);
	assert_true(stats(&l).moved_pages > 100);
	struct zones *z = zones_of(&l);
	uint64_t old = 0, dated = 0, full = 0, clean = z->stream[z->users].zone;
	for (uint64_t i = 0; i < z->n; i++) {
		if (z->state[i] != ZONE_FULL || !z->zone[i].live_blocks)
			continue;
		full++;
		assert_true(z->zone[i].closed_at <= store_of(&l)->clock);
		assert_true(z->zone[i].changed_at && z->zone[i].changed_at <= z->zone[i].closed_at);
		old += z->zone[i].changed_at + 200 < z->zone[i].closed_at; /* filled by cleaning */
		dated += z->zone[i].death_at != CLN_NEVER;
	}
	assert_true(clean != ZONE_NONE && full > 10 && old > 0 && dated * 2 > full);
	lab_end(&l);
}

/* --- ahead of need ---------------------------------------------------------------------------------------------------- */

/* Updates of a store that is three quarters full, a read after each. Counters since it was filled. */
static struct kv_stats churn(struct lab *l, uint32_t records, uint32_t operations)
{
	for (uint32_t k = 0; k < records; k++)
		assert_int_equal(put(l, k, 1000), PL_OK);
	lab_checkpoint(l);
	store_of(l)->stats.moved_pages_at_once = 0;
	struct kv_stats before = stats(l);
	for (uint32_t i = 0; i < operations; i++) {
		char text[16];
		pl_slice value;
		struct kv_op get = {.kind = KV_GET, .key = key_of((uint32_t)pl_rng_below(&l->rng, records), text)};
		assert_int_equal(put(l, (uint32_t)pl_rng_below(&l->rng, records), 1000), PL_OK);
		assert_int_equal(kv_do(l->kv, &l->x, &get), PL_OK);
		value = get.result;
		assert_int_equal(value.n, 1000);
		uint64_t now_ns = l->x.now_ns, work_ns = l->x.cpu_ns;
		l->choice.placement->step(store_of(l), &l->x);
		assert_int_equal(l->x.now_ns - now_ns, l->x.cpu_ns - work_ns); /* it never waits */
		if (i % 512 == 0)
			account(l);
	}
	struct kv_stats s = stats(l);
	s.moved_pages -= before.moved_pages;
	s.moved_pages_blocking -= before.moved_pages_blocking;
	s.checkpoints -= before.checkpoints;
	return s;
}

static void slices_are_bounded(void **state)
{
	(void)state;
	static const char *const slices[] = {"0", "2", "4", "16"}, *const devices[] = {"null", "sim_ssd", "sim_zns"};
	for (size_t i = 0; i < PL_COUNT(slices) * PL_COUNT(devices); i++) {
		setting set[] = {{"device", devices[i / 4]}, {"zone.slice_pages", slices[i % 4]},
			{"sim_zns.zone_bytes", "256k"}};
		struct lab l;
		uint64_t most = strtoull(slices[i % 4], NULL, 10);
		lab_start(&l, 32u << 20, set, PL_COUNT(set));
		struct kv_stats s = churn(&l, 17500, 4000);
		print_message("    %s, slices of %2" PRIu64 ": %" PRIu64 " moved, %" PRIu64
			      " of them blocking, at most %" PRIu64 " at once; %" PRIu64 " checkpoints\n",
			devices[i / 4], most, s.moved_pages, s.moved_pages_blocking, s.moved_pages_at_once,
			s.checkpoints);
		assert_true(s.moved_pages > 1000);
		if (most >= 4) { /* keeps up, so nobody has to wait for room */
			assert_int_equal(s.moved_pages_blocking, 0);
			assert_true(s.moved_pages_at_once <= most);
		} else if (!most) {
			assert_int_equal(s.moved_pages_blocking, s.moved_pages);
			assert_true(s.moved_pages_at_once > 16);
		}
		lab_end(&l);
	}
}

/* --- the device's own units ------------------------------------------------------------------------------------------- */

/* What a small drive writes for what it is given, after its spare superblocks have gone round; thousandths. */
static uint64_t device_amplification(setting *set, size_t n, uint64_t *own)
{
	struct lab l;
	struct dev_stats before, after;
	lab_start(&l, 64u << 20, set, n);
	assert_int_equal(l.dev->caps.erase_unit_blocks, 128);
	(void)churn(&l, 29000, 9000);
	struct kv_stats s = stats(&l);
	dev_stats(l.dev, &before);
	for (uint32_t i = 0; i < 9000; i++)
		assert_int_equal(put(&l, (uint32_t)pl_rng_below(&l.rng, 29000), 1000), PL_OK);
	struct kv_stats t = stats(&l);
	dev_stats(l.dev, &after);
	uint64_t host = 0;
	for (int k = 0; k < DEV_TAGS; k++)
		host += after.host_write_bytes[k] - before.host_write_bytes[k];
	uint64_t user = t.page_write_bytes - s.page_write_bytes;
	*own = (user + t.moved_bytes - s.moved_bytes) * 1000 / user;
	lab_end(&l);
	return (after.media_write_bytes - before.media_write_bytes) * 1000 / host;
}

/* Zones of half a unit side by side; the same in groups; zones of two units, one after the other. Without a log, or with
 * one that a hint keeps apart: what dies at other times than the data around it would be the device's to separate. */
static void groups_spare_the_device(void **state)
{
	(void)state;
	static const char *const ways[][4] = {
		{"256k", "3", "free", "none"}, {"256k", "3", "nowa", "erase_unit"}, {"1M", "1", "free", "erase_unit"}};
	for (int log = 0; log < 2; log++) {
		uint64_t device[3], own[3];
		for (size_t i = 0; i < 3; i++) {
			setting set[] = {{"device", "sim_ssd"}, {"zone.zone_bytes", ways[i][0]},
				{"zone.open_zones", ways[i][1]}, {"zone.order", ways[i][2]}, {"zone.align", ways[i][3]},
				{"durability", log ? "redo" : "none"}, {"zone.hint", log ? "1" : "0"},
				{"sim_ssd.streams", log ? "2" : "1"}};
			device[i] = device_amplification(set, PL_COUNT(set), &own[i]);
		}
		print_message("    %s: device (and own) write amplification, thousandths: %" PRIu64 " (%" PRIu64
			      ") plain, %" PRIu64 " (%" PRIu64 ") in groups, %" PRIu64 " (%" PRIu64 ") whole units\n",
			log ? "with a log apart" : "without a log", device[0], own[0], device[1], own[1], device[2],
			own[2]);
		assert_true(device[0] > 1100);
		assert_true(device[1] < 1100);
		assert_true(device[2] < 1100);
		assert_true(own[1] < own[0] * 3 / 2);
	}
}

/* Data begins where units do. */
static void zones_begin_where_units_do(void **state)
{
	(void)state;
	static const char *const sizes[] = {"128k", "256k", "512k", "1M"};
	for (size_t i = 0; i < PL_COUNT(sizes); i++) {
		setting set[] = {{"device", "sim_ssd"}, {"zone.zone_bytes", sizes[i]}, {"zone.align", "erase_unit"}};
		struct lab l;
		lab_start(&l, 64u << 20, set, PL_COUNT(set));
		assert_int_equal(store_of(&l)->layout.data_start % l.dev->caps.erase_unit_blocks, 0);
		lab_end(&l);
	}
	setting odd[] = {{"device", "sim_ssd"}, {"zone.zone_bytes", "384k"}, {"zone.align", "erase_unit"}};
	refused(odd, PL_COUNT(odd), 64u << 20, "a zone has 96 blocks and the device's erase unit 128");
	setting thirds[] = {{"device", "sim_ssd"}, {"zone.zone_bytes", "256k"}, {"zone.align", "erase_unit"},
		{"zone.order", "nowa"}, {"zone.open_zones", "2"}};
	refused(thirds, PL_COUNT(thirds), 64u << 20, "the 3 zones of a group have 192 blocks together");
	setting blind[] = {{"zone.align", "erase_unit"}};
	refused(blind, 1, 64u << 20, "does not tell its erase unit");
	setting zoned[] = {{"device", "sim_zns"}, {"sim_zns.zone_bytes", "256k"}, {"zone.order", "nowa"}};
	refused(zoned, PL_COUNT(zoned), 64u << 20, "nothing to put in order");
}

/* --- sums ------------------------------------------------------------------------------------------------------------- */

static void sums_are_checked(void **state)
{
	(void)state;
	setting many[] = {{"zone.open_zones", "9"}, {"zone.survivors", "stream"}};
	refused(many, 2, 64u << 20, "9 zones for clients' images and 9 for survivors make 18; there may be 16");
	setting lone[] = {{"zone.streams", "death"}};
	refused(lone, 1, 64u << 20, "let zone.open_zones be 2 or more");
	setting levels[] = {{"zone.streams", "level"}, {"zone.open_zones", "2"}};
	refused(levels, 2, 64u << 20, "three levels");
	setting zoned[] = {{"device", "sim_zns"}, {"sim_zns.zone_bytes", "256k"}, {"zone.open_zones", "6"},
		{"zone.survivors", "stream"}, {"sim_zns.max_open", "14"}, {"sim_zns.max_active", "14"}};
	refused(zoned, PL_COUNT(zoned), 64u << 20, "3 for the log, 6 for clients' images and 6 for survivors make 17");
	setting small[] = {{"zone.open_zones", "6"}, {"zone.survivors", "stream"}, {"zone.zone_bytes", "1M"}};
	refused(small, PL_COUNT(small), 16u << 20, "7 are kept for cleaning, 18 for open zones");
}

/* --- crashes ---------------------------------------------------------------------------------------------------------- */

static void crashes_lose_nothing(void **state)
{
	(void)state;
	static const char *const ways[][6] = {{"sim_ssd", "one", "1", "apart", "free", "8"},
		{"sim_ssd", "death", "3", "stream", "free", "2"},
		{"sim_ssd", "temperature", "2", "mixed", "free", "16"}, {"sim_ssd", "one", "2", "apart", "nowa", "4"},
		{"sim_zns", "level", "3", "apart", "free", "8"}, {"sim_zns", "death", "2", "stream", "free", "4"}};
	uint64_t each = model_env("ZONE_STATES", 80), sliced = 0, states = 0;
	for (size_t i = 0; i < PL_COUNT(ways); i++) {
		static const char *const keys[] = {
			NULL, "zone.streams", "zone.open_zones", "zone.survivors", "zone.order", "zone.slice_pages"};
		setting device[] = {{"device", ways[i][0]}, {"space", "hole"}};
		struct lab l;
		struct model_lab m;
		struct campaign_report r;
		struct pl_fault f = {0};
		lab_configure(&l, device, PL_COUNT(device));
		model_lab_init(&m, &l.choice, false);
		for (size_t k = 1; k < PL_COUNT(keys); k++)
			model_lab_set(&m, keys[k], ways[i][k]);
		model_lab_set(&m, "pool_bytes", "262144");
		model_lab_set(&m, "log_bytes", "327680");
		model_lab_set(&m, "max_value_bytes", "8192");
		model_lab_set(&m, "zone.zone_bytes", "65536");
		model_lab_set(&m, "sim_zns.zone_bytes", "65536");
		m.form.value_max = 4000;
		m.form.keys = 1600;
		m.capacity_bytes = 3u << 20;
		struct campaign_plan p = {.choice = &l.choice,
			.lab = &m,
			.seed = 1 + i,
			.operations = 2500,
			.clients = 3,
			.states = (uint32_t)each};
		if (campaign_run(&p, &r, &f))
			fail_msg("%s: %s", ways[i][1], f.text);
		if (r.violated || !r.ran)
			fail_msg("%s %s %s, event %" PRIu64 " subset %" PRIu64 ": %s", ways[i][0], ways[i][1],
				ways[i][4], r.event, r.subset, r.text);
		assert_true(r.stats.moved_pages > r.stats.moved_pages_blocking + 100);
		sliced += r.stats.moved_pages - r.stats.moved_pages_blocking;
		states += r.states;
		model_lab_free(&m);
		pl_conf_free(&l.conf);
	}
	print_message("    %" PRIu64 " states, %" PRIu64 " pages moved in slices\n", states, sliced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"placement.zone.a_page_knows_its_interval", a_page_knows_its_interval, NULL, NULL, NULL},
		{"placement.zone.the_clock_goes_on", the_clock_goes_on, NULL, NULL, NULL},
		{"placement.zone.zones_know_their_age", zones_know_their_age, NULL, NULL, NULL},
		{"placement.zone.slices_are_bounded", slices_are_bounded, NULL, NULL, NULL},
		{"placement.zone.sums_are_checked", sums_are_checked, NULL, NULL, NULL},
		{"placement.zone.groups_spare_the_device", groups_spare_the_device, NULL, NULL, NULL},
		{"placement.zone.zones_begin_where_units_do", zones_begin_where_units_do, NULL, NULL, NULL},
		{"placement.zone.groups_live", groups_live, NULL, NULL, NULL},
		{"placement.zone.crashes_lose_nothing", crashes_lose_nothing, NULL, NULL, NULL},
		{"placement.zone.every_combination_lives", every_combination_lives, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
