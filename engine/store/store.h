/* store.h - what every variant shares: directory, pool, I/O, anchors. Internal to the engine and its variants.
 *
 * Invariants, numbered; the code refers to them as S1..S8.
 *  S1 Directory: entry[id] is 0 (no such page), a frame (codec 7), or the loc of the page's newest image.
 *  S2 A resident page's loc lies in its frame; it is the image last placed, older than the frame if the frame is dirty.
 *  S3 A dirty frame holds one space reservation; placing its image consumes it.
 *  S4 Between two turns of operations the tree is whole: a checkpoint's cut may fall anywhere.
 *  S5 Nothing the last durable anchor reaches is overwritten before the next anchor is durable (see placement.h).
 *  S6 A failed write or sync makes the store failed: nothing more is written, nothing is guessed.
 *  S7 Pinned frames are neither evicted nor reused; every pin belongs to an admitted operation.
 *  S8 Frames in the pool refer to each other by index, never by pointer. */
#ifndef PL_STORE_STORE_H
#define PL_STORE_STORE_H

#include "engine/iface/addressing.h"
#include "engine/iface/cleaning.h"
#include "engine/iface/durability.h"
#include "engine/iface/guard.h"
#include "engine/iface/placement.h"
#include "engine/iface/structure.h"
#include "engine/kv.h"
#include "engine/store/break.h"
#include "engine/store/pack.h"
#include "engine/store/page.h"

#define STORE_ROOT 1u
#define POOL_NONE UINT32_MAX
#define POOL_CHUNK_BYTES ((size_t)512 << 10)

/* --- I/O ---------------------------------------------------------------------------------------------------------- */

struct io {
	struct dev_req r;
	void (*done)(struct store *s, struct pl_ctx *x, struct io *io); /* may be NULL */
	uint64_t arg; /* the owner's */
	void *owner;
	pl_loc loc; /* reads of a page: what is being read. Cleaning may move the page meanwhile */
	struct io *next;
};

struct io *io_take(struct store *s);
/* Submit; on completion done is called, then the io is free again. */
void io_submit(struct store *s, struct pl_ctx *x, struct io *io);
/* Handle what has completed by now. */
void io_poll(struct store *s, struct pl_ctx *x);
/* Let time pass until something completes. Something must be in flight. */
void io_advance(struct store *s, struct pl_ctx *x);
/* Wait until nothing is in flight. */
void io_drain(struct store *s, struct pl_ctx *x);
/* Blocking forms; PL_OK or the status. */
int io_sync(struct store *s, struct pl_ctx *x);
int io_read(struct store *s, struct pl_ctx *x, enum dev_tag tag, uint64_t block, uint32_t blocks, uint8_t *buf);
int io_write(struct store *s, struct pl_ctx *x, enum dev_tag tag, uint64_t block, uint32_t blocks, uint8_t *buf);
int io_zone(struct store *s, struct pl_ctx *x, enum dev_op op, uint64_t block);
/* Not waited for. */
void io_punch(struct store *s, struct pl_ctx *x, uint64_t block, uint32_t blocks);

/* --- gathering sequential writer: zone streams and the journal ---------------------------------------------------- */

struct gather {
	uint64_t next; /* block that the next image gets, unless it shares one before it */
	uint64_t filled_from; /* block where buffer[current] begins */
	uint32_t buffer_blocks, used_blocks;
	uint32_t current;
	bool in_flight[2];
	uint8_t hint; /* of its writes, see struct dev_req */
	uint8_t *buffer[2];
	uint8_t *tags[2]; /* tag of each block */
	uint32_t *frames[2]; /* whose images lie in the buffer */
	uint32_t nframes[2], frames_room;
	struct pack_window window; /* of the current buffer, when images are packed */
};

int gather_open(struct gather *g, const struct store *s, uint32_t buffer_blocks);
void gather_close(struct gather *g);
/* Start at a block; nothing may be gathered. */
void gather_seek(struct gather *g, uint64_t block);
/* Copy blocks in at g->next; writes out first when the buffer is full. Returns the block they got. */
uint64_t gather_add(struct store *s, struct pl_ctx *x, struct gather *g, const struct plc_image *i);
/* The same for images of both forms: a packed one goes where it fits best among the blocks of the buffer, which are the
 * window of open bins, else to a new one. gather_blocks: the most that g->next moves on by it. */
uint32_t gather_blocks(const struct gather *g, const struct plc_image *i);
pl_loc gather_place(struct store *s, struct pl_ctx *x, struct gather *g, const struct plc_image *i);
void gather_flush(struct store *s, struct pl_ctx *x, struct gather *g);

/* --- pool --------------------------------------------------------------------------------------------------------- */

enum frame_state { FRAME_FREE, FRAME_LOADING, FRAME_VALID };

struct frame {
	uint64_t id;
	pl_loc loc; /* newest image; 0: never placed */
	uint64_t version; /* + 1 with each change */
	uint64_t placed; /* version of the image on its way */
	struct kv_op *waiters;
	uint32_t next_free;
	uint16_t pins;
	uint8_t state;
	bool dirty, writing, referenced;
	bool cleaning; /* dirty only because cleaning moves it, or a page below it */
	int8_t error; /* of a failed load, for its waiters */
	uint8_t unused[12];
};
_Static_assert(sizeof(struct frame) == 64, "one cache line");

struct pool {
	uint32_t frames, dirty, writing, free, reserved; /* reserved: free frames promised to operations */
	uint32_t free_head, hand;
	uint32_t pinned;
	uint32_t dirty_limit, dirty_high;
	struct frame *frame;
	uint8_t **chunk;
	uint32_t chunks, per_chunk;
};

static inline uint8_t *pool_page(const struct pool *p, uint32_t page_bytes, uint32_t frame)
{
	return p->chunk[frame / p->per_chunk] + (size_t)(frame % p->per_chunk) * page_bytes;
}

/* --- anchors ------------------------------------------------------------------------------------------------------ */

struct anchor {
	uint64_t sequence; /* + 1 with each anchor written; continues over reopening */
	uint64_t epoch;
	uint64_t cut_lsn; /* everything up to and including is in the tree image */
	uint64_t log_sequence; /* first log block to read when rolling forward */
	uint64_t log_generation;
	uint64_t records;
	uint64_t overflow_pages;
	uint64_t journal_head; /* next journal position (dwb) */
	uint64_t batch_position; /* of the batch directory in the journal */
	uint64_t batch_entries;
	uint32_t batch_crc;
	uint32_t flags;
	uint64_t clock; /* not less than that of any page it reaches */
};
enum {
	ANCHOR_CLEAN = 1,
	/* written by close: no log to roll forward */ ANCHOR_UNSAFE = 2 /* homes change without guard */
};

struct layout {
	uint64_t meta_start[2], meta_blocks; /* per half */
	uint64_t log_start, log_stride, log_segment_blocks, log_segments;
	uint64_t journal_start, journal_blocks;
	uint64_t data_start, data_blocks;
};

/* --- the store ---------------------------------------------------------------------------------------------------- */

enum op_wait { WAIT_NONE, WAIT_PAGE, WAIT_FRAME, WAIT_LOG, WAIT_START, WAIT_LARGE };

struct queue {
	struct kv_op *head, *tail;
};

struct store {
	struct kv_choice choice;
	const struct pl_conf *conf;
	struct dev *dev;
	uint64_t seed;
	uint32_t tag;
	uint32_t page_bytes, block_bytes, page_blocks;
	uint16_t full_bitmap;
	bool packs; /* images are packed at byte granularity where that saves something */
	uint32_t max_value_bytes, inline_bytes; /* key + value of an inline entry */
	struct nod_cfg node;
	uint64_t space_derived[8], cleaning_derived[8];
	struct pl_rng cleaning_rng;
	void *space_scratch;
	uint8_t *image; /* room for one image */
	uint8_t *locs; /* by_parent: room for a page with its references as locs */

	struct layout layout;
	struct pool pool;
	uint64_t *directory;
	uint64_t max_ids; /* ids are 1..max_ids */
	uint32_t *free_ids;
	uint64_t nfree_ids;
	uint32_t apply_new; /* frames and ids */
	uint32_t apply_pages; /* space reservations of the change being applied */
	uint32_t *deferred_ids; /* freed in this epoch */
	uint64_t ndeferred_ids, reserved_ids;

	struct anchor anchor; /* the last durable one */
	uint64_t meta_half, meta_next; /* block offset in the half where the next record goes */
	bool meta_new_base;
	uint8_t *meta_buf;
	size_t meta_buf_bytes;

	uint64_t epoch; /* the open one */
	uint64_t
		clock; /* blocks written for clients' changes, see page.h; goes on with the anchor's after an opening */
	uint64_t last_lsn; /* of the last change applied */
	uint64_t records, overflow_pages;
	uint64_t inner_pages; /* pages of kind inner; known by_parent */
	bool failed, opened, replaying, checkpointing, idle, closing;
	bool op_waits; /* changes end when they are durable (else only commits wait) */
	struct pl_fault fault;
	struct pl_fault failure; /* why the store failed */

	struct io *io_free;
	void **io_slabs;
	size_t io_nslabs;
	uint64_t in_flight;

	struct queue ready, done, wait_frame, wait_log, wait_start, wait_large;
	struct kv_op *large_owner;
	uint32_t *large_frames;
	uint32_t nlarge, max_overflow_pages;
	uint32_t active, max_active;
	uint64_t next_order;
	uint8_t **scratch; /* one per admissible operation; those of operations in flight are theirs */
	uint8_t *scratch_memory;
	uint32_t nscratch;

	void *placement, *addressing, *durability, *guard;
	struct kv_stats stats;
	char *spec; /* canonical text of what a base must agree with */
};

/* directory */
static inline bool entry_is_frame(uint64_t e)
{
	return (e >> 9 & 7) == SPC_CODEC_NOT_A_LOC;
}
static inline uint32_t entry_frame(uint64_t e)
{
	return (uint32_t)(e >> 28);
}
static inline uint64_t entry_of_frame(uint32_t frame)
{
	return (uint64_t)frame << 28 | (uint64_t)SPC_CODEC_NOT_A_LOC << 9;
}
/* Newest loc of a page, resident or not; 0 if never placed. */
static inline pl_loc store_loc(const struct store *s, uint64_t id)
{
	uint64_t e = s->directory[id];
	return entry_is_frame(e) ? s->pool.frame[entry_frame(e)].loc : (pl_loc){e};
}
static inline void store_set_loc(struct store *s, uint64_t id, pl_loc loc)
{
	uint64_t e = s->directory[id];
	if (entry_is_frame(e))
		s->pool.frame[entry_frame(e)].loc = loc;
	else
		s->directory[id] = loc.v;
}

/* References: refs.c.
 *
 * A reference is 8 bytes in a page that name another one. Under fixed and table it is a page id, in memory and on media.
 * With addressing by_parent (cow) it is the child's loc on media. In a resident page it is still that loc, or, once the
 * child was needed, `id << 28 | 7 << 9` with an id taken for it: a name in memory that lives no longer than the parent's
 * frame. Nothing else changes in a page when a reference becomes an id, so the page's version stays. All of this only by_parent:
 *  R1 Ids name the root and children whose parents are resident and hold their ids. A page with a frame has an id, so
 *     ancestors of resident pages are resident: a page is evicted only when no child of it has a frame.
 *  R2 Ancestors of a dirty page are dirty: whoever dirties a page dirties its path (page_touch).
 *  R3 A page is written when none of its children is dirty; its image holds their newest locs. So the image of a clean
 *     page is right as long as it is clean, and children reach the device's queue before their parents.
 *  R4 Ids are given back when their parent is evicted or their page is freed, and used again at once. As each belongs to
 *     a live page, max_ids of them suffice. */
static inline bool store_by_parent(const struct store *s)
{
	return s->choice.addressing->by_parent;
}
/* What a resident page holds to refer to a page. */
static inline uint64_t ref_to(const struct store *s, uint64_t id)
{
	return store_by_parent(s) ? id << 28 | (uint64_t)SPC_CODEC_NOT_A_LOC << 9 : id;
}
/* The page id behind a reference of a resident page, given one if it has none; 0: it refers to no page. */
uint64_t ref_page(struct store *s, uint8_t *ref);
/* The same without giving one: 0 also if it has none (the page is not resident then). */
uint64_t ref_known(const struct store *s, const uint8_t *ref);
/* The loc of the page's newest image; 0: none yet, or no such page. */
pl_loc ref_loc(const struct store *s, const uint8_t *ref);
/* Does it refer to a live page? */
bool ref_live(const struct store *s, const uint8_t *ref);
/* Free the page it refers to (which is live), loaded or not. */
void ref_free(struct store *s, const uint8_t *ref);
/* By_parent, of a resident page: may it be evicted (R1), then its ids are given back; may it be written (R3); locs for
 * ids in a copy of it. */
bool refs_evict(struct store *s, uint32_t frame);
bool refs_settled(struct store *s, uint32_t frame);
void refs_to_locs(struct store *s, uint8_t *copy);
/* What the header of a page's image says of its id. */
static inline uint64_t image_page_id(const struct store *s, uint64_t id)
{
	return store_by_parent(s) ? STORE_ROOT : id; /* the number of its tree: there is one */
}

/* The store has failed: remembers the first sentence. Returns PL_FAILED. */
int store_fail(struct store *s, const char *fmt, ...) PL_PRINTF(2, 3);

/* pool.c */
int pool_open(struct store *s, struct pl_fault *f);
void pool_close(struct store *s);
static inline uint8_t *frame_page(const struct store *s, uint32_t f)
{
	return pool_page(&s->pool, s->page_bytes, f);
}
/* A page for op: PL_OK and its frame, pinned; PL_AGAIN (op waits); an error. Without an op, PL_AGAIN leaves the loading
 * frame pinned for the caller, or says POOL_NONE if no frame can be had. */
int page_get(struct store *s, struct pl_ctx *x, uint64_t id, struct kv_op *op, uint32_t *frame);
/* Blocking: a page in a frame, pinned. f: told what is wrong; may be NULL. */
int page_wait(struct store *s, struct pl_ctx *x, uint64_t id, uint32_t *frame, struct pl_fault *f);
void page_prefetch(struct store *s, struct pl_ctx *x, uint64_t id);
void page_unpin(struct store *s, uint32_t frame);
void page_pin(struct store *s, uint32_t frame);
/* Resident and loaded? POOL_NONE if not. Takes no pin. */
uint32_t page_resident(const struct store *s, uint64_t id);
/* A new page in a reserved frame; dirty, zeroed but for its header. Consumes one reserved frame, id and space. */
uint32_t page_new(struct store *s, enum page_kind kind, uint8_t level);
/* The root changes with its level. */
void page_retype(struct store *s, uint32_t frame, enum page_kind kind, uint8_t level);
/* About to change: consumes a reservation if the frame was clean. */
void page_dirty(struct store *s, uint32_t frame);
/* A page below this one is about to change. Nothing that operations read here changes, so its version stays. */
void page_touch(struct store *s, uint32_t frame);
/* Free the page: frame and extent go. Unpinned by everybody but the caller. */
void page_free(struct store *s, uint64_t id);
/* The same for a page that is not resident. */
void extent_free(struct store *s, uint64_t id, pl_loc loc);
/* Make sure `frames` free frames are promised; false: none promised, wait for a frame. */
bool pool_reserve(struct store *s, struct pl_ctx *x, uint32_t frames);
/* Encode a frame and place it. */
void page_write(struct store *s, struct pl_ctx *x, uint32_t frame);
void pool_balance(struct store *s, struct pl_ctx *x);
/* Write all dirty pages that may leave the pool; what they had reserved and did not need is free again. */
void pool_write_cold(struct store *s, struct pl_ctx *x);
/* A page that is not resident, of which the caller has read and opened the newest image: in a frame, as if loaded; pinned.
 * PL_AGAIN: there is no frame without waiting, and it may not. */
int page_install(struct store *s, struct pl_ctx *x, uint64_t id, const uint8_t *page, bool may_wait, uint32_t *frame);
/* A placed image has reached the device. */
void page_written(struct store *s, struct pl_ctx *x, uint32_t frame);

/* image.c */
/* The image of a frame: a new version (generation + 1), or the same one again as a cleaner or a home write copies it. */
void image_make(struct store *s, struct pl_ctx *x, uint32_t frame, bool same, uint8_t *out, struct plc_image *i);
/* Charge for making one image under the store's space policy. */
void image_charge(const struct store *s, struct pl_ctx *x);
/* Header and crc of an image whose blocks are in `bytes` (dense). */
void image_seal(const struct store *s, uint8_t *bytes, const struct spc_image *img, uint8_t generation);
/* Verify a page just read (dense, or at home offsets) and spread it to a whole page. PL_DAMAGED with a sentence. */
int image_open(
	struct store *s, struct pl_ctx *x, uint8_t *page, uint64_t id, pl_loc loc, bool home, struct pl_fault *f);
/* Header of an image whose blocks lie dense in bytes (or, bitmap 0 and packed, its header and payload): valid? */
int image_verify(const struct store *s, const uint8_t *bytes, size_t n, bool home, uint64_t id, struct spc_image *img,
	struct pl_fault *f);
/* The blocks of loc just read, to be placed again as they are: brings the image to the front of bytes, checks it against
 * loc and fills img, units, generation and bytes of i. PL_DAMAGED with a sentence. */
int image_fetched(
	const struct store *s, uint8_t *bytes, uint64_t id, pl_loc loc, struct plc_image *i, struct pl_fault *f);

/* meta.c */
size_t meta_half_blocks(const struct store *s);
int meta_open(struct store *s, struct pl_fault *f);
void meta_close(struct store *s);
int meta_read(struct store *s, struct pl_ctx *x, struct pl_fault *f);
/* Will the next anchor be a base? */
bool meta_wants_base(const struct store *s);
int meta_write(struct store *s, struct pl_ctx *x, struct anchor *a, bool base);

/* checkpoint.c */
int checkpoint_run(struct store *s, struct pl_ctx *x);
bool checkpoint_due(const struct store *s);

/* relocate.c, by_parent: have the page whose image begins at `block` written elsewhere, by dirtying it and its ancestors
 * for cleaning; blocking. id: perhaps its page id (else anything). bytes: its image, dense, in room for a page (destroyed),
 * or NULL: it is read if need be. grant: reserve space for so many pages of it. PL_OK: it will move with the next anchor;
 * PL_AGAIN: not before a checkpoint makes room; PL_DAMAGED: it does not verify, or nothing refers to it. */
int store_relocate(struct store *s, struct pl_ctx *x, uint64_t block, uint64_t id, uint8_t *bytes,
	bool (*grant)(struct store *s, uint32_t pages));
/* The same in steps that never wait; what is clean is dirtied from the root down, `most` pages of it, one by one, and not
 * beyond dirty_high and a half of what is above it: so neither clients nor the writer lack dirty room. PL_AGAIN: to be
 * gone on with, now that `missing` is being read, or when more may be dirtied, or (refused) when some was written. */
struct relocation {
	uint64_t block, id; /* as above */
	uint8_t *bytes; /* its image as read; NULL: the page is resident */
	pl_loc loc;
	bool opened; /* bytes are, and loc is what refers to it */
	bool refused;
	uint64_t missing; /* or 0 */
	uint32_t most; /* less those that were dirtied */
	uint32_t frame; /* PL_OK: of the page, dirty; or POOL_NONE */
};
int store_relocate_step(
	struct store *s, struct pl_ctx *x, struct relocation *r, bool (*grant)(struct store *s, uint32_t pages));
/* Is it resident, so that no image need be read? */
bool store_relocates_from_pool(const struct store *s, uint64_t block, uint64_t id);

/* home.c: what guards in place share */
struct home;
int home_open(struct store *s, struct home **out);
void home_close(struct home *h);
/* Places of a page: one, or two side by side. */
static inline uint32_t home_slots(const struct store *s)
{
	return s->choice.guard->two_slots ? 2 : 1;
}
static inline uint64_t home_slot_block(const struct store *s, uint64_t id, uint32_t slot)
{
	return s->layout.data_start + ((id - 1) * home_slots(s) + slot) * s->page_blocks;
}
static inline uint64_t home_block(const struct store *s, uint64_t id)
{
	return home_slot_block(s, id, 0);
}
/* The place of its page that a loc names. */
static inline uint32_t home_slot(const struct store *s, uint64_t id, pl_loc loc)
{
	return loc_block(loc) != home_block(s, id);
}
/* Write an image to the blocks of its page at their home offsets and punch blocks that its previous image had. The
 * bytes are copied; frame (or POOL_NONE) is told. */
void home_write(struct store *s, struct pl_ctx *x, struct home *h, const struct plc_image *i);
/* The same to one of two places, without punching; and punch what a place may hold beside these blocks (0: in one
 * request). To be drained before the place is written again. */
void home_write_slot(struct store *s, struct pl_ctx *x, struct home *h, uint32_t slot, const struct plc_image *i);
void home_trim(struct store *s, struct pl_ctx *x, struct home *h, uint64_t id, uint32_t slot, uint16_t keep);
/* How to read it back; blocks of an unknown image are all read. */
struct plc_where home_where(const struct store *s, uint64_t id, pl_loc loc);

/* ids */
uint64_t id_take(struct store *s);
/* Not in use any more: may be taken again now (by_parent), or after the next anchor. */
void id_give(struct store *s, uint64_t id);

/* kv.c */
void queue_push(struct queue *q, struct kv_op *op);
struct kv_op *queue_pop(struct queue *q);
void op_ready(struct store *s, struct kv_op *op);
void wake_frame_waiters(struct store *s);
void wake_log_waiters(struct store *s);
/* Apply a log record, blocking, logging off. */
int store_replay(struct store *s, struct pl_ctx *x, const struct dur_record *r);
enum dev_tag tag_of_kind(enum page_kind kind);

/* Reserve, all or nothing, what a change needs: new pages (frames, ids), pages that become dirty (new ones included), and
 * log bytes. PL_OK: apply at once, then store_unreserve gives back what was not used. PL_AGAIN: op waits. PL_FULL. */
int store_reserve(struct store *s, struct pl_ctx *x, struct kv_op *op, uint32_t new_pages, uint32_t dirty_pages,
	uint64_t log_bytes, bool urgent);
void store_unreserve(struct store *s);
/* The next lsn, for a change being applied. */
pl_lsn store_next_lsn(struct store *s);

#endif
