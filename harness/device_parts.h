/* device_parts.h - what the parts of device runs share: device_run.c (options, opening), device_untimed.c,
 * device_timed.c, device_rows.c. */
#ifndef PL_HARNESS_DEVICE_PARTS_H
#define PL_HARNESS_DEVICE_PARTS_H

#include "harness/device_pattern.h"
#include "harness/device_run.h"

enum device_start { DEVICE_START_AUTO, DEVICE_START_FRESH, DEVICE_START_SEQ, DEVICE_START_RANDOM };

/* What a timed run asks. Operations of several steps have a name of their own, others dev_op_name. */
enum device_ask {
	ASK_NONE, /* untimed */
	ASK_READ,
	ASK_WRITE,
	ASK_APPEND,
	ASK_PUNCH,
	ASK_MIXED, /* reads and writes */
	ASK_SYNC, /* after so many writes each */
	ASK_RESET,
	ASK_FINISH,
	ASK_OPEN,
	ASK_CLOSE,
	ASK_TRUNCATE,
	ASK_FILE_OPEN,
	ASK_FILE_CLOSE,
	ASK_MOVE,
	ASK_REMOVE,
	ASK_CREATE,
	ASKS
};

struct device_wish { /* the options, read and checked */
	const struct dev_ops *ops;
	uint64_t seed, device_bytes;
	uint32_t block_bytes;
	struct pattern_text pattern;
	bool streams;

	/* untimed */
	double utilisation;
	bool steady;
	uint64_t until_pages, until_turnovers; /* one of them, unless steady */
	uint64_t cap_windows; /* 0: as many as are sensible */
	enum pattern_fill fill;

	/* timed */
	enum device_ask ask;
	uint32_t read_permille; /* of mixed */
	uint32_t size_blocks, qd;
	uint64_t count, zones, warm, sync_writes, zone_requests, region_bytes;
	bool fill_is_bytes;
	uint64_t fill_amount; /* thousandths of a zone's capacity, or bytes */
	enum device_start start;
	bool finished;
};

int device_wish_read(const struct pl_conf *conf, struct device_wish *w, struct pl_fault *f) PL_MUST_USE;

struct device_session {
	const struct device_run_args *args;
	const struct device_wish *wish;
	struct device_result *result;
	struct dev *dev;
	struct pl_fault *f;
	uint64_t started_ns; /* wall */
};

/* Open the device with capacity_bytes; media_bytes (NULL: as configured) is its raw flash. */
int device_session_open(struct device_session *s, uint64_t capacity_bytes, const char *media_bytes) PL_MUST_USE;
/* Wall time, for what is no part of a result. */
uint64_t device_wall_ns(void);
/* Tell progress; PL_INTERRUPTED when that is wished. */
int device_session_progress(struct device_session *s, const char *phase, uint64_t done, uint64_t of) PL_MUST_USE;
/* Read dev_describe into the result. */
void device_session_describe(struct device_session *s);
struct device_counts device_counts_of(const struct device_result *r);
struct device_counts device_counts_minus(const struct device_counts *after, const struct device_counts *before);

int device_untimed(struct device_session *s) PL_MUST_USE;
int device_timed(struct device_session *s) PL_MUST_USE;
/* Fill the first pages of the device untimed. */
int device_fill(struct device_session *s, const struct pattern *p, enum pattern_fill how, uint64_t units) PL_MUST_USE;
/* Overwrite so many pages by the pattern, untimed. */
int device_overwrite(
	struct device_session *s, struct pattern *p, uint64_t pages, uint64_t done, uint64_t of) PL_MUST_USE;

/* Whether windows [first, n) are steady: their write amplification in four consecutive groups agrees within 0.1 %, and
 * the straight line through them rises or falls by less than that. *first is chosen: at least `warm` windows, and a
 * third of all, come before it. False while there are fewer than `least` windows. */
bool device_is_steady(const struct device_counts *window, uint64_t n, uint64_t warm, uint64_t least, uint64_t *first);

#endif
