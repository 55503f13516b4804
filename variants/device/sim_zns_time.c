#include "variants/device/sim_zns_time.h"

#include <assert.h>
#include <stdlib.h>

#define ERASE_STARVES_NS 10000000u
#define ERASE_SLICE_NS 1000000u

enum event { EVENT_DIE, EVENT_ERASE, EVENT_READY, EVENT_HEAD, EVENT_RESET, EVENT_PAD };
#define EVENT_SHIFT 56 /* beneath: die, job or zone */

static void event_push(struct sim_zns *s, uint64_t at_ns, enum event kind, uint64_t id)
{
	dev_heap_push(&s->events, at_ns, s->event_count++, (uint64_t)kind << EVENT_SHIFT | id);
}

void zns_complete(struct sim_zns *s, struct dev_req *r, uint64_t done_ns)
{
	r->done_ns = done_ns;
	dev_heap_push(&s->done, done_ns, r->scratch >> 24, (uint64_t)(uintptr_t)r);
}

/* ---- jobs ---- */

int zns_jobs_reserve(struct sim_zns *s, uint64_t n)
{
	uint64_t want = s->jobs_live + s->jobs_promised + n, room = s->jobs_room ? s->jobs_room : 64;
	if (want <= s->jobs_room)
		return PL_OK;
	while (room < want)
		room *= 2;
	if (room > ZNS_NONE - 1)
		return PL_NOMEM;
	struct zns_job *job = realloc(s->job, room * sizeof *job);
	if (!job)
		return PL_NOMEM;
	s->job = job;
	s->jobs_room = (uint32_t)room;
	return PL_OK;
}

static uint32_t job_new(struct sim_zns *s, struct zns_job what)
{
	uint32_t id = s->free_job;
	if (id != ZNS_NONE)
		s->free_job = s->job[id].next;
	else
		id = s->jobs_used++;
	assert(id < s->jobs_room);
	s->jobs_live++;
	what.next = ZNS_NONE;
	s->job[id] = what;
	return id;
}

static void job_free(struct sim_zns *s, uint32_t id)
{
	s->job[id].next = s->free_job;
	s->free_job = id;
	s->jobs_live--;
}

static void fifo_put(struct sim_zns *s, struct zns_fifo *f, uint32_t id)
{
	if (f->first == ZNS_NONE)
		f->first = id;
	else
		s->job[f->last].next = id;
	f->last = id;
}

static uint32_t fifo_take(struct sim_zns *s, struct zns_fifo *f)
{
	uint32_t id = f->first;
	f->first = s->job[id].next;
	s->job[id].next = ZNS_NONE;
	return id;
}

/* ---- dies ---- */

static void die_start(struct sim_zns *s, uint32_t d, enum zns_doing doing, uint32_t id, uint64_t from_ns, uint64_t ns)
{
	struct zns_die *v = &s->die[d];
	v->doing = doing;
	v->current = id;
	v->from_ns = from_ns;
	event_push(s, from_ns + ns, EVENT_DIE, d);
}

/* The next thing of a die that is free at free_ns, not before now. */
static void die_next(struct sim_zns *s, uint32_t d)
{
	struct zns_die *v = &s->die[d];
	uint64_t from_ns = pl_max64(v->free_ns, s->now_ns);
	v->doing = DIE_IDLE;
	if (v->erases.first != ZNS_NONE && from_ns >= v->erased_ns + ERASE_STARVES_NS) {
		die_start(s, d, DIE_SLICE, v->erases.first, from_ns,
			pl_min64(ERASE_SLICE_NS, s->job[v->erases.first].ns));
	} else if (v->reads.first != ZNS_NONE) {
		uint32_t id = fifo_take(s, &v->reads);
		die_start(s, d, DIE_SENSE, id, pl_max64(from_ns, s->job[id].at), s->job[id].ns);
	} else if (v->programs.first != ZNS_NONE) {
		die_start(s, d, DIE_PROGRAM, fifo_take(s, &v->programs), from_ns, s->t.program_ns);
	} else if (v->pads) {
		v->pads--;
		die_start(s, d, DIE_PROGRAM, ZNS_NONE, from_ns, s->t.program_ns);
	} else if (v->erases.first != ZNS_NONE) {
		v->doing = DIE_ERASE;
		v->current = v->erases.first;
		v->from_ns = from_ns;
		if (!v->erase_event)
			event_push(s, from_ns + s->job[v->current].ns, EVENT_ERASE, d);
		v->erase_event = true;
	}
}

/* Work has come to a die: start it if the die is idle or erases. The event of an interrupted erase stays in the heap; it
 * can only be early. */
static void die_wake(struct sim_zns *s, uint32_t d)
{
	struct zns_die *v = &s->die[d];
	if (v->doing == DIE_ERASE) {
		struct zns_job *j = &s->job[v->current];
		uint64_t did_ns = s->now_ns > v->from_ns ? s->now_ns - v->from_ns : 0;
		did_ns = pl_min64(did_ns, j->ns);
		j->ns -= did_ns - pl_min64(did_ns / 2, s->t.erase_setback_ns);
		s->dev.stats.busy_ns += did_ns;
		s->suspensions++;
		if (did_ns)
			v->erased_ns = s->now_ns;
		v->free_ns = pl_max64(v->free_ns, s->now_ns);
		v->doing = DIE_IDLE;
	}
	if (v->doing == DIE_IDLE)
		die_next(s, d);
}

void zns_die_read(
	struct sim_zns *s, uint32_t die, struct dev_req *r, uint64_t from_ns, uint64_t sense_ns, uint32_t blocks)
{
	r->scratch++;
	fifo_put(s, &s->die[die].reads,
		job_new(s, (struct zns_job){.req = r, .ns = sense_ns, .at = from_ns, .blocks = blocks}));
	die_wake(s, die);
}

static void head_go(struct sim_zns *s, uint64_t zone);

static void erase_done(struct sim_zns *s, uint32_t d)
{
	struct zns_die *v = &s->die[d];
	uint32_t id = fifo_take(s, &v->erases);
	struct dev_req *r = s->job[id].req;
	uint64_t zone = s->job[id].zone;
	job_free(s, id);
	v->erased_ns = s->now_ns;
	if (--s->head[zone].erases)
		return;
	zns_complete(s, r, s->now_ns);
	s->head[zone].held = false;
	s->head[zone].free_ns = s->now_ns;
	head_go(s, zone);
}

/* A read's part has been sensed: on to the channel, with the die still held. */
static void sense_done(struct sim_zns *s, uint32_t d)
{
	struct zns_die *v = &s->die[d];
	uint32_t id = v->current;
	struct dev_req *r = s->job[id].req;
	uint64_t *channel_ns = &s->channel_ns[d % s->channels];
	*channel_ns = pl_max64(*channel_ns, s->now_ns) +
		      zns_transfer_ns(zns_bytes(s, s->job[id].blocks), s->t.channel_bytes_per_s);
	v->free_ns = *channel_ns;
	job_free(s, id);
	r->done_ns = pl_max64(r->done_ns, v->free_ns + s->t.read_ns);
	if ((--r->scratch & DEV_REQ_BLOCKS_MAX) == 0)
		zns_complete(s, r, r->done_ns);
}

static void program_done(struct sim_zns *s, uint32_t id)
{
	uint64_t zone = s->job[id].zone;
	struct zns_head *h = &s->head[zone];
	h->unprogrammed--;
	if (h->epoch == s->job[id].epoch)
		h->programmed = pl_min64(h->programmed + s->job[id].blocks, h->pointer);
	job_free(s, id);
	if (h->held && !h->erases)
		head_go(s, zone);
}

static void die_event(struct sim_zns *s, uint32_t d)
{
	struct zns_die *v = &s->die[d];
	enum zns_doing was = v->doing;
	v->free_ns = s->now_ns;
	if (was == DIE_SENSE)
		sense_done(s, d);
	else if (was == DIE_PROGRAM && v->current != ZNS_NONE)
		program_done(s, v->current);
	s->dev.stats.busy_ns += v->free_ns - v->from_ns;
	if (was == DIE_SLICE) {
		v->erased_ns = s->now_ns;
		s->job[v->current].ns -= pl_min64(s->now_ns - v->from_ns, s->job[v->current].ns);
		if (!s->job[v->current].ns)
			erase_done(s, d);
	}
	die_next(s, d);
}

static void erase_event(struct sim_zns *s, uint32_t d)
{
	struct zns_die *v = &s->die[d];
	v->erase_event = false;
	if (v->doing != DIE_ERASE)
		return; /* interrupted: goes on later */
	uint64_t end_ns = v->from_ns + s->job[v->current].ns;
	if (end_ns > s->now_ns) {
		event_push(s, end_ns, EVENT_ERASE, d);
		v->erase_event = true;
		return;
	}
	s->dev.stats.busy_ns += end_ns - v->from_ns;
	v->free_ns = s->now_ns;
	v->doing = DIE_IDLE;
	erase_done(s, d);
	if (v->doing == DIE_IDLE)
		die_next(s, d);
}

/* ---- the zone's head ---- */

/* The next n blocks of the zone are in the buffer from ready_ns on; whole units, and what completes the zone, go to
 * their dies then. */
static void head_programs(struct sim_zns *s, uint64_t zone, uint64_t n, uint64_t ready_ns)
{
	struct zns_head *h = &s->head[zone];
	uint64_t from = h->pointer / s->unit_blocks * s->unit_blocks, to = h->pointer + n;
	h->pointer = to;
	if (to != s->dev.caps.zone_capacity)
		to = to / s->unit_blocks * s->unit_blocks;
	if (to <= from)
		return;
	h->unprogrammed += (uint32_t)pl_div_up(to - from, s->unit_blocks);
	s->jobs_promised += pl_div_up(to - from, s->unit_blocks);
	uint32_t id = job_new(
		s, (struct zns_job){
			   .at = from, .zone = (uint32_t)zone, .epoch = h->epoch, .blocks = (uint32_t)(to - from)});
	event_push(s, ready_ns, EVENT_READY, id);
}

static void ready_event(struct sim_zns *s, uint32_t id)
{
	struct zns_job j = s->job[id];
	job_free(s, id);
	for (uint64_t at = j.at, end = j.at + j.blocks; at < end; at += s->unit_blocks) {
		uint32_t d = zns_unit_die(s, j.zone, at / s->unit_blocks);
		uint32_t blocks = (uint32_t)pl_min64(s->unit_blocks, end - at);
		fifo_put(s, &s->die[d].programs,
			job_new(s, (struct zns_job){.zone = j.zone, .epoch = j.epoch, .blocks = blocks}));
		s->jobs_promised--;
		die_wake(s, d);
	}
}

static uint64_t write_turn(struct sim_zns *s, uint64_t blocks, uint64_t gap_ns)
{
	uint64_t takes_ns = pl_max64(gap_ns, zns_transfer_ns(zns_bytes(s, blocks), s->t.write_bytes_per_s));
	s->write_turn_ns = pl_max64(s->write_turn_ns, s->now_ns) + takes_ns;
	return s->write_turn_ns;
}

/* done_ns: the latency apart from the turn. Returns false when the buffer has no room. */
static bool start_write(struct sim_zns *s, uint64_t zone, struct dev_req *r)
{
	struct zns_head *h = &s->head[zone];
	const bool area = r->done_ns & ZNS_IN_AREA;
	uint64_t blocks = area ? r->scratch & DEV_REQ_BLOCKS_MAX : r->blocks;
	if (h->unprogrammed &&
		zns_bytes(s, (uint64_t)h->unprogrammed * s->unit_blocks + blocks) > s->t.write_buffer_bytes) {
		s->stalls += !h->held;
		h->held = true;
		return false;
	}
	h->held = false;
	s->jobs_promised -= zns_program_jobs(s, blocks);
	uint64_t gap_ns = r->op == DEV_APPEND ? s->t.append_gap_ns : r->op == DEV_WRITE ? s->t.write_gap_ns : 0;
	uint64_t turn_ns = write_turn(s, blocks, gap_ns);
	uint64_t done_ns = pl_max64(s->now_ns + (r->done_ns & ~ZNS_IN_AREA), turn_ns);
	if (blocks)
		head_programs(s, zone, blocks, turn_ns);
	zns_complete(s, r, done_ns);
	if (!area && r->op == DEV_WRITE)
		h->free_ns = done_ns;
	return true;
}

static uint64_t row_blocks(const struct sim_zns *s)
{
	return (uint64_t)s->unit_blocks * s->dies_per_zone;
}

/* Rows left to pad, but no more than the zone has. */
static uint64_t pad_blocks(const struct sim_zns *s, uint64_t pointer)
{
	uint64_t rows = pl_div_up(s->dev.caps.zone_capacity - pointer, row_blocks(s));
	return pl_min64(rows * row_blocks(s), s->dev.caps.zone_capacity);
}

static uint64_t pad_rate(const struct sim_zns *s)
{
	if (!s->t.program_ns)
		return s->t.finish_bytes_per_s;
	uint64_t dies = zns_transfer_ns(zns_bytes(s, row_blocks(s)), s->t.program_ns); /* bytes in a second */
	return pl_max64(pl_min64(dies, s->t.finish_bytes_per_s), 1);
}

static void start_finish(struct sim_zns *s, uint64_t zone, struct dev_req *r)
{
	struct zns_head *h = &s->head[zone];
	uint64_t takes_ns = r->done_ns;
	if (takes_ns == ZNS_TO_PAD) {
		uint64_t blocks = pad_blocks(s, h->pointer);
		takes_ns = zns_transfer_ns(zns_bytes(s, blocks), pad_rate(s));
		if (!h->pad_units)
			event_push(s, s->now_ns, EVENT_PAD, zone);
		h->pad_units += pl_div_up(blocks, s->unit_blocks);
		h->pad_at = h->pointer / s->unit_blocks;
	}
	if (h->pointer != s->dev.caps.zone_capacity) {
		h->pointer = h->programmed = s->dev.caps.zone_capacity;
		h->epoch++;
	}
	h->free_ns = s->now_ns + takes_ns;
	zns_complete(s, r, h->free_ns);
}

/* One unit of padding, and the next in its time: the finish has gone on meanwhile, not waiting for the dies. */
static void pad_event(struct sim_zns *s, uint64_t zone)
{
	struct zns_head *h = &s->head[zone];
	uint32_t d = zns_unit_die(s, zone, h->pad_at++);
	s->die[d].pads++;
	die_wake(s, d);
	if (--h->pad_units)
		event_push(s, s->now_ns + zns_transfer_ns(zns_bytes(s, s->unit_blocks), pad_rate(s)), EVENT_PAD, zone);
}

/* done_ns: what each die has to erase. */
static void start_reset(struct sim_zns *s, uint64_t zone, struct dev_req *r)
{
	struct zns_head *h = &s->head[zone];
	h->pointer = h->programmed = 0;
	h->epoch++;
	h->held = true;
	h->erases = s->dies_per_zone;
	uint32_t id = job_new(s, (struct zns_job){.req = r, .zone = (uint32_t)zone, .ns = r->done_ns});
	s->jobs_promised--;
	event_push(s, s->now_ns + s->t.reset_ns, EVENT_RESET, id);
}

static void reset_event(struct sim_zns *s, uint32_t id)
{
	struct zns_job j = s->job[id];
	job_free(s, id);
	if (!j.ns) {
		s->jobs_promised -= s->dies_per_zone;
		s->head[j.zone].erases = 0;
		s->head[j.zone].held = false;
		s->head[j.zone].free_ns = s->now_ns;
		zns_complete(s, j.req, s->now_ns);
		head_go(s, j.zone);
		return;
	}
	for (uint32_t k = 0; k < s->dies_per_zone; k++) {
		struct zns_die *v = &s->die[zns_unit_die(s, j.zone, k)];
		if (v->erases.first == ZNS_NONE)
			v->erased_ns = s->now_ns;
		fifo_put(s, &v->erases, job_new(s, j));
		s->jobs_promised--;
		if (v->doing == DIE_IDLE)
			die_next(s, (uint32_t)(v - s->die));
	}
}

/* Returns false when r has to wait on. */
static bool head_start(struct sim_zns *s, uint64_t zone, struct dev_req *r)
{
	if (r->status) {
		zns_complete(s, r, s->now_ns + s->t.command_ns);
	} else if (r->op == DEV_WRITE || r->op == DEV_APPEND || r->op == DEV_ZONE_FLUSH) {
		return start_write(s, zone, r);
	} else if (r->op == DEV_ZONE_RESET && r->done_ns != PL_NS_NEVER) {
		start_reset(s, zone, r);
	} else if (r->op == DEV_ZONE_FINISH) {
		start_finish(s, zone, r);
	} else {
		uint64_t takes_ns = r->op == DEV_ZONE_OPEN    ? s->t.open_ns
				    : r->op == DEV_ZONE_CLOSE ? s->t.close_ns
							      : s->t.command_ns;
		s->head[zone].free_ns = s->now_ns + takes_ns;
		zns_complete(s, r, s->head[zone].free_ns);
	}
	return true;
}

/* Start what waits, as far as it can; the head may be held by a stalled write, which is then tried again. */
static void head_go(struct sim_zns *s, uint64_t zone)
{
	struct zns_head *h = &s->head[zone];
	while (h->first && !h->erases && h->free_ns <= s->now_ns) {
		struct dev_req *r = h->first;
		if (!head_start(s, zone, r))
			return;
		h->first = r->next;
		r->next = NULL;
	}
	if (h->first && !h->held && !h->event) {
		event_push(s, h->free_ns, EVENT_HEAD, zone);
		h->event = true;
	}
}

void zns_head_enter(struct sim_zns *s, uint64_t zone, struct dev_req *r)
{
	struct zns_head *h = &s->head[zone];
	r->next = NULL;
	if (!h->first && !h->held && h->free_ns <= s->now_ns && head_start(s, zone, r))
		return;
	if (h->first)
		h->last->next = r;
	else
		h->first = r;
	h->last = r;
	if (!h->held && !h->event) {
		event_push(s, h->free_ns, EVENT_HEAD, zone);
		h->event = true;
	}
}

static void event_run(struct sim_zns *s, uint64_t item)
{
	uint64_t id = item & (((uint64_t)1 << EVENT_SHIFT) - 1);
	switch ((enum event)(item >> EVENT_SHIFT)) {
	case EVENT_DIE:
		die_event(s, (uint32_t)id);
		break;
	case EVENT_ERASE:
		erase_event(s, (uint32_t)id);
		break;
	case EVENT_READY:
		ready_event(s, (uint32_t)id);
		break;
	case EVENT_HEAD:
		s->head[id].event = false;
		head_go(s, id);
		break;
	case EVENT_RESET:
		reset_event(s, (uint32_t)id);
		break;
	case EVENT_PAD:
		pad_event(s, id);
		break;
	}
}

void zns_advance(struct sim_zns *s, uint64_t now_ns)
{
	assert(now_ns >= s->now_ns);
	while (s->events.n && s->events.due[0].at <= now_ns) {
		struct dev_due due = dev_heap_pop(&s->events);
		assert(due.at >= s->now_ns);
		s->now_ns = due.at;
		event_run(s, due.item);
	}
	s->now_ns = now_ns;
}
