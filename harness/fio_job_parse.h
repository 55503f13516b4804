/* fio_job_parse.h - a fio job file as jobs and their options, before a device is known. */
#ifndef PL_HARNESS_FIO_JOB_PARSE_H
#define PL_HARNESS_FIO_JOB_PARSE_H

#include "engine/base/err.h"

#include <jansson.h>

enum fio_direction { FIO_READ, FIO_WRITE, FIO_TRIM, FIO_DIRECTIONS };

struct fio_amount { /* a number of bytes, of zones, or a part of the device */
	enum { FIO_UNSET, FIO_BYTES, FIO_PERCENT, FIO_ZONES } in;
	uint64_t value;
};

struct fio_job {
	char *name;
	int line; /* of its section */
	int size_line, bs_line, offset_line, rw_line, zone_line; /* where it was said, of its section otherwise */
	const char *rw; /* as written */
	bool reads, writes, trims, random;
	uint32_t read_percent;
	uint64_t bs_bytes;
	struct fio_amount size, io_size, offset, offset_increment;
	uint64_t iodepth, numjobs, number_ios; /* number_ios 0: no limit */
	uint64_t runtime_ns; /* 0: no limit */
	bool time_based;
	uint64_t rate_iops[FIO_DIRECTIONS]; /* 0: as fast as it goes */
	uint64_t fsync; /* a sync after so many writes; 0: none */
	double zipf_theta; /* 0: uniform */
	bool norandommap, stonewall, has_seed, zbd;
	uint64_t randseed;
	uint64_t max_open_zones; /* 0: the device's limit */
	char *wait_for;
	uint64_t startdelay_ns;
};

struct fio_file {
	const char *path; /* borrowed */
	struct fio_job *job;
	size_t jobs;
	json_t *ignored; /* array of {option, value, line} */
};

/* PL_INVALID with file, line and option; PL_IO. *out is empty after an error. */
int fio_file_read(const char *path, struct fio_file *out, struct pl_fault *f) PL_MUST_USE;
void fio_file_free(struct fio_file *file);

#endif
