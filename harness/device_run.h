/* device_run.h - a simulated device alone, without the engine: what to ask of it, and what came of it.
 *
 * Two kinds of run. Untimed (no device.op): single blocks are overwritten by a pattern until the write amplification is
 * steady; nothing takes time. Timed (device.op): requests of one kind in a closed loop of a given depth.
 *
 * The keys have the prefix "device."; `pagelab device` takes them as --pattern and so on, experiments with
 * `run = device` as device.pattern and so on (there also device_bytes, seed, profile, device and the device's own).
 * Requests carry no bytes (contentless) in either kind. */
#ifndef PL_HARNESS_DEVICE_RUN_H
#define PL_HARNESS_DEVICE_RUN_H

#include "harness/device_tally.h"

extern const struct pl_opt device_run_opts[]; /* prefix "device" */

/* Judge one value beyond its type: the grammar of pattern, op, until, fill. key without its prefix. PL_INVALID with a
 * sentence that begins with the key. Others are PL_OK. */
int device_run_check_value(const char *key, const char *value, struct pl_fault *f) PL_MUST_USE;

/* What a window of an untimed run moved; differences of the counters of dev_describe. */
struct device_counts {
	uint64_t host_pages, moved_pages, victims, victim_valid_pages, victim_written_pages, erases;
};

struct device_number { /* of dev_describe */
	char key[48];
	uint64_t value;
};

struct device_result {
	bool timed;
	const struct dev_ops *ops;
	struct dev_caps caps;
	struct device_number *describe; /* as they stand at the end, counted since the opening */
	size_t describes;
	uint64_t submitted; /* pages or requests simulated in all, preparation included */
	uint64_t wall_ns; /* what that took on this machine: never part of an exact row */
	uint64_t measured_wall_ns; /* timed: of this, the measured requests */

	/* untimed */
	uint64_t flash_pages, live_pages;
	uint64_t windows, warm_windows; /* measured, and written before them */
	uint64_t window_pages; /* host pages of a window */
	bool steady;
	double spread; /* of the write amplification of the measured windows' quarters: (highest - lowest) / all */
	struct device_counts counts; /* over the measured windows */

	/* timed */
	struct device_tally *tally;
	struct dev_stats stats; /* over the measured requests */
	uint64_t zone_resets_untimed; /* zones emptied out of band, taking no time */
};

struct device_run_args {
	const struct pl_conf *conf; /* with its profile applied */
	/* Called every now and then; false interrupts (PL_INTERRUPTED). May be NULL. */
	bool (*progress)(void *arg, const char *phase, uint64_t done, uint64_t of, uint64_t elapsed_ns);
	void *arg;
};

/* All that can be said of conf before a device is open: PL_INVALID or PL_UNSUPPORTED with a sentence. */
int device_run_check(const struct pl_conf *conf, struct pl_fault *f) PL_MUST_USE;
/* Do it. A result belongs to the caller also after an error (device_result_free). PL_INVALID, PL_NOMEM,
 * PL_INTERRUPTED; what the device itself said. */
int device_run(const struct device_run_args *a, struct device_result *out, struct pl_fault *f) PL_MUST_USE;
void device_result_free(struct device_result *r);
/* For those who bring requests of their own (traces, jobs): the simulated device that conf describes, contentless and
 * empty but for what its own options say. The caller closes it. */
int device_open_alone(const struct pl_conf *conf, struct dev **out, struct pl_fault *f) PL_MUST_USE;
/* A number of dev_describe, or otherwise. */
uint64_t device_result_describe(const struct device_result *r, const char *key, uint64_t otherwise);

/* Rows of result files; the caller owns them.
 *
 * "device", exact, whole numbers:
 *   untimed: flash_pages live_pages window_pages warm_windows windows steady (0, 1) host_write_pages media_write_pages
 *            moved_pages victims victim_valid_pages victim_written_pages erases erases_least erases_greatest, and
 *            "describe": {all of dev_describe}
 *   timed:   requests errors elapsed_ns, tally_put_exact's, host_read_bytes host_write_bytes media_read_bytes
 *            media_write_bytes media_moved_bytes erases zone_resets_untimed, and "describe"
 *            (of runs whose operation is prepared by requests, all but requests, errors and the tally's has their part)
 * "derived", reals, no part of the digest:
 *   untimed: utilisation utilisation_effective write_amplification victim_valid_share utilisation_formula_fifo
 *            formula_fifo formula_greedy formula_choices (d-choices) formula_fifo_mixed formula_optimal (patterns with
 *            classes) wear_mean
 *   timed:   operations_per_second bandwidth_mib_per_s write_amplification (when the device knows),
 *            tally_put_derived's: read_latency_mean_us read_latency_p99_us ... */
json_t *device_row_exact(const struct device_result *r);
json_t *device_row_derived(const struct device_result *r, const struct pl_conf *conf);

#endif
