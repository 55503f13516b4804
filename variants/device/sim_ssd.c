/* sim_ssd.c - a conventional flash SSD: page-mapped translation layer, greedy collection, dies and channels in time.
 *
 * Models the common textbook drive (superblocks as FEMU's and NVMeVirt's "lines", separate host and collection streams,
 * a write buffer with early acknowledgement). A flash page is one block of block_bytes.
 *
 *   logical page --map--> physical page p = super * super_pages + unit * program_pages + offset
 *   die of p     = unit % dies           channel of a die = die % channels
 *   superblock   = the erase blocks of one index on every die: dies * pages_per_block pages, written unit by unit
 *                  around the dies, collected and erased as one
 *
 * Two layers. The translation layer (map, valid bits, heads, victims) decides at the moment a page enters the write
 * buffer and never looks at the clock; the timing layer plays the operations it caused through dies and channels, which
 * are FIFO servers, in a true event simulation: nothing is reserved for an operation whose inputs are not ready.
 *
 *   write    wait for room in the buffer (FIFO) -> map, acknowledge after write_command_ns -> when the program unit is
 *            full or a sync comes: die, channel (transfer_ns a page), program_ns -> room in the buffer
 *   read     of a page in the buffer or never written: read_command_ns. Else per run of pages in one unit: die,
 *            read_ns, channel (transfer_ns a page), both held until then; read_command_ns once at the end
 *   collect  per unit of the victim: one read of its valid pages; the program that takes them waits for that read;
 *            after the last unit, and when no program to the victim is under way, an erase on every die
 *   sync     closes the partial unit, completes when every page admitted before it is programmed
 *
 * Collection starts when no more than gc_low_superblocks are free and is paced by the pages the host writes: a victim
 * with v of S pages valid moves v/(S-v) pages for each of them. The host leaves the last free superblock to collection.
 *
 * Invariants:
 *  1. map and lpn_of are inverse on valid pages: valid(p) <=> map[lpn_of[p]] == p. super.valid counts the valid bits.
 *  2. A superblock is free, open (under a head), closed, the victim, or dying (moved, waits for programs under way).
 *     At most one is the victim or dying.
 *  3. media writes = host pages admitted + pages moved. A sync programs what is there and pads nothing.
 *  4. A page has its in_ram bit from its mapping until its program is done; such a page is read from memory.
 *  5. Every operation on a die has exactly one event or waits for the channel: at most one event a die.
 *  6. Content is kept apart: captured and answered at submission, never moved by collection.
 *  7. Polling does not change anything: a submission at t first plays all events up to t.
 *
 * Cost: 2 heap operations an event over at most `dies` entries; a program or read is 2 events, an erase 1. A victim
 * costs a scan of all superblocks. Memory: 4.25 B a physical page, 4 B a logical page, and the content.
 *
 * Small devices. fit=shrink halves pages_per_block down to program_pages, then dies_per_channel and channels down to 1,
 * then program_pages, until 16 superblocks are spare (else the open and free ones eat the over-provisioning). The
 * erase time shrinks with the block, the program time with the unit: the time for each page stays. fit=exact refuses.
 * The options and this arithmetic are in sim_ssd_options.c.
 *
 * Left out: planes (folded into the program unit: 8 pages of 4 KiB are one 32 KiB multi-plane program), read priority,
 * suspension of programs and erases, retries and wear, wear levelling, padding of partial units (so a sync is a little
 * too cheap in space), idle-time collection and flushing, rewriting a page while it is still in the buffer, map
 * pages on flash (the map is free), the host link, a limit of commands a second. The buffer and what collection has
 * read are taken to survive a power cut only as far as the contract's sync says. */
#include "engine/base/rng.h"
#include "engine/store/content.h"
#include "variants/device/sim_ssd_options.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

extern const struct dev_ops dev_sim_ssd;

#define NONE UINT32_MAX

enum super_state { SUPER_FREE, SUPER_OPEN, SUPER_CLOSED, SUPER_VICTIM, SUPER_DYING };

struct super {
	uint32_t valid; /* pages */
	uint32_t programs; /* operations made for it and not yet done */
	enum super_state state;
};

struct head { /* where a stream writes: pages [at, end) of an open superblock */
	uint32_t at, end;
	uint32_t op; /* the program unit being filled, NONE between units */
};

enum op_kind { OP_READ, OP_PROGRAM, OP_ERASE };

struct op {
	enum op_kind kind;
	uint32_t die, pages;
	uint32_t next; /* in a server's queue or the free list */
	bool transferred; /* the channel part is over or under way */
	struct dev_req *req; /* host read, or NULL */
	/* program */
	uint32_t first; /* physical page */
	uint32_t host_pages; /* of the pages, those that hold room in the buffer */
	uint32_t missing; /* inputs not ready: reads, and 1 while being filled */
	uint64_t epoch; /* syncs submitted before the first host page */
	/* collection's read: the programs that wait for it (pages of one unit spread over two at most) */
	uint32_t feeds[2];
};

struct server { /* FIFO */
	uint32_t current, first, last;
};

struct list { /* of requests */
	struct dev_req *first, **last;
};

struct sim_ssd {
	struct dev dev; /* first: a struct dev * is a struct sim_ssd * */
	struct dev_content content;
	struct ssd_geometry g;
	struct ssd_times times;
	bool timed; /* false: preconditioning and poke, no operations and no counts */

	/* translation */
	uint32_t *map; /* logical -> physical, NONE: unmapped */
	uint32_t *lpn_of; /* physical -> logical, stale where not valid */
	uint64_t *valid, *in_ram; /* bit per physical page */
	struct super *super;
	uint32_t *free_ring; /* erased, oldest first */
	uint32_t free_first, free_count, gc_low;
	struct head host, gc, *gc_head; /* gc_head: &gc, or &host when the streams are shared */
	uint32_t victim, victim_cursor, victim_gain, victim_valid, dying;
	int64_t credit; /* pages of collection owed, times victim_gain */

	/* timing */
	uint64_t now_ns, submissions, event_count;
	struct dev_heap events, done;
	struct op *ops;
	uint32_t ops_room, free_op;
	struct server *die, *channel;
	uint32_t buffer_pages, buffer_used;
	struct list waiting; /* writes and punches that wait for the buffer */
	struct list syncs; /* scratch counts the programs each waits for */
	uint64_t epoch, first_sync_epoch;
	uint64_t epoch_programs; /* host programs of the current epoch, not yet done */
	uint64_t inflight;
};

static struct sim_ssd *ssd_of(struct dev *d)
{
	return (struct sim_ssd *)(void *)d;
}

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

static bool bit_get(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}
static void bit_set(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= (uint64_t)1 << (i % 64);
}
static void bit_clear(uint64_t *bits, uint32_t i)
{
	bits[i / 64] &= ~((uint64_t)1 << (i % 64));
}

static void complete(struct sim_ssd *s, struct dev_req *r, uint64_t done_ns)
{
	r->done_ns = done_ns;
	dev_heap_push(&s->done, done_ns, r->scratch >> 24, (uint64_t)(uintptr_t)r);
}

/* ---- timing: operations, dies, channels ---- */

/* Reserved in submit and grown here when collection runs far ahead of the dies; running out of memory in the middle of
 * a simulated instant cannot be reported to anybody. */
static void ops_grow(struct sim_ssd *s)
{
	uint32_t room = s->ops_room ? s->ops_room * 2 : 1024;
	struct op *ops = realloc(s->ops, room * sizeof *ops);
	if (!ops)
		abort();
	for (uint32_t i = s->ops_room; i < room; i++)
		ops[i].next = i + 1 < room ? i + 1 : NONE;
	s->free_op = s->ops_room;
	s->ops = ops;
	s->ops_room = room;
}

static uint32_t op_new(struct sim_ssd *s, enum op_kind kind, uint32_t die)
{
	if (s->free_op == NONE)
		ops_grow(s);
	uint32_t id = s->free_op;
	s->free_op = s->ops[id].next;
	s->ops[id] = (struct op){.kind = kind, .die = die, .next = NONE, .feeds = {NONE, NONE}};
	return id;
}

static void op_free(struct sim_ssd *s, uint32_t id)
{
	s->ops[id].next = s->free_op;
	s->free_op = id;
}

static void op_due(struct sim_ssd *s, uint32_t id, uint64_t after_ns)
{
	dev_heap_push(&s->events, s->now_ns + after_ns, s->event_count++, id);
}

/* True if the server is idle and takes the operation now; else it queues. */
static bool server_enter(struct sim_ssd *s, struct server *v, uint32_t id)
{
	if (v->current == NONE) {
		v->current = id;
		return true;
	}
	if (v->first == NONE)
		v->first = id;
	else
		s->ops[v->last].next = id;
	v->last = id;
	s->ops[id].next = NONE;
	return false;
}

/* The operation that the server takes next, or NONE. */
static uint32_t server_leave(struct sim_ssd *s, struct server *v)
{
	uint32_t id = v->first;
	v->current = id;
	if (id != NONE)
		v->first = s->ops[id].next;
	return id;
}

static struct server *channel_of(struct sim_ssd *s, uint32_t id)
{
	return &s->channel[s->ops[id].die % s->g.channels];
}

static void channel_start(struct sim_ssd *s, uint32_t id)
{
	s->ops[id].transferred = true;
	s->dev.stats.busy_ns += s->ops[id].pages * s->times.transfer_ns;
	op_due(s, id, s->ops[id].pages * s->times.transfer_ns);
}

static void channel_enter(struct sim_ssd *s, uint32_t id)
{
	if (server_enter(s, channel_of(s, id), id))
		channel_start(s, id);
}

static void channel_leave(struct sim_ssd *s, uint32_t id)
{
	uint32_t next = server_leave(s, channel_of(s, id));
	if (next != NONE)
		channel_start(s, next);
}

/* The cells of a die work: read, program or erase. */
static void cells_start(struct sim_ssd *s, uint32_t id)
{
	const uint64_t of_kind[] = {
		[OP_READ] = s->times.read_ns,
		[OP_PROGRAM] = s->times.program_ns,
		[OP_ERASE] = s->times.erase_ns,
	};
	uint64_t ns = of_kind[s->ops[id].kind];
	s->dev.stats.busy_ns += ns;
	op_due(s, id, ns);
}

static void die_start(struct sim_ssd *s, uint32_t id)
{
	if (s->ops[id].kind == OP_PROGRAM)
		channel_enter(s, id);
	else
		cells_start(s, id);
}

static void die_enter(struct sim_ssd *s, uint32_t id)
{
	if (server_enter(s, &s->die[s->ops[id].die], id))
		die_start(s, id);
}

static void die_leave(struct sim_ssd *s, uint32_t id)
{
	uint32_t next = server_leave(s, &s->die[s->ops[id].die]);
	if (next != NONE)
		die_start(s, next);
}

static void op_input_ready(struct sim_ssd *s, uint32_t id)
{
	assert(s->ops[id].missing > 0);
	if (--s->ops[id].missing == 0)
		die_enter(s, id);
}

/* ---- translation: superblocks, heads, collection ---- */

static uint32_t die_of(const struct sim_ssd *s, uint32_t page)
{
	return page / s->g.unit_pages % s->g.dies; /* super_pages is a multiple of unit_pages * dies */
}

static void super_free(struct sim_ssd *s, uint32_t super)
{
	assert(s->super[super].valid == 0);
	s->super[super].state = SUPER_FREE;
	s->free_ring[(s->free_first + s->free_count++) % s->g.supers] = super;
}

static void super_erase(struct sim_ssd *s, uint32_t super)
{
	if (s->timed) {
		for (uint32_t d = 0; d < s->g.dies; d++)
			die_enter(s, op_new(s, OP_ERASE, d));
		s->dev.stats.erases += s->g.dies;
	}
	super_free(s, super);
}

static void head_open(struct sim_ssd *s, struct head *h)
{
	assert(s->free_count > 0 && h->op == NONE);
	if (h->end)
		s->super[(h->end - 1) / s->g.super_pages].state = SUPER_CLOSED;
	uint32_t super = s->free_ring[s->free_first];
	s->free_first = (s->free_first + 1) % s->g.supers;
	s->free_count--;
	s->super[super].state = SUPER_OPEN;
	h->at = super * s->g.super_pages;
	h->end = h->at + s->g.super_pages;
}

/* The unit being filled goes to its die as soon as its inputs are ready. */
static void head_seal(struct sim_ssd *s, struct head *h)
{
	if (h->op == NONE)
		return;
	uint32_t id = h->op;
	h->op = NONE;
	op_input_ready(s, id);
}

static uint32_t head_unit(struct sim_ssd *s, struct head *h)
{
	if (h->op == NONE) {
		h->op = op_new(s, OP_PROGRAM, die_of(s, h->at));
		s->ops[h->op].first = h->at;
		s->ops[h->op].missing = 1;
		s->super[h->at / s->g.super_pages].programs++;
	}
	return h->op;
}

static void page_unmap(struct sim_ssd *s, uint32_t lpn)
{
	uint32_t page = s->map[lpn];
	if (page == NONE)
		return;
	bit_clear(s->valid, page);
	s->super[page / s->g.super_pages].valid--;
	s->map[lpn] = NONE;
}

/* Map lpn to the next page of the head, which has one. source: the read that brings it, NONE for a page of the host. */
static void page_put(struct sim_ssd *s, struct head *h, uint32_t lpn, uint32_t source)
{
	uint32_t page = h->at;
	assert(page < h->end);
	page_unmap(s, lpn);
	s->map[lpn] = page;
	s->lpn_of[page] = lpn;
	bit_set(s->valid, page);
	s->super[page / s->g.super_pages].valid++;
	if (!s->timed) {
		bit_clear(s->in_ram, page);
		h->at++;
		return;
	}
	bit_set(s->in_ram, page);
	uint32_t id = head_unit(s, h);
	struct op *o = &s->ops[id], *read = source == NONE ? NULL : &s->ops[source];
	o->pages++;
	s->dev.stats.media_write_bytes += s->dev.caps.block_bytes;
	if (read && read->feeds[0] != id && read->feeds[1] != id) {
		assert(read->feeds[1] == NONE);
		read->feeds[read->feeds[0] != NONE] = id;
		o->missing++;
	}
	if (!read && o->host_pages++ == 0) {
		o->epoch = s->epoch;
		s->epoch_programs++;
	}
	if (++h->at % s->g.unit_pages == 0)
		head_seal(s, h);
}

/* Greedy: the closed superblock with the fewest valid pages, the lowest of equals. False: none can be gained from
 * now. */
static bool victim_pick(struct sim_ssd *s)
{
	uint32_t best = NONE, least = s->g.super_pages;
	if (s->dying != NONE)
		return false;
	for (uint32_t i = 0; i < s->g.supers && least > 0; i++)
		if (s->super[i].state == SUPER_CLOSED && s->super[i].valid < least) {
			least = s->super[i].valid;
			best = i;
		}
	assert(best != NONE); /* the spare beyond gc_low guarantees it */
	s->victim = best;
	s->victim_cursor = 0;
	s->victim_valid = least;
	s->victim_gain = s->g.super_pages - least;
	s->super[best].state = SUPER_VICTIM;
	s->credit = 0;
	return true;
}

static void victim_done(struct sim_ssd *s)
{
	uint32_t super = s->victim;
	s->victim = NONE;
	if (s->timed && s->super[super].programs) {
		s->super[super].state = SUPER_DYING;
		s->dying = super;
	} else {
		super_erase(s, super);
	}
}

/* Move the victim's next unit. False: the head needs a superblock and none is free until the dying one is erased. */
static bool collect_unit(struct sim_ssd *s)
{
	uint32_t first = s->victim * s->g.super_pages + s->victim_cursor, n = 0;
	struct head *h = s->gc_head;
	for (uint32_t i = 0; i < s->g.unit_pages; i++)
		n += bit_get(s->valid, first + i);
	if (n > h->end - h->at && !s->free_count)
		return false;
	uint32_t read = NONE;
	if (n && s->timed) {
		read = op_new(s, OP_READ, die_of(s, first));
		s->ops[read].pages = n;
		s->dev.stats.media_read_bytes += (uint64_t)n * s->dev.caps.block_bytes;
		s->dev.stats.media_moved_bytes += (uint64_t)n * s->dev.caps.block_bytes;
	}
	for (uint32_t i = 0; n && i < s->g.unit_pages; i++) {
		if (!bit_get(s->valid, first + i))
			continue;
		if (h->at == h->end)
			head_open(s, h);
		page_put(s, h, s->lpn_of[first + i], read);
	}
	if (read != NONE)
		die_enter(s, read);
	s->credit -= (int64_t)n * s->victim_gain;
	s->victim_cursor += s->g.unit_pages;
	if (s->victim_cursor == s->g.super_pages)
		victim_done(s);
	return true;
}

/* Called for each page of the host, before it is put. */
static void collect_paced(struct sim_ssd *s)
{
	if (s->victim == NONE && (s->free_count > s->gc_low || !victim_pick(s)))
		return;
	s->credit += s->victim_valid;
	while (s->victim != NONE && s->credit >= 0 && collect_unit(s))
		;
}

/* May the host take the next page of its head? Of a shared head only what the victim's rest does not need: else that
 * rest would have nowhere to go, and nothing would ever be free again. */
static bool host_may_put(const struct sim_ssd *s)
{
	uint64_t room = s->host.end - s->host.at;
	if (room == 0 || s->gc_head != &s->host || s->victim == NONE)
		return room != 0;
	return room - 1 + (uint64_t)s->free_count * s->g.super_pages >= s->super[s->victim].valid;
}

/* Make room for a page of the host. False: wait for the dying superblock. */
static bool host_room(struct sim_ssd *s)
{
	while (!host_may_put(s)) {
		if (s->host.at == s->host.end && s->free_count >= 2)
			head_open(s, &s->host);
		else if ((s->victim == NONE && !victim_pick(s)) || !collect_unit(s))
			return false;
	}
	return true;
}

static bool host_put(struct sim_ssd *s, uint32_t lpn)
{
	if (!host_room(s))
		return false;
	collect_paced(s);
	if (!host_room(s)) /* shared streams: collection may have filled the head */
		return false;
	page_put(s, &s->host, lpn, NONE);
	return true;
}

/* ---- the write buffer, syncs, events ---- */

/* Let waiting writes into the buffer, in order, as far as there is room. */
static void admit(struct sim_ssd *s)
{
	struct dev_req *r;
	while ((r = s->waiting.first)) {
		for (; r->op == DEV_WRITE && req_parts(r) < r->blocks; r->scratch++, s->buffer_used++)
			if (s->buffer_used == s->buffer_pages || !host_put(s, (uint32_t)(r->block + req_parts(r))))
				return;
		for (uint32_t i = 0; r->op == DEV_PUNCH && i < r->blocks; i++)
			page_unmap(s, (uint32_t)r->block + i);
		list_take(&s->waiting);
		complete(s, r, s->now_ns + s->times.write_command_ns);
	}
}

static void syncs_done(struct sim_ssd *s)
{
	while (s->syncs.first && req_parts(s->syncs.first) == 0) {
		complete(s, list_take(&s->syncs), s->now_ns + s->times.write_command_ns);
		s->first_sync_epoch++;
	}
}

static void program_done(struct sim_ssd *s, uint32_t id)
{
	struct op *o = &s->ops[id];
	uint32_t super = o->first / s->g.super_pages;
	for (uint32_t i = 0; i < o->pages; i++)
		bit_clear(s->in_ram, o->first + i);
	s->buffer_used -= o->host_pages;
	if (o->host_pages && o->epoch == s->epoch) {
		s->epoch_programs--;
	} else if (o->host_pages) {
		struct dev_req *sync = s->syncs.first;
		for (uint64_t e = s->first_sync_epoch; e < o->epoch; e++)
			sync = sync->next;
		sync->scratch--;
	}
	op_free(s, id);
	if (--s->super[super].programs == 0 && s->dying == super) {
		s->dying = NONE;
		super_erase(s, super);
	}
	syncs_done(s);
	admit(s);
}

static void read_done(struct sim_ssd *s, uint32_t id)
{
	struct op o = s->ops[id];
	op_free(s, id);
	for (int i = 0; i < 2 && o.feeds[i] != NONE; i++)
		op_input_ready(s, o.feeds[i]);
	if (o.req && req_parts(o.req) == 1)
		complete(s, o.req, s->now_ns + s->times.read_command_ns);
	if (o.req)
		o.req->scratch--;
}

static void event(struct sim_ssd *s, uint32_t id)
{
	struct op *o = &s->ops[id];
	switch (o->kind) {
	case OP_READ:
		if (!o->transferred) {
			channel_enter(s, id);
		} else {
			channel_leave(s, id);
			die_leave(s, id);
			read_done(s, id);
		}
		break;
	case OP_PROGRAM:
		if (o->transferred) {
			o->transferred = false;
			channel_leave(s, id);
			cells_start(s, id);
		} else {
			die_leave(s, id);
			program_done(s, id);
		}
		break;
	case OP_ERASE:
		die_leave(s, id);
		op_free(s, id);
		break;
	}
}

static void advance(struct sim_ssd *s, uint64_t now_ns)
{
	assert(now_ns >= s->now_ns);
	while (s->events.n && s->events.due[0].at <= now_ns) {
		struct dev_due due = dev_heap_pop(&s->events);
		s->now_ns = due.at;
		event(s, (uint32_t)due.item);
	}
	s->now_ns = now_ns;
}

/* ---- requests ---- */

/* One read operation for each run of pages that lie in one program unit. */
static void submit_read(struct sim_ssd *s, struct dev_req *r)
{
	dev_content_read(&s->content, r->block, r->blocks, r->buf);
	uint32_t unit = NONE, id = NONE;
	for (uint32_t i = 0; i < r->blocks; i++) {
		uint32_t page = s->map[r->block + i];
		if (page == NONE || bit_get(s->in_ram, page)) {
			unit = NONE;
			continue;
		}
		if (unit != page / s->g.unit_pages) {
			if (id != NONE)
				die_enter(s, id);
			unit = page / s->g.unit_pages;
			id = op_new(s, OP_READ, die_of(s, page));
			s->ops[id].req = r;
			r->scratch++;
		}
		s->ops[id].pages++;
		s->dev.stats.media_read_bytes += s->dev.caps.block_bytes;
	}
	if (id != NONE)
		die_enter(s, id);
	else
		complete(s, r, s->now_ns + s->times.read_command_ns);
}

static void submit_sync(struct sim_ssd *s, struct dev_req *r)
{
	head_seal(s, &s->host);
	if (!s->syncs.first)
		s->first_sync_epoch = s->epoch;
	s->epoch++;
	r->scratch += s->epoch_programs;
	s->epoch_programs = 0;
	list_add(&s->syncs, r);
	syncs_done(s);
}

static int ssd_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct sim_ssd *s = ssd_of(d);
	int err = dev_req_check(&d->caps, r);
	if (!err)
		err = dev_heap_reserve(&s->done, s->inflight + 1);
	if (err)
		return err;
	advance(s, now_ns);
	s->inflight++;
	dev_req_count(&d->stats, &d->caps, r);
	r->status = PL_OK;
	r->submit_ns = now_ns;
	r->scratch = s->submissions++ << 24;
	if (r->op == DEV_READ) {
		submit_read(s, r);
	} else if (r->op == DEV_SYNC) {
		submit_sync(s, r);
	} else {
		if (r->op == DEV_PUNCH)
			dev_content_punch(&s->content, r->block, r->blocks);
		else
			r->status = dev_content_write(&s->content, r->block, r->blocks, r->buf);
		bool first = !s->waiting.first;
		list_add(&s->waiting, r);
		if (first)
			admit(s);
	}
	return PL_OK;
}

static struct dev_req *ssd_poll(struct dev *d, uint64_t now_ns)
{
	struct sim_ssd *s = ssd_of(d);
	advance(s, now_ns);
	if (dev_heap_next_ns(&s->done) > now_ns)
		return NULL;
	s->inflight--;
	return (struct dev_req *)(uintptr_t)dev_heap_pop(&s->done).item;
}

static uint64_t ssd_next_ns(struct dev *d)
{
	struct sim_ssd *s = ssd_of(d);
	if (!s->inflight)
		return PL_NS_NEVER;
	uint64_t next_ns = pl_min64(dev_heap_next_ns(&s->done), dev_heap_next_ns(&s->events));
	assert(next_ns != PL_NS_NEVER);
	return next_ns;
}

static void ssd_stats(struct dev *d, struct dev_stats *out)
{
	*out = d->stats;
	out->stored_bytes = ssd_of(d)->content.stored_blocks * d->caps.block_bytes;
}

static int ssd_peek(struct dev *d, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	dev_content_read(&ssd_of(d)->content, block, blocks, buf);
	return PL_OK;
}

static void put_untimed(struct sim_ssd *s, uint32_t lpn)
{
	bool put = host_put(s, lpn);
	assert(put); /* untimed, nothing ever waits for a program */
	(void)put;
}

static int ssd_poke(struct dev *d, uint64_t block, uint32_t blocks, const uint8_t *buf)
{
	struct sim_ssd *s = ssd_of(d);
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	if (!buf) {
		dev_content_punch(&s->content, block, blocks);
		for (uint32_t i = 0; i < blocks; i++)
			page_unmap(s, (uint32_t)block + i);
		return PL_OK;
	}
	head_seal(s, &s->host);
	head_seal(s, s->gc_head);
	s->timed = false;
	if (s->dying != NONE) {
		super_erase(s, s->dying);
		s->dying = NONE;
	}
	for (uint32_t i = 0; i < blocks; i++)
		put_untimed(s, (uint32_t)block + i);
	s->timed = true;
	return dev_content_write(&s->content, block, blocks, buf);
}

/* ---- opening ---- */

static void ssd_close(struct dev *d)
{
	struct sim_ssd *s = ssd_of(d);
	dev_content_deinit(&s->content);
	dev_heap_deinit(&s->events);
	dev_heap_deinit(&s->done);
	free(s->map);
	free(s->lpn_of);
	free(s->valid);
	free(s->in_ram);
	free(s->super);
	free(s->free_ring);
	free(s->ops);
	free(s->die);
	free(s->channel);
	free(s);
}

static int ssd_alloc(struct sim_ssd *s)
{
	const struct ssd_geometry *g = &s->g;
	size_t pages = (size_t)g->supers * g->super_pages, words = pl_div_up(pages, 64);
	int err = dev_content_init(&s->content, s->dev.caps.block_bytes, g->logical_pages);
	if (!err)
		err = dev_heap_reserve(&s->events, g->dies);
	s->map = malloc(g->logical_pages * sizeof *s->map);
	s->lpn_of = calloc(pages, sizeof *s->lpn_of);
	s->valid = calloc(words, sizeof *s->valid);
	s->in_ram = calloc(words, sizeof *s->in_ram);
	s->super = calloc(g->supers, sizeof *s->super);
	s->free_ring = calloc(g->supers, sizeof *s->free_ring);
	s->die = calloc(g->dies, sizeof *s->die);
	s->channel = calloc(g->channels, sizeof *s->channel);
	if (err || !s->map || !s->lpn_of || !s->valid || !s->in_ram || !s->super || !s->free_ring || !s->die ||
		!s->channel)
		return PL_NOMEM;
	for (uint64_t i = 0; i < g->logical_pages; i++)
		s->map[i] = NONE;
	for (uint32_t i = 0; i < g->supers; i++)
		super_free(s, i);
	for (uint32_t i = 0; i < g->dies; i++)
		s->die[i] = (struct server){NONE, NONE, NONE};
	for (uint32_t i = 0; i < g->channels; i++)
		s->channel[i] = (struct server){NONE, NONE, NONE};
	ops_grow(s);
	return PL_OK;
}

static void ssd_precondition(struct sim_ssd *s, enum ssd_age age, uint64_t seed)
{
	struct pl_rng rng;
	pl_rng_seed(&rng, seed, 0x73736400 /* "ssd" */);
	for (uint32_t i = 0; age != SSD_FRESH && i < s->g.logical_pages; i++)
		put_untimed(s, i);
	for (uint64_t i = 0; age == SSD_RANDFILL && i < 2 * s->g.logical_pages; i++)
		put_untimed(s, (uint32_t)pl_rng_below(&rng, s->g.logical_pages));
}

static int ssd_open(const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	int err = dev_args_check("sim_ssd", a, f);
	if (err)
		return err;
	struct ssd_options o;
	err = ssd_options_read(&o, a, f);
	if (err)
		return err;
	struct sim_ssd *s = calloc(1, sizeof *s);
	if (!s)
		return pl_fault_set(f, PL_NOMEM, "device sim_ssd: out of memory");
	s->g = o.geometry;
	s->times = o.times;
	s->gc_low = o.gc_low;
	s->buffer_pages = o.buffer_pages;
	s->gc_head = o.gc_shared ? &s->host : &s->gc;
	s->dev.ops = &dev_sim_ssd;
	s->dev.caps = (struct dev_caps){
		.block_bytes = a->block_bytes,
		.capacity_blocks = s->g.logical_pages,
		.atomic_blocks = o.atomic_blocks,
		.punch = true,
		.punch_blocks = 1,
		.simulated = true,
	};
	list_init(&s->waiting);
	list_init(&s->syncs);
	s->free_op = s->victim = s->dying = NONE;
	s->host.op = s->gc.op = NONE;
	err = ssd_alloc(s);
	if (err) {
		ssd_close(&s->dev);
		return pl_fault_set(
			f, err, "device sim_ssd: no memory for a map of %" PRIu64 " pages", o.geometry.physical_pages);
	}
	ssd_precondition(s, o.age, a->seed);
	s->timed = true;
	*out = &s->dev;
	return PL_OK;
}

const struct dev_ops dev_sim_ssd = {
	.name = "sim_ssd",
	.summary = "simulated flash SSD: page map, greedy collection, dies and channels as an event simulation",
	.opts = ssd_opts,
	.open = ssd_open,
	.close = ssd_close,
	.submit = ssd_submit,
	.poll = ssd_poll,
	.next_ns = ssd_next_ns,
	.stats = ssd_stats,
	.peek = ssd_peek,
	.poke = ssd_poke,
};
