/* structure.h - the contract of the axis `structure`: how keys become pages. */
#ifndef PL_IFACE_STRUCTURE_H
#define PL_IFACE_STRUCTURE_H

#include "engine/kv.h"

struct store;

#define STR_PATH_MAX 40u

typedef bool str_visit(struct store *s, uint8_t *ref, void *arg);

struct str_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;
	/* An empty structure in a freshly formatted store: its root has page id STORE_ROOT. */
	int (*format)(struct store *s, struct pl_ctx *x);
	/* One turn of an operation: PL_AGAIN after noting what it waits for, else its final status. */
	int (*turn)(struct store *s, struct pl_ctx *x, struct kv_op *op);
	/* Everything verified (blocking): PL_DAMAGED and the first violation in words. */
	int (*check)(struct store *s, struct pl_ctx *x, struct pl_fault *f);
	/* The references in a page, in order, each where it lies; true as soon as visit says so. Ends for any bytes. */
	bool (*refs)(struct store *s, uint8_t *page, str_visit *visit, void *arg);
	/* By_parent: the path to the page whose image begins at `block`, found by what that image (opened) holds; blocking.
	 * at[0..*n) are frames from the root down to its parent, pinned for the caller whatever is returned; *ref is where the
	 * parent refers to it (NULL: it is the root, *n = 0). PL_NOTFOUND: no page refers there. With `missing` it never waits:
	 * PL_AGAIN: page *missing had to be there, and is being read if a frame could be had. */
	int (*path_to)(struct store *s, struct pl_ctx *x, const uint8_t *image, uint64_t block,
		uint32_t at[STR_PATH_MAX], uint32_t *n, uint8_t **ref, uint64_t *missing);
};

#endif
