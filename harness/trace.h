/* trace.h - recorded block requests, replayed into a simulated device.
 *
 * Formats (trace_read.c tells them in full):
 *   fio        fio's iolog, version 2 (no times, `wait`) and version 3 (a time on every line, microseconds)
 *   blkparse   text of blkparse in its default format; sectors of 512 bytes. Of one request there are several records:
 *              D (handed to the device) is the default, blkparse:Q and blkparse:C take those of its arrival or completion
 *   msr        comma-separated records of the MSR Cambridge traces: time in 100 ns since 1601, host, disk, Read or Write,
 *              offset, size, response time (not used)
 *   auto       by the first line
 *
 * Open loop: a request is submitted when the trace says, its times divided by the speed, however busy the device is; its
 * latency counts from then. Closed loop: a given number is in flight at all times, and the trace's times are not looked
 * at (but the waits of an iolog version 2, which knows no others).
 *
 * A fresh device answers reads of blocks that were never written without asking its flash. A trace of a disk that held
 * data wants a device that does: sim_ssd.precondition = seqfill or randfill. */
#ifndef PL_HARNESS_TRACE_H
#define PL_HARNESS_TRACE_H

#include "harness/device_tally.h"

enum trace_format { TRACE_AUTO, TRACE_FIO, TRACE_BLKPARSE, TRACE_MSR, TRACE_FORMATS };

extern const char *const trace_format_name[TRACE_FORMATS];

#define TRACE_DEPTH_MAX 65536u /* requests in flight; an open loop that reaches it submits late, which is counted */
#define TRACE_REORDER_MAX 1048576u

struct trace_options { /* zeros: auto, open loop at the speed of the trace, units of the format */
	enum trace_format format;
	char action; /* blkparse: 'D', 'Q' or 'C'; 0: D */
	uint64_t speed_micro; /* open loop: times are divided by this, in millionths; 0: 1000000 */
	uint32_t closed_depth; /* > 0: closed loop */
	uint32_t unit_bytes; /* what the trace counts offsets and sizes in; 0: bytes, for blkparse 512 */
	uint32_t reorder; /* records that may be held back to put times into order; 0: they must be in order */
	bool strict; /* refuse what is no multiple of the device's block instead of rounding it */
};

/* Options from the words of the command line; NULL: not given. PL_INVALID with one sentence that names the option. */
struct trace_words {
	const char *format; /* --trace-format: a format's name, or blkparse:D, :Q, :C */
	const char *speed; /* --trace-speed: decimal, 0.000001..1000000 */
	const char *closed; /* --trace-closed: 1..TRACE_DEPTH_MAX */
	const char *block; /* --trace-block: 1..1M, what the trace counts in; 512, 4k */
	const char *reorder; /* --trace-reorder: 0..TRACE_REORDER_MAX */
	bool strict; /* --trace-strict */
};
int trace_options_parse(const struct trace_words *w, struct trace_options *out, struct pl_fault *f) PL_MUST_USE;

struct trace_result {
	char format[24]; /* as found: fio-2, fio-3, blkparse:D, msr */
	uint64_t lines, records; /* records: lines that are requests */
	uint64_t skipped; /* records without effect on blocks: other actions, opening and closing, messages */
	uint64_t requests; /* submitted to the device */
	uint64_t rounded_requests; /* of these, with an offset or size that is no multiple of the block */
	uint64_t trims_without_block; /* trims that hold no whole block: not submitted */
	uint64_t forced_writes; /* FUA: submitted as plain writes */
	uint64_t late_requests; /* open loop: submitted late, because TRACE_DEPTH_MAX were in flight */
	uint64_t reordered; /* records that stood behind later ones */
	uint64_t trace_ns; /* from the first to the last time in the trace */
	uint64_t depth; /* of the closed loop; 0: open */
	uint64_t speed_micro;
	uint64_t unit_bytes, depth_max_seen;
};

/* Replay the trace at path ("-": standard input) into d, which must be simulated and have nothing in flight, from
 * now_ns on. Memory does not grow with the trace. Requests are added to tally and told in *out.
 *
 * Offsets and sizes that are no multiple of the block are rounded outward, those of trims inward (what a trim holds of a
 * block only in part stays). Writes to a sequential device must be at the pointer of their zone; a trim there is a reset
 * and must be of whole zones.
 *
 * PL_INVALID names file, line and fault: not a trace, a field missing or not a number, an unknown operation, time that
 * runs backwards, a request beyond the device, sizes that no disk has, a write that is not at its zone's pointer. Then
 * neither tally nor *out say anything. PL_IO: the file cannot be read. PL_INTERRUPTED. */
int trace_replay(struct dev *d, uint64_t now_ns, const struct trace_options *o, const char *path,
	struct device_tally *tally, struct trace_result *out, struct pl_fault *f) PL_MUST_USE;

/* All of *r and what was done about times and rounding; the caller owns it. */
json_t *trace_json(const struct trace_result *r);

#endif
