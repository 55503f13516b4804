/* cleaning.h - the contract of the axis `cleaning`: which zone to clean next. */
#ifndef PL_IFACE_CLEANING_H
#define PL_IFACE_CLEANING_H

#include "engine/base/conf.h"

struct cln_zone { /* what a policy may look at */
	uint64_t live_blocks;
	uint64_t capacity_blocks;
	uint64_t closed_at; /* blocks written to the store when the zone was closed: its age is now - closed_at */
	bool candidate; /* full, no part of a stream, not yet emptied */
};

struct cln_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;
	/* Index of the victim among zones[0..n), or n if none is worth cleaning. now: blocks written to the store so
	 * far. Deterministic: ties go to the lowest index. A victim has dead blocks. */
	uint64_t (*victim)(const struct cln_zone *zones, uint64_t n, uint64_t now);
};

#endif
