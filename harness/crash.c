#include "harness/crash.h"

#include "engine/base/rng.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX

static void *must(void *p)
{
	if (!p) {
		(void)fputs("crash: out of memory\n", stderr);
		abort();
	}
	return p;
}

/* --- recording ------------------------------------------------------------------------------------------------- */

struct recorder {
	struct dev base;
	struct dev *inner;
	struct crash_trace *trace;
	uint64_t last_ns;
	uint64_t power_left; /* submissions until the power goes; NEVER: it stays */
	struct dev_req *dead; /* submitted without power, oldest first */
	struct dev_req **tail;
	struct {
		struct dev_req *req;
		uint64_t request;
	} * flight; /* in flight, unordered */
	uint64_t nflight, flight_room;
};

void crash_trace_init(struct crash_trace *t)
{
	memset(t, 0, sizeof *t);
}

void crash_trace_free(struct crash_trace *t)
{
	for (uint64_t i = 0; i < t->requests; i++)
		free(t->request[i].data);
	free(t->request);
	free(t->event);
	memset(t, 0, sizeof *t);
}

static void breach(struct recorder *d, const char *what, const struct dev_req *r)
{
	if (!d->trace->violation[0])
		(void)snprintf(d->trace->violation, sizeof d->trace->violation,
			"%s (event %" PRIu64 ": op %d, tag %s, block %" PRIu64 "+%" PRIu32 ")", what, d->trace->events,
			(int)r->op, dev_tag_name[r->tag], r->block, r->blocks);
}

static void note_event(struct crash_trace *t, uint64_t request, bool polled)
{
	if (t->events == t->events_room) {
		t->events_room = t->events_room ? t->events_room * 2 : 256;
		t->event = must(realloc(t->event, t->events_room * sizeof *t->event));
	}
	t->event[t->events++] = (struct crash_event){request, polled};
}

static bool changes(enum dev_op op)
{
	return op == DEV_WRITE || op == DEV_APPEND || op == DEV_PUNCH;
}

static bool overlaps(const struct dev_caps *c, const struct dev_req *a, const struct dev_req *b)
{
	if (a->op == DEV_APPEND && b->op == DEV_APPEND)
		return false;
	uint64_t na = a->op == DEV_APPEND ? c->zone_blocks : a->blocks,
		 nb = b->op == DEV_APPEND ? c->zone_blocks : b->blocks;
	return a->block < b->block + nb && b->block < a->block + na;
}

static void watch_submission(struct recorder *d, uint64_t now_ns, const struct dev_req *r)
{
	if (now_ns < d->last_ns)
		breach(d, "time runs backwards", r);
	d->last_ns = now_ns;
	if (!changes(r->op))
		return;
	for (uint64_t i = 0; i < d->nflight; i++)
		if (changes(d->flight[i].req->op) && overlaps(&d->base.caps, r, d->flight[i].req))
			breach(d, "overlapping writes in flight together", r);
}

static uint64_t record(struct recorder *d, const struct dev_req *r)
{
	struct crash_trace *t = d->trace;
	if (t->requests == t->requests_room) {
		t->requests_room = t->requests_room ? t->requests_room * 2 : 256;
		t->request = must(realloc(t->request, t->requests_room * sizeof *t->request));
	}
	struct crash_request *q = &t->request[t->requests];
	*q = (struct crash_request){.op = r->op, .tag = r->tag, .block = r->block, .blocks = r->blocks};
	q->submitted = t->events + 1;
	q->polled = NEVER;
	if (r->op == DEV_WRITE || r->op == DEV_APPEND) {
		size_t n = (size_t)r->blocks * t->caps.block_bytes;
		q->data = must(malloc(n ? n : 1));
		memcpy(q->data, r->buf, n);
	}
	note_event(t, t->requests, false);
	return t->requests++;
}

static void fly(struct recorder *d, struct dev_req *r, uint64_t request)
{
	if (d->nflight == d->flight_room) {
		d->flight_room = d->flight_room ? d->flight_room * 2 : 64;
		d->flight = must(realloc(d->flight, d->flight_room * sizeof *d->flight));
	}
	d->flight[d->nflight].req = r;
	d->flight[d->nflight++].request = request;
}

static int recorder_submit(struct dev *dev, uint64_t now_ns, struct dev_req *r)
{
	struct recorder *d = (struct recorder *)dev;
	if (d->power_left == 0) {
		r->next = NULL;
		r->submit_ns = now_ns;
		*d->tail = r;
		d->tail = &r->next;
		return PL_OK;
	}
	if (d->power_left != NEVER)
		d->power_left--;
	watch_submission(d, now_ns, r);
	int err = dev_submit(d->inner, now_ns, r);
	if (!err)
		fly(d, r, record(d, r));
	return err;
}

static void land(struct recorder *d, struct dev_req *r)
{
	struct crash_trace *t = d->trace;
	uint64_t i = 0;
	while (i < d->nflight && d->flight[i].req != r)
		i++;
	assert(i < d->nflight);
	uint64_t request = d->flight[i].request;
	d->flight[i] = d->flight[--d->nflight];
	if (d->power_left == 0) {
		r->status = PL_CRASHED;
		return;
	}
	struct crash_request *q = &t->request[request];
	if (q->data && memcmp(q->data, r->buf, (size_t)r->blocks * t->caps.block_bytes) != 0)
		breach(d, "a buffer was changed while its request was in flight", r);
	note_event(t, request, true);
	q->polled = t->events;
	q->status = r->status;
	if (r->op == DEV_APPEND)
		q->block = r->result_block;
	if (r->op == DEV_SYNC && !r->status)
		t->syncs++;
}

static struct dev_req *recorder_poll(struct dev *dev, uint64_t now_ns)
{
	struct recorder *d = (struct recorder *)dev;
	if (now_ns > d->last_ns)
		d->last_ns = now_ns;
	struct dev_req *r = dev_poll(d->inner, now_ns);
	if (r) {
		land(d, r);
		return r;
	}
	r = d->dead;
	if (!r)
		return NULL;
	d->dead = r->next;
	if (!d->dead)
		d->tail = &d->dead;
	r->status = PL_CRASHED;
	r->done_ns = now_ns;
	return r;
}

static uint64_t recorder_next_ns(struct dev *dev)
{
	struct recorder *d = (struct recorder *)dev;
	return d->dead ? pl_min64(d->dead->submit_ns, dev_next_ns(d->inner)) : dev_next_ns(d->inner);
}

static int recorder_zone(struct dev *dev, uint64_t zone, struct dev_zone *out)
{
	return dev_zone(((struct recorder *)dev)->inner, zone, out);
}

static void recorder_stats(struct dev *dev, struct dev_stats *out)
{
	dev_stats(((struct recorder *)dev)->inner, out);
}

static void recorder_close(struct dev *dev)
{
	struct recorder *d = (struct recorder *)dev;
	dev_close(d->inner);
	free(d->flight);
	free(d);
}

static int recorder_peek(struct dev *dev, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	struct dev *inner = ((struct recorder *)dev)->inner;
	return inner->ops->peek ? inner->ops->peek(inner, block, blocks, buf) : PL_UNSUPPORTED;
}

static int recorder_poke(struct dev *dev, uint64_t block, uint32_t blocks, const uint8_t *buf)
{
	struct dev *inner = ((struct recorder *)dev)->inner;
	return inner->ops->poke ? inner->ops->poke(inner, block, blocks, buf) : PL_UNSUPPORTED;
}

static int recorder_poke_zone(struct dev *dev, uint64_t zone, enum dev_zone_state state, uint64_t write_pointer)
{
	struct dev *inner = ((struct recorder *)dev)->inner;
	return inner->ops->poke_zone ? inner->ops->poke_zone(inner, zone, state, write_pointer) : PL_UNSUPPORTED;
}

/* Not in the registry: it is opened by wrapping, never by name. */
static const struct dev_ops recorder_ops = {
	.name = "recorder",
	.summary = "remembers every request of the device it wraps",
	.close = recorder_close,
	.submit = recorder_submit,
	.poll = recorder_poll,
	.next_ns = recorder_next_ns,
	.zone = recorder_zone,
	.stats = recorder_stats,
	.peek = recorder_peek,
	.poke = recorder_poke,
	.poke_zone = recorder_poke_zone,
};

int crash_wrap(struct dev *inner, struct crash_trace *t, uint32_t atomic_blocks, struct dev **out)
{
	struct recorder *d = calloc(1, sizeof *d);
	if (!d)
		return PL_NOMEM;
	d->base.ops = &recorder_ops;
	d->base.caps = inner->caps;
	if (atomic_blocks < d->base.caps.atomic_blocks)
		d->base.caps.atomic_blocks = atomic_blocks;
	d->inner = inner;
	d->trace = t;
	d->power_left = NEVER;
	d->tail = &d->dead;
	t->caps = d->base.caps;
	*out = &d->base;
	return PL_OK;
}

void crash_power_off(struct dev *wrapped, uint64_t after_submissions)
{
	assert(wrapped->ops == &recorder_ops);
	((struct recorder *)wrapped)->power_left = after_submissions;
}

/* --- content --------------------------------------------------------------------------------------------------- */

static void content_init(struct crash_content *c, const struct dev_caps *caps)
{
	c->block = must(calloc(caps->capacity_blocks + 1, sizeof *c->block));
	c->write_pointer = must(calloc(caps->zones + 1, sizeof *c->write_pointer));
	for (uint64_t z = 0; z < caps->zones; z++)
		c->write_pointer[z] = z * caps->zone_blocks;
}

static void content_copy(struct crash_content *to, const struct crash_content *from, const struct dev_caps *caps)
{
	content_init(to, caps);
	memcpy(to->block, from->block, caps->capacity_blocks * sizeof *to->block);
	memcpy(to->write_pointer, from->write_pointer, caps->zones * sizeof *to->write_pointer);
}

static void content_free(struct crash_content *c)
{
	free(c->block);
	free(c->write_pointer);
}

/* A request as it is when all of it happened; of a write only the first `blocks`. */
static void content_apply(
	struct crash_content *c, const struct dev_caps *caps, const struct crash_request *r, uint32_t blocks)
{
	uint64_t z = caps->zones ? r->block / caps->zone_blocks : 0;
	if (r->op == DEV_WRITE || r->op == DEV_APPEND) {
		for (uint32_t i = 0; i < blocks; i++)
			c->block[r->block + i] = r->data + (size_t)i * caps->block_bytes;
		if (caps->sequential)
			c->write_pointer[z] = r->block + blocks;
	} else if (r->op == DEV_PUNCH) {
		for (uint32_t i = 0; i < blocks; i++)
			c->block[r->block + i] = NULL;
	} else if (r->op == DEV_ZONE_RESET) {
		for (uint64_t i = 0; i < caps->zone_blocks && z * caps->zone_blocks + i < caps->capacity_blocks; i++)
			c->block[z * caps->zone_blocks + i] = NULL;
		c->write_pointer[z] = z * caps->zone_blocks;
	} else if (r->op == DEV_ZONE_FINISH) {
		c->write_pointer[z] = z * caps->zone_blocks + caps->zone_capacity;
	}
}

void crash_image_init(struct crash_image *i, const struct dev_caps *caps)
{
	memset(i, 0, sizeof *i);
	i->caps = *caps;
	content_init(&i->now, caps);
	content_init(&i->durable, caps);
}

void crash_image_free(struct crash_image *i)
{
	content_free(&i->now);
	content_free(&i->durable);
	for (uint64_t k = 0; k < i->ntorn; k++)
		free(i->torn[k]);
	free(i->torn);
	free(i->pending);
	memset(i, 0, sizeof *i);
}

/* --- walking --------------------------------------------------------------------------------------------------- */

void crash_cursor_init(struct crash_cursor *c, const struct crash_trace *t, const struct crash_image *start)
{
	memset(c, 0, sizeof *c);
	c->trace = t;
	if (!start) {
		content_init(&c->durable, &t->caps);
		return;
	}
	assert(start->caps.capacity_blocks == t->caps.capacity_blocks);
	content_copy(&c->durable, &start->durable, &t->caps);
	c->room = start->npending;
	c->npending = start->npending;
	c->pending = must(calloc(c->room + 1, sizeof *c->pending));
	for (uint64_t i = 0; i < c->npending; i++)
		c->pending[i] = (struct crash_pending){start->pending[i].request, 0};
}

void crash_cursor_free(struct crash_cursor *c)
{
	content_free(&c->durable);
	free(c->pending);
	memset(c, 0, sizeof *c);
}

static uint64_t zone_of(const struct crash_cursor *c, const struct crash_request *r)
{
	return r->block / c->trace->caps.zone_blocks;
}

/* Pending requests stay in the order in which they take effect: that of submission; appends of a zone that were in
 * flight together in the order in which they landed. */
static void add_pending(struct crash_cursor *c, const struct crash_request *r)
{
	if (r->op == DEV_READ || r->op == DEV_SYNC || r->op == DEV_ZONE_OPEN || r->op == DEV_ZONE_CLOSE)
		return;
	if ((r->polled != NEVER && r->status) || (r->op == DEV_APPEND && r->polled == NEVER))
		return;
	if (c->npending == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		c->pending = must(realloc(c->pending, c->room * sizeof *c->pending));
	}
	uint64_t at = c->npending++;
	while (r->op == DEV_APPEND && at > 0 && c->pending[at - 1].request->op == DEV_APPEND &&
		zone_of(c, c->pending[at - 1].request) == zone_of(c, r) &&
		c->pending[at - 1].request->block > r->block) {
		c->pending[at] = c->pending[at - 1];
		at--;
	}
	c->pending[at] = (struct crash_pending){r, NEVER};
}

/* A sync that was submitted at event `since` is known complete. In a zone everything before a durable request is. */
static void make_durable(struct crash_cursor *c, uint64_t since)
{
	const struct dev_caps *caps = &c->trace->caps;
	uint64_t kept = 0;
	for (uint64_t i = 0; i < c->npending; i++) {
		bool durable = c->pending[i].polled < since;
		for (uint64_t k = i + 1; caps->sequential && !durable && k < c->npending; k++)
			durable = c->pending[k].polled < since &&
				  zone_of(c, c->pending[k].request) == zone_of(c, c->pending[i].request);
		if (durable)
			content_apply(&c->durable, caps, c->pending[i].request, c->pending[i].request->blocks);
		else
			c->pending[kept++] = c->pending[i];
	}
	c->npending = kept;
}

void crash_cursor_advance(struct crash_cursor *c, uint64_t event)
{
	assert(event >= c->at && event <= c->trace->events);
	while (c->at < event) {
		const struct crash_event *e = &c->trace->event[c->at++];
		const struct crash_request *r = &c->trace->request[e->request];
		if (!e->polled) {
			add_pending(c, r);
		} else if (r->op == DEV_SYNC) {
			if (!r->status)
				make_durable(c, r->submitted);
		} else {
			for (uint64_t i = 0; i < c->npending; i++)
				if (c->pending[i].request == r)
					c->pending[i].polled = c->at;
		}
	}
}

/* --- cutting --------------------------------------------------------------------------------------------------- */

enum style { NOTHING, EVERYTHING, HALF, TORN, PREFIX, SUFFIX, ALONE, ALL_BUT_ONE, RARE, STYLES };

struct dice {
	struct pl_rng rng;
	enum style style;
	uint64_t mark; /* of a prefix, suffix, single one */
};

uint64_t crash_torn(uint64_t n)
{
	return (n + 1) * (STYLES - HALF) + (TORN - HALF);
}

static struct dice dice_of(const struct crash_cursor *c, uint64_t subset)
{
	struct dice d = {.style = subset == 0 ? NOTHING : EVERYTHING};
	pl_rng_seed(&d.rng, subset, c->at);
	if (subset >= 2)
		d.style = (enum style)(HALF + (int)(subset % (STYLES - HALF)));
	d.mark = c->npending ? pl_rng_below(&d.rng, c->npending) : 0;
	return d;
}

static bool kept(struct dice *d, uint64_t i)
{
	switch (d->style) {
	case NOTHING:
		return false;
	case EVERYTHING:
		return true;
	case PREFIX:
		return i <= d->mark;
	case SUFFIX:
		return i >= d->mark;
	case ALONE:
		return i == d->mark;
	case ALL_BUT_ONE:
		return i != d->mark;
	case RARE:
		return pl_rng_below(&d->rng, 8) == 0;
	case HALF:
	case TORN:
	case STYLES:
		break;
	}
	return pl_rng_below(&d->rng, 2) == 0;
}

static bool atomic(const struct dev_caps *caps, const struct crash_request *r)
{
	return caps->atomic_blocks && r->blocks <= caps->atomic_blocks &&
	       r->block / caps->atomic_blocks == (r->block + r->blocks - 1) / caps->atomic_blocks;
}

/* One block of which only some sectors were written, as the draw says. */
static void tear_block(struct crash_image *o, uint64_t block, const uint8_t *data, const uint8_t *written)
{
	uint32_t bytes = o->caps.block_bytes, sectors = bytes / o->sector_bytes, n = 0;
	for (uint32_t s = 0; s < sectors; s++)
		n += written[s];
	if (n == sectors)
		o->now.block[block] = data;
	if (n == sectors || n == 0)
		return;
	uint8_t *mixed = must(calloc(1, bytes));
	if (o->now.block[block])
		memcpy(mixed, o->now.block[block], bytes);
	for (uint32_t s = 0; s < sectors; s++)
		if (written[s])
			memcpy(mixed + s * o->sector_bytes, data + s * o->sector_bytes, o->sector_bytes);
	if ((o->ntorn & (o->ntorn + 1)) == 0) /* 0, 1, 3, 7, ...: double */
		o->torn = must(realloc(o->torn, (2 * o->ntorn + 2) * sizeof *o->torn));
	o->torn[o->ntorn++] = mixed;
	o->now.block[block] = mixed;
}

enum { BEGINNING, END, BLOCKS, SECTORS, WAYS };

static void tear(struct crash_image *o, const struct crash_request *r, struct pl_rng *rng)
{
	uint32_t sectors = o->caps.block_bytes / o->sector_bytes;
	uint64_t total = (uint64_t)r->blocks * sectors, way = pl_rng_below(rng, WAYS),
		 cut = pl_rng_below(rng, total + 1);
	uint8_t *written = must(malloc(sectors));
	for (uint32_t i = 0; i < r->blocks; i++) {
		bool whole = pl_rng_below(rng, 2);
		for (uint32_t s = 0; s < sectors; s++) {
			bool below = (uint64_t)i * sectors + s < cut;
			written[s] = way == BEGINNING ? below
				     : way == END     ? !below
				     : way == BLOCKS  ? whole
						      : pl_rng_below(rng, 2) != 0;
		}
		tear_block(o, r->block + i, r->data + (size_t)i * o->caps.block_bytes, written);
	}
	free(written);
}

static void cut_conventional(const struct crash_cursor *c, struct dice *d, struct crash_image *o)
{
	for (uint64_t i = 0; i < c->npending; i++) {
		const struct crash_request *r = c->pending[i].request;
		if (r->op == DEV_PUNCH && d->style == TORN) {
			for (uint32_t b = 0; b < r->blocks; b++)
				if (pl_rng_below(&d->rng, 2))
					o->now.block[r->block + b] = NULL;
			continue;
		}
		bool keep = kept(d, i);
		if (r->op == DEV_WRITE && d->style == TORN && !atomic(&o->caps, r) && pl_rng_below(&d->rng, 4))
			tear(o, r, &d->rng);
		else if (keep)
			content_apply(&o->now, &o->caps, r, r->blocks);
	}
}

/* Per zone a prefix: its length is where the style first says no, or uniform. */
static void cut_zone(const struct crash_cursor *c, struct dice *d, uint64_t zone, struct crash_image *o)
{
	uint64_t n = 0;
	for (uint64_t i = 0; i < c->npending; i++)
		n += zone_of(c, c->pending[i].request) == zone;
	uint64_t length = d->style == NOTHING ? 0 : d->style == EVERYTHING ? n : pl_rng_below(&d->rng, n + 1);
	if ((d->style == SUFFIX || d->style == ALONE || d->style == RARE) && pl_rng_below(&d->rng, 2))
		length = pl_rng_below(&d->rng, 2) ? n : 0; /* whole zones early or late */
	uint64_t seen = 0;
	for (uint64_t i = 0; i < c->npending && seen <= length; i++) {
		const struct crash_request *r = c->pending[i].request;
		if (zone_of(c, r) != zone)
			continue;
		if (seen++ < length)
			content_apply(&o->now, &o->caps, r, r->blocks);
		else if ((r->op == DEV_WRITE || r->op == DEV_APPEND) && d->style != NOTHING && !atomic(&o->caps, r))
			content_apply(&o->now, &o->caps, r, (uint32_t)pl_rng_below(&d->rng, r->blocks));
	}
}

/* A dead process: what was polled is there, what was not may be; all of it stays pending. */
static void cut_process(const struct crash_cursor *c, struct dice *d, struct crash_image *o)
{
	const struct dev_caps *caps = &o->caps;
	bool *stopped = must(calloc(caps->zones + 1, sizeof *stopped));
	o->pending = must(calloc(c->npending + 1, sizeof *o->pending));
	for (uint64_t i = 0; i < c->npending; i++) {
		const struct crash_pending *p = &c->pending[i];
		uint64_t z = caps->sequential ? zone_of(c, p->request) : 0;
		if ((p->polled == NEVER && !kept(d, i)) || stopped[z]) {
			stopped[z] = caps->sequential;
			continue;
		}
		content_apply(&o->now, caps, p->request, p->request->blocks);
		o->pending[o->npending++] = (struct crash_pending){p->request, 0};
	}
	free(stopped);
}

void crash_cut(const struct crash_cursor *c, enum crash_kind kind, uint64_t subset, struct crash_image *out)
{
	const struct dev_caps *caps = &c->trace->caps;
	struct dice d = dice_of(c, subset);
	memset(out, 0, sizeof *out);
	out->caps = *caps;
	out->sector_bytes = c->trace->sector_bytes ? c->trace->sector_bytes : CRASH_SECTOR_BYTES;
	content_copy(&out->now, &c->durable, caps);
	if (kind == CRASH_KILL) {
		content_copy(&out->durable, &c->durable, caps);
		cut_process(c, &d, out);
		return;
	}
	if (caps->sequential)
		for (uint64_t z = 0; z < caps->zones; z++)
			cut_zone(c, &d, z, out);
	else
		cut_conventional(c, &d, out);
	content_copy(&out->durable, &out->now, caps);
}

int crash_load(struct dev *d, const struct crash_image *i)
{
	if (!d->ops->poke || (i->caps.sequential && !d->ops->poke_zone))
		return PL_UNSUPPORTED;
	int err = PL_OK;
	for (uint64_t b = 0; b < i->caps.capacity_blocks && !err; b++)
		if (i->now.block[b])
			err = d->ops->poke(d, b, 1, i->now.block[b]);
	for (uint64_t z = 0; i->caps.sequential && z < i->caps.zones && !err; z++) {
		uint64_t start = z * i->caps.zone_blocks, wp = i->now.write_pointer[z];
		enum dev_zone_state state = wp == start                           ? DEV_ZONE_EMPTY
					    : wp == start + i->caps.zone_capacity ? DEV_ZONE_FULL
										  : DEV_ZONE_CLOSED;
		err = d->ops->poke_zone(d, z, state, wp);
	}
	return err;
}
