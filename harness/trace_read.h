/* trace_read.h - the lines of a trace, one after the other, as requests in bytes. */
#ifndef PL_HARNESS_TRACE_READ_H
#define PL_HARNESS_TRACE_READ_H

#include "harness/trace.h"

struct trace_record {
	uint64_t line;
	uint64_t time_ns; /* of the trace's own clock; an iolog version 2: the sum of the waits before it */
	enum dev_op op; /* DEV_READ, DEV_WRITE, DEV_PUNCH, DEV_SYNC */
	bool forced; /* write-through (FUA) */
	uint64_t offset, bytes; /* not of DEV_SYNC */
};

struct trace_reader;

/* path "-": standard input. The format of TRACE_AUTO is found. PL_INVALID, PL_IO with a sentence. */
int trace_reader_open(
	const char *path, const struct trace_options *o, struct trace_reader **out, struct pl_fault *f) PL_MUST_USE;
/* The next record, times never decreasing. PL_NOTFOUND: that was all. PL_INVALID, PL_IO with a sentence that names file
 * and line. */
int trace_reader_next(struct trace_reader *r, struct trace_record *out, struct pl_fault *f) PL_MUST_USE;
/* What it knows of *out: format, lines, records, skipped, reordered, unit_bytes. */
void trace_reader_tell(const struct trace_reader *r, struct trace_result *out);
bool trace_reader_timed(const struct trace_reader *r); /* false: the trace has no times (iolog version 2) */
void trace_reader_close(struct trace_reader *r);

#endif
