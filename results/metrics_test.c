/* metrics_test.c - the table of metrics, its document, and the histogram that the latency metrics come from. */
#include "engine/base/hist.h"
#include "engine/base/rng.h"
#include "results/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < res_metrics(); i++)
		assert_ptr_equal(res_metric_find(res_metric(i)->name), res_metric(i));
	assert_null(res_metric(res_metrics()));
	assert_null(res_metric_find("no_such_metric"));
}

static void names_carry_units(void **state)
{
	(void)state;
	for (size_t i = 0; i < res_metrics(); i++) {
		const struct res_metric *m = res_metric(i);
		bool ns = strstr(m->name, "_ns") != NULL, bytes = strstr(m->name, "_bytes") != NULL;
		if (ns != (strcmp(m->unit, "ns") == 0) || bytes != (strcmp(m->unit, "bytes") == 0))
			fail_msg("%s has unit %s", m->name, m->unit);
	}
}

static void schema_is_committed(void **state)
{
	(void)state;
	char *want = NULL, *have = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&want, &bytes), *in = fopen("results/SCHEMA.md", "re");
	res_schema(out);
	(void)fclose(out);
	if (!in)
		fail_msg("results/SCHEMA.md is missing; make it with: pagelab schema > results/SCHEMA.md");
	have = calloc(1, bytes + 2);
	size_t n = fread(have, 1, bytes + 1, in);
	(void)fclose(in);
	if (n != bytes || memcmp(have, want, n) != 0)
		fail_msg("results/SCHEMA.md is not what the tables say; make it with: pagelab schema > "
			 "results/SCHEMA.md");
	free(want);
	free(have);
}

struct seen {
	size_t at;
	uint64_t sum;
};

static void visit(void *arg, const struct res_metric *m, uint64_t value)
{
	struct seen *s = arg;
	assert_ptr_equal(m, res_metric(s->at));
	s->at++;
	s->sum += value;
}

static void each_visits_all_in_order(void **state)
{
	(void)state;
	struct res_counters c;
	struct seen s = {0};
	memset(&c, 0, sizeof c);
	c.driver.operations = 1;
	c.kv.device_used_bytes = 10;
	c.dev.host_write_bytes[DEV_TAG_LOG] = 100; /* counted in the sum and under its tag */
	c.dev.stored_bytes = 1000;
	res_each(&c, visit, &s);
	assert_int_equal(s.sum, 1211);
	assert_int_equal(s.at + (size_t)WL_KINDS * RES_LATENCIES * RES_QUANTILES, res_metrics());
	assert_string_equal(res_latency_metric(WL_READ, RES_SERVICE, RES_P50)->name, "read_service_p50_ns");
	assert_string_equal(res_latency_metric(WL_DELETE, RES_RESPONSE, RES_MAX)->name, "delete_response_max_ns");
	assert_ptr_equal(res_latency_metric(WL_DELETE, RES_RESPONSE, RES_MAX), res_metric(res_metrics() - 1));
}

static void difference_keeps_levels(void **state)
{
	(void)state;
	struct res_counters a, b, d;
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	a.kv.puts = 5;
	b.kv.puts = 9;
	a.kv.live_pages = 7;
	b.kv.live_pages = 3;
	a.dev.host_writes[DEV_TAG_META] = 2;
	b.dev.host_writes[DEV_TAG_META] = 8;
	a.dev.stored_bytes = 100;
	b.dev.stored_bytes = 50;
	res_difference(&a, &b, &d);
	assert_int_equal(d.kv.puts, 4);
	assert_int_equal(d.kv.live_pages, 3);
	assert_int_equal(d.dev.host_writes[DEV_TAG_META], 6);
	assert_int_equal(d.dev.stored_bytes, 50);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void percentiles_match_sorted_values(void **state)
{
	(void)state;
	enum { N = 20000 };
	static const uint32_t q[] = {1, 100, 5000, 9000, 9900, 9990, 10000};
	struct pl_hist *h = calloc(1, sizeof *h);
	uint64_t *v = calloc(N, sizeof *v);
	struct pl_rng r;
	pl_rng_seed(&r, 7, 0);
	for (int i = 0; i < N; i++) {
		v[i] = pl_rng_next(&r) >> (20 + pl_rng_below(&r, 40));
		pl_hist_add(h, v[i]);
	}
	qsort(v, N, sizeof *v, by_value);
	for (size_t i = 0; i < PL_COUNT(q); i++) {
		uint64_t exact = v[(N * (uint64_t)q[i] + 9999) / 10000 - 1], got = pl_hist_quantile(h, q[i]);
		assert_true(got >= exact);
		assert_true(got - exact <= exact / 64);
	}
	assert_int_equal(h->greatest, v[N - 1]);
	assert_int_equal(pl_hist_quantile(h, 10000), v[N - 1]);
	free(v);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"results.metrics.names_are_unique", names_are_unique, NULL, NULL, NULL},
		{"results.metrics.names_carry_units", names_carry_units, NULL, NULL, NULL},
		{"results.metrics.schema_is_committed", schema_is_committed, NULL, NULL, NULL},
		{"results.metrics.each_visits_all_in_order", each_visits_all_in_order, NULL, NULL, NULL},
		{"results.metrics.difference_keeps_levels", difference_keeps_levels, NULL, NULL, NULL},
		{"results.histogram.percentiles_match_sorted_values", percentiles_match_sorted_values, NULL, NULL,
			NULL},
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
