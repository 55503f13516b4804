/* device_timed.c - requests of one kind in a closed loop: so many in flight, the next one when one is done.
 *
 * Three kinds of loop body:
 *
 *   draw     reads, overwrites, punches: units drawn by the pattern, known AHEAD requests before their turn, so that the
 *            simulation may fetch what it will need (dev_prepare)
 *   follow   writes and appends on sequential devices: lanes, each a zone that is written at its pointer. A zone takes
 *            one write at a time, appends any number. A lane whose zone is used up goes to the next zone of the device;
 *            one that has been written before is emptied out of band (poke_zone): no time, not counted as a reset
 *   steps    operations on zones and files: the object is brought into its state (zones out of band, else by requests
 *            that are not measured), then the operation is measured. One object is in flight in one slot only
 *
 * Preparation: with `start` seq or random the region is written before, untimed where the device can do that, else by
 * requests that are not measured. Zones that are read are full, out of band.
 *
 * Invariants:
 *  1. Two writes or punches in flight never overlap: a unit that is in flight is passed over.
 *  2. The tally has exactly `count` operations that were asked for (sync: and sync_writes writes before each).
 *  3. At most qd requests are in flight.
 * Cost: 20 to 40 ns a request beside the device's own work. */
#include "harness/device_parts.h"
#include "harness/util.h"

#include "engine/base/rng.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD 32u /* stage 0 of dev_prepare; stage 1 half as far */
#define RING 64u
#define STREAM_MIX 0x6d6978u
#define STREAM_LANES 0x6c616eu
#define FILL_BLOCKS 64u /* of a request that prepares */
#define PROGRESS_REQUESTS ((uint64_t)1 << 18)
#define FILTER 4096u

struct slot {
	struct dev_req req;
	uint64_t lane; /* follow */
	uint32_t step;
	uint64_t object, times, at; /* steps: which zone or file, repetitions of the step, blocks prepared */
	bool tallied;
};

struct lane {
	uint64_t zone, at, requests; /* at: blocks from the zone's start */
	uint32_t inflight;
};

struct drawn {
	uint32_t unit;
	uint32_t class;
	bool read;
};

struct timed {
	struct device_session *s;
	const struct device_wish *w;
	struct dev *dev;
	struct slot *slot;
	uint32_t *idle, idles;
	uint64_t now_ns, issued, ended, wanted;
	bool measuring;

	/* draw */
	struct pattern *pattern;
	uint64_t units, units_per_zone; /* the second 0: no zones */
	struct drawn ring[RING];
	uint64_t drawn_n, used_n;
	struct pl_rng mix;
	uint8_t filter[FILTER]; /* writes in flight by hash of the unit */

	/* follow */
	struct lane *lane;
	uint64_t lanes, turn, next_zone, first_zone;

	uint64_t objects; /* steps */
	uint64_t fill_blocks;
};

static int refuse(const struct timed *t, const char *why)
{
	return pl_fault_set(t->s->f, PL_INVALID, "%s", why);
}

/* ---- one request ---- */

static int submit(struct timed *t, struct slot *l)
{
	t->s->result->submitted++;
	int err = dev_submit(t->dev, t->now_ns, &l->req);
	return err ? pl_fault_set(t->s->f, err, "device %s refused %s at block %" PRIu64 ": %s", t->w->ops->name,
			     dev_op_name[l->req.op], l->req.block, pl_err_text(err))
		   : PL_OK;
}

static void request(struct slot *l, enum dev_op op, uint64_t block, uint32_t blocks)
{
	l->req.op = op;
	l->req.block = block;
	l->req.blocks = blocks;
	l->req.stream = 0;
	l->req.zrwa = false;
}

/* ---- draw ---- */

static uint64_t block_of(const struct timed *t, uint64_t unit)
{
	if (!t->units_per_zone)
		return unit * t->w->size_blocks;
	return unit / t->units_per_zone * t->dev->caps.zone_blocks + unit % t->units_per_zone * t->w->size_blocks;
}

static void draw_one(struct timed *t)
{
	struct drawn *d = &t->ring[t->drawn_n++ % RING];
	pattern_draw(t->pattern, &d->unit, t->w->streams ? &d->class : NULL, 1);
	d->read =
		t->w->ask == ASK_READ || (t->w->ask == ASK_MIXED && pl_rng_below(&t->mix, 1000) < t->w->read_permille);
	dev_prepare(t->dev, block_of(t, d->unit), 0);
}

static uint32_t filter_of(uint32_t unit)
{
	return (uint32_t)(pl_mix64(unit) % FILTER);
}

/* True if a write or punch of this unit is in flight. */
static bool in_flight(const struct timed *t, uint32_t unit)
{
	uint64_t block = block_of(t, unit);
	if (!t->filter[filter_of(unit)])
		return false;
	for (uint32_t i = 0; i < t->w->qd; i++)
		if (t->slot[i].step && t->slot[i].req.block == block)
			return true;
	return false;
}

static int next_drawn(struct timed *t, struct slot *l, bool *none)
{
	const struct drawn *d;
	*none = false;
	for (uint64_t tries = 0;; tries++) {
		while (t->drawn_n < t->used_n + AHEAD + 1)
			draw_one(t);
		dev_prepare(t->dev, block_of(t, t->ring[(t->used_n + AHEAD / 2) % RING].unit), 1);
		d = &t->ring[t->used_n % RING];
		if (d->read || !in_flight(t, d->unit))
			break;
		if (tries > 1000) { /* fewer units than requests in flight */
			*none = true;
			return PL_OK;
		}
		t->used_n++;
	}
	t->used_n++;
	request(l,
		d->read                  ? DEV_READ
		: t->w->ask == ASK_PUNCH ? DEV_PUNCH
					 : DEV_WRITE,
		block_of(t, d->unit), t->w->size_blocks);
	l->req.stream = t->w->streams ? (uint8_t)d->class : 0;
	l->step = !d->read;
	l->object = d->unit;
	if (l->step)
		t->filter[filter_of(d->unit)]++;
	l->tallied = true;
	return submit(t, l);
}

/* ---- follow ---- */

static int poke(struct timed *t, uint64_t zone, enum dev_zone_state state, uint64_t at)
{
	int err = t->dev->ops->poke_zone(t->dev, zone, state, zone * t->dev->caps.zone_blocks + at);
	return err ? pl_fault_set(t->s->f, err, "device %s cannot bring zone %" PRIu64 " into its state: %s",
			     t->w->ops->name, zone, pl_err_text(err))
		   : PL_OK;
}

static int empty_zone(struct timed *t, uint64_t zone)
{
	struct dev_zone z;
	int err = dev_zone(t->dev, zone, &z);
	if (err)
		return pl_fault_set(t->s->f, err, "zone %" PRIu64 ": %s", zone, pl_err_text(err));
	if (z.state == DEV_ZONE_EMPTY)
		return PL_OK;
	t->s->result->zone_resets_untimed++;
	return poke(t, zone, DEV_ZONE_EMPTY, 0);
}

/* The lane's zone holds no more requests: leave it, full or emptied, and take the next. */
static int change_zone(struct timed *t, struct lane *l)
{
	int err = PL_OK;
	if (l->zone != UINT64_MAX && l->at < t->dev->caps.zone_capacity)
		err = empty_zone(t, l->zone); /* too little room left for another request, or enough of them */
	do {
		l->zone = t->next_zone++;
		if (t->next_zone == t->dev->caps.zones)
			t->next_zone = t->first_zone;
		for (uint64_t i = 0; i < t->lanes; i++)
			if (&t->lane[i] != l && t->lane[i].zone == l->zone)
				l->zone = UINT64_MAX;
	} while (l->zone == UINT64_MAX);
	l->at = l->requests = 0;
	return err ? err : empty_zone(t, l->zone);
}

static bool used_up(const struct timed *t, const struct lane *l)
{
	return l->zone == UINT64_MAX || l->at + t->w->size_blocks > t->dev->caps.zone_capacity ||
	       (t->w->zone_requests && l->requests >= t->w->zone_requests);
}

static int next_followed(struct timed *t, struct slot *l, bool *none)
{
	bool append = t->w->ask == ASK_APPEND;
	*none = true;
	for (uint64_t tries = 0; *none && tries < t->lanes; tries++) {
		struct lane *lane = &t->lane[t->turn];
		l->lane = t->turn;
		t->turn = t->turn + 1 == t->lanes ? 0 : t->turn + 1;
		if ((used_up(t, lane) || !append) && lane->inflight)
			continue;
		int err = used_up(t, lane) ? change_zone(t, lane) : PL_OK;
		if (err)
			return err;
		uint64_t start = lane->zone * t->dev->caps.zone_blocks;
		request(l, append ? DEV_APPEND : DEV_WRITE, append ? start : start + lane->at, t->w->size_blocks);
		lane->at += t->w->size_blocks;
		lane->requests++;
		lane->inflight++;
		*none = false;
	}
	l->step = 1;
	l->tallied = true;
	return *none ? PL_OK : submit(t, l);
}

/* Reads from the full zones, writes along the lanes. */
static int next_mixed_zoned(struct timed *t, struct slot *l, bool *none)
{
	bool read = pl_rng_below(&t->mix, 1000) < t->w->read_permille;
	if (!read) {
		int err = next_followed(t, l, none);
		if (err || !*none)
			return err;
	}
	/* no lane is free: the zones take one write each, so read */
	while (t->drawn_n < t->used_n + 1)
		draw_one(t);
	request(l, DEV_READ, block_of(t, t->ring[t->used_n++ % RING].unit), t->w->size_blocks);
	l->step = 0;
	l->tallied = true;
	*none = false;
	return submit(t, l);
}

/* ---- steps ---- */

enum step_kind {
	STEP_END, /* start again, with another object */
	STEP_POKE, /* the zone to fill_blocks, closed */
	STEP_POKE_EMPTY,
	STEP_OPENED, /* open a zone that is to have nothing written, unless start = fresh: it is empty, but not untouched */
	STEP_OP, /* on the object's first block */
	STEP_FINISHED, /* DEV_ZONE_FINISH, if that is asked for */
	STEP_WRITE, /* by the pattern, sync_writes times */
	STEP_FILE_FILL, /* write the file's first fill_blocks */
	STEP_TRUNCATE,
	STEP_FILE_MOVE, /* to the name of the file after it */
	STEP_NEXT_FILE, /* the operation, on the file after it */
};
struct step {
	enum step_kind kind;
	enum dev_op op;
	bool tallied;
};

static const struct step step_of[ASKS][6] = {
	[ASK_SYNC] = {{STEP_WRITE, DEV_WRITE, true}, {STEP_OP, DEV_SYNC, true}},
	[ASK_RESET] = {{STEP_POKE, DEV_READ, false}, {STEP_OPENED, DEV_ZONE_OPEN, false},
		{STEP_FINISHED, DEV_ZONE_FINISH, false}, {STEP_OP, DEV_ZONE_RESET, true}},
	[ASK_FINISH] = {{STEP_POKE, DEV_READ, false}, {STEP_OP, DEV_ZONE_FINISH, true},
		{STEP_POKE_EMPTY, DEV_READ, false}},
	[ASK_OPEN] = {{STEP_POKE, DEV_READ, false}, {STEP_OP, DEV_ZONE_OPEN, true}, {STEP_POKE_EMPTY, DEV_READ, false}},
	[ASK_CLOSE] = {{STEP_POKE, DEV_READ, false}, {STEP_OP, DEV_ZONE_OPEN, false}, {STEP_OP, DEV_ZONE_CLOSE, true},
		{STEP_POKE_EMPTY, DEV_READ, false}},
	[ASK_TRUNCATE] = {{STEP_OP, DEV_FILE_OPEN, false}, {STEP_FILE_FILL, DEV_WRITE, false},
		{STEP_TRUNCATE, DEV_TRUNCATE, true}, {STEP_OP, DEV_TRUNCATE, false}, {STEP_OP, DEV_FILE_CLOSE, false}},
	[ASK_FILE_OPEN] = {{STEP_OP, DEV_FILE_CLOSE, false}, {STEP_OP, DEV_FILE_OPEN, true}},
	[ASK_FILE_CLOSE] = {{STEP_OP, DEV_FILE_OPEN, false}, {STEP_OP, DEV_FILE_CLOSE, true}},
	[ASK_MOVE] = {{STEP_OP, DEV_FILE_CLOSE, false}, {STEP_NEXT_FILE, DEV_FILE_CLOSE, false},
		{STEP_FILE_MOVE, DEV_FILE_MOVE, true}},
	[ASK_REMOVE] = {{STEP_OP, DEV_FILE_OPEN, false}, {STEP_OP, DEV_FILE_CLOSE, false},
		{STEP_OP, DEV_FILE_REMOVE, true}},
	[ASK_CREATE] = {{STEP_OP, DEV_FILE_CLOSE, false}, {STEP_OP, DEV_FILE_REMOVE, false},
		{STEP_OP, DEV_FILE_OPEN, true}},
};

static uint64_t object_start(const struct timed *t, uint64_t object)
{
	const struct dev_caps *c = &t->dev->caps;
	return object * (t->w->ask >= ASK_TRUNCATE ? c->file_blocks : t->w->ask == ASK_SYNC ? 0 : c->zone_blocks);
}

static int poke_fill(struct timed *t, const struct slot *l)
{
	uint64_t at = t->fill_blocks, capacity = t->dev->caps.zone_capacity;
	return poke(t, l->object, !at ? DEV_ZONE_EMPTY : at == capacity ? DEV_ZONE_FULL : DEV_ZONE_CLOSED, at);
}

/* Do the step, or find that it needs a request: then *wants. */
static int do_step(struct timed *t, struct slot *l, const struct step *p, bool *wants)
{
	uint64_t start = object_start(t, l->object);
	uint32_t unit, blocks;
	*wants = true;
	l->tallied = p->tallied;
	switch (p->kind) {
	case STEP_END:
		break;
	case STEP_POKE:
	case STEP_POKE_EMPTY:
		*wants = false;
		return p->kind == STEP_POKE ? poke_fill(t, l) : poke(t, l->object, DEV_ZONE_EMPTY, 0);
	case STEP_OPENED:
		*wants = t->w->start != DEVICE_START_FRESH && !t->fill_blocks && !t->w->finished;
		request(l, p->op, start, 0);
		break;
	case STEP_FINISHED:
		*wants = t->w->finished;
		request(l, p->op, start, 0);
		break;
	case STEP_OP:
		request(l, p->op, start, 0);
		break;
	case STEP_WRITE:
		*wants = l->times < t->w->sync_writes;
		if (*wants) {
			pattern_draw(t->pattern, &unit, NULL, 1);
			request(l, DEV_WRITE, block_of(t, unit), t->w->size_blocks);
		}
		l->times++;
		break;
	case STEP_FILE_FILL:
		blocks = (uint32_t)pl_min64(FILL_BLOCKS, t->fill_blocks - l->at);
		*wants = blocks > 0;
		request(l, DEV_WRITE, start + l->at, blocks);
		l->at += blocks;
		break;
	case STEP_TRUNCATE:
		request(l, DEV_TRUNCATE,
			start + (t->fill_blocks >= t->w->size_blocks ? t->fill_blocks - t->w->size_blocks
								     : t->w->size_blocks),
			0);
		break;
	case STEP_NEXT_FILE:
		request(l, p->op, object_start(t, (l->object + 1) % t->objects), 0);
		break;
	case STEP_FILE_MOVE:
		request(l, p->op, start, 0);
		l->req.result_block = object_start(t, (l->object + 1) % t->objects);
		break;
	}
	return PL_OK;
}

static bool repeats(enum step_kind k)
{
	return k == STEP_WRITE || k == STEP_FILE_FILL;
}

static void next_object(struct timed *t, struct slot *l)
{
	l->step = 0;
	l->times = l->at = 0;
	l->object = t->turn;
	t->turn = t->turn + 1 == t->objects ? 0 : t->turn + 1;
}

/* Go on with a slot's steps until one needs a request. */
static int next_step(struct timed *t, struct slot *l)
{
	for (;;) {
		const struct step *p = &step_of[t->w->ask][l->step];
		bool wants;
		if (p->kind == STEP_END && p == step_of[t->w->ask])
			return refuse(t, "this operation has no steps");
		if (p->kind == STEP_END) {
			next_object(t, l);
			continue;
		}
		int err = do_step(t, l, p, &wants);
		if (err)
			return err;
		if (!wants || !repeats(p->kind))
			l->step++;
		if (!wants)
			continue;
		return submit(t, l);
	}
}

static bool has_steps(enum device_ask ask)
{
	return step_of[ask][0].kind != STEP_END;
}

/* ---- the loop ---- */

static bool is_zoned(const struct timed *t)
{
	return t->dev->caps.sequential;
}

static int issue(struct timed *t, struct slot *l, bool *none)
{
	const enum device_ask ask = t->w->ask;
	*none = false;
	if (has_steps(ask))
		return next_step(t, l);
	if (ask == ASK_APPEND || (ask == ASK_WRITE && is_zoned(t)))
		return next_followed(t, l, none);
	return ask == ASK_MIXED && is_zoned(t) ? next_mixed_zoned(t, l, none) : next_drawn(t, l, none);
}

/* A file may have been in the state that its preparation brings it to; whether it is, the operation itself shows. */
static bool may_fail(const struct slot *l)
{
	return l->req.op == DEV_FILE_OPEN || l->req.op == DEV_FILE_CLOSE || l->req.op == DEV_FILE_REMOVE;
}

/* What is measured of a run with steps is counted when it ends, for what prepares it is none of it. */
static bool counts(const struct timed *t, const struct slot *l)
{
	return l->tallied && !(t->w->ask == ASK_SYNC && l->req.op == DEV_WRITE);
}

static int completed(struct timed *t, struct slot *l)
{
	if (l->tallied && t->measuring)
		tally_add(t->s->result->tally, &l->req);
	if (!l->tallied && l->req.status != PL_OK && !may_fail(l)) {
		t->idle[t->idles++] = (uint32_t)(l - t->slot); /* it ended: whoever drains must not wait for it */
		return pl_fault_set(t->s->f, l->req.status, "%s, to prepare the next operation, failed: %s",
			dev_op_name[l->req.op], pl_err_text(l->req.status));
	}
	if (t->lanes && l->step) {
		t->lane[l->lane].inflight--;
	} else if (!has_steps(t->w->ask) && l->step) {
		t->filter[filter_of((uint32_t)l->object)]--;
	}
	if (!has_steps(t->w->ask))
		l->step = 0;
	t->ended += counts(t, l);
	t->idle[t->idles++] = (uint32_t)(l - t->slot);
	return PL_OK;
}

static int fill_slots(struct timed *t)
{
	int err = PL_OK;
	bool none = false;
	while (!err && !none && t->idles &&
		(has_steps(t->w->ask) ? t->ended + (t->w->qd - t->idles) : t->issued) < t->wanted) {
		struct slot *l = &t->slot[t->idle[--t->idles]];
		err = issue(t, l, &none);
		if (none)
			t->idle[t->idles++] = (uint32_t)(l - t->slot);
		else if (!err)
			t->issued++;
		else
			t->idle[t->idles++] = (uint32_t)(l - t->slot);
	}
	return err;
}

static int drain(struct timed *t)
{
	struct dev_req *r;
	int err = PL_OK;
	uint64_t next = dev_next_ns(t->dev);
	assert(next != PL_NS_NEVER);
	t->now_ns = pl_max64(t->now_ns, next);
	while ((r = dev_poll(t->dev, t->now_ns))) {
		int e = completed(t, r->user);
		err = err ? err : e;
	}
	return err;
}

static int loop(struct timed *t, const char *phase, uint64_t wanted)
{
	uint64_t told = 0;
	int err = PL_OK;
	t->issued = t->ended = 0;
	t->wanted = wanted;
	while (!err && (t->ended < wanted || t->idles < t->w->qd)) {
		err = fill_slots(t);
		if (!err && t->idles == t->w->qd)
			break;
		if (!err)
			err = drain(t);
		if (!err && t->ended >= told) {
			told = t->ended + PROGRESS_REQUESTS;
			err = device_session_progress(t->s, phase, t->ended, wanted);
		}
	}
	while (t->idles < t->w->qd) /* after an error: nothing stays in flight */
		(void)drain(t);
	if (!err && t->ended < wanted)
		err = refuse(t, "the region has fewer units than requests in flight; make it larger, or qd smaller");
	return err;
}

/* ---- preparation ---- */

static int check_offer(const struct timed *t)
{
	const struct dev_caps *c = &t->dev->caps;
	const struct device_wish *w = t->w;
	const char *what = NULL;
	switch (w->ask) {
	case ASK_APPEND:
		what = c->append ? NULL : "append";
		break;
	case ASK_PUNCH:
		what = c->punch ? NULL : "punch";
		break;
	case ASK_RESET:
	case ASK_FINISH:
	case ASK_OPEN:
	case ASK_CLOSE:
		what = c->zones ? NULL : "zones to reset, finish, open or close";
		break;
	case ASK_TRUNCATE:
	case ASK_FILE_OPEN:
	case ASK_FILE_CLOSE:
	case ASK_MOVE:
	case ASK_REMOVE:
	case ASK_CREATE:
		what = c->files ? NULL : "files";
		break;
	case ASK_NONE:
	case ASK_READ:
	case ASK_WRITE:
	case ASK_MIXED:
	case ASK_SYNC:
	case ASKS:
		break;
	}
	if (what)
		return pl_fault_set(t->s->f, PL_INVALID, "op: device %s offers no %s", w->ops->name, what);
	if (w->ask == ASK_SYNC && c->sequential && w->sync_writes)
		return refuse(t, "sync_writes: on a sequential device only sync_writes = 0 is offered");
	if (w->ask == ASK_MOVE && c->files < 2)
		return refuse(t, "op: move wants two files at least (option files of the device)");
	if (w->ask == ASK_PUNCH && w->size_blocks % c->punch_blocks != 0)
		return pl_fault_set(t->s->f, PL_INVALID,
			"size: the device punches granules of %" PRIu32 " blocks; %" PRIu32 " blocks are no multiple",
			c->punch_blocks, w->size_blocks);
	return PL_OK;
}

static int prepare_slots(struct timed *t)
{
	uint32_t qd = t->w->qd;
	t->slot = calloc(qd, sizeof *t->slot);
	t->idle = calloc(qd, sizeof *t->idle);
	if (!t->slot || !t->idle)
		return pl_fault_set(t->s->f, PL_NOMEM, "out of memory");
	for (uint32_t i = 0; i < qd; i++) {
		t->slot[i].req.user = &t->slot[i];
		t->idle[t->idles++] = qd - 1 - i;
	}
	return PL_OK;
}

/* How the region (of a sequential device: its first zones) is divided into units, and the pattern over them. */
static int prepare_region(struct timed *t, uint64_t zones)
{
	const struct dev_caps *c = &t->dev->caps;
	const struct device_wish *w = t->w;
	uint64_t blocks = c->capacity_blocks;
	if (c->sequential) {
		t->units_per_zone = c->zone_capacity / w->size_blocks;
		t->units = t->units_per_zone * zones;
	} else {
		if (w->region_bytes / c->block_bytes > blocks)
			return pl_fault_set(t->s->f, PL_INVALID,
				"region_bytes: %" PRIu64 " bytes are more than the device's %" PRIu64, w->region_bytes,
				blocks * c->block_bytes);
		if (w->region_bytes)
			blocks = w->region_bytes / c->block_bytes;
		t->units = blocks / w->size_blocks;
	}
	t->units = pattern_usable(&w->pattern, t->units, w->size_blocks * c->block_bytes);
	if (!t->units)
		return refuse(t, "size: a request is larger than the zone or region it should go to");
	if (w->streams && c->streams < 2)
		return pl_fault_set(t->s->f, PL_INVALID,
			"streams: the device looks at no placement hints; give it some (%s.streams = 2)", w->ops->name);
	return pattern_open(&w->pattern, t->units, w->size_blocks * c->block_bytes, w->streams ? c->streams : 1,
		w->seed, &t->pattern, t->s->f);
}

static int do_request(struct timed *t, struct dev_req *r)
{
	t->s->result->submitted++;
	int err = dev_submit(t->dev, t->now_ns, r);
	while (!err && !dev_poll(t->dev, t->now_ns))
		t->now_ns = dev_next_ns(t->dev);
	return err ? err : r->status;
}

/* Write the region in order by requests that are not measured, and sync. */
static int fill_by_requests(struct timed *t)
{
	uint64_t blocks = t->units * t->w->size_blocks;
	struct dev_req r;
	int err = PL_OK;
	for (uint64_t at = 0; !err && at < blocks; at += FILL_BLOCKS) {
		r = (struct dev_req){
			.op = DEV_WRITE, .block = at, .blocks = (uint32_t)pl_min64(FILL_BLOCKS, blocks - at)};
		err = do_request(t, &r);
		if (!err && at / FILL_BLOCKS % 65536 == 0)
			err = device_session_progress(t->s, "fill", at, blocks);
	}
	r = (struct dev_req){.op = DEV_SYNC};
	if (!err)
		err = do_request(t, &r);
	return err == PL_OK || err == PL_INTERRUPTED
		       ? err
		       : pl_fault_set(t->s->f, err, "writing the device before the run failed: %s", pl_err_text(err));
}

static int fill_region(struct timed *t)
{
	const struct device_wish *w = t->w;
	enum device_start start = w->start == DEVICE_START_AUTO ? DEVICE_START_SEQ : w->start;
	uint64_t pages = t->units * w->size_blocks;
	struct pattern_text plain = {.kind = PATTERN_UNIFORM, .writers = 1};
	struct pattern *p = NULL;
	if (start == DEVICE_START_FRESH)
		return PL_OK;
	if (!dev_can_write_untimed(t->dev)) {
		if (start == DEVICE_START_RANDOM)
			return pl_fault_set(t->s->f, PL_INVALID,
				"start: device %s has no flash to age; seq and fresh are what it can start from",
				w->ops->name);
		return fill_by_requests(t);
	}
	/* page by page, where Zipf's law over larger units would be another law */
	bool same = w->size_blocks == 1 || w->pattern.kind != PATTERN_ZIPF;
	int err = pattern_open(same ? &w->pattern : &plain, pages, w->block_bytes,
		w->streams ? t->dev->caps.streams : 1, w->seed + 1, &p, t->s->f);
	if (!err)
		err = device_fill(t->s, p, PATTERN_FILL_SEQ, pages);
	if (!err && start == DEVICE_START_RANDOM)
		err = device_overwrite(t->s, p, 2 * pages, 0, 2 * pages);
	pattern_close(p);
	return err;
}

static int fill_zones(struct timed *t, uint64_t zones)
{
	int err = PL_OK;
	if (t->w->start == DEVICE_START_FRESH)
		return PL_OK;
	for (uint64_t z = 0; !err && z < zones; z++)
		err = poke(t, z, DEV_ZONE_FULL, t->dev->caps.zone_capacity);
	return err;
}

static int prepare_lanes(struct timed *t, uint64_t first_zone)
{
	const struct dev_caps *c = &t->dev->caps;
	const struct device_wish *w = t->w;
	bool append = w->ask == ASK_APPEND;
	uint64_t limit = c->max_open ? c->max_open : c->zones;
	if (c->max_active)
		limit = pl_min64(limit, c->max_active);
	t->lanes = w->zones              ? w->zones
		   : append              ? 1
		   : w->ask == ASK_MIXED ? pl_max64(1, pl_min64(w->qd, pl_min64(limit, c->zones - first_zone - 1)))
					 : w->qd;
	if (!append && w->ask != ASK_MIXED && w->qd > t->lanes)
		return pl_fault_set(t->s->f, PL_INVALID,
			"qd: a zone takes one write at a time, so %" PRIu32
			" in flight want as many zones, not %" PRIu64 " (appends may be more)",
			w->qd, t->lanes);
	if (t->lanes > limit)
		return pl_fault_set(t->s->f, PL_INVALID,
			"zones: %" PRIu64 " zones written at a time are more than the %" PRIu64
			" that the device lets be open and active",
			t->lanes, limit);
	if (t->lanes >= c->zones - first_zone)
		return pl_fault_set(t->s->f, PL_INVALID,
			"zones: %" PRIu64
			" zones written at a time want more than as many on the device, which has %" PRIu64,
			t->lanes, c->zones - first_zone);
	if (w->size_blocks > c->zone_capacity)
		return refuse(t, "size: a request is larger than a zone");
	t->first_zone = t->next_zone = first_zone;
	t->lane = calloc(t->lanes, sizeof *t->lane);
	if (!t->lane)
		return pl_fault_set(t->s->f, PL_NOMEM, "out of memory");
	for (uint64_t i = 0; i < t->lanes; i++)
		t->lane[i].zone = UINT64_MAX;
	return PL_OK;
}

static int prepare_zone_steps(struct timed *t)
{
	const struct dev_caps *c = &t->dev->caps;
	const struct device_wish *w = t->w;
	t->objects = w->zones ? w->zones : c->zones;
	t->fill_blocks = w->fill_is_bytes ? w->fill_amount / c->block_bytes : w->fill_amount * c->zone_capacity / 1000;
	if (t->objects > c->zones)
		return pl_fault_set(t->s->f, PL_INVALID, "zones: %" PRIu64 " are more than the device's %" PRIu64,
			t->objects, c->zones);
	if (w->qd > t->objects)
		return pl_fault_set(t->s->f, PL_INVALID, "qd: %" PRIu32 " in flight want as many zones, not %" PRIu64,
			w->qd, t->objects);
	if (t->fill_blocks > c->zone_capacity)
		return pl_fault_set(t->s->f, PL_INVALID,
			"fill: %" PRIu64 " blocks are more than the zone's capacity of %" PRIu64, t->fill_blocks,
			c->zone_capacity);
	if (t->fill_blocks == c->zone_capacity && w->ask != ASK_RESET)
		return refuse(t, "fill: a full zone can only be reset");
	if (w->ask == ASK_RESET && w->finished && t->fill_blocks == c->zone_capacity)
		return refuse(t, "finished: a full zone cannot be finished");
	uint32_t limit = c->max_open ? c->max_open : UINT32_MAX;
	if (c->max_active && c->max_active < limit)
		limit = c->max_active;
	if (w->qd > limit)
		return pl_fault_set(t->s->f, PL_INVALID,
			"qd: %" PRIu32 " zones at a time are more than the %" PRIu32 " that may be open and active",
			w->qd, limit);
	return PL_OK;
}

static int prepare_file_steps(struct timed *t)
{
	t->objects = t->dev->caps.files;
	t->fill_blocks = t->w->fill_amount / t->dev->caps.block_bytes;
	if (t->fill_blocks > t->dev->caps.file_blocks || t->w->size_blocks > t->dev->caps.file_blocks)
		return pl_fault_set(t->s->f, PL_INVALID,
			"fill: file and size hold at most the %" PRIu64 " blocks of a file", t->dev->caps.file_blocks);
	return PL_OK;
}

static int prepare(struct timed *t)
{
	const struct device_wish *w = t->w;
	const struct dev_caps *c = &t->dev->caps;
	int err = check_offer(t);
	if (!err)
		err = prepare_slots(t);
	if (err)
		return err;
	pl_rng_seed(&t->mix, w->seed, STREAM_MIX);
	if (w->ask >= ASK_TRUNCATE)
		err = prepare_file_steps(t);
	else if (has_steps(w->ask) && w->ask != ASK_SYNC)
		err = prepare_zone_steps(t);
	else if (c->sequential) {
		uint64_t full = w->ask == ASK_READ    ? (w->zones ? pl_min64(w->zones, c->zones) : c->zones)
				: w->ask == ASK_MIXED ? c->zones / 2
						      : 0;
		if (full)
			err = prepare_region(t, full);
		if (!err && full)
			err = fill_zones(t, full);
		if (!err && (w->ask == ASK_MIXED || w->ask == ASK_WRITE || w->ask == ASK_APPEND))
			err = prepare_lanes(t, full);
		else if (!err && w->ask == ASK_PUNCH)
			err = prepare_region(t, c->zones);
	} else {
		err = prepare_region(t, 0);
		if (!err)
			err = fill_region(t);
	}
	t->objects = pl_max64(t->objects, 1);
	for (uint32_t i = 0; !err && has_steps(w->ask) && i < w->qd; i++)
		next_object(t, &t->slot[i]);
	return err;
}

/* ---- what it came to ---- */

static void stats_minus(struct dev_stats *a, const struct dev_stats *b)
{
	for (int i = 0; i < DEV_TAGS; i++) {
		a->host_read_bytes[i] -= b->host_read_bytes[i];
		a->host_write_bytes[i] -= b->host_write_bytes[i];
		a->host_reads[i] -= b->host_reads[i];
		a->host_writes[i] -= b->host_writes[i];
	}
	a->punch_bytes -= b->punch_bytes;
	a->punches -= b->punches;
	a->syncs -= b->syncs;
	a->zone_resets -= b->zone_resets;
	a->zone_finishes -= b->zone_finishes;
	a->media_write_bytes -= b->media_write_bytes;
	a->media_moved_bytes -= b->media_moved_bytes;
	a->media_read_bytes -= b->media_read_bytes;
	a->erases -= b->erases;
	a->busy_ns -= b->busy_ns;
}

static int measure(struct timed *t)
{
	struct device_result *r = t->s->result;
	struct dev_stats before;
	int err = t->w->warm ? loop(t, "warm", t->w->warm) : PL_OK;
	if (err)
		return err;
	dev_stats(t->dev, &before);
	device_session_describe(t->s);
	struct device_counts counts = device_counts_of(r), after;
	t->measuring = true;
	uint64_t started_ns = device_wall_ns();
	err = loop(t, "run", t->w->count);
	r->measured_wall_ns = device_wall_ns() - started_ns;
	dev_stats(t->dev, &r->stats);
	stats_minus(&r->stats, &before);
	device_session_describe(t->s);
	after = device_counts_of(r);
	r->counts = device_counts_minus(&after, &counts);
	return err;
}

int device_timed(struct device_session *s)
{
	struct timed *t = calloc(1, sizeof *t);
	if (!t)
		return pl_fault_set(s->f, PL_NOMEM, "out of memory");
	*t = (struct timed){.s = s, .w = s->wish};
	s->result->tally = tally_new();
	int err = device_session_open(s, s->wish->device_bytes, NULL);
	t->dev = s->dev;
	if (!err)
		err = prepare(t);
	if (!err)
		err = measure(t);
	pattern_close(t->pattern);
	free(t->slot);
	free(t->idle);
	free(t->lane);
	free(t);
	return err;
}
