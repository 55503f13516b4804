/* ctx.h - time is an argument.
 *
 * Every call that costs time takes a context. With a simulated device now_ns is virtual: it moves by the charges of the
 * table below and by the device's completions, never by wall time. With a real device the charges are ignored and
 * now_ns is refreshed from the monotonic clock. */
#ifndef PL_BASE_CTX_H
#define PL_BASE_CTX_H

#include "engine/base/types.h"

/* CPU work in virtual time, in picoseconds a unit: logical steps by formula, not instructions, so that SIMD and scalar
 * forms charge alike. The values are of a 2.7 GHz x86 core with 140 ns memory, rounded; LZ4 and checksums as measured with
 * liblz4 1.9.4 on 16 KiB pages of values that compress to 0.55 (432 ns a KiB to compress, 66 to expand, 90 for a crc,
 * 17 for a copy in the cache), zstd with libzstd 1.5.4 on the 16 KiB pages of harness/micro/space.c (2700 ns a KiB to
 * compress at level 3, 950 to expand, of which two thirds are spent on tables, once a page). They are part of the specification of a run: changing one changes every simulated result. */
#define PL_COSTS(X)                                                                                                    \
	X(TURN, "turn", 60000, "starting or resuming an operation")                                                    \
	X(PAGE, "page", 45000, "looking up one resident page: directory entry and header miss")                        \
	X(SEARCH_STEP, "search_step", 6000, "one halving step of a search inside a page")                              \
	X(RECORD, "record", 80000, "touching one record")                                                              \
	X(SCAN_RECORD, "scan_record", 20000, "emitting one record of a scan")                                          \
	X(COPY_KIB, "copy_kib", 40000, "copying 1 KiB")                                                                \
	X(INSERT, "insert", 60000, "changing the arrays of a page")                                                    \
	X(SPLIT_KIB, "split_kib", 250000, "splitting, merging or compacting 1 KiB of page")                            \
	X(ENCODE_RAW_KIB, "encode_raw_kib", 110000, "making a raw or hole image of 1 KiB (copy and checksum)")         \
	X(ENCODE_LZ4_KIB, "encode_lz4_kib", 490000, "compressing 1 KiB with LZ4")                                      \
	X(ENCODE_ZSTD_KIB, "encode_zstd_kib", 2800000, "compressing 1 KiB with zstd at level 3")                       \
	X(DECODE_RAW_KIB, "decode_raw_kib", 95000, "checking and placing a raw or hole image of 1 KiB")                \
	X(DECODE_LZ4_KIB, "decode_lz4_kib", 130000, "decompressing 1 KiB with LZ4")                                    \
	X(DECODE_ZSTD_KIB, "decode_zstd_kib", 1050000, "decompressing 1 KiB with zstd")                                \
	X(LOG_RECORD, "log_record", 40000, "appending one log record")                                                 \
	X(LOG_KIB, "log_kib", 120000, "copying and checksumming 1 KiB of log")                                         \
	X(SUBMIT, "submit", 900000, "handing one request to the device and reaping it")

enum pl_cost {
#define X(id, name, ps, text) PL_COST_##id,
	PL_COSTS(X)
#undef X
		PL_COST_COUNT
};

extern const uint32_t pl_cost_ps[PL_COST_COUNT];
extern const char *const pl_cost_name[PL_COST_COUNT];

struct pl_ctx {
	uint64_t now_ns; /* time of this turn; charges move it on */
	uint32_t rest_ps; /* charged, not yet a whole nanosecond */
	bool simulated;
	uint64_t cpu_ns; /* all that was charged so far */
};

static inline void pl_charge(struct pl_ctx *x, enum pl_cost what, uint64_t units)
{
	if (!x->simulated)
		return;
	uint64_t ps = (uint64_t)pl_cost_ps[what] * units + x->rest_ps;
	x->now_ns += ps / 1000;
	x->cpu_ns += ps / 1000;
	x->rest_ps = (uint32_t)(ps % 1000);
}

/* Charge for bytes at a price per KiB (rounded up to 64 bytes, so that small copies cost something). */
static inline void pl_charge_bytes(struct pl_ctx *x, enum pl_cost what, uint64_t bytes)
{
	if (!x->simulated)
		return;
	uint64_t ps = (uint64_t)pl_cost_ps[what] * ((bytes + 63) / 64) / 16 + x->rest_ps;
	x->now_ns += ps / 1000;
	x->cpu_ns += ps / 1000;
	x->rest_ps = (uint32_t)(ps % 1000);
}

/* The monotonic clock, for real devices. */
uint64_t pl_clock_ns(void);

#endif
