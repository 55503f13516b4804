/* kv.c - the store's front: opening and closing, and the scheduling of operations.
 *
 * An operation in flight is in exactly one place: being run, in `ready`, in the waiters of a loading frame, or in one of
 * the queues (frame, log, start, large). Whoever ends what it waits for moves it to `ready`. */
#include "engine/kv.h"

#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PINS_PER_OP 10u
#define ACTIVE_MAX 1024u
enum { PHASE_PLAN, PHASE_ACKNOWLEDGE };

struct kv {
	struct store s;
};

const struct pl_opt kv_opts[] = {
	{.name = "page_bytes",
		.type = PL_OPT_BYTES,
		.value = "8192",
		.min = 4096,
		.max = 65536,
		.help = "logical page size, a power of two, 2 to 16 device blocks (bytes)"},
	{.name = "block_bytes",
		.type = PL_OPT_BYTES,
		.value = "4096",
		.min = 4096,
		.max = 4096,
		.help = "device block size (bytes)"},
	{.name = "pool_bytes",
		.type = PL_OPT_BYTES,
		.value = "16777216",
		.min = 131072,
		.max = (uint64_t)1 << 40,
		.help = "page pool: the budget for page frames (bytes)"},
	{.name = "log_bytes",
		.type = PL_OPT_BYTES,
		.value = "33554432",
		.min = 65536,
		.max = (uint64_t)1 << 36,
		.help = "size of the log, where there is one (bytes)"},
	{.name = "max_value_bytes",
		.type = PL_OPT_BYTES,
		.value = "0",
		.help = "longest value (bytes); 0: 1 MiB, or what pool and log permit"},
	{.name = "int_keys",
		.type = PL_OPT_BOOL,
		.value = "0",
		.help = "every key is 8 bytes, big-endian: layouts may use integer arrays"},
	{0},
};

enum dev_tag tag_of_kind(enum page_kind kind)
{
	switch (kind) {
	case PAGE_LEAF:
		return DEV_TAG_LEAF;
	case PAGE_INNER:
		return DEV_TAG_INNER;
	case PAGE_OVERFLOW_INDEX:
	case PAGE_OVERFLOW_DATA:
		return DEV_TAG_OVERFLOW;
	case PAGE_MAP:
		return DEV_TAG_MAP;
	case PAGE_KINDS:
		break;
	}
	return DEV_TAG_LEAF;
}

/* --- queues ------------------------------------------------------------------------------------------------------- */

void queue_push(struct queue *q, struct kv_op *op)
{
	op->next = NULL;
	if (q->tail)
		q->tail->next = op;
	else
		q->head = op;
	q->tail = op;
}

struct kv_op *queue_pop(struct queue *q)
{
	struct kv_op *op = q->head;
	if (op) {
		q->head = op->next;
		if (!q->head)
			q->tail = NULL;
		op->next = NULL;
	}
	return op;
}

void op_ready(struct store *s, struct kv_op *op)
{
	queue_push(&s->ready, op);
}

static void wake_all(struct store *s, struct queue *q)
{
	for (struct kv_op *op; (op = queue_pop(q)) != NULL;)
		op_ready(s, op);
}

void wake_frame_waiters(struct store *s)
{
	wake_all(s, &s->wait_frame);
}

void wake_log_waiters(struct store *s)
{
	while (s->wait_log.head && s->choice.durability->durable(s, s->wait_log.head->lsn))
		op_ready(s, queue_pop(&s->wait_log));
}

/* --- reservations ------------------------------------------------------------------------------------------------- */

static bool dirty_room(struct store *s, struct pl_ctx *x, uint32_t pages)
{
	struct pool *p = &s->pool;
	if (p->dirty + pages <= p->dirty_limit)
		return true;
	pool_balance(s, x);
	return p->dirty + pages <= p->dirty_limit;
}

static bool log_room(struct store *s, struct pl_ctx *x, uint64_t bytes)
{
	const struct dur_ops *d = s->choice.durability;
	if (d->reserve(s, bytes))
		return true;
	d->want(s, x, (pl_lsn){s->last_lsn}, true); /* the buffer is full: have it written */
	d->step(s, x, true);
	return d->reserve(s, bytes);
}

static bool id_room(const struct store *s, uint32_t pages)
{
	return s->nfree_ids >= pages;
}

int store_reserve(struct store *s, struct pl_ctx *x, struct kv_op *op, uint32_t new_pages, uint32_t dirty_pages,
	uint64_t log_bytes, bool urgent)
{
	const struct plc_ops *placement = s->choice.placement;
	assert(!s->apply_pages && !s->apply_new && dirty_pages >= new_pages);
	if (s->failed)
		return PL_FAILED;
	if (dirty_pages > s->pool.dirty_limit)
		return pl_fault_set(
			&s->fault, PL_TOOBIG, "one change of %u pages is more than half of the pool", dirty_pages);
	/* what a checkpoint can free is freed here and now: it lets nobody in between in this version */
	if (!dirty_room(s, x, dirty_pages) || !id_room(s, new_pages)) {
		int err = checkpoint_run(s, x);
		if (err)
			return err;
	}
	if (!id_room(s, new_pages))
		return pl_fault_set(&s->fault, PL_FULL, "device full: all %" PRIu64 " pages are in use", s->max_ids);
	if (!log_room(s, x, log_bytes)) {
		int err = s->choice.durability->due(s) ? checkpoint_run(s, x) : PL_OK;
		if (err)
			return err;
		if (!s->choice.durability->reserve(s, log_bytes)) { /* until a flush completes */
			op->in.wait = WAIT_FRAME;
			return PL_AGAIN;
		}
	}
	if (!pool_reserve(s, x, new_pages)) {
		op->in.wait = WAIT_FRAME;
		return PL_AGAIN;
	}
	int err = PL_OK;
	urgent |= s->replaying; /* what was acknowledged must find room again */
	if (!placement->reserve(s, dirty_pages, urgent)) {
		err = placement->make_room(s, x, dirty_pages, urgent);
		if (!err && !placement->reserve(s, dirty_pages, urgent))
			err = PL_FULL;
	}
	if (err) {
		s->pool.reserved -= new_pages;
		return err == PL_FULL
			       ? pl_fault_set(&s->fault, PL_FULL, "device full: no room for %u more pages", dirty_pages)
			       : err;
	}
	s->apply_new = new_pages;
	s->apply_pages = dirty_pages;
	s->reserved_ids = new_pages;
	return PL_OK;
}

void store_unreserve(struct store *s)
{
	s->pool.reserved -= (uint32_t)s->reserved_ids; /* frames and ids are taken together */
	s->reserved_ids = 0;
	s->apply_new = 0;
	if (s->apply_pages)
		s->choice.placement->unreserve(s, s->apply_pages);
	s->apply_pages = 0;
}

pl_lsn store_next_lsn(struct store *s)
{
	return (pl_lsn){++s->last_lsn};
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int read_options(struct store *s, struct pl_fault *f)
{
	const struct pl_conf *c = s->conf;
	uint64_t page = pl_conf_u64(c, "page_bytes");
	s->block_bytes = s->dev->caps.block_bytes;
	s->page_bytes = (uint32_t)page;
	if (page & (page - 1) || page % s->block_bytes || page / s->block_bytes > 16)
		return pl_fault_set(f, PL_INVALID,
			"page_bytes: %" PRIu64 " is not a power of two of 1 to 16 blocks of %u bytes", page,
			s->block_bytes);
	s->page_blocks = s->page_bytes / s->block_bytes;
	s->full_bitmap = (uint16_t)((1u << s->page_blocks) - 1);
	s->inline_bytes = (s->page_bytes - PL_PAGE_HEADER) / 4;
	s->node = (struct nod_cfg){s->page_bytes, s->page_bytes / 8, pl_conf_bool(c, "int_keys"), {0}};
	s->packs = s->choice.placement->packs && s->choice.placement->packs(c);
	if (s->packs && !s->choice.addressing->map_pages)
		return pl_fault_set(f, PL_INVALID,
			"%s.pack: packing needs a mapping table, which addressing=%s has not",
			s->choice.placement->name, s->choice.addressing->name);
	s->space_derived[SPC_GRANULE] = s->packs ? s->block_bytes / PAGE_UNITS : s->block_bytes;
	int err = PL_OK;
	if (s->choice.node->configure)
		err = s->choice.node->configure(&s->node, c, f);
	if (!err && s->choice.space->configure)
		err = s->choice.space->configure(s->space_derived, s->page_bytes, s->block_bytes, c, f);
	if (!err && s->choice.placement->appends && s->choice.cleaning->configure)
		err = s->choice.cleaning->configure(s->cleaning_derived, c, f);
	pl_rng_seed(
		&s->cleaning_rng, 0, 7); /* each opening draws the same: a run stays a function of its specification */
	return err;
}

/* The longest value: what the pool can hold dirty at once, an index page can name, and a log can take. */
static int limit_values(struct store *s, struct pl_fault *f)
{
	/* by_parent the pages of a value bear its key: see engine/btree/btree.h */
	uint32_t room = s->page_bytes - 72 - (store_by_parent(s) ? 8 + s->node.max_key_bytes : 0);
	uint64_t frames = pl_conf_u64(s->conf, "pool_bytes") / s->page_bytes;
	uint64_t pages = pl_min64(frames / 8, room / 8), most = pages * room;
	if (s->choice.durability->logs) {
		/* a record twice, as blocks, must be an eighth of the log less a segment of four: see redo.c */
		uint64_t log = pl_conf_u64(s->conf, "log_bytes"), eighth = log / s->block_bytes * 3 / 32;
		uint64_t by_log = pl_min64(log / 24, eighth > 2 ? (eighth - 2) * (s->block_bytes - 96) / 2 - 16 : 0);
		most = pl_min64(
			most, pl_max64(by_log, s->inline_bytes + s->node.max_key_bytes) - s->node.max_key_bytes);
	}
	uint64_t want = pl_conf_u64(s->conf, "max_value_bytes");
	if (want > most)
		return pl_fault_set(f, PL_INVALID,
			"max_value_bytes: %" PRIu64
			" is more than pool_bytes, page_bytes and log_bytes permit (%" PRIu64 ")",
			want, most);
	s->max_value_bytes = (uint32_t)(want ? want : pl_min64(most, 1u << 20));
	s->max_overflow_pages = (uint32_t)pl_div_up(s->max_value_bytes, room) + 1;
	return PL_OK;
}

static bool changeable(const struct plc_ops *placement, const char *option)
{
	for (const char *const *c = placement->changeable; c && *c; c++)
		if (strcmp(*c, option) == 0)
			return true;
	return false;
}

/* What a base must agree with when the store is opened again. */
static int write_spec(struct store *s)
{
	static const char *const keys[] = {"page_bytes", "log_bytes", "int_keys"};
	const char *axes[][2] = {
		{"structure", s->choice.structure->name},
		{"node", s->choice.node->name},
		{"space", s->choice.space->name},
		{"addressing", s->choice.addressing->name},
		{"placement", s->choice.placement->name},
		{"durability", s->choice.durability->name},
		{"guard", s->choice.placement->in_place ? s->choice.guard->name : "-"},
	};
	size_t room = 4096, n = 0;
	s->spec = malloc(room);
	if (!s->spec)
		return PL_NOMEM;
	for (size_t i = 0; i < PL_COUNT(axes); i++)
		n += (size_t)snprintf(s->spec + n, room - n, "%s=%s\n", axes[i][0], axes[i][1]);
	for (size_t i = 0; i < PL_COUNT(keys); i++)
		n += (size_t)snprintf(s->spec + n, room - n, "%s=%s\n", keys[i], pl_conf_str(s->conf, keys[i]));
	/* of node and space because they decide what pages look like */
	const struct pl_opt *own[] = {s->choice.node->opts, s->choice.space->opts, s->choice.placement->opts,
		s->choice.placement->in_place ? s->choice.guard->opts : NULL};
	const char *prefix[] = {
		s->choice.node->name, s->choice.space->name, s->choice.placement->name, s->choice.guard->name};
	for (size_t i = 0; i < PL_COUNT(own); i++)
		for (const struct pl_opt *o = own[i]; o && o->name; o++) {
			char key[128];
			if (!i && changeable(s->choice.placement, o->name))
				continue;
			(void)snprintf(key, sizeof key, "%s.%s", prefix[i], o->name);
			n += (size_t)snprintf(s->spec + n, room - n, "%s=%s\n", key, pl_conf_str(s->conf, key));
		}
	uint64_t journal =
		s->choice.placement->in_place ? s->choice.guard->journal_blocks(s, s->dev->caps.capacity_blocks) : 0;
	if (journal) /* may follow from pool_bytes, and everything behind the journal lies where it ends */
		n += (size_t)snprintf(s->spec + n, room - n, "%s.journal_bytes (0: from pool_bytes)=%" PRIu64 "\n",
			s->choice.guard->name, journal * s->block_bytes);
	(void)snprintf(s->spec + n, room - n, "device_blocks=%" PRIu64 "\n", s->dev->caps.capacity_blocks);
	return PL_OK;
}

static int allocate(struct store *s, struct pl_fault *f)
{
	size_t page = ((size_t)s->page_bytes + 4095) & ~(size_t)4095;
	s->directory = calloc(s->max_ids + 1, sizeof *s->directory);
	s->free_ids = calloc(s->max_ids + 1, sizeof *s->free_ids);
	s->deferred_ids = calloc(s->max_ids + 1, sizeof *s->deferred_ids);
	s->image = aligned_alloc(4096, page);
	s->locs = aligned_alloc(4096, page);
	size_t scratch = spc_scratch_bytes(s->choice.space, s->space_derived, s->page_bytes);
	s->space_scratch = malloc(scratch + 64);
	s->large_frames = calloc(s->max_overflow_pages + 2, sizeof *s->large_frames);
	s->max_active = (uint32_t)pl_max64(1, pl_min64(ACTIVE_MAX, s->pool.frames / 2 / PINS_PER_OP));
	size_t per_op = 2 * (size_t)s->node.max_key_bytes + 64;
	s->scratch = calloc(s->max_active, sizeof *s->scratch);
	s->scratch_memory = malloc(s->max_active * per_op);
	if (!s->directory || !s->free_ids || !s->deferred_ids || !s->image || !s->locs || !s->space_scratch ||
		!s->large_frames || !s->scratch || !s->scratch_memory)
		return pl_fault_set(f, PL_NOMEM, "no memory for a directory of %" PRIu64 " pages", s->max_ids);
	while (s->nscratch < s->max_active) {
		s->scratch[s->nscratch] = s->scratch_memory + s->nscratch * per_op;
		s->nscratch++;
	}
	return PL_OK;
}

static void release(struct store *s)
{
	const struct kv_choice *c = &s->choice;
	if (c->placement)
		c->placement->close(s);
	if (c->addressing)
		c->addressing->close(s);
	if (c->durability)
		c->durability->close(s);
	meta_close(s);
	pool_close(s);
	free(s->scratch);
	free(s->scratch_memory);
	free(s->directory);
	free(s->free_ids);
	free(s->deferred_ids);
	free(s->image);
	free(s->locs);
	free(s->space_scratch);
	free(s->large_frames);
	for (size_t i = 0; i < s->io_nslabs; i++)
		free(s->io_slabs[i]);
	free(s->io_slabs);
	free(s->spec);
	free(s);
}

/* Everything up to, but not including, the first look at what the device holds. */
static int prepare(
	const struct kv_choice *c, const struct pl_conf *conf, struct dev *dev, struct store **out, struct pl_fault *f)
{
	const char *refusal = kv_refusal(c);
	if (refusal)
		return pl_fault_set(f, PL_INVALID, "this combination is refused: %s", refusal);
	struct kv *kv = calloc(1, sizeof *kv);
	if (!kv)
		return pl_fault_set(f, PL_NOMEM, "no memory for a store");
	struct store *s = &kv->s;
	*out = s;
	s->conf = conf;
	s->dev = dev;
	s->choice = *c;
	int err = read_options(s, f);
	if (!err)
		err = limit_values(s, f);
	if (!err && write_spec(s))
		err = pl_fault_set(f, PL_NOMEM, "no memory for the specification");
	if (!err)
		err = pool_open(s, f);
	if (!err)
		err = c->placement->open(s, f);
	if (!err)
		err = c->addressing->open(s, f);
	if (!err)
		err = c->durability->open(s, f);
	if (!err)
		err = meta_open(s, f);
	if (!err)
		err = allocate(s, f);
	if (err) {
		/* an axis that was not reached has nothing to close */
		release(s);
		*out = NULL;
	}
	return err;
}

/* A tag that differs from that of a store which lay here before, so that its remains never join ours. */
static int choose_tag(struct store *s, struct pl_ctx *x)
{
	uint64_t mix = s->seed;
	uint8_t *block = s->image;
	for (int h = 0; h < 2; h++) {
		int err = io_read(s, x, DEV_TAG_META, s->layout.meta_start[h], 1, block);
		if (err)
			return err;
		mix = mix * 0x9E3779B97F4A7C15u + le32(block + 8) + le64(block + 16);
	}
	mix ^= mix >> 29;
	s->tag = (uint32_t)(mix * 0xBF58476D1CE4E5B9u >> 32) | 1u;
	return PL_OK;
}

static int erase_meta(struct store *s, struct pl_ctx *x)
{
	if (s->dev->caps.sequential)
		return PL_OK; /* the placement has reset all zones */
	memset(s->meta_buf, 0, s->meta_buf_bytes);
	uint64_t step = s->meta_buf_bytes / s->block_bytes, total = 2 * s->layout.meta_blocks;
	int err = PL_OK;
	for (uint64_t b = 0; b < total && !err; b += step)
		err = io_write(s, x, DEV_TAG_META, s->layout.meta_start[0] + b, (uint32_t)pl_min64(step, total - b),
			s->meta_buf);
	return err ? err : io_sync(s, x);
}

static void list_free_ids(struct store *s)
{
	s->nfree_ids = 0;
	s->stats.live_pages = 0;
	for (uint64_t id = s->max_ids; id > 0; id--)
		if (!s->directory[id])
			s->free_ids[s->nfree_ids++] = (uint32_t)id;
		else
			s->stats.live_pages++;
}

int kv_format(const struct kv_choice *c, const struct pl_conf *conf, uint64_t seed, struct dev *dev, struct pl_ctx *x,
	struct pl_fault *f)
{
	struct store *s = NULL;
	int err = prepare(c, conf, dev, &s, f);
	if (err)
		return err;
	s->seed = seed;
	s->epoch = 1;
	s->clock = 1;
	err = choose_tag(s, x);
	if (!err)
		err = c->placement->format(s, x);
	if (!err)
		err = erase_meta(s, x);
	if (!err) {
		list_free_ids(s);
		s->meta_new_base = true;
		s->closing = true;
		s->anchor.log_generation = 1;
		err = c->structure->format(s, x);
	}
	if (!err)
		err = checkpoint_run(s, x);
	if (err)
		io_drain(s, x); /* what is in flight uses our memory */
	if (!err && c->placement->in_place) /* homes of the first batch: before somebody else takes the device */
		err = io_sync(s, x);
	if (err && f && !s->fault.err)
		(void)pl_fault_set(f, err, "the store cannot be made: %s", pl_err_text(err));
	else if (err && f)
		*f = s->fault;
	release(s);
	return err;
}

static int recover(struct store *s, struct pl_ctx *x, struct pl_fault *f)
{
	const struct kv_choice *c = &s->choice;
	int err = meta_read(s, x, f);
	if (err)
		return err;
	s->epoch = s->anchor.epoch + 1;
	s->clock = pl_max64(1, s->anchor.clock);
	s->records = s->anchor.records;
	s->overflow_pages = s->anchor.overflow_pages;
	s->last_lsn = s->anchor.cut_lsn;
	if (kv_broken != KV_BREAK_RECOVERY_SYNC)
		err = io_sync(s, x);
	if (!err) {
		err = c->addressing->load(s, x, f);
		if (err && !s->failed)
			return err;
	}
	list_free_ids(s);
	if (store_by_parent(s)) /* the directory knows the root only */
		s->stats.live_pages = c->addressing->extents(s);
	if (!err)
		err = s->failed ? PL_FAILED : c->placement->recover(s, x);
	io_drain(s, x);
	if (!err && kv_broken != KV_BREAK_RECOVERY_SYNC)
		err = io_sync(s, x);
	if (!err) {
		s->replaying = true;
		err = c->durability->recover(s, x, NULL);
		s->replaying = false;
	}
	if (!err) {
		c->durability->restart(s);
		err = checkpoint_run(s, x);
	}
	if (err && f) {
		if (s->failed)
			*f = s->failure;
		else if (s->fault.err)
			*f = s->fault;
		else
			(void)pl_fault_set(f, err, "the store cannot be opened: %s", pl_err_text(err));
	}
	return err;
}

int kv_open(const struct kv_choice *c, const struct pl_conf *conf, struct dev *dev, struct pl_ctx *x, struct kv **out,
	struct pl_fault *f)
{
	struct store *s = NULL;
	*out = NULL;
	int err = prepare(c, conf, dev, &s, f);
	if (err)
		return err;
	err = recover(s, x, f);
	if (err) {
		io_drain(s, x); /* what is in flight uses our memory */
		release(s);
		return err;
	}
	s->opened = true;
	*out = (struct kv *)s;
	return PL_OK;
}

void kv_abandon(struct kv *kv)
{
	if (kv)
		release(&kv->s);
}

int kv_close(struct kv *kv, struct pl_ctx *x, struct pl_fault *f)
{
	struct store *s = &kv->s;
	assert(!s->active);
	s->closing = true;
	int err = checkpoint_run(s, x);
	if (!err) {
		io_drain(s, x);
		err = io_sync(s, x); /* home writes and resets of the last anchor */
	}
	if (err)
		io_drain(s, x); /* what is in flight uses our memory */
	if (err && f)
		*f = s->failed ? s->failure : s->fault;
	release(s);
	return err;
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void end(struct store *s, struct kv_op *op, int status)
{
	while (op->in.pins)
		page_unpin(s, op->in.frame[--op->in.pins]);
	if (s->large_owner == op) {
		while (s->nlarge)
			page_unpin(s, s->large_frames[--s->nlarge]);
		s->large_owner = NULL;
		if (s->wait_large.head)
			op_ready(s, queue_pop(&s->wait_large));
	}
	op->status = status;
	if (op->in.admitted) {
		op->in.admitted = false;
		s->scratch[s->nscratch++] = op->in.scratch;
		s->active--;
		if (s->wait_start.head)
			op_ready(s, queue_pop(&s->wait_start));
	}
}

static void background(struct store *s, struct pl_ctx *x, bool may_checkpoint)
{
	s->choice.durability->step(s, x, s->idle);
	pool_balance(s, x);
	if (s->choice.placement->step && may_checkpoint && !s->failed && !s->replaying)
		s->choice.placement->step(s, x);
	if (may_checkpoint && checkpoint_due(s) && !s->replaying)
		(void)checkpoint_run(s, x);
}

static int acknowledge(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	bool commit = op->kind == KV_COMMIT;
	if (s->failed)
		return PL_FAILED;
	if (!op->lsn.v || s->replaying)
		return PL_OK;
	if (commit && !s->choice.durability->logs)
		return op->lsn.v <= s->anchor.cut_lsn ? PL_OK : checkpoint_run(s, x);
	if (!commit && (op->no_wait || !s->op_waits))
		return PL_OK;
	if (s->choice.durability->durable(s, op->lsn))
		return PL_OK;
	if (op->in.phase != PHASE_ACKNOWLEDGE) {
		op->in.phase = PHASE_ACKNOWLEDGE;
		s->choice.durability->want(s, x, op->lsn, commit);
	}
	op->in.wait = WAIT_LOG;
	return PL_AGAIN;
}

static void count(struct store *s, const struct kv_op *op)
{
	switch (op->kind) {
	case KV_GET:
		s->stats.gets++;
		break;
	case KV_PUT:
		s->stats.puts++;
		break;
	case KV_UPDATE:
	case KV_RMW:
		s->stats.updates++;
		break;
	case KV_DELETE:
		s->stats.deletes++;
		break;
	case KV_SCAN:
		s->stats.scans++;
		break;
	case KV_COMMIT:
	case KV_KINDS:
		break;
	}
}

/* One turn. PL_AGAIN: the operation is where it waits. Else it has ended. */
static int turn(struct store *s, struct pl_ctx *x, struct kv_op *op)
{
	int err;
	pl_charge(x, PL_COST_TURN, 1);
	s->stats.turns++;
	if (!op->in.admitted) {
		if (s->active >= s->max_active) {
			queue_push(&s->wait_start, op);
			s->stats.waits++;
			return PL_AGAIN;
		}
		s->active++;
		op->in.admitted = true;
		op->in.scratch = s->scratch[--s->nscratch];
	}
	if (s->failed && op->kind != KV_GET && op->kind != KV_SCAN)
		err = PL_FAILED;
	else if (op->in.phase == PHASE_ACKNOWLEDGE)
		err = acknowledge(s, x, op);
	else {
		err = op->kind == KV_COMMIT ? PL_OK : s->choice.structure->turn(s, x, op);
		if (!err) {
			if (op->kind == KV_COMMIT)
				op->lsn = (pl_lsn){s->last_lsn};
			else {
				/* the change is made: pins would only hinder others while it waits for the log */
				while (op->in.pins)
					page_unpin(s, op->in.frame[--op->in.pins]);
				op->in.height = 0;
			}
			err = acknowledge(s, x, op);
		}
	}
	if (err != PL_AGAIN) {
		count(s, op);
		end(s, op, err);
	} else {
		s->stats.waits++;
		switch ((enum op_wait)op->in.wait) {
		case WAIT_FRAME:
			queue_push(&s->wait_frame, op);
			break;
		case WAIT_LOG:
			queue_push(&s->wait_log, op);
			break;
		case WAIT_LARGE:
			queue_push(&s->wait_large, op);
			break;
		case WAIT_PAGE: /* among the frame's waiters */
		case WAIT_START:
		case WAIT_NONE:
			break;
		}
	}
	/* making images moves bytes inside of pages, and the result of a get is borrowed from one */
	background(s, x, op->kind != KV_GET || err != PL_OK);
	return err;
}

int kv_start(struct kv *kv, struct pl_ctx *x, struct kv_op *op)
{
	struct store *s = &kv->s;
	memset(&op->in, 0, sizeof op->in);
	op->status = PL_AGAIN;
	op->lsn = (pl_lsn){0};
	op->result = (pl_slice){0};
	op->emitted = 0;
	op->replaced = false;
	op->next = NULL;
	op->in.order = s->next_order++;
	s->idle = false;
	if (op->kind != KV_COMMIT && op->kind != KV_SCAN && (op->key.n > s->node.max_key_bytes || !op->key.n))
		return op->status = pl_fault_set(&s->fault, PL_TOOBIG,
			       "a key of %zu bytes: keys have 1 to %u bytes (page_bytes / 8)", op->key.n,
			       s->node.max_key_bytes);
	if (op->kind == KV_SCAN && op->key.n > s->node.max_key_bytes)
		return op->status = PL_TOOBIG;
	if (s->node.int_keys && op->kind != KV_COMMIT && op->kind != KV_SCAN && op->key.n != 8)
		return op->status = pl_fault_set(
			       &s->fault, PL_INVALID, "a key of %zu bytes: with int_keys=1 every key has 8", op->key.n);
	if ((op->kind == KV_PUT || op->kind == KV_UPDATE) && op->value.n > s->max_value_bytes)
		return op->status = pl_fault_set(&s->fault, PL_TOOBIG,
			       "a value of %zu bytes: the longest is %u (max_value_bytes)", op->value.n,
			       s->max_value_bytes);
	return turn(s, x, op);
}

/* After a failure nothing that waits will come. */
static void fail_waiters(struct store *s)
{
	struct queue *const all[] = {&s->wait_frame, &s->wait_log, &s->wait_start, &s->wait_large};
	for (uint32_t i = 0; !s->in_flight && i < s->pool.frames; i++) /* reads that the device will never answer */
		for (struct kv_op *op; (op = s->pool.frame[i].waiters) != NULL;) {
			s->pool.frame[i].waiters = op->next;
			page_unpin(s, i);
			end(s, op, PL_FAILED);
			queue_push(&s->done, op);
		}
	for (size_t i = 0; i < PL_COUNT(all); i++)
		for (struct kv_op *op; (op = queue_pop(all[i])) != NULL;) {
			end(s, op, PL_FAILED);
			queue_push(&s->done, op);
		}
}

struct kv_op *kv_run(struct kv *kv, struct pl_ctx *x)
{
	struct store *s = &kv->s;
	io_poll(s, x);
	if (s->failed)
		fail_waiters(s);
	for (;;) {
		struct kv_op *op = queue_pop(&s->done);
		if (op)
			return op;
		op = queue_pop(&s->ready);
		if (!op) {
			background(s, x, true);
			io_poll(s, x);
			if (s->failed)
				fail_waiters(s);
			if (!s->ready.head && !s->done.head)
				return NULL;
			continue;
		}
		if (turn(s, x, op) != PL_AGAIN)
			return op;
	}
}

uint64_t kv_next_ns(struct kv *kv, uint64_t now_ns, bool idle)
{
	struct store *s = &kv->s;
	if (idle)
		s->idle = true;
	if (s->ready.head || s->done.head)
		return now_ns;
	uint64_t timer = s->choice.durability->next_ns(s, s->idle);
	uint64_t device = s->in_flight ? dev_next_ns(s->dev) : PL_NS_NEVER;
	uint64_t next = timer < device ? timer : device;
	return next < now_ns ? now_ns : next;
}

int kv_do(struct kv *kv, struct pl_ctx *x, struct kv_op *op)
{
	int err = kv_start(kv, x, op);
	while (err == PL_AGAIN) {
		struct kv_op *ended = kv_run(kv, x);
		if (ended) {
			assert(ended == op);
			return op->status;
		}
		uint64_t next = kv_next_ns(kv, x->now_ns, true);
		if (next == PL_NS_NEVER) {
			if (!kv->s.failed)
				(void)store_fail(
					&kv->s, "an operation waits (%u) for what nobody owes it", op->in.wait);
			return PL_FAILED;
		}
		if (x->simulated && next > x->now_ns)
			x->now_ns = next;
	}
	return err;
}

int kv_put(struct kv *kv, struct pl_ctx *x, pl_slice key, pl_slice value)
{
	struct kv_op op = {.kind = KV_PUT, .key = key, .value = value};
	return kv_do(kv, x, &op);
}

int kv_get(struct kv *kv, struct pl_ctx *x, pl_slice key, uint8_t *buf, size_t buf_bytes, pl_slice *value)
{
	struct kv_op op = {.kind = KV_GET, .key = key, .buf = buf, .buf_bytes = buf_bytes};
	int err = kv_do(kv, x, &op);
	*value = op.result;
	return err;
}

int kv_delete(struct kv *kv, struct pl_ctx *x, pl_slice key)
{
	struct kv_op op = {.kind = KV_DELETE, .key = key};
	return kv_do(kv, x, &op);
}

int store_replay(struct store *s, struct pl_ctx *x, const struct dur_record *r)
{
	struct kv_op op = {.key = r->key, .value = r->value, .offset = r->offset};
	op.kind = r->kind == DUR_PUT ? KV_PUT : r->kind == DUR_DELETE ? KV_DELETE : KV_UPDATE;
	s->last_lsn = r->lsn.v - 1;
	int err = kv_do((struct kv *)s, x, &op);
	s->last_lsn = r->lsn.v;
	/* absolute records: what a later record makes good is no error */
	return err == PL_NOTFOUND || (err == PL_RANGE && op.kind == KV_UPDATE) ? PL_OK : err;
}

int kv_checkpoint(struct kv *kv, struct pl_ctx *x)
{
	return checkpoint_run(&kv->s, x);
}

uint32_t kv_max_active(const struct kv *kv)
{
	return kv->s.max_active;
}

uint32_t kv_max_value_bytes(const struct kv *kv)
{
	return kv->s.max_value_bytes;
}

const char *kv_fault_text(const struct kv *kv)
{
	return kv->s.failed ? kv->s.failure.text : kv->s.fault.text;
}

int kv_check(struct kv *kv, struct pl_ctx *x, struct pl_fault *f)
{
	return kv->s.choice.structure->check(&kv->s, x, f);
}

void kv_stats(const struct kv *kv, struct kv_stats *out)
{
	const struct store *s = &kv->s;
	struct plc_report r;
	struct dev_stats d;
	*out = s->stats;
	s->choice.placement->report(s, &r);
	dev_stats(s->dev, &d);
	out->cache_pages = s->pool.frames;
	out->records = s->records;
	out->live_bytes = r.live_blocks * s->block_bytes - r.gap_bytes;
	out->dead_bytes = r.dead_blocks * s->block_bytes + r.gap_bytes;
	out->free_bytes = r.free_blocks * s->block_bytes;
	out->reserved_bytes = r.reserved_blocks * s->block_bytes;
	out->data_capacity_bytes = r.capacity_blocks * s->block_bytes;
	out->device_used_bytes = d.stored_bytes;
	uint32_t root = page_resident(s, STORE_ROOT);
	out->height = root == POOL_NONE ? 0 : page_level(frame_page(s, root)) + 1u;
}
