/* sim_ssd.c - a conventional flash SSD: page-mapped translation layer, collection, write buffer, dies and channels in
 * time.
 *
 * Models the common textbook drive (superblocks as FEMU's and NVMeVirt's "lines", separate host and collection streams,
 * a write buffer with early acknowledgement), with what real ones add: page types and one-shot programs, a pSLC cache,
 * read priority and suspension, placement streams. A page is one block of block_bytes, the unit of mapping.
 *
 *   row          = the flash pages of one index on all planes of a die: planes * flash_page_pages pages
 *   unit         = what is programmed at once: a row, or with program_mode = oneshot the rows of all types
 *   superblock   = the erase blocks of one index on every plane and die: dies * pages_per_block rows, written unit by
 *                  unit around the dies, collected and erased as one
 *   page address = superblock << shift | page in the superblock             (sim_ssd_ftl.h)
 *   unit i of a superblock lies on die i % dies; channel of a die = die % channels
 *
 * Three layers. The translation layer (sim_ssd_ftl.h: map, valid bits, heads, victims) is driven step by step at the
 * moment a page enters the write buffer and never looks at the clock; the clockwork (sim_ssd_time.h) plays the
 * operations it caused through dies and channels. What lies between is this file (requests, buffer, syncs) and
 * sim_ssd_pages.c (program units, pacing).
 *
 *   write    the host's link, in order -> wait for room in the buffer (FIFO) -> map, acknowledge after
 *            write_command_ns -> when the program unit is full or a sync comes: die, channel, cells -> room in the
 *            buffer
 *   read     of a page in memory or never written: no flash. Else per run of pages in one row: die, cells, channel.
 *            When all is there: the host's link, read_command_ns
 *   collect  per row of the victim: one read of its valid pages; the program that takes them waits for that read; after
 *            the last row, and when no program to the victim is under way, an erase on every die
 *   fold     the same for the oldest superblock of the pSLC cache. The host writes there while a superblock of it is
 *            free, else beside it, straight to the others (bypass)
 *   sync     closes the partial units, completes when every page admitted before it is programmed
 *
 * Collection starts when no more than gc_low_superblocks are free and is paced by the pages that come in: a victim with
 * v of S pages valid moves v/(S-v) pages for each of them. The host leaves the last free superblock to collection, and
 * so does folding, which shares the heads of collection and leaves the rest of its victim the room it needs, too.
 * With slc_fold = pressure, folding starts when no more than one superblock of the cache is free, v/S pages for each of
 * the host's; with slc_fold = idle what comes then bypasses the cache. In both a device without requests for slc_idle_ns
 * folds until the cache is empty but for its open superblock, or a request comes.
 *
 * Invariants (those of the map and of time are in the headers of their layers):
 *  1. Of each, collection and folding, at most one superblock is the victim or dying (moved, waits for programs under
 *     way to it).
 *  2. media writes = host pages admitted + pages moved. A sync programs what is there and pads nothing.
 *  3. A row has its bit in ram from the mapping of its first page until no program to it is under way or being filled;
 *     its pages are read from memory.
 *  4. The buffer has room for a unit of each stream, so it never holds only pages that wait for their units to be full.
 *  5. Completions are given in the order of (time, submission). Reads, and all others, each take a constant time from
 *     the event that ends them, so two queues suffice.
 *  6. Content is kept apart: captured and answered at submission, never moved by collection.
 *  7. Polling does not change anything: a submission at t first plays all events up to t, those of equal time in the
 *     order of their dies, then an arrival over the link, then folding in idle time.
 *
 * Cost: see sim_ssd_time.h and sim_ssd_ftl.h; a request itself is a handful of loads, of which dev_prepare asks for the
 * two that miss. Memory: 4 B a logical page, 4 B and a bit a physical page, a bit a row, and the content.
 *
 * Small devices. fit=shrink halves pages_per_block down to a wordline, then dies_per_channel, channels, planes and the
 * flash page, until 16 superblocks are spare (else the open and free ones eat the over-provisioning). The erase time
 * shrinks with the block, the program time with the unit: the time for each page stays. fit=exact refuses. The options
 * and this arithmetic are in sim_ssd_options.c.
 *
 * Left out: planes that work apart, retries and the error rates of wear, wear levelling, padding of partial units (so a
 * sync is a little too cheap in space), collection and flushing in idle time, rewriting a page while it is still in the
 * buffer, map pages on flash (the map is free), priorities on channels, a limit of commands a second. The buffer and
 * what collection has read are taken to survive a power cut only as far as the contract's sync says.
 *
 * sim_ssd_reference_test.c holds a plain simulation of the same drive, with which this one agrees to the nanosecond. */
#include "variants/device/sim_ssd.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

extern const struct dev_ops dev_sim_ssd;

/* While in flight, scratch = submission << 24 | parts (pages admitted, reads or programs outstanding). */
static uint64_t req_parts(const struct dev_req *r)
{
	return r->scratch & DEV_REQ_BLOCKS_MAX;
}

static void list_init(struct list *l)
{
	*l = (struct list){NULL, &l->first};
}

static void list_add(struct list *l, struct dev_req *r)
{
	r->next = NULL;
	*l->last = r;
	l->last = &r->next;
}

static struct dev_req *list_take(struct list *l)
{
	struct dev_req *r = l->first;
	l->first = r->next;
	if (!l->first)
		l->last = &l->first;
	r->next = NULL;
	return r;
}

/* ---- completions ---- */

/* Room for n in each queue. */
static int done_reserve(struct sim_ssd *s, uint64_t n)
{
	if (n <= s->done_room)
		return PL_OK;
	if (n > 1u << 31)
		return PL_NOMEM;
	uint32_t room = s->done_room ? s->done_room * 2 : 64;
	struct done_queue *queue[] = {&s->reads, &s->others};
	struct done *made[2] = {malloc(room * sizeof(struct done)), malloc(room * sizeof(struct done))};
	if (!made[0] || !made[1]) {
		free(made[0]);
		free(made[1]);
		return PL_NOMEM;
	}
	for (int k = 0; k < 2; k++) {
		for (uint32_t i = 0; i < queue[k]->n; i++)
			made[k][i] = queue[k]->done[(queue[k]->first + i) & (s->done_room - 1)];
		free(queue[k]->done);
		queue[k]->done = made[k];
		queue[k]->first = 0;
	}
	s->done_room = room;
	return PL_OK;
}

/* at_ns is never less than that of the call before for the same queue. */
static void complete(struct sim_ssd *s, struct done_queue *q, struct dev_req *r, uint64_t at_ns)
{
	uint32_t mask = s->done_room - 1, at = q->first + q->n++;
	uint64_t order = r->scratch >> 24;
	r->done_ns = at_ns;
	if (--s->active == 0 && s->o.geometry.slc_supers)
		s->idle_ns = s->time.now_ns + s->o.times.slc_idle_ns;
	for (; at != q->first; at--) {
		const struct done *before = &q->done[(at - 1) & mask];
		if (before->at_ns < at_ns || before->order < order)
			break;
		q->done[at & mask] = *before;
	}
	q->done[at & mask] = (struct done){at_ns, order, r};
}

static const struct done *done_first(const struct sim_ssd *s, const struct done_queue *q)
{
	return &q->done[q->first & (s->done_room - 1)];
}

/* The queue that holds the next completion; one of them may be empty, but not both. */
static struct done_queue *done_next(struct sim_ssd *s)
{
	if (!s->reads.n || !s->others.n)
		return s->reads.n ? &s->reads : &s->others;
	const struct done *r = done_first(s, &s->reads), *o = done_first(s, &s->others);
	return r->at_ns < o->at_ns || (r->at_ns == o->at_ns && r->order < o->order) ? &s->reads : &s->others;
}

static void complete_read(struct sim_ssd *s, struct dev_req *r)
{
	s->link_read_ns = pl_max64(s->link_read_ns, s->time.now_ns) + r->blocks * s->o.times.link_page_ns;
	complete(s, &s->reads, r, s->link_read_ns + s->o.times.read_command_ns);
}

static void complete_other(struct sim_ssd *s, struct dev_req *r)
{
	complete(s, &s->others, r, s->time.now_ns + s->o.times.write_command_ns);
}

/* ---- the write buffer, syncs, events ---- */

static uint32_t stream_of(const struct sim_ssd *s, const struct dev_req *r)
{
	return s->o.streams > 1 ? r->stream % s->o.streams : 0;
}

/* Let waiting writes into the buffer, in order, as far as there is room. */
static void admit(struct sim_ssd *s)
{
	struct dev_req *r;
	while ((r = s->waiting.first)) {
		for (; r->op == DEV_WRITE && req_parts(r) < r->blocks; r->scratch++, s->buffer_used++)
			if (s->buffer_used == s->o.buffer_pages ||
				!ssd_host_put(s, (uint32_t)(r->block + req_parts(r)), stream_of(s, r)))
				return;
		for (uint32_t i = 0; r->op == DEV_PUNCH && i < r->blocks; i++)
			ftl_trim(&s->ftl, (uint32_t)r->block + i);
		list_take(&s->waiting);
		complete_other(s, r);
	}
}

/* A write or punch has arrived at the device. */
static void arrive(struct sim_ssd *s, struct dev_req *r)
{
	bool first = !s->waiting.first;
	list_add(&s->waiting, r);
	if (first)
		admit(s);
	s->buffer_waits += s->waiting.first != NULL;
}

static void syncs_done(struct sim_ssd *s)
{
	while (s->syncs.first && req_parts(s->syncs.first) == 0) {
		complete_other(s, list_take(&s->syncs));
		s->first_sync_epoch++;
	}
}

static void program_done(struct sim_ssd *s, uint32_t id)
{
	const struct ssd_op *o = &s->time.op[id];
	s->buffer_used -= o->host_pages;
	if (o->host_pages && o->epoch == s->epoch) {
		s->epoch_programs--;
	} else if (o->host_pages) {
		struct dev_req *sync = s->syncs.first;
		for (uint64_t e = s->first_sync_epoch; e < o->epoch; e++)
			sync = sync->next;
		sync->scratch--;
	}
	ssd_program_done(s, id);
	syncs_done(s);
	admit(s);
}

static void read_done(struct sim_ssd *s, uint32_t id)
{
	const struct ssd_op o = s->time.op[id];
	ssd_op_free(&s->time, id);
	if (!o.req) {
		ssd_read_feeds(s, &o);
		return;
	}
	if (req_parts(o.req) == 1)
		complete_read(s, o.req);
	o.req->scratch--;
}

static uint64_t link_next_ns(const struct sim_ssd *s)
{
	return s->linked.first ? s->linked.first->done_ns : PL_NS_NEVER;
}

/* Rows are folded so far apart in time that all dies are kept busy and none gets a long queue. */
static void fold_idle(struct sim_ssd *s)
{
	const struct ssd_times *t = &s->o.times;
	s->time.now_ns = s->idle_ns;
	bool more = ssd_fold_row(s) || s->fold.dying != FTL_NONE || s->fold.victim != FTL_NONE;
	s->idle_ns = more ? s->idle_ns + (t->read_ns[0] + t->program_ns[0]) / s->o.geometry.dies + 1 : PL_NS_NEVER;
}

static void advance(struct sim_ssd *s, uint64_t now_ns)
{
	assert(now_ns >= s->time.now_ns);
	for (;;) {
		uint64_t next_ns = ssd_time_next_ns(&s->time), link_ns = link_next_ns(s);
		if (pl_min64(pl_min64(next_ns, link_ns), s->idle_ns) > now_ns)
			break;
		if (s->idle_ns < pl_min64(next_ns, link_ns)) {
			fold_idle(s);
			continue;
		}
		if (link_ns < next_ns) {
			s->time.now_ns = link_ns;
			arrive(s, list_take(&s->linked));
			continue;
		}
		uint32_t id = ssd_time_step(&s->time);
		if (id == SSD_NONE)
			continue;
		if (s->time.op[id].kind == SSD_PROGRAM)
			program_done(s, id);
		else if (s->time.op[id].kind == SSD_READ)
			read_done(s, id);
		else
			ssd_op_free(&s->time, id);
	}
	s->time.now_ns = now_ns;
}

/* ---- requests ---- */

/* One read operation for each run of pages that lie in one row. */
static void submit_read(struct sim_ssd *s, struct dev_req *r)
{
	dev_content_read(&s->content, r->block, r->blocks, r->buf);
	uint32_t run = SSD_NONE, id = SSD_NONE;
	for (uint32_t i = 0; i < r->blocks; i++) {
		uint32_t page = s->ftl.map[r->block + i];
		if (page == FTL_NONE || in_ram(s, page)) {
			run = SSD_NONE;
			continue;
		}
		if (run != page >> s->row_shift) {
			if (id != SSD_NONE)
				ssd_op_enter(&s->time, id);
			run = page >> s->row_shift;
			const struct row *row = row_of(s, page);
			id = ssd_op_new(&s->time, SSD_READ, row->die, s->o.times.read_ns[row->type]);
			s->time.op[id].req = r;
			r->scratch++;
		}
		s->time.op[id].pages++;
		s->dev.stats.media_read_bytes += s->dev.caps.block_bytes;
	}
	if (id != SSD_NONE)
		ssd_op_enter(&s->time, id);
	else
		complete_read(s, r);
}

static void submit_sync(struct sim_ssd *s, struct dev_req *r)
{
	for (uint32_t i = 0; i < s->o.streams; i++)
		ssd_unit_seal(s, i);
	if (!s->syncs.first)
		s->first_sync_epoch = s->epoch;
	s->epoch++;
	r->scratch += s->epoch_programs;
	s->epoch_programs = 0;
	list_add(&s->syncs, r);
	syncs_done(s);
}

static void submit_write(struct sim_ssd *s, struct dev_req *r)
{
	if (r->op == DEV_PUNCH)
		dev_content_punch(&s->content, r->block, r->blocks);
	else
		r->status = dev_content_write(&s->content, r->block, r->blocks, r->buf);
	if (!s->o.times.link_page_ns) {
		arrive(s, r);
		return;
	}
	s->link_write_ns = pl_max64(s->link_write_ns, s->time.now_ns) +
			   (r->op == DEV_WRITE ? r->blocks * s->o.times.link_page_ns : 0);
	r->done_ns = s->link_write_ns;
	list_add(&s->linked, r);
}

static int ssd_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct sim_ssd *s = ssd_of(d);
	int err = dev_req_check(&d->caps, r);
	if (!err)
		err = done_reserve(s, s->inflight + 1);
	if (err)
		return err;
	advance(s, now_ns);
	s->inflight++;
	s->active++;
	s->idle_ns = PL_NS_NEVER;
	dev_req_count(&d->stats, &d->caps, r);
	r->status = PL_OK;
	r->submit_ns = now_ns;
	r->scratch = s->submissions++ << 24;
	if (r->op == DEV_READ)
		submit_read(s, r);
	else if (r->op == DEV_SYNC)
		submit_sync(s, r);
	else
		submit_write(s, r);
	return PL_OK;
}

static struct dev_req *ssd_poll(struct dev *d, uint64_t now_ns)
{
	struct sim_ssd *s = ssd_of(d);
	advance(s, now_ns);
	if (!s->reads.n && !s->others.n)
		return NULL;
	struct done_queue *q = done_next(s);
	const struct done *done = done_first(s, q);
	if (done->at_ns > now_ns)
		return NULL;
	s->inflight--;
	q->first++;
	q->n--;
	return done->req;
}

static uint64_t ssd_next_ns(struct dev *d)
{
	struct sim_ssd *s = ssd_of(d);
	if (!s->inflight)
		return PL_NS_NEVER;
	uint64_t next_ns = pl_min64(ssd_time_next_ns(&s->time), link_next_ns(s));
	if (s->reads.n || s->others.n)
		next_ns = pl_min64(next_ns, done_first(s, done_next(s))->at_ns);
	assert(next_ns != PL_NS_NEVER);
	return next_ns;
}

static void ssd_stats(struct dev *d, struct dev_stats *out)
{
	*out = d->stats;
	out->busy_ns = ssd_of(d)->time.busy_ns;
	out->stored_bytes = ssd_of(d)->content.stored_blocks * d->caps.block_bytes;
}

/* ---- out of band ---- */

static int ssd_peek(struct dev *d, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	dev_content_read(&ssd_of(d)->content, block, blocks, buf);
	return PL_OK;
}

static int ssd_poke(struct dev *d, uint64_t block, uint32_t blocks, const uint8_t *buf)
{
	struct sim_ssd *s = ssd_of(d);
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	if (!buf) {
		dev_content_punch(&s->content, block, blocks);
		for (uint32_t i = 0; i < blocks; i++)
			ftl_trim(&s->ftl, (uint32_t)block + i);
		return PL_OK;
	}
	ssd_settle(s);
	for (uint32_t i = 0; i < blocks; i++)
		ftl_write(&s->ftl, &(uint32_t){(uint32_t)block + i}, 1, 0);
	return dev_content_write(&s->content, block, blocks, buf);
}

static void ssd_write_untimed(struct dev *d, const uint32_t *block, size_t n, uint32_t stream)
{
	struct sim_ssd *s = ssd_of(d);
	ssd_settle(s);
	ftl_write(&s->ftl, block, n, stream % s->o.streams);
}

static void ssd_prepare(const struct dev *d, uint64_t block, int stage)
{
	const struct ftl *f = &((const struct sim_ssd *)(const void *)d)->ftl;
	if (block >= f->o.logical_pages)
		return;
	if (stage == 0) {
		__builtin_prefetch(&f->map[block], 1);
		return;
	}
	uint32_t page = f->map[block];
	if (page == FTL_NONE)
		return;
	__builtin_prefetch(ftl_super(f, page >> f->shift), 1);
	__builtin_prefetch(ftl_bits(f, page >> f->shift) + (page & ((1u << f->shift) - 1)) / 64, 1);
}

typedef void put_fn(void *arg, const char *key, uint64_t value);

static void describe_geometry(const struct sim_ssd *s, put_fn *put, void *arg)
{
	const struct ssd_geometry *g = &s->o.geometry;
	uint64_t block_bytes = s->dev.caps.block_bytes;
	uint64_t pages = (uint64_t)(g->supers - g->slc_supers) * g->super_pages, spare = pages - g->logical_pages;
	/* of a head on average half is not written, and what is kept free never holds data */
	uint32_t heads = s->o.streams + (s->o.gc_stream == FTL_GC_STREAM                            ? s->o.streams
						: s->o.gc_stream == FTL_GC_SHARED && !g->slc_supers ? 0
												    : 1);
	uint64_t unusable = (2ull * s->o.gc_low + heads) * g->super_pages / 2;
	put(arg, "channels", g->channels);
	put(arg, "dies", g->dies);
	put(arg, "planes", g->planes);
	put(arg, "flash_page_bytes", g->flash_page_pages * block_bytes);
	put(arg, "block_flash_pages", g->block_rows);
	put(arg, "cell_levels", g->levels);
	put(arg, "program_pages", g->unit_pages);
	put(arg, "super_pages", g->super_pages);
	put(arg, "super_bytes", g->super_pages * block_bytes);
	put(arg, "supers", g->supers);
	put(arg, "slc_supers", g->slc_supers);
	put(arg, "slc_super_pages", g->slc_pages);
	put(arg, "physical_pages", pages);
	put(arg, "logical_pages", g->logical_pages);
	put(arg, "spare_pages", spare);
	put(arg, "unusable_pages", unusable);
	put(arg, "over_provisioning_permille", spare * 1000 / g->logical_pages);
	put(arg, "write_buffer_pages", s->o.buffer_pages);
}

static void describe_wear(const struct sim_ssd *s, put_fn *put, void *arg)
{
	uint64_t least = UINT64_MAX, greatest = 0, sum = 0, live = 0;
	for (uint32_t i = 0; i < s->o.geometry.supers; i++) {
		uint64_t erases = ftl_super(&s->ftl, i)->erases;
		least = pl_min64(least, erases);
		greatest = pl_max64(greatest, erases);
		sum += erases;
	}
	for (uint64_t i = 0; i < s->o.geometry.logical_pages; i++)
		live += s->ftl.map[i] != FTL_NONE;
	put(arg, "live_pages", live);
	put(arg, "super_erases_least", least);
	put(arg, "super_erases_mean_milli", sum * 1000 / s->o.geometry.supers);
	put(arg, "super_erases_greatest", greatest);
	put(arg, "super_erases_sum", sum);
}

static void ssd_describe(struct dev *d, put_fn *put, void *arg)
{
	const struct sim_ssd *s = ssd_of(d);
	const struct ftl_counts *c = &s->ftl.counts;
	const struct ssd_geometry *g = &s->o.geometry;
	describe_geometry(s, put, arg);
	put(arg, "host_pages", c->host_pages);
	put(arg, "moved_pages", c->moved_pages);
	put(arg, "folded_pages", c->folded_pages);
	put(arg, "trimmed_pages", c->trimmed_pages);
	put(arg, "victims", c->victims);
	put(arg, "victim_valid_pages", c->victim_valid);
	put(arg, "victim_written_pages", c->victim_written);
	put(arg, "erases", c->erases);
	put(arg, "victim_rescans", c->rescans);
	describe_wear(s, put, arg);
	put(arg, "free_supers", s->ftl.free_count);
	put(arg, "suspensions", s->time.suspensions);
	put(arg, "buffer_waits", s->buffer_waits);
	put(arg, "memory_bytes",
		s->ftl.memory_bytes + (((uint64_t)g->supers << s->ftl.shift >> s->row_shift) + 63) / 64 * 8);
}

/* ---- opening ---- */

static void ssd_close(struct dev *d)
{
	struct sim_ssd *s = ssd_of(d);
	dev_content_deinit(&s->content);
	ftl_deinit(&s->ftl);
	ssd_time_deinit(&s->time);
	free(s->row);
	free(s->slc_row);
	free(s->ram);
	free(s->partial);
	free(s->reads.done);
	free(s->others.done);
	free(s);
}

/* The tables that follow from the geometry. */
static int rows_init(struct sim_ssd *s)
{
	const struct ssd_geometry *g = &s->o.geometry;
	uint32_t rows = g->super_pages / g->row_pages, unit_rows = g->unit_pages / g->row_pages;
	uint32_t slc_rows = g->slc_pages / g->row_pages;
	s->row_shift = g->row_shift;
	s->page_mask = (1u << s->ftl.shift) - 1;
	s->slc_first = g->supers - g->slc_supers;
	s->row = malloc(rows * sizeof *s->row);
	s->slc_row = malloc((slc_rows ? slc_rows : 1) * sizeof *s->slc_row);
	s->ram = calloc(ram_words(s), sizeof *s->ram);
	if (!s->row || !s->slc_row || !s->ram)
		return PL_NOMEM;
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t in_block = i / (unit_rows * g->dies) * unit_rows + i % unit_rows;
		s->row[i].die = (uint16_t)(i / unit_rows % g->dies);
		s->row[i].type = (uint8_t)(in_block % g->levels);
	}
	for (uint32_t i = 0; i < slc_rows; i++)
		s->slc_row[i] = (struct row){(uint16_t)(i % g->dies), SSD_SLC};
	return PL_OK;
}

static int ssd_alloc(struct sim_ssd *s, const struct dev_args *a)
{
	struct ftl_options f = ssd_ftl_options(&s->o, a->seed);
	int err = a->contentless ? PL_OK : dev_content_init(&s->content, a->block_bytes, s->o.geometry.logical_pages);
	if (a->contentless)
		s->content = (struct dev_content){.block_bytes = a->block_bytes, .blocks = s->o.geometry.logical_pages};
	if (!err)
		err = ftl_init(&s->ftl, &f);
	if (!err)
		err = ssd_time_init(&s->time, &s->o);
	if (!err)
		err = rows_init(s);
	return err;
}

static void ssd_precondition(struct sim_ssd *s, uint64_t seed)
{
	struct pl_rng rng;
	uint64_t pages = s->o.geometry.logical_pages;
	uint32_t block[64];
	pl_rng_seed(&rng, seed, 0x73736400 /* "ssd" */);
	for (uint64_t i = 0; s->o.age != SSD_FRESH && i < pages;) {
		size_t n = 0;
		while (n < PL_COUNT(block) && i < pages)
			block[n++] = (uint32_t)i++;
		ftl_write(&s->ftl, block, n, 0);
	}
	for (uint64_t i = 0; s->o.age == SSD_RANDFILL && i < 2 * pages;) {
		size_t n = 0;
		for (; n < PL_COUNT(block) && i < 2 * pages; i++)
			block[n++] = (uint32_t)pl_rng_below(&rng, pages);
		ftl_write(&s->ftl, block, n, 0);
	}
	ftl_reset_counts(&s->ftl);
}

static void lists_init(struct sim_ssd *s)
{
	list_init(&s->linked);
	list_init(&s->waiting);
	list_init(&s->syncs);
}

static int ssd_open(const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	int err = dev_args_check("sim_ssd", a, f);
	if (err)
		return err;
	struct sim_ssd *s = calloc(1, sizeof *s);
	if (!s)
		return pl_fault_set(f, PL_NOMEM, "device sim_ssd: out of memory");
	err = ssd_options_read(&s->o, a, f);
	if (err) {
		free(s);
		return err;
	}
	s->dev.ops = &dev_sim_ssd;
	s->dev.caps = (struct dev_caps){
		.block_bytes = a->block_bytes,
		.capacity_blocks = s->o.geometry.logical_pages,
		.atomic_blocks = s->o.atomic_blocks,
		.punch = true,
		.punch_blocks = 1,
		.erase_unit_blocks = s->o.geometry.super_pages,
		.streams = s->o.streams,
		.simulated = true,
		.contentless = a->contentless,
	};
	lists_init(s);
	s->idle_ns = PL_NS_NEVER;
	s->gc = s->fold = (struct collection){.victim = FTL_NONE, .dying = FTL_NONE};
	for (uint32_t i = 0; i < HEADS; i++)
		s->fill[i] = SSD_NONE;
	err = ssd_alloc(s, a);
	if (err) {
		uint64_t pages = s->o.geometry.physical_pages;
		ssd_close(&s->dev);
		return pl_fault_set(f, err, "device sim_ssd: no memory for a map of %" PRIu64 " pages", pages);
	}
	ssd_precondition(s, a->seed);
	*out = &s->dev;
	return PL_OK;
}

static void *copy_of(const void *from, size_t bytes)
{
	void *to = malloc(bytes ? bytes : 1);
	if (to && bytes)
		memcpy(to, from, bytes);
	return to;
}

static int ssd_clone(struct dev *d, struct dev **out)
{
	const struct sim_ssd *from = ssd_of(d);
	if (from->inflight)
		return PL_AGAIN;
	struct sim_ssd *s = calloc(1, sizeof *s);
	if (!s)
		return PL_NOMEM;
	*s = *from;
	lists_init(s);
	const struct ssd_geometry *g = &s->o.geometry;
	s->content = (struct dev_content){0};
	s->ftl = (struct ftl){0};
	s->time = (struct ssd_time){0};
	s->reads = s->others = (struct done_queue){0};
	s->done_room = 0;
	s->row = copy_of(from->row, g->super_pages / g->row_pages * sizeof *s->row);
	s->slc_row = copy_of(from->slc_row, g->slc_pages / g->row_pages * sizeof *s->slc_row);
	s->partial = copy_of(from->partial, from->partial_room * sizeof *s->partial);
	s->ram = NULL;
	int err = s->row && s->slc_row && s->partial ? ftl_clone(&s->ftl, &from->ftl) : PL_NOMEM;
	if (!err) {
		s->ram = copy_of(from->ram, ram_words(from) * sizeof *s->ram);
		err = s->ram ? ssd_time_clone(&s->time, &from->time) : PL_NOMEM;
	}
	if (!err)
		err = dev_content_clone(&s->content, &from->content);
	if (err) {
		ssd_close(&s->dev);
		return err;
	}
	*out = &s->dev;
	return PL_OK;
}

const struct dev_ops dev_sim_ssd = {
	.name = "sim_ssd",
	.summary = "simulated flash SSD: page map, collection, streams, pSLC cache, dies and channels as an event "
		   "simulation",
	.opts = ssd_opts,
	.open = ssd_open,
	.close = ssd_close,
	.submit = ssd_submit,
	.poll = ssd_poll,
	.next_ns = ssd_next_ns,
	.stats = ssd_stats,
	.peek = ssd_peek,
	.poke = ssd_poke,
	.clone = ssd_clone,
	.prepare = ssd_prepare,
	.write_untimed = ssd_write_untimed,
	.describe = ssd_describe,
};
