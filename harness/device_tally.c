/* device_tally.c - see device_tally.h.
 *
 * Invariants:
 *  1. op[k].requests = op[k].errors + op[k].latency.count; errors = the sum of error[].
 *  2. requests and errors are the sums over the operations.
 *  3. The exact form holds whole numbers only.
 * Cost of tally_add: one bucket and one line of counters. */
#include "harness/device_tally.h"

#include "harness/util.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define X(name, value, text) _Static_assert(-(value) < TALLY_STATUSES, "every error has its count");
PL_ERRORS(X)
#undef X

#define US 1e3
#define SECOND 1e9
#define MIB 1048576.0

static const struct {
	const char *name;
	uint32_t permyriad;
} quantile[] = {{"p50", 5000}, {"p90", 9000}, {"p95", 9500}, {"p99", 9900}, {"p999", 9990}};

struct device_tally *tally_new(void)
{
	struct device_tally *t = lab_calloc(1, sizeof *t);
	t->begin_ns = PL_NS_NEVER;
	return t;
}

void tally_reset(struct device_tally *t)
{
	memset(t, 0, sizeof *t);
	t->begin_ns = PL_NS_NEVER;
}

void tally_add(struct device_tally *t, const struct dev_req *r)
{
	struct device_tally_op *o = &t->op[r->op];
	assert((unsigned)r->op < DEV_OPS && r->done_ns >= r->submit_ns);
	if (r->submit_ns < t->begin_ns)
		t->begin_ns = r->submit_ns;
	if (r->done_ns > t->end_ns)
		t->end_ns = r->done_ns;
	t->requests++;
	o->requests++;
	if (r->status == PL_OK) {
		o->blocks += r->blocks;
		pl_hist_add(&o->latency, r->done_ns - r->submit_ns);
		return;
	}
	assert(r->status < 0 && r->status > -TALLY_STATUSES);
	t->errors++;
	o->errors++;
	o->error[-r->status]++;
}

void tally_merge(struct device_tally *into, const struct device_tally *from)
{
	into->requests += from->requests;
	into->errors += from->errors;
	into->begin_ns = pl_min64(into->begin_ns, from->begin_ns);
	into->end_ns = pl_max64(into->end_ns, from->end_ns);
	for (int k = 0; k < DEV_OPS; k++) {
		struct device_tally_op *to = &into->op[k];
		const struct device_tally_op *o = &from->op[k];
		to->requests += o->requests;
		to->errors += o->errors;
		to->blocks += o->blocks;
		for (int s = 0; s < TALLY_STATUSES; s++)
			to->error[s] += o->error[s];
		pl_hist_merge(&to->latency, &o->latency);
	}
}

uint64_t tally_elapsed_ns(const struct device_tally *t)
{
	return t->begin_ns < t->end_ns ? t->end_ns - t->begin_ns : 0;
}

/* ---- what is shown; all of it from these, so that the three forms cannot differ ---- */

static uint64_t bytes_of(const struct device_tally_op *o, const struct dev_caps *caps)
{
	return o->blocks * caps->block_bytes;
}
static double mean_us(const struct device_tally_op *o)
{
	return o->latency.count ? (double)o->latency.sum / (double)o->latency.count / US : 0;
}
static double quantile_us(const struct device_tally_op *o, size_t q)
{
	return (double)pl_hist_quantile(&o->latency, quantile[q].permyriad) / US;
}
static double per_second(const struct device_tally *t, double amount)
{
	uint64_t ns = tally_elapsed_ns(t);
	return ns ? amount * SECOND / (double)ns : 0;
}

static void put_real(json_t *row, const char *prefix, const char *name, const char *unit, double value)
{
	char key[96];
	(void)snprintf(key, sizeof key, "%s%s%s", prefix, name, unit);
	(void)json_object_set_new(row, key, json_real(value));
}

static void put_whole(json_t *row, const char *prefix, const char *name, const char *unit, uint64_t value)
{
	char key[96];
	(void)snprintf(key, sizeof key, "%s%s%s", prefix, name, unit);
	(void)json_object_set_new(row, key, json_integer((json_int_t)value));
}

static void put_reals(json_t *row, const char *prefix, const struct device_tally *t, const struct device_tally_op *o,
	const struct dev_caps *caps)
{
	char name[32];
	put_real(row, prefix, "latency_mean", "_us", mean_us(o));
	for (size_t q = 0; q < PL_COUNT(quantile); q++) {
		(void)snprintf(name, sizeof name, "latency_%s", quantile[q].name);
		put_real(row, prefix, name, "_us", quantile_us(o, q));
	}
	put_real(row, prefix, "latency_max", "_us", (double)o->latency.greatest / US);
	put_real(row, prefix, "operations_per_second", "", per_second(t, (double)o->latency.count));
	put_real(row, prefix, "bandwidth_mib_per_s", "", per_second(t, (double)bytes_of(o, caps) / MIB));
}

json_t *tally_json(const struct device_tally *t, const struct dev_caps *caps)
{
	json_t *all = json_object();
	for (int k = 0; k < DEV_OPS; k++) {
		const struct device_tally_op *o = &t->op[k];
		if (!o->requests)
			continue;
		json_t *row = json_object();
		put_whole(row, "", "requests", "", o->requests);
		put_whole(row, "", "errors", "", o->errors);
		if (o->errors) {
			json_t *errors = json_object();
			for (int s = 1; s < TALLY_STATUSES; s++)
				if (o->error[s])
					put_whole(errors, "", pl_err_name(-s), "", o->error[s]);
			(void)json_object_set_new(row, "error", errors);
		}
		put_whole(row, "", "bytes", "", bytes_of(o, caps));
		put_reals(row, "", t, o, caps);
		(void)json_object_set_new(all, dev_op_name[k], row);
	}
	return all;
}

void tally_put_exact(json_t *row, const struct device_tally *t, const struct dev_caps *caps)
{
	char prefix[48], name[32];
	for (int k = 0; k < DEV_OPS; k++) {
		const struct device_tally_op *o = &t->op[k];
		if (!o->requests)
			continue;
		(void)snprintf(prefix, sizeof prefix, "%s_", dev_op_name[k]);
		put_whole(row, prefix, "requests", "", o->requests);
		put_whole(row, prefix, "errors", "", o->errors);
		put_whole(row, prefix, "bytes", "", bytes_of(o, caps));
		put_whole(row, prefix, "latency_sum", "_ns", o->latency.sum);
		put_whole(row, prefix, "latency_least", "_ns", o->latency.least);
		for (size_t q = 0; q < PL_COUNT(quantile); q++) {
			(void)snprintf(name, sizeof name, "latency_%s", quantile[q].name);
			put_whole(row, prefix, name, "_ns", pl_hist_quantile(&o->latency, quantile[q].permyriad));
		}
		put_whole(row, prefix, "latency_max", "_ns", o->latency.greatest);
	}
}

void tally_put_derived(json_t *row, const struct device_tally *t, const struct dev_caps *caps)
{
	char prefix[48];
	for (int k = 0; k < DEV_OPS; k++) {
		if (!t->op[k].requests)
			continue;
		(void)snprintf(prefix, sizeof prefix, "%s_", dev_op_name[k]);
		put_reals(row, prefix, t, &t->op[k], caps);
	}
}

void tally_print(FILE *out, const struct device_tally *t, const struct dev_caps *caps)
{
	(void)fprintf(out, "%-12s %10s %8s %12s %10s %10s %10s %10s %10s %10s %10s\n", "operation", "requests",
		"errors", "per second", "MiB/s", "mean us", "p50", "p95", "p99", "p99.9", "max");
	for (int k = 0; k < DEV_OPS; k++) {
		const struct device_tally_op *o = &t->op[k];
		if (!o->requests)
			continue;
		(void)fprintf(out,
			"%-12s %10" PRIu64 " %8" PRIu64 " %12.1f %10.1f %10.2f %10.2f %10.2f %10.2f %10.2f %10.2f\n",
			dev_op_name[k], o->requests, o->errors, per_second(t, (double)o->latency.count),
			per_second(t, (double)bytes_of(o, caps) / MIB), mean_us(o), quantile_us(o, 0),
			quantile_us(o, 2), quantile_us(o, 3), quantile_us(o, 4), (double)o->latency.greatest / US);
		for (int s = 1; s < TALLY_STATUSES; s++)
			if (o->error[s])
				(void)fprintf(
					out, "%-12s %10" PRIu64 " ended with: %s\n", "", o->error[s], pl_err_text(-s));
	}
}
