/* kv.h - the engine: a store of byte-string keys and values whose every page policy is a parameter.
 *
 * One thread owns a store. Operations never wait: kv_start runs an operation as far as it goes; one that must wait
 * (for a page, a frame, space, the log) returns PL_AGAIN and is resumed by kv_run when what it waits for has come.
 * kv_do is the blocking helper for simple callers.
 *
 *     struct kv_op op = {.kind = KV_GET, .key = key};
 *     int err = kv_start(kv, &ctx, &op);
 *     while (err == PL_AGAIN) { ctx.now_ns = kv_next_ns(kv, ctx.now_ns); if (kv_run(kv, &ctx) == &op) err = op.status; }
 *
 * Order: operations take effect one after another, in the order of their lsn. "Acknowledged" means the operation ended
 * with PL_OK; what that promises after a crash is the durability policy's contract (engine/iface/durability.h). */
#ifndef PL_KV_H
#define PL_KV_H

#include "engine/base/ctx.h"
#include "engine/iface/device.h"
#include "engine/iface/node.h"
#include "engine/iface/space.h"

struct str_ops;
struct adr_ops;
struct plc_ops;
struct cln_ops;
struct dur_ops;
struct grd_ops;

/* One choice per axis. */
struct kv_choice {
	const struct str_ops *structure;
	const struct nod_ops *node;
	const struct spc_ops *space;
	const struct adr_ops *addressing;
	const struct plc_ops *placement;
	const struct cln_ops *cleaning; /* looked at by placements that clean */
	const struct dur_ops *durability;
	const struct grd_ops *guard; /* looked at by placements in place */
	const struct dev_ops *device;
};

/* NULL if the combination is legal, else the reason in one sentence (static text). engine/compat.c */
const char *kv_refusal(const struct kv_choice *c);

/* Options of the store itself (bare names): page_bytes, pool_bytes, log_bytes, ... */
extern const struct pl_opt kv_opts[];

struct kv;
struct kv_op;

/* Make an empty store on dev (its old content is lost). PL_INVALID (illegal combination or option), PL_FULL
 * (device too small, the sum shown), PL_IO. */
int kv_format(const struct kv_choice *c, const struct pl_conf *conf, uint64_t seed, struct dev *dev, struct pl_ctx *x,
	struct pl_fault *f) PL_MUST_USE;
/* Open what kv_format made, recovering as the durability policy says; all of recovery's time passes in x. The caller
 * keeps dev, conf and the choices alive until kv_close. PL_NOTSTORE, PL_DAMAGED (what, where, expected, found),
 * PL_INVALID (formatted with other options; names the key), PL_IO. */
int kv_open(const struct kv_choice *c, const struct pl_conf *conf, struct dev *dev, struct pl_ctx *x, struct kv **out,
	struct pl_fault *f) PL_MUST_USE;
/* Make everything durable (a last anchor) and release the store. After an error the store is released all the same;
 * what was durable before is. No operation may be in flight. */
int kv_close(struct kv *kv, struct pl_ctx *x, struct pl_fault *f) PL_MUST_USE;
/* Release memory without writing anything: as if the process had died. With requests in flight the device must be closed
 * next: it still knows their buffers. */
void kv_abandon(struct kv *kv);

enum kv_kind {
	KV_GET,
	KV_PUT, /* insert or replace */
	KV_UPDATE, /* overwrite value bytes [offset, offset + value.n) of an existing record; PL_NOTFOUND, PL_RANGE */
	KV_RMW, /* read the record, then change a byte range of it, as one operation */
	KV_DELETE, /* PL_NOTFOUND if absent */
	KV_SCAN, /* from the first key >= key on, in order, until emit says no or limit is reached */
	KV_COMMIT, /* wait until everything acknowledged or applied so far is durable */
	KV_KINDS
};

struct kv_patch {
	uint64_t offset;
	pl_slice bytes;
};

struct kv_op {
	/* in */
	enum kv_kind kind;
	bool no_wait; /* acknowledge without waiting for durability, whatever the policy's default */
	pl_slice key; /* must stay valid until the end of the operation, like value and buf */
	pl_slice value; /* PUT: the value; UPDATE: the new bytes */
	uint64_t offset; /* UPDATE */
	uint8_t *buf; /* GET, RMW, SCAN: room for values that do not lie in one page; without it such a value */
	size_t buf_bytes; /* ends the operation with PL_TOOBIG */
	uint32_t limit; /* SCAN: at most so many records; 0 = no limit */
	/* RMW: called with the present value (valid during the call); fills patch, whose bytes must stay valid until the
	 * operation ends. Offset + length must lie inside the value. Called again if the record changed meanwhile. */
	void (*modify)(void *arg, pl_slice value, struct kv_patch *patch);
	/* SCAN: called per record, slices valid during the call; false ends the scan. */
	bool (*emit)(void *arg, pl_slice key, pl_slice value);
	/* GET: if set, called with the value (valid during the call); else `result` is to be used at once. */
	void (*got)(void *arg, pl_slice value);
	void *arg;

	/* out */
	int status;
	pl_lsn lsn; /* of the change; COMMIT: of the last change that it covers */
	pl_slice result; /* GET: valid until the next call to the store */
	uint64_t emitted; /* SCAN */
	bool replaced; /* PUT: there was a record before */

	/* the engine's own */
	struct kv_op *next;
	struct {
		uint8_t phase, wait, pins, height;
		bool admitted, reserved, large_wait;
		uint32_t reserved_pages, reserved_frames;
		uint64_t reserved_log_bytes;
		uint64_t order; /* age, for fairness */
		uint64_t ticket; /* what it waits for */
		uint32_t frame[16]; /* pinned path */
		uint64_t version[16];
		uint32_t slot[16];
		uint64_t progress, stamp, total; /* large values and scans */
		uint8_t *scratch;
	} in;
};

/* Begin op. Returns its status if it ended in this turn, or PL_AGAIN. */
int kv_start(struct kv *kv, struct pl_ctx *x, struct kv_op *op) PL_MUST_USE;
/* Take what the device has completed by x->now_ns, run background work and resumed operations. Returns one operation
 * that ended (its status is final), or NULL when there is nothing more to do now. Call until NULL. */
struct kv_op *kv_run(struct kv *kv, struct pl_ctx *x);
/* When kv_run may next have something to do (>= now_ns; real devices: now_ns), PL_NS_NEVER if nothing is under way.
 * Call with idle = true when no client can issue anything before: open commit groups are then closed. */
uint64_t kv_next_ns(struct kv *kv, uint64_t now_ns, bool idle);
/* Blocking: kv_start and kv_run until op ends. Other operations must not be in flight. */
int kv_do(struct kv *kv, struct pl_ctx *x, struct kv_op *op);

/* Blocking conveniences over kv_do. */
int kv_put(struct kv *kv, struct pl_ctx *x, pl_slice key, pl_slice value) PL_MUST_USE;
int kv_get(struct kv *kv, struct pl_ctx *x, pl_slice key, uint8_t *buf, size_t buf_bytes, pl_slice *value) PL_MUST_USE;
int kv_delete(struct kv *kv, struct pl_ctx *x, pl_slice key) PL_MUST_USE;

/* Run a checkpoint to its end: afterwards everything applied before is durable. */
int kv_checkpoint(struct kv *kv, struct pl_ctx *x) PL_MUST_USE;

/* How many operations may be in flight together (pool size and tree height limit it); more wait to start. */
uint32_t kv_max_active(const struct kv *kv);
/* The longest value this store takes. */
uint32_t kv_max_value_bytes(const struct kv *kv);
/* The sentence that belongs to the last error of the store (damage, failed writes); empty if none. */
const char *kv_fault_text(const struct kv *kv);

/* Walk the whole store and verify: structure, bounds, checksums, map, space accounting. PL_OK, or PL_DAMAGED with the
 * first violation in words. Runs alone: no operation in flight. Needs no free frame beyond a tree path. */
int kv_check(struct kv *kv, struct pl_ctx *x, struct pl_fault *f) PL_MUST_USE;

/* Counters since open, and levels. Every number is exact in a simulated run. */
#define KV_STATS(X)                                                                                                    \
	X(user_write_bytes, "bytes", "bytes of keys and values that operations asked to write")                        \
	X(user_read_bytes, "bytes", "bytes of keys and values returned")                                               \
	X(gets, "count", "get operations")                                                                             \
	X(puts, "count", "put operations")                                                                             \
	X(updates, "count", "update and read-modify-write operations")                                                 \
	X(deletes, "count", "delete operations")                                                                       \
	X(scans, "count", "scan operations")                                                                           \
	X(turns, "count", "turns of operations")                                                                       \
	X(waits, "count", "turns that ended in a wait")                                                                \
	X(pool_hits, "count", "page references that found the page resident")                                          \
	X(pool_misses, "count", "page references that had to read")                                                    \
	X(evictions_clean, "count", "frames reused without a write")                                                   \
	X(evictions_dirty, "count", "dirty pages written to make room")                                                \
	X(page_writes, "count", "page images written")                                                                 \
	X(page_write_bytes, "bytes", "bytes of page images written, each placement counted")                           \
	X(page_exact_bytes, "bytes", "bytes of page images written before they were rounded up to blocks or a class")  \
	X(page_reads, "count", "page images read")                                                                     \
	X(splits, "count", "page splits")                                                                              \
	X(merges, "count", "page merges")                                                                              \
	X(checkpoints, "count", "anchors made durable")                                                                \
	X(checkpoint_ns, "ns", "time spent in checkpoints")                                                            \
	X(log_records, "count", "log records")                                                                         \
	X(log_bytes, "bytes", "bytes of log records before padding")                                                   \
	X(log_flushes, "count", "log flushes")                                                                         \
	X(syncs, "count", "device syncs")                                                                              \
	X(cleaned_zones, "count", "victims of cleaning")                                                               \
	X(moved_pages, "count", "live pages moved by cleaning")                                                        \
	X(moved_bytes, "bytes", "bytes moved by cleaning")                                                             \
	X(occupied_blocks, "count", "written blocks of zones not yet emptied, summed over the page images written")    \
	X(moved_pages_blocking, "count", "of these pages, those moved while an operation waited for room")             \
	X(moved_pages_at_once, "count", "most pages that cleaning moved between two turns since open")                 \
	X(home_writes, "count", "journaled images written home")                                                       \
	X(punches, "count", "punch requests")                                                                          \
	X(recovered_records, "count", "log records rolled forward at open")                                            \
	X(cache_pages, "count", "frames of the pool")                                                                  \
	X(height, "count", "levels of the tree")                                                                       \
	X(records, "count", "records in the store")                                                                    \
	X(live_pages, "count", "pages in the store")                                                                   \
	X(live_bytes, "bytes", "device bytes of live page images")                                                     \
	X(dead_bytes, "bytes", "device bytes awaiting cleaning or an anchor")                                          \
	X(free_bytes, "bytes", "device bytes free for pages")                                                          \
	X(reserved_bytes, "bytes", "device bytes promised or kept back")                                               \
	X(data_capacity_bytes, "bytes", "device bytes meant for pages: live + dead + free + reserved")                 \
	X(device_used_bytes, "bytes", "device bytes that hold something for us: pages, log, journal, meta")

struct kv_stats {
#define X(name, unit, text) uint64_t name;
	KV_STATS(X)
#undef X
};
void kv_stats(const struct kv *kv, struct kv_stats *out);

#endif
