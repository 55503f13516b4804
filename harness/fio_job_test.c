/* fio_job_test.c - fio job files: what their options do, when requests come, and what is refused. */
#include "harness/fio_job.h"
#include "harness/trace_rig.h"

#include "engine/base/rng.h"

#define BEGIN_NS 7000u

static json_t *run(struct rig *g, const char *text, struct device_tally *t)
{
	struct pl_fault f = {0};
	json_t *out = NULL;
	char *path = rig_file(text);
	int err = fio_job_run(&g->dev, BEGIN_NS, path, 1, t, &out, &f);
	if (err)
		fail_msg("%s", f.text);
	(void)unlink(path);
	free(path);
	return out;
}

static json_t *job(const json_t *out, size_t i)
{
	return json_array_get(json_object_get(out, "jobs"), i);
}

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static size_t calls_of(const struct rig *g, enum dev_op op)
{
	size_t n = 0;
	for (size_t i = 0; i < g->calls; i++)
		n += g->call[i].op == op;
	return n;
}

struct expected {
	enum dev_op op;
	uint64_t block, at_ns;
};

static void assert_calls(const struct rig *g, const struct expected *e, size_t n)
{
	assert_int_equal(g->calls, n);
	for (size_t i = 0; i < n; i++)
		if (g->call[i].op != e[i].op || g->call[i].block != e[i].block ||
			g->call[i].at_ns != BEGIN_NS + e[i].at_ns)
			fail_msg("call %zu is %s %llu at %llu, not %s %llu at %llu", i, dev_op_name[g->call[i].op],
				(unsigned long long)g->call[i].block, (unsigned long long)(g->call[i].at_ns - BEGIN_NS),
				dev_op_name[e[i].op], (unsigned long long)e[i].block, (unsigned long long)e[i].at_ns);
}

static void in_order_at_a_depth(void **state)
{
	static const struct expected e[] = {{DEV_WRITE, 8, 0}, {DEV_WRITE, 10, 0}, {DEV_WRITE, 12, 10000},
		{DEV_WRITE, 14, 10000}, {DEV_WRITE, 8, 20000}};
	struct rig *g = rig_new(64, 0, 0);
	struct device_tally *t = tally_new();
	(void)state;
	json_t *out = run(g,
		"; a comment\n[global]\nioengine=libaio ; inline\n  direct=1\ngroup_reporting\n[seq]\nrw=write\nbs=8k\n"
		"offset=32k\nsize=32K\nio_size=40kb\niodepth=2\n",
		t);
	assert_calls(g, e, PL_COUNT(e));
	assert_int_equal(g->call[0].blocks, 2);
	assert_int_equal(t->op[DEV_WRITE].requests, 5);
	assert_int_equal(t->requests, 5);
	assert_int_equal(number(job(out, 0), "requests"), 5);
	assert_int_equal(number(job(out, 0), "end_ns"), 30000);
	assert_string_equal(json_string_value(json_object_get(job(out, 0), "name")), "seq");
	json_t *ignored = json_object_get(out, "ignored");
	assert_int_equal(json_array_size(ignored), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(ignored, 0), "option")), "ioengine");
	assert_string_equal(json_string_value(json_object_get(json_array_get(ignored, 0), "value")), "libaio");
	assert_int_equal(number(json_array_get(ignored, 0), "line"), 3);
	json_decref(out);
	free(t);
	rig_free(g);
}

static void a_map_covers_every_block_once_a_lap(void **state)
{
	struct rig *g = rig_new(128, 0, 0);
	struct device_tally *t = tally_new();
	unsigned seen[128] = {0}, in_order = 0;
	(void)state;
	json_decref(run(g, "[r]\nrw=randread\nsize=400k\nio_size=800k\niodepth=3\n", t));
	assert_int_equal(g->calls, 200);
	for (size_t i = 0; i < g->calls; i++) {
		assert_true(g->call[i].block < 100);
		assert_int_equal(++seen[g->call[i].block], i < 100 ? 1 : 2);
		in_order += i && g->call[i].block == g->call[i - 1].block + 1;
	}
	assert_true(in_order < 20);
	rig_free(g);
	g = rig_new(128, 0, 0);
	json_decref(run(g, "[r]\nrw=randread\nsize=400k\nnorandommap\n", t));
	memset(seen, 0, sizeof seen);
	unsigned never = 0;
	for (size_t i = 0; i < g->calls; i++)
		seen[g->call[i].block]++;
	for (size_t i = 0; i < 100; i++)
		never += !seen[i];
	assert_true(never > 20 && never < 55); /* about 100 / e */
	free(t);
	rig_free(g);
}

static void zipf_prefers_few(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	unsigned seen[1024] = {0}, most = 0;
	(void)state;
	json_decref(run(g, "[r]\nrw=randwrite\nrandom_distribution=zipf:1.2\nio_size=40M\niodepth=8\n", t));
	assert_int_equal(g->calls, 10240);
	for (size_t i = 0; i < g->calls; i++)
		most = ++seen[g->call[i].block] > most ? seen[g->call[i].block] : most;
	/* 1 / zeta(1024, 1.2) = 0.231 */
	assert_true(most > 2250 && most < 2490);
	uint64_t digest = 0;
	for (size_t i = 0; i < g->calls; i++)
		digest = pl_mix64(digest ^ g->call[i].block);
	assert_int_equal(digest, 0xed8f9d0f11e5b579); /* the same from every compiler */
	free(t);
	rig_free(g);
}

static void mixed_directions_have_their_share(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	(void)state;
	json_decref(run(g, "[r]\nrw=randrw\nrwmixread=70\nnumber_ios=10000\nio_size=1g\niodepth=4\n", t));
	assert_int_equal(g->calls, 10000);
	size_t reads = calls_of(g, DEV_READ);
	assert_true(reads > 6850 && reads < 7150);
	rig_free(g);
	g = rig_new(1024, 0, 0);
	json_decref(run(g, "[r]\nrw=rw\nsize=1m\n", t)); /* each direction has its own position */
	uint64_t at[2] = {0};
	for (size_t i = 0; i < g->calls; i++)
		assert_int_equal(g->call[i].block, at[g->call[i].op == DEV_WRITE]++);
	assert_int_equal(at[0] + at[1], 256);
	assert_true(at[0] > 90 && at[1] > 90);
	free(t);
	rig_free(g);
}

static void a_sync_comes_after_n_writes(void **state)
{
	static const struct expected e[] = {{DEV_WRITE, 0, 0}, {DEV_WRITE, 1, 0}, {DEV_WRITE, 2, 0},
		{DEV_SYNC, 0, 0}, /* the fourth place; while it runs, nothing is issued */
		{DEV_WRITE, 3, 100000}, {DEV_WRITE, 4, 100000}, {DEV_WRITE, 5, 100000}};
	struct rig *g = rig_new(64, 0, 0);
	struct device_tally *t = tally_new();
	(void)state;
	json_decref(run(g, "[s]\nrw=write\nsize=24k\nfsync=3\niodepth=4\n", t));
	assert_calls(g, e, PL_COUNT(e));
	free(t);
	rig_free(g);
}

/* The same requests as fio 3.33 makes of these jobs (its write_iolog). */
static void sizes_need_not_be_multiples(void **state)
{
	static const struct expected size[] = {{DEV_READ, 0, 0}, {DEV_READ, 2, 10000}, {DEV_READ, 4, 20000}};
	static const struct expected io_size[] = {{DEV_WRITE, 0, 0}, {DEV_WRITE, 2, 10000}, {DEV_WRITE, 4, 20000}};
	struct rig *g = rig_new(64, 0, 0);
	struct device_tally *t = tally_new();
	(void)state;
	json_decref(run(g, "[s]\nrw=read\nbs=8k\nsize=20k\n", t));
	assert_calls(g, size, PL_COUNT(size));
	rig_free(g);
	g = rig_new(64, 0, 0);
	json_decref(run(g, "[s]\nrw=write\nbs=8k\nsize=64k\nio_size=20k\n", t));
	assert_calls(g, io_size, PL_COUNT(io_size));
	rig_free(g);
	g = rig_new(5, 0, 0); /* at the device's end there is no room for it */
	json_decref(run(g, "[s]\nrw=read\nbs=8k\n", t));
	assert_int_equal(g->calls, 3);
	assert_int_equal(g->call[2].block, 0);
	free(t);
	rig_free(g);
}

static void rates_and_runtimes_are_kept(void **state)
{
	struct rig *g = rig_new(64, 0, 0);
	struct device_tally *t = tally_new();
	(void)state;
	json_decref(run(g, "[s]\nrw=randread\nrate_iops=3000\nruntime=10ms\ntime_based\niodepth=4\n", t));
	assert_int_equal(g->calls, 30);
	for (size_t i = 0; i < g->calls; i++)
		assert_int_equal(g->call[i].at_ns - BEGIN_NS, i * 1000000000 / 3000);
	rig_free(g);
	g = rig_new(64, 0, 0);
	json_t *out = run(g, "[s]\nrw=read\nruntime=1ms\ntime_based=1\n", t); /* 10 us each, round and round */
	assert_int_equal(g->calls, 100);
	assert_int_equal(g->call[64].block, 0);
	assert_int_equal(number(job(out, 0), "end_ns"), 1000000);
	json_decref(out);
	rig_free(g);
	g = rig_new(64, 0, 0);
	json_decref(run(g, "[s]\nrw=read\nruntime=1s\nsize=16k\n", t)); /* the region ends first */
	assert_int_equal(g->calls, 4);
	free(t);
	rig_free(g);
}

static void jobs_run_together_or_one_after_the_other(void **state)
{
	static const struct expected e[] = {{DEV_WRITE, 0, 0}, {DEV_READ, 32, 0}, {DEV_WRITE, 1, 10000},
		{DEV_READ, 33, 10000}, {DEV_READ, 34, 20000}, /* b goes on alone */
		{DEV_PUNCH, 0, 30000}, {DEV_READ, 4, 30000}, /* c and d, behind the wall */
		{DEV_READ, 8, 45000}}; /* e waits for c, and 5 us more */
	struct rig *g = rig_new(64, 0, 0);
	struct device_tally *t = tally_new();
	(void)state;
	json_t *out = run(g,
		"[a]\nrw=write\nsize=8k\n[b]\nrw=read\noffset=50%\nsize=12k\n[c]\nstonewall\nrw=trim\nsize=4k\n"
		"[d]\nrw=read\noffset=16k\nsize=4k\n[e]\nrw=read\noffset=32k\nsize=4k\nwait_for=c\nstartdelay=5us\n",
		t);
	assert_calls(g, e, PL_COUNT(e));
	assert_int_equal(number(job(out, 2), "begin_ns"), 30000);
	json_decref(out);
	free(t);
	rig_free(g);
}

static void clones_share_the_region_but_not_the_dice(void **state)
{
	struct rig *g = rig_new(64, 0, 0), *h;
	struct device_tally *t = tally_new();
	(void)state;
	json_t *out =
		run(g, "[r]\nrw=randread\nnumjobs=3\n[s]\nrw=read\nnumjobs=2\nsize=8k\noffset_increment=16k\n", t);
	assert_int_equal(json_array_size(json_object_get(out, "jobs")), 5);
	assert_int_equal(calls_of(g, DEV_READ), 3 * 64 + 2 * 2);
	assert_int_equal(number(job(out, 4), "offset_bytes"), 16384);
	assert_true(g->call[0].block != g->call[1].block || g->call[5].block != g->call[6].block);
	json_decref(out);
	h = rig_new(64, 0, 0);
	json_decref(run(h, "[r]\nrw=randread\nnumjobs=3\n[s]\nrw=read\nnumjobs=2\nsize=8k\noffset_increment=16k\n", t));
	assert_memory_equal(g->call, h->call, g->calls * sizeof *g->call);
	rig_free(h);
	h = rig_new(64, 0, 0);
	json_decref(run(h, "[r]\nrw=randread\nnumjobs=3\nrandseed=9\n", t));
	assert_memory_not_equal(g->call, h->call, 32 * sizeof *g->call);
	rig_free(h);
	free(t);
	rig_free(g);
}

static void zoned_writes_keep_the_rules(void **state)
{
	/* 16 zones of 16 blocks, of which 14 can be written; requests of 3 blocks leave 2 */
	struct rig *g = rig_new(256, 16, 2);
	struct device_tally *t = tally_new();
	(void)state;
	json_t *out = run(g,
		"[global]\nzonemode=zbd\nmax_open_zones=4\nbs=12k\n[w]\nrw=randwrite\nio_size=6M\niodepth=8\n"
		"[v]\nrw=randrw\nio_size=3M\niodepth=2\n",
		t);
	assert_int_equal(t->errors, 0);
	assert_false(g->overlapped);
	assert_int_equal(g->open_max_seen, 4);
	assert_int_equal(number(job(out, 0), "requests"), 512);
	assert_true(calls_of(g, DEV_ZONE_RESET) > 50 && calls_of(g, DEV_ZONE_FINISH) > 50);
	assert_true(calls_of(g, DEV_READ) > 90);
	json_decref(out);
	free(t);
	rig_free(g);
}

static void zoned_jobs_in_order(void **state)
{
	static const struct expected e[] = {{DEV_WRITE, 16, 0}, {DEV_WRITE, 20, 10000}, {DEV_WRITE, 24, 20000},
		{DEV_WRITE, 32, 30000}, {DEV_READ, 16, 40000}, {DEV_READ, 20, 50000}, {DEV_READ, 24, 60000},
		{DEV_READ, 32, 70000}, {DEV_READ, 16, 80000}, {DEV_ZONE_RESET, 16, 90000},
		{DEV_ZONE_RESET, 32, 100000}};
	struct rig *g = rig_new(64, 4, 4);
	struct device_tally *t = tally_new();
	(void)state;
	json_t *out = run(g,
		"[global]\nzonemode=zbd\noffset=1z\nsize=2z\nbs=16k\n[w]\nrw=write\nio_size=64k\n"
		"[r]\nstonewall\nrw=read\nio_size=80k\n[t]\nstonewall\nrw=trim\nbs=64k\nio_size=1M\n",
		t);
	assert_calls(g, e, PL_COUNT(e));
	assert_true(json_is_true(json_object_get(job(out, 2), "ended_early"))); /* nothing was left to reset */
	json_decref(out);
	free(t);
	rig_free(g);
}

static void bad_input_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
		bool zones;
	} cases[] = {
		{"", "holds no job", false},
		{"[global]\nrw=read\n", "holds no job", false},
		{"rw=read\n[a]\n", ":1: option 'rw' stands before", false},
		{"[a\nrw=read\n", ":1: a section's name", false},
		{"[a]\nrw=reed\n", ":2: rw: 'reed'", false},
		{"[a]\nrw=randread:8\n", ":2: rw: 'randread:8'", false},
		{"[a]\n\nverify=crc32c\n", ":3: fio option 'verify' is not supported", false},
		{"[a]\niodeth=4\n", ":2: fio option 'iodeth' is not supported; did you mean 'iodepth'?", false},
		{"[a]\nbs=4k,8k\n", ":2: bs: '4k,8k' is more than a single size", false},
		{"[a]\nbs=4k-8k\n", ":2: bs: '4k-8k' is more than a single size", false},
		{"[a]\nbs=4kib\n", ":2: bs: fio takes '4kib' for powers of 1000; write 4k", false},
		{"[a]\nbs=big\n", ":2: bs: 'big' is no size", false},
		{"[a]\nbs=6k\n", ":2: bs: 6144 is no multiple of the device's 4096", false},
		{"[a]\nbs=0\n", ":2: bs: 0 is outside", false},
		{"[a]\nsize=1g\n", ":2: size: 1073741824 bytes from 0 on go beyond the device's 262144", false},
		{"[a]\nsize=2k\n", ":2: size: 2048 is less than one block", false},
		{"[a]\nsize=101%\n", ":2: size: '101%' is outside", false},
		{"[a]\nsize=1z\n", ":2: size: counted in zones, but device rig has none", false},
		{"[a]\noffset=1g\n", ":2: offset: clone 0 of a begins beyond", false},
		{"[a]\noffset=100\n", ":2: offset and size: 100 and", false},
		{"[a]\niodepth=0\n", ":2: iodepth: 0 is outside", false},
		{"[a]\nnumjobs=257\n", ":2: numjobs: 257 is outside", false},
		{"[a]\nnumjobs=200\n[b]\nnumjobs=200\n", ":3: with job b there are 400 clones", false},
		{"[a]\ntime_based\n", ":1: job a is time_based", false},
		{"[a]\ntime_based=yes\n", ":2: time_based: 'yes'", false},
		{"[a]\nruntime=5x\n", ":2: runtime: '5x' is no time", false},
		{"[a]\nrate_iops=4,5,6,7\n", ":2: rate_iops", false},
		{"[a]\nrate_iops=fast\n", ":2: rate_iops: 'fast'", false},
		{"[a]\nrandom_distribution=pareto:0.9\n", ":2: random_distribution: 'pareto:0.9'", false},
		{"[a]\nrandom_distribution=zipf:x\n", ":2: random_distribution", false},
		{"[a]\nrwmixread=101\n", ":2: rwmixread: 101", false},
		{"[a]\nwait_for=b\n", "wait_for: 0 jobs above are named 'b'", false},
		{"[a]\n[a]\n[b]\nwait_for=a\n", "wait_for: 2 jobs", false},
		{"[a]\nzonemode=strided\n", ":2: zonemode: 'strided'", false},
		{"[a]\nzonemode=zbd\n", ":2: zonemode=zbd, but device rig has no", false},
		{"[a]\nrw=write\n", ":2: device rig takes writes at the pointers", true},
		{"[a]\nzonemode=zbd\nrw=randread\n", ":3: job a reads zones that hold nothing", true},
		{"[a]\nzonemode=zbd\nrw=trim\n", "bs: a trim resets a zone", true},
		{"[a]\nzonemode=zbd\nrw=write\nbs=64k\n", ":4: bs: 65536 bytes do not fit", true},
		{"[a]\nzonemode=zbd\nrw=write\noffset=4k\n", ":4: offset and size: 4096", true},
		{"[a]\nzonemode=zbd\nrw=write\nmax_open_zones=9\n", ":4: max_open_zones: 9 is more than the device's 8",
			true},
		{"[a]\ninclude other.fio\n", ":2: fio option 'include other.fio' is not supported", false},
	};
	struct device_tally *t = tally_new();
	(void)state;
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct rig *g = cases[i].zones ? rig_new(256, 16, 2) : rig_new(64, 0, 0);
		struct pl_fault f = {0};
		json_t *out = NULL;
		char *path = rig_file(cases[i].text);
		g->dev.caps.max_open = cases[i].zones ? 8 : 0;
		int err = fio_job_run(&g->dev, 0, path, 1, t, &out, &f);
		if (err != PL_INVALID || !strstr(f.text, cases[i].why) || !strstr(f.text, path))
			fail_msg("'%s': %d '%s' does not say '%s'", cases[i].text, err, f.text, cases[i].why);
		assert_null(out);
		assert_int_equal(t->requests, 0);
		(void)unlink(path);
		free(path);
		rig_free(g);
	}
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_at_a_depth),
		cmocka_unit_test(a_map_covers_every_block_once_a_lap),
		cmocka_unit_test(zipf_prefers_few),
		cmocka_unit_test(mixed_directions_have_their_share),
		cmocka_unit_test(a_sync_comes_after_n_writes),
		cmocka_unit_test(sizes_need_not_be_multiples),
		cmocka_unit_test(rates_and_runtimes_are_kept),
		cmocka_unit_test(jobs_run_together_or_one_after_the_other),
		cmocka_unit_test(clones_share_the_region_but_not_the_dice),
		cmocka_unit_test(zoned_writes_keep_the_rules),
		cmocka_unit_test(zoned_jobs_in_order),
		cmocka_unit_test(bad_input_is_refused),
	};
	return cmocka_run_group_tests_name("fio_job", tests, NULL, NULL);
}
