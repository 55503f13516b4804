/* driver.h - logical clients that put a workload's operations to a store, in virtual or in real time. */
#ifndef PL_HARNESS_DRIVER_H
#define PL_HARNESS_DRIVER_H

#include "engine/base/hist.h"
#include "engine/kv.h"
#include "harness/expected.h"
#include "results/metrics.h"

struct drv_point { /* one interval of a series */
	uint64_t t_ns, interval_ns, operations, p50_ns, p99_ns, max_ns;
	struct res_counters counters; /* over the interval */
};

/* What one phase measured. Large (histograms): allocated. */
struct drv_result {
	struct res_counters counters;
	struct pl_hist hist[RES_LATENCIES][WL_KINDS];
	struct drv_point *point;
	size_t points;
};
struct drv_result *drv_result_new(void);
void drv_result_free(struct drv_result *r);

struct drv { /* what phases share; the caller owns everything it points to */
	struct kv *kv;
	struct dev *dev;
	struct pl_ctx x;
	struct wl *wl;
	struct expected *expected;
	uint32_t clients;
	bool simulated;
	struct res_driver total; /* counted since the beginning */
	/* Told now and then how far the phase is; false: stop with PL_INTERRUPTED. */
	bool (*progress)(void *arg, uint64_t done, uint64_t of, uint64_t elapsed_ns);
	void *progress_arg;
};

struct drv_phase {
	bool load; /* insert the workload's records; else its operations */
	bool no_wait; /* do not wait for durability */
	uint64_t operations; /* all clients together */
	uint64_t target_ops_per_second; /* 0: closed loop */
	uint64_t series_points;
};

/* Set d->x for the kind of device. */
void drv_start_clock(struct drv *d);
/* Refresh d->x.now_ns from the clock, unless time is virtual. */
void drv_tick(struct drv *d);
/* All counters as they stand. kv counters are since the store was opened. */
void drv_read_counters(const struct drv *d, struct res_counters *out);
/* Run the phase to its end. The first operation that fails ends it: its error, with a sentence that names it.
 * PL_INTERRUPTED. r is complete for what happened until then. */
int drv_run(struct drv *d, const struct drv_phase *p, struct drv_result *r, struct pl_fault *f) PL_MUST_USE;
/* Compare every record with what it should be, by get and by a scan of everything. PL_DAMAGED: the first mismatch. */
int drv_verify(struct drv *d, struct pl_fault *f) PL_MUST_USE;

#endif
