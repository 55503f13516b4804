/* sim_ssd_test.c - what sim_ssd claims: its map, its collection against theory, its times by hand, its purity. */
#include "variants/device/sim_ssd_rig.h"

#include <inttypes.h>

static void ssd_mapping_is_a_bijection(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(kinds); i++) {
		struct rig g;
		struct sim_ssd *s = ssd_rig(&g, KIND_BYTES, kinds[i]);
		const uint64_t pages = s->o.geometry.logical_pages;
		struct pl_rng rng;
		pl_rng_seed(&rng, i, 2);
		uint64_t out_of_band = 0;
		for (int round = 0; round < 12; round++) {
			ssd_overwrite(&g, &rng, 1500);
			ssd_check(s);
			assert_int_equal(rig_do(&g, DEV_PUNCH, pl_rng_below(&rng, pages - 32), 32, NULL), PL_OK);
			uint64_t at = pl_rng_below(&rng, pages - 32);
			assert_int_equal(dev_sim_ssd.poke(g.dev, at, 32, buf), PL_OK);
			assert_int_equal(dev_sim_ssd.poke(g.dev, at + 5, 3, NULL), PL_OK);
			uint32_t block[50];
			for (size_t k = 0; k < PL_COUNT(block); k++)
				block[k] = (uint32_t)pl_rng_below(&rng, pages);
			dev_write_untimed(g.dev, block, PL_COUNT(block), (uint32_t)round);
			out_of_band += 32 + PL_COUNT(block);
			ssd_check(s);
			storm(&g, (uint64_t)round, round & 1);
			ssd_check(s);
		}
		assert_int_equal(rig_do(&g, DEV_SYNC, 0, 0, NULL), PL_OK);
		ssd_drain(&g);
		ssd_check(s);
		assert_int_equal(s->buffer_used, 0);
		struct dev_stats st;
		dev_stats(g.dev, &st);
		assert_true(s->ftl.counts.moved_pages > 0);
		assert_int_equal(st.media_write_bytes, sum(st.host_write_bytes) + st.media_moved_bytes);
		assert_int_equal(s->ftl.counts.host_pages, sum(st.host_write_bytes) / B + out_of_band);
		/* nothing is in memory but the units that collection is filling */
		uint32_t in_memory = 0, filling = 0;
		for (size_t k = 0; k < ram_words(s); k++)
			in_memory += (uint32_t)__builtin_popcountll(s->ram[k]);
		for (uint32_t k = 0; k < HEADS; k++)
			if (s->fill[k] != SSD_NONE) {
				const struct ssd_op *o = &s->time.op[s->fill[k]];
				filling += ((o->first + o->pages - 1) >> s->row_shift) - (o->first >> s->row_shift) + 1;
			}
		assert_int_equal(in_memory, filling);
		assert_true(s->partials <= 1);
		rig_close(&g);
	}
}

/* Greedy with blocks of b pages at utilisation u, N -> infinity: all blocks have at least m valid pages, with
 * lambda = (1/(ub) - 1/m) / (H_b - H_m - (b-m)/m) and 0 <= 1 - lambda (b-m) <= lambda; WA = lambda b. */
static double greedy_theory(double u, int b)
{
	for (int m = b - 1; m > 0; m--) {
		double h = 0;
		for (int i = m + 1; i <= b; i++)
			h += 1.0 / i;
		double lambda = (1 / (u * b) - 1.0 / m) / (h - (double)(b - m) / m), rest = 1 - lambda * (b - m);
		if (rest >= 0 && rest <= lambda)
			return lambda * b;
	}
	return 0;
}

static void untimed_overwrite(struct rig *g, struct pl_rng *rng, uint64_t n)
{
	uint32_t block[64];
	for (uint64_t i = 0; i < n; i += PL_COUNT(block)) {
		for (size_t k = 0; k < PL_COUNT(block); k++)
			block[k] = (uint32_t)pl_rng_below(rng, g->dev->caps.capacity_blocks);
		dev_write_untimed(g->dev, block, PL_COUNT(block), 0);
	}
}

static void ssd_write_amplification_is_greedy(void **state)
{
	(void)state;
	/* the closed form against the published table first */
	assert_true(greedy_theory(0.8, 64) > 2.598 && greedy_theory(0.8, 64) < 2.600);
	assert_true(greedy_theory(0.9, 64) > 4.820 && greedy_theory(0.9, 64) < 4.822);
	static const char *const aged[] = {
		ONE_DIE, "sim_ssd.op_permille", "250", "sim_ssd.precondition", "randfill", NULL};
	double wa[2];
	for (int untimed = 0; untimed < 2; untimed++) {
		struct rig g;
		struct sim_ssd *s = ssd_rig(&g, (uint64_t)26214 * B, aged); /* 512 superblocks of 64 pages, u = 0.8 */
		const struct ssd_geometry *geo = &s->o.geometry;
		struct pl_rng rng;
		pl_rng_seed(&rng, 9, 2);
		untimed_overwrite(&g, &rng, 2 * geo->logical_pages);
		ftl_reset_counts(&s->ftl);
		if (untimed)
			untimed_overwrite(&g, &rng, 4 * geo->logical_pages);
		else
			ssd_overwrite(&g, &rng, 4 * geo->logical_pages);
		const struct ftl_counts *c = &s->ftl.counts;
		wa[untimed] = (double)(c->host_pages + c->moved_pages) / (double)c->host_pages;
		/* not usable: gc_low free superblocks, half of each of the two open ones, the victim's gaps */
		double n = geo->supers, u = (double)geo->logical_pages / (n * geo->super_pages);
		double want = greedy_theory(u * n / (n - s->o.gc_low - 1.5), 64);
		print_message("%s write amplification %.4f, greedy theory %.4f\n", untimed ? "untimed" : "timed",
			wa[untimed], want);
		assert_true(wa[untimed] > want * 0.97 && wa[untimed] < want * 1.03);
		rig_close(&g);
	}
	assert_true(wa[0] > wa[1] * 0.99 && wa[0] < wa[1] * 1.01);
}

static void ssd_latency_is_the_sum_of_its_parts(void **state)
{
	(void)state;
	static const char *const four[] = {GEOMETRY("2", "2", "2"), "sim_ssd.op_permille", "250", NULL};
	struct rig g;
	struct sim_ssd *s = ssd_rig(&g, 16u << 20, four);
	const uint64_t unit = 8, command = 8000, tr = 40000, xfer = 5000, program = 400000;
	assert_int_equal(s->o.geometry.unit_pages, unit);
	assert_int_equal(rig_latency(&g, DEV_READ, 0, 1, buf), command); /* unmapped */
	assert_int_equal(rig_latency(&g, DEV_WRITE, 0, 1, buf), 4000);
	assert_int_equal(rig_latency(&g, DEV_READ, 0, 1, buf), command); /* in the buffer */
	assert_int_equal(rig_latency(&g, DEV_SYNC, 0, 0, NULL), xfer + program + 4000);
	assert_int_equal(rig_latency(&g, DEV_READ, 0, 1, buf), command + tr + xfer);
	assert_int_equal(rig_latency(&g, DEV_SYNC, 0, 0, NULL), 4000);
	/* fill the first unit, then whole units: one on each die, all at once */
	assert_int_equal(rig_latency(&g, DEV_WRITE, 1, (uint32_t)unit - 1, buf), 4000);
	ssd_drain(&g);
	assert_int_equal(rig_latency(&g, DEV_READ, 0, (uint32_t)unit, buf), command + tr + unit * xfer);
	for (uint32_t i = 1; i < 8; i++)
		assert_int_equal(rig_do(&g, DEV_WRITE, i * unit, (uint32_t)unit, buf), PL_OK);
	ssd_drain(&g);
	/* two units on two channels: in parallel; on one channel: transfers in a row; on one die: all in a row */
	assert_int_equal(row_of(s, s->ftl.map[unit])->die, 1);
	assert_int_equal(rig_latency(&g, DEV_READ, 0, (uint32_t)unit * 2, buf), command + tr + unit * xfer);
	struct dev_req r[2] = {{.op = DEV_READ, .block = 0, .blocks = (uint32_t)unit, .buf = buf},
		{.op = DEV_READ, .block = 2 * unit, .blocks = (uint32_t)unit, .buf = buf2}};
	uint64_t at = g.now_ns;
	assert_int_equal(rig_submit(&g, &r[0]), PL_OK);
	assert_int_equal(rig_submit(&g, &r[1]), PL_OK);
	assert_ptr_equal(rig_wait(&g), &r[0]);
	assert_ptr_equal(rig_wait(&g), &r[1]);
	assert_int_equal(r[0].done_ns - at, command + tr + unit * xfer);
	assert_int_equal(r[1].done_ns - at, command + tr + 2 * unit * xfer);
	at = g.now_ns;
	r[1].block = 4 * unit; /* die 0 again */
	assert_int_equal(rig_submit(&g, &r[0]), PL_OK);
	assert_int_equal(rig_submit(&g, &r[1]), PL_OK);
	assert_non_null(rig_wait(&g));
	assert_non_null(rig_wait(&g));
	assert_int_equal(r[1].done_ns - at, command + 2 * (tr + unit * xfer));
	rig_close(&g);
}

/* A unit written and synced; the times of its rows. One die, 16 KiB flash pages on two planes: rows of 8 pages. */
static void ssd_page_types_have_their_times(void **state)
{
	(void)state;
	struct rig g;
	static const char *const shot[] = {GEOMETRY("1", "1", "6"), "sim_ssd.cell", "tlc", "sim_ssd.program_mode",
		"oneshot", "sim_ssd.op_permille", "900", "sim_ssd.read_ns", "50us", "sim_ssd.read_2_ns", "60us",
		"sim_ssd.read_3_ns", "80us", "sim_ssd.program_ns", "900us", NULL};
	struct sim_ssd *s = ssd_rig(&g, 4u << 20, shot);
	assert_int_equal(s->o.geometry.unit_pages, 2 * 4 * 3);
	assert_int_equal(s->o.geometry.super_pages, 6 * 2 * 4);
	for (uint32_t unit = 0; unit < 3; unit++) { /* a wordline looks like the one before, also in the next block */
		assert_int_equal(rig_latency(&g, DEV_WRITE, unit * 24, 24, buf), 4000);
		assert_int_equal(rig_latency(&g, DEV_SYNC, 0, 0, NULL), 24 * 5000 + 900000);
		assert_int_equal(rig_latency(&g, DEV_READ, unit * 24 + 3, 1, buf), 8000 + 50000 + 5000);
		assert_int_equal(rig_latency(&g, DEV_READ, unit * 24 + 8, 1, buf), 8000 + 60000 + 5000);
		assert_int_equal(rig_latency(&g, DEV_READ, unit * 24 + 23, 1, buf), 8000 + 80000 + 5000);
		assert_int_equal(rig_latency(&g, DEV_READ, unit * 24 + 6, 4, buf), 8000 + 50000 + 60000 + 4 * 5000);
		assert_int_equal(
			rig_latency(&g, DEV_READ, unit * 24, 24, buf), 8000 + 50000 + 60000 + 80000 + 24 * 5000);
	}
	rig_close(&g);
	static const char *const page[] = {GEOMETRY("1", "2", "2"), "sim_ssd.cell", "mlc", "sim_ssd.op_permille", "900",
		"sim_ssd.read_2_ns", "70us", "sim_ssd.program_2_ns", "900us", NULL};
	(void)ssd_rig(&g, 4u << 20, page);
	for (uint32_t row = 0; row < 8; row++) { /* two dies: the types change every other row */
		bool upper = row / 2 % 2;
		assert_int_equal(rig_latency(&g, DEV_WRITE, row * 8, 8, buf), 4000);
		assert_int_equal(rig_latency(&g, DEV_SYNC, 0, 0, NULL), 8 * 5000 + (upper ? 900000 : 400000));
		assert_int_equal(rig_latency(&g, DEV_READ, row * 8, 1, buf), 8000 + (upper ? 70000 : 40000) + 5000);
	}
	rig_close(&g);
	static const char *const one_plane[] = {GEOMETRY("1", "1", "4"), "sim_ssd.planes", "1", NULL};
	(void)ssd_rig(&g, 4u << 20, one_plane);
	assert_int_equal(rig_latency(&g, DEV_WRITE, 0, 8, buf), 4000);
	assert_int_equal(rig_latency(&g, DEV_SYNC, 0, 0, NULL), 2 * (4 * 5000 + 400000));
	assert_int_equal(rig_latency(&g, DEV_READ, 0, 8, buf), 8000 + 2 * (4 * 5000 + 40000));
	rig_close(&g);
}

static void ssd_link_is_a_queue_each_way(void **state)
{
	(void)state;
	static const char *const link[] = {ONE_DIE, "sim_ssd.link_bytes_per_s", "1000000000", NULL};
	struct rig g;
	(void)ssd_rig(&g, 16u << 20, link);
	const uint64_t page = 4096; /* ns */
	assert_int_equal(rig_latency(&g, DEV_WRITE, 0, 3, buf), 3 * page + 4000);
	assert_int_equal(rig_latency(&g, DEV_READ, 90, 5, buf), 5 * page + 8000);
	struct dev_req r[5] = {{.op = DEV_WRITE, .block = 8, .blocks = 1, .buf = buf},
		{.op = DEV_PUNCH, .block = 8, .blocks = 1}, {.op = DEV_WRITE, .block = 9, .blocks = 2, .buf = buf},
		{.op = DEV_READ, .block = 70, .blocks = 1, .buf = buf2},
		{.op = DEV_READ, .block = 71, .blocks = 1, .buf = buf2}};
	for (int i = 0; i < 5; i++)
		assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
	while (rig_wait(&g))
		;
	const uint64_t want[5] = {page + 4000, page + 4000, 3 * page + 4000, page + 8000, 2 * page + 8000};
	for (int i = 0; i < 5; i++)
		assert_int_equal(r[i].done_ns - r[i].submit_ns, want[i]);
	assert_int_equal(ssd_of(g.dev)->ftl.map[8], FTL_NONE); /* the punch came after the write */
	rig_close(&g);
}

/* Reads of page 0 at times given from the start of a program of a second unit; its transfer ends after 40 us, the
 * program 400 us later. Gives the reads' latencies and the time of a sync, less its command. */
static uint64_t while_programming(const char *const *set, const uint64_t *at_ns, uint64_t *latency_ns, int n)
{
	struct rig g;
	(void)ssd_rig(&g, 16u << 20, set);
	assert_int_equal(rig_do(&g, DEV_WRITE, 0, 8, buf), PL_OK);
	ssd_drain(&g);
	uint64_t start_ns = g.now_ns;
	struct dev_req w = {.op = DEV_WRITE, .block = 8, .blocks = 8, .buf = buf}, sync = {.op = DEV_SYNC}, r[4];
	assert_int_equal(rig_submit(&g, &w), PL_OK);
	assert_int_equal(rig_submit(&g, &sync), PL_OK);
	for (int i = 0; i < n; i++) {
		r[i] = (struct dev_req){.op = DEV_READ, .blocks = 1, .buf = buf2};
		g.now_ns = start_ns + at_ns[i];
		assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
	}
	while (rig_wait(&g))
		;
	for (int i = 0; i < n; i++)
		latency_ns[i] = r[i].done_ns - r[i].submit_ns;
	rig_close(&g);
	return sync.done_ns - start_ns - 4000;
}

#define US(...) ((const uint64_t[]){__VA_ARGS__})

static void ssd_suspension_by_hand(void **state)
{
	(void)state;
	static const char *const plain[] = {ONE_DIE, NULL};
	static const char *const erase[] = {ONE_DIE, "sim_ssd.read_priority", "1", "sim_ssd.suspend", "erase", NULL};
	static const char *const program[] = {ONE_DIE, "sim_ssd.read_priority", "1", "sim_ssd.suspend", "program",
		"sim_ssd.suspend_limit", "2", NULL};
	const uint64_t read = 40000 + 5000 + 8000, cost = 20000, all = 440000;
	uint64_t latency[4];
	assert_int_equal(while_programming(plain, US(140000), latency, 1), all);
	assert_int_equal(latency[0], 300000 + read);
	assert_int_equal(while_programming(erase, US(140000), latency, 1), all);
	assert_int_equal(latency[0], 300000 + read);
	/* the rest of the program comes after the read */
	assert_int_equal(while_programming(program, US(140000), latency, 1), all + cost + 45000);
	assert_int_equal(latency[0], cost + read);
	/* one that comes while it is transferred waits for that; for a rest shorter than the cost, too */
	assert_int_equal(while_programming(program, US(10000), latency, 1), all + cost + 45000);
	assert_int_equal(latency[0], 30000 + cost + read);
	assert_int_equal(while_programming(program, US(425000), latency, 1), all);
	assert_int_equal(latency[0], 15000 + read);
	/* a second read during the first: one suspension; both before the rest */
	assert_int_equal(while_programming(program, US(140000, 170000), latency, 2), all + cost + 2 * 45000);
	assert_int_equal(latency[0], cost + read);
	assert_int_equal(latency[1], 15000 + 20000 + read);
	/* the third time is one too many: 300 us left at 140, 100 at 405, the rest after the next read */
	assert_int_equal(while_programming(program, US(140000, 305000, 400000), latency, 3), all + 2 * (cost + 45000));
	assert_int_equal(latency[1], cost + read);
	assert_int_equal(latency[2], all + 2 * (cost + 45000) - 400000 + read);
}

/* Is a partial program to the page's row under way or being filled? */
static bool shares_row(const struct sim_ssd *s, uint32_t page)
{
	for (uint32_t i = 0; i < s->partials; i++) {
		const struct ssd_op *o = &s->time.op[s->partial[i]];
		if (o->first >> s->row_shift <= page >> s->row_shift &&
			(o->first + o->pages - 1) >> s->row_shift >= page >> s->row_shift)
			return true;
	}
	return false;
}

/* Is the page surely where the host's write has put it, and not where collection did just after? */
static bool put_by_host(struct sim_ssd *s, uint32_t page)
{
	if (s->o.gc_stream == FTL_GC_SHARED && s->ftl.counts.moved_pages)
		return false;
	const struct ftl_head *h = &s->ftl.host[0];
	return h->end && (h->end - 1) >> s->ftl.shift == page >> s->ftl.shift;
}

static void ssd_sync_covers_what_was_acknowledged(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(kinds); i++) {
		struct rig g;
		struct sim_ssd *s = ssd_rig(&g, KIND_BYTES, kinds[i]);
		struct pl_rng rng;
		pl_rng_seed(&rng, 3, 2);
		uint32_t checked = 0, was[40];
		for (int round = 0; round < 200; round++) {
			struct dev_req late = {.op = DEV_WRITE, .block = 900, .blocks = 8, .buf = buf},
				       sync = {.op = DEV_SYNC};
			uint64_t block = pl_rng_below(&rng, 800);
			uint32_t n = 1 + (uint32_t)pl_rng_below(&rng, 40);
			assert_int_equal(rig_do(&g, DEV_WRITE, block, n, buf), PL_OK);
			assert_int_equal(rig_submit(&g, &sync), PL_OK);
			memcpy(was, &s->ftl.map[block], n * sizeof *was);
			assert_int_equal(rig_submit(&g, &late), PL_OK); /* not covered, must not hold the sync up */
			while (rig_wait(&g) != &sync)
				;
			/* collection has not moved it, and no later page shares its row */
			for (uint32_t k = 0; k < n; k++)
				if (s->ftl.map[block + k] == was[k] && !shares_row(s, was[k]) &&
					put_by_host(s, was[k])) {
					assert_false(in_ram(s, was[k]));
					checked++;
				}
			while (rig_wait(&g))
				;
		}
		assert_true(
			checked > 1000 || s->o.geometry.row_pages > 64); /* of large rows the late page has a share */
		rig_close(&g);
	}
}

static void ssd_throughput_is_bounded_by_dies(void **state)
{
	(void)state;
	struct rig g;
	struct sim_ssd *s = ssd_rig(&g, 64u << 20, NULL);
	const struct ssd_geometry *geo = &s->o.geometry;
	const double per_s = (double)geo->dies * geo->unit_pages /
			     ((double)s->o.times.program_ns[0] + geo->unit_pages * (double)s->o.times.transfer_ns);
	struct pl_rng rng;
	pl_rng_seed(&rng, 3, 2);
	ssd_overwrite(&g, &rng, 8000); /* fresh: no collection */
	assert_int_equal(rig_do(&g, DEV_SYNC, 0, 0, NULL), PL_OK);
	double rate = 8000 / (double)g.now_ns;
	print_message("%u dies: %.0f k writes/s, bound %.0f\n", geo->dies, rate * 1e6, per_s * 1e6);
	assert_true(rate <= per_s && rate > 0.7 * per_s);
	struct dev_stats st;
	dev_stats(g.dev, &st);
	assert_int_equal(st.busy_ns, 8000 / 8 * s->o.times.program_ns[0] + 8000 * s->o.times.transfer_ns);
	rig_close(&g);
}

static void ssd_preconditioning_ages(void **state)
{
	(void)state;
	static const char *const seqfill[] = {"sim_ssd.precondition", "seqfill", NULL};
	static const char *const randfill[] = {"sim_ssd.precondition", "randfill", NULL};
	static const char *const *const age[] = {NULL, seqfill, randfill};
	double wa[3];
	for (int i = 0; i < 3; i++) {
		struct rig g;
		struct sim_ssd *s = ssd_rig(&g, 8u << 20, age[i]);
		struct pl_rng rng;
		pl_rng_seed(&rng, 3, 2);
		ssd_check(s);
		struct dev_stats st, none = {0};
		dev_stats(g.dev, &st);
		assert_memory_equal(&st, &none, sizeof st);
		assert_int_equal(described(g.dev, "host_pages"), 0);
		assert_int_equal(described(g.dev, "live_pages"), i ? s->o.geometry.logical_pages : 0);
		assert_int_equal(rig_do(&g, DEV_READ, 0, 64, buf2), PL_OK);
		expect_zeros(buf2, sizeof buf2);
		ssd_overwrite(&g, &rng, 1500);
		dev_stats(g.dev, &st);
		wa[i] = (double)st.media_write_bytes / (double)sum(st.host_write_bytes);
		rig_close(&g);
	}
	print_message("fresh %.2f, seqfill %.2f, randfill %.2f\n", wa[0], wa[1], wa[2]);
	assert_true(wa[0] == 1 && wa[1] > 1.2 && wa[2] > wa[1]);
}

static void ssd_trim_saves_moves(void **state)
{
	(void)state;
	static const char *const seqfill[] = {"sim_ssd.precondition", "seqfill", NULL};
	uint64_t moved[2];
	for (int trim = 0; trim < 2; trim++) {
		struct rig g;
		struct pl_rng rng;
		struct dev_stats st;
		(void)ssd_rig(&g, 8u << 20, seqfill);
		pl_rng_seed(&rng, 3, 2);
		if (trim)
			assert_int_equal(rig_do(&g, DEV_PUNCH, 0, 1024, NULL), PL_OK);
		for (int i = 0; i < 4000; i++)
			assert_int_equal(rig_do(&g, DEV_WRITE, 1024 + pl_rng_below(&rng, 1024), 1, buf), PL_OK);
		dev_stats(g.dev, &st);
		moved[trim] = st.media_moved_bytes;
		rig_close(&g);
	}
	assert_true(moved[1] * 3 < moved[0]);
}

static void ssd_polling_changes_nothing(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < PL_COUNT(kinds); kind++) {
		uint64_t done[2];
		for (int often = 0; often < 2; often++) {
			struct rig g;
			struct pl_rng rng;
			static struct dev_req r[600];
			(void)ssd_rig(&g, KIND_BYTES, kinds[kind]);
			pl_rng_seed(&rng, 3, 2);
			done[often] = 0;
			uint64_t polled = 0;
			for (int i = 0; i < 600; i++) {
				r[i] = (struct dev_req){.op = i % 3 ? DEV_WRITE : DEV_READ,
					.block = pl_rng_below(&rng, 240),
					.blocks = 4,
					.buf = buf};
				g.now_ns += 30000;
				assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
				for (int k = 0; often && k < 7; k++) {
					(void)dev_next_ns(g.dev);
					dev_prepare(g.dev, (uint64_t)i, k % 2);
					polled += dev_poll(g.dev, g.now_ns += 1000) != NULL;
				}
				g.now_ns += often ? 0 : 7000;
			}
			while (rig_wait(&g))
				polled++;
			assert_int_equal(polled, 600);
			for (int i = 0; i < 600; i++)
				done[often] += pl_mix64(r[i].done_ns * 601 + (uint64_t)i);
			rig_close(&g);
		}
		assert_int_equal(done[0], done[1]);
	}
}

static void ssd_geometry_fits_or_is_refused(void **state)
{
	(void)state;
	for (uint64_t bytes = 256 * 1024; bytes <= (uint64_t)1 << 31; bytes *= 2) {
		struct rig g;
		struct sim_ssd *s = ssd_rig(&g, bytes, NULL);
		const struct ssd_geometry *geo = &s->o.geometry;
		assert_int_equal(geo->logical_pages, bytes / B);
		assert_true(geo->spare_supers >= 6);
		assert_int_equal(geo->super_pages % (geo->unit_pages * geo->dies), 0);
		/* time for each page stays */
		assert_int_equal(s->o.times.program_ns[0] / geo->unit_pages, 50000);
		assert_true(s->o.times.erase_ns / (geo->block_rows * geo->row_pages) <= 3000000 / 256);
		if (bytes == 64u << 20)
			assert_int_equal(geo->dies, 16);
		rig_close(&g);
	}
	static const struct {
		const char *settings[9], *sentence;
	} cases[] = {
		{{"sim_ssd.fit", "exact"}, "8 channels x 4 dies x 2 planes x 32 flash pages x 4 blocks = 8192 blocks a "
					   "superblock; 18432 blocks of flash = 3 superblocks, - 0 pSLC - 2 for the "
					   "capacity = 1 spare, but 6 must be"},
		{{"sim_ssd.planes", "3"}, "planes = 3 is not a power of two"},
		{{"sim_ssd.flash_page_bytes", "24k"}, "flash_page_bytes = 24576 must be a power of two"},
		{{"sim_ssd.flash_page_bytes", "2k"}, "at least a block of 4096"},
		{{"sim_ssd.cell", "tlc", "sim_ssd.program_mode", "oneshot"}, "is not a multiple of 3"},
		{{"sim_ssd.slc_permille", "10"}, "give mlc, tlc or qlc"},
		{{"sim_ssd.suspend", "erase"}, "without sim_ssd.read_priority"},
		{{"sim_ssd.media_bytes", "60M"}, "15360 blocks of flash cannot hold a capacity of 16384 blocks"},
		{{"sim_ssd.media_bytes", "64M"}, "0 spare, but 6 must be"},
		{{"sim_ssd.media_bytes", "32768G"}, "more than 2^32"},
		{{"sim_ssd.fit", "exact", "sim_ssd.channels", "64", "sim_ssd.dies_per_channel", "64",
			 "sim_ssd.pages_per_block", "65535"},
			"64 channels x 64 dies x 2 planes x 65535 flash pages x 4 blocks = 2147450880 blocks a "
			"superblock, addressed as 2147483648"},
		{{"sim_ssd.link_bytes_per_s", "65535"}, "link_bytes_per_s = 65535 is below 65536"},
	};
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct rig g;
		struct pl_fault f = {0};
		assert_int_equal(rig_try(&g, &dev_sim_ssd, 64u << 20, cases[i].settings, &f), PL_INVALID);
		if (!strstr(f.text, cases[i].sentence))
			fail_msg("%s", f.text);
		rig_close(&g);
	}
	static const char *const media[] = {"sim_ssd.media_bytes", "100M", NULL};
	struct rig g;
	(void)ssd_rig(&g, 64u << 20, media);
	assert_true(described(g.dev, "physical_pages") <= 25600);
	assert_true(described(g.dev, "physical_pages") > 25600 - described(g.dev, "super_pages"));
	assert_true(described(g.dev, "over_provisioning_permille") > 500);
	rig_close(&g);
}

/* What is folded goes where the rest of collection's victim has to go, too: it must leave room for it, in time and when
 * the untimed path takes over in the middle of both. */
static void ssd_folding_leaves_room_for_collection(void **state)
{
	static const char *const heads[] = {"own", "stream"};
	(void)state;
	for (uint64_t seed = 0; seed < 24; seed++) {
		const char *const little_spare[] = {"sim_ssd.channels", "1", "sim_ssd.dies_per_channel", "2",
			"sim_ssd.planes", "1", "sim_ssd.flash_page_bytes", "4k", "sim_ssd.pages_per_block", "18",
			"sim_ssd.cell", "tlc", "sim_ssd.slc_permille", "100", "sim_ssd.op_permille", "500",
			"sim_ssd.gc_low_superblocks", "2", "sim_ssd.collect", "fifo", "sim_ssd.streams", "3",
			"sim_ssd.precondition", "seqfill", "sim_ssd.gc_stream", heads[seed % 2], NULL};
		struct rig g;
		struct pl_rng rng;
		struct sim_ssd *s = ssd_rig(&g, 128 * B, little_spare);
		pl_rng_seed(&rng, seed, 1);
		for (int round = 0; round < 60; round++) {
			struct dev_req r[24];
			for (size_t i = 0; i < PL_COUNT(r); i++) {
				r[i] = (struct dev_req){.op = DEV_WRITE, .blocks = 1, .buf = buf};
				r[i].block = pl_rng_below(&rng, 128);
				r[i].stream = (uint8_t)pl_rng_below(&rng, 3);
				assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
			}
			while (rig_wait(&g))
				;
			for (uint32_t i = 0; round % 4 == 3 && i < 40; i++)
				dev_write_untimed(g.dev, &(uint32_t){(uint32_t)pl_rng_below(&rng, 128)}, 1, i % 3);
			assert_null(ftl_check(&s->ftl));
		}
		rig_close(&g);
	}
}

/* At the bounds of the options no time overflows; beyond them they are refused. */
static void ssd_longest_times(void **state)
{
	static const char *const slow[] = {"sim_ssd.read_ns", "10s", "sim_ssd.program_ns", "10s", "sim_ssd.erase_ns",
		"10s", "sim_ssd.slc_program_ns", "10s", "sim_ssd.slc_read_ns", "10s", "sim_ssd.channel_bytes_per_s",
		"65536", "sim_ssd.link_bytes_per_s", "65536", "sim_ssd.read_command_ns", "10s",
		"sim_ssd.write_command_ns", "10s", "sim_ssd.slc_idle_ns", "1125899906842624", "sim_ssd.cell", "tlc",
		"sim_ssd.slc_permille", "100", "sim_ssd.op_permille", "500", NULL};
	static const char *const keys[] = {"sim_ssd.read_ns", "sim_ssd.program_ns", "sim_ssd.erase_ns",
		"sim_ssd.read_command_ns", "sim_ssd.suspend_erase_ns", "sim_ssd.slc_idle_ns"};
	struct rig g;
	struct pl_fault f;
	(void)state;
	(void)ssd_rig(&g, CAPACITY, slow);
	(void)storm(&g, 1, false);
	for (size_t i = 0; i < PL_COUNT(keys); i++)
		assert_int_equal(pl_conf_set(&g.conf, keys[i], "18446744073709551615", &f), PL_INVALID);
	/* as many programs as a sync can wait for */
	assert_int_equal(pl_conf_set(&g.conf, "sim_ssd.write_buffer_pages", "16777216", &f), PL_INVALID);
	rig_close(&g);
}

static void ssd_collection_keeps_pace(void **state)
{
	(void)state;
	struct rig g;
	struct sim_ssd *s = ssd_rig(&g, (uint64_t)6553 * B, one_die);
	struct pl_rng rng;
	pl_rng_seed(&rng, 4, 2);
	ssd_overwrite(&g, &rng, 4 * s->o.geometry.logical_pages);
	uint32_t least = s->o.geometry.supers;
	for (int i = 0; i < 3000; i++) {
		ssd_overwrite(&g, &rng, 1);
		least = s->ftl.free_count < least ? s->ftl.free_count : least;
	}
	/* at gc_low a victim is chosen; while it is emptied at most one more is opened: nobody is made to wait */
	print_message("fewest free superblocks: %u\n", least);
	assert_true(least >= s->o.gc_low - 1);
	rig_close(&g);
}

/* Paced collection always ends in time; should it not, the host must leave a shared head's pages to the victim. */
static void ssd_shared_head_cannot_lock_up(void **state)
{
	(void)state;
	static const char *const set[] = {ONE_DIE, "sim_ssd.op_permille", "60", "sim_ssd.gc_stream", "shared",
		"sim_ssd.precondition", "randfill", NULL};
	struct rig g;
	struct sim_ssd *s = ssd_rig(&g, 32u << 20, set);
	struct pl_rng rng;
	pl_rng_seed(&rng, 4, 2);
	for (int i = 0; i < 4000; i++) {
		if (s->gc.victim != FTL_NONE)
			s->gc.credit = -((int64_t)1 << 40);
		ssd_overwrite(&g, &rng, 1);
	}
	ssd_check(s);
	rig_close(&g);
}

int main(void)
{
#define T(name, function)                                                                                              \
	{                                                                                                              \
		name, function, NULL, NULL, NULL                                                                       \
	}
	const struct CMUnitTest tests[] = {
		T("device.sim_ssd.mapping_is_a_bijection", ssd_mapping_is_a_bijection),
		T("device.sim_ssd.write_amplification_is_greedy", ssd_write_amplification_is_greedy),
		T("device.sim_ssd.latency_is_the_sum_of_its_parts", ssd_latency_is_the_sum_of_its_parts),
		T("device.sim_ssd.page_types_have_their_times", ssd_page_types_have_their_times),
		T("device.sim_ssd.link_is_a_queue_each_way", ssd_link_is_a_queue_each_way),
		T("device.sim_ssd.suspension_by_hand", ssd_suspension_by_hand),
		T("device.sim_ssd.sync_covers_what_was_acknowledged", ssd_sync_covers_what_was_acknowledged),
		T("device.sim_ssd.throughput_is_bounded_by_dies", ssd_throughput_is_bounded_by_dies),
		T("device.sim_ssd.preconditioning_ages", ssd_preconditioning_ages),
		T("device.sim_ssd.trim_saves_moves", ssd_trim_saves_moves),
		T("device.sim_ssd.polling_changes_nothing", ssd_polling_changes_nothing),
		T("device.sim_ssd.folding_leaves_room_for_collection", ssd_folding_leaves_room_for_collection),
		T("device.sim_ssd.longest_times", ssd_longest_times),
		T("device.sim_ssd.collection_keeps_pace", ssd_collection_keeps_pace),
		T("device.sim_ssd.shared_head_cannot_lock_up", ssd_shared_head_cannot_lock_up),
		T("device.sim_ssd.geometry_fits_or_is_refused", ssd_geometry_fits_or_is_refused),
	};
	return cmocka_run_group_tests_name("sim_ssd", tests, NULL, NULL);
}
