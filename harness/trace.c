/* trace.c - the replay: when a record of a trace becomes a request of the device.
 *
 *     record  --round to blocks, check-->  slot { request, when it was due, its line }  --submit-->  device
 *
 * Invariants:
 *  1. Requests are submitted in the order of the records; now never decreases.
 *  2. Open loop: a request is submitted at the time of its record, or, when TRACE_DEPTH_MAX are in flight, as soon as one
 *     has completed; its latency counts from the time of its record in both cases.
 *  3. Closed loop: it is submitted as soon as fewer than the depth are in flight (and no wait of the trace holds it back).
 *  4. What has completed by then is polled before a request is submitted, so that a sync makes it durable.
 *  5. A sequential device gets only writes at the pointer of their zone; pointers are kept here, because a trace that
 *     does not fit is refused before the device is asked.
 * Cost: what the device costs, and 0.1 us. Memory: one slot for each request that was in flight at the same time. */
#include "harness/trace_read.h"

#include "harness/util.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_OF_CHUNK 256u
#define LOOK_UP_EVERY 4096u /* records between two looks at the signal */

const char *const trace_format_name[TRACE_FORMATS] = {"auto", "fio", "blkparse", "msr"};

struct slot {
	struct dev_req req;
	uint64_t due_ns, line;
	struct slot *next; /* free */
};

struct replay {
	struct dev *d;
	const char *path;
	const struct trace_options *o;
	struct trace_reader *reader;
	struct device_tally *tally;
	struct trace_result result;
	struct pl_fault *f;
	struct slot **chunk;
	size_t chunks;
	struct slot *free_slot;
	uint64_t *pointer; /* of each zone, absolute block; NULL: not sequential */
	uint64_t begin_ns, first_ns, last_ns, now_ns, in_flight;
	bool started;
	int err;
};

/* ---- options */

static int whole(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out, struct pl_fault *f)
{
	const struct pl_opt o = {
		option, strcmp(option, "--trace-block") ? PL_OPT_U64 : PL_OPT_BYTES, "0", min, max, NULL, NULL};
	char value[32];
	int err = pl_opt_canonical(&o, option, text, value, sizeof value, f);
	if (!err)
		*out = strtoull(value, NULL, 10);
	return err;
}

static int format_parse(const char *word, struct trace_options *o, struct pl_fault *f)
{
	for (int i = 0; i < TRACE_FORMATS; i++) {
		size_t n = strlen(trace_format_name[i]);
		if (strncmp(word, trace_format_name[i], n) != 0)
			continue;
		o->format = (enum trace_format)i;
		if (!word[n])
			return PL_OK;
		if (i == TRACE_BLKPARSE && word[n] == ':' && word[n + 1] && strchr("DQC", word[n + 1]) &&
			!word[n + 2]) {
			o->action = word[n + 1];
			return PL_OK;
		}
	}
	return pl_fault_set(f, PL_INVALID,
		"--trace-format: '%.40s' is none of auto, fio, blkparse, blkparse:D, blkparse:Q, blkparse:C, msr",
		word);
}

static int speed_parse(const char *word, struct trace_options *o, struct pl_fault *f)
{
	char *end;
	double speed = strtod(word, &end);
	if (end == word || *end || !(speed >= 0.000001 && speed <= 1000000))
		return pl_fault_set(
			f, PL_INVALID, "--trace-speed: '%.40s' is no factor within 0.000001..1000000", word);
	o->speed_micro = (uint64_t)(speed * 1000000 + 0.5);
	return PL_OK;
}

int trace_options_parse(const struct trace_words *w, struct trace_options *out, struct pl_fault *f)
{
	struct trace_options o = {.strict = w->strict};
	uint64_t depth = 0, unit = 0, reorder = 0;
	int err = w->format ? format_parse(w->format, &o, f) : PL_OK;
	if (!err && w->speed)
		err = speed_parse(w->speed, &o, f);
	if (!err && w->closed)
		err = whole("--trace-closed", w->closed, 1, TRACE_DEPTH_MAX, &depth, f);
	if (!err && w->block)
		err = whole("--trace-block", w->block, 1, 1u << 20, &unit, f);
	if (!err && w->reorder)
		err = whole("--trace-reorder", w->reorder, 0, TRACE_REORDER_MAX, &reorder, f);
	if (!err && w->speed && w->closed)
		err = pl_fault_set(f, PL_INVALID,
			"--trace-speed scales the times of the trace, which --trace-closed does not look at: give one "
			"of them");
	o.closed_depth = (uint32_t)depth;
	o.unit_bytes = (uint32_t)unit;
	o.reorder = (uint32_t)reorder;
	if (!err)
		*out = o;
	return err;
}

/* ---- slots */

static struct slot *slot_new(struct replay *p)
{
	if (!p->free_slot) {
		struct slot *s = lab_calloc(SLOTS_OF_CHUNK, sizeof *s);
		p->chunk = lab_realloc(p->chunk, (p->chunks + 1) * sizeof *p->chunk);
		p->chunk[p->chunks++] = s;
		for (size_t i = 0; i < SLOTS_OF_CHUNK; i++) {
			s[i].next = p->free_slot;
			p->free_slot = &s[i];
		}
	}
	struct slot *s = p->free_slot;
	p->free_slot = s->next;
	memset(s, 0, sizeof *s);
	s->req.user = s;
	return s;
}

static int refuse(struct replay *p, uint64_t line, const char *fmt, ...) PL_PRINTF(3, 4);
static int refuse(struct replay *p, uint64_t line, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!p->err)
		p->err = pl_fault_set(p->f, PL_INVALID, "%s:%" PRIu64 ": %s", p->path, line, text);
	return p->err;
}

/* A write that a zone did not take means that the trace is of another device; any other error is a result. */
static bool is_zone_error(int status)
{
	return status == PL_ZONE_POINTER || status == PL_ZONE_FULL || status == PL_ZONE_STATE ||
	       status == PL_ZONE_OPEN_LIMIT || status == PL_ZONE_ACTIVE_LIMIT;
}

static void reap(struct replay *p)
{
	struct dev_req *r;
	while ((r = dev_poll(p->d, p->now_ns))) {
		struct slot *s = r->user;
		p->in_flight--;
		if (p->d->caps.zone_blocks && is_zone_error(r->status))
			(void)refuse(p, s->line,
				"the device refused this %s at block %" PRIu64 " (zone %" PRIu64 "): %s",
				dev_op_name[r->op], r->block, r->block / p->d->caps.zone_blocks,
				pl_err_text(r->status));
		r->submit_ns = s->due_ns;
		tally_add(p->tally, r);
		s->next = p->free_slot;
		p->free_slot = s;
	}
}

/* Let time pass until at most n are in flight. */
static void wait_for(struct replay *p, uint64_t n)
{
	while (p->in_flight > n) {
		p->now_ns = pl_max64(p->now_ns, dev_next_ns(p->d));
		reap(p);
	}
}

/* ---- requests */

static int submit(struct replay *p, const struct trace_record *t, enum dev_op op, uint64_t block, uint64_t blocks,
	uint64_t due_ns)
{
	uint64_t most = p->o->closed_depth ? p->o->closed_depth : TRACE_DEPTH_MAX;
	if (due_ns > p->now_ns) {
		p->now_ns = due_ns;
		reap(p);
	}
	wait_for(p, most - 1);
	if (p->err)
		return p->err;
	if (p->o->closed_depth)
		due_ns = p->now_ns;
	p->result.late_requests += p->now_ns > due_ns;
	struct slot *s = slot_new(p);
	s->due_ns = due_ns;
	s->line = t->line;
	s->req.op = op;
	s->req.block = block;
	s->req.blocks = (uint32_t)blocks;
	p->err = dev_submit(p->d, p->now_ns, &s->req);
	if (p->err)
		return pl_fault_set(p->f, p->err, "%s:%" PRIu64 ": the device does not take this %s: %s", p->path,
			t->line, dev_op_name[op], pl_err_text(p->err));
	p->in_flight++;
	p->result.requests++;
	p->result.depth_max_seen = pl_max64(p->result.depth_max_seen, p->in_flight);
	return PL_OK;
}

/* A trim on a sequential device: reset every zone it holds. */
static int reset_zones(struct replay *p, const struct trace_record *t, uint64_t due_ns)
{
	const struct dev_caps *c = &p->d->caps;
	uint64_t zone_bytes = c->zone_blocks * c->block_bytes;
	if (t->offset % zone_bytes || t->bytes % zone_bytes)
		return refuse(p, t->line,
			"a trim of %" PRIu64 " bytes at %" PRIu64
			"; on a sequential device it resets zones, and must be of whole ones (%" PRIu64 " bytes)",
			t->bytes, t->offset, zone_bytes);
	for (uint64_t z = t->offset / zone_bytes; !p->err && z < (t->offset + t->bytes) / zone_bytes; z++) {
		p->pointer[z] = z * c->zone_blocks;
		(void)submit(p, t, DEV_ZONE_RESET, p->pointer[z], 0, due_ns);
	}
	return p->err;
}

static int trim(struct replay *p, const struct trace_record *t, uint64_t due_ns)
{
	const struct dev_caps *c = &p->d->caps;
	if (p->pointer)
		return reset_zones(p, t, due_ns);
	if (!c->punch)
		return refuse(p, t->line, "a trim, but device %s cannot", p->d->ops->name);
	uint64_t granule = (uint64_t)c->block_bytes * pl_max64(c->punch_blocks, 1);
	uint64_t block = pl_div_up(t->offset, granule) * (granule / c->block_bytes);
	uint64_t end = (t->offset + t->bytes) / granule * (granule / c->block_bytes);
	bool rounded = t->offset % granule || (t->offset + t->bytes) % granule;
	if (rounded && p->o->strict)
		return refuse(p, t->line,
			"a trim of %" PRIu64 " bytes at %" PRIu64 " is not of whole granules of %" PRIu64 " bytes",
			t->bytes, t->offset, granule);
	p->result.trims_without_block += end <= block;
	p->result.rounded_requests += rounded && end > block;
	for (uint64_t n; !p->err && block < end; block += n) {
		/* the longest request is no whole number of granules */
		n = pl_min64(end - block, (uint64_t)1 << 23);
		(void)submit(p, t, DEV_PUNCH, block, n, due_ns);
	}
	return p->err;
}

static int advance_pointer(struct replay *p, const struct trace_record *t, uint64_t block, uint64_t blocks)
{
	const struct dev_caps *c = &p->d->caps;
	uint64_t zone = block / c->zone_blocks, end = zone * c->zone_blocks + c->zone_capacity;
	if (p->pointer[zone] >= end)
		return refuse(p, t->line, "a write at block %" PRIu64 ", but zone %" PRIu64 " is full", block, zone);
	if (block != p->pointer[zone])
		return refuse(p, t->line,
			"a write at block %" PRIu64 ", but the pointer of zone %" PRIu64 " is at block %" PRIu64, block,
			zone, p->pointer[zone]);
	if (block + blocks > end)
		return refuse(p, t->line,
			"a write of %" PRIu64 " blocks at block %" PRIu64 ", but zone %" PRIu64
			" ends at block %" PRIu64,
			blocks, block, zone, end);
	p->pointer[zone] += blocks;
	return PL_OK;
}

static int transfer(struct replay *p, const struct trace_record *t, uint64_t due_ns)
{
	const struct dev_caps *c = &p->d->caps;
	uint64_t block = t->offset / c->block_bytes;
	uint64_t blocks = pl_div_up(t->offset + t->bytes, c->block_bytes) - block;
	bool rounded = t->offset % c->block_bytes || t->bytes % c->block_bytes;
	if (rounded && p->o->strict)
		return refuse(p, t->line,
			"a %s of %" PRIu64 " bytes at %" PRIu64 " is not of whole blocks of %" PRIu32 " bytes",
			dev_op_name[t->op], t->bytes, t->offset, c->block_bytes);
	p->result.rounded_requests += rounded;
	p->result.forced_writes += t->forced;
	if (p->pointer && t->op == DEV_WRITE && advance_pointer(p, t, block, blocks))
		return p->err;
	return submit(p, t, t->op, block, blocks, due_ns);
}

static uint64_t due_of(const struct replay *p, const struct trace_record *t)
{
	__extension__ typedef unsigned __int128 u128;
	if (p->o->closed_depth && trace_reader_timed(p->reader))
		return 0;
	u128 ns = (u128)(t->time_ns - p->first_ns) * 1000000u / p->o->speed_micro;
	return ns > UINT64_MAX / 2 ? UINT64_MAX / 2 : p->begin_ns + (uint64_t)ns;
}

static int play(struct replay *p, const struct trace_record *t)
{
	uint64_t capacity = p->d->caps.capacity_blocks * p->d->caps.block_bytes;
	if (!p->started) {
		p->started = true;
		p->first_ns = trace_reader_timed(p->reader) ? t->time_ns : 0;
	}
	p->last_ns = t->time_ns;
	uint64_t due_ns = due_of(p, t);
	if (t->op == DEV_SYNC)
		return submit(p, t, DEV_SYNC, 0, 0, due_ns);
	if (t->offset >= capacity || t->bytes > capacity - t->offset)
		return refuse(p, t->line,
			"a %s of %" PRIu64 " bytes at %" PRIu64 " goes beyond the device's %" PRIu64
			" bytes; make device_bytes larger, or tell the trace's units with --trace-block",
			dev_op_name[t->op], t->bytes, t->offset, capacity);
	return t->op == DEV_PUNCH ? trim(p, t, due_ns) : transfer(p, t, due_ns);
}

static int read_pointers(struct replay *p)
{
	const struct dev_caps *c = &p->d->caps;
	if (!c->sequential)
		return PL_OK;
	p->pointer = lab_calloc(c->zones, sizeof *p->pointer);
	for (uint64_t z = 0; z < c->zones; z++) {
		struct dev_zone zone;
		int err = dev_zone(p->d, z, &zone);
		if (err)
			return pl_fault_set(
				p->f, err, "device %s does not tell the state of zone %" PRIu64, p->d->ops->name, z);
		p->pointer[z] = zone.write_pointer;
	}
	return PL_OK;
}

static int play_all(struct replay *p)
{
	struct trace_record t;
	int err = PL_OK;
	for (uint64_t i = 0; !err; i++) {
		if (i % LOOK_UP_EVERY == 0 && lab_interrupted())
			return pl_fault_set(p->f, PL_INTERRUPTED, "interrupted");
		err = trace_reader_next(p->reader, &t, p->f);
		if (!err)
			err = play(p, &t);
	}
	wait_for(p, 0);
	return p->err ? p->err : err == PL_NOTFOUND ? PL_OK : err;
}

int trace_replay(struct dev *d, uint64_t now_ns, const struct trace_options *o, const char *path,
	struct device_tally *tally, struct trace_result *out, struct pl_fault *f)
{
	struct trace_options options = *o;
	struct replay p = {.d = d,
		.path = strcmp(path, "-") == 0 ? "standard input" : path,
		.o = &options,
		.f = f,
		.begin_ns = now_ns,
		.now_ns = now_ns};
	assert(d->caps.contentless); /* a trace has no contents to write */
	if (!d->caps.simulated)
		return pl_fault_set(f, PL_UNSUPPORTED, "a trace is replayed into simulated devices only, not into %s",
			d->ops->name);
	int err = trace_reader_open(path, &options, &p.reader, f);
	if (err)
		return err;
	if (!options.speed_micro)
		options.speed_micro = 1000000;
	if (!trace_reader_timed(p.reader) && !options.closed_depth)
		options.closed_depth = 1; /* such a trace says what, not when */
	p.tally = tally_new();
	err = read_pointers(&p);
	if (!err)
		err = play_all(&p);
	wait_for(&p, 0);
	if (!err) {
		trace_reader_tell(p.reader, &p.result);
		p.result.trace_ns = p.last_ns - p.first_ns;
		p.result.depth = options.closed_depth;
		p.result.speed_micro = options.speed_micro;
		tally_merge(tally, p.tally);
		*out = p.result;
	}
	trace_reader_close(p.reader);
	for (size_t i = 0; i < p.chunks; i++)
		free(p.chunk[i]);
	free(p.chunk);
	free(p.pointer);
	free(p.tally);
	return err;
}

json_t *trace_json(const struct trace_result *r)
{
	json_t *o = json_object();
	const struct {
		const char *name;
		uint64_t value;
	} number[] = {{"lines", r->lines}, {"records", r->records}, {"skipped_lines", r->skipped},
		{"requests", r->requests}, {"rounded_requests", r->rounded_requests},
		{"trims_without_block", r->trims_without_block}, {"forced_writes", r->forced_writes},
		{"late_requests", r->late_requests}, {"reordered_records", r->reordered}, {"unit_bytes", r->unit_bytes},
		{"trace_ns", r->trace_ns}, {"depth_greatest", r->depth_max_seen}};
	(void)json_object_set_new(o, "format", json_string(r->format));
	(void)json_object_set_new(o, "loop", json_string(r->depth ? "closed" : "open"));
	if (r->depth)
		(void)json_object_set_new(o, "depth", json_integer((json_int_t)r->depth));
	else
		(void)json_object_set_new(o, "speed", json_real((double)r->speed_micro / 1e6));
	for (size_t i = 0; i < PL_COUNT(number); i++)
		(void)json_object_set_new(o, number[i].name, json_integer((json_int_t)number[i].value));
	(void)json_object_set_new(o, "rounding",
		json_string("reads and writes outward to whole blocks, trims inward; rounded_requests tells how many"));
	return o;
}
