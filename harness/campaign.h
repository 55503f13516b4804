/* campaign.h - the crash campaign: record a run of a store, cut it anywhere, recover, and compare with the model.
 *
 * A *life* is what happens between two crashes: (format,) open, some operations by a few clients at once, perhaps a
 * close and an opening in the middle. It is recorded request by request (crash.h) together with what was started and
 * what was acknowledged when. At a moment of a life, contents of the store that may be found afterwards are
 *
 *     { content after the first p changes, in order of lsn : lo <= p <= hi }
 *
 * lo: the last change that a promise covers; promises are an operation acknowledged by a policy that logs or forces,
 *     a commit, a checkpoint, a close, and an opening (what it showed).
 * hi: the last change of an operation that had been started.
 * Every found content is checked for more: kv_check is clean, a scan ascends, new writes work, and they are there after
 * close and opening. In a part of the states the next life is itself recorded and cut, also in the middle of its
 * recovery, and after a mere process kill (content that is visible but not durable).
 * A store in place without a guard may refuse to open, with a sentence; if it opens, all of the above holds.
 *
 * Everything follows from (product, seed, moment, subset): a violation names them and can be replayed alone. */
#ifndef PL_HARNESS_CAMPAIGN_H
#define PL_HARNESS_CAMPAIGN_H

#include "harness/crash.h"
#include "harness/model.h"

/* Where to look. All: everywhere, a third of it around syncs and anchors. Anchors: while an anchor can be read but is not
 * durable, mostly killing first. Torn log: while a flush of several blocks is on its way, always into a second life.
 * Torn anchors: while an anchor is on its way. */
enum campaign_focus { CAMPAIGN_ALL, CAMPAIGN_ANCHORS, CAMPAIGN_TORN_LOG, CAMPAIGN_TORN_ANCHORS };

struct campaign_plan {
	const struct kv_choice *choice;
	const struct model_lab *lab;
	uint64_t seed;
	uint32_t operations; /* of the first life */
	uint32_t clients;
	uint32_t states; /* wanted; spread evenly over the moments */
	bool every; /* besides, each moment of the first life that changed something, once */
	bool hostile; /* the device tears even single blocks */
	uint32_t sector_bytes; /* to which it tears; 0: CRASH_SECTOR_BYTES */
	enum campaign_focus focus;
	bool replay; /* only this one: */
	uint64_t event, subset;
};

struct campaign_report {
	bool violated;
	bool ran; /* else it could not even begin */
	char text[900]; /* what, in words */
	uint64_t event, subset; /* of the violation */
	uint64_t events; /* moments of the first life */
	uint64_t states; /* recovered and compared */
	uint64_t second_lives; /* of these, states after a crash of a life that began with a recovery */
	uint64_t cut_recoveries; /* of these, in the middle of the recovery */
	uint64_t refused; /* unsafe products: openings refused */
	struct kv_stats stats; /* of the first life: to see that it had splits, checkpoints, evictions */
};

/* PL_OK if the campaign ran (look at violated), else why it could not (device too small, ...). */
int campaign_run(const struct campaign_plan *p, struct campaign_report *r, struct pl_fault *f) PL_MUST_USE;

/* Sum of counters over several openings; levels are the newest. */
void campaign_add_stats(struct kv_stats *sum, const struct kv_stats *s);

#endif
