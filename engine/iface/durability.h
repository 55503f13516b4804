/* durability.h - the contract of the axis `durability`: what an acknowledgement promises after a crash.
 *
 *   none  recovery shows the state of the last anchor: a prefix of all operations. Acknowledged is not durable; a
 *         commit or a checkpoint is.
 *   redo  acknowledged means visible after recovery; what was not acknowledged is there whole or not at all, and never
 *         without everything before it. */
#ifndef PL_IFACE_DURABILITY_H
#define PL_IFACE_DURABILITY_H

#include "engine/base/conf.h"
#include "engine/base/ctx.h"

struct store;
struct anchor;
struct kv_op;

enum dur_record_kind { DUR_PUT = 1, DUR_DELETE, DUR_UPDATE };

struct dur_record { /* absolute: replaying any suffix again converges to the same state */
	enum dur_record_kind kind;
	pl_lsn lsn;
	pl_slice key, value;
	uint64_t offset; /* DUR_UPDATE */
};

struct dur_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;
	bool logs;

	uint64_t (*log_blocks)(const struct store *s); /* wanted; 0 without a log */
	int (*open)(struct store *s, struct pl_fault *f);
	void (*close)(struct store *s);

	/* Reserve bytes of log before a change; false: an anchor or a flush must come first. */
	bool (*reserve)(struct store *s, uint64_t bytes);
	void (*unreserve)(struct store *s, uint64_t bytes);
	uint64_t (*record_bytes)(const struct store *s, size_t key_bytes, size_t value_bytes); /* worst case */
	/* Append a record under the next lsn; cannot fail. */
	void (*append)(struct store *s, struct pl_ctx *x, const struct dur_record *r);
	/* True if everything up to lsn is durable as the policy promises; else the caller waits for it. */
	bool (*durable)(const struct store *s, pl_lsn lsn);
	/* An operation waits for lsn: begin the wait (group commit). commit: it wants it in any case. */
	void (*want)(struct store *s, struct pl_ctx *x, pl_lsn lsn, bool commit);
	/* Background: flush if due. idle: no client can issue anything before. */
	void (*step)(struct store *s, struct pl_ctx *x, bool idle);
	uint64_t (*next_ns)(const struct store *s, bool idle); /* when step has something to do; PL_NS_NEVER */
	bool (*due)(const struct store *s); /* a checkpoint would free much log */

	void (*cut)(struct store *s, struct pl_ctx *x, struct anchor *a); /* nothing in flight afterwards */
	void (*anchored)(struct store *s, struct pl_ctx *x);
	/* Roll forward from s->anchor through store_replay; PL_DAMAGED if the log is damaged below its synced end. */
	int (*recover)(struct store *s, struct pl_ctx *x, struct pl_fault *f);
	void (*restart)(struct store *s); /* after recovery: continue at a fresh place under a new generation */
};

#endif
