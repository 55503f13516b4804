/* cleaning.h - the contract of the axis `cleaning`: which zone to clean next.
 *
 * The clock of all times here is the number of blocks that clients' changes have had written so far (cleaning's own copies
 * do not count), so an age is the same at any load. */
#ifndef PL_IFACE_CLEANING_H
#define PL_IFACE_CLEANING_H

#include "engine/base/conf.h"
#include "engine/base/rng.h"

#define CLN_NEVER UINT64_MAX

struct cln_zone { /* what a policy may look at */
	uint64_t live_blocks;
	uint64_t capacity_blocks;
	uint64_t closed_at; /* when the zone was closed */
	uint64_t
		changed_at; /* when the youngest image in it was changed by a client; a copy keeps the age of its page */
	uint64_t
		death_at; /* estimate of when its images will have died: mean over those with a history; CLN_NEVER: none */
	bool candidate; /* full, no part of a stream, not yet emptied */
};

struct cln_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;
	/* Constants from options, or NULL. */
	int (*configure)(uint64_t derived[8], const struct pl_conf *conf, struct pl_fault *f);
	/* Index of the victim among zones[0..n), or n if none is worth cleaning. A victim is a candidate with dead blocks.
	 * Deterministic: a function of its arguments and of what it draws from rng; ties go to the lowest index. */
	uint64_t (*victim)(
		const uint64_t derived[8], const struct cln_zone *zones, uint64_t n, uint64_t now, struct pl_rng *rng);
};

#endif
