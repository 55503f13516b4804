/* zone.h - what the files of placement=zone share: zones, their streams, the account of room.
 *
 *   zone.c         options, layout, opening, recovery; the ops table. Its head tells how all of it works
 *   zone_room.c    what is free, what is promised, what may be moved; reservations and the report
 *   zone_class.c   which stream an image goes to
 *   zone_stream.c  appending, opening and closing zones, freeing them
 *   zone_parent.c  cleaning where only its ancestors know where a page lies
 *   zone_clean.c   victims, moving what lives, making room */
#ifndef PL_VARIANTS_ZONE_H
#define PL_VARIANTS_ZONE_H

#include "engine/store/store.h"

#define ZONE_READ_BATCH 32u
#define ZONE_STREAMS_MAX 16u
#define ZONE_MAP_OWNER 0x80000000u
#define ZONE_NONE UINT64_MAX
#define ZONE_INTERVALS 128u /* classes of intervals: four to an octave */

enum zone_state { ZONE_FREE, ZONE_OPEN, ZONE_FULL, ZONE_BAD };
enum zone_classes { ZONE_ONE, ZONE_LEVEL, ZONE_TEMPERATURE, ZONE_DEATH };
enum zone_survivors { ZONE_APART, ZONE_MIXED, ZONE_STREAM };

struct zone_stream {
	struct gather gather;
	uint64_t zone; /* or ZONE_NONE */
	uint64_t end; /* first block behind the zone's capacity */
	bool finishing; /* the device was told that the zone is full, and has not answered */
	uint64_t death_at; /* streams by death: images that will die about then are meant for the open zone */
};

/* Intervals of the pages that clients changed lately. */
struct zone_intervals {
	uint32_t count[ZONE_INTERVALS];
	uint32_t total, fresh; /* fresh: since the classes were made */
	uint8_t class_of[ZONE_INTERVALS];
	uint64_t middle[ZONE_STREAMS_MAX]; /* of each class, blocks */
};

struct zone_deaths { /* of the images placed in a zone that have a history */
	uint64_t sum, count;
};

struct zone_move { /* a live image being read by cleaning */
	uint32_t owner; /* 0: none */
	int status; /* PL_AGAIN: not here yet */
	pl_loc loc;
	bool checked; /* it is here, and image says what it is; by_parent: it is opened, and loc what refers to it */
	uint8_t tries; /* by_parent: searches for its path that found it not resident */
	uint64_t missing; /* by_parent: the page of the path that was not there */
	struct plc_image image;
};

struct zone_cleaner {
	uint64_t victim; /* its first zone, or ZONE_NONE */
	uint64_t at; /* next block of it to look at */
	uint32_t waiting; /* moves */
	uint64_t live_blocks, dead_blocks; /* of the victim, when it was chosen: what a block of room costs */
	uint64_t consumed; /* z->consumed up to which was paid */
	uint64_t paid_units; /* may be moved now */
	uint32_t gathered; /* bit a stream: copies may be in its buffer */
	uint64_t round; /* of the last resort under way */
	bool left; /* by_parent: something of the victim was given up */
	bool refused; /* by_parent: the last step would have dirtied more pages */
	uint32_t
		dirtied; /* by_parent: pages for cleaning since the anchor that wait for it, or for the pool's writer */
	struct zone_move here; /* by_parent: the resident page at `at` */
	struct zone_move move[ZONE_READ_BATCH];
};

struct zones {
	struct cln_zone
		*zone; /* live, capacity, closed_at; candidate = full, with live blocks, not emptied since the anchor */
	struct zone_deaths *deaths;
	uint8_t *state;
	uint8_t *drained; /* emptied since the anchor, but for dirty pages */
	uint8_t *done; /* per group: the next anchor frees it */
	uint32_t *owner; /* page id (or ZONE_MAP_OWNER | index) whose image begins in this data block; 0: none */
	uint32_t *next; /* by page id: the next page whose image begins in the same block; images packed only */
	uint64_t n, stride, capacity;
	uint32_t group; /* zones that are opened, cleaned and freed together; n is a multiple */
	uint64_t nfree, next_free; /* zones in free groups; group to look at next */
	uint64_t ready; /* zones in groups that the next anchor frees */
	uint64_t nempty; /* full, but without live blocks */
	struct pack_account *live_in, live; /* the images of each zone, of all; zone[i].live_blocks is what they take */
	uint64_t live_units; /* of all */
	uint32_t reserved; /* pages */
	uint64_t consumed; /* pages reserved and not given back, ever */
	uint32_t spare; /* zones kept for cleaning, by_parent at least (zone_spare) */
	uint32_t slice_pages;

	enum zone_classes classes;
	enum zone_survivors survivors;
	struct zone_stream stream[ZONE_STREAMS_MAX]; /* the clients', then the survivors' own */
	uint32_t users, streams; /* the clients'; all */
	uint32_t turn[2]; /* the stream of clients' images, of copies, whose buffer is being filled */
	struct zone_intervals intervals;
	struct zone_cleaner cleaner;
	struct cln_zone *groups; /* what a policy sees, if groups have several zones */

	uint64_t *scratch; /* one entry a zone */
	uint8_t *buffer;
};

static inline uint64_t zone_of(const struct store *s, const struct zones *z, uint64_t block)
{
	return (block - s->layout.data_start) / z->stride;
}

static inline uint64_t zone_start(const struct store *s, const struct zones *z, uint64_t i)
{
	return s->layout.data_start + i * z->stride;
}

/* Blocks of a zone that images can be sure to use. */
static inline uint64_t zone_useful(const struct store *s, const struct zones *z)
{
	return z->capacity - (s->page_blocks - 1);
}

static inline uint64_t zone_map_reserve(const struct store *s)
{
	return s->choice.addressing->map_pages ? s->choice.addressing->map_pages(s) * s->page_blocks : 0;
}

uint64_t zone_spare_by_parent(const struct store *s, const struct zones *z);
/* Zones kept for cleaning. */
static inline uint64_t zone_spare(const struct store *s, const struct zones *z)
{
	return store_by_parent(s) ? zone_spare_by_parent(s, z) : z->spare;
}

static inline uint64_t zone_stream_left(const struct zone_stream *t)
{
	return t->zone == ZONE_NONE ? 0 : t->end - t->gather.next;
}

/* Blocks that images will take when they are moved. Packed they lie about as dense as pack_takes says, but each write leaves
 * a block that is not filled, and zones of which nothing would be gained are to show it. */
static inline uint64_t zone_takes(const struct store *s, const struct zones *z, const struct pack_account *images)
{
	uint64_t blocks = pack_takes(images);
	return s->packs ? blocks + blocks / 16 + pl_div_up(blocks, z->stream[0].gather.buffer_blocks) : blocks;
}

/* A group is written as a whole: any of its zones takes any image. */
static inline bool zone_grouped(const struct zones *z)
{
	return z->group > 1;
}

/* Zones that may be partly written, and then those that clients' images may leave so beside the one that counts. */
static inline uint32_t zone_partly(const struct zones *z)
{
	if (zone_grouped(z))
		return z->streams;
	return (z->streams < 2 ? 2 : z->streams) + z->users - 1;
}

/* ---- zone_room.c ---- */

/* Do free blocks cover what is reserved, `pages` more, the map, and so many zones beside them? */
bool zone_enough(const struct store *s, const struct zones *z, uint64_t pages, uint64_t spare_zones);
/* The same for copies and whatever else may take survivors' streams, too; nothing is kept. */
bool zone_enough_anywhere(const struct store *s, const struct zones *z, uint64_t pages);
/* Would live blocks stay below their limit with `pages` more? */
bool zone_below_limit(const struct store *s, const struct zones *z, uint64_t pages, bool urgent);
/* Blocks that clients may still reserve without asking for cleaning; negative: they cannot. */
int64_t zone_headroom(const struct store *s, const struct zones *z);
/* Blocks that cleaning may move before the next anchor, without touching what dirty pages and the map will need. */
uint64_t zone_movable(const struct store *s, const struct zones *z);
bool zone_reserve(struct store *s, uint32_t pages, bool urgent);
void zone_unreserve(struct store *s, uint32_t pages);
void zone_report(const struct store *s, struct plc_report *r);

/* ---- zone_class.c ---- */

/* The stream for an image of n blocks with this header; copy: cleaning moves it. */
struct zone_stream *zone_choose(struct store *s, struct zones *z, const uint8_t *header, uint32_t n, bool copy);
/* The stream has got an empty zone. */
void zone_class_opened(const struct store *s, struct zones *z, struct zone_stream *t);
/* When the image with this header will have died, by the clock; CLN_NEVER: nothing is known. */
uint64_t zone_death(const uint8_t *header, uint64_t now);

/* ---- zone_stream.c ---- */

/* Give an image an extent in the stream's open zone, or in the next free one. May wait for the device. */
pl_loc zone_append(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t, const struct plc_image *i,
	uint32_t owner);
/* Would that wait, or a flush after it? Then what it waits for is under way. */
bool zone_would_wait(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t, uint32_t n);
/* Is the group of this zone what the next anchor frees? To be called when that may have changed. */
void zone_recount(struct zones *z, uint64_t zone);
/* Let the stream go on at block `next` of a zone that is partly written. */
void zone_stream_continue(struct store *s, struct zones *z, struct zone_stream *t, uint64_t i, uint64_t next);
/* Right after an anchor: full zones without live blocks become free. */
void zone_free_empty(struct store *s, struct pl_ctx *x, struct zones *z);
void zone_release(struct store *s, uint64_t id, pl_loc loc);
/* The account of an image that lives from now on; its old one, if any, is in no list of owners. */
void zone_own(const struct store *s, struct zones *z, uint32_t owner, pl_loc loc);

/* ---- zone_clean.c ---- */

void zone_cleaner_init(struct zones *z);
/* A zone becomes free: nothing of it is to be moved any more. */
void zone_cleaner_forget(struct store *s, struct zones *z, uint64_t zone);
/* An anchor: what it did not free is a candidate again. */
void zone_cleaner_anchored(struct zones *z);
/* Everything of the victim was moved or will move with the next anchor. */
void zone_end_victim(struct store *s, struct zones *z);
/* A zone that holds what is damaged: not used any more. */
void zone_set_bad(struct zones *z, uint64_t zone);
/* What was copied is on its way before anybody may read it. This does not wait: see zone_would_wait. */
void zone_flush_copies(struct store *s, struct pl_ctx *x, struct zones *z);
void zone_step(struct store *s, struct pl_ctx *x);
bool zone_due(const struct store *s);
int zone_make_room(struct store *s, struct pl_ctx *x, uint32_t pages, bool urgent);

/* ---- zone_parent.c ---- */

/* What live pages may take of so many blocks. */
uint64_t zone_share_by_parent(const struct store *s, const struct zones *z, uint64_t blocks, bool urgent);
/* Clean by_parent until so many zones are free or will be with the next anchor (`ready` of them already), or what is kept
 * for cleaning is used up. */
int zone_round_by_parent(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t want, uint64_t ready);
/* The policy's victim, or a better one. */
uint64_t zone_choose_by_parent(struct store *s, const struct zones *z);
/* What moving so many live blocks takes, their paths included. */
uint64_t zone_needs_by_parent(const struct store *s, uint64_t live);
/* Zones to be emptied between two anchors, so that they pay for the paths. */
uint64_t zone_ahead_by_parent(const struct store *s, const struct zones *z);
/* Go on with the victim for what was paid: at most slice_pages pages dirtied, and so many asked for. Those dirtied. */
uint32_t zone_slice_by_parent(struct store *s, struct pl_ctx *x, struct zones *z);
/* Is it so far from its limit that slices may clean? */
bool zone_roomy_by_parent(const struct store *s, const struct zones *z);
/* low: there is little room, and an anchor frees some. */
bool zone_due_by_parent(const struct store *s, const struct zones *z, bool low);

#endif
