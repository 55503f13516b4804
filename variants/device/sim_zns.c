/* sim_zns.c - a zoned SSD: the NVMe zone state machine (sim_zns_state.h), and the timing of a measured drive.
 *
 * The defaults of the times are the WD Ultrastar DC ZN540 as measured by K. Doekemeijer, N. Tehrany,
 * B. Chandrasekaran, M. Bjorling and A. Trivedi, "Performance Characterization of NVMe Flash Devices with Zoned
 * Namespaces (ZNS)", IEEE CLUSTER 2023 (raw fio results: github.com/stonet-research/NVMeBenchmarks); its flash is that
 * of NVMeVirt's configuration of the drive (github.com/snu-csl/nvmevirt, ssd_config.h). The default zones are small:
 * harness/devices/zn540.ini has the drive's own geometry and the source of every number.
 *
 *   zone z: blocks [z * zone_blocks, z * zone_blocks + zone_capacity) can be written; the blocks from there to the
 *           next zone's start do not exist and read as zeros
 *   unit u: stripe_bytes of a zone, one program of one die: die (first + u % dies_per_zone) % dies, with
 *           first = z * dies_per_zone, or z when a zone has all dies; die d is on channel d % channels
 *
 * Time. Commands of one zone that change it wait for each other in a FIFO (the zone's head).
 *   write    max(write_ns + write_ns_per_kib, its turn), and holds the head; its turn is at one FIFO server for all
 *            zones, max(bytes / write_bytes_per_s, write_gap_ns). first_write_ns more when it opens the zone.
 *            It waits while the zone's write_buffer_bytes are taken by units that are not programmed yet
 *   append   the same with append_ns, append_gap_ns, first_append_ns, but waits for the head without holding it
 *   program  program_ns of a unit's die, from when the unit is complete in the buffer
 *   read     one FIFO server for all, max(bytes / read_bytes_per_s, read_gap_ns); then each page or part of one at its
 *            die: read_die_ns, by page of the unit +- read_spread_ns in turn (lower, middle, upper), and the die still
 *            held, bytes / channel_bytes_per_s of the die's channel (a FIFO); then read_ns. What the zone's buffer still
 *            holds, and what was never written, takes no die
 *   reset    command_ns when the zone is empty; else reset_ns, then on each of the zone's dies, for w = what was really
 *            written / reset_full_bytes: reset_erase_ns + reset_full_ns * (w after finish, sqrt(w) without)
 *   finish   finish_empty_ns; else the rest of the capacity, rounded up to rows (a unit on each die of the zone), at
 *            finish_bytes_per_s or what the dies can program if that is less; the padding is programmed on the dies
 *   open, close, flush, sync, refused: open_ns, close_ns, flush_ns and the turn of what it programs, sync_ns, command_ns
 * A die takes reads first, then programs, then padding, one at a time and to the end; it erases only when it has none
 * of these. Whatever comes interrupts an erase at once and sets it back by half of what it did since it last went on,
 * erase_setback_ns at most. So I/O slows resets and resets do not slow I/O; but an erase that has not run for 10 ms
 * gets 1 ms undisturbed, so that no load can hold up a reset forever.
 * Random write area: a write to it costs its latency and a turn without bytes and does not hold the head; the bytes
 * have their turn when the pointer passes them.
 *
 * Invariants:
 *  1. Those of sim_zns_state.h.
 *  2. No content is stored at or above a zone's write pointer, but in its random write area and out of band (poke
 *     before poke_zone); what was poked there is never shown.
 *  3. State, content and counters change at submission, in submission order; only the time of completion is simulated.
 *  4. media_write_bytes = blocks that pointers have passed: written, flushed out of a random write area (what was
 *     overwritten in it is not programmed, so less than the host wrote is possible) or padded by finish (so more is).
 *  5. A die does one thing at a time and has one event, and one for an interrupted erase; events never go back in time.
 * Cost: a heap operation in and out a write, two a read; a unit, 2 more; nothing is stored per block but content.
 * An erase unit is a zone: one for each reset of a zone that was written. busy_ns = the dies' time.
 *
 * Left out: zone descriptor extensions, zone active excursions and the offline command, suspension of programs, the
 * choice of physical blocks, queueing of the host, a state after a power cut. Not measured and assumed: sync_ns,
 * flush_ns and all times of random write areas, reads of the buffer. Measured and not reproduced: see zn540.ini. */
#include "variants/device/sim_zns_time.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct dev_ops dev_sim_zns;

/* ---- requests ---- */

static void read_shown(const struct sim_zns *s, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	const struct dev_caps *c = &s->dev.caps;
	if (c->contentless)
		return;
	dev_content_read(&s->content, block, blocks, buf);
	for (uint32_t i = 0; i < blocks; i++)
		if (!zns_holds(&s->state, &s->state.zone[(block + i) / c->zone_blocks], (block + i) % c->zone_blocks))
			memset(buf + zns_bytes(s, i), 0, c->block_bytes);
}

/* One part of a read: at most a page, of one zone. */
static void read_part(
	struct sim_zns *s, struct dev_req *r, uint64_t zone, uint64_t at, uint32_t blocks, uint64_t from_ns)
{
	if (!zns_holds(&s->state, &s->state.zone[zone], at))
		return;
	if (at >= s->head[zone].programmed) {
		s->buffer_reads++;
		return;
	}
	uint64_t unit = at / s->unit_blocks, page = at % s->unit_blocks / s->page_blocks;
	uint64_t sense_ns = s->t.read_die_ns + page % 3 * s->t.read_spread_ns - s->t.read_spread_ns;
	s->dev.stats.media_read_bytes += zns_bytes(s, blocks);
	zns_die_read(s, zns_unit_die(s, zone, unit), r, from_ns, sense_ns, blocks);
}

static void submit_read(struct sim_zns *s, struct dev_req *r)
{
	const struct dev_caps *c = &s->dev.caps;
	uint64_t zone = r->block / c->zone_blocks, at = r->block % c->zone_blocks;
	for (uint64_t z = zone; z <= (r->block + r->blocks - 1) / c->zone_blocks && !r->status; z++)
		r->status = zns_read(&s->state, z);
	if (r->status) {
		zns_complete(s, r, s->now_ns + s->t.command_ns);
		return;
	}
	dev_req_count(&s->dev.stats, c, r);
	read_shown(s, r->block, r->blocks, r->buf);
	uint64_t turn_ns = pl_max64(s->t.read_gap_ns, zns_transfer_ns(zns_bytes(s, r->blocks), s->t.read_bytes_per_s));
	uint64_t from_ns = pl_max64(s->read_turn_ns, s->now_ns); /* an idle server passes on while it takes in */
	s->read_turn_ns = from_ns + turn_ns;
	r->done_ns = from_ns + s->t.read_ns;
	for (uint64_t left = r->blocks; left;) {
		uint64_t in_page = at % s->unit_blocks % s->page_blocks;
		uint64_t n = pl_min64(s->page_blocks - in_page, s->unit_blocks - at % s->unit_blocks);
		n = pl_min64(pl_min64(n, left), c->zone_blocks - at);
		read_part(s, r, zone, at, (uint32_t)n, from_ns);
		left -= n;
		at += n;
		if (at == c->zone_blocks) {
			at = 0;
			zone++;
		}
	}
	if ((r->scratch & DEV_REQ_BLOCKS_MAX) == 0)
		zns_complete(s, r, r->done_ns);
}

static void drop_from(struct sim_zns *s, uint64_t zone, uint64_t at)
{
	const struct dev_caps *c = &s->dev.caps;
	if (!c->contentless && at < c->zone_blocks)
		dev_content_punch(&s->content, zone * c->zone_blocks + at, c->zone_blocks - at);
}

static void drop_hole(void *arg, uint64_t zone, uint64_t at)
{
	struct sim_zns *s = arg;
	dev_content_punch(&s->content, zone * s->dev.caps.zone_blocks + at, 1);
}

static void submit_write(struct sim_zns *s, uint64_t zone, struct dev_req *r)
{
	const struct dev_caps *c = &s->dev.caps;
	const bool append = r->op == DEV_APPEND, area = s->state.zone[zone].area != ZNS_NONE;
	uint64_t start = zone * c->zone_blocks;
	const struct zns_zone *z = &s->state.zone[zone];
	struct zns_effect e;
	r->status = append ? zns_append(&s->state, zone, r->blocks, &e)
			   : zns_write(&s->state, zone, r->block - start, r->blocks, &e);
	if (!r->status) {
		if (append)
			r->result_block = start + e.at;
		if (!c->contentless)
			r->status = dev_content_write(&s->content, start + e.at, r->blocks, r->buf);
		dev_req_count(&s->dev.stats, c, r);
		s->dev.stats.media_write_bytes += zns_bytes(s, e.programmed);
		r->done_ns = append ? s->t.append_ns : s->t.write_ns;
		r->done_ns += (zns_bytes(s, r->blocks) * s->t.write_ns_per_kib) / 1024;
		if (e.opened)
			r->done_ns += append ? s->t.first_append_ns : s->t.first_write_ns;
		if (area) {
			r->done_ns |= ZNS_IN_AREA;
			r->scratch |= e.programmed;
		}
	}
	if (!r->status)
		s->jobs_promised += zns_program_jobs(s, e.programmed);
	else if (zns_is_lost(z->state)) /* it may have worn out just now, and what was in its window is gone */
		drop_from(s, zone, z->write_pointer);
	zns_head_enter(s, zone, r);
}

/* What a die has to erase: the law is of the bytes, so that a small zone costs less than a large one. */
static uint64_t reset_die_ns(const struct sim_zns *s, const struct zns_zone *z)
{
	if (!z->written)
		return 0;
	double w = (double)zns_bytes(s, z->written) / (double)s->t.reset_full_bytes;
	return s->t.reset_erase_ns + (uint64_t)((double)s->t.reset_full_ns * (z->finished ? w : sqrt(w)));
}

static void submit_reset(struct sim_zns *s, uint64_t zone, struct dev_req *r)
{
	const struct zns_zone *z = &s->state.zone[zone];
	const bool empty = z->state == DEV_ZONE_EMPTY, written = z->written;
	r->done_ns = empty ? PL_NS_NEVER : reset_die_ns(s, z);
	r->status = zns_reset(&s->state, zone);
	if (z->write_pointer == 0) /* also of a zone that wore out */
		drop_from(s, zone, 0);
	if (!r->status && !empty)
		s->jobs_promised += 1 + s->dies_per_zone;
	s->dev.stats.erases += !r->status && written;
}

static void submit_finish(struct sim_zns *s, uint64_t zone, struct dev_req *r)
{
	const struct zns_zone *z = &s->state.zone[zone];
	const bool full = z->state == DEV_ZONE_FULL;
	struct zns_effect e;
	r->status = zns_finish(&s->state, zone, &e);
	if (r->status)
		return;
	if (!full)
		drop_from(s, zone, z->written);
	s->dev.stats.media_write_bytes += zns_bytes(s, e.programmed);
	r->done_ns = full ? s->t.command_ns : e.programmed ? ZNS_TO_PAD : s->t.finish_empty_ns;
}

static void submit_flush(struct sim_zns *s, uint64_t zone, uint64_t to, struct dev_req *r)
{
	struct zns_effect e;
	r->status = zns_flush(&s->state, zone, to, &e);
	if (r->status)
		return;
	s->dev.stats.media_write_bytes += zns_bytes(s, e.programmed);
	s->jobs_promised += zns_program_jobs(s, e.programmed);
	r->done_ns = s->t.flush_ns | ZNS_IN_AREA;
	r->scratch |= e.programmed;
}

/* A flush names the block after the last one it flushes, which may be the next zone's first. (Only the last zone of a
 * device whose zones have no gap cannot be flushed to its end: there is no such block. Finish does it.) */
static void submit_zone(struct sim_zns *s, struct dev_req *r)
{
	const struct dev_caps *c = &s->dev.caps;
	uint64_t zone = (r->block - (r->op == DEV_ZONE_FLUSH && r->block)) / c->zone_blocks;
	if (r->op == DEV_ZONE_OPEN) {
		r->status = zns_open(&s->state, zone, r->zrwa);
	} else if (r->op == DEV_ZONE_CLOSE) {
		r->status = zns_close(&s->state, zone);
	} else if (r->op == DEV_ZONE_FINISH) {
		submit_finish(s, zone, r);
	} else if (r->op == DEV_ZONE_FLUSH) {
		submit_flush(s, zone, r->block - zone * c->zone_blocks, r);
	} else {
		submit_reset(s, zone, r);
	}
	if (!r->status)
		dev_req_count(&s->dev.stats, c, r);
	zns_head_enter(s, zone, r);
}

/* Jobs that a request can take, at most. */
static uint64_t request_jobs(const struct sim_zns *s, const struct dev_req *r)
{
	switch ((int)r->op) {
	case DEV_READ:
		/* a unit's and a zone's end cut a page short, a zone's a unit */
		return 4 + r->blocks / s->page_blocks + 2 * (r->blocks / s->unit_blocks) +
		       2 * (r->blocks / s->dev.caps.zone_blocks);
	case DEV_WRITE:
	case DEV_APPEND:
		return zns_program_jobs(s, (uint64_t)r->blocks + 2 * s->dev.caps.zrwa_blocks);
	case DEV_ZONE_FLUSH:
		return zns_program_jobs(s, 2 * (uint64_t)s->dev.caps.zrwa_blocks);
	default:
		return 1 + s->dies_per_zone;
	}
}

static int zns_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct sim_zns *s = zns_of(d);
	int err = dev_req_check(&d->caps, r);
	if (!err)
		err = dev_heap_reserve(&s->done, s->inflight + 1);
	if (!err) /* invariant 5; a request waits for its head, its data, its reset; a zone pads */
		err = dev_heap_reserve(&s->events, 2 * s->dies + d->caps.zones + 3 * (s->inflight + 1));
	zns_advance(s, now_ns);
	if (!err)
		err = zns_jobs_reserve(s, request_jobs(s, r));
	if (err)
		return err;
	s->inflight++;
	r->status = PL_OK;
	r->submit_ns = now_ns;
	r->scratch = s->submissions++ << 24;
	switch ((int)r->op) {
	case DEV_READ:
		submit_read(s, r);
		break;
	case DEV_WRITE:
	case DEV_APPEND:
		submit_write(s, r->block / d->caps.zone_blocks, r);
		break;
	case DEV_SYNC:
		dev_req_count(&d->stats, &d->caps, r);
		zns_complete(s, r, now_ns + s->t.sync_ns);
		break;
	case DEV_ZONE_RESET:
	case DEV_ZONE_FINISH:
	case DEV_ZONE_OPEN:
	case DEV_ZONE_CLOSE:
	case DEV_ZONE_FLUSH:
		submit_zone(s, r);
		break;
	default:
		abort(); /* not offered, so refused before */
	}
	return PL_OK;
}

static struct dev_req *zns_poll(struct dev *d, uint64_t now_ns)
{
	struct sim_zns *s = zns_of(d);
	zns_advance(s, now_ns);
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
	struct sim_zns *s = zns_of(d);
	*out = d->stats;
	out->stored_bytes = zns_bytes(s, d->caps.contentless ? s->state.held : s->content.stored_blocks);
}

static int zns_zone(struct dev *d, uint64_t zone, struct dev_zone *out)
{
	struct sim_zns *s = zns_of(d);
	if (zone >= d->caps.zones)
		return PL_RANGE;
	const struct zns_zone *z = &s->state.zone[zone];
	uint64_t start = zone * d->caps.zone_blocks;
	*out = (struct dev_zone){start, d->caps.zone_capacity, start + z->write_pointer, z->state};
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
	if (zone >= d->caps.zones)
		return PL_RANGE;
	uint64_t start = zone * d->caps.zone_blocks, at = write_pointer - start;
	int err = write_pointer < start ? PL_INVALID : zns_force(&s->state, zone, state, at);
	if (err)
		return err;
	s->head[zone].pointer = s->head[zone].programmed = at;
	s->head[zone].epoch++;
	drop_from(s, zone, at);
	return PL_OK;
}

static void zns_describe(struct dev *d, void (*put)(void *arg, const char *key, uint64_t value), void *arg)
{
	const struct sim_zns *s = zns_of(d);
	const struct dev_caps *c = &d->caps;
	static const char *const refusal[ZNS_REFUSALS] = {
#define X(id, name) [ZNS_REFUSED_##id] = name,
		ZNS_REFUSALS_TABLE(X)
#undef X
	};
	static const char *const state_name[] = {"zones_empty", "zones_implicit_open", "zones_explicit_open",
		"zones_closed", "zones_full", "zones_read_only", "zones_offline"};
	uint64_t in[PL_COUNT(state_name)] = {0};
	put(arg, "zones", c->zones);
	put(arg, "zone_bytes", zns_bytes(s, c->zone_blocks));
	put(arg, "zone_capacity_bytes", zns_bytes(s, c->zone_capacity));
	put(arg, "dies", s->dies);
	put(arg, "dies_per_zone", s->dies_per_zone);
	put(arg, "channels", s->channels);
	put(arg, "stripe_bytes", zns_bytes(s, s->unit_blocks));
	put(arg, "max_open_zones", c->max_open);
	put(arg, "max_active_zones", c->max_active);
	put(arg, "zrwa_zones", s->state.limits.areas);
	put(arg, "zrwa_bytes", zns_bytes(s, c->zrwa_blocks));
	for (uint64_t i = 0; i < c->zones; i++)
		in[s->state.zone[i].state]++;
	for (size_t i = 0; i < PL_COUNT(state_name); i++)
		put(arg, state_name[i], in[i]);
	put(arg, "implicit_closes", s->state.implicit_closes);
	for (int i = 0; i < ZNS_REFUSALS; i++)
		put(arg, refusal[i], s->state.refused[i]);
	put(arg, "zrwa_zones_used", s->state.areas_used);
	put(arg, "zrwa_written_bytes", zns_bytes(s, s->state.area_writes));
	put(arg, "zrwa_overwritten_bytes", zns_bytes(s, s->state.area_overwrites));
	put(arg, "zrwa_flushed_bytes", zns_bytes(s, s->state.area_flushed));
	put(arg, "zrwa_implicit_flushes", s->state.area_implicit_flushes);
	put(arg, "finish_padded_bytes", zns_bytes(s, s->state.padded));
	put(arg, "erase_suspensions", s->suspensions);
	put(arg, "write_buffer_stalls", s->stalls);
	put(arg, "write_buffer_read_parts", s->buffer_reads);
}

/* ---- opening ---- */

#define LONGEST_NS 10000000000u /* ten seconds */

/* option, type, default, least, greatest, help; the times are members of struct zns_times by the same name */
#define ZNS_TIMES(X)                                                                                                   \
	X(read_ns, NS, "9000", 0, LONGEST_NS, "latency of a read beside die and channel")                              \
	X(read_die_ns, NS, "54000", 0, LONGEST_NS, "sensing of a page (or part): the middle page")                     \
	X(read_spread_ns, NS, "9000", 0, LONGEST_NS, "so much less for a lower page and more for an upper one")        \
	X(read_gap_ns, NS, "2288", 0, LONGEST_NS, "least time between two reads")                                      \
	X(read_bytes_per_s, BYTES, "2684354560", 1u << 20, (uint64_t)1 << 40, "all reads together, a second")          \
	X(channel_bytes_per_s, BYTES, "426666667", 1u << 20, (uint64_t)1 << 40, "reads of a channel, a second")        \
	X(write_ns, NS, "9700", 0, LONGEST_NS, "latency of a write")                                                   \
	X(append_ns, NS, "13100", 0, LONGEST_NS, "latency of an append")                                               \
	X(write_ns_per_kib, NS, "425", 0, 1000000, "and of both for each KiB")                                         \
	X(first_write_ns, NS, "2000", 0, LONGEST_NS, "and of a write that opens its zone")                             \
	X(first_append_ns, NS, "3000", 0, LONGEST_NS, "and of an append that does")                                    \
	X(write_gap_ns, NS, "5376", 0, LONGEST_NS, "least time between two writes, all zones together")                \
	X(append_gap_ns, NS, "7500", 0, LONGEST_NS, "least time between two appends, all zones together")              \
	X(write_bytes_per_s, BYTES, "1205862400", 1u << 20, (uint64_t)1 << 40,                                         \
		"all writes and appends together, a second")                                                           \
	X(write_buffer_bytes, BYTES, "983040", 0, (uint64_t)1 << 40, "of a zone: written and not programmed")          \
	X(program_ns, NS, "561000", 0, LONGEST_NS, "a die programs stripe_bytes")                                      \
	X(command_ns, NS, "2300", 0, LONGEST_NS, "a command that does nothing: rejected, or reset of an empty zone")   \
	X(open_ns, NS, "9600", 0, LONGEST_NS, "zone open")                                                             \
	X(close_ns, NS, "11000", 0, LONGEST_NS, "zone close")                                                          \
	X(flush_ns, NS, "9600", 0, LONGEST_NS, "flush of a random write area, beside its programs (assumed: as open)") \
	X(sync_ns, NS, "10000", 0, LONGEST_NS, "sync (assumed: the drive's memory is protected against power cuts)")   \
	X(reset_ns, NS, "1650000", 0, LONGEST_NS, "reset of a zone that is not empty")                                 \
	X(reset_erase_ns, NS, "0", 0, LONGEST_NS, "and on its dies, if anything was written")                          \
	X(reset_full_ns, NS, "14000000", 0, LONGEST_NS,                                                                \
		"and for reset_full_bytes; else by w or sqrt(w) of it, see sim_zns.c")                                 \
	X(reset_full_bytes, BYTES, "1129316352", 1u << 20, (uint64_t)1 << 50, "w = what was written / this")           \
	X(erase_setback_ns, NS, "700000", 0, LONGEST_NS, "what an interrupted erase has to do again, at most")         \
	X(finish_empty_ns, NS, "13500", 0, LONGEST_NS, "finish of a zone that holds nothing")                          \
	X(finish_bytes_per_s, BYTES, "1240000000", 1u << 20, (uint64_t)1 << 40,                                        \
		"finish of another: the rest of its capacity, a second")

static const struct pl_opt zns_opts[] = {
	{"zone_bytes", PL_OPT_BYTES, "16777216", 4096, (uint64_t)1 << 40, NULL, "distance between the starts of zones"},
	{"zone_capacity_bytes", PL_OPT_BYTES, "0", 0, 0, NULL, "what can be written of a zone; 0: all of it"},
	{"max_open", PL_OPT_U64, "14", 0, 1u << 20, NULL, "zones that may be open; 0: no limit"},
	{"max_active", PL_OPT_U64, "14", 0, 1u << 20, NULL, "zones that may be open or closed; 0: no limit"},
	{"zrwa_bytes", PL_OPT_BYTES, "0", 0, (uint64_t)1 << 30, NULL, "random write area of a zone; 0: none"},
	{"zrwa_flush_bytes", PL_OPT_BYTES, "16384", 512, (uint64_t)1 << 30, NULL,
		"the write pointer of a zone with such an area moves by so much"},
	{"zrwa_zones", PL_OPT_U64, "0", 0, 1u << 20, NULL, "zones that may have one at a time; 0: max_active"},
	{"dies", PL_OPT_U64, "32", 1, 4096, NULL, "dies of the drive"},
	{"channels", PL_OPT_U64, "8", 1, 4096, NULL, "channels that the dies share"},
	{"dies_per_zone", PL_OPT_U64, "0", 0, 4096, NULL, "dies that a zone is spread over; 0: all"},
	{"stripe_bytes", PL_OPT_BYTES, "98304", 512, 1u << 30, NULL,
		"consecutive bytes of a zone on one die, programmed together; rounded up to blocks"},
	{"page_bytes", PL_OPT_BYTES, "32768", 512, 1u << 30, NULL, "what a die senses at a time; rounded up to blocks"},
	{"read_only_resets", PL_OPT_U64, "0", 0, 1u << 30, NULL,
		"wear: after about so many resets a zone's next write makes it read only; 0: never"},
	{"offline_resets", PL_OPT_U64, "0", 0, 1u << 30, NULL,
		"wear: after about so many resets a zone's next reset takes it offline; 0: never"},
#define X(name, type, value, least, greatest, help) {#name, PL_OPT_##type, value, least, greatest, NULL, help},
	ZNS_TIMES(X)
#undef X
		{NULL, PL_OPT_U64, NULL, 0, 0, NULL, NULL},
};

static int zns_geometry(struct dev_caps *caps, struct zns_limits *l, const struct dev_args *a, struct pl_fault *f)
{
	uint64_t zone_bytes = pl_conf_u64(a->conf, "sim_zns.zone_bytes");
	uint64_t capacity_bytes = pl_conf_u64(a->conf, "sim_zns.zone_capacity_bytes");
	uint64_t area_bytes = pl_conf_u64(a->conf, "sim_zns.zrwa_bytes");
	uint64_t granule_bytes = pl_conf_u64(a->conf, "sim_zns.zrwa_flush_bytes");
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
		.zrwa_blocks = (uint32_t)(area_bytes / a->block_bytes),
		.zrwa_flush_blocks = area_bytes ? (uint32_t)(granule_bytes / a->block_bytes) : 0,
		.simulated = true,
		.contentless = a->contentless,
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
	if (caps->zones == 0 || caps->zones >= ZNS_NONE)
		return pl_fault_set(f, PL_INVALID,
			"sim_zns: a capacity of %" PRIu64 " bytes holds %s zones of %" PRIu64
			" bytes; make sim_zns.zone_bytes %s",
			a->capacity_bytes, caps->zones ? "too many" : "no", zone_bytes,
			caps->zones ? "larger" : "smaller");
	if (caps->capacity_blocks > UINT32_MAX - 1 && !caps->contentless)
		return pl_fault_set(f, PL_INVALID,
			"sim_zns: %" PRIu64 " zones x %" PRIu64 " blocks = %" PRIu64
			" blocks are more than 2^32 - 2, which can have content; make the capacity smaller",
			caps->zones, caps->zone_blocks, caps->capacity_blocks);
	if (caps->max_active && (!caps->max_open || caps->max_open > caps->max_active))
		return pl_fault_set(f, PL_INVALID,
			"sim_zns: max_open = %" PRIu32 " must not exceed max_active = %" PRIu32
			" (0: no limit): an open zone is active",
			caps->max_open, caps->max_active);
	if (area_bytes &&
		(granule_bytes % a->block_bytes || area_bytes % granule_bytes ||
			caps->zone_capacity % caps->zrwa_flush_blocks || caps->zrwa_blocks > caps->zone_capacity ||
			caps->zrwa_blocks > DEV_REQ_BLOCKS_MAX / 2))
		return pl_fault_set(f, PL_INVALID,
			"sim_zns.zrwa_flush_bytes = %" PRIu64 " must be a multiple of the block of %" PRIu32
			" bytes and divide sim_zns.zrwa_bytes = %" PRIu64
			" and the zone's capacity, which the area must not exceed",
			granule_bytes, a->block_bytes, area_bytes);
	uint64_t areas = pl_conf_u64(a->conf, "sim_zns.zrwa_zones");
	areas = areas ? areas : caps->max_active ? caps->max_active : caps->zones;
	*l = (struct zns_limits){
		.zones = caps->zones,
		.capacity = caps->zone_capacity,
		.max_open = caps->max_open,
		.max_active = caps->max_active,
		.areas = area_bytes ? (uint32_t)pl_min64(areas, caps->zones) : 0,
		.area_blocks = caps->zrwa_blocks,
		.granule = caps->zrwa_flush_blocks,
		.read_only_resets = pl_conf_u64(a->conf, "sim_zns.read_only_resets"),
		.offline_resets = pl_conf_u64(a->conf, "sim_zns.offline_resets"),
		.seed = a->seed,
	};
	return PL_OK;
}

static int zns_times(struct sim_zns *s, const struct dev_args *a, struct pl_fault *f)
{
#define X(name, type, value, least, greatest, help) s->t.name = pl_conf_u64(a->conf, "sim_zns." #name);
	ZNS_TIMES(X)
#undef X
	s->unit_blocks = (uint32_t)pl_div_up(pl_conf_u64(a->conf, "sim_zns.stripe_bytes"), a->block_bytes);
	s->page_blocks = (uint32_t)pl_div_up(pl_conf_u64(a->conf, "sim_zns.page_bytes"), a->block_bytes);
	s->dies = (uint32_t)pl_conf_u64(a->conf, "sim_zns.dies");
	s->channels = (uint32_t)pl_conf_u64(a->conf, "sim_zns.channels");
	s->dies_per_zone = (uint32_t)pl_conf_u64(a->conf, "sim_zns.dies_per_zone");
	if (!s->dies_per_zone)
		s->dies_per_zone = s->dies;
	if (s->dies_per_zone > s->dies)
		return pl_fault_set(f, PL_INVALID,
			"sim_zns.dies_per_zone = %" PRIu32 " exceeds sim_zns.dies = %" PRIu32, s->dies_per_zone,
			s->dies);
	if (s->t.read_spread_ns > s->t.read_die_ns)
		return pl_fault_set(f, PL_INVALID,
			"sim_zns.read_spread_ns = %" PRIu64 " exceeds sim_zns.read_die_ns = %" PRIu64,
			s->t.read_spread_ns, s->t.read_die_ns);
	return PL_OK;
}

static void zns_close_device(struct dev *d)
{
	struct sim_zns *s = zns_of(d);
	dev_content_deinit(&s->content);
	zns_state_deinit(&s->state);
	dev_heap_deinit(&s->events);
	dev_heap_deinit(&s->done);
	free(s->channel_ns);
	free(s->die);
	free(s->head);
	free(s->job);
	free(s);
}

/* The arrays of time, zeroed. */
static int zns_arrays(struct sim_zns *s)
{
	s->channel_ns = calloc(s->channels, sizeof *s->channel_ns);
	s->die = calloc(s->dies, sizeof *s->die);
	s->head = calloc(s->dev.caps.zones, sizeof *s->head);
	return s->channel_ns && s->die && s->head ? PL_OK : PL_NOMEM;
}

static int zns_open_device(const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	int err = dev_args_check("sim_zns", a, f);
	if (err)
		return err;
	struct dev_caps caps;
	struct zns_limits limits;
	err = zns_geometry(&caps, &limits, a, f);
	if (err)
		return err;
	struct sim_zns *s = calloc(1, sizeof *s);
	if (!s)
		return pl_fault_set(f, PL_NOMEM, "device sim_zns: out of memory");
	s->dev.ops = &dev_sim_zns;
	s->dev.caps = caps;
	s->free_job = ZNS_NONE;
	err = zns_times(s, a, f);
	if (err)
		goto out;
	if (caps.contentless)
		s->content = (struct dev_content){.block_bytes = caps.block_bytes, .blocks = caps.capacity_blocks};
	else
		err = dev_content_init(&s->content, caps.block_bytes, caps.capacity_blocks);
	if (!err)
		err = zns_state_init(&s->state, &limits);
	if (!err)
		err = zns_arrays(s);
	if (err) {
		err = pl_fault_set(f, err, "device sim_zns: no memory for %" PRIu64 " zones", caps.zones);
		goto out;
	}
	s->state.hole = caps.contentless ? NULL : drop_hole;
	s->state.hole_arg = s;
	const struct zns_fifo none = {ZNS_NONE, ZNS_NONE};
	for (uint32_t i = 0; i < s->dies; i++)
		s->die[i] = (struct zns_die){.reads = none, .programs = none, .erases = none, .current = ZNS_NONE};
	*out = &s->dev;
	return PL_OK;
out:
	zns_close_device(&s->dev);
	return err;
}

/* With nothing in flight no job and no head names a request; programs of the buffer may still be under way. */
static int zns_clone(struct dev *d, struct dev **out)
{
	struct sim_zns *from = zns_of(d);
	if (from->inflight)
		return PL_AGAIN;
	struct sim_zns *s = malloc(sizeof *s);
	if (!s)
		return PL_NOMEM;
	*s = *from;
	s->content = (struct dev_content){0};
	s->state = (struct zns_state){0};
	s->events = s->done = (struct dev_heap){0};
	s->job = NULL;
	int err = zns_arrays(s);
	if (!err)
		err = dev_content_clone(&s->content, &from->content);
	if (!err)
		err = zns_state_clone(&s->state, &from->state);
	if (!err)
		err = dev_heap_clone(&s->events, &from->events);
	if (!err && from->jobs_room) {
		s->job = malloc(from->jobs_room * sizeof *s->job);
		err = s->job ? PL_OK : PL_NOMEM;
	}
	if (err) {
		zns_close_device(&s->dev);
		return err;
	}
	s->state.hole_arg = s;
	memcpy(s->channel_ns, from->channel_ns, s->channels * sizeof *s->channel_ns);
	memcpy(s->die, from->die, s->dies * sizeof *s->die);
	memcpy(s->head, from->head, s->dev.caps.zones * sizeof *s->head);
	if (s->job)
		memcpy(s->job, from->job, s->jobs_used * sizeof *s->job);
	*out = &s->dev;
	return PL_OK;
}

const struct dev_ops dev_sim_zns = {
	.sequential = true,
	.name = "sim_zns",
	.summary = "simulated zoned SSD: NVMe zone states, limits and random write areas, times of a WD ZN540",
	.opts = zns_opts,
	.open = zns_open_device,
	.close = zns_close_device,
	.submit = zns_submit,
	.poll = zns_poll,
	.next_ns = zns_next_ns,
	.zone = zns_zone,
	.stats = zns_stats,
	.peek = zns_peek,
	.poke = zns_poke,
	.poke_zone = zns_poke_zone,
	.clone = zns_clone,
	.describe = zns_describe,
};
