/* node_run.h - layouts of pages alone, without the engine: how many cache lines a lookup touches, exactly.
 *
 * `run = node` builds a B+-tree of `records` records in memory (keys, page_bytes, node and its options, node.*) by inserts
 * in random order, so that pages are as full as splits leave them, and then looks up node.lookups keys that are there,
 * each from the root to its leaf and to the bytes of its value. */
#ifndef PL_HARNESS_NODE_RUN_H
#define PL_HARNESS_NODE_RUN_H

#include "engine/base/conf.h"
#include "results/metrics.h"

#include <jansson.h>

extern const struct pl_opt node_run_opts[]; /* prefix "node" */

struct node_counts { /* whole numbers, the same on every machine */
#define X(name, unit, direction, text) uint64_t name;
	RES_NODE(X)
#undef X
};

struct node_wall { /* of this machine and hour: no part of a digest, never judged */
	bool measured;
	uint64_t lookup_ns,
		cpu_ns; /* of all lookups, one after another: the least of some rounds; cpu: of this thread */
	uint64_t rounds;
	bool counted; /* what follows is known */
	uint64_t cache_misses, instructions;
	char why_not[120]; /* if it is not */
};

struct node_result {
	struct node_counts counts;
	struct node_wall wall;
	uint64_t run_ns; /* wall time of the whole run */
};

struct node_run_args {
	const struct pl_conf *conf;
	bool (*progress)(
		void *arg, const char *phase, uint64_t done, uint64_t of, uint64_t elapsed_ns); /* may be NULL */
	void *arg;
};

/* What can be said of conf beforehand: PL_INVALID with a sentence. */
int node_run_check(const struct pl_conf *conf, struct pl_fault *f) PL_MUST_USE;
/* PL_INVALID, PL_NOMEM, PL_INTERRUPTED; PL_DAMAGED if a lookup does not find what was put in. */
int node_run(const struct node_run_args *a, struct node_result *out, struct pl_fault *f) PL_MUST_USE;

/* Rows of result files; the caller owns them. node: exact. derived: ratios of it. wall: times, and counters of the
 * processor or null and why. Only the first is part of the digest. */
json_t *node_row_exact(const struct node_result *r);
json_t *node_row_derived(const struct node_result *r);
json_t *node_row_wall(const struct node_result *r);

#endif
