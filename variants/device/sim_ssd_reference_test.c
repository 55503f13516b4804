/* sim_ssd_reference_test.c - sim_ssd against a plain simulation of the same drive.
 *
 * The reference below is written for clarity alone: one binary heap of events, one object an operation, lists where the
 * device has trees, rings and bits, a counter of programs for each row, a scan for what completes next. It shares with the
 * device the geometry, the times and the steps of the translation layer, which have tests of their own, and of the clock
 * only the rule for what happens first: (time, die), arrivals over the link last. So both must give every completion at
 * the same nanosecond; that the rates and tails are near each other is checked first, since it says how far apart they
 * are when they are not. */
#include "variants/device/sim_ssd_rig.h"

#include <inttypes.h>

/* ---- the reference ---- */

enum what { READ, PROGRAM, ERASE };

struct job {
	enum what what;
	uint32_t die, pages, first; /* first: page of a program */
	uint64_t cells_ns; /* still to do */
	struct dev_req *req;
	uint32_t waits_for, suspended, from_host;
	bool open; /* may get more pages */
	struct job *takers[8], *next; /* of a collection's read: the programs it feeds */
	uint64_t before_sync; /* number of the first sync it must be done for */
	uint64_t cells_began_ns;
};

enum doing { NOTHING, CELLS, WANTS_CHANNEL, CHANNEL, STOPPING };

struct line { /* FIFO */
	struct job *first, *last;
};

struct ref_die {
	struct line urgent, normal;
	struct job *job, *stopped;
	enum doing doing;
	uint64_t version; /* events of other versions are void */
	bool in_channel_line;
	uint64_t channel_turn;
};

struct event {
	uint64_t at_ns, version;
	uint32_t die;
};

struct cleaning {
	uint32_t victim, next, valid, gain, dying;
	int64_t credit;
};

struct ref {
	struct ssd_options o;
	struct ftl ftl;
	uint64_t now_ns, turns;
	struct event *heap;
	size_t events;
	struct ref_die *die;
	int64_t *channel_user; /* die, -1: idle */
	uint16_t *row_programs; /* under way or being filled */
	struct job *fill[2][FTL_STREAMS_MAX]; /* of the host's heads, of collection's */
	struct cleaning gc, fold;
	struct dev_req *writes[64], *syncs[64], *done[64], *flying[64]; /* in order; flying: on the link */
	uint32_t nwrites, nsyncs, ndone, nflying, buffered, busy; /* busy: requests that are not done */
	uint64_t idle_ns; /* of the next row folded because nothing is asked */
	uint64_t programs_of_sync[4096]; /* host programs not done, by before_sync */
	uint64_t syncs_begun, syncs_ended, orders, link_read_ns, link_write_ns, suspensions, host_pages, moved_pages;
};

enum { HEAP_ROOM = 1 << 16 };

static bool sooner(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->die < b->die;
}

static void heap_push(struct ref *r, struct event e)
{
	size_t i = r->events++;
	assert_true(i < HEAP_ROOM);
	for (; i && sooner(&e, &r->heap[(i - 1) / 2]); i = (i - 1) / 2)
		r->heap[i] = r->heap[(i - 1) / 2];
	r->heap[i] = e;
}

static struct event heap_pop(struct ref *r)
{
	struct event top = r->heap[0], e = r->heap[--r->events];
	size_t i = 0, c;
	for (; (c = 2 * i + 1) < r->events; i = c) {
		c += c + 1 < r->events && sooner(&r->heap[c + 1], &r->heap[c]);
		if (!sooner(&r->heap[c], &e))
			break;
		r->heap[i] = r->heap[c];
	}
	r->heap[i] = e;
	return top;
}

static void line_add(struct line *l, struct job *j)
{
	j->next = NULL;
	if (l->first)
		l->last->next = j;
	else
		l->first = j;
	l->last = j;
}

static struct job *line_take(struct line *l)
{
	struct job *j = l->first;
	if (j)
		l->first = j->next;
	return j;
}

static struct job *job_new(enum what what, uint32_t die, uint64_t cells_ns)
{
	struct job *j = calloc(1, sizeof *j);
	assert_non_null(j);
	j->what = what;
	j->die = die;
	j->cells_ns = cells_ns;
	return j;
}

/* -- dies and channels -- */

static void die_does(struct ref *r, uint32_t die, enum doing doing, uint64_t ns)
{
	r->die[die].doing = doing;
	r->die[die].version++;
	heap_push(r, (struct event){r->now_ns + ns, r->die[die].version, die});
}

static void die_cells(struct ref *r, uint32_t die)
{
	r->die[die].job->cells_began_ns = r->now_ns;
	die_does(r, die, CELLS, r->die[die].job->cells_ns);
}

static void die_channel(struct ref *r, uint32_t die)
{
	uint32_t channel = die % r->o.geometry.channels;
	if (r->channel_user[channel] >= 0) {
		r->die[die].doing = WANTS_CHANNEL;
		r->die[die].channel_turn = ++r->turns;
		return;
	}
	r->channel_user[channel] = die;
	die_does(r, die, CHANNEL, r->die[die].job->pages * r->o.times.transfer_ns);
}

static void channel_free(struct ref *r, uint32_t channel)
{
	uint32_t best = r->o.geometry.dies;
	r->channel_user[channel] = -1;
	for (uint32_t d = channel; d < r->o.geometry.dies; d += r->o.geometry.channels)
		if (r->die[d].doing == WANTS_CHANNEL &&
			(best == r->o.geometry.dies || r->die[d].channel_turn < r->die[best].channel_turn))
			best = d;
	if (best < r->o.geometry.dies)
		die_channel(r, best);
}

static void die_begin(struct ref *r, uint32_t die, struct job *j)
{
	r->die[die].job = j;
	if (j->what == PROGRAM)
		die_channel(r, die);
	else
		die_cells(r, die);
}

static void die_choose(struct ref *r, uint32_t die)
{
	struct ref_die *d = &r->die[die];
	struct job *j = line_take(&d->urgent);
	d->job = NULL;
	d->doing = NOTHING;
	if (j) {
		die_begin(r, die, j);
	} else if (d->stopped) {
		d->job = d->stopped;
		d->stopped = NULL;
		die_cells(r, die);
	} else if ((j = line_take(&d->normal))) {
		die_begin(r, die, j);
	}
}

static void die_stop(struct ref *r, uint32_t die)
{
	struct ref_die *d = &r->die[die];
	if (d->doing != CELLS || !d->urgent.first || d->job->what == READ)
		return;
	uint64_t cost = d->job->what == PROGRAM ? r->o.times.suspend_program_ns : r->o.times.suspend_erase_ns;
	uint64_t rest = d->job->cells_began_ns + d->job->cells_ns - r->now_ns;
	if (cost == PL_NS_NEVER || rest <= cost || d->job->suspended == r->o.times.suspend_limit)
		return;
	r->suspensions++;
	d->job->suspended++;
	d->job->cells_ns = rest;
	d->stopped = d->job;
	d->job = NULL;
	die_does(r, die, STOPPING, cost);
}

static void job_ready(struct ref *r, struct job *j)
{
	struct ref_die *d = &r->die[j->die];
	if (d->doing == NOTHING) {
		die_begin(r, j->die, j);
	} else if (j->req && r->o.times.read_priority) {
		line_add(&d->urgent, j);
		die_stop(r, j->die);
	} else {
		line_add(&d->normal, j);
	}
}

/* -- pages -- */

static uint32_t in_super(const struct ref *r, uint32_t page)
{
	return page & ((1u << r->ftl.shift) - 1);
}

static bool cached_page(const struct ref *r, uint32_t page)
{
	return ftl_super(&r->ftl, page >> r->ftl.shift)->slc;
}

/* A unit is `rows` rows on one die; the next one is on the next die, and the types of a block's pages take turns. */
static uint32_t unit_rows(const struct ref *r, uint32_t page)
{
	return r->o.geometry.oneshot && !cached_page(r, page) ? r->o.geometry.levels : 1;
}

static uint32_t die_of_page(const struct ref *r, uint32_t page)
{
	return in_super(r, page) / (r->o.geometry.row_pages * unit_rows(r, page)) % r->o.geometry.dies;
}

static uint32_t type_of_page(const struct ref *r, uint32_t page)
{
	const struct ssd_geometry *g = &r->o.geometry;
	uint32_t row = in_super(r, page) / g->row_pages;
	if (cached_page(r, page))
		return SSD_SLC;
	return g->oneshot ? row % g->levels : row / g->dies % g->levels;
}

static uint32_t row_number(const struct ref *r, uint32_t page)
{
	return page / r->o.geometry.row_pages; /* both are powers of two */
}

static void job_rows(struct ref *r, const struct job *j, int change)
{
	for (uint32_t row = row_number(r, j->first); row <= row_number(r, j->first + j->pages - 1); row++)
		r->row_programs[row] = (uint16_t)(r->row_programs[row] + change);
}

static void fill_close(struct ref *r, struct job **fill)
{
	struct job *j = *fill;
	*fill = NULL;
	if (!j)
		return;
	j->open = false;
	if (!j->waits_for)
		job_ready(r, j);
}

static void page_to(struct ref *r, bool by_host, uint32_t stream, uint32_t lpn, struct job *read)
{
	struct ftl_head *h = by_host ? &r->ftl.host[stream] : &r->ftl.gc[stream];
	struct job **fill = &r->fill[!by_host][stream], *j = *fill;
	uint32_t page = ftl_put(&r->ftl, h, lpn), unit = unit_rows(r, page) * r->o.geometry.row_pages;
	if (!j) {
		uint32_t type = unit_rows(r, page) > 1 ? 0 : type_of_page(r, page);
		j = *fill = job_new(PROGRAM, die_of_page(r, page), r->o.times.program_ns[type]);
		j->first = page;
		j->open = true;
		ftl_super(&r->ftl, page >> r->ftl.shift)->programs++;
	}
	if (!j->pages || row_number(r, page) != row_number(r, page - 1))
		r->row_programs[row_number(r, page)]++;
	j->pages++;
	if (!read) {
		r->ftl.counts.host_pages++;
		r->host_pages++;
		if (j->from_host++ == 0) {
			j->before_sync = r->syncs_begun;
			r->programs_of_sync[j->before_sync]++;
		}
	} else {
		int k = 0;
		while (read->takers[k] && read->takers[k] != j)
			k++;
		if (!read->takers[k]) {
			read->takers[k] = j;
			j->waits_for++;
		}
		r->moved_pages++;
	}
	if ((in_super(r, page) + 1) % unit == 0)
		fill_close(r, fill);
}

/* -- collection -- */

static void erase(struct ref *r, uint32_t super)
{
	for (uint32_t d = 0; d < r->o.geometry.dies; d++)
		job_ready(r, job_new(ERASE, d, r->o.times.erase_ns));
	ftl_erased(&r->ftl, super);
}

static uint32_t super_size(const struct ref *r, uint32_t super)
{
	return ftl_super(&r->ftl, super)->slc ? r->o.geometry.slc_pages : r->o.geometry.super_pages;
}

static bool cleaning_begin(struct ref *r, struct cleaning *c)
{
	uint32_t super;
	if (c->dying != FTL_NONE)
		return false;
	super = c == &r->gc ? ftl_victim(&r->ftl) : ftl_slc_victim(&r->ftl);
	if (super == FTL_NONE)
		return false;
	c->victim = super;
	c->next = 0;
	c->valid = ftl_super(&r->ftl, super)->valid & ~FTL_NOT_CLOSED;
	c->gain = super_size(r, super) - (c == &r->gc ? c->valid : 0);
	if (c->gain <= super_size(r, super) / 32)
		c->gain = super_size(r, super) / 32 + 1;
	c->credit = 0;
	return true;
}

static void came_in(struct ref *r, struct cleaning *c, uint32_t pages);

/* Is there room for so many folded pages, with one superblock and the rest of the victim's pages left over? */
static bool folds(struct ref *r, const struct ftl_head *h, uint32_t found)
{
	uint64_t left = h->end - h->at, rest = 0;
	for (uint32_t i = 0; r->gc.victim != FTL_NONE && i < r->o.geometry.super_pages; i++)
		rest += ftl_valid(&r->ftl, (r->gc.victim << r->ftl.shift) + i);
	if (rest && ftl_gc_head(&r->ftl, ftl_super(&r->ftl, r->gc.victim)) != h)
		rest = 0;
	if (found > left && r->ftl.free_count < 2)
		return false;
	return left + (uint64_t)r->ftl.free_count * r->o.geometry.super_pages >= found + rest;
}

static bool cleaning_step(struct ref *r, struct cleaning *c)
{
	struct ftl *f = &r->ftl;
	struct ftl_head *h = ftl_gc_head(f, ftl_super(f, c->victim));
	uint32_t row = r->o.geometry.row_pages, first = (c->victim << f->shift) + c->next, found = 0;
	bool by_host = h >= f->host && h < f->host + FTL_STREAMS_MAX;
	uint32_t moving[1024];
	for (uint32_t i = 0; i < row; i++)
		if (ftl_valid(f, first + i))
			moving[found++] = f->owner[first + i];
	if (c == &r->gc && found > h->end - h->at && f->free_count == 0)
		return false;
	while (c == &r->fold && found && !folds(r, h, found))
		if ((r->gc.victim == FTL_NONE && !cleaning_begin(r, &r->gc)) || !cleaning_step(r, &r->gc))
			return false;
	if (found) {
		struct job *read = job_new(READ, die_of_page(r, first), r->o.times.read_ns[type_of_page(r, first)]);
		read->pages = found;
		for (uint32_t i = 0; i < found; i++) {
			if (h->at == h->end)
				ftl_open(f, h);
			page_to(r, by_host, h->stream, moving[i], read);
		}
		job_ready(r, read);
		f->counts.moved_pages += found;
	}
	c->credit -= (int64_t)found * c->gain;
	c->next += row;
	if (c->next == super_size(r, c->victim)) {
		uint32_t super = c->victim;
		c->victim = FTL_NONE;
		if (ftl_super(f, super)->programs)
			c->dying = super;
		else
			erase(r, super);
	}
	if (c == &r->fold && found)
		came_in(r, &r->gc, found);
	return true;
}

static void came_in(struct ref *r, struct cleaning *c, uint32_t pages)
{
	if (c == &r->fold && !r->o.fold_pressed)
		return;
	bool due = c == &r->gc ? r->ftl.free_count <= r->o.gc_low : r->ftl.slc_free <= 1;
	if (c->victim == FTL_NONE && !(due && cleaning_begin(r, c)))
		return;
	c->credit += (int64_t)pages * c->valid;
	while (c->victim != FTL_NONE && c->credit >= 0)
		if (!cleaning_step(r, c))
			break;
}

static bool host_has_room(struct ref *r, struct ftl_head *h)
{
	struct ftl *f = &r->ftl;
	for (;;) {
		bool shares = r->o.gc_stream == FTL_GC_SHARED && !r->o.geometry.slc_supers && h == f->host;
		uint64_t left = h->end - h->at, all = left + (uint64_t)f->free_count * r->o.geometry.super_pages;
		if (left && !(shares && r->gc.victim != FTL_NONE &&
				    all - 1 < (ftl_super(f, r->gc.victim)->valid & ~FTL_NOT_CLOSED)))
			return true;
		if (!left && (f->slc_free || f->free_count >= 2)) {
			h->slc = f->slc_free != 0;
			ftl_open(f, h);
		} else if ((r->gc.victim == FTL_NONE && !cleaning_begin(r, &r->gc)) || !cleaning_step(r, &r->gc)) {
			return false;
		}
	}
}

static bool host_page(struct ref *r, uint32_t lpn, uint32_t stream)
{
	struct ftl_head *h = &r->ftl.host[stream];
	if (!host_has_room(r, h))
		return false;
	if (r->o.geometry.slc_supers)
		came_in(r, &r->fold, 1);
	if (!h->slc)
		came_in(r, &r->gc, 1);
	if (!host_has_room(r, h))
		return false;
	page_to(r, true, stream, lpn, NULL);
	return true;
}

/* -- requests -- */

static void ref_done(struct ref *r, struct dev_req *q, uint64_t at_ns)
{
	q->done_ns = at_ns;
	if (--r->busy == 0 && r->o.geometry.slc_supers)
		r->idle_ns = r->now_ns + r->o.times.slc_idle_ns;
	assert_true(r->ndone < PL_COUNT(r->done));
	r->done[r->ndone++] = q;
}

static void drop_first(struct dev_req **list, uint32_t *n)
{
	memmove(list, list + 1, --*n * sizeof *list);
}

static void ref_read_done(struct ref *r, struct dev_req *q)
{
	r->link_read_ns =
		(r->link_read_ns > r->now_ns ? r->link_read_ns : r->now_ns) + q->blocks * r->o.times.link_page_ns;
	ref_done(r, q, r->link_read_ns + r->o.times.read_command_ns);
}

static void ref_admit(struct ref *r)
{
	while (r->nwrites) {
		struct dev_req *q = r->writes[0];
		for (; q->op == DEV_WRITE && q->result_block < q->blocks; q->result_block++, r->buffered++)
			if (r->buffered == r->o.buffer_pages ||
				!host_page(r, (uint32_t)(q->block + q->result_block), q->stream % r->o.streams))
				return;
		for (uint32_t i = 0; q->op == DEV_PUNCH && i < q->blocks; i++)
			ftl_trim(&r->ftl, (uint32_t)q->block + i);
		drop_first(r->writes, &r->nwrites);
		ref_done(r, q, r->now_ns + r->o.times.write_command_ns);
	}
}

static void ref_arrive(struct ref *r, struct dev_req *q)
{
	r->writes[r->nwrites++] = q;
	if (r->nwrites == 1)
		ref_admit(r);
}

static void ref_syncs(struct ref *r)
{
	while (r->nsyncs && r->programs_of_sync[r->syncs_ended] == 0) {
		struct dev_req *q = r->syncs[0];
		drop_first(r->syncs, &r->nsyncs);
		r->syncs_ended++;
		ref_done(r, q, r->now_ns + r->o.times.write_command_ns);
	}
}

static void job_done(struct ref *r, struct job *j)
{
	if (j->what == READ && j->req) {
		if (--j->req->result_block == 0)
			ref_read_done(r, j->req);
	} else if (j->what == READ) {
		for (int k = 0; j->takers[k]; k++)
			if (--j->takers[k]->waits_for == 0 && !j->takers[k]->open)
				job_ready(r, j->takers[k]);
	} else if (j->what == PROGRAM) {
		uint32_t super = j->first >> r->ftl.shift;
		job_rows(r, j, -1);
		r->buffered -= j->from_host;
		if (j->from_host)
			r->programs_of_sync[j->before_sync]--;
		if (--ftl_super(&r->ftl, super)->programs == 0 && (super == r->gc.dying || super == r->fold.dying)) {
			*(super == r->gc.dying ? &r->gc.dying : &r->fold.dying) = FTL_NONE;
			erase(r, super);
		}
		ref_syncs(r);
		ref_admit(r);
	}
	free(j);
}

static void ref_event(struct ref *r, const struct event *e)
{
	struct ref_die *d = &r->die[e->die];
	struct job *j = d->job;
	if (d->doing == CHANNEL)
		channel_free(r, e->die % r->o.geometry.channels);
	if (d->doing == CELLS && j->what == READ) {
		die_channel(r, e->die);
	} else if (d->doing == CHANNEL && j->what == PROGRAM) {
		die_cells(r, e->die);
		die_stop(r, e->die);
	} else {
		bool stopping = d->doing == STOPPING;
		die_choose(r, e->die);
		if (!stopping)
			job_done(r, j);
	}
}

static void ref_idle(struct ref *r)
{
	struct cleaning *c = &r->fold;
	r->now_ns = r->idle_ns;
	if (c->victim != FTL_NONE || cleaning_begin(r, c))
		(void)cleaning_step(r, c);
	else if (c->dying == FTL_NONE)
		r->idle_ns = PL_NS_NEVER;
	if (r->idle_ns != PL_NS_NEVER)
		r->idle_ns += (r->o.times.read_ns[0] + r->o.times.program_ns[0]) / r->o.geometry.dies + 1;
}

static void ref_advance(struct ref *r, uint64_t now_ns)
{
	for (;;) {
		uint64_t next_ns = r->events ? r->heap[0].at_ns : PL_NS_NEVER;
		uint64_t link_ns = r->nflying ? r->flying[0]->done_ns : PL_NS_NEVER;
		if (next_ns > now_ns && link_ns > now_ns && r->idle_ns > now_ns)
			break;
		if (r->idle_ns < next_ns && r->idle_ns < link_ns) {
			ref_idle(r);
			continue;
		}
		if (link_ns < next_ns) {
			struct dev_req *q = r->flying[0];
			r->now_ns = link_ns;
			drop_first(r->flying, &r->nflying);
			ref_arrive(r, q);
			continue;
		}
		struct event e = heap_pop(r);
		if (e.version != r->die[e.die].version)
			continue;
		r->now_ns = e.at_ns;
		ref_event(r, &e);
	}
	r->now_ns = now_ns;
}

static void ref_submit(struct ref *r, uint64_t now_ns, struct dev_req *q)
{
	ref_advance(r, now_ns);
	r->busy++;
	r->idle_ns = PL_NS_NEVER;
	q->submit_ns = now_ns;
	q->scratch = r->orders++;
	q->result_block = 0; /* parts outstanding of a read, blocks admitted of a write */
	if (q->op == DEV_SYNC) {
		for (uint32_t i = 0; i < r->o.streams; i++)
			fill_close(r, &r->fill[0][i]);
		r->syncs[r->nsyncs++] = q;
		r->syncs_begun++;
		assert_true(r->syncs_begun < PL_COUNT(r->programs_of_sync));
		ref_syncs(r);
		return;
	}
	if (q->op != DEV_READ) {
		if (!r->o.times.link_page_ns) {
			ref_arrive(r, q);
			return;
		}
		r->link_write_ns = (r->link_write_ns > now_ns ? r->link_write_ns : now_ns) +
				   (q->op == DEV_WRITE ? q->blocks * r->o.times.link_page_ns : 0);
		q->done_ns = r->link_write_ns;
		r->flying[r->nflying++] = q;
		return;
	}
	struct job *reads[64];
	uint32_t last_row = 0, n = 0;
	bool run = false;
	for (uint32_t i = 0; i < q->blocks; i++) {
		uint32_t page = r->ftl.map[q->block + i];
		if (page == FTL_NONE || r->row_programs[row_number(r, page)]) {
			run = false;
			continue;
		}
		if (!run || row_number(r, page) != last_row) {
			reads[n] = job_new(READ, die_of_page(r, page), r->o.times.read_ns[type_of_page(r, page)]);
			reads[n++]->req = q;
		}
		reads[n - 1]->pages++;
		run = true;
		last_row = row_number(r, page);
	}
	q->result_block = n;
	for (uint32_t i = 0; i < n; i++)
		job_ready(r, reads[i]);
	if (!n)
		ref_read_done(r, q);
}

static struct dev_req *ref_first(const struct ref *r, uint32_t *index)
{
	struct dev_req *best = NULL;
	for (uint32_t i = 0; i < r->ndone; i++)
		if (!best || r->done[i]->done_ns < best->done_ns ||
			(r->done[i]->done_ns == best->done_ns && r->done[i]->scratch < best->scratch)) {
			best = r->done[i];
			*index = i;
		}
	return best;
}

static struct dev_req *ref_poll(struct ref *r, uint64_t now_ns)
{
	uint32_t i = 0;
	ref_advance(r, now_ns);
	struct dev_req *q = ref_first(r, &i);
	if (!q || q->done_ns > now_ns)
		return NULL;
	r->done[i] = r->done[--r->ndone];
	return q;
}

static uint64_t ref_next_ns(const struct ref *r)
{
	uint32_t i;
	const struct dev_req *q = ref_first(r, &i);
	uint64_t next_ns = q ? q->done_ns : PL_NS_NEVER;
	if (r->events)
		next_ns = pl_min64(next_ns, r->heap[0].at_ns);
	return r->nflying ? pl_min64(next_ns, r->flying[0]->done_ns) : next_ns;
}

/* With the translation layer in the state of the device's, which has just been opened. */
static void ref_open(struct ref *r, const struct sim_ssd *s)
{
	*r = (struct ref){.o = s->o, .idle_ns = PL_NS_NEVER};
	const struct ssd_geometry *g = &s->o.geometry;
	assert_int_equal(ftl_clone(&r->ftl, &s->ftl), PL_OK);
	r->heap = malloc(HEAP_ROOM * sizeof *r->heap);
	r->die = calloc(g->dies, sizeof *r->die);
	r->channel_user = malloc(g->channels * sizeof *r->channel_user);
	r->row_programs = calloc(((size_t)g->supers << r->ftl.shift) / g->row_pages, sizeof *r->row_programs);
	for (uint32_t i = 0; i < g->channels; i++)
		r->channel_user[i] = -1;
	r->gc = r->fold = (struct cleaning){.victim = FTL_NONE, .dying = FTL_NONE};
}

static void ref_close(struct ref *r)
{
	r->idle_ns = PL_NS_NEVER;
	r->o.times.suspend_program_ns = r->o.times.suspend_erase_ns = PL_NS_NEVER;
	while (r->events) /* until nothing is under way; only what waits for pages that never come is left */
		ref_advance(r, r->heap[0].at_ns);
	for (uint32_t i = 0; i < FTL_STREAMS_MAX; i++) {
		free(r->fill[0][i]);
		free(r->fill[1][i]);
	}
	ftl_deinit(&r->ftl);
	free(r->heap);
	free(r->die);
	free(r->channel_user);
	free(r->row_programs);
}

/* ---- loads ---- */

enum { REQUESTS = 24000, DEPTH_MAX = 48 };

struct load {
	const char *name;
	uint32_t depth; /* 1: with pauses of 3 ms now and then */
	uint32_t read_percent, blocks_max; /* blocks_max > 1: also syncs and punches */
	const char *const *settings;
	bool hot; /* seven of eight requests go to a sixteenth of the blocks */
};

struct outcome {
	uint64_t done_ns[REQUESTS], end_ns;
	struct pl_hist hist[2]; /* writes and all others, reads */
};

/* A closed loop of `depth` requests on the device, or, with a reference, on that. */
static void run(const struct load *l, struct dev *d, struct ref *ref, struct outcome *out)
{
	static struct dev_req req[DEPTH_MAX];
	uint32_t slot[DEPTH_MAX], n = l->depth;
	uint64_t now_ns = 0, i = 0, done = 0, number[DEPTH_MAX];
	struct pl_rng rng;
	pl_rng_seed(&rng, 11, 1);
	pl_hist_reset(&out->hist[0]);
	pl_hist_reset(&out->hist[1]);
	for (uint32_t k = 0; k < n; k++)
		slot[k] = k;
	while (done < REQUESTS) {
		for (; n && i < REQUESTS; i++) {
			struct dev_req *r = &req[slot[--n]];
			uint64_t dice = pl_rng_below(&rng, 100), special = pl_rng_below(&rng, 64);
			uint64_t span = d->caps.capacity_blocks >> (l->hot && special % 8 ? 4 : 0);
			*r = (struct dev_req){.op = dice < l->read_percent ? DEV_READ : DEV_WRITE,
				.blocks = 1 + (uint32_t)pl_rng_below(&rng, l->blocks_max),
				.block = pl_rng_below(&rng, span - l->blocks_max),
				.stream = (uint8_t)pl_rng_below(&rng, 8)};
			if (l->blocks_max > 1 && special < 2)
				r->op = special ? DEV_SYNC : DEV_PUNCH;
			if (r->op == DEV_SYNC)
				r->blocks = 0;
			number[r - req] = i;
			now_ns += special == 9 && l->depth == 1 ? 3000000 : 0;
			if (ref)
				ref_submit(ref, now_ns, r);
			else
				assert_int_equal(dev_submit(d, now_ns, r), PL_OK);
		}
		struct dev_req *r = ref ? ref_poll(ref, now_ns) : dev_poll(d, now_ns);
		if (!r) {
			uint64_t next_ns = ref ? ref_next_ns(ref) : dev_next_ns(d);
			assert_true(next_ns != PL_NS_NEVER && next_ns >= now_ns);
			now_ns = next_ns;
			continue;
		}
		out->done_ns[number[r - req]] = r->done_ns;
		pl_hist_add(&out->hist[r->op == DEV_READ], r->done_ns - r->submit_ns);
		slot[n++] = (uint32_t)(r - req);
		done++;
	}
	out->end_ns = now_ns;
}

static bool near(uint64_t a, uint64_t b, uint64_t percent)
{
	uint64_t apart = a > b ? a - b : b - a;
	return apart * 100 <= b * percent;
}

static void compare(const struct load *l)
{
	static struct outcome fast, plain;
	static struct ref ref;
	struct rig g = {0};
	struct pl_fault f = {0};
	pl_conf_init(&g.conf);
	pl_conf_declare(&g.conf, "sim_ssd", ssd_opts);
	for (const char *const *s = l->settings; s && *s; s += 2)
		assert_int_equal(pl_conf_set(&g.conf, s[0], s[1], &f), PL_OK);
	struct dev_args a = {
		.conf = &g.conf, .seed = 3, .capacity_bytes = 52428ull * B, .block_bytes = B, .contentless = true};
	if (dev_open(&dev_sim_ssd, &a, &g.dev, &f))
		fail_msg("%s", f.text);
	struct sim_ssd *s = ssd_of(g.dev);
	ref_open(&ref, s);
	run(l, g.dev, NULL, &fast);
	run(l, g.dev, &ref, &plain);
	print_message("%-34s %6.1f k/s, reference %6.1f", l->name, REQUESTS * 1e6 / (double)fast.end_ns,
		REQUESTS * 1e6 / (double)plain.end_ns);
	for (int k = 0; k < 2; k++)
		print_message("; %s p50 %" PRIu64 " p99 %" PRIu64 " p99.9 %" PRIu64 " us", k ? "reads" : "writes",
			pl_hist_quantile(&fast.hist[k], 5000) / 1000, pl_hist_quantile(&fast.hist[k], 9900) / 1000,
			pl_hist_quantile(&fast.hist[k], 9990) / 1000);
	print_message("; moved %" PRIu64 ", suspended %" PRIu64 "\n", s->ftl.counts.moved_pages, s->time.suspensions);
	assert_true(near(fast.end_ns, plain.end_ns, 5));
	for (int k = 0; k < 2; k++) {
		static const uint32_t permyriad[] = {5000, 9900, 9990};
		for (size_t q = 0; q < PL_COUNT(permyriad); q++)
			assert_true(near(pl_hist_quantile(&fast.hist[k], permyriad[q]),
				pl_hist_quantile(&plain.hist[k], permyriad[q]), 10));
	}
	/* and, the model being the same, to the nanosecond */
	for (uint32_t i = 0; i < REQUESTS; i++)
		if (fast.done_ns[i] != plain.done_ns[i])
			fail_msg("request %u of %s: %" PRIu64 " ns, in the reference %" PRIu64, i, l->name,
				fast.done_ns[i], plain.done_ns[i]);
	assert_int_equal(s->time.suspensions, ref.suspensions);
	assert_int_equal(s->ftl.counts.moved_pages, ref.moved_pages);
	assert_int_equal(s->ftl.counts.host_pages, ref.host_pages);
	ref_close(&ref);
	dev_close(g.dev);
	pl_conf_free(&g.conf);
}

#define SMALL_BLOCKS                                                                                                   \
	"sim_ssd.pages_per_block", "4", "sim_ssd.fit", "exact", "sim_ssd.op_permille", "250", "sim_ssd.precondition",  \
		"randfill"

static void ssd_reference_agrees(void **state)
{
	(void)state;
	static const char *const usual[] = {SMALL_BLOCKS, NULL};
	static const char *const small_buffer[] = {SMALL_BLOCKS, "sim_ssd.write_buffer_pages", "12", NULL};
	static const char *const first[] = {SMALL_BLOCKS, "sim_ssd.read_priority", "1", NULL};
	static const char *const suspend[] = {SMALL_BLOCKS, "sim_ssd.read_priority", "1", "sim_ssd.suspend", "both",
		"sim_ssd.suspend_limit", "3", NULL};
	static const char *const tlc[] = {"sim_ssd.channels", "4", "sim_ssd.dies_per_channel", "2", "sim_ssd.cell",
		"tlc", "sim_ssd.program_mode", "oneshot", "sim_ssd.pages_per_block", "12", "sim_ssd.program_ns",
		"1400us", "sim_ssd.read_2_ns", "60us", "sim_ssd.read_3_ns", "80us", "sim_ssd.fit", "exact",
		"sim_ssd.op_permille", "300", "sim_ssd.precondition", "randfill", NULL};
	static const char *const mlc[] = {"sim_ssd.channels", "3", "sim_ssd.dies_per_channel", "3", "sim_ssd.planes",
		"1", "sim_ssd.cell", "mlc", "sim_ssd.program_2_ns", "900us", "sim_ssd.read_2_ns", "60us", "sim_ssd.fit",
		"exact", "sim_ssd.op_permille", "250", "sim_ssd.precondition", "randfill", "sim_ssd.link_bytes_per_s",
		"900000000", NULL};
	static const char *const slc[] = {"sim_ssd.channels", "4", "sim_ssd.dies_per_channel", "2", "sim_ssd.cell",
		"tlc", "sim_ssd.pages_per_block", "12", "sim_ssd.slc_permille", "100", "sim_ssd.program_ns", "900us",
		"sim_ssd.fit", "exact", "sim_ssd.op_permille", "500", "sim_ssd.precondition", "seqfill",
		"sim_ssd.streams", "2", NULL};
	static const char *const slc_idle[] = {"sim_ssd.channels", "4", "sim_ssd.dies_per_channel", "2", "sim_ssd.cell",
		"tlc", "sim_ssd.pages_per_block", "12", "sim_ssd.slc_permille", "100", "sim_ssd.slc_fold", "idle",
		"sim_ssd.slc_idle_ns", "20us", "sim_ssd.op_permille", "500", "sim_ssd.fit", "exact", NULL};
	static const char *const slc_tight[] = {"sim_ssd.channels", "1", "sim_ssd.dies_per_channel", "2",
		"sim_ssd.planes", "1", "sim_ssd.cell", "tlc", "sim_ssd.pages_per_block", "9", "sim_ssd.slc_permille",
		"100", "sim_ssd.op_permille", "250", "sim_ssd.gc_low_superblocks", "2", "sim_ssd.collect", "fifo",
		"sim_ssd.fit", "exact", "sim_ssd.precondition", "seqfill", "sim_ssd.streams", "3", NULL};
	static const char *const four_streams[] = {SMALL_BLOCKS, "sim_ssd.streams", "4", "sim_ssd.gc_stream", "stream",
		"sim_ssd.collect", "costbenefit", "sim_ssd.write_buffer_pages", "40", NULL};
	static const char *const shared_head[] = {
		SMALL_BLOCKS, "sim_ssd.gc_stream", "shared", "sim_ssd.collect", "fifo", NULL};
	static const char *const full[] = {
		SMALL_BLOCKS, "sim_ssd.precondition", "seqfill", "sim_ssd.collect", "fifo", NULL};
	static const struct load loads[] = {
		{"writes, depth 8", 8, 0, 1, usual, false},
		{"writes, depth 32", 32, 0, 1, usual, false},
		{"half reads, depth 32", 32, 50, 1, usual, false},
		{"reads, depth 32", 32, 100, 1, usual, false},
		{"of 1 to 24 blocks, syncs, punches", 24, 60, 24, usual, false},
		{"small buffer", 32, 30, 3, small_buffer, false},
		{"reads first", 32, 60, 1, first, false},
		{"suspension", 32, 70, 1, suspend, false},
		{"suspension, large", 48, 70, 24, suspend, false},
		{"TLC one-shot", 32, 50, 1, tlc, false},
		{"TLC one-shot, large", 16, 50, 40, tlc, false},
		{"MLC, 9 dies, link", 32, 50, 5, mlc, false},
		{"pSLC cache", 32, 30, 1, slc, false},
		{"pSLC cache, large", 8, 20, 16, slc, false},
		{"pSLC cache, folded in idle time", 1, 30, 40, slc_idle, false},
		{"pSLC cache, little spare", 32, 0, 2, slc_tight, false},
		{"four streams, cost-benefit", 32, 30, 2, four_streams, false},
		{"shared head, oldest first", 32, 30, 2, shared_head, false},
		{"oldest first, hot blocks", 32, 30, 2, full, true},
	};
	for (size_t i = 0; i < PL_COUNT(loads); i++)
		compare(&loads[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"device.sim_ssd.reference_agrees", ssd_reference_agrees, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("sim_ssd_reference", tests, NULL, NULL);
}
