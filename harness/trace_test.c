/* trace_test.c - traces: what each format means, when requests come, and what is refused. */
#include "harness/trace_rig.h"

static const struct trace_options defaults;

static int play(struct rig *g, const struct trace_options *o, const char *path, struct trace_result *r,
	struct device_tally *t, struct pl_fault *f)
{
	memset(r, 0, sizeof *r);
	memset(f, 0, sizeof *f);
	return trace_replay(&g->dev, 1000000, o, path, t, r, f);
}

static void assert_call(const struct rig *g, size_t i, enum dev_op op, uint64_t block, uint64_t blocks, uint64_t at_ns)
{
	assert_true(i < g->calls);
	assert_string_equal(dev_op_name[g->call[i].op], dev_op_name[op]);
	assert_int_equal(g->call[i].block, block);
	assert_int_equal(g->call[i].blocks, blocks);
	assert_int_equal(g->call[i].at_ns, 1000000 + at_ns);
}

static void iolog_3_keeps_its_times(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	if (play(g, &defaults, "harness/traces/fio-3.log", &r, t, &f))
		fail_msg("%s", f.text);
	assert_int_equal(g->calls, 7);
	assert_call(g, 0, DEV_WRITE, 0, 1, 0);
	assert_call(g, 1, DEV_WRITE, 1, 1, 10000);
	assert_call(g, 2, DEV_READ, 0, 1, 10000);
	assert_call(g, 3, DEV_READ, 0, 2, 35000); /* bytes 1000..6000 */
	assert_call(g, 4, DEV_SYNC, 0, 0, 60000);
	assert_call(g, 5, DEV_PUNCH, 1, 1, 200000); /* bytes 2048..10240 hold block 1 whole */
	assert_call(g, 6, DEV_SYNC, 0, 0, 300000);
	assert_string_equal(r.format, "fio-3");
	assert_int_equal(r.lines, 12);
	assert_int_equal(r.records, 8);
	assert_int_equal(r.skipped, 3);
	assert_int_equal(r.requests, 7);
	assert_int_equal(r.rounded_requests, 2);
	assert_int_equal(r.trims_without_block, 1);
	assert_int_equal(r.trace_ns, 300000);
	assert_int_equal(r.depth, 0);
	assert_int_equal(t->op[DEV_WRITE].requests, 2);
	assert_int_equal(t->op[DEV_SYNC].latency.sum, 200000);
	assert_int_equal(t->requests, 7);
	free(t);
	rig_free(g);
}

static void speed_divides_times(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_options o;
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	assert_int_equal(trace_options_parse(&(struct trace_words){.speed = "2.5", .format = "fio"}, &o, &f), PL_OK);
	assert_int_equal(play(g, &o, "harness/traces/fio-3.log", &r, t, &f), PL_OK);
	assert_call(g, 1, DEV_WRITE, 1, 1, 4000);
	assert_call(g, 6, DEV_SYNC, 0, 0, 120000);
	free(t);
	rig_free(g);
}

static void closed_loop_keeps_the_depth(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_options o;
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	assert_int_equal(trace_options_parse(&(struct trace_words){.closed = "2"}, &o, &f), PL_OK);
	assert_int_equal(play(g, &o, "harness/traces/fio-3.log", &r, t, &f), PL_OK);
	assert_int_equal(g->depth_max, 2);
	assert_int_equal(r.depth_max_seen, 2);
	assert_call(g, 1, DEV_WRITE, 1, 1, 0);
	assert_call(g, 2, DEV_READ, 0, 1, 10000);
	assert_call(g, 4, DEV_SYNC, 0, 0, 20000);
	assert_call(g, 6, DEV_SYNC, 0, 0, 30000);
	assert_int_equal(t->op[DEV_READ].latency.greatest, 10000);
	free(t);
	rig_free(g);
}

static void iolog_2_waits(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	if (play(g, &defaults, "harness/traces/fio-2.log", &r, t, &f))
		fail_msg("%s", f.text);
	assert_int_equal(g->calls, 7);
	assert_int_equal(r.depth, 1);
	assert_call(g, 0, DEV_WRITE, 0, 4, 0);
	assert_call(g, 1, DEV_WRITE, 4, 4, 10000);
	assert_call(g, 2, DEV_SYNC, 0, 0, 20000);
	assert_call(g, 3, DEV_READ, 1, 1, 500000); /* after the wait, not after the sync */
	assert_call(g, 4, DEV_READ, 5, 2, 510000);
	assert_call(g, 5, DEV_PUNCH, 0, 4, 520000);
	assert_call(g, 6, DEV_SYNC, 0, 0, 530000); /* waits below 100 us count for nothing */
	free(t);
	rig_free(g);
}

static void blkparse_takes_one_action(void **state)
{
	struct rig *g = rig_new(1 << 20, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_options o;
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	if (play(g, &defaults, "harness/traces/blkparse.txt", &r, t, &f))
		fail_msg("%s", f.text);
	assert_string_equal(r.format, "blkparse:D");
	assert_int_equal(g->calls, 7);
	assert_call(g, 0, DEV_WRITE, 256, 1, 0);
	assert_call(g, 1, DEV_READ, 512, 4, 17500);
	assert_call(g, 2, DEV_SYNC, 0, 0, 97000);
	assert_call(g, 3, DEV_WRITE, 257, 1, 97000);
	assert_call(g, 4, DEV_SYNC, 0, 0, 197000);
	assert_call(g, 5, DEV_PUNCH, 1024, 8, 296000);
	assert_call(g, 6, DEV_READ, 0, 1, 316000);
	assert_int_equal(r.forced_writes, 1);
	assert_int_equal(r.rounded_requests, 1);
	assert_int_equal(r.skipped, 11); /* ten of other actions, one that moves no data */
	rig_free(g);
	g = rig_new(1 << 20, 0, 0);
	assert_int_equal(trace_options_parse(&(struct trace_words){.format = "blkparse:Q"}, &o, &f), PL_OK);
	assert_int_equal(play(g, &o, "harness/traces/blkparse.txt", &r, t, &f), PL_OK);
	assert_int_equal(g->calls, 5);
	assert_call(g, 1, DEV_READ, 512, 4, 20000);
	rig_free(g);
	g = rig_new(1 << 20, 0, 0);
	assert_int_equal(trace_options_parse(&(struct trace_words){.format = "blkparse:C"}, &o, &f), PL_OK);
	char *path = rig_file("  8,16   0       12     0.000349000    77  C  FW 0 [0]\n"
			      "  8,16   0       18     0.000549000    77  C  RM 8 + 8 [0]\n"
			      "  8,16   0       19     0.000599000    77  C   R 99 + 8 [65531]\n");
	assert_int_equal(play(g, &o, path, &r, t, &f), PL_OK);
	assert_int_equal(g->calls, 2); /* the last one failed */
	assert_call(g, 0, DEV_SYNC, 0, 0, 0);
	assert_call(g, 1, DEV_READ, 1, 1, 200000);
	(void)unlink(path);
	free(path);
	free(t);
	rig_free(g);
}

static void msr_counts_from_its_first_record(void **state)
{
	struct rig *g = rig_new(1 << 20, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	if (play(g, &defaults, "harness/traces/msr.csv", &r, t, &f))
		fail_msg("%s", f.text);
	assert_int_equal(g->calls, 4);
	assert_call(g, 0, DEV_READ, 93627, 8, 0);
	assert_call(g, 1, DEV_WRITE, 689, 1, 1332052600);
	assert_call(g, 2, DEV_WRITE, 690, 2, 2332061600);
	assert_call(g, 3, DEV_READ, 0, 1, 2332261600);
	assert_int_equal(r.rounded_requests, 2);
	free(t);
	rig_free(g);
}

/* Latency counts from when the trace wanted the request, also when it had to wait for a place. */
static void open_loop_counts_lateness(void **state)
{
	struct lab_text text = {0};
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	lab_text_add(&text, "fio version 3 iolog\n0 a add\n0 a open\n");
	for (unsigned i = 0; i < TRACE_DEPTH_MAX + 10; i++)
		lab_text_add(&text, "0 a read 0 4096\n");
	char *path = rig_file(text.s);
	assert_int_equal(play(g, &defaults, path, &r, t, &f), PL_OK);
	assert_int_equal(g->depth_max, TRACE_DEPTH_MAX);
	assert_int_equal(r.late_requests, 10);
	assert_int_equal(t->op[DEV_READ].latency.greatest, 20000);
	assert_int_equal(t->op[DEV_READ].latency.sum, 10000 * ((uint64_t)TRACE_DEPTH_MAX + 20));
	(void)unlink(path);
	free(path);
	free(text.s);
	free(t);
	rig_free(g);
}

static void zones_take_writes_at_the_pointer(void **state)
{
	static const char good[] = "fio version 3 iolog\n0 a add\n0 a open\n0 a write 0 8192\n5 a write 8192 8192\n"
				   "6 a read 4096 65536\n9 a write 32768 4096\n20 a trim 0 32768\n40 a write 0 4096\n";
	struct rig *g = rig_new(64, 8, 2);
	struct device_tally *t = tally_new();
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	char *path = rig_file(good);
	if (play(g, &defaults, path, &r, t, &f))
		fail_msg("%s", f.text);
	assert_call(g, 4, DEV_ZONE_RESET, 0, 0, 20000);
	assert_int_equal(g->pointer[0], 1);
	assert_int_equal(g->pointer[1], 9);
	(void)unlink(path);
	free(path);
	free(t);
	rig_free(g);
}

/* ---- what is refused */

struct refusal {
	const char *text; /* of the trace */
	const char *why; /* somewhere in the sentence */
	struct trace_words words;
	bool zones;
};

#define V2 "fio version 2 iolog\n"
#define V3 "fio version 3 iolog\n0 a add\n0 a open\n"
#define BLK "8,0 0 1 0.000001 7 D W 8 + 8 [w]\n"
#define MSR "128166372003061629,h,0,Read,0,4096,1\n"

static const struct refusal refusals[] = {
	{"", "is empty", {0}, false},
	{"hello\n", ":1: 'hello' begins no trace", {0}, false},
	{"\x1f\x8b\x08 \n", "zcat", {0}, false},
	{"fio version 1 iolog\n", "version 2", {0}, false},
	{V2, "holds no request", {0}, false},
	{V2 "a read 0 4096\n", ":2: a is used, but was not added and opened", {0}, false},
	{V2 "a add\na read 0 4096\n", ":3: a is used, but was not opened", {0}, false},
	{V2 "a add\na open\na close\na close\n", ":5: a is closed", {0}, false},
	{V2 "a add\na open\nb add\nb open\na read 0 4096\nb read 0 4096\n", ":7: a request of file b, but line 6", {0},
		false},
	{V2 "a add\na open\na read 0\n", ":4: 3 fields", {0}, false},
	{V2 "a add\na open\na chew 0 4096\n", ":4: 'chew'", {0}, false},
	{V2 "a add\na open\na read 0 4k\n", ":4: offset '0' and length '4k'", {0}, false},
	{V2 "a add\na open\na read -1 4096\n", "offset '-1'", {0}, false},
	{V2 "a add\na open\na read 0 0\n", "size 0", {0}, false},
	{V2 "a add\na open\na read 99999999999999999999 1\n", "not both whole", {0}, false},
	{V3 "1 a wait 0 0\n", ":4: an iolog of version 3", {0}, false},
	{V3 "x a read 0 4096\n", ":4: 'x' is no time", {0}, false},
	{V3 "5 a read 0 4096\n4 a read 0 4096\n", ":5: time runs backwards by 1000 ns", {0}, false},
	{V3 "5 a read 4190208 8192\n", ":4: a read of 8192 bytes at 4190208 goes beyond the device's 4194304", {0},
		false},
	{V3 "5 a read 4294967296 4096\n", "goes beyond", {0}, false},
	{V3 "5 a read 8192 8\n6 a read 8200 8\n", "--trace-block 512", {0}, false},
	{V3 "5 a read 0 2199023255552\n", "units", {0}, false},
	{V3 "5 a read 0 4096\n6 a read 100 4096\n", ":5: a read of 4096 bytes at 100 is not of whole blocks",
		{.strict = true}, false},
	{V3 "5 a trim 0 100\n", ":4: a trim of 100 bytes", {.strict = true}, false},
	{BLK "8,0 0 1 0.000000 7 D W 8 + 8 [w]\n", ":2: time runs backwards", {0}, false},
	{BLK "8,16 0 1 0.000002 7 D W 8 + 8 [w]\n", ":2: a request of device 8,16, but line 1", {0}, false},
	{BLK "8,0 0 1 0.000002 7 D W\n", ":2: a write without", {0}, false},
	{BLK "8,0 0 1 0.000002 7 D W x + 8 [w]\n", ":2: sector 'x'", {0}, false},
	{BLK "8,0 0 1 0.000002 7 D QQ 8 + 8 [w]\n", ":2: 'QQ' is no operation", {0}, false},
	{BLK "8,0 0 1 0.000002 7 Z W 8 + 8 [w]\n", ":2: 'Z' is no action", {0}, false},
	{BLK "8,0 0 1 0.x 7 D W 8 + 8 [w]\n", ":2: '0.x' is no time", {0}, false},
	{BLK "8,0 0 1\n", ":2: 3 fields", {0}, false},
	{"8,0 0 1 0.000001 7 Q W 8 + 8 [w]\n", "it has some with Q: --trace-format blkparse:Q", {0}, false},
	{BLK, "goes beyond", {.block = "1M"}, false},
	{MSR "128166372003061628,h,0,Read,0,4096,1\n", ":2: time runs backwards by 100 ns", {0}, false},
	{MSR "128166372003061630,h,0,Read,0,4096\n", ":2: 6 fields", {0}, false},
	{MSR "128166372003061630,h,0,Trim,0,4096,1\n", ":2: 'Trim' is neither", {0}, false},
	{MSR "128166372003061630,h,1,Read,0,4096,1\n", ":2: a request of disk h 1, but line 1", {0}, false},
	{MSR "128166372003061630,h,0,Read,7,8,1\n", ":2: offset 7 and size 8 are not whole sectors", {0}, false},
	{MSR "128166372003061630,h,0,Read,0x7,8,1\n", ":2: disk '0', offset '0x7'", {0}, false},
	{MSR, "begins with `fio version 2", {.format = "fio"}, false},
	{V3 "0 a write 4096 4096\n", ":4: a write at block 1, but the pointer of zone 0 is at block 0", {0}, true},
	{V3 "0 a write 0 4096\n0 a write 0 4096\n", ":5: a write at block 0, but the pointer", {0}, true},
	{V3 "0 a write 0 53248\n", ":4: a write of 13 blocks at block 0, but zone 0 ends at block 12", {0}, true},
	{V3 "0 a write 0 49152\n1 a write 49152 4096\n", ":5: a write at block 12, but zone 0 is full", {0}, true},
	{V3 "0 a trim 0 4096\n", ":4: a trim of 4096 bytes at 0; on a sequential", {0}, true},
};

static void bad_input_is_refused(void **state)
{
	struct device_tally *t = tally_new();
	(void)state;
	for (size_t i = 0; i < PL_COUNT(refusals); i++) {
		const struct refusal *c = &refusals[i];
		struct rig *g = c->zones ? rig_new(128, 8, 4) : rig_new(1024, 0, 0);
		struct trace_options o;
		struct trace_result r = {0}, untouched = {0};
		struct pl_fault f = {0};
		char *path = rig_file(c->text);
		assert_int_equal(trace_options_parse(&c->words, &o, &f), PL_OK);
		int err = play(g, &o, path, &r, t, &f);
		if (err != PL_INVALID || !strstr(f.text, c->why) || !strstr(f.text, path))
			fail_msg("trace %zu: %d '%s' does not say '%s'", i, err, f.text, c->why);
		assert_memory_equal(&r, &untouched, sizeof r);
		assert_int_equal(t->requests, 0);
		(void)unlink(path);
		free(path);
		rig_free(g);
	}
	free(t);
}

static void bad_options_are_refused(void **state)
{
	static const struct {
		struct trace_words words;
		const char *why;
	} cases[] = {{{.format = "blktrace"}, "--trace-format: 'blktrace'"},
		{{.format = "blkparse:X"}, "--trace-format"}, {{.format = "fio:Q"}, "--trace-format"},
		{{.speed = "0"}, "--trace-speed"}, {{.speed = "1x"}, "--trace-speed"},
		{{.speed = "nan"}, "--trace-speed"}, {{.closed = "0"}, "--trace-closed"},
		{{.closed = "70000"}, "--trace-closed"}, {{.block = "0"}, "--trace-block"},
		{{.block = "3M"}, "--trace-block"}, {{.reorder = "-1"}, "--trace-reorder"},
		{{.speed = "2", .closed = "4"}, "give one"}};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct trace_options o;
		struct pl_fault f = {0};
		assert_int_equal(trace_options_parse(&cases[i].words, &o, &f), PL_INVALID);
		if (!strstr(f.text, cases[i].why))
			fail_msg("'%s' does not say '%s'", f.text, cases[i].why);
	}
}

static void a_missing_file_is_an_io_error(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	assert_int_equal(play(g, &defaults, "/nonexistent/trace", &r, t, &f), PL_IO);
	assert_non_null(strstr(f.text, "/nonexistent/trace"));
	assert_int_equal(play(g, &defaults, "/tmp", &r, t, &f), PL_IO);
	free(t);
	rig_free(g);
}

static void records_may_be_put_into_order(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_options o = {.reorder = 2};
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	char *path = rig_file(V3 "30 a read 0 4096\n10 a read 4096 4096\n20 a read 8192 4096\n25 a read 12288 4096\n"
				 "40 a read 16384 4096\n");
	if (play(g, &o, path, &r, t, &f))
		fail_msg("%s", f.text);
	assert_call(g, 0, DEV_READ, 1, 1, 0);
	assert_call(g, 1, DEV_READ, 2, 1, 10000);
	assert_call(g, 2, DEV_READ, 3, 1, 15000);
	assert_call(g, 3, DEV_READ, 0, 1, 20000);
	assert_int_equal(r.reordered, 3);
	o.reorder = 1; /* 10, 20 leave first; then 25 and 30 */
	assert_int_equal(play(g, &o, path, &r, t, &f), PL_OK);
	(void)unlink(path);
	free(path);
	path = rig_file(V3 "30 a read 0 4096\n35 a read 4096 4096\n36 a read 4096 4096\n20 a read 8192 4096\n");
	assert_int_equal(play(g, &o, path, &r, t, &f), PL_INVALID);
	assert_non_null(strstr(f.text, ":7: time runs backwards by 15000 ns"));
	(void)unlink(path);
	free(path);
	free(t);
	rig_free(g);
}

static void a_zone_error_ends_and_others_are_counted(void **state)
{
	struct device_tally *t = tally_new();
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	char *path = rig_file(V3 "0 a write 0 4096\n1 a write 4096 4096\n");
	struct rig *g = rig_new(64, 8, 2);
	g->status = PL_ZONE_OPEN_LIMIT;
	assert_int_equal(play(g, &defaults, path, &r, t, &f), PL_INVALID);
	assert_non_null(strstr(f.text, ":4: the device refused this write at block 0 (zone 0): too many open zones"));
	rig_free(g);
	g = rig_new(64, 0, 0);
	g->status = PL_IO;
	assert_int_equal(play(g, &defaults, path, &r, t, &f), PL_OK);
	assert_int_equal(t->op[DEV_WRITE].errors, 1);
	assert_int_equal(t->op[DEV_WRITE].requests, 2);
	(void)unlink(path);
	free(path);
	free(t);
	rig_free(g);
}

static void the_result_is_told(void **state)
{
	struct rig *g = rig_new(1024, 0, 0);
	struct device_tally *t = tally_new();
	struct trace_result r;
	struct pl_fault f;
	(void)state;
	assert_int_equal(play(g, &defaults, "harness/traces/fio-3.log", &r, t, &f), PL_OK);
	json_t *o = trace_json(&r);
	assert_string_equal(json_string_value(json_object_get(o, "loop")), "open");
	assert_int_equal(json_integer_value(json_object_get(o, "rounded_requests")), 2);
	assert_non_null(json_object_get(o, "rounding"));
	json_decref(o);
	free(t);
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iolog_3_keeps_its_times),
		cmocka_unit_test(speed_divides_times),
		cmocka_unit_test(closed_loop_keeps_the_depth),
		cmocka_unit_test(iolog_2_waits),
		cmocka_unit_test(blkparse_takes_one_action),
		cmocka_unit_test(msr_counts_from_its_first_record),
		cmocka_unit_test(open_loop_counts_lateness),
		cmocka_unit_test(zones_take_writes_at_the_pointer),
		cmocka_unit_test(bad_input_is_refused),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(a_missing_file_is_an_io_error),
		cmocka_unit_test(records_may_be_put_into_order),
		cmocka_unit_test(a_zone_error_ends_and_others_are_counted),
		cmocka_unit_test(the_result_is_told),
	};
	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
