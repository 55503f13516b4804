/* zone_stream.c - placement=zone: appending to the streams' open zones, and zones becoming full and free. See zone.c. */
#include "variants/placement/zone.h"

#include <assert.h>
#include <string.h>

static void finished(struct store *s, struct pl_ctx *x, struct io *io)
{
	struct zone_stream *t = io->owner;
	(void)s;
	(void)x;
	t->finishing = false;
}

/* A zoned device is told that the rest of the zone stays empty; nothing is placed there from now on. */
static void finish(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t)
{
	if (!s->dev->caps.sequential || t->gather.next == t->end || s->failed)
		return;
	struct io *io = io_take(s);
	io->r.op = DEV_ZONE_FINISH;
	io->r.tag = DEV_TAG_META;
	io->r.block = zone_start(s, z, t->zone);
	io->owner = t;
	io->done = finished;
	t->finishing = true;
	t->end = t->gather.next;
	io_submit(s, x, io);
}

static bool busy(const struct zone_stream *t)
{
	return t->gather.in_flight[0] || t->gather.in_flight[1] || t->finishing;
}

void zone_recount(struct zones *z, uint64_t zone)
{
	uint64_t g = zone / z->group;
	bool done = true;
	for (uint64_t i = g * z->group; i < (g + 1) * z->group; i++)
		done &= z->state[i] == ZONE_FULL && (!z->zone[i].live_blocks || z->drained[i]);
	if (done && !z->done[g])
		z->ready += z->group;
	else if (!done && z->done[g])
		z->ready -= z->group;
	z->done[g] = done;
}

static void close_zone(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t)
{
	if (t->zone == ZONE_NONE)
		return;
	gather_flush(s, x, &t->gather);
	while ((t->gather.in_flight[0] || t->gather.in_flight[1]) && !s->failed)
		io_advance(s, x);
	finish(s, x, z, t);
	while (t->finishing && !s->failed)
		io_advance(s, x);
	z->state[t->zone] = ZONE_FULL;
	z->zone[t->zone].candidate = z->zone[t->zone].live_blocks > 0;
	z->zone[t->zone].closed_at = s->clock;
	z->nempty += !z->zone[t->zone].live_blocks;
	zone_recount(z, t->zone);
	t->zone = ZONE_NONE;
}

static void open_zone(struct store *s, struct zones *z, struct zone_stream *t, uint64_t i)
{
	assert(z->nfree && z->state[i] == ZONE_FREE);
	z->state[i] = ZONE_OPEN;
	z->nfree--;
	z->deaths[i] = (struct zone_deaths){0};
	z->zone[i].closed_at = z->zone[i].changed_at = 0;
	z->zone[i].death_at = CLN_NEVER;
	zone_class_opened(s, z, t);
	t->zone = i;
	t->end = zone_start(s, z, i) + z->capacity;
	gather_seek(&t->gather, zone_start(s, z, i));
}

/* The first zone of the next free group. */
static uint64_t next_free(struct zones *z)
{
	uint64_t g = z->next_free, groups = z->n / z->group;
	assert(z->nfree >= z->group);
	while (z->state[g * z->group] != ZONE_FREE)
		g = g + 1 == groups ? 0 : g + 1;
	z->next_free = g + 1 == groups ? 0 : g + 1;
	return g * z->group;
}

/* A new zone for the stream, or, where zones are written in groups, one for each. */
static void turn_over(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t)
{
	uint32_t first = zone_grouped(z) ? 0 : (uint32_t)(t - z->stream), count = z->group;
	for (uint32_t k = 0; k < count; k++)
		close_zone(s, x, z, &z->stream[first + k]);
	if (s->failed)
		return;
	uint64_t i = next_free(z);
	for (uint32_t k = 0; k < count; k++)
		open_zone(s, z, &z->stream[first + k], i + k);
}

bool zone_would_wait(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t, uint32_t n)
{
	struct gather *g = &t->gather;
	if (zone_stream_left(t) >= n)
		return g->in_flight[g->current ^ 1];
	uint32_t first = zone_grouped(z) ? 0 : (uint32_t)(t - z->stream), waits = 0;
	for (uint32_t k = first; k < first + z->group; k++) {
		t = &z->stream[k];
		if (t->zone == ZONE_NONE)
			continue;
		if (!busy(t))
			gather_flush(s, x, &t->gather);
		if (!busy(t))
			finish(s, x, z, t);
		waits += busy(t);
	}
	return waits > 0;
}

void zone_stream_continue(struct store *s, struct zones *z, struct zone_stream *t, uint64_t i, uint64_t next)
{
	z->state[i] = ZONE_OPEN;
	z->zone[i].candidate = false;
	t->zone = i;
	t->end = zone_start(s, z, i) + z->capacity;
	gather_seek(&t->gather, next);
}

/* What a cleaning policy may want to know of the image's zone. */
static void note_history(struct zones *z, uint64_t zone, const uint8_t *header, uint64_t now)
{
	uint64_t death = zone_death(header, now);
	struct cln_zone *c = &z->zone[zone];
	if (page_clock(header) <= now)
		c->changed_at = pl_max64(c->changed_at, page_clock(header));
	if (death == CLN_NEVER)
		return;
	z->deaths[zone].sum += death;
	z->deaths[zone].count++;
	c->death_at = z->deaths[zone].sum / z->deaths[zone].count;
}

pl_loc zone_append(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t, const struct plc_image *i,
	uint32_t owner)
{
	uint32_t n = gather_blocks(&t->gather, i);
	if (zone_stream_left(t) < n) {
		turn_over(s, x, z, t);
		if (s->failed)
			return loc_make(s->layout.data_start, i->img.bitmap, i->img.codec, i->generation);
	}
	if (s->packs && !(owner & ZONE_MAP_OWNER) && store_loc(s, owner).v)
		pack_drop(z->owner, z->next, loc_block(store_loc(s, owner)) - s->layout.data_start, owner);
	pl_loc loc = gather_place(s, x, &t->gather, i);
	if (s->failed)
		return loc;
	zone_own(s, z, owner, loc);
	note_history(z, t->zone, i->bytes, s->clock);
	return loc;
}

/* Images in a zone, and the blocks they will take when they are moved: what cleaning it costs. */
static void count(const struct store *s, struct zones *z, uint64_t zone, pl_loc loc, bool add)
{
	uint32_t units = loc_units(loc);
	pack_count(&z->live_in[zone], units, add);
	pack_count(&z->live, units, add);
	z->live_units += add ? units : 0 - (uint64_t)units;
	z->zone[zone].live_blocks = pl_min64(zone_takes(s, z, &z->live_in[zone]), z->capacity);
}

void zone_own(const struct store *s, struct zones *z, uint32_t owner, pl_loc loc)
{
	uint64_t b = loc_block(loc) - s->layout.data_start;
	if (s->packs && !(owner & ZONE_MAP_OWNER))
		pack_join(z->owner, z->next, b, owner);
	else
		z->owner[b] = owner;
	count(s, z, zone_of(s, z, loc_block(loc)), loc, true);
}

static void make_free(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t i)
{
	uint64_t start = zone_start(s, z, i);
	if (s->dev->caps.sequential) {
		struct io *io = io_take(s);
		io->r.op = DEV_ZONE_RESET;
		io->r.tag = DEV_TAG_META;
		io->r.block = start;
		io_submit(s, x, io);
	} else if (pl_conf_bool(s->conf, "zone.trim"))
		io_punch(s, x, start, (uint32_t)z->capacity);
	memset(z->owner + (start - s->layout.data_start), 0, z->capacity * sizeof *z->owner);
	z->nempty--;
	zone_cleaner_forget(s, z, i);
	z->state[i] = ZONE_FREE;
	z->zone[i].candidate = false;
	z->drained[i] = false;
	z->nfree++;
	zone_recount(z, i);
}

void zone_free_empty(struct store *s, struct pl_ctx *x, struct zones *z)
{
	for (uint64_t first = 0; first < z->n; first += z->group) {
		bool empty = true;
		for (uint64_t i = first; i < first + z->group; i++)
			empty &= z->state[i] == ZONE_FULL && !z->zone[i].live_blocks;
		for (uint64_t i = first; empty && i < first + z->group; i++)
			make_free(s, x, z, i);
	}
}

void zone_release(struct store *s, uint64_t id, pl_loc loc)
{
	struct zones *z = s->placement;
	uint64_t i = zone_of(s, z, loc_block(loc)), b = loc_block(loc) - s->layout.data_start;
	if (s->packs && !(z->owner[b] & ZONE_MAP_OWNER))
		pack_drop(z->owner, z->next, b, (uint32_t)id);
	else
		z->owner[b] = 0;
	assert(z->zone[i].live_blocks && z->live_units >= loc_units(loc));
	count(s, z, i, loc, false);
	z->nempty += z->state[i] == ZONE_FULL && !z->zone[i].live_blocks;
	if (!z->zone[i].live_blocks) {
		z->zone[i].candidate = false;
		zone_recount(z, i);
	}
}
