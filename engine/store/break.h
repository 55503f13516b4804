/* break.h - switches that break one durability rule each, so that tests can show that the crash campaign notices.
 * Zero (nothing broken) everywhere but in those tests. */
#ifndef PL_STORE_BREAK_H
#define PL_STORE_BREAK_H

#define KV_BREAKS(X)                                                                                                   \
	X(NONE, "nothing is broken")                                                                                   \
	X(IMAGE_SYNC, "the anchor is written without a sync of the images it names")                                   \
	X(ANCHOR_SYNC, "the anchor is taken for durable without a sync")                                               \
	X(LOG_SYNC, "operations are acknowledged when the log is written, not synced")                                 \
	X(RELEASE, "what an anchor still reaches is reused at once")                                                   \
	X(HOME_EARLY, "images go home before the anchor that names their batch is durable")                            \
	X(HOME_SYNC, "the journal of a batch is reused at once, before its home writes are synced")                    \
	X(JOURNAL_SKIP, "dirty pages go straight home, without the journal")                                           \
	X(SLOT, "a page goes to the one of its two slots that the anchor reaches")                                     \
	X(MAP_DELTAS, "an anchor leaves out some of its map deltas")                                                   \
	X(REPLAY_START, "replay begins one flush too late")                                                            \
	X(LOG_GENERATION, "the log continues under its old generation after a recovery")                               \
	X(LOG_REUSE, "log space is reused before the anchor that frees it is durable")                                 \
	X(META_HALF, "a new base overwrites the half that holds the newest anchor")                                    \
	X(RECOVERY_SYNC, "recovery acts on what it read without a sync")                                               \
	X(CHECKSUM, "checksums of log blocks and anchors are not verified")

enum kv_break {
#define X(id, text) KV_BREAK_##id,
	KV_BREAKS(X)
#undef X
		KV_BREAK_COUNT
};

extern enum kv_break kv_broken; /* set by tests only */
extern const char *const kv_break_text[KV_BREAK_COUNT];

#endif
