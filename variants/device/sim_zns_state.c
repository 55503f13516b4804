#include "variants/device/sim_zns_state.h"

#include "engine/base/rng.h"

#include <stdlib.h>
#include <string.h>

int zns_state_init(struct zns_state *s, const struct zns_limits *limits)
{
	*s = (struct zns_state){.limits = *limits, .oldest = ZNS_NONE, .newest = ZNS_NONE};
	s->area_words = (limits->area_blocks + 63) / 64;
	s->zone = malloc(limits->zones * sizeof *s->zone);
	s->bits = calloc((size_t)limits->areas * s->area_words + 1, sizeof *s->bits);
	s->area_free = malloc(((size_t)limits->areas + 1) * sizeof *s->area_free);
	if (!s->zone || !s->bits || !s->area_free) {
		zns_state_deinit(s);
		return PL_NOMEM;
	}
	for (uint64_t i = 0; i < limits->zones; i++)
		s->zone[i] = (struct zns_zone){.older = ZNS_NONE, .newer = ZNS_NONE, .area = ZNS_NONE};
	for (uint32_t i = 0; i < limits->areas; i++)
		s->area_free[i] = limits->areas - 1 - i;
	return PL_OK;
}

void zns_state_deinit(struct zns_state *s)
{
	free(s->zone);
	free(s->bits);
	free(s->area_free);
	s->zone = NULL;
	s->bits = NULL;
	s->area_free = NULL;
}

int zns_state_clone(struct zns_state *to, const struct zns_state *from)
{
	int err = zns_state_init(to, &from->limits);
	if (err)
		return err;
	struct zns_state mine = *to;
	*to = *from;
	to->zone = mine.zone;
	to->bits = mine.bits;
	to->area_free = mine.area_free;
	memcpy(to->zone, from->zone, from->limits.zones * sizeof *to->zone);
	memcpy(to->bits, from->bits, (size_t)from->limits.areas * from->area_words * sizeof *to->bits);
	memcpy(to->area_free, from->area_free, from->limits.areas * sizeof *to->area_free);
	return PL_OK;
}

static int refuse(struct zns_state *s, enum zns_refusal why, int err)
{
	s->refused[why]++;
	return err;
}

/* ---- the implicitly opened, least recently written first ---- */

static void list_remove(struct zns_state *s, uint32_t id)
{
	struct zns_zone *z = &s->zone[id];
	*(z->older == ZNS_NONE ? &s->oldest : &s->zone[z->older].newer) = z->newer;
	*(z->newer == ZNS_NONE ? &s->newest : &s->zone[z->newer].older) = z->older;
	z->older = z->newer = ZNS_NONE;
}

static void list_add(struct zns_state *s, uint32_t id)
{
	s->zone[id].older = s->newest;
	*(s->newest == ZNS_NONE ? &s->oldest : &s->zone[s->newest].newer) = id;
	s->newest = id;
}

/* ---- random write areas ---- */

static uint64_t *area_bits(const struct zns_state *s, const struct zns_zone *z)
{
	return s->bits + (size_t)z->area * s->area_words;
}

static bool area_holds(const struct zns_state *s, const struct zns_zone *z, uint64_t at)
{
	uint64_t bit = at % s->limits.area_blocks;
	return area_bits(s, z)[bit / 64] >> (bit % 64) & 1;
}

static uint64_t window_end(const struct zns_state *s, const struct zns_zone *z)
{
	return pl_min64(z->write_pointer + s->limits.area_blocks, s->limits.capacity);
}

static void area_release(struct zns_state *s, struct zns_zone *z)
{
	if (z->area == ZNS_NONE)
		return;
	memset(area_bits(s, z), 0, s->area_words * sizeof *s->bits);
	s->area_free[s->limits.areas - s->areas_used] = z->area;
	s->areas_used--;
	z->area = ZNS_NONE;
}

/* The pointer goes to `to`: what it passes leaves the window. Blocks it passes unwritten hold zeros from now on. */
static void area_move(struct zns_state *s, struct zns_zone *z, uint64_t to)
{
	uint64_t *bits = area_bits(s, z);
	for (uint64_t at = z->write_pointer; at < to; at++) {
		uint64_t bit = at % s->limits.area_blocks, mask = (uint64_t)1 << (bit % 64);
		bool hole = at >= z->write_pointer + s->limits.area_blocks || !(bits[bit / 64] & mask);
		s->held += hole;
		if (hole && s->hole)
			s->hole(s->hole_arg, (uint64_t)(z - s->zone), at);
		bits[bit / 64] &= ~mask;
	}
	s->area_flushed += to - z->write_pointer;
	z->write_pointer = z->written = to;
}

static void area_put(struct zns_state *s, const struct zns_zone *z, uint64_t at, uint64_t blocks)
{
	uint64_t *bits = area_bits(s, z);
	s->area_writes += blocks;
	for (uint64_t end = at + blocks; at < end; at++) {
		uint64_t bit = at % s->limits.area_blocks, mask = (uint64_t)1 << (bit % 64);
		bool again = bits[bit / 64] & mask;
		s->area_overwrites += again;
		s->held += !again;
		bits[bit / 64] |= mask;
	}
}

/* ---- states ---- */

static void become(struct zns_state *s, uint32_t id, enum dev_zone_state state)
{
	struct zns_zone *z = &s->zone[id];
	if (z->state == DEV_ZONE_IMPLICIT_OPEN)
		list_remove(s, id);
	if (state == DEV_ZONE_IMPLICIT_OPEN)
		list_add(s, id);
	s->open += (uint32_t)zns_is_open(state) - (uint32_t)zns_is_open(z->state);
	s->active += (uint32_t)zns_is_active(state) - (uint32_t)zns_is_active(z->state);
	z->state = state;
	if (!zns_is_active(state))
		area_release(s, z);
}

/* Find the resources that z, not open now, needs to be open; may close another zone. */
static int make_room(struct zns_state *s, const struct zns_zone *z)
{
	const struct zns_limits *l = &s->limits;
	if (!zns_is_active(z->state) && l->max_active && s->active >= l->max_active)
		return refuse(s, ZNS_REFUSED_ACTIVE, PL_ZONE_ACTIVE_LIMIT);
	if (!l->max_open || s->open < l->max_open)
		return PL_OK;
	if (s->oldest == ZNS_NONE)
		return refuse(s, ZNS_REFUSED_OPEN, PL_ZONE_OPEN_LIMIT);
	s->implicit_closes++;
	become(s, s->oldest, DEV_ZONE_CLOSED);
	return PL_OK;
}

static bool worn(const struct zns_state *s, uint32_t id, uint64_t mean, uint64_t kind)
{
	uint64_t draw = pl_mix64(pl_mix64(s->limits.seed ^ kind) + id);
	return mean && s->zone[id].resets >= pl_max64(mean / 2 + draw % (mean + 1), 1);
}

/* The zone is lost to writes: what its window held is gone with the area. */
static int wear_out(struct zns_state *s, uint32_t id, enum dev_zone_state state)
{
	struct zns_zone *z = &s->zone[id];
	for (uint64_t at = z->write_pointer; z->area != ZNS_NONE && at < window_end(s, z); at++)
		s->held -= area_holds(s, z, at);
	if (state == DEV_ZONE_OFFLINE) {
		s->held -= z->written;
		z->written = z->write_pointer = 0;
	}
	become(s, id, state);
	return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
}

bool zns_holds(const struct zns_state *s, const struct zns_zone *z, uint64_t at)
{
	if (at < z->write_pointer)
		return z->state != DEV_ZONE_OFFLINE;
	return z->area != ZNS_NONE && at < window_end(s, z) && area_holds(s, z, at);
}

/* Open for a write or flush that was found good. */
static int write_opens(struct zns_state *s, uint32_t id, struct zns_effect *e)
{
	struct zns_zone *z = &s->zone[id];
	if (zns_is_open(z->state)) {
		if (z->state == DEV_ZONE_IMPLICIT_OPEN && s->newest != id) {
			list_remove(s, id);
			list_add(s, id);
		}
		return PL_OK;
	}
	int err = make_room(s, z);
	if (err)
		return err;
	become(s, id, DEV_ZONE_IMPLICIT_OPEN);
	e->opened = true;
	return PL_OK;
}

static int area_write(struct zns_state *s, uint32_t id, uint64_t at, uint64_t blocks, struct zns_effect *e)
{
	const struct zns_limits *l = &s->limits;
	struct zns_zone *z = &s->zone[id];
	uint64_t end = at + blocks, window = z->write_pointer + l->area_blocks, pointer = z->write_pointer;
	if (at < pointer || end > window + l->area_blocks)
		return refuse(s, ZNS_REFUSED_POINTER, PL_ZONE_POINTER);
	if (end > l->capacity)
		return refuse(s, ZNS_REFUSED_BOUNDARY, PL_ZONE_FULL);
	int err = write_opens(s, id, e);
	if (err)
		return err;
	if (end > window) {
		uint64_t to = pl_min64(pointer + pl_div_up(end - window, l->granule) * l->granule, l->capacity);
		area_move(s, z, to);
		s->area_implicit_flushes++;
		e->programmed = to - pointer;
		/* the part of this write that the pointer passed; area_move counted it as held */
		uint64_t passed = at < to ? pl_min64(end, to) - at : 0;
		s->area_writes += passed;
		at += passed;
	}
	area_put(s, z, at, end - at);
	return PL_OK;
}

static int write_checks(struct zns_state *s, const struct zns_zone *z)
{
	if (zns_is_lost(z->state))
		return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
	if (z->state == DEV_ZONE_FULL)
		return refuse(s, ZNS_REFUSED_FULL, PL_ZONE_FULL);
	return PL_OK;
}

int zns_write(struct zns_state *s, uint64_t zone, uint64_t at, uint64_t blocks, struct zns_effect *e)
{
	uint32_t id = (uint32_t)zone;
	struct zns_zone *z = &s->zone[id];
	*e = (struct zns_effect){.at = at};
	int err = write_checks(s, z);
	if (err)
		return err;
	if (z->area != ZNS_NONE)
		return worn(s, id, s->limits.read_only_resets, 'r') ? wear_out(s, id, DEV_ZONE_READ_ONLY)
								    : area_write(s, id, at, blocks, e);
	if (at != z->write_pointer)
		return refuse(s, ZNS_REFUSED_POINTER, PL_ZONE_POINTER);
	if (blocks > s->limits.capacity - at)
		return refuse(s, ZNS_REFUSED_BOUNDARY, PL_ZONE_FULL);
	if (worn(s, id, s->limits.read_only_resets, 'r'))
		return wear_out(s, id, DEV_ZONE_READ_ONLY);
	err = write_opens(s, id, e);
	if (err)
		return err;
	e->programmed = blocks;
	s->held += blocks;
	z->write_pointer += blocks;
	z->written = z->write_pointer;
	if (z->write_pointer == s->limits.capacity)
		become(s, id, DEV_ZONE_FULL);
	return PL_OK;
}

int zns_append(struct zns_state *s, uint64_t zone, uint64_t blocks, struct zns_effect *e)
{
	const struct zns_zone *z = &s->zone[zone];
	if (z->area != ZNS_NONE)
		return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
	return zns_write(s, zone, z->write_pointer, blocks, e);
}

int zns_open(struct zns_state *s, uint64_t zone, bool area)
{
	uint32_t id = (uint32_t)zone;
	struct zns_zone *z = &s->zone[id];
	if (zns_is_lost(z->state) || z->state == DEV_ZONE_FULL)
		return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
	area = area && z->area == ZNS_NONE;
	if (area && z->state != DEV_ZONE_EMPTY)
		return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
	if (area && s->areas_used == s->limits.areas)
		return refuse(s, ZNS_REFUSED_AREA, PL_ZONE_ACTIVE_LIMIT);
	int err = zns_is_open(z->state) ? PL_OK : make_room(s, z);
	if (err)
		return err;
	become(s, id, DEV_ZONE_EXPLICIT_OPEN);
	if (area) {
		s->areas_used++;
		z->area = s->area_free[s->limits.areas - s->areas_used];
	}
	return PL_OK;
}

int zns_close(struct zns_state *s, uint64_t zone)
{
	enum dev_zone_state state = s->zone[zone].state;
	if (!zns_is_active(state))
		return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
	if (zns_is_open(state))
		become(s, (uint32_t)zone, DEV_ZONE_CLOSED);
	return PL_OK;
}

int zns_finish(struct zns_state *s, uint64_t zone, struct zns_effect *e)
{
	uint32_t id = (uint32_t)zone;
	struct zns_zone *z = &s->zone[id];
	*e = (struct zns_effect){.at = z->write_pointer};
	if (zns_is_lost(z->state))
		return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
	if (z->state == DEV_ZONE_FULL)
		return PL_OK;
	uint64_t last = z->write_pointer; /* the window's last written block is part of what was written */
	for (uint64_t at = last; z->area != ZNS_NONE && at < window_end(s, z); at++)
		if (area_holds(s, z, at))
			last = at + 1;
	if (last > z->write_pointer)
		area_move(s, z, last);
	if (z->written) { /* the rest is padded; of a zone that holds nothing, nothing is */
		e->programmed = s->limits.capacity - e->at;
		s->padded += s->limits.capacity - z->written;
	}
	z->write_pointer = s->limits.capacity;
	z->finished = true;
	become(s, id, DEV_ZONE_FULL);
	return PL_OK;
}

int zns_reset(struct zns_state *s, uint64_t zone)
{
	uint32_t id = (uint32_t)zone;
	struct zns_zone *z = &s->zone[id];
	if (zns_is_lost(z->state))
		return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
	if (z->state == DEV_ZONE_EMPTY)
		return PL_OK;
	if (worn(s, id, s->limits.offline_resets, 'o'))
		return wear_out(s, id, DEV_ZONE_OFFLINE);
	for (uint64_t at = z->write_pointer; z->area != ZNS_NONE && at < window_end(s, z); at++)
		s->held -= area_holds(s, z, at);
	s->held -= z->written;
	z->write_pointer = z->written = 0;
	z->finished = false;
	z->resets++;
	become(s, id, DEV_ZONE_EMPTY);
	return PL_OK;
}

int zns_flush(struct zns_state *s, uint64_t zone, uint64_t to, struct zns_effect *e)
{
	uint32_t id = (uint32_t)zone;
	struct zns_zone *z = &s->zone[id];
	*e = (struct zns_effect){.at = z->write_pointer};
	if (z->area == ZNS_NONE)
		return refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE);
	if (to <= z->write_pointer || to > window_end(s, z) || (to - z->write_pointer) % s->limits.granule)
		return refuse(s, ZNS_REFUSED_POINTER, PL_ZONE_POINTER);
	int err = write_opens(s, id, e);
	if (err)
		return err;
	e->programmed = to - z->write_pointer;
	area_move(s, z, to);
	if (to == s->limits.capacity)
		become(s, id, DEV_ZONE_FULL);
	return PL_OK;
}

int zns_read(struct zns_state *s, uint64_t zone)
{
	return s->zone[zone].state == DEV_ZONE_OFFLINE ? refuse(s, ZNS_REFUSED_STATE, PL_ZONE_STATE) : PL_OK;
}

int zns_force(struct zns_state *s, uint64_t zone, enum dev_zone_state state, uint64_t write_pointer)
{
	const struct zns_limits *l = &s->limits;
	uint32_t id = (uint32_t)zone;
	struct zns_zone *z = &s->zone[id];
	if (write_pointer > l->capacity || (unsigned)state > DEV_ZONE_OFFLINE ||
		(state == DEV_ZONE_EMPTY && write_pointer != 0) ||
		(state == DEV_ZONE_FULL && write_pointer != l->capacity) ||
		(zns_is_active(state) && write_pointer == l->capacity))
		return PL_INVALID;
	if (l->max_active && zns_is_active(state) && !zns_is_active(z->state) && s->active >= l->max_active)
		return PL_ZONE_ACTIVE_LIMIT;
	if (l->max_open && zns_is_open(state) && !zns_is_open(z->state) && s->open >= l->max_open)
		return PL_ZONE_OPEN_LIMIT;
	for (uint64_t at = z->write_pointer; z->area != ZNS_NONE && at < window_end(s, z); at++)
		s->held -= area_holds(s, z, at);
	s->held += write_pointer - z->written;
	area_release(s, z);
	z->write_pointer = z->written = write_pointer;
	z->finished = false;
	become(s, id, state);
	return PL_OK;
}

static const char *check_zone(const struct zns_state *s, const struct zns_zone *z)
{
	if (z->write_pointer > s->limits.capacity || z->written > z->write_pointer)
		return "invariant 2: a zone's write pointer is out of its bounds";
	if (z->state == DEV_ZONE_EMPTY && z->write_pointer)
		return "invariant 2: an empty zone's write pointer is not at its start";
	if (!zns_is_lost(z->state) && (z->state == DEV_ZONE_FULL) != (z->write_pointer == s->limits.capacity))
		return "invariant 2: a zone is full, or its write pointer at the end, but not both";
	if (z->area == ZNS_NONE)
		return NULL;
	if (!zns_is_active(z->state))
		return "invariant 4: a zone has a random write area and is not active";
	uint64_t in_window = 0, in_all = 0;
	for (uint64_t at = z->write_pointer; at < window_end(s, z); at++)
		in_window += area_holds(s, z, at);
	for (uint32_t i = 0; i < s->area_words; i++)
		in_all += (uint64_t)__builtin_popcountll(area_bits(s, z)[i]);
	return in_window == in_all ? NULL : "invariant 4: a random write area names blocks out of its window";
}

const char *zns_check(const struct zns_state *s)
{
	const struct zns_limits *l = &s->limits;
	uint64_t open = 0, active = 0, areas = 0, implicit = 0, listed = 0;
	for (uint64_t i = 0; i < l->zones; i++) {
		const struct zns_zone *z = &s->zone[i];
		const char *wrong = check_zone(s, z);
		if (wrong)
			return wrong;
		open += zns_is_open(z->state);
		active += zns_is_active(z->state);
		areas += z->area != ZNS_NONE;
		implicit += z->state == DEV_ZONE_IMPLICIT_OPEN;
	}
	for (uint32_t i = s->oldest; i != ZNS_NONE && listed <= implicit; i = s->zone[i].newer)
		listed += s->zone[i].state == DEV_ZONE_IMPLICIT_OPEN;
	if (open != s->open || active != s->active || areas != s->areas_used)
		return "invariant 1: a count differs from the zones' states";
	if ((l->max_open && open > l->max_open) || (l->max_active && active > l->max_active) || areas > l->areas)
		return "invariant 1: a limit is exceeded";
	return listed == implicit ? NULL : "invariant 3: the list does not hold the implicitly opened zones";
}
