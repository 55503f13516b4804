/* structure.h - the contract of the axis `structure`: how keys become pages. */
#ifndef PL_IFACE_STRUCTURE_H
#define PL_IFACE_STRUCTURE_H

#include "engine/kv.h"

struct store;

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
};

#endif
