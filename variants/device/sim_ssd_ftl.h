/* sim_ssd_ftl.h - the page-level translation layer of sim_ssd: map, superblocks, victims. It never looks at a clock.
 *
 * A page here is the unit of mapping (one block of the device). A superblock is what is erased at once.
 *
 *   page address = superblock << shift | page in the superblock       super_pages <= 1 << shift
 *   map[logical page]   -> page address, FTL_NONE: unmapped           4 B a logical page
 *   owner[page address] -> logical page; stale where not valid        4 B a physical page
 *   bits                   1: valid                                   1 bit a physical page
 *   struct ftl_super       32 B a superblock. Up to 256 pages the bits lie in front of it, in one cache line
 *
 * For superblocks of 256 pages that is 4u + 4.3 bytes a physical page, u = logical / physical; super_pages that is no
 * power of two wastes what is missing to the next in owner and bits.
 *
 * Invariants:
 *  1. map and owner are inverse on valid pages: the bit of p is set and p was written  <=>  map[owner[p]] == p.
 *  2. Opening a superblock sets the bits of all its pages: those not yet written count as valid until it is closed. So
 *     a write touches no bit. super.valid = set bits, + FTL_NOT_CLOSED unless it is closed.
 *  3. Only closed superblocks are candidates for collection, and only those are in the policy's structure.
 *  4. Pages written = host pages + moved pages. Who calls ftl_put counts them, one by one or afterwards, but before the
 *     next ftl_open or ftl_victim: ages are measured in host pages.
 * Everything is a pure function of (options, calls): ties go by order of events, never by address of memory. */
#ifndef PL_DEVICE_SIM_SSD_FTL_H
#define PL_DEVICE_SIM_SSD_FTL_H

#include "engine/base/rng.h"
#include "engine/iface/device.h"

#define FTL_NONE UINT32_MAX
#define FTL_NOT_CLOSED 0x80000000u
#define FTL_STREAMS_MAX 16

enum ftl_collect { FTL_GREEDY, FTL_FIFO, FTL_COSTBENEFIT, FTL_DCHOICES };
enum ftl_gc_stream {
	FTL_GC_OWN, /* pages that collection moves have a superblock of their own */
	FTL_GC_SHARED, /* they share the host's (of stream 0). With a pSLC cache the host's is there: then as FTL_GC_OWN */
	FTL_GC_STREAM, /* each stream of the host has its own superblock for what is moved (FDP persistently isolated) */
};
enum ftl_state { FTL_FREE, FTL_OPEN, FTL_CLOSED, FTL_VICTIM };

struct ftl_options {
	uint64_t logical_pages;
	uint32_t supers, super_pages; /* supers << shift <= 2^32 - 2^shift */
	uint32_t slc_supers, slc_pages; /* the last of the supers are a pSLC cache, of so many pages each; 0: none */
	uint32_t streams; /* of the host, 1..FTL_STREAMS_MAX */
	uint32_t reserve; /* free superblocks below which the untimed path collects; >= 1 */
	uint32_t choices; /* d of d-choices, >= 1 */
	enum ftl_collect collect;
	bool oldest_of_equals; /* greedy: see sim_ssd_collect.c */
	enum ftl_gc_stream gc_stream;
	uint64_t seed; /* of d-choices */
};

struct ftl_super {
	uint32_t valid; /* pages; see invariant 2 */
	uint32_t prev, next; /* the policy's */
	uint32_t erases; /* since the beginning */
	uint64_t closed_at; /* host pages written until then: its age counts from here */
	uint32_t programs; /* the timing layer's: operations under way */
	uint8_t state, stream, slc, spare;
};
_Static_assert(sizeof(struct ftl_super) == 32, "two of them, or one and its bits, fill a cache line");

struct ftl_head { /* where a stream writes: pages [at, end) of an open superblock; at == end: full; end == 0: none */
	uint32_t at, end;
	uint8_t stream;
	bool slc;
};

struct ftl_counts { /* pages and superblocks, since the last ftl_reset_counts */
	uint64_t host_pages, moved_pages, trimmed_pages;
	uint64_t victims, victim_valid; /* chosen by the policy; sum over them of their valid pages */
	/* Sum, over the same moments, of the pages written in what is open or closed outside of the pSLC cache. Their mean
	 * over time is half a victim's gain lower: victim_written / victims - (super_pages - victim_valid / victims) / 2.
	 * It is the space in whose terms closed forms hold (Little's law: pages written x their mean life). */
	uint64_t victim_written;
	uint64_t erases, rescans, folded_pages; /* folded: moved out of the pSLC cache, part of moved */
};

struct ftl {
	struct ftl_options o;
	uint32_t shift, bits_shift, super_shift;
	uint32_t *map, *owner;
	uint8_t *bits_at, *supers_at; /* of superblock 0; the next is 1 << bits_shift, 1 << super_shift bytes further */
	uint32_t *free_ring; /* erased, oldest first */
	uint32_t free_first, free_count;
	uint32_t *slc_ring; /* the same for the pSLC superblocks */
	uint32_t slc_first, slc_free;
	uint32_t threshold; /* greedy: closed ones with at most so many valid pages are listed */
	struct ftl_head host[FTL_STREAMS_MAX], gc[FTL_STREAMS_MAX]; /* ftl_check knows of no others */
	struct ftl_counts counts;
	uint64_t host_before, moved_before; /* pages before the last reset of the counts */
	struct pl_rng rng;
	void *policy; /* what the collection policy keeps, sim_ssd_collect.c */
	size_t memory_bytes; /* all of the above that is not in this struct; one mapping, which holds it */
	void *mapped;
	size_t mapped_bytes;
};

static inline struct ftl_super *ftl_super(const struct ftl *f, uint32_t super)
{
	return (struct ftl_super *)(void *)(f->supers_at + ((size_t)super << f->super_shift));
}
static inline uint64_t *ftl_bits(const struct ftl *f, uint32_t super)
{
	return (uint64_t *)(void *)(f->bits_at + ((size_t)super << f->bits_shift));
}
static inline bool ftl_valid(const struct ftl *f, uint32_t page)
{
	uint32_t in = page & ((1u << f->shift) - 1);
	return ftl_bits(f, page >> f->shift)[in / 64] >> (in % 64) & 1;
}

/* A listed superblock has lost a page: valid is the new count. */
void ftl_listed_lost(struct ftl *f, uint32_t super, uint32_t valid);

static inline void ftl_invalidate(struct ftl *f, uint32_t page)
{
	uint32_t super = page >> f->shift, in = page & ((1u << f->shift) - 1);
	ftl_bits(f, super)[in / 64] &= ~((uint64_t)1 << (in % 64));
	uint32_t valid = --ftl_super(f, super)->valid;
	if (__builtin_expect(valid <= f->threshold, 0))
		ftl_listed_lost(f, super, valid);
}

/* Host pages written since the beginning. */
static inline uint64_t ftl_clock(const struct ftl *f)
{
	return f->host_before + f->counts.host_pages;
}
static inline void ftl_reset_counts(struct ftl *f)
{
	f->host_before += f->counts.host_pages;
	f->moved_before += f->counts.moved_pages;
	f->counts = (struct ftl_counts){0};
}

/* PL_NOMEM; the caller has checked the sums. *f is initialised by this call. */
int ftl_init(struct ftl *f, const struct ftl_options *o) PL_MUST_USE;
void ftl_deinit(struct ftl *f);
int ftl_clone(struct ftl *to, const struct ftl *from) PL_MUST_USE;

/* ---- the steps, for a caller that puts time between them ---- */

/* Give the head the oldest free superblock (of the pSLC cache if head->slc); the full one it had is closed. There must be
 * one free. */
void ftl_open(struct ftl *f, struct ftl_head *h);
/* Map lpn to the next page of the head, which has one; what it was mapped to before is invalid. */
static inline uint32_t ftl_put(struct ftl *f, struct ftl_head *h, uint32_t lpn)
{
	uint32_t old = f->map[lpn], page = h->at++;
	if (old != FTL_NONE)
		ftl_invalidate(f, old);
	f->owner[page] = lpn;
	f->map[lpn] = page;
	return page;
}
static inline void ftl_trim(struct ftl *f, uint32_t lpn)
{
	uint32_t old = f->map[lpn];
	if (old == FTL_NONE)
		return;
	ftl_invalidate(f, old);
	f->map[lpn] = FTL_NONE;
	f->counts.trimmed_pages++;
}
/* The policy's victim, now in state FTL_VICTIM and in no list, or FTL_NONE when no superblock is closed. May be full of
 * valid pages. Counts it. */
uint32_t ftl_victim(struct ftl *f);
/* The oldest closed superblock of the pSLC cache as victim, or FTL_NONE. */
uint32_t ftl_slc_victim(struct ftl *f);
/* The head that takes pages moved out of super. */
struct ftl_head *ftl_gc_head(struct ftl *f, const struct ftl_super *super);
/* Erased: free again, at the end of the ring. Every valid page was moved or lost. */
void ftl_erased(struct ftl *f, uint32_t super);

/* ---- the untimed path: only counts ---- */

/* Write n pages of a stream in order, collecting whole victims at once whenever free superblocks run short. */
void ftl_write(struct ftl *f, const uint32_t *lpn, size_t n, uint32_t stream);
/* Move what is left of a victim and erase it: how many pages that were. may_collect: of the pSLC cache; else it draws on
 * the free superblocks, of which it gives one back. */
uint32_t ftl_empty(struct ftl *f, uint32_t super, bool may_collect);
/* Superblocks that the untimed path cannot do without beyond those for the data and one page more: other open heads,
 * reserve. supers - slc_supers >= logical_pages / super_pages + 1 + this. */
uint32_t ftl_supers_needed(const struct ftl_options *o);

/* ---- the collection policies' side, sim_ssd_collect.c ---- */

size_t ftl_policy_bytes(const struct ftl_options *o);
void ftl_policy_init(struct ftl *f);
/* The superblock, just closed, is a candidate from now on. */
void ftl_policy_closed(struct ftl *f, uint32_t super);
const char *ftl_policy_check(const struct ftl *f);

/* Check invariants 1 to 4 and the policy's own in O(pages); NULL or what is wrong (static text). */
const char *ftl_check(const struct ftl *f);

#endif
