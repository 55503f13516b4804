/* fio_job.c - the jobs of a fio job file on a simulated device, in simulated time.
 *
 * Every clone of a job is a worker with a queue of its own depth; all work on the one device at the same time.
 *
 *     worker: waits for others -> startdelay -> issues -> lets its last requests complete -> done
 *     issue:  sync due? -> direction (rwmixread) -> rate_iops -> where (in order, map, zipf, zones) -> submit
 *
 * Invariants (fio's HOWTO, and its behaviour where that is silent):
 *  1. A job works in [offset, offset + size), in blocks of bs, and ends when io_size (default: size) bytes, number_ios
 *     requests or runtime are reached, whichever comes first; with time_based runtime or number_ios. Clones share the
 *     region. In order, the last block may reach beyond a size that is no multiple of bs.
 *  2. In order: each direction has a position of its own, which starts again at the region's end. At random: every block
 *     of the region once before any comes twice; with norandommap or zipf, drawn independently.
 *  3. After every fsync writes, and before the next request, comes a sync; while it runs, the worker issues nothing else.
 *     There is none after the last write.
 *  4. rate_iops: request n of a direction is not issued before n / rate; who is late catches up. A request that is held
 *     back holds back those behind it, also of the other direction (fio would let these pass).
 *  5. zonemode=zbd: writes go to the pointers of zones, one in flight in each; a full one is reset first; no more zones
 *     than max_open_zones (default: the device's limit) are open, by all jobs together. Reads go below the pointers, a
 *     trim resets a zone. What is too small for one more block at the end of a zone is given up by a finish.
 *  6. Workers that can go on at the same time do so in the order of the file: the run is a function of device, file, seed.
 * Cost: some tens of ns a request beside the device. Left out: verify, thinktime, latency targets. */
#include "harness/fio_job.h"

#include "harness/fio_job_parse.h"
#include "harness/util.h"

#include "engine/base/rng.h"
#include "workloads/generators.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_UP_EVERY 4096u /* events between two looks at the signal */

enum stage { WAITS, DELAYED, RUNS, ENDS, DONE };

struct slot {
	struct dev_req req;
	struct worker *worker;
	struct slot *next; /* free */
};

struct worker {
	const struct fio_job *job;
	uint32_t clone, index;
	enum stage stage;
	uint64_t first_block, blocks; /* region */
	uint64_t bs_blocks, places; /* of one request; how many fit into the region */
	uint64_t requests_wanted; /* UINT64_MAX: no limit */
	uint64_t start_ns, deadline_ns, end_ns;
	struct device_tally *tally;
	struct slot *slots, *free_slot;
	uint64_t in_flight;
	uint64_t issued, issued_by[FIO_DIRECTIONS], position[FIO_DIRECTIONS];
	bool ready; /* something happened that may let it go on */
	uint64_t timer_ns; /* it cannot go on before; PL_NS_NEVER: not for a time's sake */
	bool sync_due, syncs;
	bool drawn; /* the next direction is drawn and not yet issued */
	enum fio_direction direction;
	struct pl_rng choice, place;
	struct gen_scatter scatter;
	uint64_t lap_at, lap; /* place in the random map, how often it was gone through */
	struct gen_zipf *zipf;
	uint64_t zone; /* zbd: target of the write that waits; ZONES_NONE: none */
	uint64_t zone_at; /* zbd: zone of the region that writes in order are at */
	bool ended_early;
};

#define ZONES_NONE UINT64_MAX

struct run {
	struct dev *d;
	struct fio_file file;
	struct worker *worker;
	uint32_t workers;
	uint64_t now_ns, begin_ns, in_flight, events;
	uint64_t *pointer; /* of each zone; NULL: not sequential */
	bool *busy; /* a write, reset or finish is in flight in this zone */
	uint64_t open_zones;
	struct pl_fault *f;
	int err;
};

static int fail(struct run *x, int line, const char *fmt, ...) PL_PRINTF(3, 4);
static int fail(struct run *x, int line, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!x->err)
		x->err = pl_fault_set(x->f, PL_INVALID, "%s:%d: %s", x->file.path, line, text);
	return x->err;
}

/* ---- what a job means on this device */

static uint64_t device_bytes(const struct run *x)
{
	return x->d->caps.capacity_blocks * x->d->caps.block_bytes;
}

static int amount(struct run *x, const struct fio_job *j, const char *key, int line, const struct fio_amount *a,
	uint64_t otherwise, uint64_t *out)
{
	const struct dev_caps *c = &x->d->caps;
	uint64_t unit = j->zbd ? c->zone_blocks * c->block_bytes : j->bs_bytes;
	*out = otherwise;
	switch (a->in) {
	case FIO_UNSET:
		break;
	case FIO_BYTES:
		*out = a->value;
		break;
	case FIO_PERCENT:
		*out = (device_bytes(x) / 100 * a->value + device_bytes(x) % 100 * a->value / 100) / unit * unit;
		break;
	case FIO_ZONES:
		if (!c->zone_blocks)
			return fail(x, line, "%s: counted in zones, but device %s has none", key, x->d->ops->name);
		if (a->value > c->zones)
			return fail(
				x, line, "%s: %" PRIu64 " zones, but the device has %" PRIu64, key, a->value, c->zones);
		*out = a->value * c->zone_blocks * c->block_bytes;
		break;
	}
	return PL_OK;
}

static int check_zones(struct run *x, const struct fio_job *j)
{
	const struct dev_caps *c = &x->d->caps;
	if (j->zbd && !c->sequential)
		return fail(x, j->zone_line, "zonemode=zbd, but device %s has no sequential zones", x->d->ops->name);
	if (!j->zbd && c->sequential && (j->writes || j->trims))
		return fail(x, j->rw_line, "device %s takes writes at the pointers of its zones only: say zonemode=zbd",
			x->d->ops->name);
	if (j->zbd && c->max_open && j->max_open_zones > c->max_open)
		return fail(x, j->zone_line, "max_open_zones: %" PRIu64 " is more than the device's %" PRIu32,
			j->max_open_zones, c->max_open);
	if (j->zbd && j->trims && j->bs_bytes != c->zone_blocks * c->block_bytes)
		return fail(x, j->bs_line, "bs: a trim resets a zone, so it must be a zone's %" PRIu64 " bytes",
			c->zone_blocks * c->block_bytes);
	if (j->zbd && !j->trims && j->bs_bytes > c->zone_capacity * c->block_bytes)
		return fail(x, j->bs_line, "bs: %" PRIu64 " bytes do not fit into a zone of %" PRIu64, j->bs_bytes,
			c->zone_capacity * c->block_bytes);
	return PL_OK;
}

static int check_block(struct run *x, const struct fio_job *j)
{
	const struct dev_caps *c = &x->d->caps;
	uint64_t granule = (uint64_t)c->block_bytes * (j->trims && !j->zbd ? pl_max64(c->punch_blocks, 1) : 1);
	if (j->trims && !j->zbd && !c->punch)
		return fail(x, j->rw_line, "rw=%s, but device %s cannot trim", j->rw, x->d->ops->name);
	if (j->bs_bytes % granule || j->bs_bytes / c->block_bytes >= 1u << 24)
		return fail(x, j->bs_line, "bs: %" PRIu64 " is no multiple of the device's %" PRIu64 " bytes",
			j->bs_bytes, granule);
	return PL_OK;
}

static int worker_region(struct run *x, struct worker *w)
{
	const struct fio_job *j = w->job;
	const struct dev_caps *c = &x->d->caps;
	uint64_t all = device_bytes(x), offset = 0, increment = 0, size = 0, io_size = 0;
	uint64_t unit = j->zbd ? c->zone_blocks * c->block_bytes : c->block_bytes;
	if (amount(x, j, "offset", j->offset_line, &j->offset, 0, &offset) ||
		amount(x, j, "offset_increment", j->offset_line, &j->offset_increment, 0, &increment))
		return x->err;
	if (offset >= all || (w->clone && increment > (all - offset) / w->clone) ||
		offset + increment * w->clone >= all)
		return fail(x, j->offset_line,
			"offset: clone %" PRIu32 " of %.60s begins beyond the device's %" PRIu64 " bytes", w->clone,
			j->name, all);
	offset += increment * w->clone;
	if (amount(x, j, "size", j->size_line, &j->size, (all - offset) / unit * unit, &size) ||
		amount(x, j, "io_size", j->size_line, &j->io_size, size, &io_size))
		return x->err;
	if (size > all - offset)
		return fail(x, j->size_line,
			"size: %" PRIu64 " bytes from %" PRIu64 " on go beyond the device's %" PRIu64, size, offset,
			all);
	if (offset % unit || (j->zbd && size % unit))
		return fail(x, offset % unit ? j->offset_line : j->size_line,
			"offset and size: %" PRIu64 " and %" PRIu64 " must be multiples of %" PRIu64 " bytes", offset,
			size, unit);
	if (size < j->bs_bytes)
		return fail(x, j->size_line, "size: %" PRIu64 " is less than one block of %" PRIu64 " bytes", size,
			j->bs_bytes);
	w->first_block = offset / c->block_bytes;
	w->blocks = size / c->block_bytes;
	w->bs_blocks = j->bs_bytes / c->block_bytes;
	w->places = size / j->bs_bytes;
	if (!j->random && !j->zbd && w->places * j->bs_bytes < size && (w->places + 1) * j->bs_bytes <= all - offset)
		w->places++; /* as fio, which begins a request in order wherever the region has a byte left */
	w->requests_wanted = j->time_based ? UINT64_MAX : pl_div_up(io_size, j->bs_bytes);
	if (j->number_ios)
		w->requests_wanted = pl_min64(w->requests_wanted, j->number_ios);
	return PL_OK;
}

static int worker_init(struct run *x, struct worker *w, const struct fio_job *j, uint32_t clone, uint64_t seed)
{
	w->job = j;
	w->clone = clone;
	w->index = (uint32_t)(w - x->worker);
	w->timer_ns = w->deadline_ns = PL_NS_NEVER;
	w->zone = ZONES_NONE;
	seed = j->has_seed ? j->randseed : seed;
	pl_rng_seed(&w->choice, seed, 2 * (uint64_t)w->index);
	pl_rng_seed(&w->place, seed, 2 * (uint64_t)w->index + 1);
	if (worker_region(x, w))
		return x->err;
	if (j->zipf_theta > 0 && j->random && gen_zipf_open(w->places, j->zipf_theta, &w->zipf))
		return x->err = pl_fault_set(x->f, PL_NOMEM, "out of memory");
	gen_scatter_init(&w->scatter, w->places, pl_rng_next(&w->place));
	w->tally = tally_new();
	w->slots = lab_calloc(j->iodepth, sizeof *w->slots);
	for (uint64_t i = 0; i < j->iodepth; i++) {
		w->slots[i].worker = w;
		w->slots[i].next = w->free_slot;
		w->free_slot = &w->slots[i];
	}
	return PL_OK;
}

/* ---- requests */

static uint64_t zone_end(const struct run *x, uint64_t zone)
{
	return zone * x->d->caps.zone_blocks + x->d->caps.zone_capacity;
}

static bool zone_open(const struct run *x, uint64_t zone)
{
	return x->pointer[zone] > zone * x->d->caps.zone_blocks && x->pointer[zone] < zone_end(x, zone);
}

static void zone_move(struct run *x, uint64_t zone, uint64_t pointer)
{
	x->open_zones -= zone_open(x, zone);
	x->pointer[zone] = pointer;
	x->open_zones += zone_open(x, zone);
}

static void submit(struct run *x, struct worker *w, enum dev_op op, uint64_t block, uint64_t blocks)
{
	struct slot *s = w->free_slot;
	s->req = (struct dev_req){.op = op, .block = block, .blocks = (uint32_t)blocks, .user = s};
	int err = dev_submit(x->d, x->now_ns, &s->req);
	if (err) {
		if (!x->err)
			x->err = pl_fault_set(x->f, err, "%s: job %.60s: the device does not take this %s: %s",
				x->file.path, w->job->name, dev_op_name[op], pl_err_text(err));
		return;
	}
	w->free_slot = s->next;
	w->in_flight++;
	x->in_flight++;
	if (x->busy && op != DEV_READ && op != DEV_SYNC)
		x->busy[block / x->d->caps.zone_blocks] = true;
}

static void reap(struct run *x)
{
	struct dev_req *r;
	while ((r = dev_poll(x->d, x->now_ns))) {
		struct slot *s = r->user;
		struct worker *w = s->worker;
		tally_add(w->tally, r);
		s->next = w->free_slot;
		w->free_slot = s;
		w->in_flight--;
		x->in_flight--;
		w->ready = true;
		w->end_ns = pl_max64(w->end_ns, r->done_ns);
		if (r->op == DEV_SYNC)
			w->syncs = false;
		if (x->busy && r->op != DEV_READ && r->op != DEV_SYNC)
			x->busy[r->block / x->d->caps.zone_blocks] = false;
		for (uint32_t i = 0; x->pointer && i < x->workers; i++) /* somebody may wait for a zone */
			x->worker[i].ready = true;
	}
}

/* ---- where */

static uint64_t random_place(struct worker *w)
{
	uint64_t rank, first, second;
	if (w->zipf) {
		do { /* not as arguments: compilers differ in which of them they draw first */
			first = pl_rng_next(&w->place);
			second = pl_rng_next(&w->place);
		} while (!gen_zipf(w->zipf, first, second, &rank));
		return gen_scatter(&w->scatter, rank);
	}
	if (w->job->norandommap)
		return pl_rng_below(&w->place, w->places);
	if (w->lap_at == w->places) {
		w->lap_at = 0;
		w->lap++;
		gen_scatter_init(&w->scatter, w->places, pl_rng_next(&w->place));
	}
	return gen_scatter(&w->scatter, w->lap_at++);
}

static uint64_t place(struct worker *w, enum fio_direction direction)
{
	if (w->job->random)
		return random_place(w);
	if (w->position[direction] == w->places)
		w->position[direction] = 0;
	return w->position[direction]++;
}

/* A zone of the region: at random, or in order from w->zone_at on. */
static uint64_t first_zone(const struct run *x, const struct worker *w)
{
	return w->first_block / x->d->caps.zone_blocks;
}

static uint64_t zones_of(const struct run *x, const struct worker *w)
{
	return w->blocks / x->d->caps.zone_blocks;
}

static uint64_t draw_zone(const struct run *x, struct worker *w)
{
	uint64_t n = zones_of(x, w);
	return first_zone(x, w) + (w->job->random ? pl_rng_below(&w->place, n) : w->zone_at % n);
}

/* One more zone may not be opened: an open one of the region that is not busy, searched from zone on. */
static uint64_t instead(const struct run *x, const struct worker *w, uint64_t zone)
{
	uint64_t first = first_zone(x, w), n = zones_of(x, w);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t z = first + (zone - first + i) % n;
		if (zone_open(x, z) && !x->busy[z])
			return z;
	}
	return ZONES_NONE;
}

/* True if a request was issued, not necessarily the write itself: a reset or a finish may have to come first. */
static bool write_zone(struct run *x, struct worker *w, bool *written)
{
	uint64_t limit = w->job->max_open_zones ? w->job->max_open_zones : x->d->caps.max_open;
	if (w->zone == ZONES_NONE)
		w->zone = draw_zone(x, w);
	if (!zone_open(x, w->zone) && limit && x->open_zones >= limit) {
		uint64_t other = instead(x, w, w->zone);
		if (other == ZONES_NONE && !x->in_flight)
			(void)fail(x, w->job->zone_line,
				"job %.60s may open no zone more: %" PRIu64 " are open, all outside its region",
				w->job->name, x->open_zones);
		if (other == ZONES_NONE)
			return false;
		w->zone = other;
	}
	uint64_t zone = w->zone, start = zone * x->d->caps.zone_blocks, at = x->pointer[zone];
	if (x->busy[zone])
		return false;
	if (at == zone_end(x, zone)) {
		zone_move(x, zone, start);
		submit(x, w, DEV_ZONE_RESET, start, 0);
	} else if (zone_end(x, zone) - at < w->bs_blocks) {
		zone_move(x, zone, zone_end(x, zone));
		submit(x, w, DEV_ZONE_FINISH, start, 0);
		w->zone = ZONES_NONE;
		w->zone_at++;
	} else {
		zone_move(x, zone, at + w->bs_blocks);
		submit(x, w, DEV_WRITE, at, w->bs_blocks);
		w->zone = ZONES_NONE;
		w->zone_at += x->pointer[zone] == zone_end(x, zone);
		*written = true;
	}
	return true;
}

/* A block below a pointer of the region; false: there is none. */
static bool read_zone(const struct run *x, struct worker *w, uint64_t *block)
{
	uint64_t first = first_zone(x, w), n = zones_of(x, w), per_zone = x->d->caps.zone_capacity / w->bs_blocks;
	uint64_t from = w->job->random ? pl_rng_below(&w->place, n) : w->position[FIO_READ] / per_zone % n;
	for (uint64_t i = 0; i <= n; i++) {
		uint64_t zone = first + (from + i) % n, start = zone * x->d->caps.zone_blocks;
		uint64_t filled = (x->pointer[zone] - start) / w->bs_blocks;
		uint64_t in_zone = w->job->random || i ? 0 : w->position[FIO_READ] % per_zone;
		if (in_zone >= filled)
			continue;
		if (w->job->random)
			in_zone = pl_rng_below(&w->place, filled);
		w->position[FIO_READ] = (zone - first) * per_zone + in_zone + 1;
		*block = start + in_zone * w->bs_blocks;
		return true;
	}
	return false;
}

/* A zone of the region to reset; false: all are empty or busy. */
static bool trim_zone(const struct run *x, struct worker *w, uint64_t *zone)
{
	uint64_t first = first_zone(x, w), n = zones_of(x, w);
	uint64_t from = w->job->random ? pl_rng_below(&w->place, n) : w->position[FIO_TRIM];
	for (uint64_t i = 0; i < n; i++) {
		*zone = first + (from + i) % n;
		if (x->pointer[*zone] > *zone * x->d->caps.zone_blocks && !x->busy[*zone]) {
			w->position[FIO_TRIM] = *zone - first + 1;
			return true;
		}
	}
	return false;
}

/* ---- the next request of a worker */

static void end_early(struct worker *w)
{
	w->stage = ENDS;
	w->ended_early = true;
}

/* True if something was issued; *counted if it is one of the requests that the job is about. */
static bool issue_zoned(struct run *x, struct worker *w, bool *counted)
{
	uint64_t at;
	if (w->direction == FIO_READ && read_zone(x, w, &at)) {
		submit(x, w, DEV_READ, at, w->bs_blocks);
		return *counted = true;
	}
	if (w->direction == FIO_READ && !w->job->writes) {
		if (w->issued || x->in_flight)
			end_early(w);
		else
			(void)fail(x, w->job->rw_line,
				"job %.60s reads zones that hold nothing: write them in a job before", w->job->name);
		return false;
	}
	if (w->direction == FIO_READ)
		w->direction = FIO_WRITE; /* nothing to read yet */
	if (w->direction == FIO_WRITE)
		return write_zone(x, w, counted);
	if (!trim_zone(x, w, &at)) {
		if (!x->in_flight)
			end_early(w);
		return false;
	}
	zone_move(x, at, at * x->d->caps.zone_blocks);
	submit(x, w, DEV_ZONE_RESET, x->pointer[at], 0);
	return *counted = true;
}

static bool issue_plain(struct run *x, struct worker *w, bool *counted)
{
	static const enum dev_op op[FIO_DIRECTIONS] = {DEV_READ, DEV_WRITE, DEV_PUNCH};
	submit(x, w, op[w->direction], w->first_block + place(w, w->direction) * w->bs_blocks, w->bs_blocks);
	return *counted = true;
}

static enum fio_direction draw_direction(struct worker *w)
{
	const struct fio_job *j = w->job;
	if (j->reads && j->writes)
		return pl_rng_below(&w->choice, 100) < j->read_percent ? FIO_READ : FIO_WRITE;
	return j->reads ? FIO_READ : j->writes ? FIO_WRITE : FIO_TRIM;
}

static uint64_t rate_due_ns(const struct worker *w, enum fio_direction d)
{
	__extension__ typedef unsigned __int128 u128;
	uint64_t rate = w->job->rate_iops[d];
	return rate ? w->start_ns + (uint64_t)((u128)w->issued_by[d] * 1000000000u / rate) : 0;
}

/* False: it can go on only after something completed, or at w->timer_ns. */
static bool issue_one(struct run *x, struct worker *w)
{
	bool counted = false;
	w->timer_ns = PL_NS_NEVER;
	if (w->issued >= w->requests_wanted || x->now_ns >= w->deadline_ns) {
		w->stage = ENDS;
		return false;
	}
	if (w->syncs || !w->free_slot)
		return false;
	if (w->sync_due) {
		w->sync_due = false;
		w->syncs = true;
		submit(x, w, DEV_SYNC, 0, 0);
		return false;
	}
	if (!w->drawn) {
		w->direction = draw_direction(w);
		w->drawn = true;
	}
	uint64_t due_ns = rate_due_ns(w, w->direction);
	if (due_ns > x->now_ns) {
		w->timer_ns = pl_min64(due_ns, w->deadline_ns);
		return false;
	}
	if (!(w->job->zbd ? issue_zoned(x, w, &counted) : issue_plain(x, w, &counted)))
		return false;
	if (counted) {
		w->drawn = false;
		w->issued++;
		w->issued_by[w->direction]++;
		w->sync_due =
			w->direction == FIO_WRITE && w->job->fsync && w->issued_by[FIO_WRITE] % w->job->fsync == 0;
	}
	return !x->err;
}

/* ---- stages */

/* A stonewall holds back its job and all jobs behind it until the jobs before it are done. */
static bool may_start(const struct run *x, const struct worker *w)
{
	const struct fio_job *wall = NULL, *first = x->file.job;
	for (const struct fio_job *j = first; j <= w->job; j++)
		wall = j->stonewall ? j : wall;
	for (uint32_t i = 0; i < x->workers; i++) {
		const struct worker *other = &x->worker[i];
		if (other->stage == DONE)
			continue;
		if (wall && other->job < wall)
			return false;
		if (w->job->wait_for && other->job < w->job && strcmp(other->job->name, w->job->wait_for) == 0)
			return false;
	}
	return true;
}

static void advance(struct run *x, struct worker *w)
{
	if (w->stage == WAITS) {
		if (!may_start(x, w))
			return;
		w->stage = DELAYED;
		w->timer_ns = x->now_ns + w->job->startdelay_ns;
	}
	if (w->stage == DELAYED) {
		if (x->now_ns < w->timer_ns)
			return;
		w->stage = RUNS;
		w->start_ns = w->end_ns = x->now_ns;
		if (w->job->runtime_ns)
			w->deadline_ns = x->now_ns + w->job->runtime_ns;
	}
	while (w->stage == RUNS && !x->err && issue_one(x, w))
		;
	if (w->stage == ENDS && !w->in_flight) {
		w->stage = DONE;
		w->timer_ns = PL_NS_NEVER;
		for (uint32_t i = 0; i < x->workers; i++) /* somebody may wait for this job */
			x->worker[i].ready = true;
	}
}

/* All that can be done now; returns when something can be done next, PL_NS_NEVER: all is done. */
static uint64_t settle(struct run *x)
{
	uint64_t next = PL_NS_NEVER;
	for (bool again = true; again && !x->err;) {
		again = false;
		for (uint32_t i = 0; i < x->workers && !x->err; i++) {
			struct worker *w = &x->worker[i];
			if (w->stage == DONE || !(w->ready || w->timer_ns <= x->now_ns))
				continue;
			w->ready = false;
			advance(x, w);
			again |= w->stage == DONE;
		}
	}
	for (uint32_t i = 0; i < x->workers; i++)
		if (x->worker[i].stage != DONE)
			next = pl_min64(next, x->worker[i].timer_ns);
	return x->in_flight ? pl_min64(next, dev_next_ns(x->d)) : next;
}

static void run_all(struct run *x)
{
	for (uint32_t i = 0; i < x->workers; i++)
		x->worker[i].ready = true;
	for (uint64_t next; (next = settle(x)) != PL_NS_NEVER && !x->err;) {
		if (x->events++ % LOOK_UP_EVERY == 0 && lab_interrupted())
			x->err = pl_fault_set(x->f, PL_INTERRUPTED, "interrupted");
		x->now_ns = pl_max64(x->now_ns, next);
		reap(x);
	}
	for (uint32_t i = 0; i < x->workers && !x->err; i++)
		assert(x->worker[i].stage == DONE); /* who cannot go on when nothing is in flight ends or fails */
	while (x->in_flight) {
		x->now_ns = pl_max64(x->now_ns, dev_next_ns(x->d));
		reap(x);
	}
}

/* ---- begin and end */

static int read_pointers(struct run *x)
{
	const struct dev_caps *c = &x->d->caps;
	if (!c->sequential)
		return PL_OK;
	x->pointer = lab_calloc(c->zones, sizeof *x->pointer);
	x->busy = lab_calloc(c->zones, sizeof *x->busy);
	for (uint64_t z = 0; z < c->zones; z++) {
		struct dev_zone zone;
		int err = dev_zone(x->d, z, &zone);
		if (err)
			return x->err = pl_fault_set(x->f, err, "device %s does not tell the state of zone %" PRIu64,
				       x->d->ops->name, z);
		x->pointer[z] = z * c->zone_blocks;
		zone_move(x, z, zone.write_pointer);
	}
	return PL_OK;
}

static int set_up(struct run *x, uint64_t seed)
{
	uint64_t clones = 0, depth = 0;
	for (size_t i = 0; i < x->file.jobs; i++) {
		const struct fio_job *j = &x->file.job[i];
		if (check_zones(x, j) || check_block(x, j))
			return x->err;
		clones += j->numjobs;
		depth += j->numjobs * j->iodepth;
		if (clones > FIO_JOBS_MAX || depth > FIO_DEPTH_MAX)
			return fail(x, j->line,
				"with job %.60s there are %" PRIu64 " clones (at most %u) of iodepth %" PRIu64
				" together (at most %u)",
				j->name, clones, FIO_JOBS_MAX, depth, FIO_DEPTH_MAX);
	}
	x->worker = lab_calloc(clones, sizeof *x->worker);
	for (size_t i = 0; i < x->file.jobs; i++)
		for (uint32_t clone = 0; clone < x->file.job[i].numjobs; clone++)
			if (worker_init(x, &x->worker[x->workers++], &x->file.job[i], clone, seed))
				return x->err;
	return read_pointers(x);
}

static json_t *worker_json(const struct run *x, const struct worker *w)
{
	const struct dev_caps *c = &x->d->caps;
	json_t *o = json_object();
	const struct {
		const char *name;
		uint64_t value;
	} number[] = {{"clone", w->clone}, {"bs_bytes", w->job->bs_bytes}, {"iodepth", w->job->iodepth},
		{"offset_bytes", w->first_block * c->block_bytes}, {"size_bytes", w->blocks * c->block_bytes},
		{"requests", w->issued}, {"begin_ns", w->start_ns - x->begin_ns}, {"end_ns", w->end_ns - x->begin_ns}};
	(void)json_object_set_new(o, "name", json_string(w->job->name));
	(void)json_object_set_new(o, "rw", json_string(w->job->rw));
	for (size_t i = 0; i < PL_COUNT(number); i++)
		(void)json_object_set_new(o, number[i].name, json_integer((json_int_t)number[i].value));
	if (w->ended_early)
		(void)json_object_set_new(o, "ended_early", json_true());
	(void)json_object_set_new(o, "operations", tally_json(w->tally, c));
	return o;
}

int fio_job_run(struct dev *d, uint64_t now_ns, const char *path, uint64_t seed, struct device_tally *total,
	json_t **out, struct pl_fault *f)
{
	struct run x = {.d = d, .now_ns = now_ns, .begin_ns = now_ns, .f = f};
	*out = NULL;
	assert(d->caps.contentless); /* jobs have no contents to write */
	if (!d->caps.simulated)
		return pl_fault_set(f, PL_UNSUPPORTED, "fio jobs run on simulated devices only; use fio itself on %s",
			d->ops->name);
	int err = fio_file_read(path, &x.file, f);
	if (err)
		return err;
	if (!set_up(&x, seed))
		run_all(&x);
	if (!x.err) {
		json_t *jobs = json_array();
		for (uint32_t i = 0; i < x.workers; i++) {
			(void)json_array_append_new(jobs, worker_json(&x, &x.worker[i]));
			tally_merge(total, x.worker[i].tally);
		}
		*out = json_object();
		(void)json_object_set_new(*out, "jobs", jobs);
		(void)json_object_set(*out, "ignored", x.file.ignored);
	}
	for (uint32_t i = 0; i < x.workers; i++) {
		free(x.worker[i].tally);
		free(x.worker[i].slots);
		if (x.worker[i].zipf)
			gen_zipf_close(x.worker[i].zipf);
	}
	free(x.worker);
	free(x.pointer);
	free(x.busy);
	fio_file_free(&x.file);
	return x.err;
}
