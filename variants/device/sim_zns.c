/* sim_zns.c - a zoned SSD: the NVMe zone state machine, and the timing of a measured drive.
 *
 * Models an NVMe ZNS namespace. The defaults of the times are the WD ZN540 as measured by Doekemeijer et al.,
 * "Performance Characterization of NVMe Flash Devices with Zoned Namespaces" (CLUSTER 2023), with small zones: give
 * zone_bytes = 2G, zone_capacity_bytes = 1077M for that drive's own.
 *
 *   zone z: blocks [z * zone_blocks, z * zone_blocks + zone_capacity) can be written, at the write pointer only;
 *           the blocks from there to the next zone's start do not exist and read as zeros
 *
 *                          write, append                           last block written, finish
 *   EMPTY ------------------------------------> IMPLICIT_OPEN -------------------------------> FULL
 *     | open                    open |   ^ write, append   | close, or the device needs        ^  |
 *     v                              v   |                 v the open resource                 |  | reset (from any
 *   EXPLICIT_OPEN <---- open ------ CLOSED <---------- close ---------------- finish, full ----+  v of these)
 *   open = IMPLICIT_OPEN + EXPLICIT_OPEN <= max_open; active = open + CLOSED <= max_active             EMPTY
 *
 * When a zone is to be opened (by a write or by open) and max_open are open, the implicitly opened zone that was
 * written longest ago is closed; when there is none, PL_ZONE_OPEN_LIMIT. An empty zone also needs an active resource,
 * else PL_ZONE_ACTIVE_LIMIT. finish of an empty zone needs none. A rejected command changes nothing.
 *
 * Status of writes and appends, in the order of the checks: PL_ZONE_STATE (read only, offline), PL_ZONE_FULL,
 * PL_ZONE_POINTER (not at the pointer), PL_ZONE_FULL (more blocks than the zone has left), the two limits. A rejected
 * request completes with its status after command_ns and is not counted.
 *
 * Time. Commands of one zone that change it wait for each other in a FIFO (the zone's head). A write holds the head
 * for max(write_ns, its turn at the shared write server); an append waits for the head but does not hold it, so appends
 * overlap. The write server is one FIFO for all zones and takes max(bytes / write bandwidth, gap) for each command; a
 * command joins it when it gets the head, never earlier, so nothing is reserved for a command that waits.
 *   reset    reset_ns + reset_ns_per_mib of what was written; command_ns if nothing ever was
 *   finish   finish_empty_ns, or the rest of the capacity at finish_bytes_per_s; both hold the head only
 *   read     read_ns, and each stripe_bytes piece at its die (a FIFO) read_die_ns + read_ns_per_kib; pieces leave their
 *            dies through one read link of read_bytes_per_s. Pieces never written cost no die time
 *   sync     sync_ns: a completed write is durable
 * An erase unit is a zone: one for each reset that had something to erase.
 *
 * Invariants:
 *  1. open <= max_open, active <= max_active; both equal what the zones' states say.
 *  2. start <= write_pointer <= start + capacity; EMPTY <=> at the start and not open or closed; at the end => FULL.
 *  3. No content is stored at or above the write pointer of a zone, except out of band (poke before poke_zone), and
 *     that is never shown.
 *  4. State and content change at submission, in submission order; only the time of completion is simulated.
 *  5. media writes = host writes: there is no collection in the device.
 * Cost: 2 heap operations a write, 2 more a piece of a read. busy_ns = the write server's time + the dies' time in
 * reads.
 *
 * Left out: the dies that writes use (reads are not slowed by writes, nor resets by traffic), zone descriptors'
 * extensions, random write areas (ZRWA), read only and offline transitions of its own, wear. */
#include "engine/store/content.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

extern const struct dev_ops dev_sim_zns;

struct zone {
	uint64_t write_pointer; /* blocks from the zone's start */
	uint64_t written; /* the same, but for a finished zone what was really written */
	uint64_t touched; /* sequence of the last write or open: the least recent is closed first */
	enum dev_zone_state state;
	bool head_busy;
	struct dev_req *first, *last; /* waiting for the head */
};

struct piece { /* of a read, at a die */
	struct dev_req *req;
	uint64_t bytes;
	uint32_t next;
};

struct die { /* FIFO */
	uint32_t current, first, last;
};

struct sim_zns {
	struct dev dev; /* first: a struct dev * is a struct sim_zns * */
	struct dev_content content;
	struct zone *zone;
	uint32_t open, active;
	uint64_t touches;

	uint64_t read_ns, read_die_ns, read_ns_per_kib, write_ns, append_ns, write_gap_ns, append_gap_ns;
	uint64_t write_bytes_per_s, read_bytes_per_s, finish_bytes_per_s;
	uint64_t command_ns, open_ns, close_ns, reset_ns, reset_ns_per_mib, finish_empty_ns, sync_ns;
	uint32_t stripe_blocks, dies;

	uint64_t now_ns, submissions, event_count, inflight;
	struct dev_heap events, done;
	uint64_t write_server_ns, read_link_ns; /* busy until */
	struct die *die;
	struct piece *piece;
	uint32_t pieces_room, pieces_used, free_piece;
};

#define NONE UINT32_MAX
#define SECOND 1000000000u
/* events' items: a die, or a zone whose head is free again */
#define ITEM_DIE ((uint64_t)1 << 63)

static struct sim_zns *zns_of(struct dev *d)
{
	return (struct sim_zns *)(void *)d;
}

/* scratch of a request in flight: submission << 24 | pieces of a read outstanding; until the head takes a zone command,
 * its time is kept in done_ns. */
static void complete(struct sim_zns *s, struct dev_req *r, uint64_t done_ns)
{
	r->done_ns = done_ns;
	dev_heap_push(&s->done, done_ns, r->scratch >> 24, (uint64_t)(uintptr_t)r);
}

/* bytes at a rate, rounded up */
static uint64_t transfer_ns(uint64_t bytes, uint64_t bytes_per_s)
{
	__extension__ typedef unsigned __int128 u128;
	return (uint64_t)(((u128)bytes * SECOND + bytes_per_s - 1) / bytes_per_s);
}

static uint64_t blocks_bytes(const struct sim_zns *s, uint64_t blocks)
{
	return blocks * s->dev.caps.block_bytes;
}

/* ---- zone states ---- */

static bool is_open(enum dev_zone_state st)
{
	return st == DEV_ZONE_IMPLICIT_OPEN || st == DEV_ZONE_EXPLICIT_OPEN;
}
static bool is_active(enum dev_zone_state st)
{
	return is_open(st) || st == DEV_ZONE_CLOSED;
}

static void zone_become(struct sim_zns *s, struct zone *z, enum dev_zone_state state)
{
	s->open += (uint32_t)is_open(state) - (uint32_t)is_open(z->state);
	s->active += (uint32_t)is_active(state) - (uint32_t)is_active(z->state);
	z->state = state;
	z->touched = ++s->touches;
}

static struct zone *least_recent_implicit(struct sim_zns *s)
{
	struct zone *least = NULL;
	for (uint64_t i = 0; i < s->dev.caps.zones; i++) {
		struct zone *z = &s->zone[i];
		if (z->state == DEV_ZONE_IMPLICIT_OPEN && (!least || z->touched < least->touched))
			least = z;
	}
	return least;
}

/* Find the resources that z, not open now, needs to be open; may close another zone. */
static int zone_make_room(struct sim_zns *s, const struct zone *z)
{
	const struct dev_caps *c = &s->dev.caps;
	if (!is_active(z->state) && c->max_active && s->active >= c->max_active)
		return PL_ZONE_ACTIVE_LIMIT;
	if (!c->max_open || s->open < c->max_open)
		return PL_OK;
	struct zone *victim = least_recent_implicit(s);
	if (!victim)
		return PL_ZONE_OPEN_LIMIT;
	zone_become(s, victim, DEV_ZONE_CLOSED);
	return PL_OK;
}

static bool is_lost(const struct zone *z)
{
	return z->state == DEV_ZONE_READ_ONLY || z->state == DEV_ZONE_OFFLINE;
}

/* at: from the zone's start */
static int zone_write(struct sim_zns *s, struct zone *z, uint64_t at, uint32_t blocks)
{
	if (is_lost(z))
		return PL_ZONE_STATE;
	if (z->state == DEV_ZONE_FULL)
		return PL_ZONE_FULL;
	if (at != z->write_pointer)
		return PL_ZONE_POINTER;
	if (blocks > s->dev.caps.zone_capacity - at)
		return PL_ZONE_FULL;
	if (!is_open(z->state)) {
		int err = zone_make_room(s, z);
		if (err)
			return err;
		zone_become(s, z, DEV_ZONE_IMPLICIT_OPEN);
	}
	z->touched = ++s->touches;
	z->write_pointer += blocks;
	z->written = z->write_pointer;
	if (z->write_pointer == s->dev.caps.zone_capacity)
		zone_become(s, z, DEV_ZONE_FULL);
	return PL_OK;
}

static int zone_open(struct sim_zns *s, struct zone *z)
{
	if (is_lost(z) || z->state == DEV_ZONE_FULL)
		return PL_ZONE_STATE;
	int err = is_open(z->state) ? PL_OK : zone_make_room(s, z);
	if (!err)
		zone_become(s, z, DEV_ZONE_EXPLICIT_OPEN);
	return err;
}

static int zone_close(struct sim_zns *s, struct zone *z)
{
	if (!is_active(z->state))
		return PL_ZONE_STATE;
	if (is_open(z->state))
		zone_become(s, z, DEV_ZONE_CLOSED);
	return PL_OK;
}

static void drop_from(struct sim_zns *s, const struct zone *z, uint64_t at)
{
	uint64_t start = (uint64_t)(z - s->zone) * s->dev.caps.zone_blocks;
	dev_content_punch(&s->content, start + at, s->dev.caps.zone_blocks - at);
}

static int zone_finish(struct sim_zns *s, struct zone *z)
{
	if (is_lost(z))
		return PL_ZONE_STATE;
	if (z->state == DEV_ZONE_FULL)
		return PL_OK;
	drop_from(s, z, z->write_pointer);
	z->write_pointer = s->dev.caps.zone_capacity;
	zone_become(s, z, DEV_ZONE_FULL);
	return PL_OK;
}

static int zone_reset(struct sim_zns *s, struct zone *z)
{
	if (is_lost(z))
		return PL_ZONE_STATE;
	drop_from(s, z, 0);
	z->write_pointer = z->written = 0;
	zone_become(s, z, DEV_ZONE_EMPTY);
	return PL_OK;
}

/* ---- time ---- */

static void head_start(struct sim_zns *s, struct zone *z, struct dev_req *r)
{
	const bool append = r->op == DEV_APPEND;
	uint64_t done_ns = s->now_ns + r->done_ns;
	if ((append || r->op == DEV_WRITE) && !r->status) {
		uint64_t gap_ns = append ? s->append_gap_ns : s->write_gap_ns;
		uint64_t turn_ns = pl_max64(gap_ns, transfer_ns(blocks_bytes(s, r->blocks), s->write_bytes_per_s));
		s->write_server_ns = pl_max64(s->write_server_ns, s->now_ns) + turn_ns;
		s->dev.stats.busy_ns += turn_ns;
		done_ns = pl_max64(done_ns, s->write_server_ns);
	}
	complete(s, r, done_ns);
	z->head_busy = !append;
	if (z->head_busy)
		dev_heap_push(&s->events, done_ns, s->event_count++, (uint64_t)(z - s->zone));
}

static void head_enter(struct sim_zns *s, struct zone *z, struct dev_req *r, uint64_t takes_ns)
{
	r->done_ns = takes_ns;
	r->next = NULL;
	if (!z->head_busy) {
		head_start(s, z, r);
		return;
	}
	if (z->first)
		z->last->next = r;
	else
		z->first = r;
	z->last = r;
}

static void head_leave(struct sim_zns *s, struct zone *z)
{
	z->head_busy = false;
	while (z->first && !z->head_busy) {
		struct dev_req *r = z->first;
		z->first = r->next;
		r->next = NULL;
		head_start(s, z, r);
	}
}

static void die_start(struct sim_zns *s, uint32_t die, uint32_t id)
{
	uint64_t ns = s->read_die_ns + pl_div_up(s->piece[id].bytes * s->read_ns_per_kib, 1024);
	s->die[die].current = id;
	s->dev.stats.busy_ns += ns;
	dev_heap_push(&s->events, s->now_ns + ns, s->event_count++, ITEM_DIE | die);
}

static void die_enter(struct sim_zns *s, uint32_t die, uint32_t id)
{
	struct die *v = &s->die[die];
	s->piece[id].next = NONE;
	if (v->current == NONE) {
		die_start(s, die, id);
		return;
	}
	if (v->first == NONE)
		v->first = id;
	else
		s->piece[v->last].next = id;
	v->last = id;
}

/* The link passes a piece on while the die still delivers it, so that an idle link adds nothing. */
static void die_leave(struct sim_zns *s, uint32_t die)
{
	struct die *v = &s->die[die];
	uint32_t id = v->current;
	struct dev_req *r = s->piece[id].req;
	s->read_link_ns = pl_max64(s->read_link_ns + transfer_ns(s->piece[id].bytes, s->read_bytes_per_s), s->now_ns);
	s->piece[id].next = s->free_piece;
	s->free_piece = id;
	/* done_ns collects the greatest over the pieces; the link's time only grows, so that is the last one's */
	if ((--r->scratch & DEV_REQ_BLOCKS_MAX) == 0)
		complete(s, r, s->read_link_ns + s->read_ns);
	id = v->current = v->first;
	if (id != NONE) {
		v->first = s->piece[id].next;
		die_start(s, die, id);
	}
}

static void advance(struct sim_zns *s, uint64_t now_ns)
{
	assert(now_ns >= s->now_ns);
	while (s->events.n && s->events.due[0].at <= now_ns) {
		struct dev_due due = dev_heap_pop(&s->events);
		s->now_ns = due.at;
		if (due.item & ITEM_DIE)
			die_leave(s, (uint32_t)due.item);
		else
			head_leave(s, &s->zone[due.item]);
	}
	s->now_ns = now_ns;
}

/* ---- requests ---- */

/* A block that can hold something: below the pointer of its zone and really written, or poked. */
static bool block_shown(const struct sim_zns *s, uint64_t block)
{
	const struct dev_caps *c = &s->dev.caps;
	return block % c->zone_blocks < s->zone[block / c->zone_blocks].write_pointer;
}

static void read_shown(const struct sim_zns *s, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	dev_content_read(&s->content, block, blocks, buf);
	for (uint32_t i = 0; i < blocks; i++)
		if (!block_shown(s, block + i))
			memset(buf + blocks_bytes(s, i), 0, s->dev.caps.block_bytes);
}

/* Room for n pieces more. */
static int pieces_reserve(struct sim_zns *s, uint64_t n)
{
	uint64_t room = s->pieces_room ? s->pieces_room : 64;
	while (room < s->pieces_used + n)
		room *= 2;
	if (room > NONE - 1)
		return PL_NOMEM;
	if (room == s->pieces_room)
		return PL_OK;
	struct piece *piece = realloc(s->piece, room * sizeof *piece);
	if (!piece)
		return PL_NOMEM;
	s->piece = piece;
	s->pieces_room = (uint32_t)room;
	return PL_OK;
}

static uint32_t piece_new(struct sim_zns *s, struct dev_req *r, uint32_t blocks)
{
	uint32_t id = s->free_piece;
	if (id != NONE)
		s->free_piece = s->piece[id].next;
	else
		id = s->pieces_used++;
	s->piece[id] = (struct piece){r, blocks_bytes(s, blocks), NONE};
	return id;
}

static void submit_read(struct sim_zns *s, struct dev_req *r)
{
	const struct dev_caps *c = &s->dev.caps;
	for (uint64_t z = r->block / c->zone_blocks; z <= (r->block + r->blocks - 1) / c->zone_blocks; z++)
		if (s->zone[z].state == DEV_ZONE_OFFLINE)
			r->status = PL_ZONE_STATE;
	if (r->status) {
		complete(s, r, s->now_ns + s->command_ns);
		return;
	}
	dev_req_count(&s->dev.stats, c, r);
	read_shown(s, r->block, r->blocks, r->buf);
	for (uint64_t at = r->block, end = r->block + r->blocks; at < end;) {
		uint64_t in_zone = at % c->zone_blocks, to_zone = c->zone_blocks - in_zone;
		uint64_t n = pl_min64(end - at, pl_min64(s->stripe_blocks - in_zone % s->stripe_blocks, to_zone));
		if (block_shown(s, at)) {
			uint64_t zone = at / c->zone_blocks, die = (zone + in_zone / s->stripe_blocks) % s->dies;
			r->scratch++;
			s->dev.stats.media_read_bytes += blocks_bytes(s, n);
			die_enter(s, (uint32_t)die, piece_new(s, r, (uint32_t)n));
		}
		at += n;
	}
	if ((r->scratch & DEV_REQ_BLOCKS_MAX) == 0)
		complete(s, r, s->now_ns + s->read_ns);
}

static void submit_write(struct sim_zns *s, struct zone *z, struct dev_req *r)
{
	uint64_t start = (uint64_t)(z - s->zone) * s->dev.caps.zone_blocks;
	const bool append = r->op == DEV_APPEND;
	uint64_t at = append ? z->write_pointer : r->block - start;
	r->status = zone_write(s, z, at, r->blocks);
	if (!r->status) {
		if (append)
			r->result_block = start + at;
		r->status = dev_content_write(&s->content, start + at, r->blocks, r->buf);
		dev_req_count(&s->dev.stats, &s->dev.caps, r);
		s->dev.stats.media_write_bytes += blocks_bytes(s, r->blocks);
	}
	head_enter(s, z, r, r->status ? s->command_ns : append ? s->append_ns : s->write_ns);
}

static void submit_zone(struct sim_zns *s, struct zone *z, struct dev_req *r)
{
	const struct zone before = *z;
	uint64_t takes_ns = s->command_ns, left = s->dev.caps.zone_capacity - before.write_pointer;
	if (r->op == DEV_ZONE_OPEN) {
		r->status = zone_open(s, z);
		takes_ns = s->open_ns;
	} else if (r->op == DEV_ZONE_CLOSE) {
		r->status = zone_close(s, z);
		takes_ns = s->close_ns;
	} else if (r->op == DEV_ZONE_FINISH) {
		r->status = zone_finish(s, z);
		if (before.state != DEV_ZONE_FULL)
			takes_ns = before.written ? transfer_ns(blocks_bytes(s, left), s->finish_bytes_per_s)
						  : s->finish_empty_ns;
	} else {
		r->status = zone_reset(s, z);
		if (before.written)
			takes_ns = s->reset_ns + ((blocks_bytes(s, before.written) * s->reset_ns_per_mib) >> 20);
		s->dev.stats.erases += !r->status && before.written;
	}
	if (r->status)
		takes_ns = s->command_ns;
	else
		dev_req_count(&s->dev.stats, &s->dev.caps, r);
	head_enter(s, z, r, takes_ns);
}

static int zns_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct sim_zns *s = zns_of(d);
	int err = dev_req_check(&d->caps, r);
	if (!err)
		err = dev_heap_reserve(&s->done, s->inflight + 1);
	if (!err && r->op == DEV_READ)
		err = pieces_reserve(s, r->blocks);
	if (err)
		return err;
	advance(s, now_ns);
	s->inflight++;
	r->status = PL_OK;
	r->submit_ns = now_ns;
	r->scratch = s->submissions++ << 24;
	switch (r->op) {
	case DEV_READ:
		submit_read(s, r);
		break;
	case DEV_WRITE:
	case DEV_APPEND:
		submit_write(s, &s->zone[r->block / d->caps.zone_blocks], r);
		break;
	case DEV_SYNC:
		dev_req_count(&d->stats, &d->caps, r);
		complete(s, r, now_ns + s->sync_ns);
		break;
	case DEV_ZONE_RESET:
	case DEV_ZONE_FINISH:
	case DEV_ZONE_OPEN:
	case DEV_ZONE_CLOSE:
		submit_zone(s, &s->zone[r->block / d->caps.zone_blocks], r);
		break;
	case DEV_PUNCH:
	case DEV_OPS:
		abort(); /* not offered, so refused before */
	}
	return PL_OK;
}

static struct dev_req *zns_poll(struct dev *d, uint64_t now_ns)
{
	struct sim_zns *s = zns_of(d);
	advance(s, now_ns);
	if (dev_heap_next_ns(&s->done) > now_ns)
		return NULL;
	s->inflight--;
	return (struct dev_req *)(uintptr_t)dev_heap_pop(&s->done).item;
}

static uint64_t zns_next_ns(struct dev *d)
{
	struct sim_zns *s = zns_of(d);
	if (!s->inflight)
		return PL_NS_NEVER;
	return pl_min64(dev_heap_next_ns(&s->done), dev_heap_next_ns(&s->events));
}

static void zns_stats(struct dev *d, struct dev_stats *out)
{
	*out = d->stats;
	out->stored_bytes = zns_of(d)->content.stored_blocks * d->caps.block_bytes;
}

static int zns_zone(struct dev *d, uint64_t zone, struct dev_zone *out)
{
	struct sim_zns *s = zns_of(d);
	if (zone >= d->caps.zones)
		return PL_RANGE;
	uint64_t start = zone * d->caps.zone_blocks;
	*out = (struct dev_zone){
		start, d->caps.zone_capacity, start + s->zone[zone].write_pointer, s->zone[zone].state};
	return PL_OK;
}

static int zns_peek(struct dev *d, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	read_shown(zns_of(d), block, blocks, buf);
	return PL_OK;
}

static int zns_poke(struct dev *d, uint64_t block, uint32_t blocks, const uint8_t *buf)
{
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	if (buf)
		return dev_content_write(&zns_of(d)->content, block, blocks, buf);
	dev_content_punch(&zns_of(d)->content, block, blocks);
	return PL_OK;
}

/* Content at or above the pointer is dropped; content below may have been poked before or may be poked after. */
static int zns_poke_zone(struct dev *d, uint64_t zone, enum dev_zone_state state, uint64_t write_pointer)
{
	struct sim_zns *s = zns_of(d);
	const struct dev_caps *c = &d->caps;
	if (zone >= c->zones)
		return PL_RANGE;
	uint64_t start = zone * c->zone_blocks, at = write_pointer - start;
	if (write_pointer < start || at > c->zone_capacity || (unsigned)state > DEV_ZONE_OFFLINE)
		return PL_INVALID;
	if ((state == DEV_ZONE_EMPTY && at != 0) || (state == DEV_ZONE_FULL && at != c->zone_capacity) ||
		(is_active(state) && at == c->zone_capacity))
		return PL_INVALID;
	struct zone *z = &s->zone[zone];
	if (c->max_active && is_active(state) && !is_active(z->state) && s->active >= c->max_active)
		return PL_ZONE_ACTIVE_LIMIT;
	if (c->max_open && is_open(state) && !is_open(z->state) && s->open >= c->max_open)
		return PL_ZONE_OPEN_LIMIT;
	zone_become(s, z, state);
	z->write_pointer = z->written = at;
	drop_from(s, z, at);
	return PL_OK;
}

/* ---- opening ---- */

static const struct pl_opt zns_opts[] = {
	{"zone_bytes", PL_OPT_BYTES, "16777216", 4096, (uint64_t)1 << 40, NULL, "distance between the starts of zones"},
	{"zone_capacity_bytes", PL_OPT_BYTES, "0", 0, 0, NULL, "what can be written of a zone; 0: all of it"},
	{"max_open", PL_OPT_U64, "14", 0, 1u << 20, NULL, "zones that may be open; 0: no limit"},
	{"max_active", PL_OPT_U64, "14", 0, 1u << 20, NULL, "zones that may be open or closed; 0: no limit"},
	{"dies", PL_OPT_U64, "32", 1, 4096, NULL, "dies that reads are spread over"},
	{"stripe_bytes", PL_OPT_BYTES, "98304", 512, 1u << 30, NULL,
		"consecutive bytes of a zone on one die; rounded up to blocks"},
	{"read_ns", PL_OPT_NS, "20000", 0, 0, NULL, "latency of a read beside the flash"},
	{"read_die_ns", PL_OPT_NS, "43000", 0, 0, NULL, "time of a die for a read"},
	{"read_ns_per_kib", PL_OPT_NS, "2400", 0, 1000000, NULL, "and for each KiB of it"},
	{"read_bytes_per_s", PL_OPT_BYTES, "2684354560", 1u << 20, (uint64_t)1 << 40, NULL,
		"all reads together, a second"},
	{"write_ns", PL_OPT_NS, "11300", 0, 0, NULL, "least time of a write at its zone"},
	{"write_gap_ns", PL_OPT_NS, "5400", 0, 0, NULL, "least time between two writes, all zones together"},
	{"append_ns", PL_OPT_NS, "14800", 0, 0, NULL, "least latency of an append"},
	{"append_gap_ns", PL_OPT_NS, "7500", 0, 0, NULL, "least time between two appends, all zones together"},
	{"write_bytes_per_s", PL_OPT_BYTES, "1234803098", 1u << 20, (uint64_t)1 << 40, NULL,
		"all writes and appends together, a second"},
	{"command_ns", PL_OPT_NS, "2300", 0, 0, NULL,
		"a command that does nothing: rejected, or reset of an empty zone"},
	{"open_ns", PL_OPT_NS, "9600", 0, 0, NULL, "zone open"},
	{"close_ns", PL_OPT_NS, "11000", 0, 0, NULL, "zone close"},
	{"reset_ns", PL_OPT_NS, "1600000", 0, 0, NULL, "zone reset, if anything was written"},
	{"reset_ns_per_mib", PL_OPT_NS, "13185", 0, 0, NULL, "and for each MiB that was written (15.8 ms at 1077 MiB)"},
	{"finish_empty_ns", PL_OPT_NS, "13500", 0, 0, NULL, "finish of an empty zone"},
	{"finish_bytes_per_s", PL_OPT_BYTES, "1240000000", 1u << 20, (uint64_t)1 << 40, NULL,
		"finish of another: the rest of its capacity, a second"},
	{"sync_ns", PL_OPT_NS, "10000", 0, 0, NULL,
		"sync (assumed: the drive's memory is protected against power cuts)"},
	{NULL, PL_OPT_U64, NULL, 0, 0, NULL, NULL},
};

static int zns_geometry(struct dev_caps *caps, const struct dev_args *a, struct pl_fault *f)
{
	uint64_t zone_bytes = pl_conf_u64(a->conf, "sim_zns.zone_bytes");
	uint64_t capacity_bytes = pl_conf_u64(a->conf, "sim_zns.zone_capacity_bytes");
	*caps = (struct dev_caps){
		.block_bytes = a->block_bytes,
		.atomic_blocks = 1,
		.sequential = true,
		.zone_blocks = zone_bytes / a->block_bytes,
		.zone_capacity = (capacity_bytes ? capacity_bytes : zone_bytes) / a->block_bytes,
		.zones = a->capacity_bytes / zone_bytes,
		.max_open = (uint32_t)pl_conf_u64(a->conf, "sim_zns.max_open"),
		.max_active = (uint32_t)pl_conf_u64(a->conf, "sim_zns.max_active"),
		.append = true,
		.simulated = true,
	};
	caps->capacity_blocks = caps->zones * caps->zone_blocks;
	if (zone_bytes % a->block_bytes || capacity_bytes % a->block_bytes)
		return pl_fault_set(f, PL_INVALID,
			"sim_zns: zone_bytes = %" PRIu64 " and zone_capacity_bytes = %" PRIu64
			" must be multiples of the block of %" PRIu32 " bytes",
			zone_bytes, capacity_bytes, a->block_bytes);
	if (capacity_bytes > zone_bytes)
		return pl_fault_set(f, PL_INVALID,
			"sim_zns.zone_capacity_bytes = %" PRIu64 " exceeds sim_zns.zone_bytes = %" PRIu64,
			capacity_bytes, zone_bytes);
	if (caps->zones == 0)
		return pl_fault_set(f, PL_INVALID,
			"sim_zns: a capacity of %" PRIu64 " bytes holds no zone of %" PRIu64
			" bytes; make sim_zns.zone_bytes smaller",
			a->capacity_bytes, zone_bytes);
	if (caps->max_active && (!caps->max_open || caps->max_open > caps->max_active))
		return pl_fault_set(f, PL_INVALID,
			"sim_zns: max_open = %" PRIu32 " must not exceed max_active = %" PRIu32
			" (0: no limit): an open zone is active",
			caps->max_open, caps->max_active);
	return PL_OK;
}

static void zns_times(struct sim_zns *s, const struct pl_conf *c)
{
	s->read_ns = pl_conf_u64(c, "sim_zns.read_ns");
	s->read_die_ns = pl_conf_u64(c, "sim_zns.read_die_ns");
	s->read_ns_per_kib = pl_conf_u64(c, "sim_zns.read_ns_per_kib");
	s->read_bytes_per_s = pl_conf_u64(c, "sim_zns.read_bytes_per_s");
	s->write_ns = pl_conf_u64(c, "sim_zns.write_ns");
	s->write_gap_ns = pl_conf_u64(c, "sim_zns.write_gap_ns");
	s->append_ns = pl_conf_u64(c, "sim_zns.append_ns");
	s->append_gap_ns = pl_conf_u64(c, "sim_zns.append_gap_ns");
	s->write_bytes_per_s = pl_conf_u64(c, "sim_zns.write_bytes_per_s");
	s->command_ns = pl_conf_u64(c, "sim_zns.command_ns");
	s->open_ns = pl_conf_u64(c, "sim_zns.open_ns");
	s->close_ns = pl_conf_u64(c, "sim_zns.close_ns");
	s->reset_ns = pl_conf_u64(c, "sim_zns.reset_ns");
	s->reset_ns_per_mib = pl_conf_u64(c, "sim_zns.reset_ns_per_mib");
	s->finish_empty_ns = pl_conf_u64(c, "sim_zns.finish_empty_ns");
	s->finish_bytes_per_s = pl_conf_u64(c, "sim_zns.finish_bytes_per_s");
	s->sync_ns = pl_conf_u64(c, "sim_zns.sync_ns");
}

static void zns_close(struct dev *d)
{
	struct sim_zns *s = zns_of(d);
	dev_content_deinit(&s->content);
	dev_heap_deinit(&s->events);
	dev_heap_deinit(&s->done);
	free(s->zone);
	free(s->die);
	free(s->piece);
	free(s);
}

static int zns_open(const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	int err = dev_args_check("sim_zns", a, f);
	if (err)
		return err;
	struct dev_caps caps;
	err = zns_geometry(&caps, a, f);
	if (err)
		return err;
	struct sim_zns *s = calloc(1, sizeof *s);
	if (!s)
		return pl_fault_set(f, PL_NOMEM, "device sim_zns: out of memory");
	s->dev.ops = &dev_sim_zns;
	s->dev.caps = caps;
	s->stripe_blocks = (uint32_t)pl_div_up(pl_conf_u64(a->conf, "sim_zns.stripe_bytes"), a->block_bytes);
	s->dies = (uint32_t)pl_conf_u64(a->conf, "sim_zns.dies");
	s->free_piece = NONE;
	zns_times(s, a->conf);
	err = dev_content_init(&s->content, caps.block_bytes, caps.capacity_blocks);
	if (!err) /* a die and a zone's head have one event at most */
		err = dev_heap_reserve(&s->events, s->dies + caps.zones);
	s->zone = calloc(caps.zones, sizeof *s->zone);
	s->die = calloc(s->dies, sizeof *s->die);
	if (err || !s->zone || !s->die) {
		zns_close(&s->dev);
		return pl_fault_set(f, PL_NOMEM, "device sim_zns: no memory for %" PRIu64 " zones", caps.zones);
	}
	for (uint32_t i = 0; i < s->dies; i++)
		s->die[i] = (struct die){NONE, NONE, NONE};
	*out = &s->dev;
	return PL_OK;
}

const struct dev_ops dev_sim_zns = {
	.sequential = true,
	.name = "sim_zns",
	.summary = "simulated zoned SSD: NVMe zone states and limits, times of a WD ZN540",
	.opts = zns_opts,
	.open = zns_open,
	.close = zns_close,
	.submit = zns_submit,
	.poll = zns_poll,
	.next_ns = zns_next_ns,
	.zone = zns_zone,
	.stats = zns_stats,
	.peek = zns_peek,
	.poke = zns_poke,
	.poke_zone = zns_poke_zone,
};
