/* calibrate.h - from a real file or block device to a profile: measure, find the numbers of the model's laws, write them
 * down with what they come from, and run the model against the measurement.
 *
 * The laws. One request of a size takes base + slope * KiB, a line each for reads and writes (relative least squares
 * through the medians of 4 KiB .. 1 MiB). A flush of little takes a time of its own. Random reads of 4 KiB by several
 * threads tell how much is done at once. From these:
 *
 *   sim_ssd (direct I/O)      slope of the faster direction -> link, what a read takes more -> channel; base of a read ->
 *                             dies and what is beside them, so that the model's reads a second come nearest to the
 *                             measured at every number of threads; base of a write -> write_command_ns; flush ->
 *                             program_ns
 *   sim_opfs (page cache)     the two lines and the flush as they are: calls take turns
 *
 * What cannot be seen from outside (collection, erase, wear, spare flash) is not in the profile. */
#ifndef PL_HARNESS_CALIBRATE_H
#define PL_HARNESS_CALIBRATE_H

#include "engine/base/err.h"

#define CALIBRATE_SIZES 9 /* 4 KiB << 0..8 */
#define CALIBRATE_THREADS 7 /* 1 << 0..6 */

struct calibrate_options {
	const char *path; /* a file that does not exist yet, a directory, or a block device */
	uint64_t size_bytes;
	bool quick, destroy, buffered;
};

struct calibrate_cell { /* of calls alike; ns */
	uint64_t n, mean_ns, p50_ns, p99_ns;
};

struct calibrate_result {
	bool direct; /* past the page cache */
	uint64_t size_bytes;
	struct calibrate_cell read[CALIBRATE_SIZES], write[CALIBRATE_SIZES];
	struct calibrate_cell sync_little,
		sync_much; /* after one write of 4 KiB, after CALIBRATE_SYNC_MUCH of 16 KiB */
	uint64_t reads_per_s[CALIBRATE_THREADS]; /* of 4 KiB, at random */
	char where[300]; /* kernel, processor, file system; one line */
	char date[16]; /* 2024-05-01 */
};
#define CALIBRATE_SYNC_MUCH 64u

/* Measure. progress (may be NULL) is told what is being done; false ends it. Whatever happens, no file is left.
 * PL_INVALID (path that may not be used, too small), PL_IO, PL_INTERRUPTED with a sentence. */
int calibrate_measure(const struct calibrate_options *o, bool (*progress)(void *arg, const char *what), void *arg,
	struct calibrate_result *out, struct pl_fault *f) PL_MUST_USE;

struct calibrate_line { /* base + slope * KiB */
	double base_ns, slope_ns; /* never negative */
};

struct calibrate_law {
	struct calibrate_line read, write;
	double sync_ns, sync_page_ns; /* of one dirty 4 KiB, and for each 16 KiB more */
	/* sim_ssd */
	uint32_t dies, planes;
	uint64_t read_ns, read_command_ns, write_command_ns, program_ns, channel_bytes_per_s, link_bytes_per_s;
};

struct calibrate_line calibrate_fit(const struct calibrate_cell cell[CALIBRATE_SIZES]);
int calibrate_find_law(const struct calibrate_result *r, struct calibrate_law *out, struct pl_fault *f) PL_MUST_USE;
/* The profile; the caller frees it. */
char *calibrate_profile(const struct calibrate_result *r, const struct calibrate_law *l);

/* What a profile's device does with the same calls. */
struct calibrate_model {
	uint64_t read_ns[CALIBRATE_SIZES], write_ns[CALIBRATE_SIZES], sync_ns; /* means */
	uint64_t reads_per_s[CALIBRATE_THREADS]; /* 0: the device takes one call at a time */
};
/* profile: name or path. PL_INVALID if it does not load or open. */
int calibrate_model(const char *profile, struct calibrate_model *out, struct pl_fault *f) PL_MUST_USE;

#endif
