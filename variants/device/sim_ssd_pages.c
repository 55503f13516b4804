/* sim_ssd_pages.c - sim_ssd: pages on their way into program units, out of the host's writes, collection and folding. See
 * the head of sim_ssd.c. */
#include "variants/device/sim_ssd.h"

#include <assert.h>
#include <stdlib.h>

#define PREFETCH_ROWS 8 /* of the victim, ahead of those that are moved */
#define FOLD_LOW 1 /* folding runs while no more superblocks of the pSLC cache are free */

/* ---- rows and what of them is in memory ---- */

static void ram_set(struct sim_ssd *s, uint32_t page)
{
	uint32_t row = page >> s->row_shift;
	s->ram[row / 64] |= (uint64_t)1 << (row % 64);
}

static void partial_add(struct sim_ssd *s, uint32_t id)
{
	if (s->time.op[id].partial)
		return;
	if (s->partials == s->partial_room) {
		uint32_t room = s->partial_room ? s->partial_room * 2 : 16;
		uint32_t *partial = realloc(s->partial, room * sizeof *partial);
		if (!partial)
			abort(); /* as in ssd_op_new */
		s->partial = partial;
		s->partial_room = room;
	}
	s->time.op[id].partial = true;
	s->partial[s->partials++] = id;
}

static bool partial_covers(const struct sim_ssd *s, uint32_t row)
{
	for (uint32_t i = 0; i < s->partials; i++) {
		const struct ssd_op *o = &s->time.op[s->partial[i]];
		if (row >= o->first >> s->row_shift && row <= (o->first + o->pages - 1) >> s->row_shift)
			return true;
	}
	return false;
}

/* A program is over: forget its rows, but for those that another partial program has a share in. */
static void ram_clear(struct sim_ssd *s, uint32_t id)
{
	const struct ssd_op *o = &s->time.op[id];
	uint32_t last = (o->first + o->pages - 1) >> s->row_shift;
	for (uint32_t i = 0; o->partial && i < s->partials; i++)
		if (s->partial[i] == id)
			s->partial[i--] = s->partial[--s->partials];
	for (uint32_t row = o->first >> s->row_shift; row <= last; row++)
		if (!o->partial || !partial_covers(s, row))
			s->ram[row / 64] &= ~((uint64_t)1 << (row % 64));
}

/* ---- program units ---- */

static void op_input_ready(struct sim_ssd *s, uint32_t id)
{
	assert(s->time.op[id].missing > 0);
	if (--s->time.op[id].missing == 0)
		ssd_op_enter(&s->time, id);
}

/* The unit being filled goes to its die as soon as its inputs are ready. */
void ssd_unit_seal(struct sim_ssd *s, uint32_t head)
{
	uint32_t id = s->fill[head];
	if (id == SSD_NONE)
		return;
	s->fill[head] = SSD_NONE;
	if (s->time.op[id].first + s->time.op[id].pages != s->time.op[id].end)
		partial_add(s, id);
	op_input_ready(s, id);
}

static uint32_t unit_begin(struct sim_ssd *s, uint32_t head, uint32_t page)
{
	const struct row *row = row_of(s, page);
	const struct ssd_geometry *g = &s->o.geometry;
	uint32_t unit = row->type == SSD_SLC ? g->row_pages : g->unit_pages, in = (page & s->page_mask) % unit;
	uint32_t type = g->oneshot && row->type != SSD_SLC ? 0 : row->type;
	uint32_t id = ssd_op_new(&s->time, SSD_PROGRAM, row->die, s->o.times.program_ns[type]);
	struct ssd_op *o = &s->time.op[id];
	o->first = page;
	o->end = page - in + unit;
	o->missing = 1;
	ftl_super(&s->ftl, page >> s->ftl.shift)->programs++;
	s->fill[head] = id;
	ram_set(s, page);
	if (in)
		partial_add(s, id);
	return id;
}

/* Map lpn to the next page of the head, which has one. source: the read that brings it, SSD_NONE for one of the
 * host. */
static void page_put(struct sim_ssd *s, uint32_t head, uint32_t lpn, uint32_t source)
{
	uint32_t page = ftl_put(&s->ftl, head_of(s, head), lpn), id = s->fill[head];
	if (id == SSD_NONE)
		id = unit_begin(s, head, page);
	else if ((page & ((1u << s->row_shift) - 1)) == 0)
		ram_set(s, page);
	struct ssd_op *o = &s->time.op[id];
	o->pages++;
	s->dev.stats.media_write_bytes += s->dev.caps.block_bytes;
	if (source == SSD_NONE) {
		s->ftl.counts.host_pages++;
		if (o->host_pages++ == 0) {
			o->epoch = s->epoch;
			s->epoch_programs++;
		}
	} else {
		struct ssd_op *read = &s->time.op[source];
		if (read->feeds[0] != id && read->feeds[1] != id) {
			assert(read->feeds[1] == SSD_NONE);
			read->feeds[read->feeds[0] != SSD_NONE] = id;
			o->missing++;
		}
	}
	if (page + 1 == o->end)
		ssd_unit_seal(s, head);
}

/* ---- collection and folding ---- */

static void super_erase(struct sim_ssd *s, uint32_t super)
{
	for (uint32_t d = 0; d < s->o.geometry.dies; d++)
		ssd_op_enter(&s->time, ssd_op_new(&s->time, SSD_ERASE, d, s->o.times.erase_ns));
	s->dev.stats.erases += s->o.geometry.dies;
	ftl_erased(&s->ftl, super);
}

/* False: none can be gained from now. */
static bool victim_pick(struct sim_ssd *s, struct collection *c)
{
	if (c->dying != FTL_NONE)
		return false;
	uint32_t super = c == &s->gc ? ftl_victim(&s->ftl) : ftl_slc_victim(&s->ftl);
	if (super == FTL_NONE)
		return false;
	uint32_t pages = pages_of(s, super), least = pages / 32 + 1;
	*c = (struct collection){.victim = super, .valid = valid_pages(s, super), .dying = FTL_NONE};
	c->gain = c == &s->gc ? pages - c->valid : pages;
	if (c->gain < least) /* a victim that is all but full would be moved in one go */
		c->gain = least;
	return true;
}

static void victim_done(struct sim_ssd *s, struct collection *c)
{
	uint32_t super = c->victim;
	c->victim = FTL_NONE;
	if (ftl_super(&s->ftl, super)->programs)
		c->dying = super;
	else
		super_erase(s, super);
}

/* Valid pages of the victim from in on, as bits; a row of more than 64 takes more words. */
static uint64_t valid_bits(const struct sim_ssd *s, const struct collection *c, uint32_t in, uint32_t pages)
{
	uint64_t bits = ftl_bits(&s->ftl, c->victim)[in / 64] >> (in % 64);
	return pages < 64 ? bits & (((uint64_t)1 << pages) - 1) : bits;
}

/* Always inline: gcc takes a function that does nothing but prefetch for one without effect, and leaves out the call. */
__attribute__((always_inline)) static inline void victim_prefetch(
	const struct sim_ssd *s, const struct collection *c, uint32_t row_pages)
{
	const struct ftl *f = &s->ftl;
	uint32_t in = c->cursor + PREFETCH_ROWS * row_pages;
	if (in >= pages_of(s, c->victim))
		return;
	const uint32_t *owner = f->owner + ((size_t)c->victim << f->shift) + in;
	__builtin_prefetch(owner + (size_t)PREFETCH_ROWS * row_pages);
	for (uint64_t bits = valid_bits(s, c, in, row_pages); bits; bits &= bits - 1)
		__builtin_prefetch(&f->map[owner[__builtin_ctzll(bits)]], 1);
}

static bool collect_row(struct sim_ssd *s, struct collection *c);
static void collect_paced(struct sim_ssd *s, struct collection *c, uint32_t pages);

/* May n folded pages go to the head h? Only what the rest of collection's victim does not need, where it goes there,
 * too, and never into the last free superblock: else that rest would have nowhere to go, and nothing would ever be free
 * again. */
static bool fold_may_put(struct sim_ssd *s, const struct ftl_head *h, uint32_t n)
{
	uint64_t room = h->end - h->at, free = s->ftl.free_count;
	if (n > room && free < 2)
		return false;
	if (s->gc.victim == FTL_NONE || ftl_gc_head(&s->ftl, ftl_super(&s->ftl, s->gc.victim)) != h)
		return true;
	return room + free * s->o.geometry.super_pages >= (uint64_t)n + valid_pages(s, s->gc.victim);
}

static bool fold_room(struct sim_ssd *s, const struct ftl_head *h, uint32_t n)
{
	while (!fold_may_put(s, h, n))
		if ((s->gc.victim == FTL_NONE && !victim_pick(s, &s->gc)) || !collect_row(s, &s->gc))
			return false;
	return true;
}

/* Move the victim's next row. False: the head needs a superblock and there is none for it until a dying one is
 * erased. */
static bool collect_row(struct sim_ssd *s, struct collection *c)
{
	struct ftl *f = &s->ftl;
	struct ftl_head *h = ftl_gc_head(f, ftl_super(f, c->victim));
	uint32_t head = h == &f->host[0] ? 0 : GC_HEADS + (uint32_t)(h - f->gc);
	uint32_t row_pages = s->o.geometry.row_pages, step = row_pages < 64 ? row_pages : 64, n = 0;
	uint32_t first = c->victim << f->shift | c->cursor, read = SSD_NONE;
	for (uint32_t i = 0; i < row_pages; i += step)
		n += (uint32_t)__builtin_popcountll(valid_bits(s, c, c->cursor + i, step));
	if (c == &s->fold ? n && !fold_room(s, h, n) : n > h->end - h->at && !f->free_count)
		return false;
	victim_prefetch(s, c, step);
	if (n) {
		const struct row *row = row_of(s, first);
		read = ssd_op_new(&s->time, SSD_READ, row->die, s->o.times.read_ns[row->type]);
		s->time.op[read].pages = n;
		s->dev.stats.media_read_bytes += (uint64_t)n * s->dev.caps.block_bytes;
		s->dev.stats.media_moved_bytes += (uint64_t)n * s->dev.caps.block_bytes;
		f->counts.moved_pages += n;
		f->counts.folded_pages += c == &s->fold ? n : 0;
	}
	for (uint32_t i = 0; n && i < row_pages; i += step)
		for (uint64_t bits = valid_bits(s, c, c->cursor + i, step); bits; bits &= bits - 1) {
			if (h->at == h->end)
				ftl_open(f, h);
			page_put(s, head, f->owner[first + i + (uint32_t)__builtin_ctzll(bits)], read);
		}
	if (read != SSD_NONE)
		ssd_op_enter(&s->time, read);
	c->credit -= (int64_t)n * c->gain;
	c->cursor += row_pages;
	if (c->cursor == pages_of(s, c->victim))
		victim_done(s, c);
	if (n && c == &s->fold) /* to collection, folded pages are pages that come in */
		collect_paced(s, &s->gc, n);
	return true;
}

/* So many pages have come in, or will. */
static void collect_paced(struct sim_ssd *s, struct collection *c, uint32_t pages)
{
	bool low = c == &s->gc ? s->ftl.free_count <= s->o.gc_low : s->o.fold_pressed && s->ftl.slc_free <= FOLD_LOW;
	if (c->victim == FTL_NONE && (!low || !victim_pick(s, c)))
		return;
	if (c == &s->fold && !s->o.fold_pressed)
		return;
	c->credit += (int64_t)pages * c->valid;
	while (c->victim != FTL_NONE && c->credit >= 0 && collect_row(s, c))
		;
}

/* ---- pages of the host ---- */

/* May the host take the next page of its head? Of one it shares with collection only what the victim's rest does not
 * need: else that rest would have nowhere to go, and nothing would ever be free again. */
static bool host_may_put(struct sim_ssd *s, const struct ftl_head *h)
{
	uint64_t room = h->end - h->at;
	if (room == 0 || s->gc.victim == FTL_NONE || s->o.gc_stream != FTL_GC_SHARED || h != &s->ftl.host[0] ||
		s->o.geometry.slc_supers)
		return room != 0;
	return room - 1 + (uint64_t)s->ftl.free_count * s->o.geometry.super_pages >= valid_pages(s, s->gc.victim);
}

/* Make room for a page of the host. False: wait for a dying superblock. */
static bool host_room(struct sim_ssd *s, struct ftl_head *h)
{
	if (h->at == h->end && s->ftl.slc_free) {
		h->slc = true;
		ftl_open(&s->ftl, h);
	}
	while (!host_may_put(s, h)) {
		if (h->at == h->end && s->ftl.free_count >= 2) {
			h->slc = false;
			ftl_open(&s->ftl, h);
		} else if ((s->gc.victim == FTL_NONE && !victim_pick(s, &s->gc)) || !collect_row(s, &s->gc)) {
			return false;
		}
	}
	return true;
}

bool ssd_host_put(struct sim_ssd *s, uint32_t lpn, uint32_t stream)
{
	struct ftl_head *h = &s->ftl.host[stream];
	if (!host_room(s, h))
		return false;
	if (s->o.geometry.slc_supers)
		collect_paced(s, &s->fold, 1);
	if (!h->slc)
		collect_paced(s, &s->gc, 1);
	if (!host_room(s, h)) /* a shared head: collection may have filled it */
		return false;
	page_put(s, stream, lpn, SSD_NONE);
	return true;
}

/* ---- for sim_ssd.c ---- */

static void dying_done(struct sim_ssd *s, struct collection *c)
{
	uint32_t super = c->dying;
	c->dying = FTL_NONE;
	super_erase(s, super);
}

void ssd_program_done(struct sim_ssd *s, uint32_t id)
{
	uint32_t super = s->time.op[id].first >> s->ftl.shift;
	ram_clear(s, id);
	ssd_op_free(&s->time, id);
	if (--ftl_super(&s->ftl, super)->programs == 0 && (super == s->gc.dying || super == s->fold.dying))
		dying_done(s, super == s->gc.dying ? &s->gc : &s->fold);
}

void ssd_read_feeds(struct sim_ssd *s, const struct ssd_op *read)
{
	const uint32_t feeds[2] = {read->feeds[0], read->feeds[1]};
	for (int i = 0; i < 2 && feeds[i] != SSD_NONE; i++)
		op_input_ready(s, feeds[i]);
}

bool ssd_fold_row(struct sim_ssd *s)
{
	return (s->fold.victim != FTL_NONE || victim_pick(s, &s->fold)) && collect_row(s, &s->fold);
}

/* Finish at once what was begun, and count none of it but in the translation layer's counters. */
static void collection_finish(struct sim_ssd *s, struct collection *c)
{
	struct ftl *f = &s->ftl;
	if (c->dying != FTL_NONE)
		ftl_erased(f, c->dying);
	c->dying = FTL_NONE;
	if (c->victim == FTL_NONE)
		return;
	uint32_t moved = ftl_empty(f, c->victim, c == &s->fold);
	f->counts.folded_pages += c == &s->fold ? moved : 0;
	c->victim = FTL_NONE;
}

/* Before the translation layer is used without time. */
void ssd_settle(struct sim_ssd *s)
{
	for (uint32_t i = 0; i < HEADS; i++)
		ssd_unit_seal(s, i);
	collection_finish(s, &s->gc);
	collection_finish(s, &s->fold);
}
