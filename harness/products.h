/* products.h - which products a test goes through that goes through all of them.
 *
 * In a normal build every legal product is. Under sanitizers, which make a test several times as slow, a sample is in which
 * every pair of choices of two axes occurs (cover.h); the same products are marked `sampled` in every build, so that a test
 * may ask more of them than of the rest. Shards share out what is gone through, so that several processes, each with a
 * shard of its own, do it side by side.
 *
 *   PAGELAB_SHARD=I/N   only part I of N (0 <= I < N), the same in every build; each product is in exactly one
 *   PAGELAB_SAMPLE=1    only the sample; 0: all, also under sanitizers
 *   PAGELAB_SEED        chooses the sample
 *   PAGELAB_PACKED      see model.h
 *   PAGELAB_PRODUCT     only products whose name contains this text, sampled or not */
#ifndef PL_HARNESS_PRODUCTS_H
#define PL_HARNESS_PRODUCTS_H

#include "harness/model.h"

struct product {
	struct kv_choice choice;
	char name[200];
	size_t number; /* among all that apply: does not depend on shard, sample or build */
	bool sampled;
};

struct products {
	struct product *item;
	size_t n, all; /* all: that apply, before sample, shard and name */
};

/* applies: NULL: every legal one. The caller frees. A malformed PAGELAB_SHARD ends the program. */
void products_choose(struct products *p, bool (*applies)(const struct kv_choice *c));
void products_free(struct products *p);
/* Work that is not a list of products is shared out by number. */
bool products_mine(size_t number);
/* True unless a part was asked for: sums over all products can be expected to show everything. */
bool products_whole(void);

#endif
