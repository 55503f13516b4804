/* sim_ssd_ftl.c - see sim_ssd_ftl.h for the layout and its invariants.
 *
 * Everything lies in one mapping, in huge pages where there are any, so that a clone is one copy:
 *   map | owner | bits and supers (up to 256 pages in one record of 64 bytes, else two arrays) | rings | policy
 *
 * What a write costs is two cache misses, map[lpn] and the record of the superblock where the old page lies; owner is
 * written in sequence. ftl_write therefore goes over its pages three times, 64 at a time: ask for the map, read it and
 * ask for the records, write. Nothing is kept from the second pass: a collection in between moves pages. Collection
 * likewise asks for the map of a victim's pages before it moves them. */
#include "variants/device/sim_ssd_ftl.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#define BATCH 64 /* pages of a pass */
#define GATHER 256 /* pages of a victim moved at once */
#define RECORD_PAGES_MAX 256 /* pages of which the bits fit beside a struct ftl_super in 64 bytes */
#define HUGE_BYTES ((size_t)2 << 20)

/* ---- memory ---- */

static size_t lines(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

/* Say where the arrays lie in the mapping at base; with NULL, only how long it is. */
static size_t place(struct ftl *f, uint8_t *base)
{
	size_t slots = (size_t)f->o.supers << f->shift, supers = f->o.supers;
	bool record = f->o.super_pages <= RECORD_PAGES_MAX;
	size_t owner = lines(f->o.logical_pages * sizeof f->map[0]);
	size_t bits = owner + lines(slots * sizeof f->owner[0]);
	size_t super = record ? bits + sizeof(struct ftl_super) : bits + lines(supers << f->bits_shift);
	size_t ring = record ? bits + (supers << f->bits_shift) : super + lines(supers << f->super_shift);
	size_t slc_ring = ring + lines((supers - f->o.slc_supers) * sizeof f->free_ring[0]);
	size_t policy = slc_ring + lines(f->o.slc_supers * sizeof f->slc_ring[0]);
	if (base) {
		f->map = (uint32_t *)(void *)base;
		f->owner = (uint32_t *)(void *)(base + owner);
		f->bits_at = base + bits;
		f->supers_at = base + super;
		f->free_ring = (uint32_t *)(void *)(base + ring);
		f->slc_ring = (uint32_t *)(void *)(base + slc_ring);
		f->policy = base + policy;
	}
	return policy + lines(ftl_policy_bytes(&f->o));
}

static int allocate(struct ftl *f)
{
	f->memory_bytes = place(f, NULL);
	f->mapped_bytes = f->memory_bytes < 2 * HUGE_BYTES ? f->memory_bytes : f->memory_bytes + HUGE_BYTES;
	f->mapped = mmap(NULL, f->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->mapped == MAP_FAILED)
		return PL_NOMEM;
	uint8_t *base = f->mapped;
	if (f->mapped_bytes > f->memory_bytes) {
		base += -(uintptr_t)base & (HUGE_BYTES - 1);
#ifdef MADV_HUGEPAGE
		(void)madvise(base, f->memory_bytes, MADV_HUGEPAGE); /* refused: it is only slower */
#endif
	}
	place(f, base);
	return PL_OK;
}

static uint32_t log2_up(uint32_t n)
{
	uint32_t shift = 0;
	while (((uint64_t)1 << shift) < n)
		shift++;
	return shift;
}

static bool gc_shares(const struct ftl_options *o)
{
	return o->gc_stream == FTL_GC_SHARED && !o->slc_supers;
}

/* When room is looked for, the head that needs it has none. With a reserve of free superblocks and the other heads open,
 * the rest are closed; while those are more than the mapped pages fill, one of them has a page to win. */
uint32_t ftl_supers_needed(const struct ftl_options *o)
{
	uint32_t gc = o->gc_stream == FTL_GC_STREAM ? o->streams : gc_shares(o) ? 0 : 1;
	return o->streams - 1 + gc + o->reserve;
}

int ftl_init(struct ftl *f, const struct ftl_options *o)
{
	*f = (struct ftl){.o = *o};
	f->shift = log2_up(o->super_pages);
	assert(o->super_pages > 0 && o->supers > 0);
	assert((uint64_t)o->supers << f->shift <= ((uint64_t)1 << 32) - ((uint64_t)1 << f->shift));
	assert(o->logical_pages > 0 && o->logical_pages < FTL_NONE && o->reserve > 0 && o->choices > 0);
	assert(o->streams > 0 && o->streams <= FTL_STREAMS_MAX && o->slc_supers < o->supers);
	assert(!o->slc_supers || (o->slc_pages > 0 && o->slc_pages <= o->super_pages));
	assert(o->supers - o->slc_supers >= o->logical_pages / o->super_pages + 1 + ftl_supers_needed(o));
	bool record = o->super_pages <= RECORD_PAGES_MAX;
	f->bits_shift = record ? 6 : f->shift - 3;
	f->super_shift = record ? 6 : 5;
	int rc = allocate(f);
	if (rc != PL_OK)
		return rc;
	memset(f->map, 0xff, o->logical_pages * sizeof f->map[0]);
	for (uint32_t i = 0; i < o->supers; i++) {
		bool slc = i >= o->supers - o->slc_supers;
		*ftl_super(f, i) = (struct ftl_super){
			.valid = FTL_NOT_CLOSED, .prev = FTL_NONE, .next = FTL_NONE, .state = FTL_FREE, .slc = slc};
		if (slc)
			f->slc_ring[f->slc_free++] = i;
		else
			f->free_ring[f->free_count++] = i;
	}
	for (uint32_t i = 0; i < FTL_STREAMS_MAX; i++)
		f->host[i].stream = f->gc[i].stream = (uint8_t)i;
	pl_rng_seed(&f->rng, o->seed, 0);
	ftl_policy_init(f);
	return PL_OK;
}

void ftl_deinit(struct ftl *f)
{
	if (f->mapped && f->mapped != MAP_FAILED)
		munmap(f->mapped, f->mapped_bytes);
	*f = (struct ftl){0};
}

int ftl_clone(struct ftl *to, const struct ftl *from)
{
	*to = *from;
	int rc = allocate(to);
	if (rc == PL_OK)
		memcpy(to->map, from->map, from->memory_bytes);
	return rc;
}

/* ---- the steps ---- */

static uint32_t super_pages(const struct ftl *f, const struct ftl_super *s)
{
	return s->slc ? f->o.slc_pages : f->o.super_pages;
}

/* Close the superblock of a head that is full. Its last page tells which it is. */
static void retire(struct ftl *f, struct ftl_head *h)
{
	assert(h->at == h->end);
	if (!h->end)
		return;
	uint32_t super = (h->end - 1) >> f->shift;
	struct ftl_super *s = ftl_super(f, super);
	assert(s->state == FTL_OPEN);
	s->state = FTL_CLOSED;
	s->valid -= FTL_NOT_CLOSED;
	s->closed_at = ftl_clock(f);
	h->at = h->end = 0;
	ftl_policy_closed(f, super);
}

/* The oldest of a ring of n superblocks. */
static uint32_t take(const uint32_t *ring, uint32_t n, uint32_t *first, uint32_t *count)
{
	assert(*count > 0);
	uint32_t super = ring[*first];
	*first = *first + 1 == n ? 0 : *first + 1;
	--*count;
	return super;
}

static void give(uint32_t *ring, uint32_t n, uint32_t first, uint32_t *count, uint32_t super)
{
	assert(*count < n);
	uint64_t at = (uint64_t)first + (*count)++;
	ring[at < n ? at : at - n] = super;
}

void ftl_open(struct ftl *f, struct ftl_head *h)
{
	retire(f, h);
	uint32_t super = h->slc ? take(f->slc_ring, f->o.slc_supers, &f->slc_first, &f->slc_free)
				: take(f->free_ring, f->o.supers - f->o.slc_supers, &f->free_first, &f->free_count);
	struct ftl_super *s = ftl_super(f, super);
	assert(s->state == FTL_FREE && s->valid == FTL_NOT_CLOSED);
	uint32_t pages = super_pages(f, s);
	s->state = FTL_OPEN;
	s->stream = h->stream;
	s->valid += pages;
	uint64_t *bits = ftl_bits(f, super);
	memset(bits, 0xff, pages / 64 * sizeof bits[0]);
	if (pages % 64)
		bits[pages / 64] = ((uint64_t)1 << (pages % 64)) - 1;
	h->at = super << f->shift;
	h->end = h->at + pages;
}

struct ftl_head *ftl_gc_head(struct ftl *f, const struct ftl_super *super)
{
	if (f->o.gc_stream == FTL_GC_STREAM)
		return &f->gc[super->stream];
	return gc_shares(&f->o) ? &f->host[0] : &f->gc[0];
}

void ftl_erased(struct ftl *f, uint32_t super)
{
	struct ftl_super *s = ftl_super(f, super);
	assert(s->state == FTL_VICTIM && s->valid == FTL_NOT_CLOSED);
	s->state = FTL_FREE;
	s->erases++;
	f->counts.erases++;
	if (s->slc)
		give(f->slc_ring, f->o.slc_supers, f->slc_first, &f->slc_free, super);
	else
		give(f->free_ring, f->o.supers - f->o.slc_supers, f->free_first, &f->free_count, super);
}

/* ---- the untimed path ---- */

static void collect(struct ftl *f);

/* See that a head outside of the pSLC cache has room. Collection itself (may_collect false) draws on the reserve: what
 * it opens it gives back at its end. What is full is closed first, so that it is a candidate like any other. */
static void make_room(struct ftl *f, struct ftl_head *h, bool may_collect)
{
	while (h->at == h->end) {
		retire(f, h);
		h->slc = false;
		if (!may_collect || f->free_count > f->o.reserve)
			ftl_open(f, h);
		else
			collect(f);
	}
}

/* Move n pages to a head. What they leave loses all its bits at once, later. */
static void move(struct ftl *f, struct ftl_head *h, const uint32_t *lpn, uint32_t n, bool may_collect)
{
	for (uint32_t i = 0; i < n;) {
		if (h->at == h->end)
			make_room(f, h, may_collect);
		uint32_t run = h->end - h->at < n - i ? h->end - h->at : n - i;
		uint32_t *owner = f->owner + h->at, *map = f->map;
		for (uint32_t j = 0; j < run; j++) {
			owner[j] = lpn[i + j];
			map[lpn[i + j]] = h->at + j;
		}
		h->at += run;
		i += run;
	}
	f->counts.moved_pages += n;
}

uint32_t ftl_empty(struct ftl *f, uint32_t super, bool may_collect)
{
	struct ftl_super *s = ftl_super(f, super);
	struct ftl_head *h = ftl_gc_head(f, s);
	uint64_t *bits = ftl_bits(f, super);
	uint32_t words = (super_pages(f, s) + 63) / 64, moved = 0, lpn[GATHER];
	for (uint32_t w = 0; w < words;) {
		uint32_t n = 0;
		for (; w < words && n <= GATHER - 64; w++) {
			const uint32_t *owner = f->owner + ((size_t)super << f->shift) + (size_t)w * 64;
			for (uint64_t left = bits[w]; left; left &= left - 1) {
				uint32_t l = owner[__builtin_ctzll(left)];
				__builtin_prefetch(&f->map[l], 1);
				lpn[n++] = l;
			}
		}
		move(f, h, lpn, n, may_collect);
		moved += n;
	}
	memset(bits, 0, words * sizeof bits[0]);
	s->valid = FTL_NOT_CLOSED;
	ftl_erased(f, super);
	return moved;
}

static void collect(struct ftl *f)
{
	uint32_t super = ftl_victim(f);
	assert(super != FTL_NONE);
	(void)ftl_empty(f, super, false);
}

/* The host's pages go to the pSLC cache: where nothing of it is free its oldest superblock is folded; where none is
 * closed, because the heads of other streams hold all of it, they bypass it. */
static void host_room(struct ftl *f, struct ftl_head *h)
{
	if (f->o.slc_supers) {
		retire(f, h);
		uint32_t oldest = f->slc_free ? FTL_NONE : ftl_slc_victim(f);
		if (oldest != FTL_NONE)
			f->counts.folded_pages += ftl_empty(f, oldest, true);
		h->slc = f->slc_free > 0;
		if (h->slc) {
			ftl_open(f, h);
			return;
		}
	}
	make_room(f, h, true);
}

/* Write n pages for which the head has room: ftl_put for many, with what does not change kept in registers. */
static void put_all(struct ftl *f, struct ftl_head *h, const uint32_t *lpn, uint32_t n)
{
	uint32_t *map = f->map, *owner = f->owner, at = h->at;
	uint32_t shift = f->shift, in_mask = (1u << shift) - 1, bits_shift = f->bits_shift,
		 super_shift = f->super_shift;
	uint32_t threshold = f->threshold;
	uint8_t *bits_at = f->bits_at, *supers_at = f->supers_at;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t l = lpn[i], old = map[l];
		if (__builtin_expect(old != FTL_NONE, 1)) {
			uint32_t super = old >> shift, in = old & in_mask;
			uint64_t *bits = (uint64_t *)(void *)(bits_at + ((size_t)super << bits_shift));
			struct ftl_super *s = (struct ftl_super *)(void *)(supers_at + ((size_t)super << super_shift));
			bits[in / 64] &= ~((uint64_t)1 << (in % 64));
			uint32_t valid = --s->valid;
			if (__builtin_expect(valid <= threshold, 0))
				ftl_listed_lost(f, super, valid);
		}
		owner[at + i] = l;
		map[l] = at + i;
	}
	h->at = at + n;
	f->counts.host_pages += n;
}

/* Inlined by force: gcc takes a function that only prefetches for one without effect and drops the call. */
__attribute__((always_inline)) static inline void ask_for_records(const struct ftl *f, const uint32_t *lpn, uint32_t n)
{
	bool record = f->bits_shift == f->super_shift;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t old = f->map[lpn[i]];
		if (old == FTL_NONE)
			continue;
		__builtin_prefetch(ftl_super(f, old >> f->shift), 1);
		if (!record)
			__builtin_prefetch(ftl_bits(f, old >> f->shift) + (old & ((1u << f->shift) - 1)) / 64, 1);
	}
}

void ftl_write(struct ftl *f, const uint32_t *lpn, size_t n, uint32_t stream)
{
	struct ftl_head *h = &f->host[stream];
	while (n) {
		uint32_t batch = n < BATCH ? (uint32_t)n : BATCH;
		if (batch > 1) {
			for (uint32_t i = 0; i < batch; i++)
				__builtin_prefetch(&f->map[lpn[i]], 1);
			ask_for_records(f, lpn, batch);
		}
		for (uint32_t i = 0; i < batch;) {
			if (h->at == h->end)
				host_room(f, h);
			uint32_t run = h->end - h->at < batch - i ? h->end - h->at : batch - i;
			put_all(f, h, lpn + i, run);
			i += run;
		}
		lpn += batch;
		n -= batch;
	}
}

/* ---- check ---- */

/* Pages of super that are written; those of an open one as its head tells. UINT32_MAX: open, but no head has it. */
static uint32_t written(const struct ftl *f, uint32_t super)
{
	const struct ftl_super *s = ftl_super(f, super);
	if (s->state != FTL_OPEN)
		return s->state == FTL_FREE ? 0 : super_pages(f, s);
	for (uint32_t i = 0; i < 2 * f->o.streams; i++) {
		const struct ftl_head *h = i & 1 ? &f->gc[i / 2] : &f->host[i / 2];
		if (h->end && (h->end - 1) >> f->shift == super)
			return h->at <= h->end ? h->at - (super << f->shift) : UINT32_MAX;
	}
	return UINT32_MAX;
}

/* Counts the valid pages of super that are written into *valid. */
static const char *check_super(const struct ftl *f, uint32_t super, uint64_t *valid)
{
	const struct ftl_super *s = ftl_super(f, super);
	uint32_t first = super << f->shift, pages = super_pages(f, s), end = written(f, super), bits = 0;
	if (end == UINT32_MAX)
		return "an open superblock has no head";
	for (uint32_t i = 0; i < 1u << f->shift; i++) {
		if (!ftl_valid(f, first + i)) {
			if (s->state == FTL_OPEN && i >= end && i < pages)
				return "a page not yet written of an open superblock is not marked valid";
			continue;
		}
		if (i >= pages || s->state == FTL_FREE)
			return "a page that does not exist, or of a free superblock, is marked valid";
		bits++;
		if (i >= end)
			continue;
		uint32_t l = f->owner[first + i];
		if (l >= f->o.logical_pages || f->map[l] != first + i)
			return "a valid page is not the one its owner is mapped to";
		++*valid;
	}
	return s->valid == bits + (s->state == FTL_CLOSED ? 0 : FTL_NOT_CLOSED)
		       ? NULL
		       : "the number of valid pages of a superblock is not that of its bits";
}

static const char *check_ring(
	const struct ftl *f, const uint32_t *ring, uint32_t n, uint32_t first, uint32_t count, bool slc)
{
	uint64_t sum = 0; /* of hashes of those free, less of those in the ring: equal sets have 0 */
	for (uint32_t i = 0; i < f->o.supers; i++)
		if (ftl_super(f, i)->state == FTL_FREE && ftl_super(f, i)->slc == slc)
			sum += pl_mix64(i);
	for (uint32_t i = 0; i < count; i++)
		sum -= pl_mix64(ring[((uint64_t)first + i) % n]);
	return sum ? "a ring does not hold exactly the free superblocks" : NULL;
}

static const char *check_heads(const struct ftl *f)
{
	uint32_t open = 0, heads = 0;
	for (uint32_t i = 0; i < f->o.supers; i++)
		open += ftl_super(f, i)->state == FTL_OPEN;
	for (uint32_t i = 0; i < 2 * f->o.streams; i++) {
		const struct ftl_head *h = i & 1 ? &f->gc[i / 2] : &f->host[i / 2];
		if (!h->end)
			continue;
		const struct ftl_super *s = ftl_super(f, (h->end - 1) >> f->shift);
		heads++;
		if (s->state != FTL_OPEN || s->stream != h->stream || s->slc != h->slc)
			return "a head is not in an open superblock of its stream and kind";
	}
	return open == heads ? NULL : "there are not as many open superblocks as heads";
}

const char *ftl_check(const struct ftl *f)
{
	uint64_t valid = 0, mapped = 0, pages = 0;
	for (uint32_t i = 0; i < f->o.supers; i++) {
		const char *wrong = check_super(f, i, &valid);
		if (wrong)
			return wrong;
		pages += written(f, i) + (uint64_t)ftl_super(f, i)->erases * super_pages(f, ftl_super(f, i));
	}
	for (uint64_t l = 0; l < f->o.logical_pages; l++)
		mapped += f->map[l] != FTL_NONE;
	if (mapped != valid) /* each valid page is that of its owner, so these are all */
		return "a page is mapped to one that is not valid";
	if (pages != ftl_clock(f) + f->moved_before + f->counts.moved_pages)
		return "the pages written are not those of the host and those moved";
	const char *wrong = check_heads(f);
	if (!wrong)
		wrong = check_ring(f, f->free_ring, f->o.supers - f->o.slc_supers, f->free_first, f->free_count, false);
	if (!wrong && f->o.slc_supers)
		wrong = check_ring(f, f->slc_ring, f->o.slc_supers, f->slc_first, f->slc_free, true);
	return wrong ? wrong : ftl_policy_check(f);
}
