/* sim_opfs.c - the browser's Origin Private File System, as one dedicated worker sees it through
 * FileSystemSyncAccessHandle.
 *
 * Models Chromium 156 on Linux (whatwg/fs; times measured there with a warm page cache). The blocks of the device are
 * those of `files` files of equal greatest size:
 *
 *   block b  ->  file b / file_blocks, byte (b % file_blocks) * block_bytes of its body (sim_opfs_file.h)
 *   name of a file -> body; handles of the worker; handles still held by a terminated worker; bytes charged
 *
 * Calls. Every request is one blocking call, or one for each file it touches; they run one after the other in the order
 * of submission, and take effect when they end. Nothing overlaps: queue depth 1.
 *   read      read_ns + read_ns_per_kib of what lies before the file's end; cold_read_ns and cold_read_ns_per_kib more
 *             where pages are not in the page cache (cache_bytes; 0: all is always there)
 *   write     write_ns (mostly the message to the browser process) + write_ns_per_kib; first_write_ns_per_kib for
 *             granules stored for the first time, grow_ns if the file grows, new_file_write_ns if it was never written
 *   truncate  truncate_ns + truncate_ns_per_mib of real data given back, at once
 *   sync      a flush of each file changed since its last flush (of one where none is): flush_ns + flush_ns_per_page
 *             for each dirty page of 16 KiB; flush_tail_ns more in flush_tail_permille of them
 *   open      lookup_ns or create_ns, + open_ns; close, move, remove: theirs. No unlink or rename of open files
 *   punch     there is none: space comes back by truncation and removal only; zeros are data
 *
 * Handles. exclusive: one handle a file; readwrite-unsafe: any number; read-only: any number, and nothing is written.
 * fresh = 0: all files exist, empty, durable and open, and after a cut the first call to a file opens it (creates it),
 * and pays for that. fresh = 1: no file exists; DEV_FILE_OPEN makes and opens one. A call to a file that the host has
 * closed, or that is not open with fresh = 1, ends with PL_FILE_STATE. Move needs its two files closed, remove its one
 * (PL_LOCKED). More than max_handles: PL_HANDLES.
 *
 * Quota. The origin is charged the logical sizes, holes included, and entry_bytes a file. While a file is open it is
 * charged in steps of quota_step_bytes and never less than before; closing it settles the bill. A write or truncation
 * that would exceed quota_bytes ends with PL_QUOTA and has changed nothing.
 *
 * Cuts.
 *   worker    the thread runs on: all its calls submitted take place, in their time, and its handles are held for
 *             terminate_lag_ns (longer if its calls take longer). An exclusive file cannot be opened until then
 *             (PL_LOCKED; try again). An unsafe one can, and the old worker's late writes fall between the new one's
 *   process   completed calls stay, in the page cache. The call under way happened, did not, or, a write, in part: any of
 *             its parts of folio_bytes, a beginning being most likely. Where only the browser process was killed (half
 *             of the seeds) the renderer has gone on with some of the calls submitted before that
 *   power     each granule written since its file's last flush shows its newest, its durable or a version between,
 *             independently; unflushed growth may be lost from any granule on; an unflushed truncation is undone or is
 *             not. Files created, moved or removed less than namespace_durable_ns ago: the last so many of these changes
 *             are undone, in the reverse order, whatever was flushed. The page cache is empty
 *   evict     nothing is left, not even the files
 *
 * Invariants:
 *  1. A call takes effect at its end and not before, so at any time the state is that of the calls completed.
 *  2. Completions leave in the order of submission.
 *  3. Handles, the terminated worker's included, never exceed max_handles; a file that a sync opens for itself apart.
 *  4. A file that nobody has open is charged its size, an open one at least that.
 *  5. A refused call has changed nothing but opened files that it needed (a request over several files is judged as a
 *     whole). What a call on names needs holds when it begins and when it ends, or it is refused.
 *  6. Nothing is decided by the clock, an address or the host: seed and calls only.
 * Cost: a few array accesses a granule and a copy. Memory: what is stored and not flushed, 50-100 bytes a file; nothing
 * for blocks never written. media writes = host writes (the page cache's merging is not counted); media reads = reads
 * that missed the page cache.
 *
 * namespace_durable_ns: Chromium keeps names in a LevelDB log that it never syncs, so they become durable when the kernel
 * writes that file back: after at most dirty_expire (30 s) + dirty_writeback (5 s), Linux' defaults, hence 35 s.
 *
 * Left out: distributions (but for flush_tail all times are the line's), other tabs, writeback by the kernel itself
 * (unflushed data is at risk however old it is), the time it takes to free a removed file's space, names that survive their
 * bodies, createWritable, asynchronous opening (here a call like the others); contentless devices have no versions between
 * the durable and the newest. */
#include "engine/store/content.h"
#include "variants/device/sim_opfs_origin.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

extern const struct dev_ops dev_sim_opfs;

#define CALLS_TABLE(X)                                                                                                 \
	X(READ, "read_calls")                                                                                          \
	X(WRITE, "write_calls")                                                                                        \
	X(TRUNCATE, "truncate_calls")                                                                                  \
	X(FLUSH, "flush_calls")                                                                                        \
	X(OPEN, "open_calls")                                                                                          \
	X(CREATE, "create_calls")                                                                                      \
	X(CLOSE, "close_calls")                                                                                        \
	X(MOVE, "move_calls")                                                                                          \
	X(REMOVE, "remove_calls")                                                                                      \
	X(REFUSED, "refused_calls")

enum call {
#define X(id, name) CALL_##id,
	CALLS_TABLE(X)
#undef X
		CALLS
};

struct worker { /* calls in the order of submission, the first one under way */
	struct dev_req *first, *last;
	bool begun; /* some calls of the first request are done */
	uint64_t file, at; /* of the call under way: file, and block where it begins */
	uint32_t blocks; /* of it */
	uint64_t done_ns;
};

struct sim_opfs {
	struct dev dev; /* first: a struct dev * is a struct sim_opfs * */
	struct opfs_times t;
	struct opfs_origin o;
	struct pl_rng rng; /* tails of flushes */
	uint64_t now_ns, held_until_ns;
	struct worker host, old; /* old: terminated, runs on; its requests are ours */
	struct dev_req *done, **done_tail; /* of host, complete, not yet polled */
	uint64_t calls[CALLS];
};

static struct sim_opfs *opfs_of(struct dev *d)
{
	return (struct sim_opfs *)(void *)d;
}

static uint64_t blocks_bytes(const struct sim_opfs *s, uint64_t blocks)
{
	return blocks * s->dev.caps.block_bytes;
}

static uint64_t per_kib(uint64_t bytes, uint64_t ns)
{
	return pl_div_up(bytes * ns, 1024);
}

static bool is_old(const struct sim_opfs *s, const struct worker *w)
{
	return w == &s->old;
}

/* The terminated worker's handles are closed at last. */
static void held_release(struct sim_opfs *s, uint64_t now_ns)
{
	if (s->o.held && now_ns >= s->held_until_ns && !s->old.first)
		opfs_held_close(&s->o);
}

static int handle_open(struct sim_opfs *s, const struct worker *w, uint64_t file, uint64_t now_ns)
{
	s->calls[CALL_OPEN]++;
	s->calls[CALL_CREATE] += !s->o.name[file].body;
	return opfs_open(&s->o, file, is_old(s, w), now_ns);
}

static uint64_t handle_open_ns(const struct sim_opfs *s, uint64_t file)
{
	return (s->o.name[file].body ? s->t.lookup_ns : s->t.create_ns) + s->t.open_ns;
}

/* A handle for a call, opened now if that is the host's way; its time is added to *ns. */
static int handle_get(struct sim_opfs *s, const struct worker *w, uint64_t file, uint64_t now_ns, uint64_t *ns)
{
	const struct opfs_name *n = &s->o.name[file];
	if (opfs_is_open(n, is_old(s, w)))
		return PL_OK;
	if (s->o.rules.fresh || n->closed)
		return PL_FILE_STATE;
	*ns += handle_open_ns(s, file);
	int err = opfs_open_check(&s->o, n);
	return err ? err : handle_open(s, w, file, now_ns);
}

/* ---- calls: judged and timed when they begin ---- */

static uint64_t file_of(const struct sim_opfs *s, uint64_t block)
{
	return block / s->dev.caps.file_blocks;
}
static uint64_t byte_of(const struct sim_opfs *s, uint64_t block)
{
	return blocks_bytes(s, block % s->dev.caps.file_blocks);
}

/* The part of [at, end) in the file of at. */
static uint32_t part_of(const struct sim_opfs *s, uint64_t at, uint64_t end)
{
	return (uint32_t)pl_min64(end - at, s->dev.caps.file_blocks - at % s->dev.caps.file_blocks);
}

/* The bytes that a write's or truncation's growth is charged more, in all its files; charges them if so asked. */
static uint64_t growth(struct sim_opfs *s, const struct dev_req *r, bool charging)
{
	uint64_t more = 0;
	if (r->op == DEV_TRUNCATE) {
		struct opfs_name *n = &s->o.name[file_of(s, r->block)];
		uint64_t want = opfs_charge_for(&s->o, n, byte_of(s, r->block));
		more = want - n->charged;
		if (charging)
			opfs_charge(&s->o, n, want);
	}
	for (uint64_t at = r->block, end = r->block + r->blocks; at < end;) {
		struct opfs_name *n = &s->o.name[file_of(s, at)];
		uint32_t part = part_of(s, at, end);
		uint64_t want = opfs_charge_for(&s->o, n, byte_of(s, at) + blocks_bytes(s, part));
		more += want - n->charged;
		if (charging)
			opfs_charge(&s->o, n, want);
		at += part;
	}
	return more;
}

/* May r, a read, write or truncation, be done? Opens what must be opened. */
static int transfer_permit(
	struct sim_opfs *s, const struct worker *w, const struct dev_req *r, uint64_t now_ns, uint64_t *ns)
{
	uint64_t last = r->block + (r->blocks ? r->blocks - 1 : 0);
	for (uint64_t file = file_of(s, r->block); file <= file_of(s, last); file++) {
		int err = handle_get(s, w, file, now_ns, ns);
		if (err)
			return err;
	}
	if (r->op == DEV_READ)
		return PL_OK;
	if (s->o.rules.mode == OPFS_READ_ONLY)
		return PL_LOCKED;
	if (!opfs_quota_allows(&s->o, growth(s, r, false)))
		return PL_QUOTA;
	(void)growth(s, r, true);
	return PL_OK;
}

static uint64_t read_ns(struct sim_opfs *s, const struct worker *w)
{
	const struct opfs_body *b = s->o.name[w->file].body;
	uint64_t from = byte_of(s, w->at), size = b ? b->size : 0;
	uint64_t bytes = from < size ? pl_min64(size - from, blocks_bytes(s, w->blocks)) : 0;
	uint64_t cold = bytes ? opfs_body_cold_bytes(&s->o.disk, b, from, bytes) : 0;
	s->dev.stats.media_read_bytes += cold;
	return s->t.read_ns + per_kib(bytes, s->t.read_ns_per_kib) +
	       (cold ? s->t.cold_read_ns + per_kib(cold, s->t.cold_read_ns_per_kib) : 0);
}

static uint64_t write_ns(const struct sim_opfs *s, const struct worker *w)
{
	const struct opfs_body *b = s->o.name[w->file].body;
	uint64_t from = byte_of(s, w->at), bytes = blocks_bytes(s, w->blocks);
	uint64_t ns = s->t.write_ns + per_kib(bytes, s->t.write_ns_per_kib);
	if (!b)
		return ns;
	ns += per_kib(opfs_body_new_bytes(&s->o.disk, b, from, bytes), s->t.first_write_ns_per_kib);
	return ns + (from + bytes > b->size ? s->t.grow_ns : 0) + (b->written ? 0 : s->t.new_file_write_ns);
}

static uint64_t truncate_ns(const struct sim_opfs *s, const struct worker *w)
{
	const struct opfs_body *b = s->o.name[w->file].body;
	uint64_t freed = b ? opfs_body_freed_bytes(&s->o.disk, b, byte_of(s, w->at)) : 0;
	uint64_t mib = freed >> 20, rest = freed & ((1u << 20) - 1);
	return s->t.truncate_ns + mib * s->t.truncate_ns_per_mib + pl_div_up(rest * s->t.truncate_ns_per_mib, 1u << 20);
}

/* Once a request: a terminated worker's that was under way begins anew behind those of one terminated before. */
static void count(struct sim_opfs *s, struct dev_req *r)
{
	if (!r->scratch)
		dev_req_count(&s->dev.stats, &s->dev.caps, r);
	r->scratch = 1;
}

static int transfer_begin(struct sim_opfs *s, struct worker *w, struct dev_req *r, uint64_t now_ns, uint64_t *ns)
{
	if (!w->begun) {
		int err = transfer_permit(s, w, r, now_ns, ns);
		if (err) {
			if (*ns == 0)
				*ns = r->op == DEV_READ    ? s->t.read_ns
				      : r->op == DEV_WRITE ? s->t.write_ns
							   : s->t.truncate_ns;
			return err;
		}
		count(s, r);
		w->at = r->block;
	}
	w->file = file_of(s, w->at);
	w->blocks = r->op == DEV_TRUNCATE ? 0 : part_of(s, w->at, r->block + r->blocks);
	*ns += r->op == DEV_READ ? read_ns(s, w) : r->op == DEV_WRITE ? write_ns(s, w) : truncate_ns(s, w);
	return PL_OK;
}

/* The next file from `file` on that has something to flush; caps.files: none. */
static uint64_t next_unflushed(const struct sim_opfs *s, uint64_t file)
{
	while (file < s->dev.caps.files && !(s->o.name[file].body && s->o.name[file].body->unflushed))
		file++;
	return file;
}

static int flush_begin(struct sim_opfs *s, struct worker *w, struct dev_req *r, uint64_t now_ns, uint64_t *ns)
{
	int err = PL_OK;
	w->file = next_unflushed(s, w->begun ? w->file : 0);
	if (w->file < s->dev.caps.files) {
		struct opfs_name *n = &s->o.name[w->file];
		err = handle_get(s, w, w->file, now_ns, ns);
		if (err == PL_FILE_STATE) { /* opened for this, and closed again */
			err = opfs_open_check(&s->o, n);
			err = err == PL_HANDLES ? PL_OK : err;
			*ns += handle_open_ns(s, w->file) + s->t.close_ns;
		}
		if (!err)
			*ns += opfs_body_dirty_pages(&s->o.disk, n->body) * s->t.flush_ns_per_page;
	}
	if (err)
		return err;
	*ns += s->t.flush_ns;
	if (s->t.flush_tail_permille && pl_rng_below(&s->rng, 1000) < s->t.flush_tail_permille)
		*ns += s->t.flush_tail_ns;
	count(s, r);
	return PL_OK;
}

/* Moves and removals: only of files that exist and nobody has open. */
static int idle_check(const struct sim_opfs *s, uint64_t file, bool must_exist)
{
	const struct opfs_name *n = &s->o.name[file];
	if (n->handles || n->held)
		return PL_LOCKED;
	return n->body || !must_exist ? PL_OK : PL_FILE_STATE;
}

static int file_check(const struct sim_opfs *s, const struct worker *w, const struct dev_req *r)
{
	const struct opfs_name *n = &s->o.name[w->file];
	if (r->op == DEV_FILE_OPEN)
		return opfs_open_check(&s->o, n);
	if (r->op == DEV_FILE_CLOSE)
		return opfs_is_open(n, is_old(s, w)) ? PL_OK : PL_FILE_STATE;
	int err = idle_check(s, w->file, true);
	return err || r->op == DEV_FILE_REMOVE ? err : idle_check(s, file_of(s, r->result_block), false);
}

static int file_begin(struct sim_opfs *s, struct worker *w, struct dev_req *r, uint64_t *ns)
{
	w->file = file_of(s, r->block);
	*ns += r->op == DEV_FILE_OPEN    ? handle_open_ns(s, w->file)
	       : r->op == DEV_FILE_CLOSE ? s->t.close_ns
	       : r->op == DEV_FILE_MOVE  ? s->t.move_ns
					 : s->t.remove_ns;
	return file_check(s, w, r);
}

static void call_begin(struct sim_opfs *s, struct worker *w, uint64_t now_ns)
{
	struct dev_req *r = w->first;
	uint64_t ns = 0;
	held_release(s, now_ns);
	if (r->op == DEV_READ || r->op == DEV_WRITE || r->op == DEV_TRUNCATE)
		r->status = transfer_begin(s, w, r, now_ns, &ns);
	else if (r->op == DEV_SYNC)
		r->status = flush_begin(s, w, r, now_ns, &ns);
	else
		r->status = file_begin(s, w, r, &ns);
	if (r->status)
		s->calls[CALL_REFUSED]++;
	w->done_ns = now_ns + ns;
	s->dev.stats.busy_ns += ns;
}

/* ---- calls: take effect when they end ---- */

static int transfer_apply(struct sim_opfs *s, struct worker *w, struct dev_req *r)
{
	struct opfs_body *b = s->o.name[w->file].body;
	uint64_t from = byte_of(s, w->at), bytes = blocks_bytes(s, w->blocks);
	uint8_t *buf = r->buf && !s->dev.caps.contentless ? r->buf + blocks_bytes(s, w->at - r->block) : NULL;
	int err = PL_OK;
	s->calls[r->op == DEV_READ ? CALL_READ : r->op == DEV_WRITE ? CALL_WRITE : CALL_TRUNCATE]++;
	if (!b) { /* an old worker has removed it meanwhile */
		if (r->op == DEV_READ && buf)
			memset(buf, 0, bytes);
		return PL_OK;
	}
	if (r->op == DEV_READ && buf)
		opfs_body_read(&s->o.disk, b, from, bytes, buf);
	else if (r->op == DEV_WRITE)
		err = opfs_body_write(&s->o.disk, b, from, bytes, buf);
	else if (r->op == DEV_TRUNCATE)
		err = opfs_body_truncate(&s->o.disk, b, from);
	if (r->op == DEV_WRITE)
		s->dev.stats.media_write_bytes += bytes;
	opfs_body_touch(&s->o.disk, b, from, bytes);
	return err;
}

/* Judged anew: calls of a terminated worker (or of its successor) may have ended since this one began. */
static int file_apply(struct sim_opfs *s, struct worker *w, const struct dev_req *r)
{
	int err = file_check(s, w, r);
	if (err) {
		s->calls[CALL_REFUSED]++;
		return err;
	}
	if (r->op == DEV_FILE_OPEN)
		return handle_open(s, w, w->file, w->done_ns);
	if (r->op == DEV_FILE_CLOSE) {
		s->calls[CALL_CLOSE]++;
		opfs_close(&s->o, w->file, is_old(s, w));
		return PL_OK;
	}
	s->calls[r->op == DEV_FILE_MOVE ? CALL_MOVE : CALL_REMOVE]++;
	return r->op == DEV_FILE_MOVE ? opfs_move(&s->o, w->file, file_of(s, r->result_block), w->done_ns)
				      : opfs_remove(&s->o, w->file, w->done_ns);
}

/* The call under way takes effect. True: its request has another one to make. */
static bool call_apply(struct sim_opfs *s, struct worker *w)
{
	struct dev_req *r = w->first;
	if (r->status)
		return false;
	if (r->op == DEV_READ || r->op == DEV_WRITE || r->op == DEV_TRUNCATE) {
		r->status = transfer_apply(s, w, r);
		w->at += w->blocks;
		return !r->status && w->at < r->block + r->blocks;
	}
	if (r->op == DEV_SYNC) {
		s->calls[CALL_FLUSH]++;
		if (w->file < s->dev.caps.files && s->o.name[w->file].body)
			opfs_body_flush(&s->o.disk, s->o.name[w->file++].body);
		return next_unflushed(s, w->file) < s->dev.caps.files;
	}
	r->status = file_apply(s, w, r);
	return false;
}

static void done_clear(struct sim_opfs *s)
{
	s->done = NULL;
	s->done_tail = &s->done;
}

/* The first call of w ends; the next one begins at once. */
static void call_end(struct sim_opfs *s, struct worker *w)
{
	struct dev_req *r = w->first;
	w->begun = call_apply(s, w);
	if (!w->begun) {
		w->first = r->next;
		r->next = NULL;
		r->done_ns = w->done_ns;
		if (w == &s->old) {
			free(r);
		} else {
			*s->done_tail = r;
			s->done_tail = &r->next;
		}
	}
	if (w->first)
		call_begin(s, w, w->done_ns);
}

static void advance(struct sim_opfs *s, uint64_t now_ns)
{
	assert(now_ns >= s->now_ns);
	for (;;) { /* of two calls that end together the old worker's first */
		struct worker *w = s->old.first ? &s->old : &s->host;
		if (s->old.first && s->host.first && s->host.done_ns < s->old.done_ns)
			w = &s->host;
		if (!w->first || w->done_ns > now_ns)
			break;
		s->now_ns = w->done_ns;
		call_end(s, w);
	}
	s->now_ns = now_ns;
	held_release(s, now_ns);
	opfs_changes_expire(&s->o, now_ns);
}

static void enqueue(struct worker *w, struct dev_req *r)
{
	r->next = NULL;
	if (w->first)
		w->last->next = r;
	else
		w->first = r;
	w->last = r;
}

static int device_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct sim_opfs *s = opfs_of(d);
	int err = dev_req_check(&d->caps, r);
	if (!err && r->op == DEV_FILE_MOVE) {
		if (r->result_block >= d->caps.capacity_blocks)
			err = PL_RANGE;
		else if (r->result_block % d->caps.file_blocks || r->result_block == r->block)
			err = PL_INVALID;
	}
	if (err)
		return err;
	advance(s, now_ns);
	r->status = PL_OK;
	r->submit_ns = now_ns;
	r->scratch = 0;
	bool idle = !s->host.first;
	enqueue(&s->host, r);
	if (idle)
		call_begin(s, &s->host, now_ns);
	return PL_OK;
}

static struct dev_req *device_poll(struct dev *d, uint64_t now_ns)
{
	struct sim_opfs *s = opfs_of(d);
	advance(s, now_ns);
	struct dev_req *r = s->done;
	if (!r)
		return NULL;
	s->done = r->next;
	if (!s->done)
		done_clear(s);
	r->next = NULL;
	return r;
}

static uint64_t device_next_ns(struct dev *d)
{
	struct sim_opfs *s = opfs_of(d);
	return s->done ? s->done->done_ns : s->host.first ? s->host.done_ns : PL_NS_NEVER;
}

/* ---- cuts ---- */

static void drop_calls(struct sim_opfs *s, struct worker *w)
{
	while (w == &s->old && w->first) {
		struct dev_req *r = w->first;
		w->first = r->next;
		free(r);
	}
	*w = (struct worker){0};
}

/* The request as the terminated worker goes on with it: its bytes and tags are copied, for the caller's are gone. */
static struct dev_req *request_copy(const struct sim_opfs *s, const struct dev_req *r)
{
	size_t bytes = r->op == DEV_WRITE && r->buf && !s->dev.caps.contentless ? blocks_bytes(s, r->blocks) : 0;
	size_t tags = r->op == DEV_WRITE && r->block_tags ? r->blocks : 0;
	struct dev_req *n = malloc(sizeof *n + bytes + tags);
	if (!n)
		return NULL;
	uint8_t *after = (uint8_t *)(n + 1);
	*n = *r;
	n->buf = bytes ? after : NULL;
	n->block_tags = tags ? after + bytes : NULL;
	n->next = NULL;
	if (bytes)
		memcpy(after, r->buf, bytes);
	if (tags)
		memcpy(after + bytes, r->block_tags, tags);
	return n;
}

static int requests_copy(struct sim_opfs *s, const struct dev_req *first, struct worker *to)
{
	for (const struct dev_req *r = first; r; r = r->next) {
		struct dev_req *n = request_copy(s, r);
		if (!n)
			return PL_NOMEM;
		enqueue(to, n);
	}
	return PL_OK;
}

static int cut_worker(struct sim_opfs *s)
{
	struct worker moved = s->host;
	moved.first = moved.last = NULL;
	int err = requests_copy(s, s->host.first, &moved);
	if (err) {
		while (moved.first) {
			struct dev_req *r = moved.first;
			moved.first = r->next;
			free(r);
		}
		return err;
	}
	opfs_handles_hold(&s->o);
	s->held_until_ns = s->now_ns + s->o.rules.terminate_lag_ns;
	if (!s->old.first) {
		s->old = moved;
	} else if (moved.first) { /* two terminated workers become one after the other */
		s->old.last->next = moved.first;
		s->old.last = moved.last;
	}
	return PL_OK;
}

/* Of the write under way some parts, cut at multiples of folio_bytes, have happened: a beginning, or any. */
static int write_torn(struct sim_opfs *s, struct worker *w, struct pl_rng *rng)
{
	struct dev_req *r = w->first;
	struct opfs_body *b = s->o.name[w->file].body;
	uint64_t at = byte_of(s, w->at), end = at + blocks_bytes(s, w->blocks);
	const uint64_t folio_bytes = s->o.rules.folio_bytes;
	uint64_t parts = (end - 1) / folio_bytes - at / folio_bytes + 1;
	bool beginning = pl_rng_below(rng, 4) != 0;
	uint64_t whole = pl_rng_below(rng, parts + 1);
	const uint8_t *buf = r->buf && !s->dev.caps.contentless ? r->buf + blocks_bytes(s, w->at - r->block) : NULL;
	int err = PL_OK;
	for (uint64_t i = 0; i < parts && b && !err; i++) {
		uint64_t bytes = pl_min64(end, (at / folio_bytes + 1) * folio_bytes) - at;
		if (beginning ? i < whole : pl_rng_below(rng, 2) != 0)
			err = opfs_body_write(&s->o.disk, b, at, bytes, buf);
		at += bytes;
		buf = buf ? buf + bytes : NULL;
	}
	return err;
}

/* The worker is gone in the middle of a call. A write into the page cache of a machine that stops is torn by the loss of
 * its granules. */
static int leave_call(struct sim_opfs *s, struct worker *w, enum dev_cut cut, struct pl_rng *rng)
{
	int err = PL_OK;
	if (cut == DEV_CUT_PROCESS && pl_rng_below(rng, 2)) {
		uint64_t waiting = 0;
		for (const struct dev_req *r = w->first; r; r = r->next)
			waiting++;
		for (uint64_t n = pl_rng_below(rng, waiting + 1); n > 0 && w->first; n--) {
			w->done_ns = s->now_ns;
			call_end(s, w);
		}
	}
	struct dev_req *r = w->first;
	if (!r || r->status || r->op == DEV_READ || r->op == DEV_SYNC || r->op == DEV_FILE_CLOSE)
		return err;
	if (r->op == DEV_WRITE && cut == DEV_CUT_PROCESS)
		return write_torn(s, w, rng);
	w->done_ns = s->now_ns;
	if (pl_rng_below(rng, 2)) {
		(void)call_apply(s, w);
		err = r->status == PL_NOMEM ? PL_NOMEM : PL_OK; /* refused at its end: it has not happened */
	}
	return err;
}

static int power_off(struct sim_opfs *s, struct pl_rng *rng)
{
	enum opfs_loss names_loss = (enum opfs_loss)pl_rng_below(rng, OPFS_LOSSES);
	enum opfs_loss loss = (enum opfs_loss)pl_rng_below(rng, OPFS_LOSSES);
	int err = PL_OK;
	opfs_changes_settle(&s->o, names_loss == OPFS_LOSE_ALL       ? s->o.changes
				   : names_loss == OPFS_LOSE_NOTHING ? 0
								     : pl_rng_below(rng, s->o.changes + 1));
	for (uint64_t i = 0; i < s->o.files && !err; i++)
		if (s->o.name[i].body)
			err = opfs_body_power_cut(&s->o.disk, s->o.name[i].body, rng, loss);
	opfs_cache_clear(&s->o.disk);
	return err;
}

static int device_cut(struct dev *d, uint64_t now_ns, enum dev_cut cut, uint64_t seed)
{
	struct sim_opfs *s = opfs_of(d);
	struct pl_rng rng;
	int err = PL_OK;
	if ((unsigned)cut >= DEV_CUTS)
		return PL_UNSUPPORTED;
	pl_rng_seed(&rng, seed, 2);
	advance(s, now_ns);
	if (cut == DEV_CUT_WORKER) {
		err = cut_worker(s);
		if (err)
			return err;
	} else {
		err = leave_call(s, &s->old, cut, &rng);
		if (!err)
			err = leave_call(s, &s->host, cut, &rng);
		drop_calls(s, &s->old);
		if (!err && cut == DEV_CUT_POWER)
			err = power_off(s, &rng);
		if (cut == DEV_CUT_EVICT)
			opfs_evict(&s->o);
		opfs_handles_drop(&s->o);
	}
	drop_calls(s, &s->host);
	done_clear(s);
	return err;
}

/* ---- out of band ---- */

static void device_stats(struct dev *d, struct dev_stats *out)
{
	struct sim_opfs *s = opfs_of(d);
	*out = d->stats;
	out->stored_bytes = opfs_stored_bytes(&s->o);
}

static int device_peek(struct dev *d, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	struct sim_opfs *s = opfs_of(d);
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	for (uint64_t at = block, end = block + blocks; at < end && !d->caps.contentless;) {
		const struct opfs_body *b = s->o.name[file_of(s, at)].body;
		uint32_t part = part_of(s, at, end);
		if (b)
			opfs_body_read(&s->o.disk, b, byte_of(s, at), blocks_bytes(s, part), buf);
		else
			memset(buf, 0, blocks_bytes(s, part));
		buf += blocks_bytes(s, part);
		at += part;
	}
	return PL_OK;
}

static int device_poke(struct dev *d, uint64_t block, uint32_t blocks, const uint8_t *buf)
{
	struct sim_opfs *s = opfs_of(d);
	int err = PL_OK;
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	for (uint64_t at = block, end = block + blocks; at < end && !err;) {
		struct opfs_name *n = &s->o.name[file_of(s, at)];
		uint32_t part = part_of(s, at, end);
		if (!n->body && buf) {
			n->body = opfs_body_new();
			if (!n->body)
				return PL_NOMEM;
			s->o.existing++;
		}
		if (n->body) {
			err = opfs_body_poke(&s->o.disk, n->body, byte_of(s, at), blocks_bytes(s, part), buf, !buf);
			opfs_charge(&s->o, n, pl_max64(n->charged, n->body->size));
		}
		buf = buf ? buf + blocks_bytes(s, part) : NULL;
		at += part;
	}
	return err;
}

static void device_describe(struct dev *d, void (*put)(void *arg, const char *key, uint64_t value), void *arg)
{
	static const char *const call_name[CALLS] = {
#define X(id, name) name,
		CALLS_TABLE(X)
#undef X
	};
	struct sim_opfs *s = opfs_of(d);
	uint64_t logical_bytes = 0, dirty_pages = 0;
	for (uint64_t i = 0; i < d->caps.files; i++)
		if (s->o.name[i].body) {
			logical_bytes += s->o.name[i].body->size;
			dirty_pages += opfs_body_dirty_pages(&s->o.disk, s->o.name[i].body);
		}
	put(arg, "files", d->caps.files);
	put(arg, "file_blocks", d->caps.file_blocks);
	put(arg, "existing_files", s->o.existing);
	put(arg, "handles", s->o.handles);
	put(arg, "held_handles", s->o.held);
	put(arg, "logical_bytes", logical_bytes);
	put(arg, "stored_bytes", opfs_stored_bytes(&s->o));
	put(arg, "dirty_bytes", dirty_pages * OPFS_PAGE_BYTES);
	put(arg, "flushed_bytes", s->o.disk.flushed_bytes);
	put(arg, "quota_bytes", s->o.rules.quota_bytes);
	put(arg, "quota_charged_bytes", opfs_quota_used(&s->o));
	put(arg, "undurable_name_changes", s->o.changes);
	for (int c = 0; c < CALLS; c++)
		put(arg, call_name[c], s->calls[c]);
}

/* ---- opening, closing, cloning ---- */

static void device_close(struct dev *d)
{
	struct sim_opfs *s = opfs_of(d);
	drop_calls(s, &s->old);
	opfs_origin_deinit(&s->o);
	free(s);
}

static int device_open(const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	struct dev_caps caps;
	struct opfs_times times;
	struct opfs_rules rules;
	int err = dev_args_check("sim_opfs", a, f);
	if (!err)
		err = opfs_options_read(&times, &rules, &caps, a, f);
	if (err)
		return err;
	struct sim_opfs *s = calloc(1, sizeof *s);
	if (!s)
		return pl_fault_set(f, PL_NOMEM, "device sim_opfs: out of memory");
	s->dev.ops = &dev_sim_opfs;
	s->dev.caps = caps;
	s->t = times;
	pl_rng_seed(&s->rng, a->seed, 3);
	done_clear(s);
	err = opfs_origin_init(&s->o, &rules, caps.files, a->contentless, a->seed);
	if (err) {
		device_close(&s->dev);
		return pl_fault_set(f, err, "device sim_opfs: no memory for %" PRIu64 " files", caps.files);
	}
	*out = &s->dev;
	return PL_OK;
}

static int device_clone(struct dev *d, struct dev **out)
{
	struct sim_opfs *s = opfs_of(d);
	if (s->host.first || s->done)
		return PL_AGAIN;
	struct sim_opfs *n = malloc(sizeof *n);
	if (!n)
		return PL_NOMEM;
	*n = *s;
	done_clear(n);
	n->old.first = n->old.last = NULL;
	int err = opfs_origin_clone(&n->o, &s->o);
	if (!err)
		err = requests_copy(n, s->old.first, &n->old);
	if (err)
		device_close(&n->dev);
	else
		*out = &n->dev;
	return err;
}

const struct dev_ops dev_sim_opfs = {
	.name = "sim_opfs",
	.summary = "simulated OPFS of a browser: one blocking call at a time, sparse files, quota, no punch",
	.opts = opfs_opts,
	.open = device_open,
	.close = device_close,
	.submit = device_submit,
	.poll = device_poll,
	.next_ns = device_next_ns,
	.stats = device_stats,
	.peek = device_peek,
	.poke = device_poke,
	.clone = device_clone,
	.cut = device_cut,
	.describe = device_describe,
};
