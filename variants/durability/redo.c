/* redo.c - a logical log, rolled forward from the newest anchor; group commit.
 *
 * Records are absolute (key and whole new value, or key and new bytes at an offset, or delete), so replaying any suffix
 * again converges. The log is a ring of segments (on zoned devices a zone each); blocks are numbered without end,
 * segment = number / blocks per segment mod segments, and a flush starts a new block: no block is written twice.
 *
 * Block:
 *   0 u32 magic "PLLG"   8 u64 generation      24 u64 synced: all blocks below were synced when this was written
 *   4 u32 store tag     16 u64 block number    32 u64 sequence of the newest durable anchor
 *  40 u64 lsn of the first record that starts here (or of the next)   48 u32 bytes used   52 u32 crc32c   56 fragments
 * Fragment: u8 type (whole, first, middle, last), u16 length, bytes.
 * Record:   u8 kind, u8 zero, u16 key bytes, u32 value bytes, [u64 offset for an update], key, value.
 *
 * Invariants:
 *  1. An operation is acknowledged when a sync covers its record's last block, or an anchor covers its lsn.
 *  2. Kept log (from the durable anchor's position on) never spans all segments: a restart finds a fresh one.
 *  3. Replay ends at the first block that is invalid, of another generation or out of number. A later valid block that
 *     says "synced" beyond it, or that knows a later anchor, is damage: refused, and named.
 *  4. After a recovery the log goes on in a fresh segment under the next generation; the torn tail never joins.
 *
 * One flush at a time; the next group gathers meanwhile. A cut drops what is gathered: the image holds it.
 * Damage to the very last synced block looks like a torn tail: it cannot be told apart, and is not.
 * Left out: several log streams, compression, sliced cuts. */
#include "engine/base/crc32c.h"
#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAGIC 0x474C4C50u /* "PLLG" */
#define BLOCK_HEADER 56u
#define FRAGMENT_HEADER 3u

enum { WHOLE = 1, FIRST, MIDDLE, LAST };

static const struct pl_opt redo_opts[] = {
	{.name = "sync",
		.type = PL_OPT_BOOL,
		.value = "1",
		.help = "1: an operation ends when its record is durable; 0: at once, only a commit waits"},
	{.name = "group_count",
		.type = PL_OPT_U64,
		.value = "1",
		.min = 1,
		.max = 100000,
		.help = "operations that must wait before the log is flushed (1: at once, others gather meanwhile)"},
	{.name = "group_ns",
		.type = PL_OPT_NS,
		.value = "0",
		.help = "or this long since the first of them began to wait (0: no limit)"},
	{0},
};

struct group { /* one buffer of whole blocks */
	uint8_t *bytes;
	uint32_t block, used; /* current block, bytes used in it; block 0 with used == BLOCK_HEADER: empty */
	uint64_t first_lsn; /* of the current block, when a record started in it */
	uint64_t last_lsn;
};

struct redo {
	struct group group[2];
	uint32_t current, room; /* room: blocks in a buffer */
	bool flushing;
	uint32_t writes_left;
	uint64_t flush_end, flush_lsn;
	uint64_t head; /* number of the next block to write */
	uint64_t start; /* first block that the durable anchor needs */
	uint64_t synced; /* all blocks below are durable */
	uint64_t generation;
	uint64_t durable_lsn;
	uint64_t waiting, first_wait_ns, group_count, group_ns;
	bool commit_wanted;
	uint64_t segments, per_segment;
	uint64_t replay_block; /* while recovering: where the current record begins */
	uint64_t replay_end;
	uint8_t *record; /* reassembly */
	size_t record_room;
};

static uint64_t redo_log_blocks(const struct store *s)
{
	uint64_t blocks = pl_conf_u64(s->conf, "log_bytes") / s->block_bytes;
	return pl_max64(blocks - blocks % 4, 16);
}

static uint32_t payload_bytes(const struct store *s)
{
	return s->block_bytes - BLOCK_HEADER;
}

static void group_reset(struct group *g)
{
	g->block = 0;
	g->used = BLOCK_HEADER;
	g->first_lsn = g->last_lsn = 0;
}

static bool group_empty(const struct group *g)
{
	return !g->block && g->used == BLOCK_HEADER;
}

static int redo_open(struct store *s, struct pl_fault *f)
{
	struct redo *d = calloc(1, sizeof *d);
	s->durability = d;
	if (!d)
		return pl_fault_set(f, PL_NOMEM, "no memory for the log");
	d->segments = s->layout.log_segments;
	d->per_segment = s->layout.log_segment_blocks;
	d->record_room = (size_t)s->max_value_bytes + s->node.max_key_bytes + 16;
	uint64_t largest = pl_div_up(d->record_room * 2, payload_bytes(s)) + 2;
	if (largest * 8 > (d->segments - 1) * d->per_segment)
		return pl_fault_set(f, PL_INVALID,
			"log_bytes: the largest record (%zu bytes) must be at most an eighth of the log; give the log "
			"%" PRIu64 " bytes or lower max_value_bytes",
			d->record_room, largest * 8 * s->block_bytes * d->segments / (d->segments - 1));
	d->room = (uint32_t)pl_min64(pl_max64(2 * largest, 64), d->per_segment * (d->segments - 1) / 2);
	d->record = malloc(d->record_room);
	s->op_waits = pl_conf_bool(s->conf, "redo.sync");
	d->group_count = pl_conf_u64(s->conf, "redo.group_count");
	d->group_ns = pl_conf_u64(s->conf, "redo.group_ns");
	d->generation = 1;
	for (int i = 0; i < 2; i++) {
		d->group[i].bytes = aligned_alloc(4096, (size_t)d->room * s->block_bytes);
		if (!d->group[i].bytes || !d->record)
			return pl_fault_set(f, PL_NOMEM, "no memory for the log");
		group_reset(&d->group[i]);
	}
	return PL_OK;
}

static void redo_close(struct store *s)
{
	struct redo *d = s->durability;
	if (!d)
		return;
	free(d->group[0].bytes);
	free(d->group[1].bytes);
	free(d->record);
	free(d);
}

static uint64_t place_of(const struct store *s, uint64_t number)
{
	const struct redo *d = s->durability;
	return s->layout.log_start + number / d->per_segment % d->segments * s->layout.log_stride +
	       number % d->per_segment;
}

/* First block number that may not be written (invariant 2). */
static uint64_t limit(const struct redo *d)
{
	return (d->start / d->per_segment + d->segments - 1) * d->per_segment;
}

static uint64_t blocks_for(const struct store *s, uint64_t bytes)
{
	return pl_div_up(bytes, payload_bytes(s) - FRAGMENT_HEADER) + 1;
}

static uint64_t redo_record_bytes(const struct store *s, size_t key_bytes, size_t value_bytes)
{
	(void)s;
	return 16 + key_bytes + value_bytes;
}

static void begin_flush(struct store *s, struct pl_ctx *x);

static bool redo_reserve(struct store *s, uint64_t bytes)
{
	struct redo *d = s->durability;
	const struct group *g = &d->group[d->current];
	uint64_t need = blocks_for(s, bytes);
	if (s->replaying)
		return true;
	return g->block + need < d->room && d->head + g->block + 1 + need <= limit(d);
}

static void redo_unreserve(struct store *s, uint64_t bytes)
{
	(void)s;
	(void)bytes; /* granted and used within one turn */
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void seal_block(const struct store *s, struct redo *d, struct group *g)
{
	uint8_t *b = g->bytes + (size_t)g->block * s->block_bytes;
	memset(b, 0, BLOCK_HEADER);
	put64(b + 40, g->first_lsn);
	put32(b + 48, g->used);
	memset(b + g->used, 0, s->block_bytes - g->used);
	(void)d;
}

static void next_block(const struct store *s, struct redo *d, struct group *g)
{
	seal_block(s, d, g);
	g->block++;
	g->used = BLOCK_HEADER;
	g->first_lsn = 0;
	assert(g->block < d->room);
}

static void put_bytes(const struct store *s, struct redo *d, struct group *g, const uint8_t *head, size_t head_bytes,
	pl_slice key, pl_slice value, uint64_t lsn)
{
	const pl_slice part[3] = {{head, head_bytes}, key, value};
	size_t left = head_bytes + key.n + value.n, at = 0;
	uint32_t k = 0;
	bool first = true;
	while (left) {
		if (g->used + FRAGMENT_HEADER >= s->block_bytes)
			next_block(s, d, g);
		if (first && !g->first_lsn)
			g->first_lsn = lsn;
		size_t room = s->block_bytes - g->used - FRAGMENT_HEADER, n = left < room ? left : room;
		uint8_t *p = g->bytes + (size_t)g->block * s->block_bytes + g->used;
		p[0] = first ? (n == left ? WHOLE : FIRST) : (n == left ? LAST : MIDDLE);
		put16(p + 1, (uint16_t)n);
		g->used += FRAGMENT_HEADER + (uint32_t)n;
		left -= n;
		first = false;
		for (p += FRAGMENT_HEADER; n;) {
			size_t take = part[k].n - at < n ? part[k].n - at : n;
			if (take)
				memcpy(p, part[k].p + at, take);
			p += take;
			n -= take;
			at += take;
			if (at == part[k].n) {
				k++;
				at = 0;
			}
		}
	}
}

static void redo_append(struct store *s, struct pl_ctx *x, const struct dur_record *r)
{
	struct redo *d = s->durability;
	struct group *g = &d->group[d->current];
	uint8_t head[16] = {(uint8_t)r->kind};
	if (s->replaying)
		return;
	put16(head + 2, (uint16_t)r->key.n);
	put32(head + 4, (uint32_t)r->value.n);
	put64(head + 8, r->offset);
	size_t head_bytes = r->kind == DUR_UPDATE ? 16 : 8;
	put_bytes(s, d, g, head, head_bytes, r->key, r->value, r->lsn.v);
	g->last_lsn = r->lsn.v;
	pl_charge(x, PL_COST_LOG_RECORD, 1);
	pl_charge_bytes(x, PL_COST_LOG_KIB, head_bytes + r->key.n + r->value.n);
	s->stats.log_records++;
	s->stats.log_bytes += head_bytes + r->key.n + r->value.n;
}

static void flushed(struct store *s, struct redo *d)
{
	d->flushing = false;
	d->synced = d->flush_end;
	d->durable_lsn = pl_max64(d->durable_lsn, d->flush_lsn);
	wake_log_waiters(s);
	wake_frame_waiters(s); /* those that found the buffer full */
}

static void log_synced(struct store *s, struct pl_ctx *x, struct io *io)
{
	(void)x;
	(void)io;
	if (!s->failed)
		flushed(s, s->durability);
}

static void log_written(struct store *s, struct pl_ctx *x, struct io *io)
{
	struct redo *d = s->durability;
	(void)io;
	if (--d->writes_left || s->failed)
		return;
	if (kv_broken == KV_BREAK_LOG_SYNC) {
		flushed(s, d);
		return;
	}
	struct io *sync = io_take(s);
	sync->r.op = DEV_SYNC;
	sync->r.tag = DEV_TAG_LOG;
	sync->done = log_synced;
	s->stats.syncs++;
	io_submit(s, x, sync);
}

/* A segment about to be written from its beginning: a zone must be empty. */
static void enter_segment(struct store *s, struct pl_ctx *x, uint64_t number)
{
	struct redo *d = s->durability;
	struct dev_zone z;
	if (!s->dev->caps.sequential || number % d->per_segment)
		return;
	uint64_t start = place_of(s, number);
	if (dev_zone(s->dev, start / s->layout.log_stride, &z) == PL_OK && z.state != DEV_ZONE_EMPTY)
		(void)io_zone(s, x, DEV_ZONE_RESET, start);
}

static void begin_flush(struct store *s, struct pl_ctx *x)
{
	struct redo *d = s->durability;
	struct group *g = &d->group[d->current];
	assert(!d->flushing && !group_empty(g));
	seal_block(s, d, g);
	uint32_t blocks = g->block + 1;
	uint64_t lsn = g->last_lsn + 1;
	for (uint32_t i = blocks; i-- > 0;) { /* a block in which no record starts tells the lsn of the next */
		uint8_t *b = g->bytes + (size_t)i * s->block_bytes;
		if (le64(b + 40))
			lsn = le64(b + 40);
		else
			put64(b + 40, lsn);
		put32(b, LOG_MAGIC);
		put32(b + 4, s->tag);
		put64(b + 8, d->generation);
		put64(b + 16, d->head + i);
		put64(b + 24, d->synced);
		put64(b + 32, s->anchor.sequence);
		put32(b + 52, pl_crc32c(0, b, s->block_bytes));
	}
	d->flushing = true;
	d->flush_end = d->head + blocks;
	d->flush_lsn = g->last_lsn;
	d->current ^= 1;
	group_reset(&d->group[d->current]);
	d->waiting = 0;
	d->commit_wanted = false;
	s->stats.log_flushes++;
	d->writes_left = 1; /* held until all are submitted */
	for (uint32_t i = 0; i < blocks && !s->failed;) {
		uint64_t number = d->head + i;
		uint32_t n = (uint32_t)pl_min64(blocks - i, d->per_segment - number % d->per_segment);
		enter_segment(s, x, number);
		struct io *io = io_take(s);
		io->r.op = DEV_WRITE;
		io->r.tag = DEV_TAG_LOG;
		io->r.block = place_of(s, number);
		io->r.blocks = n;
		io->r.buf = g->bytes + (size_t)i * s->block_bytes;
		io->done = log_written;
		d->writes_left++;
		io_submit(s, x, io);
		i += n;
	}
	d->head = d->flush_end;
	log_written(s, x, NULL);
}

static bool redo_durable(const struct store *s, pl_lsn lsn)
{
	const struct redo *d = s->durability;
	return lsn.v <= d->durable_lsn;
}

static void redo_want(struct store *s, struct pl_ctx *x, pl_lsn lsn, bool commit)
{
	struct redo *d = s->durability;
	if (lsn.v <= d->durable_lsn || (d->flushing && lsn.v <= d->flush_lsn))
		return; /* the flush under way brings it: the next group owes it nothing */
	if (!d->waiting++)
		d->first_wait_ns = x->now_ns;
	if (commit)
		d->commit_wanted = true;
}

static bool flush_due(const struct store *s, const struct redo *d, uint64_t now_ns, bool idle)
{
	const struct group *g = &d->group[d->current];
	if (d->flushing || group_empty(g) || s->failed)
		return false;
	if (g->block > d->room / 2)
		return true;
	if (!d->waiting)
		return false;
	return idle || d->commit_wanted || d->waiting >= d->group_count ||
	       (d->group_ns && now_ns >= d->first_wait_ns + d->group_ns);
}

static void redo_step(struct store *s, struct pl_ctx *x, bool idle)
{
	if (flush_due(s, s->durability, x->now_ns, idle))
		begin_flush(s, x);
}

static uint64_t redo_next_ns(const struct store *s, bool idle)
{
	const struct redo *d = s->durability;
	if (flush_due(s, d, 0, idle))
		return 0;
	if (!d->flushing && d->waiting && d->group_ns && !group_empty(&d->group[d->current]))
		return d->first_wait_ns + d->group_ns;
	return PL_NS_NEVER;
}

static bool redo_due(const struct store *s)
{
	const struct redo *d = s->durability;
	uint64_t usable = limit(d) - d->start;
	return d->head + d->group[d->current].block - d->start > usable / 2;
}

/* --- anchors ------------------------------------------------------------------------------------------------------ */

static void free_segments(struct store *s, struct pl_ctx *x, uint64_t from, uint64_t to)
{
	const struct redo *d = s->durability;
	for (uint64_t g = from / d->per_segment; g < to / d->per_segment; g++)
		enter_segment(s, x, g * d->per_segment);
}

static void redo_cut(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	struct redo *d = s->durability;
	io_drain(s, x); /* a flush in flight ends */
	a->cut_lsn = s->last_lsn;
	a->log_generation = d->generation;
	if (s->replaying) { /* half-way through a recovery: the next one begins behind this record */
		a->log_sequence = d->replay_block;
		return;
	}
	group_reset(&d->group[d->current]); /* the image holds it; whoever waits is acknowledged by the anchor */
	d->waiting = 0;
	d->commit_wanted = false;
	a->log_sequence = d->head;
	if (kv_broken == KV_BREAK_LOG_REUSE) {
		for (uint64_t n = d->start; n < d->head && !s->dev->caps.sequential; n++)
			io_punch(s, x, place_of(s, n), 1);
		free_segments(s, x, d->start, d->head);
		io_drain(s, x);
	}
}

static void redo_anchored(struct store *s, struct pl_ctx *x)
{
	struct redo *d = s->durability;
	uint64_t from = d->start;
	d->start = s->anchor.log_sequence;
	d->durable_lsn = pl_max64(d->durable_lsn, s->anchor.cut_lsn);
	if (s->dev->caps.sequential && !s->replaying)
		free_segments(s, x, from, d->start);
}

/* --- recovery ----------------------------------------------------------------------------------------------------- */

/* Is b the block of this number and generation? */
static bool valid_block(const struct store *s, const struct redo *d, uint8_t *b, uint64_t number)
{
	if (le32(b) != LOG_MAGIC || le32(b + 4) != s->tag || le64(b + 8) != d->generation || le64(b + 16) != number)
		return false;
	uint32_t used = le32(b + 48), found = le32(b + 52);
	if (used < BLOCK_HEADER || used > s->block_bytes)
		return false;
	put32(b + 52, 0);
	uint32_t crc = pl_crc32c(0, b, s->block_bytes);
	put32(b + 52, found);
	return found == crc || kv_broken == KV_BREAK_CHECKSUM;
}

struct reader {
	uint8_t *bytes;
	uint64_t from, n;
}; /* a window of blocks */
#define WINDOW 64u

static int read_block(struct store *s, struct pl_ctx *x, struct reader *r, uint64_t number, uint8_t **out)
{
	const struct redo *d = s->durability;
	if (number < r->from || number >= r->from + r->n) {
		uint64_t n = pl_min64(WINDOW, d->per_segment - number % d->per_segment);
		int err = io_read(s, x, DEV_TAG_LOG, place_of(s, number), (uint32_t)n, r->bytes);
		if (err)
			return pl_fault_set(&s->fault, err,
				"log block %" PRIu64 " (device block %" PRIu64 ") cannot be read: %s", number,
				place_of(s, number), pl_err_text(err));
		r->from = number;
		r->n = n;
	}
	*out = r->bytes + (size_t)(number - r->from) * s->block_bytes;
	return PL_OK;
}

static int replay_record(struct store *s, struct pl_ctx *x, const uint8_t *p, size_t n, uint64_t lsn)
{
	struct dur_record r = {.kind = (enum dur_record_kind)p[0], .lsn = {lsn}};
	size_t head = r.kind == DUR_UPDATE ? 16 : 8;
	if (n < head || r.kind < DUR_PUT || r.kind > DUR_UPDATE || head + le16(p + 2) + (size_t)le32(p + 4) != n)
		return pl_fault_set(&s->fault, PL_DAMAGED, "log record %" PRIu64 " does not parse", lsn);
	r.key = pl_slice_of(p + head, le16(p + 2));
	r.value = pl_slice_of(p + head + r.key.n, le32(p + 4));
	r.offset = r.kind == DUR_UPDATE ? le64(p + 8) : 0;
	if (lsn <= s->last_lsn)
		return PL_OK;
	s->stats.recovered_records++;
	return store_replay(s, x, &r);
}

struct replay {
	uint64_t lsn;
	size_t have;
	bool open;
}; /* lsn: of the next record to start */

static int replay_block(struct store *s, struct pl_ctx *x, const uint8_t *b, uint64_t number, struct replay *r)
{
	struct redo *d = s->durability;
	uint32_t used = le32(b + 48);
	if (!r->open)
		r->lsn = le64(b + 40);
	for (uint32_t at = BLOCK_HEADER; at + FRAGMENT_HEADER < used;) {
		uint8_t type = b[at];
		size_t n = le16(b + at + 1);
		const uint8_t *p = b + at + FRAGMENT_HEADER;
		if (at + FRAGMENT_HEADER + n > used || type < WHOLE || type > LAST)
			return pl_fault_set(&s->fault, PL_DAMAGED,
				"log block %" PRIu64 ": fragment at byte %u does not parse", number, at);
		at += FRAGMENT_HEADER + (uint32_t)n;
		if (type == WHOLE || type == FIRST) {
			r->have = 0;
			r->open = true;
			d->replay_block = number;
		} else if (!r->open)
			continue; /* the rest of a record that began before the replay's start */
		if (r->have + n > d->record_room)
			return pl_fault_set(&s->fault, PL_INVALID,
				"log block %" PRIu64 ": a record is longer than max_value_bytes permits: open with the "
				"max_value_bytes (0: from pool_bytes) that it was written with",
				number);
		memcpy(d->record + r->have, p, n);
		r->have += n;
		if (type == WHOLE || type == LAST) {
			r->open = false;
			int err = replay_record(s, x, d->record, r->have, r->lsn);
			if (err)
				return err;
			r->lsn++;
		}
	}
	return PL_OK;
}

/* Behind the end: a valid block that was written when the end was already synced, or knows a later anchor, is damage. */
static int look_behind(struct store *s, struct pl_ctx *x, struct reader *r, uint64_t end)
{
	struct redo *d = s->durability;
	for (uint64_t n = end + 1; n < limit(d); n++) {
		uint8_t *b;
		int err = read_block(s, x, r, n, &b);
		if (err)
			return err;
		if (!valid_block(s, d, b, n))
			continue;
		if (le64(b + 24) > end)
			return pl_fault_set(&s->fault, PL_DAMAGED,
				"log block %" PRIu64 " (device block %" PRIu64 ") is damaged: block %" PRIu64
				" behind it says that it was synced",
				end, place_of(s, end), n);
		d->replay_end = n + 1;
	}
	return PL_OK;
}

static int redo_recover(struct store *s, struct pl_ctx *x, struct pl_fault *f)
{
	struct redo *d = s->durability;
	struct reader r = {aligned_alloc(4096, (size_t)WINDOW * s->block_bytes), 0, 0};
	struct replay p = {.lsn = s->anchor.cut_lsn + 1};
	uint8_t *b = NULL;
	int err = r.bytes ? PL_OK : PL_NOMEM;
	uint8_t *own = malloc(s->block_bytes); /* replaying may checkpoint, but never reads the log: the window stays */
	d->generation = s->anchor.log_generation;
	d->start = d->head = s->anchor.log_sequence;
	d->replay_block = d->start;
	d->durable_lsn = s->anchor.cut_lsn;
	uint64_t n = d->start + (kv_broken == KV_BREAK_REPLAY_START);
	for (; !err && own && n < (s->anchor.log_sequence / d->per_segment + d->segments - 1) * d->per_segment; n++) {
		err = read_block(s, x, &r, n, &b);
		if (err || !valid_block(s, d, b, n))
			break;
		if (le64(b + 32) > s->anchor.sequence) {
			err = pl_fault_set(&s->fault, PL_DAMAGED,
				"log block %" PRIu64 " knows anchor %" PRIu64
				" as durable, but the newest anchor found is %" PRIu64 ": the meta stream is damaged",
				n, le64(b + 32), s->anchor.sequence);
			break;
		}
		memcpy(own, b, s->block_bytes);
		err = replay_block(s, x, own, n, &p);
	}
	d->replay_end = n;
	if (!err)
		err = look_behind(s, x, &r, n);
	d->head = n;
	free(own);
	free(r.bytes);
	if (err && f)
		*f = s->fault;
	return err;
}

static void redo_restart(struct store *s)
{
	struct redo *d = s->durability;
	uint64_t end = pl_max64(d->head, d->replay_end);
	if (kv_broken == KV_BREAK_LOG_GENERATION) {
		d->synced = d->head;
		return;
	}
	d->generation++;
	d->head = (end / d->per_segment + 1) * d->per_segment;
	d->synced = d->head;
	d->durable_lsn = s->last_lsn;
}

const struct dur_ops dur_redo = {
	.name = "redo",
	.summary = "logical log with group commit, rolled forward from the newest anchor",
	.opts = redo_opts,
	.logs = true,
	.log_blocks = redo_log_blocks,
	.open = redo_open,
	.close = redo_close,
	.reserve = redo_reserve,
	.unreserve = redo_unreserve,
	.record_bytes = redo_record_bytes,
	.append = redo_append,
	.durable = redo_durable,
	.want = redo_want,
	.step = redo_step,
	.next_ns = redo_next_ns,
	.due = redo_due,
	.cut = redo_cut,
	.anchored = redo_anchored,
	.recover = redo_recover,
	.restart = redo_restart,
};
