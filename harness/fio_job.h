/* fio_job.h - fio job files, run on a simulated device.
 *
 * What is taken of fio's options, with fio's meaning, is the table in fio_job_parse.c; options that say how fio itself
 * does its work (ioengine, direct, filename and the like) are accepted, change nothing and are listed; everything else is
 * refused by name and line. All jobs work on the one device. */
#ifndef PL_HARNESS_FIO_JOB_H
#define PL_HARNESS_FIO_JOB_H

#include "harness/device_tally.h"

#define FIO_JOBS_MAX 256u /* clones of numjobs included */
#define FIO_DEPTH_MAX 65536u /* of all jobs together */

/* Run the job file at path on d, which must be simulated and have nothing in flight, from now_ns on. Random numbers come
 * from seed and the file's randseed. All requests are added to total; *out becomes
 *   {"jobs": [{name, clone, rw, bs_bytes, iodepth, ..., begin_ns, end_ns, operations: tally_json}, ...],
 *    "ignored": [{option, value, line}, ...]}
 * which the caller owns. PL_INVALID names file, line and option; then *out is NULL and total says nothing.
 * PL_IO: the file cannot be read. PL_INTERRUPTED. */
int fio_job_run(struct dev *d, uint64_t now_ns, const char *path, uint64_t seed, struct device_tally *total,
	json_t **out, struct pl_fault *f) PL_MUST_USE;

#endif
