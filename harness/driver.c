/* driver.c - the clients' side of a run: who issues what, when, and what it cost.
 *
 * Each client has at most one operation in flight. Closed loop: the next one is meant to start when the previous ended.
 * Open loop: operation k of client c is meant to start at (k * clients + c) / target seconds, whatever happened to
 * those before it; it starts when the client is free. Service time counts from the start, response time from when it was
 * meant to start, so a stall shows in the response time of everything that it held up.
 *
 * Virtual time, one engine core (x.now_ns is when it is free):
 *
 *     te = when the store has something to do      tc = when the next client is ready
 *     x.now_ns = max(x.now_ns, min(te, tc));  te <= tc: the store runs, and hands out what ended; else the client starts
 *
 * Invariants:
 *  1. x.now_ns never runs backwards; every charge of the engine moves it.
 *  2. Among events of one time the store comes before the clients, the clients in the order of their numbers.
 *  3. When every client waits, the store is told so (idle), and must name a time: else this is an internal error, named.
 *  4. response >= service for each operation.
 * Cost: O(clients) per operation. Leaves out: think time, batches, more than one operation in flight per client. */
#include "harness/driver.h"

#include "harness/util.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STUCK_TURNS 1000000u /* turns without any progress after which the store is taken to be stuck */
#define PROGRESS_EVERY 512u /* operations */

enum client_state { CLIENT_IDLE, CLIENT_BUSY, CLIENT_DONE };

struct client {
	struct kv_op op;
	enum client_state state;
	uint32_t index;
	uint64_t left; /* operations still to issue (run); load takes them from a common counter */
	uint64_t issued;
	uint64_t ready_ns; /* when the next one is meant to start and the client is free */
	uint64_t meant_ns, start_ns;
	struct wl_op what;
	uint32_t version;
	uint64_t touched_bytes, scanned, sum;
	bool certain; /* the record must be found */
	bool scan_disorder;
	uint8_t key[WL_KEY_MAX];
	size_t last_n; /* scans: the key emitted last */
	uint8_t last[WL_KEY_MAX];
	uint8_t *value, *buf;
	struct drv *d;
};

struct loop {
	struct drv *d;
	const struct drv_phase *p;
	struct drv_result *r;
	struct client *client;
	uint64_t start_ns, issued, done, in_flight;
	struct pl_fault *f;
	int err;
	/* series */
	uint64_t point_every, point_start_ns, point_start_done;
	struct res_counters point_start;
	struct pl_hist *point_hist;
};

struct drv_result *drv_result_new(void)
{
	return lab_calloc(1, sizeof(struct drv_result));
}

void drv_result_free(struct drv_result *r)
{
	if (r)
		free(r->point);
	free(r);
}

void drv_start_clock(struct drv *d)
{
	d->x = (struct pl_ctx){.simulated = d->simulated};
	drv_tick(d);
}

void drv_tick(struct drv *d)
{
	if (!d->simulated)
		d->x.now_ns = pl_clock_ns();
}

void drv_read_counters(const struct drv *d, struct res_counters *out)
{
	memset(out, 0, sizeof *out);
	out->driver = d->total;
	out->driver.elapsed_ns = d->x.now_ns;
	out->driver.cpu_ns = d->x.cpu_ns;
	if (d->kv)
		kv_stats(d->kv, &out->kv);
	dev_stats(d->dev, &out->dev);
}

/* ---- what a client sees of a value: all of it, for a read that nobody looks at measures nothing */

static uint64_t sum_bytes(const uint8_t *p, size_t n)
{
	uint64_t sum = 0, word;
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		sum += word;
	}
	while (n--)
		sum += *p++;
	return sum;
}

static void on_get(void *arg, pl_slice value)
{
	struct client *c = arg;
	uint32_t offset = 0, bytes = (uint32_t)value.n;
	if (c->what.field != WL_ALL_FIELDS) {
		wl_field_extent(c->d->wl, c->what.keynum, c->what.field, &offset, &bytes);
		if ((size_t)offset + bytes > value.n)
			offset = bytes = 0; /* verification will name it */
	}
	c->sum += sum_bytes(value.p + offset, bytes);
	c->touched_bytes += bytes;
}

static bool on_scan(void *arg, pl_slice key, pl_slice value)
{
	struct client *c = arg;
	if (c->scanned && pl_slice_cmp(pl_slice_of(c->last, c->last_n), key) >= 0)
		c->scan_disorder = true;
	c->last_n = key.n < WL_KEY_MAX ? key.n : WL_KEY_MAX;
	memcpy(c->last, key.p, c->last_n);
	c->sum += sum_bytes(value.p, value.n);
	c->touched_bytes += value.n;
	c->scanned++;
	return true;
}

/* The new bytes of an update: one field, or all of them, at c->version. */
static void make_patch(struct client *c, uint64_t *offset, pl_slice *bytes)
{
	const struct wl *w = c->d->wl;
	uint32_t first = c->what.field, end = first + 1, at = 0, n = 0, from = 0;
	if (c->what.field == WL_ALL_FIELDS) {
		first = 0;
		end = wl_fields(w);
	}
	for (uint32_t i = first; i < end; i++) {
		wl_field_extent(w, c->what.keynum, i, &at, &n);
		if (i == first)
			from = at;
		wl_field(w, c->what.keynum, i, c->version, c->value + (at - from));
	}
	*offset = from;
	*bytes = pl_slice_of(c->value, at + n - from);
}

static void on_modify(void *arg, pl_slice value, struct kv_patch *patch)
{
	struct client *c = arg;
	c->sum += sum_bytes(value.p, value.n);
	c->touched_bytes += value.n;
	make_patch(c, &patch->offset, &patch->bytes);
}

/* ---- one operation */

static void next_operation(struct loop *l, struct client *c)
{
	if (l->p->load) {
		c->what = (struct wl_op){
			.kind = WL_INSERT, .keynum = wl_load_keynum(l->d->wl, l->issued), .field = WL_ALL_FIELDS};
	} else {
		wl_next(l->d->wl, c->index, &c->what);
		c->left--;
	}
	l->issued++;
	c->issued++;
}

static void prepare(struct loop *l, struct client *c)
{
	struct drv *d = l->d;
	const struct wl_op *w = &c->what;
	struct kv_op *op = &c->op;
	*op = (struct kv_op){.no_wait = l->p->no_wait, .arg = c};
	op->key = pl_slice_of(c->key, wl_key(d->wl, w->keynum, c->key));
	op->buf = c->buf;
	op->buf_bytes = wl_record_bytes_max(d->wl);
	c->scanned = 0;
	c->certain = expected_certain(d->expected, w->keynum);
	switch (w->kind) {
	case WL_READ:
		op->kind = KV_GET;
		op->got = on_get;
		break;
	case WL_UPDATE:
		op->kind = KV_UPDATE;
		c->version = expected_issue(d->expected, w->keynum, w->field);
		make_patch(c, &op->offset, &op->value);
		break;
	case WL_RMW:
		op->kind = KV_RMW;
		op->modify = on_modify;
		c->version = expected_issue(d->expected, w->keynum, w->field);
		break;
	case WL_INSERT:
		op->kind = KV_PUT;
		c->version = 0;
		c->what.field = WL_ALL_FIELDS;
		uint64_t offset;
		make_patch(c, &offset, &op->value);
		break;
	case WL_SCAN:
		op->kind = KV_SCAN;
		op->limit = w->scan_count;
		op->emit = on_scan;
		break;
	case WL_DELETE:
		op->kind = KV_DELETE;
		expected_deleting(d->expected, w->keynum);
		break;
	case WL_KINDS:
		assert(w->kind != WL_KINDS);
	}
}

static void remember(const struct loop *l, const struct client *c)
{
	struct drv *d = l->d;
	const struct wl_op *w = &c->what;
	switch (w->kind) {
	case WL_UPDATE:
	case WL_RMW:
		expected_wrote(d->expected, w->keynum, w->field, c->version, c->op.lsn.v);
		break;
	case WL_INSERT:
		expected_put(d->expected, w->keynum, c->op.lsn.v);
		if (!l->p->load)
			wl_acknowledge(d->wl, w->keynum);
		break;
	case WL_DELETE:
		expected_deleted(d->expected, w->keynum, c->op.lsn.v);
		break;
	case WL_READ:
	case WL_SCAN:
	case WL_KINDS:
		break;
	}
}

static void count_kind(struct res_driver *t, enum wl_kind k)
{
	uint64_t *const of[WL_KINDS] = {&t->read_operations, &t->update_operations, &t->insert_operations,
		&t->scan_operations, &t->rmw_operations, &t->delete_operations};
	++*of[k];
}

/* Judge how the operation ended. */
static void judge(struct loop *l, struct client *c)
{
	struct drv *d = l->d;
	int status = c->op.status;
	const char *more = d->kv ? kv_fault_text(d->kv) : "";
	if (status == PL_OK)
		remember(l, c);
	if (status == PL_NOTFOUND && c->what.kind == WL_INSERT)
		status = PL_FAILED;
	if (status == PL_NOTFOUND) {
		d->total.not_found++;
		if (c->certain && !l->err)
			l->err = pl_fault_set(l->f, PL_DAMAGED, "%s of record %" PRIu64 ": the record was lost",
				wl_kind_name[c->what.kind], c->what.keynum);
	} else if (status != PL_OK) {
		d->total.failures++;
		if (!l->err)
			l->err = pl_fault_set(l->f, status, "%s of record %" PRIu64 " failed: %s%s%s",
				wl_kind_name[c->what.kind], c->what.keynum, pl_err_text(status), *more ? ": " : "",
				more);
	} else if (c->what.kind == WL_SCAN && c->scan_disorder && !l->err) {
		l->err = pl_fault_set(
			l->f, PL_DAMAGED, "scan from record %" PRIu64 " returned keys out of order", c->what.keynum);
	}
}

static void end_point(struct loop *l);

static void ended(struct loop *l, struct client *c)
{
	struct drv *d = l->d;
	uint64_t service = d->x.now_ns - c->start_ns, response = d->x.now_ns - c->meant_ns;
	assert(response >= service);
	pl_hist_add(&l->r->hist[RES_SERVICE][c->what.kind], service);
	pl_hist_add(&l->r->hist[RES_RESPONSE][c->what.kind], response);
	pl_hist_add(l->point_hist, response);
	judge(l, c);
	d->total.operations++;
	d->total.scanned_records += c->scanned;
	d->total.touched_bytes += c->touched_bytes;
	c->touched_bytes = 0;
	count_kind(&d->total, c->what.kind);
	c->state = CLIENT_IDLE;
	l->in_flight--;
	l->done++;
	if (l->point_every && l->done - l->point_start_done >= l->point_every)
		end_point(l);
	if (l->done % PROGRESS_EVERY == 0 && d->progress &&
		!d->progress(d->progress_arg, l->done, l->p->operations, d->x.now_ns - l->start_ns) && !l->err)
		l->err = pl_fault_set(l->f, PL_INTERRUPTED, "interrupted");
}

/* ---- when clients issue */

static uint64_t scheduled_ns(const struct loop *l, const struct client *c)
{
	__extension__ typedef unsigned __int128 u128;
	uint64_t k = c->issued * l->d->clients + c->index;
	return l->start_ns + (uint64_t)((u128)k * 1000000000u / l->p->target_ops_per_second);
}

/* After an operation (or at the beginning): is there another, and from when on? */
static void plan_next(struct loop *l, struct client *c)
{
	bool more = l->p->load ? l->issued < l->p->operations : c->left > 0;
	if (!more || l->err) {
		c->state = CLIENT_DONE;
		c->ready_ns = PL_NS_NEVER;
		return;
	}
	c->state = CLIENT_IDLE;
	c->meant_ns = l->p->target_ops_per_second ? scheduled_ns(l, c) : l->d->x.now_ns;
	c->ready_ns = pl_max64(c->meant_ns, l->d->x.now_ns);
}

static struct client *next_client(struct loop *l)
{
	struct client *best = NULL;
	for (uint32_t i = 0; i < l->d->clients; i++) {
		struct client *c = &l->client[i];
		if (c->state == CLIENT_IDLE && (!best || c->ready_ns < best->ready_ns))
			best = c;
	}
	return best;
}

static void issue(struct loop *l, struct client *c)
{
	struct drv *d = l->d;
	if (l->p->load && l->issued >= l->p->operations) {
		plan_next(l, c);
		return;
	}
	next_operation(l, c);
	prepare(l, c);
	drv_tick(d);
	c->start_ns = pl_max64(d->x.now_ns, c->meant_ns);
	c->state = CLIENT_BUSY;
	l->in_flight++;
	int status = kv_start(d->kv, &d->x, &c->op);
	if (status == PL_AGAIN)
		return;
	c->op.status = status;
	drv_tick(d);
	ended(l, c);
	plan_next(l, c);
}

/* Let the store work; true if an operation ended. */
static bool run_store(struct loop *l)
{
	bool any = false;
	for (;;) {
		drv_tick(l->d);
		struct kv_op *op = kv_run(l->d->kv, &l->d->x);
		if (!op)
			return any;
		struct client *c = op->arg;
		assert(c->state == CLIENT_BUSY && &c->op == op && op->status != PL_AGAIN);
		drv_tick(l->d);
		ended(l, c);
		plan_next(l, c);
		any = true;
	}
}

static int stuck(struct loop *l, const char *what)
{
	uint32_t waiting = 0;
	for (uint32_t i = 0; i < l->d->clients; i++)
		waiting += l->client[i].state == CLIENT_BUSY;
	return pl_fault_set(l->f, PL_FAILED,
		"internal error: %" PRIu32 " operations wait at %" PRIu64 " ns, %s (%" PRIu64 " of %" PRIu64 " done)",
		waiting, l->d->x.now_ns, what, l->done, l->p->operations);
}

static void nap(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	(void)nanosleep(&t, NULL);
}

/* Real time: wait for the next event without burning the core when it is far away. */
static void wait_until(uint64_t when)
{
	uint64_t now = pl_clock_ns();
	if (when != PL_NS_NEVER && when > now + 50000)
		nap(pl_min64(when - now - 20000, 10000000));
}

static bool issue_ready(struct loop *l)
{
	bool any = false;
	for (uint32_t i = 0; i < l->d->clients && !l->err; i++)
		if (l->client[i].state == CLIENT_IDLE && l->client[i].ready_ns <= l->d->x.now_ns) {
			issue(l, &l->client[i]);
			any = true;
		}
	return any;
}

static int turn(struct loop *l, uint64_t *idle_turns)
{
	struct drv *d = l->d;
	struct client *c = next_client(l);
	uint64_t tc = c && !l->err ? c->ready_ns : PL_NS_NEVER;
	if (c && l->err)
		plan_next(l, c);
	uint64_t before = d->x.now_ns;
	uint64_t te =
		l->in_flight || tc != PL_NS_NEVER ? kv_next_ns(d->kv, d->x.now_ns, tc == PL_NS_NEVER) : PL_NS_NEVER;
	if (te == PL_NS_NEVER && tc == PL_NS_NEVER)
		return l->in_flight ? stuck(l, "and the store names no time to go on") : PL_OK;
	if (!d->simulated)
		wait_until(te <= tc ? te : tc);
	d->x.now_ns = pl_max64(d->x.now_ns, d->simulated ? pl_min64(te, tc) : 0);
	drv_tick(d);
	bool progress = false;
	if (!d->simulated)
		progress = issue_ready(l); /* all that are ready, so that commits can gather */
	if (te <= tc || !d->simulated)
		progress |= run_store(l);
	if (d->simulated && c && c->state == CLIENT_IDLE && tc < te && tc <= d->x.now_ns) {
		issue(l, c);
		progress = true;
	}
	*idle_turns = progress || (d->simulated && d->x.now_ns > before) || !d->simulated ? 0 : *idle_turns + 1;
	return *idle_turns > STUCK_TURNS ? stuck(l, "and the store's turns change nothing") : PL_OK;
}

/* ---- series */

static void begin_points(struct loop *l)
{
	uint64_t n = l->p->series_points;
	l->point_hist = lab_calloc(1, sizeof *l->point_hist);
	l->point_every = n ? pl_max64(1, pl_div_up(l->p->operations, n)) : 0;
	l->r->point = lab_calloc(n + 1, sizeof *l->r->point);
	l->point_start_ns = l->start_ns;
	drv_read_counters(l->d, &l->point_start);
}

static void end_point(struct loop *l)
{
	struct drv_point *p = &l->r->point[l->r->points++];
	struct res_counters now;
	uint64_t t = l->d->x.now_ns;
	drv_read_counters(l->d, &now);
	res_difference(&l->point_start, &now, &p->counters);
	p->t_ns = t - l->start_ns;
	p->interval_ns = t - l->point_start_ns;
	p->operations = l->done - l->point_start_done;
	p->p50_ns = pl_hist_quantile(l->point_hist, 5000);
	p->p99_ns = pl_hist_quantile(l->point_hist, 9900);
	p->max_ns = l->point_hist->greatest;
	pl_hist_reset(l->point_hist);
	l->point_start = now;
	l->point_start_ns = t;
	l->point_start_done = l->done;
}

/* ---- the phase */

static void begin_clients(struct loop *l)
{
	struct drv *d = l->d;
	size_t room = wl_record_bytes_max(d->wl) + 16;
	l->client = lab_calloc(d->clients, sizeof *l->client);
	for (uint32_t i = 0; i < d->clients; i++) {
		struct client *c = &l->client[i];
		c->index = i;
		c->d = d;
		c->left = l->p->operations / d->clients + (i < l->p->operations % d->clients);
		c->value = lab_calloc(1, room);
		c->buf = lab_calloc(1, room);
		plan_next(l, c);
	}
}

static void end_clients(struct loop *l)
{
	for (uint32_t i = 0; i < l->d->clients; i++) {
		free(l->client[i].value);
		free(l->client[i].buf);
	}
	free(l->client);
	free(l->point_hist);
}

int drv_run(struct drv *d, const struct drv_phase *p, struct drv_result *r, struct pl_fault *f)
{
	struct loop l = {.d = d, .p = p, .r = r, .f = f};
	struct res_counters before, after;
	uint64_t idle_turns = 0;
	int err = PL_OK;
	drv_tick(d);
	l.start_ns = d->x.now_ns;
	drv_read_counters(d, &before);
	begin_points(&l);
	begin_clients(&l);
	/* After an error the operations in flight are still seen to their end, so that the store can be closed. */
	while (!err && (l.in_flight || (!l.err && next_client(&l))))
		err = turn(&l, &idle_turns);
	if (l.point_every && l.done > l.point_start_done)
		end_point(&l);
	drv_tick(d);
	drv_read_counters(d, &after);
	res_difference(&before, &after, &r->counters);
	end_clients(&l);
	return err ? err : l.err;
}
