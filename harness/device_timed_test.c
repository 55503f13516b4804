/* device_timed_test.c - timed device runs keep the contract of the device, which a rig of its own checks at each request,
 * and measure what the devices do. */
#include "engine/base/rng.h"
#include "harness/device_parts.h"
#include "harness/options.h"
#include "harness/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "key=value key=value" */
static void set_words(struct pl_conf *conf, const char *words)
{
	char *text = lab_strdup(words), *save = NULL;
	struct pl_fault f = {0};
	lab_conf_init(conf);
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');
		*eq = 0;
		if (pl_conf_set(conf, w, eq + 1, &f))
			fail_msg("%s", f.text);
	}
	free(text);
}

static struct device_result run_words(const char *words)
{
	struct pl_conf conf;
	struct device_result r;
	struct pl_fault f = {0};
	set_words(&conf, words);
	if (device_run(&(struct device_run_args){.conf = &conf}, &r, &f))
		fail_msg("%s: %s", words, f.text);
	pl_conf_free(&conf);
	return r;
}

static void assert_near(double a, double b, double share)
{
	if (a > b * (1 + share) || a < b * (1 - share))
		fail_msg("%g is not within %g %% of %g", a, share * 100, b);
}

/* ---- the rig */

#define RIG_BLOCKS 4096u
#define RIG_ZONES 8u
#define RIG_ZONE_BLOCKS 64u
#define RIG_ZONE_CAPACITY 50u

static struct rig {
	struct dev dev;
	struct dev_req *flight[256];
	uint64_t order[256];
	size_t n, most, least_qd;
	uint64_t at[RIG_ZONES], submissions, prepared[2], zone_writes[RIG_ZONES], resets, writes, reads;
	enum dev_zone_state zone[RIG_ZONES];
	uint64_t last_prepared[2];
} rig;

static int rig_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	uint64_t z = r->block / RIG_ZONE_BLOCKS;
	bool writes = r->op == DEV_WRITE || r->op == DEV_APPEND;
	assert_true(rig.n < 256);
	for (size_t i = 0; i < rig.n; i++) {
		const struct dev_req *o = rig.flight[i];
		bool both = r->op == DEV_WRITE && o->op == DEV_WRITE;
		assert_false(both && r->block < o->block + o->blocks && o->block < r->block + r->blocks);
		/* one write at a time in a zone */
		assert_false(d->caps.sequential && both && o->block / RIG_ZONE_BLOCKS == z);
	}
	assert_true(r->block + r->blocks <= d->caps.capacity_blocks);
	if (d->caps.sequential && writes) {
		assert_true(r->op == DEV_APPEND ? r->block == z * RIG_ZONE_BLOCKS
						: r->block == z * RIG_ZONE_BLOCKS + rig.at[z]);
		rig.at[z] += r->blocks;
		assert_true(rig.at[z] <= RIG_ZONE_CAPACITY);
		rig.zone[z] = rig.at[z] == RIG_ZONE_CAPACITY ? DEV_ZONE_FULL : DEV_ZONE_IMPLICIT_OPEN;
		size_t open = 0;
		for (size_t i = 0; i < RIG_ZONES; i++)
			open += rig.zone[i] == DEV_ZONE_IMPLICIT_OPEN;
		assert_true(open <= d->caps.max_open);
	} else if (d->caps.sequential && r->op == DEV_READ) {
		assert_true(r->block % RIG_ZONE_BLOCKS + r->blocks <= rig.at[z]);
	}
	rig.resets += r->op == DEV_ZONE_RESET;
	rig.writes += writes;
	rig.reads += r->op == DEV_READ;
	r->status = PL_OK;
	r->submit_ns = now_ns;
	r->done_ns = now_ns + 1000 + pl_mix64(rig.submissions) % 5000;
	rig.order[rig.n] = rig.submissions++;
	rig.flight[rig.n++] = r;
	rig.most = rig.n > rig.most ? rig.n : rig.most;
	return PL_OK;
}

static size_t rig_least(void)
{
	size_t least = 0;
	for (size_t i = 1; i < rig.n; i++)
		if (rig.flight[i]->done_ns < rig.flight[least]->done_ns)
			least = i;
	return least;
}

static struct dev_req *rig_poll(struct dev *d, uint64_t now_ns)
{
	(void)d;
	size_t i = rig_least();
	if (!rig.n || rig.flight[i]->done_ns > now_ns)
		return NULL;
	struct dev_req *r = rig.flight[i];
	rig.flight[i] = rig.flight[--rig.n];
	return r;
}

static uint64_t rig_next(struct dev *d)
{
	(void)d;
	return rig.n ? rig.flight[rig_least()]->done_ns : PL_NS_NEVER;
}

static int rig_zone(struct dev *d, uint64_t zone, struct dev_zone *out)
{
	(void)d;
	*out = (struct dev_zone){
		zone * RIG_ZONE_BLOCKS, RIG_ZONE_CAPACITY, zone * RIG_ZONE_BLOCKS + rig.at[zone], rig.zone[zone]};
	return PL_OK;
}

static int rig_poke_zone(struct dev *d, uint64_t zone, enum dev_zone_state st, uint64_t write_pointer)
{
	for (size_t i = 0; i < rig.n; i++)
		assert_true(rig.flight[i]->op == DEV_READ || rig.flight[i]->block / RIG_ZONE_BLOCKS != zone);
	(void)d;
	rig.zone[zone] = st;
	rig.at[zone] = write_pointer - zone * RIG_ZONE_BLOCKS;
	return PL_OK;
}

static void rig_prepare(const struct dev *d, uint64_t block, int stage)
{
	(void)d;
	rig.prepared[stage]++;
	rig.last_prepared[stage] = block;
}

static struct dev_ops rig_ops;
static bool rig_sequential;

static int rig_open(const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	(void)f;
	assert_true(a->contentless);
	memset(&rig, 0, sizeof rig);
	rig.dev.ops = &rig_ops;
	rig.dev.caps = (struct dev_caps){.block_bytes = 4096,
		.capacity_blocks = rig_sequential ? RIG_ZONES * RIG_ZONE_BLOCKS : RIG_BLOCKS,
		.sequential = rig_sequential,
		.punch = true,
		.punch_blocks = 1,
		.append = rig_sequential,
		.simulated = true,
		.contentless = true};
	if (rig_sequential) {
		rig.dev.caps.zones = RIG_ZONES;
		rig.dev.caps.zone_blocks = RIG_ZONE_BLOCKS;
		rig.dev.caps.zone_capacity = RIG_ZONE_CAPACITY;
		rig.dev.caps.max_open = rig.dev.caps.max_active = 4;
	}
	*out = &rig.dev;
	return PL_OK;
}

static void rig_close(struct dev *d)
{
	(void)d;
	assert_int_equal(rig.n, 0);
}

static struct dev_ops rig_ops = {.name = "sim_ssd",
	.open = rig_open,
	.close = rig_close,
	.submit = rig_submit,
	.poll = rig_poll,
	.next_ns = rig_next,
	.zone = rig_zone,
	.poke_zone = rig_poke_zone,
	.prepare = rig_prepare};

/* A timed run on the rig; asserts what holds for all of them. Its error. */
static int run_on_rig(const char *words, bool sequential, struct device_result *r)
{
	struct pl_conf conf;
	struct device_wish w;
	struct pl_fault f = {0};
	struct device_run_args a = {.conf = &conf};
	struct device_session s = {.args = &a, .wish = &w, .result = r, .f = &f};
	rig_sequential = sequential;
	set_words(&conf, words);
	*r = (struct device_result){.timed = true, .ops = &rig_ops};
	assert_int_equal(device_wish_read(&conf, &w, &f), PL_OK);
	w.ops = &rig_ops;
	int err = device_timed(&s);
	if (!err && rig.most > w.qd)
		fail_msg("%zu in flight of %u", rig.most, w.qd);
	if (s.dev)
		dev_close(s.dev);
	pl_conf_free(&conf);
	return err;
}

static void timed_overwrites_never_overlap(void **state)
{
	(void)state;
	struct device_result r;
	/* 32 in flight on 40 units: nearly every draw collides */
	assert_int_equal(run_on_rig("device.op=write device.size=16k device.qd=32 device.region_bytes=640k "
				    "device.count=20000 device.start=fresh",
				 false, &r),
		PL_OK);
	assert_int_equal(r.tally->op[DEV_WRITE].requests, 20000);
	assert_int_equal(rig.most, 32);
	device_result_free(&r);
	/* more in flight than there are units: as many as there are, and it ends */
	assert_int_equal(
		run_on_rig("device.op=write device.qd=32 device.region_bytes=64k device.count=1000", false, &r), PL_OK);
	assert_int_equal(rig.most, 16);
	device_result_free(&r);
}

static void timed_counts_and_prepares(void **state)
{
	(void)state;
	struct device_result r;
	assert_int_equal(
		run_on_rig("device.op=mixed:30 device.qd=8 device.count=20000 device.warm=500 device.start=fresh",
			false, &r),
		PL_OK);
	assert_int_equal(r.tally->requests, 20000);
	assert_int_equal(rig.submissions, 20500);
	assert_near((double)r.tally->op[DEV_READ].requests, 6000, 0.05);
	/* each request is announced twice, the first time 32 requests ahead */
	assert_true(rig.prepared[0] >= 20500 + 32 && rig.prepared[1] >= 20500);
	assert_int_equal(rig.most, 8);
	device_result_free(&r);
	assert_int_equal(
		run_on_rig("device.op=sync device.sync_writes=3 device.count=100 device.start=fresh", false, &r),
		PL_OK);
	assert_int_equal(r.tally->op[DEV_SYNC].requests, 100);
	assert_int_equal(r.tally->op[DEV_WRITE].requests, 300);
	device_result_free(&r);
	assert_int_equal(run_on_rig("device.op=read device.size=8k device.count=10", false, &r), PL_OK);
	assert_int_equal(rig.writes, RIG_BLOCKS / 64); /* written before they are read */
	device_result_free(&r);
}

static void timed_writes_follow_the_pointers(void **state)
{
	(void)state;
	struct device_result r;
	/* 50 blocks a zone, 3 a write: two remain, and the zone is left; 300 writes are more than the device holds */
	assert_int_equal(run_on_rig("device.op=write device.size=12k device.qd=3 device.count=300", true, &r), PL_OK);
	assert_int_equal(r.tally->op[DEV_WRITE].requests, 300);
	assert_int_equal(r.tally->errors, 0);
	assert_int_equal(rig.most, 3);
	assert_int_equal(rig.resets, 0);
	assert_true(r.zone_resets_untimed > 0);
	device_result_free(&r);
	assert_int_equal(
		run_on_rig("device.op=append device.size=12k device.qd=7 device.zones=2 device.count=500", true, &r),
		PL_OK);
	assert_int_equal(rig.most, 7);
	device_result_free(&r);
	assert_int_equal(run_on_rig("device.op=write device.zone_requests=5 device.count=500", true, &r), PL_OK);
	assert_true(r.zone_resets_untimed >= 99);
	device_result_free(&r);
	assert_int_equal(run_on_rig("device.op=mixed:50 device.qd=4 device.count=1000", true, &r), PL_OK);
	assert_near((double)r.tally->op[DEV_READ].requests, 500, 0.1);
	device_result_free(&r);
	assert_int_equal(run_on_rig("device.op=read device.size=8k device.qd=4 device.count=1000", true, &r), PL_OK);
	assert_int_equal(rig.writes, 0); /* the zones were made full out of band */
	device_result_free(&r);
}

static void timed_prepares_zones_as_asked(void **state)
{
	(void)state;
	struct device_result r;
	assert_int_equal(run_on_rig("device.op=reset device.fill=500 device.count=40 device.qd=2", true, &r), PL_OK);
	assert_int_equal(rig.resets, 40);
	assert_int_equal(rig.submissions, 40);
	device_result_free(&r);
	assert_int_equal(run_on_rig("device.op=reset device.fill=0 device.count=40", true, &r), PL_OK);
	assert_int_equal(rig.submissions, 80); /* each was opened before, else there is nothing to reset */
	assert_int_equal(r.tally->op[DEV_ZONE_OPEN].requests, 0);
	device_result_free(&r);
	assert_int_equal(run_on_rig("device.op=close device.fill=8k device.count=40", true, &r), PL_OK);
	assert_int_equal(r.tally->op[DEV_ZONE_CLOSE].requests, 40);
	assert_int_equal(r.tally->requests, 40);
	device_result_free(&r);
}

/* ---- on the devices */

static void timed_latency_is_the_devices(void **state)
{
	(void)state;
	struct device_result r = run_words("device=sim_ssd device_bytes=64M device.op=read device.count=500 "
					   "sim_ssd.write_command_ns=7us");
	uint64_t least = r.tally->op[DEV_READ].latency.least;
	assert_int_equal(r.tally->op[DEV_READ].latency.greatest, least); /* nothing else is under way */
	assert_true(least > 40000);
	device_result_free(&r);
	r = run_words("device=sim_ssd device_bytes=64M device.op=read device.count=500 sim_ssd.read_ns=140us");
	assert_int_equal(r.tally->op[DEV_READ].latency.least, least + 100000);
	device_result_free(&r);
	r = run_words("device=null device.op=write device.count=100");
	assert_int_equal(r.tally->op[DEV_WRITE].latency.count, 100);
	device_result_free(&r);
}

static void timed_amplifies_when_aged(void **state)
{
	(void)state;
	struct device_result r = run_words(
		"device=sim_ssd device_bytes=64M device.op=write device.qd=4 device.start=random device.count=20000");
	assert_true(r.stats.media_write_bytes > r.stats.host_write_bytes[0] * 3 / 2);
	assert_int_equal(r.stats.host_write_bytes[0], 20000 * 4096);
	device_result_free(&r);
	r = run_words(
		"device=sim_ssd device_bytes=64M device.op=write device.qd=4 device.start=fresh device.count=5000");
	assert_true(r.stats.media_write_bytes <= r.stats.host_write_bytes[0]);
	device_result_free(&r);
}

#define T(name, fn)                                                                                                    \
	{                                                                                                              \
		name, fn, NULL, NULL, NULL                                                                             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T("device_timed.overwrites_never_overlap", timed_overwrites_never_overlap),
		T("device_timed.counts_and_prepares", timed_counts_and_prepares),
		T("device_timed.writes_follow_the_pointers", timed_writes_follow_the_pointers),
		T("device_timed.prepares_zones_as_asked", timed_prepares_zones_as_asked),
		T("device_timed.latency_is_the_devices", timed_latency_is_the_devices),
		T("device_timed.amplifies_when_aged", timed_amplifies_when_aged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
