/* placement.h - the contract of the axis `placement`: where on the device the image of a page goes.
 *
 * A placement divides the device into regions (meta, log, journal, data), gives every image an extent, and keeps the
 * account of blocks: live + dead + free + reserved = capacity, always.
 * Rules that every placement keeps:
 *  1. What the last durable anchor reaches is not overwritten, punched or reset before the next anchor is durable.
 *  2. place never meets "full": whoever dirties a page reserves first (reserve), and only that can be refused.
 *  3. An image placed is on its way to the device; checkpoint's flush and the sync after it make it durable. */
#ifndef PL_IFACE_PLACEMENT_H
#define PL_IFACE_PLACEMENT_H

#include "engine/base/ctx.h"
#include "engine/iface/device.h"
#include "engine/store/page.h"

struct store;
struct anchor;

#define PLC_UNKNOWN_ID 0x7FFFFFFFu /* adopt: some page's (addressing by_parent) */

struct plc_image {
	pl_pageid id; /* map pages: their index */
	uint32_t frame; /* whose write this is: told when it completes; POOL_NONE: nobody */
	enum dev_tag tag;
	bool cleaning; /* a live image moved by the placement's own cleaning, or written because that needs it */
	struct spc_image img;
	uint8_t generation;
	uint32_t units; /* packed: header and payload in units (page.h); 0: whole blocks, those of the bitmap */
	/* The dense blocks (packed: the units), page header first: it tells kind, clock and interval (page.h). Copied before
	 * place returns. */
	const uint8_t *bytes;
};

struct plc_where { /* how to read an image back */
	uint64_t block;
	uint32_t blocks;
	bool home; /* blocks lie at their home offsets, absent ones in between; else dense */
};

struct plc_report {
	uint64_t capacity_blocks, live_blocks, dead_blocks, free_blocks, reserved_blocks;
	uint64_t emptied_blocks; /* of the dead ones those in zones without live blocks, which the next anchor frees */
	uint64_t gap_bytes; /* of the live blocks: in no live image, for they are shared (packing); dead as well */
};

struct plc_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;
	const char *const *changeable; /* options that may differ at another opening, NULL-ended; NULL: none may */
	bool in_place;
	bool appends; /* writes only at the ends of zones, which are cleaned: sequential devices will do, `cleaning` applies */

	/* Do its options ask for images packed at byte granularity? NULL: it never packs. */
	bool (*packs)(const struct pl_conf *conf);

	int (*open)(struct store *s, struct pl_fault *f);
	void (*close)(struct store *s);
	int (*format)(struct store *s, struct pl_ctx *x);
	void (*adopt)(struct store *s, uint64_t id, bool map, pl_loc loc);
	int (*recover)(struct store *s, struct pl_ctx *x);

	bool (*reserve)(struct store *s, uint32_t pages, bool urgent);
	void (*unreserve)(struct store *s, uint32_t pages);
	int (*make_room)(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent);

	pl_loc (*place)(struct store *s, struct pl_ctx *x, const struct plc_image *i);
	void (*flush)(struct store *s, struct pl_ctx *x);
	void (*before_read)(struct store *s, struct pl_ctx *x, pl_loc loc); /* NULL: nothing to do */
	struct plc_where (*where)(const struct store *s, uint64_t id, pl_loc loc);
	void (*release)(struct store *s, uint64_t id, pl_loc loc);

	void (*checkpoint)(struct store *s, struct pl_ctx *x, struct anchor *a);
	void (*anchored)(struct store *s, struct pl_ctx *x);
	void (*report)(const struct store *s, struct plc_report *out);

	/* Background; NULL: none. */
	void (*step)(struct store *s, struct pl_ctx *x);
	bool (*due)(const struct store *s);
};

/* The contract, function by function (called through s->choice.placement, once a page, never once a key):
 *
 * open        divides the device (fills s->layout) and allocates; PL_FULL with the sum if the device is too small.
 * format      brings the device to the state of an empty store (resets zones); the meta stream writes the first base.
 * adopt       opening: the anchor reaches this extent. recover: called once after all adopts, before any write.
 * reserve     grants room for the worst case of `pages` images, or grants nothing. urgent: may use what is kept for
 *             deletes. unreserve gives back. Each place of a frame's image consumes one reservation.
 * make_room   blocking: clean and checkpoint until reserve can succeed; PL_FULL if that is impossible.
 * place       gives the image an extent and starts (or gathers) its write; returns the loc.
 * flush       pushes gathered writes to the device (their completion is seen by io_drain).
 * before_read the page there is about to be read: what is gathered of its blocks goes to the device first. (Images of
 *             frames need no such care, for their frames stay until they are written; copies by cleaning do.)
 * where       how to read a loc back.
 * release     the extent of this loc is no longer the newest of its page.
 * checkpoint  after all pages of the epoch are placed, before the first sync: what the anchor has to name.
 * anchored    the anchor is durable: free what only older ones reach, finish home writes.
 * step        a slice of cleaning between two turns of operations: bounded, never waits for the device.
 * due         a checkpoint would free much. */

#endif
