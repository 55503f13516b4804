/* addressing.h - the contract of the axis `addressing`: how the directory (page id -> loc) survives a crash.
 *
 * In memory the directory is the truth for all variants. An addressing is told of every change and writes what an anchor
 * must carry: a base holds everything, a delta what changed since the anchor before.
 *
 * Two kinds by what a parent holds of its child: a page id, which the addressing finds again; or (by_parent) the child's
 * loc, so that the tree finds itself from the root and the addressing keeps only which extents are live. */
#ifndef PL_IFACE_ADDRESSING_H
#define PL_IFACE_ADDRESSING_H

#include "engine/base/ctx.h"
#include "engine/store/page.h"

struct store;

enum adr_change { ADR_BORN, ADR_FREED, ADR_MOVED };

struct adr_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;
	bool fixed; /* a page's place follows from its id */
	bool by_parent; /* references on media are locs: a page that moves changes its ancestors (engine/store/refs.c) */

	int (*open)(struct store *s, struct pl_fault *f);
	void (*close)(struct store *s);
	/* Greatest sizes of what write_base and write_delta may produce, bytes. */
	size_t (*base_bytes)(const struct store *s);
	size_t (*delta_bytes)(const struct store *s);

	/* The same before the device is divided, for one of so many blocks. NULL: 8 bytes an id, 16 a change. */
	void (*greatest)(uint64_t device_blocks, size_t *base_bytes, size_t *delta_bytes);

	/* The entry of a page changed; O(1), cannot fail. */
	void (*changed)(struct store *s, uint64_t id, enum adr_change what);
	/* by_parent (else NULL): an image was given this extent; the extent is no page's newest image any more. */
	void (*placed)(struct store *s, pl_loc loc);
	void (*released)(struct store *s, pl_loc loc);
	/* by_parent (else NULL): blocks of the live extent that begins at this block, 0 if none does; how many there are. */
	uint32_t (*extent)(const struct store *s, uint64_t block);
	uint64_t (*extents)(const struct store *s);
	/* A checkpoint before its first sync: place what has to be placed (map pages). base: the anchor is a base. */
	int (*prepare)(struct store *s, struct pl_ctx *x, bool base);
	size_t (*write_base)(struct store *s, uint8_t *out);
	size_t (*write_delta)(struct store *s, uint8_t *out);
	void (*anchored)(struct store *s);

	/* Opening: one base, then deltas in order, then load, which fills the directory and adopts every extent. */
	int (*read_base)(struct store *s, const uint8_t *in, size_t n, struct pl_fault *f);
	int (*read_delta)(struct store *s, const uint8_t *in, size_t n, struct pl_fault *f);
	int (*load)(struct store *s, struct pl_ctx *x, struct pl_fault *f);

	/* Cleaning: the map page `index` now lies at loc. NULL without map pages. map_loc: where it lies. */
	void (*map_moved)(struct store *s, uint64_t index, pl_loc loc);
	pl_loc (*map_loc)(const struct store *s, uint64_t index);
	uint64_t (*map_pages)(const struct store *s);
	/* Frames free of pages: memory the policy holds beside the directory, bytes. */
};

#endif
