/* driver_test.c - clients against a real store on a simulated device: times, counts, and that verification notices. */
#include "harness/driver.h"
#include "harness/options.h"
#include "harness/util.h"
#include "variants/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct rig {
	struct pl_conf conf;
	struct kv_choice choice;
	struct expected expected;
	struct drv d;
	uint64_t stop_after;
};

static void set(struct rig *r, const char *key, const char *value)
{
	struct pl_fault f = {0};
	if (pl_conf_set(&r->conf, key, value, &f))
		fail_msg("%s", f.text);
}

static struct rig *rig_open(const char *workload, const char *records, const char *operations, uint32_t clients)
{
	struct rig *r = lab_calloc(1, sizeof *r);
	struct pl_fault f = {0};
	lab_conf_init(&r->conf);
	set(r, "device", "sim_ssd");
	set(r, "placement", "zone");
	set(r, "workload", workload);
	set(r, "records", records);
	set(r, "operations", operations);
	set(r, "pool_bytes", "1M");
	set(r, "log_bytes", "1M");
	r->d.clients = clients;
	r->d.simulated = true;
	r->d.expected = &r->expected;
	if (reg_choose(&r->conf, &r->choice, &f) || wl_open(&r->conf, 1, clients, &r->d.wl, &f))
		fail_msg("%s", f.text);
	struct dev_args a = {
		.conf = &r->conf, .seed = 1, .capacity_bytes = 64u << 20, .block_bytes = 4096, .create = true};
	expected_init(&r->expected, r->d.wl);
	if (dev_open(r->choice.device, &a, &r->d.dev, &f))
		fail_msg("%s", f.text);
	drv_start_clock(&r->d);
	if (kv_format(&r->choice, &r->conf, 1, r->d.dev, &r->d.x, &f) ||
		kv_open(&r->choice, &r->conf, r->d.dev, &r->d.x, &r->d.kv, &f))
		fail_msg("%s", f.text);
	return r;
}

static void rig_close(struct rig *r)
{
	struct pl_fault f = {0};
	if (kv_close(r->d.kv, &r->d.x, &f))
		fail_msg("%s", f.text);
	dev_close(r->d.dev);
	wl_close(r->d.wl);
	expected_free(&r->expected);
	pl_conf_free(&r->conf);
	free(r);
}

static struct drv_result *phase(struct rig *r, const struct drv_phase *p)
{
	struct pl_fault f = {0};
	struct drv_result *result = drv_result_new();
	if (drv_run(&r->d, p, result, &f))
		fail_msg("%s", f.text);
	return result;
}

static struct drv_result *run(struct rig *r, uint64_t target)
{
	drv_result_free(
		phase(r, &(struct drv_phase){.load = true, .operations = wl_records(r->d.wl), .no_wait = true}));
	return phase(
		r, &(struct drv_phase){
			   .operations = wl_operations(r->d.wl), .target_ops_per_second = target, .series_points = 10});
}

static uint64_t sum(const struct drv_result *r, enum res_latency l)
{
	uint64_t ns = 0;
	for (int k = 0; k < WL_KINDS; k++)
		ns += r->hist[l][k].sum;
	return ns;
}

static void counts_what_it_did(void **state)
{
	(void)state;
	struct rig *r = rig_open("ycsb/a", "500", "1003", 4);
	struct drv_result *m = run(r, 0);
	const struct res_driver *c = &m->counters.driver;
	uint64_t points = 0;
	assert_int_equal(c->operations, 1003);
	assert_int_equal(c->read_operations + c->update_operations, 1003);
	assert_int_equal(m->counters.kv.gets, c->read_operations);
	assert_int_equal(m->counters.kv.updates, c->update_operations);
	assert_int_equal(m->hist[RES_SERVICE][WL_READ].count, c->read_operations);
	assert_int_equal(c->touched_bytes, c->read_operations * 1000);
	assert_int_equal(c->failures + c->not_found, 0);
	for (size_t i = 0; i < m->points; i++)
		points += m->point[i].operations;
	assert_int_equal(points, 1003);
	assert_int_equal(m->points, 10);
	assert_int_equal(m->point[9].t_ns, c->elapsed_ns);
	drv_result_free(m);
	rig_close(r);
}

static void closed_loop_keeps_clients_busy(void **state)
{
	(void)state;
	struct rig *r = rig_open("ycsb/a", "500", "1000", 4);
	struct drv_result *m = run(r, 0);
	/* Each client's responses follow each other without a gap, so together they fill clients * elapsed. */
	uint64_t all = sum(m, RES_RESPONSE), most = m->counters.driver.elapsed_ns * 4;
	assert_true(all <= most);
	assert_true(all >= most - most / 10);
	assert_true(all >= sum(m, RES_SERVICE));
	drv_result_free(m);
	rig_close(r);
}

static void open_loop_keeps_the_schedule(void **state)
{
	(void)state;
	struct rig *r = rig_open("ycsb/c", "500", "400", 4);
	struct drv_result *m = run(r, 1000);
	/* The last operation is meant to start at 399 ms; the store is far faster than the offered load. */
	assert_true(m->counters.driver.elapsed_ns >= 399000000);
	assert_true(m->counters.driver.elapsed_ns < 450000000);
	assert_true(sum(m, RES_RESPONSE) >= sum(m, RES_SERVICE));
	assert_true(sum(m, RES_RESPONSE) < 2 * sum(m, RES_SERVICE) + 400 * 1000);
	drv_result_free(m);
	rig_close(r);
}

static void open_loop_shows_what_overload_holds_up(void **state)
{
	(void)state;
	struct rig *r = rig_open("ycsb/a", "500", "2000", 4);
	struct drv_result *m = run(r, 1000000000);
	/* Everything is meant to start at once: the mean response is about half of the whole time. */
	assert_true(sum(m, RES_RESPONSE) / 2000 > m->counters.driver.elapsed_ns / 3);
	assert_true(sum(m, RES_RESPONSE) > 20 * sum(m, RES_SERVICE));
	drv_result_free(m);
	rig_close(r);
}

static void same_seed_same_result(void **state)
{
	(void)state;
	struct drv_result *m[2];
	for (int i = 0; i < 2; i++) {
		struct rig *r = rig_open("ycsb/f", "400", "1000", 8);
		m[i] = run(r, 0);
		rig_close(r);
	}
	assert_memory_equal(&m[0]->counters, &m[1]->counters, sizeof m[0]->counters);
	assert_memory_equal(m[0]->hist, m[1]->hist, sizeof m[0]->hist);
	drv_result_free(m[0]);
	drv_result_free(m[1]);
}

static bool stop_later(void *arg, uint64_t done, uint64_t of, uint64_t elapsed_ns)
{
	struct rig *r = arg;
	(void)of;
	(void)elapsed_ns;
	return done < r->stop_after;
}

static void stops_when_told(void **state)
{
	(void)state;
	struct rig *r = rig_open("ycsb/a", "2000", "100", 4);
	struct drv_result *m = drv_result_new();
	struct pl_fault f = {0};
	r->d.progress = stop_later;
	r->d.progress_arg = r;
	r->stop_after = 1000;
	assert_int_equal(drv_run(&r->d, &(struct drv_phase){.load = true, .operations = 2000, .no_wait = true}, m, &f),
		PL_INTERRUPTED);
	assert_true(m->counters.driver.operations >= 1000);
	assert_true(m->counters.driver.operations < 1100);
	drv_result_free(m);
	rig_close(r);
}

static void verify_accepts_all_workloads(void **state)
{
	(void)state;
	static const char *const name[] = {"ycsb/a", "ycsb/d", "ycsb/e", "ycsb/f"};
	for (size_t i = 0; i < PL_COUNT(name); i++) {
		struct rig *r = rig_open(name[i], "300", "1000", 8);
		struct pl_fault f = {0};
		uint64_t records, bytes;
		drv_result_free(run(r, 0));
		if (drv_verify(&r->d, &f))
			fail_msg("%s: %s", name[i], f.text);
		expected_totals(&r->expected, &records, &bytes);
		assert_int_equal(r->d.total.verified_records, records);
		assert_int_equal(r->d.total.mismatches, 0);
		rig_close(r);
	}
}

static void verify_names_the_first_mismatch(void **state)
{
	(void)state;
	struct rig *r = rig_open("ycsb/a", "300", "500", 4);
	struct pl_fault f = {0};
	drv_result_free(run(r, 0));
	r->expected.field[77 * r->expected.fields + 3].version += 1;
	assert_int_equal(drv_verify(&r->d, &f), PL_DAMAGED);
	assert_non_null(strstr(f.text, "record 77 differs"));
	assert_non_null(strstr(f.text, "of field 3 "));
	assert_true(r->d.total.mismatches >= 1);
	r->expected.field[77 * r->expected.fields + 3].version -= 1;
	assert_int_equal(drv_verify(&r->d, &f), PL_OK);
	rig_close(r);
}

static void verify_finds_missing_and_extra_records(void **state)
{
	(void)state;
	struct rig *r = rig_open("ycsb/c", "300", "10", 4);
	struct pl_fault f = {0};
	uint8_t key[WL_KEY_MAX];
	drv_result_free(run(r, 0));
	size_t n = wl_key(r->d.wl, 42, key);
	assert_int_equal(kv_delete(r->d.kv, &r->d.x, pl_slice_of(key, n)), PL_OK);
	assert_int_equal(drv_verify(&r->d, &f), PL_DAMAGED);
	assert_string_equal(f.text, "record 42 is missing");
	r->expected.key[42].deleted = true;
	r->expected.key[42].delete_lsn = UINT64_MAX;
	assert_int_equal(drv_verify(&r->d, &f), PL_OK);
	assert_int_equal(kv_put(r->d.kv, &r->d.x, pl_slice_of("zzz", 3), pl_slice_of("v", 1)), PL_OK);
	assert_int_equal(drv_verify(&r->d, &f), PL_DAMAGED);
	assert_non_null(strstr(f.text, "returns 300 records"));
	rig_close(r);
}

static void highest_lsn_wins(void **state)
{
	(void)state;
	struct rig *r = rig_open("ycsb/a", "10", "10", 1);
	struct expected *e = &r->expected;
	expected_put(e, 5, 100);
	uint32_t a = expected_issue(e, 5, 2), b = expected_issue(e, 5, 2);
	assert_true(b > a);
	expected_wrote(e, 5, 2, b, 102);
	expected_wrote(e, 5, 2, a, 101); /* ended later, but was applied before */
	assert_int_equal(e->field[5 * e->fields + 2].version, b);
	uint32_t all = expected_issue(e, 5, WL_ALL_FIELDS);
	assert_true(all > b);
	expected_wrote(e, 5, WL_ALL_FIELDS, all, 103);
	assert_int_equal(e->field[5 * e->fields + 2].version, all);
	assert_int_equal(e->field[5 * e->fields + 9].version, all);
	assert_true(expected_certain(e, 5));
	expected_deleting(e, 5);
	assert_false(expected_certain(e, 5));
	assert_true(expected_present(e, 5));
	expected_deleted(e, 5, 104);
	assert_false(expected_present(e, 5));
	expected_put(e, 5, 105);
	assert_true(expected_present(e, 5));
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"harness.driver.counts_what_it_did", counts_what_it_did, NULL, NULL, NULL},
		{"harness.driver.closed_loop_keeps_clients_busy", closed_loop_keeps_clients_busy, NULL, NULL, NULL},
		{"harness.driver.open_loop_keeps_the_schedule", open_loop_keeps_the_schedule, NULL, NULL, NULL},
		{"harness.driver.open_loop_shows_what_overload_holds_up", open_loop_shows_what_overload_holds_up, NULL,
			NULL, NULL},
		{"harness.driver.same_seed_same_result", same_seed_same_result, NULL, NULL, NULL},
		{"harness.driver.stops_when_told", stops_when_told, NULL, NULL, NULL},
		{"harness.verify.accepts_all_workloads", verify_accepts_all_workloads, NULL, NULL, NULL},
		{"harness.verify.names_the_first_mismatch", verify_names_the_first_mismatch, NULL, NULL, NULL},
		{"harness.verify.finds_missing_and_extra_records", verify_finds_missing_and_extra_records, NULL, NULL,
			NULL},
		{"harness.expected.highest_lsn_wins", highest_lsn_wins, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
