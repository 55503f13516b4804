/* sim_ssd_policy_test.c - what the options of sim_ssd are for: each shows the effect it is there for; copies and counters
 * hold under all of them. */
#include "variants/device/sim_ssd_rig.h"

#include <inttypes.h>

static void add_up(void *arg, const char *key, uint64_t value)
{
	uint64_t *hash = arg;
	*hash = pl_mix64(*hash + value + strlen(key));
}

static void ssd_clone_goes_the_same_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(kinds); i++) {
		struct rig g;
		struct pl_rng rng;
		(void)ssd_rig(&g, KIND_BYTES, kinds[i]);
		pl_rng_seed(&rng, i, 2);
		ssd_overwrite(&g, &rng, 2011);
		fill(buf, 64, i);
		struct dev_req r = {.op = DEV_WRITE, .block = 3, .blocks = 61, .buf = buf};
		struct dev *copy = NULL, *original = g.dev;
		assert_int_equal(rig_submit(&g, &r), PL_OK);
		assert_int_equal(dev_clone(g.dev, &copy), PL_AGAIN);
		assert_ptr_equal(rig_wait(&g), &r); /* programs are under way and units half full */
		assert_int_equal(dev_clone(g.dev, &copy), PL_OK);
		uint64_t digest[3], counts[3] = {0}, then_ns = g.now_ns;
		struct dev_stats st[3];
		struct dev *again = NULL;
		assert_int_equal(dev_clone(copy, &again), PL_OK);
		struct dev *const turn[] = {original, copy, again};
		for (int k = 0; k < 3; k++) {
			g.dev = turn[k];
			g.now_ns = then_ns;
			assert_int_equal(rig_do(&g, DEV_READ, 3, 61, buf2), PL_OK);
			assert_memory_equal(buf2, buf, 61 * B);
			digest[k] = storm(&g, 5, k & 1);
			ssd_check(ssd_of(g.dev));
			dev_stats(g.dev, &st[k]);
			dev_describe(g.dev, add_up, &counts[k]);
		}
		g.dev = original;
		for (int k = 1; k < 3; k++) {
			assert_int_equal(digest[k], digest[0]);
			assert_int_equal(counts[k], counts[0]);
			assert_memory_equal(&st[k], &st[0], sizeof st[0]);
		}
		dev_close(copy);
		dev_close(again);
		rig_close(&g);
	}
}

static void ssd_contentless_has_the_same_times(void **state)
{
	(void)state;
	struct rig g, h;
	(void)ssd_rig(&g, 2u << 20, eager);
	(void)ssd_rig(&h, 2u << 20, eager);
	struct dev_args a = {
		.conf = &h.conf, .seed = 42, .capacity_bytes = 2u << 20, .block_bytes = B, .contentless = true};
	dev_close(h.dev);
	assert_int_equal(dev_open(&dev_sim_ssd, &a, &h.dev, NULL), PL_OK);
	assert_true(h.dev->caps.contentless);
	assert_int_equal(storm(&g, 8, true), storm(&h, 8, true));
	struct dev *copy = NULL;
	assert_int_equal(dev_clone(h.dev, &copy), PL_OK);
	dev_close(copy);
	struct dev_req r = {.op = DEV_WRITE, .blocks = 9};
	assert_int_equal(rig_submit(&g, &r), PL_INVALID);
	assert_int_equal(rig_submit(&h, &r), PL_OK);
	assert_ptr_equal(rig_wait(&h), &r);
	rig_close(&g);
	rig_close(&h);
}

static void ssd_wear_adds_up(void **state)
{
	(void)state;
	struct rig g;
	struct pl_rng rng;
	struct dev_stats st;
	struct sim_ssd *s = ssd_rig(&g, 8u << 20, NULL);
	pl_rng_seed(&rng, 6, 2);
	ssd_overwrite(&g, &rng, 6000);
	assert_int_equal(rig_do(&g, DEV_SYNC, 0, 0, NULL), PL_OK);
	dev_stats(g.dev, &st);
	uint64_t erases = described(g.dev, "erases"), supers = described(g.dev, "supers");
	assert_true(erases > 10);
	assert_int_equal(st.erases, erases * s->o.geometry.dies);
	assert_int_equal(described(g.dev, "super_erases_sum"), erases);
	assert_int_equal(described(g.dev, "super_erases_mean_milli"), erases * 1000 / supers);
	assert_true(described(g.dev, "super_erases_least") <= erases / supers);
	assert_true(described(g.dev, "super_erases_greatest") >= erases / supers);
	assert_int_equal(described(g.dev, "host_pages"), 6000);
	assert_int_equal(described(g.dev, "moved_pages") * B, st.media_moved_bytes);
	assert_true(described(g.dev, "victims") >= erases && described(g.dev, "victims") <= erases + 1);
	assert_int_equal(
		described(g.dev, "spare_pages") + s->o.geometry.logical_pages, described(g.dev, "physical_pages"));
	assert_int_equal(described(g.dev, "super_pages") * supers, described(g.dev, "physical_pages"));
	rig_close(&g);
}

/* Nine of ten writes go to a tenth of the blocks. */
static double hot_and_cold(bool hinted, const char *gc_stream)
{
	const char *const set[] = {
		ONE_DIE, "sim_ssd.streams", "2", "sim_ssd.gc_stream", gc_stream, "sim_ssd.op_permille", "300", NULL};
	struct rig g;
	struct pl_rng rng;
	struct dev_stats a, b;
	(void)ssd_rig(&g, 16u << 20, set);
	pl_rng_seed(&rng, 6, 2);
	for (int half = 0; half < 2; half++) {
		dev_stats(g.dev, &a);
		for (int i = 0; i < 20000; i++) {
			bool hot = pl_rng_below(&rng, 10) != 0;
			struct dev_req r = {.op = DEV_WRITE, .blocks = 1, .stream = hinted && hot, .buf = buf};
			r.block = hot ? pl_rng_below(&rng, 410) : 410 + pl_rng_below(&rng, 4096 - 410);
			assert_int_equal(rig_submit(&g, &r), PL_OK);
			assert_ptr_equal(rig_wait(&g), &r);
		}
		dev_stats(g.dev, &b);
	}
	double wa = (double)(b.media_write_bytes - a.media_write_bytes) /
		    (double)(sum(b.host_write_bytes) - sum(a.host_write_bytes));
	rig_close(&g);
	return wa;
}

static void ssd_streams_keep_lifetimes_apart(void **state)
{
	(void)state;
	struct rig g;
	struct sim_ssd *s = ssd_rig(&g, KIND_BYTES, streams);
	for (uint32_t k = 0; k < 8; k++) {
		struct dev_req r = {.op = DEV_WRITE, .block = 100 + k, .blocks = 1, .stream = (uint8_t)k, .buf = buf};
		assert_int_equal(rig_submit(&g, &r), PL_OK);
		assert_ptr_equal(rig_wait(&g), &r);
		dev_write_untimed(g.dev, &(uint32_t){k}, 1, k);
		assert_int_equal(ftl_super(&s->ftl, s->ftl.map[100 + k] >> s->ftl.shift)->stream, k % 4);
		assert_int_equal(ftl_super(&s->ftl, s->ftl.map[k] >> s->ftl.shift)->stream, k % 4);
	}
	rig_close(&g);
	double mixed = hot_and_cold(false, "shared"), own = hot_and_cold(true, "own"),
	       stream = hot_and_cold(true, "stream");
	print_message("write amplification: one stream %.3f, two %.3f, and in collection %.3f\n", mixed, own, stream);
	assert_true(own < mixed * 0.95 && stream < mixed * 0.95);
}

/* ns a page of writing half the cache's pages from at on. */
static uint64_t burst_ns(struct rig *g, uint64_t cache, uint64_t at)
{
	uint64_t start_ns = g->now_ns;
	for (uint64_t end = at + cache / 2; at < end; at += 8)
		assert_int_equal(rig_do(g, DEV_WRITE, at, 8, buf), PL_OK);
	return (g->now_ns - start_ns) / (cache / 2);
}

/* A burst is written at the speed of the pSLC cache until that is full. Then each page is written twice, or beside the
 * cache; after idle time all is as before. */
static void cliff(const char *fold, const char *idle, uint64_t *ns)
{
	const char *const set[] = {GEOMETRY("2", "2", "12"), "sim_ssd.cell", "tlc", "sim_ssd.slc_permille", "200",
		"sim_ssd.op_permille", "1000", "sim_ssd.program_ns", "900us", "sim_ssd.write_buffer_pages", "64",
		"sim_ssd.slc_fold", fold, "sim_ssd.slc_idle_ns", idle, NULL};
	struct rig g;
	struct sim_ssd *s = ssd_rig(&g, 64u << 20, set);
	const struct ssd_geometry *geo = &s->o.geometry;
	const uint64_t cache = (uint64_t)geo->slc_supers * geo->slc_pages;
	assert_true(geo->slc_pages == geo->super_pages / 3 && cache > 2000 && cache < 5000);
	for (uint64_t part = 0; part < 4; part++) {
		ns[part] = burst_ns(&g, cache, part * (cache / 2));
		if (part == 0) {
			g.now_ns += 5000000; /* all is programmed */
			assert_int_equal(rig_latency(&g, DEV_READ, 0, 1, buf2), 8000 + 30000 + 5000);
			assert_int_equal(described(g.dev, "folded_pages"), 0);
		}
	}
	ssd_check(s);
	ssd_drain(&g);
	ssd_check(s);
	ns[4] = burst_ns(&g, cache, 0);
	ns[5] = described(g.dev, "folded_pages");
	print_message("%s, %s: ns a page %" PRIu64 ", %" PRIu64 ", beyond the cache %" PRIu64 " and %" PRIu64
		      ", after a pause %" PRIu64 "; %" PRIu64 " folded\n",
		fold, idle, ns[0], ns[1], ns[2], ns[3], ns[4], ns[5]);
	rig_close(&g);
}

static void ssd_slc_cache_has_a_cliff(void **state)
{
	(void)state;
	uint64_t pressure[6], idle[6], never[6];
	cliff("pressure", "100s", pressure);
	cliff("idle", "10ms", idle);
	cliff("idle", "100s", never);
	/* 4 dies program 8 pages in 200 us and 40 of transfer, or in 900 */
	assert_true(pressure[0] < 9000 && idle[0] == pressure[0]);
	assert_true(pressure[3] > 5 * pressure[0] && pressure[4] > 5 * pressure[0] && pressure[5] > 0);
	assert_true(idle[3] > 3 * idle[0] && idle[3] < pressure[3] * 2 / 3);
	assert_true(idle[4] < 9000 && idle[5] > 0);
	assert_true(never[4] > 3 * never[0] && never[5] == 0);
}

/* p99 of reads, half of all requests, that come 15 us apart. */
static uint64_t read_p99_ns(const char *priority, const char *suspend, uint64_t *suspensions)
{
	const char *const set[] = {GEOMETRY("2", "2", "64"), "sim_ssd.precondition", "randfill", "sim_ssd.op_permille",
		"250", "sim_ssd.erase_ns", "1ms", "sim_ssd.read_priority", priority, "sim_ssd.suspend", suspend, NULL};
	enum { N = 12000 };
	static struct dev_req r[N];
	static struct pl_hist h;
	struct rig g;
	struct pl_rng rng;
	(void)ssd_rig(&g, 256u << 20, set);
	pl_rng_seed(&rng, 6, 2);
	pl_hist_reset(&h);
	for (int i = 0; i < N; i++) {
		r[i] = (struct dev_req){.op = i % 8 ? DEV_READ : DEV_WRITE, .blocks = 1, .buf = buf};
		r[i].block = pl_rng_below(&rng, g.dev->caps.capacity_blocks);
		assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
		g.now_ns += 40000;
		while (dev_poll(g.dev, g.now_ns))
			;
	}
	while (rig_wait(&g))
		;
	for (int i = 0; i < N; i++)
		if (r[i].op == DEV_READ)
			pl_hist_add(&h, r[i].done_ns - r[i].submit_ns);
	*suspensions = described(g.dev, "suspensions");
	rig_close(&g);
	return pl_hist_quantile(&h, 9900);
}

static void ssd_suspension_lowers_the_tail(void **state)
{
	(void)state;
	uint64_t none, program, both, suspensions;
	uint64_t plain = read_p99_ns("0", "none", &none), first = read_p99_ns("1", "none", &none);
	uint64_t programs = read_p99_ns("1", "program", &program), all = read_p99_ns("1", "both", &both);
	(void)read_p99_ns("1", "erase", &suspensions);
	print_message("p99 of reads %" PRIu64 ", first %" PRIu64 ", suspending programs %" PRIu64
		      ", erases, too %" PRIu64 " us\n",
		plain / 1000, first / 1000, programs / 1000, all / 1000);
	assert_true(none == 0 && program > 0 && suspensions > 0 && both > program);
	assert_true(first < plain && programs < first && all < programs && all * 4 < plain);
}

int main(void)
{
#define T(name, function)                                                                                              \
	{                                                                                                              \
		name, function, NULL, NULL, NULL                                                                       \
	}
	const struct CMUnitTest tests[] = {
		T("device.sim_ssd.clone_goes_the_same_way", ssd_clone_goes_the_same_way),
		T("device.sim_ssd.contentless_has_the_same_times", ssd_contentless_has_the_same_times),
		T("device.sim_ssd.wear_adds_up", ssd_wear_adds_up),
		T("device.sim_ssd.streams_keep_lifetimes_apart", ssd_streams_keep_lifetimes_apart),
		T("device.sim_ssd.slc_cache_has_a_cliff", ssd_slc_cache_has_a_cliff),
		T("device.sim_ssd.suspension_lowers_the_tail", ssd_suspension_lowers_the_tail),
	};
	return cmocka_run_group_tests_name("sim_ssd_policy", tests, NULL, NULL);
}
