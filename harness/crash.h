/* crash.h - the crash laboratory's instrument: a device that remembers, and what may be left of it after a power cut.
 *
 * A run is recorded once: crash_wrap puts a recording device around a simulated one; every submission (with its data)
 * and every polled completion is an event. Because a simulated run is deterministic, any moment of it can then be
 * visited without running it again: a cursor walks over the events and keeps apart what is durable and what is
 * pending; crash_cut draws one of the device states that may legally remain at that moment; crash_load fills a fresh
 * device of the same kind with it.
 *
 * What may remain (the promises of engine/iface/device.h, and no more):
 *  1. A request is durable when its completion was polled before a sync was submitted that itself was polled before
 *     the cut. Every other one is pending.
 *  2. Conventional devices: each pending write is present, absent or torn into sectors of 512 bytes; each pending punch
 *     is present or absent block by block; where several are present on a sector, the last submitted shows. A write
 *     that caps.atomic_blocks covers is present or absent as a whole.
 *  3. Sequential devices: per zone a prefix of the pending requests happened, the last write of it perhaps in part,
 *     whole blocks from its beginning; a reset or finish happened or did not. Zones are independent of each other.
 *     Open zones are closed after the cut.
 *  4. A mere process kill loses nothing that was polled, but nothing pending becomes durable by it: a power cut in the
 *     next life may still take it away. Pending requests are handed on to the recording of that life.
 *
 * The recording device also watches the engine's side of the contract (crash_trace.violation): overlapping writes in
 * flight together, a buffer changed before its request was polled, time that runs backwards.
 *
 * Cost: recording copies what is written once. A cut is O(blocks of the device) pointer copies plus torn blocks.
 * Left out: lost and misdirected writes (these are damage, not power cuts: corrupt_test.c), errors of single requests. */
#ifndef PL_HARNESS_CRASH_H
#define PL_HARNESS_CRASH_H

#include "engine/iface/device.h"

#define CRASH_SECTOR_BYTES 512u

struct crash_request {
	enum dev_op op;
	enum dev_tag tag;
	uint64_t block; /* of an append: where it landed */
	uint32_t blocks;
	uint64_t submitted, polled; /* event numbers, from 1; polled 0 = before this recording, UINT64_MAX = never */
	int status;
	uint8_t *data; /* of writes and appends; else NULL */
};

struct crash_event {
	uint64_t request;
	bool polled; /* else submitted */
};

/* Reads leave events (an operation may be acknowledged between them) but no request data. */
struct crash_trace {
	struct dev_caps caps;
	struct crash_request *request;
	uint64_t requests, requests_room;
	struct crash_event *event;
	uint64_t events, events_room;
	uint64_t syncs; /* polled so far */
	uint32_t sector_bytes; /* to which writes tear; 0: CRASH_SECTOR_BYTES */
	char violation[240]; /* the first breach of the device's contract by its caller; empty if none */
};

void crash_trace_init(struct crash_trace *t);
void crash_trace_free(struct crash_trace *t);

/* Wrap inner (owned from now on: closed with *out). The trace belongs to the caller and outlives the device. caps are
 * inner's, but for atomic_blocks when that is to be smaller. Real devices can be wrapped too (without states). */
int crash_wrap(struct dev *inner, struct crash_trace *t, uint32_t atomic_blocks, struct dev **out) PL_MUST_USE;
/* Lose power after so many further submissions: these and all later requests, and those in flight then, complete with
 * PL_CRASHED and reach nothing. */
void crash_power_off(struct dev *wrapped, uint64_t after_submissions);

/* Content of a device, block by block; NULL = zeros. Blocks are borrowed from traces, torn ones are owned. */
struct crash_content {
	const uint8_t **block;
	uint64_t *write_pointer; /* per zone, absolute */
};

struct crash_pending {
	const struct crash_request *request;
	uint64_t polled; /* event, as in crash_request */
};

/* What a life of the store begins on. Borrows from the traces it was cut from. */
struct crash_image {
	struct dev_caps caps;
	struct crash_content now; /* what reads show */
	struct crash_content durable; /* what the next power cut leaves at least; the same as now after a power cut */
	struct crash_pending *pending;
	uint64_t npending;
	uint8_t **torn;
	uint64_t ntorn;
	uint32_t sector_bytes;
};

/* An empty device. */
void crash_image_init(struct crash_image *i, const struct dev_caps *caps);
void crash_image_free(struct crash_image *i);

enum crash_kind { CRASH_POWER, CRASH_KILL };

struct crash_cursor {
	const struct crash_trace *trace;
	uint64_t at; /* events gone by */
	struct crash_content durable;
	struct crash_pending *pending;
	uint64_t npending, room;
};

/* Walk over t, which began on *start (NULL: an empty device). Both outlive the cursor. */
void crash_cursor_init(struct crash_cursor *c, const struct crash_trace *t, const struct crash_image *start);
void crash_cursor_free(struct crash_cursor *c);
/* To the moment after `event` events; only forward. */
void crash_cursor_advance(struct crash_cursor *c, uint64_t event);
/* One state that may remain. The subset number decides what of the pending is left: 0 none of it, 1 all, 2 and above
 * draw one of several styles (independent, torn, a prefix, a suffix, one alone, all but one) and its dice.
 * crash_torn(n) is a number whose style is torn. */
uint64_t crash_torn(uint64_t n);
void crash_cut(const struct crash_cursor *c, enum crash_kind kind, uint64_t subset, struct crash_image *out);

/* Fill a fresh simulated device. PL_UNSUPPORTED if it cannot be poked. */
int crash_load(struct dev *d, const struct crash_image *i) PL_MUST_USE;

#endif
