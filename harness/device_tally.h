/* device_tally.h - what became of the requests to a device: per operation a histogram of latencies, requests, blocks,
 * errors by status; and the time they took together.
 *
 * Latency is done_ns - submit_ns of a request that ended with PL_OK; the others are counted by their status and have no
 * part in latencies, blocks and rates. A tally is 0.5 MB: allocate it (tally_new), do not put it on a stack. */
#ifndef PL_HARNESS_DEVICE_TALLY_H
#define PL_HARNESS_DEVICE_TALLY_H

#include "engine/base/hist.h"
#include "engine/iface/device.h"

#include <jansson.h>

#define TALLY_STATUSES 32 /* -status is below; checked against the table of errors */

struct device_tally_op {
	uint64_t requests; /* all, failed ones included */
	uint64_t errors; /* of these, those that did not end with PL_OK */
	uint64_t blocks; /* of the requests without error */
	uint64_t error[TALLY_STATUSES]; /* errors by -status */
	struct pl_hist latency; /* ns, of the requests without error */
};

struct device_tally {
	uint64_t requests, errors; /* of all operations */
	uint64_t begin_ns, end_ns; /* first submission, last completion; begin_ns is PL_NS_NEVER while there is none */
	struct device_tally_op op[DEV_OPS];
};

/* Zeroed; free() it. Memory does not run out quietly. */
struct device_tally *tally_new(void);
void tally_reset(struct device_tally *t);
/* Count a request that was polled. */
void tally_add(struct device_tally *t, const struct dev_req *r);
void tally_merge(struct device_tally *into, const struct device_tally *from);
/* end_ns - begin_ns; 0 while there was no request. */
uint64_t tally_elapsed_ns(const struct device_tally *t);

/* For people and programs: {"<operation>": {requests, errors, error: {<PL_NAME>: n} when there are any, bytes,
 * latency_mean_us, latency_p50_us, latency_p90_us, latency_p95_us, latency_p99_us, latency_p999_us, latency_max_us,
 * operations_per_second, bandwidth_mib_per_s}}, only operations that occurred; rates are over the tally's whole elapsed
 * time. The caller owns the object. Names of operations: dev_op_name. */
json_t *tally_json(const struct device_tally *t, const struct dev_caps *caps);

/* The same in whole numbers, flat, for exact rows: <operation>_requests, _errors, _bytes, _latency_sum_ns,
 * _latency_least_ns, _latency_p50_ns, _p90_ns, _p95_ns, _p99_ns, _p999_ns, _max_ns; set in row. */
void tally_put_exact(json_t *row, const struct device_tally *t, const struct dev_caps *caps);
/* And in reals, flat, for derived rows: <operation>_latency_mean_us, _latency_p50_us ..., _operations_per_second,
 * _bandwidth_mib_per_s. */
void tally_put_derived(json_t *row, const struct device_tally *t, const struct dev_caps *caps);

/* A table, one line an operation. */
void tally_print(FILE *out, const struct device_tally *t, const struct dev_caps *caps);

#endif
