/* node_wall.h - lookups timed on this machine: never part of an exact row. */
#ifndef PL_HARNESS_NODE_WALL_H
#define PL_HARNESS_NODE_WALL_H

#include "harness/node_run.h"
#include "harness/node_tree.h"

struct node_request {
	pl_slice key;
};

uint64_t node_wall_ns(void);
/* Look n keys up in order, so many rounds; the best counts. Where the processor's counters may be read, what they say of
 * that round; else why not. */
void node_wall_measure(const struct node_tree *t, const struct node_request *request, uint64_t n, uint64_t rounds,
	struct node_wall *out);

#endif
