/* sim_opfs_cut_test.c - what each cut may leave of sim_opfs: every state its model promises, and no other. And random calls
 * against a model, copies, contentless and large devices. */
#include "engine/iface/durability.h"
#include "harness/model.h"
#include "variants/device/sim_opfs_rig.h"

/* ---- cuts ---- */

static void a_terminated_worker_runs_on(void **state)
{
	(void)state;
	struct rig g;
	for (int m = 0; m < 2; m++) {
		open_blocks(&g, MIB, B, false,
			(const char *const[]){"sim_opfs.handle", m ? "readwrite-unsafe" : "exclusive", NULL});
		put(&g, 0, 3, 1);
		struct dev_req r[3];
		uint8_t *data = malloc(3 * (size_t)B);
		for (uint64_t i = 0; i < 3; i++) {
			memcpy(data + i * B, stamped(10 + i, 1), B);
			r[i] = (struct dev_req){.op = DEV_WRITE, .block = i, .blocks = 1, .buf = data + i * B};
			assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
		}
		g.now_ns += 40000; /* in the second of three calls of 33,920 */
		uint64_t cut_ns = g.now_ns;
		assert_int_equal(opfs_inside.cut(g.dev, cut_ns, DEV_CUT_WORKER, 1), PL_OK);
		memset(data, 0xEE, 3 * (size_t)B); /* the caller is gone, and its memory */
		free(data);
		assert_null(dev_poll(g.dev, g.now_ns));
		assert_int_equal(dev_next_ns(g.dev), PL_NS_NEVER);
		assert_int_equal(told(&g, "held_handles"), 1);
		assert_int_equal(holds(&g, 0), 10);
		assert_int_equal(holds(&g, 1), 1);
		uint64_t refused = 0;
		int status;
		/* A write of the new worker, begun before the old one's last write begins and done after it has ended:
		 * only an unsafe handle lets it in. */
		while ((status = rig_do(&g, DEV_WRITE, 2, 1, stamped(20, 1))) != PL_OK) {
			assert_int_equal(status, PL_LOCKED);
			assert_true(g.now_ns - cut_ns < 2010000000u);
			refused++;
		}
		assert_int_equal(holds(&g, 1), 11);
		if (m == 0) {
			/* 1.5 ms a try; 830..1,100 were seen in 2.0 s, with time between them */
			assert_in_range(refused, 1300, 1400);
			assert_in_range(g.now_ns - cut_ns, 2000000000u, 2003100000u);
			assert_int_equal(told(&g, "held_handles"), 0);
			assert_int_equal(holds(&g, 2), 20);
		} else {
			assert_int_equal(refused, 0);
			assert_int_equal(told(&g, "held_handles"), 1);
			assert_int_equal(holds(&g, 2), 20);
			(void)dev_poll(g.dev, cut_ns + 1999999999u);
			assert_int_equal(told(&g, "held_handles"), 1);
			assert_null(dev_poll(g.dev, cut_ns + 2000000000u));
			assert_int_equal(told(&g, "held_handles"), 0);
		}
		check(&g);
		rig_close(&g);
	}
}

/* What was right when a call on names began may be wrong when it ends: the terminated worker's ended meanwhile. */
static void calls_on_names_are_judged_again_when_they_end(void **state)
{
	static const struct {
		enum dev_op late, op;
		int status;
	} cases[] = {{DEV_FILE_REMOVE, DEV_FILE_MOVE, PL_FILE_STATE}, {DEV_FILE_REMOVE, DEV_FILE_REMOVE, PL_FILE_STATE},
		{DEV_FILE_OPEN, DEV_FILE_OPEN, PL_LOCKED}, {DEV_FILE_REMOVE, DEV_FILE_OPEN, PL_OK}};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(cases); i++)
		for (int cut = 0; cut < 2 * 8; cut++) {
			struct rig g;
			open_blocks(&g, MIB, B, true, (const char *const[]){"sim_opfs.files", "2", NULL});
			uint64_t half = g.dev->caps.file_blocks;
			assert_int_equal(ends(&g, DEV_FILE_CLOSE, 0), PL_OK);
			assert_int_equal(ends(&g, DEV_FILE_CLOSE, half), PL_OK);
			struct dev_req late = {.op = cases[i].late}, r = {.op = cases[i].op, .result_block = half};
			assert_int_equal(rig_submit(&g, &late), PL_OK);
			g.now_ns += 1000;
			assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_WORKER, 1), PL_OK);
			g.now_ns += 100000; /* before that call ends; this one ends after it */
			assert_int_equal(rig_submit(&g, &r), PL_OK);
			if (cut % 2 == 0) {
				assert_ptr_equal(rig_wait(&g), &r);
				assert_int_equal(r.status, cases[i].status);
				assert_int_equal(told(&g, "refused_calls"), cases[i].status != PL_OK);
			} else { /* both are cut: whichever has happened, the device goes on */
				assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_POWER, (uint64_t)cut), PL_OK);
			}
			assert_true(told(&g, "handles") + told(&g, "held_handles") <= 1);
			check(&g);
			rig_close(&g);
		}
}

/* A terminated worker's request that was under way begins anew behind those of one terminated before, and counts once. */
static void requests_of_two_terminated_workers_count_once(void **state)
{
	struct rig g;
	(void)state;
	open_blocks(&g, MIB, B, true, (const char *const[]){"sim_opfs.handle", "readwrite-unsafe", NULL});
	for (uint64_t i = 0; i < 2; i++) {
		struct dev_req r = {.op = DEV_WRITE, .block = i, .blocks = 1};
		assert_int_equal(rig_submit(&g, &r), PL_OK);
		g.now_ns += 1000;
		assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_WORKER, 1), PL_OK);
	}
	assert_null(dev_poll(g.dev, g.now_ns + 1000000000u));
	assert_int_equal(told(&g, "write_calls"), 2);
	assert_int_equal(g.dev->stats.host_writes[DEV_TAG_LEAF], 2);
	assert_int_equal(g.dev->stats.host_write_bytes[DEV_TAG_LEAF], 2 * B);
	rig_close(&g);
}

/* Two workers on an unsafe handle: the old one's late write falls over the new one's. */
static void late_writes_overwrite_unsafe_ones(void **state)
{
	(void)state;
	struct rig g;
	open_blocks(&g, 64 * MIB, B, false, (const char *const[]){"sim_opfs.handle", "readwrite-unsafe", NULL});
	put(&g, 0, 1, 1);
	struct dev_req sync = {.op = DEV_SYNC}, r[64];
	uint8_t *data = malloc(B);
	memcpy(data, stamped(10, 1), B);
	assert_int_equal(rig_submit(&g, &sync), PL_OK);
	for (int i = 0; i < 64; i++) {
		r[i] = (struct dev_req){.op = DEV_WRITE, .block = 0, .blocks = 1, .buf = data};
		assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
	}
	assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_WORKER, 1), PL_OK);
	free(data);
	assert_int_equal(holds(&g, 0), 1);
	put(&g, 0, 1, 20); /* opens first: 1.5 ms */
	assert_int_equal(holds(&g, 0), 20);
	assert_int_equal(rig_do(&g, DEV_READ, 0, 1, buf2), PL_OK);
	assert_null(dev_poll(g.dev, g.now_ns + 100000)); /* the old worker's 64 writes take 2.2 ms */
	assert_int_equal(holds(&g, 0), 10);
	struct dev *copy; /* also that worker is cloned */
	assert_int_equal(dev_clone(g.dev, &copy), PL_OK);
	assert_int_equal(opfs_of(copy)->old.first != NULL, opfs_of(g.dev)->old.first != NULL);
	dev_close(copy);
	check(&g);
	rig_close(&g);
}

/* What a kill may leave of one large overwrite, and of the calls before and after it. Folios of two blocks. */
static void killed_processes_tear_by_folios(void **state)
{
	(void)state;
	enum { SEEDS = 4000, PARTS = 4 };
	static const uint8_t part_of_block[9] = {0, 0, 1, 1, 2, 2, 3, 0, 0};
	uint64_t seen[1 << PARTS] = {0}, after = 0, beginnings = 0;
	struct rig g;
	open_blocks(&g, MIB, B, false, (const char *const[]){"sim_opfs.folio_bytes", "8k", NULL});
	put(&g, 0, 9, 1);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig k = {.now_ns = g.now_ns};
		assert_int_equal(dev_clone(g.dev, &k.dev), PL_OK);
		stamped(2, 6);
		struct dev_req before = {.op = DEV_WRITE, .block = 8, .blocks = 1, .buf = buf};
		/* blocks 1..6: the second half of a folio, two folios, the first half of one */
		struct dev_req torn = {.op = DEV_WRITE, .block = 1, .blocks = 6, .buf = buf};
		struct dev_req last = {.op = DEV_WRITE, .block = 0, .blocks = 1, .buf = buf};
		assert_int_equal(rig_submit(&k, &before), PL_OK);
		assert_int_equal(rig_submit(&k, &torn), PL_OK);
		assert_int_equal(rig_submit(&k, &last), PL_OK);
		k.now_ns = dev_next_ns(k.dev) + 1;
		assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, DEV_CUT_PROCESS, seed), PL_OK);
		unsigned mask = 0;
		for (uint64_t block = 1; block < 7; block++)
			mask |= holds(&k, block) == 2 ? 1u << part_of_block[block] : 0;
		for (uint64_t block = 1; block < 7; block++)
			assert_int_equal(holds(&k, block), mask >> part_of_block[block] & 1 ? 2 : 1);
		assert_int_equal(holds(&k, 8), 2); /* completed before */
		assert_int_equal(holds(&k, 7), 1); /* not written */
		if (holds(&k, 0) == 2) { /* only after the whole of the one before it */
			assert_int_equal(mask, (1u << PARTS) - 1);
			after++;
		}
		seen[mask]++;
		beginnings += (mask & (mask + 1)) == 0;
		assert_int_equal(told(&k, "handles"), 0);
		check(&k);
		dev_close(k.dev);
	}
	for (unsigned mask = 0; mask < 1u << PARTS; mask++)
		if (!seen[mask])
			fail_msg("of %d kills none left parts %x", SEEDS, mask);
	assert_in_range(beginnings, SEEDS * 3 / 4, SEEDS * 95 / 100);
	assert_in_range(after, SEEDS / 20, SEEDS / 3); /* a renderer that survived its browser for a while */
	rig_close(&g);
}

static void killed_processes_keep_small_writes_and_names_whole(void **state)
{
	(void)state;
	uint64_t wrote[2] = {0}, cut_short[2] = {0}, made[2] = {0};
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct rig g;
		open_blocks(&g, 4 * MIB, B, false,
			(const char *const[]){"sim_opfs.files", "2", "sim_opfs.fresh", "1", NULL});
		const uint64_t f = g.dev->caps.file_blocks;
		assert_int_equal(ends(&g, DEV_FILE_OPEN, 0), PL_OK);
		put(&g, 0, 16, 1);
		struct dev_req r = {.op = DEV_WRITE, .block = 8, .blocks = 16, .buf = stamped(2, 16)};
		if (seed % 3 == 1)
			r = (struct dev_req){.op = DEV_TRUNCATE, .block = 4};
		if (seed % 3 == 2)
			r = (struct dev_req){.op = DEV_FILE_OPEN, .block = f};
		assert_int_equal(rig_submit(&g, &r), PL_OK);
		g.now_ns++;
		assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_PROCESS, seed), PL_OK);
		for (uint64_t i = 0; i < 4; i++)
			assert_int_equal(holds(&g, i), 1);
		uint64_t now = holds(&g, 8), size = told(&g, "logical_bytes");
		if (seed % 3 == 0) {
			assert_int_equal(size, (now == 2 ? 24 : 16) * B);
			for (uint64_t i = 8; i < 24; i++)
				assert_int_equal(holds(&g, i), now == 2 ? 2 : i < 16 ? 1 : 0);
			wrote[now == 2]++;
		} else if (seed % 3 == 1) {
			assert_true(size == 4 * B || size == 16 * B);
			cut_short[size == 4 * B]++;
		} else {
			made[told(&g, "existing_files") - 1]++;
		}
		/* nothing of it is flushed: a power cut may still take it all */
		assert_true(told(&g, "dirty_bytes") > 0);
		assert_int_equal(ends(&g, DEV_FILE_OPEN, 0), PL_OK); /* at once */
		check(&g);
		rig_close(&g);
	}
	for (int i = 0; i < 2; i++)
		assert_true(wrote[i] && cut_short[i] && made[i]);
}

/* Three granules, three versions each: all 27 states, and no other. */
static void power_cuts_take_any_unflushed_granules(void **state)
{
	(void)state;
	uint64_t seen[27] = {0};
	struct rig g;
	open_blocks(&g, MIB, B, false, NULL);
	put(&g, 0, 3, 1);
	put(&g, 10, 1, 1);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	put(&g, 0, 3, 2);
	put(&g, 0, 3, 3);
	for (uint64_t seed = 0; seed < 4000; seed++) {
		struct rig k = {.now_ns = g.now_ns};
		assert_int_equal(dev_clone(g.dev, &k.dev), PL_OK);
		assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, DEV_CUT_POWER, seed), PL_OK);
		uint64_t state_number = 0;
		for (uint64_t i = 0; i < 3; i++) {
			uint64_t v = holds(&k, i);
			assert_in_range(v, 1, 3);
			state_number = state_number * 3 + v - 1;
		}
		seen[state_number]++;
		assert_int_equal(holds(&k, 10), 1);
		/* what is left is durable */
		assert_int_equal(told(&k, "dirty_bytes"), 0);
		uint64_t first = holds(&k, 0);
		assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, DEV_CUT_POWER, seed + 1), PL_OK);
		assert_int_equal(holds(&k, 0), first);
		check(&k);
		dev_close(k.dev);
	}
	for (int i = 0; i < 27; i++)
		if (!seen[i])
			fail_msg("state %d never came", i);
	assert_true(seen[0] > 400 && seen[26] > 400); /* nothing and everything are likely, too */
	assert_int_equal(holds(&g, 0), 3);
	rig_close(&g);
}

static void power_cuts_shorten_growth(void **state)
{
	(void)state;
	uint64_t seen[9] = {0}, hole = 0, torn = 0;
	struct rig g;
	open_blocks(&g, MIB, B, false, NULL);
	put(&g, 0, 4, 1);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	put(&g, 4, 2, 2);
	struct dev_req r = {.op = DEV_WRITE, .block = 6, .blocks = 2, .buf = stamped(3, 2)};
	for (uint64_t seed = 0; seed < 3000; seed++) {
		struct rig k = {.now_ns = g.now_ns};
		assert_int_equal(dev_clone(g.dev, &k.dev), PL_OK);
		assert_int_equal(rig_submit(&k, &r), PL_OK); /* in flight */
		k.now_ns++;
		assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, DEV_CUT_POWER, seed), PL_OK);
		uint64_t size = told(&k, "logical_bytes") / B, stored = 0;
		assert_in_range(size, 4, 8);
		seen[size]++;
		for (uint64_t i = 0; i < 10; i++) {
			uint64_t v = holds(&k, i), want = i < 4 ? 1 : i < 6 ? 2 : 3;
			assert_true(v == want || (v == 0 && i >= 4));
			assert_true(v == 0 || i < size);
			stored += v != 0;
			hole += v == 0 && i + 1 < size;
		}
		torn += (holds(&k, 6) == 3) != (holds(&k, 7) == 3);
		assert_int_equal(told(&k, "stored_bytes"), stored * B);
		check(&k);
		dev_close(k.dev);
	}
	for (int i = 4; i < 9; i++)
		assert_true(seen[i]);
	assert_true(hole && torn);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	assert_int_equal(ends(&g, DEV_TRUNCATE, 100), PL_OK); /* a size alone is flushed, too */
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	for (uint64_t seed = 0; seed < 20; seed++) {
		assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_POWER, seed), PL_OK);
		assert_int_equal(told(&g, "logical_bytes"), 100 * B);
	}
	rig_close(&g);
}

/* An unflushed truncation and what was written after it. */
static void power_cuts_undo_truncations_whole(void **state)
{
	(void)state;
	uint64_t undone = 0, done[8] = {0}, rewritten = 0, kept_below = 0, lost_below = 0;
	struct rig g;
	open_blocks(&g, MIB, B, false, NULL);
	put(&g, 0, 8, 1);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	put(&g, 6, 1, 2); /* lost with what follows, or with the power */
	assert_int_equal(ends(&g, DEV_TRUNCATE, 4), PL_OK);
	put(&g, 0, 1, 4);
	put(&g, 5, 1, 3);
	for (uint64_t seed = 0; seed < 3000; seed++) {
		struct rig k = {.now_ns = g.now_ns};
		assert_int_equal(dev_clone(g.dev, &k.dev), PL_OK);
		assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, DEV_CUT_POWER, seed), PL_OK);
		uint64_t size = told(&k, "logical_bytes") / B;
		for (uint64_t i = 1; i < 4; i++)
			assert_int_equal(holds(&k, i), 1);
		*(holds(&k, 0) == 4 ? &kept_below : &lost_below) += 1;
		assert_true(holds(&k, 0) == 4 || holds(&k, 0) == 1);
		if (size == 8) {
			for (uint64_t i = 4; i < 8; i++)
				assert_int_equal(holds(&k, i), 1);
			undone++;
		} else {
			assert_in_range(size, 4, 6);
			done[size]++;
			for (uint64_t i = 4; i < 8; i++)
				assert_true(holds(&k, i) == 0 || (i == 5 && size == 6 && holds(&k, i) == 3));
			rewritten += holds(&k, 5) == 3;
		}
		check(&k);
		dev_close(k.dev);
	}
	assert_true(undone && done[4] && done[5] && done[6] && rewritten && rewritten < done[6] + 1);
	assert_true(kept_below && lost_below);
	rig_close(&g);
}

/* The same inside one granule of eight blocks: what was cut off never comes back without the rest. */
static void power_cuts_keep_cut_tails_away(void **state)
{
	(void)state;
	uint64_t undone = 0, regrown = 0, lost = 0;
	struct rig g;
	open_blocks(&g, MIB, 512, false, NULL);
	put(&g, 0, 8, 1);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	assert_int_equal(ends(&g, DEV_TRUNCATE, 4), PL_OK);
	put(&g, 6, 1, 2);
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct rig k = {.now_ns = g.now_ns};
		assert_int_equal(dev_clone(g.dev, &k.dev), PL_OK);
		assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, DEV_CUT_POWER, seed), PL_OK);
		uint64_t size = told(&k, "logical_bytes") / 512;
		bool back = size == 8;
		assert_true(back || size == 4 || size == 7);
		for (uint64_t i = 0; i < 4; i++)
			assert_int_equal(holds(&k, i), 1);
		for (uint64_t i = 4; i < 8; i++)
			assert_true(holds(&k, i) == back || (i == 6 && size == 7 && holds(&k, i) == 2));
		undone += back;
		regrown += holds(&k, 6) == 2;
		lost += size == 7 && holds(&k, 6) == 0;
		check(&k);
		dev_close(k.dev);
	}
	assert_true(undone && regrown && lost);
	rig_close(&g);
}

/* Bits: file 1 made and flushed; moved over file 0; file 2 made; file 3 removed. Always a beginning of these. */
static void power_cuts_undo_names(void **state)
{
	(void)state;
	enum { CHANGES = 4 };
	uint64_t seen[CHANGES + 1] = {0};
	struct rig g;
	open_blocks(&g, MIB, B, false, (const char *const[]){"sim_opfs.files", "4", "sim_opfs.fresh", "1", NULL});
	const uint64_t f = g.dev->caps.file_blocks;
	assert_int_equal(ends(&g, DEV_FILE_OPEN, 0), PL_OK);
	assert_int_equal(ends(&g, DEV_FILE_OPEN, 3 * f), PL_OK);
	put(&g, 0, 1, 100);
	put(&g, 3 * f, 1, 103);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	assert_int_equal(told(&g, "undurable_name_changes"), 2);
	g.now_ns += 35000000000u;
	assert_null(dev_poll(g.dev, g.now_ns));
	assert_int_equal(told(&g, "undurable_name_changes"), 0);
	assert_int_equal(ends(&g, DEV_FILE_CLOSE, 0), PL_OK);
	assert_int_equal(ends(&g, DEV_FILE_CLOSE, 3 * f), PL_OK);
	assert_int_equal(ends(&g, DEV_FILE_OPEN, f), PL_OK);
	put(&g, f, 1, 101);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	assert_int_equal(ends(&g, DEV_FILE_CLOSE, f), PL_OK);
	assert_int_equal(moves(&g, f, 0), PL_OK);
	assert_int_equal(ends(&g, DEV_FILE_OPEN, 2 * f), PL_OK);
	assert_int_equal(ends(&g, DEV_FILE_REMOVE, 3 * f), PL_OK);
	assert_int_equal(told(&g, "undurable_name_changes"), CHANGES);
	for (uint64_t seed = 0; seed < 600; seed++) {
		struct rig k = {.now_ns = g.now_ns};
		assert_int_equal(dev_clone(g.dev, &k.dev), PL_OK);
		bool late = seed >= 500;
		if (late)
			k.now_ns += 35000000000u;
		enum dev_cut cut = seed % 10 == 9 ? DEV_CUT_PROCESS : DEV_CUT_POWER;
		assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, cut, seed), PL_OK);
		uint64_t files = told(&k, "existing_files"), zero = holds(&k, 0), one = holds(&k, f);
		bool removed = holds(&k, 3 * f) == 0;
		/* durable names 0, 3 | + 1 | 1 over 0 | + 2 | - 3 */
		unsigned kept = zero == 100 ? (one == 101 ? 1 : 0) : removed ? 4 : files == 3 ? 3 : 2;
		static const uint64_t existing[CHANGES + 1] = {2, 3, 2, 3, 2};
		assert_int_equal(files, existing[kept]);
		assert_int_equal(zero, kept < 2 ? 100 : 101);
		assert_int_equal(one, kept == 1 ? 101 : 0);
		assert_int_equal(holds(&k, 3 * f), kept < 4 ? 103 : 0);
		assert_true(!late || kept == CHANGES);
		assert_true(cut != DEV_CUT_PROCESS || kept == CHANGES);
		seen[kept]++;
		check(&k);
		dev_close(k.dev);
	}
	for (int i = 0; i <= CHANGES; i++)
		assert_true(seen[i]);
	rig_close(&g);
}

static void eviction_leaves_nothing(void **state)
{
	(void)state;
	struct rig g;
	open_blocks(&g, MIB, B, false, (const char *const[]){"sim_opfs.files", "2", NULL});
	put(&g, 0, 8, 1);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_EVICT, 1), PL_OK);
	assert_int_equal(told(&g, "existing_files"), 0);
	assert_int_equal(told(&g, "stored_bytes"), 0);
	assert_int_equal(told(&g, "quota_charged_bytes"), 0);
	assert_int_equal(holds(&g, 0), 0);
	check(&g);
	/* The next host makes its files again, and pays for it; their names are not durable yet. */
	assert_int_equal(rig_latency(&g, DEV_READ, 0, 1, buf), 728000 + 1043000 + 2100);
	put(&g, 0, 1, 2);
	assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
	uint64_t there = 0;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct rig k = {.now_ns = g.now_ns};
		assert_int_equal(dev_clone(g.dev, &k.dev), PL_OK);
		assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, DEV_CUT_POWER, seed), PL_OK);
		there += told(&k, "existing_files");
		assert_int_equal(holds(&k, 0), told(&k, "existing_files") ? 2 : 0);
		dev_close(k.dev);
	}
	assert_in_range(there, 1, 49);
	assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUTS, 1), PL_UNSUPPORTED);
	rig_close(&g);
}

/* ---- random calls against a model ---- */

#define MODEL_BLOCKS 96u /* of 512 bytes, in 3 files */

struct expected {
	uint64_t value[MODEL_BLOCKS], size[3]; /* blocks */
};

static void expected_compare(struct rig *g, const struct expected *m)
{
	static uint8_t all[MODEL_BLOCKS * 512];
	uint64_t logical = 0;
	assert_int_equal(opfs_inside.peek(g->dev, 0, MODEL_BLOCKS, all), PL_OK);
	for (uint32_t i = 0; i < MODEL_BLOCKS; i++)
		for (uint32_t k = 0; k < 512; k += 8) {
			uint64_t v;
			memcpy(&v, all + (size_t)i * 512 + k, 8);
			assert_int_equal(v, m->value[i]);
		}
	for (int i = 0; i < 3; i++)
		logical += m->size[i] * 512;
	assert_int_equal(told(g, "logical_bytes"), logical);
	check(g);
}

/* Blocks smaller than the granule, so that its parts matter. */
static void random_calls_agree_with_a_model(void **state)
{
	(void)state;
	struct rig g;
	struct pl_rng rng;
	pl_rng_seed(&rng, 3, 3);
	open_blocks(&g, MODEL_BLOCKS * 512, 512, false,
		(const char *const[]){"sim_opfs.files", "3", "sim_opfs.cache_bytes", "16k", NULL});
	assert_int_equal(g.dev->caps.file_blocks, 32);
	assert_int_equal(g.dev->caps.atomic_blocks, 8);
	struct expected m = {0};
	for (uint64_t op = 1; op <= 6000; op++) {
		uint64_t at = pl_rng_below(&rng, MODEL_BLOCKS), dice = pl_rng_below(&rng, 100), file = at / 32;
		uint32_t n = 1 + (uint32_t)pl_rng_below(&rng, pl_min64(12, MODEL_BLOCKS - at));
		if (dice < 60) { /* may go over into the next file */
			assert_int_equal(rig_do(&g, DEV_WRITE, at, n, stamped(op, 2)), PL_OK);
			for (uint64_t i = at; i < at + n; i++) {
				m.value[i] = op;
				m.size[i / 32] = pl_max64(m.size[i / 32], i % 32 + 1);
			}
		} else if (dice < 75) {
			assert_int_equal(ends(&g, DEV_TRUNCATE, at), PL_OK);
			m.size[file] = at % 32;
			for (uint64_t i = at; i < file * 32 + 32; i++)
				m.value[i] = 0;
		} else if (dice < 90) {
			assert_int_equal(rig_do(&g, DEV_READ, at, n, buf2), PL_OK);
			for (uint32_t i = 0; i < n; i++)
				assert_memory_equal(buf2 + (size_t)i * 512, &m.value[at + i], 8);
		} else if (dice < 95) {
			assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
		} else if (dice < 97) {
			uint64_t to = (file + 1 + pl_rng_below(&rng, 2)) % 3;
			assert_int_equal(ends(&g, DEV_FILE_CLOSE, file * 32), PL_OK);
			assert_int_equal(ends(&g, DEV_FILE_CLOSE, to * 32), PL_OK);
			assert_int_equal(moves(&g, file * 32, to * 32), PL_OK);
			assert_int_equal(ends(&g, DEV_FILE_OPEN, file * 32), PL_OK);
			assert_int_equal(ends(&g, DEV_FILE_OPEN, to * 32), PL_OK);
			memcpy(&m.value[to * 32], &m.value[file * 32], 32 * 8);
			memset(&m.value[file * 32], 0, 32 * 8);
			m.size[to] = m.size[file];
			m.size[file] = 0;
		} else if (dice < 98) {
			enum dev_cut cut = op & 1 ? DEV_CUT_PROCESS : DEV_CUT_WORKER;
			assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, cut, op), PL_OK); /* nothing in flight */
			g.now_ns += 2000000000;
			for (uint64_t f = 0; f < 3; f++)
				assert_int_equal(rig_do(&g, DEV_READ, f * 32, 1, buf2), PL_OK); /* opens */
		} else {
			bool hole = pl_rng_below(&rng, 2);
			assert_int_equal(opfs_inside.poke(g.dev, at, n, hole ? NULL : stamped(op, 2)), PL_OK);
			for (uint64_t i = at; i < at + n; i++) {
				m.value[i] = hole ? 0 : op;
				if (!hole)
					m.size[i / 32] = pl_max64(m.size[i / 32], i % 32 + 1);
			}
		}
		expected_compare(&g, &m);
	}
	rig_close(&g);
}

/* Every state that power cuts leave of random calls consists of values that were there since the last flush. */
static void leave_only_what_was_written(uint32_t block_bytes)
{
	enum { N = 16, VERSIONS = 64 };
	struct rig g;
	struct pl_rng rng;
	uint64_t durable[N] = {0}, newest[N] = {0}, version[N][VERSIONS], versions[N] = {0}, next = 1;
	uint64_t as_durable = 0, as_newest = 0, as_between = 0, as_zero = 0;
	bool zero[N] = {false}; /* a hole may show: truncated, or behind a lost end */
	pl_rng_seed(&rng, 4, 4);
	open_blocks(&g, (uint64_t)N * block_bytes, block_bytes, false, NULL);
	for (int round = 0; round < 30000; round++) {
		uint64_t at = pl_rng_below(&rng, N), dice = pl_rng_below(&rng, 100);
		if (dice < 60) {
			uint32_t n = 1 + (uint32_t)pl_rng_below(&rng, pl_min64(3, N - at));
			put(&g, at, n, next);
			for (uint64_t i = at; i < at + n; i++) {
				zero[i] |= durable[i] == 0;
				newest[i] = next;
				if (versions[i] < VERSIONS)
					version[i][versions[i]++] = next;
			}
			next++;
		} else if (dice < 65) {
			assert_int_equal(ends(&g, DEV_TRUNCATE, at), PL_OK);
			for (uint64_t i = at; i < N; i++) {
				newest[i] = 0;
				zero[i] = true;
			}
		} else if (dice < 75) {
			assert_int_equal(ends(&g, DEV_SYNC, 0), PL_OK);
			for (uint64_t i = 0; i < N; i++) {
				durable[i] = newest[i];
				versions[i] = 0;
				zero[i] = false;
			}
		} else if (dice < 82) {
			assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_POWER, pl_rng_next(&rng)), PL_OK);
			check(&g);
			for (uint64_t i = 0; i < N; i++) {
				uint64_t v = holds(&g, i);
				bool known = v == durable[i] || v == newest[i] || (v == 0 && zero[i]), between = false;
				for (uint64_t k = 0; k < versions[i]; k++)
					between |= v == version[i][k];
				if (!known && !between && versions[i] < VERSIONS)
					fail_msg("round %d, block %llu: %llu was not there since the last flush", round,
						(unsigned long long)i, (unsigned long long)v);
				as_durable += v == durable[i] && v != newest[i];
				as_newest += v == newest[i] && v != durable[i];
				as_between += !known && between;
				as_zero += v == 0 && durable[i] && newest[i];
				durable[i] = newest[i] = v;
				versions[i] = 0;
				zero[i] = false;
			}
		}
	}
	assert_true(as_durable > 100 && as_newest > 100 && as_between > 100 && as_zero > 10);
	rig_close(&g);
}

static void power_cuts_leave_only_what_was_written(void **state)
{
	(void)state;
	leave_only_what_was_written(4096);
	leave_only_what_was_written(512); /* blocks smaller than the granule */
}

/* ---- copies, bytes or none, sizes ---- */

static uint64_t digest_of(struct rig *g)
{
	uint64_t d = 0;
	static uint8_t all[CAPACITY];
	if (!g->dev->caps.contentless) {
		assert_int_equal(opfs_inside.peek(g->dev, 0, CAPACITY / B, all), PL_OK);
		for (size_t i = 0; i < sizeof all; i += 8) {
			uint64_t v;
			memcpy(&v, all + i, 8);
			d = pl_mix64(d ^ v);
		}
	}
	return d;
}

static void described(void *arg, const char *key, uint64_t value)
{
	uint64_t *d = arg;
	for (; *key; key++)
		*d = *d * 31 + (uint8_t)*key;
	*d = pl_mix64(*d ^ value);
}

static void clones_go_on_alike_and_apart(void **state)
{
	(void)state;
	struct rig g, k;
	open_blocks(&g, CAPACITY, B, false,
		(const char *const[]){"sim_opfs.files", "4", "sim_opfs.cache_bytes", "256k",
			"sim_opfs.flush_tail_permille", "300", NULL});
	(void)storm(&g, 1, true);
	assert_int_equal(ends(&g, DEV_FILE_CLOSE, 0), PL_OK);
	assert_int_equal(ends(&g, DEV_FILE_REMOVE, 0), PL_OK);
	assert_int_equal(ends(&g, DEV_FILE_OPEN, 0), PL_OK);
	for (uint32_t i = 0; i < 64; i++) { /* versions between */
		put(&g, i % 8, 1, i);
	}
	struct dev_req r = {.op = DEV_READ, .block = 0, .blocks = 1, .buf = buf};
	assert_int_equal(rig_submit(&g, &r), PL_OK);
	struct dev *copy;
	assert_int_equal(dev_clone(g.dev, &copy), PL_AGAIN);
	assert_ptr_equal(rig_wait(&g), &r);
	assert_int_equal(dev_clone(g.dev, &copy), PL_OK);
	k = (struct rig){.dev = copy, .now_ns = g.now_ns};
	uint64_t d[2] = {0, 0}, before = digest_of(&g);
	assert_int_equal(digest_of(&k), before);
	uint64_t storm_digest = storm(&k, 9, true), after = digest_of(&k);
	assert_int_not_equal(after, before);
	assert_int_equal(digest_of(&g), before); /* apart */
	assert_int_equal(storm(&g, 9, true), storm_digest);
	assert_int_equal(digest_of(&g), after);
	for (uint32_t i = 0; i < 64; i++) {
		put(&g, i % 8, 1, i);
		put(&k, i % 8, 1, i);
	}
	dev_close(copy); /* in the middle of the versions between */
	assert_int_equal(dev_clone(g.dev, &copy), PL_OK);
	k.dev = copy;
	for (uint32_t i = 0; i < 64; i++) {
		put(&g, i % 8, 1, 100 + i);
		put(&k, i % 8, 1, 100 + i);
	}
	dev_describe(g.dev, described, &d[0]);
	dev_describe(k.dev, described, &d[1]);
	assert_int_equal(d[0], d[1]);
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct rig cut[2] = {{.now_ns = g.now_ns}, {.now_ns = k.now_ns}};
		assert_int_equal(dev_clone(g.dev, &cut[0].dev), PL_OK);
		assert_int_equal(dev_clone(k.dev, &cut[1].dev), PL_OK);
		for (int i = 0; i < 2; i++)
			assert_int_equal(opfs_inside.cut(cut[i].dev, cut[i].now_ns, DEV_CUT_POWER, seed), PL_OK);
		assert_int_equal(digest_of(&cut[0]), digest_of(&cut[1]));
		dev_close(cut[0].dev);
		dev_close(cut[1].dev);
	}
	assert_int_equal(opfs_inside.cut(g.dev, g.now_ns, DEV_CUT_POWER, 77), PL_OK);
	assert_int_equal(opfs_inside.cut(k.dev, k.now_ns, DEV_CUT_POWER, 77), PL_OK);
	assert_int_equal(digest_of(&g), digest_of(&k));
	check(&g);
	check(&k);
	dev_close(copy);
	rig_close(&g);
}

static void bytes_make_no_difference_in_time(void **state)
{
	(void)state;
	uint64_t digest[2], d[2] = {0, 0};
	for (int i = 0; i < 2; i++) {
		struct rig g;
		open_blocks(&g, CAPACITY, B, i == 1, (const char *const[]){"sim_opfs.files", "5", NULL});
		digest[i] = storm(&g, 5, true);
		dev_describe(g.dev, described, &d[i]);
		check(&g);
		rig_close(&g);
	}
	assert_int_equal(digest[0], digest[1]);
	assert_int_equal(d[0], d[1]);
}

static void large_devices_cost_nothing_until_written(void **state)
{
	(void)state;
	for (int contentless = 0; contentless < 2; contentless++) {
		struct rig g;
		struct dev *copy;
		const uint64_t blocks = ((uint64_t)1 << 40) / B;
		open_blocks(&g, (uint64_t)1 << 40, B, contentless,
			(const char *const[]){"sim_opfs.quota_bytes", "0", NULL});
		assert_int_equal(g.dev->caps.capacity_blocks, blocks);
		assert_int_equal(g.dev->caps.file_blocks, blocks);
		assert_int_equal(rig_do(&g, DEV_WRITE, blocks - 1, 1, stamped(7, 1)), PL_OK);
		assert_int_equal(told(&g, "stored_bytes"), B);
		assert_int_equal(dev_clone(g.dev, &copy), PL_OK);
		assert_int_equal(ends(&g, DEV_TRUNCATE, 0), PL_OK);
		assert_int_equal(told(&g, "stored_bytes"), 0);
		dev_close(g.dev);
		g.dev = copy;
		assert_int_equal(told(&g, "stored_bytes"), B);
		if (!contentless)
			assert_int_equal(holds(&g, blocks - 1), 7);
		rig_close(&g);
	}
}

static void contradictions_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{"sim_opfs.host_block_bytes", "5000", "power of two"},
		{"sim_opfs.folio_bytes", "6000", "multiple of the block"},
		{"sim_opfs.files", "1025", "too small for sim_opfs.files = 1025"},
		{"sim_opfs.files", "1024", NULL},
		{"sim_opfs.max_handles", "1", "sim_opfs.fresh = 1"},
	};
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct rig g;
		struct pl_fault f = {0};
		const char *settings[] = {cases[i].key, cases[i].value, "sim_opfs.files", "2", NULL};
		if (strcmp(cases[i].key, "sim_opfs.files") == 0)
			settings[2] = NULL;
		int err = rig_try(&g, &opfs_inside, CAPACITY, settings, &f);
		assert_int_equal(err, cases[i].says ? PL_INVALID : PL_OK);
		if (cases[i].says && !strstr(f.text, cases[i].says))
			fail_msg("'%s' does not say '%s'", f.text, cases[i].says);
		rig_close(&g);
	}
}

/* ---- a store on it ---- */

/* Every operation has waited until it was durable; what is in flight besides is the engine's own. */
static void live_and_be_cut(const struct kv_choice *c, enum dev_cut cut, uint64_t seed)
{
	static const struct model_mix mix = {.put = 170, .update = 16, .rmw = 16, .erase = 24};
	struct model_lab lab;
	struct model_client client;
	struct model model = {0};
	struct model_content content;
	struct pl_fault f = {0};
	struct pl_ctx x = {.simulated = true};
	struct pl_rng rng;
	struct dev *d;
	struct kv *kv;
	char name[200];
	model_lab_init(&lab, c, false);
	model_client_init(&client, &lab.form);
	pl_rng_seed(&rng, seed, 5);
	assert_int_equal(model_lab_device(&lab, c, seed, NULL, &d, &f), PL_OK);
	assert_int_equal(kv_format(c, &lab.conf, seed, d, &x, &f), PL_OK);
	for (int life = 0; life < 6; life++) {
		int err = kv_open(c, &lab.conf, d, &x, &kv, &f);
		if (err)
			fail_msg("%s, life %d: %s", model_product_name(c, name), life, f.text);
		assert_int_equal(model_content(kv, &x, &lab.form, &content), PL_OK);
		if (content.hash != model.hash || content.count != model.count)
			fail_msg("%s, life %d, cut %d: other content", model_product_name(c, name), life, (int)cut);
		for (uint64_t n = 10 + pl_rng_below(&rng, 80); n > 0; n--) {
			struct model_act a = model_draw(&lab.form, &mix, &rng);
			bool replaced;
			a.no_wait = false;
			int got = model_do(&client, kv, &x, &a), want = model_perform(&model, &lab.form, &a, &replaced);
			assert_int_equal(got, want);
		}
		assert_int_equal(d->ops->cut(d, x.now_ns, cut, pl_rng_next(&rng)), PL_OK);
		kv_abandon(kv);
		x.now_ns += cut == DEV_CUT_WORKER ? 2000000000u : 0;
	}
	model_client_free(&client);
	model_free(&model);
	dev_close(d);
	model_lab_free(&lab);
}

static void stores_survive_every_cut_but_eviction(void **state)
{
	(void)state;
	struct kv_choice c;
	uint64_t products = 0;
	for (size_t i = 0; model_product(&i, &c); i++) {
		if (strcmp(c.device->name, "sim_opfs") != 0 || !c.durability->logs ||
			strcmp(c.node->name, "slotted") != 0)
			continue;
		for (int cut = 0; cut < DEV_CUT_EVICT; cut++)
			live_and_be_cut(&c, (enum dev_cut)cut, products * 3 + (uint64_t)cut);
		products++;
	}
	assert_true(products >= 2);
}

int main(void)
{
#define T(name, function)                                                                                              \
	{                                                                                                              \
		name, function, NULL, NULL, NULL                                                                       \
	}
	const struct CMUnitTest tests[] = {
		T("device.sim_opfs.a_terminated_worker_runs_on", a_terminated_worker_runs_on),
		T("device.sim_opfs.calls_on_names_are_judged_again_when_they_end",
			calls_on_names_are_judged_again_when_they_end),
		T("device.sim_opfs.requests_of_two_terminated_workers_count_once",
			requests_of_two_terminated_workers_count_once),
		T("device.sim_opfs.late_writes_overwrite_unsafe_ones", late_writes_overwrite_unsafe_ones),
		T("device.sim_opfs.killed_processes_tear_by_folios", killed_processes_tear_by_folios),
		T("device.sim_opfs.killed_processes_keep_small_writes_and_names_whole",
			killed_processes_keep_small_writes_and_names_whole),
		T("device.sim_opfs.power_cuts_take_any_unflushed_granules", power_cuts_take_any_unflushed_granules),
		T("device.sim_opfs.power_cuts_shorten_growth", power_cuts_shorten_growth),
		T("device.sim_opfs.power_cuts_undo_truncations_whole", power_cuts_undo_truncations_whole),
		T("device.sim_opfs.power_cuts_keep_cut_tails_away", power_cuts_keep_cut_tails_away),
		T("device.sim_opfs.power_cuts_undo_names", power_cuts_undo_names),
		T("device.sim_opfs.eviction_leaves_nothing", eviction_leaves_nothing),
		T("device.sim_opfs.random_calls_agree_with_a_model", random_calls_agree_with_a_model),
		T("device.sim_opfs.power_cuts_leave_only_what_was_written", power_cuts_leave_only_what_was_written),
		T("device.sim_opfs.clones_go_on_alike_and_apart", clones_go_on_alike_and_apart),
		T("device.sim_opfs.bytes_make_no_difference_in_time", bytes_make_no_difference_in_time),
		T("device.sim_opfs.large_devices_cost_nothing_until_written", large_devices_cost_nothing_until_written),
		T("device.sim_opfs.contradictions_are_refused", contradictions_are_refused),
		T("device.sim_opfs.stores_survive_every_cut_but_eviction", stores_survive_every_cut_but_eviction),
	};
	return cmocka_run_group_tests_name("sim_opfs_cut", tests, NULL, NULL);
}
