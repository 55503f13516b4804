/* device.h - the contract of the axis `device`: blocks and time, nothing above.
 *
 * A device takes requests and completes them at times of its own. A simulated device is a pure function of
 * (options, seed, calls): it never asks for wall time and never decides by an address. A real device completes in
 * submit() or later and is polled with the monotonic clock.
 *
 * What a device promises (the engine relies on these and on no more):
 *  1. Requests in flight may complete and become durable in any order.
 *  2. A write is atomic per block only up to caps.atomic_blocks; a crash may leave any subset of its sectors.
 *  3. A completed sync makes durable every write, append, punch and zone change whose completion was polled
 *     before the sync was submitted. Others may or may not be durable. (A file system may still lose the name of a
 *     file that is new: sim_opfs with fresh=1.)
 *  4. A read sees every write whose submission came before the read's (simulated devices capture data at submit).
 *     Overlapping writes in flight together are the caller's mistake.
 *  5. A block never written, or punched, reads as zeros.
 *  6. Sequential devices (caps.sequential) take writes only at a zone's write pointer. */
#ifndef PL_IFACE_DEVICE_H
#define PL_IFACE_DEVICE_H

#include "engine/base/conf.h"

enum dev_op {
	DEV_READ,
	DEV_WRITE,
	DEV_APPEND, /* block = start of a zone; where it landed is in result_block */
	DEV_PUNCH, /* trim, discard or hole: the blocks read as zeros afterwards */
	DEV_SYNC,
	DEV_ZONE_RESET, /* block = start of a zone, also for the next three */
	DEV_ZONE_FINISH,
	DEV_ZONE_OPEN, /* zrwa: with a random write area */
	DEV_ZONE_CLOSE,
	DEV_ZONE_FLUSH, /* block = first block of the random write area that is not flushed: the pointer moves there */
	DEV_TRUNCATE, /* block = new end of the file it lies in (start of a file: empty); blocks from there to the
			 file's end hold nothing afterwards. Devices with caps.files, also for the next four */
	DEV_FILE_OPEN, /* block = start of a file */
	DEV_FILE_CLOSE,
	DEV_FILE_MOVE, /* takes the name (and so the blocks) of the file at result_block, which is replaced */
	DEV_FILE_REMOVE,
	DEV_OPS
};

extern const char *const dev_op_name[DEV_OPS];

/* Who caused a request; host and media bytes are counted per tag. */
#define DEV_TAGS_TABLE(X)                                                                                              \
	X(LEAF, "leaf", "leaf pages, where they stay")                                                                 \
	X(INNER, "inner", "inner pages, where they stay")                                                              \
	X(OVERFLOW, "overflow", "pages of values too large for a leaf")                                                \
	X(MAP, "map", "pages of the mapping table")                                                                    \
	X(LOG, "log", "the logical log")                                                                               \
	X(JOURNAL, "journal", "page images of the double-write journal")                                               \
	X(CLEAN, "clean", "live pages moved by the engine's own cleaning")                                             \
	X(META, "meta", "anchors and allocator state")

enum dev_tag {
#define X(id, name, text) DEV_TAG_##id,
	DEV_TAGS_TABLE(X)
#undef X
		DEV_TAGS
};

extern const char *const dev_tag_name[DEV_TAGS];

struct dev_caps {
	uint32_t block_bytes;
	uint64_t capacity_blocks;
	uint32_t atomic_blocks; /* a write of at most so many aligned blocks is never torn; 0: not even one */
	bool sequential; /* zones must be written at their write pointer, in order */
	uint64_t zone_blocks; /* distance between zone starts; 0: no zones */
	uint64_t zone_capacity; /* writable blocks of a zone, <= zone_blocks */
	uint64_t zones;
	uint32_t max_open, max_active; /* 0: no limit */
	bool append;
	bool punch;
	uint32_t punch_blocks; /* granule of a punch, in blocks */
	uint32_t zrwa_blocks; /* size of a zone's random write area; 0: none */
	uint32_t zrwa_flush_blocks; /* granule of DEV_ZONE_FLUSH */
	uint64_t files, file_blocks; /* the blocks are those of so many files of one greatest size; 0: no files */
	uint64_t erase_unit_blocks; /* what the device writes one after another and erases at once; 0: not known */
	uint32_t streams; /* placement hints that make a difference: 0..streams-1; 0 or 1: none does */
	bool simulated; /* time is the model's own */
	bool contentless; /* opened so: requests carry no bytes */
};

enum dev_zone_state { /* names of the NVMe ZNS command set, section "Zone State Machine" */
	DEV_ZONE_EMPTY,
	DEV_ZONE_IMPLICIT_OPEN,
	DEV_ZONE_EXPLICIT_OPEN,
	DEV_ZONE_CLOSED,
	DEV_ZONE_FULL,
	DEV_ZONE_READ_ONLY,
	DEV_ZONE_OFFLINE
};

struct dev_zone {
	uint64_t start, capacity; /* blocks */
	uint64_t write_pointer; /* absolute block; start + capacity when full */
	enum dev_zone_state state;
};

struct dev_req {
	enum dev_op op;
	enum dev_tag tag;
	uint64_t block;
	uint32_t blocks; /* 0 for sync, zone and file operations */
	uint8_t stream; /* writes: placement hint (NVMe FDP placement handle); 0: none. Taken modulo caps.streams */
	bool zrwa; /* DEV_ZONE_OPEN */
	uint8_t *buf; /* blocks * block_bytes; the caller's until completion; reads fill it. Not looked at, and may be
			 NULL, when the device was opened contentless */
	const uint8_t *block_tags; /* writes: tag of each block, for the statistics; NULL: all have `tag` */
	/* filled by the device */
	int status; /* PL_OK or an error */
	uint64_t submit_ns, done_ns;
	uint64_t result_block; /* append; the caller's for DEV_FILE_MOVE */
	/* the caller's, untouched by the device */
	void *user;
	/* the device's own while the request is in flight */
	struct dev_req *next;
	uint64_t scratch;
};

struct dev_stats { /* counters since open; bytes unless said */
	uint64_t host_read_bytes[DEV_TAGS], host_write_bytes[DEV_TAGS];
	uint64_t host_reads[DEV_TAGS], host_writes[DEV_TAGS]; /* requests */
	uint64_t punch_bytes, punches, syncs, zone_resets, zone_finishes;
	uint64_t media_write_bytes; /* what the flash programmed: host writes + moved (simulated); else 0 */
	uint64_t media_moved_bytes; /* of these, by the device's own collection */
	uint64_t media_read_bytes;
	uint64_t erases; /* erase units */
	uint64_t busy_ns; /* summed over dies */
	uint64_t stored_bytes; /* a level, not a count: bytes the device holds for us now (after punches) */
};

struct dev {
	const struct dev_ops *ops;
	struct dev_caps caps;
	struct dev_stats stats;
};

struct dev_args {
	const struct pl_conf *conf; /* options under the device's own name */
	uint64_t seed;
	uint64_t capacity_bytes; /* wanted; rounded down to what the geometry allows */
	uint32_t block_bytes;
	const char *path; /* real devices: file or block device; NULL for simulated ones */
	bool create; /* real devices: truncate or create; else it must exist */
	bool contentless; /* simulated devices: requests carry no bytes, only their effects and times are simulated */
};

/* What can end the host's side of a device without its consent. */
enum dev_cut {
	DEV_CUT_WORKER, /* the thread that calls is stopped (OPFS: worker.terminate()) */
	DEV_CUT_PROCESS, /* the processes are killed; the operating system lives */
	DEV_CUT_POWER,
	DEV_CUT_EVICT, /* the whole store is thrown away (OPFS: eviction of the origin) */
	DEV_CUTS
};

struct dev_ops {
	const char *name, *summary;
	const char *unavailable; /* NULL, or why this build or machine cannot offer it */
	const struct pl_opt *opts;
	bool sequential; /* every device of this kind is (caps.sequential), for the compatibility checks */
	bool real; /* needs a path; its time is the monotonic clock's */

	int (*open)(const struct dev_args *a, struct dev **out, struct pl_fault *f);
	void (*close)(struct dev *d); /* nothing in flight */

	int (*submit)(struct dev *d, uint64_t now_ns, struct dev_req *r);
	struct dev_req *(*poll)(struct dev *d, uint64_t now_ns);
	uint64_t (*next_ns)(struct dev *d);

	int (*zone)(struct dev *d, uint64_t zone, struct dev_zone *out); /* NULL without zones */
	void (*stats)(struct dev *d, struct dev_stats *out); /* NULL: dev->stats as it stands */

	/* Simulated devices only: content and zones out of band, taking no time and counting nothing. The crash
	 * laboratory builds the state after a power cut with these, and kept stores are saved and loaded with them.
	 * poke of NULL punches. */
	int (*peek)(struct dev *d, uint64_t block, uint32_t blocks, uint8_t *buf);
	int (*poke)(struct dev *d, uint64_t block, uint32_t blocks, const uint8_t *buf);
	int (*poke_zone)(struct dev *d, uint64_t zone, enum dev_zone_state state, uint64_t write_pointer);

	/* Simulated devices only, each may be NULL. */
	int (*clone)(struct dev *d, struct dev **out);
	int (*cut)(struct dev *d, uint64_t now_ns, enum dev_cut cut, uint64_t seed);
	void (*prepare)(const struct dev *d, uint64_t block, int stage);
	void (*write_untimed)(struct dev *d, const uint32_t *block, size_t n, uint32_t stream);
	void (*describe)(struct dev *d, void (*put)(void *arg, const char *key, uint64_t value), void *arg);
};

/* Open by ops. PL_INVALID (contradictory geometry, too small), PL_IO, PL_UNSUPPORTED with a sentence in f. */
static inline int dev_open(const struct dev_ops *ops, const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	if (ops->unavailable)
		return pl_fault_set(f, PL_UNSUPPORTED, "device %s is unavailable: %s", ops->name, ops->unavailable);
	return ops->open(a, out, f);
}

static inline void dev_close(struct dev *d)
{
	if (d)
		d->ops->close(d);
}

/* Hand over r at now_ns (never less than at any call before). Returns PL_OK: r will be polled, exactly once, whatever
 * its status turns out to be. Returns an error only for a request that the contract forbids (PL_RANGE; PL_INVALID, also
 * for what caps do not offer) or that cannot be queued (PL_NOMEM); then r is not in flight. The caller keeps r and its buffer alive and unchanged until polled. */
static inline int PL_MUST_USE dev_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	return d->ops->submit(d, now_ns, r);
}

/* The next request completed at or before now_ns, in order of (done_ns, submission), or NULL. A real device gives back
 * what has completed, whatever now_ns says. */
static inline struct dev_req *dev_poll(struct dev *d, uint64_t now_ns)
{
	return d->ops->poll(d, now_ns);
}

/* When dev_poll may next have something (simulated: exact or early, then ask again; real: 0 = poll now);
 * PL_NS_NEVER when nothing is in flight. */
static inline uint64_t dev_next_ns(struct dev *d)
{
	return d->ops->next_ns(d);
}

static inline int PL_MUST_USE dev_zone(struct dev *d, uint64_t zone, struct dev_zone *out)
{
	return d->ops->zone ? d->ops->zone(d, zone, out) : PL_UNSUPPORTED;
}

static inline void dev_stats(struct dev *d, struct dev_stats *out)
{
	if (d->ops->stats)
		d->ops->stats(d, out);
	else
		*out = d->stats;
}

/* A copy of a device that has nothing in flight: the same calls give the same answers at the same times from both, and
 * neither knows of the other. This is how a state is kept (snapshot) and gone back to (restore: clone the copy).
 * PL_AGAIN: something is in flight; PL_NOMEM; PL_UNSUPPORTED. The caller closes *out. */
static inline int PL_MUST_USE dev_clone(struct dev *d, struct dev **out)
{
	return d->ops->clone ? d->ops->clone(d, out) : PL_UNSUPPORTED;
}

/* The host's side ends at now_ns. Requests in flight are gone: they are never polled. The device becomes one of the
 * states that its model says may be left, chosen by seed, and can be used at once by a new host. PL_UNSUPPORTED: the
 * model does not know this cut; PL_NOMEM. */
static inline int PL_MUST_USE dev_cut(struct dev *d, uint64_t now_ns, enum dev_cut cut, uint64_t seed)
{
	return d->ops->cut ? d->ops->cut(d, now_ns, cut, seed) : PL_UNSUPPORTED;
}

/* A request at block comes soon. Has no effect but on the speed of the simulation: stage 0 well ahead, stage 1 about
 * half as far ahead. */
static inline void dev_prepare(const struct dev *d, uint64_t block, int stage)
{
	if (d->ops->prepare)
		d->ops->prepare(d, block, stage);
}

/* Write n single blocks in order with all their effects on the medium and its counters (of dev_describe; not those of
 * dev_stats) and none in time; what they hold does not change. For what only counts: write amplification, wear, ageing.
 * NULL: the model has no medium beneath its blocks. Nothing may be in flight. */
static inline bool dev_can_write_untimed(const struct dev *d)
{
	return d->ops->write_untimed != NULL;
}
static inline void dev_write_untimed(struct dev *d, const uint32_t *block, size_t n, uint32_t stream)
{
	d->ops->write_untimed(d, block, n, stream);
}

/* Geometry, sums and counters that only this kind of device has, by name (units last). */
static inline void dev_describe(struct dev *d, void (*put)(void *arg, const char *key, uint64_t value), void *arg)
{
	if (d->ops->describe)
		d->ops->describe(d, put, arg);
}

#endif
