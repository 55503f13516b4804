/* guard.h - the contract of the axis `guard`: how a store that overwrites pages in place pays its two debts,
 * torn pages and the atomicity of a checkpoint.
 *
 * Checkpoint image invariant: no block reachable from the last durable anchor is overwritten before the complete
 * after-image set of the next anchor is durable elsewhere. */
#ifndef PL_IFACE_GUARD_H
#define PL_IFACE_GUARD_H

#include "engine/iface/placement.h"

struct grd_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;
	bool unsafe; /* a crash loses the store: a lower bound, labelled so */
	bool two_slots; /* a page owns two places; the addressing keeps which one is current */

	/* Blocks of journal the guard wants on a device of so many blocks (0: none). */
	uint64_t (*journal_blocks)(const struct store *s, uint64_t device_blocks);
	int (*open)(struct store *s, struct pl_fault *f);
	void (*close)(struct store *s);
	/* Finish what the anchor in s->anchor names; afterwards homes are as the anchor says. */
	int (*recover)(struct store *s, struct pl_ctx *x);

	bool (*reserve)(struct store *s, uint32_t pages);
	void (*unreserve)(struct store *s, uint32_t pages);
	pl_loc (*place)(struct store *s, struct pl_ctx *x, const struct plc_image *i);
	void (*flush)(struct store *s, struct pl_ctx *x);
	struct plc_where (*where)(const struct store *s, uint64_t id, pl_loc loc);
	/* The image at loc is no longer its page's newest. NULL: nothing to do. */
	void (*release)(struct store *s, uint64_t id, pl_loc loc);
	void (*checkpoint)(struct store *s, struct pl_ctx *x, struct anchor *a);
	void (*anchored)(struct store *s, struct pl_ctx *x);
	bool (*due)(const struct store *s); /* a checkpoint would free much */
	uint64_t (*used_blocks)(const struct store *s);
};

#endif
